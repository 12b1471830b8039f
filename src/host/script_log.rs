//! Where the output of scripts goes (`resources.md` 3.3): the debug log, or the log, opened by the `disk_thread`
//! before it is needed. A script is started on the loop, and a disk that hangs must not hold up a heartbeat.

use std::fs::{File, OpenOptions, metadata};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use nix::fcntl::{FcntlArg, OFlag, fcntl};

use crate::config::LogTargets;

use super::disk_thread::DiskThread;
use super::log_file;

/// The file scripts append to; clones share it. The default is none.
#[derive(Clone, Debug, Default)]
pub(crate) struct ScriptLog(Option<Arc<LogPlace>>);

#[derive(Debug)]
struct LogPlace {
    path: PathBuf,
    disk: DiskThread,
    /// Held for a moment only, never while the disk is asked.
    file: Mutex<Option<Arc<File>>>,
    /// Somebody is on the way to look at the path.
    asked: AtomicBool,
}

impl ScriptLog {
    /// Opens the file here and now: before there is a loop to hold up. Later it is `disk` that looks after it.
    pub(crate) fn open(targets: &LogTargets, disk: DiskThread) -> ScriptLog {
        let log = ScriptLog::at(targets, disk, None);
        if let Some(place) = &log.0 {
            place.look();
        }
        log
    }

    /// What a new configuration wants; until that file is open the old one serves.
    pub(crate) fn follow(&self, targets: &LogTargets) -> ScriptLog {
        let (disk, file) =
            self.0.as_ref().map_or((DiskThread::at_once(), None), |old| (old.disk.clone(), old.file().clone()));
        let log = ScriptLog::at(targets, disk, file);
        log.look_later();
        log
    }

    fn at(targets: &LogTargets, disk: DiskThread, file: Option<Arc<File>>) -> ScriptLog {
        let path = targets.debugfile.clone().or_else(|| targets.logfile.clone());
        ScriptLog(
            path.map(|path| Arc::new(LogPlace { path, disk, file: Mutex::new(file), asked: AtomicBool::new(false) })),
        )
    }

    /// A descriptor for one more script; `/dev/null` where there is no log or it is not open: a log that cannot be written
    /// must not keep a service down. After a rotation the script after this one writes into the new file.
    ///
    /// # Errors
    /// When no descriptor is left.
    pub(crate) fn writer(&self) -> io::Result<File> {
        let file = self.0.as_ref().and_then(|place| place.file().clone());
        self.look_later();
        match file {
            Some(file) => file.try_clone(),
            None => OpenOptions::new().write(true).open("/dev/null"),
        }
    }

    /// Has it looked whether that path still leads to the open file.
    pub(crate) fn look_later(&self) {
        let Some(place) = self.0.as_ref().filter(|place| !place.asked.swap(true, Ordering::Relaxed)) else { return };
        let there = Arc::clone(place);
        if !place.disk.later(move || there.look()) {
            place.asked.store(false, Ordering::Relaxed);
        }
    }
}

impl LogPlace {
    fn file(&self) -> MutexGuard<'_, Option<Arc<File>>> {
        self.file.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn look(&self) {
        self.asked.store(false, Ordering::Relaxed);
        let open = self.file().clone();
        let identity = |meta: std::fs::Metadata| (meta.dev(), meta.ino());
        let is_there = open.and_then(|file| file.metadata().ok()).map(identity);
        if is_there.is_none() || is_there != metadata(&self.path).ok().map(identity) {
            let file = log_file::open_append(&self.path).and_then(for_scripts).ok();
            *self.file() = file.map(Arc::new);
        }
    }
}

/// The log is opened so that it never waits; what a script writes may.
fn for_scripts(file: File) -> io::Result<File> {
    fcntl(file.as_fd(), FcntlArg::F_SETFL(OFlag::O_APPEND))?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write as _;
    use std::path::Path;
    use std::sync::mpsc::channel;
    use std::time::Duration;

    use super::*;

    fn targets(logfile: &Path) -> LogTargets {
        LogTargets { logfile: Some(logfile.to_owned()), ..LogTargets::default() }
    }

    fn say(log: &ScriptLog, text: &str) {
        log.writer().unwrap().write_all(text.as_bytes()).unwrap();
    }

    #[test]
    fn a_disk_that_hangs_holds_up_no_script_and_what_is_said_once_it_is_back_is_kept() {
        let dir = tempfile::tempdir().unwrap();
        let (path, moved) = (dir.path().join("ha-log"), dir.path().join("ha-log.1"));
        let disk = DiskThread::behind().unwrap();
        let log = ScriptLog::open(&targets(&path), disk.clone());
        say(&log, "before");
        assert!(disk.settle_within(Duration::from_secs(10)));
        fs::rename(&path, &moved).unwrap();
        let (free, hangs) = channel::<()>();
        assert!(disk.later(move || hangs.recv().unwrap_or_default()));
        for _ in 0..10_000 {
            say(&log, ".");
        }
        assert!(disk.later(|| {}), "not one errand for each script");
        let elsewhere = log.follow(&targets(&dir.path().join("other")));
        say(&elsewhere, "old");
        assert!(!path.exists() && !dir.path().join("other").exists());
        free.send(()).unwrap();
        assert!(disk.settle_within(Duration::from_secs(10)));
        say(&log, "after");
        say(&elsewhere, "new");
        assert_eq!(fs::read_to_string(&path).unwrap(), "after");
        assert_eq!(fs::read_to_string(dir.path().join("other")).unwrap(), "new");
        let first = fs::read_to_string(&moved).unwrap();
        assert!(first.starts_with("before.") && first.ends_with(".old"), "{} bytes", first.len());
    }

    #[test]
    fn a_log_that_cannot_be_opened_costs_its_lines_and_is_tried_again_with_each_script() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("missing/ha-log");
        let log = ScriptLog::open(&targets(&path), DiskThread::at_once());
        say(&log, "lost");
        fs::create_dir(dir.path().join("missing")).unwrap();
        say(&log, "lost, but the last");
        say(&log, "kept");
        assert_eq!(fs::read_to_string(&path).unwrap(), "kept");
    }

    #[test]
    fn a_pipe_that_nobody_reads_holds_up_nobody() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ha-log");
        nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
        let disk = DiskThread::behind().unwrap();
        let log = ScriptLog::open(&targets(&path), disk.clone());
        say(&log, "lost");
        assert!(disk.settle_within(Duration::from_secs(10)));
    }
}
