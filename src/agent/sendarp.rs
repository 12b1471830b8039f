//! `SendArp::IP/NIC`: announces an address without touching it (`resources.md` 9). Running means: was started.

use std::net::{IpAddr, Ipv4Addr};

use crate::haresources::Verb;
use crate::time::Mono;

use super::announce::Claim;
use super::{Answer, Net};

pub(super) fn run(net: &mut Net, args: &[String], verb: Verb, now: Mono) -> Answer {
    let Some(text) = args.first() else { return Answer::usage("SendArp", "ip-address/interface") };
    let note = net.pseudo("SendArp", args);
    match verb {
        Verb::Status if note.is_set() => Answer::running(),
        Verb::Status => Answer::stopped(),
        Verb::Stop => {
            if let Some(ip) = address(text) {
                net.stop_announcing(ip.into());
            }
            note.clear().map_or_else(|why| Answer::failed(1, why), |()| Answer::success())
        }
        Verb::Start if note.is_set() => Answer::success(),
        Verb::Start => {
            let Some(claim) = claim(net, args) else {
                return Answer::failed(1, format!("SendArp {text}: no such address or interface: write 10.0.0.5/eth0"));
            };
            net.begin_announcing(claim, false, now);
            note.set().map_or_else(|why| Answer::failed(1, why), |()| Answer::success())
        }
    }
}

/// What it announces: on the interface given, or on that of the route to the address.
pub(super) fn claim(net: &mut Net, args: &[String]) -> Option<Claim> {
    let text = args.first()?;
    let ip = address(text)?;
    let links = net.netlink.links().ok()?;
    let link = match text.split('/').nth(1).filter(|nic| !nic.is_empty()) {
        Some(nic) => links.into_iter().find(|link| link.name == nic.split(':').next().unwrap_or(nic))?,
        None => {
            let routes = net.netlink.routes().ok()?;
            let route = routes.into_iter().filter(|route| route.covers(ip)).max_by_key(|route| route.prefix)?;
            links.into_iter().find(|link| link.index == route.index)?
        }
    };
    Some(Claim { ip: IpAddr::V4(ip), nic: Some(link.name), borrowed: true })
}

fn address(text: &str) -> Option<Ipv4Addr> {
    text.split('/').next()?.parse().ok()
}
