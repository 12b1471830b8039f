//! Ping nodes: the echo brings our own bytes back.

use std::collections::BTreeSet;
use std::time::Duration;

use latido::clock::Clock;
use latido::config::MediumSpec;
use latido::link::{LinkEvent, Links};
use latido::names::NodeName;

use crate::net::{Net, ip, with_net};
use crate::support::{next_bytes, run, until};

fn ping(host: &str, v6: bool) -> MediumSpec {
    MediumSpec::Ping { node: NodeName::new(host).unwrap(), host: host.into(), v6 }
}

fn open(net: &Net, specs: &[MediumSpec], clock: &Clock) -> Links {
    let locks = tempfile::tempdir().unwrap();
    net.on(0, || Links::open_all(specs, locks.path(), clock)).unwrap()
}

fn beat(links: &mut Links) {
    links.ping_all(|node| format!("from {node}").into_bytes());
}

#[test]
fn each_host_brings_back_its_own_bytes_on_its_own_medium() {
    with_net("ping::each_host_brings_back_its_own_bytes_on_its_own_medium", |net| {
        run(async {
            let clock = Clock::start();
            let hosts = [("127.0.0.1", false), ("::1", true), ("10.9.1.2", false), ("fd00::2", true)];
            let specs = hosts.map(|(host, v6)| ping(host, v6));
            let mut links = open(&net, &specs, &clock);
            let mut heard = BTreeSet::new();
            until(&clock, || {
                beat(&mut links);
                links.begin_drain();
                while let Some(event) = links.try_next() {
                    // Until the far side is up its addresses cannot be reached, which is told and taken back.
                    if let LinkEvent::Bytes { link, stream: false, .. } = event {
                        heard.insert((link, String::from_utf8(links.bytes().to_vec()).unwrap()));
                    }
                }
                heard.len() >= 4
            })
            .await;
            let expected = hosts.iter().enumerate().map(|(link, (host, _))| (link, format!("from {host}")));
            assert_eq!(heard, expected.collect());
        });
    });
}

#[test]
fn the_members_of_a_group_answer_as_one() {
    with_net("ping::the_members_of_a_group_answer_as_one", |net| {
        run(async {
            let clock = Clock::start();
            let hosts = ["127.0.0.1", "127.0.0.2", "10.9.1.99"].map(str::to_owned).to_vec();
            let group = MediumSpec::PingGroup { node: NodeName::new("gateways").unwrap(), hosts };
            let mut links = open(&net, &[group], &clock);
            for _ in 0..3 {
                beat(&mut links);
                assert_eq!(next_bytes(&mut links, &clock).await, (0, b"from gateways".to_vec()));
                let second = tokio::time::timeout(Duration::from_millis(50), links.next()).await;
                assert!(second.is_err(), "{second:?}");
            }
        });
    });
}

#[test]
fn a_silent_host_is_no_fault_of_the_medium_but_a_lost_network_is() {
    with_net("ping::a_silent_host_is_no_fault_of_the_medium_but_a_lost_network_is", |net| {
        run(async {
            let clock = Clock::start();
            let mut links = open(&net, &[ping("10.9.1.77", false)], &clock);
            beat(&mut links);
            assert_eq!(links.failure(0), None);
            net.on(0, || ip("link set eth0 down"));
            beat(&mut links);
            assert!(links.failure(0).is_some());
            net.on(0, || ip("link set eth0 up"));
            beat(&mut links);
            assert_eq!(links.failure(0), None);
        });
    });
}
