//! Whatever happens: no panic, and every promise of `docs/takeover.md` kept, at every event.
//!
//! A schedule is a play; what breaks a promise is printed as a play that can be kept, with as few lines as do it.
//! `LATIDO_SEEDS=n` plays more schedules, `LATIDO_FROM=x` from another seed on, `LATIDO_SEED=x` plays one and prints its
//! transcript, `LATIDO_SHORTEN=n` shortens so many plays of each promise, `LATIDO_SKIP=notes,generation` leaves out lines
//! that begin so.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

#[path = "properties/dice.rs"]
mod dice;
#[path = "properties/run.rs"]
mod run;
#[path = "properties/schedule.rs"]
mod schedule;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use latido::cluster::{AutoFailback, Cluster};
use latido::diagnostic::SourceText;
use latido::haresources::Verb;
use latido::record::{Line, read_line};
use latido::simulate::{Behaviour, Fault, NAMES, Pair, Play, settings};

use run::{outcome, perform, shorten};
use schedule::schedule;

const GROUPS: &str = "alpha ra rb\nbeta rc";
const SEEDS: u64 = 3000;
const THREADS: u64 = 2;
/// What no schedule makes: a supervisor that gives up is not part of a pair.
const NOT_BY_CHANCE: [Fault; 2] = [Fault::Hopeless, Fault::Original];

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}

/// What was complained of, by the seed.
type Bad = BTreeMap<u64, Vec<(String, String)>>;

/// Plays all these seeds; also how often each kind of fault happened.
fn play_all(from: u64, seeds: u64) -> (Bad, BTreeMap<Fault, u64>) {
    let next = AtomicU64::new(from);
    let work = || {
        let (mut bad, mut faults) = (Bad::new(), BTreeMap::<Fault, u64>::new());
        for seed in
            std::iter::repeat_with(|| next.fetch_add(1, Ordering::Relaxed)).take_while(|seed| *seed < from + seeds)
        {
            let (said, happened) = outcome(&schedule(seed));
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
fn tell(bad: &Bad, seeds: u64) -> String {
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
            let play = shorten(&schedule(*seed), promise);
            text += &format!("# {what}\n# seed {seed}, shortened\n{}\n\n", play.join("\n"));
        }
    }
    text
}

#[test]
fn no_schedule_of_faults_breaks_a_promise() {
    if let Some(seed) = number("LATIDO_SEED") {
        let lines = schedule(seed);
        let played = perform(&lines);
        let said: Vec<String> = played.pair.broken().iter().map(|broken| format!("{broken}\n")).collect();
        let (play, transcript) = (lines.join("\n"), played.pair.transcript());
        assert!(said.is_empty(), "{play}\n----\n{transcript}\n----\n{}", said.concat());
        return;
    }
    let (from, seeds) = (number("LATIDO_FROM").unwrap_or(1), number("LATIDO_SEEDS").unwrap_or(SEEDS));
    let (bad, faults) = play_all(from, seeds);
    let missing = Fault::ALL.iter().filter(|fault| !faults.contains_key(fault) && !NOT_BY_CHANCE.contains(fault));
    let missing: Vec<_> = missing.map(|fault| fault.words()).collect();
    assert!(bad.is_empty(), "{}", tell(&bad, seeds));
    assert!(seeds < SEEDS || missing.is_empty(), "never happened in {seeds} schedules: {missing:?}");
}

#[test]
fn what_was_recorded_leads_every_core_to_the_same_actions_again() {
    for seed in 0..60 {
        let pair = taped(seed);
        for node in [0, 1] {
            let tape = pair.tape(node);
            assert!(tape.len() > 100, "seed {seed}: {} lines", tape.len());
            let mut again: Option<Cluster> = None;
            for taped in tape {
                let text = str::from_utf8(&taped.line).unwrap();
                match read_line(text).unwrap_or_else(|fault| panic!("seed {seed}: {fault}: {text}")) {
                    Line::Life(life) => again = Some(life.begin()),
                    Line::Event(now, event) => {
                        let actions = again.as_mut().unwrap().handle(now, *event);
                        assert_eq!(actions, taped.actions, "seed {seed} {}: {text}", NAMES[node]);
                    }
                }
            }
        }
    }
}

/// A pair after a schedule, with its tapes; whether it keeps its promises is asked above.
fn taped(seed: u64) -> Pair {
    let settings = NAMES.map(|name| settings(name).unwrap());
    let play = Play::parse(&SourceText::new("schedule", schedule(seed).join("\n")), &settings, &[]).unwrap();
    let mut performance = play.begin(&settings, &[], None);
    performance.pair.keep_tapes();
    performance.go_on(&play);
    performance.pair
}

fn both_up(edit: AutoFailback) -> Pair {
    let mut pair = Pair::new(GROUPS, 7, |settings| settings.auto_failback = edit).unwrap();
    (0..2).for_each(|node| pair.start(node));
    assert!(pair.run_until(Duration::from_secs(2), |pair| pair.running(0).len() == 2 && pair.running(1).len() == 1));
    pair.run_for(Duration::from_secs(2));
    pair
}

#[test]
fn two_nodes_that_start_together_hold_their_groups_within_a_second() {
    let mut pair = Pair::new(GROUPS, 1, |_| {}).unwrap();
    (0..2).for_each(|node| pair.start(node));
    let up = |pair: &Pair| pair.running(0) == ["ra", "rb"] && pair.running(1) == ["rc"];
    assert!(pair.run_until(Duration::from_secs(1), up), "{}", pair.transcript());
}

#[test]
fn a_dead_owner_is_taken_over_at_deadtime_and_gets_its_groups_back() {
    let mut pair = both_up(AutoFailback::On);
    pair.power_off(0);
    let died = pair.now();
    assert!(pair.run_until(Duration::from_secs(6), |pair| pair.running(1).len() == 3), "{}", pair.transcript());
    assert!(pair.now().since(died) < Duration::from_millis(5300));
    pair.start(0);
    assert!(pair.run_until(Duration::from_secs(1), |pair| pair.running(0).len() == 2), "{}", pair.transcript());
    assert!(pair.doubles().is_empty());
}

#[test]
fn with_failback_off_the_survivor_keeps_what_it_took() {
    let mut pair = both_up(AutoFailback::Off);
    pair.power_off(0);
    pair.run_for(Duration::from_secs(7));
    pair.start(0);
    pair.run_for(Duration::from_secs(10));
    assert_eq!(pair.running(1).len(), 3, "{}", pair.transcript());
}

#[test]
fn one_of_two_cables_cut_moves_nothing() {
    let mut pair = both_up(AutoFailback::On);
    let before = pair.transcript().lines().filter(|line| line.contains(" run ")).count();
    pair.cut_both(0, true);
    pair.run_for(Duration::from_secs(30));
    let after = pair.transcript().lines().filter(|line| line.contains(" run ")).count();
    assert_eq!(before, after, "{}", pair.transcript());
}

#[test]
fn a_healed_partition_has_one_owner_and_nothing_is_stopped_where_it_ran_before() {
    let mut pair = both_up(AutoFailback::On);
    pair.cut_all(true);
    pair.run_for(Duration::from_secs(15));
    assert!(pair.is_doubled());
    pair.cut_all(false);
    assert!(pair.run_until(Duration::from_millis(1400), |pair| !pair.is_doubled()), "{}", pair.transcript());
    pair.run_for(Duration::from_secs(5));
    assert_eq!((pair.running(0), pair.running(1)), (vec!["ra".into(), "rb".into()], vec!["rc".into()]));
    let stopped = |node: usize, word: &str| {
        pair.transcript().lines().any(|l| l.contains(NAMES[node]) && l.contains(&format!("run     {word} stop ")))
    };
    assert!(!stopped(0, "ra") && !stopped(1, "rc"), "{}", pair.transcript());
}

#[test]
fn a_group_that_does_not_start_moves_once_and_stays_down_if_it_fails_on_both() {
    let mut pair = Pair::new(GROUPS, 3, |_| {}).unwrap();
    pair.scripts.misbehave(0, "rb", Verb::Start, Behaviour::Fails);
    (0..2).for_each(|node| pair.start(node));
    assert!(
        pair.run_until(Duration::from_secs(2), |pair| pair.running(1) == ["ra", "rb", "rc"]),
        "{}",
        pair.transcript()
    );
    let mut pair = Pair::new(GROUPS, 3, |_| {}).unwrap();
    (0..2).for_each(|node| pair.scripts.misbehave(node, "rb", Verb::Start, Behaviour::Fails));
    (0..2).for_each(|node| pair.start(node));
    pair.run_for(Duration::from_secs(120));
    let tries = pair.transcript().lines().filter(|line| line.contains(" run ") && line.contains("rb start ")).count();
    assert_eq!(tries, 2, "{}", pair.transcript());
}

#[test]
fn a_peer_that_returns_during_a_slow_takeover_waits_for_its_end() {
    let mut pair = both_up(AutoFailback::On);
    pair.power_off(0);
    pair.run_for(Duration::from_secs(4));
    pair.scripts.slowness = Duration::from_secs(3);
    pair.run_for(Duration::from_secs(3));
    pair.start(0);
    pair.run_for(Duration::from_secs(60));
    assert_eq!(pair.running(0), ["ra", "rb"], "{}", pair.transcript());
    assert!(pair.doubles().is_empty(), "{}", pair.transcript());
}

#[test]
fn a_node_that_stood_still_declares_nobody_dead() {
    let mut pair = both_up(AutoFailback::On);
    pair.stall(0, Duration::from_secs(15));
    pair.run_for(Duration::from_secs(17));
    assert!(!pair.is_doubled(), "{}", pair.transcript());
    assert!(!pair.transcript().contains("alpha  report  WARN: node beta: is dead"), "{}", pair.transcript());
}
