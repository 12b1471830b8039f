//! What a core has done for it: scripts, probes and fencing devices, what they really do, and when.

use std::time::Duration;

use crate::cluster::{Event, Probe};
use crate::haresources::{Exit, Invocation, Outcome, Resource, Verb};
use crate::names::JobId;
use crate::time::Mono;

use super::observation::Observed;
use super::pending::PendingKind;
use super::script::{Behaviour, Effect};
use super::{Fault, Intervention, SimulatedPair};

/// What a fencing device usually needs.
pub(super) const FENCE_TAKES: Duration = Duration::from_secs(2);

impl SimulatedPair {
    /// Runs a script, or puts it off until those of a dead daemon have ended.
    pub(super) fn run_script(&mut self, node: usize, job: JobId, invocation: &Invocation, limit: Duration) {
        let waits = self.hosts[node].original.is_none();
        if let Some(at) = self.orphans_until(node).filter(|_| waits) {
            return self.await_this(at, node, PendingKind::HeldBack { job, invocation: invocation.clone(), limit });
        }
        let word = invocation.resource.word.clone();
        let runs = self.hosts[node].running.contains(&word);
        let pause = Duration::from_micros(if self.exact { 5_000 } else { self.random(20_000) });
        let call = self.scripts.play(node, invocation, runs, limit, pause);
        self.observe(node, Observed::Ran(invocation.clone(), call.outcome.clone()));
        if let Some(behaviour) = call.behaviour {
            self.count(Fault::of_script(invocation.verb, behaviour));
        } else if !self.scripts.slowness.is_zero() {
            self.count(Fault::of_script(invocation.verb, Behaviour::Slow(self.scripts.slowness)));
        }
        if invocation.verb == Verb::Start && call.begun {
            self.is_begun(node, &word);
        }
        let verb = invocation.verb;
        let ends = PendingKind::ScriptEnds { job, word, verb, outcome: call.outcome, effect: call.effect };
        self.await_this(self.now + call.took, node, ends);
    }

    /// When the last script of a dead daemon of this node ends, if one is at work.
    fn orphans_until(&self, node: usize) -> Option<Mono> {
        let host = &self.hosts[node];
        // Its fencing device is at work for its own sake.
        let of_the_dead = self.queue.iter().filter(|(_, pending)| {
            pending.node == node
                && pending.power == host.power
                && pending.life != host.life
                && matches!(pending.what, PendingKind::ScriptEnds { .. })
        });
        of_the_dead.map(|((at, _), _)| *at).max()
    }

    /// What a script did, whoever waits for it.
    pub(super) fn script_did(&mut self, node: usize, word: &str, verb: Verb, outcome: &Outcome, effect: Effect) {
        match effect {
            Effect::None => {}
            Effect::Up => self.is_up(node, word),
            Effect::UpLater(time) => self.await_this(self.now + time, node, PendingKind::ComesUp(word.to_owned())),
            Effect::Down => {
                // What was still coming up is ended as well.
                let power = self.hosts[node].power;
                self.queue.retain(|_, pending| {
                    pending.node != node || pending.power != power || !pending.what.is_coming_up(word)
                });
                self.is_down(node, word);
            }
            Effect::SaidDown => self.is_said_down(node, word),
            Effect::SeenDown => self.is_seen_down(node, word),
        }
        if verb == Verb::Stop && !outcome.succeeded() {
            self.is_not_stopped(node, word);
        }
    }

    /// Whether what a line of `monitor` is about answers on a node.
    pub(super) fn answers(&self, node: usize, probe: &Probe) -> bool {
        let lines = self.settings[node].monitors.iter().filter(|monitor| monitor.with == *probe);
        let mut asked = lines.flat_map(|monitor| {
            let resources = self.hosts[node].groups.iter().flat_map(|group| &group.resources);
            let named =
                move |resource: &&Resource| ["*", &resource.word, &resource.agent].contains(&monitor.resource.as_str());
            resources.filter(named)
        });
        asked.any(|resource| self.hosts[node].running.contains(&resource.word))
    }

    /// A device is asked to switch the other node off.
    pub(super) fn use_device(&mut self, node: usize, job: JobId, device: usize, victim: &str, limit: Duration) {
        self.observe(node, Observed::Fenced { victim: victim.to_owned(), device });
        let works = self.fence_failures == 0;
        self.fence_failures = self.fence_failures.saturating_sub(1);
        let hangs = self.fence_hangs || self.fence_takes > limit;
        let (took, outcome) = match (hangs, works) {
            (true, _) => (limit, Outcome { exit: Exit::TimedOut, said: String::new() }),
            (false, true) => (self.fence_takes, Outcome::code(0)),
            (false, false) => (self.fence_takes, Outcome::code(1)),
        };
        let kinds = [
            (Fault::FenceHangs, hangs),
            (Fault::FenceFails, !hangs && !works),
            (Fault::FenceSlow, self.fence_takes > self.settings[node].deadtime),
        ];
        kinds.into_iter().filter(|(_, happened)| *happened).for_each(|(kind, _)| self.count(kind));
        let shoots = works && !hangs;
        self.await_this(self.now + took, node, PendingKind::FenceEnds { job, outcome, shoots, cancelled: false });
    }

    /// The device has done, or not, what it was asked for.
    pub(super) fn device_did(&mut self, node: usize, shoots: bool, cancelled: bool) {
        if !shoots {
            return;
        }
        self.count(if cancelled { Fault::FenceLate } else { Fault::Fenced });
        self.power_off(1 - node);
    }

    /// What runs for this job is ended, and nobody waits for it any more. Each node counts its jobs for itself.
    pub(super) fn cancel(&mut self, node: usize, job: JobId) {
        self.observe(node, Observed::Cancelled);
        let (life, late) = (self.hosts[node].life, self.fence_late);
        let mut fences = 0;
        self.queue.retain(|_, pending| {
            if pending.node != node || pending.life != life || pending.what.job() != Some(job) {
                return true;
            }
            if let PendingKind::FenceEnds { cancelled, .. } = &mut pending.what {
                *cancelled = true;
                fences += 1;
                return late;
            }
            false
        });
        (0..fences).for_each(|_| self.count(Fault::FenceCancelled));
    }

    /// Fencing devices work again, in their usual time.
    pub fn mend_fences(&mut self) {
        (self.fence_failures, self.fence_hangs, self.fence_late) = (0, false, false);
        self.fence_takes = FENCE_TAKES;
    }

    /// A service dies by itself.
    pub fn service_dies(&mut self, node: usize, word: &str) {
        self.observe_intervention(node, Intervention::Dies(word.to_owned()));
        self.count(Fault::ServiceDies);
        self.hosts[node].running.remove(word);
        self.look();
    }

    /// Somebody starts a service behind the cluster's back.
    pub fn service_comes_up(&mut self, node: usize, word: &str) {
        self.observe_intervention(node, Intervention::ComesUp(word.to_owned()));
        self.count(Fault::ServiceComesUp);
        self.runs_by_itself(node, word);
    }

    /// A probe is made and answered at once.
    pub(super) fn make_probe(&mut self, node: usize, job: JobId, probe: &Probe) {
        let outcome = Outcome::code(if self.answers(node, probe) { 0 } else { 1 });
        self.later(self.now, node, Event::Done { job, outcome });
    }
}
