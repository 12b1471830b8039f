//! What programs on this machine hear of the cluster (`api.md` 2.6): messages that reach this node, its own included, and
//! what it finds out itself. Who of them hears what is decided in `api`.

use crate::names::NodeName;
use crate::wire::{Kind, Message, Sequence, field};

use super::{Action, Cluster, Status, mirror};

/// What kind of news a message is; a client's filter is a set of these. The others of the original (duplicates, the
/// protocol's own messages, requests of clients) are accepted in a filter and never delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// What clients see by default.
    Keep,
    /// A heartbeat that changes nothing.
    NoChange,
    /// For another node.
    Drop,
}

/// That a client joined or left (`api.md` 2.2).
const CLIENT_STATUS: &str = "hbapi-clstat";
/// No more of them wait for what was lost before them.
const MOST_HELD: usize = 100;
/// With more messages on their way that nobody has acknowledged, clients may not add to them.
const MOST_UNACKED: u64 = 250;
const FEW_UNACKED: u64 = 200;

/// Messages that may not overtake those before them.
#[derive(Debug, Default)]
pub(super) struct Held {
    messages: Vec<(NodeName, Sequence, Message)>,
}

impl Cluster {
    /// Whether programs on this machine may say something to the cluster now; `paused` is the last answer.
    pub fn has_too_much_on_its_way(&self, paused: bool) -> bool {
        let most = if paused { FEW_UNACKED } else { MOST_UNACKED };
        // A node that has not acknowledged anything yet does not know where to begin.
        let waits = |node: &&super::Node| node.is_alive() && node.flow_control && node.acked > Sequence(0);
        self.nodes.iter().filter(waits).any(|node| self.seq.0.saturating_sub(node.acked.0) > most)
    }

    /// Hands a message to the programs on this machine.
    pub(super) fn deliver(&mut self, class: Class, message: &Message) {
        self.out.push(Action::Deliver { class, message: message.clone() });
    }

    /// The same for one of our own, which the original hears like any other.
    pub(super) fn deliver_own(&mut self, message: &Message) {
        if !is_talk(&message.kind()) {
            return;
        }
        let class = if self.is_for_me(message) { Class::Keep } else { Class::Drop };
        self.deliver(class, message);
    }

    /// The same for one of another node, in its turn.
    pub(super) fn deliver_heard(&mut self, index: usize, message: &Message) {
        let kind = message.kind();
        if !is_talk(&kind) {
            return;
        }
        if !self.is_for_me(message) {
            return self.deliver(Class::Drop, message);
        }
        let node = &self.nodes[index];
        let sequence = message.sequence().unwrap_or_default();
        let early = kind.as_str() == CLIENT_STATUS && node.track.misses_before(sequence);
        if early && self.held.messages.len() < MOST_HELD {
            self.held.messages.push((node.name.clone(), sequence, message.clone()));
        } else {
            self.deliver(Class::Keep, message);
        }
    }

    /// What waited for a message that has come, or never will.
    pub(super) fn deliver_held(&mut self) {
        if self.held.messages.is_empty() {
            return;
        }
        let waits = |(name, sequence, _): &(NodeName, Sequence, Message)| {
            let node = self.nodes.iter().find(|node| node.name == *name);
            node.is_some_and(|node| node.is_alive() && node.track.misses_before(*sequence))
        };
        let (waiting, mut ready): (Vec<_>, Vec<_>) = self.held.messages.iter().cloned().partition(waits);
        self.held.messages = waiting;
        ready.sort_by_key(|(_, sequence, _)| *sequence);
        ready.iter().for_each(|(_, _, message)| self.deliver(Class::Keep, message));
    }

    /// A ping node answers again: the original says so in a message of this type.
    pub(super) fn deliver_ping_return(&mut self, name: &NodeName) {
        let message = Message::new(&Kind::NsSt)
            .with(field::ST, Status::Ping.as_str())
            .with(field::INFO, "ping")
            .with(field::SRC, name.as_str())
            .with(field::TS, format!("{:x}", self.now.wall.0));
        self.deliver(Class::Keep, &message);
    }
}

/// Whether clients hear messages of this type at all; a node's status is told apart from them.
fn is_talk(kind: &Kind) -> bool {
    match kind {
        Kind::Status | Kind::NsSt | Kind::Ack | Kind::Rexmit | Kind::NakRexmit | Kind::ReqNodes | Kind::RepNodes => {
            false
        }
        // Between two Latidos; no client of the original's knows it.
        Kind::Other(name) if name == mirror::KIND => false,
        Kind::Starting
        | Kind::Resource
        | Kind::AskResources
        | Kind::IpRequest
        | Kind::IpRequestResp
        | Kind::Stonith
        | Kind::ShutDone
        | Kind::HbTakeover
        | Kind::IfStat
        | Kind::Other(_) => true,
    }
}
