//! What the old programs that speak with the daemon share: exit codes, a runtime, and a log with lines as the original's,
//! to standard error or where `HA_LOGFILE`, `HA_DEBUGLOG` and `HA_LOGFACILITY` of the daemon's environment point
//! (`api.md` 5.1).

use std::fs::File;
use std::io::Write as _;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};

use tokio::runtime::Runtime;

use crate::api::facility_number;
use crate::clock::Clock;
use crate::cluster::Level;
use crate::daemon::open_log;
use crate::sys;

/// `LOG_DAEMON`, where a name means nothing to us.
pub(crate) const DAEMON: u8 = 24;

/// A program that the daemon starts ends with this when it cannot do its work; the daemon starts it again.
pub(crate) const FAILED: u8 = 1;
/// With this one the daemon does not start it again.
pub(crate) const NEVER_AGAIN: u8 = 100;

/// What such a program runs on; that there is none has been said.
pub(crate) fn runtime(log: &OldLog) -> Option<Runtime> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.inspect_err(|error| log.error(&format!("cannot start: {error}"))).ok()
}

/// Where a program's lines go.
#[derive(Debug)]
pub(crate) struct OldLog {
    program: &'static str,
    host: String,
    clock: Clock,
    to_terminal: bool,
    logfile: Option<PathBuf>,
    debugfile: Option<PathBuf>,
    facility: Option<u8>,
    debug: bool,
}

impl OldLog {
    /// A program's lines on standard error alone.
    pub(super) fn on_terminal(program: &'static str) -> OldLog {
        let host = nix::sys::utsname::uname().map(|name| name.nodename().to_string_lossy().into_owned());
        OldLog {
            program,
            host: host.unwrap_or_default(),
            clock: Clock::start(),
            to_terminal: true,
            logfile: None,
            debugfile: None,
            facility: None,
            debug: true,
        }
    }

    /// A program's lines where the daemon that started it writes; on standard error when nothing started it.
    pub(super) fn beside_the_daemon(program: &'static str) -> OldLog {
        let path = |name: &str| std::env::var_os(name).map(PathBuf::from);
        let facility = std::env::var("HA_LOGFACILITY").ok().filter(|name| name != "none");
        let log = OldLog {
            logfile: path("HA_LOGFILE").filter(|path| path.as_os_str() != "/dev/null"),
            debugfile: path("HA_DEBUGLOG").filter(|path| path.as_os_str() != "/dev/null"),
            facility: facility.map(|name| facility_number(&name).unwrap_or(DAEMON)),
            debug: std::env::var("HA_debug").is_ok_and(|level| level != "0"),
            ..OldLog::on_terminal(program)
        };
        let nowhere = log.logfile.is_none() && log.debugfile.is_none() && log.facility.is_none();
        OldLog { to_terminal: nowhere, ..log }
    }

    /// `ERROR: text`
    pub(crate) fn error(&self, text: &str) {
        self.write(Level::Error, text);
    }

    /// One line.
    pub(crate) fn write(&self, level: Level, text: &str) {
        if level == Level::Debug && !self.debug {
            return;
        }
        let clean = crate::printable::line(text);
        let said = format!("{}: [{}]: {}: {clean}", self.program, std::process::id(), level.as_str());
        let stamp = sys::local_time(self.clock.since_1970().as_secs()).stamp();
        let line = format!("{stamp} {} {said}\n", self.host);
        if self.to_terminal {
            let _ = std::io::stderr().write_all(line.as_bytes());
        }
        for path in self.files(level) {
            // Opened anew for each of the few lines: a rotated log is noticed, a full disk costs the line.
            if let Ok(mut file) = open(path) {
                let _ = file.write_all(line.as_bytes());
            }
        }
        if let Some(facility) = self.facility {
            let priority = facility + level.severity();
            to_syslog(&format!("<{priority}>{stamp} {said}"));
        }
    }
}

/// One line of another program's to the system's log, as `logger` sends it.
pub(super) fn say_to_syslog(tag: &str, facility: u8, text: &str) {
    let stamp = sys::local_time(Clock::start().since_1970().as_secs()).stamp();
    to_syslog(&format!("<{}>{stamp} {tag}: {}", facility + Level::Info.severity(), crate::printable::line(text)));
}

impl OldLog {
    /// Where a line of that kind is written; what scripts may call by two names, as the daemon does where only `logfile` is
    /// set, gets it once.
    fn files(&self, level: Level) -> impl Iterator<Item = &PathBuf> {
        let logfile = self.logfile.as_ref().filter(|_| level != Level::Debug);
        let debugfile = self.debugfile.as_ref().filter(|path| logfile != Some(path));
        logfile.into_iter().chain(debugfile)
    }
}

fn open(path: &Path) -> std::io::Result<File> {
    open_log(path).map(|opened| opened.file)
}

fn to_syslog(line: &str) {
    let Ok(socket) = UnixDatagram::unbound() else { return };
    // A syslog that does not read loses the line.
    let sent = socket.set_nonblocking(true).and_then(|()| socket.connect("/dev/log"));
    if sent.is_ok() {
        let _ = socket.send(line.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_written_once_also_where_log_and_debug_log_are_one_file() {
        let dir = tempfile::tempdir().unwrap();
        let [one, two] = ["ha-log", "ha-debug"].map(|name| dir.path().join(name));
        let read = |path: &PathBuf| std::fs::read_to_string(path).unwrap_or_default().lines().count();
        let log = |debugfile: &PathBuf| OldLog {
            to_terminal: false,
            logfile: Some(one.clone()),
            debugfile: Some(debugfile.clone()),
            ..OldLog::on_terminal("ipfail")
        };
        log(&one).error("once");
        log(&one).write(Level::Debug, "once more");
        assert_eq!(read(&one), 2);
        log(&two).error("in both");
        log(&two).write(Level::Debug, "in the second");
        assert_eq!((read(&one), read(&two)), (3, 2));
    }
}
