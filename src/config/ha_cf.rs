//! `ha.cf` as read: every line applied, every problem collected (`config.md` 2 and 3). Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;
use std::time::Duration;

use crate::cluster::AutoFailback;
use crate::diagnostic::{Place, Problem, SourceText};
use crate::names::NodeName;

use super::access::{ApiRule, Fence, Respawn};
use super::directive::{Apply, Directive, default_of, suggestion};
use super::facts::Facts;
use super::line::{self, Line, Word};
use super::media::MediumSpec;
use super::value;

/// A value and the word it came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Given<T> {
    /// The value.
    pub value: T,
    /// Where it was written.
    pub place: Place,
}

/// What the lines of `ha.cf` say, before anything is checked against anything else.
#[derive(Clone, Debug)]
pub struct HaCf {
    /// Every scalar directive as written, the last word winning; `crm` is recorded as `pacemaker`.
    pub written: BTreeMap<&'static str, Given<String>>,
    /// The nodes in file order.
    pub nodes: Vec<Given<NodeName>>,
    /// The media in file order.
    pub media: Vec<Given<MediumSpec>>,
    /// Those of them that this machine lacks now, each with what was said of it.
    pub lacking: Vec<(MediumSpec, Problem)>,
    /// `keepalive`
    pub keepalive: Duration,
    /// `deadtime`
    pub deadtime: Duration,
    /// `warntime`
    pub warntime: Option<Duration>,
    /// `initdead`
    pub initdead: Option<Duration>,
    /// `deadping`
    pub deadping: Option<Duration>,
    /// `auto_failback`, after `nice_failback` had its say.
    pub auto_failback: AutoFailback,
    /// `hopfudge`
    pub hopfudge: u8,
    /// `max_rexmit_delay`
    pub max_rexmit_delay: Duration,
    /// `udpport` as it stands now; each kind of medium keeps the one of its first medium.
    pub udpport: u16,
    /// `baud` as it stands now.
    pub baud: u32,
    /// What each kind of medium was fixed to at its first medium: directive to port or speed.
    pub fixed: BTreeMap<&'static str, Given<u32>>,
    /// `debug`
    pub debug: u8,
    /// `rtprio`
    pub rtprio: Option<u8>,
    /// `respawn` and `failfast`
    pub respawn: Vec<Given<Respawn>>,
    /// `apiauth`
    pub apiauth: Vec<Given<ApiRule>>,
    /// `env`
    pub env: Vec<(String, String)>,
    /// `stonith` and `stonith_host`: those that concern this node, in the order they are tried.
    pub fences: Vec<Given<Fence>>,
    /// The yes-or-no directives that were written: name to value.
    pub flags: BTreeMap<&'static str, bool>,
    /// Directives that somebody tried to give and got wrong: that they are missing need not be said.
    pub broken: BTreeSet<&'static str>,
}

impl Default for HaCf {
    /// What the table of directives says.
    fn default() -> HaCf {
        HaCf {
            written: BTreeMap::new(),
            nodes: Vec::new(),
            media: Vec::new(),
            lacking: Vec::new(),
            keepalive: time("keepalive"),
            deadtime: time("deadtime"),
            warntime: None,
            initdead: None,
            deadping: None,
            auto_failback: AutoFailback::Legacy,
            hopfudge: number("hopfudge"),
            max_rexmit_delay: Duration::from_millis(number("max_rexmit_delay")),
            udpport: number("udpport"),
            baud: number("baud"),
            fixed: BTreeMap::new(),
            debug: number("debug"),
            rtprio: None,
            respawn: Vec::new(),
            apiauth: Vec::new(),
            env: Vec::new(),
            fences: Vec::new(),
            flags: BTreeMap::new(),
            broken: BTreeSet::new(),
        }
    }
}

/// The default of a directive that takes a time.
fn time(directive: &str) -> Duration {
    value::duration(default_of(directive)).unwrap_or_default()
}

/// The default of a directive that takes a number.
fn number<N: FromStr + Default>(directive: &str) -> N {
    default_of(directive).parse().unwrap_or_default()
}

impl HaCf {
    /// A scalar as written.
    pub fn text(&self, directive: &str) -> Option<&str> {
        self.written.get(directive).map(|given| given.value.as_str())
    }

    /// Where a scalar was written last.
    pub fn place(&self, directive: &str) -> Option<Place> {
        self.written.get(directive).map(|given| given.place.clone())
    }

    /// A yes-or-no directive, or what holds without it.
    pub fn flag(&self, directive: &str) -> bool {
        let given = self.flags.get(directive).copied();
        given.unwrap_or_else(|| value::boolean(default_of(directive)) == Ok(true))
    }

    /// `use_logd`, or what the original assumes: its logging daemon when nothing says where the log goes.
    pub fn uses_logd(&self) -> bool {
        self.flags.get("use_logd").copied().unwrap_or_else(|| !self.has_log_target())
    }

    /// Whether `logfile`, `debugfile` or `logfacility` is given; the facility `none` is no target.
    pub fn has_log_target(&self) -> bool {
        ["logfile", "debugfile", "logfacility"].iter().any(|name| self.text(name).is_some_and(|word| word != "none"))
    }

    /// The nodes' names in file order, each once.
    pub fn node_names(&self) -> Vec<NodeName> {
        let mut names: Vec<NodeName> = Vec::new();
        for node in &self.nodes {
            if !names.contains(&node.value) {
                names.push(node.value.clone());
            }
        }
        names
    }

    /// `warntime`, or half of deadtime.
    pub fn effective_warntime(&self) -> Duration {
        self.warntime.unwrap_or(Duration::from_millis(u64::try_from(self.deadtime.as_millis() / 2).unwrap_or(u64::MAX)))
    }

    /// `initdead`, or what the original computes: 12 s, twice deadtime, or deadtime.
    pub fn effective_initdead(&self) -> Duration {
        self.initdead.unwrap_or_else(|| match self.deadtime {
            short if short < Duration::from_secs(6) => Duration::from_secs(12),
            middling if middling <= Duration::from_secs(10) => middling * 2,
            long => long,
        })
    }

    /// `deadping`, or deadtime.
    pub fn effective_deadping(&self) -> Duration {
        self.deadping.unwrap_or(self.deadtime)
    }
}

/// Reads a file of directives: the state so far, and the complaints.
pub struct Reader<'a> {
    /// The file being read.
    pub source: &'a SourceText,
    /// The machine it is for.
    pub facts: &'a dyn Facts,
    /// What was read so far.
    pub cf: HaCf,
    /// What was found wrong so far.
    pub problems: Vec<Problem>,
}

impl<'a> Reader<'a> {
    /// Takes note of a complaint.
    pub fn push(&mut self, problem: Problem) {
        self.problems.push(problem);
    }

    /// An error at a word.
    pub fn error(&self, word: &Word<'_>, what: impl Into<String>) -> Problem {
        word.error(self.source, what)
    }

    /// A warning at a word.
    pub fn warning(&self, word: &Word<'_>, what: impl Into<String>) -> Problem {
        word.warning(self.source, what)
    }

    /// Records a scalar as written, and warns when it overrides an earlier line.
    pub fn record(&mut self, directive: &'static str, word: &Word<'_>) {
        let earlier = self.cf.written.get(directive).map(|given| (given.value.clone(), given.place.line));
        if let Some((value, line)) = earlier {
            let other = if line == word.line { "the word before it".to_owned() } else { format!("line {line}") };
            let what = format!("{directive} {} overrides {directive} {value} from {other}", word.text);
            self.push(self.warning(word, what).remedy("keep one of them"));
        }
        let place = Place { line: word.line, span: word.span.clone() };
        self.cf.written.insert(directive, Given { value: word.text.to_owned(), place });
    }

    fn apply(&mut self, directives: &'static [Directive], line: &Line<'_>) {
        let Some(directive) = directives.iter().find(|directive| directive.name == line.directive.text) else {
            let (problem, meant) = unknown(self.source, directives, line);
            self.cf.broken.extend(meant);
            return self.push(problem);
        };
        let before = self.problems.len();
        match directive.apply {
            Apply::EachWord(apply) => {
                let words = line.list();
                if words.is_empty() {
                    self.push(empty(self.source, directive, line));
                }
                for word in &words {
                    apply(self, directive, word);
                }
            }
            Apply::WholeLine(apply) => apply(self, directive, line),
        }
        if self.problems[before..].iter().any(Problem::is_fatal) {
            self.cf.broken.insert(directive.name);
        }
    }
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
        reader.apply(directives, line);
    }
    (reader.cf, reader.problems)
}

/// The complaint about a word that is no directive, and the directive that was probably meant.
fn unknown(source: &SourceText, directives: &'static [Directive], line: &Line<'_>) -> (Problem, Option<&'static str>) {
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

fn empty(source: &SourceText, directive: &Directive, line: &Line<'_>) -> Problem {
    let consequence = match directive.default {
        Some(default) => format!("the default {default} stays in force"),
        None => "the line does nothing".to_owned(),
    };
    line.directive
        .warning(source, format!("\"{}\" has no value: {consequence}", directive.name))
        .remedy("give it a value or remove the line")
}
