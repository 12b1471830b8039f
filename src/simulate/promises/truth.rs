//! What scripts really did: what runs or may run on each node, whatever anybody believes.

use std::collections::{BTreeMap, BTreeSet};

use crate::cluster::EventName;
use crate::cluster::phrases::{self, PhraseMeaning};
use crate::haresources::{ResourceGroup, StatusAnswer, Verb};
use crate::time::Mono;

use super::super::{Behaviour, Intervention, NotesFault, Observation, Observed};
use super::SimulatedPair;

/// The scripts' work.
#[derive(Clone, Debug, Default)]
pub(super) struct Truth {
    /// What runs or may run on each node, and since when.
    may_run: [BTreeMap<String, Mono>; 2],
    /// A script of it said what was not so, or somebody started it by hand: nobody can keep a promise about it.
    liars: BTreeSet<String>,
    /// Whose notes are old: what they do not name, and no `status` shows, nobody can know.
    old_notes: [bool; 2],
    /// A script of an original did not do its work: it waits for it for ever, and with it everything else there.
    stuck: [bool; 2],
    /// The sides an original last said it holds, in its terms.
    says: [(bool, bool); 2],
    /// Whose notes were lost beside an original: what that has not said yet nobody can know.
    lost_notes: [bool; 2],
    /// An original has said that it runs nothing: what a forgotten job of it starts after that nobody can know.
    farewell: [bool; 2],
}

impl Truth {
    /// What runs or may run on a node, and since when.
    pub(super) fn may_run(&self, node: usize) -> &BTreeMap<String, Mono> {
        &self.may_run[node]
    }

    /// Whether scripts of a resource lied, or somebody meddled with it.
    pub(super) fn is_liar(&self, word: &str) -> bool {
        self.liars.contains(word)
    }

    /// Whether an original may wait for a script for ever.
    pub(super) fn is_stuck(&self) -> bool {
        self.stuck.contains(&true)
    }

    /// Whether an original says that it holds this group, whatever runs there: nobody takes that.
    pub(super) fn is_claimed_by_an_original(&self, pair: &SimulatedPair, key: &str) -> bool {
        (0..2).filter(|node| pair.hosts[*node].original.is_some()).any(|node| {
            let (local, foreign) = self.says[node];
            let group = pair.hosts[node].groups.iter().find(|group| group.key() == key);
            group.is_some_and(|group| if pair.node(&group.owner) == Some(node) { local } else { foreign })
        })
    }

    /// What runs or may run on both nodes: the resource and since when.
    pub(super) fn doubles(&self) -> impl Iterator<Item = (&String, Mono)> {
        let [one, other] = &self.may_run;
        let double = |(word, since): (&'_ String, &Mono)| other.get(word).map(|too| (*since).max(*too));
        let honest = |(word, _): &(&String, Mono)| !self.is_liar(word);
        one.iter().filter_map(move |entry| double(entry).map(|since| (entry.0, since))).filter(honest)
    }

    /// Remembers what has begun and ended; whether anything has.
    pub(super) fn follow(&mut self, pair: &SimulatedPair) -> bool {
        let mut changed = false;
        for (host, known) in pair.hosts.iter().zip(&mut self.may_run) {
            if !host.begun.keys().eq(known.keys()) {
                known.retain(|word, _| host.begun.contains_key(word));
                for word in host.begun.keys() {
                    known.entry(word.clone()).or_insert(pair.now);
                }
                changed = true;
            }
        }
        changed
    }

    /// Remembers lies and meddling.
    pub(super) fn read(&mut self, pair: &SimulatedPair, observations: &[Observation]) {
        for observation in observations {
            let Some(node) = observation.node else { continue };
            match &observation.what {
                Observed::Ran(call, outcome) => {
                    let word = &call.resource.word;
                    let unknown = call.verb == Verb::Status && outcome.told() == StatusAnswer::Unknown;
                    // An original takes silence for "stopped".
                    let believed = self.old_notes[node] || pair.hosts[node].original.is_some();
                    if unknown && believed && self.may_run[node].contains_key(word) {
                        self.liars.insert(word.clone());
                    }
                    let behaviour = pair.scripts.behaviour(node, word, call.verb);
                    if behaviour == Some(Behaviour::Lies) {
                        self.liars.insert(word.clone());
                    }
                    self.stuck[node] |= behaviour.is_some() && pair.hosts[node].original.is_some();
                    if self.farewell[node] && call.verb == Verb::Start {
                        self.liars.insert(word.clone());
                    }
                }
                Observed::Intervention(intervention) => self.read_intervention(pair, node, intervention),
                Observed::Sent(text) if pair.hosts[node].original.is_some() => self.read_word(pair, node, text),
                Observed::Logged(text) => match phrases::told(text) {
                    // It gives before its own start has ended.
                    Some(PhraseMeaning { event: EventName::ReleaseDone, words }) => {
                        let set = words.first().copied().unwrap_or_default();
                        self.is_said_to_be_down(pair, node, |own, _| set == "all" || (set == "local") == own);
                    }
                    Some(PhraseMeaning { event: EventName::LocalStatus, words }) if words == ["active"] => {
                        self.farewell[node] = false;
                    }
                    _ => {}
                },
                _ => {}
            }
        }
    }

    fn read_intervention(&mut self, pair: &SimulatedPair, node: usize, intervention: &Intervention) {
        if intervention.starts_a_daemon() {
            // Whatever was there before, another lives now and speaks for itself.
            (self.says[node], self.farewell[node]) = ((false, false), false);
        }
        self.old_notes[node] |= *intervention == Intervention::Notes(NotesFault::Old);
        // They may speak of a hand-over that is over: the other does not, and is waited for.
        self.stuck[node] |= self.old_notes[node] && pair.hosts[1 - node].original.is_some();
        match intervention {
            Intervention::Notes(NotesFault::Lost | NotesFault::Unreadable) => {
                self.lost_notes[node] = true;
                // Nobody knows any more what was being started, and may come up later.
                let starts = self.may_run[node].keys().filter(|word| pair.may_come_up(node, word));
                self.liars.extend(starts.cloned());
            }
            Intervention::ComesUp(word) => drop(self.liars.insert(word.clone())),
            // It looks at the first resource of a group only.
            Intervention::Dies(_) => self.stuck[node] |= pair.hosts[node].original.is_some(),
            Intervention::HeartbeatStarts(_) => {
                self.stuck[node] = false;
                // It says that it runs nothing, whatever a dead one left running.
                self.liars.extend(self.may_run[node].keys().cloned());
            }
            _ => {}
        }
    }

    /// An original says something: what runs there nevertheless it has not noticed.
    fn read_word(&mut self, pair: &SimulatedPair, node: usize, text: &str) {
        let field = |name: &str| text.split(' ').find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
        match field("t") {
            Some("shutdone") => {
                self.farewell[node] = true;
                self.says[node] = (false, false);
            }
            Some("resource") => {
                let hold = field("rsc_hold").unwrap_or_default();
                let (local, foreign) = (["all", "local"].contains(&hold), ["all", "foreign"].contains(&hold));
                let before = if field("rtype") == Some("full") { (false, false) } else { self.says[node] };
                self.says[node] = (local || before.0, foreign || before.1);
                if self.lost_notes[1 - node] {
                    let says = self.says[node];
                    self.is_said_to_be_down(pair, node, |own, _| if own { !says.0 } else { !says.1 });
                }
            }
            // It looks at the first resource only.
            Some("ip-request-resp") if field("ok") == Some("OK") => {
                let key = field("ipaddr").unwrap_or_default().to_owned();
                self.is_said_to_be_down(pair, node, |own, known| !own && known == key);
            }
            _ => {}
        }
    }

    /// Nobody can keep a promise about a group of which something runs there all the same.
    fn is_said_to_be_down(&mut self, pair: &SimulatedPair, node: usize, is_meant: impl Fn(bool, &str) -> bool) {
        let groups = pair.hosts[node].groups.iter();
        let meant = groups.filter(|group| is_meant(pair.node(&group.owner) == Some(node), group.key()));
        let runs = |group: &&ResourceGroup| group.resources.iter().any(|r| self.may_run[node].contains_key(&r.word));
        let running = meant.filter(runs).flat_map(|group| &group.resources);
        self.liars.extend(running.map(|resource| resource.word.clone()));
    }
}
