//! Plays for `latido simulate`, which anybody may hand to anybody: read, and performed by two whole cores.

use latido::cluster::Settings;
use latido::diagnostic::SourceText;
use latido::simulate::{Play, both, groups, settings, table, timeline_entries, verdict};

use super::{Seed, samples};

const GROUPS: &str = "alpha drbddisk::r0 IPaddr::10.0.0.10\nbeta ra\n";
/// A play of more lines, or of longer times, is only read: a day of a cluster's life is much work and tells no more.
const LONGEST: usize = 30;

/// The whole input is the play.
pub fn run(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes).into_owned();
    let Some(pair) = settings("alpha").as_ref().and_then(both) else { return };
    let pair: [Settings; 2] = pair;
    let groups = groups(GROUPS);
    let source = SourceText::new("play", text.as_str());
    let play = match Play::parse(&source, &pair, &groups) {
        Ok(play) => play,
        Err(problems) => {
            assert!(!problems.is_empty(), "refused without a reason");
            for problem in &problems {
                let place = problem.place.as_ref();
                assert!(place.is_none_or(|place| text.get(place.span.clone()).is_some()), "{problem:?} points beside");
            }
            let _ = latido::cli::fuzzing::rendered(&problems, &[&source]).len();
            return;
        }
    };
    if is_long(&text) {
        return;
    }
    let performance = play.perform(&pair, &groups, None);
    let _ = performance.misplaced();
    let rows = verdict(&performance.pair);
    let _ = (performance.pair.transcript().len(), table(&performance.pair, &rows).len());
    let _ = timeline_entries(&performance.pair, true).iter().map(|entry| entry.json().len()).sum::<usize>();
}

/// Whether it names a time of more than some minutes, or very many steps.
fn is_long(text: &str) -> bool {
    let long = |word: &str| {
        let digits: String = word.chars().take_while(|c| c.is_ascii_digit()).collect();
        !word.ends_with("ms")
            && (digits.len() > 2 || word.ends_with('m') || word.ends_with('h') || word.ends_with("min"))
    };
    text.lines().count() > LONGEST || text.split_whitespace().any(long)
}

/// The shorter plays of `tests/scenarios`, without their transcripts.
pub fn seeds() -> Vec<Seed> {
    let play = |(name, text): Seed| {
        let text = String::from_utf8_lossy(&text).into_owned();
        let play = text.split("----\n").next().unwrap_or_default().to_owned();
        (play.len() < 1000 && !is_long(&play)).then(|| (name, play.into_bytes()))
    };
    samples("tests/scenarios", "txt").into_iter().filter_map(play).collect()
}

/// Commands, expectations, and what they are about.
pub fn words() -> Vec<String> {
    let known = latido::simulate::COMMANDS.iter().chain(latido::simulate::EXPECTATIONS.iter());
    let text = "alpha beta ra rb eth0 /dev/ttyS0 10.0.0.10 1 20 0.5 500ms start stop status hangs fails lies all local foreign on off legacy";
    known.flat_map(|(usage, _)| super::words_of(usage)).chain(super::words_of(text)).collect()
}
