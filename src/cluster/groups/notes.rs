//! The groups of a dead predecessor (`adopt`): what is written down of them, and how it is taken up again.

use crate::time::Mono;

use super::super::{GroupState, NotedGroup};
use super::{Doubt, Group, Groups, Wish};

impl Groups {
    /// What a successor must know.
    pub(in crate::cluster) fn to_notes(&self) -> Vec<NotedGroup> {
        self.list.iter().filter(|group| group.state != GroupState::Free).map(Group::to_note).collect()
    }

    /// Whether a successor would be told the same.
    pub(in crate::cluster) fn match_notes(&self, noted: &[NotedGroup]) -> bool {
        let mut held = self.list.iter().filter(|group| group.state != GroupState::Free);
        noted.iter().all(|noted| held.next().is_some_and(|held| held.matches_note(noted))) && held.next().is_none()
    }

    /// Goes on where a predecessor died; a group that is gone from the file is only there to be stopped.
    pub(in crate::cluster) fn adopt(&mut self, noted: &[NotedGroup], now: Mono) {
        for old in noted {
            let Some(index) = self.known_or_removed(old, now) else { continue };
            // Damaged notes name a group twice: the first that is at work counts.
            if self.is_queued(index) {
                continue;
            }
            let group = &mut self.list[index];
            if old.is_claimed() {
                group.keep_as_started(old.spec());
            }
            group.state = old.state;
            group.since_partition = old.since_partition;
            group.offered = old.offered;
            group.failure.clone_from(&old.failure);
            match old.state {
                GroupState::Held => self.queue.push_back((index, Wish::Check)),
                GroupState::Starting => self.queue.push_back((index, Wish::Resume)),
                GroupState::Stopping => {
                    // Whatever it was stopped for: if the other has it, that keeps it.
                    self.list[index].doubt = Doubt::Overslept;
                    self.queue.push_back((index, Wish::Release));
                }
                GroupState::Free | GroupState::Failed | GroupState::Blocked => {}
            }
        }
    }

    /// Stops whatever a predecessor may have left running.
    pub(in crate::cluster) fn clean(&mut self, noted: &[NotedGroup], now: Mono) {
        for old in noted.iter().filter(|old| old.state != GroupState::Failed) {
            if let Some(index) = self.known_or_removed(old, now) {
                if self.is_queued(index) {
                    // Damaged notes name a group twice: whatever either says is stopped.
                    if let Some(started) = &mut self.list[index].as_started {
                        let more = old.spec().resources.into_iter();
                        let more: Vec<_> = more.filter(|resource| !started.resources.contains(resource)).collect();
                        started.resources.extend(more);
                    }
                    continue;
                }
                // As it was started: the file may say something else by now.
                self.list[index].as_started = Some(old.spec());
                self.list[index].state = GroupState::Stopping;
                self.queue.push_back((index, Wish::Release));
            }
        }
    }

    fn is_queued(&self, index: usize) -> bool {
        self.queue.iter().any(|task| task.0 == index)
    }

    fn known_or_removed(&mut self, old: &NotedGroup, now: Mono) -> Option<usize> {
        let spec = old.spec();
        if spec.resources.is_empty() {
            return None;
        }
        if let Some(index) = self.find(spec.key()) {
            return Some(index);
        }
        self.list.push(Group { removed: true, ..Group::new(spec, now) });
        self.list.len().checked_sub(1)
    }
}

impl Group {
    fn to_note(&self) -> NotedGroup {
        NotedGroup {
            owner: self.spec.owner.clone(),
            words: self.running_spec().resources.iter().map(|resource| resource.word.clone()).collect(),
            state: self.state,
            since_partition: self.since_partition,
            offered: self.offered,
            failure: self.failure.clone(),
        }
    }

    /// As [`Group::to_note`], without making anything.
    fn matches_note(&self, noted: &NotedGroup) -> bool {
        let words = self.running_spec().resources.iter().map(|resource| resource.word.as_str());
        self.state == noted.state
            && self.since_partition == noted.since_partition
            && self.offered == noted.offered
            && self.failure == noted.failure
            && self.spec.owner == noted.owner
            && words.eq(noted.words.iter().map(String::as_str))
    }
}
