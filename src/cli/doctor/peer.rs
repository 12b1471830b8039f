//! What the running daemon knows: nodes, links, groups, the other node's file and clock.

use std::time::Duration;

use crate::amount::{age, exact};
use crate::cli::advice;
use crate::client::{AskError, Asker};
use crate::config::{Config, MediumSpec};
use crate::host::pidfile::{Running, running};
use crate::paths::Paths;
use crate::status::{Answer, Ask, Group, Link, Node, Status};

use super::finding::Findings;

/// After so long without a change nobody is starting any more.
const SETTLED_MS: u64 = 15_000;
/// The clocks may differ by this before the two logs are hard to read side by side.
const CLOCKS_APART: u64 = 2;

/// Who runs on this node.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Here {
    /// Our daemon, and what it says.
    Latido(Box<Status>),
    /// Something we cannot ask: it may use the media and hold any group, so that neither is touched.
    Silent,
    /// Nobody.
    Nobody,
}

impl Here {
    /// What the daemon says, if it says something.
    pub(super) fn status(&self) -> Option<&Status> {
        match self {
            Here::Latido(status) => Some(status),
            Here::Silent | Here::Nobody => None,
        }
    }
}

/// Asks the daemon.
pub(super) fn ask(paths: &Paths, findings: &mut Findings) -> Here {
    match Asker::ask_once(&paths.control_socket(), &Ask::Status, Duration::from_secs(5)) {
        Ok(Answer::Status(status)) => {
            findings.pass("daemon", format!("runs, pid {}, latido {}", status.pid, status.program));
            Here::Latido(status)
        }
        Ok(Answer::Moved(_) | Answer::Reread { .. } | Answer::Refused(_)) => {
            findings.fail("daemon", "it answers something else than was asked", "is it of another version? restart it");
            Here::Silent
        }
        Err(AskError::NotRunning(_)) => not_running(paths, findings),
        Err(error @ (AskError::NotAllowed(_) | AskError::TimedOut | AskError::Broken(_))) => {
            findings.fail("daemon", error.to_string(), "run the doctor as root; the log of the daemon may say more");
            Here::Silent
        }
    }
}

fn not_running(paths: &Paths, findings: &mut Findings) -> Here {
    let pid_file = paths.pid_file.display();
    match running(&paths.pid_file) {
        Running::Yes(pid) => {
            let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
            let what = format!("pid {pid} ({}) of {pid_file} runs here and is no latido", name.trim());
            findings.warn("daemon", what, "media, scripts and groups were left alone: they are that daemon's");
            Here::Silent
        }
        Running::No | Running::Stale => {
            let remedy = format!("{}; what follows is what can be seen without it", advice::start(paths));
            findings.warn("daemon", "does not run here", remedy);
            Here::Nobody
        }
    }
}

/// Judges what the daemon says.
pub(super) fn check(config: &Config, status: &Status, findings: &mut Findings) {
    let others: Vec<&Node> = status.nodes.iter().filter(|node| !node.here).collect();
    for node in &others {
        alive(node, findings);
        for link in &node.links {
            self::link(config, status, node, link, findings);
        }
    }
    for node in others.iter().filter(|node| !node.ping) {
        same_files(node, findings);
        if status.peer.is_none() {
            same_deadtime(config, status, node, findings);
        }
        same_clock(node, findings);
    }
    reread(config, status, findings);
    status.groups.iter().for_each(|group| held_once(group, findings));
    if status.leaving {
        findings.warn("daemon", "is leaving", "start it again when it is gone");
    } else if let Some(why) = &status.waiting_for {
        findings.fail("daemon", format!("waits: {why}"), "latido why says how it came to this");
    }
}

fn alive(node: &Node, findings: &mut Findings) {
    let heard = node
        .last_heard_ms
        .map_or("never heard".to_owned(), |ms| format!("heard {} ago", age(Duration::from_millis(ms))));
    if ["active", "ping"].contains(&node.status.as_str()) {
        let kind = if node.ping || node.latido { "" } else { ", it runs heartbeat" };
        return findings.pass("peer", format!("{} is {} ({heard}{kind})", node.name, node.status));
    }
    let what = format!("{} is {} ({heard})", node.name, node.status);
    if node.ping {
        findings.warn("peer", what, "is it the right address, and does it answer to ping?");
    } else {
        findings.fail("peer", what, "start its daemon; if it runs, look at the links below");
    }
}

fn link(config: &Config, status: &Status, node: &Node, link: &Link, findings: &mut Findings) {
    let Link { medium, up, last_heard_ms, failure, gaps: _ } = link;
    let heard = last_heard_ms.map_or("never".to_owned(), |ms| format!("{} ago", age(Duration::from_millis(ms))));
    match (failure, up) {
        (Some(why), _) => findings.fail("link", format!("{medium} does not work: {why}"), "mend the medium"),
        (None, true) => findings.pass("link", format!("{medium}: {} heard {heard}", node.name)),
        (None, false) if node.ping => {}
        (None, false) if last_heard_ms.is_none() && status.up_for_ms < 2 * node.deadtime_ms => {
            let what = format!(
                "{medium}: {} not heard yet, {} after our start",
                node.name,
                age(Duration::from_millis(status.up_for_ms))
            );
            findings.warn("link", what, "ask again in a moment");
        }
        (None, false) => {
            let never = if last_heard_ms.is_none() { "since the daemon started" } else { "for too long" };
            let what = format!("{medium}: {} not heard {never} (last: {heard})", node.name);
            findings.fail("link", what, what_may_be_wrong(config, medium));
        }
    }
}

/// Where people found the reason.
fn what_may_be_wrong(config: &Config, medium: &str) -> String {
    let spec = config.media.iter().find(|spec| spec.id().as_str() == medium);
    if let Some((_, baud)) = spec.and_then(MediumSpec::serial_line) {
        return format!(
            "the cable, its RTS and CTS, the speed ({baud} on both nodes), a getty on the port; test it with both daemons \
             stopped: latido doctor --line on both nodes"
        );
    }
    let firewall = |port| {
        format!(
            "the cable; a firewall that drops UDP port {port} on either node; another port, address or key in the other \
             node's files"
        )
    };
    spec.and_then(MediumSpec::port).map_or("the cable, the address".to_owned(), firewall)
}

fn same_files(node: &Node, findings: &mut Findings) {
    match node.resources_differ {
        Some(false) => findings.pass("files", format!("haresources means the same on {}", node.name)),
        Some(true) => findings.fail(
            "files",
            format!("haresources on {} differs from the one here: both nodes may run the same things", node.name),
            "latido propagate copies the files of this node; then reread them on both: kill -HUP",
        ),
        // An original never says; what it holds will show.
        None => {}
    }
}

fn same_clock(node: &Node, findings: &mut Findings) {
    if let Some(ahead) = node.clock_ahead_s {
        tell_clock(&node.name, ahead, findings);
    }
}

/// By how many seconds the clock of a node is ahead of ours.
pub(super) fn tell_clock(node: &str, ahead: i64, findings: &mut Findings) {
    if ahead.unsigned_abs() <= CLOCKS_APART {
        return findings.pass("clock", format!("the clock of {node} agrees with ours"));
    }
    let direction = if ahead > 0 { "ahead of" } else { "behind" };
    findings.warn(
        "clock",
        format!("the clock of {node} is {} s {direction} ours", ahead.unsigned_abs()),
        "run chrony or ntpd on both: nothing fails over because of it, but the two logs cannot be compared",
    );
}

/// Each message says by which silence its sender is to be judged dead: what `deadtime` is over there.
fn same_deadtime(config: &Config, status: &Status, node: &Node, findings: &mut Findings) {
    let ours = u64::try_from(config.settings.deadtime.as_millis()).unwrap_or(u64::MAX);
    // A node that has just started asks for more.
    let settled = node.last_heard_ms.is_some() && status.last_change_ms > SETTLED_MS;
    if settled && node.deadtime_ms != ours {
        let what = format!(
            "deadtime is {} on {} and {} here",
            exact(Duration::from_millis(node.deadtime_ms)),
            node.name,
            exact(Duration::from_millis(ours))
        );
        findings.warn(
            "files",
            what,
            "ha.cf should be the same on both nodes: latido propagate --check shows the lines",
        );
    }
}

/// Whether the daemon runs with the groups that the file names now.
fn reread(config: &Config, status: &Status, findings: &mut Findings) {
    let now = config.groups.iter().map(|group| {
        let words = group.resources.iter().map(|resource| resource.word.as_str());
        (group.owner.as_str(), words.collect::<Vec<_>>())
    });
    let then =
        status.groups.iter().map(|group| (group.owner.as_str(), group.resources.iter().map(String::as_str).collect()));
    if config.settings.manage_resources && !now.eq(then) {
        let what = "haresources was changed, and the daemon runs with the old one";
        findings.warn("files", what, "have it reread on both nodes: heartbeat -r, or kill -HUP");
    }
}

fn held_once(group: &Group, findings: &mut Findings) {
    let key = &group.key;
    match (group.state.as_str(), group.held_by_peer) {
        ("held", true) => findings.fail("groups", format!("{key} is held by both nodes"), "stop one daemon at once"),
        ("held", false) | ("free", true) => findings.pass("groups", format!("{key} is held by one node")),
        ("free", false) => findings.fail("groups", format!("{key} runs nowhere"), "latido why; latido takeover"),
        ("failed" | "blocked", _) => {
            let why = group.failure.as_deref().unwrap_or("its log says why");
            findings.fail("groups", format!("{key} has {} here: {why}", group.state), "mend it, then latido takeover");
        }
        (state, _) => findings.warn("groups", format!("{key} is {state}"), "ask again when that is over"),
    }
}
