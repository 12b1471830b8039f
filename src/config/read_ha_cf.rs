//! `ha.cf` line by line: every line applied, every problem collected (`config.md` 2 and 3). Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

use crate::cluster::AutoFailback;
use crate::diagnostic::{Problem, SourceText};

use super::directive::{default_of, suggestion};
use super::line::{self, FileLine};
use super::reader::Reader;
use super::{Apply, Directive, Duration, Facts, HaCf, value};

impl Default for HaCf {
    /// What the table of directives says.
    fn default() -> HaCf {
        HaCf {
            written: BTreeMap::new(),
            nodes: Vec::new(),
            media: Vec::new(),
            lacking: Vec::new(),
            times: BTreeMap::new(),
            numbers: BTreeMap::new(),
            auto_failback: AutoFailback::Legacy,
            udpport: number("udpport"),
            baud: number("baud"),
            fixed: BTreeMap::new(),
            respawn: Vec::new(),
            apiauth: Vec::new(),
            env: Vec::new(),
            fences: Vec::new(),
            flags: BTreeMap::new(),
            broken: BTreeSet::new(),
        }
    }
}

impl HaCf {
    /// A yes-or-no directive, or what holds without it.
    pub fn flag(&self, directive: &str) -> bool {
        let given = self.flags.get(directive).copied();
        given.unwrap_or_else(|| value::boolean(default_of(directive)) == Ok(true))
    }

    /// A time that was written.
    pub fn given_time(&self, directive: &str) -> Option<Duration> {
        self.times.get(directive).copied()
    }

    /// A directive that takes a time, or what the table has it to be.
    pub fn time(&self, directive: &str) -> Duration {
        self.given_time(directive).unwrap_or_else(|| value::duration(default_of(directive)).unwrap_or_default())
    }

    /// A directive that takes a number, or what the table has it to be.
    pub fn number(&self, directive: &str) -> u64 {
        self.numbers.get(directive).copied().unwrap_or_else(|| number(directive))
    }

    /// `warntime`, or half of deadtime.
    pub fn effective_warntime(&self) -> Duration {
        let half = || Duration::from_millis(u64::try_from(self.time("deadtime").as_millis() / 2).unwrap_or(u64::MAX));
        self.given_time("warntime").unwrap_or_else(half)
    }

    /// `initdead`, or what the original computes: 12 s, twice deadtime, or deadtime.
    pub fn effective_initdead(&self) -> Duration {
        self.given_time("initdead").unwrap_or_else(|| match self.time("deadtime") {
            short if short < Duration::from_secs(6) => Duration::from_secs(12),
            middling if middling <= Duration::from_secs(10) => middling * 2,
            long => long,
        })
    }

    /// `deadping`, or deadtime.
    pub fn effective_deadping(&self) -> Duration {
        self.given_time("deadping").unwrap_or_else(|| self.time("deadtime"))
    }
}

/// The default of a directive that takes a number.
fn number<N: FromStr + Default>(directive: &str) -> N {
    default_of(directive).parse().unwrap_or_default()
}

/// Reads `ha.cf`.
pub(super) fn parse(source: &SourceText, directives: &'static [Directive], facts: &dyn Facts) -> (HaCf, Vec<Problem>) {
    let (lines, problems) = line::read(source);
    let mut cf = HaCf::default();
    if let Some(port) = facts.udp_port_of("ha-cluster") {
        cf.udpport = port;
    }
    let mut reader = Reader { source, facts, cf, problems };
    for line in &lines {
        apply(&mut reader, directives, line);
    }
    (reader.cf, reader.problems)
}

fn apply(reader: &mut Reader<'_>, directives: &'static [Directive], line: &FileLine<'_>) {
    let Some(directive) = directives.iter().find(|directive| directive.name == line.directive.text) else {
        let (problem, meant) = unknown(reader.source, directives, line);
        reader.cf.broken.extend(meant);
        return reader.push(problem);
    };
    let before = reader.problems.len();
    match directive.apply {
        Apply::EachWord(apply) => {
            let words = line.list();
            if words.is_empty() {
                reader.push(empty(reader.source, directive, line));
            }
            for word in &words {
                apply(reader, directive, word);
            }
        }
        Apply::WholeLine(apply) => apply(reader, directive, line),
    }
    if reader.problems[before..].iter().any(Problem::is_fatal) {
        reader.cf.broken.insert(directive.name);
    }
}

/// The complaint about a word that is no directive, and the directive that was probably meant.
fn unknown(
    source: &SourceText,
    directives: &'static [Directive],
    line: &FileLine<'_>,
) -> (Problem, Option<&'static str>) {
    let word = &line.directive;
    let known = |name: &str| directives.iter().find(|directive| directive.name == name).map(|found| found.name);
    let bare = word.text.split(['=', ':', ',']).next().unwrap_or("");
    let problem = word.error(source, format!("unknown directive \"{}\"", word.text));
    let (problem, meant) = if let Some(name) = known(&word.text.to_lowercase()) {
        (problem.remedy(format!("directives are lower case: write \"{name}\"")), Some(name))
    } else if let Some(name) = known(bare).filter(|_| bare.len() < word.text.len()) {
        let glued = &word.text[bare.len() + 1..];
        let value = if glued.is_empty() { line.tail().map_or("...", |tail| tail.text) } else { glued };
        (problem.remedy(format!("write \"{name} {value}\", with white space and no \"=\" or \":\"")), Some(name))
    } else if let Some(name) = suggestion(word.text, directives) {
        (problem.remedy(format!("did you mean \"{name}\"?")), Some(name))
    } else if word.text.starts_with(|c: char| !c.is_ascii_alphabetic()) {
        (problem.remedy("a comment starts with #"), None)
    } else {
        (problem, None)
    };
    (problem.original(format!("Illegal directive [{}] in {}", word.text, source.original_name())), meant)
}

fn empty(source: &SourceText, directive: &Directive, line: &FileLine<'_>) -> Problem {
    let consequence = match directive.default {
        Some(default) => format!("the default {default} stays in force"),
        None => "the line does nothing".to_owned(),
    };
    line.directive
        .warning(source, format!("\"{}\" has no value: {consequence}", directive.name))
        .remedy("give it a value or remove the line")
}
