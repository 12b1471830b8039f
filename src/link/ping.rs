//! Ping nodes: ICMP echo whose data is the message we want to hear back (`wire.md` 7).
//!
//! Sends and recognises echoes; what they carry is signed and checked above. A host that does not answer is no fault
//! of the medium.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsFd;
use std::task::{Context, Poll};

use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use crate::clock::Clock;
use crate::sys;
use crate::time::Mono;

use super::datagram::{Datagram, DatagramReceiver, PacketHeader};

const HEADER: usize = 8;

/// How many packets that are not ours are looked at in one go.
const FOREIGN: usize = 64;

/// A ping medium before it is opened: the addresses of its hosts, already resolved.
#[derive(Clone, Debug)]
pub(super) struct PingPlan {
    pub(super) hosts: Vec<IpAddr>,
    /// Tells our echoes from those of other programs.
    pub(super) id: u16,
}

/// An open ping medium: one raw socket for each address family among its hosts.
#[derive(Debug)]
pub(super) struct Ping {
    v4: Option<DatagramReceiver>,
    v6: Option<DatagramReceiver>,
    hosts: Vec<IpAddr>,
    id: u16,
    next: u16,
    /// The request answered last: of a group's answers to one request only the first counts.
    answered: Option<u16>,
}

/// An answer to one of our requests: where its payload lies in the caller's buffer.
#[derive(Clone, Copy, Debug)]
pub(super) struct EchoReply {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) at: Mono,
}

impl PingPlan {
    /// Opens the raw sockets.
    pub(super) fn open(&self, clock: &Clock) -> io::Result<Ping> {
        let wants = |v4| self.hosts.iter().any(|host| host.is_ipv4() == v4);
        Ok(Ping {
            v4: wants(true).then(|| open_v4(clock)).transpose()?,
            v6: wants(false).then(|| open_v6(clock)).transpose()?,
            hosts: self.hosts.clone(),
            id: self.id,
            next: 0,
            answered: None,
        })
    }
}

impl Ping {
    /// Waits for an answer.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<EchoReply>> {
        for v6 in [false, true] {
            let mut foreign = 0;
            while let Some(receiver) = self.receiver(v6) {
                if foreign == FOREIGN {
                    // They come faster than we throw them away: whatever else is due has its turn first.
                    cx.waker().wake_by_ref();
                    break;
                }
                let Poll::Ready(got) = receiver.poll(cx, buffer) else { break };
                if let Some(echo) = self.recognise(got?, v6, buffer) {
                    return Poll::Ready(Ok(echo));
                }
                foreign += 1;
            }
        }
        Poll::Pending
    }

    /// Takes an answer if one is there; `WouldBlock` if not.
    pub(super) fn try_receive(&mut self, buffer: &mut [u8]) -> io::Result<EchoReply> {
        for v6 in [false, true] {
            // Bounded: foreign replies may come faster than we throw them away.
            for _ in 0..FOREIGN {
                let Some(receiver) = self.receiver(v6) else { break };
                let got = match receiver.try_receive(buffer) {
                    Err(e) if e.kind() == io::ErrorKind::WouldBlock => break,
                    result => result?,
                };
                if let Some(echo) = self.recognise(got, v6, buffer) {
                    return Ok(echo);
                }
            }
        }
        Err(io::ErrorKind::WouldBlock.into())
    }

    /// Sends one request to every host; an error only when it could be sent to none.
    pub(super) fn try_send(&mut self, payload: &[u8]) -> io::Result<()> {
        let sequence = self.next;
        self.next = self.next.wrapping_add(1);
        let mut result = Err(io::ErrorKind::NotFound.into());
        for host in &self.hosts {
            let receiver = if host.is_ipv4() { &self.v4 } else { &self.v6 };
            let Some(receiver) = receiver else { continue };
            let request = request(host.is_ipv4(), self.id, sequence, payload);
            let sent = receiver.socket().send_to(&request, &SockAddr::from(SocketAddr::new(*host, 0)));
            if sent.is_ok() || result.is_err() {
                result = sent.map(drop);
            }
        }
        result
    }

    fn receiver(&mut self, v6: bool) -> Option<&mut DatagramReceiver> {
        if v6 { self.v6.as_mut() } else { self.v4.as_mut() }
    }

    /// Whether this is the first answer of one of our hosts to one of our requests.
    fn recognise(&mut self, got: Datagram, v6: bool, buffer: &[u8]) -> Option<EchoReply> {
        if !got.from.is_some_and(|from| self.hosts.contains(&from)) {
            return None;
        }
        let packet = buffer.get(..got.length)?;
        let (sequence, start) = parse_reply(packet, v6, self.id)?;
        if self.answered.is_some_and(|last| !is_newer(sequence, last)) {
            return None;
        }
        self.answered = Some(sequence);
        Some(EchoReply { start, end: got.length, at: got.at })
    }
}

fn open_v4(clock: &Clock) -> io::Result<DatagramReceiver> {
    let socket = Socket::new(Domain::IPV4, Type::RAW.nonblocking().cloexec(), Some(Protocol::ICMPV4))?;
    sys::accept_only_icmp(socket.as_fd(), Types::V4.reply)?;
    DatagramReceiver::new(socket, PacketHeader::None, clock)
}

fn open_v6(clock: &Clock) -> io::Result<DatagramReceiver> {
    let socket = Socket::new(Domain::IPV6, Type::RAW.nonblocking().cloexec(), Some(Protocol::ICMPV6))?;
    sys::accept_only_icmp6(socket.as_fd(), Types::V6.reply)?;
    DatagramReceiver::new(socket, PacketHeader::None, clock)
}

/// The ICMP types of an echo.
struct Types {
    request: u8,
    reply: u8,
}

impl Types {
    const V4: Types = Types { request: 8, reply: 0 };
    const V6: Types = Types { request: 128, reply: 129 };
}

/// An echo request. The identifier goes out in host order, as the original writes it.
fn request(v4: bool, id: u16, sequence: u16, payload: &[u8]) -> Vec<u8> {
    let types = if v4 { Types::V4 } else { Types::V6 };
    let mut packet = Vec::with_capacity(HEADER + payload.len());
    packet.extend_from_slice(&[types.request, 0, 0, 0]);
    packet.extend_from_slice(&id.to_ne_bytes());
    packet.extend_from_slice(&sequence.to_be_bytes());
    packet.extend_from_slice(payload);
    if v4 {
        // ICMPv6 covers the addresses too, so there the kernel fills it in.
        let sum = checksum(&packet).to_be_bytes();
        packet[2..4].copy_from_slice(&sum);
    }
    packet
}

/// The sequence number and the start of the data, if this is an echo reply with our identifier.
pub(super) fn parse_reply(packet: &[u8], v6: bool, id: u16) -> Option<(u16, usize)> {
    let (types, start) = if v6 { (Types::V6, 0) } else { (Types::V4, usize::from(packet.first()? & 15) * 4) };
    let header: [u8; HEADER] = packet.get(start..start + HEADER)?.try_into().ok()?;
    let [kind, code, _, _, id0, id1, seq0, seq1] = header;
    let ours = kind == types.reply && code == 0 && u16::from_ne_bytes([id0, id1]) == id;
    ours.then_some((u16::from_be_bytes([seq0, seq1]), start + HEADER))
}

/// Whether `sequence` comes after `last` on a counter that wraps.
fn is_newer(sequence: u16, last: u16) -> bool {
    (1..0x8000).contains(&sequence.wrapping_sub(last))
}

/// The Internet checksum (RFC 1071) of a packet whose checksum field is zero.
fn checksum(bytes: &[u8]) -> u16 {
    let mut sum = 0_u32;
    for pair in bytes.chunks(2) {
        let low = pair.get(1).copied().unwrap_or(0);
        sum += u32::from(u16::from_be_bytes([pair[0], low]));
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum & 0xffff).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_checksum_of_a_known_packet() {
        // The example of RFC 1071 section 3: the sum is ddf2, so its complement is 220d.
        assert_eq!(checksum(&[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]), 0x220d);
    }

    #[test]
    fn an_answer_after_an_ip_header_with_options_is_read() {
        let mut packet = vec![0x46; 24];
        let mut reply = request(true, 77, 3, b"beat");
        reply[0] = 0;
        packet.extend(reply);
        assert_eq!(parse_reply(&packet, false, 77), Some((3, 32)));
        assert_eq!(parse_reply(&packet, false, 78), None);
    }

    #[test]
    fn our_own_request_is_not_an_answer() {
        assert_eq!(parse_reply(&request(false, 1, 0, b""), true, 1), None);
    }

    #[test]
    fn the_sequence_wraps() {
        assert!(is_newer(0, 0xffff));
        assert!(!is_newer(0xffff, 0));
        assert!(!is_newer(5, 5));
    }

    proptest! {
        #[test]
        fn any_packet_is_survived(packet in proptest::collection::vec(any::<u8>(), 0..100), v6: bool, id: u16) {
            if let Some((_, start)) = parse_reply(&packet, v6, id) {
                prop_assert!(start <= packet.len());
            }
        }

        #[test]
        fn a_request_with_its_checksum_sums_to_zero(payload in proptest::collection::vec(any::<u8>(), 0..100)) {
            prop_assert_eq!(checksum(&request(true, 9, 9, &payload)), 0);
        }
    }
}
