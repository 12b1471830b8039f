//! What the loop must not wait for: logs, journal and notes on their way to disks and terminals, written by a thread of
//! its own in the order in which they were handed over.
//!
//! A disk that hangs for a minute, or a terminal that nobody reads, must not hold up a heartbeat: the other node would
//! take over what still runs here. What waits is bounded; what finds no room is refused, and whoever hands it over says so.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Weak};
use std::time::Duration;

use crate::cluster::Level;
use crate::time::Mono;

type Job = Box<dyn FnOnce() + Send>;

/// No more jobs wait for the disk.
const MOST_WAITING: usize = 4096;
/// How long the end of this process waits for the disk.
const LAST_WORDS: Duration = Duration::from_millis(300);
const STACK: usize = 64 * 1024;

/// Sends jobs to the thread; clones send to the same one, which ends with the last of them.
#[derive(Clone)]
pub(crate) struct DiskThread(Option<Arc<DiskQueue>>);

struct DiskQueue {
    jobs: Sender<Job>,
    counts: Arc<Counts>,
}

#[derive(Default)]
struct Counts {
    waiting: AtomicUsize,
    done: AtomicUsize,
}

impl std::fmt::Debug for DiskThread {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Disk")
    }
}

impl DiskThread {
    /// No thread: everything is done at once, as before there is a loop to hold up.
    pub(crate) const fn at_once() -> DiskThread {
        DiskThread(None)
    }

    /// Starts the thread. It has the priority of whoever calls: not that of the loop.
    ///
    /// # Errors
    /// When there is no thread to be had.
    pub(crate) fn behind() -> io::Result<DiskThread> {
        let (jobs, next) = channel();
        let queue = Arc::new(DiskQueue { jobs, counts: Arc::default() });
        let counts = Arc::clone(&queue.counts);
        let thread = std::thread::Builder::new().name("disk".to_owned()).stack_size(STACK);
        thread.spawn(move || work(&next, &counts))?;
        write_all_before_a_panic_ends(Arc::downgrade(&queue));
        Ok(DiskThread(Some(queue)))
    }

    /// Has this done when everything before it is done; `false` when too much waits already, and it is not done.
    pub(crate) fn later(&self, job: impl FnOnce() + Send + 'static) -> bool {
        match &self.0 {
            Some(queue) => queue.counts.waiting.load(Ordering::Relaxed) < MOST_WAITING && queue.send(job),
            None => {
                job();
                true
            }
        }
    }

    /// Waits until everything is done, but not for long: whether it is.
    pub(crate) fn settle(&self) -> bool {
        self.settle_within(LAST_WORDS)
    }

    /// The same, at most for so long.
    pub(crate) fn settle_within(&self, patience: Duration) -> bool {
        self.0.as_ref().is_none_or(|queue| queue.settle(patience))
    }
}

impl DiskQueue {
    fn send(&self, job: impl FnOnce() + Send + 'static) -> bool {
        self.counts.waiting.fetch_add(1, Ordering::Relaxed);
        self.jobs.send(Box::new(job)).is_ok()
    }

    fn settle(&self, patience: Duration) -> bool {
        let (done, all_done) = channel();
        let told = move || {
            let _ = done.send(());
        };
        self.send(told) && all_done.recv_timeout(patience).is_ok()
    }
}

fn work(next: &Receiver<Job>, counts: &Counts) {
    for job in next {
        job();
        counts.done.fetch_add(1, Ordering::Relaxed);
        counts.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Notices a disk that hangs, for the operator.
#[derive(Debug, Default)]
pub(crate) struct DiskWatch {
    done: usize,
    /// Since when nothing has been done though something waits, and whether that has been said.
    hangs: Option<(Mono, bool)>,
}

impl DiskWatch {
    /// A disk that takes so long for one write is in trouble.
    const LONG: Duration = Duration::from_secs(5);

    /// To be asked now and then; a sentence when the disk hangs, and one when it goes on.
    pub(crate) fn look(&mut self, disk: &DiskThread, now: Mono) -> Option<(Level, String)> {
        let counts = &disk.0.as_ref()?.counts;
        let done = counts.done.load(Ordering::Relaxed);
        let moves = std::mem::replace(&mut self.done, done) != done || counts.waiting.load(Ordering::Relaxed) == 0;
        let (since, told) = *self.hangs.get_or_insert((now, false));
        let lasted = now.since(since).as_secs();
        if moves {
            self.hangs = None;
            return told.then(|| (Level::Warn, format!("log and journal can be written again, after {lasted} s")));
        }
        if told || now.since(since) < Self::LONG {
            return None;
        }
        self.hangs = Some((since, true));
        let text = format!(
            "log and journal cannot be written for {lasted} s: a disk or a terminal hangs. Heartbeats go on; look at \
             the disks of this machine"
        );
        Some((Level::Error, text))
    }
}

/// The log says why: what is still on its way there must arrive.
fn write_all_before_a_panic_ends(queue: Weak<DiskQueue>) {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        before(panic);
        if let Some(queue) = queue.upgrade() {
            queue.settle(LAST_WORDS);
        }
    }));
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[test]
    fn what_is_handed_over_is_done_in_order() {
        let disk = DiskThread::behind().unwrap();
        let done = Arc::new(Mutex::new(Vec::new()));
        for n in 0..1000 {
            let done = Arc::clone(&done);
            assert!(disk.later(move || done.lock().unwrap().push(n)));
        }
        assert!(disk.settle());
        assert_eq!(*done.lock().unwrap(), (0..1000).collect::<Vec<_>>());
    }

    #[test]
    fn a_disk_that_hangs_holds_nobody_up_and_what_waits_for_it_is_bounded() {
        let disk = DiskThread::behind().unwrap();
        let (free, hangs) = channel::<()>();
        assert!(disk.later(move || hangs.recv().unwrap_or_default()));
        let taken = (0..2 * MOST_WAITING).filter(|_| disk.later(|| {})).count();
        assert_eq!(taken, MOST_WAITING - 1);
        assert!(!disk.settle(), "it cannot be done");
        let at = |seconds| Mono::at(Duration::from_secs(seconds));
        let mut disk_watch = DiskWatch::default();
        let mut said = |seconds| disk_watch.look(&disk, at(seconds)).map(|(_, text)| text).unwrap_or_default();
        assert_eq!([said(1), said(5)], ["", ""]);
        assert!(said(6).starts_with("log and journal cannot be written for 5 s"));
        assert_eq!(said(7), "");
        free.send(()).unwrap();
        assert!(disk.settle_within(Duration::from_secs(10)), "it goes on");
        assert_eq!(said(9), "log and journal can be written again, after 8 s");
        assert!(disk.later(|| {}));
    }
}
