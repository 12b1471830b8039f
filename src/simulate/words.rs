//! The words of a play: nodes, media and their directions, resources, numbers and times, each with its complaint.

use std::time::Duration;

use crate::cluster::Set;
use crate::config::value;
use crate::diagnostic::Problem;
use crate::haresources::{Resource, Verb};

use super::pings::PingDirection;
use super::play::{Command, Directions};
use super::reader::{PlayLine, Reader};
use super::{Behaviour, Setting, Version};

/// Nobody wants to see more, and nothing is to go on for ever.
const LONGEST_WAIT: Duration = Duration::from_secs(24 * 3600);
const LONGEST_PLAY: Duration = Duration::from_secs(7 * 24 * 3600);

/// A clock is not set further than by a hundred years.
const FURTHEST: i64 = 100 * 366 * 24 * 3600;

impl<'a> Reader<'a> {
    /// Directions of a medium: one that is named, or both.
    pub(super) fn ways(&self, line: PlayLine<'a>, medium: &'a str, way: &[&'a str]) -> Result<Directions, Problem> {
        let media = self.media(line, medium)?;
        let Some(word) = way.first() else { return Ok(Directions { media, from: vec![0, 1] }) };
        let [one, other] = self.nodes.map(|node| node.as_str());
        let known = || {
            let problem = self.problem(line, word, format!("\"{word}\" is no direction"));
            problem.remedy(format!(
                "{one}>{other} or {other}>{one}; of a ping host {one}>HOST, {other}>HOST, HOST>{one} or HOST>{other}"
            ))
        };
        let (from, to) = word.split_once('>').ok_or_else(known)?;
        let from = self.nodes.iter().position(|node| node.as_str().eq_ignore_ascii_case(from)).ok_or_else(known)?;
        let is_ping = self.media.iter().any(|(name, beats)| *name == medium && !beats);
        let ends_there = if is_ping { to == medium } else { self.nodes[1 - from].as_str().eq_ignore_ascii_case(to) };
        if ends_there { Ok(Directions { media, from: vec![from] }) } else { Err(known()) }
    }

    /// `cut` and `mend`: of a medium between the nodes, of a ping host, or of one host of a ping group.
    pub(super) fn cut(
        &self,
        line: PlayLine<'a>,
        name: &'a str,
        way: &[&'a str],
        is_cut: bool,
    ) -> Result<Command, Problem> {
        let is_medium = self.media.iter().any(|(known, _)| *known == name);
        let is_ping = self.media.iter().any(|(known, beats)| *known == name && !beats);
        let is_member = self.members.iter().any(|member| member == name) && !is_medium;
        let back = way.first().and_then(|word| word.split_once('>')).filter(|(from, _)| *from == name);
        match back {
            Some((_, to)) if is_ping || is_member => {
                Ok(Command::CutPing(name.to_owned(), vec![self.node(line, to)?], vec![PingDirection::Back], is_cut))
            }
            _ if is_member => {
                let (nodes, ways) = match way.first().map(|word| (*word, word.split_once('>'))) {
                    None => (vec![0, 1], vec![PingDirection::There, PingDirection::Back]),
                    Some((_, Some((from, to)))) if to == name => {
                        (vec![self.node(line, from)?], vec![PingDirection::There])
                    }
                    Some((word, _)) => {
                        let problem = self.problem(line, word, format!("\"{word}\" is no direction"));
                        return Err(problem.remedy(format!("NODE>{name} or {name}>NODE")));
                    }
                };
                Ok(Command::CutPing(name.to_owned(), nodes, ways, is_cut))
            }
            _ => Ok(Command::Cut(self.ways(line, name, way)?, is_cut)),
        }
    }

    /// `unplug` and `plug`: a node, and the medium that goes over the same cable.
    pub(super) fn plug(
        &self,
        line: PlayLine<'a>,
        name: &'a str,
        medium: &[&'a str],
        is_cut: bool,
    ) -> Result<Command, Problem> {
        let node = self.node(line, name)?;
        let place = |word: &&'a str| match self.media(line, word)?[..] {
            [place] if self.media[place].1 => Ok(place),
            _ => {
                let problem = self.problem(line, word, format!("\"{word}\" is not one medium between the nodes"));
                Err(problem.remedy(self.beating()))
            }
        };
        Ok(Command::Plug(node, medium.first().map(place).transpose()?, is_cut))
    }

    fn beating(&self) -> String {
        let names: Vec<_> = self.media.iter().filter(|(_, beats)| *beats).map(|(name, _)| *name).collect();
        names.join(", ")
    }

    /// The same where no medium need be named.
    pub(super) fn ways_or_all(&self, line: PlayLine<'a>, words: &[&'a str]) -> Result<Directions, Problem> {
        match words {
            [] => self.ways(line, "all", &[]),
            [medium, way @ ..] => self.ways(line, medium, way),
        }
    }

    /// A setting whose name is the word at this place.
    pub(super) fn setting(&self, line: PlayLine<'a>, place: usize) -> Result<Setting, Problem> {
        let words: Vec<&'a str> = line.after(place).split_whitespace().collect();
        let [name, values @ ..] = &words[..] else { return Err(self.misused(line)) };
        Setting::parse(name, values).map_err(|flaw| self.flaw(line, line.after(place), flaw))
    }

    /// A setting that a daemon finds changed.
    pub(super) fn changed_setting(&self, line: PlayLine<'a>) -> Result<Setting, Problem> {
        let setting = self.setting(line, 3)?;
        if setting.is_for_ever() {
            let problem =
                self.problem(line, line.after(3), "a daemon opens its media only when it starts, and ipfail with them");
            return Err(problem.remedy("set ping HOST or set ipfail USER, for the whole play"));
        }
        Ok(setting)
    }

    /// A ping host of one node only.
    pub(super) fn one_sided(&self, line: PlayLine<'a>) -> Problem {
        let problem = self.problem(line, line.after(1), "both nodes have the same media");
        problem.remedy("set ping HOST; cut HOST NODE>HOST takes it from one of them")
    }

    /// Groups as they are to be found in a file, one a line.
    pub(super) fn new_groups(&mut self, line: PlayLine<'a>) -> Result<String, Problem> {
        let mut lines = Vec::new();
        for group in line.after(2).split(';').map(str::trim).filter(|group| !group.is_empty()) {
            let [owner, resources @ ..] = &group.split_whitespace().collect::<Vec<_>>()[..] else { continue };
            self.node(line, owner)?;
            if resources.is_empty() {
                return Err(self.misused(line));
            }
            self.resources.extend(resources.iter().map(|word| Resource::from_word(word)));
            lines.push(group);
        }
        Ok(lines.join("\n"))
    }

    pub(super) fn misbehaves(
        &self,
        line: PlayLine<'a>,
        node: &'a str,
        word: &'a str,
        verb: &'a str,
        how: Behaviour,
    ) -> Result<Command, Problem> {
        let (node, word) = (self.node(line, node)?, self.resource(line, word)?);
        Ok(Command::Misbehave(node, word, self.verb(line, verb)?, how))
    }

    /// Resources, in order, or `nothing`.
    pub(super) fn what_runs(&self, line: PlayLine<'a>, words: &[&'a str]) -> Result<Vec<String>, Problem> {
        if words == ["nothing"] {
            return Ok(Vec::new());
        }
        let mut words = words.iter().map(|word| self.resource(line, word)).collect::<Result<Vec<_>, _>>()?;
        words.sort();
        Ok(words)
    }

    /// Seconds by which a clock is set.
    pub(super) fn seconds(&self, line: PlayLine<'a>, word: &'a str) -> Result<i64, Problem> {
        let number = word.parse().ok().filter(|number: &i64| number.abs() <= FURTHEST);
        let flaw = || self.problem(line, word, format!("\"{word}\" is no number of seconds"));
        number.ok_or_else(|| flaw().remedy("a whole number such as 3600 or -3600, at most a hundred years"))
    }

    pub(super) fn nodes(&self, line: PlayLine<'a>, names: &[&'a str]) -> Result<Vec<usize>, Problem> {
        names.iter().map(|name| self.node(line, name)).collect()
    }

    pub(super) fn node(&self, line: PlayLine<'a>, name: &'a str) -> Result<usize, Problem> {
        let found = self.nodes.iter().position(|known| known.as_str().eq_ignore_ascii_case(name));
        let [one, other] = self.nodes;
        let unknown = || self.problem(line, name, format!("\"{name}\" is no node")).remedy(format!("{one} or {other}"));
        found.ok_or_else(unknown)
    }

    pub(super) fn media(&self, line: PlayLine<'a>, name: &'a str) -> Result<Vec<usize>, Problem> {
        let meant = |(_, (known, beats)): &(usize, &(&str, bool))| *known == name || (name == "all" && *beats);
        let found: Vec<_> = self.media.iter().enumerate().filter(meant).map(|(at, _)| at).collect();
        if !found.is_empty() {
            return Ok(found);
        }
        let known: Vec<_> = self.media.iter().map(|(name, _)| *name).chain(["all"]).collect();
        Err(self.problem(line, name, format!("\"{name}\" is no medium")).remedy(known.join(", ")))
    }

    /// A resource as written in `haresources`, or the name of its script where that is plain.
    pub(super) fn resource(&self, line: PlayLine<'a>, word: &'a str) -> Result<String, Problem> {
        let by_agent: Vec<_> = self.resources.iter().filter(|resource| resource.agent == word).collect();
        match by_agent[..] {
            _ if self.resources.iter().any(|resource| resource.word == word) => Ok(word.to_owned()),
            [one] => Ok(one.word.clone()),
            _ => {
                let known: Vec<_> = self.resources.iter().map(|resource| resource.word.as_str()).collect();
                let remedy = if known.is_empty() { "there are none".to_owned() } else { known.join(", ") };
                Err(self.problem(line, word, format!("\"{word}\" is no resource of these groups")).remedy(remedy))
            }
        }
    }

    pub(super) fn set(&self, line: PlayLine<'a>, word: &'a str) -> Result<Set, Problem> {
        let unknown = || self.problem(line, word, format!("\"{word}\" is no set of groups"));
        Set::from_text(word).ok_or_else(|| unknown().remedy("all, local or foreign"))
    }

    pub(super) fn version(&self, line: PlayLine<'a>, word: &'a str) -> Result<Version, Problem> {
        let unknown = || self.problem(line, word, format!("\"{word}\" is no release that can be played"));
        Version::from_text(word).ok_or_else(|| unknown().remedy("3.0.6 or 2.1.3"))
    }

    pub(super) fn verb(&self, line: PlayLine<'a>, word: &'a str) -> Result<Verb, Problem> {
        match word {
            "start" => Ok(Verb::Start),
            "stop" => Ok(Verb::Stop),
            "status" => Ok(Verb::Status),
            _ => {
                let what = format!("\"{word}\" is nothing a script is asked for");
                Err(self.problem(line, word, what).remedy("start, stop or status"))
            }
        }
    }

    pub(super) fn number(&self, line: PlayLine<'a>, word: &'a str, most: u32) -> Result<u32, Problem> {
        let number = word.parse().ok().filter(|number| *number <= most);
        let flaw = || self.problem(line, word, format!("\"{word}\" is no number up to {most}"));
        number.ok_or_else(|| flaw().remedy(format!("a whole number from 0 to {most}")))
    }

    pub(super) fn time(&self, line: PlayLine<'a>, word: &'a str) -> Result<Duration, Problem> {
        let time = value::duration(word).map_err(|flaw| self.flaw(line, word, flaw))?;
        if time > LONGEST_WAIT {
            let problem = self.problem(line, word, format!("\"{word}\" is longer than a day"));
            return Err(problem.remedy("at most 86400 at a time"));
        }
        Ok(time)
    }

    /// Time that passes in the play.
    pub(super) fn passing(&mut self, line: PlayLine<'a>, word: &'a str) -> Result<Duration, Problem> {
        let time = self.time(line, word)?;
        self.lasts += time;
        if self.lasts > LONGEST_PLAY {
            let problem = self.problem(line, word, "by here the play lasts longer than a week");
            return Err(problem.remedy("shorter times, or several plays"));
        }
        Ok(time)
    }

    pub(super) fn flaw(&self, line: PlayLine<'a>, part: &'a str, flaw: value::Flaw) -> Problem {
        self.problem(line, part, flaw.what).remedy(flaw.remedy)
    }

    /// A complaint about a part of the text.
    pub(super) fn problem(&self, line: PlayLine<'a>, part: &'a str, what: impl Into<String>) -> Problem {
        // `part` is a slice of the text: the distance of the two is its place.
        let start = (part.as_ptr() as usize).saturating_sub(self.source.text.as_ptr() as usize);
        Problem::error(&self.source.name, what).at(line.number, start..start + part.len())
    }
}
