//! How regularly heartbeats come in on a link: enough to say how short a deadtime would do (`status.md`).
//!
//! Pure counting in buckets that grow by a twentieth: bounded memory, three figures, each a few percent above the truth
//! at most.

use std::time::Duration;

use crate::time::Mono;

/// Per doubling of the gap.
const STEPS: f64 = 16.0;
/// From one millisecond to a day.
const BUCKETS: usize = 27 * 16;
/// Then all counts are halved: what was long ago fades.
const MOST: u32 = 1 << 20;
/// So many make a figure worth showing.
const ENOUGH: u32 = 20;
/// So many make one to propose anything from.
const TELLING: u32 = 200;

/// The heartbeats of one node over one medium.
#[derive(Debug, Default)]
pub(super) struct Gaps {
    last: Option<Mono>,
    counts: Vec<u32>,
    total: u32,
    worst: Duration,
}

/// What was measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GapsView {
    /// How many gaps.
    pub count: u32,
    /// Half of them are shorter.
    pub median: Duration,
    /// 99.9 % are shorter.
    pub p999: Duration,
    /// None was longer.
    pub worst: Duration,
}

impl Gaps {
    /// A heartbeat came in.
    pub(super) fn heard_at(&mut self, at: Mono) {
        let Some(last) = self.last.replace(at) else { return };
        let gap = at.since(last);
        if self.counts.is_empty() {
            self.counts = vec![0; BUCKETS];
        }
        let count = &mut self.counts[bucket(gap)];
        *count = count.saturating_add(1);
        self.total = self.total.saturating_add(1);
        self.worst = self.worst.max(gap);
        if self.total >= MOST {
            self.counts.iter_mut().for_each(|count| *count /= 2);
            self.total = self.counts.iter().sum();
        }
    }

    /// What comes next is no answer to what came last: a node started anew, a link or this very process stood still.
    pub(super) fn break_off(&mut self) {
        self.last = None;
    }

    /// The figures, once there are enough of them.
    pub(super) fn view(&self) -> Option<GapsView> {
        (self.total >= ENOUGH).then(|| GapsView {
            count: self.total,
            median: self.quantile(0.5),
            p999: self.quantile(0.999),
            worst: self.worst,
        })
    }

    fn quantile(&self, share: f64) -> Duration {
        let wanted = (f64::from(self.total) * share).ceil();
        let mut seen = 0.0;
        let at = self.counts.iter().position(|count| {
            seen += f64::from(*count);
            seen >= wanted
        });
        at.map_or(self.worst, upper).min(self.worst)
    }
}

/// A deadtime that would have outlived the worst of these gaps twice; `None` without figures enough.
pub(super) fn enough_deadtime(keepalive: Duration, gaps: &GapsView) -> Option<Duration> {
    let least = (gaps.worst * 2 + keepalive).max(keepalive * 3);
    // To a number a person would write.
    let step = Duration::from_millis(if least < Duration::from_secs(2) { 50 } else { 500 });
    let steps = u32::try_from(least.as_millis().div_ceil(step.as_millis())).unwrap_or(u32::MAX);
    (gaps.count >= TELLING).then(|| step * steps)
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "never negative, bounded right after")]
fn bucket(gap: Duration) -> usize {
    let ms = gap.as_secs_f64() * 1000.0;
    ((ms.max(1.0).log2() * STEPS) as usize).min(BUCKETS - 1)
}

/// The longest gap of a bucket.
fn upper(bucket: usize) -> Duration {
    let exponent = f64::from(u32::try_from(bucket.saturating_add(1)).unwrap_or(u32::MAX)) / STEPS;
    Duration::from_secs_f64(exponent.exp2() / 1000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// Heartbeats with these gaps.
    fn measured(gaps: impl IntoIterator<Item = u64>) -> Gaps {
        let (mut measured, mut at) = (Gaps::default(), Mono::ZERO);
        measured.heard_at(at);
        for gap in gaps {
            at += ms(gap);
            measured.heard_at(at);
        }
        measured
    }

    fn near(found: Duration, wanted: u64) -> bool {
        let (found, wanted) = (found.as_secs_f64(), ms(wanted).as_secs_f64());
        (found / wanted - 1.0).abs() < 0.05
    }

    #[test]
    fn median_and_tail_are_within_five_percent_and_the_worst_is_exact() {
        let gaps = (0..2000).map(|n| if n % 1000 == 999 { 1310 } else { 1000 }).chain([1500]);
        let view = measured(gaps).view().unwrap();
        assert!(near(view.median, 1000) && near(view.p999, 1310), "{view:?}");
        assert_eq!((view.worst, view.count), (ms(1500), 2001));
    }

    #[test]
    fn a_gap_is_never_said_to_be_shorter_than_it_was() {
        for gap in (1..3000).chain([60_000, 86_400_000]).map(ms) {
            assert!(upper(bucket(gap)) >= gap, "{gap:?}");
        }
    }

    #[test]
    fn a_few_gaps_are_no_measurement() {
        assert_eq!(measured([1000; 10]).view(), None);
    }

    #[test]
    fn what_lies_between_two_lives_is_no_gap() {
        let mut gaps = measured([100; 50]);
        gaps.break_off();
        gaps.heard_at(Mono::ZERO + ms(900_000));
        assert_eq!(gaps.view().unwrap().worst, ms(100));
    }

    #[test]
    fn counts_never_overflow_and_old_ones_fade() {
        let gaps = measured((0..MOST + 10).map(|_| 20));
        assert!(gaps.total < MOST);
        assert!(near(gaps.view().unwrap().median, 20));
        let strange = measured([0, u64::from(u32::MAX) * 1000].into_iter().chain([5; 30]));
        assert_eq!(strange.view().unwrap().worst, ms(u64::from(u32::MAX) * 1000));
    }

    #[test]
    fn the_deadtime_proposed_is_twice_the_worst_gap_and_a_beat_rounded_up() {
        let view = |worst| GapsView { count: 1000, median: ms(1000), p999: ms(1010), worst: ms(worst) };
        let second = ms(1000);
        assert_eq!(enough_deadtime(second, &view(1310)), Some(ms(4000)));
        assert_eq!(enough_deadtime(ms(100), &view(103)), Some(ms(350)));
        assert_eq!(enough_deadtime(second, &view(900)), Some(ms(3000)));
        assert_eq!(enough_deadtime(second, &GapsView { count: 50, ..view(900) }), None);
    }
}
