//! What two Latidos tell each other of themselves: how each sees the cables, what failed there, and whether the files
//! agree. In a message of our own kind, sent to a Latido only, a second after something changed; nothing is ever decided
//! by it.

use std::time::Duration;

use crate::names::NodeName;
use crate::time::Mono;
use crate::wire::{Kind, Message, field};

use super::timer::Timer;
use super::{Cluster, GroupState, PeerFacts};

/// `t=` of the message.
pub(super) const KIND: &str = "latido";
const LINKS: &str = "links";
const FAILED: &str = "failed";
const TIMING: &str = "timing";
const KEY: &str = "key";
const PROGRAM: &str = "program";

const PAUSE: Duration = Duration::from_secs(1);
/// What a peer says is shown to people: no more of it than they would read.
const LONGEST: usize = 400;

/// Something that [`Cluster::facts`] is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fact {
    Link(bool),
    FailedSince(Option<Mono>),
}

/// Both directions.
#[derive(Debug, Default)]
pub(super) struct FactExchange {
    said: Option<String>,
    /// What the last look was about; the words are put together only when it changed.
    facts: Option<Vec<Fact>>,
    due: Option<Mono>,
    pub(super) heard: Option<PeerFacts>,
}

impl FactExchange {
    /// What our files say has changed.
    pub(super) fn look_again(&mut self) {
        self.facts = None;
    }

    /// A new life of the peer knows nothing of us, and we nothing of it.
    pub(super) fn forget(&mut self) {
        self.said = None;
        self.facts = None;
        self.heard = None;
    }
}

impl Cluster {
    /// Tells the other Latido what has changed here.
    pub(super) fn tell_own_facts(&mut self) {
        let Some(peer) = self.peer_name().filter(|_| self.peer_is_latido() && self.is_active()) else { return };
        let alive = self.peer_node().is_some_and(super::node::Node::is_alive);
        if !alive || self.leaving.is_ordered() || self.timers.is_set(&Timer::OwnFacts) {
            return;
        }
        // After every event, so nothing is written down to find out that nothing changed.
        if self.facts_exchange.facts.as_ref().is_some_and(|known| self.own_facts().eq(known.iter().copied())) {
            return;
        }
        if self.facts_exchange.due.is_none_or(|due| self.now.mono < due) {
            // Later: what is being agreed on now needs the line.
            let due = self.now.mono + PAUSE;
            self.facts_exchange.due = Some(due);
            return self.timers.set(Timer::OwnFacts, due);
        }
        self.facts_exchange.due = None;
        self.facts_exchange.facts = Some(self.own_facts().collect());
        let message = self.facts_message(&peer);
        let text = message.to_string();
        if self.facts_exchange.said.as_ref() != Some(&text) {
            self.facts_exchange.said = Some(text);
            self.send(message);
        }
    }

    fn own_facts(&self) -> impl Iterator<Item = Fact> {
        let links =
            self.peer_node().into_iter().flat_map(|node| node.links().iter().map(|link| Fact::Link(link.is_up())));
        let failed = |index| match self.groups.state(index) {
            GroupState::Failed | GroupState::Blocked => Some(self.groups.state_since(index)),
            GroupState::Free | GroupState::Starting | GroupState::Held | GroupState::Stopping => None,
        };
        let groups = (0..self.groups.len()).map(move |index| Fact::FailedSince(failed(index)));
        links.chain(groups)
    }

    fn facts_message(&self, peer: &NodeName) -> Message {
        let links = self.peer_node().map_or(String::new(), |node| {
            let word =
                |link: &super::link::Link| format!("{}={}", link.medium(), if link.is_up() { "up" } else { "dead" });
            node.links().iter().map(word).collect::<Vec<_>>().join(" ")
        });
        let failed = self.groups.view(|_| false).into_iter().filter_map(|group| match group.state {
            GroupState::Failed | GroupState::Blocked => {
                Some(format!("{}: {}", group.key, group.failure.unwrap_or_else(|| "failed".to_owned())))
            }
            GroupState::Free | GroupState::Starting | GroupState::Held | GroupState::Stopping => None,
        });
        let failed = failed.collect::<Vec<_>>().join("; ").replace(['\n', '\r'], " ");
        Message::new(&Kind::from_text(KIND))
            .with(field::DEST, peer.as_str())
            .with(LINKS, links)
            .with(FAILED, failed)
            .with(TIMING, self.settings.timing.as_str())
            .with(KEY, self.settings.key.as_str())
            .with(PROGRAM, env!("CARGO_PKG_VERSION"))
    }

    /// The other node told us.
    pub(super) fn on_peer_facts(&mut self, message: &Message) {
        let text = |name: &str| message.get(name).unwrap_or_default().chars().take(LONGEST).collect::<String>();
        let link = |word: &str| word.rsplit_once('=').map(|(name, state)| (name.to_owned(), state == "up"));
        self.facts_exchange.heard = Some(PeerFacts {
            at: self.now.mono,
            links: text(LINKS).split(' ').filter_map(link).collect(),
            failed: text(FAILED).split("; ").filter(|word| !word.is_empty()).map(str::to_owned).collect(),
            timing: text(TIMING),
            key: text(KEY),
            program: text(PROGRAM),
        });
    }

    /// What the two nodes' files say differently, in sentences. Empty when nothing is known to differ.
    pub(super) fn drift(&self) -> Vec<String> {
        let Some(peer) = self.peer_node() else { return Vec::new() };
        let mut sentences = Vec::new();
        if peer.resources_digest().is_some_and(|theirs| *theirs != self.settings.resources_digest) {
            sentences.push(format!("haresources is not the same as on {}", peer.name()));
        }
        let Some(facts) = &self.facts_exchange.heard else { return sentences };
        let ours: Vec<_> = self.settings.timing.split(' ').collect();
        let other = |word: &&str| !ours.contains(word);
        let differing: Vec<_> = facts.timing.split(' ').filter(other).collect();
        if !differing.is_empty() {
            sentences.push(format!("ha.cf of {} says {}", peer.name(), differing.join(" ")));
        }
        if facts.key != self.settings.key && !facts.key.is_empty() {
            sentences.push(format!(
                "{} signs with key {}, this node with {}",
                peer.name(),
                facts.key,
                self.settings.key
            ));
        }
        sentences
    }
}
