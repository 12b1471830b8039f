//! What comes of each chapter of a play: how long each service was missed, what decided it, and what that teaches.

#![allow(clippy::wildcard_enum_match_arm, reason = "each reader looks for its own few of many happenings")]

use std::time::Duration;

use crate::amount::{exact, measured};
use crate::cluster::{AutoFailback, OnStartFailure, OnStopFailure, Report as R, Request, Response};
use crate::ipfail;
use crate::time::Mono;

use super::entries::label;
use super::{Intervention, Observation, Observed, ServiceSeen, SimulatedPair, Start};

/// Shorter than this nobody minds.
const NOTICED: Duration = Duration::from_secs(1);

/// One chapter of a play.
#[derive(Clone, Debug, PartialEq)]
pub struct ChapterRow {
    /// What happened.
    pub event: String,
    /// When it began.
    pub from: Mono,
    /// What the users of each group saw, with its name; groups without resources are left out.
    pub groups: Vec<(String, ServiceSeen)>,
    /// Nothing ran before.
    pub is_first: bool,
    /// What decided how long it took.
    pub decided_by: String,
    /// What to learn from it, if anything.
    pub lesson: Option<String>,
}

/// The rows of a play that is over; one for all of it when it has no chapters.
pub fn verdict(pair: &SimulatedPair) -> Vec<ChapterRow> {
    let observations = pair.observations();
    let title = |observation: &Observation| {
        if let Observed::Chapter(title) = &observation.what { Some(title.clone()) } else { None }
    };
    let mut begins: Vec<(usize, String)> =
        observations.iter().enumerate().filter_map(|(at, observation)| Some((at, title(observation)?))).collect();
    if begins.is_empty() {
        begins.push((0, "the play".to_owned()));
    }
    let ends = begins.iter().skip(1).map(|(at, _)| *at).chain([observations.len()]);
    begins
        .iter()
        .zip(ends)
        .map(|((begin, title), end)| row(pair, title, &observations[*begin..end], observations.get(end)))
        .collect()
}

fn row(pair: &SimulatedPair, title: &str, observations: &[Observation], next: Option<&Observation>) -> ChapterRow {
    let from = observations.first().map_or(Mono::ZERO, |observation| observation.at);
    let until = next.map_or(pair.now(), |observation| observation.at);
    let groups = pair.groups().iter().enumerate().filter(|(_, group)| !group.resources.is_empty());
    let groups = groups.map(|(at, group)| (label(group), pair.seen(at, from, until))).collect();
    let is_first = !pair.changes().iter().any(|change| change.at < from && change.now.is_up());
    let mut chapter = Chapter { pair, title, observations, from, groups, is_first };
    chapter.look_who_noticed();
    let (decided_by, lesson) = (chapter.decided_by(), chapter.lesson());
    ChapterRow { event: title.to_owned(), from, groups: chapter.groups, is_first, decided_by, lesson }
}

/// A chapter as it is looked at.
struct Chapter<'a> {
    pair: &'a SimulatedPair,
    title: &'a str,
    observations: &'a [Observation],
    from: Mono,
    groups: Vec<(String, ServiceSeen)>,
    is_first: bool,
}

impl Chapter<'_> {
    /// Whose client cable was cut.
    fn unplugged(&self) -> Option<usize> {
        let cut = |observation: &&Observation| observation.what == Observed::Intervention(Intervention::Unplugged);
        self.observations.iter().find(cut)?.node
    }

    /// A group whose clients are cut off and that nobody moves is missed until somebody notices.
    fn look_who_noticed(&mut self) {
        if self.unplugged().is_none() {
            return;
        }
        let groups = self.pair.groups().iter().enumerate().filter(|(_, group)| !group.resources.is_empty());
        for ((at, _), (_, seen)) in groups.zip(&mut self.groups) {
            let last = self.observations.iter().rev().find_map(|observation| match &observation.what {
                Observed::Moved { group, now, .. } if *group == at => Some(*now),
                _ => None,
            });
            seen.unnoticed = last.is_some_and(|now| now.is_up() && !now.is_served());
        }
    }

    fn is_unnoticed(&self) -> bool {
        self.groups.iter().any(|(_, seen)| seen.unnoticed)
    }

    /// What ipfail made of a cut: what it went by, and how long it waited.
    fn ipfail(&self) -> Option<String> {
        let said = |start: &str| {
            let mut observations = self.observations.iter();
            observations
                .find(
                    |observation| matches!(&observation.what, Observed::IpfailLogged(text) if text.starts_with(start)),
                )
                .map(|observation| observation.at)
        };
        let (known, given) = (said(ipfail::NODE_STATUS), said(ipfail::GIVES_UP)?);
        let deadping = exact(self.pair.settings(0).deadping);
        let known = known.unwrap_or(self.from);
        let scripts = self
            .last_up()
            .filter(|up| *up >= given)
            .map_or(String::new(), |up| format!(", then {} of hand-over", measured(up.since(given))));
        Some(format!(
            "no ping host for {} (deadping {deadping}), ipfail gave up {} later{scripts}",
            measured(known.since(self.from)),
            measured(given.since(known))
        ))
    }

    /// Why nobody did anything, and what to write.
    fn nobody(&self) -> Option<(String, String)> {
        let node = self.unplugged().filter(|_| self.is_unnoticed())?;
        self.pair.nobody_looks(node).or_else(|| {
            let both = "both nodes count as many ping hosts, or no ipfail runs there: the time line says which";
            Some((both.to_owned(), "look at it with --messages".to_owned()))
        })
    }

    fn reports(&self) -> impl Iterator<Item = (Mono, &R)> {
        self.observations.iter().filter_map(|observation| {
            if let Observed::Said(report) = &observation.what { Some((observation.at, report)) } else { None }
        })
    }

    fn has(&self, wanted: impl Fn(&R) -> bool) -> bool {
        self.reports().any(|(_, report)| wanted(report))
    }

    /// The first death that was noticed, and the silence that told.
    fn death(&self) -> Option<(Mono, Duration)> {
        if self.has_said_goodbye() {
            return None;
        }
        self.reports().find_map(|(at, report)| match report {
            R::NodeDead { node, silent_for } if self.pair.node(node).is_some() => Some((at, *silent_for)),
            _ => None,
        })
    }

    /// When a group last came up.
    fn last_up(&self) -> Option<Mono> {
        let moves = self.observations.iter().rev();
        let ups = moves
            .filter(|observation| matches!(&observation.what, Observed::Moved { was, now, .. } if !was.is_served() && now.is_served()));
        ups.map(|observation| observation.at).next()
    }

    /// Whose silence says nothing new.
    fn has_said_goodbye(&self) -> bool {
        self.has(|report| matches!(report, R::ShutdownNotice { .. }))
    }

    fn decided_by(&self) -> String {
        let mut reasons: Vec<String> = Vec::new();
        let mut add = |reason: Option<String>| reasons.extend(reason);
        let settings = self.pair.settings(0);
        add(self.ipfail());
        add(self.nobody().map(|(why, _)| format!("nobody acts: {why}")));
        if self.is_first {
            add(self.last_up().map(|at| format!("all groups up {} after the start", measured(at.since(self.from)))));
        }
        for observation in self.observations {
            match &observation.what {
                Observed::Said(report) => add(self.reason(report)),
                Observed::Replied(Response::Refused(why)) if self.is_refused() => {
                    add(Some(format!("refused: {why}")));
                }
                Observed::Asked(Request::Standby(_) | Request::Takeover(_) | Request::Move(..))
                    if !self.is_refused() =>
                {
                    add(Some("on request".to_owned()));
                }
                _ => {}
            }
        }
        let mut seen = std::collections::BTreeSet::new();
        reasons.retain(|reason| seen.insert(reason.clone()));
        if let (Some((died, _)), Some(up)) = (self.death(), self.last_up()) {
            if let Some(reason) = reasons.iter_mut().find(|reason| reason.starts_with("silence")) {
                let fenced = if settings.fences.is_empty() { "scripts" } else { "fencing and scripts" };
                reason.push_str(&format!(", then {} of {fenced}", measured(up.since(died))));
            }
        } else if reasons.is_empty() {
            reasons.push(self.still());
        }
        reasons.join("; ")
    }

    /// What was asked for was not done at all.
    fn is_refused(&self) -> bool {
        let refused = self
            .observations
            .iter()
            .any(|observation| matches!(observation.what, Observed::Replied(Response::Refused(_))));
        let moved = |observation: &Observation| matches!(observation.what, Observed::Moved { .. });
        refused && !self.observations.iter().any(moved)
    }

    /// Nothing was decided.
    fn still(&self) -> String {
        let cut = |at: usize| {
            let medium = &self.pair.media()[at].id;
            self.observations.iter().any(|observation| matches!(&observation.what, Observed::Cut(cut) if cut == medium))
        };
        let beating = (0..self.pair.media().len()).filter(|at| self.pair.media()[*at].ping_node.is_none());
        let (dead, left): (Vec<usize>, Vec<usize>) = beating.partition(|at| cut(*at));
        if dead.is_empty() || left.is_empty() {
            let off = self.pair.settings(0).auto_failback == AutoFailback::Off;
            let starts = self
                .observations
                .iter()
                .any(|observation| observation.what == Observed::Intervention(Intervention::Starts(Start::Fresh)));
            let missed = self.groups.iter().any(|(_, seen)| !seen.without.is_zero());
            return match (missed, off && starts) {
                (true, _) => "nothing was done about it".to_owned(),
                (false, true) => "auto_failback off: nothing moved".to_owned(),
                (false, false) => "nothing moved".to_owned(),
            };
        }
        let left: Vec<_> = left.into_iter().map(|at| self.pair.media()[at].id.as_str()).collect();
        format!("{} still beat: nothing moved", left.join(", "))
    }

    fn reason(&self, report: &R) -> Option<String> {
        let settings = self.pair.settings(0);
        let limits = settings.script_timeout;
        Some(match report {
            R::NodeDead { .. } if self.has_said_goodbye() => return None,
            R::NodeDead { node, .. } if self.pair.node(node).is_none() => return None,
            R::NodeDead { silent_for, .. } => {
                let limit = if *silent_for > settings.deadtime + settings.keepalive { "initdead" } else { "deadtime" };
                let allowed = if limit == "initdead" { settings.initdead } else { settings.deadtime };
                format!("silence of {} ({limit} {})", measured(*silent_for), exact(allowed))
            }
            R::NodeReset { node } => format!("{node} was fenced"),
            R::FencingRetries { node } => format!("fencing of {node} failed"),
            R::ShutdownNotice { .. } => "it said goodbye".to_owned(),
            R::FailbackBegins { .. } => "auto_failback on".to_owned(),
            R::IpRequest { .. } => "it asked for its groups (auto_failback legacy)".to_owned(),
            R::GivingUp { resource } => {
                let then = match settings.on_start_failure {
                    OnStartFailure::Move => "move",
                    OnStartFailure::Stay => "stay",
                };
                format!("{resource} did not start (on-start-failure {then})")
            }
            R::StopFailed { resource } | R::GroupBlocked { resource, .. } => {
                let then = match settings.on_stop_failure {
                    OnStopFailure::Reboot => "reboot",
                    OnStopFailure::Fence => "fence",
                    OnStopFailure::Block => "block",
                };
                format!("{resource} did not stop within {} (on-stop-failure {then})", exact(limits.stop))
            }
            R::Adopting { .. } => "back in time: nothing moved".to_owned(),
            R::StoppingLeftovers { .. } => "back too late: what was left running was stopped first".to_owned(),
            R::ResourceSick { resource, .. } => format!("{resource} was asked and did not work"),
            R::Restarting { .. } => "restarted".to_owned(),
            R::GroupGivenUp { .. } => "handed over".to_owned(),
            R::Orphan { .. } => "nobody ran it".to_owned(),
            R::PartitionLetGo { .. } => "what was taken over because of the cut was let go".to_owned(),
            _ => return None,
        })
    }

    /// The group that was missed longest, and for how long.
    fn missed(&self) -> Option<(&str, Duration)> {
        let groups = self.groups.iter().map(|(name, seen)| (name.as_str(), seen.without));
        groups.max_by_key(|(_, without)| *without).filter(|(_, without)| *without >= NOTICED)
    }

    fn lesson(&self) -> Option<String> {
        let (title, settings) = (self.title, self.pair.settings(0));
        if let Some(lesson) = self.lesson_of_both() {
            return Some(lesson);
        }
        if let Some((why, remedy)) = self.nobody() {
            return Some(format!("{title}: its clients wait until somebody notices, because {why}: {remedy}"));
        }
        let missed = self.missed().filter(|_| !self.is_first);
        let how = missed.map(|(name, without)| format!("{} without {name}", measured(without)));
        let deadtime = exact(settings.deadtime);
        if self.has(|report| matches!(report, R::StopFailed { .. } | R::GroupBlocked { .. })) {
            let first = format!("{title}: it is given {} (script-timeout stop)", exact(settings.script_timeout.stop));
            let then = how.map_or("nobody missed it meanwhile".to_owned(), |how| format!("then {how}"));
            let because =
                if self.death().is_some() { format!(", because deadtime is {deadtime}") } else { String::new() };
            return Some(format!("{first}, {then}{because}"));
        }
        let how = format!("{title}: {}", how?);
        Some(if self.ipfail().is_some() {
            format!("{how}, because deadping is {}", exact(settings.deadping))
        } else if self.death().is_some() {
            let fence = if settings.fences.is_empty() { "" } else { " and a silent node is fenced first" };
            format!("{how}, because deadtime is {deadtime}{fence}")
        } else if self.has(|report| matches!(report, R::GivingUp { .. })) {
            format!("{how}, because it stays down where it does not start (on-start-failure)")
        } else if self.has(|report| matches!(report, R::ResourceSick { .. })) {
            format!("{how}, most of it the time until `monitor` asks")
        } else if let Some(word) = self.dead_service() {
            format!("{how}, because nobody asks whether it works: `monitor {word} 10` in latido.cf")
        } else {
            how
        })
    }

    /// Two owners at a time, from this chapter on.
    fn lesson_of_both(&self) -> Option<String> {
        let begins = |observation: &Observation| matches!(&observation.what, Observed::Moved { was, now, .. } if now.doubled && !was.doubled);
        let longest = self.groups.iter().max_by_key(|(_, seen)| seen.doubled)?;
        let (name, seen) =
            Some(longest).filter(|(_, seen)| seen.doubled >= NOTICED && self.observations.iter().any(begins))?;
        let how = format!("{}: {name} ran on both nodes for {}", self.title, measured(seen.doubled));
        Some(if self.pair.settings(0).fences.is_empty() {
            format!(
                "{how}, because nothing fences a silent node: both would have written to a shared disk. More media between \
                 the nodes, and `fence` or `stonith`"
            )
        } else {
            format!("{how} although there is fencing; the time line says how")
        })
    }

    /// A service that ended by itself.
    fn dead_service(&self) -> Option<&str> {
        self.observations.iter().find_map(|observation| match &observation.what {
            Observed::Intervention(Intervention::Dies(word)) => Some(word.as_str()),
            _ => None,
        })
    }
}
