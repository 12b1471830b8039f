//! Two nodes, one virtual clock: what happens, message by message and script by script, as files.
//!
//! Each file in `tests/scenarios/` is a play: what the pair is made of, what befalls it and what must then be true; below
//! the line is the transcript. `UPDATE_EXPECTED=1 cargo test --test scenarios` writes the transcripts anew: read the
//! difference before keeping it. The commands are in [`latido::simulate::COMMANDS`].

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may panic")]

use std::fs;
use std::path::{Path, PathBuf};

use latido::diagnostic::SourceText;
use latido::simulate::{NAMES, Play, settings};

/// Between a play and its transcript.
const LINE: &str = "----\n";

#[test]
fn every_play_goes_as_its_transcript_says() {
    let update = std::env::var_os("UPDATE_EXPECTED").is_some();
    let mut wrong = Vec::new();
    for path in plays() {
        let text = fs::read_to_string(&path).unwrap();
        let (play, expected) = text.split_once(LINE).unwrap_or((&text, ""));
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let (transcript, complaints) = perform(&name, play);
        wrong.extend(complaints.into_iter().map(|complaint| format!("{name}: {complaint}\n{transcript}")));
        if update {
            fs::write(&path, format!("{play}{LINE}{transcript}")).unwrap();
        } else if transcript != expected {
            wrong.push(format!("{name}: another transcript than expected\n{}", difference(expected, &transcript)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_play_gives_the_same_transcript_every_time() {
    for path in plays() {
        let text = fs::read_to_string(&path).unwrap();
        let play = text.split(LINE).next().unwrap();
        assert_eq!(perform("play", play), perform("play", play), "{}", path.display());
    }
}

fn plays() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios");
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|end| end == "txt"));
    paths.sort();
    assert!(paths.len() > 10, "the plays are gone");
    paths
}

/// The first lines that differ.
fn difference(expected: &str, found: &str) -> String {
    let same = expected.lines().zip(found.lines()).take_while(|(one, other)| one == other).count();
    let some = |text: &str, sign: &str| -> String {
        text.lines().skip(same).take(8).map(|line| format!("{sign} {line}\n")).collect()
    };
    format!("line {} of the transcript:\n{}{}", same + 1, some(expected, "-"), some(found, "+"))
}

/// Plays the commands; the transcript, and what was expected in vain.
fn perform(name: &str, text: &str) -> (String, Vec<String>) {
    let settings = NAMES.map(|name| settings(name).unwrap());
    let play = Play::parse(&SourceText::new(name, text), &settings, &[]);
    let play = play.unwrap_or_else(|all| panic!("{}", all.iter().map(|one| format!("{one}\n")).collect::<String>()));
    let performance = play.perform(&settings, &[], None);
    let complaints = performance.complaints.iter().map(|complaint| {
        format!("line {}, at {}: {}: it is not so: {}", complaint.line, complaint.at, complaint.text, complaint.found)
    });
    (performance.pair.transcript() + "\n", complaints.collect())
}
