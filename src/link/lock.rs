//! The UUCP lock of a serial line, `LCK..ttyS0` (`wire.md` 7), which getty, minicom and the original respect.
//!
//! Held as long as the line is open, unlike the original, which lets go at once. It protects from programs that do not
//! know the kernel's own exclusive mode; a dead owner's lock is removed.
//!
//! Its directory may be written by everybody (mode 1777). What lies there is therefore never followed, never waited for
//! and never read beyond a few bytes; and it is only a lock if who wrote it could use the line and runs ([`SerialLine::holder`]).
//! Anything else is taken away, and where that cannot be done the line is opened without: the kernel's exclusive mode
//! protects it all the same.

use std::collections::BTreeSet;
use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirEntryExt, FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::process::is_alive;

/// The locks of this process. A lock file with our pid that is not among them is left from an earlier process that had
/// the same pid, which is common where pids begin at 1.
static HELD: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

/// The longest lock there is: a pid, a program and a user.
const LONGEST: u64 = 64;
/// A stale lock is removed once; somebody may put one there anew, and who goes on doing so is not fought with.
const ATTEMPTS: usize = 3;
/// So many entries of the directory are looked at for the other names of a lock.
const MOST_ENTRIES: usize = 4096;

/// A lock that is ours; dropping it removes the file.
#[derive(Debug)]
pub(super) struct LineLock {
    path: PathBuf,
    /// `None` where there was no room for a file: then the kernel's exclusive mode has to do.
    file: Option<File>,
}

/// Takes the lock of `device` in `directory`.
///
/// # Errors
/// `ResourceBusy`, naming who holds it: there is no other.
pub(super) fn take(device: &str, directory: &Path) -> io::Result<LineLock> {
    let path = directory.join(format!("LCK..{}", lock_name(device)));
    let Ok(meta) = fs::metadata(device) else {
        // What is not there cannot be opened either, and its opening says so.
        return Ok(LineLock { path, file: None });
    };
    let line = SerialLine { path, directory, device: meta };
    line.refuse_holder()?;
    let file = match line.place() {
        Ok(file) => Some(file),
        Err(error) if error.kind() == io::ErrorKind::ResourceBusy => return Err(error),
        Err(error) => {
            log::debug!("no lock {}: {error}; going on without", line.path.display());
            None
        }
    };
    if file.is_some() {
        held().insert(line.path.clone());
    }
    Ok(LineLock { path: line.path, file })
}

fn held() -> MutexGuard<'static, BTreeSet<PathBuf>> {
    HELD.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Drop for LineLock {
    fn drop(&mut self) {
        let Some(file) = &self.file else { return };
        held().remove(&self.path);
        // What lies there now may be another's: it is neither opened nor removed.
        let same = |ours: Metadata, there: Metadata| (ours.dev(), ours.ino()) == (there.dev(), there.ino());
        let is_there =
            file.metadata().is_ok_and(|ours| fs::symlink_metadata(&self.path).is_ok_and(|it| same(ours, it)));
        let mut content = [0; 64];
        let read = file.read_at(&mut content, 0).unwrap_or(0);
        if is_there && pid_in(&content[..read]) == Some(std::process::id()) {
            // Nobody is left to tell; a lock that stays is stale and is removed by whoever comes next.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// The part of the path after `/dev/`, letters and digits only.
fn lock_name(device: &str) -> String {
    let name = device.strip_prefix("/dev/").unwrap_or(device);
    name.chars().filter(char::is_ascii_alphanumeric).collect()
}

/// A line, and where its lock lies.
struct SerialLine<'a> {
    path: PathBuf,
    directory: &'a Path,
    device: Metadata,
}

impl SerialLine<'_> {
    fn refuse_holder(&self) -> io::Result<()> {
        match self.holder() {
            Some(holder) => Err(io::Error::new(io::ErrorKind::ResourceBusy, self.in_use(holder))),
            None => Ok(()),
        }
    }

    /// A link is made whole or not at all, so nobody ever reads half a lock.
    fn place(&self) -> io::Result<File> {
        if !self.directory.is_dir() {
            fs::create_dir_all(self.directory)?;
        }
        let draft = self.aside()?;
        let flags = libc::O_NOFOLLOW | libc::O_CLOEXEC;
        let mut file =
            OpenOptions::new().read(true).write(true).create_new(true).mode(0o644).custom_flags(flags).open(&draft)?;
        let placed = writeln!(file, "{:>10}", std::process::id()).and_then(|()| self.link(&draft));
        // Ours, by a name nobody could know before. Best effort: a draft left behind locks nothing.
        let _ = fs::remove_file(&draft);
        placed.map(|()| file)
    }

    fn link(&self, draft: &Path) -> io::Result<()> {
        for _ in 0..ATTEMPTS {
            match fs::hard_link(draft, &self.path) {
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
                result => return result,
            }
            self.refuse_holder()?;
            self.clear()?;
        }
        Err(io::Error::other("somebody else keeps putting something there"))
    }

    /// Takes away what is no lock, or not any more.
    fn clear(&self) -> io::Result<()> {
        match fs::remove_file(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::IsADirectory => {
                // One that is not empty is not ours to empty; under another name it is in nobody's way.
                fs::remove_dir(&self.path).or_else(|_| fs::rename(&self.path, self.aside()?))
            }
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// A name in the directory that nobody can have taken in advance.
    fn aside(&self) -> io::Result<PathBuf> {
        let mut bytes = [0; 16];
        File::open("/dev/urandom")?.read_exact(&mut bytes)?;
        Ok(self.directory.join(format!("LTMP.{:032x}", u128::from_ne_bytes(bytes))))
    }

    /// Who holds the lock that lies there, if it is one.
    ///
    /// Everybody may write into the directory. A lock of root's holds for the process it names. One of another user
    /// holds only for a process of that same user, and only if that process may use the line: who could not open it has
    /// nothing to protect there. Programs such as minicom run as ordinary users of the line's group, and are respected.
    fn holder(&self) -> Option<u32> {
        let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_NOCTTY | libc::O_CLOEXEC;
        let file = OpenOptions::new().read(true).custom_flags(flags).open(&self.path).ok()?;
        let meta = file.metadata().ok()?;
        if !meta.is_file() || meta.len() > LONGEST || !self.is_of_here(&meta) {
            return None;
        }
        let mut content = Vec::new();
        file.take(LONGEST).read_to_end(&mut content).ok()?;
        let pid = pid_in(&content)?;
        if pid == std::process::id() {
            return held().contains(&self.path).then_some(pid);
        }
        let process = Process::look(pid)?;
        let ours = [0, nix::unistd::geteuid().as_raw()].contains(&meta.uid());
        (ours || process.users.contains(&meta.uid()) && process.may_use(&self.device)).then_some(pid)
    }

    /// Whether all names of a file are those of one lock of this line: somebody may have given a file of root's from
    /// elsewhere, with some number in it, a second name here. liblockdev locks a line by its name and by its numbers.
    fn is_of_here(&self, meta: &Metadata) -> bool {
        if meta.nlink() == 1 {
            return true;
        }
        let own = self.path.file_name().unwrap_or_default();
        let numbers = format!("LCK.{:03}.{:03}", libc::major(self.device.rdev()), libc::minor(self.device.rdev()));
        let is_one = |name: &std::ffi::OsStr| {
            let text = name.to_string_lossy();
            // The drafts of liblockdev and of others, for the moment between the second name and the end of the first.
            name == own || text == numbers || text.starts_with("LCK...") || text.starts_with("LTMP.")
        };
        let entries = fs::read_dir(self.directory).into_iter().flatten().flatten().take(MOST_ENTRIES);
        let names = entries.filter(|entry| entry.ino() == meta.ino() && is_one(&entry.file_name())).count();
        u64::try_from(names) == Ok(meta.nlink())
    }

    fn in_use(&self, holder: u32) -> String {
        let path = self.path.display();
        let name = fs::read_to_string(format!("/proc/{holder}/comm")).unwrap_or_default();
        // It names itself as it likes.
        let name: String = name.trim().chars().map(|c| if c.is_control() { '?' } else { c }).collect();
        match name.as_str() {
            "" => format!("in use by pid {holder} ({path})"),
            name => format!("in use by pid {holder}, {name} ({path})"),
        }
    }
}

/// The pid in a lock file, if one can be read: text, or the four bytes old programs write.
fn pid_in(content: &[u8]) -> Option<u32> {
    let text = std::str::from_utf8(content).ok().and_then(|text| text.split_whitespace().next()?.parse().ok());
    text.or_else(|| Some(u32::from_ne_bytes(content.try_into().ok()?)))
}

/// A process that runs.
struct Process {
    /// Real, effective, saved.
    users: Vec<u32>,
    groups: Vec<u32>,
}

impl Process {
    /// `None` when there is none, or it only waits to be reaped.
    fn look(pid: u32) -> Option<Process> {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let words = |name: &str| status.lines().find_map(|line| line.strip_prefix(name));
        let numbers = |name: &str| {
            words(name)
                .unwrap_or_default()
                .split_whitespace()
                .filter_map(|word| word.parse().ok())
                .collect::<Vec<u32>>()
        };
        // A thread has a place in /proc too, but is no process.
        let is_process = numbers("Tgid:") == [pid];
        let groups = [numbers("Gid:"), numbers("Groups:")].concat();
        (is_process && is_alive(pid)).then(|| Process { users: numbers("Uid:"), groups })
    }

    /// Whether it may read and write a device, by its owner, group and mode.
    fn may_use(&self, device: &Metadata) -> bool {
        let all = |shift: u32| device.mode() >> shift & 0o6 == 0o6;
        self.users.contains(&0)
            || (self.users.contains(&device.uid()) && all(6))
            || (self.groups.contains(&device.gid()) && all(3))
            || all(0)
    }
}

#[cfg(test)]
mod tests;
