//! Directories, sockets, locks and pids that somebody else made, swapped or had before; and the table of `docs/files.md`
//! beside what a daemon makes.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use nix::sys::signal::Signal;

use super::clients;
use super::runner::{Pace, Test};
use super::support::Kind::Latido;
use super::support::clock::wait_until;
use super::support::host::Host;
use super::support::pair::NAMES;
use super::support::{Medium, Pair, Plan, shell};
use crate::tests;

/// The tests of this file.
pub(crate) const TESTS: &[Test] = tests!(
    false,
    Pace::Unhurried,
    [
        what_a_user_puts_in_the_place_of_a_lock_holds_up_no_start_and_keeps_no_line,
        what_a_user_puts_in_the_place_of_a_lock_of_a_line_that_hung_up_holds_up_no_heartbeat,
        a_line_that_a_program_of_root_holds_keeps_no_other_medium_from_working,
        links_of_hacluster_in_run_heartbeat_are_neither_followed_nor_in_the_way,
        a_name_that_hacluster_swaps_all_the_time_gives_him_nothing_of_roots,
        a_port_that_needs_no_root_cannot_be_opened_a_second_time_by_a_user,
        the_daemon_makes_what_the_table_of_files_says_and_nothing_else,
    ]
);

/// Before a command: an ordinary user's.
const NOBODY: &str = "setpriv --reuid 65534 --regid 65534 --clear-groups";
/// Before a command: `hacluster`'s.
const HACLUSTER: &str = "setpriv --reuid hacluster --regid haclient --clear-groups";

fn must(host: &Host, what: &str) -> String {
    let output = host.run(what);
    assert!(output.status.success(), "{what}: {}", shell::said(&output));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn plan(media: &[Medium]) -> Plan {
    Plan::new(Latido, Latido).timed(200, 10_000).initdead(20_000).over(media)
}

fn status(host: &Host) -> String {
    let output = host.run(&format!("{} status", host.program("latido")));
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// With `SO_REUSEADDR` on both, whoever comes last would get what is sent to us.
fn a_port_that_needs_no_root_cannot_be_opened_a_second_time_by_a_user() {
    let media = [Medium::Ucast(0), Medium::Bcast(1), Medium::Mcast(1)];
    let pair = Pair::new(&plan(&media));
    for name in NAMES {
        let path = pair.host(name).dir.join("ha.d/ha.cf");
        let text = fs::read_to_string(&path).expect("ha.cf").replace(" 694 ", " 1694 ");
        fs::write(&path, format!("udpport 1694\n{text}")).expect("ha.cf");
    }
    pair.start_both();
    pair.both_active(60.0);
    let script = "import socket
for device, place in ((0, ''), (b'eth0', ''), (b'eth0', '10.21.0.1'), (b'eth1', ''), (b'eth1', '10.22.0.255'), (b'eth1', '239.0.0.43')):
    for option in (socket.SO_REUSEADDR, socket.SO_REUSEPORT):
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        s.setsockopt(socket.SOL_SOCKET, option, 1)
        if device: s.setsockopt(socket.SOL_SOCKET, 25, device)
        try:
            s.bind((place, 1694))
            print('opened', device, place, option)
        except OSError as error: pass";
    let alpha = pair.host("alpha");
    let said = must(alpha, &format!("{NOBODY} python3 -c \"{}\"", script.replace('"', "'")));
    assert_eq!(said, "");
    // Whoever has it first keeps us from nothing: what comes for the port is heard past him.
    let alpha_log = alpha.log().len();
    must(alpha, &format!("{} -k", alpha.program("heartbeat")));
    let hold = "import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(('', 1694)); print('held', flush=True); sys.stdin.read()";
    let mut holder = clients::as_nobody(alpha, false, &["python3", "-c", hold]);
    clients::await_word(&mut holder);
    alpha.start();
    pair.both_active(60.0);
    pair.settle(&["ra", "rb"], &["rc", "rd"], 60.0);
    let log = alpha.log().split_off(alpha_log);
    assert!(log.contains("UDP port 1694 is held by another user of this machine: listening past him"), "{log}");
    let core = alpha.core().expect("a core");
    Host::send(&[core], Signal::SIGKILL);
    wait_until("another core", 20.0, || alpha.core().is_some_and(|next| next != core));
    pair.both_active(60.0);
    pair.nothing_moves_for(12.0);
    let said = status(alpha);
    let links: Vec<&str> = said.lines().filter(|line| line.starts_with("eth")).collect();
    assert!(links.len() >= 2 && links.iter().all(|link| link.contains(" up ")), "{said}");
    drop(holder.stdin.take());
    holder.wait().expect("our child");
    pair.assert_never_double();
}

/// Waits until the lock of a node's line is its own.
fn holds_its_line(host: &Host) {
    let what = "stat -c '%U %F' /run/lock/LCK..ttyS0 && cat /run/lock/LCK..ttyS0";
    let is_held = || {
        let said = host.run(what);
        let text = String::from_utf8_lossy(&said.stdout).into_owned();
        let mut lines = text.lines();
        lines.next() == Some("root regular file")
            && lines.next().and_then(|line| line.trim().parse::<u32>().ok()).is_some_and(|pid| {
                host.run(&format!("grep -q '^latido: ' /proc/{pid}/cmdline")).status.success()
                    || host.run(&format!("grep -q 'master control' /proc/{pid}/cmdline")).status.success()
            })
    };
    let held = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| wait_until("the lock", 30.0, is_held)));
    assert!(held.is_ok(), "{}\n{}", shell::said(&host.run(what)), host.log());
}

/// Commands of an ordinary user, each of which puts something where the lock of the line is looked for.
const PLANTS: [(&str, &str); 6] = [
    ("a FIFO", "mkfifo /run/lock/LCK..ttyS0"),
    ("a link to /dev/zero", "ln -s /dev/zero /run/lock/LCK..ttyS0"),
    ("the number of somebody else's process", "sh -c 'echo 1 >/run/lock/LCK..ttyS0'"),
    ("the number of his own process", "sh -c 'sleep 600 & echo $! >/run/lock/LCK..ttyS0'"),
    ("a directory", "mkdir -p /run/lock/LCK..ttyS0/x"),
    ("a link to a FIFO", "sh -c 'mkfifo /run/lock/trap; ln -s trap /run/lock/LCK..ttyS0'"),
];

fn what_a_user_puts_in_the_place_of_a_lock_holds_up_no_start_and_keeps_no_line() {
    let pair = Pair::new(&plan(&[Medium::Serial]));
    let alpha = pair.host("alpha");
    must(alpha, "chown root:dialout /dev/ttyS0 && chmod 660 /dev/ttyS0");
    must(alpha, "echo bait >/run/bait");
    pair.host("beta").start();
    for (what, plant) in PLANTS {
        let output = alpha.run(&format!("{NOBODY} {plant} </dev/null >/dev/null 2>&1"));
        assert!(output.status.success(), "{what}: {}", shell::said(&output));
        alpha.start();
        holds_its_line(alpha);
        let mut stopped = alpha.stop();
        assert!(stopped.wait().expect("heartbeat -k ends").success(), "{what}: SIGTERM does not end it");
    }
}

/// The only other medium stays: what is looked at is whether the loop goes on.
fn what_a_user_puts_in_the_place_of_a_lock_of_a_line_that_hung_up_holds_up_no_heartbeat() {
    let pair = Pair::running(&plan(&[Medium::Bcast(0), Medium::Serial]));
    let alpha = pair.host("alpha");
    must(alpha, "chown root:dialout /dev/ttyS0 && chmod 660 /dev/ttyS0");
    for (what, plant) in PLANTS {
        // The lock is the dead core's for a moment, then nobody's: whoever is quick has the place.
        must(alpha, "rm -f /run/lock/LCK..ttyS0");
        let output = alpha.run(&format!("{NOBODY} {plant} </dev/null >/dev/null 2>&1"));
        assert!(output.status.success(), "{what}: {}", shell::said(&output));
        let core = alpha.core().expect("a core");
        Host::send(&[core], Signal::SIGKILL);
        wait_until("another core", 30.0, || alpha.core().is_some_and(|next| next != core));
        holds_its_line(alpha);
        assert_eq!(pair.held(), [["ra", "rb"], ["rc", "rd"]], "{what}");
    }
    assert!(!pair.host("beta").log().contains("alpha: is dead"), "{}", pair.host("beta").log());
    pair.assert_never_double();
}

fn a_line_that_a_program_of_root_holds_keeps_no_other_medium_from_working() {
    let pair = Pair::new(&plan(&[Medium::Bcast(0), Medium::Serial]));
    let alpha = pair.host("alpha");
    must(alpha, "sleep 600 </dev/null >/dev/null 2>&1 & printf '%10s\\n' $! >/run/lock/LCK..ttyS0; echo $! >/run/who");
    pair.start_both();
    pair.settle(&["ra", "rb"], &["rc", "rd"], 60.0);
    assert!(status(alpha).contains("in use by pid"), "{}", status(alpha));
    assert!(alpha.log().contains("going on without it, and trying again"), "{}", alpha.log());
    must(alpha, "kill $(cat /run/who)");
    holds_its_line(alpha);
    pair.assert_never_double();
}

/// Things of root's, and what they look like while nobody has touched them.
fn baits(host: &Host) -> String {
    must(host, "stat -c '%n %a %U %G' /etc/shadow /run/bait /run/bait/file && cat /run/bait/file")
}

fn make_baits(host: &Host) {
    must(host, "mkdir -m 700 /run/bait && echo bait >/run/bait/file && chmod 600 /run/bait/file");
}

fn links_of_hacluster_in_run_heartbeat_are_neither_followed_nor_in_the_way() {
    let pair = Pair::new(&plan(&[Medium::Bcast(0)]));
    let alpha = pair.host("alpha");
    alpha.add_to_ha_cf("apiauth dopd uid=hacluster\nrespawn hacluster /nowhere/heartbeat/dopd\n");
    make_baits(alpha);
    let before = baits(alpha);
    must(alpha, "rm -rf /run/heartbeat/dopd");
    for (name, target) in [
        ("rsctmp", "/run/bait"),
        ("register", "/run/bait/file"),
        ("dopd", "/run/bait"),
        ("latido.sock", "/etc/shadow"),
        ("latido-state", "/run/bait/file"),
        ("latido-state.spare", "/run/bait/file"),
        ("latido-files", "/run/bait/file"),
        ("latido-generation", "/run/bait/file"),
        ("latido-waits.new", "/run/bait/file"),
    ] {
        must(alpha, &format!("{HACLUSTER} ln -s {target} /run/heartbeat/{name}"));
    }
    pair.start_both();
    pair.settle(&["ra", "rb"], &["rc", "rd"], 60.0);
    wait_until("the clients' socket", 30.0, || {
        alpha.run("test -S /run/heartbeat/register && ! test -L /run/heartbeat/register").status.success()
    });
    assert!(status(alpha).contains("settled"), "{}", status(alpha));
    assert_eq!(baits(alpha), before);
    assert_eq!(must(alpha, "ls -A /run/bait"), "file\n");
    assert!(alpha.log().contains("rsctmp: it is a link"), "{}", alpha.log());
}

/// The race that was won 8 times of 40: a name that is a socket at one moment and a link at the next.
fn a_name_that_hacluster_swaps_all_the_time_gives_him_nothing_of_roots() {
    let pair = Pair::new(&plan(&[Medium::Bcast(0)]));
    let alpha = pair.host("alpha");
    make_baits(alpha);
    let before = baits(alpha);
    let swap = "while :; do for name in register rsctmp dopd latido.sock; do \
                mv -T /run/heartbeat/$name /run/heartbeat/was-$name; ln -s /run/bait/file /run/heartbeat/$name; \
                rm -rf /run/heartbeat/was-$name /run/heartbeat/$name; done; done";
    fs::write(alpha.dir.join("log/swap"), swap).expect("a script of our own");
    fs::set_permissions(alpha.dir.join("log/swap"), fs::Permissions::from_mode(0o755)).expect("a script of our own");
    must(alpha, &format!("{HACLUSTER} sh /var/log/swap </dev/null >/dev/null 2>&1 & echo $! >/run/swapper"));
    pair.start_both();
    pair.settle(&["ra", "rb"], &["rc", "rd"], 60.0);
    for _ in 0..10 {
        let core = alpha.core().expect("a core");
        Host::send(&[core], Signal::SIGKILL);
        wait_until("another core", 30.0, || alpha.core().is_some_and(|next| next != core));
    }
    must(alpha, "kill $(cat /run/swapper)");
    assert_eq!(baits(alpha), before);
    assert_eq!(pair.held(), [["ra", "rb"], ["rc", "rd"]]);
}

/// A row of the table, and what `find` would print of it.
#[derive(Debug)]
struct Row {
    path: String,
    looks: String,
    always: bool,
}

fn table() -> Vec<Row> {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/files.md")).expect("docs/files.md");
    let rows = text.lines().filter(|line| line.starts_with("| `/")).map(|line| {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let [_, path, kind, owner, mode, when, ..] = cells.as_slice() else { panic!("a row too short: {line}") };
        assert!(["always", "sometimes"].contains(when), "{line}");
        Row {
            path: path.trim_matches('`').to_owned(),
            looks: format!("{kind} {owner} {mode}"),
            always: *when == "always",
        }
    });
    rows.collect()
}

/// Whether a path is meant by a row: `…` stands for a name, or its end.
fn means(row: &str, path: &str) -> bool {
    match row.strip_suffix('…') {
        Some(begin) => path.strip_prefix(begin).is_some_and(|rest| !rest.is_empty() && !rest.contains('/')),
        None => row == path,
    }
}

fn snapshot(host: &Host) -> BTreeMap<String, String> {
    let places = "/run /var/lib/heartbeat /var/log /etc/ha.d /dev/shm";
    let said = must(host, &format!("find {places} -printf '%p|%y %u:%g %m\\n' 2>/dev/null || true"));
    said.lines()
        .filter_map(|line| line.split_once('|'))
        .map(|(path, looks)| (path.to_owned(), looks.to_owned()))
        .collect()
}

fn the_daemon_makes_what_the_table_of_files_says_and_nothing_else() {
    let resources = "alpha ra rb Delay::0\nbeta rc rd\n";
    let pair = Pair::new(&plan(&[Medium::Bcast(0), Medium::Serial]).resources(resources));
    let alpha = pair.host("alpha");
    alpha.add_to_ha_cf("apiauth dopd uid=hacluster\nrespawn hacluster /nowhere/heartbeat/dopd\n");
    let changed = alpha.dir.join("ha.d/rc.d/status");
    fs::write(&changed, "#!/bin/sh\nexit 0\n").expect("a script of our own");
    fs::set_permissions(&changed, fs::Permissions::from_mode(0o755)).expect("a script of our own");
    must(alpha, "rm -rf /run/heartbeat /var/lib/heartbeat/* /var/log/ha-*");
    let before = snapshot(alpha);
    pair.start_both();
    pair.settle(&["ra", "rb"], &["rc", "rd"], 60.0);
    let there = |path: &str| alpha.run(&format!("ls {path}")).status.success();
    for path in
        ["/run/heartbeat/dopd/outdater", "/var/lib/heartbeat/latido-rc.d/mach_down", "/var/lib/heartbeat/latido-peers"]
    {
        let found = std::panic::catch_unwind(|| wait_until(path, 60.0, || there(path)));
        assert!(found.is_ok(), "{path}: {}", alpha.log());
    }
    let mut made = snapshot(alpha);
    // Something to be gone on without.
    must(alpha, "rm /var/lib/heartbeat/fifo && mkdir /var/lib/heartbeat/fifo");
    Host::send(&[alpha.core().expect("a core")], Signal::SIGKILL);
    wait_until("the sentence of what is missing", 60.0, || there("/run/latido/latido-waits"));
    let waits = "/run/latido/latido-waits".to_owned();
    let looks = snapshot(alpha).remove(&waits).expect("it was there");
    made.insert(waits, looks);

    let table = table();
    let mut wrong = Vec::new();
    for (path, looks) in
        made.iter().filter(|(path, _)| !before.contains_key(*path) || path.as_str() == "/var/lib/heartbeat")
    {
        match table.iter().find(|row| means(&row.path, path)) {
            None => wrong.push(format!("not in the table: {path} {looks}")),
            Some(row) if row.looks != *looks => wrong.push(format!("{path}: {looks}, in the table {}", row.looks)),
            Some(_) => {}
        }
    }
    for row in table.iter().filter(|row| row.always) {
        if !made.keys().any(|path| means(&row.path, path)) {
            wrong.push(format!("never made: {}", row.path));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
