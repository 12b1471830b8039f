//! `latido agent NAME ARGS… start|stop|status`: a built-in resource agent by hand, by another heartbeat, or as a link
//! `resource.d/NAME` (`resources.md` 9). The words go to standard output, the reasons to standard error.

use std::fs::OpenOptions;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use nix::unistd::{dup2_stderr, dup2_stdin, dup2_stdout, setsid};

use crate::agent::{AGENTS, Answer, Net, Place, place_of, run_alone};
use crate::clock::Clock;
use crate::config::LatidoCf;
use crate::haresources::{Invocation, Resource, Verb};
use crate::sys::{self, Forked};

use super::{paths_from_environment, pause, print};

/// How long a start listens for another owner before it returns.
const LISTEN: Duration = Duration::from_millis(20);

/// Options of `latido agent`.
#[derive(Clone, Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  latido agent IPaddr 10.0.0.10/24/eth0 start\n  latido agent IPsrcaddr 10.0.0.10 status"
)]
pub(super) struct Args {
    /// Milliseconds after which the caller ends it
    #[arg(long, hide = true)]
    within: Option<u64>,
    /// The agent, such as IPaddr or Filesystem
    name: String,
    /// Its arguments, then start, stop or status
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    words: Vec<String>,
}

/// Runs it once; the exit code is the agent's.
pub(super) fn run(args: &Args) -> ExitCode {
    call(&args.name, &args.words, args.within.map(Duration::from_millis))
}

/// Whether a link of this name means an agent of ours.
pub(super) fn is_agent(name: &str) -> bool {
    place_of(name).is_some()
}

/// As the script `resource.d/NAME` with these words.
pub(super) fn called_as(name: &str, words: &[String]) -> ExitCode {
    call(name, words, None)
}

fn call(name: &str, words: &[String], limit: Option<Duration>) -> ExitCode {
    let Some(place) = place_of(name) else {
        let known: Vec<&str> = AGENTS.iter().map(|(name, _)| *name).collect();
        complain!("latido agent: there is no built-in agent {name} (there are {})", known.join(", "));
        return ExitCode::FAILURE;
    };
    let Some(invocation) = invocation(name, words) else {
        let operation = words.last().map_or("", String::as_str);
        print(&format!("ERROR: Unknown operation: {operation}\nusage: {name} [arguments] (start|stop|status)"));
        return ExitCode::FAILURE;
    };
    match place {
        Place::Inside => inside(&invocation),
        Place::Alone => {
            let told = &mut |line: &str| complain!("{line}");
            run_alone(&invocation, &state_dir(), limit, told).map_or(ExitCode::FAILURE, |answer| give(&answer))
        }
    }
}

fn invocation(name: &str, words: &[String]) -> Option<Invocation> {
    let (verb, args) = words.split_last()?;
    let verb = [Verb::Start, Verb::Stop, Verb::Status].into_iter().find(|known| known.as_str() == verb)?;
    let word = [&[name.to_owned()], args].concat().join("::");
    Some(Invocation { resource: Resource { word, agent: name.to_owned(), args: args.to_vec() }, verb })
}

fn inside(invocation: &Invocation) -> ExitCode {
    let clock = Clock::start();
    let mut net = match Net::open_for_one_call(LatidoCf::default().announce, state_dir()) {
        Ok(net) => net,
        Err(error) => {
            complain!("latido agent: cannot open the network sockets: {error}; are you root?");
            print("ERROR:  User had insufficient privilege");
            return ExitCode::from(4);
        }
    };
    let Some(answer) = net.run(invocation, clock.mono()) else { return ExitCode::FAILURE };
    if invocation.verb == Verb::Start && net.next_repeat().is_some() {
        // The further announcements are made by a process nobody waits for, as the original's `send_arp`; the packet
        // socket goes with it, because closing it would take longer than everything else.
        match sys::fork() {
            Ok(Forked::Child) => return keep_announcing(&mut net, &clock, invocation),
            Ok(Forked::Parent(_)) => {}
            Err(error) => complain!("WARNING: the address is announced only once: {error}"),
        }
        while clock.mono().elapsed() < LISTEN {
            net.hear().iter().for_each(|conflict| complain!("WARNING: {conflict}"));
            pause(Duration::from_millis(2));
        }
    }
    give(&answer)
}

/// Prints an answer and turns it into an exit code.
fn give(answer: &Answer) -> ExitCode {
    if let Some(why) = &answer.why {
        complain!("{why}");
    }
    if !answer.words.is_empty() {
        print(&answer.words);
    }
    ExitCode::from(u8::try_from(answer.code).unwrap_or(1))
}

fn state_dir() -> PathBuf {
    std::env::var_os("HA_RSCTMP").map_or_else(|| paths_from_environment().rsctmp(), PathBuf::from)
}

/// Until the burst is over, or what is announced was stopped.
fn keep_announcing(net: &mut Net, clock: &Clock, start: &Invocation) -> ExitCode {
    if leave_terminal().is_err() {
        return ExitCode::FAILURE;
    }
    let status = Invocation { verb: Verb::Status, ..start.clone() };
    // What is heard in the meantime is for the process people see.
    pause(LISTEN * 2);
    while net.repeats_soon() > 0 {
        let Some(next) = net.next_repeat() else { break };
        pause(next.since(clock.mono()));
        if net.run(&status, clock.mono()).is_none_or(|answer| answer.code != 0) {
            break;
        }
        net.repeat(clock.mono());
    }
    ExitCode::SUCCESS
}

/// Whoever reads our output must not wait for us.
fn leave_terminal() -> std::io::Result<()> {
    let nothing = OpenOptions::new().read(true).write(true).open("/dev/null")?;
    dup2_stdin(&nothing)?;
    dup2_stdout(&nothing)?;
    dup2_stderr(&nothing)?;
    setsid()?;
    std::env::set_current_dir("/")
}
