//! The other node, as far as groups go: what it has said of itself and of them.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::names::NodeName;

use super::super::Cluster;
use super::super::claims::{Detail, PeerHold, Sides};
use super::super::node::Node;

/// What the other node has said of itself and its groups.
#[derive(Debug)]
pub(in crate::cluster) struct Peer {
    index: Option<usize>,
    /// One entry a group of ours.
    holds: Vec<PeerHold>,
    /// Whether it has said in its present life what it holds.
    said: bool,
    /// What it said last was not said to a predecessor of ours.
    said_to_us: bool,
    /// Whether it says that it has finished deciding.
    stable: bool,
    /// It said `shutdone`.
    left: bool,
    /// It is stopping its groups, to leave.
    leaving: bool,
    /// It wants to leave and cannot, because something does not stop there: it takes nothing any more.
    cannot_leave: bool,
    /// The keys of groups that we said had failed here: it may be taking them; and whether it was asked since.
    invited: BTreeMap<String, bool>,
    /// For how long it asked to be borne, if longer than our deadtime, as far as it was ever heard.
    patience: Option<Duration>,
    /// It said `starting` before we could answer.
    waits_for_answer: bool,
    /// `resource` messages with a lower number are older than what we know.
    claims_seq: u64,
    /// Its last claim for whole sides, in its terms.
    sides: Sides,
    /// It came back after a partition and has not said yet what it holds.
    returned: bool,
    /// It answers `ip-request` but never says what it holds.
    is_legacy: bool,
    /// It surely runs nothing, and has not been heard since: it left in order, or was fenced.
    gone: bool,
    /// It said `starting` in its present life, or was dead before: its "none" means nothing, not "no more".
    said_starting: bool,
    /// The letters it said last; understood anew when our own file changes.
    detail: Option<Detail>,
    /// The number of its last claim that said stable: an older offer was over by then.
    stable_seq: u64,
    /// What it had said when we called it dead: still true if it knows of no death and says nothing new.
    before: Option<Box<SavedStatements>>,
    /// While it was held dead it said something of its groups, which was not heard (`wire.md` 10.21).
    missed_words: bool,
}

/// What a peer had said, to be taken up again.
#[derive(Debug)]
struct SavedStatements {
    holds: Vec<PeerHold>,
    sides: Sides,
    stable: bool,
    claims_seq: u64,
}

impl Peer {
    pub(in crate::cluster) fn new(nodes: &[Node], groups: usize) -> Peer {
        Peer {
            index: nodes.iter().position(|node| !node.is_ping()),
            holds: vec![PeerHold::Unknown; groups],
            said: false,
            said_to_us: false,
            stable: false,
            left: false,
            leaving: false,
            cannot_leave: false,
            invited: BTreeMap::new(),
            patience: None,
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
            self.before = Some(Box::new(SavedStatements { holds: self.holds.clone(), sides, stable, claims_seq }));
        }
    }

    /// Takes up again what it had said before we called it dead.
    pub(in crate::cluster) fn take_back_words(&mut self) {
        let Some(words) = self.before.take() else { return };
        if words.holds.len() == self.holds.len() {
            let SavedStatements { holds, sides, stable, claims_seq } = *words;
            (self.holds, self.sides, self.stable, self.claims_seq) = (holds, sides, stable, claims_seq);
            self.said = true;
        }
    }

    /// Its place among the nodes, if there is another node.
    pub(in crate::cluster) fn index(&self) -> Option<usize> {
        self.index
    }

    pub(in crate::cluster) fn is_node(&self, index: usize) -> bool {
        self.index == Some(index)
    }

    // What is known of it.

    /// What it says of a group of ours.
    pub(in crate::cluster) fn hold(&self, index: usize) -> PeerHold {
        self.holds.get(index).copied().unwrap_or(PeerHold::Unknown)
    }

    /// What it says of each group of ours.
    pub(in crate::cluster) fn holds(&self) -> &[PeerHold] {
        &self.holds
    }

    /// Whether it has said in its present life what it holds.
    pub(in crate::cluster) fn has_spoken(&self) -> bool {
        self.said
    }

    /// Whether it has said that to us, and not to a predecessor of ours.
    pub(in crate::cluster) fn has_spoken_to_us(&self) -> bool {
        self.said && self.said_to_us
    }

    /// Whether it says that it has finished deciding.
    pub(in crate::cluster) fn is_stable(&self) -> bool {
        self.stable
    }

    /// Whether it said `shutdone`.
    pub(in crate::cluster) fn has_left(&self) -> bool {
        self.left
    }

    /// Whether it stops its groups, to leave.
    pub(in crate::cluster) fn is_leaving(&self) -> bool {
        self.leaving
    }

    /// Whether it surely runs nothing, and has not been heard since: it left in order, or was fenced.
    pub(in crate::cluster) fn is_gone(&self) -> bool {
        self.gone
    }

    /// Whether it answers `ip-request` but never says what it holds.
    pub(in crate::cluster) fn is_legacy(&self) -> bool {
        self.is_legacy
    }

    /// Whether it came back after a partition and has not said yet what it holds.
    pub(in crate::cluster) fn has_returned(&self) -> bool {
        self.returned
    }

    /// Whether it said `starting` in its present life.
    pub(in crate::cluster) fn has_said_starting(&self) -> bool {
        self.said_starting
    }

    /// Its last claim for whole sides, in its terms.
    pub(in crate::cluster) fn sides(&self) -> Sides {
        self.sides
    }

    /// The letters it said last.
    pub(in crate::cluster) fn detail(&self) -> Option<&Detail> {
        self.detail.as_ref()
    }

    /// For how long it asked to be borne, if longer than our deadtime.
    pub(in crate::cluster) fn patience(&self) -> Option<Duration> {
        self.patience
    }

    /// The number of the last word of it that says what it holds; what has a lower one is older than what we know.
    pub(in crate::cluster) fn claims_seq(&self) -> u64 {
        self.claims_seq
    }

    /// Whether it has said after this number that it is stable.
    pub(in crate::cluster) fn is_stable_since(&self, sequence: u64) -> bool {
        self.stable_seq > sequence
    }

    // What it says.

    /// It says `starting`: it begins to decide.
    pub(in crate::cluster) fn starts(&mut self) {
        self.stable = false;
        self.left = false;
        self.gone = false;
        self.leaving = false;
        self.said_starting = true;
    }

    /// It says `starting`, and is answered when we know what we hold.
    pub(in crate::cluster) fn await_answer(&mut self) {
        self.waits_for_answer = true;
    }

    /// Whether it waits for that answer; it is given now.
    pub(in crate::cluster) fn take_question(&mut self) -> bool {
        std::mem::take(&mut self.waits_for_answer)
    }

    /// Keeps the letters of a message that may say something new.
    pub(in crate::cluster) fn says_letters(&mut self, detail: Option<Detail>) {
        self.detail = detail;
    }

    /// It says of itself what it holds, with `starting`.
    pub(in crate::cluster) fn says_holds(&mut self, holds: Vec<PeerHold>, sequence: u64, to_us: bool) {
        self.note_holds(holds, sequence);
        self.said = true;
        self.said_to_us = to_us;
    }

    /// Each group as a word with this number has it.
    pub(in crate::cluster) fn note_holds(&mut self, holds: Vec<PeerHold>, sequence: u64) {
        self.holds = holds;
        self.claims_seq = sequence;
    }

    /// Words before this number are older than what we know.
    pub(in crate::cluster) fn note_words_until(&mut self, sequence: u64) {
        self.claims_seq = self.claims_seq.max(sequence);
    }

    /// It makes a claim in order: it is there and decides.
    pub(in crate::cluster) fn claims(&mut self, is_stable: bool, to_us: bool) {
        self.is_legacy = false;
        self.said = true;
        self.said_to_us = to_us;
        self.left = false;
        self.gone = false;
        self.leaving &= !is_stable;
    }

    /// It claims these sides, in its terms.
    pub(in crate::cluster) fn claims_sides(&mut self, sides: Sides) {
        self.sides = sides;
    }

    /// It has not finished deciding.
    pub(in crate::cluster) fn note_deciding(&mut self) {
        self.stable = false;
    }

    /// It has finished deciding, as this number says; whether that is new.
    pub(in crate::cluster) fn note_decided(&mut self, sequence: u64) -> bool {
        self.stable_seq = self.stable_seq.max(sequence);
        !std::mem::replace(&mut self.stable, true)
    }

    /// It has begun to stop what it holds, to leave.
    pub(in crate::cluster) fn begins_to_leave(&mut self) {
        self.leaving = true;
        self.stable = false;
        self.said = true;
    }

    /// It wants to leave and cannot, because something does not stop there; whether that is new.
    pub(in crate::cluster) fn note_cannot_leave(&mut self) -> bool {
        !std::mem::replace(&mut self.cannot_leave, true)
    }

    /// It says `shutdone`; whether we knew already that it is gone. It may have come back since, and leave again.
    pub(in crate::cluster) fn says_farewell(&mut self) -> bool {
        std::mem::replace(&mut self.left, true) && self.gone
    }

    /// It has left: it runs nothing.
    pub(in crate::cluster) fn leaves(&mut self) {
        self.gone = true;
        self.leaving = false;
        self.stable = false;
        self.said = true;
    }

    /// It asks to be borne for so long, if that is longer than our deadtime.
    pub(in crate::cluster) fn asks_patience(&mut self, patience: Option<Duration>) {
        self.patience = patience;
    }

    /// It says something of its groups while it is held dead, which is not heard (`wire.md` 10.21).
    pub(in crate::cluster) fn speaks_unheard(&mut self) {
        self.missed_words = true;
    }

    /// Whether it did, since it was last asked that.
    pub(in crate::cluster) fn take_missed_words(&mut self) -> bool {
        std::mem::take(&mut self.missed_words)
    }

    /// It was asked what it holds, and says nothing: it never will.
    pub(in crate::cluster) fn never_speaks(&mut self) {
        self.is_legacy = true;
    }

    // What becomes of it.

    /// It surely runs nothing: it was fenced, or said so.
    pub(in crate::cluster) fn note_gone(&mut self) {
        self.gone = true;
    }

    /// It begins a new life.
    pub(in crate::cluster) fn begins_life(&mut self) {
        self.gone = false;
        self.before = None;
    }

    /// It is heard again after we had called it dead; these groups it may run still.
    pub(in crate::cluster) fn returns_with(&mut self, groups: &[usize]) {
        self.said = false;
        self.stable = false;
        self.returned = true;
        groups.iter().for_each(|index| self.note_hold(*index, PeerHold::Yes));
    }

    /// It was cut off from the start: nothing is known of it.
    pub(in crate::cluster) fn returns_unknown(&mut self) {
        self.returned = true;
        self.forget_holds();
    }

    /// It has said what it holds, or was expected to and did not; whether it had been away.
    pub(in crate::cluster) fn end_return(&mut self) -> bool {
        std::mem::take(&mut self.returned)
    }

    // What is concluded.

    /// It holds a group in this way.
    pub(in crate::cluster) fn note_hold(&mut self, index: usize, hold: PeerHold) {
        if let Some(known) = self.holds.get_mut(index) {
            *known = hold;
        }
    }

    /// It does not run a group any more; what failed there has failed.
    pub(in crate::cluster) fn note_stopped(&mut self, index: usize) {
        if !self.hold(index).has_failed() {
            self.note_hold(index, PeerHold::No);
        }
    }

    /// It may run a group that it said it does not run; whether it said so.
    pub(in crate::cluster) fn doubt(&mut self, index: usize) -> bool {
        let was_free = self.hold(index) == PeerHold::No;
        if was_free {
            self.note_hold(index, PeerHold::Unknown);
        }
        was_free
    }

    /// It runs a group of which that was not known.
    pub(in crate::cluster) fn note_taken(&mut self, index: usize) {
        if self.hold(index) == PeerHold::Unknown {
            self.note_hold(index, PeerHold::Yes);
        }
    }

    /// Nothing is known of what it holds.
    pub(in crate::cluster) fn forget_holds(&mut self) {
        self.holds.fill(PeerHold::Unknown);
    }

    /// There are other groups now, of which it holds these.
    pub(in crate::cluster) fn regroup(&mut self, holds: Vec<PeerHold>) {
        self.holds = holds;
    }

    /// A group is gone.
    pub(in crate::cluster) fn forget_group(&mut self, index: usize) {
        self.holds.remove(index);
    }

    /// What the notes of a predecessor say of it.
    pub(in crate::cluster) fn remember(&mut self, gone: bool, patience: Option<Duration>) {
        (self.gone, self.patience) = (gone, patience);
    }

    // What it is asked.

    /// It is told that these groups failed here: it may take them.
    pub(in crate::cluster) fn invite(&mut self, groups: impl IntoIterator<Item = String>) {
        self.invited.extend(groups.into_iter().map(|key| (key, false)));
    }

    /// Whether it may be taking this group, and was asked since.
    pub(in crate::cluster) fn invited(&self, key: &str) -> Option<bool> {
        self.invited.get(key).copied()
    }

    /// It is asked whether it takes this group.
    pub(in crate::cluster) fn ask_of_invited(&mut self, key: String) {
        self.invited.insert(key, true);
    }

    /// It says something new of its groups: what it said before it was called dead is over.
    pub(in crate::cluster) fn speaks_anew(&mut self) {
        self.before = None;
    }

    /// It answers what it was asked before.
    pub(in crate::cluster) fn note_answer(&mut self) {
        // All that was asked after they were invited was heard.
        self.invited.retain(|_, asked| !*asked);
    }

    pub(in crate::cluster) fn forget_words(&mut self) {
        self.said = false;
        self.said_to_us = false;
        self.stable = false;
        self.left = false;
        self.leaving = false;
        self.cannot_leave = false;
        self.invited.clear();
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
        self.nodes.get(self.peer.index()?)
    }

    pub(in crate::cluster) fn peer_name(&self) -> Option<NodeName> {
        self.peer_node().map(|node| node.name().clone())
    }

    pub(in crate::cluster) fn peer_is_latido(&self) -> bool {
        self.peer_node().is_some_and(|node| node.is_latido())
    }

    /// Whether nobody else can hold or take anything: there is no peer, or it is dead, or it has left in order.
    pub(in crate::cluster) fn is_alone(&self) -> bool {
        self.peer.has_left() || self.peer_node().is_none_or(|node| node.is_dead())
    }
}
