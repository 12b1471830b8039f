//! One machine whose unit is not enabled: what is refused, what is reread, what hangs, and what the unit file says.

use super::host::Host;
use super::kill::{Untouched, await_main_other_than};
use super::node::{ALONE, UNIT, checkout};
use super::root;
use super::runner::Story;
use crate::scenes;

pub(crate) const STORY: Story = Story {
    set: booted,
    missing: || None,
    long: false,
    scenes: scenes![
        a_unit_that_is_not_enabled_does_not_start_at_boot,
        a_start_without_ha_cf_does_nothing_and_says_why,
        a_node_whose_files_are_wrong_fails_once_and_says_the_error,
        a_node_that_is_started_shows_its_state_in_systemctl_status,
        a_reload_of_good_files_puts_them_in_force,
        a_reload_of_broken_files_fails_with_the_first_error_and_the_old_ones_stay,
        a_core_that_stands_still_is_replaced_and_nothing_moves,
        a_supervisor_that_stands_still_is_replaced_by_systemd_and_nothing_moves,
        both_standing_still_come_back_and_nothing_moves,
        a_core_that_stands_still_without_a_supervisor_is_waited_for,
        a_node_that_somebody_started_by_hand_is_taken_over_by_systemctl_start,
        the_unit_is_right_for_systemd_analyze,
    ],
};

fn booted() -> Vec<Host> {
    let mut host = Host::new("alpha", &root::with(&[]).expect("a Debian root"));
    host.install();
    host.with_card();
    // Hangs are noticed within seconds instead of ten.
    host.put("etc/systemd/system/latido.service.d/quick.conf", "[Service]\nWatchdogSec=4\n", 0o644);
    host.boot();
    vec![host]
}

/// A machine where the node runs; whatever was before.
fn running(machines: &mut [Host]) -> &mut Host {
    let host = &mut machines[0];
    host.configure(ALONE, "alpha disk phone\n");
    host.must("systemctl start latido");
    host.await_held();
    host
}

fn a_unit_that_is_not_enabled_does_not_start_at_boot(machines: &mut [Host]) {
    let host = &mut machines[0];
    assert_eq!(host.run("systemctl is-enabled latido").text.trim(), "disabled");
    assert_eq!(host.active(), "inactive");
    assert_eq!(host.run("pgrep -x latido").code, Some(1));
}

fn a_start_without_ha_cf_does_nothing_and_says_why(machines: &mut [Host]) {
    let host = &mut machines[0];
    host.run("systemctl stop latido; rm -f /etc/ha.d/ha.cf");
    host.must("systemctl start latido");
    assert_eq!((host.active().as_str(), host.run("pgrep -x latido").code), ("inactive", Some(1)));
    let said = host.run("systemctl status latido").text;
    assert!(said.contains("unmet condition check (ConditionPathExists=/etc/ha.d/ha.cf)"), "{said}");
    let said = host.run("latido start");
    assert!(said.code == Some(6) && said.text.contains("latido init"), "{}", said.text);
}

fn a_node_whose_files_are_wrong_fails_once_and_says_the_error(machines: &mut [Host]) {
    let host = &mut machines[0];
    host.run("systemctl stop latido");
    host.configure(&format!("{ALONE}deadtime soon\n"), "alpha disk phone\n");
    let said = host.run("systemctl start latido");
    assert_eq!(said.code, Some(1), "{}", said.text);
    let shown = ["ActiveState", "Result", "ExecMainStatus", "NRestarts"].map(|property| host.show(property));
    assert_eq!(shown, ["failed", "exit-code", "6", "0"]);
    let said = host.run("systemctl status latido").text;
    assert!(said.contains("ha.cf:7") && said.contains("deadtime"), "{said}");
    // It is mended, and nothing has to be reset first.
    host.configure(ALONE, "alpha disk phone\n");
    host.must("systemctl start latido");
    host.await_held();
}

fn a_node_that_is_started_shows_its_state_in_systemctl_status(machines: &mut [Host]) {
    let host = running(machines);
    host.wait("the line of status to say what is held", |host| {
        host.run("systemctl status latido")
            .text
            .lines()
            .find(|line| line.trim().starts_with("Status: ") && line.contains("holds disk"))?;
        Some(())
    });
    assert_eq!(host.show("Type"), "notify");
}

fn a_reload_of_good_files_puts_them_in_force(machines: &mut [Host]) {
    let host = running(machines);
    let untouched = Untouched::since(host);
    host.configure(&ALONE.replace("deadtime 30", "deadtime 20"), "alpha disk phone\n");
    host.must("systemctl reload latido");
    assert_eq!(host.status().expect("a node")["deadtime_ms"], 20_000, "in force when the reload has returned");
    untouched.holds(host);
    host.configure(ALONE, "alpha disk phone\nalpha disk2\n");
    host.must("latido reload");
    host.wait("the new group", |host| host.calls().contains(&"disk2 start".to_owned()).then_some(()));
    host.configure(ALONE, "alpha disk phone\n");
    host.must("systemctl reload latido");
    host.wait("the group that was removed to be stopped", |host| {
        host.calls().contains(&"disk2 stop".to_owned()).then_some(())
    });
    assert_eq!(host.calls(), ["disk2 start", "disk2 stop"]);
    host.await_held();
}

fn a_reload_of_broken_files_fails_with_the_first_error_and_the_old_ones_stay(machines: &mut [Host]) {
    let host = running(machines);
    let untouched = Untouched::since(host);
    host.configure(&format!("{ALONE}deadtime soon\nkeepalive never\n"), "alpha disk phone\n");
    let said = host.run("systemctl reload latido");
    assert_eq!(said.code, Some(1), "{}", said.text);
    let first = "ha.cf:7";
    let shown = host.wait("the refusal in systemctl status", |host| {
        let shown = host.run("systemctl status latido").text;
        shown.lines().any(|line| line.trim().starts_with("Status: ") && line.contains("refused")).then_some(shown)
    });
    assert!(shown.contains(first), "{shown}");
    assert!(host.journal().contains(first), "{}", host.journal());
    assert_eq!(host.active(), "active");
    assert_eq!(host.status().expect("a node")["deadtime_ms"], 30_000);
    let said = host.run("latido reload");
    assert!(said.code == Some(1) && said.text.contains(first), "{}", said.text);
    untouched.holds(host);
    host.configure(ALONE, "alpha disk phone\n");
    host.must("systemctl reload latido");
    host.wait("the refusal to be forgotten", |host| (!host.show("StatusText").contains("refused")).then_some(()));
}

fn a_core_that_stands_still_is_replaced_and_nothing_moves(machines: &mut [Host]) {
    let host = running(machines);
    let untouched = Untouched::since(host);
    let (main, core) = (host.main_pid(), host.core().expect("a core"));
    host.must(&format!("kill -STOP {core}"));
    host.wait("another core", |host| host.core().filter(|now| *now != core));
    assert_eq!((host.main_pid(), host.active().as_str()), (main, "active"));
    untouched.holds(host);
}

fn a_supervisor_that_stands_still_is_replaced_by_systemd_and_nothing_moves(machines: &mut [Host]) {
    let host = running(machines);
    let untouched = Untouched::since(host);
    let (main, core) = (host.main_pid(), host.core());
    host.must(&format!("kill -STOP {main}"));
    await_main_other_than(host, main);
    assert_eq!(host.core(), core, "the core goes on");
    untouched.holds(host);
}

/// Of a daemon that systemd started itself: a supervisor that the core made is not waited for by systemd when it is killed.
fn both_standing_still_come_back_and_nothing_moves(machines: &mut [Host]) {
    let host = running(machines);
    host.must("systemctl restart latido");
    host.await_held();
    let untouched = Untouched::since(host);
    let (main, core) = (host.main_pid(), host.core().expect("a core"));
    host.must(&format!("kill -STOP {main} {core}"));
    await_main_other_than(host, main);
    untouched.holds(host);
}

/// Two faults: who was made by the core is buried by it alone, and until then its core is nobody's.
fn a_core_that_stands_still_without_a_supervisor_is_waited_for(machines: &mut [Host]) {
    for signal in ["CONT", "KILL"] {
        let host = running(machines);
        let main = host.main_pid();
        host.must(&format!("kill -9 {main}"));
        let second = await_main_other_than(host, main);
        let untouched = Untouched::since(host);
        let core = host.core().expect("a core");
        host.must("journalctl --rotate --vacuum-time=1s");
        host.must(&format!("kill -STOP {core}; kill -9 {second}"));
        // systemd misses the signs of life, and starts somebody who finds a daemon that nobody supervises.
        host.wait("the daemon to be waited for", |host| {
            host.journal().contains("is gone: waiting for it").then_some(())
        });
        host.must(&format!("kill -{signal} {core}"));
        await_main_other_than(host, second);
        assert_eq!(host.core() == Some(core), signal == "CONT");
        untouched.holds(host);
    }
}

fn a_node_that_somebody_started_by_hand_is_taken_over_by_systemctl_start(machines: &mut [Host]) {
    let host = running(machines);
    host.must("systemctl stop latido");
    host.must("latido daemon --background");
    host.await_held();
    let untouched = Untouched::since(host);
    host.must("systemctl start latido");
    assert_eq!(host.status().expect("a node")["pid"], host.main_pid());
    untouched.holds(host);
    host.must("systemctl stop latido");
    assert_eq!(host.calls(), ["phone stop", "disk stop"]);
    assert_eq!((host.active().as_str(), host.run("pgrep -x latido").code), ("inactive", Some(1)));
}

/// What it has to say of the unit: nothing.
fn the_unit_is_right_for_systemd_analyze(machines: &mut [Host]) {
    let host = &mut machines[0];
    let said = host.run(&format!("systemd-analyze verify --recursive-errors=one --man=no {UNIT}"));
    assert_eq!((said.code, said.text.as_str()), (Some(0), ""));
    // Each right that is kept has its reason in the document; one that it does not know is new.
    let document = std::fs::read_to_string(checkout("docs/systemd.md")).expect("the document");
    let table = host.run(&format!("systemd-analyze security --no-pager --json=short {UNIT}")).text;
    let rights: serde_json::Value = serde_json::from_str(&table).unwrap_or_else(|error| panic!("{error}: {table}"));
    let kept = rights.as_array().expect("a list").iter().filter(|right| right["set"] == false);
    let unsaid: Vec<&str> =
        kept.filter_map(|right| right["json_field"].as_str()).filter(|right| !names(&document, right)).collect();
    assert!(unsaid.is_empty(), "docs/systemd.md gives no reason for {unsaid:?}");
}

/// Whether a row of the document is about this right: `CapabilityBoundingSet_CAP_SYS_ADMIN` is one of the bounding set.
fn names(document: &str, right: &str) -> bool {
    let option = right.split('_').next().and_then(|right| right.split("Or").next()).unwrap_or(right);
    document.lines().any(|line| line.starts_with("| `") && line.contains(&format!("`{option}=")))
}
