//! `latido lab` as a person runs it: the whole story, the scenarios of trouble, the shell. Where the kernel allows no
//! namespaces it says so and passes.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

use std::io::Write as _;
use std::process::{Command, Output, Stdio};
use std::sync::{Mutex, PoisonError};

use latido::cluster::EventName;

const LATIDO: &str = env!("CARGO_BIN_EXE_latido");

/// A lab measures time: two at once on two processors disturb each other.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// The lab's exit code on a machine that stood still.
const NOT_JUDGED: i32 = 3;
/// So often a machine may stand still for too long.
const TRIES: usize = 2;

/// `None` where there can be no lab, or where the machine cannot judge what it played.
fn lab(words: &[&str]) -> Option<String> {
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let mut played = (0..TRIES).map(|_| Command::new(LATIDO).arg("lab").args(words).output().unwrap());
    let Some(judged) = played.find(|output| output.status.code() != Some(NOT_JUDGED)) else {
        eprintln!("not tested: this machine stood still for too long, {TRIES} times");
        return None;
    };
    said(judged, words)
}

fn said(output: Output, words: &[&str]) -> Option<String> {
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    if output.status.code() == Some(2) {
        eprintln!("not tested: {text}");
        return None;
    }
    assert!(output.status.success(), "latido lab {words:?}: {}\n{text}", output.status);
    Some(text)
}

fn table_has(text: &str, rows: &[&str]) {
    // The last one: a machine that stood still plays twice.
    let table = text.rsplit_once("outage at the client").map_or("", |(_, table)| table);
    for row in rows {
        assert!(table.lines().any(|line| line.trim_start().starts_with(row)), "no row {row} in\n{text}");
    }
}

#[test]
fn the_whole_story_ends_well_and_a_table_tells_it() {
    let Some(text) = lab(&[]) else { return };
    table_has(
        &text,
        &[
            "cold start of both",
            "heartbeats",
            "client cable of the owner pulled (eth0)",
            "power-off of the owner",
            "return",
            "hand-over",
            "graceful stop",
            "partition",
        ],
    );
}

#[test]
fn a_pair_of_old_files_is_played() {
    let config = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/config/asterisk");
    let Some(text) = lab(&["--config", config, "--scenario", "power-off"]) else { return };
    table_has(&text, &["power-off of the owner"]);
    assert!(text.contains("asterisk1") && text.contains("recorders stand in for"), "{text}");
}

/// Files of a pair with a null-modem cable, and what more `ha.cf` says.
fn files(more: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let ha_cf = "logfacility none\nkeepalive 200ms\ndeadtime 1\ninitdead 3\nserial /dev/ttyS0\nbcast eth1\n\
                 node left right\n";
    std::fs::write(dir.path().join("ha.cf"), ha_cf.to_owned() + more).unwrap();
    std::fs::write(dir.path().join("haresources"), "left 192.168.7.10/24/eth0 web\nright mail\n").unwrap();
    std::fs::write(dir.path().join("authkeys"), "auth 1\n1 sha1 a-key\n").unwrap();
    dir
}

fn pulled(files: &tempfile::TempDir) -> Option<String> {
    let text = lab(&["--config", files.path().to_str().unwrap(), "--scenario", "client-cable"])?;
    let table = text.rsplit_once("outage at the client").map_or("", |(_, table)| table).to_owned();
    assert!(table.contains("client cable of the owner pulled (eth0)"), "{text}");
    Some(table)
}

#[test]
fn a_client_cable_that_is_pulled_waits_for_somebody_unless_ipfail_counts_ping_hosts() {
    let Some(table) = pulled(&files("auto_failback on\nping 192.168.7.254\n")) else { return };
    assert!(table.contains("until somebody notices") && table.contains("there is no ipfail in ha.cf"), "{table}");
    // Where the package had it, and whoever may run it; a group of hosts on two networks.
    let ipfail = "auto_failback off\nping_group routers 192.168.7.254 10.9.9.9\ndeadping 1200ms\n\
                  respawn hacluster /usr/lib64/heartbeat/ipfail\n";
    let Some(table) = pulled(&files(ipfail)) else { return };
    assert!(table.contains("ipfail gave up after") && !table.contains("until somebody"), "{table}");
    // Nobody lets root sign on as ipfail.
    let root = ipfail.replace("hacluster", "root");
    let Some(table) = pulled(&files(&root)) else { return };
    assert!(table.contains("until somebody notices") && table.contains("ipfail runs as root"), "{table}");
}

#[test]
#[ignore = "half a minute, as root, with the package heartbeat: cargo test --test lab_commands -- --ignored"]
fn beside_an_original_the_clients_of_a_pulled_cable_are_served_by_whichever_node_sees_its_ping_host() {
    for node in ["alpha", "beta"] {
        let Some(text) = lab(&["--original", node, "--scenario", "client-cable"]) else { return };
        table_has(&text, &["client cable of the owner pulled (eth0)"]);
        assert!(text.contains("ipfail gave up after"), "{text}");
    }
}

#[test]
fn services_scripts_and_the_daemon_may_fail() {
    for (scenario, row, speed) in [
        ("dead-service", "service dead again", "1"),
        ("failing-start", "start fails on the other node", "1"),
        ("hanging-stop", "stop hangs", "1"),
        // A deadtime of 2 s: also a machine that is busy has the core back before that.
        ("killed-core", "core killed three times", "0.25"),
    ] {
        let Some(text) = lab(&["--scenario", scenario, "--speed", speed]) else { return };
        table_has(&text, &[row]);
    }
}

#[test]
fn a_fence_that_fails_three_times_holds_the_takeover_up() {
    let Some(text) = lab(&["--scenario", "stuck-fence"]) else { return };
    table_has(&text, &["power-off, fence stuck"]);
    assert!(text.contains("must be fenced before its groups are taken over"), "{text}");
}

#[test]
fn faults_by_chance_break_no_promise() {
    let Some(text) = lab(&["--random", "18", "--seed", "1"]) else { return };
    assert!(text.contains("all is mended"), "{text}");
    // Nothing is kept of a run in which all went well.
    assert!(!text.contains("latido replay FILE"), "{text}");
}

#[test]
fn json_is_one_object_a_line() {
    let Some(text) = lab(&["--json", "--scenario", "hand-over", "--speed", "1"]) else { return };
    for line in text.lines() {
        let value: serde_json::Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        assert!(value.is_object(), "{line}");
    }
}

#[test]
fn after_a_takeover_why_names_its_cause_and_events_can_be_parsed_even_when_the_daemon_was_restarted() {
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let mut shell = Command::new(LATIDO);
    shell.args(["lab", "--shell"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut shell = shell.spawn().unwrap();
    let mut keys = shell.stdin.take().unwrap();
    // The lab reads a line when it has done the one before; a word waits for the nodes to be settled.
    let typed = "settle\nkill alpha\nsettle\nrun beta why\nstop beta\nstart beta\nsettle\nrun beta why\n\
                 run beta events --json\nrun beta status\nquit\n";
    // Who may not have a lab reads nothing.
    let _ = keys.write_all(typed.as_bytes());
    drop(keys);
    let Some(text) = said(shell.wait_with_output().unwrap(), &["--shell"]) else { return };
    let causes = text.lines().filter(|line| line.contains("because alpha was dead: silent for")).count();
    assert!(causes >= 1, "{text}");
    let calls = text.lines().filter(|line| line.contains("service start") && line.contains(" ms ")).count();
    assert!(calls >= 1, "{text}");
    let events = text.lines().filter_map(|line| line.find('{').map(|at| &line[at..]));
    let events: Vec<serde_json::Value> = events.map(|json| serde_json::from_str(json).expect("an event")).collect();
    let kinds: Vec<_> = events.iter().filter_map(|event| event["event"].as_str()).collect();
    assert!(kinds.len() > 10 && kinds.contains(&EventName::Script.name()), "{kinds:?}\n{text}");
}
