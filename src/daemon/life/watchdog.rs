//! `watchdog DEV` of `ha.cf` (`resources.md` 8): a device that resets this machine unless it hears of us often enough.
//!
//! It is fed where heartbeats are sent and nowhere else, so that a loop that hangs, or one that cannot say that it
//! lives, is not covered up. Only a stop after which nothing of ours runs disarms it: whatever else ends this process
//! leaves it armed, for a successor to feed or for the machine to be reset.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::fd::AsFd as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::cluster::Level;
use crate::sys;

/// What disarms it when the device is closed after it; anything else only feeds.
const DISARM: &[u8] = b"V";
const FOOD: &[u8] = b"1";
/// Above the silence after which the others call us dead.
const RESERVE: Duration = Duration::from_millis(10);

/// An open, armed device.
#[derive(Debug)]
pub(crate) struct Watchdog {
    path: PathBuf,
    device: File,
    told: bool,
    /// The timeout last asked for, in seconds.
    wanted: i32,
}

/// A line for the log.
pub(crate) type LevelledText = (Level, String);

impl Watchdog {
    /// Opens and so arms the device, with the first whole second above `deadtime`. What cannot be had is said, and the
    /// node goes on without.
    pub(crate) fn open(path: &Path, deadtime: Duration) -> (Option<Watchdog>, Vec<LevelledText>) {
        let name = path.display();
        // A FIFO without a reader would hold us up for ever.
        let device = match OpenOptions::new().write(true).custom_flags(libc::O_NONBLOCK).open(path) {
            Ok(device) => device,
            Err(error) => {
                let line = format!(
                    "Cannot open watchdog device: {name}: {error}. A node that hangs is not reset (modprobe softdog?)"
                );
                return (None, vec![(Level::Error, line)]);
            }
        };
        let mut lines = vec![(Level::Info, format!("Using watchdog device: {name}"))];
        let mut watchdog = Watchdog { path: path.to_owned(), device, told: false, wanted: 0 };
        lines.extend(watchdog.follow(deadtime));
        lines.extend(watchdog.feed());
        (Some(watchdog), lines)
    }

    /// Sets the first whole second above a new `deadtime`: between heartbeats that became rarer, the old timeout would
    /// reset a machine that lives. What the device will not have is told.
    pub(crate) fn follow(&mut self, deadtime: Duration) -> Option<LevelledText> {
        let wanted = seconds(deadtime + RESERVE);
        if std::mem::replace(&mut self.wanted, wanted) == wanted {
            return None;
        }
        let name = self.path.display();
        match sys::set_watchdog_timeout(self.device.as_fd(), wanted) {
            Ok(set) if set >= wanted => None,
            Ok(set) => {
                let text =
                    format!("{name} waits {set} s at most, less than deadtime: a short stall may reset this machine");
                Some((Level::Warn, text))
            }
            Err(error) => {
                let text =
                    format!("Set timeout for watchdog {name} to {wanted} s failed: {error}; its own timeout stays");
                Some((Level::Error, text))
            }
        }
    }

    /// We live. The first failure in a row is told.
    pub(crate) fn feed(&mut self) -> Option<LevelledText> {
        match self.device.write_all(FOOD) {
            Ok(()) => {
                self.told = false;
                None
            }
            Err(_) if self.told => None,
            Err(error) => {
                self.told = true;
                Some((Level::Crit, format!("watchdog write failure: {}: {error}", self.path.display())))
            }
        }
    }

    /// Everything is released: nobody needs to be protected from us any more.
    pub(crate) fn disarm(mut self) -> Option<LevelledText> {
        let error = self.device.write_all(DISARM).err()?;
        Some((Level::Error, format!("cannot disarm the watchdog {}: {error}", self.path.display())))
    }
}

fn seconds(time: Duration) -> i32 {
    let whole = time.as_secs() + u64::from(time.subsec_nanos() > 0);
    i32::try_from(whole).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEADTIME: Duration = Duration::from_secs(2);

    #[test]
    fn each_heartbeat_feeds_it_and_only_a_clean_stop_disarms_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("watchdog");
        std::fs::write(&path, "").unwrap();
        let (watchdog, lines) = Watchdog::open(&path, DEADTIME);
        // A file has no timeout to set.
        let said: Vec<Level> = lines.iter().map(|line| line.0).collect();
        assert_eq!(said, [Level::Info, Level::Error]);
        let mut watchdog = watchdog.unwrap();
        assert_eq!(watchdog.feed(), None);
        drop(watchdog);
        assert_eq!(std::fs::read(&path).unwrap(), b"11");
        let (watchdog, _) = Watchdog::open(&path, DEADTIME);
        assert_eq!(watchdog.unwrap().disarm(), None);
        assert_eq!(std::fs::read(&path).unwrap(), b"1V");
    }

    #[test]
    fn a_device_that_is_not_there_or_that_nobody_reads_is_told_and_done_without() {
        let dir = tempfile::tempdir().unwrap();
        let (none, lines) = Watchdog::open(&dir.path().join("none"), DEADTIME);
        assert!(none.is_none() && lines[0].1.starts_with("Cannot open watchdog device: "), "{lines:?}");
        let fifo = dir.path().join("fifo");
        nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert!(Watchdog::open(&fifo, DEADTIME).0.is_none());
    }

    #[test]
    fn a_device_that_fails_is_told_once() {
        let dir = tempfile::tempdir().unwrap();
        let fifo = dir.path().join("fifo");
        nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
        let reader = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(&fifo).unwrap();
        let mut watchdog = Watchdog::open(&fifo, DEADTIME).0.unwrap();
        drop(reader);
        assert!(watchdog.feed().is_some_and(|line| line.0 == Level::Crit));
        assert_eq!(watchdog.feed(), None);
    }

    #[test]
    fn a_deadtime_that_changed_is_set_anew_and_one_that_did_not_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("watchdog");
        std::fs::write(&path, "").unwrap();
        let mut watchdog = Watchdog::open(&path, DEADTIME).0.unwrap();
        assert_eq!(watchdog.follow(DEADTIME), None);
        // A file has no timeout to set: what was attempted shows in the refusal.
        let (_, text) = watchdog.follow(Duration::from_secs(30)).unwrap();
        assert!(text.contains(" to 31 s failed"), "{text}");
    }

    #[test]
    fn its_timeout_is_the_first_whole_second_above_deadtime() {
        assert_eq!(seconds(Duration::from_secs(2) + RESERVE), 3);
        assert_eq!(seconds(Duration::from_millis(990) + RESERVE), 1);
        assert_eq!(seconds(Duration::from_millis(500) + RESERVE), 1);
    }
}
