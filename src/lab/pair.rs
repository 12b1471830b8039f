//! The pair on the bench: two machines, the caller, the cables, and every switch a scenario or a person may turn.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;
use std::{fs, io};

use nix::mount::{MsFlags, mount};
use nix::sys::signal::Signal;

use crate::client::Asker;
use crate::clock::Clock;
use crate::paths::Paths;
use crate::status::{Answer, Ask, Status};
use crate::time::Mono;

use super::bench::{Bench, Cable};
use super::cable::NullModem;
use super::caller::Caller;
use super::host::{DISKS, HA_DIR, Host, in_network};
use super::interface;
use super::machine::{HappeningSender, Machine, PROGRAM, write_disk};
use super::plan::LabPlan;
use super::printer::{Happening, What};
use super::switch::{CableFaults, Faults};

/// Everything on the bench.
#[derive(Debug)]
pub(super) struct LabPair {
    pub(super) plan: LabPlan,
    bench: Bench,
    machines: [Option<Machine>; 2],
    serial: Vec<(String, NullModem)>,
    caller: Caller,
    caller_host: Host,
    caller_cables: Vec<Cable>,
    sender: HappeningSender,
    happenings: Receiver<Happening>,
}

/// How often the caller asks.
pub(super) const ASKS_EVERY: Duration = Duration::from_millis(5);

impl LabPair {
    /// Builds it, both machines switched on, no daemon started. `agents` are the resource scripts by name.
    pub(super) fn build(plan: LabPlan, agents: &[(String, String)]) -> io::Result<LabPair> {
        let clock = Clock::start();
        let (to, happenings) = channel();
        let sender = HappeningSender { clock, to };
        mount(Some("tmpfs"), DISKS, Some("tmpfs"), MsFlags::MS_NOSUID, Some("mode=755"))?;
        for (number, (node, ha_cf)) in plan.nodes.iter().zip(&plan.ha_cf).enumerate() {
            write_disk(node, &plan.texts(ha_cf), agents, plan.original == Some(number))?;
        }
        let mut bench = Bench::new(Path::new(PROGRAM))?;
        let serial = plan
            .serial
            .iter()
            .map(|(device, baud)| Ok((device.clone(), NullModem::lay(*baud)?)))
            .collect::<io::Result<Vec<_>>>()?;
        let caller_host = bench.boot("client")?;
        let mut caller_cables = Vec::new();
        for interface in &plan.interfaces {
            let here = plan.networks.iter().filter(|network| network.interface == *interface);
            let mut addresses: Vec<(Ipv4Addr, u8)> =
                here.flat_map(|network| network.caller.iter().map(|address| (*address, network.prefix))).collect();
            if caller_cables.is_empty() {
                addresses.extend(plan.far.iter().map(|address| (*address, 32)));
            }
            caller_cables.push(bench.connect(&caller_host, interface, interface, 9, &addresses)?);
        }
        let caller = Caller::start(caller_host.network(), &plan.services, ASKS_EVERY, sender.clock, sender.to.clone())?;
        let machines = [None, None];
        let mut pair =
            LabPair { plan, bench, machines, serial, caller, caller_host, caller_cables, sender, happenings };
        for node in [0, 1] {
            pair.power_on(node)?;
        }
        Ok(pair)
    }

    /// The clock of everything on the bench.
    pub(super) fn clock(&self) -> Clock {
        self.sender.clock
    }

    /// The bench's time.
    pub(super) fn now(&self) -> Mono {
        self.sender.clock.mono()
    }

    /// What the caller knows.
    pub(super) fn caller(&self) -> &Caller {
        &self.caller
    }

    /// Waits for the next happening, at most until `deadline`.
    pub(super) fn next_happening(&mut self, deadline: Mono) -> Option<Happening> {
        let happening = match self.happenings.recv_timeout(deadline.since(self.now())) {
            Ok(happening) => happening,
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return None,
        };
        if let (What::Ended(_), Some(node)) = (&happening.what, self.plan.node(&happening.host))
            && let Some(machine) = &mut self.machines[node]
        {
            machine.daemon_ended();
        }
        Some(happening)
    }

    /// Whether this is the last word of a machine that was switched off meanwhile.
    pub(super) fn is_past(&self, happening: &Happening) -> bool {
        self.plan.node(&happening.host).is_some_and(|node| !self.is_on(node))
    }

    /// A way for others to do so.
    pub(super) fn sender(&self) -> HappeningSender {
        self.sender.clone()
    }

    /// Switches a machine on: hardware, disk, network, witness; the daemon is started apart.
    pub(super) fn power_on(&mut self, node: usize) -> io::Result<()> {
        let ports: Vec<(String, PathBuf)> =
            self.serial.iter().map(|(device, cable)| (device.clone(), cable.port(node).to_owned())).collect();
        let host = self.bench.boot(&self.plan.nodes[node])?;
        let kept = self.plan.kept.as_deref();
        let machine = Machine::set_up(host, &ports, self.plan.original == Some(node), kept, &self.sender)?;
        self.machines[node] = Some(machine);
        for interface in self.plan.interfaces.clone() {
            self.insert_card(node, &interface)?;
        }
        let way_out = self.plan.networks.first().and_then(|network| network.caller.first());
        if let Some(gateway) = way_out.filter(|_| !self.plan.far.is_empty()) {
            in_network(self.machine(node)?.host.network(), || interface::add_default_route(*gateway))??;
        }
        Ok(())
    }

    /// Switches it off: cables dead and every process killed in the same instant.
    pub(super) fn power_off(&mut self, node: usize) {
        let Some(mut machine) = self.machines[node].take() else { return };
        for cable in machine.cables.values() {
            self.bench.set_faults(cable, both_ways(Faults { cut: true, ..Faults::default() }));
        }
        // Killing takes a moment, in which nobody shall hear a last word over the serial line either.
        let speaking: Vec<&NullModem> =
            self.serial.iter().map(|(_, cable)| cable).filter(|cable| !cable.is_silent(node)).collect();
        speaking.iter().for_each(|cable| cable.set_silent(node, true));
        machine.host.power_off();
        let cables = std::mem::take(&mut machine.cables);
        drop(machine);
        speaking.iter().for_each(|cable| cable.set_silent(node, false));
        cables.into_values().for_each(|cable| self.bench.remove(cable));
    }

    /// The machine of a node that is switched on.
    pub(super) fn machine(&self, node: usize) -> io::Result<&Machine> {
        self.machines[node].as_ref().ok_or_else(is_off)
    }

    /// Starts the daemon.
    pub(super) fn start(&mut self, node: usize) -> io::Result<()> {
        self.machines[node].as_mut().ok_or_else(is_off)?.start_daemon(&self.sender)
    }

    /// Whether the machine is switched on.
    pub(super) fn is_on(&self, node: usize) -> bool {
        self.machines[node].is_some()
    }

    /// Whether the daemon runs.
    pub(super) fn runs(&self, node: usize) -> bool {
        self.machines[node].as_ref().is_some_and(Machine::has_daemon)
    }

    /// Kills the core of the daemon.
    pub(super) fn kill_core(&self, node: usize) -> io::Result<()> {
        self.machine(node)?.kill_core()
    }

    /// Makes the recorders of a node fail or hang at this verb from now on, or (`None`) work again.
    pub(super) fn trouble(&self, node: usize, verb: &str, how: Option<&str>) -> io::Result<()> {
        self.write(node, &format!("trouble-{verb}"), how.unwrap_or("none"))
    }

    /// Writes a line into a file on a node's disk.
    pub(super) fn write(&self, node: usize, name: &str, line: &str) -> io::Result<()> {
        fs::write(Path::new(DISKS).join(&self.plan.nodes[node]).join(name), format!("{line}\n"))
    }

    /// A service that nobody stopped is gone.
    pub(super) fn kill_service(&self, node: usize, name: &str) -> io::Result<()> {
        let machine = self.machine(node)?;
        let state = format!("/run/lab/{name}");
        machine.host.run(|| fs::write(&state, "no\n"))?
    }

    /// Sends the daemon a signal.
    pub(super) fn signal(&self, node: usize, signal: Signal) -> io::Result<()> {
        self.machine(node)?.signal(signal)
    }

    /// Cuts or mends a medium at a node; a null-modem cable has one state for both.
    pub(super) fn set_cut(&self, node: usize, medium: &str, cut: bool) -> io::Result<()> {
        if let Some(cable) = self.null_modem(medium) {
            cable.set_cut(cut);
            return Ok(());
        }
        self.change_faults(node, medium, |faults| faults.cut = cut)
    }

    /// Changes what the network cable of a node does, both ways.
    pub(super) fn change_faults(&self, node: usize, interface: &str, change: impl Fn(&mut Faults)) -> io::Result<()> {
        let Some(cable) = self.machine(node)?.cables.get(interface) else {
            return Err(no_cable(interface));
        };
        let mut faults = self.bench.faults(cable);
        change(&mut faults.sending);
        change(&mut faults.hearing);
        self.bench.set_faults(cable, faults);
        Ok(())
    }

    /// Changes what the network cable of a node does to what it sends, or to what it should hear.
    pub(super) fn change_one_way(
        &self,
        node: usize,
        interface: &str,
        way: OneWay,
        change: impl Fn(&mut Faults),
    ) -> io::Result<()> {
        let machine = self.machine(node)?;
        let Some(cable) = machine.cables.get(interface) else { return Err(no_cable(interface)) };
        let mut faults = self.bench.faults(cable);
        match way {
            OneWay::Sends => change(&mut faults.sending),
            OneWay::Hears => change(&mut faults.hearing),
        }
        self.bench.set_faults(cable, faults);
        Ok(())
    }

    /// What a node's network cable does; `None` when there is none.
    pub(super) fn cable_faults(&self, node: usize, interface: &str) -> Option<CableFaults> {
        let cable = self.machines[node].as_ref()?.cables.get(interface)?;
        Some(self.bench.faults(cable))
    }

    /// Takes a network card out of a machine.
    pub(super) fn remove_card(&mut self, node: usize, interface: &str) -> io::Result<()> {
        let machine = self.machines[node].as_mut().ok_or_else(is_off)?;
        let cable = machine.cables.remove(interface).ok_or_else(|| no_cable(interface))?;
        self.bench.remove(cable);
        Ok(())
    }

    /// Puts a network card, with its own addresses, into a machine.
    pub(super) fn insert_card(&mut self, node: usize, interface: &str) -> io::Result<()> {
        let machine = self.machines[node].as_mut().ok_or_else(is_off)?;
        let here = self.plan.networks.iter().filter(|network| network.interface == interface);
        let addresses: Vec<(Ipv4Addr, u8)> = here.map(|network| (network.nodes[node], network.prefix)).collect();
        let number = u8::try_from(node + 1).unwrap_or(u8::MAX);
        let cable = self.bench.connect(&machine.host, interface, interface, number, &addresses)?;
        machine.cables.insert(interface.to_owned(), cable);
        Ok(())
    }

    /// Whether a medium is cut at a node.
    pub(super) fn is_cut(&self, node: usize, medium: &str) -> bool {
        if let Some(cable) = self.null_modem(medium) {
            return cable.is_cut();
        }
        let cable = self.machines[node].as_ref().and_then(|machine| machine.cables.get(medium));
        cable.is_some_and(|cable| self.bench.faults(cable).sending.cut)
    }

    /// The null-modem cable at this device.
    pub(super) fn null_modem(&self, device: &str) -> Option<&NullModem> {
        self.serial.iter().find(|(name, _)| name == device).map(|(_, cable)| cable)
    }

    /// Runs a command of its cluster software on a node, which must be on, and gives what it printed.
    pub(super) fn run(&self, node: usize, words: &[&str]) -> io::Result<String> {
        self.machine(node)?.run(words)
    }

    /// Asks a daemon something over its control socket.
    ///
    /// # Errors
    /// A sentence: it does not run, or does not answer in time.
    pub(super) fn ask(&self, node: usize, ask: &Ask, timeout: Duration) -> Result<Answer, String> {
        let machine = self.machine(node).map_err(|error| error.to_string())?;
        let socket = Paths::under(Path::new(HA_DIR)).control_socket();
        let connected = machine.host.run(|| Asker::connect(&socket)).map_err(|error| error.to_string())?;
        let mut control = connected.map_err(|error| error.to_string())?;
        control.ask(ask, timeout).map_err(|error| error.to_string())
    }

    /// How a node sees things; `None` while it does not answer.
    pub(super) fn status(&self, node: usize) -> Option<Status> {
        match self.ask(node, &Ask::Status, Duration::from_secs(1)) {
            Ok(Answer::Status(status)) => Some(*status),
            Ok(Answer::Moved(_) | Answer::Reread { .. } | Answer::Refused(_)) | Err(_) => None,
        }
    }
}

impl Drop for LabPair {
    fn drop(&mut self) {
        for node in [0, 1] {
            self.power_off(node);
        }
        for cable in std::mem::take(&mut self.caller_cables) {
            self.bench.remove(cable);
        }
        self.caller_host.power_off();
    }
}

/// A direction of a node's cable, as the node sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OneWay {
    /// What it sends.
    Sends,
    /// What it should hear.
    Hears,
}

fn no_cable(interface: &str) -> io::Error {
    io::Error::other(format!("there is no cable {interface}"))
}

fn is_off() -> io::Error {
    io::Error::other("it is switched off")
}

fn both_ways(faults: Faults) -> CableFaults {
    CableFaults { sending: faults, hearing: faults }
}
