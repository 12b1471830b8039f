//! One node as reachable over one medium (`wire.md` 6.6): whether it is up, and how regularly heartbeats come in over it.

use crate::names::MediumId;
use crate::time::Mono;
use crate::wire::Sequence;

use super::gaps::Gaps;
use super::{GapsView, LinkView};

/// One node as reachable over one medium.
#[derive(Debug)]
pub(super) struct Link {
    /// Which medium.
    medium: MediumId,
    /// Whether anything was heard within the node's dead time.
    up: bool,
    /// When the last kept or duplicate message came in.
    last_heard: Option<Mono>,
    /// How regularly heartbeats come in over it.
    gaps: Gaps,
    /// The highest number it brought in the node's life: a medium overtakes itself only with what was asked for again.
    newest: Sequence,
}

impl Link {
    /// Nothing was heard over it.
    pub(super) fn new(medium: MediumId) -> Link {
        Link { medium, up: false, last_heard: None, gaps: Gaps::default(), newest: Sequence(0) }
    }

    /// Which medium.
    pub(super) fn medium(&self) -> &MediumId {
        &self.medium
    }

    /// Whether anything was heard within the node's dead time.
    pub(super) fn is_up(&self) -> bool {
        self.up
    }

    /// The highest number it brought in the node's life.
    pub(super) fn newest(&self) -> Sequence {
        self.newest
    }

    /// How regularly heartbeats come in over it.
    pub(super) fn gaps(&self) -> Option<GapsView> {
        self.gaps.view()
    }

    /// It brought this number.
    pub(super) fn note_number(&mut self, sequence: Sequence) {
        self.newest = self.newest.max(sequence);
    }

    /// The node is heard over it; a heartbeat measures it. Whether it came up by that.
    pub(super) fn note_life(&mut self, at: Mono, is_beat: bool) -> bool {
        self.last_heard = self.last_heard.max(Some(at));
        if is_beat {
            self.gaps.heard_at(at);
        }
        !std::mem::replace(&mut self.up, true)
    }

    /// The node is silent on it; whether it was up until now.
    pub(super) fn note_silence(&mut self) -> bool {
        self.break_off_gaps();
        std::mem::replace(&mut self.up, false)
    }

    /// What comes next is no answer to what came last.
    pub(super) fn break_off_gaps(&mut self) {
        self.gaps.break_off();
    }

    /// The node begins a new life.
    pub(super) fn forget_life(&mut self) {
        self.break_off_gaps();
        self.newest = Sequence(0);
    }

    /// The view for people; why its medium fails, if it does.
    pub(super) fn view(&self, now: Mono, failure: Option<String>) -> LinkView {
        LinkView {
            medium: self.medium.clone(),
            up: self.up,
            last_heard: self.last_heard.map(|at| now.since(at)),
            failure,
            gaps: self.gaps(),
        }
    }
}
