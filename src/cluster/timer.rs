//! Reasons to wake, and the table of when.

use std::collections::BTreeMap;

use crate::names::{MediumId, NodeName};
use crate::time::Mono;

/// A reason to wake.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    /// Send our status.
    Keepalive,
    /// This node has been silent for as long as it asked for (`wire.md` 6.3).
    Dead(NodeName),
    /// This node has been silent on this medium for as long.
    LinkDead(NodeName, MediumId),
    /// Ask again for the list of nodes (`wire.md` 4.7).
    ReqNodes,
    /// Another machine with our name may be silent for long enough.
    OwnName,
    /// Ask this node again for what is missing.
    Rexmit(NodeName),
    /// The peer has not said what it holds.
    PeerSilent,
    /// A group that nobody holds is waited for no longer.
    Orphans,
    /// A step of the hand-over is overdue.
    Standby,
    /// What arrived together with the giver's `done` has been heard.
    Take,
    /// A failback that came to nothing is offered again.
    Failback,
    /// The peer has not heard us for too long.
    Deaf,
    /// Say again what we hold.
    Restate,
    /// Nobody confirms the patience we asked for.
    Upgrade,
    /// The peer asked us to take over while we were busy, and waits.
    PendingTake,
    /// A client waits for the outcome of its takeover or hand-over.
    Client,
    /// The pause of this chain is over.
    Pause(u64),
    /// After the partition the peer has not said what it holds.
    PeerWord,
    /// Two owners for a moment: is it still so?
    Conflict,
    /// Ask again with `ip-request`.
    IpRequest,
    /// Try the fencing devices again.
    Fence,
    /// Ask the fencing devices whether they would work.
    FenceCheck,
    /// A failure of this group was long ago.
    Forget(String),
    /// Ask this resource of this group whether it works.
    Monitor(String, usize),
    /// What we told the other Latido of ourselves has changed.
    OwnFacts,
    /// The last moments after `shutdone` are over.
    Linger,
}

/// When to wake for what; one entry per timer.
#[derive(Debug, Default)]
pub(super) struct TimerTable {
    due: BTreeMap<Timer, Mono>,
}

impl TimerTable {
    /// Sets or moves a timer.
    pub(super) fn set(&mut self, timer: Timer, at: Mono) {
        self.due.insert(timer, at);
    }

    /// Sets a timer unless it runs already.
    pub(super) fn set_if_unset(&mut self, timer: Timer, at: Mono) {
        self.due.entry(timer).or_insert(at);
    }

    /// Has a timer that runs ring no earlier than then.
    pub(super) fn postpone(&mut self, timer: &Timer, at: Mono) {
        if let Some(due) = self.due.get_mut(timer) {
            *due = at.max(*due);
        }
    }

    /// Stops a timer; nothing happens when it does not run.
    pub(super) fn stop(&mut self, timer: &Timer) {
        self.due.remove(timer);
    }

    /// Whether a timer runs.
    pub(super) fn is_set(&self, timer: &Timer) -> bool {
        self.due.contains_key(timer)
    }

    /// When a timer rings, if it runs.
    pub(super) fn at(&self, timer: &Timer) -> Option<Mono> {
        self.due.get(timer).copied()
    }

    /// The earliest moment anything is due.
    pub(super) fn next(&self) -> Option<Mono> {
        self.due.values().min().copied()
    }

    /// Takes the earliest timer that is due at `now`, with the moment it was due.
    pub(super) fn take_due(&mut self, now: Mono) -> Option<(Timer, Mono)> {
        let (timer, at) = self.due.iter().filter(|(_, at)| **at <= now).min_by_key(|(_, at)| **at)?;
        let (timer, at) = (timer.clone(), *at);
        self.due.remove(&timer);
        Some((timer, at))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn timers_are_taken_earliest_first_and_once() {
        let mut table = TimerTable::default();
        let at = |ms| Mono::at(Duration::from_millis(ms));
        table.set(Timer::Keepalive, at(20));
        table.set(Timer::ReqNodes, at(10));
        assert_eq!(table.next(), Some(at(10)));
        assert_eq!(table.take_due(at(30)), Some((Timer::ReqNodes, at(10))));
        assert_eq!(table.take_due(at(30)), Some((Timer::Keepalive, at(20))));
        assert_eq!(table.take_due(at(30)), None);
    }
}
