//! Never both: S1, S2, S3, and S10 for the one that overslept.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::cluster::{GroupState, Report};
use crate::time::Mono;

use super::super::{Intervention, Observation, Observed};
use super::calm::Stamp;
use super::{Calm, Promise, Said, Snapshot, Truth};

/// For so long a double is a new one.
const NEW: Duration = Duration::from_millis(1);

/// What S2 adds beside an original, which says to nobody how far it hears him: he has to join, ask, and hear no answer.
const DEAFNESS: Duration = Duration::from_secs(25);

/// A node overslept, and these were taken meanwhile.
#[derive(Clone, Debug)]
struct Overslept {
    node: usize,
    words: Vec<String>,
    woke: Stamp,
}

/// A node that stands still.
#[derive(Clone, Copy, Debug)]
struct Asleep {
    /// When it spoke last.
    since: Mono,
    /// Whether it had heard the other in its life.
    heard: bool,
    /// By how much its clock was behind then.
    lag: Duration,
}

/// What is remembered of doubles and sleepers.
#[derive(Clone, Debug, Default)]
pub(super) struct Owners {
    /// The nodes that stand still.
    asleep: [Option<Asleep>; 2],
    /// When a wall clock was last set.
    clock_set: Option<Mono>,
    overslept: Vec<Overslept>,
    /// When an old message was last said again: whoever is deaf seems to hear for a moment.
    replayed: Stamp,
    /// Since when each double has been one.
    doubled: BTreeMap<String, Stamp>,
}

impl Owners {
    pub(super) fn look(&mut self, snapshot: &Snapshot<'_>, truth: &Truth, calm: &Calm, said: &mut Said) {
        let doubles: Vec<(String, Mono)> = truth.doubles().map(|(word, since)| (word.clone(), since)).collect();
        self.ask_never_both(snapshot, truth, calm, &doubles, said);
        self.ask_sleepers(snapshot, truth, calm, &doubles, said);
        self.doubled.retain(|word, _| doubles.iter().any(|(double, _)| double == word));
    }

    fn ask_never_both(
        &mut self,
        snapshot: &Snapshot<'_>,
        truth: &Truth,
        calm: &Calm,
        doubles: &[(String, Mono)],
        said: &mut Said,
    ) {
        if snapshot
            .observations
            .iter()
            .any(|observation| observation.what == Observed::Intervention(Intervention::Replayed))
        {
            self.replayed = calm.stamp(snapshot.now);
        }
        let fenced = (0..2).all(|node| !snapshot.pair.in_force(node).fences.is_empty());
        let patience = snapshot.deadtime() + snapshot.keepalive() * 3;
        for (word, since) in doubles {
            let mut begun = *self.doubled.entry(word.clone()).or_insert_with(|| calm.stamp(*since));
            // An original lets go of nothing.
            let stays = |node: usize| is_blocked(snapshot, node, word) || snapshot.pair.hosts[node].original.is_some();
            let any_blocked = (0..2).any(|node| is_blocked(snapshot, node, word));
            let nobody_can_stop = truth.is_stuck() || any_blocked && (0..2).all(stays);
            if nobody_can_stop || only_deaf_could_stop(snapshot, word) {
                begun = calm.stamp(snapshot.now);
                self.doubled.insert(word.clone(), begun);
            }
            let on_both = format!("{} runs on {} and {} since {since}", word, snapshot.name(0), snapshot.name(1));
            if fenced && by_ours(snapshot, truth, word) {
                let what = format!("{on_both}, although a silent node is fenced");
                said.push((Promise::S3, word.clone(), what));
            }
            let long =
                |stamp: Stamp, more: Duration| snapshot.now.since(stamp.at) > patience + more + calm.scripts(stamp);
            // A new one is not even excused by a core that was away for a moment.
            let is_new = snapshot.now.since(*since) < NEW;
            let fine = if is_new { calm.both_ways() } else { calm.still() };
            // Of two lives in one generation the words of the first are still on their way, and look like the second's.
            let again =
                |node: usize| if snapshot.pair.hosts[node].went_back { calm.began(node) } else { Stamp::default() };
            let fine = fine.map(|fine| fine.max(again(0)).max(again(1)));
            if let Some(fine) =
                fine.filter(|fine| !nobody_can_stop && long(*fine, Duration::ZERO) && by_ours(snapshot, truth, word))
            {
                let what = format!("{on_both}, although all has been well since {}", fine.at);
                said.push((Promise::S1, word.clone(), what));
            }
            // Who counts from a lower number than before must hear a question to prove that he lives.
            let believed = snapshot.pair.hosts.iter().all(|host| !host.went_back);
            let fine = if believed { calm.one_way() } else { calm.both_ways() };
            // Whether the other is deaf each core has to find out anew.
            let begun = begun.max(calm.began(0)).max(calm.began(1)).max(self.replayed);
            // An original says to nobody how far it hears him.
            let later = if snapshot.pair.has_original() { DEAFNESS } else { Duration::ZERO };
            if let Some(fine) = fine.filter(|fine| long((*fine).max(begun), later)) {
                let what = format!("{on_both}, although one node has heard the other since {}", fine.at);
                said.push((Promise::S2, word.clone(), what));
            }
        }
    }

    fn ask_sleepers(
        &mut self,
        snapshot: &Snapshot<'_>,
        truth: &Truth,
        calm: &Calm,
        doubles: &[(String, Mono)],
        said: &mut Said,
    ) {
        let sets =
            |observation: &Observation| matches!(&observation.what, Observed::Intervention(Intervention::ClockSet(_)));
        if snapshot.observations.iter().any(sets) {
            self.clock_set = Some(snapshot.now);
        }
        for node in 0..2 {
            let host = &snapshot.pair.hosts[node];
            if host.stalled_until > snapshot.now && host.cluster.is_some() {
                let heard = snapshot.other(node).is_some_and(|other| other.last_heard.is_some());
                self.asleep[node].get_or_insert(Asleep { since: host.said.0, heard, lag: host.said.2 });
                continue;
            }
            let Some(sleep) = self.asleep[node].take() else { continue };
            let long = snapshot.now.since(sleep.since) > snapshot.deadtime();
            if long && host.cluster.is_some() && self.can_be_told(snapshot, node, sleep) {
                self.wake(snapshot, truth, calm, node, sleep.since, doubles);
            }
        }
        let heard = calm.both_ways();
        self.overslept.retain(|sleeper| {
            let well = heard.is_some() && snapshot.pair.hosts.iter().all(|host| host.cluster.is_some());
            well && doubles.iter().any(|(word, _)| sleeper.words.contains(word))
        });
        let late = |sleeper: &Overslept| {
            snapshot.now.since(sleeper.woke.at) > snapshot.keepalive() * 3 + calm.scripts(sleeper.woke)
        };
        for sleeper in &mut self.overslept {
            // Without its notes it has to ask first what runs there.
            let asks = snapshot.views[sleeper.node].as_ref().is_some_and(|view| !view.stable);
            if asks && snapshot.pair.scripts_at_work() {
                sleeper.woke = calm.stamp(snapshot.now);
            }
        }
        for sleeper in &self.overslept {
            judge(snapshot, sleeper, late(sleeper), doubles, said);
        }
        self.overslept.retain(|sleeper| !late(sleeper));
    }

    /// Whether it can be known that this node is the one that slept.
    fn can_be_told(&self, snapshot: &Snapshot<'_>, node: usize, sleep: Asleep) -> bool {
        let Asleep { since, heard, lag } = sleep;
        let other = 1 - node;
        // A taker that slept as well may have done so after it took.
        let slept_too = snapshot.pair.hosts[other].stalled_until >= since;
        let frozen = snapshot.pair.hosts[node].lag.saturating_sub(lag);
        let by_its_clock = snapshot.now.since(since).saturating_sub(frozen) > snapshot.deadtime();
        // Whose clocks stood still can learn that from the other's wall clock only, if he knew it before.
        let set = self.clock_set.is_some_and(|at| at >= since.before(snapshot.deadtime()));
        // It tells whole seconds only, and less than two of them prove nothing.
        let second = Duration::from_secs(1);
        let enough = snapshot.deadtime().saturating_sub(snapshot.keepalive() + second).max(second * 2) + second;
        let by_the_others = heard && !set && frozen >= enough + snapshot.keepalive();
        !slept_too && (by_its_clock || by_the_others)
    }

    fn wake(
        &mut self,
        snapshot: &Snapshot<'_>,
        truth: &Truth,
        calm: &Calm,
        node: usize,
        since: Mono,
        doubles: &[(String, Mono)],
    ) {
        let other = 1 - node;
        let taken = |word: &&String| truth.may_run(other).get(*word).is_some_and(|begun| *begun > since);
        let words: Vec<String> = doubles.iter().map(|(word, _)| word).filter(taken).cloned().collect();
        if !words.is_empty() && snapshot.pair.hosts[other].cluster.is_some() {
            self.overslept.push(Overslept { node, words, woke: calm.stamp(snapshot.now) });
        }
    }
}

/// Whether a double was made by a node of ours: what an original starts beside us is not ours to answer for.
fn by_ours(snapshot: &Snapshot<'_>, truth: &Truth, word: &str) -> bool {
    let since = |node: usize| truth.may_run(node).get(word).copied().unwrap_or_default();
    let last = usize::from(since(1) >= since(0));
    snapshot.pair.hosts[last].manual.is_none() && snapshot.pair.hosts[last].original.is_none()
}

fn is_blocked(snapshot: &Snapshot<'_>, node: usize, word: &str) -> bool {
    snapshot.state(node, &snapshot.key_of(node, word)) == Some(GroupState::Blocked)
}

/// Whether one node alone hears the other, and cannot stop what runs on both: nothing tells the other, which could.
fn only_deaf_could_stop(snapshot: &Snapshot<'_>, word: &str) -> bool {
    (0..2).any(|node| is_blocked(snapshot, node, word) && !snapshot.pair.reaches(node))
}

fn judge(snapshot: &Snapshot<'_>, sleeper: &Overslept, late: bool, doubles: &[(String, Mono)], said: &mut Said) {
    let (node, other) = (sleeper.node, 1 - sleeper.node);
    let (sleeping, taker) = (snapshot.name(node), snapshot.name(other));
    for observation in snapshot.observations {
        if let Observed::Said(Report::PartitionLetGo { group }) = &observation.what
            && observation.node == Some(other)
            && sleeper.words.iter().any(|word| snapshot.key_of(other, word) == *group)
            // What cannot be stopped stays where it is.
            && snapshot.state(node, group) != Some(GroupState::Blocked)
        {
            let what = format!(
                "{taker} lets go of {group}, which it took while {sleeping} stood still for longer than deadtime"
            );
            said.push((Promise::S10, group.clone(), what));
        }
    }
    if late {
        let runs_on = |word: &&String| {
            doubles.iter().any(|(double, _)| double == *word)
                && snapshot.state(node, &snapshot.key_of(node, word)) != Some(GroupState::Blocked)
        };
        for word in sleeper.words.iter().filter(runs_on) {
            let what = format!("{sleeping} woke and still runs {word}, which {taker} took meanwhile");
            said.push((Promise::S10, word.clone(), what));
        }
    }
}
