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

fn outside(kind: &'static str, subject: &dyn fmt::Display, is_state: bool) -> Option<Outside> {
    Some(Outside { kind, subject: subject.to_string().chars().take(LONGEST).collect(), is_state })
}

fn state(kind: &'static str, subject: impl fmt::Display) -> Option<Outside> {
    outside(kind, &subject, true)
}

impl Report {
    /// What it is counted under, if outside can cause it again and again. `is_ping` knows which nodes only answer pings:
    /// their lives move nothing.
    #[allow(clippy::too_many_lines, reason = "one line a report")]
    pub fn outside(&self, is_ping: impl Fn(&NodeName) -> bool) -> Option<Outside> {
        use Report as R;
        // What shares its kind with no other is counted under its name.
        let name = self.event().name();
        let about = |subject: &dyn fmt::Display| outside(name, subject, false);
        match self {
            R::LinkUp { node, medium } | R::LinkDead { node, medium } => state("link", format_args!("{node} {medium}")),
            R::MediumFailed { medium, .. } | R::MediumWorks { medium } => state("medium", medium),
            R::NodeStatus { node, .. } | R::NodeDead { node, .. } if is_ping(node) => state("ping-node", node),
            R::NodeStatus { node, .. } => state(name, node),
            R::NodeRestarted { node } | R::NodeReturned { node, .. } => state("node-back", node),
            R::FenceDeviceBroken { device, .. } | R::FenceDeviceWorks { device } => state("fence-device", device),
            R::LateHeartbeat { node, .. } => about(node),
            R::OwnStall { .. } => about(&""),
            R::LostPackets { node, .. } => about(node),
            R::LostALot { node, .. } => about(node),
            R::NoneMissing { node } => about(node),
            R::Irretrievable { node, .. } => about(node),
            R::CannotRexmit { node, .. } => about(node),
            R::Replay { node, .. } => about(node),
            R::GenerationWentBack { node, .. } => about(node),
            R::MayBeOld { node, .. } => about(node),
            R::UnknownNode { node } => about(node),
            R::NameTaken { .. } => about(&""),
            R::TwoMachines { node, .. } => about(node),
            R::Refused { node } => about(node),
            R::FlowControlOff { node } => about(node),
            R::UuidChanged { node, .. } => about(node),
            R::NodeListDiffers { node, .. } => about(node),
            R::ResourcesDiffer { node } => about(node),
            R::PeerIsLegacy { node } => about(node),
            R::ShutdownNotice { node } => about(node),
            R::IpRequest { group, node } => about(&format_args!("{node} {group}")),
            R::WantsStandby { node, .. } => about(node),
            R::StandbyNoReply => about(&""),
            R::StandbyCancelled => about(&""),
            R::StandbyBusy { node } => about(node),
            R::StandbyInFlux { node, .. } => about(node),
            R::StandbyLegacy => about(&""),
            R::StandbyRefused { .. } => about(&""),
            R::BadSet { .. } => about(&""),
            R::OneWay { node, .. } => about(node),
            R::BothOwn { group } => about(group),
            R::ShutdownUnderway => about(&""),
            R::ShutdownWaits => about(&""),
            R::NotReset { node, .. } => about(node),
            R::FencingRetries { node } => about(node),
            R::ResourceSick { resource, .. } => about(resource),
            R::ResourceStays { group } => about(group),
            R::RunsHereToo { resource } => about(resource),
            R::NotBrought { group, .. } => about(group),
            R::TakenByHand => about(&""),
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
