//! dopd and drbd-peer-outdater, the original's and ours, with a `drbdadm` that ends as it is told (`api.md` 4.5).

use std::os::unix::fs::PermissionsExt;

use super::rig::{self, NAMES, run};
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
        the_original_dopd_at_our_socket_serves_and_crashes_and_serves_again,
        our_dopd_asks_the_original_on_a_real_node,
        our_dopd_serves_the_original_on_a_real_node,
        our_dopd_on_both_nodes_answers_with_drbds_codes,
        a_second_request_for_a_resource_is_told_that_one_is_under_way,
    ]
);

const THEIRS: &str = "respawn hacluster /usr/libexec/heartbeat/dopd\napiauth dopd gid=haclient uid=hacluster\n";
const OURS: &str = "respawn hacluster /usr/lib/heartbeat/dopd\napiauth dopd gid=haclient uid=hacluster\n";
const OUTDATER: &str = "/usr/libexec/heartbeat/drbd-peer-outdater";

/// What `drbdadm` ends with, and what DRBD is told then.
const CODES: [(i32, i32); 4] = [(0, 4), (5, 3), (17, 6), (1, 20)];

fn started(alpha: Kind, beta: Kind, lines: [&str; 2]) -> Pair {
    let pair = rig::pair(&rig::plan(alpha, beta).timed(50, 1500), "");
    rig::add(&pair, lines);
    for name in NAMES {
        let host = pair.host(name);
        let dir = &host.dir;
        // Programs of another user look into this directory.
        for dir in [dir.as_path(), dir.parent().expect("the pair's")] {
            std::fs::set_permissions(dir, std::fs::Permissions::from_mode(0o755)).expect("a directory of our own");
        }
        let script = format!(
            "#!/bin/sh\n[ \"$1\" = outdate ] || exit 99\n[ \"$2\" = slow ] && sleep 2\nexit $(cat {}/code)\n",
            dir.display()
        );
        std::fs::write(dir.join("bin/drbdadm"), script).expect("a script of our own");
        std::fs::set_permissions(dir.join("bin/drbdadm"), std::fs::Permissions::from_mode(0o755)).expect("a script");
        // Where drbd-utils are installed, theirs would be found first.
        let place =
            format!("[ ! -e /usr/sbin/drbdadm ] || mount --bind {}/bin/drbdadm /usr/sbin/drbdadm", dir.display());
        assert!(host.run(&place).status.success());
        let output = host.run(&format!("PATH={}/bin:$PATH {}", dir.display(), host.program("heartbeat")));
        assert!(output.status.success(), "{output:?}");
    }
    rig::active(&pair);
    NAMES.into_iter().for_each(|name| online(&pair, name));
    pair
}

fn online(pair: &Pair, name: &str) {
    let ask = format!("cl_status clientstatus {name} dopd 1000");
    wait_until(&format!("dopd on {name}"), 3.0, || run(pair.host(name), &ask).1 == "online\n");
    // It listens a little later than it signs on.
    wait_until("its socket", 3.0, || run(pair.host(name), "grep -q dopd/outdater /proc/net/unix").0 == 0);
}

fn ends_with(pair: &Pair, name: &str, code: i32) {
    std::fs::write(pair.host(name).dir.join("code"), code.to_string()).expect("a file of our own");
}

/// The original's dopd crashes when it has answered: a new one has to come.
fn after(pair: &Pair, asked: &str) {
    wait_until("a new dopd", 3.0, || run(pair.host("alpha"), "pidof dopd").1 != asked);
}

/// alpha asks beta with this program, and each code arrives.
fn all_codes(pair: &Pair, program: &str, crashes: bool) {
    for (exit, expected) in CODES {
        online(pair, "alpha");
        online(pair, "beta");
        ends_with(pair, "beta", exit);
        let dopd = run(pair.host("alpha"), "pidof dopd").1;
        let asked = run(pair.host("alpha"), &format!("{program} -p beta -r r0 -t 8"));
        assert_eq!(asked.0, expected, "drbdadm ended with {exit}: {asked:?}");
        if crashes {
            after(pair, &dopd);
        }
    }
    for (peer, expected) in [("nosuch", 5), ("alpha", 5), (rig::PING, 5)] {
        online(pair, "alpha");
        let dopd = run(pair.host("alpha"), "pidof dopd").1;
        assert_eq!(run(pair.host("alpha"), &format!("{program} -p {peer} -r r0 -t 3")).0, expected, "{peer}");
        if crashes {
            after(pair, &dopd);
        }
    }
}

fn ours(pair: &Pair) -> String {
    pair.host("alpha").dir.join("bin/drbd-peer-outdater").display().to_string()
}

fn the_original_dopd_at_our_socket_serves_and_crashes_and_serves_again() {
    let pair = started(Latido, Real, [THEIRS, THEIRS]);
    all_codes(&pair, OUTDATER, true);
}

fn our_dopd_asks_the_original_on_a_real_node() {
    let pair = started(Latido, Real, [OURS, THEIRS]);
    all_codes(&pair, OUTDATER, false);
    all_codes(&pair, &ours(&pair), false);
}

fn our_dopd_serves_the_original_on_a_real_node() {
    let pair = started(Real, Latido, [THEIRS, OURS]);
    all_codes(&pair, OUTDATER, true);
}

fn our_dopd_on_both_nodes_answers_with_drbds_codes() {
    let pair = started(Latido, Latido, [OURS, OURS]);
    all_codes(&pair, &ours(&pair), false);
}

fn a_second_request_for_a_resource_is_told_that_one_is_under_way() {
    let pair = started(Latido, Latido, [OURS, OURS]);
    ends_with(&pair, "beta", 0);
    let (host, program) = (pair.host("alpha"), ours(&pair));
    let mut first = host.spawn(&format!("{program} -p beta -r slow -t 8"));
    wait_until("the first request", 3.0, || host.log().contains("sending start_outdate message"));
    assert_eq!(run(host, &format!("{program} -p beta -r slow -t 8")).0, 21);
    assert_eq!(run(host, &format!("{program} -p beta -r other -t 8")).0, 4);
    assert_eq!(first.wait().expect("our child").code(), Some(4));
}
