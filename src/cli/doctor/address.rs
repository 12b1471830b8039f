//! The service addresses: on no interface here while the group is not, and nobody else's on the network.

use std::net::{IpAddr, UdpSocket};
use std::time::Duration;

use crate::config::{Config, Facts as _, Interface};
use crate::haresources::{ResourceGroup, known};
use crate::host::read_config::{self, ReadOptions};
use crate::paths::Paths;

use super::super::pause;
use super::finding::Findings;
use super::peer::Here;

/// How long the kernel gets to ask the network, and how often we look.
const LOOKS: u32 = 25;
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// The port for what nobody shall answer.
const DISCARD: u16 = 9;

/// Whether the daemon of this node has brought an address up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Held {
    Yes,
    No,
    Perhaps,
}

/// Looks at every address; `peer_speaks` says whether the other node may rightly hold one.
pub(super) fn check(config: &Config, paths: &Paths, here: &Here, peer_speaks: bool, findings: &mut Findings) {
    let facts = read_config::host_facts(paths, &ReadOptions { without_resolver: true, ..ReadOptions::default() });
    let interfaces = facts.interfaces().unwrap_or_default();
    for group in &config.groups {
        for ip in group.resources.iter().filter_map(known::address) {
            let known = here.status().and_then(|status| status.groups.iter().find(|known| known.key == group.key()));
            let held = match (known, here) {
                (Some(known), _) if known.state == "free" => Held::No,
                (Some(known), _) if known.state == "held" => Held::Yes,
                (None, Here::Nobody) => Held::No,
                (Some(_), _) | (None, Here::Silent | Here::Latido(_)) => Held::Perhaps,
            };
            let there = known.map_or(peer_speaks || *here == Here::Silent, |known| known.held_by_peer);
            one(ip, group, &interfaces, held, there, findings);
        }
    }
}

fn one(ip: IpAddr, group: &ResourceGroup, interfaces: &[Interface], held: Held, there: bool, findings: &mut Findings) {
    let key = group.key();
    let on = interfaces.iter().find(|interface| interface.addresses.iter().any(|(mine, _)| *mine == ip));
    match (on, held) {
        (Some(on), Held::Yes) => {
            findings.pass("address", format!("{ip} is on {}, as group {key} is held here", on.name));
        }
        (Some(on), Held::Perhaps) => findings.pass("address", format!("{ip} is on {}", on.name)),
        (Some(on), Held::No) => {
            let what = format!("{ip} is on {} although group {key} is not held here", on.name);
            let remedy = "take it out of the system's network settings: only the daemon may bring it up";
            findings.fail("address", what, remedy);
        }
        (None, Held::Yes) => {
            findings.fail("address", format!("{ip} of group {key}, held here, is on no interface"), "latido why");
        }
        (None, Held::No | Held::Perhaps) => elsewhere(ip, there, findings),
    }
}

fn elsewhere(ip: IpAddr, there: bool, findings: &mut Findings) {
    match (owner_of(ip), there) {
        (Some(mac), true) => findings.pass("address", format!("{ip} answers at {mac}: the other node may hold it")),
        (Some(mac), false) => {
            let what = format!("{ip} is used by another machine, {mac}, and no node of ours holds it");
            let remedy = "find that machine and give it another address, or choose another one here";
            findings.fail("address", what, remedy);
        }
        (None, _) => {
            findings.pass("address", format!("{ip} is on no interface here, and nobody near answers for it"));
        }
    }
}

/// Has the kernel ask the network who has it, and reads its table of neighbours: the hardware address, if somebody does.
fn owner_of(ip: IpAddr) -> Option<String> {
    let local = if ip.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let socket = UdpSocket::bind(local).ok()?;
    socket.send_to(&[], (ip, DISCARD)).ok()?;
    for _ in 0..LOOKS {
        let table = std::fs::read_to_string("/proc/net/arp").unwrap_or_default();
        if let Some(mac) = neighbour(&table, ip) {
            return Some(mac);
        }
        pause(LOOK_EVERY);
    }
    None
}

/// The complete entry of an address: `IP type flags MAC mask device`, flag 2.
fn neighbour(table: &str, ip: IpAddr) -> Option<String> {
    table.lines().skip(1).find_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [address, _, flags, mac, ..] = words.as_slice() else { return None };
        let flags = u32::from_str_radix(flags.strip_prefix("0x")?, 16).ok()?;
        (address.parse() == Ok(ip) && flags & 2 != 0).then(|| (*mac).to_owned())
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_table_makes_it_panic(text in "([0-9a-fx.:/ ]{0,30}\n){0,4}") {
            let _ = neighbour(&text, IpAddr::from([10, 9, 1, 1]));
        }
    }

    #[test]
    fn only_a_complete_entry_of_the_table_is_an_owner() {
        let table = "IP address       HW type     Flags       HW address            Mask     Device\n\
                     10.9.1.1         0x1         0x2         02:1a:b0:00:00:01     *        eth0\n\
                     10.9.1.2         0x1         0x0         00:00:00:00:00:00     *        eth0\nrubbish\n";
        let mac = |ip: &str| neighbour(table, ip.parse().unwrap());
        assert_eq!(mac("10.9.1.1").as_deref(), Some("02:1a:b0:00:00:01"));
        assert_eq!((mac("10.9.1.2"), mac("10.9.1.3")), (None, None));
    }
}
