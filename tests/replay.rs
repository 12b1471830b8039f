//! Records of real daemons (`latido daemon --record`), played by today's core: the transcript beside each is what it must
//! decide. `UPDATE_EXPECTED=1` rewrites them: read the difference. And: whatever happened, a record of it leads to the
//! same actions again; whatever stands in a file, reading it ends with a line's number and never with a panic.
//!
//! A record from the field is cut to its incident by whole lines, its first line kept, and put into `tests/replay`.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test: its failures are panics")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use latido::record::{Player, Shown, Stuck};
use proptest::prelude::*;

const LATIDO: &str = env!("CARGO_BIN_EXE_latido");

fn records() -> Vec<PathBuf> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/replay");
    let mut found: Vec<PathBuf> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    found.retain(|path| path.extension().is_some_and(|extension| extension == "jsonl"));
    found.sort();
    assert!(found.len() >= 3, "{found:?}");
    found
}

fn play(text: &str, shown: Shown) -> Result<Vec<String>, Stuck> {
    let mut player = Player::new(shown);
    let mut lines = Vec::new();
    for line in text.lines() {
        lines.extend(player.play(line)?);
    }
    player.end().map(|()| lines)
}

/// The version of this program stands in what it says to another Latido.
fn unversioned(text: &str) -> String {
    text.replace(concat!("program=", env!("CARGO_PKG_VERSION")), "program=THIS")
}

#[test]
fn every_record_leads_to_the_transcript_beside_it() {
    let update = std::env::var_os("UPDATE_EXPECTED").is_some();
    let mut wrong = Vec::new();
    for path in records() {
        let text = fs::read_to_string(&path).unwrap();
        let played = play(&text, Shown::Changes).unwrap_or_else(|stuck| panic!("{}:{stuck}", path.display()));
        let played = unversioned(&(played.join("\n") + "\n"));
        let beside = path.with_extension("txt");
        if update {
            fs::write(&beside, &played).unwrap();
        } else if fs::read_to_string(&beside).unwrap_or_default() != played {
            wrong.push(format!("{} is decided otherwise now:\n{played}", path.display()));
        }
    }
    assert!(wrong.is_empty(), "{}\nUPDATE_EXPECTED=1 accepts it.", wrong.join("\n"));
}

fn replay(args: &[&str], input: &[u8]) -> Output {
    use std::io::Write as _;
    let mut command = Command::new(LATIDO);
    command.arg("replay").args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // Who refuses the first line reads no more.
    let _ = child.stdin.take().unwrap().write_all(input);
    child.wait_with_output().unwrap()
}

#[test]
fn the_program_prints_the_transcript_and_with_all_the_heartbeats_too() {
    let path = &records()[0];
    let (text, name) = (fs::read(path).unwrap(), path.to_str().unwrap());
    let output = replay(&[name], b"");
    assert!(output.status.success());
    let wanted = fs::read_to_string(path.with_extension("txt")).unwrap();
    assert_eq!(unversioned(&String::from_utf8_lossy(&output.stdout)), wanted);
    let all = replay(&["--all", "-"], &text);
    assert!(all.status.success());
    let heartbeats = |bytes: &[u8]| String::from_utf8_lossy(bytes).matches(" heard   t=status ").count();
    assert_eq!(heartbeats(&output.stdout), 0);
    assert!(heartbeats(&all.stdout) > 5);
}

#[test]
fn the_program_names_the_line_that_is_no_record_or_cut_off() {
    let text = fs::read_to_string(&records()[0]).unwrap();
    let said = |input: &[u8], code: i32, words: &str| {
        let output = replay(&["-"], input);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{said}");
        assert!(said.starts_with(words), "{said}");
        output.stdout
    };
    said(b"alpha ra rb\n", 1, "latido replay: -:1: no line of a record");
    said(b"", 1, "latido replay: -:1: no line of a record");
    said(b"\xff\xfe\0\n", 1, "latido replay: -:1: no line of a record");
    said(&vec![b'['; 5_000_000], 1, "latido replay: -:1: ");
    let newer = text.replace("\"latido_record\":1", "\"latido_record\":9");
    said(newer.as_bytes(), 1, "latido replay: -:1: a record of format 9");
    let lines = text.lines().count();
    let cut = format!("latido replay: -:{lines}: the line is cut off");
    let played = said(&text.as_bytes()[..text.len() - 10], 1, &cut);
    assert!(String::from_utf8_lossy(&played).contains("report  info: Link alpha:eth0 up."));
    let output = replay(&["/no/such/file"], b"");
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("cannot open /no/such/file"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn a_record_with_lines_lost_repeated_and_exchanged_is_lived_through(
        number in 0_usize..3,
        moves in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), 0..3), 1..20),
    ) {
        let text = fs::read_to_string(&records()[number]).unwrap();
        let (first, rest) = text.split_once('\n').unwrap();
        let mut lines: Vec<&str> = rest.lines().collect();
        for (from, to, how) in moves {
            let (from, to) = (from.index(lines.len()), to.index(lines.len()));
            match how {
                0 => lines.swap(from, to),
                1 => lines.insert(to, lines[from]),
                _ if lines.len() > 1 => drop(lines.remove(from)),
                _ => {}
            }
        }
        lines.insert(0, first);
        prop_assert_eq!(play(&lines.join("\n"), Shown::Everything).err(), None);
    }

    #[test]
    fn a_record_with_bytes_changed_ends_with_a_line_number_or_is_lived_through(
        number in 0_usize..3,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..3),
        digits in prop::collection::vec((any::<prop::sample::Index>(), b'0'..=b'9'), 0..10),
        end in any::<prop::sample::Index>(),
    ) {
        let mut bytes = fs::read(&records()[number]).unwrap();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        // Other numbers are the cruellest changes: the line is still whole.
        let places: Vec<usize> = (0..bytes.len()).filter(|at| bytes[*at].is_ascii_digit()).collect();
        for (at, digit) in digits {
            bytes[places[at.index(places.len())]] = digit;
        }
        bytes.truncate(end.index(bytes.len()) + 1);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Err(stuck) = play(&text, Shown::Changes) {
            prop_assert!(stuck.line >= 1 && stuck.line <= text.lines().count().max(1), "{}", stuck);
        }
    }

    #[test]
    fn rubbish_is_refused(text in "\\PC{0,200}") {
        prop_assert!(play(&text, Shown::Changes).is_err());
    }
}
