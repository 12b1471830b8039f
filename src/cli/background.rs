//! A daemon without a service manager: started in the background, waited for, and its end awaited (`config.md` 7).

use std::path::Path;
use std::process::{ExitCode, Stdio};
use std::time::Duration;

use crate::config::Config;
use crate::daemon::life::next_program::command_for;
use crate::daemon::{DaemonOptions, LATER, something_runs};
use crate::host::called::{MYSELF, ORIGINAL};
use crate::host::pidfile::{Running, is_still, running, surely_running, without_supervisor};
use crate::host::read_config;
use crate::paths::Paths;
use crate::sys;

use super::logging::runs;
use super::pause;

/// What the daemon leaves alone, where it can be seen.
pub(super) fn tell_errors(config: &Config) {
    config.warnings.iter().filter(|problem| problem.is_error()).for_each(|problem| complain!("{problem}"));
}

/// Checks here, where the words can be seen, then starts itself anew in a session of its own and waits until it runs.
pub(super) fn start_in_background(options: &DaemonOptions) -> ExitCode {
    let paths = &options.paths;
    let name = options.called.name().to_string_lossy();
    let is_fit = match read_config::load(paths, None) {
        Ok(config) => {
            tell_errors(&config);
            // One that is missing is waited for beside others; to be without any was an error of the files of old.
            name != ORIGINAL || config.has_a_path()
        }
        Err(problems) => {
            problems.iter().for_each(|problem| complain!("{problem}"));
            false
        }
    };
    if !is_fit {
        // What a daemon that died left running is looked after all the same.
        let anyhow = something_runs(paths) && !matches!(running(&paths.pid_file), Running::Yes(_));
        if !anyhow {
            complain!("ERROR: Configuration error, {name} not started.");
            return ExitCode::from(6);
        }
    }
    if let Running::Yes(pid) = surely_running(&paths.pid_file, None) {
        complain!("info: {name}: already running [pid {pid}].");
        return ExitCode::SUCCESS;
    }
    let mut command = command_for(options, Path::new(MYSELF));
    command.current_dir(Path::new("/")).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    sys::in_a_session_of_its_own(&mut command);
    runs(&command);
    match command.spawn() {
        Ok(mut child) => await_running(&name, paths, &mut child),
        Err(error) => {
            complain!("ERROR: cannot start the daemon: {error}");
            ExitCode::FAILURE
        }
    }
}

fn await_running(name: &str, paths: &Paths, child: &mut std::process::Child) -> ExitCode {
    for _ in 0..1500 {
        if let Ok(Some(status)) = child.try_wait() {
            complain!("ERROR: {name} not started; its log says why.");
            // Old scripts know 0, 1 and 6: what may be better later is no more than a failure to them.
            let code = status.code().and_then(|code| u8::try_from(code).ok());
            return ExitCode::from(code.filter(|code| *code != LATER || name != ORIGINAL).unwrap_or(1));
        }
        if paths.control_socket().exists() && matches!(running(&paths.pid_file), Running::Yes(_)) {
            return ExitCode::SUCCESS;
        }
        pause(Duration::from_millis(20));
    }
    complain!("ERROR: {name} did not come up within 30 s; its log says why.");
    ExitCode::FAILURE
}

/// The daemon that runs here, if any: one whose supervisor was killed has another within a second.
///
/// # Errors
/// One runs, and nobody can be told: what to do.
pub(super) fn who_runs(paths: &Paths) -> Result<Option<i32>, String> {
    let mut holder = None;
    let lock = paths.pid_file.with_extension("lock");
    for _ in 0..100 {
        if let Running::Yes(pid) = running(&paths.pid_file) {
            return Ok(Some(pid));
        }
        holder = without_supervisor(&paths.pid_file)
            .map_err(|error| format!("cannot find out whether a daemon runs here: {}: {error}", lock.display()))?;
        if holder.is_none() {
            return Ok(None);
        }
        pause(Duration::from_millis(20));
    }
    let core = holder.and_then(|holder| holder.core).map_or("unknown".to_owned(), |pid| pid.to_string());
    Err(format!(
        "a daemon runs here without a supervisor and does not get itself another one: its core process (pid {core}) stands \
         still. Wake it with kill -CONT, or end it with kill -9 and take up what runs with `latido start`"
    ))
}

/// Waits until this daemon has ended, as long as its groups take.
pub(super) fn await_end(pid: i32) {
    while is_still(pid) {
        pause(Duration::from_millis(20));
    }
}
