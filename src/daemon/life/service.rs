//! What the service manager of this machine is told (`systemd.md` 2; systemd's `sd_notify(3)`): that the node is ready, how
//! it is in a line, and that its loop still turns.
//!
//! The words are sd-notify's, the way there is ours: its sockets wait, and a service manager that has frozen must not stop
//! a heartbeat.

use std::io::{self, IoSlice};
use std::os::fd::{AsFd as _, AsRawFd as _};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{AddressFamily, ControlMessage, MsgFlags, SockFlag, SockType, UnixAddr, sendmsg, socket};
use sd_notify::NotifyState;

const SOCKET: &str = "NOTIFY_SOCKET";
/// After so long without a sign of life the unit has failed, in microseconds; and of which process.
const LIMIT: &str = "WATCHDOG_USEC";
pub(super) const LIMIT_OF: &str = "WATCHDOG_PID";

/// A service manager that is slower than this, in milliseconds, is not waited for.
const HEARD_WITHIN: u16 = 5000;

/// Tells the service manager, if there is one; what it does not take at once is lost.
pub(crate) fn tell(states: &[NotifyState<'_>]) {
    let Some(path) = std::env::var_os(SOCKET).filter(|path| !path.is_empty()) else { return };
    let text: String = states.iter().map(|state| format!("{state}\n")).collect();
    let send = || {
        let bytes = path.as_encoded_bytes();
        let address = match bytes.strip_prefix(b"@") {
            Some(name) => SocketAddr::from_abstract_name(name)?,
            None => SocketAddr::from_pathname(&path)?,
        };
        let socket = UnixDatagram::unbound()?;
        socket.set_nonblocking(true)?;
        socket.send_to_addr(text.as_bytes(), &address)
    };
    let _: io::Result<usize> = send();
}

/// After how long without a sign of life the service manager believes us dead; `None` when it does not look.
///
/// A supervisor that took the place of another (`is_successor`) was promised nothing in its own name.
pub(crate) fn limit(is_successor: bool) -> Option<Duration> {
    std::env::var_os(SOCKET)?;
    let is_ours = std::env::var(LIMIT_OF).is_ok_and(|pid| pid.parse() == Ok(std::process::id()));
    let limit = std::env::var(LIMIT).ok()?.parse().ok().filter(|limit| *limit > 0)?;
    (is_successor || is_ours).then(|| Duration::from_micros(limit))
}

/// Who was started without us is not watched over: it says nothing to the service manager.
pub(crate) fn adopt(pid: u32) {
    let is_told = std::fs::read(format!("/proc/{pid}/environ"))
        .is_ok_and(|all| all.split(|byte| *byte == 0).any(|pair| pair.starts_with(LIMIT.as_bytes())));
    let mut states = vec![NotifyState::MainPid(pid), NotifyState::Ready];
    states.extend((!is_told).then_some(NotifyState::WatchdogUsec(0)));
    tell(&states);
    let _ = await_heard();
}

/// Waits until the service manager has read what it was told: from a process that has ended by then it takes nothing. It
/// closes what it is sent when its turn comes (`sd_notify_barrier(3)`).
fn await_heard() -> nix::Result<()> {
    let Some(path) = std::env::var_os(SOCKET).filter(|path| !path.is_empty()) else { return Ok(()) };
    let address = match path.as_encoded_bytes().strip_prefix(b"@") {
        Some(name) => UnixAddr::new_abstract(name)?,
        None => UnixAddr::new(path.as_os_str())?,
    };
    let (ours, theirs) = nix::unistd::pipe2(OFlag::O_CLOEXEC)?;
    let socket =
        socket(AddressFamily::Unix, SockType::Datagram, SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK, None)?;
    let rights = [theirs.as_raw_fd()];
    let control = [ControlMessage::ScmRights(&rights)];
    sendmsg(socket.as_raw_fd(), &[IoSlice::new(b"BARRIER=1")], &control, MsgFlags::empty(), Some(&address))?;
    drop(theirs);
    poll(&mut [PollFd::new(ours.as_fd(), PollFlags::empty())], PollTimeout::from(HEARD_WITHIN)).map(drop)
}

/// Whether there is a service manager that wants to be told.
pub(crate) fn is_there() -> bool {
    std::env::var_os(SOCKET).is_some()
}

/// How often the loop says that it turns: the supervisor waits for five of these, and that is less than the limit.
pub(crate) fn every(limit: Duration) -> Duration {
    limit / 8
}
