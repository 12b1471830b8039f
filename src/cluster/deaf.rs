//! Links that carry one way only, and sleepers (`takeover.md` 5).
//!
//! A node that does not hear us calls us dead, takes our groups and goes on saying so, while we hear it all the time. Only
//! we can know it, so we let go. And a node that stood still for longer than its deadtime without seeing it (a frozen
//! machine) finds its groups taken when it wakes: whoever has them keeps them.

use std::time::Duration;

use crate::time::Mono;
use crate::wire::{Kind, Message, field};

use super::claims::{HEARS, PeerHold};
use super::node::Node;
use super::timer::Timer;
use super::{Cluster, GroupState, Report};

/// While the other node is held dead and may live, what was taken is said again so often in a deadtime.
const RESTATED_IN_DEADTIME: u32 = 2;
/// Else a claim is said again so often, for whoever lost it without knowing.
const RESTATE_EVERY: Duration = Duration::from_secs(60);

/// Whether the peer hears us.
#[derive(Debug, Default)]
pub(super) struct Deafness {
    /// Since when it shows, without a sign to the contrary, that it does not.
    since: Option<Mono>,
    /// That was told, and what we hold was let go.
    is_told: bool,
}

impl Deafness {
    /// It begins anew: a deaf Latido that is restarted is deaf still, until it shows that it hears us. An original shows that
    /// in no other way than by calling us dead once more.
    pub(super) fn outlives_restart(&mut self, is_latido: bool) {
        *self = Deafness { since: self.since.filter(|_| is_latido), is_told: false };
    }

    /// What it showed counts no more.
    pub(super) fn forget(&mut self) {
        *self = Deafness::default();
    }
}

impl Cluster {
    /// What a status says of how far its sender hears us.
    pub(super) fn note_hearing(&mut self, index: usize, message: &Message) {
        if !self.peer.is_node(index) {
            return;
        }
        self.nodes[index].note_says_hears(message.get(HEARS).is_some());
        match message.hex(HEARS) {
            Some(0) => self.seems_deaf(),
            Some(number) if number <= self.sending.seq().0 => {
                let is_news = self.nodes[index].note_heard_of_us(number);
                // While both run something it must go on hearing us. Who was frozen, and cannot hear us, calls us dead a
                // deadtime after it woke: that is too late to begin to wait.
                if is_news || !self.may_both_run() {
                    self.hears_us();
                } else {
                    // It has not heard us since its last status.
                    self.seems_deaf_since(self.now.mono.before(self.settings.keepalive));
                }
            }
            // Of our life before this one: it says nothing of how far we are heard now.
            Some(_) | None => {}
        }
    }

    /// Whether both claim a group, or we run what we took from it when it was silent, and it may run it still.
    fn may_both_run(&self) -> bool {
        let taken = self.groups.partition_marks();
        let both = |index: usize| {
            let hold = self.peer.hold(index);
            self.groups.is_claimed(index) && (hold.is_claimed() || hold.may_run() && taken.contains(&index))
        };
        self.exchanges_claims() && (0..self.groups.len()).any(both)
    }

    /// Something that only a node says that hears us.
    pub(super) fn note_answer(&mut self, index: usize, kind: &Kind) {
        let is_answer = matches!(kind, Kind::Ack | Kind::Rexmit | Kind::NakRexmit | Kind::RepNodes);
        if is_answer && self.peer.is_node(index) && !self.peer_is_latido() {
            let is_first = self.nodes[index].note_answer();
            let was_deaf = self.deafness.since.is_some();
            self.hears_us();
            if (is_first || was_deaf) && self.exchanges_claims() && !self.peer.has_spoken() && self.joining.has_joined()
            {
                // It did not hear that it was asked.
                self.ask_what_it_holds();
            }
        }
    }

    /// An original that has answered nothing of ours since we started: it holds us dead, and has taken what we have.
    pub(super) fn has_never_heard_us(&self) -> bool {
        !self.peer_is_latido() && self.peer_node().is_some_and(|node| node.is_alive() && !node.has_answered())
    }

    /// It says nothing of groups, as far as it knows to nobody: it takes what we have.
    pub(super) fn believe_that_it_takes_all(&mut self) {
        let held = (0..self.groups.len()).filter(|index| self.groups.is_claimed(*index));
        held.for_each(|index| self.peer.note_hold(index, PeerHold::SincePartition));
        self.seems_deaf();
    }

    /// `stonith`: the peer has called somebody dead, perhaps us.
    pub(super) fn on_stonith(&mut self, index: usize, message: &Message) {
        let is_us = message.get(field::NODE).is_some_and(|node| node.eq_ignore_ascii_case(self.settings.me.as_str()));
        let shot = message.get(field::RESULT).is_some_and(|result| !result.starts_with("bad"));
        if !is_us || !shot || !self.peer.is_node(index) || !self.nodes[index].is_alive() {
            return;
        }
        let sequence = message.sequence().unwrap_or_default();
        self.on_taker_called_us_dead(sequence.0);
        // What was asked for again tells an old time: it may have given back since what it took.
        if sequence < self.nodes[index].newest() {
            if self.exchanges_claims() && !self.peer_is_latido() {
                self.peer.note_deciding();
                self.ask_what_it_holds();
            }
            return;
        }
        if !self.exchanges_claims() {
            // It may hear us by now, and in this mode nobody says what he took.
            self.ask_back();
        }
        if self.peer.has_spoken() {
            self.seems_deaf();
        } else {
            self.believe_that_it_takes_all();
        }
    }

    pub(super) fn hears_us(&mut self) {
        self.deafness.since = None;
        self.deafness.is_told = false;
        self.timers.stop(&Timer::Deaf);
    }

    /// It shows that it does not hear us: that may be over in a moment.
    pub(super) fn seems_deaf(&mut self) {
        self.seems_deaf_since(self.now.mono);
    }

    fn seems_deaf_since(&mut self, since: Mono) {
        // It holds us dead: on its side the dialogue is over.
        self.drop_words("the other node does not hear this one");
        if self.deafness.since.is_none() {
            self.deafness.since = Some(since);
            self.timers.set(Timer::Deaf, since + self.deaf_after());
        }
    }

    /// Who hears us again lets go at once of what it took: one deadtime more says that it does not.
    pub(super) fn deaf_after(&self) -> Duration {
        self.settings.deadtime + self.settings.keepalive
    }

    /// Whether the peer has shown for so long that it does not hear us.
    pub(super) fn peer_is_deaf(&self) -> bool {
        let long = |since: Mono| self.now.mono.since(since) >= self.deaf_after();
        self.deafness.since.is_some_and(long) && self.peer_node().is_some_and(Node::is_alive)
    }

    /// The peer takes what we hold, and will go on: we let go of it.
    pub(super) fn on_deaf_for_long(&mut self) {
        let due = self.deafness.since.map(|since| since + self.deaf_after());
        if let Some(due) = due.filter(|due| *due > self.now.mono) {
            // A reread file asks for more patience.
            return self.timers.set(Timer::Deaf, due);
        }
        if !self.peer_is_deaf()
            || self.leaving.is_ordered()
            || self.adoption.is_cleaning()
            || !self.settings.manage_resources
        {
            return;
        }
        if self.is_refused() {
            // It hears us, and listens to another machine of our name.
            return self.timers.set(Timer::Deaf, self.now.mono + self.settings.keepalive);
        }
        let here = |state: GroupState| matches!(state, GroupState::Held | GroupState::Starting);
        // In legacy mode nobody says what he takes; a Latido neither, before it has heard with whom it speaks.
        let says_nothing =
            !self.exchanges_claims() || !self.peer.has_spoken() && self.peer_node().is_some_and(Node::is_active);
        let taken: Vec<usize> = (0..self.groups.len())
            .filter(|index| here(self.groups.state(*index)) && (says_nothing || self.peer.hold(*index).is_claimed()))
            .collect();
        self.tell_one_way(&taken);
        for index in taken {
            self.let_go(index);
        }
        self.timers.set(Timer::Deaf, self.now.mono + self.settings.keepalive);
    }

    pub(super) fn tell_one_way(&mut self, taken: &[usize]) {
        if !std::mem::replace(&mut self.deafness.is_told, true)
            && let Some(node) = self.peer_name()
        {
            let groups = taken.iter().map(|index| self.groups.key(*index)).collect::<Vec<_>>().join(", ");
            self.report(Report::OneWay { node, groups });
            self.changed();
        }
    }

    /// Says again what we hold: a claim that was lost without anybody knowing would be lost for ever.
    pub(super) fn restate_claim(&mut self) {
        self.timers.stop(&Timer::Restate);
        if self.leaving.is_blocked() {
            return self.say_what_is_left();
        }
        if self.leaving.is_ordered() || self.adoption.is_cleaning() || !self.settings.manage_resources {
            return;
        }
        if self.holds_peer_dead() {
            if self.exchanges_claims() {
                self.takeover.tell_again();
            } else if let Some(node) = self.peer_name() {
                self.send_stonith(&node, "n_stnth");
            }
        } else if self.exchanges_claims() && !self.peer.has_spoken() && !self.peer_is_latido() {
            // It may not have heard the question.
            self.ask_what_it_holds();
        } else if !self.is_handing_over() {
            self.takeover.tell_again();
        }
    }

    /// Whether we run what a silent peer may run: if it lives, it must hear that.
    fn holds_peer_dead(&self) -> bool {
        self.is_alone() && !self.peer.has_left() && !self.groups.partition_marks().is_empty()
    }

    /// Keeps [`Cluster::restate_claim`] going; called after every event.
    pub(super) fn schedule_restatement(&mut self) {
        if self.peer.index().is_none() || !self.joining.is_settled() || self.out.has_ended() {
            return;
        }
        let every = if self.holds_peer_dead() { self.settings.deadtime / RESTATED_IN_DEADTIME } else { RESTATE_EVERY };
        let at = self.now.mono + every;
        let later = self.timers.at(&Timer::Restate).is_none_or(|due| due > at);
        if later {
            self.timers.set(Timer::Restate, at);
        }
    }
}
