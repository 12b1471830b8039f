//! The first process of a host: gives it a name and a `/proc`, then reaps whatever is orphaned there, or a program that
//! waits for an orphan to vanish (`heartbeat -k`) would wait for ever.
//!
//! It ends when its standard input does, that is with the bench, and everything on the host ends with it.

use std::io::{self, Write};
use std::os::fd::AsFd;

use nix::errno::Errno;
use nix::mount::{MsFlags, mount};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::sethostname;

use super::namespaces::{keep_mounts_private, mount_proc};

/// What a host says on its standard output once it can be used.
pub(super) const READY: &str = "ready";

/// Runs the host called `name` until standard input ends.
///
/// # Errors
/// When the host cannot be set up.
pub(super) fn run(name: &str) -> io::Result<()> {
    let mut signals = SigSet::empty();
    signals.add(Signal::SIGCHLD);
    signals.thread_block()?;
    let children = SignalFd::with_flags(&signals, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?;
    sethostname(name)?;
    keep_mounts_private()?;
    mount_proc()?;
    // Interfaces as this host has them; not every container lets us, and nothing of ours reads it.
    let _ = mount(Some("sysfs"), "/sys", Some("sysfs"), MsFlags::empty(), None::<&str>);
    writeln!(io::stdout(), "{READY}")?;
    reap_until_told(&children)
}

fn reap_until_told(children: &SignalFd) -> io::Result<()> {
    let stdin = io::stdin();
    loop {
        let mut watched =
            [PollFd::new(stdin.as_fd(), PollFlags::POLLIN), PollFd::new(children.as_fd(), PollFlags::POLLIN)];
        match poll(&mut watched, PollTimeout::NONE) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
        if watched[0].any().unwrap_or(true) {
            return Ok(());
        }
        while let Ok(Some(_)) = children.read_signal() {}
        reap();
    }
}

fn reap() {
    while let Ok(status) = waitpid(None, Some(WaitPidFlag::WNOHANG)) {
        if status == WaitStatus::StillAlive {
            break;
        }
    }
}
