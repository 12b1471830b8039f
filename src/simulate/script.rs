//! How the simulated resource scripts behave: what each call takes, how it ends, and what it really does.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::haresources::{Exit, Invocation, Outcome, Verb};

/// What a script does instead of working.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Behaviour {
    /// It ends with 1 and changes nothing.
    Fails,
    /// It never ends by itself, and changes nothing.
    Hangs,
    /// It works, and takes so much longer; beyond its limit it is ended and has changed nothing.
    Slow(Duration),
    /// It says the opposite: `status` of what is, `start` and `stop` that they worked although nothing happened.
    Lies,
    /// It says nothing and ends with 0; `start` and `stop` work.
    Silent,
    /// It cannot be run at all.
    Unrunnable,
    /// Somebody kills it with signal 9 before it has changed anything.
    Killed,
    /// A start that times out, and the service comes up so much later all the same; nothing else can be late.
    Late(Duration),
}

/// What a call really does, at its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    /// Nothing.
    None,
    /// The service is up.
    Up,
    /// It comes up so much later.
    UpLater(Duration),
    /// It is down.
    Down,
    /// A stop ended well, and the service runs on.
    SaidDown,
    /// A `status` that ended by itself said that it is stopped.
    SeenDown,
}

/// One call as it is going to be.
#[derive(Clone, Debug)]
pub(super) struct Call {
    pub(super) took: Duration,
    pub(super) outcome: Outcome,
    pub(super) effect: Effect,
    /// The script was begun; whatever it has done then must be reckoned with.
    pub(super) begun: bool,
    pub(super) behaviour: Option<Behaviour>,
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

    /// This node's scripts for this resource work again.
    pub fn mend_one(&mut self, node: usize, word: &str) {
        self.bad.retain(|(on, of, _), _| *on != node || of != word);
    }

    /// How this node's script for this resource misbehaves, if it does.
    pub fn behaviour(&self, node: usize, word: &str, verb: Verb) -> Option<Behaviour> {
        self.bad.get(&(node, word.to_owned(), verb)).copied()
    }

    /// Whether no script misbehaves.
    pub fn all_work(&self) -> bool {
        self.bad.is_empty()
    }

    /// Plays one call of a resource that runs or not; `pause` is what it takes as well.
    pub(super) fn play(&self, node: usize, call: &Invocation, runs: bool, limit: Duration, pause: Duration) -> Call {
        let behaviour = self.behaviour(node, &call.resource.word, call.verb);
        let took = Duration::from_millis(5) + pause + self.slowness;
        let took = if let Some(Behaviour::Slow(longer)) = behaviour { took + longer } else { took };
        let end = |took: Duration, exit: Exit, said: &str, effect: Effect| {
            let begun = !matches!(exit, Exit::NotFound(_));
            Call { took, outcome: Outcome { exit, said: said.to_owned() }, effect, begun, behaviour }
        };
        let (says, effect) = match (call.verb, runs) {
            (Verb::Start, _) => ("", Effect::Up),
            (Verb::Stop, _) => ("", Effect::Down),
            (Verb::Status, true) => ("running", Effect::None),
            (Verb::Status, false) => ("stopped", Effect::SeenDown),
        };
        match behaviour {
            Some(Behaviour::Unrunnable) => {
                let why = format!("{}: not permitted", call.resource.agent);
                end(Duration::from_millis(1), Exit::NotFound(why), "", Effect::None)
            }
            Some(Behaviour::Late(later)) if call.verb == Verb::Start => {
                end(limit, Exit::TimedOut, "", Effect::UpLater(later))
            }
            Some(Behaviour::Hangs | Behaviour::Late(_)) => end(limit, Exit::TimedOut, "", Effect::None),
            _ if took > limit => end(limit, Exit::TimedOut, "", Effect::None),
            Some(Behaviour::Fails) => end(took, Exit::Code(1), "", Effect::None),
            Some(Behaviour::Killed) => end(took, Exit::Signal(9), "", Effect::None),
            Some(Behaviour::Silent) if call.verb == Verb::Status => end(took, Exit::Code(0), "", Effect::None),
            Some(Behaviour::Lies) => match (call.verb, runs) {
                (Verb::Start, _) => end(took, Exit::Code(0), "", Effect::None),
                (Verb::Stop, _) => end(took, Exit::Code(0), "", Effect::SaidDown),
                (Verb::Status, true) => end(took, Exit::Code(0), "stopped", Effect::SeenDown),
                (Verb::Status, false) => end(took, Exit::Code(0), "running", Effect::None),
            },
            Some(Behaviour::Silent | Behaviour::Slow(_)) | None => end(took, Exit::Code(0), says, effect),
        }
    }
}
