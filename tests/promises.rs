//! Whatever happens: no panic, and every promise of `takeover.md` kept, at every event.
//!
//! A schedule is a play; what breaks a promise is printed as a play that can be kept, with as few lines as do it.
//! `LATIDO_SEEDS=n` plays more schedules, `LATIDO_FROM=x` from another seed on, `LATIDO_SEED=x` plays one and prints its
//! transcript, `LATIDO_PLAY=file` does the same with a play, `LATIDO_SHORTEN=n` shortens so many plays of each promise,
//! `LATIDO_SKIP=observations,generation` leaves out lines that begin so.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

#[path = "promises/run.rs"]
mod run;
#[path = "promises/schedule.rs"]
mod schedule;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use latido::simulate::Fault;

use run::{outcome, perform, shorten};
use schedule::{beside_an_original, schedule};

const SEEDS: u64 = 3000;
const BESIDE_AN_ORIGINAL: u64 = 1000;
const THREADS: u64 = 2;
/// What no schedule makes: a supervisor that gives up is not part of a pair, and one medium is two of which one is cut from
/// the beginning on.
const NOT_BY_CHANCE: [Fault; 3] = [Fault::Hopeless, Fault::OneMedium, Fault::Original];

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}

/// The play of a seed.
type Make = fn(u64) -> Vec<String>;

/// What was complained of, by the seed.
type Bad = BTreeMap<u64, Vec<(String, String)>>;

/// Plays all these seeds; also how often each kind of fault happened.
fn play_all(from: u64, seeds: u64, make: Make) -> (Bad, BTreeMap<Fault, u64>) {
    let next = AtomicU64::new(from);
    let work = || {
        let (mut bad, mut faults) = (Bad::new(), BTreeMap::<Fault, u64>::new());
        for seed in
            std::iter::repeat_with(|| next.fetch_add(1, Ordering::Relaxed)).take_while(|seed| *seed < from + seeds)
        {
            let (said, happened) = outcome(&make(seed));
            happened.into_iter().for_each(|(fault, times)| *faults.entry(fault).or_default() += times);
            if !said.is_empty() {
                bad.insert(seed, said);
            }
        }
        (bad, faults)
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..THREADS).map(|_| scope.spawn(work)).collect();
        workers.into_iter().fold((Bad::new(), BTreeMap::new()), |(mut bad, mut faults), worker| {
            let (more, happened) = worker.join().unwrap();
            bad.extend(more);
            happened.into_iter().for_each(|(fault, times)| *faults.entry(fault).or_default() += times);
            (bad, faults)
        })
    })
}

/// What broke each promise, with the shortest play of the first seeds.
fn tell(bad: &Bad, seeds: u64, make: Make) -> String {
    let mut kinds: BTreeMap<&str, Vec<(u64, &str)>> = BTreeMap::new();
    for (seed, said) in bad {
        for (promise, what) in said {
            let seen = kinds.entry(promise).or_default();
            if seen.last().is_none_or(|(last, _)| last != seed) {
                seen.push((*seed, what));
            }
        }
    }
    let mut text = format!("{} of {seeds} schedules break a promise\n", bad.len());
    let shown = usize::try_from(number("LATIDO_SHORTEN").unwrap_or(1)).unwrap();
    for (promise, seen) in kinds {
        text += &format!("{promise}: {} schedules\n", seen.len());
        for (seed, what) in seen.iter().take(shown) {
            let play = shorten(&make(*seed), promise);
            text += &format!("# {what}\n# seed {seed}, shortened\n{}\n\n", play.join("\n"));
        }
    }
    text
}

/// Plays these lines and shows how it went when a promise was broken.
fn play_one(lines: &[String]) {
    let played = perform(lines);
    let said: Vec<String> = played.pair.broken().iter().map(|broken| format!("{broken}\n")).collect();
    let (play, transcript) = (lines.join("\n"), played.pair.transcript());
    assert!(said.is_empty(), "{play}\n----\n{transcript}\n----\n{}", said.concat());
}

#[test]
fn no_schedule_of_faults_breaks_a_promise() {
    let file = std::env::var("LATIDO_PLAY").ok().map(|path| std::fs::read_to_string(path).unwrap());
    let lines = file.map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>());
    if let Some(lines) = lines.or_else(|| number("LATIDO_SEED").map(schedule)) {
        return play_one(&lines);
    }
    let (from, seeds) = (number("LATIDO_FROM").unwrap_or(1), number("LATIDO_SEEDS").unwrap_or(SEEDS));
    let (bad, faults) = play_all(from, seeds, schedule);
    let missing = Fault::ALL.iter().filter(|fault| !faults.contains_key(fault) && !NOT_BY_CHANCE.contains(fault));
    let missing: Vec<_> = missing.map(|fault| fault.words()).collect();
    assert!(bad.is_empty(), "{}", tell(&bad, seeds, schedule));
    assert!(seeds < SEEDS || missing.is_empty(), "never happened in {seeds} schedules: {missing:?}");
}

#[test]
fn no_schedule_of_faults_beside_an_original_breaks_a_promise() {
    if let Some(lines) = number("LATIDO_SEED").map(beside_an_original) {
        return play_one(&lines);
    }
    let (from, seeds) = (number("LATIDO_FROM").unwrap_or(1), number("LATIDO_SEEDS").unwrap_or(BESIDE_AN_ORIGINAL));
    let (bad, faults) = play_all(from, seeds, beside_an_original);
    assert!(bad.is_empty(), "{}", tell(&bad, seeds, beside_an_original));
    assert!(faults.contains_key(&Fault::Original), "no original was ever there");
}
