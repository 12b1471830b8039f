//! Words to values (`config.md` 2): durations, booleans, integers, ports, speeds. Pure.

use std::time::Duration;

/// The serial speeds heartbeat knows, in bits per second.
pub const BAUD_RATES: [u32; 7] = [9600, 19200, 38400, 57600, 115_200, 230_400, 460_800];

/// Longest duration we keep; heartbeat accepts any, and a century is as good as for ever.
const LONGEST_MS: f64 = 3.2e12;

/// Why a word is not the value it should be: what is wrong, and what would be right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flaw {
    /// What is wrong, in our words.
    pub what: String,
    /// What would be right.
    pub remedy: String,
}

impl Flaw {
    fn new(what: impl Into<String>, remedy: impl Into<String>) -> Flaw {
        Flaw { what: what.into(), remedy: remedy.into() }
    }
}

/// `10` and `1.5` are seconds, `500ms` milliseconds, `500us` microseconds, rounded to the nearest millisecond.
///
/// As in the original anything may follow `ms` and `us`, and `1.2.3` is 1.2.
pub fn duration(word: &str) -> Result<Duration, Flaw> {
    let run = word.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(word.len());
    let (number, unit) = word.split_at(run);
    if number.is_empty() {
        return Err(not_a_duration(word));
    }
    let unit = unit.to_ascii_lowercase();
    let ms_per_unit = match unit.get(..2.min(unit.len())) {
        Some("") => 1000.0,
        Some("ms") => 1.0,
        Some("us") => 0.001,
        Some(_) | None => return Err(not_a_duration(word)),
    };
    let ms = (leading_number(number) * ms_per_unit).round().min(LONGEST_MS);
    Ok(Duration::from_secs_f64(ms / 1000.0))
}

fn not_a_duration(word: &str) -> Flaw {
    let what = format!("\"{word}\" is not a duration");
    let run = word.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(word.len());
    let (number, unit) = word.split_at(run);
    let digits = number.parse::<f64>();
    let remedy = match (digits, unit.to_ascii_lowercase().as_str()) {
        (Err(_), "ms" | "us" | "s" | "sec" | "msec") => "write it without a blank: 500ms, or 10 for seconds".to_owned(),
        (Ok(_), "s" | "sec" | "secs" | "second" | "seconds") => {
            format!("a number without unit means seconds: write {number}")
        }
        (Ok(n), "m" | "min" | "mins" | "minute" | "minutes") => {
            format!("a number without unit means seconds: write {}", n * 60.0)
        }
        (Ok(n), "h" | "hour" | "hours") => format!("a number without unit means seconds: write {}", n * 3600.0),
        _ => "write seconds without unit, or milliseconds with it: 10, 1.5 or 500ms".to_owned(),
    };
    Flaw::new(what, remedy)
}

/// What C's `atof` makes of digits and dots: it stops at the second dot.
fn leading_number(run: &str) -> f64 {
    let second_dot = run.match_indices('.').nth(1).map_or(run.len(), |(at, _)| at);
    run[..second_dot].parse().unwrap_or(0.0)
}

/// As the original prints a computed duration: `30000ms`.
pub fn in_ms(duration: Duration) -> String {
    format!("{}ms", duration.as_millis())
}

/// As one would write it in a file: `30`, `1500ms`.
pub fn as_written(duration: Duration) -> String {
    if duration.subsec_millis() == 0 { duration.as_secs().to_string() } else { in_ms(duration) }
}

/// `true on yes y 1` or `false off no n 0`, in any case.
pub fn boolean(word: &str) -> Result<bool, Flaw> {
    match word.to_ascii_lowercase().as_str() {
        "true" | "on" | "yes" | "y" | "1" => Ok(true),
        "false" | "off" | "no" | "n" | "0" => Ok(false),
        _ => Err(Flaw::new(format!("\"{word}\" is neither yes nor no"), "write on or off")),
    }
}

/// An integer as C's `atoi` reads it: leading digits, 0 without any. The flag says whether the whole word was one.
pub fn integer(word: &str) -> (i64, bool) {
    let unsigned = word.strip_prefix(['-', '+']).unwrap_or(word);
    let digits = unsigned.len() - unsigned.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (run, rest) = unsigned.split_at(digits);
    let magnitude =
        run.bytes().fold(0_i64, |sum, digit| sum.saturating_mul(10).saturating_add(i64::from(digit - b'0')));
    let value = if word.starts_with('-') { -magnitude } else { magnitude };
    (value, !run.is_empty() && rest.is_empty())
}

/// A UDP port, 1 to 65535.
pub fn port(word: &str) -> Result<u16, Flaw> {
    let flaw = || Flaw::new(format!("\"{word}\" is not a UDP port"), "a port is a number from 1 to 65535, usually 694");
    match integer(word) {
        (value, true) => u16::try_from(value).ok().filter(|port| *port > 0).ok_or_else(flaw),
        (_, false) => Err(flaw()),
    }
}

/// A serial speed the original knows, in bits per second.
pub fn baud(word: &str) -> Result<u32, Flaw> {
    let (value, _) = integer(word);
    BAUD_RATES.into_iter().find(|rate| i64::from(*rate) == value).ok_or_else(|| {
        let rates: Vec<_> = BAUD_RATES.iter().map(u32::to_string).collect();
        Flaw::new(format!("\"{word}\" is not a speed heartbeat knows"), format!("one of {}", rates.join(" ")))
    })
}

/// Whether a word could be a host name or an IPv4 address: letters, digits, `.`, `-`, `_`.
pub fn could_be_host(word: &str) -> bool {
    !word.is_empty()
        && !word.starts_with('-')
        && word.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(word: &str) -> Option<u128> {
        duration(word).ok().map(|duration| duration.as_millis())
    }

    #[test]
    fn durations_are_read_as_the_original_reads_them() {
        for (word, expected) in [
            ("10", 10_000),
            ("3.5", 3500),
            (".5", 500),
            ("10.", 10_000),
            ("1.2.3", 1200),
            ("500ms", 500),
            ("10MSec", 10),
            ("10ms5", 10),
            ("499us", 0),
            ("501us", 1),
            ("0", 0),
        ] {
            assert_eq!(ms(word), Some(expected), "{word}");
        }
        for word in ["10s", "10sec", "10m", "1h", "10x", "1e2", "0x10", "11;", "\"10\"", "-1", "ms", "", "10mö"] {
            assert_eq!(ms(word), None, "{word}");
        }
        assert!(duration("99999999999999999999999").is_ok());
    }

    #[test]
    fn a_wrong_unit_is_answered_with_the_right_number() {
        assert!(duration("2m").unwrap_err().remedy.ends_with("120"));
        assert!(duration("10s").unwrap_err().remedy.ends_with("10"));
    }

    #[test]
    fn integers_are_atoi_and_say_when_they_are_not_clean() {
        assert_eq!(integer("694abc"), (694, false));
        assert_eq!(integer("abc"), (0, false));
        assert_eq!(integer("-3"), (-3, true));
        assert_eq!(integer("12"), (12, true));
        assert_eq!(integer("99999999999999999999"), (i64::MAX, true));
        assert_eq!(integer(""), (0, false));
    }

    #[test]
    fn ports_and_speeds_have_their_ranges() {
        assert_eq!(port("694"), Ok(694));
        for word in ["0", "70000", "694abc", "-1", "ha-cluster"] {
            assert!(port(word).is_err(), "{word}");
        }
        assert_eq!(baud("115200"), Ok(115_200));
        assert!(baud("1200").is_err());
    }
}
