//! What a command says about its own doing, on standard error: `LATIDO_LOG=debug latido check` names the files it reads,
//! the sockets it tries and the programs it runs (`latido.8`, Environment).
//!
//! Must not be started for the daemon, which has a log of its own (`daemon/writing/logging.rs`).

use std::io::Write as _;

use env_logger::{Builder, Env};

use crate::{printable, sys};

/// Names what is to be said: `debug`, `trace`, `latido::client=debug`.
const VARIABLE: &str = "LATIDO_LOG";

/// Has what the `log` macros say written down, if somebody asked for it. Whoever runs this program with more rights than
/// he has himself cannot ask.
pub(super) fn start() {
    if std::env::var_os(VARIABLE).is_none() || sys::has_more_rights_than_its_caller() {
        return;
    }
    let mut builder = Builder::from_env(Env::new().filter(VARIABLE));
    builder.format(|out, record| {
        let (time, level) = (out.timestamp_millis(), record.level());
        let style = out.default_level_style(level);
        // Names of files, and what others answered, do nothing to a terminal.
        let text = record.args().to_string();
        writeln!(out, "{time} {style}{level:<5}{style:#} {}: {}", record.target(), printable::line(&text))
    });
    // Nobody else has set one: this is the first thing a command does.
    let _ = builder.try_init();
}

/// Says which program is run, and how.
pub(super) fn runs(command: &std::process::Command) {
    let words: Vec<_> = command.get_args().map(std::ffi::OsStr::to_string_lossy).collect();
    log::debug!("running {} {}", command.get_program().to_string_lossy(), words.join(" "));
}
