//! Keys only Latido knows (`threat-model.md`): two Latidos live by them and come to them without a pause; beside
//! an original they are refused, and never make it deaf to us.

use std::fs;

use nix::sys::signal::Signal;

use super::runner::{Pace, Test};
use super::scenarios;
use super::support::Kind::{Latido, Real};
use super::support::clock::{epoch, pass, secs, wait_until};
use super::support::host::Host;
use super::support::pair::NAMES;
use super::support::{Medium, Method, Pair, Plan, record, shell};
use crate::tests;

/// The tests of this file.
pub(crate) const TESTS: &[Test] = tests!(
    false,
    Pace::Together,
    [two_latidos_live_by_sha256_over_a_net_and_a_line, a_pair_comes_to_sha256_and_nothing_moves]
);

/// Those beside a real node.
pub(crate) const MIXED: &[Test] = tests!(
    true,
    Pace::Together,
    [
        sha256_beside_an_original_is_refused_and_not_taken_by_the_next_life,
        who_should_sign_with_sha256_signs_as_the_original_beside_it,
    ]
);

const OLD: &str = "1 sha1 SuperSecret\n";
const NEW: &str = "2 sha256 AnotherSecretAsLongAsNobodyWouldGuessIt\n";

fn write_keys(host: &Host, text: &str) {
    fs::write(host.dir.join("ha.d/authkeys"), text).expect("a file of our own");
}

fn reread(host: &Host) {
    let asked = host.run(&format!("{} -r", host.program("heartbeat")));
    assert!(asked.status.success(), "{}", shell::said(&asked));
}

fn two_latidos_live_by_sha256_over_a_net_and_a_line() {
    let plan = Plan::new(Latido, Latido).over(&[Medium::Bcast(0), Medium::Serial]).signed(Method::Sha256);
    scenarios::a_life(&plan);
}

/// Both learn the new key, then one after the other signs with it, then the old one goes.
fn a_pair_comes_to_sha256_and_nothing_moves() {
    let pair = scenarios::cold_start(&Plan::new(Latido, Latido).timed(200, 10_000));
    let from = epoch();
    for text in [format!("auth 1\n{OLD}{NEW}"), format!("auth 2\n{OLD}{NEW}"), format!("auth 2\n{NEW}")] {
        for name in NAMES {
            write_keys(pair.host(name), &text);
            reread(pair.host(name));
            let heard = pair.tap.heard().len();
            wait_until("both to say something", 20.0, || {
                let all = pair.tap.heard();
                NAMES.iter().all(|name| all[heard..].iter().filter(|said| said.get("src") == *name).count() > 3)
            });
        }
    }
    let all = pair.tap.heard();
    for name in NAMES {
        let last = all.iter().rfind(|heard| heard.get("src") == name).expect("it beats");
        assert!(last.get("auth").starts_with("2 ") && last.get("auth").len() == 66, "{}", last.get("auth"));
        let calls = record::counted(&pair.host(name).dir, from);
        assert!(calls.is_empty(), "scripts ran on {name}: {calls:?}");
        let log = pair.host(name).log();
        assert!(!log.contains("does not define") && !log.contains("wrong signature"), "{log}");
    }
    pair.assert_never_double();
}

/// The file lies there, refused: whoever comes after goes by the keys that were accepted.
fn sha256_beside_an_original_is_refused_and_not_taken_by_the_next_life() {
    let pair = scenarios::cold_start(&Plan::new(Latido, Real).timed(200, 10_000));
    let alpha = pair.host("alpha");
    let (from, core) = (epoch(), alpha.core().expect("a core"));
    write_keys(alpha, &format!("auth 2\n{NEW}"));
    Host::send(&[core], Signal::SIGHUP);
    wait_until("the refusal", 20.0, || alpha.log().contains("Configuration not reread"));
    assert!(alpha.log().contains("beta runs heartbeat: it would believe nothing we say"), "{}", alpha.log());
    Host::send(&[core], Signal::SIGKILL);
    let status = || shell::said(&alpha.run(&format!("{} status", alpha.program("latido"))));
    wait_until("status to say it", 20.0, || status().contains("authkeys was changed and not reread"));
    pair.both_active(20.0);
    // Longer than it takes to be declared dead.
    pass(secs(11.0));
    assert_eq!(pair.held(), [["ra", "rb"], ["rc", "rd"]]);
    for name in NAMES {
        let calls = record::counted(&pair.host(name).dir, from);
        assert!(calls.is_empty(), "scripts ran on {name}: {calls:?}");
    }
    write_keys(alpha, &format!("auth 1\n{OLD}"));
    wait_until("the status to be clean", 20.0, || !status().contains("authkeys"));
    pair.assert_never_double();
}

fn who_should_sign_with_sha256_signs_as_the_original_beside_it() {
    let pair = Pair::new(&Plan::new(Latido, Real));
    let alpha = pair.host("alpha");
    write_keys(alpha, &format!("auth 2\n{OLD}{NEW}"));
    pair.start_both();
    pair.settle(&["ra", "rb"], &["rc", "rd"], 40.0);
    pair.both_active(20.0);
    let says = "beta runs heartbeat, which does not know the sha256 of key 2: what we say is signed with key 1 (sha1)";
    assert!(alpha.log().contains(says), "{}", alpha.log());
    let status = shell::said(&alpha.run(&format!("{} status", alpha.program("latido"))));
    assert!(status.contains(says), "{status}");
    pair.nothing_moves_for(3.0);
    pair.assert_never_double();
}
