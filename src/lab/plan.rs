//! What the lab has to build for a configuration: hosts, networks, addresses, serial lines. Pure.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::path::PathBuf;

use crate::amount::exact;
use crate::api::ApiRules;
use crate::config::{Config, MediumSpec};
use crate::haresources::known::{self, Arguments, ResourceKind};
use crate::haresources::{Resource, ResourceGroup};
use crate::ipfail;

use super::files::{LabFiles, by_line, scale};
use super::original;

/// Everything to build.
#[derive(Clone, Debug)]
pub(super) struct LabPlan {
    /// The two nodes' names, in the order of `ha.cf`.
    pub(super) nodes: [String; 2],
    /// The interfaces, each a network of its own.
    pub(super) interfaces: Vec<String>,
    /// The networks and who has which address in them.
    pub(super) networks: Vec<Network>,
    /// The null-modem cables: device on both nodes, and the line's speed in the lab.
    pub(super) serial: Vec<(String, u32)>,
    /// The media over which nodes hear each other: interfaces and devices, in the order of `ha.cf`.
    pub(super) media: Vec<String>,
    /// Ping hosts in none of these networks: the caller's host has them too, and is the way there.
    pub(super) far: Vec<Ipv4Addr>,
    /// What the caller asks.
    pub(super) services: Vec<Ipv4Addr>,
    /// The network by which the caller reaches the owner of the first group, where it asks for anything there.
    pub(super) caller_interface: Option<String>,
    /// Why nobody looks whether callers reach a node; `None` when an ipfail does.
    pub(super) nobody_looks: Option<String>,
    /// Resource scripts to be replaced by recorders.
    pub(super) recorded: BTreeSet<String>,
    /// Each node's `ha.cf`.
    pub(super) ha_cf: [String; 2],
    /// The other files, the same on both.
    pub(super) files: LabFiles,
    /// The configuration as played.
    pub(super) config: Config,
    /// By how much it is faster than what the user wrote.
    pub(super) speed: f64,
    /// The node that runs the original heartbeat, if one does.
    pub(super) original: Option<usize>,
    /// A directory that all hosts share and no fault reaches, for records and the lines of scripts.
    pub(super) kept: Option<PathBuf>,
}

/// A network on an interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Network {
    pub(super) interface: String,
    pub(super) prefix: u8,
    /// Of the two nodes, in their order.
    pub(super) nodes: [Ipv4Addr; 2],
    /// Of the caller's host: its own, then those of the ping hosts it stands for.
    pub(super) caller: Vec<Ipv4Addr>,
}

/// A longer deadtime is played faster.
const LONGEST_DEADTIME: f64 = 1.0;
/// And one with a shorter keepalive measures the machine.
const SHORTEST_KEEPALIVE: f64 = 0.05;
/// No faster serial port was built into a PC.
const FASTEST_LINE: u32 = 460_800;

impl LabPlan {
    /// Plans the lab for these files, `speed` times faster (or as fast as is bearable when not given).
    ///
    /// # Errors
    /// Sentences for the user: what is wrong with the files, or what the lab cannot play.
    pub(super) fn new(mut files: LabFiles, speed: Option<f64>, real_scripts: bool) -> Result<LabPlan, Vec<String>> {
        let node = files.first_node().ok_or_else(|| vec!["ha.cf names no node".to_owned()])?;
        let config = |files: &LabFiles| {
            files.config(&node).map_err(|all| all.iter().map(ToString::to_string).collect::<Vec<String>>())
        };
        files.keep_logs_inside();
        let written: Config = config(&files)?;
        let speed = speed.unwrap_or_else(|| bearable_speed(&written));
        if let Some(pace) = pace(speed) {
            files.hurry(&written, speed);
            files.notices.push(format!(
                "played {pace} than written: keepalive {} instead of {}, deadtime {} instead of {} (--speed 1 plays it \
                 as it is)",
                exact(scale(written.settings.keepalive, speed)),
                exact(written.settings.keepalive),
                exact(scale(written.settings.deadtime, speed)),
                exact(written.settings.deadtime),
            ));
        }
        let config = config(&files)?;
        files.settle_ipfail(&config);
        let nodes = two_nodes(&config)?;
        let mut plan = LabPlan {
            nodes,
            interfaces: interfaces(&config),
            networks: Vec::new(),
            serial: serial_lines(&config, speed),
            media: media(&config),
            far: Vec::new(),
            services: Vec::new(),
            caller_interface: None,
            nobody_looks: nobody_looks(&config),
            recorded: if real_scripts { BTreeSet::new() } else { scripts(&config.groups) },
            ha_cf: [files.ha_cf.clone(), files.ha_cf.clone()],
            files,
            config,
            speed,
            original: None,
            kept: None,
        };
        plan.number_hosts();
        plan.point_ucasts();
        Ok(plan)
    }

    /// Chooses networks and addresses.
    fn number_hosts(&mut self) {
        let first_interface = self.interfaces.first().cloned().unwrap_or_else(|| "eth0".to_owned());
        let services: Vec<ServiceAddress> = services(&self.config.groups, &first_interface);
        self.services = services.iter().map(|service| service.address).collect();
        let owner = &self.nodes[self.owner()];
        let own: Vec<_> = self.config.groups.iter().filter(|group| group.owner.as_str() == owner).cloned().collect();
        self.caller_interface = self::services(&own, &first_interface).into_iter().next().map(|first| first.interface);
        let mut wanted: Vec<(String, Ipv4Addr, u8)> =
            services.iter().map(|service| (service.interface.clone(), service.address, service.prefix)).collect();
        wanted.extend(ucasts(&self.config).into_iter().map(|(interface, address)| (interface, address, 24)));
        for (number, interface) in (1..).zip(&self.interfaces) {
            if !wanted.iter().any(|(name, _, _)| name == interface) {
                wanted.push((interface.clone(), Ipv4Addr::new(10, 9, number, 0), 24));
            }
        }
        let pinged: Vec<Ipv4Addr> = pinged(&self.config);
        let mut taken: BTreeSet<Ipv4Addr> = self.services.iter().chain(&pinged).copied().collect();
        let ucasts = ucasts(&self.config);
        taken.extend(ucasts.iter().map(|(_, address)| *address));
        for (interface, address, prefix) in wanted {
            if self.networks.iter().any(|known| known.interface == interface && known.holds(address)) {
                continue;
            }
            let here: Vec<Ipv4Addr> = ucasts
                .iter()
                .filter(|(name, other)| *name == interface && same_network(*other, address, prefix))
                .map(|(_, address)| *address)
                .collect();
            let mut free = |preferred: u32| free_address(address, prefix, preferred, &mut taken);
            let nodes = match here[..] {
                [] => [free(1), free(2)],
                // A file of the old kind, which names only the other node.
                [second] => [free(1), second],
                [first, second, ..] => [first, second],
            };
            let own = free(9);
            let played = pinged.iter().filter(|host| same_network(**host, address, prefix)).copied();
            let caller = std::iter::once(own).chain(played).collect();
            self.networks.push(Network { interface, prefix, nodes, caller });
        }
        self.far =
            pinged.into_iter().filter(|host| !self.networks.iter().any(|network| network.holds(*host))).collect();
    }

    /// Makes each node's `ucast` lines lead to the other, whatever name or single address is written there.
    fn point_ucasts(&mut self) {
        for (me, other) in [(0, 1), (1, 0)] {
            let networks = &self.networks;
            self.ha_cf[me] = by_line(&self.ha_cf[me], |line, words| {
                let ["ucast", interface, host] = words else { return line.to_owned() };
                let host: Option<Ipv4Addr> = host.parse().ok();
                let here = || networks.iter().filter(|network| network.interface == *interface);
                let of_host = here().find(|network| host.is_some_and(|host| network.holds(host)));
                match of_host.or_else(|| here().next()) {
                    Some(network) if host != Some(network.nodes[other]) => {
                        format!("ucast {interface} {}", network.nodes[other])
                    }
                    _ => line.to_owned(),
                }
            });
        }
    }

    /// The same with the original heartbeat on one node.
    ///
    /// # Errors
    /// When there is no such node, no such program, or when it would not start with these keys.
    pub(super) fn with_original(mut self, name: &str) -> Result<LabPlan, String> {
        if let Some((key, method)) = self.config.keyring.latido_only() {
            return Err(format!(
                "authkeys: key {key} uses {method}, which only Latido knows: the original does not start with it. Play with \
                 keys of sha1"
            ));
        }
        original::check()?;
        let node = self.node(name).ok_or(format!("there is no node {name}: {}", self.nodes.join(", ")))?;
        self.original = Some(node);
        // It has its own.
        self.ha_cf[node] = by_line(&self.ha_cf[node], |line, words| match words {
            ["respawn", _, path, ..] if path.ends_with("/ipfail") => original::IPFAIL.to_owned(),
            _ => line.to_owned(),
        });
        Ok(self)
    }

    /// Which of the two has this name.
    pub(super) fn node(&self, name: &str) -> Option<usize> {
        self.nodes.iter().position(|node| node == name)
    }

    /// A node's files by name, with its `ha.cf`.
    pub(super) fn texts<'a>(&'a self, ha_cf: &'a str) -> Vec<(&'static str, &'a str)> {
        let mut texts =
            vec![("ha.cf", ha_cf), ("haresources", &self.files.haresources), ("authkeys", &self.files.authkeys)];
        texts.extend(self.files.latido_cf.as_deref().map(|text| ("latido.cf", text)));
        texts
    }

    /// The node that owns the first group, or the first node; and the other.
    pub(super) fn owner(&self) -> usize {
        let owner = self.config.groups.first().map(|group| group.owner.as_str());
        self.nodes.iter().position(|node| Some(node.as_str()) == owner).unwrap_or(0)
    }
}

impl Network {
    fn holds(&self, address: Ipv4Addr) -> bool {
        same_network(self.nodes[0], address, self.prefix)
    }
}

/// `4 times faster`; nothing at the speed that is written.
fn pace(speed: f64) -> Option<String> {
    match speed.total_cmp(&1.0) {
        Ordering::Less => Some(format!("{:.0} times slower", 1.0 / speed)),
        Ordering::Equal => None,
        Ordering::Greater => Some(format!("{speed:.0} times faster")),
    }
}

/// So fast that the deadtime is bearable and the keepalive is not too short.
fn bearable_speed(config: &Config) -> f64 {
    let deadtime = config.settings.deadtime.as_secs_f64() / LONGEST_DEADTIME;
    let keepalive = config.settings.keepalive.as_secs_f64() / SHORTEST_KEEPALIVE;
    deadtime.min(keepalive).max(1.0)
}

fn nobody_looks(config: &Config) -> Option<String> {
    let settings = &config.settings;
    let has_ping = settings.media.iter().any(|medium| medium.ping_node.is_some());
    let user = config.ipfail().map(|line| line.user.as_str());
    let respawned = user.map(|user| (user, ApiRules::let_in(&config.apiauth, ipfail::NAME, user)));
    ipfail::nobody_looks(has_ping, respawned, settings.auto_failback.as_str()).map(|(what, _)| what)
}

fn two_nodes(config: &Config) -> Result<[String; 2], Vec<String>> {
    let names: Vec<String> = config.settings.nodes.iter().map(|node| node.as_str().to_owned()).collect();
    let count = names.len();
    names.try_into().map_err(|_| vec![format!("ha.cf names {count} node(s): the lab plays pairs")])
}

/// Of media and of addresses, in order of appearance.
fn interfaces(config: &Config) -> Vec<String> {
    let mut names = Vec::new();
    let of_media = config.media.iter().filter_map(MediumSpec::interface);
    let of_groups = config.groups.iter().flat_map(|group| &group.resources).filter_map(nic);
    for name in of_media.map(str::to_owned).chain(of_groups) {
        // An alias is the interface it stands on.
        let name = name.split(':').next().unwrap_or(&name).to_owned();
        if name != "lo" && !names.contains(&name) {
            names.push(name);
        }
    }
    if names.is_empty() {
        names.push("eth0".to_owned());
    }
    names
}

fn media(config: &Config) -> Vec<String> {
    let beating = config.settings.media.iter().filter(|medium| medium.ping_node.is_none());
    beating.map(|medium| medium.id.as_str().to_owned()).collect()
}

fn serial_lines(config: &Config, speed: f64) -> Vec<(String, u32)> {
    let lines = config.media.iter().filter_map(MediumSpec::serial_line);
    lines.map(|(device, baud)| (device.to_owned(), faster_line(baud, speed))).collect()
}

/// Heartbeats come `speed` times as often; the cable must keep up.
fn faster_line(baud: u32, speed: f64) -> u32 {
    let wanted = f64::from(baud) * speed.max(1.0);
    if wanted >= f64::from(FASTEST_LINE) {
        return FASTEST_LINE.max(baud);
    }
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 460800")]
    let baud = wanted as u32;
    baud
}

fn ucasts(config: &Config) -> Vec<(String, Ipv4Addr)> {
    let all = config.media.iter().filter_map(|medium| {
        if let MediumSpec::Ucast { interface, host, .. } = medium {
            return host.parse().ok().map(|address| (interface.clone(), address));
        }
        None
    });
    all.collect()
}

fn pinged(config: &Config) -> Vec<Ipv4Addr> {
    config.media.iter().flat_map(MediumSpec::pinged).filter_map(|host| host.parse().ok()).collect()
}

/// An address that a group brings up.
struct ServiceAddress {
    address: Ipv4Addr,
    prefix: u8,
    interface: String,
}

fn services(groups: &[ResourceGroup], first_interface: &str) -> Vec<ServiceAddress> {
    let resources = groups.iter().flat_map(|group| &group.resources);
    resources.filter_map(|resource| service(resource, first_interface)).collect()
}

/// Of addresses the caller can ask: their agents are not replaced by recorders.
fn is_address(resource: &Resource) -> bool {
    known::kind(resource) == ResourceKind::Address4
}

fn service(resource: &Resource, first_interface: &str) -> Option<ServiceAddress> {
    let Some(Arguments::Address4(read)) = known::arguments(resource) else { return None };
    let prefix = read.prefix.filter(|bits| *bits > 0).unwrap_or(24);
    Some(ServiceAddress { address: read.ip, prefix, interface: read.nic.unwrap_or_else(|| first_interface.to_owned()) })
}

fn nic(resource: &Resource) -> Option<String> {
    known::interface(resource).filter(|_| is_address(resource))
}

fn scripts(groups: &[ResourceGroup]) -> BTreeSet<String> {
    let resources = groups.iter().flat_map(|group| &group.resources);
    resources.filter(|resource| !is_address(resource)).map(|resource| resource.agent.clone()).collect()
}

fn same_network(one: Ipv4Addr, other: Ipv4Addr, prefix: u8) -> bool {
    let differing = (one.to_bits() ^ other.to_bits()).leading_zeros();
    differing >= u32::from(prefix)
}

/// An address near `preferred` in the network that nobody has yet; takes it.
fn free_address(network: Ipv4Addr, prefix: u8, preferred: u32, taken: &mut BTreeSet<Ipv4Addr>) -> Ipv4Addr {
    let hosts = u32::MAX.checked_shr(prefix.into()).unwrap_or(0);
    let base = network.to_bits() & !hosts;
    let numbers = (preferred..hosts).chain(1..preferred.min(hosts)).take(1024);
    let mut free = numbers.map(|number| Ipv4Addr::from(base | number)).filter(|address| !taken.contains(address));
    let address = free.next().unwrap_or(network);
    taken.insert(address);
    address
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(ha_cf: &str, haresources: &str, speed: Option<f64>) -> LabPlan {
        let ha_cf = format!("logfacility none\nnode alpha\nnode beta\nauto_failback on\n{ha_cf}");
        let files = LabFiles { ha_cf, haresources: haresources.to_owned(), ..LabFiles::own() };
        LabPlan::new(files, speed, false).unwrap()
    }

    fn ip(text: &str) -> Ipv4Addr {
        text.parse().unwrap()
    }

    #[test]
    fn hosts_get_addresses_in_the_network_of_the_service() {
        let plan = plan("bcast eth0\n", "alpha 192.168.1.13/24/eth0/192.168.1.255 drbddisk::r0 asterisk\n", None);
        let nodes = [ip("192.168.1.1"), ip("192.168.1.2")];
        let caller = vec![ip("192.168.1.9")];
        assert_eq!(plan.networks, [Network { interface: "eth0".into(), prefix: 24, nodes, caller }]);
        assert_eq!(plan.services, [ip("192.168.1.13")]);
        assert_eq!(plan.recorded.iter().map(String::as_str).collect::<Vec<_>>(), ["asterisk", "drbddisk"]);
    }

    #[test]
    fn addresses_written_in_the_files_are_kept_free_or_given_to_whom_they_belong() {
        let text = "ucast eth1 10.0.0.1\nucast eth1 10.0.0.7\nbcast eth0\nping 192.168.1.1\n";
        let plan = plan(text, "beta IPaddr::192.168.1.2/24\n", None);
        let of = |address: &str| plan.networks.iter().find(|network| network.holds(ip(address))).unwrap();
        assert_eq!(of("10.0.0.1").nodes, [ip("10.0.0.1"), ip("10.0.0.7")]);
        assert_eq!((&plan.interfaces[..], plan.owner()), (&["eth1".to_owned(), "eth0".to_owned()][..], 1));
        // An address without an interface stands on the first one; the ping host is an address of the caller's host.
        let service = of("192.168.1.2");
        assert_eq!((service.interface.as_str(), service.nodes), ("eth1", [ip("192.168.1.3"), ip("192.168.1.4")]));
        assert_eq!(service.caller, [ip("192.168.1.9"), ip("192.168.1.1")]);
        assert!(plan.far.is_empty());
    }

    #[test]
    fn ping_hosts_far_away_are_played_too() {
        let plan = plan("bcast eth0\nping 8.8.8.8\nping_group outside 9.9.9.9 10.9.1.77\n", "alpha service\n", None);
        assert_eq!(plan.far, [ip("8.8.8.8"), ip("9.9.9.9")]);
        assert_eq!(plan.networks[0].caller, [ip("10.9.1.9"), ip("10.9.1.77")]);
    }

    #[test]
    fn clients_come_by_the_interface_of_the_owners_first_address() {
        let interface = |haresources: &str| plan("bcast eth0\n", haresources, None).caller_interface;
        assert_eq!(interface("beta rb\nalpha 10.0.0.7/24/eth3 ra\n"), None);
        assert_eq!(interface("beta rb 10.0.0.7/24/eth3:1/10.0.0.255\n").as_deref(), Some("eth3"));
        assert_eq!(interface("alpha IPaddr2::10.0.0.7 ra\n").as_deref(), Some("eth0"));
    }

    #[test]
    fn a_single_ucast_line_is_turned_round_for_the_other_node() {
        let plan = plan("ucast eth1 10.0.0.2\n", "alpha service\n", None);
        assert_eq!(plan.networks[0].nodes, [ip("10.0.0.1"), ip("10.0.0.2")]);
        assert!(plan.ha_cf[0].contains("\nucast eth1 10.0.0.2\n"));
        assert!(plan.ha_cf[1].contains("\nucast eth1 10.0.0.1\n"));
    }

    #[test]
    fn long_times_are_played_faster_and_the_cable_keeps_up() {
        let text = "keepalive 2\ndeadtime 30\nwarntime 10\ninitdead 120\nbaud 9600\nserial /dev/ttyS0\nbcast eth0\n";
        let plan = plan(text, "alpha service\n", None);
        assert_eq!(plan.config.settings.deadtime.as_millis(), 1000);
        assert_eq!(plan.serial, [("/dev/ttyS0".to_owned(), 288_000)]);
        assert_eq!(plan.files.notices.len(), 1);
        assert_eq!(plan.media, ["/dev/ttyS0", "eth0"]);
    }

    #[test]
    fn at_speed_one_nothing_is_changed() {
        let plan = plan("keepalive 2\ndeadtime 30\nbcast eth0\n", "alpha service\n", Some(1.0));
        assert_eq!(plan.config.settings.deadtime.as_secs(), 30);
        assert!(plan.files.notices.is_empty());
    }

    #[test]
    fn short_times_can_be_played_slower_over_the_cable_as_it_is() {
        let text = "keepalive 100ms\ndeadtime 500ms\nbaud 9600\nserial /dev/ttyS0\nbcast eth0\n";
        let plan = plan(text, "alpha service\n", Some(0.25));
        assert_eq!(plan.config.settings.deadtime.as_secs(), 2);
        assert_eq!(plan.serial, [("/dev/ttyS0".to_owned(), 9600)]);
        assert!(plan.files.notices[0].starts_with("played 4 times slower than written: keepalive 400 ms"));
    }

    #[test]
    fn an_original_is_not_given_keys_that_only_latido_knows() {
        let authkeys = "auth 1\n1 sha256 ASecretThatNobodyWouldGuess\n".to_owned();
        let plan = LabPlan::new(LabFiles { authkeys, ..LabFiles::own() }, None, false).unwrap();
        let why = plan.with_original("beta").unwrap_err();
        assert!(why.contains("key 1 uses sha256, which only Latido knows"), "{why}");
    }

    #[test]
    fn every_problem_of_the_files_is_told() {
        let files = LabFiles { ha_cf: "node alpha\nnode beta\nkeepalive soon\nbcast\n".into(), ..LabFiles::own() };
        let told = LabPlan::new(files, None, false).unwrap_err();
        assert!(told.len() >= 2, "{told:?}");
    }
}
