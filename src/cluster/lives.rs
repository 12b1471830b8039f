//! A node whose own number went back: its `hb_generation` was restored from a backup, or its disk never took the last one.
//!
//! Whatever it says passes for a replay, so it would be called dead while it runs everything. Whoever refuses its words
//! tells it the number it is known by; a node that is not above that number goes on with a greater one, which the other
//! takes for a restart in time. A replay changes nothing: the node it was recorded from is above that number.

use crate::wire::{Generation, Kind, Message, Sequence};

use super::history::SentHistory;
use super::mirror;
use super::shutdown::Leaving;
use super::takeover::Stage;
use super::timer::Timer;
use super::{Action, Cluster, Report, Status};

/// In a message of our own kind: the generation by which its addressee is known, and the number of its last status, hex.
const KNOWS: &str = "knows";
/// What stands at or above this was not counted.
const MOST: Generation = Generation(u64::MAX / 2);

impl Cluster {
    /// The same as [`Cluster::tell_what_is_known`], when what is old may just have been late: not while new words come in.
    pub(super) fn repeats_itself(&mut self, index: usize) {
        let lately =
            self.nodes[index].last_heard.is_some_and(|at| self.now.mono.since(at) < self.settings.keepalive * 3 / 2);
        if !lately || !self.nodes[index].is_alive() {
            self.tell_what_is_known(index);
        }
    }

    /// This node's words were refused as older than what is known of it: it is told how it is known.
    pub(super) fn tell_what_is_known(&mut self, index: usize) {
        let node = &mut self.nodes[index];
        // An original knows no such message; of a node that was not heard yet nobody knows what it is.
        let is_original = node.heard && !node.is_latido;
        let (Some(generation), false) = (node.generation, is_original) else { return };
        let pause = self.settings.keepalive / 2;
        if self.local_status == Status::Init || node.told_known.is_some_and(|at| self.now.mono.since(at) < pause) {
            return;
        }
        node.told_known = Some(self.now.mono);
        let (name, known) = (node.name.clone(), format!("{:x} {:x}", generation.0, node.last_status.0));
        self.send_to(&name, Message::new(&Kind::from_text(mirror::KIND)).with(KNOWS, known));
    }

    /// How the other node knows us; `false` when the message is about something else.
    pub(super) fn on_known_as(&mut self, message: &Message) -> bool {
        let Some(text) = message.get(KNOWS) else { return false };
        let number = |text: &str| u64::from_str_radix(text, 16).ok();
        let known =
            text.split_once(' ').and_then(|(life, last)| Some((Generation(number(life)?), Sequence(number(last)?))));
        if let Some((generation, sequence)) = known
            && (generation, sequence) > (self.birth.generation, self.seq)
            && generation < MOST
        {
            self.live_on_as(Generation(generation.0.saturating_add(1)));
        }
        true
    }

    /// The same life under another number; whoever hears it has heard nothing of this life yet.
    fn live_on_as(&mut self, generation: Generation) {
        let before = std::mem::replace(&mut self.birth.generation, generation);
        self.out.push(Action::LiveOn(generation));
        self.report(Report::LivesOn { before, generation });
        self.seq = Sequence(0);
        self.history = SentHistory::default();
        for node in &mut self.nodes {
            node.acked = Sequence(0);
            node.heard_of_us = 0;
        }
        self.patience_seq = None;
        self.timers.stop(&Timer::Upgrade);
        self.send_status();
        if !self.nice() || !self.settings.manage_resources {
            return;
        }
        match self.leaving {
            Some(Leaving::Done) => self.say_shutdone(),
            Some(Leaving::Releasing | Leaving::Blocked) => self.send_claim(false, Some("shutdown")),
            None if self.stage != Stage::Joining => {
                self.last_claim = None;
                self.ask_what_it_holds();
            }
            None => {}
        }
    }
}
