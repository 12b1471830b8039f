//! Faults of a null-modem cable, on pseudo-terminals.

use std::fs::OpenOptions;
use std::io::{Read as _, Write as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::PathBuf;
use std::thread;

use latido::lab::cable::NullModem;
use nix::poll::{PollFd, PollFlags, poll};
use nix::pty::openpty;
use nix::unistd::ttyname;

use crate::steady::on_a_steady_machine;

use super::support::{Findings, Node, heartbeat};

/// A node with this serial port.
fn node(device: &std::path::Path, baud: u32, keepalive: &str) -> Node {
    let node = Node::new();
    node.ha_cf(&format!("keepalive {keepalive}\nbaud {baud}\nserial {}\n", device.display()));
    node
}

fn test(node: &Node) -> Findings {
    node.examine(&["--line", "--wait", "3"])
}

/// A port whose far end does with each piece of bytes what `far` does, until it is closed.
fn port(mut far: impl FnMut(&mut [u8]) + Send + 'static) -> (PathBuf, impl Drop) {
    struct Closed(Option<OwnedFd>, Option<thread::JoinHandle<()>>);
    impl Drop for Closed {
        fn drop(&mut self) {
            drop(self.0.take());
            let _ = self.1.take().unwrap().join();
        }
    }
    let pair = openpty(None, None).unwrap();
    let path = ttyname(&pair.slave).unwrap();
    let (end, ended) = std::io::pipe().map(|(end, ended)| (OwnedFd::from(ended), end)).unwrap();
    let mut master = std::fs::File::from(pair.master);
    // The slave stays open, so that the port does not hang up between two users.
    let slave = pair.slave;
    let thread = thread::spawn(move || {
        let _slave = slave;
        let mut buffer = [0; 512];
        loop {
            let mut fds =
                [PollFd::new(master.as_fd(), PollFlags::POLLIN), PollFd::new(ended.as_fd(), PollFlags::POLLIN)];
            poll(&mut fds, 5000_u16).unwrap();
            if fds[1].revents().is_some_and(|events| !events.is_empty()) {
                return;
            }
            let count = master.read(&mut buffer).unwrap_or(0);
            far(&mut buffer[..count]);
            let _ = master.write_all(&buffer[..count]);
        }
    });
    (path, Closed(Some(end), Some(thread)))
}

#[test]
fn a_loop_is_recognised_and_measured() {
    let (path, _far) = port(|_| {});
    let found = test(&node(&path, 19200, "1"));
    found.assert("pass", "line", "a loop: what was sent comes back");
    found.assert("pass", "line", "a keepalive of 214 ms and longer");
}

#[test]
fn two_doctors_test_the_cable_between_them() {
    on_a_steady_machine(|| {
        let cable = NullModem::lay(19200).unwrap();
        let nodes = [0, 1].map(|end| node(cable.port(end), 19200, "1"));
        let found = thread::scope(|scope| {
            nodes.each_ref().map(|node| scope.spawn(|| test(node))).map(|running| running.join().unwrap())
        });
        for found in &found {
            found.assert("pass", "line", "the other node's test is heard");
            found.assert("pass", "line", "bytes/s: a keepalive of 2");
            found.assert_no_trouble("line");
        }
    });
}

#[test]
fn a_cable_that_is_not_plugged_in_is_found() {
    let cable = NullModem::lay(19200).unwrap();
    cable.set_cut(true);
    test(&node(cable.port(0), 19200, "1")).assert("fail", "line", "nothing comes back");
}

#[test]
fn a_line_that_garbles_is_found() {
    let mut since = 0_usize;
    let (path, _far) = port(move |bytes| {
        for byte in bytes {
            since += 1;
            if since.is_multiple_of(500) {
                *byte ^= 0x15;
            }
        }
    });
    test(&node(&path, 19200, "1")).assert("fail", "line", "came garbled");
}

#[test]
fn a_line_too_slow_for_the_keepalive_is_found() {
    on_a_steady_machine(|| {
        let cable = NullModem::lay(9600).unwrap();
        let nodes = [0, 1].map(|end| node(cable.port(end), 9600, "200ms"));
        let found = thread::scope(|scope| {
            nodes.each_ref().map(|node| scope.spawn(|| test(node))).map(|running| running.join().unwrap())
        });
        found[0].assert("fail", "line", "a keepalive of 4");
    });
}

#[test]
fn a_daemon_at_the_far_end_is_heard_and_nothing_is_sent_into_its_ears() {
    let cable = NullModem::lay(115_200).unwrap();
    let node = node(cable.port(0), 115_200, "200ms");
    let found = beside_a_daemon(&cable, || test(&node));
    found.assert("pass", "line", "a heartbeat daemon at the far end is heard");
    assert_eq!(cable.carried()[1], 0, "not a byte reached the far end");
}

/// Examines while heartbeats of beta come in at the far end of a cable.
fn beside_a_daemon(cable: &NullModem, examine: impl FnOnce() -> Findings) -> Findings {
    let mut far = OpenOptions::new().read(true).write(true).open(cable.port(1)).unwrap();
    let (stop, stopped) = std::sync::mpsc::channel::<()>();
    let message = heartbeat("beta", "4b1d0a9cf2c34a6e8d0577b2c0a6ad90");
    let speaker = thread::spawn(move || {
        while stopped.recv_timeout(std::time::Duration::from_millis(100)).is_err() {
            far.write_all(&message).unwrap();
        }
    });
    let found = examine();
    stop.send(()).unwrap();
    speaker.join().unwrap();
    found
}

#[test]
fn without_a_daemon_here_heartbeats_are_heard_on_the_line() {
    let cable = NullModem::lay(19200).unwrap();
    let node = node(cable.port(0), 19200, "500ms");
    let found = beside_a_daemon(&cable, || node.examine(&[]));
    found.assert("pass", "link", "heard beta");
    assert!(found.mentions("/dev/pts/"));
}

#[test]
fn a_port_somebody_else_uses_is_named_with_its_user() {
    let cable = NullModem::lay(19200).unwrap();
    let node = node(cable.port(0), 19200, "1");
    let name = cable.port(0).to_str().unwrap().replace("/dev/", "").replace('/', "");
    node.write(&format!("var/lock/LCK..{name}"), &format!("{:>10}\n", std::process::id()), 0o644);
    test(&node).assert("fail", "line", "in use by pid");
}
