//! A node played by hand: it beats and answers `reqnodes`; everything else it says is what the player has it say. So
//! the dialogues of the original (`resources.md` 10) can be put before a core of ours, word for word.

use crate::cluster::Event;
use crate::time::Mono;
use crate::wire::{Kind, Message, field};

use super::{Fault, Intervention, SimulatedPair};

/// What the rig knows of such a node.
#[derive(Debug)]
pub(super) struct ManualNode {
    generation: u64,
    sequence: u64,
    status: String,
    next_beat: Mono,
}

impl ManualNode {
    pub(super) fn next_beat(&self) -> Mono {
        self.next_beat
    }
}

/// `resource rsc_hold=none rtype=full`: a type, then fields.
pub(super) fn message(text: &str) -> Message {
    let mut words = text.split(' ');
    let message = Message::new(&Kind::from_text(words.next().unwrap_or_default()));
    words.filter_map(|word| word.split_once('=')).fold(message, |message, (name, value)| message.with(name, value))
}

impl SimulatedPair {
    /// An original on this node starts a new life and says that its status is `status`.
    pub fn original_starts(&mut self, node: usize, status: &str) {
        self.observe_intervention(node, Intervention::OriginalStarts);
        self.count(Fault::Original);
        self.hosts[node].powered_off = None;
        self.generation += 1;
        self.end_life(node);
        let manual = ManualNode {
            generation: self.generation,
            sequence: 0,
            status: String::new(),
            next_beat: self.now + self.settings[node].keepalive,
        };
        self.hosts[node].manual = Some(manual);
        self.original_is(node, status);
    }

    /// The original on this node says from now on that its status is `status`.
    pub fn original_is(&mut self, node: usize, status: &str) {
        self.observe_intervention(node, Intervention::Says(status.to_owned()));
        if let Some(manual) = &mut self.hosts[node].manual {
            status.clone_into(&mut manual.status);
        }
        self.beat_manual_node(node);
    }

    /// The original on this node says something.
    pub fn original_says(&mut self, node: usize, text: &str) {
        self.manual_node_sends(node, message(text));
    }

    /// What really runs with the original on this node from now on.
    pub fn original_runs(&mut self, node: usize, words: &[&str]) {
        self.runs_only(node, words);
        self.observe_intervention(node, Intervention::Runs(words.iter().map(|word| (*word).to_owned()).collect()));
    }

    pub(super) fn tell_manual_node(&mut self, node: usize, event: &Event) {
        match event {
            Event::Tick => self.beat_manual_node(node),
            Event::Message { message, .. } if message.kind() == Kind::ReqNodes => {
                let list = format!("{} {} ", self.name(0), self.name(1));
                let answer = Message::new(&Kind::RepNodes).with(field::NODELIST, list).with(field::DELNODELIST, " ");
                self.manual_node_sends(node, answer.with(field::DEST, self.name(1 - node)));
            }
            Event::Message { .. }
            | Event::Local(_)
            | Event::Medium { .. }
            | Event::Done { .. }
            | Event::Request { .. }
            | Event::Reconfigure(_)
            | Event::Leave
            | Event::Upgrade => {}
        }
    }

    fn beat_manual_node(&mut self, node: usize) {
        let (now, settings) = (self.now, &self.settings[node]);
        let deadtime = format!("{:x}", settings.deadtime.as_millis());
        let Some(manual) = &mut self.hosts[node].manual else { return };
        manual.next_beat = now + settings.keepalive;
        let status = Message::new(&Kind::Status).with(field::ST, manual.status.as_str()).with(field::DT, deadtime);
        self.manual_node_sends(node, status.with(field::PROTOCOL, "1"));
    }

    fn manual_node_sends(&mut self, node: usize, message: Message) {
        let wall = self.moment().wall.0;
        let Some(manual) = &mut self.hosts[node].manual else { return };
        manual.sequence += 1;
        let message = message
            .with(field::SRC, self.settings[node].me.as_str())
            .with(field::SEQ, format!("{:x}", manual.sequence))
            .with(field::HG, format!("{:x}", manual.generation))
            .with(field::TS, format!("{wall:x}"))
            .with(field::TTL, "3");
        self.transmit(node, &message);
    }
}
