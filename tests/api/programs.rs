//! The real `api_test` at our socket, alone and beside a real node (`api.md` 4.3).

use super::rig::{self, NAMES, PING, run, undated};
use super::runner::{Pace, Test};
use super::support::Kind;
use super::support::Kind::{Latido, Real};
use super::support::clock::{pass, secs, wait_until};
use super::support::host::Host;
use crate::tests;

/// The tests of this file.
pub(crate) const TESTS: &[Test] = tests!(
    true,
    Pace::Together,
    [
        api_test_finds_everything_it_looks_for,
        api_test_as_root_or_twice_is_refused,
        api_test_on_both_nodes_hears_the_other_beside_a_real_alpha,
        api_test_on_both_nodes_hears_the_other_beside_a_real_beta,
    ]
);

const API_TEST: &str = "/usr/libexec/heartbeat/api_test";

/// Begins an `api_test` that lives so long; what it says goes to a file.
fn api_test(host: &Host, seconds: u32) {
    let out = host.dir.join("api_test").display().to_string();
    host.run(&format!("sg haclient -c 'timeout -s TERM {seconds} {API_TEST}' >{out} 2>&1 </dev/null &"));
}

fn heard(host: &Host) -> Vec<String> {
    let text = std::fs::read_to_string(host.dir.join("api_test")).unwrap_or_default();
    text.lines().map(undated).collect()
}

fn await_message(host: &Host, number: u32) {
    let message = format!("Got message {number} of type");
    wait_until(&format!("api_test on {} to say {message:?}", host.name), 20.0, || {
        heard(host).iter().any(|line| line.contains(&message))
    });
}

/// What it prints before it waits for messages, as far as it is the same on both nodes.
fn walk(keepalive: &str, held: &str, peer: &str) -> Vec<String> {
    let deadtime = "1500ms";
    let parameters = [
        ("hopfudge", "1"),
        ("keepalive", keepalive),
        ("deadtime", deadtime),
        ("deadping", deadtime),
        ("warntime", "750ms"),
        ("initdead", "10000ms"),
        ("baud", "19200"),
        ("udpport", "694"),
        ("auto_failback", "off"),
        ("hbgenmethod", "file"),
        ("realtime", "true"),
        ("debug", "0"),
    ];
    let mut lines: Vec<String> = parameters.map(|(name, value)| format!("info: Parameter {name} is [{value}]")).into();
    let text = format!(
        "ERROR: Mandantory Parameter normalpoll is not available!
info: Optional Parameter logfile is [/var/log/ha-log]
info: Optional Parameter debugfile is [/var/log/ha-debug]
info: Current resource status: {held}
info: Starting node walk
info: Cluster node: {PING}: status: ping
info: \tnode {PING}: intf: {PING} ifstatus: up
info: {PING}/api_test status: [offline]
info: Cluster node: beta: status: active
info: \tnode beta: intf: eth0 ifstatus: up
info: beta/api_test status: [{peer}]
info: Cluster node: alpha: status: active
info: \tnode alpha: intf: eth0 ifstatus: up
info: alpha/api_test status: [online]
info: Sleeping...
info: Sent ping request to cluster
info: Waiting for messages..."
    );
    lines.extend(text.lines().map(str::to_owned));
    lines
}

fn api_test_finds_everything_it_looks_for() {
    let pair = rig::pair(&rig::plan(Latido, Latido), "");
    rig::start(&pair);
    let host = pair.host("alpha");
    api_test(host, 12);
    await_message(host, 11);
    let mut expected = walk("200ms", "local", "offline");
    let updates = [("alpha", "join"), ("alpha", "online"), ("beta", "offline")];
    expected
        .extend(updates.map(|(node, st)| format!("notice: Status update: Client {node}/ping now has status [{st}]")));
    expected.push("notice: Got message 1 of type [ping] from [alpha]".into());
    expected.extend((0..10).map(|n| format!("info: Sent ping reply({n}) to [alpha]")));
    expected.extend((2..12).map(|n| format!("notice: Got message {n} of type [pingreply] from [alpha]")));
    // Before these: its pid, two steps, the version.
    assert_eq!(heard(host)[4..], expected);
}

fn api_test_as_root_or_twice_is_refused() {
    let pair = rig::pair(&rig::plan(Latido, Latido), "");
    rig::start(&pair);
    let host = pair.host("alpha");
    let (code, _, errors) = run(host, API_TEST);
    assert!(code == 1 && errors.contains("client failed authorization"), "{code} {errors}");
    api_test(host, 10);
    wait_until("the first to be signed on", 5.0, || run(host, "cl_status clientstatus alpha ping").0 == 0);
    let (code, _, errors) = run(host, &format!("sg haclient -c {API_TEST}"));
    assert!(code == 1 && errors.contains("duplicate add request"), "{code} {errors}");
}

fn on_both(alpha: Kind, beta: Kind) {
    let mut tries = (0..3).map(|_| quick_enough(alpha, beta));
    assert!(tries.any(|quick| quick), "a real daemon quick enough for its own test, in three tries");
}

/// Whether the real daemon was: kept busy it answers its api_test late, which gives up then (`api.md` 4.3).
fn quick_enough(alpha: Kind, beta: Kind) -> bool {
    // At any longer keepalive it never is.
    let pair = rig::pair(&rig::plan(alpha, beta).timed(50, 1500), "");
    rig::start(&pair);
    for name in NAMES {
        api_test(pair.host(name), 13);
        pass(secs(3.0));
    }
    let real = pair.host(if alpha == Real { "alpha" } else { "beta" });
    let gave_up = || heard(real).iter().filter(|line| line.contains("ERROR")).count() > 1;
    let is_over = || gave_up() || !real.run("pidof api_test").status.success();
    let complete = |name: &str| heard(pair.host(name)).iter().any(|line| line.contains("Got message 22 of type"));
    wait_until("22 messages", 20.0, || NAMES.into_iter().all(complete) || is_over());
    if !complete(real.name) {
        return false;
    }
    for name in NAMES {
        await_message(pair.host(name), 22);
    }
    let [first, second] = NAMES.map(|name| heard(pair.host(name)));
    let update = |node: &str, st: &str| format!("notice: Status update: Client {node}/ping now has status [{st}]");
    // A real daemon that is kept busy asks too late itself.
    let patient = |line: &String| if alpha == Real { line.replace("[timeout]", "[offline]") } else { line.clone() };
    assert_eq!(first[4..33].iter().map(patient).collect::<Vec<_>>(), walk("50ms", "local", "offline"));
    for (node, st) in [("alpha", "join"), ("alpha", "online"), ("beta", "offline"), ("beta", "join")] {
        assert!(first.contains(&update(node, st)), "{st} of {node}: {first:#?}");
    }
    for (node, st) in [("beta", "join"), ("beta", "online"), ("alpha", "online")] {
        assert!(second.contains(&update(node, st)), "{st} of {node}: {second:#?}");
    }
    let errors = |lines: &[String]| lines.iter().filter(|line| line.contains("ERROR")).count();
    assert_eq!((errors(&first), errors(&second)), (1, 1));
    wait_until("the second to hear that the first has left", 10.0, || {
        heard(pair.host("beta")).contains(&update("alpha", "leave"))
    });
    pair.assert_real_content();
    true
}

fn api_test_on_both_nodes_hears_the_other_beside_a_real_alpha() {
    on_both(Real, Latido);
}

fn api_test_on_both_nodes_hears_the_other_beside_a_real_beta() {
    on_both(Latido, Real);
}
