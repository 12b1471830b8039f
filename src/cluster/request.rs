//! What may be asked of the cluster and what it says: the core's own nouns; `daemon` gives them their spelling on the
//! control socket.

use std::fmt;

/// Which groups move, in the terms of the node that gives them up (`resources.md` 4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Set {
    /// Every group.
    All,
    /// The giver's own groups.
    Local,
    /// The other node's groups.
    Foreign,
}

impl Set {
    /// The word in `rsc_hold`; `failback` means `foreign`. `None` for any other word (the original then blocks both
    /// nodes for an hour).
    pub fn from_text(text: &str) -> Option<Set> {
        match text {
            "all" => Some(Set::All),
            "local" => Some(Set::Local),
            "foreign" | "failback" => Some(Set::Foreign),
            _ => None,
        }
    }

    /// The word in `rsc_hold`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Set::All => "all",
            Set::Local => "local",
            Set::Foreign => "foreign",
        }
    }

    /// The same groups in the other node's terms.
    #[must_use]
    pub const fn inverted(self) -> Set {
        match self {
            Set::All => Set::All,
            Set::Local => Set::Foreign,
            Set::Foreign => Set::Local,
        }
    }
}

impl fmt::Display for Set {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A question or an order from a local client.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Request {
    /// Give these groups to the other node; answered with [`Response::Moved`] or [`Response::Refused`] when it is over.
    Standby(Set),
    /// Forget that this group (its key, or one of its resources) failed here; answered at once.
    Retry(String),
    /// See that this group runs here, and start what of it does not; answered at once.
    Bring(String),
    /// Take groups from the other node; the set is in *our* terms: `Local` means our own groups come home.
    Takeover(Set),
}

/// The answer to a [`Request`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Response {
    /// It is done: the other node (or we) hold the groups now.
    Moved {
        /// The keys of the groups that moved.
        groups: Vec<String>,
    },
    /// It was not done, or only in part; the sentence says why and what to do.
    Refused(String),
}
