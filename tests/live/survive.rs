//! A Latido whose processes are killed: the core alone, the supervisor alone, both; beside a heartbeat 3.0.6 and beside
//! another Latido (`takeover.md` 9).

use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Stdio};

use nix::sys::signal::Signal;

use super::runner::{Pace, Test};
use super::scenarios;
use super::support::Kind::{Latido, Real};
use super::support::clock::{epoch, pass, secs, wait_for, wait_until};
use super::support::host::Host;
use super::support::{Pair, Plan, record, shell};
use crate::tests;

/// The tests of this file that need a heartbeat 3.0.6.
pub(crate) const MIXED: &[Test] =
    tests!(true, Pace::Alone, [a_core_killed_under_load_beside_a_real_node_moves_nothing,]);

/// The others.
pub(crate) const TESTS: &[Test] = tests!(false, Pace::Alone, [a_core_killed_under_load_beside_a_latido_moves_nothing,]);

/// Those that need not be alone.
pub(crate) const MIXED_TOGETHER: &[Test] = tests!(
    true,
    Pace::Together,
    [
        both_killed_beside_a_real_node_are_cleaned_up_after_before_the_node_speaks,
        a_stop_that_hangs_resets_the_machine_beside_a_real_node,
    ]
);

/// The same without a heartbeat 3.0.6.
pub(crate) const TOGETHER: &[Test] = tests!(
    false,
    Pace::Together,
    [
        both_killed_beside_a_latido_are_cleaned_up_after_before_the_node_speaks,
        both_killed_and_back_within_deadtime_move_nothing,
        a_supervisor_killed_is_replaced_and_the_daemon_still_stops_when_told,
        the_program_is_exchanged_with_nothing_moving,
        daemons_started_at_the_same_moment_are_one,
        a_core_killed_during_a_takeover_finishes_it_and_starts_nothing_twice,
        a_core_that_dies_again_and_again_is_given_up_and_leaves_nothing_running,
        a_client_runs_once_under_its_user_whatever_dies_and_is_stopped_last,
        a_stop_that_hangs_resets_the_machine_beside_a_latido,
        a_failfast_client_that_dies_resets_the_machine,
        a_watchdog_is_fed_with_the_heartbeats_and_disarmed_after_the_last_stop,
    ]
);

/// The address the client asks for belongs to alpha's group.
const ADDRESS: &str = "10.21.0.100";

fn plan(other: super::support::Kind) -> Plan {
    Plan::new(Latido, other).timed(200, 2000).resources(&format!("alpha ra rb IPaddr::{ADDRESS}/24/eth0\nbeta rc rd\n"))
}

/// As often as the environment says; three times is enough to see that it works.
fn kills() -> usize {
    std::env::var("LATIDO_LIVE_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(3)
}

fn a_core_killed_under_load_beside_a_real_node_moves_nothing() {
    killed_again_and_again(&plan(Real));
}

fn a_core_killed_under_load_beside_a_latido_moves_nothing() {
    killed_again_and_again(&plan(Latido));
}

/// Kills the core, waits until its successor is active, kills that one, with every processor busy.
fn killed_again_and_again(plan: &Plan) {
    let pair = scenarios::cold_start(plan);
    // Past the five seconds in which a starting real node announces a longer deadtime.
    pair.nothing_moves_for(5.0);
    let (alpha, beta) = (pair.host("alpha"), pair.host("beta"));
    let (from, log) = (epoch(), beta.log().len());
    let load = Load::begin();
    let client = beta.spawn(&format!("exec ping -n -i 0.01 {ADDRESS} >/var/log/client"));
    let mut slowest: f64 = 0.0;
    for _ in 0..kills() {
        let core = alpha.core().expect("a core");
        Host::send(&[core], Signal::SIGKILL);
        let died = epoch();
        wait_until("another core", 2.0, || first_word(&pair, died).is_some());
        slowest = slowest.max(first_word(&pair, died).expect("it was there") - died);
        pair.both_active(8.0);
        pair.stable("alpha", 8.0);
        pass(secs(0.5));
    }
    pair.nothing_moves_for(2.5);
    drop(load);
    let lost = end_of(client, beta);
    let calls = record::counted(&alpha.dir, from);
    assert!(calls.is_empty(), "scripts were called: {calls:?}");
    let said = beta.log().split_off(log);
    assert!(!said.contains("is dead") && !said.contains("acquired from"), "{said}");
    assert!(alpha.log().contains("resource group ra runs as before"), "{}", alpha.log());
    assert_eq!(lost, 0, "the client lost {lost} answers");
    shell::print(&format!("core killed {} times under load: back on the wire within {slowest:.3} s, 0 lost", kills()));
    pair.assert_never_double();
    pair.assert_real_content();
}

/// When alpha was heard to start, after this moment.
fn first_word(pair: &Pair, after: f64) -> Option<f64> {
    pair.tap.talk().lines().filter(|line| line.contains(" alpha ") && line.contains("st=init")).find_map(|line| {
        let at: f64 = line.split(' ').next()?.parse().ok()?;
        (at > after).then_some(at)
    })
}

/// Ends the client; how many questions were not answered.
fn end_of(mut client: Child, host: &Host) -> u64 {
    host.run("kill -INT $(pidof ping)");
    let _ = client.wait();
    let said = std::fs::read_to_string(host.dir.join("log/client")).expect("what the client saw");
    let summary = said.lines().find(|line| line.contains("packets transmitted")).unwrap_or_else(|| panic!("{said}"));
    let mut numbers = summary.split(|c: char| !c.is_ascii_digit()).filter_map(|word| word.parse::<u64>().ok());
    let (sent, answered) = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    assert!(sent > 100, "{summary}");
    // The last question may have been asked when the client was ended.
    (sent - answered).saturating_sub(1)
}

/// Keeps every processor busy until it is dropped.
struct Load(Vec<Child>);

impl Load {
    fn begin() -> Load {
        let hogs = std::thread::available_parallelism().map_or(4, std::num::NonZero::get);
        let hog = |_| {
            let mut command = shell::clean("sh");
            command.args(["-c", "while :; do :; done"]).stdout(Stdio::null());
            command.spawn().expect("a shell")
        };
        Load((0..hogs).map(hog).collect())
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        for hog in &mut self.0 {
            let _ = hog.kill();
            let _ = hog.wait();
        }
    }
}

fn both_killed_beside_a_real_node_are_cleaned_up_after_before_the_node_speaks() {
    killed_for_good(&plan(Real));
}

fn both_killed_beside_a_latido_are_cleaned_up_after_before_the_node_speaks() {
    killed_for_good(&plan(Latido));
}

/// Kills supervisor and core; the other node takes over, as without fencing nobody can help. At the next start the
/// leftovers are stopped first, and only then anything is said.
fn killed_for_good(plan: &Plan) {
    let pair = scenarios::cold_start(plan);
    pair.nothing_moves_for(5.0);
    let (alpha, beta) = (pair.host("alpha"), pair.host("beta"));
    kill_both(alpha);
    wait_until("beta to take over", 8.0, || beta.held() == ["ra", "rb", "rc", "rd"]);
    assert_eq!(alpha.held(), ["ra", "rb"], "nobody stops what a dead daemon left");
    // A real node that is met in the middle of its takeover never gives back what it took.
    pair.stable("beta", 8.0);
    pair.take_doubles();
    let started = epoch();
    alpha.start();
    wait_until("the leftovers to be stopped", 8.0, || alpha.held().is_empty() || first_word(&pair, started).is_some());
    let word = wait_for("a word", 8.0, || first_word(&pair, started));
    let calls = record::calls(&alpha.dir);
    let stopped = calls.iter().filter(|call| call.at >= started && call.verb == "stop").map(|call| call.at);
    let last = stopped.fold(started, f64::max);
    assert!(last > started, "nothing was stopped: {calls:?}");
    assert!(word > last, "the node spoke at {word}, the last stop came at {last}");
    pair.settle(&["ra", "rb"], &["rc", "rd"], 15.0);
    pair.both_active(8.0);
    pair.assert_never_double();
    pair.assert_real_content();
}

fn kill_both(host: &Host) {
    let core = host.core().expect("a core");
    let supervisor = host.daemon().expect("a supervisor");
    // Stopped first: neither has the time to help the other.
    Host::send(&[supervisor, core], Signal::SIGSTOP);
    Host::send(&[supervisor, core], Signal::SIGKILL);
}

fn both_killed_and_back_within_deadtime_move_nothing() {
    let pair = scenarios::cold_start(&plan(Latido));
    let from = epoch();
    kill_both(pair.host("alpha"));
    pair.host("alpha").start();
    pair.both_active(8.0);
    pair.nothing_moves_for(3.0);
    let calls = record::counted(&pair.host("alpha").dir, from);
    assert!(calls.is_empty(), "{calls:?}");
    pair.assert_never_double();
}

fn a_supervisor_killed_is_replaced_and_the_daemon_still_stops_when_told() {
    let pair = scenarios::cold_start(&plan(Latido));
    let alpha = pair.host("alpha");
    let (core, before) = (alpha.core(), alpha.daemon().expect("a supervisor"));
    Host::send(&[before], Signal::SIGKILL);
    wait_until("another supervisor", 5.0, || alpha.daemon().is_some_and(|pid| pid != before));
    pair.nothing_moves_for(1.0);
    assert_eq!(alpha.core(), core, "the core went on");
    // The new one does its work.
    Host::send(&[core.expect("a core")], Signal::SIGKILL);
    wait_until("another core", 5.0, || alpha.core().is_some_and(|now| Some(now) != core));
    pair.nothing_moves_for(2.5);
    let said = alpha.run(&format!("{} -s", alpha.program("heartbeat")));
    assert!(said.status.success(), "{said:?}");
    scenarios::stop_and_start(&pair, 0);
    pair.assert_never_double();
}

fn daemons_started_at_the_same_moment_are_one() {
    let pair = scenarios::cold_start(&plan(Latido));
    let (alpha, beta) = (pair.host("alpha"), pair.host("beta"));
    alpha.stop().wait().expect("heartbeat -k ends");
    wait_until("everything on beta", 8.0, || beta.held() == ["ra", "rb", "rc", "rd"]);
    let lives = || beta.log().matches("Heartbeat restart on node alpha").count();
    let before = lives();
    let program = alpha.program("latido");
    alpha.run(&format!("for i in 1 2 3 4 5 6; do {program} daemon </dev/null >/dev/null 2>&1 & done"));
    let count = || {
        let output = alpha.run(&format!("pgrep -c -f '{program} [d]aemon|^latido: [m]aster'"));
        String::from_utf8_lossy(&output.stdout).trim().parse::<usize>().unwrap_or_default()
    };
    // A supervisor and the process that does the work.
    wait_until("one daemon", 10.0, || alpha.core().is_some() && count() == 2);
    pair.both_active(8.0);
    pass(secs(1.0));
    assert_eq!((count(), lives() - before), (2, 1), "{}", alpha.log());
    assert!(alpha.log().contains("already running"), "{}", alpha.log());
    pair.assert_never_double();
}

fn the_program_is_exchanged_with_nothing_moving() {
    let pair = scenarios::cold_start(&plan(Latido));
    let alpha = pair.host("alpha");
    let (core, supervisor) = (alpha.core(), alpha.daemon());
    let output = alpha.run(&format!("{} daemon --upgrade", alpha.program("latido")));
    assert!(output.status.success(), "{}", shell::said(&output));
    pair.nothing_moves_for(2.5);
    assert_ne!(alpha.core(), core);
    assert_eq!(alpha.daemon(), supervisor, "whoever watches the daemon sees the same process");
    pair.both_active(8.0);
    scenarios::give_and_take_back(&pair, 0);
    pair.assert_never_double();
}

fn a_core_killed_during_a_takeover_finishes_it_and_starts_nothing_twice() {
    let mut pair = scenarios::cold_start(&plan(Latido));
    std::fs::write(pair.host("beta").dir.join("delay.ra.start"), "1").expect("a file of our own");
    let core = pair.host("beta").core().expect("a core");
    let from = epoch();
    pair.power_off("alpha");
    let beta = pair.host("beta");
    wait_until("ra to be started", 8.0, || record::counted(&beta.dir, from).contains_key("ra start"));
    Host::send(&[core], Signal::SIGKILL);
    wait_until("everything on beta", 8.0, || beta.held() == ["ra", "rb", "rc", "rd"]);
    pass(secs(1.0));
    let calls = record::counted(&beta.dir, from);
    let once = ["ra start", "rb start"].map(|call| (call.to_owned(), 1));
    assert!(calls.into_iter().eq(once), "{:?}", record::counted(&beta.dir, from));
}

fn a_core_that_dies_again_and_again_is_given_up_and_leaves_nothing_running() {
    let pair = scenarios::cold_start(&plan(Latido));
    let alpha = pair.host("alpha");
    for _ in 0..20 {
        let pid = wait_for("a core", 5.0, || alpha.core());
        Host::send(&[pid], Signal::SIGKILL);
        let given_up = || alpha.log().contains("giving up");
        wait_until("the next", 5.0, || given_up() || alpha.core().is_some_and(|next| next != pid));
    }
    wait_until("the daemon to give up", 10.0, || alpha.daemon().is_none() && alpha.held().is_empty());
    let log = alpha.log();
    assert!(log.contains("giving up"), "{log}");
    wait_until("beta to take over", 8.0, || pair.host("beta").held().len() == 4);
    pair.assert_never_double();
}

fn a_stop_that_hangs_resets_the_machine_beside_a_real_node() {
    a_stop_that_hangs(&plan(Real));
}

fn a_stop_that_hangs_resets_the_machine_beside_a_latido() {
    a_stop_that_hangs(&plan(Latido));
}

/// `on-stop-failure reboot`, with the real reboot(2): in a host it ends the host, and nothing else.
fn a_stop_that_hangs(plan: &Plan) {
    let mut pair = Pair::new(plan);
    let dir = pair.host("alpha").dir.clone();
    std::fs::write(dir.join("ha.d/latido.cf"), "script-timeout stop 1\n").expect("latido.cf");
    std::fs::write(dir.join("delay.ra.stop"), "3600").expect("a file of our own");
    pair.start_both();
    pair.settle(&["ra", "rb"], &["rc", "rd"], 30.0);
    pair.stable("alpha", 8.0);
    pair.both_active(8.0);
    let alpha = pair.host("alpha");
    let (init, asked) = (alpha.init(), epoch());
    let output = alpha.run(&alpha.program("hb_standby"));
    assert!(output.status.success(), "{}", shell::said(&output));
    await_reset(&pair, init);
    let reset = epoch();
    assert!(reset - asked > 1.0, "the script had its second");
    assert_eq!(pair.host("beta").held(), ["rc", "rd"], "nothing was started while ra still ran on alpha");
    pair.power_off("alpha");
    assert!(pair.host("alpha").log().contains("ra does not stop: rebooting this machine"));
    pair.settle(&[], &["ra", "rb", "rc", "rd"], 10.0);
    std::fs::remove_file(dir.join("delay.ra.stop")).expect("it was there");
    // A real node that is met in the middle of its takeover never gives back what it took.
    pair.stable("beta", 8.0);
    pair.power_on("alpha");
    pair.host("alpha").start();
    pair.settle(&["ra", "rb"], &["rc", "rd"], 30.0);
    pair.assert_never_double();
    pair.assert_real_content();
}

/// Waits until the host has ended itself: its first process is gone, or a zombie.
fn await_reset(pair: &Pair, init: u32) {
    let gone = || std::fs::read_link(format!("/proc/{init}/exe")).is_err();
    wait_until("alpha to reset itself", 10.0, gone);
    assert!(pair.host("beta").run("true").status.success(), "only alpha");
}

fn a_failfast_client_that_dies_resets_the_machine() {
    let mut pair = Pair::new(&plan(Latido));
    pair.host("alpha").add_to_ha_cf("failfast root /bin/sleep 3600\n");
    pair.start_both();
    pair.settle(&["ra", "rb"], &["rc", "rd"], 30.0);
    let alpha = pair.host("alpha");
    let init = alpha.init();
    wait_until("the client", 5.0, || alpha.run("pgrep -f '^/bin/sleep 3600'").status.success());
    alpha.run("kill -9 $(pgrep -f '^/bin/sleep 3600')");
    await_reset(&pair, init);
    pair.power_off("alpha");
    let log = pair.host("alpha").log();
    assert!(log.contains("and ha.cf says failfast: rebooting this machine"), "{log}");
    pair.settle(&[], &["ra", "rb", "rc", "rd"], 10.0);
    pair.assert_never_double();
}

/// A program of `respawn`: writes down who it is and when it was asked to end.
const CLIENT: &str = r#"#!/bin/sh
echo "start $(id -u) $(id -g) $HA_keepalive $1" >>@FILE@
trap 'echo "$(ls @STATE@ | wc -l) term" >>@FILE@; exit 0' TERM
while :; do sleep 0.1; done
"#;

fn a_client_runs_once_under_its_user_whatever_dies_and_is_stopped_last() {
    let pair = Pair::new(&plan(Latido));
    let alpha = pair.host("alpha");
    let (program, file) = (alpha.dir.join("bin/client"), alpha.dir.join("said"));
    let text = CLIENT.replace("@FILE@", &file.display().to_string());
    let text = text.replace("@STATE@", &alpha.dir.join("state").display().to_string());
    for (path, text, mode) in [(&program, text.as_str(), 0o755), (&file, "", 0o666)] {
        std::fs::write(path, text).expect("a file of our own");
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("a file of our own");
    }
    open_to_all(&alpha.dir);
    alpha.add_to_ha_cf(&format!("respawn nobody {} 'two words'\n", program.display()));
    pair.start_both();
    pair.settle(&["ra", "rb"], &["rc", "rd"], 30.0);
    let said = || std::fs::read_to_string(&file).unwrap_or_default();
    let starts = || said().lines().filter(|line| line.starts_with("start")).count();
    wait_until("the client", 5.0, || starts() == 1);
    let first = said();
    assert!(first.starts_with("start 65534 65534 ") && first.ends_with(" two words\n"), "{first}");
    let running = || String::from_utf8_lossy(&alpha.run("pidof -x client | wc -w").stdout).trim().to_owned();
    // It dies, the core dies, the supervisor dies: there is one.
    alpha.run("kill -9 $(pidof -x client)");
    wait_until("it to be started again", 5.0, || starts() == 2);
    Host::send(&[alpha.core().expect("a core")], Signal::SIGKILL);
    wait_until("it to be started by the next core", 8.0, || starts() == 3 && running() == "1");
    assert!(said().contains("2 term"), "the one before was ended: {}", said());
    let stopping = alpha.stop().wait();
    assert!(stopping.is_ok_and(|status| status.success()));
    assert!(said().ends_with("0 term\n"), "it is stopped when nothing is held any more: {}", said());
    assert_eq!((starts(), running().as_str()), (3, "0"), "{}", said());
}

/// A user without rights has to get at what lies below.
fn open_to_all(dir: &std::path::Path) {
    for dir in dir.ancestors().filter(|dir| dir.starts_with("/tmp") && *dir != std::path::Path::new("/tmp")) {
        std::fs::set_permissions(dir, std::fs::Permissions::from_mode(0o755)).expect("a directory of our own");
    }
}

/// The device is a file: what is written into it is what a real one would hear.
fn a_watchdog_is_fed_with_the_heartbeats_and_disarmed_after_the_last_stop() {
    let pair = Pair::new(&plan(Latido));
    let alpha = pair.host("alpha");
    let device = alpha.dir.join("log/dog");
    std::fs::write(&device, "").expect("a file of our own");
    std::fs::write(alpha.dir.join("delay.ra.stop"), "1").expect("a file of our own");
    alpha.add_to_ha_cf("watchdog /var/log/dog\n");
    pair.start_both();
    pair.settle(&["ra", "rb"], &["rc", "rd"], 30.0);
    let heard = || std::fs::read_to_string(&device).unwrap_or_default();
    let begun = heard().len();
    wait_until("five heartbeats", 3.0, || heard().len() >= begun + 5);
    Host::send(&[alpha.core().expect("a core")], Signal::SIGKILL);
    // The next core writes from the beginning of the file, as into a device.
    wait_until("the next core to feed it", 3.0, || alpha.core().is_some());
    pair.stable("alpha", 8.0);
    assert!(!heard().contains('V'), "{}", heard());
    let mut stopping = alpha.stop();
    wait_until("the first stop", 3.0, || record::calls(&alpha.dir).iter().any(|call| call.verb == "stop"));
    assert!(!heard().contains('V'), "disarmed while resources run: {}", heard());
    assert!(stopping.wait().is_ok_and(|status| status.success()));
    assert_eq!(heard().matches('V').count(), 1, "{}", heard());
}
