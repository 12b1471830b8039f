//! What `ha.cf` must say as a whole (`config.md` 4): a medium, nodes, this node among them, times that fit. Pure.

use std::time::Duration;

use crate::amount::exact;
use crate::diagnostic::{Place, Problem};
use crate::names::NodeName;

use super::facts::Facts;
use super::ha_cf::HaCf;
use super::media::PATHS;

/// All complaints; `file` is the path of `ha.cf`.
pub(super) fn check(cf: &HaCf, file: &str, facts: &dyn Facts) -> Vec<Problem> {
    let mut problems = Vec::new();
    // When a line of one is wrong, a missing path is no news.
    if !PATHS.iter().any(|name| cf.broken.contains(name)) {
        paths(cf, file, &mut problems);
    }
    nodes(cf, file, facts, &mut problems);
    times(cf, file, &mut problems);
    problems
}

fn placed(problem: Problem, place: Option<Place>) -> Problem {
    Problem { place, ..problem }
}

fn paths(cf: &HaCf, file: &str, problems: &mut Vec<Problem>) {
    if cf.media.is_empty() {
        problems.push(
            Problem::error(file, "no medium: the nodes have no way to hear each other")
                .remedy("add serial, bcast, ucast or mcast")
                .original("No heartbeat media defined"),
        );
    } else if cf.media.iter().all(|medium| medium.value.ping_node().is_some()) {
        // The original starts, hears nobody and takes everything: both nodes become active by configuration.
        let first = cf.media.first().map(|medium| medium.place.clone());
        let problem = Problem::error(file, "ping hosts are not heartbeat paths: the nodes would never hear each other");
        problems.push(placed(problem.remedy("add serial, bcast, ucast or mcast"), first));
    }
}

fn nodes(cf: &HaCf, file: &str, facts: &dyn Facts, problems: &mut Vec<Problem>) {
    let names = cf.node_names();
    if names.is_empty() && cf.broken.contains("node") {
        return;
    }
    if names.is_empty() {
        problems.push(
            Problem::error(file, "no nodes")
                .remedy("add a line \"node NAME\" for each of the two, with the name that `uname -n` prints there")
                .original("no nodes defined"),
        );
    }
    if let Some(third) = cf.nodes.get(2) {
        // Each of them would take over what another one runs.
        let what = format!("{} nodes: a cluster has two, and a third could run what they run", names.len());
        let problem = Problem::error(file, what).remedy("name only the two nodes that share the resources");
        problems.push(placed(problem, Some(third.place.clone())));
    }
    let Some(me) = facts.node_name() else { return };
    if names.contains(&me) {
        return;
    }
    let list = names.iter().map(NodeName::as_str).collect::<Vec<_>>().join(", ");
    let place = cf.nodes.first().map(|node| node.place.clone());
    let original = format!("Current node [{me}] not in configuration!");
    if facts.pretended() {
        if !names.is_empty() {
            let problem = Problem::warning(file, format!("{me} is not a node of this file, which names {list}"));
            problems.push(placed(problem.remedy("heartbeat would not start there").original(original), place));
        }
        return;
    }
    let what = if names.is_empty() {
        format!("this host is \"{me}\" and no node is named")
    } else {
        format!("this host is \"{me}\" (nodeinfo or uname -n), and the nodes are {list}")
    };
    let problem = Problem::error(file, what).remedy("names must match exactly, domain included").original(original);
    problems.push(placed(problem, place));
}

fn times(cf: &HaCf, file: &str, problems: &mut Vec<Problem>) {
    let (keepalive, deadtime, initdead) = (cf.time("keepalive"), cf.time("deadtime"), cf.effective_initdead());
    let twice = keepalive.saturating_mul(2);
    let where_of = |names: [&str; 2]| names.into_iter().find_map(|name| cf.place(name));
    if deadtime <= twice {
        let what = format!("deadtime {} must exceed twice keepalive (2 x {})", exact(deadtime), exact(keepalive));
        let original = format!(
            "Dead time [{}] is too small compared to keeplive [{}]",
            deadtime.as_millis(),
            keepalive.as_millis()
        );
        let problem = Problem::error(file, what).remedy("four times keepalive, or more").original(original);
        problems.push(placed(problem, where_of(["deadtime", "keepalive"])));
    }
    if initdead < deadtime {
        let what = format!("initdead {} is shorter than deadtime {}", exact(initdead), exact(deadtime));
        let original =
            format!("Initial dead time [{}] is smaller than deadtime [{}]", initdead.as_millis(), deadtime.as_millis());
        let problem = Problem::error(file, what).remedy("twice deadtime, or more").original(original);
        problems.push(placed(problem, where_of(["initdead", "deadtime"])));
    } else if initdead < Duration::from_secs(10)
        || (cf.given_time("initdead").is_some() && initdead < deadtime.saturating_mul(2))
    {
        let what = format!(
            "initdead {}: if the other machine boots more slowly, this node takes everything and the other one too",
            exact(initdead)
        );
        let problem = Problem::warning(file, what).remedy("at least 10 s and twice deadtime; 120 is customary");
        let problem = if initdead < Duration::from_secs(10) {
            problem.original(format!("Initial dead time [{} ms] may be too small!", initdead.as_millis()))
        } else {
            problem
        };
        problems.push(placed(problem, where_of(["initdead", "deadtime"])));
    }
    if let Some(deadping) = cf.given_time("deadping").filter(|deadping| *deadping <= twice) {
        let what = format!("deadping {} must exceed twice keepalive (2 x {})", exact(deadping), exact(keepalive));
        let original = format!(
            "Ping dead time [{}] is too small compared to keeplive [{}]",
            deadping.as_millis(),
            keepalive.as_millis()
        );
        let problem = Problem::error(file, what).remedy("deadtime, or more").original(original);
        problems.push(placed(problem, cf.place("deadping")));
    }
}
