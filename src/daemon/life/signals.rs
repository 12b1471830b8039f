//! Signals as the daemon understands them (`config.md` 7): TERM leaves, HUP rereads, USR1 and USR2 change the debug level,
//! URG makes room for the program that is installed now. INT and ALRM are heard and change nothing, as with the original.
//! What is not here does what it does to any process, as with the original too: the other of our two processes goes on.

use std::io;

use nix::sys::signal::{SigSet, Signal as Number};
use tokio::signal::unix::{Signal as Stream, SignalKind, signal};

/// What we pass on. `SIGURG` means *make room for the next program*: whoever does not know that ignores it.
pub(super) const PASSED_ON: [Number; 7] = [
    Number::SIGTERM,
    Number::SIGINT,
    Number::SIGHUP,
    Number::SIGUSR1,
    Number::SIGUSR2,
    Number::SIGURG,
    Number::SIGALRM,
];

/// What the operator wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signal {
    /// Release everything and end.
    Leave,
    /// Reread the configuration, open the logs anew.
    Reload,
    /// More debugging.
    Louder,
    /// Less debugging.
    Quieter,
    /// Make room for the next program.
    Upgrade,
    /// Nothing: a keyboard's way to end what is in front of it.
    Interrupt,
    /// Nothing, but somebody must have meant another process.
    Alarm,
}

/// All the signals we listen to.
#[derive(Debug)]
pub(crate) struct Signals {
    terminate: Stream,
    interrupt: Stream,
    hangup: Stream,
    user1: Stream,
    user2: Stream,
    urgent: Stream,
    alarm: Stream,
}

impl Signals {
    /// Starts to listen; must be called inside the runtime.
    ///
    /// # Errors
    /// When a handler cannot be set.
    pub(crate) fn listen() -> io::Result<Signals> {
        let signals = Signals {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
            user1: signal(SignalKind::user_defined1())?,
            user2: signal(SignalKind::user_defined2())?,
            urgent: signal(SignalKind::from_raw(libc::SIGURG))?,
            alarm: signal(SignalKind::alarm())?,
        };
        // The supervisor holds them back until somebody listens.
        PASSED_ON.into_iter().collect::<SigSet>().thread_unblock()?;
        Ok(signals)
    }

    /// The next one; cancel safe.
    pub(crate) async fn next(&mut self) -> Signal {
        tokio::select! {
            _ = self.terminate.recv() => Signal::Leave,
            _ = self.interrupt.recv() => Signal::Interrupt,
            _ = self.hangup.recv() => Signal::Reload,
            _ = self.user1.recv() => Signal::Louder,
            _ = self.user2.recv() => Signal::Quieter,
            _ = self.urgent.recv() => Signal::Upgrade,
            _ = self.alarm.recv() => Signal::Alarm,
        }
    }
}
