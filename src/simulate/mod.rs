//! Two cores, one virtual clock, wires that can be cut: an hour of a cluster's life in milliseconds, the same each time.
//!
//! The rig is an ordinary user of [`crate::cluster`]. It knows what really runs on each node, which the cores do not.

mod puppet;
mod script;
mod setup;

use std::collections::BTreeMap;
use std::time::Duration;

use crate::cluster::{Action, Birth, Cluster, Event, ExitReason, Kept, Past, Request, Response, Settings};
use crate::haresources::{Invocation, Outcome, ResourceGroup, Verb};
use crate::names::{ClientId, JobId, MediumId};
use crate::time::{Mono, Now, Wall};
use crate::wire::{Generation, Kind, Message, field};

pub use script::{Behaviour, Scripts};
pub use setup::{groups, settings};

use setup::{Host, Pending};

/// The nodes' names.
pub const NAMES: [&str; 2] = ["alpha", "beta"];
/// The media's names; the second is slow, as a serial line is.
pub const MEDIA: [&str; 2] = ["eth0", "/dev/ttyS0"];
const SERIAL_DELAY: Duration = Duration::from_millis(110);
const UDP_DELAY: Duration = Duration::from_micros(200);

/// A pair of nodes and their wires.
#[derive(Debug)]
pub struct Pair {
    settings: [Settings; 2],
    groups: Vec<ResourceGroup>,
    hosts: [Host; 2],
    now: Mono,
    generation: u64,
    queue: BTreeMap<(Mono, u64), Pending>,
    count: u64,
    seed: u64,
    /// Media that carry nothing, by their place in [`MEDIA`].
    pub cut: [bool; 2],
    /// Per cent of messages lost on each medium.
    pub loss: u64,
    /// How scripts behave.
    pub scripts: Scripts,
    /// Every script takes ten milliseconds and every wire its own time, as transcripts like it.
    pub exact: bool,
    /// How many more times a fencing device fails before it works.
    pub fence_failures: u32,
    /// How long a fencing device takes.
    pub fence_takes: Duration,
    transcript: Vec<String>,
    replies: Vec<(usize, Response)>,
    last_status: [Option<Message>; 2],
    doubles: Vec<(Mono, String)>,
    doubled: bool,
}

impl Pair {
    /// Two nodes that are switched off; `edit` may change both nodes' settings. `None` never happens with [`NAMES`].
    pub fn new(haresources: &str, seed: u64, edit: impl Fn(&mut Settings)) -> Option<Pair> {
        let mut both = [settings(NAMES[0])?, settings(NAMES[1])?];
        both.iter_mut().for_each(edit);
        Some(Pair {
            settings: both,
            groups: groups(haresources),
            hosts: [Host::off(), Host::off()],
            now: Mono::ZERO,
            generation: 100,
            queue: BTreeMap::new(),
            count: 0,
            seed: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1,
            cut: [false; 2],
            loss: 0,
            scripts: Scripts::default(),
            exact: false,
            fence_failures: 0,
            fence_takes: Duration::from_secs(2),
            transcript: Vec::new(),
            replies: Vec::new(),
            last_status: [None, None],
            doubles: Vec::new(),
            doubled: false,
        })
    }

    /// A number below `limit`, from the seed.
    pub fn random(&mut self, limit: u64) -> u64 {
        self.seed ^= self.seed << 13;
        self.seed ^= self.seed >> 7;
        self.seed ^= self.seed << 17;
        self.seed % limit.max(1)
    }

    /// The virtual time.
    pub fn now(&self) -> Mono {
        self.now
    }

    /// Switches a node on, with the next generation; nothing happens to one that is on.
    pub fn start(&mut self, node: usize) {
        if self.hosts[node].cluster.is_some() {
            return;
        }
        self.generation += 1;
        self.hosts[node].life += 1;
        let host = &self.hosts[node];
        let past = host
            .kept
            .clone()
            .filter(|kept| kept.claims_anything() || kept.leaving)
            .map_or(Past::Fresh, |kept| Past::judge(kept, self.now.since(host.said.0), host.said.1, false));
        self.start_after(node, past);
    }

    /// Switches a node on that knows this of its past.
    pub fn start_after(&mut self, node: usize, past: Past) {
        let how = match past {
            Past::Fresh => "(start)",
            Past::Crashed(_) => "(start in time)",
            Past::Late(_) => "(start too late)",
            Past::Hopeless(_) => "(start to give up)",
        };
        self.note(node, how);
        let birth = Birth {
            generation: Generation(self.generation),
            uuid: [u8::try_from(node + 1).unwrap_or(9); 16],
            seed: self.generation.wrapping_mul(77),
            remembered: Vec::new(),
            past,
        };
        let cluster = Cluster::start(self.settings[node].clone(), self.groups.clone(), birth, self.moment());
        self.hosts[node].cluster = Some(cluster);
        self.tell(node, Event::Tick);
    }

    /// Takes a node's power: everything on it is gone.
    pub fn power_off(&mut self, node: usize) {
        self.note(node, "(power off)");
        let host = &mut self.hosts[node];
        host.cluster = None;
        host.life += 1;
        host.stalled_until = Mono::ZERO;
        host.running.clear();
        host.kept = None;
        host.puppet = None;
        host.orphans_until = Mono::ZERO;
    }

    /// Kills a node's daemon; what it started goes on, its notes stay.
    pub fn crash(&mut self, node: usize) {
        self.note(node, "(crash)");
        let host = &mut self.hosts[node];
        host.cluster = None;
        for (key, pending) in &mut self.queue {
            if pending.node == node && pending.life == host.life && matches!(pending.event, Event::Done { .. }) {
                pending.orphan = true;
                host.orphans_until = host.orphans_until.max(key.0);
            }
        }
        host.life += 1;
        host.stalled_until = Mono::ZERO;
    }

    /// What a node's daemon has written down for its successor.
    pub fn kept(&self, node: usize) -> Option<Kept> {
        self.hosts[node].kept.clone()
    }

    /// Something starts a resource behind our back.
    pub fn runs_by_itself(&mut self, node: usize, word: &str) {
        self.hosts[node].running.insert(word.to_owned());
    }

    /// Asks a node's daemon to make room for its successor.
    pub fn upgrade(&mut self, node: usize) {
        self.tell(node, Event::Upgrade);
    }

    /// A service dies by itself.
    pub fn service_dies(&mut self, node: usize, word: &str) {
        self.note(node, &format!("({word} dies)"));
        self.hosts[node].running.remove(word);
    }

    /// Somebody starts a service behind the cluster's back.
    pub fn service_comes_up(&mut self, node: usize, word: &str) {
        self.note(node, &format!("({word} comes up)"));
        self.hosts[node].running.insert(word.to_owned());
    }

    /// Holds a node's daemon still; what reaches it waits.
    pub fn stall(&mut self, node: usize, time: Duration) {
        self.note(node, &format!("(stalled for {} ms)", time.as_millis()));
        self.hosts[node].stalled_until = self.hosts[node].stalled_until.max(self.now + time);
    }

    /// The moment from which no node stands still any more.
    pub fn awake_from(&self) -> Mono {
        self.hosts.iter().map(|host| host.stalled_until).max().unwrap_or(Mono::ZERO).max(self.now)
    }

    /// Whether a node is on.
    pub fn is_on(&self, node: usize) -> bool {
        self.hosts[node].cluster.is_some()
    }

    /// The operator asks a node to leave.
    pub fn leave(&mut self, node: usize) {
        self.note(node, "(asked to leave)");
        self.tell(node, Event::Leave);
    }

    /// Somebody on a node writes this into the FIFO: a type, and fields as `name=value`.
    pub fn write_fifo(&mut self, node: usize, text: &str) {
        self.note(node, &format!("(fifo: {text})"));
        self.tell(node, Event::Local(puppet::message(text)));
    }

    /// A node reads its files again and finds these groups.
    pub fn reconfigure(&mut self, node: usize, haresources: &str, digest: &str) {
        self.note(node, "(reload)");
        self.settings[node].resources_digest = digest.to_owned();
        let fresh = (self.settings[node].clone(), groups(haresources));
        self.tell(node, Event::Reconfigure(Box::new(fresh)));
    }

    /// Something that somebody noted in a message a node sent long ago reaches the other node once more.
    pub fn replay(&mut self, to: usize, message: &Message) {
        self.note(to, "(a replayed message)");
        let medium = MediumId::new(MEDIA[0]);
        self.tell(to, Event::Message { medium, at: self.now, message: message.clone() });
    }

    /// The last status message a node sent.
    pub fn last_status(&self, node: usize) -> Option<Message> {
        self.last_status[node].clone()
    }

    /// A client asks a node for a hand-over.
    pub fn request(&mut self, node: usize, request: Request) {
        self.note(node, &format!("(asked for {request:?})"));
        self.tell(node, Event::Request { client: ClientId(1), request });
    }

    /// What clients were answered, taken once.
    pub fn take_replies(&mut self) -> Vec<(usize, Response)> {
        std::mem::take(&mut self.replies)
    }

    /// What really runs on a node, by the words of `haresources`.
    pub fn running(&self, node: usize) -> Vec<String> {
        self.hosts[node].running.iter().cloned().collect()
    }

    /// A node's core, while it is on.
    pub fn cluster(&self, node: usize) -> Option<&Cluster> {
        self.hosts[node].cluster.as_ref()
    }

    /// When something began to run on both nodes, and what.
    pub fn doubles(&self) -> &[(Mono, String)] {
        &self.doubles
    }

    /// Whether anything runs on both nodes now.
    pub fn is_doubled(&self) -> bool {
        self.hosts[0].running.intersection(&self.hosts[1].running).next().is_some()
    }

    /// Whether something runs on a node without a daemon.
    pub fn is_haunted(&self) -> bool {
        self.hosts.iter().any(|host| host.cluster.is_none() && !host.running.is_empty())
    }

    /// Everything said and done, without the heartbeats.
    pub fn transcript(&self) -> String {
        self.transcript.join("\n")
    }

    /// A line of the transcript in the words of whoever plays.
    pub fn remark(&mut self, text: &str) {
        self.transcript.push(format!("{:9.3}  -- {text}", self.now.elapsed().as_secs_f64()));
    }

    /// Lets time pass.
    pub fn run_for(&mut self, time: Duration) {
        let end = self.now + time;
        while self.step(end) {}
        self.now = end;
    }

    /// Lets time pass until `done`, at most `bound`; whether it came true.
    pub fn run_until(&mut self, bound: Duration, done: impl Fn(&Pair) -> bool) -> bool {
        let end = self.now + bound;
        while !done(self) {
            if !self.step(end) {
                self.now = end;
                return done(self);
            }
        }
        true
    }

    /// The next thing that happens, if it is not after `end`.
    fn step(&mut self, end: Mono) -> bool {
        let deadline = |node: usize| {
            let host = &self.hosts[node];
            let due = match &host.puppet {
                Some(puppet) => puppet.next_beat(),
                None => host.cluster.as_ref()?.next_deadline()?,
            };
            Some((due.max(host.stalled_until), node))
        };
        let tick = (0..2).filter_map(deadline).min();
        let arrival =
            |(key, pending): (&(Mono, u64), &Pending)| (key.0.max(self.hosts[pending.node].stalled_until), *key);
        let event = self.queue.iter().map(arrival).min();
        match (event, tick) {
            // What has arrived is handed over before the tick: the driver does the same.
            (Some((at, key)), tick) if at <= end && tick.is_none_or(|(due, _)| at <= due) => {
                self.now = self.now.max(at);
                self.deliver(key);
                true
            }
            (_, Some((due, node))) if due <= end => {
                self.now = self.now.max(due);
                self.tell(node, Event::Tick);
                true
            }
            _ => false,
        }
    }

    fn deliver(&mut self, key: (Mono, u64)) {
        let Some(pending) = self.queue.remove(&key) else { return };
        let same_life = pending.life == self.hosts[pending.node].life;
        if let (true, Some((word, Verb::Stop))) = (same_life || pending.orphan, &pending.effect) {
            self.hosts[pending.node].running.remove(word);
        }
        if let Some((job, invocation, limit)) = pending.run {
            if same_life {
                self.run_script(pending.node, job, &invocation, limit);
            }
            return;
        }
        if (same_life || pending.orphan) && pending.shoots {
            self.power_off(1 - pending.node);
        }
        if same_life || matches!(pending.event, Event::Message { .. }) {
            self.tell(pending.node, pending.event);
        }
    }

    fn tell(&mut self, node: usize, event: Event) {
        let now = self.moment();
        let is_tick = event == Event::Tick;
        if self.hosts[node].puppet.is_some() {
            return self.tell_puppet(node, &event);
        }
        let Some(cluster) = self.hosts[node].cluster.as_mut() else { return };
        let actions = cluster.handle(now, event);
        if is_tick {
            assert!(cluster.next_deadline().is_none_or(|at| at > now.mono), "a deadline in the past after a tick");
        }
        actions.into_iter().for_each(|action| self.perform(node, action));
        let doubled = self.is_doubled();
        if doubled && !self.doubled {
            let both =
                self.hosts[0].running.intersection(&self.hosts[1].running).cloned().collect::<Vec<_>>().join(" ");
            self.doubles.push((self.now, both));
        }
        self.doubled = doubled;
    }

    fn perform(&mut self, node: usize, action: Action) {
        match action {
            Action::Send(message) => self.transmit(node, &message),
            Action::Run { job, invocation, limit } => self.run_script(node, job, &invocation, limit),
            Action::Announce { group } => self.note(node, &format!("announce {group}")),
            Action::Reply { response, .. } => {
                self.note(node, &format!("reply   {response:?}"));
                self.replies.push((node, response));
            }
            Action::Report(report) => self.note(node, &format!("report  {}: {report}", report.level().as_str())),
            Action::Exit(reason @ (ExitReason::Stopped | ExitReason::Upgrade)) => {
                let host = &mut self.hosts[node];
                host.cluster = None;
                host.life += 1;
                host.kept.take_if(|kept| reason == ExitReason::Stopped && !kept.claims_anything());
                self.note(node, "(left)");
            }
            Action::Fence { job, device, node: victim, .. } => {
                self.note(node, &format!("fence   {victim} with device {device}"));
                let works = self.fence_failures == 0;
                self.fence_failures = self.fence_failures.saturating_sub(1);
                let outcome = Outcome::code(if works { 0 } else { 1 });
                let key = self.later(self.now + self.fence_takes, node, Event::Done { job, outcome }, None);
                if let Some(pending) = self.queue.get_mut(&key) {
                    pending.shoots = works;
                }
            }
            Action::CheckFence { job, .. } | Action::Probe { job, .. } => {
                self.later(self.now, node, Event::Done { job, outcome: Outcome::code(0) }, None);
            }
            Action::Cancel { job } => {
                self.note(node, "cancel");
                // Each node counts its jobs for itself.
                let cancelled = |pending: &Pending| {
                    pending.node == node && matches!(pending.event, Event::Done { job: done, .. } if done == job)
                };
                self.queue.retain(|_, pending| !cancelled(pending));
            }
            Action::Exit(ExitReason::ToBeFenced { .. }) => {
                self.hosts[node].cluster = None;
                self.hosts[node].life += 1;
                self.note(node, "(fell silent)");
            }
            Action::Keep(kept) => self.hosts[node].kept = Some(kept),
            Action::Exit(ExitReason::Reboot { .. }) => self.power_off(node),
            Action::Notify(_) | Action::Deliver { .. } | Action::Remember { .. } | Action::Alive => {}
        }
    }

    fn transmit(&mut self, node: usize, message: &Message) {
        if message.kind() == Kind::Status {
            let patience = Duration::from_millis(message.hex(field::DT).unwrap_or(0));
            self.hosts[node].said = (self.now, patience);
            self.last_status[node] = Some(message.clone());
        } else {
            self.note(node, &format!("send    {}", essence(message)));
        }
        for (medium, name) in MEDIA.iter().enumerate() {
            if self.cut[medium] || self.random(100) < self.loss {
                continue;
            }
            // A lossy network also delays, overtakes and repeats.
            let jitter = if self.exact {
                1
            } else if self.loss > 0 {
                40_000
            } else {
                1_000
            };
            let base = if medium == 0 { UDP_DELAY } else { SERIAL_DELAY };
            let copies = if self.loss > 0 && self.random(10) == 0 { 2 } else { 1 };
            for _ in 0..copies {
                let at = self.now + base + Duration::from_micros(self.random(jitter));
                let event = Event::Message { medium: MediumId::new(*name), at, message: message.clone() };
                self.later(at, 1 - node, event, None);
            }
        }
    }

    fn run_script(&mut self, node: usize, job: JobId, invocation: &Invocation, limit: Duration) {
        if self.hosts[node].orphans_until > self.now {
            let at = self.hosts[node].orphans_until;
            let (life, run) = (self.hosts[node].life, Some((job, invocation.clone(), limit)));
            self.count += 1;
            let waits = Pending { node, life, event: Event::Tick, effect: None, orphan: false, run, shoots: false };
            self.queue.insert((at, self.count), waits);
            return;
        }
        let word = invocation.resource.word.clone();
        let runs = self.hosts[node].running.contains(&word);
        let pause = Duration::from_micros(if self.exact { 5_000 } else { self.random(20_000) });
        let (took, outcome) = self.scripts.play(node, invocation, runs, limit, pause);
        let said = if outcome.said.is_empty() { String::new() } else { format!(", says {}", outcome.said) };
        self.note(node, &format!("run     {invocation} -> {}{said}", outcome.exit));
        let worked = outcome.succeeded();
        if invocation.verb == Verb::Start && worked {
            self.hosts[node].running.insert(word.clone());
        }
        let effect = worked.then_some((word, invocation.verb));
        self.later(self.now + took, node, Event::Done { job, outcome }, effect);
    }

    fn later(&mut self, at: Mono, node: usize, event: Event, effect: Option<(String, Verb)>) -> (Mono, u64) {
        self.count += 1;
        let life = self.hosts[node].life;
        let pending = Pending { node, life, event, effect, orphan: false, run: None, shoots: false };
        self.queue.insert((at, self.count), pending);
        (at, self.count)
    }

    fn moment(&self) -> Now {
        Now { mono: self.now, wall: Wall(1_700_000_000 + self.now.elapsed().as_secs()) }
    }

    fn note(&mut self, node: usize, text: &str) {
        self.transcript.push(format!("{:9.3}  {:<6} {text}", self.now.elapsed().as_secs_f64(), NAMES[node]));
    }
}

/// A message without its control fields.
fn essence(message: &Message) -> String {
    let text = message.to_string();
    text.split(" src=").next().unwrap_or("").to_owned()
}
