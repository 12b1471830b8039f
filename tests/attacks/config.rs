//! Files, directories and scripts that somebody else may write: nothing of theirs is run, and the rest serves.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::runner::{Pace, Test};
use super::support::Kind::Latido;
use super::support::clock::{pass, secs, wait_for, wait_until};
use super::support::host::Host;
use super::support::{Pair, Plan, shell};
use crate::tests;

/// The tests of this file.
pub(crate) const TESTS: &[Test] = tests!(
    false,
    Pace::Unhurried,
    [
        no_field_of_a_message_leads_a_script_to_somebody_else_s_functions,
        a_configuration_that_others_may_write_starts_nothing_and_is_not_reread,
        a_link_that_a_user_turns_about_in_the_middle_of_the_way_is_never_followed,
        a_script_that_everybody_may_write_costs_its_group_alone,
        what_runs_and_can_no_longer_be_asked_is_neither_restarted_nor_called_stopped,
        a_program_that_everybody_may_write_is_left_alone_and_fences_and_tells_nobody,
    ]
);

/// Runs what follows as somebody without any right.
const NOBODY: &str = "setpriv --reuid=65534 --regid=65534 --clear-groups sh -c";

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("a file of our own");
}

fn put(path: &Path, text: &str, bits: u32) {
    fs::write(path, text).expect("a file of our own");
    mode(path, bits);
}

fn ha_d(host: &Host, name: &str) -> std::path::PathBuf {
    host.dir.join("ha.d").join(name)
}

/// Runs something: its exit code, and all it said.
fn run(host: &Host, what: &str) -> (i32, String) {
    let output = host.run(what);
    (output.status.code().unwrap_or(-1), shell::said(&output))
}

fn latido(host: &Host, words: &str) -> (i32, String) {
    run(host, &format!("{} {words}", host.program("latido")))
}

/// What `latido status --json` says, as text.
fn status(host: &Host) -> String {
    latido(host, "status --json").1
}

fn file(host: &Host, name: &str) -> String {
    fs::read_to_string(host.dir.join("log").join(name)).unwrap_or_default()
}

/// Whose `HA_FUNCS` a script reads is root's matter, on both nodes: with such a field a client became root on each.
fn no_field_of_a_message_leads_a_script_to_somebody_else_s_functions() {
    const FIELDS: [&str; 16] = [
        "FUNCS",
        "DIR",
        "BIN",
        "RCDIR",
        "NOARCHBIN",
        "SBIN_DIR",
        "RSCTMP",
        "VARLIB",
        "CURHOST",
        "LOGFILE",
        "PATH",
        "debug",
        "keepalive",
        "NICEFAILBACK",
        "LD_PRELOAD",
        "my-name",
    ];
    let pair = Pair::running(&Plan::new(Latido, Latido));
    for name in ["alpha", "beta"] {
        let host = pair.host(name);
        let script = "#!/bin/sh\nenv >/var/log/dump.part\n[ -r \"$HA_FUNCS\" ] && . \"$HA_FUNCS\"\n\
                      mv /var/log/dump.part /var/log/dump\n";
        put(&ha_d(host, "rc.d/letter"), script, 0o755);
        run(host, "mkdir -p /var/log/evil");
        for name in ["FUNCS", "letter", "shellfuncs"] {
            put(&host.dir.join("log/evil").join(name), "#!/bin/sh\n: >/var/log/owned\n", 0o755);
        }
    }
    let evil = |name: &&str| match *name {
        "FUNCS" => "FUNCS=/var/log/evil/FUNCS\\n".to_owned(),
        name => format!("{name}=/var/log/evil\\n"),
    };
    let fields: String = FIELDS.iter().map(evil).collect();
    let message = format!(">>>\\nt=letter\\nnote=good day\\nMy_9=yes\\n{fields}<<<\\n");
    run(pair.host("alpha"), &format!("printf '{message}' >/var/lib/heartbeat/fifo"));
    for name in ["alpha", "beta"] {
        let host = pair.host(name);
        wait_until("the script for a letter", 20.0, || host.dir.join("log/dump").exists());
        let dump = file(host, "dump");
        assert!(dump.contains("HA_note=good day\n") && dump.contains("HA_My_9=yes\n"), "{dump}");
        let set = |field: &str| dump.lines().any(|line| line == format!("HA_{field}=/var/log/evil"));
        let taken: Vec<_> = FIELDS.iter().filter(|field| set(field)).collect();
        // Neither a variable of scripts nor of the daemon: it has a name of its own.
        assert_eq!(taken, [&"LD_PRELOAD"], "{dump}");
        assert!(!dump.contains("evil/FUNCS") && dump.contains("shellfuncs\n"), "{dump}");
        assert!(!host.dir.join("log/owned").exists(), "somebody else's script was run on {name}");
    }
}

fn a_configuration_that_others_may_write_starts_nothing_and_is_not_reread() {
    let pair = Pair::new(&Plan::new(Latido, Latido));
    let alpha = pair.host("alpha");
    put(&ha_d(alpha, "latido.cf"), "monitor * 30\n", 0o644);
    for (name, bits, good) in [
        ("ha.cf", 0o666, 0o644),
        ("haresources", 0o646, 0o644),
        ("latido.cf", 0o666, 0o644),
        ("authkeys", 0o620, 0o600),
        ("authkeys", 0o602, 0o600),
        (".", 0o777, 0o755),
        (".", 0o1777, 0o755),
    ] {
        mode(&ha_d(alpha, name), bits);
        let (code, said) = run(alpha, &alpha.program("heartbeat"));
        let path = if name == "." { "/etc/ha.d".to_owned() } else { format!("/etc/ha.d/{name}") };
        assert!(code == 6 && said.contains(&path) && said.contains("chmod"), "{name} {bits:o}: {said}");
        let (code, said) = latido(alpha, "check");
        assert!(code == 2 && said.contains(&path) && said.contains("chmod"), "{name} {bits:o}: {said}");
        let (_, said) = latido(alpha, "doctor");
        assert!(said.contains(&path), "{name} {bits:o}: {said}");
        mode(&ha_d(alpha, name), good);
    }
    pair.start_both();
    pair.settle(&["ra", "rb"], &["rc", "rd"], 30.0);
    let from = alpha.log().len();
    put(&alpha.dir.join("log/shell"), "#!/bin/sh\n: >/var/log/owned\nsleep 1000\n", 0o755);
    mode(&ha_d(alpha, "ha.cf"), 0o666);
    let (code, said) = run(
        alpha,
        &format!("{NOBODY} 'echo respawn root /var/log/shell >>/etc/ha.d/ha.cf; echo deadtime 3 >>/etc/ha.d/ha.cf'"),
    );
    assert_eq!(code, 0, "{said}");
    let (code, said) = run(alpha, &format!("{} -r", alpha.program("heartbeat")));
    assert!(code != 0 && said.contains("NOT restarted"), "{said}");
    run(alpha, "kill -HUP $(cat /run/heartbeat.pid)");
    pair.await_log("alpha", from, "Configuration not reread", 10.0);
    let log = alpha.log();
    assert!(log.contains("/etc/ha.d/ha.cf may be written by everybody (mode 0666, owner 0, group 0)"), "{log}");
    pair.nothing_moves_for(2.0);
    assert!(!alpha.dir.join("log/owned").exists());
    let text = fs::read_to_string(ha_d(alpha, "ha.cf")).expect("ha.cf");
    let good: String = text.lines().filter(|line| !line.contains("shell")).map(|line| format!("{line}\n")).collect();
    put(&ha_d(alpha, "ha.cf"), &good, 0o644);
    let (code, said) = run(alpha, &format!("{} -r", alpha.program("heartbeat")));
    assert_eq!(code, 0, "{said}");
    pair.await_log("alpha", from, "Heartbeat restart triggered.", 10.0);
}

fn a_link_that_a_user_turns_about_in_the_middle_of_the_way_is_never_followed() {
    let pair = Pair::new(&Plan::new(Latido, Latido));
    let alpha = pair.host("alpha");
    let script = |what: &str| format!("#!/bin/sh\n: >/var/log/{what}\necho running\n");
    put(&alpha.dir.join("log/good"), &script("good-ran"), 0o755);
    let prepare = "mkdir -p /var/log/his && chown 65534:65534 /var/log/his && rm /etc/ha.d/resource.d/ra && \
                   ln -s /var/log/his/ra /etc/ha.d/resource.d/ra";
    assert_eq!(run(alpha, prepare).0, 0);
    let evil = script("evil-ran");
    let turn = format!(
        "cd /var/log/his && printf \"{}\" >evil && chmod 755 evil && while :; do \
         ln -s ../good new && mv -T new ra; ln -s evil new && mv -T new ra; done",
        evil.replace('\n', "\\n").replace('"', "")
    );
    let mut turning = alpha.spawn(&format!("exec {NOBODY} '{turn}'"));
    wait_until("the user's link", 10.0, || alpha.dir.join("log/his/ra").symlink_metadata().is_ok());
    let ask = format!("n=0; while [ $n -lt 200 ]; do n=$((n+1)); {} resource status ra; done", alpha.program("latido"));
    let (_, said) = run(alpha, &ask);
    let _ = turning.kill();
    let _ = turning.wait();
    let ran: Vec<_> =
        ["good-ran", "evil-ran"].into_iter().filter(|name| alpha.dir.join("log").join(name).exists()).collect();
    assert!(ran.is_empty(), "{ran:?}: {said}");
    let (code, said) = latido(alpha, "resource start ra");
    assert!(code != 0 && said.contains("/var/log/his may be written by user 65534"), "{said}");
}

fn a_script_that_everybody_may_write_costs_its_group_alone() {
    let pair = Pair::new(&Plan::new(Latido, Latido));
    let alpha = pair.host("alpha");
    mode(&ha_d(alpha, "resource.d/ra"), 0o777);
    mode(&ha_d(alpha, "resource.d/rd"), 0o777);
    let (code, said) = latido(alpha, "check");
    assert!(code == 2 && said.contains("resource.d/ra") && said.contains("heartbeat starts without"), "{said}");
    pair.start_both();
    // The peer takes the one; the other is at home there and is not asked for here.
    pair.settle(&[], &["ra", "rb", "rc", "rd"], 40.0);
    pair.assert_never_double();
    let log = alpha.log();
    let why = "resource.d/ra may be written by everybody (mode 0777, owner 0, group 0)";
    assert!(log.contains(why) && log.contains("chmod go-w"), "{log}");
    assert!(log.contains("ERROR"), "{log}");
    let said = status(alpha);
    assert!(said.contains("failed") && said.contains("resource.d/ra"), "{said}");
    let (_, said) = latido(alpha, "why");
    assert!(said.contains("resource.d/ra"), "{said}");
    // Mended, and asked for.
    mode(&ha_d(alpha, "resource.d/ra"), 0o755);
    mode(&ha_d(alpha, "resource.d/rd"), 0o755);
    assert_eq!(latido(alpha, "check").0 & 2, 0);
    let (code, said) = latido(alpha, "resource retry ra");
    assert_eq!(code, 0, "{said}");
    wait_until("the group to go home when asked", 40.0, || {
        latido(alpha, "takeover local");
        pass(secs(0.5));
        pair.held() == [vec!["ra", "rb"], vec!["rc", "rd"]]
    });
    pair.assert_never_double();
}

fn what_runs_and_can_no_longer_be_asked_is_neither_restarted_nor_called_stopped() {
    let pair = Pair::new(&Plan::new(Latido, Latido));
    for name in ["alpha", "beta"] {
        put(&ha_d(pair.host(name), "latido.cf"), "monitor * 1\non-stop-failure block\n", 0o644);
    }
    pair.start_both();
    pair.settle(&["ra", "rb"], &["rc", "rd"], 30.0);
    pair.stable("beta", 20.0);
    let beta = pair.host("beta");
    mode(&ha_d(beta, "resource.d/rc"), 0o777);
    wait_until("the status to say so", 20.0, || status(beta).contains("rc cannot be asked whether it works"));
    pair.nothing_moves_for(4.0);
    // It cannot be stopped, so it is not given either.
    latido(beta, "standby local");
    wait_until("a stop that fails", 60.0, || status(beta).contains("\"blocked\""));
    assert!(pair.held()[0] == ["ra", "rb"] && pair.held()[1].contains(&"rc".to_owned()), "{:?}", pair.held());
    mode(&ha_d(beta, "resource.d/rc"), 0o755);
    let (code, said) = latido(beta, "resource retry rc");
    assert_eq!(code, 0, "{said}");
    wait_until("the group to run whole on one node", 40.0, || {
        let [a, b] = pair.held();
        let whole = |held: &[String]| ["rc", "rd"].iter().all(|name| held.iter().any(|other| other == name));
        whole(&a) != whole(&b)
    });
    pair.assert_never_double();
}

fn a_program_that_everybody_may_write_is_left_alone_and_fences_and_tells_nobody() {
    let mut pair = Pair::new(&Plan::new(Latido, Latido));
    let alpha = pair.host("alpha");
    let says = |name: &str, more: &str| format!("#!/bin/sh\n: >/var/log/{name}-ran\n{more}");
    for (name, more) in [("beside", "sleep 1000\n"), ("tell", ""), ("off", "")] {
        put(&alpha.dir.join("log").join(name), &says(name, more), 0o777);
    }
    alpha.add_to_ha_cf("respawn root /var/log/beside\n");
    put(&ha_d(alpha, "latido.cf"), "notify /var/log/tell\nfence /var/log/off %n\n", 0o644);
    let (code, said) = latido(alpha, "check");
    assert_eq!(code, 2, "{said}");
    for name in ["beside", "tell", "off"] {
        assert!(said.contains(&format!("/var/log/{name}")), "{name}: {said}");
    }
    pair.start_both();
    pair.settle(&["ra", "rb"], &["rc", "rd"], 30.0);
    let ran = |pair: &Pair, name: &str| pair.host("alpha").dir.join("log").join(format!("{name}-ran")).exists();
    pair.await_log("alpha", 0, "Client \"/var/log/beside\" is not started: /var/log/beside will not be run", 20.0);
    mode(&alpha.dir.join("log/beside"), 0o755);
    let (code, said) = run(alpha, &format!("{} -r", alpha.program("heartbeat")));
    assert_eq!(code, 0, "{said}");
    wait_until("the program beside the daemon", 20.0, || ran(&pair, "beside"));
    let from = pair.host("alpha").log().len();
    pair.power_off("beta");
    pair.await_log("alpha", from, "/var/log/off will not be run", 30.0);
    pass(secs(3.0));
    assert_eq!(pair.held()[0], ["ra", "rb"], "without a fence that works nothing is taken");
    assert!(!ran(&pair, "off") && !ran(&pair, "tell"));
    mode(&pair.host("alpha").dir.join("log/off"), 0o755);
    pair.settle(&["ra", "rb", "rc", "rd"], &[], 60.0);
    let log = wait_for("the log", 5.0, || Some(pair.host("alpha").log()));
    assert!(ran(&pair, "off") && !ran(&pair, "tell") && log.contains("notify command: /var/log/tell will not be run"));
}
