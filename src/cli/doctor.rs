//! `latido doctor`: is this pair fit to fail over? Names, keys, files, clocks, ports, cables, scripts, addresses, drift.
//!
//! Looks, and changes nothing: scripts are run only with `--run-scripts`, and then only what is at rest here is stopped;
//! a serial line is written to only with `--line`, and only while no daemon uses it; `--both` calls `ssh`.

mod address;
mod boot;
mod files;
mod finding;
mod listen;
mod other_node;
mod peer;
mod scripts;
mod serial;
mod status;
mod system;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use finding::Findings;
use peer::Here;

use crate::clock::Clock;
use crate::config::Config;
use crate::host::read_config;
use crate::paths::Paths;

use super::print;

/// Options of `latido doctor`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:
  latido doctor                  on both nodes, daemons running
  latido doctor --both           also asks the other node, through ssh: does every path work both ways?
  latido doctor --run-scripts    also calls status and stop of resources that do not run on this node
  latido doctor --line           on both nodes at the same time, daemons stopped: tests the null-modem cable

Every line is PASS, WARN or FAIL with what would mend it. Run it as root; it changes nothing.
With --json: {version: 1, node, worst, findings: [{check, level: pass|warn|fail, what, remedy}]}.
Exit code: 0 all passed, 1 warnings only, 2 failures.")]
pub(super) struct Args {
    /// The node's directory
    #[arg(short = 'd', long = "dir", value_name = "DIR", env = "HA_DIR", default_value = "/etc/ha.d")]
    dir: PathBuf,
    /// One JSON object instead of text
    #[arg(long)]
    json: bool,
    /// Run the scripts' status and stop, for groups that do not run on this node
    #[arg(long)]
    run_scripts: bool,
    /// Send over each serial line: a loop, or the same test on the other node, must answer; needs the daemon stopped
    #[arg(long)]
    line: bool,
    /// Compare the files with the other node's, and run the doctor there too, through ssh
    #[arg(long)]
    both: bool,
    /// Where the other node is, if not at its name
    #[arg(long, value_name = "[USER@]HOST", requires = "both")]
    to: Option<String>,
    /// How long to wait for the far end of a serial line, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=3600))]
    wait: u64,
    /// Where the system's boot settings are, for tests
    #[arg(long, value_name = "DIR", default_value = "/", hide = true)]
    root: PathBuf,
}

/// Runs every check and says what was found.
pub(super) fn run(args: &Args) -> ExitCode {
    let paths = Paths::under(&args.dir);
    let mut findings = Findings::new(!args.json);
    examine(args, &paths, &mut findings);
    if args.json {
        let node = read_config::host_name(&paths.ha_dir).map_or(String::new(), |name| name.to_string());
        print(&findings.to_json(&node));
    } else {
        print(&findings.summary());
    }
    findings.exit_code()
}

fn examine(args: &Args, paths: &Paths, findings: &mut Findings) {
    if super::advice::not_root(paths, "latido doctor").is_some() {
        let what = "not run as root: the keys, the ports and the lines cannot be looked at";
        findings.warn("root", what, "sudo latido doctor");
    }
    let config = files::check(paths, findings);
    own_clock(findings);
    let here = peer::ask(paths, findings);
    let Some(config) = config else {
        return findings.warn("files", "the rest was not looked at", "mend the errors above and ask again");
    };
    let peer_speaks = media(args, &config, paths, &here, findings);
    if here == Here::Nobody && !peer_speaks && !args.line {
        let what = "no daemon runs here, and none is heard from the other node: nothing is served, nothing is guarded";
        findings.fail("daemon", what, format!("{}; and the same on the other node", super::advice::start(paths)));
    }
    scripts::check(&config, paths, findings);
    if args.run_scripts {
        scripts::run(&config, paths, &here, findings);
    }
    boot::check(&config, &args.root, findings);
    system::check(&config, paths, &args.root, &here, findings);
    address::check(&config, paths, &here, peer_speaks, findings);
    if args.both {
        other_node::check(&config, paths, args.to.as_deref(), findings);
    }
}

/// The media, by what the daemon hears, or by what we hear ourselves; whether the other node speaks.
fn media(args: &Args, config: &Config, paths: &Paths, here: &Here, findings: &mut Findings) -> bool {
    if args.line && !matches!(here, Here::Nobody) {
        findings.warn("line", "not tested: a daemon uses the lines", "stop the daemons of both nodes first");
    }
    match here {
        Here::Nobody => {}
        Here::Silent => {
            serial::judge_speed(config, findings);
            return false;
        }
        Here::Latido(status) => {
            peer::check(config, status, findings);
            status::check(config, status, findings);
            serial::judge_speed(config, findings);
            return status.nodes.iter().any(|node| !node.here && !node.ping && node.status == "active");
        }
    }
    if args.line {
        serial::test(config, &paths.lock_dir, Duration::from_secs(args.wait), findings);
    } else {
        serial::judge_speed(config, findings);
    }
    listen::check(config, paths, findings)
}

/// Older than this program: the battery is empty, or nobody set it.
fn own_clock(findings: &mut Findings) {
    const WRITTEN: Duration = Duration::from_secs(1_735_689_600);
    if Clock::start().since_1970() < WRITTEN {
        let what = "the clock of this machine stands before 2025";
        findings.fail("clock", what, "set it: logs and certificates are wrong, and hbgenmethod time cannot work");
    }
}
