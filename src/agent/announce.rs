//! Telling the network where an address is now, again and again, and hearing whether somebody else claims it
//! (`agents.md` "The agents"; RFC 5227).
//!
//! Taking an address waits for nobody: the question who else has it goes out beside the announcement, and an answer is
//! reported when it comes. A node that must take over an address a dying peer still answers for has to win, not to yield.

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use crate::netlink::Link;
use crate::time::Mono;

use super::Net;

/// After the first burst an address is announced again this often, so many times.
const LATER: (u32, Duration) = (5, Duration::from_secs(60));
/// An answer to the first question is looked for after this.
const ANSWER: Duration = Duration::from_millis(20);

/// An address to be announced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Announcement {
    pub(super) ip: IpAddr,
    /// The interface it was asked for on.
    pub(super) nic: Option<String>,
    /// Announced although no interface of ours has it (`SendArp`).
    pub(super) borrowed: bool,
}

/// Another machine answers for an address of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddressConflict {
    /// The address.
    pub ip: IpAddr,
    /// The interface it is announced on.
    pub nic: String,
    /// Where the other one says that it is.
    pub mac: [u8; 6],
}

impl AddressConflict {
    /// `02:00:00:00:00:07`
    pub fn mac(&self) -> String {
        self.mac.map(|byte| format!("{byte:02x}")).join(":")
    }
}

impl fmt::Display for AddressConflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (AddressConflict { ip, nic, .. }, mac) = (self, self.mac());
        write!(
            f,
            "address conflict: {ip} is used by another machine as well, {mac} on {nic}; if that is the other node, it did not \
             let go of it; if not, take the address from one of them"
        )
    }
}

#[derive(Debug)]
pub(super) struct Repeat {
    claim: Announcement,
    nic: String,
    next: Mono,
    listen: Option<Mono>,
    soon: u32,
    later: u32,
    told: BTreeSet<[u8; 6]>,
}

impl Net {
    /// Asks who has an address we are about to take.
    pub(super) fn probe(&mut self, link: &Link, ip: IpAddr) {
        let watched: Vec<IpAddr> = self.repeats.iter().map(|repeat| repeat.claim.ip).chain([ip]).collect();
        self.listen_for(&watched);
        self.ask(link, ip);
    }

    /// Announces at once, then as often as configured, listening meanwhile; asks who else has it unless that was done.
    pub(super) fn begin_announcing(&mut self, claim: Announcement, asked: bool, now: Mono) {
        self.repeats.retain(|repeat| repeat.claim.ip != claim.ip);
        if !asked {
            let watched: Vec<IpAddr> = self.repeats.iter().map(|repeat| repeat.claim.ip).chain([claim.ip]).collect();
            self.listen_for(&watched);
        }
        let nic = self.announce_once(&claim, !asked).map(|link| link.name).unwrap_or_default();
        let (count, interval) = self.announce;
        self.repeats.push(Repeat {
            claim,
            nic,
            next: now + interval,
            listen: Some(now + ANSWER),
            soon: count.saturating_sub(1),
            later: LATER.0,
            told: BTreeSet::new(),
        });
        self.listen_for_all();
    }

    pub(super) fn stop_announcing(&mut self, ip: IpAddr) {
        self.repeats.retain(|repeat| repeat.claim.ip != ip);
        self.listen_for_all();
    }

    /// When [`Net::repeat`] wants to be called; `None` when nothing is left to announce.
    pub fn next_repeat(&self) -> Option<Mono> {
        self.repeats.iter().map(|repeat| repeat.listen.map_or(repeat.next, |at| at.min(repeat.next))).min()
    }

    /// How many announcements are still to come before they are a minute apart.
    pub fn repeats_soon(&self) -> u32 {
        self.repeats.iter().map(|repeat| repeat.soon).sum()
    }

    /// Sends the announcements that are due and returns who else was heard to claim one of our addresses, each once.
    pub fn repeat(&mut self, now: Mono) -> Vec<AddressConflict> {
        let conflicts = self.hear();
        let mut repeats = std::mem::take(&mut self.repeats);
        let before = repeats.len();
        repeats.retain_mut(|repeat| {
            repeat.listen = repeat.listen.filter(|at| *at > now);
            if repeat.next > now {
                return true;
            }
            self.announce_once(&repeat.claim, true);
            if repeat.soon > 1 {
                repeat.soon -= 1;
                repeat.next = now + self.announce.1;
            } else if repeat.later > 0 {
                repeat.soon = 0;
                repeat.later -= 1;
                repeat.next = now + LATER.1;
            } else {
                return false;
            }
            true
        });
        self.repeats = repeats;
        if self.repeats.len() != before {
            self.listen_for_all();
        }
        conflicts
    }

    /// One announcement in every form, and the question who else has it. A failure is worth a line for developers, no
    /// more: the address is up.
    fn announce_once(&mut self, claim: &Announcement, ask: bool) -> Option<Link> {
        let link = self.link_of(claim)?;
        let mac = ethernet(&link)?;
        let sent = match claim.ip {
            IpAddr::V4(ip) => self.arp().and_then(|arp| arp.announce(link.index, mac, ip)),
            IpAddr::V6(ip) => self.nd().and_then(|nd| nd.announce(link.index, mac, ip)),
        };
        if let Err(error) = sent {
            log::debug!("announcing {} on {}: {error}", claim.ip, link.name);
        }
        // Who announces what it does not have knows that somebody else does.
        if ask && !claim.borrowed {
            self.ask(&link, claim.ip);
        }
        Some(link)
    }

    fn ask(&mut self, link: &Link, ip: IpAddr) {
        let Some(mac) = ethernet(link) else { return };
        let sent = match ip {
            IpAddr::V4(ip) => self.arp().and_then(|arp| arp.probe(link.index, mac, ip)),
            IpAddr::V6(ip) => self.nd().and_then(|nd| nd.probe(link.index, ip)),
        };
        if let Err(error) = sent {
            log::debug!("asking for {ip} on {}: {error}", link.name);
        }
    }

    /// The interface that has the address now; none once it is gone.
    fn link_of(&mut self, claim: &Announcement) -> Option<Link> {
        let links = self.netlink.links().ok()?;
        if claim.borrowed {
            return links.into_iter().find(|link| Some(&link.name) == claim.nic.as_ref());
        }
        let index = match claim.ip {
            IpAddr::V4(ip) => {
                self.netlink.addresses().ok()?.into_iter().filter(|a| a.ip == ip).map(|a| a.index).collect()
            }
            IpAddr::V6(ip) => {
                self.netlink.addresses6().ok()?.into_iter().filter(|a| a.ip == ip).map(|a| a.index).collect::<Vec<_>>()
            }
        };
        links
            .into_iter()
            .find(|link| index.contains(&link.index) && claim.nic.as_ref().is_none_or(|nic| *nic == link.name))
    }

    /// Who was heard meanwhile to claim one of our addresses, each once as long as they are few.
    pub fn hear(&mut self) -> Vec<AddressConflict> {
        let heard = self.heard();
        if heard.is_empty() {
            return Vec::new();
        }
        let links = self.netlink.links().unwrap_or_default();
        let ours = |mac: &[u8; 6]| links.iter().any(|link| link.mac == mac);
        let mut found = Vec::new();
        for (ip, mac) in heard.into_iter().filter(|(_, mac)| !ours(mac)) {
            if let Some(repeat) = self.repeats.iter_mut().find(|repeat| repeat.claim.ip == ip && !repeat.claim.borrowed)
                && !repeat.told.contains(&mac)
            {
                if repeat.told.len() < MOST_TOLD {
                    repeat.told.insert(mac);
                }
                found.push(AddressConflict { ip, nic: repeat.nic.clone(), mac });
            }
        }
        found
    }

    fn heard(&mut self) -> Vec<(IpAddr, [u8; 6])> {
        // A flood is not read to its end: what matters is heard again.
        let arp = self.arp.iter().flat_map(|arp| arp.heard(MOST_READ)).map(|(ip, mac)| (ip.into(), mac));
        let nd =
            self.nd.iter().flat_map(|nd| nd.heard(MOST_READ)).map(|(ip, mac)| (ip.into(), mac.unwrap_or_default()));
        arp.chain(nd).collect()
    }

    fn listen_for_all(&mut self) {
        let watched: Vec<IpAddr> = self.repeats.iter().map(|repeat| repeat.claim.ip).collect();
        self.listen_for(&watched);
    }

    fn listen_for(&mut self, watched: &[IpAddr]) {
        let four: Vec<_> =
            watched.iter().filter_map(|ip| if let IpAddr::V4(ip) = ip { Some(*ip) } else { None }).collect();
        let six = watched.iter().any(IpAddr::is_ipv6);
        // What is not open and has nothing to hear stays closed.
        let arp = match (&self.arp, four.is_empty()) {
            (None, true) => Ok(()),
            _ => self.arp().and_then(|arp| arp.listen_for(&four)),
        };
        let nd = match (&self.nd, six) {
            (None, false) => Ok(()),
            _ => self.nd().and_then(|nd| nd.listen(six)),
        };
        let result = arp.and(nd);
        if let Err(error) = result {
            log::debug!("listening for other owners of {watched:?}: {error}");
        }
    }
}

/// At most so many packets are read at a time.
const MOST_READ: usize = 100;
/// So many other owners of an address are told apart; one more is told each time it is heard.
const MOST_TOLD: usize = 16;

/// The hardware address of an interface on which machines ask for each other.
fn ethernet(link: &Link) -> Option<[u8; 6]> {
    <[u8; 6]>::try_from(link.mac.as_slice()).ok().filter(|mac| *mac != [0; 6])
}
