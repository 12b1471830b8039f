//! Who else calls: a real heartbeat through links in `resource.d`, and Latido a unit of systemd.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

use super::bench::on_a_bench;
use super::called::{Said, ended};
use super::surroundings::is_root_of_the_machine;

const LATIDO: &str = env!("CARGO_BIN_EXE_latido");
const MANAGER: &str = "/usr/share/heartbeat/ResourceManager";

fn run(line: &str) {
    let mut words = line.split(' ');
    assert!(Command::new(words.next().unwrap()).args(words).status().unwrap().success(), "{line}");
}

fn program(path: &Path, body: &str) {
    fs::write(path, format!("#!/bin/sh\n{body}\n")).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn a_real_resource_manager_runs_our_agents_through_links() {
    on_a_bench("callers::a_real_resource_manager_runs_our_agents_through_links", || {
        if !Path::new(MANAGER).exists() || !is_root_of_the_machine() {
            eprintln!("not tested: no {MANAGER}, or not root");
            return;
        }
        let keep = tempfile::tempdir().unwrap();
        let dir = keep.path();
        run("mount -t tmpfs run /run");
        fs::create_dir_all("/run/heartbeat/rsctmp").unwrap();
        run(&format!("cp -a /etc/ha.d {}/ha.d", dir.display()));
        let scripts = dir.join("ha.d/resource.d");
        fs::remove_dir_all(&scripts).unwrap();
        fs::create_dir(&scripts).unwrap();
        let data = dir.join("data");
        for (name, _) in latido::agent::AGENTS {
            symlink(LATIDO, scripts.join(name)).unwrap();
        }
        let group = format!("alpha 10.9.1.100 Filesystem::tmpfs::{}::tmpfs MailTo::root Delay::0::0\n", data.display());
        fs::write(dir.join("ha.d/haresources"), group).unwrap();
        run(&format!("mount --bind {}/ha.d /etc/ha.d", dir.display()));
        run("ip link set lo up");
        run("ip link add eth0 type veth peer name eth1");
        run("ip link set eth0 up");
        run("ip link set eth1 up");
        run("ip addr add 10.9.1.1/24 brd + dev eth0");

        let manager = |verb: &str, word: &str| -> Said {
            let mut command = Command::new(MANAGER);
            command.args([verb, word]).env("HA_CURHOST", "alpha").env("HA_LOGFACILITY", "none");
            ended(command)
        };
        let runs = || ["10.9.1.100", "MailTo::root", "Delay::0::0"].map(|word| manager("status", word).code);
        assert_eq!(runs(), [3, 3, 3]);
        for _ in 0..2 {
            let taken = manager("takegroup", "10.9.1.100");
            assert_eq!((taken.code, runs()), (0, [0, 0, 0]), "{taken:?}");
        }
        assert!(fs::read_to_string("/proc/self/mounts").unwrap().contains(data.to_str().unwrap()));
        for _ in 0..2 {
            let given = manager("givegroup", "10.9.1.100");
            assert_eq!((given.code, runs()), (0, [3, 3, 3]), "{given:?}");
        }
        assert!(!fs::read_to_string("/proc/self/mounts").unwrap().contains(data.to_str().unwrap()));
    });
}

/// `systemctl` of a machine where a unit runs while a file exists; it prints what would mislead a reader of words.
const SYSTEMCTL: &str = r#"echo "$*" >>$D/calls
case $1 in
start) : >$D/runs;;
stop) rm -f $D/runs;;
is-active) [ -e $D/runs ] && { echo active; exit 0; }; echo "inactive; OK: it was running"; exit 3;;
esac"#;

#[test]
fn a_unit_of_systemd_is_a_resource_and_judged_by_exit_code() {
    on_a_bench("callers::a_unit_of_systemd_is_a_resource_and_judged_by_exit_code", || {
        let Some(systemctl) = ["/usr/bin/systemctl", "/bin/systemctl"].into_iter().find(|p| Path::new(p).exists())
        else {
            eprintln!("not tested: no systemctl to stand in for");
            return;
        };
        let keep = tempfile::tempdir().unwrap();
        let dir = keep.path();
        run("ip link set lo up");
        program(&dir.join("systemctl"), &format!("D={}\n{SYSTEMCTL}", dir.display()));
        run(&format!("mount --bind {}/systemctl {systemctl}", dir.display()));
        run("mount -t tmpfs run /run");
        fs::create_dir_all("/run/systemd/system").unwrap();
        fs::write("/run/systemd/system/latido-test.service", "").unwrap();
        let node = dir.join("node");
        fs::create_dir(&node).unwrap();
        fs::write(node.join("ha.cf"), "keepalive 1\ndeadtime 10\nbcast lo\nnode alpha\nnode beta\n").unwrap();
        fs::write(node.join("nodeinfo"), "alpha\n").unwrap();
        fs::write(node.join("haresources"), "alpha latido-test\n").unwrap();
        fs::write(node.join("authkeys"), "auth 1\n1 sha1 of-no-worth\n").unwrap();
        fs::set_permissions(node.join("authkeys"), fs::Permissions::from_mode(0o600)).unwrap();
        let resource = |words: &str| {
            let mut command = Command::new(LATIDO);
            command.args(["resource", "-d"]).arg(&node).args(words.split(' '));
            ended(command)
        };
        let status = || resource("status latido-test");
        assert_eq!(status().code, 3, "{:?}", status());
        let started = resource("start latido-test");
        assert_eq!((started.code, status().code), (0, 0), "{started:?}");
        let stopped = resource("stop latido-test");
        assert_eq!((stopped.code, status().code), (0, 3), "{stopped:?}");
        let calls = fs::read_to_string(dir.join("calls")).unwrap();
        for call in ["is-active latido-test.service\n", "start latido-test.service\n", "stop latido-test.service\n"] {
            assert!(calls.contains(call), "{calls}");
        }
    });
}
