//! From the text of a play to its commands, with a complaint that names line and remedy for each that is none.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::diagnostic::{Problem, SourceText};
use crate::haresources::{Resource, ResourceGroup};
use crate::names::NodeName;

use super::play::{COMMANDS, Command, EXPECTATIONS, Expectation, Original, Play, Reload, Step};
use super::{Behaviour, NonCoreSettings, NotesFault, Setting, Settings, Version};

/// A line that says something.
#[derive(Clone, Copy)]
pub(super) struct PlayLine<'a> {
    pub(super) number: usize,
    pub(super) text: &'a str,
}

impl<'a> PlayLine<'a> {
    /// What follows the first `n` words.
    pub(super) fn after(self, n: usize) -> &'a str {
        (0..n).fold(self.text, |rest, _| {
            let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
            rest[end..].trim_start()
        })
    }
}

impl Play {
    /// Reads a play for nodes with these settings, both naming the same media, and these groups.
    ///
    /// # Errors
    /// Everything that is wrong with it, in the order of its lines.
    pub fn parse(
        source: &SourceText,
        settings: &[Settings; 2],
        groups: &[ResourceGroup],
    ) -> Result<Play, Vec<Problem>> {
        Play::parse_with(source, settings, groups, &NonCoreSettings::default())
    }

    /// The same with these programs and ping groups.
    ///
    /// # Errors
    /// Everything that is wrong with it, in the order of its lines.
    pub fn parse_with(
        source: &SourceText,
        settings: &[Settings; 2],
        groups: &[ResourceGroup],
        non_core: &NonCoreSettings,
    ) -> Result<Play, Vec<Problem>> {
        let (mut play, problems) = Reader::new(source, settings, groups, non_core).read();
        play.non_core = non_core.clone();
        if problems.is_empty() { Ok(play) } else { Err(problems) }
    }
}

/// What is known while a play is read.
pub(super) struct Reader<'a> {
    pub(super) source: &'a SourceText,
    pub(super) nodes: [&'a NodeName; 2],
    /// Of each medium its name, and whether it carries messages between the nodes.
    pub(super) media: Vec<(&'a str, bool)>,
    /// The hosts of ping groups.
    pub(super) members: Vec<String>,
    pub(super) resources: BTreeSet<Resource>,
    pub(super) lasts: Duration,
}

impl<'a> Reader<'a> {
    pub(super) fn new(
        source: &'a SourceText,
        settings: &'a [Settings; 2],
        groups: &'a [ResourceGroup],
        non_core: &NonCoreSettings,
    ) -> Reader<'a> {
        let media = settings[0].media.iter().map(|medium| (medium.id.as_str(), medium.ping_node.is_none()));
        Reader {
            source,
            nodes: [&settings[0].me, &settings[1].me],
            media: media.collect(),
            members: non_core.ping_groups.iter().flat_map(|(_, hosts)| hosts.clone()).collect(),
            resources: groups.iter().flat_map(|group| group.resources.clone()).collect(),
            lasts: Duration::ZERO,
        }
    }

    /// The play, and everything wrong with it.
    pub(super) fn read(mut self) -> (Play, Vec<Problem>) {
        let text: &'a str = &self.source.text;
        let lines = (1..).zip(text.lines()).map(|(number, line)| PlayLine { number, text: line.trim() });
        let lines: Vec<_> = lines.filter(|line| !line.text.is_empty() && !line.text.starts_with('#')).collect();
        let mut play = Play {
            settings: Vec::new(),
            groups: Vec::new(),
            seed: None,
            steps: Vec::new(),
            non_core: NonCoreSettings::default(),
        };
        let mut problems = Vec::new();
        // Resources are known before anything is done with them, wherever their lines stand.
        let is_first =
            |line: &PlayLine<'_>| matches!(line.text.split_whitespace().next(), Some("group" | "set" | "seed"));
        let (first, steps): (Vec<_>, Vec<_>) = lines.into_iter().partition(is_first);
        for line in first {
            if let Err(problem) = self.circumstance(line, &mut play) {
                problems.push(problem);
            }
        }
        self.resources.extend(play.groups.iter().flat_map(|group| group.resources.clone()));
        for line in steps {
            match self.command(line) {
                Ok(command) => play.steps.push(Step { line: line.number, text: line.text.to_owned(), command }),
                Err(problem) => problems.push(problem),
            }
        }
        problems.sort_by_key(|problem| problem.place.as_ref().map(|place| place.line));
        (play, problems)
    }

    /// `group` and `set`.
    fn circumstance(&mut self, line: PlayLine<'a>, play: &mut Play) -> Result<(), Problem> {
        match line.text.split_whitespace().collect::<Vec<_>>()[..] {
            ["group", owner, _, ..] => {
                let owner = self.nodes[self.node(line, owner)?].clone();
                let resources = line.after(2).split_whitespace().map(Resource::from_word).collect();
                play.groups.push(ResourceGroup { owner, resources, line: line.number });
            }
            ["set", name, ref values @ ..] if !values.is_empty() => {
                let setting = match self.node(line, name) {
                    Ok(node) => (Some(node), self.setting(line, 2)?),
                    Err(_) => (None, self.setting(line, 1)?),
                };
                match &setting {
                    (Some(_), Setting::Ping(_) | Setting::PingGroup(..)) => return Err(self.one_sided(line)),
                    (None, Setting::Ping(_)) => self.media.extend(values.first().map(|host| (*host, false))),
                    (None, Setting::PingGroup(_, hosts)) => {
                        self.media.extend(values.first().map(|name| (*name, false)));
                        self.members.extend(hosts.clone());
                    }
                    _ => {}
                }
                play.settings.push(setting);
            }
            ["seed", number] => play.seed = Some(self.number(line, number, u32::MAX)?.into()),
            _ => return Err(self.misused(line)),
        }
        Ok(())
    }

    #[allow(clippy::too_many_lines, reason = "one arm a command: the language's dictionary")]
    fn command(&mut self, line: PlayLine<'a>) -> Result<Command, Problem> {
        use Command as C;
        let words: Vec<&'a str> = line.text.split_whitespace().collect();
        let node = |name| self.node(line, name);
        Ok(match words[..] {
            ["promises"] => C::Promises,
            ["chapter", _, ..] => C::Chapter(line.after(1).to_owned()),
            ["start", ref names @ ..] if !names.is_empty() => C::Start(self.nodes(line, names)?),
            ["leave", ref names @ ..] if !names.is_empty() => C::Leave(self.nodes(line, names)?),
            ["power-off", name] => C::PowerOff(node(name)?),
            ["remark", _, ..] => C::Remark(line.after(1).to_owned()),
            ["restarts", name, time] => C::Restarts(node(name)?, self.time(line, time)?),
            ["suspend", name, time] => C::Suspend(node(name)?, self.time(line, time)?),
            ["freeze", name, time] => C::Freeze(node(name)?, self.time(line, time)?),
            ["clock", name, seconds] => C::Clock(node(name)?, self.seconds(line, seconds)?),
            ["slow-start", name, time] => C::SlowStart(node(name)?, self.time(line, time)?),
            ["notes-take", name, time] => C::NotesTake(node(name)?, self.time(line, time)?),
            ["notes", name, "lost"] => C::Notes(node(name)?, NotesFault::Lost),
            ["notes", name, "old"] => C::Notes(node(name)?, NotesFault::Old),
            ["notes", name, "unreadable"] => C::Notes(node(name)?, NotesFault::Unreadable),
            ["generation", name, number] => C::Generation(node(name)?, self.number(line, number, u32::MAX)?.into()),
            ["kill", name] => C::Kill(node(name)?),
            ["upgrade", name] => C::Upgrade(node(name)?),
            ["stall", name, time] => C::Stall(node(name)?, self.time(line, time)?),
            ["cut", medium, ref way @ ..] if way.len() < 2 => self.cut(line, medium, way, true)?,
            ["mend", medium, ref way @ ..] if way.len() < 2 => self.cut(line, medium, way, false)?,
            ["unplug", name, ref medium @ ..] if medium.len() < 2 => self.plug(line, name, medium, true)?,
            ["plug", name, ref medium @ ..] if medium.len() < 2 => self.plug(line, name, medium, false)?,
            ["ipfail-dies", name] => C::IpfailDies(node(name)?),
            ["loss", share, ref way @ ..] if way.len() < 3 => {
                C::Loss(self.ways_or_all(line, way)?, self.number(line, share, 100)?.into())
            }
            ["repeats", share, ref way @ ..] if way.len() < 3 => {
                C::Repeats(self.ways_or_all(line, way)?, self.number(line, share, 100)?.into())
            }
            ["reorders", share, ref way @ ..] if way.len() < 3 => {
                C::Reorders(self.ways_or_all(line, way)?, self.number(line, share, 100)?.into())
            }
            ["delay", medium, time, ref way @ ..] if way.len() < 2 => {
                C::Delay(self.ways(line, medium, way)?, self.time(line, time)?)
            }
            ["standby", name, set] => C::Standby(node(name)?, self.set(line, set)?),
            ["takeover", name, set] => C::Takeover(node(name)?, self.set(line, set)?),
            ["move", name, group] => C::Move(node(name)?, self.resource(line, group)?),
            ["retry", name, group] => C::Retry(node(name)?, self.resource(line, group)?),
            ["reload", name] => C::Reload(node(name)?, Reload::Same),
            ["reload", name, "set", _, ..] => C::Reload(node(name)?, Reload::Setting(self.changed_setting(line)?)),
            ["reload", name, _, _, ..] => C::Reload(self.node(line, name)?, Reload::Groups(self.new_groups(line)?)),
            ["edit", name, _, _, ..] => C::Edit(self.node(line, name)?, self.new_groups(line)?),
            ["dies", name, word] => C::Dies(node(name)?, self.resource(line, word)?),
            ["comes-up", name, word] => C::ComesUp(node(name)?, self.resource(line, word)?),
            ["fails", name, word, verb] => self.misbehaves(line, name, word, verb, Behaviour::Fails)?,
            ["hangs", name, word, verb] => self.misbehaves(line, name, word, verb, Behaviour::Hangs)?,
            ["lies", name, word, verb] => self.misbehaves(line, name, word, verb, Behaviour::Lies)?,
            ["silent", name, word, verb] => self.misbehaves(line, name, word, verb, Behaviour::Silent)?,
            ["unrunnable", name, word, verb] => self.misbehaves(line, name, word, verb, Behaviour::Unrunnable)?,
            ["killed", name, word, verb] => self.misbehaves(line, name, word, verb, Behaviour::Killed)?,
            ["slow", name, word, verb, time] => {
                self.misbehaves(line, name, word, verb, Behaviour::Slow(self.time(line, time)?))?
            }
            ["late", name, word, time] => {
                self.misbehaves(line, name, word, "start", Behaviour::Late(self.time(line, time)?))?
            }
            ["works", name, word] => C::Works(node(name)?, self.resource(line, word)?),
            ["scripts-work"] => C::ScriptsWork,
            ["scripts-take", time] => C::ScriptsTake(self.time(line, time)?),
            ["fence-fails", times] => C::FenceFails(self.number(line, times, 1_000_000)?),
            ["fence-takes", time] => C::FenceTakes(self.time(line, time)?),
            ["fence-hangs"] => C::FenceHangs,
            ["fence-late"] => C::FenceLate,
            ["fence-works"] => C::FenceWorks,
            ["replay-to", name] => C::ReplayTo(node(name)?),
            ["fifo", name, _, ..] => C::Fifo(node(name)?, line.after(2).to_owned()),
            ["original", name, "starts", status] => C::Original(node(name)?, Original::Starts(status.to_owned())),
            ["original", name, "is", status] => C::Original(node(name)?, Original::Is(status.to_owned())),
            ["original", name, "says", _, ..] => C::Original(node(name)?, Original::Says(line.after(3).to_owned())),
            ["original", name, "boots"] => C::Original(node(name)?, Original::Boots(Version::V3_0_6)),
            ["original", name, "boots", number] => {
                C::Original(node(name)?, Original::Boots(self.version(line, number)?))
            }
            ["original", name, "runs", ref words @ ..] => {
                C::Original(node(name)?, Original::Runs(words.iter().map(|word| (*word).to_owned()).collect()))
            }
            ["wait", time] => C::Wait(self.passing(line, time)?),
            ["settle", time] => C::Settle(self.passing(line, time)?),
            ["beat", name] => C::Beat(node(name)?),
            ["within", time, _, ..] => C::Within(self.passing(line, time)?, self.expectation(line, 2)?),
            ["expect", _, ..] => C::Expect(self.expectation(line, 1)?),
            _ => return Err(self.misused(line)),
        })
    }

    /// What stands after the first `skip` words.
    fn expectation(&self, line: PlayLine<'a>, skip: usize) -> Result<Expectation, Problem> {
        use Expectation as E;
        let words: Vec<&'a str> = line.text.split_whitespace().skip(skip).collect();
        let node = |name| self.node(line, name);
        let rest = |n: usize| line.after(skip + n).to_owned();
        Ok(match words[..] {
            ["home"] => E::Home,
            ["once"] => E::Once,
            ["served"] => E::Served,
            ["unserved"] => E::Unserved,
            ["both"] => E::Both,
            ["not", "both"] => E::NotBoth,
            ["never", "both"] => E::NeverBoth,
            ["silent", name] => E::Silent(node(name)?),
            ["reply", name, _, ..] => E::Reply(node(name)?, rest(2)),
            ["answered"] => E::Answered,
            [name, "runs", ref words @ ..] if !words.is_empty() => E::Runs(node(name)?, self.what_runs(line, words)?),
            [name, "may", "run", ref words @ ..] if !words.is_empty() => {
                E::MayRun(node(name)?, self.what_runs(line, words)?)
            }
            [name, "said", _, ..] => E::Said(node(name)?, rest(2)),
            [name, "never", "said", _, ..] => E::NeverSaid(node(name)?, rest(3)),
            _ => {
                let known: Vec<_> = EXPECTATIONS.iter().map(|(words, _)| *words).collect();
                let what = format!("\"{}\" cannot be expected", line.after(skip));
                return Err(self.problem(line, line.after(skip), what).remedy(known.join("; ")));
            }
        })
    }

    /// A command that does not exist, or not with these words.
    pub(super) fn misused(&self, line: PlayLine<'a>) -> Problem {
        let name = line.text.split_whitespace().next().unwrap_or_default();
        match COMMANDS.iter().find(|(usage, _)| usage.split(' ').next() == Some(name)) {
            Some((usage, does)) => self
                .problem(line, line.text, format!("`{name}` is not used like this"))
                .remedy(format!("{usage}: {does}")),
            None => {
                let names: Vec<_> = COMMANDS.iter().filter_map(|(usage, _)| usage.split(' ').next()).collect();
                self.problem(line, name, format!("\"{name}\" is no command")).remedy(names.join(", "))
            }
        }
    }
}
