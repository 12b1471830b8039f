//! Neighbour discovery, the little of it an IPv6 address that moves needs (RFC 4861, 4862): the unsolicited neighbour
//! advertisement and the solicitation that asks who else has the address.

use std::io::{self, Read};
use std::net::Ipv6Addr;

use socket2::{Domain, Protocol, Socket, Type};

use crate::sys;

use super::filter;

const ETH_P_IPV6: u16 = 0x86dd;
const ICMPV6: u8 = 58;
const SOLICITATION: u8 = 135;
const ADVERTISEMENT: u8 = 136;
/// "Forget what you knew": the flag of an advertisement that moves an address.
const OVERRIDE: u8 = 0x20;
const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
/// Of the IPv6 header, and so the offset of the ICMPv6 message.
const HEADER: usize = 40;
const TARGET_LINK_ADDRESS: u8 = 2;

/// An open packet socket, deaf until advertisements are to be heard.
#[derive(Debug)]
pub(super) struct NdSocket(Socket);

impl NdSocket {
    pub(super) fn open() -> io::Result<NdSocket> {
        let socket = Socket::new(Domain::PACKET, Type::DGRAM.cloexec().nonblocking(), Some(Protocol::from(0)))?;
        let nd = NdSocket(socket);
        nd.listen(false)?;
        nd.0.bind(&sys::packet_address(0, ETH_P_IPV6, &[])?)?;
        Ok(nd)
    }

    /// Says that `ip` is at `mac`, to everybody on the interface.
    pub(super) fn announce(&self, index: u32, mac: [u8; 6], ip: Ipv6Addr) -> io::Result<()> {
        self.send(index, &advertisement(mac, ip), ALL_NODES)
    }

    /// Asks who has `ip`, in nobody's name.
    pub(super) fn probe(&self, index: u32, ip: Ipv6Addr) -> io::Result<()> {
        let group = solicited_node(ip);
        let message = [&[SOLICITATION, 0, 0, 0, 0, 0, 0, 0][..], &ip.octets()].concat();
        self.send(index, &packet(Ipv6Addr::UNSPECIFIED, group, message), group)
    }

    fn send(&self, index: u32, packet: &[u8], group: Ipv6Addr) -> io::Result<()> {
        let last = group.octets();
        let hardware = [0x33, 0x33, last[12], last[13], last[14], last[15]];
        self.0.send_to(packet, &sys::packet_address(index, ETH_P_IPV6, &hardware)?).map(drop)
    }

    /// Whether advertisements are heard from now on.
    pub(super) fn listen(&self, heard: bool) -> io::Result<()> {
        let reject = filter::REJECT;
        if !heard {
            return self.0.attach_filter(&[reject()]);
        }
        let is = |offset, value: u8, skip| [filter::load_byte(offset), filter::if_equal(value.into(), 0, skip)];
        let mut program = Vec::new();
        // Next header, hop limit (no router let it through) and the message's type.
        program.extend(is(6, ICMPV6, 5));
        program.extend(is(7, 255, 3));
        program.extend(is(40, ADVERTISEMENT, 1));
        program.extend([(filter::ACCEPT)(), reject()]);
        self.0.attach_filter(&program)
    }

    /// The claims among the next packets that were heard, no more than `most` of them: which address, and where it is said
    /// to be, when that was said. Packets that are no claim count too, for they may come faster than they are read.
    pub(super) fn heard(&self, most: usize) -> Vec<(Ipv6Addr, Option<[u8; 6]>)> {
        let mut buffer = [0; 256];
        let mut next = || (&self.0).read(&mut buffer).ok().map(|length| parse(buffer.get(..length)?));
        (0..most).map_while(|_| next()).flatten().collect()
    }
}

fn solicited_node(ip: Ipv6Addr) -> Ipv6Addr {
    let low = u128::from(ip) & 0x00ff_ffff;
    Ipv6Addr::from(u128::from(Ipv6Addr::new(0xff02, 0, 0, 0, 0, 1, 0xff00, 0)) | low)
}

fn advertisement(mac: [u8; 6], ip: Ipv6Addr) -> Vec<u8> {
    let message =
        [&[ADVERTISEMENT, 0, 0, 0, OVERRIDE, 0, 0, 0][..], &ip.octets(), &[TARGET_LINK_ADDRESS, 1], &mac].concat();
    packet(ip, ALL_NODES, message)
}

/// The message behind its IPv6 header, summed up.
fn packet(source: Ipv6Addr, destination: Ipv6Addr, mut message: Vec<u8>) -> Vec<u8> {
    let length = u16::try_from(message.len()).unwrap_or(0).to_be_bytes();
    let pseudo = [&source.octets()[..], &destination.octets(), &[0, 0], &length, &[0, 0, 0, ICMPV6]].concat();
    let sum = checksum(pseudo.iter().chain(&message).copied());
    message[2..4].copy_from_slice(&sum.to_be_bytes());
    let head = [0x60, 0, 0, 0, length[0], length[1], ICMPV6, 255];
    [&head[..], &source.octets(), &destination.octets(), &message].concat()
}

fn checksum(bytes: impl Iterator<Item = u8>) -> u16 {
    let mut sum = bytes.enumerate().fold(0_u32, |sum, (at, byte)| {
        let shifted = if at % 2 == 0 { u32::from(byte) << 8 } else { u32::from(byte) };
        sum.wrapping_add(shifted)
    });
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).unwrap_or(0)
}

pub(super) fn parse(bytes: &[u8]) -> Option<(Ipv6Addr, Option<[u8; 6]>)> {
    let message = bytes.get(HEADER..)?;
    if *bytes.get(6)? != ICMPV6 || *message.first()? != ADVERTISEMENT {
        return None;
    }
    let target = <[u8; 16]>::try_from(message.get(8..24)?).ok()?;
    let mut options = message.get(24..)?;
    let mut mac = None;
    while let [kind, units, ..] = options {
        let length = usize::from(*units) * 8;
        if length == 0 {
            break;
        }
        if *kind == TARGET_LINK_ADDRESS {
            mac = options.get(2..8).and_then(|bytes| bytes.try_into().ok());
        }
        options = options.get(length..).unwrap_or(&[]);
    }
    Some((Ipv6Addr::from(target), mac))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MAC: [u8; 6] = [2, 2, 3, 4, 5, 6];

    fn ip() -> Ipv6Addr {
        "fd00::12:3456".parse().unwrap()
    }

    #[test]
    fn an_advertisement_names_address_and_hardware_and_sums_to_nothing() {
        let bytes = advertisement(MAC, ip());
        assert_eq!(parse(&bytes), Some((ip(), Some(MAC))));
        assert_eq!(bytes.len(), 40 + 32);
        let length = [0, 0, 0, 32, 0, 0, 0, ICMPV6];
        assert_eq!(checksum(bytes[8..40].iter().chain(&length).chain(&bytes[40..]).copied()), 0);
    }

    #[test]
    fn a_probe_goes_to_those_who_could_have_the_address() {
        assert_eq!(solicited_node(ip()), "ff02::1:ff12:3456".parse::<Ipv6Addr>().unwrap());
    }

    proptest! {
        #[test]
        fn no_packet_makes_it_panic(mut bytes in proptest::collection::vec(any::<u8>(), 0..120), forced: bool) {
            if forced && bytes.len() > 40 {
                (bytes[6], bytes[40]) = (ICMPV6, ADVERTISEMENT);
            }
            let _ = parse(&bytes);
        }
    }
}
