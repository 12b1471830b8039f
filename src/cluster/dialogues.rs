//! The dialogues of two nodes as state machines (`resources.md` 2, 4, 5.1): where each stands, what can happen, and what
//! follows. They rest on nothing else of the core; `joining`, `standby` and `shutdown` carry them on.

mod handover;
mod joining;
mod leaving;
#[cfg(test)]
mod tests;

pub(super) use handover::{Owed, Standby, StandbyEvent, StandbyStep};
pub(super) use joining::{JoiningEvent, Stage};
pub(super) use leaving::{Leaving, LeavingEvent, LeavingStep};
