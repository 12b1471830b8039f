//! Wakes the loop at the core's next deadline, by a timer of the kernel: the runtime's own rounds up to whole
//! milliseconds, and is told of every new deadline by a detour through the kernel that costs more than this.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::time::Duration;

use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use crate::clock::Clock;
use crate::sys;
use crate::time::Mono;

/// Shorter than this and the timer would be switched off.
const AT_ONCE: Duration = Duration::from_nanos(1);

/// One deadline at a time.
#[derive(Debug)]
pub(crate) struct DeadlineTimer {
    timer: AsyncFd<Timer>,
    set_for: Option<Mono>,
}

/// With the trait the runtime asks for.
#[derive(Debug)]
struct Timer(TimerFd);

impl AsFd for Timer {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl AsRawFd for Timer {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_fd().as_raw_fd()
    }
}

impl DeadlineTimer {
    /// Must be called inside the runtime.
    pub(crate) fn new() -> io::Result<DeadlineTimer> {
        let flags = TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC;
        let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, flags)?;
        Ok(DeadlineTimer { timer: sys::watch(Timer(timer), Interest::READABLE)?, set_for: None })
    }

    /// Waits until this moment, or for ever. Cancel safe; the next call may name another moment.
    pub(crate) async fn reach(&mut self, clock: &Clock, at: Option<Mono>) {
        let Some(at) = at else { return std::future::pending().await };
        while clock.mono() < at {
            if self.set_for != Some(at) && self.set(at.since(clock.mono())).is_ok() {
                self.set_for = Some(at);
            }
            let Ok(mut ready) = self.timer.readable().await else {
                return tokio::time::sleep_until(clock.instant(at)).await;
            };
            // Whether it ended for this deadline or an earlier one, the clock decides.
            let _ = ready.get_inner().0.wait();
            ready.clear_ready();
            drop(ready);
            self.set_for = None;
        }
    }

    fn set(&self, after: Duration) -> nix::Result<()> {
        let after = Expiration::OneShot(TimeSpec::from_duration(after.max(AT_ONCE)));
        self.timer.get_ref().0.set(after, TimerSetTimeFlags::empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_ends_at_its_time_and_never_before_whatever_was_set_earlier() {
        let clock = Clock::start();
        let mut timer = DeadlineTimer::new().unwrap();
        let soon = clock.mono() + Duration::from_millis(20);
        let far = clock.mono() + Duration::from_secs(3600);
        tokio::select! {
            () = timer.reach(&clock, Some(far)) => panic!("an hour too early"),
            () = tokio::task::yield_now() => {}
        }
        timer.reach(&clock, Some(soon)).await;
        assert!(clock.mono() >= soon);
        let past = clock.mono();
        timer.reach(&clock, Some(past)).await;
        let later = clock.mono() + Duration::from_millis(5);
        timer.reach(&clock, Some(later)).await;
        assert!(clock.mono() >= later);
    }
}
