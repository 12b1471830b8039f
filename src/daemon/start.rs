//! From files to a running loop: the order of a start, and what each failure says (`config.md` 1).

use std::path::{Path, PathBuf};

use crate::clock::{Clock, since_boot};
use crate::cluster::{Birth, Cluster, Past};
use crate::config::Config;
use crate::diagnostic::Problem;
use crate::link::Links;
use crate::paths::Paths;
use crate::record::Life;
use crate::sys;
use crate::wire::Generation;

use super::adopt::Inheritance;
use super::clients::Company;
use super::disk::Disk;
use super::driver::{Driver, Inherited};
use super::files::Remembered;
use super::guardian::{Cradle, Guardian, last_word};
use super::logging::{Log, Terminal};
use super::pidfile::{PidFile, Running};
use super::read_config::Options as ReadOptions;
use super::recorder::Recorder;
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
    /// Supervise this running daemon, whose line is our standard input, instead of starting one.
    pub watch_over: Option<i32>,
    /// Write everything that happens into this file.
    pub record: Option<PathBuf>,
}

/// The child's life: runs a node until it leaves. The exit code is that of the original: 0, 6 not configured, 1 for
/// anything else; 75 asks the supervisor for the next program.
pub(super) fn run_core(options: &Options, cradle: Cradle) -> u8 {
    let line = cradle.line.try_clone();
    let code = live(options, cradle);
    if let Ok(line) = line {
        last_word(&line, code);
    }
    code
}

fn live(options: &Options, cradle: Cradle) -> u8 {
    let clock = Clock::start();
    // A refusal only means that a parent's descriptors may reach the scripts, as ever.
    let _ = sys::keep_descriptors_from_children();
    sys::share_one_heap();
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
    if let Running::Yes(pid) = pidfile::surely_running(&options.paths.pid_file, Some(cradle.supervisor)) {
        log.info(format!("heartbeat: already running [pid {pid}]."));
        // A service manager that lost its way to the daemon finds it again.
        let pid = u32::try_from(pid).unwrap_or_default();
        let _ = sd_notify::notify(&[sd_notify::NotifyState::MainPid(pid), sd_notify::NotifyState::Ready]);
        return 0;
    }
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&log, &format!("cannot start the event loop: {error}")),
    };
    let code = runtime.block_on(async {
        match prepare(options, &config, &clock, &log, cradle) {
            Ok(driver) => driver.run().await,
            Err(why) => fail(&log, &why),
        }
    });
    log.disk().settle();
    code
}

/// Says what became of the one before.
fn mourn(log: &Log, cradle: &Cradle) {
    let Some(how) = &cradle.before else { return };
    if cradle.hopeless {
        let deaths = cradle.deaths;
        log.error(format!(
            "Core heartbeat process died ({how})! It has died {deaths} time(s) within the last minute: giving up. What \
             it left running is stopped now, and the other node takes over. Start it again when the cause is found"
        ));
    } else if cradle.deaths > 0 {
        log.error(format!("Core heartbeat process died ({how})! Restarting. Nothing is stopped for it."));
    } else {
        log.error(how);
    }
}

fn refuse(log: &Log, problems: &[Problem]) -> u8 {
    for problem in problems {
        if problem.is_error() {
            log.error(problem.to_string());
        } else {
            log.warn(problem.to_string());
        }
    }
    log.error("Configuration error, heartbeat not started.");
    NOT_CONFIGURED
}

fn fail(log: &Log, why: &str) -> u8 {
    log.error(why);
    1
}

fn prepare(options: &Options, config: &Config, clock: &Clock, log: &Log, cradle: Cradle) -> Result<Driver, String> {
    let paths = &options.paths;
    files::make_directories(paths).map_err(|error| error.to_string())?;
    log.info("**************************");
    log.info(format!("Configuration validated. Starting heartbeat (latido {})", env!("CARGO_PKG_VERSION")));
    let links = Links::open_all(&config.media, &paths.lock_dir, clock).map_err(|errors| {
        errors.iter().for_each(|error| log.error(error.original()));
        errors.first().map_or_else(String::new, ToString::to_string)
    })?;
    links.notes().iter().for_each(|note| log.warn(note));
    mourn(log, &cradle);
    assemble(options, config, clock, log, cradle, links)
}

/// A driver on these media; must be called inside the runtime.
pub(super) fn assemble(
    options: &Options,
    config: &Config,
    clock: &Clock,
    log: &Log,
    cradle: Cradle,
    links: Links,
) -> Result<Driver, String> {
    let paths = &options.paths;
    let alone = config.settings.nodes.len() < 2;
    let Inheritance { past, orphans, clients, file } =
        Inheritance::take(&paths.run_dir, since_boot(), alone, cradle.hopeless);
    // Before we get the priority that its thread is not to have.
    match Disk::behind() {
        Ok(disk) => log.leave_to(disk),
        Err(error) => log.warn(format!("no thread for the disk: a disk that hangs holds up heartbeats: {error}")),
    }
    let remembered = Remembered::read(paths, log.disk());
    let birth = birth(paths, config, clock, log, past, &remembered).map_err(|error| error.to_string())?;
    let pid_file = PidFile::write(&paths.pid_file, cradle.supervisor).map_err(|error| error.to_string())?;
    let guardian = Guardian::new(cradle.line, cradle.supervisor).map_err(|error| error.to_string())?;
    let recorder = options.record.as_deref().and_then(|path| open_record(path, log));
    if config.realtime && !options.without_realtime {
        realtime::become_realtime(config.rtprio).into_iter().for_each(|refusal| log.warn(refusal));
    }
    let now = clock.now();
    let recorder = recorder
        .and_then(|recorder| begin_record(recorder, &Life::new(&config.settings, &config.groups, &birth, now), log));
    let cluster = Cluster::start(config.settings.clone(), config.groups.clone(), birth, now);
    let company = Company::new(&config.respawn, clients);
    let inherited = Inherited { pid_file, guardian, orphans, company, state: file, recorder, remembered };
    Driver::new(options.clone(), config.clone(), *clock, log.clone(), links, cluster, inherited)
        .map_err(|error| format!("cannot start: {error}"))
}

fn open_record(path: &Path, log: &Log) -> Option<Recorder> {
    let opened = Recorder::open(path, log.disk());
    match &opened {
        Ok(_) => log.info(format!("Writing what happens into {}: `latido replay` plays it again", path.display())),
        Err(why) => log.error(why),
    }
    opened.ok()
}

fn begin_record(mut recorder: Recorder, life: &Life, log: &Log) -> Option<Recorder> {
    recorder.begin(life).inspect_err(|why| log.error(why)).ok()?;
    Some(recorder)
}

fn birth(
    paths: &Paths,
    config: &Config,
    clock: &Clock,
    log: &Log,
    past: Past,
    heard: &Remembered,
) -> std::io::Result<Birth> {
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
    Ok(Birth { generation, uuid, seed: files::random_seed()?, remembered: heard.peers().to_vec(), past })
}
