//! The manual pages and completions: every page renders without a warning, every directive and command has its place,
//! the scripts load in their shells and offer what there is.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use latido::config::{DIRECTIVES, LATIDO_DIRECTIVES, LatidoDirective};
use tempfile::TempDir;

const LATIDO: &str = env!("CARGO_BIN_EXE_latido");

/// Every page written by `latido man`.
fn pages() -> (TempDir, Vec<PathBuf>) {
    let dir = TempDir::new().unwrap();
    let output = Command::new(LATIDO).arg("man").arg(dir.path()).output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    let mut pages: Vec<PathBuf> = ["man1", "man5", "man8"]
        .iter()
        .flat_map(|section| fs::read_dir(dir.path().join(section)).unwrap().map(|entry| entry.unwrap().path()))
        .collect();
    pages.sort();
    (dir, pages)
}

fn said(output: &Output) -> String {
    [&output.stdout[..], &output.stderr[..]].map(String::from_utf8_lossy).concat()
}

/// Whether the program is there; if not, says what is not tested.
fn there(program: &str) -> bool {
    let found = std::env::var_os("PATH")
        .is_some_and(|path| std::env::split_paths(&path).any(|dir| dir.join(program).is_file()));
    if !found {
        eprintln!("not tested: {program} is not installed");
    }
    found
}

fn names(pages: &[PathBuf]) -> BTreeSet<String> {
    pages.iter().map(|page| page.file_name().unwrap().to_str().unwrap().to_owned()).collect()
}

/// The subcommands that `latido --help` lists.
fn commands() -> Vec<String> {
    let help = said(&Command::new(LATIDO).arg("--help").output().unwrap());
    let list = help.split("Commands:\n").nth(1).unwrap().split("\n\n").next().unwrap();
    let named = list.lines().filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    named.filter_map(|line| line.split_whitespace().next()).filter(|name| *name != "help").map(str::to_owned).collect()
}

/// The names of the entries of a page: what stands in bold below `.TP` and `.TQ`.
fn entries(page: &str) -> Vec<String> {
    let lines: Vec<&str> = page.lines().collect();
    let tags = lines.windows(2).filter(|pair| matches!(pair[0], ".TP" | ".TQ")).map(|pair| pair[1]);
    let words = tags.filter(|tag| tag.starts_with(".B")).flat_map(|tag| {
        let list = tag.starts_with(".BR ");
        let words = tag.split_whitespace().skip(1).map(|word| word.trim_matches(['"', ',']).replace("\\-", "-"));
        words.filter(|word| !word.is_empty()).take(if list { usize::MAX } else { 1 }).collect::<Vec<_>>()
    });
    words.collect()
}

#[test]
fn there_is_a_page_for_the_daemon_for_each_command_and_for_each_file() {
    let (_dir, pages) = pages();
    let mut wanted: BTreeSet<String> = commands().iter().map(|name| format!("latido-{name}.1")).collect();
    assert!(wanted.len() > 10, "{wanted:?}");
    wanted.extend(["latido.8", "ha.cf.5", "latido.cf.5", "haresources.5", "authkeys.5"].map(str::to_owned));
    assert_eq!(names(&pages), wanted);
}

#[test]
fn every_page_renders_without_a_warning() {
    let (_dir, pages) = pages();
    if there("groff") {
        for page in &pages {
            let output = Command::new("groff").args(["-ww", "-man", "-Tascii"]).arg(page).output().unwrap();
            let warnings = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(output.status.success() && warnings.is_empty(), "{}: {warnings}", page.display());
            assert!(output.stdout.len() > 500, "{}: nothing to read", page.display());
        }
    }
    if there("mandoc") {
        let output = Command::new("mandoc").args(["-T", "lint", "-W", "warning"]).args(&pages).output().unwrap();
        assert!(output.status.success(), "{}", said(&output));
    }
}

#[test]
fn every_directive_has_its_entry_and_every_entry_is_a_directive() {
    let directives = |names: Vec<&'static str>| names.into_iter().map(str::to_owned).collect::<BTreeSet<_>>();
    let ha_cf = entries(&fs::read_to_string("docs/man/ha.cf.5").unwrap());
    assert_eq!(
        ha_cf.iter().cloned().collect::<BTreeSet<_>>(),
        directives(DIRECTIVES.iter().map(|directive| directive.name).collect())
    );
    assert_eq!(ha_cf.len(), DIRECTIVES.len(), "an entry stands twice");

    let how = ["status", "tcp", "sip", "command"].map(str::to_owned);
    let mut latido_cf: BTreeSet<String> =
        entries(&fs::read_to_string("docs/man/latido.cf.5").unwrap()).into_iter().collect();
    assert!(how.iter().all(|word| latido_cf.remove(word)), "how monitor asks is not explained");
    assert_eq!(latido_cf, directives(LATIDO_DIRECTIVES.iter().map(|directive| directive.name).collect()));
}

/// What a person reads of an entry: the words without their fonts, a blank between each two.
fn read_entry(page: &str, name: &str) -> String {
    let name = name.replace('-', "\\-");
    let tag = |line: &str| line.starts_with(".B") && line.split([' ', '"', ',', '\\']).nth(1).is_some();
    let lines: Vec<&str> = page.lines().collect();
    let is_it = |at: &usize| {
        let words = lines[*at].split([' ', '"', ',']).collect::<Vec<_>>();
        matches!(lines[*at - 1], ".TP" | ".TQ") && tag(lines[*at]) && words.contains(&name.as_str())
    };
    let at = (1..lines.len()).find(is_it).unwrap_or_else(|| panic!("{name} has no entry"));
    let body = lines[at + 1..].iter().take_while(|line| **line != ".TP" && !line.starts_with(".SH"));
    let plain = body.map(|line| match line.split_once(' ') {
        // The last word of these stands close to the word before.
        Some((".BR" | ".IR" | ".BI", words)) => {
            let (words, end) = match words.rsplit_once(' ') {
                Some((words, end)) if end.len() == 1 && !end.chars().all(char::is_alphanumeric) => (words, end),
                _ => (words, ""),
            };
            format!("{}{end}", words.trim_matches('"'))
        }
        Some((".B" | ".I", words)) => words.trim_matches('"').to_owned(),
        _ => (*line).to_owned(),
    });
    plain.collect::<Vec<_>>().join(" ").replace("\\-", "-")
}

#[test]
fn the_page_of_ha_cf_gives_the_defaults_that_hold() {
    let page = fs::read_to_string("docs/man/ha.cf.5").unwrap();
    for directive in DIRECTIVES {
        let Some(default) = directive.default else { continue };
        let default = match default.strip_suffix("000ms") {
            Some(seconds) => seconds,
            None => default,
        };
        let entry = read_entry(&page, directive.name);
        // What does nothing may be told without its default.
        let idle =
            entry.contains(".TQ") || entry.starts_with("Accepted, without effect.") || entry.starts_with("Must be off");
        let said = [".", ",", ":"].iter().any(|end| entry.contains(&format!("Default {default}{end}")));
        assert!(said || idle && !entry.contains("Default"), "{}: {default} is not in: {entry}", directive.name);
    }
}

#[test]
fn the_page_of_latido_cf_gives_the_defaults_that_hold() {
    let page = fs::read_to_string("docs/man/latido.cf.5").unwrap();
    for LatidoDirective { name, defaults, .. } in &LATIDO_DIRECTIVES {
        let entry = read_entry(&page, name);
        let default = format!("Default {}", defaults.join(", "));
        let said = [".", ","].iter().any(|end| entry.contains(&format!("{default}{end}")));
        assert_eq!(said, !defaults.is_empty(), "{name}: {default}: {entry}");
        assert_eq!(entry.contains("Default"), !defaults.is_empty(), "{name}: {entry}");
    }
}

/// The script for a shell, in a file.
fn script(shell: &str, dir: &Path) -> PathBuf {
    let output = Command::new(LATIDO).args(["completions", shell]).output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    let path = dir.join(if shell == "zsh" { "_latido".to_owned() } else { format!("latido.{shell}") });
    fs::write(&path, output.stdout).unwrap();
    path
}

#[test]
fn completions_load_in_bash_and_offer_the_commands() {
    let dir = TempDir::new().unwrap();
    let path = script("bash", dir.path());
    if !there("bash") {
        return;
    }
    let test = r#"set -e; source "$1"; complete -p latido
        COMP_WORDS=(latido st); COMP_CWORD=1; _latido latido st latido; echo "offered: ${COMPREPLY[*]}"
        COMP_WORDS=(latido status --j); COMP_CWORD=2; _latido latido --j status; echo "offered: ${COMPREPLY[*]}"
        COMP_WORDS=(latido lab --inn); COMP_CWORD=2; _latido latido --inn lab || true; echo "hidden: <${COMPREPLY[*]}>""#;
    let output = Command::new("bash").args(["--norc", "--noprofile", "-c", test, "bash"]).arg(path).output().unwrap();
    let said = said(&output);
    assert!(output.status.success() && output.stderr.is_empty(), "{said}");
    assert!(["status", "standby", "--json"].iter().all(|word| said.contains(word)), "{said}");
    assert!(said.contains("hidden: <>"), "{said}");
}

#[test]
fn completions_load_in_zsh_both_ways() {
    let dir = TempDir::new().unwrap();
    let path = script("zsh", dir.path());
    if !there("zsh") {
        return;
    }
    // As a file of $fpath, and sourced.
    let test = r#"fpath=($1:h $fpath); autoload -U compinit && compinit -u -D || exit 1
        print found: $_comps[latido]; autoload +X _latido || exit 1
        source $1 || exit 1; print defined: $+functions[_latido_commands]"#;
    let output = Command::new("zsh").args(["-f", "-c", test, "zsh"]).arg(path).output().unwrap();
    let said = said(&output);
    assert!(output.status.success() && output.stderr.is_empty(), "{said}");
    assert!(said.contains("found: _latido") && said.contains("defined: 1"), "{said}");
}

#[test]
fn completions_load_in_fish_and_offer_the_commands() {
    let dir = TempDir::new().unwrap();
    let path = script("fish", dir.path());
    if !there("fish") {
        return;
    }
    let test = "source $argv[1]; or exit 1; complete -C 'latido st'; complete -C 'latido status --j'; complete -C 'latido lab --inn'";
    let output = Command::new("fish")
        .args(["--no-config", "-c", test])
        .arg(path)
        .env("HOME", dir.path())
        .env("XDG_CONFIG_HOME", dir.path())
        .output()
        .unwrap();
    let said = said(&output);
    assert!(output.status.success() && output.stderr.is_empty(), "{said}");
    assert!(said.contains("status\t") && said.contains("standby\t") && said.contains("--json"), "{said}");
    assert!(!said.contains("--inner"), "{said}");
}
