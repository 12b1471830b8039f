//! Names of one card, with and without a machine to ask.

use super::*;
use crate::config::{Config, OnlyName, Sources};
use crate::diagnostic::SourceText;
use crate::names::NodeName;

/// A machine where `bond0` stands on `eth0` and `eth1`, and `lan` on `eth0`.
struct Machine;

impl Facts for Machine {
    fn node_name(&self) -> Option<NodeName> {
        NodeName::new("alpha")
    }

    fn hardware(&self, medium: &str) -> Option<Vec<String>> {
        let cards = match medium {
            "bond0" => vec!["eth0", "eth1"],
            "lan" | "eth0:0" => vec!["eth0"],
            "/dev/serial/by-path/0" => vec!["/dev/ttyS0"],
            other => vec![other],
        };
        Some(cards.into_iter().map(str::to_owned).collect())
    }
}

fn said(media: &str, facts: &dyn Facts) -> String {
    let text = |name: &str, text: String| Some(SourceText::new(name, text));
    let sources = Sources {
        ha_cf: text("ha.cf", format!("logfacility daemon\nauto_failback on\nnode alpha beta\n{media}\n")),
        haresources: text("haresources", "alpha asterisk\n".to_owned()),
        authkeys: text("authkeys", "auth 1\n1 sha1 L0ng-4nd-R4nd0m\n".to_owned()),
        ..Sources::default()
    };
    let config = Config::assemble(&sources, facts).unwrap_or_else(|problems| panic!("refused: {problems:?}"));
    config.warnings.iter().map(|problem| format!("{problem}\n")).collect()
}

#[test]
fn two_names_of_one_card_are_one_cable() {
    for (media, names) in [
        ("bcast eth0\nbcast eth0:0\nserial /dev/ttyS0", "bcast eth0 and bcast eth0:0"),
        ("bcast eth0\nbcast lan\nserial /dev/ttyS0", "bcast eth0 and bcast lan"),
        ("bcast eth0\nucast eth0 10.0.0.2\nserial /dev/ttyS0", "bcast eth0 and ucast eth0"),
        ("bcast bond0\nucast eth1 10.0.0.2\nserial /dev/ttyS0", "bcast bond0 and ucast eth1"),
        ("bcast eth0\nbcast eth1\nbcast bond0\nserial /dev/ttyS0", "bcast eth0 and bcast eth1 and bcast bond0"),
        (
            "serial /dev/ttyS0\nserial /dev/serial/by-path/0\nbcast eth0",
            "serial /dev/ttyS0 and serial /dev/serial/by-path/0",
        ),
    ] {
        let text = said(media, &Machine);
        assert!(text.contains(&format!("{names} are one cable")), "{media}: {text}");
        assert!(!text.contains("only path"), "{media}: {text}");
    }
}

#[test]
fn without_the_machine_the_names_tell() {
    let facts = OnlyName(NodeName::new("alpha").unwrap());
    for media in ["bcast eth0\nbcast eth0:0", "bcast eth0\nbcast eth0.5"] {
        let text = said(media, &facts);
        assert!(text.contains("are one cable") && text.contains("eth0 is the only path"), "{text}");
    }
    assert_eq!(said("bcast eth0\nbcast eth1", &facts), "");
}

#[test]
fn both_nodes_addresses_and_really_different_cards_are_no_news() {
    for media in [
        "ucast eth0 10.0.0.1\nucast eth0 10.0.0.2\nserial /dev/ttyS0",
        "bcast eth0\nbcast eth1",
        "bcast bond0\nserial /dev/ttyS0",
    ] {
        assert_eq!(said(media, &Machine), "", "{media}");
    }
}
