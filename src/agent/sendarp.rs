//! `SendArp::IP/NIC`: announces an address without touching it (`resources.md` 9). Running means: was started. As `IPaddr`
//! writes it, `IP/24/NIC`, is understood too. The original's succeeds whatever it is given and announces nothing then: what
//! cannot be announced is said and keeps no group down.

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
            let claim = claim(net, args);
            let nothing = claim.is_none().then(|| {
                format!("SendArp {text}: nothing is announced: no such address or interface; write 10.0.0.5/eth0")
            });
            if let Some(claim) = claim {
                net.begin_announcing(claim, false, now);
            }
            let started = Answer { why: nothing, ..Answer::success() };
            note.set().map_or_else(|why| Answer::failed(1, why), |()| started)
        }
    }
}

/// What it announces: on the interface given, or on that of the route to the address.
pub(super) fn claim(net: &mut Net, args: &[String]) -> Option<Claim> {
    let text = args.first()?;
    let ip = address(text)?;
    let links = net.netlink.links().ok()?;
    let link = match interface(text) {
        Some(nic) => links.into_iter().find(|link| link.name == nic.split(':').next().unwrap_or(nic))?,
        None => {
            let routes = net.netlink.routes().ok()?;
            let route = routes.into_iter().filter(|route| route.covers(ip)).max_by_key(|route| route.prefix)?;
            links.into_iter().find(|link| link.index == route.index)?
        }
    };
    Some(Claim { ip: IpAddr::V4(ip), nic: Some(link.name), borrowed: true })
}

/// Behind the address, or behind the address and the length of its network.
fn interface(text: &str) -> Option<&str> {
    let mut parts = text.split('/').skip(1).filter(|part| !part.is_empty()).peekable();
    parts.next_if(|part| part.bytes().all(|byte| byte.is_ascii_digit()));
    parts.next()
}

fn address(text: &str) -> Option<Ipv4Addr> {
    text.split('/').next()?.parse().ok()
}
