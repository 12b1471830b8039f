//! Since when all is well enough that a promise is asked: the media both ways, one way, daemons that do not stand still.
//!
//! A core that is killed and back in time, and a standstill too short for a death, end no calm: neither is an excuse.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::cluster::{Report, Settings, Status, phrases};
use crate::haresources::{ResourceGroup, Verb};
use crate::time::Mono;

use super::super::pending::PendingKind;
use super::super::{Behaviour, Intervention, Observed, SimulatedPair};
use super::Snapshot;

/// Rarer than this a deadtime of silence by chance is nobody's fault.
const CHANCE: f64 = 1e-9;
/// Slower than this a medium is of no use to a hand-over.
const LATE: Duration = Duration::from_secs(1);
/// A fencing device that failed is used again after five seconds.
const FENCE_ROUND: Duration = Duration::from_secs(6);
const WITH_ORIGINALS: Duration = Duration::from_secs(75);
/// What a script takes that is not slow, at the most.
const USUAL: Duration = Duration::from_millis(25);

/// A moment, and for how long scripts had been at work until then.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Stamp {
    pub(super) at: Mono,
    busy: Duration,
}

/// The clocks.
#[derive(Clone, Debug, Default)]
pub(super) struct Calm {
    both_ways: Option<Stamp>,
    /// The same, and no core is away or stands still for a moment.
    still: Option<Stamp>,
    one_way: Option<Stamp>,
    heard_each_other: bool,
    awake: [Option<Stamp>; 2],
    /// For how long anything has been started or stopped, or waited for its turn.
    busy: Duration,
    was_busy: bool,
    last: Mono,
    /// How long each script could take, at the worst.
    longest: BTreeMap<(usize, String, Verb), Duration>,
    /// Who left in order has nothing to answer for any more.
    left: [bool; 2],
    lags: [Duration; 2],
    /// For what a start has to be waited for longer.
    lagged: Duration,
    /// When a node last died, started or left.
    stirred: Mono,
    came_or_went: Mono,
    lives: [u64; 2],
    /// When each core that is there began its life, and when it began to listen: who cleans up hears nobody.
    began: [Stamp; 2],
    listens: [Mono; 2],
    was_on: [bool; 2],
    /// The longest patience each ever asked for.
    asked_most: [Duration; 2],
    /// When each had last spoken at the last look: while all stand still nobody looks.
    said: [Mono; 2],
    /// When a fencing device was last at work, or failed.
    fencing: Mono,
}

fn keep(clock: &mut Option<Stamp>, now: Stamp, holds: bool) -> bool {
    let held = clock.is_some();
    *clock = holds.then(|| clock.unwrap_or(now));
    held != holds
}

impl Calm {
    /// Looks how things are; whether anything has changed.
    pub(super) fn observe(&mut self, pair: &SimulatedPair, now: Mono) -> bool {
        if self.was_busy {
            self.busy += now.since(self.last);
        }
        let looked = std::mem::replace(&mut self.last, now);
        // Who looks what runs, because its notes were lost, stops it after that.
        let works = |cluster: &crate::cluster::Cluster| cluster.is_moving() || cluster.is_looking_around();
        let moves = pair.hosts.iter().any(|host| host.cluster.as_ref().is_some_and(works));
        self.was_busy = moves || pair.moves_anything();
        if pair.is_fencing() {
            self.fencing = now;
        }
        for (known, host) in self.lags.iter_mut().zip(&pair.hosts) {
            // A clock that stood still is waited for.
            let longer = host.lag.saturating_sub(std::mem::replace(known, host.lag));
            self.lagged += longer;
            self.stirred = if longer.is_zero() { self.stirred } else { now + longer };
        }
        let stamp = self.stamp(now);
        let works = [0, 1].map(|from| pair.reaches(from));
        for node in 0..2 {
            self.left[node] &= pair.hosts[node].cluster.is_none();
        }
        for node in 0..2 {
            let is_on = pair.hosts[node].cluster.is_some();
            let was_on = std::mem::replace(&mut self.was_on[node], is_on);
            if is_on && (!was_on || self.lives[node] != pair.hosts[node].life) {
                self.began[node] = self.stamp(now);
                self.listens[node] = now;
            }
        }
        let hears = |node: usize| self.listens[1 - node] < pair.hosts[node].said.0;
        let said = self.said;
        let slept = |node: usize| {
            let until = pair.hosts[node].stalled_until;
            until > looked && !pair.is_short(node, until.since(said[node].min(pair.hosts[node].said.0)))
        };
        let awake =
            [0, 1].map(|node| self.left[node] || pair.is_awake(node, hears(node), self.began[node].at) && !slept(node));
        self.said = [0, 1].map(|node| pair.hosts[node].said.0);
        let mut changed = false;
        for (node, is_awake) in awake.into_iter().enumerate() {
            changed |= keep(&mut self.awake[node], stamp, is_awake);
            if self.lives[node] != pair.hosts[node].life {
                self.lives[node] = pair.hosts[node].life;
                self.stirred = now;
                changed = true;
            }
        }
        self.asked_most = [0, 1].map(|node| self.asked_most[node].max(pair.hosts[node].said.1));
        let well = awake == [true, true];
        let hear_each_other = pair.hear_each_other();
        if std::mem::replace(&mut self.heard_each_other, hear_each_other) && !hear_each_other {
            // Who is deaf from here on is deaf anew, and does not know it before a deadtime is over.
            let deadtime = [0, 1].map(|node| pair.in_force(node).deadtime);
            let later = Stamp { at: now + deadtime[0].max(deadtime[1]), ..stamp };
            self.one_way = self.one_way.map(|since| since.max(later));
        }
        changed |= keep(&mut self.both_ways, stamp, well && pair.hear_each_other());
        let present = (0..2).all(|node| self.left[node] || pair.is_present(node, looked));
        keep(&mut self.still, stamp, well && present && pair.hear_each_other());
        // An original lets go of nothing, whatever it hears.
        let ours_hears = |from: usize| works[from] && pair.hosts[1 - from].original.is_none();
        changed |= keep(&mut self.one_way, stamp, well && present && (0..2).any(ours_hears));
        changed
    }

    /// Reads what happened.
    pub(super) fn follow(&mut self, snapshot: &Snapshot<'_>) {
        for node in 0..2 {
            for (word, verb, time) in snapshot.pair.scripts_of(node) {
                let longest = self.longest.entry((node, word, verb)).or_default();
                *longest = time.max(*longest);
            }
        }
        for observation in snapshot.observations {
            match &observation.what {
                Observed::Fenced { .. } => self.fencing = snapshot.now,
                // While it stops what a predecessor left it has not started yet.
                Observed::Said(Report::LocalStatus(Status::Up)) => {
                    self.came_or_went = self.came_or_went.max(snapshot.now);
                    observation.node.into_iter().for_each(|node| self.listens[node] = snapshot.now);
                }
                // Somebody spoke in the name of a node, with the patience it had asked for.
                Observed::Intervention(Intervention::Replayed) => {
                    let patience = snapshot.pair.hosts.iter().map(|host| host.said.1).max().unwrap_or_default();
                    self.came_or_went = self.came_or_went.max(snapshot.now + patience);
                }
                Observed::Intervention(intervention) if intervention.starts_a_daemon() => {
                    self.came_or_went = self.came_or_went.max(snapshot.now)
                }
                // An original that restarts itself starts anew.
                Observed::Logged(text) if text == phrases::RESTARTS_ITSELF => {
                    self.came_or_went = self.came_or_went.max(snapshot.now)
                }
                Observed::Intervention(_)
                | Observed::IpfailLogged(_)
                | Observed::Logged(_)
                | Observed::Asked(_)
                | Observed::Remark(_)
                | Observed::Cut(_)
                | Observed::Chapter(_)
                | Observed::Met(_)
                | Observed::Unmet(_)
                | Observed::Moved { .. }
                | Observed::Sent(_)
                | Observed::Ran(..)
                | Observed::Said(_)
                | Observed::Replied(_)
                | Observed::Announced(_)
                | Observed::Cancelled => {}
            }
        }
        self.came_or_went += std::mem::take(&mut self.lagged);
    }

    /// A node leaves in order.
    pub(super) fn leave(&mut self, node: usize) {
        self.left[node] = true;
    }

    /// A node lost its power.
    pub(super) fn stir(&mut self, now: Mono) {
        self.stirred = now;
    }

    /// When the core of a node began its life.
    pub(super) fn began(&self, node: usize) -> Stamp {
        self.began[node]
    }

    /// The same without what has been at work since.
    pub(super) fn begun(&self, node: usize) -> Mono {
        self.began[node].at
    }

    /// When a node last died, started or left.
    pub(super) fn last_stirred(&self) -> Mono {
        self.stirred
    }

    /// Since when both nodes hear each other, and no daemon is away or stands still, not even for a moment.
    pub(super) fn still(&self) -> Option<Stamp> {
        self.still
    }

    /// Since when both nodes hear each other, and no daemon is away or stands still for long enough to be called dead.
    pub(super) fn both_ways(&self) -> Option<Stamp> {
        self.both_ways
    }

    /// Since when at least one of them hears the other.
    pub(super) fn one_way(&self) -> Option<Stamp> {
        self.one_way
    }

    /// Since when neither daemon stands still.
    pub(super) fn awake(&self) -> Option<Stamp> {
        Some(self.awake[0]?.max(self.awake[1]?))
    }

    /// Since when this daemon does not stand still.
    pub(super) fn is_awake_since(&self, node: usize) -> Option<Stamp> {
        self.awake[node]
    }

    /// From when on a death, a start or a fencing explains that something runs nowhere no longer.
    pub(super) fn explained_until(&self, snapshot: &Snapshot<'_>) -> Mono {
        let initdead = (0..2).map(|node| snapshot.pair.in_force(node).initdead).max().unwrap_or_default();
        // Who went without a farewell is waited for as long as he asked for.
        let gone = |node: usize| !snapshot.pair.is_on(node) && !self.left[node];
        let asked = |node: usize| snapshot.pair.hosts[node].said.0 + snapshot.pair.hosts[node].said.1;
        // As far as the other heard him.
        let borne = |node: usize| {
            let of_him = snapshot.other(1 - node);
            of_him.and_then(|n| n.last_heard.map(|ago| snapshot.now.before(ago) + n.deadtime)).unwrap_or_default()
        };
        // A successor knows for how long, but not since when.
        let anew = |node: usize| {
            let patience = self.asked_most[node].max(snapshot.deadtime());
            self.begun(1 - node) + patience
        };
        let until = |node: usize| asked(node).max(borne(node)).max(anew(node));
        let patience = (0..2).filter(|node| gone(*node)).map(until).max().unwrap_or_default();
        let stirred = self.stirred + snapshot.deadtime();
        stirred
            .max(self.came_or_went + initdead)
            .max(self.fenced_until(snapshot))
            .max(patience + snapshot.keepalive() * 2)
    }

    /// From when on nothing waits for a fencing device any more.
    pub(super) fn fenced_until(&self, snapshot: &Snapshot<'_>) -> Mono {
        let broken = snapshot.pair.fence_failures > 0 || snapshot.pair.fence_hangs;
        let fencing = if broken { snapshot.now } else { self.fencing };
        if self.fencing == Mono::ZERO { Mono::ZERO } else { fencing + FENCE_ROUND }
    }

    /// The present moment.
    pub(super) fn stamp(&self, now: Mono) -> Stamp {
        Stamp { at: now, busy: self.busy }
    }

    /// For how long scripts have been at work since then: that is what they had to be waited for. At most as long as all
    /// that may have to run can take, one after the other, and before them one that was at work already.
    pub(super) fn scripts(&self, since: Stamp) -> Duration {
        let longest = self.longest.values().max().copied().unwrap_or_default();
        self.busy.saturating_sub(since.busy).min(longest + self.longest.values().sum::<Duration>())
    }
}

impl SimulatedPair {
    /// Whether a node's messages reach the other in the long run, whatever is lost by chance.
    pub(super) fn reaches(&self, from: usize) -> bool {
        let ways = self.cables.iter().zip(self.media()).filter(|(_, medium)| medium.ping_node.is_none());
        let ways = ways.map(|(cable, _)| &cable[from]);
        if ways.clone().any(|way| way.works() && way.delay <= LATE && way.loss == 0) {
            return true;
        }
        let lost = ways.filter(|way| way.works() && way.delay <= LATE).map(|way| chance_of(way.loss)).sum::<f64>();
        let beats = self.in_force(from).deadtime.as_secs_f64() / self.in_force(from).keepalive.as_secs_f64();
        lost * beats.floor() < CHANCE.ln()
    }

    /// What a slow medium adds to a dialogue: there and back, and once more for what was lost and is asked for again.
    pub(super) fn legs_on_the_way(&self) -> Duration {
        let quickest = |from: usize| {
            let ways = self.cables.iter().map(|cable| &cable[from]).filter(|way| way.works());
            ways.map(|way| way.delay).min().unwrap_or_default()
        };
        (quickest(0) + quickest(1)) * 2
    }

    /// Whether one medium carries messages both ways, in the long run.
    fn hear_each_other(&self) -> bool {
        self.works_both_ways() && self.reaches(0) && self.reaches(1)
    }

    /// What is added where one waits for the other: an original restarts itself, lets scripts take their time, and drops a
    /// dialogue after ten seconds, several times perhaps.
    pub(super) fn patience_with_originals(&self) -> Duration {
        if self.has_original() { WITH_ORIGINALS } else { Duration::ZERO }
    }

    /// Whether an original is one of the two.
    pub(super) fn has_original(&self) -> bool {
        self.hosts.iter().any(|host| host.original.is_some())
    }

    /// Whether a start script of this resource is at work on a node.
    pub(super) fn may_come_up(&self, node: usize, word: &str) -> bool {
        self.queue.values().filter(|pending| pending.node == node).any(|pending| match &pending.what {
            PendingKind::ScriptEnds { word: known, verb: Verb::Start, .. } => known == word,
            _ => false,
        })
    }

    /// Whether a device is at work.
    fn is_fencing(&self) -> bool {
        self.queue.values().any(|pending| matches!(pending.what, PendingKind::FenceEnds { .. }))
    }

    /// Whether anything is being started or stopped.
    fn moves_anything(&self) -> bool {
        let moves = |what: &PendingKind| matches!(what, PendingKind::ScriptEnds { verb: Verb::Start | Verb::Stop, .. });
        self.queue.values().any(|pending| moves(&pending.what))
    }

    /// Whether any script is at work anywhere.
    pub(super) fn scripts_at_work(&self) -> bool {
        self.queue.values().any(|pending| pending.what.is_script())
    }

    /// Whether every script works, and none is so slow that it is ended before its time.
    pub(super) fn scripts_do_their_work(&self) -> bool {
        let quick = |node: usize, verb: Verb| USUAL + self.scripts.slowness < limit(self.in_force(node), verb);
        let verbs = [Verb::Start, Verb::Stop, Verb::Status];
        self.scripts.all_work() && (0..2).all(|node| verbs.into_iter().all(|verb| quick(node, verb)))
    }

    /// Whether a node's daemon works, is back in time, or has nothing to answer for.
    pub(super) fn is_awake(&self, node: usize, heard: bool, begun: Mono) -> bool {
        let host = &self.hosts[node];
        // More patience than usual was asked of whoever was there to hear it.
        let (silent_since, asked, _) = host.said;
        let patience = if heard { asked } else { asked.min(self.settings[node].deadtime) };
        // Who stops what a predecessor left says nothing before that is done.
        let is_mute = host.cluster.is_some() && silent_since < begun;
        if !self.is_on(node) || is_mute {
            let has_leftovers = !host.begun.is_empty() && host.manual.is_none();
            return !has_leftovers || self.now.since(silent_since) < patience * 4 / 5;
        }
        host.stalled_until <= self.now || self.is_short(node, host.stalled_until.since(silent_since))
    }

    /// Whether nobody can call a node dead that is silent for so long.
    fn is_short(&self, node: usize, silence: Duration) -> bool {
        let keepalive = self.in_force(node).keepalive;
        silence < self.in_force(node).deadtime.saturating_sub(keepalive * 2)
    }

    /// Whether a node's daemon is there and listens, or has nothing to answer for.
    fn is_present(&self, node: usize, looked: Mono) -> bool {
        let host = &self.hosts[node];
        let has_leftovers = !self.is_on(node) && !host.begun.is_empty() && host.manual.is_none();
        // While all stands still nobody looks.
        !has_leftovers && host.stalled_until <= looked
    }

    /// How long every script of a node's groups may take.
    fn scripts_of(&self, node: usize) -> Vec<(String, Verb, Duration)> {
        let of_word = |word: String| {
            let longest = |verb: Verb| longest(self, node, &word, verb);
            // A stop is tried eleven times at most, a second apart, and doubted by a status.
            let stop = match self.scripts.behaviour(node, &word, Verb::Stop).is_some() {
                true => (longest(Verb::Stop) + Duration::from_secs(1)) * 11 + longest(Verb::Status),
                false => longest(Verb::Stop),
            };
            let times =
                [(Verb::Status, longest(Verb::Status)), (Verb::Start, longest(Verb::Start)), (Verb::Stop, stop)];
            times.map(|(verb, time)| (word.clone(), verb, time))
        };
        self.words(node).into_iter().flat_map(of_word).collect()
    }

    fn words(&self, node: usize) -> Vec<String> {
        let of =
            |group: &ResourceGroup| group.resources.iter().map(|resource| resource.word.clone()).collect::<Vec<_>>();
        self.hosts[node].groups.iter().flat_map(of).collect()
    }
}

/// The logarithm of how likely a message is lost.
fn chance_of(loss: u64) -> f64 {
    (f64::from(u32::try_from(loss).unwrap_or(100)) / 100.0).max(1e-12).ln()
}

/// How long a script takes, at the most.
fn longest(pair: &SimulatedPair, node: usize, word: &str, verb: Verb) -> Duration {
    let limit = limit(pair.in_force(node), verb);
    let usual = USUAL + pair.scripts.slowness;
    match pair.scripts.behaviour(node, word, verb) {
        Some(Behaviour::Hangs | Behaviour::Late(_)) => limit,
        Some(Behaviour::Slow(longer)) => limit.min(usual + longer),
        Some(_) | None => limit.min(usual),
    }
}

fn limit(settings: &Settings, verb: Verb) -> Duration {
    match verb {
        Verb::Start => settings.script_timeout.start,
        Verb::Stop => settings.script_timeout.stop,
        Verb::Status => settings.script_timeout.status,
    }
}
