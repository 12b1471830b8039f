//! Hand-overs: standby, takeover on request, and the three-step dialogue behind both (`resources.md` 4, `wire.md` 5.2).
//!
//! Where a dialogue stands, and what follows from what happens, is decided in `dialogues`; here it is carried out, the
//! taker's side in `taking`. `rsc_hold` is in the giver's terms in all four messages. Nothing moves while anything starts or
//! stops (`resources.md` 12.2 a); a request that comes meanwhile is answered when all is quiet, as long as the asker waits.

mod asked;
mod notes;
mod reasons;
mod taking;

use std::time::Duration;

use crate::time::Mono;
use crate::wire::{Kind, Message, field};

use super::dialogues::{Owed, Standby, StandbyEvent, StandbyStep};
use super::timer::Timer;
use super::{Cluster, GroupState, Report, Set};

pub(crate) use reasons::WHY;

use asked::Askers;
use reasons::Reasons;

/// The original cancels its request when nobody answers for so long; so do we.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// Beside the limits of the scripts a step may take so many deadtimes, and no longer than the original allows.
const SLACK: u32 = 2;
const STEP_WITHIN: Duration = Duration::from_secs(3600);
/// An original sends some messages out of order, by one (`resources.md` 1.5).
const OUT_OF_ORDER: u64 = 1;
/// Between two offers of a failback that came to nothing.
const FAILBACK_PAUSE: Duration = Duration::from_secs(2);
/// After the dialogue the peer says what it holds; a client waits that long for it.
const CONFIRMED_WITHIN: Duration = Duration::from_secs(3);

/// A hand-over, and what is known of those before it.
#[derive(Debug, Default)]
pub(super) struct HandOver {
    stands: Standby,
    /// The number of the `other` that the present dialogue rests on.
    promised_seq: u64,
    /// The number of the last offer of the peer.
    offer_seq: u64,
    /// The number of the peer's last word in a hand-over.
    asked_seq: u64,
    /// The number with which an original last called us dead: its words in a hand-over from before are over.
    cancelled_seq: u64,
    /// A `done` that is obeyed once all that had arrived was heard, and its number.
    taking: Option<(Set, u64)>,
    /// What the peer offered, until it is answered.
    pending_take: Option<Set>,
    /// What the other wished for while we gave it something else, and until when it waits.
    pending_wish: Option<(Set, Mono, String)>,
    /// What we gave to an original that never said that it took it: its start scripts may hang there (`resources.md` 4.2).
    never_taken: Option<Set>,
    /// What an original had begun to give, in its terms, when we gave up waiting: its stop scripts may hang there, whatever it
    /// says; until its `done`.
    never_given: Option<Set>,
    /// What we promised an original to take and it, as far as was heard, did not begin to give: its `done` counts all the same.
    never_begun: Option<Set>,
    /// Why groups move.
    reasons: Reasons,
    /// Who waits for the end.
    askers: Askers,
}

impl HandOver {
    /// Whether a client of ours waits for groups to come here.
    pub(super) fn is_awaited(&self) -> bool {
        self.askers.wait_for_groups()
    }

    /// Why a group was moved, if it was in our life.
    pub(super) fn why_moved(&self, key: &str) -> Option<&str> {
        self.reasons.moved(key)
    }

    /// Whether one is under way.
    fn is_on(&self) -> bool {
        self.stands != Standby::Not
    }

    /// Whether we have offered something, and nobody has answered.
    pub(super) fn is_offered(&self) -> bool {
        matches!(self.stands, Standby::Asked(_))
    }

    fn is_giving(&self) -> bool {
        matches!(self.stands, Standby::Releasing(_))
    }

    fn is_giving_or_asks(&self) -> bool {
        matches!(self.stands, Standby::Asked(_) | Standby::Releasing(_) | Standby::AwaitingTaker(_))
    }

    fn is_taking(&self) -> bool {
        matches!(self.stands, Standby::Promised(..) | Standby::Taking(_))
    }

    /// Whether the side where nothing is at home is here, as far as a dialogue decides that.
    pub(super) fn empty_home_is_here(&self) -> Option<bool> {
        match self.stands {
            Standby::Releasing(set) | Standby::AwaitingTaker(set) => Some(set == Set::Foreign),
            Standby::Taking(set) if set != Set::Local => Some(true),
            Standby::Taking(_) | Standby::Not | Standby::Asked(_) | Standby::Promised(..) => None,
        }
    }

    /// What the peer is giving, in its terms: until its `done` it may run there.
    pub(super) fn given_there(&self) -> Option<Set> {
        if let Standby::Promised(set, true) = self.stands { Some(set) } else { self.never_given }
    }

    /// What we gave to a taker that has not said yet what became of it.
    pub(super) fn given_here(&self) -> Option<Set> {
        if let Standby::AwaitingTaker(set) = self.stands { Some(set) } else { self.never_taken }
    }

    /// The taker has said what it has of what was given.
    pub(super) fn taker_has_spoken(&mut self) {
        self.never_taken = None;
    }

    /// Whether this number is later than the promise of the present dialogue.
    pub(super) fn is_after_promise(&self, sequence: u64) -> bool {
        sequence > self.promised_seq
    }

    /// Whether this number is later than the last offer of the peer.
    pub(super) fn is_after_offer(&self, sequence: u64) -> bool {
        sequence > self.offer_seq
    }

    /// The peer's offer is not answered any more.
    pub(super) fn forget_offer(&mut self) {
        self.pending_take = None;
    }

    /// What the peer wished for is not served any more.
    pub(super) fn forget_wish(&mut self) {
        self.pending_wish = None;
    }

    /// What a peer owes that runs nothing is owed no more.
    pub(super) fn forget_owed(&mut self) {
        (self.never_taken, self.never_given, self.never_begun) = (None, None, None);
    }

    /// What the peer said in its life before.
    pub(super) fn forget_words(&mut self) {
        self.forget_owed();
        (self.asked_seq, self.cancelled_seq) = (0, 0);
    }
}

impl Cluster {
    /// Something happens to the hand-over: what is to be done about it.
    fn hand_over_on(&mut self, event: StandbyEvent) -> StandbyStep {
        let (next, step) = self.hand_over.stands.after(event);
        self.hand_over.stands = next;
        step
    }

    /// Whether a group of a set can be given: not what the peer says it cannot start.
    fn is_to_give(&self, index: usize, set: Set) -> bool {
        self.in_set(index, set) && !self.peer.hold(index).has_failed()
    }

    /// Whether a group belongs to a set in our own terms.
    pub(super) fn in_set(&self, index: usize, set: Set) -> bool {
        set.contains(self.is_own(index), &self.groups.key(index))
    }

    /// The side a group is on, in our own terms.
    pub(super) fn side_of(&self, index: usize) -> Set {
        if self.is_own(index) { Set::Local } else { Set::Foreign }
    }

    /// Offers a set to the peer, and says why.
    pub(super) fn begin_standby(&mut self, set: Set, why: String) {
        let node = self.settings.me.clone();
        self.report(Report::WantsStandby { node, set });
        self.hand_over_on(StandbyEvent::WeOffer(set));
        self.hand_over.reasons.offered(why);
        self.hand_over.never_begun = None;
        self.timers.set(Timer::Standby, self.now.mono + self.answer_within());
        if !self.peer_is_latido() {
            // What was said while something was stopped: it would refuse.
            self.announce_claim();
        }
        let mut offer = ask(set, "me");
        if self.peer_is_latido() {
            offer.set(WHY, self.hand_over.reasons.of_offer());
        }
        self.send(offer);
    }

    fn send_ask(&mut self, set: Set, info: &str) {
        self.send(ask(set, info));
    }

    /// The peer's side of the dialogue. Accepted by content, whatever its number: the original sends out of order.
    pub(super) fn on_ask(&mut self, message: &Message) {
        let Some(set) = Set::given_in(message) else { return };
        if !self.exchanges_claims() {
            return self.report(Report::StandbyLegacy);
        }
        let sequence = message.sequence().unwrap_or_default().0;
        match message.get(field::INFO) {
            Some("me") if self.is_over(sequence) => {}
            Some("me") => {
                let why = self.reason_in(message);
                self.on_offer(set, sequence, why);
            }
            // To an offer from before it called us dead.
            Some("other") if sequence < self.hand_over.cancelled_seq => {}
            Some("other") => self.on_accepted(message),
            Some("done") => self.on_done(message),
            _ => {}
        }
        self.hand_over.asked_seq = sequence.max(self.hand_over.asked_seq);
    }

    /// An offer that came late, by a retransmission: its sender has said since that it offers nothing. So it is with one
    /// that a later word of the same dialogue has overtaken, but for an original, which sends out of order.
    fn is_over(&self, offer: u64) -> bool {
        let is_overtaken = offer < self.hand_over.asked_seq && self.peer_is_latido();
        is_overtaken || self.peer.is_stable_since(offer.saturating_add(OUT_OF_ORDER))
    }

    /// Goes on with whatever can go on.
    pub(super) fn serve_standby(&mut self) {
        self.answer_offer();
        self.serve_wish();
        self.serve_giving();
        self.serve_taking();
    }

    pub(super) fn is_handing_over(&self) -> bool {
        self.hand_over.is_on()
    }

    pub(super) fn is_giving(&self) -> bool {
        self.hand_over.is_giving()
    }

    /// How long one side may take: every script in both directions, as far as we know its limits.
    pub(super) fn step_within(&self) -> Duration {
        let limits = self.settings.script_timeout;
        let of_one = [limits.stop, limits.start, limits.status, limits.status];
        let of_one = of_one.into_iter().fold(Duration::ZERO, Duration::saturating_add);
        let scripts = (0..self.groups.len()).map(|index| self.groups.resources(index).len()).sum::<usize>();
        let all = of_one.saturating_mul(u32::try_from(scripts).unwrap_or(u32::MAX));
        all.saturating_add(self.settings.deadtime * SLACK).min(STEP_WITHIN)
    }

    fn on_accepted(&mut self, message: &Message) {
        let Some(node) = self.peer_name().filter(|_| self.hand_over.is_offered()) else { return };
        let sequence = message.sequence().unwrap_or_default().0;
        self.hand_over.promised_seq = sequence;
        if self.peer_is_latido() && self.peer.is_stable_since(sequence) {
            return self.drop_standby(StandbyEvent::TheyRevoke, "the other node cancelled the hand-over");
        }
        let StandbyStep::Release(set) = self.hand_over_on(StandbyEvent::TheyPromise) else { return };
        self.report(Report::StandbyAccepted { node, set });
        let why = self.hand_over.reasons.of_offer();
        self.note_move(set, &why);
        if sequence > self.peer.claims_seq()
            && let Some(holds) = self.read_letters(message)
        {
            self.peer.note_holds(holds, sequence);
        }
        self.timers.set(Timer::Standby, self.now.mono + self.step_within());
        // The peer waits for this before anything else; and it must not be told after `done`.
        for index in 0..self.groups.len() {
            if self.is_to_give(index, set) {
                self.groups.want_released(index);
            }
        }
        self.run_next();
        if self.is_giving() {
            self.send_claim(false, Some("standby"));
        }
    }

    /// Says `done` once everything is stopped that we give.
    pub(super) fn serve_giving(&mut self) {
        let Standby::Releasing(set) = self.hand_over.stands else { return };
        let mut remains = (0..self.groups.len()).filter(|index| self.is_to_give(*index, set));
        if remains.any(|index| matches!(self.groups.state(index), GroupState::Starting | GroupState::Stopping)) {
            return;
        }
        if (0..self.groups.len())
            .any(|index| self.is_to_give(index, set) && self.groups.state(index) == GroupState::Blocked)
        {
            self.hand_over_on(StandbyEvent::WeAreStuck);
            self.timers.stop(&Timer::Standby);
            return self.end_client("a resource does not stop; nothing was handed over".into());
        }
        self.report(Report::ReleaseDone { set });
        self.note_given_away(set);
        self.hand_over_on(StandbyEvent::WeReleased);
        self.timers.set(Timer::Standby, self.now.mono + self.step_within());
        // From here on it may run there, whatever it said before.
        for index in 0..self.groups.len() {
            if self.in_set(index, set) && !self.groups.is_claimed(index) {
                self.peer.doubt(index);
            }
        }
        // An original that has taken before it heard that we let go complains of two owners; a Latido takes what we do
        // not claim.
        self.send_claim(false, Some("standby"));
        self.send_ask(set, "done");
    }

    fn on_done(&mut self, message: &Message) {
        let step = self.hand_over_on(StandbyEvent::TheyAreDone);
        if let StandbyStep::TakenThere(set) = step {
            self.note_taken(set);
            if self.peer_is_latido() {
                // It says again what it holds: what it said before, and is still on its way, is over.
                self.peer.note_words_until(message.sequence().unwrap_or_default().0);
            }
            self.end_giving(set);
        } else if let StandbyStep::TakeSoon(set) = step {
            // What else has arrived is heard first: perhaps we stood still, and the giver has it again.
            self.take_soon(set, message);
        } else if step == StandbyStep::LookForOwed {
            self.look_for_owed(message);
        }
    }

    /// The taker says that it has what was given.
    fn note_taken(&mut self, set: Set) {
        for index in 0..self.groups.len() {
            if self.in_set(index, set) {
                self.peer.note_taken(index);
            }
        }
    }

    fn end_giving(&mut self, set: Set) {
        self.timers.stop(&Timer::Standby);
        self.report(Report::OtherCompleted { set });
        if self.hand_over.askers.await_confirmation() {
            self.timers.set(Timer::Client, self.now.mono + CONFIRMED_WITHIN);
        }
    }

    /// A taker that has promised and says that it is stable is in no dialogue any more: its `done` will not come.
    pub(super) fn on_taker_is_quiet(&mut self, sequence: u64) {
        if !self.hand_over.is_after_promise(sequence) || !self.peer_is_latido() {
            return;
        }
        let step = self.hand_over_on(StandbyEvent::TakerIsQuiet);
        if let StandbyStep::EndGiving(set) = step {
            self.end_giving(set);
        } else if let StandbyStep::Drop(owed) = step {
            self.dropped(owed, "the other node cancelled the hand-over");
        }
    }

    /// A taker that asks anew what we hold is in no dialogue any more: it had called us dead.
    pub(super) fn on_taker_begins_anew(&mut self, sequence: u64) {
        if self.peer_is_latido() && self.hand_over.is_after_promise(sequence) {
            self.drop_standby(StandbyEvent::TakerBeginsAnew, "the other node has begun anew");
        }
    }

    /// An original that calls us dead cancels its dialogue, also when its last word in it comes in after that.
    pub(super) fn on_taker_called_us_dead(&mut self, sequence: u64) {
        if self.peer_is_latido() || sequence <= self.hand_over.asked_seq {
            return;
        }
        self.drop_standby(StandbyEvent::TheyCallUsDead, "the other node held this one dead");
        self.hand_over.cancelled_seq = self.hand_over.cancelled_seq.max(sequence);
    }

    pub(super) fn on_standby_overdue(&mut self) {
        let step = self.hand_over_on(StandbyEvent::Overdue);
        if step == StandbyStep::SayNoReply {
            self.report(Report::StandbyNoReply);
            self.offer_not_before(self.now.mono + FAILBACK_PAUSE);
            self.groups.forgive_offered();
            self.end_client("the other node did not answer in time".into());
        } else if let StandbyStep::Drop(owed) = step {
            self.dropped(owed, "the hand-over took too long");
        }
    }

    /// Drops the hand-over if that is what follows from it.
    pub(super) fn drop_standby(&mut self, event: StandbyEvent, why: &str) {
        if let StandbyStep::Drop(owed) = self.hand_over_on(event) {
            self.dropped(owed, why);
        }
    }

    /// What was only said in a hand-over, and not begun, is void.
    pub(super) fn drop_words(&mut self, why: &str) {
        self.drop_standby(StandbyEvent::WordsAreVoid, why);
    }

    fn dropped(&mut self, owed: Owed, why: &str) {
        // An original goes on, whatever we do.
        if !self.peer_is_latido() {
            match owed {
                Owed::Taken(set) => self.hand_over.never_taken = Some(set),
                Owed::Given(set) => self.hand_over.never_given = Some(set),
                Owed::Begun(set) => self.hand_over.never_begun = Some(set),
                Owed::Nothing => {}
            }
        }
        self.hand_over.taking = None;
        self.timers.stop(&Timer::Take);
        self.timers.stop(&Timer::Standby);
        self.report(Report::StandbyCancelled);
        self.end_client(why.to_owned());
    }

    /// The peer died, left or restarted: no dialogue with it goes on. What is being started or stopped ends by itself,
    /// and `settle` decides anew.
    pub(super) fn cancel_standby_with_peer(&mut self) {
        self.hand_over.pending_take = None;
        self.hand_over.pending_wish = None;
        self.timers.stop(&Timer::PendingTake);
        let why = "the other node went away meanwhile";
        if let StandbyStep::Drop(owed) = self.hand_over_on(StandbyEvent::TheyAreGone) {
            self.dropped(owed, why);
            self.hand_over.forget_owed();
        } else {
            self.end_client(why.into());
        }
    }

    /// We leave: nobody's offer or wish is answered any more.
    pub(super) fn end_offers_to_leave(&mut self) {
        self.hand_over.forget_offer();
        self.hand_over.forget_wish();
    }

    /// We leave: a dialogue is over, but for one whose end an original would wait for an hour for, whoever has left by then
    /// (`resources.md` 4.2). Whether there is one.
    pub(super) fn end_handover_to_leave(&mut self) -> bool {
        let finishes = !self.peer_is_latido();
        if self.hand_over_on(StandbyEvent::WeLeave(finishes)) == StandbyStep::SayCancelled {
            self.timers.stop(&Timer::Standby);
            self.report(Report::StandbyCancelled);
        }
        self.is_giving()
    }

    /// No dialogue counts any more, for us and for the other.
    pub(super) fn void_handover(&mut self) {
        self.hand_over_on(StandbyEvent::Void);
    }

    /// Whether a hand-over could begin now.
    fn is_at_rest(&self) -> bool {
        self.peer.is_stable() && !self.groups.is_busy() && !self.own_sleep.is_in_doubt()
    }

    /// For how long an offer, or a client, is left without an answer.
    fn answer_within(&self) -> Duration {
        if self.peer_is_latido() { ANSWER_WITHIN.min(self.settings.deadtime * 2) } else { ANSWER_WITHIN }
    }
}

/// One step of the dialogue.
fn ask(set: Set, info: &str) -> Message {
    Message::new(&Kind::AskResources).with(field::RSC_HOLD, set.to_text()).with(field::INFO, info)
}
