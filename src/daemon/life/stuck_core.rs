//! A core process without a supervisor, as the next daemon finds it (`systemd.md` 2): one that works gets itself another
//! supervisor within a second; one that stands still would keep everybody from its resources for ever, and is killed.

use std::fs;
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::daemon::writing::logging::Log;
use crate::host::pidfile::{self, Holder, is_still, without_supervisor};
use crate::paths::Paths;

/// How long a core may stand still where no service manager says how long.
const PATIENCE: Duration = Duration::from_secs(10);
const LOOK: Duration = Duration::from_millis(100);

/// Waits until a core that has no supervisor has one again or has ended, or kills it when it stands still for as long as
/// the service manager would bear (`limit`). Counted in looks: the whole machine may stand still.
pub(crate) fn await_it(paths: &Paths, holder: Holder, limit: Option<Duration>, log: &Log) {
    let Some(core) = holder.core else { return };
    let looks = limit.unwrap_or(PATIENCE).as_millis() / LOOK.as_millis();
    let before = turns(core);
    for _ in 0..looks {
        let is_alone = without_supervisor(&paths.pid_file).is_ok_and(|found| found == Some(holder));
        if !is_still(core) || turns(core) != before || !is_alone {
            return;
        }
        pause();
    }
    if before.is_some() {
        log.error(format!(
            "the core process (pid {core}) of a daemon without a supervisor does not move any more: it is killed, and what \
             it ran is taken up"
        ));
        // It may have ended this moment.
        let _ = pidfile::signal(core, Signal::SIGKILL);
    }
}

/// How often a process has given up a processor: one whose loop turns does so several times a second. `None` when it
/// cannot be seen.
fn turns(pid: i32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let counts = status.lines().filter_map(|line| line.split_once("voluntary_ctxt_switches:"));
    let counts: Vec<u64> = counts.filter_map(|(_, count)| count.trim().parse().ok()).collect();
    (counts.len() == 2).then(|| counts.iter().fold(0_u64, |sum, count| sum.saturating_add(*count)))
}

#[allow(clippy::disallowed_methods, reason = "the end of a process that is not our child cannot be awaited")]
fn pause() {
    std::thread::sleep(LOOK);
}
