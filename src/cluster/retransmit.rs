//! Asking again, answering those who ask, and acknowledging (`wire.md` 4.3, 4.4).

use std::time::Duration;

use crate::names::NodeName;
use crate::wire::{Kind, Message, Sequence, field};

use super::claims::HEARD;
use super::sent_messages::Resend;
use super::timer::Timer;
use super::{Action, Cluster, Report};

/// At most so many messages are resent for one request.
const RESENT_AT_ONCE: u64 = 50;

impl Cluster {
    pub(super) fn schedule_rexmit(&mut self, name: &NodeName) {
        let Some(node) = self.nodes.iter().find(|node| node.name() == name) else { return };
        match node.track.next_request() {
            Some(at) => self.timers.set(Timer::Rexmit(name.clone()), at),
            None => self.timers.stop(&Timer::Rexmit(name.clone())),
        }
    }

    pub(super) fn request_missing(&mut self, name: &NodeName) {
        let interval = self.settings.max_rexmit_delay.max(Duration::from_millis(50));
        let now = self.now.mono;
        let Some(node) = self.nodes.iter_mut().find(|node| node.name() == name) else { return };
        if !node.is_alive() {
            return;
        }
        for sequence in node.track.requests_due(now, interval) {
            // Decimal, unlike every other number of the protocol.
            let request = Message::new(&Kind::Rexmit)
                .with(field::DEST, name.as_str())
                .with(field::FIRSTSEQ, sequence.0.to_string())
                .with(field::LASTSEQ, sequence.0.to_string());
            self.send_to(name, request);
        }
        self.schedule_rexmit(name);
    }

    /// A message without number that is meant for us.
    pub(super) fn on_control_message(&mut self, index: usize, kind: &Kind, message: &Message) {
        match kind {
            Kind::Ack => self.on_ack(index, message),
            Kind::Rexmit => self.on_rexmit(index, message),
            Kind::NakRexmit => {
                if let Some(seq) = message.hex(field::FIRSTSEQ)
                    && self.nodes[index].track.give_up(Sequence(seq))
                {
                    let node = self.nodes[index].name().clone();
                    self.schedule_rexmit(&node);
                    self.deliver_held();
                    self.report(Report::Irretrievable { node, seq });
                    self.ask_again(index);
                }
            }
            // A later version's; nothing of ours.
            Kind::Status
            | Kind::NsSt
            | Kind::ReqNodes
            | Kind::RepNodes
            | Kind::Starting
            | Kind::Resource
            | Kind::AskResources
            | Kind::IpRequest
            | Kind::IpRequestResp
            | Kind::Stonith
            | Kind::ShutDone
            | Kind::HbTakeover
            | Kind::IfStat
            | Kind::Other(_) => {}
        }
    }

    fn on_rexmit(&mut self, index: usize, message: &Message) {
        let (Some(first), Some(last)) = (message.decimal(field::FIRSTSEQ), message.decimal(field::LASTSEQ)) else {
            return;
        };
        let pause = self.settings.max_rexmit_delay.saturating_sub(Duration::from_millis(10));
        let (name, acked) = (self.nodes[index].name().clone(), self.nodes[index].acked());
        for seq in first..=last.min(first.saturating_add(RESENT_AT_ONCE - 1)) {
            if seq <= acked.0 {
                continue;
            }
            match self.sending.sent_messages().resend(Sequence(seq), self.now.mono, pause) {
                Resend::Again(message) => self.out.push(Action::Send(*message)),
                Resend::Skip => {}
                Resend::Gone(_) if !self.sending.answer_limits().may_deny(self.now.mono) => return,
                Resend::Gone(why) => {
                    self.report(Report::CannotRexmit { node: name.clone(), seq, why });
                    let nak = Message::new(&Kind::NakRexmit)
                        .with(field::FIRSTSEQ, format!("{seq:x}"))
                        .with(field::DEST, name.as_str());
                    self.send_to(&name, nak.with(field::INFO, why));
                }
            }
        }
    }

    fn on_ack(&mut self, index: usize, message: &Message) {
        let Some(acked) = message.hex(field::ACKSEQ).map(Sequence) else { return };
        // What was heard of a predecessor of ours is no news of us.
        if acked <= self.sending.seq() && self.is_of_this_life(message) {
            let node = &mut self.nodes[index];
            node.note_ack(acked);
            self.free_acked_history();
        }
    }

    /// Forgets what every living node has.
    pub(super) fn free_acked_history(&mut self) {
        let alive = self.nodes.iter().filter(|node| !node.is_ping() && !node.is_dead());
        if let Some(everybody) = alive.map(|node| node.acked()).min() {
            self.sending.sent_messages().forget_up_to(everybody);
        }
    }

    /// Acknowledges what arrived without holes: a peer that nobody acks stops serving its clients, and a 2.1 aborts.
    pub(super) fn acknowledge(&mut self, index: usize) {
        let Some(ack) = self.nodes[index].ack_due() else { return };
        self.send_ack(index, ack);
    }

    /// A farewell is acknowledged at once: who said it waits for that.
    pub(super) fn acknowledge_farewell(&mut self) {
        let Some(index) = self.peer.index().filter(|index| self.nodes[*index].is_latido()) else { return };
        let ack = self.nodes[index].track.ack_now();
        self.send_ack(index, ack);
    }

    fn send_ack(&mut self, index: usize, ack: Sequence) {
        let name = self.nodes[index].name().clone();
        let mut message =
            Message::new(&Kind::Ack).with(field::DEST, name.as_str()).with(field::ACKSEQ, format!("{:x}", ack.0));
        if self.peer.is_node(index) && self.peer_is_latido() {
            message.set(HEARD, self.heard_of_peer());
        }
        self.send_to(&name, message);
    }
}
