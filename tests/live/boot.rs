//! A first start while the machine is not complete yet (`takeover.md` 9): media that come later are waited for beside
//! others, a disk that takes nothing keeps no node from serving, and the exit code says whether another try makes sense.

use std::fs;

use nix::sys::signal::Signal;

use super::runner::{Pace, Test};
use super::support::Kind::{Latido, Real};
use super::support::clock::{epoch, pass, secs, wait_until};
use super::support::host::Host;
use super::support::{Medium, Pair, Plan, record, shell};
use crate::tests;

/// The tests of this file.
pub(crate) const TESTS: &[Test] = tests!(
    false,
    Pace::Unhurried,
    [
        an_interface_that_comes_after_the_start_is_waited_for_and_used,
        a_core_that_is_killed_while_an_interface_is_waited_for_since_the_start_moves_nothing,
        an_address_that_comes_after_the_start_is_waited_for,
        a_serial_adapter_that_is_plugged_in_after_the_start_is_waited_for,
        a_port_that_another_program_holds_at_the_start_is_waited_for,
        a_name_that_nobody_resolves_at_the_start_is_waited_for,
        a_medium_that_is_waited_for_is_no_fault_of_files_that_are_reread_and_another_is,
        without_any_medium_the_exit_code_asks_for_another_try_and_the_cause_is_said_once,
        a_node_whose_disk_is_read_only_serves_takes_over_and_is_whole_when_it_is_writable,
        a_node_whose_disk_is_full_serves,
        a_place_that_others_may_write_into_is_refused_for_good_and_a_run_that_is_read_only_for_now,
    ]
);

/// Those that need a heartbeat 3.0.6.
pub(crate) const MIXED: &[Test] = tests!(
    true,
    Pace::Unhurried,
    [a_real_node_accepts_each_life_of_a_node_whose_disk_is_read_only, a_real_node_accepts_lives_without_a_uuid_on_disk,]
);

fn must(host: &Host, what: &str) -> String {
    let output = host.run(what);
    assert!(output.status.success(), "{what}: {}", shell::said(&output));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The exit code, and all that was said.
fn tried(host: &Host, what: &str) -> (i32, String) {
    let output = host.run(what);
    (output.status.code().unwrap_or(-1), shell::said(&output))
}

fn status(host: &Host) -> (i32, String) {
    tried(host, &format!("{} status", host.program("latido")))
}

fn plan(media: &[Medium]) -> Plan {
    Plan::new(Latido, Latido).timed(200, 5000).initdead(20_000).over(media)
}

/// Waits until `latido status` finds nothing wrong.
fn is_whole(host: &Host) {
    let mut last = (0, String::new());
    let whole = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        wait_until("a healthy node", 60.0, || {
            last = status(host);
            last.0 == 0
        });
    }));
    assert!(whole.is_ok(), "{}\n{}", last.1, host.log());
}

/// The node starts and serves without one of its media, says so once, and has it as soon as it is there.
fn waits_for(pair: &Pair, take_away: impl Fn(&Host), says: &str, logs: &str, bring: impl Fn(&Host)) {
    let alpha = pair.host("alpha");
    take_away(alpha);
    pair.start_both();
    pair.settle(&["ra", "rb"], &["rc", "rd"], 60.0);
    let (code, said) = status(alpha);
    assert!(code == 1 && said.contains(says), "{said}");
    pass(secs(2.0));
    let log = alpha.log();
    let lines: Vec<&str> = log.lines().filter(|line| line.contains("going on without it, and trying again")).collect();
    assert!(lines.len() == 1 && lines[0].contains(logs) && lines[0].contains("ERROR"), "{logs}: {lines:?}\n{log}");
    assert!(!log.contains("works again"), "{log}");
    bring(alpha);
    is_whole(alpha);
    assert!(alpha.log().contains("works again"), "{}", alpha.log());
    assert_eq!(pair.held(), [["ra", "rb"], ["rc", "rd"]]);
    pair.assert_never_double();
}

fn rename(host: &Host, from: &str, to: &str) {
    must(host, &format!("ip link set {from} down && ip link set {from} name {to} && ip link set {to} up"));
}

fn an_interface_that_comes_after_the_start_is_waited_for_and_used() {
    let pair = Pair::new(&plan(&[Medium::Bcast(0), Medium::Bcast(1)]));
    waits_for(
        &pair,
        |host| rename(host, "eth1", "away"),
        "no such network interface",
        "Get broadcast for interface eth1 failed: No such device",
        |host| rename(host, "away", "eth1"),
    );
    // It carries what the other does not any more.
    pair.cut_ethernet(0, true);
    pair.nothing_moves_for(12.0);
}

fn a_core_that_is_killed_while_an_interface_is_waited_for_since_the_start_moves_nothing() {
    let pair = Pair::new(&plan(&[Medium::Bcast(0), Medium::Bcast(1)]));
    let alpha = pair.host("alpha");
    rename(alpha, "eth1", "away");
    pair.start_both();
    pair.settle(&["ra", "rb"], &["rc", "rd"], 60.0);
    pair.both_active(60.0);
    let (core, from) = (alpha.core().expect("a core"), epoch());
    Host::send(&[core], Signal::SIGKILL);
    wait_until("another core", 20.0, || alpha.core().is_some_and(|next| next != core));
    pair.both_active(60.0);
    rename(alpha, "away", "eth1");
    is_whole(alpha);
    assert!(record::counted(&alpha.dir, from).is_empty(), "{}", alpha.log());
    assert!(alpha.log().contains("the files are those that were accepted, going on"), "{}", alpha.log());
    pair.assert_never_double();
}

fn an_address_that_comes_after_the_start_is_waited_for() {
    let pair = Pair::new(&plan(&[Medium::Bcast(0), Medium::Bcast(1)]));
    waits_for(
        &pair,
        |host| drop(must(host, "ip addr flush dev eth1")),
        "no IPv4 broadcast address",
        "Get broadcast for interface eth1 failed: Cannot assign requested address",
        |host| drop(must(host, "ip addr add 10.22.0.1/24 brd 10.22.0.255 dev eth1")),
    );
}

fn a_serial_adapter_that_is_plugged_in_after_the_start_is_waited_for() {
    let pair = Pair::new(&plan(&[Medium::Bcast(0), Medium::Serial]));
    let port = pair.host("alpha").dir.join("ttyS0").display().to_string();
    waits_for(
        &pair,
        |host| drop(must(host, "umount /dev/ttyS0 && rm /dev/ttyS0")),
        "/dev/ttyS0",
        "Nonexistent serial port [/dev/ttyS0] in config file",
        |host| drop(must(host, &format!(": >/dev/ttyS0 && mount --bind {port} /dev/ttyS0"))),
    );
}

fn a_port_that_another_program_holds_at_the_start_is_waited_for() {
    let pair = Pair::new(&plan(&[Medium::Bcast(0), Medium::Bcast(1)]));
    let hold = "import socket, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.setsockopt(socket.SOL_SOCKET, 25, b'eth1'); s.bind(('', 694))
print('held', flush=True); time.sleep(600)";
    fs::write(pair.host("alpha").dir.join("log/hold"), hold).expect("a script of our own");
    let take = |host: &Host| {
        must(host, "python3 /var/log/hold </dev/null >/run/held 2>&1 & echo $! >/run/who");
        wait_until("the port to be held", 20.0, || host.run("grep -q held /run/held").status.success());
    };
    let give = |host: &Host| drop(must(host, "kill $(cat /run/who)"));
    waits_for(&pair, take, "in use", "make_io_childpair: cannot open bcast eth1", give);
}

fn a_name_that_nobody_resolves_at_the_start_is_waited_for() {
    let pair = Pair::new(&plan(&[Medium::Bcast(0), Medium::Ucast(1)]));
    for (name, peer) in [("alpha", "faraway"), ("beta", "10.22.0.1")] {
        let path = pair.host(name).dir.join("ha.d/ha.cf");
        let text = fs::read_to_string(&path).expect("ha.cf");
        let others = text.lines().filter(|line| !line.starts_with("ucast")).map(|line| format!("{line}\n"));
        fs::write(&path, others.chain([format!("ucast eth1 {peer}\n")]).collect::<String>()).expect("ha.cf");
    }
    let hosts = pair.host("alpha").dir.join("hosts");
    let known = "127.0.0.1 localhost\n";
    fs::write(&hosts, known).expect("a file of our own");
    let take = |host: &Host| {
        let here = host.dir.display();
        must(host, &format!(": >{here}/none && mount --bind {here}/none /etc/resolv.conf"));
        must(host, &format!("mount --bind {here}/hosts /etc/hosts"));
    };
    let give = |_: &Host| fs::write(&hosts, format!("{known}10.22.0.2 faraway\n")).expect("a file of our own");
    waits_for(&pair, take, "unknown host: faraway", "unknown host: faraway", give);
}

fn a_medium_that_is_waited_for_is_no_fault_of_files_that_are_reread_and_another_is() {
    let pair = Pair::new(&plan(&[Medium::Bcast(0), Medium::Bcast(1)]));
    let alpha = pair.host("alpha");
    rename(alpha, "eth1", "away");
    pair.start_both();
    pair.settle(&["ra", "rb"], &["rc", "rd"], 60.0);
    let reread = format!("{} -r", alpha.program("heartbeat"));
    alpha.add_to_ha_cf("warntime 3\n");
    assert_eq!(tried(alpha, &reread).0, 0);
    pair.await_log("alpha", 0, "ha.cf and latido.cf take effect as they are now", 30.0);
    alpha.add_to_ha_cf("bcast eht0\n");
    let (code, said) = tried(alpha, &reread);
    assert!(code == 1 && said.contains("interface eht0 does not exist") && said.contains("NOT restarted"), "{said}");
    let (code, said) = tried(alpha, &format!("{} check", alpha.program("latido")));
    assert!(code == 2 && said.contains("eht0") && said.contains("interface eth1 does not exist"), "{said}");
    assert!(said.contains("heartbeat starts without what they are about"), "{said}");
    assert_eq!(pair.held(), [["ra", "rb"], ["rc", "rd"]]);
}

fn without_any_medium_the_exit_code_asks_for_another_try_and_the_cause_is_said_once() {
    let pair = Pair::new(&plan(&[Medium::Bcast(0)]));
    let alpha = pair.host("alpha");
    rename(alpha, "eth0", "away");
    let latido = alpha.program("latido");
    for _ in 0..3 {
        let (code, said) = tried(alpha, &format!("{latido} daemon --foreground"));
        assert_eq!(code, 75, "{said}");
    }
    let log = alpha.log();
    for phrase in ["Get broadcast for interface eth0 failed: No such device", "no medium of ha.cf can be opened now"] {
        assert_eq!(log.lines().filter(|line| line.contains(phrase)).count(), 1, "{phrase}: {log}");
    }
    assert!(!log.contains("Configuration validated"), "{log}");
    let (code, said) = status(alpha);
    assert!(code != 0 && said.contains("no medium of ha.cf can be opened now"), "{said}");
    // Beside a service manager it does not hurry.
    let begun = super::support::clock::instant();
    assert_eq!(tried(alpha, &format!("NOTIFY_SOCKET=/run/nobody {latido} daemon --foreground")).0, 75);
    assert!(begun.elapsed() >= secs(1.9), "{:?}", begun.elapsed());
    // The old name, with what the original says and does.
    let (code, said) = tried(alpha, &alpha.program("heartbeat"));
    assert!(code == 6 && said.contains("Configuration error, heartbeat not started."), "{said}");
    let (code, said) = tried(alpha, &format!("{latido} check"));
    assert!(code == 2 && said.contains("heartbeat starts when one of the media is there"), "{said}");
    rename(alpha, "away", "eth0");
    pair.start_both();
    pair.settle(&["ra", "rb"], &["rc", "rd"], 60.0);
    is_whole(alpha);
    assert!(!status(alpha).1.contains("no medium"), "{}", status(alpha).1);
}

/// What a node finds on a disk: nothing, and nothing can be put there.
const EMPTY_AND_READ_ONLY: &str = "mount -t tmpfs -o ro,mode=755 host /var/lib/heartbeat";
/// What was there is there.
const READ_ONLY: &str =
    "mount --bind /var/lib/heartbeat /var/lib/heartbeat && mount -o remount,bind,ro /var/lib/heartbeat";

fn a_node_whose_disk_is_read_only_serves_takes_over_and_is_whole_when_it_is_writable() {
    let mut pair = Pair::new(&plan(&[Medium::Bcast(0)]));
    must(pair.host("alpha"), EMPTY_AND_READ_ONLY);
    pair.start_both();
    pair.settle(&["ra", "rb"], &["rc", "rd"], 60.0);
    let (code, said) = status(pair.host("alpha"));
    for what in ["/var/lib/heartbeat/cores", "hb_generation", "hb_uuid", "/var/lib/heartbeat/fifo"] {
        assert!(said.contains("! ") && said.contains(what), "{what}: {said}");
    }
    assert_eq!(code, 1);
    pair.power_off("beta");
    pair.settle(&["ra", "rb", "rc", "rd"], &[], 60.0);
    pair.power_on("beta");
    pair.host("beta").start();
    pair.settle(&["ra", "rb"], &["rc", "rd"], 60.0);
    must(pair.host("alpha"), "mount -o remount,rw /var/lib/heartbeat");
    is_whole(pair.host("alpha"));
    let made = must(pair.host("alpha"), "cd /var/lib/heartbeat && ls && cat hb_generation && head -c 5 hb_uuid");
    assert!(made.contains("cores") && made.contains("fifo") && made.ends_with("alpha"), "{made}");
    pair.assert_never_double();
}

fn a_node_whose_disk_is_full_serves() {
    let pair = Pair::new(&plan(&[Medium::Bcast(0)]));
    let alpha = pair.host("alpha");
    // Not even a name has room.
    must(alpha, "mount -t tmpfs -o size=4k,nr_inodes=1,mode=755 host /var/lib/heartbeat");
    pair.start_both();
    pair.settle(&["ra", "rb"], &["rc", "rd"], 60.0);
    assert!(status(alpha).1.contains("No space left on device"), "{}", status(alpha).1);
    must(alpha, "mount -o remount,size=1m,nr_inodes=100 /var/lib/heartbeat");
    is_whole(alpha);
}

fn a_place_that_others_may_write_into_is_refused_for_good_and_a_run_that_is_read_only_for_now() {
    let pair = Pair::new(&plan(&[Medium::Bcast(0)]));
    let alpha = pair.host("alpha");
    let daemon = format!("{} daemon --foreground", alpha.program("latido"));
    must(alpha, "mount -t tmpfs -o ro,mode=1777 host /var/lib/heartbeat");
    let (code, said) = tried(alpha, &daemon);
    assert!(code == 1 && said.contains("/var/lib/heartbeat: everybody may write there"), "{said}");
    must(alpha, "umount /var/lib/heartbeat && mount -o remount,ro /run");
    let (code, said) = tried(alpha, &daemon);
    assert!(code == 75 && said.contains("no node can work without its places in /run"), "{said}");
    must(alpha, "mount -o remount,rw,size=64k /run && mkdir -p /run/latido");
    alpha.run("cat /dev/zero >/run/filling");
    let (code, said) = tried(alpha, &daemon);
    assert!(code == 75 && said.contains("/run/") && said.contains("No space left on device"), "{said}");
    must(alpha, "rm /run/filling");
    pair.start_both();
    pair.settle(&["ra", "rb"], &["rc", "rd"], 60.0);
}

/// Lives that end in order, in a crash and with the machine, each on a disk that takes nothing.
fn lives_beside_a_real_node(disk: &str) {
    let mut pair = Pair::new(&Plan::new(Latido, Real).timed(200, 2000).initdead(20_000));
    pair.start_both();
    pair.settle(&["ra", "rb"], &["rc", "rd"], 60.0);
    for power in [false, false, true, true] {
        if power {
            pair.power_off("alpha");
            pair.settle(&[], &["ra", "rb", "rc", "rd"], 60.0);
            pair.power_on("alpha");
        } else {
            let mut stopped = pair.host("alpha").stop();
            assert!(stopped.wait().is_ok_and(|status| status.success()));
            pair.settle(&[], &["ra", "rb", "rc", "rd"], 60.0);
        }
        must(pair.host("alpha"), &format!("mountpoint -q /var/lib/heartbeat/. && {disk}"));
        pair.host("alpha").start();
        pair.both_active(60.0);
        pair.settle(&["ra", "rb"], &["rc", "rd"], 60.0);
        assert!(status(pair.host("alpha")).1.contains("is not on disk yet"), "{}", status(pair.host("alpha")).1);
    }
    let said = pair.host("beta").log();
    assert!(!said.contains("replay") && !said.contains("should_drop"), "{said}");
    pair.assert_never_double();
    pair.assert_real_content();
}

fn a_real_node_accepts_each_life_of_a_node_whose_disk_is_read_only() {
    lives_beside_a_real_node(READ_ONLY);
}

fn a_real_node_accepts_lives_without_a_uuid_on_disk() {
    lives_beside_a_real_node(EMPTY_AND_READ_ONLY);
}
