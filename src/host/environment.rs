//! What every script of ours finds around it: variables and working directory (`resources.md` 3.3, 6).

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use crate::config::{Config, LogTargets, value};
use crate::paths::Paths;
use crate::wire::field;

use super::layout::Layout;
use super::script_log::ScriptLog;
use super::{directories, trust};

/// What the original's scripts add behind a PATH that was not meant for root.
const SYSTEM_PATH: [&str; 4] = ["/sbin", "/bin", "/usr/sbin", "/usr/bin"];

/// What scripts go by, and no message may say, whether it is set or not: all that the daemon sets or may set, and all that
/// the original's scripts, the agents' and ours ask for (`resources.md` 3.3, 6).
const RESERVED: [&str; 54] = [
    "HA_BIN",
    "HA_CF",
    "HA_COMPRESSION",
    "HA_CONFDIR",
    "HA_COREDIR",
    "HA_CORES",
    "HA_CURHOST",
    "HA_DATEFMT",
    "HA_DEBUGLOG",
    "HA_DIR",
    "HA_DOCDIR",
    "HA_DONTASK",
    "HA_FIFO",
    "HA_FUNCS",
    "HA_HBCONF_DIR",
    "HA_LIBDIR",
    "HA_LIBHBDIR",
    "HA_LOGD",
    "HA_LOGFACILITY",
    "HA_LOGFILE",
    "HA_LOGTAG",
    "HA_LRMD_ENABLED",
    "HA_NAME",
    "HA_NICEFAILBACK",
    "HA_NOARCHBIN",
    "HA_NOARCHDATAHBDIR",
    "HA_NODE",
    "HA_OSTATUS",
    "HA_PATH",
    "HA_PLUGINDIR",
    "HA_RCDIR",
    "HA_RESOURCEDIR",
    "HA_RSCTMP",
    "HA_RSCTMP_OLD",
    "HA_SBIN_DIR",
    "HA_SCRIPTSDIR",
    "HA_STOPRETRYMAX",
    "HA_URLBASE",
    "HA_VARLIB",
    "HA_VARLIBDIR",
    "HA_VARLIBHBDIR",
    "HA_VARLOCK",
    "HA_VARLOCKDIR",
    "HA_VARLOG",
    "HA_VARLOGDIR",
    "HA_VARRUN",
    "HA_VARRUNDIR",
    "HA_VARRUNHBDIR",
    "HA_cluster_type",
    "HA_debug",
    "HA_debugfile",
    "HA_logfacility",
    "HA_logfile",
    "HA_use_logd",
];
/// A name, a value, and all of them together that come from outside: what is longer is no message of any daemon, and one
/// that is too long would keep the script from being run at all.
const LONGEST_NAME: usize = 128;
const LONGEST_VALUE: usize = 8192;
const MOST_FROM_OUTSIDE: usize = 65_536;

/// In the environment of such a script, and of what it starts: the type of the message.
pub(crate) const MARK: &str = "LATIDO_RC_D";

/// Ours alone: scripts and the services they start must not talk to our service manager or answer for us.
const OURS: [&str; 11] = [
    "LATIDO_LOG",
    "LATIDO_RECORD",
    MARK,
    "NOTIFY_SOCKET",
    "WATCHDOG_USEC",
    "WATCHDOG_PID",
    "LISTEN_FDS",
    "LISTEN_PID",
    "JOURNAL_STREAM",
    "INVOCATION_ID",
    "SYSTEMD_EXEC_PID",
];

/// Variables and directory for scripts, made once for each reading of the configuration.
#[derive(Clone, Debug, Default)]
pub(crate) struct Environment {
    /// In the order they are set; no name twice.
    variables: Vec<(OsString, OsString)>,
    /// The administrator's language: scripts do without, programs that run beside the daemon have it.
    language: Vec<(OsString, OsString)>,
    /// The working directory.
    pub directory: PathBuf,
    /// Where the output of `start` and `stop` goes.
    pub log: ScriptLog,
    /// How much more it takes from outside, in bytes.
    room: usize,
    /// Whether scripts and what they start may write core files (`coredumps`); `None`: as whoever started us may.
    pub core_files: Option<bool>,
}

impl Environment {
    /// The environment for this configuration on top of the one we were started with; `log` is its own.
    pub(crate) fn new(
        paths: &Paths,
        config: &Config,
        prepared: impl Iterator<Item = (OsString, OsString)>,
        log: ScriptLog,
    ) -> Environment {
        Environment::on(&Layout::of(Path::new("/")), paths, config, prepared, log)
    }

    fn on(
        layout: &Layout,
        paths: &Paths,
        config: &Config,
        prepared: impl Iterator<Item = (OsString, OsString)>,
        log: ScriptLog,
    ) -> Environment {
        let theirs = prepared.filter(|(name, _)| !OURS.iter().any(|ours| name == ours) && !is_of_a_message(name));
        let (language, variables) = theirs.partition(|(name, _)| is_language(name));
        let directory = existing(directories::working_directory(paths));
        let mut environment =
            Environment { variables, language, directory, log, room: MOST_FROM_OUTSIDE, core_files: None };
        // Status is judged by English words.
        environment.set("LC_ALL", "C");
        for (name, value) in &config.parameters {
            environment.set(&variable_of(name), value);
        }
        environment.add_places(paths);
        environment.add_layout(layout);
        environment.add_logging(&config.logging);
        environment.set("HA_CURHOST", config.settings.me.as_str());
        environment.set("PWD", environment.directory.clone());
        let parameter = |name: &str| config.parameters.iter().find(|(known, _)| known == name).map(|(_, value)| value);
        if let Some(module) = parameter("compression") {
            environment.set("HA_COMPRESSION", module);
        }
        let refused = parameter("coredumps").is_some_and(|value| value::boolean(value) == Ok(false));
        environment.core_files = Some(!refused);
        environment.complete_path();
        environment
    }

    /// The same in the administrator's language: for programs that run beside the daemon and for fencing devices, whose
    /// words nobody judges. So does the original.
    pub(crate) fn in_their_language(&self) -> Environment {
        let mut environment = Environment { language: Vec::new(), ..self.clone() };
        environment.variables.retain(|(name, _)| name != "LC_ALL");
        environment.variables.extend(self.language.iter().cloned());
        environment
    }

    fn add_places(&mut self, paths: &Paths) {
        // The original's spelling: a script may write `${HA_DIR}resource.d`, or compare.
        let ha_dir = paths.ha_dir.display();
        self.set("HA_DIR", format!("{ha_dir}/"));
        for (name, place) in [("HA_FUNCS", "shellfuncs"), ("HA_RCDIR", "rc.d"), ("HA_RESOURCEDIR", "resource.d")] {
            self.set(name, format!("{ha_dir}//{place}"));
        }
        self.set("HA_VARLIB", &paths.lib_dir);
        self.set("HA_FIFO", paths.fifo());
        // The scripts of each package have a directory of their own for this, and by hand they use that one.
        if *paths != Paths::system() {
            self.set("HA_RSCTMP", paths.rsctmp());
        }
    }

    /// What is there, unless the administrator said otherwise.
    fn add_layout(&mut self, layout: &Layout) {
        let found = [
            ("HA_BIN", layout.helpers()),
            ("HA_NOARCHBIN", layout.scripts()),
            ("HA_SBIN_DIR", layout.directory("usr/sbin")),
            ("HA_DOCDIR", layout.directory("usr/share/doc/heartbeat")),
            ("OCF_ROOT", layout.directory("usr/lib/ocf")),
            ("OCF_AGENTS", layout.directory("usr/lib/ocf/resource.d/heartbeat/")),
        ];
        for (name, place) in found {
            if let Some(place) = place.filter(|_| self.get(name).is_none()) {
                self.set(name, place);
            }
        }
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

    /// Their places in front, the system's behind where they are missing.
    fn complete_path(&mut self) {
        let prepared = self.get("PATH").filter(|path| !path.is_empty());
        let prepared = prepared.unwrap_or_else(|| "/usr/local/sbin:/usr/local/bin".into());
        let front = ["HA_BIN", "HA_SBIN_DIR", "HA_NOARCHBIN"].into_iter().filter_map(|name| self.get(name));
        let mut path: Vec<PathBuf> = Vec::new();
        for dir in front.map(PathBuf::from).chain(std::env::split_paths(&prepared)) {
            // The home of whoever became root and started us by hand is no place for root's programs.
            if !path.contains(&dir) && dir.is_absolute() && !trust::is_anybodys(&dir) {
                path.push(dir);
            }
        }
        path.extend(SYSTEM_PATH.iter().map(PathBuf::from).filter(|dir| !path.contains(dir)).collect::<Vec<_>>());
        // A variable of theirs with a colon in it is no directory.
        self.set("PATH", std::env::join_paths(path).unwrap_or(prepared));
    }

    /// Sets a variable, replacing one of that name.
    pub(crate) fn set(&mut self, name: &str, value: impl Into<OsString>) {
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

    /// Adds a field of a message, or another word from outside, under this name; `false` when it is left out.
    ///
    /// It never takes the place of a variable, nor of one that scripts ask for and that is not set just now.
    pub(crate) fn add_from_outside(&mut self, name: &str, value: &str) -> bool {
        let is_name = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        // A shell of before 2014 takes such a value for a function, and runs what stands behind it.
        let is_function = value.trim_start().starts_with("()");
        let fits = name.len() <= LONGEST_NAME && value.len() <= LONGEST_VALUE && self.room > value.len();
        if !is_name || is_function || !fits || value.contains('\0') {
            return false;
        }
        if RESERVED.contains(&name) || self.get(name).is_some() {
            return false;
        }
        self.room -= name.len() + value.len();
        self.variables.push((name.into(), value.into()));
        true
    }

    /// The value of a variable.
    pub(crate) fn get(&self, name: &str) -> Option<OsString> {
        self.variables.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone())
    }

    /// All variables.
    pub(crate) fn variables(&self) -> impl Iterator<Item = (&OsString, &OsString)> {
        self.variables.iter().map(|(name, value)| (name, value))
    }
}

/// `HA_<directive>`, unless it has the prefix already.
fn variable_of(name: &str) -> String {
    if name.starts_with("HA_") { name.to_owned() } else { format!("HA_{name}") }
}

/// `HA_src` and its like, of the message whose script started us: it would stand in the way of those to come.
fn is_of_a_message(name: &OsStr) -> bool {
    name.to_str().and_then(|name| name.strip_prefix("HA_")).is_some_and(|name| field::TOLD.contains(&name))
}

fn is_language(name: &OsStr) -> bool {
    name == "LANG" || name == "LANGUAGE" || name.as_encoded_bytes().starts_with(b"LC_")
}

fn existing(dir: PathBuf) -> PathBuf {
    if dir.is_dir() { dir } else { Path::new("/").to_owned() }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::super::disk_thread::DiskThread;
    use super::*;
    use crate::config::{OnlyName, Sources};
    use crate::diagnostic::SourceText;
    use crate::names::NodeName;

    fn config() -> Config {
        let text = |name: &str, text: &str| Some(SourceText::new(name, text.to_owned()));
        let sources = Sources {
            ha_cf: text("ha.cf", "node alpha beta\nbcast lo\nauto_failback on\nlogfacility none\n"),
            authkeys: text("authkeys", "auth 1\n1 crc\n"),
            haresources: text("haresources", ""),
            ..Sources::default()
        };
        Config::assemble(&sources, &OnlyName(NodeName::new("alpha").unwrap())).unwrap()
    }

    /// On a machine with these files, started with these variables.
    fn environment(files: &[&str], given: &[(&str, &str)]) -> (tempfile::TempDir, Environment) {
        let root = tempfile::tempdir().unwrap();
        for file in files {
            let path = root.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, "#!/bin/sh\n").unwrap();
            fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
        }
        let config = config();
        let given = given.iter().map(|(name, value)| ((*name).into(), (*value).into()));
        let log = ScriptLog::open(&config.logging, DiskThread::at_once());
        let environment = Environment::on(&Layout::of(root.path()), &Paths::system(), &config, given, log);
        (root, environment)
    }

    fn shown(root: &Path, environment: &Environment, name: &str) -> Option<String> {
        let value = environment.get(name)?.into_string().unwrap();
        Some(value.replace(&format!("{}/", root.display()), "/"))
    }

    const DEBIAN_12: [&str; 5] = [
        "usr/libexec/heartbeat/findif",
        "usr/libexec/heartbeat/send_arp",
        "usr/share/heartbeat/mach_down",
        "usr/sbin/ip",
        "usr/lib/ocf/resource.d/heartbeat/IPaddr",
    ];

    #[test]
    fn what_scripts_are_told_leads_to_what_is_there() {
        let (root, environment) = environment(&DEBIAN_12, &[("PATH", "/opt/bin:/usr/bin")]);
        let told = |name| shown(root.path(), &environment, name);
        assert_eq!(told("HA_BIN").unwrap(), "/usr/libexec/heartbeat");
        assert_eq!(told("HA_NOARCHBIN").unwrap(), "/usr/share/heartbeat");
        assert_eq!(told("OCF_AGENTS").unwrap(), "/usr/lib/ocf/resource.d/heartbeat/");
        let path = "/usr/libexec/heartbeat:/usr/sbin:/usr/share/heartbeat:/opt/bin:/usr/bin:/sbin:/bin:/usr/sbin";
        assert_eq!(told("PATH").unwrap(), path);
        assert_eq!(told("HA_DOCDIR"), None);
    }

    #[test]
    fn what_leads_nowhere_is_not_said_and_what_has_its_own_default_neither() {
        let (root, environment) = environment(&[], &[]);
        for name in ["HA_BIN", "HA_NOARCHBIN", "HA_SBIN_DIR", "HA_DOCDIR", "OCF_ROOT", "OCF_AGENTS", "HA_RSCTMP"] {
            assert_eq!(shown(root.path(), &environment, name), None, "{name}");
        }
        let path = shown(root.path(), &environment, "PATH").unwrap();
        assert_eq!(path, "/usr/local/sbin:/usr/local/bin:/sbin:/bin:/usr/sbin:/usr/bin");
    }

    #[test]
    fn what_the_administrator_exported_stays() {
        let given = [
            ("HA_BIN", "/opt/bin"),
            ("HA_NOARCHBIN", "/opt/share"),
            ("HA_SBIN_DIR", "/opt/sbin"),
            ("HA_DOCDIR", "/opt/doc"),
            ("OCF_ROOT", "/opt/ocf"),
            ("OCF_AGENTS", "/opt/ocf/agents"),
            ("HA_RSCTMP", "/opt/tmp"),
            ("FOO", "bar"),
        ];
        let (root, environment) = environment(&DEBIAN_12, &given);
        for (name, value) in given {
            assert_eq!(shown(root.path(), &environment, name).as_deref(), Some(value), "{name}");
        }
        let path = shown(root.path(), &environment, "PATH").unwrap();
        assert!(path.starts_with("/opt/bin:/opt/sbin:/opt/share:/usr/local/sbin:"), "{path}");
    }

    #[test]
    fn a_directory_that_is_anybody_s_is_not_on_the_path() {
        let dir = tempfile::tempdir().unwrap();
        let [open, own] = ["open", "own"].map(|name| dir.path().join(name));
        for (dir, mode) in [(&open, 0o777), (&own, 0o755)] {
            fs::create_dir(dir).unwrap();
            fs::set_permissions(dir, fs::Permissions::from_mode(mode)).unwrap();
        }
        let given = format!(".:bin::{}:{}:/usr/local/nowhere", open.display(), own.display());
        let (_root, environment) = environment(&[], &[("PATH", &given)]);
        let path = environment.get("PATH").unwrap().into_string().unwrap();
        assert!(path.starts_with(&format!("{}:/usr/local/nowhere:/sbin:", own.display())), "{path}");
    }

    #[test]
    fn a_field_never_takes_the_place_of_what_scripts_go_by_set_or_not() {
        let (_root, mut environment) =
            environment(&[], &[("HA_SITE", "ours"), ("HA_src", "of-a-script-that-started-us")]);
        let before: Vec<_> = environment.variables().map(|(a, b)| (a.clone(), b.clone())).collect();
        let set: Vec<String> = before.iter().filter_map(|(name, _)| name.to_str().map(str::to_owned)).collect();
        for name in set.iter().map(String::as_str).chain(RESERVED) {
            assert!(!environment.add_from_outside(name, "/tmp/evil"), "{name}");
        }
        let after: Vec<_> = environment.variables().map(|(a, b)| (a.clone(), b.clone())).collect();
        assert_eq!(before, after);
        assert!(environment.add_from_outside("HA_src", "beta") && environment.add_from_outside("HA_My_9", "x y"));
        assert!(!environment.add_from_outside("HA_src", "gamma"), "nor of another field");
        assert_eq!(environment.get("HA_src"), Some("beta".into()));
    }

    #[test]
    fn what_is_no_name_or_would_be_too_much_is_left_out() {
        let (_root, mut environment) = environment(&[], &[]);
        let long = "x".repeat(LONGEST_VALUE + 1);
        for (name, value) in [
            ("HA_a-b", "x"),
            ("HA_a b", "x"),
            ("HA_a=b", "x"),
            ("HA_BASH_FUNC_x%%", "() { :;}"),
            ("HA_\u{e9}", "x"),
            ("HA_nul", "a\0b"),
            ("HA_f", "() { :;}; reboot"),
            ("HA_g", " \t(){ :;}; reboot"),
            (&format!("HA_{}", "x".repeat(LONGEST_NAME)), "x"),
            ("HA_long", &long),
        ] {
            assert!(!environment.add_from_outside(name, value), "{name}");
        }
        let value = &long[..LONGEST_VALUE];
        let taken = (0..100).filter(|n| environment.add_from_outside(&format!("HA_n{n}"), value)).count();
        assert_eq!(taken, MOST_FROM_OUTSIDE / (LONGEST_VALUE + 8));
    }

    #[test]
    fn scripts_speak_english_and_what_runs_beside_the_daemon_the_administrators_language() {
        let given = [("LANG", "es_ES.UTF-8"), ("LANGUAGE", "es:de"), ("LC_ALL", "es_MX"), ("LC_MESSAGES", "es_ES")];
        let (_root, environment) = environment(&[], &given);
        let language = |environment: &Environment| {
            let of = environment.variables().filter(|(name, _)| is_language(name));
            of.map(|(name, value)| format!("{}={}", name.display(), value.display())).collect::<Vec<_>>()
        };
        assert_eq!(language(&environment), ["LC_ALL=C"]);
        let theirs = ["LANG=es_ES.UTF-8", "LANGUAGE=es:de", "LC_ALL=es_MX", "LC_MESSAGES=es_ES"];
        assert_eq!(language(&environment.in_their_language()), theirs);
    }
}
