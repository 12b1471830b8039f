//! One node as seen from here: its status, its life, its links (`wire.md` 4.2, 6).

use std::time::Duration;

use crate::names::{MediumId, NodeName};
use crate::time::{Mono, millis};
use crate::wire::{Generation, Message, Sequence, field};

use super::link::Link;
use super::proof::Proof;
use super::sequence::{NumberMeaning, SeqTrack};
use super::twin::Twins;
use super::{NodeView, Status};

/// A node says no more than a few things in a hand-over.
const MOST_EARLY: usize = 32;
/// What a clock on the wire tells.
const SECOND: Duration = Duration::from_secs(1);

/// One other node, or a ping node.
#[derive(Debug)]
pub(super) struct Node {
    /// Its name.
    name: NodeName,
    /// Whether it only answers pings.
    is_ping: bool,
    /// What it says of itself, or `Dead`, which we say.
    status: Status,
    /// Whether a status of it was accepted in our life.
    heard: bool,
    /// Known from its messages.
    uuid: Option<Vec<u8>>,
    /// Of its present life.
    generation: Option<Generation>,
    /// Of the last status accepted in that generation: an older one never changes the state.
    last_status: Sequence,
    /// When its last status reached this machine.
    last_status_at: Option<Mono>,
    /// When anything that proves its life reached this machine.
    last_heard: Option<Mono>,
    /// The silence it wants to be judged by.
    dead_after: Duration,
    /// Since when its silence is over that and it is not judged, because we stood still.
    spared_since: Option<Mono>,
    /// Whether it acks (`protocol=1`).
    flow_control: bool,
    /// Duplicates and holes.
    pub(super) track: SeqTrack,
    /// The highest number heard in its life, also before it was called dead.
    newest: Sequence,
    /// Ack the numbers that end in this digit.
    trigger: u64,
    /// The highest number of ours it acked.
    acked: Sequence,
    /// The highest number of ours it says it has heard.
    heard_of_us: u64,
    /// An original has said something that only a node says that hears us, since we started.
    has_answered: bool,
    /// What it said in a hand-over before its first status.
    early: Vec<Message>,
    /// By how many milliseconds its clock was ahead of ours some time ago: a jump means that one of us stood still.
    ahead_before: Option<(Mono, i64)>,
    /// Other lives and machines of its name.
    pub(super) twins: Twins,
    /// Its farewell, heard before its status was.
    farewell: Option<Message>,
    /// Until when messages of its present life are older than the reset that ended it.
    echoes_until: Mono,
    /// What it is to prove, and we are.
    pub(super) proof: Proof,
    /// Whether it is a Latido, which says more in its messages.
    is_latido: bool,
    /// Whether it says how far it hears us, and so acks a farewell at once.
    says_hears: bool,
    /// Of its `haresources`, as a Latido says it.
    resources_digest: Option<String>,
    /// By how many seconds its wall clock was ahead of ours at its last status.
    clock_ahead: Option<i64>,
    /// Its links.
    links: Vec<Link>,
    /// The sequence number last written to disk.
    remembered: Sequence,
}

impl Node {
    /// A node not heard yet.
    pub(super) fn new(name: NodeName, is_ping: bool, media: Vec<MediumId>, dead_after: Duration, trigger: u64) -> Node {
        Node {
            name,
            is_ping,
            status: Status::Init,
            heard: false,
            uuid: None,
            generation: None,
            last_status: Sequence(0),
            last_status_at: None,
            last_heard: None,
            dead_after,
            spared_since: None,
            flow_control: true,
            track: SeqTrack::default(),
            newest: Sequence(0),
            trigger,
            acked: Sequence(0),
            heard_of_us: 0,
            has_answered: false,
            early: Vec::new(),
            ahead_before: None,
            twins: Twins::default(),
            farewell: None,
            echoes_until: Mono::ZERO,
            proof: Proof::default(),
            is_latido: false,
            says_hears: false,
            resources_digest: None,
            clock_ahead: None,
            links: media.into_iter().map(Link::new).collect(),
            remembered: Sequence(0),
        }
    }

    /// Its name.
    pub(super) fn name(&self) -> &NodeName {
        &self.name
    }

    /// Whether it only answers pings.
    pub(super) fn is_ping(&self) -> bool {
        self.is_ping
    }

    /// What it says of itself, or `Dead`, which we say.
    pub(super) fn status(&self) -> Status {
        self.status
    }

    /// Whether we call it dead.
    pub(super) fn is_dead(&self) -> bool {
        self.status == Status::Dead
    }

    /// Whether a status of it was accepted in our life.
    pub(super) fn was_heard(&self) -> bool {
        self.heard
    }

    /// Known from its messages.
    pub(super) fn uuid(&self) -> Option<&[u8]> {
        self.uuid.as_deref()
    }

    /// Of its present life.
    pub(super) fn generation(&self) -> Option<Generation> {
        self.generation
    }

    /// The number of the last status accepted in that generation: an older one never changes the state.
    pub(super) fn last_status(&self) -> Sequence {
        self.last_status
    }

    /// When its last status reached this machine.
    pub(super) fn last_status_at(&self) -> Option<Mono> {
        self.last_status_at
    }

    /// When anything that proves its life reached this machine.
    pub(super) fn last_heard(&self) -> Option<Mono> {
        self.last_heard
    }

    /// The silence it wants to be judged by.
    pub(super) fn dead_after(&self) -> Duration {
        self.dead_after
    }

    /// Whether it acks (`protocol=1`).
    pub(super) fn acks(&self) -> bool {
        self.flow_control
    }

    /// The highest number heard in its life, also before it was called dead.
    pub(super) fn newest(&self) -> Sequence {
        self.newest
    }

    /// The highest number of ours it acked.
    pub(super) fn acked(&self) -> Sequence {
        self.acked
    }

    /// The highest number of ours it has acked or says it has heard.
    pub(super) fn has_of_us(&self) -> u64 {
        self.heard_of_us.max(self.acked.0)
    }

    /// Whether an original has said something that only a node says that hears us, since we started.
    pub(super) fn has_answered(&self) -> bool {
        self.has_answered
    }

    /// Whether it is a Latido, which says more in its messages.
    pub(super) fn is_latido(&self) -> bool {
        self.is_latido
    }

    /// Whether it says how far it hears us, and so acks a farewell at once.
    pub(super) fn says_hears(&self) -> bool {
        self.says_hears
    }

    /// Of its `haresources`, as a Latido says it.
    pub(super) fn resources_digest(&self) -> Option<&String> {
        self.resources_digest.as_ref()
    }

    /// By how many seconds its wall clock was ahead of ours at its last status.
    pub(super) fn clock_ahead(&self) -> Option<i64> {
        self.clock_ahead
    }

    /// Its links.
    pub(super) fn links(&self) -> &[Link] {
        &self.links
    }

    /// Whether its messages may come in over this medium.
    pub(super) fn is_on(&self, medium: &MediumId) -> bool {
        self.links.iter().any(|link| link.medium() == medium)
    }

    /// Whether what comes in now was said before the reset that ended its life.
    pub(super) fn is_echo(&self, now: Mono) -> bool {
        self.is_dead() && now < self.echoes_until
    }

    /// Whether this number says nothing new: it was heard before our restart, or before its death.
    pub(super) fn is_replayed(&self, sequence: Sequence) -> bool {
        !self.heard && sequence <= self.last_status || self.is_dead() && sequence <= self.newest
    }

    /// Whether it says goodbye already, without a status before that.
    pub(super) fn has_farewell(&self) -> bool {
        self.farewell.is_some()
    }

    // What becomes of it.

    /// As our predecessor knew it.
    pub(super) fn was_known(&mut self, generation: Generation, sequence: Sequence, ahead: Option<i64>) {
        self.generation = Some(generation);
        self.proof.heard_generation(generation);
        self.last_status = sequence;
        self.remembered = sequence;
        self.clock_ahead = ahead;
    }

    /// What was known of its lives is forgotten.
    pub(super) fn forget_lives(&mut self) {
        self.proof.forget();
        self.twins.forget_past_life();
        (self.generation, self.clock_ahead) = (None, None);
        (self.last_status, self.newest, self.remembered) = (Sequence(0), Sequence(0), Sequence(0));
    }

    /// It begins a new life.
    pub(super) fn begin_life(&mut self, generation: Generation, is_latido: bool) {
        self.generation = Some(generation);
        self.proof.heard_generation(generation);
        self.last_status = Sequence(0);
        self.newest = Sequence(0);
        self.echoes_until = Mono::ZERO;
        self.farewell = self.farewell.take().filter(|word| word.generation() == Some(generation));
        self.early.clear();
        self.heard_of_us = 0;
        self.is_latido = is_latido;
        self.forget_life();
    }

    /// It restarted, and has to find itself first; silence from here on is judged as before.
    pub(super) fn restarted(&mut self, at: Mono) {
        self.status = Status::Init;
        self.last_status_at = Some(at);
    }

    /// It is heard again after we had called it dead.
    pub(super) fn comes_back(&mut self, is_latido: bool) {
        self.is_latido |= is_latido;
        self.track.reset();
        self.break_off_gaps();
    }

    /// It has been silent for too long.
    pub(super) fn dies(&mut self) {
        self.status = Status::Dead;
        self.forget_life();
    }

    /// It was reset: until then what comes in was said before.
    pub(super) fn expect_echoes(&mut self, until: Mono) {
        self.echoes_until = until;
        // What it was asked before the reset it may have answered before the reset.
        self.proof.ask_anew();
    }

    /// Another machine takes its name.
    pub(super) fn is_succeeded_by(&mut self, uuid: Option<Vec<u8>>) {
        self.uuid = uuid;
    }

    /// Its silence is not judged, because we stood still, before it has lasted for so long: who stands still again and again
    /// must come to a judgement some time.
    pub(super) fn spare(&mut self, now: Mono) -> Mono {
        *self.spared_since.get_or_insert(now) + self.dead_after
    }

    /// It is not spared any more.
    pub(super) fn end_sparing(&mut self) {
        self.spared_since = None;
    }

    // What it says.

    /// What a message with this number is, and notes that it was heard.
    pub(super) fn judge(&mut self, sequence: Sequence, now: Mono) -> NumberMeaning {
        let verdict = self.track.judge(sequence, now);
        self.newest = self.newest.max(sequence);
        verdict
    }

    /// The number came in over this medium.
    pub(super) fn note_number(&mut self, medium: &MediumId, sequence: Sequence) {
        if let Some(link) = self.links.iter_mut().find(|link| link.medium() == medium) {
            link.note_number(sequence);
        }
    }

    /// It is heard over this medium; a heartbeat measures it. Whether the link came up by that; `None` without such a link.
    pub(super) fn note_life_on(&mut self, medium: &MediumId, at: Mono, is_beat: bool) -> Option<bool> {
        let link = self.links.iter_mut().find(|link| link.medium() == medium)?;
        Some(link.note_life(at, is_beat))
    }

    /// It is silent on this medium; whether the link was up until now.
    pub(super) fn note_silence_on(&mut self, medium: &MediumId) -> bool {
        let Some(link) = self.links.iter_mut().find(|link| link.medium() == medium) else { return false };
        link.note_silence()
    }

    /// What comes next on its links is no answer to what came last.
    pub(super) fn break_off_gaps(&mut self) {
        self.links.iter_mut().for_each(Link::break_off_gaps);
    }

    /// Something proves that it lives; until when that counts.
    pub(super) fn note_life(&mut self, at: Mono) -> Mono {
        self.last_heard = self.last_heard.max(Some(at));
        self.last_heard.unwrap_or(at) + self.dead_after
    }

    /// It says this of itself; what it said before.
    pub(super) fn follow(&mut self, status: Status) -> Status {
        self.heard = true;
        self.spared_since = None;
        std::mem::replace(&mut self.status, status)
    }

    /// A status, or the answer of a ping node, with this number.
    pub(super) fn note_status(&mut self, sequence: Sequence, at: Mono) {
        self.last_status = sequence;
        self.last_status_at = self.last_status_at.max(Some(at));
    }

    /// By how many seconds its wall clock is ahead.
    pub(super) fn note_clock(&mut self, ahead: Option<i64>) {
        self.clock_ahead = ahead;
    }

    /// The silence it wants to be judged by; whether it lives and asks for more than before.
    pub(super) fn asks_dead_after(&mut self, asked: Duration) -> bool {
        std::mem::replace(&mut self.dead_after, asked) < asked && self.is_alive()
    }

    /// It does not ack; whether that is new.
    pub(super) fn acks_nothing(&mut self) -> bool {
        std::mem::replace(&mut self.flow_control, false)
    }

    /// Its uuid; whether it had another one before.
    pub(super) fn note_uuid(&mut self, uuid: &[u8]) -> bool {
        self.uuid.as_deref() != Some(uuid) && self.uuid.replace(uuid.to_vec()).is_some()
    }

    /// What it says in a hand-over before its first status.
    pub(super) fn keep_early(&mut self, message: &Message) {
        if self.early.len() < MOST_EARLY {
            self.early.push(message.clone());
        }
    }

    /// That, once its status was heard.
    pub(super) fn take_early(&mut self) -> Vec<Message> {
        std::mem::take(&mut self.early)
    }

    /// Its farewell, heard before its status.
    pub(super) fn keep_farewell(&mut self, message: &Message) {
        self.farewell = Some(message.clone());
    }

    /// That, once its status was heard, or never will be.
    pub(super) fn take_farewell(&mut self) -> Option<Message> {
        self.farewell.take()
    }

    /// It acknowledges this number of ours, and all before it.
    pub(super) fn note_ack(&mut self, acked: Sequence) {
        self.acked = self.acked.max(acked);
    }

    /// What was never said up to this number is not waited for.
    pub(super) fn skip_acks(&mut self, until: Sequence) {
        self.acked = until;
    }

    /// The number of ours that is due to be acked, if it acks.
    pub(super) fn ack_due(&mut self) -> Option<Sequence> {
        if self.flow_control { self.track.ack_due(self.trigger) } else { None }
    }

    /// Whether it says how far it hears us: only a Latido does.
    pub(super) fn note_says_hears(&mut self, says: bool) {
        self.says_hears = says;
        self.is_latido |= says;
    }

    /// It says that it has heard this number of ours; whether that is more than before.
    pub(super) fn note_heard_of_us(&mut self, number: u64) -> bool {
        let is_news = number > self.heard_of_us;
        self.heard_of_us = self.heard_of_us.max(number);
        is_news
    }

    /// It says something that only a node says that hears us; whether for the first time.
    pub(super) fn note_answer(&mut self) -> bool {
        !std::mem::replace(&mut self.has_answered, true)
    }

    /// It says what only a Latido says, of this `haresources`.
    pub(super) fn note_digest(&mut self, digest: &str) {
        self.is_latido = true;
        self.resources_digest = Some(digest.to_owned());
    }

    /// What its `haresources` says is not known any more.
    pub(super) fn forget_digest(&mut self) {
        self.resources_digest = None;
    }

    /// How far it was heard is written down now.
    pub(super) fn note_written(&mut self) {
        self.remembered = self.last_status;
    }

    /// Whether so many of its statuses were heard since that was written down.
    pub(super) fn is_unwritten_for(&self, statuses: u64) -> bool {
        self.last_status.0 >= self.remembered.0.saturating_add(statuses)
    }

    /// Whether messages of it may arrive: heard and not dead.
    pub(super) fn is_alive(&self) -> bool {
        self.heard && self.status != Status::Dead
    }

    /// Whether it says that it is active.
    pub(super) fn is_active(&self) -> bool {
        self.status == Status::Active
    }

    /// Forgets the life before a restart or a death.
    fn forget_life(&mut self) {
        self.track.reset();
        self.acked = Sequence(0);
        for link in &mut self.links {
            link.forget_life();
        }
    }

    /// Whether its clock has gone on by itself while ours stood still, as that of a frozen machine does, for long enough
    /// that it nearly called us dead. It tells whole seconds only, so the least of what they may mean is enough; but less
    /// than two of them may be no more than that, and a first message that was late.
    pub(super) fn clock_jumped(
        &mut self,
        at: Mono,
        message: &Message,
        deadtime: Duration,
        keepalive: Duration,
    ) -> bool {
        let Some(seconds) = message.hex(field::TS) else { return false };
        let theirs = i64::try_from(seconds.saturating_mul(1000)).unwrap_or(i64::MAX);
        let ahead = theirs.saturating_sub(whole_millis(at.elapsed()));
        let enough = deadtime.saturating_sub(keepalive + SECOND).max(SECOND * 2);
        let before = *self.ahead_before.get_or_insert((at, ahead));
        let jumped = ahead.saturating_sub(before.1) >= whole_millis(enough);
        if jumped || at.since(before.0) > deadtime {
            self.ahead_before = Some((at, ahead));
        }
        jumped
    }

    /// The view for people.
    pub(super) fn view(&self, now: Mono, digest: &str, failed: impl Fn(&MediumId) -> Option<String>) -> NodeView {
        NodeView {
            name: self.name.clone(),
            is_me: false,
            is_ping: self.is_ping,
            status: self.status,
            last_heard: self.last_heard.map(|at| now.since(at)),
            generation: self.generation,
            deadtime: self.dead_after,
            is_latido: self.is_latido,
            resources_differ: self.resources_digest.as_ref().map(|theirs| theirs != digest),
            clock_ahead: self.clock_ahead,
            uuid: self.uuid.clone(),
            links: self.links.iter().map(|link| link.view(now, failed(link.medium()))).collect(),
        }
    }
}

fn whole_millis(time: Duration) -> i64 {
    i64::try_from(millis(time)).unwrap_or(i64::MAX)
}
