//! A heartbeat 3.0.6 beside a Latido, either as `alpha`: every medium and every method at least once each way round.

use super::runner::{Pace, Test};
use super::scenarios;
use super::support::Kind::{Latido, Real};
use super::support::{Failback, Medium, Method, Pair, Plan};
use crate::tests;

/// The tests of this file.
pub(crate) const TESTS: &[Test] = tests!(
    true,
    Pace::Together,
    [
        both_cut_off_from_a_real_node_and_back_have_one_owner_and_our_groups_never_stopped,
        cut_off_from_a_real_node_over_two_cables_and_back,
        beside_a_real_alpha_over_bcast_with_sha1,
        beside_a_real_alpha_over_a_serial_line_with_md5,
        beside_a_real_alpha_over_bcast_and_a_serial_line_with_crc,
        beside_a_real_alpha_over_ucast_with_crc,
        beside_a_real_alpha_over_mcast_with_md5,
        beside_a_real_beta_over_bcast_with_md5,
        beside_a_real_beta_over_a_serial_line_with_sha1,
        beside_a_real_beta_over_bcast_and_a_serial_line_with_sha1,
        beside_a_real_beta_over_ucast_with_crc,
        beside_a_real_beta_over_mcast_with_sha1,
        beside_a_real_node_at_the_original_speed_of_a_serial_line,
        a_returning_latido_gets_nothing_back_when_failback_is_off,
        a_returning_real_node_gets_nothing_back_when_failback_is_off,
        a_legacy_pair_with_a_real_alpha,
        a_legacy_pair_with_a_real_beta,
        one_of_two_cables_to_a_real_node_cut_moves_nothing,
        one_of_two_networks_to_a_real_node_cut_moves_nothing,
        ours_stopped_beside_a_real_node_wakes_up_to_one_owner,
        latido_standby_and_takeover_wait_and_report_beside_a_real_node,
        the_doctor_finds_nothing_wrong_beside_a_real_node_and_hears_it_without_a_daemon,
        a_real_alpha_stops_and_comes_back,
        a_quick_restart_of_the_real_node_moves_nothing,
        a_quick_restart_of_ours_beside_a_real_node_moves_nothing,
    ]
);

fn real_alpha() -> Plan {
    Plan::new(Real, Latido)
}

fn real_beta() -> Plan {
    Plan::new(Latido, Real)
}

fn beside_a_real_alpha_over_bcast_with_sha1() {
    scenarios::a_life(&real_alpha());
}

fn beside_a_real_alpha_over_a_serial_line_with_md5() {
    scenarios::a_life(&real_alpha().over(&[Medium::Serial]).signed(Method::Md5));
}

fn beside_a_real_alpha_over_bcast_and_a_serial_line_with_crc() {
    scenarios::a_life(&real_alpha().over(&[Medium::Bcast(0), Medium::Serial]).signed(Method::Crc));
}

fn beside_a_real_alpha_over_ucast_with_crc() {
    scenarios::a_life(&real_alpha().over(&[Medium::Ucast(0)]).signed(Method::Crc));
}

fn beside_a_real_alpha_over_mcast_with_md5() {
    scenarios::a_life(&real_alpha().over(&[Medium::Mcast(0)]).signed(Method::Md5));
}

fn beside_a_real_beta_over_bcast_with_md5() {
    scenarios::a_life(&real_beta().signed(Method::Md5));
}

fn beside_a_real_beta_over_a_serial_line_with_sha1() {
    scenarios::a_life(&real_beta().over(&[Medium::Serial]));
}

fn beside_a_real_beta_over_bcast_and_a_serial_line_with_sha1() {
    scenarios::a_life(&real_beta().over(&[Medium::Bcast(0), Medium::Serial]));
}

fn beside_a_real_beta_over_ucast_with_crc() {
    scenarios::a_life(&real_beta().over(&[Medium::Ucast(0)]).signed(Method::Crc));
}

fn beside_a_real_beta_over_mcast_with_sha1() {
    scenarios::a_life(&real_beta().over(&[Medium::Mcast(0)]));
}

/// 19200 baud carries nine sha1 statuses a second: keepalive 500 ms leaves room for the talk (`wire.md` 7).
fn beside_a_real_node_at_the_original_speed_of_a_serial_line() {
    let mut plan = real_alpha().over(&[Medium::Serial]).timed(500, 2500);
    plan.baud = 19_200;
    let mut pair = scenarios::cold_start(&plan);
    scenarios::give_and_take_back(&pair, 1);
    scenarios::power_off_and_return(&mut pair, &plan, 0);
    pair.assert_never_double();
    pair.assert_real_content();
}

fn a_returning_latido_gets_nothing_back_when_failback_is_off() {
    away_and_back(&real_alpha().failback(Failback::Off), 1);
}

fn a_returning_real_node_gets_nothing_back_when_failback_is_off() {
    away_and_back(&real_beta().failback(Failback::Off), 1);
}

fn a_legacy_pair_with_a_real_alpha() {
    legacy(&real_alpha().failback(Failback::Legacy));
}

fn a_legacy_pair_with_a_real_beta() {
    legacy(&real_beta().failback(Failback::Legacy));
}

fn away_and_back(plan: &Plan, n: usize) {
    let mut pair = scenarios::cold_start(plan);
    scenarios::power_off_and_return(&mut pair, plan, n);
    pair.assert_never_double();
    pair.assert_real_content();
}

/// Power-off and return of either. A real node that returns may start its groups beside the holder: a race of its own
/// (`resources.md` 11), so doubles are not judged here.
fn legacy(plan: &Plan) {
    let mut pair = scenarios::cold_start(plan);
    for n in [0, 1] {
        scenarios::power_off_and_return(&mut pair, plan, n);
    }
    pair.assert_real_content();
}

fn one_of_two_cables_to_a_real_node_cut_moves_nothing() {
    let plan = real_alpha().over(&[Medium::Bcast(0), Medium::Serial]);
    scenarios::one_cable_at_a_time(&plan, &[|pair, cut| pair.cut_ethernet(0, cut), Pair::cut_serial]);
}

fn one_of_two_networks_to_a_real_node_cut_moves_nothing() {
    let plan = real_beta().over(&[Medium::Bcast(0), Medium::Ucast(1)]);
    scenarios::one_cable_at_a_time(
        &plan,
        &[|pair, cut| pair.cut_ethernet(0, cut), |pair, cut| pair.cut_ethernet(1, cut)],
    );
}

fn ours_stopped_beside_a_real_node_wakes_up_to_one_owner() {
    scenarios::stopped_and_woken(&real_beta());
}

/// `latido standby` and `latido takeover` return when it is over, with 0, and by then it is so.
fn latido_standby_and_takeover_wait_and_report_beside_a_real_node() {
    let pair = scenarios::cold_start(&real_beta());
    let host = pair.host("alpha");
    let output = host.run(&format!("{} standby local", host.program("latido")));
    assert!(output.status.success(), "{output:?}");
    assert_eq!(pair.held(), [vec![], vec!["ra", "rb", "rc", "rd"]]);
    pair.stable("beta", 5.0);
    let output = host.run(&format!("{} takeover local", host.program("latido")));
    assert!(output.status.success(), "{output:?}");
    assert_eq!(pair.held(), [["ra", "rb"], ["rc", "rd"]]);
    pair.assert_never_double();
    pair.assert_real_content();
}

fn the_doctor_finds_nothing_wrong_beside_a_real_node_and_hears_it_without_a_daemon() {
    let pair = scenarios::cold_start(&real_beta().over(&[Medium::Bcast(0), Medium::Serial]));
    let host = pair.host("alpha");
    let examine = || {
        // What this machine starts at boot, and what its kernel does, is no part of the pair.
        let output = host.run(&format!("mkdir -p /run/bare; {} doctor --root /run/bare", host.program("latido")));
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let said = examine();
    for part in ["PASS  peer        beta is active", "it runs heartbeat", "PASS  clock ", "PASS  groups "] {
        assert!(said.contains(part), "{part} is not in {said}");
    }
    assert!(!said.contains("FAIL"), "{said}");

    assert!(host.stop().wait().is_ok_and(|status| status.success()));
    let said = examine();
    let heard = said.lines().filter(|line| line.starts_with("PASS  link ") && line.contains("heard beta")).count();
    assert_eq!(heard, 2, "{said}");
    assert!(said.contains("PASS  clock "), "{said}");
}

fn both_cut_off_from_a_real_node_and_back_have_one_owner_and_our_groups_never_stopped() {
    scenarios::partition(&real_beta());
}

fn cut_off_from_a_real_node_over_two_cables_and_back() {
    scenarios::partition(&real_alpha().over(&[Medium::Bcast(0), Medium::Serial]));
}

fn a_real_alpha_stops_and_comes_back() {
    let pair = scenarios::cold_start(&real_alpha());
    scenarios::stop_and_start(&pair, 0);
    pair.assert_never_double();
    pair.assert_real_content();
}

fn a_quick_restart_of_the_real_node_moves_nothing() {
    scenarios::quick_restart(&real_alpha(), 0);
}

fn a_quick_restart_of_ours_beside_a_real_node_moves_nothing() {
    scenarios::quick_restart(&real_beta(), 0);
}
