//! Two hosts on a cable: network namespaces joined by a veth pair, both reachable from the test's one thread.
//!
//! A namespace goes when the last descriptor and thread in it go, so there is nothing to clean up.

use std::fs::{self, File};
use std::os::fd::AsRawFd;
use std::panic::resume_unwind;
use std::process::{Command, Stdio};
use std::thread;

use nix::sched::{CloneFlags, setns, unshare};

use crate::steady::on_a_steady_machine;

/// Two hosts. Each has `lo`, and `eth0` with 10.9.1.1 and fd00::1, or 10.9.1.2 and fd00::2.
pub(crate) struct Net {
    hosts: [File; 2],
}

/// Runs a test that needs network namespaces: in a thread of its own as root, else in a copy of this program that a user
/// namespace makes root. `name` is the test's full name.
pub(crate) fn with_net(name: &str, body: impl Fn(Net) + Send + Sync + 'static) {
    if nix::unistd::geteuid().is_root() {
        on_a_steady_machine(|| {
            let ended = thread::scope(|scope| scope.spawn(|| Net::new().map(&body)).join());
            match ended {
                Ok(Ok(())) => {}
                Ok(Err(error)) => skip(name, &error),
                Err(failure) => resume_unwind(failure),
            }
        });
    } else if unprivileged().args(["true"]).stderr(Stdio::null()).status().is_ok_and(|status| status.success()) {
        let program = std::env::current_exe().unwrap();
        let status = unprivileged().arg(program).args(["--exact", name, "--nocapture"]).status().unwrap();
        assert!(status.success());
    } else {
        skip(name, "this kernel gives ordinary users no namespaces");
    }
}

fn unprivileged() -> Command {
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "--net", "--"]);
    command
}

fn skip(name: &str, why: &str) {
    eprintln!("SKIPPED {name}: {why}");
}

impl Net {
    fn new() -> Result<Net, String> {
        let hosts = [Net::host()?, Net::host()?];
        let net = Net { hosts };
        net.on(0, || ip("link set lo up"));
        net.on(1, || ip("link set lo up"));
        net.plug_in();
        Ok(net)
    }

    fn host() -> Result<File, String> {
        unshare(CloneFlags::CLONE_NEWNET).map_err(|error| format!("no network namespace: {error}"))?;
        // Otherwise IPv6 waits a second for somebody else to claim an address.
        fs::write("/proc/sys/net/ipv6/conf/default/accept_dad", "0").map_err(|error| error.to_string())?;
        File::open("/proc/thread-self/ns/net").map_err(|error| error.to_string())
    }

    /// Does something on one of the hosts.
    pub(crate) fn on<T>(&self, host: usize, action: impl FnOnce() -> T) -> T {
        setns(&self.hosts[host], CloneFlags::CLONE_NEWNET).unwrap();
        action()
    }

    /// Joins the hosts with a new cable and gives both ends their addresses.
    pub(crate) fn plug_in(&self) {
        let far = format!("/proc/{}/fd/{}", std::process::id(), self.hosts[1].as_raw_fd());
        self.on(0, || ip(&format!("link add eth0 type veth peer name eth0 netns {far}")));
        for host in 0..2 {
            self.on(host, || {
                ip(&format!("addr add 10.9.1.{}/24 brd + dev eth0", host + 1));
                ip(&format!("addr add fd00::{}/64 dev eth0 nodad", host + 1));
                ip("link set eth0 up");
            });
        }
    }
}

/// Runs `ip` where this thread is.
pub(crate) fn ip(arguments: &str) {
    let status = Command::new("ip").args(arguments.split(' ')).status().expect("ip, of the package iproute2");
    assert!(status.success(), "ip {arguments}");
}
