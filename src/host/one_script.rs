//! One resource script run by hand, exactly as the daemon would: the same search, environment and time limit. For
//! `latido doctor`, which asks whether scripts can be relied upon.

use std::path::PathBuf;
use std::time::Duration;

use crate::agent;
use crate::config::Config;
use crate::haresources::{Invocation, Outcome};
use crate::paths::Paths;

use super::disk_thread::DiskThread;
use super::environment::Environment;
use super::lookup::{Call, FoundAgent, ProgramPlaces};
use super::script::{Output, run_alone};
use super::script_log::ScriptLog;

/// What a resource word leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Program {
    /// An executable file that nobody else may change.
    Script(PathBuf),
    /// A unit of systemd.
    Unit(String),
    /// An agent of ours.
    BuiltIn,
}

/// Finds what runs the agent of that name on this machine.
///
/// # Errors
/// A sentence: where we looked, or which path others may write.
pub fn program_of(paths: &Paths, name: &str) -> Result<Program, String> {
    let places = ProgramPlaces::new(paths);
    match places.find(name)? {
        FoundAgent::Script(path) => Ok(Program::Script(path)),
        FoundAgent::Unit(unit) => Ok(Program::Unit(unit)),
        FoundAgent::Ours if agent::place_of(name).is_some() => Ok(Program::BuiltIn),
        FoundAgent::Ours => Err(places.nothing(name)),
    }
}

/// Runs a script once and waits for its end, at most `limit`; then its whole process group is ended.
///
/// # Errors
/// A sentence when it cannot be run.
pub fn run_script(
    paths: &Paths,
    config: &Config,
    script: PathBuf,
    invocation: &Invocation,
    limit: Duration,
) -> Result<Outcome, String> {
    let log = ScriptLog::open(&config.logging, DiskThread::at_once());
    let environment = Environment::new(paths, config, std::env::vars_os(), log);
    let words = invocation.resource.args.iter().map(String::as_str).chain([invocation.verb.as_str()]);
    let call = Call { program: script.into_os_string(), name: None, arguments: words.map(Into::into).collect() };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let ended = runtime.and_then(|runtime| runtime.block_on(run_alone(&call, Output::Kept, limit, &environment)));
    ended.map_err(|error| format!("cannot run {invocation}: {error}"))
}
