//! The chains of scripts that run, each in a lane of its own (`resources.md` 3.1, 3.2).

use crate::haresources::{Chain, ChainReport, Outcome, ResourceGroup, Step, Verb};
use crate::names::JobId;
use crate::time::Mono;

use super::super::monitor::CALM;
use super::super::timer::Timer;
use super::super::{Action, Cluster, GroupState, Report};
use super::{Doubt, Group, Groups, Wish};

/// A chain on its way.
#[derive(Debug)]
pub(super) struct Running {
    /// Never used twice, for its pauses.
    pub(super) lane: u64,
    pub(super) index: usize,
    pub(super) wish: Wish,
    pub(super) chain: Chain,
    pub(super) job: Option<JobId>,
    pub(super) call: String,
    pub(super) since: Mono,
}

impl Groups {
    fn lane(&mut self, lane: u64) -> Option<&mut Running> {
        self.running.iter_mut().find(|running| running.lane == lane)
    }

    pub(super) fn end_lane(&mut self, lane: u64) -> Option<Running> {
        let at = self.running.iter().position(|running| running.lane == lane)?;
        Some(self.running.remove(at))
    }

    /// What goes down with a group: what was started with it, unless another group that stays here has it by now.
    fn to_release(&self, index: usize) -> ResourceGroup {
        let mut spec = self.list[index].running_spec().clone();
        if self.list[index].as_started.is_some() {
            let stays = |group: &&Group| matches!(group.state, GroupState::Held | GroupState::Starting);
            let staying = || self.list.iter().filter(stays).flat_map(|group| &group.running_spec().resources);
            spec.resources.retain(|resource| !staying().any(|other| other == resource));
        }
        spec
    }

    /// A number no job has had.
    pub(in crate::cluster) fn next_job(&mut self) -> JobId {
        let job = JobId(self.next_job);
        self.next_job = self.next_job.saturating_add(1);
        job
    }
}

impl Cluster {
    /// Starts whatever in the queue need not wait.
    pub(in crate::cluster) fn run_next(&mut self) {
        let settled = self.joining.is_settled();
        let may_start = self.adoption.goes_on() || settled;
        let knows = settled && !self.own_sleep.is_in_doubt();
        while let Some((index, wish)) = self.groups.take_next(may_start, knows) {
            let group = &self.groups.list[index];
            let (spec, owner, resources) = (group.running_spec(), group.spec.owner.clone(), group.words());
            let (report, (chain, step)) = match wish {
                Wish::Acquire => (Some(Report::Acquiring { owner, resources }), Chain::acquire(spec)),
                // Said by whoever asked for it.
                Wish::Restart(from) => (None, Chain::restart(spec, from)),
                Wish::Resume => (Some(Report::Acquiring { owner, resources }), Chain::resume(spec)),
                Wish::Check => (Some(Report::Checking { owner, resources }), Chain::resume(spec)),
                Wish::Release | Wish::LetGo | Wish::GiveUp => {
                    (Some(Report::Releasing { owner, resources }), Chain::release(&self.groups.to_release(index)))
                }
            };
            if wish == Wish::Acquire && self.is_taken_over(index) {
                let group = self.groups.key(index);
                self.report(Report::TakingOverGroup { group });
            }
            report.into_iter().for_each(|report| self.report(report));
            if wish == Wish::Acquire && self.is_own(index) {
                self.notify_own_start(index);
            }
            let lane = self.groups.next_lane;
            self.groups.next_lane = self.groups.next_lane.saturating_add(1);
            let running = Running { lane, index, wish, chain, job: None, call: String::new(), since: self.now.mono };
            self.groups.running.push(running);
            self.follow(lane, step);
        }
    }

    /// A script has ended. Answers to runs we no longer wait for are ignored.
    pub(in crate::cluster) fn on_script_done(&mut self, job: JobId, outcome: &Outcome) {
        if self.on_idle_check(job, outcome) {
            return;
        }
        let Some(running) = self.groups.running.iter_mut().find(|running| running.job == Some(job)) else { return };
        running.job = None;
        let sleeps = self.own_sleep.is_in_doubt() && self.groups.list[running.index].doubt == Doubt::Overslept;
        if sleeps && running.wish == Wish::Acquire && running.chain.has_begun_nothing() {
            // It goes on when the other has said that it did not take it meanwhile.
            let (lane, index) = (running.lane, running.index);
            self.groups.end_lane(lane);
            return self.groups.queue.push_front((index, Wish::Acquire));
        }
        let (lane, step) = (running.lane, running.chain.on_done(outcome));
        self.follow(lane, step);
    }

    pub(in crate::cluster) fn on_pause_over(&mut self, lane: u64) {
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
        let notes = self.groups.lane(lane).map(|running| running.chain.take_reports()).unwrap_or_default();
        for note in notes {
            self.report(match note {
                ChainReport::ScriptFailed { call, exit } => Report::ScriptFailed { call, ended: exit.to_string() },
                ChainReport::GivingUp { resource } => Report::GivingUp { resource },
                ChainReport::RetryingStop { resource } => Report::RetryingStop { resource },
                ChainReport::NotLsb { resource } => Report::NotLsb { resource },
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
        if state == GroupState::Held {
            entry.offered = false;
        } else {
            entry.as_started = None;
            entry.since_partition = false;
            entry.contested = false;
            entry.doubt = Doubt::No;
        }
        self.changed();
        self.watch_group(index);
        self.answer_ip_request(index);
        if state == GroupState::Failed {
            self.give_failed_group(index);
        }
        self.forget_removed();
        self.run_next();
    }
}
