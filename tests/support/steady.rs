//! A machine that stands still judges nobody: a processor that is taken away for half a second makes every program on it
//! late, and says nothing about any of them.

#![allow(dead_code, reason = "each kind of test has its own way to try again")]

use std::panic::{self, AssertUnwindSafe};
use std::sync::OnceLock;
use std::time::Duration;

use latido::clock::Clock;
use latido::lab::stalls::StallWatch;
use latido::time::Mono;

/// So often a test may fail on a machine that stood still meanwhile; afterwards the machine cannot judge it.
const TRIES: usize = 2;
/// A shorter stall no test minds.
const LONG: Duration = Duration::from_millis(50);

/// A moment from which on the machine is watched.
struct Steady {
    since: Mono,
}

impl Steady {
    fn begin() -> Steady {
        Steady { since: watch().now() }
    }

    /// How long the machine stood still since then, if that was so long that being late proves nothing.
    fn lost(&self) -> Option<Duration> {
        Some(watch().worst(self.since, watch().now())).filter(|worst| *worst >= LONG)
    }
}

fn watch() -> &'static StallWatch {
    static WATCH: OnceLock<StallWatch> = OnceLock::new();
    WATCH.get_or_init(|| StallWatch::begin(Clock::start()))
}

/// Tries a test until it passes, or fails on a steady machine; `None` when the machine could judge no try. `not_judged`
/// hears for how long it stood still.
pub(crate) fn judged<T>(attempt: impl Fn() -> Result<(), T>, not_judged: impl Fn(Duration)) -> Option<Result<(), T>> {
    for _ in 0..TRIES {
        let steady = Steady::begin();
        let ended = attempt();
        match steady.lost().filter(|_| ended.is_err()) {
            Some(stalled) => not_judged(stalled),
            None => return Some(ended),
        }
    }
    None
}

/// Runs a test that measures time; again when it failed while the machine stood still.
pub(crate) fn on_a_steady_machine(test: impl Fn()) {
    let attempt = || panic::catch_unwind(AssertUnwindSafe(&test));
    let say = |stalled: Duration| eprintln!("not judged: the machine stood still for {} ms", stalled.as_millis());
    if let Some(Err(failure)) = judged(attempt, say) {
        panic::resume_unwind(failure);
    }
}
