//! What happened, as lines for a person: simulated time, where, what; as the lab's time line has it.
//!
//! What other lines say already is left out; what was said to the operator and has no wording of its own here stands as
//! in the log, so that nothing unexpected stays hidden.

#![allow(clippy::wildcard_enum_match_arm, reason = "each reader looks for its own few of many happenings")]

use crate::amount::{exact, measured};
use crate::cluster::{Level, Report as R, Request, Response, Shown};
use crate::haresources::known::{self, ResourceKind};
use crate::haresources::{Exit, Invocation, Outcome, Resource, ResourceGroup, Verb};
use crate::ipfail;
use crate::time::Mono;
use crate::timeline::{TimelineEntry, Tone};

use super::{Intervention, Location, Observation, Observed, SimulatedPair};

/// The time line of what a pair went through; `messages`: with every message but the heartbeats.
pub fn timeline_entries(pair: &SimulatedPair, messages: bool) -> Vec<TimelineEntry> {
    let mut gone: Vec<Option<Mono>> = vec![None; pair.groups().len()];
    let entry = |observation: &Observation| {
        let (tone, what, detail) = match (&observation.what, observation.node) {
            (Observed::Moved { group, was, now }, _) => moved(pair, observation.at, *group, *was, *now, &mut gone)?,
            (Observed::Sent(text), _) => messages.then(|| (Tone::Plain, format!("says {text}"), String::new()))?,
            (what, node) => worded(pair, what, node)?,
        };
        let who = match (&observation.what, observation.node) {
            (Observed::Moved { .. }, _) => "service",
            (_, Some(node)) => pair.name(node),
            (_, None) => "play",
        };
        Some(TimelineEntry { at: observation.at, who: who.to_owned(), what, detail, tone })
    };
    pair.observations().iter().filter_map(entry).collect()
}

/// Who plays, and with which numbers.
pub fn heading(pair: &SimulatedPair) -> TimelineEntry {
    let settings = pair.settings(0);

    let media: Vec<_> = pair.media().iter().map(|medium| medium.id.as_str()).collect();
    let what = format!("{}, {}; {}", pair.name(0), pair.name(1), media.join(", "));
    let detail = format!(
        "keepalive {}, deadtime {}, initdead {}, auto_failback {}",
        exact(settings.keepalive),
        exact(settings.deadtime),
        exact(settings.initdead),
        settings.auto_failback.as_str()
    );
    TimelineEntry { at: Mono::ZERO, who: "play".to_owned(), what, detail, tone: Tone::Plain }
}

/// What people call a group: by its last resource, which the others are there for; an address without its mask.
pub fn label(group: &ResourceGroup) -> String {
    let Some(resource) = service(group) else { return String::new() };
    known::address_text(resource).unwrap_or_else(|| resource.word.clone())
}

/// The last resource that is more than an afterthought.
pub(super) fn service(group: &ResourceGroup) -> Option<&Resource> {
    let more = |resource: &&Resource| known::kind(resource) != ResourceKind::Afterthought;
    group.resources.iter().rev().find(more).or(group.resources.last())
}

/// What the users of a service notice.
fn moved(
    pair: &SimulatedPair,
    at: Mono,
    group: usize,
    was: Location,
    now: Location,
    gone: &mut [Option<Mono>],
) -> Option<(Tone, String, String)> {
    let name = label(pair.groups().get(group)?);
    let gone = gone.get_mut(group)?;
    if now.doubled != was.doubled && was.is_served() == now.is_served() {
        let what = if now.doubled { "runs on both nodes" } else { "runs on one node only" };
        return Some((if now.doubled { Tone::Bad } else { Tone::Good }, format!("{name} {what}"), String::new()));
    }
    match (was.is_served(), now.is_served()) {
        (true, false) => {
            *gone = Some(at);
            let what = if now.is_up() { "is out of its clients' reach" } else { "is gone" };
            Some((Tone::Bad, format!("{name} {what}"), String::new()))
        }
        (false, true) => {
            let node = pair.name(now.server()?);
            let detail = gone
                .take()
                .map_or(format!("on {node}"), |from| format!("on {node}, after {}", measured(at.since(from))));
            let both = if now.doubled && !was.doubled { "; it runs on both nodes" } else { "" };
            Some((Tone::Good, format!("{name} is there"), detail + both))
        }
        _ => None,
    }
}

fn worded(pair: &SimulatedPair, what: &Observed, node: Option<usize>) -> Option<(Tone, String, String)> {
    let plain = |what: String| Some((Tone::Plain, what, String::new()));
    let intervention = |what: &str| Some((Tone::Intervention, format!("── {what} ──"), String::new()));
    match what {
        Observed::Chapter(title) => Some((Tone::Chapter, title.clone(), String::new())),
        Observed::Intervention(Intervention::Left) => plain("the daemon has ended".to_owned()),
        Observed::Intervention(Intervention::Crash) => intervention("the daemon is killed"),
        Observed::Intervention(other) => intervention(&other.to_string()),
        Observed::Remark(text) => intervention(text),
        Observed::Cut(medium) => intervention(&format!("cut {medium}")),
        Observed::Asked(request) => intervention(&match request {
            Request::Move(group, to) => {
                format!("latido move {group}{}", to.as_ref().map_or_else(String::new, |to| format!(" {to}")))
            }
            Request::Standby(set) => format!("latido standby {set}"),
            Request::Takeover(set) => format!("latido takeover {set}"),
            Request::Retry(group) => format!("latido resource retry {group}"),
            Request::Bring(group) => format!("req_resource {group}"),
            Request::Forget(node) => format!("latido forget-peer {node}"),
        }),
        Observed::Met(_)
        | Observed::Announced(_)
        | Observed::Cancelled
        | Observed::Sent(_)
        | Observed::Moved { .. } => None,
        Observed::Unmet(text) => Some((Tone::Wrong, text.clone(), String::new())),
        Observed::Logged(text) => plain(text.clone()),
        Observed::IpfailLogged(text) if ipfail::is_minor(text) => None,
        Observed::IpfailLogged(text) => plain(format!("ipfail: {text}")),
        Observed::Ran(call, outcome) => ran(pair, call, outcome),
        Observed::Said(report) => said(pair.name(node?), report),
        Observed::Replied(Response::Moved { groups }) if groups.is_empty() => plain("answers: done".to_owned()),
        Observed::Replied(Response::Moved { groups }) => plain(format!("answers: moved {}", groups.join(" "))),
        Observed::Replied(Response::Refused(why)) => Some((Tone::Bad, format!("answers: {why}"), String::new())),
        Observed::Fenced { victim, device } => {
            let name = pair.settings(node?).fences.get(*device).cloned().unwrap_or_default();
            plain(format!("fences {victim} with {name}"))
        }
    }
}

/// A script that changes something, or would have.
fn ran(pair: &SimulatedPair, call: &Invocation, outcome: &Outcome) -> Option<(Tone, String, String)> {
    let ended = match &outcome.exit {
        Exit::TimedOut => {
            let limits = pair.settings(0).script_timeout;
            let limit = if call.verb == Verb::Start { limits.start } else { limits.stop };
            format!("hangs, at most {}", measured(limit))
        }
        other => other.to_string(),
    };
    match (call.verb, outcome.succeeded()) {
        (Verb::Start | Verb::Stop, true) => Some((Tone::Plain, call.to_string(), "script".to_owned())),
        (Verb::Start | Verb::Stop, false) => Some((Tone::Bad, call.to_string(), format!("script, {ended}"))),
        (Verb::Status, _) => None,
    }
}

fn said(me: &str, report: &R) -> Option<(Tone, String, String)> {
    // The script and the device have lines of their own here.
    if matches!(report, R::ScriptFailed { .. } | R::Resetting { .. }) {
        return None;
    }
    let words = open_words(report);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match report.event().shown(me, &words) {
        Shown::Hidden => None,
        Shown::Short(short) => Some((short.mood.into(), short.what, short.detail)),
        Shown::AsLogged => {
            let tone = if report.level() == Level::Info { Tone::Plain } else { Tone::Bad };
            Some((tone, report.to_string(), String::new()))
        }
    }
}

/// What the phrase of a report leaves open, where a time line has words of its own for it.
fn open_words(report: &R) -> Vec<String> {
    match report {
        R::LocalStatus(status) => vec![status.as_str().to_owned()],
        R::LinkUp { node, medium } | R::LinkDead { node, medium } => vec![format!("{node}:{medium}")],
        R::NodeDead { node, silent_for } => vec![node.to_string(), measured(*silent_for)],
        R::GroupHeld { group, took } | R::GroupReleased { group, took } => vec![group.clone(), measured(*took)],
        R::WantsStandby { node, set } => vec![node.to_string(), set.to_string()],
        R::ShutdownNotice { node } | R::NodeRestarted { node } => vec![node.to_string()],
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulate::groups;

    #[test]
    fn a_group_is_called_by_what_the_rest_of_it_is_there_for() {
        let name = |line: &str| label(&groups(line)[0]);
        assert_eq!(name("alpha drbddisk::r0 IPaddr::10.0.0.1/24/eth0 asterisk"), "asterisk");
        assert_eq!(name("alpha Filesystem::/dev/sda1::/m IPaddr2::10.0.0.1/24/eth0 MailTo::root"), "10.0.0.1");
        assert_eq!(name("alpha 10.0.0.1/24/eth0"), "10.0.0.1");
        assert_eq!(name("alpha IPv6addr::fd00::5/64/eth0"), "fd00::5");
        assert_eq!(name("alpha MailTo::root"), "MailTo::root");
    }
}
