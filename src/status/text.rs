//! The status in words, for a person: `latido status` and the status page.

use std::fmt::Write as _;
use std::time::Duration;

use crate::amount::{age, exact, measured, of_ms};

use super::health::{may_run_here, other, runs_on_both};
use super::{Group, Link, Node, Status, Traffic};

/// What a person reads, without a line feed at its end.
pub fn describe(status: &Status) -> String {
    let mut text = String::new();
    let width = status.nodes.iter().flat_map(|node| node.links.iter().map(|link| link.medium.len()));
    let width = width.chain(status.nodes.iter().map(|node| node.name.len() + 7)).max().unwrap_or(0).max(14);
    for node in status.nodes.iter().filter(|node| !node.ping) {
        let _ = writeln!(text, "{}", node_line(status, node, width));
    }
    for node in status.nodes.iter().filter(|node| !node.here) {
        for link in &node.links {
            let _ = writeln!(text, "{}", link_line(status, node, link, width));
        }
    }
    if let Some(line) = traffic_line(status, width) {
        let _ = writeln!(text, "{line}");
    }
    let unusual = |group: &&Group| status.groups.len() > 1 || place(status, group) != group.owner;
    for group in status.groups.iter().filter(unusual) {
        let (at, age) = (place(status, group), age(Duration::from_millis(group.for_ms)));
        let _ = writeln!(text, "{:<width$} {at:<8} for {age}, home {}{}", group.key, group.owner, more(group));
    }
    for sentence in sentences(status) {
        let _ = writeln!(text, "! {sentence}");
    }
    text += &summary(status);
    text
}

/// The same in one line without times, for whoever shows no more: what is wrong first.
pub fn in_a_line(status: &Status) -> String {
    let troubles = match super::health::troubles(status).as_slice() {
        [] => String::new(),
        [only] => format!("NOT WELL: {only}; "),
        [first, rest @ ..] => format!("NOT WELL: {first}, and {} more; ", rest.len()),
    };
    let node = |node: &Node| {
        let held: Vec<&str> =
            status.groups.iter().filter(|group| holds(node, group)).map(|group| &*group.key).collect();
        let held = if held.is_empty() { "nothing".to_owned() } else { held.join(", ") };
        format!("{} {} holds {held}", node.name, node.status)
    };
    let nodes: Vec<String> = status.nodes.iter().filter(|node| !node.ping).map(node).collect();
    format!("{troubles}{}", nodes.join("; "))
}

fn node_line(status: &Status, node: &Node, width: usize) -> String {
    let name = if node.here { format!("{} (here)", node.name) } else { node.name.clone() };
    let held: Vec<&Group> = status.groups.iter().filter(|group| holds(node, group)).collect();
    let words: Vec<String> = held.iter().map(|group| group.resources.join(" ")).collect();
    let since = held.iter().map(|group| group.for_ms).min().filter(|_| node.here);
    let mut line = format!(
        "{name:<width$} {:<8} holds  {}",
        node.status,
        if held.is_empty() { "-".to_owned() } else { words.join(", ") }
    );
    if let Some(ms) = since {
        let _ = write!(line, "   for {}", age(Duration::from_millis(ms)));
    }
    if !node.here && !node.latido && node.last_heard_ms.is_some() {
        line += "   runs heartbeat";
    }
    line
}

fn link_line(status: &Status, node: &Node, link: &Link, width: usize) -> String {
    let state = if link.up { "up" } else { "DEAD" };
    let heard =
        link.last_heard_ms.map_or("never heard".to_owned(), |ms| format!("{} ago", age(Duration::from_millis(ms))));
    let mut line = format!("{:<width$} {state:<8} {} {heard}", link.medium, node.name);
    if let Some(gaps) = &link.gaps {
        let gap = |ms| measured(of_ms(ms));
        let (median, most, worst) = (gap(gaps.median_ms), gap(gaps.p999_ms), gap(gaps.worst_ms));
        let _ = write!(line, "   gaps {median}, 99.9 % {most}, worst {worst}");
    }
    if let Some(why) = &link.failure {
        let _ = write!(line, "   {why}");
    }
    // A cable may carry in one direction only.
    let theirs = status.peer.as_ref().filter(|_| !node.ping).and_then(|peer| peer.links.get(&link.medium));
    if theirs == Some(&!link.up) {
        let _ = write!(line, "   {} {} us", node.name, if link.up { "does NOT hear" } else { "hears" });
    }
    line
}

/// What passed over the media, on one line; what was refused or lost only where there is any.
fn traffic_line(status: &Status, width: usize) -> Option<String> {
    let media: Vec<String> = status.traffic.iter().map(passed).collect();
    (!media.is_empty()).then(|| format!("{:<width$} {}", "messages", media.join(" · ")))
}

fn passed(traffic: &Traffic) -> String {
    let mut text = format!("{} {} in, {} out", traffic.medium, traffic.accepted, traffic.sent);
    let refused: Vec<String> = traffic
        .rejected
        .iter()
        .filter(|(_, count)| **count > 0)
        .map(|(cause, count)| format!("{} {count}", cause.replace('_', " ")))
        .collect();
    if !refused.is_empty() {
        let _ = write!(text, ", refused: {}", refused.join(", "));
    }
    for (count, what) in
        [(traffic.noise_bytes, "bytes of noise"), (traffic.dropped, "found no room"), (traffic.failed, "not sent")]
    {
        if count > 0 {
            let _ = write!(text, ", {count} {what}");
        }
    }
    text
}

/// What needs somebody's attention.
fn sentences(status: &Status) -> Vec<String> {
    let both = status.groups.iter().filter(|group| runs_on_both(status, group));
    let mut sentences: Vec<String> = both.map(|group| format!("{} runs on BOTH nodes", group.key)).collect();
    sentences.extend(status.sick.iter().chain(&status.impostor).chain(&status.doubted).cloned());
    sentences.extend(status.waiting_for.iter().chain(&status.away).cloned());
    sentences.extend(status.going_on.iter().cloned());
    sentences.extend(status.drift.iter().cloned());
    sentences.extend(status.broken_fencing.iter().map(|device| format!("STONITH device {device} does not work")));
    let peer = other(status).map_or("the other node", |node| &node.name);
    let failed = status.peer.iter().flat_map(|theirs| &theirs.failed);
    sentences.extend(failed.map(|what| format!("{peer} says: {what}")));
    if let Some(enough) = status.least_deadtime_ms.filter(|enough| *enough > status.deadtime_ms) {
        sentences.push(format!(
            "deadtime {} is short for heartbeats this irregular: {} would be safe",
            exact(Duration::from_millis(status.deadtime_ms)),
            exact(Duration::from_millis(enough))
        ));
    }
    sentences
}

fn summary(status: &Status) -> String {
    let settled = if status.leaving {
        "leaving"
    } else if status.stable {
        "settled"
    } else {
        "in transition"
    };
    let enough = status.enough_deadtime_ms.filter(|enough| *enough < status.deadtime_ms);
    let enough =
        enough.map_or(String::new(), |ms| format!(" (from these gaps {} would do)", exact(Duration::from_millis(ms))));
    let fencing = match status.fencing.as_slice() {
        [] => "none: a shared disk is not protected".to_owned(),
        devices => devices.join(", "),
    };
    let files = match (&status.peer, status.drift.as_slice()) {
        (_, [_, ..]) => " · files DIFFER",
        (Some(_), []) => " · files equal on both nodes",
        (None, []) => "",
    };
    let takeover =
        status.last_takeover_ms.map_or("never".to_owned(), |ms| format!("{} ago", age(Duration::from_millis(ms))));
    format!(
        "{settled} · failback {} · deadtime {}{enough} · fencing {fencing}{files} · last takeover {takeover}",
        status.auto_failback,
        exact(Duration::from_millis(status.deadtime_ms)),
    )
}

fn holds(node: &Node, group: &Group) -> bool {
    if node.here { may_run_here(group) } else { group.held_by_peer && node.status != "dead" }
}

fn place<'a>(status: &'a Status, group: &'a Group) -> &'a str {
    match (group.state.as_str(), group.held_by_peer) {
        ("held", _) if runs_on_both(status, group) => "BOTH",
        ("free", true) => other(status).map_or("peer", |node| &node.name),
        ("free", false) => "NOBODY",
        ("held", _) => &status.me,
        (state, _) => state,
    }
}

fn more(group: &Group) -> String {
    let running = group.running.as_ref().map(|call| format!("   running {call}"));
    let failure = group.failure.as_ref().map(|why| format!("   FAILED: {why}"));
    running.or(failure).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `tests/status/NAME.json` is an answer, `NAME.txt` what is shown of it.
    fn shown(name: &str) {
        let path = |end: &str| format!("{}/tests/status/{name}.{end}", env!("CARGO_MANIFEST_DIR"));
        let status: Status = serde_json::from_str(&std::fs::read_to_string(path("json")).unwrap()).unwrap();
        let text = describe(&status) + "\n";
        if std::env::var_os("UPDATE_EXPECTED").is_some() {
            std::fs::write(path("txt"), &text).unwrap();
        }
        assert_eq!(text, std::fs::read_to_string(path("txt")).unwrap());
    }

    #[test]
    fn a_settled_pair_is_a_few_lines() {
        shown("settled");
    }

    #[test]
    fn what_needs_attention_stands_out_before_the_last_line() {
        shown("trouble");
    }

    #[test]
    fn an_old_heartbeat_beside_us_is_named_and_one_never_heard_is_not() {
        shown("original");
    }
}
