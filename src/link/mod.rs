//! The media: serial lines, UDP over IPv4 and IPv6, ICMP echo (`wire.md` 1.4 and 7).
//!
//! Carries bytes and says when they arrived; knows nothing of messages. Everything lives on the daemon's one thread and
//! nothing ever waits: a medium that does not take what is sent loses it, and a medium that floods is read in turn with
//! the others.
//!
//! [`Links`] owns all media of a node. What a medium is before it is opened is a plan: names are resolved once, when the
//! daemon starts, so that reopening never asks a resolver.
//!
//! ```text
//! links ──> medium_plan ──> serial (lock, out_queue), udp (interface, port_holders), ping ──> datagram
//!       ──> watch: what became of an interface       memory: a cable inside this process, for tests
//! line_test ──> serial: `latido doctor --line`
//! ```

mod datagram;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod interface;
mod line_test;
mod links;
mod lock;
mod medium_plan;
mod memory;
mod out_queue;
mod ping;
mod port_holders;
mod serial;
mod udp;
mod watch;

use std::fmt;
use std::io;
use std::ops::Range;
use std::task::{Context, Poll};

use crate::clock::Clock;
use crate::config::MediumSpec;
use crate::time::Mono;

pub use line_test::{FarEnd, LineReport, TestTimes, test_line};
pub use links::{LinkCounters, LinkEvent, Links};
pub use memory::{CableFault, MemoryMedium, memory_pair};

use ping::Ping;
use serial::Serial;
use udp::Udp;

/// How soon a message has to go out where there is not room for all at once; in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Urgency {
    /// That this node lives, and what the other needs to know at once.
    Beat,
    /// What nodes say to each other about who runs what.
    Dialogue,
    /// What somebody asked for again: not sent where there is no room, because he will ask again.
    Again,
    /// What programs say to each other: added only while there is room ([`Links::has_room`]).
    Talk,
}

impl Urgency {
    /// All of them.
    pub const ALL: [Urgency; 4] = [Urgency::Beat, Urgency::Dialogue, Urgency::Again, Urgency::Talk];
}

/// A medium that is open.
#[derive(Debug)]
enum OpenLink {
    Serial(Serial),
    Udp(Udp),
    Ping(Ping),
    Memory(MemoryMedium),
}

/// Where in the buffer what was received lies, and when it arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Received {
    range: Range<usize>,
    at: Mono,
}

/// What became of a frame.
#[derive(Debug)]
enum Sent {
    /// On its way, or in the queue of a serial line; this many older frames were dropped for it.
    Taken { dropped: u64 },
    /// The medium works, but has no room for it.
    NoRoom,
    /// The medium does not work.
    Failed(io::Error),
}

/// An interface compared with what it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum InterfaceChange {
    Same,
    /// Another interface of the same name, or other addresses.
    Changed,
    /// No interface of that name.
    Gone,
}

impl OpenLink {
    fn poll(&mut self, cx: &mut Context<'_>, clock: &Clock, buffer: &mut [u8]) -> Poll<io::Result<Received>> {
        match self {
            OpenLink::Serial(serial) => serial.poll(cx, buffer).map_ok(Received::from),
            OpenLink::Udp(udp) => udp.poll(cx, buffer).map_ok(|got| (got.length, got.at).into()),
            OpenLink::Ping(ping) => ping.poll(cx, buffer).map_ok(Received::from),
            OpenLink::Memory(memory) => memory.poll(cx, clock, buffer).map_ok(Received::from),
        }
    }

    fn try_receive(&mut self, clock: &Clock, buffer: &mut [u8]) -> io::Result<Received> {
        match self {
            OpenLink::Serial(serial) => serial.try_receive(buffer).map(Received::from),
            OpenLink::Udp(udp) => udp.try_receive(buffer).map(|got| (got.length, got.at).into()),
            OpenLink::Ping(ping) => ping.try_receive(buffer).map(Received::from),
            OpenLink::Memory(memory) => memory.try_receive(clock, buffer).map(Received::from),
        }
    }

    fn try_send(&mut self, frame: &[u8], urgency: Urgency) -> Sent {
        let result = match self {
            OpenLink::Serial(serial) => serial.try_send(frame, urgency),
            OpenLink::Udp(udp) => udp.try_send(frame, urgency).map(|()| 0),
            OpenLink::Ping(ping) => ping.try_send(frame).map(|()| 0),
            OpenLink::Memory(memory) => memory.try_send(frame).map(|()| 0),
        };
        match result {
            Ok(dropped) => Sent::Taken { dropped },
            Err(error) if is_no_room(&error) => Sent::NoRoom,
            Err(error) => Sent::Failed(error),
        }
    }

    /// Whether bytes come in pieces of any size.
    fn is_stream(&self) -> bool {
        matches!(self, OpenLink::Serial(_))
    }

    /// Whether it works as soon as it is open. A socket opens on a network that cannot be reached: it works when
    /// something could be sent.
    fn works_when_open(&self) -> bool {
        match self {
            OpenLink::Serial(_) | OpenLink::Memory(_) => true,
            OpenLink::Udp(_) | OpenLink::Ping(_) => false,
        }
    }

    /// What became of the interface below it since it was opened.
    fn change(&self) -> InterfaceChange {
        match self {
            OpenLink::Udp(udp) => udp.change(),
            OpenLink::Serial(_) | OpenLink::Ping(_) | OpenLink::Memory(_) => InterfaceChange::Same,
        }
    }

    /// When it wants to be looked at: until then it is not listened to, so that more may gather, or may not be written to.
    fn next_look(&self) -> Option<Mono> {
        match self {
            OpenLink::Serial(serial) => serial.next_look(),
            OpenLink::Udp(_) | OpenLink::Ping(_) | OpenLink::Memory(_) => None,
        }
    }

    /// Whether talk may be added.
    fn has_room(&mut self) -> bool {
        match self {
            OpenLink::Serial(serial) => serial.has_room(),
            OpenLink::Udp(udp) => udp.has_room(),
            OpenLink::Ping(_) | OpenLink::Memory(_) => true,
        }
    }

    /// Throws away what is not worth the last moments of a node that leaves.
    fn forget_bulk(&mut self) {
        if let OpenLink::Serial(serial) = self {
            serial.forget_bulk();
        }
    }

    /// Bytes that have not left this machine yet.
    fn waiting(&self) -> usize {
        match self {
            OpenLink::Serial(serial) => serial.waiting(),
            OpenLink::Udp(_) | OpenLink::Ping(_) | OpenLink::Memory(_) => 0,
        }
    }
}

impl From<(usize, Mono)> for Received {
    fn from((length, at): (usize, Mono)) -> Received {
        Received { range: 0..length, at }
    }
}

impl From<ping::EchoReply> for Received {
    fn from(echo: ping::EchoReply) -> Received {
        Received { range: echo.start..echo.end, at: echo.at }
    }
}

/// A full queue below us, or a frame larger than a packet may be.
fn is_no_room(error: &io::Error) -> bool {
    let code = error.raw_os_error();
    error.kind() == io::ErrorKind::WouldBlock
        || [libc::ENOBUFS, libc::ENOMEM, libc::EMSGSIZE].into_iter().any(|full| code == Some(full))
}

/// Why a medium could not be opened at start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkError {
    /// What could not be opened.
    pub spec: MediumSpec,
    /// It is nothing that comes by itself: this user may not open it, or the words mean nothing.
    pub lasts: bool,
    /// The directive: `bcast`, `serial`, …
    pub directive: &'static str,
    /// What it was written with: interface, device or host.
    pub name: String,
    /// What was found.
    pub why: String,
    /// What would do.
    pub remedy: Option<&'static str>,
}

impl LinkError {
    /// The phrase the original logs.
    pub fn original(&self) -> String {
        format!("make_io_childpair: cannot open {} {}", self.directive, self.name)
    }
}

impl fmt::Display for LinkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot open {} {}: {}", self.directive, self.name, self.why)?;
        if let Some(remedy) = self.remedy {
            write!(f, " ({remedy})")?;
        }
        write!(f, " [{}]", self.original())
    }
}

impl std::error::Error for LinkError {}
