//! What every script of ours finds around it: variables and working directory (`resources.md` 3.3, 6).

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::config::{Config, LogTargets, value};
use crate::paths::Paths;

use super::files;
use super::script_log::ScriptLog;

/// Where the original keeps its helper programs; scripts call some of them by `$HA_BIN`.
const HA_BIN: &str = "/usr/lib/heartbeat";
const HA_SBIN_DIR: &str = "/usr/sbin";
const HA_NOARCHBIN: &str = "/usr/share/heartbeat";

/// Ours alone: scripts and the services they start must not talk to our service manager or answer for us.
const OURS: [&str; 12] = [
    "LATIDO_RECORD",
    super::rc_d::MARK,
    "NOTIFY_SOCKET",
    "WATCHDOG_USEC",
    "WATCHDOG_PID",
    "LISTEN_FDS",
    "LISTEN_PID",
    "JOURNAL_STREAM",
    "INVOCATION_ID",
    "SYSTEMD_EXEC_PID",
    "LC_ALL",
    "LANGUAGE",
];

/// Variables and directory for scripts, made once for each reading of the configuration.
#[derive(Clone, Debug, Default)]
pub(super) struct Environment {
    /// In the order they are set; no name twice.
    variables: Vec<(OsString, OsString)>,
    /// The working directory.
    pub directory: PathBuf,
    /// Where the output of `start` and `stop` goes.
    pub log: ScriptLog,
    /// Whether scripts and what they start may write core files (`coredumps`); `None`: as whoever started us may.
    pub core_files: Option<bool>,
}

impl Environment {
    /// The environment for this configuration on top of the one we were started with; `log` is its own.
    pub(super) fn new(
        paths: &Paths,
        config: &Config,
        inherited: impl Iterator<Item = (OsString, OsString)>,
        log: ScriptLog,
    ) -> Environment {
        let mut environment = Environment {
            variables: inherited.filter(|(name, _)| !OURS.iter().any(|ours| name == ours)).collect(),
            directory: existing(files::working_directory(paths)),
            log,
            core_files: None,
        };
        for (name, value) in &config.parameters {
            environment.set(&variable_of(name), value);
        }
        environment.add_places(paths);
        environment.add_logging(&config.logging);
        environment.set("HA_CURHOST", config.settings.me.as_str());
        environment.set("PWD", environment.directory.clone());
        let parameter = |name: &str| config.parameters.iter().find(|(known, _)| known == name).map(|(_, value)| value);
        if let Some(module) = parameter("compression") {
            environment.set("HA_COMPRESSION", module);
        }
        let refused = parameter("coredumps").is_some_and(|value| value::boolean(value) == Ok(false));
        environment.core_files = Some(!refused);
        environment.prepend_path();
        environment
    }

    fn add_places(&mut self, paths: &Paths) {
        // The original's spelling: a script may write `${HA_DIR}resource.d`, or compare.
        let ha_dir = paths.ha_dir.display();
        self.set("HA_DIR", format!("{ha_dir}/"));
        for (name, place) in [("HA_FUNCS", "shellfuncs"), ("HA_RCDIR", "rc.d"), ("HA_RESOURCEDIR", "resource.d")] {
            self.set(name, format!("{ha_dir}//{place}"));
        }
        self.set("HA_BIN", HA_BIN);
        self.set("HA_SBIN_DIR", HA_SBIN_DIR);
        self.set("HA_NOARCHBIN", HA_NOARCHBIN);
        self.set("HA_DOCDIR", "/usr/share/doc/heartbeat");
        self.set("HA_VARLIB", &paths.lib_dir);
        self.set("HA_RSCTMP", paths.rsctmp());
        self.set("HA_FIFO", paths.fifo());
        self.set("OCF_ROOT", "/usr/lib/ocf");
        self.set("OCF_AGENTS", "/usr/lib/ocf/resource.d/heartbeat/");
    }

    fn add_logging(&mut self, logging: &LogTargets) {
        if let Some(path) = &logging.logfile {
            self.set("HA_LOGFILE", path);
        }
        if let Some(path) = logging.debugfile.as_ref().or(logging.logfile.as_ref()) {
            self.set("HA_DEBUGLOG", path);
        }
        if let Some(facility) = &logging.facility {
            self.set("HA_LOGFACILITY", facility);
        }
        self.set("HA_LOGD", "no");
        self.set("HA_DATEFMT", "%Y/%m/%d_%T\t");
        self.set("HA_debug", logging.debug.to_string());
    }

    fn prepend_path(&mut self) {
        let inherited =
            self.get("PATH").unwrap_or_else(|| "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".into());
        let mut path = OsString::from(format!("{HA_BIN}:{HA_SBIN_DIR}:{HA_NOARCHBIN}:"));
        path.push(inherited);
        self.set("PATH", path);
    }

    /// Sets a variable, replacing one of that name.
    pub(super) fn set(&mut self, name: &str, value: impl Into<OsString>) {
        let value = value.into();
        // A variable can hold neither; such a value came from a file or from outside and is left out.
        if name.is_empty() || name.contains(['=', '\0']) || value.as_encoded_bytes().contains(&0) {
            return;
        }
        match self.variables.iter_mut().find(|(known, _)| known == name) {
            Some(slot) => slot.1 = value,
            None => self.variables.push((name.into(), value)),
        }
    }

    /// The value of a variable.
    pub(super) fn get(&self, name: &str) -> Option<OsString> {
        self.variables.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone())
    }

    /// All variables.
    pub(super) fn variables(&self) -> impl Iterator<Item = (&OsString, &OsString)> {
        self.variables.iter().map(|(name, value)| (name, value))
    }
}

/// `HA_<directive>`, unless it has the prefix already.
fn variable_of(name: &str) -> String {
    if name.starts_with("HA_") { name.to_owned() } else { format!("HA_{name}") }
}

fn existing(dir: PathBuf) -> PathBuf {
    if dir.is_dir() { dir } else { Path::new("/").to_owned() }
}
