//! What `latido standby`, `latido takeover` and `latido move` have in common, and the old programs `hb_standby` and `hb_takeover`,
//! which only leave a message in the FIFO (`resources.md` 4.1).

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use crate::client::Asker;
use crate::clock::Clock;
use crate::cluster::Set;
use crate::host::environment;
use crate::paths::Paths;
use crate::status::{Answer, Ask};
use crate::sys::local_time;

use super::old::helpers;
use super::print;

/// Which groups, of which node.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct HandoverArgs {
    /// all, local (this node's own groups), foreign (the other node's), or failback
    #[arg(default_value = "all", value_parser = Set::WORDS)]
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
    ask_and_tell(&Paths::under(&args.dir), args.timeout, &ask(args.set.clone()), moved)
}

/// What is printed when groups have moved.
pub(super) fn moved(groups: &[String]) -> String {
    format!("moved: {}", groups.join(" "))
}

/// The same for any order, waiting for at most `timeout` seconds; `done` says what is printed when it was obeyed.
pub(super) fn ask_and_tell(paths: &Paths, timeout: u64, ask: &Ask, done: impl Fn(&[String]) -> String) -> ExitCode {
    match Asker::ask_once(&paths.control_socket(), ask, Duration::from_secs(timeout)) {
        Ok(Answer::Moved(groups)) => {
            print(&done(&groups));
            ExitCode::SUCCESS
        }
        Ok(Answer::Refused(why)) => {
            complain!("latido: {why}");
            ExitCode::FAILURE
        }
        Ok(Answer::Status(_) | Answer::Reread { .. }) => {
            complain!("latido: the daemon answered something else; is it of another version?");
            ExitCode::FAILURE
        }
        Err(error) => {
            complain!("latido: {}", super::advice::told(&error, paths));
            ExitCode::FAILURE
        }
    }
}

/// `hb_standby` and `hb_takeover`: same words and exit codes, but an error at once when no daemon listens
/// (`resources.md` 12.2 k).
/// `called` is the first word of the command.
pub(super) fn old_program(name: &str, called: &str, words: &[String]) -> ExitCode {
    let called = &found_at(called);
    if words.len() > 1 {
        print(&format!("{called}: too many arguments"));
        return old_usage(called);
    }
    let set = words.first().map_or("all", String::as_str);
    let is_known = Set::WORDS.contains(&set);
    let Some((given, taken)) = Set::from_text(set).zip(Set::to_take(set)).filter(|_| is_known) else {
        if set != "--help" {
            print(&format!("{called}: wrong resources({set})."));
        }
        return old_usage(called);
    };
    let is_answer = std::env::var(environment::MARK).is_ok_and(|kind| kind == "hb_takeover");
    if is_answer && name == "hb_standby" && helpers::is_done_by_the_daemon(name) {
        return ExitCode::SUCCESS;
    }
    let message = if name == "hb_standby" {
        complain!("{} Going standby [{given}].", local_time(Clock::start().now().wall.0).stamp());
        format!(">>>\nt=ask_resources\nrsc_hold={given}\ninfo=me\n<<<\n")
    } else {
        format!(">>>\nt=hb_takeover\nrsc_hold={taken}\n<<<\n")
    };
    let fifo = super::paths_from_environment().fifo();
    let open = OpenOptions::new().write(true).custom_flags(libc::O_NONBLOCK).open(&fifo);
    match open.and_then(|mut file| file.write_all(message.as_bytes())) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain!("{name}: heartbeat does not run here: cannot write {}: {error}", fifo.display());
            ExitCode::FAILURE
        }
    }
}

/// The full path of a program that was called by its name alone, as a script is told its own.
fn found_at(called: &str) -> String {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let is_program = |path: &PathBuf| path.metadata().is_ok_and(|meta| meta.is_file() && meta.mode() & 0o111 != 0);
    let found = || std::env::split_paths(&path).map(|dir| dir.join(called)).find(is_program);
    if called.contains('/') { None } else { found() }
        .map_or_else(|| called.to_owned(), |path| path.display().to_string())
}

fn old_usage(called: &str) -> ExitCode {
    print("usage:");
    complain!("{called} [all|foreign|local|failback]");
    ExitCode::FAILURE
}
