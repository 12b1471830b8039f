//! The document behind `latido status` and the status page (`status::Status`), made from the core's view.

use std::time::Duration;

use crate::cluster::{GroupView, LinkView, View};
use crate::names::MediumId;
use crate::status::{self, Traffic, health};
use crate::time::Mono;
use crate::wire::Cause;

use super::Driver;

impl Driver {
    pub(crate) fn status(&self) -> status::Status {
        let now = self.clock.mono();
        let view = self.cluster.view(now);
        let ms = |at: Mono| millis(now.since(at));
        let mut status = status::Status {
            version: 1,
            program: env!("CARGO_PKG_VERSION").to_owned(),
            pid: self.own_supervisor.pid(),
            core: std::process::id(),
            up_for_ms: millis(now.elapsed()),
            me: view.me.to_string(),
            nodes: nodes(&view),
            groups: view.groups.iter().map(|group| group_of(group, now)).collect(),
            rscstatus: view.rscstatus.clone(),
            waiting_for: view.waiting_for.clone(),
            stable: view.stable,
            leaving: view.leaving,
            auto_failback: view.auto_failback.as_str().to_owned(),
            away: view.away.clone(),
            drift: view.drift.clone(),
            going_on: self.wants.sentences(),
            fencing: view.fences.clone(),
            broken_fencing: view.broken_fences.clone(),
            sick: view.sick.clone(),
            impostor: view.impostor.clone(),
            doubted: view.doubted.clone(),
            troubles: Vec::new(),
            deadtime_ms: millis(self.config.settings.deadtime),
            enough_deadtime_ms: view.enough_deadtime.map(millis),
            least_deadtime_ms: view.least_deadtime.map(millis),
            loop_late_ms: self.worst_lateness(),
            traffic: self.traffic(),
            peer: view.peer_facts.as_ref().map(|facts| status::Peer {
                said_ms: ms(facts.at),
                program: facts.program.clone(),
                links: facts.links.clone(),
                failed: facts.failed.clone(),
            }),
            last_takeover_ms: view.last_takeover.map(ms),
            last_change_ms: ms(view.last_change),
        };
        status.troubles = health::troubles(&status);
        status.made_printable()
    }

    /// One for each name of a medium: two may share one.
    fn traffic(&self) -> Vec<status::Traffic> {
        let mut all: Vec<status::Traffic> = Vec::new();
        for link in 0..self.links.len() {
            let (id, counters) = (self.links.id(link), self.links.counters(link));
            let at = all.iter().position(|known| known.medium == id.as_str()).unwrap_or_else(|| {
                all.push(self.heard_over(id));
                all.len() - 1
            });
            let traffic = &mut all[at];
            if self.is_ping(id) {
                traffic.accepted += counters.received;
            }
            traffic.sent += counters.sent;
            traffic.dropped += counters.dropped;
            traffic.failed += counters.failed;
        }
        all
    }

    fn is_ping(&self, id: &MediumId) -> bool {
        self.config.settings.media.iter().any(|medium| medium.id == *id && medium.ping_node.is_some())
    }

    /// What came in, with nothing sent yet.
    fn heard_over(&self, id: &MediumId) -> Traffic {
        let mut traffic = Traffic { medium: id.to_string(), ..Traffic::default() };
        if !self.is_ping(id) {
            let heard = self.intake.counters_of(id);
            let of = |cause: &Cause| heard.rejected.get(cause).copied().unwrap_or(0);
            traffic.rejected = Cause::ALL.iter().map(|cause| (cause.as_str().to_owned(), of(cause))).collect();
            (traffic.accepted, traffic.noise_bytes) = (heard.accepted, heard.noise);
        }
        traffic
    }
}

fn group_of(group: &GroupView, now: Mono) -> status::Group {
    status::Group {
        key: group.key.clone(),
        owner: group.owner.to_string(),
        resources: group.resources.clone(),
        state: group.state.as_str().to_owned(),
        for_ms: millis(now.since(group.since)),
        held_by_peer: group.held_by_peer,
        running: group.running.clone(),
        failure: group.failure.clone(),
    }
}

/// Milliseconds with a tenth.
fn fine(time: Duration) -> f64 {
    (time.as_secs_f64() * 10_000.0).round() / 10.0
}

fn nodes(view: &View) -> Vec<status::Node> {
    let link = |link: &LinkView| status::Link {
        medium: link.medium.to_string(),
        up: link.up,
        last_heard_ms: link.last_heard.map(millis),
        failure: link.failure.clone(),
        gaps: link.gaps.map(|gaps| status::Gaps {
            count: gaps.count,
            median_ms: fine(gaps.median),
            p999_ms: fine(gaps.p999),
            worst_ms: fine(gaps.worst),
        }),
    };
    view.nodes
        .iter()
        .map(|node| status::Node {
            name: node.name.to_string(),
            here: node.is_me,
            ping: node.is_ping,
            status: node.status.as_str().to_owned(),
            last_heard_ms: node.last_heard.map(millis),
            generation: node.generation.map(|generation| generation.0),
            deadtime_ms: millis(node.deadtime),
            latido: node.is_latido,
            resources_differ: node.resources_differ,
            clock_ahead_s: node.clock_ahead,
            links: node.links.iter().map(link).collect(),
        })
        .collect()
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
