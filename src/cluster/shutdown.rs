//! Leaving in order (`resources.md` 5.1).
//!
//! ```text
//! Leave → (a running script ends) → every held group is stopped → shutdone → a moment for late questions → exit
//! ```

use std::time::Duration;

use crate::wire::{Kind, Message, Sequence, field};

use super::dialogues::{Leaving, Standby};
use super::node::Node;
use super::timer::Timer;
use super::{Action, Cluster, ExitReason, Report, Status};

/// An original may ask for lost messages; a 2.1 whose questions are never answered may crash (`wire.md` 4.3).
const LINGER: Duration = Duration::from_secs(2);
/// A Latido that lost a message asks within 50 ms, and says what it took at once.
const LINGER_LATIDO: Duration = Duration::from_millis(500);

impl Cluster {
    pub(super) fn on_leave(&mut self) {
        match self.leaving {
            None => self.begin_leaving(),
            // The second order: he knows what he does.
            Some(Leaving::Blocked) => self.exit_now(),
            Some(Leaving::Releasing | Leaving::Done) => self.report(Report::ShutdownUnderway),
        }
    }

    fn begin_leaving(&mut self) {
        self.report(Report::ShutdownBegins);
        self.leaving = Some(Leaving::Releasing);
        self.pending_take = None;
        self.pending_wish = None;
        self.stop_fencing();
        self.end_client("this node is leaving".into());
        // An original waits an hour for the end of what it promised to take, whoever has left by then (`resources.md` 4.2).
        let gives = matches!(self.standby, Standby::Releasing(_)) && !self.peer_is_latido();
        if self.standby != Standby::Not && !gives {
            self.standby = Standby::Not;
            self.timers.stop(&Timer::Standby);
            self.report(Report::StandbyCancelled);
        }
        if self.groups.is_busy() {
            self.report(Report::ShutdownWaits);
        }
        if self.settings.manage_resources {
            self.report(Report::GivingUpAll);
        }
        for index in 0..self.groups.len() {
            self.groups.want_released(index);
        }
        if self.local_status == Status::Active && self.nice() && self.settings.manage_resources && !gives {
            // Until `shutdone` we hold what we hold: an early "none" would let the peer believe us free (12.2 d).
            self.send_claim(false, Some("shutdown"));
        }
    }

    /// Goes on with the farewell.
    pub(super) fn serve_leaving(&mut self) {
        if !matches!(self.leaving, Some(Leaving::Releasing | Leaving::Blocked)) {
            return;
        }
        self.run_next();
        if let Standby::Releasing(set) = self.standby {
            self.serve_release(set);
        }
        let still_looks = !self.idle_checks.is_empty();
        if self.groups.is_busy() || still_looks || self.exited {
            return;
        }
        if self.groups.is_blocked() {
            if self.leaving != Some(Leaving::Blocked) {
                self.leaving = Some(Leaving::Blocked);
                self.report(Report::ShutdownBlocked);
                self.last_claim = None;
            }
            return;
        }
        if self.settings.manage_resources {
            self.report(Report::AllReleased);
        }
        self.farewell();
    }

    /// Something does not stop here: the other node may have the rest. An original would take no half of a side.
    pub(super) fn say_what_is_left(&mut self) {
        if self.peer_is_latido() && self.local_status != Status::Init && !self.is_alone() {
            self.send_claim(true, Some("shutdown"));
        }
    }

    /// Says that nothing runs here any more, also when we have not said a word yet: nobody need fence us.
    pub(super) fn farewell(&mut self) {
        self.leaving = Some(Leaving::Done);
        // Whoever takes what was given hears next that the rest is free as well.
        self.standby = Standby::Not;
        self.timers.stop(&Timer::Standby);
        if self.local_status == Status::Init {
            self.introduce();
        } else if self.is_alone() && self.peer_is_latido() {
            // It may hear us again by now; nobody who held us dead obeys us before our status was heard.
            self.send_status();
        }
        self.say_shutdone();
        if self.is_alone() || self.peer.index.is_none() {
            return self.exit_now();
        }
        self.linger_until = self.now.mono + self.settings.deadtime;
        self.linger();
    }

    pub(super) fn linger(&mut self) {
        let linger = if self.peer_is_latido() { LINGER_LATIDO } else { LINGER };
        self.timers.set(Timer::Linger, self.now.mono + linger);
    }

    pub(super) fn say_shutdone(&mut self) {
        self.send(Message::new(&Kind::ShutDone).with(field::ST, Status::Dead.as_str()));
        // Who has acknowledged nothing may hear us from a later number on, and acknowledges that.
        if self.peer_node().is_some_and(|node| node.acked > Sequence(0)) {
            self.farewell_seq = self.farewell_seq.or(Some(self.seq));
        }
    }

    /// Who did not hear the farewell would call us dead, and fence us: a Latido is told again, and who was not heard yet in
    /// this life, for at most a deadtime.
    pub(super) fn on_linger_over(&mut self) {
        let has_heard = |node: &Node| self.farewell_seq.is_some_and(|farewell| farewell <= node.acked);
        let missed = |node: &Node| node.is_latido && node.says_hears && !has_heard(node);
        let unheard = |node: &Node| !node.heard || missed(node);
        if self.peer_node().is_some_and(unheard) {
            // Nobody obeys whose status was not heard.
            self.send_status();
            self.say_shutdone();
            if !self.is_alone() && self.now.mono < self.linger_until {
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
        self.out.push(Action::Exit(ExitReason::Stopped));
        self.exited = true;
    }
}
