//! Nothing is called stopped without evidence, nothing healthy is stopped without a cause, nothing a dead core began is
//! forgotten: S5, S6, S7.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::Value;

use crate::cluster::{AutoFailback, Cluster, GroupState, Report, Request, Scope, Set, Status};
use crate::haresources::{Invocation, ResourceGroup, Verb};

use super::super::{Intervention, Observation, Observed};
use super::{Promise, Said, Snapshot, Truth};

/// Stands for every group of a node.
const ALL: &str = "*";

/// What is remembered of each node.
#[derive(Clone, Debug, Default)]
pub(super) struct Evidence {
    /// Groups that may be stopped, because of something that happened.
    causes: [BTreeSet<String>; 2],
    /// With which others, and at which home, a resource was started.
    started_as: [BTreeMap<String, (String, Vec<String>)>; 2],
    /// The life each node was in at the last look, and what was running unclaimed at its start.
    lives: [u64; 2],
    born_with: [BTreeSet<String>; 2],
}

impl Evidence {
    pub(super) fn look(&mut self, snapshot: &Snapshot<'_>, truth: &Truth, said: &mut Said) {
        for node in 0..2 {
            let life = snapshot.pair.hosts[node].life;
            if self.lives[node] != life {
                self.lives[node] = life;
                self.born_with[node] = truth.may_run(node).keys().cloned().collect();
            }
        }
        for observation in snapshot.observations {
            let Some(node) = observation.node else { continue };
            self.ask_stop(snapshot, truth, node, observation, said);
            self.learn(snapshot, node, observation);
            ask_words(snapshot, truth, node, observation, said);
        }
        for node in 0..2 {
            self.ask_freedom(snapshot, truth, node, said);
        }
    }

    /// A group that is free for its node may not run there.
    fn ask_freedom(&self, snapshot: &Snapshot<'_>, truth: &Truth, node: usize, said: &mut Said) {
        let Some(view) = &snapshot.views[node] else { return };
        // It has not said so to anybody.
        if snapshot.pair.hosts[node].cluster.as_ref().is_some_and(Cluster::is_looking_around) {
            return;
        }
        let free = |state| matches!(state, GroupState::Free | GroupState::Failed);
        for group in view.groups.iter().filter(|group| free(group.state)) {
            for word in group.resources.iter().filter(|word| truth.may_run(node).contains_key(*word)) {
                if truth.is_liar(word) {
                    continue;
                }
                let promise = if self.born_with[node].contains(word) { Promise::S7 } else { Promise::S5 };
                let what = format!(
                    "{} calls group {} {}, but {word} was started there and nothing shows that it is stopped",
                    snapshot.name(node),
                    group.key,
                    group.state.as_str()
                );
                said.push((promise, format!("{node} {word}"), what));
            }
        }
    }

    /// A stop script of what runs needs a cause.
    fn ask_stop(
        &mut self,
        snapshot: &Snapshot<'_>,
        truth: &Truth,
        node: usize,
        observation: &Observation,
        said: &mut Said,
    ) {
        let Observed::Ran(call, _) = &observation.what else { return };
        let word = &call.resource.word;
        let key = snapshot.key_of(node, word);
        if call.verb == Verb::Start {
            self.remember_start(snapshot, node, call);
        }
        let healthy = snapshot.pair.hosts[node].running.contains(word);
        // An original stops what it likes; and what said that it had stopped is stopped again by who has forgotten that.
        if call.verb != Verb::Stop || !healthy || truth.is_liar(word) || snapshot.pair.hosts[node].original.is_some() {
            return;
        }
        let caused = [ALL, key.as_str()].iter().any(|about| self.causes[node].contains(*about));
        if caused || self.line_changed(snapshot, node, word) {
            return;
        }
        let what = format!("{} stops {word} of group {key}, which works, without any cause", snapshot.name(node));
        said.push((Promise::S6, format!("{node} {key}"), what));
    }

    fn remember_start(&mut self, snapshot: &Snapshot<'_>, node: usize, call: &Invocation) {
        let key = snapshot.key_of(node, &call.resource.word);
        if let Some(group) = snapshot.group(node, &key) {
            let as_written = (group.owner.to_string(), group.resources.clone());
            self.started_as[node].insert(call.resource.word.clone(), as_written);
        }
    }

    /// Whether the file has no such line any more as it was started with.
    fn line_changed(&self, snapshot: &Snapshot<'_>, node: usize, word: &str) -> bool {
        let Some((owner, words)) = self.started_as[node].get(word) else { return false };
        let same = |group: &ResourceGroup| {
            group.owner.as_str() == owner && group.resources.iter().map(|r| &r.word).eq(words.iter())
        };
        !snapshot.pair.hosts[node].groups.iter().any(same)
    }

    /// What may lead to a stop, and what ends that.
    fn learn(&mut self, snapshot: &Snapshot<'_>, node: usize, observation: &Observation) {
        let causes = &mut self.causes[node];
        match &observation.what {
            Observed::Said(report) => {
                let event = report.event();
                if let Some(scope) = event.may_stop() {
                    causes.extend(groups_meant(snapshot, node, scope, report));
                }
                if let Some(scope) = event.settles() {
                    let settled = groups_meant(snapshot, node, scope, report);
                    causes.retain(|about| !settled.contains(about));
                }
            }
            Observed::Intervention(Intervention::Left | Intervention::PowerOff) => causes.clear(),
            Observed::Asked(Request::Retry(word)) => {
                let key = snapshot.key_of(node, word);
                causes.insert(key);
            }
            Observed::Asked(_)
            | Observed::Intervention(_)
            | Observed::IpfailLogged(_)
            | Observed::Logged(_)
            | Observed::Remark(_)
            | Observed::Cut(_)
            | Observed::Chapter(_)
            | Observed::Met(_)
            | Observed::Unmet(_)
            | Observed::Moved { .. }
            | Observed::Sent(_)
            | Observed::Ran(..)
            | Observed::Replied(_)
            | Observed::Announced(_)
            | Observed::Fenced { .. }
            | Observed::Cancelled => {}
        }
    }
}

/// The groups that a report is about.
fn groups_meant(snapshot: &Snapshot<'_>, node: usize, scope: Scope, report: &Report) -> Vec<String> {
    let data = report.data();
    let field = |name: &str| data.get(name).and_then(Value::as_str).unwrap_or_default();
    match scope {
        Scope::All => vec![ALL.to_owned()],
        Scope::ItsGroup => vec![field("group").to_owned()],
        Scope::GroupOfItsResource => vec![snapshot.key_of(node, &resource_word(snapshot, node, field("resource")))],
        Scope::ItsSet => {
            let set = data.get("set").and_then(|set| Set::deserialize(set).ok());
            set.into_iter().flat_map(|set| groups_in(snapshot, node, set)).collect()
        }
        Scope::ForeignInLegacy => {
            let is_meant = field("status") == Status::Active.as_str() && snapshot.mode(node) == AutoFailback::Legacy;
            if is_meant { groups_in(snapshot, node, Set::Foreign).collect() } else { Vec::new() }
        }
    }
}

/// `done` of a giver and `shutdone` say that nothing runs here any more.
fn ask_words(snapshot: &Snapshot<'_>, truth: &Truth, node: usize, observation: &Observation, said: &mut Said) {
    let released: Vec<String> = match &observation.what {
        // What the taker cannot start is kept, and claimed.
        Observed::Said(Report::ReleaseDone { set }) => {
            let free = |key: &String| matches!(snapshot.state(node, key), Some(GroupState::Free | GroupState::Failed));
            groups_in(snapshot, node, *set).filter(free).collect()
        }
        Observed::Sent(text) if text.starts_with("t=shutdone") => groups_in(snapshot, node, Set::All).collect(),
        _ => return,
    };
    let words = truth.may_run(node).keys().filter(|word| !truth.is_liar(word));
    for word in words.filter(|word| released.contains(&snapshot.key_of(node, word))) {
        let farewell = if matches!(observation.what, Observed::Sent(_)) { "shutdone" } else { "done" };
        let what = format!("{} says {farewell} while {word} may run there", snapshot.name(node));
        said.push((Promise::S7, format!("{node} {word} {farewell}"), what));
    }
}

/// The keys of the groups of a set, in the terms of a node.
fn groups_in<'a>(snapshot: &'a Snapshot<'_>, node: usize, set: Set) -> impl Iterator<Item = String> + 'a {
    let me = snapshot.name(node);
    let groups = snapshot.views[node].iter().flat_map(|view| &view.groups);
    groups.filter(move |group| set.contains(group.owner.as_str() == me, &group.key)).map(|group| group.key.clone())
}

/// The word of a resource that is named as it is called, `IPaddr 10.0.0.1` for `10.0.0.1`.
fn resource_word(snapshot: &Snapshot<'_>, node: usize, called: &str) -> String {
    let words = snapshot.views[node].iter().flat_map(|view| &view.groups).flat_map(|group| &group.resources);
    let mut same = words
        .filter(|word| crate::haresources::Resource::from_word(word).to_string() == called || word.as_str() == called);
    same.next().map_or_else(|| called.to_owned(), Clone::clone)
}
