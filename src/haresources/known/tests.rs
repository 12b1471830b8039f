//! The questions asked of the table. What each argument is worth stands in `tests/agents/arguments.txt`.

use proptest::prelude::*;

use super::*;

fn resource(word: &str) -> Resource {
    Resource::from_word(word)
}

#[test]
fn only_address_resources_have_an_address_and_it_is_whole() {
    let ip = |word: &str| address(&resource(word)).map(|ip| ip.to_string());
    assert_eq!(ip("10.0.0.5/24/eth0").as_deref(), Some("10.0.0.5"));
    assert_eq!(ip("IPaddr2::10.0.0.5").as_deref(), Some("10.0.0.5"));
    assert_eq!(ip("IPv6addr::fd00::5/64/eth0").as_deref(), Some("fd00::5"));
    assert_eq!((ip("SendArp::10.0.0.5/eth0"), ip("web"), ip("IPaddr")), (None, None, None));
}

#[test]
fn an_address_names_its_interface_without_the_alias() {
    let nic = |word: &str| interface(&resource(word));
    assert_eq!(nic("10.0.0.5/24/eth0:3/10.0.0.255").as_deref(), Some("eth0"));
    assert_eq!(nic("IPv6addr::fd00::5/64/eth1").as_deref(), Some("eth1"));
    assert_eq!((nic("10.0.0.5/24/10.0.0.255"), nic("web::eth0")), (None, None));
}

#[test]
fn a_mount_point_is_found_behind_a_device_of_two_words() {
    let point = |word: &str| mount_point(&resource(word)).map(|path| path.display().to_string());
    assert_eq!(point("Filesystem::-U::ab-cd::/data/::ext4").as_deref(), Some("/data"));
    assert_eq!(point("Filesystem::/dev/drbd0::/data").as_deref(), Some("/data"));
    assert_eq!((point("Filesystem::/dev/drbd0"), point("Filesystem::/dev/drbd0::/usr")), (None, None));
}

#[test]
fn a_name_in_another_case_is_known_for_what_was_meant() {
    assert_eq!((other_case("mailTo"), other_case("FileSystem")), (Some("MailTo"), Some("Filesystem")));
    assert_eq!((other_case("MailTo"), other_case("mail")), (None, None));
}

#[test]
fn a_name_stands_in_the_table_once_and_needed_arguments_come_first() {
    for (at, known) in AGENTS.iter().enumerate() {
        assert!(AGENTS[..at].iter().all(|other| !other.name.eq_ignore_ascii_case(known.name)), "{}", known.name);
        assert!(known.arguments.is_sorted_by_key(|argument| !argument.needed), "{}", known.name);
    }
}

#[test]
fn an_agent_that_needs_an_argument_says_so_when_it_gets_none() {
    for known in &AGENTS {
        let needs = known.arguments.iter().any(|argument| argument.needed);
        let faults = faults(&resource(known.name));
        assert!(
            faults.iter().any(|fault| fault.weight != Weight::Doubtful || !known.is_built_in() || known.forgiving)
                || !needs,
            "{}: {faults:?}",
            known.name
        );
    }
}

proptest! {
    #[test]
    fn no_word_makes_it_panic(
        word in "(IPaddr2?|IPv6addr|SendArp|IPsrcaddr|Filesystem|drbddisk|MailTo|Delay|LVM|x)?(::|/)?\\PC{0,40}",
    ) {
        let resource = resource(&word);
        let refused = faults(&resource).iter().any(ArgumentFault::is_refusal);
        let known = find(&resource.agent).filter(|known| known.is_built_in() && !known.forgiving);
        prop_assert_eq!(known.is_some() && refused, known.is_some() && arguments(&resource).is_none());
        let _ = (address(&resource), interface(&resource), mount_point(&resource), other_case(&word));
    }

    #[test]
    fn what_is_read_of_an_address_written_out_is_what_was_meant(
        ip in any::<u32>(), bits in 1..=32_u8, nic in "[a-z]{1,4}[0-9]{0,3}",
    ) {
        let ip = std::net::Ipv4Addr::from(ip);
        if let Some(Arguments::Address4(read)) = arguments(&resource(&format!("IPaddr::{ip}/{bits}/{nic}"))) {
            prop_assert_eq!((read.ip, read.prefix, read.nic), (ip, Some(bits), Some(nic)));
        } else {
            prop_assert!(ip.is_multicast() || ip.is_unspecified() || ip.is_broadcast() || ip.is_loopback());
        }
    }
}
