//! What we sent, for those who ask again (`wire.md` 4.3).

use std::collections::VecDeque;
use std::time::Duration;

use crate::time::Mono;
use crate::wire::{Message, Sequence, field};

/// As many numbered messages as the original keeps.
const KEPT: usize = 500;
/// Far more than are on their way at any time.
const TIMES: usize = 64;

/// Answer to somebody who missed a message.
#[derive(Debug, PartialEq)]
pub(super) enum Resend {
    /// Send this again.
    Again(Box<Message>),
    /// It was sent again a moment ago, or never sent: say nothing.
    Skip,
    /// It is gone: `seqno too low` or `seqno not found`.
    Gone(&'static str),
}

/// The last numbered messages we sent.
#[derive(Debug, Default)]
pub(super) struct SentMessages {
    sent: VecDeque<(Sequence, Message, Option<Mono>)>,
    newest: Sequence,
    /// The last numbers and when they were said, by the clock on the wall; acked or not.
    times: VecDeque<(Sequence, Option<u64>)>,
}

impl SentMessages {
    /// Notes a message just sent.
    pub(super) fn record(&mut self, sequence: Sequence, message: Message) {
        self.newest = sequence;
        self.times.push_back((sequence, message.hex(field::TS)));
        if self.times.len() > TIMES {
            self.times.pop_front();
        }
        self.sent.push_back((sequence, message, None));
        if self.sent.len() > KEPT {
            self.sent.pop_front();
        }
    }

    /// Whether a message with our name and generation may be ours, come back: it has no number and no time of another's.
    pub(super) fn may_have_sent(&self, sequence: Sequence, message: &Message) -> bool {
        let ts = message.hex(field::TS);
        match self.times.iter().find(|(seq, _)| *seq == sequence) {
            Some((_, said)) => *said == ts,
            None => sequence < self.newest && self.times.front().is_none_or(|(_, first)| ts <= *first),
        }
    }

    /// What to do for somebody who asks for `sequence`; the same one is not sent twice within `pause`.
    pub(super) fn resend(&mut self, sequence: Sequence, now: Mono, pause: Duration) -> Resend {
        if sequence > self.newest {
            return Resend::Skip;
        }
        let Some((_, message, resent)) = self.sent.iter_mut().find(|(seq, _, _)| *seq == sequence) else {
            let too_low = self.sent.front().is_some_and(|(oldest, _, _)| sequence < *oldest);
            return Resend::Gone(if too_low { "seqno too low" } else { "seqno not found" });
        };
        if resent.is_some_and(|at| now.since(at) < pause) {
            return Resend::Skip;
        }
        *resent = Some(now);
        Resend::Again(Box::new(message.clone()))
    }

    /// Everybody has these: forget them.
    pub(super) fn forget_up_to(&mut self, acked: Sequence) {
        while self.sent.front().is_some_and(|(seq, _, _)| *seq <= acked) {
            self.sent.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::wire::Kind;

    use super::*;

    #[test]
    fn a_message_is_sent_again_but_not_twice_in_one_pause_and_a_lost_one_is_admitted() {
        let mut sent = SentMessages::default();
        for seq in 1..=600 {
            sent.record(Sequence(seq), Message::new(&Kind::Status));
        }
        let pause = Duration::from_millis(240);
        assert!(matches!(sent.resend(Sequence(600), Mono::ZERO, pause), Resend::Again(_)));
        assert_eq!(sent.resend(Sequence(600), Mono::ZERO, pause), Resend::Skip);
        assert!(matches!(sent.resend(Sequence(600), Mono::ZERO + pause, pause), Resend::Again(_)));
        assert_eq!(sent.resend(Sequence(100), Mono::ZERO, pause), Resend::Gone("seqno too low"));
        assert_eq!(sent.resend(Sequence(601), Mono::ZERO, pause), Resend::Skip);
        sent.forget_up_to(Sequence(590));
        assert_eq!(sent.resend(Sequence(590), Mono::ZERO, pause), Resend::Gone("seqno too low"));
    }
}
