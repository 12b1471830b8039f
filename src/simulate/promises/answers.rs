//! Every request is answered, no hand-over lasts for ever (L2); what the peer knows of us becomes true again (L5).

use std::time::Duration;

use super::super::{Intervention, Observation, Observed};
use super::calm::Stamp;
use super::{Calm, Promise, Said, Snapshot, Truth};
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
fn stands_against_all(observation: &Observation) -> bool {
    // Whose clock is set seems to have slept.
    matches!(
        &observation.what,
        Observed::Intervention(
            Intervention::PowerOff | Intervention::AskedToLeave | Intervention::Fifo(_) | Intervention::ClockSet(_)
        )
    )
}

impl Answers {
    pub(super) fn look(&mut self, snapshot: &Snapshot<'_>, truth: &Truth, calm: &Calm, said: &mut Said) {
        self.follow(snapshot, calm, said);
        self.ask_answers(snapshot, calm, said);
        for node in 0..2 {
            self.ask_gone(snapshot, calm, node, said);
            self.ask_end(snapshot, truth, calm, node, said);
            self.ask_knowledge(snapshot, calm, node, said);
        }
        let stable = snapshot.views.iter().all(|view| view.as_ref().is_some_and(|view| view.stable));
        let quiet = stable && calm.still().is_some() && self.open.is_empty();
        self.quiet = quiet.then(|| self.quiet.unwrap_or(calm.stamp(snapshot.now)));
    }

    /// An order to leave has reached a core.
    pub(super) fn told_to_leave(&mut self, node: usize, now: Stamp) {
        self.leaving[node].get_or_insert(now);
    }

    fn follow(&mut self, snapshot: &Snapshot<'_>, calm: &Calm, said: &mut Said) {
        let now = calm.stamp(snapshot.now);
        let asks = |observation: &&Observation| {
            matches!(&observation.what, Observed::Asked(Request::Standby(_) | Request::Takeover(_) | Request::Move(..)))
        };
        let disturbed = snapshot.observations.iter().any(stands_against_all)
            || !snapshot.pair.scripts_do_their_work()
            || snapshot.observations.iter().filter(asks).count() > 1;
        if disturbed {
            self.open.iter_mut().for_each(|open| open.lawful = false);
        }
        for asked in snapshot.pair.pending_requests() {
            if self.open.iter().all(|open| open.client != asked.client) {
                let alone = self.open.is_empty() && !disturbed;
                let lawful = alone && self.is_lawful(snapshot, calm, asked.node, &asked.request);
                if !matches!(asked.request, Request::Retry(_) | Request::Bring(_) | Request::Forget(_)) {
                    self.open.iter_mut().for_each(|open| open.lawful = false);
                }
                let original = snapshot.pair.has_original();
                self.open.push(Open { client: asked.client, since: now, lawful, original });
            }
        }
        let answers = snapshot.pair.answers_given();
        for answered in answers.get(self.read..).unwrap_or_default() {
            let at = self.open.iter().position(|open| open.client == answered.asked.client);
            let (node, request) = (answered.asked.node, &answered.asked.request);
            let lawful = match at {
                Some(at) => self.open.remove(at).lawful,
                None => self.open.is_empty() && !disturbed && self.is_lawful(snapshot, calm, node, request),
            };
            let since = answered.asked.since;
            if let (true, Some(Response::Refused(why))) = (lawful, &answered.response)
                && calm.still().is_some_and(|fine| fine.at < since)
                && calm.last_stirred() < since
                && snapshot.pair.scripts_do_their_work()
            {
                let name = snapshot.name(node);
                let what = format!("{name} refuses {request:?}, asked at {since} while all was well and quiet: {why}");
                said.push((Promise::L2, format!("refused {since}"), what));
            }
        }
        self.read = answers.len();
        for observation in snapshot.observations {
            // With its notes a daemon that was killed loses the order.
            if let (
                Some(node),
                Observed::Intervention(
                    Intervention::Left | Intervention::PowerOff | Intervention::FellSilent | Intervention::Notes(_),
                ),
            ) = (observation.node, &observation.what)
            {
                self.leaving[node] = None;
            }
        }
    }

    /// A hand-over of something held, between two nodes that have been quiet for long and can both do it.
    fn is_lawful(&self, snapshot: &Snapshot<'_>, calm: &Calm, node: usize, request: &Request) -> bool {
        let (giver, set) = match request {
            Request::Standby(set) => (node, *set),
            Request::Takeover(set) => (1 - node, set.inverted()),
            Request::Retry(_) | Request::Move(..) | Request::Bring(_) | Request::Forget(_) => return false,
        };
        let me = snapshot.name(giver);
        let groups: Vec<_> = snapshot.views[giver].iter().flat_map(|view| &view.groups).collect();
        let in_set = |group: &&&GroupView| set.contains(group.owner.as_str() == me, &group.key);
        let held = groups.iter().filter(in_set).any(|group| group.state == GroupState::Held);
        let usual = |node: usize| {
            let groups = snapshot.views[node].iter().flat_map(|view| &view.groups);
            groups.into_iter().all(|group| matches!(group.state, GroupState::Held | GroupState::Free))
        };
        let long = |stamp: Stamp| snapshot.now.since(stamp.at) > snapshot.deadtime() * 2 + MARGIN;
        let no_legacy = (0..2).all(|node| snapshot.mode(node) != AutoFailback::Legacy);
        let busy = snapshot.pair.scripts_at_work();
        let fine = calm.still().is_some_and(long);
        held && no_legacy && !busy && fine && usual(0) && usual(1) && self.quiet.is_some_and(long)
    }

    fn ask_answers(&self, snapshot: &Snapshot<'_>, calm: &Calm, said: &mut Said) {
        for asked in snapshot.pair.pending_requests() {
            let (name, since) = (snapshot.name(asked.node), asked.since);
            let open = self.open.iter().find(|open| open.client == asked.client);
            let (Some(open), Some(awake)) = (open, calm.is_awake_since(asked.node)) else { continue };
            let from = open.since.max(awake);
            let original = open.original || snapshot.pair.has_original();
            if original && snapshot.pair.scripts_at_work() {
                // It has no limits for scripts.
                continue;
            }
            // Who exchanges his program asked for more patience.
            let borne = snapshot.other(asked.node).map(|other| other.deadtime);
            let deadtime = snapshot.deadtime().max(borne.unwrap_or_default());
            let patience = if original { deadtime.max(ORIGINAL_WITHIN) } else { deadtime } * 2;
            if snapshot.now.since(from.at) > patience + calm.scripts(from) + MARGIN + snapshot.pair.legs_on_the_way() {
                let what = format!("{name} has not answered {:?} since {since}", asked.request);
                said.push((Promise::L2, format!("open {since}"), what));
            }
        }
    }

    /// Who was told to leave is gone, unless something does not stop.
    fn ask_gone(&mut self, snapshot: &Snapshot<'_>, calm: &Calm, node: usize, said: &mut Said) {
        let (Some(told), Some(awake)) = (self.leaving[node], calm.is_awake_since(node)) else { return };
        let blocked = snapshot.views[node].iter().flat_map(|view| &view.groups).any(|g| g.state == GroupState::Blocked);
        if blocked {
            // It goes on when somebody has helped.
            self.leaving[node] = Some(calm.stamp(snapshot.now));
        }
        let since = told.max(awake);
        // Who dies on his way out begins his way anew.
        let from = since.at.max(calm.begun(node));
        let late = snapshot.now.since(from) > snapshot.deadtime() * 2 + calm.scripts(since) + MARGIN;
        if late && !blocked && snapshot.views[node].is_some() {
            let what = format!("{} was told to leave at {} and is still there", snapshot.name(node), told.at);
            said.push((Promise::L2, format!("leave {}", told.at), what));
        }
    }

    /// Nothing is "in transition" for ever.
    fn ask_end(&mut self, snapshot: &Snapshot<'_>, truth: &Truth, calm: &Calm, node: usize, said: &mut Said) {
        let view = snapshot.views[node].as_ref();
        let leaving = snapshot.views.iter().flatten().any(|view| view.leaving);
        let undecided = view.is_some_and(|view| !view.stable) && !leaving;
        let failing = (0..2).any(|node| {
            let groups = snapshot.views[node].iter().flat_map(|view| &view.groups);
            groups.into_iter().any(|group| matches!(group.state, GroupState::Failed | GroupState::Blocked))
        });
        let nobody_answers = truth.is_stuck() || snapshot.pair.hosts.iter().any(|host| host.manual.is_some());
        let (true, false, false, Some(fine)) = (undecided, failing, nobody_answers, calm.still()) else {
            self.unstable[node] = None;
            return;
        };
        let since = (*self.unstable[node].get_or_insert(calm.stamp(snapshot.now))).max(fine);
        let from = since.at.max(calm.explained_until(snapshot));
        if snapshot.now
            > from + snapshot.deadtime() * 2 + calm.scripts(since) + MARGIN + snapshot.pair.patience_with_originals()
        {
            let what = format!("{} has been in transition since {}", snapshot.name(node), since.at);
            said.push((Promise::L2, format!("transition {node}"), what));
        }
    }

    /// What `node` holds and what the other node believes it to hold.
    fn ask_knowledge(&mut self, snapshot: &Snapshot<'_>, calm: &Calm, node: usize, said: &mut Said) {
        let (Some(mine), Some(theirs)) = (&snapshot.views[node], &snapshot.views[1 - node]) else {
            self.differ[node] = None;
            return;
        };
        let no_legacy = (0..2).all(|node| snapshot.mode(node) != AutoFailback::Legacy);
        let same_file = snapshot.pair.in_force(0).resources_digest == snapshot.pair.in_force(1).resources_digest;
        let claimed = |state| !matches!(state, GroupState::Free | GroupState::Failed);
        let wrong = mine.groups.iter().zip(&theirs.groups).find(|(a, b)| claimed(a.state) != b.held_by_peer);
        let active = (0..2).all(|n| snapshot.pair.hosts[n].cluster.as_ref().is_some_and(|cluster| cluster.is_active()));
        let leaving = mine.leaving || theirs.leaving;
        let (Some((group, _)), true, false, Some(fine)) =
            (wrong, no_legacy && same_file && active, leaving, calm.still())
        else {
            self.differ[node] = None;
            return;
        };
        let since = (*self.differ[node].get_or_insert(calm.stamp(snapshot.now))).max(fine).at;
        if snapshot.now > since + SAID_AGAIN_WITHIN {
            let what = format!(
                "{} has been {} on {} since {since}, and {} still knows nothing of it",
                group.key,
                group.state.as_str(),
                snapshot.name(node),
                snapshot.name(1 - node)
            );
            said.push((Promise::L5, format!("{node} {}", group.key), what));
        }
    }
}
