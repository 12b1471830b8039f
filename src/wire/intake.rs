//! From a medium's bytes to messages worth hearing (`wire.md` 2 and 7), counting what is refused.

use std::collections::BTreeMap;

use crate::auth::{KeyId, Keyring};
use crate::names::MediumId;

use super::classic::START;
use super::frame::Framer;
use super::message::Message;
use super::reject::{Cause, Reject};
use super::seal::open_signed;

/// Where all bytes from outside enter: one framer for each serial line, the keys, and what was refused on each medium.
#[derive(Debug)]
pub struct Intake {
    keyring: Keyring,
    media: BTreeMap<MediumId, IntakeMedium>,
}

/// A message that was rightly signed, and the number of the key it was signed with.
pub(super) type Signed = (Message, KeyId);

#[derive(Debug, Default)]
struct IntakeMedium {
    framer: Framer,
    counters: IntakeCounters,
}

/// What came in on one medium.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IntakeCounters {
    /// Messages that were whole and rightly signed, our own coming back included.
    pub accepted: u64,
    /// Refused, by cause; a cause that never occurred is absent.
    pub rejected: BTreeMap<Cause, u64>,
    /// Bytes on a serial line that belonged to no message.
    pub noise: u64,
}

impl Intake {
    /// An intake that believes these keys.
    pub fn new(keyring: Keyring) -> Intake {
        Intake { keyring, media: BTreeMap::new() }
    }

    /// Believes other keys from now on; half a message already read from a serial line stays.
    pub fn set_keyring(&mut self, keyring: Keyring) {
        self.keyring = keyring;
    }

    /// The keys believed now, one of which signs.
    pub fn keyring(&self) -> &Keyring {
        &self.keyring
    }

    /// Takes what one read of a medium gave: the pieces of a `stream` (a serial line), or else one whole datagram.
    pub fn take(&mut self, medium: &MediumId, stream: bool, bytes: &[u8]) -> Vec<Result<Signed, Reject>> {
        let keyring = &self.keyring;
        let IntakeMedium { framer, counters } = match self.media.get_mut(medium) {
            Some(known) => known,
            None => self.media.entry(medium.clone()).or_default(),
        };
        let results = if stream {
            let frames = framer.push(bytes);
            counters.noise = framer.noise();
            frames.into_iter().map(|frame| open_frame(&frame?, keyring)).collect()
        } else {
            vec![open_signed(bytes, keyring)]
        };
        results.iter().for_each(|result| counters.count(result.as_ref().err()));
        results
    }

    /// Forgets half a message of a serial line that hung up.
    pub fn hung_up(&mut self, medium: &MediumId) {
        if let Some(known) = self.media.get_mut(medium) {
            known.framer.hang_up();
        }
    }

    /// What came in on a medium so far.
    pub fn counters_of(&self, medium: &MediumId) -> IntakeCounters {
        self.media.get(medium).map_or_else(IntakeCounters::default, |known| known.counters.clone())
    }

    /// What came in on each medium that gave anything so far.
    pub fn counters(&self) -> impl Iterator<Item = (&MediumId, &IntakeCounters)> {
        self.media.iter().map(|(id, medium)| (id, &medium.counters))
    }
}

impl IntakeCounters {
    /// All refusals.
    pub fn rejected_total(&self) -> u64 {
        self.rejected.values().sum()
    }

    fn count(&mut self, reject: Option<&Reject>) {
        match reject {
            None => self.accepted += 1,
            Some(reject) => *self.rejected.entry(reject.cause()).or_default() += 1,
        }
    }
}

/// Opens what a serial line gave. When noise ate the newline before a `>>>`, the frame is broken, with a whole message at
/// its end: that one is tried before giving up.
fn open_frame(frame: &[u8], keyring: &Keyring) -> Result<Signed, Reject> {
    open_signed(frame, keyring).or_else(|reject| {
        let inner = frame.windows(START.len()).rposition(|window| window == START).filter(|&at| at > 0);
        inner.and_then(|at| open_signed(frame.get(at..)?, keyring).ok()).ok_or(reject)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::Method;
    use crate::wire::{Form, Kind, seal};

    fn one() -> KeyId {
        KeyId::new(1).unwrap()
    }

    fn ring(secret: &str) -> Keyring {
        Keyring::single(one(), Method::Sha1, secret)
    }

    fn eth0() -> MediumId {
        MediumId::new("eth0")
    }

    fn tty() -> MediumId {
        MediumId::new("/dev/ttyS0")
    }

    fn status() -> Message {
        Message::new(&Kind::Status).with("src", "alpha")
    }

    #[test]
    fn a_datagram_is_a_message_and_a_stream_is_crumbs() {
        let mut intake = Intake::new(ring("s"));
        let bytes = seal(&status(), &ring("s"), Form::ClassicNul);
        assert_eq!(intake.take(&eth0(), false, &bytes), [Ok((status(), one()))]);
        let line = seal(&status(), &ring("s"), Form::Classic);
        let (head, tail) = line.split_at(50);
        assert_eq!(intake.take(&tty(), true, head), []);
        assert_eq!(intake.take(&tty(), true, tail), [Ok((status(), one()))]);
    }

    #[test]
    fn a_message_that_follows_a_ruin_is_heard() {
        let mut intake = Intake::new(ring("s"));
        let line = seal(&status(), &ring("s"), Form::Classic);
        let mut stream = line[..line.len() - 5].to_vec();
        stream.extend_from_slice(b"\x05x");
        stream.extend_from_slice(&line);
        assert_eq!(intake.take(&tty(), true, &stream), [Ok((status(), one()))]);
    }

    #[test]
    fn refusals_are_counted_by_cause_and_medium() {
        let mut intake = Intake::new(ring("s"));
        intake.take(&eth0(), false, b"GET / HTTP/1.0\r\n");
        intake.take(&eth0(), false, &seal(&status(), &ring("other"), Form::ClassicNul));
        intake.take(&tty(), true, b"noise");
        let counted: Vec<_> = intake.counters().map(|(id, counters)| (id.as_str(), counters.clone())).collect();
        let rejected = BTreeMap::from([(Cause::NotAMessage, 1), (Cause::BadSignature, 1)]);
        let expected = [
            ("/dev/ttyS0", IntakeCounters { noise: 5, ..IntakeCounters::default() }),
            ("eth0", IntakeCounters { rejected, ..IntakeCounters::default() }),
        ];
        assert_eq!(counted, expected);
    }

    #[test]
    fn new_keys_count_from_the_next_message_on() {
        let mut intake = Intake::new(ring("old"));
        let bytes = seal(&status(), &ring("new"), Form::Netstring);
        assert!(intake.take(&eth0(), false, &bytes)[0].is_err());
        intake.set_keyring(ring("new"));
        assert_eq!(intake.take(&eth0(), false, &bytes), [Ok((status(), one()))]);
    }

    #[test]
    fn half_a_message_does_not_survive_a_hang_up() {
        let mut intake = Intake::new(ring("s"));
        intake.take(&tty(), true, b">>>\nt=status\n");
        intake.hung_up(&tty());
        assert_eq!(intake.take(&tty(), true, b"<<<\n"), []);
    }
}
