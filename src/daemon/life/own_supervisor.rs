//! The core's side of `supervisor`: says how things are, notices when the supervisor is gone and starts another one.

use std::io::{self, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::AsyncReadExt as _;
use tokio::process::{Child, Command};

use crate::daemon::options::DaemonOptions;
use crate::host::called::MYSELF;
use crate::time::Mono;

use super::next_program::command_for;

/// Everything is open and the loop runs.
pub(crate) const READY: u8 = b'R';
/// Groups are being released.
pub(crate) const STOPPING: u8 = b'S';
/// The loop turns; said only where the service manager looks.
pub(crate) const ALIVE: u8 = b'A';
/// What follows is the exit code; then the end is no crash.
pub(crate) const ENDS: u8 = b'E';
/// The exit code that asks for the next program.
pub(crate) const UPGRADE: u8 = 77;
/// The exit code of a first start that failed for want of something that may be there later: whoever manages services
/// tries again (`EX_TEMPFAIL` of `sysexits.h`).
pub const LATER: u8 = 75;
/// The exit code of a refusal while something may run here: another attempt is wanted.
pub(crate) const AGAIN: u8 = 76;

/// Between two attempts to get a parent.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

/// What a core process is told at its start.
#[derive(Debug)]
pub(crate) struct CoreStart {
    /// Its end of the socket pair.
    pub socket: UnixStream,
    /// The parent's pid, which stands in the pid file.
    pub supervisor: u32,
    /// How the one before ended, if that was not in order.
    pub before: Option<String>,
    /// How many died within the last minute.
    pub deaths: usize,
    /// This one is only to clean up.
    pub hopeless: bool,
    /// Somebody wants the daemon to end, and there was no child to be told.
    pub leaving: bool,
    /// The one before was told to end, and may not have written that down.
    pub told: bool,
    /// How many refused before this one, since the last that was ready.
    pub attempt: u32,
    /// After how long without a sign of life the service manager believes us dead.
    pub limit: Option<Duration>,
}

/// The supervisor, as its core sees it.
#[derive(Debug)]
pub(crate) struct OwnSupervisor {
    /// `None` while there is no parent.
    socket: Option<tokio::net::UnixStream>,
    /// The same socket, written to without asking the runtime whether it may be.
    writer: UnixStream,
    pid: u32,
    next_attempt: Mono,
    /// A supervisor we started ourselves is our child, and is to be reaped by us.
    own: Option<Child>,
}

impl OwnSupervisor {
    /// Takes over the socket; must be called inside the runtime.
    ///
    /// # Errors
    /// When the runtime cannot watch it.
    pub(crate) fn new(socket: UnixStream, pid: u32) -> io::Result<OwnSupervisor> {
        socket.set_nonblocking(true)?;
        let writer = socket.try_clone()?;
        let socket = Some(tokio::net::UnixStream::from_std(socket)?);
        Ok(OwnSupervisor { socket, writer, pid, next_attempt: Mono::ZERO, own: None })
    }

    /// Whose number stands for this daemon: what `heartbeat -k` signals.
    pub(crate) fn pid(&self) -> u32 {
        self.pid
    }

    /// Says one word; a parent that is gone is noticed elsewhere.
    pub(crate) fn say(&self, words: &[u8]) {
        // A few bytes in all: they always fit.
        let _ = (&self.writer).write_all(words);
    }

    /// Returns when the parent has gone; never, while there is none. Cancel safe.
    pub(crate) async fn gone(&mut self) {
        let Some(socket) = &mut self.socket else { return std::future::pending().await };
        let mut nothing = [0; 16];
        while !matches!(socket.read(&mut nothing).await, Ok(0) | Err(_)) {}
        self.socket = None;
    }

    /// When [`OwnSupervisor::replace`] wants to be called.
    pub(crate) fn next_attempt(&self) -> Option<Mono> {
        self.socket.is_none().then_some(self.next_attempt)
    }

    /// Starts another parent, which is our child and watches over us all the same.
    ///
    /// # Errors
    /// When it cannot be run; the next attempt is due in a second.
    pub(crate) fn replace(&mut self, options: &DaemonOptions, now: Mono) -> io::Result<()> {
        self.next_attempt = now + AGAIN_AFTER;
        let (ours, theirs) = UnixStream::pair()?;
        ours.set_nonblocking(true)?;
        let mut command = Command::from(command_for(options, Path::new(MYSELF)));
        command.arg("--watch-over").arg(std::process::id().to_string());
        command.stdin(Stdio::from(OwnedFd::from(theirs))).process_group(0);
        let child = command.spawn()?;
        self.pid = child.id().unwrap_or(self.pid);
        self.writer = ours.try_clone()?;
        self.socket = Some(tokio::net::UnixStream::from_std(ours)?);
        // The one before, if it was ours, is reaped when it is dropped.
        self.own = Some(child);
        self.say(&[READY]);
        Ok(())
    }
}

/// Announces the exit code of a core that ends in order, when there is no runtime any more.
pub(crate) fn send_exit_code(socket: &UnixStream, code: u8) {
    let mut socket = socket;
    let _ = socket.write_all(&[ENDS, code]);
}
