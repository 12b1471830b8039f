//! What is to be done, in order, until the caller takes it; and what is told only once.

use std::collections::BTreeSet;

use super::{Action, Cluster, ExitReason, Report};

/// So many subjects of a kind are known to have been told.
const MOST_TOLD_ONCE: usize = 32;

/// What goes out.
#[derive(Debug, Default)]
pub(super) struct PendingActions {
    actions: Vec<Action>,
    told_once: BTreeSet<String>,
    has_ended: bool,
}

impl PendingActions {
    /// One more thing to do.
    pub(super) fn push(&mut self, action: Action) {
        self.actions.push(action);
    }

    /// Something to do in front of everything else.
    pub(super) fn put_first(&mut self, action: Action) {
        self.actions.insert(0, action);
    }

    /// The last thing to do: nothing follows.
    pub(super) fn end(&mut self, reason: ExitReason) {
        self.push(Action::Exit(reason));
        self.has_ended = true;
    }

    /// Whether the last thing to do was said.
    pub(super) fn has_ended(&self) -> bool {
        self.has_ended
    }

    /// Hands everything over.
    pub(super) fn take(&mut self) -> Vec<Action> {
        std::mem::take(&mut self.actions)
    }

    /// What was told once may be told again: it was otherwise meanwhile.
    pub(super) fn tell_again(&mut self, key: &str) {
        self.told_once.remove(key);
    }

    /// Whether it was not told yet; notes that it is told. The first word of the key is its kind: who invents subjects of one
    /// fills the places of that one, and from then on each is told, which the shell bounds.
    fn is_news(&mut self, key: String) -> bool {
        let kind = key.split(' ').next().unwrap_or_default();
        let of_its_kind = self.told_once.iter().filter(|told| told.split(' ').next() == Some(kind)).count();
        let is_news = !self.told_once.contains(&key);
        if is_news && of_its_kind < MOST_TOLD_ONCE {
            self.told_once.insert(key);
        }
        is_news
    }
}

impl Cluster {
    /// Tells the operator.
    pub(super) fn report(&mut self, report: Report) {
        self.out.push(Action::Report(report));
    }

    /// Reports what could be said a thousand times a second only the first time.
    pub(super) fn report_once(&mut self, key: String, report: Report) {
        if self.out.is_news(key) {
            self.report(report);
        }
    }
}
