//! The built-in resource agents (`resources.md` 9): idempotent, without ifconfig, ip, fuser or a shell.
//!
//! Those that only speak to the kernel's network run inside the daemon, in well under a millisecond, over sockets that
//! stay open for its whole life: closing a packet socket costs more than everything else together. Those that may block
//! are programs of their own: `latido agent NAME`.
//!
//! ```text
//! daemon ──> Net::run  ──> ipaddr (nic), ipv6addr, sendarp ──> announce ──> arp, ndp (filter)
//!                      ──> ipsrcaddr
//! latido agent ──> run_alone ──> filesystem, drbddisk, mailto (program), delay ──> pseudo: a note that it was started
//! all ──> answer: what an agent says; their arguments are read in `haresources::known`
//! ```

mod announce;
mod answer;
mod arp;
mod delay;
mod drbddisk;
mod filesystem;
mod filter;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod ipaddr;
mod ipsrcaddr;
mod ipv6addr;
mod mailto;
mod ndp;
mod nic;
mod program;
mod pseudo;
mod sendarp;

use std::io;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::haresources::{Invocation, Resource};
use crate::netlink::Netlink;
use crate::time::Mono;

use announce::Repeat;
use arp::ArpSocket;
use ndp::NdSocket;
use pseudo::PseudoResource;

pub use announce::AddressConflict;
pub use answer::Answer;

/// Where a built-in agent runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In this process, by [`Net::run`]: it never waits.
    Inside,
    /// In a process of its own, by [`run_alone`]: it may wait.
    Alone,
}

/// The built-in agents and where each runs.
pub const AGENTS: [(&str, Place); 9] = [
    ("IPaddr", Place::Inside),
    ("IPaddr2", Place::Inside),
    ("IPv6addr", Place::Inside),
    ("SendArp", Place::Inside),
    ("IPsrcaddr", Place::Inside),
    ("Filesystem", Place::Alone),
    ("drbddisk", Place::Alone),
    ("MailTo", Place::Alone),
    ("Delay", Place::Alone),
];

/// Where the agent of that name runs; `None` when there is none.
pub fn place_of(name: &str) -> Option<Place> {
    AGENTS.iter().find(|(known, _)| *known == name).map(|(_, place)| *place)
}

/// Runs an agent that may wait; what it does meanwhile goes to `tell`, line by line. `None` when there is none of that
/// name. `state_dir` as in [`Net::open`]; `limit` is when the caller will end it, should it still run then.
pub fn run_alone(
    invocation: &Invocation,
    state_dir: &Path,
    limit: Option<Duration>,
    tell: &mut dyn FnMut(&str),
) -> Option<Answer> {
    let Resource { agent, args, .. } = &invocation.resource;
    let (verb, mark) = (invocation.verb, PseudoResource::new(state_dir, agent, args));
    Some(match agent.as_str() {
        "Filesystem" => filesystem::run(args, verb, limit, tell),
        "drbddisk" => drbddisk::run(args, verb, limit, tell),
        "MailTo" => mailto::run(&mark, args, verb),
        "Delay" => delay::run(&mark, args, verb),
        _ => return None,
    })
}

/// Announces an address once, as `send_arp` does: that `ip` is at `mac`, or at the interface's own address.
///
/// # Errors
/// As `socket(2)` and `send(2)`; when there is no such interface, or it has no Ethernet address.
pub fn announce_once(nic: &str, ip: Ipv4Addr, mac: Option<[u8; 6]>) -> io::Result<()> {
    let links = Netlink::open()?.links()?;
    let missing = || io::Error::new(io::ErrorKind::NotFound, format!("there is no interface {nic}"));
    let link = links.into_iter().find(|link| link.name == nic).ok_or_else(missing)?;
    let own = || <[u8; 6]>::try_from(link.mac.as_slice()).ok();
    let mac = mac.or_else(own).ok_or_else(|| io::Error::other(format!("{nic} has no Ethernet address")))?;
    ArpSocket::open()?.announce(link.index, mac, ip)
}

/// As long as an agent would like to try, or as its caller lets it, with time left to say how it ended.
fn patience(wanted: Duration, limit: Option<Duration>) -> Duration {
    limit.map_or(wanted, |limit| wanted.min(limit * 4 / 5))
}

/// Lets time pass in a process that has nothing else to do.
fn pause(time: Duration) {
    let _ = nix::poll::poll(&mut [], nix::poll::PollTimeout::try_from(time).unwrap_or(nix::poll::PollTimeout::MAX));
}

/// What agents need of the network, and the announcements still to be made.
#[derive(Debug)]
pub struct Net {
    netlink: Netlink,
    /// Closing it takes the kernel many milliseconds.
    arp: Option<ArpSocket>,
    /// Opened with the first IPv6 address.
    nd: Option<NdSocket>,
    announce: (u32, Duration),
    repeats: Vec<Repeat>,
    /// Where resources that are no more than a file keep it.
    state_dir: PathBuf,
}

impl Net {
    /// Opens it in the present network namespace; `announce` is count and interval of gratuitous ARP, `state_dir` the
    /// directory for resources that consist of nothing but having been started.
    ///
    /// # Errors
    /// Without the privilege for packet sockets.
    pub fn open(announce: (u32, Duration), state_dir: PathBuf) -> io::Result<Net> {
        let mut net = Net::open_for_one_call(announce, state_dir)?;
        net.arp()?;
        Ok(net)
    }

    /// The same for a program that ends after one call: the packet socket is opened when something is to be announced.
    ///
    /// # Errors
    /// As `socket(2)`.
    pub fn open_for_one_call(announce: (u32, Duration), state_dir: PathBuf) -> io::Result<Net> {
        let netlink = Netlink::open()?;
        Ok(Net { netlink, arp: None, nd: None, announce, repeats: Vec::new(), state_dir })
    }

    /// Runs a built-in agent; `None` when there is none of that name that runs inside.
    pub fn run(&mut self, invocation: &Invocation, now: Mono) -> Option<Answer> {
        let Resource { agent, args, .. } = &invocation.resource;
        let verb = invocation.verb;
        Some(match agent.as_str() {
            "IPaddr" => ipaddr::run(self, ipaddr::Kind::Alias, args, verb, now),
            "IPaddr2" => ipaddr::run(self, ipaddr::Kind::Plain, args, verb, now),
            "IPv6addr" => ipv6addr::run(self, args, verb, now),
            "SendArp" => sendarp::run(self, args, verb, now),
            "IPsrcaddr" => ipsrcaddr::run(self, args, verb),
            _ => return None,
        })
    }

    /// Announces a resource's address again, from the beginning: somebody else claimed it meanwhile.
    pub fn announce(&mut self, resource: &Resource, now: Mono) {
        let claim = match resource.agent.as_str() {
            "IPaddr" | "IPaddr2" => ipaddr::claim(&resource.args),
            "IPv6addr" => ipv6addr::claim(&resource.args),
            "SendArp" => sendarp::claim(self, &resource.args),
            _ => None,
        };
        if let Some(claim) = claim {
            self.begin_announcing(claim, false, now);
        }
    }

    fn arp(&mut self) -> io::Result<&ArpSocket> {
        let arp = match self.arp.take() {
            Some(arp) => arp,
            None => ArpSocket::open()?,
        };
        Ok(self.arp.insert(arp))
    }

    fn nd(&mut self) -> io::Result<&NdSocket> {
        let nd = match self.nd.take() {
            Some(nd) => nd,
            None => NdSocket::open()?,
        };
        Ok(self.nd.insert(nd))
    }

    /// The file of one such resource.
    fn pseudo(&self, agent: &str, args: &[String]) -> PseudoResource {
        PseudoResource::new(&self.state_dir, agent, args)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::haresources::known;

    #[test]
    fn the_agents_are_those_whose_arguments_are_read() {
        let ours: Vec<_> = known::AGENTS.iter().filter(|known| known.is_built_in()).map(|known| known.name).collect();
        assert_eq!(AGENTS.map(|(name, _)| name).to_vec(), ours);
    }
}
