//! From being active to knowing enough to act (`resources.md` 2.2): what the other node holds is asked first.

use std::time::Duration;

use super::dialogues::{JoiningEvent, Stage};
use super::timer::Timer;
use super::{Cluster, Report, Set, Status};

/// As long as the original waits when both nodes start (`resources.md` 2.2); for us the last resort.
const PEER_SILENT_AFTER: Duration = Duration::from_secs(10);

/// How far we are with joining.
#[derive(Debug, Default)]
pub(super) struct Joining {
    stage: Stage,
}

impl Joining {
    /// Whether we are active, and so nothing is decided without us.
    pub(super) fn has_joined(&self) -> bool {
        self.stage != Stage::Joining
    }

    /// Whether we wait for what the other says that it holds.
    pub(super) fn is_asking(&self) -> bool {
        self.stage == Stage::Asking
    }

    /// Whether we know enough to act.
    pub(super) fn is_settled(&self) -> bool {
        self.stage == Stage::Settled
    }
}

impl Cluster {
    /// We have just become active.
    pub(super) fn on_active(&mut self) {
        if !self.settings.manage_resources {
            return;
        }
        self.check_devices();
        self.watch_all();
        self.join_in();
    }

    /// Says that we are here and asks what the peer holds; not before it is known what runs here already.
    pub(super) fn join_in(&mut self) {
        let joins = self.members.local_status() == Status::Active && !self.joining.has_joined();
        // In legacy mode nobody learns from a claim that we still stop something.
        let stops = !self.exchanges_claims() && self.groups.any_stopping();
        if !joins || stops || self.adoption.looks_around() || self.leaving.is_ordered() {
            return;
        }
        if self.is_alone() {
            // What may run there is not known before it is off.
            if !self.is_fencing() || !self.own_sleep.ask_as_well() {
                self.forget_sleep();
            }
            self.note_taken_here(Set::All);
            return self.join_on(JoiningEvent::NobodyToAsk);
        }
        if self.exchanges_claims() {
            self.join_on(JoiningEvent::Asks);
            self.ask_what_it_holds();
            if !self.own_sleep.ask_as_well() {
                self.timers.stop(&Timer::PeerWord);
            }
            self.timers.set(Timer::PeerSilent, self.now.mono + PEER_SILENT_AFTER);
            if self.peer.take_question() {
                self.answer_starting();
            }
        } else {
            self.join_on(JoiningEvent::NobodyToAsk);
            self.request_own_groups();
        }
        self.settle_when_told();
    }

    /// It has said what it holds, and not to a predecessor of ours.
    pub(super) fn settle_when_told(&mut self) {
        if self.peer.has_spoken_to_us() && !self.peer.is_leaving() {
            self.join_on(JoiningEvent::Known);
        }
    }

    /// The peer is active and has said nothing for ten seconds: it can only be one that never does.
    pub(super) fn on_peer_silent(&mut self) {
        if !self.joining.is_asking() {
            return;
        }
        self.forget_sleep();
        if self.peer.is_leaving() || self.peer.has_spoken() {
            // It has spoken, and is only slow in going, or has not heard us since.
            return self.join_on(JoiningEvent::Silent);
        }
        if self.has_never_heard_us() {
            self.believe_that_it_takes_all();
        } else if let Some(node) = self.peer_name() {
            self.peer.never_speaks();
            if !self.peer_is_latido() {
                self.report(Report::PeerIsLegacy { node });
            }
        }
        self.join_on(JoiningEvent::Silent);
        self.request_own_groups();
    }

    /// Goes on with joining; what we know now may be enough to act.
    pub(super) fn join_on(&mut self, event: JoiningEvent) {
        let before = self.joining.stage;
        self.joining.stage = before.after(event);
        if self.joining.is_settled() && before != Stage::Settled {
            self.timers.stop(&Timer::PeerSilent);
            self.changed();
            self.report(Report::LocalComplete);
            self.begins_with_its_own();
        }
    }
}
