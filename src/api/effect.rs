//! What follows from a thing a client says or that happens to it (`api.md` 2.1): for the caller to do, in order.

use crate::cluster::Level;
use crate::names::ClientId;
use crate::wire::Message;

/// What a client may wait for beside what its socket holds, unless it asks for more.
pub(super) const QUEUE: usize = 64;

/// Questions are small; only a named client has more to say.
pub(super) const SMALL_BODY: usize = 8192;

/// What a connection may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Messages that may wait for it.
    pub queue: usize,
    /// Bytes of a body it sends.
    pub body: usize,
}

impl Limits {
    /// Of somebody who has not signed on.
    pub const FIRST: Limits = Limits { queue: QUEUE, body: SMALL_BODY };
}

/// Why a connection ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CloseReason {
    /// It was closed at the other end.
    Eof,
    /// Its process is gone.
    Died,
    /// It does not read: so many messages wait, and no more may.
    Slow {
        /// How many wait.
        waiting: usize,
        /// How many may.
        most: usize,
    },
    /// What it sent is not this protocol; the sentence says why.
    Rubbish(String),
}

/// One thing to be done; in order.
#[derive(Clone, Debug, PartialEq)]
pub enum ApiEffect {
    /// Queue this for these clients.
    Say {
        /// Whom.
        to: Vec<ClientId>,
        /// What.
        message: Message,
    },
    /// Send this client's process a signal.
    Signal {
        /// Whom.
        client: ClientId,
        /// Which, 1 to 31.
        signal: i32,
    },
    /// From now on it may cost so much.
    Limits {
        /// Who.
        client: ClientId,
        /// How much.
        limits: Limits,
    },
    /// End the connection; what was said to it before this is offered once. It is forgotten here.
    Close(ClientId),
    /// Say this to the cluster as if it had come through the FIFO; this node hears it too.
    Send {
        /// What.
        message: Message,
        /// The name of the client that wants it said; `None` when it is our own.
        by: Option<String>,
    },
    /// For the log; one of a cause a second is enough.
    Log {
        /// How loud.
        level: Level,
        /// What it is about.
        cause: &'static str,
        /// The words.
        text: String,
    },
}

pub(super) fn log(level: Level, cause: &'static str, text: String) -> ApiEffect {
    ApiEffect::Log { level, cause, text }
}

/// For the log, as an error.
pub(super) fn complain(cause: &'static str, text: String) -> ApiEffect {
    log(Level::Error, cause, text)
}
