//! A null-modem cable: two ptys and a thread that carries bytes between them at the line's speed.

use std::collections::VecDeque;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::pty::openpty;
use nix::sys::termios::{SetArg, cfmakeraw, tcgetattr, tcsetattr};
use nix::unistd::{read, ttyname, write};

use super::clock::{epoch, instant, pass};

/// What a serial line holds of bytes nobody took yet; more than this waits in the writer's own buffer.
const BUFFER: usize = 4096;

/// The cable between two serial ports.
pub(crate) struct NullModem {
    ports: [PathBuf; 2],
    // Held open so that a port without a daemon does not hang up, and starts in raw mode.
    _slaves: [OwnedFd; 2],
    cut: Arc<AtomicBool>,
    end: Arc<AtomicBool>,
    heard: Arc<Mutex<[Heard; 2]>>,
    pump: Option<JoinHandle<()>>,
}

impl NullModem {
    /// A cable that carries `baud / 10` bytes a second each way.
    pub(crate) fn new(baud: u32) -> NullModem {
        let (one, other) = (open(), open());
        let ports = [ttyname(one.1.as_fd()), ttyname(other.1.as_fd())].map(|name| name.expect("a pty has a name"));
        let (cut, end) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let masters = [one.0, other.0];
        let (pump_cut, pump_end) = (Arc::clone(&cut), Arc::clone(&end));
        let heard = Arc::new(Mutex::new([Heard::default(), Heard::default()]));
        let pump_heard = Arc::clone(&heard);
        let pump = std::thread::spawn(move || carry(&masters, baud, &pump_cut, &pump_end, &pump_heard));
        NullModem { ports, _slaves: [one.1, other.1], cut, end, heard, pump: Some(pump) }
    }

    /// The whole messages that came out of the cable from that end, and when their last byte did.
    pub(crate) fn messages(&self, end: usize) -> Vec<(f64, String)> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)[end].whole.clone()
    }

    /// The device at that end, 0 or 1.
    pub(crate) fn port(&self, end: usize) -> &PathBuf {
        &self.ports[end]
    }

    /// Pulls or plugs the cable; what is written meanwhile is lost.
    pub(crate) fn set_cut(&self, cut: bool) {
        self.cut.store(cut, Ordering::Relaxed);
    }
}

impl Drop for NullModem {
    fn drop(&mut self) {
        self.end.store(true, Ordering::Relaxed);
        if let Some(pump) = self.pump.take() {
            let _ = pump.join();
        }
    }
}

fn open() -> (OwnedFd, OwnedFd) {
    let pty = openpty(None, None).expect("a pty");
    let mut raw = tcgetattr(&pty.slave).expect("a pty has settings");
    cfmakeraw(&mut raw);
    tcsetattr(&pty.slave, SetArg::TCSANOW, &raw).expect("a pty can be raw");
    fcntl(&pty.master, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).expect("a pty can be non-blocking");
    (pty.master, pty.slave)
}

/// What came out of one end of the cable.
#[derive(Default)]
struct Heard {
    whole: Vec<(f64, String)>,
    rest: Vec<u8>,
}

impl Heard {
    fn note(&mut self, bytes: &[u8]) {
        self.rest.extend_from_slice(bytes);
        while let Some(end) = self.rest.windows(4).position(|part| part == b"<<<\n") {
            let whole: Vec<u8> = self.rest.drain(..end + 4).collect();
            self.whole.push((epoch(), String::from_utf8_lossy(&whole).into_owned()));
        }
    }
}

/// One direction of the line.
struct Lane {
    waiting: VecDeque<u8>,
    credit: f64,
}

fn carry(masters: &[OwnedFd; 2], baud: u32, cut: &AtomicBool, end: &AtomicBool, heard: &Mutex<[Heard; 2]>) {
    let mut lanes = [0, 1].map(|_| Lane { waiting: VecDeque::new(), credit: 0.0 });
    let mut last = instant();
    while !end.load(Ordering::Relaxed) {
        wait(masters, lanes.iter().any(|lane| !lane.waiting.is_empty()));
        let passed = since(&mut last);
        for (from, lane) in lanes.iter_mut().enumerate() {
            take(&masters[from], lane);
            if cut.load(Ordering::Relaxed) {
                lane.waiting.clear();
            }
            lane.credit = (lane.credit + passed * f64::from(baud) / 10.0).min(64.0);
            let bytes = give(&masters[1 - from], lane);
            if !bytes.is_empty() {
                heard.lock().unwrap_or_else(PoisonError::into_inner)[from].note(&bytes);
            }
        }
    }
}

/// Sleeps until a byte comes, or a little when bytes wait for their turn.
fn wait(masters: &[OwnedFd; 2], busy: bool) {
    if busy {
        pass(Duration::from_millis(1));
        return;
    }
    let mut fds = masters.each_ref().map(|master| PollFd::new(master.as_fd(), PollFlags::POLLIN));
    let _ = poll(&mut fds, PollTimeout::from(10_u8));
}

fn since(last: &mut Instant) -> f64 {
    let now = instant();
    let passed = now.duration_since(*last).as_secs_f64();
    *last = now;
    passed
}

fn take(master: &OwnedFd, lane: &mut Lane) {
    let mut bytes = [0; 512];
    while lane.waiting.len() < BUFFER {
        match read(master, &mut bytes) {
            Ok(n) if n > 0 => lane.waiting.extend(&bytes[..n]),
            _ => break,
        }
    }
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a credit is between 0 and 64 bytes")]
fn give(master: &OwnedFd, lane: &mut Lane) -> Vec<u8> {
    let n = (lane.credit as usize).min(lane.waiting.len());
    if n == 0 {
        return Vec::new();
    }
    let bytes: Vec<u8> = lane.waiting.drain(..n).collect();
    lane.credit -= n as f64;
    // A port whose buffer is full loses bytes, as a UART does.
    let _ = write(master, &bytes);
    bytes
}
