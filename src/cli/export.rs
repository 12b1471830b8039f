//! `latido export`: the pair's groups in the words of another cluster manager.

use std::path::PathBuf;
use std::process::ExitCode;

use crate::config::{Config, OnlyName};
use crate::export::{Script, pacemaker};
use crate::host::lookup::{FoundAgent, ProgramPlaces};
use crate::host::read_config;
use crate::paths::Paths;

use super::print;

/// Options of `latido export`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Example: latido export pacemaker /etc/ha.d >cluster.sh

Prints commands for pcs 0.11, to be read before they are run; nothing is changed here. What has no counterpart is a
line that begins with \"# !\".
Exit code: 0 complete, 1 some of it is for you to finish, 2 the files have errors.")]
pub(super) struct Args {
    /// For which cluster manager
    #[arg(value_enum)]
    to: To,
    /// Directory with ha.cf, haresources, authkeys and perhaps latido.cf
    #[arg(value_name = "DIR", default_value = "/etc/ha.d")]
    dir: PathBuf,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum To {
    /// Pacemaker on Corosync, set up with pcs
    Pacemaker,
}

/// Runs it.
pub(super) fn run(args: &Args) -> ExitCode {
    let To::Pacemaker = args.to;
    let paths = Paths::under(&args.dir);
    // As on the first node of the file: what only a host could know does not matter here.
    let (sources, me) = read_config::read_elsewhere(&paths);
    let config = match Config::assemble(&sources, &OnlyName(me)) {
        Ok(config) => config,
        Err(problems) => {
            problems.iter().filter(|problem| problem.is_error()).for_each(|problem| complain!("{problem}"));
            complain!("latido export: {} has errors; latido check shows them all", args.dir.display());
            return ExitCode::from(2);
        }
    };
    let places = ProgramPlaces::new(&paths);
    let script = |name: &str| match places.find(name) {
        Ok(FoundAgent::Script(path)) if path.starts_with(&paths.ha_dir) => Script::ResourceScript,
        Ok(FoundAgent::Script(_)) => Script::InitScript,
        Ok(FoundAgent::Unit(_)) => Script::Unit,
        Ok(FoundAgent::Ours) | Err(_) => Script::Unknown,
    };
    let export = pacemaker(&config, &args.dir.display().to_string(), &script);
    print(export.text.trim_end());
    if export.open == 0 {
        return ExitCode::SUCCESS;
    }
    complain!("latido export: {} line(s) that begin with \"# !\" are for you to finish", export.open);
    ExitCode::from(1)
}
