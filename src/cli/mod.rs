//! The command line: one file per subcommand, and the old names this executable answers to (latido(8)).
//!
//! ```text
//! main ──> the name it was called by: old/, or an agent (resource.d/NAME)
//!      ──> one file a subcommand ──> host, client, config, …: this room names everything, nothing names it
//! shared: advice (what to type next), background (starting and waiting), replace, diff, logging
//! ```

/// A line on standard error, fit for a terminal whatever others wrote into it.
macro_rules! complain {
    ($($words:tt)*) => { $crate::cli::complain(&format!($($words)*)) };
}

mod advice;
mod agent;
mod background;
mod check;
mod completions;
mod daemon;
mod diff;
mod doctor;
mod events;
mod export;
mod forget_peer;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod handover;
mod init;
mod keygen;
mod lab;
mod logging;
mod manual;
mod move_group;
mod old;
mod propagate;
mod replace;
mod replay;
mod resource;
mod service;
mod simulate;
mod standby;
mod status;
mod takeover;
mod why;

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};

use crate::daemon::Called;
use crate::paths::Paths;
use crate::printable;

/// A two-node heartbeat daemon that reads /etc/ha.d and speaks the protocol of Linux-HA heartbeat.
#[derive(Debug, Parser)]
#[command(name = "latido", version, max_term_width = 100)]
#[command(after_help = "Examples:
  latido lab                  two nodes on this machine: watch them fail and take over
  latido check /etc/ha.d      what it makes of your files
  latido simulate /etc/ha.d   what they will do when something fails
  latido status               is everything well?
  latido why                  what moved last, and why")]
struct Latido {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the node: heartbeat, takeover, resources
    Daemon(daemon::Args),
    /// Start this node, by systemd where it has the unit, and wait until it is ready
    Start(service::Args),
    /// Stop this node, and wait until everything it ran is released
    Stop(service::Args),
    /// Read the files again; if anything is wrong with them the old ones stay in force
    Reload(service::Args),
    /// Read the configuration and print every problem with its remedy
    Check(check::Args),
    /// Write the first configuration of a pair, from answers or flags
    Init(init::Args),
    /// Write an authkeys file with a strong random key
    Keygen(keygen::Args),
    /// Compare the files of both nodes, and copy those of this one to the other
    Propagate(propagate::Args),
    /// Say whether this pair is fit to fail over, and what would mend it
    Doctor(doctor::Args),
    /// Show nodes, links, and who holds what
    Status(status::Args),
    /// Show the status again and again until interrupted
    Monitor(status::MonitorArgs),
    /// Give resource groups to the other node, wait, and say how it went
    Standby(standby::Args),
    /// Take resource groups from the other node, wait, and say how it went
    Takeover(takeover::Args),
    /// Move one resource group, wait, and say how it went
    Move(move_group::Args),
    /// Take what the other node says next for a new life, whatever its generation
    ForgetPeer(forget_peer::Args),
    /// List resource groups; ask, start and stop them by hand
    Resource(resource::Args),
    /// Say why groups last moved, with the evidence and every script's time
    Why(why::Args),
    /// Print what happened, newest last
    Events(events::Args),
    /// Play what a daemon recorded with --record
    Replay(replay::Args),
    /// Watch two nodes beat, fail and take over on this machine
    Lab(lab::Args),
    /// Play this configuration through faults in simulated time
    Simulate(simulate::Args),
    /// Print the groups as commands for another cluster manager
    Export(export::Args),
    /// Run a built-in resource agent
    Agent(agent::Args),
    /// Print the completions of this program for a shell
    Completions(completions::Args),
    /// Write the manual pages
    #[command(name = "man", hide = true)]
    Manual(manual::Args),
}

/// Runs what was called: a subcommand, or the program whose name the link has.
pub fn main() -> ExitCode {
    Called::now().wear();
    let words: Vec<String> = std::env::args_os().map(|word| word.to_string_lossy().into_owned()).collect();
    if let Some((program, rest)) = words.split_first() {
        match program.rsplit('/').next() {
            Some("ResourceManager") => return resource::resource_manager(program, rest),
            Some("ha_propagate") => return propagate::ha_propagate(),
            Some(name @ ("hb_standby" | "hb_takeover")) => return handover::old_program(name, program, rest),
            Some(name) if agent::is_agent(name) => return agent::called_as(name, rest),
            Some(name) => {
                if let Some(code) = old::program(name, rest) {
                    return code;
                }
            }
            None => {}
        }
    }
    // `latido cl_status …` serves where there is no link of that name.
    let called = words.iter().take(2).enumerate().find_map(|(at, word)| {
        let name = if at == 0 { word.rsplit('/').next().unwrap_or("") } else { word };
        old::client(name, &words[at + 1..])
    });
    if let Some(code) = called {
        return code;
    }
    let command = Latido::parse().command;
    if !matches!(command, Command::Daemon(_)) {
        logging::start();
    }
    match command {
        Command::Daemon(args) => daemon::run(&args),
        Command::Start(args) => service::start(&args),
        Command::Stop(args) => service::stop(&args),
        Command::Reload(args) => service::reload(&args),
        Command::Check(args) => check::run(&args),
        Command::Init(args) => init::run(&args),
        Command::Keygen(args) => keygen::run(&args),
        Command::Propagate(args) => propagate::run(&args),
        Command::Doctor(args) => doctor::run(&args),
        Command::Status(args) => status::run(&args),
        Command::Monitor(args) => status::monitor(&args),
        Command::Standby(args) => standby::run(&args),
        Command::Takeover(args) => takeover::run(&args),
        Command::Move(args) => move_group::run(&args),
        Command::ForgetPeer(args) => forget_peer::run(&args),
        Command::Resource(args) => resource::run(&args),
        Command::Why(args) => why::run(&args),
        Command::Events(args) => events::run(&args),
        Command::Replay(args) => replay::run(&args),
        Command::Lab(args) => lab::run(&args),
        Command::Simulate(args) => simulate::run(&args),
        Command::Export(args) => export::run(&args),
        Command::Agent(args) => agent::run(&args),
        Command::Completions(args) => completions::run(&args),
        Command::Manual(args) => manual::run(&args),
    }
}

/// The node the old programs mean: `HA_DIR`, or the system's.
fn paths_from_environment() -> Paths {
    std::env::var_os("HA_DIR").map_or_else(Paths::system, |dir| Paths::under(Path::new(&dir)))
}

/// Prints; a reader that went away changes nothing. What others wrote does nothing to a terminal.
fn print(text: &str) {
    printed(text);
}

/// The same; false when nobody reads any more.
fn printed(text: &str) -> bool {
    writeln!(std::io::stdout(), "{}", printable::lines(text)).is_ok()
}

/// The same on standard error.
fn complain(text: &str) {
    let _ = writeln!(std::io::stderr(), "{}", printable::lines(text));
}

/// Between two looks at another process, which offers no event to a program that is not its parent.
fn pause(time: Duration) {
    #[allow(clippy::disallowed_methods, reason = "the end of a process that is not our child cannot be awaited")]
    std::thread::sleep(time);
}
