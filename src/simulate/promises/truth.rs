//! What scripts really did: what runs or may run on each node, whatever anybody believes.

use std::collections::{BTreeMap, BTreeSet};

use crate::haresources::{Exit, Invocation, Outcome, Verb};
use crate::time::Mono;

use super::Pair;

/// A script at work.
#[derive(Clone, Debug)]
struct Run {
    ends: Mono,
    node: usize,
    word: String,
    verb: Verb,
    outcome: Outcome,
}

/// The scripts' work.
#[derive(Clone, Debug, Default)]
pub(super) struct Truth {
    /// From the moment a start script is begun until there is evidence that it is stopped; with that moment.
    may_run: [BTreeMap<String, Mono>; 2],
    runs: Vec<Run>,
    /// A script of it said what was not so: nobody can keep a promise about it.
    liars: BTreeSet<String>,
}

impl Truth {
    /// What runs or may run on a node, and since when.
    pub(super) fn may_run(&self, node: usize) -> &BTreeMap<String, Mono> {
        &self.may_run[node]
    }

    /// Whether scripts of a resource lied.
    pub(super) fn is_liar(&self, word: &str) -> bool {
        self.liars.contains(word)
    }

    /// Whether any script is at work on a node.
    pub(super) fn is_at_work(&self, node: usize) -> bool {
        self.runs.iter().any(|run| run.node == node && run.verb != Verb::Status)
    }

    /// What runs or may run on both nodes: the resource and since when.
    pub(super) fn doubles(&self) -> impl Iterator<Item = (&String, Mono)> {
        let [one, other] = &self.may_run;
        let double = |(word, since): (&'_ String, &Mono)| other.get(word).map(|too| (*since).max(*too));
        let honest = |(word, _): &(&String, Mono)| !self.is_liar(word);
        one.iter().filter_map(move |entry| double(entry).map(|since| (entry.0, since))).filter(honest)
    }

    pub(super) fn begin_script(
        &mut self,
        now: Mono,
        node: usize,
        call: &Invocation,
        outcome: &Outcome,
        ends: Mono,
        truly: bool,
    ) {
        let word = call.resource.word.clone();
        let could_run = !matches!(outcome.exit, Exit::NotFound(_));
        match call.verb {
            Verb::Start if could_run => {
                self.may_run[node].entry(word.clone()).or_insert(now);
                if outcome.succeeded() && !truly {
                    self.liars.insert(word.clone());
                }
            }
            Verb::Status if matches!(outcome.exit, Exit::Code(_)) && !outcome.said.is_empty() => {
                if outcome.says_running() != truly {
                    self.liars.insert(word.clone());
                }
            }
            Verb::Start | Verb::Stop | Verb::Status => {}
        }
        self.runs.push(Run { ends, node, word, verb: call.verb, outcome: outcome.clone() });
    }

    /// Takes note of the scripts that have ended, and of what runs beside an original; whether any has.
    pub(super) fn end_scripts(&mut self, pair: &Pair) -> bool {
        for (node, host) in pair.hosts.iter().enumerate().filter(|(_, host)| host.puppet.is_some()) {
            self.may_run[node].retain(|word, _| host.running.contains(word));
            for word in &host.running {
                self.may_run[node].entry(word.clone()).or_insert(pair.now);
            }
        }
        if self.runs.iter().all(|run| run.ends > pair.now) {
            return false;
        }
        let (over, at_work) = std::mem::take(&mut self.runs).into_iter().partition(|run| run.ends <= pair.now);
        self.runs = at_work;
        let over: Vec<Run> = over;
        for run in over {
            let by_itself = matches!(run.outcome.exit, Exit::Code(_));
            let stopped = match run.verb {
                Verb::Stop => run.outcome.succeeded(),
                Verb::Status => by_itself && !run.outcome.said.trim().is_empty() && !run.outcome.says_running(),
                Verb::Start => false,
            };
            if stopped {
                // What was started at this very moment was started because of this end.
                self.may_run[run.node].retain(|word, since| *word != run.word || *since >= run.ends);
            }
            // Of what happens at one moment some may be still to come.
            let all_done = pair.queue.first_key_value().is_none_or(|(key, _)| key.0 > pair.now);
            if run.verb == Verb::Stop && stopped && all_done && pair.hosts[run.node].running.contains(&run.word) {
                self.liars.insert(run.word);
            }
        }
        true
    }

    /// The machine lost its power.
    pub(super) fn forget(&mut self, node: usize) {
        self.may_run[node].clear();
        self.runs.retain(|run| run.node != node);
    }
}
