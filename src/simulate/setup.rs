//! What a simulated pair is made of: the settings and the groups of an ordinary one.

use std::time::Duration;

use crate::cluster::{AutoFailback, Medium, OnStartFailure, OnStopFailure, ScriptTimeouts, Settings};
use crate::config::settings_without_files;
use crate::haresources::{Resource, ResourceGroup};
use crate::names::{MediumId, NodeName};

use super::{MEDIA, NAMES};

/// Settings of an ordinary pair: keepalive 1 s, deadtime 5 s, initdead 12 s, one network and one serial line.
pub fn settings(me: &str) -> Option<Settings> {
    let medium = |name: &&str| Medium { id: MediumId::new(*name), ping_node: None };
    Some(Settings {
        nodes: NAMES.iter().filter_map(|name| NodeName::new(name)).collect(),
        media: MEDIA.iter().map(medium).collect(),
        keepalive: Duration::from_secs(1),
        deadtime: Duration::from_secs(5),
        warntime: Duration::from_millis(2500),
        initdead: Duration::from_secs(12),
        deadping: Duration::from_secs(5),
        auto_failback: AutoFailback::On,
        script_timeout: ScriptTimeouts {
            start: Duration::from_secs(10),
            stop: Duration::from_secs(10),
            status: Duration::from_secs(5),
        },
        on_start_failure: OnStartFailure::Move,
        on_stop_failure: OnStopFailure::Reboot,
        resources_digest: "simulated".into(),
        timing: "keepalive=1s deadtime=5s".into(),
        key: "1 sha1".into(),
        ..settings_without_files(NodeName::new(me)?)
    })
}

/// The settings of both nodes of a pair from those of one; `None` unless they name two nodes.
pub fn both(settings: &Settings) -> Option<[Settings; 2]> {
    let nodes: &[NodeName; 2] = settings.nodes.as_slice().try_into().ok()?;
    Some(nodes.clone().map(|me| Settings { me, ..settings.clone() }))
}

/// The groups of lines such as `alpha drbddisk::r0 IPaddr::10.0.0.10`; lines without a node are left out.
pub fn groups(text: &str) -> Vec<ResourceGroup> {
    let group = |(at, line): (usize, &str)| {
        let mut words = line.split_whitespace();
        let owner = NodeName::new(words.next()?)?;
        Some(ResourceGroup { owner, resources: words.map(Resource::from_word).collect(), line: at + 1 })
    };
    text.lines().enumerate().filter_map(group).collect()
}
