//! Whole `authkeys` files: what is made of them and every word said about them (`config.md` 5 and 10).
//!
//! `tests/authkeys/{good,bad}/*.in` with `.ok` beside them; `UPDATE_EXPECTED=1` rewrites the latter. Files of other
//! people, judged by the original, are read from the directory that `LATIDO_CORPUS` names.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::path::{Path, PathBuf};

use latido::auth::authkeys::{parse, redact};
use latido::auth::{KeyId, Keyring};
use latido::diagnostic::{Problem, SourceText};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &Path) -> (Option<Keyring>, Vec<Problem>) {
    let text = String::from_utf8_lossy(&fs::read(path).unwrap()).into_owned();
    parse(&SourceText::new("/etc/ha.d/authkeys", text))
}

/// What is compared: the keys, the one that signs, and each complaint on its line.
fn summary(path: &Path) -> String {
    let (keyring, problems) = read(path);
    let keys = keyring.map_or("refused\n".to_owned(), |ring| {
        let keys = ring.ids().map(|id| format!("{id} {}", ring.method(id).unwrap()));
        format!("keys {}; signs with {}\n", keys.collect::<Vec<_>>().join(", "), ring.signing_id())
    });
    problems.iter().fold(keys, |text, problem| text + &problem.to_string() + "\n")
}

fn inputs(folder: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(root().join("tests/authkeys").join(folder)).unwrap();
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "in"));
    paths.sort();
    assert!(!paths.is_empty());
    paths
}

fn compare(path: &Path) {
    let (found, expected) = (summary(path), path.with_extension("ok"));
    if std::env::var_os("UPDATE_EXPECTED").is_some() {
        fs::write(&expected, &found).unwrap();
    }
    assert_eq!(found, fs::read_to_string(&expected).unwrap_or_default(), "{}", path.display());
}

#[test]
fn good_files_give_their_keys_and_at_most_warnings() {
    for path in inputs("good") {
        assert!(read(&path).0.is_some(), "{}", path.display());
        compare(&path);
    }
}

#[test]
fn bad_files_are_refused_with_every_reason() {
    for path in inputs("bad") {
        assert!(read(&path).0.is_none(), "{}", path.display());
        compare(&path);
    }
}

#[test]
fn no_secret_of_any_fixture_is_repeated_or_shown() {
    for path in inputs("good").into_iter().chain(inputs("bad")) {
        let text = fs::read_to_string(&path).unwrap();
        let shown = summary(&path) + &redact(&SourceText::new("authkeys", text)).text;
        for secret in ["uS3rWroteThis", "0123456789abcdef", "first0ne", "sec0nd0ne", "0thersecret", "Hello!", "HI!"] {
            assert!(!shown.contains(secret), "{}: {shown}", path.display());
        }
    }
}

/// The verdict on each file is the one the original gave, and the key that signs is the same.
#[test]
fn files_of_other_people_get_the_verdict_of_the_original() {
    let Some(corpus) = std::env::var_os("LATIDO_CORPUS").map(PathBuf::from) else {
        eprintln!("no corpus: set LATIDO_CORPUS to its directory to compare verdicts");
        return;
    };
    let expected = fs::read_to_string(corpus.join("expect.json")).unwrap();
    let expected: serde_json::Map<String, serde_json::Value> = serde_json::from_str(&expected).unwrap();
    let files: Vec<_> = expected.iter().filter(|(name, _)| name.starts_with("authkeys/")).collect();
    assert!(files.len() >= 38, "{}", files.len());
    for (name, expected) in files {
        let (keyring, problems) = read(&corpus.join(name));
        let verdict = if keyring.is_some() { "accepts" } else { "rejects" };
        let original = expected["verdict"].as_str().unwrap();
        assert_eq!(verdict, original.replace("warns", "accepts"), "{name}: {problems:?}");
        let signing = keyring.as_ref().map(Keyring::signing_id).map(KeyId::number);
        if signing.is_some() {
            assert_eq!(signing.map(u64::from), expected["outbound"].as_u64(), "{name}");
        }
        let phrases: Vec<_> = expected["phrases"].as_array().into_iter().flatten().filter_map(|p| p.as_str()).collect();
        let said = |problem: &Problem| problem.is_error() && problem.original.is_some();
        assert_eq!(problems.iter().any(said), !phrases.is_empty(), "{name}: {problems:?}");
    }
}
