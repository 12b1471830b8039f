//! `latido daemon`: the node in the foreground, as a service manager or a lab wants it.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;
use std::{fs, io};

use nix::sys::signal::Signal;

use crate::client::Asker;
use crate::daemon::{Called, DaemonOptions, run as run_daemon};
use crate::host::called::RECORD;
use crate::host::pidfile::{Running, is_still, running, signal};
use crate::paths::Paths;
use crate::status::{Answer, Ask};

/// Between two looks, and how many of them make half a minute.
const LOOK_EVERY: Duration = Duration::from_millis(20);
const PATIENCE: u32 = 1500;

/// Options of `latido daemon`.
#[derive(Clone, Debug, clap::Args)]
#[command(
    after_help = "Exit code: 0 told to leave, 1 refused or given up, 6 the files are wrong, 70 its supervisor could not \
    work, 75 something is missing now that may be there later."
)]
pub(super) struct Args {
    /// Directory of ha.cf, haresources and authkeys; any other than /etc/ha.d keeps its state below itself
    #[arg(short = 'd', long = "dir", value_name = "DIR", env = "HA_DIR", default_value = "/etc/ha.d")]
    dir: PathBuf,
    /// Stay in the foreground (it does without this, too)
    #[arg(short = 'f', long)]
    foreground: bool,
    /// Go into the background as soon as the node is ready
    #[arg(short = 'b', long, conflicts_with = "foreground")]
    background: bool,
    /// Beat, but never touch a resource
    #[arg(short = 'M', long)]
    no_resources: bool,
    /// No real-time priority, no locked memory
    #[arg(short = 'l', long)]
    no_realtime: bool,
    /// Exchange the program of the running daemon for the one installed now; nothing moves
    #[arg(long)]
    upgrade: bool,
    /// Supervise a daemon that lost its supervisor (it calls this itself)
    #[arg(long, value_name = "PID", hide = true)]
    watch_over: Option<i32>,
    /// Write everything that happens into FILE, for `latido replay`: at most 64 MB, no keys, readable by this user only
    #[arg(long, value_name = "FILE", env = RECORD)]
    record: Option<PathBuf>,
    /// More debugging; repeatable
    #[arg(long, action = clap::ArgAction::Count)]
    debug: u8,
}

/// The same file wherever a daemon stands when it opens it.
fn absolute(record: Option<&Path>) -> Option<PathBuf> {
    let path = record.filter(|path| !path.as_os_str().is_empty())?;
    Some(std::path::absolute(path).unwrap_or_else(|_| path.to_owned()))
}

/// What the environment asks to be recorded into.
pub(super) fn record_from_environment() -> Option<PathBuf> {
    absolute(std::env::var_os(RECORD).as_deref().map(Path::new))
}

/// Runs the node until it is told to leave.
pub(super) fn run(args: &Args) -> ExitCode {
    let paths = Paths::under(&args.dir);
    if args.upgrade {
        return upgrade(&paths);
    }
    if let Some(why) = super::advice::not_root(&paths, "latido daemon") {
        complain!("latido daemon: {why}");
        return ExitCode::from(super::advice::NOT_PRIVILEGED);
    }
    let options = DaemonOptions {
        paths,
        called: Called::now(),
        without_resources: args.no_resources,
        without_realtime: args.no_realtime,
        debug: args.debug,
        to_terminal: true,
        watch_over: args.watch_over,
        record: absolute(args.record.as_deref()),
    };
    if args.background { super::background::start_in_background(&options) } else { run_daemon(&options) }
}

/// Asks the running daemon to make room, and waits until its successor, the program that is installed now, has taken up.
fn upgrade(paths: &Paths) -> ExitCode {
    let Running::Yes(pid) = running(&paths.pid_file) else {
        complain!("No daemon runs here; `latido daemon` starts one.");
        return ExitCode::FAILURE;
    };
    let before = core_of(paths);
    if let Err(error) = signal(pid, Signal::SIGURG) {
        complain!("cannot signal the daemon (pid {pid}): {error}");
        return ExitCode::FAILURE;
    }
    for _ in 0..PATIENCE {
        super::pause(LOOK_EVERY);
        if !is_still(pid) {
            complain!("the daemon (pid {pid}) has ended meanwhile; `latido start` starts the program installed now");
            return ExitCode::FAILURE;
        }
        let now = core_of(paths);
        if now.is_some() && now != before {
            match still_the_old_one(pid) {
                Ok(None) => {}
                Ok(Some(path)) => {
                    complain!(
                        "the daemon (pid {pid}) still runs the old program: {} cannot be run; the log says why. Nothing moved.",
                        path.display()
                    );
                    return ExitCode::FAILURE;
                }
                Err(error) => {
                    complain!(
                        "the daemon (pid {pid}) began anew, but whether it runs the program installed now cannot be seen ({error}): look at its log"
                    );
                    return ExitCode::FAILURE;
                }
            }
            super::print(&format!("the daemon (pid {pid}) runs the program installed now; nothing moved"));
            return ExitCode::SUCCESS;
        }
    }
    complain!("the daemon (pid {pid}) did not exchange its program within 30 s: it waits until nothing is being moved");
    ExitCode::FAILURE
}

/// What lies where a process has its program from, if that is another one by now, or nothing.
///
/// # Errors
/// The process cannot be looked at.
fn still_the_old_one(pid: i32) -> io::Result<Option<PathBuf>> {
    let link = format!("/proc/{pid}/exe");
    let runs = fs::metadata(&link)?;
    let path = fs::read_link(&link)?;
    let path = path.to_str().and_then(|text| text.strip_suffix(" (deleted)")).map_or(path.clone(), PathBuf::from);
    let same = |installed: fs::Metadata| (installed.dev(), installed.ino()) == (runs.dev(), runs.ino());
    let seen_by_it = format!("/proc/{pid}/root{}", path.display());
    Ok((!fs::metadata(seen_by_it).is_ok_and(same)).then_some(path))
}

/// The process that does the work.
fn core_of(paths: &Paths) -> Option<u32> {
    match Asker::ask_once(&paths.control_socket(), &Ask::Status, Duration::from_secs(1)) {
        Ok(Answer::Status(status)) => Some(status.core),
        Ok(_) | Err(_) => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;

    /// Made by a process of its own: a file this one has open to write cannot be run while another test forks.
    fn copy_of_sleep(path: &std::path::Path) {
        assert!(std::process::Command::new("cp").arg("/bin/sleep").arg(path).status().unwrap().success());
    }

    #[test]
    fn a_program_that_was_exchanged_or_removed_is_the_old_one() {
        let dir = tempfile::tempdir().unwrap();
        let program = dir.path().join("sleep");
        copy_of_sleep(&program);
        let mut child = std::process::Command::new(&program).arg("60").spawn().unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        let fresh = still_the_old_one(pid).unwrap();
        copy_of_sleep(&dir.path().join("new"));
        fs::rename(dir.path().join("new"), &program).unwrap();
        let exchanged = still_the_old_one(pid).unwrap();
        fs::remove_file(&program).unwrap();
        let removed = still_the_old_one(pid).unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(still_the_old_one(pid).is_err(), "it has ended");
        assert_eq!((fresh, exchanged, removed), (None, Some(program.clone()), Some(program)));
    }
}
