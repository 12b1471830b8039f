//! The processes that run resource scripts: a queue of jobs, one at a time, and children beside it (`resources.md` 1.4),
//! each a list of steps as `ResourceManager` takes them (`resources.md` 3.2). Nothing limits them; the end of one wakes the master.

use std::collections::VecDeque;
use std::time::Duration;

use crate::cluster::{Action, ExitReason};
use crate::haresources::{Invocation, Outcome, Resource, ResourceGroup, Verb};
use crate::names::JobId;
use crate::time::Mono;
use crate::wire::{Kind, Message, field};

use super::{Arrival, Hold, Original, Phase};

/// Longer than any play lasts.
pub(super) const NO_LIMIT: Duration = Duration::from_secs(30 * 24 * 3600);
/// What a shell takes before its first script, and between two resources.
const SHELL: Duration = Duration::from_millis(90);
const FORK: Duration = Duration::from_millis(40);
const STOP_AGAIN: Duration = Duration::from_secs(1);
const STOP_TRIES: u32 = 10;
/// After so long a group that failed to start makes its node go standby, with the wrong set (`resources.md` 12.2 e).
const FAILED_START: Duration = Duration::from_secs(30);

/// What waits until nothing else runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Job {
    /// All groups of a node that died or left.
    MachDown,
    /// One group, by its key.
    TakeGroup(String),
    /// One group is given to the other node, if it runs (legacy).
    GiveAddress(String),
    /// `hb_standby` of this set.
    Standby(String),
}

/// One step of a process.
#[derive(Clone, Debug)]
enum Step {
    Pause(Duration),
    /// `req_resource`: asks for the group with this first resource unless it runs.
    Check(Resource),
    /// `rc.d/ip-request`: gives this group if it runs, and answers.
    Offer(ResourceGroup),
    /// A resource of a group that is taken.
    Take(Resource, ResourceGroup),
    Start(Resource, ResourceGroup),
    Stop(Resource, u32),
    /// A stop has failed for good: does it run?
    Judge(Resource),
    Say(Message),
    Log(String),
}

/// A process.
#[derive(Debug)]
pub(super) struct Worker {
    steps: VecDeque<Step>,
    waits: Wait,
}

#[derive(Debug)]
enum Wait {
    Nothing,
    Until(Mono),
    Script(JobId, Step),
}

impl Worker {
    pub(super) fn next_deadline(&self) -> Option<Mono> {
        match self.waits {
            Wait::Until(at) => Some(at),
            Wait::Nothing | Wait::Script(..) => None,
        }
    }
}

impl Original {
    pub(super) fn enqueue(&mut self, job: Job) {
        self.jobs.push_back(job);
        self.start_job();
    }

    /// The next job, when no process of any kind runs.
    pub(super) fn start_job(&mut self) {
        while self.workers.is_empty() {
            let Some(job) = self.jobs.pop_front() else { return };
            let steps = self.steps_of(&job);
            self.fork(steps);
        }
    }

    fn steps_of(&self, job: &Job) -> Vec<Step> {
        let mut steps = vec![Step::Pause(SHELL)];
        match job {
            Job::MachDown => {
                self.groups_of(Hold::FOREIGN).for_each(|group| steps.extend(take(group)));
                let done = Message::new(&Kind::Resource).with(field::RSC_HOLD, "foreign");
                steps.push(Step::Log(format!("mach_down takeover complete for node {}.", self.other)));
                steps.push(Step::Say(done.with(field::INFO, "mach_down")));
                if self.is_legacy() {
                    steps.pop();
                }
            }
            Job::TakeGroup(key) => self.keyed(key).for_each(|group| steps.extend(take(group))),
            Job::GiveAddress(key) => steps.extend(self.keyed(key).map(|group| Step::Offer(group.clone()))),
            Job::Standby(set) => {
                let ask = Message::new(&Kind::AskResources).with(field::RSC_HOLD, set.as_str());
                steps.push(Step::Log(format!("Going standby [{set}].")));
                steps.push(Step::Say(ask.with(field::INFO, "me")));
            }
        }
        steps
    }

    /// `req_our_resources`.
    pub(super) fn work_for_own(&mut self) {
        let mut steps = vec![Step::Pause(FORK)];
        steps.extend(self.groups_of(Hold::LOCAL).filter_map(|group| group.resources.first().cloned()).map(Step::Check));
        steps.push(Step::Log("Local Resource acquisition completed.".to_owned()));
        if !self.is_legacy() {
            steps.push(Step::Say(self.claim(true).with(field::INFO, "req_our_resources()")));
        }
        self.fork(steps);
    }

    /// The giver's child of a hand-over; an unknown set ends without a word.
    pub(super) fn work_to_give(&mut self, held: Hold, set: &str) {
        if held == Hold::NONE {
            return self.log(format!("ERROR: encode_resources: bad resource type [{set}]"));
        }
        let mut steps = vec![Step::Log(format!("give up {set} HA resources (standby).")), Step::Pause(SHELL)];
        self.groups_of(held).for_each(|group| steps.extend(give(group)));
        steps.push(Step::Log(format!("{set} HA resource release completed (standby).")));
        steps.push(Step::Say(done(set)));
        self.fork(steps);
    }

    /// The taker's child of a hand-over, and of the other's farewell; `set` as the giver calls it.
    pub(super) fn take_for_standby(&mut self, held: Hold, set: Option<&str>) {
        if held == Hold::NONE {
            return;
        }
        let mut steps = vec![Step::Log(format!("acquire {} HA resources (standby).", held.as_str()))];
        steps.push(Step::Pause(SHELL));
        self.groups_of(held).for_each(|group| steps.extend(take(group)));
        steps.push(Step::Log(format!("{} HA resource acquisition completed (standby).", held.as_str())));
        steps.extend(set.map(|set| Step::Say(done(set))));
        self.fork(steps);
    }

    /// Every line of the file is stopped, the other's too, whether it runs or not.
    pub(super) fn work_to_give_up(&mut self) {
        let mut steps = vec![Step::Log("Giving up all HA resources.".to_owned()), Step::Pause(SHELL)];
        self.groups.iter().for_each(|group| steps.extend(give(group)));
        steps.push(Step::Log("All HA resources relinquished.".to_owned()));
        steps.push(Step::Say(Message::new(&Kind::ShutDone).with(field::ST, "dead")));
        self.fork(steps);
    }

    fn groups_of(&self, held: Hold) -> impl Iterator<Item = &ResourceGroup> {
        let side = |group: &ResourceGroup| if group.owner == self.settings.me { Hold::LOCAL } else { Hold::FOREIGN };
        self.groups.iter().filter(move |group| held.has(side(group)))
    }

    fn keyed(&self, key: &str) -> impl Iterator<Item = &ResourceGroup> {
        self.groups.iter().filter(move |group| group.key() == key)
    }

    fn fork(&mut self, steps: Vec<Step>) {
        self.workers.push(Worker { steps: steps.into(), waits: Wait::Nothing });
        self.advance(self.workers.len() - 1);
    }

    /// A script has ended.
    pub(super) fn on_script(&mut self, job: JobId, outcome: &Outcome) {
        let is_it = |worker: &Worker| matches!(&worker.waits, Wait::Script(waited, _) if *waited == job);
        let Some(at) = self.workers.iter().position(is_it) else { return };
        if let Wait::Script(_, step) = std::mem::replace(&mut self.workers[at].waits, Wait::Nothing) {
            self.judge(at, step, outcome);
            self.go_on(at);
        }
    }

    /// Processes whose pause is over.
    pub(super) fn on_pause_over(&mut self) {
        let now = self.now.mono;
        let is_due = |worker: &Worker| worker.next_deadline().is_some_and(|at| at <= now);
        while let Some(at) = self.workers.iter().position(is_due) {
            self.workers[at].waits = Wait::Nothing;
            self.go_on(at);
        }
    }

    fn go_on(&mut self, at: usize) {
        self.advance(at);
        let is_over = |worker: &Worker| worker.steps.is_empty() && matches!(worker.waits, Wait::Nothing);
        if self.workers.get(at).is_some_and(is_over) {
            self.workers.remove(at);
            if self.phase == Phase::Lives {
                self.wake();
            }
        }
    }

    /// Goes on with a process until it waits.
    fn advance(&mut self, at: usize) {
        while let Some(step) = self.workers[at].steps.pop_front() {
            match &step {
                Step::Say(message) => self.inbox.push_back(Arrival::Fifo(message.clone())),
                Step::Log(text) => self.log(text.clone()),
                Step::Pause(time) => {
                    self.workers[at].waits = Wait::Until(self.now.mono + *time);
                    return;
                }
                Step::Check(resource) | Step::Take(resource, _) | Step::Judge(resource) => {
                    return self.call(at, resource.clone(), Verb::Status, step);
                }
                Step::Offer(group) => {
                    if let Some(resource) = group.resources.first().cloned() {
                        return self.call(at, resource, Verb::Status, step);
                    }
                }
                Step::Start(resource, _) => return self.call(at, resource.clone(), Verb::Start, step),
                Step::Stop(resource, _) => return self.call(at, resource.clone(), Verb::Stop, step),
            }
        }
    }

    fn call(&mut self, at: usize, resource: Resource, verb: Verb, step: Step) {
        let job = self.run(Invocation { resource, verb });
        self.workers[at].waits = Wait::Script(job, step);
    }

    /// What follows from the end of a script: only words count for `status`, only the exit code for the others.
    fn judge(&mut self, at: usize, step: Step, outcome: &Outcome) {
        match step {
            Step::Check(resource) if !outcome.says_running() => {
                let request = self.request_for(&resource.word);
                self.next(at, [Step::Say(request)]);
            }
            Step::Offer(group) => {
                let runs = outcome.says_running();
                let answer = answer(self.other.as_str(), group.key(), runs);
                let mut steps = if runs { give(&group) } else { Vec::new() };
                steps.push(Step::Say(answer));
                self.next(at, steps);
            }
            Step::Take(resource, group) if !outcome.says_running() => {
                self.next(at, [Step::Start(resource, group)]);
            }
            Step::Start(resource, group) if !outcome.succeeded() => self.give_up(at, &resource, &group),
            Step::Stop(resource, tries) if !outcome.succeeded() => {
                if tries < STOP_TRIES {
                    self.log(format!("Retrying failed stop operation [{}]", resource.word));
                    self.next(at, [Step::Pause(STOP_AGAIN), Step::Stop(resource, tries + 1)]);
                } else {
                    self.next(at, [Step::Judge(resource)]);
                }
            }
            Step::Judge(resource) if outcome.says_running() => {
                self.log("CRIT: Resource STOP failure. Reboot required!");
                self.act(Action::Exit(ExitReason::Reboot { resource: resource.to_string() }));
            }
            Step::Judge(_) => self.log("WARN: Machine reboot narrowly avoided!"),
            Step::Pause(_)
            | Step::Check(_)
            | Step::Take(..)
            | Step::Start(..)
            | Step::Stop(..)
            | Step::Say(_)
            | Step::Log(_) => {}
        }
    }

    /// A start failed: the whole group is stopped, the claim stays, and half a minute later something else moves.
    fn give_up(&mut self, at: usize, resource: &Resource, group: &ResourceGroup) {
        self.log(format!("CRIT: Giving up resources due to failure of {}", resource.word));
        let of_group = |step: &Step| matches!(step, Step::Take(_, of) if of.line == group.line);
        // Between two resources stands the pause of a fork.
        while self.workers[at].steps.iter().take(2).any(of_group) {
            self.workers[at].steps.pop_front();
        }
        self.next(at, give(group));
        self.to_give_up.push(self.now.mono + FAILED_START);
    }

    /// Background `hb_standby foreign`: always `foreign`.
    pub(super) fn give_up_what_failed(&mut self) {
        let now = self.now.mono;
        let (due, later) = self.to_give_up.iter().partition(|at| **at <= now);
        self.to_give_up = later;
        for _ in Vec::<Mono>::from_iter(due) {
            self.log("Going standby [foreign].");
            let ask = Message::new(&Kind::AskResources).with(field::RSC_HOLD, "foreign");
            self.inbox.push_back(Arrival::Fifo(ask.with(field::INFO, "me")));
        }
    }

    /// Puts steps before all others of a process.
    fn next(&mut self, at: usize, steps: impl IntoIterator<Item = Step>) {
        let steps: Vec<Step> = steps.into_iter().collect();
        steps.into_iter().rev().for_each(|step| self.workers[at].steps.push_front(step));
    }
}

/// `takegroup`: left to right, those that run are skipped.
fn take(group: &ResourceGroup) -> Vec<Step> {
    let of = |resource: &Resource| [Step::Pause(FORK), Step::Take(resource.clone(), group.clone())];
    group.resources.iter().flat_map(of).collect()
}

/// `givegroup`: right to left, all are stopped, whether they run or not.
fn give(group: &ResourceGroup) -> Vec<Step> {
    let of = |resource: &Resource| [Step::Pause(FORK), Step::Stop(resource.clone(), 0)];
    group.resources.iter().rev().flat_map(of).collect()
}

fn done(set: &str) -> Message {
    Message::new(&Kind::AskResources).with(field::RSC_HOLD, set).with(field::INFO, "done")
}

/// `ip-request-resp` to that node.
pub(super) fn answer(to: &str, key: &str, owned: bool) -> Message {
    let answer = Message::new(&Kind::IpRequestResp).with(field::DEST, to).with(field::IPADDR, key);
    answer.with(field::WEOWN, if owned { "yes" } else { "no" }).with(field::OK, "OK")
}
