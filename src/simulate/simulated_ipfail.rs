//! What runs next to the daemons of a pair: an ipfail of ours, started as `respawn` has it, a client of its core in simulated
//! time (`api.md` 4.2 and 5). It hears what the core hands to clients, asks how things are, and what it says comes to the
//! core as a client's message does. Sockets are left out; who may sign on is not.

use std::time::Duration;

use crate::cluster::{Class, Event, Status};
use crate::ipfail::{self, Decider, Facts, NAME, Order};
use crate::time::Mono;
use crate::wire::{Kind, Message, field as wire};

use super::pending::PendingKind;
use super::{Intervention, Observed, SimulatedPair};

/// From its start to its first word.
const STARTS: Duration = Duration::from_millis(20);
/// A message's way through a socket.
const SAYS: Duration = Duration::from_millis(1);
/// As `respawn` counts: a shorter run counts, so many in a row are the last, and after each there is a pause.
const SHORT: Duration = Duration::from_secs(30);
const TOO_MANY: u32 = 11;
const PAUSE: Duration = Duration::from_secs(1);
/// Who may sign on when `apiauth` says nothing.
const USER: &str = "hacluster";

/// What `ha.cf` says beyond the settings of the core.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NonCoreSettings {
    /// The ipfail both nodes start.
    pub ipfail: Option<Ipfail>,
    /// `ping_group`: the name and the hosts.
    pub ping_groups: Vec<(String, Vec<String>)>,
}

/// An ipfail that `respawn` starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ipfail {
    /// Whose rights it has.
    pub user: String,
    /// Whether `apiauth` lets that user sign on as ipfail.
    pub is_admitted: bool,
}

impl Ipfail {
    /// One of this user, where `apiauth` says nothing.
    pub fn of(user: &str) -> Ipfail {
        Ipfail { user: user.to_owned(), is_admitted: user == USER }
    }
}

/// The runs of ipfail in one life of a daemon.
#[derive(Debug, Default)]
pub(super) struct IpfailRuns {
    begun: bool,
    program: Option<RunningIpfail>,
    /// Short runs in a row.
    short: u32,
}

#[derive(Debug)]
struct RunningIpfail {
    decider: Decider,
    since: Mono,
    wakes: Option<Mono>,
}

impl SimulatedPair {
    /// The communication is up: programs are started.
    pub(super) fn begin_ipfail(&mut self, node: usize) {
        let host = &mut self.hosts[node];
        let is_up = host.cluster.as_ref().is_some_and(crate::cluster::Cluster::is_active);
        if is_up && self.ipfails[node].is_some() && !host.ipfail_runs.begun {
            host.ipfail_runs.begun = true;
            self.await_this(self.now + STARTS, node, PendingKind::IpfailStarts);
        }
    }

    pub(super) fn ipfail_starts(&mut self, node: usize) {
        let Some(ipfail) = self.ipfails[node].clone() else { return };
        if !ipfail.is_admitted {
            if self.hosts[node].ipfail_runs.short == 0 {
                let why = "Cannot sign on with heartbeat: client failed authorization";
                self.log_of_ipfail(node, &format!("{why} (user {})", ipfail.user));
            }
            return self.ipfail_ended(node, self.now);
        }
        let settings = &self.settings[node];
        let failback = match ipfail::goes_home(Some(settings.auto_failback.as_str())) {
            Ok(failback) => failback,
            Err(why) => return self.log_of_ipfail(node, &why),
        };
        let pings = settings.media.iter().filter_map(|medium| medium.ping_node.as_ref());
        let pings: Vec<String> = pings.map(ToString::to_string).collect();
        if pings.is_empty() {
            self.log_of_ipfail(node, "No ping node is configured: nothing to count.");
        }
        let settings = &self.settings[node];
        let decider = Decider::new(ipfail::Settings {
            me: self.name(node).to_owned(),
            peer: self.name(1 - node).to_owned(),
            pings,
            failback,
            keepalive: settings.keepalive,
            deadping: settings.deadping,
        });
        self.hosts[node].ipfail_runs.program = Some(RunningIpfail { decider, since: self.now, wakes: None });
        self.say_of_client(node, "join", "signon");
    }

    /// Somebody kills it; its daemon starts another one.
    pub fn ipfail_dies(&mut self, node: usize) {
        self.observe_intervention(node, Intervention::IpfailDies);
        if let Some(program) = self.hosts[node].ipfail_runs.program.take() {
            self.say_of_client(node, "leave", "EOF");
            self.ipfail_ended(node, program.since);
        }
    }

    fn ipfail_ended(&mut self, node: usize, since: Mono) {
        let was_short = self.now.since(since) < SHORT;
        let ipfail_runs = &mut self.hosts[node].ipfail_runs;
        ipfail_runs.short = if was_short { ipfail_runs.short + 1 } else { 0 };
        if ipfail_runs.short >= TOO_MANY {
            return self.log_of_ipfail(node, "respawning too fast: it stays down until heartbeat is started again");
        }
        let pause = if was_short { PAUSE } else { Duration::ZERO };
        self.await_this(self.now + pause + STARTS, node, PendingKind::IpfailStarts);
    }

    /// The core hands a message to the programs on its machine.
    pub(super) fn ipfail_hears(&mut self, node: usize, class: Class, message: &Message) {
        let is_for_it = message.get("to_id").is_none_or(|to| to == NAME);
        if class == Class::Keep && is_for_it && Decider::concerns(message) {
            self.ask_decider(node, |decider, now, facts| decider.hear(now, message, facts));
        }
    }

    /// What it waited for may be due.
    pub(super) fn ipfail_wakes(&mut self, node: usize) {
        if let Some(program) = &mut self.hosts[node].ipfail_runs.program {
            program.wakes = None;
        }
        self.ask_decider(node, Decider::tick);
    }

    fn ask_decider(&mut self, node: usize, ask: impl FnOnce(&mut Decider, Mono, &Facts) -> Vec<Order>) {
        let (Some(view), now) = (self.view(node), self.moment_of(node).mono) else { return };
        let answering = view.nodes.iter().filter(|other| other.status == Status::Ping).count();
        let facts = Facts { pings: u32::try_from(answering).unwrap_or(u32::MAX), holds: view.rscstatus };
        let Some(program) = &mut self.hosts[node].ipfail_runs.program else { return };
        for order in ask(&mut program.decider, now, &facts) {
            match order {
                Order::Log(text) => self.log_of_ipfail(node, &text),
                Order::Say(message) => {
                    let signed = message.with("from_id", NAME).with("to_id", NAME).with("client_gen", "0");
                    self.later(self.now + SAYS, node, Event::Local(signed));
                }
            }
        }
        self.wake_ipfail(node);
    }

    fn wake_ipfail(&mut self, node: usize) {
        let host = &mut self.hosts[node];
        let Some(program) = &mut host.ipfail_runs.program else { return };
        let due = program.decider.next_deadline();
        if program.wakes != due {
            program.wakes = due;
            let at = due.map(|at| (at + host.lag).max(self.now));
            at.into_iter().for_each(|at| self.await_this(at, node, PendingKind::IpfailWakes));
        }
    }

    /// That a client joined or left (`api.md` 2.2).
    fn say_of_client(&mut self, node: usize, st: &str, info: &str) {
        let message = Message::new(&Kind::Other("hbapi-clstat".to_owned()))
            .with(wire::ST, st)
            .with("from_id", NAME)
            .with("to_id", NAME)
            .with(wire::SRC, self.name(node))
            .with(wire::INFO, info)
            .with("client_gen", "0");
        self.later(self.now, node, Event::Local(message));
    }

    fn log_of_ipfail(&mut self, node: usize, text: &str) {
        self.observe(node, Observed::IpfailLogged(text.to_owned()));
    }

    /// Why nobody moves anything when a node loses its clients: what is so, and what to write; `None` where ipfail would.
    pub(super) fn nobody_looks(&self, node: usize) -> Option<(String, String)> {
        let settings = &self.settings[node];
        let has_ping = settings.media.iter().any(|medium| medium.ping_node.is_some());
        let respawned = self.ipfails[node].as_ref().map(|ipfail| (ipfail.user.as_str(), ipfail.is_admitted));
        ipfail::nobody_looks(has_ping, respawned, settings.auto_failback.as_str())
    }
}
