//! What runs or may run, by the lines of the scripts.

use std::collections::BTreeMap;
use std::time::Duration;

use super::super::fact::{Fact, TimedFact};
use super::{Bounds, Stamp};
use crate::haresources::Verb;
use crate::time::Mono;

/// A stop that failed is tried again after a second; the machine may be slow to do so.
const RETRIED_WITHIN: Duration = Duration::from_millis(1_500);

#[derive(Clone, Debug, Default)]
pub(super) struct MayRun {
    /// What runs or may run on each node: since when, and the how many'th start that was.
    may_run: [BTreeMap<String, Started>; 2],
    /// Starts and stops that have not ended.
    at_work: BTreeMap<(usize, String, Verb), Mono>,
    /// When a stop last failed, on each node.
    failed_stop: [Option<Mono>; 2],
    starts: u64,
}

/// A resource that runs or may run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Started {
    pub(super) since: Mono,
    /// Its number among all starts.
    pub(super) number: u64,
    /// Whether its start has ended well.
    pub(super) is_up: bool,
}

impl MayRun {
    pub(super) fn run(&self, node: usize, resource: &str) -> Option<Started> {
        self.may_run[node].get(resource).copied()
    }

    pub(super) fn resources(&self, node: usize) -> impl Iterator<Item = (&String, &Started)> {
        self.may_run[node].iter()
    }

    pub(super) fn runs_anything(&self, node: usize) -> bool {
        !self.may_run[node].is_empty()
    }

    /// Whether a script that moves something is at work, or about to be tried again.
    pub(super) fn is_busy(&self, bounds: &Bounds, now: Mono) -> bool {
        let limit = bounds.script_limit + Duration::from_secs(1);
        self.at_work.values().any(|since| now.since(*since) < limit)
            || self.failed_stop.iter().flatten().any(|at| now.since(*at) < RETRIED_WITHIN)
    }

    /// What runs or may run on both nodes, and since when.
    pub(super) fn doubles(&self) -> impl Iterator<Item = (&String, [Started; 2])> {
        let [one, other] = &self.may_run;
        one.iter().filter_map(|(name, run)| Some((name, [*run, *other.get(name)?])))
    }

    pub(super) fn take(&mut self, timed: &TimedFact) {
        match &timed.fact {
            Fact::Began(node, name, verb) => {
                if *verb != Verb::Status {
                    self.at_work.insert((*node, name.clone(), *verb), timed.at);
                }
                if *verb == Verb::Start {
                    self.starts += 1;
                    let run = Started { since: timed.at, number: self.starts, is_up: false };
                    self.may_run[*node].entry(name.clone()).or_insert(run);
                }
            }
            Fact::Ended(node, name, verb, code) => {
                self.at_work.remove(&(*node, name.clone(), *verb));
                match (verb, code) {
                    (Verb::Stop, 0) => drop(self.may_run[*node].remove(name)),
                    (Verb::Stop, _) => self.failed_stop[*node] = Some(timed.at),
                    (Verb::Start, 0) => {
                        if let Some(run) = self.may_run[*node].get_mut(name) {
                            run.is_up = true;
                        }
                    }
                    (Verb::Start | Verb::Status, _) => {}
                }
            }
            Fact::Said(node, name, false) => {
                // Not of what is just being started.
                if !self.at_work.contains_key(&(*node, name.clone(), Verb::Start)) {
                    self.may_run[*node].remove(name);
                }
            }
            Fact::Off(node) => {
                self.may_run[*node].clear();
                self.at_work.retain(|(known, _, _), _| known != node);
                self.failed_stop[*node] = None;
            }
            Fact::Said(..)
            | Fact::Fenced(_)
            | Fact::KnownFenced(_)
            | Fact::Given(_)
            | Fact::Things(_)
            | Fact::CoreKilled(_)
            | Fact::Died(..)
            | Fact::Left(_)
            | Fact::Status(..)
            | Fact::TypedCommand(_)
            | Fact::Answered(..)
            | Fact::StoodStill(_)
            | Fact::Cause(..)
            | Fact::JournalFull(..)
            | Fact::Settled(..) => {}
        }
    }
}

impl Started {
    /// A double begins with the later of its starts.
    pub(super) fn later(runs: [Started; 2]) -> (usize, Started) {
        let [one, other] = runs;
        if other.number > one.number { (1, other) } else { (0, one) }
    }
}

impl Stamp {
    pub(super) fn max_of(self, other: Option<Stamp>) -> Stamp {
        other.map_or(self, |other| self.max(other))
    }
}
