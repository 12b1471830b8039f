//! Never none: L1 (every group runs somewhere), L2 (every request is answered), L6 (a daemon that died is there again).

#![allow(clippy::wildcard_enum_match_arm, reason = "of all facts each reads those that its promises are about")]

use std::collections::BTreeMap;
use std::time::Duration;

use super::super::fact::{Daemon, Fact, Seen, TypedCommand};
use super::{BrokenHere, Circumstances, JudgedGroup, Stamp};

/// What L1 and L2 add to the times they name.
const MARGIN: Duration = Duration::from_secs(2);
/// A core is there again long before that, unless the machine does not allow it.
const BACK_WITHIN: Duration = Duration::from_secs(5);
/// An original restarts itself after a partition, and says nothing meanwhile.
const ORIGINALS_NEED: Duration = Duration::from_secs(22);

#[derive(Clone, Debug, Default)]
pub(super) struct ServiceJudge {
    /// Since when a group runs nowhere.
    missing: BTreeMap<String, Stamp>,
    seen: [Option<Seen>; 2],
    /// When each daemon last answered, or had a reason not to.
    answered: [Stamp; 2],
    /// When anything last happened that may move a group: a daemon came, went, died; somebody asked.
    last_cause: Stamp,
    began: Option<Stamp>,
    daemons: Option<[Daemon; 2]>,
    open: Vec<(TypedCommand, Stamp)>,
}

impl ServiceJudge {
    pub(super) fn take(&mut self, around: &Circumstances<'_>, said: &mut BrokenHere) {
        self.learn(around, said);
        for group in &around.bounds.groups {
            self.ask_somewhere(around, group, said);
        }
        self.ask_answers(around, said);
        for node in [0, 1] {
            self.ask_presence(around, node, said);
        }
    }

    fn learn(&mut self, around: &Circumstances<'_>, said: &mut BrokenHere) {
        let now = around.stamp();
        match &around.timed.fact {
            Fact::Things(things) => {
                for node in [0, 1] {
                    let was = self.daemons.map_or(Daemon::Off, |daemons| daemons[node]);
                    let is = things.daemons[node];
                    if was == is {
                        continue;
                    }
                    self.last_cause = now;
                    self.answered[node] = now;
                    if is != Daemon::Well && is != Daemon::Leaving {
                        self.seen[node] = None;
                    }
                    if is == Daemon::Well && was != Daemon::Stopped {
                        self.began = Some(now);
                    }
                }
                self.daemons = Some(things.daemons);
            }
            Fact::CoreKilled(node) | Fact::Died(node, _) => {
                self.last_cause = now;
                self.answered[*node] = now;
                // A daemon that comes back too late waits as one that starts.
                self.began = Some(now);
                if let Fact::Died(_, code) = &around.timed.fact {
                    ask_end(around, *node, *code, said);
                }
            }
            Fact::StoodStill(_) => self.answered = [now; 2],
            Fact::Status(node, seen) => {
                self.answered[*node] = now;
                self.seen[*node] = Some(seen.clone());
            }
            Fact::TypedCommand(asked) => {
                self.last_cause = now;
                self.open.push((asked.clone(), now));
            }
            Fact::Answered(id, code, words) => {
                let Some(at) = self.open.iter().position(|(asked, _)| asked.id == *id) else { return };
                let (asked, since) = self.open.remove(at);
                self.last_cause = now;
                let fine = around.clocks.all_well.is_some_and(|fine| fine.at < since.at);
                if asked.lawful && fine && *code != Some(0) {
                    let what = format!(
                        "{} refuses {}, typed at {} while all was well and quiet: {}",
                        around.name(asked.node),
                        asked.words,
                        since.at,
                        words.trim()
                    );
                    said.push(("L2", format!("refused {id}"), what));
                }
            }
            _ => {}
        }
    }

    fn ask_somewhere(&mut self, around: &Circumstances<'_>, group: &JudgedGroup, said: &mut BrokenHere) {
        let runs = |node: usize| group.resources.iter().all(|name| around.may_run.run(node, name).is_some());
        let up = runs(0) || runs(1);
        let nobody = !around.clocks.things.daemons.contains(&Daemon::Well);
        if up || nobody || self.may_be_missing(around, group) {
            self.missing.remove(&group.key);
            return;
        }
        let missing = *self.missing.entry(group.key.clone()).or_insert(around.stamp());
        let Some(all_well) = around.clocks.all_well else { return };
        let extra = if around.bounds.original.is_some() { ORIGINALS_NEED } else { Duration::ZERO };
        let bound = around.bounds.deadtime + around.bounds.keepalive * 2 + MARGIN + extra;
        let long = around.lasted(missing.max(all_well).max(self.last_cause)) > bound;
        let has_had_time = self.began.is_none_or(|began| around.lasted(began) > around.bounds.initdead + bound);
        if long && has_had_time {
            let states = [0, 1].map(|node| format!("{} on {}", self.state(node, &group.key), around.name(node)));
            let what = format!("group {} runs on no node since {}: {}", group.key, missing.at, states.join(", "));
            said.push(("L1", format!("{} {}", group.key, missing.at), what));
        }
    }

    fn state(&self, node: usize, key: &str) -> &str {
        self.seen[node].as_ref().and_then(|seen| seen.state(key)).unwrap_or("unknown")
    }

    /// It failed on every node that is there, or cannot be stopped somewhere.
    fn may_be_missing(&self, around: &Circumstances<'_>, group: &JudgedGroup) -> bool {
        let there = [0, 1].into_iter().filter(|node| around.clocks.things.daemons[*node] == Daemon::Well);
        let states: Vec<&str> = there.map(|node| self.state(node, &group.key)).collect();
        // What an original says it has, nobody else may take, whether it runs or not.
        let of_original = around.bounds.original.is_some_and(|original| {
            self.seen[1 - original].as_ref().is_some_and(|seen| seen.elsewhere.contains(&group.key))
        });
        of_original || self.is_blocked(|key| key == group.key) || states.iter().all(|state| *state == "failed")
    }

    /// Whether a group cannot be stopped on a node, be it one that leaves.
    fn is_blocked(&self, which: impl Fn(&str) -> bool) -> bool {
        let groups = self.seen.iter().flatten().flat_map(|seen| &seen.groups);
        groups.into_iter().any(|(key, state)| which(key) && state == "blocked")
    }

    fn ask_answers(&self, around: &Circumstances<'_>, said: &mut BrokenHere) {
        for (asked, since) in self.open.iter().filter(|(asked, _)| around.is_ours(asked.node)) {
            let from = since.max_of(around.clocks.awake[asked.node]).max(self.began.unwrap_or_default());
            let blocked = self.is_blocked(|_| true);
            let awake = around.clocks.awake[asked.node].is_some();
            let bound = around.bounds.deadtime * 2 + around.bounds.script_limit + MARGIN;
            if awake && !blocked && around.lasted(from) > bound {
                let what =
                    format!("{} has not answered {}, typed at {}", around.name(asked.node), asked.words, since.at);
                said.push(("L2", format!("open {}", asked.id), what));
            }
        }
    }

    fn ask_presence(&self, around: &Circumstances<'_>, node: usize, said: &mut BrokenHere) {
        let well = around.clocks.things.daemons[node] == Daemon::Well;
        if well && around.is_ours(node) && around.lasted(self.answered[node]) > BACK_WITHIN {
            let what = format!("the daemon on {} has not answered since {}", around.name(node), self.answered[node].at);
            said.push(("L6", format!("{node} {}", self.answered[node].at), what));
        }
    }
}

/// While something runs no refusal ends a daemon.
fn ask_end(around: &Circumstances<'_>, node: usize, code: Option<i32>, said: &mut BrokenHere) {
    let running: Vec<&str> = around.may_run.resources(node).map(|(name, _)| name.as_str()).collect();
    if !running.is_empty() && around.is_ours(node) {
        let code = code.map_or_else(|| "by a signal".to_owned(), |code| format!("with exit code {code}"));
        let what = format!(
            "the daemon on {} ended {code} though nobody told it to, and {} may run there",
            around.name(node),
            running.join(", ")
        );
        said.push(("L6", format!("{node} ended {}", around.timed.at), what));
    }
}
