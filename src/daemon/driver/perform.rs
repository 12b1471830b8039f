//! Carrying out what the core asks for: one function for each kind of action.

use std::time::Duration;

use crate::agent::{self, Place};
use crate::clock::since_boot;
use crate::cluster::{Action, Event, ExitReason, Request, Response, Set, phrases};
use crate::daemon::doors::question::Question;
use crate::daemon::life::identity::PeerHeard;
use crate::daemon::life::watchdog::Watchdog;
use crate::daemon::life::{in_force, own_supervisor};
use crate::daemon::programs::children::Ended;
use crate::haresources::{Invocation, Outcome, Verb};
use crate::host::lookup::{Call, FoundAgent, own_agent};
use crate::host::script::Output;
use crate::link::Urgency;
use crate::names::{ClientId, JobId, NodeName};
use crate::paths::Paths;
use crate::status::{Answer, Ask};
use crate::wire::{Form, Kind, Message, field, seal, seal_ping};

use super::Driver;

impl Driver {
    pub(crate) fn perform(&mut self, action: Action) {
        match action {
            Action::Send(message) => self.send(&message),
            Action::Run { job, invocation, limit } => {
                // What is asked again and again while nothing moves is not logged.
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
            Action::Notify(message) => self.run_notification_script(message),
            Action::Deliver { class, message } => self.deliver(class, &message),
            Action::Reply { client, response } => self.reply(client, response),
            Action::Report(report) => self.write_report(report),
            Action::Remember { node, generation, sequence, ahead } => {
                self.remembered.remember(PeerHeard { node, generation, sequence, ahead });
            }
            Action::Forget { node } => self.remembered.forget(&node),
            Action::WriteNotes(kept) => {
                let kept = self.notes.keep(kept);
                self.complain(kept);
            }
            Action::Alive => {
                self.feed_watchdog();
                self.look_at_disk();
            }
            Action::Exit(reason) => self.leave(&reason),
        }
    }

    fn send(&mut self, message: &Message) {
        log::trace!("send {message}");
        let keys = self.intake.keyring();
        let form = Form::for_datagrams(self.config.netstring);
        let urgency = self.send_queue.urgency(message);
        self.links.broadcast(&seal(message, keys, form), &seal(message, keys, Form::Classic), urgency);
        if message.kind() == Kind::Status && urgency != Urgency::Again {
            self.links.expect_beat(self.config.settings.keepalive);
            let patience = Duration::from_millis(message.hex(field::DT).unwrap_or(0));
            self.notes.alive(since_boot(), patience);
            self.links.ping_all(|node| seal_ping(node, message, "ping", keys, form));
            self.feed_watchdog();
        }
    }

    pub(crate) fn run_script(&mut self, job: JobId, invocation: &Invocation, limit: Duration) {
        if self.left_scripts.any() {
            return self.left_scripts.hold_back(job, invocation.clone(), limit);
        }
        let name = &invocation.resource.agent;
        let failure = match self.places.find(name) {
            Ok(found @ (FoundAgent::Script(_) | FoundAgent::Unit(_))) => {
                found.call(invocation).map(|call| self.units.stop_in_time(call, invocation)).and_then(|call| {
                    self.start_child(job, &call, invocation.verb, limit, matches!(found, FoundAgent::Unit(_)))
                })
            }
            Ok(FoundAgent::Ours) => self.run_ours(job, invocation, limit),
            Err(why) => Some(why),
        };
        let Some(why) = failure else { return drop(self.unrunnable.remove(name)) };
        // What is asked again and again is answered once in the log.
        let is_news = self.unrunnable.insert(name.clone(), why.clone()).is_none_or(|before| before != why);
        if is_news || invocation.verb != Verb::Status {
            self.log.error(&why);
        }
        self.soon_done(job, Outcome::not_found(why));
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
                self.soon_done(job, answer.into_outcome());
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
        let ended = move |outcome| Ended::Resource(job, FoundAgent::judge(unit, verb, outcome));
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
                let written = self.notes.job_started(job, pid, since_boot() + limit);
                self.complain(written);
                None
            }
            Err(error) => Some(format!("cannot run {}: {error}", call.program.to_string_lossy())),
        }
    }

    /// A job that is over already: the core hears of it next.
    pub(super) fn soon_done(&mut self, job: JobId, outcome: Outcome) {
        self.soon.push_back(Event::Done { job, outcome });
    }

    fn feed_watchdog(&mut self) {
        if let Some((level, text)) = self.watchdog.as_mut().and_then(Watchdog::feed) {
            self.log.write(level, text);
        }
    }

    fn look_at_disk(&mut self) {
        if let Some((level, text)) = self.disk_watch.look(&self.log.disk(), self.clock.mono()) {
            self.log.write(level, text);
        }
    }

    /// What an operator forced us to leave running is still guarded: the other node starts it after deadtime.
    fn disarm_watchdog(&mut self) {
        let Some(watchdog) = self.watchdog.take() else { return };
        if self.notes.claims_anything() {
            self.log.warn("the watchdog stays armed, because resources run on: it will reset this machine");
        } else if let Some((level, text)) = watchdog.disarm() {
            self.log.write(level, text);
        }
    }

    /// What could not be written is said once (`state`).
    pub(crate) fn complain(&self, written: Result<(), String>) {
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

    pub(super) fn on_question(&mut self, question: Question) {
        let request = match &question.ask {
            Ask::Status => {
                let status = self.status();
                return self.control.answer(question.asker, Answer::Status(Box::new(status)));
            }
            Ask::Reload => {
                self.keep_request(&question.by, "reload");
                let reread = self.reload();
                let accepted = reread.is_ok();
                let said = reread.unwrap_or_else(|errors| errors);
                return self.control.answer(question.asker, Answer::Reread { accepted, said });
            }
            Ask::Retry { group } => Some(Request::Retry(group.clone())),
            Ask::Move { group, to: None } => Some(Request::Move(group.clone(), None)),
            Ask::Move { group, to: Some(to) } => match NodeName::new(to) {
                Some(to) => Some(Request::Move(group.clone(), Some(to))),
                None => return self.control.answer(question.asker, Answer::Refused(no_name(to))),
            },
            Ask::Bring { group } => Some(Request::Bring(group.clone())),
            Ask::Forget { node } => match NodeName::new(node) {
                Some(node) => Some(Request::Forget(node)),
                None => return self.control.answer(question.asker, Answer::Refused(no_name(node))),
            },
            Ask::Standby { set } => Set::from_text(set).map(Request::Standby),
            Ask::Takeover { set } => Set::to_take(set).map(Request::Takeover),
        };
        match &question.ask {
            Ask::Status | Ask::Reload => {}
            Ask::Retry { group } => self.keep_request(&question.by, &format!("retry {group}")),
            Ask::Move { group, to } => {
                let to = to.as_ref().map_or_else(String::new, |to| format!(" {to}"));
                self.keep_request(&question.by, &format!("move {group}{to}"));
            }
            Ask::Bring { group } => self.keep_request(&question.by, &format!("req_resource {group}")),
            Ask::Forget { node } => self.keep_request(&question.by, &format!("forget-peer {node}")),
            Ask::Standby { set } => self.keep_request(&question.by, &format!("standby {set}")),
            Ask::Takeover { set } => self.keep_request(&question.by, &format!("takeover {set}")),
        }
        match request {
            Some(request) => self.tell(Event::Request { client: question.asker, request, by: question.by }),
            None => {
                let why = "no such set: say all, local, foreign or failback".to_owned();
                self.control.answer(question.asker, Answer::Refused(why));
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
                self.notes.close();
                if !self.notes.claims_anything() {
                    in_force::forget(&self.options.paths);
                }
                self.disarm_watchdog();
                self.respawned.stop(self.clock.mono(), &self.log);
                self.exit = Some(0);
            }
            ExitReason::Upgrade => self.exit = Some(own_supervisor::UPGRADE),
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
    pub(crate) fn reboot(&mut self, why: &str) {
        self.log.write(crate::cluster::Level::Crit, format!("{why}: {}", phrases::REBOOTS));
        self.exit = Some(1);
        // A lab or a test that lives under another directory shares the machine with others.
        if self.options.paths == Paths::system() {
            // A disk that hangs must not keep this machine up until the other node believes it dead.
            let disk = self.log.disk();
            disk.later(nix::unistd::sync);
            disk.settle_within(self.config.settings.deadtime / 2);
            let _ = nix::sys::reboot::reboot(nix::sys::reboot::RebootMode::RB_AUTOBOOT);
        }
    }
}

fn no_name(word: &str) -> String {
    format!("\"{word}\" is no name of a node")
}
