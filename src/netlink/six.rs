//! IPv6 addresses and routes, as far as an address that moves needs them.

use std::io;
use std::net::Ipv6Addr;

use super::attribute::{attributes, ip6, push, u32_at, value};
use super::{NLM_ACK, NLM_CREATE_EXCL, NLM_DUMP, Netlink};

/// `AF_INET6` as netlink headers carry it.
const INET6: u8 = 10;
const MAIN_TABLE: u8 = 254;
/// Usable at once: the kernel's own second of waiting for an objection would be a second without service.
const NO_DAD: u8 = 2;

const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;
const RTA_DST: u16 = 1;
const RTA_OIF: u16 = 4;

/// An IPv6 address on an interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address6 {
    /// The interface's number.
    pub index: u32,
    /// The address.
    pub ip: Ipv6Addr,
    /// Length of the prefix.
    pub prefix: u8,
}

/// An IPv6 route of the main table that leads somewhere through one interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route6 {
    /// The net; `::/0` is the default route.
    pub net: Ipv6Addr,
    /// Length of its prefix.
    pub prefix: u8,
    /// The interface's number.
    pub index: u32,
}

impl Route6 {
    /// Whether an address is inside its net.
    pub fn covers(&self, ip: Ipv6Addr) -> bool {
        let shift = 128 - u32::from(self.prefix.min(128));
        u128::from(self.net).checked_shr(shift).unwrap_or(0) == u128::from(ip).checked_shr(shift).unwrap_or(0)
    }
}

impl Netlink {
    /// All IPv6 addresses.
    ///
    /// # Errors
    /// As [`Netlink::links`].
    pub fn addresses6(&mut self) -> io::Result<Vec<Address6>> {
        let parts = self.ask(libc::RTM_GETADDR, NLM_DUMP, &[INET6, 0, 0, 0, 0, 0, 0, 0])?;
        Ok(parts.iter().filter_map(|part| parse_address(part)).collect())
    }

    /// The IPv6 routes of the main table.
    ///
    /// # Errors
    /// As [`Netlink::links`].
    pub fn routes6(&mut self) -> io::Result<Vec<Route6>> {
        let parts = self.ask(libc::RTM_GETROUTE, NLM_DUMP, &[INET6, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])?;
        Ok(parts.iter().filter_map(|part| parse_route(part)).collect())
    }

    /// Adds an address that works at once.
    ///
    /// # Errors
    /// `EEXIST` when it is there already; `EACCES` or `EOPNOTSUPP` where IPv6 is switched off.
    pub fn add_address6(&mut self, address: &Address6) -> io::Result<()> {
        self.ask(libc::RTM_NEWADDR, NLM_CREATE_EXCL | NLM_ACK, &spell(address, NO_DAD)).map(drop)
    }

    /// Removes an address.
    ///
    /// # Errors
    /// `EADDRNOTAVAIL` when it is not there.
    pub fn delete_address6(&mut self, address: &Address6) -> io::Result<()> {
        self.ask(libc::RTM_DELADDR, NLM_ACK, &spell(address, 0)).map(drop)
    }
}

pub(super) fn parse_address(part: &[u8]) -> Option<Address6> {
    let found = attributes(part.get(8..)?);
    let ip = ip6(value(&found, IFA_LOCAL).or_else(|| value(&found, IFA_ADDRESS))?)?;
    (*part.first()? == INET6).then_some(Address6 { index: u32_at(part, 4), ip, prefix: *part.get(1)? })
}

pub(super) fn parse_route(part: &[u8]) -> Option<Route6> {
    let (prefix, table) = (*part.get(1)?, *part.get(4)?);
    let found = attributes(part.get(12..)?);
    let net = value(&found, RTA_DST).map_or(Some(Ipv6Addr::UNSPECIFIED), ip6)?;
    let index = u32_at(value(&found, RTA_OIF)?, 0);
    (*part.first()? == INET6 && table == MAIN_TABLE).then_some(Route6 { net, prefix, index })
}

fn spell(address: &Address6, flags: u8) -> Vec<u8> {
    let mut bytes = vec![INET6, address.prefix, flags, 0];
    bytes.extend_from_slice(&address.index.to_ne_bytes());
    push(&mut bytes, IFA_LOCAL, &address.ip.octets());
    push(&mut bytes, IFA_ADDRESS, &address.ip.octets());
    bytes
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_spelled_is_read_back() {
        let address = Address6 { index: 3, ip: "fd00::5".parse().unwrap(), prefix: 64 };
        assert_eq!(parse_address(&spell(&address, NO_DAD)), Some(address));
    }

    #[test]
    fn a_net_covers_its_addresses_and_the_default_route_all() {
        let route = |net: &str, prefix| Route6 { net: net.parse().unwrap(), prefix, index: 1 };
        let ip = "fd00::1:5".parse().unwrap();
        assert!(route("fd00::", 64).covers(ip) && route("::", 0).covers(ip));
        assert!(!route("fd01::", 64).covers(ip) && !route("fd00::", 128).covers(ip));
    }

    proptest! {
        #[test]
        fn no_answer_makes_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            parse_address(&bytes);
            if let Some(route) = parse_route(&bytes) {
                route.covers(Ipv6Addr::LOCALHOST);
            }
        }
    }
}
