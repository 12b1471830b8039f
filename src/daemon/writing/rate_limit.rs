//! What outside can cause again and again, a flood of packets as well as a cable that flaps: said a few times in a minute
//! and then counted, so that it fills no log and no journal, runs no thousand programs and hides nothing else.
//!
//! Bounded by kind and subject, and by kind, for there is no end of invented subjects. When the minute is over, what was
//! held back is said once more, as it was last and with its count: a link that is up then is the last that was told.
//! Pure: time is an argument.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::time::Mono;

/// How long is counted at a time.
const SPAN: Duration = Duration::from_secs(60);

/// How often something may be said in a minute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Share {
    /// About one subject.
    pub(crate) each: u32,
    /// About all subjects of its kind; no more subjects are told apart.
    pub(crate) all: u32,
}

impl Share {
    /// Most things.
    pub(crate) const USUAL: Share = Share { each: 10, all: 30 };
    /// What says how something is: who follows it wants every change of a bad day.
    pub(crate) const STATE: Share = Share { each: 20, all: 60 };
    /// What is always about the same and comes from whoever wants to.
    pub(crate) const FROM_ANYBODY: Share = Share { each: 5, all: 20 };
}

/// What is said and what is held back.
#[derive(Debug)]
pub(crate) struct RateLimit<T> {
    kinds: BTreeMap<&'static str, Kind<T>>,
}

#[derive(Debug)]
struct Kind<T> {
    since: Mono,
    said: u32,
    subjects: BTreeMap<String, Subject<T>>,
    /// All for which there is no place.
    rest: Unsaid<T>,
}

#[derive(Debug)]
struct Subject<T> {
    said: u32,
    unsaid: Unsaid<T>,
}

#[derive(Debug)]
struct Unsaid<T> {
    count: u64,
    last: Option<T>,
}

impl<T> Default for RateLimit<T> {
    fn default() -> RateLimit<T> {
        RateLimit { kinds: BTreeMap::new() }
    }
}

impl<T> Default for Unsaid<T> {
    fn default() -> Unsaid<T> {
        Unsaid { count: 0, last: None }
    }
}

impl<T> Unsaid<T> {
    fn add(&mut self, item: T) {
        self.count = self.count.saturating_add(1);
        self.last = Some(item);
    }

    fn take(self) -> Option<(T, u64)> {
        self.last.map(|last| (last, self.count))
    }
}

impl<T> RateLimit<T> {
    /// Gives back what may be said now; the rest is counted and its last kept for [`RateLimit::due`].
    pub(crate) fn admit(&mut self, now: Mono, kind: &'static str, subject: &str, share: Share, item: T) -> Option<T> {
        let kind = self.kinds.entry(kind).or_insert_with(|| Kind::new(now));
        if now.since(kind.since) >= SPAN && !kind.has_unsaid() {
            *kind = Kind::new(now);
        }
        let has_room = kind.said < share.all;
        let known = match kind.subjects.get_mut(subject) {
            Some(known) => known,
            None if has_room => kind
                .subjects
                .entry(subject.to_owned())
                .or_insert_with(|| Subject { said: 0, unsaid: Unsaid::default() }),
            None => {
                kind.rest.add(item);
                return None;
            }
        };
        // What was held back is older: it is said first.
        if !has_room || known.said >= share.each || known.unsaid.count > 0 {
            known.unsaid.add(item);
            return None;
        }
        (kind.said, known.said) = (kind.said + 1, known.said + 1);
        Some(item)
    }

    /// When [`RateLimit::due`] has something to say; `None` while nothing is held back.
    pub(crate) fn next(&self) -> Option<Mono> {
        self.kinds.values().filter(|kind| kind.has_unsaid()).map(|kind| kind.since + SPAN).min()
    }

    /// What was held back in minutes that are over: the last of each, and how many there were.
    pub(crate) fn due(&mut self, now: Mono) -> Vec<(T, u64)> {
        let mut due = Vec::new();
        for kind in self.kinds.values_mut().filter(|kind| kind.has_unsaid() && now.since(kind.since) >= SPAN) {
            let over = std::mem::replace(kind, Kind::new(now));
            due.extend(over.subjects.into_values().filter_map(|subject| subject.unsaid.take()));
            due.extend(over.rest.take());
        }
        due
    }

    /// All that is held back, for who leaves.
    pub(crate) fn all(&mut self) -> Vec<(T, u64)> {
        let kinds = std::mem::take(&mut self.kinds).into_values();
        let unsaid = |kind: Kind<T>| kind.subjects.into_values().map(|subject| subject.unsaid).chain([kind.rest]);
        kinds.flat_map(unsaid).filter_map(Unsaid::take).collect()
    }
}

impl<T> Kind<T> {
    fn new(since: Mono) -> Kind<T> {
        Kind { since, said: 0, subjects: BTreeMap::new(), rest: Unsaid::default() }
    }

    fn has_unsaid(&self) -> bool {
        self.rest.count > 0 || self.subjects.values().any(|subject| subject.unsaid.count > 0)
    }
}

/// A sentence and how often it was held back.
pub(crate) fn with_count(text: &str, count: u64) -> String {
    format!("{text} ({count} more like this in the last minute)")
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHARE: Share = Share { each: 2, all: 5 };

    fn at(ms: u64) -> Mono {
        Mono::at(Duration::from_millis(ms))
    }

    #[test]
    fn what_comes_again_is_counted_and_said_once_more_when_the_minute_is_over() {
        let mut noise = RateLimit::default();
        let said: Vec<u32> = (0..1000).filter_map(|n| noise.admit(at(1000), "claim", "ip", SHARE, n)).collect();
        assert_eq!(said, [0, 1]);
        assert_eq!(noise.next(), Some(at(61_000)));
        assert_eq!(noise.due(at(60_999)), []);
        assert_eq!(noise.due(at(61_000)), [(999, 998)]);
        assert_eq!((noise.next(), noise.due(at(200_000))), (None, vec![]));
        assert_eq!(noise.admit(at(61_001), "claim", "ip", SHARE, 7), Some(7), "a new minute");
    }

    #[test]
    fn one_subject_keeps_no_other_from_being_said() {
        let mut noise = RateLimit::default();
        for n in 0..1000 {
            let _ = noise.admit(at(0), "claim", "ip", SHARE, n);
        }
        assert_eq!(noise.admit(at(1), "claim", "other", SHARE, 1), Some(1));
        assert_eq!(noise.admit(at(1), "link", "ip", SHARE, 2), Some(2));
    }

    #[test]
    fn a_thousand_subjects_are_bounded_together_in_words_and_in_memory() {
        let mut noise = RateLimit::default();
        let said = |noise: &mut RateLimit<u32>, now| {
            (0..1000).filter_map(|n| noise.admit(now, "claim", &n.to_string(), SHARE, n)).count()
        };
        assert_eq!(said(&mut noise, at(0)), 5);
        assert_eq!(noise.kinds["claim"].subjects.len(), 5);
        assert_eq!(noise.due(at(60_000)), [(999, 995)]);
        assert_eq!(said(&mut noise, at(60_001)), 5);
        assert_eq!(noise.all(), [(999, 995)]);
        assert_eq!(noise.all(), []);
    }

    #[test]
    fn nothing_is_said_out_of_order() {
        let mut noise = RateLimit::default();
        for n in 0..4 {
            noise.admit(at(0), "link", "eth0", SHARE, n);
        }
        // The minute is over, and nobody has asked for what is due.
        assert_eq!(noise.admit(at(70_000), "link", "eth0", SHARE, 4), None);
        assert_eq!(noise.due(at(70_000)), [(4, 3)]);
    }

    #[test]
    fn who_stays_below_his_share_is_never_held_back() {
        let mut noise = RateLimit::default();
        for n in 0..1000 {
            assert_eq!(noise.admit(at(n * 40_000), "link", "eth0", SHARE, n), Some(n));
        }
        assert_eq!(noise.next(), None);
    }
}
