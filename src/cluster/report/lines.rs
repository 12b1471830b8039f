//! The lines of each report in the log: the original's phrases, each alone on its line as parsers and cron jobs wait for it,
//! under the name of the program that wrote it there; what we say besides goes on a further line (`resources.md` 1 to 7).
//! `docs/compared/log-phrases.md` compares them with the original's.

use crate::amount::in_log;

use super::{Level, Report};

/// The program whose name a line bears.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    /// The daemon itself.
    Heartbeat,
    /// What starts and stops groups.
    ResourceManager,
    /// What takes over from a dead node.
    MachDown,
    /// What asks for a standby; it writes no level.
    HbStandby,
}

impl Program {
    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Program::Heartbeat => "heartbeat",
            Program::ResourceManager => "ResourceManager",
            Program::MachDown => "mach_down",
            Program::HbStandby => "hb_standby",
        }
    }
}

/// One line of the log, without its head.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// Whose line it is.
    pub program: Program,
    /// How loud.
    pub level: Level,
    /// What it says.
    pub text: String,
}

impl Report {
    /// What the log says of it; `place` knows where the script of an agent lies.
    #[allow(clippy::too_many_lines, reason = "one arm a sentence, as in `words`")]
    #[allow(clippy::wildcard_enum_match_arm, reason = "most reports are one line of the daemon")]
    pub fn lines(&self, place: impl Fn(&str) -> String) -> Vec<LogLine> {
        use Level::{Error, Info, Warn};
        use Program::{HbStandby, Heartbeat, MachDown, ResourceManager};
        use Report as R;
        let line = |program, level, text: String| LogLine { program, level, text };
        let level = self.level();
        let phrase = |text: String| line(Heartbeat, level, text);
        let besides = |text: String| line(Heartbeat, Info, text);
        match self {
            R::NodeDead { node, silent_for } => vec![
                phrase(format!("node {node}: is dead")),
                besides(format!("node {node} was silent for {} on every link", in_log(*silent_for))),
            ],
            R::NodeReturned { node, silent_for } => vec![
                phrase(self.to_string()),
                phrase(format!("Late heartbeat: Node {node}: interval {} ms (> deadtime)", silent_for.as_millis())),
            ],
            R::NoStonith => vec![
                phrase("No STONITH device configured.".to_owned()),
                line(Heartbeat, Warn, "Shared disks are not protected.".to_owned()),
            ],
            R::BothOwn { group } => vec![
                phrase("Both machines own our resources!".to_owned()),
                besides(format!("resource group {group} runs on both nodes: the other one is asked to let it go")),
            ],
            R::TakingOverGroup { .. } => vec![line(MachDown, level, self.to_string())],
            R::TakeoverComplete { node } => vec![
                line(
                    MachDown,
                    level,
                    "/usr/share/heartbeat/mach_down: nice_failback: foreign resources acquired".to_owned(),
                ),
                line(MachDown, level, format!("mach_down takeover complete for node {node}.")),
                phrase("mach_down takeover complete.".to_owned()),
            ],
            R::StandbyAccepted { set, .. } => {
                vec![phrase(self.to_string()), phrase(format!("give up {set} HA resources (standby)."))]
            }
            R::StandbyAcquire { set, .. } => {
                vec![phrase(self.to_string()), phrase(format!("acquire {} HA resources (standby).", set.inverted()))]
            }
            R::ReleaseDone { set } => {
                vec![phrase(self.to_string()), phrase(format!("Local standby process completed [{set}]."))]
            }
            R::GoingStandby { .. } => vec![line(HbStandby, level, self.to_string())],
            R::Running { call } => {
                let (agent, words) = call.split_once(' ').unwrap_or((call, ""));
                let (arguments, verb) = words.rsplit_once(' ').unwrap_or(("", words));
                vec![line(ResourceManager, level, format!("Running {} {arguments} {verb}", place(agent)))]
            }
            R::ScriptFailed { call, ended } => {
                let agent = call.split(' ').next().unwrap_or(call);
                let text = match ended.strip_prefix("exit ") {
                    Some(code) => format!("Return code {code} from {}", place(agent)),
                    None => self.to_string(),
                };
                vec![line(ResourceManager, level, text)]
            }
            R::Acquiring { .. } | R::Releasing { .. } | R::GivingUp { .. } | R::RetryingStop { .. } => {
                vec![line(ResourceManager, level, self.to_string())]
            }
            R::NotLsb { resource } => vec![
                line(ResourceManager, level, format!("Resource script for {resource} probably not LSB-compliant.")),
                line(ResourceManager, Warn, format!("it ({resource}) MUST succeed on a stop when already stopped")),
                line(ResourceManager, Warn, "Machine reboot narrowly avoided!".to_owned()),
            ],
            R::StopFailed { resource } => vec![
                line(ResourceManager, level, "Resource STOP failure. Reboot required!".to_owned()),
                besides(format!("what does not stop is {resource}")),
            ],
            R::NotReset { node, device, why } => vec![
                phrase(format!("Host {node} not reset!")),
                line(Heartbeat, Error, format!("STONITH device {device}: {why}")),
            ],
            R::FencingRetries { node } => vec![
                phrase(format!("STONITH of {node} failed.  Retrying...")),
                besides(format!("nothing of {node} is taken over before it works")),
            ],
            R::FenceDeviceBroken { device, why } => vec![
                phrase(format!("STONITH device {device} not operational!")),
                phrase("STONITH status operation failed.".to_owned()),
                phrase("This may mean that the STONITH device has failed!".to_owned()),
                besides(format!("STONITH device {device}: {why}")),
            ],
            R::RunsAlready { resource, .. } => vec![
                phrase(format!("CRITICAL: Resource {resource} is active, and should not be!")),
                phrase(self.to_string().replacen(
                    &format!("CRITICAL: Resource {resource} is active, and should not be! "),
                    "",
                    1,
                )),
            ],
            report => vec![phrase(report.to_string())],
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::super::Set;
    use super::*;
    use crate::names::NodeName;

    fn said(report: &Report) -> Vec<String> {
        let place = |agent: &str| format!("/etc/ha.d/resource.d/{agent}");
        let line = |line: LogLine| format!("{} {} {}", line.program.as_str(), line.level.as_str(), line.text);
        report.lines(place).into_iter().map(line).collect()
    }

    #[test]
    fn each_phrase_of_the_original_stands_alone_on_its_line() {
        let node = NodeName::new("beta").unwrap();
        let dead = Report::NodeDead { node: node.clone(), silent_for: Duration::from_secs(2) };
        let silent = "heartbeat info node beta was silent for 2000 ms on every link";
        assert_eq!(said(&dead), ["heartbeat WARN node beta: is dead", silent]);
        let unprotected = "heartbeat WARN Shared disks are not protected.";
        assert_eq!(said(&Report::NoStonith), ["heartbeat WARN No STONITH device configured.", unprotected]);
        let both = said(&Report::BothOwn { group: "web".to_owned() });
        assert_eq!(both[0], "heartbeat ERROR Both machines own our resources!");
        let taken = said(&Report::TakeoverComplete { node });
        assert_eq!(
            taken[1..],
            [
                "mach_down info mach_down takeover complete for node beta.",
                "heartbeat info mach_down takeover complete."
            ]
        );
        let given = said(&Report::ReleaseDone { set: Set::Foreign });
        assert_eq!(given[1], "heartbeat info Local standby process completed [foreign].");
    }

    #[test]
    fn a_script_is_named_with_its_path_as_the_original_s_shell_prints_it() {
        let running = |call: &str| said(&Report::Running { call: call.to_owned() });
        assert_eq!(running("web start"), ["ResourceManager info Running /etc/ha.d/resource.d/web  start"]);
        let with_arguments = "ResourceManager info Running /etc/ha.d/resource.d/Filesystem /dev/sda1 /data stop";
        assert_eq!(running("Filesystem /dev/sda1 /data stop"), [with_arguments]);
        let failed = |ended: &str| said(&Report::ScriptFailed { call: "web stop".to_owned(), ended: ended.to_owned() });
        assert_eq!(failed("exit 1"), ["ResourceManager ERROR Return code 1 from /etc/ha.d/resource.d/web"]);
        assert_eq!(failed("timed out"), ["ResourceManager ERROR web stop: timed out"]);
    }
}
