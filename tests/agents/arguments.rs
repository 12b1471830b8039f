//! What `latido check` says of an argument is what the built-in agent does with it: for each line of `arguments.txt`,
//! and for words made up by chance.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use latido::agent::{AGENTS, Net as Agents};
use latido::config::{Config, Facts, ScriptFact, Sources};
use latido::diagnostic::{Problem, SourceText};
use latido::haresources::known::{self, ArgumentFault, Weight};
use latido::haresources::{Invocation, Resource, Verb};
use latido::names::NodeName;
use latido::time::Mono;
use proptest::prelude::*;
use proptest::test_runner::{Config as Runs, TestRunner};

use super::called::{Said, ended};
use super::net::{Net, ip, with_net};

const TABLE: &str = include_str!("arguments.txt");

/// A machine where every word of the table leads to the built-in agent, or to a script of the site.
struct Machine(ScriptFact);

impl Facts for Machine {
    fn node_name(&self) -> Option<NodeName> {
        NodeName::new("alpha")
    }

    fn resource_script(&self, _agent: &str) -> Option<ScriptFact> {
        Some(self.0.clone())
    }
}

/// What check says of one word.
fn checked(word: &str, leads_to: ScriptFact) -> Vec<Problem> {
    let ha_cf = "logfacility none\nnode alpha beta\nauto_failback on\nbcast eth0\nserial /dev/ttyS0\ninitdead 120\n";
    let sources = Sources {
        ha_cf: Some(SourceText::new("ha.cf", ha_cf)),
        haresources: Some(SourceText::new("haresources", format!("alpha {word}\n"))),
        authkeys: Some(SourceText::new("authkeys", "auth 1\n1 sha1 L0ng-4nd-R4nd0m\n")),
        ..Sources::default()
    };
    let config = Config::assemble(&sources, &Machine(leads_to));
    let problems = config.expect("a wrong argument costs its group alone").warnings;
    problems.into_iter().filter(|problem| problem.file == "haresources").collect()
}

/// The lines of the table: verdict, word, a piece of what is said.
fn rows(dir: &Path) -> Vec<(&'static str, String, &'static str)> {
    let lines = TABLE.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let row = |line: &'static str| {
        let (verdict, rest) = line.split_once(' ')?;
        let (word, said) = rest.trim_start().split_once(' ').unwrap_or((rest.trim(), ""));
        let word = word.replace("{dir}", dir.join("data").to_str()?);
        Some((verdict, word.replace("{file}", dir.join("image").to_str()?), said.trim()))
    };
    let rows: Vec<_> = lines.map(|line| row(line).unwrap_or_else(|| panic!("{line}"))).collect();
    assert!(AGENTS.iter().all(|(name, _)| rows.iter().any(|(_, word, _)| word.starts_with(name))));
    rows
}

#[test]
fn check_says_what_the_table_says_and_only_warns_of_a_script_of_the_site() {
    let dir = tempfile::tempdir().unwrap();
    for (verdict, word, said) in rows(dir.path()) {
        let problems = checked(&word, ScriptFact::BuiltIn);
        let found = match problems.iter().map(|problem| problem.is_error()).max() {
            None => "fine",
            Some(false) => "doubt",
            Some(true) => "error",
        };
        assert_eq!(found, verdict, "{word}: {problems:?}");
        assert!(verdict == "fine" || problems.iter().any(|problem| problem.to_string().contains(said)), "{problems:?}");
        let with_script = checked(&word, ScriptFact::Found);
        assert!(with_script.iter().all(|problem| !problem.is_error()), "{word}: {with_script:?}");
        assert_eq!(with_script.len(), problems.len(), "{word}");
    }
}

/// Programs that do nothing and succeed, for the agents that call them.
fn stand_ins(dir: &Path) -> String {
    let bin = dir.join("bin");
    fs::create_dir_all(&bin).unwrap();
    for name in ["mount", "fsck", "drbdadm", "mail"] {
        fs::write(bin.join(name), "#!/bin/sh\nexit 0\n").unwrap();
        fs::set_permissions(bin.join(name), fs::Permissions::from_mode(0o755)).unwrap();
    }
    format!("{}:{}", bin.display(), std::env::var("PATH").unwrap())
}

/// What an agent answers: inside this process, or as a program of its own.
fn answer(agents: &mut Agents, dir: &Path, path: &str, word: &str, verb: Verb) -> Said {
    let resource = Resource::from_word(word);
    let (name, args) = (resource.agent.clone(), resource.args.clone());
    if let Some(answer) = agents.run(&Invocation { resource, verb }, Mono::ZERO) {
        return Said { code: answer.code, words: answer.words, why: answer.why.unwrap_or_default() };
    }
    let mut command = Command::new(env!("CARGO_BIN_EXE_latido"));
    command.arg("agent").arg(name).args(args).arg(verb.as_str());
    command.env("PATH", path).env("HA_RSCTMP", dir.join("notes"));
    ended(command)
}

#[test]
fn an_agent_starts_with_what_is_fine_and_refuses_what_is_an_error() {
    let name = "arguments::an_agent_starts_with_what_is_fine_and_refuses_what_is_an_error";
    with_net(name, |net: Net| {
        let dir = tempfile::tempdir().unwrap();
        net.on(0, || {
            let path = stand_ins(dir.path());
            let mut agents = Agents::open((1, Duration::from_millis(1)), dir.path().join("notes")).unwrap();
            ip("route add default via 10.9.1.2");
            for (verdict, word, said) in rows(dir.path()) {
                let started = answer(&mut agents, dir.path(), &path, &word, Verb::Start);
                if verdict == "error" {
                    let missing = started.words.starts_with("usage");
                    assert!(started.code != 0 && (missing || started.why.contains(said)), "{word}: {started:?}");
                } else {
                    assert_eq!(started.code, 0, "{word}: {started:?}");
                }
                let stopped = answer(&mut agents, dir.path(), &path, &word, Verb::Stop);
                assert_eq!(stopped.code, 0, "{word}: {stopped:?}");
            }
        });
    });
}

/// Pieces that together are sometimes the arguments of an address, and mostly something like them.
fn words() -> impl Strategy<Value = String> {
    let address = prop_oneof![
        "10\\.9\\.1\\.(1[0-9]{2}|[0-9])",
        "(10|127|224|0|255)\\.[0-9]{1,3}\\.[01]\\.[0-9]{1,3}",
        "(fd00|fe80|ff02|)(::|:0:0:0:0:0:0:)[0-9a-f]{0,3}",
    ];
    let field = prop_oneof![
        "[0-9]{1,3}",
        "255\\.255\\.[0-9]{1,3}\\.0",
        "10\\.9\\.1\\.[0-9]{1,3}",
        "(eth0|lo|x)(:[a-z0-9]{0,13})?",
        ""
    ];
    let agent = prop_oneof![Just("IPaddr"), Just("IPaddr2"), Just("IPv6addr"), Just("SendArp"), Just("IPsrcaddr")];
    (agent, address, proptest::collection::vec(field, 0..4))
        .prop_map(|(agent, address, fields)| format!("{agent}::{}", [&[address], &fields[..]].concat().join("/")))
}

#[test]
fn whatever_is_written_an_agent_refuses_what_check_refuses_and_nothing_else() {
    let name = "arguments::whatever_is_written_an_agent_refuses_what_check_refuses_and_nothing_else";
    with_net(name, |net: Net| {
        let notes = tempfile::tempdir().unwrap();
        net.on(0, || {
            let open = || Agents::open((1, Duration::from_millis(1)), notes.path().to_owned());
            let agents = std::cell::RefCell::new(open().unwrap());
            let runs = Runs { cases: 2000, failure_persistence: None, ..Runs::default() };
            let seen = std::cell::Cell::new((0, 0));
            TestRunner::new(runs)
                .run(&words(), |word| {
                    let resource = Resource::from_word(&word);
                    let call = |verb| {
                        let invocation = Invocation { resource: resource.clone(), verb };
                        agents.borrow_mut().run(&invocation, Mono::ZERO).expect("an agent that runs inside")
                    };
                    let refusal = known::faults(&resource).into_iter().find(ArgumentFault::is_refusal);
                    let started = call(Verb::Start);
                    let why = started.why.clone().unwrap_or_default();
                    let (refused, taken) = seen.get();
                    match refusal {
                        Some(fault) => {
                            let missing = fault.weight == Weight::Missing && started.words.starts_with("usage");
                            prop_assert!(
                                started.code != 0 && (missing || why.contains(&fault.what)),
                                "{word}: {started:?}"
                            );
                            seen.set((refused + 1, taken));
                        }
                        None if started.code != 0 => {
                            let here = [
                                "Unable to find",
                                "Cannot use default",
                                "does not exist",
                                "no interface has a net",
                                "We are not serving",
                                "no matching route",
                                "cannot add",
                            ];
                            prop_assert!(here.iter().any(|reason| why.contains(reason)), "{word}: {started:?}");
                        }
                        None => seen.set((refused, taken + 1)),
                    }
                    prop_assert_eq!(call(Verb::Stop).code, 0, "{}", word);
                    Ok(())
                })
                .unwrap();
            let (refused, taken) = seen.get();
            assert!(refused > 100 && taken > 100, "{refused} refused, {taken} taken");
        });
    });
}
