//! The house: who may import whom, and which files may touch the machine. Fails naming file, line and rule.

#![allow(clippy::unwrap_used, reason = "a test: a file that cannot be read is its failure")]

use std::fs;
use std::path::{Path, PathBuf};

/// Room, and what of ours it may name. The rooms above `clock` are pure.
const ROOMS: [(&str, &[&str]); 20] = [
    ("amount", &[]),
    ("dice", &[]),
    ("names", &[]),
    ("time", &[]),
    ("timeline", &["cluster", "time"]),
    ("paths", &[]),
    ("diagnostic", &[]),
    ("auth", &["diagnostic"]),
    ("wire", &["auth", "names", "time"]),
    ("haresources", &["diagnostic", "names"]),
    ("cluster", &["amount", "wire", "haresources", "names", "time"]),
    ("config", &["amount", "auth", "haresources", "diagnostic", "names", "cluster"]),
    ("api", &["cluster", "config", "wire", "names"]),
    ("ipfail", &["wire", "time"]),
    ("record", &["cluster", "haresources", "wire", "names", "time"]),
    (
        "simulate",
        &[
            "amount",
            "cluster",
            "config",
            "haresources",
            "ipfail",
            "record",
            "diagnostic",
            "wire",
            "names",
            "time",
            "timeline",
        ],
    ),
    ("export", &["amount", "cluster", "config", "haresources"]),
    ("clock", &["time"]),
    ("netlink", &["sys"]),
    ("agent", &["names", "haresources", "netlink", "clock", "sys", "time"]),
];
const PURE: [&str; 17] = [
    "amount",
    "dice",
    "api",
    "export",
    "ipfail",
    "record",
    "names",
    "time",
    "timeline",
    "paths",
    "diagnostic",
    "auth",
    "wire",
    "haresources",
    "cluster",
    "config",
    "simulate",
];
const IO: [&str; 9] =
    ["std::fs", "std::process", "std::thread", "std::env", "tokio::", "nix::", "serialport::", "clap::", "libc::"];

fn sources(room: &str) -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    let mut open = vec![root.join(room), root.join(format!("{room}.rs"))];
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
        } else if path.exists() && path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    assert!(!found.is_empty(), "no sources of {room}");
    found
}

/// The lines of a file outside its tests, with their numbers.
fn lines(path: &Path) -> Vec<(usize, String)> {
    if path.ends_with("tests.rs") || path.components().any(|part| part.as_os_str() == "tests") {
        return Vec::new();
    }
    let text = fs::read_to_string(path).unwrap();
    let body = text.split("#[cfg(test)]").next().unwrap_or("").to_owned();
    let code = |line: &str| !line.trim_start().starts_with("//");
    body.lines().enumerate().filter(|(_, line)| code(line)).map(|(at, line)| (at + 1, line.to_owned())).collect()
}

#[test]
fn nobody_imports_upward() {
    for (room, allowed) in ROOMS {
        for path in sources(room) {
            for (number, line) in lines(&path) {
                for part in line.split("crate::").skip(1) {
                    let named: String = part.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                    let known = ROOMS.iter().any(|(known, _)| *known == named)
                        || ["link", "daemon", "lab", "cli", "client", "sys", "simulate"].contains(&named.as_str());
                    let fine = named == room || allowed.contains(&named.as_str()) || !known;
                    assert!(fine, "{}:{number}: `{room}` may not import `{named}`", path.display());
                }
            }
        }
    }
}

#[test]
fn pure_rooms_name_no_library_that_touches_the_machine() {
    for room in PURE {
        for path in sources(room) {
            for (number, line) in lines(&path) {
                for io in IO {
                    assert!(!line.contains(io), "{}:{number}: a pure file names `{io}`", path.display());
                }
            }
        }
    }
}

#[test]
fn unsafe_code_lives_in_one_file() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut open = vec![root];
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
        } else if !path.ends_with("sys.rs") {
            for (number, line) in lines(&path) {
                assert!(!line.contains("unsafe {"), "{}:{number}: `unsafe` outside src/sys.rs", path.display());
            }
        }
    }
}

/// What takes a time and gives words is in `amount`, in words for people, or in `config::value`, as it is written in files.
#[test]
fn how_long_something_lasts_is_said_in_one_place() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut open = vec![root];
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
            continue;
        }
        if path.ends_with("src/amount.rs") || path.ends_with("config/value.rs") {
            continue;
        }
        for (number, line) in lines(&path) {
            let Some((_, function)) = line.split_once("fn ") else { continue };
            let Some((name, rest)) = function.split_once('(') else { continue };
            let only_a_time = rest.split_once(')').is_some_and(|(arguments, result)| {
                arguments.ends_with("Duration") && !arguments.contains(',') && result.starts_with(" -> String")
            });
            assert!(!only_a_time, "{}:{number}: `{name}` says a time: `amount` has a way", path.display());
        }
    }
}
