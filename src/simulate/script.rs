//! How the simulated resource scripts behave.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::haresources::{Exit, Invocation, Outcome, Verb};

/// What a script does instead of working.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Behaviour {
    /// It ends with 1 and changes nothing.
    Fails,
    /// It never ends by itself.
    Hangs,
}

/// The misbehaving scripts; all others take some ten milliseconds and work.
#[derive(Clone, Debug, Default)]
pub struct Scripts {
    bad: BTreeMap<(usize, String, Verb), Behaviour>,
    /// Added to the time each script takes.
    pub slowness: Duration,
}

impl Scripts {
    /// From now on this node's script for this resource misbehaves.
    pub fn misbehave(&mut self, node: usize, word: &str, verb: Verb, behaviour: Behaviour) {
        self.bad.insert((node, word.to_owned(), verb), behaviour);
    }

    /// All scripts work again.
    pub fn mend(&mut self) {
        self.bad.clear();
    }

    /// Whether this script does not simply work.
    pub(super) fn misbehaves(&self, node: usize, word: &str, verb: Verb) -> bool {
        self.bad.contains_key(&(node, word.to_owned(), verb))
    }

    /// Whether any does not.
    pub(super) fn any_misbehaves(&self) -> bool {
        !self.bad.is_empty()
    }

    /// How long this script takes at the most.
    pub(super) fn longest(&self, node: usize, word: &str, verb: Verb, limit: Duration) -> Duration {
        match self.bad.get(&(node, word.to_owned(), verb)) {
            Some(Behaviour::Hangs) => limit,
            Some(Behaviour::Fails) | None => limit.min(Duration::from_millis(25) + self.slowness),
        }
    }

    /// Plays one call: how long it takes and how it ends.
    pub(super) fn play(
        &self,
        node: usize,
        call: &Invocation,
        runs: bool,
        limit: Duration,
        pause: Duration,
    ) -> (Duration, Outcome) {
        let took = Duration::from_millis(5) + pause + self.slowness;
        match self.bad.get(&(node, call.resource.word.clone(), call.verb)) {
            Some(Behaviour::Fails) => (took, Outcome::code(1)),
            Some(Behaviour::Hangs) => (limit, Outcome { exit: Exit::TimedOut, said: String::new() }),
            None if took > limit => (limit, Outcome { exit: Exit::TimedOut, said: String::new() }),
            None => {
                let said = if call.verb != Verb::Status {
                    ""
                } else if runs {
                    "running"
                } else {
                    "stopped"
                };
                (took, Outcome { exit: Exit::Code(0), said: said.to_owned() })
            }
        }
    }
}
