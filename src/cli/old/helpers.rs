//! `req_resource` and `mach_down`, the original's helper programs that old scripts and people call (`resources.md` 3.1,
//! `api.md` 3): there they start groups themselves; here the daemon is asked, or the command to use is named.

use std::process::ExitCode;
use std::time::Duration;

use crate::client::{AskError, Asker};
use crate::host::environment;
use crate::status::{Answer, Ask, Node, Status};

/// What the daemon decides at once takes no longer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Whether a script of `rc.d` calls us whose work the daemon does itself: then there is nothing to do, which is said.
pub(crate) fn is_done_by_the_daemon(program: &str) -> bool {
    let Ok(kind) = std::env::var(environment::MARK) else { return false };
    complain!("{program}: nothing to do: at a message of type {kind} the daemon of Latido moves groups itself");
    true
}

/// `req_resource KEY`: this group is to run here.
pub(crate) fn req_resource(words: &[String]) -> ExitCode {
    let Some(key) = the_only(words) else { return usage("req_resource GROUP") };
    if is_done_by_the_daemon("req_resource") {
        return ExitCode::SUCCESS;
    }
    match ask(&Ask::Bring { group: key.clone() }) {
        Ok(Answer::Moved(_)) => {
            complain!("req_resource: {key}: what of it does not run here is being started");
            ExitCode::SUCCESS
        }
        Ok(Answer::Refused(why)) => refuse("req_resource", &why),
        Ok(_) => refuse("req_resource", "the daemon answered something else; is it of another version?"),
        Err(AskError::NotRunning(_)) => {
            refuse("req_resource", &format!("no daemon runs here. To start it by hand: `latido resource start {key}`"))
        }
        Err(error) => refuse("req_resource", &error.to_string()),
    }
}

/// `mach_down NODE`: the groups of a node that is down are to run here.
pub(crate) fn mach_down(words: &[String]) -> ExitCode {
    let Some(node) = the_only(words) else { return usage("mach_down NODE") };
    if is_done_by_the_daemon("mach_down") {
        return ExitCode::SUCCESS;
    }
    let answer = match ask(&Ask::Status) {
        Ok(Answer::Status(status)) => groups_of(&status, node),
        Ok(_) => Err("the daemon answered something else; is it of another version?".to_owned()),
        Err(AskError::NotRunning(_)) => Err(format!(
            "no daemon runs here. Start it: it takes over what {node} does not run. If {node} is off for certain, and \
             only then, by hand: `latido resource list --node {node}`, and `latido resource start GROUP` for each"
        )),
        Err(error) => Err(error.to_string()),
    };
    match answer {
        Ok(groups) => {
            complain!("mach_down: the groups of {node} run here: {groups}");
            ExitCode::SUCCESS
        }
        Err(why) => refuse("mach_down", &why),
    }
}

/// The groups of a node that is down, when all of them run here; else why not, and what to do.
fn groups_of(status: &Status, name: &str) -> Result<String, String> {
    let named = |node: &&Node| !node.ping && node.name.eq_ignore_ascii_case(name);
    let Some(node) = status.nodes.iter().find(named) else { return Err(format!("ha.cf has no node {name}")) };
    if node.here {
        return Err(format!("{name} is this node: `latido standby` gives its groups to the other node"));
    }
    let groups = || status.groups.iter().filter(|group| group.owner.eq_ignore_ascii_case(name));
    let missing: Vec<String> = groups()
        .filter(|group| group.state != "held")
        .map(|group| format!("{} is {}", group.key, group.state))
        .collect();
    // Who has just left is not dead yet.
    if missing.is_empty() {
        return Ok(groups().map(|group| group.key.as_str()).collect::<Vec<_>>().join(" "));
    }
    if node.status != "dead" {
        return Err(format!("{name} is not down ({}): `latido takeover foreign` asks it for its groups", node.status));
    }
    if let Some(why) = &status.waiting_for {
        return Err(format!("the daemon takes over by itself, and waits: {why}"));
    }
    Err(format!("the daemon takes over by itself, and is not done: {}; see `latido status`", missing.join(", ")))
}

fn ask(ask: &Ask) -> Result<Answer, AskError> {
    Asker::ask_once(&crate::cli::paths_from_environment().control_socket(), ask, PATIENCE)
}

fn refuse(program: &str, why: &str) -> ExitCode {
    complain!("{program}: {why}");
    ExitCode::FAILURE
}

/// The one word that is wanted, which is no option.
fn the_only(words: &[String]) -> Option<&String> {
    let [word] = words else { return None };
    (!word.starts_with('-')).then_some(word)
}

fn usage(words: &str) -> ExitCode {
    complain!("usage: {words}");
    ExitCode::FAILURE
}

#[cfg(test)]
mod tests {
    use crate::status::Group;

    use super::*;

    fn status(beta: &str, state: &str) -> Status {
        let node =
            |name: &str, here, status: &str| Node { name: name.into(), here, status: status.into(), ..Node::default() };
        let group = Group { key: "rc".into(), owner: "beta".into(), state: state.into(), ..Group::default() };
        let nodes = vec![node("alpha", true, "active"), node("beta", false, beta)];
        Status { nodes, groups: vec![group], ..Status::default() }
    }

    #[test]
    fn mach_down_of_a_living_node_of_ourselves_and_of_a_stranger_names_what_to_do() {
        let why = |name| groups_of(&status("active", "free"), name).unwrap_err();
        assert!(why("beta").contains("not down (active): `latido takeover foreign`"));
        assert!(why("alpha").contains("`latido standby`"));
        assert!(why("gamma").contains("no node gamma"));
    }

    #[test]
    fn mach_down_of_a_dead_node_is_content_only_when_everything_of_it_runs_here() {
        assert_eq!(groups_of(&status("dead", "held"), "BETA").unwrap(), "rc");
        assert!(groups_of(&status("dead", "failed"), "beta").unwrap_err().contains("rc is failed"));
        let fencing = Status { waiting_for: Some("fencing of beta".into()), ..status("dead", "free") };
        assert!(groups_of(&fencing, "beta").unwrap_err().contains("waits: fencing of beta"));
    }
}
