//! Carrying out what the core asks for: one function for each kind of action.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::time::Duration;

use crate::agent::{self, Place};
use crate::client::{self, Answer, Ask};
use crate::clock::since_boot;
use crate::cluster::{Action, AutoFailback, Event, ExitReason, GroupState, Request, Response, Set, View};
use crate::haresources::{Exit, Invocation, Outcome, Verb};
use crate::names::{ClientId, JobId};
use crate::paths::Paths;
use crate::wire::{Form, Kind, Message, Value, field, seal, seal_ping};

use super::child::{Call, Ended, Output};
use super::control::Question;
use super::driver::Driver;
use super::guardian;
use super::lookup::{Found, own_agent};
use super::watchdog::Watchdog;

/// A notification script that takes longer is ended: the next one waits for it.
const NOTIFY_LIMIT: Duration = Duration::from_secs(60);
/// More waiting notifications than this help nobody.
const MOST_NOTIFICATIONS: usize = 200;

/// Messages offered to `rc.d`, one script at a time, in order (`resources.md` 1.4).
#[derive(Debug, Default)]
pub(super) struct Notifications {
    waiting: VecDeque<(Message, PathBuf)>,
    running: bool,
    told: bool,
}

impl Driver {
    pub(super) fn perform(&mut self, action: Action) {
        match action {
            Action::Send(message) => self.send(&message),
            Action::Run { job, invocation, limit } => {
                // What is asked again and again while nothing moves is no part of any story.
                if invocation.verb != Verb::Status || self.cluster.is_moving() {
                    self.runs.insert(job, (invocation.to_string(), self.clock.mono()));
                }
                self.run_script(job, &invocation, limit);
            }
            Action::Announce { group } => self.announce(&group),
            Action::Probe { job, probe, limit } => self.probe(job, probe, limit),
            Action::Fence { job, device, node, limit } => self.fence(job, device, &node, limit),
            Action::CheckFence { job, device, limit } => self.check_fence(job, device, limit),
            Action::Cancel { job } => self.children.cancel(job),
            Action::Notify(message) => self.notify(message),
            Action::Deliver { class, message } => self.deliver(class, &message),
            Action::Reply { client, response } => self.reply(client, response),
            Action::Report(report) => self.write_report(&report),
            Action::Remember { node, generation, sequence } => {
                if let Err(error) = self.remembered.remember(&node, generation, sequence) {
                    log::debug!("{error}");
                }
            }
            Action::Keep(kept) => {
                let kept = self.state.keep(kept);
                self.complain(kept);
            }
            Action::Alive => self.feed_watchdog(),
            Action::Exit(reason) => self.leave(&reason),
        }
    }

    fn send(&mut self, message: &Message) {
        log::trace!("send {message}");
        let keys = &self.config.keyring;
        let form = Form::for_datagrams(self.config.netstring);
        self.links.broadcast(&seal(message, keys, form), &seal(message, keys, Form::Classic));
        if message.kind() == Kind::Status {
            let patience = Duration::from_millis(message.hex(field::DT).unwrap_or(0));
            self.state.alive(since_boot(), patience);
            let wall = self.clock.now().wall;
            self.links.ping_all(|node| seal_ping(node, wall, "ping", keys, form));
            self.feed_watchdog();
        }
    }

    pub(super) fn run_script(&mut self, job: JobId, invocation: &Invocation, limit: Duration) {
        if self.orphans.any() {
            return self.orphans.hold_back(job, invocation.clone(), limit);
        }
        let name = &invocation.resource.agent;
        let failure = match self.places.find(name) {
            Ok(found @ (Found::Script(_) | Found::Unit(_))) => found
                .call(invocation)
                .and_then(|call| self.start_child(job, &call, invocation.verb, limit, matches!(found, Found::Unit(_)))),
            Ok(Found::Ours) => self.run_ours(job, invocation, limit),
            Err(why) => Some(why),
        };
        if let Some(why) = failure {
            self.log.error(&why);
            let outcome = Outcome { exit: Exit::NotFound(why), said: String::new() };
            self.soon.push_back(Event::Done { job, outcome });
        }
    }

    /// A built-in agent: here and now, or in a process of its own when it may wait.
    fn run_ours(&mut self, job: JobId, invocation: &Invocation, limit: Duration) -> Option<String> {
        let name = &invocation.resource.agent;
        match (agent::place_of(name), &mut self.net) {
            (Some(Place::Alone), _) => self.start_agent(job, invocation, limit),
            (Some(Place::Inside), Some(net)) => {
                let Some(answer) = net.run(invocation, self.clock.mono()) else {
                    return Some(self.places.nothing(name));
                };
                if let Some(why) = answer.why.as_ref().filter(|_| invocation.verb != Verb::Status) {
                    self.log.error(format!("{invocation}: {why}"));
                }
                self.soon.push_back(Event::Done { job, outcome: answer.into_outcome() });
                None
            }
            (Some(Place::Inside), None) => Some(format!("{name} needs packet sockets, which we may not open")),
            (None, _) => Some(self.places.nothing(name)),
        }
    }

    fn start_agent(&mut self, job: JobId, invocation: &Invocation, limit: Duration) -> Option<String> {
        let Some(call) = own_agent(invocation, limit) else {
            return Some(self.places.nothing(&invocation.resource.agent));
        };
        let output = if invocation.verb == Verb::Status { Output::Kept } else { Output::All };
        let (called, verb) = (invocation.to_string(), invocation.verb);
        let ended = move |outcome| match verb {
            Verb::Status => Ended::Resource(job, outcome),
            Verb::Start | Verb::Stop => Ended::Agent(job, called, outcome),
        };
        self.start(job, &call, output, limit, ended)
    }

    fn start_child(&mut self, job: JobId, call: &Call, verb: Verb, limit: Duration, unit: bool) -> Option<String> {
        let output = if verb == Verb::Status { Output::Kept } else { Output::Log };
        let ended = move |outcome| Ended::Resource(job, Found::judge(unit, verb, outcome));
        self.start(job, call, output, limit, ended)
    }

    fn start(
        &mut self,
        job: JobId,
        call: &Call,
        output: Output,
        limit: Duration,
        ended: impl FnOnce(Outcome) -> Ended + Send + 'static,
    ) -> Option<String> {
        match self.children.start(call, output, limit, &self.environment, ended) {
            Ok(pid) => {
                let written = self.state.job_started(job, pid, since_boot() + limit);
                self.complain(written);
                None
            }
            Err(error) => Some(format!("cannot run {}: {error}", call.program.to_string_lossy())),
        }
    }

    fn feed_watchdog(&mut self) {
        if let Some((level, text)) = self.watchdog.as_mut().and_then(Watchdog::feed) {
            self.log.write(level, text);
        }
    }

    /// What an operator forced us to leave running is still guarded: the other node starts it after deadtime.
    fn disarm_watchdog(&mut self) {
        let Some(watchdog) = self.watchdog.take() else { return };
        if self.state.claims_anything() {
            self.log.warn("the watchdog stays armed, because resources run on: it will reset this machine");
        } else if let Some((level, text)) = watchdog.disarm() {
            self.log.write(level, text);
        }
    }

    /// What could not be written is said once (`state`).
    pub(super) fn complain(&self, written: Result<(), String>) {
        if let Err(why) = written {
            self.log.error(why);
        }
    }

    fn announce(&mut self, key: &str) {
        let now = self.clock.mono();
        let group = self.config.groups.iter().find(|group| group.key() == key);
        if let (Some(group), Some(net)) = (group, &mut self.net) {
            group.resources.iter().for_each(|resource| net.announce(resource, now));
        }
    }

    fn notify(&mut self, message: Message) {
        let kind = message.kind();
        let program = match self.places.notification(kind.as_str()) {
            Ok(Some(program)) => program,
            Ok(None) => return,
            Err(why) => return self.log.error(why),
        };
        if kind == Kind::Status && is_takeover_script(&program) {
            if !std::mem::replace(&mut self.notifications.told, true) {
                let program = program.display();
                self.log.info(format!(
                    "{program} is the original's own takeover script: not run, this daemon takes over itself"
                ));
            }
            return;
        }
        if self.notifications.waiting.len() < MOST_NOTIFICATIONS {
            self.notifications.waiting.push_back((message, program));
        }
        self.run_next_notification();
    }

    fn run_next_notification(&mut self) {
        while !self.notifications.running {
            let Some((message, program)) = self.notifications.waiting.pop_front() else { return };
            let kind = message.kind().as_str().to_owned();
            let mut environment = self.environment.clone();
            for (name, value) in message.fields() {
                if let Value::Text(text) = value
                    && name != field::AUTH
                {
                    environment.set(&format!("HA_{name}"), text);
                }
            }
            if self.config.settings.auto_failback != AutoFailback::Legacy {
                environment.set("HA_NICEFAILBACK", "yes");
            }
            let call = Call { program: program.into_os_string(), name: None, arguments: vec![kind.clone().into()] };
            let ended = move |outcome: Outcome| Ended::Notification(kind, outcome.exit);
            match self.children.start(&call, Output::Log, NOTIFY_LIMIT, &environment, ended) {
                Ok(_) => self.notifications.running = true,
                Err(error) => self.log.error(format!("cannot run {}: {error}", call.program.to_string_lossy())),
            }
        }
    }

    pub(super) fn on_notified(&mut self, kind: &str, exit: &Exit) {
        if *exit != Exit::Code(0) {
            self.log.info(format!("rc.d/{kind}: {exit}"));
        }
        self.notifications.running = false;
        self.run_next_notification();
    }

    pub(super) fn on_question(&mut self, question: Question) {
        let request = match &question.ask {
            Ask::Status => {
                let status = self.status();
                return self.control.answer(question.client, Answer::Status(Box::new(status)));
            }
            Ask::Retry { group } => Some(Request::Retry(group.clone())),
            Ask::Standby { set } => Set::from_text(set).map(Request::Standby),
            // "failback" of a takeover: my own groups, back to me.
            Ask::Takeover { set } if set == "failback" => Some(Request::Takeover(Set::Local)),
            Ask::Takeover { set } => Set::from_text(set).map(Request::Takeover),
        };
        match &question.ask {
            Ask::Status => {}
            Ask::Retry { group } => self.keep_request(&question.by, &format!("retry {group}")),
            Ask::Standby { set } => self.keep_request(&question.by, &format!("standby {set}")),
            Ask::Takeover { set } => self.keep_request(&question.by, &format!("takeover {set}")),
        }
        match request {
            Some(request) => self.tell(Event::Request { client: question.client, request }),
            None => {
                let why = "no such set: say all, local, foreign or failback".to_owned();
                self.control.answer(question.client, Answer::Refused(why));
            }
        }
    }

    fn reply(&mut self, client: ClientId, response: Response) {
        let answer = match response {
            Response::Moved { groups } => Answer::Moved(groups),
            Response::Refused(why) => Answer::Refused(why),
        };
        self.control.answer(client, answer);
    }

    fn leave(&mut self, reason: &ExitReason) {
        match reason {
            ExitReason::Stopped => {
                self.state.close();
                self.disarm_watchdog();
                self.company.stop(self.clock.mono(), &self.log);
                self.exit = Some(0);
            }
            ExitReason::Upgrade => self.exit = Some(guardian::UPGRADE),
            ExitReason::ToBeFenced { resource } => {
                self.log.write(
                    crate::cluster::Level::Crit,
                    format!("{resource} does not stop: falling silent, so that the other node fences this machine"),
                );
                self.exit = Some(1);
            }
            ExitReason::Reboot { resource } => self.reboot(&format!("{resource} does not stop")),
        }
    }

    /// Resets this machine, because nothing less keeps it from running what another node will start.
    pub(super) fn reboot(&mut self, why: &str) {
        self.log.write(crate::cluster::Level::Crit, format!("{why}: rebooting this machine"));
        self.exit = Some(1);
        // A lab or a test that lives under another directory shares the machine with others.
        if self.options.paths == Paths::system() {
            nix::unistd::sync();
            let _ = nix::sys::reboot::reboot(nix::sys::reboot::RebootMode::RB_AUTOBOOT);
        }
    }

    fn status(&self) -> client::Status {
        let now = self.clock.mono();
        let view = self.cluster.view(now);
        let ms = |at: crate::time::Mono| millis(now.since(at));
        client::Status {
            version: 1,
            program: env!("CARGO_PKG_VERSION").to_owned(),
            pid: self.guardian.pid(),
            core: std::process::id(),
            up_for_ms: millis(now.elapsed()),
            me: view.me.to_string(),
            nodes: nodes(&view),
            groups: view
                .groups
                .iter()
                .map(|group| client::Group {
                    key: group.key.clone(),
                    owner: group.owner.to_string(),
                    resources: group.resources.clone(),
                    state: group_state(group.state).to_owned(),
                    for_ms: ms(group.since),
                    held_by_peer: group.held_by_peer,
                    running: group.running.clone(),
                    failure: group.failure.clone(),
                })
                .collect(),
            rscstatus: view.rscstatus.clone(),
            waiting_for: view.waiting_for.clone(),
            stable: view.stable,
            leaving: view.leaving,
            auto_failback: view.auto_failback.as_str().to_owned(),
            away: view.away.clone(),
            drift: view.drift.clone(),
            fencing: view.fences.clone(),
            deadtime_ms: millis(self.config.settings.deadtime),
            enough_deadtime_ms: view.enough_deadtime.map(millis),
            least_deadtime_ms: view.least_deadtime.map(millis),
            loop_late_ms: self.worst_lateness(),
            peer: view.mirror.as_ref().map(|mirror| client::Peer {
                said_ms: ms(mirror.at),
                program: mirror.program.clone(),
                links: mirror.links.clone(),
                failed: mirror.failed.clone(),
            }),
            last_takeover_ms: view.last_takeover.map(ms),
            last_change_ms: ms(view.last_change),
        }
    }
}

/// Milliseconds with a tenth.
fn fine(time: Duration) -> f64 {
    (time.as_secs_f64() * 10_000.0).round() / 10.0
}

fn nodes(view: &View) -> Vec<client::Node> {
    let link = |link: &crate::cluster::LinkView| client::Link {
        medium: link.medium.to_string(),
        up: link.up,
        last_heard_ms: link.last_heard.map(millis),
        failure: link.failure.clone(),
        gaps: link.gaps.map(|gaps| client::Gaps {
            count: gaps.count,
            median_ms: fine(gaps.median),
            p999_ms: fine(gaps.p999),
            worst_ms: fine(gaps.worst),
        }),
    };
    view.nodes
        .iter()
        .map(|node| client::Node {
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

const fn group_state(state: GroupState) -> &'static str {
    match state {
        GroupState::Free => "free",
        GroupState::Starting => "starting",
        GroupState::Held => "held",
        GroupState::Stopping => "stopping",
        GroupState::Failed => "failed",
        GroupState::Blocked => "blocked",
    }
}

/// The original's `rc.d/status` moves groups by itself; beside this daemon that would start them twice.
fn is_takeover_script(program: &std::path::Path) -> bool {
    std::fs::read(program).is_ok_and(|text| text.windows(9).any(|word| word == b"mach_down"))
}
