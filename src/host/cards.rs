//! Which hardware an interface stands for: aliases, alternative names, VLANs and bonds lead to their cards (`config.md` 10).
//! Reads what the kernel says; changes nothing.

use std::fs;
use std::path::Path;

use nix::net::if_::{if_indextoname, if_nametoindex};

/// Interfaces above each other, at most.
const DEEPEST: usize = 8;
const CLASS: &str = "/sys/class/net";

/// The name the kernel calls it by, whatever other name of it was written; `None` when there is no such interface.
pub(crate) fn own_name(interface: &str) -> Option<String> {
    // An alias is a label of an address of the card before its colon.
    let card = interface.split(':').next().unwrap_or(interface);
    if card.is_empty() || card.contains('/') {
        return None;
    }
    let index = if_nametoindex(card).ok()?;
    if_indextoname(index).ok()?.into_string().ok()
}

/// The cards below an interface, or the device a path leads to.
pub(crate) fn hardware(medium: &str) -> Vec<String> {
    if medium.starts_with('/') {
        let device = fs::canonicalize(medium).unwrap_or_else(|_| Path::new(medium).to_owned());
        return vec![device.display().to_string()];
    }
    let Some(name) = own_name(medium) else { return Vec::new() };
    let mut cards = below(Path::new(CLASS), &name, DEEPEST);
    cards.sort();
    cards.dedup();
    cards
}

/// The lowest interfaces that this one stands on; itself when it stands on none.
fn below(class: &Path, name: &str, deepest: usize) -> Vec<String> {
    let entries = fs::read_dir(class.join(name)).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| Some(entry.file_name().to_str()?.strip_prefix("lower_")?.to_owned()));
    let lower: Vec<String> = names.collect();
    if lower.is_empty() || deepest == 0 {
        return vec![name.to_owned()];
    }
    lower.iter().flat_map(|lower| below(class, lower, deepest - 1)).collect()
}

/// Whether an interface is a port of a bridge or of a bond: what is sent on it belongs to what is above it.
pub(crate) fn is_a_port(interface: &str) -> bool {
    let Some(name) = own_name(interface) else { return false };
    port_in(Path::new(CLASS), &name)
}

fn port_in(class: &Path, name: &str) -> bool {
    class.join(name).join("master").exists()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_on_a_card_is_that_card() {
        let class = tempfile::tempdir().unwrap();
        for path in ["eth0", "eth1", "bond0/lower_eth0", "bond0/lower_eth1", "bond0.5/lower_bond0", "loop/lower_loop"] {
            fs::create_dir_all(class.path().join(path)).unwrap();
        }
        fs::create_dir_all(class.path().join("eth0/master")).unwrap();
        let cards = |name: &str| {
            let mut cards = below(class.path(), name, DEEPEST);
            cards.sort();
            cards
        };
        assert_eq!(cards("eth0"), ["eth0"]);
        assert_eq!(cards("bond0"), ["eth0", "eth1"]);
        assert_eq!(cards("bond0.5"), ["eth0", "eth1"]);
        assert_eq!(cards("loop"), ["loop"], "the end is found");
        assert!(port_in(class.path(), "eth0") && !port_in(class.path(), "bond0"));
    }

    #[test]
    fn an_alias_is_its_card_and_what_is_not_there_is_nothing() {
        assert_eq!(own_name("lo:1").as_deref(), Some("lo"));
        assert_eq!(hardware("lo:1"), ["lo"]);
        assert!(own_name("no-such-card").is_none() && own_name("").is_none() && own_name("../x").is_none());
    }

    #[test]
    fn two_paths_to_one_device_are_one() {
        let dir = tempfile::tempdir().unwrap();
        let device = dir.path().join("ttyS0");
        fs::write(&device, "").unwrap();
        std::os::unix::fs::symlink(&device, dir.path().join("by-id")).unwrap();
        let of = |name: &str| hardware(&dir.path().join(name).display().to_string());
        assert_eq!(of("ttyS0"), of("by-id"));
    }
}
