//! From log lines to entries of the time line, in words for a person: which log lines and events belong there, and how
//! they read there. Pure.
//!
//! What a line of the log tells, and how a time line says that, stands beside the reports (`cluster::phrases`,
//! `EventName::shown`). A line that is nobody's is shown as it is, so that nothing unexpected stays hidden.

use std::net::{IpAddr, Ipv4Addr};

use crate::amount::measured;
use crate::cluster::{EventName, Level, Shown, phrases};
use crate::timeline::{TimelineEntry, Tone};

use super::host::HA_DIR;
use super::printer::{Happening, What};
use super::witness::Said;

/// A log line of the daemon, without its head: how loud it is and the text.
pub(super) fn split_log_line(line: &str) -> Option<(Level, &str)> {
    let found = |level: Level| {
        let mark = format!(" {}: ", level.as_str());
        Some((line.find(&mark)?, mark.len(), level))
    };
    let (at, length, level) = Level::ALL.into_iter().filter_map(found).min_by_key(|(at, ..)| *at)?;
    Some((level, &line[at + length..]))
}

/// The entry for something that happened; `None` when it is not worth a line. `services` are the addresses asked.
pub(super) fn entry(happening: &Happening, services: &[Ipv4Addr]) -> Option<TimelineEntry> {
    let is_service = |address: &IpAddr| matches!(address, IpAddr::V4(v4) if services.contains(v4));
    let (tone, what, detail) = match &happening.what {
        What::Log(line) => match split_log_line(line) {
            Some((level, text)) => log_entry(&happening.host, level, text)?,
            // A program whose lines have no level.
            None if told_without_level(line).is_some_and(EventName::is_hidden) => return None,
            None => (Tone::Plain, line.clone(), String::new()),
        },
        What::Witness(Said::Gained(address)) if is_service(address) => {
            (Tone::Plain, format!("has {address}"), String::new())
        }
        What::Witness(Said::Lost(address)) if is_service(address) => {
            (Tone::Plain, format!("has {address} no more"), String::new())
        }
        What::Witness(Said::Called(call)) => (Tone::Plain, call.clone(), "script".to_owned()),
        What::Witness(Said::Ready | Said::Gained(_) | Said::Lost(_)) => return None,
        What::Ended(Some(0)) => (Tone::Plain, "the daemon has ended".to_owned(), String::new()),
        What::Ended(Some(code)) => (Tone::Wrong, "the daemon has ended".to_owned(), format!("exit code {code}")),
        What::Ended(None) => (Tone::Bad, "the daemon has ended".to_owned(), "killed".to_owned()),
        What::Answers { address, by, outage: None } => (Tone::Good, format!("{address} answers"), format!("on {by}")),
        What::Answers { address, by, outage: Some(gap) } => {
            (Tone::Good, format!("{address} answers again"), format!("outage {}, now {by}", measured(*gap)))
        }
        What::Doing(text) => (Tone::Intervention, format!("── {text} ──"), String::new()),
        What::Remark(text) => (Tone::Plain, text.clone(), String::new()),
        What::Wrong(text) => (Tone::Wrong, text.clone(), String::new()),
        What::Answered { words, code, text, .. } => {
            let code = code.map_or_else(|| "killed".to_owned(), |code| format!("exit code {code}"));
            let said = text.lines().next().unwrap_or_default();
            (Tone::Plain, format!("{words}: {code}"), said.to_owned())
        }
        What::Typed(_) => return None,
    };
    Some(TimelineEntry { at: happening.at, who: happening.host.clone(), what, detail, tone })
}

fn told_without_level(line: &str) -> Option<EventName> {
    let (_, text) = line.split_once("]:")?;
    phrases::told(text.trim()).map(|told| told.event)
}

fn log_entry(me: &str, level: Level, text: &str) -> Option<(Tone, String, String)> {
    // Complaints about the files are `latido check`'s business, and told before the lab begins.
    if level == Level::Debug || text.starts_with(HA_DIR) || phrases::is_of_the_start(text) {
        return None;
    }
    match phrases::told(text).map_or(Shown::AsLogged, |told| told.event.shown(me, &told.words)) {
        Shown::Hidden => None,
        Shown::Short(short) => Some((short.mood.into(), short.what, short.detail)),
        Shown::AsLogged => {
            Some((if level == Level::Info { Tone::Plain } else { Tone::Bad }, text.to_owned(), String::new()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Mono;

    fn told(line: &str) -> Option<(String, String)> {
        of_line(&format!("Nov 21 04:01:22 beta heartbeat: [3]: {line}"))
    }

    fn of_line(line: &str) -> Option<(String, String)> {
        let happening = Happening { at: Mono::ZERO, host: "beta".into(), what: What::Log(line.to_owned()) };
        entry(&happening, &[]).map(|entry| (entry.what, entry.detail))
    }

    #[test]
    fn log_lines_become_sentences() {
        for (line, what, detail) in [
            (
                "info: node alpha was silent for 501 ms on every link",
                "node alpha is dead",
                "silent for 501 ms on every link",
            ),
            ("info: Link alpha:/dev/ttyS1 up.", "link alpha:/dev/ttyS1 up", ""),
            ("info: resource group 10.9.1.100/24/eth0 is up (2 ms)", "group 10.9.1.100/24/eth0 up", "in 2 ms"),
            ("info: Local status now set to: 'active'", "active", ""),
            ("info: beta wants to go standby [all]", "gives all groups away", ""),
            ("info: Received shutdown notice from 'alpha'.", "alpha is leaving", ""),
            ("ERROR: something nobody has heard of", "something nobody has heard of", ""),
            (
                "ERROR: resource group x is down here: y does not start. Mend it",
                "resource group x is down here: y does not start. Mend it",
                "",
            ),
        ] {
            assert_eq!(told(line), Some((what.to_owned(), detail.to_owned())), "{line}");
        }
    }

    #[test]
    fn what_says_nothing_new_is_left_out() {
        for line in [
            "info: alpha wants to go standby [all]",
            "info: Local status now set to: 'up'",
            "info: Running /etc/ha.d/resource.d/service  start",
            "WARN: node alpha: is dead",
            "debug: anything",
            "WARN: /mnt/ha.d/ha.cf:7: warning: initdead 2 s",
            "info: beta Heartbeat shutdown complete.",
        ] {
            assert_eq!(told(line), None, "{line}");
        }
    }

    #[test]
    fn one_group_that_is_given_away_is_not_told_as_all_of_them() {
        let gives = told("info: beta wants to go standby [one]").unwrap();
        assert_eq!(gives.0, "gives one group away");
        assert_eq!(told("info: one HA resource release completed (standby)."), None);
    }

    #[test]
    fn a_line_of_a_script_that_has_no_level_is_known_too() {
        let line = "Nov 21 04:01:22 hb_standby(default)[12]:    Going standby [all].";
        assert_eq!(of_line(line), None);
        assert_eq!(of_line("what is this?"), Some(("what is this?".to_owned(), String::new())));
    }

    #[test]
    fn both_forms_of_a_log_line_are_split() {
        assert_eq!(
            split_log_line("heartbeat[7]: 2026/11/21_04:01:22 WARN: x: info: y"),
            Some((Level::Warn, "x: info: y"))
        );
        assert_eq!(split_log_line("no level here"), None);
    }
}
