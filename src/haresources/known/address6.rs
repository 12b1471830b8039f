//! The arguments of `IPv6addr` (`resources.md` 9). Pure.

use std::net::Ipv6Addr;

use super::fault::ArgumentFault;
use super::network::{bits, interface};

const FORM: &str = "IPv6addr::ADDRESS/BITS/INTERFACE";

/// `ADDRESS[/BITS[/NIC]]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address6 {
    /// The address that moves.
    pub ip: Ipv6Addr,
    /// The length of its network's prefix, where it is given.
    pub prefix: Option<u8>,
    /// The interface, where it is given.
    pub nic: Option<String>,
    unread: Option<String>,
}

/// `fd00::5` reaches an agent as two arguments, because `::` separates arguments in `haresources`.
pub(super) fn whole(args: &[String]) -> String {
    args.join("::")
}

impl Address6 {
    /// The arguments of `IPv6addr`.
    ///
    /// # Errors
    /// With what it would not start.
    pub fn read(args: &[String]) -> Result<Address6, ArgumentFault> {
        let text = whole(args);
        let mut fields = text.split('/');
        let ip = address(fields.next().unwrap_or(""))?;
        let prefix = fields.next().filter(|field| !field.is_empty());
        let prefix = prefix.map(|text| bits(text, 128).ok_or_else(|| wrong_bits(text))).transpose()?;
        let mut fields = fields.filter(|field| !field.is_empty());
        let nic = fields.next().map(interface).transpose()?.map(str::to_owned);
        if ip.is_unicast_link_local() && nic.is_none() {
            let what = format!("{ip} is an address of one cable: it needs its interface");
            return Err(ArgumentFault::refused(what, format!("write {FORM}")));
        }
        let rest = fields.collect::<Vec<_>>().join("/");
        Ok(Address6 { ip, prefix, nic, unread: Some(rest).filter(|rest| !rest.is_empty()) })
    }

    pub(super) fn doubts(&self) -> Vec<ArgumentFault> {
        let mut doubts = Vec::new();
        let hosts = |prefix: u8| u128::MAX.checked_shr(prefix.into()).unwrap_or(0);
        match self.prefix {
            Some(0) => {
                let what =
                    "a prefix of 0 bits leaves no network: no other machine near can be reached from this address";
                doubts.push(ArgumentFault::doubtful(what, format!("write {FORM}")));
            }
            Some(prefix @ 1..127) if self.ip.to_bits() & hosts(prefix) == 0 => {
                let what =
                    format!("{0} is the address of the network {0}/{prefix} itself: its routers answer it", self.ip);
                doubts.push(ArgumentFault::doubtful(what, "choose an address inside the network"));
            }
            Some(_) | None => {}
        }
        if let Some(rest) = &self.unread {
            doubts.push(ArgumentFault::doubtful(format!("IPv6addr does not read \"{rest}\""), format!("write {FORM}")));
        }
        doubts
    }
}

fn address(text: &str) -> Result<Ipv6Addr, ArgumentFault> {
    let remedy = format!("write {FORM}");
    if text.is_empty() {
        return Err(ArgumentFault::missing("IPv6addr needs an address", remedy));
    }
    let Ok(ip) = text.parse::<Ipv6Addr>() else {
        let what = format!("IPv6addr needs an IPv6 address, not \"{text}\"");
        let remedy = if text.parse::<std::net::Ipv4Addr>().is_ok() {
            format!("write IPaddr::{text}")
        } else if let Some((_, scope)) = text.split_once('%') {
            format!("write the interface behind the prefix: /64/{scope}")
        } else if !text.contains("::") && text.split(':').all(|group| u16::from_str_radix(group, 16).is_ok()) {
            "an address that begins or ends with \"::\" loses it here: write all its eight groups".to_owned()
        } else {
            remedy
        };
        return Err(ArgumentFault::refused(what, remedy));
    };
    let why = match ip {
        Ipv6Addr::UNSPECIFIED => "is no address",
        Ipv6Addr::LOCALHOST => "is every machine's own",
        _ if ip.is_multicast() => "is a multicast address: nobody can be reached at it",
        _ if ip.to_ipv4_mapped().is_some() => "is an IPv4 address written as an IPv6 one: nobody can be reached at it",
        _ => return Ok(ip),
    };
    Err(ArgumentFault::refused(format!("{ip} {why}"), "choose an address of the network"))
}

fn wrong_bits(text: &str) -> ArgumentFault {
    ArgumentFault::refused(format!("\"{text}\" is no prefix length from 0 to 128"), format!("write {FORM}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::haresources::Resource;

    #[test]
    fn every_accepted_form_is_read_as_haresources_takes_it_apart() {
        let ip: Ipv6Addr = "fd00::5".parse().unwrap();
        let nic = Some("eth0".to_owned());
        let cases = [
            ("fd00::5", None, None),
            ("fd00::5/64", Some(64), None),
            ("fd00::5/64/eth0", Some(64), nic.clone()),
            ("fd00::5//eth0", None, nic),
        ];
        for (text, prefix, nic) in cases {
            let args = Resource::from_word(&format!("IPv6addr::{text}")).args;
            assert_eq!(Address6::read(&args), Ok(Address6 { ip, prefix, nic, unread: None }), "{text}");
        }
    }

    #[test]
    fn an_address_that_lost_its_colons_is_to_be_written_in_full() {
        for word in ["IPv6addr::fd00::", "IPv6addr::::5/64/eth0"] {
            let fault = Address6::read(&Resource::from_word(word).args).unwrap_err();
            assert!(fault.remedy.contains("eight groups"), "{word}: {fault}");
        }
    }
}
