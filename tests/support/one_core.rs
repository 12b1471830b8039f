//! One core that is told one thing at a time. Beta is an original that says what the test says.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use latido::cluster::{Action, AutoFailback, Cluster, Event, Settings, StartFacts};
use latido::haresources::{Exit, Outcome, Verb};
use latido::names::{JobId, MediumId};
use latido::simulate::{groups, settings};
use latido::time::{Mono, Now, Wall};
use latido::wire::{Generation, Kind, Message, Value, field};

/// Between two beats of beta, in milliseconds.
const BEAT: u64 = 1000;

pub(crate) struct Core {
    pub(crate) cluster: Cluster,
    pub(crate) ms: u64,
    /// Of beta's last message.
    pub(crate) sequence: u64,
    pub(crate) beats: bool,
    pub(crate) up: BTreeSet<String>,
    /// What a `status` that is asked for a running resource comes to; none: it goes on and on.
    pub(crate) running: Option<Outcome>,
    /// No start script ends by itself.
    pub(crate) slow: bool,
    /// What a fencing device says when it is asked whether it would work.
    pub(crate) device: Outcome,
    /// What was done, one thing a line.
    pub(crate) done: Vec<String>,
    /// What was said.
    pub(crate) sent: Vec<Message>,
}

pub(crate) fn now(ms: u64) -> Now {
    Now { mono: Mono::at(Duration::from_millis(ms)), wall: Wall(1_700_000_000 + ms / 1000) }
}

impl Core {
    /// Alpha, just born; what is `up` runs already.
    pub(crate) fn new(lines: &str, up: &[&str], edit: impl Fn(&mut Settings)) -> Core {
        Core::born(lines, up, edit, StartFacts::new(Generation(1), [7; 16], 1))
    }

    /// The same, with what it brings into its life.
    pub(crate) fn born(lines: &str, up: &[&str], edit: impl Fn(&mut Settings), start_facts: StartFacts) -> Core {
        let mut of_alpha = settings("alpha").unwrap();
        edit(&mut of_alpha);
        let mut core = Core {
            cluster: Cluster::start(of_alpha, groups(lines), start_facts, now(0)),
            ms: 0,
            sequence: 0,
            beats: false,
            up: up.iter().map(|word| (*word).to_owned()).collect(),
            running: Some(Outcome { exit: Exit::Code(0), said: "running".into() }),
            slow: false,
            device: Outcome::code(0),
            done: Vec::new(),
            sent: Vec::new(),
        };
        core.tell(Event::Tick);
        core
    }

    /// Beta is active and beats, and nobody gives groups back unasked.
    pub(crate) fn legacy(lines: &str, more: impl Fn(&mut Settings)) -> Core {
        let mut core = Core::new(lines, &[], |settings| {
            settings.auto_failback = AutoFailback::Legacy;
            more(settings);
        });
        core.beats = true;
        core.pass(3000);
        core
    }

    pub(crate) fn tell(&mut self, event: Event) {
        let mut events = VecDeque::from([event]);
        while let Some(event) = events.pop_front() {
            for action in self.cluster.handle(now(self.ms), event) {
                events.extend(self.obey(action).map(|(job, outcome)| Event::Done { job, outcome }));
            }
        }
    }

    pub(crate) fn obey(&mut self, action: Action) -> Option<(JobId, Outcome)> {
        match action {
            Action::Run { job, invocation, .. } => {
                let word = invocation.resource.word.clone();
                self.done.push(format!("run {word} {}", invocation.verb.as_str()));
                let outcome = match invocation.verb {
                    Verb::Status if self.up.contains(&word) => self.running.clone()?,
                    Verb::Status => Outcome { exit: Exit::Code(3), said: "stopped".into() },
                    Verb::Start if self.slow => return None,
                    Verb::Start => {
                        self.up.insert(word);
                        Outcome::code(0)
                    }
                    Verb::Stop => {
                        self.up.remove(&word);
                        Outcome::code(0)
                    }
                };
                return Some((job, outcome));
            }
            Action::CheckFence { job, .. } => return Some((job, self.device.clone())),
            Action::Fence { job, .. } => return Some((job, Outcome::code(0))),
            Action::Send(message) => {
                self.done.push(format!("send {}", message.kind()));
                self.sent.push(message);
            }
            Action::Notify(message) => self.done.push(format!("notify {}", message.kind())),
            Action::Report(report) => self.done.push(format!("report {report}")),
            Action::Deliver { message, .. } => self.done.push(format!("deliver {}", message.kind())),
            Action::Reply { response, .. } => self.done.push(format!("reply {response:?}")),
            Action::Exit(reason) => self.done.push(format!("exit {reason:?}")),
            Action::Probe { job, probe, .. } => {
                self.done.push(format!("probe {probe:?}"));
                return Some((job, Outcome::code(0)));
            }
            Action::Cancel { .. }
            | Action::Announce { .. }
            | Action::Remember { .. }
            | Action::Forget { .. }
            | Action::WriteNotes(_)
            | Action::Alive => {}
        }
        None
    }

    /// Somebody who calls himself alpha beats, in this life of his.
    pub(crate) fn hear_own_name(&mut self, uuid: u8, generation: &str) {
        let message = Message::new(&Kind::Status).with("src", "alpha").with("ts", "1").with("seq", "1");
        let mut message = message.with("hg", generation).with("st", "active");
        message.set_value(field::SRC_UUID, Value::Binary(vec![uuid; 16]));
        self.tell(Event::Message { medium: MediumId::new("eth0"), at: now(self.ms).mono, message });
    }

    /// Beta says this: a type, then fields. A field of its own replaces what is said of itself.
    pub(crate) fn hear(&mut self, text: &str) {
        self.sequence = self.sequence.saturating_add(1);
        let message = self.word(text);
        self.receive("eth0", message);
    }

    /// A message of beta, as it would say it now.
    pub(crate) fn word(&self, text: &str) -> Message {
        let mut words = text.split(' ');
        let mut message = Message::new(&Kind::from_text(words.next().unwrap()))
            .with("src", "beta")
            .with("hg", "1")
            .with("ts", format!("{:x}", now(self.ms).wall.0))
            .with("seq", format!("{:x}", self.sequence));
        message.set_value(field::SRC_UUID, Value::Binary(vec![9; 16]));
        let fields = words.filter_map(|word| word.split_once('='));
        fields.fold(message, |message, (name, value)| message.with(name, value))
    }

    /// This comes in over a medium.
    pub(crate) fn receive(&mut self, medium: &str, message: Message) {
        self.tell(Event::Message { medium: MediumId::new(medium), at: now(self.ms).mono, message });
        self.tell(Event::Tick);
    }

    /// Time passes; what becomes due is done.
    pub(crate) fn pass(&mut self, time: u64) {
        let end = self.ms + time;
        while self.ms < end {
            let next = self.cluster.next_deadline().map_or(end, |due| {
                u64::try_from(due.since(Mono::ZERO).as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
            });
            self.ms = next.max(self.ms + 1).min(end).min((self.ms / BEAT + 1) * BEAT);
            if self.beats && self.ms.is_multiple_of(BEAT) {
                self.hear("status st=active dt=1388 protocol=1");
            }
            self.tell(Event::Tick);
        }
    }

    pub(crate) fn times(&self, part: &str) -> usize {
        self.done.iter().filter(|line| line.contains(part)).count()
    }
}
