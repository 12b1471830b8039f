//! The arguments of `Delay` and `MailTo` (`resources.md` 9). Pure.

use std::time::Duration;

use super::fault::{ArgumentFault, unread};

const DELAY: &str = "Delay::SECONDS, or Delay::SECONDS::SECONDS for start and stop";
const MAIL: &str = "MailTo::ADDRESS, or MailTo::ADDRESS,ADDRESS::SUBJECT";
/// Nobody waits longer than a day.
const LONGEST: u64 = 86_400;

/// `[START[::STOP]]`: how long to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delay {
    /// At the start.
    pub start: Duration,
    /// At the stop.
    pub stop: Duration,
}

impl Delay {
    /// The arguments of `Delay`.
    ///
    /// # Errors
    /// With what it would not start.
    pub fn read(args: &[String]) -> Result<Delay, ArgumentFault> {
        let time = |at: usize, default| args.get(at).map_or(Ok(Duration::from_secs(default)), |word| seconds(word));
        Ok(Delay { start: time(0, 20)?, stop: time(1, 30)? })
    }

    /// Whether it waits longer than scripts are let run: then it is ended, and has failed.
    pub fn outlasts(&self, start: Duration, stop: Duration) -> Option<ArgumentFault> {
        let (verb, waits, limit) = [("start", self.start, start), ("stop", self.stop, stop)]
            .into_iter()
            .find(|(_, waits, limit)| waits >= limit)?;
        let what = format!("the {verb} waits {waits:?}, and is ended after {limit:?}");
        Some(ArgumentFault::refused(what, format!("a shorter Delay, or a longer script-timeout {verb}")))
    }

    pub(super) fn doubts(args: &[String]) -> Vec<ArgumentFault> {
        unread("Delay", args, 2, DELAY).into_iter().collect()
    }
}

fn seconds(word: &str) -> Result<Duration, ArgumentFault> {
    let number = word.strip_suffix('s').unwrap_or(word).parse::<f64>().ok();
    let time = number.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    time.filter(|time| time.as_secs() <= LONGEST).ok_or_else(|| {
        ArgumentFault::refused(format!("\"{word}\" is not a number of seconds"), format!("write {DELAY}"))
    })
}

/// `ADDRESS[,ADDRESS][::SUBJECT]`: who is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    /// One address, or several with commas.
    pub to: String,
    /// What the subject begins with.
    pub subject: Option<String>,
}

impl Mail {
    /// The arguments of `MailTo`.
    ///
    /// # Errors
    /// With what it would mail to nobody.
    pub fn read(args: &[String]) -> Result<Mail, ArgumentFault> {
        let remedy = format!("write {MAIL}");
        let Some(to) = args.first().filter(|to| to.split(',').any(|address| !address.is_empty())) else {
            return Err(ArgumentFault::missing("MailTo has nobody to mail to", remedy));
        };
        let bad =
            |address: &str| address.starts_with('-') || address.contains(|c: char| c.is_whitespace() || c.is_control());
        if let Some(wrong) = to.split(',').find(|address| bad(address)) {
            return Err(ArgumentFault::refused(format!("\"{wrong}\" is no mail address"), remedy));
        }
        Ok(Mail { to: to.clone(), subject: args.get(1).cloned() })
    }

    pub(super) fn doubts(&self, args: &[String]) -> Vec<ArgumentFault> {
        let mut doubts: Vec<ArgumentFault> = unread("MailTo", args, 2, MAIL).into_iter().collect();
        if let Some(subject) = self.subject.as_ref().filter(|subject| subject.contains('@')) {
            let what = format!("\"{subject}\" is the subject, and gets no mail");
            doubts.push(ArgumentFault::doubtful(what, "several addresses have a comma between them"));
        }
        doubts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_read_and_nonsense_is_refused() {
        assert_eq!(seconds("5"), Ok(Duration::from_secs(5)));
        assert_eq!(seconds("0.5s"), Ok(Duration::from_millis(500)));
        assert_eq!(Delay::read(&[]).map(|delay| delay.start.as_secs()), Ok(20));
        for text in ["", "x", "-1", "5ss", "5m", "nan", "inf", "1e30", "86401"] {
            assert!(seconds(text).is_err(), "{text}");
        }
    }
}
