//! What whoever plays does to a node, and what becomes of its daemon: as values, which the promises and the time line ask;
//! the words of a transcript are one way to read them.

use std::fmt;
use std::time::Duration;

use super::Version;

/// What becomes of a daemon's notes while it is away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotesFault {
    /// They are gone.
    Lost,
    /// They are as they were before their last change.
    Old,
    /// They cannot be read; a daemon takes that for none.
    Unreadable,
}

/// What is done to a node from outside, or befalls it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Intervention {
    /// A daemon is started, and needs so long to its first word.
    StartsSlowly(Duration),
    /// A daemon starts, with what its predecessor left.
    Starts(Start),
    /// A life played by hand begins.
    OriginalStarts,
    /// An original is started.
    HeartbeatStarts(Version),
    /// Whoever is played by hand says from now on that its status is this.
    Says(String),
    /// This runs on the machine of whoever is played by hand, and nothing else.
    Runs(Vec<String>),
    /// A service dies by itself.
    Dies(String),
    /// Somebody starts a service without the cluster knowing.
    ComesUp(String),
    /// The machine loses its power.
    PowerOff,
    /// The daemon is killed.
    Crash,
    /// The daemon has ended in order.
    Left,
    /// It is silent, to be fenced.
    FellSilent,
    /// It is told to leave.
    AskedToLeave,
    /// What its successor finds of its notes.
    Notes(NotesFault),
    /// Its wall clock is set by so many seconds.
    ClockSet(i64),
    /// It is held still; its scripts go on.
    Stalled(Duration),
    /// It and its scripts are held still.
    Suspended(Duration),
    /// The same, and its clocks.
    Frozen(Duration),
    /// Neither clients nor ping hosts reach it any more.
    Unplugged,
    /// They do again.
    Plugged,
    /// Its ipfail dies.
    IpfailDies,
    /// Somebody writes this into its FIFO.
    Fifo(String),
    /// Its `haresources` are edited.
    Edited,
    /// Its files are read again.
    Reload,
    /// What it was told long ago reaches it once more.
    Replayed,
}

/// What a daemon finds of its predecessor when it starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// There was none, or it left in order.
    Fresh,
    /// Its notes are lost.
    WithoutNotes,
    /// It died, and its successor is in time.
    InTime,
    /// It died, and its successor is too late.
    TooLate,
    /// It is to give up.
    ToGiveUp,
}

impl Intervention {
    /// Whether a life begins, or is about to.
    pub const fn starts_a_daemon(&self) -> bool {
        matches!(
            self,
            Intervention::StartsSlowly(_)
                | Intervention::Starts(_)
                | Intervention::OriginalStarts
                | Intervention::HeartbeatStarts(_)
        )
    }
}

impl fmt::Display for Intervention {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Intervention::StartsSlowly(time) => write!(f, "start, which takes {} ms", time.as_millis()),
            Intervention::Starts(how) => f.write_str(match how {
                Start::Fresh => "start",
                Start::WithoutNotes => "start without notes",
                Start::InTime => "start in time",
                Start::TooLate => "start too late",
                Start::ToGiveUp => "start to give up",
            }),
            Intervention::OriginalStarts => f.write_str("start of an original"),
            Intervention::HeartbeatStarts(version) => write!(f, "start of heartbeat {version}"),
            Intervention::Says(status) => write!(f, "says st={status}"),
            Intervention::Runs(words) if words.is_empty() => f.write_str("runs nothing"),
            Intervention::Runs(words) => write!(f, "runs {}", words.join(" ")),
            Intervention::Dies(word) => write!(f, "{word} dies"),
            Intervention::ComesUp(word) => write!(f, "{word} comes up"),
            Intervention::PowerOff => f.write_str("power off"),
            Intervention::Crash => f.write_str("crash"),
            Intervention::Left => f.write_str("left"),
            Intervention::FellSilent => f.write_str("fell silent"),
            Intervention::AskedToLeave => f.write_str("asked to leave"),
            Intervention::Notes(how) => write!(f, "its notes: {how:?}"),
            Intervention::ClockSet(seconds) => write!(f, "its clock is set by {seconds} s"),
            Intervention::Stalled(time) => write!(f, "stalled for {} ms", time.as_millis()),
            Intervention::Suspended(time) => write!(f, "suspended for {} ms", time.as_millis()),
            Intervention::Frozen(time) => write!(f, "frozen for {} ms", time.as_millis()),
            Intervention::Unplugged => f.write_str("its client cable is cut"),
            Intervention::Plugged => f.write_str("its client cable is whole again"),
            Intervention::IpfailDies => f.write_str("its ipfail dies"),
            Intervention::Fifo(text) => write!(f, "fifo: {text}"),
            Intervention::Edited => f.write_str("its haresources are edited"),
            Intervention::Reload => f.write_str("reload"),
            Intervention::Replayed => f.write_str("a replayed message"),
        }
    }
}
