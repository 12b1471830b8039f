//! The client API, live: programs of Debian's package `heartbeat`, unmodified, at a Latido's socket, alone and in pairs
//! with a real heartbeat 3.0.6; our own programs beside them; and clients that mean harm (`api.md` 7).
//!
//! Needs what `live` needs, and runs as it does.

#[path = "api/cl_status.rs"]
mod cl_status;
#[path = "api/dialogue.rs"]
mod dialogue;
#[path = "api/dopd.rs"]
mod dopd;
#[path = "api/flood.rs"]
mod flood;
#[path = "api/handover.rs"]
mod handover;
#[path = "api/hostile.rs"]
mod hostile;
#[path = "api/ipfail.rs"]
mod ipfail;
#[path = "api/ours.rs"]
mod ours;
#[path = "api/programs.rs"]
mod programs;
#[path = "api/rig.rs"]
mod rig;
#[path = "api/rscstatus.rs"]
mod rscstatus;
#[path = "live/runner.rs"]
#[allow(dead_code, reason = "the other live tests use the rest")]
mod runner;
#[path = "live/support/mod.rs"]
#[allow(dead_code, unused_imports, reason = "the other live tests use the rest")]
mod support;

use std::process::ExitCode;

fn main() -> ExitCode {
    // Clients have to live in the host whose daemon they trouble: this program is run there.
    let words: Vec<String> = std::env::args().collect();
    if let [_, role, kind, seconds] = words.as_slice()
        && role == hostile::ROLE
    {
        return match kind.as_str() {
            dialogue::KIND => dialogue::client(),
            kind if flood::KINDS.iter().any(|prefix| kind.starts_with(prefix)) => flood::client(kind),
            kind => hostile::client(kind, seconds),
        };
    }
    runner::run(&[
        cl_status::TESTS,
        programs::TESTS,
        dialogue::TESTS,
        handover::TESTS,
        rscstatus::ORIGINAL,
        rscstatus::OURS,
        rscstatus::RARE,
        rscstatus::ORIGINALS,
        flood::TESTS,
        ours::TESTS,
        dopd::TESTS,
        ipfail::TESTS,
        ipfail::LONG,
        hostile::TESTS,
    ])
}
