//! What only the machine itself knows, as an argument, so that this room stays pure. Every answer may be "unknown".

use std::net::IpAddr;

use crate::names::NodeName;

/// One network interface.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Interface {
    /// `eth0`
    pub name: String,
    /// Its addresses with their prefix lengths.
    pub addresses: Vec<(IpAddr, u8)>,
}

impl Interface {
    /// Whether it has an IPv4 address.
    pub fn has_ipv4(&self) -> bool {
        self.addresses.iter().any(|(address, _)| address.is_ipv4())
    }

    /// Whether an address lies in one of its networks.
    pub fn reaches(&self, address: IpAddr) -> bool {
        self.prefix_for(address).is_some()
    }

    /// The length of the prefix of the smallest of its networks that an address lies in.
    pub fn prefix_for(&self, address: IpAddr) -> Option<u8> {
        let covers = |mine: &IpAddr, prefix: u8| match (mine, address) {
            (IpAddr::V4(mine), IpAddr::V4(other)) => {
                same_prefix(u128::from(mine.to_bits()) << 96, u128::from(other.to_bits()) << 96, prefix)
            }
            (IpAddr::V6(mine), IpAddr::V6(other)) => same_prefix(mine.to_bits(), other.to_bits(), prefix),
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
        };
        self.addresses.iter().filter(|(mine, prefix)| covers(mine, *prefix)).map(|(_, prefix)| *prefix).max()
    }

    /// Whether it has an IPv6 address.
    pub fn has_ipv6(&self) -> bool {
        self.addresses.iter().any(|(address, _)| address.is_ipv6())
    }
}

/// Whether two addresses, left-aligned, agree in their first `prefix` bits.
fn same_prefix(a: u128, b: u128, prefix: u8) -> bool {
    let differing = (a ^ b).leading_zeros();
    differing >= u32::from(prefix)
}

/// What stands at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathKind {
    /// Nothing, or nothing we may look at.
    Missing,
    /// A character device.
    CharDevice,
    /// A directory.
    Directory,
    /// A regular file.
    File,
    /// Anything else.
    Other,
}

/// What is known about a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathFact {
    /// What stands there.
    pub kind: PathKind,
    /// Whether root may execute it.
    pub executable: bool,
    /// Why someone other than root could change it; `None` when nobody can.
    pub writable_by_others: Option<String>,
}

/// Where a resource word leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ScriptFact {
    /// To an executable file or a systemd unit, which may take what our own agent of that name refuses.
    Found,
    /// To a built-in agent.
    BuiltIn,
    /// To an executable file that someone other than root may change; the text says which and how.
    Unsafe(String),
    /// To nothing; the text says where we looked.
    Missing(String),
}

/// A helper program that a script calls and will not find.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lack {
    /// What is wrong, and what it costs.
    pub what: String,
    /// What to do.
    pub remedy: String,
    /// Whether the resource cannot start without it.
    pub fatal: bool,
}

/// What the configuration asks about the machine; `None` means unknown, and then the question is left out.
pub trait Facts {
    /// The name of the node: `nodeinfo`, else `uname -n`, else what `--as` said.
    fn node_name(&self) -> Option<NodeName>;

    /// Whether `node_name` was given by a person and not by the machine (`--as`).
    fn pretended(&self) -> bool {
        false
    }

    /// All interfaces.
    fn interfaces(&self) -> Option<Vec<Interface>> {
        None
    }

    /// The kernel's own name of an interface that was given by another name of it: `eth0` for `eth0:1` and `enp1s0`.
    fn own_name(&self, _interface: &str) -> Option<String> {
        None
    }

    /// The cards below an interface, itself if it is one; for a path, the device it leads to.
    fn hardware(&self, _medium: &str) -> Option<Vec<String>> {
        None
    }

    /// What stands at a path.
    fn path(&self, _path: &str) -> Option<PathFact> {
        None
    }

    /// Whether a file can be created or appended to; the error says why not.
    fn can_write(&self, _path: &str) -> Option<Result<(), String>> {
        None
    }

    /// Whether a user of this name or number exists.
    fn user_exists(&self, _user: &str) -> Option<bool> {
        None
    }

    /// Whether a group of this name or number exists.
    fn group_exists(&self, _group: &str) -> Option<bool> {
        None
    }

    /// Whether a host name resolves; `v6` asks for an IPv6 address.
    fn resolves(&self, _host: &str, _v6: bool) -> Option<bool> {
        None
    }

    /// The UDP port of a service in `/etc/services`.
    fn udp_port_of(&self, _service: &str) -> Option<u16> {
        None
    }

    /// The service in `/etc/services` that a UDP port belongs to.
    fn udp_service_at(&self, _port: u16) -> Option<String> {
        None
    }

    /// What a resource's agent name leads to.
    fn resource_script(&self, _agent: &str) -> Option<ScriptFact> {
        None
    }

    /// What the script of an agent calls and will not find.
    fn lacks(&self, _agent: &str) -> Vec<Lack> {
        Vec::new()
    }

    /// How the machine itself starts a service of that name when it boots, if it does: the link that says so.
    fn started_at_boot(&self, _agent: &str) -> Option<String> {
        None
    }
}

/// Nothing but a name: what `--as NODE` knows, and what tests and simulations need.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OnlyName(pub NodeName);

impl Facts for OnlyName {
    fn node_name(&self) -> Option<NodeName> {
        Some(self.0.clone())
    }

    fn pretended(&self) -> bool {
        true
    }
}
