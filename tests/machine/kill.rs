//! One machine, one node: what starts it, what kills it, what stops it.

use super::host::Host;
use super::node::{ALONE, UNIT};
use super::root;
use super::runner::Story;
use crate::scenes;

/// A machine whose unit is enabled, with one group.
pub(crate) const STORY: Story = Story {
    set: booted,
    missing: || None,
    long: false,
    scenes: scenes![
        a_machine_that_boots_with_the_unit_enabled_has_a_node_that_holds_its_group,
        a_supervisor_killed_with_nine_is_replaced_and_systemd_follows_it,
        a_core_killed_with_nine_is_replaced_and_nothing_moves,
        both_killed_with_nine_are_started_again_by_systemd_and_nothing_moves,
        twenty_kills_in_a_row_do_not_end_it,
        a_stop_after_kills_releases_in_order_and_returns_when_all_is_stopped,
        a_start_returns_when_the_node_is_ready_and_a_restart_stops_before_it_starts,
        a_stop_waits_for_a_slow_script,
        a_node_whose_two_processes_stand_still_is_there_again_and_a_stop_meanwhile_does_not_say_that_nobody_runs,
    ],
};

fn booted() -> Vec<Host> {
    let mut host = Host::new("alpha", &root::with(&[]).expect("a Debian root"));
    host.install();
    host.configure(ALONE, "alpha disk phone\n");
    host.with_card();
    host.enable(UNIT);
    host.boot();
    host.await_held();
    vec![host]
}

/// What was started stays as it is: the same process, nobody told to start or stop.
pub(crate) struct Untouched {
    phone: Option<u32>,
}

impl Untouched {
    pub(crate) fn since(host: &Host) -> Untouched {
        host.forget_calls();
        let phone = host.phone();
        assert!(phone.is_some(), "the phone runs");
        Untouched { phone }
    }

    pub(crate) fn holds(&self, host: &mut Host) {
        host.await_held();
        assert_eq!(host.phone(), self.phone, "the phone's process");
        assert_eq!(host.calls(), Vec::<String>::new());
    }
}

/// Waits until systemd watches another process than before, and that one supervises a core.
pub(crate) fn await_main_other_than(host: &mut Host, before: u32) -> u32 {
    host.wait("another main process", |host| {
        let main = host.main_pid();
        let status = host.status()?;
        let follows = main != before && status.get("pid")?.as_u64()? == u64::from(main);
        (follows && host.active() == "active").then_some(main)
    })
}

fn a_machine_that_boots_with_the_unit_enabled_has_a_node_that_holds_its_group(machines: &mut [Host]) {
    let host = &mut machines[0];
    assert_eq!(host.calls(), ["disk start", "phone start"]);
    assert_eq!((host.active().as_str(), host.show("SubState").as_str()), ("active", "running"));
    assert_eq!(host.status().expect("a node")["pid"], host.main_pid());
    assert!(host.phone().is_some(), "the phone runs");
}

fn a_supervisor_killed_with_nine_is_replaced_and_systemd_follows_it(machines: &mut [Host]) {
    let host = &mut machines[0];
    let untouched = Untouched::since(host);
    let (main, core) = (host.main_pid(), host.core());
    host.must(&format!("kill -9 {main}"));
    let second = await_main_other_than(host, main);
    assert_eq!(host.core(), core, "the core goes on");
    untouched.holds(host);
    // The second was not started by systemd: it is not its child.
    let restarts = host.show("NRestarts");
    host.must(&format!("kill -9 {second}"));
    await_main_other_than(host, second);
    assert_eq!(host.core(), core, "the core goes on");
    assert_eq!(host.show("NRestarts"), restarts, "it followed without a restart");
    untouched.holds(host);
}

fn a_core_killed_with_nine_is_replaced_and_nothing_moves(machines: &mut [Host]) {
    let host = &mut machines[0];
    let untouched = Untouched::since(host);
    let (restarts, main, core) = (host.show("NRestarts"), host.main_pid(), host.core().expect("a core"));
    host.must(&format!("kill -9 {core}"));
    host.wait("another core", |host| host.core().filter(|now| *now != core));
    assert_eq!((host.main_pid(), host.active().as_str()), (main, "active"));
    assert_eq!(host.show("NRestarts"), restarts);
    untouched.holds(host);
}

fn both_killed_with_nine_are_started_again_by_systemd_and_nothing_moves(machines: &mut [Host]) {
    let host = &mut machines[0];
    let untouched = Untouched::since(host);
    let restarts: u32 = host.show("NRestarts").parse().expect("a number");
    let (main, core) = (host.main_pid(), host.core().expect("a core"));
    // Held first: the one that is killed last would notice the death of the other and see to it.
    host.must(&format!("kill -STOP {main} {core}; kill -9 {main} {core}"));
    await_main_other_than(host, main);
    assert_eq!(host.show("NRestarts"), (restarts + 1).to_string());
    untouched.holds(host);
}

fn twenty_kills_in_a_row_do_not_end_it(machines: &mut [Host]) {
    let host = &mut machines[0];
    let untouched = Untouched::since(host);
    for _ in 0..20 {
        let (main, core) = (host.main_pid(), host.core().expect("a core"));
        host.must(&format!("kill -9 {main} {core}"));
        await_main_other_than(host, main);
    }
    assert_eq!(host.active(), "active");
    untouched.holds(host);
}

fn a_stop_after_kills_releases_in_order_and_returns_when_all_is_stopped(machines: &mut [Host]) {
    let host = &mut machines[0];
    let main = host.main_pid();
    host.must(&format!("kill -9 {main}"));
    await_main_other_than(host, main);
    host.forget_calls();
    host.must("systemctl stop latido");
    assert_eq!(host.calls(), ["phone stop", "disk stop"]);
    assert_eq!((host.active().as_str(), host.show("Result").as_str()), ("inactive", "success"));
    assert_eq!(host.phone(), None);
    assert_eq!(host.run("pgrep -x latido").code, Some(1), "no process is left");
}

fn a_start_returns_when_the_node_is_ready_and_a_restart_stops_before_it_starts(machines: &mut [Host]) {
    let host = &mut machines[0];
    host.must("systemctl stop latido");
    host.forget_calls();
    host.must("systemctl start latido");
    assert!(host.status().is_some(), "a node that is started answers");
    host.await_held();
    host.must("systemctl restart latido");
    host.await_held();
    assert_eq!(host.calls(), ["disk start", "phone start", "phone stop", "disk stop", "disk start", "phone start"]);
}

fn a_stop_waits_for_a_slow_script(machines: &mut [Host]) {
    let host = &mut machines[0];
    host.forget_calls();
    std::fs::write(host.outside("delay.disk.stop"), "4").expect("a file of our own");
    let stop = host.begin("systemctl stop latido && ls /machine/state");
    host.wait("the slow script to begin", |host| host.calls().contains(&"disk stop".to_owned()).then_some(()));
    assert_eq!(host.active(), "deactivating");
    let said = super::host::Said::of(stop.wait_with_output());
    let _ = std::fs::remove_file(host.outside("delay.disk.stop"));
    assert_eq!((said.code, said.text.as_str()), (Some(0), ""), "nothing is up when it returns");
    assert_eq!((host.active().as_str(), host.show("Result").as_str()), ("inactive", "success"));
    assert_eq!(host.run("pgrep -x latido").code, Some(1));
}

fn a_node_whose_two_processes_stand_still_is_there_again_and_a_stop_meanwhile_does_not_say_that_nobody_runs(
    machines: &mut [Host],
) {
    let host = &mut machines[0];
    host.must("systemctl start latido");
    host.await_held();
    // The kernel wakes a child that stands still when its parent dies: the supervisor is to be one that the core made.
    let first = host.main_pid();
    host.must(&format!("kill -9 {first}"));
    let main = await_main_other_than(host, first);
    let core = host.core().expect("a core");
    host.must(&format!("kill -STOP {main} {core}"));
    host.wait("systemd to end the supervisor", |host| (host.main_pid() != main).then_some(()));
    let stop = host.run("/usr/sbin/latido stop");
    let expected = format!("its core process (pid {core}) stands still");
    assert!(stop.code == Some(1) && stop.text.contains(&expected), "{stop:?}");
    await_main_other_than(host, main);
    assert_ne!(host.core(), Some(core));
    host.await_held();
    host.must("systemctl stop latido");
    assert_eq!(host.phone(), None);
}
