//! ARP: "this address is here now", in the request and in the reply form, because some switches and routers take only one
//! of them; and the probe that asks who else has it (RFC 5227).

use std::io::{self, Read};
use std::net::Ipv4Addr;

use socket2::{Domain, Protocol, SockFilter, Socket, Type};

use crate::sys;

use super::filter;

const ETH_P_ARP: u16 = 0x0806;
/// Where the sender's address is in an ARP packet.
const SENDER_IP: u32 = 14;
/// More addresses at a time are not listened for: a jump in a filter reaches no further.
const MOST_WATCHED: usize = 200;

/// An open packet socket, deaf until somebody is to be listened for.
#[derive(Debug)]
pub(super) struct ArpSocket(Socket);

impl ArpSocket {
    pub(super) fn open() -> io::Result<ArpSocket> {
        // Protocol 0 hears nothing: the filter is in place before the first packet could be queued.
        let socket = Socket::new(Domain::PACKET, Type::DGRAM.cloexec().nonblocking(), Some(Protocol::from(0)))?;
        let arp = ArpSocket(socket);
        arp.listen_for(&[])?;
        arp.0.bind(&sys::packet_address(0, ETH_P_ARP, &[])?)?;
        Ok(arp)
    }

    /// Says that `ip` is at `mac`, to everybody on the interface.
    pub(super) fn announce(&self, index: u32, mac: [u8; 6], ip: Ipv4Addr) -> io::Result<()> {
        let everybody = sys::packet_address(index, ETH_P_ARP, &[0xff; 6])?;
        self.0.send_to(&packet(1, mac, ip, [0; 6], ip), &everybody)?;
        self.0.send_to(&packet(2, mac, ip, mac, ip), &everybody).map(drop)
    }

    /// Asks who has `ip`, in nobody's name: it changes no cache.
    pub(super) fn probe(&self, index: u32, mac: [u8; 6], ip: Ipv4Addr) -> io::Result<()> {
        let everybody = sys::packet_address(index, ETH_P_ARP, &[0xff; 6])?;
        self.0.send_to(&packet(1, mac, Ipv4Addr::UNSPECIFIED, [0; 6], ip), &everybody).map(drop)
    }

    /// From now on hears packets whose sender claims one of these addresses, and no others.
    pub(super) fn listen_for(&self, addresses: &[Ipv4Addr]) -> io::Result<()> {
        let watched = &addresses[..addresses.len().min(MOST_WATCHED)];
        let mut program = vec![filter::load_word(SENDER_IP)];
        for (done, ip) in watched.iter().enumerate() {
            let accept = u8::try_from(watched.len() - done).unwrap_or(u8::MAX);
            program.push(filter::if_equal(u32::from(*ip), accept, 0));
        }
        program.extend([filter::REJECT, filter::ACCEPT].map(|end: fn() -> SockFilter| end()));
        self.0.attach_filter(&program)
    }

    /// The claims among the next packets that were heard, no more than `most` of them: which address, and where it is said
    /// to be. Packets that are no claim count too, for they may come faster than they are read.
    pub(super) fn heard(&self, most: usize) -> Vec<(Ipv4Addr, [u8; 6])> {
        let mut buffer = [0; 128];
        let mut next = || (&self.0).read(&mut buffer).ok().map(|length| parse(buffer.get(..length)?));
        (0..most).map_while(|_| next()).flatten().collect()
    }
}

fn packet(operation: u8, mac: [u8; 6], sender: Ipv4Addr, target_mac: [u8; 6], target: Ipv4Addr) -> Vec<u8> {
    [&[0, 1, 8, 0, 6, 4, 0, operation][..], &mac, &sender.octets(), &target_mac, &target.octets()].concat()
}

/// Sender of an ARP packet for IPv4 on Ethernet.
pub(super) fn parse(bytes: &[u8]) -> Option<(Ipv4Addr, [u8; 6])> {
    if bytes.len() < 28 || bytes[..6] != [0, 1, 8, 0, 6, 4] {
        return None;
    }
    let mac = <[u8; 6]>::try_from(&bytes[8..14]).ok()?;
    let ip = <[u8; 4]>::try_from(&bytes[14..18]).ok()?;
    Some((Ipv4Addr::from(ip), mac))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MAC: [u8; 6] = [1, 2, 3, 4, 5, 6];

    #[test]
    fn an_announcement_names_the_address_as_sender_and_as_target() {
        let ip = Ipv4Addr::new(10, 9, 1, 100);
        let bytes = packet(2, MAC, ip, MAC, ip);
        assert_eq!(bytes.len(), 28);
        assert_eq!(bytes[7], 2);
        assert_eq!(bytes[8..18], [1, 2, 3, 4, 5, 6, 10, 9, 1, 100]);
        assert_eq!(bytes[24..28], [10, 9, 1, 100]);
        assert_eq!(parse(&bytes), Some((ip, MAC)));
    }

    proptest! {
        #[test]
        fn no_packet_makes_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            let _ = parse(&bytes);
        }
    }
}
