//! What did not start or did not stop here: who may try again, and when.

use super::super::monitor::CALM;
use super::super::node::Node;
use super::super::timer::Timer;
use super::super::{Cluster, ExitReason, GroupState, OnStartFailure, OnStopFailure, Report};
use super::{Group, Groups};

impl Cluster {
    pub(super) fn on_stop_failed(&mut self, lane: u64, resource: &str) {
        self.report(Report::StopFailed { resource: resource.to_owned() });
        let resource_name = resource.to_owned();
        // The last node alive resets itself for nothing: it would take down what nobody else can run.
        let is_last = self.is_alone() || !self.peer_node().is_some_and(Node::is_active);
        let exit = match self.settings.on_stop_failure {
            OnStopFailure::Reboot if is_last && !self.adoption.is_cleaning() => None,
            OnStopFailure::Reboot => Some(ExitReason::Reboot { resource: resource_name }),
            // Falling silent helps only where silence is answered by fencing.
            OnStopFailure::Fence if self.must_fence() && !self.is_alone() => {
                Some(ExitReason::ToBeFenced { resource: resource_name })
            }
            OnStopFailure::Fence | OnStopFailure::Block => None,
        };
        if let Some(reason) = exit {
            self.out.end(reason);
            return;
        }
        let Some(running) = self.groups.end_lane(lane) else { return };
        let group = self.groups.key(running.index);
        let entry = &mut self.groups.list[running.index];
        entry.state = GroupState::Blocked;
        entry.since = self.now.mono;
        entry.failure = Some(format!("{resource} does not stop"));
        self.report(Report::GroupBlocked { group, resource: resource.to_owned() });
        self.changed();
        self.run_next();
    }

    /// A group that failed everywhere is tried again after a while; its home node first.
    pub(in crate::cluster) fn forget_failure(&mut self, key: &str) {
        let Some(index) = self.groups.find(key) else { return };
        if self.groups.state(index) != GroupState::Failed || self.settings.on_start_failure == OnStartFailure::Stay {
            return;
        }
        let nobody = self.is_alone() || !self.peer.hold(index).may_run();
        let patience = if self.is_own(index) { CALM } else { CALM + CALM / 10 };
        let ripe = self.groups.list[index].since + patience;
        if nobody && self.now.mono >= ripe {
            self.report(Report::FailureForgotten { group: key.to_owned() });
            self.groups.forgive(index);
            self.groups.list[index].offered = false;
            self.try_again_in_legacy(index);
        } else {
            let next = if ripe > self.now.mono { ripe } else { self.now.mono + CALM / 10 };
            self.timers.set(Timer::Forget(key.to_owned()), next);
        }
    }

    /// An operator has mended something: a failed group may start again, a blocked one is stopped once more.
    pub(in crate::cluster) fn retry_group(&mut self, key: &str) -> Result<String, String> {
        let index = self.groups.find_by_word(key).ok_or_else(|| self.groups.unknown(key))?;
        match self.groups.state(index) {
            GroupState::Failed => {
                self.groups.forgive(index);
                self.groups.list[index].failure = None;
                self.monitors.forget(&self.groups.key(index));
                self.report(Report::FailureForgotten { group: self.groups.key(index) });
                self.try_again_in_legacy(index);
            }
            GroupState::Blocked => self.groups.want_unblocked(index),
            GroupState::Free | GroupState::Held | GroupState::Starting | GroupState::Stopping => {
                return Err(format!("{key} has not failed here: nothing to retry"));
            }
        }
        self.changed();
        Ok(self.groups.key(index))
    }
}

impl Groups {
    pub(in crate::cluster) fn forgive(&mut self, index: usize) {
        if self.list[index].state == GroupState::Failed {
            self.list[index].state = GroupState::Free;
        }
    }

    /// One more attempt for what failed: the peer is gone, or an operator asks.
    pub(in crate::cluster) fn forgive_failures(&mut self) {
        for group in &mut self.list {
            if group.state == GroupState::Failed {
                group.state = GroupState::Free;
            }
            group.offered = false;
        }
    }

    /// Nobody took what was offered: better one more attempt here than nowhere.
    pub(in crate::cluster) fn forgive_offered(&mut self) {
        let offered = |group: &&mut Group| group.state == GroupState::Failed && group.offered;
        self.list.iter_mut().filter(offered).for_each(|group| group.state = GroupState::Free);
    }

    pub(in crate::cluster) fn unoffered_failure(&self) -> Option<usize> {
        self.list.iter().position(|group| group.state == GroupState::Failed && !group.offered)
    }

    pub(in crate::cluster) fn mark_offered(&mut self, index: usize) {
        self.list[index].offered = true;
    }
}
