//! The scripts of Debian's `resource.d` under a heartbeat 3.0.6 and under a Latido, each alone on its host with the old
//! package's files: start, status, stop. What they answer stands side by side in `docs/compared/resource-scripts.md`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use super::runner::{Pace, Test};
use super::support::Kind::Real;
use super::support::clock::wait_until;
use super::support::host::Host;
use super::support::pair::NAMES;
use super::support::{Pair, Plan, shell};
use crate::tests;

/// The tests of this file.
pub(crate) const TESTS: &[Test] = tests!(
    true,
    Pace::Unhurried,
    [
        every_script_of_the_old_package_that_can_run_here_does_the_same_under_both,
        helpers_that_the_packages_scripts_will_not_find_are_named_and_those_they_find_are_not,
        scripts_speak_english_under_both,
    ]
);

/// One resource and what its script is called with; those before it on its line make what it needs.
struct Script {
    line: &'static str,
    /// Its status or its start takes half a minute: asked only when the table is made anew.
    slow: bool,
    /// What stands in for a program that is not on every machine.
    note: &'static str,
    /// Shows what it did, in one line; nothing when it is not there.
    effect: &'static str,
    /// The address that others must be told of.
    announces: &'static str,
}

const fn script(line: &'static str, effect: &'static str) -> Script {
    Script { line, slow: false, note: "", effect, announces: "" }
}

const SCRIPTS: [Script; 10] = [
    Script { announces: "10.21.0.100", ..script("10.21.0.100", "ip -o -4 addr show | grep -wo 10.21.0.100/24") },
    Script {
        announces: "10.21.0.101",
        ..script("IPaddr2::10.21.0.101/24/eth0", "ip -o -4 addr show | grep -wo 10.21.0.101/24")
    },
    script("IPaddr2::10.21.0.103/24/eth0 IPsrcaddr::10.21.0.103", "ip route show default | grep -o 'src 10.21.0.103'"),
    Script { announces: "10.21.0.104", ..script("SendArp::10.21.0.104/eth0", "") },
    Script {
        slow: true,
        ..script("IPv6addr::fd00:0:0:0:0:0:0:100/64/eth0", "ip -o -6 addr show | grep -wo fd00::100/64")
    },
    Script {
        note: "modprobe",
        ..script("Filesystem::tmpfs::/mnt/data::tmpfs", "grep -o '/mnt/data tmpfs' /proc/mounts")
    },
    script("portblock::tcp::80::block", "iptables -S INPUT | grep -o 'dports* 80 .*'"),
    Script { note: "mail", ..script("MailTo::root::Lab", "") },
    script("AudibleAlarm::gamma", ""),
    Script { slow: true, ..script("Delay::1::1", "") },
];

/// What cannot do its work on a machine like this, and why. The first words are its call.
const CANNOT: [(&str, &str); 13] = [
    ("ICP 1 /dev/sda1", "no ICP controller and no icpclucon"),
    ("LVM vg0", "no LVM"),
    ("LinuxSCSI 0:0:0", "no SCSI device"),
    ("OCF Dummy one", "answers with its usage whatever it is given: it looks in directories the package has not"),
    ("Raid1 /etc/mdadm.conf /dev/md9", "no md device and no mdadm"),
    ("ServeRAID 1 1", "no ServeRAID adapter"),
    ("WAS", "no WebSphere"),
    (
        "WinPopup pc1",
        "no smbclient; and its note would be /WinPopup, in the root directory that the test's hosts share",
    ),
    ("Xinetd tftp", "no xinetd"),
    ("apache", "no apache"),
    ("db2 inst", "no DB2, no ksh"),
    ("hto-mapfuncs", "functions for another script: starts nothing"),
    ("ids", "no Informix"),
];

/// In the place of a script of the package: calls it, and keeps what it answered.
const RECORDER: &str = r#"#!/bin/bash
name=${0##*/} verb=${@: -1} call=@DIR@/calls/$EPOCHREALTIME.$$
/etc/ha.d/packaged/$name "$@" >"$call.out" 2>"$call.err"
code=$?
{
    printf '%s\n' "$name $*" "$code" "$LC_ALL$LANG" "$HA_BIN"
    cat "$call.out"
} >"$call.new"
mv "$call.new" "$call.done"
cat "$call.out"
cat "$call.err" >&2
exit $code
"#;

fn every_script_of_the_old_package_that_can_run_here_does_the_same_under_both() {
    let update = std::env::var_os("UPDATE_EXPECTED").is_some();
    let chosen: Vec<&Script> = SCRIPTS.iter().filter(|script| update || !script.slow).collect();
    nothing_is_left_out();
    let pair = apart();
    for name in NAMES {
        let host = pair.host(name);
        record_calls(host);
        stand_ins(host);
        let lines = chosen.iter().map(|script| format!("{name} {}\n", script.line));
        fs::write(host.dir.join("ha.d/haresources"), lines.collect::<String>()).expect("haresources");
    }
    cannot_run(pair.host("beta"));
    let known = page();
    let lives = std::thread::scope(|scope| {
        let live = |name: &'static str| {
            let (pair, chosen) = (&pair, &chosen);
            scope.spawn(move || life(pair, name, chosen))
        };
        NAMES.map(live).map(|life| life.join().expect("a life without complaints"))
    });
    let text = table(&lives, &known);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(PAGE);
    if update {
        fs::create_dir_all(path.parent().expect("docs")).expect("docs");
        fs::write(&path, &text).expect("the page can be written");
    } else {
        assert_eq!(known, text, "{PAGE}; UPDATE_EXPECTED=1 rewrites it");
    }
    let is_same = |line: &str| line.ends_with("| the same |") || line.contains(TOO_SLOW);
    let compared = text.lines().filter(|line| line.starts_with("| `") && line.matches(" | ").count() > 1);
    let differing: Vec<&str> = compared.filter(|line| !is_same(line)).collect();
    assert!(differing.is_empty(), "differs under this daemon: {differing:#?}");
}

const PAGE: &str = "docs/compared/resource-scripts.md";

fn page() -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(PAGE)).unwrap_or_default()
}

/// Two hosts with the old package's files that do not hear each other: `alpha` for the original, `beta` for ours.
fn apart() -> Pair {
    let pair = Pair::new(&Plan::new(Real, Real).initdead(2000).resources(""));
    pair.cut_all(true);
    pair
}

/// Every script of the directory is either run or in the list of those that cannot be.
fn nothing_is_left_out() {
    let run = SCRIPTS.iter().map(|script| agent_of(script.line));
    let known: Vec<&str> = run.chain(CANNOT.iter().filter_map(|(call, _)| call.split(' ').next())).collect();
    let there = fs::read_dir("/etc/ha.d/resource.d").expect("the package is installed");
    for entry in there.flatten() {
        let name = entry.file_name().into_string().expect("a plain name");
        // Others' packages put theirs there as well.
        let packaged = Path::new("/var/lib/dpkg/info/heartbeat.list");
        let listed = fs::read_to_string(packaged).unwrap_or_default().contains(&format!("/resource.d/{name}\n"));
        assert!(!listed || known.contains(&name.as_str()), "{name} is neither run nor listed with a reason");
    }
}

fn agent_of(line: &'static str) -> &'static str {
    let word = line.split(' ').next_back().unwrap_or_default();
    if word.starts_with(|c: char| c.is_ascii_digit()) { "IPaddr" } else { word.split("::").next().unwrap_or_default() }
}

fn record_calls(host: &Host) {
    let ha_d = host.dir.join("ha.d");
    fs::rename(ha_d.join("resource.d"), ha_d.join("packaged")).expect("files of our own");
    fs::create_dir_all(ha_d.join("resource.d")).expect("files of our own");
    fs::create_dir_all(host.dir.join("calls")).expect("files of our own");
    let text = RECORDER.replace("@DIR@", &host.dir.display().to_string());
    for entry in fs::read_dir(ha_d.join("packaged")).expect("files of our own").flatten() {
        let place = ha_d.join("resource.d").join(entry.file_name());
        // Others source this one from where it is.
        if entry.file_name() == "hto-mapfuncs" {
            fs::copy(entry.path(), place).expect("files of our own");
        } else {
            program(&place, &text);
        }
    }
}

fn program(path: &Path, text: &str) {
    fs::write(path, text).expect("a script of our own");
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("a script of our own");
}

/// Programs this machine may not have, a network with a default route, and a place for mounts.
fn stand_ins(host: &Host) {
    let output = host.run(
        "set -e; mount -t tmpfs x /usr/local/sbin; mount -t tmpfs x /mnt; mkdir /mnt/data
        for name in modprobe mail; do
            printf '#!/bin/sh\\n[ $0 = /usr/local/sbin/modprobe ] || cat >/dev/null\\nexit 0\\n' >/usr/local/sbin/$name
            chmod 755 /usr/local/sbin/$name
        done
        for name in all default eth0; do echo 0 >/proc/sys/net/ipv6/conf/$name/disable_ipv6; done
        ip -6 addr add fd00::1/64 dev eth0 nodad; ip addr add 10.21.0.104/24 dev eth0; ip route add default via 10.21.0.254",
    );
    assert!(output.status.success(), "{}", shell::said(&output));
}

/// What is listed as not able to run here really is not.
fn cannot_run(host: &Host) {
    for (call, why) in CANNOT.iter().filter(|(call, _)| *call != "hto-mapfuncs") {
        let output = host.run(&format!("timeout 30 /etc/ha.d/packaged/{call} start"));
        assert!(!output.status.success(), "{call} starts here, and the list says: {why}");
    }
}

/// What a script answered: words on standard output, and the exit code.
type Answers = BTreeMap<String, String>;

/// Start of the daemon, status by hand, stop: the answers, by `SCRIPT VERB`.
fn life(pair: &Pair, name: &str, chosen: &[&Script]) -> Answers {
    let host = pair.host(name);
    let ours = name == "beta";
    let manager = |words: &str| {
        let program = if ours {
            host.dir.join("bin/ResourceManager")
        } else {
            PathBuf::from("/usr/share/heartbeat/ResourceManager")
        };
        host.run(&format!("{} {words}", program.display()));
    };
    let daemon = if ours { host.dir.join("bin/heartbeat").display().to_string() } else { host.program("heartbeat") };
    let mut answers = Answers::new();

    let output = host.run(&daemon);
    assert!(output.status.success(), "{name}: {}", shell::said(&output));
    wait_until(&format!("all started on {name}"), 180.0, || started(host) >= words_of(chosen).count());
    for script in chosen.iter().filter(|script| !script.announces.is_empty()) {
        let told = || pair.tap.announcements(name, script.announces) > 0;
        wait_until(&format!("{name} to announce {}", script.announces), 30.0, told);
        answers.insert(format!("{} gratuitous ARP", script.line), "sent".to_owned());
    }
    for script in chosen.iter().filter(|script| !script.effect.is_empty()) {
        let shown = String::from_utf8_lossy(&host.run(script.effect).stdout).trim().to_owned();
        answers.insert(format!("{} effect", script.line), format!("`{shown}`"));
    }
    collect(host, "", &mut answers);
    words_of(chosen).for_each(|word| manager(&format!("status {word}")));
    collect(host, " (started)", &mut answers);

    let stopped = host.run(&format!("{daemon} -k"));
    assert!(stopped.status.success(), "{name}: {}", shell::said(&stopped));
    collect(host, "", &mut answers);
    words_of(chosen).for_each(|word| manager(&format!("status {word}")));
    collect(host, " (at the end)", &mut answers);
    for script in chosen.iter().filter(|script| !script.effect.is_empty()) {
        let left = String::from_utf8_lossy(&host.run(script.effect).stdout).trim().to_owned();
        if !left.is_empty() {
            answers.insert(format!("{} left behind", script.line), format!("`{left}`"));
        }
    }
    answers
}

fn words_of<'a>(chosen: &'a [&Script]) -> impl Iterator<Item = &'static str> + 'a {
    chosen.iter().flat_map(|script| script.line.split(' '))
}

fn ended(host: &Host) -> Vec<PathBuf> {
    let calls = fs::read_dir(host.dir.join("calls")).expect("files of our own").flatten().map(|entry| entry.path());
    let mut calls: Vec<PathBuf> = calls.filter(|path| path.extension().is_some_and(|end| end == "done")).collect();
    calls.sort();
    calls
}

fn started(host: &Host) -> usize {
    let is_start = |path: &PathBuf| {
        fs::read_to_string(path).unwrap_or_default().lines().next().is_some_and(|call| call.ends_with(" start"))
    };
    ended(host).iter().filter(|path| is_start(path)).count()
}

/// Takes in what was answered since the last time; of calls that were made twice the first counts.
fn collect(host: &Host, note: &str, answers: &mut Answers) {
    for path in ended(host) {
        let text = fs::read_to_string(&path).expect("a file of our own");
        let mut lines = text.lines();
        let mut next = || lines.next().unwrap_or_default().to_owned();
        let (call, code, language, helpers) = (next(), next(), next(), next());
        assert_eq!((language.as_str(), helpers.as_str()), ("C", "/usr/libexec/heartbeat"), "{} {call}", host.name);
        let words: Vec<String> = lines.map(|line| format!("`{}`", line.trim())).filter(|line| line != "``").collect();
        let words = if words.is_empty() { "nothing".to_owned() } else { words.join(", ") };
        let note = if call.ends_with(" status") { note } else { "" };
        answers.entry(format!("{call}{note}")).or_insert(format!("{words} [{code}]"));
        fs::remove_file(path).expect("a file of our own");
    }
}

fn table(lives: &[Answers; 2], known: &str) -> String {
    let mut text = HEAD.to_owned();
    let mut rows: BTreeMap<(usize, usize), String> = BTreeMap::new();
    let order = [
        " status",
        " start",
        " effect",
        " gratuitous ARP",
        " status (started)",
        " stop",
        " status (at the end)",
        " left behind",
    ];
    for (n, script) in SCRIPTS.iter().enumerate() {
        let word = script.line.split(' ').next_back().unwrap_or_default();
        let call = if word.contains("::") { word.replace("::", " ") } else { format!("IPaddr {word}") };
        for (k, verb) in order.iter().enumerate() {
            let [theirs, ours] = lives.each_ref().map(|answers| {
                answers.get(&format!("{call}{verb}")).or_else(|| answers.get(&format!("{}{verb}", script.line)))
            });
            let row = match (theirs, ours) {
                (Some(theirs), Some(ours)) if theirs == ours => format!("| `{call}`{verb} | {theirs} | the same |"),
                (None, None) => {
                    let begin = format!("| `{call}`{verb} | ");
                    known
                        .lines()
                        .filter(|_| script.slow)
                        .find(|line| line.starts_with(&begin))
                        .unwrap_or_default()
                        .to_owned()
                }
                (theirs, ours) => {
                    let none = if script.slow && verb.starts_with(" status") { TOO_SLOW } else { "not called" };
                    let shown = |answer: Option<&String>| answer.map_or(none, String::as_str).to_owned();
                    format!("| `{call}`{verb} | {} | {} |", shown(theirs), shown(ours))
                }
            };
            rows.insert((n, k), row);
        }
    }
    for row in rows.values().filter(|row| !row.is_empty()) {
        let _ = writeln!(text, "{row}");
    }
    let notes: Vec<&str> = SCRIPTS.iter().map(|script| script.note).filter(|note| !note.is_empty()).collect();
    let _ = write!(text, "\nStand-ins were there for {}, which only have to end well.\n\n", notes.join(", "));
    text += "## What cannot run on the machine of the test\n\n| call | why |\n| --- | --- |\n";
    for (call, why) in CANNOT {
        let _ = writeln!(text, "| `{call}` | {why} |");
    }
    text
}

/// The one difference that is meant.
const TOO_SLOW: &str = "ended by `script-timeout` after 30 s, before it answers";

const HEAD: &str = "# The old package's resource scripts under both daemons

Debian 12's `/etc/ha.d/resource.d` (heartbeat 3.0.6, resource-agents 4.12), its files untouched, on two hosts that do not
hear each other: one runs the original daemon, one this one. Each script is asked, started, asked, stopped and asked. The
words on standard output and, in brackets, the exit code; whether it did its work; whether neighbours were told.
`tests/live/resource_scripts.rs` makes this page and fails where the two differ.

| call | under heartbeat 3.0.6 | under latido |
| --- | --- | --- |
";

/// An init script that speaks the language it is told to, as many of a Spanish system do.
const SPANISH: &str = r#"#!/bin/sh
case ${LC_ALL:-${LC_MESSAGES:-$LANG}} in es*) up="en ejecución" down=parado ;; *) up=running down=stopped ;; esac
state=@DIR@/state/correo
case $1 in
start) echo "$LC_ALL|$LANG|$LANGUAGE" >"$state" ;;
stop) rm -f "$state" ;;
status) echo "$LC_ALL|$LANG|$LANGUAGE" >>@DIR@/asked; if [ -e "$state" ]; then echo "correo: $up"; else echo "correo: $down"; fi ;;
esac
"#;

/// Whoever starts the daemon speaks Spanish; the status of its scripts is understood all the same. A program that runs
/// beside the daemon is left its language.
fn scripts_speak_english_under_both() {
    const LANGUAGE: &str = "LANG=es_ES.UTF-8 LANGUAGE=es:de LC_MESSAGES=es_ES";
    let pair = apart();
    for name in NAMES {
        let host = pair.host(name);
        let text = SPANISH.replace("@DIR@", &host.dir.display().to_string());
        program(&host.dir.join("ha.d/resource.d/correo"), &text);
        program(
            &host.dir.join("client"),
            &format!(
                "#!/bin/sh\necho \"$LANG|$LANGUAGE|$LC_MESSAGES|$LC_ALL\" >{0}/client.new\nmv {0}/client.new {0}/client.said\nexec sleep 1000\n",
                host.dir.display()
            ),
        );
        host.add_to_ha_cf(&format!("respawn root {}/client\n", host.dir.display()));
        fs::write(host.dir.join("ha.d/haresources"), format!("{name} correo\n")).expect("haresources");
        // It runs already: who understands its status does not start it again.
        fs::write(host.dir.join("state/correo"), "before\n").expect("a file of our own");
        let ours = name == "beta";
        let daemon =
            if ours { host.dir.join("bin/heartbeat").display().to_string() } else { host.program("heartbeat") };
        let output = host.run(&format!("{LANGUAGE} {daemon}"));
        assert!(output.status.success(), "{name}: {}", shell::said(&output));
    }
    for name in NAMES {
        let host = pair.host(name);
        let read = |file: &str| fs::read_to_string(host.dir.join(file)).unwrap_or_default();
        wait_until(&format!("the status on {name} to be asked"), 60.0, || !read("asked").is_empty());
        assert_eq!(read("asked").lines().find(|line| *line != "C||"), None, "{name}");
        wait_until(&format!("the client on {name}"), 60.0, || !read("client.said").is_empty());
        assert_eq!(read("client.said").trim(), "es_ES.UTF-8|es:de|es_ES|", "{name}");
        pair.stable(name, 60.0);
        assert_eq!(read("state/correo"), "before\n", "{name} started what runs");
    }
}

/// The package's own scripts, with its helpers and without them.
fn helpers_that_the_packages_scripts_will_not_find_are_named_and_those_they_find_are_not() {
    let groups = "alpha 10.21.0.100 IPaddr2::10.21.0.101/24/eth0 SendArp::10.21.0.1/eth0\n";
    let pair = Pair::new(&Plan::new(Real, Real).resources(groups));
    let host = pair.host("alpha");
    let says = |words: &str| {
        let output = host.run(&format!("{}/bin/latido {words}", host.dir.display()));
        shell::said(&output)
    };
    for words in ["check", "doctor"] {
        let said = says(words);
        assert!(!said.contains(" needs "), "{said}");
    }
    assert!(host.run("mount -t tmpfs x /usr/libexec/heartbeat").status.success());
    let lacks = [
        "/etc/ha.d/resource.d/IPaddr needs findif, which is in none of /usr/libexec/heartbeat, ",
        "/etc/ha.d/resource.d/IPaddr needs send_arp, which is in none of ",
        "/etc/ha.d/resource.d/IPaddr2 needs send_arp, which is in none of ",
        "/etc/ha.d/resource.d/SendArp needs send_arp, which is in none of ",
    ];
    for words in ["check", "doctor"] {
        let said = says(words);
        for lack in lacks {
            assert!(said.contains(lack), "{words} does not say: {lack}\n{said}");
        }
    }
    assert!(says("doctor").contains("FAIL  scripts     /etc/ha.d/resource.d/IPaddr needs findif"));
}
