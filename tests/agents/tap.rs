//! What a host hears on its cable: every frame of one kind, by a packet socket.

use std::io::Read;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::{Duration, Instant};

use socket2::{Domain, Protocol, Socket, Type};

const ETH_P_ARP: u16 = 0x0806;
const ETH_P_IPV6: u16 = 0x86dd;

/// A packet socket of one protocol.
pub(crate) struct Tap(Socket);

/// An ARP packet: 1 asks, 2 answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Arp {
    pub(crate) operation: u8,
    pub(crate) sender_mac: [u8; 6],
    pub(crate) sender: Ipv4Addr,
    pub(crate) target: Ipv4Addr,
}

/// A neighbour message: 135 asks, 136 tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Neighbour {
    pub(crate) kind: u8,
    pub(crate) from: Ipv6Addr,
    pub(crate) target: Ipv6Addr,
}

impl Tap {
    /// Hears ARP in the namespace this thread is in.
    pub(crate) fn arp() -> Tap {
        Tap::of(ETH_P_ARP)
    }

    /// Hears IPv6 in the namespace this thread is in.
    pub(crate) fn ipv6() -> Tap {
        Tap::of(ETH_P_IPV6)
    }

    fn of(protocol: u16) -> Tap {
        let protocol = Protocol::from(i32::from(protocol.to_be()));
        Tap(Socket::new(Domain::PACKET, Type::DGRAM, Some(protocol)).unwrap())
    }

    /// What comes within `limit`, until `enough` packets are there; each with when it came.
    pub(crate) fn hear(&self, limit: Duration, enough: usize) -> Vec<(Duration, Vec<u8>)> {
        let begun = now();
        let mut heard = Vec::new();
        while heard.len() < enough {
            let Some(left) = limit.checked_sub(begun.elapsed()).filter(|left| !left.is_zero()) else { break };
            self.0.set_read_timeout(Some(left)).unwrap();
            let mut buffer = [0; 2000];
            if let Ok(length) = (&self.0).read(&mut buffer) {
                heard.push((begun.elapsed(), buffer[..length].to_vec()));
            }
        }
        heard
    }

    /// The same as ARP packets.
    pub(crate) fn hear_arp(&self, limit: Duration, enough: usize) -> Vec<Arp> {
        self.hear(limit, enough).iter().filter_map(|(_, bytes)| arp(bytes)).collect()
    }

    /// Neighbour messages about `target`.
    pub(crate) fn hear_about(&self, target: Ipv6Addr, limit: Duration) -> Vec<Neighbour> {
        let heard = self.hear(limit, usize::MAX);
        heard.iter().filter_map(|(_, bytes)| neighbour(bytes)).filter(|message| message.target == target).collect()
    }
}

#[allow(clippy::disallowed_methods, reason = "tests of real packets live in real time")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

fn arp(bytes: &[u8]) -> Option<Arp> {
    let ip = |at: usize| <[u8; 4]>::try_from(bytes.get(at..at + 4)?).ok().map(Ipv4Addr::from);
    let sender_mac = <[u8; 6]>::try_from(bytes.get(8..14)?).ok()?;
    Some(Arp { operation: *bytes.get(7)?, sender_mac, sender: ip(14)?, target: ip(24)? })
}

fn neighbour(bytes: &[u8]) -> Option<Neighbour> {
    let ip = |at: usize| <[u8; 16]>::try_from(bytes.get(at..at + 16)?).ok().map(Ipv6Addr::from);
    let kind = *bytes.get(40)?;
    (bytes[6] == 58 && matches!(kind, 135 | 136)).then_some(Neighbour { kind, from: ip(8)?, target: ip(48)? })
}
