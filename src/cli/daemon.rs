//! `latido daemon`: the node in the foreground, as a service manager or a lab wants it.

use std::path::PathBuf;
use std::process::ExitCode;

use crate::daemon::{Options, run as run_daemon};
use crate::paths::Paths;

/// Options of `latido daemon`.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Args {
    /// Directory of ha.cf, haresources and authkeys; any other than /etc/ha.d keeps its state below itself
    #[arg(short = 'd', long = "dir", value_name = "DIR", env = "HA_DIR", default_value = "/etc/ha.d")]
    dir: PathBuf,
    /// Stay in the foreground (it always does; the `heartbeat` name starts in the background)
    #[arg(short = 'f', long)]
    foreground: bool,
    /// Beat, but never touch a resource
    #[arg(short = 'M', long)]
    no_resources: bool,
    /// No real-time priority, no locked memory
    #[arg(short = 'l', long)]
    no_realtime: bool,
    /// More debugging; repeatable
    #[arg(long, action = clap::ArgAction::Count)]
    debug: u8,
}

/// Runs the node until it is told to leave.
pub(super) fn run(args: &Args) -> ExitCode {
    run_daemon(&Options {
        paths: Paths::under(&args.dir),
        without_resources: args.no_resources,
        without_realtime: args.no_realtime,
        debug: args.debug,
        to_terminal: true,
    })
}
