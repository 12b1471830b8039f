//! Finding messages in the byte stream of a serial line (`wire.md` 1.1 and 7, `serial`).
//!
//! Bytes come in pieces, with noise between and within. Unlike the original, a `>>>` line inside a message begins anew,
//! so that a damaged end mark costs one message and not two.

use super::classic::{END, START};
use super::reject::Reject;

/// A message on the wire is shorter than this many bytes.
pub const MAX_MESSAGE: usize = 262_144;

/// A message on a serial line is at most this long, marks included; at 19200 baud that is half a minute.
pub const MAX_SERIAL_FRAME: usize = 65_536;

/// Cuts a stream into messages, from `>>>` to `<<<`; holds at most [`MAX_SERIAL_FRAME`] bytes.
#[derive(Clone, Debug, Default)]
pub struct Framer {
    /// Outside a message: the last bytes seen, fewer than four. Inside: everything since its `>>>`.
    held: Vec<u8>,
    inside: bool,
    noise: u64,
}

impl Framer {
    /// A framer that has seen nothing.
    pub fn new() -> Framer {
        Framer::default()
    }

    /// Takes the next bytes and returns the messages they complete, each beginning `>>>\n` and ending `<<<\n`. They are
    /// neither checked nor read. [`Reject::TooLong`] says that a message without an end was given up.
    pub fn push(&mut self, bytes: &[u8]) -> Vec<Result<Vec<u8>, Reject>> {
        bytes.iter().filter_map(|&byte| self.step(byte)).collect()
    }

    /// Bytes seen so far that belonged to no message: a wrong speed shows here.
    pub fn noise(&self) -> u64 {
        self.noise
    }

    /// Whether a message has begun and not yet ended.
    pub(super) fn is_inside(&self) -> bool {
        self.inside
    }

    /// The line hung up: what was begun will not be finished.
    pub fn hang_up(&mut self) {
        self.noise += self.held.len() as u64;
        self.held.clear();
        self.inside = false;
    }

    fn step(&mut self, byte: u8) -> Option<Result<Vec<u8>, Reject>> {
        self.held.push(byte);
        if !self.inside {
            self.search(byte);
            return None;
        }
        if self.line_is(&END[..3]) {
            self.inside = false;
            self.held.push(b'\n');
            return Some(Ok(std::mem::take(&mut self.held)));
        }
        if self.line_is(START) {
            self.noise += (self.held.len() - START.len()) as u64;
            self.held = START.to_vec();
        }
        if self.held.len() < MAX_SERIAL_FRAME {
            return None;
        }
        self.inside = false;
        self.noise += self.held.len() as u64;
        self.held = Vec::new();
        Some(Err(Reject::TooLong(MAX_SERIAL_FRAME)))
    }

    /// Outside a message, `>>>` counts wherever it stands: the byte before it may be noise of a port being opened.
    fn search(&mut self, byte: u8) {
        if self.held == START {
            self.inside = true;
        } else if !START.starts_with(&self.held) {
            let kept = if byte == b'>' { self.held.len().min(START.len()) - 1 } else { 0 };
            // The newline after an end mark is not noise.
            self.noise += (self.held.len() - kept) as u64 - u64::from(byte == b'\n' && self.held.len() == 1);
            self.held.drain(..self.held.len() - kept);
        }
    }

    /// Whether the line begun last is so far exactly `text`.
    fn line_is(&self, text: &[u8]) -> bool {
        self.held.strip_suffix(text).is_some_and(|before| before.last() == Some(&b'\n'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The messages found in these pieces.
    fn frames(pieces: &[&str]) -> Vec<String> {
        let mut framer = Framer::new();
        let found = pieces.iter().flat_map(|piece| framer.push(piece.as_bytes()));
        found.map(|frame| String::from_utf8(frame.unwrap()).unwrap()).collect()
    }

    #[test]
    fn messages_arrive_whole_however_the_line_crumbles_them() {
        let stream = ">>>\na=1\n<<<\n>>>\nb=2\n<<<\n";
        let crumbs: Vec<String> = stream.chars().map(String::from).collect();
        let crumbs: Vec<&str> = crumbs.iter().map(String::as_str).collect();
        assert_eq!(frames(&[stream]), [">>>\na=1\n<<<\n", ">>>\nb=2\n<<<\n"]);
        assert_eq!(frames(&crumbs), frames(&[stream]));
    }

    #[test]
    fn a_message_is_whole_at_its_end_mark_before_the_newline_came() {
        assert_eq!(frames(&[">>>\na=1\n<<<"]), [">>>\na=1\n<<<\n"]);
    }

    #[test]
    fn noise_between_messages_is_skipped() {
        for noise in ["noise\n", "\0", ">", ">>", ">>>", ">>>>", "<<<\n", ">>\n", "\u{1}>>"] {
            let stream = format!("{noise}>>>\na=1\n<<<\n{noise}>>>\nb=2\n<<<\n");
            assert_eq!(frames(&[&stream]), [">>>\na=1\n<<<\n", ">>>\nb=2\n<<<\n"], "{noise:?}");
        }
    }

    #[test]
    fn a_damaged_end_mark_costs_one_message_not_two() {
        assert_eq!(frames(&[">>>\na=1\n<x<\n>>>\nb=2\n<<<\n"]), [">>>\nb=2\n<<<\n"]);
        assert_eq!(frames(&[">>>\na=1\n<<>>>\n>>>\nb=2\n<<<\n"]), [">>>\nb=2\n<<<\n"]);
    }

    #[test]
    fn marks_within_a_line_are_part_of_the_value() {
        assert_eq!(frames(&[">>>\na=<<<\nb=>>>\n<<<\n"]), [">>>\na=<<<\nb=>>>\n<<<\n"]);
    }

    #[test]
    fn a_message_without_end_is_given_up_and_the_next_one_found() {
        let mut framer = Framer::new();
        let mut found = framer.push(b">>>\n");
        for _ in 0..70 {
            found.extend(framer.push(&[b'x'; 1000]));
            assert!(framer.held.capacity() <= 2 * MAX_SERIAL_FRAME);
        }
        assert_eq!(found, [Err(Reject::TooLong(MAX_SERIAL_FRAME))]);
        assert_eq!(framer.push(b">>>\na=1\n<<<\n"), [Ok(b">>>\na=1\n<<<\n".to_vec())]);
    }

    #[test]
    fn noise_is_counted_and_a_clean_line_has_none() {
        let mut framer = Framer::new();
        framer.push(b">>>\na=1\n<<<\n>>>\na=1\n<<<\n");
        assert_eq!(framer.noise(), 0);
        framer.push(b"12345>>>\na=1\n<<<\n");
        assert_eq!(framer.noise(), 5);
    }
}
