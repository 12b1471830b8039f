//! What a line of `ha.cf` meets (`config.md` 2): the directive it begins with, and the reader that takes note of what it
//! says and of what is wrong with it.

use crate::diagnostic::{Place, Problem, SourceText};

use super::ha_cf::Given;
use super::line::{FileLine, Word};
use super::{Facts, HaCf};

/// One directive.
pub struct Directive {
    /// The word at the start of the line.
    pub name: &'static str,
    /// What holds when it is absent, as `latido` prints it; `None` when absence means none.
    pub default: Option<&'static str>,
    /// One sentence for people.
    pub about: &'static str,
    /// What a line does.
    pub apply: Apply,
}

/// How a line reaches its directive.
#[derive(Clone, Copy)]
pub enum Apply {
    /// Once per word; white space and commas separate.
    EachWord(fn(&mut Reader<'_>, &'static Directive, &Word<'_>)),
    /// Once for the line; only white space separates.
    WholeLine(fn(&mut Reader<'_>, &'static Directive, &FileLine<'_>)),
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
}
