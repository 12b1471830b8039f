//! The loop: wait for the next event or deadline, tell the core, carry out what it asks for.
//!
//! When a deadline has passed, what had arrived by then is handed over first, and no more than that, so that neither a
//! punctual peer is judged unheard nor a flood starves our own heartbeat (`house.md` 5).
//!
//! ```text
//! deadline_timer ──> mod.rs ──> the core ──> perform: its actions, one by one
//!                    mod.rs ──> units, service     units of systemd that belong to groups; what systemd is told
//! perform ──> fence, probe (carrier), notify_command, notification_scripts, journal_entries
//! api_clients, keys, reload ──> wants   what was refused at a start and is tried again
//! status: the answer to `latido status`           send_queue: what is sent when, and who waits
//! ```

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::time::Duration;

use crate::agent::Net;
use crate::clock::Clock;
use crate::cluster::{Cluster, Event, MediumCondition};
use crate::config::Config;
use crate::haresources::{Invocation, Outcome};
use crate::host::disk_thread::DiskWatch;
use crate::host::environment::Environment;
use crate::host::lookup::ProgramPlaces;
use crate::host::pidfile;
use crate::host::script_log::ScriptLog;
use crate::link::{LinkEvent, Links};
use crate::names::JobId;
use crate::time::{Mono, Now};
use crate::wire::{Intake, Kind, field, parse_fifo};

use super::doors::api_socket::SocketEvent;
use super::doors::control::Control;
use super::doors::fifo::Fifo;
use super::driver::api_clients::ApiConnections;
use super::driver::deadline_timer::DeadlineTimer;
use super::driver::journal_entries::{Lateness, Repeatable};
use super::driver::notification_scripts::NotificationScripts;
use super::driver::notify_command::NotifyQueue;
use super::driver::send_queue::SendQueue;
use super::driver::service::ToServiceManager;
use super::driver::units::Units;
use super::driver::wants::{Want, Wants};
use super::life::adopt::LeftProcesses;
use super::life::identity::Remembered;
use super::life::notes::NotesFile;
use super::life::own_supervisor::{ENDS, OwnSupervisor, READY, STOPPING};
use super::life::signals::{Signal, Signals};
use super::life::watchdog::Watchdog;
use super::options::DaemonOptions;
use super::programs::children::{Children, Ended};
use super::programs::respawn::{RespawnEvent, RespawnedPrograms};
use super::terms::Terms;
use super::writing::journal::JournalWriter;
use super::writing::logging::Log;
use super::writing::rate_limit::RateLimit;
use super::writing::recorder::Recorder;

/// A running node and everything it touches.
pub(super) struct Driver {
    options: DaemonOptions,
    config: Config,
    clock: Clock,
    log: Log,
    links: Links,
    intake: Intake,
    cluster: Cluster,
    children: Children,
    environment: Environment,
    places: ProgramPlaces,
    net: Option<Net>,
    control: Control,
    api_clients: ApiConnections,
    send_queue: SendQueue,
    remembered: Remembered,
    notification_scripts: NotificationScripts,
    notify_queue: NotifyQueue,
    journal: JournalWriter,
    /// Scripts that run for the cluster, and since when.
    runs: BTreeMap<JobId, (String, Mono)>,
    /// Agents whose script could not be run when it was last wanted, and why.
    unrunnable: BTreeMap<String, String>,
    lateness: Lateness,
    disk_watch: DiskWatch,
    deadline_timer: DeadlineTimer,
    /// Events that carrying out an action caused at once.
    soon: VecDeque<Event>,
    exit: Option<u8>,
    own_supervisor: OwnSupervisor,
    wants: Wants,
    left_scripts: LeftProcesses,
    respawned: RespawnedPrograms,
    watchdog: Option<Watchdog>,
    notes: NotesFile,
    service: ToServiceManager,
    units: Units,
    recorder: Option<Recorder>,
    rate_limit: RateLimit<Repeatable>,
    fifo: Fifo,
    signals: Signals,
}

/// What was there before the loop.
#[derive(Debug)]
pub(super) struct Prepared {
    pub terms: Terms,
    pub own_supervisor: OwnSupervisor,
    pub left_scripts: LeftProcesses,
    pub respawned: RespawnedPrograms,
    pub notes: NotesFile,
    pub recorder: Option<Recorder>,
    pub remembered: Remembered,
    /// After how long without a sign of life the service manager believes us dead.
    pub limit: Option<Duration>,
}

/// Why the loop woke.
enum Woken {
    Deadline,
    Link(LinkEvent),
    Child(Ended),
    Fifo(String),
    Control(super::doors::question::Question),
    Signal(Signal),
    LeftScriptsGone(Vec<(JobId, Invocation, Duration)>),
    SupervisorGone,
    RespawnedPrograms(RespawnEvent),
    ApiClients(SocketEvent),
}

impl Driver {
    /// Opens what is left to open; must be called inside the runtime.
    pub(super) fn new(
        options: DaemonOptions,
        config: Config,
        clock: Clock,
        log: Log,
        links: Links,
        cluster: Cluster,
        prepared: Prepared,
    ) -> io::Result<Driver> {
        let Prepared { mut terms, own_supervisor, left_scripts, respawned, notes, recorder, remembered, limit } =
            prepared;
        let watchdog = open_watchdog(&config, &log);
        let intake = Intake::new(config.keyring.clone());
        let paths = &options.paths;
        let net = Net::open(config.announce, paths.rsctmp())
            .inspect_err(|error| log.warn(format!("no built-in IPaddr: {error}")))
            .ok();
        let (socket, pipe) = (paths.control_socket(), paths.fifo());
        let control = match Control::open(paths) {
            Ok(control) => control,
            Err(error) => terms
                .do_without(Want::Control, format!("{}: {error}", socket.display()), &log)
                .map(|()| Control::deaf(&socket))
                .map_err(io::Error::other)?,
        };
        let fifo = match Fifo::open(&pipe) {
            Ok(fifo) => fifo,
            Err(error) => terms
                .do_without(Want::Fifo, format!("{}: {error}", pipe.display()), &log)
                .map(|()| Fifo::absent())
                .map_err(io::Error::other)?,
        };
        Ok(Driver {
            environment: Environment::new(
                paths,
                &config,
                std::env::vars_os(),
                ScriptLog::open(&config.logging, log.disk()),
            ),
            places: ProgramPlaces::new(paths),
            control,
            api_clients: ApiConnections::new(&config.apiauth),
            send_queue: SendQueue::default(),
            fifo,
            signals: Signals::listen()?,
            remembered,
            children: Children::default(),
            notification_scripts: NotificationScripts::default(),
            notify_queue: NotifyQueue::default(),
            journal: JournalWriter::open(&paths.journal(), &log),
            runs: BTreeMap::new(),
            unrunnable: BTreeMap::new(),
            lateness: Lateness::default(),
            disk_watch: DiskWatch::default(),
            deadline_timer: DeadlineTimer::new()?,
            soon: VecDeque::new(),
            exit: None,
            own_supervisor,
            wants: terms.wants,
            left_scripts,
            respawned,
            watchdog,
            notes,
            service: ToServiceManager::new(limit),
            units: Units::default(),
            recorder,
            rate_limit: RateLimit::default(),
            net,
            options,
            config,
            clock,
            log,
            links,
            intake,
            cluster,
        })
    }

    /// Runs until the core says that it is over.
    pub(super) async fn run(mut self) -> u8 {
        self.respawned.watch_leftovers();
        let _ = self.serve_page();
        let left_scripts = self.left_scripts.watch();
        if left_scripts > 0 {
            self.log.info(format!(
                "{left_scripts} process(es) of the daemon before are still at work: waiting for their end"
            ));
        }
        self.order_units();
        self.tell(Event::Tick);
        self.own_supervisor.say(&[READY]);
        self.get_what_is_wanted();
        loop {
            // A node that leaves in order waits for those beside it.
            if let Some(code) = self.exit.filter(|code| *code != 0 || self.respawned.is_over()) {
                self.say_all();
                self.links.flush(Duration::from_millis(300)).await;
                self.own_supervisor.say(&[ENDS, code]);
                return code;
            }
            let woken = self.wait().await;
            self.react(woken);
            self.send_waiting();
        }
    }

    /// The status page, where one is wanted: `false` when it cannot be had.
    pub(super) fn serve_page(&mut self) -> bool {
        let Some(address) = self.config.latido.listen else { return true };
        let Err(error) = self.control.serve_page(address, &self.config.settings.me) else { return true };
        let why = format!("listen {address}: {error}: no status page of ours, whatever answers there");
        if !self.wants.has(Want::Page) {
            self.log.warn(&why);
            self.wants.add(Want::Page, why);
        }
        false
    }

    async fn wait(&mut self) -> Woken {
        let deadline = self.next_deadline();
        tokio::select! {
            // The deadline first: whatever floods in may not hold up our own heartbeat.
            biased;
            () = self.deadline_timer.reach(&self.clock, deadline) => Woken::Deadline,
            ended = self.children.next() => Woken::Child(ended),
            signal = self.signals.next() => Woken::Signal(signal),
            () = self.own_supervisor.gone() => Woken::SupervisorGone,
            runs = self.left_scripts.gone() => Woken::LeftScriptsGone(runs),
            event = self.respawned.next() => Woken::RespawnedPrograms(event),
            question = self.control.next() => Woken::Control(question),
            text = self.fifo.next(), if !self.send_queue.is_tight() => Woken::Fifo(text),
            // By chance, so that neither a flood of packets nor one of requests starves the other.
            woken = async {
                tokio::select! {
                    event = self.links.next() => Woken::Link(event),
                    heard = self.api_clients.next() => Woken::ApiClients(heard),
                }
            } => woken,
        }
    }

    fn next_deadline(&self) -> Option<Mono> {
        let repeat = self.net.as_ref().and_then(Net::next_repeat);
        [
            self.cluster.next_deadline(),
            self.links.next_wake(),
            repeat,
            self.own_supervisor.next_attempt(),
            self.respawned.next_deadline(),
            self.wants.next_attempt(),
            self.next_look_for_room(),
            self.rate_limit.next(),
            self.service.next(),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    fn react(&mut self, woken: Woken) {
        match woken {
            Woken::Deadline => self.on_deadline(),
            Woken::Link(event) => self.on_link(event),
            Woken::Child(ended) => self.on_child(ended),
            Woken::Fifo(text) => self.on_fifo(&text),
            Woken::Control(question) => self.on_question(question),
            Woken::Signal(signal) => self.on_signal(signal),
            Woken::LeftScriptsGone(runs) => self.on_left_scripts_gone(runs),
            Woken::SupervisorGone => self.on_supervisor_gone(),
            Woken::RespawnedPrograms(event) => self.on_respawn_event(&event),
            Woken::ApiClients(heard) => self.on_heard(heard),
        }
    }

    fn on_child(&mut self, ended: Ended) {
        match ended {
            Ended::Resource(job, outcome) => self.on_job_ended(job, outcome),
            Ended::Agent(job, call, outcome) => {
                for line in outcome.said.lines().filter(|line| !line.is_empty() && *line != "INFO:  Success") {
                    let line = format!("{call}: {line}");
                    if outcome.succeeded() { self.log.info(line) } else { self.log.error(line) }
                }
                self.on_job_ended(job, outcome);
            }
            Ended::NotifyCommand(number, exit) => self.on_notify_command_ended(number, &exit),
            Ended::NotificationScript(kind, exit) => self.on_notification_script_ended(&kind, &exit),
        }
    }

    fn on_job_ended(&mut self, job: JobId, outcome: Outcome) {
        self.notes.job_ended(job);
        self.tell(Event::Done { job, outcome });
    }

    fn on_deadline(&mut self) {
        self.links.begin_drain();
        while let Some(event) = self.links.try_next() {
            self.on_link(event);
        }
        let now = self.clock.mono();
        if self.links.next_wake().is_some_and(|at| at <= now) {
            self.links.retry();
        }
        let conflicts = self.net.as_mut().map(|net| net.repeat(now)).unwrap_or_default();
        conflicts.into_iter().for_each(|conflict| self.on_conflict(conflict));
        if self.rate_limit.next().is_some_and(|at| at <= now) {
            self.say_what_was_held_back();
        }
        if let Some(due) = self.cluster.next_deadline().filter(|at| *at <= now) {
            self.lateness.add(now, now.since(due));
            self.tell(Event::Tick);
        }
        if self.own_supervisor.next_attempt().is_some_and(|at| at <= now) {
            self.start_own_supervisor();
        }
        if self.wants.next_attempt().is_some_and(|at| at <= now) {
            self.get_what_is_wanted();
        }
        if self.service.next().is_some_and(|at| at <= now) {
            self.tell_service();
        }
        if self.respawned.next_deadline().is_some_and(|at| at <= now) {
            let wanted = self.respawned.serve(now, &self.environment, &self.log);
            self.keep_respawned(wanted);
        }
    }

    fn on_left_scripts_gone(&mut self, runs: Vec<(JobId, Invocation, Duration)>) {
        for (job, invocation, limit) in runs {
            self.run_script(job, &invocation, limit);
        }
        self.hear_what_that_caused();
    }

    fn on_respawn_event(&mut self, event: &RespawnEvent) {
        let now = self.clock.mono();
        let wanted = match event {
            RespawnEvent::Ended(index, how) => {
                self.audit_clients();
                self.respawned.ended(*index, *how, now, &self.log)
            }
            RespawnEvent::PredecessorsGone => self.respawned.serve(now, &self.environment, &self.log),
        };
        self.keep_respawned(wanted);
    }

    /// The programs of `respawn` that run are written down; the machine is rebooted when one with `failfast` died.
    fn keep_respawned(&mut self, wants_reboot: Option<String>) {
        if let Some(running) = self.respawned.take_changed() {
            let written = self.notes.respawned(running);
            self.complain(written);
        }
        if let Some(words) = wants_reboot {
            self.reboot(&format!("{words} died, and ha.cf says failfast"));
        }
    }

    fn on_supervisor_gone(&mut self) {
        // Heard by the service manager before the death is, there is no moment in which it thinks that we are gone.
        super::life::service::tell(&[sd_notify::NotifyState::MainPid(std::process::id())]);
        self.log.error("The supervisor died. This daemon goes on and starts another.");
        self.start_own_supervisor();
    }

    fn start_own_supervisor(&mut self) {
        let now = self.clock.mono();
        let written = self.own_supervisor.replace(&self.options, now).and_then(|()| {
            let pid = self.own_supervisor.pid();
            pidfile::write(&self.options.paths.pid_file, pid)?;
            Ok(pid)
        });
        match written {
            Ok(pid) => self.log.info(format!("supervised by pid {pid} from now on")),
            Err(error) => self.log.error(format!("no supervisor: {error}; if this daemon dies nobody starts it again")),
        }
    }

    fn on_link(&mut self, event: LinkEvent) {
        match event {
            LinkEvent::Bytes { link, at, stream } => self.on_bytes(link, at, stream),
            LinkEvent::Failed { link, reason } => {
                let medium = self.links.id(link).clone();
                self.tell(Event::Medium { medium, condition: MediumCondition::Failed(reason) });
            }
            LinkEvent::Restored { link } => {
                let medium = self.links.id(link).clone();
                self.intake.hung_up(&medium);
                self.tell(Event::Medium { medium, condition: MediumCondition::Working });
            }
        }
    }

    fn on_bytes(&mut self, link: usize, at: Mono, stream: bool) {
        let medium = self.links.id(link).clone();
        for result in self.intake.take(&medium, stream, self.links.bytes()) {
            match result {
                Ok((message, key)) => {
                    let status = message.kind() == Kind::Status;
                    let from = message.get(field::SRC).filter(|_| status).map(str::to_owned);
                    self.tell(Event::Message { medium: medium.clone(), at, message });
                    from.into_iter().for_each(|node| self.choose_key(&node, key));
                }
                Err(reject) => self.on_reject(&medium, reject),
            }
        }
    }

    fn on_fifo(&mut self, text: &str) {
        for message in parse_fifo(text.as_bytes()).into_iter().flatten() {
            if self.notification_scripts.is_said_by_a_helper(&message.kind()) {
                log::debug!("a script of rc.d says {}: this daemon does that itself", message.kind());
                continue;
            }
            if matches!(message.kind(), Kind::AskResources | Kind::HbTakeover) {
                let set = message.get(field::RSC_HOLD).unwrap_or("all").chars().take(32).collect::<String>();
                let what = if message.kind() == Kind::HbTakeover { "hb_takeover" } else { "hb_standby" };
                self.keep_request("a program on this machine", &format!("{what} {set}"));
            }
            if self.may_be_said(&message, "a program on this machine") {
                self.tell(Event::Local(message));
            }
        }
        // Who writes here waits, too.
        self.has_room();
    }

    fn on_signal(&mut self, signal: Signal) {
        match signal {
            Signal::Leave => {
                self.own_supervisor.say(&[STOPPING]);
                self.respawned.no_more();
                self.tell(Event::Leave);
            }
            Signal::Reload => drop(self.reload()),
            Signal::Upgrade => self.tell(Event::Upgrade),
            Signal::Interrupt => {
                self.log.info("SIGINT ends no heartbeat; `heartbeat -k` does, and SIGTERM");
            }
            Signal::Alarm => {
                self.log.error(format!("Unexpected alarm in process {}", std::process::id()));
            }
            Signal::Louder | Signal::Quieter => {
                let level = self.log.change_debug(signal == Signal::Louder);
                self.log.info(format!("debug now set to {level} [pid {}]", std::process::id()));
            }
        }
    }

    /// Tells the core, obeys it, and goes on with whatever that caused at once.
    pub(super) fn tell(&mut self, event: Event) {
        self.soon.push_back(event);
        self.hear_what_that_caused();
    }

    pub(super) fn hear_what_that_caused(&mut self) {
        while let Some(event) = self.soon.pop_front() {
            log::trace!("{event:?}");
            if let Event::Done { job, outcome } = &event {
                self.on_run_ended(*job, outcome);
            }
            let now = self.clock.now();
            self.record(now, &event);
            for action in self.cluster.handle(now, event) {
                self.perform(action);
            }
        }
        self.pause_clients();
        if !self.respawned.has_begun() && self.cluster.is_active() {
            self.open_api();
            let wanted = self.respawned.begin(self.clock.mono(), &self.environment, &self.log);
            self.keep_respawned(wanted);
        }
    }

    /// Before the core hears of it: what kills the core is to be the last line.
    fn record(&mut self, now: Now, event: &Event) {
        if let Some(Err(why)) = self.recorder.as_mut().map(|recorder| recorder.record_event(now, event)) {
            self.recorder = None;
            self.log.error(why);
        }
    }
}

fn open_watchdog(config: &Config, log: &Log) -> Option<Watchdog> {
    let (watchdog, lines) = Watchdog::open(config.watchdog.as_ref()?, config.settings.deadtime);
    lines.into_iter().for_each(|(level, text)| log.write(level, text));
    watchdog
}

mod api_clients;
mod carrier;
mod deadline_timer;
mod fence;
mod journal_entries;
mod keys;
mod notification_scripts;
mod notify_command;
mod perform;
pub(super) mod probe;
mod reload;
mod send_queue;
pub(super) mod service;
mod status;
#[cfg(test)]
mod tests;
mod units;
pub(super) mod wants;
