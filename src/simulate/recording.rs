//! What each core of a pair heard and answered, line by line as a daemon records it (`record`): to see whether a record
//! leads to the same again.

use crate::cluster::{Action, Birth, Event};
use crate::record::{Life, event_line};

use super::Pair;

/// One line of a node's record.
#[derive(Clone, Debug, PartialEq)]
pub struct Taped {
    /// As a daemon writes it.
    pub line: Vec<u8>,
    /// What the core asked for; nothing when it was born.
    pub actions: Vec<Action>,
}

impl Pair {
    /// From now on everything is kept; call it before the first start.
    pub fn keep_tapes(&mut self) {
        self.tapes = Some(Default::default());
    }

    /// Everything a node lived through, all its lives.
    pub fn tape(&self, node: usize) -> &[Taped] {
        self.tapes.as_ref().map_or(&[], |tapes| &tapes[node])
    }

    pub(super) fn tape_birth(&mut self, node: usize, birth: &Birth) {
        let now = self.moment_of(node);
        if let Some(tapes) = &mut self.tapes {
            let line = Life::new(&self.settings[node], &self.hosts[node].groups, birth, now).to_line();
            tapes[node].push(Taped { line, actions: Vec::new() });
        }
    }

    /// The event's line, if anybody wants it; it is written before the core takes the event.
    pub(super) fn tape_line(&self, node: usize, event: &Event) -> Option<Vec<u8>> {
        self.tapes.as_ref().map(|_| event_line(self.moment_of(node), event))
    }

    pub(super) fn tape_event(&mut self, node: usize, line: Option<Vec<u8>>, actions: &[Action]) {
        if let (Some(tapes), Some(line)) = (&mut self.tapes, line) {
            tapes[node].push(Taped { line, actions: actions.to_vec() });
        }
    }
}
