//! The table in `docs/agents.md`: what Debian's scripts and ours say to the same calls, taken by running both on a bench.
//! `UPDATE_EXPECTED=1` rewrites it and asks Debian's slow scripts, too; without them their column stays as it is.
//! `LATIDO_DRBDDISK` names Debian's `drbddisk` where it is not installed.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::bench::on_a_bench;
use super::called::{Said, ended};

const LATIDO: &str = env!("CARGO_BIN_EXE_latido");
const BEGIN: &str = "<!-- begin: tests/agents/table.rs -->\n";
const END: &str = "<!-- end -->\n";
const ALL: [&str; 7] = ["status", "start", "start", "status", "stop", "stop", "status"];

/// A call and whether Debian's script takes seconds for it.
struct Row {
    call: String,
    slow: bool,
}

/// Differences that are meant, by the call they appear at.
const MEANT: [(&str, &str); 8] = [
    ("SendArp 10.9.1.1/eth0 status", "in words"),
    ("SendArp 10.9.1.1/eth0 status (at the end)", "in words"),
    ("IPsrcaddr 10.9.1.103 stop (again)", "a stop of what is stopped must succeed, else the machine is rebooted"),
    ("IPaddr 10.9.1.5 monitor", "a word nobody sends; Debian's script breaks on it"),
    ("IPv6addr zz stop", "what cannot have been started is stopped"),
    ("MailTo start", "a mail that cannot be sent keeps no service down"),
    ("MailTo stop", "a mail that cannot be sent reboots no machine"),
    ("drbddisk r0 status (DRBD 9, two volumes, Primary)", "several lines are read: all volumes are primary"),
];

#[test]
fn the_table_in_the_manual_says_what_both_say() {
    on_a_bench("table::the_table_in_the_manual_says_what_both_say", || {
        let manual = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/agents.md");
        let text = fs::read_to_string(&manual).unwrap();
        let (head, rest) = text.split_once(BEGIN).expect("the beginning of the table");
        let (before, tail) = rest.split_once(END).expect("the end of the table");
        let update = std::env::var_os("UPDATE_EXPECTED").is_some();
        let bench = Bench::new();
        let mut table = Table { known: known(before), update, lines: Vec::new(), undecided: Vec::new() };
        bench.addresses(&mut table);
        bench.routes(&mut table);
        bench.disks(&mut table);
        bench.others(&mut table);
        assert!(table.undecided.is_empty(), "differences without a reason: {:#?}", table.undecided);
        let found = table.text();
        if update {
            fs::write(&manual, format!("{head}{BEGIN}{found}{END}{tail}")).unwrap();
        } else {
            assert_eq!(before, found, "docs/agents.md; UPDATE_EXPECTED=1 rewrites it");
        }
    });
}

/// Debian's column of the table as it stands.
fn known(table: &str) -> BTreeMap<String, String> {
    let cells = |line: &str| line.split('|').map(|cell| cell.trim().to_owned()).collect::<Vec<_>>();
    table.lines().map(cells).filter(|cells| cells.len() > 3).map(|cells| (cells[1].clone(), cells[2].clone())).collect()
}

struct Table {
    known: BTreeMap<String, String>,
    update: bool,
    lines: Vec<String>,
    undecided: Vec<String>,
}

impl Table {
    fn add(&mut self, call: &str, debian: Option<String>, ours: &str) {
        let shown = format!("`{call}`");
        let debian = debian.or_else(|| self.known.get(&shown).cloned()).unwrap_or_else(|| "not asked".to_owned());
        let meant = MEANT.iter().find(|(meant, _)| *meant == call).map(|(_, why)| *why);
        let same = debian == ours || debian == "not asked";
        if !same && meant.is_none() {
            self.undecided.push(format!("{call}: {debian} and {ours}"));
        }
        let ours = if same { "the same".to_owned() } else { format!("{ours}: {}", meant.unwrap_or_default()) };
        self.lines.push(format!("| {shown} | {debian} | {ours} |\n"));
    }

    fn text(&self) -> String {
        format!("| call | Debian's script | ours |\n| --- | --- | --- |\n{}", self.lines.concat())
    }
}

/// Interfaces, stand-ins and directories for both.
struct Bench {
    dir: PathBuf,
    _keep: tempfile::TempDir,
}

impl Bench {
    fn new() -> Bench {
        let keep = tempfile::tempdir().unwrap();
        let dir = keep.path().canonicalize().unwrap();
        let bench = Bench { dir, _keep: keep };
        run("mount -t tmpfs run /run");
        for made in ["/run/resource-agents", "/run/heartbeat/rsctmp"] {
            fs::create_dir_all(made).unwrap();
        }
        for which in ["all", "default", "lo"] {
            fs::write(format!("/proc/sys/net/ipv6/conf/{which}/disable_ipv6"), "0").unwrap();
        }
        run("ip link set lo up");
        run("ip link add eth0 type veth peer name eth1");
        for interface in ["eth0", "eth1"] {
            run(&format!("ip link set {interface} up"));
        }
        run("ip addr add 10.9.1.1/24 brd + dev eth0");
        run("ip -6 addr add fd00::1/64 dev eth0 nodad");
        fs::create_dir_all(bench.dir.join("bin")).unwrap();
        bench.program("bin/modprobe", "exit 0");
        bench.program("bin/mail", "cat >/dev/null");
        bench
    }

    fn program(&self, name: &str, body: &str) {
        let path = self.dir.join(name);
        fs::write(&path, format!("#!/bin/sh\n{body}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn path(&self) -> String {
        format!("{}:/usr/sbin:/usr/bin:/sbin:/bin", self.dir.join("bin").display())
    }

    fn debian(&self, words: &[&str]) -> Option<String> {
        let installed = PathBuf::from("/etc/ha.d/resource.d").join(words[0]);
        let named = (words[0] == "drbddisk").then(|| std::env::var_os("LATIDO_DRBDDISK").map(PathBuf::from)).flatten();
        let script = named.unwrap_or(installed);
        // What is ours is no witness, nor is another version than that of the manual.
        let version = fs::read_to_string("/etc/debian_version").unwrap_or_default();
        if !version.starts_with("12")
            || !script.exists()
            || script.canonicalize().ok() == Path::new(LATIDO).canonicalize().ok()
        {
            return None;
        }
        let mut command = Command::new(script);
        command.args(&words[1..]).env("PATH", self.path());
        Some(cell(&ended(command)))
    }

    fn ours(&self, words: &[&str]) -> String {
        let mut command = Command::new(LATIDO);
        command.arg("agent").args(words).env("PATH", self.path()).env("HA_RSCTMP", self.dir.join("notes"));
        cell(&ended(command))
    }

    /// The same calls in the same order, to Debian's script first; `slow` ones only when the table is rewritten.
    fn compare(&self, table: &mut Table, resource: &str, verbs: &[&str], slow: bool, note: &str) {
        let rows: Vec<Row> = verbs.iter().map(|verb| Row { call: format!("{resource} {verb}"), slow }).collect();
        let shown = |call: &str| call.replace(self.dir.to_str().unwrap(), "");
        let asked: Vec<Option<String>> = rows
            .iter()
            .map(|row| if row.slow && !table.update { None } else { self.debian(&words(&row.call)) })
            .collect();
        let mut seen: Vec<&str> = Vec::new();
        for (row, debian) in rows.iter().zip(asked) {
            let again = match seen.iter().filter(|call| **call == row.call).count() {
                0 => "",
                _ if row.call.ends_with("status") && seen.len() > 4 => " (at the end)",
                _ if row.call.ends_with("status") => " (started)",
                _ => " (again)",
            };
            seen.push(&row.call);
            let ours = self.ours(&words(&row.call));
            table.add(&format!("{}{again}{note}", shown(&row.call)), debian, &ours);
        }
    }

    fn addresses(&self, table: &mut Table) {
        for resource in ["IPaddr 10.9.1.100", "IPaddr2 10.9.1.101", "IPaddr2 10.9.1.102/24/eth0:web"] {
            self.compare(table, resource, &ALL, false, "");
        }
        self.compare(table, "IPv6addr fd00::100/64/eth0", &ALL, true, "");
        self.compare(table, "SendArp 10.9.1.1/eth0", &ALL, false, "");
        self.compare(table, "SendArp 10.9.1.1/24/eth0", &["start", "status", "stop"], false, "");
        self.compare(table, "SendArp 10.9.1.1/eth7", &["start", "status", "stop"], false, "");
        for argument in ["10.9.1.5/eth0", "10.9.1.300"] {
            for name in ["IPaddr", "IPaddr2"] {
                self.compare(table, &format!("{name} {argument}"), &["start", "status", "stop"], false, "");
            }
        }
        for argument in ["10.9.1.5/33/eth0", "10.9.1.5/24/eth9", "10.99.1.5"] {
            for name in ["IPaddr", "IPaddr2"] {
                self.compare(table, &format!("{name} {argument}"), &["start"], false, "");
            }
        }
        self.compare(table, "IPaddr", &["start"], false, "");
        self.compare(table, "IPaddr 10.9.1.5", &["bogus", "monitor"], false, "");
        self.compare(table, "IPv6addr zz", &["start", "status", "stop"], false, "");
        self.compare(table, "IPv6addr", &["start"], false, "");
    }

    fn routes(&self, table: &mut Table) {
        run("ip addr add 10.9.1.103/24 dev eth0");
        run("ip route add default via 10.9.1.2");
        self.compare(table, "IPsrcaddr 10.9.1.103", &ALL, false, "");
        self.compare(table, "IPsrcaddr 10.9.1.200", &["start", "status"], false, " (not here)");
        run("ip route del default");
        self.compare(table, "IPsrcaddr 10.9.1.103", &["start"], false, " (no default route)");
    }

    fn disks(&self, table: &mut Table) {
        let data = self.dir.join("data");
        let show = data.display();
        self.compare(table, &format!("Filesystem tmpfs {show} tmpfs"), &ALL, false, "");
        let missing = format!("Filesystem /dev/nothere {show} ext4");
        self.compare(table, &missing, &["start", "status", "stop"], false, "");
        fs::create_dir_all(data.join("sub")).unwrap();
        run(&format!("mount -t tmpfs sub {show}/sub"));
        self.compare(table, &format!("Filesystem tmpfs {show} tmpfs"), &["start"], false, " (mounted below)");
        run(&format!("umount {show}/sub"));
        self.compare(table, "Filesystem /dev/nothere", &["start"], false, "");
    }

    fn others(&self, table: &mut Table) {
        self.compare(table, "MailTo root Lab", &ALL, false, "");
        self.compare(table, "MailTo", &["start", "stop"], false, "");
        self.compare(table, "Delay 0 0", &ALL, true, "");
        // Debian's script calls /sbin/drbdadm.
        fs::create_dir_all(self.dir.join("sbin")).unwrap();
        self.program("sbin/drbdadm", &format!("[ $1 = role ] && cat {}/role; exit 0", self.dir.display()));
        fs::copy(self.dir.join("sbin/drbdadm"), self.dir.join("bin/drbdadm")).unwrap();
        let lower = format!("lowerdir={}:/usr/sbin", self.dir.join("sbin").display());
        let laid =
            Command::new("mount").args(["-t", "overlay", "overlay", "-o", &lower, "/usr/sbin"]).status().unwrap();
        let role = |role: &str| fs::write(self.dir.join("role"), role).unwrap();
        let slow = !laid.success();
        let cases = [
            ("Primary/Secondary\n", " (DRBD 8, Primary)"),
            ("Secondary/Primary\n", " (DRBD 8, Secondary)"),
            ("Primary\n", " (DRBD 9, Primary)"),
            ("Secondary\n", " (DRBD 9, Secondary)"),
            ("Primary\nPrimary\n", " (DRBD 9, two volumes, Primary)"),
            ("Unconfigured\n", " (Unconfigured)"),
        ];
        for (said, note) in cases {
            role(said);
            self.compare(table, "drbddisk r0", &["status"], slow, note);
        }
        self.compare(table, "drbddisk r0", &["start", "stop"], slow, "");
        self.compare(table, "drbddisk", &["status"], slow, "");
    }
}

fn words(call: &str) -> Vec<&str> {
    call.split(' ').collect()
}

/// Words and code: `INFO:  Success` [0]. A usage line is a usage line.
fn cell(said: &Said) -> String {
    let lines: Vec<&str> = said.words.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let is_usage = |line: &&str| line.to_lowercase().starts_with("usage") || line.contains("has to be given");
    let mut kept: Vec<String> = lines.iter().filter(|line| !is_usage(line)).map(|line| format!("`{line}`")).collect();
    if kept.is_empty() {
        let usage = lines.iter().any(is_usage) || said.why.to_lowercase().starts_with("usage");
        kept.push(if usage { "usage" } else { "nothing" }.to_owned());
    }
    format!("{} [{}]", kept.join(", "), said.code)
}

fn run(line: &str) {
    let mut words = line.split(' ');
    let status = Command::new(words.next().unwrap()).args(words).status().unwrap();
    assert!(status.success(), "{line}");
}
