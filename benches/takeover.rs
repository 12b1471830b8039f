//! Takeover, hand-over, failback, stop, cold start and healing: heartbeat 3.0.6, keepalived and Latido, in one run, with the same
//! resource group (a recorder, one address, a recorder). Prints a table and writes it into
//! `docs/performance.md` between its markers.
//!
//! `cargo bench --bench takeover [-- N] [--only latido|heartbeat|keepalived] [--idle] [--no-write]`; N runs of each, 10 if not said.
//! Needs root, `unshare`, `nsenter`, `ip`, and Debian's packages `heartbeat` and `keepalived` for the comparison.
//!
//! The same executable is the stand-in resource and the echo server of the hosts: a shell would take longer to start
//! than what is measured here.

#[path = "takeover/day.rs"]
mod day;
#[path = "takeover/echo.rs"]
mod echo;
#[path = "takeover/idle.rs"]
mod idle;
#[path = "takeover/keepalived.rs"]
mod keepalived;
#[path = "takeover/probe.rs"]
mod probe;
#[path = "takeover/recorder.rs"]
mod recorder;
#[path = "../tests/live/support/mod.rs"]
#[allow(dead_code, unused_imports, reason = "the live tests use the rest")]
mod support;
#[path = "takeover/table.rs"]
mod table;

use std::process::ExitCode;

use support::Kind;
use table::Figures;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().collect();
    if words[0].contains("/resource.d/") {
        return recorder::run(&words);
    }
    if words.get(1).is_some_and(|word| word == "echo") {
        return echo::run(&words[2]);
    }
    bench(&words[1..])
}

fn bench(words: &[String]) -> ExitCode {
    let asked = |word: &str| words.iter().any(|said| said == word);
    let runs = words.iter().find_map(|word| word.parse().ok()).unwrap_or(10);
    let only = words.iter().position(|word| word == "--only").and_then(|at| words.get(at + 1));
    let wanted = |who: &str| only.is_none_or(|only| only == who);
    let mut figures = Figures::default();
    for kind in [Kind::Real, Kind::Latido] {
        let there = kind == Kind::Latido || !support::host::real_heartbeat().as_os_str().is_empty();
        if !there || !wanted(table::name(kind)) {
            continue;
        }
        if !asked("--idle") {
            day::measure(kind, runs, &mut figures);
        }
        idle::measure(kind, &mut figures);
    }
    if wanted("keepalived") && keepalived::is_there() {
        keepalived::measure(if asked("--idle") { 0 } else { runs }, &mut figures);
    }
    let text = figures.table(runs);
    support::shell::print(&text);
    if !asked("--no-write") && !asked("--idle") {
        table::write(&text);
    }
    ExitCode::SUCCESS
}
