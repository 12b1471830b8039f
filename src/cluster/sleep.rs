//! What we do not know because we stood still, or because a predecessor did not say it (`resources.md` 12.2 b): the peer may
//! have what we claim. It is asked before anything is decided.
//!
//! ```text
//! Awake ─stood still, or found something running→ Woken ─all that had arrived was heard→ Asked ─the peer has spoken→ Awake
//! ```

use std::time::Duration;

use crate::time::Mono;

use super::claims::PeerHold;
use super::groups::Doubt;
use super::node::Node;
use super::{Cluster, Report, Settings};

/// We stood still for longer than deadtime, or found running what nobody told us of: the peer may have it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Sleep {
    /// Nothing of the kind.
    #[default]
    Awake,
    /// What arrived meanwhile is being heard.
    Woken,
    /// The peer was asked what it holds.
    Asked,
}

/// Our standing still, and what it leaves in doubt.
#[derive(Debug)]
pub(super) struct OwnSleep {
    sleep: Sleep,
    /// Nobody is called dead before: what was lost while we stood still is our fault.
    judge_from: Mono,
    /// After which of our words it was noticed that we stood still.
    slept_after: Option<Mono>,
}

impl OwnSleep {
    /// Just started.
    pub(super) fn new(now: Mono) -> OwnSleep {
        OwnSleep { sleep: Sleep::Awake, judge_from: now, slept_after: None }
    }

    /// Whether the peer may have what we claim.
    pub(super) fn is_in_doubt(&self) -> bool {
        self.sleep != Sleep::Awake
    }

    /// Whether what had arrived meanwhile is not heard yet.
    pub(super) fn has_just_woken(&self) -> bool {
        self.sleep == Sleep::Woken
    }

    /// Whether the peer was asked and has not answered.
    pub(super) fn has_asked(&self) -> bool {
        self.sleep == Sleep::Asked
    }

    /// Something we claim may be the peer's.
    pub(super) fn come_in_doubt(&mut self) {
        self.sleep = Sleep::Woken;
    }

    /// The peer is being asked, for another reason; whether there was any doubt.
    pub(super) fn ask_as_well(&mut self) -> bool {
        if self.is_in_doubt() {
            self.sleep = Sleep::Asked;
        }
        self.is_in_doubt()
    }

    /// When whoever is silent may be judged.
    pub(super) fn judge_from(&self) -> Mono {
        self.judge_from
    }
}

impl Cluster {
    /// When this process did not run for a while, everything that waited was handed over before this tick; still, what
    /// was lost while we stood still is our fault, so others get a little longer before they are judged
    /// (`resources.md` 12.2 b).
    pub(super) fn notice_own_stall(&mut self) {
        let Some(due) = self.timers.next() else { return };
        let late = self.now.mono.since(due);
        let tolerable = (self.settings.deadtime / 4).max(Duration::from_millis(50));
        if late > tolerable {
            let extra = (self.settings.keepalive * 3 / 2).min(self.settings.deadtime / 2);
            self.own_sleep.judge_from = self.now.mono + extra;
            self.nodes.iter_mut().for_each(Node::break_off_gaps);
            self.report(Report::OwnStall { lost: late });
        }
    }

    /// Seen before anything that waited is heard: it may say that our groups were taken. What counts is for how long nothing
    /// was said, by ear of the other, who may have missed the last beat.
    pub(super) fn notice_sleep(&mut self) {
        let silence = self.sending.said_at().map_or(Duration::ZERO, |at| self.now.mono.since(at));
        let Settings { deadtime, keepalive, .. } = self.settings;
        let deadtime = self.sending.borne(deadtime);
        let nearly_dead = deadtime.saturating_sub(keepalive).max(keepalive * 3 / 2);
        if silence > nearly_dead && self.own_sleep.slept_after != self.sending.said_at() {
            self.own_sleep.slept_after = self.sending.said_at();
            self.overslept();
        }
    }

    /// This process did not run for too long, or the machine was frozen: whatever we hold may have been taken, and what we
    /// promised is forgotten.
    pub(super) fn overslept(&mut self) {
        if self.adoption.is_cleaning() || !self.settings.manage_resources {
            return;
        }
        self.drop_words("this node stood still meanwhile");
        self.hand_over.forget_wish();
        if self.exchanges_claims() {
            self.groups.mark_overslept();
            self.own_sleep.come_in_doubt();
        }
    }

    /// Everything that had arrived while we stood still was heard: now ask what the peer holds.
    pub(super) fn ask_after_sleep(&mut self) {
        if !self.own_sleep.has_just_woken() || !self.joining.has_joined() {
            return;
        }
        self.own_sleep.sleep = Sleep::Asked;
        if !self.leaving.is_ordered() && !self.is_alone() && self.joining.is_settled() {
            self.peer.note_deciding();
            self.ask_what_it_holds();
        } else {
            // Whom we held dead may be about to be heard.
            self.await_word_of_peer();
        }
    }

    /// The peer has said what it holds: what it has we let go, what it has not is ours as before.
    pub(super) fn judge_sleep(&mut self) {
        if !self.own_sleep.has_asked() {
            return;
        }
        self.own_sleep.sleep = Sleep::Awake;
        for index in 0..self.groups.len() {
            match self.groups.doubt(index) {
                Doubt::No => {}
                _ if !self.peer.hold(index).is_claimed() => self.groups.clear_doubt(index),
                // Both stood still, or a clock was set: who took it from the other has served since.
                Doubt::Overslept
                    if self.peer.hold(index) == PeerHold::Overslept && self.groups.has_partition_mark(index) =>
                {
                    self.groups.clear_doubt(index);
                }
                // Of two Latidos the other may have less right to it.
                Doubt::Inherited if self.peer_is_latido() => {}
                Doubt::Inherited | Doubt::Overslept => self.let_go(index),
            }
        }
    }

    /// Nobody is there to have taken anything.
    pub(super) fn forget_sleep(&mut self) {
        self.own_sleep.sleep = Sleep::Awake;
        (0..self.groups.len()).for_each(|index| self.groups.clear_doubt(index));
    }
}
