//! `latido status`: nodes, links, and who holds what since when, for a person or a program.

use std::io::{IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use crate::client::Asker;
use crate::daemon::{read_refusal, read_waits};
use crate::host::pidfile::{Running, running};
use crate::paths::Paths;
use crate::printable;
use crate::status::health::is_healthy;
use crate::status::text::describe;
use crate::status::{Answer, Ask, Status};

use super::print;

/// Between two looks of `--watch`.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Options of `latido status`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Exit code: 0 healthy, 1 degraded, 2 the daemon does not run.")]
pub(super) struct Args {
    /// One JSON object instead of text (see docs/status.md); with --watch one a line, whenever something changes
    #[arg(long)]
    json: bool,
    /// Show it again and again until interrupted
    #[arg(long, short)]
    watch: bool,
    /// The node's directory
    #[arg(short = 'd', long = "dir", value_name = "DIR", env = "HA_DIR", default_value = "/etc/ha.d")]
    dir: PathBuf,
}

/// Options of `latido monitor`.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct MonitorArgs {
    /// The node's directory
    #[arg(short = 'd', long = "dir", value_name = "DIR", env = "HA_DIR", default_value = "/etc/ha.d")]
    dir: PathBuf,
}

/// `latido status --watch` by a name of its own.
pub(super) fn monitor(args: &MonitorArgs) -> ExitCode {
    watch(&Args { json: false, watch: true, dir: args.dir.clone() })
}

/// Asks and prints.
pub(super) fn run(args: &Args) -> ExitCode {
    if args.watch {
        return watch(args);
    }
    match look(args) {
        Ok(status) => {
            let json = || serde_json::to_string_pretty(&status).unwrap_or_default();
            print(&if args.json { json() } else { describe(&status) });
            ExitCode::from(u8::from(!is_healthy(&status)))
        }
        Err(why) => {
            complain!("latido status: {why}");
            ExitCode::from(2)
        }
    }
}

fn look(args: &Args) -> Result<Box<Status>, String> {
    let paths = Paths::under(&args.dir);
    let socket = paths.control_socket();
    match Asker::ask_once(&socket, &Ask::Status, Duration::from_secs(5)) {
        Ok(Answer::Status(status)) => Ok(status),
        Ok(Answer::Moved(_) | Answer::Reread { .. } | Answer::Refused(_)) => {
            Err("the daemon answered something else; is it of another version?".to_owned())
        }
        Err(error) => {
            // A daemon that cannot start, or has no socket, says there what it waits for.
            let waits = match running(&paths.pid_file) {
                Running::Yes(_) => read_waits(&paths),
                Running::No | Running::Stale => {
                    read_refusal(&paths).map(|why| format!("the last start failed: {why}")).into_iter().collect()
                }
            };
            let first = if waits.is_empty() { super::advice::told(&error, &paths) } else { error.to_string() };
            Err([vec![first], waits].concat().join("\n! "))
        }
    }
}

/// Until the reader goes away or somebody interrupts.
fn watch(args: &Args) -> ExitCode {
    // To the upper left, and clear from there: only for a person.
    let clear = if std::io::stdout().is_terminal() && !args.json { "\x1b[H\x1b[J" } else { "" };
    let mut last = None;
    loop {
        let text = match look(args) {
            Ok(status) if args.json => {
                let changed = last.replace((status.last_change_ms, status.stable)).is_none_or(|(before, stable)| {
                    // The age of the last change falls only when there was another.
                    status.last_change_ms < before || status.stable != stable
                });
                if changed { serde_json::to_string(&status).unwrap_or_default() } else { String::new() }
            }
            Ok(status) => describe(&status),
            Err(why) => format!("latido status: {why}"),
        };
        if !text.is_empty() && writeln!(std::io::stdout(), "{clear}{}", printable::lines(&text)).is_err() {
            return ExitCode::SUCCESS;
        }
        super::pause(LOOK_EVERY);
    }
}
