//! How soon a message goes out, how long it may be, and who waits while there is no room (`wire.md` 1.4, `api.md` 1.6).
//!
//! What programs on this machine want said waits here, not on a line: heartbeats are never behind more than one of their
//! messages. Each client waits with its next words until the last ones are out, so that nobody takes another's share.

use std::collections::VecDeque;
use std::time::Duration;

use crate::api::ApiEffect;
use crate::cluster::Level;
use crate::config::{Config, MediumSpec};
use crate::link::Urgency;
use crate::names::ClientId;
use crate::time::Mono;
use crate::wire::{Form, Kind, Message, Sequence, Value, field, seal};

use super::Driver;

/// What Latidos tell each other of themselves.
const OURS: &str = "latido";
/// What a UDP packet carries (`wire.md` 1.4).
const DATAGRAM: usize = 65_507;
/// A message so long passes a serial line, however slow.
const SERIAL_LEAST: usize = 1024;
/// While there is no room it is looked for so often.
const LOOK: Duration = Duration::from_millis(20);
/// So many in one go; then the loop looks what else there is.
const AT_ONCE: usize = 16;
/// So many orders of clients within so much time; more would only move groups to and fro.
const MOST_ORDERS: usize = 6;
const ORDERS_WITHIN: Duration = Duration::from_secs(60);
/// Answers to the other node's clients that wait; more are not given.
const MOST_ANSWERS: usize = 512;

/// What waits for room.
#[derive(Debug, Default)]
pub(crate) struct SendQueue {
    /// What is to be done, from the message that has to wait on, and for whom.
    effects: VecDeque<(Option<ClientId>, VecDeque<ApiEffect>)>,
    /// There was no room when it was last looked for.
    is_tight: bool,
    looked_at: Mono,
    /// Said last of those that have a number.
    newest: Sequence,
    /// When clients last had something moved.
    orders: VecDeque<Mono>,
}

impl SendQueue {
    /// Whether nobody may add anything now.
    pub(super) const fn is_tight(&self) -> bool {
        self.is_tight
    }

    /// Adds what somebody wants done; `false` when there are too many already and nobody would miss it.
    pub(crate) fn add(&mut self, client: Option<ClientId>, effects: VecDeque<ApiEffect>, can_be_missed: bool) -> bool {
        if can_be_missed && self.effects.len() >= MOST_ANSWERS {
            return false;
        }
        self.effects.push_back((client, effects));
        true
    }

    /// Whether a client may have something moved now; it counts as done.
    pub(super) fn take_order(&mut self, now: Mono) -> bool {
        while self.orders.front().is_some_and(|at| now.since(*at) >= ORDERS_WITHIN) {
            self.orders.pop_front();
        }
        let may = self.orders.len() < MOST_ORDERS;
        if may {
            self.orders.push_back(now);
        }
        may
    }

    /// Whether anything waits, behind which others have to.
    pub(super) fn has_waiting(&self) -> bool {
        !self.effects.is_empty()
    }

    /// How soon this has to go out.
    pub(crate) fn urgency(&mut self, message: &Message) -> Urgency {
        let kind = message.kind();
        let sequence = message.sequence().filter(|_| !kind.is_unsequenced());
        if sequence.is_some_and(|sequence| sequence <= self.newest) {
            return Urgency::Again;
        }
        self.newest = sequence.unwrap_or(self.newest);
        match kind {
            // The message that says goodbye comes after what was said before it.
            Kind::Status if message.get(field::ST) == Some("dead") => Urgency::Dialogue,
            Kind::Status | Kind::Ack => Urgency::Beat,
            Kind::Rexmit | Kind::NakRexmit => Urgency::Again,
            Kind::Other(t) if t != OURS => Urgency::Talk,
            Kind::NsSt
            | Kind::ReqNodes
            | Kind::RepNodes
            | Kind::Starting
            | Kind::Resource
            | Kind::AskResources
            | Kind::IpRequest
            | Kind::IpRequestResp
            | Kind::Stonith
            | Kind::ShutDone
            | Kind::HbTakeover
            | Kind::IfStat
            | Kind::Other(_) => Urgency::Dialogue,
        }
    }
}

/// The longest message that passes every medium of `ha.cf`, spelled and signed: one that only some could carry would be
/// asked for by the other node for ever. A serial line carries nothing that takes it most of the time between two
/// heartbeats.
pub(crate) fn longest(config: &Config) -> usize {
    let of_line = |(_, baud): (&str, u32)| {
        let bytes = u128::from(baud / 10) * config.settings.keepalive.as_millis() * 3 / 4 / 1000;
        usize::try_from(bytes).unwrap_or(DATAGRAM).clamp(SERIAL_LEAST, DATAGRAM)
    };
    config.media.iter().filter_map(MediumSpec::serial_line).map(of_line).min().unwrap_or(DATAGRAM)
}

/// How long it becomes with the control fields, in the longer of the spellings it may travel in.
pub(crate) fn length(message: &Message, config: &Config) -> usize {
    let mut whole = message.clone();
    let widest = "f".repeat(16);
    for name in [field::SEQ, field::HG, field::TS] {
        whole.set(name, widest.as_str());
    }
    for name in [field::SRC_UUID, field::DEST_UUID] {
        whole.set_value(name, Value::Binary(vec![0xff; 16]));
    }
    whole.set(field::SRC, config.settings.me.as_str());
    whole.set(field::LD, "n/a");
    whole.set(field::TTL, "100");
    let form = Form::for_datagrams(config.netstring);
    [form, Form::Classic].map(|form| seal(&whole, &config.keyring, form).len()).into_iter().max().unwrap_or(0)
}

impl Driver {
    /// Whether this may be said at all; if not, the log says why.
    pub(super) fn may_be_said(&mut self, message: &Message, by: &str) -> bool {
        let (length, longest) = (length(message, &self.config), longest(&self.config));
        if length <= longest {
            return true;
        }
        let kind: String = message.kind().to_string().chars().take(40).collect();
        let text = format!(
            "{by} wants to send a message of type \"{kind}\" of {length} bytes: the media of ha.cf carry at most \
             {longest}. It is not sent"
        );
        self.log_limited("client", "message no medium carries", Level::Warn, text);
        false
    }

    /// Whether there is room for what can wait: on every medium that works, and in what the other node has still to
    /// acknowledge.
    pub(crate) fn has_room(&mut self) -> bool {
        let has_room = !self.api_clients.is_paused() && self.links.has_room();
        (self.send_queue.is_tight, self.send_queue.looked_at) = (!has_room, self.clock.mono());
        has_room
    }

    /// Whether what a client wants said may be said at once.
    pub(crate) fn may_send(&mut self) -> bool {
        !self.send_queue.has_waiting() && self.has_room()
    }

    /// Lets those who wait speak, in turn, while there is room; and looks whether there is.
    pub(super) fn send_waiting(&mut self) {
        for _ in 0..AT_ONCE {
            if !(self.send_queue.is_tight || self.send_queue.has_waiting()) || !self.has_room() {
                return;
            }
            let Some((client, effects)) = self.send_queue.effects.pop_front() else { return };
            self.obey(client, effects, true, true);
        }
    }

    /// When room is to be looked for again.
    pub(super) fn next_look_for_room(&self) -> Option<Mono> {
        let waits = self.send_queue.is_tight || self.send_queue.has_waiting();
        waits.then(|| self.send_queue.looked_at + LOOK)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{OnlyName, Sources};
    use crate::diagnostic::SourceText;
    use crate::names::NodeName;

    #[test]
    fn what_was_said_before_is_said_again_and_waits_for_what_is_new() {
        let mut waiting = SendQueue::default();
        let numbered = |kind: Kind, seq: &str| Message::new(&kind).with(field::SEQ, seq);
        assert_eq!(waiting.urgency(&numbered(Kind::Status, "a")), Urgency::Beat);
        assert_eq!(waiting.urgency(&numbered(Kind::Other("gossip".into()), "b")), Urgency::Talk);
        assert_eq!(waiting.urgency(&numbered(Kind::Status, "a")), Urgency::Again);
        assert_eq!(waiting.urgency(&numbered(Kind::Resource, "c")), Urgency::Dialogue);
        assert_eq!(waiting.urgency(&numbered(Kind::Other(OURS.into()), "d")), Urgency::Dialogue);
        assert_eq!(waiting.urgency(&numbered(Kind::Status, "e").with(field::ST, "dead")), Urgency::Dialogue);
        assert_eq!(waiting.urgency(&Message::new(&Kind::Ack)), Urgency::Beat);
        assert_eq!(waiting.urgency(&Message::new(&Kind::NakRexmit)), Urgency::Again);
    }

    #[test]
    fn what_a_medium_carries_is_counted_with_every_field_and_spelling() {
        let told = |lines: &str| {
            let text = |name: &str, text: String| Some(SourceText::new(name, text));
            let sources = Sources {
                ha_cf: text("ha.cf", format!("deadtime 30\ninitdead 60\n{lines}node alpha beta\nauto_failback on\n")),
                authkeys: text("authkeys", "auth 1\n1 crc\n".to_owned()),
                haresources: text("haresources", String::new()),
                ..Sources::default()
            };
            Config::assemble(&sources, &OnlyName(NodeName::new("alpha").unwrap())).unwrap()
        };
        let udp = told("bcast eth0\n");
        let both = told("keepalive 2\nbaud 19200\nserial /dev/ttyS0\nbcast eth0\n");
        let slow = told("keepalive 200ms\nbaud 9600\nserial /dev/ttyS0\n");
        assert_eq!([&udp, &both, &slow].map(longest), [65_507, 2880, 1024]);
        let gossip = Message::new(&Kind::Other("gossip".into()));
        let mut blob = gossip.clone();
        blob.set_value("x", Value::Binary(vec![0xfe; 49_000]));
        assert!(length(&blob, &udp) > 65_507, "base64 makes it longer");
        assert!(length(&gossip.with("x", "y".repeat(49_000)), &udp) < 50_000);
    }

    #[test]
    fn answers_nobody_misses_are_bounded_and_what_clients_do_is_not_forgotten() {
        let mut waiting = SendQueue::default();
        let added = (0..2000).filter(|_| waiting.add(None, VecDeque::new(), true)).count();
        assert_eq!(added, MOST_ANSWERS);
        assert!(waiting.add(Some(ClientId(1)), VecDeque::new(), false));
    }
}
