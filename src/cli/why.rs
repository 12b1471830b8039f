//! `latido why`: the last transition with its evidence, or the one at a given time.

use std::path::PathBuf;
use std::process::ExitCode;

use crate::journal;
use crate::paths::Paths;
use crate::sys;

use super::events;

/// Options of `latido why`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Example: latido why --at 03:12\n\nThe first line says what moved and why.")]
pub(super) struct Args {
    /// The last transition before this local time: HH:MM, HH:MM:SS or "YYYY-MM-DD HH:MM:SS"
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
    /// The transition as one JSON object
    #[arg(long)]
    json: bool,
    /// The node's directory
    #[arg(short = 'd', long = "dir", value_name = "DIR", env = "HA_DIR", default_value = "/etc/ha.d")]
    dir: PathBuf,
}

/// Explains.
pub(super) fn run(args: &Args) -> ExitCode {
    let complain = |why: &str| {
        complain!("latido why: {why}");
        ExitCode::from(2)
    };
    let lines = match events::read(&Paths::under(&args.dir).journal()) {
        Ok(lines) => lines,
        Err(why) => return complain(&why),
    };
    let entries: Vec<_> = lines.iter().filter_map(|line| journal::parse(line)).collect();
    let at = match &args.at {
        None => f64::MAX,
        Some(text) => match until(text, &entries) {
            Some(at) => at,
            None => return complain(&format!("\"{text}\" is not a time: write HH:MM or \"YYYY-MM-DD HH:MM:SS\"")),
        },
    };
    let Some(explanation) = journal::last_transition(&entries, at) else {
        super::print("nothing has moved on this node since its journal began");
        return ExitCode::from(1);
    };
    if args.json {
        let object =
            serde_json::json!({ "cause": explanation.cause, "began": explanation.began, "steps": explanation.steps });
        super::print(&serde_json::to_string_pretty(&object).unwrap_or_default());
    } else {
        super::print(journal::tell(&explanation, events::local).trim_end());
    }
    ExitCode::SUCCESS
}

/// The end of the second, minute or day that was named. Without a day: the last time the journal passed that hour.
fn until(text: &str, entries: &[journal::EventEntry]) -> Option<f64> {
    let (day, hour) = text.trim().rsplit_once([' ', 'T']).map_or((None, text.trim()), |(day, hour)| (Some(day), hour));
    let numbers =
        |text: &str, sign: char| text.split(sign).map(|word| word.parse::<u32>().ok()).collect::<Option<Vec<_>>>();
    let hour = numbers(hour, ':')?;
    let (h, m, s) = match hour.as_slice() {
        [h, m] => (*h, *m, 59),
        [h, m, s] => (*h, *m, *s),
        _ => return None,
    };
    let day = match day {
        None => None,
        Some(day) => Some(<[u32; 3]>::try_from(numbers(day, '-')?).ok()?),
    };
    if h > 23 || m > 59 || s > 60 {
        return None;
    }
    let before = |entry: &&journal::EventEntry| {
        let at = sys::local_time(std::time::Duration::try_from_secs_f64(entry.t).unwrap_or_default().as_secs());
        let clock = (u32::from(at.hour), u32::from(at.minute), u32::from(at.second)) <= (h, m, s);
        let date = [u32::try_from(at.year).unwrap_or(0), u32::from(at.month), u32::from(at.day)];
        match day {
            Some(day) => date < day || date == day && clock,
            None => clock,
        }
    };
    Some(entries.iter().rev().find(before).map_or(0.0, |entry| entry.t))
}
