//! The core: nodes, links, deadtime, takeover, standby, failback, as a value.
//!
//! [`Cluster::handle`] takes the time and one event and returns what to do; [`Cluster::next_deadline`] says when to
//! call it with [`Event::Tick`]; [`Cluster::view`] shows what is. It opens nothing, waits for nothing, reads no clock.
//! Implements `wire.md` 4 to 6 and `resources.md` 1 to 5; `takeover.md` says where it does otherwise and why.
//!
//! Reading order: `event`, `action`, this file, `local_input` (what is asked here), `membership` (who lives), `dialogues` (how two
//! nodes agree, as tables), `joining`, `takeover` (who should hold what), `groups` (making it so), `standby` (hand-overs),
//! `failback`, `partition`, `shutdown`, `legacy`; then, each by itself, `adopt` (our own death), `sleep`, `deaf`, `proof`,
//! `fence`, `monitor` and `peer_facts`. A folder holds what a file of its name is made of. No file imports from one that
//! imports from it.
//!
//! ```text
//! event ──> local_input (what is asked here), membership (messages, silence) ──> node, link, sequence, gaps, retransmit
//!       ──> joining, takeover, standby, failback, partition, shutdown, legacy ──> dialogues
//!       ──> groups ──> Action::Run          claims, send, pending_actions ──> Action::Send          report ──> Action::Report
//! timer: the next `Tick`       notes, adopt: what a successor needs       view, rscstatus: what others are shown
//! settings, reconfigure (files reread), request (what may be asked), sent_messages, answer_limits, milestones
//! delivery: what programs here hear     by_hand: helpers of the original     twin: a second machine with our name
//! ```

// Numbers from outside are reckoned with here: what could go beyond its range is said to saturate, or checked.
#![cfg_attr(not(test), deny(clippy::arithmetic_side_effects))]

mod action;
mod adopt;
mod answer_limits;
mod by_hand;
mod claims;
mod deaf;
mod delivery;
mod dialogues;
mod event;
mod failback;
mod fence;
mod gaps;
mod groups;
mod joining;
mod legacy;
mod link;
mod local_input;
mod membership;
mod milestones;
mod monitor;
mod node;
mod notes;
mod partition;
mod peer_facts;
mod pending_actions;
mod proof;
mod reconfigure;
mod report;
mod request;
mod retransmit;
mod rscstatus;
mod send;
mod sent_messages;
mod sequence;
mod settings;
mod shutdown;
mod sleep;
mod standby;
mod takeover;
mod timer;
mod twin;
mod view;

use crate::haresources::{Outcome, ResourceGroup};
use crate::names::{JobId, NodeName};
use crate::time::{Mono, Now};
use crate::wire::{Generation, Sequence};

pub use action::{Action, Class, ExitReason};
pub use event::{Event, MediumCondition};
pub use gaps::GapsView;
pub use groups::GroupState;
pub use notes::{Handover, NotedGroup, Notes, Past, Silence};
pub use report::{EventName, Level, LogLine, Mood, Outside, Program, Report, Scope, Shown, phrases};
pub use request::{Request, Response, Set};
pub use settings::{AutoFailback, Medium, Monitor, OnStartFailure, OnStopFailure, Probe, ScriptTimeouts, Settings};
pub(crate) use standby::WHY;
pub use view::{GroupView, LinkView, NodeView, PeerFacts, View};

use adopt::Adoption;
use deaf::Deafness;
use delivery::HeldMessages;
use failback::Failback;
use fence::Fences;
use groups::Groups;
use joining::Joining;
use legacy::IpRequests;
use membership::Members;
use milestones::Milestones;
use monitor::Monitors;
use node::Node;
use partition::Conflict;
use peer_facts::FactExchange;
use pending_actions::PendingActions;
use rscstatus::EmptySides;
use send::SendState;
use shutdown::Shutdown;
use sleep::OwnSleep;
use standby::HandOver;
use takeover::{Peer, Takeover};
use timer::{Timer, TimerTable};
use twin::OwnName;

/// What a node says of itself, or what we say of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Just started, or never heard.
    Init,
    /// Its media are open.
    Up,
    /// It has heard everybody or given them up.
    Active,
    /// Silent for too long.
    Dead,
    /// A ping node that answers.
    Ping,
}

impl Status {
    /// The word on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Status::Init => "init",
            Status::Up => "up",
            Status::Active => "active",
            Status::Dead => "dead",
            Status::Ping => "ping",
        }
    }

    /// The status a word on the wire means.
    pub fn from_text(text: &str) -> Option<Status> {
        [Status::Init, Status::Up, Status::Active, Status::Dead, Status::Ping].into_iter().find(|s| s.as_str() == text)
    }
}

/// What a node brings to its start.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct StartFacts {
    /// Already counted up and on disk.
    pub generation: Generation,
    /// From `hb_uuid`.
    pub uuid: [u8; 16],
    /// For the random delays and the ack trigger; any number.
    pub seed: u64,
    /// How far each node was heard before our restart, as [`Action::Remember`] said it.
    pub remembered: Vec<(NodeName, Generation, Sequence)>,
    /// By how many seconds the clock of each was ahead of ours then. Not in records from before.
    #[serde(default)]
    pub clocks: Vec<(NodeName, i64)>,
    /// What was before.
    pub past: Past,
    /// How long nothing had been heard of us; `None` when nothing was before, or nobody could notice.
    #[serde(default)]
    pub silence: Option<Silence>,
    /// Notes may be older than what was done after them: what they call free is asked too. Not in records from before.
    #[serde(default)]
    pub doubts_notes: bool,
    /// Its predecessor was told to leave, and may not have written that down.
    #[serde(default)]
    pub leaves: bool,
}

impl StartFacts {
    /// A first life: nothing was before, nobody was heard.
    pub fn new(generation: Generation, uuid: [u8; 16], seed: u64) -> StartFacts {
        StartFacts {
            generation,
            uuid,
            seed,
            remembered: vec![],
            clocks: vec![],
            past: Past::Fresh,
            silence: None,
            doubts_notes: true,
            leaves: false,
        }
    }
}

/// One node's whole knowledge and will. Each part keeps its fields to the file it is named in, and is reached by methods.
#[derive(Debug)]
pub struct Cluster {
    settings: Settings,
    start_facts: StartFacts,
    now: Now,
    timers: TimerTable,
    /// When anything last changed.
    last_change: Mono,
    // What we do and say (`pending_actions`, `send`).
    out: PendingActions,
    sending: SendState,
    held: HeldMessages,
    // Who lives (`membership`, `node`, `twin`), and how far we know it (`deaf`, `sleep`).
    members: Members,
    nodes: Vec<Node>,
    own_name: OwnName,
    facts_exchange: FactExchange,
    deafness: Deafness,
    own_sleep: OwnSleep,
    // Who should hold what (`takeover`, `partition`), and how it gets there.
    peer: Peer,
    takeover: Takeover,
    conflict: Conflict,
    legacy: IpRequests,
    fences: Fences,
    joining: Joining,
    hand_over: HandOver,
    failback: Failback,
    leaving: Shutdown,
    adoption: Adoption,
    // What runs here (`groups`, `monitor`), and what is said of it (`milestones`, `rscstatus`).
    groups: Groups,
    monitors: Monitors,
    milestones: Milestones,
    empty: EmptySides,
}

impl Cluster {
    /// A node that has just started; call [`Cluster::handle`] with [`Event::Tick`] at once and it will speak.
    pub fn start(settings: Settings, groups: Vec<ResourceGroup>, mut start_facts: StartFacts, now: Now) -> Cluster {
        let (past, leaves) = (std::mem::take(&mut start_facts.past), start_facts.leaves);
        let nodes = membership::initial_nodes(&settings, &start_facts);
        let mut timers = TimerTable::default();
        timers.set(Timer::Keepalive, now.mono);
        for node in &nodes {
            let patience = if node.is_ping() { settings.deadping } else { settings.initdead };
            timers.set(Timer::Dead(node.name().clone()), now.mono + patience);
        }
        let groups = Groups::new(groups, &settings, now.mono);
        let peer = Peer::new(&nodes, groups.len());
        let mut cluster = Cluster {
            start_facts,
            now,
            timers,
            last_change: now.mono,
            out: PendingActions::default(),
            sending: SendState::new(),
            held: HeldMessages::default(),
            members: Members::new(),
            nodes,
            own_name: OwnName::new(now.wall),
            facts_exchange: FactExchange::default(),
            deafness: Deafness::default(),
            own_sleep: OwnSleep::new(now.mono),
            peer,
            takeover: Takeover::default(),
            conflict: Conflict::default(),
            legacy: IpRequests::default(),
            fences: Fences::default(),
            joining: Joining::default(),
            hand_over: HandOver::default(),
            failback: Failback::default(),
            leaving: Shutdown::default(),
            adoption: Adoption::default(),
            groups,
            monitors: Monitors::default(),
            milestones: Milestones::default(),
            empty: EmptySides::default(),
            settings,
        };
        if leaves {
            cluster.adoption.leave_again();
        }
        cluster.take_up(past);
        cluster
    }

    /// Takes what happened, returns what to do, in order. Total: nothing makes it panic.
    ///
    /// `now` must never run backwards; an earlier one counts as the last.
    pub fn handle(&mut self, now: Now, event: Event) -> Vec<Action> {
        self.now = Now { mono: now.mono.max(self.now.mono), wall: now.wall };
        if self.out.has_ended() {
            return Vec::new();
        }
        self.notice_sleep();
        if !self.may_speak() {
            self.write_notes();
            return self.out.take();
        }
        if self.adoption.is_cleaning() {
            self.handle_while_cleaning(event);
        } else {
            self.handle_event(event);
        }
        self.settle();
        self.tell_milestones();
        self.announce_claim();
        self.schedule_restatement();
        self.tell_own_facts();
        self.write_notes();
        self.out.take()
    }

    fn handle_event(&mut self, event: Event) {
        match event {
            Event::Message { medium, at, message } => self.on_message(&medium, at.min(self.now.mono), &message),
            Event::Local(message) => self.on_local(message),
            Event::Medium { medium, condition } => self.on_medium(medium, condition),
            Event::Done { job, outcome } => self.on_done_job(job, &outcome),
            Event::Request { client, request, by } => self.on_request(client, request, &by),
            Event::Reconfigure(fresh) => self.on_reconfigure(fresh.0, fresh.1),
            Event::Leave => self.on_leave(),
            Event::Upgrade => self.on_upgrade(),
            Event::Tick => self.on_tick(),
        }
    }

    /// When to call [`Cluster::handle`] with [`Event::Tick`] at the latest; `None` once it has left.
    pub fn next_deadline(&self) -> Option<Mono> {
        // Who has just woken asks as soon as everything that had arrived was heard.
        let wakes = self.own_sleep.has_just_woken() && self.joining.has_joined();
        let next = if wakes { Some(self.now.mono) } else { self.timers.next() };
        next.filter(|_| !self.out.has_ended())
    }

    /// Whether anything is being started or stopped, or waits for its turn.
    pub fn is_moving(&self) -> bool {
        self.groups.is_busy()
    }

    /// Whether it still asks, before it says anything of groups, what runs here already.
    pub fn is_looking_around(&self) -> bool {
        self.adoption.looks_around() && !self.joining.has_joined()
    }

    /// What this node says of itself.
    pub fn local_status(&self) -> Status {
        self.members.local_status()
    }

    /// Whether this node has joined: everybody was heard or is dead.
    pub fn is_active(&self) -> bool {
        self.members.local_status() == Status::Active && !self.out.has_ended()
    }

    /// The settings in force.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    fn on_tick(&mut self) {
        self.notice_own_stall();
        self.ask_after_sleep();
        while let Some((timer, due)) = self.timers.take_due(self.now.mono) {
            self.on_timer(timer, due);
            if self.out.has_ended() {
                return;
            }
        }
    }

    fn on_done_job(&mut self, job: JobId, outcome: &Outcome) {
        if !self.on_fence_done(job, outcome) && !self.on_probe_done(job, outcome) {
            self.on_script_done(job, outcome);
        }
    }

    fn on_timer(&mut self, timer: Timer, due: Mono) {
        match timer {
            Timer::Keepalive if self.adoption.is_cleaning() => self.beat_silently(),
            Timer::Keepalive => self.beat(due),
            Timer::Dead(node) => self.on_silence(&node),
            Timer::LinkDead(node, medium) => self.on_link_silence(&node, &medium),
            Timer::ReqNodes => self.ask_for_nodes(),
            Timer::OwnName => {
                self.changed();
                self.check_joined();
            }
            Timer::Rexmit(node) => self.request_missing(&node),
            Timer::PeerSilent => self.on_peer_silent(),
            // They only wake what looks around after every event.
            Timer::Orphans | Timer::PeerWord | Timer::Conflict | Timer::OwnFacts | Timer::Failback => {}
            Timer::Take => self.begin_taking(),
            Timer::Deaf => self.on_deaf_for_long(),
            Timer::Restate => self.restate_claim(),
            Timer::Upgrade => self.on_patience_unconfirmed(),
            Timer::Standby => self.on_standby_overdue(),
            Timer::PendingTake => self.hand_over.forget_offer(),
            Timer::Client => self.answer_client_late(),
            Timer::Pause(lane) => self.on_pause_over(lane),
            Timer::IpRequest => self.request_own_groups(),
            Timer::Linger => self.on_linger_over(),
            Timer::Fence => self.on_fence_pause_over(),
            Timer::FenceCheck => self.check_devices(),
            Timer::Forget(group) => self.forget_failure(&group),
            Timer::Monitor(group, resource) => self.on_monitor_due(group, resource),
        }
    }

    fn changed(&mut self) {
        self.last_change = self.now.mono;
    }
}
