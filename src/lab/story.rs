//! What happened, in words for a person: which log lines and events belong on the time line, and how they read there. Pure.
//!
//! Lines of the daemon that are known and say nothing new are left out; those not known here are shown as they are, so that
//! nothing unexpected stays hidden.

use std::net::{IpAddr, Ipv4Addr};

use crate::amount::measured;
use crate::timeline::{Entry, Tone};

use super::host::HA_DIR;
use super::timeline::{Happening, What};
use super::witness::Said;

/// A log line of the daemon, without its head: the level's word and the text.
pub(super) fn split_log_line(line: &str) -> Option<(&str, &str)> {
    let (at, word) = ["debug", "info", "WARN", "ERROR", "CRIT"]
        .into_iter()
        .filter_map(|word| Some((line.find(&format!(" {word}: "))?, word)))
        .min()?;
    Some((word, &line[at + word.len() + 3..]))
}

/// The entry for something that happened; `None` when it is not worth a line. `services` are the addresses asked.
pub(super) fn entry(happening: &Happening, services: &[Ipv4Addr]) -> Option<Entry> {
    let is_service = |address: &IpAddr| matches!(address, IpAddr::V4(v4) if services.contains(v4));
    let (tone, what, detail) = match &happening.what {
        What::Log(line) => match split_log_line(line) {
            Some((level, text)) => log_entry(&happening.host, level, text)?,
            // It says whose groups go.
            None if line.contains(" hb_standby(default)[") => return None,
            None => (Tone::Plain, line.clone(), String::new()),
        },
        What::Witness(Said::Gained(address)) if is_service(address) => {
            (Tone::Plain, format!("has {address}"), String::new())
        }
        What::Witness(Said::Lost(address)) if is_service(address) => {
            (Tone::Plain, format!("has {address} no more"), String::new())
        }
        What::Witness(Said::Called(call)) => (Tone::Plain, call.clone(), "script".to_owned()),
        What::Witness(Said::Ready | Said::Gained(_) | Said::Lost(_)) => return None,
        What::Ended(Some(0)) => (Tone::Plain, "the daemon has ended".to_owned(), String::new()),
        What::Ended(Some(code)) => (Tone::Wrong, "the daemon has ended".to_owned(), format!("exit code {code}")),
        What::Ended(None) => (Tone::Bad, "the daemon has ended".to_owned(), "killed".to_owned()),
        What::Answers { address, by, outage: None } => (Tone::Good, format!("{address} answers"), format!("on {by}")),
        What::Answers { address, by, outage: Some(gap) } => {
            (Tone::Good, format!("{address} answers again"), format!("outage {}, now {by}", measured(*gap)))
        }
        What::Deed(text) => (Tone::Deed, format!("── {text} ──"), String::new()),
        What::Note(text) => (Tone::Plain, text.clone(), String::new()),
        What::Wrong(text) => (Tone::Wrong, text.clone(), String::new()),
        What::Answered { words, code, text, .. } => {
            let code = code.map_or_else(|| "killed".to_owned(), |code| format!("exit code {code}"));
            let said = text.lines().next().unwrap_or_default();
            (Tone::Plain, format!("{words}: {code}"), said.to_owned())
        }
        What::Typed(_) => return None,
    };
    Some(Entry { at: happening.at, who: happening.host.clone(), what, detail, tone })
}

/// Beginnings of log lines that others on the time line make superfluous.
const NOT_NEWS: [&str; 34] = [
    "****",
    "Configuration validated",
    "No Previous generation",
    "No uuid found",
    "Local status now set to",
    "Comm_now_up",
    "Status update for node",
    "Acquiring resource group",
    "Releasing resource group",
    "Running ",
    "local resource transition completed",
    "remote resource transition completed",
    "No STONITH device configured",
    "Resources being acquired from",
    "standby: ",
    "all HA resource",
    "local HA resource",
    "foreign HA resource",
    "Standby resource acquisition done",
    "All HA resources relinquished",
    "Dead node",
    "Other node completed standby",
    "Heartbeat generation",
    "Shared disks are not protected",
    "Taking over resource group",
    "/usr/share/heartbeat/mach_down",
    "mach_down takeover complete",
    "Local Resource acquisition completed",
    "No local resources",
    "Initial resource acquisition complete",
    "Local standby process completed",
    "give up ",
    "acquire ",
    "Giving up all HA resources",
];

fn log_entry(me: &str, level: &str, text: &str) -> Option<(Tone, String, String)> {
    // Complaints about the files are `latido check`'s business, and told before the lab begins.
    if level == "debug" || text.starts_with(HA_DIR) {
        return None;
    }
    let tone = match level {
        "info" => Tone::Plain,
        _ => Tone::Bad,
    };
    Some(known(me, text).or_else(|| {
        let news = !NOT_NEWS.iter().any(|start| text.starts_with(start));
        news.then(|| (tone, text.to_owned(), String::new()))
    })?)
    .filter(|(_, what, _)| !what.is_empty())
}

/// The lines that have a wording of their own here; an empty one is to be left out.
fn known(me: &str, text: &str) -> Option<(Tone, String, String)> {
    let said = |tone, what: String, detail: &str| Some((tone, what, detail.to_owned()));
    if text == "Local status now set to: 'active'" {
        return said(Tone::Good, "active".into(), "");
    }
    if let Some(link) = text.strip_prefix("Link ") {
        let tone = if link.ends_with("up.") { Tone::Good } else { Tone::Bad };
        return said(tone, format!("link {}", link.trim_end_matches('.')), "");
    }
    if let Some((node, silence)) = text.strip_prefix("node ").and_then(|rest| rest.split_once(" was silent for ")) {
        return said(Tone::Bad, format!("node {node} is dead"), &format!("silent for {silence}"));
    }
    // The line after it says it with the reason.
    if text.strip_prefix("node ").is_some_and(|rest| rest.ends_with(": is dead")) {
        return said(Tone::Bad, String::new(), "");
    }
    if let Some(rest) = text.strip_prefix("resource group ")
        && let Some((group, took)) =
            rest.split_once(" is ").filter(|(_, rest)| rest.ends_with(" ms)") || rest.ends_with(" s)"))
        && let Some((state, took)) = took.split_once(" (")
    {
        let tone = if state == "up" { Tone::Good } else { Tone::Plain };
        return said(tone, format!("group {group} {state}"), &format!("in {}", took.trim_end_matches(')')));
    }
    if let Some((node, set)) = text.split_once(" wants to go standby ") {
        let what = if node == me { format!("gives {} away", set_in_words(set)) } else { String::new() };
        return said(Tone::Plain, what, "");
    }
    if let Some(node) = text.strip_prefix("Received shutdown notice from ") {
        return said(Tone::Plain, format!("{} is leaving", node.trim_matches(['\'', '.'])), "");
    }
    if let Some(node) = text.strip_prefix("Heartbeat restart on node ") {
        return said(Tone::Plain, format!("{node} has started again"), "");
    }
    if text.starts_with("Heartbeat shutdown in progress.") {
        return said(Tone::Plain, "is leaving".into(), "");
    }
    text.ends_with("Heartbeat shutdown complete.").then(|| (Tone::Plain, String::new(), String::new()))
}

fn set_in_words(set: &str) -> &'static str {
    match set.trim_matches(['[', ']']) {
        "local" => "its own groups",
        "foreign" => "the other's groups",
        _ => "all groups",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Mono;

    fn told(line: &str) -> Option<(String, String)> {
        let what = What::Log(format!("Nov 21 04:01:22 beta heartbeat: [3]: {line}"));
        let happening = Happening { at: Mono::ZERO, host: "beta".into(), what };
        entry(&happening, &[]).map(|entry| (entry.what, entry.detail))
    }

    #[test]
    fn log_lines_become_sentences() {
        for (line, what, detail) in [
            (
                "info: node alpha was silent for 501 ms on every link",
                "node alpha is dead",
                "silent for 501 ms on every link",
            ),
            ("info: Link alpha:/dev/ttyS1 up.", "link alpha:/dev/ttyS1 up", ""),
            ("info: resource group 10.9.1.100/24/eth0 is up (2 ms)", "group 10.9.1.100/24/eth0 up", "in 2 ms"),
            ("info: Local status now set to: 'active'", "active", ""),
            ("info: beta wants to go standby [all]", "gives all groups away", ""),
            ("info: Received shutdown notice from 'alpha'.", "alpha is leaving", ""),
            ("ERROR: something nobody has heard of", "something nobody has heard of", ""),
            (
                "ERROR: resource group x is down here: y does not start. Mend it",
                "resource group x is down here: y does not start. Mend it",
                "",
            ),
        ] {
            assert_eq!(told(line), Some((what.to_owned(), detail.to_owned())), "{line}");
        }
    }

    #[test]
    fn what_says_nothing_new_is_left_out() {
        for line in [
            "info: alpha wants to go standby [all]",
            "info: Local status now set to: 'up'",
            "info: Running /etc/ha.d/resource.d/service  start",
            "WARN: node alpha: is dead",
            "debug: anything",
            "WARN: /mnt/ha.d/ha.cf:7: warning: initdead 2 s",
            "info: beta Heartbeat shutdown complete.",
        ] {
            assert_eq!(told(line), None, "{line}");
        }
    }

    #[test]
    fn both_forms_of_a_log_line_are_split() {
        assert_eq!(split_log_line("heartbeat[7]: 2026/11/21_04:01:22 WARN: x: info: y"), Some(("WARN", "x: info: y")));
        assert_eq!(split_log_line("no level here"), None);
    }
}
