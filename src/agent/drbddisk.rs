//! `drbddisk[::RES]`: makes a DRBD resource primary here, and secondary again (`resources.md` 9); DRBD 8 and 9, through
//! `drbdadm`. No RES means all.
//!
//! A peer that died a moment ago still counts as connected and primary for DRBD: promotion is tried again until its own
//! timeouts are over. Every call is bounded, because `drbdadm` waits for the kernel, which may wait for a disk.

use std::path::Path;
use std::time::Duration;

use crate::clock::Clock;
use crate::haresources::Verb;
use crate::haresources::known::Drbd;

use super::program::{self, ProgramResult};
use super::{Answer, patience, pause};

/// Longer than the timeouts of DRBD's connection (6 s) and shorter than a script's.
const PROMOTE: Duration = Duration::from_secs(15);
/// As long as whoever had the disk open may take to close it.
const DEMOTE: Duration = Duration::from_secs(10);
/// One call of `drbdadm`.
const CALL: Duration = Duration::from_secs(10);
/// What no patience mends.
const HOPELESS: [&str; 3] = ["not defined in your config", "no resources defined", "Failed to modprobe"];
/// Between two attempts.
const PAUSE: Duration = Duration::from_millis(200);

pub(super) fn run(args: &[String], verb: Verb, limit: Option<Duration>, tell: &mut dyn FnMut(&str)) -> Answer {
    let named = match Drbd::read(args) {
        Ok(drbd) => drbd.resource,
        Err(fault) if verb == Verb::Start => return said(1, "").because(fault.to_string()),
        // What cannot be one was never made primary.
        Err(fault) if verb == Verb::Stop => return said(0, "").because(fault.to_string()),
        Err(fault) => return said(3, "stopped (Unconfigured)").because(fault.to_string()),
    };
    let resource = named.as_deref().unwrap_or("all");
    match verb {
        Verb::Start => until(patience(PROMOTE, limit), &["primary", resource], tell),
        Verb::Stop => until(patience(DEMOTE, limit), &["secondary", resource], tell),
        Verb::Status if named.is_none() => said(10, "A resource name is required for status inquiries."),
        Verb::Status => status(resource, patience(CALL, limit)),
    }
}

/// Scripts of DRBD say nothing but their exit code.
fn said(code: i32, words: &str) -> Answer {
    Answer { code, ..Answer::success().saying(words) }
}

fn until(limit: Duration, words: &[&str], tell: &mut dyn FnMut(&str)) -> Answer {
    let clock = Clock::start();
    let mut told = String::new();
    loop {
        let left = limit.saturating_sub(clock.mono().elapsed());
        let done = program::run_within("drbdadm", words, CALL.min(left.max(PAUSE)));
        let why = match done {
            Ok(done) if done.code == Some(0) => return said(0, ""),
            Ok(done) if HOPELESS.iter().any(|text| done.said.contains(text)) => {
                return said(1, "").because(format!("drbdadm {}: {}", words.join(" "), done.ending()));
            }
            Ok(done) => done.ending(),
            Err(why) => return said(1, "").because(why),
        };
        if why != told {
            tell(&format!("INFO: drbdadm {}: {why}", words.join(" ")));
            told.clone_from(&why);
        }
        if clock.mono().elapsed() + PAUSE >= limit {
            let (what, limit) = (words.join(" "), limit.as_secs());
            return said(1, "").because(format!("drbdadm {what} did not succeed within {limit} s: {why}"));
        }
        pause(PAUSE);
    }
}

fn status(resource: &str, limit: Duration) -> Answer {
    match program::run_within("drbdadm", &["role", resource], limit) {
        Ok(done) => judge(&done, is_loaded()),
        // No drbd-utils, no DRBD.
        Err(why) => said(3, "stopped (Unconfigured)").because(why),
    }
}

fn is_loaded() -> bool {
    Path::new("/proc/drbd").exists() || Path::new("/sys/module/drbd").exists()
}

/// `Primary/Secondary` of DRBD 8, `Primary` of 9, a line for each volume or resource.
fn judge(done: &ProgramResult, loaded: bool) -> Answer {
    let mut roles: Vec<&str> = done.words.lines().map(|line| line.split('/').next().unwrap_or("").trim()).collect();
    roles.retain(|role| !role.is_empty());
    roles.dedup();
    let unknown = ["not defined in your config", "No such resource", "no resources defined", "Unknown resource"];
    let unconfigured = !loaded || unknown.iter().any(|text| done.said.contains(text));
    let shown = roles.join(", ");
    match roles.as_slice() {
        ["Primary"] => said(0, "running (Primary)"),
        [role @ ("Secondary" | "Unconfigured")] => said(3, &format!("stopped ({role})")),
        [] if unconfigured => said(3, "stopped (Unconfigured)").because(done.ending()),
        [] => said(4, "cannot determine status, may be running (Unknown)").because(done.ending()),
        several
            if !several.contains(&"Primary")
                && several.iter().all(|role| ["Secondary", "Unconfigured"].contains(role)) =>
        {
            said(3, &format!("stopped ({shown})"))
        }
        _ => said(4, &format!("cannot determine status, may be running ({shown})")),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn role(words: &str) -> (i32, String) {
        let done = ProgramResult { code: Some(0), words: words.to_owned(), said: words.to_owned() };
        let answer = judge(&done, true);
        (answer.code, answer.words)
    }

    #[test]
    fn roles_of_both_versions_and_of_several_volumes_are_read() {
        for running in ["Primary/Secondary\n", "Primary/Unknown", "Primary\n", "Primary/Secondary\nPrimary/Secondary\n"]
        {
            assert_eq!(role(running), (0, "running (Primary)".into()), "{running}");
        }
        for stopped in ["Secondary/Primary\n", "Secondary", "Secondary\nSecondary\n"] {
            assert_eq!(role(stopped), (3, "stopped (Secondary)".into()), "{stopped}");
        }
        assert_eq!(role("Unconfigured\n"), (3, "stopped (Unconfigured)".into()));
        assert_eq!(role("Secondary\nUnconfigured").0, 3);
        for unclear in ["Unknown", "", "Primary\nSecondary\n", "weird"] {
            assert_eq!(role(unclear).0, 4, "{unclear}");
        }
    }

    #[test]
    fn what_was_never_configured_is_stopped() {
        let said = "'r9' not defined in your config (for this host).\n";
        let done = |said: &str| ProgramResult { code: Some(1), words: String::new(), said: said.to_owned() };
        assert_eq!(judge(&done(said), true).code, 3);
        assert_eq!(judge(&done("Failed to modprobe drbd"), false).code, 3);
        assert_eq!(judge(&done("Command 'drbdsetup role r0' terminated with exit code 20"), true).code, 4);
    }

    proptest! {
        #[test]
        fn nothing_without_primary_is_running(words in "[A-Z][a-z/\n ]{0,30}") {
            prop_assert!(words.contains("Primary") || role(&words).0 != 0);
        }
    }
}
