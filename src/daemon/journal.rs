//! The journal on disk behind `latido events` and `latido why` (`journal`): bounded, and never in the way.
//!
//! Two files of at most a megabyte each. What cannot be written is lost, and said once: a full disk stops no heartbeat.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use crate::journal::Entry;

use super::files;

const MOST_BYTES: u64 = 1_000_000;

/// The open file.
#[derive(Debug)]
pub(super) struct Journal {
    path: PathBuf,
    file: Option<File>,
    written: u64,
    told: bool,
}

impl Journal {
    /// Goes on with the file at `path`, or begins it.
    pub(super) fn open(path: &Path) -> Journal {
        let mut journal = Journal { path: path.to_owned(), file: None, written: 0, told: false };
        journal.reopen();
        journal
    }

    fn reopen(&mut self) {
        self.file = OpenOptions::new().append(true).create(true).mode(0o640).open(&self.path).ok();
        self.written = self.file.as_ref().and_then(|file| file.metadata().ok()).map_or(0, |meta| meta.len());
        // Where that cannot be done only the owner can read it, which is right for a lab.
        let _ = files::share_with_clients(&self.path);
    }

    /// Appends an entry. The error, a sentence, comes once for each time it stops working.
    pub(super) fn write(&mut self, entry: &Entry) -> Result<(), String> {
        let Ok(mut line) = serde_json::to_vec(entry) else { return Ok(()) };
        line.push(b'\n');
        if self.written > MOST_BYTES {
            let _ = fs::rename(&self.path, previous(&self.path));
            self.reopen();
        }
        let result = match &mut self.file {
            // One write, so that a line is whole or cut off at its end.
            Some(file) => file.write_all(&line).map_err(|error| error.to_string()),
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

/// A report's name and particulars, from the way serde writes an enum.
pub(super) fn particulars(value: Value) -> (String, Value) {
    if let Value::Object(map) = value {
        return map.into_iter().next().unwrap_or_default();
    }
    (value.as_str().unwrap_or("unknown").to_owned(), Value::Null)
}

/// Milliseconds with three digits behind the point.
pub(super) fn ms(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1_000_000.0).round() / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_journal_never_grows_beyond_two_files_and_goes_on_after_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("latido-events");
        let entry = Entry { text: "x".repeat(1000), ..Entry::default() };
        for _ in 0..3 {
            let mut journal = Journal::open(&path);
            for _ in 0..900 {
                journal.write(&entry).unwrap();
            }
        }
        let size = |path: &Path| fs::metadata(path).map_or(0, |meta| meta.len());
        assert!(size(&path) > 0 && size(&path) < MOST_BYTES + 2000);
        assert!(size(&previous(&path)) < MOST_BYTES + 2000);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
    }

    #[test]
    fn a_disk_that_takes_nothing_is_complained_of_once() {
        let mut journal = Journal::open(Path::new("/no/such/directory/latido-events"));
        assert!(journal.write(&Entry::default()).is_err());
        assert!(journal.write(&Entry::default()).is_ok());
    }
}
