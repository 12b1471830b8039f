//! The configuration the lab plays: a pair of our own, or a copy of the user's files made fit for two hosts on one
//! machine. Pure but for [`LabFiles::read`] and whether this machine has the user of ipfail.
//!
//! What leads out of the lab (log files elsewhere, a watchdog, fencing, mail, programs beside the daemon but for ipfail) is
//! taken out of the copy, unless the user's own scripts are wanted; the file stays readable, each changed line says so.

use std::fs;
use std::path::Path;
use std::time::Duration;

use crate::api::ApiRules;
use crate::config::{Config, OnlyName, Sources, first_node};
use crate::diagnostic::{Problem, SourceText};
use crate::ipfail::NAME;
use crate::names::NodeName;

use super::original;
use super::witness::RECORD;

/// The three files and the optional fourth, as text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct LabFiles {
    pub(super) ha_cf: String,
    pub(super) haresources: String,
    pub(super) authkeys: String,
    pub(super) latido_cf: Option<String>,
    /// What was done to them that the user should know.
    pub(super) notices: Vec<String>,
    /// The lab's own pair, whose resources can be made to misbehave.
    pub(super) own: bool,
}

/// Directives of `ha.cf` that reach beyond the pair.
const OUTSIDE: [&str; 5] = ["watchdog", "stonith", "stonith_host", "respawn", "failfast"];
/// Where no program is: the daemon starts the ipfail that is part of it.
const IPFAIL: &str = "/mnt/ipfail";
/// Directives of `latido.cf` that do.
const OUTSIDE_LATIDO: [&str; 3] = ["fence", "notify", "listen"];
/// Directives whose value is a time of the protocol.
const TIMES: [&str; 5] = ["keepalive", "warntime", "deadtime", "initdead", "deadping"];

/// What to type where there are no files at all.
fn remedy(directory: &Path) -> String {
    if directory.join("ha.cf").exists() {
        return String::new();
    }
    let full = std::path::absolute(directory).unwrap_or_else(|_| directory.to_owned());
    let given = if full == Path::new("/etc/ha.d") { String::new() } else { format!(" -d {}", full.display()) };
    format!("\n  `latido init{given}` writes the files of a new pair; `latido lab` without --config needs none")
}

impl LabFiles {
    /// The lab's own pair: two media, one address, one recorded service, fast times.
    pub(super) fn own() -> LabFiles {
        LabFiles {
            ha_cf: OWN_HA_CF.to_owned(),
            haresources: "alpha 10.9.1.100/24/eth0 service\n".to_owned(),
            authkeys: OWN_AUTHKEYS.to_owned(),
            latido_cf: Some(OWN_LATIDO_CF.to_owned()),
            notices: Vec::new(),
            own: true,
        }
    }

    /// The user's files; keys that only root may read are replaced by one of the lab.
    ///
    /// # Errors
    /// A sentence naming the file that cannot be read.
    pub(super) fn read(directory: &Path) -> Result<LabFiles, String> {
        let read = |name: &str| {
            let path = directory.join(name);
            fs::read(&path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).map_err(|error| {
                (error.kind(), format!("cannot read {}: {error}{}", path.display(), remedy(directory)))
            })
        };
        let mut notices = Vec::new();
        let authkeys = match read("authkeys") {
            Err((std::io::ErrorKind::PermissionDenied, _)) => {
                notices.push("authkeys is for root's eyes: the lab signs with a key of its own".to_owned());
                OWN_AUTHKEYS.to_owned()
            }
            other => other.map_err(|(_, sentence)| sentence)?,
        };
        Ok(LabFiles {
            ha_cf: read("ha.cf").map_err(|(_, sentence)| sentence)?,
            haresources: read("haresources").map_err(|(_, sentence)| sentence)?,
            authkeys,
            latido_cf: read("latido.cf").ok(),
            notices,
            own: false,
        })
    }

    /// What they say, as on `node`.
    pub(super) fn config(&self, node: &NodeName) -> Result<Config, Vec<Problem>> {
        let sources = Sources {
            ha_cf: Some(SourceText::new("ha.cf", self.ha_cf.as_str())),
            latido_cf: self.latido_cf.as_deref().map(|text| SourceText::new("latido.cf", text)),
            haresources: Some(SourceText::new("haresources", self.haresources.as_str())),
            authkeys: Some(SourceText::new("authkeys", self.authkeys.as_str())),
            problems: Vec::new(),
            without_resources: false,
        };
        Config::assemble(&sources, &OnlyName(node.clone()))
    }

    /// The first node named, as whom the files can be read before anything else is known.
    pub(super) fn first_node(&self) -> Option<NodeName> {
        first_node(&self.ha_cf)
    }

    /// Takes out what leads out of the lab.
    pub(super) fn keep_inside(&mut self) {
        let taken = comment_out_but(
            &mut self.ha_cf,
            &OUTSIDE,
            |words| matches!(words, ["respawn" | "failfast", _, path, ..] if is_ipfail(path)),
        );
        self.note_taken("ha.cf", &taken);
        if let Some(text) = &mut self.latido_cf {
            let taken = comment_out(text, &OUTSIDE_LATIDO);
            self.note_taken("latido.cf", &taken);
        }
    }

    /// A ping host, which the caller's host stands for, and an ipfail for the lab's own pair.
    pub(super) fn add_ipfail(&mut self) {
        self.ha_cf.push_str("ping 10.9.1.254\ndeadping 600ms\nrespawn hacluster /usr/lib/heartbeat/ipfail\n");
    }

    /// Has ipfail be ours, whatever stands at its path on this machine, and be of a user whom the lab has. `config` is
    /// what the files say.
    pub(super) fn settle_ipfail(&mut self, config: &Config) {
        let Some(line) = config.ipfail() else { return };
        let is_admitted = ApiRules::let_in(&config.apiauth, NAME, &line.user);
        let user = if is_admitted && !original::has_user(&line.user) { "root" } else { &line.user };
        self.ha_cf = by_line(&self.ha_cf, |text, words| match words {
            ["respawn" | "failfast", _, path, rest @ ..] if is_ipfail(path) => {
                [&["respawn", user, IPFAIL][..], rest].concat().join(" ")
            }
            ["apiauth", name, ..] if *name == NAME && user != line.user => format!("# {text}"),
            _ => text.to_owned(),
        });
        if user != line.user {
            self.ha_cf.push_str(&format!("apiauth {NAME} uid={user}\n"));
            self.notices.push(format!("ipfail runs as {user}: there is no user {} in the lab", line.user));
        }
    }

    /// A fencing device of the lab's own.
    pub(super) fn add_fence(&mut self) {
        self.latido_cf.get_or_insert_default().push_str(&format!("fence {FENCE} %n\n"));
    }

    fn note_taken(&mut self, file: &str, taken: &[String]) {
        if !taken.is_empty() {
            self.notices.push(format!("{file}: left out in the lab: {}", taken.join(", ")));
        }
    }

    /// Log files are kept in `/var/log`, which each host has for itself.
    pub(super) fn keep_logs_inside(&mut self) {
        self.ha_cf = by_line(&self.ha_cf, |line, words| {
            let [name @ ("logfile" | "debugfile"), path, ..] = words else { return line.to_owned() };
            if path.starts_with("/var/log/") && !path.trim_start_matches("/var/log/").contains('/') {
                return line.to_owned();
            }
            let base = Path::new(path).file_name().map_or("ha-log".into(), |base| base.to_string_lossy());
            format!("{name} /var/log/{base}")
        });
    }

    /// Divides every time of the protocol by `speed`.
    pub(super) fn hurry(&mut self, config: &Config, speed: f64) {
        comment_out(&mut self.ha_cf, &TIMES);
        let settings = &config.settings;
        let times = [
            ("keepalive", settings.keepalive),
            ("warntime", settings.warntime),
            ("deadtime", settings.deadtime),
            ("initdead", settings.initdead),
            ("deadping", settings.deadping),
        ];
        self.ha_cf.push('\n');
        for (name, time) in times {
            let scaled = scale(time, speed);
            self.ha_cf.push_str(&format!("{name} {}ms\n", scaled.as_millis().max(1)));
        }
    }
}

fn is_ipfail(path: &str) -> bool {
    path.rsplit('/').next() == Some(NAME)
}

/// The user's own resource scripts, by name.
pub(super) fn read_scripts(directory: &Path) -> Vec<(String, String)> {
    let Ok(entries) = fs::read_dir(directory.join("resource.d")) else { return Vec::new() };
    let scripts = entries.filter_map(|entry| {
        let path = entry.ok()?.path();
        let name = path.file_name()?.to_str()?.to_owned();
        Some((name, fs::read_to_string(&path).ok()?))
    });
    scripts.collect()
}

/// `time` when everything runs `speed` times faster.
pub(super) fn scale(time: Duration, speed: f64) -> Duration {
    time.div_f64(speed)
}

/// Makes a comment of each line that begins with one of these words; which were found.
pub(super) fn comment_out(text: &mut String, names: &[&str]) -> Vec<String> {
    comment_out_but(text, names, |_| false)
}

/// The same but for some.
fn comment_out_but(text: &mut String, names: &[&str], stays: impl Fn(&[&str]) -> bool) -> Vec<String> {
    let mut taken = Vec::new();
    *text = by_line(text, |line, words| match words.first() {
        Some(name) if names.contains(name) && !stays(words) => {
            if !taken.iter().any(|other| other == name) {
                taken.push((*name).to_owned());
            }
            format!("# {line}")
        }
        _ => line.to_owned(),
    });
    taken
}

/// Rewrites a file line by line; comments are no words.
pub(super) fn by_line(text: &str, mut rewrite: impl FnMut(&str, &[&str]) -> String) -> String {
    let mut out = String::with_capacity(text.len());
    for line in text.lines() {
        let words: Vec<&str> = line.split('#').next().unwrap_or_default().split_whitespace().collect();
        out.push_str(&rewrite(line, &words));
        out.push('\n');
    }
    out
}

/// A stand-in for the resource script `agent`: remembers in a file below `/run`, which a power-off empties, whether it
/// runs, and tells the host's witness of each start and stop. It starts no program: it costs what a shell costs.
pub(super) fn recorder(agent: &str) -> String {
    RECORDER.replace("AGENT", agent).replace("RECORD", RECORD).replace("TROUBLE", TROUBLE)
}

/// Where a host is told that its recorders shall fail or hang: `TROUBLE-start` with `fail` or `hang` in it.
pub(super) const TROUBLE: &str = "/mnt/trouble";
/// The fencing device of a host: fails as often as the number in [`FENCE_FAILS`] says.
pub(super) const FENCE: &str = "/mnt/fence";
/// Below `/mnt`, so that the lab can write it.
pub(super) const FENCE_FAILS: &str = "fence-fails";

/// The script at [`FENCE`]; the machine is switched off already, by the lab.
pub(super) const FENCE_SCRIPT: &str = r#"#!/bin/sh
# Stands in for a fencing device in the lab.
left=0
[ -e /mnt/fence-fails ] && read -r left </mnt/fence-fails
[ "$left" -gt 0 ] || exit 0
echo $((left - 1)) >/mnt/fence-fails
exit 1
"#;

const RECORDER: &str = r#"#!/bin/sh
# Stands in for AGENT in the lab: remembers whether it runs, and tells the lab of each start and stop.
rest="AGENT $*"
verb=${rest##* }
what=${rest% *}
rest=$what
name=
while :; do
    case $rest in
        */*) name=$name${rest%%/*}_ rest=${rest#*/} ;;
        *) break ;;
    esac
done
state="/run/lab/$name$rest"
trouble=
[ -e "TROUBLE-$verb" ] && read -r trouble <"TROUBLE-$verb"
case $trouble in
    fail) exit 1 ;;
    hang) exec sleep 3600 ;;
esac
running=no
[ -e "$state" ] && read -r running <"$state"
case $verb in
    start) echo yes >"$state" ;;
    stop) echo no >"$state" ;;
    *) [ "$running" = yes ] && echo running || echo stopped
       exit 0 ;;
esac
[ -p RECORD ] && echo "$what $verb" >RECORD
exit 0
"#;

const OWN_HA_CF: &str = "\
# The lab's own pair.
logfile /var/log/ha-log
logfacility none
keepalive 100ms
warntime 300ms
deadtime 500ms
initdead 2
baud 115200
serial /dev/ttyS1
bcast eth0
auto_failback on
node alpha
node beta
";

const OWN_LATIDO_CF: &str = "\
# Short limits: a lab must not bore.
script-timeout start 2
script-timeout stop 2
monitor service 300ms restarts 1
";

const OWN_AUTHKEYS: &str = "auth 1\n1 sha1 a-key-of-the-lab\n";

#[cfg(test)]
mod tests {
    use super::*;

    fn asterisk() -> LabFiles {
        LabFiles {
            ha_cf: "debugfile /var/log/ha-debug\nlogfile /opt/x/ha-log # ours\nlogfacility local0\nkeepalive 2\n\
                    deadtime 30\nwarntime 10\ninitdead 120\nudpport 694\nbcast eth0\nauto_failback on\n\
                    watchdog /dev/watchdog\nnode asterisk1\nnode asterisk2\n"
                .to_owned(),
            haresources: "asterisk1 192.168.1.13/24/eth0/192.168.1.255 asterisk\n".to_owned(),
            authkeys: "auth 1\n1 sha1 MySecret\n".to_owned(),
            latido_cf: Some("fence /sbin/shoot %n\nannounce 3 100ms\n".to_owned()),
            notices: Vec::new(),
            own: false,
        }
    }

    #[test]
    fn our_own_pair_is_a_good_configuration() {
        let files = LabFiles::own();
        let config = files.config(&files.first_node().unwrap()).unwrap();
        assert_eq!(config.settings.nodes.len(), 2);
        assert_eq!(config.media.len(), 2);
        // An impatient start is what a lab wants.
        assert!(config.warnings.iter().all(|warning| warning.what.starts_with("initdead")), "{:?}", config.warnings);
    }

    #[test]
    fn what_leads_out_of_the_lab_is_taken_out_and_said() {
        let mut files = asterisk();
        files.keep_inside();
        files.keep_logs_inside();
        assert!(files.ha_cf.contains("# watchdog /dev/watchdog"));
        assert!(
            files.ha_cf.contains("\nlogfile /var/log/ha-log\n") && files.ha_cf.contains("debugfile /var/log/ha-debug")
        );
        assert_eq!(files.latido_cf.as_deref(), Some("# fence /sbin/shoot %n\nannounce 3 100ms\n"));
        assert_eq!(files.notices.len(), 2, "{:?}", files.notices);
        assert!(files.config(&NodeName::new("asterisk2").unwrap()).is_ok());
    }

    #[test]
    fn of_the_programs_beside_the_daemon_ipfail_stays_and_is_ours() {
        let mut files = asterisk();
        files
            .ha_cf
            .push_str("respawn root /usr/bin/mine\nrespawn ha /usr/lib64/heartbeat/ipfail\napiauth ipfail uid=ha\n");
        files.keep_inside();
        let config = files.config(&files.first_node().unwrap()).unwrap();
        files.settle_ipfail(&config);
        // No machine has that user: it is allowed to be another one, as it was allowed before.
        assert!(files.ha_cf.contains("\n# respawn root /usr/bin/mine\nrespawn root /mnt/ipfail\n"), "{}", files.ha_cf);
        assert!(
            files.ha_cf.contains("\n# apiauth ipfail uid=ha\n") && files.ha_cf.ends_with("\napiauth ipfail uid=root\n")
        );
        assert!(files.notices.iter().any(|notice| notice.starts_with("ipfail runs as root")), "{:?}", files.notices);
        let mut wrong = asterisk();
        wrong.ha_cf.push_str("respawn ha /usr/lib64/heartbeat/ipfail\n");
        let config = wrong.config(&wrong.first_node().unwrap()).unwrap();
        wrong.settle_ipfail(&config);
        assert!(wrong.ha_cf.ends_with("\nrespawn ha /mnt/ipfail\n"), "who may not sign on stays so: {}", wrong.ha_cf);
    }

    #[test]
    fn all_times_run_faster_together() {
        let mut files = asterisk();
        let node = files.first_node().unwrap();
        let config = files.config(&node).unwrap();
        files.hurry(&config, 30.0);
        let settings = files.config(&node).unwrap().settings;
        let ms = [settings.keepalive, settings.warntime, settings.deadtime, settings.initdead].map(|t| t.as_millis());
        assert_eq!(ms, [66, 333, 1000, 4000]);
    }

    #[test]
    fn a_recorder_says_what_it_was_told_to_be() {
        let script = recorder("drbddisk");
        assert!(script.starts_with("#!/bin/sh\n# Stands in for drbddisk in the lab"));
        assert!(!script.contains("AGENT") && script.contains("[ -p /run/lab/record ]"));
    }
}
