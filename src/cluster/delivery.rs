//! What programs on this machine hear of the cluster (`api.md` 2.6): messages that reach this node, its own included, and
//! what it finds out itself. Who of them hears what is decided in `api`.

use crate::names::NodeName;
use crate::wire::{Kind, Message, Sequence, field};

use super::{Action, Class, Cluster, Status, peer_facts};

/// That a client joined or left (`api.md` 2.2).
const CLIENT_STATUS: &str = "hbapi-clstat";
/// No more of them wait for what was lost before them.
const MOST_HELD: usize = 100;
/// With more messages on their way that nobody has acknowledged, clients may not add to them.
const MOST_UNACKED: u64 = 250;
const FEW_UNACKED: u64 = 200;

/// Messages that may not overtake those before them.
#[derive(Debug, Default)]
pub(super) struct HeldMessages {
    messages: Vec<(NodeName, Sequence, Message)>,
}

impl Cluster {
    /// Whether programs on this machine may say something to the cluster now; `paused` is the last answer.
    pub fn has_too_much_on_its_way(&self, paused: bool) -> bool {
        let most = if paused { FEW_UNACKED } else { MOST_UNACKED };
        // A node that has not acknowledged anything yet does not know where to begin.
        let waits = |node: &&super::Node| node.is_alive() && node.acks() && node.acked() > Sequence(0);
        self.nodes.iter().filter(waits).any(|node| self.sending.seq().0.saturating_sub(node.acked().0) > most)
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
            self.held.messages.push((node.name().clone(), sequence, message.clone()));
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
            let node = self.nodes.iter().find(|node| node.name() == name);
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
        Kind::Other(name) if name == peer_facts::KIND => false,
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crate::cluster::{Event, StartFacts};
    use crate::names::MediumId;
    use crate::simulate::settings;
    use crate::time::{Mono, Now, Wall};
    use crate::wire::Generation;

    use super::*;

    fn now(ms: u64) -> Now {
        Now { mono: Mono::at(Duration::from_millis(ms)), wall: Wall(1) }
    }

    fn cluster() -> Cluster {
        let start_facts = StartFacts::new(Generation(1), [7; 16], 1);
        let mut cluster = Cluster::start(settings("alpha").unwrap(), vec![], start_facts, now(0));
        cluster.handle(now(0), Event::Tick);
        cluster
    }

    fn from_beta(t: &str, seq: u64, fields: &[(&str, &str)]) -> Message {
        let message = fields.iter().fold(Message::new(&Kind::from_text(t)), |m, (name, value)| m.with(name, *value));
        message.with("src", "beta").with("seq", format!("{seq:x}")).with("hg", "1").with("ts", "1")
    }

    fn status(seq: u64, st: &str) -> Message {
        from_beta("status", seq, &[("st", st), ("dt", "1388"), ("protocol", "1")])
    }

    /// What clients are told of a message of beta's, type and class.
    fn heard(cluster: &mut Cluster, ms: u64, message: Message) -> Vec<(String, Class)> {
        let event = Event::Message { medium: MediumId::new("eth0"), at: now(ms).mono, message };
        told(&cluster.handle(now(ms), event))
    }

    fn told(actions: &[Action]) -> Vec<(String, Class)> {
        let mut told = Vec::new();
        for action in actions {
            if let Action::Deliver { class, message } = action {
                let st = message.get("st").map(|st| format!(" {st}")).unwrap_or_default();
                told.push((format!("{}{st}", message.kind()), *class));
            }
        }
        told
    }

    #[test]
    fn a_status_is_news_once_and_a_link_comes_up_before_it() {
        let mut cluster = cluster();
        let first = heard(&mut cluster, 10, status(1, "up"));
        assert_eq!(first[..2], [("ifstat up".into(), Class::Keep), ("status up".into(), Class::Keep)]);
        assert_eq!(heard(&mut cluster, 20, status(2, "up")), [("status up".into(), Class::NoChange)]);
        assert_eq!(heard(&mut cluster, 20, status(2, "up")), []);
    }

    #[test]
    fn what_is_for_another_node_is_not_for_our_clients() {
        let mut cluster = cluster();
        heard(&mut cluster, 10, status(1, "active"));
        let gossip = |seq, dest| from_beta("gossip", seq, &[("dest", dest)]);
        assert_eq!(heard(&mut cluster, 20, gossip(2, "gamma")), [("gossip".into(), Class::Drop)]);
        assert_eq!(heard(&mut cluster, 20, gossip(3, "ALPHA")), [("gossip".into(), Class::Keep)]);
    }

    #[test]
    fn a_leave_does_not_overtake_the_join_that_was_lost() {
        let mut cluster = cluster();
        heard(&mut cluster, 10, status(1, "active"));
        let clstat = |seq, st| from_beta("hbapi-clstat", seq, &[("st", st), ("to_id", "ipfail")]);
        assert_eq!(heard(&mut cluster, 20, clstat(3, "leave")), []);
        let gossip = from_beta("gossip", 4, &[]);
        assert_eq!(heard(&mut cluster, 21, gossip), [("gossip".into(), Class::Keep)]);
        let both = [("hbapi-clstat join".into(), Class::Keep), ("hbapi-clstat leave".into(), Class::Keep)];
        assert_eq!(heard(&mut cluster, 30, clstat(2, "join")), both);
    }

    #[test]
    fn our_own_message_is_heard_here_with_its_control_fields_and_goes_out() {
        let mut cluster = cluster();
        let actions = cluster.handle(now(10), Event::Local(from_beta("gossip", 0, &[("to_id", "ipfail")])));
        assert_eq!(told(&actions), [("gossip".into(), Class::Keep)]);
        let sent = |action: &Action| matches!(action, Action::Send(message) if message.get("src") == Some("alpha"));
        assert!(actions.iter().any(sent), "{actions:?}");
    }

    #[test]
    fn what_a_client_says_without_a_type_goes_nowhere() {
        let mut cluster = cluster();
        for message in [Message::empty().with("to_id", "ipfail"), Message::empty().with("t", "")] {
            let actions = cluster.handle(now(10), Event::Local(message));
            assert!(!actions.iter().any(|action| matches!(action, Action::Send(_) | Action::Deliver { .. })));
        }
    }

    #[test]
    fn a_peer_that_stops_acknowledging_pauses_our_clients_and_resumes_them() {
        let mut cluster = cluster();
        heard(&mut cluster, 10, status(1, "active"));
        let ack = |cluster: &mut Cluster| {
            let seq = format!("{:x}", cluster.sending.seq().0);
            let ack = from_beta("NS_ackmsg", 0, &[("ackseq", &seq), ("dest", "alpha")]);
            heard(cluster, 20, ack);
        };
        for _ in 0..300 {
            cluster.handle(now(15), Event::Local(Message::new(&Kind::Other("gossip".into()))));
        }
        assert!(!cluster.has_too_much_on_its_way(false), "it has not acknowledged anything yet");
        ack(&mut cluster);
        for _ in 0..=MOST_UNACKED {
            cluster.handle(now(30), Event::Local(Message::new(&Kind::Other("gossip".into()))));
        }
        assert!(cluster.has_too_much_on_its_way(false));
        ack(&mut cluster);
        assert!(!cluster.has_too_much_on_its_way(true));
    }
}
