//! The status as metrics, in the text form Prometheus reads. Names and labels are kept once given.

use std::fmt::Write as _;

use super::health::{is_healthy, runs_on_both};
use super::{Status, Traffic};

/// Everything worth a curve or an alarm.
pub fn metrics(status: &Status) -> String {
    let mut page = Page(String::new());
    page.one("latido_up_seconds", "How long the daemon has run.", "", seconds(status.up_for_ms));
    page.one(
        "latido_healthy",
        "1 while nothing is wrong (exit code 0 of latido status).",
        "",
        flag(is_healthy(status)),
    );
    page.one("latido_stable", "1 while nothing is being decided or moved.", "", flag(status.stable));
    page.one("latido_loop_late_seconds", "Worst lateness of a minute or two.", "", status.loop_late_ms / 1000.0);
    page.one("latido_files_differ", "What the nodes' files say differently.", "", count(status.drift.len()));
    page.one("latido_takeover_waits", "1 while a takeover waits for a fence.", "", flag(status.waiting_for.is_some()));
    page.help("latido_node_up", "1 for an active node or a ping node that answers.");
    for node in &status.nodes {
        let up = ["active", "ping"].contains(&node.status.as_str());
        page.row("latido_node_up", &[("node", &node.name)], flag(up));
    }
    let links = || status.nodes.iter().flat_map(|node| node.links.iter().map(move |link| (node, link)));
    page.help("latido_link_up", "1 while a node is heard over a medium.");
    for (node, link) in links() {
        page.row("latido_link_up", &[("node", &node.name), ("medium", &link.medium)], flag(link.up));
    }
    page.help("latido_link_heard_seconds", "Age of the last message over it.");
    for (node, link) in links() {
        if let Some(age) = link.last_heard_ms {
            page.row("latido_link_heard_seconds", &[("node", &node.name), ("medium", &link.medium)], seconds(age));
        }
    }
    // What has quantiles is a summary.
    page.typed("latido_link_gap_seconds", "Times between heartbeats.", "summary");
    for (node, link) in links() {
        let Some(gaps) = &link.gaps else { continue };
        for (quantile, gap) in [("0.5", gaps.median_ms), ("0.999", gaps.p999_ms), ("1", gaps.worst_ms)] {
            let labels = [("node", &*node.name), ("medium", &link.medium), ("quantile", quantile)];
            page.row("latido_link_gap_seconds", &labels, gap / 1000.0);
        }
    }
    page.help("latido_group_held", "1 while every resource of a group was started here.");
    for group in &status.groups {
        page.row("latido_group_held", &[("group", &group.key)], flag(group.state == "held"));
    }
    page.help("latido_group_on_both", "1 while a group runs on both nodes.");
    for group in &status.groups {
        page.row("latido_group_on_both", &[("group", &group.key)], flag(runs_on_both(status, group)));
    }
    page.help("latido_group_failed", "1 while a group could not be started or stopped here.");
    for group in &status.groups {
        let failed = ["failed", "blocked"].contains(&group.state.as_str());
        page.row("latido_group_failed", &[("group", &group.key)], flag(failed));
    }
    traffic(&mut page, &status.traffic);
    page.0
}

/// What passed over the media; what never happened is there as 0, so that the first time is seen as a rise.
fn traffic(page: &mut Page, media: &[Traffic]) {
    page.counter("latido_packets_total", "Messages that were whole and rightly signed, and messages sent.");
    for Traffic { medium, accepted, sent, .. } in media {
        for (direction, number) in [("in", accepted), ("out", sent)] {
            page.total("latido_packets_total", &[("medium", medium), ("direction", direction)], *number);
        }
    }
    page.counter("latido_packets_rejected_total", "What came in and was refused.");
    for Traffic { medium, rejected, .. } in media {
        for (cause, number) in rejected {
            page.total("latido_packets_rejected_total", &[("medium", medium), ("cause", cause)], *number);
        }
    }
    page.counter("latido_packets_dropped_total", "Messages thrown away because the medium had no room.");
    for Traffic { medium, dropped, .. } in media {
        page.total("latido_packets_dropped_total", &[("medium", medium)], *dropped);
    }
    page.counter("latido_packets_failed_total", "Messages that met a medium that did not work.");
    for Traffic { medium, failed, .. } in media {
        page.total("latido_packets_failed_total", &[("medium", medium)], *failed);
    }
    page.counter("latido_noise_bytes_total", "Bytes on a serial line that belonged to no message.");
    for Traffic { medium, noise_bytes, .. } in media {
        page.total("latido_noise_bytes_total", &[("medium", medium)], *noise_bytes);
    }
}

struct Page(String);

impl Page {
    fn help(&mut self, name: &str, text: &str) {
        self.typed(name, text, "gauge");
    }

    fn counter(&mut self, name: &str, text: &str) {
        self.typed(name, text, "counter");
    }

    fn typed(&mut self, name: &str, text: &str, kind: &str) {
        let _ = writeln!(self.0, "# HELP {name} {text}\n# TYPE {name} {kind}");
    }

    fn one(&mut self, name: &str, text: &str, labels: &str, value: f64) {
        self.help(name, text);
        let _ = writeln!(self.0, "{name}{labels} {value}");
    }

    fn row(&mut self, name: &str, labels: &[(&str, &str)], value: f64) {
        let _ = writeln!(self.0, "{name}{} {value}", labelled(labels));
    }

    fn total(&mut self, name: &str, labels: &[(&str, &str)], number: u64) {
        let _ = writeln!(self.0, "{name}{} {number}", labelled(labels));
    }
}

fn labelled(labels: &[(&str, &str)]) -> String {
    let escaped = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', " ");
    let labels: Vec<String> = labels.iter().map(|(label, text)| format!("{label}=\"{}\"", escaped(text))).collect();
    format!("{{{}}}", labels.join(","))
}

#[allow(clippy::cast_precision_loss, reason = "an age in milliseconds is far below 2^52")]
fn seconds(ms: u64) -> f64 {
    ms as f64 / 1000.0
}

#[allow(clippy::cast_precision_loss, reason = "a handful")]
fn count(number: usize) -> f64 {
    number as f64
}

fn flag(is_so: bool) -> f64 {
    f64::from(u8::from(is_so))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_a_name_labels_and_a_number() {
        let path = format!("{}/tests/status/trouble.json", env!("CARGO_MANIFEST_DIR"));
        let status: Status = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        let text = metrics(&status);
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let (name, value) = line.rsplit_once(' ').unwrap();
            assert!(name.starts_with("latido_") && value.parse::<f64>().is_ok(), "{line}");
        }
        assert!(text.contains("latido_group_failed{group=\"10.9.1.101\"} 1\n"), "{text}");
        assert!(text.contains("latido_link_gap_seconds{node=\"beta\",medium=\"eth0\",quantile=\"1\"} 1.31\n"));
        for line in [
            "latido_packets_total{medium=\"eth0\",direction=\"in\"} 8431",
            "latido_packets_rejected_total{medium=\"eth0\",cause=\"bad_signature\"} 17",
            "latido_packets_rejected_total{medium=\"eth0\",cause=\"too_long\"} 0",
            "latido_packets_dropped_total{medium=\"/dev/ttyS1\"} 2",
            "latido_packets_failed_total{medium=\"eth0\"} 65",
            "latido_noise_bytes_total{medium=\"/dev/ttyS1\"} 40",
        ] {
            assert!(text.lines().any(|row| row == line), "{line} is not in\n{text}");
        }
    }

    #[test]
    fn promtool_has_nothing_to_say_against_it() {
        let path = format!("{}/tests/status/trouble.json", env!("CARGO_MANIFEST_DIR"));
        let status: Status = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        let piped = std::process::Stdio::piped;
        let mut command = std::process::Command::new("promtool");
        command.args(["check", "metrics"]).stdin(piped()).stdout(piped()).stderr(piped());
        let Ok(mut promtool) = command.spawn() else {
            eprintln!("not tested: promtool is not there (apt install prometheus)");
            return;
        };
        let mut input = promtool.stdin.take().unwrap();
        std::io::Write::write_all(&mut input, metrics(&status).as_bytes()).unwrap();
        drop(input);
        let output = promtool.wait_with_output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        assert!(output.status.success() && said.is_empty(), "{}", String::from_utf8_lossy(&said));
    }

    #[test]
    fn counters_end_in_total_and_nothing_else_does_and_each_has_its_type_once() {
        let path = format!("{}/tests/status/trouble.json", env!("CARGO_MANIFEST_DIR"));
        let status: Status = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        let text = metrics(&status);
        let types: Vec<_> = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' ')).collect();
        for (name, kind) in &types {
            assert_eq!(name.ends_with("_total"), *kind == "counter", "{name} {kind}");
            assert_eq!(types.iter().filter(|(other, _)| other == name).count(), 1, "{name}");
        }
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let name = line.split(['{', ' ']).next().unwrap();
            assert!(types.iter().any(|(known, _)| *known == name), "{line} has no type");
        }
    }
}
