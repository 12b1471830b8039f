//! `IPv6addr::ADDR[/BITS[/NIC]]`: an IPv6 address that moves (`resources.md` 9).
//!
//! The kernel's duplicate address detection would keep the address unusable for a second or more; it is skipped, and the
//! same question is asked beside the first advertisement instead.

use std::io;
use std::net::IpAddr;

use crate::haresources::Verb;
use crate::haresources::known::{self, Weight};
use crate::netlink::{Address6, Link};
use crate::time::Mono;

use super::announce::Announcement;
use super::{Answer, Net, nic};

pub(super) fn claim(args: &[String]) -> Option<Announcement> {
    let known::Address6 { ip, nic, .. } = known::Address6::read(args).ok()?;
    Some(Announcement { ip: IpAddr::V6(ip), nic, borrowed: false })
}

pub(super) fn run(net: &mut Net, args: &[String], verb: Verb, now: Mono) -> Answer {
    let spec = match (known::Address6::read(args), verb) {
        (Ok(spec), _) => spec,
        (Err(fault), Verb::Start) if fault.weight == Weight::Missing => {
            return Answer::usage("IPv6addr", "<ip-address>");
        }
        (Err(fault), Verb::Start | Verb::Status) => return Answer::failed(2, fault.to_string()),
        // What cannot be an address cannot have been taken: nothing is left to stop.
        (Err(fault), Verb::Stop) => return Answer::success().because(fault.to_string()),
    };
    let done = match verb {
        Verb::Start => start(net, &spec, now),
        Verb::Stop => stop(net, &spec),
        Verb::Status => present(net, &spec)
            .map_err(|error| format!("cannot list addresses: {error}"))
            .map(|found| if found.is_some() { Answer::running() } else { Answer::stopped() }),
    };
    done.unwrap_or_else(|why| Answer::failed(1, why))
}

fn present(net: &mut Net, spec: &known::Address6) -> io::Result<Option<Address6>> {
    let meant = nic::meant(&mut net.netlink, spec.nic.as_deref())?;
    let fits = |address: &Address6| address.ip == spec.ip && meant(address.index);
    Ok(net.netlink.addresses6()?.into_iter().find(fits))
}

fn start(net: &mut Net, spec: &known::Address6, now: Mono) -> Result<Answer, String> {
    let failed = |error: io::Error| match error.raw_os_error() {
        Some(libc::EACCES | libc::EOPNOTSUPP) => {
            format!("cannot add {}: IPv6 is switched off (sysctl net.ipv6.conf.all.disable_ipv6)", spec.ip)
        }
        _ => format!("cannot add {}: {error}", spec.ip),
    };
    let taken = present(net, spec).map_err(failed)?.is_none();
    if taken {
        let (link, prefix) = place(net, spec)?;
        if !link.up {
            net.netlink.switch_on(link.index).map_err(failed)?;
        }
        net.probe(&link, spec.ip.into());
        match net.netlink.add_address6(&Address6 { index: link.index, ip: spec.ip, prefix }) {
            Err(error) if error.raw_os_error() != Some(libc::EEXIST) => return Err(failed(error)),
            Ok(()) | Err(_) => {}
        }
    }
    net.begin_announcing(Announcement { ip: spec.ip.into(), nic: spec.nic.clone(), borrowed: false }, taken, now);
    Ok(Answer::success())
}

/// As given, or those of the net the address lies in.
fn place(net: &mut Net, spec: &known::Address6) -> Result<(Link, u8), String> {
    let listed = |error: io::Error| format!("cannot list interfaces: {error}");
    let links = net.netlink.links().map_err(listed)?;
    let routes = net.netlink.routes6().map_err(listed)?;
    let local = spec.ip.is_unicast_link_local();
    let usable = |prefix: u8| prefix > 0 && prefix < 128 && !local;
    let best = routes.iter().filter(|route| usable(route.prefix) && route.covers(spec.ip)).max_by_key(|r| r.prefix);
    let link = match &spec.nic {
        Some(nic) => nic::named(&links, nic)?,
        None => best
            .and_then(|route| links.iter().find(|link| link.index == route.index))
            .ok_or_else(|| format!("no interface has a net with {0} in it: write {0}/64/eth0", spec.ip))?,
    };
    let prefix = spec.prefix.or(best.map(|route| route.prefix)).unwrap_or(if local { 64 } else { 128 });
    Ok((link.clone(), prefix))
}

fn stop(net: &mut Net, spec: &known::Address6) -> Result<Answer, String> {
    let failed = |error: io::Error| format!("cannot remove {}: {error}", spec.ip);
    net.stop_announcing(spec.ip.into());
    if let Some(address) = present(net, spec).map_err(failed)? {
        match net.netlink.delete_address6(&address) {
            Err(error) if error.raw_os_error() != Some(libc::EADDRNOTAVAIL) => return Err(failed(error)),
            Ok(()) | Err(_) => {}
        }
    }
    Ok(Answer::success())
}
