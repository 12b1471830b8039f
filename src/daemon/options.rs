//! How a daemon is to run, as its command line says (`config.md` 7).

use std::path::PathBuf;

use crate::host::called::Called;
use crate::paths::Paths;

/// How the daemon is to run.
#[derive(Clone, Debug)]
pub struct DaemonOptions {
    /// Where everything lies.
    pub paths: Paths,
    /// The name its processes have.
    pub called: Called,
    /// `-M`: groups are never touched.
    pub without_resources: bool,
    /// `-l`: no real-time priority, no locked memory.
    pub without_realtime: bool,
    /// `-d`, as often as given.
    pub debug: u8,
    /// Log to standard error as well.
    pub to_terminal: bool,
    /// Supervise this running daemon, whose line is our standard input, instead of starting one.
    pub watch_over: Option<i32>,
    /// Write everything that happens into this file.
    pub record: Option<PathBuf>,
}
