//! Our own programs beside those of the original: same words, same exit codes, same dialogue.

use super::cl_status::{LINES, questions};
use super::rig::{self, NAMES, run};
use super::runner::{Pace, Test};
use super::support::Kind;
use super::support::Kind::{Latido, Real};
use super::support::clock::wait_until;
use super::support::host::Host;
use crate::tests;

/// The tests of this file.
pub(crate) const TESTS: &[Test] = tests!(
    true,
    Pace::Together,
    [
        our_cl_status_says_what_the_original_says_at_our_socket,
        our_cl_status_says_what_the_original_says_at_its_own_socket,
        our_cl_status_says_what_the_original_says_when_nothing_runs,
    ]
);

/// Questions nobody should ask.
const WRONG: &[&str] = &[
    "bogus",
    "listhblinks -m nosuch",
    "nodetype -x alpha",
    "nodesite -x alpha",
    "nodeweight -x alpha",
    "hblinkstatus -x alpha eth0",
    "clientstatus -x alpha ipfail",
    "-m hbstatus",
    "--help",
    "nodestatus",
    "nodestatus -m",
    "nodestatus -v alpha",
    "nodestatus alpha beta",
    "nodeweight",
    "nodesite",
    "nodetype",
    "hbstatus -x",
    "hbstatus extra",
    "hbparameter",
    "hbparameter -p",
    "hbparameter -m",
    "hbparameter -pkeepalive",
    "hbparameter keepalive",
    "clientstatus",
    "clientstatus alpha",
    "hblinkstatus",
    "hblinkstatus alpha",
    "listhblinks",
    "listhblinks -x alpha",
    "listnodes -z",
    "listnodes -mnp",
    "listnodes extra",
    "rscstatus extra",
    "rscstatus -m",
    "rscstatus -v",
    "rscstatus",
    "clientstatus alpha ipfail 500 more",
    "clientstatus -m alpha ipfail",
    "nodestatus alpha -m",
    "hbstatus -v -m",
    "test -m",
    "listhblinks alpha beta",
    "hblinkstatus alpha eth0 more",
    "listnodes --",
];

fn same(host: &Host, questions: &[String]) {
    let ours = host.dir.join("bin/cl_status");
    let mut different = Vec::new();
    for question in questions {
        let theirs = run(host, &format!("/usr/bin/cl_status {question}"));
        let ours = run(host, &format!("{} {question}", ours.display()));
        if theirs != ours {
            different.push(format!("cl_status {question}:\n  the original {theirs:?}\n  ours         {ours:?}"));
        }
    }
    assert!(different.is_empty(), "{}", different.join("\n"));
}

fn all() -> Vec<String> {
    questions().into_iter().chain(WRONG.iter().map(|question| (*question).to_owned())).collect()
}

fn beside_each_other(kind: Kind) {
    let pair = rig::pair(&rig::plan(kind, Latido).timed(50, 1500), LINES);
    rig::start(&pair);
    for name in NAMES {
        let host = pair.host("alpha");
        wait_until("ipfail", 10.0, || run(host, &format!("cl_status clientstatus {name} ipfail")).1 == "online\n");
    }
    let elsewhere =
        ["clientstatus beta ipfail 2000", "clientstatus beta nosuch 2000", "hbstatus -v"].map(str::to_owned);
    same(pair.host("alpha"), &[all(), elsewhere.into()].concat());
}

fn our_cl_status_says_what_the_original_says_at_our_socket() {
    beside_each_other(Latido);
}

fn our_cl_status_says_what_the_original_says_at_its_own_socket() {
    beside_each_other(Real);
}

fn our_cl_status_says_what_the_original_says_when_nothing_runs() {
    let pair = rig::pair(&rig::plan(Latido, Latido), "");
    let host = pair.host("alpha");
    same(host, &all());
    let as_command = format!("{} cl_status hbstatus", host.program("latido"));
    assert_eq!(run(host, &as_command), run(host, "cl_status hbstatus"));
}
