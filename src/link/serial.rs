//! A null-modem cable (`wire.md` 7).
//!
//! Nothing here ever waits: what the line does not take is queued (`out_queue`), what does not fit the queue is dropped.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::stat::{fstat, major};
use nix::sys::termios::{
    ControlFlags, FlushArg, InputFlags, LocalFlags, OutputFlags, SetArg, SpecialCharacterIndices, tcflush, tcgetattr,
    tcsetattr,
};
use nix::unistd::{read, write};
use serialport::{ErrorKind, FlowControl, SerialPort, TTYPort};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use crate::clock::Clock;
use crate::sys;
use crate::time::Mono;

use super::Urgency;
use super::lock::{self, LineLock};
use super::out_queue::OutQueue;

/// The queue holds what the line carries in this time, within bounds: older heartbeats are not worth sending.
const QUEUE_SECONDS: usize = 2;
/// Room for the burst of a node that becomes active (`wire.md` 7: 1.5 kB), however slow the line.
const QUEUE_LEAST: usize = 2048;
const QUEUE_MOST: usize = 8192;

/// How much of a message is worth waking up for, and for how long it may wait at most for the rest.
const CRUMB_BYTES: u32 = 96;
const CRUMBS_LEAST: Duration = Duration::from_millis(1);
const CRUMBS_MOST: Duration = Duration::from_millis(40);

/// A serial medium before it is opened.
#[derive(Clone, Debug)]
pub(super) struct SerialPlan {
    pub(super) device: String,
    pub(super) baud: u32,
    pub(super) lock_dir: PathBuf,
}

/// An open serial line.
#[derive(Debug)]
pub(super) struct Serial {
    /// `None` while nobody is to wake us: the kernel tells of every single byte that comes or goes.
    watched: Option<Watched>,
    port: Arc<Port>,
    queue: Box<OutQueue>,
    clock: Clock,
    /// When the queue was last looked at.
    looked_at: Mono,
    /// After a crumb the line is left alone for so long: a message comes in a dozen of them.
    crumbs: Duration,
    rests_until: Option<Mono>,
    // Dropped after the port: whoever finds no lock must find the line free.
    _lock: LineLock,
}

/// The port as the runtime watches it, and whether for room to write too.
#[derive(Debug)]
struct Watched {
    port: AsyncFd<Arc<Port>>,
    for_room: bool,
}

/// The port, as the runtime wants it.
#[derive(Debug)]
struct Port(TTYPort);

impl AsRawFd for Port {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

impl AsFd for Port {
    fn as_fd(&self) -> BorrowedFd<'_> {
        sys::borrow_fd(&self.0)
    }
}

impl Drop for Port {
    fn drop(&mut self) {
        // The kernel would otherwise wait up to half a minute for a silent far end to take what is left.
        let _ = tcflush(&*self, FlushArg::TCIOFLUSH);
    }
}

/// A line that is locked, open, set up and empty, and that nobody watches yet.
#[derive(Debug)]
pub(super) struct BareLine {
    port: Port,
    lock: LineLock,
}

impl BareLine {
    /// Locks, opens and configures a line.
    pub(super) fn open(device: &str, baud: u32, lock_dir: &Path) -> io::Result<BareLine> {
        let lock = lock::take(device, lock_dir)?;
        let port = serialport::new(device, baud).flow_control(FlowControl::Hardware).open_native();
        let mut port = Port(port.map_err(|error| explain(&error))?);
        if is_pty(&port)? {
            // A pty stays exclusive when its user is killed, and would then refuse us for ever in a lab without root.
            // The file lock, which remains, goes with its owner.
            port.0.set_exclusive(false).map_err(|error| explain(&error))?;
        }
        configure(&port)?;
        // Tells the far end that a new conversation begins. A pty knows no breaks, and 3 ms is more than enough for a
        // receiver at 9600 baud; the C library's tcsendbreak would hold us for a quarter of a second.
        if port.0.set_break().is_ok() {
            let _ = nix::poll::poll(&mut [], 3_u8);
            let _ = port.0.clear_break();
        }
        let _ = tcflush(&port, FlushArg::TCIOFLUSH);
        Ok(BareLine { port, lock })
    }

    /// Whether the far end says that we may send; `None` where the port has no such wire.
    pub(super) fn clear_to_send(&mut self) -> Option<bool> {
        self.port.0.read_clear_to_send().ok()
    }
}

impl AsFd for BareLine {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.port.as_fd()
    }
}

impl SerialPlan {
    /// Locks, opens and configures the line.
    pub(super) fn open(&self, clock: &Clock) -> io::Result<Serial> {
        let BareLine { port, lock } = BareLine::open(&self.device, self.baud, &self.lock_dir)?;
        let bytes_a_second = self.baud / 10;
        let limit = usize::try_from(bytes_a_second).unwrap_or(QUEUE_MOST).saturating_mul(QUEUE_SECONDS);
        let limit = limit.clamp(QUEUE_LEAST, QUEUE_MOST);
        let crumbs = CRUMB_BYTES * Duration::from_secs(10) / self.baud.max(1);
        let crumbs = crumbs.clamp(CRUMBS_LEAST, CRUMBS_MOST);
        let (queue, port) = (Box::new(OutQueue::new(limit, bytes_a_second)), Arc::new(port));
        Ok(Serial {
            watched: None,
            port,
            queue,
            clock: *clock,
            looked_at: Mono::ZERO,
            crumbs,
            rests_until: None,
            _lock: lock,
        })
    }
}

impl Serial {
    /// Writes what the line takes, then waits for bytes.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<(usize, Mono)>> {
        self.write_some()?;
        if self.rests_until.is_some_and(|until| self.clock.mono() < until) {
            // Whoever owns the deadlines asks again (`Links::next_wake`).
            return Poll::Pending;
        }
        self.rests_until = None;
        self.watch(self.queue.is_full())?;
        let Some(Watched { port, .. }) = &self.watched else { return Poll::Pending };
        while self.queue.is_full() && self.queue.front(self.clock.mono()).is_some() {
            let Poll::Ready(ready) = port.poll_write_ready(cx) else { break };
            let (queue, clock) = (&mut self.queue, &self.clock);
            if let Ok(result) = ready?.try_io(|port| write_front(port.get_ref(), queue, clock)) {
                result?;
            }
        }
        loop {
            let mut ready = ready!(port.poll_read_ready(cx))?;
            match ready.try_io(|port| read_some(port.get_ref(), buffer)) {
                Ok(result) => {
                    return Poll::Ready(self.received(result));
                }
                Err(_would_block) => {}
            }
        }
    }

    /// Watches the port for bytes and, while it has taken all it takes, for room.
    fn watch(&mut self, for_room: bool) -> io::Result<()> {
        if self.watched.as_ref().is_none_or(|watched| watched.for_room != for_room) {
            self.watched = None;
            let interest = if for_room { Interest::READABLE | Interest::WRITABLE } else { Interest::READABLE };
            let port = sys::watch(Arc::clone(&self.port), interest)?;
            self.watched = Some(Watched { port, for_room });
        }
        Ok(())
    }

    /// Takes bytes if some are there; `WouldBlock` if not.
    pub(super) fn try_receive(&mut self, buffer: &mut [u8]) -> io::Result<(usize, Mono)> {
        self.write_some()?;
        let result = read_some(&self.port, buffer);
        self.received(result)
    }

    /// Whoever got a crumb rests, whoever found nothing may be woken again.
    fn received(&mut self, result: io::Result<usize>) -> io::Result<(usize, Mono)> {
        let now = self.clock.mono();
        if result.is_ok() {
            self.watched = None;
            self.rests_until = Some(now + self.crumbs);
        } else {
            self.rests_until = self.rests_until.filter(|until| now < *until);
        }
        result.map(|count| (count, now))
    }

    /// Until then nothing is expected of the line, and nothing may be written to it.
    pub(super) fn next_look(&self) -> Option<Mono> {
        [self.rests_until, self.queue.next_look(self.looked_at)].into_iter().flatten().min()
    }

    /// Queues a frame and writes what the line takes at once; answers how many frames were dropped for it.
    pub(super) fn try_send(&mut self, frame: &[u8], urgency: Urgency) -> io::Result<u64> {
        let lost = self.queue.push(self.clock.mono(), frame, urgency);
        self.write_some()?;
        Ok(lost)
    }

    /// Whether talk may be added.
    pub(super) fn has_room(&self) -> bool {
        self.queue.has_room(self.clock.mono())
    }

    /// A heartbeat is said now, and the next is due so much later.
    pub(super) fn expect_beat(&mut self, keepalive: Duration) {
        self.queue.expect_beat(self.clock.mono(), keepalive);
    }

    /// Throws away what is not worth the last moments.
    pub(super) fn forget_bulk(&mut self) {
        self.queue.forget_bulk();
    }

    /// Bytes that have not left this machine yet, as far as the driver tells.
    pub(super) fn waiting(&self) -> usize {
        self.queue.waiting() + self.held()
    }

    fn held(&self) -> usize {
        self.port.0.bytes_to_write().ok().and_then(|held| usize::try_from(held).ok()).unwrap_or(0)
    }

    fn write_some(&mut self) -> io::Result<()> {
        if self.queue.is_empty() {
            return Ok(());
        }
        self.looked_at = self.clock.mono();
        self.queue.look(self.looked_at, self.held());
        while self.queue.front(self.looked_at).is_some() {
            match write_front(&self.port, &mut self.queue, &self.clock) {
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => break,
                result => result?,
            }
        }
        Ok(())
    }
}

/// Whether the line is a pseudo-terminal, whatever its name (devices.txt: Unix98 slaves have majors 136 to 143).
fn is_pty(port: &Port) -> io::Result<bool> {
    Ok((136..=143).contains(&major(fstat(port)?.st_rdev)))
}

/// Tells a line in use from one that does not exist, which the crate calls the same.
fn explain(error: &serialport::Error) -> io::Error {
    let taken = error.description.contains("exclusive lock") || error.description.contains("busy");
    let kind = match error.kind {
        ErrorKind::NoDevice if taken => io::ErrorKind::ResourceBusy,
        ErrorKind::NoDevice => io::ErrorKind::NotFound,
        ErrorKind::InvalidInput => io::ErrorKind::InvalidInput,
        ErrorKind::Io(kind) => kind,
        ErrorKind::Unknown => io::ErrorKind::Other,
    };
    let why = if taken { "another program has it open exclusively" } else { error.description.as_str() };
    io::Error::new(kind, why)
}

/// Raw, eight bits on the wire but seven in the text: what the original sets, so that a neighbour finds the line as it
/// always was.
fn configure(port: &Port) -> io::Result<()> {
    let mut termios = tcgetattr(port)?;
    termios.input_flags &= !(InputFlags::IGNBRK
        | InputFlags::IUCLC
        | InputFlags::IXANY
        | InputFlags::IXOFF
        | InputFlags::IXON
        | InputFlags::ICRNL
        | InputFlags::INLCR
        | InputFlags::PARMRK);
    termios.input_flags |= InputFlags::INPCK | InputFlags::ISTRIP | InputFlags::IGNCR | InputFlags::BRKINT;
    termios.output_flags &= !OutputFlags::OPOST;
    termios.control_flags |= ControlFlags::CS8 | ControlFlags::CREAD | ControlFlags::CLOCAL;
    termios.local_flags &= !(LocalFlags::ICANON | LocalFlags::ECHO | LocalFlags::ISIG | LocalFlags::IEXTEN);
    termios.control_chars[SpecialCharacterIndices::VMIN as usize] = 1;
    termios.control_chars[SpecialCharacterIndices::VTIME as usize] = 1;
    tcsetattr(port, SetArg::TCSANOW, &termios)?;
    let flags = OFlag::from_bits_retain(fcntl(port, FcntlArg::F_GETFL)?);
    fcntl(port, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK))?;
    Ok(())
}

/// Reads what is there; the end of the line is an error, because it stays readable for ever.
fn read_some(port: &Port, buffer: &mut [u8]) -> io::Result<usize> {
    match read(port, buffer)? {
        0 => Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the line hung up")),
        count => Ok(count),
    }
}

fn write_front(port: &Port, queue: &mut OutQueue, clock: &Clock) -> io::Result<()> {
    let now = clock.mono();
    let Some(front) = queue.front(now) else { return Ok(()) };
    match write(port, front) {
        Ok(count) => queue.advance(now, count),
        Err(nix::errno::Errno::EAGAIN) => {
            queue.note_full();
            return Err(io::ErrorKind::WouldBlock.into());
        }
        Err(error) => return Err(error.into()),
    }
    Ok(())
}
