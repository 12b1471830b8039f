//! What happens in the lab, as it happens, and the table at the end: as text, in colours on a terminal, or as JSON.

use std::io::{self, IsTerminal, Write};
use std::net::Ipv4Addr;
use std::time::Duration;

use serde::Serialize;

use crate::amount::measured;
use crate::time::Mono;
use crate::timeline::{Columns, TimelineEntry, rounded};

use super::witness::Said;

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Happening {
    /// When, on the bench's clock.
    pub at: Mono,
    /// Where: a node, `client`, `lab`.
    pub host: String,
    /// What.
    pub what: What,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// The daemon printed a line.
    Log(String),
    /// The host's witness saw something.
    Witness(Said),
    /// The daemon ended, with this code or by a signal.
    Ended(Option<i32>),
    /// An address answers again, or another host answers there.
    Answers {
        /// Which.
        address: Ipv4Addr,
        /// The host that answers.
        by: String,
        /// For how long nobody did; `None` the first time.
        outage: Option<Duration>,
    },
    /// The lab does something to the pair.
    Doing(String),
    /// The lab says something.
    Remark(String),
    /// Something is not as it should be.
    Wrong(String),
    /// A person typed a line.
    Typed(String),
    /// A command that was typed on a node has ended.
    Answered {
        /// Which.
        id: u32,
        /// As it was typed.
        words: String,
        /// Its exit code; `None` when a signal ended it.
        code: Option<i32>,
        /// What it printed.
        text: String,
    },
}

/// A row of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) event: String,
    /// What the caller saw; `None` where it has nothing to ask.
    pub(super) outage: Option<Duration>,
    /// Instead of a duration, where that would mislead.
    pub(super) remark: Option<&'static str>,
    pub(super) decided_by: String,
}

/// What besides its rows a table tells.
#[derive(Clone, Copy, Debug)]
pub(super) struct Outcome<'a> {
    /// Expectations that were not met.
    pub(super) wrong: &'a [String],
    /// How many times faster than written it was played.
    pub(super) speed: f64,
    /// The longest time the machine ran nothing.
    pub(super) stood_still: Duration,
}

/// How to print.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    Plain,
    Colours,
    Json,
}

impl Style {
    /// Colours on a terminal that did not say no.
    pub(super) fn for_stdout(json: bool) -> Style {
        let dumb =
            std::env::var_os("NO_COLOR").is_some() || std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        match (json, io::stdout().is_terminal() && !dumb) {
            (true, _) => Style::Json,
            (false, true) => Style::Colours,
            (false, false) => Style::Plain,
        }
    }
}

const COLUMNS: Columns = Columns { at: 8, who: 9, what: 38 };

/// Prints the time line and the table to standard output.
#[derive(Clone, Copy, Debug)]
pub(super) struct Printer {
    pub(super) style: Style,
}

impl Printer {
    /// One line.
    pub(super) fn entry(self, entry: &TimelineEntry) {
        write_out(&self.render(entry));
    }

    /// The table, after a run of which all expectations were met or not.
    pub(super) fn table(self, rows: &[Row], outcome: &Outcome<'_>) {
        match self.style {
            Style::Json => write_out(&json_table(rows, outcome)),
            Style::Plain | Style::Colours => write_out(&text_table(rows, outcome.stood_still)),
        }
    }

    fn render(self, entry: &TimelineEntry) -> String {
        match self.style {
            Style::Json => entry.json(),
            Style::Plain | Style::Colours => entry.text(COLUMNS, self.style == Style::Colours),
        }
    }
}

/// Somebody who does not read any more ends the lab elsewhere, not here.
fn write_out(text: &str) {
    let mut out = io::stdout();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

fn text_table(rows: &[Row], stood_still: Duration) -> String {
    let heads = ["event", "outage at the client", "what decided it"];
    let cells: Vec<[String; 3]> =
        rows.iter().map(|row| [row.event.clone(), outage_in_words(row), row.decided_by.clone()]).collect();
    let width = |column: usize| {
        let longest = cells.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        longest.max(heads[column].len())
    };
    let (first, second) = (width(0), width(1));
    let mut text = format!("\n  {:first$}   {:second$}   {}\n", heads[0], heads[1], heads[2]);
    for [event, outage, decided_by] in &cells {
        let line = format!("  {event:first$}   {outage:second$}   {decided_by}");
        text.push_str(line.trim_end());
        text.push('\n');
    }
    if !stood_still.is_zero() {
        let longest = measured(stood_still);
        text.push_str(&format!("\n  this machine stood still for up to {longest} at a time: an outage may be that\n"));
    }
    text
}

fn outage_in_words(row: &Row) -> String {
    match (row.remark, row.outage) {
        (Some(remark), _) => remark.to_owned(),
        (None, Some(outage)) => measured(outage),
        (None, None) => "–".to_owned(),
    }
}

#[derive(Serialize)]
struct JsonTable<'a> {
    passed: bool,
    wrong: &'a [String],
    speed: f64,
    /// For how long the machine ran nothing, at most.
    stood_still_ms: f64,
    table: Vec<JsonRow<'a>>,
}

#[derive(Serialize)]
struct JsonRow<'a> {
    event: &'a str,
    outage_ms: Option<f64>,
    remark: Option<&'a str>,
    decided_by: &'a str,
}

fn json_table(rows: &[Row], outcome: &Outcome<'_>) -> String {
    let table = rows
        .iter()
        .map(|row| JsonRow {
            event: &row.event,
            outage_ms: row.outage.map(|outage| rounded(outage.as_secs_f64() * 1000.0)),
            remark: row.remark,
            decided_by: &row.decided_by,
        })
        .collect();
    let Outcome { wrong, speed, stood_still } = *outcome;
    let stood_still_ms = rounded(stood_still.as_secs_f64() * 1000.0);
    let table = JsonTable { passed: wrong.is_empty(), wrong, speed, stood_still_ms, table };
    format!("{}\n", serde_json::to_string(&table).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows() -> Vec<Row> {
        let row = |event: &str, outage: Option<u64>, remark, decided_by: &str| Row {
            event: event.into(),
            outage: outage.map(Duration::from_millis),
            remark,
            decided_by: decided_by.into(),
        };
        vec![
            row("power-off of the owner", Some(507), None, "silence of 501 ms"),
            row("client cable pulled", Some(1200), Some("until somebody notices"), "nobody acts"),
            row("cold start", None, None, ""),
        ]
    }

    #[test]
    fn the_table_lines_up() {
        let expected = "
  event                    outage at the client     what decided it
  power-off of the owner   507 ms                   silence of 501 ms
  client cable pulled      until somebody notices   nobody acts
  cold start               –
";
        assert_eq!(text_table(&rows(), Duration::ZERO), expected);
    }

    #[test]
    fn the_json_table_says_whether_all_went_well() {
        let outcome = Outcome { wrong: &["x".to_owned()], speed: 1.0, stood_still: Duration::ZERO };
        let text = json_table(&rows(), &outcome);
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!((&value["passed"], &value["table"][0]["outage_ms"]), (&false.into(), &507.0.into()));
    }
}
