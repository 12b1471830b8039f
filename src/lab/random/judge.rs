//! Whether the promises of `takeover.md` 0 were kept, judged by a list of facts alone. Pure.
//!
//! Each promise has a clock of its own, and nothing else excuses: a clock begins anew with what its promise names as an
//! excuse. Time in which a script is at work, and time in which the machine ran nothing, is waited for; the order of things
//! is never excused. `owners` asks S1 to S3 and S8, `evidence` S5 to S7, `service` L1, L2 and L6.

mod evidence;
mod may_run;
mod owners;
mod service;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use super::fact::{Daemon, Fact, Things, TimedFact};
use crate::time::Mono;

use evidence::Evidence;
use may_run::MayRun;
use owners::Owners;
use service::ServiceJudge;

/// What the lab was built of, as far as a judge must know.
#[derive(Clone, Debug)]
pub(super) struct Bounds {
    pub(super) names: [String; 2],
    pub(super) deadtime: Duration,
    pub(super) keepalive: Duration,
    pub(super) initdead: Duration,
    /// After how long a script is killed.
    pub(super) script_limit: Duration,
    pub(super) groups: Vec<JudgedGroup>,
    /// Whether each node can switch the other off.
    pub(super) fenced: bool,
    /// The node that is not ours to answer for.
    pub(super) original: Option<usize>,
}

/// A group and those of its resources whose scripts write lines.
#[derive(Clone, Debug)]
pub(super) struct JudgedGroup {
    pub(super) key: String,
    /// The node it belongs to.
    pub(super) owner: usize,
    pub(super) resources: Vec<String>,
}

/// A promise that was not kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct BrokenPromise {
    pub(super) promise: &'static str,
    /// Whom it is about: each is complained of once until it is over.
    about: String,
    pub(super) at: Mono,
    pub(super) what: String,
}

impl fmt::Display for BrokenPromise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {}: {}", self.promise, self.at, self.what)
    }
}

/// Every promise that these facts break, in their order.
pub(super) fn judge(bounds: &Bounds, facts: &[TimedFact]) -> Vec<BrokenPromise> {
    let mut judging = Judge::new();
    facts.iter().for_each(|timed| judging.hear(bounds, timed));
    judging.broken
}

/// A moment, and how much of the time until then does not count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Stamp {
    at: Mono,
    busy: Duration,
}

/// Since when things are well enough.
#[derive(Clone, Debug)]
struct Clocks {
    now: Mono,
    /// For how long a script has been at work, or the machine stood still.
    busy: Duration,
    things: Things,
    /// Since when each daemon is what it is.
    since: [Stamp; 2],
    both_ways: Option<Stamp>,
    /// The same, and no daemon is away even for a moment.
    still: Option<Stamp>,
    one_way: Option<Stamp>,
    /// The same as `still`, and scripts do what they are told.
    all_well: Option<Stamp>,
    awake: [Option<Stamp>; 2],
    /// When a core last died: its successor does not know yet whom it had called dead.
    core_died: Option<Stamp>,
}

struct Judge {
    clocks: Clocks,
    may_run: MayRun,
    owners: Owners,
    evidence: Evidence,
    service: ServiceJudge,
    known: BTreeSet<(&'static str, String)>,
    broken: Vec<BrokenPromise>,
}

/// What is known when a fact is judged.
struct Circumstances<'a> {
    bounds: &'a Bounds,
    clocks: &'a Clocks,
    may_run: &'a MayRun,
    timed: &'a TimedFact,
}

/// What a fact breaks: the promise, whom it is about, the sentence.
type BrokenHere = Vec<(&'static str, String, String)>;

impl Judge {
    fn new() -> Judge {
        Judge {
            clocks: Clocks::new(),
            may_run: MayRun::default(),
            owners: Owners::default(),
            evidence: Evidence::default(),
            service: ServiceJudge::default(),
            known: BTreeSet::new(),
            broken: Vec::new(),
        }
    }

    fn hear(&mut self, bounds: &Bounds, timed: &TimedFact) {
        self.clocks.pass(timed.at, self.may_run.is_busy(bounds, timed.at));
        let mut said = Vec::new();
        {
            let around = Circumstances { bounds, clocks: &self.clocks, may_run: &self.may_run, timed };
            // What is asked about a fact before it counts.
            self.evidence.before(&around, &mut said);
        }
        self.may_run.take(timed);
        self.clocks.take(bounds, &self.may_run, timed);
        let around = Circumstances { bounds, clocks: &self.clocks, may_run: &self.may_run, timed };
        self.owners.take(&around, &mut said);
        self.evidence.take(&around, &mut said);
        self.service.take(&around, &mut said);
        for (promise, about, what) in said {
            if self.known.insert((promise, about.clone())) {
                self.broken.push(BrokenPromise { promise, about, at: timed.at, what });
            }
        }
    }
}

impl Circumstances<'_> {
    fn name(&self, node: usize) -> &str {
        &self.bounds.names[node]
    }

    fn is_ours(&self, node: usize) -> bool {
        self.bounds.original != Some(node)
    }

    /// After so long a silence, and what tells it, a death is known to both.
    fn patience(&self) -> Duration {
        self.bounds.deadtime + self.bounds.keepalive * 3
    }

    /// For how long something has been so, but for the time that does not count.
    fn lasted(&self, since: Stamp) -> Duration {
        self.clocks.lasted(since)
    }

    fn stamp(&self) -> Stamp {
        self.clocks.stamp()
    }

    /// The group of a resource.
    fn group_of(&self, resource: &str) -> Option<&JudgedGroup> {
        self.bounds.groups.iter().find(|group| group.resources.iter().any(|known| known == resource))
    }
}

/// A machine that stands still for this part of deadtime makes nodes late that are not.
const SHAKY: u32 = 5;

impl Clocks {
    fn new() -> Clocks {
        Clocks {
            now: Mono::ZERO,
            busy: Duration::ZERO,
            things: Things { daemons: [Daemon::Off; 2], reaches: [false; 2], both_ways: false, scripts_answer: true },
            since: [Stamp::default(); 2],
            both_ways: None,
            still: None,
            one_way: None,
            all_well: None,
            awake: [None; 2],
            core_died: None,
        }
    }

    fn stamp(&self) -> Stamp {
        Stamp { at: self.now, busy: self.busy }
    }

    fn lasted(&self, since: Stamp) -> Duration {
        self.now.since(since.at).saturating_sub(self.busy.saturating_sub(since.busy))
    }

    fn pass(&mut self, now: Mono, busy: bool) {
        if busy {
            self.busy += now.since(self.now);
        }
        self.now = self.now.max(now);
    }

    fn take(&mut self, bounds: &Bounds, may_run: &MayRun, timed: &TimedFact) {
        match &timed.fact {
            Fact::Things(things) => {
                for node in [0, 1] {
                    if self.things.daemons[node] != things.daemons[node] {
                        self.since[node] = self.stamp();
                    }
                }
                self.things = things.clone();
            }
            Fact::CoreKilled(_) | Fact::Died(..) => {
                (self.still, self.all_well, self.one_way) = (None, None, None);
                self.core_died = Some(self.stamp());
            }
            Fact::StoodStill(time) if *time * SHAKY >= bounds.deadtime => self.forget(),
            Fact::StoodStill(time) => self.busy += *time,
            Fact::Began(..)
            | Fact::Ended(..)
            | Fact::Said(..)
            | Fact::Off(_)
            | Fact::Fenced(_)
            | Fact::KnownFenced(_)
            | Fact::Given(_)
            | Fact::Left(_)
            | Fact::Status(..)
            | Fact::TypedCommand(_)
            | Fact::Answered(..)
            | Fact::Cause(..)
            | Fact::JournalFull(..)
            | Fact::Settled(..) => {}
        }
        self.update(bounds, may_run);
    }

    /// A machine that stood still excuses everybody: all clocks begin anew.
    fn forget(&mut self) {
        (self.both_ways, self.still, self.one_way, self.all_well) = (None, None, None, None);
        self.awake = [None; 2];
    }

    fn update(&mut self, bounds: &Bounds, may_run: &MayRun) {
        let now = self.stamp();
        let keep = |clock: &mut Option<Stamp>, holds: bool| *clock = holds.then(|| clock.unwrap_or(now));
        let things = &self.things;
        let away = |node: usize| self.now.since(self.since[node].at);
        // Nothing runs there: nothing can be wrong.
        let may_run_there = |node: usize| may_run.runs_anything(node);
        let awake = [0, 1].map(|node| match things.daemons[node] {
            Daemon::Well | Daemon::Leaving | Daemon::Left | Daemon::Off => true,
            Daemon::Stopped => away(node) < bounds.deadtime / 2,
            Daemon::Gone => !may_run_there(node) || away(node) < bounds.deadtime / 2,
        });
        let present = [0, 1].map(|node| match things.daemons[node] {
            Daemon::Well | Daemon::Leaving | Daemon::Left | Daemon::Off => true,
            Daemon::Stopped => false,
            Daemon::Gone => !may_run_there(node),
        });
        let (awake_both, present_both) = (awake == [true, true], present == [true, true]);
        let answers = things.scripts_answer;
        let (both, one) = (things.both_ways, things.reaches != [false, false]);
        keep(&mut self.both_ways, awake_both && both);
        keep(&mut self.still, present_both && both);
        keep(&mut self.one_way, present_both && one);
        keep(&mut self.all_well, present_both && both && answers);
        for node in [0, 1] {
            keep(&mut self.awake[node], present[node]);
        }
    }
}
