//! A node's life as a file, one JSON object a line: what it started with, then each thing that happened and when. What
//! a daemon started with `--record` writes; [`Player`] lets another core live through it again (`record.md`).
//!
//! ```text
//! {"latido_record":1,"program":"0.1.0","now":{…},"settings":{…},"groups":[…],"birth":{…}}
//! {"now":{"mono":1204113,"wall":1790000000},"event":"tick"}
//! ```
//!
//! A record outlives the version that wrote it: what came into a line later has a default (`record.md`), and what cannot
//! be read names the version that can. A file may hold several lives, one after the other. Pure. No key, no talk of other programs and no output of scripts
//! that `latido events` would not show gets into it (`redact`).
//! `player` lets a core live through it, `redact` leaves out what must not be in it.

mod player;
mod redact;

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::cluster::{Cluster, Event, Settings, StartFacts};
use crate::haresources::ResourceGroup;
use crate::time::Now;

pub use player::{PlaybackError, Player, ShowLevel};

/// The format written here, and the only one read.
pub const FORMAT: u64 = 1;

/// No line is longer: what is cannot have been written by us.
pub const LONGEST_LINE: usize = 4_000_000;

/// What a node was when it started.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RecordStart {
    latido_record: u64,
    /// The version of the program that wrote it.
    pub program: String,
    /// The moment it started.
    pub now: Now,
    /// The settings it started with.
    pub settings: Settings,
    /// The groups it started with.
    pub groups: Vec<ResourceGroup>,
    /// What it brought with it.
    #[serde(rename = "birth")]
    pub start_facts: StartFacts,
}

impl RecordStart {
    /// The first line of a life of this program.
    pub fn new(settings: &Settings, groups: &[ResourceGroup], start_facts: &StartFacts, now: Now) -> RecordStart {
        RecordStart {
            latido_record: FORMAT,
            program: env!("CARGO_PKG_VERSION").to_owned(),
            now,
            settings: redact::settings(settings),
            groups: groups.to_vec(),
            start_facts: start_facts.clone(),
        }
    }

    /// As a line, its end included.
    pub fn to_line(&self) -> Vec<u8> {
        line(self)
    }

    /// The node, newly started.
    pub fn begin(&self) -> Cluster {
        Cluster::start(self.settings.clone(), self.groups.clone(), self.start_facts.clone(), self.now)
    }
}

/// The line of one event, its end included.
pub fn event_line(now: Now, event: &Event) -> Vec<u8> {
    #[derive(Serialize)]
    struct Happening<'a> {
        now: Now,
        event: &'a Event,
    }
    line(&Happening { now, event: &redact::event(event) })
}

fn line(what: &impl Serialize) -> Vec<u8> {
    // Names and numbers, all of our own types: there is nothing in them that JSON could not say.
    let mut line = serde_json::to_vec(what).unwrap_or_default();
    line.push(b'\n');
    line
}

/// One line, read back.
#[derive(Clone, Debug, PartialEq)]
pub enum RecordLine {
    /// A life begins.
    Start(Box<RecordStart>),
    /// Something happened.
    Event(Now, Box<Event>),
}

/// Why a line could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecordFault {
    /// It ends in the middle: the writer was killed, or the file was copied while it was written.
    Cut,
    /// A format of another program: its number, and the version that wrote it.
    Format(u64, String),
    /// Of this format, but not as this version reads it: the version that wrote it, and what is wrong.
    Version(String, String),
    /// It begins as a record does, but a node cannot start with that.
    Impossible(String),
    /// Something happens, but no life has begun.
    NoStart,
    /// Anything else.
    Rubbish(String),
}

impl fmt::Display for RecordFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RecordFault::Cut => f.write_str(
                "the line is cut off: the daemon was killed while it wrote, or the file was copied too early",
            ),
            RecordFault::Format(found, program) => {
                write!(
                    f,
                    "a record of format {found}, written by latido {program}; this program reads format {FORMAT}: use that one"
                )
            }
            RecordFault::Version(program, why) => {
                let ours = env!("CARGO_PKG_VERSION");
                write!(f, "latido {program} wrote this line, latido {ours} cannot read it: {why}")
            }
            RecordFault::Impossible(why) => write!(f, "no node can be born with this: {why}"),
            RecordFault::NoStart => {
                f.write_str("something happens before a life has begun: the record's first line is missing")
            }
            RecordFault::Rubbish(why) => {
                write!(f, "no line of a record (`latido daemon --record FILE` writes one): {why}")
            }
        }
    }
}

/// Reads a line with or without its end.
///
/// # Errors
/// When it is not a whole line of a record of this format.
pub fn read_line(text: &str) -> Result<RecordLine, RecordFault> {
    #[derive(Deserialize)]
    struct Mark {
        latido_record: u64,
        #[serde(default)]
        program: String,
    }
    #[derive(Deserialize)]
    struct Happening {
        now: Now,
        event: Event,
    }
    let text = text.trim();
    if text.is_empty() {
        return Err(RecordFault::Rubbish("it is empty".to_owned()));
    }
    match serde_json::from_str::<Mark>(text) {
        Ok(Mark { latido_record: FORMAT, program }) => {
            let life: RecordStart = serde_json::from_str(text).map_err(|error| fault(&error).by(&program))?;
            redact::check(&life.settings).map_err(RecordFault::Impossible)?;
            Ok(RecordLine::Start(Box::new(life)))
        }
        Ok(Mark { latido_record, program }) => Err(RecordFault::Format(latido_record, version(&program))),
        Err(_) => {
            let Happening { now, event } = serde_json::from_str(text).map_err(|error| fault(&error))?;
            if let Event::Reconfigure(fresh) = &event {
                redact::check(&fresh.0).map_err(RecordFault::Impossible)?;
            }
            Ok(RecordLine::Event(now, Box::new(event)))
        }
    }
}

impl RecordFault {
    /// A line that is not understood although this version wrote it, or says so.
    fn by(self, program: &str) -> RecordFault {
        match self {
            RecordFault::Rubbish(why) => RecordFault::Version(version(program), why),
            known @ (RecordFault::Cut
            | RecordFault::Format(..)
            | RecordFault::Version(..)
            | RecordFault::Impossible(_)
            | RecordFault::NoStart) => known,
        }
    }
}

/// As a version can be printed; a file may say anything.
fn version(program: &str) -> String {
    if program.is_empty() {
        "of an unknown version".to_owned()
    } else {
        printable(&program.chars().take(40).collect::<String>())
    }
}

fn fault(error: &serde_json::Error) -> RecordFault {
    if error.is_eof() { RecordFault::Cut } else { RecordFault::Rubbish(printable(&error.to_string())) }
}

/// A record comes from anywhere: it must not move the cursor of whoever reads it.
fn printable(text: &str) -> String {
    crate::printable::line(text).into_owned()
}

#[cfg(test)]
mod tests;
