//! Groups go home by themselves (`resources.md` 2.3), and what failed here is offered to the other node.

use crate::time::Mono;

use super::node::Node;
use super::timer::Timer;
use super::{AutoFailback, Cluster, GroupState, OnStartFailure, Report, Set};

/// What is known of groups that are not at home.
#[derive(Debug, Default)]
pub(super) struct Failback {
    /// The other node had been away and has not got its groups back.
    needed: bool,
    /// An offer that came to nothing is not repeated before.
    not_before: Mono,
    /// Since when the home of groups of ours could take them back.
    home_since: Option<Mono>,
}

impl Failback {
    /// Whether the other node has not got its groups back.
    pub(super) fn is_needed(&self) -> bool {
        self.needed
    }

    /// What is here belongs home.
    pub(super) fn need(&mut self) {
        self.needed = true;
    }

    /// Somebody wants it otherwise.
    pub(super) fn forgo(&mut self) {
        self.needed = false;
    }

    /// The home of groups of ours is not there.
    pub(super) fn home_is_away(&mut self) {
        self.home_since = None;
    }

    /// Since when the home of groups of ours could take them back.
    pub(super) fn home_since(&self) -> Option<Mono> {
        self.home_since
    }
}

impl Cluster {
    /// Nothing is offered before then.
    pub(super) fn offer_not_before(&mut self, at: Mono) {
        self.failback.not_before = at;
        self.timers.set(Timer::Failback, at);
    }

    /// The same, unless that is put off for longer already.
    pub(super) fn put_off_offers(&mut self, at: Mono) {
        self.offer_not_before(at.max(self.failback.not_before));
    }

    /// Whether we offer the other node its groups when it is back: between two Latidos `legacy` means `on`.
    pub(super) fn gives_back(&self) -> bool {
        match self.settings.auto_failback {
            AutoFailback::On => true,
            AutoFailback::Off => false,
            AutoFailback::Legacy => self.exchanges_claims(),
        }
    }

    /// A group that does not start here: a Latido reads that from our claim and takes it; an original has to be asked,
    /// once, for the side it is on (`resources.md` 12.2 e).
    pub(super) fn offer_failed_groups(&mut self) {
        if self.peer_is_latido() || self.settings.on_start_failure == OnStartFailure::Stay || !self.peer.is_stable() {
            return;
        }
        if self.now.mono < self.failback.not_before {
            return;
        }
        let Some(index) = self.groups.unoffered_failure() else { return };
        if self.groups.is_busy() || self.peer.hold(index).may_run() {
            return;
        }
        self.groups.mark_offered(index);
        let set = self.side_of(index);
        let why = self.failures_in_words().unwrap_or_default();
        self.begin_standby(set, why);
    }

    pub(super) fn fail_back(&mut self) {
        if !self.gives_back() || !self.failback.needed {
            self.failback.home_since = None;
            return;
        }
        let peer_active = self.peer_node().is_some_and(Node::is_active);
        if !peer_active || self.peer.is_leaving() {
            self.failback.home_since = None;
            return;
        }
        if self.groups.is_busy() || !self.peer.is_stable() || self.now.mono < self.failback.not_before {
            return;
        }
        let home_since = *self.failback.home_since.get_or_insert(self.now.mono);
        let ripe = home_since + self.settings.failback_delay;
        if self.now.mono < ripe {
            self.timers.set_if_unset(Timer::Failback, ripe);
            return;
        }
        let can_go = |index: usize| {
            !self.is_own(index) && self.groups.state(index) == GroupState::Held && !self.peer.hold(index).has_failed()
        };
        let any = (0..self.groups.len()).any(can_go);
        // What both claim is not decided yet.
        let contested = |index: usize| can_go(index) && self.peer.hold(index).is_claimed();
        if (0..self.groups.len()).any(contested) {
            return;
        }
        // Offered until nothing is left to give: an offer may be lost, or refused because the peer is busy.
        self.failback.needed = any;
        if !any {
            self.note_given_away(Set::Foreign);
        }
        if any && let Some(node) = self.peer_name() {
            self.report(Report::FailbackBegins { node: node.clone() });
            let why = format!("auto_failback: {node} is back");
            self.begin_standby(Set::Foreign, why);
        }
    }
}
