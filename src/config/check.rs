//! Legal but unwise (`config.md` 10): what the original starts with, and what its users paid for later. Pure.

use std::net::IpAddr;
use std::time::Duration;

use crate::amount::exact;
use crate::auth::Method;
use crate::cluster::AutoFailback;
use crate::diagnostic::{Place, Problem};

use super::cables;
use super::facts::Facts;
use super::ha_cf::HaCf;

/// A status message on the wire, signed with sha1 (`wire.md` 7), in bytes.
const STATUS_BYTES: u64 = 205;

/// Warnings about `ha.cf`; `file` is its path, `signing` how messages are signed, as far as `authkeys` says.
pub(super) fn ha_cf(cf: &HaCf, file: &str, facts: &dyn Facts, signing: Option<Method>) -> Vec<Problem> {
    let mut problems = Vec::new();
    node_count(cf, file, &mut problems);
    problems.extend(cables::check(cf, file, facts));
    ucast_to_self(cf, file, facts, &mut problems);
    ping_nodes(cf, file, &mut problems);
    times(cf, file, &mut problems);
    failback(cf, file, &mut problems);
    logging(cf, file, &mut problems);
    serial_load(cf, file, signing, &mut problems);
    problems
}

fn placed(problem: Problem, place: Option<Place>) -> Problem {
    Problem { place, ..problem }
}

fn node_count(cf: &HaCf, file: &str, problems: &mut Vec<Problem>) {
    if let [only] = cf.nodes.as_slice() {
        let problem = Problem::warning(file, "only one node: nobody can take over");
        problems.push(placed(problem, Some(only.place.clone())));
    }
}

/// Several `ucast` lines let both nodes share one file; only our own address would leave us deaf.
fn ucast_to_self(cf: &HaCf, file: &str, facts: &dyn Facts, problems: &mut Vec<Problem>) {
    let Some(interfaces) = facts.interfaces() else { return };
    let mine: Vec<IpAddr> =
        interfaces.iter().flat_map(|interface| interface.addresses.iter().map(|(address, _)| *address)).collect();
    let mut paths = cf.media.iter().filter(|medium| medium.value.ping_node().is_none()).peekable();
    let first = paths.peek().map(|medium| medium.place.clone());
    let all_mine = paths.peek().is_some()
        && paths.all(|medium| medium.value.peer().is_some_and(|address| mine.contains(&address)));
    if all_mine {
        let problem = Problem::error(file, "ucast goes to this host's own address only: the other node hears nothing");
        problems.push(placed(problem.remedy("name the other node's address"), first));
    }
}

fn ping_nodes(cf: &HaCf, file: &str, problems: &mut Vec<Problem>) {
    for medium in &cf.media {
        let Some(ping) = medium.value.ping_node() else { continue };
        if cf.nodes.iter().any(|node| node.value == *ping) {
            let what = format!("{ping} is a node of the cluster: as a ping host it says nothing about the network");
            let problem = Problem::warning(file, what).remedy("ping a router or another host outside");
            problems.push(placed(problem, Some(medium.place.clone())));
        }
    }
}

fn times(cf: &HaCf, file: &str, problems: &mut Vec<Problem>) {
    let (keepalive, deadtime, warntime) = (cf.time("keepalive"), cf.time("deadtime"), cf.effective_warntime());
    if deadtime > keepalive * 2 && deadtime < keepalive.saturating_mul(4) {
        let what = format!(
            "deadtime {} is less than four times keepalive {}: two or three lost packets count as death",
            exact(deadtime),
            exact(keepalive)
        );
        let place = cf.place("deadtime").or_else(|| cf.place("keepalive"));
        problems.push(placed(Problem::warning(file, what).remedy("shorten keepalive or lengthen deadtime"), place));
    }
    if warntime >= deadtime {
        let what = format!(
            "warntime {} is not below deadtime {}: a late heartbeat is never reported",
            exact(warntime),
            exact(deadtime)
        );
        problems.push(placed(Problem::warning(file, what).remedy("half of deadtime"), cf.place("warntime")));
    } else if cf.given_time("warntime").is_some() && warntime <= keepalive {
        let what = format!(
            "warntime {} is not above keepalive {}: every heartbeat is reported as late",
            exact(warntime),
            exact(keepalive)
        );
        problems.push(placed(Problem::warning(file, what).remedy("half of deadtime"), cf.place("warntime")));
    }
}

fn failback(cf: &HaCf, file: &str, problems: &mut Vec<Problem>) {
    if cf.auto_failback == AutoFailback::Legacy && !cf.broken.contains("auto_failback") {
        let what = match cf.text("auto_failback") {
            Some(_) => "auto_failback legacy: groups go home by themselves, by the old dialogue",
            None => "auto_failback is not set: groups go home by themselves, by the old dialogue",
        };
        let problem = Problem::warning(file, what).remedy("write auto_failback on or off, the same on both nodes");
        let problem = problem.original("Deprecated 'legacy' auto_failback option selected.");
        problems.push(placed(problem, cf.place("auto_failback")));
    }
}

fn logging(cf: &HaCf, file: &str, problems: &mut Vec<Problem>) {
    let logd = cf.flags.get("use_logd").copied();
    if logd == Some(true) && !cf.has_log_target() {
        let what = "use_logd is accepted, without effect: Latido needs no logging daemon and writes to syslog itself";
        problems.push(placed(Problem::warning(file, what), cf.place("use_logd")));
    }
    if logd == Some(true) && cf.has_log_target() {
        let facility = if cf.text("logfacility").is_some() { "/logfacility" } else { "" };
        let what = "use_logd and other log targets: heartbeat follows use_logd, Latido the rest";
        let problem = Problem::warning(file, what)
            .remedy("remove use_logd once no heartbeat reads this file")
            .original(format!("logd is enabled but logfile/debugfile{facility} is still configured in ha.cf"));
        problems.push(placed(problem, cf.place("use_logd")));
    }
    if logd == Some(false) && !cf.has_log_target() && !cf.broken.contains("logfacility") {
        let problem = Problem::error(file, "no log target: the log is what you need when something fails")
            .remedy("add logfacility daemon, or logfile /var/log/ha-log")
            .original("No log entry found in ha.cf and use_logd is set to off");
        problems.push(placed(problem, cf.place("use_logd")));
    }
}

fn serial_load(cf: &HaCf, file: &str, signing: Option<Method>, problems: &mut Vec<Problem>) {
    for medium in &cf.media {
        let Some((device, baud)) = medium.value.serial_line() else { continue };
        let least = smallest_keepalive(baud / 10, signing);
        let keepalive = cf.time("keepalive");
        if keepalive < least {
            let what = format!("{device} at {baud} baud is more than half full with keepalive {}", exact(keepalive));
            let remedy = format!("keepalive {} or longer, or a higher baud", super::value::as_written(least));
            problems.push(placed(Problem::warning(file, what).remedy(remedy), Some(medium.place.clone())));
        }
    }
}

/// The shortest interval of heartbeats for a serial line: they fill half of it, the rest is for what was lost.
pub fn smallest_keepalive(bytes_per_second: u32, signing: Option<Method>) -> Duration {
    let longer = signing.map_or(0, |method| method.digits().saturating_sub(Method::Sha1.digits()));
    let bytes = STATUS_BYTES + u64::try_from(longer).unwrap_or(0);
    Duration::from_millis((2 * bytes * 1000).div_ceil(u64::from(bytes_per_second.max(1))))
}
