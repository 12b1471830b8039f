//! Hand-overs: standby, takeover on request, and the three-step dialogue behind both (`resources.md` 4, `wire.md` 5.2).
//!
//! ```text
//! giver:  Not ─ask me→ Asked ─other→ Releasing ─all stopped: done→ AwaitingTaker ─done, or stable again→ Not
//! taker:  Not ─me: other→ Promised ─done, and all that had arrived was heard→ Taking ─all started: done→ Not
//! ```
//!
//! `rsc_hold` is in the giver's terms in all four messages. Nothing moves while anything starts or stops (12.2 a); a
//! request that comes meanwhile is answered when all is quiet, as long as the asker waits.

use std::time::Duration;

use crate::names::{ClientId, NodeName};
use crate::time::Mono;
use crate::wire::{Kind, Message, Sequence, field};

use super::claims::{LATIDO, PeerHold};
use super::deaf::Sleep;
use super::takeover::Stage;
use super::timer::Timer;
use super::{Action, Cluster, GroupState, Report, Request, Response, Set, Status};

/// The original cancels its request when nobody answers for so long; so do we.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// A giver that got our answer begins to release at once; one that did not has forgotten us.
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

/// Where a hand-over stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standby {
    /// None.
    Not,
    /// We offered this set and wait for `other`.
    Asked(Set),
    /// We are stopping it.
    Releasing(Set),
    /// We stopped it; the taker starts it.
    AwaitingTaker(Set),
    /// We said that we shall take this set; `true` once the giver has begun to stop it.
    Promised(Set, bool),
    /// We are starting it.
    Taking(Set),
}

/// A client of ours that waits for the end of a hand-over.
#[derive(Debug)]
pub(super) struct ClientWait {
    client: ClientId,
    /// The groups that should move.
    groups: Vec<String>,
    /// Whether they should come here.
    pub(super) to_us: bool,
    /// The dialogue is over; only the peer's word is missing.
    over: bool,
    /// Until when the other may begin to give.
    until: Mono,
}

impl Cluster {
    pub(super) fn on_request(&mut self, client: ClientId, request: Request) {
        if let Request::Retry(group) = &request {
            return match self.retry_group(group) {
                Ok(()) => self.out.push(Action::Reply { client, response: Response::Moved { groups: vec![] } }),
                Err(why) => self.refuse(client, why),
            };
        }
        let asks = self.oversleeping.is_some() && self.stage == Stage::Settled;
        if asks && self.leaving.is_none() && self.asked_asleep.is_none() && self.client_wait.is_none() {
            // Known in a moment is what there is to hand over.
            self.asked_asleep = Some((client, request));
            return self.timers.set(Timer::Client, self.now.mono + self.answer_within());
        }
        if let Some(why) = self.why_no_handover() {
            return self.refuse(client, why);
        }
        if self.client_wait.is_some() {
            return self.refuse(client, "another hand-over is under way; wait for its end".into());
        }
        match request {
            Request::Standby(set) => self.on_standby_request(client, set),
            Request::Takeover(set) => self.on_takeover_request(client, set),
            Request::Retry(_) => {}
        }
    }

    /// Takes up what was asked while we asked the other node what it holds.
    pub(super) fn serve_asked_asleep(&mut self) {
        let is_over = self.oversleeping.is_none() || self.leaving.is_some();
        if is_over && let Some((client, request)) = self.asked_asleep.take() {
            self.timers.stop(&Timer::Client);
            self.on_request(client, request);
        }
    }

    fn on_standby_request(&mut self, client: ClientId, set: Set) {
        let groups = self.keys(|cluster, index| cluster.in_set(index, set) && cluster.groups.is_claimed(index));
        if groups.is_empty() {
            return self.refuse(client, format!("this node holds nothing of the set \"{set}\""));
        }
        let groups = self.keys(|cluster, index| cluster.is_to_give(index, set) && cluster.groups.is_claimed(index));
        if groups.is_empty() {
            return self
                .refuse(client, format!("the other node says that it cannot start anything of the set \"{set}\""));
        }
        if !self.is_at_rest() {
            return self.refuse(client, "resources are being started or stopped; try again when all is quiet".into());
        }
        self.needs_failback = false;
        self.client_wait = Some(ClientWait { client, groups, to_us: false, over: false, until: self.now.mono });
        self.begin_standby(set);
    }

    fn on_takeover_request(&mut self, client: ClientId, set: Set) {
        let wanted = |cluster: &Cluster, index: usize| {
            cluster.in_set(index, set) && matches!(cluster.groups.state(index), GroupState::Free | GroupState::Failed)
        };
        let groups = self.keys(wanted);
        if groups.is_empty() {
            return self.refuse(client, format!("this node already holds everything of the set \"{set}\""));
        }
        for index in 0..self.groups.len() {
            if wanted(self, index) {
                self.groups.forgive(index);
            }
        }
        let until = self.now.mono + self.answer_within();
        self.client_wait = Some(ClientWait { client, groups, to_us: true, over: false, until });
        self.timers.set(Timer::Client, until);
        self.send(Message::new(&Kind::HbTakeover).with(field::RSC_HOLD, set.as_str()));
    }

    fn why_no_handover(&self) -> Option<String> {
        if !self.settings.manage_resources {
            return Some("this node manages no resources (-M)".into());
        }
        if !self.nice() {
            return Some("auto_failback is set to legacy.  Cannot enter standby.".into());
        }
        if self.leaving.is_some() {
            return Some("this node is leaving; its groups move to the other node anyway".into());
        }
        if self.is_alone() {
            return Some("the other node is not there".into());
        }
        if self.peer.leaving {
            return Some("the other node is leaving; what it can stop comes here anyway".into());
        }
        let active = self.peer_node().is_some_and(|node| node.status == Status::Active);
        if !active || !self.peer.said {
            return Some("the other node is still starting; try again in a moment".into());
        }
        if self.oversleeping.is_some() {
            return Some("this node stood still and asks the other what it holds; try again in a moment".into());
        }
        (self.standby != Standby::Not).then(|| "a hand-over is under way; wait for its end".into())
    }

    /// Whether a group of a set can be given: not what the peer says it cannot start.
    fn is_to_give(&self, index: usize, set: Set) -> bool {
        self.in_set(index, set) && !self.peer.holds[index].has_failed()
    }

    fn refuse(&mut self, client: ClientId, why: String) {
        self.out.push(Action::Reply { client, response: Response::Refused(why) });
    }

    fn keys(&self, wanted: impl Fn(&Cluster, usize) -> bool) -> Vec<String> {
        (0..self.groups.len()).filter(|index| wanted(self, *index)).map(|index| self.groups.key(index)).collect()
    }

    /// Whether a group belongs to a set in our own terms.
    pub(super) fn in_set(&self, index: usize, set: Set) -> bool {
        match set {
            Set::All => true,
            Set::Local => self.is_own(index),
            Set::Foreign => !self.is_own(index),
        }
    }

    /// Something somebody on this machine wrote into the FIFO.
    pub(super) fn on_local(&mut self, message: Message) {
        match message.kind() {
            Kind::AskResources => self.on_local_ask(&message),
            Kind::HbTakeover => match message.get(field::RSC_HOLD).map_or(Some(Set::All), takeover_set) {
                // An original does not know "failback" here and would move everything (12.2 k).
                Some(set) => self.send(message.with(field::RSC_HOLD, set.as_str())),
                None => self.report_bad_set(&message),
            },
            // The tools that write these belong to the original's way of moving resources; ours is inside.
            Kind::Status
            | Kind::Starting
            | Kind::Resource
            | Kind::ShutDone
            | Kind::Stonith
            | Kind::IpRequestResp
            | Kind::NsSt
            | Kind::Ack
            | Kind::Rexmit
            | Kind::NakRexmit
            | Kind::ReqNodes
            | Kind::RepNodes
            | Kind::IfStat => {}
            Kind::IpRequest => self.send(message),
            Kind::Other(_) => {
                if self.is_for_me(&message) {
                    self.out.push(Action::Notify(message.clone()));
                }
                self.send(message);
            }
        }
    }

    fn on_local_ask(&mut self, message: &Message) {
        if message.get(field::INFO) != Some("me") {
            return;
        }
        let Some(set) = message.get(field::RSC_HOLD).map_or(Some(Set::All), Set::from_text) else {
            return self.report_bad_set(message);
        };
        if !self.nice() {
            return self.report(Report::StandbyLegacy);
        }
        let node = self.settings.me.clone();
        if self.standby != Standby::Not {
            return self.report(Report::StandbyBusy { node });
        }
        if let Some(why) = self.why_no_handover() {
            return self.report(Report::StandbyRefused { why });
        }
        if !self.is_at_rest() {
            let local = self.peer.stable;
            return self.report(Report::StandbyInFlux { node, local });
        }
        self.begin_standby(set);
    }

    fn report_bad_set(&mut self, message: &Message) {
        let set: String = message.get(field::RSC_HOLD).unwrap_or("").chars().take(32).collect();
        self.report(Report::BadSet { set });
    }

    /// Offers a set to the peer.
    pub(super) fn begin_standby(&mut self, set: Set) {
        let node = self.settings.me.clone();
        self.report(Report::WantsStandby { node, set });
        self.standby = Standby::Asked(set);
        self.timers.set(Timer::Standby, self.now.mono + self.answer_within());
        self.send_ask(set, "me");
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
            Some("me") => self.on_offer(set, sequence),
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

    fn on_offer(&mut self, set: Set, sequence: u64) {
        let Some(node) = self.peer_name() else { return };
        // An offer that waited while we stood still is given up by now.
        if self.leaving.is_some() || self.oversleeping == Some(Sleep::Woken) {
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
                if self.client_wait.as_ref().is_some_and(|wait| wait.to_us) && self.is_giving_or_asks() {
                    self.end_client("the other node asked for groups at the same moment; try again".into());
                }
                return;
            }
        }
        self.report(Report::WantsStandby { node, set });
        self.pending_take = Some(set);
        self.offer_seq = sequence;
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
            self.timers.set(Timer::Standby, self.now.mono + RELEASE_BEGINS_WITHIN);
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

    fn serve_release(&mut self, set: Set) {
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
            Standby::Promised(set, _) => {
                self.taking = Some((set, message.sequence().unwrap_or_default().0));
                self.timers.set(Timer::Take, self.now.mono);
            }
            // Late, or out of step, such as what an original says after our `shutdone` (`resources.md` 12.1, 6).
            Standby::Not => {
                if let Some(set) = self.peer.never_taken.take() {
                    self.note_taken(set);
                }
            }
            Standby::Asked(_) | Standby::Releasing(_) | Standby::Taking(_) => {}
        }
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
        if let Some(wait) = self.client_wait.as_mut().filter(|wait| !wait.to_us) {
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
        self.report(Report::StandbyAcquire { node, set });
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
        self.report(Report::AcquireDone { set: set.inverted() });
        self.report(Report::StandbyDone { set });
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
                if let Standby::AwaitingTaker(set) = self.standby
                    && !self.peer_is_latido()
                {
                    self.peer.never_taken = Some(set);
                }
                self.drop_standby("the hand-over took too long");
            }
        }
    }

    pub(super) fn drop_standby(&mut self, why: &str) {
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
        } else {
            self.end_client("the other node went away meanwhile".into());
        }
    }

    /// The peer's `hb_takeover`: it wants this set, in its terms.
    pub(super) fn on_takeover_wish(&mut self, message: &Message) {
        let Some(set) = message.get(field::RSC_HOLD).map_or(Some(Set::All), takeover_set) else {
            return self.report_bad_set(message);
        };
        let waits = self.standby == Standby::Not && !self.is_at_rest();
        if self.peer_is_latido() && (waits || self.is_giving_or_asks()) {
            // A failback may have begun at the same moment, or a start: the rest comes after that.
            self.pending_wish = Some((set.inverted(), self.now.mono + self.answer_within()));
            return;
        }
        self.on_local_ask(&ask(set.inverted(), "me"));
    }

    /// Whether a hand-over could begin now.
    fn is_at_rest(&self) -> bool {
        self.peer.stable && !self.groups.is_busy() && self.oversleeping.is_none()
    }

    /// Offers what the other wished for while it was being given something else, unless it has given up waiting.
    fn serve_wish(&mut self) {
        let Some((set, until)) = self.pending_wish else { return };
        let is_over = self.now.mono >= until;
        if is_over || self.standby == Standby::Not && self.is_at_rest() {
            self.pending_wish = None;
            if !is_over {
                self.on_local_ask(&ask(set, "me"));
            }
        }
    }

    /// This set, in our terms, was offered, and taken as far as possible.
    fn answer_taker_client(&mut self, taken: Set) {
        let Some(wait) = self.client_wait.take_if(|wait| wait.to_us) else { return };
        let here = |key: &String| self.groups.find(key).is_some_and(|at| self.groups.state(at) == GroupState::Held);
        let (groups, missing): (Vec<String>, Vec<String>) = wait.groups.iter().cloned().partition(here);
        let offered = |key: &String| self.groups.find(key).is_none_or(|at| self.in_set(at, taken));
        let comes = self.peer_is_latido() && self.now.mono < wait.until;
        if comes && !missing.is_empty() && !missing.iter().any(offered) {
            // A failback of its own began at the same moment: what we wish for comes after that.
            self.timers.set(Timer::Client, wait.until);
            self.client_wait = Some(wait);
            return;
        }
        self.timers.stop(&Timer::Client);
        let response = if missing.is_empty() {
            Response::Moved { groups }
        } else {
            Response::Refused(format!("not held now: {}; the log says why", missing.join(", ")))
        };
        self.out.push(Action::Reply { client: wait.client, response });
    }

    /// The peer's claims have been heard: is what a client asked for true now?
    pub(super) fn confirm_client(&mut self) {
        let Some(wait) = self.client_wait.take_if(|wait| wait.over && !wait.to_us) else { return };
        self.timers.stop(&Timer::Client);
        let there = |key: &String| self.groups.find(key).is_some_and(|at| self.peer.holds[at].is_claimed());
        let (groups, missing): (Vec<String>, Vec<String>) = wait.groups.iter().cloned().partition(there);
        let response = if missing.is_empty() {
            Response::Moved { groups }
        } else {
            Response::Refused(format!("the other node could not start {}", missing.join(", ")))
        };
        self.out.push(Action::Reply { client: wait.client, response });
    }

    /// For how long an offer, or a client, is left without an answer.
    fn answer_within(&self) -> Duration {
        if self.peer_is_latido() { ANSWER_WITHIN.min(self.settings.deadtime * 2) } else { ANSWER_WITHIN }
    }

    pub(super) fn answer_client_late(&mut self) {
        if let Some((client, _)) = self.asked_asleep.take() {
            let why = "this node does not know yet what runs where; try again when it does (`latido status`)";
            return self.refuse(client, why.into());
        }
        match &self.client_wait {
            Some(wait) if wait.over => self.confirm_client(),
            Some(wait) if wait.to_us && matches!(self.standby, Standby::Promised(..) | Standby::Taking(_)) => {
                self.timers.set(Timer::Client, self.now.mono + ANSWER_WITHIN);
            }
            Some(_) => self.end_client("the other node did not offer its groups in time".into()),
            None => {}
        }
    }

    pub(super) fn end_client(&mut self, why: String) {
        if let Some(wait) = self.client_wait.take() {
            self.timers.stop(&Timer::Client);
            self.refuse(wait.client, why);
        }
    }
}

/// The set of an `hb_takeover`, in the caller's terms, where "failback" means *my own groups, back to me*.
fn takeover_set(text: &str) -> Option<Set> {
    if text == "failback" { Some(Set::Local) } else { Set::from_text(text) }
}

/// One step of the dialogue.
fn ask(set: Set, info: &str) -> Message {
    Message::new(&Kind::AskResources).with(field::RSC_HOLD, set.as_str()).with(field::INFO, info)
}
