//! The parent of the daemon that does the work (`takeover.md` 9): it waits for its child, passes
//! signals on, and starts another within milliseconds when that one dies. It opens nothing, reads no configuration and
//! knows nothing of clusters, so that there is nothing in it to fail.
//!
//! Once something runs here no refusal ends it (`takeover.md` 9): a fork that fails and a child that cannot start are
//! tried again, after 50 ms and then after longer and longer.
//!
//! The two share a socket pair: the child says when it is ready and how it means to end, and either sees the other's
//! death as the end of the stream. A child that ends without a word has crashed.

use std::collections::VecDeque;
use std::fs;
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::Pid;

use crate::clock::Clock;
use crate::daemon::options::DaemonOptions;
use crate::daemon::start::run_core;
use crate::host::trust;
use crate::process;
use crate::sys::{self, Forked};
use crate::time::Mono;

use super::next_program::exec_program;
use super::own_supervisor::{AGAIN, ALIVE, CoreStart, ENDS, LATER, READY, STOPPING, UPGRADE};
use super::signals::PASSED_ON;
use super::{realtime, service};

/// So many deaths within [`A_WHILE`] are too many: what kills the child kills the next one too.
const TOO_MANY: usize = 20;
const A_WHILE: Duration = Duration::from_secs(60);
/// So many children in a row that died before they were ready.
const DIED_BEFORE_READY: u32 = 5;
/// After so many looks without a sign of life its loop does not turn any more: that is still within the limit.
const SILENT_LOOKS: u32 = 5;
/// Between two attempts: at least, and at most.
const SOON: Duration = Duration::from_millis(50);
const AT_LAST: Duration = Duration::from_secs(3);
/// How long a service manager waits for the end of a first start that it is to try again, so that it does not try ten
/// times a second.
const LATER_AFTER: Duration = Duration::from_secs(2);
/// The exit code when the supervisor itself could not work: no decision, so a service manager may try again.
const BROKEN: u8 = 70;

/// What would stop a process for the sake of a terminal: of no use to a node that must beat, and so held back for ever.
/// The original ignores two of them, and the third has no effect on it in the background.
const HELD_BACK: [Signal; 3] = [Signal::SIGTSTP, Signal::SIGTTIN, Signal::SIGTTOU];

/// Runs a node until it leaves, whatever happens to the process that does the work. The exit code is that of the
/// original: 0, 6 not configured, 1 for anything else that stays as it is; 75 when something is missing that may be there
/// later, 70 when the supervisor itself cannot work.
pub fn run(options: &DaemonOptions) -> ExitCode {
    // Both processes hold the keys, which no core dump shall carry to a disk. What they start is asked by `coredumps`.
    let _ = nix::sys::prctl::set_dumpable(false);
    match Supervisor::new(options).and_then(Supervisor::watch) {
        Ok(End::Code(code)) => ExitCode::from(code),
        Ok(End::Core(core_start)) => ExitCode::from(run_core(options, *core_start)),
        Err(error) => {
            eprintln!("ERROR: the supervisor cannot work: {error}");
            ExitCode::from(BROKEN)
        }
    }
}

/// How a process comes out of here.
enum End {
    /// The old one: all is over.
    Code(u8),
    /// The new one: it does the work.
    Core(Box<CoreStart>),
}

/// When children died.
#[derive(Debug, Default)]
struct Deaths {
    at: VecDeque<Mono>,
    died_before_ready: u32,
}

impl Deaths {
    /// One more; `true` when it was one too many.
    fn count(&mut self, now: Mono, was_ready: bool) -> bool {
        self.at.push_back(now);
        self.at.retain(|at| now.since(*at) < A_WHILE);
        self.died_before_ready = if was_ready { 0 } else { self.died_before_ready + 1 };
        self.at.len() >= TOO_MANY || self.died_before_ready >= DIED_BEFORE_READY
    }
}

/// Attempts that failed in a row: each wait is an eighth of the time they have taken, so that what must be done before
/// the deadtime is over is done in time, whatever that is.
#[derive(Debug, Default)]
struct Refusals {
    since: Option<Mono>,
    count: u32,
}

impl Refusals {
    /// One more; how long to wait for the next attempt.
    fn count(&mut self, now: Mono) -> Duration {
        self.count = self.count.saturating_add(1);
        let since = *self.since.get_or_insert(now);
        (now.since(since) / 8).clamp(SOON, AT_LAST)
    }
}

/// Whether the loop of the child still turns, for a service manager that looks (`systemd.md` 2). Counted in looks of our
/// own: when the whole machine stands still, so do we, and the child has missed nothing.
#[derive(Debug)]
struct SignsOfLife {
    every: Duration,
    looked: Mono,
    missed: u32,
}

impl SignsOfLife {
    fn of(limit: Duration, now: Mono) -> SignsOfLife {
        SignsOfLife { every: service::every(limit), looked: now, missed: 0 }
    }

    /// The child gave a sign of life, or there is none that could.
    fn came(&mut self) {
        self.missed = 0;
    }

    /// A look; `true` when the child has been silent for too many of them.
    fn is_gone(&mut self, now: Mono) -> bool {
        let since = now.since(self.looked);
        if since < self.every {
            return false;
        }
        self.looked = now;
        self.missed = if since < 2 * self.every { self.missed + 1 } else { 0 };
        self.missed >= SILENT_LOOKS
    }
}

struct Supervisor<'a> {
    options: &'a DaemonOptions,
    program: PathBuf,
    clock: Clock,
    signals: SignalFd,
    oom_score: String,
    deaths: Deaths,
    refusals: Refusals,
    /// Told to end while there was no child.
    leaving: bool,
    /// A child was told to end, and has not ended in order since.
    told: bool,
    /// How the last child ended that had been ready.
    how: Option<String>,
    child: i32,
    is_ours: bool,
    socket: UnixStream,
    said: Vec<u8>,
    ready: bool,
    /// After how long without a sign of life the service manager believes us dead.
    limit: Option<Duration>,
    signs_of_life: Option<SignsOfLife>,
}

impl<'a> Supervisor<'a> {
    fn new(options: &'a DaemonOptions) -> io::Result<Supervisor<'a>> {
        PASSED_ON.into_iter().chain(HELD_BACK).collect::<SigSet>().thread_block()?;
        let mask: SigSet = PASSED_ON.into_iter().collect();
        let signals = SignalFd::with_flags(&mask, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?;
        // Replaced by a package manager, our name would end in this.
        let program = std::env::current_exe()?.to_string_lossy().trim_end_matches(" (deleted)").into();
        let (child, socket) = match options.watch_over {
            // The child, our parent, gave us its end of the socket pair as standard input.
            Some(pid) => (pid, UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?)),
            None => (0, UnixStream::pair()?.0),
        };
        let clock = Clock::start();
        let limit = service::limit(options.watch_over.is_some());
        let supervisor = Supervisor {
            options,
            program,
            clock,
            signals,
            oom_score: fs::read_to_string("/proc/self/oom_score_adj").unwrap_or_default(),
            deaths: Deaths::default(),
            refusals: Refusals::default(),
            leaving: false,
            told: false,
            how: None,
            child,
            is_ours: false,
            socket,
            said: Vec::new(),
            ready: options.watch_over.is_some(),
            limit,
            signs_of_life: limit.map(|limit| SignsOfLife::of(limit, clock.mono())),
        };
        supervisor.make_hard_to_kill();
        Ok(supervisor)
    }

    /// Not to be killed for want of memory, and not swapped out.
    fn make_hard_to_kill(&self) {
        let _ = fs::write("/proc/self/oom_score_adj", "-1000");
        if !self.options.without_realtime {
            // It waits nearly all the time: a refusal costs milliseconds when there is something to do.
            let _ = realtime::become_realtime(None);
        }
    }

    fn watch(mut self) -> io::Result<End> {
        if self.options.watch_over.is_none()
            && let Some(core_start) = self.start_core(None, false)?
        {
            return Ok(End::Core(core_start));
        }
        let mut hopeless = false;
        loop {
            self.await_the_end();
            let how = self.reap();
            let (before, wait) = match self.announced_code() {
                Some(AGAIN) => (self.how.clone(), true),
                Some(UPGRADE) => (Some(self.exec_next_program()), false),
                Some(LATER) => return Ok(End::Code(self.code_of_a_failed_start())),
                Some(code) => return Ok(End::Code(if hopeless && !self.leaving { 1 } else { code })),
                // One that cannot even clean up is not started again at once.
                None if hopeless => (self.how.clone(), true),
                None => {
                    hopeless = self.deaths.count(self.clock.mono(), self.ready);
                    (Some(how), false)
                }
            };
            self.how = before.clone();
            if let Some(core_start) = self.keep_starting_core(before, hopeless, wait) {
                return Ok(End::Core(core_start));
            }
        }
    }

    /// The exit code of a first start that cannot be now; waits a little before it, unless the daemon is to end.
    fn code_of_a_failed_start(&mut self) -> u8 {
        if std::env::var_os("NOTIFY_SOCKET").is_some() {
            self.pause(LATER_AFTER);
        }
        if self.leaving { 0 } else { LATER }
    }

    /// Makes a child, as soon as the machine allows it.
    fn keep_starting_core(&mut self, before: Option<String>, hopeless: bool, mut wait: bool) -> Option<Box<CoreStart>> {
        loop {
            if std::mem::replace(&mut wait, true) {
                let time = self.refusals.count(self.clock.mono());
                self.pause(time);
            }
            match self.start_core(before.clone(), hopeless || self.leaving) {
                Ok(core_start) => return core_start,
                Err(error) => eprintln!("ERROR: the supervisor cannot make a process: {error}; trying again"),
            }
        }
    }

    /// Waits, and notices an order to end: there is no child that could be told.
    fn pause(&mut self, time: Duration) {
        let until = self.clock.mono() + time;
        while !self.leaving && self.clock.mono() < until {
            self.tell_that_it_lives();
            let left = PollTimeout::try_from(until.since(self.clock.mono())).unwrap_or(PollTimeout::ZERO);
            // Rounded up: a poll that returns at once would be a busy loop.
            let left = if left == PollTimeout::ZERO { PollTimeout::from(1_u8) } else { left };
            let _ = poll(&mut [PollFd::new(self.signals.as_fd(), PollFlags::POLLIN)], left);
            while let Ok(Some(info)) = self.signals.read_signal() {
                let number = i32::try_from(info.ssi_signo).unwrap_or(0);
                self.leaving |= is_an_order_to_end(number);
            }
        }
    }

    /// Makes a child; returns, in the child, what it has to know.
    fn start_core(&mut self, before: Option<String>, hopeless: bool) -> io::Result<Option<Box<CoreStart>>> {
        let (ours, theirs) = UnixStream::pair()?;
        let supervisor = std::process::id();
        match sys::fork()? {
            Forked::Parent(pid) => {
                (self.socket, self.child, self.is_ours) = (ours, pid, true);
                self.said.clear();
                self.ready = false;
                sys::trim_memory();
                Ok(None)
            }
            Forked::Child => {
                let _ = fs::write("/proc/self/oom_score_adj", &self.oom_score);
                // What a terminal sends to everybody in front of it is to arrive once, through the parent.
                let _ = nix::unistd::setpgid(Pid::from_raw(0), Pid::from_raw(0));
                let (deaths, attempt, leaving) = (self.deaths.at.len(), self.refusals.count, self.leaving);
                let told = self.told;
                Ok(Some(Box::new(CoreStart {
                    socket: theirs,
                    supervisor,
                    before,
                    deaths,
                    hopeless,
                    leaving,
                    told,
                    attempt,
                    limit: self.limit,
                })))
            }
        }
    }

    fn wait(&self) {
        let readable = |fd| PollFd::new(fd, PollFlags::POLLIN);
        let patience = self.signs_of_life.as_ref().and_then(|signs| PollTimeout::try_from(signs.every).ok());
        let patience = patience.unwrap_or(PollTimeout::NONE);
        match poll(&mut [readable(self.signals.as_fd()), readable(self.socket.as_fd())], patience) {
            Ok(_) | Err(nix::errno::Errno::EINTR) => {}
            Err(error) => {
                // For want of memory: the next look comes a moment later.
                eprintln!("ERROR: the supervisor cannot wait: {error}; trying again");
                #[allow(clippy::disallowed_methods, reason = "what could wait for an event was just refused")]
                std::thread::sleep(SOON);
            }
        }
    }

    fn pass_signals_on(&mut self) {
        while let Ok(Some(info)) = self.signals.read_signal() {
            let number = i32::try_from(info.ssi_signo).unwrap_or(0);
            // One that turns out to be unable to start takes the order with it.
            self.leaving |= !self.ready && is_an_order_to_end(number);
            self.told |= is_an_order_to_end(number);
            if let Ok(signal) = Signal::try_from(number) {
                // A child that died this moment is noticed next, and its successor is asked again by whoever asked.
                let _ = kill(Pid::from_raw(self.child), signal);
            }
        }
    }

    /// Hears what the child says; `false` when it is gone.
    fn listen(&mut self) -> bool {
        let readable = PollFd::new(self.socket.as_fd(), PollFlags::POLLIN);
        if !matches!(poll(&mut [readable], PollTimeout::ZERO), Ok(1)) {
            return true;
        }
        let mut words = [0; 16];
        let read = match self.socket.read(&mut words) {
            Ok(0) => return false,
            Ok(read) => read,
            Err(error) => return error.kind() == io::ErrorKind::Interrupted,
        };
        for &word in &words[..read] {
            if word == ALIVE && self.said.last() != Some(&ENDS) {
                self.tell_that_it_lives();
                continue;
            }
            self.said.push(word);
            if self.announced_code().is_none() && self.said.last() != Some(&ENDS) {
                self.on_word(word);
            }
        }
        true
    }

    fn on_word(&mut self, word: u8) {
        use sd_notify::NotifyState::{MainPid, Ready, Stopping};
        self.tell_that_it_lives();
        match word {
            READY => {
                self.ready = true;
                self.refusals = Refusals::default();
                // It hears by itself what it was told on its way.
                self.leaving = false;
                service::tell(&[MainPid(std::process::id()), Ready]);
            }
            STOPPING => {
                service::tell(&[Stopping]);
            }
            _ => {}
        }
    }

    /// The exit code it announced before it ended; of several, the last.
    fn announced_code(&self) -> Option<u8> {
        self.said.windows(2).rfind(|words| words[0] == ENDS).map(|words| words[1])
    }

    /// Waits until it is gone, and says how it went.
    fn reap(&mut self) -> String {
        let pid = Pid::from_raw(self.child);
        if !self.is_ours {
            // It closed everything already; the rest takes no time.
            for _ in 0..1000 {
                if !process::is_alive(self.child) {
                    break;
                }
                let _ = poll(&mut [], 1u8);
            }
            return "ended without a word".to_owned();
        }
        loop {
            match waitpid(pid, None) {
                Ok(WaitStatus::Exited(_, code)) => return format!("exit {code}"),
                Ok(WaitStatus::Signaled(_, signal, _)) => return format!("killed by {signal}"),
                Err(nix::errno::Errno::EINTR) | Ok(_) => {}
                Err(error) => return error.to_string(),
            }
        }
    }

    /// Passes signals on until the child is gone.
    fn await_the_end(&mut self) {
        loop {
            self.wait();
            self.pass_signals_on();
            if !self.listen() {
                return;
            }
            self.end_it_if_silent();
        }
    }

    /// The service manager is told that all goes on: the child does, or there is none and we look after that.
    fn tell_that_it_lives(&mut self) {
        if let Some(signs) = &mut self.signs_of_life {
            signs.came();
            service::tell(&[sd_notify::NotifyState::Watchdog]);
        }
    }

    /// A child whose loop does not turn is ended: the next one takes up what runs, and nothing moves.
    fn end_it_if_silent(&mut self) {
        let now = self.clock.mono();
        if !self.ready {
            // It may be waiting for the answer to a name, as long as that takes.
            if self.signs_of_life.as_ref().is_some_and(|signs| now.since(signs.looked) >= signs.every) {
                self.signs_of_life.iter_mut().for_each(|signs| signs.looked = now);
                self.tell_that_it_lives();
            }
            return;
        }
        if self.signs_of_life.as_mut().is_some_and(|signs| signs.is_gone(now)) {
            eprintln!(
                "ERROR: the core process (pid {}) does not move any more: it is killed and started again",
                self.child
            );
            let _ = kill(Pid::from_raw(self.child), Signal::SIGKILL);
        }
    }

    /// Exchanges the program of this process for what lies in its place now. Returns only when that fails.
    fn exec_next_program(&self) -> String {
        if let Err(why) = trust::refuse(&self.program) {
            return format!("{why}; the old program goes on");
        }
        let _ = fs::write("/proc/self/oom_score_adj", &self.oom_score);
        let error = exec_program(self.options, &self.program);
        let _ = fs::write("/proc/self/oom_score_adj", "-1000");
        format!("cannot run {}: {error}; the old program goes on", self.program.display())
    }
}

fn is_an_order_to_end(signal: i32) -> bool {
    signal == Signal::SIGTERM as i32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_deaths_in_a_minute_are_borne_and_twenty_are_not() {
        let mut deaths = Deaths::default();
        let at = |seconds| Mono::at(Duration::from_secs(seconds));
        assert!((0..10).all(|n| !deaths.count(at(n), true)));
        assert!((10..19).all(|n| !deaths.count(at(n), true)));
        assert!(deaths.count(at(19), true));
        let mut deaths = Deaths::default();
        assert!((0..100).all(|n| !deaths.count(at(n * 4), true)));
    }

    #[test]
    fn attempts_follow_at_once_then_every_few_seconds_and_in_time_for_any_deadtime() {
        let mut refusals = Refusals::default();
        let (mut now, mut tries) = (Mono::ZERO, 0);
        while now.elapsed() < Duration::from_secs(30) {
            let wait = refusals.count(now);
            assert!(wait <= AT_LAST && wait <= SOON.max(now.elapsed() / 8), "{wait:?} at {now:?}");
            now += wait;
            tries += 1;
        }
        assert!((30..60).contains(&tries), "{tries}");
    }

    #[test]
    fn a_silent_child_is_gone_after_five_looks_and_not_when_the_whole_machine_stood_still() {
        let mut signs = SignsOfLife::of(Duration::from_secs(40), Mono::ZERO);
        let at = |seconds| Mono::at(Duration::from_secs(seconds));
        assert!((1..5).all(|n| !signs.is_gone(at(n * 5))));
        assert!(signs.is_gone(at(25)));
        signs.came();
        assert!((6..10).all(|n| !signs.is_gone(at(n * 5))));
        assert!(!signs.is_gone(at(1000)), "we slept as well");
        assert!(!signs.is_gone(at(1001)) && !signs.is_gone(at(1005)), "not sooner than it is due");
    }

    #[test]
    fn children_that_are_never_ready_are_given_up_sooner() {
        let mut deaths = Deaths::default();
        assert!((0..4).all(|_| !deaths.count(Mono::ZERO, false)));
        assert!(!deaths.count(Mono::ZERO, true));
        assert!((0..4).all(|_| !deaths.count(Mono::ZERO, false)));
        assert!(deaths.count(Mono::ZERO, false));
    }
}
