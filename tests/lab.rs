//! The lab: hosts made of namespaces, their cables and faults, and that nothing of them stays.
//!
//! Each test runs itself again on a bench (`latido lab --inner run`), as root or in a user namespace; where the kernel
//! allows neither, it says so and passes.

#![allow(clippy::unwrap_used, reason = "a test may panic")]
#![allow(clippy::zombie_processes, reason = "some processes are ended by their host")]

#[path = "support/bench.rs"]
mod bench;
#[path = "support/steady.rs"]
mod steady;

use std::io::{BufRead, Read, Write};
use std::net::{Ipv4Addr, UdpSocket};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use latido::clock::Clock;
use latido::lab::bench::Bench;
use latido::lab::cable::NullModem;
use latido::lab::host::Host;
use latido::lab::switch::{CableFaults, Faults};

use bench::{again, is_on_a_bench, on_a_bench};

const LATIDO: &str = env!("CARGO_BIN_EXE_latido");

fn address(last: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 9, 1, last)
}

/// A socket of this host, which gives up after half a second.
fn socket(host: &Host, port: u16) -> UdpSocket {
    let socket = host.run(|| UdpSocket::bind(("0.0.0.0", port))).unwrap().unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
    socket
}

/// How many of `count` datagrams get there within 50 ms; they are sent one after the other.
fn get_through(from: &UdpSocket, to: &UdpSocket, target: Ipv4Addr, count: usize) -> usize {
    to.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    let port = to.local_addr().unwrap().port();
    (0..count)
        .filter(|number| from.send_to(&number.to_be_bytes(), (target, port)).is_ok() && hears(to, *number))
        .count()
}

/// Whether this number arrives; what is left of earlier ones is passed over.
fn hears(socket: &UdpSocket, number: usize) -> bool {
    let mut buffer = [0; 8];
    while socket.recv(&mut buffer).is_ok() {
        if buffer == number.to_be_bytes() {
            return true;
        }
    }
    false
}

#[test]
fn hosts_see_each_other_and_have_names_of_their_own() {
    on_a_bench("hosts_see_each_other_and_have_names_of_their_own", || {
        let mut bench = Bench::new(Path::new(LATIDO)).unwrap();
        let (alpha, beta) = (bench.boot("alpha").unwrap(), bench.boot("beta").unwrap());
        let _a = bench.connect(&alpha, "eth0", "eth0", 1, &[(address(1), 24)]).unwrap();
        let _b = bench.connect(&beta, "eth0", "eth0", 2, &[(address(2), 24)]).unwrap();
        let (here, there) = (socket(&alpha, 0), socket(&beta, 700));
        here.send_to(b"hello", (address(2), 700)).unwrap();
        let mut buffer = [0; 16];
        let (length, from) = there.recv_from(&mut buffer).unwrap();
        assert_eq!((&buffer[..length], from.ip()), (&b"hello"[..], address(1).into()));
        let mut command = Command::new("/bin/sh");
        command.args(["-c", "echo $$ $(uname -n)"]).stdout(std::process::Stdio::piped());
        let mut shell = beta.spawn(&mut command).unwrap();
        let mut out = String::new();
        shell.stdout.take().unwrap().read_to_string(&mut out).unwrap();
        shell.wait().unwrap();
        let (pid, uname) = out.trim().split_once(' ').unwrap();
        assert!(pid.parse::<u32>().unwrap() < 20, "a pid namespace of its own: {pid}");
        assert_eq!(uname, "beta");
        let name = alpha.run(nix::unistd::gethostname).unwrap().unwrap();
        assert_eq!(name.to_str(), Some("alpha"));
    });
}

#[test]
fn tcp_with_its_offloads_gets_through_the_switch() {
    on_a_bench("tcp_with_its_offloads_gets_through_the_switch", || {
        let mut bench = Bench::new(Path::new(LATIDO)).unwrap();
        let (alpha, beta) = (bench.boot("alpha").unwrap(), bench.boot("beta").unwrap());
        let _a = bench.connect(&alpha, "eth0", "eth0", 1, &[(address(1), 24)]).unwrap();
        let _b = bench.connect(&beta, "eth0", "eth0", 2, &[(address(2), 24)]).unwrap();
        let listener = beta.run(|| std::net::TcpListener::bind("0.0.0.0:80")).unwrap().unwrap();
        let sender = alpha.run(|| std::net::TcpStream::connect((address(2), 80))).unwrap().unwrap();
        let sending = std::thread::spawn(move || {
            let mut sender = sender;
            sender.write_all(&vec![7; 3_000_000]).unwrap();
        });
        let mut received = Vec::new();
        listener.accept().unwrap().0.read_to_end(&mut received).unwrap();
        sending.join().unwrap();
        assert_eq!(received.len(), 3_000_000);
    });
}

#[test]
fn a_cut_cable_carries_nothing_and_a_mended_one_works_again() {
    on_a_bench("a_cut_cable_carries_nothing_and_a_mended_one_works_again", || {
        let mut bench = Bench::new(Path::new(LATIDO)).unwrap();
        let (alpha, beta) = (bench.boot("alpha").unwrap(), bench.boot("beta").unwrap());
        let cable = bench.connect(&alpha, "eth0", "eth0", 1, &[(address(1), 24)]).unwrap();
        let _b = bench.connect(&beta, "eth0", "eth0", 2, &[(address(2), 24)]).unwrap();
        let (here, there) = (socket(&alpha, 0), socket(&beta, 700));
        assert_eq!(get_through(&here, &there, address(2), 3), 3);
        let cut = Faults { cut: true, ..Faults::default() };
        bench.set_faults(&cable, CableFaults { sending: cut, hearing: cut });
        assert_eq!(get_through(&here, &there, address(2), 2), 0);
        bench.set_faults(&cable, CableFaults::default());
        assert_eq!(get_through(&here, &there, address(2), 20), 20);
        bench.set_faults(&cable, CableFaults { sending: cut, ..CableFaults::default() });
        assert_eq!(get_through(&here, &there, address(2), 2), 0);
        assert_eq!(get_through(&there, &here, address(1), 3), 3, "only one way is cut");
    });
}

#[test]
fn loss_and_delay_are_as_ordered() {
    on_a_bench("loss_and_delay_are_as_ordered", || {
        let mut bench = Bench::new(Path::new(LATIDO)).unwrap();
        let (alpha, beta) = (bench.boot("alpha").unwrap(), bench.boot("beta").unwrap());
        let cable = bench.connect(&alpha, "eth0", "eth0", 1, &[(address(1), 24)]).unwrap();
        let _b = bench.connect(&beta, "eth0", "eth0", 2, &[(address(2), 24)]).unwrap();
        let (here, there) = (socket(&alpha, 0), socket(&beta, 700));
        assert_eq!(get_through(&here, &there, address(2), 5), 5);
        let sending = Faults { loss: 30, ..Faults::default() };
        bench.set_faults(&cable, CableFaults { sending, ..CableFaults::default() });
        let arrived = get_through(&here, &there, address(2), 300);
        assert!((180..=240).contains(&arrived), "{arrived} of 300 at 30 % loss");
        let sending = Faults { delay: Duration::from_millis(40), ..Faults::default() };
        bench.set_faults(&cable, CableFaults { sending, ..CableFaults::default() });
        there.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
        let clock = Clock::start();
        here.send_to(b"x", (address(2), 700)).unwrap();
        there.recv(&mut [0; 16]).unwrap();
        let took = clock.mono().elapsed().as_millis();
        assert!((40..80).contains(&took), "{took} ms at a delay of 40 ms");
    });
}

#[test]
fn the_switch_adds_well_under_a_millisecond() {
    on_a_bench("the_switch_adds_well_under_a_millisecond", || {
        let mut bench = Bench::new(Path::new(LATIDO)).unwrap();
        let (alpha, beta) = (bench.boot("alpha").unwrap(), bench.boot("beta").unwrap());
        let _a = bench.connect(&alpha, "eth0", "eth0", 1, &[(address(1), 24)]).unwrap();
        let _b = bench.connect(&beta, "eth0", "eth0", 2, &[(address(2), 24)]).unwrap();
        let (here, there) = (socket(&alpha, 0), socket(&beta, 700));
        let clock = Clock::start();
        let mut times: Vec<Duration> = (0..200)
            .map(|_| {
                let start = clock.mono();
                assert_eq!(get_through(&here, &there, address(2), 1), 1);
                clock.mono().since(start)
            })
            .collect();
        times.sort();
        eprintln!("one way: median {:?}, p90 {:?}", times[100], times[180]);
        assert!(times[100] < Duration::from_millis(1), "median {:?}", times[100]);
    });
}

#[test]
fn the_null_modem_keeps_the_pace_of_the_line_and_a_cut_one_is_silent() {
    on_a_bench("the_null_modem_keeps_the_pace_of_the_line_and_a_cut_one_is_silent", || {
        let cable = NullModem::lay(19_200).unwrap();
        let open = |end: usize| {
            std::fs::OpenOptions::new()
                .read(true)
                .write(true)
                .custom_flags(libc::O_NOCTTY)
                .open(cable.port(end))
                .unwrap()
        };
        let (mut left, mut right) = (open(0), open(1));
        let clock = Clock::start();
        // 576 bytes are 300 ms of a line of 19200 baud.
        let text: Vec<u8> = (0..576_u32).map(|at| u8::try_from(at % 95 + 32).unwrap()).collect();
        left.write_all(&text).unwrap();
        let mut heard = vec![0; 576];
        right.read_exact(&mut heard).unwrap();
        let took = clock.mono().elapsed().as_millis();
        assert_eq!(heard, text);
        assert!((298..360).contains(&took), "{took} ms for 300 ms of line");
        right.write_all(b"answer").unwrap();
        let mut answer = [0; 6];
        left.read_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"answer");
        cable.set_cut(true);
        left.write_all(b"lost").unwrap();
        // The lost bytes take their time on the line; what follows after mending is heard alone.
        let mut silence = [nix::poll::PollFd::new(std::os::fd::AsFd::as_fd(&right), nix::poll::PollFlags::POLLIN)];
        assert_eq!(nix::poll::poll(&mut silence, 100_u16).unwrap(), 0);
        cable.set_cut(false);
        left.write_all(b"!").unwrap();
        let mut heard = [0; 8];
        assert_eq!(right.read(&mut heard).unwrap(), 1);
        assert_eq!(heard[0], b'!');
    });
}

#[test]
fn what_arrives_at_a_port_nobody_has_open_is_lost() {
    on_a_bench("what_arrives_at_a_port_nobody_has_open_is_lost", || {
        let cable = NullModem::lay(115_200).unwrap();
        let open = |end: usize| {
            std::fs::OpenOptions::new()
                .read(true)
                .write(true)
                .custom_flags(libc::O_NOCTTY)
                .open(cable.port(end))
                .unwrap()
        };
        let (mut left, mut right) = (open(0), open(1));
        left.write_all(b"a").unwrap();
        assert_eq!(right.read(&mut [0; 8]).unwrap(), 1);
        drop(right);
        left.write_all(b"nobody hears this").unwrap();
        let mut silence = [nix::poll::PollFd::new(std::os::fd::AsFd::as_fd(&left), nix::poll::PollFlags::POLLIN)];
        assert_eq!(nix::poll::poll(&mut silence, 100_u16).unwrap(), 0, "nothing is echoed");
        right = open(1);
        let mut heard = [nix::poll::PollFd::new(std::os::fd::AsFd::as_fd(&right), nix::poll::PollFlags::POLLIN)];
        assert_eq!(nix::poll::poll(&mut heard, 50_u16).unwrap(), 0, "nothing was kept");
        left.write_all(b"b").unwrap();
        let mut heard = [0; 8];
        assert_eq!((right.read(&mut heard).unwrap(), heard[0]), (1, b'b'));
    });
}

#[test]
fn power_off_ends_everything_on_a_host_and_it_can_return_with_its_card() {
    on_a_bench("power_off_ends_everything_on_a_host_and_it_can_return_with_its_card", || {
        let mut bench = Bench::new(Path::new(LATIDO)).unwrap();
        let (alpha, beta) = (bench.boot("alpha").unwrap(), bench.boot("beta").unwrap());
        let cable = bench.connect(&alpha, "eth0", "eth0", 1, &[(address(1), 24)]).unwrap();
        let _b = bench.connect(&beta, "eth0", "eth0", 2, &[(address(2), 24)]).unwrap();
        let mut sleeper = alpha.spawn(Command::new("/bin/sh").args(["-c", "sleep 1000 & wait"])).unwrap();
        let card = |host: &Host| host.run(|| std::fs::read_to_string("/sys/class/net/eth0/address").unwrap()).unwrap();
        let was = card(&alpha);
        alpha.power_off();
        let status = sleeper.wait().unwrap();
        assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(9));
        drop(alpha);
        bench.remove(cable);
        let alpha = bench.boot("alpha").unwrap();
        let _a = bench.connect(&alpha, "eth0", "eth0", 1, &[(address(1), 24)]).unwrap();
        assert_eq!(card(&alpha), was);
        let (here, there) = (socket(&alpha, 0), socket(&beta, 700));
        assert_eq!(get_through(&here, &there, address(2), 3), 3);
    });
}

#[test]
fn orphans_on_a_host_are_reaped() {
    on_a_bench("orphans_on_a_host_are_reaped", || {
        let bench = Bench::new(Path::new(LATIDO)).unwrap();
        let alpha = bench.boot("alpha").unwrap();
        // The inner shell is orphaned when the outer one ends; a zombie would still be there for `kill -0`.
        let script = "sh -c 'sleep 0.05' & echo $!";
        let output = alpha.run(|| Command::new("/bin/sh").args(["-c", script]).output()).unwrap().unwrap();
        let orphan: u32 = String::from_utf8_lossy(&output.stdout).trim().parse().unwrap();
        let wait = format!(
            "n=0; while kill -0 {orphan} 2>/dev/null; do n=$((n+1)); [ $n -lt 100 ] || exit 1; sleep 0.02; done"
        );
        assert!(alpha.run(|| Command::new("/bin/sh").args(["-c", &wait]).status()).unwrap().unwrap().success());
    });
}

#[test]
fn a_private_file_system_hides_what_is_below_and_files_written_there_stay_there() {
    on_a_bench("a_private_file_system_hides_what_is_below_and_files_written_there_stay_there", || {
        let bench = Bench::new(Path::new(LATIDO)).unwrap();
        let alpha = bench.boot("alpha").unwrap();
        let beta = bench.boot("beta").unwrap();
        alpha.mount_tmpfs(Path::new("/mnt")).unwrap();
        alpha.write_file(Path::new("/mnt/a/b"), b"text", 0o600).unwrap();
        let read = |host: &Host| host.run(|| std::fs::read_to_string("/mnt/a/b")).unwrap();
        assert_eq!(read(&alpha).unwrap(), "text");
        assert!(read(&beta).is_err());
        assert!(!Path::new("/mnt/a").exists());
    });
}

/// Not a test of its own: hosts with a busy program each, named on standard output, until standard input ends.
#[test]
fn hosts_to_be_killed() {
    if !is_on_a_bench() {
        return;
    }
    let mut bench = Bench::new(Path::new(LATIDO)).unwrap();
    let hosts = ["alpha", "beta"].map(|name| bench.boot(name).unwrap());
    for (number, host) in (1..).zip(&hosts) {
        bench.connect(host, "eth0", "eth0", number, &[(address(number), 24)]).unwrap();
        host.mount_tmpfs(Path::new("/mnt")).unwrap();
        host.spawn(Command::new("/bin/sh").args(["-c", "while :; do sleep 1000; done"])).unwrap();
        let space = host.run(|| std::fs::read_link("/proc/thread-self/ns/net").ok()).unwrap();
        // The thread is not in the host's pid namespace and hence not in its /proc; its shell is.
        assert_eq!(space, None);
        let space = host.run(|| std::fs::read_link("/proc/1/ns/net").unwrap()).unwrap();
        eprintln!("space {}", space.display());
    }
    eprintln!("all is up");
    let _ = std::io::stdin().read(&mut [0]);
}

#[test]
fn nothing_is_left_behind_when_the_top_process_is_killed() {
    let mounts = || std::fs::read_to_string("/proc/self/mounts").unwrap();
    let before = mounts();
    let mut top = again("hosts_to_be_killed")
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = std::io::BufReader::new(top.stderr.take().unwrap()).lines().map(Result::unwrap);
    let said: Vec<String> = lines.by_ref().take_while(|line| line != "all is up").collect();
    let spaces: Vec<&str> = said.iter().filter_map(|line| line.strip_prefix("space ")).collect();
    if spaces.is_empty() && said.iter().any(|line| line.contains("the lab needs")) {
        eprintln!("not tested: {said:?}");
        return;
    }
    assert_eq!(spaces.len(), 2, "{said:?}");
    assert!(spaces.iter().all(|space| inhabited(space)));
    top.kill().unwrap();
    top.wait().unwrap();
    // Everybody in there has this pipe as standard error: it ends with the last of them.
    assert_eq!(lines.next(), None);
    assert!(!spaces.iter().any(|space| inhabited(space)), "a process lives on in {spaces:?}");
    assert_eq!(mounts(), before);
}

/// Whether any process lives in this network namespace.
fn inhabited(space: &str) -> bool {
    let spaces = std::fs::read_dir("/proc").unwrap().filter_map(|entry| {
        let link = std::fs::read_link(entry.unwrap().path().join("ns/net")).ok()?;
        Some(link.display().to_string())
    });
    spaces.into_iter().any(|found| found == space)
}
