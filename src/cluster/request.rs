//! What may be asked of the cluster and what it says: the core's own nouns; `daemon` gives them their spelling on the
//! control socket.

use std::fmt;

use crate::names::NodeName;

use crate::wire::{Message, field};

use super::claims::key_hash;

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
    /// One group, by the hash of its key; between two Latidos only (`takeover.md` 4).
    One(u32),
}

/// In front of the hash of one group, on the wire and in the notes.
const ONE: &str = "one:";

/// What a person may say to mean his own groups, or the other node's, come home.
const FAILBACK: &str = "failback";

impl Set {
    /// What a person may say for a set, on the command line and in the FIFO.
    pub const WORDS: [&str; 4] = ["all", "local", "foreign", FAILBACK];

    /// The word in `rsc_hold`; `failback` means `foreign`. `None` for any other word (the original then blocks both
    /// nodes for an hour).
    pub fn from_text(text: &str) -> Option<Set> {
        match text {
            "all" => Some(Set::All),
            "local" => Some(Set::Local),
            "foreign" | FAILBACK => Some(Set::Foreign),
            _ => u32::from_str_radix(text.strip_prefix(ONE)?, 16).ok().map(Set::One),
        }
    }

    /// The same word said by whoever takes, in its terms: here `failback` means *my own groups, back to me*, which the
    /// original does not know and would move everything for (`resources.md` 12.2 k).
    pub fn to_take(text: &str) -> Option<Set> {
        if text == FAILBACK { Some(Set::Local) } else { Set::from_text(text) }
    }

    /// What a message of a giver is about, in its terms; everything when it does not say.
    pub(super) fn given_in(message: &Message) -> Option<Set> {
        message.get(field::RSC_HOLD).map_or(Some(Set::All), Set::from_text)
    }

    /// What a message of a taker is about, in its terms; everything when it does not say.
    pub(super) fn taken_in(message: &Message) -> Option<Set> {
        message.get(field::RSC_HOLD).map_or(Some(Set::All), Set::to_take)
    }

    /// The group with this key alone.
    pub fn one(key: &str) -> Set {
        Set::One(key_hash(key))
    }

    /// The word in `rsc_hold`.
    pub fn to_text(self) -> String {
        match self {
            Set::One(hash) => format!("{ONE}{hash:x}"),
            Set::All | Set::Local | Set::Foreign => self.to_string(),
        }
    }

    /// Whether a group belongs to it, in the terms of whoever owns it or does not.
    pub fn contains(self, own: bool, key: &str) -> bool {
        match self {
            Set::All => true,
            Set::Local => own,
            Set::Foreign => !own,
            Set::One(hash) => key_hash(key) == hash,
        }
    }

    /// The same groups in the other node's terms.
    #[must_use]
    pub const fn inverted(self) -> Set {
        match self {
            Set::All => Set::All,
            Set::Local => Set::Foreign,
            Set::Foreign => Set::Local,
            Set::One(hash) => Set::One(hash),
        }
    }
}

impl fmt::Display for Set {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Set::All => "all",
            Set::Local => "local",
            Set::Foreign => "foreign",
            Set::One(_) => "one",
        })
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
    /// Move one group (its key, or one of its resources) to this node; to the one that does not run it when none is named.
    Move(String, Option<NodeName>),
    /// Count the other node's lives from anew: whatever generation it is heard in next is taken; answered at once.
    Forget(NodeName),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failback_brings_groups_home_whoever_says_it() {
        assert_eq!((Set::from_text(FAILBACK), Set::to_take(FAILBACK)), (Some(Set::Foreign), Some(Set::Local)));
        for word in Set::WORDS.into_iter().filter(|word| *word != FAILBACK) {
            assert_eq!(Set::from_text(word).map(Set::to_text).as_deref(), Some(word));
            assert_eq!(Set::to_take(word), Set::from_text(word));
        }
        assert_eq!((Set::from_text("none"), Set::to_take("")), (None, None));
    }
}
