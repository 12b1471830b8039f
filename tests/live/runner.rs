//! Runs the live tests: several at a time, those that measure alone at the end. Speaks enough of libtest's command line
//! for `cargo test` and a name to filter by. A test that failed while the machine stood still is run again.

use std::collections::VecDeque;
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::support::clock::instant;
use super::support::host::real_heartbeat;
use super::support::shell;
use super::support::steady::judged;

/// One test: its name is a sentence.
#[derive(Clone, Copy)]
pub(crate) struct Test {
    pub(crate) name: &'static str,
    pub(crate) run: fn(),
    pub(crate) needs_real: bool,
    pub(crate) pace: Pace,
}

/// How a test may be run.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pace {
    /// Beside others.
    Together,
    /// Beside others; it asks for no time, so that a machine that stands still can judge it: what fails twice has failed.
    Unhurried,
    /// With the machine to itself, because it measures.
    Alone,
    /// Only when asked for with `--ignored`: it takes minutes.
    Long,
}

/// Lists functions as tests, each named as it is called.
#[macro_export]
macro_rules! tests {
    ($needs_real:expr, $pace:expr, [$($name:ident),+ $(,)?]) => {
        &[$($crate::runner::Test {
            name: stringify!($name), run: $name, needs_real: $needs_real, pace: $pace,
        }),+]
    };
}

/// What the command line asks for.
struct Asked {
    filters: Vec<String>,
    ignored: bool,
    list: bool,
}

/// Runs what was asked for; succeeds when nothing failed.
pub(crate) fn run(groups: &[&[Test]]) -> ExitCode {
    let asked = asked();
    let chosen: Vec<Test> =
        groups.iter().flat_map(|group| group.iter().copied()).filter(|test| asked.wants(test)).collect();
    if asked.list {
        chosen.iter().for_each(|test| shell::print(&format!("{}: test", test.name)));
        return ExitCode::SUCCESS;
    }
    let (can, cannot) = chosen.into_iter().partition::<Vec<_>, _>(|test| missing(test.needs_real).is_none());
    for test in &cannot {
        let why = missing(test.needs_real).unwrap_or_default();
        shell::print(&format!("test {} ... left out: {why}", test.name));
    }
    let (together, alone): (Vec<_>, Vec<_>) =
        can.into_iter().partition(|test| matches!(test.pace, Pace::Together | Pace::Unhurried));
    let mut failed = run_all(together, jobs());
    failed.extend(run_all(alone, 1));
    for name in &failed {
        shell::print(&format!("failed: {name}"));
    }
    if failed.is_empty() && (cannot.is_empty() || !required()) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

impl Asked {
    fn wants(&self, test: &Test) -> bool {
        let named = self.filters.is_empty() || self.filters.iter().any(|filter| test.name.contains(filter.as_str()));
        named && (self.ignored == (test.pace == Pace::Long))
    }
}

fn asked() -> Asked {
    let mut asked = Asked { filters: Vec::new(), ignored: false, list: false };
    for word in std::env::args().skip(1) {
        match word.as_str() {
            "--ignored" => asked.ignored = true,
            "--list" => asked.list = true,
            word if word.starts_with('-') => {}
            _ => asked.filters.push(word),
        }
    }
    asked
}

/// Why a test cannot run here.
fn missing(needs_real: bool) -> Option<&'static str> {
    let spaces = shell::clean("unshare")
        .args(["--fork", "--pid", "--mount", "--uts", "--net", "--ipc", "--mount-proc", "ip", "link"])
        .output();
    if !spaces.is_ok_and(|output| output.status.success()) {
        return Some("no namespaces: run as root where unshare and ip are installed");
    }
    (needs_real && real_heartbeat().as_os_str().is_empty())
        .then_some("heartbeat 3.0.6 is not installed (apt install heartbeat)")
}

/// How many pairs at a time: they wait more than they work.
fn jobs() -> usize {
    let cores = std::thread::available_parallelism().map_or(2, usize::from);
    std::env::var("LATIDO_LIVE_JOBS").ok().and_then(|n| n.parse().ok()).unwrap_or((cores * 3).min(8))
}

/// Runs the tests, `jobs` at a time; gives back the names of those that failed.
fn run_all(tests: Vec<Test>, jobs: usize) -> Vec<&'static str> {
    let waiting = Mutex::new(VecDeque::from(tests));
    let failed = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..jobs {
            scope.spawn(|| {
                while let Some(test) = take(&waiting) {
                    if !passes(test) {
                        failed.lock().unwrap_or_else(PoisonError::into_inner).push(test.name);
                    }
                }
            });
        }
    });
    failed.into_inner().unwrap_or_else(PoisonError::into_inner)
}

fn take(waiting: &Mutex<VecDeque<Test>>) -> Option<Test> {
    waiting.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
}

/// Runs one, again when it failed while the machine stood still.
fn passes(test: Test) -> bool {
    let begun = instant();
    let not_judged = |stalled: Duration| {
        let ms = stalled.as_millis();
        shell::print(&format!("test {} ... not judged: the machine stood still for {ms} ms", test.name));
    };
    let judged = match test.pace {
        Pace::Unhurried => Some(ends_well(test).or_else(|()| ends_well(test))),
        Pace::Together | Pace::Alone | Pace::Long => judged(|| ends_well(test), not_judged),
    };
    let verdict = match judged {
        Some(Ok(())) => "ok",
        Some(Err(())) => "FAILED",
        None => "left out: this machine cannot judge it",
    };
    shell::print(&format!("test {} ... {verdict} ({:.1} s)", test.name, begun.elapsed().as_secs_f64()));
    judged.map_or(!required(), |ended| ended.is_ok())
}

/// Runs one in a thread of its name, so that a panic says whose it is.
fn ends_well(test: Test) -> Result<(), ()> {
    let thread = std::thread::Builder::new().name(test.name.into()).spawn(test.run);
    thread.map_err(drop)?.join().map_err(drop)
}

/// Whether what cannot be tested here counts as failed.
fn required() -> bool {
    std::env::var("LATIDO_LIVE").is_ok_and(|value| value == "required")
}
