//! What clients are told that this node holds (`cl_status rscstatus`): the words of the original (`resources.md` 1.1,
//! `docs/compared/rscstatus.md`).
//!
//! To the original a side without groups is held, given and taken like any other: a node that runs all there is while the
//! other is dead holds `all`, also where nothing is at home on the other. To the groups it makes no difference, and our claims
//! say no more of it than before; one Latido tells the other by a field of our own, so that both tell clients the same.

use crate::wire::Message;

use super::claims::{EMPTY, Sides};
use super::{AutoFailback, Cluster, Set};

/// Where the sides without groups are, as far as they were moved.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct EmptySides {
    /// Our own was given away, or the other says that it has it.
    home_is_away: bool,
    /// The other's is here.
    guest_is_here: bool,
}

impl Cluster {
    /// The word for clients. In legacy mode the original knows only whether its own scripts are at work.
    pub(super) fn told_hold(&self) -> &'static str {
        let is_legacy = self.settings.auto_failback == AutoFailback::Legacy;
        let moves = !self.is_stable() || self.groups.is_busy();
        if moves || !is_legacy && !self.other_rests() {
            return "transition";
        }
        if is_legacy { Sides::default().as_str() } else { self.told_sides().as_str() }
    }

    /// A node that comes up disturbs nobody before it has joined.
    fn other_rests(&self) -> bool {
        let comes = !self.peer.has_spoken() && self.peer_node().is_some_and(|node| !node.is_active());
        self.is_alone() || self.peer.is_stable() || comes
    }

    /// What we hold; a side without groups is where it was moved.
    fn told_sides(&self) -> Sides {
        let Sides { local, foreign } = self.own_sides();
        let is_empty = |own: bool| !(0..self.groups.len()).any(|index| self.is_own(index) == own);
        Sides {
            local: local && !(is_empty(true) && self.empty.home_is_away),
            foreign: foreign || self.has_empty_guest(),
        }
    }

    /// Nothing is at home on the other node, and that nothing is here.
    pub(super) fn has_empty_guest(&self) -> bool {
        self.empty.guest_is_here && (0..self.groups.len()).all(|index| self.is_own(index))
    }

    /// What a claim of the other says of it; an original says it of its whole side.
    pub(super) fn hear_of_empty_sides(&mut self, claim: &Message, sides: Sides) {
        if self.peer_is_latido() {
            self.empty.home_is_away = claim.get(EMPTY).is_some();
        } else if sides.local {
            self.note_given_away(Set::Foreign);
        }
    }

    /// A set, in our terms, came here with all that is in it.
    pub(super) fn note_taken_here(&mut self, set: Set) {
        self.empty.home_is_away &= set == Set::Foreign;
        self.empty.guest_is_here |= set != Set::Local;
    }

    /// The other node begins a new life: it has not taken anything yet.
    pub(super) fn note_home_is_here(&mut self) {
        self.empty.home_is_away = false;
    }

    /// A set, in our terms, went to the other node, or back to it, with all that is in it.
    pub(super) fn note_given_away(&mut self, set: Set) {
        self.empty.home_is_away |= set != Set::Foreign;
        self.empty.guest_is_here &= set == Set::Local;
    }
}
