//! Who asks for a hand-over, and what he is answered: clients of ours, the FIFO, the other node's `hb_takeover`
//! (`resources.md` 4, `takeover.md` 4).

use crate::names::{ClientId, NodeName};
use crate::time::Mono;
use crate::wire::{Kind, Message, field};

use super::super::node::Node;
use super::super::timer::Timer;
use super::super::{Action, Cluster, GroupState, Report, Request, Response, Set};
use super::reasons::WHY;
use super::{ANSWER_WITHIN, ask};

/// The clients of ours that wait for an answer.
#[derive(Debug, Default)]
pub(super) struct Askers {
    wait: Option<ClientWait>,
    /// A request that came while we asked the other what it holds.
    asleep: Option<(ClientId, Request, String)>,
}

impl Askers {
    /// Whether one waits for groups to come here.
    pub(super) fn wait_for_groups(&self) -> bool {
        self.wait.as_ref().is_some_and(ClientWait::to_us)
    }

    /// What was given is there now, or not: whoever asked for it waits until the other says which; whether anybody does.
    pub(super) fn await_confirmation(&mut self) -> bool {
        let wait = self.wait.as_mut().filter(|wait| !wait.to_us());
        wait.map(|wait| wait.over = true).is_some()
    }
}

/// A client of ours that waits for the end of a hand-over.
#[derive(Debug)]
struct ClientWait {
    client: ClientId,
    /// The groups that should move.
    groups: Vec<String>,
    /// What should come here, in our terms, and why; none when we give.
    wish: Option<(Set, String)>,
    /// The dialogue is over; only the peer's word is missing.
    over: bool,
    /// Until when the other may begin to give.
    until: Mono,
}

impl ClientWait {
    /// Whether the groups should come here.
    fn to_us(&self) -> bool {
        self.wish.is_some()
    }
}

impl Cluster {
    /// Why a hand-over begins that this client asks for, in words; `None` when it does not begin now, and that is answered.
    pub(in crate::cluster) fn reason_to_move(
        &mut self,
        client: ClientId,
        request: &Request,
        by: &str,
    ) -> Option<String> {
        let asks = self.own_sleep.is_in_doubt() && self.joining.is_settled();
        if asks
            && !self.leaving.is_ordered()
            && self.hand_over.askers.asleep.is_none()
            && self.hand_over.askers.wait.is_none()
        {
            // Known in a moment is what there is to hand over.
            self.hand_over.askers.asleep = Some((client, request.clone(), by.to_owned()));
            self.timers.set(Timer::Client, self.now.mono + self.answer_within());
            return None;
        }
        let under_way =
            || self.hand_over.askers.wait.is_some().then(|| "another hand-over is under way; wait for its end".into());
        if let Some(why) = self.why_no_handover().or_else(under_way) {
            self.refuse(client, why);
            return None;
        }
        Some(self.asked_here(by))
    }

    /// Takes up what was asked while we asked the other node what it holds.
    pub(in crate::cluster) fn serve_asked_asleep(&mut self) {
        let is_over = !self.own_sleep.is_in_doubt() || self.leaving.is_ordered();
        if is_over && let Some((client, request, by)) = self.hand_over.askers.asleep.take() {
            self.timers.stop(&Timer::Client);
            self.on_request(client, request, &by);
        }
    }

    /// Where one group is to go: whether it comes here, and the set to ask for.
    pub(in crate::cluster) fn way_of_move(&self, word: &str, to: Option<NodeName>) -> Result<(bool, Set), String> {
        let peer = self.peer_name().ok_or("there is no other node")?;
        let index = self.groups.find_by_word(word).ok_or_else(|| self.groups.unknown(word))?;
        let (key, me) = (self.groups.key(index), self.settings.me.clone());
        let (here, there) = (self.groups.is_claimed(index), self.peer.hold(index).is_claimed());
        if here && there {
            return Err(format!("{key} runs on both nodes; see `latido status`"));
        }
        let to = to.unwrap_or_else(|| if here { peer.clone() } else { me.clone() });
        let comes = to == me;
        if !comes && to != peer {
            return Err(format!("there is no node {to}; there are: {me}, {peer}"));
        }
        match (here, there) {
            (true, _) if comes => Err(format!("{key} is on {me} already")),
            (_, true) if !comes => Err(format!("{key} is on {peer} already")),
            (false, false) => Err(format!("{key} runs nowhere; when it is mended: `latido resource retry {key}`")),
            (true, _) | (_, true) => Ok((comes, self.set_of_one(index, comes)?)),
        }
    }

    /// The set that moves this group and no other. An original knows whole sides only.
    fn set_of_one(&self, index: usize, comes: bool) -> Result<Set, String> {
        let key = self.groups.key(index);
        if self.peer_is_latido() {
            return Ok(Set::one(&key));
        }
        let set = self.side_of(index);
        let with_it = self.keys(|cluster, at| {
            let moves = if comes { cluster.peer.hold(at).is_claimed() } else { cluster.groups.is_claimed(at) };
            moves && cluster.in_set(at, set)
        });
        if with_it.len() > 1 {
            let (peer, verb) = (self.peer_name(), if comes { "takeover" } else { "standby" });
            let peer = peer.map_or_else(String::new, |peer| peer.to_string());
            return Err(format!(
                "{peer} runs heartbeat, which moves whole sides only: `latido {verb} {set}` would move {}",
                with_it.join(", ")
            ));
        }
        Ok(set)
    }

    pub(in crate::cluster) fn on_standby_request(&mut self, client: ClientId, set: Set, why: String) {
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
        self.failback.forgo();
        self.hand_over.askers.wait = Some(ClientWait { client, groups, wish: None, over: false, until: self.now.mono });
        self.begin_standby(set, why);
    }

    pub(in crate::cluster) fn on_takeover_request(&mut self, client: ClientId, set: Set, why: String) {
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
        self.hand_over.askers.wait = Some(ClientWait { client, groups, wish: Some((set, why)), over: false, until });
        self.timers.set(Timer::Client, until);
        self.say_wish();
    }

    fn say_wish(&mut self) {
        let Some((set, why)) = self.hand_over.askers.wait.as_ref().and_then(|wait| wait.wish.clone()) else { return };
        let mut wish = Message::new(&Kind::HbTakeover).with(field::RSC_HOLD, set.to_text());
        if self.peer_is_latido() {
            wish.set(WHY, why);
        }
        self.send(wish);
    }

    /// Who asks anew what we hold had called us dead, and may not have heard what we wish for.
    pub(in crate::cluster) fn say_wish_again(&mut self) {
        if !self.is_handing_over() {
            self.say_wish();
        }
    }

    fn why_no_handover(&self) -> Option<String> {
        if !self.settings.manage_resources {
            return Some("this node manages no resources (-M)".into());
        }
        if !self.exchanges_claims() {
            return Some("auto_failback is set to legacy.  Cannot enter standby.".into());
        }
        if self.leaving.is_blocked() {
            return Some(
                "this node is leaving and waits for a resource that does not stop; see `latido status`".into(),
            );
        }
        if self.leaving.is_ordered() {
            return Some("this node is leaving; its groups move to the other node anyway".into());
        }
        if self.is_alone() {
            return Some("the other node is not there".into());
        }
        if self.peer.is_leaving() {
            return Some("the other node is leaving; what it can stop comes here anyway".into());
        }
        let active = self.peer_node().is_some_and(Node::is_active);
        if !active || !self.peer.has_spoken() {
            return Some("the other node is still starting; try again in a moment".into());
        }
        if self.own_sleep.is_in_doubt() {
            return Some("this node stood still and asks the other what it holds; try again in a moment".into());
        }
        self.is_handing_over().then(|| "a hand-over is under way; wait for its end".into())
    }

    fn keys(&self, wanted: impl Fn(&Cluster, usize) -> bool) -> Vec<String> {
        (0..self.groups.len()).filter(|index| wanted(self, *index)).map(|index| self.groups.key(index)).collect()
    }

    /// `hb_standby` on this machine.
    pub(in crate::cluster) fn on_local_offer(&mut self, message: &Message) {
        let why = message.get(WHY).map_or_else(|| self.asked_here("a program (hb_standby)"), str::to_owned);
        self.on_local_ask(message, why);
    }

    /// `hb_takeover` on this machine: the other node is told.
    pub(in crate::cluster) fn on_local_wish(&mut self, message: Message) {
        let Some(set) = Set::taken_in(&message) else { return self.report_bad_set(&message) };
        if self.is_alone() {
            let why = "hb_takeover: the other node is not there; `latido status` says who holds what".into();
            self.report(Report::StandbyRefused { why });
        }
        self.send(message.with(field::RSC_HOLD, set.to_text()));
    }

    fn on_local_ask(&mut self, message: &Message, why: String) {
        if message.get(field::INFO) != Some("me") {
            return;
        }
        let Some(set) = Set::given_in(message) else {
            return self.report_bad_set(message);
        };
        if !self.exchanges_claims() {
            return self.report(Report::StandbyLegacy);
        }
        let node = self.settings.me.clone();
        if self.is_handing_over() {
            return self.report(Report::StandbyBusy { node });
        }
        if let Some(why) = self.why_no_handover() {
            return self.report(Report::StandbyRefused { why });
        }
        if !self.is_at_rest() {
            let local = self.peer.is_stable();
            return self.report(Report::StandbyInFlux { node, local });
        }
        self.begin_standby(set, why);
    }

    fn report_bad_set(&mut self, message: &Message) {
        let set: String = message.get(field::RSC_HOLD).unwrap_or("").chars().take(32).collect();
        self.report(Report::BadSet { set });
    }

    /// The peer's `hb_takeover`: it wants this set, in its terms.
    pub(in crate::cluster) fn on_takeover_wish(&mut self, message: &Message) {
        let Some(set) = Set::taken_in(message) else {
            return self.report_bad_set(message);
        };
        let why = match (message.get(WHY), self.peer_name()) {
            (None, Some(node)) => format!("asked for on {node} (hb_takeover)"),
            (Some(_), _) | (None, None) => self.reason_in(message),
        };
        let waits = !self.is_handing_over() && !self.is_at_rest();
        if self.peer_is_latido() && (waits || self.hand_over.is_giving_or_asks()) {
            // A failback may have begun at the same moment, or a start: the rest comes after that.
            self.hand_over.pending_wish = Some((set.inverted(), self.now.mono + self.answer_within(), why));
            return;
        }
        self.report(Report::GoingStandby { set: set.inverted() });
        self.on_local_ask(&ask(set.inverted(), "me"), why);
    }

    /// Offers what the other wished for while it was being given something else, unless it has given up waiting.
    pub(super) fn serve_wish(&mut self) {
        let Some((_, until, _)) = self.hand_over.pending_wish else { return };
        let is_over = self.now.mono >= until;
        if is_over || !self.is_handing_over() && self.is_at_rest() {
            let wish = self.hand_over.pending_wish.take();
            if let Some((set, _, why)) = wish.filter(|_| !is_over) {
                self.report(Report::GoingStandby { set });
                self.on_local_ask(&ask(set, "me"), why);
            }
        }
    }

    /// This set, in our terms, was offered, and taken as far as possible.
    pub(super) fn answer_taker_client(&mut self, taken: Set) {
        let Some(wait) = self.hand_over.askers.wait.take_if(|wait| wait.to_us()) else { return };
        let here = |key: &String| self.groups.find(key).is_some_and(|at| self.groups.state(at) == GroupState::Held);
        let (groups, missing): (Vec<String>, Vec<String>) = wait.groups.iter().cloned().partition(here);
        let offered = |key: &String| self.groups.find(key).is_none_or(|at| self.in_set(at, taken));
        let comes = self.peer_is_latido() && self.now.mono < wait.until;
        if comes && !missing.is_empty() && !missing.iter().any(offered) {
            // A failback of its own began at the same moment: what we wish for comes after that.
            self.timers.set(Timer::Client, wait.until);
            self.hand_over.askers.wait = Some(wait);
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
    pub(in crate::cluster) fn confirm_client(&mut self) {
        let Some(wait) = self.hand_over.askers.wait.take_if(|wait| wait.over && !wait.to_us()) else { return };
        self.timers.stop(&Timer::Client);
        let there = |key: &String| self.groups.find(key).is_some_and(|at| self.peer.hold(at).is_claimed());
        let (groups, missing): (Vec<String>, Vec<String>) = wait.groups.iter().cloned().partition(there);
        let response = if missing.is_empty() {
            Response::Moved { groups }
        } else {
            Response::Refused(format!("the other node could not start {}", missing.join(", ")))
        };
        self.out.push(Action::Reply { client: wait.client, response });
    }

    pub(in crate::cluster) fn answer_client_late(&mut self) {
        if let Some((client, ..)) = self.hand_over.askers.asleep.take() {
            let why = "this node does not know yet what runs where; try again when it does (`latido status`)";
            return self.refuse(client, why.into());
        }
        match &self.hand_over.askers.wait {
            Some(wait) if wait.over => self.confirm_client(),
            Some(wait) if wait.to_us() && self.hand_over.is_taking() => {
                self.timers.set(Timer::Client, self.now.mono + ANSWER_WITHIN);
            }
            Some(_) => self.end_client("the other node did not offer its groups in time".into()),
            None => {}
        }
    }

    pub(in crate::cluster) fn end_client(&mut self, why: String) {
        if let Some(wait) = self.hand_over.askers.wait.take() {
            self.timers.stop(&Timer::Client);
            self.refuse(wait.client, why);
        }
    }
}
