//! The core: anything may happen to a node, in any order, at any time. Messages are built field by field from what the
//! protocol knows and from extreme numbers, as a peer with the key could send them; scripts end in every way; requests,
//! signals, clocks and media do what they like. Nothing makes it panic, spin, or grow without bound.

use std::collections::BTreeMap;
use std::time::Duration;

use latido::cluster::{Action, Cluster, Event, MediumCondition};
use latido::haresources::{Exit, Outcome, Verb};
use latido::names::{ClientId, JobId, MediumId};
use latido::simulate::groups;
use latido::time::{Mono, Now, Wall};
use latido::wire::{Kind, Message, Value, field};

use super::{Seed, bytes::Bytes};
use choose::{GROUPS, built, fields, kind, number, of_alpha, outcome, request, start_facts, time};

mod choose;

/// More things to do for one event cannot be right: a question for lost messages is answered with at most so many.
const MOST_ACTIONS: usize = 600;
/// More ticks of one moment mean that it never gets past it.
const MOST_TICKS: usize = 64;
/// So many events make a life.
const LIFE: usize = 400;

struct World {
    cluster: Cluster,
    now: Now,
    jobs: BTreeMap<JobId, Verb>,
    asked: u64,
    answered: u64,
    sent: Vec<Message>,
    heard: Vec<Message>,
    /// Of beta's last numbered message.
    sequence: u64,
    generation: u64,
    /// Scripts do their work at once.
    works: bool,
    exited: bool,
}

impl World {
    fn tell(&mut self, event: Event) {
        let mut events = vec![event];
        let mut told = 0;
        while let Some(event) = events.pop() {
            told += 1;
            assert!(told <= MOST_ACTIONS, "scripts that end at once never come to an end");
            let actions = self.cluster.handle(self.now, event);
            assert!(actions.len() <= MOST_ACTIONS, "{} actions for one event", actions.len());
            assert!(!self.exited || actions.is_empty(), "it acts after its end");
            for action in actions {
                if let Some((job, verb)) = self.obey(action) {
                    let said = if verb == Verb::Status { "stopped" } else { "" };
                    let code = if verb == Verb::Status { 3 } else { 0 };
                    let outcome = Outcome { exit: Exit::Code(code), said: said.into() };
                    self.jobs.remove(&job);
                    events.push(Event::Done { job, outcome });
                }
            }
        }
    }

    /// What was begun and, where scripts work, ends at once.
    fn obey(&mut self, action: Action) -> Option<(JobId, Verb)> {
        match action {
            Action::Run { job, invocation, .. } => return self.began(job, invocation.verb),
            Action::Probe { job, .. } | Action::Fence { job, .. } | Action::CheckFence { job, .. } => {
                return self.began(job, Verb::Start);
            }
            Action::Cancel { job } => drop(self.jobs.remove(&job)),
            Action::Send(message) => {
                assert!(message.get(field::T).is_some_and(|kind| !kind.is_empty()), "sent without a type");
                let size = latido::wire::plain::encode_classic(&message).len();
                assert!(size < 16_384 || self.heard.iter().any(|said| said.kind() == message.kind()), "{size} bytes");
                self.sent.push(message);
            }
            Action::Reply { .. } => {
                self.answered += 1;
                assert!(self.answered <= self.asked, "an answer to nobody");
            }
            Action::Report(report) => {
                let _ = (report.to_string(), report.level(), report.event(), report.data());
                assert!(report.lines(|name| format!("/etc/ha.d/resource.d/{name}")).len() < 50);
            }
            Action::WriteNotes(kept) => assert!(kept.groups.len() < 50, "{kept:?}"),
            Action::Exit(_) => self.exited = true,
            Action::Notify(_)
            | Action::Deliver { .. }
            | Action::Announce { .. }
            | Action::Remember { .. }
            | Action::Forget { .. }
            | Action::Alive => {}
        }
        None
    }

    fn began(&mut self, job: JobId, verb: Verb) -> Option<(JobId, Verb)> {
        assert!(self.jobs.insert(job, verb).is_none(), "two jobs of one number");
        assert!(self.jobs.len() < 200, "too much at work at once");
        self.works.then_some((job, verb))
    }

    /// Time passes, and what becomes due is done: each deadline in turn, as the daemon does it.
    fn pass(&mut self, time: Duration) {
        let end = self.now.mono + time;
        for _ in 0..200 {
            let next = self.cluster.next_deadline().unwrap_or(end).clamp(self.now.mono, end);
            self.set_time(next);
            self.tick();
            if next >= end {
                return;
            }
        }
        // A long sleep: the rest of it is noticed at once.
        self.set_time(end);
        self.tick();
    }

    fn set_time(&mut self, mono: Mono) {
        let seconds = mono.since(self.now.mono).as_secs();
        self.now = Now { mono, wall: Wall(self.now.wall.0.saturating_add(seconds)) };
    }

    fn tick(&mut self) {
        for _ in 0..MOST_TICKS {
            self.tell(Event::Tick);
            if self.cluster.next_deadline().is_none_or(|due| due > self.now.mono) {
                return;
            }
        }
        panic!("it is woken again and again at {}", self.now.mono);
    }

    fn hear(&mut self, medium: &str, message: Message) {
        if self.heard.len() < 40 {
            self.heard.push(message.clone());
        }
        self.tell(Event::Message { medium: MediumId::new(medium), at: self.now.mono, message });
    }

    /// With the head that every message of beta has.
    fn said_by_beta(&mut self, mut message: Message) -> Message {
        self.sequence = self.sequence.saturating_add(1);
        message.set(field::SRC, "beta");
        message.set(field::SEQ, format!("{:x}", self.sequence));
        message.set(field::HG, format!("{:x}", self.generation));
        message.set(field::TS, format!("{:x}", self.now.wall.0));
        message.set_value(field::SRC_UUID, Value::Binary(vec![9; 16]));
        message
    }
}

fn step(world: &mut World, bytes: &mut Bytes<'_>) {
    match bytes.below(20) {
        0 | 1 => {
            let span = time(bytes);
            world.pass(span);
        }
        2 => {
            // An ordinary second beside an ordinary beta.
            let message =
                Message::new(&Kind::Status).with(field::ST, "active").with(field::DT, "1388").with("protocol", "1");
            let message = world.said_by_beta(message);
            world.hear("eth0", message.clone());
            world.hear("/dev/ttyS0", message);
            world.pass(Duration::from_secs(1));
        }
        3 | 4 => {
            let message = built(bytes);
            let message = world.said_by_beta(message);
            world.hear("eth0", message);
        }
        5 => {
            // The head is chosen too.
            let message = world.said_by_beta(Message::new(&kind(bytes)));
            let message = fields(bytes, message);
            let medium = bytes.pick(&["eth0", "/dev/ttyS0", "10.0.0.1", "none"]);
            world.hear(medium, message);
        }
        6 => {
            // A replay of something heard, or of something of ours, as it was or as if beta said it now.
            let how = bytes.byte();
            let from = if how & 1 == 0 { &world.heard } else { &world.sent };
            let Some(mut message) = from.get(bytes.below(from.len())).cloned() else { return };
            if how & 2 != 0 {
                message = world.said_by_beta(message);
            }
            let message = fields(bytes, message);
            world.hear("eth0", message);
        }
        7 => {
            let message = built(bytes);
            world.tell(Event::Local(message));
        }
        8 | 9 => {
            let at = bytes.below(world.jobs.len());
            let job = world.jobs.keys().nth(at).copied().unwrap_or(JobId(number(bytes)));
            world.jobs.remove(&job);
            let outcome = outcome(bytes);
            world.tell(Event::Done { job, outcome });
        }
        10 => {
            world.asked += 1;
            let (client, request) = (ClientId(world.asked), request(bytes));
            world.tell(Event::Request { client, request, by: "root".into() });
        }
        11 => {
            let medium = MediumId::new(bytes.pick(&["eth0", "/dev/ttyS0", "10.0.0.1", "none"]));
            let bad = bytes.byte() & 1 == 0;
            let condition = if bad { MediumCondition::Failed("cut".into()) } else { MediumCondition::Working };
            world.tell(Event::Medium { medium, condition });
        }
        12 => {
            let Some(settings) = of_alpha(bytes) else { return };
            let fresh = groups(bytes.pick(&GROUPS));
            world.tell(Event::Reconfigure(Box::new((settings, fresh))));
        }
        13 => world.tell(Event::Leave),
        14 => world.tell(Event::Upgrade),
        15 => {
            let wall = number(bytes);
            world.now.wall = Wall(wall);
        }
        16 => {
            world.generation = number(bytes);
            world.sequence = number(bytes);
        }
        17 => world.works = !world.works,
        18 => {
            let at = world.now.mono.before(time(bytes));
            let message = built(bytes);
            let message = world.said_by_beta(message);
            world.tell(Event::Message { medium: MediumId::new("eth0"), at, message });
        }
        _ => {
            // A talkative peer.
            for _ in 0..=bytes.byte() {
                let message = world.said_by_beta(Message::new(&Kind::Other("x".into())));
                world.hear("eth0", message);
            }
        }
    }
}

/// Settings, a past, then events.
pub fn run(bytes: &[u8]) {
    let mut bytes = Bytes::new(bytes);
    let Some(settings) = of_alpha(&mut bytes) else { return };
    let start_facts = start_facts(&mut bytes);
    let spec = groups(bytes.pick(&GROUPS));
    let now = Now { mono: Mono::ZERO, wall: Wall(1_700_000_000) };
    let mut world = World {
        cluster: Cluster::start(settings, spec, start_facts, now),
        now,
        jobs: BTreeMap::new(),
        asked: 0,
        answered: 0,
        sent: Vec::new(),
        heard: Vec::new(),
        sequence: 0,
        generation: 7,
        works: true,
        exited: false,
    };
    world.tick();
    for _ in 0..LIFE {
        if bytes.is_over() || world.exited {
            break;
        }
        step(&mut world, &mut bytes);
        world.sent.truncate(40);
    }
    world.tick();
    let view = world.cluster.view(world.now.mono);
    assert!(view.nodes.len() <= 4, "strangers became nodes: {view:?}");
    let _ = (view.rscstatus, view.drift.len(), view.sick.len());
    let _ = (world.cluster.settings().deadtime, world.cluster.is_active(), world.cluster.is_moving());
    let size = format!("{:?}", world.cluster).len();
    assert!(size < 2_000_000, "it has grown to {size} bytes");
    assert!(!world.exited || world.cluster.next_deadline().is_none(), "it wakes after its end");
}

/// Lives as pairs of nodes live them.
pub fn seeds() -> Vec<Seed> {
    let start_facts = |one: u8, two: u8| vec![one, two, 1, 0, 0, 0];
    let beats = |count: usize| vec![2; count];
    let plain = [start_facts(0, 0), beats(20), vec![10, 0, 0], beats(10), vec![10, 1, 0], beats(10)].concat();
    let death = [start_facts(0, 1), beats(15), vec![0, 120, 0, 120], beats(20), vec![13], beats(6)].concat();
    let legacy =
        [start_facts(2, 0), beats(15), vec![3, 10, 1, 19, 23], beats(4), vec![3, 11, 2, 19, 23, 21, 20], beats(5)]
            .concat();
    let watched =
        [start_facts(0, 12), beats(15), vec![17], beats(4), vec![8, 0, 2, 0, 0, 8, 0, 2, 0, 0], beats(9)].concat();
    let gaps =
        [start_facts(0, 0), beats(8), vec![16, 10, 200], beats(3), vec![3, 3, 2, 15, 254, 0, 16, 254, 0], beats(3)]
            .concat();
    let past =
        [vec![0, 0, 1, 9, 50, 20, 40, 50, 0xc5, 0, 0, 3, 0, 1, 2, 1, 0, 4, 0], beats(12), vec![14], beats(9)].concat();
    let talk = [
        start_facts(0, 0),
        beats(10),
        vec![19, 255, 6, 1, 0, 0, 6, 3, 3, 0, 7, 8, 1, 10, 255, 3, b'a', b'b', b'c'],
        beats(5),
    ]
    .concat();
    let alone = [start_facts(128, 0), vec![0, 120, 0, 120, 252], vec![13, 0, 50]].concat();
    [
        ("plain", plain),
        ("death", death),
        ("legacy", legacy),
        ("watched", watched),
        ("gaps", gaps),
        ("past", past),
        ("talk", talk),
        ("alone", alone),
    ]
    .map(|(name, bytes)| (name.to_owned(), bytes))
    .into()
}
