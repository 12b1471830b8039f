//! The UDP media: broadcast, multicast and unicast, over IPv4 and IPv6 (`wire.md` 7).
//!
//! Carries bytes; looks at nothing inside and at no source address. Like the original, each medium has a socket that
//! listens on the port and another, with a port of its own choosing, that sends.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::os::fd::AsFd;
use std::task::{Context, Poll};

use nix::sys::socket::setsockopt;
use nix::sys::socket::sockopt::{DontRoute, SndBufForce};
use socket2::{Domain, InterfaceIndexOrAddress, Protocol, SockAddr, SockFilter, Socket, Type};

use crate::clock::Clock;
use crate::sys;

use super::datagram::{Datagram, DatagramReceiver, PacketHeader};
use super::interface::{self, Interface};
use super::{InterfaceChange, Urgency, port_holders};

/// Type of service `IPTOS_LOWDELAY`, which the original asks for on `ucast`.
const LOW_DELAY: u32 = 0x10;

/// `TC_PRIO_INTERACTIVE`: the first band of the kernel's queues; not visible on the wire.
const INTERACTIVE: u32 = 6;

/// With more than this in the kernel, nothing that can wait is added: a heartbeat always finds room.
const BULK_MOST: usize = 64 << 10;

/// Room for what is added then, the largest datagram among it.
const SEND_BUFFER: usize = 1 << 20;

/// Where a UDP medium sends to, names already resolved.
#[derive(Clone, Debug)]
pub(super) enum UdpTarget {
    Broadcast,
    Multicast { group: Ipv4Addr, ttl: u8, looped: bool },
    Unicast(Ipv4Addr),
    Multicast6 { group: Ipv6Addr, hops: Option<u8>, looped: bool },
    Unicast6(Ipv6Addr),
}

/// A UDP medium before it is opened; opening it never asks a resolver.
#[derive(Clone, Debug)]
pub(super) struct UdpPlan {
    pub(super) interface: String,
    pub(super) port: u16,
    pub(super) target: UdpTarget,
}

/// An open UDP medium.
#[derive(Debug)]
pub(super) struct Udp {
    receiver: DatagramReceiver,
    sending_socket: Socket,
    /// Something that can wait was sent, and may not have left yet.
    has_bulk: bool,
    to: SockAddr,
    plan: UdpPlan,
    seen: Interface,
}

impl UdpPlan {
    /// Opens both sockets on the interface as it is now.
    pub(super) fn open(&self, clock: &Clock) -> io::Result<Udp> {
        let seen = self.look()?;
        let (sending_socket, to) = self.sender(&seen)?;
        // Without CAP_NET_ADMIN what the kernel gives everybody has to do.
        let _ = setsockopt(&sending_socket, SndBufForce, &SEND_BUFFER);
        let receiver = match self.listener(&seen, Type::DGRAM) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && !port_holders::is_roots(self.port) => {
                log::warn!("UDP port {} is held by another user of this machine: listening past him", self.port);
                let header = PacketHeader::Udp { port: self.port, ip: self.domain() == Domain::IPV4 };
                DatagramReceiver::new(self.listener(&seen, Type::RAW)?, header, clock)?
            }
            socket => DatagramReceiver::new(socket?, PacketHeader::None, clock)?,
        };
        Ok(Udp { receiver, sending_socket, has_bulk: false, to: to.into(), plan: self.clone(), seen })
    }

    /// The interface as it is now, as far as this medium depends on it: an address that comes and goes with a resource
    /// must not make us open what is open.
    fn look(&self) -> io::Result<Interface> {
        match self.target {
            UdpTarget::Broadcast => {
                let found = interface::look_up_with_address(&self.interface)?;
                Ok(Interface { address: None, ..found })
            }
            UdpTarget::Multicast { .. } => {
                let found = interface::look_up_with_address(&self.interface)?;
                Ok(Interface { broadcast: None, ..found })
            }
            UdpTarget::Unicast(_) | UdpTarget::Multicast6 { .. } | UdpTarget::Unicast6(_) => {
                interface::look_up(&self.interface)
            }
        }
    }

    fn sender(&self, on: &Interface) -> io::Result<(Socket, SocketAddr)> {
        let socket = open(self.domain(), Type::DGRAM)?;
        // Nobody reads this socket: what is sent to it must not take memory.
        socket.set_recv_buffer_size(0)?;
        // A heartbeat overtakes what the disks copy to each other over the same interface.
        socket.set_priority(INTERACTIVE)?;
        let to = match &self.target {
            UdpTarget::Broadcast => {
                let to = on.broadcast.ok_or_else(|| other("the interface has no IPv4 broadcast address"))?;
                socket.set_broadcast(true)?;
                setsockopt(&socket, DontRoute, &true)?;
                socket.bind_device(Some(self.interface.as_bytes()))?;
                SocketAddr::V4(SocketAddrV4::new(to, self.port))
            }
            UdpTarget::Multicast { group, ttl, looped } => {
                socket.set_multicast_if_v4(&address(on)?)?;
                socket.set_multicast_ttl_v4((*ttl).into())?;
                socket.set_multicast_loop_v4(*looped)?;
                SocketAddr::V4(SocketAddrV4::new(*group, self.port))
            }
            UdpTarget::Unicast(to) => {
                socket.set_tos_v4(LOW_DELAY)?;
                socket.bind_device(Some(self.interface.as_bytes()))?;
                SocketAddr::V4(SocketAddrV4::new(*to, self.port))
            }
            UdpTarget::Multicast6 { group, hops, looped } => {
                socket.set_multicast_if_v6(on.index)?;
                if let Some(hops) = hops {
                    socket.set_multicast_hops_v6((*hops).into())?;
                }
                socket.set_multicast_loop_v6(*looped)?;
                SocketAddr::V6(SocketAddrV6::new(*group, self.port, 0, on.index))
            }
            UdpTarget::Unicast6(to) => {
                socket.set_tclass_v6(LOW_DELAY)?;
                socket.bind_device(Some(self.interface.as_bytes()))?;
                SocketAddr::V6(SocketAddrV6::new(*to, self.port, 0, scope(*to, on)))
            }
        };
        Ok((socket, to))
    }

    /// An ordinary socket for the port; or a raw one, which hears what comes for it whoever holds it.
    fn listener(&self, on: &Interface, kind: Type) -> io::Result<Socket> {
        let socket = open(self.domain(), kind)?;
        if kind == Type::RAW {
            take_one_port(&socket, self.domain(), self.port, matches!(self.target, UdpTarget::Broadcast))?;
        } else {
            share_with_our_own(&socket)?;
        }
        let (any4, any6) = (Ipv4Addr::UNSPECIFIED, Ipv6Addr::UNSPECIFIED);
        let bind_to = match &self.target {
            UdpTarget::Broadcast => {
                socket.bind_device(Some(self.interface.as_bytes()))?;
                // A kernel without it only costs us the reading of our own messages.
                if kind == Type::DGRAM {
                    let _ = deafen_to_ourselves(&socket);
                }
                SocketAddr::V4(SocketAddrV4::new(any4, self.port))
            }
            UdpTarget::Unicast(_) => {
                socket.bind_device(Some(self.interface.as_bytes()))?;
                SocketAddr::V4(SocketAddrV4::new(any4, self.port))
            }
            UdpTarget::Multicast { group, .. } => {
                // Only what came in on our own interface: with the kernel's default, a second interface that joined
                // the same group would keep this link looking alive after its cable was cut. And two sockets that share
                // a port without a device are one to the kernel, which gives a packet to either.
                socket.set_multicast_all_v4(false)?;
                socket.bind_device(Some(self.interface.as_bytes()))?;
                socket.join_multicast_v4_n(group, &InterfaceIndexOrAddress::Index(on.index))?;
                SocketAddr::V4(SocketAddrV4::new(*group, self.port))
            }
            UdpTarget::Unicast6(_) => {
                socket.bind_device(Some(self.interface.as_bytes()))?;
                SocketAddr::V6(SocketAddrV6::new(any6, self.port, 0, 0))
            }
            UdpTarget::Multicast6 { group, .. } => {
                // IPv6 does not compare the interface of a membership, hence the binding to the device.
                socket.bind_device(Some(self.interface.as_bytes()))?;
                socket.join_multicast_v6(group, on.index)?;
                SocketAddr::V6(SocketAddrV6::new(*group, self.port, 0, on.index))
            }
        };
        // To a raw socket a port means nothing.
        socket.bind(&bind_to.into())?;
        Ok(socket)
    }

    fn domain(&self) -> Domain {
        match self.target {
            UdpTarget::Broadcast | UdpTarget::Multicast { .. } | UdpTarget::Unicast(_) => Domain::IPV4,
            UdpTarget::Multicast6 { .. } | UdpTarget::Unicast6(_) => Domain::IPV6,
        }
    }
}

/// Several media may listen on one port of one interface, but nobody else: with `SO_REUSEADDR`, which the original sets,
/// any user could open a port above 1023 a second time, and have what is meant for us.
fn share_with_our_own(socket: &Socket) -> io::Result<()> {
    match socket.set_reuse_port(true) {
        // Before Linux 3.9.
        Err(error) if error.raw_os_error() == Some(libc::ENOPROTOOPT) => socket.set_reuse_address(true),
        set => set,
    }
}

impl Udp {
    /// Waits for a datagram.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<Datagram>> {
        self.receiver.poll(cx, buffer)
    }

    /// Takes a datagram if one is there.
    pub(super) fn try_receive(&mut self, buffer: &mut [u8]) -> io::Result<Datagram> {
        self.receiver.try_receive(buffer)
    }

    /// Sends one datagram, or does not; what can wait leaves room for what cannot.
    pub(super) fn try_send(&mut self, frame: &[u8], urgency: Urgency) -> io::Result<()> {
        if urgency >= Urgency::Again {
            if !self.has_room() {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            self.has_bulk = true;
        }
        self.sending_socket.send_to(frame, &self.to).map(drop)
    }

    /// Whether the interface keeps up with what it is given.
    pub(super) fn has_room(&mut self) -> bool {
        // Without bulk there is nothing to ask the kernel about.
        if self.has_bulk {
            let unsent = sys::unsent(self.sending_socket.as_fd()).unwrap_or(0);
            self.has_bulk = unsent > 0;
            return unsent < BULK_MOST;
        }
        true
    }

    /// What became of the interface since the sockets were opened.
    pub(super) fn change(&self) -> InterfaceChange {
        match self.plan.look() {
            Ok(now) if now == self.seen => InterfaceChange::Same,
            Ok(_) => InterfaceChange::Changed,
            Err(error) if error.kind() == io::ErrorKind::NotFound => InterfaceChange::Gone,
            // Not being able to look says nothing about the interface.
            Err(_) => InterfaceChange::Same,
        }
    }
}

fn open(domain: Domain, kind: Type) -> io::Result<Socket> {
    let socket = Socket::new(domain, kind.nonblocking().cloexec(), Some(Protocol::UDP))?;
    if domain == Domain::IPV6 {
        socket.set_only_v6(true)?;
    }
    Ok(socket)
}

fn address(on: &Interface) -> io::Result<Ipv4Addr> {
    on.address.ok_or_else(|| other("the interface has no IPv4 address"))
}

/// Link-local addresses mean nothing without an interface.
fn scope(to: Ipv6Addr, on: &Interface) -> u32 {
    if to.is_unicast_link_local() { on.index } else { 0 }
}

// linux/filter.h: the ancillary word at SKF_AD_OFF + SKF_AD_PKTTYPE; linux/if_packet.h: PACKET_LOOPBACK.
const PACKET_TYPE: u32 = (-0x1000_i32 + 4).cast_unsigned();
const LOOPED_BACK: u32 = 5;
const LOAD_WORD: u16 = 0x20;
const LOAD_HALF: u16 = 0x28;
const LOAD_HALF_BEHIND_X: u16 = 0x48;
const X_IS: u16 = 0x01;
const X_IS_IP_HEADER_LENGTH: u16 = 0xb1;
const JUMP_IF_EQUAL: u16 = 0x15;
const RETURN: u16 = 0x06;

/// Has a raw socket for UDP give no more than what comes for one port.
fn take_one_port(socket: &Socket, domain: Domain, port: u16, is_deaf_to_ourselves: bool) -> io::Result<()> {
    // Over IPv6 the kernel leaves the IP header out.
    let (x, load) =
        if domain == Domain::IPV4 { (X_IS_IP_HEADER_LENGTH, LOAD_HALF_BEHIND_X) } else { (X_IS, LOAD_HALF) };
    socket.attach_filter(&[
        SockFilter::new(LOAD_WORD, 0, 0, PACKET_TYPE),
        SockFilter::new(JUMP_IF_EQUAL, if is_deaf_to_ourselves { 3 } else { 0 }, 0, LOOPED_BACK),
        SockFilter::new(x, 0, 0, 0),
        SockFilter::new(load, 0, 0, 2),
        SockFilter::new(JUMP_IF_EQUAL, 1, 0, port.into()),
        SockFilter::new(RETURN, 0, 0, 0),
        SockFilter::new(RETURN, 0, 0, u32::MAX),
    ])
}

/// Refuses the copies of our own broadcasts that the kernel hands back to every listener of this machine: each would
/// wake us for nothing. Somebody else's message is never one, whatever address it claims to come from.
fn deafen_to_ourselves(socket: &Socket) -> io::Result<()> {
    socket.attach_filter(&[
        SockFilter::new(LOAD_WORD, 0, 0, PACKET_TYPE),
        SockFilter::new(JUMP_IF_EQUAL, 0, 1, LOOPED_BACK),
        SockFilter::new(RETURN, 0, 0, 0),
        SockFilter::new(RETURN, 0, 0, u32::MAX),
    ])
}

fn other(why: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::AddrNotAvailable, why)
}
