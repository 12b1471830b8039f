//! `latido lab`: two nodes, a null-modem cable, a network and a client on this machine.
//!
//! Only the command line; what it starts is in `crate::lab`.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use crate::lab::{self, Random, Scenario};

/// Options of `latido lab`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:
  latido lab                          two hosts, everything that can happen to them, a table at the end
  latido lab --scenario power-off     only that
  latido lab --config /etc/ha.d       your own files; recorders stand in for your scripts
  latido lab --shell                  pull the cables yourself
  latido lab --shell --original beta  the same beside the original heartbeat
  latido lab --random 300 --seed 7    five minutes of faults by chance; the promises are judged

Needs no package and, where user namespaces are allowed, no root. Nothing is left behind.
On a machine that stands still for too long (too few processors, a busy hypervisor) it plays again, four times slower,
unless --speed says how fast.
Exit code: 0 all as it should be, 1 something was not, 2 no lab on this machine or with these files, 3 something was
not, but the machine stood still for too long to judge.")]
pub(super) struct Args {
    /// Play with the ha.cf, haresources and authkeys of this directory instead of the lab's own pair
    #[arg(long, value_name = "DIR")]
    config: Option<PathBuf>,
    /// Play only this; may be given several times
    #[arg(long, value_name = "NAME", group = "beside_an_original")]
    scenario: Vec<Scenario>,
    /// So many times faster than ha.cf says; 1 plays it as it is, 0.5 at half its pace (default: until deadtime is a second)
    #[arg(long, value_name = "FACTOR", value_parser = speed)]
    speed: Option<f64>,
    /// Run your own resource scripts, as root of this machine: they mount, they start services
    #[arg(long, requires = "config")]
    real_scripts: bool,
    /// A prompt: cut cables, kill nodes, hand over by hand
    #[arg(long, groups = ["by_hand_or_chance", "beside_an_original"], conflicts_with_all = ["scenario", "json"])]
    shell: bool,
    /// Faults by chance for so many seconds, then calm, again and again: links, daemons, scripts, files, requests. The
    /// promises of docs/takeover.md are judged by what the resource scripts noted
    #[arg(long, value_name = "SECONDS", groups = ["by_hand_or_chance", "beside_an_original"], conflicts_with_all = ["scenario", "config", "speed"],
          value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    random: Option<u64>,
    /// With --random: the seed the faults are drawn from; the same seed draws the same ones
    #[arg(long, value_name = "N", requires = "random", default_value_t = 1)]
    seed: u64,
    /// With --shell, --random or --scenario client-cable: this node runs the original heartbeat of Debian's package (as root)
    #[arg(long, value_name = "NODE", requires = "beside_an_original")]
    original: Option<String>,
    /// One JSON object a line, the table last
    #[arg(long)]
    json: bool,

    /// Four times slower than otherwise
    #[arg(long, hide = true)]
    slower: bool,
    /// The part this process plays in a lab that another process started
    #[arg(long, hide = true)]
    inner: Option<lab::LabProcess>,
    /// What that part needs to know
    #[arg(last = true, hide = true)]
    words: Vec<String>,
}

/// Runs it: 0 when everything went as expected, 1 when something did not, 2 when there can be no lab, 3 when this machine
/// can judge nobody.
pub(super) fn run(args: &Args) -> ExitCode {
    match args.inner {
        None => lab::run(args.speed.is_none() && !args.shell && args.random.is_none()),
        Some(lab::LabProcess::Bench) => lab::run_on_the_bench(&lab::LabOptions {
            config: args.config.clone(),
            scenarios: args.scenario.clone(),
            speed: args.speed,
            slower: args.slower,
            real_scripts: args.real_scripts,
            shell: args.shell,
            original: args.original.clone(),
            random: args.random.map(|seconds| Random { time: Duration::from_secs(seconds), seed: args.seed }),
            json: args.json,
        }),
        Some(part) => lab::run_part(part, &args.words),
    }
}

fn speed(text: &str) -> Result<f64, String> {
    let factor = text.parse().ok().filter(|factor: &f64| factor.is_finite() && (0.1..=1000.0).contains(factor));
    factor.ok_or_else(|| "a number from 0.1 to 1000".to_owned())
}
