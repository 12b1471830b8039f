//! Two machines with one name: a cloned machine, a restored image (`takeover.md` 13).
//!
//! Whoever was heard first under a name is that node as long as he is heard; what the second one says is dropped and told, in our
//! statuses too, so that both learn of it. A uuid tells two machines apart at once. Of two with the same uuid the lives
//! do: a life that says a number we chose only after the next one had begun (`proof`) has never ended, and what one life has
//! proved another cannot prove as well. A machine that hears its
//! own name before it has joined starts nothing, and so does one that is told that it is the second.

use crate::names::{MediumId, NodeName};
use crate::time::{Mono, Wall};
use crate::wire::{Generation, Kind, Message, Sequence, field};

use super::timer::Timer;
use super::{Cluster, Report};

/// In a status: the life that its sender does not listen to, as generation and the first bytes of the uuid; and how far the
/// other has come, if that is all they differ by.
pub(super) const TWIN: &str = "twin";
/// So many bytes of a uuid tell two machines apart.
const ENOUGH_OF_UUID: usize = 4;
/// In one generation two lives differ by how far they count; so many messages are not lost in a row.
const JUMP: u64 = 8;
/// What a clock may have been set by at boot.
const CLOCK_SLACK: u64 = 2;

/// Other lives and machines of a node's name.
#[derive(Debug, Default)]
pub(super) struct Twins {
    /// The life before the present one.
    past_life: Option<PastLife>,
    /// Another machine that speaks in its name, and is not listened to.
    twin: Option<Twin>,
}

impl Twins {
    /// Whether a message of this generation may be the last of the life before the present one, on a slow medium.
    pub(super) fn may_be_last_words(&self, generation: Generation, now: Mono) -> bool {
        self.past_life.is_some_and(|past| past.generation == generation && now < past.until)
    }

    /// The life before the present one is forgotten.
    pub(super) fn forget_past_life(&mut self) {
        self.past_life = None;
    }
}

/// A life that nobody knows to have ended when the next began.
#[derive(Clone, Copy, Debug)]
struct PastLife {
    generation: Generation,
    /// Until when its messages are no more than late.
    until: Mono,
    /// The highest number heard in it.
    newest: Sequence,
    /// Whether it was neither held dead then nor had left.
    was_alive: bool,
}

/// A second machine that speaks in a node's name.
#[derive(Clone, Debug)]
struct Twin {
    generation: Generation,
    uuid: Option<Vec<u8>>,
    medium: MediumId,
    heard: Mono,
    newest: Sequence,
}

/// Another machine that speaks in our name.
#[derive(Debug)]
pub(super) struct OwnName {
    /// When we started, by the clock on the wall.
    started: Wall,
    /// Over which medium it was heard last, and when.
    heard: Option<(MediumId, Mono)>,
    /// When the other node last said that it hears another one besides us.
    told: Option<Mono>,
    /// When the other node last said that it is us it does not listen to.
    refused: Option<Mono>,
}

impl OwnName {
    /// Nobody else was heard yet.
    pub(super) fn new(started: Wall) -> OwnName {
        OwnName { started, heard: None, told: None, refused: None }
    }
}

impl Cluster {
    /// Whether a message comes from a second machine of that name: it is noted, and nothing else.
    pub(super) fn is_of_a_twin(&mut self, index: usize, medium: &MediumId, message: &Message, at: Mono) -> bool {
        let uuid = message.binary(field::SRC_UUID).filter(|uuid| uuid.len() == 16);
        let generation = message.generation().unwrap_or_default();
        let has_left = self.peer.is_node(index) && self.peer.has_left();
        let node = &self.nodes[index];
        if !node.is_alive() || has_left {
            return false;
        }
        let is_other = matches!((node.uuid(), uuid), (Some(known), Some(said)) if known != said);
        let sequence = message.sequence().unwrap_or_default();
        let is_known = |twin: &Twin| {
            // Of one uuid and one generation they count apart.
            let counts_apart = sequence > twin.newest && sequence <= node.newest() && !node.track.misses(sequence);
            let is_its_life = twin.generation == generation && twin.uuid.as_deref() == uuid;
            is_its_life && (node.generation() != Some(generation) || counts_apart)
        };
        let is_second = node.proof.is_answered(message)
            && (node.generation() != Some(generation) || node.proof.is_before_question(sequence));
        if !is_other && !is_second && !node.twins.twin.as_ref().is_some_and(is_known) {
            return false;
        }
        let (uuid, medium) = (uuid.map(<[u8]>::to_vec), medium.clone());
        self.note_twin(index, Twin { generation, uuid, medium, heard: at, newest: sequence });
        true
    }

    fn note_twin(&mut self, index: usize, mut twin: Twin) {
        let node = &mut self.nodes[index];
        let is_same = |known: &&Twin| known.generation == twin.generation && known.uuid == twin.uuid;
        let known = node.twins.twin.as_ref().filter(is_same);
        let is_news = known.is_none();
        if let Some(known) = known {
            twin.newest = twin.newest.max(known.newest);
            twin.heard = twin.heard.max(known.heard);
        }
        let (refused, medium) = (twin.generation, twin.medium.clone());
        node.twins.twin = Some(twin);
        if is_news {
            let (name, kept) = (node.name().clone(), node.generation().unwrap_or_default());
            self.changed();
            self.report(Report::TwoMachines { node: name, medium, refused, kept });
            // Both are to learn of it.
            self.say_now();
        }
    }

    /// A new life begins while the one before it was not known to have ended.
    pub(super) fn keep_past_life(&mut self, index: usize) {
        let until = self.now.mono + self.settings.deadtime;
        let has_left = self.peer.is_node(index) && self.peer.has_left();
        let node = &mut self.nodes[index];
        // What was wanted of it says nothing of the next one.
        node.proof.ask_anew();
        let newest = node.newest();
        let was_alive = node.is_alive() && !has_left;
        node.twins.past_life = node.generation().map(|generation| PastLife { generation, until, newest, was_alive });
    }

    /// Whether the life before the present one goes on: it counts on, and says what we wanted to hear only after its successor
    /// had begun.
    pub(super) fn past_life_goes_on(&self, index: usize, kind: &Kind, message: &Message) -> bool {
        let node = &self.nodes[index];
        let Some(past) = node.twins.past_life.filter(|past| message.generation() == Some(past.generation)) else {
            return false;
        };
        let sequence = message.sequence().unwrap_or_default();
        let jumps = sequence.0 > node.newest().0.saturating_add(JUMP);
        let is_apart = node.generation() != Some(past.generation) || self.now.mono < past.until && jumps;
        let proves = node.proof.is_given(message) || node.proof.is_answered(message);
        *kind == Kind::Status && node.is_alive() && sequence > past.newest && is_apart && proves
    }

    /// The life we took for over is the node; its successor is another machine.
    pub(super) fn return_to_past_life(&mut self, index: usize, message: &Message, medium: &MediumId, at: Mono) {
        let node = &self.nodes[index];
        let (generation, uuid) = (node.generation().unwrap_or_default(), node.uuid().map(<[u8]>::to_vec));
        let twin = Twin { generation, uuid, medium: medium.clone(), heard: at, newest: node.newest() };
        self.on_new_life(index, message.generation().unwrap_or_default(), message, at);
        self.nodes[index].twins.forget_past_life();
        self.note_twin(index, twin);
    }

    /// Whether a life that has just been followed by another may go on: what it holds is not free.
    pub(super) fn past_life_may_go_on(&self) -> bool {
        let beats = self.settings.keepalive * 3 / 2;
        let fresh = |past: PastLife| past.was_alive && self.now.mono + self.settings.deadtime < past.until + beats;
        self.peer_node().is_some_and(|node| node.twins.past_life.is_some_and(fresh))
    }

    /// A node has fallen silent; whether another machine of its name is heard, which is the node from now on.
    pub(super) fn twin_takes_its_place(&mut self, index: usize) -> bool {
        let (now, deadtime) = (self.now.mono, self.settings.deadtime);
        let node = &mut self.nodes[index];
        let Some(twin) = node.twins.twin.take_if(|twin| now.since(twin.heard) < deadtime) else { return false };
        // Its next words are those of a new life.
        node.is_succeeded_by(twin.uuid);
        self.timers.set(Timer::Dead(node.name().clone()), twin.heard + deadtime);
        true
    }

    /// Forgets second machines that are silent.
    pub(super) fn forget_silent_twins(&mut self) {
        let (now, deadtime) = (self.now.mono, self.settings.deadtime);
        for node in &mut self.nodes {
            let patience = deadtime.max(node.dead_after());
            node.twins.twin.take_if(|twin| now.since(twin.heard) >= patience);
        }
    }

    /// Adds to a status whom we do not listen to.
    pub(super) fn add_twin(&self, status: &mut Message) {
        let Some(node) = self.peer_node() else { return };
        let Some(twin) = &node.twins.twin else { return };
        let mut word = word_of(twin.generation, twin.uuid.as_deref().unwrap_or_default());
        if node.generation() == Some(twin.generation) && node.uuid() == twin.uuid.as_deref() {
            // Both would find themselves in it: only one has come so far.
            word += &format!(".{:x}", node.newest().0);
        }
        status.set(TWIN, word);
    }

    /// A status of the other node says whom it does not listen to.
    pub(super) fn note_twin_word(&mut self, index: usize, message: &Message) {
        let Some(word) = message.get(TWIN).filter(|_| self.peer.is_node(index)) else { return };
        let now = self.now.mono;
        let medium = self.own_name.heard.as_ref().map(|(medium, _)| medium.clone());
        let (life, kept) = match word.splitn(3, '.').collect::<Vec<_>>()[..] {
            [generation, uuid, kept] => (format!("{generation}.{uuid}"), u64::from_str_radix(kept, 16).ok()),
            _ => (word.to_owned(), None),
        };
        let is_us = life == word_of(self.start_facts.generation, &self.start_facts.uuid);
        if is_us && kept.is_none_or(|number| number > self.sending.seq().0) {
            if !self.is_refused() {
                self.changed();
                let node = self.nodes[index].name().clone();
                self.report(Report::Refused { node });
            }
            self.own_name.refused = Some(now);
            self.timers.set(Timer::OwnName, now + self.settings.deadtime);
        } else {
            self.own_name.told = Some(now);
            self.report_once("own name".into(), Report::NameTaken { medium });
        }
    }

    /// Our own broadcast came back, unless another machine has our name.
    pub(super) fn on_own_name(&mut self, medium: &MediumId, message: &Message) {
        let ours = message.binary(field::SRC_UUID).is_none_or(|uuid| uuid == self.start_facts.uuid);
        let generation = message.generation().unwrap_or_default();
        // Said since we started: no late word of a life before ours, and nothing that somebody kept.
        let is_fresh =
            message.hex(field::TS).is_some_and(|ts| ts >= self.own_name.started.0.saturating_add(CLOCK_SLACK));
        let is_echo = if generation == self.start_facts.generation {
            message.sequence().is_none_or(|sequence| self.sending.may_have_sent(sequence, message))
        } else {
            !is_fresh
        };
        if ours && is_echo || !ours && generation < self.start_facts.generation && !is_fresh {
            return;
        }
        self.changed();
        self.report_once("own name".into(), Report::NameTaken { medium: Some(medium.clone()) });
        if is_fresh || generation == self.start_facts.generation {
            self.own_name.heard = Some((medium.clone(), self.now.mono));
            self.timers.set(Timer::OwnName, self.now.mono + self.settings.deadtime);
        }
    }

    /// Whether we must not join: another machine with our name was there before us.
    pub(super) fn waits_for_own_name(&self) -> bool {
        self.is_refused() || self.own_name.heard.as_ref().is_some_and(|(_, at)| self.was_lately(*at))
    }

    /// Whether the other node listens to another machine of our name, and not to us.
    pub(super) fn is_refused(&self) -> bool {
        self.own_name.refused.is_some_and(|at| self.was_lately(at))
    }

    /// Within a deadtime: it counts still.
    fn was_lately(&self, at: Mono) -> bool {
        self.now.mono.since(at) < self.settings.deadtime
    }

    /// Stops what we run while we are the second machine of our name; whether we are.
    pub(super) fn serve_refusal(&mut self) -> bool {
        if !self.joining.has_joined() || !self.is_refused() {
            return false;
        }
        for index in 0..self.groups.len() {
            if self.groups.is_claimed(index) && !self.groups.is_going_down(index) {
                self.groups.want_let_go(index);
            }
        }
        true
    }

    /// That two machines have one name, in a sentence.
    pub(super) fn impostor(&self) -> Option<String> {
        let me = &self.settings.me;
        if self.is_refused() {
            return Some(format!(
                "this is the second machine that calls itself {me}: it starts nothing. Stop heartbeat here, or give it \
                 its own `node` and `uname -n`"
            ));
        }
        if let Some((medium, _)) = self.own_name.heard.as_ref().filter(|(_, at)| self.was_lately(*at)) {
            return Some(format!("another machine on {medium} calls itself {me}: {}", remedy(me)));
        }
        if self.own_name.told.is_some_and(|at| self.was_lately(at)) {
            let peer = self.peer_name().map_or_else(String::new, |peer| peer.to_string());
            return Some(format!("{peer} hears another machine that calls itself {me}: {}", remedy(me)));
        }
        let node = self.nodes.iter().find(|node| node.twins.twin.is_some())?;
        let twin = node.twins.twin.as_ref()?;
        Some(format!(
            "two machines call themselves {}: the one with generation {} on {} is not listened to; {}",
            node.name(),
            twin.generation.0,
            twin.medium,
            remedy(node.name())
        ))
    }
}

fn remedy(name: &NodeName) -> String {
    format!("stop heartbeat on the machine that is not {name}, or give it its own `node` and `uname -n`")
}

fn word_of(generation: Generation, uuid: &[u8]) -> String {
    let uuid: String = uuid.iter().take(ENOUGH_OF_UUID).map(|byte| format!("{byte:02x}")).collect();
    format!("{:x}.{uuid}", generation.0)
}
