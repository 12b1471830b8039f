//! The document of `status` (`status.md`). It is versioned: fields may be added within a version, never changed or removed.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::printable;

/// Everything `latido status` shows. Durations are in milliseconds and count back from the answer.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// Version of this document: 1.
    pub version: u32,
    /// The daemon's program version.
    pub program: String,
    /// Its process id.
    pub pid: u32,
    /// The process that does the work, a child of that one.
    #[serde(default)]
    pub core: u32,
    /// How long it has run.
    pub up_for_ms: u64,
    /// This node's name.
    pub me: String,
    /// All nodes, ping nodes too, in the order of `ha.cf`.
    pub nodes: Vec<Node>,
    /// All groups, in the order of `haresources`.
    pub groups: Vec<Group>,
    /// `none`, `local`, `foreign`, `all` or `transition`.
    pub rscstatus: String,
    /// What a takeover waits for, in a sentence; absent when it waits for nothing.
    pub waiting_for: Option<String>,
    /// Whether nothing is being decided or moved.
    pub stable: bool,
    /// Whether the daemon is leaving.
    pub leaving: bool,
    /// `on`, `off` or `legacy`.
    pub auto_failback: String,
    /// Why groups are not at home though their home is alive, in a sentence; absent when all are.
    #[serde(default)]
    pub away: Option<String>,
    /// What the daemon was refused and goes on without, in sentences: files with errors, a disk that takes no number.
    #[serde(default)]
    pub going_on: Vec<String>,
    /// What the files of the two nodes say differently, in sentences, as far as known.
    #[serde(default)]
    pub drift: Vec<String>,
    /// The fencing devices in the order they are tried.
    #[serde(default)]
    pub fencing: Vec<String>,
    /// Those of them that did not answer when they were last asked.
    #[serde(default)]
    pub broken_fencing: Vec<String>,
    /// What does not work of what is watched here, in sentences.
    #[serde(default)]
    pub sick: Vec<String>,
    /// That another machine speaks in our name, in a sentence, if so.
    #[serde(default)]
    pub impostor: Option<String>,
    /// That what is heard of the other node may be old, in a sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub doubted: Option<String>,
    /// What keeps the pair from being healthy, a few words each; empty when all is well.
    #[serde(default)]
    pub troubles: Vec<String>,
    /// The configured silence after which a node is dead.
    #[serde(default)]
    pub deadtime_ms: u64,
    /// A deadtime that would do on each link alone, from the heartbeat gaps measured; absent until there are enough.
    #[serde(default)]
    pub enough_deadtime_ms: Option<u64>,
    /// The same of the best link: a shorter one calls nodes dead that live.
    #[serde(default)]
    pub least_deadtime_ms: Option<u64>,
    /// How late the daemon came to its own deadlines in the last minute or two, at worst.
    #[serde(default)]
    pub loop_late_ms: f64,
    /// What passed over each medium since the daemon's process that does the work was started, in the order of `ha.cf`.
    #[serde(default)]
    pub traffic: Vec<Traffic>,
    /// What the other node says of itself, when it is a Latido.
    #[serde(default)]
    pub peer: Option<Peer>,
    /// When groups of a node that died or left were last taken over; absent when never.
    pub last_takeover_ms: Option<u64>,
    /// When anything last changed.
    pub last_change_ms: u64,
}

impl Status {
    /// With each text on one line and nothing in it that does something to a terminal: much of it is said by others.
    pub fn made_printable(self) -> Status {
        let fit = serde_json::to_value(&self).and_then(|mut value| {
            printable::clean(&mut value);
            serde_json::from_value(value)
        });
        fit.unwrap_or(self)
    }
}

/// One node.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Node {
    /// Its name.
    pub name: String,
    /// Whether it is this one.
    pub here: bool,
    /// Whether it is a ping node.
    pub ping: bool,
    /// `init`, `up`, `active`, `dead` or `ping`.
    pub status: String,
    /// Age of its last heartbeat; absent when none was heard in this life.
    pub last_heard_ms: Option<u64>,
    /// Its generation, if known.
    pub generation: Option<u64>,
    /// After how long a silence it is dead.
    pub deadtime_ms: u64,
    /// Whether it runs Latido.
    pub latido: bool,
    /// Whether its `haresources` means something else than ours; absent when it does not say.
    #[serde(default)]
    pub resources_differ: Option<bool>,
    /// By how many seconds its wall clock is ahead of ours; absent when nothing was heard.
    #[serde(default)]
    pub clock_ahead_s: Option<i64>,
    /// One for each medium.
    pub links: Vec<Link>,
}

/// One node over one medium.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Link {
    /// `eth0`, `/dev/ttyS0`, a ping host.
    pub medium: String,
    /// Whether it is up.
    pub up: bool,
    /// Age of the last message over it.
    pub last_heard_ms: Option<u64>,
    /// Why the medium fails, if it does.
    pub failure: Option<String>,
    /// How regularly heartbeats come in over it; absent until there are enough.
    #[serde(default)]
    pub gaps: Option<Gaps>,
}

/// Times between heartbeats on a link.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Gaps {
    /// How many were measured.
    pub count: u32,
    /// Half are shorter.
    pub median_ms: f64,
    /// 99.9 % are shorter.
    pub p999_ms: f64,
    /// None was longer.
    pub worst_ms: f64,
}

/// What passed over one medium. Only ever grows, and begins at 0 with each start.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Traffic {
    /// `eth0`, `/dev/ttyS0`, a ping host.
    pub medium: String,
    /// Messages that were whole and rightly signed, our own coming back included; of a ping host its answers.
    pub accepted: u64,
    /// What was refused, by cause (`bad_signature`, …); empty for a ping host.
    pub rejected: BTreeMap<String, u64>,
    /// Bytes on a serial line that belonged to no message.
    pub noise_bytes: u64,
    /// Messages handed to the medium.
    pub sent: u64,
    /// Messages thrown away because there was no room in the medium.
    pub dropped: u64,
    /// Messages that met a medium that did not work.
    pub failed: u64,
}

/// The other node's own view.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Peer {
    /// How long ago it said so.
    pub said_ms: u64,
    /// Its program version.
    pub program: String,
    /// Each of its media, and whether it hears us over it.
    pub links: BTreeMap<String, bool>,
    /// The groups that failed there, with the reason.
    pub failed: Vec<String>,
}

/// One resource group.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Group {
    /// Its first resource.
    pub key: String,
    /// The node it belongs to.
    pub owner: String,
    /// All its resources as written in `haresources`.
    pub resources: Vec<String>,
    /// Here: `free`, `starting`, `held`, `stopping`, `failed` or `blocked`.
    pub state: String,
    /// Since when it is in that state.
    pub for_ms: u64,
    /// Whether the other node says it holds it.
    pub held_by_peer: bool,
    /// The script being run for it, if any.
    pub running: Option<String>,
    /// Why it failed, if it did.
    pub failure: Option<String>,
}
