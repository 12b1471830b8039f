//! On a real machine: Debian 12 booted with its own systemd (systemd-nspawn), the unit installed as a package installs it.
//! What systemd does to the node and the node to systemd: start, `kill -9`, stop, reload, the watchdog, shutdown, upgrade.
//! `systemd.md`.
//!
//! Needs root, namespaces, `systemd-nspawn` and a Debian root, which is made once (`scripts/debian-root`); without them
//! each test says what is missing. Nothing of it is left behind.

#[path = "machine/cgroup.rs"]
mod cgroup;
#[path = "live/support/clock.rs"]
#[allow(dead_code, reason = "the live tests use the rest")]
mod clock;
#[path = "machine/host.rs"]
mod host;
#[path = "machine/kill.rs"]
mod kill;
#[path = "machine/node.rs"]
mod node;
#[path = "machine/package.rs"]
mod package;
#[path = "machine/pair.rs"]
mod pair;
#[path = "machine/root.rs"]
mod root;
#[path = "machine/runner.rs"]
mod runner;
#[path = "live/support/shell.rs"]
#[allow(dead_code, reason = "the live tests use the rest")]
mod shell;
#[path = "machine/shutdown.rs"]
mod shutdown;

#[path = "machine/unit.rs"]
mod unit;

use std::process::ExitCode;

fn main() -> ExitCode {
    runner::run(&[kill::STORY, package::STORY, pair::STORY, pair::RENEWAL, shutdown::STORY, unit::STORY])
}
