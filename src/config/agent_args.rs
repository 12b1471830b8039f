//! Warnings about the arguments of well-known resource agents (`resources.md` 9): what cannot work is said when the file
//! is read, not at the takeover. Pure.

use std::net::{Ipv4Addr, Ipv6Addr};

use crate::haresources::Resource;

const SEND_ARP: &str = "SendArp::ADDRESS/INTERFACE";

/// What is wrong with a resource's arguments, and what would be right.
pub(super) fn complaint(resource: &Resource) -> Option<(String, &'static str)> {
    let args = &resource.args;
    let first = args.first().map(String::as_str);
    let address = first.unwrap_or("").split('/').next().unwrap_or("");
    let complain = |what: String, right| Some((what, right));
    match resource.agent.as_str() {
        "Filesystem" => file_system(args),
        "SendArp" if address.parse::<Ipv4Addr>().is_err() => {
            complain(format!("SendArp needs an IPv4 address, not \"{address}\""), SEND_ARP)
        }
        "SendArp" if first.is_some_and(|first| first.matches('/').count() != 1) => {
            complain("SendArp takes an interface and no netmask: heartbeat's announces nothing then".into(), SEND_ARP)
        }
        "IPsrcaddr" if address.parse::<Ipv4Addr>().is_err() => {
            complain(format!("IPsrcaddr needs an IPv4 address, not \"{address}\""), "IPsrcaddr::ADDRESS")
        }
        "IPv6addr" => {
            // `::` separates arguments here, and parts of an address there.
            let whole = args.join("::");
            let address = whole.split('/').next().unwrap_or("");
            let wrong = || format!("IPv6addr needs an IPv6 address, not \"{address}\"");
            address.parse::<Ipv6Addr>().is_err().then(|| (wrong(), "IPv6addr::ADDRESS/BITS/INTERFACE"))
        }
        "MailTo" if args.is_empty() => complain("MailTo has nobody to mail to".to_owned(), "MailTo::ADDRESS"),
        "Delay" => {
            let wrong = args.iter().take(2).find(|arg| arg.trim_end_matches('s').parse::<f64>().is_err())?;
            complain(format!("\"{wrong}\" is not a number of seconds"), "Delay::SECONDS")
        }
        _ => None,
    }
}

fn file_system(args: &[String]) -> Option<(String, &'static str)> {
    let right = "Filesystem::DEVICE::DIRECTORY::TYPE";
    let rest = match args {
        [flag, _, rest @ ..] if flag == "-U" || flag == "-L" => rest,
        [_, rest @ ..] => rest,
        [] => &[],
    };
    match rest.first() {
        None => Some(("Filesystem needs a device and a directory".to_owned(), right)),
        Some(dir) if !dir.starts_with('/') => Some((format!("\"{dir}\" is not an absolute directory"), right)),
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn is_fine(word: &str) -> bool {
        complaint(&Resource::from_word(word)).is_none()
    }

    #[test]
    fn what_works_is_fine_and_what_cannot_is_not() {
        for word in [
            "Filesystem::/dev/drbd0::/data::ext3",
            "Filesystem::-Uab-cd::/data",
            "Filesystem::-U::ab-cd::/data",
            "IPv6addr::fd00::5/64/eth0",
            "IPv6addr::fd00:0:0:0:0:0:0:5",
            "SendArp::10.0.0.5/eth0",
            "IPsrcaddr::10.0.0.5",
            "MailTo::root",
            "Delay",
            "Delay::5::0.5s",
            "web::anything",
        ] {
            assert!(is_fine(word), "{word}");
        }
        for word in [
            "Filesystem",
            "Filesystem::/dev/drbd0",
            "Filesystem::/dev/drbd0::data",
            "IPv6addr::10.0.0.5",
            "IPv6addr",
            "SendArp::eth0",
            "SendArp::10.0.0.5",
            "SendArp::10.0.0.5/24/eth0",
            "IPsrcaddr",
            "MailTo",
            "Delay::soon",
        ] {
            assert!(!is_fine(word), "{word}");
        }
    }

    proptest! {
        #[test]
        fn no_word_makes_it_panic(word in "(Filesystem|IPv6addr|Delay|SendArp)[:/a-z0-9.-]{0,30}") {
            is_fine(&word);
        }
    }
}
