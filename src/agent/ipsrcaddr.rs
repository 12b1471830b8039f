//! `IPsrcaddr::IP`: packets of this machine leave with this address (`resources.md` 9): the default route of the
//! interface that has it, and the route to the net it lies in, prefer it as source.
//!
//! `stop` must succeed whatever was changed meanwhile, and leaves another address's preference alone.

use std::io;
use std::net::Ipv4Addr;

use crate::haresources::Verb;
use crate::haresources::known::{Source, Weight};
use crate::netlink::{Address, Netlink, Route};

use super::{Answer, Net};

pub(super) fn run(net: &mut Net, args: &[String], verb: Verb) -> Answer {
    let ip = match Source::read(args) {
        Ok(source) => source.ip,
        Err(_) if verb != Verb::Start => return not_there(verb),
        Err(fault) if fault.weight == Weight::Missing => return Answer::usage("IPsrcaddr", "<ip-address>"),
        Err(fault) => return Answer::failed(6, fault.to_string()),
    };
    let done = match verb {
        Verb::Start => start(&mut net.netlink, ip),
        Verb::Stop => stop(&mut net.netlink, ip).map(|()| Answer::success()),
        Verb::Status => status(&mut net.netlink, ip),
    };
    done.unwrap_or_else(|error| Answer::failed(1, format!("IPsrcaddr {ip}: {error}")))
}

fn not_there(verb: Verb) -> Answer {
    if verb == Verb::Status {
        return Answer::stopped().saying("No preferred source address defined\nINFO:  Resource is stopped");
    }
    Answer::success()
}

fn status(netlink: &mut Netlink, ip: Ipv4Addr) -> io::Result<Answer> {
    let set = netlink.routes()?.iter().any(|route| route.prefix == 0 && route.source == Some(ip));
    Ok(if set { Answer::running().saying("OK\nINFO:  Running OK") } else { not_there(Verb::Status) })
}

fn start(netlink: &mut Netlink, ip: Ipv4Addr) -> io::Result<Answer> {
    let Some(holder) = netlink.addresses()?.into_iter().find(|address| address.ip == ip) else {
        let why = format!("We are not serving [{ip}], hence can not make it a preferred source address");
        return Ok(Answer::failed(5, why));
    };
    let routes = netlink.routes()?;
    let of_holder = routes.iter().filter(|route| route.index == holder.index);
    let defaults: Vec<&Route> = of_holder.clone().filter(|route| route.prefix == 0).collect();
    if defaults.is_empty() {
        let why = format!("no matching route exists: the interface of {ip} has no default route");
        return Ok(Answer::failed(1, why));
    }
    let own_net = of_holder.filter(|route| route.prefix > 0 && route.gateway.is_none() && route.covers(ip));
    for route in defaults.into_iter().chain(own_net).filter(|route| route.source != Some(ip)) {
        netlink.prefer_source(route, Some(ip))?;
    }
    Ok(Answer::success())
}

fn stop(netlink: &mut Netlink, ip: Ipv4Addr) -> io::Result<()> {
    let addresses = netlink.addresses()?;
    for route in netlink.routes()?.iter().filter(|route| route.source == Some(ip)) {
        let source = if route.gateway.is_some() { None } else { first_other(&addresses, route, ip) };
        // A net's own route without another address in it: with the address it goes by itself.
        if route.gateway.is_some() || route.prefix == 0 || source.is_some() {
            netlink.prefer_source(route, source)?;
        }
    }
    Ok(())
}

/// What the kernel would have chosen: the interface's first address in that net.
fn first_other(addresses: &[Address], route: &Route, ip: Ipv4Addr) -> Option<Ipv4Addr> {
    addresses.iter().find(|a| a.index == route.index && a.ip != ip && route.covers(a.ip)).map(|a| a.ip)
}
