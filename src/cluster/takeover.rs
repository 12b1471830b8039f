//! Who should hold what (`resources.md` 1 to 3; `takeover.md`).
//!
//! Everything that happens only changes what is known (`peer`, `hearing`); [`Cluster::settle`] then compares what is
//! known with what is held and begins what is missing, and [`Cluster::announce_claim`] (`telling`) tells the peer
//! whatever changed.

mod hearing;
mod orphans;
mod peer;
mod telling;

use crate::names::NodeName;
use crate::wire::Message;

use super::claims::PeerHold;
use super::dialogues::JoiningEvent;
use super::timer::Timer;
use super::{AutoFailback, Cluster, GroupState, Report, Set};

pub(super) use peer::Peer;

use orphans::Orphans;
use telling::ToldPeer;

/// What we have decided with the other node, and told it.
#[derive(Debug, Default)]
pub(super) struct Takeover {
    orphans: Orphans,
    told: ToldPeer,
}

impl Takeover {
    /// The other is told again what we hold, whether it is the same or not.
    pub(super) fn tell_again(&mut self) {
        self.told.tell_again();
    }

    /// The other has said what it holds, after it was asked.
    pub(super) fn answered(&mut self) {
        self.orphans.answered();
    }
}

impl Cluster {
    /// With `auto_failback on` or `off` both nodes say what they hold; with `legacy` nobody does, but two Latidos do
    /// always.
    pub(super) fn exchanges_claims(&self) -> bool {
        self.settings.auto_failback != AutoFailback::Legacy || self.peer_is_latido()
    }

    pub(super) fn is_own(&self, group: usize) -> bool {
        self.groups.owner(group) == &self.settings.me
    }

    /// The peer is dead (`resources.md` 3.1).
    pub(super) fn on_peer_dead(&mut self) {
        let Some(node) = self.peer_name() else { return };
        self.failback.home_is_away();
        // What nobody ran when it was heard last it may have taken since; all that we hold it cannot have.
        let may_run =
            (0..self.groups.len()).any(|index| self.peer.hold(index).may_run() || !self.groups.is_claimed(index));
        self.peer.keep_words();
        self.cancel_standby_with_peer();
        self.hears_us();
        if !self.settings.manage_resources {
            return;
        }
        self.failback.need();
        // Whoever was acknowledged says it no more, though its status never came.
        let told = self.peer.index().and_then(|index| self.nodes[index].take_farewell()).is_some();
        if told {
            self.peer.note_gone();
        }
        let released = self.peer.is_gone() || !may_run && self.peer.has_spoken() && !self.peer.is_leaving();
        if !released && self.must_fence() && !self.leaving.is_ordered() {
            self.forget_words();
            self.deafness.forget();
            return self.begin_fencing(node);
        }
        self.send_stonith(&node, if released { "unneeded" } else { "n_stnth" });
        if self.leaving.is_ordered() {
            self.peer_holds_nothing();
            self.report(Report::TakeoverCancelled);
            return;
        }
        if released {
            self.report(Report::DeadNodeGaveUp { node: node.clone() });
        } else {
            self.report(Report::NoStonith);
        }
        self.take_over_from_dead(&node, released);
    }

    /// The dead node runs nothing any more: `certain` when it said so or was fenced.
    pub(super) fn take_over_from_dead(&mut self, node: &NodeName, certain: bool) {
        self.mark_taken_from_dead(certain);
        self.forget_sleep();
        self.forget_words();
        self.deafness.forget();
        self.peer_holds_nothing();
        self.groups.forgive_failures();
        self.note_taken_here(Set::All);
        self.join_on(JoiningEvent::Gone);
        self.announce_takeover(node);
    }

    fn forget_words(&mut self) {
        self.peer.forget_words();
        self.hand_over.forget_words();
        self.takeover.orphans.forget_answer();
    }

    fn peer_holds_nothing(&mut self) {
        self.peer.holds_nothing();
        self.hand_over.forget_owed();
    }

    /// The peer has stopped everything and leaves (`resources.md` 5.1).
    fn on_peer_left(&mut self, message: &Message) {
        let Some(node) = self.peer_name() else { return };
        let sequence = message.sequence().unwrap_or_default().0;
        if sequence < self.peer.claims_seq() {
            return;
        }
        // Its last word, also when a claim on a slow medium comes in after it.
        self.peer.note_words_until(sequence);
        self.acknowledge_farewell();
        if self.peer.says_farewell() {
            return;
        }
        self.forget_sleep();
        self.peer_holds_nothing();
        // Who runs nothing takes nothing, whether he hears us or not.
        self.hears_us();
        self.peer.leaves();
        self.report(Report::ShutdownNotice { node: node.clone() });
        self.cancel_standby_with_peer();
        if self.leaving.is_ordered() {
            self.report(Report::TakeoverCancelled);
            return;
        }
        self.failback.need();
        self.groups.forgive_failures();
        self.note_taken_here(Set::All);
        self.join_on(JoiningEvent::Gone);
        self.announce_takeover(&node);
    }

    fn announce_takeover(&mut self, node: &NodeName) {
        if self.joining.is_settled() && self.groups.any_free() {
            self.report(Report::TakingOverFrom { node: node.clone() });
            self.takes_over_from(node);
        }
    }

    /// The peer has restarted, or is heard for the first time.
    pub(super) fn on_peer_new_life(&mut self, cut_off: bool) {
        self.stop_fencing();
        self.failback.home_is_away();
        self.peer.begins_life();
        self.note_home_is_here();
        self.deafness.outlives_restart(self.peer_is_latido());
        self.forget_words();
        self.wait_for_orphans_anew();
        if !self.exchanges_claims() {
            // What it was given it has lost with its life.
            self.peer.forget_holds();
            self.groups.forgive_failures();
        }
        self.groups.clear_partition_marks(cut_off || !self.exchanges_claims());
        self.cancel_standby_with_peer();
        if let Some(index) = self.peer.index() {
            self.nodes[index].forget_digest();
        }
        self.facts_exchange.forget();
        if cut_off {
            self.on_peer_cut_off();
        }
    }

    /// Begins whatever is missing. Called after every event; does nothing most of the time.
    pub(super) fn settle(&mut self) {
        if self.serve_cleaning() {
            return;
        }
        self.serve_adopted();
        self.stop_the_doubtful();
        self.serve_leaving();
        self.serve_upgrade();
        self.join_in();
        self.serve_asked_asleep();
        let undecided = !self.joining.is_settled() || self.out.has_ended();
        if self.leaving.is_ordered() || undecided || !self.settings.manage_resources {
            return;
        }
        if self.serve_refusal() {
            return self.run_next();
        }
        self.resolve_conflicts();
        self.serve_standby();
        if self.is_fencing() {
            // Whatever may run on the dead node is not started; what it does not hold is here already.
        } else if self.is_alone() {
            self.acquire_everything();
        } else if self.own_sleep.is_in_doubt() {
            // What the other did not run before we stood still it may run now.
        } else if self.past_life_may_go_on() {
            // So may what it ran before its new life began: that may be another machine's.
        } else if self.exchanges_claims() && !self.is_handing_over() && self.peer.has_spoken() {
            self.acquire_unclaimed();
            self.offer_failed_groups();
            self.fail_back();
        }
        self.run_next();
    }

    /// The dead node's groups first, then our own (`resources.md` 12.1.14).
    fn acquire_everything(&mut self) {
        let (own, foreign): (Vec<usize>, Vec<usize>) = (0..self.groups.len()).partition(|index| self.is_own(*index));
        for index in foreign.into_iter().chain(own) {
            self.groups.want_acquired(index);
        }
    }

    fn acquire_unclaimed(&mut self) {
        let mut orphaned = false;
        for index in 0..self.groups.len() {
            if self.groups.state(index) != GroupState::Free || self.peer.hold(index).may_run() {
                continue;
            }
            if self.peer.hold(index) == PeerHold::FailedStays || self.has_to_answer(index) {
                continue;
            }
            // Who leaves starts nothing any more.
            let goes = self.peer.is_leaving() && self.peer_is_latido();
            let failed_there = self.peer.hold(index) == PeerHold::Failed;
            if self.is_own(index) || goes || failed_there {
                if let Some(node) = self.peer_name().filter(|_| failed_there) {
                    self.report_failed_there(index, node);
                }
                self.groups.want_acquired(index);
                continue;
            }
            // Somebody who has not finished deciding may be stopping or starting it.
            if !self.peer.is_stable() && !self.peer_is_latido() {
                continue;
            }
            orphaned = true;
            if self.orphans_waited_for() && self.orphans_are_confirmed() {
                let (group, owner) = (self.groups.key(index), self.groups.owner(index).clone());
                self.report(Report::Orphan { group, owner });
                // Its home node was deaf or slow: it goes home when that is over.
                self.failback.need();
                self.groups.want_acquired(index);
            }
        }
        self.look_after_orphans(orphaned);
    }

    /// We said that it failed here, and a Latido takes that: before it is tried again here the other says that it did not.
    fn has_to_answer(&mut self, index: usize) -> bool {
        let key = self.groups.key(index);
        let Some(asked) = self.peer.invited(&key).filter(|_| self.peer_is_latido()) else { return false };
        // Who is asked to give us something would take the question for the word of one who is not ready.
        let is_promised = self.hand_over.is_awaited();
        if !is_promised && (!asked || !self.timers.is_set(&Timer::PeerWord)) {
            self.ask_what_it_holds();
            self.peer.ask_of_invited(key);
        }
        true
    }
}
