//! How the rig works: what happens next, who is told, and what becomes of what a core asks for.

use crate::cluster::{Action, Event, ExitReason, Notes};
use crate::haresources::Outcome;
use crate::time::Mono;

use super::host::UpgradeState;
use super::observation::Observed;
use super::pending::{Pending, PendingKind};
use super::{Fault, Intervention, SimulatedPair};

/// What of the queue is next: when, whether others come before it, and its key.
type Turn = (Mono, bool, (Mono, u64));

impl SimulatedPair {
    /// Lets the next thing happen, if it is not after `end`; whether there was one.
    pub fn step(&mut self, end: Mono) -> bool {
        let tick = (0..2).filter_map(|node| Some((self.deadline(node)?, node))).min();
        let next = self.queue.iter().map(|(key, pending)| self.turn(*key, pending)).min();
        match (next, tick) {
            // What has arrived is handed over before the tick: the driver does the same.
            (Some((at, _, key)), tick) if at <= end && tick.is_none_or(|(due, _)| at <= due) => {
                self.now = self.now.max(at);
                self.deliver(key);
                self.look_at_promises();
                true
            }
            (_, Some((due, node))) if due <= end => {
                self.now = self.now.max(due);
                self.tell(node, Event::Tick);
                self.look_at_promises();
                true
            }
            _ => false,
        }
    }

    /// When a node must be told that time passed.
    fn deadline(&self, node: usize) -> Option<Mono> {
        let host = &self.hosts[node];
        let due = match (&host.manual, &host.original) {
            (Some(manual), _) => manual.next_beat(),
            (None, Some(_)) => return self.original_deadline(node),
            (None, None) => host.cluster.as_ref()?.next_deadline()? + host.lag,
        };
        Some(due.max(host.stalled_until))
    }

    fn turn(&self, key: (Mono, u64), pending: &Pending) -> Turn {
        let waits = if pending.what.waits() { self.hosts[pending.node].awake_from() } else { Mono::ZERO };
        (key.0.max(waits), !pending.what.is_first(), key)
    }

    fn deliver(&mut self, key: (Mono, u64)) {
        let Some(Pending { node, life, power, what }) = self.queue.remove(&key) else { return };
        let same_life = life == self.hosts[node].life;
        let same_power = power == self.hosts[node].power;
        match what {
            PendingKind::Event(event) => {
                if same_life || matches!(event, Event::Message { .. }) {
                    self.tell(node, event);
                }
            }
            PendingKind::ScriptEnds { job, word, verb, outcome, effect } if same_power => {
                self.script_did(node, &word, verb, &outcome, effect);
                self.is_done(key, node, life, Event::Done { job, outcome });
            }
            PendingKind::FenceEnds { job, outcome, shoots, cancelled } if same_power => {
                self.device_did(node, shoots, cancelled);
                if !cancelled {
                    self.is_done(key, node, life, Event::Done { job, outcome });
                }
            }
            PendingKind::ComesUp(word) if same_power => self.is_up(node, &word),
            PendingKind::Restart if same_power => self.restart(node),
            PendingKind::HeldBack { job, invocation, limit } if same_life => {
                self.run_script(node, job, &invocation, limit);
            }
            PendingKind::DaemonReady(past) if same_life => self.daemon_ready(node, past),
            PendingKind::NotesWritten(notes, rest) if same_life => {
                self.notes_are_written(node, *notes);
                self.perform_all(node, rest);
            }
            PendingKind::IpfailStarts if same_life => self.ipfail_starts(node),
            PendingKind::IpfailWakes if same_life => self.ipfail_wakes(node),
            // Nobody is there any more.
            PendingKind::ScriptEnds { .. }
            | PendingKind::FenceEnds { .. }
            | PendingKind::ComesUp(_)
            | PendingKind::Restart
            | PendingKind::HeldBack { .. }
            | PendingKind::DaemonReady(_)
            | PendingKind::NotesWritten(..)
            | PendingKind::IpfailStarts
            | PendingKind::IpfailWakes => {}
        }
    }

    /// Something a daemon asked for is done: it learns so as soon as it listens, if it still lives.
    fn is_done(&mut self, key: (Mono, u64), node: usize, life: u64, done: Event) {
        if life != self.hosts[node].life {
            return;
        }
        // The scripts of an original are called by processes of their own: they go on while its master stands still.
        if self.hosts[node].awake_from() <= self.now || self.hosts[node].original.is_some() {
            return self.tell(node, done);
        }
        let power = self.hosts[node].power;
        self.queue.insert(key, Pending { node, life, power, what: PendingKind::Event(done) });
    }

    /// A node is told at once, or when it listens again.
    pub(super) fn tell_soon(&mut self, node: usize, event: Event) {
        if self.hosts[node].awake_from() > self.now {
            self.later(self.now, node, event);
        } else {
            self.tell(node, event);
        }
    }

    pub(super) fn tell(&mut self, node: usize, event: Event) {
        if self.hosts[node].manual.is_some() {
            return self.tell_manual_node(node, &event);
        }
        if self.hosts[node].original.is_some() {
            return self.tell_original(node, event);
        }
        if !self.is_on(node) {
            return;
        }
        let (now, is_tick) = (self.moment_of(node), event == Event::Tick);
        let event = self.as_its_clock_has_it(node, event);
        self.promises_hear(node, &event);
        let line = self.line_to_record(node, &event);
        let Some(cluster) = self.hosts[node].cluster.as_mut() else { return };
        let actions = cluster.handle(now, event);
        if is_tick {
            assert!(cluster.next_deadline().is_none_or(|at| at > now.mono), "a deadline in the past after a tick");
        }
        self.record_event(node, line, &actions);
        self.perform_all(node, actions);
        self.begin_ipfail(node);
        self.look();
    }

    /// When a message came, by the clock of a node that stood still.
    fn as_its_clock_has_it(&self, node: usize, event: Event) -> Event {
        let host = &self.hosts[node];
        let mut event = event;
        if let Event::Message { at, .. } = &mut event
            && !host.lag.is_zero()
        {
            *at = at.before(host.lag).max(host.frozen_at).min(self.moment_of(node).mono);
        }
        event
    }

    /// One action after the other; notes that take their time hold up all that follow.
    fn perform_all(&mut self, node: usize, actions: Vec<Action>) {
        let takes = self.hosts[node].notes_take;
        let mut actions = actions.into_iter();
        while let Some(action) = actions.next() {
            if let (Action::WriteNotes(notes), false) = (&action, takes.is_zero()) {
                self.count(Fault::SlowNotes);
                let done = self.now + takes;
                self.hosts[node].stalled_until = self.hosts[node].stalled_until.max(done);
                return self.await_this(
                    done,
                    node,
                    PendingKind::NotesWritten(Box::new(notes.clone()), actions.collect()),
                );
            }
            self.perform(node, action);
        }
    }

    fn notes_are_written(&mut self, node: usize, notes: Notes) {
        let host = &mut self.hosts[node];
        host.notes_before = host.notes.replace(notes);
    }

    pub(super) fn perform(&mut self, node: usize, action: Action) {
        match action {
            Action::Send(message) => self.transmit(node, &message),
            Action::Run { job, invocation, limit } => self.run_script(node, job, &invocation, limit),
            Action::Announce { group } => self.observe(node, Observed::Announced(group)),
            Action::Reply { client, response } => self.on_reply(node, client, response),
            Action::Report(report) => self.observe(node, Observed::Said(report)),
            Action::Fence { job, device, node: victim, limit } => {
                self.use_device(node, job, device, victim.as_str(), limit);
            }
            Action::CheckFence { job, .. } => {
                self.later(self.now, node, Event::Done { job, outcome: Outcome::code(0) });
            }
            Action::Probe { job, probe, .. } => self.make_probe(node, job, &probe),
            Action::Cancel { job } => self.cancel(node, job),
            Action::WriteNotes(notes) => self.notes_are_written(node, notes),
            Action::Remember { node: whom, generation, sequence, ahead } => {
                self.hosts[node].remembered.insert(whom, (generation, sequence, ahead));
            }
            Action::Forget { node: whom } => {
                self.hosts[node].remembered.remove(&whom);
            }
            Action::Exit(reason) => self.leaves(node, &reason),
            Action::Deliver { class, message } => self.ipfail_hears(node, class, &message),
            Action::Notify(_) | Action::Alive => {}
        }
    }

    fn leaves(&mut self, node: usize, reason: &ExitReason) {
        self.promises_exit(node, reason);
        match reason {
            ExitReason::Stopped | ExitReason::Upgrade => {
                let upgrade = self.hosts[node].upgrade;
                self.end_life(node);
                let stopped = *reason == ExitReason::Stopped;
                let awaited = upgrade == UpgradeState::Awaited && !stopped;
                let host = &mut self.hosts[node];
                if host.notes.take_if(|notes| stopped && !notes.claims_anything()).is_some() {
                    host.notes_before = None;
                }
                self.observe_intervention(node, Intervention::Left);
                if awaited {
                    self.await_this(self.now, node, PendingKind::Restart);
                }
            }
            ExitReason::ToBeFenced { .. } => {
                self.end_life(node);
                self.observe_intervention(node, Intervention::FellSilent);
            }
            ExitReason::Reboot { .. } => self.power_off(node),
        }
    }

    /// The daemon of a node is told something later, in this life.
    pub(super) fn later(&mut self, at: Mono, node: usize, event: Event) {
        self.await_this(at, node, PendingKind::Event(event));
    }

    /// Something will happen on a node.
    pub(super) fn await_this(&mut self, at: Mono, node: usize, what: PendingKind) {
        self.keys += 1;
        let (life, power) = (self.hosts[node].life, self.hosts[node].power);
        self.queue.insert((at, self.keys), Pending { node, life, power, what });
    }
}
