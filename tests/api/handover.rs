//! What a node says that it holds while resources go to and fro, by the real `cl_status`, with everything at home on one
//! node, as most pairs are (`api.md` 2.4, 7).

use super::rig::{self, NAMES, run};
use super::runner::{Pace, Test};
use super::support::Kind;
use super::support::Kind::{Latido, Real};
use super::support::Pair;
use super::support::clock::wait_until;
use crate::tests;

/// The tests of this file.
pub(crate) const TESTS: &[Test] = tests!(
    true,
    Pace::Together,
    [
        what_our_beta_holds_of_a_real_alphas_resources_has_the_originals_words,
        what_our_alpha_holds_beside_a_real_beta_has_the_originals_words,
        two_of_ours_say_of_a_home_on_one_node_what_two_originals_say,
    ]
);

const HERE: &[&str] = &["ra", "rb"];

fn says(pair: &Pair, held: [&str; 2]) {
    for (name, held) in NAMES.into_iter().zip(held) {
        let expected = format!("{held}\n");
        let mut last = String::new();
        wait_until(&format!("{name} to hold {held}, it says {last:?}"), 15.0, || {
            last = run(pair.host(name), "cl_status rscstatus").1;
            last == expected
        });
    }
}

fn to_and_fro(alpha: Kind, beta: Kind) {
    let mut pair = rig::pair(&rig::plan(alpha, beta), "");
    rig::start(&pair);
    says(&pair, ["local", "local"]);
    // Given away by its owner, taken back by it.
    let [a, b] = NAMES.map(|name| pair.host(name));
    a.run(&a.program("hb_standby"));
    pair.settle(&[], HERE, 15.0);
    says(&pair, ["none", "all"]);
    a.run(&format!("{} local", a.program("hb_takeover")));
    pair.settle(HERE, &[], 15.0);
    says(&pair, ["local", "local"]);
    // Asked for by the other, given back by it.
    b.run(&b.program("hb_takeover"));
    pair.settle(&[], HERE, 15.0);
    says(&pair, ["none", "all"]);
    b.run(&format!("{} foreign", b.program("hb_standby")));
    pair.settle(HERE, &[], 15.0);
    says(&pair, ["local", "local"]);
    // And when the owner dies.
    pair.power_off("alpha");
    pair.settle(&[], HERE, 15.0);
    wait_until("all", 15.0, || run(pair.host("beta"), "cl_status rscstatus").1 == "all\n");
    pair.assert_never_double();
    pair.assert_real_content();
}

fn what_our_beta_holds_of_a_real_alphas_resources_has_the_originals_words() {
    to_and_fro(Real, Latido);
}

fn what_our_alpha_holds_beside_a_real_beta_has_the_originals_words() {
    to_and_fro(Latido, Real);
}

fn two_of_ours_say_of_a_home_on_one_node_what_two_originals_say() {
    to_and_fro(Latido, Latido);
}
