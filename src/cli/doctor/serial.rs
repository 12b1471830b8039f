//! The null-modem cables: tested when no daemon uses them, else judged by what the line can carry.

use std::path::Path;
use std::time::Duration;

use crate::amount::exact;
use crate::auth::Method;
use crate::config::{Config, MediumSpec, smallest_keepalive};
use crate::link::{FarEnd, LineReport, TestTimes, test_line};

use super::finding::Findings;

/// A line slower than this part of its speed, in percent, loses something on the way.
const SLOW: u32 = 60;

/// The serial lines of a configuration: device and speed.
fn lines(config: &Config) -> Vec<(&str, u32)> {
    config.media.iter().filter_map(MediumSpec::serial_line).collect()
}

/// What the lines could carry, without touching them.
pub(super) fn judge_speed(config: &Config, findings: &mut Findings) {
    for (device, baud) in lines(config) {
        let least = smallest_keepalive(baud / 10, config.keyring.signing_method());
        // Too little is a warning of `latido check`, which was told already.
        if config.settings.keepalive >= least {
            let what = format!("{device} at {baud} baud carries a keepalive of {} and longer", exact(least));
            findings.pass("line", what);
        }
    }
}

/// Sends and listens on every line; a loop, or the same test on the other node, answers.
pub(super) fn test(config: &Config, lock_dir: &Path, wait: Duration, findings: &mut Findings) {
    let keepalive = config.settings.keepalive;
    let patience = TestTimes {
        listen: (keepalive * 5 / 2).clamp(Duration::from_secs(1), Duration::from_secs(10)),
        first: wait,
        count: Duration::from_secs(2),
    };
    for (device, baud) in lines(config) {
        match test_line(device, baud, lock_dir, std::process::id(), patience) {
            Ok(report) => tell(config, (device, baud), &report, findings),
            Err(error) => {
                findings.fail("line", format!("{device}: {error}"), "end what uses it, or correct serial in ha.cf");
            }
        }
    }
}

fn tell(config: &Config, (device, baud): (&str, u32), report: &LineReport, findings: &mut Findings) {
    let wires = match report.clear_to_send {
        None => "no CTS on this kind of port",
        Some(true) => "CTS raised",
        Some(false) => "CTS not raised",
    };
    if report.far_end == FarEnd::Silent {
        return silent(device, baud, report, wires, findings);
    }
    let who = match report.far_end {
        FarEnd::Daemon => "a heartbeat daemon at the far end is heard: this direction works",
        FarEnd::Loop => "a loop: what was sent comes back",
        FarEnd::Test | FarEnd::Silent => "the other node's test is heard",
    };
    findings.pass("line", format!("{device}: {who} ({wires})"));
    if report.garbled > 0 {
        let what = format!("{device}: {} of {} lines came garbled", report.garbled, report.garbled + report.whole);
        let remedy = format!("the same speed ({baud}) on both nodes, a shorter or better cable, no getty on the port");
        findings.fail("line", what, remedy);
    }
    if let Some(rate) = report.bytes_per_second {
        let (keepalive, signing) = (config.settings.keepalive, config.keyring.signing_method());
        speed((device, baud), (keepalive, signing), rate, findings);
    }
}

fn silent(device: &str, baud: u32, report: &LineReport, wires: &str, findings: &mut Findings) {
    if report.garbled > 0 {
        let what = format!("{device}: something comes in, and none of it whole ({wires})");
        return findings.fail("line", what, format!("is the other end at {baud} baud as well?"));
    }
    let remedy = match report.clear_to_send {
        Some(false) => {
            "the far end has its port closed, or the cable has no RTS and CTS: a null-modem cable crosses them"
        }
        Some(true) | None => {
            "run latido doctor --line on the other node at the same time, or plug in a loop (2-3, 7-8)"
        }
    };
    findings.fail("line", format!("{device}: nothing comes back ({wires})"), remedy);
}

fn speed(
    (device, baud): (&str, u32),
    (keepalive, signing): (Duration, Option<Method>),
    rate: u32,
    findings: &mut Findings,
) {
    let nominal = baud / 10;
    let least = smallest_keepalive(rate.min(nominal), signing);
    let carries = format!("{device}: {rate} bytes/s: a keepalive of {} and longer", exact(least));
    if keepalive < least {
        let remedy = format!("keepalive {} is too short for this line; lengthen it or raise baud", exact(keepalive));
        findings.fail("line", carries, remedy);
    } else if rate * 100 < nominal * SLOW {
        let what = format!("{carries}; {baud} baud should carry {nominal}");
        findings.warn("line", what, "the far end holds us back, or the cable loses bytes");
    } else {
        findings.pass("line", carries);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smallest_keepalive_is_twice_a_message_and_agrees_with_check() {
        let sha1 = Some(Method::Sha1);
        assert_eq!(smallest_keepalive(1920, sha1).as_millis(), 214);
        assert_eq!(smallest_keepalive(11520, sha1).as_millis(), 36);
        assert!(smallest_keepalive(0, sha1) > Duration::from_secs(400));
        // 24 more digits twice.
        assert_eq!(smallest_keepalive(1920, Some(Method::Sha256)).as_millis(), 239);
        assert_eq!(smallest_keepalive(1920, Some(Method::Crc)), smallest_keepalive(1920, None));
    }
}
