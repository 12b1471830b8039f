//! A run of the lab: waiting for what should come while the time line is printed, and keeping the rows of the table.

#![allow(clippy::wildcard_enum_match_arm, reason = "each reader looks for its own few of many happenings")]

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::amount::{exact, measured};
use crate::cluster::{AutoFailback, EventName, phrases};
use crate::haresources::{Resource, ResourceGroup, known};
use crate::status::Status;
use crate::time::Mono;

use super::log_entries::{entry, split_log_line};
use super::pair::{ASKS_EVERY, LabPair};
use super::printer::{Happening, Printer, Row, What};
use super::stalls::StallWatch;
use super::what_runs::{RanTwice, WhatRuns};

/// A run of the lab: the pair, what is known of it, what was printed.
#[derive(Debug)]
pub(super) struct LabRun {
    pub(super) pair: LabPair,
    pub(super) what_runs: WhatRuns,
    pub(super) stall_watch: StallWatch,
    pub(super) printer: Printer,
    pub(super) rows: Vec<Row>,
    /// Expectations that were not met.
    pub(super) wrong: Vec<String>,
    /// Whether not even a healthy pair could be had, so that there is no use in going on.
    pub(super) lost: bool,
    /// Lines a person typed while something else was being done.
    pub(super) typed: VecDeque<String>,
}

/// An expectation was not met; it is on the time line already.
#[derive(Debug)]
pub(super) struct Failed;

/// How long scripts of the user may take beyond what we know.
const PATIENCE: Duration = Duration::from_secs(10);
/// For how long after a stall everything runs behind.
const DOUBT: Duration = Duration::from_secs(1);
/// How often a condition is looked at when nothing happens.
const LOOK: Duration = Duration::from_millis(20);

impl LabRun {
    pub(super) fn new(pair: LabPair, printer: Printer) -> LabRun {
        let what_runs = WhatRuns::new(&pair.plan.services);
        let stall_watch = StallWatch::begin(pair.clock());
        let (rows, wrong, typed) = (Vec::new(), Vec::new(), VecDeque::new());
        LabRun { pair, what_runs, stall_watch, printer, rows, wrong, lost: false, typed }
    }

    pub(super) fn now(&self) -> Mono {
        self.pair.now()
    }

    /// Announces what the lab does; returns when.
    pub(super) fn announce(&mut self, text: &str) -> Mono {
        self.put(What::Doing(text.to_owned()))
    }

    pub(super) fn tell(&mut self, text: &str) {
        self.put(What::Remark(text.to_owned()));
    }

    /// Something is not as it should be: the lab goes on and fails at the end.
    pub(super) fn complain(&mut self, text: String) -> Failed {
        self.wrong.push(text.clone());
        self.put(What::Wrong(text));
        Failed
    }

    /// After everything that has happened so far.
    fn put(&mut self, what: What) -> Mono {
        while let Some(happening) = self.pair.next_happening(Mono::ZERO) {
            self.take(&happening);
        }
        let at = self.now();
        self.take(&Happening { at, host: "lab".to_owned(), what });
        at
    }

    /// Takes something that happened in, and prints it.
    pub(super) fn take(&mut self, happening: &Happening) {
        if self.pair.is_past(happening) {
            return;
        }
        if let What::Typed(line) = &happening.what {
            return self.typed.push_back(line.clone());
        }
        let twice = self.what_runs.take(happening);
        if let Some(entry) = entry(happening, &self.pair.plan.services) {
            self.printer.entry(&entry);
        }
        if let Some(twice) = twice {
            self.judge(&twice);
        }
        self.tell_what_stays_twice();
    }

    /// A witness that the machine did not let run tells late of what has ended: what was seen to run twice for no longer
    /// than the machine stood still just then may have run once.
    fn judge(&mut self, twice: &RanTwice) {
        let lasted = twice.until.since(twice.since);
        let sentence = format!("{}, for {}", twice.sentence, measured(lasted));
        let doubt = self.stall_watch.worst(twice.since.before(DOUBT), twice.until);
        if lasted > doubt || doubt.is_zero() {
            self.complain(sentence);
        } else {
            self.tell(&format!("{sentence}, as it was seen; the machine stood still for {}", measured(doubt)));
        }
    }

    fn tell_what_stays_twice(&mut self) {
        if let Some(sentence) = self.what_runs.twice_since(self.now().before(DOUBT)) {
            self.complain(sentence);
        }
    }

    /// Lets time pass.
    pub(super) fn run_for(&mut self, time: Duration) {
        let end = self.now() + time;
        while let Some(happening) = self.pair.next_happening(end) {
            self.take(&happening);
        }
        self.tell_what_stays_twice();
    }

    /// Waits until a condition holds; it says what is seen instead.
    ///
    /// # Errors
    /// When it does not within `bound`.
    pub(super) fn until(
        &mut self,
        expected: &str,
        bound: Duration,
        mut condition: impl FnMut(&LabRun) -> Result<(), String>,
    ) -> Result<Mono, Failed> {
        let end = self.now() + bound;
        loop {
            let seen = match condition(self) {
                Ok(()) => return Ok(self.now()),
                Err(seen) => seen,
            };
            if self.now() >= end {
                return Err(self.complain(format!("expected within {}: {expected}; seen: {seen}", exact(bound))));
            }
            let look = self.now() + LOOK;
            while let Some(happening) = self.pair.next_happening(look) {
                self.take(&happening);
                if !matches!(happening.what, What::Log(_)) {
                    break;
                }
            }
        }
    }

    /// Adds a row for what began at `since`.
    pub(super) fn row(&mut self, event: &str, since: Mono, decided_by: String) {
        let asked = !self.pair.plan.services.is_empty();
        let outage = asked.then(|| self.pair.caller().worst_outage(since, self.now()));
        let unnoticed = outage.is_some_and(|outage| outage <= ASKS_EVERY * 3) && !self.what_runs.moved_since(since);
        let remark = unnoticed.then_some("none");
        self.rows.push(Row { event: event.to_owned(), outage, remark, decided_by });
    }

    /// A row about something that has no outage, or none that says anything.
    pub(super) fn row_without(&mut self, event: &str, remark: Option<&'static str>, decided_by: String) {
        self.rows.push(Row { event: event.to_owned(), outage: None, remark, decided_by });
    }

    /// Checks that every group is where it should be, and only there: as the nodes, the witnesses and the
    /// caller say. `home` names the node of each group; nodes that are off or without daemon are not asked.
    pub(super) fn settled(&self, home: impl Fn(&ResourceGroup) -> usize) -> Result<(), String> {
        for node in [0, 1] {
            if self.speaks(node) {
                let status = self.pair.status(node).ok_or(format!("{} does not answer", self.name(node)))?;
                if !status.stable {
                    return Err(format!("{} is still deciding", self.name(node)));
                }
                self.check_groups(node, &status, &home)?;
            }
        }
        for group in &self.pair.plan.config.groups {
            let node = home(group);
            for resource in &group.resources {
                self.check_resource(node, resource)?;
            }
        }
        Ok(())
    }

    /// The same while `leaving` stops: all groups on the other node, and it is not asked.
    pub(super) fn settled_but(&self, leaving: usize) -> Result<(), String> {
        let node = 1 - leaving;
        let status = self.pair.status(node).ok_or(format!("{} does not answer", self.name(node)))?;
        self.check_groups(node, &status, &|_: &ResourceGroup| node)?;
        let groups = &self.pair.plan.config.groups;
        groups.iter().flat_map(|group| &group.resources).try_for_each(|resource| self.check_resource(node, resource))
    }

    fn check_groups(
        &self,
        node: usize,
        status: &Status,
        home: &impl Fn(&ResourceGroup) -> usize,
    ) -> Result<(), String> {
        for group in &self.pair.plan.config.groups {
            let wanted = if home(group) == node { "held" } else { "free" };
            let seen = status.groups.iter().find(|seen| seen.key == group.key()).map_or("unknown", |seen| &seen.state);
            if seen != wanted {
                return Err(format!("group {} is {seen} on {}, not {wanted}", group.key(), self.name(node)));
            }
        }
        Ok(())
    }

    fn check_resource(&self, node: usize, resource: &Resource) -> Result<(), String> {
        let plan = &self.pair.plan;
        let services = || plan.services.iter().copied();
        let service = known::address(resource).and_then(|ip| services().find(|service| IpAddr::V4(*service) == ip));
        let name = match service {
            Some(address) => address.to_string(),
            None if plan.recorded.contains(&resource.agent) => resource.to_string(),
            None => return Ok(()),
        };
        let holders = self.what_runs.holders(&name);
        if holders != [self.name(node)] {
            let on = if holders.is_empty() { "nowhere".to_owned() } else { format!("on {}", holders.join(" and ")) };
            return Err(format!("{name} is {on}, not on {}", self.name(node)));
        }
        match service {
            Some(address) if self.can_be_asked(node) => self.check_answer(node, address),
            _ => Ok(()),
        }
    }

    /// Whether the caller's cable leads to the node.
    fn can_be_asked(&self, node: usize) -> bool {
        self.pair.plan.interfaces.iter().all(|interface| !self.pair.is_cut(node, interface))
    }

    fn check_answer(&self, node: usize, address: Ipv4Addr) -> Result<(), String> {
        let fresh = self.now().elapsed().saturating_sub(ASKS_EVERY * 10);
        match self.pair.caller().last_answer(address) {
            Some((by, at)) if by == self.name(node) && at.elapsed() >= fresh => Ok(()),
            Some((by, _)) if by != self.name(node) => Err(format!("{address} is still answered by {by}")),
            Some(_) | None => Err(format!("{address} does not answer the client")),
        }
    }

    /// Checks that a running node hears the other over every medium.
    pub(super) fn all_links_up(&self) -> Result<(), String> {
        for node in [0, 1] {
            let status = self.pair.status(node).ok_or(format!("{} does not answer", self.name(node)))?;
            let other = status.nodes.iter().find(|other| other.name == self.name(1 - node));
            for medium in &self.pair.plan.media {
                let up = other.and_then(|other| other.links.iter().find(|link| link.medium == *medium));
                if !up.is_some_and(|link| link.up) {
                    return Err(format!("{} does not hear {} on {medium}", self.name(node), self.name(1 - node)));
                }
            }
        }
        Ok(())
    }

    /// Whether a daemon of ours runs there: an original does not say how it sees things.
    pub(super) fn speaks(&self, node: usize) -> bool {
        self.pair.runs(node) && self.pair.plan.original != Some(node)
    }

    pub(super) fn name(&self, node: usize) -> &str {
        &self.pair.plan.nodes[node]
    }

    pub(super) fn has_groups(&self) -> bool {
        !self.pair.plan.config.groups.is_empty()
    }

    /// The node that owns a group.
    pub(super) fn owner_of(&self, group: &ResourceGroup) -> usize {
        self.pair.plan.node(group.owner.as_str()).unwrap_or(0)
    }

    pub(super) fn auto_failback(&self) -> AutoFailback {
        self.pair.plan.config.settings.auto_failback
    }

    /// How long something may take that waits for a silence to be long enough.
    pub(super) fn bound(&self) -> Duration {
        let settings = &self.pair.plan.config.settings;
        settings.deadtime * 2 + settings.initdead + PATIENCE
    }

    /// Starts a daemon; a failure is an unmet expectation.
    pub(super) fn start(&mut self, node: usize) -> Result<(), Failed> {
        self.pair.start(node).map_err(|error| {
            let name = self.name(node).to_owned();
            self.complain(format!("the daemon on {name} cannot be started: {error}"))
        })
    }

    /// Switches a machine off, and takes note of what that means.
    pub(super) fn power_off(&mut self, node: usize) {
        self.pair.power_off(node);
        let (name, now) = (self.name(node).to_owned(), self.now());
        let twice = self.what_runs.off(&name, now);
        twice.iter().for_each(|twice| self.judge(twice));
    }

    /// Switches it on and starts its daemon.
    pub(super) fn power_on(&mut self, node: usize) -> Result<(), Failed> {
        self.pair.power_on(node).map_err(|error| {
            let name = self.name(node).to_owned();
            self.complain(format!("{name} cannot be switched on: {error}"))
        })?;
        self.start(node)
    }

    /// Cuts or mends one medium, or all of them, at a node.
    pub(super) fn set_cut(&mut self, node: usize, media: &[String], cut: bool) {
        for medium in media {
            if let Err(error) = self.pair.set_cut(node, medium, cut) {
                self.complain(format!("{medium}: {error}"));
            }
        }
        let divided =
            self.pair.plan.media.iter().all(|medium| [0, 1].iter().any(|node| self.pair.is_cut(*node, medium)));
        // Mended cables do not help at once: they have to hear each other first. The scenario says when.
        if divided {
            self.what_runs.set_divided(true);
        }
    }

    /// Mends every cable that a scenario which failed left cut.
    pub(super) fn mend_everything(&mut self) {
        let media = self.pair.plan.media.clone();
        for node in [0, 1] {
            let cut: Vec<String> = media.iter().filter(|medium| self.pair.is_cut(node, medium)).cloned().collect();
            self.set_cut(node, &cut, false);
        }
        self.what_runs.set_divided(false);
    }

    /// Asks a daemon to end.
    pub(super) fn stop(&mut self, node: usize, signal: Signal) -> Result<(), Failed> {
        self.pair.signal(node, signal).map_err(|error| {
            let name = self.name(node).to_owned();
            self.complain(format!("the daemon on {name} cannot be signalled: {error}"))
        })
    }

    /// When a node logged since then the first line that tells of such an event, and the words of that line.
    pub(super) fn told(
        &self,
        node: usize,
        since: Mono,
        event: EventName,
        is_meant: impl Fn(&[&str]) -> bool,
    ) -> Option<(Mono, Vec<String>)> {
        let name = self.name(node);
        self.what_runs.since(since).filter(|happening| happening.host == name).find_map(|happening| {
            match &happening.what {
                What::Log(line) => {
                    let text = split_log_line(line).map_or(line.as_str(), |(_, text)| text);
                    let told = phrases::told(text).filter(|told| told.event == event && is_meant(&told.words))?;
                    Some((happening.at, told.words.into_iter().map(str::to_owned).collect()))
                }
                _ => None,
            }
        })
    }

    /// When a node last began to run something it did not run before, since then.
    pub(super) fn last_gain(&self, node: usize, since: Mono) -> Option<Mono> {
        let name = self.name(node);
        let gains =
            self.what_runs.since(since).filter(|happening| happening.host == name).filter(|happening| match &happening
                .what
            {
                What::Witness(super::witness::Said::Gained(_)) => true,
                What::Witness(super::witness::Said::Called(call)) => call.ends_with(" start"),
                _ => false,
            });
        gains.last().map(|happening| happening.at)
    }
}
