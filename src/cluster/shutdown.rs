//! Leaving in order (`resources.md` 5.1).
//!
//! ```text
//! Leave → (a running script ends) → every held group is stopped → shutdone → a moment for late questions → exit
//! ```

use std::time::Duration;

use crate::time::Mono;
use crate::wire::{Kind, Message, Sequence, field};

use super::dialogues::{Leaving, LeavingEvent, LeavingStep};
use super::node::Node;
use super::timer::Timer;
use super::{Cluster, ExitReason, Report, Status};

/// An original may ask for lost messages; a 2.1 whose questions are never answered may crash (`wire.md` 4.3).
const LINGER: Duration = Duration::from_secs(2);
/// A Latido that lost a message asks within 50 ms, and says what it took at once.
const LINGER_LATIDO: Duration = Duration::from_millis(500);

/// How far we are with leaving.
#[derive(Debug, Default)]
pub(super) struct Shutdown {
    stands: Leaving,
    /// The number of the `shutdone` that the other has heard if it acknowledges it.
    said: Option<Sequence>,
    /// For how long that is waited for.
    linger_until: Mono,
}

impl Shutdown {
    /// Whether we leave, however far we are with it.
    pub(super) fn is_ordered(&self) -> bool {
        self.stands != Leaving::Not
    }

    /// Whether something does not stop here.
    pub(super) fn is_blocked(&self) -> bool {
        self.stands == Leaving::Blocked
    }

    /// Whether we have said that nothing runs here any more.
    pub(super) fn is_done(&self) -> bool {
        self.stands == Leaving::Done
    }
}

impl Cluster {
    pub(super) fn on_leave(&mut self) {
        self.leave_on(LeavingEvent::Ordered);
    }

    fn leave_on(&mut self, event: LeavingEvent) {
        let (next, step) = self.leaving.stands.after(event);
        self.leaving.stands = next;
        match step {
            LeavingStep::Nothing => {}
            LeavingStep::Release => self.begin_leaving(),
            LeavingStep::SayUnderway => self.report(Report::ShutdownUnderway),
            LeavingStep::SayBlocked => {
                self.report(Report::ShutdownBlocked);
                self.takeover.tell_again();
            }
            LeavingStep::SayFarewell => self.say_farewell(),
            LeavingStep::End => self.exit_now(),
        }
    }

    fn begin_leaving(&mut self) {
        self.report(Report::ShutdownBegins);
        self.end_offers_to_leave();
        self.stop_fencing();
        self.end_client("this node is leaving".into());
        let gives = self.end_handover_to_leave();
        if self.groups.is_busy() {
            self.report(Report::ShutdownWaits);
        }
        if self.settings.manage_resources {
            self.report(Report::GivingUpAll);
        }
        for index in 0..self.groups.len() {
            self.groups.want_released(index);
        }
        if self.members.local_status() == Status::Active
            && self.exchanges_claims()
            && self.settings.manage_resources
            && !gives
        {
            // Until `shutdone` we hold what we hold: an early "none" would let the peer believe us free
            // (`resources.md` 12.2 d).
            self.send_claim(false, Some("shutdown"));
        }
    }

    /// Goes on with the farewell.
    pub(super) fn serve_leaving(&mut self) {
        if !self.leaving.is_ordered() || self.leaving.is_done() {
            return;
        }
        self.run_next();
        self.serve_giving();
        let still_looks = self.adoption.looks_around();
        if self.groups.is_busy() || still_looks || self.out.has_ended() {
            return;
        }
        if self.groups.is_blocked() {
            return self.leave_on(LeavingEvent::DoesNotStop);
        }
        if self.settings.manage_resources {
            self.report(Report::AllReleased);
        }
        self.farewell();
    }

    /// Something does not stop here: the other node may have the rest. An original would take no half of a side.
    pub(super) fn say_what_is_left(&mut self) {
        if self.peer_is_latido() && self.members.local_status() != Status::Init && !self.is_alone() {
            self.send_claim(true, Some("shutdown"));
        }
    }

    /// Says that nothing runs here any more, also when we have not said a word yet: nobody need fence us.
    pub(super) fn farewell(&mut self) {
        self.leave_on(LeavingEvent::AllDown);
    }

    fn say_farewell(&mut self) {
        // Whoever takes what was given hears next that the rest is free as well.
        self.void_handover();
        self.timers.stop(&Timer::Standby);
        if self.members.local_status() == Status::Init {
            self.introduce();
        } else if self.is_alone() && self.peer_is_latido() {
            // It may hear us again by now; nobody who held us dead obeys us before our status was heard.
            self.send_status();
        }
        self.say_shutdone();
        if self.is_alone() || self.peer.index().is_none() {
            return self.exit_now();
        }
        self.leaving.linger_until = self.now.mono + self.settings.deadtime;
        self.linger();
    }

    /// The other was not there when it was said, or has forgotten it.
    pub(super) fn say_farewell_anew(&mut self) {
        self.leaving.said = None;
        self.say_shutdone();
        self.linger();
    }

    fn linger(&mut self) {
        let linger = if self.peer_is_latido() { LINGER_LATIDO } else { LINGER };
        self.timers.set(Timer::Linger, self.now.mono + linger);
    }

    pub(super) fn say_shutdone(&mut self) {
        self.send(Message::new(&Kind::ShutDone).with(field::ST, Status::Dead.as_str()));
        // Who has acknowledged nothing may hear us from a later number on, and acknowledges that.
        if self.peer_node().is_some_and(|node| node.acked() > Sequence(0)) {
            self.leaving.said = self.leaving.said.or(Some(self.sending.seq()));
        }
    }

    /// Who did not hear the farewell would call us dead, and fence us: a Latido is told again, and who was not heard yet in
    /// this life, for at most a deadtime.
    pub(super) fn on_linger_over(&mut self) {
        let has_heard = |node: &Node| self.leaving.said.is_some_and(|farewell| farewell <= node.acked());
        let missed = |node: &Node| node.is_latido() && node.says_hears() && !has_heard(node);
        let unheard = |node: &Node| !node.was_heard() || missed(node);
        if self.peer_node().is_some_and(unheard) {
            // Nobody obeys whose status was not heard.
            self.send_status();
            self.say_shutdone();
            if !self.is_alone() && self.now.mono < self.leaving.linger_until {
                return self.linger();
            }
        }
        self.exit_now();
    }

    pub(super) fn exit_now(&mut self) {
        for index in 0..self.nodes.len() {
            self.remember(index);
        }
        self.report(Report::ShutdownComplete { me: self.settings.me.clone() });
        self.out.end(ExitReason::Stopped);
    }
}
