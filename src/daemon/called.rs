//! The name this program was called by, as `ps`, `pgrep` and `pidof` show it: it stays with every process
//! of a daemon, whichever of them starts the other, and with the program that is exchanged for the next one.
//!
//! A process that does the work bears the title of the original's, which alarms and panels look for.

use std::ffi::{CString, OsStr, OsString};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

use crate::paths::Paths;
use crate::sys;

use super::service;
use super::start::Options;

/// This executable, also when another one lies in its place meanwhile.
pub(crate) const MYSELF: &str = "/proc/self/exe";
/// What follows the name in the title of the process that does the work.
const TITLE: &str = ": master control process";
/// The name of this program, and that of the one it replaces.
pub(super) const OURS: &str = "latido";
pub(crate) const ORIGINAL: &str = "heartbeat";
/// What is to be recorded, for a name that knows no such option.
pub(crate) const RECORD: &str = "LATIDO_RECORD";

/// How this program was called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Called(OsString);

impl Called {
    /// As this process was; to be asked before it has a title.
    pub fn now() -> Called {
        std::env::args_os().next().map_or_else(|| Called(OURS.into()), Called::by)
    }

    /// By this word.
    pub(crate) fn by(word: OsString) -> Called {
        // Nobody calls it that: somebody started it by its link in /proc.
        let nameless = word.is_empty() || word == MYSELF;
        Called(if nameless { OURS.into() } else { word })
    }

    /// The word itself.
    pub(crate) fn word(&self) -> &OsStr {
        &self.0
    }

    /// Its last part: the program.
    pub(crate) fn name(&self) -> &OsStr {
        base(&self.0)
    }

    /// Names this process so, which has the name of a link in `/proc` otherwise.
    pub(crate) fn wear(&self) {
        // A process with the wrong name works as well.
        let _ = CString::new(self.name().as_bytes()).map(|name| nix::sys::prctl::set_name(&name));
    }

    /// Gives this process, which has no other thread, the title of the one that does the work.
    ///
    /// # Errors
    /// Where the kernel does not let a process write over its arguments.
    pub(super) fn take_title(&self) -> io::Result<()> {
        let mut title = self.name().as_bytes().to_vec();
        title.extend_from_slice(TITLE.as_bytes());
        sys::set_title(&title)
    }
}

/// Whether these are the words of a process that bears that title, or another of the original's.
pub(super) fn is_title(word: &OsStr) -> bool {
    let word = word.as_bytes();
    word.ends_with(TITLE.as_bytes()) || word.starts_with(b"heartbeat: ")
}

/// The last part of a path.
pub(super) fn base(word: &OsStr) -> &OsStr {
    Path::new(word).file_name().unwrap_or(word)
}

/// How `program` is started to run a daemon as these options say, under the name we have.
///
/// By the old name it gets the old flags only, and the rest by its environment: an earlier version knows them as well.
pub(crate) fn again(options: &Options, program: &Path) -> Command {
    let mut command = Command::new(program);
    command.arg0(options.called.word());
    let ha_dir = &options.paths.ha_dir;
    let by_old_name = options.called.name() == ORIGINAL;
    if by_old_name {
        command.arg("-f");
        if *ha_dir == Paths::system().ha_dir {
            command.env_remove("HA_DIR");
        } else {
            command.env("HA_DIR", ha_dir);
        }
        if let Some(path) = &options.record {
            command.env(RECORD, path);
        }
    } else {
        command.args(["daemon", "--foreground", "-d"]).arg(ha_dir);
        if let Some(path) = &options.record {
            command.arg("--record").arg(path);
        }
    }
    command.args(options.without_resources.then_some("-M"));
    command.args(options.without_realtime.then_some("-l"));
    command.args((0..options.debug).map(|_| if by_old_name { "-d" } else { "--debug" }));
    command
}

/// Exchanges the program of this process for the one this command runs. Unlike the way of the library it leaves signals
/// held back as they are: one that comes this moment reaches the next program. Returns only when it fails.
pub(super) fn become_it(options: &Options, program: &Path) -> io::Error {
    let command = again(options, program);
    let text = |word: &OsStr| CString::new(word.as_bytes());
    let exchange = || {
        let mut words = vec![text(options.called.word())?];
        words.extend(command.get_args().map(text).collect::<Result<Vec<_>, _>>()?);
        let changed: Vec<_> = command.get_envs().collect();
        let kept = std::env::vars_os().filter(|(name, _)| changed.iter().all(|(other, _)| name != other));
        let set = changed.iter().filter_map(|(name, value)| Some((OsString::from(name), OsString::from((*value)?))));
        let pair = |(mut name, mut value): (OsString, OsString)| {
            if name == service::LIMIT_OF {
                // Whoever had our place before us, it is us who are watched now.
                value = std::process::id().to_string().into();
            }
            name.push("=");
            name.push(value);
            text(&name)
        };
        let variables = kept.chain(set).map(pair).collect::<Result<Vec<_>, _>>()?;
        Err(io::Error::from(match nix::unistd::execve(&text(program.as_os_str())?, &words, &variables) {
            Err(errno) => errno,
            Ok(never) => match never {},
        }))
    };
    exchange().unwrap_or_else(|error: io::Error| error)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(word: &str, ha_dir: &str) -> Options {
        Options {
            paths: Paths::under(Path::new(ha_dir)),
            called: Called::by(word.into()),
            without_resources: true,
            without_realtime: false,
            debug: 2,
            to_terminal: false,
            watch_over: None,
            record: Some("/var/log/r".into()),
        }
    }

    fn words(command: &Command) -> String {
        let words: Vec<_> = command.get_args().map(|word| word.to_string_lossy()).collect();
        let variables = command.get_envs().map(|(name, value)| {
            format!("{}={}", name.to_string_lossy(), value.unwrap_or(OsStr::new("(none)")).to_string_lossy())
        });
        format!("{} | {}", words.join(" "), variables.collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn a_daemon_is_started_again_in_the_words_of_its_name() {
        let again = |word, dir| words(&again(&options(word, dir), Path::new(MYSELF)));
        assert_eq!(
            again("/usr/sbin/latido", "/etc/ha.d"),
            "daemon --foreground -d /etc/ha.d --record /var/log/r -M --debug --debug | "
        );
        assert_eq!(
            again("/usr/lib/heartbeat/heartbeat", "/srv/ha.d"),
            "-f -M -d -d | HA_DIR=/srv/ha.d LATIDO_RECORD=/var/log/r"
        );
        assert_eq!(again("heartbeat", "/etc/ha.d"), "-f -M -d -d | HA_DIR=(none) LATIDO_RECORD=/var/log/r");
    }

    #[test]
    fn whoever_is_started_by_the_link_in_proc_or_by_nothing_is_called_latido() {
        for word in [MYSELF, ""] {
            assert_eq!(Called::by(word.into()).word(), "latido");
        }
        assert_eq!(Called::by("/usr/sbin/latido-2".into()).name(), "latido-2");
    }

    #[test]
    fn the_originals_titles_and_ours_are_known() {
        for title in ["heartbeat: master control process", "heartbeat: FIFO reader", "latido: master control process"] {
            assert!(is_title(OsStr::new(title)), "{title}");
        }
        assert!(!is_title(OsStr::new("/usr/lib/heartbeat/heartbeat")));
    }
}
