//! Hand-overs: standby, takeover on request, and the three-step dialogue behind both (`resources.md` 4, `wire.md` 5.2).
//!
//! ```text
//! giver:  Not ─ask me→ Asked ─other→ Releasing ─all stopped: done→ AwaitingTaker ─done, or stable again→ Not
//! taker:  Not ─me: other→ Promised ─done, and all that had arrived was heard→ Taking ─all started: done→ Not
//! ```
//!
//! `rsc_hold` is in the giver's terms in all four messages. Nothing moves while anything starts or stops (12.2 a); a
//! request that comes meanwhile is answered when all is quiet, as long as the asker waits.

mod asked;
mod reasons;

use std::time::Duration;

use crate::names::NodeName;
use crate::wire::{Kind, Message, Sequence, field};

use super::claims::{LATIDO, PeerHold};
use super::deaf::Sleep;
use super::dialogues::Standby;
use super::timer::Timer;
use super::{Cluster, GroupState, Report, Set};

pub(super) use asked::ClientWait;
pub(crate) use reasons::WHY;

/// The original cancels its request when nobody answers for so long; so do we.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// A giver that got our answer begins to release at once; one that did not has forgotten us, and an original may never have
/// meant it: it refuses a request of its own after it was sent. No longer than a deadtime.
const RELEASE_BEGINS_WITHIN: Duration = Duration::from_secs(15);
/// Beside the limits of the scripts a step may take so many deadtimes, and no longer than the original allows.
const SLACK: u32 = 2;
const STEP_WITHIN: Duration = Duration::from_secs(3600);
/// Until it is asked again whether what was overtaken has come.
const OVERTAKEN: Duration = Duration::from_millis(10);
/// An original sends some messages out of order, by one (`resources.md` 1.5).
const OUT_OF_ORDER: u64 = 1;
/// Between two offers of a failback that came to nothing.
const FAILBACK_PAUSE: Duration = Duration::from_secs(2);
/// After the dialogue the peer says what it holds; a client waits that long for it.
const CONFIRMED_WITHIN: Duration = Duration::from_secs(3);

impl Cluster {
    /// Whether a group of a set can be given: not what the peer says it cannot start.
    fn is_to_give(&self, index: usize, set: Set) -> bool {
        self.in_set(index, set) && !self.peer.holds[index].has_failed()
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
        self.standby = Standby::Asked(set);
        self.offer_why = why;
        self.peer.never_begun = None;
        self.timers.set(Timer::Standby, self.now.mono + self.answer_within());
        if !self.peer_is_latido() {
            // What was said while something was stopped: it would refuse.
            self.announce_claim();
        }
        let mut offer = ask(set, "me");
        if self.peer_is_latido() {
            offer.set(WHY, self.offer_why.clone());
        }
        self.send(offer);
    }

    fn send_ask(&mut self, set: Set, info: &str) {
        self.send(ask(set, info));
    }

    /// The peer's side of the dialogue. Accepted by content, whatever its number: the original sends out of order.
    pub(super) fn on_ask(&mut self, message: &Message) {
        let Some(set) = message.get(field::RSC_HOLD).map_or(Some(Set::All), Set::from_text) else { return };
        if !self.nice() {
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
            Some("other") if sequence < self.peer.cancelled_seq => {}
            Some("other") => self.on_accepted(message),
            Some("done") => self.on_done(message),
            _ => {}
        }
        self.peer.asked_seq = sequence.max(self.peer.asked_seq);
    }

    /// An offer that came late, by a retransmission: its sender has said since that it offers nothing. So it is with one
    /// that a later word of the same dialogue has overtaken, but for an original, which sends out of order.
    fn is_over(&self, offer: u64) -> bool {
        let is_overtaken = offer < self.peer.asked_seq && self.peer_is_latido();
        is_overtaken || offer.saturating_add(OUT_OF_ORDER) < self.peer.stable_seq
    }

    fn on_offer(&mut self, set: Set, sequence: u64, why: String) {
        let Some(node) = self.peer_name() else { return };
        // An offer that waited while we stood still is given up by now.
        if self.leaving.is_ordered() || self.oversleeping == Some(Sleep::Woken) {
            return;
        }
        match self.standby {
            Standby::Asked(_) if self.we_yield(&node) => self.abandon_own_offer(),
            Standby::Not => {}
            Standby::Asked(_)
            | Standby::Releasing(_)
            | Standby::AwaitingTaker(_)
            | Standby::Promised(..)
            | Standby::Taking(_) => {
                self.report(Report::StandbyBusy { node });
                // Nobody offers twice what was asked of him once.
                if self.client_wait.as_ref().is_some_and(|wait| wait.to_us()) && self.is_giving_or_asks() {
                    self.end_client("the other node asked for groups at the same moment; try again".into());
                }
                return;
            }
        }
        self.report(Report::WantsStandby { node, set });
        self.pending_take = Some(set);
        self.offer_seq = sequence;
        self.offer_why = why;
        // The asker gives up then; a later answer would leave us waiting for nothing.
        self.timers.set(Timer::PendingTake, self.now.mono + self.answer_within().mul_f32(0.9));
    }

    /// Both nodes offered at the same moment: an original never yields, of two Latidos the later in the alphabet does.
    fn we_yield(&self, peer: &NodeName) -> bool {
        !self.peer_is_latido() || self.settings.me > *peer
    }

    fn abandon_own_offer(&mut self) {
        self.standby = Standby::Not;
        self.timers.stop(&Timer::Standby);
        self.end_client("the other node offered its groups at the same moment; try again".into());
    }

    /// For how long a giver that was promised to may take until it begins.
    pub(super) fn release_begins_within(&self) -> Duration {
        RELEASE_BEGINS_WITHIN.min(self.settings.deadtime)
    }

    /// Answers an offer as soon as nothing is being started or stopped.
    pub(super) fn serve_standby(&mut self) {
        if let Some(set) = self.pending_take
            && self.standby == Standby::Not
            && self.oversleeping.is_none()
            && !self.groups.is_busy()
        {
            self.pending_take = None;
            self.timers.stop(&Timer::PendingTake);
            self.standby = Standby::Promised(set, false);
            self.peer.never_begun = None;
            self.timers.set(Timer::Standby, self.now.mono + self.release_begins_within());
            let mut answer = ask(set, "other");
            if self.peer_is_latido() {
                // What we cannot start it must know before it stops anything.
                answer.set(LATIDO, self.own_detail().to_text());
            }
            self.send(answer);
        }
        self.serve_wish();
        match self.standby {
            Standby::Releasing(set) => self.serve_release(set),
            Standby::Taking(set) => self.serve_take(set),
            Standby::Not | Standby::Asked(_) | Standby::AwaitingTaker(_) | Standby::Promised(..) => {}
        }
    }

    pub(super) fn is_handing_over(&self) -> bool {
        self.standby != Standby::Not
    }

    fn is_giving_or_asks(&self) -> bool {
        matches!(self.standby, Standby::Asked(_) | Standby::Releasing(_) | Standby::AwaitingTaker(_))
    }

    pub(super) fn is_giving(&self) -> bool {
        matches!(self.standby, Standby::Releasing(_))
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
        let (Standby::Asked(set), Some(node)) = (self.standby, self.peer_name()) else { return };
        self.promised_seq = message.sequence().unwrap_or_default().0;
        if self.peer_is_latido() && self.peer.stable_seq > self.promised_seq {
            // Overtaken by the word that it promises nothing any more.
            return self.drop_standby("the other node cancelled the hand-over");
        }
        self.report(Report::StandbyAccepted { node, set });
        let why = self.offer_why.clone();
        self.note_move(set, &why);
        self.standby = Standby::Releasing(set);
        if self.promised_seq > self.peer.claims_seq
            && let Some(holds) = self.read_letters(message)
        {
            self.peer.holds = holds;
            self.peer.claims_seq = self.promised_seq;
        }
        self.timers.set(Timer::Standby, self.now.mono + self.step_within());
        // The peer waits for this before anything else; and it must not be told after `done`.
        for index in 0..self.groups.len() {
            if self.is_to_give(index, set) {
                self.groups.want_released(index);
            }
        }
        self.run_next();
        if matches!(self.standby, Standby::Releasing(_)) {
            self.send_claim(false, Some("standby"));
        }
    }

    pub(super) fn serve_release(&mut self, set: Set) {
        let mut remains = (0..self.groups.len()).filter(|index| self.is_to_give(*index, set));
        if remains.any(|index| matches!(self.groups.state(index), GroupState::Starting | GroupState::Stopping)) {
            return;
        }
        if (0..self.groups.len())
            .any(|index| self.is_to_give(index, set) && self.groups.state(index) == GroupState::Blocked)
        {
            // Saying `done` would have the peer start what may run here.
            self.standby = Standby::Not;
            self.timers.stop(&Timer::Standby);
            return self.end_client("a resource does not stop; nothing was handed over".into());
        }
        self.report(Report::ReleaseDone { set });
        self.note_given_away(set);
        self.standby = Standby::AwaitingTaker(set);
        self.timers.set(Timer::Standby, self.now.mono + self.step_within());
        // From here on it may run there, whatever it said before.
        for index in 0..self.groups.len() {
            if self.in_set(index, set) && self.peer.holds[index] == PeerHold::No && !self.groups.is_claimed(index) {
                self.peer.holds[index] = PeerHold::Unknown;
            }
        }
        // An original that has taken before it heard that we let go complains of two owners; a Latido takes what we do
        // not claim.
        self.send_claim(false, Some("standby"));
        self.send_ask(set, "done");
    }

    fn on_done(&mut self, message: &Message) {
        match self.standby {
            Standby::AwaitingTaker(set) => {
                self.note_taken(set);
                if self.peer_is_latido() {
                    // It says again what it holds: what it said before, and is still on its way, is over.
                    self.peer.claims_seq = self.peer.claims_seq.max(message.sequence().unwrap_or_default().0);
                }
                self.end_giving(set);
            }
            // What else has arrived is heard first: perhaps we stood still, and the giver has it again.
            Standby::Promised(set, _) => self.take_soon(set, message),
            // Late, or out of step, such as what an original says after our `shutdone` (`resources.md` 12.1, 6).
            Standby::Not => {
                if let Some(set) = self.peer.never_taken.take() {
                    self.note_taken(set);
                } else if let Some(set) = self.peer.never_given.take().or_else(|| self.take_never_begun(message)) {
                    self.standby = Standby::Promised(set, true);
                    self.timers.set(Timer::Standby, self.now.mono + self.step_within());
                    self.take_soon(set, message);
                }
            }
            Standby::Asked(_) | Standby::Releasing(_) | Standby::Taking(_) => {}
        }
    }

    /// The set of a dialogue that we gave up before the giver had begun, if this is its end.
    fn take_never_begun(&mut self, done: &Message) -> Option<Set> {
        let set = done.get(field::RSC_HOLD).map_or(Some(Set::All), Set::from_text);
        self.peer.never_begun.take_if(|known| Some(*known) == set)
    }

    fn take_soon(&mut self, set: Set, done: &Message) {
        self.taking = Some((set, done.sequence().unwrap_or_default().0));
        self.timers.set(Timer::Take, self.now.mono);
    }

    /// The taker says that it has what was given.
    fn note_taken(&mut self, set: Set) {
        for index in 0..self.groups.len() {
            if self.in_set(index, set) && self.peer.holds[index] == PeerHold::Unknown {
                self.peer.holds[index] = PeerHold::Yes;
            }
        }
    }

    fn end_giving(&mut self, set: Set) {
        self.standby = Standby::Not;
        self.timers.stop(&Timer::Standby);
        self.report(Report::OtherCompleted { set });
        if let Some(wait) = self.client_wait.as_mut().filter(|wait| !wait.to_us()) {
            wait.over = true;
            self.timers.set(Timer::Client, self.now.mono + CONFIRMED_WITHIN);
        }
    }

    /// A taker that has promised and says that it is stable is in no dialogue any more: its `done` will not come.
    pub(super) fn on_taker_is_quiet(&mut self, sequence: u64) {
        if sequence <= self.promised_seq || !self.peer_is_latido() {
            return;
        }
        match self.standby {
            Standby::AwaitingTaker(set) => self.end_giving(set),
            Standby::Releasing(_) => self.drop_standby("the other node cancelled the hand-over"),
            Standby::Not | Standby::Asked(_) | Standby::Promised(..) | Standby::Taking(_) => {}
        }
    }

    /// All that had arrived with `done` was heard, and the giver still gives.
    pub(super) fn begin_taking(&mut self) {
        let (Some((set, sequence)), Some(node)) = (self.taking, self.peer_name()) else { return };
        let known = Sequence(self.peer.claims_seq);
        if self.peer_node().is_some_and(|node| node.track.misses_between(known, Sequence(sequence))) {
            // It overtook the claim that says what is given.
            return self.timers.set(Timer::Take, self.now.mono + OVERTAKEN);
        }
        self.taking = None;
        if !matches!(self.standby, Standby::Promised(..)) {
            return;
        }
        self.report(Report::StandbyAcquire { node: node.clone(), set });
        let why = self.offer_why.clone();
        self.note_move(set.inverted(), &why);
        self.report(Report::Given { node, set, why });
        self.standby = Standby::Taking(set);
        self.timers.set(Timer::Standby, self.now.mono + self.step_within());
        // Older claims that come late must not bring the giver's hold back.
        self.peer.claims_seq = self.peer.claims_seq.max(sequence);
        for index in 0..self.groups.len() {
            let keeps = self.peer_is_latido() && self.peer.holds[index].is_claimed();
            if self.in_set(index, set.inverted()) && !keeps {
                if !self.peer.holds[index].has_failed() {
                    self.peer.holds[index] = PeerHold::No;
                }
                self.groups.want_acquired(index);
            }
        }
    }

    fn serve_take(&mut self, set: Set) {
        if self.groups.is_busy() {
            return;
        }
        self.standby = Standby::Not;
        self.timers.stop(&Timer::Standby);
        self.note_taken_here(set.inverted());
        self.report(Report::AcquireDone { set: set.inverted() });
        self.report(Report::StandbyDone { set });
        self.milestones.took();
        self.send_ask(set, "done");
        self.answer_taker_client(set.inverted());
    }

    /// A claim that says `standby`: the giver has begun.
    pub(super) fn on_giver_releases(&mut self) {
        if let Standby::Promised(set, false) = self.standby {
            self.standby = Standby::Promised(set, true);
            self.timers.set(Timer::Standby, self.now.mono + self.step_within());
        }
    }

    /// A giver that is stable does not give any more, or does not offer: its offer may have waited here for long. But an
    /// original gives all the same: the job that its death of us began says so beside the hand-over, whose `done` comes and
    /// must be answered (`resources.md` 4.2).
    pub(super) fn on_giver_gave_up_giving(&mut self, sequence: u64) {
        if !self.peer_is_latido() || sequence <= self.offer_seq {
            return;
        }
        if self.pending_take.take().is_some() {
            self.timers.stop(&Timer::PendingTake);
        }
        if let Standby::Promised(..) = self.standby {
            self.drop_standby("the other node cancelled the hand-over");
        }
    }

    /// A taker that asks anew what we hold is in no dialogue any more: it had called us dead.
    pub(super) fn on_taker_begins_anew(&mut self, sequence: u64) {
        let giving = matches!(self.standby, Standby::Releasing(_) | Standby::AwaitingTaker(_));
        if giving && self.peer_is_latido() && sequence > self.promised_seq {
            self.drop_standby("the other node has begun anew");
        }
    }

    /// An original that calls us dead cancels its dialogue, also when its last word in it comes in after that.
    pub(super) fn on_taker_called_us_dead(&mut self, sequence: u64) {
        if self.peer_is_latido() || sequence <= self.peer.asked_seq {
            return;
        }
        if self.is_giving_or_asks() {
            self.drop_standby("the other node held this one dead");
        }
        self.peer.cancelled_seq = self.peer.cancelled_seq.max(sequence);
    }

    pub(super) fn on_standby_overdue(&mut self) {
        match self.standby {
            Standby::Asked(_) => {
                self.report(Report::StandbyNoReply);
                self.standby = Standby::Not;
                self.failback_not_before = self.now.mono + FAILBACK_PAUSE;
                self.timers.set(Timer::Failback, self.failback_not_before);
                self.groups.forgive_offered();
                self.end_client("the other node did not answer in time".into());
            }
            Standby::Not => {}
            Standby::Releasing(_) | Standby::AwaitingTaker(_) | Standby::Promised(..) | Standby::Taking(_) => {
                self.drop_standby("the hand-over took too long");
            }
        }
    }

    pub(super) fn drop_standby(&mut self, why: &str) {
        // An original goes on, whatever we do.
        if !self.peer_is_latido() {
            match self.standby {
                Standby::AwaitingTaker(set) => self.peer.never_taken = Some(set),
                Standby::Promised(set, true) => self.peer.never_given = Some(set),
                Standby::Promised(set, false) => self.peer.never_begun = Some(set),
                Standby::Not | Standby::Asked(_) | Standby::Releasing(_) | Standby::Taking(_) => {}
            }
        }
        self.standby = Standby::Not;
        self.taking = None;
        self.timers.stop(&Timer::Take);
        self.timers.stop(&Timer::Standby);
        self.report(Report::StandbyCancelled);
        self.end_client(why.to_owned());
    }

    /// The peer died, left or restarted: no dialogue with it goes on. What is being started or stopped ends by itself,
    /// and `settle` decides anew.
    pub(super) fn cancel_standby_with_peer(&mut self) {
        self.pending_take = None;
        self.pending_wish = None;
        self.timers.stop(&Timer::PendingTake);
        if self.standby != Standby::Not {
            self.drop_standby("the other node went away meanwhile");
            (self.peer.never_taken, self.peer.never_given, self.peer.never_begun) = (None, None, None);
        } else {
            self.end_client("the other node went away meanwhile".into());
        }
    }

    /// Whether a hand-over could begin now.
    fn is_at_rest(&self) -> bool {
        self.peer.stable && !self.groups.is_busy() && self.oversleeping.is_none()
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
