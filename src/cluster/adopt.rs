//! A life after our own death (`resources.md` 5.3, 12.2 n): what the core writes down of itself, and what its successor
//! on the same machine does with it.
//!
//! ```text
//! Fresh     nothing is known: look whether anything runs that should not, and say so; otherwise a first start
//! Crashed   back inside deadtime: what ran is held, asked with `status`, and told to the peer; nothing moves
//! Late      the peer may have taken everything: leftovers are stopped before a word is said
//! Hopeless  we died again and again: leftovers are stopped and we leave without a word
//! ```
//!
//! Pure: where the notes are kept, and how long we were silent, is the caller's affair.

use std::time::Duration;

use crate::haresources::{Invocation, Outcome, Resource, ResourceGroup, Verb};
use crate::names::{JobId, NodeName};

use super::claims::PeerHold;
use super::timer::Timer;
use super::{Action, Cluster, Event, ExitReason, GroupState, Report, Status};

/// While it exchanges its program a node asks for so much more patience, as the original does.
const UPGRADE_PATIENCE: Duration = Duration::from_secs(30);
/// Of the silence the peer allows us, this part is left for our first message to reach it.
const RESERVE: u32 = 5;

/// What a node writes down for its next life, each time before it acts on it.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Kept {
    /// The groups that are not simply free.
    pub groups: Vec<KeptGroup>,
    /// It was told to leave.
    pub leaving: bool,
    /// The other node had been away and has not got its groups back.
    pub needs_failback: bool,
}

/// One group as it was.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct KeptGroup {
    /// Where it belongs.
    pub owner: NodeName,
    /// Its resources, verbatim, as they were started.
    pub words: Vec<String>,
    /// What it did.
    pub state: GroupState,
    /// Taken over while the peer was silent.
    pub since_partition: bool,
    /// Its failure was answered already.
    pub offered: bool,
    /// Why it failed, if it did; one line.
    pub failure: Option<String>,
}

/// What came before this life.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Past {
    /// Nothing since the machine was started, or an orderly end.
    #[default]
    Fresh,
    /// A death so short ago that the peer does not know of it.
    Crashed(Kept),
    /// A death the peer has noticed, or may have.
    Late(Kept),
    /// One death too many.
    Hopeless(Kept),
}

impl Past {
    /// What the notes of a dead predecessor mean: it was last heard `silent_for` ago and had asked the others to call
    /// it dead after `patience`. `alone`: there is no other node that could have taken anything.
    pub fn judge(kept: Kept, silent_for: Duration, patience: Duration, alone: bool) -> Past {
        let in_time = silent_for < patience - patience / RESERVE;
        if in_time || alone { Past::Crashed(kept) } else { Past::Late(kept) }
    }
}

impl Kept {
    /// Whether anything may run that nobody else may start.
    pub fn claims_anything(&self) -> bool {
        self.groups.iter().any(KeptGroup::is_claimed)
    }
}

impl KeptGroup {
    pub(super) fn is_claimed(&self) -> bool {
        !matches!(self.state, GroupState::Free | GroupState::Failed)
    }

    /// The group as it was written in `haresources`, without a line.
    pub(super) fn spec(&self) -> ResourceGroup {
        let resources = self.words.iter().map(|word| Resource::from_word(word)).collect();
        ResourceGroup { owner: self.owner.clone(), resources, line: 0 }
    }
}

/// What is done before the first word, and after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cleaning {
    /// Then we speak.
    ThenSpeak,
    /// Then we go.
    ThenLeave,
}

/// A `status` that only looks whether something runs that should not.
#[derive(Debug)]
pub(super) struct IdleCheck {
    job: JobId,
    key: String,
    resource: Resource,
}

impl Cluster {
    /// Called once, before the first event.
    pub(super) fn take_up(&mut self, past: Past) {
        if !self.settings.manage_resources {
            return;
        }
        match past {
            Past::Fresh => self.check_idle(),
            Past::Crashed(kept) => self.adopt(kept),
            Past::Late(kept) => self.clean(&kept, Cleaning::ThenSpeak),
            Past::Hopeless(kept) => self.clean(&kept, Cleaning::ThenLeave),
        }
    }

    fn adopt(&mut self, kept: Kept) {
        self.needs_failback = kept.needs_failback;
        self.groups.adopt(&kept.groups, self.now.mono);
        self.report(Report::Adopting { groups: keys(&kept) });
        // Everybody knew everybody a moment ago: no reason for the patience of a first start.
        let names: Vec<NodeName> = self.nodes.iter().filter(|node| !node.is_ping).map(|n| n.name.clone()).collect();
        for name in names {
            self.timers.set(Timer::Dead(name), self.now.mono + self.settings.deadtime);
        }
        self.peer.holds = vec![PeerHold::Unknown; self.groups.len()];
        self.release_removed();
        self.adopted = true;
        self.leaves_again = kept.leaving;
    }

    fn clean(&mut self, kept: &Kept, then: Cleaning) {
        self.groups.clean(&kept.groups, self.now.mono);
        self.peer.holds = vec![PeerHold::Unknown; self.groups.len()];
        if !self.groups.is_busy() && then == Cleaning::ThenSpeak {
            return;
        }
        self.report(Report::StoppingLeftovers { groups: keys(kept), leaving: then == Cleaning::ThenLeave });
        self.cleaning = Some(then);
        let names: Vec<NodeName> = self.nodes.iter().map(|node| node.name.clone()).collect();
        names.into_iter().for_each(|name| self.timers.stop(&Timer::Dead(name)));
    }

    /// Whatever others say is not heard before we speak ourselves.
    pub(super) fn handle_while_cleaning(&mut self, event: Event) {
        match event {
            Event::Done { job, outcome } => self.on_script_done(job, &outcome),
            Event::Tick => self.on_tick(),
            Event::Medium { medium, condition } => self.on_medium(medium, condition),
            Event::Request { client, request } => self.on_request(client, request),
            Event::Leave => self.cleaning = Some(Cleaning::ThenLeave),
            // What is being stopped is a matter of the files as they were.
            Event::Reconfigure(fresh) => self.reread = Some(fresh),
            Event::Upgrade => self.on_upgrade(),
            Event::Message { .. } | Event::Local(_) => {}
        }
    }

    /// Goes on with the leftovers; `true` while there are any.
    pub(super) fn serve_cleaning(&mut self) -> bool {
        let Some(then) = self.cleaning else { return false };
        self.run_next();
        if self.groups.is_busy() || self.exited {
            return true;
        }
        self.cleaning = None;
        if !self.groups.is_blocked() {
            self.report(Report::LeftoversStopped);
        }
        if then == Cleaning::ThenLeave {
            self.exit_now();
            return true;
        }
        self.timers.set(Timer::Keepalive, self.now.mono);
        let nodes: Vec<_> = self.nodes.iter().map(|node| (node.name.clone(), node.is_ping)).collect();
        for (name, is_ping) in nodes {
            let patience = if is_ping { self.settings.deadping } else { self.settings.initdead };
            self.timers.set(Timer::Dead(name), self.now.mono + patience);
        }
        if let Some((settings, groups)) = self.reread.take().map(|fresh| *fresh) {
            self.on_reconfigure(settings, groups);
        }
        false
    }

    /// What a predecessor's death interrupted goes on before the peer has been heard.
    pub(super) fn serve_adopted(&mut self) {
        if std::mem::take(&mut self.leaves_again) && self.leaving.is_none() {
            self.on_leave();
        }
        if self.adopted {
            self.run_next();
        }
    }

    /// While nothing is said, the caller still learns that we are not stuck.
    pub(super) fn beat_silently(&mut self) {
        self.out.push(Action::Alive);
        self.timers.set(Timer::Keepalive, self.now.mono + self.settings.keepalive);
    }

    /// `verifyallidle`: at a first start nothing of ours should run (`resources.md` 3.2, 5.2).
    fn check_idle(&mut self) {
        for (key, resource) in self.groups.free_resources() {
            let invocation = Invocation { resource: resource.clone(), verb: Verb::Status };
            let job = self.groups.next_job();
            self.idle_checks.push(IdleCheck { job, key, resource });
            self.out.push(Action::Run { job, invocation, limit: self.settings.script_timeout.status });
        }
    }

    /// Takes the end of such a look; `false` when the job was another.
    pub(super) fn on_idle_check(&mut self, job: JobId, outcome: &Outcome) -> bool {
        let Some(at) = self.idle_checks.iter().position(|check| check.job == job) else { return false };
        let IdleCheck { key, resource, .. } = self.idle_checks.remove(at);
        // A group that has moved since is none of this question's business.
        let idle = self.groups.find(&key).is_some_and(|index| self.groups.state(index) == GroupState::Free);
        if idle && outcome.says_running() {
            self.report(Report::RunsAlready { resource: resource.to_string(), agent: resource.agent, group: key });
        }
        true
    }

    /// The program is to be exchanged: as soon as nothing is being started, stopped or handed over we end, and our
    /// successor finds everything as it is.
    pub(super) fn on_upgrade(&mut self) {
        if self.leaving.is_none() {
            self.upgrading = true;
        }
    }

    pub(super) fn serve_upgrade(&mut self) {
        if !self.upgrading || self.groups.is_busy() || self.leaving.is_some() || self.is_handing_over() {
            return;
        }
        self.report(Report::Upgrading);
        if self.local_status != Status::Init {
            self.send_status_with(self.settings.deadtime + UPGRADE_PATIENCE);
        }
        for index in 0..self.nodes.len() {
            self.remember(index);
        }
        self.out.push(Action::Exit(ExitReason::Upgrade));
        self.exited = true;
    }

    /// Puts what has changed since the last time in front of everything that is to be done because of it.
    pub(super) fn keep_what_changed(&mut self) {
        if !self.settings.manage_resources {
            return;
        }
        let (leaving, needs_failback) = (self.leaving.is_some() || self.leaves_again, self.needs_failback);
        let same = self.last_kept.as_ref().is_some_and(|kept| {
            kept.leaving == leaving && kept.needs_failback == needs_failback && self.groups.are_kept_as(&kept.groups)
        });
        if same {
            return;
        }
        let kept = Kept { groups: self.groups.to_keep(), leaving, needs_failback };
        self.last_kept = Some(kept.clone());
        self.out.insert(0, Action::Keep(kept));
    }
}

fn keys(kept: &Kept) -> String {
    let claimed = kept.groups.iter().filter(|group| group.is_claimed());
    claimed.filter_map(|group| group.words.first().map(String::as_str)).collect::<Vec<_>>().join(", ")
}
