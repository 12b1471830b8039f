//! From files to a running loop: the order of a start, and what each failure says (`config.md` 1).

use std::path::Path;

use crate::auth::authkeys;
use crate::clock::{Clock, since_boot};
use crate::cluster::{Cluster, Past, Silence, StartFacts};
use crate::config::{Config, Sources};
use crate::diagnostic::Problem;
use crate::host::directories;
use crate::host::disk_thread::DiskThread;
use crate::host::pidfile::{self, OnlyOne, Running};
use crate::host::read_config::{self, ReadOptions};
use crate::link::{LinkError, Links};
use crate::paths::Paths;
use crate::record::RecordStart;
use crate::{process, sys};

use super::driver::wants::{self, Want};
use super::driver::{Driver, Prepared};
use super::life::adopt::{FirstLook, FromPredecessor};
use super::life::generation::next_generation;
use super::life::identity::{self, Remembered};
use super::life::own_supervisor::{AGAIN, CoreStart, LATER, OwnSupervisor, UPGRADE, send_exit_code};
use super::life::{in_force, realtime, service, stuck_core};
use super::options::DaemonOptions;
use super::programs::respawn::RespawnedPrograms;
use super::terms::Terms;
use super::writing::logging::{Log, Terminal};
use super::writing::recorder::Recorder;

/// Exit code for "not configured" (LSB), the original's for every refusal to start: the files have to be mended.
const NOT_CONFIGURED: u8 = 6;
/// Exit code for what else somebody has to mend before this node can start.
const REFUSED: u8 = 1;

/// What the child does: runs a node until it leaves. The exit code is that of the original: 0, 6 not configured, 1 for
/// anything else that stays as it is; 75 for what may get better by itself. 77 asks the supervisor for the next program,
/// 76 for another attempt.
pub(super) fn run_core(options: &DaemonOptions, core_start: CoreStart) -> u8 {
    let line = core_start.socket.try_clone();
    let code = run_until_end(options, core_start);
    if let Ok(line) = line {
        send_exit_code(&line, code);
    }
    code
}

/// Why a node cannot start, and whether that may pass by itself.
#[derive(Debug)]
struct StartRefusal {
    why: String,
    code: u8,
}

impl StartRefusal {
    /// The machine lacks something now.
    fn for_now(why: impl Into<String>) -> StartRefusal {
        StartRefusal { why: why.into(), code: LATER }
    }

    /// Somebody has to do something.
    fn lasting(why: impl Into<String>) -> StartRefusal {
        StartRefusal { why: why.into(), code: REFUSED }
    }
}

/// What is refused on the way cannot be had now.
impl From<String> for StartRefusal {
    fn from(why: String) -> StartRefusal {
        StartRefusal::for_now(why)
    }
}

fn run_until_end(options: &DaemonOptions, core_start: CoreStart) -> u8 {
    let clock = Clock::start();
    // A refusal only means that a parent's descriptors may reach the scripts, as ever.
    let _ = sys::keep_descriptors_from_children();
    sys::share_one_heap();
    let terminal = if options.to_terminal { Terminal::detect() } else { Terminal::Nobody };
    let log = Log::start(clock, terminal, options.debug);
    log.serve_macros();
    if let Err(error) = options.called.take_title() {
        log.warn(format!("`ps` shows this process without its title: {error}"));
    }
    // What keeps it from being made is said when all directories are.
    let _ = directories::make_own(&options.paths);
    let left = FirstLook::look(&options.paths.own_dir, since_boot(), in_force::is_kept(&options.paths));
    let only_one = OnlyOne::take(&options.paths.pid_file, core_start.supervisor);
    let unlocked = only_one.as_ref().ok().and_then(OnlyOne::missing).map(|error| {
        let lock = options.paths.pid_file.with_extension("lock");
        format!("{}: {error}: going on without it; nothing but the pid file keeps a second daemon away", lock.display())
    });
    let other = match only_one {
        Ok(_) => pidfile::surely_running(&options.paths.pid_file, Some(core_start.supervisor)),
        Err(holder) => Running::Yes(holder.supervisor),
    };
    let unsupervised = only_one.as_ref().err().filter(|holder| !process::is_alive(holder.supervisor)).copied();
    let limit = core_start.limit;
    let is_successor = core_start.before.is_some() || core_start.hopeless || core_start.attempt > 0 || left.claims;
    let resolute = is_successor && !matches!(other, Running::Yes(_));
    let untold = unlocked.into_iter().collect();
    let said = wants::read_refusal(&options.paths);
    let mut terms = Terms { other: Some(other), resolute, untold, said, ..Terms::default() };
    let code = match configuration(options, &mut terms) {
        Ok(config) => begin(options, &config, &clock, &log, core_start, terms),
        Err(problems) if resolute => without_files(options, &problems, &clock, &log, core_start, &left),
        // Whatever its files are by now: it is to be looked after.
        Err(_) if unsupervised.is_some() => AGAIN,
        Err(problems) => refuse(options, &log, &problems),
    };
    if let Some(holder) = unsupervised {
        stuck_core::await_it(&options.paths, holder, limit, &log);
    }
    log.disk().settle();
    if terms_are_over(code, other) {
        wants::publish(&options.paths, &[]);
    }
    code
}

/// Whether nobody is waited for any more.
fn terms_are_over(code: u8, other: Running) -> bool {
    ![AGAIN, UPGRADE].contains(&code) && !matches!(other, Running::Yes(_))
}

/// The files as they are, or else, where something runs, as they were when they were last accepted.
fn configuration(options: &DaemonOptions, terms: &mut Terms) -> Result<Config, Vec<Problem>> {
    // A name that is not known now is that of a medium that does not open now.
    let without_resources = options.without_resources;
    let read = ReadOptions { without_resources, without_resolver: true, ..ReadOptions::default() };
    let (mut sources, config) = read_config::load_with(&options.paths, &read);
    let mut problems = match config {
        // Files that were not reread may name what never was here: while something runs they are not believed.
        Ok(config) if terms.resolute && !config.lacking.is_empty() => config.warnings,
        Ok(config) => {
            let config = with_keys_in_force(options, &mut sources, config, terms);
            terms.sources = Some(sources);
            return Ok(config);
        }
        Err(problems) => problems,
    };
    if !terms.resolute {
        return Err(problems);
    }
    terms.untold.extend(problems.iter().map(ToString::to_string));
    match in_force::read(&options.paths, &read) {
        Ok((mut then, config)) => {
            let first = in_force::sentence(&problems);
            let same = in_force::are_the_same(&sources, &then);
            [&mut sources, &mut then].into_iter().for_each(Sources::forget_keys);
            if same {
                // It is the machine that lacks something: a medium that does not open says so itself.
                terms.untold.push(format!("{first}: the files are those that were accepted, going on"));
            } else {
                let why = format!(
                    "{first}: going on with the files as they were; mend it, then have them reread (heartbeat -r)"
                );
                terms.untold.push(why.clone());
                terms.wants.add(Want::Files, why);
            }
            Ok(config)
        }
        Err(why) => {
            if let Ok(config) = Config::assemble(&sources, &read_config::few_facts(&options.paths)) {
                terms.untold.push("There is nothing wrong with the files themselves: going on".to_owned());
                return Ok(config);
            }
            problems.push(Problem::error(options.paths.own_dir.join("latido-files").display().to_string(), why));
            Err(problems)
        }
    }
}

/// The keys that count are those that were accepted: whoever signs otherwise than the other node expects is dead to it.
/// A file that was changed and not reread, or refused, is not that.
fn with_keys_in_force(options: &DaemonOptions, sources: &mut Sources, config: Config, terms: &mut Terms) -> Config {
    if !terms.resolute {
        return config;
    }
    let Some(keys) = in_force::keys(&options.paths).filter(|keys| sources.authkeys.as_ref() != Some(keys)) else {
        return config;
    };
    let Some(keyring) = authkeys::parse(&keys).0 else {
        let why = "the keys that were accepted cannot be read any more: going on with those authkeys holds now";
        terms.untold.push(why.to_owned());
        return config;
    };
    sources.authkeys = Some(keys);
    let why = "authkeys was changed and not reread: going on with the keys as they were; have it reread (heartbeat -r)";
    terms.untold.push(why.to_owned());
    terms.wants.add(Want::Files, why);
    Config { keyring, ..config }
}

/// From a configuration to the end of this life.
fn begin(
    options: &DaemonOptions,
    config: &Config,
    clock: &Clock,
    log: &Log,
    core_start: CoreStart,
    mut terms: Terms,
) -> u8 {
    let refusals = log.direct(config.settings.me.as_str(), &config.logging);
    refusals.iter().for_each(|refusal| log.warn(refusal));
    terms.untold.drain(..).for_each(|error| log.error(error));
    if !refusals.is_empty() {
        terms.wants.add(Want::Log, refusals.join("; "));
    }
    if let Some(Running::Yes(pid)) = terms.other {
        if !process::is_alive(pid) {
            if core_start.attempt.is_power_of_two() || core_start.attempt == 0 {
                log.error(format!(
                    "a daemon runs here whose supervisor (pid {pid}) is gone: waiting for it, or its end"
                ));
            }
            return AGAIN;
        }
        log.info(format!("heartbeat: already running [pid {pid}]."));
        // A service manager that lost its way to the daemon finds it again.
        service::adopt(u32::try_from(pid).unwrap_or_default());
        return 0;
    }
    let (resolute, leaving) = (terms.resolute, core_start.leaving);
    let only_to_clean = terms.only_to_clean && !core_start.hopeless;
    let said = terms.said.clone();
    let give_up = |StartRefusal { why, code }: StartRefusal| match code {
        _ if resolute => fail(log, &why, AGAIN),
        LATER => later(options, log, &why, said.as_deref()),
        code => {
            wants::publish_refusal(&options.paths, &why);
            fail(log, &why, code)
        }
    };
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return give_up(StartRefusal::for_now(format!("cannot start the event loop: {error}"))),
    };
    let code = runtime.block_on(async {
        match prepare(options, config, clock, log, core_start, terms) {
            Ok(driver) => {
                wants::forget_refusal(&options.paths);
                driver.run().await
            }
            Err(refusal) => give_up(refusal),
        }
    });
    // All is stopped, but the daemon is still to be there again.
    if code == 0 && only_to_clean && !leaving { AGAIN } else { code }
}

/// There are no files to go by, neither as they are nor as they were. What runs here is left alone for as long as the
/// other node waits for us; then it is stopped, for which the notes are enough.
fn without_files(
    options: &DaemonOptions,
    problems: &[Problem],
    clock: &Clock,
    log: &Log,
    core_start: CoreStart,
    left: &FirstLook,
) -> u8 {
    let stop = core_start.hopeless || left.is_late;
    let what = if stop { "what runs here is stopped" } else { "what runs here is left alone until deadtime is over" };
    let why = format!("{}; the daemon cannot start and tries again; {what}", in_force::sentence(problems));
    let config = read_config::nothing_but_a_name(&options.paths);
    if core_start.attempt.is_power_of_two() || core_start.attempt == 0 {
        config.iter().for_each(|config| drop(log.direct(config.settings.me.as_str(), &config.logging)));
        problems.iter().for_each(|problem| log.error(problem.to_string()));
        log.error(&why);
    }
    wants::publish(&options.paths, std::slice::from_ref(&why));
    // Whoever wants us to end finds our supervisor there.
    let _ = pidfile::write(&options.paths.pid_file, core_start.supervisor);
    if !stop || !(left.claims || core_start.hopeless) {
        return AGAIN;
    }
    let Some(config) = config else {
        return fail(log, "cannot stop what runs here: this node has no name", AGAIN);
    };
    let mut terms = Terms { resolute: true, only_to_clean: true, ..Terms::default() };
    terms.wants.add(Want::Files, why);
    begin(options, &config, clock, log, core_start, terms)
}

/// Logs how the core before this one ended.
fn log_last_end(log: &Log, core_start: &CoreStart) {
    let Some(how) = &core_start.before else { return };
    if core_start.leaving {
        log.error(format!(
            "Core heartbeat process died ({how})! This node is to leave: what it left running is stopped."
        ));
    } else if core_start.hopeless {
        let deaths = core_start.deaths;
        log.error(format!(
            "Core heartbeat process died ({how})! It has died {deaths} time(s) within the last minute: giving up. What \
             it left running is stopped now, and the other node takes over. Start it again when the cause is found"
        ));
    } else if core_start.deaths > 0 {
        log.error(format!("Core heartbeat process died ({how})! Restarting. Nothing is stopped for it."));
    } else {
        log.error(how);
    }
}

fn refuse(options: &DaemonOptions, log: &Log, problems: &[Problem]) -> u8 {
    wants::publish_refusal(&options.paths, &in_force::sentence(problems));
    problems.iter().for_each(|problem| log.tell(problem));
    log.error("Configuration error, heartbeat not started.");
    NOT_CONFIGURED
}

/// A first start that cannot be now. Who is started again and again says the same once.
fn later(options: &DaemonOptions, log: &Log, why: &str, said: Option<&str>) -> u8 {
    if said == Some(why) {
        log::debug!("{why}");
    } else {
        log.error(format!("{why}. Heartbeat not started; another try may succeed (exit code {LATER})"));
        wants::publish_refusal(&options.paths, why);
    }
    LATER
}

fn fail(log: &Log, why: &str, code: u8) -> u8 {
    log.error(why);
    code
}

fn prepare(
    options: &DaemonOptions,
    config: &Config,
    clock: &Clock,
    log: &Log,
    core_start: CoreStart,
    mut terms: Terms,
) -> Result<Driver, StartRefusal> {
    let paths = &options.paths;
    match directories::make_directories(paths) {
        Ok(made) => {
            made.remarks.iter().for_each(|remark| log.warn(remark));
            made.lacking.map_or(Ok(()), |why| terms.do_without(Want::Directories, why, log))?;
        }
        Err(error) if terms.resolute => terms.do_without(Want::Directories, error.to_string(), log)?,
        Err(error) if directories::is_foreign(&error) => return Err(StartRefusal::lasting(error.to_string())),
        Err(error) => {
            return Err(StartRefusal::for_now(format!("{error}: no node can work without its places in /run")));
        }
    }
    let links = open_links(config, paths, clock, log, &terms)?;
    log.info("**************************");
    log.info(format!("Configuration validated. Starting heartbeat (latido {})", env!("CARGO_PKG_VERSION")));
    config.warnings.iter().filter(|problem| !problem.lacking).for_each(|problem| log.tell(problem));
    links.missing().iter().flat_map(|error| complaints(config, error)).for_each(|why| {
        log.error(format!("{why}: going on without it, and trying again"));
    });
    links.warnings().iter().for_each(|note| log.warn(note));
    log_last_end(log, &core_start);
    assemble(options, config, clock, log, core_start, links, terms).map_err(StartRefusal::for_now)
}

fn open_links(config: &Config, paths: &Paths, clock: &Clock, log: &Log, terms: &Terms) -> Result<Links, StartRefusal> {
    if terms.resolute {
        return Ok(Links::open_what_can(&config.media, &paths.lock_dir, clock));
    }
    Links::open_all(&config.media, &paths.lock_dir, clock).map_err(|errors| {
        let first = errors.first().map_or_else(String::new, ToString::to_string);
        let (lasts, waits): (Vec<_>, Vec<_>) = errors.iter().partition(|error| error.lasts);
        let refusal = match lasts.first() {
            Some(error) => StartRefusal::lasting(error.to_string()),
            None => StartRefusal::for_now(format!("no medium of ha.cf can be opened now: {first}")),
        };
        if terms.said.as_ref() != Some(&refusal.why) {
            let lines = waits.iter().flat_map(|error| complaints(config, error));
            lines.chain(lasts.iter().map(|error| error.original())).for_each(|line| log.error(line));
        }
        refusal
    })
}

/// What is said of a medium that does not open: what the files were found to ask for in vain, in the words of the
/// original; else what was seen at opening.
fn complaints(config: &Config, error: &LinkError) -> Vec<String> {
    let found = config.lacking.iter().filter(|(spec, _)| *spec == error.spec);
    let found: Vec<String> = found.map(|(_, problem)| problem.to_string()).collect();
    if found.is_empty() { vec![error.to_string()] } else { found }
}

/// A driver on these media; must be called inside the runtime.
pub(super) fn assemble(
    options: &DaemonOptions,
    config: &Config,
    clock: &Clock,
    log: &Log,
    core_start: CoreStart,
    links: Links,
    mut terms: Terms,
) -> Result<Driver, String> {
    let paths = &options.paths;
    let alone = config.settings.nodes.len() < 2;
    let hopeless = core_start.hopeless || terms.only_to_clean;
    let FromPredecessor { past, left_scripts, left_programs, file, last_status } =
        FromPredecessor::take(&paths.own_dir, since_boot(), alone, hopeless, in_force::is_kept(paths));
    // Before we get the priority that its thread is not to have.
    match DiskThread::behind() {
        Ok(disk) => log.leave_to(disk),
        Err(error) => log.warn(format!("no thread for the disk: a disk that hangs holds up heartbeats: {error}")),
    }
    if let Some(mut sources) = terms.sources.take() {
        in_force::keep(paths, &sources).unwrap_or_else(|why| log.warn(why));
        sources.forget_keys();
    }
    let remembered = Remembered::read(paths, log.disk());
    let mut birth = birth(paths, config, clock, log, past, &remembered, &mut terms)?;
    if let Err(error) = pidfile::write(&paths.pid_file, core_start.supervisor) {
        terms.do_without(Want::PidFile, error.to_string(), log)?;
    }
    let limit = core_start.limit;
    let own_supervisor =
        OwnSupervisor::new(core_start.socket, core_start.supervisor).map_err(|error| error.to_string())?;
    let recorder = options.record.as_deref().and_then(|path| open_record(path, log));
    if config.realtime && !options.without_realtime {
        realtime::become_realtime(config.rtprio).into_iter().for_each(|refusal| log.warn(refusal));
    }
    let now = clock.now();
    // After everything that may be slow.
    let lasted = since_boot();
    birth.leaves = core_start.told;
    birth.silence = last_status.map(|(said, patience)| Silence { lasted: lasted.saturating_sub(said), patience });
    let recorder = recorder.and_then(|recorder| {
        begin_record(recorder, &RecordStart::new(&config.settings, &config.groups, &birth, now), log)
    });
    let cluster = Cluster::start(config.settings.clone(), config.groups.clone(), birth, now);
    let respawned = RespawnedPrograms::new(&config.respawn, left_programs);
    let prepared =
        Prepared { terms, own_supervisor, left_scripts, respawned, notes: file, recorder, remembered, limit };
    Driver::new(options.clone(), config.clone(), *clock, log.clone(), links, cluster, prepared)
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

fn begin_record(mut recorder: Recorder, life: &RecordStart, log: &Log) -> Option<Recorder> {
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
    terms: &mut Terms,
) -> Result<StartFacts, String> {
    let now = clock.now().wall;
    let next = next_generation(paths, now, config.generation_from_time);
    next.remark.into_iter().for_each(|remark| log.warn(remark));
    log.info(format!("Heartbeat generation: {}", next.generation.0));
    if let Some(why) = next.unwritten {
        let why = format!("{why}: generation {} is not on disk yet; it is tried again", next.generation.0);
        log.error(&why);
        terms.wants.add(Want::Generation(next.generation), why);
    }
    let uuid = uuid(paths, config, log, terms)?;
    let seed = identity::random_seed().unwrap_or(now.0);
    let remembered = heard.peers().iter().map(|peer| (peer.node.clone(), peer.generation, peer.sequence)).collect();
    let clocks = heard.peers().iter().filter_map(|peer| Some((peer.node.clone(), peer.ahead?))).collect();
    Ok(StartFacts { remembered, clocks, past, ..StartFacts::new(next.generation, uuid, seed) })
}

fn uuid(paths: &Paths, config: &Config, log: &Log, terms: &mut Terms) -> Result<[u8; 16], String> {
    let of_name = identity::uuid_from_name(&config.settings.me);
    if config.uuid_from_name {
        return Ok(of_name);
    }
    match identity::node_uuid(paths) {
        Ok((uuid, fresh)) => {
            if fresh {
                log.info("No uuid found for current node - generating a new uuid.");
            }
            Ok(uuid)
        }
        Err(error) => terms.do_without(Want::Uuid, error.to_string(), log).map(|()| of_name),
    }
}
