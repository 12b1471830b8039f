//! `SendArp::IP/NIC`: announces an address without touching it (`resources.md` 9). Running means: was started. As `IPaddr`
//! writes it, `IP/24/NIC`, is understood too. The original's succeeds whatever it is given and announces nothing then: what
//! cannot be announced is said and keeps no group down.

use std::net::IpAddr;

use crate::haresources::Verb;
use crate::haresources::known::Announce;
use crate::time::Mono;

use super::announce::Announcement;
use super::{Answer, Net};

pub(super) fn run(net: &mut Net, args: &[String], verb: Verb, now: Mono) -> Answer {
    let mark = net.pseudo("SendArp", args);
    match verb {
        Verb::Status if mark.is_set() => Answer::running(),
        Verb::Status => Answer::stopped(),
        Verb::Stop => {
            if let Ok(announce) = Announce::read(args) {
                net.stop_announcing(announce.ip.into());
            }
            mark.clear().map_or_else(|why| Answer::failed(1, why), |()| Answer::success())
        }
        Verb::Start if mark.is_set() => Answer::success(),
        Verb::Start => {
            let claimed = Announce::read(args)
                .map_err(|fault| fault.to_string())
                .and_then(|announce| claim_of(net, &announce).ok_or_else(|| no_interface(&announce)));
            let started = match claimed {
                Ok(claim) => {
                    net.begin_announcing(claim, false, now);
                    Answer::success()
                }
                Err(why) => Answer::success().because(format!("SendArp: nothing is announced: {why}")),
            };
            mark.set().map_or_else(|why| Answer::failed(1, why), |()| started)
        }
    }
}

fn no_interface(announce: &Announce) -> String {
    match &announce.nic {
        Some(nic) => format!("Device \"{nic}\" does not exist."),
        None => format!("no route leads to {0}: write {0}/eth0", announce.ip),
    }
}

/// What it announces: on the interface given, or on that of the route to the address.
pub(super) fn claim(net: &mut Net, args: &[String]) -> Option<Announcement> {
    claim_of(net, &Announce::read(args).ok()?)
}

fn claim_of(net: &mut Net, announce: &Announce) -> Option<Announcement> {
    let ip = announce.ip;
    let links = net.netlink.links().ok()?;
    let link = match &announce.nic {
        Some(nic) => links.into_iter().find(|link| link.name == *nic)?,
        None => {
            let routes = net.netlink.routes().ok()?;
            let route = routes.into_iter().filter(|route| route.covers(ip)).max_by_key(|route| route.prefix)?;
            links.into_iter().find(|link| link.index == route.index)?
        }
    };
    Some(Announcement { ip: IpAddr::V4(ip), nic: Some(link.name), borrowed: true })
}
