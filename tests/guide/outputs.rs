//! What README and the guide show is what the program says, and the samples in `etc/ha.d` are good: commands that do no
//! harm are really run.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use super::commands::lines;
use super::markdown::{CHAPTERS, Page, pages};

/// Exit status, and what it said on both.
pub(crate) fn latido(words: &[&str]) -> (i32, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_latido"));
    let output = command.env_remove("HA_DIR").args(words).output().unwrap();
    let said = [&output.stdout[..], &output.stderr[..]].map(String::from_utf8_lossy).concat();
    (output.status.code().unwrap(), said)
}

/// Whether `text` has the parts of `shown` in this order; `…` stands for anything.
fn fits(text: &str, shown: &str) -> bool {
    let mut rest = text;
    shown.split('…').map(str::trim).all(|part| {
        let found = rest.find(part);
        found.is_some_and(|at| {
            rest = &rest[at + part.len()..];
            true
        })
    })
}

/// All sources in one text, each string as it is said.
fn sources() -> String {
    let mut all = String::new();
    let mut open = vec![PathBuf::from("src")];
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let mut continued = false;
            for line in fs::read_to_string(&path).unwrap().lines() {
                let words = if continued { line.trim_start() } else { line };
                continued = words.ends_with('\\');
                all += words.trim_end_matches('\\');
                if !continued {
                    all.push('\n');
                }
            }
        }
    }
    all.replace("\\\"", "\"")
}

#[test]
fn every_message_of_the_chapter_on_trouble_is_one_the_program_says() {
    let sources = sources();
    let page = Page::read(&PathBuf::from(CHAPTERS).join("troubleshooting.md"));
    let said: Vec<&str> =
        page.blocks().filter(|block| block.info == "text said").flat_map(|block| block.text.lines()).collect();
    assert!(said.len() > 20, "{said:?}");
    for line in said {
        let parts: Vec<&str> = line.split('…').map(str::trim).filter(|part| part.len() > 3).collect();
        assert!(!parts.is_empty(), "{line}");
        for part in parts {
            assert!(sources.contains(part), "no source says \"{part}\" ({line})");
        }
    }
}

#[test]
fn the_sample_files_are_good_but_for_their_key() {
    let (code, said) = latido(&["check", "etc/ha.d", "--as", "alpha"]);
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("well-known sample") && said.contains("1 warning, no errors"), "{said}");
    assert_eq!(latido(&["check", "etc/ha.d", "--as", "beta"]).0, 1);
    let (code, said) = latido(&["simulate", "etc/ha.d"]);
    assert_eq!(code, 0, "{said}");
}

/// The lines of `ha.cf` and `haresources` that are commented out in the samples are good too: each in its place.
#[test]
fn what_the_samples_have_as_comments_may_be_switched_on() {
    let read = |name: &str| fs::read_to_string(Path::new("etc/ha.d").join(name)).unwrap();
    for (name, number, line) in ["ha.cf", "latido.cf"].into_iter().flat_map(|name| {
        let text = read(name);
        let numbered: Vec<(usize, String)> = text.lines().map(str::to_owned).enumerate().collect();
        numbered.into_iter().map(move |(at, line)| (name, at, line))
    }) {
        let Some(directive) = line.strip_prefix('#').filter(|rest| rest.starts_with(|c: char| c.is_ascii_lowercase()))
        else {
            continue;
        };
        let dir = TempDir::new().unwrap();
        for file in ["ha.cf", "haresources", "authkeys", "latido.cf"] {
            fs::copy(Path::new("etc/ha.d").join(file), dir.path().join(file)).unwrap();
        }
        let text: Vec<String> = read(name)
            .lines()
            .enumerate()
            .map(|(at, line)| if at == number { directive.to_owned() } else { line.to_owned() })
            .collect();
        fs::write(dir.path().join(name), text.join("\n") + "\n").unwrap();
        let (code, said) = latido(&["check", &dir.path().display().to_string(), "--as", "alpha"]);
        assert!(code < 2, "{name}:{}: {directive}\n{said}", number + 1);
    }
}

/// `latido init` of README and the quick start, in another directory: the words that stand there.
#[test]
fn the_new_pair_of_readme_is_written_checked_and_played() {
    for place in ["README.md", "docs/guide/src/quick-start.md"] {
        let page = Page::read(Path::new(place));
        let commands: Vec<String> = page.blocks().flat_map(|block| lines(&block.text)).collect();
        let init = commands.iter().find(|line| line.starts_with("init ")).unwrap();
        let dir = TempDir::new().unwrap();
        let path = dir.path().display().to_string();
        let words: Vec<&str> = init.split_whitespace().chain(["-d", &path]).collect();
        let (code, said) = latido(&words);
        assert_eq!(code, 0, "{place}: {said}");
        for node in ["alpha", "beta"] {
            let (code, said) = latido(&["check", &path, "--as", node]);
            assert_eq!((code, said.trim()), (0, format!("{path}: no problems found").as_str()), "{place}");
        }
        let (code, said) = latido(&["simulate", "-d", &path]);
        assert_eq!(code, 0, "{place}: {said}");
        // There is a key already, and nobody said --yes.
        assert_eq!(latido(&["keygen", "-d", &path]).0, 1, "{place}");
        assert_eq!(latido(&["keygen", "-d", &path, "--print", "--number", "2", "--strong"]).0, 0, "{place}");
        assert_eq!(latido(&["export", "pacemaker", &path]).0, 1, "{place}: a serial line is for somebody to finish");
        let (code, said) = latido(&["resource", "list", "-d", &path, "--long"]);
        assert_eq!((code, said.as_str()), (0, "alpha 192.168.1.10/24/eth0 asterisk\n"), "{place}");
    }
}

#[test]
fn the_table_of_simulate_in_readme_is_what_it_prints() {
    let page = Page::read(Path::new("README.md"));
    let shown = page.blocks().find(|block| block.text.contains("without asterisk")).unwrap();
    let (_, said) = latido(&["simulate", "tests/config/asterisk"]);
    let plain = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    let said: Vec<String> = said.lines().map(plain).collect();
    for line in shown.text.lines().map(plain).filter(|line| !line.is_empty()) {
        assert!(said.iter().any(|said| fits(said, &line)), "{line}\nis not in\n{}", said.join("\n"));
    }
}

#[test]
fn the_events_of_the_lab_in_readme_are_events_of_the_lab() {
    let sources = sources();
    let page = Page::read(Path::new("README.md"));
    let shown = page.blocks().find(|block| block.text.contains("outage at the client")).unwrap();
    for line in shown.text.lines() {
        let event = line.trim().split("  ").next().unwrap().split(" (").next().unwrap();
        let part = event.split("pulled").next().unwrap().trim();
        assert!(sources.contains(part), "the lab has no event \"{event}\"");
    }
}

/// Files that a chapter shows and that heartbeat's grammar can judge.
#[test]
fn what_a_chapter_shows_of_latido_cf_is_good() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().display().to_string();
    let init = ["init", "-d", &path, "--nodes", "alpha,beta", "--serial", "/dev/ttyS0", "--bcast", "eth1", "--service"];
    assert_eq!(latido(&[&init[..], &["asterisk", "--service", "mysql"]].concat()).0, 0);
    let mut seen = 0;
    for page in pages() {
        let blocks =
            page.blocks().flat_map(|block| block.text.lines().map(|line| (page.at(block), line.trim().to_owned())));
        let spans = page.spans().into_iter().map(|span| (page.path.display().to_string(), span));
        for (place, line) in blocks.chain(spans) {
            let first = line.split(' ').next().unwrap_or("");
            let known =
                ["monitor", "announce", "listen", "notify", "script-timeout", "failback-delay"].contains(&first);
            if !known || !line.contains(' ') || line == "script-timeout stop" {
                continue;
            }
            seen += 1;
            fs::write(dir.path().join("latido.cf"), line.clone() + "\n").unwrap();
            let (code, said) = latido(&["check", &path, "--as", "alpha"]);
            assert!(code < 2, "{place}: {line}\n{said}");
        }
    }
    assert!(seen > 5, "only {seen} lines were found");
}
