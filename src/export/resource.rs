//! One word of `haresources` as Pacemaker has it (`resources.md` 9). Pure.

use crate::haresources::Resource;
use crate::haresources::known::{self, Address4, Announce, Arguments, Drbd, FileSystem, KnownAgent};

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
    let (name, args) = (resource.agent.as_str(), &resource.args);
    let Some(known) = known::find(name).filter(|known| known.is_built_in()) else {
        return service(name, args, script(name));
    };
    match known.read(args) {
        Some(Ok(arguments)) => of_known(known, &arguments, args),
        Some(Err(fault)) => Element::Open(format!("{}: {}", fault.what, fault.remedy)),
        None => service(name, args, script(name)),
    }
}

/// What a built-in agent becomes; those without a line of their own have the same parameters in OCF.
fn of_known(known: &KnownAgent, arguments: &Arguments, args: &[String]) -> Element {
    let same = |id: &str| member(id, &format!("ocf:heartbeat:{}", known.name), known.named(args));
    match arguments {
        Arguments::Address4(address) => address4(address),
        Arguments::Address6(address) => {
            let mut options = vec![("ip", address.ip.to_string())];
            options.extend(address.prefix.map(|bits| ("cidr_netmask", bits.to_string())));
            options.extend(address.nic.clone().map(|nic| ("nic", nic)));
            member(&format!("ip_{}", address.ip), "ocf:heartbeat:IPaddr2", options)
        }
        Arguments::Source(source) => {
            let ip = source.ip.to_string();
            member(&format!("src_{ip}"), "ocf:heartbeat:IPsrcaddr", vec![("ipaddress", ip)])
        }
        Arguments::Announce(Announce { ip, nic: Some(nic), .. }) => {
            let options = vec![("ip", ip.to_string()), ("nic", nic.clone())];
            member(&format!("arp_{ip}"), "ocf:heartbeat:SendArp", options)
        }
        Arguments::Announce(Announce { nic: None, .. }) => {
            Element::Open("needs ADDRESS/INTERFACE; IPaddr2 announces its address by itself".to_owned())
        }
        Arguments::FileSystem(disk) => file_system(disk),
        Arguments::Drbd(Drbd { resource: Some(drbd) }) => Element::Disk { drbd: drbd.clone() },
        Arguments::Drbd(Drbd { resource: None }) => {
            Element::Open("names no DRBD resource: one promotable clone of ocf:linbit:drbd for each".to_owned())
        }
        Arguments::Mail(_) => same("mail"),
        Arguments::Delay(_) => same("delay"),
    }
}

fn member(name: &str, agent: &str, options: Vec<(&'static str, String)>) -> Element {
    Element::Member { name: name.to_owned(), agent: agent.to_owned(), options }
}

fn address4(address: &Address4) -> Element {
    let mut options = vec![("ip", address.ip.to_string())];
    options.extend(address.prefix.map(|bits| ("cidr_netmask", bits.to_string())));
    options.extend(address.nic.clone().map(|nic| ("nic", nic)));
    let label = address.label.as_deref().and_then(|label| label.split_once(':'));
    options.extend(label.map(|(_, label)| ("iflabel", label.to_owned())));
    options.extend(address.broadcast.map(|broadcast| ("broadcast", broadcast.to_string())));
    member(&format!("ip_{}", address.ip), "ocf:heartbeat:IPaddr2", options)
}

fn file_system(disk: &FileSystem) -> Element {
    let directory = disk.directory.to_string_lossy();
    let mut options = vec![("device", disk.device.as_ocf()), ("directory", directory.to_string())];
    // The OCF agent insists on a type.
    options.push(("fstype", disk.kind.clone().unwrap_or_else(|| "auto".to_owned())));
    options.extend(disk.options.clone().map(|mount| ("options", mount)));
    member(&format!("fs{}", directory.replace('/', "_")), "ocf:heartbeat:Filesystem", options)
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
