//! The pid file: who runs here, in the original's 11 bytes (`config.md` 8); a stale one is ignored. And the lock beside
//! it, which alone keeps two daemons that are started at the same moment from both running.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};

use super::files;

/// How often, and after which pause, who may be about to be gone is looked for again.
const LOOKS: u32 = 25;
const PAUSE: std::time::Duration = std::time::Duration::from_millis(20);

/// What the pid file says about this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Running {
    /// There is no pid file.
    No,
    /// There is one, but no such process; it died or the machine was reset.
    Stale,
    /// This process.
    Yes(i32),
}

/// Looks who runs.
pub fn running(path: &Path) -> Running {
    let Ok(text) = fs::read_to_string(path) else { return Running::No };
    match text.trim().parse::<i32>() {
        Ok(pid) if pid > 0 && is_alive(pid) => Running::Yes(pid),
        Ok(_) | Err(_) => Running::Stale,
    }
}

/// Looks who runs, and looks again for half a second: a daemon that was just killed may take a moment to be gone, and
/// whoever restarts it means it.
///
/// `but` is the pid that stands for the caller itself.
pub fn surely_running(path: &Path, but: Option<u32>) -> Running {
    let ourselves = |pid: i32| but.is_some_and(|but| u32::try_from(pid) == Ok(but));
    for _ in 0..LOOKS {
        match running(path) {
            Running::Yes(pid) if ourselves(pid) => return Running::Stale,
            Running::Yes(_) => {}
            gone @ (Running::No | Running::Stale) => return gone,
        }
        pause();
    }
    running(path)
}

#[allow(clippy::disallowed_methods, reason = "the end of a process that is not our child cannot be awaited")]
fn pause() {
    std::thread::sleep(PAUSE);
}

/// Whether this process exists and is not merely waiting to be buried.
pub fn is_alive(pid: i32) -> bool {
    match nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), None) {
        Err(nix::errno::Errno::ESRCH) => false,
        Ok(()) | Err(_) => !is_zombie(pid),
    }
}

fn is_zombie(pid: i32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(')').is_some_and(|(_, rest)| rest.trim_start().starts_with('Z'))
}

/// Our pid file; removed when dropped, if it is still ours.
#[derive(Debug)]
pub struct PidFile {
    path: PathBuf,
    pid: u32,
}

impl PidFile {
    /// Writes the pid that stands for this daemon, right-aligned in ten columns.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write(path: &Path, pid: u32) -> io::Result<PidFile> {
        files::replace(path, format!("{pid:>10}\n").as_bytes(), 0o644)?;
        Ok(PidFile { path: path.to_owned(), pid })
    }

    /// Leaves it where it is, for a successor.
    pub fn leave(mut self) {
        self.pid = 0;
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        let ours = fs::read_to_string(&self.path).is_ok_and(|text| text.trim() == self.pid.to_string());
        if ours {
            // A pid file that cannot be removed is stale from now on, and stale ones are ignored.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Held by the process that does the work for as long as it lives, and by no child of it: whoever starts another one
/// is refused, also before the first has written its pid, or when that was lost.
#[derive(Debug)]
pub struct OnlyOne {
    /// Or why it could not be had: then the pid file has to do.
    lock: io::Result<Flock<File>>,
}

impl OnlyOne {
    /// Takes the lock beside a pid file, or waits half a second for the end of who has it: he may just have been killed.
    ///
    /// # Errors
    /// The pid of the daemon that has it; 0 when that is not known.
    pub fn take(pid_file: &Path, pid: u32) -> Result<OnlyOne, i32> {
        let flags = nix::libc::O_NOFOLLOW | nix::libc::O_NONBLOCK | nix::libc::O_CLOEXEC;
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600).custom_flags(flags);
        let mut file = match options.open(pid_file.with_extension("lock")) {
            Ok(file) => file,
            Err(error) => return Ok(OnlyOne { lock: Err(error) }),
        };
        for _ in 0..LOOKS {
            file = match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
                Ok(mut lock) => {
                    // Only for the words of who comes second.
                    let _ = lock.set_len(0).and_then(|()| writeln!(lock, "{pid}"));
                    return Ok(OnlyOne { lock: Ok(lock) });
                }
                Err((file, Errno::EWOULDBLOCK | Errno::EINTR)) => file,
                Err((_, errno)) => return Ok(OnlyOne { lock: Err(errno.into()) }),
            };
            pause();
        }
        if let Running::Yes(pid) = running(pid_file) {
            return Err(pid);
        }
        let mut text = String::new();
        let _ = file.take(32).read_to_string(&mut text);
        Err(text.trim().parse().unwrap_or(0))
    }

    /// Why the lock could not be had.
    pub fn missing(&self) -> Option<&io::Error> {
        self.lock.as_ref().err()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pid_stands_right_aligned_in_eleven_bytes_and_goes_with_us() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("heartbeat.pid");
        let file = PidFile::write(&path, std::process::id()).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), format!("{:>10}\n", std::process::id()));
        assert_eq!(running(&path), Running::Yes(i32::try_from(std::process::id()).unwrap()));
        drop(file);
        assert_eq!(running(&path), Running::No);
    }

    #[test]
    fn a_pid_nobody_has_is_stale_and_rubbish_too() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("heartbeat.pid");
        for text in ["2147483646\n", "0\n", "-1\n", "x\n", ""] {
            fs::write(&path, text).unwrap();
            assert_eq!(running(&path), Running::Stale, "{text:?}");
        }
    }

    #[test]
    fn of_two_that_start_at_the_same_moment_one_is_told_who_the_other_is() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("heartbeat.pid");
        let first = OnlyOne::take(&path, 4711).unwrap();
        assert_eq!(OnlyOne::take(&path, 4712).unwrap_err(), 4711);
        let file = PidFile::write(&path, std::process::id()).unwrap();
        assert_eq!(OnlyOne::take(&path, 4712).unwrap_err(), i32::try_from(std::process::id()).unwrap());
        drop((first, file));
        assert!(OnlyOne::take(&path, 4713).unwrap().missing().is_none());
    }

    #[test]
    fn where_no_lock_can_be_had_the_pid_file_has_to_do() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("heartbeat.pid");
        std::os::unix::fs::symlink(dir.path().join("elsewhere"), path.with_extension("lock")).unwrap();
        assert!(OnlyOne::take(&path, 4711).unwrap().missing().is_some());
        assert!(!dir.path().join("elsewhere").exists(), "nobody is followed");
        assert!(OnlyOne::take(Path::new("/nonexistent/heartbeat.pid"), 4711).is_ok());
    }

    #[test]
    fn a_pid_file_somebody_else_wrote_meanwhile_stays() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("heartbeat.pid");
        let file = PidFile::write(&path, std::process::id()).unwrap();
        fs::write(&path, "         1\n").unwrap();
        drop(file);
        assert_eq!(running(&path), Running::Yes(1));
    }
}
