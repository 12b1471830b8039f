//! Figures as medians with their spread, side by side, as Markdown.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use super::support::Kind;

const BEGIN: &str = "<!-- measured: begin -->";
const END: &str = "<!-- measured: end -->";

/// The measured values, in milliseconds unless the row says otherwise, by row and subject.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    rows: Vec<String>,
    values: BTreeMap<(String, &'static str), Vec<f64>>,
}

/// How a subject is called in the table.
pub(crate) fn name(kind: Kind) -> &'static str {
    match kind {
        Kind::Real => "heartbeat",
        Kind::Latido => "latido",
    }
}

impl Figures {
    /// Adds a value.
    pub(crate) fn note(&mut self, who: &'static str, row: &str, value: f64) {
        if !self.rows.iter().any(|known| known == row) {
            self.rows.push(row.to_owned());
        }
        self.values.entry((row.to_owned(), who)).or_default().push(value);
    }

    /// The table.
    pub(crate) fn table(&self, runs: usize) -> String {
        let mut text = format!("{}\n\n", machine(runs));
        text += "| | heartbeat 3.0.6 | keepalived | Latido | heartbeat / Latido |\n| --- | --- | --- | --- | --- |\n";
        for row in &self.rows {
            let [theirs, other, ours] =
                ["heartbeat", "keepalived", "latido"].map(|who| self.values.get(&(row.clone(), who)));
            let ratio = theirs.zip(ours).map_or(String::new(), |(theirs, ours)| ratio(median(theirs), median(ours)));
            let _ = writeln!(text, "| {row} | {} | {} | {} | {ratio} |", cell(theirs), cell(other), cell(ours));
        }
        text
    }
}

/// How many times better; an overshoot may be nought or less, then no ratio means anything.
fn ratio(theirs: f64, ours: f64) -> String {
    if ours < 0.01 { String::from("-") } else { format!("{:.1}", theirs / ours) }
}

fn machine(runs: usize) -> String {
    let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or(" : unknown");
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    format!(
        "{runs} runs; median [least - most] (values). {cores} cores,{}, Linux {}, load at the end {}.",
        model.trim_start_matches([' ', '\t']).trim_start_matches(':'),
        kernel.trim(),
        load.split(' ').next().unwrap_or_default()
    )
}

fn cell(values: Option<&Vec<f64>>) -> String {
    values.map_or_else(String::new, |values| {
        let least = values.iter().copied().fold(f64::INFINITY, f64::min);
        let most = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        format!("{} [{} - {}] ({})", short(median(values)), short(least), short(most), values.len())
    })
}

fn short(value: f64) -> String {
    if value.abs() < 100.0 { format!("{value:.1}") } else { format!("{value:.0}") }
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    if sorted.len() % 2 == 1 { sorted[middle] } else { f64::midpoint(sorted[middle - 1], sorted[middle]) }
}

/// Puts the table between the markers of `docs/performance.md`.
pub(crate) fn write(table: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/performance.md");
    let old = std::fs::read_to_string(&path).expect("docs/performance.md");
    let (before, rest) = old.split_once(BEGIN).expect("the marker of the measured part");
    let (_, after) = rest.split_once(END).expect("the end marker of the measured part");
    std::fs::write(&path, format!("{before}{BEGIN}\n{table}{END}{after}")).expect("docs/performance.md");
}
