//! What the peer says of its groups, taken note of (`resources.md` 2). It only changes what is known.

use crate::wire::{Kind, Message, field};

use super::super::claims::{Claim, Detail, PeerHold, Sides};
use super::super::{Cluster, Report};
use super::Stage;

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
            Kind::ShutDone => self.on_peer_left(),
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
        let Some(index) = self.peer.index else { return };
        self.nodes[index].is_latido = true;
        self.nodes[index].resources_digest = Some(detail.digest.clone());
        if detail.digest == self.settings.resources_digest {
            self.told_once.remove("digest");
        } else {
            let node = self.nodes[index].name.clone();
            self.report_once("digest".into(), Report::ResourcesDiffer { node });
        }
    }

    /// The peer has just become active and wants to know what we hold. A node that starts holds nothing it would have
    /// to be asked for, unless it restarted quickly; then it says so when it hears that we are stable.
    fn on_starting(&mut self, message: &Message) {
        let sequence = message.sequence().unwrap_or_default().0;
        // Overtaken by a claim it says nothing new.
        let is_news = sequence > self.peer.claims_seq;
        if is_news {
            self.peer.stable = false;
            self.peer.left = false;
            self.peer.leaving = false;
        }
        if !self.nice() {
            return;
        }
        if let Some(detail) = self.matching_detail(message).filter(|_| is_news) {
            self.peer.holds = detail;
            self.peer.said = true;
            self.peer.claims_seq = sequence;
            self.on_claims_known();
        }
        if self.stage == Stage::Joining {
            self.peer.waits_for_answer = true;
            return;
        }
        self.answer_starting();
        if self.peer.said {
            self.settle_down();
        }
    }

    fn on_claim(&mut self, message: &Message) {
        let Some(claim) = Claim::from_message(message) else { return };
        let sequence = message.sequence().unwrap_or_default().0;
        if sequence < self.peer.claims_seq {
            return;
        }
        self.peer.claims_seq = sequence;
        if message.get(field::INFO) == Some("shutdown") {
            // It has only begun to stop: until `shutdone` its groups may run there (12.2 d).
            self.peer.leaving = true;
            self.peer.stable = false;
            self.peer.said = true;
            return;
        }
        self.take_note_of(&claim, message);
        self.peer.said = true;
        self.peer.left = false;
        if self.stage == Stage::Asking {
            self.settle_down();
        }
        match claim.stable {
            Some(true) => self.on_peer_stable(),
            Some(false) => {
                self.peer.stable = false;
                if message.get(field::INFO) == Some("standby") {
                    self.on_giver_releases();
                }
            }
            None => {}
        }
        self.on_claims_known();
        self.confirm_client();
    }

    fn take_note_of(&mut self, claim: &Claim, message: &Message) {
        let mut sides = claim.sides;
        if !claim.replaces && sides != Sides::default() {
            sides.local |= self.peer.sides.local;
            sides.foreign |= self.peer.sides.foreign;
        }
        self.peer.sides = sides;
        if let Some(detail) = self.matching_detail(message) {
            self.peer.holds = detail;
            return;
        }
        for index in 0..self.groups.len() {
            let held = if self.is_own(index) { sides.foreign } else { sides.local };
            self.peer.holds[index] = if held { PeerHold::Yes } else { PeerHold::No };
        }
    }

    fn matching_detail(&self, message: &Message) -> Option<Vec<PeerHold>> {
        let detail = Detail::from_message(message)?;
        let same_file = detail.digest == self.settings.resources_digest && detail.holds.len() == self.groups.len();
        same_file.then_some(detail.holds)
    }

    fn on_peer_stable(&mut self) {
        if !std::mem::replace(&mut self.peer.stable, true) {
            self.report(Report::RemoteComplete);
            // The original waits for this answer before it trusts us.
            self.last_claim = None;
        }
        self.on_giver_gave_up_giving();
    }
}
