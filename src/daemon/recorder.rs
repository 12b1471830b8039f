//! `--record FILE`: everything that happens to this node, one line each, for a bug report that can be played again
//! (`record`).
//!
//! The one thing here with a thread of its own: a disk that hangs for a minute must not hold up a heartbeat. The loop
//! hands over a line before the core hears of it, so that the event that kills the core is the last one in the file,
//! and never waits for the disk. What is no longer written is said once; nothing else follows from it.

use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Weak};
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use nix::libc;

use crate::cluster::Event;
use crate::record::{Life, event_line};
use crate::time::Now;

/// The file never gets larger: a day of a pair that beats each second.
const MOST_BYTES: u64 = 64_000_000;
/// No more lines wait for the disk.
const MOST_WAITING: usize = 4096;
/// How long the end of this process waits for the disk.
const LAST_WORDS: Duration = Duration::from_millis(300);
const STACK: usize = 128 * 1024;

/// The loop's end of it.
#[derive(Debug)]
pub(super) struct Recorder {
    path: PathBuf,
    words: Arc<SyncSender<Word>>,
    trouble: Receiver<String>,
}

#[derive(Debug)]
enum Word {
    Line(Vec<u8>),
    /// Say so when everything before this is written.
    Flush(SyncSender<()>),
    /// Let go of the file, and say so.
    End(SyncSender<()>),
}

impl Recorder {
    /// Goes on behind what stands in the file, or makes it, for our eyes only.
    ///
    /// # Errors
    /// A sentence why nothing is recorded: it is a link, somebody else's or in use, it cannot be written, it is full.
    pub(super) fn open(path: &Path) -> Result<Recorder, String> {
        Recorder::open_for(path, MOST_BYTES)
    }

    fn open_for(path: &Path, most: u64) -> Result<Recorder, String> {
        let refuse = |why: &dyn std::fmt::Display| format!("--record {}: {why}: nothing is recorded", path.display());
        let file = open_file(path).map_err(|error| refuse(&error))?;
        let written = file.metadata().map_err(|error| refuse(&error))?.len();
        if written >= most {
            return Err(refuse(&format!("it has {written} bytes already; move it away and start this daemon again")));
        }
        let (words, spoken) = sync_channel(MOST_WAITING);
        let (complain, trouble) = sync_channel(1);
        let mut writer = Writer { path: path.to_owned(), file, written, most };
        let work = move || {
            let ended = writer.write_all(&spoken);
            drop(writer);
            let _ = match ended {
                Ok(Some(done)) => done.try_send(()).is_ok(),
                Ok(None) => true,
                Err(why) => complain.try_send(why).is_ok(),
            };
        };
        let thread = std::thread::Builder::new().name("record".to_owned()).stack_size(STACK);
        thread.spawn(work).map_err(|error| refuse(&format!("no thread for it: {error}")))?;
        let words = Arc::new(words);
        flush_before_a_panic_ends(Arc::downgrade(&words));
        Ok(Recorder { path: path.to_owned(), words, trouble })
    }

    /// The node is born.
    ///
    /// # Errors
    /// As [`Recorder::note`].
    pub(super) fn begin(&mut self, life: &Life) -> Result<(), String> {
        self.hand_over(life.to_line())
    }

    /// Something happens now.
    ///
    /// # Errors
    /// A sentence why the record has ended; it does not go on.
    pub(super) fn note(&mut self, now: Now, event: &Event) -> Result<(), String> {
        self.hand_over(event_line(now, event))
    }

    fn hand_over(&mut self, line: Vec<u8>) -> Result<(), String> {
        match self.words.try_send(Word::Line(line)) {
            Ok(()) => Ok(()),
            Err(TrySendError::Disconnected(_)) => Err(self
                .trouble
                .try_recv()
                .unwrap_or_else(|_| format!("{}: its writer died: the record ends here", self.path.display()))),
            Err(TrySendError::Full(_)) => {
                Err(format!("{}: the disk does not keep up: the record ends here", self.path.display()))
            }
        }
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        await_writer(&self.words, Word::End);
    }
}

/// Waits until everything is written, but not for long.
fn await_writer(words: &SyncSender<Word>, word: impl Fn(SyncSender<()>) -> Word) {
    let (done, written) = sync_channel(1);
    if words.try_send(word(done)).is_ok() {
        let _ = written.recv_timeout(LAST_WORDS);
    }
}

/// What makes this program panic is the most interesting line of all.
fn flush_before_a_panic_ends(words: Weak<SyncSender<Word>>) {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        before(panic);
        if let Some(words) = words.upgrade() {
            await_writer(&words, Word::Flush);
        }
    }));
}

/// The thread's end.
struct Writer {
    path: PathBuf,
    file: Flock<File>,
    written: u64,
    most: u64,
}

impl Writer {
    /// Until the loop is gone; returns whom to tell that the file is closed.
    fn write_all(&mut self, words: &Receiver<Word>) -> Result<Option<SyncSender<()>>, String> {
        for word in words {
            match word {
                Word::Line(line) => self.write(&line)?,
                Word::Flush(done) => {
                    let _ = done.try_send(());
                }
                Word::End(done) => return Ok(Some(done)),
            }
        }
        Ok(None)
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
