//! Two real nodes: the laboratory must show what `resources.md` 10 says they do, and we learn what they log when all is well.

use super::runner::{Pace, Test};
use super::scenarios;
use super::support::{Kind, Medium, Plan};
use crate::tests;

/// The tests of this file.
pub(crate) const TESTS: &[Test] = tests!(
    true,
    Pace::Together,
    [two_real_nodes_live_their_life_over_a_network_and_a_serial_line, two_real_nodes_split_and_heal,]
);

fn plan() -> Plan {
    Plan::new(Kind::Real, Kind::Real)
}

fn two_real_nodes_live_their_life_over_a_network_and_a_serial_line() {
    scenarios::a_life(&plan().over(&[Medium::Bcast(0), Medium::Serial]));
}

fn two_real_nodes_split_and_heal() {
    scenarios::partition(&plan());
}
