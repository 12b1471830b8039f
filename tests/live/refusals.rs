//! The core is killed while something that a start needs is refused (`takeover.md` 9): nothing runs twice and
//! nothing stops, `latido status` says what is gone on without, and the node is whole again once the cause is gone.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use nix::sys::signal::Signal;

use super::runner::{Pace, Test};
use super::scenarios;
use super::support::Kind::Latido;
use super::support::clock::{epoch, pass, secs, wait_until};
use super::support::host::Host;
use super::support::{Medium, Pair, Plan, record, shell};
use crate::tests;

/// The tests of this file.
pub(crate) const TESTS: &[Test] = tests!(
    false,
    Pace::Together,
    [
        killed_while_ha_cf_has_a_typo_not_yet_in_force,
        killed_while_ha_cf_names_a_third_node_that_was_not_reread,
        killed_while_authkeys_is_open_to_others,
        killed_while_authkeys_cannot_be_read,
        killed_while_authkeys_has_a_wrong_line,
        killed_while_authkeys_holds_another_key_that_was_not_reread,
        killed_while_haresources_has_an_error,
        killed_while_an_interface_is_away,
        killed_while_a_serial_line_is_locked_by_another,
        killed_while_the_disk_of_the_generation_is_read_only,
        killed_while_the_disk_of_the_generation_is_full,
        killed_while_run_is_full_again_and_again,
        killed_while_the_log_cannot_be_opened,
        killed_while_the_control_socket_cannot_be_bound,
        killed_while_the_clients_socket_and_the_fifo_cannot_be_made,
        killed_while_no_process_can_be_made,
        both_killed_with_a_typo_in_ha_cf_are_started_with_the_files_as_they_were,
        without_any_files_what_runs_is_stopped_in_time_and_the_node_returns_with_them,
        a_node_told_to_leave_while_it_cannot_start_stops_what_runs,
        a_first_start_with_a_typo_is_refused,
    ]
);

/// Longer than any machine stands still while it is tested.
const DEADTIME_MS: u32 = 10_000;

fn pair() -> Pair {
    pair_over(&[Medium::Bcast(0)])
}

fn pair_over(media: &[Medium]) -> Pair {
    let pair = scenarios::cold_start(&Plan::new(Latido, Latido).timed(200, DEADTIME_MS).over(media));
    pair.both_active(15.0);
    pair
}

/// What `latido status` prints, to whichever stream.
fn status(host: &Host) -> String {
    let output = host.run(&format!("{} status", host.program("latido")));
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn must(host: &Host, what: &str) {
    let output = host.run(what);
    assert!(output.status.success(), "{what}: {}", shell::said(&output));
}

/// Ends the core as a bug would, after the cause was made; returns once another one says what it goes on without.
fn kill_core(alpha: &Host, core: u32, says: &str) {
    Host::send(&[core], Signal::SIGKILL);
    let mut last = String::new();
    let said = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        wait_until("status to say it", 20.0, || {
            last = status(alpha);
            last.contains(says)
        });
    }));
    assert!(said.is_ok(), "{says:?} is not in the status: {last}\n{}", alpha.log());
}

/// The whole story of one cause: made, the core killed, the node lives on with it; gone, the node is whole.
fn survived(pair: &Pair, cause: impl Fn(&Host), says: &str, end: impl Fn(&Host)) {
    let alpha = pair.host("alpha");
    let (from, core, supervisor) = (epoch(), alpha.core().expect("a core"), alpha.daemon());
    cause(alpha);
    kill_core(alpha, core, says);
    pass(secs(1.0));
    assert!(status(alpha).contains(says), "{}", status(alpha));
    end(alpha);
    let mut last = String::new();
    let clean = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        wait_until("the status to be clean", 20.0, || {
            last = status(alpha);
            !last.contains(says) && !last.contains("going on") && last.contains("settled")
        });
    }));
    assert!(clean.is_ok(), "it still says: {last}");
    pair.both_active(20.0);
    assert_ne!(alpha.core(), Some(core));
    assert_eq!(alpha.daemon(), supervisor, "the supervisor lives");
    nothing_moved(pair, from);
    // What was missing works again, and the next death is as harmless.
    let core = alpha.core().expect("a core");
    Host::send(&[core], Signal::SIGKILL);
    wait_until("another core", 20.0, || alpha.core().is_some_and(|next| next != core));
    pair.both_active(20.0);
    nothing_moved(pair, from);
}

fn nothing_moved(pair: &Pair, from: f64) {
    for name in ["alpha", "beta"] {
        let calls = record::counted(&pair.host(name).dir, from);
        assert!(calls.is_empty(), "scripts ran on {name}: {calls:?}");
    }
    assert_eq!(pair.held(), [["ra", "rb"], ["rc", "rd"]]);
    assert!(!pair.host("beta").log().contains("is dead"), "{}", pair.host("beta").log());
    pair.assert_never_double();
}

fn file(host: &Host, name: &str) -> PathBuf {
    host.dir.join("ha.d").join(name)
}

fn reread(host: &Host) {
    must(host, &format!("{} -r", host.program("heartbeat")));
}

/// A file that was edited wrongly, and then put right and reread.
fn survives_a_wrong_file(name: &str, wrong: &str, says: &str) {
    let pair = pair();
    let right = fs::read_to_string(file(pair.host("alpha"), name)).expect("a file of our own");
    let write = |host: &Host, text: &str| fs::write(file(host, name), text).expect("a file of our own");
    let end = |host: &Host| {
        write(host, &right);
        reread(host);
    };
    survived(&pair, |host| write(host, &format!("{right}{wrong}")), says, end);
    let log = pair.host("alpha").log();
    assert!(log.contains("going on with the files as they were"), "{log}");
}

fn killed_while_ha_cf_has_a_typo_not_yet_in_force() {
    survives_a_wrong_file("ha.cf", "deadtme 10\n", "! ha.cf:");
}

/// A third node that is asked for is refused, by the daemon that runs and by the one after it.
fn killed_while_ha_cf_names_a_third_node_that_was_not_reread() {
    let pair = pair();
    let right = fs::read_to_string(file(pair.host("alpha"), "ha.cf")).expect("a file of our own");
    let write = |host: &Host, more: &str| {
        fs::write(file(host, "ha.cf"), format!("{right}{more}")).expect("a file of our own");
    };
    let cause = |host: &Host| {
        write(host, "node gamma\n");
        let check = host.run(&format!("{} check", host.program("latido")));
        let said = shell::said(&check);
        assert!(!check.status.success() && said.contains("3 nodes: a cluster has two"), "{said}");
        let asked = host.run(&format!("{} -r", host.program("heartbeat")));
        assert!(!asked.status.success(), "{}", shell::said(&asked));
        // Somebody else may ask without looking.
        Host::send(&[host.core().expect("a core")], Signal::SIGHUP);
        wait_until("the refusal", 20.0, || host.log().contains("Configuration not reread"));
    };
    let end = |host: &Host| {
        write(host, "");
        reread(host);
    };
    survived(&pair, cause, "! ha.cf:", end);
}

fn killed_while_authkeys_has_a_wrong_line() {
    survives_a_wrong_file("authkeys", "2 rot13 secret-word\n", "! authkeys:");
}

/// It is the key the other node will have, too, but not yet.
fn killed_while_authkeys_holds_another_key_that_was_not_reread() {
    let pair = pair();
    let right = fs::read_to_string(file(pair.host("alpha"), "authkeys")).expect("a file of our own");
    let write = |host: &Host, text: &str| fs::write(file(host, "authkeys"), text).expect("a file of our own");
    let cause = |host: &Host| write(host, "auth 1\n1 sha1 TheKeyOfTomorrow\n");
    survived(&pair, cause, "! authkeys was changed and not reread", |host| write(host, &right));
}

fn killed_while_haresources_has_an_error() {
    survives_a_wrong_file("haresources", "gamma rx\n", "! haresources:");
}

fn killed_while_authkeys_is_open_to_others() {
    let pair = pair();
    let mode = |host: &Host, mode| {
        fs::set_permissions(file(host, "authkeys"), fs::Permissions::from_mode(mode)).expect("a file of our own");
    };
    let end = |host: &Host| {
        mode(host, 0o600);
        reread(host);
    };
    survived(&pair, |host| mode(host, 0o644), "! authkeys has an error: mode 0644", end);
    // The copy of the key is nobody else's to read.
    let modes = pair.host("alpha").run("stat -c '%a %u %n' /run/latido/latido-*");
    let modes = String::from_utf8_lossy(&modes.stdout).into_owned();
    let copies: Vec<&str> = modes.lines().filter(|line| line.contains("latido-files")).collect();
    assert!(copies.len() == 2 && copies.iter().all(|line| line.starts_with("600 0 ")), "{modes}");
}

fn killed_while_authkeys_cannot_be_read() {
    let pair = pair();
    let rename = |host: &Host, from: &str, to: &str| {
        fs::rename(file(host, from), file(host, to)).expect("a file of our own");
    };
    let end = |host: &Host| {
        rename(host, "elsewhere", "authkeys");
        reread(host);
    };
    survived(&pair, |host| rename(host, "authkeys", "elsewhere"), "! authkeys has an error: cannot read", end);
}

fn killed_while_an_interface_is_away() {
    let pair = pair_over(&[Medium::Bcast(0), Medium::Bcast(1)]);
    let rename = |host: &Host, from: &str, to: &str| {
        must(host, &format!("ip link set {from} down && ip link set {from} name {to} && ip link set {to} up"));
    };
    survived(
        &pair,
        |host| rename(host, "eth1", "away"),
        "no such network interface",
        |host| rename(host, "away", "eth1"),
    );
    let log = pair.host("alpha").log();
    assert!(log.contains("cannot open bcast eth1") && log.contains("going on without it"), "{log}");
}

fn killed_while_a_serial_line_is_locked_by_another() {
    let pair = pair_over(&[Medium::Bcast(0), Medium::Serial]);
    let lock = |host: &Host| {
        must(
            host,
            "sleep 600 </dev/null >/dev/null 2>&1 & printf '%10s\\n' $! >/run/lock/LCK..ttyS0; echo $! >/run/who",
        );
    };
    let unlock = |host: &Host| must(host, "kill $(cat /run/who); rm -f /run/lock/LCK..ttyS0");
    survived(&pair, lock, "in use by pid", unlock);
}

fn killed_while_the_disk_of_the_generation_is_read_only() {
    let pair = pair();
    let dir = "/var/lib/heartbeat";
    let cause = |host: &Host| must(host, &format!("mount --bind {dir} {dir} && mount -o remount,bind,ro {dir} {dir}"));
    survived(&pair, cause, "is not on disk yet", |host| must(host, &format!("umount -l {dir}")));
}

fn killed_while_the_disk_of_the_generation_is_full() {
    let pair = Pair::new(&Plan::new(Latido, Latido).timed(200, DEADTIME_MS));
    // A small one of its own, with room for a FIFO and a few names.
    must(pair.host("alpha"), "mount -t tmpfs -o size=256k,mode=755 host /var/lib/heartbeat");
    pair.start_both();
    pair.settle(&["ra", "rb"], &["rc", "rd"], 30.0);
    pair.both_active(15.0);
    pair.stable("alpha", 15.0);
    let fill = |host: &Host| {
        host.run("cat /dev/zero >/var/lib/heartbeat/filling");
    };
    let generation =
        |host: &Host| String::from_utf8_lossy(&host.run("cat /var/lib/heartbeat/hb_generation").stdout).into_owned();
    let before = generation(pair.host("alpha"));
    survived(&pair, fill, "is not on disk yet", |host| must(host, "rm /var/lib/heartbeat/filling"));
    assert!(generation(pair.host("alpha")) > before, "{before}");
}

fn killed_while_run_is_full_again_and_again() {
    let pair = pair();
    let (alpha, from) = (pair.host("alpha"), epoch());
    must(alpha, "mount -o remount,size=1M /run");
    alpha.run("cat /dev/zero >/run/filling");
    assert!(!alpha.run("echo x >/run/more && test -s /run/more").status.success(), "it is full");
    let kill = || {
        let core = alpha.core().expect("a core");
        Host::send(&[core], Signal::SIGKILL);
        wait_until("another core", 20.0, || alpha.core().is_some_and(|next| next != core));
        pair.both_active(20.0);
        pair.stable("alpha", 20.0);
    };
    kill();
    nothing_moved(&pair, from);
    // What changes now is noted all the same.
    must(alpha, &format!("{} standby all", alpha.program("latido")));
    pair.settle(&[], &["ra", "rb", "rc", "rd"], 20.0);
    kill();
    pair.settle(&[], &["ra", "rb", "rc", "rd"], 1.0);
    must(alpha, &format!("{} takeover all", alpha.program("latido")));
    pair.settle(&["ra", "rb", "rc", "rd"], &[], 20.0);
    let moved = epoch();
    kill();
    let calls = record::counted(&alpha.dir, moved);
    assert!(calls.is_empty(), "{calls:?}");
    assert_eq!(alpha.held(), ["ra", "rb", "rc", "rd"]);
    must(alpha, "rm /run/filling");
    pair.assert_never_double();
}

fn killed_while_the_log_cannot_be_opened() {
    let pair = pair();
    let cause = |host: &Host| must(host, "mv /var/log/ha-log /var/log/old && mkdir /var/log/ha-log");
    let end = |host: &Host| {
        must(host, "rmdir /var/log/ha-log");
        reread(host);
    };
    survived(&pair, cause, "cannot write the log /var/log/ha-log", end);
    assert!(!pair.host("alpha").log().is_empty(), "it is written again");
}

fn killed_while_the_control_socket_cannot_be_bound() {
    let pair = pair();
    let cause = |host: &Host| must(host, "rm /run/latido/latido.sock && mkdir /run/latido/latido.sock");
    survived(&pair, cause, "latido.sock", |host| must(host, "rmdir /run/latido/latido.sock"));
}

fn killed_while_the_clients_socket_and_the_fifo_cannot_be_made() {
    let pair = pair();
    let places = "/run/heartbeat/register /var/lib/heartbeat/fifo";
    let cause = |host: &Host| must(host, &format!("rm {places} && mkdir {places}"));
    survived(&pair, cause, "register: ", |host| must(host, &format!("rmdir {places}")));
    must(pair.host("alpha"), "test -p /var/lib/heartbeat/fifo && test -S /run/heartbeat/register");
}

/// A fork is refused by a limit on the processes of a control group.
fn killed_while_no_process_can_be_made() {
    let pair = pair();
    let alpha = pair.host("alpha");
    let Some(group) = Group::of_one(alpha.daemon().expect("a supervisor")) else {
        return shell::print("not tested: no control group with a limit on processes can be made here");
    };
    let (from, core) = (epoch(), alpha.core().expect("a core"));
    group.limit("0");
    Host::send(&[core], Signal::SIGKILL);
    // Several attempts fail; the limit counts them.
    wait_until("forks to be refused", 20.0, || group.refused() >= 3);
    assert_eq!(alpha.held(), ["ra", "rb"]);
    group.limit("max");
    wait_until("another core", 20.0, || alpha.core().is_some_and(|next| next != core));
    pair.both_active(20.0);
    nothing_moved(&pair, from);
    let others = group.members();
    drop(group);
    assert!(others >= 1);
}

/// A control group of a test, gone with it.
struct Group(PathBuf);

impl Group {
    fn of_one(pid: u32) -> Option<Group> {
        let dir = ["/sys/fs/cgroup/pids", "/sys/fs/cgroup"]
            .map(|root| Path::new(root).join(format!("latido-live-{}", std::process::id())))
            .into_iter()
            .find(|dir| fs::create_dir(dir).is_ok())?;
        let group = Group(dir);
        (group.0.join("pids.max").exists() && fs::write(group.0.join("cgroup.procs"), pid.to_string()).is_ok())
            .then_some(group)
    }

    fn limit(&self, most: &str) {
        fs::write(self.0.join("pids.max"), most).expect("a control group of our own");
    }

    fn refused(&self) -> u64 {
        let text = fs::read_to_string(self.0.join("pids.events")).unwrap_or_default();
        text.lines().find_map(|line| line.strip_prefix("max ")?.parse().ok()).unwrap_or(0)
    }

    fn members(&self) -> usize {
        fs::read_to_string(self.0.join("cgroup.procs")).unwrap_or_default().lines().count()
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // Who is still in it goes back to where everybody is.
        let procs = self.0.parent().map(|root| root.join("cgroup.procs")).unwrap_or_default();
        for pid in fs::read_to_string(self.0.join("cgroup.procs")).unwrap_or_default().lines() {
            let _ = fs::write(&procs, pid);
        }
        let _ = fs::remove_dir(&self.0);
    }
}

fn kill_both(host: &Host) {
    let pids = [host.daemon().expect("a supervisor"), host.core().expect("a core")];
    Host::send(&pids, Signal::SIGSTOP);
    Host::send(&pids, Signal::SIGKILL);
}

fn both_killed_with_a_typo_in_ha_cf_are_started_with_the_files_as_they_were() {
    let pair = pair();
    let (alpha, from) = (pair.host("alpha"), epoch());
    let right = fs::read_to_string(file(alpha, "ha.cf")).expect("ha.cf");
    alpha.add_to_ha_cf("deadtme 10\n");
    kill_both(alpha);
    alpha.start();
    pair.both_active(20.0);
    assert!(status(alpha).contains("going on with the files as they were"), "{}", status(alpha));
    fs::write(file(alpha, "ha.cf"), right).expect("ha.cf");
    reread(alpha);
    wait_until("the status to be clean", 20.0, || !status(alpha).contains("! "));
    nothing_moved(&pair, from);
}

/// Neither the files nor a copy of them.
fn take_all_files(host: &Host) -> String {
    let right = fs::read_to_string(file(host, "ha.cf")).expect("ha.cf");
    host.add_to_ha_cf("deadtme 10\n");
    must(host, "rm /run/latido/latido-files*");
    right
}

fn without_any_files_what_runs_is_stopped_in_time_and_the_node_returns_with_them() {
    let pair = pair();
    let alpha = pair.host("alpha");
    let (core, supervisor, from) = (alpha.core().expect("a core"), alpha.daemon(), epoch());
    let right = take_all_files(alpha);
    kill_core(alpha, core, "left alone until deadtime is over");
    assert!(status(alpha).contains("ha.cf:"), "{}", status(alpha));
    wait_until("what ran to be stopped", 60.0, || alpha.held().is_empty());
    let stops: Vec<String> = record::calls(&alpha.dir)
        .into_iter()
        .filter(|call| call.at >= from && call.verb == "stop")
        .map(|call| call.resource)
        .collect();
    assert_eq!(stops, ["rb", "ra"], "right to left");
    wait_until("beta to take over", 60.0, || pair.host("beta").held() == ["ra", "rb", "rc", "rd"]);
    pair.assert_never_double();
    assert_eq!(alpha.daemon(), supervisor, "the supervisor lives");
    fs::write(file(alpha, "ha.cf"), right).expect("ha.cf");
    pair.both_active(30.0);
    pair.settle(&["ra", "rb"], &["rc", "rd"], 60.0);
    wait_until("the status to be clean", 20.0, || !status(alpha).contains("! "));
    pair.assert_never_double();
}

fn a_node_told_to_leave_while_it_cannot_start_stops_what_runs() {
    let pair = pair();
    let alpha = pair.host("alpha");
    let core = alpha.core().expect("a core");
    take_all_files(alpha);
    kill_core(alpha, core, "left alone until deadtime is over");
    assert!(alpha.stop().wait().is_ok_and(|status| status.success()));
    assert!(alpha.held().is_empty());
    // As with the original the pid file stays.
    assert!(!alpha.run("kill -0 $(cat /run/heartbeat.pid)").status.success(), "no supervisor is left");
    wait_until("beta to take over", 60.0, || pair.host("beta").held() == ["ra", "rb", "rc", "rd"]);
    pair.assert_never_double();
}

fn a_first_start_with_a_typo_is_refused() {
    let pair = Pair::new(&Plan::new(Latido, Latido));
    let alpha = pair.host("alpha");
    alpha.add_to_ha_cf("deadtme 10\n");
    for how in [alpha.program("heartbeat"), format!("{} daemon --foreground", alpha.program("latido"))] {
        let output = alpha.run(&how);
        assert_eq!(output.status.code(), Some(6), "{how}: {}", shell::said(&output));
        assert!(shell::said(&output).contains("deadtme"), "{}", shell::said(&output));
    }
    assert!(!alpha.run("test -e /run/heartbeat.pid").status.success());
}
