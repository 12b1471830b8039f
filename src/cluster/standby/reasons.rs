//! Why groups move: what a Latido says with an offer and with a group that failed, so that `latido why` on the taker names
//! the reason of the other (`takeover.md` 4). Nothing is ever decided by it.

use std::collections::BTreeMap;

use crate::names::NodeName;
use crate::wire::Message;

use super::super::{Cluster, GroupState, Report, Set};

/// In an offer, a wish and a claim with failed groups: why, for people.
pub(crate) const WHY: &str = "why";
/// Between the reasons of two groups.
const BETWEEN: &str = "; ";
/// Whoever reads it is in a hurry, and a serial line is slow.
const LONGEST: usize = 200;

/// Why groups move, and why they moved.
#[derive(Debug, Default)]
pub(super) struct Reasons {
    /// Of the present dialogue.
    offer: String,
    /// Of each group that was moved, by its key.
    moved: BTreeMap<String, String>,
    /// Why groups failed on the other node, as its last claim said it, by their keys.
    failed_there: BTreeMap<String, String>,
}

impl Reasons {
    /// Something is offered, from whichever side.
    pub(super) fn offered(&mut self, why: String) {
        self.offer = why;
    }

    /// Why the groups that the present dialogue is about move.
    pub(super) fn of_offer(&self) -> String {
        self.offer.clone()
    }

    /// Why a group was moved, if it was in our life.
    pub(super) fn moved(&self, key: &str) -> Option<&str> {
        self.moved.get(key).map(String::as_str)
    }
}

impl Cluster {
    /// What somebody on this machine asked for, in words.
    pub(in crate::cluster) fn asked_here(&self, by: &str) -> String {
        let by = if by.is_empty() { "somebody" } else { by };
        format!("asked for on {} by {by}", self.settings.me)
    }

    /// What a message of the other says of its reason; an original says none.
    pub(in crate::cluster) fn reason_in(&self, message: &Message) -> String {
        let said = message.get(WHY).map(printable).filter(|said| !said.is_empty());
        said.unwrap_or_else(|| {
            let node = self.peer_name().map_or_else(String::new, |node| node.to_string());
            let what =
                if self.peer_is_latido() { "does not say why" } else { "runs heartbeat, which does not say why" };
            format!("offered by {node}, which {what}")
        })
    }

    /// The groups that failed here and why, as a claim says it; none when nothing failed.
    pub(in crate::cluster) fn failures_in_words(&self) -> Option<String> {
        let words: Vec<String> = (0..self.groups.len())
            .filter(|index| self.groups.state(*index) == GroupState::Failed)
            .filter_map(|index| Some(format!("{}: {}", self.groups.key(index), self.groups.failure(index)?)))
            .collect();
        (!words.is_empty()).then(|| printable(&words.join(BETWEEN)))
    }

    /// What a claim says of the groups that failed there.
    pub(in crate::cluster) fn note_reasons(&mut self, message: &Message) {
        let said = message.get(WHY).map(printable).unwrap_or_default();
        self.hand_over.reasons.failed_there = said
            .split(BETWEEN)
            .filter_map(|part| part.split_once(": "))
            .map(|(key, why)| (key.to_owned(), why.to_owned()))
            .collect();
    }

    /// A group that failed on the other node is started here.
    pub(in crate::cluster) fn report_failed_there(&mut self, index: usize, node: NodeName) {
        let group = self.groups.key(index);
        let why = self
            .hand_over
            .reasons
            .failed_there
            .get(&group)
            .cloned()
            .unwrap_or_else(|| "it does not say why".to_owned());
        self.hand_over.reasons.moved.insert(group.clone(), format!("it failed on {node}: {why}"));
        self.report(Report::FailedThere { group, node, why });
    }

    /// A hand-over of this set has begun, from whichever side: why it is not at home, if it is not.
    pub(in crate::cluster) fn note_move(&mut self, set: Set, why: &str) {
        for index in 0..self.groups.len() {
            if self.in_set(index, set) {
                self.hand_over.reasons.moved.insert(self.groups.key(index), why.to_owned());
            }
        }
    }
}

/// Words of another machine, or of a script: one line, and not too long.
fn printable(text: &str) -> String {
    let one_line: String = text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect();
    crate::printable::line(&one_line).chars().take(LONGEST).collect()
}
