//! UDP between two hosts; interfaces that vanish and return; floods.

use std::collections::BTreeSet;

use latido::clock::Clock;
use latido::config::MediumSpec;
use latido::link::{LinkEvent, Links};

use crate::net::{Net, with_net};
use crate::support::{run, until};

const PORT: u16 = 6940;

fn bcast() -> MediumSpec {
    MediumSpec::Bcast { interface: "eth0".into(), port: PORT }
}

fn mcast(looped: bool) -> MediumSpec {
    let group = "239.9.1.1".parse().unwrap();
    MediumSpec::Mcast { interface: "eth0".into(), group, port: PORT, ttl: 1, looped }
}

fn mcast6() -> MediumSpec {
    let group = "ff02::694".parse().unwrap();
    MediumSpec::Mcast6 { interface: "eth0".into(), group, port: PORT, hops: Some(1), looped: false }
}

fn ucast(host: &str) -> MediumSpec {
    MediumSpec::Ucast { interface: "eth0".into(), host: host.into(), port: PORT }
}

fn ucast6(address: &str) -> MediumSpec {
    MediumSpec::Ucast6 { interface: "eth0".into(), address: address.parse().unwrap(), port: PORT }
}

fn open(net: &Net, host: usize, specs: &[MediumSpec], clock: &Clock) -> Links {
    let locks = tempfile::tempdir().unwrap();
    net.on(host, || Links::open_all(specs, locks.path(), clock)).unwrap()
}

/// Opens one medium on each host and has each beat until it hears the other.
fn each_hears_the_other(name: &str, alpha: MediumSpec, beta: MediumSpec, own_come_back: bool) {
    with_net(name, move |net| {
        run(async {
            let clock = Clock::start();
            let mut near = open(&net, 0, &[alpha], &clock);
            let mut far = open(&net, 1, &[beta], &clock);
            let (mut at_near, mut at_far) = (BTreeSet::new(), BTreeSet::new());
            let everything = 2 + usize::from(own_come_back) * 2;
            until(&clock, || {
                near.broadcast(b"from alpha\0", b"text");
                far.broadcast(b"from beta\0", b"text");
                hear(&mut near, &mut at_near);
                hear(&mut far, &mut at_far);
                at_near.len() + at_far.len() >= everything
            })
            .await;
            assert!(at_near.contains(&b"from beta\0"[..]) && at_far.contains(&b"from alpha\0"[..]));
            assert_eq!(at_near.len(), 1 + usize::from(own_come_back), "{at_near:?}");
            assert_eq!((near.trouble(0), far.trouble(0)), (None, None));
        });
    });
}

/// Collects what has arrived.
fn hear(links: &mut Links, heard: &mut BTreeSet<Vec<u8>>) {
    links.begin_drain();
    while let Some(event) = links.try_next() {
        if matches!(event, LinkEvent::Bytes { stream: false, .. }) {
            heard.insert(links.bytes().to_vec());
        }
    }
}

#[test]
fn broadcasts_reach_the_other_node_and_come_back() {
    let name = "udp::broadcasts_reach_the_other_node_and_come_back";
    each_hears_the_other(name, bcast(), bcast(), true);
}

#[test]
fn multicasts_reach_the_other_node() {
    each_hears_the_other("udp::multicasts_reach_the_other_node", mcast(false), mcast(false), false);
}

#[test]
fn looped_multicasts_come_back() {
    each_hears_the_other("udp::looped_multicasts_come_back", mcast(true), mcast(true), true);
}

#[test]
fn unicasts_reach_the_other_node() {
    let name = "udp::unicasts_reach_the_other_node";
    each_hears_the_other(name, ucast("10.9.1.2"), ucast("10.9.1.1"), false);
}

#[test]
fn unicasts_over_ipv6_reach_the_other_node() {
    let name = "udp::unicasts_over_ipv6_reach_the_other_node";
    each_hears_the_other(name, ucast6("fd00::2"), ucast6("fd00::1"), false);
}

#[test]
fn multicasts_over_ipv6_reach_the_other_node() {
    each_hears_the_other("udp::multicasts_over_ipv6_reach_the_other_node", mcast6(), mcast6(), false);
}
