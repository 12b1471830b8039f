//! The network of the lab: a switch that can lose, delay and cut.
//!
//! Each host's interface is a veth whose other end stays with the bench, where one thread reads every frame from a packet
//! socket and writes it to the ends it is for. Not every kernel has netem, so loss and delay are made here.
//!
//! Frames are read and written together with their offload header (`PACKET_VNET_HDR`): what a host sends over a veth has
//! no checksum yet, and the header passes that on instead of breaking it.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use socket2::{Domain, Protocol, Socket, Type};

use crate::clock::Clock;
use crate::dice::Dice;
use crate::sys;
use crate::time::Mono;

use super::waker::Waker;

/// A socket of the switch, given by [`Switch::plug`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PortId(u32);

/// What a cable does to the frames of one direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// Nothing gets through.
    pub cut: bool,
    /// So many of a hundred frames are lost.
    pub loss: u8,
    /// Each frame takes so much longer.
    pub delay: Duration,
}

/// Both directions of a cable, as seen from the host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CableFaults {
    /// What the host sends.
    pub sending: Faults,
    /// What the host should hear.
    pub hearing: Faults,
}

/// The switch; one thread, ended on drop.
#[derive(Debug)]
pub struct Switch {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<SwitchState>,
    wake: Waker,
}

/// Everything the thread looks up per frame.
#[derive(Debug, Default)]
struct SwitchState {
    next_id: u32,
    /// Counts changes of `ports`, so that the thread knows when to watch others.
    version: u32,
    stop: bool,
    ports: BTreeMap<PortId, Port>,
    learned: BTreeMap<(String, Mac), PortId>,
    /// Frames under way, by the time they are due and in order.
    delayed: BTreeMap<(Mono, u64), (PortId, Vec<u8>)>,
    next_delayed: u64,
    dice: Dice,
}

type Mac = [u8; 6];

#[derive(Debug)]
struct Port {
    segment: String,
    socket: Arc<Socket>,
    faults: CableFaults,
}

impl Switch {
    /// Starts it.
    ///
    /// # Errors
    /// When there is no thread or descriptor to be had.
    pub fn start() -> io::Result<Switch> {
        let wake = Waker::new()?;
        let shared = Arc::new(Shared { state: Mutex::new(SwitchState::default()), wake });
        let mine = Arc::clone(&shared);
        let thread = thread::Builder::new().name("switch".into()).spawn(move || mine.pump())?;
        Ok(Switch { shared, thread: Some(thread) })
    }

    /// Plugs the interface with this index (of the bench's network) into `segment`; segments are separate networks.
    ///
    /// # Errors
    /// When there is no such interface, or packet sockets are refused.
    pub fn plug(&self, segment: &str, interface: u32) -> io::Result<PortId> {
        let socket = packet_socket(interface)?;
        let mut state = self.shared.lock();
        let id = PortId(state.next_id);
        state.next_id += 1;
        state.version += 1;
        let port = Port { segment: segment.to_owned(), socket: Arc::new(socket), faults: CableFaults::default() };
        state.ports.insert(id, port);
        drop(state);
        self.shared.wake();
        Ok(id)
    }

    /// Takes the cable out of the switch for good.
    pub fn unplug(&self, id: PortId) {
        let mut state = self.shared.lock();
        state.version += 1;
        state.ports.remove(&id);
        state.learned.retain(|_, port| *port != id);
        state.delayed.retain(|_, (port, _)| *port != id);
        drop(state);
        self.shared.wake();
    }

    /// Changes what the cable does, from the next frame on.
    pub fn set_faults(&self, id: PortId, faults: CableFaults) {
        if let Some(port) = self.shared.lock().ports.get_mut(&id) {
            port.faults = faults;
        }
    }

    /// What the cable does now.
    pub fn faults(&self, id: PortId) -> CableFaults {
        self.shared.lock().ports.get(&id).map(|port| port.faults).unwrap_or_default()
    }
}

impl Drop for Switch {
    fn drop(&mut self) {
        self.shared.lock().stop = true;
        self.shared.wake();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, SwitchState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wake(&self) {
        self.wake.wake();
    }

    /// The switch's thread.
    fn pump(&self) {
        // A busy machine must not look like a bad cable; without the privilege it may.
        let _ = sys::set_realtime(2);
        let clock = Clock::start();
        let mut buffer = vec![0; LARGEST_FRAME];
        let mut watched = Watched::default();
        loop {
            let state = self.lock();
            if state.stop {
                return;
            }
            watched.update(&state);
            let wait = state.wait(clock.mono());
            drop(state);
            for (id, socket) in watched.ready(&self.wake, wait) {
                self.drain(id, socket, &mut buffer, &clock);
            }
            self.lock().deliver_due(clock.mono());
        }
    }

    /// Passes on what waits at a port, but not for ever: the others want their turn.
    fn drain(&self, id: PortId, socket: &Socket, buffer: &mut [u8], clock: &Clock) {
        let mut state = self.lock();
        for _ in 0..BATCH {
            match (&mut &*socket).read(buffer) {
                Ok(length) => state.forward(id, &buffer[..length], clock.mono()),
                Err(_) => break,
            }
        }
    }
}

/// A frame with offloaded segmentation may be 64 kB; its header comes before it.
const LARGEST_FRAME: usize = OFFLOAD_HEADER + 18 + 65_536;
const OFFLOAD_HEADER: usize = 10;
const BATCH: usize = 64;

impl SwitchState {
    fn wait(&self, now: Mono) -> PollTimeout {
        let Some((due, _)) = self.delayed.keys().next() else { return PollTimeout::NONE };
        // Rounded up to a millisecond, or the last fraction would be spent spinning.
        let wait = due.since(now) + Duration::from_micros(999);
        PollTimeout::try_from(wait).unwrap_or(PollTimeout::MAX)
    }

    fn forward(&mut self, from: PortId, frame: &[u8], now: Mono) {
        let Some((to, source)) = frame.get(OFFLOAD_HEADER..).and_then(addresses) else { return };
        let Some(port) = self.ports.get(&from) else { return };
        let (segment, faults) = (port.segment.clone(), port.faults.sending);
        if !lets_through(&mut self.dice, faults) {
            return;
        }
        self.learned.insert((segment.clone(), source), from);
        let known = self.learned.get(&(segment.clone(), to)).copied();
        let ends: Vec<PortId> = match known {
            Some(end) => vec![end],
            None => self.ports.iter().filter(|(_, port)| port.segment == segment).map(|(id, _)| *id).collect(),
        };
        for end in ends.into_iter().filter(|end| *end != from) {
            self.pass(end, frame, faults.delay, now);
        }
    }

    fn pass(&mut self, to: PortId, frame: &[u8], delay: Duration, now: Mono) {
        let Some(port) = self.ports.get(&to) else { return };
        let faults = port.faults.hearing;
        if !lets_through(&mut self.dice, faults) {
            return;
        }
        let delay = delay + faults.delay;
        if delay.is_zero() {
            let _ = (&*port.socket).write(frame);
            return;
        }
        self.next_delayed += 1;
        self.delayed.insert((now + delay, self.next_delayed), (to, frame.to_vec()));
    }

    fn deliver_due(&mut self, now: Mono) {
        while let Some(entry) = self.delayed.first_entry()
            && entry.key().0 <= now
        {
            let (to, frame) = entry.remove();
            // A cable cut meanwhile loses what was under way.
            if let Some(port) = self.ports.get(&to).filter(|port| !port.faults.hearing.cut) {
                let _ = (&*port.socket).write(&frame);
            }
        }
    }
}

/// Destination and source of an Ethernet frame.
fn addresses(frame: &[u8]) -> Option<(Mac, Mac)> {
    Some((frame.get(..6)?.try_into().ok()?, frame.get(6..12)?.try_into().ok()?))
}

/// The sockets the thread watches, kept until ports come or go.
#[derive(Default)]
struct Watched {
    version: u32,
    sockets: Vec<(PortId, Arc<Socket>)>,
}

impl Watched {
    fn update(&mut self, state: &SwitchState) {
        if self.version != state.version {
            self.version = state.version;
            self.sockets = state.ports.iter().map(|(id, port)| (*id, Arc::clone(&port.socket))).collect();
        }
    }

    /// Waits, and names the ports with something to read.
    fn ready(&self, wake: &Waker, wait: PollTimeout) -> impl Iterator<Item = (PortId, &Socket)> {
        let sockets = self.sockets.iter().map(|(_, socket)| socket.as_fd());
        let mut fds: Vec<PollFd> =
            std::iter::once(wake.as_fd()).chain(sockets).map(|fd| PollFd::new(fd, PollFlags::POLLIN)).collect();
        let _ = poll(&mut fds, wait);
        if fds[0].any().unwrap_or(false) {
            wake.clear();
        }
        let ready: Vec<bool> = fds[1..].iter().map(|fd| fd.any().unwrap_or(false)).collect();
        self.sockets.iter().zip(ready).filter(|(_, ready)| *ready).map(|((id, socket), _)| (*id, &**socket))
    }
}

/// Whether a frame comes through.
fn lets_through(dice: &mut Dice, faults: Faults) -> bool {
    !faults.cut && (faults.loss == 0 || dice.below(100) >= u64::from(faults.loss))
}

/// A socket that sees and sends every frame of one interface.
fn packet_socket(interface: u32) -> io::Result<Socket> {
    // Without a protocol until it is bound, or it would collect frames of every interface meanwhile.
    let socket = Socket::new(Domain::PACKET, Type::RAW.nonblocking().cloexec(), Some(Protocol::from(0)))?;
    sys::set_packet_option(socket.as_fd(), libc::PACKET_VNET_HDR, 1)?;
    sys::set_packet_option(socket.as_fd(), libc::PACKET_IGNORE_OUTGOING, 1)?;
    // An interface just switched on throws away what comes through its queue until the kernel has noticed its carrier.
    sys::set_packet_option(socket.as_fd(), libc::PACKET_QDISC_BYPASS, 1)?;
    let _ = socket.set_recv_buffer_size(4 << 20);
    let all = u16::try_from(libc::ETH_P_ALL).map_err(|_| io::ErrorKind::InvalidInput)?;
    socket.bind(&sys::packet_address(interface, all, &[])?)?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn let_through(loss: u8) -> usize {
        let mut dice = Dice::default();
        (0..10_000).filter(|_| lets_through(&mut dice, Faults { loss, ..Faults::default() })).count()
    }

    #[test]
    fn thirty_percent_of_loss_loses_thirty_percent() {
        assert!((6_800..7_200).contains(&let_through(30)), "{}", let_through(30));
        assert_eq!((let_through(0), let_through(100)), (10_000, 0));
    }
}
