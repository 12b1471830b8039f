//! What `latido standby` and `latido takeover` have in common, and the old programs `hb_standby` and `hb_takeover`,
//! which only leave a message in the FIFO (`resources.md` 4.1).

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use crate::client::{Answer, Ask, Client};
use crate::daemon::rc_d;
use crate::paths::Paths;

use super::{helpers, print};

/// Which groups, of which node.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct HandoverArgs {
    /// all, local (this node's own groups), foreign (the other node's), or failback
    #[arg(default_value = "all", value_parser = ["all", "local", "foreign", "failback"])]
    set: String,
    /// The node's directory
    #[arg(short = 'd', long = "dir", value_name = "DIR", env = "HA_DIR", default_value = "/etc/ha.d")]
    dir: PathBuf,
    /// How long to wait for the end, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 600)]
    timeout: u64,
}

/// Asks the daemon and prints what became of it.
pub(super) fn hand_over(args: &HandoverArgs, ask: impl Fn(String) -> Ask) -> ExitCode {
    let socket = Paths::under(&args.dir).control_socket();
    let limit = Duration::from_secs(args.timeout);
    match Client::ask_once(&socket, &ask(args.set.clone()), limit) {
        Ok(Answer::Moved(groups)) => {
            print(&format!("moved: {}", groups.join(" ")));
            ExitCode::SUCCESS
        }
        Ok(Answer::Refused(why)) => {
            eprintln!("latido: {why}");
            ExitCode::FAILURE
        }
        Ok(Answer::Status(_)) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("latido: {error}");
            ExitCode::FAILURE
        }
    }
}

/// `hb_standby` and `hb_takeover`: same words and exit codes, but an error at once when no daemon listens (12.2 k).
pub(super) fn old_program(name: &str, words: &[String]) -> ExitCode {
    if words.len() > 1 {
        print(&format!("{name}: too many arguments"));
        return old_usage(name);
    }
    let set = words.first().map_or("all", String::as_str);
    if !["all", "local", "foreign", "failback"].contains(&set) {
        if set != "--help" {
            print(&format!("{name}: wrong resources({set})."));
        }
        return old_usage(name);
    }
    let is_answer = std::env::var(rc_d::MARK).is_ok_and(|kind| kind == "hb_takeover");
    if is_answer && name == "hb_standby" && helpers::is_done_by_the_daemon(name) {
        return ExitCode::SUCCESS;
    }
    let message = if name == "hb_standby" {
        let set = if set == "failback" { "foreign" } else { set };
        eprintln!("Going standby [{set}].");
        format!(">>>\nt=ask_resources\nrsc_hold={set}\ninfo=me\n<<<\n")
    } else {
        let set = if set == "failback" { "local" } else { set };
        format!(">>>\nt=hb_takeover\nrsc_hold={set}\n<<<\n")
    };
    let fifo = super::paths_from_environment().fifo();
    let open = OpenOptions::new().write(true).custom_flags(libc::O_NONBLOCK).open(&fifo);
    match open.and_then(|mut file| file.write_all(message.as_bytes())) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{name}: heartbeat does not run here: cannot write {}: {error}", fifo.display());
            ExitCode::FAILURE
        }
    }
}

fn old_usage(name: &str) -> ExitCode {
    print("usage:");
    eprintln!("{name} [all|foreign|local|failback]");
    ExitCode::FAILURE
}
