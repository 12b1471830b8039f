//! The bench: namespaces of our own, in which everything the lab makes lives and with which it all vanishes.
//!
//! [`run_inside`] starts a program as the first process of a new pid namespace (in a new user namespace unless we may do
//! without), and [`settle`] is what that program does first: private network, mounts, host name. When the program ends, or
//! whoever started it, however violently, the kernel kills every process in the namespace, and interfaces and mounts go
//! with the last of them. Nothing is ever made outside.

use std::fmt;
use std::fs;
use std::io;
use std::process::{Command, ExitStatus};

use nix::errno::Errno;
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::sys::prctl;
use nix::sys::signal::Signal;
use nix::unistd::{getegid, geteuid};

/// What this machine does not let us do, and what would help.
#[derive(Debug)]
pub(super) struct Missing {
    attempted: &'static str,
    error: io::Error,
    hint: String,
}

impl Missing {
    fn new(attempted: &'static str, error: impl Into<io::Error>, hint: impl Into<String>) -> Missing {
        Missing { attempted, error: error.into(), hint: hint.into() }
    }
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the lab needs {} and this machine refuses: {}\n  {}", self.attempted, self.error, self.hint)
    }
}

impl std::error::Error for Missing {}

/// Runs a command as the first process of a new pid namespace and waits for it. The command must call [`settle`].
///
/// Must be called by a process with a single thread: only such a one may enter a user namespace.
///
/// # Errors
/// When the kernel does not give us namespaces, with the reason and the remedy.
pub(super) fn run_inside(mut command: Command) -> Result<ExitStatus, Missing> {
    if unshare(CloneFlags::CLONE_NEWPID).is_err() {
        become_root_of_our_own()?;
        unshare(CloneFlags::CLONE_NEWPID)
            .map_err(|error| Missing::new("a pid namespace", error, "The kernel needs CONFIG_PID_NS."))?;
    }
    let mut child = command
        .spawn()
        .map_err(|error| Missing::new("to start itself again", error, "Is the executable still where it was?"))?;
    child.wait().map_err(|error| Missing::new("to wait for its own process", error, ""))
}

/// Enters a user namespace in which our user is root.
fn become_root_of_our_own() -> Result<(), Missing> {
    let (user, group) = (geteuid(), getegid());
    unshare(CloneFlags::CLONE_NEWUSER).map_err(|error| Missing::new("a user namespace", error, user_hint(error)))?;
    let write = |file: &str, text: String| {
        fs::write(file, text)
            .map_err(|error| Missing::new("to be root in a user namespace", error, apparmor_hint(user.is_root())))
    };
    write("/proc/self/setgroups", "deny".to_owned())?;
    write("/proc/self/uid_map", format!("0 {user} 1"))?;
    write("/proc/self/gid_map", format!("0 {group} 1"))
}

/// Why a user namespace was refused.
fn user_hint(error: Errno) -> String {
    let says = |file: &str, text: &str| fs::read_to_string(file).is_ok_and(|found| found.trim() == text);
    if says("/proc/sys/user/max_user_namespaces", "0") || error == Errno::ENOSPC {
        return "User namespaces are switched off: `sysctl user.max_user_namespaces=1000`, or as root: `sudo latido lab`.".into();
    }
    if says("/proc/sys/kernel/unprivileged_userns_clone", "0") {
        return "Only root may make them here: `sysctl kernel.unprivileged_userns_clone=1`, or as root: `sudo latido lab`."
            .into();
    }
    if error == Errno::EINVAL || error == Errno::ENOSYS {
        return "The kernel has no user namespaces (CONFIG_USER_NS). As root: `sudo latido lab`.".into();
    }
    remedy(geteuid().is_root(), "")
}

/// Root of a container is not asked to become root.
fn remedy(is_root: bool, more: &str) -> String {
    let root = if is_root { "" } else { "As root: `sudo latido lab`. " };
    format!(
        "{root}{more}In a container, namespaces must be allowed first (docker and podman: `run --privileged`). \
         `latido simulate` plays the same without them."
    )
}

/// What stands in the way after a user namespace was granted.
fn apparmor_hint(is_root: bool) -> String {
    remedy(
        is_root,
        "On Ubuntu 24.04 and later AppArmor keeps user namespaces powerless: \
         `sysctl kernel.apparmor_restrict_unprivileged_userns=0`. ",
    )
}

/// Makes the process that [`run_inside`] started a bench: dies with its parent, has mounts and a network of its own.
///
/// # Errors
/// When the kernel refuses, with the reason and the remedy.
pub(super) fn settle() -> Result<(), Missing> {
    // In here everybody is root: who it was outside is not known any more.
    let refused = |attempted| move |error: Errno| Missing::new(attempted, error, apparmor_hint(false));
    prctl::set_pdeathsig(Signal::SIGKILL).map_err(refused("to die with its parent"))?;
    let spaces =
        CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWUTS | CloneFlags::CLONE_NEWIPC;
    unshare(spaces).map_err(refused("network and mount namespaces"))?;
    keep_mounts_private().map_err(refused("mounts of its own"))?;
    mount_proc().map_err(|error| {
        Missing::new("a /proc of its own", error, "In a container, /proc must not be masked (docker: `--privileged`).")
    })?;
    // The bench's ends of the cables carry other people's frames; a kernel that talks there too would only disturb.
    for which in ["all", "default"] {
        let _ = fs::write(format!("/proc/sys/net/ipv6/conf/{which}/disable_ipv6"), "1");
    }
    Ok(())
}

/// Nothing mounted from here on is seen elsewhere, nor the other way round.
pub(super) fn keep_mounts_private() -> nix::Result<()> {
    mount(None::<&str>, "/", None::<&str>, MsFlags::MS_REC | MsFlags::MS_PRIVATE, None::<&str>)
}

/// A `/proc` that shows the caller's own pid namespace.
pub(super) fn mount_proc() -> nix::Result<()> {
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    mount(Some("proc"), "/proc", Some("proc"), flags, None::<&str>)
}
