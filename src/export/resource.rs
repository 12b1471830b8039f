//! One word of `haresources` as Pacemaker has it (`resources.md` 9). Pure.

use std::net::Ipv4Addr;

use crate::haresources::Resource;

use super::Script;

/// What a word becomes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Element {
    /// A member of the group.
    Member {
        /// From which its id is made.
        name: String,
        /// `ocf:heartbeat:IPaddr2`
        agent: String,
        /// Its parameters.
        options: Vec<(&'static str, String)>,
    },
    /// A replicated disk, promoted where the group runs.
    Disk {
        /// As DRBD names it.
        drbd: String,
    },
    /// Nothing Pacemaker can run; what to do.
    Open(String),
}

/// What this resource becomes; `script` says what a name is on this machine.
pub(super) fn element(resource: &Resource, script: &dyn Fn(&str) -> Script) -> Element {
    let args = &resource.args;
    match resource.agent.as_str() {
        "IPaddr" | "IPaddr2" => address(args),
        "IPv6addr" => address6(&args.join("::")),
        "IPsrcaddr" => with_first("src", "ocf:heartbeat:IPsrcaddr", "ipaddress", args, "its address is missing"),
        "SendArp" => send_arp(args),
        "Filesystem" => file_system(args),
        "drbddisk" => match args.first() {
            Some(drbd) => Element::Disk { drbd: drbd.clone() },
            None => {
                Element::Open("names no DRBD resource: one promotable clone of ocf:linbit:drbd for each".to_owned())
            }
        },
        "MailTo" => mail(args),
        "Delay" => member(
            "delay",
            "ocf:heartbeat:Delay",
            args.first().map(|s| ("startdelay", s.clone())).into_iter().collect(),
        ),
        name => service(name, args, script(name)),
    }
}

fn member(name: &str, agent: &str, options: Vec<(&'static str, String)>) -> Element {
    Element::Member { name: name.to_owned(), agent: agent.to_owned(), options }
}

fn with_first(prefix: &str, agent: &str, option: &'static str, args: &[String], missing: &str) -> Element {
    match args.first() {
        Some(first) => member(&format!("{prefix}_{first}"), agent, vec![(option, first.clone())]),
        None => Element::Open(missing.to_owned()),
    }
}

/// `ADDRESS[/BITS or MASK][/INTERFACE[:LABEL]][/BROADCAST]`
fn address(args: &[String]) -> Element {
    let mut parts = args.first().map_or("", String::as_str).split('/');
    let ip = parts.next().unwrap_or_default();
    if ip.parse::<Ipv4Addr>().is_err() {
        return Element::Open("its address is missing".to_owned());
    }
    let mut options = vec![("ip", ip.to_owned())];
    for part in parts.filter(|part| !part.is_empty()) {
        if part.chars().all(|c| c.is_ascii_digit()) {
            options.push(("cidr_netmask", part.to_owned()));
        } else if let Ok(dotted) = part.parse::<Ipv4Addr>() {
            let bits = u32::from(dotted);
            let is_mask = bits.leading_ones() + bits.trailing_zeros() == 32 && bits != 0;
            let mask = is_mask && options.iter().all(|(name, _)| *name != "cidr_netmask");
            options.push(if mask {
                ("cidr_netmask", bits.leading_ones().to_string())
            } else {
                ("broadcast", part.to_owned())
            });
        } else {
            let (nic, label) = part.split_once(':').map_or((part, None), |(nic, label)| (nic, Some(label)));
            options.push(("nic", nic.to_owned()));
            options.extend(label.map(|label| ("iflabel", label.to_owned())));
        }
    }
    member(&format!("ip_{ip}"), "ocf:heartbeat:IPaddr2", options)
}

/// `ADDRESS[/BITS][/INTERFACE]`
fn address6(text: &str) -> Element {
    let mut parts = text.split('/');
    let ip = parts.next().unwrap_or_default();
    if ip.parse::<std::net::Ipv6Addr>().is_err() {
        return Element::Open("its address is missing".to_owned());
    }
    let mut options = vec![("ip", ip.to_owned())];
    for part in parts.filter(|part| !part.is_empty()) {
        let is_bits = part.chars().all(|c| c.is_ascii_digit());
        options.push((if is_bits { "cidr_netmask" } else { "nic" }, part.to_owned()));
    }
    member(&format!("ip_{ip}"), "ocf:heartbeat:IPaddr2", options)
}

/// `ADDRESS/INTERFACE`
fn send_arp(args: &[String]) -> Element {
    match args.first().and_then(|arg| arg.split_once('/')) {
        Some((ip, nic)) => {
            member(&format!("arp_{ip}"), "ocf:heartbeat:SendArp", vec![("ip", ip.to_owned()), ("nic", nic.to_owned())])
        }
        None => Element::Open("needs ADDRESS/INTERFACE; IPaddr2 announces its address by itself".to_owned()),
    }
}

/// `DEVICE::DIRECTORY[::TYPE[::OPTIONS]]`; the device may be `-U` or `-L` and a word.
fn file_system(args: &[String]) -> Element {
    let (device, rest) = match args {
        [flag, id, rest @ ..] if flag == "-U" || flag == "-L" => (format!("{flag} {id}"), rest),
        [device, rest @ ..] => (device.clone(), rest),
        [] => (String::new(), args),
    };
    let Some(directory) = rest.first() else { return Element::Open("its directory is missing".to_owned()) };
    let mut options = vec![("device", device), ("directory", directory.clone())];
    // The OCF agent insists on a type.
    options.push(("fstype", rest.get(1).map_or("auto", String::as_str).to_owned()));
    options.extend(rest.get(2).map(|mount| ("options", mount.clone())));
    member(&format!("fs{}", directory.replace('/', "_")), "ocf:heartbeat:Filesystem", options)
}

/// `ADDRESS[::SUBJECT]`
fn mail(args: &[String]) -> Element {
    let Some(to) = args.first() else { return Element::Open("has nobody to mail to".to_owned()) };
    let mut options = vec![("email", to.clone())];
    options.extend(args.get(1).map(|subject| ("subject", subject.clone())));
    member("mail", "ocf:heartbeat:MailTo", options)
}

fn service(name: &str, args: &[String], script: Script) -> Element {
    if script != Script::ResourceScript && !args.is_empty() {
        return Element::Open(format!("Pacemaker gives {name} no arguments: it needs an OCF agent"));
    }
    match script {
        Script::InitScript => member(name, &format!("lsb:{name}"), Vec::new()),
        Script::Unit => member(name, &format!("systemd:{name}"), Vec::new()),
        Script::ResourceScript if args.is_empty() => Element::Open(format!(
            "resource.d/{name} is not run by Pacemaker: make it a unit (systemd:{name}) or /etc/init.d/{name} (lsb:{name})"
        )),
        Script::ResourceScript => Element::Open(format!("resource.d/{name} with arguments needs an OCF agent")),
        Script::Unknown => Element::Open(format!("there is no {name} here: systemd:{name} if it is a unit there")),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(word: &str) -> Element {
        element(&Resource::from_word(word), &|name| match name {
            "init" => Script::InitScript,
            "unit" => Script::Unit,
            "own" => Script::ResourceScript,
            _ => Script::Unknown,
        })
    }

    fn options(word: &str) -> String {
        match of(word) {
            Element::Member { agent, options, .. } => {
                options.iter().fold(agent, |text, (name, value)| format!("{text} {name}={value}"))
            }
            other @ (Element::Disk { .. } | Element::Open(_)) => format!("{other:?}"),
        }
    }

    #[test]
    fn addresses_keep_their_mask_interface_label_and_broadcast_in_whatever_order() {
        for (word, expected) in [
            ("10.0.0.5", "ip=10.0.0.5"),
            ("IPaddr::10.0.0.5/24/eth0/10.0.0.255", "ip=10.0.0.5 cidr_netmask=24 nic=eth0 broadcast=10.0.0.255"),
            ("IPaddr2::10.0.0.5/255.255.254.0/eth0:1", "ip=10.0.0.5 cidr_netmask=23 nic=eth0 iflabel=1"),
            ("IPv6addr::fd00::5/64/eth0", "ip=fd00::5 cidr_netmask=64 nic=eth0"),
        ] {
            assert_eq!(options(word), format!("ocf:heartbeat:IPaddr2 {expected}"), "{word}");
        }
    }

    #[test]
    fn disks_and_file_systems_are_known() {
        assert_eq!(of("drbddisk::r0"), Element::Disk { drbd: "r0".to_owned() });
        let fs = "ocf:heartbeat:Filesystem device=/dev/drbd0 directory=/data fstype=ext3 options=noatime";
        assert_eq!(options("Filesystem::/dev/drbd0::/data::ext3::noatime"), fs);
        assert!(options("Filesystem::-U::ab-cd::/data").contains("device=-U ab-cd directory=/data fstype=auto"));
    }

    #[test]
    fn services_are_what_they_are_on_this_machine() {
        assert_eq!(options("init"), "lsb:init");
        assert_eq!(options("unit"), "systemd:unit");
        for word in ["own", "own::x", "unit::x", "nowhere", "IPaddr", "Filesystem::/dev/x", "drbddisk", "MailTo"] {
            assert!(matches!(of(word), Element::Open(_)), "{word}");
        }
    }

    proptest! {
        #[test]
        fn no_word_makes_it_panic(word in "(IPaddr|IPv6addr|Filesystem|SendArp|Delay|drbddisk|x)?[:/a-z0-9.-]{0,40}") {
            of(&word);
        }
    }
}
