//! A pair of daemons on two hosts of the lab: a good one passes, and what is wrong between two nodes is found.

use std::fs;
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use latido::client::Asker;
use latido::lab::bench::{Bench, Cable};
use latido::lab::cable::NullModem;
use latido::lab::host::Host;
use latido::lab::switch::{CableFaults, Faults};
use latido::simulate;
use latido::status::{Answer, Ask, Status};
use tempfile::TempDir;

use super::bench::on_a_bench;
use super::support::{Findings, KEYS, read};

const LATIDO: &str = env!("CARGO_BIN_EXE_latido");

/// Two hosts with a network, a null-modem cable, and their daemons when started.
struct Pair {
    bench: Bench,
    hosts: [Host; 2],
    cables: [Cable; 2],
    dirs: [TempDir; 2],
    daemons: Vec<Child>,
    _serial: NullModem,
}

impl Pair {
    fn new(haresources: [&str; 2]) -> Pair {
        let serial = NullModem::lay(115_200).unwrap();
        let mut bench = Bench::new(Path::new(LATIDO)).unwrap();
        let hosts = ["alpha", "beta"].map(|name| bench.boot(name).unwrap());
        let mut number = 0;
        let cables = hosts.each_ref().map(|host| {
            number += 1;
            bench.connect(host, "eth0", "lan", number, &[(Ipv4Addr::new(10, 9, 1, number), 24)]).unwrap()
        });
        let dirs = [0, 1].map(|end| directory(haresources[end], serial.port(end)));
        Pair { bench, hosts, cables, dirs, daemons: Vec::new(), _serial: serial }
    }

    fn start(&mut self) {
        for (host, dir) in self.hosts.iter().zip(&self.dirs) {
            let mut command = Command::new(LATIDO);
            command.args(["daemon", "-l", "-d"]).arg(dir.path()).stdout(Stdio::null()).stderr(Stdio::null());
            self.daemons.push(host.spawn(&mut command).unwrap());
        }
        let settled = |status: &Status| {
            let heard = status.peer.as_ref().is_some_and(|peer| peer.links.values().all(|hears| *hears));
            heard && status.stable && status.nodes.iter().all(|node| node.status == "active" && links_up(node))
        };
        self.wait(0, settled);
        self.wait(1, settled);
    }

    /// Until a node says so.
    #[track_caller]
    fn wait(&self, node: usize, done: impl Fn(&Status) -> bool) {
        let mut last = None;
        for _ in 0..600 {
            last = status(self.dirs[node].path());
            if last.as_ref().is_some_and(&done) {
                return;
            }
            #[allow(clippy::disallowed_methods, reason = "another program's state changes without an event for us")]
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("not within 30 s: {last:#?}");
    }

    fn examine(&self, node: usize, words: &[&str]) -> Findings {
        let mut command = Command::new(LATIDO);
        command.args(["doctor", "--json", "--root"]).arg(self.dirs[node].path()).arg("-d").arg(self.dirs[node].path());
        self.hosts[node].run(|| read(command.args(words))).unwrap()
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        self.hosts.iter().for_each(Host::power_off);
        self.daemons.iter_mut().for_each(|daemon| drop(daemon.wait()));
    }
}

fn links_up(node: &latido::status::Node) -> bool {
    node.links.iter().all(|link| link.up)
}

fn status(dir: &Path) -> Option<Status> {
    let mut client = Asker::connect(&dir.join("var/run/latido/latido.sock")).ok()?;
    match client.ask(&Ask::Status, Duration::from_secs(5)).ok()? {
        Answer::Status(status) => Some(*status),
        Answer::Moved(_) | Answer::Reread { .. } | Answer::Refused(_) => None,
    }
}

fn directory(haresources: &str, serial: &Path) -> TempDir {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = TempDir::new().unwrap();
    let write = |name: &str, text: &str, mode: u32| {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    };
    let ha_cf = format!(
        "logfile {}\nlogfacility none\nkeepalive 100ms\ndeadtime 1\ninitdead 10\nauto_failback on\nbaud 115200\n\
         serial {}\nbcast eth0\nnode alpha beta\n",
        dir.path().join("ha-log").display(),
        serial.display()
    );
    write("ha.cf", &ha_cf, 0o644);
    write("haresources", haresources, 0o644);
    write("authkeys", KEYS, 0o600);
    let web = "#!/bin/sh\nup=$(dirname \"$0\")/../up\ncase $1 in\nstart) touch \"$up\";;\nstop) rm -f \"$up\";;\n\
               status) [ -e \"$up\" ] && echo running || echo stopped;;\nesac\n";
    write("resource.d/web", web, 0o755);
    write("etc/systemd/system/multi-user.target.wants/latido.service", "", 0o644);
    dir
}

const GROUPS: &str = "alpha 10.9.1.100/24/eth0\nbeta web\n";

#[test]
fn a_good_pair_passes() {
    on_a_bench("pair::a_good_pair_passes", || {
        let mut pair = Pair::new([GROUPS, GROUPS]);
        pair.start();
        for node in [0, 1] {
            let found = pair.examine(node, &["--run-scripts"]);
            // How punctual the machine of the test is says nothing about the pair.
            let trouble: Vec<String> =
                found.trouble().into_iter().filter(|trouble| !trouble.contains("\"timing\"")).collect();
            assert_eq!(trouble, Vec::<String>::new());
            for (check, part) in [
                ("daemon", "runs"),
                ("peer", "is active"),
                ("link", "eth0: "),
                ("link", "/dev/pts/"),
                ("link", "hears us as well"),
                ("files", "haresources means the same"),
                ("clock", "agrees"),
                ("groups", "web is held by one node"),
                ("address", "10.9.1.100"),
                ("lsb", "web: "),
                ("boot", "nothing"),
            ] {
                found.assert("pass", check, part);
            }
        }
        pair.examine(0, &["--run-scripts"]).assert("pass", "lsb", "web: stopped says so");
        pair.examine(1, &[]).assert("pass", "address", "the other node may hold it");
    });
}

#[test]
fn files_that_differ_are_found_on_both_nodes() {
    on_a_bench("pair::files_that_differ_are_found_on_both_nodes", || {
        let mut pair = Pair::new([GROUPS, "alpha 10.9.1.100/24/eth0\nbeta web other\n"]);
        pair.start();
        for node in [0, 1] {
            pair.wait(node, |status| status.nodes.iter().any(|node| node.resources_differ == Some(true)));
        }
        pair.examine(0, &[]).assert("fail", "files", "haresources on beta differs");
        pair.examine(1, &[]).assert("fail", "files", "haresources on alpha differs");
    });
}

#[test]
fn a_cable_that_carries_nothing_is_found_while_the_other_one_works() {
    on_a_bench("pair::a_cable_that_carries_nothing_is_found_while_the_other_one_works", || {
        let mut pair = Pair::new([GROUPS, GROUPS]);
        pair.start();
        // As a firewall that drops port 694 on one network.
        let cut = Faults { cut: true, ..Faults::default() };
        pair.bench.set_faults(&pair.cables[1], CableFaults { sending: cut, hearing: cut });
        pair.wait(0, |status| status.nodes.iter().flat_map(|node| &node.links).any(|link| !link.up));
        let found = pair.examine(0, &[]);
        found.assert("fail", "link", "eth0: beta not heard for too long");
        assert!(found.mentions("a firewall that drops UDP port 694"));
        found.assert("pass", "peer", "beta is active");
    });
}

#[test]
fn a_firewall_in_one_direction_is_found_by_the_node_that_still_hears() {
    on_a_bench("pair::a_firewall_in_one_direction_is_found_by_the_node_that_still_hears", || {
        let mut pair = Pair::new([GROUPS, GROUPS]);
        pair.start();
        let cut = Faults { cut: true, ..Faults::default() };
        pair.bench.set_faults(&pair.cables[1], CableFaults { hearing: cut, ..CableFaults::default() });
        pair.wait(0, |status| status.peer.as_ref().is_some_and(|peer| peer.links.values().any(|hears| !hears)));
        let found = pair.examine(0, &[]);
        found.assert("pass", "link", "eth0: beta heard");
        found.assert("fail", "link", "eth0: beta does not hear us over it");
    });
}

#[test]
fn an_address_that_a_stranger_has_is_found_before_it_is_needed() {
    on_a_bench("pair::an_address_that_a_stranger_has_is_found_before_it_is_needed", || {
        let mut pair = Pair::new([GROUPS, GROUPS]);
        let stranger = pair.bench.boot("stranger").unwrap();
        pair.bench.connect(&stranger, "eth0", "lan", 7, &[(Ipv4Addr::new(10, 9, 1, 100), 24)]).unwrap();
        let found = pair.examine(0, &[]);
        found.assert("fail", "address", "10.9.1.100 is used by another machine, 02:1a:b0:");
    });
}

#[test]
fn a_daemon_that_does_not_answer_is_not_waited_for_for_ever() {
    let dir = directory(GROUPS, Path::new("/dev/null"));
    fs::create_dir_all(dir.path().join("var/run/latido")).unwrap();
    let _deaf = std::os::unix::net::UnixListener::bind(dir.path().join("var/run/latido/latido.sock")).unwrap();
    let mut command = Command::new(LATIDO);
    command.args(["doctor", "--json", "-d"]).arg(dir.path());
    read(&mut command).assert("fail", "daemon", "did not answer in time");
}

#[test]
fn what_the_daemon_measured_and_the_other_node_said_is_judged() {
    let dir = directory("alpha Filesystem::/dev/sdb1::/data::ext4 web\n", Path::new("/dev/null"));
    fs::create_dir_all(dir.path().join("var/run/latido")).unwrap();
    let listener = std::os::unix::net::UnixListener::bind(dir.path().join("var/run/latido/latido.sock")).unwrap();
    let node = latido::status::Node {
        name: "beta".into(),
        status: "active".into(),
        clock_ahead_s: Some(-125),
        last_heard_ms: Some(100),
        deadtime_ms: 30_000,
        ..latido::status::Node::default()
    };
    let group = latido::status::Group {
        key: "web".into(),
        state: "held".into(),
        held_by_peer: true,
        ..latido::status::Group::default()
    };
    let status = Status {
        stable: true,
        nodes: vec![node],
        groups: vec![group],
        drift: vec!["ha.cf of beta says keepalive=2000".into()],
        deadtime_ms: 1000,
        enough_deadtime_ms: Some(3000),
        loop_late_ms: 700.0,
        last_change_ms: 60_000,
        ..Status::default()
    };
    let teller = std::thread::spawn(move || {
        use std::io::{BufRead as _, Write as _};
        let (mut stream, _) = listener.accept().unwrap();
        std::io::BufReader::new(stream.try_clone().unwrap()).read_line(&mut String::new()).unwrap();
        let answer = serde_json::to_string(&Answer::Status(Box::new(status))).unwrap();
        stream.write_all(format!("{answer}\n").as_bytes()).unwrap();
    });
    let mut command = Command::new(LATIDO);
    command.args(["doctor", "--json", "-d"]).arg(dir.path());
    let found = read(&mut command);
    teller.join().unwrap();
    found.assert("warn", "clock", "the clock of beta is 125 s behind ours");
    found.assert("fail", "groups", "web is held by both nodes");
    found.assert("warn", "files", "deadtime is 30 s on beta and 1 s here");
    found.assert("warn", "files", "the daemon runs with the old one");
    found.assert("warn", "files", "ha.cf of beta says keepalive=2000");
    found.assert("warn", "timing", "deadtime 1 s is short for the gaps");
    found.assert("warn", "timing", "700 ms late for its own heartbeat");
    found.assert("warn", "fence", "Filesystem");
}

#[test]
fn a_node_knows_whether_the_files_differ_and_how_far_the_clocks_are_apart() {
    let mut pair = simulate::SimulatedPair::new("alpha ra\nbeta rb", 1, |_| {}).unwrap();
    pair.start(0);
    pair.start(1);
    pair.run_for(Duration::from_secs(30));
    let peer = |pair: &simulate::SimulatedPair, node: usize| {
        let view = pair.cluster(node).unwrap().view(pair.now());
        let peer = view.nodes.into_iter().find(|node| !node.is_me).unwrap();
        (peer.resources_differ, peer.clock_ahead)
    };
    assert_eq!([peer(&pair, 0), peer(&pair, 1)], [(Some(false), Some(0)); 2]);

    pair.reload_groups(1, "alpha ra\nbeta rb rc");
    pair.run_for(Duration::from_secs(30));
    assert_eq!([peer(&pair, 0).0, peer(&pair, 1).0], [Some(true); 2]);
}
