//! Duplicates, holes and late messages of one sender, over all its links together (`wire.md` 4.2.8, 4.3, 4.4).

use std::collections::BTreeMap;
use std::time::Duration;

use crate::time::Mono;
use crate::wire::Sequence;

/// Larger holes are given up at once, as 3.0.6 does.
const MAX_GAP: u64 = 250;
/// Send order alone makes messages one or two out of order: nobody asks before this (`wire.md` 4.3).
const FIRST_REQUEST: Duration = Duration::from_millis(50);
/// A wide hole is asked for in small portions, or it overruns the other side's write queue (`wire.md` 4.3).
const REQUESTS_AT_ONCE: usize = 20;

/// What a sequence number means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NumberMeaning {
    /// The next one, or the first.
    New,
    /// New, and this many before it are missing.
    Gap(u64),
    /// New, and too many are missing to ask for.
    LostALot(u64),
    /// One that was missing; `true` when it was the last such.
    Recovered(bool),
    /// The same as the last: a sign of life of its link, nothing more.
    Duplicate,
    /// Long since heard or given up.
    Old,
}

/// What was heard of one sender in its present life.
#[derive(Clone, Debug, Default)]
pub(super) struct SeqTrack {
    last: Option<u64>,
    missing: BTreeMap<u64, Mono>,
    acked: u64,
}

impl SeqTrack {
    /// Forgets everything: the sender restarted, or was dead.
    pub(super) fn reset(&mut self) {
        *self = SeqTrack::default();
    }

    /// Goes on where a predecessor was: what its death made us miss is asked for again.
    pub(super) fn resume(&mut self, heard: Sequence) {
        self.last = Some(heard.0);
    }

    /// The highest number with nothing missing below it; 0 when nothing was heard.
    pub(super) fn complete(&self) -> Sequence {
        let below = self.missing.keys().next().map(|first| first.saturating_sub(1));
        Sequence(below.or(self.last).unwrap_or(0))
    }

    /// Judges a number and takes note of it.
    pub(super) fn judge(&mut self, sequence: Sequence, now: Mono) -> NumberMeaning {
        let seq = sequence.0;
        let Some(last) = self.last else {
            self.last = Some(seq);
            return NumberMeaning::New;
        };
        if seq == last {
            return NumberMeaning::Duplicate;
        }
        if seq < last {
            return match self.missing.remove(&seq) {
                Some(_) => NumberMeaning::Recovered(self.missing.is_empty()),
                None => NumberMeaning::Old,
            };
        }
        self.last = Some(seq);
        match seq.saturating_sub(last).saturating_sub(1) {
            0 => NumberMeaning::New,
            gap if gap > MAX_GAP || gap.saturating_add(self.missing.len() as u64) > 2 * MAX_GAP => {
                self.missing.clear();
                NumberMeaning::LostALot(gap)
            }
            gap => {
                self.missing.extend((last.saturating_add(1)..seq).map(|n| (n, now + FIRST_REQUEST)));
                NumberMeaning::Gap(gap)
            }
        }
    }

    /// Whether this one may still come.
    pub(super) fn misses(&self, sequence: Sequence) -> bool {
        self.missing.contains_key(&sequence.0)
    }

    /// Whether one before this number may still come.
    pub(super) fn misses_before(&self, sequence: Sequence) -> bool {
        self.missing.keys().next().is_some_and(|first| *first < sequence.0)
    }

    /// Whether one between these two may still come.
    pub(super) fn misses_between(&self, after: Sequence, before: Sequence) -> bool {
        self.missing.keys().any(|number| *number > after.0 && *number < before.0)
    }

    /// The sender will never resend this one; `true` when it had been missing.
    pub(super) fn give_up(&mut self, sequence: Sequence) -> bool {
        self.missing.remove(&sequence.0).is_some()
    }

    /// The missing numbers to ask for now; each is asked for again after `interval`.
    pub(super) fn requests_due(&mut self, now: Mono, interval: Duration) -> Vec<Sequence> {
        let due = self.missing.iter_mut().filter(|(_, at)| **at <= now).take(REQUESTS_AT_ONCE);
        due.map(|(seq, at)| {
            *at = now + interval;
            Sequence(*seq)
        })
        .collect()
    }

    /// When to ask next.
    pub(super) fn next_request(&self) -> Option<Mono> {
        self.missing.values().min().copied()
    }

    /// The highest number heard; 0 when nothing was.
    pub(super) fn highest(&self) -> Sequence {
        Sequence(self.last.unwrap_or(0))
    }

    /// The number up to which nothing is missing, acknowledged out of turn.
    pub(super) fn ack_now(&mut self) -> Sequence {
        let complete = self.complete();
        self.acked = self.acked.max(complete.0);
        complete
    }

    /// The number to acknowledge now, if one is due: the highest that ends in `trigger` with nothing missing below it.
    pub(super) fn ack_due(&mut self, trigger: u64) -> Option<Sequence> {
        let complete = match self.missing.keys().next() {
            Some(first_missing) => first_missing.saturating_sub(1),
            None => self.last?,
        };
        let beyond = (complete % 10).wrapping_add(10).wrapping_sub(trigger % 10) % 10;
        let ack = complete.checked_sub(beyond)?;
        if ack == 0 || ack <= self.acked {
            return None;
        }
        self.acked = ack;
        Some(Sequence(ack))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(track: &mut SeqTrack, seq: u64) -> NumberMeaning {
        track.judge(Sequence(seq), Mono::ZERO)
    }

    #[test]
    fn numbers_in_order_are_new_and_the_same_over_a_second_link_is_a_duplicate() {
        let mut track = SeqTrack::default();
        assert_eq!(judge(&mut track, 7), NumberMeaning::New);
        assert_eq!(judge(&mut track, 8), NumberMeaning::New);
        assert_eq!(judge(&mut track, 8), NumberMeaning::Duplicate);
        assert_eq!(judge(&mut track, 7), NumberMeaning::Old);
    }

    #[test]
    fn a_hole_is_noted_asked_for_and_closed() {
        let mut track = SeqTrack::default();
        judge(&mut track, 1);
        assert_eq!(judge(&mut track, 4), NumberMeaning::Gap(2));
        assert!(track.requests_due(Mono::ZERO, Duration::from_secs(1)).is_empty(), "never before 50 ms");
        let later = Mono::at(Duration::from_millis(50));
        assert_eq!(track.requests_due(later, Duration::from_secs(1)), [Sequence(2), Sequence(3)]);
        assert!(track.requests_due(later, Duration::from_secs(1)).is_empty(), "not again before the interval");
        assert_eq!(judge(&mut track, 3), NumberMeaning::Recovered(false));
        assert_eq!(judge(&mut track, 2), NumberMeaning::Recovered(true));
        assert_eq!(track.next_request(), None);
    }

    #[test]
    fn a_hole_of_250_is_asked_for_and_one_of_251_given_up() {
        let mut track = SeqTrack::default();
        judge(&mut track, 1);
        assert_eq!(judge(&mut track, 252), NumberMeaning::Gap(250));
        let mut track = SeqTrack::default();
        judge(&mut track, 1);
        assert_eq!(judge(&mut track, 253), NumberMeaning::LostALot(251));
        assert_eq!(track.next_request(), None);
    }

    #[test]
    fn two_holes_are_asked_for_and_not_a_third() {
        let mut track = SeqTrack::default();
        judge(&mut track, 1);
        assert_eq!(judge(&mut track, 202), NumberMeaning::Gap(200));
        assert_eq!(judge(&mut track, 403), NumberMeaning::Gap(200));
        assert_eq!(judge(&mut track, 604), NumberMeaning::LostALot(200));
    }

    #[test]
    fn a_hole_lies_between_two_numbers_or_does_not() {
        let mut track = SeqTrack::default();
        judge(&mut track, 1);
        judge(&mut track, 4);
        let between = |after, before| track.misses_between(Sequence(after), Sequence(before));
        assert!(between(1, 4) && between(2, 4) && between(1, 3));
        assert!(!between(3, 4) && !between(2, 3) && !between(0, 2) && !between(4, 9));
    }

    #[test]
    fn one_ack_in_ten_and_none_above_a_hole() {
        let mut track = SeqTrack::default();
        let acks: Vec<u64> = (1..=30)
            .filter_map(|seq| {
                judge(&mut track, seq);
                track.ack_due(4).map(|ack| ack.0)
            })
            .collect();
        assert_eq!(acks, [4, 14, 24]);
        judge(&mut track, 36);
        assert_eq!(track.ack_due(4), None, "31 to 35 are missing");
        for seq in 31..=35 {
            judge(&mut track, seq);
        }
        assert_eq!(track.ack_due(4), Some(Sequence(34)));
    }
}
