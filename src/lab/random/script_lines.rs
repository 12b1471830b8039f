//! What the resource scripts of a random lab write down: each begin and end, into one file that both hosts append to and
//! no fault reaches. The order of its lines is the order in which things happened, whoever was late to read them.
//!
//! Times are the kernel's since its start, in hundredths of a second: all that a shell can read without starting a program.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::path::Path;
use std::time::Duration;

use crate::clock::since_boot;
use crate::haresources::Verb;
use crate::lab::machine::KEPT;
use crate::time::Mono;

/// The file, in the directory that is kept.
pub(super) const FILE: &str = "notes";

/// A line of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ScriptLine {
    /// Since the machine was started.
    pub(super) at: Duration,
    pub(super) host: String,
    pub(super) what: ScriptDid,
}

/// What a line says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ScriptDid {
    /// A script was called.
    Began(String, Verb),
    /// It ended by itself, with this code.
    Ended(String, Verb, i32),
    /// A `status` said whether it runs.
    Said(String, bool),
    /// The host lost its power; written by the lab.
    Off,
    /// It asks for another to be switched off.
    Fence(String),
    /// Its device has told it that it is done; not when it no longer waited for that.
    Fenced(String),
}

impl ScriptLine {
    /// Reads a line; `None` when it is none.
    pub(super) fn from_line(line: &str) -> Option<ScriptLine> {
        let words: Vec<&str> = line.split_whitespace().collect();
        let (at, host, rest) = (words.first()?, words.get(1)?, words.get(2..)?);
        let at = Duration::try_from_secs_f64(at.parse().ok()?).ok()?;
        let what = match *rest {
            ["off"] => ScriptDid::Off,
            ["fence", target] => ScriptDid::Fence(target.to_owned()),
            ["fenced", target] => ScriptDid::Fenced(target.to_owned()),
            [name, "begin", verb] => ScriptDid::Began(name.to_owned(), verb_of(verb)?),
            [name, "end", verb, code] => ScriptDid::Ended(name.to_owned(), verb_of(verb)?, code.parse().ok()?),
            [name, "says", said] => ScriptDid::Said(name.to_owned(), said == "running"),
            _ => return None,
        };
        Some(ScriptLine { at, host: (*host).to_owned(), what })
    }
}

fn verb_of(word: &str) -> Option<Verb> {
    match word {
        "start" => Some(Verb::Start),
        "stop" => Some(Verb::Stop),
        "status" => Some(Verb::Status),
        _ => None,
    }
}

/// Reads the file as it grows.
#[derive(Debug)]
pub(super) struct ScriptReader {
    file: BufReader<File>,
    own: File,
    /// A line that has not ended yet.
    rest: String,
    /// What the kernel's clock showed when the lab's began.
    boot: Duration,
    last: Mono,
}

impl ScriptReader {
    /// Makes the file in this directory.
    pub(super) fn create(directory: &Path, now: Mono) -> io::Result<ScriptReader> {
        let path = directory.join(FILE);
        let own = File::options().create_new(true).append(true).open(&path)?;
        let boot = since_boot().saturating_sub(now.elapsed());
        Ok(ScriptReader { file: BufReader::new(File::open(&path)?), own, rest: String::new(), boot, last: Mono::ZERO })
    }

    /// A host has lost its power: nothing of it writes any more.
    pub(super) fn off(&mut self, host: &str) {
        let _ = writeln!(self.own, "{:.2} {host} off", since_boot().as_secs_f64());
    }

    /// The next line and its time by the lab's clock; times never go back.
    pub(super) fn next(&mut self) -> Option<(Mono, ScriptLine)> {
        loop {
            self.file.read_line(&mut self.rest).ok()?;
            if !self.rest.ends_with('\n') {
                return None;
            }
            let line = ScriptLine::from_line(&std::mem::take(&mut self.rest));
            if let Some(line) = line {
                self.last = self.last.max(Mono::at(line.at.saturating_sub(self.boot)));
                return Some((self.last, line));
            }
        }
    }
}

/// The resource script `name`. It does as the file `/mnt/trouble-NAME-VERB` says: `fail`, `slow`, or `hang` for as long as
/// that stands there.
pub(super) fn script(name: &str) -> String {
    SCRIPT.replace("NAME", name).replace("NOTES", &format!("{KEPT}/{FILE}"))
}

/// The fencing device: asks the lab, and waits until it has done so.
pub(super) fn fence_script() -> String {
    FENCE.replace("KEPT", KEPT).replace("NOTES", &format!("{KEPT}/{FILE}"))
}

/// In the directory that is kept: that what this host asked its device for is done.
pub(super) fn done(host: &str) -> String {
    format!("fenced-for-{host}")
}

/// Below `/mnt`: what the scripts obey.
pub(super) fn trouble(name: &str, verb: Verb) -> String {
    format!("trouble-{name}-{}", verb.as_str())
}

const FENCE: &str = r#"#!/bin/sh
# Stands in for a fencing device in a random lab.
read -r host </proc/sys/kernel/hostname
rm -f "KEPT/fenced-for-$host"
read -r now rest </proc/uptime
echo "$now $host fence $1" >>NOTES
while [ ! -e "KEPT/fenced-for-$host" ]; do sleep 0.05; done
read -r now rest </proc/uptime
echo "$now $host fenced $1" >>NOTES
"#;

const SCRIPT: &str = r#"#!/bin/sh
# Stands in for NAME in a random lab: notes what it is asked to do and what came of it.
verb=$1
state=/run/lab/NAME
read -r host </proc/sys/kernel/hostname
note() {
    read -r now rest </proc/uptime
    echo "$now $host NAME $*" >>NOTES
}
obey() {
    trouble=
    [ -e "/mnt/trouble-NAME-$verb" ] && read -r trouble <"/mnt/trouble-NAME-$verb"
}
note begin "$verb"
obey
case $trouble in
    fail) note end "$verb" 1
          exit 1 ;;
    slow) sleep 1.5 ;;
    hang) while [ "$trouble" = hang ]; do sleep 0.2; obey; done ;;
esac
running=stopped
[ -e "$state" ] && read -r running <"$state"
case $verb in
    start) echo running >"$state" ;;
    stop) echo stopped >"$state" ;;
    *) note says "$running"
       echo "$running" ;;
esac
note end "$verb" 0
exit 0
"#;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_script_writes_is_understood() {
        let line = |line: &str| ScriptLine::from_line(line).map(|line| line.what);
        assert_eq!(line("12.50 alpha one begin start\n"), Some(ScriptDid::Began("one".into(), Verb::Start)));
        assert_eq!(line("12.50 alpha one end stop 1\n"), Some(ScriptDid::Ended("one".into(), Verb::Stop, 1)));
        assert_eq!(line("12.50 alpha one says running\n"), Some(ScriptDid::Said("one".into(), true)));
        assert_eq!(line("12.50 alpha off\n"), Some(ScriptDid::Off));
        assert_eq!(line("12.50 alpha fence beta\n"), Some(ScriptDid::Fence("beta".into())));
        assert_eq!(line("12.50 alpha fenced beta\n"), Some(ScriptDid::Fenced("beta".into())));
        assert_eq!(line("12.50 alpha one end"), None);
        assert_eq!(line("soon alpha off"), None);
    }

    #[test]
    fn lines_are_read_when_they_are_whole_and_their_times_never_go_back() {
        let dir = tempfile::tempdir().unwrap();
        let mut reader = ScriptReader::create(dir.path(), Mono::ZERO).unwrap();
        let mut file = File::options().append(true).open(dir.path().join(FILE)).unwrap();
        let later = reader.boot.as_secs_f64() + 5.0;
        write!(file, "{later:.2} alpha off\n{:.2} beta ", later - 1.0).unwrap();
        let (first, _) = reader.next().unwrap();
        assert!(reader.next().is_none());
        writeln!(file, "off").unwrap();
        let (second, line) = reader.next().unwrap();
        assert_eq!((second, line.host.as_str()), (first, "beta"));
    }
}
