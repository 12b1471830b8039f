//! What a line of a log tells, ours or the original's: the lines of `lines` read backwards, for whoever has nothing but the
//! text (`latido lab`). The original writes no names, so its phrases stand here once (`docs/compared/log-phrases.md`); who has
//! the report itself asks that. A phrase that is not here is nobody's, and shown as it is.

use super::EventName as E;

/// What a line tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PhraseMeaning<'a> {
    /// Of what.
    pub event: E,
    /// What stands in the places that the phrase leaves open, in their order.
    pub words: Vec<&'a str>,
}

/// What a daemon says that takes its machine down, behind the reason.
pub const REBOOTS: &str = "rebooting this machine";

/// What an original says before it begins anew by itself.
pub const RESTARTS_ITSELF: &str = "Performing heartbeat restart exec.";

/// Each phrase by which an event is known; `{}` is open.
const PHRASES: [(E, &str); 55] = [
    (E::LocalStatus, "Local status now set to: '{}'"),
    (E::CommUp, "Comm_now_up(): updating status to active"),
    (E::LinkUp, "Link {} up."),
    (E::LinkDead, "Link {} dead."),
    (E::NodeStatus, "Status update for node {}: status {}"),
    (E::NodeRestarted, "Heartbeat restart on node {}"),
    (E::NodeDead, "node {}: is dead"),
    (E::NodeDead, "node {} was silent for {} on every link"),
    (E::NodeReturned, "Cluster node {} returning after partition."),
    (E::NodeReturned, "Late heartbeat: Node {}: interval {} ms (> deadtime)"),
    (E::LateHeartbeat, "Late heartbeat: Node {}: interval {} ms"),
    (E::RemoteComplete, "remote resource transition completed."),
    (E::LocalComplete, "local resource transition completed."),
    (E::TakingOverFrom, "Resources being acquired from {}."),
    (E::DeadNodeGaveUp, "Dead node {} gave up resources."),
    (E::NoStonith, "No STONITH device configured."),
    (E::NoStonith, "Shared disks are not protected."),
    (E::ShutdownNotice, "Received shutdown notice from '{}'."),
    (E::TakingOverGroup, "Taking over resource group {}"),
    (E::TakeoverComplete, "/usr/share/heartbeat/mach_down: nice_failback: foreign resources acquired"),
    (E::TakeoverComplete, "mach_down takeover complete for node {}."),
    (E::TakeoverComplete, "mach_down takeover complete."),
    (E::LocalAcquired, "Local Resource acquisition completed."),
    (E::LocalAcquired, "Local Resource acquisition completed. (none)"),
    (E::LocalAcquired, "No local resources [{}] to acquire."),
    (E::InitialComplete, "Initial resource acquisition complete ({})"),
    (E::Acquiring, "Acquiring resource group: {}"),
    (E::Releasing, "Releasing resource group: {}"),
    (E::GroupHeld, "resource group {} is up ({})"),
    (E::GroupReleased, "resource group {} is down ({})"),
    (E::Running, "Running {}"),
    (E::ScriptFailed, "Return code {} from {}"),
    (E::GivingUp, "Giving up resources due to failure of {}"),
    (E::RetryingStop, "Retrying failed stop operation [{}]"),
    (E::GoingStandby, "Going standby [{}]."),
    (E::WantsStandby, "{} wants to go standby [{}]"),
    (E::StandbyAccepted, "standby: {} can take our {} resources"),
    (E::StandbyAccepted, "give up {} HA resources (standby)."),
    (E::StandbyAcquire, "standby: acquire [{}] resources from {}"),
    (E::StandbyAcquire, "acquire {} HA resources (standby)."),
    (E::ReleaseDone, "{} HA resource release completed (standby)."),
    (E::ReleaseDone, "Local standby process completed [{}]."),
    (E::AcquireDone, "{} HA resource acquisition completed (standby)."),
    (E::StandbyDone, "Standby resource acquisition done [{}]."),
    (E::OtherCompleted, "Other node completed standby takeover of {} resources."),
    // Behind it the number of the process.
    (E::ShutdownBegins, "Heartbeat shutdown in progress. ({})"),
    (E::ShutdownBegins, "Heartbeat shutdown in progress."),
    (E::GivingUpAll, "Giving up all HA resources."),
    (E::AllReleased, "All HA resources relinquished."),
    (E::ShutdownComplete, "{} Heartbeat shutdown complete."),
    (E::Checking, "Checking resource group: {}"),
    (E::Adopted, "resource group {} runs as before"),
    (E::NodeReset, "node {} now reset."),
    (E::Restarting, "restarting {} and what follows it in its group (restart {})"),
    (E::StopFailed, "Resource STOP failure. Reboot required!"),
];

/// What a daemon says of itself when it starts, which tells nothing of the pair.
const AT_START: [&str; 5] = [
    "**************************",
    "Configuration validated. Starting heartbeat {}",
    "No Previous generation - starting at {}",
    "No uuid found for current node - generating a new uuid.",
    "Heartbeat generation: {}",
];

/// What a line tells, without its head; `None` for a line that is no event's.
pub fn told(text: &str) -> Option<PhraseMeaning<'_>> {
    PHRASES.iter().find_map(|(event, phrase)| Some(PhraseMeaning { event: *event, words: words_in(phrase, text)? }))
}

/// Whether a daemon says only that it starts, and as what.
pub fn is_of_the_start(text: &str) -> bool {
    AT_START.iter().any(|phrase| words_in(phrase, text).is_some())
}

/// What stands in the open places of a phrase, if the text is that phrase.
fn words_in<'a>(phrase: &str, text: &'a str) -> Option<Vec<&'a str>> {
    let mut pieces = phrase.split("{}");
    let mut rest = text.strip_prefix(pieces.next()?)?;
    let mut words = Vec::new();
    let mut pieces = pieces.peekable();
    while let Some(piece) = pieces.next() {
        let is_last = pieces.peek().is_none();
        let (word, behind) = if is_last { (rest.strip_suffix(piece)?, "") } else { rest.split_once(piece)? };
        words.push(word);
        rest = behind;
    }
    (rest.is_empty() && words.iter().all(|word| !word.is_empty())).then_some(words)
}
