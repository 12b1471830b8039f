//! What happens in the lab, as it happens.

use std::net::Ipv4Addr;
use std::time::Duration;

use crate::time::Mono;

use super::witness::Said;

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Happening {
    /// When, on the bench's clock.
    pub at: Mono,
    /// Where: a node, `client`, `lab`.
    pub host: String,
    /// What.
    pub what: What,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// The daemon printed a line.
    Log(String),
    /// The host's witness saw something.
    Witness(Said),
    /// The daemon ended, with this code or by a signal.
    Ended(Option<i32>),
    /// An address answers again, or another host answers there.
    Answers {
        /// Which.
        address: Ipv4Addr,
        /// The host that answers.
        by: String,
        /// For how long nobody did; `None` the first time.
        outage: Option<Duration>,
    },
}
