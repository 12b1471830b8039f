//! `latido.cf`: what the original has no word for, in the grammar of `ha.cf` (latido.cf(5)). Pure.

use std::net::SocketAddr;
use std::time::Duration;

use crate::cluster::{Monitor, OnStartFailure, OnStopFailure, Probe, ScriptTimeouts};
use crate::diagnostic::{Problem, SourceText};

use super::facts::Facts;
use super::line::{self, FileLine, Word};
use super::suggest::suggestion_among;
use super::value;

/// One directive of `latido.cf`.
pub struct LatidoDirective {
    /// The word at the start of the line.
    pub name: &'static str,
    /// What it is for, as the sample says it: a line each.
    pub about: &'static [&'static str],
    /// What stands between the name and the default, in an example.
    pub example: &'static str,
    /// The words that change nothing, a line each; none when the absence of the directive means none.
    pub defaults: &'static [&'static str],
}

const fn directive(
    name: &'static str,
    about: &'static [&'static str],
    example: &'static str,
    defaults: &'static [&'static str],
) -> LatidoDirective {
    LatidoDirective { name, about, example, defaults }
}

/// The directives of `latido.cf`, in the order of the sample `etc/ha.d/latido.cf`, which is made of them.
pub static LATIDO_DIRECTIVES: [LatidoDirective; 9] = [
    directive(
        "script-timeout",
        &["A resource script that takes longer is killed with its process group and counts as failed:"],
        "",
        &["start 120", "stop 120", "status 30"],
    ),
    directive(
        "monitor",
        &[
            "Ask a held resource, or * for all, every so many seconds whether it works. After so many failures in a row it is",
            "restarted; after so many restarts its group goes to the other node. Without such a line nobody asks.",
            "Behind with: status, tcp HOST:PORT, sip HOST:PORT, or command /PATH ARGUMENTS. May be repeated.",
        ],
        "* 30",
        &["failures 1 restarts 3 with status"],
    ),
    directive(
        "on-start-failure",
        &["A group that cannot start here: move it to the other node at once, or let it stay down."],
        "",
        &["move"],
    ),
    directive(
        "on-stop-failure",
        &[
            "A resource that cannot be stopped: reboot this machine (disks are synced first), let the other node fence it, or",
            "block the group where it is.",
        ],
        "",
        &["reboot"],
    ),
    directive(
        "failback-delay",
        &["With auto_failback on: how long the home of a group must be back before the group goes there."],
        "",
        &["0"],
    ),
    directive(
        "announce",
        &["How often a taken address is announced to the neighbours, and the time between two announcements:"],
        "",
        &["5 200ms"],
    ),
    directive(
        "fence",
        &[
            "A command that switches a dead node off, before its groups are taken over; %n is the node, exit 0 means off.",
            "Tried after the devices of ha.cf. None without such a line; may be repeated.",
        ],
        "/usr/local/sbin/power-off %n",
        &[],
    ),
    directive(
        "notify",
        &["A command that is run at each change of state. None without such a line; of several the last counts."],
        "/usr/local/sbin/tell-me",
        &[],
    ),
    directive(
        "listen",
        &[
            "Serve the status over HTTP, for reading only: /, /status.json, /metrics. Whoever reaches the address may read it.",
            "Nowhere without such a line.",
        ],
        "127.0.0.1:9694",
        &[],
    ),
];

/// `etc/ha.d/latido.cf`: every directive as a comment, with what holds without it.
pub fn sample() -> String {
    let mut text = "# /etc/ha.d/latido.cf: what heartbeat has no word for. Optional. Explained in: man latido.cf\n\
                    # Same grammar as ha.cf. Heartbeat does not read this file. A line without its # says what holds anyway, but for\n\
                    # monitor, fence, notify and listen: these do nothing until they are written.\n"
        .to_owned();
    for LatidoDirective { name, about, example, defaults } in &LATIDO_DIRECTIVES {
        text += "\n";
        text.extend(about.iter().map(|line| format!("# {line}\n")));
        let values = if defaults.is_empty() { &[""][..] } else { defaults };
        for value in values {
            let words = [*name, *example, *value];
            let words: Vec<&str> = words.into_iter().filter(|word| !word.is_empty()).collect();
            text += &format!("#{}\n", words.join(" "));
        }
    }
    text
}

/// What `latido.cf` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LatidoCf {
    /// `script-timeout`
    pub script_timeout: ScriptTimeouts,
    /// `on-start-failure`
    pub on_start_failure: OnStartFailure,
    /// `on-stop-failure`
    pub on_stop_failure: OnStopFailure,
    /// `failback-delay`
    pub failback_delay: Duration,
    /// `announce`: how many times, and the time between two.
    pub announce: (u32, Duration),
    /// `monitor`, in the order of the file.
    pub monitors: Vec<Monitor>,
    /// `fence`: commands in the order they are tried.
    pub fences: Vec<Vec<String>>,
    /// `notify`: the command, the last line wins.
    pub notify: Option<Vec<String>>,
    /// `listen`: where the status page is served, if anywhere.
    pub listen: Option<SocketAddr>,
}

impl Default for LatidoCf {
    fn default() -> LatidoCf {
        LatidoCf {
            script_timeout: ScriptTimeouts::default(),
            on_start_failure: OnStartFailure::Move,
            on_stop_failure: OnStopFailure::Reboot,
            failback_delay: Duration::ZERO,
            announce: (5, Duration::from_millis(200)),
            monitors: Vec::new(),
            fences: Vec::new(),
            notify: None,
            listen: None,
        }
    }
}

impl LatidoCf {
    /// The file that says the same.
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        let ScriptTimeouts { start, stop, status } = self.script_timeout;
        for (verb, limit) in [("start", start), ("stop", stop), ("status", status)] {
            text += &format!("script-timeout {verb} {}\n", value::in_ms(limit));
        }
        let on_start = match self.on_start_failure {
            OnStartFailure::Move => "move",
            OnStartFailure::Stay => "stay",
        };
        let on_stop = match self.on_stop_failure {
            OnStopFailure::Reboot => "reboot",
            OnStopFailure::Fence => "fence",
            OnStopFailure::Block => "block",
        };
        text += &format!("on-start-failure {on_start}\non-stop-failure {on_stop}\n");
        text += &format!("failback-delay {}\n", value::in_ms(self.failback_delay));
        text += &format!("announce {} {}\n", self.announce.0, value::in_ms(self.announce.1));
        for monitor in &self.monitors {
            text += &monitor_text(monitor);
        }
        let commands = self.fences.iter().map(|words| ("fence", words));
        for (name, words) in commands.chain(self.notify.iter().map(|words| ("notify", words))) {
            text += &format!("{name} {}\n", words.join(" "));
        }
        if let Some(address) = self.listen {
            text += &format!("listen {address}\n");
        }
        text
    }
}

fn monitor_text(monitor: &Monitor) -> String {
    let with = match &monitor.with {
        // No line says the second: it belongs to the first.
        Probe::Status | Probe::Carrier(_) => "status".to_owned(),
        Probe::Tcp(target) => format!("tcp {target}"),
        Probe::Sip(target) => format!("sip {target}"),
        Probe::Command(words) => format!("command {}", words.join(" ")),
    };
    let Monitor { resource, every, failures, restarts, .. } = monitor;
    format!("monitor {resource} {} failures {failures} restarts {restarts} with {with}\n", value::in_ms(*every))
}

/// Reads the file.
pub(super) fn parse(source: &SourceText) -> (LatidoCf, Vec<Problem>) {
    let (lines, mut problems) = line::read(source);
    let mut latido = LatidoCf::default();
    for line in &lines {
        if let Err(problem) = apply(&mut latido, source, line) {
            problems.push(problem);
        }
    }
    (latido, problems)
}

fn apply(latido: &mut LatidoCf, source: &SourceText, line: &FileLine<'_>) -> Result<(), Problem> {
    let words = line.words();
    let needs = |what: &str| {
        let word = line.tail().unwrap_or_else(|| line.directive.clone());
        word.error(source, format!("{} needs {what}", line.directive.text))
    };
    let most = match (line.directive.text, words.as_slice()) {
        ("script-timeout", [verb, time, ..]) => {
            let time = duration(source, time)?;
            match verb.text {
                "start" => latido.script_timeout.start = time,
                "stop" => latido.script_timeout.stop = time,
                "status" => latido.script_timeout.status = time,
                _ => return Err(choice(source, verb, "start, stop, status")),
            }
            2
        }
        ("script-timeout", _) => return Err(needs("start, stop or status, and a time: script-timeout start 120")),
        ("on-start-failure", [word, ..]) => {
            latido.on_start_failure = match word.text {
                "move" => OnStartFailure::Move,
                "stay" => OnStartFailure::Stay,
                _ => return Err(choice(source, word, "move, stay")),
            };
            1
        }
        ("on-start-failure", _) => return Err(needs("move or stay")),
        ("on-stop-failure", [word, ..]) => {
            latido.on_stop_failure = match word.text {
                "reboot" => OnStopFailure::Reboot,
                "fence" => OnStopFailure::Fence,
                "block" => OnStopFailure::Block,
                _ => return Err(choice(source, word, "reboot, fence, block")),
            };
            1
        }
        ("on-stop-failure", _) => return Err(needs("reboot, fence or block")),
        ("failback-delay", [time, ..]) => {
            let delay = value::duration(time.text);
            latido.failback_delay = delay.map_err(|flaw| time.error(source, flaw.what).remedy(flaw.remedy))?;
            1
        }
        ("failback-delay", _) => return Err(needs("a time: failback-delay 600")),
        ("announce", [count, time, ..]) => {
            let times = match value::integer(count.text) {
                (times, true) if (0..=100).contains(&times) => u32::try_from(times).unwrap_or(0),
                _ => return Err(count.error(source, format!("\"{}\" is not a number from 0 to 100", count.text))),
            };
            latido.announce = (times, duration(source, time)?);
            2
        }
        ("announce", _) => return Err(needs("COUNT and TIME: announce 5 200ms")),
        ("monitor", [resource, time, options @ ..]) => {
            let every = duration(source, time)?;
            let resource = resource.text.to_owned();
            let plain = Monitor { resource, every, failures: 1, restarts: 3, with: Probe::Status };
            latido.monitors.push(monitor(source, options, plain)?);
            return Ok(());
        }
        ("monitor", _) => return Err(needs("RESOURCE or *, and TIME: monitor * 30")),
        (name @ ("fence" | "notify"), [program, ..]) => {
            if !program.text.starts_with('/') {
                let problem = program.error(source, format!("\"{}\" is not a full path", program.text));
                return Err(problem.remedy(format!("for instance: {name} /usr/local/sbin/{}", program.text)));
            }
            let command = words.iter().map(|word| word.text.to_owned()).collect();
            if name == "fence" {
                latido.fences.push(command);
            } else {
                latido.notify = Some(command);
            }
            return Ok(());
        }
        ("fence" | "notify", _) => return Err(needs("a command")),
        ("listen", [address]) => {
            let Ok(parsed) = address.text.parse() else {
                let problem = address.error(source, format!("\"{}\" is not ADDRESS:PORT", address.text));
                return Err(problem.remedy("for instance 127.0.0.1:9694 or [::1]:9694"));
            };
            latido.listen = Some(parsed);
            return Ok(());
        }
        ("listen", _) => return Err(needs("one ADDRESS:PORT")),
        _ => return Err(unknown(source, &line.directive)),
    };
    match words.get(most) {
        Some(word) => {
            Err(word.error(source, format!("\"{}\" is one word too many", word.text)).remedy("a comment starts with #"))
        }
        None => Ok(()),
    }
}

/// The programs it names that somebody else could change: they are not run.
pub(super) fn programs(source: &SourceText, facts: &dyn Facts) -> Vec<Problem> {
    let (lines, _) = line::read(source);
    let of_line = |line: &FileLine<'_>| {
        let words = line.words();
        let program = match line.directive.text {
            "fence" | "notify" => words.first()?,
            "monitor" => &words.windows(3).find(|words| words[0].text == "with" && words[1].text == "command")?[2],
            _ => return None,
        };
        let why = facts.path(program.text)?.writable_by_others?;
        let cost = match line.directive.text {
            "fence" => "this device fences nobody",
            "notify" => "nobody is told",
            _ => "it cannot say how the resource is",
        };
        let problem = program.error(source, format!("{} is not run: {why}: {cost}", program.text)).alone();
        Some(problem.remedy("chown root and chmod go-w the program and its directory"))
    };
    lines.iter().filter_map(of_line).collect()
}

fn duration(source: &SourceText, word: &Word<'_>) -> Result<Duration, Problem> {
    match value::duration(word.text) {
        Ok(duration) if duration.is_zero() => Err(word.error(source, "the time must be longer than nothing")),
        Ok(duration) => Ok(duration),
        Err(flaw) => Err(word.error(source, flaw.what).remedy(flaw.remedy)),
    }
}

fn choice(source: &SourceText, word: &Word<'_>, choices: &str) -> Problem {
    word.error(source, format!("\"{}\" is not known", word.text)).remedy(format!("one of: {choices}"))
}

fn unknown(source: &SourceText, word: &Word<'_>) -> Problem {
    let problem = word.error(source, format!("unknown directive \"{}\"", word.text));
    match suggestion_among(word.text, LATIDO_DIRECTIVES.iter().map(|directive| directive.name)) {
        Some(name) => problem.remedy(format!("did you mean \"{name}\"?")),
        None if super::DIRECTIVES.iter().any(|directive| directive.name == word.text) => {
            problem.remedy("this directive belongs in ha.cf")
        }
        None => problem,
    }
}

fn monitor(source: &SourceText, mut rest: &[Word<'_>], mut monitor: Monitor) -> Result<Monitor, Problem> {
    loop {
        rest = match rest {
            [] => return Ok(monitor),
            [key, number, more @ ..] if matches!(key.text, "failures" | "restarts") => {
                let least = i64::from(key.text == "failures");
                let count = match value::integer(number.text) {
                    (count, true) if count >= least => u32::try_from(count).ok(),
                    _ => None,
                };
                let Some(count) = count else {
                    return Err(number.error(source, format!("\"{}\" is not a number from {least} up", number.text)));
                };
                if key.text == "failures" {
                    monitor.failures = count;
                } else {
                    monitor.restarts = count;
                }
                more
            }
            [key, kind, more @ ..] if key.text == "with" => match (kind.text, more) {
                ("status", more) => {
                    monitor.with = Probe::Status;
                    more
                }
                ("tcp" | "sip", [target, more @ ..]) => {
                    let target = service(source, target)?;
                    monitor.with = if kind.text == "tcp" { Probe::Tcp(target) } else { Probe::Sip(target) };
                    more
                }
                ("command", [program, ..]) => {
                    if !program.text.starts_with('/') {
                        return Err(program.error(source, format!("\"{}\" is not a full path", program.text)));
                    }
                    monitor.with = Probe::Command(more.iter().map(|word| word.text.to_owned()).collect());
                    return Ok(monitor);
                }
                _ => return Err(choice(source, kind, "status, tcp HOST:PORT, sip HOST:PORT, command ...")),
            },
            [word, ..] => return Err(choice(source, word, "failures N, restarts N, with ...")),
        };
    }
}

fn service(source: &SourceText, word: &Word<'_>) -> Result<String, Problem> {
    let port = word.text.rsplit_once(':').filter(|(host, _)| !host.is_empty()).map(|(_, port)| port.parse::<u16>());
    match port {
        Some(Ok(1..)) => Ok(word.text.to_owned()),
        _ => {
            let problem = word.error(source, format!("\"{}\" is not HOST:PORT", word.text));
            Err(problem.remedy("for instance 127.0.0.1:5060; the service's own address moves with it"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (LatidoCf, Vec<Problem>) {
        parse(&SourceText::new("latido.cf", text))
    }

    #[test]
    fn an_empty_file_is_all_defaults_and_prints_back() {
        let (latido, problems) = read("# nothing\n");
        assert!(problems.is_empty());
        assert_eq!(latido, LatidoCf::default());
        assert_eq!(read(&latido.to_text()), (latido, vec![]));
    }

    #[test]
    fn the_defaults_of_the_table_are_those_that_hold() {
        for LatidoDirective { name, example, defaults, .. } in &LATIDO_DIRECTIVES {
            let with = |value: &str| read(&format!("{name} {example} {value}\n"));
            let without = if example.is_empty() { (LatidoCf::default(), vec![]) } else { with("") };
            assert_eq!(without.1, [], "{name}");
            for value in *defaults {
                assert_eq!(with(value), without, "{name} {value}");
            }
            assert!(!example.is_empty() || !defaults.is_empty(), "{name}: nothing to show");
        }
    }

    #[test]
    fn every_default_of_latido_cf_is_in_the_table() {
        // What an empty file means, printed: a line for each default.
        let printed = LatidoCf::default().to_text();
        let names =
            |text: &str| text.lines().map(|line| line.split(' ').next().unwrap_or_default().to_owned()).collect();
        let printed: Vec<String> = names(&printed);
        let table = LATIDO_DIRECTIVES.iter().filter(|directive| directive.example.is_empty());
        let table: Vec<&str> = table.flat_map(|directive| directive.defaults.iter().map(|_| directive.name)).collect();
        assert_eq!(printed, table);
    }

    #[test]
    fn every_directive_is_read() {
        let text = "script-timeout start 2\nscript-timeout stop 3500ms\non-start-failure stay\non-stop-failure block\n\
                    announce 3 100ms\nmonitor * 30 failures 2 with tcp 127.0.0.1:80\nfence /bin/off %n\n\
                    listen 127.0.0.1:9694\nnotify /bin/say\n";
        let (latido, problems) = read(text);
        assert_eq!(problems, []);
        assert_eq!(latido.script_timeout.stop, Duration::from_millis(3500));
        assert_eq!(latido.listen, "127.0.0.1:9694".parse().ok());
        assert_eq!(latido.monitors.len(), 1);
        assert_eq!(latido.fences, [["/bin/off", "%n"]]);
        assert_eq!(read(&latido.to_text()).0, latido);
    }

    #[test]
    fn wrong_lines_are_refused_one_by_one() {
        let text = "script-timeout begin 2\nscript-timeout start 0\non-start-failure go\nannounce x 1\nannounce 5\n\
                    monitor *\nmonitor * 3 often\nlisten 80\nnotify\nscript_timeout start 3\ndeadtime 3\n\
                    on-stop-failure block now\n";
        let (_, problems) = read(text);
        let lines: Vec<_> = problems.iter().filter_map(|problem| problem.place.as_ref()).map(|p| p.line).collect();
        assert_eq!(lines, (1..=12).collect::<Vec<_>>());
        assert!(problems.iter().all(Problem::is_error));
    }
}
