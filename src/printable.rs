//! Text from outside made fit for a terminal and for one line of a log: what would move a cursor, change a colour, end a
//! line or turn the order of letters is shown by its number. Pure.

use std::borrow::Cow;
use std::fmt::Write as _;

use serde_json::Value;

/// Whether a letter does something to whoever shows it instead of being shown.
fn acts(letter: char) -> bool {
    // C0, DEL and C1; then line ends of other alphabets and what turns the direction of writing.
    letter.is_control()
        || matches!(letter, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn escaped(text: &str, stays: impl Fn(char) -> bool) -> Cow<'_, str> {
    let is_bad = |letter: char| acts(letter) && !stays(letter);
    if !text.contains(is_bad) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for letter in text.chars() {
        match u32::from(letter) {
            number if is_bad(letter) && number < 0x100 => {
                let _ = write!(out, "\\x{number:02x}");
            }
            number if is_bad(letter) => {
                let _ = write!(out, "\\u{{{number:x}}}");
            }
            _ => out.push(letter),
        }
    }
    Cow::Owned(out)
}

/// On one line.
pub fn line(text: &str) -> Cow<'_, str> {
    escaped(text, |letter| letter == '\t')
}

/// On as many lines as it has.
pub fn lines(text: &str) -> Cow<'_, str> {
    escaped(text, |letter| matches!(letter, '\t' | '\n'))
}

/// Each text in a JSON document, and each name, on one line.
pub fn clean(value: &mut Value) {
    match value {
        Value::String(text) => {
            if let Cow::Owned(fit) = line(text) {
                *text = fit;
            }
        }
        Value::Array(all) => all.iter_mut().for_each(clean),
        Value::Object(map) => {
            map.values_mut().for_each(clean);
            if map.keys().any(|name| matches!(line(name), Cow::Owned(_))) {
                *map = std::mem::take(map).into_iter().map(|(name, value)| (line(&name).into_owned(), value)).collect();
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// The same number of bytes, none of which acts: for a text other things point into.
pub fn in_place(text: &str) -> Cow<'_, str> {
    let is_bad = |letter: char| acts(letter) && !matches!(letter, '\t' | '\n' | '\r');
    if !text.contains(is_bad) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        if is_bad(letter) { (0..letter.len_utf8()).for_each(|_| out.push('?')) } else { out.push(letter) }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn nothing_moves_a_cursor_forges_a_line_or_turns_the_letters() {
        let nasty = "a\x1b[2Jb\x07c\rd\u{9b}31me\u{202e}f\u{2028}g\x7fh";
        let fit = r"a\x1b[2Jb\x07c\x0dd\x9b31me\u{202e}f\u{2028}g\x7fh";
        assert_eq!(line(nasty), fit);
        assert_eq!(line("two\nlines\ttab"), "two\\x0alines\ttab");
        assert_eq!(lines("two\nlines\x1b"), "two\nlines\\x1b");
        assert!(matches!(line("gr\u{fc}n \u{1f600} \u{5d0}"), Cow::Borrowed(_)), "letters of all alphabets stay");
    }

    #[test]
    fn documents_are_cleaned_in_every_corner() {
        let mut value = json!({"a": ["x\x1b"], "b\n": {"c": "\u{9b}"}, "n": 1});
        clean(&mut value);
        assert_eq!(value, json!({"a": ["x\\x1b"], "b\\x0a": {"c": "\\x9b"}, "n": 1}));
    }

    proptest! {
        #[test]
        fn no_text_acts_once_it_is_fit(text in any::<String>()) {
            prop_assert!(!line(&text).contains(|letter| acts(letter) && letter != '\t'));
            prop_assert_eq!(in_place(&text).len(), text.len());
        }
    }
}
