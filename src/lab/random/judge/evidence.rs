//! Nothing is called stopped without evidence, nothing healthy is stopped without a cause, nothing a dead daemon began is
//! forgotten: S5, S6, S7.

#![allow(clippy::wildcard_enum_match_arm, reason = "of all facts each reads those that its promises are about")]

use std::collections::BTreeSet;
use std::time::Duration;

use super::super::fact::{Daemon, Fact, Seen};
use super::{BrokenHere, Circumstances};
use crate::haresources::Verb;
use crate::time::Mono;

/// A line is up to a hundredth of a second old, and a script writes it a moment after it was begun.
const LATE: Duration = Duration::from_millis(100);

#[derive(Clone, Debug, Default)]
pub(super) struct Evidence {
    /// What was or may have been running when a core died, and has not been looked at since.
    unaccounted: [BTreeSet<String>; 2],
    /// What was running at the last death of a core and has not been stopped since.
    left_running: [BTreeSet<String>; 2],
    /// Groups that may be stopped.
    causes: [BTreeSet<String>; 2],
    any_cause: [bool; 2],
    journal_full: [bool; 2],
    /// Stops that wait for their cause to be written down.
    unexplained: Vec<Stop>,
}

#[derive(Clone, Debug)]
struct Stop {
    at: Mono,
    node: usize,
    resource: String,
    group: String,
}

impl Evidence {
    /// What is asked about a fact before it counts.
    pub(super) fn before(&mut self, around: &Circumstances<'_>, said: &mut BrokenHere) {
        match &around.timed.fact {
            Fact::Began(node, name, Verb::Start) => self.ask_successor(around, *node, name, said),
            Fact::Began(node, name, Verb::Stop) => self.ask_cause(around, *node, name),
            _ => {}
        }
    }

    pub(super) fn take(&mut self, around: &Circumstances<'_>, said: &mut BrokenHere) {
        match &around.timed.fact {
            Fact::Began(node, name, Verb::Stop | Verb::Status) | Fact::Ended(node, name, _, _) => {
                self.unaccounted[*node].remove(name);
            }
            Fact::Off(node) => {
                self.unaccounted[*node].clear();
                self.left_running[*node].clear();
                self.causes[*node].clear();
                self.any_cause[*node] = false;
                self.unexplained.retain(|stop| stop.node != *node);
            }
            Fact::CoreKilled(node) | Fact::Died(node, _) => {
                let running: BTreeSet<String> = around.may_run.resources(*node).map(|(name, _)| name.clone()).collect();
                self.unaccounted[*node].clone_from(&running);
                self.left_running[*node] = running;
                self.any_cause[*node] = false;
            }
            Fact::Left(node) => ask_farewell(around, *node, said),
            Fact::Status(node, seen) => self.ask_freedom(around, *node, seen, said),
            Fact::Cause(node, group) => {
                match group {
                    Some(group) => drop(self.causes[*node].insert(group.clone())),
                    None => self.any_cause[*node] = true,
                }
                let explained = |stop: &Stop| stop.node == *node && group.as_ref().is_none_or(|g| *g == stop.group);
                self.unexplained.retain(|stop| !explained(stop));
            }
            Fact::Settled(node, Some(group)) => drop(self.causes[*node].remove(group)),
            Fact::JournalFull(node, full) => {
                self.journal_full[*node] = *full;
                self.unexplained.retain(|stop| stop.node != *node);
            }
            Fact::Settled(node, None) => self.any_cause[*node] = false,
            _ => {}
        }
        for node in [0, 1] {
            self.left_running[node].retain(|name| around.may_run.run(node, name).is_some());
        }
        self.ask_unexplained(around, said);
    }

    /// A group that its node calls free may not run there.
    fn ask_freedom(&self, around: &Circumstances<'_>, node: usize, seen: &Seen, said: &mut BrokenHere) {
        for (key, state) in seen.groups.iter().filter(|(_, state)| state == "free" || state == "failed") {
            let Some(group) = around.bounds.groups.iter().find(|group| group.key == *key) else { continue };
            for name in &group.resources {
                let Some(run) = around.may_run.run(node, name) else { continue };
                // What began while it was asked it could not know.
                if run.since + LATE > seen.asked {
                    continue;
                }
                let promise = if self.left_running[node].contains(name) { "S7" } else { "S5" };
                let what = format!(
                    "{} calls group {key} {state}, but {name} was started there at {} and nothing shows that it is \
                     stopped",
                    around.name(node),
                    run.since
                );
                said.push((promise, format!("{node} {name} {}", run.number), what));
            }
        }
    }

    /// A successor looks after what is there before it starts anything else.
    fn ask_successor(&self, around: &Circumstances<'_>, node: usize, name: &str, said: &mut BrokenHere) {
        let others: Vec<&str> =
            self.unaccounted[node].iter().map(String::as_str).filter(|other| *other != name).collect();
        // What the predecessor had started itself is not new: each group is looked after by itself.
        if others.is_empty() || self.left_running[node].contains(name) || !around.is_ours(node) {
            return;
        }
        let what = format!(
            "{} starts {name} while nobody has looked after what its dead predecessor had started: {}",
            around.name(node),
            others.join(", ")
        );
        said.push(("S7", format!("{node} {name} {}", around.timed.at), what));
    }

    fn ask_cause(&mut self, around: &Circumstances<'_>, node: usize, name: &str) {
        let healthy = around.may_run.run(node, name).is_some_and(|run| run.is_up);
        let Some(group) = around.group_of(name) else { return };
        let caused = self.any_cause[node] || self.journal_full[node] || self.causes[node].contains(&group.key);
        if healthy && !caused && around.is_ours(node) {
            let stop = Stop { at: around.timed.at, node, resource: name.to_owned(), group: group.key.clone() };
            self.unexplained.push(stop);
        }
    }

    /// A cause is written down by another thread than the one that stops.
    fn ask_unexplained(&mut self, around: &Circumstances<'_>, said: &mut BrokenHere) {
        self.unexplained.retain(|stop| {
            if around.timed.at.since(stop.at) < LATE {
                return true;
            }
            let (name, resource) = (around.name(stop.node), &stop.resource);
            let what = format!("{name} stops {resource} of group {}, which works, without any cause", stop.group);
            said.push(("S6", format!("{} {resource} {}", stop.node, stop.at), what));
            false
        });
    }
}

/// Who leaves in order leaves nothing behind.
fn ask_farewell(around: &Circumstances<'_>, node: usize, said: &mut BrokenHere) {
    let left: Vec<&str> = around.may_run.resources(node).map(|(name, _)| name.as_str()).collect();
    if !left.is_empty() && around.is_ours(node) && around.clocks.things.daemons[node] != Daemon::Off {
        let what = format!("{} has left in order, and {} may run there", around.name(node), left.join(", "));
        said.push(("S7", format!("{node} left {}", around.timed.at), what));
    }
}
