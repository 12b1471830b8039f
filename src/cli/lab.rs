//! `latido lab`: two nodes, a null-modem cable, a network and a client on this machine (`product.md`, Programs).
//!
//! Only the command line; what it starts is in `crate::lab`.

use std::process::ExitCode;

use crate::lab;

/// Options of `latido lab`.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Args {
    /// The part this process plays in a lab that another process started
    #[arg(long, hide = true)]
    inner: Option<lab::Part>,

    /// What that part needs to know
    #[arg(last = true, hide = true)]
    words: Vec<String>,
}

/// Runs it: 0 when everything went as expected, 1 when something did not, 2 when this machine allows no lab.
pub(super) fn run(args: &Args) -> ExitCode {
    match args.inner {
        Some(part) => lab::run_part(part, &args.words),
        None => {
            eprintln!("latido lab: the scenarios are not in this version yet; only its hosts and cables are");
            ExitCode::FAILURE
        }
    }
}
