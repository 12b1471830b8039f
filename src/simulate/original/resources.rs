//! The resource state machine of `resources.md` 1.3, row by row, auto failback (`resources.md` 2.3) and the death of the
//! other (`resources.md` 3.1).
//!
//! What a node claims are intentions: the claim grows before the first script runs and nobody looks again.

use std::time::Duration;

use crate::cluster::{Action, AutoFailback, Status};
use crate::haresources::Outcome;
use crate::time::Mono;
use crate::wire::{Kind, Message, field};

use super::stage::Stage;
use super::standby::Standby;
use super::worker::Job;
use super::{Hold, Original};

/// Two nodes that start together wait so long for each other.
const LOCAL_WAIT: Duration = Duration::from_secs(10);
const FAILBACK_AGAIN: Duration = Duration::from_secs(1);
const FENCE_AGAIN: Duration = Duration::from_secs(5);
const FENCE_LIMIT: Duration = Duration::from_secs(120);

impl Original {
    /// Row C.
    pub(super) fn on_communication_up(&mut self) {
        if self.is_legacy() {
            self.take_own(true);
        } else {
            if self.stage == Stage::Init {
                self.stage = Stage::Starting;
            }
            self.send(Message::new(&Kind::Starting));
        }
    }

    /// Rows S.
    pub(super) fn on_starting(&mut self) {
        if self.is_legacy() {
            return;
        }
        match self.stage {
            Stage::Init | Stage::BothStarting => {
                return self.log("ERROR: Received 'starting' message in this state");
            }
            Stage::Starting => {
                self.other_stable = false;
                self.say_claim(false, None);
                // After its own word was heard: the answer alone does not begin the wait for the other's.
                self.stage = Stage::BothStarting;
            }
            Stage::Received | Stage::Stable | Stage::Shutdown => {
                self.other_stable = false;
                self.say_claim(self.stage == Stage::Stable, None);
                if self.takeover_in_progress {
                    self.log("WARN: T_STARTING received during takeover.");
                }
            }
        }
        self.try_to_leave();
    }

    /// Rows R.
    pub(super) fn on_resource(&mut self, message: &Message, own: bool) {
        if self.is_legacy() {
            return;
        }
        let held = message.get(field::RSC_HOLD).and_then(Hold::from_text).unwrap_or(Hold::NONE);
        let replaces = message.get(field::RTYPE) == Some("full") || held == Hold::NONE;
        match self.stage {
            Stage::Init => return self.log("ERROR: resource message received in state 0"),
            Stage::Starting | Stage::BothStarting => {
                self.local_deadline.get_or_insert(self.now.mono + LOCAL_WAIT);
                self.stage = Stage::Received;
            }
            Stage::Received | Stage::Stable | Stage::Shutdown => {}
        }
        if own {
            self.mine = if replaces { held } else { self.mine.with(held) };
            self.on_own_info(message.get(field::INFO));
        } else {
            self.theirs = if replaces { held } else { self.theirs.with(held) };
            self.peer.may_hold = self.theirs != Hold::NONE;
            self.on_other_stable(message.get(field::ISSTABLE));
        }
        self.audit();
        self.try_to_leave();
    }

    fn on_own_info(&mut self, info: Option<&str>) {
        match info {
            Some("mach_down") => {
                self.log("mach_down takeover complete.");
                self.takeover_in_progress = false;
                self.mine = self.mine.with(Hold::FOREIGN);
                (self.needs_failback, self.other_stable) = (true, true);
            }
            Some("shutdown") => self.stage = Stage::Shutdown,
            _ => {}
        }
    }

    fn on_other_stable(&mut self, said: Option<&str>) {
        match said {
            Some("1") if !self.other_stable => {
                self.log("remote resource transition completed.");
                self.other_stable = true;
                self.say_claim(self.stage == Stage::Stable, None);
                self.try_failback();
            }
            Some("0") => self.other_stable = false,
            _ => {}
        }
        if self.other_stable && self.stage < Stage::Stable {
            self.log("remote resource transition completed.");
            self.take_own(false);
            self.stage = Stage::Stable;
            self.say_claim(true, None);
            self.try_failback();
        }
    }

    /// Row D, of the other.
    pub(super) fn on_other_left(&mut self) {
        self.theirs = Hold::NONE;
        (self.peer.may_hold, self.other_stable) = (false, true);
        if self.leaving.is_ordered() || self.mine == Hold::ALL || self.is_legacy() {
            self.log(format!("Received shutdown notice from '{}'.", self.other));
            self.take_over();
        } else {
            self.standby = Standby::Done;
            // The missing set is inverted once too often: who holds its own takes its own again (`resources.md` 5.1).
            let again = if self.mine == Hold::NONE { Hold::ALL } else { self.mine };
            self.take_for_standby(again, Some("all"));
            self.log(format!("Received shutdown notice from '{}'.", self.other));
            self.take_over();
        }
        self.audit();
        self.try_to_leave();
    }

    /// Row K, as far as it is about resources.
    pub(super) fn on_death(&mut self) {
        if self.standby != Standby::Not {
            self.log("Cancelling pending standby operation");
            (self.standby, self.standby_deadline) = (Standby::Not, None);
        }
        if self.leaving.is_ordered() {
            self.other_stable = true;
            return self.leave_after_a_death();
        }
        self.needs_failback = true;
        if self.peer.heard && !self.peer.may_hold {
            self.log(format!("Dead node {} gave up resources.", self.other));
            self.say_stonith("unneeded");
            return self.take_what_is_missing();
        }
        if self.settings.fences.is_empty() {
            self.say_stonith("n_stnth");
            self.log("WARN: No STONITH device configured.");
            self.log("WARN: Shared disks are not protected.");
            self.take_over();
        } else if self.fencing.is_none() {
            self.fence();
        }
    }

    fn take_what_is_missing(&mut self) {
        if self.mine == Hold::ALL {
            self.other_stable = true;
            return;
        }
        if !self.mine.has(Hold::LOCAL) {
            self.take_own(true);
        }
        if !self.mine.has(Hold::FOREIGN) {
            self.take_over();
        }
    }

    fn fence(&mut self) {
        self.next_job += 1;
        let job = crate::names::JobId(self.next_job);
        self.fencing = Some(job);
        self.fence_at = None;
        self.log(format!("Resetting node {}", self.other));
        self.act(Action::Fence { job, device: 0, node: self.other.clone(), limit: FENCE_LIMIT });
    }

    /// One that failed is tried again for ever, whatever the victim says meanwhile (`resources.md` 12.2 p).
    pub(super) fn on_fenced(&mut self, outcome: &Outcome) {
        self.fencing = None;
        if outcome.succeeded() {
            self.say_stonith("OK");
            self.take_over();
        } else {
            self.say_stonith("bad");
            self.fence_at = Some(self.now.mono + FENCE_AGAIN);
        }
        self.wake();
    }

    fn say_stonith(&mut self, result: &str) {
        let message = Message::new(&Kind::Stonith).with(field::NODE, self.other.as_str());
        self.send(message.with(field::RESULT, result));
    }

    /// `req_our_resources`: claims its own groups at once, then asks for those that do not run.
    pub(super) fn take_own(&mut self, forced: bool) {
        if self.leaving.is_ordered() {
            return;
        }
        let settled = self.theirs.has(Hold::FOREIGN) || self.mine.has(Hold::LOCAL);
        if !forced && settled && self.standby == Standby::Not {
            return self.log("Local Resource acquisition completed. (none)");
        }
        if !self.is_legacy() {
            self.mine = self.mine.with(Hold::LOCAL);
        }
        self.work_for_own();
    }

    /// `takeover-from`: what the other had, and its own beside it.
    fn take_over(&mut self) {
        if self.leaving.is_ordered() {
            return self.log("Resource takeover cancelled - shutdown in progress.");
        }
        self.log(format!("Resources being acquired from {}.", self.other));
        if !self.is_legacy() {
            self.mine = self.mine.with(Hold::FOREIGN);
            self.takeover_in_progress = true;
        }
        self.theirs = Hold::NONE;
        (self.peer.may_hold, self.other_stable) = (false, true);
        self.enqueue(Job::MachDown);
        self.take_own(true);
    }

    /// Gives the other its groups back, when both are at rest (`resources.md` 2.3): running scripts are no reason to wait
    /// (`resources.md` 12.2 a).
    fn try_failback(&mut self) {
        let wanted = self.mine.has(Hold::FOREIGN) && self.needs_failback && !self.leaving.is_ordered();
        if !wanted || self.settings.auto_failback != AutoFailback::On {
            return;
        }
        if self.standby != Standby::Not || !self.other_stable || self.stage != Stage::Stable {
            self.failback_at = Some(self.now.mono + FAILBACK_AGAIN);
            return;
        }
        self.needs_failback = false;
        let offer = Message::new(&Kind::AskResources).with(field::RSC_HOLD, "foreign");
        self.send(offer.with(field::INFO, "me"));
    }

    /// What is due at each wake-up.
    pub(super) fn look_at_resources(&mut self) {
        let is_due = |at: Option<Mono>, now: Mono| at.is_some_and(|at| at <= now);
        if is_due(self.fence_at, self.now.mono) {
            self.fence();
        }
        if is_due(self.failback_at, self.now.mono) {
            self.failback_at = None;
            self.try_failback();
        }
        // Row T.
        if self.stage == Stage::Received && is_due(self.local_deadline, self.now.mono) {
            self.take_own(false);
            self.stage = Stage::Stable;
            self.log("local resource transition completed.");
            self.say_claim(true, None);
            self.audit();
        }
    }

    /// R(x).
    pub(super) fn say_claim(&mut self, stable: bool, info: Option<&str>) {
        let claim = self.claim(stable);
        self.send(match info {
            Some(info) => claim.with(field::INFO, info),
            None => claim,
        });
    }

    pub(super) fn claim(&self, stable: bool) -> Message {
        let claim = Message::new(&Kind::Resource).with(field::RSC_HOLD, self.mine.as_str()).with(field::RTYPE, "full");
        claim.with(field::ISSTABLE, if stable { "1" } else { "0" })
    }

    /// What `cl_status rscstatus` calls anything but `transition`.
    pub(super) fn is_stable(&self) -> bool {
        let quiet = self.workers.is_empty();
        if self.is_legacy() {
            return quiet;
        }
        let at_rest = matches!(self.stage, Stage::Stable | Stage::Shutdown | Stage::Init);
        let no_standby = self.standby == Standby::Not && self.standby_deadline.is_none();
        let init = self.leaving.is_ordered() && self.stage == Stage::Init;
        init || (self.other_stable && !self.takeover_in_progress && no_standby && quiet && at_rest)
    }

    /// It says what is wrong and does nothing about it (`resources.md` 2.4).
    fn audit(&mut self) {
        if self.mine.has(Hold::LOCAL) && self.theirs.has(Hold::FOREIGN) {
            self.log("ERROR: Both machines own our resources!");
        }
        if self.mine.has(Hold::FOREIGN) && self.theirs.has(Hold::LOCAL) {
            self.log("ERROR: Both machines own foreign resources!");
        }
    }

    /// Whether it has joined and is at rest, for the rig.
    pub(in crate::simulate) fn is_settled(&self) -> bool {
        self.status == Status::Active && self.jobs.is_empty() && !self.leaving.is_ordered() && self.is_stable()
    }
}
