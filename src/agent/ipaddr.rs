//! `IPaddr` and `IPaddr2`: an address that moves (`resources.md` 9, argument forms in `config.md` 6).
//!
//! What is there without our label counts as running, as in the original, and is removed by `stop` all the same, as there.
//! The two differ in the name old tools show: `IPaddr` takes the first free `eth0:N`, `IPaddr2` the label it is given.

use std::io;
use std::net::Ipv4Addr;

use crate::haresources::Verb;
use crate::netlink::{Address, Link};
use crate::time::Mono;

use super::announce::Claim;
use super::{Answer, Net, nic};

/// Of a label, as of an interface's name.
const LONGEST_LABEL: usize = 15;

/// Which of the two agents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// `IPaddr`: an alias ifconfig can see.
    Alias,
    /// `IPaddr2`: a further address of the interface.
    Plain,
}

/// `ADDR[/MASK[/NIC[:LABEL]][/BROADCAST]]` or `ADDR/MASK/BROADCAST`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Spec {
    ip: Ipv4Addr,
    prefix: Option<u8>,
    nic: Option<String>,
    label: Option<String>,
    broadcast: Option<Ipv4Addr>,
}

/// Why it cannot be started.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Fault {
    /// The argument is wrong, on this machine at least.
    Argument(String),
    /// The kernel or the network would not have it.
    Refused(String),
}

impl Spec {
    fn from_text(text: &str) -> Result<Spec, String> {
        let mut parts = text.split('/');
        let address = parts.next().unwrap_or("");
        let ip = address.parse().map_err(|_| format!("IP address [{address}] not valid."))?;
        let prefix = parts.next().map(mask).transpose()?;
        let mut spec = Spec { prefix, ..Spec::only(ip) };
        for part in parts.filter(|part| !part.is_empty()).take(2) {
            if part.starts_with(|c: char| c.is_ascii_digit()) {
                spec.broadcast = Some(part.parse().map_err(|_| format!("\"{part}\" is not a broadcast address"))?);
                break;
            }
            let (nic, label) = part.split_once(':').map_or((part, None), |(nic, _)| (nic, Some(part)));
            (spec.nic, spec.label) = (Some(nic.to_owned()), label.map(str::to_owned));
        }
        Ok(spec)
    }

    fn only(ip: Ipv4Addr) -> Spec {
        Spec { ip, prefix: None, nic: None, label: None, broadcast: None }
    }

    fn claim(&self) -> Claim {
        Claim { ip: self.ip.into(), nic: self.nic.clone(), borrowed: false }
    }
}

pub(super) fn claim(args: &[String]) -> Option<Claim> {
    Spec::from_text(args.first()?).ok().map(|spec| spec.claim())
}

pub(super) fn run(net: &mut Net, kind: Kind, args: &[String], verb: Verb, now: Mono) -> Answer {
    let Some(text) = args.first() else {
        let name = if kind == Kind::Alias { "IPaddr" } else { "IPaddr2" };
        return Answer::usage(name, "<ip-address>");
    };
    let spec = match (Spec::from_text(text), verb) {
        (Ok(spec), _) => spec,
        (Err(why), Verb::Start) => return refusal(kind, Fault::Argument(why)),
        // The rest of a wrong argument never mattered to what is up; without an address nothing can be.
        (Err(_), Verb::Stop | Verb::Status) => match text.split('/').next().unwrap_or("").parse() {
            Ok(ip) => Spec::only(ip),
            Err(_) if verb == Verb::Stop => return Answer::success(),
            Err(_) => return Answer::stopped(),
        },
    };
    let result = match verb {
        Verb::Start => start(net, kind, &spec, now),
        Verb::Stop => stop(net, &spec),
        Verb::Status => return status(net, &spec),
    };
    result.map_or_else(|fault| refusal(kind, fault), |()| Answer::success())
}

fn refusal(kind: Kind, fault: Fault) -> Answer {
    match (fault, kind) {
        (Fault::Argument(why), Kind::Plain) => Answer::failed(6, why),
        (Fault::Argument(why), Kind::Alias) | (Fault::Refused(why), _) => Answer::failed(1, why),
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

fn status(net: &mut Net, spec: &Spec) -> Answer {
    match present(net, spec) {
        Ok(Some(_)) => Answer::running(),
        Ok(None) => Answer::stopped(),
        Err(error) => Answer::failed(1, format!("cannot list addresses: {error}")),
    }
}

fn present(net: &mut Net, spec: &Spec) -> io::Result<Option<Address>> {
    let meant = nic::meant(&mut net.netlink, spec.nic.as_deref())?;
    let fits = |address: &Address| address.ip == spec.ip && meant(address.index);
    Ok(net.netlink.addresses()?.into_iter().find(fits))
}

fn start(net: &mut Net, kind: Kind, spec: &Spec, now: Mono) -> Result<(), Fault> {
    let failed = |error: io::Error| Fault::Refused(format!("cannot add {}: {error}", spec.ip));
    let taken = present(net, spec).map_err(failed)?.is_none();
    if taken {
        let (link, prefix) = place(net, spec)?;
        if !link.up {
            net.netlink.switch_on(link.index).map_err(failed)?;
        }
        net.probe(&link, spec.ip.into());
        if let Some(label) = spec.label.as_ref().filter(|label| kind == Kind::Plain && label.len() > LONGEST_LABEL) {
            let why = format!("the label \"{label}\" is longer than the {LONGEST_LABEL} characters the kernel takes");
            return Err(Fault::Argument(why));
        }
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
    net.begin_announcing(spec.claim(), taken, now);
    Ok(())
}

/// The interface and mask: as given, or those of the route that covers the address; the default route only lends its
/// interface, and only to an address with a mask.
fn place(net: &mut Net, spec: &Spec) -> Result<(Link, u8), Fault> {
    let listed = |error: io::Error| Fault::Refused(format!("cannot list interfaces: {error}"));
    let links = net.netlink.links().map_err(listed)?;
    let routes = net.netlink.routes().map_err(listed)?;
    let best = routes.iter().filter(|route| route.covers(spec.ip)).max_by_key(|route| route.prefix);
    let link = match &spec.nic {
        Some(nic) => nic::named(&links, nic).map_err(Fault::Argument)?,
        None => best.and_then(|route| links.iter().find(|link| link.index == route.index)).ok_or_else(|| {
            Fault::Refused(format!("Unable to find nic or netmask. No route covers {0}: write {0}/24/eth0", spec.ip))
        })?,
    };
    let on_link = best.filter(|route| route.prefix > 0).map(|route| route.prefix);
    let prefix = spec
        .prefix
        .or(on_link)
        .ok_or_else(|| Fault::Refused(format!("Cannot use default route w/o netmask [{}]", spec.ip)))?;
    Ok((link.clone(), prefix))
}

/// `eth0:0`, or the first number that is free, as people with ifconfig know it.
fn free_label(nic: &str, addresses: &[Address]) -> Option<String> {
    let label = (0..1000)
        .map(|number| format!("{nic}:{number}"))
        .find(|label| !addresses.iter().any(|address| address.label.as_deref() == Some(label)))?;
    (label.len() <= LONGEST_LABEL).then_some(label)
}

fn stop(net: &mut Net, spec: &Spec) -> Result<(), Fault> {
    let failed = |error: io::Error| Fault::Refused(format!("cannot remove {}: {error}", spec.ip));
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_accepted_form_is_read() {
        let broadcast = Some(Ipv4Addr::new(10, 0, 0, 255));
        let ip = Ipv4Addr::new(10, 0, 0, 5);
        let nic = |name: &str| Some(name.to_owned());
        let cases = [
            ("10.0.0.5", None, None, None, None),
            ("10.0.0.5/24", Some(24), None, None, None),
            ("10.0.0.5/255.255.255.0/eth0", Some(24), nic("eth0"), None, None),
            ("10.0.0.5/24/eth0:3", Some(24), nic("eth0"), nic("eth0:3"), None),
            ("10.0.0.5/24/eth0:web/10.0.0.255", Some(24), nic("eth0"), nic("eth0:web"), broadcast),
            ("10.0.0.5/24/eth0/10.0.0.255", Some(24), nic("eth0"), None, broadcast),
            ("10.0.0.5/24/10.0.0.255", Some(24), None, None, broadcast),
            ("10.0.0.5/24/10.0.0.255/eth0", Some(24), None, None, broadcast),
            ("10.0.0.5/24/eth0/", Some(24), nic("eth0"), None, None),
        ];
        for (text, prefix, nic, label, broadcast) in cases {
            assert_eq!(Spec::from_text(text), Ok(Spec { ip, prefix, nic, label, broadcast }), "{text}");
        }
    }

    #[test]
    fn wrong_forms_are_refused_with_what_would_be_right() {
        for text in ["10.0.0.5/eth0", "10.0.0.5//eth0", "10.0.0.5/33/eth0", "10.0.0.300", "", "10.0.0.5/255.0.255.0"] {
            assert!(Spec::from_text(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_argument_makes_it_panic(text in "[0-9a-z./:]{0,40}") {
            let _ = Spec::from_text(&text);
        }
    }
}
