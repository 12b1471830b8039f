//! What the rig keeps for later: what will happen on a node, and to which of its lives.

use std::time::Duration;

use crate::cluster::{Action, Event, Kept, Past};
use crate::haresources::{Invocation, Outcome, Verb};
use crate::names::JobId;

use super::script::Effect;

/// Something that will happen.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) node: usize,
    /// Whatever is for a daemon of a past life is dropped, except messages, which are for whoever is there.
    pub(super) life: u64,
    /// Whatever happens on the machine goes on after its daemon's death, and ends with its power.
    pub(super) power: u64,
    pub(super) what: Coming,
}

/// What it is.
#[derive(Debug)]
pub(super) enum Coming {
    /// The daemon is told.
    Event(Event),
    /// A script ends, with what it really did to this resource.
    ScriptEnds { job: JobId, word: String, verb: Verb, outcome: Outcome, effect: Effect },
    /// A service comes up whose start timed out.
    ComesUp(String),
    /// A script waits for the end of those of a dead daemon.
    HeldBack { job: JobId, invocation: Invocation, limit: Duration },
    /// A device ends; it has switched the other node off, or not.
    FenceEnds { job: JobId, outcome: Outcome, shoots: bool, cancelled: bool },
    /// The daemon, started before, says its first word, perhaps with a past that somebody thought out.
    Birth(Option<Box<Past>>),
    /// The supervisor starts a daemon.
    Restart,
    /// The note is written: the daemon goes on with what it had to do after it.
    Noted(Box<Kept>, Vec<Action>),
    /// Its ipfail signs on.
    IpfailStarts,
    /// What its ipfail waited for is due.
    IpfailWakes,
}

impl Coming {
    /// Whether it comes before whatever else has waited for the same moment.
    pub(super) fn is_first(&self) -> bool {
        matches!(self, Coming::Birth(_) | Coming::Noted(..))
    }

    /// Whether it waits until the daemon listens.
    pub(super) fn waits(&self) -> bool {
        match self {
            Coming::Event(_) | Coming::HeldBack { .. } | Coming::Birth(_) | Coming::Noted(..) => true,
            // It gets no answer before.
            Coming::IpfailStarts | Coming::IpfailWakes => true,
            Coming::ScriptEnds { .. } | Coming::ComesUp(_) | Coming::FenceEnds { .. } | Coming::Restart => false,
        }
    }

    /// Whether it is the work of a process on the machine, which stands still with it.
    pub(super) fn is_work(&self) -> bool {
        match self {
            Coming::ScriptEnds { .. } | Coming::ComesUp(_) | Coming::FenceEnds { .. } | Coming::Birth(_) => true,
            Coming::Restart => true,
            Coming::Event(_) | Coming::HeldBack { .. } | Coming::Noted(..) => false,
            Coming::IpfailStarts | Coming::IpfailWakes => false,
        }
    }

    /// The job whose end it is, or will be.
    pub(super) fn job(&self) -> Option<JobId> {
        match self {
            Coming::ScriptEnds { job, .. }
            | Coming::FenceEnds { job, .. }
            | Coming::HeldBack { job, .. }
            | Coming::Event(Event::Done { job, .. }) => Some(*job),
            Coming::Event(_) | Coming::ComesUp(_) | Coming::Birth(_) | Coming::Restart | Coming::Noted(..) => None,
            Coming::IpfailStarts | Coming::IpfailWakes => None,
        }
    }

    /// Whether this resource comes up by it although its start timed out.
    pub(super) fn is_coming_up(&self, word: &str) -> bool {
        matches!(self, Coming::ComesUp(coming) if coming == word)
    }

    /// Whether a successor waits for its end.
    pub(super) fn is_script(&self) -> bool {
        matches!(self, Coming::ScriptEnds { .. } | Coming::FenceEnds { cancelled: false, .. })
    }
}
