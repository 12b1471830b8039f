//! What daemons write with `--record`: played again it says what their logs say. With `LATIDO_LIVE_RECORDS=DIR` the
//! records are left there; `tests/replay` was filled so.

use std::fs;
use std::path::Path;

use nix::sys::signal::Signal;

use super::runner::{Pace, Test};
use super::support::config::{Kind, Plan};
use super::support::host::Host;
use super::support::pair::Pair;
use super::support::record::held;
use super::support::shell;

pub(crate) const TESTS: &[Test] = crate::tests!(
    false,
    Pace::Together,
    [
        a_record_on_a_full_disk_ends_once_and_the_daemon_goes_on,
        a_record_that_is_a_link_is_refused_and_the_daemon_runs,
        the_record_of_a_takeover_after_power_off_says_what_the_log_says,
        a_killed_daemon_its_successor_and_the_next_program_fill_one_record
    ]
);
pub(crate) const MIXED: &[Test] =
    crate::tests!(true, Pace::Together, [the_record_of_a_node_beside_a_real_one_says_what_the_log_says]);

/// Inside the host.
const RECORD: &str = "/var/log/record";

fn the_record_of_a_takeover_after_power_off_says_what_the_log_says() {
    let mut pair = recorded(&slow(Kind::Latido, Kind::Latido));
    pair.power_off("alpha");
    pair.settle(&[], &["ra", "rb", "rc", "rd"], 20.0);
    pair.power_on("alpha");
    pair.host("alpha").start();
    pair.settle(&["ra", "rb"], &["rc", "rd"], 30.0);
    stop(&pair, "beta");
    let played = check(pair.host("beta"), "power_off");
    assert!(played.contains("node alpha: is dead"), "{played}");
}

fn the_record_of_a_node_beside_a_real_one_says_what_the_log_says() {
    let mut pair = recorded(&slow(Kind::Real, Kind::Latido));
    let standby = format!("{} standby all", pair.host("beta").program("latido"));
    assert!(pair.host("beta").run(&standby).status.success());
    pair.settle(&["ra", "rb", "rc", "rd"], &[], 20.0);
    pair.power_off("alpha");
    pair.settle(&[], &["ra", "rb", "rc", "rd"], 20.0);
    stop(&pair, "beta");
    let played = check(pair.host("beta"), "beside_heartbeat");
    assert!(played.contains("standby"), "{played}");
}

fn a_killed_daemon_its_successor_and_the_next_program_fill_one_record() {
    let pair = recorded(&slow(Kind::Latido, Kind::Latido));
    let core = pair.host("beta").core().expect("a daemon that runs");
    Host::send(&[core], Signal::SIGKILL);
    pair.await_log("beta", 0, "back in time: holding what ran already", 10.0);
    pair.stable("beta", 10.0);
    let beta = pair.host("beta");
    let upgrade = beta.run(&format!("{} daemon --upgrade", beta.program("latido")));
    assert!(upgrade.status.success(), "{}", shell::said(&upgrade));
    pair.stable("beta", 10.0);
    assert_eq!(held(&beta.dir), ["rc", "rd"]);
    stop(&pair, "beta");
    let played = check(pair.host("beta"), "killed");
    let lives: Vec<&str> = played.lines().filter(|line| line.contains("beta starts, latido")).collect();
    let ends: Vec<bool> = lives.iter().map(|line| line.ends_with("back in time after its death")).collect();
    assert_eq!(ends, [false, true, true], "{played}");
}

fn a_record_on_a_full_disk_ends_once_and_the_daemon_goes_on() {
    let pair = Pair::new(&Plan::new(Kind::Latido, Kind::Latido));
    let small = pair.host("beta").run("mkdir /run/small && mount -t tmpfs -o size=16k small /run/small");
    assert!(small.status.success(), "{}", shell::said(&small));
    start_recording(&pair, "/run/small/record");
    pair.await_log("beta", 0, "No space left on device", 20.0);
    pair.nothing_moves_for(2.0);
    let log = pair.host("beta").log();
    assert_eq!(
        log.matches("/run/small/record: No space left on device (os error 28): the record ends here").count(),
        1
    );
    let played = pair.host("beta").run(&format!("{} replay /run/small/record", pair.host("beta").program("latido")));
    assert!(played.status.success(), "{}", shell::said(&played));
}

fn a_record_that_is_a_link_is_refused_and_the_daemon_runs() {
    let pair = Pair::new(&Plan::new(Kind::Latido, Kind::Latido));
    let linked = pair.host("beta").run("echo precious >/run/precious && ln -s /run/precious /var/log/record");
    assert!(linked.status.success(), "{}", shell::said(&linked));
    start_recording(&pair, RECORD);
    pair.await_log("beta", 0, "it is a symbolic link; name the file itself: nothing is recorded", 5.0);
    assert_eq!(pair.host("beta").run("cat /run/precious").stdout, b"precious\n");
}

/// Few heartbeats, so that a record is short.
fn slow(alpha: Kind, beta: Kind) -> Plan {
    Plan::new(alpha, beta).timed(500, 2000)
}

/// Both daemons up and their groups at home; beta's is a Latido that writes down what happens.
fn recorded(plan: &Plan) -> Pair {
    let pair = Pair::new(plan);
    start_recording(&pair, RECORD);
    pair
}

/// The file is named as seen from the directory of its log: a daemon in the background stands elsewhere.
fn start_recording(pair: &Pair, path: &str) {
    let beta = pair.host("beta");
    let output = beta.run(&format!("cd /var/log && LATIDO_RECORD=../..{path} {}", beta.program("heartbeat")));
    assert!(output.status.success(), "{}", shell::said(&output));
    pair.host("alpha").start();
    pair.settle(&["ra", "rb"], &["rc", "rd"], 30.0);
}

fn stop(pair: &Pair, name: &str) {
    let ended = pair.host(name).stop().wait().expect("heartbeat -k runs");
    assert!(ended.success(), "{name} does not stop: {ended}");
}

/// The first line the log makes of a report: the original's phrase alone, a script with its path.
fn in_the_log(report: &str) -> String {
    if let Some((agent, words)) = report.strip_prefix("info: Running ").and_then(|call| call.split_once(' ')) {
        let (arguments, verb) = words.rsplit_once(' ').unwrap_or(("", words));
        return format!("info: Running /etc/ha.d/resource.d/{agent} {arguments} {verb}");
    }
    if report.starts_with("info: Going standby ") {
        return report.replacen("info: ", "", 1);
    }
    let phrases = [": is dead", "No STONITH device configured.", "Both machines own our resources!"];
    match phrases.iter().find_map(|phrase| Some(report.find(phrase)? + phrase.len())) {
        Some(end) => report[..end].to_owned(),
        None => report.to_owned(),
    }
}

/// Plays the record; every report it leads to stands in the log, in order. Returns the transcript.
fn check(host: &Host, name: &str) -> String {
    let played = host.run(&format!("{} replay {RECORD}", host.program("latido")));
    assert!(played.status.success(), "{}", shell::said(&played));
    let played = String::from_utf8_lossy(&played.stdout).into_owned();
    let log = host.log();
    let mut rest = log.as_str();
    let mut reports = 0;
    for report in played.lines().filter_map(|line| Some(line.split_once(" report  ")?.1)) {
        let line = in_the_log(report);
        rest = rest.split_once(&line).unwrap_or_else(|| panic!("{line:?} is not in the log\n{log}\n{played}")).1;
        reports += 1;
    }
    assert!(reports > 10 && !played.contains("decides otherwise"), "{played}");
    let record = fs::read_to_string(host.dir.join("log/record")).expect("the record");
    assert!(!record.contains("Secret"), "a key is in the record");
    if let Some(dir) = std::env::var_os("LATIDO_LIVE_RECORDS") {
        fs::write(Path::new(&dir).join(name).with_extension("jsonl"), record).expect("a record for tests/replay");
    }
    played
}
