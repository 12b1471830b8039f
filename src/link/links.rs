//! All media of a node: who has something to say, in turn; sending to each; and bringing back what failed.
//!
//! Waits for nothing by itself: the caller owns the deadlines ([`Links::next_wake`]).

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::task::{Context, Poll};
use std::time::Duration;

use crate::clock::Clock;
use crate::config::MediumSpec;
use crate::names::{MediumId, NodeName};
use crate::time::Mono;

use super::datagram::LARGEST;
use super::medium_plan::{self, MediumPlan};
use super::memory::MemoryMedium;
use super::serial::Opening;
use super::watch::Watcher;
use super::{InterfaceChange, LinkError, OpenLink, Received, Sent, Urgency};

/// How long a medium that failed is left alone.
const RETRY: Duration = Duration::from_secs(1);

/// How soon a serial line that is being opened is looked at again, and how often before it is left alone for longer.
const SOON: Duration = Duration::from_millis(20);
const LOOKS: u32 = 50;

/// How long a start may be held up: by one serial line that does not answer, and by the resolver, for all names.
#[derive(Clone, Copy, Debug)]
struct StartLimits {
    line: Duration,
    resolver: Duration,
}

/// Nothing runs here yet. A resolver that is there answers within five seconds, or has asked somebody who does not.
const AT_START: StartLimits = StartLimits { line: Duration::from_secs(2), resolver: Duration::from_secs(5) };

/// Something runs here.
const WHILE_RUNNING: StartLimits =
    StartLimits { line: Duration::from_millis(200), resolver: Duration::from_millis(200) };

/// How much one medium is read in one drain, at most: more than its buffer can have held at the beginning.
const DRAIN_MOST: usize = 16_384;

/// The same for a stream, in pieces of up to 4 kB.
const DRAIN_STREAM: usize = 64;

/// How many events are told before the runtime gets to ask the kernel for news.
const EVENTS_PER_YIELD: u32 = 16;

/// Something that happened on a medium, named by its place in the order of `ha.cf`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkEvent {
    /// Bytes came in; they are in [`Links::bytes`] until the next call. `at` is when they reached this machine.
    Bytes {
        /// Which medium.
        link: usize,
        /// When.
        at: Mono,
        /// True for a piece of a byte stream, false for one whole datagram.
        stream: bool,
    },
    /// The medium stopped working; said once, until it is restored.
    Failed {
        /// Which medium.
        link: usize,
        /// What was found.
        reason: String,
    },
    /// The medium works again.
    Restored {
        /// Which medium.
        link: usize,
    },
}

/// What passed over a medium since start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LinkCounters {
    /// Datagrams, or pieces of a stream, received.
    pub received: u64,
    /// Frames handed to the medium.
    pub sent: u64,
    /// Frames thrown away because there was no room.
    pub dropped: u64,
    /// Frames that met a medium that did not work.
    pub failed: u64,
}

/// All media of a node.
#[derive(Debug)]
pub struct Links {
    slots: Vec<MediumSlot>,
    clock: Clock,
    buffer: Box<[u8]>,
    received: Range<usize>,
    /// What happened while sending, to be told by the next call.
    untold: VecDeque<LinkEvent>,
    /// Whose turn it is to be looked at first.
    turn: usize,
    /// Events since the runtime was last made to ask the kernel for news.
    since_yield: u32,
    drain_until: Mono,
    /// Tells when to look at the interfaces again; `None` in tests that have none.
    watcher: Option<Watcher>,
    warnings: Vec<String>,
    /// What did not open at the start.
    missing: Vec<LinkError>,
}

#[derive(Debug)]
struct MediumSlot {
    id: MediumId,
    ping_node: Option<NodeName>,
    plan: MediumPlan,
    open: Option<OpenLink>,
    failure: Option<MediumFailure>,
    counters: LinkCounters,
    /// How often it may still be read in this drain.
    drain_left: usize,
    /// A thread that asks the resolver for what the plan lacks.
    resolving: Option<Receiver<Resolved>>,
    /// A thread that opens a serial line.
    opening: Option<Opening>,
}

/// A plan, and what is unwise about it.
type Resolved = (io::Result<MediumPlan>, Vec<String>);

#[derive(Debug)]
struct MediumFailure {
    reason: String,
    retry_at: Mono,
}

impl Links {
    /// Resolves and opens every medium, inside a tokio runtime. What does not open now is tried again like a medium that
    /// failed ([`Links::missing`]).
    ///
    /// # Errors
    /// All that could not be opened, when nothing that reaches nodes opens, or when something will never open as it is.
    pub fn open_all(specs: &[MediumSpec], lock_dir: &Path, clock: &Clock) -> Result<Links, Vec<LinkError>> {
        let links = Links::open_what_comes(specs, lock_dir, clock, AT_START);
        // All media gone, there would be nothing to hear the other node by.
        let reaches_nodes = links.slots.iter().any(|slot| slot.open.is_some() && slot.ping_node.is_none());
        let is_fit = links.missing.is_empty() || reaches_nodes && !links.missing.iter().any(|error| error.lasts);
        if is_fit { Ok(links) } else { Err(links.missing) }
    }

    /// As [`Links::open_all`], for a node on which something runs: in haste, and nothing is an error.
    pub fn open_what_can(specs: &[MediumSpec], lock_dir: &Path, clock: &Clock) -> Links {
        Links::open_what_comes(specs, lock_dir, clock, WHILE_RUNNING)
    }

    fn open_what_comes(specs: &[MediumSpec], lock_dir: &Path, clock: &Clock, patience: StartLimits) -> Links {
        // Before the media, so that no change in between goes unnoticed. Without it a medium is looked at when it fails.
        let watcher = Watcher::open().ok();
        let mut links = Links::new(Vec::new(), watcher, Vec::new(), clock);
        for spec in specs {
            let unresolved = MediumPlan::Unresolved(spec.clone(), lock_dir.to_owned());
            let mut slot = MediumSlot::closed(spec.id(), spec.ping_node().cloned(), unresolved);
            if medium_plan::needs_a_resolver(spec) {
                // All are asked at the same time.
                slot.resolve();
            }
            links.slots.push(slot);
        }
        let until = clock.mono() + patience.resolver;
        for (link, spec) in specs.iter().enumerate() {
            let known = if medium_plan::needs_a_resolver(spec) {
                let warnings = links.slots[link].await_resolver(until.since(clock.mono()));
                warnings.map(|warnings| links.warnings.extend(warnings))
            } else {
                MediumPlan::new(spec, lock_dir, &mut links.warnings).map(|plan| links.slots[link].plan = plan)
            };
            let opened = match known {
                Ok(()) => links.open_first(link, patience.line),
                Err(error) => {
                    links.fail(link, format!("cannot open: {error}"));
                    Err(error)
                }
            };
            if let Err(error) = opened {
                links.missing.push(medium_plan::complaint(spec, &error));
            }
        }
        links
    }

    /// Opens a medium for the first time; one that cannot be opened counts as one that failed.
    fn open_first(&mut self, link: usize, patience: Duration) -> io::Result<()> {
        let clock = self.clock;
        let slot = &mut self.slots[link];
        match slot.plan.open(&clock, &mut slot.opening, patience) {
            Ok(open) => slot.open = Some(open),
            Err(error) => {
                self.fail(link, format!("cannot open: {error}"));
                return Err(error);
            }
        }
        Ok(())
    }

    /// Media inside this process, for tests.
    pub fn in_memory(ends: Vec<(MediumId, MemoryMedium)>, clock: &Clock) -> Links {
        let slot = |(id, end): (_, MemoryMedium)| {
            MediumSlot::new(id, None, MediumPlan::Memory(end.clone()), OpenLink::Memory(end))
        };
        Links::new(ends.into_iter().map(slot).collect(), None, Vec::new(), clock)
    }

    fn new(slots: Vec<MediumSlot>, watcher: Option<Watcher>, warnings: Vec<String>, clock: &Clock) -> Links {
        Links {
            slots,
            clock: *clock,
            buffer: vec![0; LARGEST].into_boxed_slice(),
            received: 0..0,
            untold: VecDeque::new(),
            turn: 0,
            since_yield: 0,
            drain_until: Mono::ZERO,
            watcher,
            warnings,
            missing: Vec::new(),
        }
    }

    /// How many media there are.
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// The link's name. Two media may share one.
    pub fn id(&self, link: usize) -> &MediumId {
        &self.slots[link].id
    }

    /// What passed over it.
    pub fn counters(&self, link: usize) -> LinkCounters {
        self.slots[link].counters
    }

    /// Why it does not work, if it does not.
    pub fn failure(&self, link: usize) -> Option<&str> {
        self.slots[link].failure.as_ref().map(|failure| failure.reason.as_str())
    }

    /// What was unwise but not fatal at opening: hosts of ping groups that could not be resolved.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// What did not open at the start, and is tried again each second.
    pub fn missing(&self) -> &[LinkError] {
        &self.missing
    }

    /// What the last [`LinkEvent::Bytes`] was about.
    pub fn bytes(&self) -> &[u8] {
        &self.buffer[self.received.clone()]
    }

    /// Waits for the next event; media that have something to say are heard in turn, one piece each. Writes on meanwhile
    /// what waits for a serial line. May be dropped at any time without losing anything.
    pub async fn next(&mut self) -> LinkEvent {
        self.since_yield += 1;
        if self.since_yield >= EVENTS_PER_YIELD {
            // Who always has something to read never asks the kernel what else there is: a flood on one medium would
            // make us deaf on the others.
            self.since_yield = 0;
            tokio::task::yield_now().await;
        }
        poll_fn(|cx| self.poll_next(cx)).await
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<LinkEvent> {
        if self.watcher.as_mut().is_some_and(|watcher| watcher.poll(cx).is_ready()) {
            self.examine_all();
        }
        if let Some(event) = self.untold.pop_front() {
            return Poll::Ready(event);
        }
        for link in self.in_turn() {
            let Some(open) = &mut self.slots[link].open else { continue };
            let Poll::Ready(result) = open.poll(cx, &self.clock, &mut self.buffer) else { continue };
            if let Some(event) = self.on_read(link, result) {
                return Poll::Ready(event);
            }
        }
        Poll::Pending
    }

    /// Begins to hand over what has arrived by now, and no more than that: then call [`Links::try_next`] until it has
    /// nothing left.
    pub fn begin_drain(&mut self) {
        self.drain_until = self.clock.mono();
        for slot in &mut self.slots {
            slot.drain_left = if matches!(slot.plan, MediumPlan::Serial(_)) { DRAIN_STREAM } else { DRAIN_MOST };
        }
    }

    /// The next thing that had arrived when the drain began, without waiting.
    pub fn try_next(&mut self) -> Option<LinkEvent> {
        if let Some(event) = self.untold.pop_front() {
            return Some(event);
        }
        while let Some(link) = self.in_turn().find(|link| self.slots[*link].drain_left > 0) {
            let slot = &mut self.slots[link];
            slot.drain_left -= 1;
            let Some(open) = &mut slot.open else {
                slot.drain_left = 0;
                continue;
            };
            let result = open.try_receive(&self.clock, &mut self.buffer);
            let finished = match &result {
                // A stream has no borders at which its bytes could be told apart by their time.
                Ok(received) => received.at > self.drain_until && !open.is_stream(),
                Err(_) => true,
            };
            if finished {
                slot.drain_left = 0;
            }
            if let Some(event) = self.on_read(link, result) {
                return Some(event);
            }
        }
        None
    }

    /// Every medium once, beginning with the one whose turn it is.
    fn in_turn(&self) -> impl Iterator<Item = usize> + use<> {
        let (count, turn) = (self.slots.len(), self.turn);
        (0..count).map(move |n| (turn + n) % count)
    }

    fn on_read(&mut self, link: usize, result: io::Result<Received>) -> Option<LinkEvent> {
        self.turn = link + 1;
        match result {
            Ok(Received { range, at }) => {
                let slot = &mut self.slots[link];
                slot.counters.received += 1;
                self.received = range;
                let stream = slot.open.as_ref().is_some_and(OpenLink::is_stream);
                Some(LinkEvent::Bytes { link, at, stream })
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => None,
            Err(error) => {
                // What cannot be read may stay readable for ever: it must not be polled again.
                self.slots[link].open = None;
                self.fail(link, format!("cannot read: {error}"));
                self.untold.pop_front()
            }
        }
    }

    /// Sends one message to every medium that reaches nodes: `datagram` where messages travel in packets, `text` on
    /// serial lines. Never waits.
    pub fn broadcast(&mut self, datagram: &[u8], text: &[u8], urgency: Urgency) {
        for link in 0..self.slots.len() {
            let slot = &mut self.slots[link];
            if slot.ping_node.is_none() {
                let frame = if matches!(slot.plan, MediumPlan::Serial(_)) { text } else { datagram };
                self.send(link, frame, urgency);
            }
        }
    }

    /// Whether every medium that works has room for more of what can wait: the slowest sets the pace. A line that takes
    /// nothing, unplugged or held up, makes nobody wait for it.
    pub fn has_room(&mut self) -> bool {
        let open = |slot: &mut MediumSlot| slot.open.as_mut().is_none_or(OpenLink::has_room);
        self.slots.iter_mut().filter(|slot| slot.failure.is_none() && slot.ping_node.is_none()).all(open)
    }

    /// A heartbeat is said now, and the next is due so much later: what can wait is not to be in its way.
    pub fn expect_beat(&mut self, keepalive: Duration) {
        for slot in &mut self.slots {
            if let Some(OpenLink::Serial(serial)) = &mut slot.open {
                serial.expect_beat(keepalive);
            }
        }
    }

    /// Asks every ping node for an echo of what `payload` gives for it. Never waits.
    pub fn ping_all(&mut self, mut payload: impl FnMut(&NodeName) -> Vec<u8>) {
        for link in 0..self.slots.len() {
            if let Some(payload) = self.slots[link].ping_node.as_ref().map(&mut payload) {
                self.send(link, &payload, Urgency::Beat);
            }
        }
    }

    fn send(&mut self, link: usize, frame: &[u8], urgency: Urgency) {
        let slot = &mut self.slots[link];
        let Some(open) = &mut slot.open else {
            slot.counters.failed += 1;
            return;
        };
        match open.try_send(frame, urgency) {
            Sent::Taken { dropped } => {
                slot.counters.sent += 1;
                slot.counters.dropped += dropped;
                self.restore(link);
            }
            Sent::NoRoom => slot.counters.dropped += 1,
            Sent::Failed(error) => {
                slot.counters.failed += 1;
                if open.works_when_open() {
                    slot.open = None;
                }
                self.fail(link, format!("cannot send: {error}"));
            }
        }
    }

    /// When [`Links::retry`] wants to be called and then [`Links::next`] again: a medium that failed is to be tried, or
    /// a serial line that rests, or for which something waits, to be looked at. `None` while there is nothing of the kind.
    pub fn next_wake(&self) -> Option<Mono> {
        let retry = |slot: &MediumSlot| slot.failure.as_ref().map(|failure| failure.retry_at);
        let look = |slot: &MediumSlot| slot.open.as_ref().and_then(OpenLink::next_look);
        self.slots.iter().flat_map(|slot| [retry(slot), look(slot)]).flatten().min()
    }

    /// Tries to bring back what failed, if it is time. What comes of it is told by the next call of [`Links::next`] or
    /// [`Links::try_next`].
    pub fn retry(&mut self) {
        let now = self.clock.mono();
        for link in 0..self.slots.len() {
            if self.slots[link].failure.as_ref().is_some_and(|failure| failure.retry_at <= now) {
                self.examine(link);
            }
        }
    }

    fn examine_all(&mut self) {
        for link in 0..self.slots.len() {
            if matches!(self.slots[link].plan, MediumPlan::Udp(_)) {
                self.examine(link);
            }
        }
    }

    /// Opens a medium that is closed, or whose interface is not what it was.
    fn examine(&mut self, link: usize) {
        let slot = &mut self.slots[link];
        match slot.open.as_ref().map(OpenLink::change) {
            Some(InterfaceChange::Same) => {}
            Some(InterfaceChange::Gone) => {
                slot.open = None;
                self.fail(link, "the interface is gone".to_owned());
            }
            None | Some(InterfaceChange::Changed) => self.open(link),
        }
        let slot = &mut self.slots[link];
        let is_coming = slot.opening.as_ref().is_some_and(|opening| opening.looks() < LOOKS);
        if let Some(failure) = &mut slot.failure {
            failure.retry_at = self.clock.mono() + if is_coming { SOON } else { RETRY };
        }
    }

    fn open(&mut self, link: usize) {
        let slot = &mut self.slots[link];
        if let Some(error) = slot.resolve()
            && let Some(failure) = &mut slot.failure
        {
            failure.reason = format!("cannot open: {error}");
        }
        if matches!(slot.plan, MediumPlan::Unresolved(..)) {
            return;
        }
        match slot.plan.open(&self.clock, &mut slot.opening, Duration::ZERO) {
            Ok(open) => {
                let works = open.works_when_open();
                slot.open = Some(open);
                if works {
                    self.restore(link);
                }
            }
            // What is open stays so: an interface that lost its address may still hear.
            Err(error) => {
                log::debug!("{} cannot be opened: {error}", slot.id);
                let is_coming = slot.opening.as_ref().is_some_and(|opening| opening.looks() < LOOKS);
                if let Some(failure) = slot.failure.as_mut().filter(|_| slot.open.is_none() && !is_coming) {
                    failure.reason = format!("cannot open: {error}");
                }
            }
        }
    }

    fn fail(&mut self, link: usize, reason: String) {
        let slot = &mut self.slots[link];
        if slot.failure.is_none() {
            slot.failure = Some(MediumFailure { reason: reason.clone(), retry_at: self.clock.mono() + RETRY });
            self.untold.push_back(LinkEvent::Failed { link, reason });
        }
    }

    fn restore(&mut self, link: usize) {
        if self.slots[link].failure.take().is_some() {
            self.untold.push_back(LinkEvent::Restored { link });
        }
    }

    /// Waits until what was sent has left this machine, at most `limit`: the last words of a node that leaves. What is
    /// received meanwhile is thrown away, and so is, when the media are dropped, what still waits for a serial line.
    pub async fn flush(&mut self, limit: Duration) {
        let deadline = self.clock.mono() + limit;
        self.slots.iter_mut().filter_map(|slot| slot.open.as_mut()).for_each(OpenLink::forget_bulk);
        while self.slots.iter().any(MediumSlot::is_writing) && self.clock.mono() < deadline {
            // The driver of a serial line tells nobody when it has sent everything.
            let pause = self.clock.instant(self.clock.mono() + Duration::from_millis(5));
            let _ = tokio::time::timeout_at(pause, self.next()).await;
        }
    }
}

impl MediumSlot {
    fn new(id: MediumId, ping_node: Option<NodeName>, plan: MediumPlan, open: OpenLink) -> MediumSlot {
        MediumSlot { open: Some(open), ..MediumSlot::closed(id, ping_node, plan) }
    }

    fn closed(id: MediumId, ping_node: Option<NodeName>, plan: MediumPlan) -> MediumSlot {
        let (failure, counters, resolving, opening) = (None, LinkCounters::default(), None, None);
        MediumSlot { id, ping_node, plan, open: None, failure, counters, drain_left: 0, resolving, opening }
    }

    /// Takes what the resolver has said, or has it asked: by a thread, because it may take a minute. Gives what it said
    /// when that was of no use.
    fn resolve(&mut self) -> Option<io::Error> {
        let MediumPlan::Unresolved(spec, lock_dir) = &self.plan else { return None };
        let Some(answer) = &self.resolving else {
            let (tell, answer) = channel();
            let (spec, lock_dir) = (spec.clone(), lock_dir.clone());
            let ask = move || {
                let mut warnings = Vec::new();
                let plan = MediumPlan::new(&spec, &lock_dir, &mut warnings);
                let _ = tell.send((plan, warnings));
            };
            let thread = std::thread::Builder::new().name("resolver".to_owned()).spawn(ask);
            self.resolving = thread.ok().map(|_| answer);
            return None;
        };
        let answer = answer.try_recv();
        if !matches!(answer, Err(TryRecvError::Empty)) {
            self.resolving = None;
        }
        let (plan, _) = answer.ok()?;
        plan.map(|plan| self.plan = plan).err()
    }

    /// For the moment in which nothing is held up yet. Gives what is unwise but not fatal.
    fn await_resolver(&mut self, patience: Duration) -> io::Result<Vec<String>> {
        let answer = self.resolving.as_ref().map(|answer| answer.recv_timeout(patience));
        let Some(Ok((plan, warnings))) = answer else { return Err(medium_plan::unresolved()) };
        self.resolving = None;
        self.plan = plan?;
        Ok(warnings)
    }

    fn is_writing(&self) -> bool {
        self.open.as_ref().is_some_and(|open| open.waiting() > 0)
    }
}
