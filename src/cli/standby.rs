//! `latido standby`: give groups to the other node, wait, and say how it went (`resources.md` 4).

use std::process::ExitCode;

use crate::status::Ask;

use super::handover::{HandoverArgs, hand_over};

/// Options of `latido standby`.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    common: HandoverArgs,
}

/// Asks, waits and reports.
pub(super) fn run(args: &Args) -> ExitCode {
    hand_over(&args.common, |set| Ask::Standby { set })
}
