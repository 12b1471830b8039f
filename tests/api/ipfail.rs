//! ipfail, the original's and ours, at our sockets and at a real one: the node that loses its ping node gives up, the other
//! keeps what it has (`api.md` 4.2, `resources.md` 12.2 q).

use super::rig::{self, NAMES, run};
use super::runner::{Pace, Test};
use super::support::Kind::{Latido, Real};
use super::support::clock::{epoch, wait_until};
use super::support::{Failback, Kind, Medium, Pair, Plan, record, shell};
use crate::tests;

/// The tests of this file.
pub(crate) const TESTS: &[Test] = tests!(
    true,
    Pace::Together,
    [
        ipfail_at_our_socket_moves_the_resources_to_a_real_node_that_sees_more,
        ipfail_of_a_real_node_moves_the_resources_to_us_who_see_more,
        two_ipfails_at_our_sockets_move_the_resources,
        our_ipfail_moves_the_resources_to_a_real_node_that_sees_more,
        our_ipfail_gets_the_resources_of_a_real_node_that_sees_less,
        our_ipfail_on_both_nodes_moves_the_resources,
        a_cut_cable_moves_everything_to_our_ipfail_and_nothing_away_from_it,
        a_cut_cable_moves_everything_from_our_ipfail_and_nothing_to_it,
        a_cut_cable_between_two_of_our_ipfails_moves_everything_one_way,
    ]
);

/// The same, twenty times each.
pub(crate) const LONG: &[Test] =
    tests!(true, Pace::Long, [twenty_cut_cables_of_each_kind, twenty_lost_ping_nodes_of_each_kind]);

const THEIRS: &str = "respawn hacluster /usr/libexec/heartbeat/ipfail\n";
/// Where older packages had it, and Debian 12 has nothing.
const OURS: &str = "respawn hacluster /usr/lib/heartbeat/ipfail\n";

/// Of the rig's plan, in seconds.
const KEEPALIVE: f64 = 0.2;
const ALL: &[&str] = &["ra", "rb", "rc", "rd"];
const BALANCED: &str = "Ping node count is balanced";

fn started(plan: &Plan, lines: [&str; 2]) -> Pair {
    let pair = rig::pair(plan, "");
    rig::add(&pair, lines);
    rig::start(&pair);
    for name in NAMES {
        let host = pair.host(name);
        wait_until("ipfail", 10.0, || run(host, &format!("cl_status clientstatus {name} ipfail 1000")).1 == "online\n");
    }
    // The first hears the second join and tells it what it counts.
    wait_until("the first count", 10.0, || NAMES.iter().any(|name| pair.host(name).log().contains(BALANCED)));
    pair
}

/// alpha loses its ping node, and gets it back.
fn lost_and_found(alpha: Kind, beta: Kind, lines: [&str; 2]) {
    let pair = started(&rig::plan(alpha, beta), lines);
    let asked = pair.host("alpha").log().len();
    pair.switch.ignore("10.21.0.1", true);
    pair.settle(&[], &["ra", "rb"], 1.5 + 10.0);
    for phrase in
        ["NS: We are dead. :<", "Giving up because we were told that we have less ping nodes.", "giveup() called"]
    {
        pair.await_log("alpha", asked, phrase, 5.0);
    }
    pair.await_log("beta", 0, "Telling other node that we have more visible ping nodes.", 5.0);
    let waited = known_to_given_up(&pair);
    shell::print(&format!(
        "from the count known to alpha's ipfail ({alpha:?}, {}) to its giving up: {waited:.3} s",
        lines[0].trim()
    ));
    // The original looks at its clock once a second; half a keepalive is for processes to be woken.
    let limit = 2.5 * KEEPALIVE + if lines[0] == OURS { 0.0 } else { 1.5 };
    assert!(waited <= limit, "{waited} s\n{}", pair.tap.talk());
    rig::settled(&pair);
    let given = pair.host("beta").log().len();
    pair.switch.ignore("10.21.0.1", false);
    pair.await_log("beta", given, BALANCED, 10.0);
    pair.nothing_moves_for(5.0);
    pair.assert_never_double();
    pair.assert_real_content();
}

/// Seconds from beta's word that alpha sees less to alpha's wish to give up.
fn known_to_given_up(pair: &Pair) -> f64 {
    let heard = pair.tap.heard();
    let when = |node: &str, kind: &str| {
        let first = heard.iter().find(|heard| heard.node == node && heard.get("t") == kind);
        first.unwrap_or_else(|| panic!("no {kind} of {node} in\n{}", pair.tap.talk())).at
    };
    when("alpha", "ask_resources") - when("beta", "you_are_dead")
}

fn ipfail_at_our_socket_moves_the_resources_to_a_real_node_that_sees_more() {
    lost_and_found(Latido, Real, [THEIRS, THEIRS]);
}

fn ipfail_of_a_real_node_moves_the_resources_to_us_who_see_more() {
    lost_and_found(Real, Latido, [THEIRS, THEIRS]);
}

fn two_ipfails_at_our_sockets_move_the_resources() {
    lost_and_found(Latido, Latido, [THEIRS, THEIRS]);
}

fn our_ipfail_moves_the_resources_to_a_real_node_that_sees_more() {
    lost_and_found(Latido, Real, [OURS, THEIRS]);
}

fn our_ipfail_gets_the_resources_of_a_real_node_that_sees_less() {
    lost_and_found(Real, Latido, [THEIRS, OURS]);
}

fn our_ipfail_on_both_nodes_moves_the_resources() {
    lost_and_found(Latido, Latido, [OURS, OURS]);
}

/// With `auto_failback on`: alpha's cable to the ping node is cut, a second network goes on; then it is mended.
fn cut_and_mended(alpha: Kind, beta: Kind, lines: [&str; 2]) {
    let plan = rig::plan(alpha, beta).failback(Failback::On).over(&[Medium::Bcast(0), Medium::Bcast(1)]);
    let plan = plan.resources("alpha ra rb\nbeta rc rd\n");
    let pair = started(&plan, lines);
    let cut = epoch();
    pair.switch.cut("alpha", 0);
    pair.settle(&[], ALL, 1.5 + 10.0);
    rig::settled(&pair);
    // A real node that gives up "foreign" stops even what it does not run.
    let own =
        |call: &record::Call| call.at > cut && call.verb == "stop" && ["rc", "rd"].contains(&call.resource.as_str());
    assert!(!record::calls(&pair.host("beta").dir).iter().any(own), "the healthy node gave something up");
    pair.switch.mend("alpha", 0);
    pair.settle(&["ra", "rb"], &["rc", "rd"], 40.0);
    pair.assert_never_double();
    pair.assert_real_content();
}

fn a_cut_cable_moves_everything_to_our_ipfail_and_nothing_away_from_it() {
    cut_and_mended(Real, Latido, [THEIRS, OURS]);
}

fn a_cut_cable_moves_everything_from_our_ipfail_and_nothing_to_it() {
    cut_and_mended(Latido, Real, [OURS, THEIRS]);
}

fn a_cut_cable_between_two_of_our_ipfails_moves_everything_one_way() {
    cut_and_mended(Latido, Latido, [OURS, OURS]);
}

fn twenty_cut_cables_of_each_kind() {
    for _ in 0..20 {
        cut_and_mended(Real, Latido, [THEIRS, OURS]);
        cut_and_mended(Latido, Real, [OURS, THEIRS]);
        cut_and_mended(Latido, Latido, [OURS, OURS]);
    }
}

/// Real ones on both nodes, ours on either, ours on both.
fn twenty_lost_ping_nodes_of_each_kind() {
    let kinds = [
        (Latido, Latido, [THEIRS, THEIRS]),
        (Latido, Real, [OURS, THEIRS]),
        (Real, Latido, [THEIRS, OURS]),
        (Latido, Latido, [OURS, OURS]),
    ];
    std::thread::scope(|scope| {
        for (alpha, beta, lines) in kinds {
            scope.spawn(move || (0..20).for_each(|_| lost_and_found(alpha, beta, lines)));
        }
    });
}
