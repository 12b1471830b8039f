//! Never none: L1 (every group runs somewhere), L3 (what failed is tried again), L4 (groups go home).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::cluster::{AutoFailback, GroupState, OnStartFailure, Report, Request, Response};
use crate::haresources::Verb;

use super::super::{Intervention, Observation, Observed};
use super::calm::Stamp;
use super::{Calm, Promise, Said, Snapshot, Truth};

/// What L1 and L3 add to the times they name.
const MARGIN: Duration = Duration::from_secs(2);
/// A failed group is tried again after this; its home node first, the other a tenth later, both asked each tenth.
const RETRIED_AFTER: Duration = Duration::from_secs(720);
/// What L4 adds.
const HOME_MARGIN: Duration = Duration::from_secs(10);

/// What is remembered of one group.
#[derive(Clone, Debug, Default)]
struct GroupMemory {
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
    groups: BTreeMap<String, GroupMemory>,
}

impl Service {
    pub(super) fn look(&mut self, snapshot: &Snapshot<'_>, truth: &Truth, calm: &Calm, said: &mut Said) {
        for observation in snapshot.observations {
            self.learn(snapshot, calm, observation);
        }
        if snapshot.pair.hosts.iter().any(|host| host.manual.is_some()) {
            return;
        }
        let keys: BTreeSet<String> =
            snapshot.views.iter().flatten().flat_map(|v| &v.groups).map(|g| g.key.clone()).collect();
        for key in keys {
            let memory = self.groups.entry(key.clone()).or_default();
            memory.ask_somewhere(snapshot, truth, calm, &key, said);
            memory.ask_again(snapshot, truth, calm, &key, said);
            memory.ask_home(snapshot, truth, calm, &key, said);
        }
    }

    fn learn(&mut self, snapshot: &Snapshot<'_>, calm: &Calm, observation: &Observation) {
        let (Some(node), now) = (observation.node, calm.stamp(snapshot.now)) else { return };
        match &observation.what {
            Observed::Ran(call, _) if call.verb != Verb::Stop => {
                let memory = self.groups.entry(snapshot.key_of(node, &call.resource.word)).or_default();
                memory.tried = now;
                memory.due.take_if(|due| call.verb == Verb::Start || due.1 == node);
            }
            Observed::Said(Report::NodeDead { node: gone, .. } | Report::ShutdownNotice { node: gone })
                if snapshot.pair.node(gone).is_some() =>
            {
                self.failed_are_due(snapshot, now, observation, "the other node is gone");
                for (key, memory) in &mut self.groups {
                    memory.displaced |= snapshot.group(node, key).is_some_and(|group| group.owner == *gone);
                }
            }
            Observed::Said(Report::NodeReturned { .. } | Report::FencingCancelled { .. }) => {
                self.groups.values_mut().for_each(|memory| {
                    memory.due.take_if(|due| due.1 == node && due.2 == "the other node is gone");
                })
            }
            Observed::Said(Report::Reconfigured { .. }) => {
                self.failed_are_due(snapshot, now, observation, "the files were reread")
            }
            Observed::Asked(Request::Retry(word)) => {
                let key = snapshot.key_of(node, word);
                if snapshot.state(node, &key).is_some() {
                    self.groups.entry(key).or_default().due = Some((now, node, "retry was asked"));
                }
            }
            Observed::Replied(Response::Refused(_)) => {
                self.groups.values_mut().for_each(|memory| {
                    memory.due.take_if(|due| due.2 == "retry was asked");
                });
            }
            Observed::Said(Report::WantsStandby { .. } | Report::GroupFailed { .. } | Report::GroupGivenUp { .. })
            | Observed::Asked(_) => {
                // What a hand-over has moved stays where it was put; a failback begins with another report.
            }
            _ => {}
        }
        // Nor is it known why a group is where it is when the last word of it in its notes is lost.
        if matches!(&observation.what, Observed::Asked(Request::Standby(_) | Request::Takeover(_) | Request::Move(..)))
            || matches!(&observation.what, Observed::Intervention(Intervention::Fifo(_) | Intervention::Notes(_)))
        {
            self.groups.values_mut().for_each(|memory| memory.displaced = false);
        }
    }

    fn failed_are_due(&mut self, snapshot: &Snapshot<'_>, now: Stamp, observation: &Observation, why: &'static str) {
        let Some(node) = observation.node else { return };
        // By its own clock, which may be behind.
        let at = observation.at.before(snapshot.now.since(snapshot.pair.moment_of(node).mono));
        let groups = snapshot.views[node].iter().flat_map(|view| &view.groups);
        for group in groups.filter(|group| group.state == GroupState::Failed && group.since <= at) {
            self.groups.entry(group.key.clone()).or_default().due = Some((now, node, why));
        }
    }
}

fn is_on(snapshot: &Snapshot<'_>, node: usize) -> bool {
    snapshot.views[node].is_some()
}

/// Whether all of a group runs on a node, and is not a lie.
fn runs_on(snapshot: &Snapshot<'_>, truth: &Truth, node: usize, key: &str) -> bool {
    let words =
        (0..2).find_map(|any| snapshot.group(any, key)).map(|group| group.resources.clone()).unwrap_or_default();
    let running = &snapshot.pair.hosts[node].running;
    words.iter().all(|word| truth.may_run(node).contains_key(word) || running.contains(word))
}

fn is_lie(snapshot: &Snapshot<'_>, truth: &Truth, key: &str) -> bool {
    let mut words = (0..2).filter_map(|any| snapshot.group(any, key)).flat_map(|group| &group.resources);
    words.any(|word| truth.is_liar(word))
}

impl GroupMemory {
    /// Why it may run nowhere.
    fn may_be_missing(snapshot: &Snapshot<'_>, key: &str) -> bool {
        let states: Vec<GroupState> = (0..2).filter_map(|node| snapshot.state(node, key)).collect();
        // Who is leaving takes nothing.
        let stays_on = |node: &usize| snapshot.views[*node].as_ref().is_some_and(|view| !view.leaving);
        let on = (0..2).filter(stays_on).count();
        let know = (0..2).filter(stays_on).filter(|node| snapshot.state(*node, key).is_some()).count();
        let failed = states.iter().filter(|state| **state == GroupState::Failed).count();
        let stays = (0..2).any(|node| {
            snapshot.state(node, key) == Some(GroupState::Failed)
                && snapshot.pair.in_force(node).on_start_failure == OnStartFailure::Stay
        });
        // A group that not every node knows that stays is being brought in or taken out. An original speaks of whole sides.
        let unknown = |node: usize| {
            let host = &snapshot.pair.hosts[node];
            host.original.is_some() && host.groups.iter().all(|group| group.key() != key)
        };
        know < on || (0..2).any(unknown) || failed == on || stays || states.contains(&GroupState::Blocked)
    }

    fn ask_somewhere(&mut self, snapshot: &Snapshot<'_>, truth: &Truth, calm: &Calm, key: &str, said: &mut Said) {
        let up = (0..2).any(|node| runs_on(snapshot, truth, node, key));
        let fine = calm.still();
        let leaving = snapshot.views.iter().flatten().all(|view| view.leaving);
        let explained = up
            || leaving
            || truth.is_stuck()
            || truth.is_claimed_by_an_original(snapshot.pair, key)
            || GroupMemory::may_be_missing(snapshot, key)
            || is_lie(snapshot, truth, key);
        let (Some(fine), false) = (fine, explained) else {
            self.missing = None;
            return;
        };
        let since = (*self.missing.get_or_insert(calm.stamp(snapshot.now))).max(fine);
        let from = (since.at + snapshot.deadtime()).max(calm.explained_until(snapshot));
        if snapshot.now > from + calm.scripts(since) + MARGIN + snapshot.pair.patience_with_originals() {
            let what = format!("group {key} runs on no node since {}: {}", since.at, states(snapshot, key));
            said.push((Promise::L1, key.to_owned(), what));
        }
    }

    fn ask_again(&mut self, snapshot: &Snapshot<'_>, truth: &Truth, calm: &Calm, key: &str, said: &mut Said) {
        let Some(fine) = calm.awake() else { return };
        let up = (0..2).any(|node| runs_on(snapshot, truth, node, key));
        let stays = (0..2).any(|node| snapshot.pair.in_force(node).on_start_failure == OnStartFailure::Stay);
        let blocked = (0..2).any(|node| snapshot.state(node, key) == Some(GroupState::Blocked));
        let nobody = (0..2).all(|node| !is_on(snapshot, node));
        // Who believes a script that lied does not start what seems to run.
        let held = (0..2).any(|node| snapshot.state(node, key) == Some(GroupState::Held));
        if up || blocked || nobody || truth.is_stuck() || held && is_lie(snapshot, truth, key) {
            self.tried = calm.stamp(snapshot.now);
            self.due = None;
            return;
        }
        let explained = calm.explained_until(snapshot).before(snapshot.deadtime()).max(calm.fenced_until(snapshot));
        if let Some((at, node, why)) = self.due
            && snapshot.state(node, key) == Some(GroupState::Failed)
            && !snapshot.views[node].as_ref().is_some_and(|view| view.leaving)
            && snapshot.now > at.max(fine).at.max(explained) + calm.scripts(at.max(fine)) + MARGIN
        {
            let what = format!("{} was not tried again on {} although {why} at {}", key, snapshot.name(node), at.at);
            said.push((Promise::L3, format!("{key} {why}"), what));
        }
        let failed = (0..2).any(|node| snapshot.state(node, key) == Some(GroupState::Failed));
        if failed
            && !stays
            && snapshot.now.since(self.tried.max(fine).at) > RETRIED_AFTER + calm.scripts(self.tried.max(fine)) + MARGIN
        {
            let what =
                format!("{key} failed and was not tried again since {}: {}", self.tried.at, states(snapshot, key));
            said.push((Promise::L3, format!("{key} in time"), what));
        }
    }

    fn ask_home(&mut self, snapshot: &Snapshot<'_>, truth: &Truth, calm: &Calm, key: &str, said: &mut Said) {
        let home = (0..2).filter_map(|any| snapshot.group(any, key)).find_map(|group| snapshot.pair.node(&group.owner));
        // What was at home, or failed there, is where it is for another reason.
        let was_at_home =
            |home| runs_on(snapshot, truth, home, key) || snapshot.state(home, key) == Some(GroupState::Failed);
        self.displaced &= !home.is_some_and(was_at_home);
        let (Some(home), Some(fine)) = (home, calm.still()) else {
            self.could_go = None;
            return;
        };
        let away = runs_on(snapshot, truth, 1 - home, key) && snapshot.state(1 - home, key) == Some(GroupState::Held);
        let on = (0..2).all(|node| snapshot.mode(node) == AutoFailback::On);
        let able = snapshot.state(home, key) == Some(GroupState::Free)
            && snapshot.pair.hosts[home].cluster.as_ref().is_some_and(|cluster| cluster.is_active())
            && snapshot.views.iter().flatten().all(|view| !view.leaving)
            && snapshot.pair.scripts_work(home, key);
        if !(away && on && able && self.displaced) {
            self.could_go = None;
            return;
        }
        let since = (*self.could_go.get_or_insert(calm.stamp(snapshot.now))).max(fine);
        let delays = snapshot.pair.settings.iter().map(|settings| settings.failback_delay);
        let delay = delays.max().unwrap_or_default();
        if snapshot.now.since(since.at) > snapshot.deadtime() + delay + calm.scripts(since) + HOME_MARGIN {
            let what = format!(
                "{key} is not at home on {} although it could go there since {}",
                snapshot.name(home),
                since.at
            );
            said.push((Promise::L4, key.to_owned(), what));
        }
    }
}

fn states(snapshot: &Snapshot<'_>, key: &str) -> String {
    let of = |node: usize| match snapshot.state(node, key) {
        Some(state) => format!("{} on {}", state.as_str(), snapshot.name(node)),
        None => format!("{} is off", snapshot.name(node)),
    };
    format!("{}, {}", of(0), of(1))
}

impl super::SimulatedPair {
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
