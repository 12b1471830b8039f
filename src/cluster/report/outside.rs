//! Which reports somebody outside can cause again and again: a packet, a cable, a client, a neighbour that restarts. Whoever
//! writes them down bounds them by this kind and subject. What moves groups is not among them: it is told each time.

use std::fmt;

use crate::names::NodeName;

use super::Report;

/// What such a report is counted under.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outside {
    /// What kind of thing; reports that say the opposite of each other share one.
    pub kind: &'static str,
    /// What it is about.
    pub subject: String,
    /// Whether it says how something is now.
    pub is_state: bool,
}

/// A subject that somebody else named is not kept at any length.
const LONGEST: usize = 100;

fn about(kind: &'static str, subject: impl fmt::Display) -> Option<Outside> {
    let subject = subject.to_string().chars().take(LONGEST).collect();
    Some(Outside { kind, subject, is_state: false })
}

fn state(kind: &'static str, subject: impl fmt::Display) -> Option<Outside> {
    about(kind, subject).map(|outside| Outside { is_state: true, ..outside })
}

impl Report {
    /// What it is counted under, if outside can cause it again and again. `is_ping` knows which nodes only answer pings:
    /// their lives move nothing.
    #[allow(clippy::too_many_lines, reason = "one line a report")]
    pub fn outside(&self, is_ping: impl Fn(&NodeName) -> bool) -> Option<Outside> {
        use Report as R;
        match self {
            R::LinkUp { node, medium } | R::LinkDead { node, medium } => state("link", format_args!("{node} {medium}")),
            R::MediumFailed { medium, .. } | R::MediumWorks { medium } => state("medium", medium),
            R::NodeStatus { node, .. } | R::NodeDead { node, .. } if is_ping(node) => state("ping-node", node),
            R::NodeStatus { node, .. } => state("node-status", node),
            R::NodeRestarted { node } | R::NodeReturned { node, .. } => state("node-back", node),
            R::FenceDeviceBroken { device, .. } | R::FenceDeviceWorks { device } => state("fence-device", device),
            R::LateHeartbeat { node, .. } => about("late-heartbeat", node),
            R::OwnStall { .. } => about("own-stall", ""),
            R::LostPackets { node, .. } => about("lost-packets", node),
            R::LostALot { node, .. } => about("lost-a-lot", node),
            R::NoneMissing { node } => about("none-missing", node),
            R::Irretrievable { node, .. } => about("irretrievable", node),
            R::CannotRexmit { node, .. } => about("cannot-rexmit", node),
            R::Replay { node, .. } => about("replay", node),
            R::GenerationWentBack { node, .. } => about("generation-went-back", node),
            R::MayBeOld { node, .. } => about("may-be-old", node),
            R::UnknownNode { node } => about("unknown-node", node),
            R::NameTaken { .. } => about("name-taken", ""),
            R::TwoMachines { node, .. } => about("two-machines", node),
            R::Refused { node } => about("refused", node),
            R::FlowControlOff { node } => about("flow-control-off", node),
            R::UuidChanged { node, .. } => about("uuid-changed", node),
            R::NodeListDiffers { node, .. } => about("node-list-differs", node),
            R::ResourcesDiffer { node } => about("resources-differ", node),
            R::PeerIsLegacy { node } => about("peer-is-legacy", node),
            R::ShutdownNotice { node } => about("shutdown-notice", node),
            R::IpRequest { group, node } => about("ip-request", format_args!("{node} {group}")),
            R::WantsStandby { node, .. } => about("wants-standby", node),
            R::StandbyNoReply => about("standby-no-reply", ""),
            R::StandbyCancelled => about("standby-cancelled", ""),
            R::StandbyBusy { node } => about("standby-busy", node),
            R::StandbyInFlux { node, .. } => about("standby-in-flux", node),
            R::StandbyLegacy => about("standby-legacy", ""),
            R::StandbyRefused { .. } => about("standby-refused", ""),
            R::BadSet { .. } => about("bad-set", ""),
            R::OneWay { node, .. } => about("one-way", node),
            R::BothOwn { group } => about("both-own", group),
            R::ShutdownUnderway => about("shutdown-underway", ""),
            R::ShutdownWaits => about("shutdown-waits", ""),
            R::NotReset { node, .. } => about("not-reset", node),
            R::FencingRetries { node } => about("fencing-retries", node),
            R::ResourceSick { resource, .. } => about("resource-sick", resource),
            R::ResourceStays { group } => about("resource-stays", group),
            R::RunsHereToo { resource } => about("runs-here-too", resource),
            R::NotBrought { group, .. } => about("not-brought", group),
            R::TakenByHand => about("taken-by-hand", ""),
            R::LocalStatus(_)
            | R::PeerForgotten { .. }
            | R::CommUp
            | R::NodeDead { .. }
            | R::RemoteComplete
            | R::LocalComplete
            | R::TakingOverFrom { .. }
            | R::DeadNodeGaveUp { .. }
            | R::NoStonith
            | R::TakeoverCancelled
            | R::TakingOverGroup { .. }
            | R::TakeoverComplete { .. }
            | R::LocalAcquired { .. }
            | R::InitialComplete { .. }
            | R::Orphan { .. }
            | R::FailbackBegins { .. }
            | R::Acquiring { .. }
            | R::Releasing { .. }
            | R::GroupHeld { .. }
            | R::GroupReleased { .. }
            | R::Running { .. }
            | R::ScriptFailed { .. }
            | R::GivingUp { .. }
            | R::GroupFailed { .. }
            | R::FailureForgotten { .. }
            | R::RetryingStop { .. }
            | R::NotLsb { .. }
            | R::StopFailed { .. }
            | R::GroupBlocked { .. }
            | R::FailedThere { .. }
            | R::Given { .. }
            | R::GoingStandby { .. }
            | R::StandbyAccepted { .. }
            | R::StandbyAcquire { .. }
            | R::ReleaseDone { .. }
            | R::AcquireDone { .. }
            | R::StandbyDone { .. }
            | R::OtherCompleted { .. }
            | R::PartitionKept { .. }
            | R::PartitionLetGo { .. }
            | R::ShutdownBegins
            | R::ShutdownBlocked
            | R::GivingUpAll
            | R::AllReleased
            | R::ShutdownComplete { .. }
            | R::Reconfigured { .. }
            | R::Adopting { .. }
            | R::Checking { .. }
            | R::Adopted { .. }
            | R::StoppingLeftovers { .. }
            | R::LeftoversStopped
            | R::RunsAlready { .. }
            | R::Upgrading
            | R::Resetting { .. }
            | R::NodeReset { .. }
            | R::FencingCancelled { .. }
            | R::Restarting { .. }
            | R::GroupGivenUp { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::MediumId;

    #[test]
    fn a_link_that_flaps_is_one_subject_whichever_way_it_went() {
        let (node, medium) = (NodeName::new("beta").unwrap(), MediumId::new("eth0"));
        let up = Report::LinkUp { node: node.clone(), medium: medium.clone() }.outside(|_| false);
        assert_eq!(up, Report::LinkDead { node, medium }.outside(|_| false));
        assert!(up.unwrap().is_state);
    }

    #[test]
    fn the_death_of_a_ping_node_is_counted_and_that_of_a_node_told_each_time() {
        let dead = Report::NodeDead { node: NodeName::new("beta").unwrap(), silent_for: std::time::Duration::ZERO };
        assert_eq!(dead.outside(|_| false), None);
        assert_eq!(dead.outside(|_| true).unwrap().kind, "ping-node");
    }

    #[test]
    fn an_invented_name_is_not_kept_at_any_length() {
        let unknown = Report::UnknownNode { node: "x".repeat(10_000) };
        assert_eq!(unknown.outside(|_| false).unwrap().subject.len(), LONGEST);
    }
}
