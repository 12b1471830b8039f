//! How the rig works: what happens next, who is told, and what becomes of what a core asks for.

use std::time::Duration;

use crate::cluster::{Action, Event, ExitReason, Probe};
use crate::haresources::{Invocation, Outcome, Resource, Verb};
use crate::names::{JobId, MediumId, NodeName};
use crate::time::{Mono, Now, Wall};
use crate::wire::{Kind, Message, field};

use super::note::What;
use super::setup::Pending;
use super::{Pair, SERIAL_DELAY, UDP_DELAY};

impl Pair {
    /// The next thing that happens, if it is not after `end`.
    pub(super) fn step(&mut self, end: Mono) -> bool {
        let deadline = |node: usize| {
            let host = &self.hosts[node];
            let due = match &host.puppet {
                Some(puppet) => puppet.next_beat(),
                None => host.cluster.as_ref()?.next_deadline()?,
            };
            Some((due.max(host.stalled_until), node))
        };
        let tick = (0..2).filter_map(deadline).min();
        let arrival =
            |(key, pending): (&(Mono, u64), &Pending)| (key.0.max(self.hosts[pending.node].stalled_until), *key);
        let event = self.queue.iter().map(arrival).min();
        match (event, tick) {
            // What has arrived is handed over before the tick: the driver does the same.
            (Some((at, key)), tick) if at <= end && tick.is_none_or(|(due, _)| at <= due) => {
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

    fn deliver(&mut self, key: (Mono, u64)) {
        let Some(pending) = self.queue.remove(&key) else { return };
        let same_life = pending.life == self.hosts[pending.node].life;
        if let (true, Some((word, Verb::Stop))) = (same_life || pending.orphan, &pending.effect) {
            self.hosts[pending.node].running.remove(word);
            self.look();
        }
        if let Some((job, invocation, limit)) = pending.run {
            if same_life {
                self.run_script(pending.node, job, &invocation, limit);
            }
            return;
        }
        if (same_life || pending.orphan) && pending.shoots {
            self.power_off(1 - pending.node);
            if same_life {
                self.promises_shot(pending.node);
            }
        }
        if same_life || matches!(pending.event, Event::Message { .. }) {
            self.tell(pending.node, pending.event);
        }
    }

    pub(super) fn tell(&mut self, node: usize, event: Event) {
        let now = self.moment();
        let is_tick = event == Event::Tick;
        if self.hosts[node].puppet.is_some() {
            return self.tell_puppet(node, &event);
        }
        self.promises_hear(node, &event);
        let line = self.tape_line(&event);
        let Some(cluster) = self.hosts[node].cluster.as_mut() else { return };
        let actions = cluster.handle(now, event);
        if is_tick {
            assert!(cluster.next_deadline().is_none_or(|at| at > now.mono), "a deadline in the past after a tick");
        }
        self.tape_event(node, line, &actions);
        actions.into_iter().for_each(|action| self.perform(node, action));
        let doubled = self.is_doubled();
        if doubled && !self.doubled {
            let both =
                self.hosts[0].running.intersection(&self.hosts[1].running).cloned().collect::<Vec<_>>().join(" ");
            self.doubles.push((self.now, both));
        }
        self.doubled = doubled;
        self.look();
    }

    fn perform(&mut self, node: usize, action: Action) {
        if let Action::Exit(reason) = &action {
            self.promises_exit(node, reason);
        }
        match action {
            Action::Send(message) => self.transmit(node, &message),
            Action::Run { job, invocation, limit } => self.run_script(node, job, &invocation, limit),
            Action::Announce { group } => self.note(node, What::Announced(group)),
            Action::Reply { response, .. } => {
                self.replies.push((node, response.clone()));
                self.note(node, What::Replied(response));
            }
            Action::Report(report) => self.note(node, What::Said(report)),
            Action::Exit(reason @ (ExitReason::Stopped | ExitReason::Upgrade)) => {
                let host = &mut self.hosts[node];
                host.cluster = None;
                host.life += 1;
                host.kept.take_if(|kept| reason == ExitReason::Stopped && !kept.claims_anything());
                self.deed(node, "left");
            }
            Action::Fence { job, device, node: victim, .. } => {
                self.note(node, What::Fenced { victim: victim.to_string(), device });
                let works = self.fence_failures == 0;
                self.fence_failures = self.fence_failures.saturating_sub(1);
                let outcome = Outcome::code(if works { 0 } else { 1 });
                let key = self.later(self.now + self.fence_takes, node, Event::Done { job, outcome }, None);
                if let Some(pending) = self.queue.get_mut(&key) {
                    pending.shoots = works;
                }
            }
            Action::CheckFence { job, .. } => {
                self.later(self.now, node, Event::Done { job, outcome: Outcome::code(0) }, None);
            }
            Action::Probe { job, probe, .. } => {
                let outcome = Outcome::code(if self.answers(node, &probe) { 0 } else { 1 });
                self.later(self.now, node, Event::Done { job, outcome }, None);
            }
            Action::Cancel { job } => {
                self.note(node, What::Cancelled);
                // Each node counts its jobs for itself.
                let cancelled = |pending: &Pending| {
                    pending.node == node && matches!(pending.event, Event::Done { job: done, .. } if done == job)
                };
                self.queue.retain(|_, pending| !cancelled(pending));
            }
            Action::Exit(ExitReason::ToBeFenced { .. }) => {
                self.hosts[node].cluster = None;
                self.hosts[node].life += 1;
                self.deed(node, "fell silent");
            }
            Action::Keep(kept) => self.hosts[node].kept = Some(kept),
            Action::Exit(ExitReason::Reboot { .. }) => self.power_off(node),
            Action::Notify(_) | Action::Deliver { .. } | Action::Remember { .. } | Action::Alive => {}
        }
    }

    pub(super) fn transmit(&mut self, node: usize, message: &Message) {
        if message.kind() == Kind::Status {
            let patience = Duration::from_millis(message.hex(field::DT).unwrap_or(0));
            self.hosts[node].said = (self.now, patience);
            self.last_status[node] = Some(message.clone());
        } else {
            self.note(node, What::Sent(essence(message)));
        }
        for (at, medium) in self.settings[node].media.clone().into_iter().enumerate() {
            match medium.ping_node {
                Some(_) if self.cut[at] => {}
                Some(host) => self.echo(node, message, medium.id, &host),
                None => self.carry(node, message, at, &medium.id),
            }
        }
    }

    /// One message on one medium between the nodes.
    fn carry(&mut self, node: usize, message: &Message, place: usize, medium: &MediumId) {
        if self.cut[place] || self.random(100) < self.loss {
            return;
        }
        // A lossy network also delays, overtakes and repeats.
        let jitter = if self.exact {
            1
        } else if self.loss > 0 {
            40_000
        } else {
            1_000
        };
        // A device is a serial line.
        let base = if medium.as_str().starts_with('/') { SERIAL_DELAY } else { UDP_DELAY };
        let copies = if self.loss > 0 && self.random(10) == 0 { 2 } else { 1 };
        for _ in 0..copies {
            let at = self.now + base + Duration::from_micros(self.random(jitter));
            let event = Event::Message { medium: medium.clone(), at, message: message.clone() };
            self.later(at, 1 - node, event, None);
        }
    }

    /// A ping host answers each heartbeat (`wire.md` 7).
    fn echo(&mut self, node: usize, message: &Message, medium: MediumId, host: &NodeName) {
        if message.kind() != Kind::Status {
            return;
        }
        let answer = Message::new(&Kind::NsSt)
            .with(field::ST, "ping")
            .with(field::SRC, host.as_str())
            .with(field::TS, format!("{:x}", self.moment().wall.0));
        let at = self.now + UDP_DELAY;
        self.later(at, node, Event::Message { medium, at, message: answer }, None);
    }

    /// Whether what a line of `monitor` is about answers on a node.
    fn answers(&self, node: usize, probe: &Probe) -> bool {
        let lines = self.settings[node].monitors.iter().filter(|monitor| monitor.with == *probe);
        let mut asked = lines.flat_map(|monitor| {
            let resources = self.groups.iter().flat_map(|group| &group.resources);
            let named =
                move |resource: &&Resource| ["*", &resource.word, &resource.agent].contains(&monitor.resource.as_str());
            resources.filter(named)
        });
        asked.any(|resource| self.hosts[node].running.contains(&resource.word))
    }

    fn run_script(&mut self, node: usize, job: JobId, invocation: &Invocation, limit: Duration) {
        if self.hosts[node].orphans_until > self.now {
            let at = self.hosts[node].orphans_until;
            let (life, run) = (self.hosts[node].life, Some((job, invocation.clone(), limit)));
            self.count += 1;
            let waits = Pending { node, life, event: Event::Tick, effect: None, orphan: false, run, shoots: false };
            self.queue.insert((at, self.count), waits);
            return;
        }
        let word = invocation.resource.word.clone();
        let runs = self.hosts[node].running.contains(&word);
        let pause = Duration::from_micros(if self.exact { 5_000 } else { self.random(20_000) });
        let (took, outcome) = self.scripts.play(node, invocation, runs, limit, pause);
        self.note(node, What::Ran(invocation.clone(), outcome.clone()));
        let worked = outcome.succeeded();
        if invocation.verb == Verb::Start && worked {
            self.hosts[node].running.insert(word.clone());
        }
        self.promises_run(node, invocation, &outcome, self.now + took);
        let effect = worked.then_some((word, invocation.verb));
        self.later(self.now + took, node, Event::Done { job, outcome }, effect);
    }

    fn later(&mut self, at: Mono, node: usize, event: Event, effect: Option<(String, Verb)>) -> (Mono, u64) {
        self.count += 1;
        let life = self.hosts[node].life;
        let pending = Pending { node, life, event, effect, orphan: false, run: None, shoots: false };
        self.queue.insert((at, self.count), pending);
        (at, self.count)
    }

    pub(super) fn moment(&self) -> Now {
        Now { mono: self.now, wall: Wall(1_700_000_000 + self.now.elapsed().as_secs()) }
    }
}

/// A message without its control fields.
fn essence(message: &Message) -> String {
    let text = message.to_string();
    text.split(" src=").next().unwrap_or("").to_owned()
}
