//! Whether the machine runs its programs in time. A hypervisor that takes a processor away for half a second makes every
//! program on it late, and says nothing about any of them: what was seen meanwhile judges the machine.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use nix::poll::{PollTimeout, poll};
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

use crate::clock::Clock;
use crate::sys;
use crate::time::Mono;

/// How often each processor is asked.
const EVERY: Duration = Duration::from_millis(10);
/// An answer later than this is a stall; a machine of its own is late by well under a millisecond.
const LATE: Duration = Duration::from_millis(20);
/// So many processors are watched at most: with more of them a lost one is somebody else's.
const PROCESSORS: usize = 8;
/// Above every program of the lab and of the tests: what makes us late is none of them.
const PRIORITY: i32 = 90;

/// Watches the processors from its beginning to its drop.
#[derive(Debug)]
pub struct StallWatch {
    clock: Clock,
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    stop: AtomicBool,
    stalls: Mutex<Vec<Stall>>,
}

/// A time in which a processor did not run what it should.
#[derive(Clone, Copy, Debug)]
struct Stall {
    begin: Mono,
    end: Mono,
}

impl StallWatch {
    /// Begins to watch the processors this process may use; `clock` gives the times.
    pub fn begin(clock: Clock) -> StallWatch {
        let shared = Arc::<Shared>::default();
        let allowed = sched_getaffinity(Pid::from_raw(0)).unwrap_or_default();
        let processors = (0..CpuSet::count()).filter(|number| allowed.is_set(*number).unwrap_or(false));
        let threads = processors.take(PROCESSORS).filter_map(|number| {
            let shared = Arc::clone(&shared);
            thread::Builder::new().name(format!("steady-{number}")).spawn(move || watch(number, clock, &shared)).ok()
        });
        StallWatch { clock, threads: threads.collect(), shared }
    }

    /// Now, by the clock of the watch.
    pub fn now(&self) -> Mono {
        self.clock.mono()
    }

    /// Every stall that ended after `since`: its begin and its end.
    pub fn stalls(&self, since: Mono) -> Vec<(Mono, Mono)> {
        let stalls = self.shared.stalls.lock().unwrap_or_else(PoisonError::into_inner);
        stalls.iter().filter(|stall| stall.end > since).map(|stall| (stall.begin, stall.end)).collect()
    }

    /// The longest stall of a processor that touches the time from `since` to `until`; zero when there was none.
    pub fn worst(&self, since: Mono, until: Mono) -> Duration {
        let stalls = self.shared.stalls.lock().unwrap_or_else(PoisonError::into_inner);
        let touching = stalls.iter().filter(|stall| stall.end >= since && stall.begin <= until);
        touching.map(|stall| stall.end.since(stall.begin)).max().unwrap_or_default()
    }
}

impl Drop for StallWatch {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

fn watch(processor: usize, clock: Clock, shared: &Shared) {
    let mut here = CpuSet::new();
    let _ = here.set(processor).and_then(|()| sched_setaffinity(Pid::from_raw(0), &here));
    // Refused to a user: then an overloaded machine shows too, which is as good a reason to be late.
    let _ = sys::set_realtime(PRIORITY);
    let pause = PollTimeout::try_from(EVERY).unwrap_or(PollTimeout::ZERO);
    while !shared.stop.load(Ordering::Relaxed) {
        let begin = clock.mono();
        let _ = poll(&mut [], pause);
        let end = clock.mono();
        if end.since(begin) > EVERY + LATE {
            shared.stalls.lock().unwrap_or_else(PoisonError::into_inner).push(Stall { begin, end });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Mono {
        Mono::at(Duration::from_millis(ms))
    }

    #[test]
    fn the_longest_stall_that_touches_a_span_counts() {
        let watch = StallWatch { clock: Clock::start(), shared: Arc::default(), threads: Vec::new() };
        for (begin, end) in [(100, 150), (400, 700), (900, 950)] {
            watch.shared.stalls.lock().unwrap().push(Stall { begin: ms(begin), end: ms(end) });
        }
        assert_eq!(watch.worst(ms(0), ms(2000)), Duration::from_millis(300));
        assert_eq!(watch.worst(ms(0), ms(399)), Duration::from_millis(50));
        assert_eq!(watch.worst(ms(151), ms(399)), Duration::ZERO);
    }
}
