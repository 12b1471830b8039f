//! Never both: S1, S2, and S3 where a silent node is fenced; nobody is fenced who is known to be gone: S8.

#![allow(clippy::wildcard_enum_match_arm, reason = "of all facts each reads those that its promises are about")]

use std::collections::BTreeMap;

use super::super::fact::{Daemon, Fact};
use super::may_run::Started;
use super::{BrokenHere, Circumstances, Stamp};
use crate::haresources::Verb;

#[derive(Clone, Debug, Default)]
pub(super) struct Owners {
    /// Since when what is on both is on both.
    since: BTreeMap<String, Stamp>,
    /// How a node went, as the other knows, and has not been started again since.
    gone: [Option<&'static str>; 2],
    /// Since when each has been there and listens.
    well: [Option<Stamp>; 2],
    /// When each last began to start what it was given.
    given: [Option<Stamp>; 2],
}

impl Owners {
    pub(super) fn take(&mut self, around: &Circumstances<'_>, said: &mut BrokenHere) {
        let doubles: Vec<(&String, [Started; 2])> = around.may_run.doubles().collect();
        self.since.retain(|name, _| doubles.iter().any(|(double, _)| *double == name));
        for (name, runs) in doubles {
            let is_new = !self.since.contains_key(name);
            let begun = *self.since.entry(name.clone()).or_insert(around.stamp());
            let (last, run) = Started::later(runs);
            let both = format!("{name} runs on {} and {} since {}", around.name(0), around.name(1), run.since);
            let about = format!("{name} {}", run.number);
            let fine = if is_new { around.clocks.both_ways } else { around.clocks.still };
            // Beside an original only what ours begins is ours to answer for.
            let ours =
                around.bounds.original.is_none() || is_new && around.is_ours(last) && !self.was_given(around, last);
            if let Some(fine) = fine.filter(|fine| ours && around.lasted(*fine) > around.patience()) {
                let by = if is_new { format!(": {} starts it", around.name(last)) } else { String::new() };
                said.push(("S1", about.clone(), format!("{both}, although all has been well since {}{by}", fine.at)));
            }
            if around.bounds.fenced {
                said.push(("S3", about.clone(), format!("{both}, although a silent node is fenced")));
            }
            let heard = around.clocks.one_way.filter(|_| around.bounds.original.is_none());
            // A successor calls the other dead only after a deadtime of its own.
            let core_died = around
                .clocks
                .core_died
                .is_some_and(|at| around.lasted(at) <= around.patience() + around.bounds.deadtime);
            let long = |fine: &Stamp| around.lasted((*fine).max(begun)) > around.patience() && !core_died;
            if let Some(fine) = heard.filter(long) {
                let what = format!("{both}, although one node has heard the other since {}", fine.at);
                said.push(("S2", about, what));
            }
        }
        self.ask_old_starts(around, said);
        self.ask_fences(around, said);
    }

    /// An original may say that it has given up what another process of its own is starting: who believes it cannot know.
    fn was_given(&self, around: &Circumstances<'_>, node: usize) -> bool {
        self.given[node].is_some_and(|at| around.lasted(at) < around.patience())
    }

    fn ask_fences(&mut self, around: &Circumstances<'_>, said: &mut BrokenHere) {
        match &around.timed.fact {
            Fact::Things(things) => {
                for node in [0, 1] {
                    let is_well = things.daemons[node] == Daemon::Well;
                    self.well[node] = is_well.then(|| self.well[node].unwrap_or(around.stamp()));
                    // Who starts anew, or was away for long, may have missed that it came back.
                    let survivor = things.daemons[1 - node];
                    let forgets = matches!(survivor, Daemon::Off | Daemon::Left | Daemon::Gone);
                    if forgets || !matches!(things.daemons[node], Daemon::Off | Daemon::Left) {
                        self.gone[node] = None;
                    }
                }
            }
            Fact::Given(node) => self.given[*node] = Some(around.stamp()),
            Fact::Left(node) => {
                let long = |since: Option<Stamp>| since.is_some_and(|since| around.lasted(since) > around.patience());
                let heard = long(self.well[1 - node]) && long(around.clocks.both_ways);
                self.gone[*node] = heard.then_some("had left in order");
            }
            Fact::Fenced(node) => {
                if let Some(how) = self.gone[*node] {
                    let name = around.name(*node);
                    let what = format!("{name} is fenced although it {how}, and it has not been heard since");
                    said.push(("S8", format!("{node} {}", around.timed.at), what));
                }
            }
            Fact::KnownFenced(node) => {
                if matches!(around.clocks.things.daemons[*node], Daemon::Off | Daemon::Left) {
                    self.gone[*node] = Some("had been fenced");
                }
            }
            _ => {}
        }
    }

    /// A start of what runs on the other node long since is a new double even when the scripts wrote down the first start only.
    fn ask_old_starts(&self, around: &Circumstances<'_>, said: &mut BrokenHere) {
        let Fact::Began(node, name, Verb::Start) = &around.timed.fact else { return };
        let Some(other) = around.may_run.run(1 - node, name) else { return };
        let again = around.may_run.run(*node, name).is_some_and(|run| run.since < around.timed.at);
        let fine = around.clocks.both_ways.filter(|fine| around.lasted(*fine) > around.patience());
        if let (true, true, Some(fine)) = (again, around.is_ours(*node), fine) {
            let what = format!(
                "{} starts {name} again, which runs on {} since {}, although all has been well since {}",
                around.name(*node),
                around.name(1 - node),
                other.since,
                fine.at
            );
            said.push(("S1", format!("{name} again {}", around.timed.at), what));
        }
    }
}
