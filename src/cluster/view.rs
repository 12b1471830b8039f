//! A read-only view of the cluster for `latido status`, clients and tests.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::names::{MediumId, NodeName};
use crate::time::Mono;
use crate::wire::Generation;

use super::gaps::enough_deadtime;
use super::{AutoFailback, Cluster, GapsView, GroupState, Status};

/// Everything a person may want to know, at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct View {
    /// When it was taken.
    pub at: Mono,
    /// This node.
    pub me: NodeName,
    /// All nodes, ping nodes too, in the order of `ha.cf`.
    pub nodes: Vec<NodeView>,
    /// The groups in the order of `haresources`.
    pub groups: Vec<GroupView>,
    /// What `cl_status rscstatus` says: `none`, `local`, `foreign`, `all` or `transition`.
    pub rscstatus: String,
    /// Whether nothing is being decided or moved.
    pub stable: bool,
    /// What a takeover waits for, in a sentence, if it does.
    pub waiting_for: Option<String>,
    /// Whether we are leaving.
    pub leaving: bool,
    /// The configured mode.
    pub auto_failback: AutoFailback,
    /// Why groups are not at home though their home is alive, in a sentence, if so.
    pub away: Option<String>,
    /// What the nodes' files say differently, in sentences, as far as known.
    pub drift: Vec<String>,
    /// What the other Latido last said of itself.
    pub peer_facts: Option<PeerFacts>,
    /// A deadtime that would do on each link alone, from the gaps measured.
    pub enough_deadtime: Option<Duration>,
    /// The same of the best link: a shorter one is dangerous.
    pub least_deadtime: Option<Duration>,
    /// The fencing devices.
    pub fences: Vec<String>,
    /// Those of them that did not answer when they were last asked.
    pub broken_fences: Vec<String>,
    /// What does not work of what is watched here, in sentences.
    pub sick: Vec<String>,
    /// That two machines have one name, in a sentence, if so.
    pub impostor: Option<String>,
    /// That what is heard of the other node may be old, in a sentence.
    pub doubted: Option<String>,
    /// When we last took over groups of a node that died or left, if ever.
    pub last_takeover: Option<Mono>,
    /// When anything last changed (a node, a link, a group).
    pub last_change: Mono,
}

/// One node.
#[derive(Clone, Debug, PartialEq)]
pub struct NodeView {
    /// Its name.
    pub name: NodeName,
    /// Whether it is this node.
    pub is_me: bool,
    /// Whether it is a ping node.
    pub is_ping: bool,
    /// What it says of itself, or what we say of it.
    pub status: Status,
    /// Age of the last message that proved its life, if any was heard in ours.
    pub last_heard: Option<Duration>,
    /// Its generation, if known.
    pub generation: Option<Generation>,
    /// The silence it asked to be judged by.
    pub deadtime: Duration,
    /// Whether it is a Latido.
    pub is_latido: bool,
    /// Whether its `haresources` means something else than ours; a Latido says so.
    pub resources_differ: Option<bool>,
    /// By how many seconds its wall clock is ahead of ours.
    pub clock_ahead: Option<i64>,
    /// Its uuid, if known.
    pub uuid: Option<Vec<u8>>,
    /// Its links.
    pub links: Vec<LinkView>,
}

/// One node on one medium.
#[derive(Clone, Debug, PartialEq)]
pub struct LinkView {
    /// The medium.
    pub medium: MediumId,
    /// Whether it is up.
    pub up: bool,
    /// Age of the last message over it.
    pub last_heard: Option<Duration>,
    /// Why the medium itself fails, if it does.
    pub failure: Option<String>,
    /// How regularly heartbeats come in over it, once there were enough.
    pub gaps: Option<GapsView>,
}

/// What the other Latido said last of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PeerFacts {
    /// When it came in.
    pub at: Mono,
    /// Each medium over which it expects to hear us, and whether it does.
    pub links: BTreeMap<String, bool>,
    /// The groups that failed there, with the reason.
    pub failed: Vec<String>,
    /// Its keepalive, deadtime and the like, as far as both nodes should agree on them.
    pub timing: String,
    /// Number and method of the key it signs with.
    pub key: String,
    /// Its version.
    pub program: String,
}

/// One group.
#[derive(Clone, Debug, PartialEq)]
pub struct GroupView {
    /// Its first resource, verbatim.
    pub key: String,
    /// Where it belongs.
    pub owner: NodeName,
    /// All its resources, verbatim.
    pub resources: Vec<String>,
    /// What it does here.
    pub state: GroupState,
    /// Since when.
    pub since: Mono,
    /// Whether the other node says it holds it.
    pub held_by_peer: bool,
    /// The script being run for it now, as called.
    pub running: Option<String>,
    /// Why it failed, if it did.
    pub failure: Option<String>,
}

impl Cluster {
    /// How things are.
    pub fn view(&self, now: Mono) -> View {
        let enough: Vec<Duration> = self.enough_deadtimes().collect();
        let failed = |medium: &MediumId| self.members.failure_of(medium);
        let mut nodes: Vec<NodeView> =
            self.nodes.iter().map(|node| node.view(now, &self.settings.resources_digest, failed)).collect();
        let here = self.settings.nodes.iter().position(|name| *name == self.settings.me).unwrap_or(0);
        nodes.insert(here.min(nodes.len()), self.own_view());
        let stable = self.is_stable()
            && !self.groups.is_busy()
            && (!self.exchanges_claims() || self.is_alone() || self.peer.is_stable());
        View {
            at: now,
            me: self.settings.me.clone(),
            nodes,
            groups: self.groups.view(|index| self.peer.hold(index).is_claimed()),
            rscstatus: self.told_hold().to_owned(),
            stable,
            waiting_for: self.fencing_text(),
            leaving: self.leaving.is_ordered(),
            auto_failback: self.settings.auto_failback,
            away: self.away_text(),
            drift: self.drift(),
            peer_facts: self.facts_exchange.heard.clone(),
            enough_deadtime: enough.iter().max().copied(),
            least_deadtime: enough.iter().min().copied(),
            fences: self.settings.fences.clone(),
            broken_fences: self.fences.broken(),
            sick: self.sick(),
            impostor: self.impostor(),
            doubted: self.doubted(),
            last_takeover: self.milestones.last_takeover(),
            last_change: self.last_change,
        }
    }

    /// One for each link.
    fn enough_deadtimes(&self) -> impl Iterator<Item = Duration> {
        let links = self.nodes.iter().filter(|node| !node.is_ping()).flat_map(|node| node.links());
        let gaps = links.filter_map(|link| link.gaps());
        gaps.filter_map(|gaps| enough_deadtime(self.settings.keepalive, &gaps))
    }

    /// Why something is not at home though its home is alive: the first reason that holds.
    fn away_text(&self) -> Option<String> {
        let peer = self.peer_node().filter(|node| node.is_active())?;
        let peer_has = |index: usize| self.peer.hold(index).is_claimed();
        let guest = |index: &usize| !self.is_own(*index) && self.groups.state(*index) == GroupState::Held;
        let abroad = |index: &usize| self.is_own(*index) && peer_has(*index);
        let (home, index, command) = match (0..self.groups.len()).find(guest) {
            Some(index) => (peer.name().clone(), index, "latido standby foreign"),
            None => (self.settings.me.clone(), (0..self.groups.len()).find(abroad)?, "latido takeover local"),
        };
        let failed_at_home = if home == self.settings.me {
            self.groups.state(index) == GroupState::Failed
        } else {
            self.peer.hold(index).has_failed()
        };
        let key = self.groups.key(index);
        let why = match self.settings.auto_failback {
            _ if failed_at_home => {
                format!("it could not be started there; when that is mended: `latido resource retry {key}` on {home}")
            }
            AutoFailback::Off => format!("auto_failback is off; `{command}` brings it home"),
            AutoFailback::Legacy => format!("auto_failback legacy: {home} asks for it only when it starts"),
            AutoFailback::On if self.groups.is_busy() || self.is_handing_over() => {
                "something is being started or stopped; it goes home after that".to_owned()
            }
            AutoFailback::On if !self.peer.is_stable() => format!("{} has not finished deciding", peer.name()),
            AutoFailback::On => match self.failback.home_since() {
                Some(since) if !self.settings.failback_delay.is_zero() => {
                    let left = (since + self.settings.failback_delay).since(self.now.mono);
                    format!(
                        "failback-delay: it goes home in {} s; `{command}` brings it home now",
                        left.as_secs().saturating_add(1)
                    )
                }
                Some(_) | None => {
                    let why = self.hand_over.why_moved(&key).unwrap_or("moved before this program started");
                    format!("{why}; `{command}` brings it home")
                }
            },
        };
        Some(format!("{key} is not at home on {home}: {why}"))
    }

    fn own_view(&self) -> NodeView {
        NodeView {
            name: self.settings.me.clone(),
            is_me: true,
            is_ping: false,
            status: self.members.local_status(),
            last_heard: None,
            generation: Some(self.start_facts.generation),
            deadtime: self.settings.deadtime,
            is_latido: true,
            resources_differ: None,
            clock_ahead: None,
            uuid: Some(self.start_facts.uuid.to_vec()),
            links: Vec::new(),
        }
    }
}
