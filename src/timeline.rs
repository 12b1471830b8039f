//! A line of a time line, as `latido lab` and `latido simulate` print it: when, where, what; in text, colours or JSON. Pure.

use serde::Serialize;

use crate::cluster::Mood;
use crate::printable;
use crate::time::Mono;

/// How an entry is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// A part of a play begins.
    Chapter,
    /// What befalls the pair.
    Intervention,
    /// As it should be.
    Good,
    /// Something fails, as was to be shown.
    Bad,
    /// One step of many.
    Plain,
    /// An expectation was not met.
    Wrong,
}

/// A line of the time line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimelineEntry {
    /// When.
    pub at: Mono,
    /// A node, `client`, `service`, or who arranges it all.
    pub who: String,
    /// What happened.
    pub what: String,
    /// More about it, or nothing.
    pub detail: String,
    /// How it is meant.
    pub tone: Tone,
}

/// How wide the columns of a time line are, in characters.
#[derive(Clone, Copy, Debug)]
pub struct Columns {
    /// Seconds, with three decimals.
    pub at: usize,
    /// Where.
    pub who: usize,
    /// What; a longer one moves its detail.
    pub what: usize,
}

const DIM: &str = "\u{1b}[2m";
const OFF: &str = "\u{1b}[0m";

impl TimelineEntry {
    /// The line for a person, with its end; `colour` where a terminal shows it.
    pub fn text(&self, columns: Columns, colour: bool) -> String {
        // Names of a file, and what scripts and records say.
        let fit = |text: &str| printable::line(text).into_owned();
        let TimelineEntry { who: by, what: event, detail, .. } =
            &TimelineEntry { who: fit(&self.who), what: fit(&self.what), detail: fit(&self.detail), ..self.clone() };
        let Columns { at, who, what } = columns;
        let seconds = format!("{:at$.3}", self.at.elapsed().as_secs_f64());
        let (on, off) = if colour { (self.tone.colour(), OFF) } else { ("", "") };
        if self.tone == Tone::Chapter {
            return format!("\n{seconds}  {on}── {event} ──{off}\n");
        }
        if !colour {
            let text = format!("{seconds}  {by:<who$} {event:<what$} {detail}");
            return text.trim_end().to_owned() + "\n";
        }
        let padded = format!("{event:<what$}");
        format!("{DIM}{seconds}{OFF}  {by:<who$} {on}{padded}{OFF} {DIM}{detail}{OFF}\n")
    }

    /// One JSON object on a line, with its end.
    pub fn json(&self) -> String {
        let at = rounded(self.at.elapsed().as_secs_f64());
        let line = JsonEntry { at, who: &self.who, event: &self.what, detail: &self.detail };
        serde_json::to_string(&line).unwrap_or_default() + "\n"
    }
}

impl From<Mood> for Tone {
    fn from(mood: Mood) -> Tone {
        match mood {
            Mood::Good => Tone::Good,
            Mood::Bad => Tone::Bad,
            Mood::Plain => Tone::Plain,
        }
    }
}

impl Tone {
    const fn colour(self) -> &'static str {
        match self {
            Tone::Chapter => "\u{1b}[1;36m",
            Tone::Intervention => "\u{1b}[36m",
            Tone::Good => "\u{1b}[32m",
            Tone::Bad => "\u{1b}[33m",
            Tone::Plain => "",
            Tone::Wrong => "\u{1b}[1;31m",
        }
    }
}

#[derive(Serialize)]
struct JsonEntry<'a> {
    at: f64,
    who: &'a str,
    event: &'a str,
    detail: &'a str,
}

/// To a thousandth.
pub fn rounded(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const COLUMNS: Columns = Columns { at: 8, who: 9, what: 12 };

    fn entry(tone: Tone) -> TimelineEntry {
        let at = Mono::at(Duration::from_millis(6000));
        TimelineEntry { at, who: "alpha".into(), what: "active".into(), detail: String::new(), tone }
    }

    #[test]
    fn a_line_without_detail_ends_where_its_text_ends() {
        assert_eq!(entry(Tone::Good).text(COLUMNS, false), "   6.000  alpha     active\n");
        assert!(entry(Tone::Good).text(COLUMNS, true).contains("\u{1b}[32mactive"));
    }

    #[test]
    fn a_chapter_stands_apart() {
        assert_eq!(entry(Tone::Chapter).text(COLUMNS, false), "\n   6.000  ── active ──\n");
    }

    #[test]
    fn json_says_the_same() {
        assert_eq!(entry(Tone::Bad).json(), "{\"at\":6.0,\"who\":\"alpha\",\"event\":\"active\",\"detail\":\"\"}\n");
    }
}
