//! Faults of one machine.

use std::fs;
use std::net::UdpSocket;
use std::process::Command;
use std::time::Duration;

use super::support::{Node, heartbeat};

#[test]
fn a_good_node_has_nothing_but_its_daemon_missing() {
    let found = Node::new().examine(&["--run-scripts"]);
    let trouble: Vec<String> = found.trouble();
    // One path, a port of nobody's, no daemon, nobody heard: what a node in a temporary directory cannot have.
    assert_eq!(trouble.len(), 5, "{trouble:#?}");
    for (level, check, part) in [
        ("pass", "name", "this is alpha"),
        ("pass", "authkeys", "key 1 (sha1)"),
        ("pass", "scripts", "resource.d/web"),
        ("pass", "lsb", "web: stopped says so"),
        ("pass", "boot", "nothing"),
        ("pass", "boot", "the daemon is started at boot"),
        ("warn", "daemon", "does not run here"),
        ("fail", "daemon", "none is heard from the other node"),
        ("warn", "files", "any user of this machine may take it"),
        ("warn", "link", "nothing heard"),
    ] {
        found.assert(level, check, part);
    }
}

#[test]
fn a_machine_of_another_name_is_found() {
    let node = Node::new();
    node.write("nodeinfo", "gamma\n", 0o644);
    node.examine(&[]).assert("fail", "name", "this machine is gamma");
    node.write("nodeinfo", "alpha.example.com\n", 0o644);
    let found = node.examine(&[]);
    found.assert("fail", "name", "alpha.example.com");
    assert!(found.mentions("compared with their domain"));
}

#[test]
fn a_mistake_in_a_file_is_found_and_the_rest_is_still_looked_at() {
    let node = Node::new();
    node.ha_cf("deadtme 5\n");
    let found = node.examine(&[]);
    found.assert("fail", "files", "unknown directive");
    found.assert("pass", "name", "this is alpha");
}

#[test]
fn keys_that_others_can_read_are_found() {
    let node = Node::new();
    node.write("authkeys", super::support::KEYS, 0o644);
    node.examine(&[]).assert("fail", "authkeys", "others can read the keys");
}

#[test]
fn a_secret_that_can_be_guessed_is_found_and_never_shown() {
    let node = Node::new();
    for (keys, level, part) in [
        ("auth 1\n1 sha1 k9fQz\n", "fail", "can be guessed"),
        ("auth 1\n1 sha1 k9fQzP4x\n", "warn", "is short"),
        ("auth 1\n1 sha256 k9fQzP4x\n", "warn", "is short"),
        ("auth 1\n1 sha1 secret\n", "warn", "well-known"),
        ("auth 1\n1 crc\n", "warn", "crc"),
    ] {
        node.write("authkeys", keys, 0o600);
        let found = node.examine(&[]);
        found.assert(level, "authkeys", part);
        assert!(!found.mentions("k9fQz"));
        // A remedy that would make it weaker is none.
        assert_eq!(found.mentions("keygen --yes --strong"), keys.contains("sha256"));
    }
}

#[test]
fn a_port_that_another_program_uses_is_found() {
    let node = Node::new();
    let _other = UdpSocket::bind(("0.0.0.0", node.port)).unwrap();
    node.examine(&[]).assert("fail", "port", "ucast");
}

/// Sends heartbeats of `node` to this port until dropped.
struct Speaker(std::sync::mpsc::Sender<()>, Option<std::thread::JoinHandle<()>>);

impl Speaker {
    fn start(node: &str, port: u16, secret: &str) -> Speaker {
        let bytes = heartbeat(node, secret);
        let (stop, stopped) = std::sync::mpsc::channel();
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let thread = std::thread::spawn(move || {
            while stopped.recv_timeout(Duration::from_millis(50)) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
                let _ = socket.send_to(&bytes, ("127.0.0.1", port));
            }
        });
        Speaker(stop, Some(thread))
    }
}

impl Drop for Speaker {
    fn drop(&mut self) {
        let _ = self.0.send(());
        let _ = self.1.take().unwrap().join();
    }
}

#[test]
fn who_speaks_is_heard_without_a_daemon_and_another_key_is_told_from_silence() {
    let node = Node::new();
    {
        let _peer = Speaker::start("beta", node.port, "4b1d0a9cf2c34a6e8d0577b2c0a6ad90");
        let found = node.examine(&[]);
        found.assert("pass", "link", "lo: heard beta");
        found.assert("warn", "clock", "the clock of beta is");
    }
    {
        let _peer = Speaker::start("beta", node.port, "another");
        node.examine(&[]).assert("fail", "link", "none signed with our key");
    }
    let _stranger = Speaker::start("delta", node.port, "4b1d0a9cf2c34a6e8d0577b2c0a6ad90");
    node.examine(&[]).assert("fail", "link", "delta speaks with our key and is no node");
}

#[test]
fn a_script_that_is_missing_or_cannot_be_run_is_found() {
    let node = Node::new();
    node.write("haresources", "alpha web mysqld\n", 0o644);
    let found = node.examine(&[]);
    found.assert("fail", "scripts", "Cannot locate resource script mysqld");
    found.assert("pass", "scripts", "web");
    node.write("resource.d/mysqld", "#!/bin/sh\n", 0o644);
    assert!(node.examine(&[]).mentions("chmod 755"));
}

#[test]
fn a_script_that_will_not_find_its_helper_is_found() {
    let node = Node::new();
    node.write("haresources", "alpha web IPaddr::127.0.0.9/8/lo SendArp::127.0.0.9/lo\n", 0o644);
    node.write("resource.d/IPaddr", "#!/bin/sh\nfindif\n", 0o755);
    node.write("resource.d/SendArp", "#!/bin/sh\nsend_arp\n", 0o755);
    let found = node.examine_as(&[], &[("HA_BIN", "/nowhere")]);
    found.assert("fail", "scripts", "IPaddr needs findif, which is not in /nowhere: the address cannot come up");
    found.assert("warn", "scripts", "SendArp needs send_arp, which is not in /nowhere: the address comes up without");
}

#[test]
fn a_script_that_others_can_change_is_found() {
    let node = Node::new();
    node.write("resource.d/web", "#!/bin/sh\n", 0o757);
    node.examine(&[]).assert("fail", "scripts", "may be written by everybody");
}

#[test]
fn a_script_whose_status_lies_is_found_and_not_stopped() {
    let node = Node::new();
    node.script("web", "exit 0", "echo running");
    node.examine(&["--run-scripts"]).assert("fail", "lsb", "web says it runs");
    assert_eq!(node.called(), "status\n", "what says it runs is left alone");
}

#[test]
fn a_script_that_cannot_stop_twice_is_found() {
    let node = Node::new();
    node.script("web", "exit 1", "echo stopped");
    node.examine(&["--run-scripts"]).assert("fail", "lsb", "stop of what is stopped fails (exit 1)");
    assert_eq!(node.called(), "status\nstop\n");
}

#[test]
fn a_script_whose_status_says_nothing_hangs_or_does_not_know_proves_nothing() {
    for status in [":", "echo stopped; sleep 60", "echo it runs, perhaps; exit 4"] {
        let node = Node::new();
        node.write("latido.cf", "script-timeout status 300ms\n", 0o644);
        node.script("web", "exit 0", status);
        let found = node.examine(&["--run-scripts"]);
        found.assert("warn", "lsb", "web: its status after a stop proves nothing");
        assert!(found.mentions("must end and say stopped"), "{:?}", found.trouble());
    }
    let node = Node::new();
    node.script("web", "exit 0", "echo stopped; exit 3");
    node.examine(&["--run-scripts"]).assert_no_trouble("lsb");
}

#[test]
fn a_script_that_hangs_is_ended_at_its_limit() {
    let node = Node::new();
    node.write("latido.cf", "script-timeout stop 300ms\n", 0o644);
    node.script("web", "sleep 60", "echo stopped");
    node.examine(&["--run-scripts"]).assert("fail", "lsb", "timed out");
}

#[test]
fn no_script_is_run_unless_asked() {
    let node = Node::new();
    node.examine(&[]);
    assert_eq!(node.called(), "");
}

#[test]
fn what_belongs_to_another_daemon_is_left_alone() {
    let node = Node::new();
    node.write("haresources", "alpha 127.0.0.1/8/lo web\n", 0o644);
    // A program by that name that runs, and answers nothing.
    let program = node.path().join("heartbeat");
    // By a process of its own: a file this one has open to write cannot be run while another test forks.
    assert!(Command::new("cp").arg("/bin/sleep").arg(&program).status().unwrap().success());
    let mut daemon = Command::new(&program).arg("600").spawn().unwrap();
    node.write("var/run/heartbeat.pid", &format!("{:>10}\n", daemon.id()), 0o644);
    // Would be found in use if it were opened.
    let _port = UdpSocket::bind(("0.0.0.0", node.port)).unwrap();
    let found = node.examine(&["--run-scripts", "--line"]);
    daemon.kill().unwrap();
    daemon.wait().unwrap();
    found.assert("warn", "daemon", "is no latido");
    for check in ["port", "link", "address"] {
        found.assert_no_trouble(check);
    }
    assert_eq!(node.called(), "");
}

#[test]
fn what_the_system_starts_or_mounts_at_boot_is_found() {
    let node = Node::new();
    node.write("haresources", "alpha Filesystem::/dev/drbd0::/data::ext4 web\n", 0o644);
    node.write("root/etc/rc3.d/S80web", "", 0o755);
    node.write("root/etc/fstab", "/dev/drbd0 /data ext4 defaults 0 0\n", 0o644);
    let found = node.examine(&[]);
    found.assert("fail", "boot", "web is started at boot");
    found.assert("fail", "boot", "mounted at boot by /etc/fstab");
}

#[test]
fn a_daemon_that_is_not_started_at_boot_and_another_that_is_are_found() {
    let node = Node::new();
    let wanted = "root/etc/systemd/system/multi-user.target.wants";
    node.examine(&[]).assert("pass", "boot", "the daemon is started at boot");
    for unit in ["keepalived", "pacemaker", "corosync"] {
        node.write(&format!("{wanted}/{unit}.service"), "", 0o644);
        node.examine(&[]).assert("fail", "boot", &format!("{unit} is started at boot"));
    }
    node.write(&format!("{wanted}/heartbeat.service"), "", 0o644);
    node.examine(&[]).assert("fail", "boot", "two daemons are started at boot");
    fs::remove_file(node.path().join(wanted).join("latido.service")).unwrap();
    node.examine(&[]).assert("fail", "boot", "the old heartbeat is started at boot");
    fs::create_dir_all(node.path().join("root/usr/lib/heartbeat")).unwrap();
    let link = node.path().join("root/usr/lib/heartbeat/heartbeat");
    std::os::unix::fs::symlink("/usr/sbin/latido", link).unwrap();
    node.examine(&[]).assert("pass", "boot", "the daemon is started at boot");
    fs::remove_file(node.path().join(wanted).join("heartbeat.service")).unwrap();
    let found = node.examine(&[]);
    found.assert("warn", "boot", "no daemon is started at boot");
    assert!(found.mentions("systemctl enable latido"));
}

#[test]
fn another_manager_that_runs_is_found() {
    let node = Node::new();
    node.write("root/proc/77/comm", "keepalived\n", 0o644);
    node.examine(&[]).assert("fail", "daemon", "keepalived runs here, pid 77");
}

#[test]
fn a_login_or_the_kernel_on_the_serial_line_is_found() {
    let node = Node::new();
    node.ha_cf("serial /dev/tty63\n");
    node.examine(&[]).assert("pass", "line", "no login and no kernel messages");
    let damages = [
        ("etc/systemd/system/getty.target.wants/serial-getty@tty63.service", "", "a login is asked for on /dev/tty63"),
        ("run/systemd/generator/getty.target.wants/serial-getty@tty63.service", "", "a login is asked for"),
        ("etc/inittab", "T0:23:respawn:/sbin/getty -L tty63 9600 vt100\n", "by /etc/inittab"),
        ("etc/init/tty63.conf", "", "by /etc/init/tty63.conf"),
        ("proc/cmdline", "quiet console=tty63,115200\n", "the kernel writes its messages"),
    ];
    for (file, text, found) in damages {
        let path = node.write(&format!("root/{file}"), text, 0o644);
        node.examine(&[]).assert("fail", "line", found);
        fs::remove_file(path).unwrap();
    }
}

#[test]
fn a_script_that_reads_functions_that_are_not_there_is_found() {
    let node = Node::new();
    let script = "#!/bin/sh\n. ${HA_DIR}/shellfuncs\nexit 0\n";
    node.write("resource.d/web", script, 0o755);
    node.write("rc.d/status", script, 0o755);
    let found = node.examine(&[]);
    found.assert("fail", "scripts", "resource.d/web reads");
    found.assert("warn", "scripts", "rc.d/status reads");
    node.write("shellfuncs", "", 0o644);
    node.examine(&[]).assert_no_trouble("scripts");
}

#[test]
fn with_both_daemons_stopped_the_pair_is_not_fit() {
    let node = Node::new();
    node.examine(&[]).assert("fail", "daemon", "no daemon runs here, and none is heard");
    assert!(node.examine(&[]).mentions("latido start -d"));
}

#[test]
fn an_address_that_somebody_already_brought_up_is_found() {
    let node = Node::new();
    node.write("haresources", "alpha 127.0.0.1/8/lo web\n", 0o644);
    node.examine(&[]).assert("fail", "address", "127.0.0.1 is on lo although group 127.0.0.1/8/lo is not held here");
}

#[test]
fn people_read_lines_with_a_remedy_below_and_a_verdict_at_the_end() {
    let node = Node::new();
    node.write("nodeinfo", "gamma\n", 0o644);
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_latido"))
        .args(["doctor", "-d"])
        .arg(node.path())
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(text.contains("FAIL  name        this machine is gamma"), "{text}");
    assert!(text.contains("\n                  write \"node gamma\""), "{text}");
    assert!(text.trim_end().ends_with("not fit to fail over"), "{text}");
}
