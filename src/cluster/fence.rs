//! Fencing (`resources.md` 7): nothing that may run on a dead node is started before that node is surely off.
//!
//! ```text
//! peer dead, may run something ─▶ device 1 ─fails─▶ device 2 … ─all fail─▶ pause ─▶ device 1 …
//!                                    └─works─▶ takeover            peer heard again ─▶ over, no takeover
//! ```
//!
//! A node that is heard again is left alone (`resources.md` 12.2 p).

use std::collections::BTreeSet;
use std::time::Duration;

use crate::haresources::Outcome;
use crate::names::{JobId, NodeName};
use crate::time::Mono;
use crate::wire::{Kind, Message, field};

use super::timer::Timer;
use super::{Action, Cluster, Report};

/// Between a round in which every device failed and the next, as in the original.
const PAUSE: Duration = Duration::from_secs(5);
/// The original has no limit: one device that hangs keeps every group down for ever.
const LIMIT: Duration = Duration::from_secs(120);
/// An operator is asked, and walks to the machine.
const LIMIT_OF_A_PERSON: Duration = Duration::from_secs(24 * 3600);
/// Between two checks whether a device would work.
const CHECK_EVERY: Duration = Duration::from_secs(3600);
const CHECK_LIMIT: Duration = Duration::from_secs(60);
/// For so many keepalives after a reset, what the node said right before it may still arrive.
const ECHOES: u32 = 2;

/// The node being fenced, and how the devices are.
#[derive(Debug, Default)]
pub(super) struct Fences {
    fencing: Option<Fencing>,
    checks: DeviceChecks,
    broken_devices: BTreeSet<String>,
}

/// A node being fenced.
#[derive(Debug)]
struct Fencing {
    node: NodeName,
    device: usize,
    round: u32,
    job: Option<JobId>,
    since: Mono,
}

/// Devices being asked for their health.
#[derive(Debug, Default)]
struct DeviceChecks {
    running: Vec<(JobId, usize)>,
}

impl Fences {
    /// Those that did not answer when they were last asked.
    pub(super) fn broken(&self) -> Vec<String> {
        self.broken_devices.iter().cloned().collect()
    }
}

impl Cluster {
    pub(super) fn must_fence(&self) -> bool {
        !self.settings.fences.is_empty()
    }

    /// Whether a takeover waits for a device.
    pub(super) fn is_fencing(&self) -> bool {
        self.fences.fencing.is_some()
    }

    pub(super) fn begin_fencing(&mut self, node: NodeName) {
        if self.fences.fencing.is_none() {
            self.fences.fencing = Some(Fencing { node, device: 0, round: 1, job: None, since: self.now.mono });
            self.changed();
            self.use_device();
        }
    }

    fn use_device(&mut self) {
        let job = self.groups.next_job();
        let Some(fencing) = &mut self.fences.fencing else { return };
        fencing.job = Some(job);
        let (node, device) = (fencing.node.clone(), fencing.device);
        // The list may have become shorter by a SIGHUP.
        let Some(name) = self.settings.fences.get(device).cloned() else { return self.pause_fencing() };
        let limit = if name.starts_with("meatware") { LIMIT_OF_A_PERSON } else { LIMIT };
        self.report(Report::Resetting { node: node.clone(), device: name });
        self.out.push(Action::Fence { job, device, node, limit });
    }

    /// A device has answered; false when this job is none of ours.
    pub(super) fn on_fence_done(&mut self, job: JobId, outcome: &Outcome) -> bool {
        if let Some(at) = self.fences.checks.running.iter().position(|(running, _)| *running == job) {
            let (_, device) = self.fences.checks.running.remove(at);
            self.on_check_done(device, outcome);
            return true;
        }
        let Some(fencing) = self.fences.fencing.as_mut().filter(|fencing| fencing.job == Some(job)) else {
            return false;
        };
        fencing.job = None;
        let (node, device) = (fencing.node.clone(), fencing.device);
        if outcome.succeeded() {
            self.report(Report::NodeReset { node: node.clone() });
            self.fences.fencing = None;
            self.send_stonith(&node, "OK");
            self.peer.note_gone();
            let until = self.now.mono + self.settings.keepalive * ECHOES;
            if let Some(fenced) = self.nodes.iter_mut().find(|other| *other.name() == node) {
                fenced.expect_echoes(until);
            }
            self.take_over_from_dead(&node, true);
            return true;
        }
        let device = self.settings.fences.get(device).cloned().unwrap_or_default();
        self.report(Report::NotReset { node: node.clone(), device, why: outcome.exit.to_string() });
        if let Some(fencing) = &mut self.fences.fencing {
            fencing.device = fencing.device.saturating_add(1);
            if fencing.device < self.settings.fences.len() {
                self.use_device();
            } else {
                self.send_stonith(&node, "bad");
                self.report(Report::FencingRetries { node });
                self.pause_fencing();
            }
        }
        true
    }

    fn pause_fencing(&mut self) {
        if let Some(fencing) = &mut self.fences.fencing {
            fencing.device = 0;
            fencing.round = fencing.round.saturating_add(1);
            fencing.job = None;
            self.timers.set(Timer::Fence, self.now.mono + PAUSE);
        }
    }

    pub(super) fn on_fence_pause_over(&mut self) {
        if self.settings.fences.is_empty() {
            // A SIGHUP took the devices away: the operator wants the takeover without them.
            if let Some(fencing) = self.fences.fencing.take() {
                self.take_over_from_dead(&fencing.node, false);
            }
            return;
        }
        self.use_device();
    }

    /// The node lives, or we leave: nobody is shot any more.
    pub(super) fn stop_fencing(&mut self) {
        let Some(fencing) = self.fences.fencing.take() else { return };
        self.timers.stop(&Timer::Fence);
        if let Some(job) = fencing.job {
            self.out.push(Action::Cancel { job });
        }
        self.report(Report::FencingCancelled { node: fencing.node });
        self.changed();
    }

    pub(super) fn send_stonith(&mut self, node: &NodeName, result: &str) {
        let message = Message::new(&Kind::Stonith).with(field::NODE, node.as_str()).with(field::RESULT, result);
        self.send(message);
    }

    /// What `latido status` says of it.
    pub(super) fn fencing_text(&self) -> Option<String> {
        let fencing = self.fences.fencing.as_ref()?;
        let device = self.settings.fences.get(fencing.device).map_or("", String::as_str);
        let waited = self.now.mono.since(fencing.since).as_secs();
        let Fencing { node, round, .. } = fencing;
        Some(format!("{node} must be fenced before its groups are taken over: {device}, attempt {round}, {waited} s"))
    }

    /// Asks every device whether it would work; first when communication is up, then each hour.
    pub(super) fn check_devices(&mut self) {
        if self.settings.fences.is_empty() {
            return;
        }
        self.timers.set(Timer::FenceCheck, self.now.mono + CHECK_EVERY);
        if !self.fences.checks.running.is_empty() {
            return;
        }
        for device in 0..self.settings.fences.len() {
            let job = self.groups.next_job();
            self.fences.checks.running.push((job, device));
            self.out.push(Action::CheckFence { job, device, limit: CHECK_LIMIT });
        }
    }

    fn on_check_done(&mut self, device: usize, outcome: &Outcome) {
        let Some(name) = self.settings.fences.get(device).cloned() else { return };
        if outcome.succeeded() {
            if self.fences.broken_devices.remove(&name) {
                self.report(Report::FenceDeviceWorks { device: name });
            }
        } else {
            self.fences.broken_devices.insert(name.clone());
            self.report(Report::FenceDeviceBroken { device: name, why: outcome.exit.to_string() });
        }
    }
}
