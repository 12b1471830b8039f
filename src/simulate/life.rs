//! The lives of a node: power, its daemon's start, death and return, what it finds of its past, and what holds it still.

use std::time::Duration;

use crate::cluster::{Cluster, Event, Notes, Past, Silence, StartFacts};
use crate::time::{Mono, Now, Wall};
use crate::wire::Generation;

use super::host::UpgradeState;
use super::intervention::NotesFault;
use super::pending::{Pending, PendingKind};
use super::simulated_ipfail::IpfailRuns;
use super::{Fault, Intervention, SimulatedPair, Start};

/// The wall clock when all begins.
const WALL: i64 = 1_700_000_000;
/// So many deaths within a minute are a storm.
const STORM: usize = 5;
/// After so many the supervisor has a daemon only clean up.
const HOPELESS: usize = 20;

impl SimulatedPair {
    /// Switches a node on, with the next generation; nothing happens to one that is on. What it finds of its past is
    /// judged when it says its first word.
    pub fn start(&mut self, node: usize) {
        self.start_daemon_life(node, None);
    }

    /// Switches a node on that knows this of its past.
    pub fn start_after(&mut self, node: usize, past: Past) {
        self.start_daemon_life(node, Some(Box::new(past)));
    }

    fn start_daemon_life(&mut self, node: usize, past: Option<Box<Past>>) {
        let waits = &mut self.hosts[node].upgrade;
        *waits = if *waits == UpgradeState::No { UpgradeState::No } else { UpgradeState::Awaited };
        if self.is_on(node) || self.is_starting(node) || self.hosts[node].manual.is_some() {
            return;
        }
        let host = &mut self.hosts[node];
        host.life += 1;
        // A machine that stands still starts nothing.
        let still = host.stalled_until.max(self.now);
        if host.powered_off.take().is_some_and(|off| self.now.since(off) < self.settings[node].deadtime) {
            self.count(Fault::PowerCycle);
        }
        let slow = self.hosts[node].slow_start;
        if slow.is_zero() && still == self.now {
            return self.daemon_ready(node, past);
        }
        self.observe_intervention(node, Intervention::StartsSlowly((still + slow).since(self.now)));
        self.count(Fault::SlowStart);
        if slow > self.settings[node].deadtime {
            self.count(Fault::SlowStartBeyondDeadtime);
        }
        self.hosts[node].born_at = Some(still + slow);
        self.await_this(still + slow, node, PendingKind::DaemonReady(past));
    }

    /// The first word of a daemon.
    pub(super) fn daemon_ready(&mut self, node: usize, past: Option<Box<Past>>) {
        self.hosts[node].born_at = None;
        let generation = self.next_generation(node);
        let (past, silence) = match past {
            Some(past) => (*past, None),
            None => self.judge_past(node),
        };
        let how = match past {
            Past::Fresh => Start::Fresh,
            Past::Lost => Start::WithoutNotes,
            Past::Crashed { .. } => Start::InTime,
            Past::Late { .. } => Start::TooLate,
            Past::Hopeless { .. } => Start::ToGiveUp,
        };
        self.count_past(&past);
        self.observe_intervention(node, Intervention::Starts(how));
        let heard = &self.hosts[node].remembered;
        let remembered = heard.iter().map(|(name, (generation, sequence, _))| (name.clone(), *generation, *sequence));
        let clocks = heard.iter().filter_map(|(name, (.., ahead))| Some((name.clone(), (*ahead)?)));
        let uuid = [u8::try_from(node + 1).unwrap_or(9); 16];
        let start_facts = StartFacts {
            remembered: remembered.collect(),
            clocks: clocks.collect(),
            past,
            silence,
            leaves: self.hosts[node].told,
            ..StartFacts::new(Generation(generation), uuid, generation.wrapping_mul(77))
        };
        self.record_start(node, &start_facts);
        let (settings, groups) = (self.settings[node].clone(), self.hosts[node].groups.clone());
        let cluster = Cluster::start(settings, groups, start_facts, self.moment_of(node));
        self.hosts[node].cluster = Some(cluster);
        self.hosts[node].asked_to_leave = false;
        self.tell(node, Event::Tick);
    }

    pub(super) fn next_generation(&mut self, node: usize) -> u64 {
        let last = self.hosts[node].generation;
        let generation = self.hosts[node].next_generation.take().unwrap_or(self.generation + 1);
        self.hosts[node].went_back = last >= Some(generation);
        if last == Some(generation) {
            self.count(Fault::SameGeneration);
        } else if last > Some(generation) {
            self.count(Fault::SmallerGeneration);
        }
        self.generation = self.generation.max(generation);
        self.hosts[node].generation = Some(generation);
        generation
    }

    /// What a daemon makes of its notes, as it finds them.
    fn judge_past(&mut self, node: usize) -> (Past, Option<Silence>) {
        if let Some(fault) = self.hosts[node].notes_fault.take() {
            let host = &mut self.hosts[node];
            let before = host.notes_before.take().filter(|_| fault == NotesFault::Old);
            let lost = std::mem::replace(&mut host.notes, before).is_some_and(|notes| notes.is_worth_keeping());
            self.count(match fault {
                NotesFault::Lost => Fault::NotesLost,
                NotesFault::Old => Fault::NotesOld,
                NotesFault::Unreadable => Fault::NotesUnreadable,
            });
            if lost && fault != NotesFault::Old {
                return (Past::Lost, None);
            }
        }
        let host = &self.hosts[node];
        let (said, patience, lag) = host.said;
        let silent_for = self.now.since(said).saturating_sub(host.lag.saturating_sub(lag));
        let Some(notes) = host.notes.clone().filter(Notes::is_worth_keeping) else { return (Past::Fresh, None) };
        let silence = Silence { lasted: silent_for, patience };
        (Past::judge(notes, silent_for, patience, false), Some(silence))
    }

    fn count_past(&mut self, past: &Past) {
        match past {
            Past::Fresh | Past::Lost => {}
            Past::Crashed { .. } => self.count(Fault::BackInTime),
            Past::Late { .. } => self.count(Fault::BackTooLate),
            Past::Hopeless { .. } => self.count(Fault::Hopeless),
        }
    }

    /// Takes a node's power: everything on it is gone.
    pub fn power_off(&mut self, node: usize) {
        self.observe_intervention(node, Intervention::PowerOff);
        self.count(Fault::PowerOff);
        self.end_life(node);
        let now = self.now;
        let host = &mut self.hosts[node];
        host.power += 1;
        host.running.clear();
        host.begun.clear();
        (host.notes, host.notes_before) = (None, None);
        host.manual = None;
        host.powered_off = Some(now);
        // Whatever held it still ends with its power.
        host.lag = host.lag.saturating_sub(host.frozen_until.since(now));
        (host.stalled_until, host.frozen_until) = (Mono::ZERO, Mono::ZERO);
        self.promises_off(node);
        self.look();
    }

    /// Kills a node's daemon; what it started goes on, its notes stay.
    pub fn crash(&mut self, node: usize) {
        self.observe_intervention(node, Intervention::Crash);
        self.count_kill(node);
        self.end_life(node);
        // A machine that stands still goes on doing so.
        self.hosts[node].stalled_until = self.hosts[node].frozen_until;
    }

    fn count_kill(&mut self, node: usize) {
        if self.hosts[node].born_at.is_some() {
            self.count(Fault::KilledStarting);
        }
        if !self.is_on(node) {
            return;
        }
        self.count(Fault::Kill);
        let (now, deadtime) = (self.now, self.settings[node].deadtime);
        let lately = |node: usize, time: Duration, pair: &SimulatedPair| {
            pair.hosts[node].kills.iter().filter(|at| now.since(**at) < time).count()
        };
        let counts = [
            (Fault::KillTwice, lately(node, deadtime, self) > 0),
            (Fault::KillBoth, lately(1 - node, deadtime, self) > 0),
            (Fault::KillStorm, self.kills_within_a_minute(node) + 1 >= STORM),
            (Fault::LeaveWithCrash, self.hosts[node].asked_to_leave),
            (Fault::KilledWithScript, self.is_at_work(node, |what| matches!(what, PendingKind::ScriptEnds { .. }))),
            (Fault::FenceOrphaned, self.is_at_work(node, |what| matches!(what, PendingKind::FenceEnds { .. }))),
        ];
        counts.into_iter().filter(|(_, happened)| *happened).for_each(|(fault, _)| self.count(fault));
        self.hosts[node].kills.push(now);
    }

    /// Whether something of this daemon is at work.
    fn is_at_work(&self, node: usize, which: impl Fn(&PendingKind) -> bool) -> bool {
        let of_node = |pending: &&Pending| pending.node == node && pending.life == self.hosts[node].life;
        self.queue.values().filter(of_node).any(|pending| which(&pending.what))
    }

    /// A daemon is gone, however: its connections, and what had reached it and was not read.
    pub(super) fn end_life(&mut self, node: usize) {
        let now = self.now;
        let host = &mut self.hosts[node];
        host.cluster = None;
        host.upgrade = UpgradeState::No;
        host.ipfail_runs = IpfailRuns::default();
        host.told = false;
        host.life += 1;
        host.born_at = None;
        self.bury_original(node);
        self.forget_requests(node);
        let unread = |at: Mono, pending: &Pending| {
            pending.node == node && at <= now && matches!(pending.what, PendingKind::Event(Event::Message { .. }))
        };
        self.queue.retain(|(at, _), pending| !unread(*at, pending));
    }

    /// Kills a node's daemon, and its supervisor starts another one after a while.
    pub fn restart_after(&mut self, node: usize, time: Duration) {
        let told = self.hosts[node].told;
        self.crash(node);
        self.hosts[node].told = told;
        self.await_this(self.now + time, node, PendingKind::Restart);
    }

    /// A supervisor starts a daemon again, or has it clean up and leave.
    pub(super) fn restart(&mut self, node: usize) {
        let is_hopeless = self.kills_within_a_minute(node) >= HOPELESS;
        let past = is_hopeless.then(|| Box::new(Past::Hopeless(self.hosts[node].notes.clone().unwrap_or_default())));
        self.start_daemon_life(node, past);
    }

    fn kills_within_a_minute(&self, node: usize) -> usize {
        let minute = Duration::from_secs(60);
        self.hosts[node].kills.iter().filter(|at| self.now.since(**at) < minute).count()
    }

    /// From now on a node's daemon needs so long from being started to its first word.
    pub fn start_slowly(&mut self, node: usize, time: Duration) {
        self.hosts[node].slow_start = time;
    }

    /// From now on each writing of its notes blocks its daemon for so long.
    pub fn write_notes_slowly(&mut self, node: usize, time: Duration) {
        self.hosts[node].notes_take = time;
    }

    /// What the next daemon of a node finds of the notes of the last.
    pub fn spoil_notes(&mut self, node: usize, how: NotesFault) {
        self.observe_intervention(node, Intervention::Notes(how));
        self.hosts[node].notes_fault = Some(how);
    }

    /// The generation a node starts with next.
    pub fn start_with_generation(&mut self, node: usize, generation: u64) {
        self.hosts[node].next_generation = Some(generation);
    }

    /// The generation of a node's last start.
    pub fn generation(&self, node: usize) -> Option<u64> {
        self.hosts[node].generation
    }

    /// Sets a node's wall clock forward, or back.
    pub fn step_clock(&mut self, node: usize, seconds: i64) {
        self.observe_intervention(node, Intervention::ClockSet(seconds));
        self.count(if seconds < 0 { Fault::ClockBack } else { Fault::ClockForward });
        self.hosts[node].wall_ahead += seconds;
    }

    /// What a node's daemon has written down for its successor.
    pub fn notes(&self, node: usize) -> Option<Notes> {
        self.hosts[node].notes.clone()
    }

    /// Asks a node's daemon to make room for its successor.
    pub fn upgrade(&mut self, node: usize) {
        let (now, deadtime) = (self.now, self.settings[node].deadtime);
        if self.is_on(node) {
            self.count(Fault::Upgrade);
            if self.hosts[1 - node].upgraded.is_some_and(|at| now.since(at) < deadtime) {
                self.count(Fault::UpgradeBoth);
            }
            self.hosts[node].upgraded = Some(now);
            self.hosts[node].upgrade = UpgradeState::Asked;
        }
        self.tell_soon(node, Event::Upgrade);
    }

    /// Holds a node's daemon still; what reaches it waits, its scripts go on.
    pub fn stall(&mut self, node: usize, time: Duration) {
        self.observe_intervention(node, Intervention::Stalled(time));
        if !self.is_on(node) && !self.is_starting(node) && self.hosts[node].manual.is_none() {
            return;
        }
        self.count(Fault::Stall);
        if time > self.settings[node].deadtime {
            self.count(Fault::StallBeyondDeadtime);
        }
        self.hosts[node].stalled_until = self.hosts[node].stalled_until.max(self.now + time);
    }

    /// Holds a node's daemon and all its scripts still; what reaches it waits, its clock goes on.
    pub fn suspend(&mut self, node: usize, time: Duration) {
        self.observe_intervention(node, Intervention::Suspended(time));
        self.count(Fault::Suspend);
        self.stand_still(node, time);
    }

    /// A virtual machine is paused: as suspended, and its clocks stand still as well.
    pub fn freeze(&mut self, node: usize, time: Duration) {
        self.observe_intervention(node, Intervention::Frozen(time));
        self.count(Fault::Freeze);
        let still = self.stand_still(node, time);
        if still.is_zero() {
            return;
        }
        self.hosts[node].frozen_at = self.moment_of(node).mono;
        self.hosts[node].lag += still;
    }

    /// Everything on a node is put off; by how much.
    fn stand_still(&mut self, node: usize, time: Duration) -> Duration {
        let (now, power) = (self.now, self.hosts[node].power);
        if self.hosts[node].powered_off.is_some() {
            return Duration::ZERO;
        }
        let until = now + time;
        // What stands still already stands still no longer for being told so twice.
        let longer = until.since(self.hosts[node].frozen_until.max(now));
        let is_work = |pending: &Pending| pending.node == node && pending.power == power && pending.what.is_work();
        let late: Vec<_> = self.queue.iter().filter(|(_, pending)| is_work(pending)).map(|(key, _)| *key).collect();
        for (at, count) in late {
            let pending = self.queue.remove(&(at, count));
            self.queue.extend(pending.map(|pending| ((at + longer, count), pending)));
        }
        let host = &mut self.hosts[node];
        host.born_at = host.born_at.map(|at| at + longer);
        host.frozen_until = host.frozen_until.max(until);
        host.stalled_until = host.stalled_until.max(until);
        longer
    }

    /// When a node last said that it lives.
    pub fn last_beat(&self, node: usize) -> Mono {
        self.hosts[node].said.0
    }

    /// The moment from which no node stands still any more.
    pub fn awake_from(&self) -> Mono {
        self.hosts.iter().map(|host| host.stalled_until).max().unwrap_or(Mono::ZERO).max(self.now)
    }

    /// Whether a node's daemon, or all of it, stands still now.
    pub fn stands_still(&self, node: usize) -> bool {
        self.hosts[node].stalled_until > self.now
    }

    /// Whether a node is on and its daemon has said its first word.
    pub fn is_on(&self, node: usize) -> bool {
        self.hosts[node].cluster.is_some() || self.hosts[node].original.is_some()
    }

    /// Whether a node's daemon was started and has not said its first word yet.
    pub fn is_starting(&self, node: usize) -> bool {
        self.hosts[node].born_at.is_some()
    }

    /// The time as it is.
    pub(super) fn moment(&self) -> Now {
        Now { mono: self.now, wall: wall(self.now, 0) }
    }

    /// The time as a node's clocks have it.
    pub fn moment_of(&self, node: usize) -> Now {
        let host = &self.hosts[node];
        let mono = self.now.before(host.lag).max(host.frozen_at);
        Now { mono, wall: wall(mono, host.wall_ahead) }
    }
}

fn wall(mono: Mono, ahead: i64) -> Wall {
    let seconds = i64::try_from(mono.elapsed().as_secs()).unwrap_or(i64::MAX);
    Wall(u64::try_from(WALL.saturating_add(seconds).saturating_add(ahead)).unwrap_or(0))
}
