//! A disk that hangs: logs, journal and notes of one node lie on a filesystem of its own that takes no write for a while.

use std::io::Read as _;
use std::process::{Child, Stdio};

use super::runner::{Pace, Test};
use super::support::Kind::Latido;
use super::support::clock::{epoch, instant, pass, secs, wait_until};
use super::support::host::Host;
use super::support::pair::Pair;
use super::support::{Plan, shell};
use crate::tests;

/// The tests of this file.
pub(crate) const TESTS: &[Test] = tests!(
    false,
    Pace::Together,
    [
        a_disk_that_hangs_for_three_deadtimes_holds_up_no_heartbeat_and_moves_nothing,
        scripts_that_are_run_while_the_disk_of_their_log_hangs_hold_up_no_heartbeat,
    ]
);

const DEADTIME: f64 = 1.0;

fn a_disk_that_hangs_for_three_deadtimes_holds_up_no_heartbeat_and_moves_nothing() {
    let plan = Plan::new(Latido, Latido);
    let pair = Pair::new(&plan);
    let host = pair.host("alpha");
    if let Err(why) = give_it_a_disk_of_its_own(host) {
        return shell::print(&format!("not tested, no filesystem can be mounted from a file: {why}"));
    }
    // Each message is a line of it.
    host.add_to_ha_cf("debug 2\ndebugfile /var/lib/heartbeat/ha-debug\n");
    pair.start_both();
    pair.settle(&["ra", "rb"], &["rc", "rd"], 30.0);
    pass(secs(DEADTIME));
    let lines = || host.run("wc -l </var/lib/heartbeat/ha-debug");
    let before = count(&lines().stdout);

    let (from, begun) = (epoch(), instant());
    let mut hanging = freeze(host, 3.0 * DEADTIME);
    pair.nothing_moves_for(3.0 * DEADTIME - begun.elapsed().as_secs_f64() - 0.2);
    let still_hangs = hanging.try_wait().expect("our child").is_none();
    let until = epoch();
    assert!(hanging.wait().expect("our child").success(), "the disk was not thawed");
    assert!(still_hangs, "the disk did not hang for so long");

    let beats = beaten_on(&pair, from, until);
    // What was said meanwhile is not lost.
    wait_until("the lines of that time", 5.0, || count(&lines().stdout) > before + beats);
    let text = host.run("cat /var/lib/heartbeat/ha-debug").stdout;
    assert!(!String::from_utf8_lossy(&text).contains("are missing here"), "lines are missing");
    pair.both_active(2.0);
    pair.assert_never_double();
}

/// The log was rotated away: whoever opens it has to make it, and that hangs.
fn scripts_that_are_run_while_the_disk_of_their_log_hangs_hold_up_no_heartbeat() {
    let plan = Plan::new(Latido, Latido);
    let pair = Pair::new(&plan);
    let host = pair.host("alpha");
    if let Err(why) = give_it_a_disk_of_its_own(host) {
        return shell::print(&format!("not tested, no filesystem can be mounted from a file: {why}"));
    }
    host.add_to_ha_cf("debugfile /var/lib/heartbeat/ha-debug\n");
    // Each time the standard error of a script is the log.
    std::fs::write(host.dir.join("ha.d/latido.cf"), "monitor * 200ms failures 1000\n").expect("latido.cf");
    pair.start_both();
    pair.settle(&["ra", "rb"], &["rc", "rd"], 30.0);
    pass(secs(DEADTIME));
    let gone = host.run("rm /var/lib/heartbeat/ha-debug");
    assert!(gone.status.success(), "{}", shell::said(&gone));

    let (from, begun) = (epoch(), instant());
    let mut hanging = freeze(host, 3.0 * DEADTIME);
    pass(secs(3.0 * DEADTIME - begun.elapsed().as_secs_f64() - 0.2));
    let still_hangs = hanging.try_wait().expect("our child").is_none();
    let until = epoch();
    assert!(hanging.wait().expect("our child").success(), "the disk was not thawed");
    assert!(still_hangs, "the disk did not hang for so long");
    beaten_on(&pair, from, until);
    wait_until("the log to be there again", 5.0, || host.run("test -e /var/lib/heartbeat/ha-debug").status.success());
    pair.both_active(2.0);
    pair.assert_never_double();
}

/// Alpha's heartbeats of that time, of which none was late.
fn beaten_on(pair: &Pair, from: f64, until: f64) -> usize {
    let beats: Vec<f64> = pair.tap.beats("alpha").into_iter().filter(|at| (from..until).contains(at)).collect();
    let gap = beats.windows(2).map(|two| two[1] - two[0]).fold(0.0, f64::max);
    assert!(beats.len() > 10 && gap < 0.4, "{} beats, a gap of {gap:.3} s at keepalive 200 ms", beats.len());
    assert!(!pair.host("beta").log().contains("is dead"), "{}", pair.host("beta").log());
    beats.len()
}

fn count(printed: &[u8]) -> usize {
    String::from_utf8_lossy(printed).trim().parse().unwrap_or(0)
}

/// A small filesystem in a file, in place of `/var/lib/heartbeat`; it goes with the host.
fn give_it_a_disk_of_its_own(host: &Host) -> Result<(), String> {
    let image = host.dir.join("disk").display().to_string();
    let made = host
        .run(&format!("truncate -s 16M {image} && mkfs.ext4 -q {image} && mount -o loop {image} /var/lib/heartbeat"));
    if made.status.success() { Ok(()) } else { Err(shell::said(&made)) }
}

/// Lets every write to that filesystem wait for so long. Who thaws it lives outside the host and outlives this program, so
/// that whatever becomes of both nothing stays frozen. Returns once it hangs.
fn freeze(host: &Host, seconds: f64) -> Child {
    let mut command = shell::clean("nsenter");
    let what =
        format!("fsfreeze -f /var/lib/heartbeat && echo frozen; sleep {seconds}; fsfreeze -u /var/lib/heartbeat");
    command.args(["-t", &host.init().to_string(), "-m", "--", "setsid", "-w", "sh", "-c", &what]);
    let mut child = command.stdout(Stdio::piped()).spawn().expect("nsenter is part of util-linux");
    let mut said = [0; 6];
    child.stdout.as_mut().expect("its output").read_exact(&mut said).expect("fsfreeze is part of util-linux");
    assert_eq!(&said, b"frozen");
    child
}
