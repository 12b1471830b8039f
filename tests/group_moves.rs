//! One group moved by itself, the way home after a while, the reason of a move on both nodes, an address without a carrier
//! (`takeover.md` 4 and 7, `latido.cf`).

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::time::Duration;

use latido::cluster::{AutoFailback, GroupState, Monitor, Probe, Report, Request, Response, Settings};
use latido::haresources::Verb;
use latido::names::NodeName;
use latido::simulate::{Behaviour, Observed, SimulatedPair};

const ALPHA: usize = 0;
const BETA: usize = 1;
const GROUPS: &str = "alpha ra\nalpha rb\nbeta rc";

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn settled(edit: impl Fn(&mut Settings)) -> SimulatedPair {
    let mut pair = SimulatedPair::new(GROUPS, 7, edit).unwrap();
    pair.start(ALPHA);
    pair.start(BETA);
    pair.run_for(secs(20));
    assert_eq!((pair.running(ALPHA).len(), pair.running(BETA).len()), (2, 1), "{}", pair.transcript());
    pair
}

fn to(node: &str) -> Option<NodeName> {
    Some(NodeName::new(node).unwrap())
}

/// What a request is answered.
fn ask(pair: &mut SimulatedPair, node: usize, request: Request) -> Response {
    pair.request(node, request);
    pair.run_for(secs(20));
    let mut replies = pair.take_replies();
    assert_eq!(replies.len(), 1, "{}", pair.transcript());
    replies.remove(0).1
}

fn refused(pair: &mut SimulatedPair, node: usize, request: Request) -> String {
    match ask(pair, node, request) {
        Response::Refused(why) => why,
        Response::Moved { groups } => panic!("moved {groups:?}"),
    }
}

fn runs(pair: &SimulatedPair, node: usize, word: &str) -> bool {
    pair.running(node).iter().any(|running| running == word)
}

fn away(pair: &SimulatedPair, node: usize) -> String {
    pair.cluster(node).unwrap().view(pair.now()).away.unwrap_or_default()
}

#[test]
fn one_group_moves_and_no_other_whoever_is_asked() {
    for (node, towards) in [(ALPHA, None), (ALPHA, to("beta")), (BETA, None), (BETA, to("beta"))] {
        let mut pair = settled(|_| {});
        let answer = ask(&mut pair, node, Request::Move("ra".into(), towards));
        assert_eq!(answer, Response::Moved { groups: vec!["ra".into()] }, "{}", pair.transcript());
        assert!(
            runs(&pair, BETA, "ra") && runs(&pair, ALPHA, "rb") && runs(&pair, BETA, "rc"),
            "{}",
            pair.transcript()
        );
        pair.run_for(secs(120));
        assert!(runs(&pair, BETA, "ra"), "it stays where it was moved to: {}", pair.transcript());
        let back = ask(&mut pair, node, Request::Move("ra".into(), to("alpha")));
        assert_eq!(back, Response::Moved { groups: vec!["ra".into()] }, "{}", pair.transcript());
        assert!(runs(&pair, ALPHA, "ra") && pair.doubles().is_empty(), "{}", pair.transcript());
    }
}

#[test]
fn a_group_is_found_by_its_address_alone() {
    for (address, word) in [("10.0.0.7", "10.0.0.7/24/eth0"), ("fd00::7", "IPv6addr::fd00::7/64/eth0")] {
        let mut pair = SimulatedPair::new(&format!("alpha {word} ra\nbeta rb"), 7, |_| {}).unwrap();
        pair.start(ALPHA);
        pair.start(BETA);
        pair.run_for(secs(20));
        let answer = ask(&mut pair, ALPHA, Request::Move(address.into(), None));
        assert_eq!(answer, Response::Moved { groups: vec![word.into()] }, "{}", pair.transcript());
    }
}

#[test]
fn a_move_that_cannot_be_is_refused_with_its_reason() {
    let mut pair = settled(|_| {});
    let mut ask = |group: &str, to| refused(&mut pair, ALPHA, Request::Move(group.into(), to));
    assert!(ask("rx", None).contains("there are: ra, rb, rc"));
    assert!(ask("ra", to("gamma")).contains("there is no node gamma; there are: alpha, beta"));
    assert_eq!(ask("ra", to("alpha")), "ra is on alpha already");
    assert_eq!(ask("rc", to("beta")), "rc is on beta already");
    pair.power_off(BETA);
    pair.run_for(secs(20));
    assert_eq!(refused(&mut pair, ALPHA, Request::Move("ra".into(), None)), "the other node is not there");
}

#[test]
fn the_way_home_waits_for_its_delay_and_no_longer() {
    let mut pair = settled(|settings| {
        settings.auto_failback = AutoFailback::On;
        settings.failback_delay = secs(300);
    });
    pair.power_off(ALPHA);
    pair.run_for(secs(30));
    pair.start(ALPHA);
    pair.run_for(secs(200));
    assert!(runs(&pair, BETA, "ra"), "{}", pair.transcript());
    assert!(away(&pair, BETA).contains("failback-delay: it goes home in"), "{}", away(&pair, BETA));
    pair.run_for(secs(130));
    assert!(runs(&pair, ALPHA, "ra") && runs(&pair, ALPHA, "rb"), "{}", pair.transcript());
}

#[test]
fn a_home_that_dies_again_within_the_delay_is_waited_for_anew() {
    let mut pair = settled(|settings| settings.failback_delay = secs(300));
    pair.power_off(ALPHA);
    pair.run_for(secs(30));
    pair.start(ALPHA);
    pair.run_for(secs(200));
    pair.power_off(ALPHA);
    pair.run_for(secs(30));
    pair.start(ALPHA);
    pair.run_for(secs(200));
    assert!(runs(&pair, BETA, "ra"), "{}", pair.transcript());
    pair.run_for(secs(130));
    assert!(runs(&pair, ALPHA, "ra"), "{}", pair.transcript());
}

/// What a node was told of its reason to take something.
fn reasons(pair: &SimulatedPair, node: usize) -> Vec<String> {
    let said = pair.observations().iter().filter(|observation| observation.node == Some(node));
    said.filter_map(|observation| {
        let Observed::Said(Report::Given { why, .. } | Report::FailedThere { why, .. }) = &observation.what else {
            return None;
        };
        Some(why.clone())
    })
    .collect()
}

#[test]
fn the_taker_knows_the_reason_of_the_giver() {
    let mut pair = settled(|_| {});
    pair.request(ALPHA, Request::Move("ra".into(), None));
    pair.run_for(secs(20));
    assert_eq!(reasons(&pair, BETA), ["asked for on alpha by somebody"], "{}", pair.transcript());
    assert!(away(&pair, BETA).contains("asked for on alpha by somebody"), "{}", away(&pair, BETA));
    assert!(away(&pair, ALPHA).contains("asked for on alpha by somebody"), "{}", away(&pair, ALPHA));
    let mut pair = settled(|_| {});
    pair.request(BETA, Request::Move("ra".into(), None));
    pair.run_for(secs(20));
    assert_eq!(reasons(&pair, BETA), ["asked for on beta by somebody"], "{}", pair.transcript());
}

#[test]
fn a_group_that_failed_is_taken_with_the_reason_it_failed_for() {
    let mut pair = settled(|settings| {
        let with = Probe::Status;
        settings.monitors = vec![Monitor { resource: "*".into(), every: secs(10), failures: 1, restarts: 0, with }];
    });
    pair.service_dies(ALPHA, "ra");
    pair.run_for(secs(40));
    assert!(runs(&pair, BETA, "ra"), "{}", pair.transcript());
    let said = reasons(&pair, BETA);
    assert!(said.len() == 1 && said[0].contains("ra died"), "{said:?}");
    let mut pair = settled(|_| {});
    pair.scripts.misbehave(BETA, "rb", Verb::Start, Behaviour::Fails);
    let answer = ask(&mut pair, ALPHA, Request::Move("rb".into(), None));
    assert!(matches!(answer, Response::Refused(_)), "{answer:?}");
    let view = pair.cluster(ALPHA).unwrap().view(pair.now());
    assert_eq!(view.groups[1].state, GroupState::Held, "{}", pair.transcript());
    assert!(reasons(&pair, ALPHA).iter().any(|why| why.contains("rb")), "{}", pair.transcript());
}
