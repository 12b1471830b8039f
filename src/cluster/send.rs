//! What we say: control fields, heartbeats, and the answer to who we are (`wire.md` 1.5, 6.1).

use std::time::Duration;

use crate::names::NodeName;
use crate::time::{Mono, millis};
use crate::wire::{Kind, Message, Sequence, Value, field};

use super::answer_limits::AnswerLimits;
use super::claims::HEARS;
use super::claims::LATIDO;
use super::sent_messages::SentMessages;
use super::timer::Timer;
use super::{Action, Class, Cluster, Status, peer_facts};

/// The names the original gives its own status while it starts (`wire.md` 6.1).
const FIRST_STATUSES: [Status; 2] = [Status::Init, Status::Up];

/// What we say: its numbers, and what is remembered of it.
#[derive(Debug)]
pub(super) struct SendState {
    seq: Sequence,
    sent_messages: SentMessages,
    answer_limits: AnswerLimits,
    /// Whether we ask for acknowledgements: until a node says that it gives none.
    flow_control: bool,
    /// While packets get lost we beat faster.
    lossy_until: Mono,
    /// When we last said that we live.
    said_at: Option<Mono>,
    /// And the patience asked for then: a reread file may ask for another by now.
    said_patience: Duration,
}

impl SendState {
    /// Nothing was said yet.
    pub(super) fn new() -> SendState {
        SendState {
            seq: Sequence(0),
            sent_messages: SentMessages::default(),
            answer_limits: AnswerLimits::default(),
            flow_control: true,
            lossy_until: Mono::ZERO,
            said_at: None,
            said_patience: Duration::MAX,
        }
    }

    /// The number of the last message.
    pub(super) fn seq(&self) -> Sequence {
        self.seq
    }

    /// Goes on counting from so much further on; the number before the next.
    pub(super) fn jump(&mut self, by: u64) -> Sequence {
        self.seq = Sequence(self.seq.0.saturating_add(by));
        self.seq
    }

    /// What was said, for those who ask again.
    pub(super) fn sent_messages(&mut self) -> &mut SentMessages {
        &mut self.sent_messages
    }

    /// Whether a message with our name and generation may be ours, come back.
    pub(super) fn may_have_sent(&self, sequence: Sequence, message: &Message) -> bool {
        self.sent_messages.may_have_sent(sequence, message)
    }

    /// How often we answer what anybody can say again.
    pub(super) fn answer_limits(&mut self) -> &mut AnswerLimits {
        &mut self.answer_limits
    }

    /// Somebody gives no acknowledgements: nobody is asked for them.
    pub(super) fn end_flow_control(&mut self) {
        self.flow_control = false;
    }

    /// Packets get lost.
    pub(super) fn beat_faster_until(&mut self, until: Mono) {
        self.lossy_until = until;
    }

    /// When we last said that we live.
    pub(super) fn said_at(&self) -> Option<Mono> {
        self.said_at
    }

    /// For how long the others bear our silence, whatever is to be said next.
    pub(super) fn borne(&self, deadtime: Duration) -> Duration {
        deadtime.min(self.said_patience)
    }
}

impl Cluster {
    /// Adds the control fields and sends a message everywhere. Our own messages are not looped back: whoever sends one
    /// does at once what the original does when it hears itself.
    pub(super) fn send(&mut self, mut message: Message) {
        let kind = message.kind();
        let dest_uuid = message.get(field::DEST).and_then(|dest| self.uuid_of(dest));
        if let Some(uuid) = dest_uuid {
            message.set_value(field::DEST_UUID, Value::Binary(uuid));
        }
        message.set(field::SRC, self.settings.me.as_str());
        message.set_value(field::SRC_UUID, Value::Binary(self.start_facts.uuid.to_vec()));
        let numbered = !kind.is_unsequenced();
        if numbered {
            self.sending.seq = self.sending.seq.next();
            message.set(field::SEQ, format!("{:x}", self.sending.seq.0));
        }
        message.set(field::HG, format!("{:x}", self.start_facts.generation.0));
        message.set(field::TS, format!("{:x}", self.now.wall.0.max(1)));
        if numbered {
            // Informational; each byte counts on a serial line, and `n/a` is what the original says without /proc.
            message.set(field::LD, "n/a");
        }
        let ttl = (self.settings.hopfudge as usize).saturating_add(self.nodes.len()).saturating_add(1);
        message.set(field::TTL, ttl.to_string());
        if numbered {
            self.sending.sent_messages.record(self.sending.seq, message.clone());
        }
        self.deliver_own(&message);
        self.notify_own(&message);
        self.out.push(Action::Send(message));
    }

    /// What the original hears of itself and offers to the rc.d scripts (`resources.md` 1.4), with its control fields.
    fn notify_own(&mut self, message: &Message) {
        let is_offered = match message.kind() {
            Kind::Other(name) => name != peer_facts::KIND,
            Kind::HbTakeover | Kind::Stonith => true,
            Kind::Status
            | Kind::Starting
            | Kind::Resource
            | Kind::AskResources
            | Kind::IpRequest
            | Kind::IpRequestResp
            | Kind::ShutDone
            | Kind::NsSt
            | Kind::Ack
            | Kind::Rexmit
            | Kind::NakRexmit
            | Kind::ReqNodes
            | Kind::RepNodes
            | Kind::IfStat => false,
        };
        if is_offered && self.is_for_me(message) {
            self.out.push(Action::Notify(message.clone()));
        }
    }

    /// Sends a message that only one node shall act on.
    pub(super) fn send_to(&mut self, node: &NodeName, message: Message) {
        self.send(message.with(field::DEST, node.as_str()));
    }

    fn uuid_of(&self, name: &str) -> Option<Vec<u8>> {
        self.nodes.iter().find(|node| node.name().as_str() == name)?.uuid().map(<[u8]>::to_vec)
    }

    /// Our heartbeat, on a fixed grid: a beat that comes late does not move the next.
    pub(super) fn beat(&mut self, due: Mono) {
        if self.members.local_status() == Status::Init {
            self.introduce();
            self.check_joined();
        } else {
            self.forget_silent_twins();
            self.send_status();
        }
        let interval = self.beat_interval();
        let next = due + interval;
        let next = if next > self.now.mono { next } else { self.now.mono + interval };
        self.timers.set(Timer::Keepalive, next);
    }

    /// The first words.
    pub(super) fn introduce(&mut self) {
        for status in FIRST_STATUSES {
            self.set_local_status(status);
        }
    }

    /// `keepalive`; a third of it while packets get lost, so that a lossy cable does not pass for a dead node. Cables
    /// are seldom lossy in one direction only: what we miss of the peer, the peer misses of us.
    fn beat_interval(&self) -> Duration {
        let keepalive = self.settings.keepalive;
        if self.now.mono >= self.sending.lossy_until {
            return keepalive;
        }
        // A serial line carries some nine heartbeats a second and must keep room for other messages.
        let serial = self.settings.media.iter().any(|medium| medium.id.as_str().starts_with('/'));
        let floor = Duration::from_millis(if serial { 400 } else { 20 });
        (keepalive / 3).max(floor).min(keepalive)
    }

    /// Says that we live, now.
    pub(super) fn send_status(&mut self) {
        self.send_status_with(self.settings.deadtime + self.adoption.patience());
    }

    /// The same, with another patience than usual asked of the others.
    pub(super) fn send_status_with(&mut self, deadtime: Duration) {
        (self.sending.said_at, self.sending.said_patience) = (Some(self.now.mono), deadtime);
        let dead_after = millis(deadtime);
        let mut status = Message::new(&Kind::Status)
            .with(field::ST, self.members.local_status().as_str())
            .with(field::DT, format!("{dead_after:x}"));
        if self.sending.flow_control {
            status.set(field::PROTOCOL, "1");
        }
        // An original ignores it; a Latido knows by it from the first word on with whom it speaks.
        if let Some(peer) = self.peer_node() {
            let number = if peer.is_alive() { peer.last_status().0 } else { 0 };
            status.set(HEARS, format!("{number:x}"));
        }
        if !self.joining.has_joined() && (0..self.groups.len()).any(|index| self.groups.is_claimed(index)) {
            // Who cannot hear us does not learn it otherwise before he has waited for everybody: he may have taken it.
            status.set(LATIDO, self.own_detail().to_text());
        }
        self.add_proof(&mut status);
        self.add_twin(&mut status);
        self.send(status);
    }

    /// Offers what an original says to itself before it starts a group of its own (`resources.md` 1.3): a site may have
    /// lines of its own in that script.
    pub(super) fn notify_own_start(&mut self, index: usize) {
        let ttl = (self.settings.hopfudge as usize).saturating_add(self.nodes.len()).saturating_add(1);
        let message = Message::new(&Kind::IpRequestResp)
            .with(field::DEST, self.settings.me.as_str())
            .with(field::IPADDR, self.groups.key(index))
            .with(field::WEOWN, "yes")
            .with(field::OK, "OK")
            .with(field::SRC, self.settings.me.as_str())
            .with(field::SEQ, format!("{:x}", self.sending.seq.0))
            .with(field::HG, format!("{:x}", self.start_facts.generation.0))
            .with(field::TS, format!("{:x}", self.now.wall.0.max(1)))
            .with(field::LD, "n/a")
            .with(field::TTL, ttl.to_string());
        self.out.push(Action::Notify(message));
    }

    /// Offers what nobody said, a death or a ping node's echo, to the rc.d scripts (`resources.md` 1.4).
    pub(super) fn notify_status(&mut self, node: &NodeName, status: Status, is_ping: bool) {
        let mut message = Message::new(&Kind::Status)
            .with(field::SEQ, "1")
            .with(field::TS, format!("{:x}", self.now.wall.0))
            .with(field::SRC, node.as_str())
            .with(field::ST, status.as_str());
        if is_ping {
            message.set(field::INFO, "ping");
        }
        if status == Status::Dead {
            self.deliver(Class::Keep, &message);
        }
        self.out.push(Action::Notify(message));
    }
}
