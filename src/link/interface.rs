//! What the kernel says about a network interface right now.
//!
//! Only looks; never waits. Read again at each reopening, because an interface may vanish and come back as another one
//! of the same name, or with other addresses.

use std::io;
use std::net::Ipv4Addr;

use nix::ifaddrs::getifaddrs;
use nix::sys::socket::SockaddrStorage;

/// One interface at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Interface {
    /// The kernel's number for it; another one after it was deleted and made again.
    pub(super) index: u32,
    /// Its first IPv4 address.
    pub(super) address: Option<Ipv4Addr>,
    /// The broadcast address that goes with it.
    pub(super) broadcast: Option<Ipv4Addr>,
}

/// Looks `name` up, without its addresses; `NotFound` when there is no such interface.
pub(super) fn look_up(name: &str) -> io::Result<Interface> {
    let index = nix::net::if_::if_nametoindex(name)
        .map_err(|_| io::Error::new(io::ErrorKind::NotFound, "no such network interface"))?;
    Ok(Interface { index, address: None, broadcast: None })
}

/// Looks `name` up, with its first IPv4 address.
pub(super) fn look_up_with_address(name: &str) -> io::Result<Interface> {
    let mut found = look_up(name)?;
    // An alias such as `eth0:0` lists its address under its own name, so the first match is the interface's main one.
    for entry in getifaddrs()?.filter(|entry| entry.interface_name == name) {
        let Some(address) = ipv4(entry.address.as_ref()) else { continue };
        found.address = Some(address);
        found.broadcast = broadcast(address, ipv4(entry.netmask.as_ref()), ipv4(entry.broadcast.as_ref()));
        break;
    }
    Ok(found)
}

/// The broadcast address the kernel names; where none was set, the one its network has anyway (the kernel routes it).
fn broadcast(address: Ipv4Addr, netmask: Option<Ipv4Addr>, named: Option<Ipv4Addr>) -> Option<Ipv4Addr> {
    if let Some(named) = named.filter(|named| !named.is_unspecified() && *named != address) {
        return Some(named);
    }
    let mask = netmask?.to_bits();
    (mask.leading_ones() < 31).then(|| Ipv4Addr::from_bits(address.to_bits() | !mask))
}

fn ipv4(address: Option<&SockaddrStorage>) -> Option<Ipv4Addr> {
    Some(address?.as_sockaddr_in()?.ip())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_broadcast_address_named_by_the_kernel_wins() {
        let address = Ipv4Addr::new(10, 0, 0, 1);
        let mask = Some(Ipv4Addr::new(255, 255, 255, 0));
        let named = Ipv4Addr::new(10, 0, 0, 127);
        assert_eq!(broadcast(address, mask, Some(named)), Some(named));
        let own = Some(Ipv4Addr::new(10, 0, 0, 255));
        assert_eq!(broadcast(address, mask, None), own);
        assert_eq!(broadcast(address, mask, Some(Ipv4Addr::UNSPECIFIED)), own);
    }

    #[test]
    fn a_host_address_alone_has_no_broadcast() {
        let address = Ipv4Addr::new(10, 0, 0, 1);
        assert_eq!(broadcast(address, Some(Ipv4Addr::BROADCAST), None), None);
        assert_eq!(broadcast(address, None, None), None);
    }

    #[test]
    fn the_loopback_interface_is_found_and_nonsense_is_not() {
        assert!(look_up("lo").unwrap().index > 0);
        assert_eq!(look_up("nosuchif0").unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
