//! The house (`house.md` 3): who may import whom, which files may touch the machine, and no circle of files. Fails naming
//! file, line and rule. Every entry of `src/` has a row here. That the rules catch what they are for is shown by breaches
//! that are planted.

#![allow(clippy::unwrap_used, reason = "a test: a file that cannot be read is its failure")]

#[path = "architecture/circles.rs"]
mod circles;
#[path = "architecture/source.rs"]
mod source;

use source::{Crate, Source};

const PURE: bool = true;
const IO: bool = false;

/// Room, whether it is pure, and what of ours it may name. No row names one below it.
const ROOMS: &[(&str, bool, &str)] = &[
    ("names", PURE, ""),
    ("dice", PURE, ""),
    ("printable", PURE, ""),
    ("amount", PURE, ""),
    ("paths", PURE, ""),
    ("time", PURE, ""),
    ("diagnostic", PURE, "printable"),
    ("auth", PURE, "diagnostic"),
    ("wire", PURE, "auth names"),
    ("haresources", PURE, "diagnostic names"),
    ("cluster", PURE, "amount haresources names printable time wire"),
    ("timeline", PURE, "cluster printable time"),
    ("journal", PURE, "amount cluster printable"),
    ("config", PURE, "amount auth cluster diagnostic haresources names"),
    ("api", PURE, "cluster config names wire"),
    ("status", PURE, "amount printable"),
    ("ipfail", PURE, "time wire"),
    ("record", PURE, "cluster haresources names printable time wire"),
    ("simulate", PURE, "amount cluster config diagnostic haresources ipfail names record time timeline wire"),
    ("export", PURE, "amount cluster config haresources"),
    ("sys", IO, ""),
    ("process", IO, ""),
    ("replace", IO, ""),
    ("clock", IO, "time"),
    ("netlink", IO, "sys"),
    ("link", IO, "clock config names process sys time"),
    ("agent", IO, "clock haresources netlink sys time"),
    ("client", IO, "amount api printable status wire"),
    ("host", IO, "agent amount auth cluster config diagnostic haresources names paths process replace sys time wire"),
    (
        "daemon",
        IO,
        "agent api auth clock cluster config diagnostic haresources host journal link names netlink paths printable process \
         record status sys time wire",
    ),
    (
        "lab",
        IO,
        "amount api client clock cluster config diagnostic dice haresources ipfail journal names paths replace status sys \
         time timeline",
    ),
    ("cli", IO, "*"),
];

/// What a pure file may not name: the first words of a path.
const MACHINE: &[&str] = &[
    "std::fs",
    "std::process",
    "std::thread",
    "std::env",
    "std::os",
    "std::io::stdin",
    "std::io::stdout",
    "std::io::stderr",
    "std::net::UdpSocket",
    "std::net::TcpStream",
    "std::net::TcpListener",
    "std::net::ToSocketAddrs",
    "std::time::Instant",
    "std::time::SystemTime",
    "tokio",
    "nix",
    "libc",
    "socket2",
    "serialport",
    "clap",
    "sd_notify",
];
const PRINTING: &[&str] = &["println!", "print!", "eprintln!", "eprint!", "dbg!"];
/// Names that would hide a whole library: `use std as other`.
const WHOLE: &[&str] = &["std", "core", "crate", "latido"];

fn row(room: &str) -> Option<&'static (&'static str, bool, &'static str)> {
    ROOMS.iter().find(|(known, ..)| *known == room)
}

/// What is wrong with a file, one sentence each.
fn breaches(all: &Crate, source: &Source) -> Vec<String> {
    let mut found = Vec::new();
    let me = source.module.first().map_or("", String::as_str);
    let mut add = |line: usize, what: String| found.push(format!("src/{}:{line}: {what}", source.file));
    let row = row(me);
    if row.is_none() && !me.is_empty() {
        add(1, format!("`{me}` has no row in ROOMS"));
    }
    let (pure, may) = row.map_or((IO, "*"), |(_, pure, may)| (*pure, *may));
    for named in all.named(source) {
        if let Some(target) = named.ours.as_ref().map(|path| path.first().map_or("", String::as_str)) {
            let by_another_name = target.is_empty() || target == "*";
            let fine = target == me || may == "*" || may.split_whitespace().any(|word| word == target);
            if by_another_name && may != "*" {
                add(named.line, format!("the whole crate by another name ({})", named.text));
            } else if !fine {
                add(named.line, format!("`{me}` may not import `{target}` ({})", named.text));
            }
        } else if pure {
            let path = named.text.split(" as ").next().unwrap_or_default().trim();
            let touches = |word: &&&str| path == **word || path.starts_with(&format!("{word}::"));
            if MACHINE.iter().any(|word| touches(&word)) || WHOLE.contains(&path.trim_end_matches("::*")) {
                add(named.line, format!("a pure file names `{path}`"));
            }
        }
    }
    let words = || source.code.match_indices(|c: char| c.is_alphanumeric() || c == '_');
    let mut last = 0;
    for (at, _) in words() {
        // The beginning of a word only.
        if at > last || at == 0 {
            let rest = &source.code[at..];
            let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
            let line = source.code[..at].matches('\n').count() + 1;
            if &rest[..end] == "unsafe" && source.file != "sys.rs" {
                add(line, "`unsafe` outside src/sys.rs".to_owned());
            }
            if pure && PRINTING.iter().any(|print| rest.starts_with(print)) {
                add(line, format!("a pure file prints: `{}!`", &rest[..end]));
            }
            if pure && rest.starts_with("extern crate") {
                add(line, "a pure file names a crate by another name".to_owned());
            }
            if rest.starts_with("include!") {
                add(line, "code of another file is included".to_owned());
            }
            last = at + end;
        }
    }
    let attributes = source.code.match_indices("#[path");
    attributes.for_each(|(at, _)| {
        found.push(format!(
            "src/{}:{}: a module of another place",
            source.file,
            source.code[..at].matches('\n').count() + 1
        ));
    });
    found
}

#[test]
fn every_row_has_its_room_and_no_row_names_one_below_it() {
    for (at, (room, pure, may)) in ROOMS.iter().enumerate() {
        let src = source::src();
        assert!(src.join(room).is_dir() || src.join(format!("{room}.rs")).exists(), "no src/{room}");
        for word in may.split_whitespace().filter(|word| *word != "*") {
            let found = ROOMS.iter().position(|(known, ..)| *known == word);
            assert!(found.is_some_and(|found| found < at), "{room}: {word} is no room above it");
            assert!(found.is_some_and(|found| ROOMS[found].1) || !pure, "{room} is pure and may not rest on {word}");
        }
    }
}

#[test]
fn no_file_breaks_a_rule_of_the_house() {
    let all = Crate::read();
    let found: Vec<String> = all.sources.iter().flat_map(|source| breaches(&all, source)).collect();
    assert!(found.is_empty(), "{} breaches:\n{}", found.len(), found.join("\n"));
}

#[test]
fn no_files_import_from_each_other_in_a_circle() {
    let found = circles::circles(&Crate::read());
    let lines = found.iter().map(|circle| circle.iter().map(|file| file.join("/")).collect::<Vec<_>>().join(" <-> "));
    assert!(found.is_empty(), "circles:\n{}", lines.collect::<Vec<_>>().join("\n"));
}

/// What takes a time and gives words is in `amount`, in words for people, or in `config::value`, as it is written in files.
#[test]
fn how_long_something_lasts_is_said_in_one_place() {
    for source in Crate::read().sources {
        if ["amount.rs", "config/value.rs"].contains(&source.file.as_str()) {
            continue;
        }
        for (number, line) in source.code.lines().enumerate() {
            let Some((_, function)) = line.split_once("fn ") else { continue };
            let Some((name, rest)) = function.split_once('(') else { continue };
            let only_a_time = rest.split_once(')').is_some_and(|(arguments, result)| {
                arguments.ends_with("Duration") && !arguments.contains(',') && result.starts_with(" -> String")
            });
            assert!(!only_a_time, "src/{}:{}: `{name}` says a time: `amount` has a way", source.file, number + 1);
        }
    }
}

/// A file of the crate with this text, beside a few others.
fn planted(file: &str, text: &str) -> (Crate, usize) {
    let others = ["daemon/mod.rs", "daemon/start.rs", "cluster/mod.rs", "cluster/node.rs", "wire/mod.rs"];
    let mut files: Vec<(String, String)> =
        others.iter().filter(|other| **other != file).map(|other| ((*other).to_owned(), String::new())).collect();
    files.push((file.to_owned(), text.to_owned()));
    let all = Crate::of(&files);
    let at = all.sources.iter().position(|source| source.file == file).unwrap();
    (all, at)
}

#[test]
fn every_planted_breach_is_found() {
    for (file, text) in [
        ("cluster/node.rs", "use std::fs;"),
        ("cluster/node.rs", "use std::{fmt, fs};"),
        ("cluster/node.rs", "use std::{\n    fmt,\n    io::{self, stdin},\n};"),
        ("cluster/node.rs", "use std::{fs as disk};"),
        ("cluster/node.rs", "use std as other;"),
        ("cluster/node.rs", "use std::time::{Duration, Instant};"),
        ("cluster/node.rs", "fn f() { let _ = std::time::SystemTime::now(); }"),
        ("cluster/node.rs", "fn f() { std::thread::spawn(|| {}); }"),
        ("cluster/node.rs", "use std::net::{IpAddr, UdpSocket};"),
        ("cluster/node.rs", "use tokio::time::sleep;"),
        ("cluster/node.rs", "fn f() { nix::unistd::getpid(); }"),
        ("cluster/node.rs", "extern crate libc as c;"),
        ("cluster/node.rs", "fn f() { println!(\"x\"); }"),
        ("cluster/node.rs", "fn f() { eprintln!(\"x\"); }"),
        ("cluster/node.rs", "fn f() { dbg!(1); }"),
        ("cluster/node.rs", "use crate::daemon::start;"),
        ("cluster/node.rs", "use crate::{daemon, wire};"),
        ("cluster/node.rs", "use crate::{\n    wire::Message,\n    daemon::start as begin,\n};"),
        ("cluster/node.rs", "use super::super::daemon;"),
        ("cluster/node.rs", "fn f() { super::super::daemon::start(); }"),
        ("cluster/node.rs", "use super::super as everything;"),
        ("cluster/node.rs", "use crate as everything;"),
        ("cluster/node.rs", "use crate::*;"),
        ("cluster/node.rs", "use crate::sys;"),
        ("cluster/node.rs", "use crate::link::Links;"),
        ("cluster/node.rs", "use crate::client::control::Asker;"),
        ("cluster/node.rs", "use crate::lab;"),
        ("cluster/node.rs", "use crate::cli;"),
        ("cluster/node.rs", "use crate::config::Config;"),
        ("cluster/node.rs", "use crate::journal::Entry;"),
        ("cluster/node.rs", "fn f() { latido::sys::fork(); }"),
        ("cluster/node.rs", "#[cfg(test)]\nmod tests {}\nuse std::fs;"),
        ("cluster/node.rs", "#[cfg(test)]\nfn only() {}\nfn f() { println!(); }"),
        ("cluster/node.rs", "const QUOTE: char = '\"';\nuse std::fs;\nconst OTHER: char = '\"';"),
        ("cluster/node.rs", "const RAW: &str = r#\"\"\"#;\nuse std::env;"),
        ("cluster/node.rs", "/* use nothing */ use std::env;"),
        ("cluster/node.rs", "unsafe fn f() {}"),
        ("cluster/node.rs", "#[path = \"../daemon/start.rs\"]\nmod start;"),
        ("cluster/node.rs", "include!(\"../daemon/start.rs\");"),
        ("daemon/start.rs", "unsafe impl Send for X {}"),
        ("daemon/start.rs", "fn f() { unsafe { g() } }"),
        ("daemon/start.rs", "use crate::cli::print;"),
        ("daemon/start.rs", "use crate::lab::Lab;"),
        ("link/mod.rs", "use crate::daemon::start;"),
        ("link/mod.rs", "use crate::cluster::Cluster;"),
        ("client/control.rs", "use crate::daemon::start;"),
        ("journal.rs", "use crate::daemon::start;"),
        ("journal.rs", "use std::fs;"),
        ("sys.rs", "use crate::daemon;"),
        ("host/files.rs", "use crate::daemon::start;"),
        ("lab/mod.rs", "use crate::daemon::start;"),
        ("agent/mod.rs", "use crate::cli::print;"),
        ("newroom/mod.rs", ""),
        ("newfile.rs", ""),
        ("cluster/node.rs", "mod inner {\n    use super::super::super::cli;\n}"),
        ("cluster/deep/new.rs", "use super::super::super::cli;"),
    ] {
        let (all, at) = planted(file, text);
        assert!(!breaches(&all, &all.sources[at]).is_empty(), "not found in {file}: {text}");
    }
}

#[test]
fn what_is_allowed_is_no_breach() {
    for (file, text) in [
        ("cluster/node.rs", "use std::net::IpAddr;\nuse std::time::Duration;\nuse std::io;"),
        ("cluster/node.rs", "use super::Cluster;\nuse super::super::wire::Message;\nuse crate::wire::{Kind, Message};"),
        ("cluster/node.rs", "//! As std::fs and crate::daemon do.\nconst A: &str = \"use std::fs; println!()\";"),
        ("cluster/node.rs", "#[cfg(test)]\nmod tests {\n    use std::fs;\n    fn f() { println!(\"{\"); }\n}"),
        ("cluster/node.rs", "fn reprint() {}\nfn f<'a>(a: &'a str) -> &'a str { a }\nconst C: char = 'x';"),
        ("cluster/mod.rs", "mod inner {\n    use super::node::Node;\n}"),
        ("sys.rs", "unsafe fn f() {}"),
        ("daemon/start.rs", "use crate::cluster::Cluster;\nuse std::fs;\nuse tokio::time::sleep;"),
    ] {
        let (all, at) = planted(file, text);
        assert_eq!(breaches(&all, &all.sources[at]), Vec::<String>::new(), "{file}: {text}");
    }
}

#[test]
fn a_planted_circle_is_found_and_a_part_that_needs_its_own_whole_is_none() {
    let circle = |files: &[(&str, &str)]| {
        let files: Vec<_> = files.iter().map(|(file, text)| ((*file).to_owned(), (*text).to_owned())).collect();
        circles::circles(&Crate::of(&files)).len()
    };
    assert_eq!(circle(&[("a/mod.rs", "mod b;\nmod c;"), ("a/b.rs", "use super::c::C;"), ("a/c.rs", "")]), 0);
    assert_eq!(circle(&[("a/mod.rs", "mod b;\nuse b::B;"), ("a/b.rs", "use super::A;")]), 0);
    assert_eq!(circle(&[("a/b.rs", "use super::c::C;"), ("a/c.rs", "use super::b::B;")]), 1);
    let by_another_name =
        [("a/mod.rs", "pub use b::B;\nmod b;\nmod c;"), ("a/b.rs", "use super::c::C;"), ("a/c.rs", "use crate::a::B;")];
    assert_eq!(circle(&by_another_name), 1);
    let three = [("a.rs", "use crate::b::B;"), ("b.rs", "fn f() { crate::c::g(); }"), ("c.rs", "use crate::{a, b};")];
    assert_eq!(circle(&three), 1);
    let by_module = [("a/b.rs", "use super::c;\nfn f() { c::g(); }"), ("a/c.rs", "fn g() { super::b::f(); }")];
    assert_eq!(circle(&by_module), 1);
}
