//! The table at the end of a play, as text.

use crate::amount::measured;

use super::entries::label;
use super::{ChapterRow, ServiceSeen, SimulatedPair};

/// Nobody missed anything.
const NONE: &str = "none";

impl ChapterRow {
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
            several => {
                // Groups to which nothing happened need no line.
                let touched = several.iter().filter(|(figure, _)| figure != NONE);
                touched.map(|(figure, names)| format!("{figure}  {}", names.join(", "))).collect()
            }
        }
    }
}

fn figure(seen: ServiceSeen) -> String {
    if seen.unnoticed {
        return "until somebody notices".to_owned();
    }
    let without = if seen.without.is_zero() { NONE.to_owned() } else { measured(seen.without) };
    if seen.doubled.is_zero() { without } else { format!("{without}; {} on both nodes", measured(seen.doubled)) }
}

/// The table and what to learn from it, as text.
pub fn table(pair: &SimulatedPair, rows: &[ChapterRow]) -> String {
    let of = match pair.groups() {
        [one] if !one.resources.is_empty() => format!("without {}", label(one)),
        _ => "without the service".to_owned(),
    };
    let width = |texts: Vec<usize>, head: &str| texts.into_iter().chain([head.chars().count()]).max().unwrap_or(0);
    let first = width(rows.iter().map(|row| row.event.chars().count()).collect(), "event");
    let second = width(rows.iter().flat_map(ChapterRow::cells).map(|cell| cell.chars().count()).collect(), &of);
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::time::Mono;

    fn row(groups: &[(&str, u64, u64)]) -> ChapterRow {
        let seen = |without, doubled| ServiceSeen {
            without: Duration::from_millis(without),
            doubled: Duration::from_millis(doubled),
            unnoticed: false,
        };
        ChapterRow {
            event: "x".to_owned(),
            from: Mono::ZERO,
            groups: groups.iter().map(|(name, without, both)| ((*name).to_owned(), seen(*without, *both))).collect(),
            is_first: false,
            decided_by: String::new(),
            lesson: None,
        }
    }

    #[test]
    fn groups_that_saw_the_same_share_a_line_and_those_that_saw_nothing_have_none() {
        assert_eq!(row(&[("web", 40, 0)]).cells(), ["40 ms"]);
        assert_eq!(row(&[("web", 0, 0), ("mail", 0, 0)]).cells(), ["none"]);
        assert_eq!(row(&[("web", 30_080, 0), ("mail", 0, 0), ("ftp", 30_080, 0)]).cells(), ["30.1 s  web, ftp"]);
        assert_eq!(
            row(&[("web", 0, 1500), ("mail", 2040, 0)]).cells(),
            ["none; 1.50 s on both nodes  web", "2.04 s  mail"]
        );
        assert_eq!(row(&[]).cells(), ["–"]);
    }
}
