//! `latido forget-peer`: count the other node's lives from anew (`takeover.md` 14).

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use crate::client::{Answer, Ask, Client};
use crate::paths::Paths;

use super::print;

/// It is answered at once.
const PATIENCE: Duration = Duration::from_secs(60);

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
    let socket = Paths::under(&args.dir).control_socket();
    match Client::ask_once(&socket, &Ask::Forget { node: args.node.clone() }, PATIENCE) {
        Ok(Answer::Moved(_)) => {
            print(&format!("forgotten: the next word of {} begins a new life", args.node));
            return ExitCode::SUCCESS;
        }
        Ok(Answer::Refused(why)) => complain!("latido: {why}"),
        Ok(Answer::Status(_)) => {}
        Err(error) => complain!("latido: {error}"),
    }
    ExitCode::FAILURE
}
