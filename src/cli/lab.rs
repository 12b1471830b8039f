//! To be written.

use std::process::ExitCode;

/// Options of `latido lab`.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {}

/// Runs it.
pub fn run(_args: &Args) -> ExitCode {
    ExitCode::FAILURE
}
