//! What scripts of `rc.d` find around them, beside the original; scripts of the original's that a site has changed; and the
//! helper programs of the original (`resources.md` 3.2, 6).

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::runner::{Pace, Test};
use super::support::Kind::{Latido, Real};
use super::support::clock::{epoch, pass, secs, wait_until};
use super::support::host::Host;
use super::support::{Failback, Pair, Plan, record, shell};
use crate::tests;

/// The tests of this file.
pub(crate) const TESTS: &[Test] = tests!(
    true,
    Pace::Unhurried,
    [
        scripts_of_rc_d_find_what_they_find_under_a_real_heartbeat,
        scripts_of_rc_d_find_what_they_find_under_a_real_heartbeat_in_legacy,
        a_site_s_lines_in_the_original_s_scripts_run_and_what_the_scripts_would_start_is_started_once,
        the_helper_programs_of_the_original_are_answered_or_name_the_command_to_use,
        resource_manager_needs_haresources_and_scripts_and_no_good_ha_cf,
    ]
);

/// What differs, on which side only if not on both, and why that is meant.
const MEANT: &[(&str, &str)] = &[
    ("HA_BIN", "where the helper programs of this machine are"),
    ("HA_NOARCHBIN", "the same; a real daemon leaves it to the first shell, which does not export it"),
    ("HA_SBIN_DIR", "the same"),
    ("PATH", "the same, once, and not once more for each shell"),
    ("HA_VARLIB", "for scripts that do not source $HA_FUNCS: there they have it unexported"),
    ("HA_RSCTMP", "the same"),
    ("LC_ALL", "the language scripts run in has a test of its own"),
    ("LANG", "the same"),
    ("HA_auth", "a signature is for nobody but the daemon"),
    ("LATIDO_RC_D", "in a changed script of the original's: its helper programs know by it that they are not needed"),
    ("HA_hears", "a Latido says how far it hears the other"),
];
/// Put there by the shells in between.
const OF_SHELLS: [&str; 3] = ["_", "OLDPWD", "SHLVL"];

/// Types a script is put there for.
const KINDS: [&str; 7] = ["letter", "status", "ifstat", "stonith", "hb_takeover", "ip-request", "ip-request-resp"];

/// Writes down its name, its arguments, its limits, where it is, and its environment; goes on as the one before it.
const DUMP: &str = r#"#!/bin/sh
file=$(mktemp /var/log/dump.XXXXXX)
{
    echo "0=$0 $*"
    echo "core=$(ulimit -c)"
    echo "cwd=$(pwd -P)"
    echo "umask=$(umask)"
    tr '\0' '\n' </proc/$$/environ
} >"$file"
mv "$file" "$file.whole"
"#;

fn put(path: &Path, text: &str) {
    fs::write(path, text).expect("a script of our own");
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("a script of our own");
}

fn watch(host: &Host) {
    for kind in KINDS {
        let (path, before) = (host.dir.join("ha.d/rc.d").join(kind), host.dir.join("ha.d").join(kind));
        let goes_on = fs::rename(&path, &before).map_or(String::new(), |()| format!("exec /etc/ha.d/{kind} \"$@\"\n"));
        put(&path, &format!("{DUMP}{goes_on}"));
    }
}

type Variables = BTreeMap<String, String>;

/// The first script that ran for each sort of message, as this node sees it: `letter of the peer`.
fn dumps(host: &Host) -> BTreeMap<String, Variables> {
    let mut found: BTreeMap<String, (std::time::SystemTime, Variables)> = BTreeMap::new();
    for entry in fs::read_dir(host.dir.join("log")).into_iter().flatten().flatten() {
        if !entry.file_name().to_string_lossy().ends_with(".whole") {
            continue;
        }
        let text = fs::read_to_string(entry.path()).unwrap_or_default();
        let dump: Variables =
            text.lines().filter_map(|line| line.split_once('=')).map(|(a, b)| (a.to_owned(), b.to_owned())).collect();
        let at = entry.metadata().and_then(|meta| meta.modified()).expect("a file of our own");
        let get = |name: &str| dump.get(name).map_or("", String::as_str);
        let of = if get("HA_src").is_empty() { get("HA_node") } else { get("HA_src") };
        let whose = if of == host.name { "own" } else { "the peer's" };
        let sort = format!("{whose} {} {}", get("HA_t"), get("HA_st")).trim_end().to_owned();
        if found.get(&sort).is_none_or(|(before, _)| at < *before) {
            found.insert(sort, (at, dump));
        }
    }
    found.into_iter().map(|(sort, (_, dump))| (sort, dump)).collect()
}

/// A value with what differs between two nodes and two moments taken out.
fn form(host: &Host, name: &str, value: &str) -> String {
    let is_hex = !value.is_empty() && value.chars().all(|c| c.is_ascii_hexdigit());
    match name {
        "HA_ts" | "HA_hg" | "HA_seq" | "HA_dt" if is_hex => {
            format!("{} hex digits", if value.len() > 7 { "8" } else { "few" })
        }
        "HA_OSTATUS" if ["up", "active"].contains(&value) => "this node's status now".to_owned(),
        "HA_ld" => "a load, or n/a".to_owned(),
        _ if value == host.name => "this node".to_owned(),
        _ if ["alpha", "beta"].contains(&value) => "the other node".to_owned(),
        // The groups are named after their nodes.
        "HA_weown" => "whether it ran".to_owned(),
        "HA_ipaddr" => "a group".to_owned(),
        _ => value.to_owned(),
    }
}

fn compare(pair: &Pair, expected: &[&str]) {
    let [real, ours] = ["alpha", "beta"].map(|name| pair.host(name));
    let (theirs, mine) = (dumps(real), dumps(ours));
    let mut differences = Vec::new();
    for sort in expected {
        let (Some(a), Some(b)) = (theirs.get(*sort), mine.get(*sort)) else {
            let there = |dumps: &BTreeMap<String, Variables>| dumps.keys().cloned().collect::<Vec<_>>().join(", ");
            panic!("{sort} ran on not both: real: {}; ours: {}", there(&theirs), there(&mine));
        };
        let names: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
        for name in names {
            let forms = [(real, a), (ours, b)].map(|(host, dump)| dump.get(name).map(|value| form(host, name, value)));
            let meant = MEANT.iter().any(|(known, _)| known == name) || OF_SHELLS.contains(&name.as_str());
            if forms[0] != forms[1] && !meant {
                differences.push(format!("{sort}: {name}: real {:?}, ours {:?}", forms[0], forms[1]));
            }
        }
    }
    assert!(differences.is_empty(), "{differences:#?}");
}

fn has_run(pair: &Pair, name: &str, sort: &str) {
    wait_until(&format!("the script for {sort} on {name}"), 30.0, || dumps(pair.host(name)).contains_key(sort));
}

fn write_letter(host: &Host) {
    let output = host.run("printf '>>>\\nt=letter\\nnote=good day\\n<<<\\n' >/var/lib/heartbeat/fifo");
    assert!(output.status.success(), "{}", shell::said(&output));
}

/// Each tells something, takes its groups, dies and comes back.
fn compare_a_life(plan: &Plan, expected: &[&str]) {
    let mut pair = Pair::new(plan);
    for name in ["alpha", "beta"] {
        watch(pair.host(name));
    }
    pair.start_both();
    pair.settle(&["ra", "rb"], &["rc", "rd"], 40.0);
    pair.both_active(20.0);
    for name in ["alpha", "beta"] {
        pair.stable(name, 30.0);
        write_letter(pair.host(name));
        pair.host(name).run(&format!("{} local", pair.host(name).program("hb_takeover")));
        for other in ["alpha", "beta"] {
            let whose = if other == name { "own" } else { "the peer's" };
            has_run(&pair, other, &format!("{whose} letter"));
            has_run(&pair, other, &format!("{whose} hb_takeover"));
        }
    }
    for (dies, stays) in [("beta", "alpha"), ("alpha", "beta")] {
        pair.stable(stays, 30.0);
        pair.power_off(dies);
        has_run(&pair, stays, "the peer's status dead");
        has_run(&pair, stays, "own stonith");
        pair.power_on(dies);
        pair.host(dies).start();
        has_run(&pair, stays, "the peer's status active");
        pair.both_active(40.0);
        pair.settle(&["ra", "rb"], &["rc", "rd"], 60.0);
    }
    compare(&pair, expected);
}

const ALWAYS: [&str; 10] = [
    "own letter",
    "the peer's letter",
    "own hb_takeover",
    "the peer's hb_takeover",
    "the peer's status up",
    "the peer's status active",
    "the peer's status dead",
    "the peer's ifstat up",
    "the peer's ifstat dead",
    "own stonith",
];

fn scripts_of_rc_d_find_what_they_find_under_a_real_heartbeat() {
    let expected: Vec<&str> = ALWAYS.into_iter().chain(["own ip-request-resp"]).collect();
    compare_a_life(&Plan::new(Real, Latido), &expected);
}

fn scripts_of_rc_d_find_what_they_find_under_a_real_heartbeat_in_legacy() {
    let expected: Vec<&str> =
        ALWAYS.into_iter().chain(["the peer's ip-request", "the peer's ip-request-resp"]).collect();
    compare_a_life(&Plan::new(Real, Latido).failback(Failback::Legacy), &expected);
}

/// Copies the original's script, with a line of the site's behind the first, which names the interpreter.
fn change(host: &Host, kind: &str) {
    let text = fs::read(Path::new("/etc/ha.d/rc.d").join(kind)).expect("the package heartbeat");
    let first = text.iter().position(|byte| *byte == b'\n').expect("more than one line") + 1;
    let line = b"echo \"$HA_t $HA_src $HA_st $HA_ipaddr\" >>/var/log/site\n";
    let path = host.dir.join("ha.d/rc.d").join(kind);
    fs::write(&path, [&text[..first], line, &text[first..]].concat()).expect("a script of our own");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("a script of our own");
}

fn site(host: &Host) -> String {
    fs::read_to_string(host.dir.join("log/site")).unwrap_or_default()
}

fn a_site_s_lines_in_the_original_s_scripts_run_and_what_the_scripts_would_start_is_started_once() {
    let mut pair = Pair::new(&Plan::new(Latido, Latido));
    for kind in ["status", "hb_takeover", "ip-request-resp"] {
        let copied =
            fs::copy(Path::new("/etc/ha.d/rc.d").join(kind), pair.host("alpha").dir.join("ha.d/rc.d").join(kind));
        copied.expect("the package heartbeat");
        change(pair.host("beta"), kind);
    }
    pair.start_both();
    pair.settle(&["ra", "rb"], &["rc", "rd"], 30.0);
    let beta = pair.host("beta");
    wait_until("the site's line for its own group", 10.0, || site(beta).contains("ip-request-resp beta  rc"));
    let alpha = pair.host("alpha");
    alpha.run(&format!("{} local", alpha.program("hb_takeover")));
    wait_until("the site's line for a takeover", 10.0, || site(beta).contains("hb_takeover alpha"));
    assert!(alpha.log().contains("rc.d/status is the original's own script: not run"));
    pass(secs(2.0));
    let from = epoch();
    pair.power_off("alpha");
    pair.settle(&[], &["ra", "rb", "rc", "rd"], 20.0);
    let beta = pair.host("beta");
    wait_until("the site's line for a death", 10.0, || site(beta).contains("status alpha dead"));
    wait_until("its mach_down to end", 10.0, || {
        fs::read_to_string(beta.dir.join("log/ha-debug")).unwrap_or_default().contains("mach_down: nothing to do")
    });
    let started = record::counted(&beta.dir, from);
    assert_eq!(started, [("ra start".to_owned(), 1), ("rb start".to_owned(), 1)].into());
    let asked = |name: &str| {
        record::calls(&beta.dir)
            .iter()
            .filter(|call| call.at >= from && call.resource == name && call.verb == "status")
            .count()
    };
    assert_eq!((asked("ra"), asked("rb")), (1, 1), "nobody else asked, or would have started");
    let log = beta.log();
    assert!(
        log.contains("rc.d/status is not as it was distributed: it is run") && !log.contains("run by hand"),
        "{log}"
    );
    pair.assert_never_double();
}

/// Runs a program: its exit code and what it said.
fn run(host: &Host, what: &str) -> (i32, String) {
    let output = host.run(what);
    let text = [output.stdout, output.stderr].concat();
    (output.status.code().unwrap_or(-1), String::from_utf8_lossy(&text).into_owned())
}

fn the_helper_programs_of_the_original_are_answered_or_name_the_command_to_use() {
    let pair = Pair::running(&Plan::new(Latido, Latido));
    let (alpha, beta) = (pair.host("alpha"), pair.host("beta"));
    let ours = |host: &Host, words: &str| run(host, &format!("HA_DIR=/etc/ha.d {}/bin/{words}", host.dir.display()));
    // Stopped behind the daemon's back, and asked for again: with our program, and with the original's.
    for program in [format!("{}/bin/req_resource", alpha.dir.display()), "/usr/share/heartbeat/req_resource".to_owned()]
    {
        pair.stable("alpha", 10.0);
        assert_eq!(ours(alpha, "ResourceManager givegroup ra").0, 0);
        assert!(alpha.held().is_empty());
        let (code, said) = run(alpha, &format!("{program} ra"));
        assert_eq!(code, 0, "{said}");
        pair.settle(&["ra", "rb"], &["rc", "rd"], 20.0);
    }
    let (code, said) = ours(beta, "req_resource ra");
    assert!(code == 1 && said.contains("`latido takeover foreign`"), "{code} {said}");
    let (code, said) = ours(beta, "mach_down alpha");
    assert!(code == 1 && said.contains("`latido takeover foreign`"), "{code} {said}");
    // The original's, with its own functions, starts what runs on the other node. It cannot be kept from that; it is told.
    fs::copy("/etc/ha.d/shellfuncs", beta.dir.join("ha.d/shellfuncs")).expect("the package heartbeat");
    let from = beta.log().len();
    run(beta, "HA_NICEFAILBACK=yes /usr/share/heartbeat/mach_down alpha");
    pair.await_log("beta", from, "mach_down was run by hand", 20.0);
    pair.await_log("beta", from, "ra runs on this node although the other node holds its group", 20.0);
    assert!(!pair.take_doubles().is_empty());
    for name in ["rb", "ra"] {
        run(beta, &format!("/etc/ha.d/resource.d/{name} stop"));
    }
    let (code, said) = ours(alpha, "mach_down");
    assert!(code == 1 && said.contains("usage: mach_down NODE"), "{code} {said}");
    assert!(alpha.stop().wait().is_ok_and(|status| status.success()));
    pair.settle(&[], &["ra", "rb", "rc", "rd"], 20.0);
    let (code, said) = ours(beta, "mach_down alpha");
    assert!(code == 0 && said.contains("run here: ra"), "{code} {said}");
    for (words, command) in
        [("mach_down beta", "latido resource list"), ("req_resource ra", "latido resource start ra")]
    {
        let (code, said) = ours(alpha, words);
        assert!(code == 1 && said.contains(command), "{code} {said}");
    }
}

fn resource_manager_needs_haresources_and_scripts_and_no_good_ha_cf() {
    let pair = Pair::new(&Plan::new(Real, Latido));
    // Neither is a node of it, and it has an error.
    for name in ["alpha", "beta"] {
        fs::write(pair.host(name).dir.join("ha.d/ha.cf"), "keepalive soon\nnode gamma\nnode delta\n").expect("ha.cf");
    }
    let calls = [
        "status ra",
        "takegroup ra",
        "status ra",
        "statgroup ra",
        "verifyallidle",
        "listkeys alpha",
        "listkeys gamma",
        "allkeys",
        "ourkeys",
        "otherkeys",
        "givegroup ra",
        "status ra",
        "status nothing",
        "takegroup nothing",
        "givegroup nothing",
        "listkeys",
        "reqresource ra",
        "",
    ];
    let play = |name: &str| -> Vec<String> {
        let host = pair.host(name);
        let (program, mut before) = (host.program("ResourceManager"), 0);
        let answer = |words: &&str| {
            let output = host.run(&format!("HA_CURHOST=alpha {program} {words}"));
            let all = record::calls(&host.dir);
            let ran: Vec<String> =
                all[before..].iter().map(|call| format!("{} {}", call.resource, call.verb)).collect();
            before = all.len();
            // The original's word goes to its debug log, where nobody looks.
            let silent = words.starts_with("statgroup");
            let said = if silent { String::new() } else { String::from_utf8_lossy(&output.stdout).into_owned() };
            format!("{words}: {:?} [{}] {ran:?}", said, output.status.code().unwrap_or(-1))
        };
        calls.iter().map(answer).collect()
    };
    let (real, ours) = (play("alpha"), play("beta"));
    let differ: Vec<_> = real.iter().zip(&ours).filter(|(a, b)| a != b).collect();
    assert!(differ.is_empty(), "real, ours: {differ:#?}");
}
