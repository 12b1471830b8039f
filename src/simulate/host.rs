//! What the rig remembers of each node.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::cluster::{Cluster, Notes};
use crate::haresources::ResourceGroup;
use crate::names::NodeName;
use crate::time::Mono;
use crate::wire::{Generation, Sequence};

use super::NotesFault;
use super::manual_node::ManualNode;
use super::original::Original;
use super::simulated_ipfail::IpfailRuns;

/// One node of the rig.
#[derive(Debug)]
pub(super) struct Host {
    pub(super) cluster: Option<Cluster>,
    /// Counts the lives of its daemon.
    pub(super) life: u64,
    /// Counts the lives of the machine.
    pub(super) power: u64,
    /// Its daemon was started and has not said a word yet; what reaches it waits until then.
    pub(super) born_at: Option<Mono>,
    /// Until then its daemon stands still, and until then all of it does.
    pub(super) stalled_until: Mono,
    pub(super) frozen_until: Mono,
    /// What really runs, by the resource's word: what a truthful `status` finds.
    pub(super) running: BTreeSet<String>,
    /// What runs or may run: begun, and not stopped on evidence.
    pub(super) begun: BTreeMap<String, Begun>,
    /// The groups in its file.
    pub(super) groups: Vec<ResourceGroup>,
    /// What its daemon wrote down for a successor, and what it had written before that.
    pub(super) notes: Option<Notes>,
    pub(super) notes_before: Option<Notes>,
    /// What becomes of the notes before the next start.
    pub(super) notes_fault: Option<NotesFault>,
    /// How far it heard each node, on its disk.
    pub(super) remembered: BTreeMap<NodeName, (Generation, Sequence, Option<i64>)>,
    /// When it last said that it lives, how long a silence it asked for, and its `lag` then.
    pub(super) said: (Mono, Duration, Duration),
    /// The node is played by hand.
    pub(super) manual: Option<ManualNode>,
    /// It runs the original.
    pub(super) original: Option<Original>,
    /// The ipfail its daemon has started.
    pub(super) ipfail_runs: IpfailRuns,
    /// Its clock stood still for so long.
    pub(super) lag: Duration,
    /// What its clock showed when it last stood still.
    pub(super) frozen_at: Mono,
    /// Its wall clock is so many seconds ahead.
    pub(super) wall_ahead: i64,
    /// From being started to its first word.
    pub(super) slow_start: Duration,
    /// How long each writing of notes blocks its daemon.
    pub(super) notes_take: Duration,
    /// The generation of its next life, instead of one more than all others, and that of its last.
    pub(super) next_generation: Option<u64>,
    /// Its present life began with a number that is not above all before.
    pub(super) went_back: bool,
    pub(super) generation: Option<u64>,
    /// When its daemon was killed, exchanged, and when it lost its power.
    pub(super) kills: Vec<Mono>,
    pub(super) upgraded: Option<Mono>,
    /// Whether its daemon makes room for another one, and that was started and waits.
    pub(super) upgrade: UpgradeState,
    pub(super) powered_off: Option<Mono>,
    /// It was asked to leave.
    pub(super) asked_to_leave: bool,
    /// Its supervisor has passed that on, and its daemon has not ended in order since.
    pub(super) told: bool,
}

/// Of something that was begun.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Begun {
    /// A stop was tried and did not end well.
    pub(super) stop_failed: bool,
}

/// Whether a daemon makes room for another one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum UpgradeState {
    #[default]
    No,
    /// As soon as it can.
    Asked,
    /// And the other one was started, and waits for that.
    Awaited,
}

impl Host {
    /// Switched off.
    pub(super) fn off(groups: &[ResourceGroup]) -> Host {
        Host {
            cluster: None,
            life: 0,
            power: 0,
            born_at: None,
            stalled_until: Mono::ZERO,
            frozen_until: Mono::ZERO,
            running: BTreeSet::new(),
            begun: BTreeMap::new(),
            groups: groups.to_vec(),
            notes: None,
            notes_before: None,
            notes_fault: None,
            remembered: BTreeMap::new(),
            said: (Mono::ZERO, Duration::ZERO, Duration::ZERO),
            manual: None,
            original: None,
            ipfail_runs: IpfailRuns::default(),
            lag: Duration::ZERO,
            frozen_at: Mono::ZERO,
            wall_ahead: 0,
            slow_start: Duration::ZERO,
            notes_take: Duration::ZERO,
            next_generation: None,
            went_back: false,
            generation: None,
            kills: Vec::new(),
            upgraded: None,
            upgrade: UpgradeState::No,
            powered_off: None,
            asked_to_leave: false,
            told: false,
        }
    }

    /// Nothing reaches its daemon before this.
    pub(super) fn awake_from(&self) -> Mono {
        self.stalled_until.max(self.born_at.unwrap_or(Mono::ZERO))
    }
}
