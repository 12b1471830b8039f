//! Running commands, with an environment of their own, and saying what went wrong.

use std::process::{Command, Output, Stdio};

/// A command with a clean environment, so that what runs in a host does not depend on who runs the tests.
pub(crate) fn clean(program: &str) -> Command {
    let mut command = Command::new(program);
    command
        .env_clear()
        .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
        .env("HOME", "/root")
        .stdin(Stdio::null());
    command
}

/// Runs it to its end; panics with its own words when it fails.
pub(crate) fn must(mut command: Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", said(&output));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// What a command printed, both ways.
pub(crate) fn said(output: &Output) -> String {
    format!("{} {}{}", output.status, String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Enters the network of the process `pid`, optionally all of its host.
pub(crate) fn inside(pid: u32, all: bool) -> Command {
    let mut command = clean("nsenter");
    command.args(["-t", &pid.to_string(), "-n"]);
    if all {
        command.args(["-m", "-u", "-i", "-p"]);
    }
    command.arg("--");
    command
}

/// Says something to whoever runs the tests.
pub(crate) fn print(text: &str) {
    use std::io::Write as _;
    let _ = writeln!(std::io::stderr(), "{text}");
}
