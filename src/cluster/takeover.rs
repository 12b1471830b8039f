//! Who should hold what (`resources.md` 1 to 3; `docs/takeover.md`).
//!
//! ```text
//! Joining ──active──▶ Asking ──the peer has spoken, or is dead──▶ Settled ──leave──▶ (see shutdown)
//! ```
//!
//! Everything that happens only changes what is known; [`Cluster::settle`] then compares what is known with what is held
//! and begins what is missing, and [`Cluster::announce_claim`] tells the peer whatever changed.

use std::time::Duration;

use crate::names::NodeName;
use crate::wire::{Kind, Message, field};

use super::claims::{Claim, Detail, LATIDO, PeerHold, Sides};
use super::node::Node;
use super::standby::Standby;
use super::timer::Timer;
use super::{AutoFailback, Cluster, GroupState, OnStartFailure, Report, Set, Status};

/// As long as the original waits when both nodes start (`resources.md` 2.2); for us the last resort.
const PEER_SILENT_AFTER: Duration = Duration::from_secs(10);
/// A group that nobody claims while its home node is well is waited for this long.
const ORPHAN_AFTER: Duration = Duration::from_secs(3);

/// How far we are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Not active: nothing is decided.
    Joining,
    /// Active; the peer was asked what it holds.
    Asking,
    /// We know enough to act.
    Settled,
}

/// What the other node has said of itself and its groups.
#[derive(Debug)]
pub(super) struct Peer {
    index: Option<usize>,
    /// One entry a group of ours.
    pub(super) holds: Vec<PeerHold>,
    /// Whether it has said in its present life what it holds.
    pub(super) said: bool,
    /// Whether it says that it has finished deciding.
    pub(super) stable: bool,
    /// It said `shutdone`.
    pub(super) left: bool,
    /// It is stopping its groups, to leave.
    pub(super) leaving: bool,
    /// It said `starting` before we could answer.
    pub(super) waits_for_answer: bool,
    /// `resource` messages with a lower number are older than what we know.
    pub(super) claims_seq: u64,
    /// Its last claim for whole sides, in its terms.
    pub(super) sides: Sides,
    /// It came back after a partition and has not said yet what it holds.
    pub(super) returned: bool,
    /// It answers `ip-request` but never says what it holds.
    pub(super) is_legacy: bool,
}

impl Peer {
    pub(super) fn new(nodes: &[Node], groups: usize) -> Peer {
        Peer {
            index: nodes.iter().position(|node| !node.is_ping),
            holds: vec![PeerHold::Unknown; groups],
            said: false,
            stable: false,
            left: false,
            leaving: false,
            waits_for_answer: false,
            claims_seq: 0,
            sides: Sides::default(),
            returned: false,
            is_legacy: false,
        }
    }

    pub(super) fn is_node(&self, index: usize) -> bool {
        self.index == Some(index)
    }

    fn forget_words(&mut self) {
        self.said = false;
        self.stable = false;
        self.left = false;
        self.leaving = false;
        self.waits_for_answer = false;
        self.claims_seq = 0;
        self.returned = false;
        self.is_legacy = false;
    }

    fn holds_nothing(&mut self) {
        self.holds.fill(PeerHold::No);
        self.sides = Sides::default();
    }
}

impl Cluster {
    /// The other node, if there is one.
    pub(super) fn peer_node(&self) -> Option<&Node> {
        self.nodes.get(self.peer.index?)
    }

    pub(super) fn peer_name(&self) -> Option<NodeName> {
        self.peer_node().map(|node| node.name.clone())
    }

    /// Whether nobody else can hold or take anything: there is no peer, or it is dead, or it has left in order.
    pub(super) fn is_alone(&self) -> bool {
        self.peer.left || self.peer_node().is_none_or(|node| node.status == Status::Dead)
    }

    pub(super) fn peer_is_latido(&self) -> bool {
        self.peer_node().is_some_and(|node| node.is_latido)
    }

    /// With `auto_failback on` or `off` both nodes say what they hold; with `legacy` nobody does.
    pub(super) fn nice(&self) -> bool {
        self.settings.auto_failback != AutoFailback::Legacy
    }

    /// We have just become active.
    pub(super) fn on_active(&mut self) {
        if !self.settings.manage_resources {
            return;
        }
        self.check_devices();
        self.watch_all();
        if self.is_alone() {
            return self.settle_down();
        }
        if self.nice() {
            self.stage = Stage::Asking;
            let detail = self.own_detail().to_text();
            self.send(Message::new(&Kind::Starting).with(LATIDO, detail));
            self.timers.set(Timer::PeerSilent, self.now.mono + PEER_SILENT_AFTER);
            if std::mem::take(&mut self.peer.waits_for_answer) {
                self.answer_starting();
            }
        } else {
            self.settle_down();
            self.request_own_groups();
        }
        if self.peer.said {
            self.settle_down();
        }
    }

    fn settle_down(&mut self) {
        if self.stage != Stage::Settled {
            self.stage = Stage::Settled;
            self.timers.stop(&Timer::PeerSilent);
            self.changed();
            self.report(Report::LocalComplete);
        }
    }

    /// The peer is active and has said nothing for ten seconds: it can only be one that never does.
    pub(super) fn on_peer_silent(&mut self) {
        if self.stage != Stage::Asking {
            return;
        }
        if let Some(node) = self.peer_name() {
            self.peer.is_legacy = true;
            self.report(Report::PeerIsLegacy { node });
        }
        self.settle_down();
        self.request_own_groups();
    }

    /// A message of the peer about resources.
    pub(super) fn on_resource_message(&mut self, kind: &Kind, message: &Message) {
        if !self.settings.manage_resources {
            return;
        }
        if let Some(detail) = Detail::from_message(message) {
            self.meet_latido(&detail);
        }
        match kind {
            Kind::Starting => self.on_starting(message),
            Kind::Resource => self.on_claim(message),
            Kind::AskResources => self.on_ask(message),
            Kind::HbTakeover => self.on_takeover_wish(message),
            Kind::ShutDone => self.on_peer_left(),
            Kind::Status
            | Kind::NsSt
            | Kind::Ack
            | Kind::Rexmit
            | Kind::NakRexmit
            | Kind::ReqNodes
            | Kind::RepNodes
            | Kind::IpRequest
            | Kind::IpRequestResp
            | Kind::Stonith
            | Kind::IfStat
            | Kind::Other(_) => {}
        }
    }

    fn meet_latido(&mut self, detail: &Detail) {
        let Some(index) = self.peer.index else { return };
        self.nodes[index].is_latido = true;
        self.nodes[index].resources_digest = Some(detail.digest.clone());
        if detail.digest == self.settings.resources_digest {
            self.told_once.remove("digest");
        } else {
            let node = self.nodes[index].name.clone();
            self.report_once("digest".into(), Report::ResourcesDiffer { node });
        }
    }

    /// The peer has just become active and wants to know what we hold. A node that starts holds nothing it would have
    /// to be asked for, unless it restarted quickly; then it says so when it hears that we are stable.
    fn on_starting(&mut self, message: &Message) {
        let sequence = message.sequence().unwrap_or_default().0;
        // Overtaken by a claim it says nothing new.
        let is_news = sequence > self.peer.claims_seq;
        if is_news {
            self.peer.stable = false;
            self.peer.left = false;
            self.peer.leaving = false;
        }
        if !self.nice() {
            return;
        }
        if let Some(detail) = self.matching_detail(message).filter(|_| is_news) {
            self.peer.holds = detail;
            self.peer.said = true;
            self.peer.claims_seq = sequence;
            self.on_claims_known();
        }
        if self.stage == Stage::Joining {
            self.peer.waits_for_answer = true;
            return;
        }
        self.answer_starting();
        if self.peer.said {
            self.settle_down();
        }
    }

    /// Undecided ourselves, we say "nothing, and stable": an original that waits beside us then takes its own at once
    /// and says what it holds, instead of both waiting ten seconds (12.2 j).
    fn answer_starting(&mut self) {
        let stable = self.stage == Stage::Asking || self.is_stable();
        self.send_claim(stable, None);
    }

    fn on_claim(&mut self, message: &Message) {
        let Some(claim) = Claim::from_message(message) else { return };
        let sequence = message.sequence().unwrap_or_default().0;
        if sequence < self.peer.claims_seq {
            return;
        }
        self.peer.claims_seq = sequence;
        if message.get(field::INFO) == Some("shutdown") {
            // It has only begun to stop: until `shutdone` its groups may run there (12.2 d).
            self.peer.leaving = true;
            self.peer.stable = false;
            self.peer.said = true;
            return;
        }
        self.take_note_of(&claim, message);
        self.peer.said = true;
        self.peer.left = false;
        if self.stage == Stage::Asking {
            self.settle_down();
        }
        match claim.stable {
            Some(true) => self.on_peer_stable(),
            Some(false) => {
                self.peer.stable = false;
                if message.get(field::INFO) == Some("standby") {
                    self.on_giver_releases();
                }
            }
            None => {}
        }
        self.on_claims_known();
        self.confirm_client();
    }

    fn take_note_of(&mut self, claim: &Claim, message: &Message) {
        let mut sides = claim.sides;
        if !claim.replaces && sides != Sides::default() {
            sides.local |= self.peer.sides.local;
            sides.foreign |= self.peer.sides.foreign;
        }
        self.peer.sides = sides;
        if let Some(detail) = self.matching_detail(message) {
            self.peer.holds = detail;
            return;
        }
        for index in 0..self.groups.len() {
            let held = if self.is_own(index) { sides.foreign } else { sides.local };
            self.peer.holds[index] = if held { PeerHold::Yes } else { PeerHold::No };
        }
    }

    fn matching_detail(&self, message: &Message) -> Option<Vec<PeerHold>> {
        let detail = Detail::from_message(message)?;
        let same_file = detail.digest == self.settings.resources_digest && detail.holds.len() == self.groups.len();
        same_file.then_some(detail.holds)
    }

    fn on_peer_stable(&mut self) {
        if !std::mem::replace(&mut self.peer.stable, true) {
            self.report(Report::RemoteComplete);
            // The original waits for this answer before it trusts us.
            self.last_claim = None;
        }
        self.on_giver_gave_up_giving();
    }

    /// The peer is dead (`resources.md` 3.1).
    pub(super) fn on_peer_dead(&mut self) {
        let Some(node) = self.peer_name() else { return };
        let had_left = self.peer.left;
        let may_run = self.peer.holds.iter().any(|hold| hold.may_run());
        self.cancel_standby_with_peer();
        if !self.settings.manage_resources {
            return;
        }
        let released = had_left || !may_run && self.peer.said;
        if !released && self.must_fence() && self.leaving.is_none() {
            self.peer.forget_words();
            return self.begin_fencing(node);
        }
        self.send_stonith(&node, if released { "unneeded" } else { "n_stnth" });
        if self.leaving.is_some() {
            self.peer.holds_nothing();
            self.report(Report::TakeoverCancelled);
            return;
        }
        if released {
            self.report(Report::DeadNodeGaveUp { node: node.clone() });
        } else {
            self.report(Report::NoStonith);
        }
        self.take_over_from_dead(&node, released);
    }

    /// The dead node runs nothing any more: `certain` when it said so or was fenced.
    pub(super) fn take_over_from_dead(&mut self, node: &NodeName, certain: bool) {
        self.needs_failback = true;
        self.mark_taken_from_dead(certain);
        self.peer.forget_words();
        self.peer.holds_nothing();
        self.groups.forgive_failures();
        if self.stage == Stage::Asking {
            self.settle_down();
        }
        self.announce_takeover(node);
    }

    /// The peer has stopped everything and leaves (`resources.md` 5.1).
    fn on_peer_left(&mut self) {
        let Some(node) = self.peer_name() else { return };
        self.peer.holds_nothing();
        self.peer.left = true;
        self.peer.leaving = false;
        self.peer.stable = false;
        self.peer.said = true;
        self.report(Report::ShutdownNotice { node: node.clone() });
        self.cancel_standby_with_peer();
        if self.leaving.is_some() {
            self.report(Report::TakeoverCancelled);
            return;
        }
        self.needs_failback = true;
        self.groups.forgive_failures();
        if self.stage == Stage::Asking {
            self.settle_down();
        }
        self.announce_takeover(&node);
    }

    fn announce_takeover(&mut self, node: &NodeName) {
        if self.stage == Stage::Settled && self.groups.any_free() {
            self.last_takeover = Some(self.now.mono);
            self.report(Report::TakingOverFrom { node: node.clone() });
        }
    }

    /// The peer has restarted, or is heard for the first time.
    pub(super) fn on_peer_new_life(&mut self, cut_off: bool) {
        self.stop_fencing();
        self.peer.forget_words();
        self.groups.clear_partition_marks(cut_off || !self.nice());
        self.cancel_standby_with_peer();
        if let Some(index) = self.peer.index {
            self.nodes[index].is_latido = false;
            self.nodes[index].resources_digest = None;
        }
        self.mirrors.forget();
        if cut_off {
            self.on_peer_cut_off();
        }
    }

    pub(super) fn is_own(&self, group: usize) -> bool {
        self.groups.owner(group) == &self.settings.me
    }

    /// Begins whatever is missing. Called after every event; does nothing most of the time.
    pub(super) fn settle(&mut self) {
        if self.serve_cleaning() {
            return;
        }
        self.serve_adopted();
        self.serve_leaving();
        self.serve_upgrade();
        let undecided = self.stage != Stage::Settled || self.exited;
        if self.leaving.is_some() || undecided || !self.settings.manage_resources {
            return;
        }
        self.resolve_conflicts();
        self.serve_standby();
        if self.is_fencing() {
            // Whatever may run on the dead node is not started; what it does not hold is here already.
        } else if self.is_alone() {
            self.acquire_everything();
        } else if self.nice() && self.standby == Standby::Not && self.peer.said {
            self.acquire_unclaimed();
            self.offer_failed_groups();
            self.fail_back();
        }
        self.run_next();
    }

    /// The dead node's groups first, then our own (`resources.md` 12.1, 14).
    fn acquire_everything(&mut self) {
        let (own, foreign): (Vec<usize>, Vec<usize>) = (0..self.groups.len()).partition(|index| self.is_own(*index));
        for index in foreign.into_iter().chain(own) {
            self.groups.want_acquired(index);
        }
    }

    fn acquire_unclaimed(&mut self) {
        let mut orphaned = false;
        for index in 0..self.groups.len() {
            if self.groups.state(index) != GroupState::Free || self.peer.holds[index].may_run() {
                continue;
            }
            if self.peer.holds[index] == PeerHold::FailedStays {
                continue;
            }
            if self.is_own(index) || self.peer.holds[index] == PeerHold::Failed {
                self.groups.want_acquired(index);
                continue;
            }
            orphaned = true;
            if self.orphans_waited_for() {
                let (group, owner) = (self.groups.key(index), self.groups.owner(index).clone());
                self.report(Report::Orphan { group, owner });
                self.groups.want_acquired(index);
            }
        }
        if orphaned && !self.timers.is_set(&Timer::Orphans) && self.orphans_since_unset() {
            self.groups.orphaned_since = Some(self.now.mono);
            self.timers.set(Timer::Orphans, self.now.mono + ORPHAN_AFTER);
        } else if !orphaned {
            self.groups.orphaned_since = None;
            self.timers.stop(&Timer::Orphans);
        }
    }

    fn orphans_since_unset(&self) -> bool {
        self.groups.orphaned_since.is_none()
    }

    fn orphans_waited_for(&self) -> bool {
        self.groups.orphaned_since.is_some_and(|since| self.now.mono.since(since) >= ORPHAN_AFTER)
    }

    /// A group that does not start here: a Latido reads that from our claim and takes it; an original has to be asked,
    /// once, for the side it is on (12.2 e).
    fn offer_failed_groups(&mut self) {
        if self.peer_is_latido() || self.settings.on_start_failure == OnStartFailure::Stay || !self.peer.stable {
            return;
        }
        let Some(index) = self.groups.unoffered_failure() else { return };
        if self.groups.is_busy() {
            return;
        }
        self.groups.mark_offered(index);
        let set = if self.is_own(index) { Set::Local } else { Set::Foreign };
        self.begin_standby(set);
    }

    fn fail_back(&mut self) {
        if self.settings.auto_failback != AutoFailback::On || !self.needs_failback || self.groups.is_busy() {
            return;
        }
        let peer_active = self.peer_node().is_some_and(|node| node.status == Status::Active);
        if !peer_active || !self.peer.stable || self.peer.leaving {
            return;
        }
        self.needs_failback = false;
        let can_go = |index: usize| {
            !self.is_own(index)
                && self.groups.state(index) == GroupState::Held
                && !matches!(self.peer.holds[index], PeerHold::Failed | PeerHold::FailedStays)
        };
        if (0..self.groups.len()).any(can_go)
            && let Some(node) = self.peer_name()
        {
            self.report(Report::FailbackBegins { node });
            self.begin_standby(Set::Foreign);
        }
    }

    /// Whether our claims will not change by themselves. Starting our own groups does not count: the peer need not wait
    /// for them, and a hand-over it asks for is answered when they are up.
    pub(super) fn is_stable(&self) -> bool {
        self.stage == Stage::Settled
            && self.leaving.is_none()
            && self.standby == Standby::Not
            && !(0..self.groups.len()).any(|index| match self.groups.state(index) {
                GroupState::Stopping => true,
                GroupState::Starting => !self.is_own(index),
                GroupState::Free | GroupState::Held | GroupState::Failed | GroupState::Blocked => false,
            })
    }

    /// What we hold, are starting, or have not finished stopping.
    pub(super) fn own_sides(&self) -> Sides {
        let claimed =
            |own: bool| (0..self.groups.len()).any(|index| self.is_own(index) == own && self.groups.is_claimed(index));
        Sides { local: claimed(true) || self.holds_empty_home(), foreign: claimed(false) }
    }

    /// A node where nothing is at home holds that nothing until it gives it away: the original says so, and complains
    /// that nobody owns it when it does not hear it.
    fn holds_empty_home(&self) -> bool {
        let has_home = (0..self.groups.len()).any(|index| self.is_own(index));
        if has_home || !self.nice() || self.stage != Stage::Settled || self.leaving.is_some() {
            return false;
        }
        match self.standby {
            Standby::Releasing(set) | Standby::AwaitingTaker(set) => set == Set::Foreign,
            Standby::Taking(set) if set != Set::Local => true,
            Standby::Taking(_) | Standby::Not | Standby::Asked(_) | Standby::Promised(..) => !self.peer.sides.foreign,
        }
    }

    pub(super) fn own_detail(&self) -> Detail {
        let stays = self.settings.on_start_failure == OnStartFailure::Stay;
        Detail { digest: self.settings.resources_digest.clone(), holds: self.groups.own_holds(stays) }
    }

    /// Tells the peer whatever changed since it was last told.
    pub(super) fn announce_claim(&mut self) {
        if !self.nice() || self.stage != Stage::Settled || !self.settings.manage_resources || self.exited {
            return;
        }
        if self.leaving.is_some() {
            return;
        }
        let stable = self.is_stable();
        let claim = self.claim_text(stable);
        if self.last_claim.as_deref() != Some(claim.as_str()) {
            let info = self.is_giving().then_some("standby");
            self.send_claim(stable, info);
        }
    }

    fn claim_text(&self, stable: bool) -> String {
        format!("{} {stable} {}", self.own_sides().as_str(), self.own_detail().to_text())
    }

    pub(super) fn send_claim(&mut self, stable: bool, info: Option<&str>) {
        self.last_claim = Some(self.claim_text(stable));
        let mut claim = Message::new(&Kind::Resource)
            .with(field::RSC_HOLD, self.own_sides().as_str())
            .with(field::RTYPE, "full")
            .with(field::ISSTABLE, if stable { "1" } else { "0" });
        if let Some(info) = info {
            claim.set(field::INFO, info);
        }
        claim.set(LATIDO, self.own_detail().to_text());
        self.send(claim);
    }
}
