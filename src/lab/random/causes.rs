//! Why a daemon stops what works, by its own journal (`latido events`): which of its entries are causes, and of what.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::PathBuf;

use serde_json::Value;

use crate::cluster::AutoFailback;
use crate::journal::{Entry, parse};

use super::fact::Fact;
use super::judge::Group;

/// Reads a journal as it grows.
#[derive(Debug)]
pub(super) struct Journal {
    path: PathBuf,
    read: u64,
}

impl Journal {
    pub(super) fn at(path: PathBuf) -> Journal {
        Journal { path, read: 0 }
    }

    /// What was added since the last look.
    pub(super) fn news(&mut self) -> Vec<Entry> {
        let Ok(mut file) = File::open(&self.path) else { return Vec::new() };
        let length = file.metadata().map_or(0, |meta| meta.len());
        if length < self.read {
            // It was full, and another was begun.
            self.read = 0;
        }
        let mut bytes = Vec::new();
        if file.seek(SeekFrom::Start(self.read)).is_err() || file.read_to_end(&mut bytes).is_err() {
            return Vec::new();
        }
        let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        self.read += whole as u64;
        String::from_utf8_lossy(&bytes[..whole]).lines().filter_map(parse).collect()
    }
}

/// What an entry in the journal of `node` means for the stops that follow.
pub(super) fn facts(node: usize, entry: &Entry, groups: &[Group], mode: AutoFailback) -> Vec<Fact> {
    let field = |name: &str| entry.data.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let of = |wanted: &dyn Fn(&Group) -> bool| {
        let keys = groups.iter().filter(|group| wanted(group)).map(|group| Fact::Cause(node, Some(group.key.clone())));
        keys.collect::<Vec<_>>()
    };
    match entry.event.as_str() {
        "standby-accepted" => match field("set").as_str() {
            "local" => of(&|group| group.owner == node),
            "foreign" => of(&|group| group.owner != node),
            _ => of(&|_| true),
        },
        "partition-let-go" | "group-given-up" | "ip-request" => vec![Fact::Cause(node, Some(field("group")))],
        "restarting" | "giving-up" => {
            let resource = field("resource");
            of(&|group| {
                resource.contains(&group.key)
                    || group.resources.iter().any(|name| resource.split(' ').any(|w| w == name))
            })
        }
        "node-status" if mode == AutoFailback::Legacy && field("status") == "active" => {
            of(&|group| group.owner != node)
        }
        "shutdown-begins" | "stopping-leftovers" => vec![Fact::Cause(node, None)],
        "standby-acquire" => vec![Fact::Given(node)],
        "leftovers-stopped" => vec![Fact::Settled(node, None)],
        "group-held" | "group-released" | "group-failed" => vec![Fact::Settled(node, Some(field("group")))],
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn groups() -> Vec<Group> {
        let group = |key: &str, owner| Group { key: key.into(), owner, resources: vec![key.into()] };
        vec![group("one", 0), group("two", 1)]
    }

    fn of(event: &str, data: Value, mode: AutoFailback) -> Vec<Fact> {
        facts(0, &Entry { event: event.into(), data, ..Entry::default() }, &groups(), mode)
    }

    #[test]
    fn a_set_is_meant_as_the_giver_means_it() {
        let cause = |key: &str| Fact::Cause(0, Some(key.to_owned()));
        let on = AutoFailback::On;
        assert_eq!(of("standby-accepted", json!({"set": "local"}), on), [cause("one")]);
        assert_eq!(of("standby-accepted", json!({"set": "foreign"}), on), [cause("two")]);
        assert_eq!(of("standby-accepted", json!({"set": "all"}), on), [cause("one"), cause("two")]);
        assert_eq!(of("giving-up", json!({"resource": "two"}), on), [cause("two")]);
        assert_eq!(of("node-status", json!({"status": "active"}), AutoFailback::Legacy), [cause("two")]);
        assert_eq!(of("node-status", json!({"status": "active"}), on), []);
    }
}
