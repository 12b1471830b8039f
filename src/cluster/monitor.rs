//! Whether what runs here works (`latido.cf`, `monitor`): asked regularly, restarted in place, handed over in the end.
//!
//! ```text
//! held ─fails N times─▶ restart from there to the end of the group ─again, after R restarts─▶ given up: the other node
//! ```
//!
//! No ping-pong: a group the other node gave up as well stays and is restarted here, and the operator is told.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::haresources::{Exit, Invocation, Outcome, StatusAnswer, Verb, known};
use crate::names::JobId;
use crate::time::Mono;

use super::claims::PeerHold;
use super::settings::{Monitor, Probe};
use super::timer::Timer;
use super::{Action, Cluster, GroupState, Report};

/// After so long without a failure earlier restarts no longer count.
pub(super) const CALM: Duration = Duration::from_secs(600);
/// What is not held is asked less often: it only ever leads to a warning.
const ELSEWHERE_EVERY: Duration = Duration::from_secs(60);

/// What is known of one watched resource.
#[derive(Debug, Default)]
struct WatchedResource {
    failures: u32,
    restarts: u32,
    last_restart: Option<Mono>,
    /// The warning that it runs although the group is not held here was given.
    told_stray: bool,
    /// What it said when it failed last; empty while it is well.
    said: String,
    /// Why nobody could ask it; empty while somebody can.
    unasked: String,
}

/// All that is watched.
#[derive(Debug, Default)]
pub(super) struct Monitors {
    /// Each question with its group, its resource, and whether it asks for the carrier.
    probes: BTreeMap<JobId, (String, usize, bool)>,
    watched: BTreeMap<(String, usize), WatchedResource>,
}

impl Monitors {
    /// Whether a question to this resource of this group is under way.
    fn is_asked(&self, group: &str, at: usize) -> bool {
        self.probes.values().any(|(key, of, _)| key == group && *of == at)
    }

    pub(super) fn forget(&mut self, group: &str) {
        self.probes.retain(|_, (key, ..)| key != group);
        self.watched.retain(|(key, _), _| key != group);
    }
}

impl Cluster {
    /// Begins to watch every watched resource; groups come and go with SIGHUP.
    pub(super) fn watch_all(&mut self) {
        for index in 0..self.groups.len() {
            self.watch_group(index);
        }
    }

    /// A group has just moved here, or come up: its resources are asked from now on.
    pub(super) fn watch_group(&mut self, index: usize) {
        let key = self.groups.key(index);
        // Asked before it moved: the answers are about something else.
        self.monitors.probes.retain(|_, (asked, ..)| *asked != key);
        for at in 0..self.groups.resources(index).len() {
            let timer = Timer::Monitor(key.clone(), at);
            match self.monitor_of(index, at) {
                Some(monitor) => {
                    let every = self.asked_every(index, monitor);
                    self.timers.set(timer, self.now.mono + every);
                }
                None => self.timers.stop(&timer),
            }
        }
    }

    fn asked_every(&self, index: usize, monitor: &Monitor) -> Duration {
        if self.groups.state(index) == GroupState::Held { monitor.every } else { monitor.every.max(ELSEWHERE_EVERY) }
    }

    /// The first line that names it; `*` is for all that no line names.
    fn monitor_of(&self, index: usize, at: usize) -> Option<&Monitor> {
        let resource = self.groups.resources(index).get(at)?;
        let named = |monitor: &&Monitor| monitor.resource == resource.word || monitor.resource == resource.agent;
        let all = || self.settings.monitors.iter().find(|monitor| monitor.resource == "*");
        self.settings.monitors.iter().find(named).or_else(all)
    }

    pub(super) fn on_monitor_due(&mut self, key: String, at: usize) {
        let Some(index) = self.groups.find(&key) else { return };
        let Some(monitor) = self.monitor_of(index, at).cloned() else { return };
        let every = self.asked_every(index, &monitor);
        self.timers.set(Timer::Monitor(key.clone(), at), self.now.mono + every);
        let elsewhere = match self.groups.state(index) {
            // A successor looks what runs, and starts what does not: that goes first.
            GroupState::Held if self.groups.is_at_work(index) => return,
            GroupState::Held => false,
            GroupState::Free => true,
            GroupState::Starting | GroupState::Stopping | GroupState::Failed | GroupState::Blocked => return,
        };
        if self.monitors.is_asked(&key, at) || self.leaving.is_ordered() {
            return;
        }
        let job = self.groups.next_job();
        let Some(resource) = self.groups.resources(index).get(at).cloned() else { return };
        self.monitors.probes.insert(job, (key, at, false));
        let limit = self.settings.script_timeout.status;
        self.out.push(match monitor.with {
            // Whether a service answers somewhere says nothing about where it runs: the script is asked.
            Probe::Status => Action::Run { job, invocation: Invocation { resource, verb: Verb::Status }, limit },
            _ if elsewhere => Action::Run { job, invocation: Invocation { resource, verb: Verb::Status }, limit },
            probe @ (Probe::Tcp(_) | Probe::Sip(_) | Probe::Command(_) | Probe::Carrier(_)) => {
                Action::Probe { job, probe, limit: limit.min(monitor.every) }
            }
        });
    }

    /// A look at one resource of what is not held here, which is reported anew if it runs; `None` while one is under way.
    pub(super) fn begin_stray_check(&mut self, key: &str, at: usize) -> Option<JobId> {
        if self.monitors.is_asked(key, at) {
            return None;
        }
        self.monitors.watched.entry((key.to_owned(), at)).or_default().told_stray = false;
        let job = self.groups.next_job();
        self.monitors.probes.insert(job, (key.to_owned(), at, false));
        Some(job)
    }

    /// A probe has ended; false when this job is none of ours.
    pub(super) fn on_probe_done(&mut self, job: JobId, outcome: &Outcome) -> bool {
        let Some((key, at, is_carrier)) = self.monitors.probes.remove(&job) else { return false };
        let Some(index) = self.groups.find(&key) else { return true };
        match self.groups.state(index) {
            GroupState::Held if self.groups.is_at_work(index) => {}
            GroupState::Held => {
                let Some(monitor) = self.monitor_of(index, at).cloned() else { return true };
                let well = match monitor.with {
                    // One that hung after it said so is not well.
                    Probe::Status if !is_carrier => outcome.told() == StatusAnswer::Running,
                    Probe::Status | Probe::Tcp(_) | Probe::Sip(_) | Probe::Command(_) | Probe::Carrier(_) => {
                        outcome.succeeded()
                    }
                };
                let address = || known::address_text(self.groups.resources(index).get(at)?);
                if well
                    && !is_carrier
                    && let Some(address) = address()
                {
                    return self.ask_for_carrier(key, at, address);
                }
                self.judge(index, at, &monitor, well, is_carrier, outcome);
            }
            GroupState::Free => self.judge_stray(index, at, outcome.says_running()),
            // Asked before it moved: the answer is about something else.
            GroupState::Starting | GroupState::Stopping | GroupState::Failed | GroupState::Blocked => {}
        }
        true
    }

    /// An address that is there is of no use on a cable that is pulled out.
    fn ask_for_carrier(&mut self, key: String, at: usize, address: String) -> bool {
        let job = self.groups.next_job();
        self.monitors.probes.insert(job, (key, at, true));
        let limit = self.settings.script_timeout.status;
        self.out.push(Action::Probe { job, probe: Probe::Carrier(address), limit });
        true
    }

    /// What does not work of what is watched here, in sentences.
    pub(super) fn sick(&self) -> Vec<String> {
        let held = |key: &str| self.groups.find(key).filter(|index| self.groups.state(*index) == GroupState::Held);
        let of = |((key, at), watched): (&(String, usize), &WatchedResource)| {
            let resource = self.groups.resources(held(key)?).get(*at)?;
            match (watched.said.as_str(), watched.unasked.as_str()) {
                ("", "") => None,
                ("", why) => Some(format!("{resource} cannot be asked whether it works: {why}")),
                (said, _) => Some(format!("{resource} does not work: {said}")),
            }
        };
        self.monitors.watched.iter().filter_map(of).collect()
    }

    fn judge(&mut self, index: usize, at: usize, monitor: &Monitor, well: bool, is_carrier: bool, outcome: &Outcome) {
        let (now, key) = (self.now.mono, self.groups.key(index));
        let watched = self.monitors.watched.entry((key.clone(), at)).or_default();
        // A script that cannot be run says nothing of what it is for, and could not restart it either.
        let unasked = if let Exit::NotFound(why) = &outcome.exit { why.clone() } else { String::new() };
        let was = std::mem::replace(&mut watched.unasked, unasked);
        if was != watched.unasked {
            self.changed();
        }
        let watched = self.monitors.watched.entry((key.clone(), at)).or_default();
        if !watched.unasked.is_empty() {
            return;
        }
        if watched.last_restart.is_some_and(|last| now.since(last) >= CALM) {
            (watched.restarts, watched.last_restart) = (0, None);
        }
        if well {
            watched.failures = 0;
            if !std::mem::take(&mut watched.said).is_empty() {
                self.changed();
            }
            return;
        }
        watched.failures = watched.failures.saturating_add(1);
        let (failures, restarts) = (watched.failures, watched.restarts);
        let said = if outcome.said.trim().is_empty() { outcome.exit.to_string() } else { outcome.said.trim().into() };
        let said: String = said.chars().take(120).collect();
        watched.said.clone_from(&said);
        self.changed();
        let resource = self.groups.resources(index)[at].to_string();
        // No restart mends a cable, and where nobody else can run it it is said once.
        let stays = is_carrier && (self.is_alone() || self.peer_gave_up(index));
        if !stays || failures <= monitor.failures {
            self.report(Report::ResourceSick { resource: resource.clone(), said, failures });
        }
        if stays {
            return;
        }
        if failures < monitor.failures || self.is_handing_over() {
            return;
        }
        if restarts < monitor.restarts && !is_carrier {
            return self.restart_from(index, at, resource);
        }
        if self.is_alone() || self.peer_gave_up(index) {
            self.report(Report::ResourceStays { group: key });
            return self.restart_from(index, at, resource);
        }
        self.monitors.forget(&key);
        self.report(Report::GroupGivenUp { group: key, resource: resource.clone(), restarts });
        let why = if is_carrier {
            outcome.said.trim().to_owned()
        } else {
            format!("{resource} died {} times", restarts.saturating_add(1))
        };
        self.groups.want_given_up(index, why);
    }

    /// Handing it back to the node that gave it up a short while ago would be ping-pong.
    fn peer_gave_up(&self, index: usize) -> bool {
        match self.peer.hold(index) {
            PeerHold::FailedStays => true,
            PeerHold::Failed => self.now.mono.since(self.groups.state_since(index)) < CALM,
            PeerHold::Unknown
            | PeerHold::No
            | PeerHold::Yes
            | PeerHold::SincePartition
            | PeerHold::Overslept
            | PeerHold::OversleptTaken
            | PeerHold::Inherited
            | PeerHold::Blocked => false,
        }
    }

    fn restart_from(&mut self, index: usize, at: usize, resource: String) {
        let now = self.now.mono;
        let watched = self.monitors.watched.entry((self.groups.key(index), at)).or_default();
        watched.failures = 0;
        watched.restarts = watched.restarts.saturating_add(1);
        watched.last_restart = Some(now);
        let count = watched.restarts;
        self.report(Report::Restarting { resource, count });
        self.groups.want_restarted(index, at);
    }

    fn judge_stray(&mut self, index: usize, at: usize, runs: bool) {
        let elsewhere = self.peer.hold(index).is_claimed();
        let stray = runs && elsewhere;
        let watched = self.monitors.watched.entry((self.groups.key(index), at)).or_default();
        let told = std::mem::replace(&mut watched.told_stray, stray);
        if stray && !told {
            let resource = self.groups.resources(index)[at].to_string();
            self.report(Report::RunsHereToo { resource });
        }
    }
}
