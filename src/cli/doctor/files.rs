//! The configuration as `latido check` sees it, the name of this node, and the keys.

use crate::auth::Method;
use crate::config::{Config, Sources};
use crate::diagnostic::Problem;
use crate::host::read_config::{self, ReadOptions};
use crate::names::NodeName;
use crate::paths::Paths;

use super::finding::Findings;

/// What the other checks go by: the configuration, if it can be read at all.
pub(super) fn check(paths: &Paths, findings: &mut Findings) -> Option<Config> {
    let (sources, result) = read_config::load_with(paths, &ReadOptions::default());
    let (config, problems) = match result {
        Ok(config) => {
            let problems = config.warnings.clone();
            (Some(config), problems)
        }
        Err(problems) => (None, problems),
    };
    for problem in problems.iter().filter(|problem| !said_elsewhere(problem)) {
        tell(problem, findings);
    }
    if problems.iter().all(said_elsewhere) {
        findings.pass("files", format!("{}: nothing to complain about", paths.ha_dir.display()));
    }
    let here = read_config::host_name(&paths.ha_dir);
    // With an error the daemon would not start; what the files say is still worth comparing with the machine.
    let config = config.or_else(|| read_config::load(paths, here.clone()).ok());
    // Without the file every name is missing in it.
    if sources.ha_cf.is_some() {
        name(&sources, here.as_ref(), config.as_ref(), paths, findings);
    }
    keys(&sources, config.as_ref(), paths, findings);
    config
}

/// Named better by a check of their own.
fn said_elsewhere(problem: &Problem) -> bool {
    problem.original.as_ref().is_some_and(|phrase| {
        phrase.starts_with("Current node [") || phrase.starts_with("Cannot locate resource script")
    })
}

fn tell(problem: &Problem, findings: &mut Findings) {
    let place = problem.place.as_ref().map_or(String::new(), |place| format!("{}:", place.line));
    let what = format!("{}:{place} {}", problem.file, problem.what);
    let remedy = problem.remedy.clone().unwrap_or_else(|| "latido check shows the line".to_owned());
    let check = if problem.file.ends_with("authkeys") { "authkeys" } else { "files" };
    if problem.is_error() { findings.fail(check, what, remedy) } else { findings.warn(check, what, remedy) }
}

fn name(sources: &Sources, here: Option<&NodeName>, config: Option<&Config>, paths: &Paths, findings: &mut Findings) {
    let Some(here) = here else {
        return findings.fail("name", "this machine has no name", "hostname NAME, with a name of ha.cf");
    };
    let named = config.map_or_else(|| nodes_of(sources), |config| config.settings.nodes.clone());
    let list = named.iter().map(NodeName::as_str).collect::<Vec<_>>().join(", ");
    if named.contains(here) {
        let from = if paths.ha_dir.join("nodeinfo").exists() { "nodeinfo" } else { "uname -n" };
        findings.pass("name", format!("this is {here} ({from}), a node of ha.cf ({list})"));
    } else {
        let remedy = match named.iter().find(|node| is_short_form(node, here) || is_short_form(here, node)) {
            Some(node) => {
                format!("names are compared with their domain: write \"node {here}\" instead of {node}, on both nodes")
            }
            None => format!("write \"node {here}\" in ha.cf, on both nodes, or rename this machine"),
        };
        findings.fail("name", format!("this machine is {here} (uname -n), and the nodes of ha.cf are {list}"), remedy);
    }
}

fn is_short_form(short: &NodeName, long: &NodeName) -> bool {
    long.as_str().strip_prefix(short.as_str()).is_some_and(|rest| rest.starts_with('.'))
}

/// The `node` lines of a file that does not parse.
fn nodes_of(sources: &Sources) -> Vec<NodeName> {
    let text = sources.ha_cf.as_ref().map_or("", |source| source.text.as_str());
    let lines = text.lines().filter_map(|line| line.split('#').next()?.trim().strip_prefix("node"));
    lines.flat_map(|rest| rest.split([' ', '\t', ','])).filter_map(NodeName::new).collect()
}

/// Below this a secret is found within hours by whoever recorded one message; above the second one nobody tries.
const GUESSABLE_BITS: u32 = 40;
const GOOD_BITS: u32 = 80;

fn keys(sources: &Sources, config: Option<&Config>, paths: &Paths, findings: &mut Findings) {
    let Some(keyring) = config.map(|config| &config.keyring) else {
        if sources.authkeys.is_some() && !findings.any_trouble("authkeys") {
            findings.warn("authkeys", "the keys were not judged, for the files do not parse", "mend the errors above");
        }
        return;
    };
    let id = keyring.signing_id();
    let strong = if keyring.signing_method().is_some_and(Method::is_latido_only) { " --strong" } else { "" };
    let remedy = format!(
        "latido keygen --yes{strong} -d {}, then latido propagate, with both daemons stopped meanwhile",
        paths.ha_dir.display()
    );
    match keyring.signing_strength() {
        // crc: check has said so.
        None => {}
        Some(bits) if bits < GUESSABLE_BITS => {
            findings.fail("authkeys", format!("the secret of key {id} is so short that it can be guessed"), remedy);
        }
        Some(bits) if bits < GOOD_BITS => {
            findings.warn("authkeys", format!("the secret of key {id} is short: about {bits} bits at best"), remedy);
        }
        Some(_) if !findings.any_trouble("authkeys") => {
            let method = keyring.method(id).map_or(String::new(), |method| method.to_string());
            findings.pass("authkeys", format!("key {id} ({method}) is for root's eyes and not to be guessed"));
        }
        Some(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::SourceText;

    #[test]
    fn nodes_are_found_in_a_file_that_does_not_parse() {
        let sources = Sources {
            ha_cf: Some(SourceText::new("ha.cf", "deadtme 3\nnode alpha, beta # two\n node\tgamma\n")),
            ..Sources::default()
        };
        assert_eq!(nodes_of(&sources).iter().map(NodeName::as_str).collect::<Vec<_>>(), ["alpha", "beta", "gamma"]);
    }
}
