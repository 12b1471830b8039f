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

/// Every subcommand with too little, too much, and nonsense.
fn nonsense() -> Vec<String> {
    const SUBCOMMANDS: [&str; 12] = [
        "clientstatus",
        "hblinkstatus",
        "hbstatus",
        "listnodes",
        "listhblinks",
        "nodestatus",
        "nodeweight",
        "nodesite",
        "nodetype",
        "rscstatus",
        "hbparameter",
        "test",
    ];
    const BEHIND: [&str; 13] = [
        "",
        "-m",
        "-x",
        "-h",
        "--help",
        "--",
        "-- -m",
        "-mx",
        "''",
        "nosuch nosuch",
        "'' ''",
        "-m alpha",
        "alpha eth0 -m",
    ];
    let behind = SUBCOMMANDS.iter().flat_map(|name| BEHIND.iter().map(move |rest| format!("{name} {rest}")));
    behind.chain(["hbstatus -x -v", "nodetype alpha --help", "clientstatus '' ipfail abc"].map(str::to_owned)).collect()
}

/// For how long an answer is waited for that a real daemon gives within a heartbeat, and for one that never comes.
fn patience() -> Vec<String> {
    const OF_ONE: [&str; 12] = [
        "abc",
        "''",
        "0",
        "x1",
        "' 2000'",
        "2000.5",
        "2000x",
        "2000 -m",
        "-- -1",
        "4294967296",
        "99999999999999999999",
        "2000 more",
    ];
    let here = OF_ONE.iter().map(|time| format!("clientstatus alpha ipfail {time}"));
    let nowhere = ["abc", "''", "50", "50.9", "-- -5"].iter().map(|time| format!("clientstatus nosuch ipfail {time}"));
    here.chain(nowhere).collect()
}

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
    let wrong = WRONG.iter().map(|question| (*question).to_owned());
    let mut all: Vec<String> = questions().into_iter().chain(wrong).chain(nonsense()).collect();
    all.sort();
    all.dedup();
    all
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
    if kind == Real {
        same(pair.host("alpha"), &patience());
    }
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
