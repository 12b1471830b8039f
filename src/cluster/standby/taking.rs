//! The taker's side of a hand-over: an offer is promised, and taken once the giver has stopped it (`resources.md` 4.2).

use std::time::Duration;

use crate::names::NodeName;
use crate::wire::{Message, Sequence};

use super::super::claims::LATIDO;
use super::super::dialogues::{StandbyEvent, StandbyStep};
use super::super::timer::Timer;
use super::super::{Cluster, Report, Set};
use super::ask;

/// A giver that got our answer begins to release at once; one that did not has forgotten us, and an original may never have
/// meant it: it refuses a request of its own after it was sent. No longer than a deadtime.
const RELEASE_BEGINS_WITHIN: Duration = Duration::from_secs(15);
/// Until it is asked again whether what was overtaken has come.
const OVERTAKEN: Duration = Duration::from_millis(10);

impl Cluster {
    pub(super) fn on_offer(&mut self, set: Set, sequence: u64, why: String) {
        let Some(node) = self.peer_name() else { return };
        // An offer that waited while we stood still is given up by now.
        if self.leaving.is_ordered() || self.own_sleep.has_just_woken() {
            return;
        }
        let step = self.hand_over_on(StandbyEvent::TheyOffer(self.we_yield(&node)));
        if step == StandbyStep::SayBusy {
            self.report(Report::StandbyBusy { node });
            // Nobody offers twice what was asked of him once.
            if self.hand_over.is_awaited() && self.hand_over.is_giving_or_asks() {
                self.end_client("the other node asked for groups at the same moment; try again".into());
            }
            return;
        }
        if step == StandbyStep::Yield {
            self.timers.stop(&Timer::Standby);
            self.end_client("the other node offered its groups at the same moment; try again".into());
        }
        self.report(Report::WantsStandby { node, set });
        self.hand_over.pending_take = Some(set);
        self.hand_over.offer_seq = sequence;
        self.hand_over.reasons.offered(why);
        // The asker gives up then; a later answer would leave us waiting for nothing.
        self.timers.set(Timer::PendingTake, self.now.mono + self.answer_within().mul_f32(0.9));
    }

    /// Both nodes offered at the same moment: an original never yields, of two Latidos the later in the alphabet does.
    fn we_yield(&self, peer: &NodeName) -> bool {
        !self.peer_is_latido() || self.settings.me > *peer
    }

    /// For how long a giver that was promised to may take until it begins.
    pub(super) fn release_begins_within(&self) -> Duration {
        RELEASE_BEGINS_WITHIN.min(self.settings.deadtime)
    }

    /// Says that we take what was offered, as soon as nothing is being started or stopped.
    pub(super) fn answer_offer(&mut self) {
        if let Some(set) = self.hand_over.pending_take
            && !self.is_handing_over()
            && !self.own_sleep.is_in_doubt()
            && !self.groups.is_busy()
        {
            self.hand_over.pending_take = None;
            self.timers.stop(&Timer::PendingTake);
            self.hand_over_on(StandbyEvent::WePromise(set));
            self.hand_over.never_begun = None;
            self.timers.set(Timer::Standby, self.now.mono + self.release_begins_within());
            let mut answer = ask(set, "other");
            if self.peer_is_latido() {
                // What we cannot start it must know before it stops anything.
                answer.set(LATIDO, self.own_detail().to_text());
            }
            self.send(answer);
        }
    }

    /// A claim that says `standby`: the giver has begun.
    pub(in crate::cluster) fn on_giver_releases(&mut self) {
        if self.hand_over_on(StandbyEvent::TheyBegin) == StandbyStep::AllowTime {
            self.timers.set(Timer::Standby, self.now.mono + self.step_within());
        }
    }

    /// A giver that is stable does not give any more, or does not offer: its offer may have waited here for long. But an
    /// original gives all the same: the job that its death of us began says so beside the hand-over, whose `done` comes and
    /// must be answered (`resources.md` 4.2).
    pub(in crate::cluster) fn on_giver_gave_up_giving(&mut self, sequence: u64) {
        if !self.peer_is_latido() || !self.hand_over.is_after_offer(sequence) {
            return;
        }
        if self.hand_over.pending_take.take().is_some() {
            self.timers.stop(&Timer::PendingTake);
        }
        self.drop_standby(StandbyEvent::GiverIsQuiet, "the other node cancelled the hand-over");
    }

    pub(super) fn take_soon(&mut self, set: Set, done: &Message) {
        self.hand_over.taking = Some((set, done.sequence().unwrap_or_default().0));
        self.timers.set(Timer::Take, self.now.mono);
    }

    /// The end of a hand-over that we had given up.
    pub(super) fn look_for_owed(&mut self, done: &Message) {
        if let Some(set) = self.hand_over.never_taken.take() {
            self.note_taken(set);
        } else if let Some(set) = self.hand_over.never_given.take().or_else(|| self.take_never_begun(done))
            && self.hand_over_on(StandbyEvent::TheyGaveLate(set)) == StandbyStep::TakeSoon(set)
        {
            self.timers.set(Timer::Standby, self.now.mono + self.step_within());
            self.take_soon(set, done);
        }
    }

    /// The set of a dialogue that we gave up before the giver had begun, if this is its end.
    fn take_never_begun(&mut self, done: &Message) -> Option<Set> {
        let set = Set::given_in(done);
        self.hand_over.never_begun.take_if(|known| Some(*known) == set)
    }

    /// All that had arrived with `done` was heard, and the giver still gives.
    pub(in crate::cluster) fn begin_taking(&mut self) {
        let (Some((set, sequence)), Some(node)) = (self.hand_over.taking, self.peer_name()) else { return };
        let known = Sequence(self.peer.claims_seq());
        if self.peer_node().is_some_and(|node| node.track.misses_between(known, Sequence(sequence))) {
            // It overtook the claim that says what is given.
            return self.timers.set(Timer::Take, self.now.mono + OVERTAKEN);
        }
        self.hand_over.taking = None;
        if self.hand_over_on(StandbyEvent::WeTake(set)) != StandbyStep::Take {
            return;
        }
        self.report(Report::StandbyAcquire { node: node.clone(), set });
        let why = self.hand_over.reasons.of_offer();
        self.note_move(set.inverted(), &why);
        self.report(Report::Given { node, set, why });
        self.timers.set(Timer::Standby, self.now.mono + self.step_within());
        // Older claims that come late must not bring the giver's hold back.
        self.peer.note_words_until(sequence);
        for index in 0..self.groups.len() {
            let keeps = self.peer_is_latido() && self.peer.hold(index).is_claimed();
            if self.in_set(index, set.inverted()) && !keeps {
                self.peer.note_stopped(index);
                self.groups.want_acquired(index);
            }
        }
    }

    pub(super) fn serve_taking(&mut self) {
        if self.groups.is_busy() {
            return;
        }
        let StandbyStep::SayTaken(set) = self.hand_over_on(StandbyEvent::WeTook) else { return };
        self.timers.stop(&Timer::Standby);
        self.note_taken_here(set.inverted());
        self.report(Report::AcquireDone { set: set.inverted() });
        self.report(Report::StandbyDone { set });
        self.milestones.took();
        self.send_ask(set, "done");
        self.answer_taker_client(set.inverted());
    }
}
