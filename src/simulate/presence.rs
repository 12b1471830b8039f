//! Where each group runs, and since when: what a user of the service sees, which the cores do not know.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::haresources::ResourceGroup;
use crate::time::Mono;

use super::{Note, Pair, What};

/// Where a group runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Where {
    /// On each node: whether all of it runs there.
    pub whole: [bool; 2],
    /// Something of it runs on both.
    pub doubled: bool,
}

impl Where {
    /// Somewhere all of it runs: the service is there.
    pub fn is_up(self) -> bool {
        self.whole[0] || self.whole[1]
    }

    /// All of it on one node and nothing of it on the other, as it should be.
    pub fn is_once(self) -> bool {
        self.is_up() && !self.doubled
    }

    fn of(group: &ResourceGroup, running: [&BTreeSet<String>; 2]) -> Where {
        let on = |node: usize, word: &String| running[node].contains(word);
        let words = || group.resources.iter().map(|resource| &resource.word);
        Where {
            whole: [0, 1].map(|node| words().all(|word| on(node, word))),
            doubled: words().any(|word| on(0, word) && on(1, word)),
        }
    }
}

/// A group begins to run otherwise than before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// From then on.
    pub at: Mono,
    /// Its place in the file.
    pub group: usize,
    /// Where it runs now.
    pub now: Where,
}

/// What the users of a group saw from one moment to another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// For how long it was nowhere.
    pub without: Duration,
    /// For how long something of it ran on both nodes.
    pub doubled: Duration,
}

impl Pair {
    /// Every change of where groups run, oldest first; at the start all run nowhere.
    pub fn changes(&self) -> &[Change] {
        &self.changes
    }

    /// Where a group runs now, by its place in the file.
    pub fn whereabouts(&self, group: usize) -> Where {
        self.whereabouts.get(group).copied().unwrap_or_default()
    }

    /// What the users of a group saw from one moment to another.
    pub fn seen(&self, group: usize, from: Mono, until: Mono) -> Seen {
        let mut seen = Seen::default();
        let (mut at, mut was) = (from, Where::default());
        let of_group = self.changes.iter().filter(|change| change.group == group && change.at <= until);
        for (to, next) in of_group.map(|change| (change.at, change.now)).chain([(until, Where::default())]) {
            let time = to.since(at);
            seen.without += if was.is_up() { Duration::ZERO } else { time };
            seen.doubled += if was.doubled { time } else { Duration::ZERO };
            (at, was) = (at.max(to), next);
        }
        seen
    }

    /// Notes what has changed.
    pub(super) fn look(&mut self) {
        for (index, group) in self.groups.iter().enumerate() {
            let now = Where::of(group, [&self.hosts[0].running, &self.hosts[1].running]);
            if self.whereabouts[index] != now {
                let was = std::mem::replace(&mut self.whereabouts[index], now);
                self.changes.push(Change { at: self.now, group: index, now });
                self.notes.push(Note { at: self.now, node: None, what: What::Moved { group: index, was, now } });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secs(seconds: u64) -> Mono {
        Mono::at(Duration::from_secs(seconds))
    }

    #[test]
    fn a_service_is_missed_from_its_first_resource_lost_to_the_last_one_back() {
        let mut pair = Pair::new("alpha ra rb", 1, |_| {}).unwrap();
        let at = |pair: &mut Pair, second: u64| pair.run_for(secs(second).since(pair.now()));
        ["ra", "rb"].into_iter().for_each(|word| pair.runs_by_itself(0, word));
        at(&mut pair, 10);
        pair.service_dies(0, "rb");
        at(&mut pair, 12);
        pair.service_dies(0, "ra");
        pair.runs_by_itself(1, "ra");
        at(&mut pair, 15);
        pair.runs_by_itself(1, "rb");
        at(&mut pair, 20);
        pair.runs_by_itself(0, "ra");
        at(&mut pair, 24);
        let seen =
            |without, doubled| Seen { without: Duration::from_secs(without), doubled: Duration::from_secs(doubled) };
        assert_eq!(pair.seen(0, Mono::ZERO, secs(24)), seen(5, 4));
        assert_eq!(pair.seen(0, secs(12), secs(22)), seen(3, 2));
        assert_eq!(pair.seen(0, secs(16), secs(19)), seen(0, 0));
        assert!(!pair.is_home(0), "part of it runs on the other node too");
    }
}
