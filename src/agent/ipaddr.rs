//! `IPaddr` and `IPaddr2`: an address that moves (`resources.md` 9, argument forms in `config.md` 6).
//!
//! What is there without our label counts as running, as in the original, and is removed by `stop` all the same, as there.
//! The two differ in the name old tools show: `IPaddr` takes the first free `eth0:N`, `IPaddr2` the label it is given.

use std::io;
use std::net::Ipv4Addr;

use crate::haresources::Verb;
use crate::haresources::known::{self, Address4, LONGEST_NAME, Weight};
use crate::netlink::{Address, Link};
use crate::time::Mono;

use super::announce::Announcement;
use super::{Answer, Net, nic};

/// Which of the two agents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// `IPaddr`: an alias ifconfig can see.
    Alias,
    /// `IPaddr2`: a further address of the interface.
    Plain,
}

/// Why it cannot be started.
#[derive(Clone, Debug, PartialEq, Eq)]
enum ArgumentFault {
    /// The argument is wrong, on this machine at least.
    Argument(String),
    /// The kernel or the network would not have it.
    Refused(String),
}

fn read(kind: Kind, args: &[String]) -> Result<Address4, known::ArgumentFault> {
    match kind {
        Kind::Alias => Address4::of_ipaddr(args),
        Kind::Plain => Address4::of_ipaddr2(args),
    }
}

fn claim_of(spec: &Address4) -> Announcement {
    Announcement { ip: spec.ip.into(), nic: spec.nic.clone(), borrowed: false }
}

pub(super) fn claim(args: &[String]) -> Option<Announcement> {
    // That a label is too long is found out by the start.
    Address4::of_ipaddr(args).ok().map(|spec| claim_of(&spec))
}

pub(super) fn run(net: &mut Net, kind: Kind, args: &[String], verb: Verb, now: Mono) -> Answer {
    let spec = match (read(kind, args), verb) {
        (Ok(spec), _) => spec,
        (Err(fault), Verb::Start) if fault.weight == Weight::Missing => {
            let name = if kind == Kind::Alias { "IPaddr" } else { "IPaddr2" };
            return Answer::usage(name, "<ip-address>");
        }
        (Err(fault), Verb::Start) => return refusal(kind, ArgumentFault::Argument(fault.to_string())),
        // The rest of a wrong argument never mattered to what is up; without an address nothing can be.
        (Err(_), Verb::Stop | Verb::Status) => match Address4::without_the_rest(args) {
            Some(spec) => spec,
            None if verb == Verb::Stop => return Answer::success(),
            None => return Answer::stopped(),
        },
    };
    let result = match verb {
        Verb::Start => start(net, kind, &spec, now),
        Verb::Stop => stop(net, &spec),
        Verb::Status => return status(net, &spec),
    };
    result.map_or_else(|fault| refusal(kind, fault), |()| Answer::success())
}

fn refusal(kind: Kind, fault: ArgumentFault) -> Answer {
    match (fault, kind) {
        (ArgumentFault::Argument(why), Kind::Plain) => Answer::failed(6, why),
        (ArgumentFault::Argument(why), Kind::Alias) | (ArgumentFault::Refused(why), _) => Answer::failed(1, why),
    }
}

fn status(net: &mut Net, spec: &Address4) -> Answer {
    match present(net, spec) {
        Ok(Some(_)) => Answer::running(),
        Ok(None) => Answer::stopped(),
        Err(error) => Answer::failed(1, format!("cannot list addresses: {error}")),
    }
}

fn present(net: &mut Net, spec: &Address4) -> io::Result<Option<Address>> {
    let meant = nic::meant(&mut net.netlink, spec.nic.as_deref())?;
    let fits = |address: &Address| address.ip == spec.ip && meant(address.index);
    Ok(net.netlink.addresses()?.into_iter().find(fits))
}

fn start(net: &mut Net, kind: Kind, spec: &Address4, now: Mono) -> Result<(), ArgumentFault> {
    let failed = |error: io::Error| ArgumentFault::Refused(format!("cannot add {}: {error}", spec.ip));
    let taken = present(net, spec).map_err(failed)?.is_none();
    if taken {
        let (link, prefix) = place(net, spec)?;
        if !link.up {
            net.netlink.switch_on(link.index).map_err(failed)?;
        }
        net.probe(&link, spec.ip.into());
        let addresses = net.netlink.addresses().map_err(failed)?;
        let host = if prefix >= 32 { 0 } else { u32::MAX >> prefix };
        let label = match kind {
            Kind::Alias => free_label(&link.name, &addresses),
            Kind::Plain => Some(spec.label.as_ref().unwrap_or(&link.name).clone()),
        };
        let address = Address {
            index: link.index,
            ip: spec.ip,
            prefix,
            label,
            broadcast: Some(spec.broadcast.unwrap_or_else(|| Ipv4Addr::from(u32::from(spec.ip) | host))),
        };
        match net.netlink.add_address(&address) {
            Err(error) if error.raw_os_error() != Some(libc::EEXIST) => return Err(failed(error)),
            Ok(()) | Err(_) => {}
        }
    }
    net.begin_announcing(claim_of(spec), taken, now);
    Ok(())
}

/// The interface and mask: as given, or those of the route that covers the address; the default route only lends its
/// interface, and only to an address with a mask.
fn place(net: &mut Net, spec: &Address4) -> Result<(Link, u8), ArgumentFault> {
    let listed = |error: io::Error| ArgumentFault::Refused(format!("cannot list interfaces: {error}"));
    let links = net.netlink.links().map_err(listed)?;
    let routes = net.netlink.routes().map_err(listed)?;
    let best = routes.iter().filter(|route| route.covers(spec.ip)).max_by_key(|route| route.prefix);
    let link = match &spec.nic {
        Some(nic) => nic::named(&links, nic).map_err(ArgumentFault::Argument)?,
        None => best.and_then(|route| links.iter().find(|link| link.index == route.index)).ok_or_else(|| {
            ArgumentFault::Refused(format!(
                "Unable to find nic or netmask. No route covers {0}: write {0}/24/eth0",
                spec.ip
            ))
        })?,
    };
    let on_link = best.filter(|route| route.prefix > 0).map(|route| route.prefix);
    let prefix = spec
        .prefix
        .or(on_link)
        .ok_or_else(|| ArgumentFault::Refused(format!("Cannot use default route w/o netmask [{}]", spec.ip)))?;
    Ok((link.clone(), prefix))
}

/// `eth0:0`, or the first number that is free, as people with ifconfig know it.
fn free_label(nic: &str, addresses: &[Address]) -> Option<String> {
    let label = (0..1000)
        .map(|number| format!("{nic}:{number}"))
        .find(|label| !addresses.iter().any(|address| address.label.as_deref() == Some(label)))?;
    (label.len() <= LONGEST_NAME).then_some(label)
}

fn stop(net: &mut Net, spec: &Address4) -> Result<(), ArgumentFault> {
    let failed = |error: io::Error| ArgumentFault::Refused(format!("cannot remove {}: {error}", spec.ip));
    net.stop_announcing(spec.ip.into());
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
