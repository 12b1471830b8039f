//! The hand-over of `resources.md` 4.2: `me`, `other`, `done`, `done`, with its refusals and its patience of ten seconds
//! and of an hour. The set is in the giver's words throughout.

use std::time::Duration;

use crate::wire::{Kind, Message, field};

use super::stage::Stage;
use super::{Hold, Original};

const REPLY_WAIT: Duration = Duration::from_secs(10);
const WORK_WAIT: Duration = Duration::from_secs(3600);

/// Where a hand-over stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standby {
    Not,
    Me,
    Other,
    Done,
}

impl Original {
    /// A step, from the other or come round from itself.
    pub(super) fn on_ask(&mut self, message: &Message, own: bool) {
        if self.is_legacy() {
            return self.log("Standby mode only implemented when nice_failback on");
        }
        let info = message.get(field::INFO).unwrap_or_default();
        let set = message.get(field::RSC_HOLD).unwrap_or("all").to_owned();
        let from = if own { self.settings.me.clone() } else { self.other.clone() };
        if self.stage == Stage::Shutdown {
            return;
        }
        if self.standby_deadline.is_some() && info == "me" {
            return self.log(format!("WARN: Standby in progress- new request from {from} ignored"));
        }
        if self.standby == Standby::Not && !self.other_stable {
            return self.log(format!("WARN: standby message [{info}] from {from} ignored.  Other side is in flux."));
        }
        if self.standby == Standby::Not && self.stage != Stage::Stable {
            return self.log(format!("WARN: standby message [{info}] from {from} ignored.  local resources in flux."));
        }
        match (info, self.standby, own) {
            ("me", Standby::Not, _) => self.begin_standby(&set, own),
            ("other", Standby::Me, false) => self.give_for_standby(&set),
            ("other", Standby::Other, true) => {}
            ("done", Standby::Me, true) => {
                self.log(format!("Local standby process completed [{set}]."));
                (self.standby, self.standby_deadline) = (Standby::Done, Some(self.now.mono + WORK_WAIT));
            }
            ("done", Standby::Other, false) => {
                self.log(format!("standby: acquire [{set}] resources from {from}"));
                self.standby = Standby::Done;
                let held = Hold::from_text(&set).unwrap_or(Hold::NONE);
                self.take_for_standby(held.inverted(), Some(&set));
            }
            ("done", Standby::Done, _) => self.end_standby(&set, own),
            _ => self.log(format!("ERROR: Ignored standby message '{info}' from {from} in state {:?}", self.standby)),
        }
    }

    fn begin_standby(&mut self, set: &str, own: bool) {
        let who = if own { &self.settings.me } else { &self.other };
        self.log(format!("{who} wants to go standby [{set}]"));
        self.other_stable = false;
        let (state, wait) = if own { (Standby::Me, REPLY_WAIT) } else { (Standby::Other, WORK_WAIT) };
        (self.standby, self.standby_deadline) = (state, Some(self.now.mono + wait));
        if !own {
            let answer = Message::new(&Kind::AskResources).with(field::RSC_HOLD, set);
            self.send(answer.with(field::INFO, "other"));
        }
    }

    /// Step 3: the other is willing.
    fn give_for_standby(&mut self, set: &str) {
        self.log(format!("standby: {} can take our {set} resources", self.other));
        let held = Hold::from_text(set).unwrap_or(Hold::NONE);
        self.standby_deadline = Some(self.now.mono + WORK_WAIT);
        self.other_stable = false;
        self.mine = self.mine.without(held);
        self.say_claim(false, Some("standby"));
        self.work_to_give(held, set);
    }

    fn end_standby(&mut self, set: &str, own: bool) {
        (self.standby, self.standby_deadline) = (Standby::Not, None);
        if own {
            self.log(format!("Standby resource acquisition done [{set}]."));
            let taken = Hold::from_text(set).unwrap_or(Hold::NONE).inverted();
            self.mine = self.mine.with(taken);
        } else {
            self.log(format!("Other node completed standby takeover of {set} resources."));
        }
        self.say_claim(true, None);
    }

    /// Whenever a message is handled, own heartbeats included.
    pub(super) fn look_at_standby(&mut self) {
        if self.standby_deadline.is_some_and(|at| at < self.now.mono) {
            self.log("No reply to standby request.  Standby request cancelled.");
            (self.standby, self.standby_deadline) = (Standby::Not, None);
            self.other_stable = true;
        }
    }
}
