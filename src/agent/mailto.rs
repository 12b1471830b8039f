//! `MailTo::ADDR[,ADDR][::SUBJECT]`: tells people that a group comes or goes (`resources.md` 9).
//!
//! Never fails and never waits: a group must not stay down, nor a machine be rebooted, because a mail could not be sent.
//! It mails once for each coming and each going, whatever else is called in between.

use std::io::Write;
use std::os::unix::process::CommandExt;
use std::process::Stdio;

use crate::clock::Clock;
use crate::haresources::Verb;
use crate::haresources::known::Mail;
use crate::sys;

use super::Answer;
use super::program;
use super::pseudo::PseudoResource;

pub(super) fn run(mark: &PseudoResource, args: &[String], verb: Verb) -> Answer {
    let text = |what: &str| {
        let subject = args.get(1).map_or("Resource Group", String::as_str);
        format!("{subject} {what}")
    };
    match verb {
        Verb::Status if mark.is_set() => Answer::running().saying("running\nINFO:  Running OK"),
        Verb::Status => Answer::stopped().saying("stopped\nINFO:  Resource is stopped"),
        Verb::Start if mark.is_set() => Answer::success(),
        Verb::Stop if !mark.is_set() => Answer::success(),
        Verb::Start => {
            let noted = mark.set();
            tell(args, &text(&format!("Takeover in progress at {} on {}", date(), host())), noted)
        }
        Verb::Stop => {
            let noted = mark.clear();
            tell(args, &text(&format!("Migrating resource away at {} from {}", date(), host())), noted)
        }
    }
}

fn tell(args: &[String], subject: &str, noted: Result<(), String>) -> Answer {
    let sent = Mail::read(args).map_err(|fault| fault.to_string()).and_then(|mail| send(&mail.to, subject));
    match sent.and(noted) {
        Ok(()) => Answer::success(),
        Err(why) => Answer::success().because(format!("MailTo: \"{subject}\" was not mailed or not noted: {why}")),
    }
}

/// Hands the mail to `mail`, else to `sendmail`, and does not wait for it; after five minutes it is ended, where the
/// system has a `timeout`.
fn send(addresses: &str, subject: &str) -> Result<(), String> {
    let subject: String = subject.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let body = format!("{subject}\n");
    let mail = vec!["mail", "-s", &subject, addresses];
    let whole = format!("To: {addresses}\nSubject: {subject}\n\n{body}");
    let sendmail = vec!["sendmail", "-i", "-t"];
    let mut failure = String::new();
    for (words, input) in [(mail, &body), (sendmail, &whole)] {
        if !program::exists(words[0]) {
            continue;
        }
        let words = if program::exists("timeout") { [&["timeout", "300"][..], &words].concat() } else { words };
        match hand_over(&words, input) {
            Ok(()) => return Ok(()),
            Err(error) => failure = format!("{}: {error}", words.join(" ")),
        }
    }
    Err(if failure.is_empty() { "there is no program \"mail\" and no \"sendmail\"".to_owned() } else { failure })
}

fn hand_over(words: &[&str], input: &str) -> std::io::Result<()> {
    let mut command = program::command(words[0], &words[1..]);
    let command = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
    #[allow(clippy::zombie_processes, reason = "the mailer outlives us: nobody waits for mail")]
    let mut child = command.spawn()?;
    // Shorter than a pipe holds: a mailer that never reads does not keep us.
    child.stdin.take().map_or(Ok(()), |mut pipe| pipe.write_all(input.as_bytes()))
}

/// As `date` prints it, without the zone: `Sat Nov 21 08:15:32 2026`.
fn date() -> String {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    let seconds = Clock::start().now().wall.0;
    let time = sys::local_time(seconds);
    let month = time.month_name();
    // Days since the first of January 1970, a Thursday, by the calendar on the wall.
    let day = DAYS[usize::try_from(days(time.year, time.month, time.day).rem_euclid(7)).unwrap_or(0)];
    let (hour, minute, second) = (time.hour, time.minute, time.second);
    format!("{day} {month} {:2} {hour:02}:{minute:02}:{second:02} {}", time.day, time.year)
}

/// Days from 1970 to a date, by years that begin in March.
fn days(year: i32, month: u8, day: u8) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let year = i64::from(year);
    let leaps = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    365 * year + leaps + (153 * i64::from(month) + 2) / 5 + i64::from(day) - 719_469
}

fn host() -> String {
    nix::unistd::gethostname().map_or_else(|_| "?".to_owned(), |name| name.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_counted_over_leap_years() {
        assert_eq!(days(1970, 1, 1), 0);
        assert_eq!(days(2000, 2, 29), 11_016);
        assert_eq!(days(2000, 3, 1), 11_017);
        assert_eq!(days(2026, 11, 21), 20_778);
    }
}
