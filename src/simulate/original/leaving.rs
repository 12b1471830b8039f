//! The end of a life: `heartbeat -k` (`resources.md` 5.1), and the restart after a partition (`resources.md` 2.5, 5.3).

use std::time::Duration;

use crate::cluster::{Action, ExitReason, Status, phrases};
use crate::time::Mono;

use super::stage::Stage;
use super::{Original, Phase};

/// From its own `shutdone` to the end of the process.
const FAREWELL: Duration = Duration::from_secs(2);
/// After so long it kills itself, and leaves what runs.
const EMERGENCY: Duration = Duration::from_secs(3600);
/// The patience asked for by the last beat before a restart.
const RESTART_PATIENCE: Duration = Duration::from_secs(30);

/// How far the end has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Leaving {
    No,
    /// Ordered, and waiting for what is under way.
    Ordered {
        restarts: bool,
        until: Mono,
    },
    /// Its scripts stop everything.
    Releasing {
        restarts: bool,
        until: Mono,
    },
    /// It has said `shutdone`.
    Said {
        restarts: bool,
        until: Mono,
    },
}

impl Leaving {
    pub(super) fn is_ordered(self) -> bool {
        self != Leaving::No
    }

    pub(super) fn next_deadline(self) -> Option<Mono> {
        match self {
            Leaving::No => None,
            Leaving::Ordered { until, .. } | Leaving::Releasing { until, .. } | Leaving::Said { until, .. } => {
                Some(until)
            }
        }
    }

    pub(super) fn is_over(self, now: Mono) -> bool {
        self.next_deadline().is_some_and(|until| until <= now)
    }

    fn restarts(self) -> bool {
        match self {
            Leaving::No => false,
            Leaving::Ordered { restarts, .. }
            | Leaving::Releasing { restarts, .. }
            | Leaving::Said { restarts, .. } => restarts,
        }
    }
}

impl Original {
    /// SIGTERM: it also wakes the master.
    pub(super) fn on_order_to_leave(&mut self) {
        match self.phase {
            Phase::Lives => self.order(false),
            Phase::Boots(_) | Phase::Sleeps(_) => return self.act(Action::Exit(ExitReason::Stopped)),
        }
        self.wake();
    }

    /// Everything is given up, and after a pause a new life begins.
    pub(super) fn restart_itself(&mut self) {
        self.order(true);
    }

    fn order(&mut self, restarts: bool) {
        match self.leaving {
            Leaving::No => {
                self.leaving = Leaving::Ordered { restarts, until: self.now.mono + EMERGENCY };
                if !self.is_stable() {
                    self.log("WARN: Shutdown delayed until current resource activity finishes.");
                }
            }
            // An order to stop prevails over a restart under way.
            Leaving::Ordered { until, .. } if !restarts => self.leaving = Leaving::Ordered { restarts, until },
            Leaving::Releasing { until, .. } if !restarts => self.leaving = Leaving::Releasing { restarts, until },
            Leaving::Said { until, .. } if !restarts => self.leaving = Leaving::Said { restarts, until },
            Leaving::Ordered { .. } | Leaving::Releasing { .. } | Leaving::Said { .. } => {}
        }
    }

    /// Row Q, tried again after every child and every word about resources; the end itself when its time has come.
    pub(super) fn try_to_leave(&mut self) {
        if self.phase != Phase::Lives {
            return;
        }
        if self.leaving.is_over(self.now.mono) {
            return self.end();
        }
        let communicates = self.status == Status::Active;
        if matches!(self.leaving, Leaving::Ordered { .. }) && communicates && self.is_stable() {
            self.release();
        }
    }

    /// The other died while this one waits to leave (`resources.md` 3.1.3).
    pub(super) fn leave_after_a_death(&mut self) {
        let undecided = self.stage < Stage::Stable && self.status == Status::Active;
        if undecided && matches!(self.leaving, Leaving::Ordered { .. }) {
            self.release();
        }
    }

    /// It says that it holds nothing, and only then stops it (`resources.md` 12.2 d).
    fn release(&mut self) {
        let Leaving::Ordered { restarts, until } = self.leaving else { return };
        self.leaving = Leaving::Releasing { restarts, until };
        self.log("Heartbeat shutdown in progress.");
        self.beat(Duration::ZERO);
        if !self.is_legacy() {
            self.stage = Stage::Shutdown;
            self.mine = super::Hold::NONE;
            self.say_claim(false, Some("shutdown"));
        }
        self.work_to_give_up();
    }

    /// Row D, of itself.
    pub(super) fn on_own_shutdone(&mut self) {
        self.mine = super::Hold::NONE;
        self.stage = Stage::Shutdown;
        let restarts = self.leaving.restarts();
        self.leaving = Leaving::Said { restarts, until: self.now.mono + FAREWELL };
    }

    fn end(&mut self) {
        if !matches!(self.leaving, Leaving::Said { .. }) {
            self.log("Emergency Shutdown: Attempting to kill everything ourselves");
            return self.act(Action::Exit(ExitReason::Stopped));
        }
        self.log(format!("{} Heartbeat shutdown complete.", self.settings.me));
        if !self.leaving.restarts() {
            self.phase = Phase::Sleeps(Mono::at(Duration::MAX));
            return self.act(Action::Exit(ExitReason::Stopped));
        }
        self.log("Restarting heartbeat.");
        self.beat(RESTART_PATIENCE);
        let pause = self.settings.deadtime.as_secs() + u64::from(self.settings.deadtime.subsec_nanos() > 0) + 1;
        self.phase = Phase::Sleeps(self.now.mono + Duration::from_secs(pause));
    }

    /// The program executes itself: nothing is remembered but the generation.
    pub(super) fn next_life(&mut self) {
        let generation = self.sent.generation + 1;
        let files = (self.settings.clone(), self.groups.clone());
        if let Some(next) = Original::boot(self.version, files.0, files.1, generation, self.now) {
            let acts = std::mem::take(&mut self.acts);
            let next_job = self.next_job;
            *self = Original { acts, next_job, ..next };
            self.log(phrases::RESTARTS_ITSELF);
        }
    }
}
