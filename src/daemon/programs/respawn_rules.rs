//! `respawn` and `failfast` (`resources.md` 8, `api.md` 5): programs that run beside the daemon, under a user of their
//! own, started again when they end, stopped last in the reverse order of `ha.cf`.
//!
//! What is to be done when is decided by [`RespawnRules`], which starts nothing itself; `respawn` does it.

use std::time::Duration;

use crate::cluster::Level;
use crate::config::RespawnLine;
use crate::time::Mono;

/// A program that says so is not started again.
const NEVER_AGAIN: i32 = 100;
/// A shorter run counts.
const SHORT: Duration = Duration::from_secs(30);
/// After a short run the next waits so long.
const PAUSE: Duration = Duration::from_secs(1);
/// So many short runs in a row are the last.
const TOO_MANY: u32 = 11;
/// Between the request to end and the end; the original waits for an hour.
const TIME_TO_END: Duration = Duration::from_secs(5);

/// How a program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// By itself, with this code.
    Code(i32),
    /// By this signal.
    Signal(i32),
}

/// One thing to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RespawnStep {
    /// Start this one and say so with [`RespawnRules::started`] or [`RespawnRules::refused`].
    Start(usize),
    /// Ask the process group of this pid to end.
    Terminate(u32),
    /// End it.
    Kill(u32),
    /// A `failfast` program died: the machine is to be rebooted.
    Reboot(String),
    /// For the log.
    Log(Level, String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ProgramState {
    /// Not yet, or not for a moment.
    Waiting(Mono),
    Running {
        pid: u32,
        since: Mono,
    },
    /// Not as it lies there; asked again when the files are read again.
    Refused,
    /// Not any more.
    Over,
}

#[derive(Debug)]
struct RespawnedProgram {
    line: RespawnLine,
    state: ProgramState,
    short: u32,
}

impl RespawnedProgram {
    fn words(&self) -> String {
        self.line.command.join(" ")
    }
}

/// All of them, in the order of `ha.cf`.
#[derive(Debug, Default)]
pub(crate) struct RespawnRules {
    list: Vec<RespawnedProgram>,
    begun: bool,
    /// The node is leaving: none is started again.
    leaving: bool,
    /// The one being stopped, and when it is killed.
    stopping: Option<(usize, Mono)>,
}

impl RespawnRules {
    /// None of them runs yet.
    pub(crate) fn new(lines: &[RespawnLine]) -> RespawnRules {
        let program = |line: &RespawnLine| RespawnedProgram {
            line: line.clone(),
            state: ProgramState::Waiting(Mono::ZERO),
            short: 0,
        };
        RespawnRules { list: lines.iter().map(program).collect(), begun: false, leaving: false, stopping: None }
    }

    /// What `ha.cf` says of one.
    pub(crate) fn line(&self, index: usize) -> &RespawnLine {
        &self.list[index].line
    }

    /// The communication is up: they may be started. Only the first call counts.
    pub(crate) fn begin(&mut self) {
        self.begun = true;
    }

    /// From now on none is started again.
    pub(crate) fn no_more(&mut self) {
        self.leaving = true;
    }

    /// Whether [`RespawnRules::begin`] was called.
    pub(crate) fn has_begun(&self) -> bool {
        self.begun
    }

    /// Whom to start, or to end, by now.
    pub(crate) fn due(&mut self, now: Mono) -> Vec<RespawnStep> {
        if let Some((index, patience)) = self.stopping {
            return match self.list[index].state {
                ProgramState::Running { pid, .. } if patience <= now => {
                    self.stopping = Some((index, now + TIME_TO_END));
                    let text = format!("killing {} process group {pid} with signal 9", self.list[index].words());
                    vec![RespawnStep::Log(Level::Warn, text), RespawnStep::Kill(pid)]
                }
                ProgramState::Running { .. }
                | ProgramState::Waiting(_)
                | ProgramState::Refused
                | ProgramState::Over => Vec::new(),
            };
        }
        if !self.begun || self.leaving {
            return Vec::new();
        }
        let due = |program: &RespawnedProgram| matches!(program.state, ProgramState::Waiting(at) if at <= now);
        (0..self.list.len()).filter(|index| due(&self.list[*index])).map(RespawnStep::Start).collect()
    }

    /// When [`RespawnRules::due`] wants to be called.
    pub(crate) fn next_deadline(&self) -> Option<Mono> {
        if let Some((_, patience)) = self.stopping {
            return Some(patience);
        }
        let waiting = |program: &RespawnedProgram| match program.state {
            ProgramState::Waiting(at) => Some(at),
            ProgramState::Running { .. } | ProgramState::Refused | ProgramState::Over => None,
        };
        self.list.iter().filter(|_| self.begun && !self.leaving).filter_map(waiting).min()
    }

    /// It runs.
    pub(crate) fn started(&mut self, index: usize, pid: u32, now: Mono) {
        self.list[index].state = ProgramState::Running { pid, since: now };
    }

    /// It cannot be started.
    pub(crate) fn refused(&mut self, index: usize) {
        self.list[index].state = ProgramState::Refused;
    }

    /// The administrator may have mended what kept some from being started.
    pub(crate) fn try_refused(&mut self, now: Mono) {
        self.list.iter_mut().filter(|program| program.state == ProgramState::Refused).for_each(|program| {
            program.state = ProgramState::Waiting(now);
        });
    }

    /// One has ended.
    pub(crate) fn ended(&mut self, index: usize, how: Ending, now: Mono) -> Vec<RespawnStep> {
        let Some(program) = self.list.get_mut(index) else { return Vec::new() };
        let ProgramState::Running { pid, since } = program.state else { return Vec::new() };
        let words = program.words();
        let mut steps = vec![match how {
            Ending::Code(code) => {
                RespawnStep::Log(Level::Info, format!("Managed {words} process {pid} exited with return code {code}."))
            }
            Ending::Signal(signal) => {
                RespawnStep::Log(Level::Warn, format!("Managed {words} process {pid} killed by signal {signal}."))
            }
        }];
        program.state = ProgramState::Over;
        if self.stopping.is_some() {
            steps.extend(self.stop_next(now));
            return steps;
        }
        if self.leaving || how == Ending::Code(NEVER_AGAIN) {
            return steps;
        }
        if program.line.failfast && how != Ending::Code(0) {
            steps.push(RespawnStep::Reboot(words));
            return steps;
        }
        let was_short = now.since(since) < SHORT;
        program.short = if was_short { program.short + 1 } else { 0 };
        if program.short >= TOO_MANY {
            let text =
                format!("Client {words} \"respawning too fast\": it stays down until heartbeat is started again");
            steps.push(RespawnStep::Log(Level::Error, text));
            return steps;
        }
        steps.push(RespawnStep::Log(Level::Error, format!("Respawning client \"{words}\":")));
        program.state = ProgramState::Waiting(if was_short { now + PAUSE } else { now });
        steps
    }

    /// The last first, each after the one before it has ended.
    pub(crate) fn stop(&mut self, now: Mono) -> Vec<RespawnStep> {
        if self.stopping.is_some() {
            return Vec::new();
        }
        self.stop_next(now)
    }

    fn stop_next(&mut self, now: Mono) -> Vec<RespawnStep> {
        let mut steps = Vec::new();
        let before = self.stopping.map_or(self.list.len(), |(index, _)| index);
        for index in (0..before).rev() {
            self.stopping = Some((index, now + TIME_TO_END));
            let program = &mut self.list[index];
            if let ProgramState::Running { pid, .. } = program.state {
                let text = format!("killing {} process group {pid} with signal 15", program.words());
                steps.extend([RespawnStep::Log(Level::Info, text), RespawnStep::Terminate(pid)]);
                return steps;
            }
            program.state = ProgramState::Over;
            if self.begun {
                steps.push(RespawnStep::Log(Level::Info, format!("client [{}] is not running.", program.words())));
            }
        }
        self.stopping = None;
        self.list.clear();
        steps
    }

    /// Whether none runs or will run.
    pub(crate) fn is_over(&self) -> bool {
        !self.list.iter().any(|program| matches!(program.state, ProgramState::Running { .. }))
    }

    /// The pids of those that run.
    pub(crate) fn pids(&self) -> Vec<u32> {
        let pid = |program: &RespawnedProgram| match program.state {
            ProgramState::Running { pid, .. } => Some(pid),
            ProgramState::Waiting(_) | ProgramState::Refused | ProgramState::Over => None,
        };
        self.list.iter().filter_map(pid).collect()
    }
}

#[cfg(test)]
mod tests;
