//! The dialogues of two nodes, as far as they can be told without a node: where each stands (`resources.md` 2, 4, 5.1).
//! They rest on nothing else of the core; `takeover`, `standby` and `shutdown` carry them on.

mod handover;
mod joining;
mod leaving;

pub(super) use handover::Standby;
pub(super) use joining::Stage;
pub(super) use leaving::Leaving;
