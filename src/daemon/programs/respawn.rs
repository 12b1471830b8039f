//! Carries out what `respawn_rules` decides: starts the programs of `ha.cf` under their users, hears of their ends, ends them.
//! A program a dead predecessor left running is ended first: two of the same would meet at the socket.

use std::collections::BTreeMap;
use std::ffi::CString;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};

use nix::sys::signal::Signal;
use nix::unistd::{Gid, Uid, User, getgrouplist};
use tokio::task::JoinSet;

use crate::cluster::Level;
use crate::config::RespawnLine;
use crate::daemon::life::adopt::LeftProcesses;
use crate::daemon::writing::logging::Log;
use crate::host::called::MYSELF;
use crate::host::environment::Environment;
use crate::host::process::Process;
use crate::host::script::with_core_files;
use crate::host::trust;
use crate::sys;
use crate::time::Mono;

use super::respawn_rules::{Ending, RespawnRules, RespawnStep};

/// The programs of `respawn` that run, and what is to be done with them.
#[derive(Debug)]
pub(crate) struct RespawnedPrograms {
    rules: RespawnRules,
    tasks: JoinSet<(usize, Ending)>,
    before: LeftProcesses,
    /// When those that were started were: a number alone may be another one's after the end.
    known: BTreeMap<u32, Process>,
    /// Those that run have changed since [`RespawnedPrograms::take_changed`].
    changed: bool,
}

/// What the loop hears of them.
#[derive(Debug)]
pub(crate) enum RespawnEvent {
    /// One ended.
    Ended(usize, Ending),
    /// Those of a predecessor are gone.
    PredecessorsGone,
}

impl RespawnedPrograms {
    /// Those of `ha.cf`, and what a predecessor left.
    pub(crate) fn new(lines: &[RespawnLine], before: LeftProcesses) -> RespawnedPrograms {
        let (rules, known) = (RespawnRules::new(lines), BTreeMap::new());
        RespawnedPrograms { rules, tasks: JoinSet::new(), before, known, changed: false }
    }

    /// The next that happens; never, while nothing can. Cancel safe.
    pub(crate) async fn next(&mut self) -> RespawnEvent {
        tokio::select! {
            _ = self.before.gone() => RespawnEvent::PredecessorsGone,
            Some(ended) = self.tasks.join_next() => match ended {
                Ok((index, how)) => RespawnEvent::Ended(index, how),
                // A task of ours neither panics nor is aborted.
                Err(_) => std::future::pending().await,
            },
        }
    }

    /// When [`RespawnedPrograms::serve`] wants to be called.
    pub(crate) fn next_deadline(&self) -> Option<Mono> {
        self.rules.next_deadline().filter(|_| !self.before.any())
    }

    /// Ends what a predecessor left; must be called inside the runtime.
    pub(crate) fn watch_leftovers(&mut self) {
        self.before.watch();
    }

    /// Whether [`RespawnedPrograms::begin`] was called.
    pub(crate) fn has_begun(&self) -> bool {
        self.rules.has_begun()
    }

    /// The communication is up; to be called once.
    pub(crate) fn begin(&mut self, now: Mono, environment: &Environment, log: &Log) -> Option<String> {
        self.rules.begin();
        self.serve(now, environment, log)
    }

    /// Does what is due; returns whose death wants a reboot.
    pub(crate) fn serve(&mut self, now: Mono, environment: &Environment, log: &Log) -> Option<String> {
        if self.before.any() {
            return None;
        }
        let steps = self.rules.due(now);
        self.obey(steps, now, environment, log)
    }

    /// The files were read again: what was refused is looked at again, at the next [`RespawnedPrograms::serve`].
    pub(crate) fn try_refused(&mut self, now: Mono) {
        self.rules.try_refused(now);
    }

    /// One ended.
    pub(crate) fn ended(&mut self, index: usize, how: Ending, now: Mono, log: &Log) -> Option<String> {
        self.changed = true;
        let steps = self.rules.ended(index, how, now);
        self.obey(steps, now, &Environment::default(), log)
    }

    /// The node is leaving: what ends now stays so.
    pub(crate) fn no_more(&mut self) {
        self.rules.no_more();
    }

    /// Stops them all, the last first.
    pub(crate) fn stop(&mut self, now: Mono, log: &Log) {
        let steps = self.rules.stop(now);
        self.obey(steps, now, &Environment::default(), log);
    }

    /// Whether none runs.
    pub(crate) fn is_over(&self) -> bool {
        self.rules.is_over()
    }

    /// Those that run, when that has changed.
    pub(crate) fn take_changed(&mut self) -> Option<Vec<Process>> {
        let changed = std::mem::take(&mut self.changed);
        changed.then(|| self.rules.pids().into_iter().filter_map(|pid| self.known.get(&pid).copied()).collect())
    }

    fn obey(&mut self, steps: Vec<RespawnStep>, now: Mono, environment: &Environment, log: &Log) -> Option<String> {
        let mut reboot = None;
        for step in steps {
            match step {
                RespawnStep::Start(index) => self.start(index, now, environment, log),
                RespawnStep::Terminate(pid) => self.end(pid, Signal::SIGTERM),
                RespawnStep::Kill(pid) => self.end(pid, Signal::SIGKILL),
                RespawnStep::Reboot(words) => reboot = Some(words),
                RespawnStep::Log(level, text) => log.write(level, text),
            }
        }
        reboot
    }

    /// The process group: what the shell or the program started goes with it.
    fn end(&self, pid: u32, signal: Signal) {
        self.known.get(&pid).into_iter().for_each(|process| process.signal_group(signal));
    }

    fn start(&mut self, index: usize, now: Mono, environment: &Environment, log: &Log) {
        let line = self.rules.line(index).clone();
        let words = line.command.join(" ");
        let started = user_of(&line.user).and_then(|user| {
            log.info(format!("Starting child client \"{words}\" ({},{})", user.uid, user.gid));
            spawn(&line, user, environment)
        });
        match started {
            Ok(mut child) => {
                let pid = child.id().unwrap_or(0);
                log.info(format!("Starting \"{words}\" as user {} (pid {pid})", line.user));
                self.rules.started(index, pid, now);
                // It is not reaped before its task is waited for.
                let running = self.rules.pids();
                self.known.retain(|known, _| running.contains(known));
                self.known.extend(Process::running(pid).map(|process| (pid, process)));
                self.changed = true;
                self.tasks.spawn(async move { (index, ending(child.wait().await.unwrap_or_default())) });
            }
            Err(why) => {
                self.rules.refused(index);
                log.write(Level::Error, format!("Client \"{words}\" is not started: {why}"));
            }
        }
    }
}

#[derive(Debug)]
struct UserAccount {
    uid: Uid,
    gid: Gid,
    groups: Vec<u32>,
}

/// A user by name or number, with all its groups.
fn user_of(name: &str) -> Result<UserAccount, String> {
    let by_number = || name.parse().ok().and_then(|uid| User::from_uid(Uid::from_raw(uid)).ok().flatten());
    let user = User::from_name(name).ok().flatten().or_else(by_number);
    let Some(user) = user else { return Err(format!("there is no user \"{name}\"")) };
    let groups = CString::new(user.name.clone())
        .ok()
        .and_then(|name| getgrouplist(&name, user.gid).ok())
        .unwrap_or_else(|| vec![user.gid]);
    Ok(UserAccount { uid: user.uid, gid: user.gid, groups: groups.into_iter().map(Gid::as_raw).collect() })
}

fn spawn(line: &RespawnLine, user: UserAccount, environment: &Environment) -> Result<tokio::process::Child, String> {
    let path = line.command.first().map(String::as_str).unwrap_or_default();
    // Whoever can change it has the rights of its user.
    let found = trust::program(Path::new(path)).map_err(|refusal| refusal.to_string())?;
    let mut command = if found.is_some() {
        // As the original: quotes, variables and redirections of the line are for the shell.
        let mut command = Command::new("/bin/sh");
        command.args(["-c", &format!("exec {}", line.command.join(" "))]);
        command
    } else if is_ours(path) {
        // `ps` shows it as the program that lay there.
        let mut command = Command::new(MYSELF);
        command.arg0(path).args(&line.command[1..]);
        command
    } else {
        return Err(format!("{path} is not an executable file (any more)"));
    };
    let environment = environment.in_their_language();
    command
        .env_clear()
        .envs(environment.variables())
        .current_dir(&environment.directory)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0);
    sys::start_as(&mut command, user.uid.as_raw(), user.gid.as_raw(), user.groups);
    let start = || tokio::process::Command::from(command).spawn();
    with_core_files(environment.core_files, start).map_err(|error| format!("{path}: {error}"))
}

/// The programs of the original that are part of this one, for an `ha.cf` that names where they were.
fn is_ours(path: &str) -> bool {
    path.rsplit('/').next().is_some_and(|name| ["ipfail", "dopd"].contains(&name))
}

fn ending(status: ExitStatus) -> Ending {
    status.signal().map_or_else(|| Ending::Code(status.code().unwrap_or(0)), Ending::Signal)
}
