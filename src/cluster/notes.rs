//! What a node writes down for its next life, and what that makes of its notes (`resources.md` 5.3, 12.2 n).

use std::time::Duration;

use crate::haresources::{Resource, ResourceGroup};
use crate::names::NodeName;
use crate::wire::Sequence;

use super::{GroupState, Set};

/// Of the silence the peer allows us, this part is left for our first message to reach it.
const RESERVE: u32 = 5;

/// What a node writes down for its next life, each time before it acts on it.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Notes {
    /// The groups that are not simply free.
    pub groups: Vec<NotedGroup>,
    /// It was told to leave.
    pub leaving: bool,
    /// The other node had been away and has not got its groups back.
    pub needs_failback: bool,
    /// The other node surely runs nothing and was not heard since: it left in order, or was fenced.
    #[serde(default)]
    pub peer_gone: bool,
    /// A hand-over with an original, which waits for its end whoever we are by now.
    #[serde(default)]
    pub handover: Option<Handover>,
    /// The notes before these were lost, and not all was asked yet whether it runs.
    #[serde(default)]
    pub lost: bool,
    /// For how long the other node asked to be borne, if longer than our deadtime.
    #[serde(default)]
    pub patience: Option<Duration>,
}

/// A hand-over that a successor must finish.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Handover {
    /// Whether we are the giver.
    pub giving: bool,
    /// Which groups, in the giver's terms.
    pub set: Set,
    /// As giver: our groups are down and `done` is said. As taker: `done` was heard.
    pub done: bool,
    /// As taker: the giver has begun to stop its groups. Not in records from before.
    #[serde(default = "begun")]
    pub begun: bool,
    /// We have given up waiting: its scripts may hang there, and what was handed over may run there until it says the
    /// contrary. Not in records from before.
    #[serde(default)]
    pub overdue: bool,
    /// How far the other node had been heard: what it said since is asked for again.
    pub heard: Sequence,
}

fn begun() -> bool {
    true
}

/// How long nothing was heard of us when we started, and how long the others bear that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Silence {
    /// Since the predecessor's last status.
    pub lasted: Duration,
    /// As it had asked for.
    pub patience: Duration,
}

/// One group as it was.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct NotedGroup {
    /// Where it belongs.
    pub owner: NodeName,
    /// Its resources, verbatim, as they were started.
    pub words: Vec<String>,
    /// What it did.
    pub state: GroupState,
    /// Taken over while the peer was silent.
    pub since_partition: bool,
    /// Its failure was answered already.
    pub offered: bool,
    /// Why it failed, if it did; one line.
    pub failure: Option<String>,
}

/// What came before this life.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Past {
    /// Nothing since the machine was started, or an orderly end.
    #[default]
    Fresh,
    /// A death, and its notes are lost or cannot be read.
    Lost,
    /// A death so short ago that the peer does not know of it.
    Crashed(Notes),
    /// A death the peer has noticed, or may have.
    Late(Notes),
    /// One death too many.
    Hopeless(Notes),
}

impl Past {
    /// What the notes of a dead predecessor mean: it was last heard `silent_for` ago and had asked the others to call
    /// it dead after `patience`. `alone`: there is no other node that could have taken anything.
    pub fn judge(notes: Notes, silent_for: Duration, patience: Duration, alone: bool) -> Past {
        if (Silence { lasted: silent_for, patience }).is_in_time(Duration::ZERO) || alone {
            Past::Crashed(notes)
        } else {
            Past::Late(notes)
        }
    }
}

impl Silence {
    /// Whether a word said `later` reaches the others before they call us dead.
    pub(super) fn is_in_time(self, later: Duration) -> bool {
        self.lasted.saturating_add(later) < self.patience - self.patience / RESERVE
    }
}

impl Notes {
    /// Whether a successor must know any of it.
    pub fn is_worth_keeping(&self) -> bool {
        self.leaving || self.peer_gone || self.lost || self.handover.is_some() || !self.groups.is_empty()
    }

    /// Whether anything may run that nobody else may start.
    pub fn claims_anything(&self) -> bool {
        self.lost || self.groups.iter().any(NotedGroup::is_claimed)
    }
}

impl NotedGroup {
    pub(super) fn is_claimed(&self) -> bool {
        !matches!(self.state, GroupState::Free | GroupState::Failed)
    }

    /// The group as it was written in `haresources`, without a line.
    pub(super) fn spec(&self) -> ResourceGroup {
        let resources = self.words.iter().map(|word| Resource::from_word(word)).collect();
        ResourceGroup { owner: self.owner.clone(), resources, line: 0 }
    }
}
