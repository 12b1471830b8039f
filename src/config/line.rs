//! The lexer of `ha.cf` and `latido.cf` (`config.md` 2): physical lines to words that know where they stand. Pure.

use std::ops::Range;

use crate::diagnostic::{Problem, SourceText};

/// Longest line the original reads in one piece, in bytes; it parses the rest as a line of its own.
const LONGEST_LINE: usize = 5119;

/// One word and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word<'a> {
    /// The word itself, never empty.
    pub text: &'a str,
    /// Its line, from 1.
    pub line: usize,
    /// Its bytes in the file.
    pub span: Range<usize>,
}

impl Word<'_> {
    /// An error pointing at this word.
    pub fn error(&self, source: &SourceText, what: impl Into<String>) -> Problem {
        Problem::error(&source.name, what).at(self.line, self.span.clone())
    }

    /// A warning pointing at this word.
    pub fn warning(&self, source: &SourceText, what: impl Into<String>) -> Problem {
        Problem::warning(&source.name, what).at(self.line, self.span.clone())
    }
}

/// One line that says something: its first word, and the rest without the comment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileLine<'a> {
    /// The directive's name.
    pub directive: Word<'a>,
    rest: &'a str,
    rest_at: usize,
}

impl<'a> FileLine<'a> {
    /// The words after the directive, separated by white space only (whole-line directives).
    pub fn words(&self) -> Vec<Word<'a>> {
        split(self.rest, self.rest_at, self.directive.line, is_space)
    }

    /// The words after the directive, separated by white space and commas (list directives).
    pub fn list(&self) -> Vec<Word<'a>> {
        split(self.rest, self.rest_at, self.directive.line, |c| is_space(c) || c == ',')
    }

    /// Everything after the directive as one word, without white space around it; `None` when there is nothing.
    pub fn tail(&self) -> Option<Word<'a>> {
        let text = self.rest.trim_matches(is_space);
        let at = self.rest_at + (self.rest.len() - self.rest.trim_start_matches(is_space).len());
        (!text.is_empty()).then(|| Word { text, line: self.directive.line, span: at..at + text.len() })
    }
}

/// Finds the lines that say something, and complains about what makes lines unreadable.
pub fn read(source: &SourceText) -> (Vec<FileLine<'_>>, Vec<Problem>) {
    let mut problems = Vec::new();
    let mut lines = Vec::new();
    let mut at = 0;
    for (index, physical) in source.text.split_inclusive('\n').enumerate() {
        let start = at;
        at += physical.len();
        let (physical, start) = without_bom(source, physical, start, &mut problems);
        let body = physical.strip_suffix('\n').unwrap_or(physical);
        complain_about(source, index + 1, body, start, &mut problems);
        lines.extend(line(body, start, index + 1));
    }
    (lines, problems)
}

fn without_bom<'a>(
    source: &SourceText,
    physical: &'a str,
    start: usize,
    problems: &mut Vec<Problem>,
) -> (&'a str, usize) {
    match physical.strip_prefix('\u{feff}') {
        Some(rest) if start == 0 => {
            problems.push(
                Problem::error(&source.name, "the file starts with a byte order mark")
                    .at(1, 0..3)
                    .remedy("save it as plain UTF-8 or ASCII without a BOM")
                    .original(format!("Illegal directive [\u{feff}...] in {}", source.original_name())),
            );
            (rest, 3)
        }
        _ => (physical, start),
    }
}

fn complain_about(source: &SourceText, number: usize, body: &str, start: usize, problems: &mut Vec<Problem>) {
    if body.len() > LONGEST_LINE {
        problems.push(
            Problem::error(&source.name, format!("line longer than {LONGEST_LINE} bytes ({})", body.len()))
                .at(number, start..start + body.len())
                .remedy("break it into several lines: heartbeat reads the rest as a line of its own"),
        );
    }
    let unix = body.trim_end_matches('\r');
    if let Some(cr) = unix.find('\r') {
        problems.push(
            Problem::error(&source.name, "a carriage return inside a line: these are old Mac line ends")
                .at(number, start + cr..start + cr + 1)
                .remedy("save the file with Unix line ends; heartbeat reads it all as one line"),
        );
    }
}

fn line(body: &str, start: usize, number: usize) -> Option<FileLine<'_>> {
    let end = body.find(['#', '\0']).unwrap_or(body.len());
    let text = &body[..end];
    let lead = text.len() - text.trim_start_matches(is_space).len();
    let rest = &text[lead..];
    let length = rest.find(is_space).unwrap_or(rest.len());
    if length == 0 {
        return None;
    }
    let at = start + lead;
    let directive = Word { text: &rest[..length], line: number, span: at..at + length };
    Some(FileLine { directive, rest: &rest[length..], rest_at: at + length })
}

/// What C calls white space, as far as `ha.cf` knows it; vertical tab and no-break space are letters.
pub fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n' | '\u{c}')
}

/// Splits a text standing at byte `at` of its file into words.
pub fn split(text: &str, at: usize, line: usize, separates: impl Fn(char) -> bool) -> Vec<Word<'_>> {
    let mut words = Vec::new();
    let mut start = None;
    for (index, c) in text.char_indices().chain([(text.len(), ' ')]) {
        match (start, separates(c) || index == text.len()) {
            (None, false) => start = Some(index),
            (Some(from), true) => {
                words.push(Word { text: &text[from..index], line, span: at + from..at + index });
                start = None;
            }
            (None, true) | (Some(_), false) => {}
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts<'a>(words: &[Word<'a>]) -> Vec<&'a str> {
        words.iter().map(|word| word.text).collect()
    }

    #[test]
    fn a_comment_starts_anywhere_and_commas_separate_list_words_only() {
        let source = SourceText::new("ha.cf", "# c\n\n  node a, b,c#d\nucast eth0 a,b\ndeadtime#hi 10\n");
        let (lines, problems) = read(&source);
        assert!(problems.is_empty());
        assert_eq!(lines.len(), 3);
        assert_eq!(texts(&lines[0].list()), ["a", "b", "c"]);
        assert_eq!(texts(&lines[1].words()), ["eth0", "a,b"]);
        assert_eq!(lines[1].tail().map(|tail| tail.text), Some("eth0 a,b"));
        assert!(lines[2].list().is_empty());
    }

    #[test]
    fn every_word_knows_its_bytes() {
        let source = SourceText::new("ha.cf", "\r\n\tkeepalive\t500ms \r\n");
        let (lines, _) = read(&source);
        let words = lines[0].list();
        assert_eq!(&source.text[words[0].span.clone()], "500ms");
        assert_eq!((lines[0].directive.line, &source.text[lines[0].directive.span.clone()]), (2, "keepalive"));
    }

    #[test]
    fn a_byte_order_mark_a_lone_carriage_return_and_a_huge_line_are_named() {
        let text = format!("\u{feff}node a\nnode b\rnode c\n#{}\n", "x".repeat(6000));
        let source = SourceText::new("ha.cf", text);
        let (lines, problems) = read(&source);
        assert_eq!(lines[0].directive.text, "node");
        assert_eq!(problems.len(), 3);
        assert!(problems.iter().all(Problem::is_error));
    }

    #[test]
    fn a_nul_byte_ends_the_line() {
        let source = SourceText::new("ha.cf", "node a\0 b\n");
        assert_eq!(texts(&read(&source).0[0].list()), ["a"]);
    }
}
