//! Everything an operator is told, and its words: the phrases of the original where people grep for them.
//!
//! This is the only place for the wording of the core's log lines (`resources.md`, `wire.md` give the phrases).

use std::fmt;

/// How loud a report is; the word before it in the log as the original prints it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// `debug`
    Debug,
    /// `info`
    Info,
    /// `WARN`
    Warn,
    /// `ERROR`
    Error,
    /// `CRIT`
    Crit,
}

impl Level {
    /// The word in the log line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Level::Debug => "debug",
            Level::Info => "info",
            Level::Warn => "WARN",
            Level::Error => "ERROR",
            Level::Crit => "CRIT",
        }
    }
}

/// One thing an operator is told. More variants than these; [`Report::level`] and `Display` are what others need.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Report {
    /// Placeholder.
    Nothing,
}

impl Report {
    /// How loud.
    pub fn level(&self) -> Level {
        Level::Info
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("nothing")
    }
}
