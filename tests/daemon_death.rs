//! A daemon dies and its successor goes on, in simulated time: inside deadtime nothing moves; later, leftovers are stopped
//! before the node speaks (`takeover.md` 9).

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test: its failures are panics")]

use std::time::Duration;

use latido::cluster::{AutoFailback, GroupState, Past, Request, Set};
use latido::haresources::Verb;
use latido::simulate::{Behaviour, SimulatedPair};

const GROUPS: &str = "alpha ra rb\nbeta rc";

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// Both nodes on, groups at home.
fn settled(mode: AutoFailback) -> SimulatedPair {
    let mut pair = SimulatedPair::new(GROUPS, 7, |settings| settings.auto_failback = mode).unwrap();
    pair.start(0);
    pair.start(1);
    pair.run_for(secs(20));
    assert_eq!((pair.running(0), pair.running(1)), (vec!["ra".into(), "rb".into()], vec!["rc".into()]));
    pair
}

/// What was said and done from `mark` on.
fn since(pair: &SimulatedPair, mark: usize) -> String {
    pair.transcript().split_off(mark)
}

fn mark(pair: &SimulatedPair) -> usize {
    pair.transcript().len()
}

/// Every script but `status` that ran.
fn scripts(text: &str) -> Vec<&str> {
    text.lines().filter(|line| line.contains(" run     ") && !line.contains(" status ")).collect()
}

fn assert_nothing_moved(pair: &SimulatedPair, from: usize) {
    let text = since(pair, from);
    assert!(scripts(&text).is_empty(), "{text}");
    assert!(!text.contains("is dead"), "{text}");
    assert!(pair.doubles().is_empty(), "{text}");
}

#[test]
fn a_daemon_back_within_deadtime_holds_what_ran_and_no_script_but_status_is_called() {
    for mode in [AutoFailback::On, AutoFailback::Off, AutoFailback::Legacy] {
        let mut pair = settled(mode);
        let from = mark(&pair);
        for node in [0, 1, 0, 1] {
            pair.crash(node);
            pair.run_for(ms(50));
            pair.start(node);
            pair.run_for(secs(10));
        }
        assert_nothing_moved(&pair, from);
        let text = since(&pair, from);
        assert!(text.contains("resource group ra runs as before"), "{text}");
        for node in [0, 1] {
            assert!(pair.cluster(node).unwrap().view(pair.now()).stable, "{mode:?} {text}");
        }
    }
}

#[test]
fn a_daemon_that_dies_ten_times_in_ten_seconds_moves_nothing_either() {
    let mut pair = settled(AutoFailback::On);
    let from = mark(&pair);
    for _ in 0..10 {
        pair.crash(0);
        pair.run_for(ms(50));
        pair.start(0);
        pair.run_for(ms(950));
    }
    pair.run_for(secs(20));
    assert_nothing_moved(&pair, from);
}

#[test]
fn both_daemons_dead_at_once_and_back_in_time_move_nothing() {
    let mut pair = settled(AutoFailback::On);
    let from = mark(&pair);
    pair.crash(0);
    pair.crash(1);
    pair.run_for(ms(50));
    pair.start(0);
    pair.start(1);
    pair.run_for(secs(20));
    assert_nothing_moved(&pair, from);
    assert_eq!((pair.running(0), pair.running(1)), (vec!["ra".into(), "rb".into()], vec!["rc".into()]));
}

#[test]
fn groups_of_a_dead_peer_are_kept_and_go_home_once_when_it_returns() {
    let mut pair = settled(AutoFailback::On);
    pair.power_off(1);
    pair.run_for(secs(10));
    assert_eq!(pair.running(0).len(), 3);
    let from = mark(&pair);
    pair.crash(0);
    pair.run_for(ms(50));
    pair.start(0);
    pair.run_for(secs(20));
    assert!(scripts(&since(&pair, from)).is_empty(), "{}", since(&pair, from));
    pair.start(1);
    pair.run_for(secs(20));
    assert_eq!((pair.running(0), pair.running(1)), (vec!["ra".into(), "rb".into()], vec!["rc".into()]));
    assert!(pair.doubles().is_empty());
}

#[test]
fn what_was_moved_by_hand_stays_where_it_was_put() {
    let mut pair = settled(AutoFailback::On);
    pair.request(0, Request::Takeover(Set::Foreign));
    pair.run_for(secs(5));
    assert_eq!(pair.running(0).len(), 3);
    let from = mark(&pair);
    pair.crash(0);
    pair.run_for(ms(50));
    pair.start(0);
    pair.run_for(secs(30));
    assert_nothing_moved(&pair, from);
}

#[test]
fn a_takeover_that_was_interrupted_is_finished() {
    let mut pair = settled(AutoFailback::On);
    pair.scripts.slowness = ms(700);
    pair.power_off(0);
    // The peer is dead after five seconds, the first start is under way.
    assert!(pair.run_until(secs(10), |pair| pair.running(1).contains(&"ra".to_owned())));
    let from = mark(&pair);
    pair.crash(1);
    pair.run_for(ms(50));
    pair.start(1);
    pair.run_for(secs(20));
    assert_eq!(pair.running(1), ["ra", "rb", "rc"]);
    let text = since(&pair, from);
    let starts: Vec<_> = scripts(&text).into_iter().filter_map(|line| line[26..].split(" -> ").next()).collect();
    assert_eq!(starts, ["rb start"], "{text}");
}

#[test]
fn a_script_in_flight_is_waited_for_before_its_resource_is_asked() {
    let mut pair = settled(AutoFailback::On);
    pair.scripts.slowness = ms(2000);
    pair.leave(0);
    // `rb stop` is at work when the daemon dies; its successor lets it end, then goes on leaving.
    pair.run_for(ms(500));
    let from = mark(&pair);
    pair.crash(0);
    pair.run_for(ms(50));
    pair.start(0);
    pair.run_for(secs(30));
    let text = since(&pair, from);
    assert!(!pair.is_on(0), "it was told to leave: {text}");
    assert!(pair.doubles().is_empty(), "{text}");
    assert_eq!(pair.running(1), ["ra", "rb", "rc"], "{text}");
}

#[test]
fn a_hand_over_interrupted_at_either_side_leaves_one_owner() {
    for (who, after) in [(0, 5), (0, 30), (0, 80), (1, 30), (1, 80), (1, 120), (1, 200)] {
        let mut pair = settled(AutoFailback::On);
        pair.scripts.slowness = ms(40);
        pair.request(0, Request::Standby(Set::Local));
        pair.run_for(ms(after));
        pair.crash(who);
        pair.run_for(ms(50));
        pair.start(who);
        pair.run_for(secs(30));
        let text = pair.transcript();
        assert!(pair.doubles().is_empty(), "{who} {after}: {text}");
        let (here, there) = (pair.running(0), pair.running(1));
        assert_eq!(here.len() + there.len(), 3, "{who} {after}: {here:?} {there:?} {text}");
        assert!((0..2).all(|node| pair.cluster(node).unwrap().view(pair.now()).stable), "{who} {after}: {text}");
    }
}

#[test]
fn after_deadtime_leftovers_are_stopped_before_the_node_speaks() {
    for mode in [AutoFailback::On, AutoFailback::Off, AutoFailback::Legacy] {
        let mut pair = settled(mode);
        pair.crash(0);
        pair.run_for(secs(8));
        assert!(pair.is_doubled(), "without fencing the peer starts what nobody stops here");
        let from = mark(&pair);
        pair.start(0);
        pair.run_for(secs(1));
        assert!(!pair.is_doubled());
        let text = since(&pair, from);
        let stops = text.find("ra stop").unwrap();
        let word = text.find("Local status now set to").unwrap();
        assert!(stops < word, "{text}");
        assert!(!text[..stops].contains("alpha  send"), "{text}");
        pair.run_for(secs(30));
        assert_eq!(pair.running(0).len() + pair.running(1).len(), 3, "{}", pair.transcript());
    }
}

#[test]
fn leftovers_that_hang_keep_the_node_silent_and_its_watchdog_fed() {
    let mut pair = settled(AutoFailback::On);
    pair.crash(0);
    pair.run_for(secs(8));
    pair.scripts.misbehave(0, "ra", Verb::Stop, Behaviour::Hangs);
    let from = mark(&pair);
    pair.start(0);
    pair.run_for(secs(9));
    assert!(!since(&pair, from).contains("alpha  send"));
    assert_eq!(pair.cluster(0).unwrap().view(pair.now()).groups[0].state, GroupState::Stopping);
}

#[test]
fn one_death_too_many_stops_everything_and_leaves_without_a_word() {
    let mut pair = settled(AutoFailback::On);
    let kept = pair.notes(0).unwrap();
    pair.crash(0);
    let from = mark(&pair);
    pair.start_after(0, Past::Hopeless(kept));
    pair.run_for(secs(4));
    assert!(!pair.is_on(0));
    assert!(pair.running(0).is_empty());
    assert!(!since(&pair, from).contains("alpha  send"));
    pair.run_for(secs(5));
    assert_eq!(pair.running(1), ["ra", "rb", "rc"]);
    assert!(pair.doubles().is_empty());
}

#[test]
fn a_switched_off_machine_is_no_crash() {
    let mut pair = settled(AutoFailback::On);
    pair.power_off(0);
    pair.run_for(ms(100));
    let from = mark(&pair);
    pair.start(0);
    pair.run_for(secs(20));
    assert!(since(&pair, from).contains("(start)\n"));
    assert_eq!((pair.running(0), pair.running(1)), (vec!["ra".into(), "rb".into()], vec!["rc".into()]));
    assert!(pair.doubles().is_empty());
}

#[test]
fn the_program_is_exchanged_with_nothing_moving_even_if_that_takes_longer_than_deadtime() {
    let mut pair = settled(AutoFailback::On);
    let from = mark(&pair);
    pair.upgrade(0);
    // It goes as soon as the other node has confirmed that it will be patient, and not before.
    assert!(pair.is_on(0));
    pair.run_for(ms(50));
    assert!(!pair.is_on(0));
    pair.run_for(secs(9));
    pair.start(0);
    pair.run_for(secs(20));
    assert_nothing_moved(&pair, from);
}

#[test]
fn an_upgrade_waits_until_all_is_quiet() {
    let mut pair = settled(AutoFailback::On);
    pair.scripts.slowness = ms(500);
    pair.request(0, Request::Standby(Set::Local));
    pair.run_for(ms(100));
    pair.upgrade(0);
    assert!(pair.is_on(0));
    pair.run_for(secs(10));
    assert!(!pair.is_on(0));
    assert_eq!(pair.running(1), ["ra", "rb", "rc"]);
    pair.start(0);
    pair.run_for(secs(10));
    assert!(pair.doubles().is_empty());
}

#[test]
fn what_runs_at_a_first_start_is_reported_with_what_to_do() {
    let mut pair = SimulatedPair::new(GROUPS, 7, |_| {}).unwrap();
    pair.runs_by_itself(0, "rc");
    pair.start(0);
    pair.run_for(secs(1));
    let text = pair.transcript();
    assert!(text.contains("CRIT: CRITICAL: Resource rc is active, and should not be!"), "{text}");
    assert!(!text.contains("Resource ra is active"), "{text}");
}
