//! Another core lives through a record: what it heard, said, ran and reported, in the words of `tests/scenarios`.
//!
//! The record says what happened to the node, never what the node made of it: a program that decides otherwise than the
//! one that wrote the record shows that in its transcript, which is the point.

use std::collections::BTreeMap;
use std::fmt;

use crate::cluster::{Action, Cluster, Event, ExitReason, MediumCondition, Past};
use crate::haresources::Outcome;
use crate::names::{JobId, MediumId};
use crate::time::Now;
use crate::wire::{Kind, Message, field};

use super::{RecordFault, RecordLine, RecordStart, printable, read_line};

/// How much is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShowLevel {
    /// What is no mere heartbeat.
    Changes,
    /// Heartbeats and acknowledgements as well.
    Everything,
}

/// The line that could not be played, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlaybackError {
    /// Counted from 1.
    pub line: usize,
    /// What is wrong with it.
    pub fault: RecordFault,
}

impl fmt::Display for PlaybackError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.line, self.fault)
    }
}

/// What every line of an event has.
#[derive(serde::Deserialize)]
struct Happened {
    #[serde(rename = "now")]
    _now: serde::de::IgnoredAny,
    #[serde(rename = "event")]
    _event: serde::de::IgnoredAny,
}

/// Takes a record line by line.
#[derive(Debug)]
pub struct Player {
    shown: ShowLevel,
    line: usize,
    cut: Option<PlaybackError>,
    alive: Option<PlayedLife>,
    out: Vec<String>,
}

/// The life being played.
#[derive(Debug)]
struct PlayedLife {
    cluster: Cluster,
    me: String,
    program: String,
    now: Now,
    jobs: BTreeMap<JobId, String>,
    told: bool,
}

impl Player {
    /// Nothing was played yet.
    pub fn new(shown: ShowLevel) -> Player {
        Player { shown, line: 0, cut: None, alive: None, out: Vec::new() }
    }

    /// Plays the next line; returns the lines of the transcript it caused.
    ///
    /// # Errors
    /// When it is no line of a record of this format. One that is cut off is only a remark, for a killed daemon leaves
    /// such a line and its successor goes on behind it; see [`Player::end`].
    pub fn play(&mut self, text: &str) -> Result<Vec<String>, PlaybackError> {
        self.line += 1;
        self.cut = None;
        match read_line(text) {
            Ok(RecordLine::Start(life)) => self.begin(&life),
            Ok(RecordLine::Event(now, event)) if self.alive.is_some() => self.happen(now, *event),
            Ok(RecordLine::Event(..)) => return Err(self.stuck(RecordFault::NoStart)),
            Err(RecordFault::Cut) => {
                let stuck = self.stuck(RecordFault::Cut);
                self.out.push(format!("           -- line {stuck}"));
                (self.cut, self.alive) = (Some(stuck), None);
            }
            Err(fault) => {
                // Whole, and an event: whoever wrote the life wrote this, too.
                let is_event = serde_json::from_str::<Happened>(text.trim()).is_ok();
                let writer = self.alive.as_ref().map(|alive| alive.program.clone()).filter(|_| is_event);
                return Err(self.stuck(writer.map_or(fault.clone(), |program| fault.by(&program))));
            }
        }
        Ok(std::mem::take(&mut self.out))
    }

    /// To be called behind the last line.
    ///
    /// # Errors
    /// When there was no line at all, or the last one was cut off.
    pub fn end(&self) -> Result<(), PlaybackError> {
        match &self.cut {
            Some(stuck) => Err(stuck.clone()),
            None if self.line == 0 => {
                Err(PlaybackError { line: 1, fault: RecordFault::Rubbish("the file is empty".to_owned()) })
            }
            None => Ok(()),
        }
    }

    fn stuck(&self, fault: RecordFault) -> PlaybackError {
        PlaybackError { line: self.line, fault }
    }

    fn begin(&mut self, life: &RecordStart) {
        let me = life.settings.me.to_string();
        let past = match &life.start_facts.past {
            Past::Fresh => "",
            Past::Lost => ", after a death of which the notes are lost",
            Past::Crashed(_) => ", back in time after its death",
            Past::Late(_) => ", back too late after its death",
            Past::Hopeless(_) => ", only to clean up after many deaths",
        };
        let (program, generation, date) = (&life.program, life.start_facts.generation.0, utc(life.now.wall.0));
        let at = life.now.mono.elapsed().as_secs_f64();
        let line = format!("{at:9.3}  -- {date}: {me} starts, latido {program}, generation {generation}{past}");
        self.out.push(printable(&line));
        let (cluster, program) = (life.begin(), program.clone());
        self.alive = Some(PlayedLife { cluster, me, program, now: life.now, jobs: BTreeMap::new(), told: false });
    }

    fn happen(&mut self, now: Now, event: Event) {
        let Some(mut alive) = self.alive.take() else { return };
        alive.now = now;
        self.show_event(&mut alive, &event);
        for action in alive.cluster.handle(now, event) {
            if let Some(text) = self.describe(&mut alive, action) {
                self.push_line(&alive, &text);
            }
        }
        self.alive = Some(alive);
    }

    fn push_line(&mut self, alive: &PlayedLife, text: &str) {
        let at = alive.now.mono.elapsed().as_secs_f64();
        self.out.push(printable(&format!("{at:9.3}  {:<6} {text}", alive.me)));
    }

    fn show_event(&mut self, alive: &mut PlayedLife, event: &Event) {
        let text = match event {
            Event::Message { message, .. } if self.is_dull(message) => return,
            Event::Message { medium, message, .. } => heard(medium, message),
            Event::Local(message) => format!("fifo    {message}"),
            Event::Medium { medium, condition: MediumCondition::Working } => format!("medium  {medium} works"),
            Event::Medium { medium, condition: MediumCondition::Failed(why) } => {
                format!("medium  {medium} fails: {why}")
            }
            Event::Done { job, outcome } => match alive.jobs.remove(job) {
                Some(call) => format!("ended   {call} -> {}", ended(outcome)),
                None => return self.show_unknown_job(alive, outcome),
            },
            Event::Request { request, .. } => format!("asked   {request:?}"),
            Event::Reconfigure(_) => "(reload)".to_owned(),
            Event::Leave => "(asked to leave)".to_owned(),
            Event::Upgrade => "(asked to make room for its successor)".to_owned(),
            Event::Tick => return,
        };
        self.push_line(alive, &text);
    }

    fn show_unknown_job(&mut self, alive: &mut PlayedLife, outcome: &Outcome) {
        self.push_line(alive, &format!("ended   (something this program did not start) -> {}", ended(outcome)));
        if !std::mem::replace(&mut alive.told, true) {
            let remark = format!("-- from here on it decides otherwise than latido {} did", alive.program);
            self.push_line(alive, &remark);
        }
    }

    fn is_dull(&self, message: &Message) -> bool {
        self.shown == ShowLevel::Changes && matches!(message.kind(), Kind::Status | Kind::Ack | Kind::NsSt)
    }

    fn describe(&self, alive: &mut PlayedLife, action: Action) -> Option<String> {
        Some(match action {
            Action::Send(message) if self.is_dull(&message) => return None,
            Action::Send(message) => format!("send    {}", essence(&message)),
            Action::Run { job, invocation, .. } => alive.started(job, "run    ", invocation.to_string()),
            Action::Probe { job, probe, .. } => alive.started(job, "probe  ", format!("{probe:?}")),
            Action::Fence { job, device, node, .. } => {
                alive.started(job, "fence  ", format!("{node} with device {device}"))
            }
            Action::CheckFence { job, device, .. } => alive.started(job, "check  ", format!("device {device}")),
            Action::Cancel { job } => format!("cancel  {}", alive.jobs.get(&job).map_or("", String::as_str)),
            Action::Announce { group } => format!("announce {group}"),
            Action::Reply { response, .. } => format!("reply   {response:?}"),
            Action::Report(report) => format!("report  {}: {report}", report.level().as_str()),
            Action::Exit(reason) => match reason {
                ExitReason::Stopped => "(left)".to_owned(),
                ExitReason::Upgrade => "(made room for its successor)".to_owned(),
                ExitReason::ToBeFenced { resource } => format!("(fell silent: {resource} does not stop)"),
                ExitReason::Reboot { resource } => format!("(reboots: {resource} does not stop)"),
            },
            Action::Notify(_)
            | Action::Deliver { .. }
            | Action::Remember { .. }
            | Action::Forget { .. }
            | Action::WriteNotes(_)
            | Action::Alive => {
                return None;
            }
        })
    }
}

impl PlayedLife {
    fn started(&mut self, job: JobId, how: &str, what: String) -> String {
        let text = format!("{how} {what}");
        self.jobs.insert(job, what);
        text
    }
}

fn heard(medium: &MediumId, message: &Message) -> String {
    let from = message.get(field::SRC).unwrap_or("nobody");
    format!("heard   {} from {from} on {medium}", essence(message))
}

fn ended(outcome: &Outcome) -> String {
    let said = outcome.said.trim();
    if said.is_empty() { outcome.exit.to_string() } else { format!("{}, says {said}", outcome.exit) }
}

/// A message without its control fields.
fn essence(message: &Message) -> String {
    let mut content = message.clone();
    [field::SRC, field::SEQ, field::HG, field::TS, field::LD, field::TTL].iter().for_each(|name| content.remove(name));
    content.to_string()
}

/// Seconds since 1970 as a date.
fn utc(seconds: u64) -> String {
    // Days since 1 March of year 0, so that a leap day is a year's last (Hinnant, `civil_from_days`).
    let (days, time) = (seconds / 86_400 + 719_468, seconds % 86_400);
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year + era * 400 + u64::from(month <= 2);
    let (hour, minute, second) = (time / 3600, time / 60 % 60, time % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02} UTC")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        let dates = [(0, "1970-01-01 00:00:00 UTC"), (951_782_400, "2000-02-29 00:00:00 UTC")];
        for (seconds, text) in dates.into_iter().chain([(1_795_260_153, "2026-11-21 11:22:33 UTC")]) {
            assert_eq!(utc(seconds), text);
        }
        assert!(!utc(u64::MAX).is_empty());
    }
}
