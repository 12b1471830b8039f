//! One node as seen from here: its status, its life, its links (`wire.md` 4.2, 6).

use std::time::Duration;

use crate::names::{MediumId, NodeName};
use crate::time::{Mono, millis};
use crate::wire::{Generation, Message, Sequence, field};

use super::gaps::Gaps;
use super::proof::Proof;
use super::sequence::SeqTrack;
use super::twin::{PastLife, Twin};
use super::{LinkView, NodeView, Status};

/// What a clock on the wire tells.
const SECOND: Duration = Duration::from_secs(1);

/// One node as reachable over one medium.
#[derive(Debug)]
pub(super) struct Link {
    /// Which medium.
    pub(super) medium: MediumId,
    /// Whether anything was heard within the node's dead time.
    pub(super) up: bool,
    /// When the last kept or duplicate message came in.
    pub(super) last_heard: Option<Mono>,
    /// How regularly heartbeats come in over it.
    pub(super) gaps: Gaps,
    /// The highest number it brought in the node's life: a medium overtakes itself only with what was asked for again.
    pub(super) newest: Sequence,
}

/// One other node, or a ping node.
#[derive(Debug)]
pub(super) struct Node {
    /// Its name.
    pub(super) name: NodeName,
    /// Whether it only answers pings.
    pub(super) is_ping: bool,
    /// What it says of itself, or `Dead`, which we say.
    pub(super) status: Status,
    /// Whether a status of it was accepted in our life.
    pub(super) heard: bool,
    /// Known from its messages.
    pub(super) uuid: Option<Vec<u8>>,
    /// Of its present life.
    pub(super) generation: Option<Generation>,
    /// Of the last status accepted in that generation: an older one never changes the state.
    pub(super) last_status: Sequence,
    /// When its last status reached this machine.
    pub(super) last_status_at: Option<Mono>,
    /// When anything that proves its life reached this machine.
    pub(super) last_heard: Option<Mono>,
    /// The silence it wants to be judged by.
    pub(super) dead_after: Duration,
    /// Since when its silence is over that and it is not judged, because we stood still.
    pub(super) spared_since: Option<Mono>,
    /// Whether it acks (`protocol=1`).
    pub(super) flow_control: bool,
    /// Duplicates and holes.
    pub(super) track: SeqTrack,
    /// The highest number heard in its life, also before it was called dead.
    pub(super) newest: Sequence,
    /// Ack the numbers that end in this digit.
    pub(super) trigger: u64,
    /// The highest number of ours it acked.
    pub(super) acked: Sequence,
    /// The highest number of ours it says it has heard.
    pub(super) heard_of_us: u64,
    /// An original has said something that only a node says that hears us, since we were born.
    pub(super) has_answered: bool,
    /// What it said in a hand-over before its first status.
    pub(super) early: Vec<Message>,
    /// By how many milliseconds its clock was ahead of ours some time ago: a jump means that one of us stood still.
    pub(super) ahead_before: Option<(Mono, i64)>,
    /// The one before the present one.
    pub(super) past_life: Option<PastLife>,
    /// Another machine that speaks in its name, and is not listened to.
    pub(super) twin: Option<Twin>,
    /// Its farewell, heard before its status was.
    pub(super) farewell: Option<Message>,
    /// Until when messages of its present life are older than the reset that ended it.
    pub(super) echoes_until: Mono,
    /// What it is to prove, and we are.
    pub(super) proof: Proof,
    /// Whether it is a Latido, which says more in its messages.
    pub(super) is_latido: bool,
    /// Whether it says how far it hears us, and so acks a farewell at once.
    pub(super) says_hears: bool,
    /// Of its `haresources`, as a Latido says it.
    pub(super) resources_digest: Option<String>,
    /// By how many seconds its wall clock was ahead of ours at its last status.
    pub(super) clock_ahead: Option<i64>,
    /// Its links.
    pub(super) links: Vec<Link>,
    /// The sequence number last written to disk.
    pub(super) remembered: Sequence,
}

impl Node {
    /// A node not heard yet.
    pub(super) fn new(name: NodeName, is_ping: bool, media: Vec<MediumId>, dead_after: Duration, trigger: u64) -> Node {
        let link = |medium| Link { medium, up: false, last_heard: None, gaps: Gaps::default(), newest: Sequence(0) };
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
            past_life: None,
            twin: None,
            farewell: None,
            echoes_until: Mono::ZERO,
            proof: Proof::default(),
            is_latido: false,
            says_hears: false,
            resources_digest: None,
            clock_ahead: None,
            links: media.into_iter().map(link).collect(),
            remembered: Sequence(0),
        }
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
    pub(super) fn forget_life(&mut self) {
        self.track.reset();
        self.acked = Sequence(0);
        for link in &mut self.links {
            link.gaps.break_off();
            link.newest = Sequence(0);
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

    /// The picture for people.
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
            links: self
                .links
                .iter()
                .map(|link| LinkView {
                    medium: link.medium.clone(),
                    up: link.up,
                    last_heard: link.last_heard.map(|at| now.since(at)),
                    failure: failed(&link.medium),
                    gaps: link.gaps.view(),
                })
                .collect(),
        }
    }
}

fn whole_millis(time: Duration) -> i64 {
    i64::try_from(millis(time)).unwrap_or(i64::MAX)
}
