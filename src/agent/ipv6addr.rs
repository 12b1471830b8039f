//! `IPv6addr::ADDR[/BITS[/NIC]]`: an IPv6 address that moves (`resources.md` 9).
//!
//! The kernel's duplicate address detection would keep the address unusable for a second or more; it is skipped, and the
//! same question is asked beside the first advertisement instead.

use std::io;
use std::net::{IpAddr, Ipv6Addr};

use crate::haresources::Verb;
use crate::netlink::{Address6, Link};
use crate::time::Mono;

use super::announce::Claim;
use super::{Answer, Net, nic};

/// `ADDR[/BITS[/NIC]]`
#[derive(Clone, Debug, PartialEq, Eq)]
struct Spec {
    ip: Ipv6Addr,
    prefix: Option<u8>,
    nic: Option<String>,
}

impl Spec {
    fn from_text(text: &str) -> Result<Spec, String> {
        let mut parts = text.split('/');
        let address = parts.next().unwrap_or("");
        let ip = address.parse().map_err(|_| format!("\"{address}\" is not an IPv6 address"))?;
        let bits = |bits: &str| {
            bits.parse().ok().filter(|bits| *bits <= 128).ok_or_else(|| format!("\"{bits}\" is no prefix length"))
        };
        let prefix = parts.next().filter(|part| !part.is_empty()).map(bits).transpose()?;
        let nic = parts.next().filter(|part| !part.is_empty()).map(str::to_owned);
        Ok(Spec { ip, prefix, nic })
    }
}

/// `fd00::5` reaches us as two arguments, because `::` separates arguments in `haresources`.
fn whole(args: &[String]) -> String {
    args.join("::")
}

pub(super) fn claim(args: &[String]) -> Option<Claim> {
    let Spec { ip, nic, .. } = Spec::from_text(&whole(args)).ok()?;
    Some(Claim { ip: IpAddr::V6(ip), nic, borrowed: false })
}

pub(super) fn run(net: &mut Net, args: &[String], verb: Verb, now: Mono) -> Answer {
    if args.is_empty() {
        return Answer::usage("IPv6addr", "<ip-address>");
    }
    let spec = match (Spec::from_text(&whole(args)), verb) {
        (Ok(spec), _) => spec,
        (Err(why), Verb::Start | Verb::Status) => return Answer::failed(2, why),
        // What cannot be an address cannot have been taken: nothing is left to stop.
        (Err(why), Verb::Stop) => return Answer::success().because(why),
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

fn present(net: &mut Net, spec: &Spec) -> io::Result<Option<Address6>> {
    let meant = nic::meant(&mut net.netlink, spec.nic.as_deref())?;
    let fits = |address: &Address6| address.ip == spec.ip && meant(address.index);
    Ok(net.netlink.addresses6()?.into_iter().find(fits))
}

fn start(net: &mut Net, spec: &Spec, now: Mono) -> Result<Answer, String> {
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
    net.begin_announcing(Claim { ip: spec.ip.into(), nic: spec.nic.clone(), borrowed: false }, taken, now);
    Ok(Answer::success())
}

/// As given, or those of the net the address lies in.
fn place(net: &mut Net, spec: &Spec) -> Result<(Link, u8), String> {
    let listed = |error: io::Error| format!("cannot list interfaces: {error}");
    let links = net.netlink.links().map_err(listed)?;
    let routes = net.netlink.routes6().map_err(listed)?;
    let local = spec.ip.segments()[0] & 0xffc0 == 0xfe80;
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

fn stop(net: &mut Net, spec: &Spec) -> Result<Answer, String> {
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_accepted_form_is_read_and_others_are_refused() {
        let ip: Ipv6Addr = "fd00::5".parse().unwrap();
        let nic = Some("eth0".to_owned());
        let cases = [
            ("fd00::5", None, None),
            ("fd00::5/64", Some(64), None),
            ("fd00::5/64/eth0", Some(64), nic.clone()),
            ("fd00::5//eth0", None, nic),
        ];
        for (text, prefix, nic) in cases {
            assert_eq!(Spec::from_text(text), Ok(Spec { ip, prefix, nic }), "{text}");
        }
        for text in ["", "zz", "10.0.0.1", "fd00::5/129", "fd00::5/eth0"] {
            assert!(Spec::from_text(text).is_err(), "{text}");
        }
    }

    #[test]
    fn an_address_that_haresources_took_apart_is_put_together() {
        let args = crate::haresources::Resource::from_word("IPv6addr::fd00::5/64/eth0").args;
        assert_eq!(Spec::from_text(&whole(&args)).map(|spec| spec.ip.to_string()), Ok("fd00::5".to_owned()));
    }

    proptest! {
        #[test]
        fn no_argument_makes_it_panic(text in "[0-9a-f./:]{0,40}") {
            let _ = Spec::from_text(&text);
        }
    }
}
