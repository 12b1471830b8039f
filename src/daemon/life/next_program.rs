//! The program that goes on where this one is: how it is started as another process, and how this process becomes it
//! (`config.md` 7).

use std::ffi::{CString, OsStr, OsString};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

use crate::daemon::options::DaemonOptions;
use crate::host::called::{ORIGINAL, RECORD};
use crate::paths::Paths;

use super::service;

/// How `program` is started to run a daemon as these options say, under the name we have.
///
/// By the old name it gets the old flags only, and the rest by its environment: an earlier version knows them as well.
pub(crate) fn command_for(options: &DaemonOptions, program: &Path) -> Command {
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
pub(super) fn exec_program(options: &DaemonOptions, program: &Path) -> io::Error {
    let command = command_for(options, program);
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
    use crate::host::called::{Called, MYSELF};

    fn options(word: &str, ha_dir: &str) -> DaemonOptions {
        DaemonOptions {
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
        let spelled = |word, dir| words(&command_for(&options(word, dir), Path::new(MYSELF)));
        assert_eq!(
            spelled("/usr/sbin/latido", "/etc/ha.d"),
            "daemon --foreground -d /etc/ha.d --record /var/log/r -M --debug --debug | "
        );
        assert_eq!(
            spelled("/usr/lib/heartbeat/heartbeat", "/srv/ha.d"),
            "-f -M -d -d | HA_DIR=/srv/ha.d LATIDO_RECORD=/var/log/r"
        );
        assert_eq!(spelled("heartbeat", "/etc/ha.d"), "-f -M -d -d | HA_DIR=(none) LATIDO_RECORD=/var/log/r");
    }
}
