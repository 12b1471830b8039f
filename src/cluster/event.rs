//! Everything that can happen to a node.

use crate::haresources::{Outcome, ResourceGroup};
use crate::names::{ClientId, JobId, MediumId};
use crate::time::Mono;
use crate::wire::Message;

use super::{Request, Settings};

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// A message that was whole and rightly signed. `at` is when its last byte reached this machine, which may be
    /// earlier than `now`; it decides about lateness and death.
    Message {
        /// Where it came in.
        medium: MediumId,
        /// When.
        at: Mono,
        /// What it says.
        message: Message,
    },
    /// A message somebody on this machine wrote into the FIFO (`wire.md` 1.6): control fields are still missing.
    Local(Message),
    /// A medium failed or came back.
    Medium {
        /// Which one.
        medium: MediumId,
        /// How it is now.
        condition: MediumCondition,
    },
    /// A script the core asked for has ended.
    Done {
        /// Which run.
        job: JobId,
        /// How.
        outcome: Outcome,
    },
    /// A client asks something.
    Request {
        /// Whom to answer.
        client: ClientId,
        /// What.
        request: Request,
        /// Who it is, for `latido why` on both nodes; may be empty.
        #[serde(default)]
        by: String,
    },
    /// `ha.cf` or `haresources` were reread and found good (SIGHUP).
    Reconfigure(Box<(Settings, Vec<ResourceGroup>)>),
    /// The operator asks the daemon to leave.
    Leave,
    /// The program is to be exchanged while everything it holds stays as it is.
    Upgrade,
    /// Time passed, and everything that had arrived was handed over: act on what is due. The only event that lets
    /// timers fire.
    Tick,
}

/// Whether a medium can be used.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MediumCondition {
    /// It works (again).
    Working,
    /// It cannot be written or read; the text says why.
    Failed(String),
}
