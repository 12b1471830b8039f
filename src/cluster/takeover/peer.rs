//! The other node, as far as groups go: what it has said of itself and of them.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::names::NodeName;

use super::super::claims::{Detail, PeerHold, Sides};
use super::super::node::Node;
use super::super::{Cluster, Status};

/// What the other node has said of itself and its groups.
#[derive(Debug)]
pub(in crate::cluster) struct Peer {
    pub(in crate::cluster) index: Option<usize>,
    /// One entry a group of ours.
    pub(in crate::cluster) holds: Vec<PeerHold>,
    /// Whether it has said in its present life what it holds.
    pub(in crate::cluster) said: bool,
    /// What it said last was not said to a predecessor of ours.
    pub(in crate::cluster) said_to_us: bool,
    /// Whether it says that it has finished deciding.
    pub(in crate::cluster) stable: bool,
    /// It said `shutdone`.
    pub(in crate::cluster) left: bool,
    /// It is stopping its groups, to leave.
    pub(in crate::cluster) leaving: bool,
    /// It wants to leave and cannot, because something does not stop there: it takes nothing any more.
    pub(in crate::cluster) cannot_leave: bool,
    /// The keys of groups that we said had failed here: it may be taking them; and whether it was asked since.
    pub(in crate::cluster) invited: BTreeMap<String, bool>,
    /// For how long it asked to be borne, if longer than our deadtime, as far as it was ever heard.
    pub(in crate::cluster) patience: Option<Duration>,
    /// How far we are with asking whether nobody runs what nobody seems to run.
    pub(in crate::cluster) orphans: Question,
    /// It said `starting` before we could answer.
    pub(in crate::cluster) waits_for_answer: bool,
    /// `resource` messages with a lower number are older than what we know.
    pub(in crate::cluster) claims_seq: u64,
    /// Its last claim for whole sides, in its terms.
    pub(in crate::cluster) sides: Sides,
    /// It came back after a partition and has not said yet what it holds.
    pub(in crate::cluster) returned: bool,
    /// It answers `ip-request` but never says what it holds.
    pub(in crate::cluster) is_legacy: bool,
    /// It surely runs nothing, and has not been heard since: it left in order, or was fenced.
    pub(in crate::cluster) gone: bool,
    /// It said `starting` in its present life, or was dead before: its "none" means nothing, not "no more".
    pub(in crate::cluster) said_starting: bool,
    /// The letters it said last; understood anew when our own file changes.
    pub(in crate::cluster) detail: Option<Detail>,
    /// The number of its last claim that said stable: an older offer was over by then.
    pub(in crate::cluster) stable_seq: u64,
    /// What it had said when we called it dead: still true if it knows of no death and says nothing new.
    pub(in crate::cluster) before: Option<Box<Words>>,
    /// While it was held dead it said something of its groups, which was not heard (`wire.md` 10.21).
    pub(in crate::cluster) missed_words: bool,
}

/// A question to the other node, of which one thing only is of interest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cluster) enum Question {
    NotAsked,
    Asked,
    Answered,
}

/// What a peer had said, to be taken up again.
#[derive(Debug)]
pub(in crate::cluster) struct Words {
    holds: Vec<PeerHold>,
    sides: Sides,
    stable: bool,
    claims_seq: u64,
}

impl Peer {
    pub(in crate::cluster) fn new(nodes: &[Node], groups: usize) -> Peer {
        Peer {
            index: nodes.iter().position(|node| !node.is_ping),
            holds: vec![PeerHold::Unknown; groups],
            said: false,
            said_to_us: false,
            stable: false,
            left: false,
            leaving: false,
            cannot_leave: false,
            invited: BTreeMap::new(),
            patience: None,
            orphans: Question::NotAsked,
            waits_for_answer: false,
            claims_seq: 0,
            sides: Sides::default(),
            returned: false,
            is_legacy: false,
            gone: false,
            said_starting: false,
            detail: None,
            stable_seq: 0,
            before: None,
            missed_words: false,
        }
    }

    /// Keeps what it said, before it is forgotten because it is called dead.
    pub(in crate::cluster) fn keep_words(&mut self) {
        if self.said && !self.leaving && !self.left {
            let Peer { sides, stable, claims_seq, .. } = *self;
            self.before = Some(Box::new(Words { holds: self.holds.clone(), sides, stable, claims_seq }));
        }
    }

    /// Takes up again what it had said before we called it dead.
    pub(in crate::cluster) fn take_back_words(&mut self) {
        let Some(words) = self.before.take() else { return };
        if words.holds.len() == self.holds.len() {
            let Words { holds, sides, stable, claims_seq } = *words;
            (self.holds, self.sides, self.stable, self.claims_seq) = (holds, sides, stable, claims_seq);
            self.said = true;
        }
    }

    pub(in crate::cluster) fn is_node(&self, index: usize) -> bool {
        self.index == Some(index)
    }

    pub(super) fn forget_words(&mut self) {
        self.said = false;
        self.said_to_us = false;
        self.stable = false;
        self.left = false;
        self.leaving = false;
        self.cannot_leave = false;
        self.invited.clear();
        self.orphans = Question::NotAsked;
        self.waits_for_answer = false;
        self.claims_seq = 0;
        self.returned = false;
        self.is_legacy = false;
        self.said_starting = false;
        self.detail = None;
        self.stable_seq = 0;
        self.missed_words = false;
    }

    pub(in crate::cluster) fn holds_nothing(&mut self) {
        self.holds.fill(PeerHold::No);
        self.sides = Sides::default();
    }
}

impl Cluster {
    /// The other node, if there is one.
    pub(in crate::cluster) fn peer_node(&self) -> Option<&Node> {
        self.nodes.get(self.peer.index?)
    }

    pub(in crate::cluster) fn peer_name(&self) -> Option<NodeName> {
        self.peer_node().map(|node| node.name.clone())
    }

    pub(in crate::cluster) fn peer_is_latido(&self) -> bool {
        self.peer_node().is_some_and(|node| node.is_latido)
    }

    /// Whether nobody else can hold or take anything: there is no peer, or it is dead, or it has left in order.
    pub(in crate::cluster) fn is_alone(&self) -> bool {
        self.peer.left || self.peer_node().is_none_or(|node| node.status == Status::Dead)
    }
}
