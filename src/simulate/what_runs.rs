//! Where each group runs, and since when: what a user of the service sees, which the cores do not know. Beside it what
//! *runs or may run*, in the strict sense: from the moment its start was begun until a stop of it has ended well, a
//! `status` has shown that a stop that failed has worked all the same, or the power is gone. Doubles are judged by that.

use std::time::Duration;

use crate::time::Mono;

use super::host::{Begun, Host};
use super::{Location, Observation, Observed, SimulatedPair};

/// A group begins to run otherwise than before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LocationChange {
    /// From then on.
    pub at: Mono,
    /// Its place in the file.
    pub group: usize,
    /// Where it runs now.
    pub now: Location,
}

/// What the users of a group saw from one moment to another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ServiceSeen {
    /// For how long its clients reached it nowhere.
    pub without: Duration,
    /// For how long something of it ran on both nodes.
    pub doubled: Duration,
    /// Nothing was done about that: it lasts until somebody notices.
    pub unnoticed: bool,
}

/// A resource that runs, or may run, on both nodes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DoubleRun {
    /// As written in `haresources`.
    pub word: String,
    /// Since when.
    pub from: Mono,
    /// Until when, once it is over.
    pub until: Option<Mono>,
}

impl SimulatedPair {
    /// Every change of where groups run, oldest first; at the start all run nowhere.
    pub fn changes(&self) -> &[LocationChange] {
        &self.changes
    }

    /// Where a group runs now, by its place in the file.
    pub fn location(&self, group: usize) -> Location {
        self.location.get(group).copied().unwrap_or_default()
    }

    /// What the users of a group saw from one moment to another.
    pub fn seen(&self, group: usize, from: Mono, until: Mono) -> ServiceSeen {
        let mut seen = ServiceSeen::default();
        let (mut at, mut was) = (from, Location::default());
        let of_group = self.changes.iter().filter(|change| change.group == group && change.at <= until);
        for (to, next) in of_group.map(|change| (change.at, change.now)).chain([(until, Location::default())]) {
            let time = to.since(at);
            seen.without += if was.is_served() { Duration::ZERO } else { time };
            seen.doubled += if was.doubled { time } else { Duration::ZERO };
            (at, was) = (at.max(to), next);
        }
        seen
    }

    /// What really runs on a node, by the words of `haresources`.
    pub fn running(&self, node: usize) -> Vec<String> {
        self.hosts[node].running.iter().cloned().collect()
    }

    /// What runs or may run on a node, in the strict sense.
    pub fn may_run(&self, node: usize) -> Vec<String> {
        self.hosts[node].begun.keys().cloned().collect()
    }

    /// Everything that ever ran, or may have run, on both nodes at once, oldest first.
    pub fn doubles(&self) -> &[DoubleRun] {
        &self.doubles
    }

    /// Whether anything runs, or may run, on both nodes now.
    pub fn is_doubled(&self) -> bool {
        self.hosts[0].begun.keys().any(|word| self.hosts[1].begun.contains_key(word))
    }

    /// Whether something runs or may run on a node without a daemon.
    pub fn runs_without_daemon(&self) -> bool {
        let left = |host: &Host| !(host.running.is_empty() && host.begun.is_empty());
        (0..2).any(|node| !self.is_on(node) && left(&self.hosts[node]))
    }

    /// A start script was begun: from now on it may run.
    pub(super) fn is_begun(&mut self, node: usize, word: &str) {
        self.hosts[node].begun.insert(word.to_owned(), Begun::default());
        self.look();
    }

    /// It runs; whoever said before that it is down has believed so.
    pub(super) fn is_up(&mut self, node: usize, word: &str) {
        self.hosts[node].running.insert(word.to_owned());
        self.look();
    }

    /// A stop of it has ended well.
    pub(super) fn is_down(&mut self, node: usize, word: &str) {
        self.hosts[node].running.remove(word);
        self.hosts[node].begun.remove(word);
        self.look();
    }

    /// A stop said that it ended well, and it runs on: nobody can know.
    pub(super) fn is_said_down(&mut self, node: usize, word: &str) {
        self.hosts[node].begun.remove(word);
        self.look();
    }

    /// A stop did not end well.
    pub(super) fn is_not_stopped(&mut self, node: usize, word: &str) {
        if let Some(begun) = self.hosts[node].begun.get_mut(word) {
            begun.stop_failed = true;
        }
    }

    /// A `status` that ended by itself said that it is stopped: that is evidence where it is true, and where a stop
    /// was tried before; a lie about what nobody tried to stop is none.
    pub(super) fn is_seen_down(&mut self, node: usize, word: &str) {
        let host = &mut self.hosts[node];
        let is_true = !host.running.contains(word);
        if host.begun.get(word).is_some_and(|begun| is_true || begun.stop_failed) {
            host.begun.remove(word);
            self.look();
        }
    }

    /// Somebody starts something behind the cluster's back: it runs, and may run. Nothing does without power.
    pub fn runs_by_itself(&mut self, node: usize, word: &str) {
        if self.hosts[node].powered_off.is_some() {
            return;
        }
        self.hosts[node].begun.insert(word.to_owned(), Begun::default());
        self.is_up(node, word);
    }

    /// Beside a node played by hand this runs, and nothing else.
    pub(super) fn runs_only(&mut self, node: usize, words: &[&str]) {
        self.hosts[node].running = words.iter().map(|word| (*word).to_owned()).collect();
        self.hosts[node].begun = words.iter().map(|word| ((*word).to_owned(), Begun::default())).collect();
        self.look();
    }

    /// Notes what has changed.
    pub(super) fn look(&mut self) {
        for (index, group) in self.groups.iter().enumerate() {
            let now = Location::of(group, [&self.hosts[0].running, &self.hosts[1].running], self.unplugged);
            if self.location[index] != now {
                let was = std::mem::replace(&mut self.location[index], now);
                self.changes.push(LocationChange { at: self.now, group: index, now });
                self.observations.push(Observation {
                    at: self.now,
                    node: None,
                    what: Observed::Moved { group: index, was, now },
                });
            }
        }
        self.look_for_doubles();
    }

    fn look_for_doubles(&mut self) {
        let [one, other] = &self.hosts;
        for double in self.doubles.iter_mut().filter(|double| double.until.is_none()) {
            if !(one.begun.contains_key(&double.word) && other.begun.contains_key(&double.word)) {
                double.until = Some(self.now);
            }
        }
        let both = one.begun.keys().filter(|word| other.begun.contains_key(*word));
        for word in both {
            if !self.doubles.iter().any(|double| double.until.is_none() && double.word == *word) {
                self.doubles.push(DoubleRun { word: word.clone(), from: self.now, until: None });
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
        let mut pair = SimulatedPair::new("alpha ra rb", 1, |_| {}).unwrap();
        let at = |pair: &mut SimulatedPair, second: u64| pair.run_for(secs(second).since(pair.now()));
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
        let seen = |without, doubled| ServiceSeen {
            without: Duration::from_secs(without),
            doubled: Duration::from_secs(doubled),
            unnoticed: false,
        };
        assert_eq!(pair.seen(0, Mono::ZERO, secs(24)), seen(5, 4));
        assert_eq!(pair.seen(0, secs(12), secs(22)), seen(3, 2));
        assert_eq!(pair.seen(0, secs(16), secs(19)), seen(0, 0));
        assert!(!pair.is_home(0), "part of it runs on the other node too");
    }
}
