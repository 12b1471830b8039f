//! The fortress, live: what somebody without the key, an unprivileged user of the machine or a member of the group
//! `haclient` tries against running daemons (`threat-model.md`: each of its rows names its test).
//!
//! Needs what `live` needs, and runs as it does.

#[path = "fortress/clients.rs"]
mod clients;
#[path = "fortress/config.rs"]
mod config;
#[path = "fortress/floods.rs"]
mod floods;
#[path = "fortress/noise.rs"]
mod noise;
#[path = "fortress/places.rs"]
mod places;
#[path = "live/runner.rs"]
#[allow(dead_code, reason = "the other live tests use the rest")]
mod runner;
#[path = "live/support/mod.rs"]
#[allow(dead_code, unused_imports, reason = "the other live tests use the rest")]
mod support;
#[path = "fortress/wire.rs"]
mod wire;

use std::process::ExitCode;

fn main() -> ExitCode {
    // Clients have to live in the host whose daemon they trouble: this program is run there.
    if let Some(code) = clients::as_client() {
        return code;
    }
    runner::run(&[places::TESTS, config::TESTS, clients::TESTS, noise::TESTS, wire::TESTS, wire::MIXED, floods::TESTS])
}
