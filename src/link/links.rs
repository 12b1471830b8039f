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
use super::memory::Memory;
use super::plan::{self, Plan};
use super::watch::Watcher;
use super::{Ground, LinkError, OpenLink, Received, Sent, Urgency};

/// How long a medium that failed is left alone.
const RETRY: Duration = Duration::from_secs(1);

/// How long a resolver that does not answer may hold up a start in haste.
const RESOLVER: Duration = Duration::from_millis(200);

/// How much one medium is read in one drain, at most: more than its buffer can have held at the beginning.
const DRAIN_MOST: usize = 16_384;

/// The same for a stream, in pieces of up to 4 kB.
const DRAIN_STREAM: usize = 64;

/// How many events are told before the runtime gets to ask the kernel for news.
const BREATH: u32 = 16;

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
pub struct Counters {
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
    slots: Vec<Slot>,
    clock: Clock,
    buffer: Box<[u8]>,
    received: Range<usize>,
    /// What happened while sending, to be told by the next call.
    untold: VecDeque<LinkEvent>,
    /// Whose turn it is to be looked at first.
    turn: usize,
    /// Events since the runtime was last made to ask the kernel for news.
    since_breath: u32,
    drain_until: Mono,
    /// Tells when to look at the interfaces again; `None` in tests that have none.
    watcher: Option<Watcher>,
    notes: Vec<String>,
}

#[derive(Debug)]
struct Slot {
    id: MediumId,
    ping_node: Option<NodeName>,
    plan: Plan,
    open: Option<OpenLink>,
    trouble: Option<Trouble>,
    counters: Counters,
    /// How often it may still be read in this drain.
    drain_left: usize,
    /// A thread that asks the resolver for what the plan lacks.
    resolving: Option<Receiver<io::Result<Plan>>>,
}

#[derive(Debug)]
struct Trouble {
    reason: String,
    retry_at: Mono,
}

impl Links {
    /// Resolves and opens every medium, inside a tokio runtime. Takes as long as the resolver takes.
    ///
    /// # Errors
    /// Everything that could not be opened.
    pub fn open_all(specs: &[MediumSpec], lock_dir: &Path, clock: &Clock) -> Result<Links, Vec<LinkError>> {
        // Before the media, so that no change in between goes unnoticed. Without it a medium is looked at when it fails.
        let watcher = Watcher::open().ok();
        let (mut slots, mut notes, mut errors) = (Vec::new(), Vec::new(), Vec::new());
        for spec in specs {
            let plan = Plan::new(spec, lock_dir, &mut notes);
            match plan.and_then(|plan| plan.open(clock).map(|open| (plan, open))) {
                Ok((plan, open)) => slots.push(Slot::new(spec.id(), spec.ping_node().cloned(), plan, open)),
                Err(error) => errors.push(plan::complaint(spec, &error)),
            }
        }
        if errors.is_empty() { Ok(Links::new(slots, watcher, notes, clock)) } else { Err(errors) }
    }

    /// As [`Links::open_all`], but what cannot be opened is tried again like a medium that failed: for a node on which
    /// something runs. Says what that was.
    pub fn open_what_can(specs: &[MediumSpec], lock_dir: &Path, clock: &Clock) -> (Links, Vec<LinkError>) {
        let watcher = Watcher::open().ok();
        let (mut notes, mut errors) = (Vec::new(), Vec::new());
        let mut links = Links::new(Vec::new(), watcher, Vec::new(), clock);
        for spec in specs {
            let unresolved = Plan::Unresolved(spec.clone(), lock_dir.to_owned());
            let mut slot = Slot::closed(spec.id(), spec.ping_node().cloned(), unresolved);
            if plan::has_host(spec) {
                slot.resolve();
                slot.await_resolver(RESOLVER);
            } else if let Ok(plan) = Plan::new(spec, lock_dir, &mut notes) {
                slot.plan = plan;
            }
            let open = slot.plan.open(clock);
            let why = open.as_ref().err().map(|error| plan::complaint(spec, error));
            slot.open = open.ok();
            links.slots.push(slot);
            if let Some(why) = why {
                links.fail(links.slots.len() - 1, format!("cannot open: {}", why.why));
                errors.push(why);
            }
        }
        links.notes = notes;
        (links, errors)
    }

    /// Media inside this process, for tests.
    pub fn in_memory(ends: Vec<(MediumId, Memory)>, clock: &Clock) -> Links {
        let slot = |(id, end): (_, Memory)| Slot::new(id, None, Plan::Memory(end.clone()), OpenLink::Memory(end));
        Links::new(ends.into_iter().map(slot).collect(), None, Vec::new(), clock)
    }

    fn new(slots: Vec<Slot>, watcher: Option<Watcher>, notes: Vec<String>, clock: &Clock) -> Links {
        Links {
            slots,
            clock: *clock,
            buffer: vec![0; LARGEST].into_boxed_slice(),
            received: 0..0,
            untold: VecDeque::new(),
            turn: 0,
            since_breath: 0,
            drain_until: Mono::ZERO,
            watcher,
            notes,
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
    pub fn counters(&self, link: usize) -> Counters {
        self.slots[link].counters
    }

    /// Why it does not work, if it does not.
    pub fn trouble(&self, link: usize) -> Option<&str> {
        self.slots[link].trouble.as_ref().map(|trouble| trouble.reason.as_str())
    }

    /// What was unwise but not fatal at opening: hosts of ping groups that could not be resolved.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// What the last [`LinkEvent::Bytes`] was about.
    pub fn bytes(&self) -> &[u8] {
        &self.buffer[self.received.clone()]
    }

    /// Waits for the next event; media that have something to say are heard in turn, one piece each. Writes on meanwhile
    /// what waits for a serial line. May be dropped at any time without losing anything.
    pub async fn next(&mut self) -> LinkEvent {
        self.since_breath += 1;
        if self.since_breath >= BREATH {
            // Who always has something to read never asks the kernel what else there is: a flood on one medium would
            // make us deaf on the others.
            self.since_breath = 0;
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
            slot.drain_left = if matches!(slot.plan, Plan::Serial(_)) { DRAIN_STREAM } else { DRAIN_MOST };
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
                let frame = if matches!(slot.plan, Plan::Serial(_)) { text } else { datagram };
                self.send(link, frame, urgency);
            }
        }
    }

    /// Whether every medium that works has room for more of what can wait: the slowest sets the pace. A line that takes
    /// nothing, unplugged or held up, makes nobody wait for it.
    pub fn has_room(&mut self) -> bool {
        let open = |slot: &mut Slot| slot.open.as_mut().is_none_or(OpenLink::has_room);
        self.slots.iter_mut().filter(|slot| slot.trouble.is_none() && slot.ping_node.is_none()).all(open)
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
        let retry = |slot: &Slot| slot.trouble.as_ref().map(|trouble| trouble.retry_at);
        let look = |slot: &Slot| slot.open.as_ref().and_then(OpenLink::next_look);
        self.slots.iter().flat_map(|slot| [retry(slot), look(slot)]).flatten().min()
    }

    /// Tries to bring back what failed, if it is time. What comes of it is told by the next call of [`Links::next`] or
    /// [`Links::try_next`].
    pub fn retry(&mut self) {
        let now = self.clock.mono();
        for link in 0..self.slots.len() {
            if self.slots[link].trouble.as_ref().is_some_and(|trouble| trouble.retry_at <= now) {
                self.examine(link);
            }
        }
    }

    fn examine_all(&mut self) {
        for link in 0..self.slots.len() {
            if matches!(self.slots[link].plan, Plan::Udp(_)) {
                self.examine(link);
            }
        }
    }

    /// Opens a medium that is closed, or whose interface is not what it was.
    fn examine(&mut self, link: usize) {
        let slot = &mut self.slots[link];
        match slot.open.as_ref().map(OpenLink::ground) {
            Some(Ground::Same) => {}
            Some(Ground::Gone) => {
                slot.open = None;
                self.fail(link, "the interface is gone".to_owned());
            }
            None | Some(Ground::Changed) => self.open(link),
        }
        if let Some(trouble) = &mut self.slots[link].trouble {
            trouble.retry_at = self.clock.mono() + RETRY;
        }
    }

    fn open(&mut self, link: usize) {
        let slot = &mut self.slots[link];
        slot.resolve();
        match slot.plan.open(&self.clock) {
            Ok(open) => {
                let works = open.works_when_open();
                slot.open = Some(open);
                if works {
                    self.restore(link);
                }
            }
            // What is open stays so: an interface that lost its address may still hear.
            Err(error) => log::debug!("{} cannot be opened: {error}", slot.id),
        }
    }

    fn fail(&mut self, link: usize, reason: String) {
        let slot = &mut self.slots[link];
        if slot.trouble.is_none() {
            slot.trouble = Some(Trouble { reason: reason.clone(), retry_at: self.clock.mono() + RETRY });
            self.untold.push_back(LinkEvent::Failed { link, reason });
        }
    }

    fn restore(&mut self, link: usize) {
        if self.slots[link].trouble.take().is_some() {
            self.untold.push_back(LinkEvent::Restored { link });
        }
    }

    /// Waits until what was sent has left this machine, at most `limit`: the last words of a node that leaves. What is
    /// received meanwhile is thrown away, and so is, when the media are dropped, what still waits for a serial line.
    pub async fn flush(&mut self, limit: Duration) {
        let deadline = self.clock.mono() + limit;
        self.slots.iter_mut().filter_map(|slot| slot.open.as_mut()).for_each(OpenLink::forget_bulk);
        while self.slots.iter().any(Slot::is_writing) && self.clock.mono() < deadline {
            // The driver of a serial line tells nobody when it has sent everything.
            let pause = self.clock.instant(self.clock.mono() + Duration::from_millis(5));
            let _ = tokio::time::timeout_at(pause, self.next()).await;
        }
    }
}

impl Slot {
    fn new(id: MediumId, ping_node: Option<NodeName>, plan: Plan, open: OpenLink) -> Slot {
        Slot { open: Some(open), ..Slot::closed(id, ping_node, plan) }
    }

    fn closed(id: MediumId, ping_node: Option<NodeName>, plan: Plan) -> Slot {
        let (trouble, counters, resolving) = (None, Counters::default(), None);
        Slot { id, ping_node, plan, open: None, trouble, counters, drain_left: 0, resolving }
    }

    /// Takes what the resolver has said, or has it asked: by a thread, because it may take a minute.
    fn resolve(&mut self) {
        let Plan::Unresolved(spec, lock_dir) = &self.plan else { return };
        let Some(answer) = &self.resolving else {
            let (tell, answer) = channel();
            let (spec, lock_dir) = (spec.clone(), lock_dir.clone());
            let ask = move || {
                let _ = tell.send(Plan::new(&spec, &lock_dir, &mut Vec::new()));
            };
            let thread = std::thread::Builder::new().name("resolver".to_owned()).spawn(ask);
            self.resolving = thread.ok().map(|_| answer);
            return;
        };
        match answer.try_recv() {
            Err(TryRecvError::Empty) => {}
            Ok(Ok(plan)) => (self.plan, self.resolving) = (plan, None),
            Ok(Err(_)) | Err(TryRecvError::Disconnected) => self.resolving = None,
        }
    }

    /// For the moment in which nothing is held up yet.
    fn await_resolver(&mut self, patience: Duration) {
        if let Some(Ok(Ok(plan))) = self.resolving.as_ref().map(|answer| answer.recv_timeout(patience)) {
            (self.plan, self.resolving) = (plan, None);
        }
    }

    fn is_writing(&self) -> bool {
        self.open.as_ref().is_some_and(|open| open.waiting() > 0)
    }
}
