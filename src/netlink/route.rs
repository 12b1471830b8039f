//! IPv4 routes of the main table: read, and put back with another preferred source.

use std::io;
use std::net::Ipv4Addr;

use super::attribute::{attributes, ip, push, u32_at, value};
use super::{INET, NLM_ACK, NLM_DUMP, Netlink};

const NLM_REPLACE_OR_CREATE: u16 = 0x500;
const MAIN_TABLE: u8 = 254;
/// Fixed part of a route message.
const HEADER: usize = 12;
/// Of the flags the kernel reports, the only one it takes back.
const ONLINK: u32 = 4;

const RTA_DST: u16 = 1;
const RTA_OIF: u16 = 4;
const RTA_GATEWAY: u16 = 5;
const RTA_PREFSRC: u16 = 7;
const RTA_CACHEINFO: u16 = 12;

/// A route of the main table, with everything the kernel said of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// The net; 0.0.0.0/0 is the default route.
    pub net: Ipv4Addr,
    /// Length of its mask.
    pub prefix: u8,
    /// The interface's number.
    pub index: u32,
    /// Where packets go next; none on a net of our own.
    pub gateway: Option<Ipv4Addr>,
    /// The address packets to there leave with, when it is set.
    pub source: Option<Ipv4Addr>,
    /// The message as it came.
    raw: Vec<u8>,
}

impl Route {
    /// Whether an address is inside its net.
    pub fn covers(&self, ip: Ipv4Addr) -> bool {
        let shift = 32 - u32::from(self.prefix.min(32));
        u32::from(self.net).checked_shr(shift).unwrap_or(0) == u32::from(ip).checked_shr(shift).unwrap_or(0)
    }

    /// The message that makes this route with another preferred source.
    fn with_source(&self, source: Option<Ipv4Addr>) -> Vec<u8> {
        let mut bytes = self.raw.get(..HEADER).unwrap_or(&[0; HEADER]).to_vec();
        let flags = u32_at(&bytes, 8) & ONLINK;
        bytes[8..].copy_from_slice(&flags.to_ne_bytes());
        for (kind, value) in attributes(self.raw.get(HEADER..).unwrap_or(&[])) {
            if kind != RTA_PREFSRC && kind != RTA_CACHEINFO {
                push(&mut bytes, kind, value);
            }
        }
        if let Some(source) = source {
            push(&mut bytes, RTA_PREFSRC, &source.octets());
        }
        bytes
    }
}

impl Netlink {
    /// The IPv4 routes of the main table.
    ///
    /// # Errors
    /// As [`Netlink::links`].
    pub fn routes(&mut self) -> io::Result<Vec<Route>> {
        let parts = self.ask(libc::RTM_GETROUTE, NLM_DUMP, &[INET, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])?;
        Ok(parts.iter().filter_map(|part| parse_route(part)).collect())
    }

    /// Replaces a route by itself with this preferred source, or with none.
    ///
    /// # Errors
    /// `EINVAL` when `source` is no address of this machine.
    pub fn prefer_source(&mut self, route: &Route, source: Option<Ipv4Addr>) -> io::Result<()> {
        let payload = route.with_source(source);
        self.ask(libc::RTM_NEWROUTE, NLM_REPLACE_OR_CREATE | NLM_ACK, &payload).map(drop)
    }
}

pub(super) fn parse_route(part: &[u8]) -> Option<Route> {
    let (prefix, table) = (*part.get(1)?, *part.get(4)?);
    let found = attributes(part.get(HEADER..)?);
    let net = value(&found, RTA_DST).map_or(Some(Ipv4Addr::UNSPECIFIED), ip)?;
    let index = u32_at(value(&found, RTA_OIF)?, 0);
    let gateway = value(&found, RTA_GATEWAY).and_then(ip);
    let source = value(&found, RTA_PREFSRC).and_then(ip);
    (table == MAIN_TABLE).then(|| Route { net, prefix, index, gateway, source, raw: part.to_vec() })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn default_route() -> Vec<u8> {
        let mut part = vec![INET, 0, 0, 0, MAIN_TABLE, 3, 0, 1, 17, 0, 0, 0];
        push(&mut part, RTA_OIF, &7_u32.to_ne_bytes());
        push(&mut part, RTA_GATEWAY, &[10, 0, 0, 254]);
        push(&mut part, RTA_CACHEINFO, &[0; 32]);
        part
    }

    #[test]
    fn a_route_keeps_what_it_had_beside_its_source() {
        let route = parse_route(&default_route()).unwrap();
        assert_eq!((route.prefix, route.index, route.gateway), (0, 7, Some(Ipv4Addr::new(10, 0, 0, 254))));
        assert!(route.covers(Ipv4Addr::new(203, 0, 113, 1)));
        let source = Ipv4Addr::new(10, 0, 0, 5);
        let moved = parse_route(&route.with_source(Some(source))).unwrap();
        assert_eq!((moved.source, moved.gateway, moved.index), (Some(source), route.gateway, 7));
        assert_eq!(parse_route(&moved.with_source(None)).unwrap().source, None);
    }

    proptest! {
        #[test]
        fn no_answer_makes_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            if let Some(route) = parse_route(&bytes) {
                route.with_source(None);
                route.covers(Ipv4Addr::LOCALHOST);
            }
        }
    }
}
