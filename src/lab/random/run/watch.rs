//! Sees, hears and reads what comes of the faults, and writes it down for the judge.

#![allow(clippy::wildcard_enum_match_arm, reason = "of all happenings only a few are read here")]

use std::fs;
use std::time::Duration;

use crate::cluster::phrases;
use crate::haresources::Verb;
use crate::lab::log_entries::split_log_line;
use crate::lab::printer::{Happening, What};
use crate::lab::witness::Said;
use crate::time::Mono;

use super::super::carry_out;
use super::super::causes;
use super::super::fact::{Daemon, Fact, Seen, Things, TimedFact};
use super::super::fault::{Fault, FullPlace};
use super::super::script_lines::{self, ScriptDid};
use super::{RandomRun, STARTED_AGAIN};

/// A reset machine needs a moment.
const RESET: Duration = Duration::from_secs(2);
/// Somebody switches on again what was fenced.
const FENCED: Duration = Duration::from_secs(4);
/// A card that was put in again is opened within a second.
const OPENED_WITHIN: Duration = Duration::from_secs(1);
/// What was decided while the disk was full is done by then.
const AFTER_FULL: Duration = Duration::from_secs(10);
/// A supervisor that was killed is replaced by then, and a core as well.
const KILLED_TOGETHER: Duration = Duration::from_secs(1);

impl RandomRun<'_> {
    /// Takes note of what has happened since the last time, whoever of the lab heard it first.
    pub(super) fn heed(&mut self) {
        let news: Vec<Happening> = self.lab_run.what_runs.after(self.happenings_seen).cloned().collect();
        self.happenings_seen += news.len();
        for happening in news {
            match (&happening.what, self.lab_run.pair.plan.node(&happening.host)) {
                (What::Answered { id, code, text, .. }, _) => {
                    self.open.remove(id);
                    let fact = Fact::Answered(*id, *code, text.clone());
                    self.facts.push(TimedFact { at: happening.at, fact });
                }
                (What::Ended(code), Some(node)) => self.nodes[node].code = Some(*code),
                (What::Log(line), Some(node)) if self.lab_run.pair.is_on(node) => self.heed_log(node, line),
                _ => {}
            }
        }
    }

    /// A lab's daemon that reboots its machine only says so.
    fn heed_log(&mut self, node: usize, line: &str) {
        let text = split_log_line(line).map_or(line, |(_, text)| text);
        if text.ends_with(phrases::REBOOTS) {
            let name = self.name(node);
            self.lab_run.announce(&format!("{name} resets itself"));
            self.power_off(node);
            self.nodes[node].comes_back = Some(self.lab_run.now() + RESET);
        }
    }

    /// Reads what scripts have written.
    pub(super) fn read_script_lines(&mut self) {
        let mut fences = Vec::new();
        while let Some((at, line)) = self.script_reader.next() {
            let Some(node) = self.lab_run.pair.plan.node(&line.host) else { continue };
            let fact = match line.what {
                ScriptDid::Began(name, verb) => {
                    if verb != Verb::Status {
                        let what = What::Witness(Said::Called(format!("{name} {}", verb.as_str())));
                        self.lab_run.take(&Happening { at, host: line.host, what });
                    }
                    Fact::Began(node, name, verb)
                }
                ScriptDid::Ended(name, verb, code) => Fact::Ended(node, name, verb, code),
                ScriptDid::Said(name, running) => Fact::Said(node, name, running),
                ScriptDid::Off => Fact::Off(node),
                ScriptDid::Fence(target) => {
                    fences.push((node, target));
                    continue;
                }
                ScriptDid::Fenced(target) => match self.lab_run.pair.plan.node(&target) {
                    Some(target) => Fact::KnownFenced(target),
                    None => continue,
                },
            };
            self.facts.push(TimedFact { at, fact });
        }
        for (by, target) in fences {
            self.fence(by, &target);
        }
    }

    /// Does what a fencing device is asked for.
    fn fence(&mut self, by: usize, target: &str) {
        let name = self.name(by);
        let Some(node) = self.lab_run.pair.plan.node(target).filter(|node| *node != by) else { return };
        self.lab_run.announce(&format!("{name} fences {target}"));
        self.fact(Fact::Fenced(node));
        if self.lab_run.pair.is_on(node) {
            self.power_off(node);
            self.nodes[node].comes_back = Some(self.lab_run.now() + FENCED);
        }
        let done = fs::write(self.kept.join(script_lines::done(&name)), "");
        self.report(done);
    }

    /// Looks at everything nobody tells.
    pub(super) fn look(&mut self) {
        for node in [0, 1] {
            self.look_for_daemon(node);
        }
        for (begin, end) in self.lab_run.stall_watch.stalls(self.stood_still) {
            self.stood_still = self.stood_still.max(end);
            self.facts.push(TimedFact { at: end, fact: Fact::StoodStill(end.since(begin)) });
        }
        self.tell_things();
        for node in [0, 1] {
            self.read_causes(node);
            if matches!(self.nodes[node].daemon, Some(Daemon::Well | Daemon::Leaving)) && self.is_ours(node) {
                self.ask(node);
            }
        }
    }

    fn look_for_daemon(&mut self, node: usize) {
        let state = self.nodes[node].daemon;
        if !matches!(state, Some(Daemon::Well | Daemon::Leaving | Daemon::Stopped))
            || carry_out::is_there(&self.lab_run.pair, node)
        {
            return;
        }
        // Its last lines may still be on their way.
        while let Some(happening) = self.lab_run.pair.next_happening(Mono::ZERO) {
            self.lab_run.take(&happening);
        }
        self.heed();
        if self.nodes[node].daemon != state {
            return;
        }
        self.read_script_lines();
        let code = self.nodes[node].code.take().flatten();
        self.nodes[node].seen = None;
        if let Some(id) = self.nodes[node].leave.take() {
            self.nodes[node].daemon = Some(Daemon::Left);
            self.open.remove(&id);
            self.fact(Fact::Answered(id, code, String::new()));
            self.fact(Fact::Left(node));
            self.nodes[node].comes_back = Some(self.lab_run.now() + self.nodes[node].stays_away);
        } else {
            self.nodes[node].daemon = Some(Daemon::Gone);
            // Both processes may have been killed, one soon after the other.
            if self.nodes[node].killed.is_none_or(|at| self.lab_run.now().since(at) > KILLED_TOGETHER) {
                self.fact(Fact::Died(node, code));
            }
            self.nodes[node].comes_back = Some(self.lab_run.now() + STARTED_AGAIN);
        }
    }

    /// Reads the journal of a node; a full disk takes none.
    fn read_causes(&mut self, node: usize) {
        if !self.is_ours(node) {
            return;
        }
        for entry in self.journals[node].news() {
            let since = Duration::try_from_secs_f64(entry.t).unwrap_or_default();
            let at = Mono::at(since.saturating_sub(self.wall));
            let facts = causes::facts(node, &entry, &self.groups, self.lab_run.auto_failback());
            self.facts.extend(facts.into_iter().map(|fact| TimedFact { at, fact }));
        }
        let full =
            self.active.iter().any(|(_, drawn)| drawn.node == node && drawn.fault == Fault::Full(FullPlace::Disk));
        let now = self.lab_run.now();
        if full {
            self.nodes[node].missed_until = Some(now + AFTER_FULL);
        } else if self.nodes[node].missed_until.take_if(|until| *until <= now).is_some() {
            self.fact(Fact::JournalFull(node, false));
        }
    }

    fn ask(&mut self, node: usize) {
        let asked = self.lab_run.now();
        let Some(status) = self.lab_run.pair.status(node) else { return };
        let groups = status.groups.iter().map(|group| (group.key.clone(), group.state.clone())).collect();
        let elsewhere =
            status.groups.iter().filter(|group| group.held_by_peer).map(|group| group.key.clone()).collect();
        let seen = Seen { asked, stable: status.stable && !status.leaving, groups, elsewhere };
        self.read_script_lines();
        self.nodes[node].seen = Some(seen.clone());
        self.fact(Fact::Status(node, seen));
    }

    /// Says how things are, if that is news.
    pub(super) fn tell_things(&mut self) {
        let things = self.things_now();
        if self.things.as_ref() != Some(&things) {
            self.read_script_lines();
            self.things = Some(things.clone());
            self.fact(Fact::Things(things));
        }
    }

    fn things_now(&self) -> Things {
        let pair = &self.lab_run.pair;
        let mut reaches = [false; 2];
        let mut both_ways = false;
        let now = self.lab_run.now();
        let fresh = (0..2).any(|node| {
            let since = self.nodes[node].card_in;
            since > Mono::ZERO && now.since(since) < OPENED_WITHIN
        });
        for medium in &pair.plan.media {
            let ways = match pair.null_modem(medium) {
                Some(cable) => [0, 1].map(|node| !cable.is_silent(node)),
                None => {
                    let faults = [0, 1].map(|node| pair.cable_faults(node, medium));
                    [0, 1].map(|from| match (faults[from], faults[1 - from]) {
                        (Some(here), Some(there)) => {
                            !fresh && ![here.sending, there.hearing].iter().any(|way| way.cut || way.loss > 0)
                        }
                        // Nobody is there to hear.
                        _ => !pair.is_on(0) || !pair.is_on(1),
                    })
                }
            };
            both_ways |= ways == [true, true];
            reaches = [0, 1].map(|from| reaches[from] || ways[from]);
        }
        let troubled = self.active.iter().any(|(_, drawn)| matches!(drawn.fault, Fault::Script(..)));
        let daemons = [0, 1].map(|node| self.nodes[node].daemon.unwrap_or(Daemon::Left));
        Things { daemons, reaches, both_ways, scripts_answer: !troubled }
    }
}
