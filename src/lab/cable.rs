//! The null-modem cable: two pseudo-terminals, and a thread that carries bytes between them as fast as the line would.
//!
//! Ten bits a byte (`wire.md` 7). What the line cannot carry yet stays in the sender's port, so that a sender who asks
//! too much is blocked, as on the real thing; what arrives at a port nobody has open is lost.

use std::collections::VecDeque;
use std::fs::OpenOptions;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::pty::{grantpt, posix_openpt, ptsname_r, unlockpt};
use nix::sys::termios::{FlushArg, SetArg, cfmakeraw, tcflush, tcgetattr, tcsetattr};
use nix::unistd::{read, write};

use crate::clock::Clock;
use crate::sys;
use crate::time::Mono;

use super::waker::Waker;

/// A cable between two serial ports; its thread ends on drop.
#[derive(Debug)]
pub struct NullModem {
    shared: Arc<Shared>,
    ports: [PathBuf; 2],
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<LineState>,
    wake: Waker,
}

#[derive(Debug, Default)]
struct LineState {
    stop: bool,
    /// What the left and what the right end sends is lost.
    cut: [bool; 2],
    carried: [u64; 2],
}

impl NullModem {
    /// Makes two ports and joins them with a cable of `baud` bits a second.
    ///
    /// # Errors
    /// When there is no pseudo-terminal to be had.
    pub fn lay(baud: u32) -> io::Result<NullModem> {
        let (left, left_path) = open_port()?;
        let (right, right_path) = open_port()?;
        let wake = Waker::new()?;
        let shared = Arc::new(Shared { state: Mutex::default(), wake });
        let mine = Arc::clone(&shared);
        let cable_thread = CableThread::new([left, right], baud);
        let thread = thread::Builder::new().name("null-modem".into()).spawn(move || cable_thread.run(&mine))?;
        Ok(NullModem { shared, ports: [left_path, right_path], thread: Some(thread) })
    }

    /// The device of the left (0) or right (1) end.
    pub fn port(&self, end: usize) -> &Path {
        &self.ports[end & 1]
    }

    /// Pulls the cable, or plugs it in again. What is sent meanwhile is lost, at the line's pace.
    pub fn set_cut(&self, cut: bool) {
        [0, 1].iter().for_each(|end| self.set_silent(*end, cut));
    }

    /// Breaks, or mends, the wire on which the left (0) or right (1) end sends.
    pub fn set_silent(&self, end: usize, silent: bool) {
        self.shared.lock().cut[end & 1] = silent;
        self.shared.wake.wake();
    }

    /// Whether what this end sends is lost.
    pub fn is_silent(&self, end: usize) -> bool {
        self.shared.lock().cut[end & 1]
    }

    /// Whether it is pulled.
    pub fn is_cut(&self) -> bool {
        self.shared.lock().cut == [true, true]
    }

    /// How many bytes have come out at the left and at the right end.
    pub fn carried(&self) -> [u64; 2] {
        self.shared.lock().carried
    }
}

impl Drop for NullModem {
    fn drop(&mut self) {
        self.shared.lock().stop = true;
        self.shared.wake.wake();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, LineState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A new pseudo-terminal in raw mode: our end, and the path of the other.
fn open_port() -> io::Result<(OwnedFd, PathBuf)> {
    let master = posix_openpt(OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC)?;
    grantpt(&master)?;
    unlockpt(&master)?;
    let path = PathBuf::from(ptsname_r(&master)?);
    let port = OpenOptions::new().read(true).write(true).custom_flags(libc::O_NOCTTY).open(&path)?;
    let mut settings = tcgetattr(&port)?;
    cfmakeraw(&mut settings);
    tcsetattr(&port, SetArg::TCSANOW, &settings)?;
    let ours: OwnedFd = master.into();
    fcntl(&ours, FcntlArg::F_SETFL(OFlag::O_RDWR | OFlag::O_NONBLOCK))?;
    Ok((ours, path))
}

/// The thread's own state.
struct CableThread {
    ends: [OwnedFd; 2],
    /// What travels from end 0 to end 1, and from end 1 to end 0.
    directions: [LineDirection; 2],
    per_byte: Duration,
    /// How many bytes may be on the line: what a UART holds, or a fast line carries while we sleep.
    room: usize,
}

/// One direction of the line.
#[derive(Default)]
struct LineDirection {
    /// Bytes on the line, oldest first, each with the time its last bit arrives.
    under_way: VecDeque<(Mono, u8)>,
    /// When the line can take the next byte.
    free: Mono,
    /// Whether anybody has the port open that sends this way.
    open: bool,
}

/// As many bytes as a UART holds back from the driver.
const UART: usize = 16;
const LARGEST_READ: usize = 1024;
/// How often we look whether somebody has opened a port: the kernel does not tell.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

impl CableThread {
    fn new(ends: [OwnedFd; 2], baud: u32) -> CableThread {
        let in_two_milliseconds = usize::try_from(baud / 10 / 500).unwrap_or(UART);
        CableThread {
            ends,
            directions: [LineDirection::default(), LineDirection::default()],
            per_byte: Duration::from_secs(10) / baud.max(1),
            room: in_two_milliseconds.clamp(UART, LARGEST_READ),
        }
    }

    fn run(mut self, shared: &Shared) {
        let _ = sys::set_realtime(2);
        let clock = Clock::start();
        loop {
            let cut = {
                let state = shared.lock();
                if state.stop {
                    return;
                }
                state.cut
            };
            self.wait(&shared.wake, clock.mono());
            for from in [0, 1] {
                self.take(from, clock.mono());
                let carried = self.deliver(from, clock.mono(), cut[from]);
                shared.lock().carried[1 - from] += carried;
            }
        }
    }

    /// Until a byte can be taken or is due.
    fn wait(&self, wake: &Waker, now: Mono) {
        let mut fds = vec![PollFd::new(wake.as_fd(), PollFlags::POLLIN)];
        for (end, direction) in self.ends.iter().zip(&self.directions) {
            if direction.open && direction.under_way.len() < self.room {
                fds.push(PollFd::new(end.as_fd(), PollFlags::POLLIN));
            }
        }
        let due = self
            .directions
            .iter()
            .filter_map(|direction| direction.under_way.front())
            .map(|(due, _)| due.since(now))
            .min();
        let look = self.directions.iter().any(|direction| !direction.open).then_some(LOOK_AGAIN);
        let timeout = match [due, look].into_iter().flatten().min() {
            Some(wait) => PollTimeout::try_from(wait + Duration::from_micros(999)).unwrap_or(PollTimeout::MAX),
            None => PollTimeout::NONE,
        };
        let _ = poll(&mut fds, timeout);
        if fds[0].any().unwrap_or(false) {
            wake.clear();
        }
    }

    /// Puts on the line what the sender's port holds and the line can take.
    fn take(&mut self, from: usize, now: Mono) {
        let (end, direction) = (&self.ends[from], &mut self.directions[from]);
        let room = self.room.saturating_sub(direction.under_way.len());
        if room == 0 {
            return;
        }
        let mut bytes = [0; LARGEST_READ];
        match read(end, &mut bytes[..room]) {
            Ok(count) => {
                direction.open = true;
                for byte in &bytes[..count] {
                    direction.free = direction.free.max(now) + self.per_byte;
                    direction.under_way.push_back((direction.free, *byte));
                }
            }
            Err(Errno::EAGAIN) => direction.open = true,
            // Nobody has the port open (any more): what it was still to read is lost, like on a line without a listener.
            Err(_) => {
                direction.open = false;
                let _ = tcflush(end, FlushArg::TCIOFLUSH);
            }
        }
    }

    /// Hands over the bytes that have arrived; how many.
    fn deliver(&mut self, from: usize, now: Mono, cut: bool) -> u64 {
        let heard = !cut && self.directions[1 - from].open;
        let direction = &mut self.directions[from];
        let arrived = direction.under_way.iter().take_while(|(due, _)| *due <= now).count();
        let bytes: Vec<u8> = direction.under_way.drain(..arrived).map(|(_, byte)| byte).collect();
        if !heard || bytes.is_empty() {
            return 0;
        }
        // A reader that does not read overruns, as a UART does.
        write(&self.ends[1 - from], &bytes).unwrap_or(0) as u64
    }
}
