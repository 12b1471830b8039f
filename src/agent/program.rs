//! Running a program of the system to its end: its words kept, its input empty, its messages in English.

use std::process::{Command, Stdio};

/// How a program ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Done {
    /// None: killed by a signal.
    pub(super) code: Option<i32>,
    /// Both outputs.
    pub(super) said: String,
}

impl Done {
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
pub(super) fn run(name: &str, words: &[&str]) -> Result<Done, String> {
    let output = command(name, words).output().map_err(|error| format!("cannot run {name}: {error}"))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ok(Done { code: output.status.code(), said: text(&output.stdout) + &text(&output.stderr) })
}

/// The same, not yet started.
pub(super) fn command(name: &str, words: &[&str]) -> Command {
    let path = std::env::var("PATH").unwrap_or_default();
    let mut command = Command::new(name);
    command.args(words).env("PATH", format!("{path}:/usr/sbin:/usr/bin:/sbin:/bin")).env("LC_ALL", "C");
    command.stdin(Stdio::null());
    command
}
