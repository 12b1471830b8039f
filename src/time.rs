//! Time as plain values: the core gets it as an argument and cannot read a clock. Pure.

use std::fmt;
use std::ops::{Add, AddAssign};
use std::time::Duration;

/// Time since this process (or this simulation) started; never runs backwards.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(from = "u64", into = "u64")]
pub struct Mono(Duration);

impl Mono {
    /// The start.
    pub const ZERO: Mono = Mono(Duration::ZERO);

    /// The instant `since_start` after the start.
    pub const fn at(since_start: Duration) -> Mono {
        Mono(since_start)
    }

    /// How long after `earlier` this is; zero when it is not after it.
    pub fn since(self, earlier: Mono) -> Duration {
        self.0.saturating_sub(earlier.0)
    }

    /// `span` earlier, or the start.
    pub fn before(self, span: Duration) -> Mono {
        Mono(self.0.saturating_sub(span))
    }

    /// Time since the start.
    pub const fn elapsed(self) -> Duration {
        self.0
    }
}

/// In a record: nanoseconds.
impl From<u64> for Mono {
    fn from(nanoseconds: u64) -> Mono {
        Mono(Duration::from_nanos(nanoseconds))
    }
}

/// After 584 years it stands still.
impl From<Mono> for u64 {
    fn from(mono: Mono) -> u64 {
        u64::try_from(mono.0.as_nanos()).unwrap_or(u64::MAX)
    }
}

impl Add<Duration> for Mono {
    type Output = Mono;

    fn add(self, rhs: Duration) -> Mono {
        Mono(self.0.saturating_add(rhs))
    }
}

impl AddAssign<Duration> for Mono {
    fn add_assign(&mut self, rhs: Duration) {
        *self = *self + rhs;
    }
}

impl fmt::Display for Mono {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3}", self.0.as_secs_f64())
    }
}

/// Seconds since 1970, for the `ts` field and for what people read; decides nothing (`wire.md` 4.6).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub struct Wall(pub u64);

/// Both times of one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Now {
    /// For every decision.
    pub mono: Mono,
    /// For `ts` and for people.
    pub wall: Wall,
}

/// Whole milliseconds, as durations travel.
pub fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
