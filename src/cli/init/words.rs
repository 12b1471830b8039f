//! The words `latido init` takes, from flags and from answers: each ends up in a file where a blank or a `#` would
//! mean something else.

use std::net::IpAddr;

use crate::haresources::{Resource, known};
use crate::names::NodeName;

type DrbdDisk = [String; 3];

/// Any single word.
pub(super) fn word(text: &str) -> Result<String, String> {
    let plain = !text.is_empty() && !text.contains(|c: char| c.is_whitespace() || c.is_control() || "#,\\".contains(c));
    plain.then(|| text.to_owned()).ok_or_else(|| format!("\"{text}\" is not one plain word"))
}

/// A node's name.
pub(super) fn node(text: &str) -> Result<NodeName, String> {
    let plain = word(text)?;
    let like_a_host = plain.chars().all(|c| c.is_ascii_alphanumeric() || "-._".contains(c));
    NodeName::new(&plain)
        .filter(|_| like_a_host && !plain.starts_with('-'))
        .ok_or_else(|| format!("\"{text}\" is not a host name; `uname -n` prints it"))
}

/// A card that heartbeats can be sent on.
pub(super) fn interface(text: &str) -> Result<String, String> {
    let plain = word(text)?;
    match plain.split_once(':') {
        Some((card, _)) => Err(format!("\"{text}\" is an alias, a second address of one card: write {card}")),
        None if plain == "lo" => {
            Err("\"lo\" is this machine alone: name a card that leads to the other node".to_owned())
        }
        None => Ok(plain),
    }
}

/// An outside host to ping.
pub(super) fn ping(text: &str) -> Result<String, String> {
    let plain = word(text)?;
    let like_an_address = plain.contains(':') || plain.chars().all(|c| c.is_ascii_digit() || c == '.');
    match plain.parse::<IpAddr>() {
        Ok(address) => Ok(address.to_string()),
        Err(_) if like_an_address => Err(format!("\"{text}\" is not an address; write one such as 192.168.1.254")),
        Err(_) => Ok(plain),
    }
}

/// `TYPE,FILE`: a device of cluster-glue, and the file with its parameters, which may be passwords.
pub(super) fn stonith(text: &str) -> Result<(String, String), String> {
    let parts = text.split_once(',').map(|(device, file)| (word(device), word(file)));
    match parts {
        Some((Ok(device), Ok(file))) if file.starts_with('/') => Ok((device, file)),
        _ => Err(format!(
            "\"{text}\" is not TYPE,FILE, such as external/ipmi,/etc/ha.d/stonith.conf; stonith -L lists types"
        )),
    }
}

/// A command with its full path; `%n` is the node.
pub(super) fn fence(text: &str) -> Result<String, String> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let plain = words.iter().all(|part| word(&part.replace(',', "")).is_ok());
    match words.first() {
        Some(program) if program.starts_with('/') && plain && !text.contains(['\n', '\r']) => Ok(words.join(" ")),
        _ => Err(format!("\"{text}\" is not a command with its full path, such as /usr/local/sbin/power-off %n")),
    }
}

/// `NAME,SECONDS`
pub(super) fn monitor(text: &str) -> Result<(String, u32), String> {
    let parts = text.rsplit_once(',').map(|(name, every)| (word(name), seconds(every)));
    match parts {
        Some((Ok(name), Ok(every))) => Ok((name, every)),
        _ => Err(format!("\"{text}\" is not NAME,SECONDS, such as asterisk,10")),
    }
}

/// From 1 to 3600.
pub(super) fn seconds(text: &str) -> Result<u32, String> {
    let known = text.parse().ok().filter(|seconds| (1..=3600).contains(seconds));
    known.ok_or_else(|| format!("\"{text}\" is not a number of seconds from 1 to 3600"))
}

/// A path to a device.
pub(super) fn device(text: &str) -> Result<String, String> {
    let path = word(text)?;
    if path.starts_with('/') { Ok(path) } else { Err(format!("\"{text}\" is not a full path such as /dev/ttyS0")) }
}

/// `ADDRESS/PREFIX/INTERFACE`, or less of it from the right.
pub(super) fn address(text: &str) -> Result<String, String> {
    let plain = word(text)?;
    let wrong = || format!("\"{text}\" is not ADDRESS/PREFIX/INTERFACE, such as 192.168.1.10/24/eth0");
    let rest = plain.split_once('/').map_or(String::new(), |(_, rest)| format!("/{rest}"));
    if rest.matches('/').count() > 2 || rest.ends_with('/') {
        return Err(wrong());
    }
    match plain.split('/').next().and_then(|ip| ip.parse::<IpAddr>().ok()) {
        Some(IpAddr::V4(_)) => faultless(plain),
        // A bare word means IPaddr only when it looks like IPv4, and a "::" would end the argument: all groups are spelled.
        Some(IpAddr::V6(ip)) => {
            let groups = ip.segments().map(|group| format!("{group:x}")).join(":");
            faultless(format!("IPv6addr::{groups}{rest}"))
        }
        None => Err(wrong()),
    }
}

/// The same word, if there is nothing to say about its arguments as a resource.
fn faultless(resource: String) -> Result<String, String> {
    match known::faults(&Resource::from_word(&resource)).into_iter().next() {
        None => Ok(resource),
        Some(fault) => Err(format!("{}; {}", fault.what, fault.remedy)),
    }
}

/// `DEVICE:DIRECTORY:TYPE`.
pub(super) fn disk(text: &str) -> Result<DrbdDisk, String> {
    let plain = word(text)?;
    let parts: Vec<String> = plain.split(':').map(str::to_owned).collect();
    match <DrbdDisk>::try_from(parts) {
        Ok(disk) if disk.iter().all(|part| !part.is_empty()) => {
            faultless(format!("Filesystem::{}", disk.join("::"))).map(|_| disk)
        }
        _ => Err(format!("\"{text}\" is not DEVICE:DIRECTORY:TYPE, such as /dev/drbd0:/data:ext4")),
    }
}

/// A service with its arguments: `asterisk`, `MailTo::root`.
pub(super) fn service(text: &str) -> Result<String, String> {
    let plain = word(text)?;
    if plain.contains('/') && !plain.contains("::") {
        return Err(format!("\"{text}\": a service is the name of an init script or a unit, without a path"));
    }
    let resource = plain.strip_suffix(".service").unwrap_or(&plain);
    match known::other_case(&Resource::from_word(resource).agent) {
        Some(meant) => Err(format!("\"{text}\": upper and lower case count: write {meant}")),
        None => faultless(resource.to_owned()),
    }
}

/// `INTERFACE,ADDRESS,ADDRESS`: both nodes' addresses, so that both can have the same file.
pub(super) fn ucast(text: &str) -> Result<(String, Vec<String>), String> {
    let parts: Vec<&str> = text.split(',').collect();
    match parts.as_slice() {
        [nic, first, second] if first != second => {
            let nic = interface(nic)?;
            match (first.parse::<IpAddr>(), second.parse::<IpAddr>()) {
                (Ok(one), Ok(other)) if one.is_ipv4() == other.is_ipv4() => {
                    Ok((nic, vec![one.to_string(), other.to_string()]))
                }
                (Ok(_), Ok(_)) => Err(format!("\"{text}\": write two IPv4 addresses, or two IPv6 addresses")),
                _ => Err(format!("\"{text}\": write plain addresses: a name needs a resolver at boot")),
            }
        }
        _ => Err(format!("\"{text}\" is not INTERFACE,ADDRESS,ADDRESS with the addresses of both nodes")),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn addresses_are_taken_as_haresources_wants_them() {
        for good in ["10.0.0.5", "10.0.0.5/24", "10.0.0.5/24/eth0"] {
            assert_eq!(address(good).as_deref(), Ok(good));
        }
        assert_eq!(address("fe80::1/64/eth0").as_deref(), Ok("IPv6addr::fe80:0:0:0:0:0:0:1/64/eth0"));
        for bad in ["", "eth0", "10.0.0.5/eth0", "10.0.0.5/33/eth0", "10.0.0.5/24/eth0/x", "10.0.0.5/24/", "10.0.0.5 x"]
        {
            assert!(address(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_would_mean_something_else_in_a_file_is_refused() {
        for bad in ["", "a b", "a#b", "a\nnode mallory", "a\\", "a,b"] {
            assert!(word(bad).is_err(), "{bad:?}");
        }
        for bad in ["-x", "<-", "al:pha", "a/b"] {
            assert!(node(bad).is_err(), "{bad:?}");
        }
        assert!(device("ttyS0").is_err() && disk("/dev/x:/data").is_err() && disk("/dev/x:data:ext4").is_err());
        assert!(service("/etc/init.d/asterisk").is_err());
        assert_eq!(service("asterisk.service").as_deref(), Ok("asterisk"));
        for bad in ["eth0", "eth0,10.0.0.1", "eth0,10.0.0.1,10.0.0.1", "eth0,a,b", ",10.0.0.1,10.0.0.2"] {
            assert!(ucast(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_alias_and_the_loopback_are_no_paths_and_both_families_are_taken() {
        assert!(interface("eth0:0").unwrap_err().contains("write eth0") && interface("lo").is_err());
        assert_eq!(interface("br0").as_deref(), Ok("br0"));
        let v6 = ucast("eth0,fd00::1,fd00:0::2").unwrap();
        assert_eq!(v6, ("eth0".to_owned(), vec!["fd00::1".to_owned(), "fd00::2".to_owned()]));
        assert!(ucast("eth0,fd00::1,10.0.0.2").is_err() && ucast("eth0:1,10.0.0.1,10.0.0.2").is_err());
        assert!(ping("10.0.0.300").is_err() && ping("fe80::1").is_ok() && ping("router.example.com").is_ok());
    }

    #[test]
    fn fencing_and_monitors_are_taken_as_the_files_want_them() {
        assert_eq!(stonith("external/ipmi,/etc/x").unwrap(), ("external/ipmi".to_owned(), "/etc/x".to_owned()));
        assert_eq!(fence(" /bin/off  %n -p 1,2").as_deref(), Ok("/bin/off %n -p 1,2"));
        assert_eq!(monitor("asterisk,10").unwrap(), ("asterisk".to_owned(), 10));
        for bad in
            ["", "ipmi", "ipmi,file", "a b,/c", "off %n", "/bin/off #x", "/bin/off\nfence /bin/sh", "asterisk,0", "x,y"]
        {
            assert!(stonith(bad).is_err() && fence(bad).is_err() && monitor(bad).is_err(), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn nothing_accepted_could_break_a_line(text in "[a-z0-9/:.,# \n\\\\-]{0,20}") {
            let taken = [word(&text).ok(), device(&text).ok(), address(&text).ok(), service(&text).ok()];
            for taken in taken.into_iter().flatten() {
                prop_assert!(!taken.contains(['#', ' ', '\n', '\\']) && !taken.is_empty());
            }
        }
    }
}
