//! What the peer says of its groups, taken note of (`resources.md` 2). It only changes what is known.

use crate::wire::{Kind, Message, field};

use super::super::claims::{Claim, Detail, PeerHold, Sides, key_hash};
use super::super::dialogues::JoiningEvent;
use super::super::{Cluster, Report};

impl Cluster {
    /// A message of the peer about resources.
    pub(in crate::cluster) fn on_resource_message(&mut self, kind: &Kind, message: &Message) {
        if !self.settings.manage_resources {
            return;
        }
        if let Some(detail) = Detail::from_message(message) {
            self.meet_latido(&detail);
        }
        match kind {
            Kind::Starting => self.on_starting(message),
            Kind::Resource => self.on_claim(message),
            Kind::AskResources => self.on_ask(message),
            Kind::HbTakeover => self.on_takeover_wish(message),
            Kind::ShutDone => self.on_peer_left(message),
            Kind::Status
            | Kind::NsSt
            | Kind::Ack
            | Kind::Rexmit
            | Kind::NakRexmit
            | Kind::ReqNodes
            | Kind::RepNodes
            | Kind::IpRequest
            | Kind::IpRequestResp
            | Kind::Stonith
            | Kind::IfStat
            | Kind::Other(_) => {}
        }
    }

    fn meet_latido(&mut self, detail: &Detail) {
        let Some(index) = self.peer.index() else { return };
        self.nodes[index].note_digest(&detail.digest);
        if detail.digest == self.settings.resources_digest {
            self.out.tell_again("digest");
        } else {
            let node = self.nodes[index].name().clone();
            self.report_once("digest".into(), Report::ResourcesDiffer { node });
        }
    }

    /// The peer has just become active and wants to know what we hold. A node that starts holds nothing it would have
    /// to be asked for, unless it restarted quickly; then it says so when it hears that we are stable.
    fn on_starting(&mut self, message: &Message) {
        let sequence = message.sequence().unwrap_or_default().0;
        // Overtaken by a claim it says nothing new.
        let is_news = sequence > self.peer.claims_seq();
        if is_news {
            self.peer.starts();
            self.wait_for_orphans_anew();
            self.on_taker_begins_anew(sequence);
            self.say_wish_again();
        }
        if !self.exchanges_claims() {
            return;
        }
        if is_news && let Some(holds) = self.read_letters(message) {
            self.peer.says_holds(holds, sequence, self.is_of_this_life(message));
            self.on_claims_known(self.is_answer(message));
        }
        // Who leaves before he has joined knows what he cannot stop.
        let has_decided = self.leaving.is_blocked() || self.leaving.is_done();
        if !self.joining.has_joined() && !has_decided {
            self.peer.await_answer();
            return;
        }
        self.answer_starting();
        self.settle_when_told();
    }

    fn on_claim(&mut self, message: &Message) {
        let Some(claim) = Claim::from_message(message) else { return };
        let sequence = message.sequence().unwrap_or_default().0;
        if sequence < self.peer.claims_seq() {
            if message.get(field::INFO) == Some("standby")
                && self.hand_over.is_after_offer(sequence)
                && !self.peer_is_latido()
            {
                // Overtaken by what another job of it says: it has begun all the same.
                self.on_giver_releases();
            }
            return;
        }
        self.peer.note_words_until(sequence);
        if message.get(field::INFO) == Some("shutdown") {
            self.peer.begins_to_leave();
            // It has only begun to stop: until `shutdone` its groups may run there (`resources.md` 12.2 d). Unless something
            // does not stop: then it says which groups are down for good.
            if claim.stable == Some(true) && self.peer_is_latido() {
                self.take_note_of(&claim, message);
                self.join_on(JoiningEvent::Claimed);
                if self.peer.note_cannot_leave() && !self.leaving.is_ordered() {
                    // Nobody but us can run what failed here.
                    self.groups.forgive_failures();
                }
                self.on_giver_gave_up_giving(sequence);
                self.on_taker_is_quiet(sequence);
                self.on_claims_known(self.is_answer(message));
            }
            return;
        }
        if self.may_be_leaving(&claim) {
            self.peer.begins_to_leave();
            return;
        }
        if self.peer.is_gone() && self.is_empty_word(&claim) {
            // It has left, and answers somebody's question on its way out.
            return;
        }
        self.take_note_of(&claim, message);
        self.note_reasons(message);
        self.peer.claims(claim.stable == Some(true), self.is_of_this_life(message));
        if self.peer.has_spoken_to_us() {
            self.join_on(JoiningEvent::Claimed);
        }
        match claim.stable {
            Some(true) => self.on_peer_stable(sequence),
            Some(false) => {
                self.peer.note_deciding();
                if message.get(field::INFO) == Some("standby") {
                    self.on_giver_releases();
                }
            }
            None => {}
        }
        self.on_claims_known(self.is_answer(message));
        self.confirm_client();
    }

    /// An original that was there before us, says "none, not stable" and has not said `starting` has begun to stop its
    /// groups and never says so again: until `shutdone`, its death or a stable word they may run there (`resources.md` 5.1).
    /// If it has said so, it says this to whoever asks.
    fn may_be_leaving(&self, claim: &Claim) -> bool {
        self.is_empty_word(claim)
            && (self.peer.is_leaving() || !self.peer.has_said_starting() && !self.peer.has_spoken())
    }

    /// What an original says when it starts and when it leaves.
    fn is_empty_word(&self, claim: &Claim) -> bool {
        !self.peer_is_latido() && claim.stable == Some(false) && claim.replaces && claim.sides == Sides::default()
    }

    /// A node that joins says in its statuses what runs there already; of the rest it says nothing yet.
    pub(in crate::cluster) fn note_first_letters(&mut self, index: usize, message: &Message) {
        if !self.peer.is_node(index) || self.peer.has_spoken() {
            return;
        }
        let letters = Detail::from_message(message).and_then(|detail| self.holds_of(&detail)).unwrap_or_default();
        for (index, said) in letters.into_iter().enumerate().filter(|(_, said)| said.is_claimed()) {
            self.peer.note_hold(index, said);
        }
    }

    fn take_note_of(&mut self, claim: &Claim, message: &Message) {
        let mut sides = claim.sides;
        if !claim.replaces && sides != Sides::default() {
            sides.local |= self.peer.sides().local;
            sides.foreign |= self.peer.sides().foreign;
        }
        self.peer.claims_sides(sides);
        self.hear_of_empty_sides(message, sides);
        let given = self.given_in_doubt(message, claim);
        if let Some(holds) = self.read_letters(message) {
            self.peer.regroup(holds);
        } else {
            for index in 0..self.groups.len() {
                let held = if self.is_own(index) { sides.foreign } else { sides.local };
                // An original that gives says "none" before its stop scripts run: until `done` they may run there.
                let releases = self.hand_over.given_there().is_some_and(|set| self.in_set(index, set.inverted()));
                let gives = releases || message.get(field::INFO) == Some("standby");
                let stops = gives && self.peer.hold(index).may_run();
                let hold = match held {
                    true => PeerHold::Yes,
                    false if stops => PeerHold::Unknown,
                    false => PeerHold::No,
                };
                self.peer.note_hold(index, hold);
            }
        }
        if given.iter().any(|index| self.peer.hold(*index).is_claimed()) {
            self.hand_over.taker_has_spoken();
        }
        for index in given {
            self.peer.doubt(index);
        }
    }

    /// What we gave to a taker that has not said yet what became of it: a claim without it may be older than our `done`,
    /// and an original says nothing before its last start script has ended (`resources.md` 4.2).
    fn given_in_doubt(&self, message: &Message, claim: &Claim) -> Vec<usize> {
        let Some(set) = self.hand_over.given_here() else { return Vec::new() };
        let newer = self.hand_over.is_after_promise(message.sequence().unwrap_or_default().0);
        if claim.stable == Some(true) && newer && self.peer_is_latido() {
            return Vec::new();
        }
        (0..self.groups.len()).filter(|index| self.in_set(*index, set)).collect()
    }

    /// Keeps the letters of a message that may say something new, and what they mean of our groups.
    pub(in crate::cluster) fn read_letters(&mut self, message: &Message) -> Option<Vec<PeerHold>> {
        self.peer.says_letters(Detail::from_message(message));
        self.holds_of(self.peer.detail()?)
    }

    /// What these letters say of our groups; `None` when they cannot be understood.
    pub(in crate::cluster) fn holds_of(&self, detail: &Detail) -> Option<Vec<PeerHold>> {
        let keys = (0..self.groups.len()).map(|index| key_hash(&self.groups.key(index)));
        if !detail.keys.is_empty() {
            let of =
                |key| detail.keys.iter().position(|known| *known == key).map_or(PeerHold::No, |at| detail.holds[at]);
            return Some(keys.map(of).collect());
        }
        let in_file = self.groups.count_in_file();
        if detail.digest != self.settings.resources_digest || detail.holds.len() != in_file {
            return None;
        }
        // What is gone from our file is not in the peer's either.
        let gone = std::iter::repeat_n(PeerHold::No, self.groups.len().saturating_sub(in_file));
        Some(detail.holds.iter().copied().chain(gone).collect())
    }

    fn on_peer_stable(&mut self, sequence: u64) {
        if self.peer.note_decided(sequence) {
            self.report(Report::RemoteComplete);
            // The original waits for this answer before it trusts us.
            self.takeover.tell_again();
        }
        self.on_giver_gave_up_giving(sequence);
        self.on_taker_is_quiet(sequence);
    }
}
