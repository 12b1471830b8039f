//! Two nodes, one virtual clock: what happens, message by message and script by script, as files.
//!
//! Each file in `tests/scenarios/` is a play: what the pair is made of, what befalls it and what must then be true; below
//! the line is the transcript. `UPDATE_EXPECTED=1 cargo test --test scenarios` writes the transcripts anew: read the
//! difference before keeping it. The commands are in [`Play::command`].

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may panic")]

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use latido::cluster::{AutoFailback, Monitor, OnStartFailure, OnStopFailure, Probe, Request, Response, Set, Settings};
use latido::haresources::Verb;
use latido::simulate::{Behaviour, MEDIA, NAMES, Pair};

/// Between a play and its transcript.
const LINE: &str = "----\n";

#[test]
fn every_play_goes_as_its_transcript_says() {
    let update = std::env::var_os("UPDATE_EXPECTED").is_some();
    let mut wrong = Vec::new();
    for path in plays() {
        let text = fs::read_to_string(&path).unwrap();
        let (play, expected) = text.split_once(LINE).unwrap_or((&text, ""));
        let (transcript, complaints) = perform(play);
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        wrong.extend(complaints.into_iter().map(|complaint| format!("{name}: {complaint}\n{transcript}")));
        if update {
            fs::write(&path, format!("{play}{LINE}{transcript}")).unwrap();
        } else if transcript != expected {
            wrong.push(format!("{name}: another transcript than expected\n{}", difference(expected, &transcript)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_play_gives_the_same_transcript_every_time() {
    for path in plays() {
        let text = fs::read_to_string(&path).unwrap();
        let play = text.split(LINE).next().unwrap();
        assert_eq!(perform(play), perform(play), "{}", path.display());
    }
}

fn plays() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios");
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|end| end == "txt"));
    paths.sort();
    assert!(paths.len() > 10, "the plays are gone");
    paths
}

/// The first lines that differ.
fn difference(expected: &str, found: &str) -> String {
    let same = expected.lines().zip(found.lines()).take_while(|(one, other)| one == other).count();
    let some = |text: &str, sign: &str| -> String {
        text.lines().skip(same).take(8).map(|line| format!("{sign} {line}\n")).collect()
    };
    format!("line {} of the transcript:\n{}{}", same + 1, some(expected, "-"), some(found, "+"))
}

/// Plays the commands; the transcript, and what was expected in vain.
fn perform(play: &str) -> (String, Vec<String>) {
    let commands = || play.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let groups: Vec<_> = commands().filter_map(|line| line.strip_prefix("group ")).collect();
    let settings: Vec<_> = commands().filter_map(|line| line.strip_prefix("set ")).collect();
    let edit = |to: &mut Settings| settings.iter().for_each(|line| set(to, line));
    let mut pair = Pair::new(&groups.join("\n"), 7, edit).unwrap();
    pair.exact = true;
    let mut stage = Play { pair, complaints: Vec::new(), replies: Vec::new() };
    for line in commands().filter(|line| !line.starts_with("group ") && !line.starts_with("set ")) {
        stage.command(line);
    }
    (stage.pair.transcript() + "\n", stage.complaints)
}

/// `set NAME VALUE…`, for both nodes.
fn set(settings: &mut Settings, line: &str) {
    let words: Vec<_> = line.split_whitespace().collect();
    match words[..] {
        ["auto_failback", "on"] => settings.auto_failback = AutoFailback::On,
        ["auto_failback", "off"] => settings.auto_failback = AutoFailback::Off,
        ["auto_failback", "legacy"] => settings.auto_failback = AutoFailback::Legacy,
        ["on-start-failure", "stay"] => settings.on_start_failure = OnStartFailure::Stay,
        ["on-stop-failure", "block"] => settings.on_stop_failure = OnStopFailure::Block,
        ["script-timeout", time] => {
            settings.script_timeout.start = secs(time);
            settings.script_timeout.stop = secs(time);
        }
        ["fence", device] => settings.fences.push(device.into()),
        ["monitor", resource, every, restarts] => settings.monitors.push(Monitor {
            resource: resource.into(),
            every: secs(every),
            failures: 1,
            restarts: restarts.parse().unwrap(),
            with: Probe::Status,
        }),
        _ => panic!("set {line}: no such setting"),
    }
}

struct Play {
    pair: Pair,
    complaints: Vec<String>,
    replies: Vec<(usize, Response)>,
}

impl Play {
    fn command(&mut self, line: &str) {
        let words: Vec<_> = line.split_whitespace().collect();
        let pair = &mut self.pair;
        match words[..] {
            ["wait", time] => pair.run_for(secs(time)),
            ["start", ref nodes @ ..] => nodes.iter().for_each(|name| pair.start(node(name))),
            ["leave", ref nodes @ ..] => nodes.iter().for_each(|name| pair.leave(node(name))),
            ["power-off", name] => pair.power_off(node(name)),
            ["kill", name] => pair.crash(node(name)),
            ["stall", name, time] => pair.stall(node(name), secs(time)),
            ["cut", medium] => cut(pair, medium, true),
            ["mend", medium] => cut(pair, medium, false),
            ["standby", name, what] => pair.request(node(name), Request::Standby(Set::from_text(what).unwrap())),
            ["takeover", name, what] => pair.request(node(name), Request::Takeover(Set::from_text(what).unwrap())),
            ["retry", name, group] => pair.request(node(name), Request::Retry(group.to_owned())),
            ["fifo", name, ..] => pair.write_fifo(node(name), after(line, 2)),
            ["reload", name, ..] => pair.reconfigure(node(name), after(line, 2), "another"),
            ["replay-to", name] => {
                let status = pair.last_status(1 - node(name)).unwrap();
                pair.replay(node(name), &status);
            }
            ["dies", name, word] => pair.service_dies(node(name), word),
            ["comes-up", name, word] => pair.service_comes_up(node(name), word),
            ["fails", name, word, verb] => pair.scripts.misbehave(node(name), word, parse(verb), Behaviour::Fails),
            ["hangs", name, word, verb] => pair.scripts.misbehave(node(name), word, parse(verb), Behaviour::Hangs),
            ["scripts-work"] => pair.scripts.mend(),
            ["scripts-take", time] => pair.scripts.slowness = secs(time),
            ["fence-fails", times] => pair.fence_failures = times.parse().unwrap(),
            ["upgrade", name] => pair.upgrade(node(name)),
            ["original", name, "starts", status] => pair.original_starts(node(name), status),
            ["original", name, "is", status] => pair.original_is(node(name), status),
            ["original", name, "says", ..] => pair.original_says(node(name), after(line, 3)),
            ["original", name, "runs", ref words @ ..] => pair.original_runs(node(name), words),
            ["expect", ..] => self.expect(line, &words[1..]),
            _ => panic!("{line}: no such command"),
        }
    }

    fn expect(&mut self, line: &str, words: &[&str]) {
        let so = match words {
            [name, "runs", "nothing"] => self.pair.running(node(name)).is_empty(),
            [name, "runs", words @ ..] => self.pair.running(node(name)) == words,
            ["never", "both"] => self.pair.doubles().is_empty() && !self.pair.is_doubled(),
            ["not", "both"] => !self.pair.is_doubled(),
            ["both"] => self.pair.is_doubled(),
            ["reply", name, ..] => {
                self.replies.extend(self.pair.take_replies());
                let wanted = after(line, 3);
                self.replies.iter().any(|(from, reply)| *from == node(name) && format!("{reply:?}").contains(wanted))
            }
            [name, "said", ..] => self.has(name, after(line, 3)),
            [name, "never", "said", ..] => !self.has(name, after(line, 4)),
            _ => panic!("{line}: no such expectation"),
        };
        if so {
            self.pair.remark(line);
        } else {
            let at = self.pair.now().elapsed().as_secs_f64();
            self.complaints.push(format!("at {at:.3}: {line}: it is not so"));
        }
    }

    /// Whether a node's part of the transcript contains a text.
    fn has(&self, name: &str, text: &str) -> bool {
        self.pair.transcript().lines().any(|line| line.get(11..17).map(str::trim) == Some(name) && line.contains(text))
    }
}

fn node(name: &str) -> usize {
    NAMES.iter().position(|known| *known == name).unwrap_or_else(|| panic!("{name} is no node"))
}

fn cut(pair: &mut Pair, medium: &str, is_cut: bool) {
    for (at, name) in MEDIA.iter().enumerate().filter(|(_, name)| medium == "all" || medium == **name) {
        pair.remark(&format!("{} {name}", if is_cut { "cut" } else { "mend" }));
        pair.cut[at] = is_cut;
    }
}

fn parse(verb: &str) -> Verb {
    match verb {
        "start" => Verb::Start,
        "stop" => Verb::Stop,
        "status" => Verb::Status,
        _ => panic!("{verb} is no verb"),
    }
}

fn secs(text: &str) -> Duration {
    Duration::from_secs_f64(text.parse().unwrap_or_else(|_| panic!("{text} is no time in seconds")))
}

/// What follows the first `n` words of a line.
fn after(line: &str, n: usize) -> &str {
    (0..n).fold(line, |rest, _| rest.split_once(' ').map_or("", |(_, rest)| rest.trim_start()))
}
