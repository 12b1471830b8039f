//! Reads `haresources` (`config.md` 6): one group a logical line, `\` continues it, `#` ends a physical line. Pure.
//!
//! The original has two readers that disagree. This one does what the administrator meant and says where a
//! heartbeat on the other node would do something else: a comment inside a continued entry never becomes resources
//! (`resources.md` 12.2 l), and keys are exact strings.

use std::ops::Range;

use crate::diagnostic::{Problem, SourceText};
use crate::names::NodeName;

use super::{Resource, ResourceGroup};

/// Reads the file. `nodes` are the nodes of `ha.cf`; an empty list lets every owner pass.
///
/// Groups with a usable owner are returned also when there are errors, so that all of them are found in one run.
pub fn parse(source: &SourceText, nodes: &[NodeName]) -> (Vec<ResourceGroup>, Vec<Problem>) {
    let (groups, problems) = parse_with_places(source, nodes);
    (groups.into_iter().map(|placed| placed.group).collect(), problems)
}

/// A group and where its words stand in the file.
#[derive(Clone, Debug)]
pub struct PlacedGroup {
    /// The group.
    pub group: ResourceGroup,
    /// Line and bytes of each of its resources.
    pub places: Vec<(usize, Range<usize>)>,
}

/// As [`parse`], for checks that point at single words.
pub fn parse_with_places(source: &SourceText, nodes: &[NodeName]) -> (Vec<PlacedGroup>, Vec<Problem>) {
    let mut reader = Reader { source, nodes, groups: Vec::new(), problems: Vec::new() };
    reader.read();
    reader.complain_about_repeated_keys();
    (reader.groups, reader.problems)
}

fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\u{c}')
}

/// A word of a logical line.
struct Piece {
    text: String,
    line: usize,
    span: Range<usize>,
}

/// One physical line, taken apart.
struct Physical<'a> {
    number: usize,
    /// Up to the comment, without line end and backslash.
    text: &'a str,
    /// Where `text` starts in the file.
    start: usize,
    /// The bytes of the comment, if there is one.
    comment: Option<Range<usize>>,
    /// Whether the entry goes on in the next line.
    continued: bool,
    /// What stands behind the backslash, so that the original would not see a continuation.
    behind_backslash: Option<Range<usize>>,
}

impl<'a> Physical<'a> {
    fn new(number: usize, start: usize, body: &'a str) -> Physical<'a> {
        let (text, comment) = match body.find('#') {
            Some(at) => (&body[..at], Some(start + at..start + body.len())),
            None => (body, None),
        };
        let trimmed = text.trim_end_matches(is_space);
        match trimmed.strip_suffix('\\') {
            Some(before) => {
                let exact = trimmed.len() == body.len();
                let behind = start + trimmed.len()..start + body.len();
                let behind_backslash = (!exact).then_some(behind);
                Physical { number, text: before, start, comment, continued: true, behind_backslash }
            }
            None => Physical { number, text, start, comment, continued: false, behind_backslash: None },
        }
    }

    fn is_blank(&self) -> bool {
        self.text.trim_matches(is_space).is_empty()
    }
}

struct Reader<'a> {
    source: &'a SourceText,
    nodes: &'a [NodeName],
    groups: Vec<PlacedGroup>,
    problems: Vec<Problem>,
}

impl<'a> Reader<'a> {
    fn read(&mut self) {
        let lines = self.physical_lines();
        let mut pieces: Vec<Piece> = Vec::new();
        // Whether this line continues the one before, and whether a word of that one is still open.
        let (mut inside, mut glued) = (false, false);
        for line in &lines {
            if inside {
                self.complain_about_comment(line);
            } else {
                self.complain_about_glued_comment(line);
            }
            if let Some(span) = line.behind_backslash.clone() {
                let what = "something stands behind the continuation backslash: heartbeat does not see a continuation";
                let problem = Problem::error(&self.source.name, what).at(line.number, span);
                self.problems.push(problem.remedy("let the backslash be the last character of the line"));
            }
            self.append(&mut pieces, line, glued);
            // A comment in the middle of an entry is skipped, and the entry goes on behind it.
            let skipped = inside && line.is_blank() && line.comment.is_some();
            inside = line.continued || skipped;
            glued = line.continued && !line.text.is_empty() && !line.text.ends_with(is_space);
            if !inside {
                self.finish(std::mem::take(&mut pieces));
            }
        }
        if let Some(last) = lines.last().filter(|last| last.continued) {
            let at = last.start + last.text.len();
            let problem = Problem::warning(&self.source.name, "the last line ends in a backslash, and nothing follows");
            let problem = problem.at(last.number, at..at + 1).remedy("remove it: heartbeat takes it for a resource");
            self.problems.push(problem);
        }
        self.finish(pieces);
    }

    fn physical_lines(&mut self) -> Vec<Physical<'a>> {
        let source = self.source;
        let mut lines = Vec::new();
        let (mut at, mut dos) = (0, None);
        for (index, physical) in source.text.split_inclusive('\n').enumerate() {
            let start = at;
            at += physical.len();
            let body = physical.strip_suffix('\n').unwrap_or(physical);
            let (body, start) = match body.strip_prefix('\u{feff}') {
                Some(rest) if start == 0 => {
                    self.problems.push(
                        Problem::error(&source.name, "the file starts with a byte order mark")
                            .at(1, 0..3)
                            .remedy("save it as plain UTF-8 or ASCII without a BOM")
                            .original(format!("Bad nodename in {}", source.original_name())),
                    );
                    (rest, 3)
                }
                _ => (body, start),
            };
            if body.ends_with('\r') {
                dos.get_or_insert((index + 1, start + body.len() - 1));
            }
            lines.push(Physical::new(index + 1, start, body.split('\0').next().unwrap_or(body)));
        }
        if let Some((line, at)) = dos {
            let what = "DOS line ends: heartbeat takes them for a part of the last resource and never finds its script";
            let problem = Problem::warning(&source.name, what).at(line, at..at + 1);
            self.problems.push(problem.remedy("convert the file on both nodes, for instance with: sed -i 's/\\r$//'"));
        }
        lines
    }

    fn complain_about_comment(&mut self, line: &Physical<'_>) {
        let Some(comment) = line.comment.clone() else { return };
        let problem = if line.is_blank() {
            let what = "a comment inside a continued entry: heartbeat ends the entry here";
            Problem::error(&self.source.name, what).remedy("move the comment above the entry")
        } else {
            let what = "a comment in a continuation line: heartbeat takes its words for resources";
            Problem::warning(&self.source.name, what).remedy("move the comment above the entry, on both nodes")
        };
        self.problems.push(problem.at(line.number, comment));
    }

    /// The original's daemon takes `alpha#x` for the node's name, and does not start.
    fn complain_about_glued_comment(&mut self, line: &Physical<'_>) {
        let first = line.text.trim_start_matches(is_space);
        let (Some(comment), false) = (line.comment.clone(), first.is_empty() || first.contains(is_space)) else {
            return;
        };
        let what = "a comment glued to the node's name: heartbeat takes it for a part of the name";
        let problem = Problem::error(&self.source.name, what).at(line.number, comment.clone());
        let problem = problem.remedy("put a blank before the #, and resources before it");
        let glued = self.source.text[comment].split(is_space).next().unwrap_or("#");
        let original = format!("Bad nodename in {} [{first}{glued}]", self.source.original_name());
        self.problems.push(problem.original(original));
    }

    fn append(&mut self, pieces: &mut Vec<Piece>, line: &Physical<'_>, glued: bool) {
        let mut start = None;
        for (index, c) in line.text.char_indices().chain([(line.text.len(), ' ')]) {
            match (start, is_space(c)) {
                (None, false) => start = Some(index),
                (Some(from), true) => {
                    let (text, span) = (&line.text[from..index], line.start + from..line.start + index);
                    start = None;
                    match pieces.last_mut().filter(|_| glued && from == 0) {
                        Some(open) => {
                            open.text.push_str(text);
                            let what = format!("no blank before the backslash: this is one word, \"{}\"", open.text);
                            let problem = Problem::warning(&self.source.name, what).at(line.number, span);
                            self.problems.push(problem.remedy("put a blank before the backslash"));
                        }
                        None => pieces.push(Piece { text: text.to_owned(), line: line.number, span }),
                    }
                }
                (None, true) | (Some(_), false) => {}
            }
        }
    }

    fn finish(&mut self, pieces: Vec<Piece>) {
        let Some((first, rest)) = pieces.split_first() else { return };
        let owner = NodeName::new(&first.text);
        let known = owner.as_ref().is_some_and(|owner| self.nodes.is_empty() || self.nodes.contains(owner));
        let Some(owner) = owner.filter(|_| known) else {
            return self.complain_about_owner(first);
        };
        if let Some(quoted) = rest.iter().find(|piece| piece.text.contains(['"', '\''])) {
            let what = format!("quotes keep nothing together: {} is a word by itself, quotes included", quoted.text);
            let problem = Problem::warning(&self.source.name, what).at(quoted.line, quoted.span.clone());
            let remedy = "remove the quotes; no argument can contain a blank: put it into a script of your own";
            self.problems.push(problem.remedy(remedy));
        }
        if rest.is_empty() {
            let problem = Problem::warning(&self.source.name, format!("{owner} has a line without resources"));
            let problem = problem.at(first.line, first.span.clone()).remedy("name a resource or remove the line");
            self.problems.push(problem);
        }
        let resources = rest.iter().map(|piece| Resource::from_word(&piece.text)).collect();
        let places = rest.iter().map(|piece| (piece.line, piece.span.clone())).collect();
        self.groups.push(PlacedGroup { group: ResourceGroup { owner, resources, line: first.line }, places });
    }

    fn complain_about_owner(&mut self, first: &Piece) {
        let word = &first.text;
        let names: Vec<_> = self.nodes.iter().map(NodeName::as_str).collect();
        let resource = Resource::from_word(word);
        let (what, remedy) = if resource.agent == "IPaddr" || word.contains("::") {
            let what = format!("\"{word}\" is a resource, and the node name is missing");
            (what, "a line starts with a node; an entry goes on in the next line only after a \\".to_owned())
        } else if !word.starts_with(|c: char| c.is_ascii_alphanumeric()) {
            (format!("\"{word}\" cannot be a node name"), "a comment starts with #".to_owned())
        } else {
            let what = format!("\"{word}\" is not a node of ha.cf");
            let glued = names.iter().find(|name| word.to_ascii_lowercase().starts_with(**name));
            match glued {
                Some(name) if word.as_bytes().get(name.len()).is_some_and(u8::is_ascii_digit) => {
                    (what, format!("is a blank missing after \"{name}\"?"))
                }
                _ => (what, format!("the nodes are {}; names must match exactly, domain included", names.join(", "))),
            }
        };
        let problem = Problem::error(&self.source.name, what).at(first.line, first.span.clone()).remedy(remedy);
        self.problems.push(problem.original(format!("Bad nodename in {} [{word}]", self.source.original_name())));
    }

    fn complain_about_repeated_keys(&mut self) {
        let mut found = Vec::new();
        for (index, placed) in self.groups.iter().enumerate() {
            for (position, (resource, (line, span))) in placed.group.resources.iter().zip(&placed.places).enumerate() {
                let earlier = self.groups[..index].iter().find(|other| other.group.resources.contains(resource));
                let Some(earlier) = earlier else { continue };
                let word = &resource.word;
                let first = earlier.group.line;
                let keys = position == 0 && earlier.group.key() == word;
                let problem = if keys {
                    let what = format!("the group key {word} is already used in line {first}");
                    Problem::error(&self.source.name, what).remedy("the first resource of a line must be unique")
                } else {
                    let what = format!("{word} is also in the group of line {first}: two nodes may run it at once");
                    Problem::warning(&self.source.name, what).remedy("a resource belongs to one group")
                };
                found.push(problem.at(*line, span.clone()));
            }
        }
        self.problems.append(&mut found);
    }
}

#[cfg(test)]
mod tests;
