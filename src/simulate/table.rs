//! The table at the end of a play, as text.

use super::timeline::{label, time};
use super::{Pair, Row, Seen};

impl Row {
    /// What the users of its groups saw, in words: one line for each figure, with the groups it is of.
    pub fn cells(&self) -> Vec<String> {
        if self.is_first {
            return vec!["(nothing ran before)".to_owned()];
        }
        let mut figures: Vec<(String, Vec<&str>)> = Vec::new();
        for (name, seen) in &self.groups {
            let figure = figure(*seen);
            match figures.iter_mut().find(|(known, _)| *known == figure) {
                Some((_, names)) => names.push(name),
                None => figures.push((figure, vec![name])),
            }
        }
        match &figures[..] {
            [] => vec!["–".to_owned()],
            [(figure, _)] => vec![figure.clone()],
            several => several.iter().map(|(figure, names)| format!("{figure}  {}", names.join(", "))).collect(),
        }
    }
}

fn figure(seen: Seen) -> String {
    let without = if seen.without.is_zero() { "none".to_owned() } else { time(seen.without) };
    if seen.doubled.is_zero() { without } else { format!("{without}; {} on both nodes", time(seen.doubled)) }
}

/// The table and what to learn from it, as text.
pub fn table(pair: &Pair, rows: &[Row]) -> String {
    let of = match pair.groups() {
        [one] if !one.resources.is_empty() => format!("without {}", label(one)),
        _ => "without the service".to_owned(),
    };
    let width = |texts: Vec<usize>, head: &str| texts.into_iter().chain([head.chars().count()]).max().unwrap_or(0);
    let first = width(rows.iter().map(|row| row.event.chars().count()).collect(), "event");
    let second = width(rows.iter().flat_map(Row::cells).map(|cell| cell.chars().count()).collect(), &of);
    let mut text = format!("\n  {:first$}   {of:second$}   what decided it\n", "event");
    for row in rows {
        for (at, cell) in row.cells().iter().enumerate() {
            let (event, decided) = if at == 0 { (row.event.as_str(), row.decided_by.as_str()) } else { ("", "") };
            text.push_str(format!("  {event:first$}   {cell:second$}   {decided}").trim_end());
            text.push('\n');
        }
    }
    let lessons: Vec<&str> = rows.iter().filter_map(|row| row.lesson.as_deref()).collect();
    if !lessons.is_empty() {
        text.push_str("\n  what to learn from it\n");
        lessons.iter().for_each(|lesson| text.push_str(&format!("  - {lesson}\n")));
    }
    text
}
