//! The pid file: who runs here, in the original's 11 bytes (`config.md` 8); a stale one is ignored.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::files;

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
    for _ in 0..25 {
        match running(path) {
            Running::Yes(pid) if ourselves(pid) => return Running::Stale,
            Running::Yes(_) => {}
            gone @ (Running::No | Running::Stale) => return gone,
        }
        #[allow(clippy::disallowed_methods, reason = "the end of a process that is not our child cannot be awaited")]
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    running(path)
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
    fn a_pid_file_somebody_else_wrote_meanwhile_stays() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("heartbeat.pid");
        let file = PidFile::write(&path, std::process::id()).unwrap();
        fs::write(&path, "         1\n").unwrap();
        drop(file);
        assert_eq!(running(&path), Running::Yes(1));
    }
}
