//! `latido start`, `stop` and `reload` where no service manager is, and what one would be told (`systemd.md` 1, 2).

use std::fs;
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use nix::sys::signal::Signal;

use super::runner::{Pace, Test};
use super::scenarios;
use super::support::Kind::Latido;
use super::support::clock::{epoch, wait_for, wait_until};
use super::support::host::Host;
use super::support::{Pair, Plan, record};
use crate::tests;

/// The tests of this file.
pub(crate) const TESTS: &[Test] = tests!(
    false,
    Pace::Together,
    [
        a_node_is_stopped_started_and_reread_by_plain_words_and_each_says_how_it_went,
        a_service_manager_is_told_how_the_node_is_and_a_core_that_hangs_is_replaced,
    ]
);

fn pair() -> Pair {
    // Longer than a core that hangs takes to be found out, and than any machine stands still while it is tested.
    let pair = scenarios::cold_start(&Plan::new(Latido, Latido).timed(200, 10_000));
    pair.both_active(15.0);
    pair
}

/// The command's exit code and words.
fn latido(host: &Host, words: &str) -> (i32, String) {
    let output = host.run(&format!("{} {words}", host.program("latido")));
    let said = [&output.stdout[..], &output.stderr[..]].map(String::from_utf8_lossy).concat();
    (output.status.code().unwrap_or(-1), said)
}

fn a_node_is_stopped_started_and_reread_by_plain_words_and_each_says_how_it_went() {
    let pair = pair();
    let alpha = pair.host("alpha");
    let before = alpha.core();
    let (code, said) = latido(alpha, "start");
    assert!(code == 0 && said.contains("runs already (pid"), "{said}");
    assert_eq!(alpha.core(), before, "there is one daemon");

    let (code, said) = latido(alpha, "reload");
    assert!(code == 0 && said.starts_with("the files were read again and are in force"), "{said}");
    let path = alpha.dir.join("ha.d/ha.cf");
    let right = fs::read_to_string(&path).expect("a file of our own");
    fs::write(&path, format!("deadtime 1\nnodde x\n{right}bcast\n")).expect("a file of our own");
    let (code, said) = latido(alpha, "reload");
    assert_eq!(code, 1, "{said}");
    assert!(said.lines().next().is_some_and(|line| line.contains("ha.cf:2: error: unknown directive")), "{said}");
    assert!(said.contains("NOT read again") && said.lines().count() > 2, "{said}");
    fs::write(&path, format!("{right}debugfile /var/log/other\n")).expect("a file of our own");
    let (code, said) = latido(alpha, "reload");
    assert!(code == 0 && said.contains("takes effect at the next start"), "{said}");
    fs::write(&path, &right).expect("a file of our own");

    assert!(!alpha.held().is_empty(), "it has something to release");
    let (code, said) = latido(alpha, "stop");
    assert!(code == 0 && said.contains("all that it ran is released"), "{said}");
    assert!(alpha.held().is_empty() && alpha.core().is_none());
    let (code, said) = latido(alpha, "stop");
    assert!(code == 0 && said.contains("no daemon runs here"), "{said}");
    let (code, said) = latido(alpha, "reload");
    assert!(code == 7 && said.contains("`latido start`"), "{said}");

    fs::write(&path, format!("nodde x\n{right}")).expect("a file of our own");
    let (code, said) = latido(alpha, "start");
    assert!(code == 6 && said.contains("ha.cf:1") && said.contains("latido not started"), "{said}");
    fs::write(&path, &right).expect("a file of our own");
    let (code, said) = latido(alpha, "start");
    assert!(code == 0 && said.contains("the daemon runs (pid"), "{said}");
    pair.both_active(30.0);
    let (code, said) = latido(alpha, "daemon --background");
    assert!(code == 0 && said.contains("latido: already running"), "{said}");
    pair.assert_never_double();
}

/// What a service manager hears.
struct Manager(UnixDatagram);

impl Manager {
    fn next(&self) -> String {
        let mut bytes = [0; 4096];
        self.0.set_read_timeout(Some(Duration::from_secs(60))).expect("a limit");
        let length = self.0.recv(&mut bytes).expect("a word of the daemon");
        String::from_utf8_lossy(&bytes[..length]).into_owned()
    }

    /// Waits for a word that contains this; everything heard on the way.
    fn hears(&self, word: &str) -> String {
        let mut heard = String::new();
        loop {
            heard += &self.next();
            if heard.contains(word) {
                return heard;
            }
        }
    }

    fn forget(&self) {
        let mut bytes = [0; 4096];
        self.0.set_nonblocking(true).expect("a way not to wait");
        while self.0.recv(&mut bytes).is_ok() {}
        self.0.set_nonblocking(false).expect("the way back");
    }
}

fn a_service_manager_is_told_how_the_node_is_and_a_core_that_hangs_is_replaced() {
    let pair = pair();
    let alpha = pair.host("alpha");
    let manager = Manager(UnixDatagram::bind(alpha.dir.join("log/notify")).expect("a socket"));
    assert_eq!(latido(alpha, "stop").0, 0);
    // As systemd starts it: the process that is watched knows so.
    let program = alpha.program("latido");
    alpha.run(&format!(
        "NOTIFY_SOCKET=/var/log/notify WATCHDOG_USEC=3000000 setsid sh -c 'export WATCHDOG_PID=$$; exec {program} daemon \
         </dev/null >/dev/null 2>&1' &"
    ));
    manager.hears("READY=1");
    manager.hears("WATCHDOG=1");
    pair.both_active(30.0);
    pair.stable("alpha", 30.0);
    let heard = manager.hears("STATUS=alpha active holds ra");
    assert!(!heard.contains("STATUS=\n"), "{heard}");

    let path = alpha.dir.join("ha.d/ha.cf");
    let right = fs::read_to_string(&path).expect("a file of our own");
    fs::write(&path, format!("{right}nodde x\n")).expect("a file of our own");
    assert_eq!(latido(alpha, "reload").0, 1);
    manager.hears("STATUS=files refused, the old ones stay in force");
    fs::write(&path, right).expect("a file of our own");
    assert_eq!(latido(alpha, "reload").0, 0);
    manager.hears("STATUS=alpha active holds ra");

    let (core, from) = (alpha.core().expect("a core"), epoch());
    Host::send(&[core], Signal::SIGSTOP);
    let next = wait_for("another core", 60.0, || alpha.core().filter(|next| *next != core));
    wait_until("the next core", 30.0, || alpha.log().contains("killed by SIGKILL"));
    manager.forget();
    manager.hears("WATCHDOG=1");
    let calls = record::counted(&alpha.dir, from);
    assert!(calls.is_empty(), "scripts were called: {calls:?}");

    let supervisor = alpha.daemon().expect("a supervisor");
    Host::send(&[supervisor], Signal::SIGKILL);
    // The core at once, then its new supervisor.
    let heard = manager.hears("READY=1");
    assert_eq!(heard.matches("MAINPID=").count(), 2, "{heard}");
    manager.forget();
    manager.hears("WATCHDOG=1");
    assert_eq!(alpha.core(), Some(next), "the core goes on");
    assert_eq!(latido(alpha, "stop").0, 0);
    manager.hears("STOPPING=1");
    pair.assert_never_double();
}
