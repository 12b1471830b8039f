//! Addresses that move: `IPaddr`, `IPaddr2`, `IPv6addr`, `SendArp`, `IPsrcaddr`, between two hosts on a cable.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::process::Command;
use std::time::Duration;

use latido::agent::Net as Agents;
use latido::haresources::{Invocation, Resource, Verb};
use latido::time::Mono;

use super::called::{agent, there_and_back};
use super::net::{Net, ip, with_net};
use super::tap::{Tap, now};

const ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 9, 1, 100);

fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// What `ip` says here.
fn shown(arguments: &str) -> String {
    let output = Command::new("ip").args(arguments.split(' ')).output().unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn invocation(word: &str, verb: Verb) -> Invocation {
    Invocation { resource: Resource::from_word(word), verb }
}

#[test]
fn ipaddr_is_an_alias_with_mask_and_broadcast_of_the_net_it_lies_in() {
    with_net("network::ipaddr_is_an_alias_with_mask_and_broadcast_of_the_net_it_lies_in", |net: Net| {
        let state = tempfile::tempdir().unwrap();
        net.on(0, || {
            there_and_back(state.path(), "IPaddr 10.9.1.100", || {
                let shown = shown("addr show dev eth0");
                assert!(shown.contains("inet 10.9.1.100/24 brd 10.9.1.255 scope global secondary eth0:0"), "{shown}");
            });
            there_and_back(state.path(), "IPaddr2 10.9.1.101", || {
                let shown = shown("addr show dev eth0");
                assert!(shown.contains("inet 10.9.1.101/24 brd 10.9.1.255 scope global secondary eth0\n"), "{shown}");
            });
            there_and_back(state.path(), "IPaddr2 10.9.2.1/255.255.255.128/eth0:web/10.9.2.127", || {
                let shown = shown("addr show dev eth0");
                assert!(shown.contains("inet 10.9.2.1/25 brd 10.9.2.127 scope global eth0:web"), "{shown}");
            });
            assert_eq!(agent(state.path(), "IPaddr 10.9.1.100 start").code, 0);
            assert_eq!(agent(state.path(), "IPaddr 10.9.1.102/24/eth0:7 start").code, 0);
            let shown = shown("addr show dev eth0");
            assert!(shown.contains("eth0:0") && shown.contains("eth0:1"), "{shown}");
        });
    });
}

#[test]
fn wrong_arguments_fail_to_start_and_count_as_stopped() {
    with_net("network::wrong_arguments_fail_to_start_and_count_as_stopped", |net: Net| {
        let state = tempfile::tempdir().unwrap();
        net.on(0, || {
            let cases = [
                ("10.9.1.5/eth0", 1, 6),
                ("10.9.1.5/33/eth0", 1, 6),
                ("10.9.1.300", 1, 6),
                ("10.9.1.5/24/eth9", 1, 6),
                ("10.99.1.5", 1, 1),
            ];
            let long = agent(state.path(), "IPaddr2 10.9.1.5/24/eth0:much-too-long start");
            assert!(long.code == 6 && long.why.contains("longer than the 15"), "{long:?}");
            for (argument, alias, plain) in cases {
                for (name, code) in [("IPaddr", alias), ("IPaddr2", plain)] {
                    let call = |verb: &str| agent(state.path(), &format!("{name} {argument} {verb}"));
                    let started = call("start");
                    assert_eq!(started.code, code, "{name} {argument}: {started:?}");
                    assert!(!started.why.is_empty() && !started.runs(), "{started:?}");
                    assert_eq!((call("stop").code, call("status").code), (0, 7), "{name} {argument}");
                }
            }
        });
    });
}

#[test]
fn a_default_route_lends_its_interface_only_to_an_address_with_a_mask() {
    with_net("network::a_default_route_lends_its_interface_only_to_an_address_with_a_mask", |net: Net| {
        let state = tempfile::tempdir().unwrap();
        net.on(0, || {
            ip("route add default via 10.9.1.2");
            let refused = agent(state.path(), "IPaddr 10.77.1.5 start");
            assert!(refused.code == 1 && refused.why.contains("Cannot use default route w/o netmask"), "{refused:?}");
            there_and_back(state.path(), "IPaddr 10.77.1.5/24", || {
                assert!(shown("addr show dev eth0").contains("10.77.1.5/24 brd 10.77.1.255"));
            });
        });
    });
}

#[test]
fn stopping_the_first_address_of_a_net_keeps_the_others() {
    with_net("network::stopping_the_first_address_of_a_net_keeps_the_others", |net: Net| {
        let state = tempfile::tempdir().unwrap();
        net.on(0, || {
            for argument in ["10.8.1.1/24/eth0", "10.8.1.2/24/eth0", "10.8.1.3/24/eth0"] {
                assert_eq!(agent(state.path(), &format!("IPaddr2 {argument} start")).code, 0);
            }
            assert_eq!(agent(state.path(), "IPaddr2 10.8.1.1 stop").code, 0);
            let shown = shown("addr show dev eth0");
            assert!(!shown.contains("10.8.1.1/") && shown.contains("10.8.1.2/24") && shown.contains("10.8.1.3/24"));
        });
    });
}

#[test]
fn an_address_is_announced_at_once_as_request_and_as_reply_and_again() {
    with_net("network::an_address_is_announced_at_once_as_request_and_as_reply_and_again", |net: Net| {
        let tap = net.on(1, Tap::arp);
        let mut delays = Vec::new();
        net.on(0, || {
            let state = tempfile::tempdir().unwrap();
            let mut agents = Agents::open((5, ms(200)), state.path().to_owned()).unwrap();
            for _ in 0..5 {
                let begun = now();
                assert_eq!(agents.run(&invocation("10.9.1.100", Verb::Start), Mono::ZERO).unwrap().code, 0);
                let taken = begun.elapsed();
                let heard = tap.hear_arp(ms(1000), 3);
                let mut forms: Vec<(u8, Ipv4Addr, Ipv4Addr)> =
                    heard.iter().map(|arp| (arp.operation, arp.sender, arp.target)).collect();
                // A sender that is moved to another processor between two packets may overtake itself.
                forms.sort_unstable();
                // The question in nobody's name, and both forms of the announcement.
                assert_eq!(forms, [(1, Ipv4Addr::UNSPECIFIED, ADDRESS), (1, ADDRESS, ADDRESS), (2, ADDRESS, ADDRESS)]);
                delays.push((taken, begun.elapsed()));
                assert!(agents.repeat(Mono::at(ms(20))).is_empty(), "nobody else has it");
                agents.repeat(Mono::at(ms(200)));
                assert_eq!(tap.hear_arp(ms(1000), 3).len(), 3);
                agents.run(&invocation("10.9.1.100", Verb::Stop), Mono::ZERO).unwrap();
                assert_eq!(agents.next_repeat(), None);
            }
        });
        eprintln!("IPaddr start: (returned after, announced after) {delays:?}");
        assert!(delays.iter().any(|(taken, _)| *taken < ms(200)), "{delays:?}");
    });
}

#[test]
fn a_start_by_hand_is_announced_five_times_behind_its_back() {
    with_net("network::a_start_by_hand_is_announced_five_times_behind_its_back", |net: Net| {
        let tap = net.on(1, Tap::arp);
        let state = tempfile::tempdir().unwrap();
        let begun = now();
        net.on(0, || assert_eq!(agent(state.path(), "IPaddr 10.9.1.100/24/eth0 start").code, 0));
        eprintln!("latido agent IPaddr start, as a process: {:?}", begun.elapsed());
        let forms = |arps: &[super::tap::Arp], operation| {
            arps.iter().filter(|arp| arp.operation == operation && arp.sender == ADDRESS).count()
        };
        let heard = tap.hear_arp(ms(1500), usize::MAX);
        assert!((5..=6).contains(&forms(&heard, 1)) && (5..=6).contains(&forms(&heard, 2)), "{heard:?}");
    });
}

#[test]
fn the_address_of_another_machine_is_not_taken_silently() {
    with_net("network::the_address_of_another_machine_is_not_taken_silently", |net: Net| {
        let state = tempfile::tempdir().unwrap();
        net.on(1, || {
            ip("addr add 10.9.1.100/24 dev eth0");
            ip("addr add fd00::100/64 dev eth0 nodad");
        });
        net.on(0, || {
            let by_hand = agent(state.path(), "IPaddr 10.9.1.100 start");
            assert!(by_hand.code == 0 && by_hand.why.contains("address conflict: 10.9.1.100"), "{by_hand:?}");
            let mut agents = Agents::open((5, ms(200)), state.path().to_owned()).unwrap();
            for (word, address) in [("IPaddr2::10.9.1.100", "10.9.1.100"), ("IPv6addr::fd00::100", "fd00::100")] {
                let mut invocation = invocation(word, Verb::Start);
                invocation.resource.args = vec![address.to_owned()];
                assert_eq!(agents.run(&invocation, Mono::ZERO).unwrap().code, 0);
                let begun = now();
                let mut conflicts = Vec::new();
                while conflicts.is_empty() && begun.elapsed() < ms(3000) {
                    let elapsed = begun.elapsed();
                    conflicts = agents.repeat(Mono::at(elapsed));
                    std::thread::yield_now();
                }
                eprintln!("{address}: the other owner was heard after {:?}", begun.elapsed());
                assert_eq!(conflicts.iter().map(|found| found.ip.to_string()).collect::<Vec<_>>(), [address]);
                agents.repeat(Mono::at(ms(5000)));
                assert!(agents.repeat(Mono::at(ms(5001))).is_empty(), "said once");
            }
        });
    });
}

#[test]
fn an_ipv6_address_works_at_once_and_is_announced() {
    with_net("network::an_ipv6_address_works_at_once_and_is_announced", |net: Net| {
        let tap = net.on(1, Tap::ipv6);
        let state = tempfile::tempdir().unwrap();
        let address: Ipv6Addr = "fd00::100".parse().unwrap();
        net.on(0, || {
            there_and_back(state.path(), "IPv6addr fd00::100", || {
                let shown = shown("-6 addr show dev eth0");
                assert!(shown.contains("fd00::100/64") && !shown.contains("tentative"), "{shown}");
            });
            there_and_back(state.path(), "IPv6addr fd01::5/64/eth0", || {});
            assert_eq!(agent(state.path(), "IPv6addr fe99::1 start").code, 2);
            assert_eq!(agent(state.path(), "IPv6addr zz start").code, 2);
            assert_eq!(agent(state.path(), "IPv6addr zz stop").code, 0);
        });
        let heard = tap.hear_about(address, ms(300));
        assert_eq!((heard[0].kind, heard[0].from), (135, Ipv6Addr::UNSPECIFIED), "{heard:?}");
        assert!(heard.iter().any(|message| message.kind == 136 && message.from == address), "{heard:?}");
    });
}

#[test]
fn sendarp_announces_and_touches_no_address() {
    with_net("network::sendarp_announces_and_touches_no_address", |net: Net| {
        let tap = net.on(1, Tap::arp);
        let state = tempfile::tempdir().unwrap();
        net.on(0, || {
            there_and_back(state.path(), "SendArp 10.9.1.200/eth0", || {
                assert!(!shown("addr show dev eth0").contains("10.9.1.200"));
            });
        });
        let heard = tap.hear_arp(ms(300), usize::MAX);
        let sender = Ipv4Addr::new(10, 9, 1, 200);
        for operation in [1, 2] {
            assert!(heard.iter().any(|arp| arp.operation == operation && arp.sender == sender), "{heard:?}");
        }
    });
}

#[test]
fn sendarp_with_a_netmask_announces_and_without_an_interface_that_is_there_keeps_no_group_down() {
    let name = "network::sendarp_with_a_netmask_announces_and_without_an_interface_that_is_there_keeps_no_group_down";
    with_net(name, |net: Net| {
        let tap = net.on(1, Tap::arp);
        let state = tempfile::tempdir().unwrap();
        net.on(0, || {
            there_and_back(state.path(), "SendArp 10.9.1.200/24/eth0", || {});
            let started = agent(state.path(), "SendArp 10.9.1.201/24/eth7 start");
            assert_eq!(started.code, 0);
            assert!(format!("{started:?}").contains("nothing is announced"), "{started:?}");
        });
        let heard = tap.hear_arp(ms(300), usize::MAX);
        let sender = |last| Ipv4Addr::new(10, 9, 1, last);
        assert!(heard.iter().any(|arp| arp.operation == 2 && arp.sender == sender(200)), "{heard:?}");
        assert!(heard.iter().all(|arp| arp.sender != sender(201)), "{heard:?}");
    });
}

#[test]
fn ipsrcaddr_prefers_the_address_and_gives_the_routes_back() {
    with_net("network::ipsrcaddr_prefers_the_address_and_gives_the_routes_back", |net: Net| {
        let state = tempfile::tempdir().unwrap();
        net.on(0, || {
            let alone = agent(state.path(), "IPsrcaddr 10.9.1.100 start");
            assert_eq!(alone.code, 5, "{alone:?}");
            ip("addr add 10.9.1.100/24 dev eth0");
            assert_eq!(agent(state.path(), "IPsrcaddr 10.9.1.100 start").code, 1, "no default route");
            ip("route add default via 10.9.1.2 dev eth0 metric 50");
            let before = shown("route show");
            there_and_back(state.path(), "IPsrcaddr 10.9.1.100", || {
                let routes = shown("route show");
                assert!(routes.contains("default via 10.9.1.2 dev eth0 src 10.9.1.100 metric 50"), "{routes}");
                assert!(routes.contains("scope link src 10.9.1.100"), "{routes}");
                assert!(shown("route get 203.0.113.1").contains("src 10.9.1.100"));
            });
            assert_eq!(shown("route show"), before);
        });
    });
}
