//! Making it so: the groups of this node and the chains of scripts that run for them (`resources.md` 3.1, 3.2).
//!
//! Groups are started one after another, and stopped one after another, in the order they were asked for: users' scripts
//! rely on it. No stop waits for a start, and what must go because the peer runs it too waits for nothing at all: a script
//! that hangs delays nobody else's.
//!
//! Here is the table of groups and what may be asked of it; `wishes` says what is to happen to each, `lanes` runs the
//! scripts for it, `failures` holds what did not work.

mod failures;
mod lanes;
mod notes;
mod reread;
mod state;
mod wishes;

use std::collections::VecDeque;

use crate::haresources::{Resource, ResourceGroup, known};
use crate::names::NodeName;
use crate::time::Mono;

use super::claims::PeerHold;
use super::{GroupView, Settings};

pub use state::GroupState;

pub(super) use state::Doubt;

use lanes::Running;
use wishes::Wish;

/// One group on this node.
#[derive(Debug)]
struct Group {
    spec: ResourceGroup,
    state: GroupState,
    since: Mono,
    failure: Option<String>,
    /// Taken over while the peer was silent: it may run there still.
    since_partition: bool,
    /// The peer claims it too and we keep it.
    contested: bool,
    /// Its failure was answered by asking the other node to take it; never twice.
    offered: bool,
    /// Whether the peer may have it without our knowing.
    doubt: Doubt,
    /// Gone from `haresources`: to be stopped and forgotten.
    removed: bool,
    /// As it was started, by us or a predecessor, when the file has said something else since: so it runs and goes down.
    as_started: Option<ResourceGroup>,
}

/// All groups, what is queued, and what runs.
#[derive(Debug)]
pub(super) struct Groups {
    list: Vec<Group>,
    queue: VecDeque<(usize, Wish)>,
    running: Vec<Running>,
    next_lane: u64,
    next_job: u64,
}

impl Groups {
    pub(super) fn new(specs: Vec<ResourceGroup>, settings: &Settings, now: Mono) -> Groups {
        let specs = if settings.manage_resources { specs } else { Vec::new() };
        let list = specs.into_iter().filter(|spec| !spec.resources.is_empty()).map(|spec| Group::new(spec, now));
        Groups { list: list.collect(), queue: VecDeque::new(), running: Vec::new(), next_lane: 1, next_job: 1 }
    }

    pub(super) fn len(&self) -> usize {
        self.list.len()
    }

    /// How many of them are in the file; the others are only there to be stopped, and come last.
    pub(super) fn count_in_file(&self) -> usize {
        self.list.iter().filter(|group| !group.removed).count()
    }

    pub(super) fn owner(&self, index: usize) -> &NodeName {
        &self.list[index].spec.owner
    }

    pub(super) fn key(&self, index: usize) -> String {
        self.list[index].spec.key().to_owned()
    }

    pub(super) fn find(&self, key: &str) -> Option<usize> {
        self.list.iter().position(|group| group.spec.key() == key)
    }

    /// The group with this key, or with this resource, or with this address whatever stands behind it.
    pub(super) fn find_by_word(&self, word: &str) -> Option<usize> {
        let has = |group: &Group| group.spec.resources.iter().any(|resource| resource.word == word);
        let brings_up =
            |group: &Group| group.spec.resources.iter().any(|r| known::address_text(r).as_deref() == Some(word));
        let with_address = || self.list.iter().position(brings_up);
        self.find(word).or_else(|| self.list.iter().position(has)).or_else(with_address)
    }

    /// What to answer whoever names a group that is not there.
    pub(super) fn unknown(&self, word: &str) -> String {
        let known: Vec<&str> = self.list.iter().map(|group| group.spec.key()).collect();
        format!("there is no resource group \"{word}\"; there are: {}", known.join(", "))
    }

    /// Why it failed here, if it did.
    pub(super) fn failure(&self, index: usize) -> Option<&str> {
        self.list[index].failure.as_deref()
    }

    pub(super) fn state(&self, index: usize) -> GroupState {
        self.list[index].state
    }

    /// Whether it runs here, is to run here, or has not finished stopping.
    pub(super) fn is_claimed(&self, index: usize) -> bool {
        self.list[index].is_claimed()
    }

    /// Whether anything is being started or stopped, or waits for its turn.
    pub(super) fn is_busy(&self) -> bool {
        !self.running.is_empty() || !self.queue.is_empty()
    }

    /// The keys of what is held, started or stopped here.
    pub(super) fn claimed_keys(&self) -> Vec<String> {
        self.list.iter().filter(|group| group.is_claimed()).map(|group| group.spec.key().to_owned()).collect()
    }

    /// Whether any group is only there to be stopped.
    pub(super) fn any_removed(&self) -> bool {
        self.list.iter().any(|group| group.removed)
    }

    pub(super) fn any_stopping(&self) -> bool {
        self.list.iter().any(|group| group.state == GroupState::Stopping)
    }

    pub(super) fn is_blocked(&self) -> bool {
        self.list.iter().any(|group| group.state == GroupState::Blocked)
    }

    pub(super) fn any_free(&self) -> bool {
        self.list.iter().any(|group| matches!(group.state, GroupState::Free | GroupState::Failed))
    }

    /// Whether it is being stopped, or will be when its turn comes.
    pub(super) fn is_going_down(&self, index: usize) -> bool {
        let queued = self.queue.iter().any(|(at, wish)| *at == index && wish.is_downward());
        queued || self.running.iter().any(|running| running.index == index && running.chain.is_going_down())
    }

    /// What runs, or would be started.
    pub(super) fn resources(&self, index: usize) -> &[Resource] {
        &self.list[index].running_spec().resources
    }

    /// Since when it has been in its state.
    pub(super) fn state_since(&self, index: usize) -> Mono {
        self.list[index].since
    }

    pub(super) fn mark_partition(&mut self, index: usize) {
        self.list[index].since_partition = true;
    }

    pub(super) fn has_partition_mark(&self, index: usize) -> bool {
        self.list[index].since_partition
    }

    pub(super) fn clear_partition_mark(&mut self, index: usize) {
        self.list[index].since_partition = false;
    }

    pub(super) fn partition_marks(&self) -> Vec<usize> {
        (0..self.len()).filter(|index| self.list[*index].since_partition).collect()
    }

    /// The peer has a new life: what it ran ended with the old one, unless it was cut off and is alive.
    pub(super) fn clear_partition_marks(&mut self, keep: bool) {
        if !keep {
            self.list.iter_mut().for_each(|group| group.since_partition = false);
        }
    }

    /// We stood still: whatever we hold may have been taken meanwhile.
    pub(super) fn mark_overslept(&mut self) {
        self.list.iter_mut().filter(|group| group.is_claimed()).for_each(|group| group.doubt = Doubt::Overslept);
    }

    /// What was not up when its daemon died may have been taken, however short a time ago that seems to be; whether
    /// there is any.
    pub(super) fn doubt_starts(&mut self) -> bool {
        let starts = self.list.iter_mut().filter(|group| group.state == GroupState::Starting);
        starts.map(|group| group.doubt = Doubt::Inherited).count() > 0
    }

    pub(super) fn doubt(&self, index: usize) -> Doubt {
        self.list[index].doubt
    }

    pub(super) fn clear_doubt(&mut self, index: usize) {
        self.list[index].doubt = Doubt::No;
    }

    pub(super) fn was_contested(&self, index: usize) -> bool {
        self.list[index].contested
    }

    pub(super) fn set_contested(&mut self, index: usize, contested: bool) {
        self.list[index].contested = contested;
    }

    /// Our own line of letters (`claims`).
    pub(super) fn own_holds(&self, stays: bool) -> Vec<PeerHold> {
        let hold = |(index, group): (usize, &Group)| match group.state {
            GroupState::Free => PeerHold::No,
            GroupState::Failed if stays => PeerHold::FailedStays,
            GroupState::Failed => PeerHold::Failed,
            GroupState::Blocked => PeerHold::Blocked,
            GroupState::Starting | GroupState::Held | GroupState::Stopping => match group {
                Group { doubt: Doubt::Overslept, since_partition: true, .. } if !self.is_going_down(index) => {
                    PeerHold::OversleptTaken
                }
                Group { doubt: Doubt::Overslept, .. } => PeerHold::Overslept,
                Group { doubt: Doubt::Inherited, .. } => PeerHold::Inherited,
                Group { since_partition: true, .. } => PeerHold::SincePartition,
                _ => PeerHold::Yes,
            },
        };
        self.list.iter().enumerate().map(hold).collect()
    }

    pub(super) fn view(&self, claimed_by_peer: impl Fn(usize) -> bool) -> Vec<GroupView> {
        let view = |(index, group): (usize, &Group)| GroupView {
            key: group.spec.key().to_owned(),
            owner: group.spec.owner.clone(),
            resources: group.spec.resources.iter().map(|resource| resource.word.clone()).collect(),
            state: group.state,
            since: group.since,
            held_by_peer: claimed_by_peer(index),
            running: self.running.iter().find(|running| running.index == index).map(|running| running.call.clone()),
            failure: group.failure.clone(),
        };
        self.list.iter().enumerate().map(view).collect()
    }

    /// Every resource of every group that is free, with the group's key.
    pub(super) fn resources_of_what_is_down(&self) -> Vec<(String, Resource)> {
        let down = self.list.iter().filter(|group| matches!(group.state, GroupState::Free | GroupState::Failed));
        down.flat_map(|group| group.spec.resources.iter().map(|r| (group.spec.key().to_owned(), r.clone()))).collect()
    }
}

impl Group {
    fn new(spec: ResourceGroup, now: Mono) -> Group {
        Group {
            spec,
            state: GroupState::Free,
            since: now,
            failure: None,
            since_partition: false,
            contested: false,
            offered: false,
            doubt: Doubt::No,
            removed: false,
            as_started: None,
        }
    }

    fn is_claimed(&self) -> bool {
        self.state.is_claimed()
    }

    fn shares_with(&self, other: &Group) -> bool {
        self.running_spec().resources.iter().any(|resource| other.spec.resources.contains(resource))
    }

    /// Takes note of how it was started, if the file says something else by now.
    fn keep_as_started(&mut self, started: ResourceGroup) {
        if started.resources != self.spec.resources {
            self.as_started = Some(started);
        }
    }

    fn running_spec(&self) -> &ResourceGroup {
        self.as_started.as_ref().unwrap_or(&self.spec)
    }

    fn words(&self) -> String {
        self.running_spec().resources.iter().map(|resource| resource.word.as_str()).collect::<Vec<_>>().join(" ")
    }
}
