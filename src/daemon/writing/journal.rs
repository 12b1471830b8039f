//! The journal on disk behind `latido events` and `latido why` (`journal`): bounded, and never in the way.
//!
//! Two files of at most a megabyte each: what is full is thinned out into the older one, moves and the rest each to half of
//! it. What cannot be written is lost, and said once: a full disk stops no heartbeat.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::host::disk_thread::DiskThread;
use crate::host::files;
use crate::journal::{self, EventEntry};

use super::logging::Log;

const MOST_BYTES: u64 = 1_000_000;
/// Of the older file, for what moved groups; as much is for everything else.
const QUOTA: usize = 500_000;
const MODE: u32 = 0o640;

/// The way to the file.
#[derive(Debug)]
pub(crate) struct JournalWriter {
    log: Log,
    disk: DiskThread,
    pages: Arc<Mutex<Pages>>,
}

/// The open file; only who writes for us holds the lock.
#[derive(Debug)]
struct Pages {
    path: PathBuf,
    file: Option<File>,
    written: u64,
    told: bool,
}

impl JournalWriter {
    /// Goes on with the file at `path`, or begins it. What cannot be written is told to the log, which also knows the
    /// disk.
    pub(crate) fn open(path: &Path, log: &Log) -> JournalWriter {
        let mut pages = Pages { path: path.to_owned(), file: None, written: 0, told: false };
        pages.reopen();
        JournalWriter { log: log.clone(), disk: log.disk(), pages: Arc::new(Mutex::new(pages)) }
    }

    /// Appends an entry. A disk that does not keep up loses it, as it loses lines of the log, which says so.
    pub(crate) fn write(&self, entry: &EventEntry) {
        let Ok(mut line) = serde_json::to_vec(entry) else { return };
        line.push(b'\n');
        let (log, pages) = (self.log.clone(), Arc::clone(&self.pages));
        self.disk.later(move || {
            let written = pages.lock().unwrap_or_else(PoisonError::into_inner).write(&line);
            written.unwrap_or_else(|why| log.error(why));
        });
    }
}

impl Drop for JournalWriter {
    fn drop(&mut self) {
        self.disk.settle();
    }
}

impl Pages {
    fn reopen(&mut self) {
        let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_NOCTTY;
        let opened = OpenOptions::new().append(true).create(true).mode(MODE).custom_flags(flags).open(&self.path);
        let length = |file: &File| file.metadata().ok().filter(std::fs::Metadata::is_file).map(|meta| meta.len());
        self.written = opened.as_ref().ok().and_then(length).unwrap_or(0);
        self.file = opened.ok().filter(|file| length(file).is_some());
        self.file.iter().for_each(files::share_with_clients);
    }

    /// Makes one older file of both. What cannot be done leaves the newer of them as the older.
    fn thin_out(&self) {
        let older = previous(&self.path);
        let read = |path: &Path| files::read_bounded(path, 2 * MOST_BYTES).unwrap_or_default();
        let bytes = [read(&older), read(&self.path)].concat();
        let text = String::from_utf8_lossy(&bytes);
        let lines: Vec<&str> = text.lines().collect();
        let kept: String = journal::thin_out(&lines, QUOTA).into_iter().flat_map(|line| [line, "\n"]).collect();
        let written = files::replace_shared(&older, kept.as_bytes()).and_then(|()| files::remove_leftover(&self.path));
        if written.is_err() {
            let _ = fs::rename(&self.path, &older);
        }
    }

    /// The error, a sentence, comes once for each time it stops working.
    fn write(&mut self, line: &[u8]) -> Result<(), String> {
        if self.written > MOST_BYTES {
            self.thin_out();
            self.reopen();
        } else if self.file.is_none() {
            // Its disk may be there by now.
            self.reopen();
        }
        let result = match &mut self.file {
            // One write, so that a line is whole or cut off at its end.
            Some(file) => file.write_all(line).map_err(|error| error.to_string()),
            None => Err("it cannot be opened".to_owned()),
        };
        match result {
            Ok(()) => {
                self.written += line.len() as u64;
                self.told = false;
                Ok(())
            }
            Err(_) if std::mem::replace(&mut self.told, true) => Ok(()),
            Err(error) => {
                Err(format!("{}: {error}: latido events and latido why miss what happens", self.path.display()))
            }
        }
    }
}

/// The older of the two files.
pub(crate) fn previous(path: &Path) -> PathBuf {
    path.with_extension("1")
}

/// Milliseconds with three digits behind the point.
pub(crate) fn ms(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1_000_000.0).round() / 1000.0
}

#[cfg(test)]
mod tests {
    use super::super::logging::Terminal;
    use super::*;
    use crate::clock::Clock;
    use crate::cluster::EventName;

    fn log() -> Log {
        Log::start(Clock::start(), Terminal::Nobody, 0)
    }

    #[test]
    fn the_journal_never_grows_beyond_two_files_and_goes_on_after_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("latido-events");
        let entry = EventEntry { text: "x".repeat(1000), ..EventEntry::default() };
        for _ in 0..3 {
            let journal = JournalWriter::open(&path, &log());
            for _ in 0..900 {
                journal.write(&entry);
            }
        }
        let size = |path: &Path| fs::metadata(path).map_or(0, |meta| meta.len());
        assert!(size(&path) > 0 && size(&path) < MOST_BYTES + 2000);
        assert!(size(&previous(&path)) < MOST_BYTES + 2000);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
    }

    #[test]
    fn no_flood_pushes_a_move_out_of_the_journal_and_one_of_an_older_release_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("latido-events");
        let entry = |event: EventName, text: String| EventEntry {
            event: event.name().to_owned(),
            text,
            ..EventEntry::default()
        };
        let held = |entry: &EventEntry| entry.kind() == Some(EventName::GroupHeld);
        let old = serde_json::to_string(&entry(EventName::GroupHeld, "before".to_owned())).unwrap();
        fs::write(previous(&path), format!("{old}\n")).unwrap();
        let journal = JournalWriter::open(&path, &log());
        journal.write(&entry(EventName::GroupHeld, "now".to_owned()));
        for _ in 0..5000 {
            journal.write(&entry(EventName::AddressConflict, "x".repeat(1000)));
        }
        let all = fs::read_to_string(previous(&path)).unwrap() + &fs::read_to_string(&path).unwrap();
        let moves: Vec<String> = all.lines().filter_map(journal::parse).filter(held).map(|e| e.text).collect();
        assert_eq!(moves, ["before", "now"]);
        assert!(u64::try_from(all.len()).unwrap() < 2 * MOST_BYTES + 4000);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
    }

    #[test]
    fn a_disk_that_takes_nothing_is_complained_of_once() {
        let journal = JournalWriter::open(Path::new("/no/such/directory/latido-events"), &log());
        let mut pages = journal.pages.lock().unwrap();
        assert!(pages.write(b"{}").is_err());
        assert!(pages.write(b"{}").is_ok());
    }

    #[test]
    fn a_disk_that_is_there_later_is_written_then() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("later/latido-events");
        let journal = JournalWriter::open(&path, &log());
        let mut pages = journal.pages.lock().unwrap();
        assert!(pages.write(b"lost\n").is_err());
        fs::create_dir(path.parent().unwrap()).unwrap();
        assert!(pages.write(b"kept\n").is_ok());
        assert_eq!(fs::read_to_string(&path).unwrap(), "kept\n");
    }
}
