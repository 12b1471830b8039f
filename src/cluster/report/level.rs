//! How loud something in the log is.

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
    /// All of them, the quietest first.
    pub const ALL: [Level; 5] = [Level::Debug, Level::Info, Level::Warn, Level::Error, Level::Crit];

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

    /// The severity of syslog, which is also the journal's.
    pub const fn severity(self) -> u8 {
        match self {
            Level::Crit => 2,
            Level::Error => 3,
            Level::Warn => 4,
            Level::Info => 6,
            Level::Debug => 7,
        }
    }
}
