//! The dialogues of `resources.md` 10 and 12, spoken by two originals, and by one beside a core of ours.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test: its failures are panics")]

use std::time::Duration;

use latido::cluster::{AutoFailback, Request, Set, Settings};
use latido::diagnostic::SourceText;
use latido::haresources::Verb;
use latido::simulate::Version::{self, V2_1_3, V3_0_6};
use latido::simulate::{Behaviour, NAMES, Observed, Play, SimulatedPair, groups, settings};
use latido::time::Mono;

const GROUPS: &str = "alpha ra rb\nbeta rc rd";

fn pair(edit: impl Fn(&mut Settings)) -> SimulatedPair {
    let mut pair = SimulatedPair::new(GROUPS, 1, edit).unwrap();
    pair.exact = true;
    pair
}

fn run(pair: &mut SimulatedPair, seconds: f64) {
    pair.run_for(Duration::from_secs_f64(seconds));
}

/// Both run the original, each its own groups.
fn originals(version: Version, edit: impl Fn(&mut Settings)) -> SimulatedPair {
    let mut pair = pair(edit);
    pair.boot_original(0, version);
    run(&mut pair, 0.3);
    pair.boot_original(1, version);
    run(&mut pair, 30.0);
    assert_home(&pair);
    pair
}

fn assert_home(pair: &SimulatedPair) {
    assert!(pair.is_home(0) && pair.is_home(1), "{}", pair.transcript());
}

/// What was said about resources since then, in order.
fn words(pair: &SimulatedPair, since: Mono) -> Vec<String> {
    let word = |text: &str| {
        let known = ["starting", "resource", "ask_resources", "stonith", "shutdone", "ip-request", "hb_takeover"];
        let text = text.strip_prefix("t=")?;
        known
            .iter()
            .any(|kind| text.starts_with(kind))
            .then(|| text.replace("rsc_hold=", "").replace(" rtype=full", ""))
    };
    let observations = pair.observations().iter().filter(|observation| observation.at >= since);
    let said = observations.filter_map(|observation| {
        let Observed::Sent(text) = &observation.what else { return None };
        Some(format!("{} {}", pair.name(observation.node?), word(text)?))
    });
    said.collect()
}

/// The scripts of one verb that were called since then, in order.
fn calls(pair: &SimulatedPair, verb: Verb, since: Mono) -> Vec<String> {
    let observations = pair.observations().iter().filter(|observation| observation.at >= since);
    let called = observations.filter_map(|observation| {
        let Observed::Ran(call, _) = &observation.what else { return None };
        (call.verb == verb)
            .then(|| format!("{} {}", pair.name(observation.node.unwrap_or_default()), call.resource.word))
    });
    called.collect()
}

/// When a node logged or said this first since then.
fn when(pair: &SimulatedPair, node: usize, text: &str, since: Mono) -> Mono {
    let mut observations =
        pair.observations().iter().filter(|observation| observation.at >= since && observation.node == Some(node));
    observations
        .find(|observation| observation.what.text().contains(text))
        .unwrap_or_else(|| panic!("{text}:\n{}", pair.transcript()))
        .at
}

fn cut(pair: &mut SimulatedPair, is_cut: bool) {
    (0..2).for_each(|medium| pair.cut_both(medium, is_cut));
}

#[test]
fn two_that_start_together_wait_ten_seconds_for_each_other() {
    let pair = originals(V3_0_6, |_| {});
    let said = words(&pair, Mono::ZERO);
    for node in ["alpha", "beta"] {
        let of_node = said.iter().filter_map(|word| word.strip_prefix(&format!("{node} ")));
        let mut claims: Vec<_> =
            of_node.filter(|word| !word.contains("ip-request") && !word.contains("info")).collect();
        claims.dedup();
        // A `starting` that comes before a node is active itself is lost, and not answered.
        let silent = ["starting", "resource local isstable=1"];
        assert!(
            claims == ["starting", "resource none isstable=0", "resource local isstable=1"] || claims == silent,
            "{said:?}"
        );
    }
    let waited = when(&pair, 0, "ra start", Mono::ZERO).since(when(&pair, 0, "t=resource", Mono::ZERO));
    assert!((10_000..11_000).contains(&waited.as_millis()), "{waited:?}");
    assert_eq!(calls(&pair, Verb::Start, Mono::ZERO).len(), 4);
    assert!(
        when(&pair, 0, "Local Resource acquisition completed.", Mono::ZERO) < when(&pair, 0, "ra start", Mono::ZERO)
    );
}

#[test]
fn one_alone_takes_everything_at_initdead_and_the_others_first() {
    let mut pair = pair(|_| {});
    pair.boot_original(0, V3_0_6);
    run(&mut pair, 40.0);
    let expected = [
        "alpha stonith node=beta result=n_stnth",
        "alpha starting",
        "alpha ip-request-resp dest=alpha ipaddr=ra weown=yes ok=OK",
        "alpha resource all isstable=1 info=req_our_resources()",
        "alpha resource foreign info=mach_down",
    ];
    assert_eq!(words(&pair, Mono::ZERO)[..5], expected);
    assert_eq!(calls(&pair, Verb::Start, Mono::ZERO), ["alpha rc", "alpha rd", "alpha ra", "alpha rb"]);
    let dead = when(&pair, 0, "is dead", Mono::ZERO).elapsed();
    assert!((12_000..13_000).contains(&dead.as_millis()), "{dead:?}");
}

#[test]
fn the_holder_offers_what_it_holds_to_the_owner_that_returns() {
    let mut pair = pair(|_| {});
    pair.boot_original(1, V3_0_6);
    run(&mut pair, 40.0);
    let from = pair.now();
    pair.boot_original(0, V3_0_6);
    run(&mut pair, 20.0);
    let expected = [
        "alpha starting",
        "beta resource all isstable=1",
        "alpha resource none isstable=0",
        "alpha resource none isstable=1",
        "beta resource all isstable=1",
        "beta ask_resources foreign info=me",
        "alpha ask_resources foreign info=other",
        "beta resource local isstable=0 info=standby",
        "beta ask_resources foreign info=done",
        "alpha resource local isstable=1",
        "alpha ask_resources foreign info=done",
        "beta resource local isstable=1",
    ];
    let mut said = words(&pair, from);
    // What is merely said again at each change of the other's is no step.
    said.dedup();
    let steps: Vec<_> = said
        .iter()
        .scan(0, |at, word| {
            if expected.get(*at) == Some(&word.as_str()) {
                *at += 1;
            }
            Some(*at)
        })
        .collect();
    assert_eq!(steps.last(), Some(&expected.len()), "{said:#?}");
    assert_home(&pair);
    assert!(pair.doubles().is_empty());
}

#[test]
fn with_failback_off_nothing_moves_at_a_return() {
    let mut pair = pair(|settings| settings.auto_failback = AutoFailback::Off);
    pair.boot_original(1, V3_0_6);
    run(&mut pair, 40.0);
    let from = pair.now();
    pair.boot_original(0, V3_0_6);
    run(&mut pair, 60.0);
    assert!(calls(&pair, Verb::Stop, from).is_empty() && calls(&pair, Verb::Start, from).is_empty());
    assert!(pair.running(0).is_empty());
}

#[test]
fn a_dead_owner_is_taken_over_and_the_claim_comes_before_the_scripts_end() {
    let mut pair = originals(V3_0_6, |_| {});
    pair.run_to_beat(0);
    let from = pair.now();
    pair.power_off(0);
    run(&mut pair, 10.0);
    let expected = [
        "beta stonith node=alpha result=n_stnth",
        "beta resource all isstable=1 info=req_our_resources()",
        "beta resource foreign info=mach_down",
    ];
    assert_eq!(words(&pair, from), expected);
    assert_eq!(calls(&pair, Verb::Start, from), ["beta ra", "beta rb"]);
    let silent = when(&pair, 1, "is dead", from).since(from);
    assert!((5_000..6_100).contains(&silent.as_millis()), "{silent:?}");
}

#[test]
fn who_leaves_says_none_before_its_stop_scripts_run_and_shutdone_after() {
    let mut pair = originals(V3_0_6, |_| {});
    let from = pair.now();
    pair.leave(0);
    run(&mut pair, 20.0);
    let expected = [
        "alpha resource none isstable=0 info=shutdown",
        "alpha shutdone st=dead",
        "beta resource all isstable=1 info=req_our_resources()",
        "beta resource all isstable=1",
        "beta ask_resources all info=done",
        "beta resource foreign info=mach_down",
        "beta stonith node=alpha result=unneeded",
    ];
    assert_eq!(words(&pair, from), expected);
    assert_eq!(calls(&pair, Verb::Stop, from), ["alpha rb", "alpha ra", "alpha rd", "alpha rc"]);
    assert!(when(&pair, 0, "info=shutdown", from) < when(&pair, 0, "rb stop", from));
    let farewell = when(&pair, 0, "(left)", from).since(when(&pair, 0, "shutdone", from));
    assert!((1_900..2_600).contains(&farewell.as_millis()), "{farewell:?}");
    assert!(!pair.is_on(0) && pair.doubles().is_empty());
}

#[test]
fn two_that_leave_together_start_nothing() {
    let mut pair = originals(V3_0_6, |_| {});
    let from = pair.now();
    pair.leave(0);
    run(&mut pair, 0.01);
    pair.leave(1);
    run(&mut pair, 20.0);
    assert!(calls(&pair, Verb::Start, from).is_empty(), "{}", pair.transcript());
    assert!(!pair.is_on(0) && !pair.is_on(1) && !pair.runs_without_daemon());
}

#[test]
fn a_standby_is_me_other_done_done() {
    let mut pair = originals(V3_0_6, |_| {});
    let from = pair.now();
    pair.request(0, Request::Standby(Set::All));
    run(&mut pair, 20.0);
    let expected = [
        "alpha ask_resources all info=me",
        "beta ask_resources all info=other",
        "alpha resource none isstable=0 info=standby",
        "alpha ask_resources all info=done",
        "beta resource all isstable=1",
        "beta ask_resources all info=done",
        "alpha resource none isstable=1",
        "alpha resource none isstable=1",
        "beta resource all isstable=1",
    ];
    assert_eq!(words(&pair, from), expected);
    assert_eq!(pair.running(1).len(), 4);
    assert!(pair.doubles().is_empty());
}

#[test]
fn a_takeover_is_a_standby_of_the_other() {
    let mut pair = originals(V2_1_3, |_| {});
    let from = pair.now();
    pair.request(1, Request::Takeover(Set::Foreign));
    run(&mut pair, 20.0);
    let said = words(&pair, from);
    assert_eq!(
        said[..3],
        ["beta hb_takeover foreign", "alpha ask_resources local info=me", "beta ask_resources local info=other"]
    );
    assert_eq!(pair.running(1).len(), 4);
}

#[test]
fn a_standby_without_an_other_is_cancelled_after_ten_seconds() {
    let mut pair = originals(V3_0_6, |_| {});
    pair.power_off(0);
    run(&mut pair, 30.0);
    let from = pair.now();
    pair.request(1, Request::Standby(Set::All));
    run(&mut pair, 20.0);
    let waited = when(&pair, 1, "Standby request cancelled", from).since(from);
    assert!((10_000..12_100).contains(&waited.as_millis()), "{waited:?}");
    assert_eq!(pair.running(1).len(), 4);
}

#[test]
fn a_partition_that_heals_restarts_both_and_costs_a_quarter_of_a_minute() {
    for version in [V2_1_3, V3_0_6] {
        let mut pair = originals(version, |_| {});
        cut(&mut pair, true);
        run(&mut pair, 15.0);
        assert!(pair.running(0).len() == 4 && pair.running(1).len() == 4, "both hold everything");
        let from = pair.now();
        cut(&mut pair, false);
        run(&mut pair, 40.0);
        for node in [0, 1] {
            let returned = when(&pair, node, "returning after partition", from);
            let restarted = when(&pair, node, "Heartbeat shutdown in progress", from);
            assert!((2_000..4_000).contains(&restarted.since(returned).as_millis()));
            let pause = when(&pair, node, "restart exec", from).since(when(&pair, node, "Restarting heartbeat", from));
            assert_eq!(pause.as_millis(), 6_000);
        }
        let back = when(&pair, 1, "rd start", from).max(when(&pair, 0, "rb start", from)).since(from);
        assert!((20_000..26_000).contains(&back.as_millis()), "{version}: {back:?}");
        assert_home(&pair);
        let second_death = words(&pair, from).iter().any(|word| word.contains("unneeded"));
        assert_eq!(second_death, version == V3_0_6);
    }
}

#[test]
fn a_start_that_fails_is_claimed_and_half_a_minute_later_the_wrong_groups_move() {
    let mut pair = pair(|_| {});
    pair.scripts.misbehave(0, "rb", Verb::Start, Behaviour::Fails);
    pair.boot_original(0, V3_0_6);
    pair.boot_original(1, V3_0_6);
    run(&mut pair, 20.0);
    let failed = when(&pair, 0, "Giving up resources due to failure of rb", Mono::ZERO);
    assert!(words(&pair, failed).iter().all(|word| !word.contains("alpha resource none")), "it goes on claiming");
    run(&mut pair, 40.0);
    let moved = when(&pair, 0, "Going standby [foreign]", failed).since(failed);
    assert!((30_000..31_000).contains(&moved.as_millis()), "{moved:?}");
    assert!(pair.location(1).is_once(), "beta's innocent group is bounced and is there again");
    assert!(!pair.location(0).is_up(), "alpha's own stays down for ever");
}

#[test]
fn a_stop_that_fails_for_good_resets_the_machine() {
    let mut pair = originals(V3_0_6, |_| {});
    pair.scripts.misbehave(0, "rb", Verb::Stop, Behaviour::Fails);
    let from = pair.now();
    pair.leave(0);
    run(&mut pair, 30.0);
    let reset = when(&pair, 0, "power off", from).since(when(&pair, 0, "rb stop", from));
    assert!((10_000..12_000).contains(&reset.as_millis()), "{reset:?}");
    assert_eq!(calls(&pair, Verb::Stop, from).iter().filter(|call| *call == "alpha rb").count(), 11);
}

#[test]
fn a_script_that_hangs_holds_up_the_order_to_leave_for_an_hour() {
    let mut pair = originals(V3_0_6, |_| {});
    pair.scripts.misbehave(0, "rb", Verb::Stop, Behaviour::Hangs);
    pair.leave(0);
    run(&mut pair, 3_500.0);
    assert!(pair.is_on(0));
    run(&mut pair, 110.0);
    assert!(!pair.is_on(0) && pair.running(0).contains(&"ra".to_owned()));
}

#[test]
fn one_that_stood_still_takes_a_living_node_for_dead_if_it_is_of_3_0() {
    for version in [V2_1_3, V3_0_6] {
        let mut pair = originals(version, |_| {});
        let from = pair.now();
        pair.stall(0, Duration::from_secs(8));
        run(&mut pair, 10.0);
        let level = if version == V3_0_6 { "CRIT: Late heartbeat" } else { "WARN: Late heartbeat" };
        when(&pair, 0, level, from);
        let stonith = words(&pair, from).contains(&"alpha stonith node=beta result=n_stnth".to_owned());
        assert_eq!(stonith, version == V3_0_6, "{}", pair.transcript());
        when(&pair, 1, "returning after partition", from);
    }
}

#[test]
fn its_scripts_go_on_while_its_master_stands_still() {
    let mut pair = originals(V3_0_6, |_| {});
    let from = pair.now();
    pair.request(0, Request::Standby(Set::Local));
    assert!(pair.run_until(Duration::from_secs(5), |pair| !calls(pair, Verb::Stop, from).is_empty()));
    pair.stall(0, Duration::from_secs(3));
    run(&mut pair, 2.0);
    assert_eq!(calls(&pair, Verb::Stop, from), ["alpha rb", "alpha ra"]);
    assert!(!words(&pair, from).contains(&"alpha ask_resources local info=done".to_owned()), "its word waits");
    run(&mut pair, 5.0);
    assert!(words(&pair, from).contains(&"alpha ask_resources local info=done".to_owned()));
}

#[test]
fn a_failback_during_a_takeover_leaves_two_owners() {
    let mut pair = originals(V3_0_6, |_| {});
    pair.scripts.misbehave(1, "ra", Verb::Start, Behaviour::Slow(Duration::from_secs(12)));
    pair.power_off(0);
    let from = pair.now();
    assert!(pair.run_until(Duration::from_secs(9), |pair| !calls(pair, Verb::Start, from).is_empty()));
    run(&mut pair, 2.0);
    pair.boot_original(0, V3_0_6);
    run(&mut pair, 60.0);
    when(&pair, 1, "T_STARTING received during takeover", Mono::ZERO);
    assert!(pair.is_doubled(), "{}", pair.transcript());
}

#[test]
fn in_legacy_the_owner_that_returns_asks_for_its_groups() {
    let mut pair = pair(|settings| settings.auto_failback = AutoFailback::Legacy);
    pair.boot_original(1, V3_0_6);
    run(&mut pair, 30.0);
    assert_eq!(pair.running(1).len(), 4, "{}", pair.transcript());
    let from = pair.now();
    pair.boot_original(0, V3_0_6);
    run(&mut pair, 10.0);
    let expected = ["alpha ip-request ipaddr=ra", "beta ip-request-resp dest=alpha ipaddr=ra weown=yes ok=OK"];
    assert_eq!(words(&pair, from), expected);
    assert_home(&pair);
}

#[test]
fn one_that_leaves_answers_starting_with_none_and_unstable() {
    let mut pair = pair(|_| {});
    pair.boot_original(0, V3_0_6);
    pair.boot_original(1, V3_0_6);
    run(&mut pair, 30.0);
    pair.power_off(1);
    run(&mut pair, 20.0);
    pair.scripts.misbehave(0, "rb", Verb::Stop, Behaviour::Slow(Duration::from_secs(6)));
    pair.leave(0);
    run(&mut pair, 2.5);
    let from = pair.now();
    pair.start(1);
    run(&mut pair, 4.0);
    let said = words(&pair, from);
    let answer = said.iter().find(|word| word.starts_with("alpha resource")).unwrap();
    assert_eq!(answer, "alpha resource none isstable=0");
}

#[test]
fn a_core_of_ours_beside_it_hears_what_was_recorded_beside_a_real_one() {
    let recorded = include_str!("replay/beside_heartbeat.txt");
    let heard = |line: &str| Some(line.split_once("heard   t=")?.1.split_once(" from ")?.0.replace(" rtype=full", ""));
    let recorded: Vec<_> = recorded.lines().filter_map(heard).map(|word| word.replace("rsc_hold=", "")).collect();
    let mut pair = pair(|settings| {
        settings.keepalive = Duration::from_millis(500);
        settings.deadtime = Duration::from_secs(2);
        settings.media.pop();
    });
    pair.start(1);
    run(&mut pair, 0.05);
    pair.boot_original(0, V3_0_6);
    run(&mut pair, 5.0);
    pair.request(1, Request::Standby(Set::All));
    run(&mut pair, 5.0);
    let said = words(&pair, Mono::ZERO);
    let mine: Vec<_> = said.iter().filter_map(|word| word.strip_prefix("alpha ")).collect();
    let recorded: Vec<_> = recorded.iter().filter(|word| !word.starts_with("req")).map(String::as_str).collect();
    assert_eq!(mine, recorded, "{}", pair.transcript());
    assert_eq!(pair.running(0).len(), 4);
    assert!(pair.doubles().is_empty());
}

#[test]
fn the_same_seed_is_the_same_story() {
    let story = |seed: u64| {
        let mut pair = SimulatedPair::new(GROUPS, seed, |_| {}).unwrap();
        pair.boot_original(0, V3_0_6);
        pair.start(1);
        for _ in 0..40 {
            let node = usize::from(pair.random(2) == 1);
            match pair.random(9) {
                0 => pair.power_off(node),
                1 => pair.leave(node),
                2 => pair.crash(node),
                3 => pair.stall(node, Duration::from_secs(7)),
                4 => cut(&mut pair, true),
                5 => {
                    pair.request(node, Request::Standby(Set::All));
                }
                6 => pair.scripts.misbehave(node, "ra", Verb::Start, Behaviour::Fails),
                7 => pair.boot_original(node, V2_1_3),
                _ => cut(&mut pair, false),
            }
            let pause = Duration::from_millis(pair.random(20_000));
            pair.run_for(pause);
        }
        pair.transcript()
    };
    for seed in 1..20 {
        assert_eq!(story(seed), story(seed));
    }
}

#[test]
fn a_play_starts_it_and_every_verb_works_on_it() {
    let text = "start alpha\noriginal beta boots 2.1.3\nwithin 30 home\nstandby beta all\nwithin 10 alpha runs ra rb rc rd\n\
                expect answered\nkill beta\nexpect silent beta\nwait 8\noriginal beta boots\nwithin 30 home\nexpect never both\n\
                leave beta\nwithin 10 alpha runs ra rb rc rd\n";
    let (both, groups) = (NAMES.map(|name| settings(name).unwrap()), groups(GROUPS));
    let source = SourceText::new("play", text);
    let play = Play::parse(&source, &both, &groups).unwrap();
    let performance = play.perform(&both, &groups, None);
    assert!(performance.complaints.is_empty(), "{:?}\n{}", performance.complaints, performance.pair.transcript());
}
