//! Two hosts, a client and the cables between them on this machine, made of kernel namespaces (`crates.md` 4).
//!
//! From the ground up: [`namespaces`] makes the bench in which everything lives and with which it vanishes, [`host`] a host
//! in it, [`switch`] and [`cable`] the network and the null-modem line with their faults, [`bench`] joins them. [`client`]
//! and [`witness`] see what happens, `timeline` prints it.

pub mod bench;
pub mod cable;
pub mod client;
pub mod host;
mod init;
mod interface;
pub mod namespaces;
pub mod switch;
pub mod timeline;
mod wake;
pub mod witness;

use std::process::{Command, ExitCode, ExitStatus};

/// The parts the executable plays besides the lab itself; each is a process of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Part {
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
pub fn run_part(part: Part, words: &[String]) -> ExitCode {
    let first = words.first().map_or("", String::as_str);
    let done = match part {
        Part::Run => return run_on_bench(words),
        Part::Settled => return run_settled(words),
        Part::Init => init::run(first),
        Part::Witness => witness::run(first),
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
