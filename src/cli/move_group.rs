//! `latido move`: move one resource group, wait, and say how it went (`takeover.md` 4).

use std::path::PathBuf;
use std::process::ExitCode;

use crate::paths::Paths;
use crate::status::Ask;

use super::handover::{ask_and_tell, moved};

/// Options of `latido move`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:
  latido move 10.0.0.10         to the other node, or here from there
  latido move 10.0.0.10 beta    to beta

A group that was moved stays where it is until its home node starts again, or somebody moves it back. A node that runs
heartbeat knows whole sides only; then only a group that is alone on its side can be moved.")]
pub(super) struct Args {
    /// The group: its first resource, or any other of its resources
    group: String,
    /// The node it shall run on [default: the one that does not run it]
    node: Option<String>,
    /// The node's directory
    #[arg(short = 'd', long = "dir", value_name = "DIR", env = "HA_DIR", default_value = "/etc/ha.d")]
    dir: PathBuf,
    /// How long to wait for the end, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 600)]
    timeout: u64,
}

/// Asks, waits and reports.
pub(super) fn run(args: &Args) -> ExitCode {
    let ask = Ask::Move { group: args.group.clone(), to: args.node.clone() };
    ask_and_tell(&Paths::under(&args.dir), args.timeout, &ask, moved)
}
