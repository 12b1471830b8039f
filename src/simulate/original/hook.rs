//! The original's place in the rig: it is told what a core would be told, and what it does is done as for a core.

use std::time::Duration;

use crate::cluster::{Action, Event, ExitReason};
use crate::time::Mono;

use super::super::{Fault, Intervention, Observed, SimulatedPair};
use super::{Act, Original, Version};

/// A script that lasts longer hangs.
const HANGS: Duration = Duration::from_secs(7 * 24 * 3600);

impl SimulatedPair {
    /// Starts an original heartbeat on a node, with the next generation; nothing happens where a daemon runs.
    pub fn boot_original(&mut self, node: usize, version: Version) {
        if self.is_on(node) || self.is_starting(node) {
            return;
        }
        self.observe_intervention(node, Intervention::HeartbeatStarts(version));
        self.count(Fault::Original);
        self.end_life(node);
        let generation = self.next_generation(node);
        let (settings, groups) = (self.settings[node].clone(), self.hosts[node].groups.clone());
        let original = Original::boot(version, settings, groups, generation, self.moment_of(node));
        let host = &mut self.hosts[node];
        host.powered_off = None;
        host.manual = None;
        host.original = original;
        host.asked_to_leave = false;
    }

    /// The release of the original a node runs, if it does.
    pub fn original(&self, node: usize) -> Option<Version> {
        self.hosts[node].original.as_ref().map(|original| original.version)
    }

    /// When it must be told that time passed: its scripts go on while its master stands still.
    pub(in crate::simulate) fn original_deadline(&self, node: usize) -> Option<Mono> {
        let host = &self.hosts[node];
        let original = host.original.as_ref()?;
        let master = (original.next_deadline() + host.lag).max(host.stalled_until);
        let scripts = original.next_pause().map(|at| (at + host.lag).max(host.frozen_until));
        Some(scripts.map_or(master, |at| at.min(master)))
    }

    pub(in crate::simulate) fn tell_original(&mut self, node: usize, event: Event) {
        let (now, still) = (self.moment_of(node), self.stands_still(node));
        let host = &mut self.hosts[node];
        let Some(original) = &mut host.original else { return };
        if original.groups != host.groups {
            // Its scripts read the file each time.
            original.groups.clone_from(&host.groups);
        }
        let client = if let Event::Request { client, .. } = event { Some(client) } else { None };
        let acts = original.handle(now, event, still);
        // Its own restarts count too: whoever starts here next has a higher one.
        let generation = original.generation();
        host.generation = host.generation.max(Some(generation));
        self.generation = self.generation.max(generation);
        acts.into_iter().for_each(|act| self.perform_act(node, act));
        // Its commands end at once and carry no answer.
        client.into_iter().for_each(|client| self.close(client, None));
        self.look();
    }

    fn perform_act(&mut self, node: usize, act: Act) {
        if self.hosts[node].original.is_none() {
            // It has ended meanwhile, or the machine has.
            return;
        }
        match act {
            Act::Log(text) => self.observe(node, Observed::Logged(text)),
            Act::Do(Action::Exit(ExitReason::Stopped)) => {
                self.end_life(node);
                self.observe_intervention(node, Intervention::Left);
            }
            Act::Do(action) => self.perform(node, action),
        }
    }

    /// Nobody waits for what it had started, and what hangs there does nothing more.
    pub(in crate::simulate) fn bury_original(&mut self, node: usize) {
        if self.hosts[node].original.take().is_some() {
            let never = self.now + HANGS;
            self.queue.retain(|(at, _), pending| pending.node != node || *at < never);
        }
    }
}
