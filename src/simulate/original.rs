//! A node that runs the original heartbeat: a value with virtual time that beats, answers, takes, gives and restarts
//! itself as 3.0.6 and 2.1.3 were seen to do (`resources.md` 1 to 5, 10 and 12, `wire.md` 4 to 6). So every schedule
//! can be played with an original as peer, and no core needs to be told beforehand what the other will say.
//!
//! It has the original's faults on purpose: what arrives is looked at twice a second, claims are intentions, scripts
//! have no limit, the end of a partition restarts it. It decides nothing for ours; only the rig uses it.
//!
//! `membership` says who lives, `sending` numbers and repeats, `resources` is the state machine, `standby` the
//! hand-over, `worker` the scripts, `leaving` the end of a life, `hook` its place in the rig.

mod hold;
mod hook;
mod leaving;
mod legacy;
mod membership;
mod resources;
mod sending;
mod stage;
mod standby;
mod worker;

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::time::Duration;

use hold::Hold;
use leaving::Leaving;
use membership::{Peer, Ping};
use sending::Sent;
use stage::Stage;
use standby::Standby;
use worker::{Job, Worker};

use crate::cluster::{Action, AutoFailback, Event, Request, Settings, Status};
use crate::haresources::{Invocation, ResourceGroup};
use crate::names::{JobId, NodeName};
use crate::time::{Mono, Now};
use crate::wire::{Kind, Message, field};

/// Housekeeping: nothing that arrives is looked at before the next of these, or the next beat (`resources.md` 1.5).
const HOUSEKEEPING: Duration = Duration::from_millis(500);
/// From the start of the program to its first word.
const BOOTS: Duration = Duration::from_millis(100);
/// For so long after its start a node asks for two seconds more of patience.
const NEW_FOR: Duration = Duration::from_secs(5);

/// A release of the original heartbeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// Of CentOS 5.
    V2_1_3,
    /// Of Debian 12.
    V3_0_6,
}

impl Version {
    /// The release of that number.
    pub fn from_text(text: &str) -> Option<Version> {
        [Version::V2_1_3, Version::V3_0_6].into_iter().find(|version| version.to_string() == text)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Version::V2_1_3 => "2.1.3",
            Version::V3_0_6 => "3.0.6",
        })
    }
}

/// What the original does, besides what a core of ours can ask for.
#[derive(Debug)]
pub(super) enum Act {
    Do(Action),
    Log(String),
}

/// What waits to be looked at.
#[derive(Debug)]
enum Arrival {
    Wire(Message),
    Fifo(Message),
}

/// Where a life stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// The program starts; nobody hears it, nor it anybody.
    Boots(Mono),
    Lives,
    /// Between the end of a life and the next (`resources.md` 5.3).
    Sleeps(Mono),
}

/// One node that runs the original.
#[derive(Debug)]
pub(super) struct Original {
    version: Version,
    settings: Settings,
    groups: Vec<ResourceGroup>,
    other: NodeName,
    now: Now,
    /// Its master stands still; what its children did is found when it goes on.
    still: bool,
    children_ended: bool,
    acts: Vec<Act>,
    phase: Phase,
    started: Mono,
    status: Status,
    is_new: bool,
    next_beat: Mono,
    next_look: Mono,
    inbox: VecDeque<Arrival>,
    sent: Sent,
    peer: Peer,
    pings: BTreeMap<NodeName, Ping>,
    asks_nodes_at: Mono,
    mine: Hold,
    theirs: Hold,
    stage: Stage,
    other_stable: bool,
    takeover_in_progress: bool,
    standby: Standby,
    standby_deadline: Option<Mono>,
    needs_failback: bool,
    failback_at: Option<Mono>,
    local_deadline: Option<Mono>,
    workers: Vec<Worker>,
    jobs: VecDeque<Job>,
    next_job: u64,
    /// Background `hb_standby foreign` of groups that failed to start.
    to_give_up: Vec<Mono>,
    fencing: Option<JobId>,
    fence_at: Option<Mono>,
    leaving: Leaving,
    partition_ends_at: Option<Mono>,
}

impl Original {
    /// The program starts. `None` unless the settings name another node.
    pub(super) fn boot(
        version: Version,
        settings: Settings,
        groups: Vec<ResourceGroup>,
        generation: u64,
        now: Now,
    ) -> Option<Original> {
        let other = settings.nodes.iter().find(|node| **node != settings.me)?.clone();
        let pings = settings.media.iter().filter_map(|medium| medium.ping_node.clone());
        Some(Original {
            version,
            pings: pings.map(|node| (node, Ping::default())).collect(),
            peer: Peer::unknown(settings.deadtime),
            other,
            groups,
            now,
            still: false,
            children_ended: false,
            acts: Vec::new(),
            phase: Phase::Boots(now.mono + BOOTS),
            started: now.mono,
            status: Status::Init,
            is_new: true,
            next_beat: now.mono,
            next_look: now.mono,
            inbox: VecDeque::new(),
            sent: Sent::new(generation, settings.me.as_str()),
            asks_nodes_at: now.mono,
            mine: Hold::NONE,
            theirs: Hold::NONE,
            stage: Stage::Init,
            other_stable: false,
            takeover_in_progress: false,
            standby: Standby::Not,
            standby_deadline: None,
            needs_failback: false,
            failback_at: None,
            local_deadline: None,
            workers: Vec::new(),
            jobs: VecDeque::new(),
            next_job: 0,
            to_give_up: Vec::new(),
            fencing: None,
            fence_at: None,
            leaving: Leaving::No,
            partition_ends_at: None,
            settings,
        })
    }

    /// Takes the time and one event; returns what it does. While its master stands `still`, scripts go on.
    pub(super) fn handle(&mut self, now: Now, event: Event, still: bool) -> Vec<Act> {
        self.now = now;
        self.still = still;
        match event {
            Event::Message { message, .. } => self.inbox.push_back(Arrival::Wire(message)),
            Event::Local(message) => self.inbox.push_back(Arrival::Fifo(message)),
            Event::Tick if still => self.on_pause_over(),
            Event::Tick => self.tick(),
            Event::Done { job, outcome } if self.fencing == Some(job) => self.on_fenced(&outcome),
            Event::Done { job, outcome } => self.on_script(job, &outcome),
            Event::Request { request, .. } => self.on_command(&request),
            // The scripts read haresources at each call; a changed ha.cf waits for the next start.
            Event::Reconfigure(files) => self.groups = files.1,
            Event::Leave => self.on_order_to_leave(),
            Event::Medium { .. } | Event::Upgrade => {}
        }
        if self.phase != Phase::Lives {
            self.inbox.clear();
        }
        std::mem::take(&mut self.acts)
    }

    /// When it wants to be told the time.
    pub(super) fn next_deadline(&self) -> Mono {
        match self.phase {
            Phase::Boots(until) | Phase::Sleeps(until) => until,
            Phase::Lives => {
                let timers = [self.leaving.next_deadline(), self.peer.next_request()];
                let due = timers.into_iter().flatten().chain(self.to_give_up.iter().copied());
                let first = if self.children_ended { Mono::ZERO } else { self.next_beat.min(self.next_look) };
                due.fold(first, Mono::min)
            }
        }
    }

    /// When one of its scripts' shells goes on.
    pub(super) fn next_pause(&self) -> Option<Mono> {
        self.workers.iter().filter_map(Worker::next_deadline).min()
    }

    /// The generation of its present life.
    pub(super) fn generation(&self) -> u64 {
        self.sent.generation
    }

    fn tick(&mut self) {
        match self.phase {
            Phase::Boots(until) if self.now.mono >= until => self.first_words(),
            Phase::Sleeps(until) if self.now.mono >= until => self.next_life(),
            // Its scripts go on.
            Phase::Boots(_) | Phase::Sleeps(_) => self.on_pause_over(),
            Phase::Lives => self.live(),
        }
    }

    /// Three status messages at once (`wire.md` 6.1).
    fn first_words(&mut self) {
        self.phase = Phase::Lives;
        self.next_beat = self.now.mono + self.settings.keepalive;
        self.next_look = self.now.mono + HOUSEKEEPING;
        self.beat(Duration::ZERO);
        self.status = Status::Up;
        self.log("Local status now set to: 'up'");
        self.beat(Duration::ZERO);
        self.beat(Duration::ZERO);
    }

    fn live(&mut self) {
        let now = self.now.mono;
        self.ask_again();
        self.give_up_what_failed();
        let wakes = self.next_beat <= now || self.next_look <= now || self.leaving.is_over(now) || self.children_ended;
        if self.next_beat <= now {
            self.beat(Duration::ZERO);
            self.next_beat = next_on_grid(self.next_beat, self.settings.keepalive, now);
        }
        if self.next_look <= now {
            self.next_look = next_on_grid(self.next_look, HOUSEKEEPING, now);
        }
        self.on_pause_over();
        if wakes {
            self.wake();
        }
    }

    /// Something woke the master process: everything that had arrived is handled, then what is due.
    fn wake(&mut self) {
        self.children_ended = self.still;
        if self.still {
            return;
        }
        while let Some(arrival) = self.inbox.pop_front() {
            match arrival {
                Arrival::Wire(message) => self.receive(&message),
                Arrival::Fifo(message) => self.send(message),
            }
        }
        self.look_for_the_dead();
        self.look_at_resources();
        self.start_job();
        self.try_to_leave();
    }

    /// One heartbeat that asks for this much more patience.
    fn beat(&mut self, more: Duration) {
        if self.is_new && self.now.mono.since(self.started) >= NEW_FOR {
            self.is_new = false;
        }
        let is_new = Duration::from_secs(if self.is_new { 2 } else { 0 });
        let patience = (self.settings.deadtime + is_new + more).as_millis();
        let status = Message::new(&Kind::Status).with(field::ST, self.status.as_str());
        self.send(status.with(field::DT, format!("{patience:x}")).with(field::PROTOCOL, "1"));
    }

    /// The commands only write into the FIFO (`resources.md` 4.1).
    fn on_command(&mut self, request: &Request) {
        let message = match request {
            Request::Standby(set) => {
                self.log(format!("Going standby [{set}]."));
                Message::new(&Kind::AskResources).with(field::RSC_HOLD, set.to_text()).with(field::INFO, "me")
            }
            Request::Takeover(set) => Message::new(&Kind::HbTakeover).with(field::RSC_HOLD, set.to_text()),
            Request::Retry(_) | Request::Move(..) | Request::Bring(_) | Request::Forget(_) => return,
        };
        self.inbox.push_back(Arrival::Fifo(message));
    }

    /// Runs a script; nothing limits it.
    fn run(&mut self, invocation: Invocation) -> JobId {
        self.next_job += 1;
        let job = JobId(self.next_job);
        self.act(Action::Run { job, invocation, limit: worker::NO_LIMIT });
        job
    }

    fn is_legacy(&self) -> bool {
        self.settings.auto_failback == AutoFailback::Legacy
    }

    fn act(&mut self, action: Action) {
        self.acts.push(Act::Do(action));
    }

    fn log(&mut self, text: impl Into<String>) {
        self.acts.push(Act::Log(text.into()));
    }
}

/// Beats are on a fixed grid; those missed are not made up for.
fn next_on_grid(due: Mono, every: Duration, now: Mono) -> Mono {
    let mut next = due + every;
    if next <= now {
        next = now + every;
    }
    next
}
