//! A machine that stands still judges nobody: a processor that is taken away for half a second makes every program on it
//! late, and says nothing about any of them.

use std::panic::{self, AssertUnwindSafe};
use std::sync::OnceLock;
use std::time::Duration;

use latido::clock::Clock;
use latido::lab::steady::Watch;
use latido::time::Mono;

/// So often a test may fail on a machine that stood still meanwhile; afterwards the machine cannot judge it.
pub(crate) const TRIES: usize = 2;
/// A shorter stall no test minds.
const LONG: Duration = Duration::from_millis(50);

/// A moment from which on the machine is watched.
pub(crate) struct Steady {
    since: Mono,
}

impl Steady {
    pub(crate) fn begin() -> Steady {
        Steady { since: watch().now() }
    }

    /// How long the machine stood still since then, if that was so long that being late proves nothing.
    pub(crate) fn lost(&self) -> Option<Duration> {
        Some(watch().worst(self.since, watch().now())).filter(|worst| *worst >= LONG)
    }
}

fn watch() -> &'static Watch {
    static WATCH: OnceLock<Watch> = OnceLock::new();
    WATCH.get_or_init(|| Watch::begin(Clock::start()))
}

/// Runs a test that measures time; again when it failed while the machine stood still.
pub(crate) fn on_a_steady_machine(test: impl Fn()) {
    for _ in 0..TRIES {
        let steady = Steady::begin();
        let Err(failure) = panic::catch_unwind(AssertUnwindSafe(&test)) else { return };
        let Some(stalled) = steady.lost() else { panic::resume_unwind(failure) };
        eprintln!("not judged: the machine stood still for {} ms", stalled.as_millis());
    }
}
