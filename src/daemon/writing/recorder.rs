//! `--record FILE`: everything that happens to this node, one line each, for a bug report that can be played again
//! (`record`).
//!
//! The loop hands over a line to the `disk_thread` before the core hears of it, so that the event that kills the
//! core is the last one in the file. What is no longer written is said once; nothing else follows from it.

use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use nix::libc;

use crate::cluster::Event;
use crate::host::disk_thread::DiskThread;
use crate::record::{RecordStart, event_line};
use crate::time::Now;

/// The file never gets larger: a day of a pair that beats each second.
const MOST_BYTES: u64 = 64_000_000;

/// The loop's end of it.
#[derive(Debug)]
pub(crate) struct Recorder {
    path: PathBuf,
    disk: DiskThread,
    /// Only who writes for us holds the lock.
    writer: Arc<Mutex<Writer>>,
    trouble: Receiver<String>,
}

impl Recorder {
    /// Goes on behind what stands in the file, or makes it, readable by its owner alone.
    ///
    /// # Errors
    /// A sentence why nothing is recorded: it is a link, somebody else's or in use, it cannot be written, it is full.
    pub(crate) fn open(path: &Path, disk: DiskThread) -> Result<Recorder, String> {
        Recorder::open_for(path, disk, MOST_BYTES)
    }

    fn open_for(path: &Path, disk: DiskThread, most: u64) -> Result<Recorder, String> {
        let refuse = |why: &dyn std::fmt::Display| format!("--record {}: {why}: nothing is recorded", path.display());
        let file = open_file(path).map_err(|error| refuse(&error))?;
        let written = file.metadata().map_err(|error| refuse(&error))?.len();
        if written >= most {
            return Err(refuse(&format!("it has {written} bytes already; move it away and start this daemon again")));
        }
        let (complaints, trouble) = channel();
        let writer = Writer { path: path.to_owned(), file, written, most, complaints: Some(complaints) };
        Ok(Recorder { path: path.to_owned(), disk, writer: Arc::new(Mutex::new(writer)), trouble })
    }

    /// The life of the node begins.
    ///
    /// # Errors
    /// As [`Recorder::record_event`].
    pub(crate) fn begin(&mut self, life: &RecordStart) -> Result<(), String> {
        self.hand_over(life.to_line())
    }

    /// Something happens now.
    ///
    /// # Errors
    /// A sentence why the record has ended; it does not go on.
    pub(crate) fn record_event(&mut self, now: Now, event: &Event) -> Result<(), String> {
        self.hand_over(event_line(now, event))
    }

    fn hand_over(&mut self, line: Vec<u8>) -> Result<(), String> {
        if let Ok(why) = self.trouble.try_recv() {
            return Err(why);
        }
        let writer = Arc::clone(&self.writer);
        let write = move || writer.lock().unwrap_or_else(PoisonError::into_inner).go_on(&line);
        if self.disk.later(write) {
            return Ok(());
        }
        Err(format!("{}: the disk does not keep up: the record ends here", self.path.display()))
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.disk.settle();
    }
}

/// The disk's end of it.
#[derive(Debug)]
struct Writer {
    path: PathBuf,
    file: Flock<File>,
    written: u64,
    most: u64,
    /// Gone once the record has ended.
    complaints: Option<Sender<String>>,
}

impl Writer {
    fn go_on(&mut self, line: &[u8]) {
        if self.complaints.is_some()
            && let Err(why) = self.write(line)
            && let Some(complaints) = self.complaints.take()
        {
            // A loop that has ended does not ask any more.
            let _ = complaints.send(why);
        }
    }

    fn write(&mut self, line: &[u8]) -> Result<(), String> {
        let after = self.written + line.len() as u64;
        let path = self.path.display();
        if after > self.most {
            return Err(format!("{path} has {} bytes, which is enough: the record ends here", self.written));
        }
        if let Err(error) = self.file.write_all(line) {
            // Whole lines only.
            let _ = self.file.set_len(self.written);
            return Err(format!("{path}: {error}: the record ends here"));
        }
        self.written = after;
        Ok(())
    }
}

fn open_file(path: &Path) -> io::Result<Flock<File>> {
    let refuse = |why: &str| io::Error::other(why.to_owned());
    let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_NOCTTY;
    let opened = OpenOptions::new().read(true).append(true).create(true).mode(0o600).custom_flags(flags).open(path);
    let file = match opened {
        Err(error) if error.raw_os_error() == Some(libc::ELOOP) => {
            return Err(refuse("it is a symbolic link; name the file itself"));
        }
        opened => opened?,
    };
    let meta = file.metadata()?;
    if !meta.is_file() {
        return Err(refuse("it is no ordinary file"));
    }
    if meta.uid() != nix::unistd::geteuid().as_raw() || meta.nlink() != 1 {
        return Err(refuse("it belongs to somebody else, or has a second name; take a new file"));
    }
    let mut file = Flock::lock(file, FlockArg::LockExclusiveNonblock).map_err(|(_, errno)| {
        let is_held = errno == Errno::EWOULDBLOCK;
        if is_held { refuse("another daemon writes to it") } else { errno.into() }
    })?;
    if meta.mode() & 0o077 != 0 {
        file.set_permissions(Permissions::from_mode(0o600))?;
    }
    end_the_last_line(&mut file)?;
    Ok(file)
}

/// What was killed while it wrote left half a line.
fn end_the_last_line(file: &mut File) -> io::Result<()> {
    if file.seek(SeekFrom::End(0))? == 0 {
        return Ok(());
    }
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    if last != *b"\n" { file.write_all(b"\n") } else { Ok(()) }
}

#[cfg(test)]
mod tests;
