//! The real `cl_status` at our socket: the table of `api.md` 4.1, and the same words as on the real node of a mixed pair.

use super::rig::{self, NAMES, PING, run};
use super::runner::{Pace, Test};
use super::support::Kind::{Latido, Real};
use super::support::clock::wait_until;
use super::support::{Kind, Pair};
use crate::tests;

/// The tests of this file.
pub(crate) const TESTS: &[Test] = tests!(
    true,
    Pace::Together,
    [
        cl_status_says_the_same_on_our_alpha_and_on_a_real_beta,
        cl_status_says_the_same_on_a_real_alpha_and_on_our_beta,
        cl_status_prints_the_table_of_the_original,
        cl_status_knows_whether_the_daemon_runs,
        a_client_is_found_in_time_a_hundred_times_of_a_hundred,
        cl_status_understands_a_daemon_that_speaks_netstrings,
        cl_status_says_the_same_of_a_dead_peer_at_our_socket_and_at_a_real_one,
    ]
);

/// Everything `cl_status` can be asked, and that means the same on both nodes.
pub(crate) fn questions() -> Vec<String> {
    let mut all: Vec<String> = [
        "listnodes",
        "listnodes -n",
        "listnodes -p",
        "listnodes -n -p",
        "listnodes -m",
        "listnodes -v",
        "hbstatus",
        "hbstatus -m",
        "nosuch",
        "hblinkstatus alpha",
        "hbparameter",
        "test",
        "rscstatus",
        "rscstatus -m",
    ]
    .map(str::to_owned)
    .into();
    for node in ["alpha", "beta", PING, "BETA", "nosuch", ""] {
        for ask in ["nodestatus", "nodetype", "nodeweight", "nodesite", "listhblinks", "listhblinks -v", "hblinkstatus"]
        {
            let interface = match (ask, node) {
                ("hblinkstatus", PING) => PING,
                ("hblinkstatus", _) => "eth0",
                _ => "",
            };
            all.push(format!("{ask} {node} {interface}"));
            all.push(format!("{ask} -m {node} {interface}"));
        }
    }
    all.push("hblinkstatus beta eth9".into());
    for name in PARAMETERS {
        all.push(format!("hbparameter -p {name}"));
        all.push(format!("hbparameter -m -p {name}"));
    }
    for client in ["ipfail", "nosuch"] {
        all.push(format!("clientstatus {PING} {client}"));
        all.push(format!("clientstatus nosuch {client} 50"));
    }
    all
}

/// All of `api.md` 2.4.2 but `hbversion`, which is each one's own.
const PARAMETERS: &[&str] = &[
    "cluster",
    "hopfudge",
    "keepalive",
    "deadtime",
    "deadping",
    "warntime",
    "initdead",
    "baud",
    "udpport",
    "logfile",
    "debugfile",
    "logfacility",
    "auto_failback",
    "hbgenmethod",
    "realtime",
    "debug",
    "msgfmt",
    "conn_logd_time",
    "log_badpack",
    "syslogmsgfmt",
    "coredumps",
    "pacemaker",
    "crm",
    "autojoin",
    "uuidfrom",
    "memreserve",
    "compression",
    "compression_threshold",
    "traditional_compression",
    "max_rexmit_delay",
    "record_config_changes",
    "record_pengine_inputs",
    "enable_config_writes",
    "watchdog",
    "rtprio",
    "coreroot",
    "use_logd",
    "node",
    "bcast",
    "serial",
    "ucast",
    "ping",
    "respawn",
    "apiauth",
    "stonith",
    "env",
    "normalpoll",
    "uuid",
    "nosuch",
    "FOO",
];

/// Real ipfails beside both daemons, and a variable for scripts.
pub(crate) const LINES: &str = "respawn hacluster /usr/libexec/heartbeat/ipfail\nenv FOO=bar\n";

fn both_say_the_same(pair: &Pair, questions: &[String]) {
    for question in questions {
        let [alpha, beta] = NAMES.map(|name| run(pair.host(name), &format!("cl_status {question}")));
        // "mynodeid" and what is held are each node's own.
        let own = question == "test";
        assert!(own || alpha == beta, "cl_status {question}:\nalpha {alpha:?}\nbeta  {beta:?}");
        assert_eq!(alpha.0, beta.0, "cl_status {question}");
    }
}

fn compared(alpha: Kind, beta: Kind) {
    let pair = rig::pair(&rig::plan(alpha, beta), LINES);
    rig::start(&pair);
    both_say_the_same(&pair, &questions());
    for (asker, node) in [("alpha", "beta"), ("beta", "alpha")] {
        for (client, expected) in [("ipfail", (0, "online\n")), ("nosuch", (1, "offline\n"))] {
            let host = pair.host(asker);
            wait_until(&format!("{asker} to find {client} {} at {node}", expected.1), 10.0, || {
                let (code, out, _) = run(host, &format!("cl_status clientstatus {node} {client} 1000"));
                (code, out.as_str()) == expected
            });
        }
    }
    // It complains of each question that makes no sense, and dumps it.
    pair.assert_real_content_but(&["bad request", "MSG"]);
}

fn cl_status_says_the_same_on_our_alpha_and_on_a_real_beta() {
    compared(Latido, Real);
}

fn cl_status_says_the_same_on_a_real_alpha_and_on_our_beta() {
    compared(Real, Latido);
}

fn cl_status_prints_the_table_of_the_original() {
    let mut pair = rig::pair(&rig::plan(Latido, Latido), LINES);
    rig::start(&pair);
    let host = pair.host("alpha");
    let says = |question: &str| run(host, &format!("cl_status {question}"));
    let version = format!("version:\t3.0.6 (latido {})\nmanaged by:\t\"haresources\"\n", env!("CARGO_PKG_VERSION"));
    let nodes = format!(
        "\n{PING}\tping\t(nodetype: ping)\n\t{PING}\tup\n\nbeta\tactive\t(nodetype: normal)\n\teth0\tup\n\nalpha\tactive\t\
         (nodetype: normal)\n\teth0\tup\n"
    );
    assert_eq!(says("hbstatus"), (0, "Heartbeat is running on this machine.\n".into(), String::new()));
    let expected: [(&str, i32, &str); 12] = [
        ("listnodes", 0, &format!("{PING}\nbeta\nalpha\n")),
        ("listnodes -v", 0, &nodes),
        ("nodestatus -m beta", 0, "The cluster node beta is active\n"),
        ("nodetype -m alpha", 0, "The node alpha's type: normal\n"),
        ("nodeweight beta", 0, "100\n"),
        ("nodesite beta", 0, "\n"),
        ("hblinkstatus -m alpha eth0", 0, "The node alpha's heartbeat link eth0 is up\n"),
        ("rscstatus", 0, "local\n"),
        ("rscstatus -m", 0, "This node is holding local resources.\n"),
        ("hbparameter -m -p keepalive", 0, "Heartbeat parameter keepalive's value: 200ms\n"),
        ("clientstatus alpha ipfail", 0, "online\n"),
        ("clientstatus alpha nosuch", 1, "offline\n"),
    ];
    for (question, code, out) in expected {
        assert_eq!(says(question), (code, out.to_owned(), String::new()), "cl_status {question}");
    }
    let (code, out, _) = says("hbstatus -v");
    assert!(code == 0 && out.contains(&version), "{out}");
    pair.power_off("beta");
    let host = pair.host("alpha");
    wait_until("beta to be dead", 10.0, || run(host, "cl_status nodestatus beta").1 == "dead\n");
    wait_until("its link to be dead", 10.0, || run(host, "cl_status hblinkstatus beta eth0").1 == "dead\n");
    assert_eq!(run(host, "cl_status nodestatus beta").0, 1);
    assert_eq!(run(host, "cl_status hblinkstatus beta eth0").0, 1);
    assert_eq!(run(host, "cl_status hblinkstatus alpha eth0").0, 0);
}

fn cl_status_knows_whether_the_daemon_runs() {
    let pair = rig::pair(&rig::plan(Latido, Latido), "");
    let host = pair.host("alpha");
    let stopped = (1, "Heartbeat is stopped on this machine.\n".to_owned(), String::new());
    assert_eq!(run(host, "cl_status hbstatus"), stopped);
    host.start();
    // Its peer is not there: the communication comes up when initdead is over.
    assert_eq!(run(host, "cl_status hbstatus"), stopped);
    wait_until("the socket", 15.0, || run(host, "cl_status hbstatus").0 == 0);
    // Root with gid 0 may ask without the program's setgid bit as well; a stranger may not.
    let stranger = "setpriv --reuid 65534 --regid 65534 --clear-groups --no-new-privs cl_status hbstatus -v";
    let refused = "Heartbeat is apparently running on this machine, but refuses my connection\n\
                   (client failed authorization)\n";
    assert_eq!(run(host, stranger), (0, refused.into(), String::new()));
    let _ = host.stop().wait();
    assert_eq!(run(host, "cl_status hbstatus"), stopped);
    let reason =
        "ERROR: Cannot signon with heartbeat\nERROR: REASON: hb_api_signon: Can't initiate connection to heartbeat\n";
    assert_eq!(run(host, "cl_status listnodes"), (1, String::new(), reason.into()));
}

fn a_client_is_found_in_time_a_hundred_times_of_a_hundred() {
    let pair = rig::pair(&rig::plan(Latido, Latido), LINES);
    rig::start(&pair);
    let host = pair.host("alpha");
    wait_until("ipfail", 10.0, || run(host, "cl_status clientstatus alpha ipfail").0 == 0);
    let script =
        "n=0; for i in $(seq 100); do cl_status clientstatus alpha ipfail 100 >/dev/null && n=$((n+1)); done; echo $n";
    assert_eq!(run(host, script).1, "100\n");
}

fn cl_status_understands_a_daemon_that_speaks_netstrings() {
    let pair = rig::pair(&rig::plan(Latido, Real), "msgfmt netstring\n");
    rig::start(&pair);
    both_say_the_same(&pair, &["hbstatus", "listnodes -v", "hbparameter -p msgfmt"].map(str::to_owned));
    assert_eq!(run(pair.host("alpha"), "cl_status hbparameter -p msgfmt").1, "netstring\n");
}

fn cl_status_says_the_same_of_a_dead_peer_at_our_socket_and_at_a_real_one() {
    let [theirs, ours] = [(Real, Latido), (Latido, Real)].map(|(alpha, beta)| {
        let mut pair = rig::pair(&rig::plan(alpha, beta).timed(50, 1500), LINES);
        rig::start(&pair);
        pair.power_off("beta");
        let host = pair.host("alpha");
        wait_until("beta to be dead", 10.0, || run(host, "cl_status nodestatus beta").1 == "dead\n");
        wait_until("its link to be dead", 10.0, || run(host, "cl_status hblinkstatus beta eth0").1 == "dead\n");
        wait_until("what it held", 10.0, || run(host, "cl_status rscstatus").1 != "transition\n");
        let mut questions = questions();
        questions.extend(["clientstatus beta ipfail", "clientstatus alpha ipfail"].map(str::to_owned));
        // What it holds of a node that had nothing is each one's own.
        questions.retain(|question| question != "test" && !question.starts_with("rscstatus"));
        let answer = |question: String| (run(host, &format!("cl_status {question}")), question);
        questions.into_iter().map(answer).collect::<Vec<_>>()
    });
    for (theirs, ours) in theirs.iter().zip(&ours) {
        assert_eq!(theirs, ours);
    }
}
