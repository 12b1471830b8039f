//! What the driver writes into the journal: the core's reports, requests, ends of scripts, address conflicts, and
//! beside some of them the evidence: what was seen of the other nodes at that moment. Decides nothing.

use std::time::Duration;

use crate::agent::Conflict;
use crate::cluster::{Report, Status};
use crate::haresources::Outcome;
use crate::journal::{Entry, Evidence, LinkEvidence};
use crate::names::JobId;
use crate::time::Mono;

use super::driver::Driver;
use super::journal;

impl Driver {
    /// Into the log, the journal and, when it is a change, the `notify` command.
    pub(super) fn write_report(&mut self, report: &Report) {
        let text = report.to_string();
        for mut line in report.lines(|agent| self.places.path_of(agent)) {
            if *report == Report::ShutdownBegins {
                line.text = format!("{} ({})", line.text, std::process::id());
            }
            self.log.write_line(&line);
        }
        let (event, data) = journal::particulars(serde_json::to_value(report).unwrap_or_default());
        let evidence = report.needs_evidence().then(|| self.evidence());
        let entry = self.entry(report.level().as_str(), event, text, data, evidence);
        self.keep(&entry);
        if report.is_change() {
            self.notice(&entry);
        }
    }

    /// Another machine answers for an address of ours.
    pub(super) fn on_conflict(&mut self, conflict: &Conflict) {
        let text = conflict.to_string();
        self.log.error(&text);
        let data = serde_json::json!({ "address": conflict.ip, "mac": conflict.mac(), "interface": conflict.nic });
        let entry = self.entry("ERROR", "address-conflict".to_owned(), text, data, None);
        self.keep(&entry);
        self.notice(&entry);
    }

    /// Somebody asks for something that moves groups.
    pub(super) fn keep_request(&mut self, by: &str, what: &str) {
        let data = serde_json::json!({ "by": by, "what": what });
        let evidence = Some(self.evidence());
        let entry = self.entry("info", "asked".to_owned(), format!("{by} asks for: {what}"), data, evidence);
        self.keep(&entry);
    }

    /// A script that ran for the cluster has ended.
    pub(super) fn on_run_ended(&mut self, job: JobId, outcome: &Outcome) {
        let Some((call, since)) = self.runs.remove(&job) else { return };
        let took = journal::ms(self.clock.mono().since(since));
        let ended = outcome.exit.to_string();
        let text = format!("{call}: {ended} after {took:.1} ms");
        let data = serde_json::json!({ "call": call, "ms": took, "ended": ended });
        let entry = self.entry("info", "script".to_owned(), text, data, None);
        self.keep(&entry);
    }

    fn entry(
        &self,
        level: &str,
        event: String,
        text: String,
        data: serde_json::Value,
        evidence: Option<Evidence>,
    ) -> Entry {
        let (t, node) = (self.clock.since_1970().as_secs_f64(), self.config.settings.me.to_string());
        // Before anybody sees it: the journal, the page, or a program of `notify`.
        Entry { t, node, level: level.to_owned(), event, text, data, evidence }.made_printable()
    }

    fn keep(&mut self, entry: &Entry) {
        self.journal.write(entry);
    }

    /// How late the loop came to its own deadlines in the last minute or two, in milliseconds.
    pub(super) fn worst_lateness(&self) -> f64 {
        journal::ms(self.lateness.worst(self.clock.mono()))
    }

    fn evidence(&self) -> Evidence {
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
        Evidence {
            links: links.collect(),
            loop_late_ms: self.worst_lateness(),
            ping_nodes: (!pings.is_empty()).then(|| (pings.iter().filter(|up| **up).count(), pings.len())),
        }
    }
}

/// How late we came to our own deadlines, in the last minute or two.
#[derive(Debug, Default)]
pub(super) struct Lateness {
    since: Mono,
    now: Duration,
    before: Duration,
}

impl Lateness {
    const SPAN: Duration = Duration::from_secs(60);

    pub(super) fn note(&mut self, now: Mono, late: Duration) {
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
