//! Plays a schedule, says what was complained of, and shortens the play of a complaint.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use latido::diagnostic::SourceText;
use latido::simulate::{Fault, NAMES, Performance, Play, settings};

/// How many times a play is played at most while it is shortened.
const TRIES: usize = 600;

/// Plays these lines.
pub(crate) fn perform(lines: &[String]) -> Performance {
    let settings = NAMES.map(|name| settings(name).unwrap());
    let source = SourceText::new("schedule", lines.join("\n"));
    let play = Play::parse(&source, &settings, &[]);
    let play = play.unwrap_or_else(|all| panic!("{}", all.iter().map(|one| format!("{one}\n")).collect::<String>()));
    play.perform(&settings, &[], None)
}

/// The promises that were broken, the letter and the whole sentence; and the faults that happened.
pub(crate) fn outcome(lines: &[String]) -> (Vec<(String, String)>, BTreeMap<Fault, u64>) {
    let played = catch_unwind(AssertUnwindSafe(|| perform(lines)));
    let Ok(played) = played else { return (vec![("panic".to_owned(), "a panic".to_owned())], BTreeMap::new()) };
    let broken = played.pair.broken().iter().map(|broken| (broken.promise.to_string(), broken.to_string()));
    (broken.collect(), played.pair.faults().clone())
}

/// The promises that were broken.
pub(crate) fn complaints(lines: &[String]) -> Vec<(String, String)> {
    outcome(lines).0
}

/// The same complaint with fewer lines and rounder times.
pub(crate) fn shorten(lines: &[String], promise: &str) -> Vec<String> {
    let mut tries = 0;
    let mut still = |lines: &[String]| {
        tries += 1;
        tries < TRIES && complaints(lines).iter().any(|(letter, _)| letter == promise)
    };
    let mut short = lines.to_vec();
    let mut size = short.len() / 2;
    while size > 0 {
        let mut at = 0;
        while at < short.len() {
            let fewer: Vec<String> = short
                .iter()
                .enumerate()
                .filter(|(i, _)| !(at..at + size).contains(i))
                .map(|(_, l)| l.clone())
                .collect();
            if fewer.iter().any(|line| line == "promises") && still(&fewer) {
                short = fewer;
            } else {
                at += size;
            }
        }
        size /= 2;
    }
    for at in 0..short.len() {
        for round in rounder(&short[at]) {
            let mut other = short.clone();
            other[at] = round;
            if still(&other) {
                short = other;
                break;
            }
        }
    }
    short
}

/// The same line with a rounder time, the roundest first.
fn rounder(line: &str) -> Vec<String> {
    let Some((before, time)) = line.rsplit_once(' ') else { return Vec::new() };
    if !(before == "wait" || before.starts_with("stall") || before == "scripts-take") {
        return Vec::new();
    }
    let Ok(seconds) = time.parse::<f64>() else { return Vec::new() };
    let of = |unit: f64| format!("{before} {}", (seconds / unit).round() * unit);
    [10.0, 5.0, 1.0, 0.5, 0.1].into_iter().map(of).filter(|other| other != line).collect()
}
