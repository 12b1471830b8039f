//! One core that is told one thing at a time: what a pair of cores never says to each other, and what it says too seldom
//! for a play. Beta is an original that says what the test says.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "support/one_core.rs"]
#[allow(dead_code, clippy::unwrap_used, reason = "others use the rest")]
mod one_core;

use std::collections::BTreeSet;
use std::time::Duration;

use latido::cluster::{
    Action, AutoFailback, Cluster, Event, GroupState, Medium, Monitor, NotedGroup, Notes, Past, Probe, Request, Set,
    Settings, StartFacts,
};
use latido::haresources::{Exit, Outcome, Verb};
use latido::names::{ClientId, MediumId, NodeName};
use latido::simulate::{groups, settings};
use latido::time::{Mono, Now, Wall};
use latido::wire::{Generation, Kind, Message, field};

use one_core::{Core, now};

#[test]
fn only_who_calls_us_dead_and_shot_seems_deaf() {
    let after = |words: &str| {
        let mut core = Core::legacy("alpha ra", |_| {});
        core.pass(10_000);
        core.hear("ip-request-resp ipaddr=ra ok=OK weown=no");
        assert!(core.up.contains("ra"), "{:#?}", core.done);
        core.hear(words);
        core.pass(15_000);
        core.up.contains("ra")
    };
    assert!(after("stonith node=gamma result=n_stnth"), "another is dead");
    assert!(after("stonith node=alpha result=bad"), "a device failed");
    assert!(!after("stonith node=ALPHA result=n_stnth"), "it takes what we run");
}

#[test]
fn in_legacy_a_question_that_was_lost_is_asked_again_and_only_an_answer_gives_a_group() {
    let mut core = Core::legacy("alpha ra", |_| {});
    let asked = core.times("send ip-request");
    assert!(asked > 0, "{:#?}", core.done);
    core.pass(7000);
    assert!(core.times("send ip-request") >= asked + 2, "{:#?}", core.done);
    core.hear("ip-request-resp ipaddr=ra weown=yes");
    assert!(!core.up.contains("ra"), "{:#?}", core.done);
    core.hear("ip-request-resp ipaddr=ra ok=OK weown=yes");
    assert!(core.up.contains("ra"), "{:#?}", core.done);
}

#[test]
fn in_legacy_nobody_is_asked_what_he_holds_when_a_lot_was_lost() {
    let lost_a_lot = |mode| {
        let mut core = Core::legacy("alpha ra", |settings| settings.auto_failback = mode);
        core.hear("resource rsc_hold=foreign rtype=full isstable=1");
        core.pass(3000);
        let before = core.times("send starting");
        core.sequence += 1000;
        core.pass(3000);
        assert!(core.times("report") > 0 && core.times("lost a lot") > 0, "{:#?}", core.done);
        core.times("send starting") - before
    };
    assert_eq!((lost_a_lot(AutoFailback::On), lost_a_lot(AutoFailback::Legacy)), (1, 0));
}

#[test]
fn a_beat_of_a_peer_makes_none_of_ours() {
    let mut core = Core::legacy("alpha ra", |_| {});
    core.pass(10_000);
    let before = core.times("send status");
    core.pass(30_000);
    assert!((29..=31).contains(&(core.times("send status") - before)), "{:#?}", core.done);
}

#[test]
fn names_and_cables_of_files_that_are_reread_wait_for_the_next_start() {
    let mut core = Core::legacy("alpha ra", |_| {});
    let before = core.cluster.settings().clone();
    let mut fresh = settings("beta").unwrap();
    fresh.nodes.reverse();
    fresh.media.pop();
    fresh.warntime = Duration::from_secs(4);
    core.tell(Event::Reconfigure(Box::new((fresh, groups("alpha ra")))));
    let after = core.cluster.settings();
    assert_eq!((&after.me, &after.nodes, &after.media), (&before.me, &before.nodes, &before.media));
    assert_eq!(after.warntime, Duration::from_secs(4));
}

#[test]
fn a_beat_says_after_how_long_we_are_dead_and_what_is_for_the_peer_names_its_uuid() {
    let core = Core::legacy("alpha ra", |_| {});
    let beats: Vec<&Message> = core.sent.iter().filter(|message| message.kind() == Kind::Status).collect();
    assert!(beats.len() > 2 && beats.iter().all(|beat| beat.get(field::DT) == Some("1388")), "{beats:?}");
    let for_beta = core.sent.iter().filter(|message| message.get(field::DEST) == Some("beta"));
    let uuids: BTreeSet<_> = for_beta.map(|message| message.binary(field::DEST_UUID)).collect();
    assert_eq!(uuids, BTreeSet::from([Some([9; 16].as_slice())]));
}

#[test]
fn what_only_scripts_understand_is_handed_to_them() {
    let mut core = Core::legacy("alpha ra", |_| {});
    core.hear("hello a=b");
    assert_eq!(core.times("notify hello"), 1, "{:#?}", core.done);
}

#[test]
fn a_fencing_device_that_would_not_work_is_named_each_hour_until_it_works_again() {
    let mut core = Core::new("alpha ra", &[], |settings| settings.fences = vec!["power".into()]);
    core.device = Outcome::code(1);
    core.pass(60_000);
    assert_eq!(core.times("STONITH device power not operational! (exit 1)"), 1, "{:#?}", core.done);
    core.pass(3_600_000);
    assert_eq!(core.times("STONITH device power not operational! (exit 1)"), 2);
    core.device = Outcome::code(0);
    core.pass(7_200_000);
    assert_eq!(core.times("STONITH device power works again"), 1);
}

#[test]
fn a_group_of_which_only_the_second_runs_at_a_start_is_started_from_its_first() {
    let mut core = Core::new("alpha ra rb", &["rb"], |_| {});
    core.pass(10_000);
    assert_eq!(core.times("run ra start"), 0, "the other node may run it: {:#?}", core.done);
    core.pass(10_000);
    assert_eq!((core.times("run ra start"), core.times("run rb start")), (1, 0), "{:#?}", core.done);
}

/// What a watched resource of a node alone comes to when its `status` ends like this.
fn watched(exit: Exit, said: &str) -> Core {
    let with = Probe::Status;
    let every = Duration::from_secs(2);
    let mut core = Core::new("alpha ra", &[], |settings| {
        settings.monitors = vec![Monitor { resource: "*".into(), every, failures: 2, restarts: 1, with: with.clone() }];
    });
    core.pass(20_000);
    assert_eq!((core.times("run ra start"), core.times("does not work")), (1, 0), "{:#?}", core.done);
    core.running = Some(Outcome { exit, said: said.into() });
    core.pass(2500);
    assert_eq!(core.times("run ra start"), 1, "once is not enough: {:#?}", core.done);
    core.pass(2000);
    core
}

#[test]
fn a_watched_resource_is_not_asked_again_before_it_has_answered() {
    let mut core = watched(Exit::Code(0), "running");
    core.running = None;
    let before = core.times("run ra status");
    core.pass(10_000);
    assert_eq!(core.times("run ra status") - before, 1, "{:#?}", core.done);
}

#[test]
fn a_status_that_hung_or_was_killed_or_says_nothing_is_no_proof_of_health() {
    for (exit, said) in [(Exit::TimedOut, "running"), (Exit::Signal(9), "running"), (Exit::Code(0), "")] {
        let core = watched(exit.clone(), said);
        assert_eq!(core.times("ra does not work"), 2, "{exit} {said}: {:#?}", core.done);
        assert_eq!(core.times("run ra start"), 2, "{exit} {said}: restarted: {:#?}", core.done);
    }
    // Its exit code is nobody's business as long as it says so.
    let core = watched(Exit::Code(3), "running");
    assert_eq!((core.times("does not work"), core.times("run ra start")), (0, 1), "{:#?}", core.done);
}

#[test]
fn a_status_that_could_not_be_run_proves_nothing_and_nothing_is_restarted_for_it() {
    let mut core = watched(Exit::NotFound("/etc/ha.d/resource.d/ra may be written by everybody".into()), "");
    core.pass(60_000);
    let did = ["does not work", "run ra stop"].map(|what| core.times(what));
    assert_eq!((did, core.times("run ra start")), ([0, 0], 1), "{:#?}", core.done);
    core.running = Some(Outcome { exit: Exit::Code(0), said: "running".into() });
    core.pass(4000);
    core.running = Some(Outcome::code(1));
    core.pass(4500);
    assert_eq!(core.times("run ra start"), 2, "its own word counts again: {:#?}", core.done);
}

/// Beta, an original, holds all that is its own, and alpha holds the rest.
fn beside_an_original(lines: &str) -> Core {
    let mut core = Core::legacy(lines, |settings| settings.auto_failback = AutoFailback::Off);
    core.hear("resource rsc_hold=local rtype=full isstable=1");
    core.pass(3000);
    assert!(core.up.contains("ra") && !core.up.contains("rb"), "{:#?}", core.done);
    core
}

#[test]
fn an_original_that_offers_its_groups_at_the_same_moment_is_yielded_to() {
    let mut core = beside_an_original("alpha ra\nbeta rb");
    core.tell(Event::Request { client: ClientId(1), request: Request::Standby(Set::Local), by: String::new() });
    assert_eq!(core.times("send ask_resources"), 1, "{:#?}", core.done);
    core.hear("ask_resources rsc_hold=local info=me");
    core.hear("resource rsc_hold=none rtype=full isstable=0 info=standby");
    let said: Vec<_> = core.sent.iter().filter_map(|message| message.get(field::INFO)).collect();
    assert_eq!(said, ["me", "other"], "{:#?}", core.done);
    core.hear("ask_resources rsc_hold=local info=done");
    assert!(core.up.contains("ra") && core.up.contains("rb"), "{:#?}", core.done);
}

#[test]
fn while_a_group_is_handed_over_its_giver_may_claim_it_still() {
    let mut core = beside_an_original("alpha ra\nbeta rb");
    core.hear("ask_resources rsc_hold=local info=me");
    core.slow = true;
    core.hear("ask_resources rsc_hold=local info=done");
    assert_eq!(core.times("run rb start"), 1, "{:#?}", core.done);
    core.hear("resource rsc_hold=local rtype=full isstable=1");
    core.pass(4000);
    assert_eq!((core.times("run rb stop"), core.times("both")), (0, 0), "{:#?}", core.done);
}

/// Beta, an original, says in its last beat when alpha is told this; then nothing more is heard.
fn then_silence(keepalive: u64, deadtime: u64) -> Core {
    let mut core = Core::legacy("alpha ra", |settings| {
        settings.auto_failback = AutoFailback::Off;
        settings.keepalive = Duration::from_millis(keepalive);
        settings.deadtime = Duration::from_millis(deadtime);
    });
    core.hear("resource rsc_hold=none rtype=full isstable=1");
    core.pass(3000);
    core.beats = false;
    core
}

#[test]
fn who_exchanges_his_program_waits_no_longer_than_half_a_deadtime_for_who_does_not_confirm_it() {
    let mut core = then_silence(1000, 3000);
    core.tell(Event::Upgrade);
    core.tell(Event::Tick);
    core.pass(1499);
    assert_eq!(core.times("exit"), 0, "{:#?}", core.done);
    core.pass(2);
    assert_eq!(core.times("exit Upgrade"), 1, "{:#?}", core.done);
}

#[test]
fn who_stood_still_listens_for_no_longer_than_half_a_deadtime_before_he_judges() {
    let mut core = then_silence(1000, 2000);
    core.hear("status st=active dt=7d0 protocol=1");
    core.ms += 4000;
    core.tell(Event::Tick);
    assert_eq!((core.times("stood still"), core.times("is dead")), (1, 0), "{:#?}", core.done);
    core.pass(999);
    assert_eq!(core.times("is dead"), 0, "{:#?}", core.done);
    core.pass(2);
    assert_eq!(core.times("is dead"), 1, "{:#?}", core.done);
}

#[test]
fn clients_are_told_when_a_ping_node_answers_again() {
    let router = || NodeName::new("router").unwrap();
    let mut core = Core::new("alpha ra", &[], |settings| {
        settings.media.push(Medium { id: MediumId::new("router"), ping_node: Some(router()) });
    });
    let answer = |core: &mut Core| {
        let mut message = Message::new(&Kind::NsSt).with(field::SRC, "router");
        let asked = core.sent.iter().rfind(|said| said.kind() == Kind::Status).expect("a status");
        for name in [field::TS, field::HG, field::SEQ] {
            message.set(name, asked.get(name).expect("in each"));
        }
        core.tell(Event::Message { medium: MediumId::new("router"), at: now(core.ms).mono, message });
    };
    answer(&mut core);
    core.pass(1000);
    answer(&mut core);
    assert_eq!(core.times("deliver NS_st"), 1, "{:#?}", core.done);
    core.pass(60_000);
    answer(&mut core);
    assert_eq!((core.times("node router: is dead"), core.times("deliver NS_st")), (1, 2), "{:#?}", core.done);
}

#[test]
fn another_machine_with_our_name_is_told_from_an_echo_and_from_our_life_before() {
    let mut core = Core::legacy("alpha ra", |_| {});
    let echo = core.sent.first().unwrap().clone();
    core.tell(Event::Message { medium: MediumId::new("eth0"), at: now(core.ms).mono, message: echo });
    core.hear_own_name(8, "0");
    assert_eq!(core.times("another machine"), 0, "{:#?}", core.done);
    core.hear_own_name(8, "1");
    assert_eq!(core.times("another machine"), 1, "{:#?}", core.done);
}

#[test]
fn a_beat_is_late_after_more_than_warntime() {
    let mut core = then_silence(1000, 5000);
    for (after, late) in [(1000, 0), (2500, 0), (2501, 1)] {
        core.pass(after);
        core.hear("status st=active dt=1388 protocol=1");
        assert_eq!(core.times("Late heartbeat"), late, "{after}: {:#?}", core.done);
    }
}

#[test]
fn a_port_is_asked_only_where_the_service_runs() {
    let with = Probe::Tcp("127.0.0.1:5038".parse().unwrap());
    let every = Duration::from_secs(2);
    let watch = |settings: &mut Settings| {
        settings.monitors = vec![Monitor { resource: "*".into(), every, failures: 2, restarts: 1, with: with.clone() }];
    };
    let mut core = Core::new("alpha ra\nbeta rb", &[], watch);
    core.beats = true;
    core.pass(2000);
    core.hear("resource rsc_hold=local rtype=full isstable=1");
    core.pass(10_000);
    let asked = |core: &Core| (core.times("probe Tcp"), core.times("run ra status"), core.times("run rb status"));
    let before = asked(&core);
    core.pass(60_000);
    let after = asked(&core);
    assert!(after.0 > before.0 && after.1 == before.1, "{before:?} {after:?} {:#?}", core.done);
    assert_eq!((core.times("run rb start"), after.2 > before.2), (0, true), "{before:?} {after:?}");
}

#[test]
fn a_client_is_answered_when_the_taker_is_done_and_says_nothing_more() {
    let mut core = beside_an_original("alpha ra\nbeta rb");
    core.tell(Event::Request { client: ClientId(1), request: Request::Standby(Set::Local), by: String::new() });
    core.hear("ask_resources rsc_hold=local info=other");
    assert_eq!(core.times("run ra stop"), 1, "{:#?}", core.done);
    core.hear("ask_resources rsc_hold=local info=done");
    core.pass(4000);
    assert_eq!((core.times("reply Moved"), core.times("reply")), (1, 1), "{:#?}", core.done);
}

/// A life of a minute after this past, in which every script does its work at once; what was stopped.
fn stopped_after(past: Past, spec: &str) -> BTreeSet<String> {
    let start_facts = StartFacts { past, ..StartFacts::new(Generation(5), [7; 16], 1) };
    let mut cluster = Cluster::start(settings("alpha").unwrap(), groups(spec), start_facts, Now::default());
    let mut stopped = BTreeSet::new();
    for second in 0..60 {
        let now = Now { mono: Mono::ZERO + Duration::from_secs(second), wall: Wall(1_700_000_000 + second) };
        let mut events = vec![Event::Tick];
        while let Some(event) = events.pop() {
            for action in cluster.handle(now, event) {
                let Action::Run { job, invocation, .. } = action else { continue };
                if invocation.verb == Verb::Stop {
                    stopped.insert(invocation.to_string());
                }
                let (code, said) = if invocation.verb == Verb::Status { (3, "stopped") } else { (0, "") };
                events.push(Event::Done { job, outcome: Outcome { exit: Exit::Code(code), said: said.into() } });
            }
        }
    }
    stopped
}

#[test]
fn notes_that_name_a_group_twice_make_nothing_panic_and_all_of_it_is_stopped() {
    let group = |words: &[&str], state| NotedGroup {
        owner: NodeName::new("alpha").unwrap(),
        words: words.iter().map(|word| (*word).to_owned()).collect(),
        state,
        since_partition: false,
        offered: false,
        failure: None,
    };
    for first in GroupState::ALL {
        for second in GroupState::ALL {
            let groups = vec![group(&["old", "rb"], first), group(&["old", "rc"], second), group(&["older"], first)];
            for spec in ["", "alpha old\n", "alpha ra\nbeta older\n"] {
                for past in [Past::Crashed, Past::Late, Past::Hopeless] {
                    stopped_after(past(Notes { groups: groups.clone(), ..Notes::default() }), spec);
                }
            }
        }
    }
    let groups = vec![group(&["old", "rb"], GroupState::Held), group(&["old", "rc"], GroupState::Held)];
    let stopped = stopped_after(Past::Late(Notes { groups, ..Notes::default() }), "");
    assert_eq!(stopped.len(), 3, "{stopped:?}");
}
