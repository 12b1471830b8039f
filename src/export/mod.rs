//! The same pair as commands for Pacemaker's `pcs`, for a site that grows beyond two nodes (latido(8)). Pure.
//!
//! What has a counterpart becomes a command; what has none becomes a comment that begins with `# !` and says what to do.
//! Written for pcs 0.11. The resources are those of `resources.md` 9, which have OCF agents of the same name.
//!
//! ```text
//! mod.rs: the pair, its media, its groups ──> resource: one word of `haresources`
//! ```

mod resource;

use std::collections::BTreeSet;
use std::fmt::Write as _;

use crate::amount::exact;
use crate::cluster::{AutoFailback, Monitor};
use crate::config::{Config, FenceDevice, MediumSpec};
use crate::haresources::ResourceGroup;

use resource::Element;

/// What a word of `haresources` that is no agent of ours is on this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Script {
    /// A script of `resource.d`: Pacemaker runs none of those.
    ResourceScript,
    /// A script of `/etc/init.d`.
    InitScript,
    /// A unit of systemd.
    Unit,
    /// Not on this machine.
    Unknown,
}

/// A script for `sh`, and how much of it a person has to finish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Export {
    /// The commands.
    pub text: String,
    /// Lines that begin with `# !`.
    pub open: usize,
}

/// The commands for this configuration, read from the directory `from`; `script` says what a name is on this machine.
pub fn pacemaker(config: &Config, from: &str, script: &dyn Fn(&str) -> Script) -> Export {
    let mut writer = Writer { config, script, text: String::new(), ids: BTreeSet::new() };
    writer.preamble(from);
    writer.cluster();
    writer.fencing();
    writer.defaults();
    let pings = writer.pings();
    for (number, group) in config.groups.iter().enumerate() {
        writer.group(number + 1, group, pings);
    }
    let open = writer.text.lines().filter(|line| line.starts_with("# !")).count();
    Export { text: writer.text, open }
}

struct Writer<'a> {
    config: &'a Config,
    script: &'a dyn Fn(&str) -> Script,
    text: String,
    /// Ids given so far.
    ids: BTreeSet<String>,
}

impl Writer<'_> {
    fn line(&mut self, line: impl AsRef<str>) {
        self.text.push_str(line.as_ref());
        self.text.push('\n');
    }

    /// What a person has to do before this can run.
    fn open(&mut self, what: impl AsRef<str>) {
        let _ = writeln!(self.text, "# ! {}", what.as_ref());
    }

    fn names(&self) -> String {
        let names: Vec<&str> = self.config.settings.nodes.iter().map(|node| node.as_str()).collect();
        names.join(" ")
    }

    fn preamble(&mut self, from: &str) {
        self.line("#!/bin/sh");
        self.line(format!("# The groups of {from} as a Pacemaker cluster, written by latido export pacemaker."));
        self.line(
            "# 1. On both nodes: install pacemaker, corosync, pcs, resource-agents; systemctl enable --now pcsd;",
        );
        self.line("#    the same password for the user hacluster.");
        self.line("# 2. Read this, and mend what begins with \"# !\".");
        self.line("# 3. Stop heartbeat on both nodes (heartbeat -k), and see that nothing of it is enabled at boot.");
        self.line("# 4. Run this on one node, as root.");
        self.line("set -e");
    }

    fn cluster(&mut self) {
        let settings = &self.config.settings;
        let (names, deadtime) = (self.names(), settings.deadtime);
        self.line(format!("\npcs host auth {names}"));
        let networks: BTreeSet<String> =
            self.config.media.iter().filter_map(|medium| medium.interface().map(str::to_owned)).collect();
        for medium in &self.config.media {
            if let Some((device, _)) = medium.serial_line() {
                self.open(format!("serial {device}: corosync has no serial links; give the pair a second network"));
            }
        }
        if networks.len() > 1 {
            let all: Vec<String> = networks.into_iter().collect();
            self.open(format!(
                "{} networks ({}): give each node its address in each, NODE addr=A addr=B, in the next line",
                all.len(),
                all.join(", ")
            ));
        }
        // A node counts as dead after token + consensus, which is 1.2 token.
        let token = (deadtime.as_millis() * 10 / 22).max(1000);
        self.line(format!("# deadtime {}: token, and consensus of 1.2 token", exact(deadtime)));
        self.line(format!("pcs cluster setup latido {names} totem token={token}"));
        self.line("pcs cluster start --all --wait");
    }

    fn fencing(&mut self) {
        if self.config.fences.is_empty() {
            self.open("no fencing: when the nodes lose sight of each other, both run everything; see pcs stonith list");
            return self.line("pcs property set stonith-enabled=false");
        }
        for fence in &self.config.fences {
            let what = match fence {
                FenceDevice::File { device, .. } | FenceDevice::Parameters { device, .. } => {
                    format!("stonith {device}")
                }
                FenceDevice::Command(words) => format!("fence {}", words.first().map_or("", String::as_str)),
            };
            self.open(format!("{what}: pcs stonith create ... with the agent for this device (pcs stonith list)"));
        }
    }

    fn defaults(&mut self) {
        let timeouts = &self.config.settings.script_timeout;
        let longest = timeouts.start.max(timeouts.stop);
        self.line(format!("pcs resource op defaults update timeout={}s", longest.as_secs().max(1)));
        let stickiness = match self.config.settings.auto_failback {
            AutoFailback::On | AutoFailback::Legacy => 0,
            AutoFailback::Off => 1000,
        };
        self.line(format!("pcs resource defaults update resource-stickiness={stickiness}"));
    }

    /// Ping nodes matter where `ipfail` runs; whether there are any that do.
    fn pings(&mut self) -> bool {
        let has_ipfail =
            self.config.respawn.iter().any(|client| client.command.iter().any(|word| word.ends_with("ipfail")));
        let hosts: Vec<String> = self.config.media.iter().flat_map(MediumSpec::pinged).cloned().collect();
        if !has_ipfail || hosts.is_empty() {
            return false;
        }
        let (hosts, dampen) = (hosts.join(" "), self.config.settings.deadping.as_secs().max(1));
        self.line(format!(
            "pcs resource create ping ocf:pacemaker:ping host_list={} dampen={dampen}s multiplier=1000 clone",
            quoted(&hosts)
        ));
        true
    }

    fn group(&mut self, number: usize, group: &ResourceGroup, pings: bool) {
        let id = self.fresh(&format!("{}-{number}", group.owner));
        let words: Vec<&str> = group.resources.iter().map(|resource| resource.word.as_str()).collect();
        self.line(format!("\n# {} {}", group.owner, words.join(" ")));
        let (mut members, mut disks) = (0, Vec::new());
        for resource in &group.resources {
            match resource::element(resource, self.script) {
                Element::Member { name, agent, options } => {
                    let name = self.fresh(&name);
                    let options: String =
                        options.iter().map(|(key, value)| format!(" {key}={}", quoted(value))).collect();
                    let watched = self.watched(&resource.word, &resource.agent);
                    self.line(format!("pcs resource create {name} {agent}{options}{watched} --group {id}"));
                    members += 1;
                }
                Element::Disk { drbd } => {
                    if members > 0 {
                        self.open(format!(
                            "{}: promoted before the whole group, not after what stands before it",
                            resource.word
                        ));
                    }
                    let name = self.fresh(&format!("drbd_{drbd}"));
                    self.disk(&name, &drbd);
                    disks.push(name);
                }
                Element::Open(what) => self.open(format!("{}: {what}", resource.word)),
            }
        }
        for disk in &disks {
            if members > 0 {
                self.line(format!("pcs constraint order promote {disk}-clone 'then' start {id}"));
                self.line(format!("pcs constraint colocation add {id} with Promoted {disk}-clone INFINITY"));
            }
        }
        if members > 0 {
            self.line(format!("pcs constraint location {id} prefers {}=100", group.owner));
            self.needs_network(&id, "", pings);
        }
        for disk in disks.iter().filter(|_| members == 0) {
            let home = format!("role=Promoted score=100 '#uname' eq {}", group.owner);
            self.line(format!("pcs constraint location {disk}-clone rule {home}"));
            self.needs_network(&format!("{disk}-clone"), "role=Promoted ", pings);
        }
    }

    /// Not where no ping node answers.
    fn needs_network(&mut self, id: &str, role: &str, pings: bool) {
        if pings {
            let rule = format!("rule {role}score=-INFINITY pingd lt 1 or not_defined pingd");
            self.line(format!("pcs constraint location {id} {rule}"));
        }
    }

    fn disk(&mut self, name: &str, drbd: &str) {
        self.line(format!(
            "pcs resource create {name} ocf:linbit:drbd drbd_resource={} op monitor interval=29s role=Promoted \
             op monitor interval=31s role=Unpromoted promotable promoted-max=1 promoted-node-max=1 clone-max=2 \
             clone-node-max=1 notify=true",
            quoted(drbd)
        ));
    }

    /// What `monitor` of `latido.cf` says of this resource.
    fn watched(&self, word: &str, agent: &str) -> String {
        let means = |monitor: &&Monitor| [word, agent, "*"].contains(&monitor.resource.as_str());
        let Some(monitor) = self.config.settings.monitors.iter().find(means) else { return String::new() };
        let (every, threshold) = (monitor.every.as_secs().max(1), monitor.restarts + 1);
        format!(" op monitor interval={every}s meta migration-threshold={threshold}")
    }

    /// An id that XML takes and nobody has yet.
    fn fresh(&mut self, wanted: &str) -> String {
        let plain: String =
            wanted.chars().map(|c| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '_' }).collect();
        let plain = if plain.starts_with(|c: char| c.is_ascii_alphabetic()) { plain } else { format!("r_{plain}") };
        let mut id = plain.clone();
        for number in 2.. {
            if self.ids.insert(id.clone()) {
                break;
            }
            id = format!("{plain}-{number}");
        }
        id
    }
}

/// A word for `sh`.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "./:_-+,@%=".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}
