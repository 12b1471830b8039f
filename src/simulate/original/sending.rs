//! Numbers, history, retransmission and acks of what is said (`wire.md` 4.3 and 4.4), and the order in which own words
//! leave: a message is handled here first, so what it makes us say goes out before it, with a higher number.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::cluster::Action;
use crate::time::Mono;
use crate::wire::{Kind, Message, field};

use super::Original;

/// Numbered messages that can be said again.
const HISTORY: u64 = 500;
/// Answered at once at most.
const AT_ONCE: u64 = 50;

/// What was said in this life.
#[derive(Debug)]
pub(super) struct Sent {
    pub(super) generation: u64,
    last: u64,
    history: BTreeMap<u64, Message>,
    repeated: BTreeMap<u64, Mono>,
    acked: u64,
    /// Of ten numbers of the other's the one that is acked.
    pub(super) trigger: u64,
}

impl Sent {
    pub(super) fn new(generation: u64, me: &str) -> Sent {
        let trigger = (generation + me.bytes().map(u64::from).sum::<u64>()) % 10;
        Sent { generation, last: 0, history: BTreeMap::new(), repeated: BTreeMap::new(), acked: 0, trigger }
    }
}

impl Original {
    /// Says something to everybody, itself included.
    pub(super) fn send(&mut self, message: Message) {
        let numbered = !message.kind().is_unsequenced();
        let mut message = message.with(field::SRC, self.settings.me.as_str());
        if numbered {
            self.sent.last += 1;
            message.set(field::SEQ, format!("{:x}", self.sent.last));
        }
        let message = message
            .with(field::HG, format!("{:x}", self.sent.generation))
            .with(field::TS, format!("{:x}", self.now.wall.0))
            .with(field::TTL, "3");
        if numbered {
            let last = self.sent.last;
            self.sent.history.insert(last, message.clone());
            self.sent.history = self.sent.history.split_off(&(last + 1).saturating_sub(HISTORY));
        }
        self.hear_self(&message);
        self.act(Action::Send(message));
    }

    /// The other missed something (`NS_rexmit`: decimal numbers).
    pub(super) fn on_rexmit(&mut self, request: &Message) {
        let Some(first) = request.decimal(field::FIRSTSEQ) else { return };
        let last = request.decimal(field::LASTSEQ).unwrap_or(first).min(first + AT_ONCE - 1);
        for number in first..=last {
            self.say_again(number);
        }
    }

    fn say_again(&mut self, number: u64) {
        let pause = self.settings.max_rexmit_delay.saturating_sub(Duration::from_millis(10));
        let recently = self.sent.repeated.get(&number).is_some_and(|at| self.now.mono.since(*at) < pause);
        if recently || number <= self.sent.acked || number > self.sent.last {
            return;
        }
        match self.sent.history.get(&number).cloned() {
            Some(message) => {
                self.sent.repeated.insert(number, self.now.mono);
                self.act(Action::Send(message));
            }
            None => {
                let nak = Message::new(&Kind::NakRexmit).with(field::FIRSTSEQ, format!("{number:x}"));
                self.send(nak.with(field::DEST, self.other.as_str()).with(field::INFO, "seqno too low"));
            }
        }
    }

    /// The other heard everything up to there.
    pub(super) fn on_ack(&mut self, message: &Message) {
        let number = message.hex(field::ACKSEQ).unwrap_or(0);
        if number <= self.sent.last {
            self.sent.acked = self.sent.acked.max(number);
        }
    }

    /// One ack per ten messages, when nothing below is missing.
    pub(super) fn ack(&mut self, number: u64) {
        if number % 10 == self.sent.trigger && self.peer.missing.is_empty() {
            let ack = Message::new(&Kind::Ack).with(field::DEST, self.other.as_str());
            self.send(ack.with(field::ACKSEQ, format!("{number:x}")));
        }
    }

    /// Asks for what was missed, until it or a NAK comes.
    pub(super) fn ask_again(&mut self) {
        let now = self.now.mono;
        let due: Vec<u64> = self.peer.missing.iter().filter(|(_, at)| **at <= now).map(|(number, _)| *number).collect();
        for number in due {
            self.peer.missing.insert(number, now + self.settings.max_rexmit_delay);
            let request = Message::new(&Kind::Rexmit).with(field::DEST, self.other.as_str());
            let number = number.to_string();
            self.send(request.with(field::FIRSTSEQ, number.as_str()).with(field::LASTSEQ, number));
        }
    }
}
