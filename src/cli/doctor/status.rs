//! What the daemon measured and what the other Latido said: does it hear us over each medium, do the files agree, is
//! `deadtime` long enough for the gaps there really are, is a disk protected by a fence?

use std::time::Duration;

use crate::amount::{age, exact, measured, of_ms};
use crate::config::Config;
use crate::haresources::known::{self, ResourceKind};
use crate::status::{Peer, Status};

use super::finding::Findings;

/// Judges it all.
pub(super) fn check(config: &Config, status: &Status, findings: &mut Findings) {
    if let Some(peer) = &status.peer {
        their_view(status, peer, findings);
    }
    // That haresources differs was said with what it leads to.
    for sentence in status.drift.iter().filter(|sentence| !sentence.starts_with("haresources")) {
        let remedy = "ha.cf and authkeys are the same on both nodes: latido propagate --check shows the lines";
        findings.warn("files", sentence.as_str(), remedy);
    }
    timing(config, status, findings);
    fence(config, status, findings);
}

fn their_view(status: &Status, peer: &Peer, findings: &mut Findings) {
    let name = status.nodes.iter().find(|node| !node.here && !node.ping).map_or("the other node", |node| &node.name);
    for (medium, hears) in &peer.links {
        if *hears {
            findings.pass("link", format!("{medium}: {name} hears us as well"));
        } else {
            let what =
                format!("{medium}: {name} does not hear us over it ({} ago)", age(Duration::from_millis(peer.said_ms)));
            let remedy = format!("a firewall on {name}, its address or port; run the doctor there");
            findings.fail("link", what, remedy);
        }
    }
    for failure in &peer.failed {
        findings.fail(
            "groups",
            format!("on {name} {failure}"),
            format!("mend it there, then latido takeover on {name}"),
        );
    }
}

fn timing(config: &Config, status: &Status, findings: &mut Findings) {
    let deadtime = exact(Duration::from_millis(status.deadtime_ms));
    match status.enough_deadtime_ms {
        Some(enough) if enough > status.deadtime_ms && status.deadtime_ms > 0 => {
            let what = format!("deadtime {deadtime} is short for the gaps between heartbeats here");
            findings.warn(
                "timing",
                what,
                format!("{} would do; latido status shows the gaps", exact(Duration::from_millis(enough))),
            );
        }
        Some(enough) => {
            findings.pass(
                "timing",
                format!(
                    "deadtime {deadtime}; from the gaps measured {} would do",
                    exact(Duration::from_millis(enough))
                ),
            );
        }
        None => {}
    }
    let (late, keepalive) = (of_ms(status.loop_late_ms), config.settings.keepalive);
    if late > keepalive {
        let what = format!("this machine was {} late for its own heartbeat, of {}", measured(late), exact(keepalive));
        findings.warn("timing", what, "is it overloaded, or was it suspended? realtime on; a longer deadtime");
    }
}

fn fence(config: &Config, status: &Status, findings: &mut Findings) {
    let mut resources = config.groups.iter().flat_map(|group| &group.resources);
    let disk = resources.find(|resource| known::kind(resource) == ResourceKind::Disk);
    match (disk, status.fencing.as_slice()) {
        (Some(disk), []) => findings.warn(
            "fence",
            format!("nothing switches off a node that hangs: {disk} may be written by both"),
            "stonith in ha.cf, or fence in latido.cf; several independent paths make it less likely",
        ),
        (_, [first, ..]) => findings.pass("fence", format!("a dead node is fenced by {first}")),
        (None, []) => {}
    }
}
