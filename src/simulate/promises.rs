//! The promises of `takeover.md`, asked after every event: each with its own clock and its own excuse, and nothing
//! else excuses.
//!
//! The checker is a value that a [`SimulatedPair`] may carry. What really happened it knows from the rig (`truth`, `calm`), what
//! the cores believe only from their views and words. `owners` asks S1 to S3 and S10, `evidence` S5 to S7, `fences` S8 and
//! S9, `service` L1, L3 and L4, `answers` L2 and L5.

#![allow(
    clippy::wildcard_enum_match_arm,
    clippy::needless_range_loop,
    reason = "of all that is noted only what a promise is about is read; nodes are numbers here"
)]

mod answers;
mod calm;
mod evidence;
mod fences;
mod owners;
mod service;
mod truth;

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use answers::Answers;
use calm::Calm;
use evidence::Evidence;
use fences::Fences;
use owners::Owners;
use service::Service;
use truth::Truth;

use crate::cluster::{AutoFailback, Event, ExitReason, GroupState, GroupView, NodeView, View};
use crate::haresources::Verb;
use crate::time::Mono;

use super::{Observation, Observed, SimulatedPair};

/// Between two looks at what only time can break.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// One promise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "their names in docs/takeover.md")]
pub enum Promise {
    S1,
    S2,
    S3,
    S5,
    S6,
    S7,
    S8,
    S9,
    S10,
    L1,
    L2,
    L3,
    L4,
    L5,
}

impl fmt::Display for Promise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

/// A promise that was not kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokenPromise {
    /// Which.
    pub promise: Promise,
    /// When it was seen.
    pub at: Mono,
    /// What happened, and what should have.
    pub what: String,
}

impl fmt::Display for BrokenPromise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {}: {}", self.promise, self.at, self.what)
    }
}

/// Everything the promises are judged by.
#[derive(Clone, Debug, Default)]
pub(super) struct Promises {
    truth: Truth,
    calm: Calm,
    owners: Owners,
    evidence: Evidence,
    fences: Fences,
    service: Service,
    answers: Answers,
    /// Notes before this one have been read, and before this one been glanced at.
    read: usize,
    glanced: usize,
    next_look: Mono,
    said: Vec<BrokenPromise>,
    /// What was complained of already, so that each thing is said once.
    known: BTreeSet<(Promise, String)>,
}

/// How things are at one moment, for every promise.
struct Snapshot<'a> {
    pair: &'a SimulatedPair,
    now: Mono,
    /// Nothing of a node that is played by hand or is an original.
    views: [Option<View>; 2],
    /// What has happened since the last look.
    observations: &'a [Observation],
}

impl Snapshot<'_> {
    fn name(&self, node: usize) -> &str {
        self.pair.name(node)
    }

    /// What a node knows of the other one.
    fn other(&self, node: usize) -> Option<&NodeView> {
        let name = self.name(1 - node);
        self.views[node].as_ref()?.nodes.iter().find(|known| known.name.as_str() == name)
    }

    fn group(&self, node: usize, key: &str) -> Option<&GroupView> {
        self.views[node].as_ref()?.groups.iter().find(|group| group.key == key)
    }

    fn state(&self, node: usize, key: &str) -> Option<GroupState> {
        self.group(node, key).map(|group| group.state)
    }

    /// The key of the group a resource belongs to, as a node sees it, or the resource itself.
    fn key_of(&self, node: usize, word: &str) -> String {
        let groups = self.views[node].iter().flat_map(|view| &view.groups);
        let mut found = groups.filter(|group| group.resources.iter().any(|known| known == word));
        found.next().map_or_else(|| word.to_owned(), |group| group.key.clone())
    }

    fn mode(&self, node: usize) -> AutoFailback {
        self.pair.mode(node)
    }

    /// The longer of both nodes' deadtimes.
    fn deadtime(&self) -> Duration {
        (0..2).map(|node| self.pair.in_force(node).deadtime).max().unwrap_or_default()
    }

    fn keepalive(&self) -> Duration {
        (0..2).map(|node| self.pair.in_force(node).keepalive).max().unwrap_or_default()
    }
}

impl Promises {
    /// Looks at everything that may have changed.
    fn look(&mut self, pair: &SimulatedPair) {
        let now = pair.now;
        let ended = self.truth.follow(pair);
        let stirred = self.calm.observe(pair, now);
        let observations = pair.observations.get(self.read..).unwrap_or_default();
        let fresh = observations.get(self.glanced.saturating_sub(self.read)..).unwrap_or_default();
        self.glanced = pair.observations.len();
        self.truth.read(pair, fresh);
        if fresh.iter().all(is_usual) && !ended && !stirred && now < self.next_look {
            return;
        }
        self.next_look = now + LOOK_EVERY;
        self.read = pair.observations.len();
        let snapshot = Snapshot { pair, now, views: [pair.view(0), pair.view(1)], observations };
        self.calm.follow(&snapshot);
        let mut said = Vec::new();
        self.owners.look(&snapshot, &self.truth, &self.calm, &mut said);
        self.evidence.look(&snapshot, &self.truth, &mut said);
        self.fences.look(&snapshot, &mut said);
        self.service.look(&snapshot, &self.truth, &self.calm, &mut said);
        self.answers.look(&snapshot, &self.truth, &self.calm, &mut said);
        for (promise, about, what) in said {
            if self.known.insert((promise, about)) {
                self.said.push(BrokenPromise { promise, at: now, what });
            }
        }
    }
}

/// Whether it changes nothing: an answer to a heartbeat, a question whether something runs.
fn is_usual(observation: &Observation) -> bool {
    match &observation.what {
        Observed::Sent(text) => text.starts_with("t=NS_ackmsg") || text.starts_with("t=latido"),
        Observed::Ran(call, _) => call.verb == Verb::Status,
        Observed::Moved { .. } | Observed::Announced(_) | Observed::Remark(_) | Observed::Cut(_) => true,
        _ => false,
    }
}

/// What a part of the checker has to say: the promise, whom it is about, the sentence.
type Said = Vec<(Promise, String, String)>;

impl SimulatedPair {
    /// From now on every promise is asked after every event.
    pub fn ask_promises(&mut self) {
        self.promises.get_or_insert_default();
    }

    /// The promises that were not kept, in the order they were seen; none unless they are asked.
    pub fn broken(&self) -> &[BrokenPromise] {
        self.promises.as_ref().map_or(&[], |promises| &promises.said)
    }

    /// Called after every event.
    pub(super) fn look_at_promises(&mut self) {
        if let Some(mut promises) = self.promises.take() {
            promises.look(self);
            self.promises = Some(promises);
        }
    }

    /// A machine has lost its power.
    pub(super) fn promises_off(&mut self, node: usize) {
        if let Some(promises) = &mut self.promises {
            promises.fences.on_power_off(node);
            promises.calm.stir(self.now);
        }
    }

    /// Something reaches a core.
    pub(super) fn promises_hear(&mut self, node: usize, event: &Event) {
        if let Some(promises) = &mut self.promises {
            promises.fences.hear(node, event, self.now);
            if *event == Event::Leave {
                promises.answers.told_to_leave(node, promises.calm.stamp(self.now));
            }
        }
    }

    /// A core is about to end.
    pub(super) fn promises_exit(&mut self, node: usize, reason: &ExitReason) {
        if let Some(mut promises) = self.promises.take() {
            promises.fences.on_exit(self, node, reason);
            // Who goes although something does not stop was told so twice: he who said it answers for what runs on.
            let blocked = self.view(node).is_some_and(|v| v.groups.iter().any(|g| g.state == GroupState::Blocked));
            if *reason == ExitReason::Stopped && !blocked {
                promises.calm.leave(node);
            }
            self.promises = Some(promises);
        }
    }

    /// The settings a node's core goes by.
    fn in_force(&self, node: usize) -> &super::Settings {
        self.hosts[node].cluster.as_ref().map_or(&self.settings[node], |cluster| cluster.settings())
    }

    fn mode(&self, node: usize) -> AutoFailback {
        self.in_force(node).auto_failback
    }
}
