//! The wires of a pair: each medium has two directions, and each direction can be cut, lose, delay, repeat and reorder
//! by itself. A direction is named by the node that speaks; with a ping host, by the node that asks.

use std::time::Duration;

use crate::cluster::{Event, Medium};
use crate::names::MediumId;
use crate::time::Mono;
use crate::wire::{Kind, Message, field};

use super::fault::LOST_A_LOT;
use super::{Fault, Observed, SimulatedPair};

const SERIAL_DELAY: Duration = Duration::from_millis(110);
pub(super) const UDP_DELAY: Duration = Duration::from_micros(200);
/// Usual differences in how long a message takes, in microseconds; where messages are lost they are larger.
const JITTER: u64 = 1_000;
const JITTER_OF_A_BAD_LINE: u64 = 40_000;
/// What is overtaken comes so much later at most.
const OVERTAKEN_BY: u64 = 200_000;

/// What ails one direction of a medium.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Direction {
    /// It carries nothing.
    pub is_cut: bool,
    /// Per cent of messages lost.
    pub loss: u64,
    /// Longer than its medium needs.
    pub delay: Duration,
    /// Per cent of messages that arrive twice.
    pub repeats: u64,
    /// Per cent of messages that later ones overtake; never on a serial line.
    pub overtaken: u64,
    /// When the last message arrives: a serial line keeps their order.
    last_arrival: Mono,
}

impl Direction {
    /// Whether any message comes through.
    pub fn works(&self) -> bool {
        !self.is_cut && self.loss < 100
    }
}

impl SimulatedPair {
    /// One direction of a medium, by its place in [`SimulatedPair::media`] and the node that speaks.
    pub fn direction(&self, medium: usize, from: usize) -> &Direction {
        &self.cables[medium][from]
    }

    /// Cuts or mends one direction of a medium.
    pub fn cut(&mut self, medium: usize, from: usize, is_cut: bool) {
        self.cables[medium][from].is_cut = is_cut;
        if is_cut {
            self.count_cut(medium);
        }
    }

    /// Cuts or mends a medium both ways.
    pub fn cut_both(&mut self, medium: usize, is_cut: bool) {
        self.cables[medium].iter_mut().for_each(|way| way.is_cut = is_cut);
        if is_cut {
            self.count_cut(medium);
        }
    }

    /// Cuts or mends every medium between the nodes.
    pub fn cut_all(&mut self, is_cut: bool) {
        self.beating().into_iter().for_each(|medium| self.cut_both(medium, is_cut));
    }

    fn count_cut(&mut self, medium: usize) {
        let kind = match self.cables[medium] {
            _ if self.media()[medium].ping_node.is_some() => Fault::CutPing,
            [one, other] if one.is_cut && other.is_cut => Fault::CutMedium,
            _ => Fault::CutDirection,
        };
        self.count(kind);
        if !self.works(0) && !self.works(1) {
            self.count(Fault::CutAll);
        }
    }

    /// Every medium between the nodes loses so many per cent of its messages, each way.
    pub fn lose(&mut self, share: u64) {
        self.beating().into_iter().for_each(|medium| (0..2).for_each(|from| self.lose_on(medium, from, share)));
    }

    /// One direction of a medium loses so many per cent of its messages.
    pub fn lose_on(&mut self, medium: usize, from: usize, share: u64) {
        self.cables[medium][from].loss = share.min(100);
    }

    /// The largest loss of any direction of a medium between the nodes, in per cent.
    pub fn loss(&self) -> u64 {
        self.beating().into_iter().flat_map(|medium| self.cables[medium]).map(|way| way.loss).max().unwrap_or(0)
    }

    /// One direction of a medium takes so much longer than usual.
    pub fn delay(&mut self, medium: usize, from: usize, time: Duration) {
        self.cables[medium][from].delay = time;
    }

    /// So many per cent of the messages in one direction of a medium arrive twice.
    pub fn repeat(&mut self, medium: usize, from: usize, share: u64) {
        self.cables[medium][from].repeats = share.min(100);
    }

    /// So many per cent of the messages in one direction of a medium are overtaken; on a serial line none ever is.
    pub fn reorder(&mut self, medium: usize, from: usize, share: u64) {
        self.cables[medium][from].overtaken = share.min(100);
    }

    /// All wires are as new.
    pub fn mend_cables(&mut self) {
        for way in self.cables.iter_mut().flatten() {
            *way = Direction { last_arrival: way.last_arrival, ..Direction::default() };
        }
        self.mend_client_cables();
    }

    /// Whether some medium carries messages from this node to the other.
    pub fn works(&self, from: usize) -> bool {
        self.beating().into_iter().any(|medium| self.cables[medium][from].works())
    }

    /// Whether some one medium carries messages both ways.
    pub fn works_both_ways(&self) -> bool {
        self.beating().into_iter().any(|medium| self.cables[medium].iter().all(Direction::works))
    }

    /// Whether no medium between the nodes is cut, either way.
    pub fn is_uncut(&self) -> bool {
        self.beating().into_iter().flat_map(|medium| self.cables[medium]).all(|way| !way.is_cut)
    }

    /// The media between the nodes, by their places.
    pub fn beating(&self) -> Vec<usize> {
        let places = self.media().iter().enumerate().filter(|(_, medium)| medium.ping_node.is_none());
        places.map(|(place, _)| place).collect()
    }

    pub(super) fn transmit(&mut self, node: usize, message: &Message) {
        if message.kind() == Kind::Status {
            let patience = Duration::from_millis(message.hex(field::DT).unwrap_or(0));
            self.hosts[node].said = (self.now, patience, self.hosts[node].lag);
            self.last_status[node] = Some(message.clone());
        } else {
            self.observe(node, Observed::Sent(essence(message)));
        }
        let mut carried = false;
        for (place, Medium { id, ping_node }) in self.settings[node].media.clone().into_iter().enumerate() {
            match ping_node {
                Some(host) => self.echo(node, message, place, id, &host),
                None => carried |= self.carry(node, message, place, &id),
            }
        }
        self.count_lost(node, carried);
    }

    fn count_lost(&mut self, node: usize, carried: bool) {
        self.lost_in_a_row[node] = if carried { 0 } else { self.lost_in_a_row[node] + 1 };
        if self.lost_in_a_row[node] == LOST_A_LOT + 1 {
            self.count(Fault::LostALot);
        }
    }

    /// One message on one medium between the nodes; whether it gets through.
    fn carry(&mut self, node: usize, message: &Message, place: usize, medium: &MediumId) -> bool {
        let Some(way) = self.cables.get(place).map(|cable| cable[node]) else { return false };
        if way.is_cut {
            return false;
        }
        if self.random(100) < way.loss {
            self.count(Fault::Loss);
            if self.cables.iter().flatten().any(|other| other.is_cut) {
                self.count(Fault::LossBesideCut);
            }
            return false;
        }
        let is_repeated = (way.loss > 0 && self.random(10) == 0) || (way.repeats > 0 && self.random(100) < way.repeats);
        if is_repeated {
            self.count(Fault::Repeated);
        }
        for _ in 0..if is_repeated { 2 } else { 1 } {
            let at = self.arrival(node, place, medium);
            let event = Event::Message { medium: medium.clone(), at, message: message.clone() };
            self.later(at, 1 - node, event);
        }
        true
    }

    /// When what is sent now on this medium arrives.
    fn arrival(&mut self, node: usize, place: usize, medium: &MediumId) -> Mono {
        let way = self.cables[place][node];
        // A lossy network also delays and overtakes.
        let jitter = if self.exact {
            1
        } else if way.loss > 0 {
            JITTER_OF_A_BAD_LINE
        } else {
            JITTER
        };
        // A device is a serial line.
        let is_serial = medium.as_str().starts_with('/');
        let base = if is_serial { SERIAL_DELAY } else { UDP_DELAY };
        let mut at = self.now + base + way.delay + Duration::from_micros(self.random(jitter));
        if !way.delay.is_zero() {
            self.count(Fault::Delay);
        }
        if is_serial {
            at = at.max(way.last_arrival);
        } else if way.overtaken > 0 && self.random(100) < way.overtaken {
            at += Duration::from_micros(1 + self.random(OVERTAKEN_BY));
        }
        if at < way.last_arrival {
            self.count(Fault::Overtaken);
        }
        self.cables[place][node].last_arrival = at.max(way.last_arrival);
        at
    }
}

/// A message without its control fields.
fn essence(message: &Message) -> String {
    let text = message.to_string();
    let text = text.split(" src=").next().unwrap_or("");
    // How far the other was heard is different at every step that is longer.
    text.split(' ').filter(|word| !word.starts_with("heard=")).collect::<Vec<_>>().join(" ")
}
