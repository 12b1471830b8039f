//! Another program takes over while everything we run goes on (`resources.md` 5.3): the other node is asked for patience, and
//! our successor finds all as it is.

use std::time::Duration;

use crate::wire::Sequence;

use super::super::node::Node;
use super::super::timer::Timer;
use super::super::{Cluster, ExitReason, Report, Status};

/// While it exchanges its program a node asks for so much more patience, as the original does.
const UPGRADE_PATIENCE: Duration = Duration::from_secs(30);
/// A peer that heard us says so with its next beat.
pub(super) const CONFIRMED_BEATS: u32 = 2;

/// How far an exchange of the program is.
#[derive(Debug, Default)]
pub(super) struct Upgrade {
    is_wanted: bool,
    /// The status that asked for the patience an exchange needs.
    patience_seq: Option<Sequence>,
}

impl Upgrade {
    /// For how much longer than usual the others are to bear our silence.
    pub(super) fn patience(&self) -> Duration {
        if self.patience_seq.is_some() { UPGRADE_PATIENCE } else { Duration::ZERO }
    }
}

impl Cluster {
    /// The program is to be exchanged: as soon as nothing is being started, stopped or handed over we end, and our
    /// successor finds everything as it is.
    pub(in crate::cluster) fn on_upgrade(&mut self) {
        if !self.leaving.is_ordered() {
            self.adoption.upgrade.is_wanted = true;
        }
    }

    pub(in crate::cluster) fn serve_upgrade(&mut self) {
        if !self.adoption.upgrade.is_wanted || self.out.has_ended() || self.is_needed() {
            return;
        }
        let unknown = self.members.local_status() == Status::Init || self.is_alone() || self.adoption.is_cleaning();
        if unknown || self.is_patience_confirmed() {
            return self.finish_upgrade();
        }
        if self.adoption.upgrade.patience_seq.is_none() {
            self.send_status_with(self.settings.deadtime + UPGRADE_PATIENCE);
            self.adoption.upgrade.patience_seq = Some(self.sending.seq());
            let bound = (self.settings.keepalive * CONFIRMED_BEATS).min(self.settings.deadtime / 2);
            self.timers.set(Timer::Upgrade, self.now.mono + bound);
        }
    }

    /// Something is under way that a successor should find finished.
    fn is_needed(&self) -> bool {
        self.groups.is_busy() || self.leaving.is_ordered() || self.is_handing_over()
    }

    /// Whether the other node has heard the status that asked for more patience.
    fn is_patience_confirmed(&self) -> bool {
        let heard = self.peer_node().map_or(0, Node::has_of_us);
        self.adoption.upgrade.patience_seq.is_some_and(|asked| heard >= asked.0)
    }

    /// Nobody confirms the patience we asked for: we go without it, unless we are needed again; then it is asked for anew.
    pub(in crate::cluster) fn on_patience_unconfirmed(&mut self) {
        let confirmed = self.is_patience_confirmed();
        self.adoption.upgrade.patience_seq = None;
        if !self.adoption.upgrade.is_wanted || self.is_needed() {
            return;
        }
        if !confirmed {
            // The last word about patience must be one that need not be believed.
            self.send_status();
        }
        self.finish_upgrade();
    }

    fn finish_upgrade(&mut self) {
        self.timers.stop(&Timer::Upgrade);
        self.report(Report::Upgrading);
        for index in 0..self.nodes.len() {
            self.remember(index);
        }
        self.out.end(ExitReason::Upgrade);
    }
}
