//! The order of the fields in every type of message: ours beside those of a real node, in one pair (`wire.md` 1.5, 5). A
//! program that reads a message by position, and a human who compares two captures, find each field where it was.

use std::collections::BTreeMap;

use super::runner::{Pace, Test};
use super::scenarios;
use super::support::Kind::{Latido, Real};
use super::support::clock::{pass, secs, wait_until};
use super::support::{Pair, Plan};
use crate::tests;

/// The tests of this file.
pub(crate) const TESTS: &[Test] =
    tests!(true, Pace::Unhurried, [the_fields_of_each_message_stand_in_the_order_of_the_original]);

/// What only a Latido says.
const OURS: [&str; 4] = ["latido", "heard", "hears", "empty"];
/// Types that both must have been heard to say, or nothing was compared.
const NEEDED: [&str; 10] = [
    "status",
    "NS_ackmsg",
    "NS_rexmit",
    "reqnodes",
    "repnodes",
    "starting",
    "resource",
    "ask_resources",
    "hb_takeover",
    "shutdone",
];

fn the_fields_of_each_message_stand_in_the_order_of_the_original() {
    let plan = Plan::new(Real, Latido);
    let pair = scenarios::cold_start(&plan);
    for node in [0, 1] {
        scenarios::give_and_take_back(&pair, node);
    }
    // Long enough to miss messages, too short to be dead.
    wait_until("both to ask for what they missed", 30.0, || {
        pair.cut_all(true);
        pass(secs(0.5));
        pair.cut_all(false);
        pass(secs(0.5));
        let orders = orders(&pair);
        ["alpha", "beta"].iter().all(|node| orders.contains_key(&("NS_rexmit".to_owned(), (*node).to_owned())))
    });
    for node in [0, 1] {
        scenarios::stop_and_start(&pair, node);
    }
    let orders = orders(&pair);
    let mut wrong = Vec::new();
    for kind in NEEDED {
        let of = |node: &str| orders.get(&(kind.to_owned(), node.to_owned())).cloned().unwrap_or_default();
        let (theirs, ours) = (of("alpha"), of("beta"));
        if theirs.is_empty() || ours.is_empty() || ours.iter().any(|order| !theirs.contains(order)) {
            wrong.push(format!("{kind}\n  the original {theirs:?}\n  ours         {ours:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Each order of names that a node used for a type of message.
fn orders(pair: &Pair) -> BTreeMap<(String, String), Vec<String>> {
    let mut orders: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
    for heard in pair.tap.heard() {
        let names = names(&heard.bytes);
        let order = names.into_iter().filter(|name| !OURS.contains(&name.as_str())).collect::<Vec<_>>().join(" ");
        let known = orders.entry((heard.get("t").to_owned(), heard.node.clone())).or_default();
        if !known.contains(&order) {
            known.push(order);
        }
    }
    orders
}

/// The names of the fields of a message in either form, without the signature, which stands apart in one of them.
fn names(bytes: &[u8]) -> Vec<String> {
    let name = |text: &[u8]| {
        let text = String::from_utf8_lossy(text);
        let name = text.split_once('=').map(|(name, _)| name.trim_start_matches("(0)").trim_start_matches("(1)"));
        name.filter(|name| *name != "auth").map(str::to_owned)
    };
    let Some(mut rest) = bytes.strip_prefix(b"###\n") else {
        return bytes.split(|byte| *byte == b'\n').filter_map(name).collect();
    };
    let mut names = Vec::new();
    while let Some(colon) = rest.iter().position(|byte| *byte == b':') {
        let Some(length) = std::str::from_utf8(&rest[..colon]).ok().and_then(|text| text.parse::<usize>().ok()) else {
            break;
        };
        let Some(field) = rest.get(colon + 1..colon + 1 + length) else { break };
        names.extend(name(field));
        rest = rest.get(colon + 2 + length..).unwrap_or_default();
    }
    names
}
