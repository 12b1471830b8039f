//! The time a test waits by. A test never sleeps for a while and hopes: it waits for something, at most so long.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// How often a condition is looked at.
const LOOK: Duration = Duration::from_millis(5);

/// Seconds since 1970, as the recording scripts write them.
#[allow(clippy::disallowed_methods, reason = "tests of real processes live in real time")]
pub(crate) fn epoch() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock is past 1970").as_secs_f64()
}

/// Time since an instant of this process that nobody can set back.
#[allow(clippy::disallowed_methods, reason = "tests of real processes live in real time")]
pub(crate) fn instant() -> Instant {
    Instant::now()
}

/// Lets time pass: for observing that nothing happens, and between two looks.
#[allow(clippy::disallowed_methods, reason = "tests of real processes live in real time")]
pub(crate) fn pass(time: Duration) {
    std::thread::sleep(time);
}

/// Seconds as a duration; none when they are over.
pub(crate) fn secs(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds.max(0.0))
}

/// Waits until `found` gives something; panics with `what` when it does not within `limit` seconds.
pub(crate) fn wait_for<T>(what: &str, limit: f64, mut found: impl FnMut() -> Option<T>) -> T {
    let begun = instant();
    loop {
        if let Some(found) = found() {
            return found;
        }
        assert!(begun.elapsed().as_secs_f64() < limit, "waited {limit} s in vain for {what}");
        pass(LOOK);
    }
}

/// Waits until `true`; panics with `what` when that does not come within `limit` seconds. Returns how long it took.
pub(crate) fn wait_until(what: &str, limit: f64, mut is: impl FnMut() -> bool) -> f64 {
    let begun = instant();
    wait_for(what, limit, || is().then_some(()));
    begun.elapsed().as_secs_f64()
}
