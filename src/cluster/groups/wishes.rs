//! What is wanted of each group, and what waits for its turn.
//!
//! A wish changes the state of its group at once and queues what is to be done; `lanes` does it.

use super::super::GroupState;
use super::{Doubt, Groups};

/// Something to be done to a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    Acquire,
    /// Go on with a start that a predecessor may have begun.
    Resume,
    Release,
    /// Stop it at once, whatever else is being stopped: the peer runs it too.
    LetGo,
    /// It ran before our own death: see that it still does.
    Check,
    /// Stop it: it does not work here.
    GiveUp,
    /// Stop and start it from this resource to its end.
    Restart(usize),
}

impl Wish {
    pub(super) const fn is_downward(self) -> bool {
        matches!(self, Wish::Release | Wish::LetGo | Wish::GiveUp)
    }
}

impl Groups {
    /// Asks for a free group; nothing happens to one in any other state, nor while what it shares with a group that is
    /// gone from the file is being stopped: it would be found running, and stopped after that.
    pub(in crate::cluster) fn want_acquired(&mut self, index: usize) {
        let group = &self.list[index];
        let waits = self.list.iter().any(|other| other.removed && other.shares_with(group));
        if group.state == GroupState::Free && !group.removed && !waits {
            self.list[index].state = GroupState::Starting;
            self.queue.push_back((index, Wish::Acquire));
        }
    }

    /// Takes a free group that was found running for one that a predecessor had begun to start.
    pub(in crate::cluster) fn want_resumed(&mut self, index: usize) {
        if self.list[index].state == GroupState::Free {
            self.list[index].state = GroupState::Starting;
            self.list[index].doubt = Doubt::Inherited;
            self.queue.push_back((index, Wish::Resume));
        }
    }

    /// Asks for a free group to be stopped all the same: nothing shows that it is.
    pub(in crate::cluster) fn want_cleaned(&mut self, index: usize) {
        if self.list[index].state == GroupState::Free {
            self.list[index].state = GroupState::Stopping;
            // Whoever else has it keeps it.
            self.list[index].doubt = Doubt::Overslept;
            self.queue.push_back((index, Wish::Release));
        }
    }

    /// Asks for a group to be stopped, whatever it does now.
    pub(in crate::cluster) fn want_released(&mut self, index: usize) {
        self.want_down(index, Wish::Release);
    }

    /// Asks for a group to be stopped before and beside all others.
    pub(in crate::cluster) fn want_let_go(&mut self, index: usize) {
        self.want_down(index, Wish::LetGo);
    }

    /// Asks for a held group to be stopped because it does not work here.
    pub(in crate::cluster) fn want_given_up(&mut self, index: usize, why: String) {
        if self.list[index].state == GroupState::Held {
            self.want_down(index, Wish::GiveUp);
            self.list[index].failure = Some(why);
        }
    }

    /// Asks for a held group to be stopped and started from this resource to its end.
    pub(in crate::cluster) fn want_restarted(&mut self, index: usize, from: usize) {
        if self.list[index].state == GroupState::Held {
            self.list[index].state = GroupState::Starting;
            self.queue.push_back((index, Wish::Restart(from)));
        }
    }

    /// Asks for a held group to be looked at: what of it does not run is started.
    pub(in crate::cluster) fn want_checked(&mut self, index: usize) {
        if self.list[index].state == GroupState::Held && !self.is_at_work(index) {
            self.queue.push_back((index, Wish::Check));
        }
    }

    /// Whether anything is done to a group, or waits for its turn.
    pub(in crate::cluster) fn is_at_work(&self, index: usize) -> bool {
        self.queue.iter().any(|task| task.0 == index) || self.running.iter().any(|running| running.index == index)
    }

    /// Asks for a blocked group to be stopped once more.
    pub(in crate::cluster) fn want_unblocked(&mut self, index: usize) {
        if self.list[index].state == GroupState::Blocked {
            self.list[index].state = GroupState::Held;
            self.want_down(index, Wish::Release);
        }
    }

    fn want_down(&mut self, index: usize, wish: Wish) {
        match self.list[index].state {
            GroupState::Held => {
                self.queue.retain(|task| *task != (index, Wish::Check));
                self.list[index].state = GroupState::Stopping;
                self.queue.push_back((index, wish));
            }
            GroupState::Starting => {
                let queued = |task: &(usize, Wish)| task.0 == index && !task.1.is_downward();
                if let Some(at) = self.queue.iter().position(queued) {
                    // What waits for a restart runs.
                    let runs = self.queue.remove(at).is_some_and(|task| task.1 != Wish::Acquire);
                    self.list[index].state = if runs { GroupState::Stopping } else { GroupState::Free };
                    if runs {
                        self.queue.push_back((index, wish));
                    }
                } else if let Some(running) = self.running.iter_mut().find(|running| running.index == index) {
                    running.chain.abort();
                    self.list[index].state = GroupState::Stopping;
                }
            }
            GroupState::Stopping => {
                if let Some(task) = self.queue.iter_mut().find(|task| **task == (index, Wish::Release)) {
                    task.1 = wish;
                }
            }
            GroupState::Free | GroupState::Failed | GroupState::Blocked => {}
        }
    }

    /// The first task in the queue that need not wait: starts wait for starts, stops for stops, letting go for nothing.
    /// Before we may start anything only what goes down is taken.
    /// What the peer may have taken without our knowing goes on starting only when it `knows`, what the peer holds.
    pub(super) fn take_next(&mut self, may_start: bool, knows: bool) -> Option<(usize, Wish)> {
        let runs = |wish: fn(Wish) -> bool| self.running.iter().any(|running| wish(running.wish));
        let up = runs(|wish| matches!(wish, Wish::Acquire | Wish::Resume | Wish::Restart(_)));
        let down = runs(|wish| matches!(wish, Wish::Release | Wish::GiveUp));
        let waits = |doubt: Doubt| doubt == Doubt::Inherited || doubt == Doubt::Overslept && !knows;
        let at = self.queue.iter().position(|(index, wish)| {
            let free = !self.running.iter().any(|running| running.index == *index);
            free && match wish {
                Wish::Acquire | Wish::Resume if waits(self.list[*index].doubt) => false,
                Wish::Acquire | Wish::Resume | Wish::Restart(_) => !up && may_start,
                Wish::Release | Wish::GiveUp => !down,
                Wish::LetGo | Wish::Check => true,
            }
        })?;
        self.queue.remove(at)
    }
}
