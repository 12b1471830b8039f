//! Complaints a person can act on: file, line, what is wrong, what would be right. Pure.

use std::fmt;
use std::ops::Range;

use crate::printable;

/// One configuration file as read: the path people know it by, and its text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SourceText {
    /// The path printed in front of each complaint, such as `/etc/ha.d/ha.cf`.
    pub name: String,
    /// The whole file.
    pub text: String,
}

impl SourceText {
    /// Pairs a path with its text.
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> SourceText {
        SourceText { name: name.into(), text: text.into() }
    }

    /// The path as the original prints it: it joins directory and file with one slash too many.
    pub fn original_name(&self) -> String {
        match self.name.rsplit_once('/') {
            Some((dir, name)) => format!("{dir}//{name}"),
            None => self.name.clone(),
        }
    }
}

/// How bad a [`Problem`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Legal but unwise; the daemon starts.
    Warning,
    /// The daemon refuses to start, or does without what it is about ([`Problem::alone`]).
    Error,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Severity::Warning => "warning",
            Severity::Error => "error",
        })
    }
}

/// Where in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Line number, from 1.
    pub line: usize,
    /// Bytes of the *file's text* that the caret points at.
    pub span: Range<usize>,
}

/// One complaint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The file's path as printed.
    pub file: String,
    /// Where in it; `None` when it is about the whole file.
    pub place: Option<Place>,
    /// Error or warning.
    pub severity: Severity,
    /// It costs what it is about, one group or one program, and the daemon starts without that.
    pub alone: bool,
    /// The files may be right: this machine lacks what it is about now, and the daemon waits for it.
    pub lacking: bool,
    /// What is wrong, in our words.
    pub what: String,
    /// What would be right.
    pub remedy: Option<String>,
    /// The phrase the original prints, where people grep for it (`config.md` 3).
    pub original: Option<String>,
}

impl Problem {
    /// An error about the whole file; refine with the `at`, `remedy` and `original` methods.
    pub fn error(file: impl Into<String>, what: impl Into<String>) -> Problem {
        Problem {
            file: file.into(),
            place: None,
            severity: Severity::Error,
            alone: false,
            lacking: false,
            what: what.into(),
            remedy: None,
            original: None,
        }
    }

    /// A warning about the whole file.
    pub fn warning(file: impl Into<String>, what: impl Into<String>) -> Problem {
        Problem { severity: Severity::Warning, ..Problem::error(file, what) }
    }

    /// Says that the daemon starts all the same, without what this is about.
    #[must_use]
    pub fn alone(mut self) -> Problem {
        self.alone = true;
        self
    }

    /// Says that the machine lacks it now and may have it later: the daemon starts without it and waits.
    #[must_use]
    pub fn lacking(mut self) -> Problem {
        self.lacking = true;
        self.alone()
    }

    /// Whether the daemon does not start with it.
    pub fn is_fatal(&self) -> bool {
        self.is_error() && !self.alone
    }

    /// Says where.
    #[must_use]
    pub fn at(mut self, line: usize, span: Range<usize>) -> Problem {
        self.place = Some(Place { line, span });
        self
    }

    /// Says what would be right.
    #[must_use]
    pub fn remedy(mut self, remedy: impl Into<String>) -> Problem {
        self.remedy = Some(remedy.into());
        self
    }

    /// Adds the original's phrase.
    #[must_use]
    pub fn original(mut self, phrase: impl Into<String>) -> Problem {
        self.original = Some(phrase.into());
        self
    }

    /// Whether this keeps the daemon from starting.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

/// One line: `ha.cf:12: error: "10x" is not a duration (try 10 or 500ms) [original phrase]`.
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = format!("{}:", self.file);
        if let Some(place) = &self.place {
            text += &format!("{}:", place.line);
        }
        text += &format!(" {}: {}", self.severity, self.what);
        if let Some(remedy) = &self.remedy {
            text += &format!(" ({remedy})");
        }
        if let Some(original) = &self.original {
            text += &format!(" [{original}]");
        }
        // It repeats words of a file, and names of files.
        f.write_str(&printable::line(&text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_prints_place_remedy_and_the_original_phrase() {
        let problem = Problem::error("ha.cf", "unknown directive \"deadtme\"")
            .at(12, 0..7)
            .remedy("did you mean \"deadtime\"?")
            .original("Illegal directive [deadtme] in ha.cf");
        assert_eq!(
            problem.to_string(),
            "ha.cf:12: error: unknown directive \"deadtme\" (did you mean \"deadtime\"?) \
             [Illegal directive [deadtme] in ha.cf]"
        );
    }
}
