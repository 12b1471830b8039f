//! How often we answer what anybody can say again: a recorded request for a lost message, a recorded question whether we
//! live. What is left out is asked for again by who needs it, or said with the next heartbeat (`takeover.md` 15).

use std::time::Duration;

use crate::time::Mono;

const SPAN: Duration = Duration::from_secs(1);
/// As many as the other node asks for at once; each is some 200 bytes, on a serial line too.
const NAKS: u32 = 20;
/// Heartbeats out of turn.
const STATUSES: u32 = 5;

/// What was answered within a second.
#[derive(Debug, Default)]
pub(super) struct AnswerLimits {
    naks: Count,
    statuses: Count,
}

#[derive(Debug, Default)]
struct Count {
    since: Mono,
    answered: u32,
}

impl AnswerLimits {
    /// Whether one more may be told that what he misses is gone; counts it.
    pub(super) fn may_deny(&mut self, now: Mono) -> bool {
        self.naks.one_more(now, NAKS)
    }

    /// Whether a heartbeat may be said out of turn; counts it.
    pub(super) fn may_say(&mut self, now: Mono) -> bool {
        self.statuses.one_more(now, STATUSES)
    }
}

impl Count {
    fn one_more(&mut self, now: Mono, most: u32) -> bool {
        if now.since(self.since) >= SPAN {
            *self = Count { since: now, answered: 0 };
        }
        let may = self.answered < most;
        self.answered = self.answered.saturating_add(u32::from(may));
        may
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_questions_gets_so_many_answers_a_second() {
        let mut answers = AnswerLimits::default();
        let mut asked =
            |from: u64| (0..1000).filter(|n| answers.may_deny(Mono::at(Duration::from_millis(from + n)))).count();
        assert_eq!((asked(0), asked(1000), asked(5000)), (20, 20, 20));
        assert!(answers.may_say(Mono::at(Duration::from_secs(5))), "each kind has its own");
    }
}
