//! What is written down while a pair plays, as values; a transcript is one way to read them, a time line another.

use crate::cluster::{Report, Request, Response};
use crate::haresources::{Invocation, Outcome};
use crate::names::MediumId;
use crate::time::Mono;

use super::{Intervention, Location};

/// One thing that happened.
#[derive(Clone, Debug, PartialEq)]
pub struct Observation {
    /// When.
    pub at: Mono,
    /// On which node; `None` for what whoever plays says.
    pub node: Option<usize>,
    /// What.
    pub what: Observed,
}

/// What happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Observed {
    /// Whoever plays does something to a node.
    Intervention(Intervention),
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
        was: Location,
        /// From now on.
        now: Location,
    },
    /// A message that is no heartbeat was sent, without its control fields.
    Sent(String),
    /// A script was called, and will end like this.
    Ran(Invocation, Outcome),
    /// The operator was told.
    Said(Report),
    /// The ipfail of a node logged this.
    IpfailLogged(String),
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

impl Observation {
    /// A line of a transcript.
    pub(super) fn line(&self, names: &[&str; 2]) -> String {
        let seconds = self.at.elapsed().as_secs_f64();
        match self.node.map(|node| names[node]) {
            Some(name) => format!("{seconds:9.3}  {name:<6} {}", self.what.text()),
            None => format!("{seconds:9.3}  -- {}", self.what.text()),
        }
    }
}

impl Observed {
    /// In the words of a transcript.
    pub fn text(&self) -> String {
        match self {
            Observed::Intervention(intervention) => format!("({intervention})"),
            Observed::Asked(request) => format!("(asked for {request:?})"),
            Observed::Remark(text) | Observed::Met(text) | Observed::Unmet(text) => text.clone(),
            Observed::Cut(medium) => format!("cut {medium}"),
            Observed::Moved { group, now, .. } => format!("group {group}: {now:?}"),
            Observed::Chapter(title) => format!("chapter {title}"),
            Observed::Sent(text) => format!("send    {text}"),
            Observed::Ran(call, outcome) if outcome.said.is_empty() => format!("run     {call} -> {}", outcome.exit),
            Observed::Ran(call, outcome) => format!("run     {call} -> {}, says {}", outcome.exit, outcome.said),
            Observed::IpfailLogged(text) => format!("ipfail  {text}"),
            Observed::Logged(text) => format!("log     {text}"),
            Observed::Said(report) => format!("report  {}: {report}", report.level().as_str()),
            Observed::Replied(response) => format!("reply   {response:?}"),
            Observed::Announced(group) => format!("announce {group}"),
            Observed::Fenced { victim, device } => format!("fence   {victim} with device {device}"),
            Observed::Cancelled => "cancel".to_owned(),
        }
    }
}
