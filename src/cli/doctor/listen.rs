//! Without a daemon here: opens every medium as it would and listens who speaks, and with which key.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::clock::Clock;
use crate::config::{Config, MediumSpec};
use crate::link::{LinkEvent, Links};
use crate::names::{MediumId, NodeName};
use crate::paths::Paths;
use crate::wire::{Cause, Intake, field};

use super::finding::Findings;
use super::peer::tell_clock;

/// How long we listen: three heartbeats, within bounds.
const HEARTBEATS: u32 = 3;
const LEAST: Duration = Duration::from_secs(1);
const MOST: Duration = Duration::from_secs(20);

/// What came in on one medium.
#[derive(Debug, Default)]
struct Heard {
    peers: BTreeMap<String, u32>,
    refused: BTreeMap<Cause, u32>,
    /// By how many seconds each clock was ahead of ours.
    clocks: BTreeMap<String, i64>,
}

/// Opens and listens; returns whether any other node was heard.
pub(super) fn check(config: &Config, paths: &Paths, findings: &mut Findings) -> bool {
    let specs: Vec<MediumSpec> = config.media.iter().filter(|spec| spec.ping_node().is_none()).cloned().collect();
    let time = (config.settings.keepalive * HEARTBEATS).clamp(LEAST, MOST);
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            findings.fail("link", format!("cannot listen: {error}"), "is the machine out of memory or descriptors?");
            return false;
        }
    };
    let clock = Clock::start();
    let heard = runtime.block_on(async {
        // One at a time: what does not open must not hide the rest.
        let mut open: Vec<Links> = Vec::new();
        for spec in &specs {
            match Links::open_all(std::slice::from_ref(spec), &paths.lock_dir, &clock) {
                Ok(links) => open.push(links),
                Err(errors) => errors.iter().for_each(|error| {
                    let remedy = error.remedy.unwrap_or("end what uses it, or correct the line of ha.cf");
                    let what = format!("cannot open {} {}: {}", error.directive, error.name, error.why);
                    findings.fail(if error.directive == "serial" { "line" } else { "port" }, what, remedy);
                }),
            }
        }
        listen(open, config, &clock, time).await
    });
    heard.iter().for_each(|(medium, heard)| tell(config, medium, heard, time, findings));
    let clocks: BTreeMap<&String, i64> = heard.values().flat_map(|heard| &heard.clocks).map(|(n, a)| (n, *a)).collect();
    clocks.into_iter().for_each(|(node, ahead)| tell_clock(node, ahead, findings));
    heard.values().any(|heard| !heard.peers.is_empty())
}

async fn listen(open: Vec<Links>, config: &Config, clock: &Clock, time: Duration) -> BTreeMap<MediumId, Heard> {
    let mut heard: BTreeMap<MediumId, Heard> =
        open.iter().map(|links| (links.id(0).clone(), Heard::default())).collect();
    let mut tasks = tokio::task::JoinSet::new();
    for links in open {
        let (intake, me) = (Intake::new(config.keyring.clone()), config.settings.me.clone());
        tasks.spawn(listen_on(links, intake, me, *clock, time));
    }
    while let Some(ended) = tasks.join_next().await {
        // A task of ours neither panics nor is aborted.
        let Ok((medium, new)) = ended else { continue };
        let known = heard.entry(medium).or_default();
        new.peers.into_iter().for_each(|(node, count)| *known.peers.entry(node).or_default() += count);
        known.clocks.extend(new.clocks);
        new.refused.into_iter().for_each(|(cause, count)| *known.refused.entry(cause).or_default() += count);
    }
    heard
}

async fn listen_on(
    mut links: Links,
    mut intake: Intake,
    me: NodeName,
    clock: Clock,
    time: Duration,
) -> (MediumId, Heard) {
    let medium = links.id(0).clone();
    let mut heard = Heard::default();
    let listening = async {
        loop {
            let wake = links.next_wake().unwrap_or(clock.mono() + time);
            let event = tokio::select! {
                event = links.next() => event,
                // A serial line that is silent between two pieces is looked at again when its time has come.
                () = tokio::time::sleep_until(clock.instant(wake)) => {
                    links.retry();
                    continue;
                }
            };
            let LinkEvent::Bytes { stream, .. } = event else { continue };
            for result in intake.take(&medium, stream, links.bytes()) {
                match result {
                    Ok((message, _)) => {
                        let node = message.get(field::SRC).unwrap_or_default().to_lowercase();
                        if node != me.as_str() {
                            let stamp = message.hex(field::TS).map(u64::cast_signed);
                            let ahead = stamp.map(|ts| ts.saturating_sub(clock.now().wall.0.cast_signed()));
                            heard.clocks.extend(ahead.map(|ahead| (node.clone(), ahead)));
                            *heard.peers.entry(node).or_default() += 1;
                        }
                    }
                    Err(reject) => *heard.refused.entry(reject.cause()).or_default() += 1,
                }
            }
        }
    };
    let _ = tokio::time::timeout(time, listening).await;
    (medium, heard)
}

fn tell(config: &Config, medium: &MediumId, heard: &Heard, time: Duration, findings: &mut Findings) {
    let seconds = time.as_secs_f64();
    let refused: u32 = heard.refused.values().sum();
    if !heard.peers.is_empty() {
        for stranger in
            heard.peers.keys().filter(|node| !config.settings.nodes.iter().any(|known| known.as_str() == *node))
        {
            let what = format!("{medium}: {stranger} speaks with our key and is no node of ha.cf");
            findings.fail("link", what, "the nodes' names must be the same in both files; or it is another cluster");
        }
        let nodes: Vec<String> = heard.peers.iter().map(|(node, count)| format!("{node} {count} times")).collect();
        return findings.pass("link", format!("{medium}: heard {} in {seconds:.0} s", nodes.join(", ")));
    }
    if heard.refused.keys().any(|cause| matches!(cause, Cause::BadSignature | Cause::UnknownKey)) {
        let what = format!("{medium}: {refused} messages in {seconds:.0} s, none signed with our key");
        let remedy = "the other node has another authkeys, or another cluster uses this network and port";
        return findings.fail("link", what, remedy);
    }
    if refused > 0 {
        let what = format!("{medium}: {refused} messages in {seconds:.0} s that are no heartbeats");
        return findings.fail("link", what, "another program uses this port, or the line garbles");
    }
    let what = format!("{medium}: opened; nothing heard in {seconds:.0} s");
    findings.warn("link", what, "is the other node's daemon running? If so: the cable, a firewall, its ha.cf");
}
