//! What the rig keeps for later: what will happen on a node, and to which of its lives.

use std::time::Duration;

use crate::cluster::{Action, Event, Notes, Past};
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
    pub(super) what: PendingKind,
}

/// What it is.
#[derive(Debug)]
pub(super) enum PendingKind {
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
    DaemonReady(Option<Box<Past>>),
    /// The supervisor starts a daemon.
    Restart,
    /// The notes are written: the daemon goes on with what it had to do after it.
    NotesWritten(Box<Notes>, Vec<Action>),
    /// Its ipfail signs on.
    IpfailStarts,
    /// What its ipfail waited for is due.
    IpfailWakes,
}

impl PendingKind {
    /// Whether it comes before whatever else has waited for the same moment.
    pub(super) fn is_first(&self) -> bool {
        matches!(self, PendingKind::DaemonReady(_) | PendingKind::NotesWritten(..))
    }

    /// Whether it waits until the daemon listens.
    pub(super) fn waits(&self) -> bool {
        match self {
            PendingKind::Event(_)
            | PendingKind::HeldBack { .. }
            | PendingKind::DaemonReady(_)
            | PendingKind::NotesWritten(..) => true,
            // It gets no answer before.
            PendingKind::IpfailStarts | PendingKind::IpfailWakes => true,
            PendingKind::ScriptEnds { .. }
            | PendingKind::ComesUp(_)
            | PendingKind::FenceEnds { .. }
            | PendingKind::Restart => false,
        }
    }

    /// Whether it is the work of a process on the machine, which stands still with it.
    pub(super) fn is_work(&self) -> bool {
        match self {
            PendingKind::ScriptEnds { .. }
            | PendingKind::ComesUp(_)
            | PendingKind::FenceEnds { .. }
            | PendingKind::DaemonReady(_) => true,
            PendingKind::Restart => true,
            PendingKind::Event(_) | PendingKind::HeldBack { .. } | PendingKind::NotesWritten(..) => false,
            PendingKind::IpfailStarts | PendingKind::IpfailWakes => false,
        }
    }

    /// The job whose end it is, or will be.
    pub(super) fn job(&self) -> Option<JobId> {
        match self {
            PendingKind::ScriptEnds { job, .. }
            | PendingKind::FenceEnds { job, .. }
            | PendingKind::HeldBack { job, .. }
            | PendingKind::Event(Event::Done { job, .. }) => Some(*job),
            PendingKind::Event(_)
            | PendingKind::ComesUp(_)
            | PendingKind::DaemonReady(_)
            | PendingKind::Restart
            | PendingKind::NotesWritten(..) => None,
            PendingKind::IpfailStarts | PendingKind::IpfailWakes => None,
        }
    }

    /// Whether this resource comes up by it although its start timed out.
    pub(super) fn is_coming_up(&self, word: &str) -> bool {
        matches!(self, PendingKind::ComesUp(coming) if coming == word)
    }

    /// Whether a successor waits for its end.
    pub(super) fn is_script(&self) -> bool {
        matches!(self, PendingKind::ScriptEnds { .. } | PendingKind::FenceEnds { cancelled: false, .. })
    }
}
