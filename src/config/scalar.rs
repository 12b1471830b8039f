//! The directives of one word: times, numbers, switches, names (`config.md` 3). Pure.

use std::time::Duration;

use crate::cluster::AutoFailback;
use crate::diagnostic::Place;
use crate::names::NodeName;

use super::facts::PathKind;
use super::ha_cf::Given;
use super::line::Word;
use super::reader::{Directive, Reader};
use super::value::{self, Flaw};

/// Nodes the original can hold, ping nodes included.
const MOST_NODES: usize = 100;

const FACILITIES: [&str; 21] = [
    "auth", "authpriv", "cron", "daemon", "ftp", "kern", "lpr", "mail", "news", "syslog", "user", "uucp", "local0",
    "local1", "local2", "local3", "local4", "local5", "local6", "local7", "none",
];

pub(super) fn node(reader: &mut Reader<'_>, _: &'static Directive, word: &Word<'_>) {
    let name = NodeName::new(word.text);
    let Some(name) = name.filter(|_| value::could_be_host(word.text)) else {
        let problem = if word.text.len() > 99 {
            reader.error(word, "a node name has at most 99 bytes")
        } else {
            reader.error(word, format!("\"{}\" cannot be a host name", word.text)).remedy("a comment starts with #")
        };
        return reader.push(problem);
    };
    if let Some(earlier) = reader.cf.nodes.iter().find(|node| node.value == name) {
        let what = format!("node {name} is already named in line {}", earlier.place.line);
        reader.push(reader.warning(word, what).remedy("remove one of them"));
        return;
    }
    if reader.cf.nodes.len() >= MOST_NODES {
        return reader.push(reader.error(word, format!("more than {MOST_NODES} nodes")));
    }
    let place = Place { line: word.line, span: word.span.clone() };
    reader.cf.nodes.push(Given { value: name, place });
}

/// Reads a duration; complains and gives `None` when it is none, or zero where it must not be.
fn duration(reader: &mut Reader<'_>, directive: &'static Directive, word: &Word<'_>, zero: bool) -> Option<Duration> {
    let problem = match value::duration(word.text) {
        Ok(duration) if zero || !duration.is_zero() => {
            reader.record(directive.name, word);
            return Some(duration);
        }
        Ok(_) => reader
            .error(word, format!("{} must be longer than nothing: \"{}\" rounds to 0 ms", directive.name, word.text)),
        Err(flaw) => flawed(reader, directive, word, flaw),
    };
    let problem = if directive.name == "warntime" {
        problem.original(format!("Warn time [{}] is invalid.", word.text))
    } else {
        problem
    };
    reader.push(problem);
    None
}

fn flawed(
    reader: &Reader<'_>,
    directive: &'static Directive,
    word: &Word<'_>,
    flaw: Flaw,
) -> crate::diagnostic::Problem {
    reader.error(word, format!("{}: {}", directive.name, flaw.what)).remedy(flaw.remedy)
}

/// A time, which may be none.
pub(super) fn time(reader: &mut Reader<'_>, directive: &'static Directive, word: &Word<'_>) {
    if let Some(duration) = duration(reader, directive, word, true) {
        reader.cf.times.insert(directive.name, duration);
    }
}

/// A time longer than nothing.
pub(super) fn some_time(reader: &mut Reader<'_>, directive: &'static Directive, word: &Word<'_>) {
    if let Some(duration) = duration(reader, directive, word, false) {
        reader.cf.times.insert(directive.name, duration);
    }
}

pub(super) fn conn_logd_time(reader: &mut Reader<'_>, directive: &'static Directive, word: &Word<'_>) {
    if duration(reader, directive, word, false).is_some() {
        idle(reader, directive, word);
    }
}

/// Reads an integer the lenient way of the original, inside a range; a word with letters in it is warned about.
fn integer(
    reader: &mut Reader<'_>,
    directive: &'static Directive,
    word: &Word<'_>,
    range: std::ops::RangeInclusive<i64>,
) -> Option<i64> {
    let (value, clean) = value::integer(word.text);
    if !range.contains(&value) {
        let most = if *range.end() == i64::MAX { "up".to_owned() } else { format!("to {}", range.end()) };
        let what = format!("{}: \"{}\" is not a number from {} {most}", directive.name, word.text, range.start());
        let problem = reader.error(word, what);
        let problem = match directive.name {
            "rtprio" => problem.original(format!("Illegal realtime priority [{value}]")),
            "max_rexmit_delay" => problem.original(format!("Invalid max_rexmit_delay time({value})")),
            "compression_threshold" => {
                problem.original(format!("set_compression_threshold: compress_threshhold({value}) invalid"))
            }
            _ => problem,
        };
        reader.push(problem);
        return None;
    }
    if !clean {
        let what = format!("{}: \"{}\" is read as {value}", directive.name, word.text);
        reader.push(reader.warning(word, what).remedy(format!("write {value}")));
    }
    reader.record(directive.name, word);
    Some(value)
}

/// A number in a range.
pub(super) fn number<const LEAST: i64, const MOST: i64>(
    reader: &mut Reader<'_>,
    directive: &'static Directive,
    word: &Word<'_>,
) {
    if let Some(value) = integer(reader, directive, word, LEAST..=MOST) {
        reader.cf.numbers.insert(directive.name, u64::try_from(value).unwrap_or_default());
    }
}

pub(super) fn memreserve(reader: &mut Reader<'_>, directive: &'static Directive, word: &Word<'_>) {
    if integer(reader, directive, word, 1..=i64::MAX).is_some() {
        idle(reader, directive, word);
    }
}

pub(super) fn compression_threshold(reader: &mut Reader<'_>, directive: &'static Directive, word: &Word<'_>) {
    if integer(reader, directive, word, 1..=i64::MAX).is_some() {
        idle(reader, directive, word);
    }
}

pub(super) fn baud(reader: &mut Reader<'_>, directive: &'static Directive, word: &Word<'_>) {
    let baud = match value::baud(word.text) {
        Ok(baud) => baud,
        Err(flaw) => {
            let problem = flawed(reader, directive, word, flaw);
            return reader.push(problem.original(format!("heartbeat: invalid baudrate [{}] specified.", word.text)));
        }
    };
    if let Some(earlier) = reader.cf.place("baud") {
        let problem = reader
            .error(word, format!("baud is already set in line {}", earlier.line))
            .remedy("all serial lines have one speed: keep one of the two")
            .original("heartbeat: Baudrate multiply specified.");
        return reader.push(problem);
    }
    if let Some(fixed) = reader.cf.fixed.get("serial").filter(|fixed| fixed.value != baud) {
        let what =
            format!("baud {baud} has no effect: the serial line in line {} runs at {}", fixed.place.line, fixed.value);
        reader.push(reader.warning(word, what).remedy("baud must precede serial: move it up"));
    }
    reader.record(directive.name, word);
    reader.cf.baud = baud;
}

/// A port that needs no root to be opened.
pub(super) fn warn_of_anybodys_port(reader: &mut Reader<'_>, word: &Word<'_>, port: u16) {
    if port >= 1024 {
        let what = format!("UDP port {port}: when the daemon is not there, any user of this machine may take it");
        let problem = reader.warning(word, what).remedy("choose one below 1024, the same on both nodes");
        reader.push(problem);
    }
}

pub(super) fn udpport(reader: &mut Reader<'_>, directive: &'static Directive, word: &Word<'_>) {
    let port = match value::port(word.text) {
        Ok(port) => port,
        Err(flaw) => {
            let problem = flawed(reader, directive, word, flaw);
            return reader.push(problem.original(format!("heartbeat: invalid port [{}] specified.", word.text)));
        }
    };
    for kind in ["bcast", "ucast", "ucast6"] {
        let Some(fixed) = reader.cf.fixed.get(kind).filter(|fixed| fixed.value != u32::from(port)) else { continue };
        let what = format!(
            "udpport {port} has no effect on {kind}: its first line, line {}, fixed the port to {}",
            fixed.place.line, fixed.value
        );
        let problem = reader.warning(word, what).remedy("udpport must precede the media: move it up");
        reader.push(problem.original("heartbeat: udpport setting must precede media statements"));
    }
    if let Some(service) = reader.facts.udp_service_at(port).filter(|service| service != "ha-cluster") {
        let problem = reader.warning(word, format!("UDP port {port} belongs to the service \"{service}\""));
        reader.push(problem.original(format!("heartbeat: udp port {port} reserved for service \"{service}\".")));
    }
    warn_of_anybodys_port(reader, word, port);
    reader.record(directive.name, word);
    reader.cf.udpport = port;
}

fn boolean(reader: &mut Reader<'_>, directive: &'static Directive, word: &Word<'_>) -> Option<bool> {
    match value::boolean(word.text) {
        Ok(value) => {
            reader.record(directive.name, word);
            reader.cf.flags.insert(directive.name, value);
            Some(value)
        }
        Err(flaw) => {
            let problem = flawed(reader, directive, word, flaw);
            reader.push(match directive.name {
                "traditional_compression" => {
                    problem.original(format!("set_traditional_compression:Invalid directive value {}", word.text))
                }
                "record_config_changes" | "record_pengine_inputs" | "enable_config_writes" => {
                    problem.original(format!("ha_config_check_boolean:Invalid directive value {}", word.text))
                }
                _ => problem,
            });
            None
        }
    }
}

/// A switch we obey.
pub(super) fn flag(reader: &mut Reader<'_>, directive: &'static Directive, word: &Word<'_>) {
    boolean(reader, directive, word);
}

/// A switch that changes nothing here.
pub(super) fn idle_flag(reader: &mut Reader<'_>, directive: &'static Directive, word: &Word<'_>) {
    if boolean(reader, directive, word).is_some() {
        idle(reader, directive, word);
    }
}

/// A switch of the resource manager, which must be off.
pub(super) fn pacemaker_flag(reader: &mut Reader<'_>, directive: &'static Directive, word: &Word<'_>) {
    idle_flag(reader, directive, word);
}

/// A word we keep.
pub(super) fn text(reader: &mut Reader<'_>, directive: &'static Directive, word: &Word<'_>) {
    reader.record(directive.name, word);
}

/// A word that changes nothing here.
pub(super) fn idle_text(reader: &mut Reader<'_>, directive: &'static Directive, word: &Word<'_>) {
    reader.record(directive.name, word);
    idle(reader, directive, word);
}

/// Says that a directive is accepted and changes nothing, and why.
fn idle(reader: &mut Reader<'_>, directive: &'static Directive, word: &Word<'_>) {
    let reason = match directive.name {
        "conn_logd_time" => "Latido writes its log itself and needs no logging daemon",
        "compression_threshold" | "traditional_compression" => {
            "compressed messages are read, and ours are always sent uncompressed"
        }
        "memreserve" => "all memory is locked at start and bounded",
        "coreroot" => "core files hold keys; ask systemd or ulimit for them when you need one",
        "use_apphbd" => "the application heartbeat daemon is not part of Latido",
        "quorum_server" => "two nodes with several links do not ask a third",
        _ => "it is for the cluster resource manager, which Latido does not run",
    };
    reader.push(reader.warning(word, format!("{} is accepted, without effect: {reason}", directive.name)));
}

pub(super) fn auto_failback(reader: &mut Reader<'_>, directive: &'static Directive, word: &Word<'_>) {
    let mode = match value::boolean(word.text) {
        _ if word.text.eq_ignore_ascii_case("legacy") => AutoFailback::Legacy,
        Ok(true) => AutoFailback::On,
        Ok(false) => AutoFailback::Off,
        Err(_) => {
            let what = format!("auto_failback: \"{}\" is none of on, off, legacy", word.text);
            return reader.push(reader.error(word, what).remedy("write on or off"));
        }
    };
    reader.record(directive.name, word);
    reader.cf.auto_failback = mode;
}

/// The original ignores the value: after `auto_failback` it means off, else legacy. Both nodes must agree on the
/// mode, so the meaning is kept and said aloud.
pub(super) fn nice_failback(reader: &mut Reader<'_>, directive: &'static Directive, word: &Word<'_>) {
    if let Err(flaw) = value::boolean(word.text) {
        let problem = flawed(reader, directive, word, flaw);
        return reader.push(problem);
    }
    let original = "nice_failback flag is obsolete.. Use auto_failback {on, off, legacy} instead.";
    let (mode, name, because) = if reader.cf.auto_failback == AutoFailback::Legacy {
        (AutoFailback::Legacy, "legacy", "no auto_failback on or off stands before it")
    } else {
        (AutoFailback::Off, "off", "auto_failback stands before it")
    };
    reader.cf.auto_failback = mode;
    let what = format!("nice_failback is obsolete and now means auto_failback {name}, whatever its value: {because}");
    let remedy = format!("write \"auto_failback {name}\" instead (nice_failback on once meant auto_failback off)");
    reader.push(reader.warning(word, what).remedy(remedy).original(original));
}

pub(super) fn watchdog(reader: &mut Reader<'_>, directive: &'static Directive, word: &Word<'_>) {
    if let Some(earlier) = reader.cf.place("watchdog") {
        let problem = reader
            .error(word, format!("watchdog is already set in line {}", earlier.line))
            .original("heartbeat: Watchdog device multiply specified.");
        return reader.push(problem);
    }
    if reader.facts.path(word.text).is_some_and(|fact| fact.kind == PathKind::Missing) {
        let problem = reader.warning(word, format!("{} does not exist: no watchdog protection", word.text));
        let problem = problem.remedy("load the driver, for instance with: modprobe softdog");
        reader.push(problem.original(format!("Cannot open watchdog device: {}", word.text)));
    }
    reader.record(directive.name, word);
}

/// `logfile` and `debugfile`: messages that cannot be written are no reason to stay down.
pub(super) fn logfile(reader: &mut Reader<'_>, directive: &'static Directive, word: &Word<'_>) {
    if let Some(Err(why)) = reader.facts.can_write(word.text) {
        let problem = reader.warning(word, format!("cannot write {}: {why}; its messages will be lost", word.text));
        reader.push(problem.remedy("make the directory, or name another file"));
    }
    reader.record(directive.name, word);
}

pub(super) fn logfacility(reader: &mut Reader<'_>, directive: &'static Directive, word: &Word<'_>) {
    if FACILITIES.contains(&word.text) {
        return reader.record(directive.name, word);
    }
    let problem = reader.error(word, format!("\"{}\" is not a syslog facility", word.text));
    let remedy = if FACILITIES.contains(&word.text.to_lowercase().as_str()) {
        format!("write it in lower case: {}", word.text.to_lowercase())
    } else {
        format!("one of {}", FACILITIES.join(" "))
    };
    reader.push(problem.remedy(remedy).original(format!("Log facility({}) not valid", word.text)));
}

/// A word out of a closed list.
fn choice(
    reader: &mut Reader<'_>,
    directive: &'static Directive,
    word: &Word<'_>,
    choices: &[&str],
    original: Option<String>,
) -> bool {
    if choices.contains(&word.text) {
        reader.record(directive.name, word);
        return true;
    }
    let what = format!("{}: \"{}\" is not known", directive.name, word.text);
    let problem = reader.error(word, what).remedy(format!("one of: {}", choices.join(", ")));
    reader.push(match original {
        Some(phrase) => problem.original(phrase),
        None => problem,
    });
    false
}

pub(super) fn msgfmt(reader: &mut Reader<'_>, directive: &'static Directive, word: &Word<'_>) {
    choice(reader, directive, word, &["classic", "netstring"], None);
}

pub(super) fn compression(reader: &mut Reader<'_>, directive: &'static Directive, word: &Word<'_>) {
    let original = format!("Compression module({}) not found", word.text);
    if choice(reader, directive, word, &["zlib", "bz2"], Some(original)) {
        let why = "messages compressed with zlib or bz2 are read, and ours are always sent uncompressed";
        reader.push(reader.warning(word, format!("compression is accepted, without effect: {why}")));
    }
}

pub(super) fn hbgenmethod(reader: &mut Reader<'_>, directive: &'static Directive, word: &Word<'_>) {
    let original = format!("Illegal hb generation method [{}]", word.text);
    choice(reader, directive, word, &["file", "time"], Some(original));
}

pub(super) fn uuidfrom(reader: &mut Reader<'_>, directive: &'static Directive, word: &Word<'_>) {
    let original = format!("Invalid uuidfrom directive [{}]", word.text);
    choice(reader, directive, word, &["file", "nodename"], Some(original));
}

pub(super) fn autojoin(reader: &mut Reader<'_>, directive: &'static Directive, word: &Word<'_>) {
    match word.text.to_ascii_lowercase().as_str() {
        "none" => {}
        "other" | "any" => {
            let problem = reader
                .error(word, format!("autojoin {} is for clusters with a cluster resource manager", word.text))
                .remedy("write autojoin none, and name both nodes")
                .original("R1 style resource management conflicts with  autojoin set");
            reader.push(problem);
        }
        _ => {
            let problem = reader.error(word, format!("autojoin: \"{}\" is none of none, other, any", word.text));
            reader.push(problem.original(format!("Invalid autojoin directive [{}]", word.text)));
            return;
        }
    }
    reader.record(directive.name, word);
}

/// `crm` and `pacemaker`: accepted when off.
pub(super) fn crm(reader: &mut Reader<'_>, directive: &'static Directive, word: &Word<'_>) {
    if let Some(earlier) = reader.cf.place("pacemaker") {
        let problem = reader
            .error(word, format!("{} is already set in line {}", directive.name, earlier.line))
            .remedy("keep one line, with the value off")
            .original("pacemaker/crm directive used multiple times!");
        return reader.push(problem);
    }
    reader.record("pacemaker", word);
    let managed = ["respawn", "manual", "minimal", "ccm-only", "valgrind"];
    let lower = word.text.to_ascii_lowercase();
    if managed.contains(&lower.as_str()) || value::boolean(word.text) == Ok(true) {
        let problem = reader
            .error(word, format!("{} {}: this daemon serves clusters of haresources", directive.name, word.text))
            .remedy("turn it off, or run Pacemaker on Corosync instead of Latido");
        reader.push(problem.original("Failed to add pacemaker client child \"cib\""));
    } else if let Err(flaw) = value::boolean(word.text) {
        let problem = flawed(reader, directive, word, flaw);
        reader.push(problem.original(format!("Pacemaker support: {}", word.text)));
    }
}

/// Media the original knows only with a plugin that no distribution shipped.
pub(super) fn refused_medium(reader: &mut Reader<'_>, directive: &'static Directive, word: &Word<'_>) {
    let problem = reader
        .error(word, format!("{} is a medium Latido does not speak", directive.name))
        .remedy("use serial, bcast, mcast or ucast; ping for hosts outside")
        .original(format!("Illegal directive [{}] in {}", directive.name, reader.source.original_name()));
    reader.push(problem);
}
