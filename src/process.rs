//! Processes by their number: whether one is alive. Who must not be mistaken for a later one of the same number is held
//! by more than it (`host/process.rs`).

use std::fs;

use nix::errno::Errno;
use nix::sys::signal::kill;
use nix::unistd::Pid;

/// Whether there is such a process, and it has not ended: one that only waits to be reaped is not alive.
pub fn is_alive(pid: impl TryInto<i32>) -> bool {
    // 0 and below mean groups, and everybody.
    let Some(pid) = pid.try_into().ok().filter(|pid| *pid > 0) else { return false };
    match kill(Pid::from_raw(pid), None) {
        Err(Errno::ESRCH) => false,
        Ok(()) | Err(_) => !has_ended(pid),
    }
}

fn has_ended(pid: i32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // Its name, in brackets, may hold anything.
    stat.rsplit_once(')').is_some_and(|(_, rest)| rest.trim_start().starts_with(['Z', 'X']))
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use nix::sys::wait::{Id, WaitPidFlag, waitid};

    use super::*;

    #[test]
    fn a_process_is_alive_until_it_ends_and_not_until_somebody_notices() {
        let mut child = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
        assert!(is_alive(child.id()) && is_alive(std::process::id()));
        drop(child.stdin.take());
        // It has ended, and is not reaped yet.
        let pid = Pid::from_raw(child.id().cast_signed());
        waitid(Id::Pid(pid), WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT).unwrap();
        assert!(!is_alive(child.id()));
        child.wait().unwrap();
        assert!(!is_alive(child.id()));
    }

    #[test]
    fn numbers_that_mean_groups_or_nobody_are_no_process() {
        assert!(!is_alive(0) && !is_alive(-1) && !is_alive(u32::MAX));
    }
}
