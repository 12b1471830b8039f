//! The arguments of `IPaddr`, `IPaddr2`, `SendArp` and `IPsrcaddr` (`config.md` 6, `resources.md` 9). Pure.

use std::net::Ipv4Addr;

use super::fault::{ArgumentFault, unread};
use super::network::{address, interface, label, labelled, mask, no_host_of, unreachable};

const FORM: &str = "ADDRESS/PREFIX/INTERFACE, for instance 10.0.0.5/24/eth0";
const SEND_ARP: &str = "SendArp::ADDRESS/INTERFACE";
const SOURCE: &str = "IPsrcaddr::ADDRESS";

/// `ADDRESS[/MASK[/NIC[:LABEL]][/BROADCAST]]` or `ADDRESS/MASK/BROADCAST`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address4 {
    /// The address that moves.
    pub ip: Ipv4Addr,
    /// The length of its network's prefix, where it is given.
    pub prefix: Option<u8>,
    /// The interface, where it is given.
    pub nic: Option<String>,
    /// `eth0:web`, which `IPaddr` does not use.
    pub label: Option<String>,
    /// The broadcast address, where it is given.
    pub broadcast: Option<Ipv4Addr>,
    /// Fields nobody reads.
    unread: Option<String>,
}

impl Address4 {
    /// The arguments of `IPaddr`.
    ///
    /// # Errors
    /// With what it would not start.
    pub fn of_ipaddr(args: &[String]) -> Result<Address4, ArgumentFault> {
        Address4::from_args("IPaddr", args)
    }

    /// The arguments of `IPaddr2`.
    ///
    /// # Errors
    /// With what it would not start.
    pub fn of_ipaddr2(args: &[String]) -> Result<Address4, ArgumentFault> {
        let read = Address4::from_args("IPaddr2", args)?;
        read.label.as_deref().map_or(Ok(()), label)?;
        Ok(read)
    }

    /// The address alone: what is left of arguments that are refused, and may be up all the same; never that of the
    /// machine itself.
    pub fn without_the_rest(args: &[String]) -> Option<Address4> {
        let ip = args.first()?.split('/').next()?.parse().ok()?;
        Some(Address4::only(ip)).filter(|address| address.ip != Ipv4Addr::LOCALHOST)
    }

    fn only(ip: Ipv4Addr) -> Address4 {
        Address4 { ip, prefix: None, nic: None, label: None, broadcast: None, unread: None }
    }

    fn from_args(agent: &str, args: &[String]) -> Result<Address4, ArgumentFault> {
        let text = args.first().map_or("", String::as_str);
        let mut fields = text.split('/');
        let first = fields.next().unwrap_or("");
        let ip = address(agent, first, FORM).map_err(|fault| other_family(fault, first, args))?;
        let mut read = Address4::only(ip);
        read.prefix = fields.next().map(|text| mask(text).ok_or_else(|| wrong_mask(text))).transpose()?;
        let fields: Vec<&str> = fields.filter(|field| !field.is_empty()).collect();
        for (at, field) in fields.iter().enumerate() {
            if at == 2 || read.broadcast.is_some() {
                read.unread = Some(fields[at..].join("/"));
                break;
            }
            if at == 0 && !field.starts_with(|c: char| c.is_ascii_digit()) {
                let (nic, label) = labelled(field)?;
                (read.nic, read.label) = (Some(nic.to_owned()), label.map(str::to_owned));
            } else {
                read.broadcast = Some(field.parse().map_err(|_| wrong_broadcast(field))?);
            }
        }
        Ok(read)
    }

    pub(super) fn doubts(&self, agent: &str, args: &[String]) -> Vec<ArgumentFault> {
        let mut doubts = Vec::new();
        doubts.extend(unreachable(self.ip));
        doubts.extend(self.prefix.and_then(|prefix| no_host_of(self.ip, prefix)));
        if self.prefix == Some(0) {
            let what = "the netmask leaves no network: no other machine near can be reached from this address";
            doubts.push(ArgumentFault::doubtful(what, format!("write {FORM}")));
        }
        doubts.extend(self.prefix.zip(self.broadcast).and_then(|(prefix, given)| self.other_broadcast(prefix, given)));
        if let Some(rest) = &self.unread {
            let what =
                format!("\"{rest}\" is not read: the interface comes behind the netmask, the broadcast address last");
            doubts.push(ArgumentFault::doubtful(what, "write ADDRESS/PREFIX/INTERFACE/BROADCAST"));
        }
        doubts.extend(unread(agent, args, 1, FORM));
        doubts
    }

    fn other_broadcast(&self, prefix: u8, given: Ipv4Addr) -> Option<ArgumentFault> {
        let highest = Ipv4Addr::from(self.ip.to_bits() | u32::MAX.checked_shr(prefix.into()).unwrap_or(0));
        let customary = [highest, Ipv4Addr::BROADCAST, Ipv4Addr::UNSPECIFIED].contains(&given) || prefix > 30;
        let what = format!("the broadcast address of {}/{prefix} is {highest}, not {given}", self.ip);
        (!customary).then(|| ArgumentFault::doubtful(what, "leave it out: it follows from the netmask"))
    }
}

/// An address of the other family, in whichever way the file can write it.
fn other_family(fault: ArgumentFault, first: &str, args: &[String]) -> ArgumentFault {
    let joined = args.join("::");
    let whole = joined.split('/').next().unwrap_or("");
    match first.contains(':') || whole.contains("::") {
        true if whole.parse::<std::net::Ipv6Addr>().is_ok() => ArgumentFault {
            what: format!("\"{whole}\" is an IPv6 address"),
            remedy: format!("write IPv6addr::{joined}"),
            ..fault
        },
        true | false => fault,
    }
}

fn wrong_mask(text: &str) -> ArgumentFault {
    let what = if text.is_empty() { "the netmask is missing".into() } else { format!("\"{text}\" is not a netmask") };
    ArgumentFault::refused(what, format!("write {FORM}")).original(format!("Invalid netmask specification [{text}]"))
}

fn wrong_broadcast(text: &str) -> ArgumentFault {
    let what = format!("\"{text}\" is not a broadcast address");
    ArgumentFault::refused(what, "write ADDRESS/PREFIX/INTERFACE/BROADCAST, or leave the broadcast address out")
}

/// `ADDRESS/INTERFACE`: what `SendArp` announces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announce {
    /// The address.
    pub ip: Ipv4Addr,
    /// Where; the interface of the route to it when it is not given.
    pub nic: Option<String>,
    mask: Option<String>,
    unread: Option<String>,
}

impl Announce {
    /// The arguments of `SendArp`. As `IPaddr` writes it, with a netmask, is understood too.
    ///
    /// # Errors
    /// With what it would announce nothing.
    pub fn read(args: &[String]) -> Result<Announce, ArgumentFault> {
        let mut fields = args.first().map_or("", String::as_str).split('/');
        let ip = address("SendArp", fields.next().unwrap_or(""), SEND_ARP)?;
        let mut fields = fields.filter(|field| !field.is_empty()).peekable();
        let is_mask = |field: &&str| field.parse::<u8>().is_ok() || field.parse::<Ipv4Addr>().is_ok();
        let mask = fields.next_if(is_mask).map(str::to_owned);
        let nic = fields.next().map(|field| interface(field.split(':').next().unwrap_or(field)));
        let nic = nic.transpose()?.map(str::to_owned);
        let rest = fields.collect::<Vec<_>>().join("/");
        Ok(Announce { ip, nic, mask, unread: Some(rest).filter(|rest| !rest.is_empty()) })
    }

    pub(super) fn doubts(&self, args: &[String]) -> Vec<ArgumentFault> {
        let mut doubts = Vec::new();
        doubts.extend(unreachable(self.ip));
        let remedy = format!("write {SEND_ARP}");
        if self.mask.is_some() {
            let what = "SendArp takes an interface and no netmask: heartbeat's announces nothing then";
            doubts.push(ArgumentFault::doubtful(what, remedy.clone()));
        } else if self.nic.is_none() {
            let what = "SendArp needs an interface: heartbeat's announces nothing without one";
            doubts.push(ArgumentFault::doubtful(what, remedy.clone()));
        }
        if let Some(rest) = &self.unread {
            doubts.push(ArgumentFault::doubtful(format!("SendArp does not read \"{rest}\""), remedy));
        }
        doubts.extend(unread("SendArp", args, 1, SEND_ARP));
        doubts
    }
}

/// `ADDRESS`: what packets of this machine leave with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The address.
    pub ip: Ipv4Addr,
    unread: Option<String>,
}

impl Source {
    /// The arguments of `IPsrcaddr`.
    ///
    /// # Errors
    /// With what it would not start.
    pub fn read(args: &[String]) -> Result<Source, ArgumentFault> {
        let text = args.first().map_or("", String::as_str);
        let (first, rest) = text.split_once('/').map_or((text, None), |(first, rest)| (first, Some(rest)));
        let ip = address("IPsrcaddr", first, SOURCE)?;
        Ok(Source { ip, unread: rest.filter(|rest| !rest.is_empty()).map(str::to_owned) })
    }

    pub(super) fn doubts(&self, args: &[String]) -> Vec<ArgumentFault> {
        let mut doubts: Vec<ArgumentFault> = unreachable(self.ip).into_iter().collect();
        if let Some(rest) = &self.unread {
            let what = format!("IPsrcaddr takes an address alone, and does not read \"/{rest}\"");
            doubts.push(ArgumentFault::doubtful(what, format!("write {SOURCE}")));
        }
        doubts.extend(unread("IPsrcaddr", args, 1, SOURCE));
        doubts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Address4, ArgumentFault> {
        Address4::of_ipaddr2(&[text.to_owned()])
    }

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
            ("10.0.0.5/24/eth0:", Some(24), nic("eth0"), None, None),
            ("10.0.0.5/24/eth0:web/10.0.0.255", Some(24), nic("eth0"), nic("eth0:web"), broadcast),
            ("10.0.0.5/24/eth0/10.0.0.255", Some(24), nic("eth0"), None, broadcast),
            ("10.0.0.5/24/10.0.0.255", Some(24), None, None, broadcast),
            ("10.0.0.5/24/eth0/", Some(24), nic("eth0"), None, None),
            ("10.0.0.5/24//eth0", Some(24), nic("eth0"), None, None),
        ];
        for (text, prefix, nic, label, broadcast) in cases {
            assert_eq!(read(text), Ok(Address4 { ip, prefix, nic, label, broadcast, unread: None }), "{text}");
        }
    }

    #[test]
    fn an_interface_behind_the_broadcast_address_is_not_read_and_that_is_said() {
        let read = read("10.0.0.5/24/10.0.0.255/eth0").unwrap();
        assert_eq!((read.nic.as_deref(), read.unread.as_deref()), (None, Some("eth0")));
        assert!(read.doubts("IPaddr2", &[]).iter().any(|doubt| doubt.what.contains("\"eth0\" is not read")));
    }

    #[test]
    fn a_label_that_is_too_long_matters_to_ipaddr2_alone() {
        let text = ["10.0.0.5/24/eth0:much-too-long".to_owned()];
        assert!(Address4::of_ipaddr2(&text).unwrap_err().what.contains("longer than the 15"));
        assert!(Address4::of_ipaddr(&text).is_ok());
    }
}
