//! How long something lasts, took or is ago, in words for people: one way each, wherever it is said.
//! Pure.
//!
//! | what | function | for instance |
//! | --- | --- | --- |
//! | a setting, nothing rounded | [`exact`] | `30 s`, `1.5 s`, `500 ms` |
//! | something measured, three figures | [`measured`] | `0.8 ms`, `40 ms`, `2.04 s`, `12 min 5 s` |
//! | how long ago | [`age`] | `0.3 s`, `45 s`, `12 min`, `2 d 3 h` |
//! | so long after something else, in a column | [`after`] | `+21.3 ms`, `+30.1 s` |
//! | in the log, as it always was | [`in_log`] | `2040 ms`, `30.1 s` |
//!
//! How a time is written in `ha.cf` is told in `config::value`.

use std::time::Duration;

const SECOND: u64 = 1;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// A setting: `30 s`, `1.5 s`, `500 ms`.
pub fn exact(time: Duration) -> String {
    if time < Duration::from_secs(1) { format!("{} ms", time.as_millis()) } else { format!("{} s", time.as_secs_f64()) }
}

/// Something measured: `0.8 ms`, `40 ms`, `2.04 s`, `30.1 s`, `12 min 5 s`, `25 h 1 min`.
pub fn measured(time: Duration) -> String {
    let (ms, seconds) = (time.as_secs_f64() * 1000.0, time.as_secs());
    match seconds {
        0 if ms < 9.95 => format!("{} ms", (ms * 10.0).round() / 10.0),
        0 => format!("{ms:.0} ms"),
        1..10 => format!("{:.2} s", time.as_secs_f64()),
        10..600 => format!("{:.1} s", time.as_secs_f64()),
        600..HOUR => format!("{} min {} s", seconds / MINUTE, seconds % MINUTE),
        _ => format!("{} h {} min", seconds / HOUR, seconds % HOUR / MINUTE),
    }
}

/// How long ago, roughly: `0.3 s`, `45 s`, `12 min`, `3 h 5 min`, `2 d 3 h`.
pub fn age(time: Duration) -> String {
    match time.as_secs() {
        0..10 => format!("{}.{} s", time.as_secs(), time.subsec_millis() / 100),
        seconds @ 10..120 => format!("{seconds} s"),
        seconds if seconds < 2 * HOUR => format!("{} min", seconds / MINUTE),
        seconds if seconds < 2 * DAY => format!("{} h {} min", seconds / HOUR, seconds % HOUR / MINUTE),
        seconds => format!("{} d {} h", seconds / DAY, seconds % DAY / HOUR),
    }
}

/// So long after something else, in a column: `+21.3 ms`, `+30.1 s`.
pub fn after(time: Duration) -> String {
    let ms = time.as_secs_f64() * 1000.0;
    if ms < 10_000.0 { format!("+{ms:.1} ms") } else { format!("+{:.1} s", ms / 1000.0) }
}

/// In the log, where others search for it: milliseconds below ten seconds, else seconds.
pub fn in_log(time: Duration) -> String {
    if time < Duration::from_secs(10) {
        format!("{} ms", time.as_millis())
    } else {
        format!("{:.1} s", time.as_secs_f64())
    }
}

/// So many milliseconds, as measured somewhere else; what is no time is none.
pub fn of_ms(ms: f64) -> Duration {
    Duration::try_from_secs_f64(ms / 1000.0).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn each(words: fn(Duration) -> String, all: &[(u64, &str)]) {
        for (ms, expected) in all {
            assert_eq!(words(Duration::from_millis(*ms)), *expected, "{ms} ms");
        }
    }

    #[test]
    fn a_setting_is_said_as_exactly_as_it_was_set() {
        each(exact, &[(0, "0 ms"), (500, "500 ms"), (1000, "1 s"), (1250, "1.25 s"), (600_000, "600 s")]);
    }

    #[test]
    fn a_measurement_reads_easily_at_any_length() {
        let all = [
            (5, "5 ms"),
            (40, "40 ms"),
            (2_040, "2.04 s"),
            (30_080, "30.1 s"),
            (725_000, "12 min 5 s"),
            (90_061_000, "25 h 1 min"),
        ];
        each(measured, &all);
        assert_eq!(measured(Duration::from_micros(830)), "0.8 ms");
        assert_eq!(measured(Duration::from_micros(9_960)), "10 ms");
    }

    #[test]
    fn an_age_gets_coarser_with_time() {
        let all = [
            (340, "0.3 s"),
            (45_900, "45 s"),
            (119_999, "119 s"),
            (720_000, "12 min"),
            (11_100_000, "3 h 5 min"),
            (183_600_000, "2 d 3 h"),
        ];
        each(age, &all);
    }

    #[test]
    fn a_column_of_moments_shows_what_came_first() {
        each(after, &[(0, "+0.0 ms"), (21, "+21.0 ms"), (9_999, "+9999.0 ms"), (30_060, "+30.1 s")]);
    }

    #[test]
    fn the_log_says_times_as_it_always_did() {
        each(in_log, &[(2_040, "2040 ms"), (9_999, "9999 ms"), (30_060, "30.1 s")]);
    }

    #[test]
    fn what_is_no_number_of_milliseconds_is_no_time() {
        for ms in [f64::NAN, -1.0, f64::INFINITY, 1e300] {
            assert_eq!(of_ms(ms), Duration::ZERO);
        }
        assert_eq!(of_ms(1.5), Duration::from_micros(1500));
    }
}
