//! A hand-over with an original survives our own death (`resources.md` 5.3): what is written down of it, and how a successor
//! goes on with it.

use super::super::dialogues::Standby;
use super::super::timer::Timer;
use super::super::{Cluster, Handover};

impl Cluster {
    /// The other side of a hand-over is an original: it knows nothing of our death and waits for an hour.
    pub(in crate::cluster) fn resume_handover(&mut self, handover: Handover) {
        let Handover { giving, set, done, begun, overdue, heard } = handover;
        if let Some(node) = self.peer.index().and_then(|index| self.nodes.get_mut(index)) {
            node.track.resume(heard);
        }
        if overdue {
            let waited_for = if giving { &mut self.hand_over.never_taken } else { &mut self.hand_over.never_given };
            *waited_for = Some(set);
            return;
        }
        self.hand_over.stands = match (giving, done) {
            (true, false) => Standby::Releasing(set),
            (true, true) => Standby::AwaitingTaker(set),
            (false, false) => Standby::Promised(set, begun),
            (false, true) => Standby::Taking(set),
        };
        if giving && !done {
            for index in (0..self.groups.len()).filter(|index| self.in_set(*index, set)).collect::<Vec<_>>() {
                self.groups.want_released(index);
            }
        }
        let within = if begun { self.step_within() } else { self.release_begins_within() };
        self.timers.set(Timer::Standby, self.now.mono + within);
    }

    /// What of the present hand-over a successor must know; `before`: what is written down already.
    pub(in crate::cluster) fn handover_to_note(&self, before: Option<Handover>) -> Option<Handover> {
        let peer = self.peer_node().filter(|node| !node.is_latido())?;
        let heard = peer.track.complete();
        let step = |giving, set, done, begun| Handover { giving, set, done, begun, overdue: false, heard };
        let overdue = |handover| Handover { overdue: true, ..handover };
        let now = match self.hand_over.stands {
            Standby::Releasing(set) => step(true, set, false, true),
            Standby::AwaitingTaker(set) => step(true, set, true, true),
            Standby::Promised(set, begun) => step(false, set, false, begun),
            Standby::Taking(set) => step(false, set, true, true),
            Standby::Not | Standby::Asked(_) => match (self.hand_over.never_taken, self.hand_over.never_given) {
                (Some(set), _) => overdue(step(true, set, true, true)),
                (None, Some(set)) => overdue(step(false, set, false, true)),
                (None, None) => return None,
            },
        };
        // How far it was heard is written down when the dialogue moves on, not with each heartbeat.
        let same = |notes: &Handover| *notes == Handover { heard: notes.heard, ..now };
        Some(before.filter(same).unwrap_or(now))
    }
}
