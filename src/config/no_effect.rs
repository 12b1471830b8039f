//! What is written and does nothing: a line that needs another one, and a name that nothing has (`config.md` 10). Pure.
//!
//! The original reads such lines in silence. Whoever wrote them believes that they protect something.

use std::collections::BTreeSet;

use crate::cluster::{AutoFailback, OnStopFailure};
use crate::diagnostic::{Problem, SourceText};
use crate::haresources::known;
use crate::haresources::parse::PlacedGroup;

use super::ha_cf::HaCf;
use super::latido_cf::LatidoCf;
use super::line::{self, FileLine, Word};
use super::suggest::nearest;

const IPFAIL: &str = "respawn hacluster /usr/lib/heartbeat/ipfail";

/// Lines of a file, by their first word.
struct LinesByWord<'a>(Vec<FileLine<'a>>);

impl<'a> LinesByWord<'a> {
    fn of(source: &'a SourceText) -> LinesByWord<'a> {
        LinesByWord(line::read(source).0)
    }

    fn all<'s>(&'s self, names: &'s [&str]) -> impl Iterator<Item = &'s FileLine<'a>> {
        self.0.iter().filter(|line| names.contains(&line.directive.text))
    }

    fn has(&self, names: &[&str]) -> bool {
        self.all(names).next().is_some()
    }
}

/// Of `ha.cf`.
pub(super) fn ha_cf(cf: &HaCf, source: &SourceText) -> Vec<Problem> {
    let lines = LinesByWord::of(source);
    let mut problems = Vec::new();
    ipfail(cf, source, &lines, &mut problems);
    for (name, needs, what, remedy) in [
        (
            "deadping",
            &["ping", "ping6", "ping_group"][..],
            "no ping host is named: deadping has no effect",
            "add ping ADDRESS, or remove the line",
        ),
        (
            "baud",
            &["serial"],
            "no serial line is named: baud has no effect",
            "add serial /dev/ttyS0, or remove the line",
        ),
        (
            "udpport",
            &["bcast", "udp", "ucast", "ucast6"],
            "no bcast or ucast line uses it: udpport has no effect",
            "add bcast INTERFACE, or remove the line; mcast names its port itself",
        ),
    ] {
        if lines.has(needs) || cf.broken.contains(name) {
            continue;
        }
        if let Some(line) = lines.all(&[name]).last() {
            problems.push(line.directive.warning(source, what).remedy(remedy));
        }
    }
    if !cf.flag("realtime")
        && let Some(line) = lines.all(&["rtprio"]).last()
    {
        let problem = line.directive.warning(source, "realtime is off: rtprio has no effect");
        problems.push(problem.remedy("write realtime on, or remove the line"));
    }
    stonith_host(cf, source, &lines, &mut problems);
    problems
}

/// Ping hosts alone decide nothing, and neither does `ipfail` alone.
fn ipfail(cf: &HaCf, source: &SourceText, lines: &LinesByWord<'_>, problems: &mut Vec<Problem>) {
    let is_ipfail = |line: &&FileLine<'_>| {
        line.words().get(1).is_some_and(|program| program.text.rsplit('/').next() == Some("ipfail"))
    };
    let starts = lines.all(&["respawn", "failfast"]).find(is_ipfail);
    if ["ping", "ping6", "ping_group", "respawn", "failfast"].iter().any(|name| cf.broken.contains(name)) {
        return;
    }
    let pings = lines.all(&["ping", "ping6", "ping_group"]).next();
    match (pings, starts) {
        // With a resource manager of its own the programs beside it are others.
        (Some(ping), None) if !["crm", "pacemaker"].iter().any(|name| cf.broken.contains(name)) => {
            let what = format!(
                "{} is asked and nothing follows from it: no line starts ipfail, which moves the groups when the \
                 network of a node fails",
                asked(ping)
            );
            let place = ping.tail().unwrap_or_else(|| ping.directive.clone());
            problems.push(place.warning(source, what).remedy(format!("add the line \"{IPFAIL}\"")));
        }
        (None, Some(line)) => {
            let what = "ipfail decides nothing: no ping host is named by which it could see that a network fails";
            problems.push(line.directive.warning(source, what).remedy("add ping ADDRESS, of a router"));
        }
        (Some(_), Some(line)) if cf.auto_failback == AutoFailback::Legacy && !cf.broken.contains("auto_failback") => {
            let what = "ipfail ends at once when auto_failback is legacy or not set: it moves nothing";
            let problem = line.directive.warning(source, what).remedy("write auto_failback on or off");
            problems.push(problem.original("auto_failback set to incompatible legacy option."));
        }
        _ => {}
    }
}

/// The hosts of a line, or the name they have together.
fn asked<'a>(line: &FileLine<'a>) -> &'a str {
    let group = line.words().first().filter(|_| line.directive.text == "ping_group").map(|name| name.text);
    group.or_else(|| line.tail().map(|tail| tail.text)).unwrap_or("the ping host")
}

/// A line for a host that is no node is for nobody.
fn stonith_host(cf: &HaCf, source: &SourceText, lines: &LinesByWord<'_>, problems: &mut Vec<Problem>) {
    let nodes = cf.node_names();
    if nodes.is_empty() || cf.broken.contains("node") {
        return;
    }
    for line in lines.all(&["stonith_host"]) {
        let words = line.words();
        let Some(host) = words.first().filter(|host| host.text != "*") else { continue };
        if nodes.iter().any(|node| node.as_str().eq_ignore_ascii_case(host.text)) {
            continue;
        }
        let what = format!("{} is no node: this device is used by nobody", host.text);
        let known = nodes.iter().map(|node| node.as_str());
        problems.push(host.warning(source, what).remedy(meant(host, known, "the nodes are")));
    }
}

/// Of `latido.cf`, beside what the others say; `groups` are `None` when the file of the groups was not read or not
/// understood.
pub(super) fn latido_cf(
    latido: &LatidoCf,
    source: &SourceText,
    cf: Option<(&HaCf, &SourceText)>,
    groups: Option<&[PlacedGroup]>,
) -> Vec<Problem> {
    let lines = LinesByWord::of(source);
    let mut problems = Vec::new();
    if let Some(groups) = groups {
        monitors(source, &lines, groups, &mut problems);
        announce(source, &lines, groups, &mut problems);
    }
    let last = |name: &'static str| lines.all(&[name]).last().map(|line| line.directive.clone());
    let Some((cf, ha_cf)) = cf else { return problems };
    if !latido.failback_delay.is_zero()
        && cf.auto_failback != AutoFailback::On
        && !cf.broken.contains("auto_failback")
        && let Some(word) = last("failback-delay")
    {
        let problem = word.warning(source, "auto_failback in ha.cf is not on: failback-delay has no effect");
        problems.push(problem.remedy("write auto_failback on in ha.cf, or remove the line"));
    }
    let fenced = !latido.fences.is_empty() || LinesByWord::of(ha_cf).has(&["stonith", "stonith_host"]);
    if latido.on_stop_failure == OnStopFailure::Fence
        && !fenced
        && let Some(word) = last("on-stop-failure")
    {
        let what = "nothing is named to fence with: after a stop that failed the group is blocked on both nodes";
        problems.push(word.warning(source, what).remedy("add fence COMMAND here or stonith in ha.cf"));
    }
    problems
}

fn monitors(source: &SourceText, lines: &LinesByWord<'_>, groups: &[PlacedGroup], problems: &mut Vec<Problem>) {
    let resources = || groups.iter().flat_map(|placed| &placed.group.resources);
    let mut seen: BTreeSet<&str> = BTreeSet::new();
    for line in lines.all(&["monitor"]) {
        let words = line.words();
        let Some(name) = words.first() else { continue };
        if !seen.insert(name.text) {
            let what = format!("{} is watched as an earlier line says: this one has no effect", name.text);
            problems.push(name.warning(source, what).remedy("keep one of them"));
        }
        if name.text == "*" || resources().any(|one| one.word == name.text || one.agent == name.text) {
            continue;
        }
        let what = format!("haresources has no resource \"{}\": nothing is watched by this line", name.text);
        let known = resources().flat_map(|one| [one.agent.as_str(), one.word.as_str()]);
        problems.push(name.error(source, what).alone().remedy(meant(name, known, "it has")));
    }
}

fn announce(source: &SourceText, lines: &LinesByWord<'_>, groups: &[PlacedGroup], problems: &mut Vec<Problem>) {
    let mut resources = groups.iter().flat_map(|placed| &placed.group.resources);
    let Some(line) = lines.all(&["announce"]).last() else { return };
    if !resources.any(known::is_announced) {
        let problem = line.directive.warning(source, "haresources has no address: announce has no effect");
        problems.push(problem.remedy("add ADDRESS/PREFIX/INTERFACE to a group, or remove the line"));
    }
}

/// "did you mean", or what there is.
fn meant<'n>(word: &Word<'_>, known: impl Iterator<Item = &'n str> + Clone, there_is: &str) -> String {
    if let Some(name) = nearest(word.text, known.clone()) {
        return format!("did you mean \"{name}\"?");
    }
    let mut names: Vec<&str> = Vec::new();
    for name in known.filter(|name| !name.is_empty()) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    if names.is_empty() { "haresources names nothing".to_owned() } else { format!("{there_is} {}", names.join(", ")) }
}

#[cfg(test)]
mod tests;
