//! Who lives: from a signed message to a node's status, its links and its death (`wire.md` 4.2, 4.5, 6).

mod active;
mod silence;

use std::collections::BTreeMap;
use std::time::Duration;

use crate::names::MediumId;
use crate::time::Mono;
use crate::wire::{Generation, Kind, Message, Sequence, field};

use super::claims::HEARS;
use super::claims::LATIDO;
use super::node::Node;
use super::sequence::NumberMeaning;
use super::timer::Timer;
use super::{Action, Class, Cluster, Report, Settings, StartFacts, Status, peer_facts};

/// A node may not ask to be judged by a longer silence than this.
const LONGEST_DEAD_AFTER: Duration = Duration::from_secs(24 * 3600);
/// After a loss, for so many deadtimes, we beat faster (`send`).
const LOSSY_FOR: u32 = 10;
/// Status numbers between two notes on disk: what an attacker can replay to us after our restart.
const REMEMBER_EVERY: u64 = 64;

/// Who belongs to the cluster, and what we say of ourselves.
#[derive(Debug)]
pub(super) struct Members {
    local_status: Status,
    failed_media: BTreeMap<MediumId, String>,
    /// How often we asked for the list of nodes.
    reqnodes_sent: u32,
}

impl Members {
    /// We have just started.
    pub(super) fn new() -> Members {
        Members { local_status: Status::Init, failed_media: BTreeMap::new(), reqnodes_sent: 0 }
    }

    /// What we say of ourselves.
    pub(super) fn local_status(&self) -> Status {
        self.local_status
    }

    /// Why a medium fails, if it does.
    pub(super) fn failure_of(&self, medium: &MediumId) -> Option<String> {
        self.failed_media.get(medium).cloned()
    }
}

/// All other nodes, never heard.
pub(super) fn initial_nodes(settings: &Settings, start_facts: &StartFacts) -> Vec<Node> {
    let carrying: Vec<MediumId> =
        settings.media.iter().filter(|medium| medium.ping_node.is_none()).map(|medium| medium.id.clone()).collect();
    let mut nodes: Vec<Node> = Vec::new();
    for (count, name) in settings.nodes.iter().filter(|name| **name != settings.me).enumerate() {
        let trigger = (start_facts.seed >> (count % 8)) % 10;
        let mut node = Node::new(name.clone(), false, carrying.clone(), settings.initdead, trigger);
        if let Some((_, generation, sequence)) = start_facts.remembered.iter().find(|(known, _, _)| known == name) {
            let ahead = start_facts.clocks.iter().find(|(known, _)| known == name).map(|(_, ahead)| *ahead);
            node.was_known(*generation, *sequence, ahead);
        }
        nodes.push(node);
    }
    for medium in &settings.media {
        if let Some(name) = &medium.ping_node {
            nodes.push(Node::new(name.clone(), true, vec![medium.id.clone()], settings.deadping, 0));
        }
    }
    nodes
}

impl Cluster {
    /// A whole, rightly signed message; the order of the checks is that of `wire.md` 4.2.
    pub(super) fn on_message(&mut self, medium: &MediumId, at: Mono, message: &Message) {
        let (Some(src), Some(_)) = (message.get(field::SRC), message.hex(field::TS).filter(|ts| *ts != 0)) else {
            return;
        };
        if src.eq_ignore_ascii_case(self.settings.me.as_str()) {
            return self.on_own_name(medium, message);
        }
        let Some(index) = self.nodes.iter().position(|node| node.name().as_str().eq_ignore_ascii_case(src)) else {
            let node: String = src.chars().take(99).collect();
            return self.report_once(format!("unknown {node}"), Report::UnknownNode { node });
        };
        let kind = message.kind();
        if !self.nodes[index].is_on(medium) {
            // An echo of something else, or a ping node that speaks on a network: nobody says this of himself.
            return;
        }
        if self.nodes[index].is_ping() {
            if kind == Kind::NsSt && self.is_new_answer(index, message) {
                self.on_ping_answer(index, medium, message, at);
            }
            return;
        }
        if kind == Kind::Ack && self.is_for_me(message) {
            self.note_ack_as_proof(index, message);
        }
        // In whichever life: it may have begun one right before the reset.
        if self.is_echo(index) || self.is_of_a_twin(index, medium, message, at) {
            return;
        }
        if self.past_life_goes_on(index, &kind, message) {
            self.return_to_past_life(index, message, medium, at);
        } else if kind == Kind::Status && self.is_unbelievable(index, message) {
            return self.doubt(index, &kind, message, at);
        } else if !self.generation_is_current(index, &kind, message, at) {
            return;
        }
        if kind.is_unsequenced() {
            // It proves no link and no life: it has no number, so anybody can say it again.
            if self.is_for_me(message) {
                self.note_answer(index, &kind);
                self.on_control_message(index, &kind, message);
            }
            return;
        }
        let Some(sequence) = message.sequence() else { return };
        if self.begins_anew(index, medium, &kind, message) {
            // In the generation we know: it counts wrong, or this is an old message.
            if !self.proves_life(index, &kind, message) {
                return self.doubt(index, &kind, message, at);
            }
            self.on_new_life(index, message.generation().unwrap_or_default(), message, at);
        }
        let node = &self.nodes[index];
        if node.is_replayed(sequence) {
            return;
        }
        if kind == Kind::Status && !self.return_is_believable(index, sequence, message) {
            return;
        }
        let verdict = self.judge_sequence(index, sequence);
        if verdict == NumberMeaning::Old {
            return;
        }
        self.nodes[index].note_number(medium, sequence);
        self.life_sign(index, medium, at, kind == Kind::Status);
        if verdict != NumberMeaning::Duplicate {
            self.dispatch(index, &kind, message, at);
        }
        self.deliver_held();
        if matches!(verdict, NumberMeaning::New | NumberMeaning::Gap(_)) {
            self.proof_of_life(index, at);
        }
        self.acknowledge(index);
    }

    /// What a node said right before it was reset may arrive after that.
    fn is_echo(&self, index: usize) -> bool {
        self.nodes[index].is_echo(self.now.mono)
    }

    /// Every new numbered message proves that its sender lives, not only a status: when many are lost, each counts.
    /// One heard before, or without a number, proves nothing: anybody can say it again.
    fn proof_of_life(&mut self, index: usize, at: Mono) {
        let node = &mut self.nodes[index];
        if node.is_alive() && node.last_status_at().is_some() {
            let until = node.note_life(at);
            self.timers.set(Timer::Dead(node.name().clone()), until);
        } else if !node.is_dead() && !node.has_farewell() {
            // Its first status was lost: whoever speaks is not called dead for that.
            self.timers.postpone(&Timer::Dead(node.name().clone()), at + self.settings.deadtime);
        }
    }

    fn dispatch(&mut self, index: usize, kind: &Kind, message: &Message, at: Mono) {
        let node = &mut self.nodes[index];
        // What was asked for again tells an old time, also when it comes before anything new.
        let is_newest = message.sequence().is_some_and(|sequence| sequence >= node.newest());
        let borne = self.sending.borne(self.settings.deadtime);
        if is_newest && node.clock_jumped(at, message, borne, self.settings.keepalive) && self.peer.is_node(index) {
            // Our own clock stood still, as that of a frozen machine does, or its clock was set: it is asked.
            self.overslept();
        }
        if *kind == Kind::Status {
            return self.on_status(index, message, at);
        }
        self.deliver_heard(index, message);
        if !self.is_for_me(message) {
            return;
        }
        match kind {
            Kind::ReqNodes => self.on_reqnodes(index),
            Kind::RepNodes => {
                self.note_answer(index, kind);
                self.on_repnodes(index, message);
            }
            Kind::Starting | Kind::Resource | Kind::AskResources | Kind::HbTakeover | Kind::ShutDone => {
                // A node we hold dead may not decide anything until its status is accepted (`wire.md` 10.21).
                if !self.peer.is_node(index) {
                    return;
                }
                if self.nodes[index].is_alive() {
                    if *kind == Kind::HbTakeover {
                        self.out.push(Action::Notify(message.clone()));
                    }
                    self.on_resource_message(kind, message);
                } else if *kind == Kind::ShutDone && !self.nodes[index].was_heard() {
                    self.nodes[index].keep_farewell(message);
                } else if *kind == Kind::AskResources && !self.nodes[index].was_heard() && self.is_handing_over() {
                    // In the hand-over that a predecessor of ours began.
                    self.nodes[index].keep_early(message);
                } else {
                    self.peer.speaks_unheard();
                }
            }
            Kind::IpRequest | Kind::IpRequestResp if self.nodes[index].is_alive() => {
                if *kind == Kind::IpRequest || !self.leaving.is_ordered() {
                    self.out.push(Action::Notify(message.clone()));
                }
                self.on_ip_message(index, kind, message, at);
            }
            Kind::Other(name) if name == peer_facts::KIND => {
                if self.peer.is_node(index) {
                    self.on_peer_facts(message);
                }
            }
            Kind::Stonith => {
                self.on_stonith(index, message);
                self.out.push(Action::Notify(message.clone()));
            }
            Kind::Other(_) => self.out.push(Action::Notify(message.clone())),
            // The latter of a node we hold dead.
            Kind::Status
            | Kind::NsSt
            | Kind::Ack
            | Kind::Rexmit
            | Kind::NakRexmit
            | Kind::IfStat
            | Kind::IpRequest
            | Kind::IpRequestResp => {}
        }
    }

    /// Whether a ping node answers a question of this life that it has not answered yet: anybody can send an old answer again.
    fn is_new_answer(&self, index: usize, message: &Message) -> bool {
        let asked = message.sequence().filter(|_| message.generation() == Some(self.start_facts.generation));
        asked.is_some_and(|asked| asked > self.nodes[index].last_status() && asked <= self.sending.seq())
    }

    pub(super) fn is_for_me(&self, message: &Message) -> bool {
        match (message.binary(field::DEST_UUID), message.get(field::DEST)) {
            (Some(uuid), _) => uuid == self.start_facts.uuid,
            (None, Some(dest)) => dest.eq_ignore_ascii_case(self.settings.me.as_str()),
            (None, None) => true,
        }
    }

    /// Refuses a past life's messages; notes a new life. Any signed message with a higher generation proves a restart.
    fn generation_is_current(&mut self, index: usize, kind: &Kind, message: &Message, at: Mono) -> bool {
        let generation = message.generation().unwrap_or_default();
        let node = &self.nodes[index];
        match node.generation() {
            Some(known) if generation != known && node.proof.is_past(generation) => {
                if self.proves_life(index, kind, message) {
                    self.note_lower_generation(index, generation);
                    self.on_new_life(index, generation, message, at);
                    return true;
                }
                let node = &self.nodes[index];
                // Its last words before the restart, on a slow medium, or else a second restart that counts wrong.
                if !node.twins.may_be_last_words(generation, self.now.mono) {
                    let report = Report::Replay { node: node.name().clone(), generation, known };
                    self.report_once(format!("replay {} {}", node.name(), generation.0), report);
                }
                self.doubt(index, kind, message, at);
                return false;
            }
            Some(known) if generation == known => return true,
            Some(_) if kind.is_unsequenced() => return true,
            _ if *kind != Kind::Status && !node.proof.is_plausible(generation, self.now.wall) => return false,
            // A new life of a node we hold dead begins with a status (`wire.md` 10.8).
            _ if node.is_dead() && *kind != Kind::Status => {
                if *kind == Kind::ShutDone {
                    // It overtook that status, and is perhaps all that is ever said in this life.
                    self.nodes[index].keep_farewell(message);
                }
                return false;
            }
            Some(_) | None => {}
        }
        if generation == Generation(0) {
            return *kind == Kind::Status;
        }
        self.on_new_life(index, generation, message, at);
        true
    }

    pub(super) fn on_new_life(&mut self, index: usize, generation: Generation, message: &Message, at: Mono) {
        let node = &mut self.nodes[index];
        let name = node.name().clone();
        let restarted = node.was_heard();
        let was_dead = node.is_dead();
        self.keep_past_life(index);
        let node = &mut self.nodes[index];
        node.begin_life(generation, message.get(HEARS).or(message.get(LATIDO)).is_some());
        self.timers.stop(&Timer::Rexmit(name.clone()));
        self.remember(index);
        if restarted {
            self.report(Report::NodeRestarted { node: name });
        }
        if self.peer.is_node(index) {
            // Somebody who is active when first heard did not start just now: he was cut off and may hold anything.
            let was_active = message.get(field::ST) == Some(Status::Active.as_str());
            self.on_peer_new_life(was_dead && was_active);
            if was_active && !was_dead && self.peer_is_latido() {
                // Its first words did not reach us: `starting` may be among them.
                self.ask_again(index);
            }
        }
        if !was_dead && restarted {
            self.nodes[index].restarted(at);
        }
        let has_left = self.leaving.is_done() && self.peer.is_node(index);
        let is_active = restarted && self.members.local_status == Status::Active;
        if (is_active || has_left) && !self.adoption.is_cleaning() {
            // It waits to hear that we are active before it says anything else, and obeys nobody whose status it did not hear.
            self.send_status();
        }
        if has_left {
            self.say_farewell_anew();
        }
    }

    /// A status of the same life from a node we hold dead is the end of a partition, or an old message come late.
    fn return_is_believable(&mut self, index: usize, sequence: Sequence, message: &Message) -> bool {
        let node = &mut self.nodes[index];
        if sequence <= node.last_status() && node.is_dead() {
            return false;
        }
        if node.is_dead() && message.get(field::ST).and_then(Status::from_text).is_some() {
            node.comes_back(message.get(HEARS).is_some());
            // Its status was not heard in this life, or not yet: who is active did not start just now.
            let is_active = message.get(field::ST) == Some(Status::Active.as_str());
            if node.last_status() > Sequence(0) || is_active && !self.peer.has_returned() {
                let name = node.name().clone();
                let silent_for = self.now.mono.since(node.last_heard().unwrap_or(Mono::ZERO));
                self.report(Report::NodeReturned { node: name, silent_for });
                if self.peer.is_node(index) {
                    self.on_peer_returned();
                }
            }
        }
        true
    }

    fn judge_sequence(&mut self, index: usize, sequence: Sequence) -> NumberMeaning {
        let node = &mut self.nodes[index];
        let verdict = node.judge(sequence, self.now.mono);
        let name = node.name().clone();
        match verdict {
            NumberMeaning::Gap(count) => {
                self.sending.beat_faster_until(self.now.mono + self.settings.deadtime * LOSSY_FOR);
                let last = sequence.0.saturating_sub(count.saturating_add(1));
                self.report(Report::LostPackets { node: name.clone(), count, last, seq: sequence.0 });
                self.schedule_rexmit(&name);
            }
            NumberMeaning::LostALot(count) => {
                self.report(Report::LostALot { node: name, count });
                self.ask_again(index);
            }
            NumberMeaning::Recovered(true) => self.report(Report::NoneMissing { node: name }),
            NumberMeaning::Recovered(false) | NumberMeaning::New | NumberMeaning::Duplicate | NumberMeaning::Old => {}
        }
        verdict
    }

    /// Something the peer said is lost for good: it may have been a claim.
    pub(super) fn ask_again(&mut self, index: usize) {
        let joined = self.joining.has_joined() && !self.leaving.is_ordered() && self.exchanges_claims();
        if self.peer.is_node(index) && joined && self.settings.manage_resources && !self.is_handing_over() {
            self.ask_what_it_holds();
        }
    }

    /// Any kept or duplicate message proves its link (`wire.md` 6.6); a heartbeat measures it as well.
    fn life_sign(&mut self, index: usize, medium: &MediumId, at: Mono, is_beat: bool) {
        let node = &mut self.nodes[index];
        let Some(rose) = node.note_life_on(medium, at, is_beat) else { return };
        let (name, dead_after) = (node.name().clone(), node.dead_after());
        self.timers.set(Timer::LinkDead(name.clone(), medium.clone()), at + dead_after);
        if rose {
            self.report(Report::LinkUp { node: name.clone(), medium: medium.clone() });
            self.notify_link(&name, medium, "up");
        }
    }

    fn on_status(&mut self, index: usize, message: &Message, at: Mono) {
        let Some(status) = message.get(field::ST).and_then(Status::from_text) else { return };
        let sequence = message.sequence().unwrap_or_default();
        if sequence <= self.nodes[index].last_status() && self.nodes[index].was_heard() {
            // A retransmitted old status never changes the state (`wire.md` 4.2).
            return;
        }
        if !matches!(status, Status::Init | Status::Up | Status::Active) {
            return;
        }
        self.note_lateness(index, at);
        let arrived = self.now.wall.0.saturating_sub(self.now.mono.since(at).as_secs());
        let node = &mut self.nodes[index];
        node.note_clock(message.hex(field::TS).map(|ts| ts.cast_signed().saturating_sub(arrived.cast_signed())));
        node.note_status(sequence, at);
        let mut waits_for_word = false;
        if let Some(ms) = message.hex(field::DT) {
            let asked = Duration::from_millis(ms).clamp(Duration::from_millis(1), LONGEST_DEAD_AFTER);
            let longer = node.asks_dead_after(asked);
            waits_for_word = longer && node.is_latido() && self.members.local_status == Status::Active;
            if self.peer.is_node(index) {
                self.peer.asks_patience(Some(asked).filter(|asked| *asked > self.settings.deadtime));
            }
        }
        self.is_believed(index, message);
        self.note_wish_for_proof(index, message);
        self.note_twin_word(index, message);
        self.note_first_letters(index, message);
        self.note_hearing(index, message);
        let node = &mut self.nodes[index];
        if message.get(field::PROTOCOL).is_none() && node.acks_nothing() {
            self.sending.end_flow_control();
            let node = self.nodes[index].name().clone();
            self.report(Report::FlowControlOff { node });
        }
        self.learn_uuid(index, message);
        let class = if self.nodes[index].status() == status { Class::NoChange } else { Class::Keep };
        self.deliver(class, message);
        self.alive(index, status, at, Some(message));
        for message in self.nodes[index].take_early() {
            self.on_resource_message(&Kind::AskResources, &message);
        }
        if let Some(farewell) = self.nodes[index].take_farewell() {
            self.on_resource_message(&Kind::ShutDone, &farewell);
        }
        let node = &self.nodes[index];
        if node.is_unwritten_for(REMEMBER_EVERY) {
            self.remember(index);
        }
        if waits_for_word && !self.adoption.is_cleaning() {
            // It is about to exchange its program, as soon as it hears that we know.
            self.send_status();
        }
    }

    /// A node said something that counts as life: arm its death anew and follow its status.
    fn alive(&mut self, index: usize, status: Status, at: Mono, said: Option<&Message>) {
        let node = &mut self.nodes[index];
        let (name, is_ping) = (node.name().clone(), node.is_ping());
        let before = node.follow(status);
        let until = node.note_life(at);
        self.timers.set(Timer::Dead(name.clone()), until);
        if before != status {
            self.changed();
            self.report(Report::NodeStatus { node: name.clone(), status });
            match said {
                Some(message) => self.out.push(Action::Notify(message.clone())),
                None => self.notify_status(&name, status, is_ping),
            }
            if status == Status::Active && self.peer.is_node(index) {
                self.on_peer_active();
            }
        }
        self.check_joined();
    }

    fn learn_uuid(&mut self, index: usize, message: &Message) {
        let Some(uuid) = message.binary(field::SRC_UUID).filter(|uuid| uuid.len() == 16) else { return };
        let node = &mut self.nodes[index];
        if node.note_uuid(uuid) {
            let (node, uuid) = (node.name().clone(), uuid_text(uuid));
            self.report(Report::UuidChanged { node, uuid });
        }
    }

    fn on_ping_answer(&mut self, index: usize, medium: &MediumId, message: &Message, at: Mono) {
        self.life_sign(index, medium, at, false);
        let node = &mut self.nodes[index];
        node.note_status(message.sequence().unwrap_or_default(), at);
        let returned = node.status() != Status::Ping;
        self.alive(index, Status::Ping, at, None);
        if returned {
            let name = self.nodes[index].name().clone();
            self.deliver_ping_return(&name);
        }
    }

    pub(super) fn remember(&mut self, index: usize) {
        let node = &mut self.nodes[index];
        let Some(generation) = node.generation() else { return };
        node.note_written();
        let (name, ahead) = (node.name().clone(), node.clock_ahead());
        self.out.push(Action::Remember { node: name, generation, sequence: node.last_status(), ahead });
    }
}

fn uuid_text(uuid: &[u8]) -> String {
    uuid.iter().map(|byte| format!("{byte:02x}")).collect()
}
