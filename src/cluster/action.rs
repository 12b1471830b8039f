//! Everything a node can ask for. The caller obeys in order.

use std::time::Duration;

use crate::haresources::Invocation;
use crate::names::{ClientId, JobId, NodeName};
use crate::wire::{Generation, Message, Sequence};

use super::{Notes, Probe, Report, Response};

/// One thing to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Sign this and put it on every medium, once each. A `status` of ours also makes each ping medium send its echo
    /// request.
    Send(Message),
    /// Run this script and report its end as [`super::Event::Done`]; kill its process group after `limit`.
    Run {
        /// To be named in `Done`.
        job: JobId,
        /// What to run.
        invocation: Invocation,
        /// How long it may take.
        limit: Duration,
    },
    /// Ask whether a service works and report it as [`super::Event::Done`], exit 0 for well, within `limit`.
    Probe {
        /// To be named in `Done`.
        job: JobId,
        /// How; never [`Probe::Status`], which is a `Run`.
        probe: Probe,
        /// How long it may take.
        limit: Duration,
    },
    /// Make sure this node is off, with the device of that number in [`super::Settings::fences`]; `Done` tells how it went.
    Fence {
        /// To be named in `Done`.
        job: JobId,
        /// Which device.
        device: usize,
        /// Whom.
        node: NodeName,
        /// How long it may take.
        limit: Duration,
    },
    /// Ask that device whether it would work.
    CheckFence {
        /// To be named in `Done`.
        job: JobId,
        /// Which device.
        device: usize,
        /// How long it may take.
        limit: Duration,
    },
    /// End what runs for this job; its `Done` is no longer waited for.
    Cancel {
        /// Which run.
        job: JobId,
    },
    /// Announce this group's addresses on the network again (gratuitous ARP): somebody else claimed them meanwhile.
    Announce {
        /// The group's key.
        group: String,
    },
    /// Offer this message to `/etc/ha.d/rc.d` (`resources.md` 1.4); nothing waits for it.
    Notify(Message),
    /// Hand this message to the programs on this machine.
    Deliver {
        /// What kind of news it is.
        class: Class,
        /// What it says.
        message: Message,
    },
    /// Answer this client.
    Reply {
        /// Whom.
        client: ClientId,
        /// What.
        response: Response,
    },
    /// Tell the operator.
    Report(Report),
    /// Remember on disk how far we heard this node, so that an old message cannot be replayed after our restart.
    Remember {
        /// Whom we heard.
        node: NodeName,
        /// Its generation.
        generation: Generation,
        /// The last sequence number of its status messages.
        sequence: Sequence,
        /// By how many seconds its clock is ahead of ours.
        ahead: Option<i64>,
    },
    /// Remember nothing of how far this node was heard.
    Forget {
        /// Whom.
        node: NodeName,
    },
    /// Keep this where our successor finds it if we die now, before anything else is done.
    WriteNotes(Notes),
    /// Nothing is to be said, and yet the loop goes on: tell the watchdog.
    Alive,
    /// Leave, or reset the machine. Nothing follows.
    Exit(ExitReason),
}

/// What kind of news a message is; a client's filter is a set of these. The others of the original (duplicates, the
/// protocol's own messages, requests of clients) are accepted in a filter and never delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// What clients see by default.
    Keep,
    /// A heartbeat that changes nothing.
    NoChange,
    /// For another node.
    Drop,
}

/// Why the daemon ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExitReason {
    /// In order: every group was released.
    Stopped,
    /// To be followed by the same or a newer program, which finds everything as it is.
    Upgrade,
    /// A resource could not be stopped: fall silent without a farewell, so that the other node fences this one.
    ToBeFenced {
        /// The resource, as called.
        resource: String,
    },
    /// A resource could not be stopped: sync and reboot, so that the other node may safely start it.
    Reboot {
        /// The resource, as called.
        resource: String,
    },
}
