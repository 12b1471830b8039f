//! What ipfail does about what it hears (`api.md` 4.2, `resources.md` 8 and 12.2 q). Reads no clock, opens nothing: the
//! program (`cli::ipfail`) and the simulation (`simulate`) obey the same value.
//!
//! The two ipfails of a pair tell each other how many ping nodes they see; who sees fewer gives its resources up. The
//! original compares counts of different moments: when a cable goes, the loss of the link is often known before the loss
//! of the ping nodes behind it, the counts still look equal, and with `auto_failback on` the healthy node gives away what
//! it holds. Here a count that is about to change is neither told nor acted upon before the ping nodes had time to die.

use std::time::Duration;

use crate::time::Mono;
use crate::wire::{Kind, Message, field as wire};

/// Begins its line about a node of the pair or outside it.
pub const NODE_STATUS: &str = "Status update: ";
/// Begins its line about a link.
const LINK_STATUS: &str = "Link Status update: ";
const ASKS: &str = "Asking other side for ping node count.";
const BALANCED: &str = "Ping node count is balanced.";
const NO_TIMER: &str = "No giveup timer to abort.";
/// Its line when it gives resources up.
pub const GIVES_UP: &str = "giveup() called (timeout worked)";

/// Whether a line says what is often so and decides nothing.
pub fn is_minor(line: &str) -> bool {
    [LINK_STATUS, ASKS, NO_TIMER, BALANCED].iter().any(|start| line.starts_with(start))
}

/// The name as which it signs on.
pub const NAME: &str = "ipfail";

/// The names of the pair and its times.
#[derive(Clone, Debug)]
pub struct Settings {
    /// This node.
    pub me: String,
    /// The other one.
    pub peer: String,
    /// The ping nodes.
    pub pings: Vec<String>,
    /// `auto_failback on`
    pub failback: bool,
    /// Between two heartbeats.
    pub keepalive: Duration,
    /// Silence after which a ping node is dead.
    pub deadping: Duration,
}

/// What the daemon says at this moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// How many ping nodes answer.
    pub pings: u32,
    /// `rsc_hold`, or `transition`.
    pub holds: String,
}

/// One thing to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Order {
    /// To the daemon.
    Say(Message),
    /// To the log, as information.
    Log(String),
}

/// What `auto_failback` means to it: whether groups go home by themselves.
///
/// # Errors
/// The sentence for the log: it makes no sense there, and is not to be started again.
pub fn goes_home(auto_failback: Option<&str>) -> Result<bool, String> {
    match auto_failback {
        Some("on" | "yes" | "true" | "y" | "1") => Ok(true),
        Some("off" | "no" | "false" | "n" | "0") => Ok(false),
        Some("legacy") => Err("auto_failback set to incompatible legacy option.".to_owned()),
        other => Err(format!("auto_failback is neither on nor off: {}", other.unwrap_or(""))),
    }
}

/// Why nobody moves anything when a node loses its clients: what is so, and what to write into `ha.cf`; `None` where ipfail
/// would. `respawned` is the user it is started as, and whether `apiauth` lets that one sign on.
pub fn nobody_looks(has_ping: bool, respawned: Option<(&str, bool)>, auto_failback: &str) -> Option<(String, String)> {
    const RESPAWN: &str = "`respawn hacluster /usr/lib/heartbeat/ipfail`";
    let (what, write) = match respawned {
        None if has_ping => ("there is no ipfail in ha.cf".to_owned(), RESPAWN.to_owned()),
        None => ("there is no `ping` and no ipfail in ha.cf".to_owned(), format!("`ping ROUTER` and {RESPAWN}")),
        Some(_) if goes_home(Some(auto_failback)).is_err() => (
            format!("ipfail ends at once with auto_failback {auto_failback}"),
            "`auto_failback on` or `auto_failback off`".to_owned(),
        ),
        Some((user, false)) => {
            (format!("ipfail runs as {user}, whom `apiauth` does not let sign on"), RESPAWN.to_owned())
        }
        Some(_) if !has_ping => ("ipfail has no `ping` host to count".to_owned(), "`ping ROUTER`".to_owned()),
        Some(_) => return None,
    };
    Some((what, format!("write {write} into ha.cf of both nodes")))
}

/// What is given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum WhatToGive {
    All,
    Foreign,
}

#[derive(Clone, Copy, Debug)]
struct GiveUp {
    what: WhatToGive,
    at: Mono,
    /// No longer when resources do not come to rest.
    until: Mono,
    /// With so many ping nodes or more we see as many as the other node.
    enough: u32,
    /// How often it was asked for; what is left then is to see whether it happened.
    asked: u32,
    /// The other node was heard to be willing.
    accepted: bool,
}

/// A request may be refused, or cross one of the other node: what was not taken is asked for again, after twice as long
/// each time.
const AGAIN: Duration = Duration::from_secs(10);
/// Longer than any sensible script; then somebody else has to decide.
const LONGEST_UNREST: Duration = Duration::from_secs(300);

/// What was heard, and what waits.
#[derive(Debug)]
pub struct Decider {
    settings: Settings,
    told: Option<u32>,
    peer_count: Option<u32>,
    give_up: Option<GiveUp>,
    orders: Vec<Order>,
}

impl Decider {
    /// Nothing was heard yet.
    pub fn new(settings: Settings) -> Decider {
        Decider { settings, told: None, peer_count: None, give_up: None, orders: Vec::new() }
    }

    /// When [`Decider::tick`] wants to be called.
    pub fn next_deadline(&self) -> Option<Mono> {
        self.give_up.map(|give_up| give_up.at)
    }

    /// Whether a message is of any interest; for others the daemon need not be asked how things are.
    pub fn concerns(message: &Message) -> bool {
        let t = message.get(wire::T).unwrap_or_default();
        [
            "status",
            "NS_st",
            "ifstat",
            "hbapi-clstat",
            "num_ping_nodes",
            "you_are_dead",
            "abort_giveup",
            "ask_resources",
            "resource",
        ]
        .contains(&t)
    }

    /// Takes a message of the daemon.
    pub fn hear(&mut self, now: Mono, message: &Message, facts: &Facts) -> Vec<Order> {
        let from_peer = message.get(wire::SRC) == Some(self.settings.peer.as_str());
        match message.get(wire::T).unwrap_or_default() {
            "status" | "NS_st" => self.on_status(now, message, facts),
            "ifstat" => self.on_link(now, message, facts),
            "hbapi-clstat" if from_peer && message.get(wire::ST) == Some("join") => self.ask(facts),
            "num_ping_nodes" if from_peer => {
                if let Some(count) = message.decimal("num_ping").and_then(|count| u32::try_from(count).ok()) {
                    self.compare(now, count, facts);
                }
            }
            "you_are_dead" if from_peer => self.on_you_are_dead(now, facts),
            "abort_giveup" if from_peer => self.abort(),
            "ask_resources" if from_peer => self.on_hand_over(message.get(wire::INFO)),
            // The other node has come to rest: what waited for that is due.
            "resource"
                if from_peer && message.get(wire::ISSTABLE) == Some("1") && message.get(wire::INFO).is_none() =>
            {
                self.tick(now, facts).into_iter().for_each(|order| self.orders.push(order));
            }
            _ => {}
        }
        std::mem::take(&mut self.orders)
    }

    /// Does what is due.
    pub fn tick(&mut self, now: Mono, facts: &Facts) -> Vec<Order> {
        let mut orders = std::mem::take(&mut self.orders);
        if let Some(due) = self.give_up.filter(|give_up| give_up.at <= now) {
            self.fire(now, due, facts);
        }
        orders.append(&mut self.orders);
        orders
    }

    /// A word of the hand-over that was asked for: `other`, then `done`. Once that is over whatever is held here was given
    /// back on purpose. A hand-over of the other node's own begins with `me`.
    fn on_hand_over(&mut self, info: Option<&str>) {
        let Some(give_up) = self.give_up.as_mut().filter(|give_up| give_up.asked > 0) else { return };
        match info {
            Some("other") => give_up.accepted = true,
            Some("done") if give_up.accepted => self.give_up = None,
            _ => give_up.accepted = false,
        }
    }

    fn on_status(&mut self, now: Mono, message: &Message, facts: &Facts) {
        let (Some(node), Some(st)) = (message.get(wire::SRC), message.get(wire::ST)) else { return };
        if self.settings.pings.iter().any(|ping| ping == node) {
            self.info(format!("{NODE_STATUS}Node {node} now has status {st}"));
            if st == "dead" {
                self.info(if facts.pings == 0 { "NS: We are dead. :<" } else { "NS: We are still alive!" });
            }
            self.ask_if_changed(now, facts);
        } else if node == self.settings.peer && st == "dead" {
            self.info(format!("{NODE_STATUS}Node {node} now has status {st}"));
            self.give_up = None;
            self.peer_count = None;
        }
    }

    fn on_link(&mut self, now: Mono, message: &Message, facts: &Facts) {
        let (Some(node), Some(link)) = (message.get(wire::NODE), message.get(wire::IFNAME)) else { return };
        let st = message.get(wire::ST).unwrap_or_default();
        self.info(format!("{LINK_STATUS}Link {node}/{link} now has status {st}"));
        self.wait_longer(now);
        // Of any other link nothing is told: ping nodes behind the same cable die a little later, and then they are.
        if self.settings.pings.iter().any(|ping| ping == node) {
            self.ask_if_changed(now, facts);
        }
    }

    /// Ping nodes that a broken cable cut off are known to be dead after so long.
    fn settling(&self) -> Duration {
        self.settings.deadping + self.settings.keepalive * 2
    }

    fn wait_longer(&mut self, now: Mono) {
        let settled = now + self.settling();
        if let Some(give_up) = self.give_up.as_mut().filter(|give_up| give_up.what == WhatToGive::Foreign) {
            give_up.at = settled;
        }
    }

    fn ask_if_changed(&mut self, now: Mono, facts: &Facts) {
        self.wait_longer(now);
        if self.give_up.is_some_and(|give_up| give_up.what == WhatToGive::All && facts.pings >= give_up.enough) {
            self.info("Aborting our giveup.");
            self.give_up = None;
        }
        // The same count twice has an original drop what the first made it begin.
        if self.told != Some(facts.pings) {
            self.ask(facts);
        }
    }

    /// Tells the other side what we count; it compares and answers.
    fn ask(&mut self, facts: &Facts) {
        self.info(ASKS);
        self.told = Some(facts.pings);
        let count = facts.pings.to_string();
        let message = Message::new(&Kind::Other("num_ping_nodes".into()));
        self.say(message.with(wire::SRC, self.settings.me.as_str()).with("num_ping", count));
    }

    fn compare(&mut self, now: Mono, count: u32, facts: &Facts) {
        self.peer_count = Some(count);
        match facts.pings.cmp(&count) {
            std::cmp::Ordering::Greater => {
                self.info("Telling other node that we have more visible ping nodes.");
                self.give_up = None;
                self.say(Message::new(&Kind::Other("you_are_dead".into())));
            }
            std::cmp::Ordering::Less => {
                self.info("Giving up because we have less visible ping nodes.");
                self.arm(now, WhatToGive::All, count);
            }
            std::cmp::Ordering::Equal => self.on_balance(now, facts),
        }
    }

    fn on_balance(&mut self, now: Mono, facts: &Facts) {
        self.info(BALANCED);
        self.give_up = self.give_up.filter(|give_up| give_up.what == WhatToGive::Foreign);
        self.say(Message::new(&Kind::Other("abort_giveup".into())));
        let may_hold_foreign = matches!(facts.holds.as_str(), "foreign" | "all" | "transition");
        if self.settings.failback && may_hold_foreign && self.give_up.is_none() {
            self.arm(now, WhatToGive::Foreign, facts.pings);
        }
    }

    fn on_you_are_dead(&mut self, now: Mono, facts: &Facts) {
        self.info("Giving up because we were told that we have less ping nodes.");
        // Said of the count we told last; with more than that it is no longer true.
        let enough = self.told.unwrap_or(facts.pings).saturating_add(1);
        self.arm(now, WhatToGive::All, enough);
    }

    fn abort(&mut self) {
        match self.give_up.filter(|give_up| give_up.what == WhatToGive::All) {
            Some(_) => {
                self.info("Aborting our giveup.");
                self.give_up = None;
            }
            None => self.info(NO_TIMER),
        }
    }

    /// Whoever lost its ping nodes leaves the other node one more beat to lose them as well.
    fn arm(&mut self, now: Mono, what: WhatToGive, enough: u32) {
        if self.give_up.is_some_and(|give_up| give_up.what == WhatToGive::All) {
            return;
        }
        let delay = match what {
            WhatToGive::All => self.settings.keepalive * 3 / 2,
            WhatToGive::Foreign => self.settling(),
        };
        self.info(format!("Delayed giveup in {:.1} seconds.", delay.as_secs_f64()));
        self.give_up = Some(GiveUp {
            what,
            at: now + delay,
            until: now + delay + LONGEST_UNREST,
            enough,
            asked: 0,
            accepted: false,
        });
    }

    fn fire(&mut self, now: Mono, due: GiveUp, facts: &Facts) {
        let enough = facts.pings >= due.enough;
        let still_true = match due.what {
            WhatToGive::All => !enough,
            WhatToGive::Foreign => enough && self.peer_count == Some(facts.pings),
        };
        if !still_true {
            self.info("What was counted has changed meanwhile: no giveup.");
            self.give_up = None;
            return self.ask_if_changed(now, facts);
        }
        if facts.holds == "transition" && now < due.until {
            self.give_up = Some(GiveUp { at: now + self.settings.keepalive, ..due });
            return;
        }
        self.give_up = None;
        let set = match (due.what, facts.holds.as_str()) {
            (WhatToGive::All, "local" | "foreign" | "all") => "all",
            (WhatToGive::Foreign, "foreign" | "all") => "foreign",
            _ => return self.info(format!("Nothing to give up: this node holds {} resources.", facts.holds)),
        };
        self.info(GIVES_UP);
        let ask = Message::new(&Kind::AskResources).with(wire::RSC_HOLD, set);
        self.orders.push(Order::Say(ask.with(wire::SRC, self.settings.me.as_str()).with(wire::INFO, "me")));
        if due.what == WhatToGive::All {
            let at = now + AGAIN * 2_u32.pow(due.asked.min(5));
            let asked = due.asked.saturating_add(1);
            self.give_up = Some(GiveUp { at, until: at + LONGEST_UNREST, asked, accepted: false, ..due });
        }
    }

    /// To the other node's ipfail alone.
    fn say(&mut self, message: Message) {
        let message = message.with(wire::DEST, self.settings.peer.as_str());
        self.orders.push(Order::Say(message));
    }

    fn info(&mut self, text: impl Into<String>) {
        self.orders.push(Order::Log(text.into()));
    }
}

#[cfg(test)]
mod tests;
