//! Records of real daemons (`latido daemon --record`), played by today's core: the transcript beside each is what it must
//! decide. `UPDATE_EXPECTED=1` rewrites them: read the difference. And: whatever happened, a record of it leads to the
//! same actions again; whatever stands in a file, reading it ends with a line's number and never with a panic.
//!
//! And: a line of the first version lacks what came later and is read all the same; without what it always had it is refused
//! with the version that wrote it.
//!
//! A record from the field is cut to its incident by whole lines, its first line kept, and put into `tests/replay`.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test: its failures are panics")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use latido::record::{PlaybackError, Player, RecordLine, ShowLevel, read_line};
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

fn play(text: &str, shown: ShowLevel) -> Result<Vec<String>, PlaybackError> {
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
        let played = play(&text, ShowLevel::Changes).unwrap_or_else(|stuck| panic!("{}:{stuck}", path.display()));
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

/// A life as version 0.1.0 wrote it, with everything that could be in it. Never edited: what is added to a line later is
/// not in here, and must have a default.
const LIFE_0_1_0: &str = r#"{"latido_record":1,"program":"0.1.0","now":{"mono":25489111,"wall":1795261759},
"settings":{"me":"beta","nodes":["alpha","beta"],"media":[{"id":"eth0","ping_node":null},{"id":"gw","ping_node":"gw"}],
"keepalive":{"secs":0,"nanos":500000000},"deadtime":{"secs":2,"nanos":0},"warntime":{"secs":1,"nanos":0},
"initdead":{"secs":10,"nanos":0},"deadping":{"secs":2,"nanos":0},"auto_failback":"on","hopfudge":1,
"max_rexmit_delay":{"secs":0,"nanos":250000000},"manage_resources":true,"script_timeout":{"start":{"secs":120,"nanos":0},
"stop":{"secs":120,"nanos":0},"status":{"secs":30,"nanos":0}},"on_start_failure":"move","on_stop_failure":"reboot",
"fences":["/bin/off"],"monitors":[{"resource":"rc","every":{"secs":5,"nanos":0},"failures":2,"restarts":1,"with":{"tcp":"h:1"}}],
"resources_digest":"ddb6b3e5","timing":"keepalive=500ms","key":"1 sha1"},
"groups":[{"owner":"alpha","resources":["ra","rb"],"line":1},{"owner":"beta","resources":["rc","rd"],"line":2}],
"birth":{"generation":1795261760,"uuid":[190,50,213,68,219,107,76,102,191,219,86,208,54,90,222,13],"seed":68316,
"remembered":[["alpha",3,10]],"past":{"crashed":{"groups":[{"owner":"beta","words":["rc","rd"],"state":"held",
"since_partition":false,"offered":false,"failure":null}],"leaving":false,"needs_failback":false}}}}"#;

/// What can happen, as version 0.1.0 wrote it.
const EVENTS_0_1_0: [&str; 9] = [
    r#"{"now":{"mono":25489112,"wall":1795261759},"event":"tick"}"#,
    r#"{"now":{"mono":25489113,"wall":1795261759},"event":{"message":{"medium":"eth0","at":25489113,"message":{"t":"status","st":"active","src":"alpha"}}}}"#,
    r#"{"now":{"mono":25489114,"wall":1795261759},"event":{"local":{"t":"ask_resources","rsc_hold":"all"}}}"#,
    r#"{"now":{"mono":25489115,"wall":1795261759},"event":{"medium":{"medium":"eth0","condition":{"failed":"no carrier"}}}}"#,
    r#"{"now":{"mono":25489116,"wall":1795261759},"event":{"medium":{"medium":"eth0","condition":"working"}}}"#,
    r#"{"now":{"mono":25489117,"wall":1795261759},"event":{"done":{"job":5,"outcome":{"exit":{"code":0},"said":"running"}}}}"#,
    r#"{"now":{"mono":25489118,"wall":1795261759},"event":{"request":{"client":7,"request":{"standby":"all"}}}}"#,
    r#"{"now":{"mono":25489119,"wall":1795261759},"event":"upgrade"}"#,
    r#"{"now":{"mono":25489120,"wall":1795261759},"event":"leave"}"#,
];

/// The way to each field of each object within: keys, and places in lists.
fn fields(value: &serde_json::Value, way: &str, found: &mut Vec<String>) {
    let within: Vec<(String, &serde_json::Value)> = match value {
        serde_json::Value::Object(map) => map.iter().map(|(key, value)| (key.clone(), value)).collect(),
        serde_json::Value::Array(list) => list.iter().enumerate().map(|(n, value)| (n.to_string(), value)).collect(),
        serde_json::Value::Null
        | serde_json::Value::Bool(_)
        | serde_json::Value::Number(_)
        | serde_json::Value::String(_) => return,
    };
    for (key, inner) in within {
        let way = format!("{way}/{key}");
        if value.is_object() {
            found.push(way.clone());
        }
        // What a message says is the business of its sender.
        if !way.ends_with("/message/message") && !way.ends_with("/local") {
            fields(inner, &way, found);
        }
    }
}

fn without(value: &serde_json::Value, way: &str) -> String {
    let mut value = value.clone();
    let (parent, key) = way.rsplit_once('/').unwrap();
    value.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(key);
    value.to_string()
}

fn read_life(line: &str) -> Result<serde_json::Value, String> {
    match read_line(line) {
        Ok(RecordLine::Start(life)) => Ok(serde_json::from_slice(&life.to_line()).unwrap()),
        other => Err(format!("{other:?}")),
    }
}

/// Fails unless `line`, which lacks the original field `way`, is refused with the version that wrote it and the field.
fn refused(stuck: &PlaybackError, way: &str) {
    let (said, key) = (stuck.to_string(), way.rsplit('/').next().unwrap());
    assert!(said.contains("latido 0.1.0 wrote this line"), "without {way}: {said}");
    // A key that is one of several words for what comes behind it is not missed by name.
    let one_of_several =
        ["crashed", "tcp", "message", "local", "medium", "done", "request", "failed", "code", "standby"];
    assert!(said.contains(&format!("`{key}`")) || one_of_several.contains(&key), "without {way}: {said}");
}

#[test]
fn a_life_without_what_came_later_is_read_and_without_what_it_always_had_refused_with_its_version() {
    let first: serde_json::Value = serde_json::from_str(LIFE_0_1_0).unwrap();
    let today = read_life(&first.to_string()).unwrap();
    let (mut original, mut all) = (Vec::new(), Vec::new());
    fields(&first, "", &mut original);
    fields(&today, "", &mut all);
    assert!(original.iter().all(|way| all.contains(way)), "something was taken away: the format is another");
    for way in &all {
        let line = without(&today, way);
        let is_later = !original.contains(way);
        let key = way.rsplit('/').next().unwrap();
        // Nothing and nothing said are the same for these, and always were.
        if is_later || ["ping_node", "failure"].contains(&key) {
            read_life(&line)
                .unwrap_or_else(|why| panic!("{way} came later and has no default (docs/record.md): {why}"));
        } else if way != "/latido_record" && way != "/program" {
            refused(&Player::new(ShowLevel::Changes).play(&line).unwrap_err(), way);
        }
    }
}

#[test]
fn an_event_without_what_it_always_had_is_refused_with_the_version_that_wrote_it() {
    let life = serde_json::from_str::<serde_json::Value>(LIFE_0_1_0).unwrap().to_string();
    let played = |line: &str| {
        let mut player = Player::new(ShowLevel::Changes);
        player.play(&life).unwrap();
        player.play(line)
    };
    for event in EVENTS_0_1_0 {
        played(event).unwrap_or_else(|stuck| panic!("{event}: {stuck}"));
        let value: serde_json::Value = serde_json::from_str(event).unwrap();
        let mut all = Vec::new();
        fields(&value, "", &mut all);
        // Without these it is no event at all.
        all.retain(|way| way != "/now" && way != "/event");
        for way in all {
            refused(&played(&without(&value, &way)).unwrap_err(), &way);
        }
    }
}

#[test]
fn a_record_of_a_newer_format_names_the_version_that_can_read_it() {
    let line = LIFE_0_1_0
        .replace('\n', "")
        .replace(r#""latido_record":1,"program":"0.1.0""#, r#""latido_record":2,"program":"3.7.1""#);
    let said = Player::new(ShowLevel::Changes).play(&line).unwrap_err().to_string();
    assert!(said.contains("a record of format 2, written by latido 3.7.1"), "{said}");
    // A newer version of the same format may say more.
    let line = LIFE_0_1_0.replace('\n', "").replace(r#""me":"beta""#, r#""me":"beta","mood":{"good":true}"#);
    Player::new(ShowLevel::Changes).play(&line).unwrap();
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
        prop_assert_eq!(play(&lines.join("\n"), ShowLevel::Everything).err(), None);
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
        if let Err(stuck) = play(&text, ShowLevel::Changes) {
            prop_assert!(stuck.line >= 1 && stuck.line <= text.lines().count().max(1), "{}", stuck);
        }
    }

    #[test]
    fn rubbish_is_refused(text in "\\PC{0,200}") {
        prop_assert!(play(&text, ShowLevel::Changes).is_err());
    }
}
