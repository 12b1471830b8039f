//! `auto_failback legacy`: the returning node asks for its own groups with `ip-request` (`resources.md` 2.1, 2.2).
//!
//! Nobody says what he holds. We answer such questions in every mode, because the other node may be set so.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::time::Mono;
use crate::wire::{Kind, Message, field};

use super::claims::{HEARD, PeerHold};
use super::timer::Timer;
use super::{Cluster, GroupState, OnStartFailure, Report};

/// An original answers within a second or two; a question may be lost.
const ASK_AGAIN: Duration = Duration::from_secs(3);

/// Who has asked for which groups with `ip-request`, by their keys.
#[derive(Debug, Default)]
pub(super) struct IpRequests {
    /// The peer, for what is not down here yet.
    asked_for: BTreeSet<String>,
    /// We, for groups of ours that we run and the peer may have taken: it is asked to give them up.
    asked_back: BTreeSet<String>,
    /// When each was first asked for: what came in before that answers a predecessor.
    asked_first: BTreeMap<String, Mono>,
}

impl Cluster {
    /// Asks the peer for each group of ours that we do not run.
    pub(super) fn request_own_groups(&mut self) {
        if (self.exchanges_claims() && !self.peer.is_legacy()) || self.leaving.is_ordered() || self.is_alone() {
            return;
        }
        let missing: Vec<usize> = (0..self.groups.len())
            .filter(|index| self.is_own(*index) && self.groups.state(*index) == GroupState::Free)
            .chain(
                self.legacy
                    .asked_back
                    .iter()
                    .filter_map(|key| self.groups.find(key).filter(|at| self.groups.is_claimed(*at))),
            )
            .collect();
        for &index in &missing {
            let key = self.groups.key(index);
            self.send(Message::new(&Kind::IpRequest).with(field::IPADDR, key.clone()));
            self.legacy.asked_first.entry(key).or_insert(self.now.mono);
        }
        if !missing.is_empty() {
            self.timers.set(Timer::IpRequest, self.now.mono + ASK_AGAIN);
        }
    }

    /// In legacy mode a node that is active gets its own groups, whether it asks for them or never lost them: what it asked
    /// a predecessor of ours, nobody else answers.
    pub(super) fn on_peer_active(&mut self) {
        if self.exchanges_claims() || !self.settings.manage_resources {
            return;
        }
        for index in 0..self.groups.len() {
            if !self.is_own(index) {
                self.groups.want_released(index);
                // What is not known to be down here is answered when it was asked for.
                if self.adoption.knows_what_is_down() {
                    self.legacy.asked_for.insert(self.groups.key(index));
                    self.answer_ip_request(index);
                }
            }
        }
        self.ask_back();
    }

    /// Asks for all that is ours, also for what we run: the peer may have taken it while it did not hear us.
    pub(super) fn ask_back(&mut self) {
        let claimed = (0..self.groups.len()).filter(|index| self.is_own(*index) && self.groups.is_claimed(*index));
        let claimed: Vec<String> = claimed.map(|index| self.groups.key(index)).collect();
        self.legacy.asked_back.extend(claimed);
        self.request_own_groups();
    }

    /// A question for a group or an answer, which came in `at` that moment.
    pub(super) fn on_ip_message(&mut self, node: usize, kind: &Kind, message: &Message, at: Mono) {
        if !self.settings.manage_resources || !self.peer.is_node(node) {
            return;
        }
        let Some(index) = message.get(field::IPADDR).and_then(|key| self.groups.find(key)) else { return };
        if *kind == Kind::IpRequest {
            return self.on_ip_request(index);
        }
        if self.legacy.asked_first.get(&self.groups.key(index)).is_none_or(|asked| at < *asked) {
            return;
        }
        self.legacy.asked_back.remove(&self.groups.key(index));
        if message.get(field::OK) == Some("OK") && !self.leaving.is_ordered() && self.is_of_this_life(message) {
            match self.groups.state(index) {
                GroupState::Free if !self.is_alone() => {
                    self.peer.note_hold(index, PeerHold::No);
                    self.groups.want_acquired(index);
                }
                // Given back, or never asked for: it does not start there either.
                GroupState::Failed => self.peer.note_hold(index, PeerHold::Failed),
                GroupState::Free
                | GroupState::Held
                | GroupState::Starting
                | GroupState::Stopping
                | GroupState::Blocked => {}
            }
        }
    }

    /// A group that does not start here is given to the peer, once, in the only words both kinds of it understand: the
    /// answer to a question it did not ask. What it gave us so it has tried itself.
    pub(super) fn give_failed_group(&mut self, index: usize) {
        let stays = self.settings.on_start_failure == OnStartFailure::Stay;
        if self.exchanges_claims() || stays || self.is_alone() || self.leaving.is_ordered() {
            return;
        }
        if !self.peer.hold(index).has_failed() {
            self.peer.note_hold(index, PeerHold::Yes);
        }
        self.send_ip_answer(index, true);
    }

    /// One more attempt, asked for or after a while: nobody says in this mode what he holds, so the peer is asked first.
    pub(super) fn try_again_in_legacy(&mut self, index: usize) {
        if self.exchanges_claims() || self.is_alone() {
            return;
        }
        if self.is_own(index) {
            self.request_own_groups();
        } else if self.peer.hold(index).has_failed() {
            self.groups.want_acquired(index);
        }
    }

    fn on_ip_request(&mut self, index: usize) {
        if self.is_own(index) {
            // Nobody but its home node asks for a group.
            return;
        }
        if let Some(node) = self.peer_name() {
            self.report(Report::IpRequest { group: self.groups.key(index), node });
        }
        match self.groups.state(index) {
            GroupState::Free | GroupState::Failed => self.send_ip_answer(index, false),
            GroupState::Held | GroupState::Starting | GroupState::Stopping => {
                self.legacy.asked_for.insert(self.groups.key(index));
                self.groups.want_released(index);
                self.answer_ip_request(index);
            }
            // It may run here: no answer is the only safe one.
            GroupState::Blocked => {}
        }
    }

    /// A group has come up or gone down: if it is down, whoever asked for it may start it.
    pub(super) fn answer_ip_request(&mut self, index: usize) {
        let free = matches!(self.groups.state(index), GroupState::Free | GroupState::Failed);
        if free && self.legacy.asked_for.remove(&self.groups.key(index)) {
            self.send_ip_answer(index, true);
        }
    }

    fn send_ip_answer(&mut self, index: usize, owned: bool) {
        let Some(peer) = self.peer_name() else { return };
        let answer = Message::new(&Kind::IpRequestResp)
            .with(field::DEST, peer.as_str())
            .with(field::IPADDR, self.groups.key(index))
            .with(field::WEOWN, if owned { "yes" } else { "no" })
            .with(field::OK, "OK");
        let answer = if self.peer_is_latido() { answer.with(HEARD, self.heard_of_peer()) } else { answer };
        self.send_to(&peer, answer);
    }
}
