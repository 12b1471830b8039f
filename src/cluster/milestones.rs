//! What is said once it is so: that our own groups are up, that a takeover is complete, that everything has its place for
//! the first time (`resources.md` 1.3, 3.1). Parsers and cron jobs wait for these phrases. The original says them before its
//! scripts have run; here they are true, and a group that failed keeps them back.

use crate::names::NodeName;
use crate::time::Mono;

use super::report::LocalWork;
use super::{AutoFailback, Cluster, GroupState, Report};

/// What is still to be said.
#[derive(Debug, Default)]
pub(super) struct Milestones {
    /// That our own groups are up.
    own: bool,
    /// That what this node had is up here.
    taken_from: Option<NodeName>,
    /// That everything has its place was said in this life.
    initial: bool,
    /// The other node gave us something.
    took: bool,
    /// When we last took over groups.
    last_takeover: Option<Mono>,
}

impl Milestones {
    /// When we last took over groups of a node that died or left.
    pub(super) fn last_takeover(&self) -> Option<Mono> {
        self.last_takeover
    }

    /// The other node has given us something.
    pub(super) fn took(&mut self) {
        self.took = true;
    }
}

impl Cluster {
    /// We know what the other holds, and take what is ours.
    pub(super) fn begins_with_its_own(&mut self) {
        let mut own = (0..self.groups.len()).filter(|index| self.is_own(*index)).peekable();
        let at_home = own.peek().is_some();
        let missing = own.any(|index| self.groups.state(index) == GroupState::Free && !self.is_elsewhere(index));
        match (at_home, missing) {
            (true, true) => self.milestones.own = true,
            (true, false) => self.say_local(LocalWork::None),
            (false, _) => self.say_local(LocalWork::NothingAtHome),
        }
    }

    /// The other node is dead or has left, and something of it is missing here.
    pub(super) fn takes_over_from(&mut self, node: &NodeName) {
        self.milestones.taken_from = Some(node.clone());
        self.milestones.last_takeover = Some(self.now.mono);
        if (0..self.groups.len()).any(|index| self.is_own(index)) {
            self.milestones.own = true;
        } else {
            self.say_local(LocalWork::NothingAtHome);
        }
    }

    /// Whether a group is acquired because its node is dead or has left.
    pub(super) fn is_taken_over(&self, index: usize) -> bool {
        self.is_alone() && self.milestones.taken_from.as_ref() == Some(self.groups.owner(index))
    }

    fn say_local(&mut self, work: LocalWork) {
        self.milestones.own = false;
        self.report(Report::LocalAcquired { work, me: self.settings.me.clone() });
    }

    /// Whether the other node runs it, as far as we know.
    fn is_elsewhere(&self, index: usize) -> bool {
        !self.is_alone() && self.peer.hold(index).may_run()
    }

    /// Says what has come true. Called after every event.
    pub(super) fn tell_milestones(&mut self) {
        if self.leaving.is_ordered() || self.out.has_ended() {
            self.milestones =
                Milestones { initial: true, last_takeover: self.milestones.last_takeover, ..Milestones::default() };
            return;
        }
        if !self.joining.is_settled() || self.groups.is_busy() || !self.settings.manage_resources {
            return;
        }
        if self.milestones.own {
            self.tell_own();
        }
        if let Some(node) = self.milestones.taken_from.take() {
            let states = || (0..self.groups.len()).map(|index| self.groups.state(index));
            if states().all(|state| state == GroupState::Held) {
                self.report(Report::TakeoverComplete { node });
            } else if self.is_alone() && states().any(|state| state == GroupState::Free) {
                self.milestones.taken_from = Some(node);
            }
        }
        if !self.milestones.initial {
            self.tell_initial();
        }
    }

    fn tell_own(&mut self) {
        let own: Vec<usize> = (0..self.groups.len()).filter(|index| self.is_own(*index)).collect();
        if own.iter().all(|index| self.groups.state(*index) == GroupState::Held) {
            self.say_local(LocalWork::Done);
        } else if !own.iter().any(|index| self.groups.state(*index) == GroupState::Free && !self.is_elsewhere(*index)) {
            // It failed, or the other node has it after all: other lines say so.
            self.milestones.own = false;
        }
    }

    fn tell_initial(&mut self) {
        if self.is_handing_over() || self.own_sleep.is_in_doubt() || self.is_fencing() {
            return;
        }
        let mut theirs = false;
        for index in 0..self.groups.len() {
            let there = !self.is_alone() && self.peer.hold(index).is_claimed();
            if self.groups.state(index) != GroupState::Held && !there {
                return;
            }
            theirs |= self.is_own(index) && self.groups.state(index) != GroupState::Held;
        }
        // What is ours comes home first.
        if theirs && self.gives_back() {
            return;
        }
        let how = match () {
            () if self.settings.auto_failback == AutoFailback::Legacy => "req_our_resources",
            () if self.milestones.took => "auto_failback",
            () if theirs => "T_RESOURCES(them)",
            () => "T_RESOURCES(us)",
        };
        self.milestones.initial = true;
        self.report(Report::InitialComplete { how });
    }
}
