//! UDP between two hosts; interfaces that vanish and return; floods.

use std::collections::BTreeSet;
use std::net::UdpSocket;
use std::slice::from_ref;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use latido::clock::Clock;
use latido::config::MediumSpec;
use latido::link::{LinkEvent, Links, Urgency};
use latido::names::NodeName;

use crate::net::{Net, ip, with_net};
use crate::support::{next, run, until};

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
            let mut near = open(&net, 0, from_ref(&alpha), &clock);
            let mut far = open(&net, 1, from_ref(&beta), &clock);
            let (mut at_near, mut at_far) = (BTreeSet::new(), BTreeSet::new());
            let everything = 2 + usize::from(own_come_back) * 2;
            until(&clock, || {
                near.broadcast(b"from alpha\0", b"text", Urgency::Beat);
                far.broadcast(b"from beta\0", b"text", Urgency::Beat);
                hear(&mut near, &mut at_near);
                hear(&mut far, &mut at_far);
                at_near.len() + at_far.len() >= everything
            })
            .await;
            assert!(at_near.contains(&b"from beta\0"[..]) && at_far.contains(&b"from alpha\0"[..]));
            assert_eq!(at_near.len(), 1 + usize::from(own_come_back), "{at_near:?}");
            assert_eq!((near.failure(0), far.failure(0)), (None, None));
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
fn broadcasts_reach_the_other_node_and_wake_nobody_at_home() {
    let name = "udp::broadcasts_reach_the_other_node_and_wake_nobody_at_home";
    each_hears_the_other(name, bcast(), bcast(), false);
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

#[test]
fn an_interface_that_vanishes_and_returns_is_told_and_used_again() {
    with_net("udp::an_interface_that_vanishes_and_returns_is_told_and_used_again", |net| {
        run(async {
            let clock = Clock::start();
            let mut near = open(&net, 0, &[bcast(), mcast(false), ucast("10.9.1.2"), mcast6()], &clock);
            net.on(0, || ip("link del eth0"));
            let mut failed = BTreeSet::new();
            while failed.len() < 4 {
                near.broadcast(b"anybody?", b"", Urgency::Beat);
                let LinkEvent::Failed { link, .. } = next(&mut near, &clock).await else { panic!("out of order") };
                assert!(failed.insert(link), "medium {link} was told twice");
            }

            net.plug_in();
            let mut far = open(&net, 1, &[bcast(), mcast(false), ucast("10.9.1.1"), mcast6()], &clock);
            // The far end is here; the near one reopens where this thread is.
            net.on(0, || ());
            let (mut restored, mut heard) = (BTreeSet::new(), BTreeSet::new());
            while restored.len() < 4 || heard.len() < 4 {
                far.broadcast(b"here", b"", Urgency::Beat);
                near.broadcast(b"anybody?", b"", Urgency::Beat);
                let Ok(event) = tokio::time::timeout(Duration::from_millis(20), next(&mut near, &clock)).await else {
                    assert!(clock.mono().elapsed() < Duration::from_secs(8), "restored {restored:?}, heard {heard:?}");
                    continue;
                };
                match event {
                    LinkEvent::Bytes { link, .. } if near.bytes() == b"here" => drop(heard.insert(link)),
                    LinkEvent::Bytes { .. } => {}
                    LinkEvent::Restored { link } => assert!(restored.insert(link), "{link} was told twice"),
                    LinkEvent::Failed { .. } => panic!("{event:?}"),
                }
            }
            assert_eq!(near.next_wake(), None);
        });
    });
}

#[test]
fn an_interface_exchanged_between_two_beats_is_noticed() {
    with_net("udp::an_interface_exchanged_between_two_beats_is_noticed", |net| {
        run(async {
            let clock = Clock::start();
            let mut near = open(&net, 0, &[mcast(false), bcast()], &clock);
            net.on(0, || ip("link del eth0"));
            net.plug_in();
            let mut far = open(&net, 1, &[mcast(false), bcast()], &clock);
            net.on(0, || ());
            let mut heard = BTreeSet::new();
            while heard.len() < 2 {
                far.broadcast(b"here", b"", Urgency::Beat);
                if let Ok(LinkEvent::Bytes { link, .. }) =
                    tokio::time::timeout(Duration::from_millis(20), next(&mut near, &clock)).await
                {
                    heard.insert(link);
                }
                assert!(clock.mono().elapsed() < Duration::from_secs(8), "heard {heard:?}");
            }
            assert_eq!((near.failure(0), near.failure(1)), (None, None), "it was back before anybody missed it");
        });
    });
}

#[test]
fn an_interface_that_is_down_can_still_be_opened_and_heals_by_itself() {
    with_net("udp::an_interface_that_is_down_can_still_be_opened_and_heals_by_itself", |net| {
        run(async {
            let clock = Clock::start();
            net.on(0, || ip("link set eth0 down"));
            let mut near = open(&net, 0, &[bcast()], &clock);
            near.broadcast(b"one", b"", Urgency::Beat);
            let LinkEvent::Failed { link: 0, reason } = next(&mut near, &clock).await else { panic!() };
            assert!(reason.contains("unreachable") || reason.contains("down"), "{reason}");
            net.on(0, || ip("link set eth0 up"));
            near.broadcast(b"two", b"", Urgency::Beat);
            assert_eq!(next(&mut near, &clock).await, LinkEvent::Restored { link: 0 });
        });
    });
}

#[test]
fn a_multicast_heard_on_another_interface_does_not_count_for_this_one() {
    with_net("udp::a_multicast_heard_on_another_interface_does_not_count_for_this_one", |net| {
        run(async {
            let clock = Clock::start();
            net.on(0, || {
                ip("link add eth1 type veth peer name nowhere");
                ip("link set nowhere up");
                ip("addr add 10.9.2.1/24 brd + dev eth1");
                ip("link set eth1 up");
            });
            let MediumSpec::Mcast { group, port, ttl, looped, .. } = mcast(false) else { panic!() };
            let on_eth1 = MediumSpec::Mcast { interface: "eth1".into(), group, port, ttl, looped };
            let MediumSpec::Mcast6 { group, port, hops, looped, .. } = mcast6() else { panic!() };
            let on_eth1_v6 = MediumSpec::Mcast6 { interface: "eth1".into(), group, port, hops, looped };
            let mut near = open(&net, 0, &[mcast(false), on_eth1, mcast6(), on_eth1_v6], &clock);
            let mut far = open(&net, 1, &[mcast(false), mcast6()], &clock);
            let mut heard_on = BTreeSet::new();
            until(&clock, || {
                far.broadcast(b"from beta", b"", Urgency::Beat);
                near.begin_drain();
                while let Some(LinkEvent::Bytes { link, .. }) = near.try_next() {
                    heard_on.insert(link);
                }
                heard_on.len() >= 2
            })
            .await;
            assert_eq!(heard_on, BTreeSet::from([0, 2]));
        });
    });
}

#[test]
fn a_packet_that_waited_for_us_keeps_its_arrival_time() {
    with_net("udp::a_packet_that_waited_for_us_keeps_its_arrival_time", |net| {
        run(async {
            let clock = Clock::start();
            let mut near = open(&net, 0, &[bcast()], &clock);
            let mut far = open(&net, 1, &[bcast()], &clock);
            // Nothing must be in flight from the interfaces' coming up.
            until(&clock, || {
                far.broadcast(b"warm up", b"", Urgency::Beat);
                near.begin_drain();
                near.try_next().is_some()
            })
            .await;
            while tokio::time::timeout(Duration::from_millis(20), near.next()).await.is_ok() {}

            far.broadcast(b"punctual", b"", Urgency::Beat);
            let sent_at = clock.mono();
            tokio::time::sleep(Duration::from_millis(300)).await;
            let LinkEvent::Bytes { at, .. } = next(&mut near, &clock).await else { panic!() };
            assert_eq!(near.bytes(), b"punctual");
            assert!(at.since(sent_at) < Duration::from_millis(100), "arrived {at}, sent {sent_at}");
        });
    });
}

fn on(interface: &str) -> MediumSpec {
    MediumSpec::Bcast { interface: interface.into(), port: PORT }
}

#[test]
fn a_medium_whose_interface_comes_later_is_waited_for_beside_another_and_refused_alone() {
    with_net("udp::a_medium_whose_interface_comes_later_is_waited_for_beside_another_and_refused_alone", |net| {
        run(async {
            let (clock, locks) = (Clock::start(), tempfile::tempdir().unwrap());
            let open = |specs: &[MediumSpec]| net.on(0, || Links::open_all(specs, locks.path(), &clock));
            let ping = MediumSpec::Ping { node: NodeName::new("r").unwrap(), host: "127.0.0.1".into(), v6: false };
            for alone in [vec![on("late0")], vec![on("late0"), ping]] {
                let errors = open(&alone).unwrap_err();
                assert!(errors.len() == 1 && errors[0].spec == on("late0") && !errors[0].lasts, "{errors:?}");
            }
            // What means nothing is no medium that is late.
            assert!(open(&[bcast(), ucast("fe80::1")]).unwrap_err()[0].lasts);

            let mut near = open(&[bcast(), on("late0")]).unwrap();
            assert_eq!(near.missing().iter().map(|error| &error.spec).collect::<Vec<_>>(), [&on("late0")]);
            let event = next(&mut near, &clock).await;
            assert!(matches!(&event, LinkEvent::Failed { link: 1, reason } if reason.contains("no such network")));
            net.on(0, || {
                ip("link add late0 type veth peer name nowhere");
                ip("link set nowhere up");
                ip("addr add 10.9.3.1/24 brd + dev late0");
                ip("link set late0 up");
            });
            // The kernel says so: nothing is tried again by the clock here.
            while near.failure(1).is_some() {
                near.broadcast(b"beat", b"", Urgency::Beat);
                let _ = tokio::time::timeout(Duration::from_millis(20), near.next()).await;
                assert!(clock.mono().elapsed() < Duration::from_secs(20), "{:?}", near.failure(1));
            }
        });
    });
}

#[test]
fn a_flood_on_one_medium_does_not_delay_another() {
    with_net("udp::a_flood_on_one_medium_does_not_delay_another", |net| {
        let flooding = Arc::new(AtomicBool::new(true));
        let flooder = net.on(0, || flood(Arc::clone(&flooding)));
        let floods = run(async {
            let clock = Clock::start();
            let locks = tempfile::tempdir().unwrap();
            let lo = MediumSpec::Bcast { interface: "lo".into(), port: PORT };
            let mut flooded = net.on(0, || Links::open_all(&[lo, bcast()], locks.path(), &clock)).unwrap();
            let mut beta = open(&net, 1, &[bcast()], &clock);
            let (mut floods, mut delays) = (0_u64, Vec::new());
            let end = clock.mono() + Duration::from_secs(2);
            let mut beat_at = clock.mono();
            while clock.mono() < end {
                tokio::select! {
                    biased;
                    () = tokio::time::sleep_until(clock.instant(beat_at)) => {
                        beta.broadcast(b"beat", b"", Urgency::Beat);
                        beat_at += Duration::from_millis(10);
                    }
                    event = flooded.next() => {
                        let LinkEvent::Bytes { link, at, .. } = event else { panic!("{event:?}") };
                        let read_at = clock.mono();
                        if link == 0 {
                            floods += 1;
                            // Slower than the flood, so that this medium always has something to say.
                            while clock.mono().since(read_at) < Duration::from_micros(60) {}
                        } else {
                            delays.push(read_at.since(at));
                        }
                    }
                }
            }
            delays.sort();
            let (median, count) = (delays[delays.len() / 2], delays.len());
            assert!(floods > 5_000, "only {floods} packets of the flood were read");
            assert!(count > 150, "{count} beats of 200 were heard");
            assert!(median < Duration::from_millis(3), "a beat waited {median:?} to be read");
            floods
        });
        flooding.store(false, Ordering::Relaxed);
        let sent = flooder.join().unwrap();
        // How many it manages is the machine's affair; a flood is what nobody can keep up with.
        assert!(sent > floods, "{sent} packets sent, {floods} read");
    });
}

/// Sends 20,000 packets a second to the broadcast address of `lo` where this thread is, for ten seconds at most.
fn flood(flooding: Arc<AtomicBool>) -> thread::JoinHandle<u64> {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_broadcast(true).unwrap();
    thread::spawn(move || {
        let clock = Clock::start();
        let mut sent = 0_u64;
        while flooding.load(Ordering::Relaxed) && clock.mono().elapsed() < Duration::from_secs(10) {
            // As many as are due by now, so that the rate holds whatever the scheduler does.
            let due = u64::try_from(clock.mono().elapsed().as_micros()).unwrap() / 50;
            for _ in sent..due {
                let _ = socket.send_to(&[b'x'; 300], ("127.255.255.255", PORT));
            }
            sent = sent.max(due);
            thread::yield_now();
        }
        sent
    })
}
