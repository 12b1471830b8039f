//! Who asks whom for a group: `ip-request` in legacy mode, the answers to oneself otherwise (`resources.md` 2.2), and
//! `hb_takeover` (`resources.md` 4.1). All of it is done by jobs.

use crate::wire::{Kind, Message, field};

use super::Original;
use super::worker::{Job, answer};

impl Original {
    /// The returning node wants its group (legacy).
    pub(super) fn on_ip_request(&mut self, message: &Message) {
        if let Some(key) = message.get(field::IPADDR) {
            self.enqueue(Job::GiveAddress(key.to_owned()));
        }
    }

    /// A group is ours to take, whatever `weown` says.
    pub(super) fn on_ip_request_resp(&mut self, message: &Message) {
        let for_me = message.get(field::DEST) == Some(self.settings.me.as_str());
        if let (true, Some("OK"), Some(key), false) =
            (for_me, message.get(field::OK), message.get(field::IPADDR), self.leaving.is_ordered())
        {
            self.enqueue(Job::TakeGroup(key.to_owned()));
        }
    }

    /// The other wants groups: its script runs `hb_standby` here with the set turned round.
    pub(super) fn on_hb_takeover(&mut self, message: &Message) {
        let set = match message.get(field::RSC_HOLD) {
            Some("local") => "foreign",
            Some("foreign") => "local",
            // `failback` is not known to it, and everything moves.
            _ => "all",
        };
        self.enqueue(Job::Standby(set.to_owned()));
    }

    /// `req_resource` found a group that does not run: whom it asks for it.
    pub(super) fn request_for(&self, key: &str) -> Message {
        if self.is_legacy() && !self.peer.is_dead() && self.peer.heard {
            return Message::new(&Kind::IpRequest).with(field::IPADDR, key);
        }
        answer(self.settings.me.as_str(), key, true)
    }
}
