//! `latido agent NAME ARGS… start|stop|status`: a built-in resource agent by hand, by another heartbeat, or as a link
//! `resource.d/NAME` (`resources.md` 9). The words go to standard output, the reasons to standard error.

use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

use crate::agent::{AGENTS, Answer, Net, Place, place_of, run_alone};
use crate::clock::Clock;
use crate::haresources::{Invocation, Resource, Verb};

use super::{paths_from_environment, pause, print};

/// As `announce` in `latido.cf` has it when nothing is said.
const ANNOUNCE: (u32, Duration) = (5, Duration::from_millis(200));
/// How long a start listens for another owner before it returns.
const LISTEN: Duration = Duration::from_millis(20);

/// Options of `latido agent`.
#[derive(Clone, Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  latido agent IPaddr 10.0.0.10/24/eth0 start\n  latido agent IPsrcaddr 10.0.0.10 status"
)]
pub(super) struct Args {
    /// Only announce what runs, in the background
    #[arg(long, hide = true)]
    announce: bool,
    /// The agent, such as IPaddr or Filesystem
    name: String,
    /// Its arguments, then start, stop or status
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    words: Vec<String>,
}

/// Runs it once; the exit code is the agent's.
pub(super) fn run(args: &Args) -> ExitCode {
    if args.announce {
        return keep_announcing(&args.name, &args.words);
    }
    called_as(&args.name, &args.words)
}

/// Whether a link of this name means an agent of ours.
pub(super) fn is_agent(name: &str) -> bool {
    place_of(name).is_some()
}

/// As the script `resource.d/NAME` with these words.
pub(super) fn called_as(name: &str, words: &[String]) -> ExitCode {
    let Some(place) = place_of(name) else {
        let known: Vec<&str> = AGENTS.iter().map(|(name, _)| *name).collect();
        eprintln!("latido agent: there is no built-in agent {name} (there are {})", known.join(", "));
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
            let told = &mut |line: &str| eprintln!("{line}");
            run_alone(&invocation, &state_dir(), told).map_or(ExitCode::FAILURE, |answer| give(&answer))
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
    let mut net = match Net::open(ANNOUNCE, state_dir()) {
        Ok(net) => net,
        Err(error) => {
            eprintln!("latido agent: cannot open the network sockets: {error}; are you root?");
            print("ERROR:  User had insufficient privilege");
            return ExitCode::from(4);
        }
    };
    let Some(answer) = net.run(invocation, clock.mono()) else { return ExitCode::FAILURE };
    if invocation.verb == Verb::Start && net.next_repeat().is_some() {
        announce_behind_us(invocation);
        while clock.mono().elapsed() < LISTEN {
            net.repeat(clock.mono()).iter().for_each(|conflict| eprintln!("WARNING: {conflict}"));
            pause(Duration::from_millis(2));
        }
    }
    give(&answer)
}

/// Prints an answer and turns it into an exit code.
fn give(answer: &Answer) -> ExitCode {
    if let Some(why) = &answer.why {
        eprintln!("{why}");
    }
    if !answer.words.is_empty() {
        print(&answer.words);
    }
    ExitCode::from(u8::try_from(answer.code).unwrap_or(1))
}

fn state_dir() -> PathBuf {
    std::env::var_os("HA_RSCTMP").map_or_else(|| paths_from_environment().rsctmp(), PathBuf::from)
}

/// The further announcements are made by a process nobody waits for, as the original's `send_arp`.
fn announce_behind_us(invocation: &Invocation) {
    let started = Command::new("/proc/self/exe")
        .args(["agent", "--announce", &invocation.resource.agent])
        .args(&invocation.resource.args)
        .arg(invocation.verb.as_str())
        .env("HA_RSCTMP", state_dir())
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn();
    if let Err(error) = started {
        eprintln!("WARNING: the address is announced only once: {error}");
    }
}

/// Until the burst is over, or what is announced was stopped.
fn keep_announcing(name: &str, words: &[String]) -> ExitCode {
    let clock = Clock::start();
    let (Some(start), Ok(mut net)) = (invocation(name, words), Net::open(ANNOUNCE, state_dir())) else {
        return ExitCode::FAILURE;
    };
    let status = Invocation { verb: Verb::Status, ..start };
    net.announce(&status.resource, clock.mono());
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
