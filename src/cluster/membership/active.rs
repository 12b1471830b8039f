//! What we say of ourselves, from the first word to being active: every node was heard or is dead, and one of them has said
//! who belongs to the cluster (`wire.md` 6.2, 4.7).

use std::time::Duration;

use crate::names::NodeName;
use crate::wire::{Kind, Message, field};

use super::super::timer::Timer;
use super::super::{Cluster, Report, Status};

/// After so many unanswered `reqnodes`, one a second, we go on without: whoever is alive but never answers must not
/// keep us from serving.
const REQNODES_TRIES: u32 = 5;
/// Of the list of another node, so many letters are told.
const LONGEST_LIST: usize = 400;

impl Cluster {
    /// Changes what we say of ourselves and says it.
    pub(in crate::cluster) fn set_local_status(&mut self, status: Status) {
        self.members.local_status = status;
        self.changed();
        if status != Status::Init {
            self.report(Report::LocalStatus(status));
        }
        self.send_status();
    }

    /// Once every node was heard or is dead we ask one for the list of nodes, and are active when it answers
    /// (`wire.md` 6.2). Ping nodes are not waited for: they decide nothing about resources.
    pub(in crate::cluster) fn check_joined(&mut self) {
        if self.members.local_status != Status::Up || self.leaving.is_ordered() || self.waits_for_own_name() {
            return;
        }
        let others = || self.nodes.iter().filter(|node| !node.is_ping());
        if others().any(|node| !node.was_heard() && !node.is_dead()) {
            return;
        }
        let somebody_alive = others().any(|node| node.is_alive() && node.acks());
        if !somebody_alive || self.members.reqnodes_sent >= REQNODES_TRIES {
            self.timers.stop(&Timer::ReqNodes);
            self.become_active();
        } else if !self.timers.is_set(&Timer::ReqNodes) {
            self.ask_for_nodes();
        }
    }

    pub(in crate::cluster) fn ask_for_nodes(&mut self) {
        if self.members.local_status != Status::Up {
            return;
        }
        if self.members.reqnodes_sent >= REQNODES_TRIES {
            return self.check_joined();
        }
        let Some(node) = self.nodes.iter().find(|node| !node.is_ping() && node.is_alive()) else {
            return self.check_joined();
        };
        let name = node.name().clone();
        self.members.reqnodes_sent = self.members.reqnodes_sent.saturating_add(1);
        self.timers.set(Timer::ReqNodes, self.now.mono + Duration::from_secs(1));
        self.send_to(&name, Message::new(&Kind::ReqNodes));
    }

    pub(super) fn on_reqnodes(&mut self, index: usize) {
        let list: String = self.settings.nodes.iter().map(|node| format!("{node} ")).collect();
        let name = self.nodes[index].name().clone();
        // In the original's order, here and with whatever else has a `dest`.
        let answer = Message::empty().with(field::DEST, name.as_str()).with(field::T, Kind::RepNodes.as_str());
        self.send_to(&name, answer.with(field::NODELIST, list).with(field::DELNODELIST, " "));
    }

    pub(super) fn on_repnodes(&mut self, index: usize, message: &Message) {
        let list = message.get(field::NODELIST).unwrap_or("");
        let mut theirs: Vec<&str> = list.split_ascii_whitespace().collect();
        let mut ours: Vec<&str> = self.settings.nodes.iter().map(NodeName::as_str).collect();
        theirs.sort_unstable();
        ours.sort_unstable();
        if theirs != ours {
            let list = theirs.join(" ").chars().take(LONGEST_LIST).collect();
            let node = self.nodes[index].name().clone();
            self.report_once("nodelist".into(), Report::NodeListDiffers { node, list });
        }
        if self.members.local_status == Status::Up && !self.leaving.is_ordered() && !self.waits_for_own_name() {
            self.timers.stop(&Timer::ReqNodes);
            self.become_active();
        }
    }

    fn become_active(&mut self) {
        self.report(Report::CommUp);
        self.set_local_status(Status::Active);
        self.on_active();
    }
}
