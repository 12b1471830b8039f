//! Which script of a group runs next (`resources.md` 3.2).
//!
//! ```text
//! acquire:  status ─running→ next ; else start ─ok→ next … → Held
//!                                         └fails→ release what was reached, right to left → Failed
//! restart:  release down to the sick one, then acquire from there
//! release:  stop ─ok→ next to the left … → Released
//!             └fails→ again each second, 10 times; then status ─stopped→ next ; else StopFailed
//! ```
//!
//! Otherwise than the original: a failed start stops only what had been reached; a stop that timed out is not
//! repeated; a status that proves nothing is no "stopped"; status, start and stop all end, because the caller limits them.

use std::time::Duration;

use super::{Exit, Invocation, Outcome, Resource, ResourceGroup, StatusAnswer, Verb};

/// How often a failing stop is repeated, one second apart (`HA_STOPRETRYMAX`).
const STOP_RETRIES: u32 = 10;
const STOP_PAUSE: Duration = Duration::from_secs(1);

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Run this script and tell [`Chain::on_done`] how it ended.
    Run(Invocation),
    /// Wait, then call [`Chain::on_pause`].
    Pause(Duration),
    /// Every resource runs.
    Held,
    /// Every resource was stopped.
    Released,
    /// A resource did not start; everything reached was stopped again.
    Failed {
        /// The resource, as called.
        resource: String,
        /// How its script ended.
        exit: Exit,
    },
    /// A resource did not stop, and does not say that it is down.
    StopFailed {
        /// The resource, as called.
        resource: String,
    },
}

/// Something the operator should read, on the way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChainReport {
    /// A script ended without success.
    ScriptFailed {
        /// What was called.
        call: String,
        /// How it ended.
        exit: Exit,
    },
    /// The whole group is given up because of this resource.
    GivingUp {
        /// The resource's word.
        resource: String,
    },
    /// A stop is tried again.
    RetryingStop {
        /// The resource's word.
        resource: String,
    },
    /// A stop failed although nothing runs.
    NotLsb {
        /// The resource's word.
        resource: String,
    },
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Phase {
    Checking,
    Starting,
    Stopping {
        retries: u32,
    },
    /// Asked once more after the last failing stop.
    Doubting,
    Over,
}

/// One group on its way up or down.
#[derive(Clone, Debug)]
pub struct Chain {
    resources: Vec<Resource>,
    at: usize,
    phase: Phase,
    /// A restart stops nothing left of this.
    floor: Option<usize>,
    /// Somebody before us may have started all of it, not only what was reached.
    all_may_run: bool,
    aborted: bool,
    failed: Option<(String, Exit)>,
    reports: Vec<ChainReport>,
}

impl Chain {
    /// Begins to bring a group up.
    pub fn acquire(group: &ResourceGroup) -> (Chain, Step) {
        let mut chain = Chain::new(group, 0);
        let step = chain.check_next();
        (chain, step)
    }

    /// Begins to bring up a group that a predecessor may have started, wholly or in part.
    pub fn resume(group: &ResourceGroup) -> (Chain, Step) {
        let (mut chain, step) = Chain::acquire(group);
        chain.all_may_run = true;
        (chain, step)
    }

    /// Begins to take a group down.
    pub fn release(group: &ResourceGroup) -> (Chain, Step) {
        let mut chain = Chain::new(group, group.resources.len());
        let step = chain.stop_next();
        (chain, step)
    }

    /// Begins to stop a running group down to this resource, and to bring it up again from there.
    pub fn restart(group: &ResourceGroup, from: usize) -> (Chain, Step) {
        let mut chain = Chain::new(group, group.resources.len());
        chain.floor = Some(from.min(group.resources.len()));
        let step = chain.stop_next();
        (chain, step)
    }

    fn new(group: &ResourceGroup, at: usize) -> Chain {
        Chain {
            resources: group.resources.clone(),
            at,
            phase: Phase::Checking,
            floor: None,
            all_may_run: false,
            aborted: false,
            failed: None,
            reports: Vec::new(),
        }
    }

    /// The group is no longer wanted: after the running script everything reached is stopped, and the chain ends with
    /// [`Step::Released`]. Does nothing to a chain that goes down already.
    pub fn abort(&mut self) {
        self.aborted = true;
    }

    /// Whether it has turned, or is about to turn, downward.
    pub fn is_going_down(&self) -> bool {
        self.aborted || self.floor.is_none() && matches!(self.phase, Phase::Stopping { .. } | Phase::Doubting)
    }

    /// Whether it has only asked whether the first one runs.
    pub fn has_begun_nothing(&self) -> bool {
        self.at == 0 && self.phase == Phase::Checking && !self.aborted
    }

    /// What happened on the way, for the log; taken once.
    pub fn take_reports(&mut self) -> Vec<ChainReport> {
        std::mem::take(&mut self.reports)
    }

    /// The script asked for has ended.
    pub fn on_done(&mut self, outcome: &Outcome) -> Step {
        match self.phase.clone() {
            Phase::Checking if self.aborted => {
                // What runs already may be ours: stop it too.
                self.turn_down()
            }
            Phase::Checking if outcome.told() == StatusAnswer::Running => self.started(),
            Phase::Checking => self.run(Phase::Starting, Verb::Start),
            Phase::Starting if outcome.succeeded() => self.started(),
            Phase::Starting => self.start_failed(outcome),
            Phase::Stopping { .. } if outcome.succeeded() => self.stop_next(),
            Phase::Stopping { retries } => self.stop_failed(outcome, retries),
            Phase::Doubting if outcome.told() == StatusAnswer::Stopped => {
                let resource = self.current().word.clone();
                self.reports.push(ChainReport::NotLsb { resource });
                self.stop_next()
            }
            Phase::Doubting => {
                self.phase = Phase::Over;
                Step::StopFailed { resource: self.current().to_string() }
            }
            Phase::Over => self.end(),
        }
    }

    /// The pause asked for is over.
    pub fn on_pause(&mut self) -> Step {
        match self.phase {
            Phase::Stopping { retries } => {
                let resource = self.current().word.clone();
                self.reports.push(ChainReport::RetryingStop { resource });
                self.run(Phase::Stopping { retries: retries + 1 }, Verb::Stop)
            }
            Phase::Checking | Phase::Starting | Phase::Doubting | Phase::Over => self.end(),
        }
    }

    fn current(&self) -> &Resource {
        &self.resources[self.at]
    }

    fn run(&mut self, phase: Phase, verb: Verb) -> Step {
        self.phase = phase;
        Step::Run(Invocation { resource: self.current().clone(), verb })
    }

    fn check_next(&mut self) -> Step {
        if self.at < self.resources.len() {
            self.run(Phase::Checking, Verb::Status)
        } else {
            self.phase = Phase::Over;
            Step::Held
        }
    }

    fn started(&mut self) -> Step {
        if self.aborted {
            return self.turn_down();
        }
        self.at += 1;
        self.check_next()
    }

    fn start_failed(&mut self, outcome: &Outcome) -> Step {
        let call = format!("{} start", self.current());
        self.reports.push(ChainReport::ScriptFailed { call, exit: outcome.exit.clone() });
        self.reports.push(ChainReport::GivingUp { resource: self.current().word.clone() });
        self.failed = Some((self.current().to_string(), outcome.exit.clone()));
        self.floor = None;
        // What could not even be called has begun nothing; else the one that failed may be half up and is stopped as well.
        if matches!(outcome.exit, Exit::NotFound(_)) && !self.all_may_run {
            return self.stop_next();
        }
        self.turn_down()
    }

    /// Stops the current one and everything reached before it; or all, when anything may run.
    fn turn_down(&mut self) -> Step {
        self.at = if self.all_may_run { self.resources.len() } else { self.at + 1 };
        self.stop_next()
    }

    fn stop_next(&mut self) -> Step {
        if !self.aborted && self.floor == Some(self.at) {
            self.floor = None;
            return self.check_next();
        }
        if self.at == 0 {
            return self.end();
        }
        self.at -= 1;
        self.run(Phase::Stopping { retries: 0 }, Verb::Stop)
    }

    fn stop_failed(&mut self, outcome: &Outcome, retries: u32) -> Step {
        let call = format!("{} stop", self.current());
        self.reports.push(ChainReport::ScriptFailed { call, exit: outcome.exit.clone() });
        if outcome.exit == Exit::TimedOut || retries >= STOP_RETRIES {
            return self.run(Phase::Doubting, Verb::Status);
        }
        Step::Pause(STOP_PAUSE)
    }

    fn end(&mut self) -> Step {
        self.phase = Phase::Over;
        match self.failed.take() {
            Some((resource, exit)) if !self.aborted => Step::Failed { resource, exit },
            _ => Step::Released,
        }
    }
}

#[cfg(test)]
mod tests;
