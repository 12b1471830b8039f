//! Everything an operator is told: the facts. What else is to be known of each, its name, how loud it is, who hears of it,
//! stands in `events`; its words in `words`, its lines of the log in `lines`, and how to know them again in `phrases`. Pure,
//! so that transcripts of the simulator show what the log will say.

mod events;
mod level;
mod lines;
mod outside;
pub mod phrases;
mod short;
mod words;

#[cfg(test)]
mod tests;

use std::time::Duration;

use serde::{Serialize, Serializer};
use serde_json::Value;

use crate::names::{MediumId, NodeName};
use crate::wire::Generation;

use super::{Set, Status};

pub use events::{EventName, Scope};
pub use level::Level;
pub use lines::{LogLine, Program};
pub use outside::Outside;
pub use short::{Mood, Shown};

/// One thing an operator is told. Its serde form is its particulars alone, `{"node":"alpha","silent_for":512.0}`, times in
/// ms; its name is [`Report::event`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
#[non_exhaustive]
#[allow(missing_docs, reason = "each variant is the sentence `Display` gives it")]
pub enum Report {
    // This node, its links and media.
    LocalStatus(Status),
    CommUp,
    LinkUp {
        node: NodeName,
        medium: MediumId,
    },
    LinkDead {
        node: NodeName,
        medium: MediumId,
    },
    MediumFailed {
        medium: MediumId,
        why: String,
    },
    MediumWorks {
        medium: MediumId,
    },
    // Who lives.
    NodeStatus {
        node: NodeName,
        status: Status,
    },
    NodeRestarted {
        node: NodeName,
    },
    NodeDead {
        node: NodeName,
        #[serde(serialize_with = "in_ms")]
        silent_for: Duration,
    },
    NodeReturned {
        node: NodeName,
        #[serde(serialize_with = "in_ms")]
        silent_for: Duration,
    },
    LateHeartbeat {
        node: NodeName,
        #[serde(serialize_with = "in_ms")]
        interval: Duration,
    },
    OwnStall {
        #[serde(serialize_with = "in_ms")]
        lost: Duration,
    },
    // Messages lost and asked for again.
    LostPackets {
        node: NodeName,
        count: u64,
        last: u64,
        seq: u64,
    },
    LostALot {
        node: NodeName,
        count: u64,
    },
    NoneMissing {
        node: NodeName,
    },
    Irretrievable {
        node: NodeName,
        seq: u64,
    },
    CannotRexmit {
        node: NodeName,
        seq: u64,
        why: &'static str,
    },
    Replay {
        node: NodeName,
        generation: Generation,
        known: Generation,
    },
    GenerationWentBack {
        node: NodeName,
        generation: Generation,
        known: Generation,
    },
    MayBeOld {
        node: NodeName,
        generation: Generation,
        known: Generation,
    },
    PeerForgotten {
        node: NodeName,
    },
    // What does not fit together.
    UnknownNode {
        node: String,
    },
    NameTaken {
        medium: Option<MediumId>,
    },
    TwoMachines {
        node: NodeName,
        medium: MediumId,
        refused: Generation,
        kept: Generation,
    },
    Refused {
        node: NodeName,
    },
    FlowControlOff {
        node: NodeName,
    },
    UuidChanged {
        node: NodeName,
        uuid: String,
    },
    NodeListDiffers {
        node: NodeName,
        list: String,
    },
    ResourcesDiffer {
        node: NodeName,
    },
    PeerIsLegacy {
        node: NodeName,
    },
    // Who takes what.
    RemoteComplete,
    LocalComplete,
    TakingOverFrom {
        node: NodeName,
    },
    DeadNodeGaveUp {
        node: NodeName,
    },
    NoStonith,
    ShutdownNotice {
        node: NodeName,
    },
    TakeoverCancelled,
    TakingOverGroup {
        group: String,
    },
    TakeoverComplete {
        node: NodeName,
    },
    /// Our own groups need no work any more.
    LocalAcquired {
        work: LocalWork,
        me: NodeName,
    },
    /// Said once in a life: every group is where it is to be.
    InitialComplete {
        how: &'static str,
    },
    IpRequest {
        group: String,
        node: NodeName,
    },
    Orphan {
        group: String,
        owner: NodeName,
    },
    FailbackBegins {
        node: NodeName,
    },
    // Groups and their scripts.
    Acquiring {
        owner: NodeName,
        resources: String,
    },
    Releasing {
        owner: NodeName,
        resources: String,
    },
    GroupHeld {
        group: String,
        #[serde(serialize_with = "in_ms")]
        took: Duration,
    },
    GroupReleased {
        group: String,
        #[serde(serialize_with = "in_ms")]
        took: Duration,
    },
    Running {
        call: String,
    },
    ScriptFailed {
        call: String,
        ended: String,
    },
    GivingUp {
        resource: String,
    },
    GroupFailed {
        group: String,
        resource: String,
    },
    FailureForgotten {
        group: String,
    },
    RetryingStop {
        resource: String,
    },
    NotLsb {
        resource: String,
    },
    StopFailed {
        resource: String,
    },
    GroupBlocked {
        group: String,
        resource: String,
    },
    FailedThere {
        group: String,
        node: NodeName,
        why: String,
    },
    // Standby.
    Given {
        node: NodeName,
        set: Set,
        why: String,
    },
    /// The other node's `hb_takeover` is obeyed.
    GoingStandby {
        set: Set,
    },
    WantsStandby {
        node: NodeName,
        set: Set,
    },
    StandbyAccepted {
        node: NodeName,
        set: Set,
    },
    StandbyAcquire {
        node: NodeName,
        set: Set,
    },
    ReleaseDone {
        set: Set,
    },
    AcquireDone {
        set: Set,
    },
    StandbyDone {
        set: Set,
    },
    OtherCompleted {
        set: Set,
    },
    StandbyNoReply,
    StandbyCancelled,
    StandbyBusy {
        node: NodeName,
    },
    StandbyInFlux {
        node: NodeName,
        local: bool,
    },
    StandbyLegacy,
    StandbyRefused {
        why: String,
    },
    BadSet {
        set: String,
    },
    // After a partition.
    /// The other node does not hear us; what it took is let go.
    OneWay {
        node: NodeName,
        groups: String,
    },
    PartitionKept {
        group: String,
    },
    PartitionLetGo {
        group: String,
    },
    BothOwn {
        group: String,
    },
    // Leaving.
    ShutdownBegins,
    ShutdownUnderway,
    ShutdownWaits,
    ShutdownBlocked,
    GivingUpAll,
    AllReleased,
    ShutdownComplete {
        me: NodeName,
    },
    // Coming back, or going on with another file or program.
    Reconfigured {
        groups: usize,
    },
    Adopting {
        groups: String,
    },
    Checking {
        owner: NodeName,
        resources: String,
    },
    Adopted {
        group: String,
    },
    StoppingLeftovers {
        groups: String,
        leaving: bool,
    },
    LeftoversStopped,
    RunsAlready {
        resource: String,
        agent: String,
        group: String,
    },
    Upgrading,
    // Fencing.
    Resetting {
        node: NodeName,
        device: String,
    },
    NodeReset {
        node: NodeName,
    },
    NotReset {
        node: NodeName,
        device: String,
        why: String,
    },
    FencingRetries {
        node: NodeName,
    },
    FencingCancelled {
        node: NodeName,
    },
    FenceDeviceBroken {
        device: String,
        why: String,
    },
    FenceDeviceWorks {
        device: String,
    },
    // Resources that fail while they are held.
    ResourceSick {
        resource: String,
        said: String,
        failures: u32,
    },
    Restarting {
        resource: String,
        count: u32,
    },
    ResourceStays {
        group: String,
    },
    GroupGivenUp {
        group: String,
        resource: String,
        restarts: u32,
    },
    RunsHereToo {
        resource: String,
    },
    NotBrought {
        group: String,
        why: String,
    },
    TakenByHand,
}

impl Report {
    /// Its particulars, for the journal; null where it has none.
    pub fn data(&self) -> Value {
        serde_json::to_value(self).unwrap_or_default()
    }
}

/// What became of our own groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum LocalWork {
    /// They are up.
    Done,
    /// They run already, here or on the other node.
    None,
    /// No line of `haresources` begins with our name.
    NothingAtHome,
}

fn in_ms<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64((duration.as_secs_f64() * 1_000_000.0).round() / 1000.0)
}
