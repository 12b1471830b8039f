//! Why a daemon stops what works, by its own journal (`latido events`): which of its entries are causes, and of what, as the
//! table of events says (`cluster::EventName`).

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::PathBuf;

use serde::Deserialize;
use serde_json::Value;

use crate::cluster::{AutoFailback, EventName, Scope, Set, Status};
use crate::journal::{EventEntry, parse};

use super::fact::Fact;
use super::judge::JudgedGroup;

/// Reads a journal as it grows.
#[derive(Debug)]
pub(super) struct JournalReader {
    path: PathBuf,
    read: u64,
}

impl JournalReader {
    pub(super) fn at(path: PathBuf) -> JournalReader {
        JournalReader { path, read: 0 }
    }

    /// What was added since the last look.
    pub(super) fn news(&mut self) -> Vec<EventEntry> {
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
pub(super) fn facts(node: usize, entry: &EventEntry, groups: &[JudgedGroup], mode: AutoFailback) -> Vec<Fact> {
    let field = |name: &str| entry.data.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let of = |wanted: &dyn Fn(&JudgedGroup) -> bool| {
        groups.iter().filter(|group| wanted(group)).map(|group| Some(group.key.clone())).collect::<Vec<_>>()
    };
    let meant = |scope: Scope| match scope {
        Scope::All => vec![None],
        Scope::ItsGroup => vec![Some(field("group"))],
        Scope::GroupOfItsResource => {
            let resource = field("resource");
            of(&|group| {
                resource.contains(&group.key)
                    || group.resources.iter().any(|name| resource.split(' ').any(|w| w == name))
            })
        }
        Scope::ItsSet => {
            let set = entry.data.get("set").and_then(|set| Set::deserialize(set).ok());
            of(&|group| set.is_none_or(|set| set.contains(group.owner == node, &group.key)))
        }
        Scope::ForeignInLegacy => {
            let is_meant = mode == AutoFailback::Legacy && field("status") == Status::Active.as_str();
            of(&|group| is_meant && group.owner != node)
        }
    };
    let Some(event) = entry.kind() else { return Vec::new() };
    let causes = event.may_stop().map(&meant).unwrap_or_default().into_iter().map(|group| Fact::Cause(node, group));
    let settled = event.settles().map(&meant).unwrap_or_default().into_iter().map(|group| Fact::Settled(node, group));
    let given = (event == EventName::StandbyAcquire).then_some(Fact::Given(node));
    causes.chain(settled).chain(given).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn groups() -> Vec<JudgedGroup> {
        let group = |key: &str, owner| JudgedGroup { key: key.into(), owner, resources: vec![key.into()] };
        vec![group("one", 0), group("two", 1)]
    }

    fn of(event: EventName, data: Value, mode: AutoFailback) -> Vec<Fact> {
        facts(0, &EventEntry { event: event.name().into(), data, ..EventEntry::default() }, &groups(), mode)
    }

    #[test]
    fn a_set_is_meant_as_the_giver_means_it() {
        let cause = |key: &str| Fact::Cause(0, Some(key.to_owned()));
        let on = AutoFailback::On;
        assert_eq!(of(EventName::StandbyAccepted, json!({"set": "local"}), on), [cause("one")]);
        assert_eq!(of(EventName::StandbyAccepted, json!({"set": "foreign"}), on), [cause("two")]);
        assert_eq!(of(EventName::StandbyAccepted, json!({"set": "all"}), on), [cause("one"), cause("two")]);
        let mail = serde_json::to_value(Set::one("two")).unwrap();
        assert_eq!(of(EventName::StandbyAccepted, json!({"set": mail}), on), [cause("two")], "not both");
        assert_eq!(of(EventName::GivingUp, json!({"resource": "two"}), on), [cause("two")]);
        assert_eq!(of(EventName::NodeStatus, json!({"status": "active"}), AutoFailback::Legacy), [cause("two")]);
        assert_eq!(of(EventName::NodeStatus, json!({"status": "active"}), on), []);
        assert_eq!(of(EventName::ShutdownBegins, json!(null), on), [Fact::Cause(0, None)]);
        assert_eq!(of(EventName::LeftoversStopped, json!(null), on), [Fact::Settled(0, None)]);
        assert_eq!(of(EventName::GroupHeld, json!({"group": "one"}), on), [Fact::Settled(0, Some("one".to_owned()))]);
        assert_eq!(of(EventName::StandbyAcquire, json!({"set": "all"}), on), [Fact::Given(0)]);
    }
}
