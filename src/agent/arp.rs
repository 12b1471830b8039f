//! Gratuitous ARP: "this address is here now", in the request and in the reply form, because some switches and routers
//! take only one of them.

use std::io;
use std::net::Ipv4Addr;

use socket2::{Domain, Protocol, Socket, Type};

use crate::sys;

const ETH_P_ARP: u16 = 0x0806;

/// An open packet socket.
#[derive(Debug)]
pub(crate) struct ArpSocket(Socket);

impl ArpSocket {
    pub(crate) fn open() -> io::Result<ArpSocket> {
        // Protocol 0: it only sends, nothing is queued for it.
        let socket = Socket::new(Domain::PACKET, Type::DGRAM.cloexec().nonblocking(), Some(Protocol::from(0)))?;
        Ok(ArpSocket(socket))
    }

    /// Says that `ip` is at `mac`, to everybody on the interface.
    pub(crate) fn announce(&self, index: u32, mac: [u8; 6], ip: Ipv4Addr) -> io::Result<()> {
        let everybody = sys::packet_address(index, ETH_P_ARP, &[0xff; 6])?;
        for operation in [1, 2] {
            self.0.send_to(&packet(operation, mac, ip), &everybody)?;
        }
        Ok(())
    }
}

/// Sender and target are the address itself.
fn packet(operation: u8, mac: [u8; 6], ip: Ipv4Addr) -> Vec<u8> {
    let target = if operation == 1 { [0; 6] } else { mac };
    [&[0, 1, 8, 0, 6, 4, 0, operation][..], &mac, &ip.octets(), &target, &ip.octets()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_announcement_names_the_address_as_sender_and_as_target() {
        let bytes = packet(2, [1, 2, 3, 4, 5, 6], Ipv4Addr::new(10, 9, 1, 100));
        assert_eq!(bytes.len(), 28);
        assert_eq!(bytes[7], 2);
        assert_eq!(bytes[8..18], [1, 2, 3, 4, 5, 6, 10, 9, 1, 100]);
        assert_eq!(bytes[24..28], [10, 9, 1, 100]);
    }
}
