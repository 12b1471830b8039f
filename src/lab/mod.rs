//! Two hosts, a caller and the cables between them on this machine, made of kernel namespaces.
//!
//! From the ground up: `namespaces` makes the bench in which everything lives and with which it vanishes, [`host`] a host
//! in it, [`switch`] and [`cable`] the network and the null-modem line with their faults, `bench` joins them. [`caller`]
//! and [`witness`] see what happens, [`printer`] prints it, `run` waits for what should come of what a scenario does.
//!
//! ```text
//! cli ──> scenario (failing_programs, client_cable, moves), shell, random ──> run ──> pair (plan, files)
//! pair ──> machine (original) ──> host ──> init ──> namespaces
//!      ──> bench ──> switch, interface; cable, caller
//! witness, caller ──> log_entries ──> printer; what_runs; stalls: whether the machine stood still
//! waker: wakes the thread of a switch or a cable
//! ```

pub mod bench;
pub mod cable;
pub mod caller;
mod client_cable;
mod failing_programs;
mod files;
pub mod host;
mod init;
mod interface;
mod log_entries;
mod machine;
pub mod moves;
mod namespaces;
mod original;
mod pair;
mod plan;
pub mod printer;
mod random;
mod run;
mod scenario;
mod shell;
pub mod stalls;
pub mod switch;
mod waker;
mod what_runs;
pub mod witness;

use std::path::PathBuf;
use std::process::{Command, ExitCode, ExitStatus};

use files::LabFiles;
use pair::LabPair;
use plan::LabPlan;
use printer::{Outcome, Printer, Style};
use run::LabRun;

use crate::amount::{exact, measured};
use crate::time::Mono;

pub use random::Random;
pub use scenario::Scenario;

/// The parts the executable plays besides the lab itself; each is a process of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum LabProcess {
    /// The lab, once on its bench.
    Bench,
    /// Runs a command on a bench and exits as it does.
    Run,
    /// The same, once inside.
    Settled,
    /// The first process of a host.
    Init,
    /// The witness on a host.
    Witness,
}

/// Plays a part; `words` are its arguments.
pub fn run_part(part: LabProcess, words: &[String]) -> ExitCode {
    let first = words.first().map_or("", String::as_str);
    let done = match part {
        LabProcess::Bench => return run_on_the_bench(&LabOptions::default()),
        LabProcess::Run => return run_on_bench(words),
        LabProcess::Settled => return run_settled(words),
        LabProcess::Init => init::run(first),
        LabProcess::Witness => witness::run(first),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&format!("{part:?} of host {first}: {error}"));
            ExitCode::FAILURE
        }
    }
}

/// The exit code for a machine that allows no lab.
const NOT_HERE: u8 = 2;
/// The exit code for a machine that stood still for too long to judge anybody by what was seen.
const NOT_JUDGED: u8 = 3;
/// A machine that stands still for this part of deadtime makes nodes late that are not.
const SHAKY: u32 = 5;
/// By how much slower it is played again on such a machine.
const SLOWER: f64 = 4.0;

fn run_on_bench(words: &[String]) -> ExitCode {
    let mut command = Command::new("/proc/self/exe");
    command.args(["lab", "--inner", "settled", "--"]).args(words);
    match namespaces::run_inside(command) {
        Ok(status) => code_of(status),
        Err(missing) => refuse(&missing),
    }
}

fn run_settled(words: &[String]) -> ExitCode {
    if let Err(missing) = namespaces::settle() {
        return refuse(&missing);
    }
    let Some((program, arguments)) = words.split_first() else { return ExitCode::from(NOT_HERE) };
    match Command::new(program).args(arguments).status() {
        Ok(status) => code_of(status),
        Err(error) => {
            complain(&format!("{program}: {error}"));
            ExitCode::from(127)
        }
    }
}

/// How the lab is to be run.
#[derive(Clone, Debug, Default)]
pub struct LabOptions {
    /// The user's own files; `None` for the lab's own pair.
    pub config: Option<PathBuf>,
    /// What to play; empty for everything.
    pub scenarios: Vec<Scenario>,
    /// How many times faster than written; `None` for what is bearable.
    pub speed: Option<f64>,
    /// Whether that was too fast for this machine.
    pub slower: bool,
    /// Whether the user's own resource scripts run.
    pub real_scripts: bool,
    /// Whether a person plays.
    pub shell: bool,
    /// The node that runs the original instead.
    pub original: Option<String>,
    /// Faults by chance instead of what is written.
    pub random: Option<Random>,
    /// JSON instead of text.
    pub json: bool,
}

/// Runs the lab on a bench of its own: starts this program again there with the same arguments and waits for it. On a
/// machine too shaky for the pace it is played once more, slower, if it `may_be_slower`.
pub fn run(may_be_slower: bool) -> ExitCode {
    match play_inside(&[]) {
        Ok(status) if may_be_slower && status.code() == Some(NOT_JUDGED.into()) => {
            complain("once more, four times slower");
            play_inside(&["--slower"]).map_or_else(|missing| refuse(&missing), code_of)
        }
        Ok(status) => code_of(status),
        Err(missing) => refuse(&missing),
    }
}

fn play_inside(more: &[&str]) -> Result<ExitStatus, namespaces::Missing> {
    let mut command = Command::new(machine::PROGRAM);
    command.args(std::env::args_os().skip(1)).args(more).args(["--inner", "bench"]);
    namespaces::run_inside(command)
}

/// Runs the lab, once on the bench.
pub fn run_on_the_bench(options: &LabOptions) -> ExitCode {
    match prepare(options).and_then(|(plan, agents)| {
        namespaces::settle().map_err(|missing| (NOT_HERE, missing.to_string()))?;
        let pair = LabPair::build(plan, &agents)
            .map_err(|error| (NOT_HERE, format!("the pair cannot be built on this machine: {error}")))?;
        Ok(LabRun::new(pair, Printer { style: Style::for_stdout(options.json) }))
    }) {
        Ok(mut run) => perform(&mut run, options),
        Err((code, text)) => {
            complain(&text);
            ExitCode::from(code)
        }
    }
}

/// Reads the files and the scripts; afterwards nothing of the user's directory is needed.
#[allow(clippy::type_complexity, reason = "a plan and its files, or an exit code and a sentence; used once")]
fn prepare(options: &LabOptions) -> Result<(LabPlan, Vec<(String, String)>), (u8, String)> {
    let mut files = match (&options.config, options.random) {
        (Some(directory), _) => LabFiles::read(directory).map_err(|sentence| (NOT_HERE, sentence))?,
        (None, Some(random)) => random::files(random.seed),
        (None, None) => LabFiles::own(),
    };
    if !options.real_scripts {
        files.keep_inside();
    }
    // An original is not fenced, as it does not fence.
    let by_chance = options.random.is_some_and(|random| random::has_fence(random.seed)) && options.original.is_none();
    if by_chance || files.own && options.scenarios.contains(&Scenario::StuckFence) {
        files.add_fence();
    }
    let is_played = options.random.is_none() && !options.shell;
    if files.own && is_played && (options.scenarios.is_empty() || options.scenarios.contains(&Scenario::ClientCable)) {
        files.add_ipfail();
    }
    let plays_beside = |scenario: &Scenario| [Scenario::ColdStart, Scenario::ClientCable].contains(scenario);
    if options.original.is_some() && is_played && !options.scenarios.iter().all(plays_beside) {
        let sentence = "with --original only the scenarios cold-start and client-cable can be played";
        return Err((NOT_HERE, sentence.to_owned()));
    }
    let plan_at = |speed| {
        LabPlan::new(files.clone(), speed, options.real_scripts).map_err(|problems| {
            let hint = "the files are not good enough for a lab (`latido check DIR` shows each problem in its place):";
            (NOT_HERE, format!("{hint}\n  {}", problems.join("\n  ")))
        })
    };
    let mut plan = plan_at(options.speed.or(options.random.map(|_| 1.0)))?;
    if options.slower {
        plan = plan_at(Some(plan.speed / SLOWER))?;
    }
    let mut plan = match &options.original {
        Some(name) => plan.with_original(name).map_err(|why| (NOT_HERE, why))?,
        None => plan,
    };
    if let Some(random) = options.random {
        let made = random::make_kept(random.seed);
        plan.kept = Some(made.map_err(|error| (NOT_HERE, format!("no directory for the records: {error}")))?);
        let agents = random::scripts(&plan);
        return Ok((plan, agents));
    }
    let agents = match &options.config {
        Some(directory) if options.real_scripts => files::read_scripts(directory),
        _ => plan.recorded.iter().map(|agent| (agent.clone(), files::recorder(agent))).collect(),
    };
    Ok((plan, agents))
}

/// Plays what was asked for and prints the table.
fn perform(run: &mut LabRun, options: &LabOptions) -> ExitCode {
    introduce(run);
    if options.shell {
        return shell::run(run);
    }
    if let (Some(random), Some(kept)) = (options.random, run.pair.plan.kept.clone()) {
        return random::perform(run, random, &kept).unwrap_or_else(|error| {
            complain(&format!("{}: {error}", kept.display()));
            ExitCode::from(NOT_HERE)
        });
    }
    let scenarios = if options.scenarios.is_empty() { &scenario::ALL[..] } else { &options.scenarios[..] };
    for scenario in scenarios {
        if scenario.run(run).is_err() && run.lost {
            break;
        }
    }
    // What the last scenario waited for may still be on its way to the time line.
    run.run_for(pair::ASKS_EVERY * 10);
    if run.what_runs.anything_twice() {
        run.complain("something still runs on both nodes".to_owned());
    }
    let stood_still = run.stall_watch.worst(Mono::ZERO, run.now());
    run.printer.table(&run.rows, &Outcome { wrong: &run.wrong, speed: run.pair.plan.speed, stood_still });
    if run.wrong.is_empty() {
        return ExitCode::SUCCESS;
    }
    complain(&format!("not everything went as it should:\n  {}", run.wrong.join("\n  ")));
    let deadtime = run.pair.plan.config.settings.deadtime;
    if stood_still * SHAKY < deadtime {
        return ExitCode::FAILURE;
    }
    let (still, deadtime) = (measured(stood_still), exact(deadtime));
    complain(&format!("that judges this machine, not the pair: it stood still for {still} (deadtime {deadtime})"));
    ExitCode::from(NOT_JUDGED)
}

/// Says what stands on the bench.
fn introduce(run: &mut LabRun) {
    let plan = &run.pair.plan;
    let settings = &plan.config.settings;
    let cables = plan.interfaces.iter().cloned();
    let serial = plan.serial.iter().map(|(device, baud)| format!("{device} (null-modem, {baud} baud)"));
    let wires = cables.chain(serial).collect::<Vec<_>>().join(", ");
    let mut lines = vec![
        format!("hosts {}; {wires}", plan.nodes.join(", ")),
        format!("keepalive {}, deadtime {}", exact(settings.keepalive), exact(settings.deadtime)),
    ];
    let services = plan.services.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    if !services.is_empty() {
        lines.push(format!("a client asks {services} every {}", exact(pair::ASKS_EVERY)));
    }
    if !plan.recorded.is_empty() {
        let names = plan.recorded.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
        lines.push(format!("recorders stand in for {names}"));
    }
    lines.extend(plan.files.notices.clone());
    lines.iter().for_each(|line| run.tell(line));
}

fn refuse(missing: &namespaces::Missing) -> ExitCode {
    complain(&missing.to_string());
    ExitCode::from(NOT_HERE)
}

/// A process killed by a signal counts as failed.
fn code_of(status: ExitStatus) -> ExitCode {
    status.code().and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from)
}

#[allow(clippy::print_stderr, reason = "the lab is a program a person runs at a terminal")]
fn complain(text: &str) {
    eprintln!("latido lab: {text}");
}
