//! The verdict of the original on files its users published, beside ours (`docs/corpus.md`).
//!
//! The files are other people's and are not part of this repository: the test reads them from the
//! directory that `LATIDO_CORPUS` names, and compares nothing without it.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeMap;
use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};

use latido::config::{Config, Facts, Interface, OnlyName, PathFact, PathKind, Sources};
use latido::diagnostic::{Problem, SourceText};
use latido::haresources::{ResourceGroup, parse};
use latido::names::NodeName;
use serde_json::Value;

/// Where our verdict differs: the file, whether we accept it, and the words of the complaint that decides.
/// `docs/corpus.md` gives the reason for each.
const DIFFERENT: &[(&str, bool, &str)] =
    &[("ha.cf/041-md-arrow-comments.txt", false, "\"<==主节点主机名\" cannot be a host name")];

const GOOD_HA_CF: &str = "logfacility local0\nkeepalive 1\ndeadtime 10\ninitdead 30\nauto_failback on\n\
                          bcast eth0\nserial /dev/ttyS0\nnode alpha\nnode beta\n";
const GOOD_KEYS: &str = "auth 1\n1 sha1 L0ng-4nd-R4nd0m\n";

fn corpus() -> Option<PathBuf> {
    let Some(dir) = std::env::var_os("LATIDO_CORPUS").map(PathBuf::from) else {
        eprintln!("no corpus: set LATIDO_CORPUS to its directory to compare verdicts");
        return None;
    };
    assert!(dir.join("expect.json").exists(), "LATIDO_CORPUS: {} has no expect.json", dir.display());
    Some(dir)
}

fn expectations(dir: &Path, kind: &str) -> Vec<(String, Value)> {
    let text = fs::read_to_string(dir.join("expect.json")).unwrap();
    let all: BTreeMap<String, Value> = serde_json::from_str(&text).unwrap();
    let files: Vec<_> = all.into_iter().filter(|(file, _)| file.starts_with(kind)).collect();
    assert!(files.len() > 30, "{kind}: only {} files", files.len());
    files
}

fn read(dir: &Path, file: &str, name: &str) -> SourceText {
    let bytes = fs::read(dir.join(file)).unwrap();
    SourceText::new(format!("/etc/ha.d/{name}"), String::from_utf8_lossy(&bytes))
}

/// The laboratory host on which the verdicts were taken: everything a file names is there.
struct Laboratory {
    name: NodeName,
    fitted: BTreeMap<String, Vec<String>>,
}

impl Laboratory {
    fn new(expected: &Value) -> Laboratory {
        let name = expected["uname"].as_str().and_then(NodeName::new).unwrap();
        let fitted = serde_json::from_value(expected["fitted"].clone()).unwrap();
        Laboratory { name, fitted }
    }

    fn has(&self, kind: &str, what: &str) -> bool {
        self.fitted.get(kind).is_some_and(|list| list.iter().any(|item| item == what))
    }
}

impl Facts for Laboratory {
    fn node_name(&self) -> Option<NodeName> {
        Some(self.name.clone())
    }

    fn interfaces(&self) -> Option<Vec<Interface>> {
        let address = (IpAddr::V4(Ipv4Addr::new(10, 23, 1, 1)), 24);
        let nics = self.fitted.get("nics").cloned().unwrap_or_default();
        Some(nics.into_iter().map(|name| Interface { name, addresses: vec![address] }).collect())
    }

    fn path(&self, path: &str) -> Option<PathFact> {
        let kind = match path {
            _ if self.has("respawn_paths", path) => PathKind::File,
            _ if self.has("serial", path) => PathKind::CharDevice,
            _ => PathKind::Missing,
        };
        Some(PathFact { kind, executable: kind == PathKind::File, writable_by_others: None })
    }

    fn user_exists(&self, user: &str) -> Option<bool> {
        Some(["root", "hacluster", "nobody"].contains(&user))
    }

    fn group_exists(&self, group: &str) -> Option<bool> {
        Some(["root", "haclient", "nogroup"].contains(&group))
    }

    fn resolves(&self, host: &str, _: bool) -> Option<bool> {
        Some(self.has("hosts", host))
    }
}

fn problems(result: &Result<Config, Vec<Problem>>) -> Vec<String> {
    let problems = match result {
        Ok(config) => &config.warnings,
        Err(problems) => problems,
    };
    problems.iter().map(ToString::to_string).collect()
}

/// Compares one verdict, and checks that what the original printed is in our complaints.
fn compare(file: &str, expected: &Value, result: &Result<Config, Vec<Problem>>, wrong: &mut Vec<String>) {
    let verdict = expected["verdict"].as_str().unwrap();
    let theirs = verdict != "rejects";
    let found = problems(result);
    let exception = DIFFERENT.iter().find(|(other, ..)| *other == file);
    let (ours, needed) = exception.map_or((theirs, ""), |(_, ours, needed)| (*ours, needed));
    if exception.is_some() && ours == theirs {
        wrong.push(format!("{file}: listed as different, and is not"));
    }
    if result.is_ok() != ours {
        wrong.push(format!("{file}: {verdict}, but ours is {found:#?}"));
    }
    if !needed.is_empty() && !found.iter().any(|problem| problem.contains(needed)) {
        wrong.push(format!("{file}: no complaint says {needed:?}: {found:#?}"));
    }
    if verdict == "warns" && found.is_empty() {
        wrong.push(format!("{file}: the original warns, and we do not"));
    }
    let phrases = strings(&expected["phrases"]).into_iter().chain(strings(&expected["messages"]));
    // What a file for Pacemaker says after the first complaint is about its own programs.
    let most = if expected["reason"] == "pacemaker" { 1 } else { usize::MAX };
    for phrase in phrases.take(most).filter(|_| exception.is_none() && verdict != "accepts") {
        if !follows_from_another(&phrase) && !found.iter().any(|ours| same_phrase(ours, &phrase)) {
            wrong.push(format!("{file}: the original says {phrase:?}: {found:#?}"));
        }
    }
}

/// Lines the original prints after the one that matters.
fn follows_from_another(phrase: &str) -> bool {
    [
        "Please convert to",
        "See documentation",
        "Consider converting",
        "'nice_failback on' has been",
        "Lookup extended",
        "LoadPlugin on",
        "Table size",
        "does not exist",
        "not found in keyfile",
    ]
    .iter()
    .any(|part| phrase.contains(part))
}

/// Whether one of our complaints carries a phrase; words of `authkeys` lines are never repeated, and `//` is `/`.
fn same_phrase(ours: &str, phrase: &str) -> bool {
    let plain = |text: &str| text.replace("//", "/").replace("glib: ", "");
    if phrase.starts_with("Auth line [") || phrase.starts_with("Invalid authtype [") {
        return ours.contains(phrase.split('[').next().unwrap());
    }
    plain(ours).contains(&plain(phrase))
}

fn strings(value: &Value) -> Vec<String> {
    let list = value.as_array().cloned().unwrap_or_default();
    list.iter().filter_map(Value::as_str).map(str::to_owned).collect()
}

fn sources(ha_cf: SourceText, authkeys: SourceText, haresources: SourceText) -> Sources {
    Sources { ha_cf: Some(ha_cf), authkeys: Some(authkeys), haresources: Some(haresources), ..Sources::default() }
}

fn good(name: &str, text: &str) -> SourceText {
    SourceText::new(format!("/etc/ha.d/{name}"), text)
}

#[track_caller]
fn finish(wrong: &[String]) {
    assert!(wrong.is_empty(), "{} differences:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn every_ha_cf_gets_the_verdict_of_the_original_and_the_same_nodes_media_and_parameters() {
    let Some(dir) = corpus() else { return };
    let mut wrong = Vec::new();
    for (file, expected) in expectations(&dir, "ha.cf/") {
        let laboratory = Laboratory::new(&expected);
        let groups = good("haresources", &format!("{} 10.23.1.100\n", laboratory.name));
        let sources = sources(read(&dir, &file, "ha.cf"), good("authkeys", GOOD_KEYS), groups);
        let result = Config::assemble(&sources, &laboratory);
        compare(&file, &expected, &result, &mut wrong);
        if let Ok(config) = &result {
            same_meaning(&file, &expected, config, &mut wrong);
        }
    }
    finish(&wrong);
}

/// Nodes, media and parameters as the daemon prints them.
fn same_meaning(file: &str, expected: &Value, config: &Config, wrong: &mut Vec<String>) {
    let pings = config.media.iter().filter_map(|medium| medium.ping_node());
    let mut nodes: Vec<_> = config.settings.nodes.iter().chain(pings).map(ToString::to_string).collect();
    let mut theirs = strings(&expected["nodes"]);
    nodes.sort();
    theirs.sort();
    theirs.dedup();
    if nodes != theirs {
        wrong.push(format!("{file}: nodes {nodes:?}, the original has {theirs:?}"));
    }
    let media: Vec<_> = config.media.iter().map(|medium| format!("{} {}", medium.directive(), medium.id())).collect();
    let mut theirs: Vec<_> = Vec::new();
    for medium in expected["media"].as_array().unwrap() {
        let medium = strings(medium).join(" ");
        // An exact repetition is one medium here; two ucast lines differ in an address that is not listed.
        if medium.starts_with("ucast") || !theirs.contains(&medium) {
            theirs.push(medium);
        }
    }
    if media != theirs {
        wrong.push(format!("{file}: media {media:?}, the original has {theirs:?}"));
    }
    let ours: BTreeMap<&str, &str> =
        config.parameters.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    for (name, value) in expected["params"].as_object().unwrap() {
        if ours.get(name.as_str()).copied() != value.as_str() {
            wrong.push(format!("{file}: {name} is {:?}, the original has {value}", ours.get(name.as_str())));
        }
    }
}

#[test]
fn every_authkeys_gets_the_verdict_of_the_original_and_signs_with_the_same_key() {
    let Some(dir) = corpus() else { return };
    let mut wrong = Vec::new();
    for (file, expected) in expectations(&dir, "authkeys/") {
        let keys = read(&dir, &file, "authkeys");
        let sources = sources(good("ha.cf", GOOD_HA_CF), keys, good("haresources", "alpha 10.23.1.100\n"));
        let result = Config::assemble(&sources, &OnlyName(NodeName::new("alpha").unwrap()));
        compare(&file, &expected, &result, &mut wrong);
        if let Ok(config) = &result {
            let ours = u64::from(config.keyring.signing_id().number());
            if expected["outbound"].as_u64() != Some(ours) {
                wrong.push(format!("{file}: signs with {ours}, the original with {}", expected["outbound"]));
            }
            let methods: Vec<_> =
                config.keyring.ids().filter_map(|id| config.keyring.method(id)).map(|m| m.to_string()).collect();
            let mut theirs = strings(&expected["methods"]);
            theirs.retain(|method| !methods.contains(method));
            if !theirs.is_empty() {
                wrong.push(format!("{file}: methods {methods:?} lack {theirs:?}"));
            }
        }
    }
    finish(&wrong);
}

#[test]
fn every_haresources_gets_the_verdict_of_the_original_and_the_same_groups() {
    let Some(dir) = corpus() else { return };
    let all: BTreeMap<_, _> = expectations(&dir, "ha.cf/").into_iter().collect();
    let mut wrong = Vec::new();
    for (file, expected) in expectations(&dir, "haresources/") {
        let groups = read(&dir, &file, "haresources");
        let nodes: Vec<_> = strings(&expected["nodes"]);
        compare(&file, &expected, &with_nodes(&nodes, &groups), &mut wrong);
        same_groups(&file, &expected, &parse::parse(&groups, &[]).0, &mut wrong);

        let own = &expected["with_own_ha.cf"];
        if let Some(ha_cf) = own["file"].as_str() {
            let pings: Vec<_> = all[ha_cf]["media"].as_array().into_iter().flatten().map(strings).collect();
            let is_ping = |node: &String| pings.iter().any(|ping| ping[0].starts_with("ping") && ping[1] == *node);
            let nodes: Vec<_> = strings(&all[ha_cf]["nodes"]).into_iter().filter(|node| !is_ping(node)).collect();
            let result = with_nodes(&nodes, &groups);
            compare(&format!("{file} with {ha_cf}"), own, &result, &mut wrong);
        }
    }
    finish(&wrong);
}

/// The groups beside an `ha.cf` that names these nodes, as far as they can be names of nodes.
fn with_nodes(nodes: &[String], groups: &SourceText) -> Result<Config, Vec<Problem>> {
    let mut usable: Vec<_> = nodes.iter().filter(|node| !node.contains('/')).map(String::as_str).collect();
    if usable.is_empty() {
        usable.push("alpha");
    }
    let lines: String = usable.iter().map(|node| format!("node {node}\n")).collect();
    let ha_cf = GOOD_HA_CF.replace("node alpha\nnode beta\n", &lines);
    let sources = sources(good("ha.cf", &ha_cf), good("authkeys", GOOD_KEYS), groups.clone());
    Config::assemble(&sources, &OnlyName(NodeName::new(usable[0]).unwrap()))
}

fn same_groups(file: &str, expected: &Value, groups: &[ResourceGroup], wrong: &mut Vec<String>) {
    for (node, theirs) in expected["resources"].as_object().unwrap() {
        let theirs: Vec<_> = theirs.as_array().unwrap().iter().map(strings).collect();
        let ours: Vec<Vec<_>> = groups
            .iter()
            .filter(|group| group.owner.as_str() == node.as_str() && !group.resources.is_empty())
            .map(|group| group.resources.iter().map(|resource| resource.word.clone()).collect())
            .collect();
        if ours != theirs {
            wrong.push(format!("{file}: {node} has {ours:?}, the original has {theirs:?}"));
        }
    }
}

#[test]
fn a_missing_ipfail_keeps_no_file_from_being_accepted() {
    let Some(dir) = corpus() else { return };
    let mut count = 0;
    for (file, expected) in expectations(&dir, "ha.cf/") {
        if expected["without_respawn_programs"]["verdict"] != "rejects" {
            continue;
        }
        count += 1;
        let mut laboratory = Laboratory::new(&expected);
        laboratory.fitted.remove("respawn_paths");
        let groups = good("haresources", &format!("{} 10.23.1.100\n", laboratory.name));
        let sources = sources(read(&dir, &file, "ha.cf"), good("authkeys", GOOD_KEYS), groups);
        let found = problems(&Config::assemble(&sources, &laboratory));
        // One of them names `dopd` as well, which is ours too.
        assert!(!found.iter().any(|problem| problem.contains("error:")), "{file}: {found:#?}");
    }
    assert_eq!(count, 13, "docs/corpus.md says how many");
}

#[test]
fn every_verdict_is_the_same_as_if_on_that_node() {
    let Some(dir) = corpus() else { return };
    let mut wrong = Vec::new();
    for (file, mut expected) in expectations(&dir, "ha.cf/") {
        let name = Laboratory::new(&expected).name;
        let groups = good("haresources", &format!("{name} 10.23.1.100\n"));
        let sources = sources(read(&dir, &file, "ha.cf"), good("authkeys", GOOD_KEYS), groups);
        // A node list without the node is only a warning then, and a phrase that needs the host may be missing.
        expected["phrases"] = Value::Null;
        compare(&file, &expected, &Config::assemble(&sources, &OnlyName(name)), &mut wrong);
    }
    finish(&wrong);
}

#[test]
fn every_difference_is_explained() {
    let doc = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/corpus.md")).unwrap();
    for (file, ..) in DIFFERENT {
        assert!(doc.contains(file), "docs/corpus.md does not say why {file} differs");
    }
}
