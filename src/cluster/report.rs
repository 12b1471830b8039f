//! Everything an operator is told, and its words: the phrases of the original where people grep for them.
//!
//! The only place for the wording of the core's log lines; the phrases are those of `wire.md` 4 to 6 and
//! `resources.md` 1 to 5. Pure, so that transcripts of the simulator show what the log will say.

use std::fmt;
use std::time::Duration;

use serde::{Serialize, Serializer};

use crate::names::{MediumId, NodeName};
use crate::wire::Generation;

use super::{Set, Status};

/// How loud a report is; the word before it in the log as the original prints it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// `debug`
    Debug,
    /// `info`
    Info,
    /// `WARN`
    Warn,
    /// `ERROR`
    Error,
    /// `CRIT`
    Crit,
}

impl Level {
    /// The word in the log line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Level::Debug => "debug",
            Level::Info => "info",
            Level::Warn => "WARN",
            Level::Error => "ERROR",
            Level::Crit => "CRIT",
        }
    }
}

/// One thing an operator is told. Its serde form is `{"node-dead":{"node":"alpha","silent_for":512.0}}`, times in ms.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
#[allow(missing_docs, reason = "each variant is the sentence `Display` gives it")]
pub enum Report {
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
    },
    DeadNodeGaveUp {
        node: NodeName,
    },
    NoStonith,
    LateHeartbeat {
        node: NodeName,
        #[serde(serialize_with = "in_ms")]
        interval: Duration,
    },
    OwnStall {
        #[serde(serialize_with = "in_ms")]
        lost: Duration,
    },
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
    UnknownNode {
        node: String,
    },
    NameTaken {
        medium: MediumId,
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
    RemoteComplete,
    LocalComplete,
    TakingOverFrom {
        node: NodeName,
    },
    ShutdownNotice {
        node: NodeName,
    },
    TakeoverCancelled,
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
    TakeoverComplete {
        node: NodeName,
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
    FailbackBegins {
        node: NodeName,
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
    Orphan {
        group: String,
        owner: NodeName,
    },
    ShutdownBegins,
    ShutdownUnderway,
    ShutdownWaits,
    ShutdownBlocked,
    AllReleased,
    ShutdownComplete {
        me: NodeName,
    },
    Reconfigured {
        groups: usize,
    },
    IpRequest {
        group: String,
        node: NodeName,
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
    FailureForgotten {
        group: String,
    },
}

fn in_ms<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64((duration.as_secs_f64() * 1_000_000.0).round() / 1000.0)
}

impl Report {
    /// Whether a node, a link, a group or a device is not what it was: what `notify` tells.
    pub fn is_change(&self) -> bool {
        use Report as R;
        matches!(
            self,
            R::LocalStatus(_)
                | R::LinkUp { .. }
                | R::LinkDead { .. }
                | R::MediumFailed { .. }
                | R::MediumWorks { .. }
                | R::NodeStatus { .. }
                | R::NodeRestarted { .. }
                | R::NodeDead { .. }
                | R::NodeReturned { .. }
                | R::TakingOverFrom { .. }
                | R::ShutdownNotice { .. }
                | R::ShutdownBegins
                | R::ShutdownComplete { .. }
                | R::GroupHeld { .. }
                | R::GroupReleased { .. }
                | R::GroupFailed { .. }
                | R::GroupBlocked { .. }
                | R::GroupGivenUp { .. }
                | R::Restarting { .. }
                | R::PartitionKept { .. }
                | R::PartitionLetGo { .. }
                | R::NodeReset { .. }
                | R::FencingRetries { .. }
                | R::FencingCancelled { .. }
                | R::FenceDeviceBroken { .. }
                | R::FenceDeviceWorks { .. }
                | R::Adopted { .. }
                | R::StoppingLeftovers { .. }
        )
    }

    /// Whether what is known at that moment should be kept with it, for `latido why`.
    pub fn needs_evidence(&self) -> bool {
        matches!(
            self,
            Report::NodeDead { .. }
                | Report::ShutdownNotice { .. }
                | Report::FailbackBegins { .. }
                | Report::WantsStandby { .. }
                | Report::GroupGivenUp { .. }
                | Report::NodeReturned { .. }
        )
    }

    /// How loud.
    pub fn level(&self) -> Level {
        use Report as R;
        match self {
            R::NodeReturned { .. }
            | R::StopFailed { .. }
            | R::GivingUp { .. }
            | R::RunsAlready { .. }
            | R::GroupBlocked { .. } => Level::Crit,
            R::ScriptFailed { .. }
            | R::GroupFailed { .. }
            | R::BadSet { .. }
            | R::BothOwn { .. }
            | R::NameTaken { .. }
            | R::ResourcesDiffer { .. }
            | R::NotLsb { .. }
            | R::LostALot { .. }
            | R::NotReset { .. }
            | R::FencingRetries { .. }
            | R::FenceDeviceBroken { .. }
            | R::ResourceSick { .. }
            | R::GroupGivenUp { .. }
            | R::RunsHereToo { .. }
            | R::MediumFailed { .. }
            | R::ShutdownBlocked => Level::Error,
            R::NodeDead { .. }
            | R::StoppingLeftovers { .. }
            | R::NoStonith
            | R::LateHeartbeat { .. }
            | R::OwnStall { .. }
            | R::LostPackets { .. }
            | R::Replay { .. }
            | R::UnknownNode { .. }
            | R::FlowControlOff { .. }
            | R::NodeListDiffers { .. }
            | R::PeerIsLegacy { .. }
            | R::StandbyNoReply
            | R::StandbyBusy { .. }
            | R::StandbyInFlux { .. }
            | R::StandbyRefused { .. }
            | R::PartitionLetGo { .. }
            | R::Orphan { .. }
            | R::ShutdownWaits
            | R::Irretrievable { .. }
            | R::FencingCancelled { .. }
            | R::Restarting { .. }
            | R::ResourceStays { .. }
            | R::NodeRestarted { .. } => Level::Warn,
            R::CannotRexmit { .. } => Level::Debug,
            R::LocalStatus(_)
            | R::CommUp
            | R::LinkUp { .. }
            | R::LinkDead { .. }
            | R::MediumWorks { .. }
            | R::NodeStatus { .. }
            | R::DeadNodeGaveUp { .. }
            | R::NoneMissing { .. }
            | R::UuidChanged { .. }
            | R::RemoteComplete
            | R::LocalComplete
            | R::TakingOverFrom { .. }
            | R::ShutdownNotice { .. }
            | R::TakeoverCancelled
            | R::Acquiring { .. }
            | R::Releasing { .. }
            | R::GroupHeld { .. }
            | R::GroupReleased { .. }
            | R::Running { .. }
            | R::RetryingStop { .. }
            | R::TakeoverComplete { .. }
            | R::WantsStandby { .. }
            | R::StandbyAccepted { .. }
            | R::StandbyAcquire { .. }
            | R::ReleaseDone { .. }
            | R::AcquireDone { .. }
            | R::StandbyDone { .. }
            | R::OtherCompleted { .. }
            | R::StandbyCancelled
            | R::StandbyLegacy
            | R::FailbackBegins { .. }
            | R::PartitionKept { .. }
            | R::ShutdownBegins
            | R::ShutdownUnderway
            | R::AllReleased
            | R::ShutdownComplete { .. }
            | R::Reconfigured { .. }
            | R::Adopting { .. }
            | R::Checking { .. }
            | R::Adopted { .. }
            | R::LeftoversStopped
            | R::Upgrading
            | R::Resetting { .. }
            | R::NodeReset { .. }
            | R::FenceDeviceWorks { .. }
            | R::FailureForgotten { .. }
            | R::IpRequest { .. } => Level::Info,
        }
    }
}

impl fmt::Display for Report {
    #[allow(clippy::too_many_lines, reason = "one arm a sentence: the log's dictionary")]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use Report as R;
        match self {
            R::LocalStatus(status) => write!(f, "Local status now set to: '{}'", status.as_str()),
            R::CommUp => write!(f, "Comm_now_up(): updating status to active"),
            R::LinkUp { node, medium } => write!(f, "Link {node}:{medium} up."),
            R::LinkDead { node, medium } => write!(f, "Link {node}:{medium} dead."),
            R::MediumFailed { medium, why } => {
                write!(f, "Unable to use {medium}: {why}. Is a cable unplugged? It is tried again each second.")
            }
            R::MediumWorks { medium } => write!(f, "{medium} works again."),
            R::NodeStatus { node, status } => write!(f, "Status update for node {node}: status {}", status.as_str()),
            R::NodeRestarted { node } => write!(f, "Heartbeat restart on node {node}"),
            R::NodeDead { node, silent_for } => {
                write!(f, "node {node}: is dead (silent for {} on every link)", Ms(*silent_for))
            }
            R::NodeReturned { node } => write!(f, "Cluster node {node} returning after partition."),
            R::DeadNodeGaveUp { node } => write!(f, "Dead node {node} gave up resources."),
            R::NoStonith => write!(f, "No STONITH device configured. Shared disks are not protected."),
            R::LateHeartbeat { node, interval } => {
                write!(f, "Late heartbeat: Node {node}: interval {} ms", interval.as_millis())
            }
            R::OwnStall { lost } => {
                write!(f, "This node stood still for {}: listening before judging anybody else's silence.", Ms(*lost))
            }
            R::LostPackets { node, count, last, seq } => {
                write!(f, "{count} lost packet(s) for [{node}] [{last}:{seq}]")
            }
            R::LostALot { node, count } => {
                write!(f, "lost a lot of packets! {count} of node {node}, not asked for again")
            }
            R::NoneMissing { node } => write!(f, "No pkts missing from {node}!"),
            R::Irretrievable { node, seq } => write!(f, "Irretrievably lost packet: node {node} seq {seq}"),
            R::CannotRexmit { node, seq, why } => write!(f, "Cannot rexmit pkt {seq} for {node}: {why}"),
            R::Replay { node, generation, known } => write!(
                f,
                "should_drop_message: attempted replay attack [{node}]? [gen = {}, curgen = {}]",
                generation.0, known.0
            ),
            R::UnknownNode { node } => write!(f, "process_status_message: bad node [{node}] in message"),
            R::NameTaken { medium } => {
                write!(f, "another machine on {medium} calls itself by our name: give it its own `node` and `uname -n`")
            }
            R::FlowControlOff { node } => {
                write!(f, "flow control disabled due to different version heartbeat on node {node}")
            }
            R::UuidChanged { node, uuid } => write!(f, "node {node} changed its uuid to {uuid}"),
            R::NodeListDiffers { node, list } => {
                write!(
                    f,
                    "node {node} knows other nodes than we do ({list}): make the `node` lines of both ha.cf equal"
                )
            }
            R::ResourcesDiffer { node } => write!(
                f,
                "haresources here and on {node} differ: both nodes may start the same group. Copy one file over the \
                 other and reload both"
            ),
            R::PeerIsLegacy { node } => write!(
                f,
                "node {node} does not say what it holds: it runs `auto_failback legacy`. Set the same mode on both nodes"
            ),
            R::RemoteComplete => write!(f, "remote resource transition completed."),
            R::LocalComplete => write!(f, "local resource transition completed."),
            R::TakingOverFrom { node } => write!(f, "Resources being acquired from {node}."),
            R::ShutdownNotice { node } => write!(f, "Received shutdown notice from '{node}'."),
            R::TakeoverCancelled => write!(f, "Resource takeover cancelled - shutdown in progress."),
            R::Acquiring { owner, resources } => write!(f, "Acquiring resource group: {owner} {resources}"),
            R::Releasing { owner, resources } => write!(f, "Releasing resource group: {owner} {resources}"),
            R::GroupHeld { group, took } => write!(f, "resource group {group} is up ({})", Ms(*took)),
            R::GroupReleased { group, took } => write!(f, "resource group {group} is down ({})", Ms(*took)),
            R::Running { call } => write!(f, "Running {call}"),
            R::ScriptFailed { call, ended } => write!(f, "{call}: {ended}"),
            R::GivingUp { resource } => write!(f, "Giving up resources due to failure of {resource}"),
            R::GroupFailed { group, resource } => write!(
                f,
                "resource group {group} is down here: {resource}. Mend it, then `latido resource retry {group}`"
            ),
            R::RetryingStop { resource } => write!(f, "Retrying failed stop operation [{resource}]"),
            R::NotLsb { resource } => write!(
                f,
                "Resource script for {resource} probably not LSB-compliant. it ({resource}) MUST succeed on a stop when \
                 already stopped. Machine reboot narrowly avoided!"
            ),
            R::StopFailed { resource } => write!(f, "Resource STOP failure. Reboot required! ({resource})"),
            R::GroupBlocked { group, resource } => write!(
                f,
                "resource group {group} cannot be moved: {resource} does not stop. Stop it by hand, then restart this node"
            ),
            R::TakeoverComplete { node } => write!(f, "mach_down takeover complete for node {node}."),
            R::WantsStandby { node, set } => write!(f, "{node} wants to go standby [{set}]"),
            R::StandbyAccepted { node, set } => write!(f, "standby: {node} can take our {set} resources"),
            R::StandbyAcquire { node, set } => write!(f, "standby: acquire [{set}] resources from {node}"),
            R::ReleaseDone { set } => write!(f, "{set} HA resource release completed (standby)."),
            R::AcquireDone { set } => write!(f, "{set} HA resource acquisition completed (standby)."),
            R::StandbyDone { set } => write!(f, "Standby resource acquisition done [{set}]."),
            R::OtherCompleted { set } => write!(f, "Other node completed standby takeover of {set} resources."),
            R::StandbyNoReply => write!(f, "No reply to standby request.  Standby request cancelled."),
            R::StandbyCancelled => write!(f, "Cancelling pending standby operation"),
            R::StandbyBusy { node } => write!(f, "Standby in progress- new request from {node} ignored"),
            R::StandbyInFlux { node, local: false } => {
                write!(f, "standby message [me] from {node} ignored.  Other side is in flux.")
            }
            R::StandbyInFlux { node, local: true } => {
                write!(f, "standby message [me] from {node} ignored.  local resources in flux.")
            }
            R::StandbyLegacy => write!(f, "Standby mode only implemented when nice_failback on"),
            R::StandbyRefused { why } => write!(f, "standby refused: {why}"),
            R::BadSet { set } => {
                write!(f, "encode_resources: bad resource type [{set}]: say all, local, foreign or failback")
            }
            R::FailbackBegins { node } => write!(f, "auto_failback: {node} is back, giving it its resources"),
            R::PartitionKept { group } => write!(f, "resource group {group} stays here after the partition"),
            R::PartitionLetGo { group } => {
                write!(f, "resource group {group} was taken over only because of the partition: letting it go")
            }
            R::BothOwn { group } => write!(f, "Both machines own our resources! ({group})"),
            R::Orphan { group, owner } => write!(f, "nobody runs {group}, not even its home node {owner}: taking it"),
            R::ShutdownBegins => write!(f, "Heartbeat shutdown in progress."),
            R::ShutdownUnderway => write!(f, "Heartbeat shutdown already underway."),
            R::ShutdownWaits => write!(f, "Shutdown delayed until current resource activity finishes."),
            R::ShutdownBlocked => write!(
                f,
                "Shutdown delayed: a resource cannot be stopped. Stop it by hand; a second stop request leaves it running"
            ),
            R::AllReleased => write!(f, "All HA resources relinquished."),
            R::ShutdownComplete { me } => write!(f, "{me} Heartbeat shutdown complete."),
            R::Reconfigured { groups } => write!(f, "haresources reread: {groups} resource group(s)"),
            R::Adopting { groups } if groups.is_empty() => write!(f, "back in time; nothing was held"),
            R::Adopting { groups } => write!(f, "back in time: holding what ran already ({groups}), nothing moves"),
            R::Checking { owner, resources } => write!(f, "Checking resource group: {owner} {resources}"),
            R::Adopted { group } => write!(f, "resource group {group} runs as before"),
            R::StoppingLeftovers { groups, leaving: false } => write!(
                f,
                "the other node may have taken over meanwhile: stopping what was left running ({groups}) before this \
                 node speaks"
            ),
            R::StoppingLeftovers { groups, leaving: true } => {
                write!(f, "stopping what was left running ({groups}), then leaving")
            }
            R::LeftoversStopped => write!(f, "nothing is left running"),
            R::RunsAlready { resource, agent, group } => write!(
                f,
                "CRITICAL: Resource {resource} is active, and should not be! Nothing of group {group} may run before \
                 this daemon starts it: the other node may run it too. Stop it with `{resource} stop`, and see that \
                 nothing starts {agent} at boot (`systemctl disable`, rc links)"
            ),
            R::Upgrading => write!(f, "exchanging the program: resources stay as they are"),
            R::Resetting { node, device } => write!(f, "Resetting node {node} with [{device}]"),
            R::NodeReset { node } => write!(f, "node {node} now reset."),
            R::NotReset { node, device, why } => write!(f, "Host {node} not reset! [{device}]: {why}"),
            R::FencingRetries { node } => {
                write!(f, "STONITH of {node} failed.  Retrying... Nothing of {node} is taken over before it works.")
            }
            R::FencingCancelled { node } => {
                write!(f, "{node} is not fenced any more: it was heard, or this node leaves")
            }
            R::FenceDeviceBroken { device, why } => write!(
                f,
                "STONITH device {device} not operational! ({why}) This may mean that the STONITH device has failed!"
            ),
            R::FenceDeviceWorks { device } => write!(f, "STONITH device {device} works again"),
            R::ResourceSick { resource, said, failures } => {
                write!(f, "{resource} does not work: {said} (failure {failures} in a row)")
            }
            R::Restarting { resource, count } => {
                write!(f, "restarting {resource} and what follows it in its group (restart {count})")
            }
            R::ResourceStays { group } => {
                write!(
                    f,
                    "resource group {group} stays here although it fails: the other node is not there or gave it up"
                )
            }
            R::GroupGivenUp { group, resource, restarts } => write!(
                f,
                "resource group {group} is handed over: {resource} died again after {restarts} restart(s). \
                 When it is mended: latido resource retry {group}"
            ),
            R::RunsHereToo { resource } => write!(
                f,
                "{resource} runs on this node although the other node holds its group. Stop it, and see who started it \
                 (is it enabled at boot?)"
            ),
            R::FailureForgotten { group } => write!(f, "resource group {group}: its failure here is forgotten"),
            R::IpRequest { group, node } => write!(f, "{node} asks for resource group {group}"),
        }
    }
}

/// A duration as people read it in a log: milliseconds below ten seconds, else seconds.
struct Ms(Duration);

impl fmt::Display for Ms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 < Duration::from_secs(10) {
            write!(f, "{} ms", self.0.as_millis())
        } else {
            write!(f, "{:.1} s", self.0.as_secs_f64())
        }
    }
}
