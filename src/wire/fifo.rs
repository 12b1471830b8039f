//! Unsigned messages that scripts on this machine write into the FIFO (`wire.md` 1.6).

use super::classic;
use super::field;
use super::frame::Framer;
use super::message::Message;
use super::reject::{Malformed, Reject};

/// Reads the FIFO's bytes as they come, in pieces of any size; bounded like a serial line.
#[derive(Clone, Debug, Default)]
pub struct FifoReader {
    framer: Framer,
}

impl FifoReader {
    /// A reader that has seen nothing.
    pub fn new() -> FifoReader {
        FifoReader::default()
    }

    /// Takes the next bytes and returns the messages they complete, each with a type.
    pub fn push(&mut self, bytes: &[u8]) -> Vec<Result<Message, Reject>> {
        self.framer.push(bytes).into_iter().map(|frame| read(&frame?)).collect()
    }
}

/// The messages in one whole read of the FIFO; a last one without its end is an error.
pub fn parse_fifo(bytes: &[u8]) -> Vec<Result<Message, Reject>> {
    let mut reader = FifoReader::new();
    let mut found = reader.push(bytes);
    if reader.framer.is_inside() {
        found.push(Err(Malformed::EarlyEnd.into()));
    }
    found
}

fn read(frame: &[u8]) -> Result<Message, Reject> {
    let message = classic::decode(frame)?;
    match message.get(field::T) {
        Some(kind) if !kind.is_empty() => Ok(message),
        _ => Err(Malformed::NoType.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Kind;

    #[test]
    fn several_messages_in_one_read_are_all_heard() {
        let found = parse_fifo(b">>>\nt=hb_takeover\ninfo=me\n<<<\n>>>\nt=x\n<<<\n");
        let expected = [Message::new(&Kind::HbTakeover).with("info", "me"), Message::new(&Kind::Other("x".into()))];
        assert_eq!(found, expected.map(Ok));
    }

    #[test]
    fn a_message_in_two_reads_is_one_message() {
        let mut reader = FifoReader::new();
        assert_eq!(reader.push(b">>>\nt=sta"), []);
        assert_eq!(reader.push(b"tus\n<<<\n"), [Ok(Message::new(&Kind::Status))]);
    }

    #[test]
    fn a_message_without_type_or_end_is_said_to_be_wrong() {
        assert_eq!(parse_fifo(b">>>\ninfo=me\n<<<\n"), [Err(Malformed::NoType.into())]);
        assert_eq!(parse_fifo(b">>>\nt=\n<<<\n"), [Err(Malformed::NoType.into())]);
        assert_eq!(parse_fifo(b">>>\nnonsense\n<<<\n"), [Err(Malformed::NoName.into())]);
        assert_eq!(parse_fifo(b">>>\nt=status\n"), [Err(Malformed::EarlyEnd.into())]);
        assert_eq!(parse_fifo(b"echo\n"), []);
    }
}
