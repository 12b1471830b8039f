//! Reading one datagram with its arrival time from a UDP or raw socket.
//!
//! Knows nothing of what is inside. Arrival is the kernel's stamp, not the moment of reading: after a stall of ours the
//! peer's punctual packets must still count as punctual.

use std::io::{self, IoSliceMut};
use std::net::IpAddr;
use std::ops::Range;
use std::os::fd::AsRawFd;
use std::task::{Context, Poll};

use nix::errno::Errno;
use nix::sys::socket::sockopt::{RcvBuf, RcvBufForce, ReceiveTimestampns};
use nix::sys::socket::{ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, setsockopt};
use socket2::Socket;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use crate::clock::Clock;
use crate::sys;
use crate::time::Mono;

/// The largest datagram we take; what is longer is cut and fails its signature.
pub(super) const LARGEST: usize = 65_536;

/// Room for a burst of some five thousand heartbeats while we cannot read.
const RECEIVE_BUFFER: usize = 4 << 20;

/// One datagram, its bytes being at the front of the caller's buffer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Datagram {
    pub(super) length: usize,
    pub(super) at: Mono,
    pub(super) from: Option<IpAddr>,
}

/// What a socket puts before the bytes that were sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PacketHeader {
    /// Nothing, or what its reader knows of.
    None,
    /// A UDP header, of this port, and over IPv4 an IP header before it: a raw socket.
    Udp { port: u16, ip: bool },
}

impl PacketHeader {
    /// Where the payload is in what was read; `None` for what is not for us.
    fn open(self, packet: &[u8]) -> Option<Range<usize>> {
        const UDP_HEADER: usize = 8;
        let PacketHeader::Udp { port, ip } = self else { return Some(0..packet.len()) };
        let start = if ip { usize::from(packet.first()? & 0x0f) * 4 } else { 0 };
        let word = |at: usize| Some(u16::from_be_bytes([*packet.get(start + at)?, *packet.get(start + at + 1)?]));
        let length = usize::from(word(4)?).checked_sub(UDP_HEADER)?;
        let payload = start + UDP_HEADER..start + UDP_HEADER + length;
        (word(2)? == port && packet.get(payload.clone()).is_some()).then_some(payload)
    }
}

/// The receiving end of a medium that carries datagrams.
#[derive(Debug)]
pub(super) struct DatagramReceiver {
    socket: AsyncFd<Socket>,
    header: PacketHeader,
    clock: Clock,
    /// When the socket was last found empty: nothing read later can have arrived before.
    empty_at: Mono,
}

impl DatagramReceiver {
    /// Takes a bound, non-blocking socket; asks for stamps and a large buffer.
    pub(super) fn new(socket: Socket, header: PacketHeader, clock: &Clock) -> io::Result<DatagramReceiver> {
        // Without CAP_NET_ADMIN the buffer is as large as net.core.rmem_max lets it be.
        if setsockopt(&socket, RcvBufForce, &RECEIVE_BUFFER).is_err() {
            setsockopt(&socket, RcvBuf, &RECEIVE_BUFFER)?;
        }
        setsockopt(&socket, ReceiveTimestampns, &true)?;
        Ok(DatagramReceiver {
            socket: sys::watch(socket, Interest::READABLE)?,
            header,
            clock: *clock,
            empty_at: clock.mono(),
        })
    }

    /// Waits for a datagram.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<Datagram>> {
        loop {
            let mut ready = match self.socket.poll_read_ready(cx) {
                Poll::Ready(ready) => ready?,
                Poll::Pending => return Poll::Pending,
            };
            match read(ready.get_inner(), self.header, &self.clock, self.empty_at, buffer) {
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                    ready.clear_ready();
                    self.empty_at = self.clock.mono();
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                result => return Poll::Ready(result),
            }
        }
    }

    /// Takes a datagram if one is there; `WouldBlock` if not.
    pub(super) fn try_receive(&mut self, buffer: &mut [u8]) -> io::Result<Datagram> {
        // Bounded: whoever provokes complaints must not hold us here.
        for _ in 0..16 {
            let looked_at = self.clock.mono();
            match read(self.socket.get_ref(), self.header, &self.clock, self.empty_at, buffer) {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                    self.empty_at = looked_at;
                    return Err(e);
                }
                result => return result,
            }
        }
        Err(io::ErrorKind::WouldBlock.into())
    }

    /// The socket itself, for media that send through it too.
    pub(super) fn socket(&self) -> &Socket {
        self.socket.get_ref()
    }
}

/// One `recvmsg`; `Interrupted` for what is not for us, and for a complaint about some earlier packet of ours, which reading
/// has cleared.
fn read(
    socket: &Socket,
    header: PacketHeader,
    clock: &Clock,
    not_before: Mono,
    buffer: &mut [u8],
) -> io::Result<Datagram> {
    match read_once(socket, clock, not_before, buffer) {
        Ok(got) if header != PacketHeader::None => {
            let payload =
                header.open(buffer.get(..got.length).unwrap_or_default()).ok_or(io::ErrorKind::Interrupted)?;
            let length = payload.len();
            buffer.copy_within(payload, 0);
            Ok(Datagram { length, ..got })
        }
        Err(Errno::ECONNREFUSED | Errno::EHOSTUNREACH | Errno::ENETUNREACH | Errno::EMSGSIZE) => {
            Err(io::ErrorKind::Interrupted.into())
        }
        result => result.map_err(io::Error::from),
    }
}

fn read_once(socket: &Socket, clock: &Clock, not_before: Mono, buffer: &mut [u8]) -> Result<Datagram, Errno> {
    let mut control = [0_u8; 64];
    let mut parts = [IoSliceMut::new(buffer)];
    let flags = MsgFlags::MSG_DONTWAIT;
    let got = recvmsg::<SockaddrStorage>(socket.as_raw_fd(), &mut parts, Some(&mut control), flags)?;
    let stamp = got
        .cmsgs()?
        .find_map(|message| if let ControlMessageOwned::ScmTimestampns(stamp) = message { Some(stamp) } else { None });
    let at = match stamp {
        Some(stamp) => clock.arrival(stamp.into(), not_before),
        None => clock.mono(),
    };
    Ok(Datagram { length: got.bytes, at, from: got.address.as_ref().and_then(sender) })
}

fn sender(address: &SockaddrStorage) -> Option<IpAddr> {
    let v4 = address.as_sockaddr_in().map(|v4| IpAddr::V4(v4.ip()));
    v4.or_else(|| address.as_sockaddr_in6().map(|v6| IpAddr::V6(v6.ip())))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_raw_socket_gives_what_was_sent_to_our_port() {
        let udp = [&[0x04, 0x00, 0x06, 0x9e, 0x00, 0x0b, 0x00, 0x00][..], b"abc"].concat();
        let ip = [&[0x46][..], &[0; 23], &udp].concat();
        let (v4, v6) = (PacketHeader::Udp { port: 1694, ip: true }, PacketHeader::Udp { port: 1694, ip: false });
        assert_eq!(v4.open(&ip).map(|payload| &ip[payload]), Some(&b"abc"[..]));
        assert_eq!(v6.open(&udp).map(|payload| &udp[payload]), Some(&b"abc"[..]));
        assert_eq!(PacketHeader::Udp { port: 694, ip: false }.open(&udp), None);
        assert_eq!(v4.open(&ip[..ip.len() - 1]), None);
        assert_eq!(PacketHeader::None.open(&udp), Some(0..11));
    }

    proptest! {
        #[test]
        fn any_packet_is_opened_within_its_bounds(packet in prop::collection::vec(any::<u8>(), 0..80), ip: bool, port: u16) {
            if let Some(payload) = (PacketHeader::Udp { port, ip }).open(&packet) {
                prop_assert!(payload.end <= packet.len());
            }
        }
    }
}
