//! Processes by more than their number, which another one has some day: when they were started, and a handle of the
//! kernel's (pidfd) through which a signal reaches the one that was looked at, or nobody.

use std::fs;
use std::os::fd::{AsFd as _, OwnedFd};

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;

use crate::sys;

/// A process that cannot be confused with a later one of the same number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Process {
    /// Its number, and that of its process group.
    pub pid: i32,
    /// When it was started, in clock ticks since boot.
    pub start: u64,
}

impl Process {
    /// A process that runs now; `None` when it is gone already.
    pub(crate) fn running(pid: u32) -> Option<Process> {
        let pid = i32::try_from(pid).ok()?;
        Some(Process { pid, start: start_of(pid)? })
    }

    /// Whether it still runs, and is not merely waiting to be reaped (a zombie).
    pub(crate) fn is_alive(self) -> bool {
        start_of(self.pid) == Some(self.start) && crate::process::is_alive(self.pid)
    }

    /// Sends it a signal on behalf of a user, who can have it sent only where it could send it itself: a program it
    /// started may run for root by now.
    pub(crate) fn signal_for(self, user: u32, signal: Signal) {
        if let Ok(process) = ProcessHandle::open(self.pid)
            && self.is_alive()
            && (user == 0 || users_of(self.pid).contains(&user))
        {
            // It may have ended, or not want it.
            let _ = process.signal(signal);
        }
    }

    /// Sends its process group a signal, unless it was reaped: then the number may be another group's.
    pub(crate) fn signal_group(self, signal: Signal) {
        if let Ok(process) = ProcessHandle::open(self.pid)
            && start_of(self.pid) == Some(self.start)
        {
            process.signal_group(signal);
        }
    }
}

/// This run of this machine: another boot, or another container, is another.
pub(crate) fn boot_id() -> String {
    let id = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    format!("{} {}", id.trim(), start_of(1).unwrap_or(0))
}

/// A process that is held on to.
#[derive(Debug)]
pub(crate) struct ProcessHandle {
    pid: Pid,
    /// `None` before Linux 5.3, where there are none, or where no descriptor is left.
    handle: Option<OwnedFd>,
}

impl ProcessHandle {
    /// Takes hold of a process.
    ///
    /// # Errors
    /// `ESRCH`: there is none.
    pub(crate) fn open(pid: i32) -> Result<ProcessHandle, Errno> {
        // 0 and below mean groups, and everybody.
        if pid < 1 {
            return Err(Errno::ESRCH);
        }
        match sys::open_process(pid) {
            Ok(handle) => Ok(ProcessHandle { pid: Pid::from_raw(pid), handle: Some(handle) }),
            Err(error) if error.raw_os_error() == Some(libc::ESRCH) => Err(Errno::ESRCH),
            Err(_) => Ok(ProcessHandle { pid: Pid::from_raw(pid), handle: None }),
        }
    }

    /// Sends it a signal.
    ///
    /// # Errors
    /// `ESRCH` when it has ended, `EPERM`.
    pub(crate) fn signal(&self, signal: Signal) -> Result<(), Errno> {
        let Some(handle) = &self.handle else { return kill(self.pid, signal) };
        match sys::signal_process(handle.as_fd(), signal as i32) {
            Err(error) if error.raw_os_error() == Some(libc::ENOSYS) => kill(self.pid, signal),
            result => result.map_err(|error| Errno::from_raw(error.raw_os_error().unwrap_or(libc::EINVAL))),
        }
    }

    fn signal_group(&self, signal: Signal) {
        let sent = self.handle.as_ref().map(|handle| sys::signal_process_group(handle.as_fd(), signal as i32));
        // Before Linux 6.9 by number; it was looked at a moment ago.
        let by_number = match &sent {
            None => true,
            Some(Ok(())) => false,
            Some(Err(error)) => [Some(libc::EINVAL), Some(libc::ENOSYS)].contains(&error.raw_os_error()),
        };
        if by_number {
            let _ = killpg(self.pid, signal);
        }
    }
}

/// Field 22 of `/proc/PID/stat`.
pub(crate) fn start_of(pid: i32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(')')?.1.split_ascii_whitespace().nth(19)?.parse().ok()
}

/// The users who may send a process signals (kill(2)): its real and its saved one.
fn users_of(pid: i32) -> Vec<u32> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let words = status.lines().find_map(|line| line.strip_prefix("Uid:")).unwrap_or_default();
    let users: Vec<u32> = words.split_ascii_whitespace().filter_map(|word| word.parse().ok()).collect();
    [0, 2].into_iter().filter_map(|place| users.get(place).copied()).collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
    use std::process::{Child, Command};

    use super::*;

    const SOMEBODY: u32 = 65_534;

    fn start(user: Option<u32>) -> (Child, Process) {
        let mut command = Command::new("sleep");
        command.arg("600").process_group(0);
        user.map(|user| command.uid(user));
        let child = command.spawn().unwrap();
        let process = Process::running(child.id()).unwrap();
        (child, process)
    }

    fn end(mut child: Child) -> Option<i32> {
        let _ = child.kill();
        child.wait().unwrap().signal()
    }

    #[test]
    fn a_signal_goes_to_who_was_meant_and_not_to_who_has_the_number_by_now() {
        let (child, process) = start(None);
        let earlier = Process { start: process.start - 1, ..process };
        earlier.signal_for(0, Signal::SIGTERM);
        earlier.signal_group(Signal::SIGTERM);
        assert_eq!(end(child), Some(libc::SIGKILL), "it was another one's");
        for send in [|it: Process| it.signal_for(0, Signal::SIGTERM), |it: Process| it.signal_group(Signal::SIGTERM)] {
            let (mut child, process) = start(None);
            send(process);
            assert_eq!(child.wait().unwrap().signal(), Some(libc::SIGTERM));
        }
        assert_eq!(ProcessHandle::open(0).unwrap_err(), Errno::ESRCH);
        assert_eq!(ProcessHandle::open(-1).unwrap_err(), Errno::ESRCH);
    }

    #[test]
    fn a_user_cannot_have_a_signal_sent_to_a_process_it_could_not_send_it_to() {
        if !nix::unistd::geteuid().is_root() {
            return;
        }
        let (child, process) = start(None);
        process.signal_for(SOMEBODY, Signal::SIGTERM);
        assert_eq!(end(child), Some(libc::SIGKILL));
        let (mut child, process) = start(Some(SOMEBODY));
        process.signal_for(SOMEBODY, Signal::SIGTERM);
        assert_eq!(child.wait().unwrap().signal(), Some(libc::SIGTERM));
    }
}
