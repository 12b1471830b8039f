//! `latido start`, `latido stop` and `latido reload` (`systemd.md` 1): by the service manager where it has our unit, else
//! without one; each waits for the end and says how it went.

use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::client::{AskError, Asker};
use crate::daemon::{Called, DaemonOptions, systemctl};
use crate::host::pidfile::{Running, running, signal, surely_running};
use crate::paths::Paths;
use crate::status::{Answer, Ask};

use super::advice::{NOT_PRIVILEGED, by_systemd, not_root};
use super::background::{await_end, start_in_background, who_runs};
use super::logging::runs;
use super::print;

const UNIT: &str = "latido.service";
/// The daemon reads its files at once.
const PATIENCE: Duration = Duration::from_secs(60);

/// The node that is meant.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Args {
    /// The node's directory; any other than /etc/ha.d is no affair of the service manager
    #[arg(short = 'd', long = "dir", value_name = "DIR", env = "HA_DIR", default_value = "/etc/ha.d")]
    dir: PathBuf,
}

/// Starts the node and waits until it is ready.
pub(super) fn start(args: &Args) -> ExitCode {
    let paths = Paths::under(&args.dir);
    log::debug!("looking for a daemon in {}", paths.pid_file.display());
    if let Running::Yes(pid) = surely_running(&paths.pid_file, None) {
        if is_leaving(&paths) {
            print(&format!("the daemon (pid {pid}) is just leaving: waiting for its end"));
            await_end(pid);
            return start(args);
        }
        print(&format!("the daemon runs already (pid {pid}); `latido status` says how it is"));
        return ExitCode::SUCCESS;
    }
    if !by_systemd(&paths) {
        if let Some(why) = not_root(&paths, "latido start") {
            complain!("latido start: {why}");
            return ExitCode::from(NOT_PRIVILEGED);
        }
        let code = start_in_background(&DaemonOptions {
            paths: paths.clone(),
            called: Called::now(),
            without_resources: false,
            without_realtime: false,
            debug: 0,
            to_terminal: true,
            watch_over: None,
            record: super::daemon::record_from_environment(),
        });
        return if code == ExitCode::SUCCESS { started(&paths) } else { code };
    }
    if !tell_systemd("start") {
        complain!("latido start: {UNIT} did not start. Why: `latido check`, `journalctl -u latido -n 30`");
        return ExitCode::FAILURE;
    }
    started(&paths)
}

fn is_leaving(paths: &Paths) -> bool {
    let status = Asker::ask_once(&paths.control_socket(), &Ask::Status, PATIENCE);
    matches!(status, Ok(Answer::Status(status)) if status.leaving)
}

/// A unit whose condition is not met is "started" as well.
fn started(paths: &Paths) -> ExitCode {
    match running(&paths.pid_file) {
        Running::Yes(pid) => {
            print(&format!("the daemon runs (pid {pid}); `latido status` says how it is"));
            ExitCode::SUCCESS
        }
        Running::No | Running::Stale if !paths.ha_cf().exists() => {
            let path = paths.ha_cf();
            complain!("latido start: nothing was started: there is no {}. `latido init` writes one", path.display());
            ExitCode::from(6)
        }
        Running::No | Running::Stale => {
            complain!("latido start: no daemon runs. Why: `systemctl status latido`, `journalctl -u latido -n 30`");
            ExitCode::FAILURE
        }
    }
}

/// Stops the node and waits until everything it ran is released.
pub(super) fn stop(args: &Args) -> ExitCode {
    let paths = Paths::under(&args.dir);
    log::debug!("looking for a daemon in {}", paths.pid_file.display());
    let pid = match who_runs(&paths) {
        Ok(Some(pid)) => pid,
        Ok(None) => {
            print("no daemon runs here");
            return ExitCode::SUCCESS;
        }
        Err(why) => {
            complain!("latido stop: {why}");
            return ExitCode::FAILURE;
        }
    };
    if by_systemd(&paths) && main_pid() == Some(pid) {
        if !tell_systemd("stop") {
            complain!("latido stop: {UNIT} did not stop. Why: `systemctl status latido`");
            return ExitCode::FAILURE;
        }
    } else if let Err(error) = signal(pid, Signal::SIGTERM).inspect(|()| log::debug!("sent SIGTERM to pid {pid}")) {
        complain!("latido stop: cannot signal the daemon (pid {pid}): {}", error.desc());
        return ExitCode::FAILURE;
    }
    await_end(pid);
    print("the daemon has stopped; all that it ran is released");
    ExitCode::SUCCESS
}

/// Has the files read again, and says what came of it.
pub(super) fn reload(args: &Args) -> ExitCode {
    match Asker::ask_once(&Paths::under(&args.dir).control_socket(), &Ask::Reload, PATIENCE) {
        Ok(Answer::Reread { accepted: true, said }) => {
            print("the files were read again and are in force");
            said.iter().for_each(|note| print(note));
            ExitCode::SUCCESS
        }
        Ok(Answer::Reread { accepted: false, said }) => {
            said.iter().for_each(|error| complain!("{error}"));
            complain!("latido reload: the files were NOT read again: everything goes on as before");
            ExitCode::FAILURE
        }
        Ok(Answer::Refused(why)) => {
            complain!("latido reload: {why}");
            ExitCode::FAILURE
        }
        Ok(Answer::Moved(_) | Answer::Status(_)) => {
            complain!("latido reload: the daemon answered something else; is it of another version?");
            ExitCode::FAILURE
        }
        Err(error @ AskError::NotRunning(_)) => {
            complain!("latido reload: {error}. `latido start` starts it");
            ExitCode::from(7)
        }
        Err(error) => {
            complain!("latido reload: {error}");
            ExitCode::FAILURE
        }
    }
}

fn tell_systemd(verb: &str) -> bool {
    let mut command = Command::new(systemctl());
    runs(command.args([verb, UNIT]));
    match command.status() {
        Ok(status) => status.success(),
        Err(error) => {
            complain!("latido {verb}: cannot run {}: {error}", systemctl());
            false
        }
    }
}

/// The process the service manager watches.
fn main_pid() -> Option<i32> {
    let mut command = Command::new(systemctl());
    runs(command.args(["show", "--property=MainPID", "--value", UNIT]));
    let output = command.output().ok()?;
    String::from_utf8(output.stdout).ok()?.trim().parse().ok().filter(|pid| *pid > 0)
}
