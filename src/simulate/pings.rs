//! Ping hosts and clients: third hosts that each node reaches by its client cable. A ping host has a way there and a way
//! back from each node; a `ping_group` has several hosts, and answers while one of them does (`wire.md` 7).

use crate::cluster::{Event, Medium};
use crate::names::{MediumId, NodeName};
use crate::wire::{Kind, Message, field};

use super::cables::UDP_DELAY;
use super::{Fault, Intervention, SimulatedPair};

/// One host that is pinged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PingHost {
    /// The place of its ping medium.
    medium: usize,
    host: String,
    /// Of each node: whether the way there is cut, and the way back.
    cut: [[bool; 2]; 2],
}

/// A way between a node and a ping host, as the node sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PingDirection {
    /// From the node to the host.
    There,
    /// From the host to the node.
    Back,
}

/// A host for each ping medium.
pub(super) fn ping_hosts(media: &[Medium]) -> Vec<PingHost> {
    let pinged = media.iter().enumerate().filter_map(|(place, medium)| Some((place, medium.ping_node.as_ref()?)));
    pinged.map(|(medium, host)| PingHost { medium, host: host.to_string(), cut: [[false; 2]; 2] }).collect()
}

impl SimulatedPair {
    /// A ping medium of this name has these hosts; nothing when there is none.
    pub(super) fn set_ping_group(&mut self, name: &str, hosts: &[String]) {
        let Some(medium) = self.media().iter().position(|medium| medium.id.as_str() == name) else { return };
        self.ping_hosts.retain(|ping_host| ping_host.medium != medium);
        let echo = |host: &String| PingHost { medium, host: host.clone(), cut: [[false; 2]; 2] };
        self.ping_hosts.extend(hosts.iter().map(echo));
    }

    /// Cuts or mends one way between a node and a ping host, or all hosts of a ping group.
    pub fn cut_ping(&mut self, host: &str, node: usize, way: PingDirection, is_cut: bool) {
        let media = &self.settings[0].media;
        let of_name = |ping_host: &&mut PingHost| ping_host.host == host || media[ping_host.medium].id.as_str() == host;
        let place = usize::from(way == PingDirection::Back);
        self.ping_hosts.iter_mut().filter(of_name).for_each(|ping_host| ping_host.cut[node][place] = is_cut);
        if is_cut {
            self.count(Fault::CutPing);
        }
    }

    /// Takes the client cable out of a node: neither clients nor ping hosts reach it any more, nor, if the other node is
    /// heard by the same cable, what is said on that medium.
    pub fn unplug(&mut self, node: usize, medium: Option<usize>) {
        self.observe_intervention(node, Intervention::Unplugged);
        self.set_unplugged(node, medium, true);
    }

    /// Plugs it in again.
    pub fn plug(&mut self, node: usize, medium: Option<usize>) {
        self.observe_intervention(node, Intervention::Plugged);
        self.set_unplugged(node, medium, false);
    }

    fn set_unplugged(&mut self, node: usize, medium: Option<usize>, is_cut: bool) {
        self.unplugged[node] = is_cut;
        medium.into_iter().for_each(|medium| self.cut_both(medium, is_cut));
        self.look();
    }

    pub(super) fn mend_client_cables(&mut self) {
        self.unplugged = [false; 2];
        self.ping_hosts.iter_mut().for_each(|ping_host| ping_host.cut = [[false; 2]; 2]);
        self.look();
    }

    /// Whether clients reach every group.
    pub fn is_served(&self) -> bool {
        (0..self.groups.len()).all(|group| self.location(group).is_served())
    }

    /// A ping host answers each heartbeat (`wire.md` 7).
    pub(super) fn echo(&mut self, node: usize, message: &Message, place: usize, medium: MediumId, host: &NodeName) {
        let is_cut = self.unplugged[node] || self.cables.get(place).is_some_and(|cable| !cable[node].works());
        let answers = |ping_host: &PingHost| ping_host.medium == place && ping_host.cut[node] == [false; 2];
        if is_cut || !self.ping_hosts.iter().any(answers) || message.kind() != Kind::Status {
            return;
        }
        let mut answer = Message::new(&Kind::NsSt).with(field::ST, "ping").with(field::SRC, host.as_str());
        for name in [field::TS, field::HG, field::SEQ] {
            answer.set(name, message.get(name).unwrap_or_default());
        }
        let at = self.now + UDP_DELAY;
        self.later(at, node, Event::Message { medium, at, message: answer });
    }
}
