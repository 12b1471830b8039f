//! Two machines with one name: three cores on one wire, two of which call themselves alpha (`takeover.md` 13).

#![allow(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "a test may panic, and looks at some actions only"
)]

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use latido::cluster::{Action, Cluster, Event, Settings, StartFacts};
use latido::haresources::{Exit, Outcome, Verb};
use latido::names::MediumId;
use latido::simulate::{groups, settings};
use latido::time::{Mono, Now, Wall};
use latido::wire::{Generation, Message};

const LINES: &str = "alpha ra\nbeta rb";

struct Machine {
    cluster: Cluster,
    is_on: bool,
    up: BTreeSet<String>,
    said: Vec<String>,
}

/// Who hears whom is a matter of the wire: by broadcast everybody, by unicast only whom the line in `ha.cf` names.
struct Wire {
    ms: u64,
    machines: Vec<Machine>,
    unicast: bool,
    /// Each moment at which a group ran on more than one machine, and which.
    doubles: Vec<(u64, String)>,
}

fn now(ms: u64) -> Now {
    Now { mono: Mono::at(Duration::from_millis(ms)), wall: Wall(1_700_000_000 + ms / 1000) }
}

/// A life that begins now; the names of the machines are those of their owner, not their own.
fn born(me: &str, generation: u64, uuid: u8, ms: u64) -> Machine {
    let of_me: Settings = settings(me).unwrap();
    let start_facts = StartFacts::new(Generation(generation), [uuid; 16], u64::from(uuid) * generation);
    let cluster = Cluster::start(of_me, groups(LINES), start_facts, now(ms));
    Machine { cluster, is_on: true, up: BTreeSet::new(), said: Vec::new() }
}

impl Wire {
    /// Alpha and beta, settled for a while.
    fn settled(unicast: bool) -> Wire {
        let machines = vec![born("alpha", 5, 1, 0), born("beta", 5, 2, 0)];
        let mut wire = Wire { ms: 0, machines, unicast, doubles: Vec::new() };
        wire.tell(0, Event::Tick);
        wire.tell(1, Event::Tick);
        wire.pass(30_000);
        assert!(wire.machines[0].up.contains("ra") && wire.machines[1].up.contains("rb"));
        wire
    }

    fn add(&mut self, machine: Machine) -> usize {
        self.machines.push(machine);
        let at = self.machines.len() - 1;
        self.tell(at, Event::Tick);
        at
    }

    fn tell(&mut self, to: usize, event: Event) {
        let mut events = VecDeque::from([(to, event)]);
        let mut steps = 0;
        while let Some((at, event)) = events.pop_front() {
            steps += 1;
            assert!(steps < 1000, "they answer each other without end: {event:?} {:#?}", self.machines[1].said);
            if !self.machines[at].is_on {
                continue;
            }
            for action in self.machines[at].cluster.handle(now(self.ms), event) {
                match action {
                    Action::Send(message) => events.extend(self.carried(at, &message)),
                    Action::Run { job, invocation, .. } => {
                        let word = invocation.resource.word.clone();
                        let machine = &mut self.machines[at];
                        let outcome = match invocation.verb {
                            Verb::Start => {
                                machine.up.insert(word);
                                Outcome::code(0)
                            }
                            Verb::Stop => {
                                machine.up.remove(&word);
                                Outcome::code(0)
                            }
                            Verb::Status if machine.up.contains(&word) => Outcome::code(0),
                            Verb::Status => Outcome { exit: Exit::Code(3), said: "stopped".into() },
                        };
                        events.push_back((at, Event::Done { job, outcome }));
                    }
                    Action::Report(report) => self.machines[at].said.push(report.to_string()),
                    _ => {}
                }
            }
            for group in ["ra", "rb"] {
                if self.machines.iter().filter(|machine| machine.is_on && machine.up.contains(group)).count() > 1 {
                    self.doubles.push((self.ms, group.to_owned()));
                }
            }
        }
    }

    fn carried(&self, from: usize, message: &Message) -> Vec<(usize, Event)> {
        let is_beta = |at: usize| at == 1;
        let hears = |at: &usize| *at != from && (!self.unicast || is_beta(*at) != is_beta(from));
        let event =
            || Event::Message { medium: MediumId::new("eth0"), at: now(self.ms).mono, message: message.clone() };
        (0..self.machines.len()).filter(hears).map(|at| (at, event())).collect()
    }

    fn pass(&mut self, time: u64) {
        let end = self.ms + time;
        while self.ms < end {
            self.ms += 10;
            for at in 0..self.machines.len() {
                let due = self.machines[at].cluster.next_deadline();
                if due.is_some_and(|due| due <= now(self.ms).mono) {
                    self.tell(at, Event::Tick);
                }
            }
        }
    }

    fn times(&self, at: usize, words: &str) -> usize {
        self.machines[at].said.iter().filter(|line| line.contains(words)).count()
    }

    fn impostor(&self, at: usize) -> String {
        self.machines[at].cluster.view(now(self.ms).mono).impostor.unwrap_or_default()
    }
}

/// All kinds of second machines: another uuid, and the same with a higher, an equal and a lower generation.
const SECONDS: [(u64, u8); 6] = [(9, 7), (5, 7), (2, 7), (9, 1), (5, 1), (2, 1)];

#[test]
fn a_second_machine_with_our_name_starts_nothing_and_everybody_says_so() {
    for unicast in [false, true] {
        for (generation, uuid) in SECONDS {
            let what = format!("generation {generation}, uuid {uuid}, unicast {unicast}");
            let mut wire = Wire::settled(unicast);
            let begun = wire.ms;
            let second = wire.add(born("alpha", generation, uuid, begun));
            wire.pass(60_000);
            let late: Vec<_> = wire.doubles.iter().filter(|(ms, _)| *ms > begun + 3000).collect();
            assert!(late.is_empty(), "{what}: {late:?} {:#?}", wire.machines[second].said);
            let said = || wire.machines.iter().map(|machine| machine.said.clone()).collect::<Vec<_>>();
            assert!(wire.machines[0].up.contains("ra") && wire.machines[1].up.contains("rb"), "{what} {:#?}", said());
            assert!(!wire.machines[1].up.contains("ra"), "{what}: groups of a node that is heard are not taken");
            assert_eq!(wire.times(1, "two machines call themselves alpha"), 1, "{what}: {:#?}", wire.machines[1].said);
            assert_eq!(wire.times(0, "another machine"), 1, "{what}: {:#?}", wire.machines[0].said);
            for at in [0, 1, second] {
                assert!(wire.impostor(at).contains("alpha"), "{what}: {at} {:#?}", wire.machines[at].said);
            }
            assert_eq!(wire.times(second, "one-way link"), 0, "{what}: {:#?}", wire.machines[second].said);
            assert!(wire.times(1, "Heartbeat restart") <= 2, "{what}: {:#?}", wire.machines[1].said);
        }
    }
}

#[test]
fn a_second_machine_of_another_uuid_never_runs_anything_twice() {
    for unicast in [false, true] {
        for generation in [9, 5, 2] {
            let mut wire = Wire::settled(unicast);
            let begun = wire.ms;
            wire.add(born("alpha", generation, 7, begun));
            wire.pass(60_000);
            assert!(wire.doubles.is_empty(), "{generation} {unicast}: {:?}", wire.doubles);
        }
    }
}

#[test]
fn when_the_first_goes_the_second_is_the_node_and_its_groups_are_not_taken_meanwhile() {
    for (generation, uuid) in SECONDS {
        let mut wire = Wire::settled(false);
        let begun = wire.ms;
        let second = wire.add(born("alpha", generation, uuid, begun));
        wire.pass(20_000);
        wire.machines[0].is_on = false;
        wire.machines[0].up.clear();
        wire.doubles.clear();
        wire.pass(60_000);
        let up: Vec<usize> = [1, second].into_iter().filter(|at| wire.machines[*at].up.contains("ra")).collect();
        assert_eq!(up.len(), 1, "{generation} {uuid}: {:#?}", wire.machines[1].said);
        assert!(wire.doubles.is_empty(), "{generation} {uuid}: {:?}", wire.doubles);
        assert_eq!(wire.impostor(1), "", "{generation} {uuid}");
        assert!(wire.times(1, "node alpha: is dead") == 0, "{generation} {uuid}: {:#?}", wire.machines[1].said);
    }
}

#[test]
fn a_machine_that_lost_its_uuid_and_restarts_is_believed_a_deadtime_later() {
    let mut wire = Wire::settled(false);
    wire.machines[0].is_on = false;
    wire.machines[0].up.clear();
    let begun = wire.ms;
    let again = wire.add(born("alpha", 6, 7, begun));
    wire.pass(30_000);
    assert!(wire.machines[again].up.contains("ra"), "{:#?}", wire.machines[again].said);
    assert!(wire.doubles.is_empty(), "{:?}", wire.doubles);
    assert_eq!(wire.impostor(1), "");
}

#[test]
fn a_quick_restart_is_no_second_machine() {
    for generation in [6, 5, 2] {
        let mut wire = Wire::settled(false);
        wire.machines[0].is_on = false;
        wire.machines[0].up.clear();
        let begun = wire.ms;
        let again = wire.add(born("alpha", generation, 1, begun));
        wire.pass(30_000);
        assert!(wire.machines[again].up.contains("ra"), "{generation}: {:#?}", wire.machines[again].said);
        assert!(wire.times(1, "two machines") == 0 && wire.times(again, "another machine") == 0, "{generation}");
    }
}
