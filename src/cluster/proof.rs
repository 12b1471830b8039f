//! Who counts his lives from a lower number than before (a lost `hb_generation`, a rolled-back image) says nothing but what
//! an old message could say. He is asked to prove that he lives: a number we chose comes back in his next status
//! (`protocol.md`, heartbeats). Until then nothing he says is obeyed; but somebody who has the key speaks in his name, so his silence
//! is not judged either, as long as he says what was not said before, and as fast as it was said: what comes a second time, or
//! more slowly than by its own clock, was recorded.
//!
//! An original cannot say a number, but it acknowledges ours (`wire.md` 4.4): we go on counting from a number nobody could know, and
//! who acknowledges what is above it lives. The same is asked of whoever is not heard, or not any more, and says something that is
//! older by its clock than what we know of him, or counts further than anybody can have counted.

use std::time::Duration;

use crate::names::{MediumId, NodeName};
use crate::time::{Mono, Wall};
use crate::wire::{Generation, Kind, Message, Sequence, field};

use super::claims::HEARS;
use super::timer::Timer;
use super::{Action, Cluster, Report, Status};

/// In a status: the number the other node is to say.
pub(super) const PROVE: &str = "prove";
/// In a status: the number the other node wanted to hear.
pub(super) const PROOF: &str = "proof";

/// By so many seconds a clock may differ from what it was, or a message be late, before what it says is held to be old.
const FRESH: i64 = 10;
/// A generation is a count, or the time when there was none: nobody starts so often, and no clock is wrong by so much, eight years.
const GENERATION_JUMP: u64 = 1 << 28;
/// Our numbers jump by more than anybody asks for again (`wire.md` 4.3), and by so many more that nobody guesses how many.
const LEAST_JUMP: u64 = 1000;
const JUMPS: u64 = 1 << 28;
/// What is doubted keeps nobody alive for longer than it took to be said, and so many seconds.
const BEHIND: u64 = 3;
/// An original acknowledges one number in ten.
const UNTIL_ACK: usize = 10;

/// Whoever says much that is doubted, or has it said, is not asked each time.
const QUESTION_PAUSE: Duration = Duration::from_millis(50);

/// What one node and we want to hear from each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Proof {
    /// The number it is to say, and when it was last asked for.
    wanted: Option<(u64, Mono)>,
    /// When it was last asked, whatever it answered.
    asked: Option<Mono>,
    /// The highest number heard in its life when that number was chosen.
    newest_then: Sequence,
    /// The number that its present life has said, without any doubt of that life.
    answered: Option<u64>,
    /// The number it wants to hear from us.
    owed: Option<u64>,
    /// The highest generation it was ever heard in: what lies between the present one and that is past.
    highest: Generation,
    /// The newest word that was doubted, and when the last such was heard.
    doubted: Option<(Generation, Sequence, Mono)>,
    /// When the first word was doubted since the last that was not.
    doubted_since: Option<Mono>,
    /// Of what was doubted, the word that was furthest ahead: when it was heard, and when it was said by its own clock.
    pace: Option<(Mono, u64)>,
    /// Our numbers above this one nobody knew before they were said.
    jumped: Option<Sequence>,
    /// In this generation an original has acknowledged one of those.
    acknowledged: Option<Generation>,
}

impl Proof {
    /// Whether this generation, which is not the present one, was over before.
    pub(super) fn is_past(self, generation: Generation) -> bool {
        generation <= self.highest
    }

    /// Whether a message answers our question, if there is one.
    pub(super) fn is_given(self, message: &Message) -> bool {
        self.wanted.is_some_and(|(number, _)| message.hex(PROOF) == Some(number))
            || self.acknowledged.is_some() && self.acknowledged == message.generation()
    }

    /// No answer counts that may be on its way.
    pub(super) fn ask_anew(&mut self) {
        self.answered = None;
        self.end();
    }

    /// Nothing is asked any more.
    fn end(&mut self) {
        self.wanted = None;
        (self.jumped, self.acknowledged, self.doubted) = (None, None, None);
        (self.doubted_since, self.pace) = (None, None);
    }

    /// Whether it can have counted so far: its count goes on from the highest known, or from the time.
    pub(super) fn is_plausible(self, generation: Generation, now: Wall) -> bool {
        generation.0 <= self.highest.0.max(now.0).saturating_add(GENERATION_JUMP)
    }

    /// Its lives are forgotten: what comes next is as new as a first word.
    pub(super) fn forget(&mut self) {
        *self = Proof { owed: self.owed, ..Proof::default() };
    }

    /// Whether it says what the present life has said already.
    pub(super) fn is_answered(self, message: &Message) -> bool {
        self.answered.is_some_and(|number| message.hex(PROOF) == Some(number))
    }

    /// Whether the present life had come so far before it was asked: its answer has a higher number.
    pub(super) fn is_before_question(self, sequence: Sequence) -> bool {
        sequence <= self.newest_then
    }

    /// Whether words come as fast as they were said, by the clock of whoever said them. Whoever plays a record more slowly
    /// than it was made falls behind, and does not catch up by leaving some out.
    fn keeps_pace(&mut self, at: Mono, message: &Message) -> bool {
        let Some(said) = message.hex(field::TS) else { return false };
        let Some((then, first)) = self.pace else {
            self.pace = Some((at, said));
            return true;
        };
        let (took, lasted) = (at.since(then).as_secs(), said.saturating_sub(first));
        if lasted > took {
            self.pace = Some((at, said));
        }
        said >= first && took <= lasted.saturating_add(BEHIND)
    }

    /// It is heard in this generation.
    pub(super) fn heard_generation(&mut self, generation: Generation) {
        self.highest = self.highest.max(generation);
    }
}

impl Cluster {
    /// Adds to a status what the other node wants to hear, and what we want to hear of it.
    pub(super) fn add_proof(&self, status: &mut Message) {
        let Some(node) = self.peer_node() else { return };
        if let Some((number, _)) = node.proof.wanted {
            status.set(PROVE, format!("{number:x}"));
        }
        if let Some(number) = node.proof.owed {
            status.set(PROOF, format!("{number:x}"));
        }
    }

    /// Takes note of what a status wants to hear, whoever says it: the answer is of use to nobody else.
    pub(super) fn note_wish_for_proof(&mut self, index: usize, message: &Message) {
        let wish = message.hex(PROVE);
        let before = std::mem::replace(&mut self.nodes[index].proof.owed, wish);
        if wish.is_some() && wish != before {
            self.say_now();
            if self.leaving.is_done() {
                // It was said before the proof, and not believed.
                self.say_shutdone();
            }
        }
    }

    /// What a living node says of itself in order: nothing need be proved any more.
    pub(super) fn is_believed(&mut self, index: usize, message: &Message) {
        let proof = &mut self.nodes[index].proof;
        if proof.is_given(message) {
            proof.answered = proof.wanted.map(|(number, _)| number);
        }
        proof.end();
    }

    /// Whether this status, of whatever generation, was said after our question.
    pub(super) fn proves_life(&mut self, index: usize, kind: &Kind, message: &Message) -> bool {
        let proves = *kind == Kind::Status && self.nodes[index].proof.is_given(message);
        if proves {
            self.nodes[index].proof.ask_anew();
        }
        proves
    }

    /// Something rightly signed that only an old message or a node that counts wrong can say.
    pub(super) fn doubt(&mut self, index: usize, kind: &Kind, message: &Message, at: Mono) {
        if !self.peer.is_node(index) || *kind != Kind::Status {
            return;
        }
        self.note_wish_for_proof(index, message);
        let life = (message.generation().unwrap_or_default(), message.sequence().unwrap_or_default());
        let now = self.now.mono;
        let node = &mut self.nodes[index];
        let is_news = node.proof.doubted.is_none_or(|(generation, sequence, _)| life > (generation, sequence));
        let is_live = is_news && node.proof.keeps_pace(now, message);
        let is_silent = node.last_heard().is_some_and(|heard| at.since(heard) >= node.dead_after());
        if is_live && !node.is_dead() {
            // Not heard yet it asks for no patience; that of a first start is not meant for it.
            let patience = if node.was_heard() { node.dead_after() } else { self.settings.deadtime };
            self.timers.postpone(&Timer::Dead(node.name().clone()), at + patience);
        }
        if is_news {
            node.proof.doubted = Some((life.0, life.1, now));
            let (name, known, is_heard) = (node.name().clone(), node.proof.highest, node.is_alive() && !is_silent);
            self.changed();
            if !is_heard {
                let report = Report::MayBeOld { node: name.clone(), generation: life.0, known };
                self.report_once(format!("old {name} {}", life.0.0), report);
            }
        }
        let since = *self.nodes[index].proof.doubted_since.get_or_insert(now);
        // One alone may have waited for a slow line, or for us: an original is not alarmed for that.
        if message.get(HEARS).is_none() && now.since(since) >= self.settings.keepalive / 2 {
            self.challenge_original(index);
        }
        let node = &self.nodes[index];
        let known = node.proof.wanted;
        if known.is_some_and(|(_, asked)| self.now.mono.since(asked) < self.settings.keepalive) {
            return;
        }
        if node.proof.asked.is_some_and(|asked| self.now.mono.since(asked) < QUESTION_PAUSE) {
            return;
        }
        let newest = node.newest();
        let number = known.map_or_else(|| self.a_number_of_ours(), |(number, _)| number);
        let proof = &mut self.nodes[index].proof;
        (proof.wanted, proof.asked) = (Some((number, self.now.mono)), Some(self.now.mono));
        if known.is_none() {
            (proof.newest_then, proof.answered) = (newest, None);
        }
        self.say_now();
    }

    /// Counts on from a number nobody could know, and says enough for one to be acknowledged.
    fn challenge_original(&mut self, index: usize) {
        let beat = self.settings.keepalive * 3 / 2;
        let node = &self.nodes[index];
        let goes_on = node.is_alive() && node.last_heard().is_some_and(|at| self.now.mono.since(at) < beat);
        let is_mute = self.members.local_status() == Status::Init || self.adoption.is_cleaning();
        if goes_on || is_mute || node.proof.jumped.is_some() {
            return;
        }
        let jump = LEAST_JUMP.saturating_add(self.a_number_of_ours() % JUMPS);
        let seq = self.sending.jump(jump);
        let node = &mut self.nodes[index];
        node.proof.jumped = Some(seq);
        // What was never said is not waited for: nobody is paused for it.
        node.skip_acks(seq);
        (0..UNTIL_ACK).for_each(|_| self.send_status());
    }

    /// Somebody acknowledges a number of ours that was not known to anybody before we said it.
    pub(super) fn note_ack_as_proof(&mut self, index: usize, message: &Message) {
        let Some(acked) = message.hex(field::ACKSEQ).map(Sequence) else { return };
        let sent = self.sending.seq();
        let proof = &mut self.nodes[index].proof;
        let is_fresh = proof.jumped.is_some_and(|jumped| acked > jumped && acked <= sent);
        let doubted = proof.doubted.map(|(generation, ..)| generation);
        if is_fresh && doubted.is_some() && doubted == message.generation() {
            proof.acknowledged = doubted;
        }
    }

    /// Whether a status of no past life must be proved all the same.
    pub(super) fn is_unbelievable(&self, index: usize, message: &Message) -> bool {
        let node = &self.nodes[index];
        let generation = message.generation().unwrap_or_default();
        let is_new = node.generation() == Some(generation) || !node.proof.is_past(generation);
        let is_odd = || !node.proof.is_plausible(generation, self.now.wall) || self.is_stale(index, message);
        is_new && !node.proof.is_given(message) && is_odd()
    }

    /// Whether a word of somebody who is not heard, or not any more, is older by its clock than what we know of him.
    fn is_stale(&self, index: usize, message: &Message) -> bool {
        let node = &self.nodes[index];
        let (Some(ahead), Some(said)) = (node.clock_ahead(), message.hex(field::TS)) else { return false };
        let expected = self.now.wall.0.cast_signed().saturating_add(ahead);
        !node.is_alive() && expected.saturating_sub(said.cast_signed()) > FRESH
    }

    /// Whom nobody may listen to before it has proved that it lives, in a sentence.
    pub(super) fn doubted(&self) -> Option<String> {
        let node = self.peer_node()?;
        let (generation, _, at) = node.proof.doubted?;
        let is_heard = node.last_heard().is_none_or(|heard| self.now.mono.since(heard) < node.dead_after());
        if node.is_alive() && is_heard || self.now.mono.since(at) >= node.dead_after().max(self.settings.deadtime) {
            return None;
        }
        Some(Report::MayBeOld { node: node.name().clone(), generation, known: node.proof.highest }.to_string())
    }

    /// The administrator says that the other node's lives are to be counted from anew.
    pub(super) fn forget_peer(&mut self, name: &NodeName) -> Result<(), String> {
        let Some(index) = self.nodes.iter().position(|node| node.name() == name && !node.is_ping()) else {
            return Err(format!("{name} is no other node of ha.cf"));
        };
        let node = &mut self.nodes[index];
        if node.is_alive() {
            return Err(format!("{name} is heard: there is nothing to forget"));
        }
        node.forget_lives();
        self.out.push(Action::Forget { node: name.clone() });
        self.report(Report::PeerForgotten { node: name.clone() });
        self.changed();
        Ok(())
    }

    /// A number that was never asked for before, in whichever life (splitmix64 over what is different each time).
    fn a_number_of_ours(&self) -> u64 {
        let parts = [self.start_facts.seed, self.start_facts.generation.0, self.sending.seq().0, self.now.wall.0];
        parts.into_iter().fold(0, |sum: u64, part| {
            let mixed = (sum ^ part).wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb)
        })
    }

    /// A status out of turn, unless we have not spoken yet, or did so again and again: the next heartbeat says the same.
    pub(super) fn say_now(&mut self) {
        let speaks = self.members.local_status() != Status::Init && !self.adoption.is_cleaning();
        if speaks && self.sending.answer_limits().may_say(self.now.mono) {
            self.send_status();
        }
    }

    /// It proved that it lives, and counts from a lower number than before.
    pub(super) fn note_lower_generation(&mut self, index: usize, generation: Generation) {
        let node = &self.nodes[index];
        let known = node.proof.highest;
        self.report(Report::GenerationWentBack { node: node.name().clone(), generation, known });
    }

    /// Whether a status shows that its sender, in the generation we know, began anew.
    pub(super) fn begins_anew(&self, index: usize, medium: &MediumId, kind: &Kind, message: &Message) -> bool {
        let node = &self.nodes[index];
        let sequence = message.sequence().unwrap_or_default();
        // One that is missing was asked for again.
        if *kind != Kind::Status || node.track.misses(sequence) {
            return false;
        }
        // Who goes on counting answers our question with a new number.
        if node.proof.is_given(message) && sequence <= node.newest().max(node.last_status()) {
            return true;
        }
        // While new words come in an old one is no more than late, unless its medium has brought a newer one.
        let overtaken = !node.links().iter().any(|link| link.medium() == medium && link.newest() > sequence);
        let late = overtaken
            && node.is_alive()
            && node.last_heard().is_some_and(|at| self.now.mono.since(at) < self.settings.keepalive * 3 / 2);
        let first = matches!(message.get(field::ST).and_then(Status::from_text), Some(Status::Init | Status::Up));
        sequence < node.last_status() && !late && (first || node.is_dead() || !node.was_heard())
    }
}
