//! What somebody without the key can do with messages he has kept, and what a node does that counts from a lower number than
//! before (`takeover.md` 14; `wire.md` 4.1, 4.2): one core, told one thing at a time. Beta is an original.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "support/one_core.rs"]
#[allow(dead_code, clippy::unwrap_used, reason = "others use the rest")]
mod one_core;

use latido::cluster::{AutoFailback, Event, Medium, Request, Settings, StartFacts, Status};
use latido::names::{ClientId, MediumId, NodeName};
use latido::wire::{Generation, Kind, Message, Sequence, field};
use proptest::prelude::*;

use one_core::{Core, now};

const BEAT: &str = "status st=active dt=1388 protocol=1";

fn beta() -> NodeName {
    NodeName::new("beta").unwrap()
}

/// Born with this memory of beta.
fn reborn(generation: u64, sequence: u64, ahead: Option<i64>) -> Core {
    let start_facts = StartFacts {
        remembered: vec![(beta(), Generation(generation), Sequence(sequence))],
        clocks: ahead.map(|ahead| (beta(), ahead)).into_iter().collect(),
        ..StartFacts::new(Generation(9), [7; 16], 3)
    };
    Core::born("alpha ra\nbeta rb", &[], |settings| settings.auto_failback = AutoFailback::Off, start_facts)
}

fn status_of(core: &Core, name: &str) -> Status {
    core.cluster.view(now(core.ms).mono).nodes.iter().find(|node| node.name.as_str() == name).unwrap().status
}

fn last_said(core: &Core) -> u64 {
    core.sent.iter().rev().find_map(Message::sequence).unwrap().0
}

/// Beta beats in this generation for so long.
fn beat(core: &mut Core, generation: &str, times: u32) {
    for _ in 0..times {
        core.hear(&format!("{BEAT} hg={generation}"));
        core.pass(1000);
    }
}

fn with_router(settings: &mut Settings) {
    settings.media.push(Medium { id: MediumId::new("router"), ping_node: NodeName::new("router") });
}

#[test]
fn a_ping_node_lives_only_by_new_answers_that_come_from_it() {
    let mut core = Core::legacy("alpha ra", with_router);
    let answer = |core: &Core| {
        let asked = core.sent.iter().rfind(|said| said.kind() == Kind::Status).unwrap();
        [field::TS, field::HG, field::SEQ]
            .into_iter()
            .fold(Message::new(&Kind::NsSt).with(field::SRC, "router").with(field::ST, "ping"), |message, name| {
                message.with(name, asked.get(name).unwrap())
            })
    };
    let kept = answer(&core);
    core.receive("router", kept.clone());
    assert_eq!(status_of(&core, "router"), Status::Ping);
    core.pass(60_000);
    assert_eq!(status_of(&core, "router"), Status::Dead);
    // Kept; said on a network; of a former life of ours; what nobody asked.
    core.receive("router", kept.clone());
    let fresh = answer(&core);
    core.receive("eth0", fresh.clone());
    core.receive("router", fresh.clone().with(field::HG, "0"));
    core.receive("router", fresh.clone().with(field::SEQ, "ffffffffffffffff"));
    core.receive("router", kept.with(field::HG, ""));
    assert_eq!(status_of(&core, "router"), Status::Dead, "{:#?}", core.done);
    core.receive("router", fresh);
    assert_eq!(status_of(&core, "router"), Status::Ping);
}

#[test]
fn a_node_does_not_speak_through_a_ping_node() {
    let mut core = Core::new("alpha ra", &[], with_router);
    let word = core.word(&format!("{BEAT} seq=1"));
    core.receive("router", word);
    assert_eq!(status_of(&core, "beta"), Status::Init);
}

#[test]
fn no_link_is_up_by_what_has_no_number() {
    let mut core = Core::legacy("alpha ra", |_| {});
    core.beats = false;
    core.pass(60_000);
    let links = |core: &Core| {
        core.cluster.view(now(core.ms).mono).nodes.iter().any(|node| node.links.iter().any(|link| link.up))
    };
    assert!(!links(&core));
    for kind in
        ["NS_ackmsg ackseq=1", "NS_rexmit firstseq=1 lastseq=1", "NS_nak_rexmit firstseq=1", "NS_st st=ping", "NS_x"]
    {
        let word = core.word(kind);
        core.receive("eth0", word);
        assert!(!links(&core), "{kind}: {:#?}", core.done);
    }
}

#[test]
fn what_a_dead_node_has_said_moves_nothing_when_it_is_said_again() {
    let words = [
        "ip-request ipaddr=rb",
        "ip-request-resp ipaddr=rb ok=OK weown=yes",
        "hb_takeover rsc_hold=all",
        "shutdone",
        "ask_resources rsc_hold=all info=me",
        "starting",
        "resource rsc_hold=all rtype=full isstable=1",
        "status st=up dt=1388",
        "stonith node=alpha result=n_stnth",
        BEAT,
    ];
    for mode in [AutoFailback::Legacy, AutoFailback::On, AutoFailback::Off] {
        let mut core = Core::legacy("alpha ra\nbeta rb", |settings| settings.auto_failback = mode);
        let kept: Vec<Message> = (0..words.len() as u64)
            .map(|n| {
                core.word(words[usize::try_from(n).unwrap()])
                    .with(field::SEQ, format!("{:x}", core.sequence - n.min(2)))
            })
            .collect();
        core.beats = false;
        core.pass(60_000);
        assert_eq!(core.up.len(), 2, "{:#?}", core.done);
        let before = core.times("run r");
        for word in &kept {
            for medium in ["eth0", "eth1"] {
                core.receive(medium, word.clone());
            }
            core.pass(500);
        }
        core.pass(60_000);
        assert_eq!(
            (core.times("run r"), status_of(&core, "beta")),
            (before, Status::Dead),
            "{mode:?} {:#?}",
            core.done
        );
    }
}

#[test]
fn an_original_that_counts_from_a_lower_number_lives_as_soon_as_it_acknowledges_ours() {
    let mut core = reborn(500, 70, None);
    core.pass(3000);
    beat(&mut core, "2a", 30);
    assert_eq!(core.times("run rb start"), 0, "rightly signed words forbid taking: {:#?}", core.done);
    assert_eq!(status_of(&core, "beta"), Status::Init);
    assert!(core.cluster.view(now(core.ms).mono).doubted.unwrap().contains("latido forget-peer beta"));
    // What may have been kept: any number that was known before we were asked to believe it, or is none of ours.
    for ackseq in ["5", "64", "ffffffffffffffff"] {
        core.hear(&format!("NS_ackmsg ackseq={ackseq} dest=alpha hg=2a"));
        beat(&mut core, "2a", 1);
        assert_eq!(status_of(&core, "beta"), Status::Init, "{ackseq}");
    }
    core.hear(&format!("NS_ackmsg ackseq={:x} dest=alpha hg=29", last_said(&core)));
    beat(&mut core, "2a", 1);
    assert_eq!(status_of(&core, "beta"), Status::Init, "another life said so");
    core.hear(&format!("NS_ackmsg ackseq={:x} dest=alpha hg=2a", last_said(&core)));
    beat(&mut core, "2a", 1);
    assert_eq!(status_of(&core, "beta"), Status::Active, "{:#?}", core.done);
    assert!(
        core.times("counts its starts from a lower number") == 1
            && core.cluster.view(now(core.ms).mono).doubted.is_none()
    );
    beat(&mut core, "2a", 5);
    assert_eq!(status_of(&core, "beta"), Status::Active, "{:#?}", core.done);
}

#[test]
fn recorded_words_that_come_again_and_again_keep_no_dead_node_alive() {
    let mut core = reborn(500, 70, None);
    core.pass(3000);
    let record: Vec<Message> = (1..5).map(|n| core.word(&format!("{BEAT} hg=2a seq={n}"))).collect();
    for _ in 0..20 {
        for word in &record {
            core.receive("eth0", word.clone());
            core.pass(1000);
        }
    }
    assert_eq!(status_of(&core, "beta"), Status::Dead, "{:#?}", core.done);
    assert!(core.up.contains("rb"));
    assert!(core.times("send status") < 400, "it was not answered each time");
}

/// A slow line may bring it, or we were not run for a while; an original logs an error when our numbers jump.
#[test]
fn one_late_word_of_an_original_is_no_reason_to_alarm_it() {
    let mut core = reborn(500, 70, None);
    core.pass(3000);
    beat(&mut core, "1f5", 5);
    core.pass(2000);
    let said = last_said(&core);
    for word in ["status st=init dt=1388 protocol=1 hg=1f5 seq=1", "status st=up dt=1388 protocol=1 hg=1f5 seq=2"] {
        let word = core.word(word);
        core.receive("eth0", word);
        core.pass(10);
    }
    beat(&mut core, "1f5", 5);
    assert!(last_said(&core) < said + 100, "it jumped from {said} to {}", last_said(&core));
    // Who goes on with it is asked.
    core.pass(4000);
    for n in 1..4 {
        let word = core.word(&format!("{BEAT} hg=2a seq={n:x}"));
        core.receive("eth0", word);
        core.pass(1000);
    }
    assert!(last_said(&core) > said + 1000, "it was never asked");
}

/// Deadtime is 5 s; a second between each two words when they were said.
#[test]
fn a_record_played_more_slowly_than_it_was_made_keeps_nobody_alive() {
    for (pause, skip) in [(4000, 1), (2000, 1), (4900, 3), (1900, 1)] {
        let mut core = reborn(500, 70, None);
        core.pass(3000);
        beat(&mut core, "1f5", 5);
        // A second ago.
        let died = core.ms - 1000;
        let said = (1..400).step_by(skip).map(|n| {
            let word = core.word(&format!("{BEAT} hg=2a seq={n:x}"));
            word.with(field::TS, format!("{:x}", now(0).wall.0 - 9000 + n))
        });
        let record: Vec<Message> = said.collect();
        for word in record {
            core.receive("eth0", word);
            core.pass(pause);
            if status_of(&core, "beta") == Status::Dead {
                break;
            }
            let troubles = core.cluster.view(now(core.ms).mono).doubted;
            assert_eq!(troubles.is_some(), core.ms - died >= 5000, "{pause} {}: {troubles:?}", core.ms - died);
        }
        assert_eq!(status_of(&core, "beta"), Status::Dead, "{pause}: {:#?}", core.done);
        assert!(core.ms - died < 22_000, "{pause}: after {} ms", core.ms - died);
    }
}

#[test]
fn after_our_restart_what_is_older_by_its_clock_is_no_news() {
    for text in [BEAT, "status st=up dt=1388 protocol=1", "shutdone"] {
        for hg in ["1f4", "1f5"] {
            let mut core = reborn(500, 70, Some(3600));
            core.pass(3000);
            let mut kept = core.word(&format!("{text} hg={hg} seq=50"));
            kept.set(field::TS, format!("{:x}", now(core.ms).wall.0 + 3600 - 60));
            core.receive("eth0", kept.clone());
            core.receive("eth0", kept.clone().with(field::T, "shutdone").with(field::SEQ, "51"));
            core.pass(1000);
            assert_eq!(status_of(&core, "beta"), Status::Init, "{text} {hg}: {:#?}", core.done);
            assert_eq!(core.times("run rb start"), 0, "{text} {hg}: {:#?}", core.done);
            kept.set(field::TS, format!("{:x}", now(core.ms).wall.0 + 3600));
            core.receive("eth0", kept.with(field::T, "status").with(field::ST, "active").with(field::SEQ, "60"));
            assert_eq!(status_of(&core, "beta"), Status::Active, "{text} {hg}: {:#?}", core.done);
        }
    }
}

#[test]
fn nobody_has_counted_so_far_and_who_says_so_poisons_nothing() {
    for generation in ["ffffffffffffffff", "7fffffffffffffff", "100000000", "fffffffffffffffe"] {
        let mut core = Core::legacy("alpha ra", |_| {});
        for kind in ["status st=active", "status st=init", "starting", "shutdone", "hello", "resource rsc_hold=all"] {
            let word = core.word(&format!("{kind} hg={generation} seq=1"));
            core.receive("eth0", word);
        }
        core.pass(20_000);
        assert_eq!(status_of(&core, "beta"), Status::Active, "{generation}: {:#?}", core.done);
        assert_eq!(core.times("Heartbeat restart"), 0, "{generation}: {:#?}", core.done);
    }
}

#[test]
fn an_administrator_lets_a_node_count_from_anew() {
    let mut core = reborn(u64::MAX / 4, 70, None);
    core.pass(3000);
    beat(&mut core, "2a", 5);
    let ask = |core: &mut Core, name: &str| {
        let request = Request::Forget(NodeName::new(name).unwrap());
        core.tell(Event::Request { client: ClientId(1), request, by: String::new() });
    };
    ask(&mut core, "gamma");
    assert_eq!(core.times("is no other node of ha.cf"), 1);
    ask(&mut core, "beta");
    beat(&mut core, "2a", 3);
    assert_eq!(status_of(&core, "beta"), Status::Active, "{:#?}", core.done);
    ask(&mut core, "beta");
    assert_eq!(core.times("nothing to forget"), 1);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Numbers at both ends of their range, in every field that carries one, rightly signed.
    #[test]
    fn no_number_from_outside_ends_the_core(
        words in proptest::collection::vec((0..14_usize, 0..9_usize, 0..9_usize, 0..9_usize, 0..9_usize), 1..40),
        ahead: Option<i64>,
    ) {
        const NUMBERS: [&str; 9] = ["0", "1", "2a", "7fffffffffffffff", "8000000000000000", "fffffffffffffffe",
            "ffffffffffffffff", "18446744073709551615", "-1"];
        const KINDS: [&str; 14] = ["status st=active", "status st=init", "NS_ackmsg", "NS_rexmit", "NS_nak_rexmit", "resource rsc_hold=all",
            "starting", "ask_resources rsc_hold=all", "shutdone", "ip-request ipaddr=ra", "reqnodes", "stonith node=alpha result=x",
            "T_latido", "status st=up"];
        let mut core = reborn(u64::MAX - 1, u64::MAX - 1, ahead);
        for (kind, hg, seq, ts, other) in words {
            let other = NUMBERS[other];
            let text = format!("{} hg={} seq={} ts={} ackseq={other} firstseq={other} lastseq={other} dt={other} hears={other} \
                proof={other} prove={other}", KINDS[kind], NUMBERS[hg], NUMBERS[seq], NUMBERS[ts]);
            let word = core.word(&text);
            core.receive("eth0", word);
            core.pass(700);
        }
    }
}
