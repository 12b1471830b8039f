//! Every request is answered, no hand-over lasts for ever (L2); what the peer knows of us becomes true again (L5).

use std::time::Duration;

use super::super::What;
use super::calm::Stamp;
use super::{Calm, Promise, Said, Scene, Truth};
use crate::cluster::{AutoFailback, GroupState, Request, Response, Set};

/// A claim that was lost is said again within this.
const SAID_AGAIN_WITHIN: Duration = Duration::from_secs(60);
/// The last message of a dialogue is on its way.
const MARGIN: Duration = Duration::from_secs(2);

/// A request without an answer.
#[derive(Clone, Debug)]
struct Open {
    since: Stamp,
    request: Request,
    /// Nothing stands against it.
    lawful: bool,
}

/// What is waited for.
#[derive(Clone, Debug, Default)]
pub(super) struct Answers {
    open: [Vec<Open>; 2],
    /// Told to leave, and has not left.
    leaving: [Option<Stamp>; 2],
    lives: [u64; 2],
    unstable: [Option<Stamp>; 2],
    /// Since when what one node says and what the other knows differ, by the speaker.
    differ: [Option<Stamp>; 2],
    quiet: Option<Stamp>,
}

impl Answers {
    pub(super) fn look(&mut self, scene: &Scene<'_>, truth: &Truth, calm: &Calm, said: &mut Said) {
        self.follow(scene, truth, calm, said);
        for node in 0..2 {
            if scene.views[node].is_none() || self.lives[node] != scene.pair.hosts[node].life {
                self.lives[node] = scene.pair.hosts[node].life;
                self.open[node].retain(|open| open.since.at == scene.now && scene.views[node].is_some());
            }
            self.ask_gone(scene, calm, node, said);
            self.ask_answer(scene, calm, node, said);
            self.ask_end(scene, calm, node, said);
            self.ask_knowledge(scene, calm, node, said);
        }
        let stable = scene.views.iter().all(|view| view.as_ref().is_some_and(|view| view.stable));
        let quiet = stable && calm.both_ways().is_some() && self.open.iter().all(Vec::is_empty);
        self.quiet = quiet.then(|| self.quiet.unwrap_or(calm.stamp(scene.now)));
    }

    fn follow(&mut self, scene: &Scene<'_>, truth: &Truth, calm: &Calm, said: &mut Said) {
        for note in scene.notes {
            let Some(node) = note.node else { continue };
            match &note.what {
                What::Asked(request) => {
                    let lawful = self.open[node].is_empty() && self.is_lawful(scene, truth, calm, node, request);
                    self.open[node].push(Open { since: calm.stamp(note.at), request: request.clone(), lawful });
                }
                What::Replied(response) if !self.open[node].is_empty() => {
                    let open = self.open[node].remove(0);
                    if let (true, Response::Refused(why)) = (open.lawful, response)
                        && calm.both_ways().is_some_and(|fine| fine.at < open.since.at)
                        && scene.pair.all_scripts_work()
                    {
                        let what = format!(
                            "{} refuses {:?}, asked at {} while all was well and quiet: {why}",
                            scene.name(node),
                            open.request,
                            open.since.at
                        );
                        said.push((Promise::L2, format!("refused {}", open.since.at), what));
                    }
                }
                What::Deed(text) => match text.as_str() {
                    "asked to leave" if scene.views[node].is_some() => {
                        self.leaving[node].get_or_insert(calm.stamp(note.at));
                    }
                    "left" | "power off" | "fell silent" => self.leaving[node] = None,
                    _ => {}
                },
                _ => {}
            }
        }
    }

    /// A hand-over of something held, between two nodes that have been quiet for long and can both do it.
    fn is_lawful(&self, scene: &Scene<'_>, truth: &Truth, calm: &Calm, node: usize, request: &Request) -> bool {
        let (giver, set) = match request {
            Request::Standby(set) => (node, *set),
            Request::Takeover(set) => (1 - node, set.inverted()),
            Request::Retry(_) => return false,
        };
        let me = scene.name(giver);
        let in_set = |owner: &str| match set {
            Set::All => true,
            Set::Local => owner == me,
            Set::Foreign => owner != me,
        };
        let groups: Vec<_> = scene.views[giver].iter().flat_map(|view| &view.groups).collect();
        let held = groups.iter().any(|group| in_set(group.owner.as_str()) && group.state == GroupState::Held);
        let usual = |node: usize| {
            let groups = scene.views[node].iter().flat_map(|view| &view.groups);
            groups.into_iter().all(|group| matches!(group.state, GroupState::Held | GroupState::Free))
        };
        let long = |stamp: Stamp| scene.now.since(stamp.at) > scene.deadtime() * 2 + MARGIN;
        let nice = (0..2).all(|node| scene.mode(node) != AutoFailback::Legacy);
        let busy = (0..2).any(|node| truth.is_at_work(node));
        let fine = calm.both_ways().is_some_and(long);
        held && nice && !busy && fine && usual(0) && usual(1) && self.quiet.is_some_and(long)
    }

    fn ask_answer(&self, scene: &Scene<'_>, calm: &Calm, node: usize, said: &mut Said) {
        let Some(awake) = calm.is_awake_since(node) else { return };
        for open in &self.open[node] {
            let since = open.since.max(awake);
            if scene.now.since(since.at) > scene.deadtime() * 2 + calm.scripts(scene, since) + MARGIN {
                let what = format!("{} has not answered {:?} since {}", scene.name(node), open.request, open.since.at);
                said.push((Promise::L2, format!("open {}", open.since.at), what));
            }
        }
    }

    /// Who was told to leave is gone, unless something does not stop.
    fn ask_gone(&mut self, scene: &Scene<'_>, calm: &Calm, node: usize, said: &mut Said) {
        let (Some(told), Some(awake)) = (self.leaving[node], calm.is_awake_since(node)) else { return };
        let blocked = scene.views[node].iter().flat_map(|view| &view.groups).any(|g| g.state == GroupState::Blocked);
        let since = told.max(awake);
        let late = scene.now.since(since.at) > scene.deadtime() * 2 + calm.scripts(scene, since) + MARGIN;
        if late && !blocked && scene.views[node].is_some() {
            let what = format!("{} was told to leave at {} and is still there", scene.name(node), told.at);
            said.push((Promise::L2, format!("leave {}", told.at), what));
        }
    }

    /// Nothing is "in transition" for ever.
    fn ask_end(&mut self, scene: &Scene<'_>, calm: &Calm, node: usize, said: &mut Said) {
        let view = scene.views[node].as_ref();
        let leaving = scene.views.iter().flatten().any(|view| view.leaving);
        let undecided = view.is_some_and(|view| !view.stable) && !leaving;
        let failing = (0..2).any(|node| {
            let groups = scene.views[node].iter().flat_map(|view| &view.groups);
            groups.into_iter().any(|group| matches!(group.state, GroupState::Failed | GroupState::Blocked))
        });
        let puppets = scene.pair.hosts.iter().any(|host| host.puppet.is_some());
        let (true, false, false, Some(fine)) = (undecided, failing, puppets, calm.both_ways()) else {
            self.unstable[node] = None;
            return;
        };
        let since = (*self.unstable[node].get_or_insert(calm.stamp(scene.now))).max(fine);
        let from = since.at.max(calm.explained_until(scene));
        if scene.now > from + scene.deadtime() * 2 + calm.scripts(scene, since) + MARGIN {
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
        let (Some((group, _)), true, false, Some(fine)) =
            (wrong, nice && same_file && active, leaving, calm.both_ways())
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

impl super::Pair {
    fn all_scripts_work(&self) -> bool {
        !self.scripts.any_misbehaves()
    }
}
