//! What is wrong with the words of `haresources` (`config.md` 10): the arguments of agents known by name, and what this
//! machine has or lacks for each word. Pure.

use std::ops::Range;

use crate::cluster::ScriptTimeouts;
use crate::diagnostic::Problem;
use crate::haresources::Resource;
use crate::haresources::known::{self, ArgumentFault, Arguments};
use crate::haresources::parse::PlacedGroup;
use crate::names::NodeName;

use super::facts::{Facts, Interface, ScriptFact};
use super::suggest::suggestion_among;

/// Complaints about the groups; `file` is the path of `haresources`, `limits` is when scripts are ended.
pub(super) fn haresources(
    groups: &[PlacedGroup],
    nodes: &[NodeName],
    file: &str,
    limits: ScriptTimeouts,
    facts: &dyn Facts,
) -> Vec<Problem> {
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
            arguments(resource, leads_to.as_ref(), limits, file, place, &mut problems);
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
            let names = known::AGENTS.iter().filter(|known| known.is_built_in()).map(|known| known.name);
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
fn arguments(
    resource: &Resource,
    leads_to: Option<&ScriptFact>,
    limits: ScriptTimeouts,
    file: &str,
    place: &At,
    problems: &mut Vec<Problem>,
) {
    let is_built_in = leads_to == Some(&ScriptFact::BuiltIn);
    let mut faults = known::faults(resource);
    if let Some(Arguments::Delay(delay)) = known::arguments(resource) {
        faults.extend(delay.outlasts(limits.start, limits.stop));
    }
    problems.extend(faults.into_iter().map(|fault| problem(fault, is_built_in, file, place)));
    let Some(Arguments::FileSystem(file_system)) = known::arguments(resource) else { return };
    let (unknown, names) = file_system.unknown_options();
    for option in unknown {
        if let Some(meant) = suggestion_among(option, names.iter().copied()) {
            let what = format!("\"{option}\" is no option of mount that we know");
            warn(file, place, what, &format!("did you mean {meant}?"), problems);
        }
    }
}

fn problem(fault: ArgumentFault, is_built_in: bool, file: &str, place: &At) -> Problem {
    let refused = fault.is_refusal();
    let what = if refused { format!("{}: the group cannot start", fault.what) } else { fault.what };
    let problem =
        if refused && is_built_in { Problem::error(file, what).alone() } else { Problem::warning(file, what) };
    let problem = Problem { original: fault.original, ..problem };
    problem.at(place.0, place.1.clone()).remedy(fault.remedy)
}

/// Whether this machine has the interface and the network of an address.
fn network(resource: &Resource, interfaces: &[Interface], file: &str, place: &At, problems: &mut Vec<Problem>) {
    let Some(arguments) = known::arguments(resource) else { return };
    if let Arguments::Address4(address) = &arguments
        && address.nic.is_none()
        && address.prefix.is_none()
    {
        let prefix = interfaces.iter().filter_map(|interface| interface.prefix_for(address.ip.into())).max();
        let doubt = prefix.and_then(|prefix| known::no_host_of(address.ip, prefix));
        problems.extend(doubt.map(|doubt| problem(doubt, false, file, place)));
    }
    let Some((ip, nic)) = arguments.network() else { return };
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::diagnostic::SourceText;
    use crate::haresources::parse::parse_with_places;

    /// One card, and agents of each sort.
    struct Machine;

    impl Facts for Machine {
        fn node_name(&self) -> Option<NodeName> {
            NodeName::new("alpha")
        }

        fn interfaces(&self) -> Option<Vec<Interface>> {
            let addresses = ["10.0.0.1", "fd00::1"].map(|ip| ip.parse().unwrap()).into_iter().zip([24, 64]);
            Some(vec![Interface { name: "eth0".into(), addresses: addresses.collect() }])
        }

        fn resource_script(&self, agent: &str) -> Option<ScriptFact> {
            Some(match agent {
                "web" => ScriptFact::Found,
                _ if known::find(agent).is_some() => ScriptFact::BuiltIn,
                _ => ScriptFact::Missing("not here".into()),
            })
        }
    }

    fn said(words: &str) -> Vec<String> {
        let source = SourceText::new("haresources", format!("alpha {words}\n"));
        let (groups, _) = parse_with_places(&source, &[]);
        let limits = ScriptTimeouts { start: Duration::from_secs(60), ..ScriptTimeouts::default() };
        let problems = haresources(&groups, &[], "haresources", limits, &Machine);
        problems.iter().map(|problem| problem.to_string().replace("haresources:1: ", "")).collect()
    }

    #[test]
    fn a_name_that_leads_nowhere_is_compared_with_those_of_agents() {
        for (word, meant) in
            [("mailTo::root", "MailTo"), ("IPadr::10.0.0.5", "IPaddr"), ("FileSystem::/a", "Filesystem")]
        {
            let said = said(word);
            assert!(
                said[0].starts_with("warning: no program") && said[0].contains(&format!("did you mean {meant}?")),
                "{said:?}"
            );
        }
        assert!(said("lvs").iter().all(|said| !said.contains("did you mean")) && said("web").is_empty());
    }

    #[test]
    fn an_address_needs_its_interface_and_network_on_this_machine() {
        for word in ["10.0.0.5", "10.0.0.5/24/eth0", "IPv6addr::fd00::5", "SendArp::10.0.0.5/eth0"] {
            assert!(said(word).is_empty(), "{word}: {:?}", said(word));
        }
        for word in ["10.0.0.5/24/eth9", "IPv6addr::fd00::5/64/eth9", "SendArp::10.0.0.5/eth9"] {
            assert!(said(word)[0].contains("interface eth9 does not exist"), "{word}: {:?}", said(word));
        }
        for word in ["10.9.0.5", "IPv6addr::fd09::5"] {
            assert!(said(word)[0].contains("no interface of this host is in the network"), "{word}: {:?}", said(word));
        }
    }

    #[test]
    fn the_network_of_this_machine_counts_where_none_is_given() {
        assert!(said("10.0.0.255")[0].starts_with("warning: 10.0.0.255 is the broadcast address of 10.0.0.0/24"));
        assert!(said("IPaddr2::10.0.0.0")[0].contains("the network 10.0.0.0/24 itself"));
    }

    #[test]
    fn a_delay_that_is_ended_before_it_is_over_is_an_error() {
        assert!(said("Delay::59::119").is_empty(), "{:?}", said("Delay::59::119"));
        assert!(said("Delay::60")[0].starts_with("error: the start waits 60s, and is ended after 60s"));
        assert!(said("Delay::1::120")[0].contains("longer script-timeout stop"));
    }
}
