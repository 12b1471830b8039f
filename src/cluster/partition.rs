//! After a partition, or when two nodes claim one group for any other reason: exactly one keeps it
//! (`resources.md` 12.2 c).
//!
//! The node that took a group over because it held the other dead lets it go; the node that had it before never stops
//! it and announces its addresses again. If both or neither took it over so, its home node keeps it.

use std::time::Duration;

use crate::time::Mono;
use crate::wire::{Kind, Message, Sequence, field};

use super::claims::{HEARD, LATIDO, PeerHold};
use super::groups::Doubt;
use super::timer::Timer;
use super::{Action, Cluster, GroupState, Report, Set};

/// A Latido that came back says at once what it holds; after this it counts as silent.
const PEER_WORD_WITHIN: Duration = Duration::from_secs(2);
/// An original claims before it holds (`resources.md` 12.1.4): two claims must last this long to be a conflict.
const CONFLICT_PATIENCE: Duration = Duration::from_secs(1);
/// Pause between two requests to an original to give up what is ours.
const CONFLICT_RETRY: Duration = Duration::from_secs(30);

/// What both nodes claim, and what we have asked about it.
#[derive(Debug, Default)]
pub(super) struct Conflict {
    /// Since when the peer has claimed what we claim.
    since: Option<Mono>,
    /// The number with which we last asked what the peer holds.
    asked_seq: Sequence,
}

impl Cluster {
    /// Groups we are about to take from a dead node that may in truth be alive (not when it is `certain` that it runs
    /// nothing): we shall let them go if it returns.
    pub(super) fn mark_taken_from_dead(&mut self, certain: bool) {
        for index in 0..self.groups.len() {
            // Nobody says what he holds in legacy mode, but there every group runs at home. Else what nobody held may have been
            // taken since.
            let may_run = self.exchanges_claims() || !self.is_own(index);
            let free = matches!(self.groups.state(index), GroupState::Free | GroupState::Failed);
            if free && may_run && !certain {
                self.groups.mark_partition(index);
            }
        }
    }

    /// A status of the peer's same life, after we had declared it dead.
    pub(super) fn on_peer_returned(&mut self) {
        self.stop_fencing();
        if !self.settings.manage_resources {
            return;
        }
        if self.leaving.is_done() {
            // There is nothing to ask any more; it held us dead when we said it.
            self.send_status();
            return self.say_shutdone();
        }
        self.peer.returns_with(&self.groups.partition_marks());
        self.takeover.tell_again();
        self.live_before_we_claim();
        if self.peer_is_latido() && self.exchanges_claims() {
            // What it said while it was dead to us was not heard: `starting` makes it say it again.
            self.ask_what_it_holds();
        } else {
            self.let_partition_groups_go();
        }
    }

    /// First heard while active and after we had given it up: it was cut off from the start, and we do not know what it
    /// is. `starting` makes an original and a Latido alike say what they hold.
    pub(super) fn on_peer_cut_off(&mut self) {
        if !self.settings.manage_resources {
            return;
        }
        if !self.exchanges_claims() {
            return self.let_partition_groups_go();
        }
        self.peer.returns_unknown();
        self.live_before_we_claim();
        self.ask_what_it_holds();
    }

    /// An original that hears a claim from a node it still holds dead, and its heartbeat after that, declares it dead a
    /// second time and takes everything (`resources.md` 12.2 b): it must hear that we live first.
    fn live_before_we_claim(&mut self) {
        self.send_status();
    }

    /// Says `starting`: the peer says what it holds, and is told again what we hold.
    pub(super) fn ask_what_it_holds(&mut self) {
        self.takeover.tell_again();
        let detail = self.own_detail().to_text();
        self.send(Message::new(&Kind::Starting).with(LATIDO, detail).with(HEARD, self.heard_of_peer()));
        self.conflict.asked_seq = self.sending.seq();
        self.await_word_of_peer();
    }

    /// Whoever is there says something before this is over.
    pub(super) fn await_word_of_peer(&mut self) {
        self.timers.set(Timer::PeerWord, self.now.mono + PEER_WORD_WITHIN);
    }

    /// The number of the last message of the peer that we heard and the generation it was said in, as a field.
    pub(super) fn heard_of_peer(&self) -> String {
        let heard = self.peer_node().map(|node| (node.track.highest().0, node.generation().unwrap_or_default().0));
        let (number, generation) = heard.unwrap_or_default();
        format!("{number:x}.{generation:x}")
    }

    /// Whether it was said after our last question was heard. Who stood still and does not know it yet says at first what
    /// was true before; what was heard meanwhile is in front of our question. Who does not say how far he heard is believed.
    pub(super) fn is_answer(&self, message: &Message) -> bool {
        let Some((number, _)) = heard_in(message) else { return true };
        // What was heard of our life before this one has a number that says nothing.
        self.is_of_this_life(message) && number.is_some_and(|number| number >= self.conflict.asked_seq.0)
    }

    /// Whether it was not said to a predecessor of ours, and waited for us; who does not say whom he heard is believed.
    pub(super) fn is_of_this_life(&self, message: &Message) -> bool {
        heard_in(message).is_none_or(|(_, generation)| generation == Some(self.start_facts.generation.0))
    }

    /// Whether the peer was heard just now, not only before it was cut off again.
    pub(super) fn hears_peer_now(&self) -> bool {
        let lately = |at: Mono| self.now.mono.since(at) < self.settings.keepalive * 3 / 2;
        self.peer_node().and_then(|node| node.last_heard()).is_some_and(lately)
    }

    fn let_partition_groups_go(&mut self) {
        self.peer.end_return();
        self.timers.stop(&Timer::PeerWord);
        for index in self.groups.partition_marks() {
            self.let_go(index);
        }
        // Who says nothing new knows of no death: what it said before is true still. Unless it said something that was not
        // heard, or we know nothing of it: we may have begun anew while it was cut off.
        if !self.peer.take_missed_words() {
            self.peer.take_back_words();
        }
        let in_doubt = !self.peer_is_latido() && self.doubt_an_original();
        if self.exchanges_claims() && (!self.peer.has_spoken() || in_doubt) {
            self.ask_what_it_holds();
        }
        self.request_own_groups();
    }

    /// If it knows of a death it took what we do not run, and what we let go, and says so to nobody; and restarts itself in a
    /// moment, unless somebody hands over: what it took would run twice as long. Whether it has to be asked.
    fn doubt_an_original(&mut self) -> bool {
        self.put_off_offers(self.now.mono + self.settings.deadtime);
        // What it was about to do when it was heard last is over by now.
        let mut in_doubt = !self.peer.is_stable();
        for index in 0..self.groups.len() {
            let goes = !self.groups.is_claimed(index) || self.groups.is_going_down(index);
            if goes && self.exchanges_claims() {
                in_doubt |= self.peer.doubt(index);
            }
        }
        in_doubt
    }

    pub(super) fn let_go(&mut self, index: usize) {
        if !self.groups.is_claimed(index) {
            return self.groups.clear_partition_mark(index);
        }
        // The mark stays until it is down: without it the peer would see two claims of equal right, and let go as well.
        if !self.groups.is_going_down(index) {
            let group = self.groups.key(index);
            self.report(Report::PartitionLetGo { group });
            self.groups.want_let_go(index);
        }
    }

    /// The peer's claims have just been heard; in answer to our question, if there was one.
    pub(super) fn on_claims_known(&mut self, is_answer: bool) {
        self.peer.speaks_anew();
        if is_answer {
            self.peer.note_answer();
            self.takeover.answered();
            if self.peer.end_return() || self.own_sleep.has_asked() {
                self.timers.stop(&Timer::PeerWord);
            }
            self.judge_sleep();
        }
        if self.peer.holds().contains(&PeerHold::SincePartition) {
            self.seems_deaf();
        }
        let takes = |(index, hold): (usize, &PeerHold)| {
            let is_blocked = self.groups.state(index) == GroupState::Blocked;
            is_blocked && hold.is_claimed() && *hold != PeerHold::Blocked
        };
        if self.leaving.is_blocked() && self.peer.holds().iter().enumerate().any(takes) {
            // It may not have heard what we cannot stop.
            self.takeover.tell_again();
        }
        for index in 0..self.groups.len() {
            // It knows of us and does not hold it: ours by right, and our address is the only one.
            let settled = !self.peer.hold(index).is_claimed();
            if settled && self.groups.was_contested(index) {
                self.groups.set_contested(index, false);
                self.out.push(Action::Announce { group: self.groups.key(index) });
            }
            if settled && self.groups.state(index) == GroupState::Held {
                self.groups.clear_partition_mark(index);
            }
            if settled && !self.own_sleep.is_in_doubt() && self.groups.doubt(index) == Doubt::Inherited {
                self.groups.clear_doubt(index);
            }
        }
    }

    /// Looks for groups that both nodes claim, and decides.
    pub(super) fn resolve_conflicts(&mut self) {
        if self.peer.has_returned() && !self.timers.is_set(&Timer::PeerWord) {
            if self.peer.has_spoken() {
                self.peer.end_return();
            } else if self.peer_is_latido() && self.hears_peer_now() {
                // It says so as soon as it knows what runs there.
                self.ask_what_it_holds();
            } else {
                // It was expected to speak and did not.
                self.let_partition_groups_go();
            }
        }
        if self.own_sleep.has_asked() && !self.timers.is_set(&Timer::PeerWord) && !self.is_fencing() {
            self.forget_sleep();
        }
        let waits = self.peer.has_returned() && self.peer_is_latido();
        if !self.exchanges_claims() || self.is_alone() || !self.peer.has_spoken() || waits || self.is_handing_over() {
            return self.timers.stop(&Timer::Conflict);
        }
        // Who leaves stops what he can.
        let stays = |hold: PeerHold| hold.is_claimed() && (!self.peer.is_leaving() || hold == PeerHold::Blocked);
        let contested: Vec<usize> = (0..self.groups.len())
            .filter(|index| {
                stays(self.peer.hold(*index))
                    && matches!(self.groups.state(*index), GroupState::Held | GroupState::Starting)
                    && !self.groups.is_going_down(*index)
            })
            .collect();
        if contested.is_empty() {
            self.conflict.since = None;
            return self.timers.stop(&Timer::Conflict);
        }
        if self.peer_is_latido() {
            if !self.waits_for_letters() {
                contested.into_iter().for_each(|index| self.decide_with_latido(index));
            }
        } else {
            self.decide_with_original(&contested);
        }
    }

    /// The files differ, and the peer does not know it yet: by which right it holds what it claims is said with its next
    /// words. Both would let go of everything.
    fn waits_for_letters(&mut self) -> bool {
        if self.peer.detail().is_none_or(|detail| self.holds_of(detail).is_some()) {
            return false;
        }
        let until = *self.conflict.since.get_or_insert(self.now.mono) + PEER_WORD_WITHIN;
        let waits = self.now.mono < until;
        if waits {
            self.timers.set_if_unset(Timer::Conflict, until);
        }
        waits
    }

    fn decide_with_latido(&mut self, index: usize) {
        // Higher wins; a group that cannot be stopped stays where it is.
        let ours = match self.groups.doubt(index) {
            Doubt::Overslept if self.groups.has_partition_mark(index) => 1,
            Doubt::Overslept => 0,
            Doubt::Inherited => 2,
            Doubt::No if self.groups.has_partition_mark(index) => 3,
            Doubt::No => 4,
        };
        let theirs = match self.peer.hold(index) {
            PeerHold::Overslept => 0,
            PeerHold::OversleptTaken => 1,
            PeerHold::Inherited => 2,
            PeerHold::SincePartition => 3,
            PeerHold::Blocked => 5,
            PeerHold::Yes | PeerHold::Unknown | PeerHold::No | PeerHold::Failed | PeerHold::FailedStays => 4,
        };
        let we_lose = if ours == theirs { self.loses_a_draw(index) } else { ours < theirs };
        if we_lose {
            self.let_go(index);
        } else if !self.groups.was_contested(index) {
            let group = self.groups.key(index);
            self.groups.set_contested(index, true);
            self.report(Report::PartitionKept { group });
        }
    }

    /// Its home node keeps it; while the files differ both may be that, or neither.
    fn loses_a_draw(&self, index: usize) -> bool {
        let differ = self.peer_node().and_then(|node| node.resources_digest());
        if differ.is_some_and(|theirs| *theirs != self.settings.resources_digest) {
            return self.peer_name().is_some_and(|peer| self.settings.me > peer);
        }
        !self.is_own(index)
    }

    /// An original has no conflict resolution: what is not ours we let go, what is ours we ask it to give up.
    fn decide_with_original(&mut self, contested: &[usize]) {
        let since = *self.conflict.since.get_or_insert(self.now.mono);
        if self.now.mono.since(since) < CONFLICT_PATIENCE {
            return self.timers.set_if_unset(Timer::Conflict, since + CONFLICT_PATIENCE);
        }
        let mut ask = false;
        // It does not obey: it does not hear us, or cannot. Rather nowhere for a moment than on both for good.
        let deaf = self.now.mono.since(since) >= self.deaf_after() || self.peer_is_deaf();
        if deaf {
            self.tell_one_way(contested);
        } else {
            self.timers.set_if_unset(Timer::Deaf, since + self.deaf_after());
        }
        for &index in contested {
            if !deaf && self.is_own(index) && !self.groups.has_partition_mark(index) {
                ask = true;
                self.groups.set_contested(index, true);
            } else {
                self.let_go(index);
            }
        }
        if ask && self.peer.is_stable() && !self.timers.is_set(&Timer::Conflict) {
            let group = contested.first().map_or_else(String::new, |index| self.groups.key(*index));
            self.report(Report::BothOwn { group });
            self.send(Message::new(&Kind::HbTakeover).with(field::RSC_HOLD, Set::Local.to_text()));
            self.timers.set(Timer::Conflict, self.now.mono + CONFLICT_RETRY);
        }
    }
}

/// The number and the generation in a field `heard`, each if it is one.
fn heard_in(message: &Message) -> Option<(Option<u64>, Option<u64>)> {
    let hex = |digits| u64::from_str_radix(digits, 16).ok();
    let (number, generation) = message.get(HEARD)?.split_once('.')?;
    Some((hex(number), hex(generation)))
}
