//! The parts that arguments of address agents have in common: addresses, masks, names of interfaces. Pure.

use std::net::Ipv4Addr;

use super::fault::ArgumentFault;

/// How long an interface's name may be, or a label.
pub const LONGEST_NAME: usize = 15;

/// An IPv4 address that a machine can have.
pub(super) fn address(agent: &str, text: &str, form: &str) -> Result<Ipv4Addr, ArgumentFault> {
    let remedy = format!("write {form}");
    if text.is_empty() {
        return Err(ArgumentFault::missing(format!("{agent} needs an address"), remedy));
    }
    let Ok(ip) = text.parse::<Ipv4Addr>() else {
        let what = format!("{agent} needs an IPv4 address, not \"{text}\"");
        return Err(ArgumentFault::refused(what, remedy).original(format!("IP address [{text}] not valid.")));
    };
    match impossible(ip) {
        Some(why) => Err(ArgumentFault::refused(format!("{ip} {why}"), "choose an address of the network")),
        None => Ok(ip),
    }
}

/// Why no machine can serve at this address; the kernel takes some of them without a word.
fn impossible(ip: Ipv4Addr) -> Option<&'static str> {
    match ip {
        Ipv4Addr::UNSPECIFIED => Some("is no address: the kernel adds none"),
        Ipv4Addr::BROADCAST => Some("is everybody's address: nobody can be reached at it"),
        Ipv4Addr::LOCALHOST => Some("is every machine's own: its stop would take it from this machine"),
        _ if ip.is_multicast() => Some("is a multicast address: nobody can be reached at it"),
        _ => None,
    }
}

/// Why an address that can be had is of no use to clients, as far as it says itself.
pub(super) fn unreachable(ip: Ipv4Addr) -> Option<ArgumentFault> {
    let why = match ip.octets()[0] {
        0 => "is in a network that routers do not know",
        127 => "can be reached from this machine alone",
        _ => return None,
    };
    Some(ArgumentFault::doubtful(format!("{ip} {why}"), "choose an address that clients can reach"))
}

/// Says of an address whether it is its whole network, or the broadcast address of it.
pub fn no_host_of(ip: Ipv4Addr, prefix: u8) -> Option<ArgumentFault> {
    if !(1..=30).contains(&prefix) {
        return None;
    }
    let hosts = u32::MAX >> prefix;
    let network = Ipv4Addr::from(ip.to_bits() & !hosts);
    let what = match ip.to_bits() & hosts {
        0 => {
            format!("{ip} is the address of the network {network}/{prefix} itself: hosts and routers may not answer it")
        }
        all if all == hosts => format!("{ip} is the broadcast address of {network}/{prefix}: nobody can connect to it"),
        _ => return None,
    };
    Some(ArgumentFault::doubtful(what, "choose an address inside the network"))
}

/// A number of bits, or `255.255.255.0`.
pub(super) fn mask(text: &str) -> Option<u8> {
    if let Some(bits) = bits(text, 32) {
        return Some(bits);
    }
    let mask = text.parse::<Ipv4Addr>().ok()?.to_bits();
    let bits = mask.leading_ones();
    u8::try_from(bits).ok().filter(|_| mask.count_ones() == bits)
}

/// A prefix length.
pub(super) fn bits(text: &str, most: u8) -> Option<u8> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|bits| digits && *bits <= most)
}

/// The name of an interface, if the kernel could have one of that name.
pub(super) fn interface(name: &str) -> Result<&str, ArgumentFault> {
    let no_name = |c: char| c.is_whitespace() || c.is_control() || c == ':' || c == '/';
    let why = match name {
        "" => "is missing",
        "." | ".." => "cannot be one",
        _ if name.len() > LONGEST_NAME => "is longer than the 15 characters the kernel takes",
        _ if name.contains(no_name) => "cannot be one",
        _ => return Ok(name),
    };
    let what = format!("the name of the interface, \"{name}\", {why}");
    Err(ArgumentFault::refused(what, "`ip link` lists them").original(format!("Device \"{name}\" does not exist.")))
}

/// `eth0:web`: the interface, and the whole as a label.
pub(super) fn labelled(text: &str) -> Result<(&str, Option<&str>), ArgumentFault> {
    let (nic, label) = text.split_once(':').map_or((text, ""), |(nic, label)| (nic, label));
    Ok((interface(nic)?, Some(text).filter(|_| !label.is_empty())))
}

/// A label, if the kernel takes it.
pub(super) fn label(text: &str) -> Result<(), ArgumentFault> {
    if text.len() <= LONGEST_NAME {
        return Ok(());
    }
    let what = format!("the label \"{text}\" is longer than the {LONGEST_NAME} characters the kernel takes");
    Err(ArgumentFault::refused(what, "shorten it, or leave it out"))
}
