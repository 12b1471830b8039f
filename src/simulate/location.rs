//! Where a group runs at one moment, and whether its clients reach it there.

use std::collections::BTreeSet;

use crate::haresources::ResourceGroup;

/// Where a group runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Location {
    /// On each node: whether all of it runs there.
    pub whole: [bool; 2],
    /// Something of it runs on both.
    pub doubled: bool,
    /// Of each node: its client cable is cut.
    pub cut_off: [bool; 2],
}

impl Location {
    /// Somewhere all of it runs: the service is there.
    pub fn is_up(self) -> bool {
        self.whole[0] || self.whole[1]
    }

    /// Somewhere all of it runs and clients reach it.
    pub fn is_served(self) -> bool {
        self.server().is_some()
    }

    /// The node that serves clients.
    pub(super) fn server(self) -> Option<usize> {
        (0..2).find(|node| self.whole[*node] && !self.cut_off[*node])
    }

    /// All of it on one node and nothing of it on the other, as it should be.
    pub fn is_once(self) -> bool {
        self.is_up() && !self.doubled
    }

    pub(super) fn of(group: &ResourceGroup, running: [&BTreeSet<String>; 2], cut_off: [bool; 2]) -> Location {
        let on = |node: usize, word: &String| running[node].contains(word);
        let words = || group.resources.iter().map(|resource| &resource.word);
        Location {
            whole: [0, 1].map(|node| words().all(|word| on(node, word))),
            doubled: words().any(|word| on(0, word) && on(1, word)),
            cut_off,
        }
    }
}
