//! Hosts and the cables between them, for the scenarios of the lab, for tests and for benchmarks.
//!
//! Works only in a process that lives in namespaces of its own (`namespaces`).

use std::io;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use super::host::{Host, in_network};
use super::interface;
use super::switch::{CableFaults, PortId, Switch};

/// The table all of it stands on: a switch, and how to make hosts.
#[derive(Debug)]
pub struct Bench {
    program: PathBuf,
    switch: Switch,
    next_cable: u32,
}

/// A network card of a host and the cable from it into the switch. [`Bench::remove`] takes it away.
#[derive(Debug)]
pub struct Cable {
    port: PortId,
    /// The bench's end of the veth.
    end: u32,
}

impl Bench {
    /// An empty bench. `program` is the `latido` executable.
    ///
    /// # Errors
    /// When there is no thread or descriptor to be had.
    pub fn new(program: &Path) -> io::Result<Bench> {
        Ok(Bench { program: program.to_owned(), switch: Switch::start()?, next_cable: 0 })
    }

    /// Switches on a host.
    ///
    /// # Errors
    /// See [`Host::boot`].
    pub fn boot(&self, name: &str) -> io::Result<Host> {
        let host = Host::boot(&self.program, name)?;
        in_network(host.network(), || interface::set_up(interface::index_of("lo")?, true))??;
        Ok(host)
    }

    /// Gives a host an interface with these addresses (and the bits of their network) and plugs it into the network
    /// `segment`. `number` tells hosts apart: it makes the hardware address, which outlives a power-off like a real one.
    ///
    /// # Errors
    /// As the kernel says.
    pub fn connect(
        &mut self,
        host: &Host,
        interface: &str,
        segment: &str,
        number: u8,
        addresses: &[(Ipv4Addr, u8)],
    ) -> io::Result<Cable> {
        self.next_cable += 1;
        let here = format!("cable{}", self.next_cable);
        let end = interface::create_veth(&here, interface, hardware_address(number, interface), host.network())?;
        let port = self.switch.plug(segment, end)?;
        in_network(host.network(), || -> io::Result<()> {
            let index = interface::index_of(interface)?;
            for (address, prefix) in addresses {
                interface::add_address(index, *address, *prefix)?;
            }
            interface::set_up(index, true)
        })??;
        Ok(Cable { port, end })
    }

    /// Changes what a cable does to frames, from the next one on. The carrier stays: a kernel takes up to a second to
    /// believe in one that went and came back, and nobody would know what a measured healing consists of.
    pub fn set_faults(&self, cable: &Cable, faults: CableFaults) {
        self.switch.set_faults(cable.port, faults);
    }

    /// What a cable does to frames.
    pub fn faults(&self, cable: &Cable) -> CableFaults {
        self.switch.faults(cable.port)
    }

    /// Takes a cable and its card away.
    pub fn remove(&self, cable: Cable) {
        self.switch.unplug(cable.port);
        // It may have gone with its host.
        let _ = interface::delete(cable.end);
    }
}

/// A locally administered address made of the host's number and the interface's name.
fn hardware_address(number: u8, interface: &str) -> [u8; 6] {
    let sum = interface.bytes().fold(0_u16, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
    let [high, low] = sum.to_be_bytes();
    [0x02, 0x1a, 0xb0, high, low, number]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_card_has_an_address_of_its_own() {
        let addresses: std::collections::BTreeSet<[u8; 6]> = (1..=3)
            .flat_map(|host| ["eth0", "eth1", "eth2", "eno1"].map(|name| hardware_address(host, name)))
            .collect();
        assert_eq!(addresses.len(), 12);
    }
}
