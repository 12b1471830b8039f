//! What is written down while a pair plays, as values; a transcript is one way to read them, a time line another.

use crate::cluster::{Report, Request, Response};
use crate::haresources::{Invocation, Outcome};
use crate::names::MediumId;
use crate::time::Mono;

use super::{Deed, Where};

/// One thing that happened.
#[derive(Clone, Debug, PartialEq)]
pub struct Note {
    /// When.
    pub at: Mono,
    /// On which node; `None` for what whoever plays says.
    pub node: Option<usize>,
    /// What.
    pub what: What,
}

/// What happened.
#[derive(Clone, Debug, PartialEq)]
pub enum What {
    /// Whoever plays does something to a node.
    Deed(Deed),
    /// Whoever plays asks a node for something.
    Asked(Request),
    /// Whoever plays says something.
    Remark(String),
    /// Whoever plays cuts a medium, both ways.
    Cut(MediumId),
    /// A part of the play begins.
    Chapter(String),
    /// It is as expected.
    Met(String),
    /// It is not.
    Unmet(String),
    /// A group runs otherwise than before; not part of a transcript.
    Moved {
        /// Its place in the file.
        group: usize,
        /// Until now.
        was: Where,
        /// From now on.
        now: Where,
    },
    /// A message that is no heartbeat was sent, without its control fields.
    Sent(String),
    /// A script was called, and will end like this.
    Ran(Invocation, Outcome),
    /// The operator was told.
    Said(Report),
    /// The ipfail of a node logged this.
    Beside(String),
    /// An original logged this.
    Logged(String),
    /// A client was answered.
    Replied(Response),
    /// The addresses of a group, by its key, were announced again.
    Announced(String),
    /// A fencing device was asked to make sure that this node is off.
    Fenced {
        /// Whom.
        victim: String,
        /// The device's number in `Settings::fences`.
        device: usize,
    },
    /// A script is no longer waited for.
    Cancelled,
}

impl Note {
    /// A line of a transcript.
    pub(super) fn line(&self, names: &[&str; 2]) -> String {
        let seconds = self.at.elapsed().as_secs_f64();
        match self.node.map(|node| names[node]) {
            Some(name) => format!("{seconds:9.3}  {name:<6} {}", self.what.text()),
            None => format!("{seconds:9.3}  -- {}", self.what.text()),
        }
    }
}

impl What {
    /// In the words of a transcript.
    pub fn text(&self) -> String {
        match self {
            What::Deed(deed) => format!("({deed})"),
            What::Asked(request) => format!("(asked for {request:?})"),
            What::Remark(text) | What::Met(text) | What::Unmet(text) => text.clone(),
            What::Cut(medium) => format!("cut {medium}"),
            What::Moved { group, now, .. } => format!("group {group}: {now:?}"),
            What::Chapter(title) => format!("chapter {title}"),
            What::Sent(text) => format!("send    {text}"),
            What::Ran(call, outcome) if outcome.said.is_empty() => format!("run     {call} -> {}", outcome.exit),
            What::Ran(call, outcome) => format!("run     {call} -> {}, says {}", outcome.exit, outcome.said),
            What::Beside(text) => format!("ipfail  {text}"),
            What::Logged(text) => format!("log     {text}"),
            What::Said(report) => format!("report  {}: {report}", report.level().as_str()),
            What::Replied(response) => format!("reply   {response:?}"),
            What::Announced(group) => format!("announce {group}"),
            What::Fenced { victim, device } => format!("fence   {victim} with device {device}"),
            What::Cancelled => "cancel".to_owned(),
        }
    }
}
