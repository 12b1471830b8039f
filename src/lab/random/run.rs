//! Carries out faults on a pair and writes down, for the judge, everything that comes of them.

#![allow(clippy::wildcard_enum_match_arm, reason = "each reader looks for its own few of many happenings")]

mod watch;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Child;
use std::time::Duration;
use std::{io, thread};

use nix::sys::signal::Signal;

use crate::amount::measured;
use crate::dice::Dice;
use crate::lab::printer::What;
use crate::lab::run::LabRun;
use crate::time::Mono;

use super::carry_out;
use super::causes::JournalReader;
use super::fact::{Daemon, Fact, Seen, Things, TimedFact, TypedCommand};
use super::fault::{DaemonPart, Direction, DrawnFault, Fault, FullPlace, TypedRequest, Vocabulary};
use super::judge::JudgedGroup;
use super::script_lines::ScriptReader;

/// Between two looks at everything.
const LOOK: Duration = Duration::from_millis(200);
/// As a service manager that starts again what ended.
const STARTED_AGAIN: Duration = Duration::from_millis(300);
/// So many things are wrong at once, at most.
const AT_ONCE: usize = 4;
/// How long a typed command may wait.
const TYPED_WAITS: &str = "60";

/// A random lab under way.
pub(super) struct RandomRun<'a> {
    pub(super) lab_run: &'a mut LabRun,
    pub(super) dice: Dice,
    pub(super) words: Vocabulary,
    pub(super) facts: Vec<TimedFact>,
    /// How often each kind of fault happened.
    pub(super) counts: BTreeMap<&'static str, usize>,
    script_reader: ScriptReader,
    /// What is wrong now, and when it is mended.
    active: Vec<(Mono, DrawnFault)>,
    nodes: [Node; 2],
    things: Option<Things>,
    next_look: Mono,
    next_id: u32,
    /// Requests that have not been answered, and on which node they were typed.
    open: BTreeMap<u32, usize>,
    /// How many of the things that happened have been read.
    happenings_seen: usize,
    stood_still: Mono,
    /// The wall clock when the lab's began.
    wall: Duration,
    journals: [JournalReader; 2],
    groups: Vec<JudgedGroup>,
    kept: PathBuf,
}

/// What we did to a node's daemon.
#[derive(Clone, Debug, Default)]
struct Node {
    daemon: Option<Daemon>,
    /// When its daemon is started again, or its power comes back.
    comes_back: Option<Mono>,
    /// The order to leave that is not carried out yet.
    leave: Option<u32>,
    /// For how long it stays away once it has left.
    stays_away: Duration,
    /// How its daemon ended, once that was told.
    code: Option<Option<i32>>,
    /// When any of its processes was last killed.
    killed: Option<Mono>,
    /// A card was put in then.
    card_in: Mono,
    seen: Option<Seen>,
    /// Until then its journal may lack a cause.
    missed_until: Option<Mono>,
}

impl<'a> RandomRun<'a> {
    pub(super) fn new(
        lab_run: &'a mut LabRun,
        dice: Dice,
        words: Vocabulary,
        script_reader: ScriptReader,
        groups: Vec<JudgedGroup>,
    ) -> RandomRun<'a> {
        let clock = lab_run.pair.clock();
        let journal = |node: usize| JournalReader::at(carry_out::journal(&lab_run.pair, node));
        RandomRun {
            dice,
            words,
            facts: Vec::new(),
            counts: BTreeMap::new(),
            script_reader,
            active: Vec::new(),
            nodes: [Node::default(), Node::default()],
            things: None,
            next_look: Mono::ZERO,
            next_id: 0,
            open: BTreeMap::new(),
            happenings_seen: 0,
            stood_still: lab_run.now(),
            wall: clock.since_1970().saturating_sub(clock.mono().elapsed()),
            journals: [journal(0), journal(1)],
            groups,
            kept: lab_run.pair.plan.kept.clone().unwrap_or_default(),
            lab_run,
        }
    }

    /// Starts both daemons, the second a little later.
    pub(super) fn begin(&mut self) {
        let first = self.dice.node();
        for node in [first, 1 - first] {
            self.start(node);
            let wait = self.dice.time(0, 3_000);
            self.pass(wait);
        }
    }

    /// Draws faults and begins them for so long.
    pub(super) fn draw_faults(&mut self, time: Duration) {
        let end = self.lab_run.now() + time;
        while self.lab_run.now() < end {
            let wait = self.dice.time(100, 2_500);
            let wait = wait.min(end.since(self.lab_run.now()));
            self.pass(wait);
            let drawn = self.words.draw(&mut self.dice);
            if self.active.len() >= AT_ONCE || !self.is_possible(&drawn) {
                continue;
            }
            self.begin_fault(drawn.clone());
            if let Some(next) = self.words.draw_after(&mut self.dice, &drawn) {
                let wait = self.dice.time(20, 1_000);
                self.pass(wait);
                if self.is_possible(&next) {
                    self.begin_fault(next);
                }
            }
        }
    }

    /// Everything is mended, and time passes until nothing has changed for a while.
    pub(super) fn quiet(&mut self, time: Duration) {
        let mut active = std::mem::take(&mut self.active);
        // On a full disk nothing can be mended.
        active.sort_by_key(|(_, drawn)| !matches!(drawn.fault, Fault::Full(_)));
        active.into_iter().for_each(|(_, drawn)| self.mend(&drawn));
        for node in [0, 1] {
            self.nodes[node].comes_back = self.nodes[node].comes_back.map(|_| self.lab_run.now());
        }
        self.lab_run.announce("all is mended");
        self.pass(Duration::from_millis(500));
        self.forgive();
        self.pass(time);
    }

    /// What failed may be tried again.
    fn forgive(&mut self) {
        for node in [0, 1] {
            let failed: Vec<String> = self.nodes[node]
                .seen
                .iter()
                .flat_map(|seen| &seen.groups)
                .filter(|(_, state)| state == "failed")
                .map(|(key, _)| key.clone())
                .collect();
            for key in failed {
                self.typed(node, &["resource", "retry", &key], false);
            }
        }
    }

    /// Types a request that nothing stands against, and waits for its answer.
    pub(super) fn ask_lawfully(&mut self) {
        let node = self.dice.node();
        let node = if self.lab_run.pair.plan.original == Some(node) { 1 - node } else { node };
        let order = self.dice.pick(&["standby", "takeover"]);
        let quiet = |node: &Node| {
            node.daemon == Some(Daemon::Well)
                && node.seen.as_ref().is_some_and(|seen| {
                    seen.stable && seen.groups.iter().all(|(_, state)| state == "held" || state == "free")
                })
        };
        let giver = if order == "standby" { node } else { 1 - node };
        let gives = self.nodes[giver].seen.iter().flat_map(|seen| &seen.groups).any(|(_, state)| state == "held");
        let nice = self.lab_run.auto_failback() != crate::cluster::AutoFailback::Legacy;
        let ours = self.lab_run.pair.plan.original.is_none();
        let lawful = ours && nice && gives && self.open.is_empty() && self.nodes.iter().all(quiet);
        self.typed(node, &[order, "all", "--timeout", TYPED_WAITS], lawful);
        let wait = Duration::from_secs(3);
        self.pass(wait);
    }

    /// Lets time pass: hears, looks, mends what is due.
    pub(super) fn pass(&mut self, time: Duration) {
        let end = self.lab_run.now() + time;
        while self.lab_run.now() < end {
            let until = end.min(self.next_look);
            if let Some(happening) = self.lab_run.pair.next_happening(until) {
                self.lab_run.take(&happening);
            }
            self.heed();
            self.read_script_lines();
            self.mend_what_is_due();
            if self.lab_run.now() >= self.next_look {
                self.look();
                self.next_look = self.lab_run.now() + LOOK;
            }
        }
    }

    fn fact(&mut self, fact: Fact) {
        let at = self.lab_run.now();
        self.facts.push(TimedFact { at, fact });
    }

    fn name(&self, node: usize) -> String {
        self.lab_run.name(node).to_owned()
    }

    fn is_ours(&self, node: usize) -> bool {
        self.lab_run.pair.plan.original != Some(node)
    }

    /// Whether a fault can begin as things are.
    fn is_possible(&self, drawn: &DrawnFault) -> bool {
        let (node, fault) = (drawn.node, &drawn.fault);
        let daemon = self.nodes[node].daemon;
        let active = |wanted: fn(&Fault) -> bool| {
            self.active.iter().any(|(_, other)| other.node == node && wanted(&other.fault))
        };
        if !self.is_ours(node) && !fault.befalls_originals() {
            return false;
        }
        let on = daemon.is_some_and(|daemon| daemon != Daemon::Off);
        let same = self.active.iter().any(|(_, other)| other.fault.kind() == fault.kind());
        if same && !fault.is_moment() {
            return false;
        }
        match fault {
            Fault::Cut(..) | Fault::Loss(..) | Fault::CardGone(_) => {
                // One at a time on the cables, or nobody knows what is mended by what.
                let cables = |(_, other): &(Mono, DrawnFault)| {
                    matches!(other.fault, Fault::Cut(..) | Fault::Loss(..) | Fault::CardGone(_))
                };
                on && !self.active.iter().any(cables)
            }
            Fault::Full(FullPlace::Disk) => {
                on && !active(|other| matches!(other, Fault::Script(..) | Fault::WrongFile(_)))
            }
            Fault::Script(..) | Fault::WrongFile(_) => on && !active(|other| *other == Fault::Full(FullPlace::Disk)),
            Fault::Full(FullPlace::Run) | Fault::KeyFileOpen | Fault::PowerOff => on,
            Fault::BothTyped(..) => self.nodes.iter().all(|node| node.daemon == Some(Daemon::Well)),
            Fault::KillStorm(_)
            | Fault::Stall
            | Fault::Kill(_)
            | Fault::Leave
            | Fault::Upgrade
            | Fault::Reload
            | Fault::Typed(..) => daemon == Some(Daemon::Well),
        }
    }

    fn begin_fault(&mut self, drawn: DrawnFault) {
        *self.counts.entry(drawn.fault.kind()).or_default() += 1;
        let (node, name) = (drawn.node, self.name(drawn.node));
        let lasts = if drawn.fault.is_moment() { String::new() } else { format!(" for {}", measured(drawn.lasts)) };
        self.lab_run.announce(&format!("{name}: {}{lasts}", drawn.fault));
        let mended = self.lab_run.now() + drawn.lasts;
        match &drawn.fault {
            Fault::PowerOff => {
                self.power_off(node);
                self.nodes[node].comes_back = Some(mended);
            }
            Fault::Kill(part) => self.kill(node, *part, mended),
            Fault::KillStorm(times) => {
                for _ in 0..*times {
                    self.kill(node, DaemonPart::Core, mended);
                    let wait = self.dice.time(20, 600);
                    self.pass(wait);
                }
            }
            Fault::Leave => self.leave(node, drawn.lasts),
            Fault::Upgrade => {
                // No request: it waits until nothing is being moved.
                self.type_words(node, &["daemon", "--upgrade"], 0);
            }
            Fault::Reload => self.reload(node),
            Fault::Typed(order, set) => self.type_order(node, *order, set),
            Fault::BothTyped(here, there) => {
                self.type_order(node, TypedRequest::Standby, here);
                self.type_order(1 - node, TypedRequest::Standby, there);
            }
            fault => {
                if let Err(error) = carry_out::set(&mut self.lab_run.pair, node, fault, true) {
                    return self.report(Err(error));
                }
                if *fault == Fault::Full(FullPlace::Disk) {
                    self.fact(Fact::JournalFull(node, true));
                }
                if *fault == Fault::Stall {
                    self.nodes[node].daemon = Some(Daemon::Stopped);
                }
                if matches!(fault, Fault::WrongFile(_)) {
                    self.reload(node);
                }
            }
        }
        if !drawn.fault.is_moment() && !matches!(drawn.fault, Fault::PowerOff | Fault::Kill(_) | Fault::Leave) {
            self.active.push((mended, drawn));
        }
        self.tell_things();
    }

    fn mend_what_is_due(&mut self) {
        let now = self.lab_run.now();
        let (due, later) = std::mem::take(&mut self.active).into_iter().partition(|(at, _)| *at <= now);
        self.active = later;
        let due: Vec<(Mono, DrawnFault)> = due;
        due.iter().for_each(|(_, drawn)| self.mend(drawn));
        for node in [0, 1] {
            if self.nodes[node].comes_back.is_some_and(|at| at <= now) {
                self.nodes[node].comes_back = None;
                self.come_back(node);
            }
        }
    }

    fn mend(&mut self, drawn: &DrawnFault) {
        let (node, name) = (drawn.node, self.name(drawn.node));
        // A machine that was switched off meanwhile came back whole, but for what is on its disk.
        let gone =
            matches!(drawn.fault, Fault::Cut(..) | Fault::Loss(..) | Fault::Full(FullPlace::Run) | Fault::CardGone(_));
        let is_on = self.lab_run.pair.is_on(node);
        self.lab_run.announce(&format!("{name}: {} no more", drawn.fault));
        match &drawn.fault {
            Fault::Full(FullPlace::Disk) if !is_on => self.clean_disk(node),
            Fault::Cut(medium, direction) if !is_on => self.mend_serial(node, medium.as_deref(), *direction),
            Fault::Stall if self.nodes[node].daemon != Some(Daemon::Stopped) => {}
            _ if gone && !is_on => {}
            Fault::CardGone(interface) if self.lab_run.pair.cable_faults(node, interface).is_some() => {}
            fault => {
                let done = carry_out::set(&mut self.lab_run.pair, node, fault, false);
                if !gone {
                    self.report(done);
                }
                if *fault == Fault::Stall {
                    self.nodes[node].daemon = Some(Daemon::Well);
                }
                if matches!(fault, Fault::CardGone(_)) {
                    self.nodes[node].card_in = self.lab_run.now();
                }
                if matches!(fault, Fault::WrongFile(_)) && self.nodes[node].daemon == Some(Daemon::Well) {
                    self.reload(node);
                }
            }
        }
        self.tell_things();
    }

    fn clean_disk(&mut self, node: usize) {
        let done = carry_out::clean_disk(&self.lab_run.pair, node);
        self.report(done);
    }

    /// The null-modem cable is of no machine.
    fn mend_serial(&mut self, node: usize, medium: Option<&str>, direction: Direction) {
        let serial: Vec<String> = self.lab_run.pair.plan.serial.iter().map(|(device, _)| device.clone()).collect();
        for device in serial.iter().filter(|device| medium.is_none_or(|medium| medium == *device)) {
            let done = carry_out::cut(&self.lab_run.pair, node, Some(device), direction, false);
            self.report(done);
        }
    }

    fn report(&mut self, done: io::Result<()>) {
        if let Err(error) = done {
            self.lab_run.tell(&format!("the lab could not do that: {error}"));
        }
    }

    fn start(&mut self, node: usize) {
        let name = self.name(node);
        self.lab_run.announce(&format!("{name}: the daemon starts"));
        self.nodes[node].code = None;
        self.nodes[node].daemon = Some(Daemon::Well);
        self.tell_things();
        if let Err(error) = self.lab_run.pair.start(node) {
            self.lab_run.tell(&format!("the daemon on {name} cannot be started: {error}"));
            self.nodes[node].comes_back = Some(self.lab_run.now() + STARTED_AGAIN);
        }
        self.next_look = self.lab_run.now() + LOOK * 5;
    }

    fn come_back(&mut self, node: usize) {
        if !self.lab_run.pair.is_on(node) {
            let name = self.name(node);
            self.lab_run.announce(&format!("{name}: power again"));
            let done = self.lab_run.pair.power_on(node);
            self.report(done);
        }
        self.start(node);
    }

    fn power_off(&mut self, node: usize) {
        let name = self.name(node);
        self.lab_run.power_off(node);
        self.script_reader.off(&name);
        self.read_script_lines();
        self.nodes[node].leave = None;
        // Who asked there hears no answer.
        let asked: Vec<u32> = self.open.iter().filter(|(_, at)| **at == node).map(|(id, _)| *id).collect();
        for id in asked {
            self.open.remove(&id);
            self.fact(Fact::Answered(id, None, "power-off".to_owned()));
        }
        self.nodes[node].daemon = Some(Daemon::Off);
        self.nodes[node].comes_back = None;
        self.nodes[node].seen = None;
        self.active.retain(|(_, drawn)| drawn.node != node || drawn.fault != Fault::Stall);
        self.tell_things();
    }

    fn kill(&mut self, node: usize, part: DaemonPart, mended: Mono) {
        let whom = match carry_out::find(&self.lab_run.pair, node, part) {
            Ok(whom) => whom,
            Err(error) => return self.report(Err(error)),
        };
        let at = self.lab_run.now();
        self.nodes[node].killed = Some(at);
        carry_out::send(&whom, Signal::SIGKILL);
        if part != DaemonPart::Supervisor {
            self.facts.push(TimedFact { at, fact: Fact::CoreKilled(node) });
        }
        if part == DaemonPart::All {
            self.nodes[node].daemon = Some(Daemon::Gone);
            self.nodes[node].comes_back = Some(mended);
        }
    }

    fn leave(&mut self, node: usize, away: Duration) {
        if let Err(error) = carry_out::signal(&self.lab_run.pair, node, DaemonPart::Supervisor, Signal::SIGTERM) {
            return self.report(Err(error));
        }
        let id = self.new_request(node, "heartbeat -k".to_owned(), false);
        self.nodes[node].leave = Some(id);
        self.nodes[node].daemon = Some(Daemon::Leaving);
        self.nodes[node].comes_back = None;
        self.active.retain(|(_, drawn)| drawn.node != node || drawn.fault != Fault::Stall);
        self.nodes[node].code = None;
        self.nodes[node].stays_away = away;
    }

    fn reload(&mut self, node: usize) {
        let done = carry_out::signal(&self.lab_run.pair, node, DaemonPart::Supervisor, Signal::SIGHUP);
        self.report(done);
    }

    fn type_order(&mut self, node: usize, order: TypedRequest, set: &str) {
        if self.is_ours(node) {
            let word = if order == TypedRequest::Standby { "standby" } else { "takeover" };
            self.typed(node, &[word, set, "--timeout", TYPED_WAITS], false);
        } else {
            self.typed(node, &["hb_standby", set], false);
        }
    }

    fn new_request(&mut self, node: usize, words: String, lawful: bool) -> u32 {
        self.next_id += 1;
        let id = self.next_id;
        self.open.insert(id, node);
        self.fact(Fact::TypedCommand(TypedCommand { id, node, words, lawful }));
        id
    }

    /// Types a command on a node; its end is told.
    fn typed(&mut self, node: usize, words: &[&str], lawful: bool) {
        let id = self.new_request(node, words.join(" "), lawful);
        self.type_words(node, words, id);
    }

    fn type_words(&mut self, node: usize, words: &[&str], id: u32) {
        let name = self.name(node);
        match self.lab_run.pair.machine(node).and_then(|machine| machine.begin(words)) {
            Ok(child) => self.await_end(&name, words, id, child),
            Err(error) => self.lab_run.tell(&format!("{}: {error}", words.join(" "))),
        }
    }

    fn await_end(&mut self, name: &str, words: &[&str], id: u32, child: Child) {
        let (sender, name, words) = (self.lab_run.pair.sender(), name.to_owned(), words.join(" "));
        thread::spawn(move || {
            let Ok(output) = child.wait_with_output() else { return };
            let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).trim().to_owned();
            sender.tell(&name, What::Answered { id, words, code: output.status.code(), text });
        });
    }
}
