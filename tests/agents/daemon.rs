//! The agents as a node runs them: a group of nothing but built-in ones comes up, is held busy, and is let go.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::bench::on_a_bench;
use super::surroundings::Sleeper;
use super::tap::now;

const LATIDO: &str = env!("CARGO_BIN_EXE_latido");

fn run(line: &str) {
    let mut words = line.split(' ');
    assert!(Command::new(words.next().unwrap()).args(words).status().unwrap().success(), "{line}");
}

/// A node without a peer; everything of it lies in its directory.
struct Node<'a> {
    dir: &'a Path,
    daemon: Child,
}

impl Node<'_> {
    fn start<'a>(dir: &'a Path, group: &str) -> Node<'a> {
        let write = |name: &str, text: &str| fs::write(dir.join(name), text).unwrap();
        let log = dir.join("log");
        let times = "keepalive 100ms\ndeadtime 1\nwarntime 500ms\ninitdead 2\n";
        write("ha.cf", &format!("logfile {}\n{times}bcast eth0\nnode alpha\nnode beta\n", log.display()));
        write("nodeinfo", "alpha\n");
        write("haresources", &format!("alpha {group}\n"));
        write("authkeys", "auth 1\n1 sha1 of-no-worth\n");
        write("latido.cf", "script-timeout stop 10\n");
        fs::set_permissions(dir.join("authkeys"), fs::Permissions::from_mode(0o600)).unwrap();
        fs::set_permissions(dir, fs::Permissions::from_mode(0o755)).unwrap();
        let mut command = Command::new(LATIDO);
        let said = fs::File::create(dir.join("said")).unwrap();
        command.args(["daemon", "-d"]).arg(dir).stdin(Stdio::null()).stdout(Stdio::null()).stderr(said);
        Node { dir, daemon: command.spawn().unwrap() }
    }

    fn log(&self) -> String {
        ["said", "log"].map(|name| fs::read_to_string(self.dir.join(name)).unwrap_or_default()).concat()
    }

    #[allow(clippy::disallowed_methods, reason = "a log is looked at again and again")]
    fn await_log(&self, text: &str) {
        let begun = now();
        while !self.log().contains(text) {
            assert!(begun.elapsed() < Duration::from_secs(20), "no \"{text}\" in\n{}", self.log());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Asks it to leave, and waits until it has.
    fn stop(&mut self) {
        kill(Pid::from_raw(self.daemon.id().cast_signed()), Signal::SIGTERM).unwrap();
        assert!(self.daemon.wait().unwrap().success(), "{}", self.log());
    }
}

impl Drop for Node<'_> {
    fn drop(&mut self) {
        let _ = self.daemon.kill();
        let _ = self.daemon.wait();
    }
}

#[test]
fn a_group_of_built_in_agents_is_held_and_let_go_although_somebody_keeps_it_busy() {
    on_a_bench("daemon::a_group_of_built_in_agents_is_held_and_let_go_although_somebody_keeps_it_busy", || {
        run("ip link set lo up");
        run("ip link add eth0 type veth peer name eth1");
        for interface in ["all", "default", "eth0", "eth1"] {
            fs::write(format!("/proc/sys/net/ipv6/conf/{interface}/disable_ipv6"), "0").unwrap();
        }
        run("ip link set eth0 up");
        run("ip link set eth1 up");
        run("ip addr add 10.9.1.1/24 brd + dev eth0");
        let keep = tempfile::tempdir().unwrap();
        let dir = keep.path().canonicalize().unwrap();
        let data = dir.join("data");
        let group = format!(
            "Delay::0::0 Filesystem::tmpfs::{}::tmpfs 10.9.1.100 IPaddr2::10.9.1.101/24/eth0 IPv6addr::fd00::5/64/eth0 \
             SendArp::10.9.1.1/eth0 MailTo::root",
            data.display()
        );
        let shown = || {
            let output = Command::new("ip").args(["addr", "show", "dev", "eth0"]).output().unwrap();
            let addresses = String::from_utf8_lossy(&output.stdout).into_owned();
            ["10.9.1.100/24", "10.9.1.101/24", "fd00::5/64"].map(|address| addresses.contains(address))
        };
        let mounted = || fs::read_to_string("/proc/self/mounts").unwrap().contains(data.to_str().unwrap());

        let mut node = Node::start(&dir, &group);
        node.await_log("resource group Delay::0::0 is up");
        assert_eq!((shown(), mounted()), ([true; 3], true), "{}", node.log());
        let mut obeys = Sleeper::new(&data, ":");
        let mut ignores = Sleeper::new(&dir, &format!("trap '' TERM; exec 7>{}/open", data.display()));
        let begun = now();
        node.stop();
        eprintln!("let go of, with a holder that ignores TERM and script-timeout 10 s, after {:?}", begun.elapsed());
        assert_eq!((shown(), mounted()), ([false; 3], false), "{}", node.log());
        assert!(!obeys.lives() && !ignores.lives());
        let log = node.log();
        for line in [
            format!("sending signal TERM to: {} sh", obeys.pid()),
            format!("sending signal KILL to: {} sh", ignores.pid()),
            format!("unmounted {} successfully", data.display()),
        ] {
            assert!(log.contains(&line), "{line}\n{log}");
        }
        assert!(!log.contains("Retrying failed stop"), "{log}");
    });
}
