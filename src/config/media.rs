//! What may be written after `serial`, `bcast`, … (`wire.md` 7, `config.md` 3), and what others ask of a medium: they ask
//! here, so that a new one answers in this file.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::names::{MediumId, NodeName};

/// Directives that make a path between nodes.
pub(super) const PATHS: [&str; 7] = ["serial", "bcast", "udp", "ucast", "mcast", "ucast6", "mcast6"];

/// One medium, fully described.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MediumSpec {
    /// A null-modem cable.
    Serial {
        /// `/dev/ttyS0`
        device: String,
        /// Bits per second.
        baud: u32,
    },
    /// UDP broadcast on an interface.
    Bcast {
        /// `eth0`
        interface: String,
        /// Destination and listening port.
        port: u16,
    },
    /// UDP multicast over IPv4.
    Mcast {
        /// `eth0`
        interface: String,
        /// 224.0.0.0/4
        group: Ipv4Addr,
        /// Destination and listening port.
        port: u16,
        /// 0 to 4.
        ttl: u8,
        /// Whether our own packets come back.
        looped: bool,
    },
    /// UDP to one address.
    Ucast {
        /// `eth0`
        interface: String,
        /// As written: an address, or a name resolved when the medium is opened.
        host: String,
        /// Destination and listening port.
        port: u16,
    },
    /// UDP multicast over IPv6.
    Mcast6 {
        /// `eth0`
        interface: String,
        /// `ff…`
        group: Ipv6Addr,
        /// Destination and listening port.
        port: u16,
        /// 0 to 4; `None` for -1, the kernel's default.
        hops: Option<u8>,
        /// Whether our own packets come back.
        looped: bool,
    },
    /// UDP to one IPv6 address.
    Ucast6 {
        /// `eth0`
        interface: String,
        /// The peer.
        address: Ipv6Addr,
        /// Destination and listening port.
        port: u16,
    },
    /// ICMP echo to one host: a ping node of that name. `ping6` when the address is IPv6 or the directive said so.
    Ping {
        /// The ping node's name, as written.
        node: NodeName,
        /// As written.
        host: String,
        /// Whether `ping6` was written.
        v6: bool,
    },
    /// ICMP echo to several hosts that count as one ping node.
    PingGroup {
        /// The ping node's name.
        node: NodeName,
        /// As written; the node lives while any of them answers.
        hosts: Vec<String>,
    },
}

impl MediumSpec {
    /// The name of its link: interface, tty path, or ping node.
    pub fn id(&self) -> MediumId {
        match self {
            MediumSpec::Serial { device, .. } => MediumId::new(device.clone()),
            MediumSpec::Bcast { interface, .. }
            | MediumSpec::Mcast { interface, .. }
            | MediumSpec::Ucast { interface, .. }
            | MediumSpec::Mcast6 { interface, .. }
            | MediumSpec::Ucast6 { interface, .. } => MediumId::new(interface.clone()),
            MediumSpec::Ping { node, .. } | MediumSpec::PingGroup { node, .. } => MediumId::new(node.as_str()),
        }
    }

    /// The ping node it reaches, if it is a ping medium.
    pub fn ping_node(&self) -> Option<&NodeName> {
        match self {
            MediumSpec::Ping { node, .. } | MediumSpec::PingGroup { node, .. } => Some(node),
            MediumSpec::Serial { .. }
            | MediumSpec::Bcast { .. }
            | MediumSpec::Mcast { .. }
            | MediumSpec::Ucast { .. }
            | MediumSpec::Mcast6 { .. }
            | MediumSpec::Ucast6 { .. } => None,
        }
    }

    /// The device and the bits per second, if it is a null-modem cable.
    pub fn serial_line(&self) -> Option<(&str, u32)> {
        match self {
            MediumSpec::Serial { device, baud } => Some((device, *baud)),
            MediumSpec::Bcast { .. }
            | MediumSpec::Mcast { .. }
            | MediumSpec::Ucast { .. }
            | MediumSpec::Mcast6 { .. }
            | MediumSpec::Ucast6 { .. }
            | MediumSpec::Ping { .. }
            | MediumSpec::PingGroup { .. } => None,
        }
    }

    /// The interface it names, if it is UDP.
    pub fn interface(&self) -> Option<&str> {
        match self {
            MediumSpec::Bcast { interface, .. }
            | MediumSpec::Mcast { interface, .. }
            | MediumSpec::Ucast { interface, .. }
            | MediumSpec::Mcast6 { interface, .. }
            | MediumSpec::Ucast6 { interface, .. } => Some(interface),
            MediumSpec::Serial { .. } | MediumSpec::Ping { .. } | MediumSpec::PingGroup { .. } => None,
        }
    }

    /// The port it listens on, if it is UDP.
    pub fn port(&self) -> Option<u16> {
        match self {
            MediumSpec::Bcast { port, .. }
            | MediumSpec::Mcast { port, .. }
            | MediumSpec::Ucast { port, .. }
            | MediumSpec::Mcast6 { port, .. }
            | MediumSpec::Ucast6 { port, .. } => Some(*port),
            MediumSpec::Serial { .. } | MediumSpec::Ping { .. } | MediumSpec::PingGroup { .. } => None,
        }
    }

    /// Whether its line names the port itself, so that `udpport` means nothing to it.
    pub(super) fn names_its_port(&self) -> bool {
        matches!(self, MediumSpec::Mcast { .. } | MediumSpec::Mcast6 { .. })
    }

    /// The one address it sends to, if it is one and was written as an address.
    pub(super) fn peer(&self) -> Option<IpAddr> {
        match self {
            MediumSpec::Ucast { host, .. } => literal_address(host),
            MediumSpec::Ucast6 { address, .. } => Some(IpAddr::V6(*address)),
            MediumSpec::Serial { .. }
            | MediumSpec::Bcast { .. }
            | MediumSpec::Mcast { .. }
            | MediumSpec::Mcast6 { .. }
            | MediumSpec::Ping { .. }
            | MediumSpec::PingGroup { .. } => None,
        }
    }

    /// The hosts it pings, as written.
    pub fn pinged(&self) -> &[String] {
        match self {
            MediumSpec::Ping { host, .. } => std::slice::from_ref(host),
            MediumSpec::PingGroup { hosts, .. } => hosts,
            MediumSpec::Serial { .. }
            | MediumSpec::Bcast { .. }
            | MediumSpec::Mcast { .. }
            | MediumSpec::Ucast { .. }
            | MediumSpec::Mcast6 { .. }
            | MediumSpec::Ucast6 { .. } => &[],
        }
    }

    /// Whether what this node says over it comes back.
    pub fn hears_itself(&self) -> bool {
        match self {
            MediumSpec::Bcast { .. } => true,
            MediumSpec::Mcast { looped, .. } | MediumSpec::Mcast6 { looped, .. } => *looped,
            MediumSpec::Serial { .. }
            | MediumSpec::Ucast { .. }
            | MediumSpec::Ucast6 { .. }
            | MediumSpec::Ping { .. }
            | MediumSpec::PingGroup { .. } => false,
        }
    }

    /// What stands behind the directive in its line.
    pub(super) fn words(&self) -> String {
        let flag = |looped: &bool| u8::from(*looped);
        match self {
            MediumSpec::Serial { device, .. } => device.clone(),
            MediumSpec::Bcast { interface, .. } => interface.clone(),
            MediumSpec::Mcast { interface, group, port, ttl, looped } => {
                format!("{interface} {group} {port} {ttl} {}", flag(looped))
            }
            MediumSpec::Ucast { interface, host, .. } => format!("{interface} {host}"),
            MediumSpec::Mcast6 { interface, group, port, hops, looped } => {
                let hops = hops.map_or(-1, i16::from);
                format!("{interface} {group} {port} {hops} {}", flag(looped))
            }
            MediumSpec::Ucast6 { interface, address, .. } => format!("{interface} {address}"),
            MediumSpec::Ping { host, .. } => host.clone(),
            MediumSpec::PingGroup { node, hosts } => format!("{node} {}", hosts.join(" ")),
        }
    }

    /// The directive it was written with: `bcast`, `serial`, …
    pub fn directive(&self) -> &'static str {
        match self {
            MediumSpec::Serial { .. } => "serial",
            MediumSpec::Bcast { .. } => "bcast",
            MediumSpec::Mcast { .. } => "mcast",
            MediumSpec::Ucast { .. } => "ucast",
            MediumSpec::Mcast6 { .. } => "mcast6",
            MediumSpec::Ucast6 { .. } => "ucast6",
            MediumSpec::Ping { v6: false, .. } => "ping",
            MediumSpec::Ping { v6: true, .. } => "ping6",
            MediumSpec::PingGroup { .. } => "ping_group",
        }
    }
}

/// Reads a literal address; a name is left to the resolver when the medium is opened.
pub fn literal_address(host: &str) -> Option<IpAddr> {
    host.parse().ok()
}
