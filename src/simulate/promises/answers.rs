//! Every request is answered, no hand-over lasts for ever (L2); what the peer knows of us becomes true again (L5).

use std::time::Duration;

use super::super::{Deed, Note, What};
use super::calm::Stamp;
use super::{Calm, Promise, Said, Scene, Truth};
use crate::cluster::{AutoFailback, GroupState, GroupView, Request, Response};
use crate::names::ClientId;

/// A claim that was lost is said again within this.
const SAID_AGAIN_WITHIN: Duration = Duration::from_secs(60);
/// An original is waited for so long at each step.
const ORIGINAL_WITHIN: Duration = Duration::from_secs(10);
/// The last message of a dialogue is on its way.
const MARGIN: Duration = Duration::from_secs(2);

/// A request without an answer.
#[derive(Clone, Debug)]
struct Open {
    client: ClientId,
    since: Stamp,
    /// Nothing stands against it.
    lawful: bool,
    /// An original was asked: it is waited for longer.
    original: bool,
}

/// What is waited for.
#[derive(Clone, Debug, Default)]
pub(super) struct Answers {
    open: Vec<Open>,
    /// Answers before this one have been read.
    read: usize,
    /// Told to leave, and has not left.
    leaving: [Option<Stamp>; 2],
    unstable: [Option<Stamp>; 2],
    /// Since when what one node says and what the other knows differ, by the speaker.
    differ: [Option<Stamp>; 2],
    quiet: Option<Stamp>,
}

/// Whether who asked before it may be refused, and truly.
fn stands_against_all(note: &Note) -> bool {
    // Whose clock is set seems to have slept.
    matches!(&note.what, What::Deed(Deed::PowerOff | Deed::AskedToLeave | Deed::Fifo(_) | Deed::ClockSet(_)))
}

impl Answers {
    pub(super) fn look(&mut self, scene: &Scene<'_>, truth: &Truth, calm: &Calm, said: &mut Said) {
        self.follow(scene, calm, said);
        self.ask_answers(scene, calm, said);
        for node in 0..2 {
            self.ask_gone(scene, calm, node, said);
            self.ask_end(scene, truth, calm, node, said);
            self.ask_knowledge(scene, calm, node, said);
        }
        let stable = scene.views.iter().all(|view| view.as_ref().is_some_and(|view| view.stable));
        let quiet = stable && calm.still().is_some() && self.open.is_empty();
        self.quiet = quiet.then(|| self.quiet.unwrap_or(calm.stamp(scene.now)));
    }

    /// An order to leave has reached a core.
    pub(super) fn told_to_leave(&mut self, node: usize, now: Stamp) {
        self.leaving[node].get_or_insert(now);
    }

    fn follow(&mut self, scene: &Scene<'_>, calm: &Calm, said: &mut Said) {
        let now = calm.stamp(scene.now);
        let asks = |note: &&Note| {
            matches!(&note.what, What::Asked(Request::Standby(_) | Request::Takeover(_) | Request::Move(..)))
        };
        let disturbed = scene.notes.iter().any(stands_against_all)
            || !scene.pair.scripts_do_their_work()
            || scene.notes.iter().filter(asks).count() > 1;
        if disturbed {
            self.open.iter_mut().for_each(|open| open.lawful = false);
        }
        for asked in scene.pair.pending_requests() {
            if self.open.iter().all(|open| open.client != asked.client) {
                let alone = self.open.is_empty() && !disturbed;
                let lawful = alone && self.is_lawful(scene, calm, asked.node, &asked.request);
                if !matches!(asked.request, Request::Retry(_) | Request::Bring(_) | Request::Forget(_)) {
                    self.open.iter_mut().for_each(|open| open.lawful = false);
                }
                let original = scene.pair.has_original();
                self.open.push(Open { client: asked.client, since: now, lawful, original });
            }
        }
        let answers = scene.pair.answers_given();
        for answered in answers.get(self.read..).unwrap_or_default() {
            let at = self.open.iter().position(|open| open.client == answered.asked.client);
            let (node, request) = (answered.asked.node, &answered.asked.request);
            let lawful = match at {
                Some(at) => self.open.remove(at).lawful,
                None => self.open.is_empty() && !disturbed && self.is_lawful(scene, calm, node, request),
            };
            let since = answered.asked.since;
            if let (true, Some(Response::Refused(why))) = (lawful, &answered.response)
                && calm.still().is_some_and(|fine| fine.at < since)
                && calm.last_stirred() < since
                && scene.pair.scripts_do_their_work()
            {
                let name = scene.name(node);
                let what = format!("{name} refuses {request:?}, asked at {since} while all was well and quiet: {why}");
                said.push((Promise::L2, format!("refused {since}"), what));
            }
        }
        self.read = answers.len();
        for note in scene.notes {
            // With its notes a daemon that was killed loses the order.
            if let (Some(node), What::Deed(Deed::Left | Deed::PowerOff | Deed::FellSilent | Deed::Notes(_))) =
                (note.node, &note.what)
            {
                self.leaving[node] = None;
            }
        }
    }

    /// A hand-over of something held, between two nodes that have been quiet for long and can both do it.
    fn is_lawful(&self, scene: &Scene<'_>, calm: &Calm, node: usize, request: &Request) -> bool {
        let (giver, set) = match request {
            Request::Standby(set) => (node, *set),
            Request::Takeover(set) => (1 - node, set.inverted()),
            Request::Retry(_) | Request::Move(..) | Request::Bring(_) | Request::Forget(_) => return false,
        };
        let me = scene.name(giver);
        let groups: Vec<_> = scene.views[giver].iter().flat_map(|view| &view.groups).collect();
        let in_set = |group: &&&GroupView| set.contains(group.owner.as_str() == me, &group.key);
        let held = groups.iter().filter(in_set).any(|group| group.state == GroupState::Held);
        let usual = |node: usize| {
            let groups = scene.views[node].iter().flat_map(|view| &view.groups);
            groups.into_iter().all(|group| matches!(group.state, GroupState::Held | GroupState::Free))
        };
        let long = |stamp: Stamp| scene.now.since(stamp.at) > scene.deadtime() * 2 + MARGIN;
        let nice = (0..2).all(|node| scene.mode(node) != AutoFailback::Legacy);
        let busy = scene.pair.scripts_at_work();
        let fine = calm.still().is_some_and(long);
        held && nice && !busy && fine && usual(0) && usual(1) && self.quiet.is_some_and(long)
    }

    fn ask_answers(&self, scene: &Scene<'_>, calm: &Calm, said: &mut Said) {
        for asked in scene.pair.pending_requests() {
            let (name, since) = (scene.name(asked.node), asked.since);
            let open = self.open.iter().find(|open| open.client == asked.client);
            let (Some(open), Some(awake)) = (open, calm.is_awake_since(asked.node)) else { continue };
            let from = open.since.max(awake);
            let original = open.original || scene.pair.has_original();
            if original && scene.pair.scripts_at_work() {
                // It has no limits for scripts.
                continue;
            }
            // Who exchanges his program asked for more patience.
            let borne = scene.other(asked.node).map(|other| other.deadtime);
            let deadtime = scene.deadtime().max(borne.unwrap_or_default());
            let patience = if original { deadtime.max(ORIGINAL_WITHIN) } else { deadtime } * 2;
            if scene.now.since(from.at) > patience + calm.scripts(from) + MARGIN + scene.pair.legs_on_the_way() {
                let what = format!("{name} has not answered {:?} since {since}", asked.request);
                said.push((Promise::L2, format!("open {since}"), what));
            }
        }
    }

    /// Who was told to leave is gone, unless something does not stop.
    fn ask_gone(&mut self, scene: &Scene<'_>, calm: &Calm, node: usize, said: &mut Said) {
        let (Some(told), Some(awake)) = (self.leaving[node], calm.is_awake_since(node)) else { return };
        let blocked = scene.views[node].iter().flat_map(|view| &view.groups).any(|g| g.state == GroupState::Blocked);
        if blocked {
            // It goes on when somebody has helped.
            self.leaving[node] = Some(calm.stamp(scene.now));
        }
        let since = told.max(awake);
        // Who dies on his way out begins his way anew.
        let from = since.at.max(calm.begun(node));
        let late = scene.now.since(from) > scene.deadtime() * 2 + calm.scripts(since) + MARGIN;
        if late && !blocked && scene.views[node].is_some() {
            let what = format!("{} was told to leave at {} and is still there", scene.name(node), told.at);
            said.push((Promise::L2, format!("leave {}", told.at), what));
        }
    }

    /// Nothing is "in transition" for ever.
    fn ask_end(&mut self, scene: &Scene<'_>, truth: &Truth, calm: &Calm, node: usize, said: &mut Said) {
        let view = scene.views[node].as_ref();
        let leaving = scene.views.iter().flatten().any(|view| view.leaving);
        let undecided = view.is_some_and(|view| !view.stable) && !leaving;
        let failing = (0..2).any(|node| {
            let groups = scene.views[node].iter().flat_map(|view| &view.groups);
            groups.into_iter().any(|group| matches!(group.state, GroupState::Failed | GroupState::Blocked))
        });
        let nobody_answers = truth.is_stuck() || scene.pair.hosts.iter().any(|host| host.puppet.is_some());
        let (true, false, false, Some(fine)) = (undecided, failing, nobody_answers, calm.still()) else {
            self.unstable[node] = None;
            return;
        };
        let since = (*self.unstable[node].get_or_insert(calm.stamp(scene.now))).max(fine);
        let from = since.at.max(calm.explained_until(scene));
        if scene.now > from + scene.deadtime() * 2 + calm.scripts(since) + MARGIN + scene.pair.patience_with_originals()
        {
            let what = format!("{} has been in transition since {}", scene.name(node), since.at);
            said.push((Promise::L2, format!("transition {node}"), what));
        }
    }

    /// What `node` holds and what the other node believes it to hold.
    fn ask_knowledge(&mut self, scene: &Scene<'_>, calm: &Calm, node: usize, said: &mut Said) {
        let (Some(mine), Some(theirs)) = (&scene.views[node], &scene.views[1 - node]) else {
            self.differ[node] = None;
            return;
        };
        let nice = (0..2).all(|node| scene.mode(node) != AutoFailback::Legacy);
        let same_file = scene.pair.in_force(0).resources_digest == scene.pair.in_force(1).resources_digest;
        let claimed = |state| !matches!(state, GroupState::Free | GroupState::Failed);
        let wrong = mine.groups.iter().zip(&theirs.groups).find(|(a, b)| claimed(a.state) != b.held_by_peer);
        let active = (0..2).all(|n| scene.pair.hosts[n].cluster.as_ref().is_some_and(|cluster| cluster.is_active()));
        let leaving = mine.leaving || theirs.leaving;
        let (Some((group, _)), true, false, Some(fine)) = (wrong, nice && same_file && active, leaving, calm.still())
        else {
            self.differ[node] = None;
            return;
        };
        let since = (*self.differ[node].get_or_insert(calm.stamp(scene.now))).max(fine).at;
        if scene.now > since + SAID_AGAIN_WITHIN {
            let what = format!(
                "{} has been {} on {} since {since}, and {} still knows nothing of it",
                group.key,
                group.state.as_str(),
                scene.name(node),
                scene.name(1 - node)
            );
            said.push((Promise::L5, format!("{node} {}", group.key), what));
        }
    }
}
