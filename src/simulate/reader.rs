//! From the text of a play to its commands, with a complaint that names line and remedy for each that is none.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::cluster::Set;
use crate::config::value;
use crate::diagnostic::{Problem, SourceText};
use crate::haresources::{Resource, ResourceGroup, Verb};
use crate::names::NodeName;

use super::play::{COMMANDS, Command, EXPECTATIONS, Expectation, Original, Play, Step};
use super::{Behaviour, Setting, Settings};

/// Nobody wants to see more, and nothing is to go on for ever.
const LONGEST_WAIT: Duration = Duration::from_secs(24 * 3600);
const LONGEST_PLAY: Duration = Duration::from_secs(7 * 24 * 3600);

/// What is known while a play is read.
pub(super) struct Reader<'a> {
    source: &'a SourceText,
    nodes: [&'a NodeName; 2],
    /// Of each medium its name, and whether it carries messages between the nodes.
    media: Vec<(&'a str, bool)>,
    resources: BTreeSet<Resource>,
    lasts: Duration,
}

/// A line that says something.
#[derive(Clone, Copy)]
struct Line<'a> {
    number: usize,
    text: &'a str,
}

impl<'a> Line<'a> {
    /// What follows the first `n` words.
    fn after(self, n: usize) -> &'a str {
        (0..n).fold(self.text, |rest, _| {
            let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
            rest[end..].trim_start()
        })
    }
}

impl<'a> Reader<'a> {
    pub(super) fn new(source: &'a SourceText, settings: &'a [Settings; 2], groups: &'a [ResourceGroup]) -> Reader<'a> {
        let media = settings[0].media.iter().map(|medium| (medium.id.as_str(), medium.ping_node.is_none()));
        Reader {
            source,
            nodes: [&settings[0].me, &settings[1].me],
            media: media.collect(),
            resources: groups.iter().flat_map(|group| group.resources.clone()).collect(),
            lasts: Duration::ZERO,
        }
    }

    /// The play, and everything wrong with it.
    pub(super) fn read(mut self) -> (Play, Vec<Problem>) {
        let text: &'a str = &self.source.text;
        let lines = (1..).zip(text.lines()).map(|(number, line)| Line { number, text: line.trim() });
        let lines: Vec<_> = lines.filter(|line| !line.text.is_empty() && !line.text.starts_with('#')).collect();
        let mut play = Play { settings: Vec::new(), groups: Vec::new(), seed: None, steps: Vec::new() };
        let mut problems = Vec::new();
        // Resources are known before anything is done with them, wherever their lines stand.
        let is_first = |line: &Line<'_>| matches!(line.text.split_whitespace().next(), Some("group" | "set" | "seed"));
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

    /// `group`, `set` and `seed`.
    fn circumstance(&self, line: Line<'a>, play: &mut Play) -> Result<(), Problem> {
        match line.text.split_whitespace().collect::<Vec<_>>()[..] {
            ["group", owner, _, ..] => {
                let owner = self.nodes[self.node(line, owner)?].clone();
                let resources = line.after(2).split_whitespace().map(Resource::from_word).collect();
                play.groups.push(ResourceGroup { owner, resources, line: line.number });
            }
            ["set", name, ref values @ ..] if !values.is_empty() => {
                let setting = Setting::parse(name, values);
                play.settings.push(setting.map_err(|flaw| self.flaw(line, line.after(1), flaw))?);
            }
            ["seed", number] => play.seed = Some(self.number(line, number, u32::MAX)?.into()),
            _ => return Err(self.misused(line)),
        }
        Ok(())
    }

    #[allow(clippy::too_many_lines, reason = "one arm a command: the language's dictionary")]
    fn command(&mut self, line: Line<'a>) -> Result<Command, Problem> {
        use Command as C;
        let words: Vec<&'a str> = line.text.split_whitespace().collect();
        let node = |name| self.node(line, name);
        Ok(match words[..] {
            ["promises"] => C::Promises,
            ["chapter", _, ..] => C::Chapter(line.after(1).to_owned()),
            ["start", ref names @ ..] if !names.is_empty() => C::Start(self.nodes(line, names)?),
            ["leave", ref names @ ..] if !names.is_empty() => C::Leave(self.nodes(line, names)?),
            ["power-off", name] => C::PowerOff(node(name)?),
            ["kill", name] => C::Kill(node(name)?),
            ["upgrade", name] => C::Upgrade(node(name)?),
            ["stall", name, time] => C::Stall(node(name)?, self.time(line, time)?),
            ["cut", medium] => C::Cut(self.media(line, medium)?, true),
            ["mend", medium] => C::Cut(self.media(line, medium)?, false),
            ["loss", share] => C::Loss(self.number(line, share, 100)?.into()),
            ["standby", name, set] => C::Standby(node(name)?, self.set(line, set)?),
            ["takeover", name, set] => C::Takeover(node(name)?, self.set(line, set)?),
            ["retry", name, group] => C::Retry(node(name)?, self.resource(line, group)?),
            ["reload", name, owner, _, ..] => {
                node(owner)?;
                self.resources.extend(line.after(3).split_whitespace().map(Resource::from_word));
                C::Reload(self.node(line, name)?, line.after(2).to_owned())
            }
            ["dies", name, word] => C::Dies(node(name)?, self.resource(line, word)?),
            ["comes-up", name, word] => C::ComesUp(node(name)?, self.resource(line, word)?),
            ["fails", name, word, verb] => {
                C::Misbehave(node(name)?, self.resource(line, word)?, self.verb(line, verb)?, Behaviour::Fails)
            }
            ["hangs", name, word, verb] => {
                C::Misbehave(node(name)?, self.resource(line, word)?, self.verb(line, verb)?, Behaviour::Hangs)
            }
            ["scripts-work"] => C::ScriptsWork,
            ["scripts-take", time] => C::ScriptsTake(self.time(line, time)?),
            ["fence-fails", times] => C::FenceFails(self.number(line, times, 1_000_000)?),
            ["replay-to", name] => C::ReplayTo(node(name)?),
            ["fifo", name, _, ..] => C::Fifo(node(name)?, line.after(2).to_owned()),
            ["original", name, "starts", status] => C::Original(node(name)?, Original::Starts(status.to_owned())),
            ["original", name, "is", status] => C::Original(node(name)?, Original::Is(status.to_owned())),
            ["original", name, "says", _, ..] => C::Original(node(name)?, Original::Says(line.after(3).to_owned())),
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
    fn expectation(&self, line: Line<'a>, skip: usize) -> Result<Expectation, Problem> {
        use Expectation as E;
        let words: Vec<&'a str> = line.text.split_whitespace().skip(skip).collect();
        let node = |name| self.node(line, name);
        let rest = |n: usize| line.after(skip + n).to_owned();
        Ok(match words[..] {
            ["home"] => E::Home,
            ["once"] => E::Once,
            ["both"] => E::Both,
            ["not", "both"] => E::NotBoth,
            ["never", "both"] => E::NeverBoth,
            ["silent", name] => E::Silent(node(name)?),
            ["reply", name, _, ..] => E::Reply(node(name)?, rest(2)),
            [name, "runs", "nothing"] => E::Runs(node(name)?, Vec::new()),
            [name, "runs", ref words @ ..] if !words.is_empty() => {
                let mut words = words.iter().map(|word| self.resource(line, word)).collect::<Result<Vec<_>, _>>()?;
                words.sort();
                E::Runs(node(name)?, words)
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
    fn misused(&self, line: Line<'a>) -> Problem {
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

    fn nodes(&self, line: Line<'a>, names: &[&'a str]) -> Result<Vec<usize>, Problem> {
        names.iter().map(|name| self.node(line, name)).collect()
    }

    fn node(&self, line: Line<'a>, name: &'a str) -> Result<usize, Problem> {
        let found = self.nodes.iter().position(|known| known.as_str().eq_ignore_ascii_case(name));
        let [one, other] = self.nodes;
        let unknown = || self.problem(line, name, format!("\"{name}\" is no node")).remedy(format!("{one} or {other}"));
        found.ok_or_else(unknown)
    }

    fn media(&self, line: Line<'a>, name: &'a str) -> Result<Vec<usize>, Problem> {
        let meant = |(_, (known, beats)): &(usize, &(&str, bool))| *known == name || (name == "all" && *beats);
        let found: Vec<_> = self.media.iter().enumerate().filter(meant).map(|(at, _)| at).collect();
        if !found.is_empty() {
            return Ok(found);
        }
        let known: Vec<_> = self.media.iter().map(|(name, _)| *name).chain(["all"]).collect();
        Err(self.problem(line, name, format!("\"{name}\" is no medium")).remedy(known.join(", ")))
    }

    /// A resource as written in `haresources`, or the name of its script where that is plain.
    fn resource(&self, line: Line<'a>, word: &'a str) -> Result<String, Problem> {
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

    fn set(&self, line: Line<'a>, word: &'a str) -> Result<Set, Problem> {
        let unknown = || self.problem(line, word, format!("\"{word}\" is no set of groups"));
        Set::from_text(word).ok_or_else(|| unknown().remedy("all, local or foreign"))
    }

    fn verb(&self, line: Line<'a>, word: &'a str) -> Result<Verb, Problem> {
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

    fn number(&self, line: Line<'a>, word: &'a str, most: u32) -> Result<u32, Problem> {
        let number = word.parse().ok().filter(|number| *number <= most);
        let flaw = || self.problem(line, word, format!("\"{word}\" is no number up to {most}"));
        number.ok_or_else(|| flaw().remedy(format!("a whole number from 0 to {most}")))
    }

    fn time(&self, line: Line<'a>, word: &'a str) -> Result<Duration, Problem> {
        let time = value::duration(word).map_err(|flaw| self.flaw(line, word, flaw))?;
        if time > LONGEST_WAIT {
            let problem = self.problem(line, word, format!("\"{word}\" is longer than a day"));
            return Err(problem.remedy("at most 86400 at a time"));
        }
        Ok(time)
    }

    /// Time that passes in the play.
    fn passing(&mut self, line: Line<'a>, word: &'a str) -> Result<Duration, Problem> {
        let time = self.time(line, word)?;
        self.lasts += time;
        if self.lasts > LONGEST_PLAY {
            let problem = self.problem(line, word, "by here the play lasts longer than a week");
            return Err(problem.remedy("shorter times, or several plays"));
        }
        Ok(time)
    }

    fn flaw(&self, line: Line<'a>, part: &'a str, flaw: value::Flaw) -> Problem {
        self.problem(line, part, flaw.what).remedy(flaw.remedy)
    }

    /// A complaint about a part of the text.
    fn problem(&self, line: Line<'a>, part: &'a str, what: impl Into<String>) -> Problem {
        // `part` is a slice of the text: the distance of the two is its place.
        let start = (part.as_ptr() as usize).saturating_sub(self.source.text.as_ptr() as usize);
        Problem::error(&self.source.name, what).at(line.number, start..start + part.len())
    }
}
