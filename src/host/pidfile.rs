//! The pid file: who runs here, in the original's 11 bytes (`config.md` 8); a stale one is ignored, and one whose pid
//! somebody else has by now is stale: nobody is taken for the daemon, or ended, for a number. And the lock beside it,
//! which alone keeps two daemons that are started at the same moment from both running.

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use nix::sys::signal::Signal;

use crate::process::is_alive;

use super::called::{MYSELF, ORIGINAL, OURS, base, is_title};
use super::files;
use super::process::ProcessHandle;

/// How often, and after which pause, who may be about to be gone is looked for again.
const LOOKS: u32 = 25;
const PAUSE: std::time::Duration = std::time::Duration::from_millis(20);

/// What the pid file says about this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Running {
    /// There is no pid file, or no pid in it.
    No,
    /// There is one, but no such daemon; it died or the machine was reset.
    Stale,
    /// This process.
    Yes(i32),
}

/// Looks who runs, a heartbeat of the original's too.
pub fn running(path: &Path) -> Running {
    let text = files::read_bounded(path, 64).ok().map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    match text.as_deref().and_then(pid_in) {
        Some(pid) if is_still(pid) => Running::Yes(pid),
        Some(_) => Running::Stale,
        None => Running::No,
    }
}

/// Whether this daemon has not ended yet.
pub fn is_still(pid: i32) -> bool {
    is_alive(pid) && is_a_daemon(pid)
}

/// Sends a signal to the daemon a pid file named, and to nobody who has its number by now.
///
/// # Errors
/// `ESRCH` when it has ended; as `kill(2)`.
pub fn signal(pid: i32, signal: Signal) -> Result<(), Errno> {
    let process = ProcessHandle::open(pid)?;
    // Looked at while it is held: what is found is what the signal goes to.
    if is_still(pid) { process.signal(signal) } else { Err(Errno::ESRCH) }
}

/// The number at the beginning of a text, as the original reads it.
pub(crate) fn pid_in(text: &str) -> Option<i32> {
    let text = text.trim_start();
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    text[..end].parse().ok().filter(|pid| *pid > 0)
}

/// Whether a process is a daemon of this program's or the original's, whatever it is called and also when its file was
/// replaced since; one that cannot be seen may be.
///
/// Never this process itself: after a reset pids come again, and whoever asks is not what it asks for.
fn is_a_daemon(pid: i32) -> bool {
    if u32::try_from(pid) == Ok(std::process::id()) {
        return false;
    }
    let place = PathBuf::from(format!("/proc/{pid}"));
    let Ok(name) = fs::read_to_string(place.join("comm")) else { return true };
    let file = fs::read_link(place.join("exe")).ok();
    let file = file.as_deref().and_then(Path::file_name).and_then(OsStr::to_str).unwrap_or_default();
    let node = |path: &Path| fs::metadata(path).ok().map(|meta| (meta.dev(), meta.ino()));
    let this_program = node(&place.join("exe")).is_some_and(|it| Some(it) == node(Path::new(MYSELF)));
    let names = [OURS, ORIGINAL];
    let by_name = names.contains(&name.trim_end()) || names.contains(&file.trim_end_matches(" (deleted)"));
    // An earlier version of ours has the name of a link in /proc; whose program that is only its owner may see.
    let nameless = name.trim_end() == "exe" && file.is_empty();
    if !(this_program || by_name || nameless) {
        return false;
    }
    let Ok(line) = fs::read(place.join("cmdline")) else { return true };
    let words: Vec<&OsStr> = line.split(|byte| *byte == 0).map(OsStr::from_bytes).collect();
    runs_a_node(&words)
}

/// Whether these words start a daemon, or are the title of one, and not only ask about one.
fn runs_a_node(words: &[&OsStr]) -> bool {
    let (called, rest) = words.split_first().map_or((OsStr::new(""), words), |(called, rest)| (*called, rest));
    if called.is_empty() || is_title(called) {
        return true;
    }
    if base(called) != ORIGINAL {
        return rest.first().is_some_and(|word| *word == "daemon") && !rest.iter().any(|word| *word == "--upgrade");
    }
    let is_question = |word: &&OsStr| {
        let word = word.as_bytes();
        word.starts_with(b"-") && !word.starts_with(b"--") && word.iter().any(|letter| b"skVD".contains(letter))
    };
    !rest.iter().any(is_question)
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

/// Writes the pid that stands for this daemon, right-aligned in ten columns. As the original's it stays when the daemon
/// has left: `heartbeat -s` then exits with 1, and with 3 where none has run since the machine started.
///
/// # Errors
/// When the file cannot be written.
pub fn write(path: &Path, pid: u32) -> io::Result<()> {
    files::replace(path, format!("{pid:>10}\n").as_bytes(), 0o644)
}

/// The daemon that has the lock, as the lock says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Holder {
    /// The pid that stood for it when it took the lock; 0 when that is not known.
    pub supervisor: i32,
    /// The process that does the work; `None` for one of an older version, which did not say.
    pub core: Option<i32>,
}

/// The daemon whose core process runs without the supervisor that the pid file names: it gets itself another one within
/// a second, unless it stands still.
///
/// # Errors
/// When the lock cannot be looked at, as by somebody who may not: then nobody knows.
pub fn without_supervisor(pid_file: &Path) -> io::Result<Option<Holder>> {
    let flags = nix::libc::O_NOFOLLOW | nix::libc::O_NONBLOCK | nix::libc::O_CLOEXEC;
    let file = match OpenOptions::new().read(true).custom_flags(flags).open(pid_file.with_extension("lock")) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened?,
    };
    match Flock::lock(file, FlockArg::LockSharedNonblock) {
        Ok(_) => Ok(None),
        Err((file, Errno::EWOULDBLOCK)) => Ok(match running(pid_file) {
            Running::Yes(_) => None,
            Running::No | Running::Stale => Some(Holder::named_in(file)),
        }),
        Err((_, errno)) => Err(errno.into()),
    }
}

impl Holder {
    fn named_in(file: File) -> Holder {
        let mut text = String::new();
        let _ = file.take(32).read_to_string(&mut text);
        let mut pids = text.split_whitespace().map(|pid| pid.parse().ok().filter(|pid| *pid > 0));
        Holder { supervisor: pids.next().flatten().unwrap_or(0), core: pids.next().flatten() }
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
    /// The daemon that has it.
    pub fn take(pid_file: &Path, pid: u32) -> Result<OnlyOne, Holder> {
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
                    // For who comes second.
                    let _ = lock.set_len(0).and_then(|()| writeln!(lock, "{pid} {}", std::process::id()));
                    return Ok(OnlyOne { lock: Ok(lock) });
                }
                Err((file, Errno::EWOULDBLOCK | Errno::EINTR)) => file,
                Err((_, errno)) => return Ok(OnlyOne { lock: Err(errno.into()) }),
            };
            pause();
        }
        let holder = Holder::named_in(file);
        match running(pid_file) {
            Running::Yes(supervisor) => Err(Holder { supervisor, ..holder }),
            Running::No | Running::Stale => Err(holder),
        }
    }

    /// Why the lock could not be had.
    pub fn missing(&self) -> Option<&io::Error> {
        self.lock.as_ref().err()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made by a process of its own: a file this one has open to write cannot be run while another test forks.
    fn copy_of_sleep(path: &Path) {
        assert!(std::process::Command::new("cp").arg("/bin/sleep").arg(path).status().unwrap().success());
    }

    /// Somebody with that program, name and first word, until it is dropped.
    struct SomebodyElse(std::process::Child, tempfile::TempDir);

    impl SomebodyElse {
        fn new(program: &str, called: &str) -> SomebodyElse {
            let dir = tempfile::tempdir().unwrap();
            copy_of_sleep(&dir.path().join(program));
            let mut command = std::process::Command::new(dir.path().join(program));
            let child = std::os::unix::process::CommandExt::arg0(&mut command, called).arg("600").spawn().unwrap();
            // Only some time after it runs its words can be seen.
            let line = format!("/proc/{}/cmdline", child.id());
            (0..500).take_while(|_| fs::read(&line).is_ok_and(|words| words.is_empty())).for_each(|_| pause());
            SomebodyElse(child, dir)
        }

        fn pid(&self) -> i32 {
            self.0.id().cast_signed()
        }

        /// What the pid file with its pid says.
        fn is(&self) -> Running {
            let path = self.1.path().join("heartbeat.pid");
            fs::write(&path, format!("{:>10}\n", self.0.id())).unwrap();
            running(&path)
        }
    }

    impl Drop for SomebodyElse {
        fn drop(&mut self) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }

    #[test]
    fn a_pid_somebody_else_has_by_now_is_stale_and_our_own_too() {
        for (program, called) in
            [("sleep", "sleep"), ("sleep", "heartbeat"), ("cl_status", "cl_status"), ("sleep", "latido")]
        {
            assert_eq!(SomebodyElse::new(program, called).is(), Running::Stale, "{program} as {called}");
        }
        for (program, called) in [("latido", "latido"), ("latido", "/usr/sbin/latido")] {
            assert_eq!(SomebodyElse::new(program, called).is(), Running::Stale, "it runs, but no node: {called}");
        }
        let path = tempfile::tempdir().unwrap();
        let path = path.path().join("heartbeat.pid");
        fs::write(&path, std::process::id().to_string()).unwrap();
        assert_eq!(running(&path), Running::Stale);
    }

    #[test]
    fn a_daemon_of_ours_or_the_originals_is_known_by_its_program_or_name_also_when_that_was_replaced_or_removed() {
        for (program, called) in [
            ("heartbeat", "heartbeat"),
            ("heartbeat", "heartbeat: master control process"),
            ("latido", "latido: master control process"),
        ] {
            let daemon = SomebodyElse::new(program, called);
            assert_eq!(daemon.is(), Running::Yes(daemon.pid()), "{called}");
            let file = daemon.1.path().join(program);
            let new = daemon.1.path().join("new");
            copy_of_sleep(&new);
            fs::rename(new, &file).unwrap();
            assert_eq!(daemon.is(), Running::Yes(daemon.pid()), "{called}, replaced");
            fs::remove_file(file).unwrap();
            assert_eq!(daemon.is(), Running::Yes(daemon.pid()), "{called}, removed");
        }
    }

    #[test]
    fn a_command_that_only_asks_about_a_daemon_is_none() {
        let is_one = |line: &str| runs_a_node(&line.split(' ').map(OsStr::new).collect::<Vec<_>>());
        for line in [
            "heartbeat",
            "/usr/lib/heartbeat/heartbeat -f -M",
            "heartbeat -r",
            "heartbeat -R -C local",
            "/usr/sbin/latido daemon",
            "latido daemon -d /srv/ha.d --watch-over 4711",
            "/proc/self/exe daemon -d /etc/ha.d --foreground",
            "",
        ] {
            assert!(is_one(line), "{line}");
        }
        for line in [
            "heartbeat -s",
            "/usr/lib/heartbeat/heartbeat -ldk",
            "heartbeat -V",
            "latido status",
            "latido daemon --upgrade",
            "cl_status hbstatus",
            "latido",
        ] {
            assert!(!is_one(line), "{line}");
        }
    }

    #[test]
    fn the_pid_stands_right_aligned_in_eleven_bytes() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("heartbeat.pid");
        write(&path, std::process::id()).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), format!("{:>10}\n", std::process::id()));
    }

    #[test]
    fn a_pid_nobody_has_is_stale_and_rubbish_is_no_pid_as_the_original_says() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("heartbeat.pid");
        for text in ["2147483646\n", "2147483646 and more"] {
            fs::write(&path, text).unwrap();
            assert_eq!(running(&path), Running::Stale, "{text:?}");
        }
        for text in ["0\n", "-1\n", "x\n", "", "99999999999\n"] {
            fs::write(&path, text).unwrap();
            assert_eq!(running(&path), Running::No, "{text:?}");
        }
        assert_eq!(running(dir.path()), Running::No);
    }

    #[test]
    fn of_two_that_start_at_the_same_moment_one_is_told_who_the_other_is() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("heartbeat.pid");
        let first = OnlyOne::take(&path, 4711).unwrap();
        let core = Some(std::process::id().cast_signed());
        assert_eq!(OnlyOne::take(&path, 4712).unwrap_err(), Holder { supervisor: 4711, core });
        assert_eq!(without_supervisor(&path).unwrap(), Some(Holder { supervisor: 4711, core }));
        let other = SomebodyElse::new("heartbeat", "heartbeat");
        write(&path, other.0.id()).unwrap();
        assert_eq!(OnlyOne::take(&path, 4712).unwrap_err(), Holder { supervisor: other.pid(), core });
        assert_eq!(without_supervisor(&path).unwrap(), None, "it has one");
        drop(first);
        drop(other);
        assert_eq!(without_supervisor(&path).unwrap(), None, "nobody runs");
        assert!(OnlyOne::take(&path, 4713).unwrap().missing().is_none());
    }

    #[test]
    fn where_no_lock_can_be_had_the_pid_file_has_to_do() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("heartbeat.pid");
        std::os::unix::fs::symlink(dir.path().join("elsewhere"), path.with_extension("lock")).unwrap();
        assert!(OnlyOne::take(&path, 4711).unwrap().missing().is_some());
        assert!(without_supervisor(&path).is_err(), "a lock that cannot be looked at says nothing");
        assert!(!dir.path().join("elsewhere").exists(), "nobody is followed");
        assert!(OnlyOne::take(Path::new("/nonexistent/heartbeat.pid"), 4711).is_ok());
    }
}
