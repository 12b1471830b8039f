//! A life after our own death (`resources.md` 5.3, 12.2 n): what the core writes down of itself, and what its successor
//! on the same machine does with it.
//!
//! ```text
//! Fresh     nothing is known: look whether anything runs that should not, and say so; otherwise a first start
//! Lost      somebody was here since the machine was started, and what he wrote down is gone: as fresh, but what does not
//!           say that it is stopped is stopped before a word is said
//! Crashed   back inside deadtime: what ran is held, asked with `status`, and told to the peer; nothing moves. Whether it
//!           is in time is asked again right before the first word, after the notes were written
//! Late      the peer may have taken everything: leftovers are stopped before a word is said
//! Hopeless  we died again and again: leftovers are stopped and we leave without a word
//! ```
//!
//! Pure: where the notes are kept, and how long we were silent, is the caller's affair.

mod upgrade;

use std::collections::BTreeSet;
use std::time::Duration;

use crate::haresources::{Invocation, Outcome, Resource, ResourceGroup, StatusAnswer, Verb};
use crate::names::{JobId, NodeName};
use crate::time::Mono;
use crate::wire::{Kind, Message, field};

use super::claims::PeerHold;
use super::monitor::CALM;
use super::timer::Timer;
use super::{Action, Cluster, Event, GroupState, Notes, Past, Report, Settings, Silence};

use upgrade::{CONFIRMED_BEATS, Upgrade};

/// The notes are written by what happens in between.
const MOMENT: Duration = Duration::from_millis(1);

/// What is done before the first word, and after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cleaning {
    /// Then we speak.
    Speak,
    /// Then we go.
    Leave,
    /// Then we go without a word: who dies again and again does not know enough to say anything.
    EndSilently,
}

impl Cleaning {
    const fn ends_here(self) -> bool {
        matches!(self, Cleaning::Leave | Cleaning::EndSilently)
    }
}

/// A `status` that only looks whether something runs that should not.
#[derive(Debug)]
struct IdleCheck {
    job: JobId,
    key: String,
    resource: Resource,
}

/// What became of a predecessor and of what it left.
#[derive(Debug, Default)]
pub(super) struct Adoption {
    /// What is done before the first word.
    cleaning: Option<Cleaning>,
    /// Files reread meanwhile.
    reread: Option<Box<(Settings, Vec<ResourceGroup>)>>,
    /// What it ran is held, and goes on.
    adopted: bool,
    /// It was told to leave.
    leaves_again: bool,
    /// When we started and how long nothing was heard of us then, until it is decided whether we are in time.
    speak_by: Option<(Mono, Silence)>,
    notes_written: bool,
    idle_checks: Vec<IdleCheck>,
    /// A predecessor died and nobody knows what it ran.
    notes_lost: bool,
    /// Groups of which that was asked, and which did not say that they are stopped.
    doubtful: BTreeSet<String>,
    last_notes: Option<Notes>,
    /// The program is to be exchanged.
    upgrade: Upgrade,
}

impl Adoption {
    /// For how much longer than usual the others are to bear our silence.
    pub(super) fn patience(&self) -> Duration {
        self.upgrade.patience()
    }

    /// Whether leftovers are being stopped, before a word is said.
    pub(super) fn is_cleaning(&self) -> bool {
        self.cleaning.is_some()
    }

    /// Whether it is being asked what runs here.
    pub(super) fn looks_around(&self) -> bool {
        !self.idle_checks.is_empty()
    }

    /// Whether what is not held is known to be down.
    pub(super) fn knows_what_is_down(&self) -> bool {
        self.idle_checks.is_empty() && self.doubtful.is_empty()
    }

    /// Whether what a predecessor ran is held.
    pub(super) fn goes_on(&self) -> bool {
        self.adopted
    }

    /// A predecessor was told to leave.
    pub(super) fn leave_again(&mut self) {
        self.leaves_again = true;
    }
}

impl Cluster {
    /// Called once, before the first event.
    pub(super) fn take_up(&mut self, past: Past) {
        if !self.settings.manage_resources {
            return;
        }
        self.adoption.notes_lost = match &past {
            Past::Fresh => false,
            Past::Lost => true,
            Past::Crashed(notes) | Past::Late(notes) | Past::Hopeless(notes) => notes.lost,
        };
        match past {
            Past::Fresh | Past::Lost => self.check_idle(),
            Past::Crashed(notes) => self.adopt(notes),
            Past::Late(notes) => {
                // Later than this it may have been started, and left waiting for us, without our hearing it.
                let soon = self.start_facts.silence.is_some_and(|silence| silence.lasted < self.settings.initdead);
                self.peer.remember(notes.peer_gone && soon, None);
                let then = if notes.leaving { Cleaning::Leave } else { Cleaning::Speak };
                self.clean(&notes, then);
            }
            Past::Hopeless(notes) => self.clean(&notes, Cleaning::EndSilently),
        }
    }

    fn adopt(&mut self, notes: Notes) {
        if notes.needs_failback {
            self.failback.need();
        }
        self.groups.adopt(&notes.groups, self.now.mono);
        self.doubt_notes();
        self.report(Report::Adopting { groups: keys(&notes) });
        // Everybody knew everybody a moment ago: no reason for the patience of a first start. Whom the notes call dead may
        // have come back since they were written.
        // Who left or was fenced, and was not heard since, is not fenced (again) because we died.
        self.peer.remember(notes.peer_gone, notes.patience);
        let patience = notes.patience.unwrap_or_default().max(self.settings.deadtime);
        let names: Vec<NodeName> = self.nodes.iter().filter(|node| !node.is_ping()).map(|n| n.name().clone()).collect();
        for name in names {
            self.timers.set(Timer::Dead(name), self.now.mono + patience);
        }
        self.peer.regroup(vec![PeerHold::Unknown; self.groups.len()]);
        self.release_removed();
        self.adoption.adopted = true;
        self.adoption.leaves_again |= notes.leaving;
        self.retry_failures_later();
        self.adoption.speak_by = self.start_facts.silence.map(|silence| (self.now.mono, silence));
        if let Some(handover) = notes.handover {
            self.resume_handover(handover);
        } else if self.groups.doubt_starts() {
            self.own_sleep.come_in_doubt();
        }
    }

    /// What failed before our death is tried again as it would have been.
    fn retry_failures_later(&mut self) {
        for index in 0..self.groups.len() {
            if self.groups.state(index) == GroupState::Failed {
                self.timers.set(Timer::Forget(self.groups.key(index)), self.now.mono + CALM);
            }
        }
    }

    /// Before the first word: the notes are written first, and then it is asked once more whether we are in time. Returns
    /// whether anything else may happen now; what is put off is the first event of a life, a tick.
    pub(super) fn may_speak(&mut self) -> bool {
        let Some((started, silence)) = self.adoption.speak_by else { return true };
        if !std::mem::replace(&mut self.adoption.notes_written, true) {
            self.timers.set(Timer::Keepalive, self.now.mono + MOMENT);
            return false;
        }
        if silence.is_in_time(self.now.mono.since(started)) || self.peer.index().is_none() || self.peer.is_gone() {
            self.adoption.speak_by = None;
            return true;
        }
        self.adoption.speak_by = None;
        self.too_late_after_all();
        true
    }

    /// Writing took so long that the peer may have taken everything: what we meant to keep is stopped first.
    fn too_late_after_all(&mut self) {
        let then = if std::mem::take(&mut self.adoption.leaves_again) { Cleaning::Leave } else { Cleaning::Speak };
        self.adoption.adopted = false;
        self.void_handover();
        for index in 0..self.groups.len() {
            self.groups.want_released(index);
        }
        if self.groups.is_busy() || then == Cleaning::Leave {
            let groups = self.groups.claimed_keys().join(", ");
            self.report(Report::StoppingLeftovers { groups, leaving: then.ends_here() });
            self.begin_cleaning(then);
        }
    }

    fn clean(&mut self, notes: &Notes, then: Cleaning) {
        self.groups.clean(&notes.groups, self.now.mono);
        self.doubt_notes();
        self.peer.regroup(vec![PeerHold::Unknown; self.groups.len()]);
        if !self.groups.is_busy() && then == Cleaning::Speak {
            return;
        }
        self.report(Report::StoppingLeftovers { groups: keys(notes), leaving: then.ends_here() });
        self.begin_cleaning(then);
    }

    fn begin_cleaning(&mut self, then: Cleaning) {
        self.adoption.cleaning = Some(then);
        let names: Vec<NodeName> = self.nodes.iter().map(|node| node.name().clone()).collect();
        names.into_iter().for_each(|name| self.timers.stop(&Timer::Dead(name)));
    }

    /// Whatever others say is not heard before we speak ourselves.
    pub(super) fn handle_while_cleaning(&mut self, event: Event) {
        match event {
            Event::Done { job, outcome } => self.on_script_done(job, &outcome),
            Event::Tick => self.on_tick(),
            Event::Medium { medium, condition } => self.on_medium(medium, condition),
            Event::Request { client, request, by } => self.on_request(client, request, &by),
            Event::Leave => self.adoption.cleaning = Some(Cleaning::Leave),
            // What is being stopped is a matter of the files as they were.
            Event::Reconfigure(fresh) => self.adoption.reread = Some(fresh),
            Event::Upgrade => self.on_upgrade(),
            Event::Message { message, .. } => self.hear_farewell(&message),
            Event::Local(_) => {}
        }
    }

    /// Who says that it leaves, in the life we know or a later one, need not be fenced when it is silent later.
    fn hear_farewell(&mut self, message: &Message) {
        let Some(peer) = self.peer_node() else { return };
        let said = message.get(field::SRC).is_some_and(|src| src.eq_ignore_ascii_case(peer.name().as_str()));
        let is_present = peer.generation().is_some() && message.generation() >= peer.generation();
        if said && message.kind() == Kind::ShutDone && is_present {
            self.peer.note_gone();
        }
    }

    /// Goes on with the leftovers; `true` while there are any.
    pub(super) fn serve_cleaning(&mut self) -> bool {
        let Some(then) = self.adoption.cleaning else { return false };
        self.stop_the_doubtful();
        self.run_next();
        if self.groups.is_busy() || !self.adoption.idle_checks.is_empty() || self.out.has_ended() {
            return true;
        }
        self.adoption.cleaning = None;
        if !self.groups.is_blocked() {
            self.report(Report::LeftoversStopped);
        }
        if then.ends_here() {
            if self.groups.is_blocked() || then == Cleaning::EndSilently {
                self.exit_now();
            } else {
                // Nothing runs here: nobody need fence us, or wait.
                self.farewell();
            }
            return true;
        }
        self.timers.set(Timer::Keepalive, self.now.mono);
        let nodes: Vec<_> = self.nodes.iter().map(|node| (node.name().clone(), node.is_ping())).collect();
        for (name, is_ping) in nodes {
            let patience = match is_ping {
                true => self.settings.deadping,
                false if self.peer.is_gone() => (self.settings.keepalive * CONFIRMED_BEATS).min(self.settings.initdead),
                false => self.settings.initdead,
            };
            self.timers.set(Timer::Dead(name), self.now.mono + patience);
        }
        if let Some((settings, groups)) = self.adoption.reread.take().map(|fresh| *fresh) {
            self.on_reconfigure(settings, groups);
        }
        false
    }

    /// What a predecessor's death interrupted goes on before the peer has been heard.
    pub(super) fn serve_adopted(&mut self) {
        if std::mem::take(&mut self.adoption.leaves_again) && !self.leaving.is_ordered() {
            self.on_leave();
        }
        if self.adoption.adopted || !self.joining.is_settled() {
            // Before that, of all others only what is to go down.
            self.run_next();
        }
    }

    /// While nothing is said, the caller still learns that we are not stuck.
    pub(super) fn beat_silently(&mut self) {
        self.out.push(Action::Alive);
        self.timers.set(Timer::Keepalive, self.now.mono + self.settings.keepalive);
    }

    fn doubt_notes(&mut self) {
        if self.start_facts.doubts_notes {
            self.check_idle();
        }
    }

    /// `verifyallidle`: at a first start nothing of ours should run (`resources.md` 3.2, 5.2).
    fn check_idle(&mut self) {
        for (key, resource) in self.groups.resources_of_what_is_down() {
            let invocation = Invocation { resource: resource.clone(), verb: Verb::Status };
            let job = self.groups.next_job();
            self.adoption.idle_checks.push(IdleCheck { job, key, resource });
            self.out.push(Action::Run { job, invocation, limit: self.settings.script_timeout.status });
        }
    }

    /// Takes the end of such a look; `false` when the job was another.
    pub(super) fn on_idle_check(&mut self, job: JobId, outcome: &Outcome) -> bool {
        let Some(at) = self.adoption.idle_checks.iter().position(|check| check.job == job) else { return false };
        let IdleCheck { key, resource, .. } = self.adoption.idle_checks.remove(at);
        // A group that has moved since is none of this question's business.
        let is_down = |index: &usize| matches!(self.groups.state(*index), GroupState::Free | GroupState::Failed);
        let index = self.groups.find(&key).filter(is_down);
        let (Some(index), told) = (index, outcome.told()) else { return true };
        let is_first = self.groups.resources(index).first() == Some(&resource);
        let joins = !self.joining.has_joined() && !self.leaving.is_ordered() && self.adoption.cleaning.is_none();
        if told == StatusAnswer::Running {
            let agent = resource.agent.clone();
            self.report(Report::RunsAlready { resource: resource.to_string(), agent, group: key.clone() });
            // The notes that call it failed are old.
            self.groups.forgive(index);
            // What is started first runs: a predecessor whose notes are lost may have started all of it.
            if is_first && joins {
                self.take_up_what_runs(index);
                return true;
            }
        }
        // Who leaves says that nothing runs here, whoever started it.
        let stops = self.adoption.adopted || self.adoption.cleaning.is_some() || self.leaving.is_ordered();
        let ran_before = told == StatusAnswer::Running && stops;
        if ran_before || self.adoption.notes_lost && told != StatusAnswer::Stopped {
            self.adoption.doubtful.insert(key);
        }
        true
    }

    /// Takes a group that was found running for one of a predecessor's.
    fn take_up_what_runs(&mut self, index: usize) {
        self.groups.want_resumed(index);
        self.own_sleep.come_in_doubt();
        // Nobody knows any more how it came here: it belongs at home.
        if !self.is_own(index) {
            self.failback.need();
        }
    }

    /// A predecessor may have started these, and nothing shows that they are stopped: that is done before anything is said.
    pub(super) fn stop_the_doubtful(&mut self) {
        if !self.adoption.idle_checks.is_empty() || self.adoption.doubtful.is_empty() {
            return;
        }
        let doubtful = std::mem::take(&mut self.adoption.doubtful);
        let found = doubtful.iter().filter_map(|key| self.groups.find(key));
        let found: Vec<usize> = found.filter(|index| self.groups.state(*index) == GroupState::Free).collect();
        if found.is_empty() {
            return;
        }
        let groups = found.iter().map(|index| self.groups.key(*index)).collect::<Vec<_>>().join(", ");
        self.report(Report::StoppingLeftovers { groups, leaving: self.leaving.is_ordered() });
        found.into_iter().for_each(|index| self.groups.want_cleaned(index));
        self.run_next();
    }

    /// Puts what has changed since the last time in front of everything that is to be done because of it.
    pub(super) fn write_notes(&mut self) {
        if !self.settings.manage_resources {
            return;
        }
        let fresh = Notes {
            groups: Vec::new(),
            leaving: self.leaving.is_ordered()
                || self.adoption.leaves_again
                || self.adoption.cleaning.is_some_and(Cleaning::ends_here),
            needs_failback: self.failback.is_needed(),
            peer_gone: self.peer.is_gone(),
            handover: self.handover_to_note(self.adoption.last_notes.as_ref().and_then(|notes| notes.handover)),
            lost: self.adoption.notes_lost && !(self.adoption.knows_what_is_down()),
            patience: self.peer.patience(),
        };
        let same = |notes: &Notes| {
            let Notes { leaving, needs_failback, peer_gone, handover, lost, patience, ref groups } = *notes;
            (leaving, needs_failback, peer_gone, handover, lost, patience)
                == (fresh.leaving, fresh.needs_failback, fresh.peer_gone, fresh.handover, fresh.lost, fresh.patience)
                && self.groups.match_notes(groups)
        };
        if self.adoption.last_notes.as_ref().is_some_and(same) {
            return;
        }
        let notes = Notes { groups: self.groups.to_notes(), ..fresh };
        self.adoption.last_notes = Some(notes.clone());
        self.out.put_first(Action::WriteNotes(notes));
    }
}

fn keys(notes: &Notes) -> String {
    let claimed = notes.groups.iter().filter(|group| group.is_claimed());
    claimed.filter_map(|group| group.words.first().map(String::as_str)).collect::<Vec<_>>().join(", ")
}
