//! Who may be shot, and who may shoot himself: S8, S9.

use std::time::Duration;

use crate::cluster::{Event, ExitReason, Report, Status};
use crate::time::Mono;
use crate::wire::{Kind, field};

use super::super::{Intervention, NotesFault, Observed, SimulatedPair, Start};
use super::{Promise, Said, Snapshot};

/// What was said before a reset has arrived by then.
const ECHOES: Duration = Duration::from_secs(3);

/// What each node's last word was.
#[derive(Clone, Debug, Default)]
pub(super) struct Fences {
    /// The generation in which a node left in order or was shot, as the other node heard; until it is heard again.
    gone: [Option<(u64, Mono)>; 2],
    /// The generation of each node that the other last heard.
    heard: [u64; 2],
    waiting: Said,
}

impl Fences {
    /// Something reaches the core of `node`.
    pub(super) fn hear(&mut self, node: usize, event: &Event, now: Mono) {
        let Event::Message { message, .. } = event else { return };
        let (speaker, generation) = (1 - node, message.hex(field::HG).unwrap_or(0));
        match message.kind() {
            Kind::ShutDone => self.gone[speaker] = Some((generation, now)),
            Kind::Status => {
                self.heard[speaker] = self.heard[speaker].max(generation);
                // In the same generation, or one that went back, it is an echo, unless it goes on speaking.
                let comes_back = |gone: u64, since: Mono| generation > gone || now.since(since) > ECHOES;
                self.gone[speaker] = self.gone[speaker].filter(|(gone, since)| !comes_back(*gone, *since));
            }
            _ => {}
        }
    }

    /// A machine that is switched on again knows nothing of what was before.
    pub(super) fn on_power_off(&mut self, node: usize) {
        self.gone[1 - node] = None;
    }

    pub(super) fn on_exit(&mut self, pair: &SimulatedPair, node: usize, reason: &ExitReason) {
        let resource = match reason {
            ExitReason::Stopped => {
                self.gone[1 - node] = None;
                // It has stopped everything; whoever could hear it knows that. Who dies again and again goes without a word.
                let leaves = pair.hosts[node].asked_to_leave || pair.view(node).is_some_and(|view| view.leaving);
                let empty = leaves && pair.hosts[node].running.is_empty();
                let heard = pair.reaches(node)
                    && pair.is_awake(1 - node, true, Mono::ZERO)
                    && pair.hosts[1 - node].cluster.is_some();
                if empty && heard && pair.is_uncut() {
                    let generation = pair.last_status[node].as_ref().and_then(|status| status.hex(field::HG));
                    self.gone[node] = generation.map(|generation| (generation, pair.now));
                }
                return;
            }
            ExitReason::Upgrade => return,
            ExitReason::Reboot { resource } | ExitReason::ToBeFenced { resource } => resource,
        };
        let other = &pair.hosts[1 - node];
        // Of a death that is not a deadtime old nobody knows.
        let seems_alive = pair.now.since(other.said.0) < pair.in_force(node).deadtime + pair.in_force(node).keepalive;
        // Nor does who has not joined yet know anything of the other.
        let me = pair.view(node).and_then(|view| view.nodes.into_iter().find(|node| node.is_me));
        let knows = me.is_some_and(|me| me.status == Status::Active);
        let other_lives = other.cluster.is_some() || other.manual.is_some() || seems_alive || !knows;
        let whole = |group: &&crate::haresources::ResourceGroup| {
            group.resources.iter().all(|r| pair.hosts[node].running.contains(&r.word))
                && !group.resources.iter().any(|r| r.to_string() == *resource || r.word == *resource)
        };
        let served: Vec<&str> = pair.hosts[node].groups.iter().filter(whole).map(|group| group.key()).collect();
        let leaving = pair.hosts[node].asked_to_leave || pair.view(node).is_some_and(|view| view.leaving);
        if !other_lives && !leaving && !served.is_empty() {
            let what = format!(
                "{} resets itself because {resource} does not stop, and nobody is there to take {}",
                pair.name(node),
                served.join(", ")
            );
            self.waiting.push((Promise::S9, format!("{node}"), what));
        }
    }

    pub(super) fn look(&mut self, snapshot: &Snapshot<'_>, said: &mut Said) {
        said.append(&mut self.waiting);
        for observation in snapshot.observations {
            let Some(node) = observation.node else { continue };
            // Who was away for long, or does not know that he was there, may have missed that the other came back; and the last
            // note may have been that the other was gone.
            if matches!(
                &observation.what,
                Observed::Intervention(
                    Intervention::Starts(Start::Fresh | Start::WithoutNotes | Start::TooLate)
                        | Intervention::Notes(NotesFault::Old)
                )
            ) {
                self.gone[1 - node] = None;
            }
            if matches!(&observation.what, Observed::Said(Report::NodeReset { .. })) {
                // Known, and written down, only by now.
                self.gone[1 - node] = Some((self.heard[1 - node], observation.at));
            }
            if !matches!(observation.what, Observed::Fenced { .. }) || snapshot.pair.hosts[node].original.is_some() {
                continue;
            }
            let victim = 1 - node;
            if self.gone[victim].is_some() {
                let what = format!(
                    "{} fences {}, which had left in order or was fenced, and has not been heard since",
                    snapshot.name(node),
                    snapshot.name(victim)
                );
                said.push((Promise::S8, format!("{victim}"), what));
            }
        }
    }
}
