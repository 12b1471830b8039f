//! A medium before it is opened: its line of `ha.cf` with every name resolved.
//!
//! Resolving may take long and is done once, before the daemon becomes urgent; opening a plan is quick, or done by a thread
//! (serial lines), and is done again whenever a medium failed.

use std::io;
use std::net::{IpAddr, Ipv4Addr, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::clock::Clock;
use crate::config::{MediumSpec, literal_address};

use super::memory::MemoryMedium;
use super::ping::PingPlan;
use super::serial::{Opening, SerialPlan};
use super::udp::{UdpPlan, UdpTarget};
use super::{LinkError, OpenLink};

/// What is needed to open a medium, now and again.
#[derive(Clone, Debug)]
pub(super) enum MediumPlan {
    Serial(SerialPlan),
    Udp(UdpPlan),
    Ping(PingPlan),
    Memory(MemoryMedium),
    /// Its names could not be resolved; to be asked for again, not by the loop.
    Unresolved(MediumSpec, PathBuf),
}

impl MediumPlan {
    /// Resolves what `spec` names. Hosts of a ping group that cannot be resolved are left out and told to `warnings`.
    pub(super) fn new(spec: &MediumSpec, lock_dir: &Path, warnings: &mut Vec<String>) -> io::Result<MediumPlan> {
        let udp =
            |interface: &str, port, target| MediumPlan::Udp(UdpPlan { interface: interface.to_owned(), port, target });
        Ok(match spec {
            MediumSpec::Serial { device, baud } => {
                MediumPlan::Serial(SerialPlan { device: device.clone(), baud: *baud, lock_dir: lock_dir.to_owned() })
            }
            MediumSpec::Bcast { interface, port } => udp(interface, *port, UdpTarget::Broadcast),
            MediumSpec::Mcast { interface, group, port, ttl, looped } => {
                udp(interface, *port, UdpTarget::Multicast { group: *group, ttl: *ttl, looped: *looped })
            }
            MediumSpec::Ucast { interface, host, port } => udp(interface, *port, UdpTarget::Unicast(resolve_v4(host)?)),
            MediumSpec::Mcast6 { interface, group, port, hops, looped } => {
                udp(interface, *port, UdpTarget::Multicast6 { group: *group, hops: *hops, looped: *looped })
            }
            MediumSpec::Ucast6 { interface, address, port } => udp(interface, *port, UdpTarget::Unicast6(*address)),
            MediumSpec::Ping { host, v6, .. } => ping(vec![resolve(host, *v6)?]),
            MediumSpec::PingGroup { hosts, .. } => ping(resolve_some(hosts, warnings)?),
        })
    }

    /// Opens the medium; needs a tokio runtime around it. A serial line comes by its thread, in `opening`, for which
    /// this waits no longer than `patience`.
    ///
    /// # Errors
    /// Why it cannot be opened; `WouldBlock` for a line that is being opened still.
    pub(super) fn open(
        &self,
        clock: &Clock,
        opening: &mut Option<Opening>,
        patience: Duration,
    ) -> io::Result<OpenLink> {
        match self {
            MediumPlan::Serial(plan) => {
                let mut begun = opening.take().map_or_else(|| Opening::begin(plan), Ok)?;
                let Some(line) = begun.result(patience) else {
                    *opening = Some(begun);
                    return Err(io::Error::new(io::ErrorKind::WouldBlock, "it or its lock does not answer"));
                };
                plan.with(line?, clock).map(OpenLink::Serial)
            }
            MediumPlan::Udp(plan) => plan.open(clock).map(OpenLink::Udp),
            MediumPlan::Ping(plan) => plan.open(clock).map(OpenLink::Ping),
            MediumPlan::Memory(memory) => memory.check().map(|()| OpenLink::Memory(memory.clone())),
            MediumPlan::Unresolved(..) => Err(unresolved()),
        }
    }
}

/// A medium whose host is not known: no resolver has said anything yet.
pub(super) fn unresolved() -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, format!("{UNKNOWN_HOST}the resolver has not answered"))
}

/// Whether a resolver has to be asked, which may take a minute.
pub(super) fn needs_a_resolver(spec: &MediumSpec) -> bool {
    match spec {
        MediumSpec::Ucast { host, .. } | MediumSpec::Ping { host, .. } => literal_address(host).is_none(),
        MediumSpec::PingGroup { hosts, .. } => hosts.iter().any(|host| literal_address(host).is_none()),
        MediumSpec::Serial { .. }
        | MediumSpec::Bcast { .. }
        | MediumSpec::Mcast { .. }
        | MediumSpec::Mcast6 { .. }
        | MediumSpec::Ucast6 { .. } => false,
    }
}

/// What an administrator is told when `spec` cannot be opened.
pub(super) fn complaint(spec: &MediumSpec, error: &io::Error) -> LinkError {
    let name = match spec {
        MediumSpec::Ucast { interface, host, .. } => format!("{interface} {host}"),
        MediumSpec::Ucast6 { interface, address, .. } => format!("{interface} {address}"),
        MediumSpec::Mcast { interface, group, .. } => format!("{interface} {group}"),
        MediumSpec::Mcast6 { interface, group, .. } => format!("{interface} {group}"),
        MediumSpec::Serial { .. }
        | MediumSpec::Bcast { .. }
        | MediumSpec::Ping { .. }
        | MediumSpec::PingGroup { .. } => spec.id().to_string(),
    };
    let lasts = matches!(error.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::InvalidInput);
    let (spec, directive, why, remedy) = (spec.clone(), spec.directive(), error.to_string(), remedy(spec, error));
    LinkError { spec, lasts, directive, name, why, remedy }
}

fn remedy(spec: &MediumSpec, error: &io::Error) -> Option<&'static str> {
    let serial = spec.serial_line().is_some();
    let ping = spec.ping_node().is_some();
    let unknown_host = error.to_string().starts_with(UNKNOWN_HOST);
    let table = [
        (io::ErrorKind::NotFound, serial, "see which lines there are with: ls -l /dev/ttyS* /dev/ttyUSB*"),
        (io::ErrorKind::NotFound, ping, "write its address, or mend /etc/hosts"),
        (io::ErrorKind::NotFound, unknown_host, "write its address, or mend /etc/hosts"),
        (io::ErrorKind::NotFound, true, "see which interfaces there are with: ip link"),
        (io::ErrorKind::PermissionDenied, serial, "run as root, or let this user open the device"),
        (io::ErrorKind::PermissionDenied, true, "run as root, or grant CAP_NET_RAW and CAP_NET_BIND_SERVICE"),
        (io::ErrorKind::ResourceBusy, serial, "stop that program or use another line"),
        (io::ErrorKind::AddrInUse, true, "see who has the port with: ss -lunp"),
        (io::ErrorKind::AddrNotAvailable, true, "see its addresses with: ip addr"),
    ];
    table.into_iter().find(|(kind, applies, _)| error.kind() == *kind && *applies).map(|(_, _, remedy)| remedy)
}

fn ping(hosts: Vec<IpAddr>) -> MediumPlan {
    // The low half of the pid, as the original: other nodes on this machine ping with other numbers.
    let id = u16::try_from(std::process::id() & 0xffff).unwrap_or_default();
    MediumPlan::Ping(PingPlan { hosts, id })
}

fn resolve_some(hosts: &[String], warnings: &mut Vec<String>) -> io::Result<Vec<IpAddr>> {
    let mut found = Vec::new();
    let mut failure = io::Error::new(io::ErrorKind::InvalidInput, "no hosts are named");
    for host in hosts {
        match resolve(host, false) {
            Ok(address) => found.push(address),
            Err(error) => {
                warnings.push(error.to_string());
                failure = error;
            }
        }
    }
    if found.is_empty() { Err(failure) } else { Ok(found) }
}

fn resolve_v4(host: &str) -> io::Result<Ipv4Addr> {
    if let Ok(IpAddr::V6(_)) = host.parse() {
        let why = format!("{host} is an IPv6 address; write ucast6");
        return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
    }
    lookup(host)?
        .into_iter()
        .find_map(|address| match address {
            IpAddr::V4(v4) => Some(v4),
            IpAddr::V6(_) => None,
        })
        .ok_or_else(|| unknown(host, "it has no IPv4 address"))
}

fn resolve(host: &str, v6: bool) -> io::Result<IpAddr> {
    let found = lookup(host)?;
    let preferred = found.iter().find(|address| address.is_ipv6() == v6);
    let any = found.first().filter(|_| !v6);
    preferred.or(any).copied().ok_or_else(|| unknown(host, "it has no IPv6 address"))
}

fn lookup(host: &str) -> io::Result<Vec<IpAddr>> {
    if let Ok(address) = host.parse() {
        return Ok(vec![address]);
    }
    let found = (host, 0).to_socket_addrs().map_err(|error| unknown(host, &error.to_string()))?;
    Ok(found.map(|address| address.ip()).collect())
}

const UNKNOWN_HOST: &str = "unknown host: ";

fn unknown(host: &str, why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, format!("{UNKNOWN_HOST}{host}: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_needs_no_resolver() {
        assert_eq!(resolve_v4("10.0.0.2").unwrap(), Ipv4Addr::new(10, 0, 0, 2));
        assert_eq!(resolve("fe80::1", false).unwrap(), "fe80::1".parse::<IpAddr>().unwrap());
    }

    #[test]
    fn an_address_of_the_wrong_family_is_refused() {
        assert!(resolve_v4("fe80::1").unwrap_err().to_string().contains("ucast6"));
        assert!(resolve("10.0.0.1", true).is_err());
    }

    #[test]
    fn a_group_lives_on_the_hosts_that_can_be_resolved() {
        let mut warnings = Vec::new();
        let hosts = ["10.0.0.1".to_owned(), "no such host".to_owned()];
        assert_eq!(resolve_some(&hosts, &mut warnings).unwrap().len(), 1);
        assert!(warnings[0].starts_with("unknown host: no such host"), "{warnings:?}");
        assert!(resolve_some(&hosts[1..], &mut warnings).is_err());
    }

    #[test]
    fn a_complaint_says_what_on_what_why_and_what_would_do() {
        let spec = MediumSpec::Bcast { interface: "eth9".into(), port: 694 };
        let error = io::Error::new(io::ErrorKind::NotFound, "no such network interface");
        assert_eq!(
            complaint(&spec, &error).to_string(),
            "cannot open bcast eth9: no such network interface (see which interfaces there are with: ip link) \
             [make_io_childpair: cannot open bcast eth9]"
        );
    }
}
