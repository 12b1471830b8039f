//! What we say of our groups, and when: whatever changed since the peer was last told (`resources.md` 2).

use crate::wire::{Kind, Message, field};

use super::super::claims::{Detail, EMPTY, HEARD, LATIDO, Sides, key_hash};
use super::super::standby::WHY;
use super::super::{Cluster, GroupState, OnStartFailure};

/// What the peer was last told of our groups.
#[derive(Debug, Default)]
pub(super) struct ToldPeer {
    claim: Option<String>,
}

impl ToldPeer {
    /// It is told again, whether it is the same or not.
    pub(super) fn tell_again(&mut self) {
        self.claim = None;
    }
}

impl Cluster {
    /// Undecided ourselves, we say "nothing, and stable": an original that waits beside us then takes its own at once
    /// and says what it holds, instead of both waiting ten seconds (`resources.md` 12.2 j).
    pub(in crate::cluster) fn answer_starting(&mut self) {
        if self.leaving.is_done() {
            // It was not there, or did not know us, when we said it.
            return self.say_shutdone();
        }
        if self.leaving.is_blocked() && self.peer_is_latido() {
            return self.say_what_is_left();
        }
        let stable = self.joining.is_asking() || self.says_stable();
        let info = self.leaving.is_ordered().then_some("shutdown");
        self.send_claim(stable, info);
    }

    /// Tells the peer whatever changed since it was last told.
    pub(in crate::cluster) fn announce_claim(&mut self) {
        if self.leaving.is_blocked() && self.takeover.told.claim.as_ref() != Some(&self.claim_text(true)) {
            return self.say_what_is_left();
        }
        if !self.exchanges_claims()
            || !self.joining.is_settled()
            || !self.settings.manage_resources
            || self.out.has_ended()
        {
            return;
        }
        if self.leaving.is_ordered() {
            return;
        }
        let stable = self.says_stable();
        let claim = self.claim_text(stable);
        if self.takeover.told.claim.as_deref() != Some(claim.as_str()) {
            let info = self.is_giving().then_some("standby");
            self.send_claim(stable, info);
        }
    }

    pub(in crate::cluster) fn send_claim(&mut self, stable: bool, info: Option<&str>) {
        self.takeover.told.claim = Some(self.claim_text(stable));
        let mut claim = Message::new(&Kind::Resource)
            .with(field::RSC_HOLD, self.own_sides().as_str())
            .with(field::RTYPE, "full")
            .with(field::ISSTABLE, if stable { "1" } else { "0" });
        if let Some(info) = info {
            claim.set(field::INFO, info);
        }
        claim.set(LATIDO, self.own_detail().to_text());
        if self.peer_is_latido() {
            claim.set(HEARD, self.heard_of_peer());
            if let Some(why) = self.failures_in_words() {
                claim.set(WHY, why);
            }
            if self.has_empty_guest() {
                claim.set(EMPTY, "foreign");
            }
            let failed = |index: &usize| self.groups.state(*index) == GroupState::Failed;
            self.peer.invite((0..self.groups.len()).filter(failed).map(|index| self.groups.key(index)));
        }
        self.send(claim);
    }

    fn claim_text(&self, stable: bool) -> String {
        format!("{} {stable} {}", self.own_sides().as_str(), self.own_detail().to_text())
    }

    /// What we hold, are starting, or have not finished stopping.
    pub(in crate::cluster) fn own_sides(&self) -> Sides {
        let claimed =
            |own: bool| (0..self.groups.len()).any(|index| self.is_own(index) == own && self.groups.is_claimed(index));
        Sides { local: claimed(true) || self.holds_empty_home(), foreign: claimed(false) }
    }

    /// A node where nothing is at home holds that nothing until it gives it away: the original says so, and complains
    /// that nobody owns it when it does not hear it.
    fn holds_empty_home(&self) -> bool {
        let has_home = (0..self.groups.len()).any(|index| self.is_own(index));
        if has_home || !self.exchanges_claims() || !self.joining.is_settled() || self.leaving.is_ordered() {
            return false;
        }
        self.hand_over.empty_home_is_here().unwrap_or(!self.peer.sides().foreign)
    }

    pub(in crate::cluster) fn own_detail(&self) -> Detail {
        let stays = self.settings.on_start_failure == OnStartFailure::Stay;
        let digest = self.settings.resources_digest.clone();
        let theirs = self.peer_node().and_then(|node| node.resources_digest());
        let explain = self.groups.any_removed() || theirs.is_some_and(|theirs| *theirs != digest);
        let keys =
            if explain { (0..self.groups.len()).map(|at| key_hash(&self.groups.key(at))).collect() } else { vec![] };
        Detail { digest, holds: self.groups.own_holds(stays), keys }
    }

    /// Whether our claims call themselves stable. An original takes no offer of a node whose last word was that it is not, and
    /// says so itself only when it gives; whichever of the two words comes in first.
    fn says_stable(&self) -> bool {
        let asks_an_original = self.hand_over.is_offered() && !self.peer_is_latido();
        self.is_stable() || asks_an_original && self.is_settled()
    }

    /// Whether our claims will not change by themselves. Starting our own groups does not count: the peer need not wait
    /// for them, and a hand-over it asks for is answered when they are up.
    pub(in crate::cluster) fn is_stable(&self) -> bool {
        !self.is_handing_over() && self.is_settled()
    }

    fn is_settled(&self) -> bool {
        self.joining.is_settled()
            && !self.leaving.is_ordered()
            && !(0..self.groups.len()).any(|index| match self.groups.state(index) {
                GroupState::Stopping => true,
                GroupState::Starting => !self.is_own(index),
                GroupState::Free | GroupState::Held | GroupState::Failed | GroupState::Blocked => false,
            })
    }
}
