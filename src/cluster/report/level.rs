//! How loud each report is, and which of them are also told to `notify` and kept as evidence for `latido why`.

use super::Report;

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
                | R::GroupHeld { .. }
                | R::GroupReleased { .. }
                | R::GroupFailed { .. }
                | R::GroupBlocked { .. }
                | R::OneWay { .. }
                | R::PartitionKept { .. }
                | R::PartitionLetGo { .. }
                | R::ShutdownBegins
                | R::ShutdownComplete { .. }
                | R::Adopted { .. }
                | R::StoppingLeftovers { .. }
                | R::NodeReset { .. }
                | R::FencingRetries { .. }
                | R::FencingCancelled { .. }
                | R::FenceDeviceBroken { .. }
                | R::FenceDeviceWorks { .. }
                | R::Restarting { .. }
                | R::GroupGivenUp { .. }
        )
    }

    /// Whether what is known at that moment should be kept with it, for `latido why`.
    pub fn needs_evidence(&self) -> bool {
        matches!(
            self,
            Report::NodeDead { .. }
                | Report::NodeReturned { .. }
                | Report::ShutdownNotice { .. }
                | Report::FailbackBegins { .. }
                | Report::WantsStandby { .. }
                | Report::GroupGivenUp { .. }
                | Report::Given { .. }
                | Report::FailedThere { .. }
        )
    }

    /// How loud.
    #[allow(clippy::too_many_lines, reason = "one line a report")]
    pub fn level(&self) -> Level {
        use Report as R;
        match self {
            R::NodeReturned { .. }
            | R::OneWay { .. }
            | R::GivingUp { .. }
            | R::StopFailed { .. }
            | R::GroupBlocked { .. }
            | R::RunsAlready { .. } => Level::Crit,
            R::MediumFailed { .. }
            | R::LostALot { .. }
            | R::NameTaken { .. }
            | R::TwoMachines { .. }
            | R::Refused { .. }
            | R::ResourcesDiffer { .. }
            | R::ScriptFailed { .. }
            | R::GroupFailed { .. }
            | R::NotLsb { .. }
            | R::BadSet { .. }
            | R::BothOwn { .. }
            | R::ShutdownBlocked
            | R::NotReset { .. }
            | R::FencingRetries { .. }
            | R::FenceDeviceBroken { .. }
            | R::ResourceSick { .. }
            | R::GroupGivenUp { .. }
            | R::RunsHereToo { .. }
            | R::NotBrought { .. }
            | R::TakenByHand => Level::Error,
            R::NodeDead { .. }
            | R::LateHeartbeat { .. }
            | R::OwnStall { .. }
            | R::LostPackets { .. }
            | R::Irretrievable { .. }
            | R::Replay { .. }
            | R::GenerationWentBack { .. }
            | R::MayBeOld { .. }
            | R::PeerForgotten { .. }
            | R::UnknownNode { .. }
            | R::FlowControlOff { .. }
            | R::NodeListDiffers { .. }
            | R::PeerIsLegacy { .. }
            | R::NoStonith
            | R::Orphan { .. }
            | R::StandbyNoReply
            | R::StandbyBusy { .. }
            | R::StandbyInFlux { .. }
            | R::StandbyRefused { .. }
            | R::PartitionLetGo { .. }
            | R::ShutdownWaits
            | R::StoppingLeftovers { .. }
            | R::FencingCancelled { .. }
            | R::Restarting { .. }
            | R::ResourceStays { .. } => Level::Warn,
            R::CannotRexmit { .. } => Level::Debug,
            R::LocalStatus(_)
            | R::CommUp
            | R::LinkUp { .. }
            | R::LinkDead { .. }
            | R::MediumWorks { .. }
            | R::NodeStatus { .. }
            | R::NodeRestarted { .. }
            | R::NoneMissing { .. }
            | R::UuidChanged { .. }
            | R::RemoteComplete
            | R::LocalComplete
            | R::TakingOverFrom { .. }
            | R::DeadNodeGaveUp { .. }
            | R::ShutdownNotice { .. }
            | R::TakeoverCancelled
            | R::TakingOverGroup { .. }
            | R::TakeoverComplete { .. }
            | R::LocalAcquired { .. }
            | R::InitialComplete { .. }
            | R::IpRequest { .. }
            | R::FailbackBegins { .. }
            | R::Acquiring { .. }
            | R::Releasing { .. }
            | R::GroupHeld { .. }
            | R::GroupReleased { .. }
            | R::Running { .. }
            | R::FailureForgotten { .. }
            | R::RetryingStop { .. }
            | R::GoingStandby { .. }
            | R::WantsStandby { .. }
            | R::StandbyAccepted { .. }
            | R::StandbyAcquire { .. }
            | R::Given { .. }
            | R::FailedThere { .. }
            | R::ReleaseDone { .. }
            | R::AcquireDone { .. }
            | R::StandbyDone { .. }
            | R::OtherCompleted { .. }
            | R::StandbyCancelled
            | R::StandbyLegacy
            | R::PartitionKept { .. }
            | R::ShutdownBegins
            | R::ShutdownUnderway
            | R::GivingUpAll
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
            | R::FenceDeviceWorks { .. } => Level::Info,
        }
    }
}
