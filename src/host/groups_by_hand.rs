//! Groups taken up and down by hand, without a daemon: what the original's `ResourceManager` does (`resources.md` 3.2).
//!
//! The same chain, scripts, environment and limits as the daemon's; a resource that cannot be stopped is reported here,
//! and nobody is reset for it.

use std::time::Duration;

use tokio::runtime::Runtime;

use crate::config::Config;
use crate::diagnostic::Problem;
use crate::haresources::{Chain, Exit, Invocation, Outcome, Resource, ResourceGroup, Step, Verb, parse};
use crate::paths::Paths;

use super::disk_thread::DiskThread;
use super::environment::Environment;
use super::lookup::{FoundAgent, ProgramPlaces, own_agent};
use super::read_config;
use super::script::{Output, run_alone};
use super::script_log::ScriptLog;

/// A node whose groups are handled by hand.
#[derive(Debug)]
pub(crate) struct ByHand {
    config: Config,
    places: ProgramPlaces,
    environment: Environment,
    runtime: Runtime,
    problems: Vec<Problem>,
    no_groups: bool,
}

impl ByHand {
    /// Reads the node's files. Those with errors, or of another host, do as well: then the groups are those of
    /// `haresources`, the times those of `latido.cf`, and the log that of `ha.cf`, as far as they can be read.
    ///
    /// # Errors
    /// A sentence: no script can be run at all.
    pub(crate) fn open(paths: &Paths) -> Result<ByHand, String> {
        let options = read_config::ReadOptions { without_resolver: true, ..read_config::ReadOptions::default() };
        let mut no_groups = false;
        let (config, problems) = match read_config::load_with(paths, &options).1 {
            Ok(config) => (config, Vec::new()),
            Err(problems) => {
                let config = read_config::nothing_but_a_name(paths).ok_or("no script can be run without a name")?;
                let groups = read_config::haresources_of_root(paths).map(|source| parse::parse(&source, &[]).0);
                no_groups = groups.is_none();
                (Config { groups: groups.unwrap_or_default(), ..config }, problems)
            }
        };
        let log = ScriptLog::open(&config.logging, DiskThread::at_once());
        let mut environment = Environment::new(paths, &config, std::env::vars_os(), log);
        environment.core_files = None;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| format!("cannot run scripts: {error}"))?;
        Ok(ByHand { config, places: ProgramPlaces::new(paths), environment, runtime, problems, no_groups })
    }

    /// What is wrong with the files.
    pub(crate) fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// Whether `haresources` could not be read, or not on root's word alone.
    pub(crate) fn knows_no_groups(&self) -> bool {
        self.no_groups
    }

    /// The groups of `haresources`.
    pub(crate) fn groups(&self) -> &[ResourceGroup] {
        &self.config.groups
    }

    /// Whether a resource runs; like every call here it lasts as long as the script, and no longer than its limit.
    pub(crate) fn status(&self, resource: &Resource) -> Outcome {
        self.call(&Invocation { resource: resource.clone(), verb: Verb::Status })
    }

    /// Starts what of a group does not run. Each call is told with its end.
    ///
    /// # Errors
    /// The resource that did not start.
    pub(crate) fn take(&self, group: &ResourceGroup, tell: impl FnMut(&str)) -> Result<(), String> {
        self.play(Chain::acquire(group), tell)
    }

    /// Stops a group.
    ///
    /// # Errors
    /// The resource that did not stop.
    pub(crate) fn give(&self, group: &ResourceGroup, tell: impl FnMut(&str)) -> Result<(), String> {
        self.play(Chain::release(group), tell)
    }

    fn play(&self, (mut chain, mut step): (Chain, Step), mut tell: impl FnMut(&str)) -> Result<(), String> {
        loop {
            step = match step {
                Step::Run(invocation) => {
                    let outcome = self.call(&invocation);
                    tell(&said(&invocation, &outcome));
                    chain.on_done(&outcome)
                }
                Step::Pause(time) => {
                    self.runtime.block_on(async { tokio::time::sleep(time).await });
                    chain.on_pause()
                }
                Step::Held | Step::Released => return Ok(()),
                Step::Failed { resource, exit } => return Err(format!("{resource} did not start: {exit}")),
                Step::StopFailed { resource } => return Err(format!("{resource} cannot be stopped: it still runs")),
            };
        }
    }

    fn call(&self, invocation: &Invocation) -> Outcome {
        let found = match self.places.find(&invocation.resource.agent) {
            Ok(found) => found,
            Err(why) => return Outcome::not_found(why),
        };
        let Some(call) = found.call(invocation).or_else(|| own_agent(invocation, self.limit(invocation.verb))) else {
            return Outcome::not_found(self.places.nothing(&invocation.resource.agent));
        };
        let output = if invocation.verb == Verb::Status { Output::Kept } else { Output::Log };
        let limit = self.limit(invocation.verb);
        match self.runtime.block_on(run_alone(&call, output, limit, &self.environment)) {
            Ok(outcome) => FoundAgent::judge(matches!(found, FoundAgent::Unit(_)), invocation.verb, outcome),
            Err(error) => Outcome::not_found(format!("cannot run {}: {error}", call.program.to_string_lossy())),
        }
    }

    fn limit(&self, verb: Verb) -> Duration {
        let limits = &self.config.settings.script_timeout;
        match verb {
            Verb::Start => limits.start,
            Verb::Stop => limits.stop,
            Verb::Status => limits.status,
        }
    }
}

fn said(invocation: &Invocation, outcome: &Outcome) -> String {
    match invocation.verb {
        Verb::Status if outcome.says_running() => format!("{invocation}: running"),
        Verb::Status if matches!(outcome.exit, Exit::Code(_)) => format!("{invocation}: not running"),
        Verb::Status | Verb::Start | Verb::Stop => format!("{invocation}: {}", outcome.exit),
    }
}
