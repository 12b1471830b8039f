//! Two hosts and their cables: what is done to them, what is waited for, what is asserted.

use std::path::Path;

use super::clock::{epoch, wait_until};
use super::config::{Kind, Plan};
use super::host::Host;
use super::network::Switch;
use super::null_modem::NullModem;
use super::record;
use super::tap::Tap;

/// The nodes' names, in the order of the plan.
pub(crate) const NAMES: [&str; 2] = ["alpha", "beta"];

/// `alpha` and `beta`.
pub(crate) struct Pair {
    // Dropped in this order: the hosts first, then what connects them, then their files.
    hosts: [Host; 2],
    pub(crate) tap: Tap,
    pub(crate) switch: Switch,
    cable: Option<NullModem>,
    plan: Plan,
    _base: tempfile::TempDir,
}

impl Pair {
    /// Two hosts switched on and connected, no daemon running yet.
    pub(crate) fn new(plan: &Plan) -> Pair {
        let base = tempfile::Builder::new().prefix("latido-live-").tempdir().expect("a directory of our own");
        let switch = Switch::new();
        let tap = Tap::new(&switch);
        let cable = plan.serial().then(|| NullModem::new(plan.baud));
        let hosts = [0, 1].map(|n| Host::new(base.path(), NAMES[n], NAMES[1 - n], plan.kinds[n], plan));
        let mut pair = Pair { hosts, tap, switch, cable, plan: plan.clone(), _base: base };
        for name in NAMES {
            pair.power_on(name);
        }
        pair
    }

    /// The same, both daemons started at once and both groups up at home.
    pub(crate) fn running(plan: &Plan) -> Pair {
        let pair = Pair::new(plan);
        pair.start_both();
        pair.settle(&["ra", "rb"], &["rc", "rd"], 30.0);
        pair
    }

    pub(crate) fn host(&self, name: &str) -> &Host {
        &self.hosts[index(name)]
    }

    /// Switches a host on and plugs it in; its daemon is not started.
    pub(crate) fn power_on(&mut self, name: &str) {
        let n = index(name);
        let port = self.cable.as_ref().map(|cable| cable.port(n).clone());
        self.hosts[n].boot(port.as_deref().map(Path::as_ref));
        for cable in self.plan.cables() {
            self.switch.plug(name, self.hosts[n].init(), cable, u8::try_from(n + 1).expect("two hosts"));
        }
    }

    /// Everything of that host ends in the same instant.
    pub(crate) fn power_off(&mut self, name: &str) {
        self.hosts[index(name)].power_off();
        for cable in self.plan.cables() {
            self.switch.unplug(name, cable);
        }
    }

    /// Starts both daemons in the same second.
    pub(crate) fn start_both(&self) {
        for host in &self.hosts {
            host.start();
        }
    }

    /// Pulls (or plugs) one Ethernet cable.
    pub(crate) fn cut_ethernet(&self, n: usize, cut: bool) {
        if cut {
            self.switch.cut("beta", n);
        } else {
            self.switch.mend("beta", n);
        }
    }

    /// Pulls (or plugs) the null-modem cable.
    pub(crate) fn cut_serial(&self, cut: bool) {
        self.cable.as_ref().expect("a pair with a serial line").set_cut(cut);
    }

    /// What came out of the null-modem cable from that end, message by message, and when.
    pub(crate) fn on_the_line(&self, end: usize) -> Vec<(f64, String)> {
        self.cable.as_ref().expect("a pair with a serial line").messages(end)
    }

    /// Pulls (or plugs) everything.
    pub(crate) fn cut_all(&self, cut: bool) {
        for cable in self.plan.cables() {
            self.cut_ethernet(cable, cut);
        }
        if let Some(cable) = &self.cable {
            cable.set_cut(cut);
        }
    }

    /// What each host runs right now.
    pub(crate) fn held(&self) -> [Vec<String>; 2] {
        self.hosts.each_ref().map(Host::held)
    }

    /// Waits until exactly these are up on `alpha` and on `beta`. Returns the seconds it took.
    pub(crate) fn settle(&self, alpha: &[&str], beta: &[&str], limit: f64) -> f64 {
        let what = format!("{alpha:?} on alpha and {beta:?} on beta");
        wait_until(&what, limit, || self.held() == [alpha, beta])
    }

    /// Watches for that many seconds that the hosts go on holding exactly what they hold and no script but status runs.
    pub(crate) fn nothing_moves_for(&self, seconds: f64) {
        let (held, from) = (self.held(), epoch());
        super::clock::pass(super::clock::secs(seconds));
        assert_eq!(self.held(), held, "resources moved");
        for host in &self.hosts {
            let calls = record::counted(&host.dir, from);
            assert!(calls.is_empty(), "scripts ran on {}: {calls:?}", host.name);
        }
    }

    /// The resources that were started on one host while they were up on the other, since the last time this was asked.
    pub(crate) fn take_doubles(&self) -> Vec<String> {
        let mut doubles = Vec::new();
        for host in &self.hosts {
            let path = host.dir.join("double");
            let text = std::fs::read_to_string(&path).unwrap_or_default();
            doubles.extend(text.lines().map(|line| format!("{}: {line}", host.name)));
            let _ = std::fs::remove_file(path);
        }
        doubles
    }

    /// No resource was ever started on one host while the other ran it.
    pub(crate) fn assert_never_double(&self) {
        let doubles = self.take_doubles();
        assert!(doubles.is_empty(), "started on one host while up on the other: {doubles:?}");
    }

    /// Waits until each real node's own status program says that both nodes are active, and a Latido node likewise.
    pub(crate) fn both_active(&self, limit: f64) {
        for host in &self.hosts {
            for node in NAMES {
                let ask = match host.kind {
                    Kind::Real => format!("cl_status nodestatus {node}"),
                    Kind::Latido => format!("{} status --json", host.program("latido")),
                };
                let what = format!("{node} to be active as {} sees it", host.name);
                wait_until(&what, limit, || {
                    let output = host.run(&ask);
                    let text = String::from_utf8_lossy(&output.stdout);
                    match host.kind {
                        Kind::Real => text.trim() == "active",
                        Kind::Latido => node_status(&text, node).as_deref() == Some("active"),
                    }
                });
            }
        }
    }

    /// Waits until a node has settled what it holds, by its own account (legacy nodes never track that: `none`).
    pub(crate) fn stable(&self, name: &str, limit: f64) {
        let host = self.host(name);
        wait_until(&format!("{} to be stable", host.name), limit, || self.is_stable(name));
    }

    /// Is it so now?
    pub(crate) fn is_stable(&self, name: &str) -> bool {
        let host = self.host(name);
        match host.kind {
            Kind::Real => {
                let output = host.run("cl_status rscstatus");
                output.status.success() && String::from_utf8_lossy(&output.stdout).trim() != "transition"
            }
            Kind::Latido => {
                let output = host.run(&format!("{} status --json", host.program("latido")));
                settled(&String::from_utf8_lossy(&output.stdout))
            }
        }
    }

    /// Is that host switched off?
    pub(crate) fn is_off(&self, name: &str) -> bool {
        self.host(name).is_off()
    }

    /// Waits for a line of a host's log, looking only at what is after `from` bytes.
    pub(crate) fn await_log(&self, name: &str, from: usize, needle: &str, limit: f64) {
        let what = format!("{needle:?} in the log of {name}");
        wait_until(&what, limit, || self.host(name).log().get(from..).is_some_and(|log| log.contains(needle)));
    }

    /// The real nodes logged nothing at ERROR or CRIT that real pairs do not log in the same situations.
    pub(crate) fn assert_real_content(&self) {
        self.assert_real_content_but(&[]);
    }

    /// The same, these phrases apart.
    pub(crate) fn assert_real_content_but(&self, allowed: &[&str]) {
        let usual = |line: &str| USUAL.iter().chain(allowed).any(|phrase| line.contains(phrase));
        let bad = |line: &&str| (line.contains("ERROR:") || line.contains("CRIT:")) && !usual(line);
        for host in self.hosts.iter().filter(|host| host.kind == Kind::Real) {
            let log = host.log();
            let strange: Vec<&str> = log.lines().filter(bad).collect();
            assert!(strange.is_empty(), "the real {} complains: {strange:#?}", host.name);
        }
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        if std::thread::panicking() {
            super::shell::print(&self.story());
        }
    }
}

impl Pair {
    /// What happened, for whoever reads a failure: the ends of the logs, the records, the talk on the wire.
    fn story(&self) -> String {
        let mut story = String::new();
        for host in &self.hosts {
            story += &format!("---- log of {} ({:?})\n{}\n", host.name, host.kind, tail(&host.log(), 60));
            story += &format!("---- scripts on {}\n", host.name);
            for call in record::calls(&host.dir).iter().filter(|call| call.verb != "status") {
                story += &format!("{:.3} {} {}\n", call.at, call.resource, call.verb);
            }
        }
        story + "---- on the wire\n" + &tail(&self.tap.talk(), 80)
    }
}

fn index(name: &str) -> usize {
    NAMES.iter().position(|known| *known == name).expect("alpha or beta")
}

fn tail(text: &str, lines: usize) -> String {
    let all: Vec<&str> = text.lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n") + "\n"
}

/// The status of a node in the output of `latido status --json`.
pub(crate) fn node_status(json: &str, node: &str) -> Option<String> {
    let value: serde_json::Value = serde_json::from_str(json).ok()?;
    let nodes = value.get("nodes")?.as_array()?;
    let found = nodes.iter().find(|entry| entry.get("name").and_then(|name| name.as_str()) == Some(node))?;
    Some(found.get("status")?.as_str()?.to_owned())
}

/// Has the Latido whose `latido status --json` this is nothing left to do? FIXME: the field's name.
fn settled(json: &str) -> bool {
    let value: serde_json::Value = serde_json::from_str(json).unwrap_or_default();
    value.get("stable").and_then(serde_json::Value::as_bool).unwrap_or(false)
}

/// Complaints real pairs make in the same situations, collected from runs of two real nodes.
const USUAL: &[&str] = &[
    // This machine's limit, not the peer's doing.
    "Cannot lock ourselves into memory",
    // Partition and stall: resources.md 2.5, 12.2 b.
    "returning after partition",
    "Late heartbeat: Node",
];
