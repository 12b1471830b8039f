//! The few numbers and names the core needs; `config` fills them.

use std::time::Duration;

use crate::names::{MediumId, NodeName};

/// Whether groups go home by themselves when their owner returns (`resources.md` 2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AutoFailback {
    /// The holder gives the returning node its groups back.
    On,
    /// Who has them keeps them.
    Off,
    /// The returning node asks with `ip-request`; the default of an `ha.cf` without the directive.
    Legacy,
}

impl AutoFailback {
    /// The word in `ha.cf`.
    pub const fn as_str(self) -> &'static str {
        match self {
            AutoFailback::On => "on",
            AutoFailback::Off => "off",
            AutoFailback::Legacy => "legacy",
        }
    }
}

/// What happens to a group that cannot start here (`takeover.md` 6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnStartFailure {
    /// It is offered to the other node at once, and never back and forth.
    Move,
    /// It stays down here until somebody acts.
    Stay,
}

/// What happens when a resource cannot be stopped (`takeover.md` 6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnStopFailure {
    /// Sync the disks and reboot this machine.
    Reboot,
    /// Leave it to the other node's fencing.
    Fence,
    /// The group stays where it is, unmoved, until somebody acts.
    Block,
}

/// A medium as the core sees it.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Medium {
    /// The name of its link.
    pub id: MediumId,
    /// The ping node it reaches, for `ping`, `ping6` and `ping_group`; such a medium carries no messages to nodes.
    pub ping_node: Option<NodeName>,
}

/// What the core must know of the configuration.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Settings {
    /// This node.
    pub me: NodeName,
    /// All normal nodes in the order of `ha.cf`, this one included.
    pub nodes: Vec<NodeName>,
    /// The media in the order of `ha.cf`; no two with the same id.
    pub media: Vec<Medium>,
    /// Interval of our status messages.
    pub keepalive: Duration,
    /// Silence after which a node is dead, as we ask the others to apply it to us.
    pub deadtime: Duration,
    /// A longer gap between two status messages is reported.
    pub warntime: Duration,
    /// Silence allowed to a node never heard since our start.
    pub initdead: Duration,
    /// Silence after which a ping node is dead.
    pub deadping: Duration,
    /// How groups go home.
    pub auto_failback: AutoFailback,
    /// For how long the home of a group must be back before `auto_failback on` brings it there; zero: at once.
    #[serde(default, with = "millis")]
    pub failback_delay: Duration,
    /// Added to the number of nodes for `ttl`.
    pub hopfudge: u32,
    /// Interval of repeated retransmission requests (`wire.md` 4.3).
    pub max_rexmit_delay: Duration,
    /// False with `-M`: no group is ever touched.
    pub manage_resources: bool,
    /// Longest time a script may take for `start`, `stop` and `status`.
    pub script_timeout: ScriptTimeouts,
    /// What happens to a group that cannot start.
    pub on_start_failure: OnStartFailure,
    /// What happens when a resource cannot be stopped.
    pub on_stop_failure: OnStopFailure,
    /// The fencing devices in the order they are tried, as the log names them; none: a dead node is not fenced.
    pub fences: Vec<String>,
    /// What is asked regularly whether it works.
    pub monitors: Vec<Monitor>,
    /// Short digest of `haresources`, which our own messages carry so that a difference is noticed.
    pub resources_digest: String,
    /// `keepalive=1s deadtime=10s …`: what both nodes' `ha.cf` should agree on.
    pub timing: String,
    /// Number and method of the key that signs, `1 sha1`; nothing of the key itself.
    pub key: String,
}

/// A duration as a number of milliseconds.
mod millis {
    use std::time::Duration;

    use serde::{Deserialize as _, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        u64::deserialize(deserializer).map(Duration::from_millis)
    }
}

/// One `monitor` line of `latido.cf`.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Monitor {
    /// A resource as written in `haresources`, or the name of its script, or `*` for all.
    pub resource: String,
    /// Between two questions.
    pub every: Duration,
    /// That many failures in a row count as dead; 1 or more.
    pub failures: u32,
    /// That many restarts in place before the group is handed over; 0 for none.
    pub restarts: u32,
    /// How it is asked.
    pub with: Probe,
}

/// How a resource is asked whether it works.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Probe {
    /// Its script's `status`.
    Status,
    /// A connection to HOST:PORT.
    Tcp(String),
    /// A SIP `OPTIONS` request over UDP to HOST:PORT; any answer will do.
    Sip(String),
    /// A program that exits with 0.
    Command(Vec<String>),
    /// The carrier of the interface that has this address; asked when the `status` of an address says that it is there.
    Carrier(String),
}

/// Longest time a resource script may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ScriptTimeouts {
    /// For `start`.
    pub start: Duration,
    /// For `stop`, all retries together.
    pub stop: Duration,
    /// For `status`.
    pub status: Duration,
}

impl Default for ScriptTimeouts {
    fn default() -> ScriptTimeouts {
        ScriptTimeouts {
            start: Duration::from_secs(120),
            stop: Duration::from_secs(120),
            status: Duration::from_secs(30),
        }
    }
}
