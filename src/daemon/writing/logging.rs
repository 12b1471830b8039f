//! Where log lines go and how they look (`config.md` 1): logfile, debugfile, syslog, standard error, the journal.
//!
//! Never waits: a syslog that does not read loses the line, files and terminals are left to the `disk_thread`
//! once there is a loop to hold up. Never prints control characters that came from outside.

use std::fs::File;
use std::io::Write as _;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::api::facility_number;
use crate::clock::Clock;
use crate::cluster::{Level, LogLine, Program};
use crate::config::LogTargets;
use crate::diagnostic::Problem;
use crate::host::disk_thread::DiskThread;
use crate::host::log_file::open_append;
use crate::time::Wall;
use crate::{printable, sys};

use super::journald::{Fields, Journald};

/// What standard error is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Terminal {
    /// A person reads it: full lines.
    Person,
    /// The journal reads it: `<N>text`, for what it cannot be told in its own way (`journald`).
    Journal,
    /// Nobody.
    Nobody,
}

impl Terminal {
    /// The journal when systemd says so, else a person.
    pub(crate) fn detect() -> Terminal {
        if std::env::var_os("JOURNAL_STREAM").is_some() { Terminal::Journal } else { Terminal::Person }
    }
}

/// The log; clones write to the same places.
#[derive(Clone)]
pub(crate) struct Log(Arc<Shared>);

struct Shared {
    clock: Clock,
    sinks: Mutex<Sinks>,
}

struct Sinks {
    node: String,
    terminal: Terminal,
    syslog_format: bool,
    facility: Option<u8>,
    syslog: Option<Syslog>,
    journald: Option<Journald>,
    debug: u8,
    /// Who writes to the places below.
    disk: DiskThread,
    places: Arc<Mutex<LogPlaces>>,
    /// Lines for which there was no room on the way to the disk.
    lost: u64,
}

/// A line as it is written.
struct FormattedLine {
    full: String,
    /// As it stands in the debug file.
    debug: String,
    /// What standard error gets.
    shown: Option<String>,
    is_debug: bool,
}

/// Where a write may hang. Only who writes for us holds the lock.
struct LogPlaces {
    logfile: Option<Target>,
    debugfile: Option<Target>,
}

impl std::fmt::Debug for Log {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Log")
    }
}

impl Log {
    /// A log that knows only standard error yet.
    pub(crate) fn start(clock: Clock, terminal: Terminal, debug: u8) -> Log {
        let places = Arc::new(Mutex::new(LogPlaces { logfile: None, debugfile: None }));
        let sinks = Sinks {
            node: host_name(),
            terminal,
            syslog_format: true,
            facility: None,
            syslog: None,
            journald: if terminal == Terminal::Journal { Journald::open() } else { None },
            debug,
            disk: DiskThread::at_once(),
            places,
            lost: 0,
        };
        Log(Arc::new(Shared { clock, sinks: Mutex::new(sinks) }))
    }

    /// Also takes what the `log` macros say anywhere in this program; only the first log of a process can.
    pub(crate) fn serve_macros(&self) {
        if log::set_boxed_logger(Box::new(self.clone())).is_ok() {
            self.follow_debug_level();
        }
    }

    /// Sends lines where the configuration says from now on.
    ///
    /// Returns a sentence for each file that cannot be written.
    pub(crate) fn direct(&self, node: &str, targets: &LogTargets) -> Vec<String> {
        let mut sinks = self.sinks();
        node.clone_into(&mut sinks.node);
        sinks.syslog_format = targets.syslog_format;
        sinks.debug = sinks.debug.max(targets.debug);
        let mut refusals = Vec::new();
        let mut places = lock(&sinks.places);
        places.logfile = targets.logfile.as_deref().map(|path| Target::open(path, &mut refusals));
        places.debugfile = targets.debugfile.as_deref().map(|path| Target::open(path, &mut refusals));
        drop(places);
        let nowhere = targets.logfile.is_none() && targets.debugfile.is_none();
        let facility = targets.facility.as_deref().or((nowhere || targets.use_logd).then_some("daemon"));
        sinks.facility = facility.and_then(facility_number);
        sinks.syslog = sinks.facility.map(Syslog::open);
        drop(sinks);
        self.follow_debug_level();
        refusals
    }

    /// Leaves to this disk what may hang.
    pub(crate) fn leave_to(&self, disk: DiskThread) {
        self.sinks().disk = disk;
    }

    /// Who writes for us.
    pub(crate) fn disk(&self) -> DiskThread {
        self.sinks().disk.clone()
    }

    /// Tries again to open what could not be opened; returns a sentence for each file that still cannot be. Only for who
    /// writes for us: it may hang.
    pub(crate) fn open_what_is_missing(&self) -> Vec<String> {
        let places = Arc::clone(&self.sinks().places);
        let mut places = lock(&places);
        let places = &mut *places;
        let mut refusals = Vec::new();
        for target in [&mut places.logfile, &mut places.debugfile].into_iter().flatten() {
            if target.file.is_none() {
                *target = Target::open(&target.path.clone(), &mut refusals);
            }
        }
        refusals
    }

    /// Opens the files anew, for those who rotate logs.
    pub(crate) fn reopen(&self) {
        self.sinks().put(LogPlaces::reopen);
    }

    /// Makes debugging louder or quieter by one; returns the new level.
    pub(crate) fn change_debug(&self, louder: bool) -> u8 {
        let mut sinks = self.sinks();
        sinks.debug = if louder { sinks.debug.saturating_add(1) } else { sinks.debug.saturating_sub(1) };
        let debug = sinks.debug;
        drop(sinks);
        self.follow_debug_level();
        debug
    }

    /// The debug level: 0 is quiet.
    pub(super) fn debug_level(&self) -> u8 {
        self.sinks().debug
    }

    /// Writes one line of the daemon everywhere it belongs.
    pub(crate) fn write(&self, level: Level, text: impl AsRef<str>) {
        let text = text.as_ref().to_owned();
        self.write_line(&LogLine { program: Program::Heartbeat, level, text });
    }

    /// The same, under the name of whoever wrote it in the original.
    pub(super) fn write_line(&self, line: &LogLine) {
        self.write_about(line, &Fields::default());
    }

    /// The same, with what the line is about.
    pub(crate) fn write_about(&self, line: &LogLine, fields: &Fields) {
        let wall = self.0.clock.now().wall;
        let text = printable::line(&line.text).into_owned();
        self.sinks().write(wall, &LogLine { text, ..line.clone() }, fields);
    }

    /// `info:`
    pub(crate) fn info(&self, text: impl AsRef<str>) {
        self.write(Level::Info, text);
    }

    /// `WARN:`
    pub(crate) fn warn(&self, text: impl AsRef<str>) {
        self.write(Level::Warn, text);
    }

    /// Says what was found in the files, as loud as it is bad.
    pub(crate) fn tell(&self, problem: &Problem) {
        if problem.is_error() {
            self.error(problem.to_string());
        } else {
            self.warn(problem.to_string());
        }
    }

    /// `ERROR:`
    pub(crate) fn error(&self, text: impl AsRef<str>) {
        self.write(Level::Error, text);
    }

    fn follow_debug_level(&self) {
        log::set_max_level(match self.debug_level() {
            0 => log::LevelFilter::Info,
            1 => log::LevelFilter::Debug,
            _ => log::LevelFilter::Trace,
        });
    }

    fn sinks(&self) -> MutexGuard<'_, Sinks> {
        // A panic aborts the process in a release build; in tests the sinks are still whole.
        self.0.sinks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl log::Log for Log {
    fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
        metadata.target().starts_with("latido") && metadata.level() <= log::max_level()
    }

    fn log(&self, record: &log::Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let level = match record.level() {
            log::Level::Error => Level::Error,
            log::Level::Warn => Level::Warn,
            log::Level::Info => Level::Info,
            log::Level::Debug | log::Level::Trace => Level::Debug,
        };
        self.write(level, record.args().to_string());
    }

    fn flush(&self) {}
}

fn lock(places: &Mutex<LogPlaces>) -> MutexGuard<'_, LogPlaces> {
    places.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Sinks {
    /// Has something done with the places; whether it will be.
    fn put(&self, what: impl FnOnce(&mut LogPlaces) + Send + 'static) -> bool {
        let places = Arc::clone(&self.places);
        self.disk.later(move || what(&mut lock(&places)))
    }

    fn write(&mut self, wall: Wall, said: &LogLine, fields: &Fields) {
        if said.level == Level::Debug && self.debug == 0 {
            return;
        }
        let (name, severity) = (said.program.as_str(), said.level.severity());
        let journald = self.journald.as_ref();
        let took = journald.filter(|it| it.send(name, severity, self.facility, &words(said), fields).is_ok());
        let reads_syslog = took.is_some_and(|journald| journald.reads_syslog);
        let is_in_the_journal = took.is_some();
        if let Some(syslog) = self.syslog.as_mut().filter(|_| !reads_syslog) {
            syslog.send(wall, said);
        }
        let mut line = self.compose(wall, said);
        line.shown.take_if(|_| is_in_the_journal);
        let missing = std::mem::take(&mut self.lost);
        let gap = (missing > 0).then(|| {
            let text =
                format!("{missing} line(s) are missing here: the disk or the terminal did not take them in time");
            self.compose(wall, &LogLine { program: Program::Heartbeat, level: Level::Warn, text })
        });
        if !self.put(move |places| gap.iter().chain([&line]).for_each(|line| places.write(line))) {
            self.lost = missing + 1;
        }
    }

    fn compose(&self, wall: Wall, said: &LogLine) -> FormattedLine {
        let (full, debug) = self.forms(wall, said);
        let shown = match self.terminal {
            Terminal::Person => Some(full.clone()),
            Terminal::Journal => Some(format!("<{}>{}\n", said.level.severity(), said.text)),
            Terminal::Nobody => None,
        };
        FormattedLine { full, debug, shown, is_debug: said.level == Level::Debug }
    }

    /// The line in the log and in the debug file: the daemon's as it writes them, those of its scripts as they do, and those
    /// of 2.1 for who asks for them (`resources.md` 11).
    fn forms(&self, wall: Wall, said: &LogLine) -> (String, String) {
        let t = sys::local_time(wall.0);
        let date = format!("{:04}/{:02}/{:02}_{:02}:{:02}:{:02}", t.year, t.month, t.day, t.hour, t.minute, t.second);
        let (pid, name, words) = (std::process::id(), said.program.as_str(), words(said));
        let one = |line: String| (line.clone(), line);
        match (said.program, self.syslog_format) {
            (Program::Heartbeat, true) => one(format!("{} {} {name}: [{pid}]: {words}\n", t.stamp(), self.node)),
            (Program::Heartbeat, false) => one(format!("{name}[{pid}]: {date} {words}\n")),
            (_, true) => (
                format!("{date}  {name}(default)[{pid}]:    {words}\n"),
                format!("{name}(default)[{pid}]:\t{date} {words}\n"),
            ),
            (_, false) => one(format!("{name}[{pid}]:\t{date} {words}\n")),
        }
    }
}

/// The level, where the program writes one, and the text.
fn words(said: &LogLine) -> String {
    match said.program {
        Program::HbStandby => said.text.clone(),
        Program::Heartbeat | Program::ResourceManager | Program::MachDown => {
            format!("{}: {}", said.level.as_str(), said.text)
        }
    }
}

impl LogPlaces {
    fn write(&mut self, line: &FormattedLine) {
        if let Some(target) = self.logfile.as_mut().filter(|_| !line.is_debug) {
            target.append(&line.full);
        }
        if let Some(target) = &mut self.debugfile {
            target.append(&line.debug);
        }
        if let Some(shown) = &line.shown {
            let _ = std::io::stderr().write_all(shown.as_bytes());
        }
    }

    fn reopen(&mut self) {
        for target in self.logfile.iter_mut().chain(&mut self.debugfile) {
            target.file = open_append(&target.path).ok();
        }
    }
}

/// A file lines are appended to; a line that cannot be written is lost, as with the original.
struct Target {
    path: PathBuf,
    file: Option<File>,
}

impl Target {
    fn open(path: &Path, refusals: &mut Vec<String>) -> Target {
        let file = open_append(path);
        if let Err(error) = &file {
            refusals.push(format!("cannot write the log {}: {error}", path.display()));
        }
        Target { path: path.to_owned(), file: file.ok() }
    }

    fn append(&mut self, line: &str) {
        if let Some(file) = &mut self.file {
            // A full disk must not stop the heartbeat.
            let _ = file.write_all(line.as_bytes());
        }
    }
}

struct Syslog {
    /// A multiple of 8: the severity is added.
    facility: u8,
    socket: Option<UnixDatagram>,
}

impl Syslog {
    fn open(facility: u8) -> Syslog {
        Syslog { facility, socket: connect_syslog() }
    }

    fn send(&mut self, wall: Wall, said: &LogLine) {
        let (time, pid, name) = (sys::local_time(wall.0).stamp(), std::process::id(), said.program.as_str());
        let words = words(said);
        let line = match said.program {
            Program::Heartbeat => format!("<{}>{time} {name}: [{pid}]: {words}", self.facility + said.level.severity()),
            // Its scripts write what is no more than information as `notice`.
            Program::ResourceManager | Program::MachDown | Program::HbStandby => {
                let severity = said.level.severity().min(NOTICE);
                format!("<{}>{time} {name}(default)[{pid}]: {words}", self.facility + severity)
            }
        };
        let sent = self.socket.as_ref().is_some_and(|socket| match socket.send(line.as_bytes()) {
            Ok(_) => true,
            Err(error) => error.kind() == std::io::ErrorKind::WouldBlock,
        });
        if !sent {
            // The syslog daemon was restarted, or is not there yet.
            self.socket = connect_syslog();
            if let Some(socket) = &self.socket {
                let _ = socket.send(line.as_bytes());
            }
        }
    }
}

fn connect_syslog() -> Option<UnixDatagram> {
    let socket = UnixDatagram::unbound().ok()?;
    socket.set_nonblocking(true).ok()?;
    socket.connect("/dev/log").ok()?;
    Some(socket)
}

/// Between a warning and information.
const NOTICE: u8 = 5;

fn host_name() -> String {
    nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn targets(dir: &Path) -> LogTargets {
        LogTargets {
            logfile: Some(dir.join("ha-log")),
            debugfile: Some(dir.join("ha-debug")),
            facility: None,
            debug: 0,
            syslog_format: true,
            use_logd: false,
        }
    }

    fn quiet_log() -> Log {
        Log::start(Clock::start(), Terminal::Nobody, 0)
    }

    fn read(dir: &Path, name: &str) -> String {
        std::fs::read_to_string(dir.join(name)).unwrap()
    }

    #[test]
    fn a_line_looks_as_the_original_wrote_it() {
        let dir = tempfile::tempdir().unwrap();
        let log = quiet_log();
        assert!(log.direct("alpha", &targets(dir.path())).is_empty());
        log.error("text");
        let line = read(dir.path(), "ha-log");
        assert!(line.ends_with(&format!(" alpha heartbeat: [{}]: ERROR: text\n", std::process::id())), "{line}");
        assert_eq!(line.as_bytes()[3], b' ');
        assert_eq!(line, read(dir.path(), "ha-debug"));
    }

    #[test]
    fn a_line_of_a_script_looks_as_the_original_s_scripts_wrote_it() {
        let dir = tempfile::tempdir().unwrap();
        let log = quiet_log();
        let line = |program, text: &str| LogLine { program, level: Level::Info, text: text.to_owned() };
        log.direct("alpha", &targets(dir.path()));
        log.write_line(&line(Program::ResourceManager, "Running x  start"));
        log.write_line(&line(Program::HbStandby, "Going standby [all]."));
        let pid = std::process::id();
        let lines: Vec<String> = read(dir.path(), "ha-log").lines().map(|line| line[19..].to_owned()).collect();
        let expected = [
            format!("  ResourceManager(default)[{pid}]:    info: Running x  start"),
            format!("  hb_standby(default)[{pid}]:    Going standby [all]."),
        ];
        assert_eq!(lines, expected);
        let debug = read(dir.path(), "ha-debug");
        assert!(debug.starts_with(&format!("ResourceManager(default)[{pid}]:\t2")), "{debug}");
        assert!(debug.ends_with(" Going standby [all].\n"), "{debug}");
        log.direct("alpha", &LogTargets { syslog_format: false, ..targets(dir.path()) });
        log.write_line(&line(Program::ResourceManager, "of 2.1"));
        let last = read(dir.path(), "ha-log").lines().last().unwrap().to_owned();
        assert!(last.starts_with(&format!("ResourceManager[{pid}]:\t2")) && last.ends_with(" info: of 2.1"), "{last}");
    }

    #[test]
    fn the_form_of_2_1_is_kept_for_those_who_ask() {
        let dir = tempfile::tempdir().unwrap();
        let log = quiet_log();
        log.direct("alpha", &LogTargets { syslog_format: false, ..targets(dir.path()) });
        log.warn("text");
        let line = read(dir.path(), "ha-log");
        assert!(line.starts_with(&format!("heartbeat[{}]: 2", std::process::id())), "{line}");
        assert!(line.ends_with(" WARN: text\n"), "{line}");
    }

    #[test]
    fn debug_lines_go_to_the_debug_file_alone_and_only_when_asked_for() {
        let dir = tempfile::tempdir().unwrap();
        let log = quiet_log();
        log.direct("alpha", &targets(dir.path()));
        log.write(Level::Debug, "one");
        log.change_debug(true);
        log.write(Level::Debug, "two");
        assert_eq!(read(dir.path(), "ha-log"), "");
        let debug = read(dir.path(), "ha-debug");
        assert!(!debug.contains("one") && debug.contains("two"), "{debug}");
    }

    #[test]
    fn a_rotated_log_is_written_anew() {
        let dir = tempfile::tempdir().unwrap();
        let log = quiet_log();
        log.direct("alpha", &targets(dir.path()));
        std::fs::rename(dir.path().join("ha-log"), dir.path().join("ha-log.1")).unwrap();
        log.reopen();
        log.info("after");
        assert!(read(dir.path(), "ha-log").contains("after"));
        assert_eq!(read(dir.path(), "ha-log.1"), "");
    }

    #[test]
    fn a_log_that_cannot_be_written_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("missing/ha-log");
        let refusals = quiet_log().direct("alpha", &LogTargets { logfile: Some(path), ..targets(dir.path()) });
        assert_eq!(refusals.len(), 1);
        assert!(refusals[0].contains("missing/ha-log: No such file"), "{refusals:?}");
    }

    #[test]
    fn nobody_outside_can_forge_a_line() {
        assert_eq!(printable::line("a\nNov 20 b\u{1b}[0m"), "a\\x0aNov 20 b\\x1b[0m");
    }

    #[test]
    fn facilities_have_their_numbers() {
        assert_eq!(["local0", "local7", "daemon", "kern"].map(facility_number), [128, 184, 24, 0].map(Some));
        assert_eq!(["none", "local8", "LOCAL0", ""].map(facility_number), [None; 4]);
    }
}
