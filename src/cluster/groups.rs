//! Making it so: the groups of this node and the chains of scripts that run for them (`resources.md` 3.1, 3.2).
//!
//! Groups are started one after another, and stopped one after another, in the order they were asked for: users' scripts
//! rely on it. No stop waits for a start, and what must go because the peer runs it too waits for nothing at all: a script
//! that hangs delays nobody else's.

mod keep;

use std::collections::VecDeque;

use crate::haresources::{Chain, Note, Outcome, Resource, ResourceGroup, Step, Verb};
use crate::names::{JobId, NodeName};
use crate::time::Mono;

use super::claims::PeerHold;
use super::monitor::CALM;
use super::timer::Timer;
use super::{Action, Cluster, ExitReason, GroupState, GroupView, OnStartFailure, OnStopFailure, Report, Settings};

/// One group on this node.
#[derive(Debug)]
struct Group {
    spec: ResourceGroup,
    state: GroupState,
    since: Mono,
    failure: Option<String>,
    /// Taken over while the peer was silent: it may run there still.
    since_partition: bool,
    /// The peer claims it too and we keep it.
    contested: bool,
    /// Its failure was answered by asking the other node to take it; never twice.
    offered: bool,
    /// Gone from `haresources`: to be stopped and forgotten.
    removed: bool,
    /// As a predecessor started it, to be stopped so.
    leftover: Option<ResourceGroup>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wish {
    Acquire,
    Release,
    /// Stop it at once, whatever else is being stopped: the peer runs it too.
    LetGo,
    /// It ran before our own death: see that it still does.
    Check,
    /// Stop it: it does not work here.
    GiveUp,
    /// Stop and start it from this resource to its end.
    Restart(usize),
}

impl Wish {
    const fn is_downward(self) -> bool {
        matches!(self, Wish::Release | Wish::LetGo | Wish::GiveUp)
    }
}

#[derive(Debug)]
struct Running {
    /// Never used twice, for its pauses.
    lane: u64,
    index: usize,
    wish: Wish,
    chain: Chain,
    job: Option<JobId>,
    call: String,
    since: Mono,
}

/// All groups, what is queued, and what runs.
#[derive(Debug)]
pub(super) struct Groups {
    list: Vec<Group>,
    queue: VecDeque<(usize, Wish)>,
    running: Vec<Running>,
    next_lane: u64,
    next_job: u64,
    /// Since when a group of the peer's has been claimed by nobody.
    pub(super) orphaned_since: Option<Mono>,
    /// Since when the peer, an original, has claimed what we claim.
    pub(super) conflict_since: Option<Mono>,
}

impl Groups {
    pub(super) fn new(specs: Vec<ResourceGroup>, settings: &Settings, now: Mono) -> Groups {
        let specs = if settings.manage_resources { specs } else { Vec::new() };
        let list = specs.into_iter().filter(|spec| !spec.resources.is_empty()).map(|spec| Group::new(spec, now));
        Groups {
            list: list.collect(),
            queue: VecDeque::new(),
            running: Vec::new(),
            next_lane: 1,
            next_job: 1,
            orphaned_since: None,
            conflict_since: None,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.list.len()
    }

    pub(super) fn owner(&self, index: usize) -> &NodeName {
        &self.list[index].spec.owner
    }

    pub(super) fn key(&self, index: usize) -> String {
        self.list[index].spec.key().to_owned()
    }

    pub(super) fn find(&self, key: &str) -> Option<usize> {
        self.list.iter().position(|group| group.spec.key() == key)
    }

    pub(super) fn state(&self, index: usize) -> GroupState {
        self.list[index].state
    }

    /// Whether it runs here, is to run here, or has not finished stopping.
    pub(super) fn is_claimed(&self, index: usize) -> bool {
        match self.list[index].state {
            GroupState::Starting | GroupState::Held | GroupState::Stopping | GroupState::Blocked => true,
            GroupState::Free | GroupState::Failed => false,
        }
    }

    /// Whether anything is being started or stopped, or waits for its turn.
    pub(super) fn is_busy(&self) -> bool {
        !self.running.is_empty() || !self.queue.is_empty()
    }

    pub(super) fn is_blocked(&self) -> bool {
        self.list.iter().any(|group| group.state == GroupState::Blocked)
    }

    pub(super) fn any_free(&self) -> bool {
        self.list.iter().any(|group| matches!(group.state, GroupState::Free | GroupState::Failed))
    }

    /// Whether it is being stopped, or will be when its turn comes.
    pub(super) fn is_going_down(&self, index: usize) -> bool {
        let queued = self.queue.iter().any(|(at, wish)| *at == index && wish.is_downward());
        queued || self.running.iter().any(|running| running.index == index && running.chain.is_going_down())
    }

    /// Asks for a free group; nothing happens to one in any other state.
    pub(super) fn want_acquired(&mut self, index: usize) {
        let group = &mut self.list[index];
        if group.state == GroupState::Free && !group.removed {
            group.state = GroupState::Starting;
            self.queue.push_back((index, Wish::Acquire));
        }
    }

    /// Asks for a group to be stopped, whatever it does now.
    pub(super) fn want_released(&mut self, index: usize) {
        self.want_down(index, Wish::Release);
    }

    /// Asks for a group to be stopped before and beside all others.
    pub(super) fn want_let_go(&mut self, index: usize) {
        self.want_down(index, Wish::LetGo);
    }

    fn want_down(&mut self, index: usize, wish: Wish) {
        match self.list[index].state {
            GroupState::Held => {
                self.queue.retain(|task| *task != (index, Wish::Check));
                self.list[index].state = GroupState::Stopping;
                self.queue.push_back((index, wish));
            }
            GroupState::Starting => {
                let queued = |task: &(usize, Wish)| task.0 == index && !task.1.is_downward();
                if let Some(at) = self.queue.iter().position(queued) {
                    // What waits for a restart runs.
                    let runs = self.queue.remove(at).is_some_and(|task| task.1 != Wish::Acquire);
                    self.list[index].state = if runs { GroupState::Stopping } else { GroupState::Free };
                    if runs {
                        self.queue.push_back((index, wish));
                    }
                } else if let Some(running) = self.running.iter_mut().find(|running| running.index == index) {
                    running.chain.abort();
                    self.list[index].state = GroupState::Stopping;
                }
            }
            GroupState::Stopping => {
                if let Some(task) = self.queue.iter_mut().find(|task| **task == (index, Wish::Release)) {
                    task.1 = wish;
                }
            }
            GroupState::Free | GroupState::Failed | GroupState::Blocked => {}
        }
    }

    /// Asks for a held group to be stopped because it does not work here.
    pub(super) fn want_given_up(&mut self, index: usize, why: String) {
        if self.list[index].state == GroupState::Held {
            self.want_down(index, Wish::GiveUp);
            self.list[index].failure = Some(why);
        }
    }

    /// Asks for a held group to be stopped and started from this resource to its end.
    pub(super) fn want_restarted(&mut self, index: usize, from: usize) {
        if self.list[index].state == GroupState::Held {
            self.list[index].state = GroupState::Starting;
            self.queue.push_back((index, Wish::Restart(from)));
        }
    }

    /// Asks for a blocked group to be stopped once more.
    pub(super) fn want_unblocked(&mut self, index: usize) {
        if self.list[index].state == GroupState::Blocked {
            self.list[index].state = GroupState::Held;
            self.want_down(index, Wish::Release);
        }
    }

    pub(super) fn resources(&self, index: usize) -> &[Resource] {
        &self.list[index].spec.resources
    }

    /// Since when it has been in its state.
    pub(super) fn held_since(&self, index: usize) -> Mono {
        self.list[index].since
    }

    /// One more attempt for what failed: the peer is gone, or an operator asks.
    pub(super) fn forgive_failures(&mut self) {
        for group in &mut self.list {
            if group.state == GroupState::Failed {
                group.state = GroupState::Free;
            }
            group.offered = false;
        }
    }

    pub(super) fn forgive(&mut self, index: usize) {
        if self.list[index].state == GroupState::Failed {
            self.list[index].state = GroupState::Free;
        }
    }

    pub(super) fn unoffered_failure(&self) -> Option<usize> {
        self.list.iter().position(|group| group.state == GroupState::Failed && !group.offered)
    }

    pub(super) fn mark_offered(&mut self, index: usize) {
        self.list[index].offered = true;
    }

    pub(super) fn mark_partition(&mut self, index: usize) {
        self.list[index].since_partition = true;
    }

    pub(super) fn has_partition_mark(&self, index: usize) -> bool {
        self.list[index].since_partition
    }

    pub(super) fn clear_partition_mark(&mut self, index: usize) {
        self.list[index].since_partition = false;
    }

    pub(super) fn partition_marks(&self) -> Vec<usize> {
        (0..self.len()).filter(|index| self.list[*index].since_partition).collect()
    }

    /// The peer has a new life: what it ran ended with the old one, unless it was cut off and is alive.
    pub(super) fn clear_partition_marks(&mut self, keep: bool) {
        if !keep {
            self.list.iter_mut().for_each(|group| group.since_partition = false);
        }
    }

    pub(super) fn was_contested(&self, index: usize) -> bool {
        self.list[index].contested
    }

    pub(super) fn set_contested(&mut self, index: usize, contested: bool) {
        self.list[index].contested = contested;
    }

    /// Our own line of letters (`claims`).
    pub(super) fn own_holds(&self, stays: bool) -> Vec<PeerHold> {
        let hold = |group: &Group| match group.state {
            GroupState::Free => PeerHold::No,
            GroupState::Failed if stays => PeerHold::FailedStays,
            GroupState::Failed => PeerHold::Failed,
            GroupState::Starting | GroupState::Held | GroupState::Stopping | GroupState::Blocked => {
                if group.since_partition { PeerHold::SincePartition } else { PeerHold::Yes }
            }
        };
        self.list.iter().map(hold).collect()
    }

    pub(super) fn view(&self, claimed_by_peer: impl Fn(usize) -> bool) -> Vec<GroupView> {
        let view = |(index, group): (usize, &Group)| GroupView {
            key: group.spec.key().to_owned(),
            owner: group.spec.owner.clone(),
            resources: group.spec.resources.iter().map(|resource| resource.word.clone()).collect(),
            state: group.state,
            since: group.since,
            held_by_peer: claimed_by_peer(index),
            running: self.running.iter().find(|running| running.index == index).map(|running| running.call.clone()),
            failure: group.failure.clone(),
        };
        self.list.iter().enumerate().map(view).collect()
    }

    /// Takes over a reread file: groups keep their state by key; what is gone is stopped and forgotten later. Returns
    /// for each new index the old one.
    pub(super) fn replace(&mut self, specs: Vec<ResourceGroup>, now: Mono) -> Vec<Option<usize>> {
        let mut old: Vec<Option<Group>> = std::mem::take(&mut self.list).into_iter().map(Some).collect();
        let mut origin = Vec::new();
        for spec in specs.into_iter().filter(|spec| !spec.resources.is_empty()) {
            let found = old.iter().position(|group| group.as_ref().is_some_and(|group| group.spec.key() == spec.key()));
            let mut group = Group::new(spec, now);
            if let Some(before) = found.and_then(|at| old[at].take()) {
                group = Group { spec: group.spec, removed: false, ..before };
            }
            self.list.push(group);
            origin.push(found);
        }
        for (at, group) in old.into_iter().enumerate() {
            if let Some(group) = group.filter(|group| !matches!(group.state, GroupState::Free | GroupState::Failed)) {
                self.list.push(Group { removed: true, ..group });
                origin.push(Some(at));
            }
        }
        let moved = |index: usize| origin.iter().position(|from| *from == Some(index));
        self.queue = self.queue.iter().filter_map(|(index, wish)| Some((moved(*index)?, *wish))).collect();
        for running in &mut self.running {
            // What runs is in none of the states that are forgotten.
            running.index = moved(running.index).unwrap_or(running.index);
        }
        origin
    }

    /// The first task in the queue that need not wait: starts wait for starts, stops for stops, letting go for nothing.
    fn take_next(&mut self) -> Option<(usize, Wish)> {
        let runs = |wish: fn(Wish) -> bool| self.running.iter().any(|running| wish(running.wish));
        let up = runs(|wish| matches!(wish, Wish::Acquire | Wish::Restart(_)));
        let down = runs(|wish| matches!(wish, Wish::Release | Wish::GiveUp));
        let at = self.queue.iter().position(|(index, wish)| {
            let free = !self.running.iter().any(|running| running.index == *index);
            free && match wish {
                Wish::Acquire | Wish::Restart(_) => !up,
                Wish::Release | Wish::GiveUp => !down,
                Wish::LetGo | Wish::Check => true,
            }
        })?;
        self.queue.remove(at)
    }

    fn lane(&mut self, lane: u64) -> Option<&mut Running> {
        self.running.iter_mut().find(|running| running.lane == lane)
    }

    fn end_lane(&mut self, lane: u64) -> Option<Running> {
        let at = self.running.iter().position(|running| running.lane == lane)?;
        Some(self.running.remove(at))
    }

    /// A number no job has had.
    pub(super) fn next_job(&mut self) -> JobId {
        self.next_job += 1;
        JobId(self.next_job - 1)
    }

    /// Every resource of every group that is free, with the group's key.
    pub(super) fn all_resources(&self) -> Vec<(String, Resource)> {
        let free = self.list.iter().filter(|group| group.state == GroupState::Free);
        free.flat_map(|group| group.spec.resources.iter().map(|r| (group.spec.key().to_owned(), r.clone()))).collect()
    }

    /// Asks for every removed group to be stopped.
    pub(super) fn release_removed(&mut self) {
        for index in 0..self.len() {
            if self.list[index].removed {
                self.want_released(index);
            }
        }
    }
}

impl Group {
    fn new(spec: ResourceGroup, now: Mono) -> Group {
        Group {
            spec,
            state: GroupState::Free,
            since: now,
            failure: None,
            since_partition: false,
            contested: false,
            offered: false,
            removed: false,
            leftover: None,
        }
    }

    fn words(&self) -> String {
        self.spec.resources.iter().map(|resource| resource.word.as_str()).collect::<Vec<_>>().join(" ")
    }
}

impl Cluster {
    /// Starts whatever in the queue need not wait.
    pub(super) fn run_next(&mut self) {
        while let Some((index, wish)) = self.groups.take_next() {
            let group = &self.groups.list[index];
            let (owner, resources) = (group.spec.owner.clone(), group.words());
            let (report, (chain, step)) = match wish {
                Wish::Acquire => (Some(Report::Acquiring { owner, resources }), Chain::acquire(&group.spec)),
                // Said by whoever asked for it.
                Wish::Restart(from) => (None, Chain::restart(&group.spec, from)),
                Wish::Check => (Some(Report::Checking { owner, resources }), Chain::acquire(&group.spec)),
                Wish::Release | Wish::LetGo | Wish::GiveUp => (
                    Some(Report::Releasing { owner, resources }),
                    Chain::release(group.leftover.as_ref().unwrap_or(&group.spec)),
                ),
            };
            report.into_iter().for_each(|report| self.report(report));
            let lane = self.groups.next_lane;
            self.groups.next_lane += 1;
            let running = Running { lane, index, wish, chain, job: None, call: String::new(), since: self.now.mono };
            self.groups.running.push(running);
            self.follow(lane, step);
        }
    }

    /// A script has ended. Answers to runs we no longer wait for are ignored.
    pub(super) fn on_script_done(&mut self, job: JobId, outcome: &Outcome) {
        if self.on_idle_check(job, outcome) {
            return;
        }
        let Some(running) = self.groups.running.iter_mut().find(|running| running.job == Some(job)) else { return };
        running.job = None;
        let (lane, step) = (running.lane, running.chain.on_done(outcome));
        self.follow(lane, step);
    }

    pub(super) fn on_pause_over(&mut self, lane: u64) {
        if let Some(running) = self.groups.lane(lane) {
            let step = running.chain.on_pause();
            self.follow(lane, step);
        }
    }

    fn follow(&mut self, lane: u64, step: Step) {
        self.tell_notes(lane);
        match step {
            Step::Run(invocation) => {
                let limits = self.settings.script_timeout;
                let limit = match invocation.verb {
                    Verb::Start => limits.start,
                    Verb::Stop => limits.stop,
                    Verb::Status => limits.status,
                };
                let job = self.groups.next_job();
                if let Some(running) = self.groups.lane(lane) {
                    running.job = Some(job);
                    running.call = invocation.to_string();
                }
                if invocation.verb != Verb::Status {
                    self.report(Report::Running { call: invocation.to_string() });
                }
                self.out.push(Action::Run { job, invocation, limit });
            }
            Step::Pause(pause) => self.timers.set(Timer::Pause(lane), self.now.mono + pause),
            Step::Held => self.finish(lane, GroupState::Held, None),
            Step::Released => {
                let gave_up = self.groups.lane(lane).filter(|running| running.wish == Wish::GiveUp).map(|r| r.index);
                match gave_up {
                    Some(index) => {
                        let why = self.groups.list[index].failure.clone();
                        self.finish(lane, GroupState::Failed, why);
                    }
                    None => self.finish(lane, GroupState::Free, None),
                }
            }
            Step::Failed { resource, exit } => {
                self.finish(lane, GroupState::Failed, Some(format!("{resource} start: {exit}")));
            }
            Step::StopFailed { resource } => self.on_stop_failed(lane, &resource),
        }
    }

    fn tell_notes(&mut self, lane: u64) {
        let notes = self.groups.lane(lane).map(|running| running.chain.take_notes()).unwrap_or_default();
        for note in notes {
            self.report(match note {
                Note::ScriptFailed { call, exit } => Report::ScriptFailed { call, ended: exit.to_string() },
                Note::GivingUp { resource } => Report::GivingUp { resource },
                Note::RetryingStop { resource } => Report::RetryingStop { resource },
                Note::NotLsb { resource } => Report::NotLsb { resource },
            });
        }
    }

    fn finish(&mut self, lane: u64, state: GroupState, failure: Option<String>) {
        let Some(running) = self.groups.end_lane(lane) else { return };
        let (index, took) = (running.index, self.now.mono.since(running.since));
        let group = self.groups.key(index);
        if running.wish == Wish::Check && self.groups.list[index].state == GroupState::Stopping {
            // It was asked to go meanwhile, and goes now.
            return self.run_next();
        }
        match state {
            GroupState::Held if running.wish == Wish::Check => {
                // Whoever announced its addresses died before the last time was over.
                self.out.push(Action::Announce { group: group.clone() });
                self.report(Report::Adopted { group });
            }
            GroupState::Held => self.report(Report::GroupHeld { group, took }),
            GroupState::Failed if running.wish == Wish::GiveUp => self.report(Report::GroupReleased { group, took }),
            GroupState::Failed => {
                let resource = failure.clone().unwrap_or_default();
                self.report(Report::GroupFailed { group, resource });
            }
            GroupState::Free | GroupState::Starting | GroupState::Stopping | GroupState::Blocked => {
                self.report(Report::GroupReleased { group, took });
            }
        }
        if state == GroupState::Failed {
            self.timers.set(Timer::Forget(self.groups.key(index)), self.now.mono + CALM);
        }
        let entry = &mut self.groups.list[index];
        entry.state = state;
        entry.since = self.now.mono;
        entry.failure = failure;
        entry.leftover = None;
        if state == GroupState::Held {
            entry.offered = false;
        } else {
            entry.since_partition = false;
            entry.contested = false;
        }
        self.changed();
        self.watch_group(index);
        self.on_group_settled(index);
        self.forget_removed();
        self.run_next();
    }

    /// A group that failed everywhere is tried again after a while; its home node first.
    pub(super) fn forget_failure(&mut self, key: &str) {
        let Some(index) = self.groups.find(key) else { return };
        if self.groups.state(index) != GroupState::Failed || self.settings.on_start_failure == OnStartFailure::Stay {
            return;
        }
        let nobody = self.is_alone() || self.peer.holds.get(index) == Some(&PeerHold::Failed);
        let patience = if self.is_own(index) { CALM } else { CALM + CALM / 10 };
        let ripe = self.groups.list[index].since + patience;
        if nobody && self.now.mono >= ripe {
            self.report(Report::FailureForgotten { group: key.to_owned() });
            self.groups.forgive(index);
        } else {
            let next = if ripe > self.now.mono { ripe } else { self.now.mono + CALM / 10 };
            self.timers.set(Timer::Forget(key.to_owned()), next);
        }
    }

    /// An operator has mended something: a failed group may start again, a blocked one is stopped once more.
    pub(super) fn retry_group(&mut self, key: &str) -> Result<(), String> {
        let known = || (0..self.groups.len()).map(|index| self.groups.key(index)).collect::<Vec<_>>().join(", ");
        let named = |group: &Group| group.spec.key() == key || group.spec.resources.iter().any(|r| r.word == key);
        let Some(index) = self.groups.list.iter().position(named) else {
            return Err(format!("there is no resource group \"{key}\"; there are: {}", known()));
        };
        match self.groups.state(index) {
            GroupState::Failed => {
                self.groups.forgive(index);
                self.groups.list[index].failure = None;
                self.monitors.forget(&self.groups.key(index));
                self.report(Report::FailureForgotten { group: self.groups.key(index) });
            }
            GroupState::Blocked => self.groups.want_unblocked(index),
            GroupState::Free | GroupState::Held | GroupState::Starting | GroupState::Stopping => {
                return Err(format!("{key} has not failed here: nothing to retry"));
            }
        }
        self.changed();
        Ok(())
    }

    fn forget_removed(&mut self) {
        let gone = |group: &Group| group.removed && matches!(group.state, GroupState::Free | GroupState::Failed);
        while let Some(index) = self.groups.list.iter().position(gone) {
            let group = self.groups.list.remove(index);
            self.monitors.forget(group.spec.key());
            self.peer.holds.remove(index);
            let queued = self.groups.queue.iter_mut().map(|task| &mut task.0);
            let running = self.groups.running.iter_mut().map(|running| &mut running.index);
            queued.chain(running).filter(|at| **at > index).for_each(|at| *at -= 1);
        }
    }

    fn on_stop_failed(&mut self, lane: u64, resource: &str) {
        self.report(Report::StopFailed { resource: resource.to_owned() });
        let resource_name = resource.to_owned();
        let exit = match self.settings.on_stop_failure {
            OnStopFailure::Reboot => Some(ExitReason::Reboot { resource: resource_name }),
            // Falling silent helps only where silence is answered by fencing.
            OnStopFailure::Fence if self.must_fence() && !self.is_alone() => {
                Some(ExitReason::ToBeFenced { resource: resource_name })
            }
            OnStopFailure::Fence | OnStopFailure::Block => None,
        };
        if let Some(reason) = exit {
            self.out.push(Action::Exit(reason));
            self.exited = true;
            return;
        }
        let Some(running) = self.groups.end_lane(lane) else { return };
        let group = self.groups.key(running.index);
        let entry = &mut self.groups.list[running.index];
        entry.state = GroupState::Blocked;
        entry.since = self.now.mono;
        entry.failure = Some(format!("{resource} does not stop"));
        self.report(Report::GroupBlocked { group, resource: resource.to_owned() });
        self.changed();
        self.run_next();
    }
}
