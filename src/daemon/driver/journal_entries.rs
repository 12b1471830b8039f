//! What the driver writes into the journal: the core's reports, requests, ends of scripts, address conflicts, and
//! beside some of them the evidence: what was seen of the other nodes at that moment. What outside can cause again and
//! again goes through `rate_limit` first.

use std::time::Duration;

use crate::agent::AddressConflict;
use crate::cluster::{EventName, Level, LogLine, Outside, Program, Report, Status};
use crate::daemon::writing::journal;
use crate::daemon::writing::journald::Fields;
use crate::daemon::writing::rate_limit::{Share, with_count};
use crate::haresources::Outcome;
use crate::journal::{EventEntry, EventEvidence, LinkEvidence};
use crate::names::{JobId, MediumId};
use crate::time::Mono;
use crate::wire::Reject;

use super::Driver;
use super::notify_command::Weight;

/// No entry of the journal has a longer text.
const LONGEST_TEXT: usize = 2000;
const LONGEST_DATA: usize = 4000;

/// What is said once more when its minute is over, should it have come too often.
#[derive(Clone, Debug)]
pub(crate) enum Repeatable {
    /// The core's.
    Report(Report),
    /// Another machine answers for an address of ours.
    Conflict(AddressConflict),
    /// Who asked for what.
    Asked(String, String),
    /// Bytes that were no message for us.
    Reject(MediumId, Reject),
    /// Any line of the log.
    Line(Level, String),
}

impl Driver {
    /// Into the log, the journal and, when it is a change, the `notify` command: at once, or counted (`rate_limit`) when outside
    /// can cause it again and again.
    pub(super) fn write_report(&mut self, report: Report) {
        match self.outside(&report) {
            Some(Outside { kind, subject, is_state }) => {
                let share = if is_state { Share::STATE } else { Share::USUAL };
                self.say_limited(kind, &subject, share, Repeatable::Report(report));
            }
            None => self.say(&Repeatable::Report(report), 0),
        }
    }

    /// Another machine answers for an address of ours.
    pub(super) fn on_conflict(&mut self, conflict: AddressConflict) {
        let subject = conflict.ip.to_string();
        self.say_limited(
            EventName::AddressConflict.name(),
            &subject,
            Share::FROM_ANYBODY,
            Repeatable::Conflict(conflict),
        );
    }

    /// Somebody asks for something that moves groups.
    pub(super) fn keep_request(&mut self, by: &str, what: &str) {
        self.say_limited(EventName::Asked.name(), by, Share::STATE, Repeatable::Asked(by.to_owned(), what.to_owned()));
    }

    pub(super) fn on_reject(&mut self, medium: &MediumId, reject: Reject) {
        if self.config.log_badpack {
            let subject = format!("{medium} {}", reject.cause().as_str());
            self.say_limited("reject", &subject, Share::FROM_ANYBODY, Repeatable::Reject(medium.clone(), reject));
        }
    }

    /// A line of the log that outside can cause again and again.
    pub(super) fn log_limited(&mut self, kind: &'static str, subject: &str, level: Level, text: String) {
        self.say_limited(kind, subject, Share::USUAL, Repeatable::Line(level, text));
    }

    fn say_limited(&mut self, kind: &'static str, subject: &str, share: Share, said: Repeatable) {
        if let Some(said) = self.rate_limit.admit(self.clock.mono(), kind, subject, share, said) {
            self.say(&said, 0);
        }
    }

    /// Says what was held back in a minute that is over.
    pub(super) fn say_what_was_held_back(&mut self) {
        for (said, count) in self.rate_limit.due(self.clock.mono()) {
            self.say(&said, count);
        }
    }

    /// The same, whether the minute is over or not: this process ends.
    pub(super) fn say_all(&mut self) {
        for (said, count) in self.rate_limit.all() {
            self.say(&said, count);
        }
    }

    /// Says it, for `count` times that it was held back.
    fn say(&mut self, said: &Repeatable, count: u64) {
        let more = |text: String| if count > 0 { with_count(&text, count) } else { text };
        match said {
            Repeatable::Report(report) => self.say_report(report, count),
            Repeatable::Conflict(conflict) => {
                let text = more(conflict.to_string());
                self.log.error(&text);
                let data =
                    serde_json::json!({ "address": conflict.ip, "mac": conflict.mac(), "interface": conflict.nic });
                let entry = self.entry(EventName::AddressConflict, text, data);
                self.keep(&entry);
                self.queue_notify(&entry, Weight::Noise);
            }
            Repeatable::Asked(by, what) => {
                let data = serde_json::json!({ "by": by, "what": what });
                let text = more(format!("{by} asks for: {what}"));
                let entry = self.entry(EventName::Asked, text, data);
                self.keep(&entry);
            }
            Repeatable::Reject(medium, reject) => {
                reject.original().into_iter().for_each(|original| self.log.warn(original));
                self.log.warn(more(format!("{medium}: {reject}")));
            }
            Repeatable::Line(level, text) => self.log.write(*level, more(text.clone())),
        }
    }

    fn say_report(&mut self, report: &Report, count: u64) {
        let mut text = report.to_string();
        let mut lines = report.lines(|agent| self.places.path_of(agent));
        if *report == Report::ShutdownBegins
            && let Some(line) = lines.first_mut()
        {
            line.text = format!("{} ({})", line.text, std::process::id());
        }
        if count > 0 {
            text = with_count(&text, count);
            // The phrases of the original stay alone on their lines.
            let text = format!("{count} more like this in the last minute");
            lines.push(LogLine { program: Program::Heartbeat, level: report.level(), text });
        }
        let event = report.event();
        let entry = self.entry(event, text, report.data());
        for (at, line) in lines.iter().enumerate() {
            self.log.write_about(line, &Fields::of(event, &entry, at == 0));
        }
        self.service.look_soon();
        self.keep(&entry);
        if event.is_news() {
            let weight = if self.outside(report).is_some() { Weight::Noise } else { Weight::Move };
            self.queue_notify(&entry, weight);
        }
    }

    fn outside(&self, report: &Report) -> Option<Outside> {
        report.outside(|name| self.config.media.iter().any(|medium| medium.ping_node() == Some(name)))
    }

    /// A script that ran for the cluster has ended.
    pub(super) fn on_run_ended(&mut self, job: JobId, outcome: &Outcome) {
        let Some((call, since)) = self.runs.remove(&job) else { return };
        let took = journal::ms(self.clock.mono().since(since));
        let ended = outcome.exit.to_string();
        let text = format!("{call}: {ended} after {took:.1} ms");
        let data = serde_json::json!({ "call": call, "ms": took, "ended": ended });
        let entry = self.entry(EventName::Script, text, data);
        self.keep(&entry);
    }

    fn entry(&self, event: EventName, text: String, data: serde_json::Value) -> EventEntry {
        let evidence = event.needs_evidence().then(|| self.evidence());
        let (t, node) = (self.clock.since_1970().as_secs_f64(), self.config.settings.me.to_string());
        // What came from outside may be long.
        let text = text.chars().take(LONGEST_TEXT).collect();
        let data = if data.to_string().len() > LONGEST_DATA { serde_json::Value::Null } else { data };
        // Before anybody sees it: the journal, the page, or a program of `notify`.
        let (level, event) = (event.level().as_str().to_owned(), event.name().to_owned());
        EventEntry { t, node, level, event, text, data, evidence }.made_printable()
    }

    fn keep(&mut self, entry: &EventEntry) {
        self.journal.write(entry);
    }

    /// How late the loop came to its own deadlines in the last minute or two, in milliseconds.
    pub(super) fn worst_lateness(&self) -> f64 {
        journal::ms(self.lateness.worst(self.clock.mono()))
    }

    fn evidence(&self) -> EventEvidence {
        let now = self.clock.mono();
        let view = self.cluster.view(now);
        let others = || view.nodes.iter().filter(|node| !node.is_me);
        let links = others().filter(|node| !node.is_ping).flat_map(|node| {
            node.links.iter().map(|link| LinkEvidence {
                node: node.name.to_string(),
                medium: link.medium.to_string(),
                up: link.up,
                last_heard_ms: link.last_heard.map(|age| u64::try_from(age.as_millis()).unwrap_or(u64::MAX)),
            })
        });
        let pings: Vec<bool> = others().filter(|node| node.is_ping).map(|node| node.status == Status::Ping).collect();
        EventEvidence {
            links: links.collect(),
            loop_late_ms: self.worst_lateness(),
            ping_nodes: (!pings.is_empty()).then(|| (pings.iter().filter(|up| **up).count(), pings.len())),
        }
    }
}

/// How late we came to our own deadlines, in the last minute or two.
#[derive(Debug, Default)]
pub(crate) struct Lateness {
    since: Mono,
    now: Duration,
    before: Duration,
}

impl Lateness {
    const SPAN: Duration = Duration::from_secs(60);

    pub(crate) fn add(&mut self, now: Mono, late: Duration) {
        if now.since(self.since) > Self::SPAN {
            let stale = now.since(self.since) > 2 * Self::SPAN;
            self.before = if stale { Duration::ZERO } else { self.now };
            (self.since, self.now) = (now, Duration::ZERO);
        }
        self.now = self.now.max(late);
    }

    fn worst(&self, now: Mono) -> Duration {
        if now.since(self.since) > 2 * Self::SPAN { Duration::ZERO } else { self.now.max(self.before) }
    }
}
