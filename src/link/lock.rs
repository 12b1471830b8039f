//! The UUCP lock of a serial line, `LCK..ttyS0` (`wire.md` 7), which getty, minicom and the original respect.
//!
//! Held as long as the line is open, unlike the original, which lets go at once. It protects from programs that do not
//! know the kernel's own exclusive mode; a dead owner's lock is removed.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use nix::errno::Errno;
use nix::sys::signal::kill;
use nix::unistd::Pid;

/// The locks of this process. A lock file with our pid that is not among them is left from an earlier process that had
/// the same pid, which is common where pids begin at 1.
static HELD: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

/// A lock that is ours; dropping it removes the file.
#[derive(Debug)]
pub(super) struct LineLock {
    path: PathBuf,
    pid: u32,
}

/// Takes the lock of `device` in `directory`; the error names who holds it.
pub(super) fn take(device: &str, directory: &Path) -> io::Result<LineLock> {
    fs::create_dir_all(directory)?;
    let pid = std::process::id();
    let path = directory.join(format!("LCK..{}", lock_name(device)));
    // A link is made whole or not at all, so nobody ever reads half a lock.
    let draft = directory.join(format!("LTMP.{pid}.{}", lock_name(device)));
    if let Err(error) = write_draft(&draft, pid) {
        let _ = fs::remove_file(&draft);
        return without_room(&path, error);
    }
    let result = link(&draft, &path, pid);
    // Best effort: a draft left behind locks nothing.
    let _ = fs::remove_file(&draft);
    result?;
    held().insert(path.clone());
    Ok(LineLock { path, pid })
}

/// A disk that is full must not silence the line: the kernel's exclusive mode still protects it. A lock that somebody
/// else holds is respected all the same.
fn without_room(path: &Path, error: io::Error) -> io::Result<LineLock> {
    use io::ErrorKind::{QuotaExceeded, ReadOnlyFilesystem, StorageFull};
    if ![QuotaExceeded, ReadOnlyFilesystem, StorageFull].contains(&error.kind()) {
        return Err(error);
    }
    let ours = std::process::id();
    match owner(path).filter(|holder| *holder != ours && is_alive(*holder)) {
        Some(holder) => Err(io::Error::new(io::ErrorKind::ResourceBusy, in_use(path, holder))),
        // Of nobody, so that no file is removed with it.
        None => Ok(LineLock { path: path.to_owned(), pid: 0 }),
    }
}

fn held() -> MutexGuard<'static, BTreeSet<PathBuf>> {
    HELD.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Drop for LineLock {
    fn drop(&mut self) {
        held().remove(&self.path);
        if owner(&self.path) == Some(self.pid) {
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

fn write_draft(draft: &Path, pid: u32) -> io::Result<()> {
    let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o644).open(draft)?;
    writeln!(file, "{pid:>10}")
}

fn link(draft: &Path, path: &Path, pid: u32) -> io::Result<()> {
    // The second attempt follows the removal of a stale lock; a third would be a fight with a living program.
    for _ in 0..2 {
        match fs::hard_link(draft, path) {
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
            result => return result,
        }
        let holds = |holder: &u32| if *holder == pid { held().contains(path) } else { is_alive(*holder) };
        if let Some(holder) = owner(path).filter(holds) {
            return Err(io::Error::new(io::ErrorKind::ResourceBusy, in_use(path, holder)));
        }
        fs::remove_file(path)?;
    }
    Err(io::Error::new(io::ErrorKind::ResourceBusy, format!("somebody else keeps taking {}", path.display())))
}

fn in_use(path: &Path, holder: u32) -> String {
    let name = fs::read_to_string(format!("/proc/{holder}/comm")).unwrap_or_default();
    match name.trim() {
        "" => format!("in use by pid {holder} ({})", path.display()),
        name => format!("in use by pid {holder}, {name} ({})", path.display()),
    }
}

/// The pid in a lock file, if one can be read: text, or the four bytes old programs write.
fn owner(path: &Path) -> Option<u32> {
    let content = fs::read(path).ok()?;
    let text = std::str::from_utf8(&content).ok().and_then(|text| text.split_whitespace().next()?.parse().ok());
    text.or_else(|| Some(u32::from_ne_bytes(content.as_slice().try_into().ok()?)))
}

fn is_alive(pid: u32) -> bool {
    let Some(pid) = i32::try_from(pid).ok().filter(|pid| *pid > 0) else { return false };
    kill(Pid::from_raw(pid), None) != Err(Errno::ESRCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_named_after_its_line() {
        assert_eq!(lock_name("/dev/ttyS0"), "ttyS0");
        assert_eq!(lock_name("/dev/pts/3"), "pts3");
    }

    #[test]
    fn a_lock_holds_the_pid_in_ten_columns_and_goes_with_its_owner() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("LCK..ttyS0");
        let lock = take("/dev/ttyS0", dir.path()).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), format!("{:>10}\n", std::process::id()));
        drop(lock);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_living_owner_is_named_and_keeps_its_lock() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("LCK..ttyS0");
        fs::write(&path, "         1\n").unwrap();
        let error = take("/dev/ttyS0", dir.path()).unwrap_err();
        assert!(error.to_string().contains("in use by pid 1"), "{error}");
        assert_eq!(fs::read_to_string(&path).unwrap(), "         1\n");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "the draft is gone");
    }

    #[test]
    fn a_lock_of_the_dead_or_of_nobody_is_taken_over() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("LCK..ttyS0");
        // Beyond the largest pid there can be.
        for content in [&b"   4194999\n"[..], b"", b"garbage\n", &4_194_999_u32.to_ne_bytes()] {
            fs::write(&path, content).unwrap();
            let lock = take("/dev/ttyS0", dir.path()).unwrap();
            assert_eq!(owner(&path), Some(std::process::id()));
            drop(lock);
        }
    }

    #[test]
    fn our_own_lock_is_respected_but_not_one_left_by_an_earlier_process_of_our_pid() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("LCK..ttyS0"), format!("{:>10}\n", std::process::id())).unwrap();
        let lock = take("/dev/ttyS0", dir.path()).unwrap();
        assert_eq!(take("/dev/ttyS0", dir.path()).unwrap_err().kind(), io::ErrorKind::ResourceBusy);
        drop(lock);
        take("/dev/ttyS0", dir.path()).unwrap();
    }

    #[test]
    fn a_lock_somebody_else_took_meanwhile_is_left() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("LCK..ttyS0");
        let lock = take("/dev/ttyS0", dir.path()).unwrap();
        fs::write(&path, "         1\n").unwrap();
        drop(lock);
        assert!(path.exists());
    }
}
