//! Never none: L1 (every group runs somewhere), L3 (what failed is tried again), L4 (groups go home).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::cluster::{AutoFailback, GroupState, OnStartFailure, Report, Request, Response};
use crate::haresources::Verb;

use super::super::{Deed, Note, What};
use super::calm::Stamp;
use super::{Calm, Promise, Said, Scene, Truth};

/// What L1 and L3 add to the times they name.
const MARGIN: Duration = Duration::from_secs(2);
/// A failed group is tried again after this; its home node first, the other a tenth later, both asked each tenth.
const RETRIED_AFTER: Duration = Duration::from_secs(720);
/// What L4 adds.
const HOME_MARGIN: Duration = Duration::from_secs(10);

/// What is remembered of one group.
#[derive(Clone, Debug, Default)]
struct Fate {
    /// Since when it runs nowhere and nothing explains it.
    missing: Option<Stamp>,
    /// When anybody last tried to start it, or asked whether it runs.
    tried: Stamp,
    /// A failed group for which this happened at that time is to be tried again: the node, and what happened.
    due: Option<(Stamp, usize, &'static str)>,
    /// Away from home because its owner was away, and nobody moved it since.
    displaced: bool,
    /// Since when it could go home.
    could_go: Option<Stamp>,
}

/// What is remembered of all groups, by their keys.
#[derive(Clone, Debug, Default)]
pub(super) struct Service {
    fates: BTreeMap<String, Fate>,
}

impl Service {
    pub(super) fn look(&mut self, scene: &Scene<'_>, truth: &Truth, calm: &Calm, said: &mut Said) {
        for note in scene.notes {
            self.learn(scene, calm, note);
        }
        if scene.pair.hosts.iter().any(|host| host.puppet.is_some()) {
            return;
        }
        let keys: BTreeSet<String> =
            scene.views.iter().flatten().flat_map(|v| &v.groups).map(|g| g.key.clone()).collect();
        for key in keys {
            let fate = self.fates.entry(key.clone()).or_default();
            fate.ask_somewhere(scene, truth, calm, &key, said);
            fate.ask_again(scene, truth, calm, &key, said);
            fate.ask_home(scene, truth, calm, &key, said);
        }
    }

    fn learn(&mut self, scene: &Scene<'_>, calm: &Calm, note: &Note) {
        let (Some(node), now) = (note.node, calm.stamp(scene.now)) else { return };
        match &note.what {
            What::Ran(call, _) if call.verb != Verb::Stop => {
                let fate = self.fates.entry(scene.key_of(node, &call.resource.word)).or_default();
                fate.tried = now;
                fate.due.take_if(|due| call.verb == Verb::Start || due.1 == node);
            }
            What::Said(Report::NodeDead { node: gone, .. } | Report::ShutdownNotice { node: gone })
                if scene.pair.node(gone).is_some() =>
            {
                self.failed_are_due(scene, now, note, "the other node is gone");
                for (key, fate) in &mut self.fates {
                    fate.displaced |= scene.group(node, key).is_some_and(|group| group.owner == *gone);
                }
            }
            What::Said(Report::NodeReturned { .. } | Report::FencingCancelled { .. }) => {
                self.fates.values_mut().for_each(|fate| {
                    fate.due.take_if(|due| due.1 == node && due.2 == "the other node is gone");
                })
            }
            What::Said(Report::Reconfigured { .. }) => self.failed_are_due(scene, now, note, "the files were reread"),
            What::Asked(Request::Retry(word)) => {
                let key = scene.key_of(node, word);
                if scene.state(node, &key).is_some() {
                    self.fates.entry(key).or_default().due = Some((now, node, "retry was asked"));
                }
            }
            What::Replied(Response::Refused(_)) => {
                self.fates.values_mut().for_each(|fate| {
                    fate.due.take_if(|due| due.2 == "retry was asked");
                });
            }
            What::Said(Report::WantsStandby { .. } | Report::GroupFailed { .. } | Report::GroupGivenUp { .. })
            | What::Asked(_) => {
                // What a hand-over has moved stays where it was put; a failback begins with another report.
            }
            _ => {}
        }
        // Nor is it known why a group is where it is when the last note of it is lost.
        if matches!(&note.what, What::Asked(Request::Standby(_) | Request::Takeover(_) | Request::Move(..)))
            || matches!(&note.what, What::Deed(Deed::Fifo(_) | Deed::Notes(_)))
        {
            self.fates.values_mut().for_each(|fate| fate.displaced = false);
        }
    }

    fn failed_are_due(&mut self, scene: &Scene<'_>, now: Stamp, note: &Note, why: &'static str) {
        let Some(node) = note.node else { return };
        // By its own clock, which may be behind.
        let at = note.at.before(scene.now.since(scene.pair.moment_of(node).mono));
        let groups = scene.views[node].iter().flat_map(|view| &view.groups);
        for group in groups.filter(|group| group.state == GroupState::Failed && group.since <= at) {
            self.fates.entry(group.key.clone()).or_default().due = Some((now, node, why));
        }
    }
}

fn is_on(scene: &Scene<'_>, node: usize) -> bool {
    scene.views[node].is_some()
}

/// Whether all of a group runs on a node, and is not a lie.
fn runs_on(scene: &Scene<'_>, truth: &Truth, node: usize, key: &str) -> bool {
    let words = (0..2).find_map(|any| scene.group(any, key)).map(|group| group.resources.clone()).unwrap_or_default();
    let running = &scene.pair.hosts[node].running;
    words.iter().all(|word| truth.may_run(node).contains_key(word) || running.contains(word))
}

fn is_lie(scene: &Scene<'_>, truth: &Truth, key: &str) -> bool {
    let mut words = (0..2).filter_map(|any| scene.group(any, key)).flat_map(|group| &group.resources);
    words.any(|word| truth.is_liar(word))
}

impl Fate {
    /// Why it may run nowhere.
    fn may_be_missing(scene: &Scene<'_>, key: &str) -> bool {
        let states: Vec<GroupState> = (0..2).filter_map(|node| scene.state(node, key)).collect();
        // Who is leaving takes nothing.
        let stays_on = |node: &usize| scene.views[*node].as_ref().is_some_and(|view| !view.leaving);
        let on = (0..2).filter(stays_on).count();
        let know = (0..2).filter(stays_on).filter(|node| scene.state(*node, key).is_some()).count();
        let failed = states.iter().filter(|state| **state == GroupState::Failed).count();
        let stays = (0..2).any(|node| {
            scene.state(node, key) == Some(GroupState::Failed)
                && scene.pair.in_force(node).on_start_failure == OnStartFailure::Stay
        });
        // A group that not every node knows that stays is being brought in or taken out. An original speaks of whole sides.
        let unknown = |node: usize| {
            let host = &scene.pair.hosts[node];
            host.original.is_some() && host.groups.iter().all(|group| group.key() != key)
        };
        know < on || (0..2).any(unknown) || failed == on || stays || states.contains(&GroupState::Blocked)
    }

    fn ask_somewhere(&mut self, scene: &Scene<'_>, truth: &Truth, calm: &Calm, key: &str, said: &mut Said) {
        let up = (0..2).any(|node| runs_on(scene, truth, node, key));
        let fine = calm.still();
        let leaving = scene.views.iter().flatten().all(|view| view.leaving);
        let explained = up
            || leaving
            || truth.is_stuck()
            || truth.is_claimed_by_an_original(scene.pair, key)
            || Fate::may_be_missing(scene, key)
            || is_lie(scene, truth, key);
        let (Some(fine), false) = (fine, explained) else {
            self.missing = None;
            return;
        };
        let since = (*self.missing.get_or_insert(calm.stamp(scene.now))).max(fine);
        let from = (since.at + scene.deadtime()).max(calm.explained_until(scene));
        if scene.now > from + calm.scripts(since) + MARGIN + scene.pair.patience_with_originals() {
            let what = format!("group {key} runs on no node since {}: {}", since.at, states(scene, key));
            said.push((Promise::L1, key.to_owned(), what));
        }
    }

    fn ask_again(&mut self, scene: &Scene<'_>, truth: &Truth, calm: &Calm, key: &str, said: &mut Said) {
        let Some(fine) = calm.awake() else { return };
        let up = (0..2).any(|node| runs_on(scene, truth, node, key));
        let stays = (0..2).any(|node| scene.pair.in_force(node).on_start_failure == OnStartFailure::Stay);
        let blocked = (0..2).any(|node| scene.state(node, key) == Some(GroupState::Blocked));
        let nobody = (0..2).all(|node| !is_on(scene, node));
        // Who believes a script that lied does not start what seems to run.
        let held = (0..2).any(|node| scene.state(node, key) == Some(GroupState::Held));
        if up || blocked || nobody || truth.is_stuck() || held && is_lie(scene, truth, key) {
            self.tried = calm.stamp(scene.now);
            self.due = None;
            return;
        }
        let explained = calm.explained_until(scene).before(scene.deadtime()).max(calm.fenced_until(scene));
        if let Some((at, node, why)) = self.due
            && scene.state(node, key) == Some(GroupState::Failed)
            && !scene.views[node].as_ref().is_some_and(|view| view.leaving)
            && scene.now > at.max(fine).at.max(explained) + calm.scripts(at.max(fine)) + MARGIN
        {
            let what = format!("{} was not tried again on {} although {why} at {}", key, scene.name(node), at.at);
            said.push((Promise::L3, format!("{key} {why}"), what));
        }
        let failed = (0..2).any(|node| scene.state(node, key) == Some(GroupState::Failed));
        if failed
            && !stays
            && scene.now.since(self.tried.max(fine).at) > RETRIED_AFTER + calm.scripts(self.tried.max(fine)) + MARGIN
        {
            let what = format!("{key} failed and was not tried again since {}: {}", self.tried.at, states(scene, key));
            said.push((Promise::L3, format!("{key} in time"), what));
        }
    }

    fn ask_home(&mut self, scene: &Scene<'_>, truth: &Truth, calm: &Calm, key: &str, said: &mut Said) {
        let home = (0..2).filter_map(|any| scene.group(any, key)).find_map(|group| scene.pair.node(&group.owner));
        // What was at home, or failed there, is where it is for another reason.
        let was_at_home = |home| runs_on(scene, truth, home, key) || scene.state(home, key) == Some(GroupState::Failed);
        self.displaced &= !home.is_some_and(was_at_home);
        let (Some(home), Some(fine)) = (home, calm.still()) else {
            self.could_go = None;
            return;
        };
        let away = runs_on(scene, truth, 1 - home, key) && scene.state(1 - home, key) == Some(GroupState::Held);
        let on = (0..2).all(|node| scene.mode(node) == AutoFailback::On);
        let able = scene.state(home, key) == Some(GroupState::Free)
            && scene.pair.hosts[home].cluster.as_ref().is_some_and(|cluster| cluster.is_active())
            && scene.views.iter().flatten().all(|view| !view.leaving)
            && scene.pair.scripts_work(home, key);
        if !(away && on && able && self.displaced) {
            self.could_go = None;
            return;
        }
        let since = (*self.could_go.get_or_insert(calm.stamp(scene.now))).max(fine);
        let delays = scene.pair.settings.iter().map(|settings| settings.failback_delay);
        let delay = delays.max().unwrap_or_default();
        if scene.now.since(since.at) > scene.deadtime() + delay + calm.scripts(since) + HOME_MARGIN {
            let what =
                format!("{key} is not at home on {} although it could go there since {}", scene.name(home), since.at);
            said.push((Promise::L4, key.to_owned(), what));
        }
    }
}

fn states(scene: &Scene<'_>, key: &str) -> String {
    let of = |node: usize| match scene.state(node, key) {
        Some(state) => format!("{} on {}", state.as_str(), scene.name(node)),
        None => format!("{} is off", scene.name(node)),
    };
    format!("{}, {}", of(0), of(1))
}

impl super::Pair {
    /// Whether no script of a group misbehaves on a node.
    fn scripts_work(&self, node: usize, key: &str) -> bool {
        let words =
            self.hosts[node].groups.iter().filter(|group| group.key() == key).flat_map(|group| &group.resources);
        let verbs = [Verb::Start, Verb::Stop, Verb::Status];
        !words
            .flat_map(|r| verbs.map(|verb| (r, verb)))
            .any(|(r, verb)| self.scripts.behaviour(node, &r.word, verb).is_some())
    }
}
