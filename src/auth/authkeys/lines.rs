//! The lines of `authkeys` as words with their places (`config.md` 5). Judges nothing.

use std::ops::Range;

use crate::diagnostic::SourceText;

use super::super::Method;

/// One line without its newline.
pub(super) struct Line<'a> {
    pub(super) number: usize,
    /// Where it stands in the file.
    pub(super) span: Range<usize>,
    text: &'a str,
}

/// What a line is, by its first character.
pub(super) enum Kind<'a> {
    /// Empty or a comment.
    Blank,
    Auth(Auth),
    /// Begins with `a` but does not scan.
    BadAuth,
    Entry(Entry<'a>),
    Unreadable,
}

/// `auth N`; N is any number here.
pub(super) struct Auth {
    pub(super) number: i64,
    pub(super) span: Range<usize>,
}

/// `N METHOD [SECRET] [ignored words]`.
pub(super) struct Entry<'a> {
    pub(super) number: i64,
    pub(super) number_span: Range<usize>,
    pub(super) method: Word<'a>,
    pub(super) secret: Option<Word<'a>>,
    pub(super) rest: Option<Range<usize>>,
}

/// A word and where it stands in the file.
pub(super) struct Word<'a> {
    pub(super) text: &'a str,
    pub(super) span: Range<usize>,
}

/// The lines of a file, numbered from 1.
pub(super) fn split(text: &str) -> impl Iterator<Item = Line<'_>> {
    let mut start = 0;
    text.split_inclusive('\n').enumerate().map(move |(index, piece)| {
        let line = piece.strip_suffix('\n').unwrap_or(piece);
        let span = start..start + line.len();
        start += piece.len();
        Line { number: index + 1, span, text: line }
    })
}

/// The same text with everything that may be a secret starred out, byte for byte in place, so that a complaint can
/// show the line it is about. Words that are safe stay: `auth`, numbers and method names; comments go too, for old keys
/// are often kept in them.
pub fn redact(source: &SourceText) -> SourceText {
    let mut text = String::with_capacity(source.text.len());
    for piece in source.text.split_inclusive('\n') {
        let mut rest = piece;
        while let Some(start) = rest.find(|c: char| !is_space(c)) {
            let end = rest[start..].find(is_space).map_or(rest.len(), |length| start + length);
            let word = &rest[start..end];
            text.push_str(&rest[..start]);
            if is_harmless(word) {
                text.push_str(word);
            } else {
                text.extend(std::iter::repeat_n('*', word.len()));
            }
            rest = &rest[end..];
        }
        text.push_str(rest);
    }
    SourceText { name: source.name.clone(), text }
}

fn is_harmless(word: &str) -> bool {
    let short_number = word.len() <= 2 && word.bytes().all(|byte| byte.is_ascii_digit());
    short_number || matches!(word, "auth" | "#") || Method::from_name(word).is_some()
}

impl<'a> Line<'a> {
    /// Bytes the original reads at once; what is longer becomes two lines there.
    pub(super) const MAX: usize = 5119;

    pub(super) fn too_long(&self) -> bool {
        self.text.len() > Line::MAX
    }

    /// Whether it begins with a byte order mark.
    pub(super) fn is_marked(&self) -> bool {
        self.number == 1 && self.text.starts_with('\u{feff}')
    }

    pub(super) fn slash_comment(&self) -> bool {
        let text = self.text.trim_start_matches(is_space);
        text.starts_with("//") || text.starts_with(';')
    }

    pub(super) fn kind(&self) -> Kind<'a> {
        let mut cursor = Cursor { rest: self.text, at: self.span.start };
        cursor.skip_space();
        match cursor.rest.chars().next() {
            None | Some('#') => Kind::Blank,
            Some('a') => cursor.auth().map_or(Kind::BadAuth, Kind::Auth),
            Some(_) => cursor.entry().map_or(Kind::Unreadable, Kind::Entry),
        }
    }
}

/// Reads words as C's `scanf` does.
struct Cursor<'a> {
    rest: &'a str,
    /// Offset of `rest` in the file.
    at: usize,
}

impl<'a> Cursor<'a> {
    fn auth(&mut self) -> Option<Auth> {
        let start = self.at;
        self.rest.starts_with("auth").then(|| self.advance("auth".len()))?;
        let number = self.number()?;
        Some(Auth { number, span: start..self.at })
    }

    fn entry(&mut self) -> Option<Entry<'a>> {
        let start = self.at;
        let number = self.number()?;
        let number_span = start..self.at;
        let method = self.word()?;
        let secret = self.word();
        let rest = self.word().map(|word| word.span.start..self.end_of_words());
        Some(Entry { number, number_span, method, secret, rest })
    }

    /// Optional white space, an optional sign, digits; a number too large to hold is merely very large.
    fn number(&mut self) -> Option<i64> {
        self.skip_space();
        let unsigned = self.rest.strip_prefix(['+', '-']).unwrap_or(self.rest);
        let digits = unsigned.bytes().take_while(u8::is_ascii_digit).count();
        let negative = self.rest.starts_with('-');
        let value = unsigned.get(..digits).filter(|text| !text.is_empty())?.parse().unwrap_or(i64::from(i32::MAX));
        self.advance(self.rest.len() - unsigned.len() + digits);
        Some(if negative { -value } else { value })
    }

    fn word(&mut self) -> Option<Word<'a>> {
        self.skip_space();
        let length = self.rest.find(is_space).unwrap_or(self.rest.len());
        let (text, start) = (self.rest.get(..length).filter(|text| !text.is_empty())?, self.at);
        self.advance(length);
        Some(Word { text, span: start..self.at })
    }

    fn end_of_words(&self) -> usize {
        self.at + self.rest.trim_end_matches(is_space).len()
    }

    fn skip_space(&mut self) {
        let trimmed = self.rest.trim_start_matches(is_space);
        self.advance(self.rest.len() - trimmed.len());
    }

    fn advance(&mut self, bytes: usize) {
        self.rest = self.rest.get(bytes..).unwrap_or("");
        self.at += bytes;
    }
}

/// White space of the C locale: a no-break space is a letter to it.
fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\u{b}' | '\u{c}' | '\r')
}
