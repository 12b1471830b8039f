//! `respawn` and `failfast` (`resources.md` 8, `api.md` 5): programs that run beside the daemon, under a user of their
//! own, started again when they end, stopped last in the reverse order of `ha.cf`.
//!
//! What is to be done when is decided by [`Clients`], which starts nothing itself; `clients.rs` does it.

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
const GRACE: Duration = Duration::from_secs(5);

/// How a client ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// By itself, with this code.
    Code(i32),
    /// By this signal.
    Signal(i32),
}

/// One thing to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// Start this one and say so with [`Clients::started`] or [`Clients::refused`].
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
enum State {
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
struct Client {
    line: RespawnLine,
    state: State,
    short: u32,
}

impl Client {
    fn words(&self) -> String {
        self.line.command.join(" ")
    }
}

/// All of them, in the order of `ha.cf`.
#[derive(Debug, Default)]
pub(crate) struct Clients {
    list: Vec<Client>,
    begun: bool,
    /// The node is leaving: none is started again.
    leaving: bool,
    /// The one being stopped, and when patience with it ends.
    stopping: Option<(usize, Mono)>,
}

impl Clients {
    /// None of them runs yet.
    pub(crate) fn new(lines: &[RespawnLine]) -> Clients {
        let client = |line: &RespawnLine| Client { line: line.clone(), state: State::Waiting(Mono::ZERO), short: 0 };
        Clients { list: lines.iter().map(client).collect(), begun: false, leaving: false, stopping: None }
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

    /// Whether [`Clients::begin`] was called.
    pub(crate) fn has_begun(&self) -> bool {
        self.begun
    }

    /// Whom to start, or to end, by now.
    pub(crate) fn due(&mut self, now: Mono) -> Vec<Order> {
        if let Some((index, patience)) = self.stopping {
            return match self.list[index].state {
                State::Running { pid, .. } if patience <= now => {
                    self.stopping = Some((index, now + GRACE));
                    let text = format!("killing {} process group {pid} with signal 9", self.list[index].words());
                    vec![Order::Log(Level::Warn, text), Order::Kill(pid)]
                }
                State::Running { .. } | State::Waiting(_) | State::Refused | State::Over => Vec::new(),
            };
        }
        if !self.begun || self.leaving {
            return Vec::new();
        }
        let due = |client: &Client| matches!(client.state, State::Waiting(at) if at <= now);
        (0..self.list.len()).filter(|index| due(&self.list[*index])).map(Order::Start).collect()
    }

    /// When [`Clients::due`] wants to be called.
    pub(crate) fn next_deadline(&self) -> Option<Mono> {
        if let Some((_, patience)) = self.stopping {
            return Some(patience);
        }
        let waiting = |client: &Client| match client.state {
            State::Waiting(at) => Some(at),
            State::Running { .. } | State::Refused | State::Over => None,
        };
        self.list.iter().filter(|_| self.begun && !self.leaving).filter_map(waiting).min()
    }

    /// It runs.
    pub(crate) fn started(&mut self, index: usize, pid: u32, now: Mono) {
        self.list[index].state = State::Running { pid, since: now };
    }

    /// It cannot be started.
    pub(crate) fn refused(&mut self, index: usize) {
        self.list[index].state = State::Refused;
    }

    /// The administrator may have mended what kept some from being started.
    pub(crate) fn try_refused(&mut self, now: Mono) {
        self.list.iter_mut().filter(|client| client.state == State::Refused).for_each(|client| {
            client.state = State::Waiting(now);
        });
    }

    /// One has ended.
    pub(crate) fn ended(&mut self, index: usize, how: Ending, now: Mono) -> Vec<Order> {
        let Some(client) = self.list.get_mut(index) else { return Vec::new() };
        let State::Running { pid, since } = client.state else { return Vec::new() };
        let words = client.words();
        let mut orders = vec![match how {
            Ending::Code(code) => {
                Order::Log(Level::Info, format!("Managed {words} process {pid} exited with return code {code}."))
            }
            Ending::Signal(signal) => {
                Order::Log(Level::Warn, format!("Managed {words} process {pid} killed by signal {signal}."))
            }
        }];
        client.state = State::Over;
        if self.stopping.is_some() {
            orders.extend(self.stop_next(now));
            return orders;
        }
        if self.leaving || how == Ending::Code(NEVER_AGAIN) {
            return orders;
        }
        if client.line.failfast && how != Ending::Code(0) {
            orders.push(Order::Reboot(words));
            return orders;
        }
        let was_short = now.since(since) < SHORT;
        client.short = if was_short { client.short + 1 } else { 0 };
        if client.short >= TOO_MANY {
            let text =
                format!("Client {words} \"respawning too fast\": it stays down until heartbeat is started again");
            orders.push(Order::Log(Level::Error, text));
            return orders;
        }
        orders.push(Order::Log(Level::Error, format!("Respawning client \"{words}\":")));
        client.state = State::Waiting(if was_short { now + PAUSE } else { now });
        orders
    }

    /// The last first, each after the one before it has ended.
    pub(crate) fn stop(&mut self, now: Mono) -> Vec<Order> {
        if self.stopping.is_some() {
            return Vec::new();
        }
        self.stop_next(now)
    }

    fn stop_next(&mut self, now: Mono) -> Vec<Order> {
        let mut orders = Vec::new();
        let before = self.stopping.map_or(self.list.len(), |(index, _)| index);
        for index in (0..before).rev() {
            self.stopping = Some((index, now + GRACE));
            let client = &mut self.list[index];
            if let State::Running { pid, .. } = client.state {
                let text = format!("killing {} process group {pid} with signal 15", client.words());
                orders.extend([Order::Log(Level::Info, text), Order::Terminate(pid)]);
                return orders;
            }
            client.state = State::Over;
            if self.begun {
                orders.push(Order::Log(Level::Info, format!("client [{}] is not running.", client.words())));
            }
        }
        self.stopping = None;
        self.list.clear();
        orders
    }

    /// Whether none runs or will run.
    pub(crate) fn is_over(&self) -> bool {
        !self.list.iter().any(|client| matches!(client.state, State::Running { .. }))
    }

    /// The pids of those that run.
    pub(crate) fn pids(&self) -> Vec<u32> {
        let pid = |client: &Client| match client.state {
            State::Running { pid, .. } => Some(pid),
            State::Waiting(_) | State::Refused | State::Over => None,
        };
        self.list.iter().filter_map(pid).collect()
    }
}

#[cfg(test)]
mod tests;
