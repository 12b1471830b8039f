//! The one file that reads a clock: everything else gets time as an argument.
//!
//! Decides nothing. Deadlines are monotonic; the wall clock serves `ts` and the kernel's packet stamps, and is never
//! believed further than the monotonic clock can vouch for (`wire.md` 4.6: a clock that is set must not kill a node).

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

use crate::time::{Mono, Now, Wall};

/// This process's time line; [`Mono::ZERO`] is its start. Copies share it.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    /// Tokio's, so that a test that pauses the runtime pauses us too.
    start: Instant,
}

impl Clock {
    /// Starts the time line now.
    pub fn start() -> Clock {
        Clock { start: Instant::now() }
    }

    /// Both times of this moment.
    pub fn now(&self) -> Now {
        Now { mono: self.mono(), wall: Wall(wall_clock().as_secs()) }
    }

    /// The monotonic time alone.
    pub fn mono(&self) -> Mono {
        Mono::at(self.start.elapsed())
    }

    /// Time since 1970, for what people read.
    pub fn since_1970(&self) -> Duration {
        wall_clock()
    }

    /// For `tokio::time::sleep_until`.
    pub fn instant(&self, at: Mono) -> Instant {
        self.start.checked_add(at.elapsed()).unwrap_or_else(|| self.start + Duration::from_secs(86_400 * 365))
    }

    /// The time at an instant, the start's if it is earlier.
    pub fn at(&self, instant: Instant) -> Mono {
        Mono::at(instant.saturating_duration_since(self.start))
    }

    /// When a packet arrived that the kernel stamped `stamp` after 1970 and that we read just now.
    ///
    /// Never later than now and never before `not_before`, the moment at which the caller last knew that it had not
    /// arrived yet: whatever somebody does to the wall clock meanwhile, the error stays within that span.
    pub fn arrival(&self, stamp: Duration, not_before: Mono) -> Mono {
        let age = wall_clock().saturating_sub(stamp);
        self.mono().before(age).max(not_before).min(self.mono())
    }
}

/// Time since this machine was started, its sleep included: the same for every process, and for our successor.
pub fn since_boot() -> Duration {
    nix::time::clock_gettime(nix::time::ClockId::CLOCK_BOOTTIME).map(Duration::from).unwrap_or_default()
}

/// Time since 1970; zero on a clock set before it.
#[allow(clippy::disallowed_methods, reason = "this is the file that reads the clock")]
fn wall_clock() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clock_aged(age: Duration) -> Clock {
        Clock { start: Instant::now() - age }
    }

    #[test]
    fn a_stamp_of_the_past_becomes_an_earlier_time() {
        let clock = clock_aged(Duration::from_secs(100));
        let at = clock.arrival(wall_clock() - Duration::from_secs(3), Mono::ZERO);
        let age = clock.mono().since(at);
        assert!((3.0..3.5).contains(&age.as_secs_f64()), "{age:?}");
    }

    #[test]
    fn a_stamp_of_the_future_means_now() {
        let clock = clock_aged(Duration::from_secs(100));
        let earliest = clock.mono();
        let at = clock.arrival(wall_clock() + Duration::from_secs(3600), Mono::ZERO);
        assert!(at >= earliest && at <= clock.mono());
    }

    #[test]
    fn a_wall_clock_set_forward_cannot_age_a_packet_beyond_the_last_look() {
        let clock = clock_aged(Duration::from_secs(100));
        let last_look = Mono::at(Duration::from_secs(99));
        assert_eq!(clock.arrival(wall_clock() - Duration::from_secs(3600), last_look), last_look);
        assert_eq!(clock.arrival(Duration::ZERO, Mono::ZERO), Mono::ZERO);
    }

    #[test]
    fn a_far_deadline_is_still_an_instant() {
        let clock = Clock::start();
        assert!(clock.instant(Mono::at(Duration::MAX)) > clock.instant(Mono::at(Duration::from_secs(1))));
    }
}
