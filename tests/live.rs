//! Live: real daemons on hosts made of namespaces. Two heartbeats 3.0.6 (to know the laboratory and what is normal), one
//! beside a Latido, two Latidos, and strangers who send rubbish.
//!
//! It needs root (or its capabilities), `unshare`, `nsenter` and `ip`, and Debian's package `heartbeat` for the mixed
//! pairs. What is missing is said and the tests that need it are left out, unless `LATIDO_LIVE=required`.
//! The tests wait far more than they work, so several run at a time; `LATIDO_LIVE_JOBS` says how many.

#[path = "live/boot.rs"]
mod boot;
#[path = "live/disk.rs"]
mod disk;
#[path = "live/fields.rs"]
mod fields;
#[path = "live/health.rs"]
mod health;
#[path = "live/hostile.rs"]
mod hostile;
#[path = "live/keys.rs"]
mod keys;
#[path = "live/long.rs"]
mod long;
#[path = "live/mixed.rs"]
mod mixed;
#[path = "live/names.rs"]
mod names;
#[path = "live/ours.rs"]
mod ours;
#[path = "live/phrases.rs"]
mod phrases;
#[path = "live/rc_d.rs"]
mod rc_d;
#[path = "live/real.rs"]
mod real;
#[path = "live/records.rs"]
mod records;
#[path = "live/refusals.rs"]
mod refusals;
#[path = "live/renewal.rs"]
mod renewal;
#[path = "live/resource_scripts.rs"]
mod resource_scripts;
#[path = "live/runner.rs"]
mod runner;
#[path = "live/scenarios.rs"]
mod scenarios;
#[path = "live/service.rs"]
mod service;
#[path = "live/signals.rs"]
mod signals;
#[path = "live/support/mod.rs"]
#[allow(dead_code, reason = "the bench uses the rest")]
mod support;
#[path = "live/survive.rs"]
mod survive;

use std::process::ExitCode;

fn main() -> ExitCode {
    runner::run(&[
        phrases::TESTS,
        mixed::TESTS,
        fields::TESTS,
        real::TESTS,
        names::TESTS,
        signals::TESTS,
        rc_d::TESTS,
        ours::TESTS,
        ours::MEASURED,
        hostile::TESTS,
        disk::TESTS,
        long::TESTS,
        survive::MIXED,
        survive::MIXED_TOGETHER,
        survive::TESTS,
        survive::TOGETHER,
        keys::TESTS,
        keys::MIXED,
        refusals::TESTS,
        service::TESTS,
        boot::TESTS,
        boot::MIXED,
        health::TESTS,
        records::TESTS,
        records::MIXED,
        resource_scripts::TESTS,
        renewal::TESTS,
    ])
}
