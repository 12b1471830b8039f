//! Health as the world shows it: a telephone exchange that dies is asked with SIP OPTIONS, restarted, and moved when it dies
//! again; a dead node is fenced by the `stonith` of cluster-glue before its groups are taken (`latido.cf`,
//! `resources.md` 7).

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::runner::{Pace, Test};
use super::support::Kind::Latido;
use super::support::clock::{epoch, wait_until};
use super::support::{Medium, Pair, Plan, record, shell};
use crate::tests;

/// The tests of this file.
pub(crate) const TESTS: &[Test] = tests!(
    false,
    Pace::Together,
    [
        a_kamailio_that_dies_is_restarted_and_then_moved,
        a_sipp_that_hangs_is_restarted,
        an_address_whose_cable_is_pulled_out_moves_at_once_and_both_say_why,
        a_dead_node_is_fenced_with_an_external_plugin_at_the_third_attempt,
        a_dead_node_waits_for_a_person_with_meatware,
        a_dead_node_is_fenced_with_the_null_plugin,
    ]
);

const MODULES: &str = "/usr/lib/x86_64-linux-gnu/kamailio/modules/";
const STONITH: &str = "/usr/sbin/stonith";
/// Where it looks for plugins of the external kind.
const EXTERNAL: &str = "/usr/lib/stonith/plugins/external";

/// A pair whose only resource is a process that answers SIP; `None` when it is not installed.
fn exchanges(program: &str) -> Option<Pair> {
    if !Path::new("/usr/sbin").join(program).exists() && !Path::new("/usr/bin").join(program).exists() {
        shell::print(&format!("not tested: {program} is not installed"));
        return None;
    }
    let pair = Pair::new(&Plan::new(Latido, Latido).timed(100, 1000).resources("alpha pbx\n"));
    for name in ["alpha", "beta"] {
        let dir = &pair.host(name).dir;
        let text = |text: &str| text.replace("@DIR@", &dir.display().to_string()).replace("@MODULES@", MODULES);
        let write = |path: &str, content: &str| fs::write(dir.join(path), text(content)).expect("a file of our own");
        write("program", program);
        write("kamailio.cfg", include_str!("health/kamailio.cfg"));
        write("options.xml", include_str!("health/options.xml"));
        write("ha.d/resource.d/pbx", include_str!("health/pbx"));
        write("ha.d/latido.cf", "monitor pbx 300ms failures 2 restarts 1 with sip 127.0.0.1:5060\n");
        let script = dir.join("ha.d/resource.d/pbx");
        fs::set_permissions(script, fs::Permissions::from_mode(0o755)).expect("a script of our own");
    }
    pair.start_both();
    serves(&pair, "alpha", 15.0);
    Some(pair)
}

/// Waits until the exchange is up at that node.
fn serves(pair: &Pair, name: &str, limit: f64) {
    let held = || {
        let said = pair.host(name).run(&format!("{} status --json", pair.host(name).program("latido")));
        let status: serde_json::Value = serde_json::from_slice(&said.stdout).unwrap_or_default();
        status["groups"][0]["state"] == "held" && status["stable"] == true
    };
    wait_until(&format!("the exchange at {name}"), limit, held);
}

/// Sends the exchange's processes a signal.
fn signal(pair: &Pair, name: &str, signal: &str) {
    let host = pair.host(name);
    let all = "pid=$(cat pbx.pid); for p in $pid $(cat /proc/$pid/task/$pid/children); do";
    host.run(&format!("cd {}; {all} kill -{signal} $p; done", host.dir.display()));
}

/// When that call was made after `from`.
fn called(pair: &Pair, name: &str, verb: &str, from: f64) -> Option<f64> {
    record::calls(&pair.host(name).dir).into_iter().find(|call| call.at > from && call.verb == verb).map(|call| call.at)
}

fn a_kamailio_that_dies_is_restarted_and_then_moved() {
    let Some(pair) = exchanges("kamailio") else { return };
    let killed = epoch();
    signal(&pair, "alpha", "KILL");
    wait_until("a restart", 10.0, || called(&pair, "alpha", "start", killed).is_some());
    let restarted = called(&pair, "alpha", "start", killed).expect("it was seen");
    serves(&pair, "alpha", 10.0);
    assert!(called(&pair, "beta", "start", killed).is_none(), "moved at the first death");
    let again = epoch();
    signal(&pair, "alpha", "KILL");
    serves(&pair, "beta", 10.0);
    let moved = called(&pair, "beta", "start", again).expect("it runs there");
    shell::print(&format!(
        "SIP each 300 ms, two failures: restarted {:.2} s after its death, moved {:.2} s after the second",
        restarted - killed,
        moved - again
    ));
    let status = pair.host("alpha").run(&format!("{} status", pair.host("alpha").program("latido")));
    let text = String::from_utf8_lossy(&status.stdout).into_owned();
    assert!(text.contains("FAILED") && text.contains("latido resource retry pbx"), "{text}");
}

fn a_sipp_that_hangs_is_restarted() {
    let Some(pair) = exchanges("sipp") else { return };
    let stopped = epoch();
    // Its process is there, and its script says so: only the question finds out.
    signal(&pair, "alpha", "STOP");
    wait_until("a restart", 20.0, || called(&pair, "alpha", "start", stopped).is_some());
    serves(&pair, "alpha", 10.0);
}

fn an_address_whose_cable_is_pulled_out_moves_at_once_and_both_say_why() {
    let plan = Plan::new(Latido, Latido).over(&[Medium::Bcast(0), Medium::Bcast(1)]).timed(100, 1000);
    let pair = Pair::new(&plan.resources("alpha IPaddr2::10.22.0.100/24/eth1\n"));
    for name in ["alpha", "beta"] {
        fs::write(pair.host(name).dir.join("ha.d/latido.cf"), "monitor IPaddr2 300ms\n").expect("a file of our own");
    }
    pair.start_both();
    serves(&pair, "alpha", 15.0);
    pair.switch.drop_carrier("alpha", 1);
    serves(&pair, "beta", 15.0);
    let said = |name: &str, what: &str| {
        let output = pair.host(name).run(&format!("{} {what}", pair.host(name).program("latido")));
        (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let (code, status) = said("alpha", "status");
    assert!(code == Some(1) && status.contains("eth1 has no carrier"), "{status}");
    let (_, why) = said("beta", "why");
    assert!(why.contains("failed on alpha: eth1 has no carrier"), "{why}");
    assert!(why.contains("evidence"), "{why}");
}

/// A pair with one group whose nodes are fenced by this device of cluster-glue; `None` without its `stonith`.
fn fenced(device: &str) -> Option<Pair> {
    if !Path::new(STONITH).exists() {
        shell::print("not tested: stonith (Debian: cluster-glue) is not installed");
        return None;
    }
    let pair = Pair::new(&Plan::new(Latido, Latido).timed(100, 1000).resources("alpha ra rb\n"));
    let host = pair.host("beta");
    let plugin = include_str!("health/flaky").replace("@DIR@", &host.dir.display().to_string());
    let plugins = host.dir.join("plugins");
    fs::create_dir(&plugins).expect("a directory of our own");
    fs::write(plugins.join("flaky"), plugin).expect("a plugin of our own");
    fs::set_permissions(plugins.join("flaky"), fs::Permissions::from_mode(0o755)).expect("a plugin of our own");
    let shown = host.run(&format!("mount --bind {} {EXTERNAL}", plugins.display()));
    assert!(shown.status.success(), "{}", shell::said(&shown));
    host.add_to_ha_cf(&format!("stonith_host beta {device}\n"));
    pair.start_both();
    pair.settle(&["ra", "rb"], &[], 15.0);
    Some(pair)
}

fn a_dead_node_is_fenced_with_the_null_plugin() {
    let Some(mut pair) = fenced("null alpha") else { return };
    pair.power_off("alpha");
    pair.settle(&[], &["ra", "rb"], 20.0);
    pair.await_log("beta", 0, "node alpha now reset", 1.0);
}

fn a_dead_node_is_fenced_with_an_external_plugin_at_the_third_attempt() {
    let Some(mut pair) = fenced("external/flaky alpha") else { return };
    let begun = epoch();
    pair.power_off("alpha");
    pair.settle(&[], &["ra", "rb"], 60.0);
    let first = record::calls(&pair.host("beta").dir).into_iter().find(|call| call.at > begun).expect("a script ran");
    let log = pair.host("beta").log();
    assert_eq!(log.matches("STONITH of alpha failed").count(), 2, "{log}");
    assert!(log.contains("node alpha now reset"), "{log}");
    shell::print(&format!("fenced and taken over {:.1} s after the power failure", first.at - begun));
}

fn a_dead_node_waits_for_a_person_with_meatware() {
    let Some(mut pair) = fenced("meatware alpha") else { return };
    pair.power_off("alpha");
    let beta = pair.host("beta");
    wait_until("the question to the operator", 20.0, || beta.log().contains("Resetting node alpha with"));
    let status = || {
        let said = beta.run(&format!("{} status", beta.program("latido")));
        String::from_utf8_lossy(&said.stdout).into_owned()
    };
    wait_until("the status saying so", 10.0, || status().contains("alpha must be fenced"));
    assert!(record::held(&beta.dir).is_empty(), "taken before anybody confirmed");
    wait_until("meatclient to be heard", 20.0, || beta.run("yes y | meatclient -c alpha").status.success());
    pair.settle(&[], &["ra", "rb"], 30.0);
}
