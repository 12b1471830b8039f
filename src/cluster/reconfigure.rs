//! A reread `ha.cf` and `haresources` (SIGHUP): what can change in a living node changes, nothing is stopped for it.

use crate::haresources::ResourceGroup;

use super::claims::PeerHold;
use super::{Cluster, Report, Settings};

impl Cluster {
    /// Takes over times, policies and groups. Names, nodes and media stay: they need a restart, which the caller says.
    pub(super) fn on_reconfigure(&mut self, settings: Settings, groups: Vec<ResourceGroup>) {
        if self.leaving.is_ordered() {
            return;
        }
        // What was understood is known better than from the last claim alone.
        let unread = self.peer.detail().cloned().filter(|detail| self.holds_of(detail).is_none());
        let keep = &self.settings;
        self.settings = Settings {
            me: keep.me.clone(),
            nodes: keep.nodes.clone(),
            media: keep.media.clone(),
            manage_resources: keep.manage_resources,
            ..settings
        };
        self.facts_exchange.look_again();
        if !self.settings.manage_resources {
            return;
        }
        let count = groups.len();
        let origin = self.groups.replace(groups, self.now.mono);
        let before = self.peer.holds().to_vec();
        let sides = self.peer.sides();
        let mut holds = Vec::new();
        let fresh: Vec<usize> = (0..origin.len()).filter(|index| origin[*index].is_none()).collect();
        for (index, from) in origin.into_iter().enumerate() {
            // The peer said of whole sides what it holds; a group new to us counts with its side.
            let held = if self.is_own(index) { sides.foreign } else { sides.local };
            let unknown = if held { PeerHold::Yes } else { PeerHold::No };
            holds.push(from.and_then(|at| before.get(at).copied()).unwrap_or(unknown));
        }
        self.peer.regroup(holds);
        // What the peer said by the letters of a file that is ours by now.
        if let Some(holds) = unread.and_then(|detail| self.holds_of(&detail)) {
            self.peer.regroup(holds);
        }
        self.ask_about(&fresh);
        self.groups.forgive_failures();
        self.release_removed();
        self.out.tell_again("digest");
        self.report(Report::Reconfigured { groups: count });
        self.changed();
        self.watch_all();
        self.request_own_groups();
    }

    /// Groups new to us, which the other node may have had in its file for a while: it may be about to take them, because
    /// nobody ran them. It learns that we know them by now, and says what it has.
    fn ask_about(&mut self, fresh: &[usize]) {
        if fresh.is_empty() || !self.peer_is_latido() || self.is_alone() || !self.peer.has_spoken() {
            return;
        }
        for &index in fresh {
            if !self.peer.hold(index).is_claimed() {
                self.peer.note_hold(index, PeerHold::Unknown);
            }
        }
        if let Some(index) = self.peer.index() {
            self.ask_again(index);
        }
    }
}
