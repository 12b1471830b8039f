//! The built-in resource agents (`resources.md` 9): idempotent, without ifconfig, ip or a shell.
//!
//! They run inside the daemon, in well under a millisecond, over sockets that stay open for its whole life: closing a
//! packet socket costs more than everything else together.

mod arp;
mod ipaddr;

use std::io;
use std::time::Duration;

use crate::haresources::{Exit, Invocation, Outcome, Resource};
use crate::netlink::Netlink;
use crate::time::Mono;

use arp::ArpSocket;
use ipaddr::IpAddr;

/// After the first burst an address is announced again this often, so many times.
const LATER: (u32, Duration) = (5, Duration::from_secs(60));

/// What agents need of the network, and the announcements still to be made.
#[derive(Debug)]
pub struct Net {
    pub(crate) netlink: Netlink,
    pub(crate) arp: ArpSocket,
    announce: (u32, Duration),
    repeats: Vec<Repeat>,
}

#[derive(Debug)]
struct Repeat {
    spec: IpAddr,
    next: Mono,
    soon: u32,
    later: u32,
}

impl Net {
    /// Opens it in the present network namespace; `announce` is count and interval of gratuitous ARP.
    ///
    /// # Errors
    /// Without the privilege for packet sockets.
    pub fn open(announce: (u32, Duration)) -> io::Result<Net> {
        Ok(Net { netlink: Netlink::open()?, arp: ArpSocket::open()?, announce, repeats: Vec::new() })
    }

    /// Runs a built-in agent; `None` when there is none of that name.
    pub fn run(&mut self, invocation: &Invocation, now: Mono) -> Option<Outcome> {
        let resource = &invocation.resource;
        if resource.agent != "IPaddr" && resource.agent != "IPaddr2" {
            return None;
        }
        let spec = match IpAddr::from_args(&resource.args) {
            Ok(spec) => spec,
            Err(why) => return Some(Outcome { exit: Exit::Code(2), said: format!("ERROR: {why}\n") }),
        };
        Some(ipaddr::run(self, &spec, invocation.verb, now))
    }

    /// Announces a resource's address again, from the beginning: somebody else claimed it meanwhile.
    pub fn announce(&mut self, resource: &Resource, now: Mono) {
        if let Ok(spec) = IpAddr::from_args(&resource.args)
            && (resource.agent == "IPaddr" || resource.agent == "IPaddr2")
        {
            self.begin_announcing(&spec, now);
        }
    }

    pub(crate) fn begin_announcing(&mut self, spec: &IpAddr, now: Mono) {
        self.stop_announcing(spec);
        ipaddr::announce(self, spec);
        let (count, interval) = self.announce;
        let repeat = Repeat { spec: spec.clone(), next: now + interval, soon: count.saturating_sub(1), later: LATER.0 };
        self.repeats.push(repeat);
    }

    pub(crate) fn stop_announcing(&mut self, spec: &IpAddr) {
        self.repeats.retain(|repeat| repeat.spec.ip != spec.ip);
    }

    /// When [`Net::repeat`] wants to be called; `None` when nothing is left to announce.
    pub fn next_repeat(&self) -> Option<Mono> {
        self.repeats.iter().map(|repeat| repeat.next).min()
    }

    /// Sends the announcements that are due.
    pub fn repeat(&mut self, now: Mono) {
        let mut due: Vec<Repeat> = Vec::new();
        self.repeats.retain_mut(|repeat| {
            let is_due = repeat.next <= now;
            if is_due {
                due.push(Repeat { spec: repeat.spec.clone(), ..*repeat });
            }
            !is_due
        });
        for mut repeat in due {
            ipaddr::announce(self, &repeat.spec);
            if repeat.soon > 1 {
                repeat.soon -= 1;
                repeat.next = now + self.announce.1;
            } else if repeat.later > 0 {
                repeat.soon = 0;
                repeat.later -= 1;
                repeat.next = now + LATER.1;
            } else {
                continue;
            }
            self.repeats.push(repeat);
        }
    }
}
