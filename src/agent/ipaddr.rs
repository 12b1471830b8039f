//! `IPaddr` and `IPaddr2`: an address that moves (`resources.md` 9, argument forms in `config.md` 6).
//!
//! Only the very address is added and removed, never the one the machine has of itself on that interface: what is there
//! without our label counts as running, as in the original, and is removed by `stop` all the same, as there.

use std::io;
use std::net::Ipv4Addr;

use crate::haresources::{Exit, Outcome, Verb};
use crate::netlink::{Address, Link};
use crate::time::Mono;

use super::Net;

/// `ADDR[/MASK[/NIC[:LABEL]][/BROADCAST]]` or `ADDR/MASK/BROADCAST`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct IpAddr {
    pub(crate) ip: Ipv4Addr,
    prefix: Option<u8>,
    nic: Option<String>,
    broadcast: Option<Ipv4Addr>,
}

impl IpAddr {
    pub(crate) fn from_args(args: &[String]) -> Result<IpAddr, String> {
        let Some(text) = args.first() else { return Err("no address given".into()) };
        let mut parts = text.split('/');
        let address = parts.next().unwrap_or("");
        let ip = address.parse().map_err(|_| format!("\"{address}\" is not an IPv4 address"))?;
        let prefix = parts.next().map(mask).transpose()?;
        let mut spec = IpAddr { ip, prefix, nic: None, broadcast: None };
        for part in parts.filter(|part| !part.is_empty()).take(2) {
            if part.starts_with(|c: char| c.is_ascii_digit()) {
                spec.broadcast = Some(part.parse().map_err(|_| format!("\"{part}\" is not a broadcast address"))?);
                break;
            }
            spec.nic = Some(part.split(':').next().unwrap_or(part).to_owned());
        }
        Ok(spec)
    }
}

fn mask(text: &str) -> Result<u8, String> {
    let wrong = || format!("Invalid netmask specification [{text}]: write ADDRESS/BITS/INTERFACE");
    if let Ok(bits) = text.parse::<u8>() {
        return (bits <= 32).then_some(bits).ok_or_else(wrong);
    }
    let mask = u32::from(text.parse::<Ipv4Addr>().map_err(|_| wrong())?);
    let bits = mask.leading_ones();
    (mask.count_ones() == bits).then_some(u8::try_from(bits).unwrap_or(32)).ok_or_else(wrong)
}

pub(super) fn run(net: &mut Net, spec: &IpAddr, verb: Verb, now: Mono) -> Outcome {
    let result = match verb {
        Verb::Start => start(net, spec, now),
        Verb::Stop => stop(net, spec),
        Verb::Status => return status(net, spec),
    };
    match result {
        Ok(()) => Outcome { exit: Exit::Code(0), said: "INFO:  Success\n".into() },
        Err(why) => Outcome { exit: Exit::Code(1), said: format!("ERROR: {why}\n") },
    }
}

fn status(net: &mut Net, spec: &IpAddr) -> Outcome {
    match present(net, spec) {
        Ok(Some(_)) => Outcome { exit: Exit::Code(0), said: "INFO:  Running OK\n".into() },
        Ok(None) => Outcome { exit: Exit::Code(7), said: "INFO:  Resource is stopped\n".into() },
        Err(error) => Outcome { exit: Exit::Code(1), said: format!("ERROR: cannot list addresses: {error}\n") },
    }
}

fn present(net: &mut Net, spec: &IpAddr) -> io::Result<Option<Address>> {
    let wanted = match &spec.nic {
        Some(nic) => Some(net.netlink.links()?.into_iter().find(|link| link.name == *nic).map(|link| link.index)),
        None => None,
    };
    let fits = |address: &Address| address.ip == spec.ip && wanted.is_none_or(|index| index == Some(address.index));
    Ok(net.netlink.addresses()?.into_iter().find(fits))
}

fn start(net: &mut Net, spec: &IpAddr, now: Mono) -> Result<(), String> {
    let failed = |error: io::Error| format!("cannot add {}: {error}", spec.ip);
    if present(net, spec).map_err(failed)?.is_none() {
        let (link, prefix) = place(net, spec)?;
        let addresses = net.netlink.addresses().map_err(failed)?;
        let host = if prefix >= 32 { 0 } else { u32::MAX >> prefix };
        let address = Address {
            index: link.index,
            ip: spec.ip,
            prefix,
            label: free_label(&link.name, &addresses),
            broadcast: Some(spec.broadcast.unwrap_or_else(|| Ipv4Addr::from(u32::from(spec.ip) | host))),
        };
        match net.netlink.add_address(&address) {
            Err(error) if error.raw_os_error() != Some(libc::EEXIST) => return Err(failed(error)),
            Ok(()) | Err(_) => {}
        }
    }
    net.begin_announcing(spec, now);
    Ok(())
}

/// The interface and mask: as given, or those of the route that covers the address; the default route only lends its
/// interface, and only to an address with a mask.
fn place(net: &mut Net, spec: &IpAddr) -> Result<(Link, u8), String> {
    let listed = |error: io::Error| format!("cannot list interfaces: {error}");
    let links = net.netlink.links().map_err(listed)?;
    let routes = net.netlink.routes().map_err(listed)?;
    let covers = |net: Ipv4Addr, prefix: u8| {
        let shift = 32 - u32::from(prefix.min(32));
        u32::from(net).checked_shr(shift).unwrap_or(0) == u32::from(spec.ip).checked_shr(shift).unwrap_or(0)
    };
    let best = routes.iter().filter(|route| covers(route.net, route.prefix)).max_by_key(|route| route.prefix);
    let link = match &spec.nic {
        Some(nic) => links.iter().find(|link| link.name == *nic).ok_or_else(|| {
            let have: Vec<&str> = links.iter().map(|link| link.name.as_str()).collect();
            format!("Device \"{nic}\" does not exist (have: {})", have.join(", "))
        })?,
        None => best
            .and_then(|route| links.iter().find(|link| link.index == route.index))
            .ok_or_else(|| format!("no interface for {0}: write {0}/24/eth0", spec.ip))?,
    };
    let on_link = best.filter(|route| route.prefix > 0).map(|route| route.prefix);
    let prefix =
        spec.prefix.or(on_link).ok_or_else(|| format!("Cannot use default route w/o netmask [{}]", spec.ip))?;
    Ok((link.clone(), prefix))
}

/// `eth0:0`, or the first number that is free, as people with ifconfig know it.
fn free_label(nic: &str, addresses: &[Address]) -> Option<String> {
    let label = (0..1000)
        .map(|number| format!("{nic}:{number}"))
        .find(|label| !addresses.iter().any(|address| address.label.as_deref() == Some(label)))?;
    (label.len() <= 15).then_some(label)
}

fn stop(net: &mut Net, spec: &IpAddr) -> Result<(), String> {
    let failed = |error: io::Error| format!("cannot remove {}: {error}", spec.ip);
    net.stop_announcing(spec);
    let Some(address) = present(net, spec).map_err(failed)? else { return Ok(()) };
    let before = net.netlink.addresses().map_err(failed)?;
    match net.netlink.delete_address(&address) {
        Err(error) if error.raw_os_error() != Some(libc::EADDRNOTAVAIL) => return Err(failed(error)),
        Ok(()) | Err(_) => {}
    }
    // Removing the first address of a net takes the others of that net with it, unless promote_secondaries is set.
    let after = net.netlink.addresses().map_err(failed)?;
    for lost in before.iter().filter(|old| old.index == address.index && old.ip != spec.ip) {
        if !after.iter().any(|left| left.ip == lost.ip && left.index == lost.index) {
            net.netlink.add_address(lost).map_err(failed)?;
        }
    }
    Ok(())
}

/// One gratuitous ARP in both forms; a failure is worth a line for developers, no more: the address is up.
pub(super) fn announce(net: &mut Net, spec: &IpAddr) {
    let Ok(Some(address)) = present(net, spec) else { return };
    let Ok(links) = net.netlink.links() else { return };
    let Some(link) = links.iter().find(|link| link.index == address.index) else { return };
    if let Ok(mac) = <[u8; 6]>::try_from(link.mac.as_slice())
        && let Err(error) = net.arp.announce(link.index, mac, spec.ip)
    {
        log::debug!("announcing {} on {}: {error}", spec.ip, link.name);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(text: &str) -> Result<IpAddr, String> {
        IpAddr::from_args(&[text.to_owned()])
    }

    #[test]
    fn every_accepted_form_is_read() {
        let broadcast = Some(Ipv4Addr::new(10, 0, 0, 255));
        let ip = Ipv4Addr::new(10, 0, 0, 5);
        let nic = |name: &str| Some(name.to_owned());
        let cases = [
            ("10.0.0.5", None, None, None),
            ("10.0.0.5/24", Some(24), None, None),
            ("10.0.0.5/255.255.255.0/eth0", Some(24), nic("eth0"), None),
            ("10.0.0.5/24/eth0:3", Some(24), nic("eth0"), None),
            ("10.0.0.5/24/eth0/10.0.0.255", Some(24), nic("eth0"), broadcast),
            ("10.0.0.5/24/10.0.0.255", Some(24), None, broadcast),
            ("10.0.0.5/24/eth0/", Some(24), nic("eth0"), None),
        ];
        for (text, prefix, nic, broadcast) in cases {
            assert_eq!(parse(text), Ok(IpAddr { ip, prefix, nic, broadcast }), "{text}");
        }
    }

    #[test]
    fn wrong_forms_are_refused_with_what_would_be_right() {
        for text in ["10.0.0.5/eth0", "10.0.0.5//eth0", "10.0.0.5/33/eth0", "10.0.0.300", "", "10.0.0.5/255.0.255.0"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_argument_makes_it_panic(text in "[0-9a-z./:]{0,40}") {
            let _ = parse(&text);
        }
    }
}
