//! Two real nodes: the laboratory must show what `resources.md` 10 says they do, and we learn what they log when all is well.

use super::runner::{Pace, Test};
use super::scenarios;
use super::support::{Failback, Kind, Medium, Method, Pair, Plan};
use crate::tests;

/// The tests of this file.
pub(crate) const TESTS: &[Test] = tests!(
    true,
    Pace::Together,
    [two_real_nodes_live_their_life_over_a_network_and_a_serial_line, two_real_nodes_split_and_heal,]
);

/// What of them only serves to know the original better: not in the ordinary run.
pub(crate) const STUDIES: &[Test] =
    tests!(true, Pace::Long, [study_real_off, study_real_legacy, study_real_cables, study_real_quick_restart,]);

fn plan() -> Plan {
    Plan::new(Kind::Real, Kind::Real)
}

fn two_real_nodes_live_their_life_over_a_network_and_a_serial_line() {
    scenarios::a_life(&plan().over(&[Medium::Bcast(0), Medium::Serial]));
}

fn two_real_nodes_split_and_heal() {
    scenarios::partition(&plan());
}

fn study_real_off() {
    let plan = plan().failback(Failback::Off).signed(Method::Crc);
    let mut pair = scenarios::cold_start(&plan);
    scenarios::power_off_and_return(&mut pair, &plan, 0);
    pair.assert_real_content();
}

fn study_real_legacy() {
    let plan = plan().failback(Failback::Legacy).signed(Method::Md5).over(&[Medium::Mcast(0)]);
    let mut pair = scenarios::cold_start(&plan);
    scenarios::power_off_and_return(&mut pair, &plan, 0);
    pair.assert_real_content();
}

fn study_real_cables() {
    let plan = plan().over(&[Medium::Ucast(0), Medium::Serial]);
    scenarios::one_cable_at_a_time(&plan, &[|pair, cut| pair.cut_ethernet(0, cut), Pair::cut_serial]);
}

fn study_real_quick_restart() {
    scenarios::quick_restart(&plan(), 0);
}
