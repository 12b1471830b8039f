//! The segment without the key: what was recorded is sent again, and nodes count from a lower number (`takeover.md` 14).

use latido::auth::{KeyId, Keyring, Method};
use latido::wire::{Form, Kind as Type, Message, field, seal};

use super::runner::{Pace, Test};
use super::support::clock::{epoch, pass, secs, wait_until};
use super::support::host::Host;
use super::support::pair::{NAMES, node_status};
use super::support::stranger::as_stranger;
use super::support::{Failback, Kind, Pair, Plan, record};
use crate::tests;

/// The tests of this file.
pub(crate) const TESTS: &[Test] = tests!(
    false,
    Pace::Unhurried,
    [
        what_a_dead_node_said_once_brings_it_back_to_nobody,
        what_was_recorded_while_we_were_down_is_no_news_to_our_next_life,
        a_latido_with_a_lower_generation_is_believed_when_it_proves_that_it_lives,
        one_signed_packet_with_a_number_at_the_end_of_its_range_ends_nobody,
    ]
);

/// Beside the original.
pub(crate) const MIXED: &[Test] = tests!(
    true,
    Pace::Unhurried,
    [an_original_with_a_lower_generation_is_believed_when_it_acknowledges_what_nobody_could_know]
);

fn plan(beta: Kind) -> Plan {
    Plan::new(Kind::Latido, beta).timed(200, 1500).failback(Failback::Off)
}

/// `status` of a node in the eyes of alpha.
fn in_the_eyes_of_alpha(pair: &Pair, node: &str) -> Option<String> {
    let alpha = pair.host("alpha");
    let said = alpha.run(&format!("{} status --json", alpha.program("latido")));
    node_status(&String::from_utf8_lossy(&said.stdout), node)
}

/// Everything beta has said so far, with the key or not, as it went over the wire.
fn recording(pair: &Pair) -> Vec<Vec<u8>> {
    pair.tap.heard().iter().filter(|heard| heard.node == "beta").map(|heard| heard.bytes.clone()).collect()
}

fn replay(pair: &Pair, words: &[Vec<u8>]) {
    as_stranger(pair, |stranger| {
        for word in words {
            stranger.send(word);
            pass(secs(0.002));
        }
    });
}

/// Rightly signed with the key of the pair.
fn signed(message: &Message) -> Vec<u8> {
    let key = KeyId::new(1).expect("a number of a key");
    seal(message, &Keyring::single(key, Method::Sha1, "SuperSecret"), Form::ClassicNul)
}

fn moves(host: &Host, from: f64) -> usize {
    record::counted(&host.dir, from).iter().filter(|(call, _)| !call.ends_with("status")).map(|(_, times)| times).sum()
}

fn what_a_dead_node_said_once_brings_it_back_to_nobody() {
    let plan = plan(Kind::Latido);
    let mut pair = Pair::new(&plan);
    for name in NAMES {
        pair.host(name).add_to_ha_cf("ping 10.21.0.77\ndeadping 1500ms\n");
    }
    pair.start_both();
    pair.settle(&["ra", "rb"], &["rc", "rd"], 30.0);
    pair.both_active(10.0);
    let mut words = recording(&pair);
    // What an enemy makes of the pair's own words: an answer of the ping node, as alpha would have signed it.
    let ts = pair.tap.heard().last().expect("somebody speaks").get("ts").to_owned();
    let answer = Message::new(&Type::NsSt).with(field::ST, "ping").with(field::SRC, "10.21.0.77").with(field::TS, ts);
    words.push(signed(&answer));
    pair.power_off("beta");
    pair.settle(&["ra", "rb", "rc", "rd"], &[], 20.0);
    pair.stable("alpha", 10.0);
    let from = epoch();
    let log = pair.host("alpha").log().len();
    for _ in 0..3 {
        replay(&pair, &words);
    }
    assert_eq!(in_the_eyes_of_alpha(&pair, "beta").as_deref(), Some("dead"));
    assert_eq!(in_the_eyes_of_alpha(&pair, "10.21.0.77").as_deref(), Some("dead"));
    assert_eq!(moves(pair.host("alpha"), from), 0);
    let said = pair.host("alpha").log().split_off(log);
    assert!(!said.contains("Link beta:eth0 up.") && said.lines().count() < 40, "{said}");
}

fn what_was_recorded_while_we_were_down_is_no_news_to_our_next_life() {
    let mut pair = Pair::running(&plan(Kind::Latido).initdead(4000));
    pair.settle(&["ra", "rb"], &["rc", "rd"], 30.0);
    pair.both_active(10.0);
    let alpha = pair.host("alpha");
    alpha.stop().wait().expect("it ends");
    pair.settle(&[], &["ra", "rb", "rc", "rd"], 20.0);
    // Beta leaves while nobody hears it, and an enemy keeps its words: they say that alpha may take everything.
    let beta = pair.host("beta");
    beta.stop().wait().expect("it ends");
    let words = recording(&pair);
    pair.power_off("beta");
    // Old enough that no cable can hold them any more.
    pass(secs(12.0));
    let log = pair.host("alpha").log().len();
    pair.host("alpha").start();
    wait_until("alpha is up", 20.0, || pair.host("alpha").log()[log..].contains("Local status now set to: 'up'"));
    replay(&pair, &words);
    let said = pair.host("alpha").log().split_off(log);
    assert!(!said.contains("node beta: status active") && !said.contains("Received shutdown notice"), "{said}");
    assert_ne!(in_the_eyes_of_alpha(&pair, "beta").as_deref(), Some("active"));
    // It is judged by its silence, as if nothing had been sent.
    pair.settle(&["ra", "rb", "rc", "rd"], &[], 20.0);
}

/// Beta's generation goes back to this number while alpha runs.
fn go_back(pair: &Pair, to: u32) {
    let beta = pair.host("beta");
    beta.stop().wait().expect("it ends");
    pair.settle(&["ra", "rb", "rc", "rd"], &[], 20.0);
    beta.run(&format!("printf '%15d\n' {to} >/var/lib/heartbeat/hb_generation; rm -f /run/latido/latido-generation*"));
}

fn a_latido_with_a_lower_generation_is_believed_when_it_proves_that_it_lives() {
    let pair = Pair::running(&plan(Kind::Latido));
    pair.both_active(10.0);
    let log = pair.host("alpha").log().len();
    go_back(&pair, 41);
    pair.host("beta").start();
    pair.await_log("alpha", log, "counts its starts from a lower number", 20.0);
    pair.both_active(20.0);
    pair.assert_never_double();
}

fn an_original_with_a_lower_generation_is_believed_when_it_acknowledges_what_nobody_could_know() {
    let pair = Pair::running(&plan(Kind::Real));
    pair.both_active(30.0);
    for to in [41, 31] {
        let log = pair.host("alpha").log().len();
        go_back(&pair, to);
        pair.host("beta").start();
        pair.await_log("alpha", log, "counts its starts from a lower number", 40.0);
        pair.both_active(30.0);
        // The same for an alpha that was born meanwhile and knows it from its notes only.
        pair.settle(&["ra", "rb", "rc", "rd"], &[], 10.0);
        let alpha = pair.host("alpha");
        alpha.stop().wait().expect("it ends");
        pair.settle(&[], &["ra", "rb", "rc", "rd"], 40.0);
        alpha.start();
        pair.both_active(40.0);
        alpha.run(&format!("{} all", alpha.program("hb_takeover")));
        pair.settle(&["ra", "rb", "rc", "rd"], &[], 40.0);
    }
    pair.assert_never_double();
}

fn one_signed_packet_with_a_number_at_the_end_of_its_range_ends_nobody() {
    let pair = Pair::running(&plan(Kind::Latido));
    pair.both_active(10.0);
    let cores = NAMES.map(|name| pair.host(name).core());
    let mut words = Vec::new();
    for number in ["0", "7fffffffffffffff", "fffffffffffffffe", "ffffffffffffffff", "18446744073709551615", "-1"] {
        for kind in ["status", "resource", "NS_rexmit", "NS_ackmsg", "NS_nak_rexmit", "starting", "NS_st"] {
            for name in [
                field::SEQ,
                field::HG,
                field::TS,
                field::DT,
                field::FIRSTSEQ,
                field::LASTSEQ,
                field::ACKSEQ,
                "hears",
                "proof",
            ] {
                let message = Message::new(&Type::from_text(kind)).with(field::ST, "active").with(field::SRC, "beta");
                let message = message.with(field::HG, "1").with(field::SEQ, "1").with(field::TS, "1");
                words.push(signed(&message.with(name, number)));
            }
        }
    }
    replay(&pair, &words);
    assert_eq!(NAMES.map(|name| pair.host(name).core()), cores);
    pair.both_active(20.0);
}
