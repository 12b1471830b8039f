//! Two real nodes: the laboratory must show what `resources.md` 10 says they do, and we learn what they log when all is well.

use super::runner::{Pace, Test};
use super::support::{Kind, Medium, Pair, Plan};
use crate::tests;

/// The tests of this file.
pub(crate) const TESTS: &[Test] =
    tests!(true, Pace::Together, [two_real_nodes_start_lose_one_and_take_it_back, two_real_nodes_stand_by_and_stop]);

fn plan() -> Plan {
    Plan::new(Kind::Real, Kind::Real)
}

/// `resources.md` 10 (a), (d), (f).
fn two_real_nodes_start_lose_one_and_take_it_back() {
    let mut pair = Pair::new(&plan().over(&[Medium::Bcast(0), Medium::Serial]));
    pair.start_both();
    pair.settle(&["ra", "rb"], &["rc", "rd"], 20.0);
    pair.both_active(5.0);
    pair.cut_ethernet(0, true);
    pair.nothing_moves_for(3.0);
    pair.cut_ethernet(0, false);
    pair.power_off("alpha");
    pair.settle(&[], &["ra", "rb", "rc", "rd"], 8.0);
    pair.power_on("alpha");
    pair.host("alpha").start();
    pair.settle(&["ra", "rb"], &["rc", "rd"], 15.0);
    pair.assert_never_double();
    pair.assert_real_content();
}

/// `resources.md` 10 (g), (e).
fn two_real_nodes_stand_by_and_stop() {
    let pair = Pair::running(&plan());
    pair.both_active(5.0);
    pair.host("alpha").run(&pair.host("alpha").program("hb_standby"));
    pair.settle(&[], &["ra", "rb", "rc", "rd"], 8.0);
    pair.host("alpha").run(&format!("{} local", pair.host("alpha").program("hb_takeover")));
    pair.settle(&["ra", "rb"], &["rc", "rd"], 8.0);
    let status = pair.host("beta").stop().wait().expect("-k ends");
    assert!(status.success());
    pair.settle(&["ra", "rb", "rc", "rd"], &[], 8.0);
    pair.assert_never_double();
    pair.assert_real_content();
}
