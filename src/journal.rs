//! What happened, one JSON object a line, as the daemon keeps it on disk; and the last transition explained from it. Pure.
//!
//! `latido events` prints the lines, `latido why` explains them. What each event is in an explanation stands beside
//! the reports (`cluster::EventName`); what is of another release is shown and moves nothing.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::amount;
use crate::cluster::{EventName, Level, Set};
use crate::printable;

/// One thing that happened.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct EventEntry {
    /// Seconds since 1970.
    pub t: f64,
    /// The node that wrote it.
    pub node: String,
    /// As in the log: `info`, `WARN`, `ERROR`, `CRIT`.
    pub level: String,
    /// What kind of thing, such as `node-dead` or `script`.
    pub event: String,
    /// As the log says it.
    pub text: String,
    /// Its particulars; durations are in milliseconds.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub data: Value,
    /// What was known at that moment, for those events that begin a transition.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<EventEvidence>,
}

/// What was known when a transition began.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct EventEvidence {
    /// Each node over each medium.
    pub links: Vec<LinkEvidence>,
    /// The longest time this program came too late to a deadline of its own, in the minute before.
    pub loop_late_ms: f64,
    /// How many of the ping nodes answered.
    pub ping_nodes: Option<(usize, usize)>,
}

/// One node over one medium.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LinkEvidence {
    /// The node.
    pub node: String,
    /// The medium.
    pub medium: String,
    /// Whether it was up.
    pub up: bool,
    /// When it was last heard over it; absent for never.
    pub last_heard_ms: Option<u64>,
}

/// Reads a line; `None` for one that was cut off when the machine died. Whoever wrote it, it is fit for a terminal.
pub fn parse(line: &str) -> Option<EventEntry> {
    serde_json::from_str(line).ok().map(EventEntry::made_printable)
}

impl EventEntry {
    /// What kind of thing; `None` for one of another release.
    pub fn kind(&self) -> Option<EventName> {
        EventName::from_name(&self.event)
    }

    /// Whether nobody needs to be told how loud it was.
    pub fn is_plain(&self) -> bool {
        self.level == Level::Info.as_str()
    }

    fn is_move(&self) -> bool {
        self.kind().is_some_and(EventName::is_move)
    }

    fn is_part(&self) -> bool {
        self.kind().is_some_and(EventName::is_part_of_move)
    }

    fn is_cause(&self) -> bool {
        self.kind().is_some_and(EventName::is_cause)
    }

    /// With each text on one line and nothing in it that does something to a terminal: much of it is said by others.
    pub fn made_printable(self) -> EventEntry {
        let fit = serde_json::to_value(&self).and_then(|mut value| {
            printable::clean(&mut value);
            serde_json::from_value(value)
        });
        fit.unwrap_or(self)
    }
}

/// A transition and what it consists of.
#[derive(Clone, Debug, PartialEq)]
pub struct Explanation {
    /// One sentence: what moved, and why.
    pub cause: String,
    /// The event that began it.
    pub began: EventEntry,
    /// Everything until the last group was where it belongs.
    pub steps: Vec<EventEntry>,
}

/// Longer than this between two steps, and they do not belong together: the original's scripts pause for no longer.
const APART: f64 = 15.0;

/// The last transition that began at or before `at` (seconds since 1970).
pub fn last_transition(entries: &[EventEntry], at: f64) -> Option<Explanation> {
    let before: Vec<&EventEntry> = entries.iter().filter(|entry| entry.t <= at).collect();
    let last = before.iter().rposition(|entry| entry.is_move());
    let last = last.or_else(|| before.iter().rposition(|entry| entry.is_cause()))?;
    let mut first = last;
    for at in (0..last).rev() {
        if before[first].t - before[at].t > APART {
            break;
        }
        if before[at].is_part() || before[at].is_cause() {
            first = at;
        }
    }
    // What still went on after the moment asked for belongs to it.
    let end = entries.iter().rposition(|entry| entry.t <= before[last].t + APART && entry.is_part()).unwrap_or(last);
    let run: Vec<&EventEntry> = entries.iter().filter(|entry| entry.t >= before[first].t).collect();
    let until = entries[end.max(last)].t;
    let causes: Vec<&EventEntry> = run.iter().copied().filter(|entry| entry.is_cause() && entry.t <= until).collect();
    // The latest transition, if several follow each other closely: from the last cause that something was done for.
    let began = causes.iter().rposition(|cause| done_for(&run, cause, until)).unwrap_or(0);
    // A step is the cause only where nothing before it tells why it was made.
    let led_to_it = causes.iter().take(began + 1).rev().find(|cause| !cause.is_part()).or(causes.get(began)).copied();
    let began = led_to_it.unwrap_or(before[first]);
    let steps: Vec<EventEntry> = entries
        .iter()
        .filter(|entry| entry.t >= began.t && entry.t <= until && (entry.is_part() || entry.is_cause()))
        .cloned()
        .collect();
    Some(Explanation { cause: sentence(began, &steps), began: began.clone(), steps })
}

/// Whether anything was done after this cause.
fn done_for(run: &[&EventEntry], cause: &EventEntry, until: f64) -> bool {
    run.iter().any(|entry| entry.t >= cause.t && entry.t <= until && entry.is_part())
}

/// Of a journal that is full, what is kept: the newest lines, in their order. What moved groups has a place of its own of
/// `quota` bytes, and everything else another, so that nothing pushes the moves out.
pub fn thin_out<'a>(lines: &[&'a str], quota: usize) -> Vec<&'a str> {
    let (mut of_moves, mut of_the_rest) = (quota, quota);
    let mut kept = Vec::new();
    let mut next_part = f64::INFINITY;
    for line in lines.iter().rev() {
        let Some(entry) = parse(line) else { continue };
        if entry.is_part() {
            next_part = entry.t;
        }
        // Anybody can ask for anything: what came of nothing is no part of an explanation.
        let led_to_it = entry.is_cause() && (next_part - entry.t).abs() <= APART;
        let room = if entry.is_part() || led_to_it { &mut of_moves } else { &mut of_the_rest };
        let length = line.len() + 1;
        // What is older than the first that found no room finds none either.
        *room = room.saturating_sub(length);
        if *room > 0 {
            kept.push(*line);
        }
    }
    kept.reverse();
    kept
}

fn field<'a>(entry: &'a EventEntry, name: &str) -> &'a str {
    entry.data.get(name).and_then(Value::as_str).unwrap_or("?")
}

fn millis(entry: &EventEntry, name: &str) -> String {
    let ms = entry.data.get(name).and_then(Value::as_f64).unwrap_or(0.0);
    amount::in_log(amount::of_ms(ms))
}

fn sentence(began: &EventEntry, steps: &[EventEntry]) -> String {
    let me = &began.node;
    let of_kind = |kind: EventName| steps.iter().filter(move |entry| entry.kind() == Some(kind));
    let held: Vec<&str> = of_kind(EventName::GroupHeld).map(|entry| field(entry, "group")).collect();
    let released = of_kind(EventName::GroupReleased).count();
    let what = match (held.len(), released) {
        (0, 0) => format!("nothing moved on {me}"),
        (0, n) => format!("{me} released {n} group{}", plural(n)),
        (1, _) => format!("{me} took {}", held[0]),
        (n, _) => format!("{me} took {n} groups"),
    };
    let why = began.kind().and_then(|kind| because(kind, began)).unwrap_or_else(|| began.text.clone());
    format!("{what} because {why}")
}

/// The reason that a cause is; `None` for what is none.
#[allow(clippy::wildcard_enum_match_arm, reason = "a test asks each cause for its sentence")]
fn because(kind: EventName, began: &EventEntry) -> Option<String> {
    use EventName as E;
    Some(match kind {
        E::NodeDead => {
            format!("{} was dead: silent for {} on every link", field(began, "node"), millis(began, "silent_for"))
        }
        E::NodeReset => format!("{} was dead and has been fenced", field(began, "node")),
        E::NodeReturned => format!("the partition from {} was over", field(began, "node")),
        E::OneWay => format!("{} does not hear this node and takes what it held", field(began, "node")),
        E::Refused => format!("{} listens to another machine with the name of this node", field(began, "node")),
        E::ShutdownNotice => format!("{} left in order", field(began, "node")),
        E::FailbackBegins => format!("{} is back, and auto_failback is on", field(began, "node")),
        E::Asked => format!("{} asked for \"{}\"", field(began, "by"), field(began, "what")),
        E::WantsStandby => format!("{} gave {}", field(began, "node"), given(began)),
        E::Given => format!("{} handed over: {}", field(began, "node"), field(began, "why")),
        E::FailedThere => {
            format!("{} failed on {}: {}", field(began, "group"), field(began, "node"), field(began, "why"))
        }
        E::Orphan => format!("nobody ran it, not even its home node {}", field(began, "owner")),
        E::IpRequest => format!("{} asked for its group {}", field(began, "node"), field(began, "group")),
        E::FailureForgotten => {
            format!("{} had failed here a while ago, or somebody asked for a retry", field(began, "group"))
        }
        E::Reconfigured => "haresources was read again".to_owned(),
        E::ShutdownBegins => "this node was told to stop".to_owned(),
        E::GroupGivenUp | E::ResourceSick => format!("{} does not work", field(began, "resource")),
        E::PartitionLetGo => "the partition was over, and the other node had it before".to_owned(),
        E::Adopting => "the daemon died and was back in time".to_owned(),
        E::StoppingLeftovers => "the daemon had died and was not back in time".to_owned(),
        E::LocalComplete => "this node started".to_owned(),
        _ => return None,
    })
}

/// What somebody gave away.
fn given(entry: &EventEntry) -> &'static str {
    match entry.data.get("set").and_then(|set| Set::deserialize(set).ok()) {
        Some(Set::Local) => "its own resources away",
        Some(Set::Foreign) => "the other node's resources back",
        Some(Set::One(_)) => "one group away",
        Some(Set::All) | None => "all its resources away",
    }
}

const fn plural(n: usize) -> &'static str {
    if n == 1 { "" } else { "s" }
}

/// The explanation for a person, `time` telling when things happened.
pub fn tell(explanation: &Explanation, time: impl Fn(f64) -> String) -> String {
    let mut text = format!("{}  {}\n", time(explanation.began.t), explanation.cause);
    let evidence =
        explanation.steps.iter().find_map(|step| step.evidence.as_ref()).or(explanation.began.evidence.as_ref());
    if let Some(evidence) = evidence {
        text += "evidence\n";
        for link in &evidence.links {
            let heard = link.last_heard_ms.map_or("never heard".to_owned(), |ms| format!("last heard {ms} ms before"));
            let _ = writeln!(
                text,
                "  {:<14} {:<12} {heard}{}",
                link.medium,
                link.node,
                if link.up { "" } else { ", dead" }
            );
        }
        if let Some((answered, all)) = evidence.ping_nodes {
            let _ = writeln!(text, "  {:<14} {answered} of {all} answered", "ping nodes");
        }
        let _ = writeln!(
            text,
            "  {:<14} at most {:.1} ms late in the minute before",
            "this program", evidence.loop_late_ms
        );
    }
    text += "what was done\n";
    for step in &explanation.steps {
        let after = (step.t - explanation.began.t) * 1000.0;
        let _ = writeln!(text, "  {:>10} {}", amount::after(amount::of_ms(after)), line_of(step));
    }
    text
}

fn line_of(step: &EventEntry) -> String {
    if step.kind() != Some(EventName::Script) {
        return step.text.clone();
    }
    let ms = step.data.get("ms").and_then(Value::as_f64).unwrap_or(0.0);
    format!("{:<44} {ms:>8.1} ms  {}", field(step, "call"), field(step, "ended"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn entry(t: f64, event: &str, data: Value) -> EventEntry {
        assert!(EventName::from_name(event).is_some(), "{event}");
        EventEntry {
            t,
            node: "beta".into(),
            level: "info".into(),
            event: event.into(),
            text: event.into(),
            data,
            evidence: None,
        }
    }

    fn takeover(t: f64) -> Vec<EventEntry> {
        vec![
            entry(t, "node-dead", json!({"node": "alpha", "silent_for": 512.0})),
            entry(t + 0.001, "acquiring", json!({})),
            entry(t + 0.002, "script", json!({"call": "IPaddr 10.0.0.10 start", "ms": 1.25, "ended": "exit 0"})),
            entry(t + 0.003, "group-held", json!({"group": "10.0.0.10", "took": 2.0})),
        ]
    }

    #[test]
    fn a_takeover_is_explained_by_the_silence_before_it_and_every_script_is_timed() {
        let mut entries =
            vec![entry(10.0, "local-complete", json!({})), entry(10.1, "group-held", json!({"group": "x"}))];
        entries.extend(takeover(100.0));
        entries.push(entry(200.0, "link-up", json!({})));
        let explanation = last_transition(&entries, f64::MAX).unwrap();
        assert_eq!(explanation.cause, "beta took 10.0.0.10 because alpha was dead: silent for 512 ms on every link");
        let text = tell(&explanation, |t| format!("{t}"));
        assert!(text.starts_with("100  beta took"), "{text}");
        assert!(text.contains("IPaddr 10.0.0.10 start") && text.contains("1.2 ms  exit 0"), "{text}");
        assert!(!text.contains("+0.0 ms local-complete"));
    }

    #[test]
    fn an_earlier_transition_can_be_asked_for() {
        let mut entries = takeover(100.0);
        entries.push(entry(300.0, "failback-begins", json!({"node": "alpha"})));
        entries.push(entry(300.1, "group-released", json!({"group": "10.0.0.10"})));
        let now = last_transition(&entries, f64::MAX).unwrap();
        assert_eq!(now.cause, "beta released 1 group because alpha is back, and auto_failback is on");
        let then = last_transition(&entries, 150.0).unwrap();
        assert!(then.cause.contains("alpha was dead"), "{}", then.cause);
        assert_eq!(last_transition(&entries, 5.0), None);
    }

    fn cause(entries: &[EventEntry]) -> String {
        last_transition(entries, f64::MAX).unwrap().cause
    }

    #[test]
    fn every_cause_has_a_sentence_of_its_own() {
        for kind in EventName::ALL {
            let said = because(*kind, &entry(1.0, kind.name(), json!({})));
            assert_eq!(said.is_some(), kind.is_cause(), "{kind:?}: {said:?}");
        }
    }

    #[test]
    fn what_was_let_go_because_of_a_link_that_carries_one_way_is_told_so() {
        let entries = [
            entry(100.0, "one-way", json!({"node": "beta", "groups": "web"})),
            entry(100.1, "partition-let-go", json!({"group": "web"})),
            entry(100.3, "group-released", json!({"group": "web"})),
        ];
        let expected = "beta released 1 group because beta does not hear this node and takes what it held";
        assert_eq!(cause(&entries), expected);
    }

    #[test]
    fn who_is_refused_for_its_name_is_told_so() {
        let entries = [
            entry(100.0, "refused", json!({"node": "alpha"})),
            entry(100.3, "group-released", json!({"group": "web"})),
        ];
        let expected = "beta released 1 group because alpha listens to another machine with the name of this node";
        assert_eq!(cause(&entries), expected);
    }

    #[test]
    fn after_a_partition_the_evidence_of_the_return_is_shown() {
        let back = entry(100.0, "node-returned", json!({"node": "alpha"}));
        let seen = LinkEvidence { medium: "eth1".to_owned(), node: "alpha".to_owned(), ..LinkEvidence::default() };
        let evidence = Some(EventEvidence { links: vec![seen], ..EventEvidence::default() });
        let let_go = entry(100.1, "partition-let-go", json!({"group": "web"}));
        let released = entry(100.3, "group-released", json!({"group": "web"}));
        let explanation =
            last_transition(&[EventEntry { evidence, ..back }, let_go.clone(), released.clone()], f64::MAX).unwrap();
        assert_eq!(explanation.cause, "beta released 1 group because the partition from alpha was over");
        assert!(tell(&explanation, |t| format!("{t}")).contains("eth1           alpha        never heard, dead"));
        let alone = "beta released 1 group because the partition was over, and the other node had it before";
        assert_eq!(cause(&[let_go, released]), alone);
    }

    #[test]
    fn a_set_of_one_group_is_not_told_as_all_of_them() {
        let given = |set: Value| {
            cause(&[
                entry(100.0, "wants-standby", json!({"node": "beta", "set": set})),
                entry(100.3, "group-released", json!({"group": "web"})),
            ])
        };
        assert_eq!(given(json!({"one": 7})), "beta released 1 group because beta gave one group away");
        assert_eq!(given(json!("local")), "beta released 1 group because beta gave its own resources away");
    }

    #[test]
    fn an_event_of_another_release_is_shown_and_moves_nothing() {
        let mut entries = takeover(100.0);
        entries.push(EventEntry { event: "of-another-release".to_owned(), t: 100.01, ..EventEntry::default() });
        assert_eq!(entries[4].kind(), None);
        assert_eq!(last_transition(&entries, f64::MAX).unwrap().steps.len(), 4);
    }

    #[test]
    fn a_full_journal_keeps_the_moves_whatever_else_there_was_and_old_moves_give_way_to_new_ones() {
        let text = |entries: &[EventEntry]| -> Vec<String> {
            entries.iter().map(|entry| serde_json::to_string(entry).unwrap()).collect()
        };
        let mut entries = vec![entry(1.0, "asked", json!({"by": "somebody"}))];
        entries.extend(takeover(100.0));
        entries.extend((0..5000).map(|n| entry(200.0 + f64::from(n), "address-conflict", json!({"mac": n}))));
        entries.extend((0..5000).map(|n| entry(6000.0 + f64::from(n), "asked", json!({"by": n}))));
        let lines = text(&entries);
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        let kept = thin_out(&lines, 20_000);
        assert!(kept.iter().map(|line| line.len() + 1).sum::<usize>() <= 40_000);
        let read: Vec<EventEntry> = kept.iter().filter_map(|line| parse(line)).collect();
        assert_eq!(read[..4], takeover(100.0));
        assert_eq!(read.last().unwrap().t, 10_999.0);
        assert!(read.len() > 50 && read.windows(2).all(|pair| pair[0].t <= pair[1].t));
        let explanation = last_transition(&read, f64::MAX);
        assert!(explanation.unwrap().cause.contains("because alpha was dead"));

        let many: Vec<EventEntry> = (0..1000).flat_map(|n| takeover(f64::from(n) * 100.0)).collect();
        let lines = text(&many);
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        let kept = thin_out(&lines, 20_000);
        assert_eq!(kept[..], lines[lines.len() - kept.len()..], "the newest, without a gap");
        assert!(kept.len() > 50);
    }

    #[test]
    fn lines_survive_the_disk_and_a_torn_one_is_left_out() {
        let entry = takeover(1.5).remove(0);
        let line = serde_json::to_string(&entry).unwrap();
        assert_eq!(parse(&line), Some(entry));
        assert_eq!(parse(&line[..line.len() / 2]), None);
    }
}
