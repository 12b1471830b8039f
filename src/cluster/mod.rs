//! The core: nodes, links, deadtime, takeover, standby, failback, as a value.
//!
//! [`Cluster::handle`] takes the time and one event and returns what to do; [`Cluster::next_deadline`] says when to
//! call it with [`Event::Tick`]; [`Cluster::view`] shows what is. It opens nothing, waits for nothing, reads no clock.
//! Implements `wire.md` 4 to 6 and `resources.md` 1 to 5; `docs/takeover.md` says where it does otherwise and why.

mod action;
mod event;
mod report;
mod request;
mod settings;
mod view;

use crate::haresources::ResourceGroup;
use crate::names::NodeName;
use crate::time::{Mono, Now};
use crate::wire::Generation;
use crate::wire::Sequence;

pub use action::{Action, ExitReason};
pub use event::{Event, MediumCondition};
pub use report::{Level, Report};
pub use request::{Request, Response, Set};
pub use settings::{AutoFailback, Medium, OnStartFailure, OnStopFailure, ScriptTimeouts, Settings};
pub use view::{GroupState, GroupView, LinkView, NodeView, View};

/// What a node says of itself, or what we say of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Just started, or never heard.
    Init,
    /// Its media are open.
    Up,
    /// It has heard everybody or given them up.
    Active,
    /// Silent for too long.
    Dead,
    /// A ping node that answers.
    Ping,
}

/// What a node brings into its life.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Birth {
    /// Already counted up and on disk.
    pub generation: Generation,
    /// From `hb_uuid`.
    pub uuid: [u8; 16],
    /// For the random delays and the ack trigger; any number.
    pub seed: u64,
    /// How far each node was heard before our restart, as [`Action::Remember`] said it.
    pub remembered: Vec<(NodeName, Generation, Sequence)>,
}

/// One node's whole knowledge and will.
#[derive(Debug)]
pub struct Cluster {
    settings: Settings,
}

impl Cluster {
    /// A node that has just been born; call [`Cluster::handle`] with [`Event::Tick`] at once, it will speak.
    pub fn start(_settings: Settings, _groups: Vec<ResourceGroup>, _birth: Birth, _now: Now) -> Cluster {
        todo!()
    }

    /// Takes what happened, returns what to do, in order. Total: nothing makes it panic.
    pub fn handle(&mut self, _now: Now, _event: Event) -> Vec<Action> {
        todo!()
    }

    /// When to call [`Cluster::handle`] with [`Event::Tick`] at the latest; `None` once it has left.
    pub fn next_deadline(&self) -> Option<Mono> {
        todo!()
    }

    /// How things are.
    pub fn view(&self, _now: Mono) -> View {
        todo!()
    }

    /// The settings in force.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }
}

impl Status {
    /// The word on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Status::Init => "init",
            Status::Up => "up",
            Status::Active => "active",
            Status::Dead => "dead",
            Status::Ping => "ping",
        }
    }

    /// The status a word on the wire means.
    pub fn from_text(text: &str) -> Option<Status> {
        [Status::Init, Status::Up, Status::Active, Status::Dead, Status::Ping].into_iter().find(|s| s.as_str() == text)
    }
}
