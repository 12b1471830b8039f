//! Attacks on running daemons: what somebody without the key, an unprivileged user of the machine or a member of the group
//! `haclient` tries (`threat-model.md`: each of its rows names its test).
//!
//! Needs what `live` needs, and runs as it does.

#[path = "attacks/clients.rs"]
mod clients;
#[path = "attacks/config.rs"]
mod config;
#[path = "attacks/floods.rs"]
mod floods;
#[path = "attacks/noise.rs"]
mod noise;
#[path = "attacks/places.rs"]
mod places;
#[path = "live/runner.rs"]
#[allow(dead_code, reason = "the other live tests use the rest")]
mod runner;
#[path = "live/support/mod.rs"]
#[allow(dead_code, unused_imports, reason = "the other live tests use the rest")]
mod support;
#[path = "attacks/wire.rs"]
mod wire;

use std::process::ExitCode;

fn main() -> ExitCode {
    // Clients have to live in the host whose daemon they trouble: this program is run there.
    if let Some(code) = clients::as_client() {
        return code;
    }
    runner::run(&[places::TESTS, config::TESTS, clients::TESTS, noise::TESTS, wire::TESTS, wire::MIXED, floods::TESTS])
}
