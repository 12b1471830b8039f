//! What each core of a pair heard and answered, line by line as a daemon records it (`record`): to see whether a record
//! leads to the same again.

use crate::cluster::{Action, Event, StartFacts};
use crate::record::{RecordStart, event_line};

use super::SimulatedPair;

/// One line of a node's record.
#[derive(Clone, Debug, PartialEq)]
pub struct RecordedLine {
    /// As a daemon writes it.
    pub line: Vec<u8>,
    /// What the core asked for; nothing when it started.
    pub actions: Vec<Action>,
}

impl SimulatedPair {
    /// From now on everything is kept; call it before the first start.
    pub fn start_recording(&mut self) {
        self.recordings = Some(Default::default());
    }

    /// Everything a node lived through, all its lives.
    pub fn recording(&self, node: usize) -> &[RecordedLine] {
        self.recordings.as_ref().map_or(&[], |recordings| &recordings[node])
    }

    pub(super) fn record_start(&mut self, node: usize, start_facts: &StartFacts) {
        let now = self.moment_of(node);
        if let Some(recordings) = &mut self.recordings {
            let line = RecordStart::new(&self.settings[node], &self.hosts[node].groups, start_facts, now).to_line();
            recordings[node].push(RecordedLine { line, actions: Vec::new() });
        }
    }

    /// The event's line, if anybody wants it; it is written before the core takes the event.
    pub(super) fn line_to_record(&self, node: usize, event: &Event) -> Option<Vec<u8>> {
        self.recordings.as_ref().map(|_| event_line(self.moment_of(node), event))
    }

    pub(super) fn record_event(&mut self, node: usize, line: Option<Vec<u8>>, actions: &[Action]) {
        if let (Some(recordings), Some(line)) = (&mut self.recordings, line) {
            recordings[node].push(RecordedLine { line, actions: actions.to_vec() });
        }
    }
}
