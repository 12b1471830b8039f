//! Groups of a `haresources` that was read again (`reconfigure`): kept by key, and forgotten once they are stopped. A
//! line that changed moves nothing: what was started goes down as it was started, what is new on it comes up with it.

use crate::haresources::ResourceGroup;
use crate::time::Mono;

use super::super::{Cluster, GroupState};
use super::{Group, Groups, Wish};

impl Groups {
    /// Takes over a reread file: groups keep their state by key; what is gone is stopped and forgotten later. Returns
    /// for each new index the old one.
    pub(in crate::cluster) fn replace(&mut self, specs: Vec<ResourceGroup>, now: Mono) -> Vec<Option<usize>> {
        let mut old: Vec<Option<Group>> = std::mem::take(&mut self.list).into_iter().map(Some).collect();
        let mut origin = Vec::new();
        for spec in specs.into_iter().filter(|spec| !spec.resources.is_empty()) {
            let found = old.iter().position(|group| group.as_ref().is_some_and(|group| group.spec.key() == spec.key()));
            let mut group = Group::new(spec, now);
            if let Some((at, before)) = found.and_then(|at| Some((at, old[at].take()?))) {
                let runs = before.is_claimed() && !self.queue.contains(&(at, Wish::Acquire));
                let started = before.running_spec().clone();
                group = Group { spec: group.spec, removed: false, ..before };
                if runs {
                    group.keep_as_started(started);
                }
            }
            self.list.push(group);
            origin.push(found);
        }
        for (at, group) in old.into_iter().enumerate() {
            let Some(mut group) = group.filter(Group::is_claimed) else { continue };
            let busy = self.queue.iter().map(|task| task.0).chain(self.running.iter().map(|running| running.index));
            if !busy.into_iter().any(|index| index == at) && self.takes_in(&group) {
                group.state = GroupState::Free;
            }
            self.list.push(Group { removed: true, ..group });
            origin.push(Some(at));
        }
        let moved = |index: usize| origin.iter().position(|from| *from == Some(index));
        self.queue = self.queue.iter().filter_map(|(index, wish)| Some((moved(*index)?, *wish))).collect();
        for running in &mut self.running {
            // What runs is in none of the states that are forgotten.
            running.index = moved(running.index).unwrap_or(running.index);
        }
        origin
    }

    /// Two lines have become one: what the group that is gone runs here belongs to the one that has it now, if that runs
    /// here as well. Whether it was so.
    fn takes_in(&mut self, gone: &Group) -> bool {
        let runs = &gone.running_spec().resources;
        let has = |group: &&mut Group| {
            group.state == GroupState::Held && runs.iter().all(|resource| group.spec.resources.contains(resource))
        };
        let Some(heir) = self.list.iter_mut().find(has).filter(|_| gone.state == GroupState::Held) else {
            return false;
        };
        let before = std::mem::take(&mut heir.as_started).unwrap_or_else(|| heir.spec.clone());
        let mut started = heir.spec.clone();
        started.resources.retain(|resource| before.resources.contains(resource) || runs.contains(resource));
        let more = before.resources.into_iter().filter(|resource| !heir.spec.resources.contains(resource));
        started.resources.extend(more);
        heir.keep_as_started(started);
        true
    }
}

impl Cluster {
    /// Asks for every removed group to be stopped; one that was only waiting for its start is forgotten at once.
    pub(in crate::cluster) fn release_removed(&mut self) {
        for index in 0..self.groups.len() {
            if self.groups.list[index].removed {
                self.groups.want_released(index);
            }
        }
        self.forget_removed();
    }

    pub(super) fn forget_removed(&mut self) {
        let gone = |group: &Group| group.removed && matches!(group.state, GroupState::Free | GroupState::Failed);
        while let Some(index) = self.groups.list.iter().position(gone) {
            let group = self.groups.list.remove(index);
            self.monitors.forget(group.spec.key());
            self.peer.forget_group(index);
            // Nothing is left to be done to it.
            self.groups.queue.retain(|task| task.0 != index);
            let queued = self.groups.queue.iter_mut().map(|task| &mut task.0);
            let running = self.groups.running.iter_mut().map(|running| &mut running.index);
            queued.chain(running).filter(|at| **at > index).for_each(|at| *at = at.saturating_sub(1));
        }
    }
}
