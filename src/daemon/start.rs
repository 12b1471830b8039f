//! From files to a running loop: the order of a start, and what each failure says (`config.md` 1).

use std::process::ExitCode;

use crate::clock::Clock;
use crate::cluster::{Birth, Cluster, Past};
use crate::config::Config;
use crate::diagnostic::Problem;
use crate::link::Links;
use crate::paths::Paths;
use crate::sys;
use crate::wire::{Generation, Intake};

use super::driver::Driver;
use super::logging::{Log, Terminal};
use super::pidfile::{PidFile, Running};
use super::read_config::Options as ReadOptions;
use super::{files, pidfile, read_config, realtime};

/// Exit code for "not configured" (LSB), the original's for every refusal to start.
const NOT_CONFIGURED: u8 = 6;

/// How the daemon is to run.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where everything lies.
    pub paths: Paths,
    /// `-M`: groups are never touched.
    pub without_resources: bool,
    /// `-l`: no real-time priority, no locked memory.
    pub without_realtime: bool,
    /// `-d`, as often as given.
    pub debug: u8,
    /// Log to standard error as well.
    pub to_terminal: bool,
}

/// Runs a node until it leaves. The exit code is that of the original: 0, 6 not configured, 1 for anything else.
pub fn run(options: &Options) -> ExitCode {
    let clock = Clock::start();
    // A refusal only means that a parent's descriptors may reach the scripts, as ever.
    let _ = sys::keep_descriptors_from_children();
    let terminal = if options.to_terminal { Terminal::detect() } else { Terminal::Nobody };
    let log = Log::start(clock, terminal, options.debug);
    log.serve_macros();
    let read = ReadOptions { without_resources: options.without_resources, ..ReadOptions::default() };
    let config = match read_config::load_with(&options.paths, &read).1 {
        Ok(config) => config,
        Err(problems) => return refuse(&log, &problems),
    };
    for refusal in log.direct(config.settings.me.as_str(), &config.logging) {
        log.warn(refusal);
    }
    config.warnings.iter().for_each(|warning| log.warn(warning.to_string()));
    if let Running::Yes(pid) = pidfile::surely_running(&options.paths.pid_file) {
        log.info(format!("heartbeat: already running [pid {pid}]."));
        return ExitCode::SUCCESS;
    }
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&log, &format!("cannot start the event loop: {error}")),
    };
    runtime.block_on(async {
        match prepare(options, &config, &clock, &log) {
            Ok((driver, pid_file)) => {
                let code = driver.run().await;
                drop(pid_file);
                code
            }
            Err(why) => fail(&log, &why),
        }
    })
}

fn refuse(log: &Log, problems: &[Problem]) -> ExitCode {
    for problem in problems {
        if problem.is_error() {
            log.error(problem.to_string());
        } else {
            log.warn(problem.to_string());
        }
    }
    log.error("Configuration error, heartbeat not started.");
    ExitCode::from(NOT_CONFIGURED)
}

fn fail(log: &Log, why: &str) -> ExitCode {
    log.error(why);
    ExitCode::FAILURE
}

fn prepare(options: &Options, config: &Config, clock: &Clock, log: &Log) -> Result<(Driver, PidFile), String> {
    let paths = &options.paths;
    files::make_directories(paths).map_err(|error| error.to_string())?;
    log.info("**************************");
    log.info(format!("Configuration validated. Starting heartbeat (latido {})", env!("CARGO_PKG_VERSION")));
    let links = Links::open_all(&config.media, &paths.lock_dir, clock).map_err(|errors| {
        errors.iter().for_each(|error| log.error(error.original()));
        errors.first().map_or_else(String::new, ToString::to_string)
    })?;
    let birth = birth(paths, config, clock, log).map_err(|error| error.to_string())?;
    let pid_file = PidFile::write(&paths.pid_file).map_err(|error| error.to_string())?;
    if config.realtime && !options.without_realtime {
        realtime::become_realtime(config.rtprio).into_iter().for_each(|refusal| log.warn(refusal));
    }
    let cluster = Cluster::start(config.settings.clone(), config.groups.clone(), birth, clock.now());
    let intake = Intake::new(config.keyring.clone());
    let driver = Driver::new(options.clone(), config.clone(), *clock, log.clone(), links, intake, cluster)
        .map_err(|error| format!("cannot start: {error}"))?;
    Ok((driver, pid_file))
}

fn birth(paths: &Paths, config: &Config, clock: &Clock, log: &Log) -> std::io::Result<Birth> {
    let now = clock.now().wall;
    let generation = if config.generation_from_time {
        Generation(now.0)
    } else {
        let next = files::next_generation(paths, now)?;
        next.remark.into_iter().for_each(|remark| log.info(remark));
        next.generation
    };
    let uuid = if config.uuid_from_name {
        files::uuid_from_name(&config.settings.me)
    } else {
        let (uuid, fresh) = files::node_uuid(paths)?;
        if fresh {
            log.info("No uuid found for current node - generating a new uuid.");
        }
        uuid
    };
    let remembered = files::Remembered::read(paths).peers().to_vec();
    Ok(Birth { generation, uuid, seed: files::random_seed()?, remembered, past: Past::Fresh })
}

/// Tells systemd, if it waits, that the node runs.
pub fn signal_ready() {
    let _ = sd_notify::notify(&[sd_notify::NotifyState::Ready]);
}
