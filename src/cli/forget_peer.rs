//! `latido forget-peer`: count the other node's lives from anew (`takeover.md` 14).

use std::path::PathBuf;
use std::process::ExitCode;

use crate::paths::Paths;
use crate::status::Ask;

use super::handover::ask_and_tell;

/// It is answered at once; seconds.
const PATIENCE: u64 = 60;

/// Options of `latido forget-peer`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Example:
  latido forget-peer beta

What a node says in a life before its present one is not obeyed: anybody on the network may have kept it. A node whose
hb_generation was lost, or whose disk is that of last year, looks the same. A Latido, and a heartbeat that hears this node,
prove by themselves that they live. Use this command when `latido status` says that what is heard of beta may be old, and
you know that it is beta who speaks.")]
pub(super) struct Args {
    /// The other node
    node: String,
    /// This node's directory
    #[arg(short = 'd', long = "dir", value_name = "DIR", env = "HA_DIR", default_value = "/etc/ha.d")]
    dir: PathBuf,
}

/// Asks and reports.
pub(super) fn run(args: &Args) -> ExitCode {
    let done = |_: &[String]| format!("forgotten: the next word of {} begins a new life", args.node);
    ask_and_tell(&Paths::under(&args.dir), PATIENCE, &Ask::Forget { node: args.node.clone() }, done)
}
