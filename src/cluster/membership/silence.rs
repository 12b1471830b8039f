//! Silence: of a node, of a link, of a medium (`wire.md` 6.3, 6.6), and heartbeats that are late.

use crate::names::{MediumId, NodeName};
use crate::time::Mono;
use crate::wire::{Kind, Message, field};

use super::super::timer::Timer;
use super::super::{Action, Class, Cluster, MediumCondition, Report, Status};
use super::LOSSY_FOR;

impl Cluster {
    /// A node's dead timer rang.
    pub(in crate::cluster) fn on_silence(&mut self, name: &NodeName) {
        let Some(index) = self.nodes.iter().position(|node| node.name() == name) else { return };
        let node = &mut self.nodes[index];
        let latest = node.spare(self.now.mono);
        if self.own_sleep.judge_from() > self.now.mono && self.now.mono < latest {
            self.timers.set(Timer::Dead(name.clone()), self.own_sleep.judge_from().min(latest));
            return;
        }
        node.end_sparing();
        if self.twin_takes_its_place(index) {
            return;
        }
        let node = &mut self.nodes[index];
        node.dies();
        let since = node.last_heard().unwrap_or(Mono::ZERO);
        let is_ping = node.is_ping();
        self.timers.stop(&Timer::Rexmit(name.clone()));
        self.changed();
        self.report(Report::NodeDead { node: name.clone(), silent_for: self.now.mono.since(since) });
        self.notify_status(name, Status::Dead, is_ping);
        self.deliver_held();
        self.free_acked_history();
        if self.peer.is_node(index) {
            self.on_peer_dead();
        }
        self.check_joined();
    }

    pub(in crate::cluster) fn on_link_silence(&mut self, name: &NodeName, medium: &MediumId) {
        let Some(node) = self.nodes.iter_mut().find(|node| node.name() == name) else { return };
        if node.note_silence_on(medium) {
            self.changed();
            self.report(Report::LinkDead { node: name.clone(), medium: medium.clone() });
            self.notify_link(name, medium, "dead");
        }
    }

    pub(super) fn notify_link(&mut self, node: &NodeName, medium: &MediumId, st: &str) {
        let message = Message::new(&Kind::IfStat)
            .with(field::NODE, node.as_str())
            .with(field::IFNAME, medium.as_str())
            .with(field::ST, st);
        self.deliver(Class::Keep, &message);
        self.out.push(Action::Notify(message));
    }

    pub(in crate::cluster) fn on_medium(&mut self, medium: MediumId, condition: MediumCondition) {
        self.changed();
        match condition {
            MediumCondition::Working => {
                if self.members.failed_media.remove(&medium).is_some() {
                    self.report(Report::MediumWorks { medium });
                }
            }
            MediumCondition::Failed(why) => {
                if self.members.failed_media.insert(medium.clone(), why.clone()).is_none() {
                    self.report(Report::MediumFailed { medium, why });
                }
            }
        }
    }

    pub(super) fn note_lateness(&mut self, index: usize, at: Mono) {
        let node = &self.nodes[index];
        let Some(last) = node.last_status_at().filter(|_| node.is_alive()) else { return };
        let interval = at.since(last);
        let node_name = node.name().clone();
        if interval > self.settings.keepalive * 3 / 2 {
            self.sending.beat_faster_until(self.now.mono + self.settings.deadtime * LOSSY_FOR);
        }
        if interval > self.settings.warntime {
            self.report(Report::LateHeartbeat { node: node_name, interval });
        }
    }
}
