//! Performs a play: command by command, with what was expected in vain.

use std::cell::Cell;
use std::time::Duration;

use crate::cluster::{Request, Settings};
use crate::haresources::ResourceGroup;
use crate::time::Mono;

use super::play::{Command, Directions, Expectation, Original, Play, Reload, Step};
use super::{Observation, Observed, PingDirection, Setting, SimulatedPair, label};

/// A pair after a play.
#[derive(Debug)]
pub struct Performance {
    /// The pair as the play left it.
    pub pair: SimulatedPair,
    /// What was expected in vain, in order.
    pub complaints: Vec<UnmetExpectation>,
}

/// An expectation that was not met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnmetExpectation {
    /// Line of the play, from 1.
    pub line: usize,
    /// When.
    pub at: Mono,
    /// What the line says.
    pub text: String,
    /// How it was instead.
    pub found: String,
}

impl Play {
    /// Plays it from the beginning, with the pair it was read for: to the microsecond the same each time, or with delays
    /// as the seed has it.
    pub fn perform(&self, settings: &[Settings; 2], groups: &[ResourceGroup], seed: Option<u64>) -> Performance {
        let mut performance = self.begin(settings, groups, seed);
        performance.go_on(self);
        performance
    }

    /// The pair as the first step finds it.
    pub fn begin(&self, settings: &[Settings; 2], groups: &[ResourceGroup], seed: Option<u64>) -> Performance {
        let mut settings = settings.clone();
        let mut ipfails = [self.non_core.ipfail.clone(), self.non_core.ipfail.clone()];
        let mut ping_groups = self.non_core.ping_groups.clone();
        for (node, setting) in &self.settings {
            if let Setting::Ipfail(ipfail) = setting {
                let meant = (0..2).filter(|one| node.is_none_or(|node| node == *one));
                meant.for_each(|one| ipfails[one].clone_from(ipfail));
            } else if let Setting::PingGroup(name, hosts) = setting {
                ping_groups.push((name.to_string(), hosts.clone()));
            }
            match node {
                Some(node) => setting.apply(&mut settings[*node]),
                None => settings.iter_mut().for_each(|both| setting.apply(both)),
            }
        }
        if self.settings.iter().any(|(node, _)| node.is_some()) {
            settings.iter_mut().for_each(|node| node.timing = Setting::timing(node));
        }
        let groups = if self.groups.is_empty() { groups } else { &self.groups };
        let seed = seed.or(self.seed);
        let mut pair = SimulatedPair::of(settings, groups.to_vec(), seed.unwrap_or(7));
        pair.exact = seed.is_none();
        pair.ipfails = ipfails;
        ping_groups.iter().for_each(|(name, hosts)| pair.set_ping_group(name, hosts));
        Performance { pair, complaints: Vec::new() }
    }
}

impl Performance {
    /// Plays the steps of another play for the same pair; what it would set or group is left out.
    pub fn go_on(&mut self, play: &Play) {
        play.steps.iter().for_each(|step| self.step(step));
    }

    /// What is not where it should be in the end, in sentences: a group runs on exactly one node.
    pub fn misplaced(&self) -> Vec<String> {
        let wrong = |(at, group): (usize, &ResourceGroup)| {
            let place = self.pair.location(at);
            let how = match (place.doubled, place.is_up()) {
                (true, _) => "runs on both nodes",
                (false, false) => "runs on no node",
                (false, true) => return None,
            };
            Some(format!("in the end {} {how}: {}", label(group), self.pair.in_words()))
        };
        self.pair.groups().iter().enumerate().filter_map(wrong).collect()
    }

    fn step(&mut self, step: &Step) {
        let known = self.pair.broken().len();
        self.obey(step);
        for broken in self.pair.broken().get(known..).unwrap_or_default().to_vec() {
            let text = format!("promise {}", broken.promise);
            self.complaints.push(UnmetExpectation { line: step.line, at: broken.at, text, found: broken.what });
        }
    }

    fn obey(&mut self, step: &Step) {
        use Command as C;
        let pair = &mut self.pair;
        match &step.command {
            C::Remark(text) => pair.remark(text),
            C::Promises => pair.ask_promises(),
            C::Chapter(title) => pair.observe_pair(Observed::Chapter(title.clone())),
            C::Start(nodes) => nodes.iter().for_each(|node| pair.start(*node)),
            C::PowerOff(node) => pair.power_off(*node),
            C::Leave(nodes) => nodes.iter().for_each(|node| pair.leave(*node)),
            C::Kill(node) => pair.crash(*node),
            C::Upgrade(node) => pair.upgrade(*node),
            C::Stall(node, time) => pair.stall(*node, *time),
            C::Restarts(node, time) => pair.restart_after(*node, *time),
            C::Suspend(node, time) => pair.suspend(*node, *time),
            C::Freeze(node, time) => pair.freeze(*node, *time),
            C::Clock(node, seconds) => pair.step_clock(*node, *seconds),
            C::SlowStart(node, time) => pair.start_slowly(*node, *time),
            C::NotesTake(node, time) => pair.write_notes_slowly(*node, *time),
            C::Notes(node, how) => pair.spoil_notes(*node, *how),
            C::Generation(node, number) => pair.start_with_generation(*node, *number),
            C::Cut(ways, is_cut) => cut(pair, ways, *is_cut),
            C::CutPing(host, nodes, ways, is_cut) => cut_ping(pair, host, nodes, ways, *is_cut),
            C::Plug(node, medium, true) => pair.unplug(*node, *medium),
            C::Plug(node, medium, false) => pair.plug(*node, *medium),
            C::IpfailDies(node) => pair.ipfail_dies(*node),
            C::Loss(ways, share) => each(ways, |medium, from| pair.lose_on(medium, from, *share)),
            C::Delay(ways, time) => each(ways, |medium, from| pair.delay(medium, from, *time)),
            C::Repeats(ways, share) => each(ways, |medium, from| pair.repeat(medium, from, *share)),
            C::Reorders(ways, share) => each(ways, |medium, from| pair.reorder(medium, from, *share)),
            C::Standby(node, set) => ask(pair, *node, Request::Standby(*set)),
            C::Takeover(node, set) => ask(pair, *node, Request::Takeover(*set)),
            C::Move(node, word) => ask(pair, *node, Request::Move(word.clone(), None)),
            C::Retry(node, group) => ask(pair, *node, Request::Retry(group.clone())),
            C::Reload(node, Reload::Same) => pair.reload(*node),
            C::Reload(node, Reload::Groups(groups)) => pair.reload_groups(*node, groups),
            C::Reload(node, Reload::Setting(setting)) => pair.reload_settings(*node, |settings| {
                setting.apply(settings);
                settings.timing = Setting::timing(settings);
            }),
            C::Edit(node, groups) => pair.edit_groups(*node, groups),
            C::Dies(node, word) => pair.service_dies(*node, word),
            C::ComesUp(node, word) => pair.service_comes_up(*node, word),
            C::Misbehave(node, word, verb, how) => pair.scripts.misbehave(*node, word, *verb, *how),
            C::Works(node, word) => pair.scripts.mend_one(*node, word),
            C::ScriptsWork => pair.scripts.mend(),
            C::ScriptsTake(time) => pair.scripts.slowness = *time,
            C::FenceFails(times) => pair.fence_failures = *times,
            C::FenceTakes(time) => pair.fence_takes = *time,
            C::FenceHangs => pair.fence_hangs = true,
            C::FenceLate => pair.fence_late = true,
            C::FenceWorks => pair.mend_fences(),
            C::ReplayTo(node) => {
                if let Some(status) = pair.last_status(1 - node) {
                    pair.replay(*node, &status);
                }
            }
            C::Fifo(node, text) => pair.write_fifo(*node, text),
            C::Original(node, what) => match what {
                Original::Boots(version) => pair.boot_original(*node, *version),
                Original::Starts(status) => pair.original_starts(*node, status),
                Original::Is(status) => pair.original_is(*node, status),
                Original::Says(text) => pair.original_says(*node, text),
                Original::Runs(words) => {
                    pair.original_runs(*node, &words.iter().map(String::as_str).collect::<Vec<_>>())
                }
            },
            C::Wait(time) => pair.run_for(*time),
            C::Beat(node) => pair.run_to_beat(*node),
            C::Settle(time) => self.settle(step, *time),
            C::Within(time, what) => self.within(step, *time, what),
            C::Expect(what) => self.within(step, Duration::ZERO, what),
        }
    }

    fn settle(&mut self, step: &Step, time: Duration) {
        if !self.pair.run_until(time, SimulatedPair::is_settled) {
            self.complain(step);
        }
    }

    fn within(&mut self, step: &Step, time: Duration, what: &Expectation) {
        // Of the notes only those are read that were not there at the last look.
        let read = Cell::new(0);
        let is_so = |pair: &SimulatedPair| is_so(what, pair, &read);
        let met = if time.is_zero() { is_so(&self.pair) } else { self.pair.run_until(time, is_so) };
        if met {
            self.pair.observe_pair(Observed::Met(step.text.clone()));
        } else {
            self.complain(step);
        }
    }

    fn complain(&mut self, step: &Step) {
        let complaint = UnmetExpectation {
            line: step.line,
            at: self.pair.now(),
            text: step.text.clone(),
            found: self.pair.in_words(),
        };
        self.pair.observe_pair(Observed::Unmet(format!("{}: it is not so: {}", complaint.text, complaint.found)));
        self.complaints.push(complaint);
    }
}

fn ask(pair: &mut SimulatedPair, node: usize, request: Request) {
    pair.request(node, request);
}

/// Each direction that is meant.
fn each(ways: &Directions, mut act: impl FnMut(usize, usize)) {
    ways.media.iter().for_each(|medium| ways.from.iter().for_each(|from| act(*medium, *from)));
}

fn cut(pair: &mut SimulatedPair, ways: &Directions, is_cut: bool) {
    let verb = if is_cut { "cut" } else { "mend" };
    for medium in &ways.media {
        let name = pair.media()[*medium].id.to_string();
        if let [from] = ways.from[..] {
            let to = pair.media()[*medium].ping_node.as_ref().map_or(pair.name(1 - from), |host| host.as_str());
            pair.remark(&format!("{verb} {name} {}>{to}", pair.name(from)));
            pair.cut(*medium, from, is_cut);
        } else {
            if is_cut {
                pair.observe_pair(Observed::Cut(pair.media()[*medium].id.clone()));
            } else {
                pair.remark(&format!("mend {name}"));
            }
            pair.cut_both(*medium, is_cut);
            if !is_cut && pair.media()[*medium].ping_node.is_some() {
                [0, 1].into_iter().for_each(|node| pair.cut_ping(&name, node, PingDirection::Back, false));
            }
        }
    }
}

fn cut_ping(pair: &mut SimulatedPair, host: &str, nodes: &[usize], ways: &[PingDirection], is_cut: bool) {
    let verb = if is_cut { "cut" } else { "mend" };
    let direction = match (nodes, ways) {
        ([node], [PingDirection::There]) => format!(" {}>{host}", pair.name(*node)),
        ([node], [PingDirection::Back]) => format!(" {host}>{}", pair.name(*node)),
        _ => String::new(),
    };
    pair.remark(&format!("{verb} {host}{direction}"));
    nodes.iter().for_each(|node| ways.iter().for_each(|way| pair.cut_ping(host, *node, *way, is_cut)));
}

/// Whether it is so; of the notes those from `read` on are looked at.
fn is_so(what: &Expectation, pair: &SimulatedPair, read: &Cell<usize>) -> bool {
    let groups = || 0..pair.groups().len();
    match what {
        Expectation::Home => groups().all(|group| pair.is_home(group)),
        Expectation::Once => groups().all(|group| pair.location(group).is_once()),
        Expectation::Served => pair.is_served(),
        Expectation::Unserved => !pair.is_served(),
        Expectation::Runs(node, words) => pair.running(*node) == *words,
        Expectation::MayRun(node, words) => pair.may_run(*node) == *words,
        Expectation::Answered => pair.pending_requests().is_empty(),
        Expectation::Both => pair.is_doubled(),
        Expectation::NotBoth => !pair.is_doubled(),
        Expectation::NeverBoth => pair.doubles().is_empty() && !pair.is_doubled(),
        Expectation::Said(node, text) => has_new(pair, *node, text, read),
        Expectation::NeverSaid(node, text) => !has_new(pair, *node, text, &Cell::new(0)),
        Expectation::Reply(node, text) => {
            let is_it = |observation: &Observation| matches!(&observation.what, Observed::Replied(said) if format!("{said:?}").contains(text));
            pair.observations().iter().any(|observation| observation.node == Some(*node) && is_it(observation))
        }
        Expectation::Silent(node) => !pair.is_on(*node),
    }
}

/// Whether a node's part of the notes not yet read contains a text.
fn has_new(pair: &SimulatedPair, node: usize, text: &str, read: &Cell<usize>) -> bool {
    let observations = pair.observations();
    let new = observations.get(read.replace(observations.len())..).unwrap_or_default();
    new.iter().any(|observation| observation.node == Some(node) && observation.what.text().contains(text))
}

impl SimulatedPair {
    /// Whether all of a group runs on its own node and nothing of it elsewhere.
    pub fn is_home(&self, group: usize) -> bool {
        let owner = self.groups().get(group).and_then(|group| self.node(&group.owner));
        owner.is_some_and(|owner| self.location(group).is_once() && self.location(group).whole[owner])
    }

    /// Whether no node decides or moves anything.
    pub fn is_settled(&self) -> bool {
        let at_rest = |node: usize| self.hosts[node].original.as_ref().is_none_or(|original| original.is_settled());
        let mut on = (0..2).filter_map(|node| self.cluster(node));
        (0..2).all(at_rest)
            && on.all(|cluster| cluster.is_active() && !cluster.is_moving() && cluster.view(self.now()).stable)
    }

    /// Lets time pass until a node that runs has beaten a moment ago: whatever befalls it then is noticed last.
    pub fn run_to_beat(&mut self, node: usize) {
        let patience = self.settings(node).keepalive * 2;
        let from = self.now();
        if self.is_on(node) {
            self.run_until(patience, |pair| pair.last_beat(node) > from);
        }
    }

    /// What runs where, and what may.
    fn in_words(&self) -> String {
        let of_node = |node: usize| {
            let (words, name) = (self.running(node), self.name(node));
            let mut may: Vec<String> = self.may_run(node);
            may.retain(|word| !words.contains(word));
            let runs = if words.is_empty() { "nothing".to_owned() } else { words.join(" ") };
            let perhaps = if may.is_empty() { String::new() } else { format!(" and perhaps {}", may.join(" ")) };
            format!("{name} runs {runs}{perhaps}")
        };
        format!("{}, {}", of_node(0), of_node(1))
    }
}
