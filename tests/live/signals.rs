//! Every signal there is, sent to the original's master process and to our two (`config.md` 7, `resources.md` 5.3): what
//! ends no heartbeat of the original's ends none of ours.

use std::fs;

use super::runner::{Pace, Test};
use super::support::clock::wait_until;
use super::support::host::Host;
use super::support::{Kind, Pair, Plan};
use crate::tests;

/// The tests of this file.
pub(crate) const TESTS: &[Test] =
    tests!(true, Pace::Unhurried, [no_signal_ends_a_latido_that_does_not_end_the_original]);

/// What a signal does to a daemon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Does {
    /// No harm: it is ignored, or heard.
    Nothing,
    /// All is released, and the daemon ends.
    Leaves,
    /// The process waits for a SIGCONT.
    Stops,
    /// The process ends at once. Of ours the other one goes on, and gets itself another.
    Dies,
}
use Does::{Dies, Leaves, Nothing, Stops};

/// The name, the number, what it does to the original's master process and to each of ours.
const TABLE: [(&str, i32, Does, Does); 33] = [
    ("HUP: reread the files", 1, Nothing, Nothing),
    ("INT", 2, Nothing, Nothing),
    ("QUIT", 3, Dies, Dies),
    ("ILL", 4, Dies, Dies),
    ("TRAP", 5, Dies, Dies),
    ("ABRT", 6, Dies, Dies),
    ("BUS", 7, Dies, Dies),
    ("FPE", 8, Dies, Dies),
    ("KILL", 9, Dies, Dies),
    ("USR1: more debugging", 10, Nothing, Nothing),
    ("SEGV", 11, Dies, Dies),
    ("USR2: less debugging", 12, Nothing, Nothing),
    ("PIPE", 13, Nothing, Nothing),
    ("ALRM: an ERROR line", 14, Nothing, Nothing),
    ("TERM: leave", 15, Leaves, Leaves),
    ("STKFLT", 16, Dies, Dies),
    ("CHLD", 17, Nothing, Nothing),
    ("CONT", 18, Nothing, Nothing),
    ("STOP", 19, Stops, Stops),
    // In the background, where nobody could continue it.
    ("TSTP", 20, Nothing, Nothing),
    ("TTIN", 21, Nothing, Nothing),
    ("TTOU", 22, Nothing, Nothing),
    // Ours makes room for the program that is installed now.
    ("URG", 23, Nothing, Nothing),
    ("XCPU", 24, Dies, Dies),
    ("XFSZ", 25, Dies, Dies),
    ("VTALRM", 26, Dies, Dies),
    ("PROF", 27, Dies, Dies),
    ("WINCH", 28, Nothing, Nothing),
    ("IO", 29, Dies, Dies),
    ("PWR", 30, Dies, Dies),
    ("SYS", 31, Dies, Dies),
    ("RTMIN", 34, Dies, Dies),
    ("RTMAX", 64, Dies, Dies),
];

const TERM: i32 = 15;
const URG: i32 = 23;
const ALRM: i32 = 14;
/// Sent to make sure of what the kernel says of them all.
const DEADLY: [i32; 4] = [3, 26, 30, 34];

/// What the kernel will do to a process at a signal, going by what that ignores, holds back and catches.
fn fate(pid: u32, signal: i32) -> Does {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("a process of a daemon");
    let set = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("a mask of signals");
        u64::from_str_radix(line.trim(), 16).expect("a number") >> (signal - 1) & 1 == 1
    };
    match signal {
        TERM => Leaves,
        17 | 18 | 23 | 28 => Nothing,
        // Caught, to say that a stack was too small; and then let go.
        7 | 11 => Dies,
        _ if set("SigIgn:") || set("SigCgt:") || set("SigBlk:") => Nothing,
        // Without anybody in its session that could continue it, the kernel does not stop it.
        20 => Nothing,
        19 | 21 | 22 => Stops,
        _ => Dies,
    }
}

/// The letter `ps` shows for a process; none when it is gone.
fn state(pid: u32) -> Option<char> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(')')?.1.trim_start().chars().next()
}

fn send(pid: u32, signal: i32) {
    // Not every number has a name in the library.
    let status = std::process::Command::new("kill").args([&format!("-{signal}"), &pid.to_string()]).status();
    assert!(status.expect("kill is part of procps").success(), "signal {signal} to {pid}");
}

/// How often a daemon has said this.
fn count(host: &Host, text: &str) -> usize {
    host.log().matches(text).count()
}

fn no_signal_ends_a_latido_that_does_not_end_the_original() {
    let pair = Pair::running(&Plan::new(Kind::Real, Kind::Latido));
    pair.both_active(20.0);
    let (real, ours) = (pair.host("alpha"), pair.host("beta"));
    let master = real.daemon().expect("a master process");
    let (supervisor, core) = (ours.daemon().expect("a supervisor"), ours.core().expect("a core"));
    let all = TABLE.iter().map(|row| row.1).chain(35..64);
    for signal in all {
        let row = TABLE.iter().rfind(|row| row.1 <= signal).expect("a row");
        let found = [master, supervisor, core].map(|pid| fate(pid, signal));
        assert_eq!(found, [row.2, row.3, row.3], "{} ({signal})", row.0);
    }
    for (name, signal, _, _) in TABLE.iter().filter(|row| row.2 == Nothing && row.1 != URG) {
        for (host, pid) in [(real, master), (ours, supervisor), (ours, core)] {
            let alarms = count(host, "ERROR: Unexpected alarm in process");
            send(pid, *signal);
            if *signal == ALRM {
                wait_until("a word about the alarm", 10.0, || {
                    count(host, "ERROR: Unexpected alarm in process") > alarms
                });
            }
            let state = state(pid);
            assert!(
                state.is_some_and(|state| !"TZX".contains(state)),
                "{name} to pid {pid} of {}: {state:?}",
                host.name
            );
        }
    }
    pair.nothing_moves_for(1.5);
    pair.both_active(10.0);
    let now = (real.daemon(), ours.daemon(), ours.core());
    assert_eq!(now, (Some(master), Some(supervisor), Some(core)), "the same processes as before");

    // The next program, with the same supervisor.
    send(supervisor, URG);
    wait_until("another core", 20.0, || ours.core().is_some_and(|now| now != core));
    for signal in DEADLY {
        let (supervisor, core) = (ours.daemon().expect("a supervisor"), ours.core().expect("a core"));
        send(core, signal);
        wait_until("another core", 10.0, || ours.core().is_some_and(|now| now != core));
        send(supervisor, signal);
        wait_until("another supervisor", 10.0, || ours.daemon().is_some_and(|now| now != supervisor));
    }
    pair.nothing_moves_for(1.5);
    // It goes on as ever; the original does not.
    send(master, DEADLY[0]);
    wait_until("the end of the original", 10.0, || state(master).is_none_or(|state| "ZX".contains(state)));
    assert!(ours.core().is_some());
}
