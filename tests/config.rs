//! Configuration files and what is made of them (`config.md`).
//!
//! `tests/config/good/*` with `.ok`: the effective configuration and the warnings. `tests/config/bad/*` with `.ok`: the
//! exact complaints. `UPDATE_EXPECTED=1 cargo test --test config` rewrites them; read the difference before keeping it.
//! Files whose name holds `host` are read on a made-up host, the others as `latido check --as alpha` reads them.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use latido::config::{
    Config, DIRECTIVES, Facts, Interface, LATIDO_DIRECTIVES, OnlyName, PathFact, PathKind, ScriptFact, Sources,
    latido_sample,
};
use latido::diagnostic::{Problem, SourceText};
use latido::names::NodeName;
use proptest::prelude::*;

const HA_CF: &str = "logfacility daemon\nauto_failback on\nserial /dev/ttyS0\nbcast eth0\nnode alpha beta\n";
const HARESOURCES: &str = "alpha 10.0.0.10/24/eth0\n";
const AUTHKEYS: &str = "auth 1\n1 sha1 L0ng-4nd-R4nd0m\n";

/// A host that has a few things and no others.
struct Host;

impl Facts for Host {
    fn node_name(&self) -> Option<NodeName> {
        NodeName::new("alpha")
    }

    fn interfaces(&self) -> Option<Vec<Interface>> {
        let addresses = ["10.0.0.1", "fe80::1"].map(|ip| (ip.parse::<IpAddr>().unwrap(), 24)).to_vec();
        let lo = Interface { name: "lo".into(), addresses: vec![] };
        Some(vec![
            lo,
            Interface { name: "eth0".into(), addresses },
            Interface { name: "eth1".into(), addresses: vec![] },
        ])
    }

    fn path(&self, path: &str) -> Option<PathFact> {
        let (kind, executable) = match path {
            "/dev/ttyS0" => (PathKind::CharDevice, false),
            "/usr/bin/true" => (PathKind::File, true),
            "/etc/passwd" => (PathKind::File, false),
            _ => (PathKind::Missing, false),
        };
        Some(PathFact { kind, executable, writable_by_others: None })
    }

    fn can_write(&self, path: &str) -> Option<Result<(), String>> {
        Some(if path.starts_with("/var/log/") { Ok(()) } else { Err("No such file or directory".to_owned()) })
    }

    fn user_exists(&self, user: &str) -> Option<bool> {
        Some(["root", "hacluster"].contains(&user))
    }

    fn group_exists(&self, group: &str) -> Option<bool> {
        Some(["root", "haclient"].contains(&group))
    }

    fn resolves(&self, host: &str, v6: bool) -> Option<bool> {
        Some(host == "peer" && !v6)
    }

    fn udp_service_at(&self, port: u16) -> Option<String> {
        (port == 53).then(|| "domain".to_owned())
    }

    fn resource_script(&self, agent: &str) -> Option<ScriptFact> {
        Some(match agent {
            "open" => ScriptFact::Unsafe("/etc/ha.d/resource.d/open has mode 0777".to_owned()),
            "IPaddr" | "web" | "asterisk" => ScriptFact::Found,
            _ => ScriptFact::Missing("not in /etc/ha.d/resource.d".to_owned()),
        })
    }

    fn started_at_boot(&self, agent: &str) -> Option<String> {
        let link = "/etc/systemd/system/multi-user.target.wants/asterisk.service";
        (agent == "asterisk").then(|| link.to_owned())
    }
}

fn alpha() -> OnlyName {
    OnlyName(NodeName::new("alpha").unwrap())
}

fn sources(ha_cf: &str, haresources: &str) -> Sources {
    Sources {
        ha_cf: Some(SourceText::new("ha.cf", ha_cf)),
        haresources: Some(SourceText::new("haresources", haresources)),
        authkeys: Some(SourceText::new("authkeys", AUTHKEYS)),
        ..Sources::default()
    }
}

fn assemble(ha_cf: &str) -> Result<Config, Vec<Problem>> {
    Config::assemble(&sources(ha_cf, HARESOURCES), &alpha())
}

fn listed(problems: &[Problem]) -> String {
    problems.iter().map(|problem| format!("{problem}\n")).collect()
}

/// The fixtures of a folder, without their expectations.
fn fixtures(kind: &str) -> Vec<PathBuf> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/config").join(kind);
    let mut files: Vec<_> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension != "ok"));
    files.sort();
    assert!(files.len() > 5, "{kind}: only {} fixtures", files.len());
    files
}

fn read_fixture(path: &Path) -> Result<Config, Vec<Problem>> {
    let name = path.file_name().unwrap().to_str().unwrap();
    let text = String::from_utf8_lossy(&fs::read(path).unwrap()).into_owned();
    let mut sources = sources(HA_CF, HARESOURCES);
    if name.ends_with(".haresources") {
        sources.haresources = Some(SourceText::new("haresources", text));
    } else if name.ends_with(".latido.cf") {
        sources.latido_cf = Some(SourceText::new("latido.cf", text));
    } else {
        sources.ha_cf = Some(SourceText::new("ha.cf", text));
    }
    if name.contains("host") { Config::assemble(&sources, &Host) } else { Config::assemble(&sources, &alpha()) }
}

fn compare(path: &Path, found: &str, wrong: &mut Vec<String>) {
    let ok = PathBuf::from(format!("{}.ok", path.display()));
    if std::env::var_os("UPDATE_EXPECTED").is_some() {
        fs::write(&ok, found).unwrap();
    }
    let expected = fs::read_to_string(&ok).unwrap_or_default();
    if found != expected {
        wrong.push(format!("{} gives\n{found}\nand not\n{expected}", path.display()));
    }
}

/// Everything a good file means, for people to read.
fn described(config: &Config) -> String {
    let mut text = config.to_text();
    let s = &config.settings;
    let _ = writeln!(text, "--- settings");
    let _ = writeln!(
        text,
        "me {}, nodes {:?}, links {:?}",
        s.me,
        s.nodes,
        s.media.iter().map(|m| &m.id).collect::<Vec<_>>()
    );
    let _ = writeln!(
        text,
        "keepalive {:?} deadtime {:?} warntime {:?} initdead {:?} deadping {:?}",
        s.keepalive, s.deadtime, s.warntime, s.initdead, s.deadping
    );
    let _ =
        writeln!(text, "auto_failback {:?} rexmit {:?} hopfudge {}", s.auto_failback, s.max_rexmit_delay, s.hopfudge);
    for medium in &config.media {
        let _ = writeln!(text, "{medium:?}");
    }
    let _ = writeln!(text, "{:?}", config.logging);
    if config.latido != Default::default() {
        let _ = write!(text, "--- latido.cf\n{}", config.latido.to_text());
    }
    let _ = writeln!(text, "--- haresources {}", s.resources_digest);
    for group in &config.groups {
        let _ = writeln!(text, "{} {:?}", group.owner, group.resources);
    }
    let _ = write!(text, "--- warnings\n{}", listed(&config.warnings));
    text
}

#[test]
fn good_files_mean_what_they_meant() {
    let mut wrong = Vec::new();
    for path in fixtures("good") {
        match read_fixture(&path) {
            Ok(config) => compare(&path, &described(&config), &mut wrong),
            Err(problems) => wrong.push(format!("{} is refused:\n{}", path.display(), listed(&problems))),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn bad_files_are_refused_with_every_problem_named() {
    let mut wrong = Vec::new();
    for path in fixtures("bad") {
        match read_fixture(&path) {
            Ok(config) => wrong.push(format!("{} is accepted:\n{}", path.display(), listed(&config.warnings))),
            Err(problems) => compare(&path, &listed(&problems), &mut wrong),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What must survive printing and reading again.
fn essence(config: &Config) -> String {
    let mut copy = config.clone();
    copy.warnings.clear();
    // Nodes are printed behind the media, ping nodes with them: only a listing's order.
    copy.node_order.sort();
    // nice_failback leaves the recorded word alone and changes what holds; printed is what holds.
    copy.parameters.retain(|(name, _)| name != "auto_failback");
    let media = std::mem::take(&mut copy.media);
    format!("{copy:?} {media:?}")
}

#[test]
fn a_printed_configuration_reads_back_to_the_same() {
    for path in fixtures("good") {
        let first = read_fixture(&path).unwrap();
        let mut sources = sources(&first.to_text(), HARESOURCES);
        sources.latido_cf = Some(SourceText::new("latido.cf", first.latido.to_text()));
        let mut second = Config::assemble(&sources, &alpha())
            .unwrap_or_else(|problems| panic!("{}: {}\n{}", path.display(), first.to_text(), listed(&problems)));
        second.groups.clone_from(&first.groups);
        second.settings.resources_digest.clone_from(&first.settings.resources_digest);
        assert_eq!(essence(&first), essence(&second), "{}", path.display());
    }
}

#[test]
fn a_file_that_says_a_default_means_what_it_means_without() {
    let head = "logfacility daemon\n";
    let tail = "serial /dev/ttyS0\nbcast eth0\nnode alpha beta\n";
    let without = assemble(&format!("{head}{tail}")).unwrap();
    for directive in DIRECTIVES {
        // What is computed is no word of the file.
        let Some(default) = directive.default.filter(|default| !default.contains(' ') && *default != "deadtime") else {
            continue;
        };
        let mut with = assemble(&format!("{head}{} {default}\n{tail}", directive.name)).unwrap();
        if directive.name == "use_apphbd" {
            // The original has it among the parameters only when it is written.
            with.parameters.retain(|(name, _)| name != directive.name);
        }
        assert_eq!(essence(&with), essence(&without), "{} {default}", directive.name);
    }
}

#[test]
fn the_sample_of_latido_cf_is_made_of_the_table_of_directives() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("etc/ha.d/latido.cf");
    let sample = latido_sample();
    if std::env::var_os("UPDATE_EXPECTED").is_some() {
        fs::write(&path, &sample).unwrap();
    }
    assert_eq!(fs::read_to_string(&path).unwrap(), sample, "UPDATE_EXPECTED=1 writes it anew");
    assert!(sample.lines().all(|line| line.len() <= 120), "a line is too long to read");
    // Every line without its # is read as it stands, and says what holds anyway or names what is off without it.
    let lines: Vec<&str> =
        sample.lines().filter_map(|line| line.strip_prefix('#')).filter(|rest| !rest.starts_with(' ')).collect();
    let names: Vec<&str> = lines.iter().filter_map(|line| line.split(' ').next()).collect();
    let table: Vec<&str> = LATIDO_DIRECTIVES.iter().map(|directive| directive.name).collect();
    assert_eq!(names.iter().collect::<BTreeSet<_>>(), table.iter().collect::<BTreeSet<_>>());
    for line in lines {
        let mut sources = sources(HA_CF, HARESOURCES);
        sources.latido_cf = Some(SourceText::new("latido.cf", line));
        let config = Config::assemble(&sources, &alpha()).unwrap_or_else(|found| panic!("{line}: {}", listed(&found)));
        let off_without = ["monitor", "fence", "notify", "listen"].iter().any(|name| line.starts_with(name));
        assert_eq!(config.latido != Default::default(), off_without, "{line}");
    }
}

#[test]
fn the_asterisk_pair_is_read_as_its_administrator_meant_it() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/config/asterisk");
    let read = |name: &str| Some(SourceText::new(name, fs::read_to_string(dir.join(name)).unwrap()));
    let sources = Sources {
        ha_cf: read("ha.cf"),
        haresources: read("haresources"),
        authkeys: read("authkeys"),
        ..Sources::default()
    };
    let config = Config::assemble(&sources, &OnlyName(NodeName::new("asterisk1").unwrap())).unwrap();
    assert_eq!(config.settings.deadtime, Duration::from_secs(30));
    assert_eq!(config.settings.initdead, Duration::from_secs(120));
    assert_eq!(config.groups.len(), 1);
    let agents: Vec<_> = config.groups[0].resources.iter().map(ToString::to_string).collect();
    let expected =
        ["drbddisk r0", "Filesystem /dev/drbd0 /replica ext3", "IPaddr 192.168.1.13/24/eth0/192.168.1.255", "asterisk"];
    assert_eq!(agents, expected);
}

#[test]
fn the_digest_of_the_groups_ignores_comments_and_blanks_and_nothing_else() {
    let digest = |text: &str| Config::assemble(&sources(HA_CF, text), &alpha()).unwrap().settings.resources_digest;
    let plain = digest("alpha 10.0.0.1 web\nbeta 10.0.0.2\n");
    assert_eq!(plain.len(), 8);
    assert_eq!(plain, digest("# hi\n ALPHA\t10.0.0.1 \\\n  web\n\nbeta 10.0.0.2 # x\n"));
    for other in ["alpha 10.0.0.1\nbeta 10.0.0.2\n", "beta 10.0.0.1 web\nalpha 10.0.0.2\n", "alpha 10.0.0.1 web\n"] {
        assert_ne!(plain, digest(other), "{other}");
    }
}

#[test]
fn without_resources_the_groups_are_not_missed() {
    let sources = Sources { haresources: None, without_resources: true, ..sources(HA_CF, "") };
    let config = Config::assemble(&sources, &alpha()).unwrap();
    assert!(config.groups.is_empty() && !config.settings.manage_resources);
}

#[test]
fn a_secret_is_in_no_complaint_and_in_no_debug_text() {
    let mut sources = sources(HA_CF, HARESOURCES);
    for keys in ["auth 1\n1 sha1 Sup3rS3cret\n", "auth 1\n1 sha1Sup3rS3cret\nSup3rS3cret\n2 crc Sup3rS3cret\n"] {
        sources.authkeys = Some(SourceText::new("authkeys", keys));
        let result = Config::assemble(&sources, &alpha());
        assert!(!format!("{result:?}").contains("Sup3rS3cret"));
    }
}

#[test]
fn a_script_that_others_may_change_is_an_error_that_costs_its_group_alone() {
    let config = Config::assemble(&sources(HA_CF, "alpha open\n"), &Host).unwrap();
    assert_eq!(config.groups.len(), 1);
    let found = config.warnings.iter().find(|problem| problem.what.contains("becomes root")).unwrap();
    assert!(found.is_error() && !found.is_fatal());
}

#[test]
fn every_place_a_complaint_names_is_inside_its_file() {
    for path in fixtures("bad").into_iter().chain(fixtures("good")) {
        let text = String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned();
        let problems = match read_fixture(&path) {
            Ok(config) => config.warnings,
            Err(problems) => problems,
        };
        let file = path.file_name().unwrap().to_str().unwrap().to_owned();
        for problem in problems.iter().filter(|problem| file.ends_with(&problem.file)) {
            if let Some(place) = &problem.place {
                let before = text.get(..place.span.start).expect("the span starts inside the file");
                assert!(text.get(place.span.clone()).is_some(), "{problem}");
                assert_eq!(before.matches('\n').count() + 1, place.line, "{problem}");
            }
        }
    }
}

fn any_line() -> impl Strategy<Value = String> {
    let names: Vec<&str> = DIRECTIVES
        .iter()
        .map(|directive| directive.name)
        .chain(LATIDO_DIRECTIVES.iter().map(|directive| directive.name))
        .collect();
    let words = prop::sample::select(vec![
        "on",
        "off",
        "10",
        "500ms",
        "0",
        "-1",
        "eth0",
        "/dev/ttyS0",
        "10.0.0.2",
        "225.0.0.1",
        "694",
        "ff02::1",
        "1",
        "alpha",
        "root",
        "uid=root",
        "A=b",
        "=",
        "legacy",
        "*",
        "99999999999999999999",
        "é",
        "#",
    ]);
    (prop::sample::select(names), prop::collection::vec(words, 0..7))
        .prop_map(|(name, words)| format!("{name} {}\n", words.join(" ")))
}

proptest! {
    #[test]
    fn no_text_makes_the_readers_panic(text in "(\\PC|[ \\t\\r\\n\\\\#,=\u{feff}\\x00])*") {
        let mut sources = sources(&text, &text);
        sources.latido_cf = Some(SourceText::new("latido.cf", &text));
        sources.authkeys = Some(SourceText::new("authkeys", &text));
        let _ = Config::assemble(&sources, &alpha());
        let _ = Config::assemble(&sources, &Host);
    }

    #[test]
    fn no_directive_panics_on_any_words_and_what_is_accepted_prints_back(lines in prop::collection::vec(any_line(), 0..12)) {
        let text = format!("{}{HA_CF}", lines.concat());
        let mut sources = sources(&text, HARESOURCES);
        sources.latido_cf = Some(SourceText::new("latido.cf", lines.concat()));
        let _ = Config::assemble(&sources, &Host);
        if let Ok(first) = assemble(&text) {
            let printed = first.to_text();
            match assemble(&printed) {
                Ok(second) => prop_assert_eq!(essence(&first), essence(&second), "{}", printed),
                Err(problems) => prop_assert!(false, "{}\n{}", printed, listed(&problems)),
            }
        }
    }
}

/// What `latido check` calls an error, and what the daemon only waits for.
#[test]
fn a_medium_that_this_machine_lacks_now_is_an_error_and_no_reason_not_to_start() {
    let head = "logfacility daemon\nauto_failback on\nnode alpha beta\n";
    let read = |media: &str| Config::assemble(&sources(&format!("{head}{media}"), HARESOURCES), &Host);
    for (medium, phrase) in [
        ("serial /dev/ttyS9", "Nonexistent serial port [/dev/ttyS9] in config file"),
        ("bcast eth9", "Get broadcast for interface eth9 failed: No such device"),
        ("bcast eth1", "Get broadcast for interface eth1 failed: Cannot assign requested address"),
        ("ucast eth9 10.0.0.2", "ucast: interface [eth9] does not exist"),
        ("ucast eth0 nosuchhost", "ucast: cannot resolve hostname"),
        ("mcast eth9 225.0.0.1 694 1 0", "mcast device [eth9] is invalid or not set up properly"),
        ("mcast6 eth9 ff02::225 694 1 0", "mcast6 device [eth9] is invalid or not set up properly"),
        ("ucast6 eth1 fe80::2", "ucast6 device [eth1] is invalid or not set up properly"),
        ("ping nosuchhost", "Illegal ping [ping membership] in config file [nosuchhost]"),
        ("ping6 nosuchhost", "Illegal ping6 [ping6 membership] in config file [nosuchhost]"),
    ] {
        let config = read(&format!("bcast eth0\n{medium}\n")).unwrap_or_else(|found| panic!("{}", listed(&found)));
        let errors: Vec<_> = config.warnings.iter().filter(|problem| problem.is_error()).collect();
        assert!(errors.len() == 1 && errors[0].lacking && !errors[0].is_fatal(), "{medium}: {errors:?}");
        assert_eq!(errors[0].original.as_deref(), Some(phrase));
        let lacking: Vec<_> = config.lacking.iter().map(|(spec, problem)| (spec, problem)).collect();
        assert_eq!(lacking, [(&config.media[1], errors[0])], "{medium}");
        assert!(config.has_a_path());
        let alone = read(&format!("{medium}\n"));
        assert_eq!(alone.is_err(), medium.starts_with("ping"), "{medium}");
        assert!(alone.is_err() || !alone.unwrap().has_a_path(), "{medium}");
    }
    for medium in
        ["serial /etc/passwd", "bcast a-name-that-is-too-long", "ucast eth9 10.0.0.300", "mcast eth9 10.0.0.1 694 1 0"]
    {
        assert!(read(&format!("bcast eth0\n{medium}\n")).is_err(), "{medium}");
    }
}
