//! The words of each report in one sentence: the phrases of the original where people grep for them (`wire.md` 4 to 6,
//! `resources.md` 1 to 5), and what we say besides. In the order of the enum. `lines` makes lines of the log of them.

use std::fmt;

use crate::amount::in_log;

use super::{LocalWork, Report};

impl fmt::Display for Report {
    #[allow(clippy::too_many_lines, reason = "one arm a sentence: the log's dictionary")]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use Report as R;
        match self {
            // This node, its links and media.
            R::LocalStatus(status) => write!(f, "Local status now set to: '{}'", status.as_str()),
            R::CommUp => write!(f, "Comm_now_up(): updating status to active"),
            R::LinkUp { node, medium } => write!(f, "Link {node}:{medium} up."),
            R::LinkDead { node, medium } => write!(f, "Link {node}:{medium} dead."),
            R::MediumFailed { medium, why } => {
                write!(f, "Unable to use {medium}: {why}. Is a cable unplugged? It is tried again each second.")
            }
            R::MediumWorks { medium } => write!(f, "{medium} works again."),
            // Who lives.
            R::NodeStatus { node, status } => write!(f, "Status update for node {node}: status {}", status.as_str()),
            R::NodeRestarted { node } => write!(f, "Heartbeat restart on node {node}"),
            R::NodeDead { node, silent_for } => {
                write!(f, "node {node}: is dead (silent for {} on every link)", in_log(*silent_for))
            }
            R::NodeReturned { node, .. } => write!(f, "Cluster node {node} returning after partition."),
            R::LateHeartbeat { node, interval } => {
                write!(f, "Late heartbeat: Node {node}: interval {} ms", interval.as_millis())
            }
            R::OwnStall { lost } => {
                write!(
                    f,
                    "This node stood still for {}: listening before judging anybody else's silence.",
                    in_log(*lost)
                )
            }
            // Messages lost and asked for again.
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
            R::GenerationWentBack { node, generation, known } if generation == known => write!(
                f,
                "{node} begins anew with the generation it had before ({}) and has proved that it lives. Was hb_generation on \
                 {node} put back to an older state, or is it another machine with that name?",
                generation.0
            ),
            R::GenerationWentBack { node, generation, known } => write!(
                f,
                "{node} counts its starts from a lower number than before (generation {}, was {}) and has proved that it \
                 lives: its new count is taken. Was hb_generation on {node} lost, or its disk put back to an older state?",
                generation.0, known.0
            ),
            R::MayBeOld { node, generation, known } => write!(
                f,
                "what is heard of {node} (generation {}, highest known {}) may be old: it is not obeyed before {node} proves that \
                 it lives, and nothing of {node} is taken over. If it does not end and you know that it is {node}: latido \
                 forget-peer {node}",
                generation.0, known.0
            ),
            R::PeerForgotten { node } => {
                write!(f, "forget-peer: how far {node} was heard is forgotten; its next word begins a new life")
            }
            // What does not fit together.
            R::UnknownNode { node } => write!(f, "process_status_message: bad node [{node}] in message"),
            R::NameTaken { medium } => {
                let place = medium.as_ref().map_or_else(String::new, |medium| format!(" on {medium}"));
                write!(
                    f,
                    "another machine{place} calls itself by our name: stop heartbeat on it, or give it its own `node` and \
                     `uname -n`"
                )
            }
            R::TwoMachines { node, medium, refused, kept } => write!(
                f,
                "two machines call themselves {node}: messages of the one with generation {} (on {medium}) are dropped, that \
                 with generation {} is heard. Stop heartbeat on the machine that is not {node}, or give it its own `node` \
                 and `uname -n`",
                refused.0, kept.0
            ),
            R::Refused { node } => write!(
                f,
                "{node} hears another machine with our name and does not listen to this one: this node stops what it \
                 runs and starts nothing. Stop heartbeat on it, or give it its own `node` and `uname -n`"
            ),
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
            // Who takes what.
            R::RemoteComplete => write!(f, "remote resource transition completed."),
            R::LocalComplete => write!(f, "local resource transition completed."),
            R::TakingOverFrom { node } => write!(f, "Resources being acquired from {node}."),
            R::DeadNodeGaveUp { node } => write!(f, "Dead node {node} gave up resources."),
            R::NoStonith => write!(f, "No STONITH device configured. Shared disks are not protected."),
            R::ShutdownNotice { node } => write!(f, "Received shutdown notice from '{node}'."),
            R::TakeoverCancelled => write!(f, "Resource takeover cancelled - shutdown in progress."),
            R::TakingOverGroup { group } => write!(f, "Taking over resource group {group}"),
            R::TakeoverComplete { node } => write!(f, "mach_down takeover complete for node {node}."),
            R::LocalAcquired { work: LocalWork::Done, .. } => write!(f, "Local Resource acquisition completed."),
            R::LocalAcquired { work: LocalWork::None, .. } => write!(f, "Local Resource acquisition completed. (none)"),
            R::LocalAcquired { work: LocalWork::NothingAtHome, me } => {
                write!(f, "No local resources [/usr/share/heartbeat/ResourceManager listkeys {me}] to acquire.")
            }
            R::InitialComplete { how } => write!(f, "Initial resource acquisition complete ({how})"),
            R::IpRequest { group, node } => write!(f, "{node} asks for resource group {group}"),
            R::Orphan { group, owner } => write!(f, "nobody runs {group}, not even its home node {owner}: taking it"),
            R::FailbackBegins { node } => write!(f, "auto_failback: {node} is back, giving it its resources"),
            // Groups and their scripts.
            R::Acquiring { owner, resources } => write!(f, "Acquiring resource group: {owner} {resources}"),
            R::Releasing { owner, resources } => write!(f, "Releasing resource group: {owner} {resources}"),
            R::GroupHeld { group, took } => write!(f, "resource group {group} is up ({})", in_log(*took)),
            R::GroupReleased { group, took } => write!(f, "resource group {group} is down ({})", in_log(*took)),
            R::Running { call } => write!(f, "Running {call}"),
            R::ScriptFailed { call, ended } => write!(f, "{call}: {ended}"),
            R::GivingUp { resource } => write!(f, "Giving up resources due to failure of {resource}"),
            R::GroupFailed { group, resource } => write!(
                f,
                "resource group {group} is down here: {resource}. Mend it, then `latido resource retry {group}`"
            ),
            R::FailureForgotten { group } => write!(f, "resource group {group}: its failure here is forgotten"),
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
            R::FailedThere { group, node, why } => {
                write!(f, "resource group {group} failed on {node} ({why}): it is started here")
            }
            // Standby.
            R::Given { node, why, .. } => write!(f, "{node} hands resources over: {why}"),
            R::GoingStandby { set } => write!(f, "Going standby [{set}]."),
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
            // After a partition.
            R::OneWay { node, groups } => write!(
                f,
                "one-way link: {node} does not hear this node, holds it dead and takes its resources; this node lets go of \
                 what both run ({}). Mend the cable, the filter or the key on the way to {node}",
                if groups.is_empty() { "nothing" } else { groups }
            ),
            R::PartitionKept { group } => write!(f, "resource group {group} stays here after the partition"),
            R::PartitionLetGo { group } => {
                write!(f, "resource group {group} was taken over only because of the partition: letting it go")
            }
            R::BothOwn { group } => write!(f, "Both machines own our resources! ({group})"),
            // Leaving.
            R::ShutdownBegins => write!(f, "Heartbeat shutdown in progress."),
            R::ShutdownUnderway => write!(f, "Heartbeat shutdown already underway."),
            R::ShutdownWaits => write!(f, "Shutdown delayed until current resource activity finishes."),
            R::ShutdownBlocked => write!(
                f,
                "Shutdown delayed: a resource cannot be stopped. Stop it by hand; a second stop request leaves it running"
            ),
            R::GivingUpAll => write!(f, "Giving up all HA resources."),
            R::AllReleased => write!(f, "All HA resources relinquished."),
            R::ShutdownComplete { me } => write!(f, "{me} Heartbeat shutdown complete."),
            // Coming back, or going on with another file or program.
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
            // Fencing.
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
            // Resources that fail while they are held.
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
            R::NotBrought { group, why } => write!(f, "req_resource {group}: not started here: {why}"),
            R::TakenByHand => f.write_str(
                "mach_down was run by hand and starts groups beside this daemon. Each group that is not held here is \
                 asked now whether it runs. Next time: `latido takeover`",
            ),
        }
    }
}
