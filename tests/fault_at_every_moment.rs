//! Every fault at every moment: each story is played once without a fault; then, for each of its moments, again with each
//! fault at that moment, all promises asked.
//!
//! A moment is right before and right after each event that changes anything: a message that is no heartbeat, the begin and
//! the end of a script, a report; in between, where nothing happens for longer than a second, its middle (a heartbeat that
//! changes nothing is like any other). `LATIDO_STORY=name` plays one story. The pairs of faults are many hours:
//! `cargo test --test fault_at_every_moment -- --ignored`, in slices `LATIDO_SLICE=3/40`; `LATIDO_SAMPLE=1000` takes one in so many.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::wildcard_enum_match_arm,
    reason = "a test may panic, and tells how far it is"
)]

#[path = "promises/run.rs"]
mod run;
#[path = "fault_at_every_moment/stories.rs"]
mod stories;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use latido::simulate::Observed;

use run::{complaints, perform, shorten};
use stories::{STORIES, Story, faults};

const LAYOUT: [&str; 3] = ["group alpha ra", "group alpha rb", "group beta rc"];
const THREADS: usize = 2;
/// Of so many moments a single fault is played at each in the normal run; all others with `LATIDO_ALL`.
const NORMAL: usize = 12_000;

/// A moment of a story: the line that waits there, and for how long it has waited.
type Moment = (usize, Duration);

/// The lines before what is swept, with the promises asked from the beginning.
fn lines_of(story: &Story) -> Vec<String> {
    let (settings, steps): (Vec<&str>, Vec<&str>) = story.lines.iter().partition(|line| line.starts_with("set "));
    let first = settings.into_iter().chain(LAYOUT).chain(["promises"]);
    first.chain(steps).map(str::to_owned).collect()
}

fn seconds(line: &str) -> Option<Duration> {
    let time = line.strip_prefix("wait ")?;
    Some(match time.strip_suffix("ms") {
        Some(ms) => Duration::from_secs_f64(ms.parse::<f64>().ok()? / 1000.0),
        None => Duration::from_secs_f64(time.parse().ok()?),
    })
}

/// When anything happens in what is swept.
fn moments(story: &Story) -> Vec<Moment> {
    let lines = lines_of(story);
    let swept = lines.iter().position(|line| line == "chapter").unwrap();
    let (mut found, mut passed) = (BTreeSet::new(), Duration::ZERO);
    let plain: Vec<String> = lines.iter().filter(|line| *line != "chapter").cloned().collect();
    let played = perform(&plain);
    let telling = |what: &Observed| match what {
        Observed::Sent(text) => !text.starts_with("t=NS_ack") && !text.starts_with("t=latido"),
        Observed::Ran(..)
        | Observed::Said(_)
        | Observed::Replied(_)
        | Observed::Fenced { .. }
        | Observed::Moved { .. } => true,
        _ => false,
    };
    let happens: Vec<Duration> = played
        .pair
        .observations()
        .iter()
        .filter(|observation| telling(&observation.what))
        .map(|observation| observation.at.elapsed())
        .collect();
    for (at, line) in lines.iter().enumerate() {
        let Some(time) = seconds(line) else { continue };
        if at > swept {
            let mut last = Duration::ZERO;
            let inside =
                happens.iter().filter(|when| **when >= passed && **when <= passed + time).map(|when| *when - passed);
            for when in inside.chain([time]) {
                if when > last + Duration::from_secs(1) {
                    found.insert((at, (last + when) / 2));
                }
                found.insert((at, when.saturating_sub(Duration::from_micros(1))));
                found.insert((at, when));
                last = when;
            }
        }
        passed += time;
    }
    found.into_iter().filter(|(at, offset)| *offset <= seconds(&lines[*at]).unwrap()).collect()
}

/// The story with faults at moments, the first moment first.
fn with_faults(story: &Story, faults: &[(Moment, &str)]) -> Vec<String> {
    let mut play = Vec::new();
    for (at, line) in lines_of(story).into_iter().enumerate() {
        let here: Vec<_> = faults.iter().filter(|((place, _), _)| *place == at).collect();
        if line == "chapter" {
            continue;
        }
        if here.is_empty() {
            play.push(line);
            continue;
        }
        let (whole, mut last) = (seconds(&line).unwrap(), Duration::ZERO);
        for ((_, offset), fault) in here {
            play.push(format!("wait {}", offset.saturating_sub(last).as_secs_f64()));
            play.extend(fault.split(" | ").map(str::to_owned));
            last = *offset;
        }
        play.push(format!("wait {}", whole.saturating_sub(last).as_secs_f64()));
    }
    for line in
        ["mend all", "loss 0", "delay all 0", "scripts-work", "fence-works", "wait 12", "start alpha beta", story.calm]
    {
        play.push(line.to_owned());
    }
    play
}

/// One run: the story, and what befalls it when.
type Case<'a> = (&'a Story, Vec<(Moment, &'a str)>);

/// What broke each promise, by promise and story: how often, and the first.
type Found = BTreeMap<(String, &'static str), (usize, Vec<String>, String)>;

fn play_all(cases: &[Case<'_>]) -> Found {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut found = Found::new();
        while let Some((story, faults)) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
            let lines = with_faults(story, faults);
            let mut seen = BTreeSet::new();
            for (promise, what) in complaints(&lines) {
                if seen.insert(promise.clone()) {
                    found.entry((promise, story.name)).or_insert_with(|| (0, lines.clone(), what)).0 += 1;
                }
            }
        }
        found
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..THREADS).map(|_| scope.spawn(work)).collect();
        workers.into_iter().map(|worker| worker.join().unwrap()).fold(Found::new(), |mut all, more| {
            for (kind, (times, lines, what)) in more {
                all.entry(kind).or_insert_with(|| (0, lines, what)).0 += times;
            }
            all
        })
    })
}

fn tell(found: &Found, runs: usize) -> String {
    let mut text = format!("of {runs} runs, by promise and story:\n");
    let shown: usize = std::env::var("LATIDO_SHORTEN").ok().and_then(|text| text.parse().ok()).unwrap_or(3);
    let mut told: BTreeMap<&str, usize> = BTreeMap::new();
    for ((promise, story), (times, _, what)) in found {
        text += &format!("{promise} in {story}: {times}, such as {what}\n");
    }
    for ((promise, story), (_, lines, what)) in found {
        let told = told.entry(promise).or_default();
        *told += 1;
        if *told <= shown {
            text += &format!("\n# {story}: {what}\n{}\n", shorten(lines, promise).join("\n"));
        }
    }
    text
}

fn wanted() -> impl Iterator<Item = &'static Story> {
    let name = std::env::var("LATIDO_STORY").ok();
    STORIES.iter().filter(move |story| name.as_ref().is_none_or(|name| name == story.name))
}

fn singles(faults: &[String]) -> Vec<Case<'_>> {
    let of_story = |story: &'static Story| {
        moments(story)
            .into_iter()
            .flat_map(move |moment| faults.iter().map(move |fault| (story, vec![(moment, fault.as_str())])))
    };
    wanted().flat_map(of_story).collect()
}

/// One in so many, evenly.
fn thinned<T>(cases: Vec<T>, most: usize) -> Vec<T> {
    let step = cases.len().div_ceil(most.max(1)).max(1);
    // A step that shares no factor with the number of faults meets all of them.
    let step = if step > 1 { step | 1 } else { step };
    cases.into_iter().step_by(step).collect()
}

#[test]
fn no_fault_at_any_moment_breaks_a_promise() {
    let faults = faults();
    let all = singles(&faults);
    let count = all.len();
    let most = if std::env::var_os("LATIDO_ALL").is_some() { count } else { NORMAL };
    let cases = thinned(all, most);
    let found = play_all(&cases);
    eprintln!("{} of {count} single faults at moments", cases.len());
    assert!(found.is_empty(), "{}", tell(&found, cases.len()));
}

#[test]
#[ignore = "hours; see the head of this file"]
fn no_two_faults_at_any_moments_break_a_promise() {
    let slice = std::env::var("LATIDO_SLICE").unwrap_or_else(|_| "1/1".into());
    let (part, parts) = slice.split_once('/').unwrap();
    let (part, parts): (usize, usize) = (part.parse().unwrap(), parts.parse().unwrap());
    let sample: usize = std::env::var("LATIDO_SAMPLE").ok().and_then(|text| text.parse().ok()).unwrap_or(1);
    let faults = faults();
    let (mut runs, mut found) = (0, Found::new());
    let mut number = 0_usize;
    for story in wanted() {
        let moments = moments(story);
        let mut cases: Vec<Case<'_>> = Vec::new();
        for (at, first) in moments.iter().enumerate() {
            for second in &moments[at..] {
                for one in &faults {
                    for other in &faults {
                        number += 1;
                        if number % (parts * sample) == part % (parts * sample) {
                            cases.push((story, vec![(*first, one), (*second, other)]));
                        }
                    }
                }
            }
        }
        for (kind, (times, lines, what)) in play_all(&cases) {
            found.entry(kind).or_insert_with(|| (0, lines, what)).0 += times;
        }
        runs += cases.len();
        eprintln!("{}: {runs} runs so far, {} kinds of complaint", story.name, found.len());
    }
    assert!(found.is_empty(), "{}", tell(&found, runs));
}
