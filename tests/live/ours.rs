//! Two Latidos: the same life, and the things only two of ours can do.

use super::runner::{Pace, Test};
use super::scenarios;
use super::support::Kind::Latido;
use super::support::clock::epoch;
use super::support::{Failback, Medium, Method, Pair, Plan, shell};
use crate::tests;

/// The tests of this file.
pub(crate) const TESTS: &[Test] = tests!(
    false,
    Pace::Together,
    [
        two_latidos_over_bcast_with_sha1,
        two_latidos_over_a_serial_line_with_crc,
        two_latidos_over_ucast_and_a_serial_line_with_md5,
        two_latidos_over_mcast_with_sha1,
        two_latidos_over_two_networks,
        two_latidos_with_failback_off,
        two_latidos_with_failback_legacy,
        one_of_two_cables_between_latidos_cut_moves_nothing,
        a_quick_restart_of_one_of_two_latidos_moves_nothing,
    ]
);

/// Those that look at the time.
pub(crate) const MEASURED: &[Test] = tests!(
    false,
    Pace::Alone,
    [two_latidos_started_together_have_all_groups_up_in_a_second, two_latidos_cut_off_and_back_have_one_owner_at_once,]
);

fn plan() -> Plan {
    Plan::new(Latido, Latido)
}

fn two_latidos_over_bcast_with_sha1() {
    scenarios::a_life(&plan());
}

fn two_latidos_over_a_serial_line_with_crc() {
    scenarios::a_life(&plan().over(&[Medium::Serial]).signed(Method::Crc));
}

fn two_latidos_over_ucast_and_a_serial_line_with_md5() {
    scenarios::a_life(&plan().over(&[Medium::Ucast(0), Medium::Serial]).signed(Method::Md5));
}

fn two_latidos_over_mcast_with_sha1() {
    scenarios::a_life(&plan().over(&[Medium::Mcast(0)]));
}

fn two_latidos_over_two_networks() {
    scenarios::a_life(&plan().over(&[Medium::Bcast(0), Medium::Bcast(1)]));
}

fn two_latidos_with_failback_off() {
    let plan = plan().failback(Failback::Off);
    let mut pair = scenarios::cold_start(&plan);
    scenarios::power_off_and_return(&mut pair, &plan, 0);
    pair.assert_never_double();
}

fn two_latidos_with_failback_legacy() {
    let plan = plan().failback(Failback::Legacy);
    let mut pair = scenarios::cold_start(&plan);
    scenarios::power_off_and_return(&mut pair, &plan, 0);
    pair.assert_never_double();
}

fn one_of_two_cables_between_latidos_cut_moves_nothing() {
    let plan = plan().over(&[Medium::Bcast(0), Medium::Serial]);
    scenarios::one_cable_at_a_time(&plan, &[|pair, cut| pair.cut_ethernet(0, cut), Pair::cut_serial]);
}

fn a_quick_restart_of_one_of_two_latidos_moves_nothing() {
    scenarios::quick_restart(&plan(), 0);
}

/// Under a second apart from the scripts; the assertion leaves room for a slow machine, the figure is printed.
fn two_latidos_started_together_have_all_groups_up_in_a_second() {
    let pair = Pair::new(&plan());
    let begun = epoch();
    pair.start_both();
    pair.settle(&["ra", "rb"], &["rc", "rd"], 3.0);
    let took = epoch() - begun;
    shell::print(&format!("cold start of both to all groups up, scripts included: {took:.3} s"));
    pair.assert_never_double();
}

/// Under 200 ms; the assertion leaves room for a slow machine, the figure is printed.
fn two_latidos_cut_off_and_back_have_one_owner_at_once() {
    let took = scenarios::partition(&plan());
    shell::print(&format!("partition healed to one owner, scripts included: {took:.3} s"));
    assert!(took < 2.0, "{took:.3} s");
}
