//! What a node costs that does nothing but beat: memory of all its processes, and processor time over a minute.

use std::fs;
use std::path::Path;

use super::support::clock::{instant, pass, secs};
use super::support::{Kind, Pair, Plan};
use super::table::{Figures, name};

/// How long a node is watched, in seconds.
const MINUTE: f64 = 60.0;

/// Keepalive 2 s (the default setting of most sites) and 100 ms.
pub(crate) fn measure(kind: Kind, figures: &mut Figures) {
    for (keepalive, deadtime, label) in [(2000, 30_000, "keepalive 2 s"), (100, 500, "keepalive 100 ms")] {
        let plan = Plan::new(kind, kind).timed(keepalive, deadtime).initdead(deadtime.max(10_000));
        let pair = Pair::new(&plan);
        pair.start_both();
        pair.settle(&["ra", "rb"], &["rc", "rd"], 60.0);
        pass(secs(6.0));
        let main = pair.host("alpha").daemon().expect("a running daemon");
        let program = fs::read_link(format!("/proc/{main}/exe")).expect("a program");
        watch(name(kind), &pair, &program, label, figures);
    }
}

/// A minute of the processes that run this program on alpha.
pub(crate) fn watch(who: &'static str, pair: &Pair, program: &Path, label: &str, figures: &mut Figures) {
    let pids = processes(pair, program);
    let (before, begun) = (busy(&pids), instant());
    pass(secs(MINUTE));
    let per_minute = (busy(&pids) - before) * MINUTE / begun.elapsed().as_secs_f64();
    figures.note(who, &format!("idle, {label}: processor time per minute, ms"), per_minute);
    figures.note(who, &format!("idle, {label}: memory (PSS), MiB"), memory(&pids));
}

fn processes(pair: &Pair, program: &Path) -> Vec<u32> {
    let space = fs::read_link(format!("/proc/{}/ns/pid", pair.host("alpha").init())).expect("a namespace");
    let all = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = all.filter_map(|entry| entry.file_name().to_string_lossy().parse::<u32>().ok());
    pids.filter(|pid| {
        fs::read_link(format!("/proc/{pid}/exe")).is_ok_and(|exe| exe == program)
            && fs::read_link(format!("/proc/{pid}/ns/pid")).is_ok_and(|own| own == space)
    })
    .collect()
}

/// Processor time used so far, in ms.
fn busy(pids: &[u32]) -> f64 {
    let used = |pid: &u32| {
        let text = fs::read_to_string(format!("/proc/{pid}/schedstat")).unwrap_or_default();
        text.split(' ').next().and_then(|word| word.parse::<f64>().ok()).unwrap_or(0.0)
    };
    pids.iter().map(used).sum::<f64>() / 1e6
}

/// Proportional memory, in MiB.
fn memory(pids: &[u32]) -> f64 {
    let of = |pid: &u32| {
        let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
        let line = text.lines().find(|line| line.starts_with("Pss:")).unwrap_or_default();
        line.split_whitespace().nth(1).and_then(|word| word.parse::<f64>().ok()).unwrap_or(0.0)
    };
    pids.iter().map(of).sum::<f64>() / 1024.0
}
