//! A cable inside this process, for tests of whatever sits on the media: it can be cut, made deaf or lossy.
//!
//! Not reachable from any configuration file.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use tokio::time::Instant;

use crate::clock::Clock;
use crate::time::Mono;

/// How many datagrams wait before the oldest is dropped.
const DEPTH: usize = 1024;

/// One end of a cable; the other end is another `MemoryMedium`. Clones share the end.
#[derive(Clone, Debug)]
pub struct MemoryMedium {
    cable: Arc<Mutex<Cable>>,
    /// Which of the two ends this is.
    side: usize,
}

#[derive(Debug, Default)]
struct Cable {
    ends: [End; 2],
    fault: CableFault,
    /// Counts what was sent, so that losses come in a fixed order.
    sent: u64,
}

#[derive(Debug, Default)]
struct End {
    receiver: VecDeque<(Instant, Vec<u8>)>,
    waker: Option<Waker>,
    broken: Option<String>,
}

/// What is wrong with a cable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CableFault {
    /// Nothing.
    #[default]
    None,
    /// Whatever is sent disappears, and the sender does not notice.
    Cut,
    /// Of each ten datagrams this many disappear (0 to 10).
    Lossy(u8),
}

/// A cable and its two ends.
pub fn memory_pair() -> (MemoryMedium, MemoryMedium) {
    let cable = Arc::new(Mutex::new(Cable::default()));
    (MemoryMedium { cable: Arc::clone(&cable), side: 0 }, MemoryMedium { cable, side: 1 })
}

impl MemoryMedium {
    /// Sets or mends the cable's fault, for both directions.
    pub fn set_fault(&self, fault: CableFault) {
        self.cable().fault = fault;
    }

    /// Makes this end fail as a device does, or (`None`) work again.
    pub fn set_broken(&self, reason: Option<&str>) {
        let waker = {
            let mut cable = self.cable();
            let end = &mut cable.ends[self.side];
            end.broken = reason.map(str::to_owned);
            end.waker.take()
        };
        wake(waker);
    }

    /// Sends one datagram to the other end.
    ///
    /// # Errors
    /// When this end is broken.
    pub fn try_send(&self, frame: &[u8]) -> io::Result<()> {
        let waker = {
            let mut cable = self.cable();
            cable.check(self.side)?;
            cable.sent += 1;
            let lost = match cable.fault {
                CableFault::None => false,
                CableFault::Cut => true,
                // Three is coprime to ten: losses spread over the ten instead of coming in a row.
                CableFault::Lossy(tenths) => cable.sent * 3 % 10 < u64::from(tenths),
            };
            if lost {
                return Ok(());
            }
            let far = &mut cable.ends[1 - self.side];
            if far.receiver.len() == DEPTH {
                far.receiver.pop_front();
            }
            far.receiver.push_back((Instant::now(), frame.to_vec()));
            far.waker.take()
        };
        wake(waker);
        Ok(())
    }

    /// Takes what the other end sent first, with the time of sending; `WouldBlock` when nothing waits.
    ///
    /// # Errors
    /// When this end is broken.
    pub fn try_take(&self) -> io::Result<(Instant, Vec<u8>)> {
        let mut cable = self.cable();
        cable.check(self.side)?;
        cable.ends[self.side].receiver.pop_front().ok_or_else(|| io::ErrorKind::WouldBlock.into())
    }

    /// Whether this end works, which is what reopening it would find out.
    pub(super) fn check(&self) -> io::Result<()> {
        self.cable().check(self.side)
    }

    pub(super) fn poll(
        &self,
        cx: &mut Context<'_>,
        clock: &Clock,
        buffer: &mut [u8],
    ) -> Poll<io::Result<(usize, Mono)>> {
        // Before looking, or what is sent in between would wake nobody.
        self.cable().ends[self.side].waker = Some(cx.waker().clone());
        match self.try_receive(clock, buffer) {
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => Poll::Pending,
            result => Poll::Ready(result),
        }
    }

    pub(super) fn try_receive(&self, clock: &Clock, buffer: &mut [u8]) -> io::Result<(usize, Mono)> {
        let (sent_at, bytes) = self.try_take()?;
        let length = bytes.len().min(buffer.len());
        buffer[..length].copy_from_slice(&bytes[..length]);
        Ok((length, clock.at(sent_at)))
    }

    fn cable(&self) -> MutexGuard<'_, Cable> {
        self.cable.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Cable {
    fn check(&self, side: usize) -> io::Result<()> {
        match &self.ends[side].broken {
            Some(reason) => Err(io::Error::other(reason.clone())),
            None => Ok(()),
        }
    }
}

/// Outside the lock: the task woken may look at the cable at once.
fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        waker.wake();
    }
}
