//! What a judge goes by: a list of what happened, by the lines the scripts write and by what the lab did, asked and was told.
//! Pure.

use std::time::Duration;

use crate::haresources::Verb;
use crate::time::Mono;

/// A fact, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TimedFact {
    pub(super) at: Mono,
    pub(super) fact: Fact,
}

/// Something that happened. Nodes are numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fact {
    /// A resource script began.
    Began(usize, String, Verb),
    /// It ended by itself, with this code.
    Ended(usize, String, Verb, i32),
    /// A `status` said whether its resource runs.
    Said(usize, String, bool),
    /// A node's scripts and services are gone with its power.
    Off(usize),
    /// A node starts what the other node said it has given up, in a hand-over.
    Given(usize),
    /// A node has switched another off, this one.
    Fenced(usize),
    /// And its device has told it so: not when it gave up waiting, because it heard the other.
    KnownFenced(usize),
    /// From now on things are so.
    Things(Things),
    /// A node's core was killed; whether another comes is up to the daemon.
    CoreKilled(usize),
    /// A daemon ended though nobody had told it to.
    Died(usize, Option<i32>),
    /// A daemon told to leave has left.
    Left(usize),
    /// A daemon says what it makes of things.
    Status(usize, Seen),
    /// Somebody typed a command; the number tells them apart.
    TypedCommand(TypedCommand),
    /// It ended, with this code and these words.
    Answered(u32, Option<i32>, String),
    /// The machine ran nothing for so long, until now.
    StoodStill(Duration),
    /// A daemon has a cause to stop a group, or (`None`) any.
    Cause(usize, Option<String>),
    /// A full disk takes no causes, so that nobody can say whether there was one; or it does again.
    JournalFull(usize, bool),
    /// A group, or (`None`) everything, is settled on a node: causes given before are used up.
    Settled(usize, Option<String>),
}

/// A command and what is to be expected of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TypedCommand {
    pub(super) id: u32,
    pub(super) node: usize,
    pub(super) words: String,
    /// It was typed while all was well and quiet: it must succeed.
    pub(super) lawful: bool,
}

/// How things are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Things {
    pub(super) daemons: [Daemon; 2],
    /// Whether anything that a node sends reaches the other.
    pub(super) reaches: [bool; 2],
    /// Whether one medium carries messages both ways.
    pub(super) both_ways: bool,
    /// Whether scripts do what they are told.
    pub(super) scripts_answer: bool,
}

/// What has become of a node's daemon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Daemon {
    /// It runs.
    Well,
    /// It was told to leave, and leaves.
    Leaving,
    /// It was stopped by a signal.
    Stopped,
    /// It is not there, and did not say goodbye.
    Gone,
    /// It has left, or was never started.
    Left,
    /// There is no power.
    Off,
}

/// What a daemon says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Seen {
    /// When it was asked.
    pub(super) asked: Mono,
    pub(super) stable: bool,
    /// Each group's key and its state on this node.
    pub(super) groups: Vec<(String, String)>,
    /// The groups that the other node said it has.
    pub(super) elsewhere: Vec<String>,
}

impl Seen {
    /// The state of a group.
    pub(super) fn state(&self, key: &str) -> Option<&str> {
        self.groups.iter().find(|(known, _)| known == key).map(|(_, state)| state.as_str())
    }
}
