//! Running a program of the system to its end: its words kept, its input empty, its messages in English.

use std::os::fd::AsFd;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::sys;

/// How a program ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ProgramResult {
    /// None: killed by a signal.
    pub(super) code: Option<i32>,
    /// Its standard output.
    pub(super) words: String,
    /// Both outputs.
    pub(super) said: String,
}

impl ProgramResult {
    /// What it said, line by line, without the empty ones.
    pub(super) fn lines(&self) -> impl Iterator<Item = &str> {
        self.said.lines().map(str::trim).filter(|line| !line.is_empty())
    }

    /// For a sentence: what it said, and the code.
    pub(super) fn ending(&self) -> String {
        let said = self.lines().collect::<Vec<_>>().join("; ");
        let code = self.code.map_or_else(|| "killed".to_owned(), |code| format!("exit {code}"));
        if said.is_empty() { code } else { format!("{said} ({code})") }
    }
}

/// Runs it, found in `PATH` and where the system's programs lie.
///
/// # Errors
/// When it cannot be started; the sentence names it.
pub(super) fn run(name: &str, words: &[&str]) -> Result<ProgramResult, String> {
    command(name, words).output().map(done).map_err(|error| format!("cannot run {name}: {error}"))
}

/// The same, ended after `limit`; what it started goes on.
///
/// # Errors
/// When it cannot be started; the sentence names it.
pub(super) fn run_within(name: &str, words: &[&str], limit: Duration) -> Result<ProgramResult, String> {
    let failed = |error: std::io::Error| format!("cannot run {name}: {error}");
    let mut command = command(name, words);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().map_err(failed)?;
    let pid = Pid::from_raw(child.id().cast_signed());
    let handle = sys::open_process(pid.as_raw());
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || sender.send(child.wait_with_output()));
    match receiver.recv_timeout(limit) {
        Ok(output) => output.map(done).map_err(failed),
        Err(_) => {
            match handle {
                Ok(handle) => drop(sys::signal_process(handle.as_fd(), libc::SIGKILL)),
                // Before Linux 5.3; nobody has waited for it, so the number is still its own.
                Err(_) => drop(kill(pid, Signal::SIGKILL)),
            }
            let said = format!("no answer within {:.0?}", limit);
            Ok(ProgramResult { code: None, words: String::new(), said })
        }
    }
}

fn done(output: Output) -> ProgramResult {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (words, errors) = (text(&output.stdout), text(&output.stderr));
    ProgramResult { code: output.status.code(), said: format!("{words}{errors}"), words }
}

/// Whether there is such a program.
pub(super) fn exists(name: &str) -> bool {
    path().split(':').filter(|dir| !dir.is_empty()).any(|dir| Path::new(dir).join(name).is_file())
}

fn path() -> String {
    format!("{}:/usr/sbin:/usr/bin:/sbin:/bin", std::env::var("PATH").unwrap_or_default())
}

/// The same, not yet started.
pub(super) fn command(name: &str, words: &[&str]) -> Command {
    let mut command = Command::new(name);
    command.args(words).env("PATH", path()).env("LC_ALL", "C");
    command.stdin(Stdio::null());
    command
}
