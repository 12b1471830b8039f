//! The old name `heartbeat`: same options, words and exit codes (`config.md` 7, `resources.md` 5.2).

use std::process::ExitCode;

use nix::sys::signal::Signal;

use crate::cli::background::{await_end, start_in_background, tell_errors, who_runs};
use crate::cli::print;
use crate::config::DIRECTIVES;
use crate::daemon::{Called, DaemonOptions, lacks_anew, run as run_daemon};
use crate::host::pidfile::{Running, running, signal};
use crate::host::read_config;
use crate::paths::Paths;

const USAGE: &str = "Usage: heartbeat [-dDkMrRsvWlVf] [-C Current-resource-state]";

#[derive(Debug, Default)]
struct Flags {
    seen: String,
    debug: u8,
    /// How it calls itself to supervise a daemon that lost its supervisor.
    watch_over: Option<i32>,
}

impl Flags {
    fn has(&self, flag: char) -> bool {
        self.seen.contains(flag)
    }
}

/// Behaves as `heartbeat` does with these words.
pub(crate) fn heartbeat(words: &[String]) -> ExitCode {
    let Some(flags) = read_flags(words) else {
        complain!("{USAGE}");
        return ExitCode::from(2);
    };
    let paths = crate::cli::paths_from_environment();
    if flags.has('V') {
        print(&format!("3.0.6 (latido {})", env!("CARGO_PKG_VERSION")));
        return ExitCode::SUCCESS;
    }
    if flags.has('D') {
        DIRECTIVES
            .iter()
            .for_each(|directive| print(&format!("{:<24} {}", directive.name, directive.default.unwrap_or("-"))));
        return ExitCode::SUCCESS;
    }
    // Of both, as ever, this one is meant.
    if flags.has('k') {
        return stop(&paths);
    }
    if flags.has('s') {
        return tell_status(&paths);
    }
    if flags.has('r')
        && let Running::Yes(pid) = running(&paths.pid_file)
    {
        return reload(&paths, pid);
    }
    start(paths, &flags)
}

fn read_flags(words: &[String]) -> Option<Flags> {
    let mut flags = Flags::default();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        if word == "--watch-over" {
            flags.watch_over = Some(words.next()?.parse().ok()?);
            continue;
        }
        // Other words are ignored, as they ever were.
        let Some(letters) = word.strip_prefix('-') else { continue };
        for letter in letters.chars() {
            match letter {
                'd' => flags.debug = flags.debug.saturating_add(1),
                'C' => {
                    words.next()?;
                    flags.seen.push('C');
                }
                'D' | 'k' | 'M' | 'r' | 'R' | 's' | 'v' | 'W' | 'l' | 'V' | 'f' => flags.seen.push(letter),
                _ => return None,
            }
        }
    }
    let bad = flags.has('C') && !flags.has('R') || flags.has('r') && flags.has('R');
    (!bad).then_some(flags)
}

fn tell_status(paths: &Paths) -> ExitCode {
    match running(&paths.pid_file) {
        Running::Yes(pid) => {
            let uname = nix::sys::utsname::uname().map(|name| name.nodename().to_string_lossy().into_owned());
            let uname = uname.unwrap_or_default();
            let node = read_config::host_name(&paths.ha_dir).map_or_else(|| uname.clone(), |name| name.to_string());
            print(&format!("heartbeat OK [pid {pid} et al] is running on {uname} [{node}]..."));
            ExitCode::SUCCESS
        }
        gone @ (Running::No | Running::Stale) => {
            print("heartbeat is stopped. No process");
            ExitCode::from(if gone == Running::No { 3 } else { 1 })
        }
    }
}

fn stop(paths: &Paths) -> ExitCode {
    let pid = match who_runs(paths) {
        Ok(Some(pid)) => pid,
        Ok(None) => {
            complain!("INFO: Heartbeat already stopped.");
            return ExitCode::SUCCESS;
        }
        Err(why) => {
            complain!("ERROR: {why}");
            return ExitCode::FAILURE;
        }
    };
    if let Err(error) = signal(pid, Signal::SIGTERM) {
        complain!("ERROR: Could not kill pid {pid} : {}", error.desc());
        return ExitCode::from(if error == nix::errno::Errno::EPERM { 4 } else { 1 });
    }
    await_end(pid);
    ExitCode::SUCCESS
}

fn reload(paths: &Paths, pid: i32) -> ExitCode {
    let refused = match read_config::load(paths, None) {
        Ok(config) => {
            tell_errors(&config);
            !lacks_anew(paths, &config).is_empty()
        }
        Err(problems) => {
            problems.iter().for_each(|problem| complain!("{problem}"));
            true
        }
    };
    if refused {
        complain!("info: Config errors: Heartbeat pid {pid} NOT restarted");
        return ExitCode::FAILURE;
    }
    complain!("info: Signalling heartbeat pid {pid} to reread config files");
    match signal(pid, Signal::SIGHUP) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain!("ERROR: Could not signal pid {pid}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn start(paths: Paths, flags: &Flags) -> ExitCode {
    if flags.has('v') {
        match read_config::load(&paths, None) {
            Ok(config) => print(&config.to_text()),
            Err(problems) => problems.iter().for_each(|problem| complain!("{problem}")),
        }
    }
    if let Some(why) = crate::cli::advice::not_root(&paths, "heartbeat") {
        complain!("ERROR: {why}");
        return ExitCode::from(crate::cli::advice::NOT_PRIVILEGED);
    }
    let options = DaemonOptions {
        paths,
        called: Called::now(),
        without_resources: flags.has('M'),
        without_realtime: flags.has('l'),
        debug: flags.debug,
        to_terminal: true,
        watch_over: flags.watch_over,
        record: crate::cli::daemon::record_from_environment(),
    };
    if flags.has('f') { run_daemon(&options) } else { start_in_background(&options) }
}
