//! Fencing, health and failure policies, as two simulated nodes show them (`resources.md` 7; `latido.cf`).

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::time::Duration;

use latido::cluster::{AutoFailback, GroupState, Monitor, OnStopFailure, Probe, Request, Response, Settings};
use latido::haresources::Verb;
use latido::simulate::{Behaviour, SimulatedPair};

const ALPHA: usize = 0;
const BETA: usize = 1;
const GROUP: &str = "alpha disk address service";

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn settled(groups: &str, edit: impl Fn(&mut Settings)) -> SimulatedPair {
    let mut pair = SimulatedPair::new(groups, 7, edit).unwrap();
    pair.start(ALPHA);
    pair.start(BETA);
    pair.run_for(secs(20));
    assert_eq!(pair.running(ALPHA).len(), 3, "{}", pair.transcript());
    pair
}

fn fenced(settings: &mut Settings) {
    settings.fences = vec!["power".into()];
}

fn watched(settings: &mut Settings) {
    let with = Probe::Status;
    settings.monitors = vec![Monitor { resource: "*".into(), every: secs(10), failures: 1, restarts: 1, with }];
}

/// Lines of the transcript that contain a text, from the time it was settled.
fn count(pair: &SimulatedPair, text: &str) -> usize {
    pair.transcript().lines().filter(|line| line.contains(text)).count()
}

fn position(pair: &SimulatedPair, text: &str) -> usize {
    let transcript = pair.transcript();
    transcript.lines().position(|line| line.contains(text)).unwrap_or_else(|| panic!("no {text} in\n{transcript}"))
}

#[test]
fn a_dead_node_is_fenced_before_anything_of_it_is_started() {
    let mut pair = settled(GROUP, fenced);
    pair.cut_all(true);
    pair.run_for(secs(10));
    assert_eq!(pair.running(BETA).len(), 3, "{}", pair.transcript());
    assert!(position(&pair, "node alpha now reset.") < position(&pair, "beta   run     disk start"));
    assert!(pair.doubles().is_empty(), "{:?}", pair.doubles());
}

#[test]
fn a_fence_that_works_the_fourth_time_means_a_takeover_after_the_fourth_only() {
    let mut pair = settled(GROUP, fenced);
    pair.fence_failures = 3;
    pair.power_off(ALPHA);
    pair.run_for(secs(5 + 3 * 7));
    assert!(pair.running(BETA).is_empty(), "{}", pair.transcript());
    let view = pair.cluster(BETA).unwrap().view(pair.now());
    assert!(view.waiting_for.unwrap().contains("alpha must be fenced"));
    pair.run_for(secs(10));
    assert_eq!(pair.running(BETA).len(), 3, "{}", pair.transcript());
    assert_eq!(count(&pair, "fence   alpha"), 4);
    assert_eq!(count(&pair, "STONITH of alpha failed.  Retrying..."), 3);
}

#[test]
fn a_node_that_comes_back_while_it_is_to_be_fenced_is_left_alone_and_keeps_its_groups() {
    let mut pair = settled(GROUP, fenced);
    pair.fence_failures = 2;
    pair.cut_both(0, true);
    pair.stall(ALPHA, secs(12));
    pair.run_for(secs(40));
    pair.cut_all(false);
    pair.run_for(secs(30));
    assert_eq!(pair.running(ALPHA).len(), 3, "{}", pair.transcript());
    assert!(pair.running(BETA).is_empty());
    assert_eq!(count(&pair, "alpha now reset"), 0);
    assert!(count(&pair, "alpha is not fenced any more") == 1, "{}", pair.transcript());
}

#[test]
fn what_a_file_says_differently_is_told_when_it_was_reread_and_no_longer_once_it_is_mended() {
    let mut pair = settled(GROUP, |_| {});
    let drift = |pair: &SimulatedPair| [ALPHA, BETA].map(|node| pair.view(node).unwrap().drift.len());
    let timing = |pair: &mut SimulatedPair, text: &str| {
        pair.reload_settings(ALPHA, |settings| settings.timing = text.into());
        pair.run_for(secs(20));
    };
    assert_eq!(drift(&pair), [0, 0]);
    timing(&mut pair, "keepalive=2s deadtime=5s");
    assert_eq!(drift(&pair), [1, 1], "{}", pair.transcript());
    timing(&mut pair, "keepalive=1s deadtime=5s");
    assert_eq!(drift(&pair), [0, 0], "{}", pair.transcript());
}

#[test]
fn devices_are_tried_in_order() {
    let mut pair = settled(GROUP, |settings| settings.fences = vec!["first".into(), "second".into()]);
    pair.fence_failures = 1;
    pair.power_off(ALPHA);
    pair.run_for(secs(12));
    assert!(position(&pair, "with [first]") < position(&pair, "with [second]"));
    assert_eq!(pair.running(BETA).len(), 3);
}

#[test]
fn a_node_that_left_in_order_is_not_fenced_and_one_that_died_while_releasing_is() {
    let mut pair = settled(GROUP, fenced);
    pair.leave(ALPHA);
    pair.run_for(secs(20));
    assert_eq!((count(&pair, "fence   alpha"), pair.running(BETA).len()), (0, 3), "{}", pair.transcript());

    let mut pair = settled(GROUP, fenced);
    pair.scripts.misbehave(ALPHA, "service", Verb::Stop, Behaviour::Hangs);
    pair.leave(ALPHA);
    pair.run_for(secs(1));
    pair.power_off(ALPHA);
    pair.run_for(secs(10));
    assert_eq!((count(&pair, "fence   alpha"), pair.running(BETA).len()), (1, 3), "{}", pair.transcript());
}

#[test]
fn a_resource_that_does_not_stop_has_its_node_fenced_when_that_is_wanted() {
    let mut pair = settled(GROUP, |settings| {
        fenced(settings);
        settings.on_stop_failure = OnStopFailure::Fence;
    });
    pair.scripts.misbehave(ALPHA, "address", Verb::Stop, Behaviour::Fails);
    pair.leave(ALPHA);
    pair.run_for(secs(40));
    assert_eq!(count(&pair, "alpha  (fell silent)"), 1, "{}", pair.transcript());
    assert_eq!((count(&pair, "node alpha now reset."), pair.running(BETA).len()), (1, 3), "{}", pair.transcript());
    assert!(pair.doubles().is_empty());
}

#[test]
fn a_dead_service_is_restarted_from_there_to_the_end_of_its_group() {
    let mut pair = settled(GROUP, watched);
    let before = pair.transcript().lines().count();
    pair.service_dies(ALPHA, "address");
    pair.run_for(secs(11));
    assert_eq!(pair.running(ALPHA), ["address", "disk", "service"], "{}", pair.transcript());
    let after: Vec<String> = pair.transcript().lines().skip(before).map(str::to_owned).collect();
    let touched = |text: &str| after.iter().any(|line| line.contains(text));
    assert!(touched("run     service stop") && touched("run     address start") && touched("run     service start"));
    assert!(!touched("disk stop") && !touched("beta   run"), "{after:#?}");
}

#[test]
fn after_its_restarts_the_group_is_handed_over_and_does_not_come_back_by_itself() {
    let mut pair = settled(GROUP, watched);
    pair.service_dies(ALPHA, "service");
    pair.run_for(secs(30));
    assert_eq!(pair.running(ALPHA).len(), 3);
    pair.service_dies(ALPHA, "service");
    pair.run_for(secs(15));
    assert_eq!((pair.running(ALPHA).len(), pair.running(BETA).len()), (0, 3), "{}", pair.transcript());
    assert!(pair.doubles().is_empty());

    // There it dies as well, again and again: it stays and is restarted.
    for _ in 0..4 {
        pair.service_dies(BETA, "service");
        pair.run_for(secs(15));
        assert_eq!((pair.running(ALPHA).len(), pair.running(BETA).len()), (0, 3), "{}", pair.transcript());
    }
    assert!(count(&pair, "stays here although it fails") > 0);

    let retry = Request::Retry("disk".into());
    pair.request(ALPHA, retry);
    pair.run_for(secs(1));
    assert_eq!(pair.take_replies(), [(ALPHA, Response::Moved { groups: vec!["disk".into()] })]);
    let view = pair.cluster(ALPHA).unwrap().view(pair.now());
    assert_eq!(view.groups[0].state, GroupState::Free);
}

#[test]
fn two_deaths_that_are_far_apart_are_two_restarts() {
    let mut pair = settled(GROUP, watched);
    for _ in 0..3 {
        pair.service_dies(ALPHA, "service");
        pair.run_for(secs(700));
        assert_eq!(pair.running(ALPHA).len(), 3, "{}", pair.transcript());
    }
}

#[test]
fn what_comes_up_by_itself_on_the_wrong_node_is_reported_once_and_not_touched() {
    let mut pair = settled(GROUP, watched);
    pair.service_comes_up(BETA, "service");
    pair.run_for(secs(200));
    assert_eq!(count(&pair, "service runs on this node although the other node holds its group"), 1);
    assert_eq!(pair.running(BETA), ["service"]);
}

#[test]
fn a_group_that_failed_on_both_nodes_is_tried_again_after_a_while() {
    let mut pair = settled(GROUP, |_| ());
    for node in [ALPHA, BETA] {
        pair.scripts.misbehave(node, "service", Verb::Start, Behaviour::Fails);
    }
    pair.power_off(ALPHA);
    pair.run_for(secs(20));
    pair.start(ALPHA);
    pair.run_for(secs(60));
    assert!(pair.running(ALPHA).is_empty() && pair.running(BETA).is_empty(), "{}", pair.transcript());
    pair.scripts.mend();
    pair.run_for(secs(700));
    assert_eq!(pair.running(ALPHA).len() + pair.running(BETA).len(), 3, "{}", pair.transcript());
}

const REQUEST: &str = "ip-request ipaddr=disk";
const IN_NICE: &str = "ip-request-resp dest=alpha ipaddr=disk weown=yes ok=OK";

#[test]
fn what_was_stopped_by_hand_is_started_again_when_req_resource_asks_for_it() {
    let mut pair = settled(GROUP, |_| ());
    for word in [REQUEST, IN_NICE] {
        for resource in ["service", "address"] {
            pair.service_dies(ALPHA, resource);
        }
        pair.run_for(secs(60));
        assert_eq!(pair.running(ALPHA), ["disk"], "nobody is asked to look");
        pair.write_fifo(ALPHA, word);
        pair.run_for(secs(5));
        assert_eq!((pair.running(ALPHA).len(), pair.running(BETA).len()), (3, 0), "{}", pair.transcript());
    }
    pair.service_dies(ALPHA, "service");
    pair.request(ALPHA, Request::Bring("disk".into()));
    pair.run_for(secs(5));
    assert_eq!(pair.take_replies(), [(ALPHA, Response::Moved { groups: vec!["disk".into()] })]);
    assert_eq!(pair.running(ALPHA).len(), 3, "{}", pair.transcript());
    assert!(pair.doubles().is_empty());
}

#[test]
fn what_runs_on_the_other_node_is_not_brought_by_req_resource_and_the_command_is_named() {
    let mut pair = settled(GROUP, |_| ());
    pair.write_fifo(BETA, REQUEST);
    pair.write_fifo(BETA, "ip-request-resp ipaddr=nothing ok=OK");
    pair.request(BETA, Request::Bring("disk".into()));
    pair.run_for(secs(30));
    assert_eq!((pair.running(ALPHA).len(), pair.running(BETA).len()), (3, 0), "{}", pair.transcript());
    let refused =
        "req_resource disk: not started here: disk runs on alpha, or may run there: `latido takeover foreign`";
    assert_eq!(count(&pair, refused), 1);
    assert_eq!(count(&pair, "req_resource nothing: not started here: there is no resource group \"nothing\""), 1);
    let replies = pair.take_replies();
    assert!(matches!(&replies[..], [(BETA, Response::Refused(_))]), "{replies:?}");
}

#[test]
fn in_legacy_req_resource_asks_the_other_node_for_a_group_of_ours() {
    let mut pair = settled(GROUP, |settings| settings.auto_failback = AutoFailback::Legacy);
    pair.service_dies(ALPHA, "address");
    pair.write_fifo(ALPHA, REQUEST);
    pair.run_for(secs(10));
    assert_eq!((pair.running(ALPHA).len(), pair.running(BETA).len()), (3, 0), "{}", pair.transcript());
    assert!(pair.doubles().is_empty());
}

#[test]
fn what_mach_down_started_beside_the_daemon_is_found_and_reported() {
    let mut pair = settled(GROUP, |_| ());
    pair.service_comes_up(BETA, "disk");
    pair.service_comes_up(BETA, "address");
    pair.write_fifo(BETA, "resource rsc_hold=foreign info=mach_down");
    pair.run_for(secs(10));
    let found = "runs on this node although the other node holds its group";
    assert_eq!((count(&pair, "mach_down was run by hand"), count(&pair, found)), (1, 2), "{}", pair.transcript());
    // Also when it is done a second time; by itself nobody looks.
    pair.run_for(secs(200));
    pair.write_fifo(BETA, "resource rsc_hold=foreign info=mach_down");
    pair.run_for(secs(10));
    assert_eq!(count(&pair, found), 4, "{}", pair.transcript());
}

/// The whole table is live: `tests/api/rscstatus.rs`.
#[test]
fn who_is_alone_tells_all_also_where_nothing_is_at_home_on_the_other() {
    for (mode, back) in [(AutoFailback::On, ["local", "local"]), (AutoFailback::Off, ["all", "none"])] {
        let mut pair = settled(GROUP, |settings| settings.auto_failback = mode);
        let told = |pair: &SimulatedPair| {
            [ALPHA, BETA].map(|node| pair.cluster(node).map(|cluster| cluster.view(pair.now()).rscstatus))
        };
        let some = |words: [&str; 2]| words.map(|word| Some(word.to_owned()));
        assert_eq!(told(&pair), some(["local", "local"]));
        pair.power_off(BETA);
        pair.run_for(secs(20));
        assert_eq!(told(&pair)[ALPHA].as_deref(), Some("all"), "{}", pair.transcript());
        pair.start(BETA);
        pair.run_for(secs(20));
        assert_eq!(told(&pair), some(back), "{mode:?}\n{}", pair.transcript());
    }
}

#[test]
fn a_takeover_is_called_complete_once_and_not_before_its_last_script_has_ended() {
    let mut pair = settled(GROUP, |_| {});
    let lines = |pair: &SimulatedPair, node: &str, text: &str| count(pair, &format!("{node:<5}  report  info: {text}"));
    assert_eq!(lines(&pair, "alpha", "Local Resource acquisition completed."), 1, "{}", pair.transcript());
    assert_eq!(lines(&pair, "beta", "No local resources [/usr/share/heartbeat/ResourceManager listkeys beta]"), 1);
    for node in ["alpha", "beta"] {
        assert_eq!(lines(&pair, node, "Initial resource acquisition complete (T_RESOURCES(us))"), 1, "{node}");
    }
    pair.power_off(ALPHA);
    pair.run_for(secs(20));
    let complete = "mach_down takeover complete for node alpha.";
    assert_eq!(lines(&pair, "beta", complete), 1, "{}", pair.transcript());
    assert!(position(&pair, "Taking over resource group disk") < position(&pair, "beta   run     disk start"));
    assert!(position(&pair, "beta   run     service start") < position(&pair, complete), "{}", pair.transcript());
    pair.start(ALPHA);
    pair.run_for(secs(20));
    assert_eq!(lines(&pair, "alpha", "Local Resource acquisition completed. (none)"), 1, "{}", pair.transcript());
    assert_eq!(lines(&pair, "alpha", "Initial resource acquisition complete (auto_failback)"), 1);
}

#[test]
fn what_does_not_start_is_never_called_complete() {
    let mut pair = settled(GROUP, |_| {});
    pair.scripts.misbehave(BETA, "service", Verb::Start, Behaviour::Fails);
    pair.power_off(ALPHA);
    pair.run_for(secs(40));
    assert_eq!(count(&pair, "Giving up resources due to failure of service"), 1, "{}", pair.transcript());
    assert_eq!(count(&pair, "takeover complete"), 0, "{}", pair.transcript());
}
