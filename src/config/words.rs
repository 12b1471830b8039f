//! What is wrong with the words of `haresources` (`config.md` 10): the arguments of agents known by name, and what this
//! machine has or lacks for each word. Pure.

use std::net::IpAddr;
use std::ops::Range;

use crate::diagnostic::Problem;
use crate::haresources::Resource;
use crate::haresources::known::{self, Arguments, Fault};
use crate::haresources::parse::PlacedGroup;
use crate::names::NodeName;

use super::directive::suggestion_among;
use super::facts::{Facts, Interface, ScriptFact};

/// Complaints about the groups; `file` is the path of `haresources`.
pub(super) fn haresources(groups: &[PlacedGroup], nodes: &[NodeName], file: &str, facts: &dyn Facts) -> Vec<Problem> {
    let mut problems = Vec::new();
    for placed in groups {
        for (resource, place) in placed.group.resources.iter().zip(&placed.places) {
            let leads_to = facts.resource_script(&resource.agent);
            node_name_as_resource(resource, nodes, file, place, &mut problems);
            script(resource, leads_to.as_ref(), file, place, &mut problems);
            for lack in facts.lacks(&resource.agent) {
                warn(file, place, lack.what, &lack.remedy, &mut problems);
            }
            started_at_boot(resource, file, place, facts, &mut problems);
            arguments(resource, leads_to.as_ref(), file, place, &mut problems);
            if let Some(interfaces) = facts.interfaces() {
                network(resource, &interfaces, file, place, &mut problems);
            }
        }
    }
    problems
}

type At = (usize, Range<usize>);

fn warn(file: &str, place: &At, what: String, remedy: &str, problems: &mut Vec<Problem>) {
    problems.push(Problem::warning(file, what).at(place.0, place.1.clone()).remedy(remedy));
}

fn node_name_as_resource(resource: &Resource, nodes: &[NodeName], file: &str, place: &At, problems: &mut Vec<Problem>) {
    if NodeName::new(&resource.word).is_some_and(|name| nodes.contains(&name)) {
        let what = format!("\"{}\" is a node, and stands here as a resource", resource.word);
        warn(file, place, what, "each group starts on a line of its own", problems);
    }
}

fn script(resource: &Resource, leads_to: Option<&ScriptFact>, file: &str, place: &At, problems: &mut Vec<Problem>) {
    let name = &resource.agent;
    match leads_to {
        Some(ScriptFact::Missing(looked)) => {
            let names = known::AGENTS.iter().map(|known| known.name);
            let meant = known::other_case(name).or_else(|| suggestion_among(name, names));
            let remedy = meant.map_or_else(|| looked.clone(), |meant| format!("did you mean {meant}? {looked}"));
            let what = format!("no program for \"{name}\": the group cannot start on this host");
            let problem = Problem::warning(file, what).at(place.0, place.1.clone()).remedy(remedy);
            problems.push(problem.original(format!("Cannot locate resource script {name}")));
        }
        Some(ScriptFact::Unsafe(why)) => {
            let what = format!("{why}: whoever may do that becomes root");
            let problem = Problem::error(file, what).at(place.0, place.1.clone()).alone();
            problems
                .push(problem.remedy("chown root and chmod go-w the path; until then the group does not start here"));
        }
        None => {
            if let Some(meant) = known::other_case(name) {
                let what = format!("\"{name}\" is not {meant}: upper and lower case count");
                warn(file, place, what, &format!("write {meant}, unless a script of yours has that name"), problems);
            }
        }
        Some(ScriptFact::Found | ScriptFact::BuiltIn) => {}
    }
}

/// What both machines start by themselves runs twice.
fn started_at_boot(resource: &Resource, file: &str, place: &At, facts: &dyn Facts, problems: &mut Vec<Problem>) {
    let name = &resource.agent;
    if let Some(link) = facts.started_at_boot(name) {
        let what = format!("{name} is started at boot as well ({link}): it would run on both nodes at once");
        let remedy = format!("systemctl disable {name}, update-rc.d {name} disable, or chkconfig {name} off");
        warn(file, place, what, &remedy, problems);
    }
}

/// What the built-in agent refuses is an error where it is the one that runs; a script of the same name may take it.
fn arguments(resource: &Resource, leads_to: Option<&ScriptFact>, file: &str, place: &At, problems: &mut Vec<Problem>) {
    let is_built_in = leads_to == Some(&ScriptFact::BuiltIn);
    problems.extend(known::faults(resource).into_iter().map(|fault| problem(fault, is_built_in, file, place)));
    if let Some(Arguments::FileSystem(file_system)) = known::arguments(resource) {
        let (unknown, names) = file_system.unknown_options();
        for (option, meant) in
            unknown.into_iter().filter_map(|option| Some((option, suggestion_among(option, names.iter().copied())?)))
        {
            let what = format!("\"{option}\" is no option of mount that we know");
            warn(file, place, what, &format!("did you mean {meant}?"), problems);
        }
    }
}

fn problem(fault: Fault, is_built_in: bool, file: &str, place: &At) -> Problem {
    let problem = if fault.is_refusal() && is_built_in {
        Problem::error(file, format!("{}: the group cannot start on this host", fault.what)).alone()
    } else {
        Problem::warning(file, fault.what)
    };
    let problem = Problem { original: fault.original, ..problem };
    problem.at(place.0, place.1.clone()).remedy(fault.remedy)
}

/// Whether this machine has the interface and the network of an address.
fn network(resource: &Resource, interfaces: &[Interface], file: &str, place: &At, problems: &mut Vec<Problem>) {
    let (ip, nic) = match known::arguments(resource) {
        Some(Arguments::Address4(address)) => {
            if address.nic.is_none() && address.prefix.is_none() {
                let prefix = interfaces.iter().filter_map(|interface| interface.prefix_for(address.ip.into())).max();
                let doubt = prefix.and_then(|prefix| known::no_host_of(address.ip, prefix));
                problems.extend(doubt.map(|doubt| problem(doubt, false, file, place)));
            }
            (IpAddr::V4(address.ip), address.nic)
        }
        Some(Arguments::Address6(address)) => (IpAddr::V6(address.ip), address.nic),
        Some(Arguments::Announce(announce)) => match announce.nic {
            Some(nic) => (IpAddr::V4(announce.ip), Some(nic)),
            None => return,
        },
        Some(
            Arguments::Source(_)
            | Arguments::FileSystem(_)
            | Arguments::Drbd(_)
            | Arguments::Mail(_)
            | Arguments::Delay(_),
        )
        | None => return,
    };
    match nic {
        Some(nic) if !interfaces.iter().any(|interface| interface.name == nic) => {
            let problem = Problem::warning(file, format!("interface {nic} does not exist on this host"));
            let problem = problem.at(place.0, place.1.clone()).remedy("both nodes need an interface of this name");
            problems.push(problem.original(format!("Device \"{nic}\" does not exist.")));
        }
        None if !interfaces.iter().any(|interface| interface.reaches(ip)) => {
            let what = format!("no interface of this host is in the network of {ip}");
            let remedy = "name prefix and interface: ADDRESS/PREFIX/INTERFACE";
            let problem = Problem::warning(file, what).at(place.0, place.1.clone()).remedy(remedy);
            problems.push(problem.original("Unable to find nic or netmask."));
        }
        Some(_) | None => {}
    }
}
