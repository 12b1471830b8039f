//! Groups that nobody claims while their home node is well (`resources.md` 2): after a while, and once the other node has
//! said that it does not run them, they are started here.

use std::time::Duration;

use crate::time::Mono;

use super::super::Cluster;
use super::super::timer::Timer;

/// A group that nobody claims while its home node is well is waited for this long.
const ORPHAN_AFTER: Duration = Duration::from_secs(3);

/// How far we are with groups that nobody claims.
#[derive(Debug, Default)]
pub(super) struct Orphans {
    /// Since when a group of the peer's has been claimed by nobody.
    since: Option<Mono>,
    /// Whether nobody runs what nobody seems to run.
    question: Question,
}

/// A question to the other node, of which one thing only is of interest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Question {
    #[default]
    NotAsked,
    Asked,
    Answered,
}

impl Orphans {
    /// The other has said what it holds, after it was asked.
    pub(super) fn answered(&mut self) {
        if self.question == Question::Asked {
            self.question = Question::Answered;
        }
    }

    /// What the other has answered counts no more.
    pub(super) fn forget_answer(&mut self) {
        self.question = Question::NotAsked;
    }
}

impl Cluster {
    /// Begins to wait, or ends it.
    pub(super) fn look_after_orphans(&mut self, any: bool) {
        if any && !self.timers.is_set(&Timer::Orphans) && self.takeover.orphans.since.is_none() {
            self.takeover.orphans.since = Some(self.now.mono);
            self.timers.set(Timer::Orphans, self.now.mono + ORPHAN_AFTER);
        } else if !any {
            self.wait_for_orphans_anew();
        }
    }

    /// Whoever has just begun to live takes what is his by himself.
    pub(in crate::cluster) fn wait_for_orphans_anew(&mut self) {
        self.takeover.orphans.since = None;
        self.takeover.orphans.question = Question::NotAsked;
        self.timers.stop(&Timer::Orphans);
    }

    /// Who has fallen silent meanwhile may have taken it: a Latido is asked first, an original must be heard.
    pub(super) fn orphans_are_confirmed(&mut self) -> bool {
        if !self.peer_is_latido() {
            return self.hears_peer_now();
        }
        let waits = self.takeover.orphans.question == Question::Asked && self.timers.is_set(&Timer::PeerWord);
        if self.takeover.orphans.question != Question::Answered && !waits {
            self.ask_what_it_holds();
            self.takeover.orphans.question = Question::Asked;
        }
        self.takeover.orphans.question == Question::Answered
    }

    pub(super) fn orphans_waited_for(&self) -> bool {
        self.takeover.orphans.since.is_some_and(|since| self.now.mono.since(since) >= ORPHAN_AFTER)
    }
}
