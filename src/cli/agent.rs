//! `latido agent NAME ARGS… start|stop|status`: a built-in resource agent by hand (`resources.md` 9).

use std::process::ExitCode;
use std::time::Duration;

use crate::agent::Net;
use crate::haresources::{Exit, Invocation, Resource, Verb};
use crate::time::Mono;

use super::print;

/// Options of `latido agent`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Example: latido agent IPaddr 10.0.0.10/24/eth0 start")]
pub(super) struct Args {
    /// The agent: IPaddr or IPaddr2
    name: String,
    /// Its arguments, then start, stop or status
    #[arg(required = true)]
    words: Vec<String>,
}

/// Runs it once; the exit code is the agent's.
pub(super) fn run(args: &Args) -> ExitCode {
    let Some((verb, arguments)) = args.words.split_last() else { return ExitCode::FAILURE };
    let Some(verb) = [Verb::Start, Verb::Stop, Verb::Status].into_iter().find(|known| known.as_str() == verb) else {
        eprintln!("latido agent: \"{verb}\" is none of start, stop, status");
        return ExitCode::FAILURE;
    };
    let word = [std::slice::from_ref(&args.name), arguments].concat().join("::");
    let invocation = Invocation { resource: Resource::from_word(&word), verb };
    let mut net = match Net::open((1, Duration::from_millis(200))) {
        Ok(net) => net,
        Err(error) => {
            eprintln!("latido agent: cannot open the network sockets: {error}; are you root?");
            return ExitCode::from(4);
        }
    };
    let Some(outcome) = net.run(&invocation, Mono::ZERO) else {
        eprintln!("latido agent: there is no built-in agent {}", args.name);
        return ExitCode::FAILURE;
    };
    print(outcome.said.trim_end());
    match outcome.exit {
        Exit::Code(code) => ExitCode::from(u8::try_from(code).unwrap_or(1)),
        Exit::Signal(_) | Exit::TimedOut | Exit::NotFound(_) => ExitCode::FAILURE,
    }
}
