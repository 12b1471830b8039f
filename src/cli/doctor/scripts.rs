//! The programs of the resources: there, safe to run as root, and with `--run-scripts` true to what LSB asks of them
//! (`resources.md` 3.2): the status of what is stopped says so, and stopping it again succeeds.

use std::collections::BTreeMap;
use std::path::Path;

use crate::config::Config;
use crate::haresources::{Invocation, Outcome, Resource, ResourceGroup, StatusAnswer, Verb};
use crate::host::layout::{lacks, lacks_functions};
use crate::host::one_script::{Program, program_of, run_script};
use crate::paths::Paths;

use super::finding::Findings;
use super::peer::Here;

/// More scripts of `rc.d` are not looked at.
const MOST_SCRIPTS: usize = 500;

/// Looks for each program once.
pub(super) fn check(config: &Config, paths: &Paths, findings: &mut Findings) {
    let mut users: BTreeMap<&str, &ResourceGroup> = BTreeMap::new();
    for group in &config.groups {
        for resource in &group.resources {
            users.entry(&resource.agent).or_insert(group);
        }
    }
    for agent in users.keys() {
        for lack in lacks(paths, agent) {
            let add = if lack.fatal { Findings::fail } else { Findings::warn };
            add(findings, "scripts", lack.what, lack.remedy);
        }
    }
    notification_scripts(paths, findings);
    for (agent, group) in users {
        match program_of(paths, agent) {
            Ok(Program::Script(path)) => findings.pass("scripts", format!("{agent}: {}", path.display())),
            Ok(Program::Unit(unit)) => findings.pass("scripts", format!("{agent}: {unit}")),
            Ok(Program::BuiltIn) => findings.pass("scripts", format!("{agent}: built in")),
            Err(why) => {
                let remedy = match not_executable(paths, agent) {
                    Some(path) => format!("chmod 755 {path}"),
                    None => format!("without it group {} cannot run on this node", group.key()),
                };
                findings.fail("scripts", why, remedy);
            }
        }
    }
}

/// Those of `rc.d` run at every change of state; nobody sees when they fail.
fn notification_scripts(paths: &Paths, findings: &mut Findings) {
    let entries = std::fs::read_dir(paths.rc_dir()).into_iter().flatten().flatten().take(MOST_SCRIPTS);
    let mut scripts: Vec<_> = entries.map(|entry| entry.path()).filter(|path| path.is_file()).collect();
    scripts.sort();
    for lack in scripts.iter().flat_map(|path| lacks_functions(paths, path)) {
        findings.warn("scripts", lack.what, lack.remedy);
    }
}

/// The file somebody forgot to make executable.
fn not_executable(paths: &Paths, agent: &str) -> Option<String> {
    let places = [paths.resource_dir(), paths.init_dir.clone()];
    let path = places.iter().map(|dir| dir.join(agent)).find(|path| !agent.is_empty() && path.is_file())?;
    Some(path.display().to_string())
}

/// Runs `status` and `stop` of what does not run here; what runs is never touched.
pub(super) fn run(config: &Config, paths: &Paths, here: &Here, findings: &mut Findings) {
    for group in &config.groups {
        if may_run_here(group, here) {
            let why = "it runs here, or may do so any moment: nothing of it was called";
            findings.pass("lsb", format!("{}: {why}", group.key()));
            continue;
        }
        for resource in &group.resources {
            if let Ok(Program::Script(path)) = program_of(paths, &resource.agent) {
                let call = |verb, limit| {
                    let invocation = Invocation { resource: resource.clone(), verb };
                    run_script(paths, config, path.clone(), &invocation, limit)
                };
                judge(resource, &path, config, call, findings);
            }
        }
    }
}

/// With a daemon only what it calls free, and what the other node holds, is surely at rest here.
fn may_run_here(group: &ResourceGroup, here: &Here) -> bool {
    let status = match here {
        Here::Latido(status) => status,
        Here::Silent => return true,
        Here::Nobody => return false,
    };
    let known = status.groups.iter().find(|known| known.key == group.key());
    !status.stable || known.is_none_or(|known| known.state != "free" || !known.held_by_peer)
}

fn judge(
    resource: &Resource,
    path: &Path,
    config: &Config,
    call: impl Fn(Verb, std::time::Duration) -> Result<Outcome, String>,
    findings: &mut Findings,
) {
    let limits = config.settings.script_timeout;
    let shown = path.display();
    let ask = || call(Verb::Status, limits.status);
    match ask() {
        Err(why) => return findings.fail("lsb", why, format!("can {shown} be run by hand?")),
        Ok(outcome) if outcome.says_running() => {
            let what = format!("{resource} says it runs, and no daemon started it here: {}", first_line(&outcome));
            let remedy = format!("stop it and see that the system does not start it; or {shown} status is wrong");
            return findings.fail("lsb", what, remedy);
        }
        Ok(_) => {}
    }
    match call(Verb::Stop, limits.stop) {
        Err(why) => findings.fail("lsb", why, format!("can {shown} be run by hand?")),
        Ok(outcome) if !outcome.succeeded() => {
            let what = format!("{resource}: stop of what is stopped fails ({})", outcome.exit);
            let remedy = format!("{shown} stop must exit with 0 then: a failed stop reboots or fences a node");
            findings.fail("lsb", what, remedy);
        }
        Ok(_) => match ask() {
            Ok(outcome) if outcome.told() == StatusAnswer::Stopped => {
                findings.pass("lsb", format!("{resource}: stopped says so, and stops again"));
            }
            Ok(outcome) if !outcome.says_running() => {
                let what = format!("{resource}: its status after a stop proves nothing ({})", outcome.exit);
                let remedy = format!(
                    "{shown} status must end and say stopped or not running; else a stop that fails reboots, fences or \
                     blocks"
                );
                findings.warn("lsb", what, remedy);
            }
            Ok(outcome) => {
                let what = format!("{resource} says it runs after a stop: {}", first_line(&outcome));
                findings.fail("lsb", what, format!("{shown} status must not say running or OK then"));
            }
            Err(why) => findings.fail("lsb", why, format!("can {shown} be run by hand?")),
        },
    }
}

fn first_line(outcome: &Outcome) -> String {
    let line = outcome.said.lines().find(|line| !line.trim().is_empty()).unwrap_or("").trim();
    let plain: String = line.chars().filter(|c| !c.is_control()).take(60).collect();
    format!("\"{plain}\"")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::{Group, Status};

    #[test]
    fn only_what_the_other_node_holds_is_touched_beside_a_daemon() {
        let group = ResourceGroup {
            owner: crate::names::NodeName::new("alpha").unwrap(),
            resources: vec![Resource::from_word("web")],
            line: 1,
        };
        let says = |state: &str, held_by_peer, stable| {
            let known = Group { key: "web".into(), state: state.into(), held_by_peer, ..Group::default() };
            Here::Latido(Box::new(Status { stable, groups: vec![known], ..Status::default() }))
        };
        assert!(!may_run_here(&group, &Here::Nobody) && !may_run_here(&group, &says("free", true, true)));
        for (state, held_by_peer, stable) in
            [("held", false, true), ("free", false, true), ("free", true, false), ("blocked", true, true)]
        {
            assert!(may_run_here(&group, &says(state, held_by_peer, stable)), "{state}");
        }
        let unknown = Here::Latido(Box::new(Status { stable: true, ..Status::default() }));
        assert!(may_run_here(&group, &unknown) && may_run_here(&group, &Here::Silent));
    }
}
