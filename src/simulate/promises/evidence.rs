//! Nothing is called stopped without evidence, nothing healthy is stopped without a cause, nothing a dead core began is
//! forgotten: S5, S6, S7.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::Value;

use crate::cluster::{AutoFailback, Cluster, GroupState, Report, Request, Scope, Set, Status};
use crate::haresources::{Invocation, ResourceGroup, Verb};

use super::super::{Deed, Note, What};
use super::{Promise, Said, Scene, Truth};

/// Stands for every group of a node.
const ALL: &str = "*";

/// What is remembered of each node.
#[derive(Clone, Debug, Default)]
pub(super) struct Evidence {
    /// Groups that may be stopped, because of something that happened.
    causes: [BTreeSet<String>; 2],
    /// With which others, and at which home, a resource was started.
    started_as: [BTreeMap<String, (String, Vec<String>)>; 2],
    /// The life each node was in at the last look, and what was running unclaimed at its birth.
    lives: [u64; 2],
    born_with: [BTreeSet<String>; 2],
}

impl Evidence {
    pub(super) fn look(&mut self, scene: &Scene<'_>, truth: &Truth, said: &mut Said) {
        for node in 0..2 {
            let life = scene.pair.hosts[node].life;
            if self.lives[node] != life {
                self.lives[node] = life;
                self.born_with[node] = truth.may_run(node).keys().cloned().collect();
            }
        }
        for note in scene.notes {
            let Some(node) = note.node else { continue };
            self.ask_stop(scene, truth, node, note, said);
            self.learn(scene, node, note);
            ask_words(scene, truth, node, note, said);
        }
        for node in 0..2 {
            self.ask_freedom(scene, truth, node, said);
        }
    }

    /// A group that is free for its node may not run there.
    fn ask_freedom(&self, scene: &Scene<'_>, truth: &Truth, node: usize, said: &mut Said) {
        let Some(view) = &scene.views[node] else { return };
        // It has not said so to anybody.
        if scene.pair.hosts[node].cluster.as_ref().is_some_and(Cluster::is_looking_around) {
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
                    scene.name(node),
                    group.key,
                    group.state.as_str()
                );
                said.push((promise, format!("{node} {word}"), what));
            }
        }
    }

    /// A stop script of what runs needs a cause.
    fn ask_stop(&mut self, scene: &Scene<'_>, truth: &Truth, node: usize, note: &Note, said: &mut Said) {
        let What::Ran(call, _) = &note.what else { return };
        let word = &call.resource.word;
        let key = scene.key_of(node, word);
        if call.verb == Verb::Start {
            self.remember_start(scene, node, call);
        }
        let healthy = scene.pair.hosts[node].running.contains(word);
        // An original stops what it likes; and what said that it had stopped is stopped again by who has forgotten that.
        if call.verb != Verb::Stop || !healthy || truth.is_liar(word) || scene.pair.hosts[node].original.is_some() {
            return;
        }
        let caused = [ALL, key.as_str()].iter().any(|about| self.causes[node].contains(*about));
        if caused || self.line_changed(scene, node, word) {
            return;
        }
        let what = format!("{} stops {word} of group {key}, which works, without any cause", scene.name(node));
        said.push((Promise::S6, format!("{node} {key}"), what));
    }

    fn remember_start(&mut self, scene: &Scene<'_>, node: usize, call: &Invocation) {
        let key = scene.key_of(node, &call.resource.word);
        if let Some(group) = scene.group(node, &key) {
            let as_written = (group.owner.to_string(), group.resources.clone());
            self.started_as[node].insert(call.resource.word.clone(), as_written);
        }
    }

    /// Whether the file has no such line any more as it was started with.
    fn line_changed(&self, scene: &Scene<'_>, node: usize, word: &str) -> bool {
        let Some((owner, words)) = self.started_as[node].get(word) else { return false };
        let same = |group: &ResourceGroup| {
            group.owner.as_str() == owner && group.resources.iter().map(|r| &r.word).eq(words.iter())
        };
        !scene.pair.hosts[node].groups.iter().any(same)
    }

    /// What may lead to a stop, and what ends that.
    fn learn(&mut self, scene: &Scene<'_>, node: usize, note: &Note) {
        let causes = &mut self.causes[node];
        match &note.what {
            What::Said(report) => {
                let event = report.event();
                if let Some(scope) = event.may_stop() {
                    causes.extend(groups_meant(scene, node, scope, report));
                }
                if let Some(scope) = event.settles() {
                    let settled = groups_meant(scene, node, scope, report);
                    causes.retain(|about| !settled.contains(about));
                }
            }
            What::Deed(Deed::Left | Deed::PowerOff) => causes.clear(),
            What::Asked(Request::Retry(word)) => {
                let key = scene.key_of(node, word);
                causes.insert(key);
            }
            What::Asked(_)
            | What::Deed(_)
            | What::Beside(_)
            | What::Logged(_)
            | What::Remark(_)
            | What::Cut(_)
            | What::Chapter(_)
            | What::Met(_)
            | What::Unmet(_)
            | What::Moved { .. }
            | What::Sent(_)
            | What::Ran(..)
            | What::Replied(_)
            | What::Announced(_)
            | What::Fenced { .. }
            | What::Cancelled => {}
        }
    }
}

/// The groups that a report is about.
fn groups_meant(scene: &Scene<'_>, node: usize, scope: Scope, report: &Report) -> Vec<String> {
    let data = report.data();
    let field = |name: &str| data.get(name).and_then(Value::as_str).unwrap_or_default();
    match scope {
        Scope::All => vec![ALL.to_owned()],
        Scope::ItsGroup => vec![field("group").to_owned()],
        Scope::GroupOfItsResource => vec![scene.key_of(node, &resource_word(scene, node, field("resource")))],
        Scope::ItsSet => {
            let set = data.get("set").and_then(|set| Set::deserialize(set).ok());
            set.into_iter().flat_map(|set| groups_in(scene, node, set)).collect()
        }
        Scope::ForeignInLegacy => {
            let is_meant = field("status") == Status::Active.as_str() && scene.mode(node) == AutoFailback::Legacy;
            if is_meant { groups_in(scene, node, Set::Foreign).collect() } else { Vec::new() }
        }
    }
}

/// `done` of a giver and `shutdone` say that nothing runs here any more.
fn ask_words(scene: &Scene<'_>, truth: &Truth, node: usize, note: &Note, said: &mut Said) {
    let released: Vec<String> = match &note.what {
        // What the taker cannot start is kept, and claimed.
        What::Said(Report::ReleaseDone { set }) => {
            let free = |key: &String| matches!(scene.state(node, key), Some(GroupState::Free | GroupState::Failed));
            groups_in(scene, node, *set).filter(free).collect()
        }
        What::Sent(text) if text.starts_with("t=shutdone") => groups_in(scene, node, Set::All).collect(),
        _ => return,
    };
    let words = truth.may_run(node).keys().filter(|word| !truth.is_liar(word));
    for word in words.filter(|word| released.contains(&scene.key_of(node, word))) {
        let farewell = if matches!(note.what, What::Sent(_)) { "shutdone" } else { "done" };
        let what = format!("{} says {farewell} while {word} may run there", scene.name(node));
        said.push((Promise::S7, format!("{node} {word} {farewell}"), what));
    }
}

/// The keys of the groups of a set, in the terms of a node.
fn groups_in<'a>(scene: &'a Scene<'_>, node: usize, set: Set) -> impl Iterator<Item = String> + 'a {
    let me = scene.name(node);
    let groups = scene.views[node].iter().flat_map(|view| &view.groups);
    groups.filter(move |group| set.contains(group.owner.as_str() == me, &group.key)).map(|group| group.key.clone())
}

/// The word of a resource that is named as it is called, `IPaddr 10.0.0.1` for `10.0.0.1`.
fn resource_word(scene: &Scene<'_>, node: usize, called: &str) -> String {
    let words = scene.views[node].iter().flat_map(|view| &view.groups).flat_map(|group| &group.resources);
    let mut same = words
        .filter(|word| crate::haresources::Resource::from_word(word).to_string() == called || word.as_str() == called);
    same.next().map_or_else(|| called.to_owned(), Clone::clone)
}
