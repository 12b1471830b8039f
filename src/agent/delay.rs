//! `Delay[::START[::STOP]]`: waits a while (`resources.md` 9). Its `status` answers at once: the original's waits, too,
//! and delays every look at the group.

use std::time::Duration;

use crate::haresources::Verb;

use super::pseudo::Pseudo;
use super::{Answer, pause};

const START: Duration = Duration::from_secs(20);
const STOP: Duration = Duration::from_secs(30);

pub(super) fn run(note: &Pseudo, args: &[String], verb: Verb) -> Answer {
    let waits = (seconds(args.first(), START), seconds(args.get(1), STOP));
    let (Ok(start), Ok(stop)) = waits else {
        let why = waits.0.and(waits.1).err().unwrap_or_default();
        return if verb == Verb::Start { Answer::failed(2, why) } else { idle(verb).because(why) };
    };
    let done = match verb {
        Verb::Status if note.is_set() => return Answer::running(),
        Verb::Status => return Answer::stopped(),
        Verb::Start if note.is_set() => Ok(()),
        Verb::Start => {
            pause(start);
            note.set()
        }
        Verb::Stop if !note.is_set() => Ok(()),
        Verb::Stop => {
            pause(stop);
            note.clear()
        }
    };
    done.map_or_else(|why| Answer::failed(1, why), |()| Answer::success())
}

fn idle(verb: Verb) -> Answer {
    if verb == Verb::Status { Answer::stopped() } else { Answer::success() }
}

fn seconds(word: Option<&String>, default: Duration) -> Result<Duration, String> {
    let Some(word) = word else { return Ok(default) };
    let number = word.strip_suffix('s').unwrap_or(word);
    let wrong = || format!("\"{word}\" is not a number of seconds");
    let seconds = number.parse::<f64>().map_err(|_| wrong())?;
    Duration::try_from_secs_f64(seconds).ok().filter(|time| time.as_secs() <= 86_400).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_read_and_nonsense_is_refused() {
        let read = |text: &str| seconds(Some(&text.to_owned()), START);
        assert_eq!(read("5"), Ok(Duration::from_secs(5)));
        assert_eq!(read("0.5s"), Ok(Duration::from_millis(500)));
        assert_eq!(seconds(None, START), Ok(START));
        for text in ["", "x", "-1", "nan", "inf", "1e30"] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
