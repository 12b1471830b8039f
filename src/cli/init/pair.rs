//! What a pair of nodes shares, and the commented files that say it (`config.md` 3 and 6). Touches nothing.

use std::fmt::Write as _;
use std::time::Duration;

use crate::config::smallest_keepalive;
use crate::config::value::as_written;
use crate::names::NodeName;

/// Everything `latido init` was told. The words are free of blanks and `#`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct PairToWrite {
    /// The two nodes; the group belongs to the first.
    pub(super) nodes: Vec<NodeName>,
    /// Null-modem cables.
    pub(super) serial: Vec<String>,
    /// Their speed in bits per second.
    pub(super) baud: u32,
    /// Interfaces for UDP broadcast.
    pub(super) bcast: Vec<String>,
    /// Interfaces for UDP to one address, with the addresses of both nodes.
    pub(super) ucast: Vec<(String, Vec<String>)>,
    /// UDP port, if it is not 694.
    pub(super) port: Option<u16>,
    /// Outside hosts.
    pub(super) ping: Vec<String>,
    /// Seconds of silence after which a node is dead.
    pub(super) deadtime: u32,
    /// Whether a group goes home by itself.
    pub(super) failback: bool,
    /// DRBD resources to promote.
    pub(super) drbd: Vec<String>,
    /// File systems: device, directory, type.
    pub(super) disk: Vec<[String; 3]>,
    /// Service addresses: `ADDRESS/PREFIX/INTERFACE`.
    pub(super) address: Vec<String>,
    /// Init scripts, units or scripts of resource.d.
    pub(super) service: Vec<String>,
    /// Fencing devices of cluster-glue: type, and the file with its parameters.
    pub(super) stonith: Vec<(String, String)>,
    /// Fencing commands, `%n` for the node.
    pub(super) fence: Vec<String>,
    /// Resources that are asked whether they work, with the seconds between two questions.
    pub(super) monitor: Vec<(String, u32)>,
}

/// The least `initdead`, in seconds: what a machine may need to boot.
const BOOT: u32 = 60;

impl PairToWrite {
    /// The text of `ha.cf`.
    pub(super) fn ha_cf(&self) -> String {
        let mut text = HEAD.to_owned();
        let _ = write!(text, "{}", self.times());
        text += "\n# ---- Paths: how the nodes hear each other. When all of them fail, both nodes become active.\n";
        self.paths(&mut text);
        text += "\n# ---- Groups: \"on\" moves a group home when its node returns, \"off\" leaves it where it runs.\n";
        let _ = writeln!(text, "auto_failback {}", if self.failback { "on" } else { "off" });
        text += "\n# ---- Nodes: as \"uname -n\" prints their names, with the domain if it prints one.\n";
        self.nodes.iter().for_each(|node| text += &format!("node {node}\n"));
        self.outside(&mut text);
        self.fencing(&mut text);
        text += TAIL;
        text
    }

    /// `ipfail` comes with every ping host: without it they decide nothing.
    fn outside(&self, text: &mut String) {
        *text += "\n# ---- Outside hosts, by which a node sees whether its network works: the groups move to the node that reaches\n\
                  # more of them. Name hosts that are always on, such as the router; with one alone nothing moves while it is off.\n";
        if self.ping.is_empty() {
            *text += &format!("#ping 192.168.1.254\n#{IPFAIL}\n");
            return;
        }
        for host in &self.ping {
            let directive = if is_ipv6(host) { "ping6" } else { "ping" };
            *text += &format!("{directive} {host}\n");
        }
        *text += &format!("{IPFAIL}\n");
    }

    fn fencing(&self, text: &mut String) {
        *text += "\n# ---- Fencing: what switches a silent node off before its disks are taken over (man ha.cf, man latido.cf).\n";
        if self.stonith.is_empty() {
            *text += "#stonith external/ipmi /etc/ha.d/stonith.conf\n";
        }
        self.stonith.iter().for_each(|(device, file)| *text += &format!("stonith {device} {file}\n"));
    }

    /// The text of `latido.cf`, if there is anything to say in it.
    pub(super) fn latido_cf(&self) -> Option<String> {
        if self.fence.is_empty() && self.monitor.is_empty() {
            return None;
        }
        let mut text = LATIDO_HEAD.to_owned();
        if !self.monitor.is_empty() {
            text += "\n# ---- Asked so often, in seconds, whether it works; restarted when not, then handed over.\n";
            self.monitor.iter().for_each(|(name, seconds)| text += &format!("monitor {name} {seconds}\n"));
        }
        if !self.fence.is_empty() {
            text += "\n# ---- Fencing: a command that switches the node %n off and exits with 0 when it is.\n";
            self.fence.iter().for_each(|command| text += &format!("fence {command}\n"));
        }
        Some(text)
    }

    /// What both nodes must never have at once, when nothing keeps them from it.
    pub(super) fn unprotected(&self) -> Option<String> {
        let disks = self.disk.iter().map(|disk| disk[0].clone());
        let all: Vec<String> = self.drbd.iter().map(|resource| format!("DRBD {resource}")).chain(disks).collect();
        let fenced = !self.stonith.is_empty() || !self.fence.is_empty();
        (!all.is_empty() && !fenced).then(|| all.join(" and "))
    }

    /// A proposal: a second path of another kind tells a dead node from a slow line, a lone slow line does not.
    pub(super) fn proposed_deadtime(&self) -> u32 {
        let net = !self.bcast.is_empty() || !self.ucast.is_empty();
        match (net, self.baud) {
            (true, _) => 10,
            (false, 19200..) => 15,
            (false, _) => 30,
        }
    }

    fn times(&self) -> String {
        let PairToWrite { deadtime, .. } = self;
        let keepalive = as_written(Duration::from_millis(u64::from(self.keepalive_ms())));
        let warntime = as_written(Duration::from_millis(u64::from(*deadtime) * 500));
        let initdead = BOOT.max(deadtime.saturating_mul(2));
        format!(
            "\n# ---- Times, in seconds, or in milliseconds with \"ms\".\n\
             # A heartbeat each:\nkeepalive {keepalive}\n\
             # A longer gap is reported as late:\nwarntime {warntime}\n\
             # After this silence the other node is dead and its groups are taken over:\ndeadtime {deadtime}\n\
             # The same while starting, when the other machine may still be booting:\ninitdead {initdead}\n"
        )
    }

    /// Ten heartbeats before a death; a beat slower than a second saves nothing, and a serial line has its limit.
    fn keepalive_ms(&self) -> u32 {
        let wanted = self.deadtime.saturating_mul(100).min(1000);
        let carried = if self.serial.is_empty() { 0 } else { smallest_keepalive(self.baud / 10, None).as_millis() };
        wanted.max(u32::try_from(carried).unwrap_or(u32::MAX))
    }

    fn paths(&self, text: &mut String) {
        if let [_, ..] = self.serial.as_slice() {
            *text += "# Null-modem cable, with RTS and CTS wired. The speed comes before the line.\n";
            let _ = writeln!(text, "baud {}", self.baud);
            self.serial.iter().for_each(|device| *text += &format!("serial {device}\n"));
        }
        if let Some(port) = self.port {
            let _ = writeln!(text, "# UDP port of the lines below; open it in the firewall.\nudpport {port}");
        } else if !self.bcast.is_empty() || !self.ucast.is_empty() {
            *text += "# UDP port 694; open it in the firewall.\n";
        }
        self.bcast.iter().for_each(|interface| *text += &format!("bcast {interface}\n"));
        for (interface, addresses) in &self.ucast {
            *text += "# Both nodes' addresses, so that the file is the same on both.\n";
            for address in addresses {
                let directive = if is_ipv6(address) { "ucast6" } else { "ucast" };
                *text += &format!("{directive} {interface} {address}\n");
            }
        }
    }

    /// The text of `haresources`.
    pub(super) fn haresources(&self) -> String {
        let mut text = RESOURCES_HEAD.to_owned();
        let words = self.resources();
        match (self.nodes.first(), words.as_slice()) {
            (Some(node), [_, ..]) => {
                let _ = writeln!(text, "{node} {}", words.join(" "));
            }
            (first, _) => {
                let node = first.map_or("alpha", NodeName::as_str);
                let _ = writeln!(text, "# Nothing yet. For instance:\n#{node} 192.168.1.10/24/eth0 asterisk");
            }
        }
        text
    }

    /// In the order they are started: what a service needs comes first, and clients find it last.
    fn resources(&self) -> Vec<String> {
        let drbd = self.drbd.iter().map(|resource| format!("drbddisk::{resource}"));
        let disks = self.disk.iter().map(|parts| format!("Filesystem::{}", parts.join("::")));
        drbd.chain(disks).chain(self.address.iter().cloned()).chain(self.service.iter().cloned()).collect()
    }
}

fn is_ipv6(host: &str) -> bool {
    host.parse::<std::net::Ipv6Addr>().is_ok()
}

const IPFAIL: &str = "respawn hacluster /usr/lib/heartbeat/ipfail";

const LATIDO_HEAD: &str = "\
# /etc/ha.d/latido.cf: what heartbeat has no word for. The same file on both nodes. Explained in: man latido.cf
";

const HEAD: &str = "\
# /etc/ha.d/ha.cf: how the two nodes hear each other, and how long silence may last.
# The same file on both nodes. Written by: latido init. Check it with: latido check. Explained in: man ha.cf

# ---- Where messages go
logfacility daemon
";

const TAIL: &str = "
# ---- The machine
# A watchdog resets a machine that hangs. Without hardware: modprobe softdog.
#watchdog /dev/watchdog
";

const RESOURCES_HEAD: &str = "\
# /etc/ha.d/haresources: what runs where. THE SAME FILE ON BOTH NODES, or both will run the same things.
#
# One group a line: the node it belongs to, then its resources, started left to right and stopped right to left.
# A group moves as a whole; its first resource is its name. Nothing of it may be started at boot by the system.
# Explained in: man haresources

";

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::config::{Config, OnlyName, Sources};
    use crate::diagnostic::SourceText;

    fn pair() -> PairToWrite {
        PairToWrite {
            nodes: ["alpha", "beta"].iter().filter_map(|name| NodeName::new(name)).collect(),
            serial: vec!["/dev/ttyS0".to_owned()],
            baud: 19200,
            bcast: vec!["eth1".to_owned()],
            deadtime: 10,
            ..PairToWrite::default()
        }
    }

    fn assembled(pair: &PairToWrite) -> Result<Config, Vec<crate::diagnostic::Problem>> {
        let source = |name: &str, text: String| Some(SourceText::new(name, text));
        let sources = Sources {
            ha_cf: source("ha.cf", pair.ha_cf()),
            haresources: source("haresources", pair.haresources()),
            latido_cf: pair.latido_cf().and_then(|text| source("latido.cf", text)),
            authkeys: source("authkeys", "auth 1\n1 sha1 8e9f1c77\n".to_owned()),
            ..Sources::default()
        };
        Config::assemble(&sources, &OnlyName(pair.nodes[0].clone()))
    }

    #[test]
    fn resources_stand_in_the_order_they_are_started() {
        let pair = PairToWrite {
            drbd: vec!["r0".to_owned()],
            disk: vec![["/dev/drbd0", "/data", "ext4"].map(str::to_owned)],
            address: vec!["10.0.0.5/24/eth0".to_owned()],
            service: vec!["asterisk".to_owned()],
            ..pair()
        };
        let line = "alpha drbddisk::r0 Filesystem::/dev/drbd0::/data::ext4 10.0.0.5/24/eth0 asterisk\n";
        assert!(pair.haresources().ends_with(line), "{}", pair.haresources());
        assert_eq!(assembled(&pair).unwrap().groups[0].resources.len(), 4);
    }

    #[test]
    fn a_disk_without_fencing_is_named_and_with_it_not() {
        let mut pair = PairToWrite { drbd: vec!["r0".to_owned()], ..pair() };
        assert_eq!(pair.unprotected().as_deref(), Some("DRBD r0"));
        pair.fence = vec!["/bin/off %n".to_owned()];
        assert_eq!(pair.unprotected(), None);
        assert_eq!(self::pair().unprotected(), None);
    }

    #[test]
    fn a_lone_slow_line_gets_more_time() {
        let net = pair();
        let line = |baud| PairToWrite { bcast: vec![], baud, ..pair() }.proposed_deadtime();
        assert!(net.proposed_deadtime() < line(19200) && line(19200) < line(9600));
    }

    proptest! {
        #[test]
        fn whatever_was_said_the_files_check_clean(
            deadtime in 2_u32..400,
            failback: bool,
            port in proptest::option::of(1_u16..1024),
            ucast: bool,
            ping: bool,
            v6: bool,
            monitor in proptest::option::of(1_u32..1000),
            fence: bool,
        ) {
            let mut pair = PairToWrite { deadtime, failback, port, ..pair() };
            if ucast {
                pair.ucast = vec![("eth3".to_owned(), vec!["10.0.0.1".to_owned(), "10.0.0.2".to_owned()])];
            }
            if ping {
                pair.ping = vec!["10.0.0.254".to_owned(), "fe80::fe".to_owned()];
            }
            if v6 {
                pair.ucast.push(("eth2".to_owned(), vec!["fd00::1".to_owned(), "fd00::2".to_owned()]));
            }
            pair.service = vec!["asterisk".to_owned()];
            pair.monitor = monitor.map(|seconds| ("asterisk".to_owned(), seconds)).into_iter().collect();
            if fence {
                pair.fence = vec!["/usr/local/sbin/off %n".to_owned()];
                pair.stonith = vec![("external/ipmi".to_owned(), "/etc/ha.d/stonith.conf".to_owned())];
            }
            let config = assembled(&pair).unwrap();
            prop_assert_eq!(&config.warnings, &vec![]);
            prop_assert_eq!(config.settings.deadtime.as_secs(), u64::from(deadtime));
            prop_assert!(config.settings.keepalive * 9 <= config.settings.deadtime);
        }
    }
}
