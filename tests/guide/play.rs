//! The chapter *Asterisk and DRBD from nothing*, played on two hosts of a bench, line by line: real `latido` (init, check,
//! simulate, propagate, doctor, the daemons, ipfail, dopd), real interfaces and a null-modem cable; stand-ins for what is no
//! part of Latido (`machine.sh`). A command that is refused, a file that `latido check` complains about, or a takeover that
//! does not come fails the test.

use std::fs;
use std::net::{Ipv4Addr, UdpSocket};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use latido::lab::bench::{Bench, Cable};
use latido::lab::cable::NullModem;
use latido::lab::host::Host;
use latido::lab::switch::{CableFaults, Faults};
use tempfile::TempDir;

use super::bench::on_a_bench;
use super::markdown::{Block, CHAPTERS, Page, Part};

const LATIDO: &str = env!("CARGO_BIN_EXE_latido");

/// What is not played, and why.
const NOT_PLAYED: [(&str, &str); 2] = [
    ("cat /proc/drbd", "DRBD's driver is the kernel's, and this machine may not have it"),
    ("latido lab", "a bench on a bench: tests/lab.rs and tests/lab_story.rs play labs"),
];

/// A machine of the chapter.
struct Machine {
    name: &'static str,
    host: Host,
    cables: Vec<Cable>,
    /// Keeps its places, and does what comes by ssh.
    keeper: Child,
    phone: Phone,
}

/// Answers SIP requests while Asterisk runs there.
struct Phone {
    hung_up: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Phone {
    fn on(host: &Host, asterisk_runs: PathBuf) -> Phone {
        let socket = host.run(|| UdpSocket::bind("0.0.0.0:5060")).unwrap().unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        let hung_up = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&hung_up);
        let thread = thread::spawn(move || {
            let mut request = [0; 2048];
            while !told.load(Ordering::Relaxed) {
                let Ok((length, from)) = socket.recv_from(&mut request) else { continue };
                let text = String::from_utf8_lossy(&request[..length]).into_owned();
                let call = text.lines().find(|line| line.starts_with("Call-ID")).unwrap_or("").to_owned();
                if asterisk_runs.exists() {
                    let _ = socket.send_to(format!("SIP/2.0 200 OK\r\n{call}\r\n\r\n").as_bytes(), from);
                }
            }
        });
        Phone { hung_up, thread: Some(thread) }
    }

    /// Lets the network of its host go.
    fn hang_up(&mut self) {
        self.hung_up.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

/// Both machines, a router, their cables, and what they share.
struct Play {
    dir: TempDir,
    bench: Bench,
    line: NullModem,
    machines: Vec<Machine>,
    _router: (Host, Cable),
}

/// What a command came to.
#[derive(Debug)]
struct Said {
    code: Option<i32>,
    text: String,
}

impl Play {
    fn begin() -> Play {
        let dir = TempDir::new().unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let at = dir.path().display().to_string();
        let scripts = [
            ("machine", include_str!("machine.sh")),
            ("asterisk.init", include_str!("asterisk.init")),
            ("host.sh", include_str!("host.sh")),
            ("asterisk", include_str!("../../scripts/resource.d/asterisk")),
            ("calls", ""),
        ];
        for (name, text) in scripts {
            fs::write(dir.path().join(name), text.replace("@PLAY@", &at)).unwrap();
        }
        fs::create_dir(dir.path().join("drbd")).unwrap();
        // dopd, which calls the stand-in of drbdadm, is no root.
        for (name, mode) in [("calls", 0o666), ("drbd", 0o777)] {
            fs::set_permissions(dir.path().join(name), fs::Permissions::from_mode(mode)).unwrap();
        }
        let mut bench = Bench::new(Path::new(LATIDO)).unwrap();
        let line = NullModem::lay(19_200).unwrap();
        let router = bench.boot("router").unwrap();
        let uplink = bench.connect(&router, "eth0", "eth0", 9, &[(Ipv4Addr::new(192, 168, 1, 254), 24)]).unwrap();
        let machines = [("alpha", 1), ("beta", 2)].map(|(name, number)| {
            Machine::boot(&mut bench, dir.path(), name, number, line.port(usize::from(number) - 1))
        });
        Play { dir, bench, line, machines: machines.into(), _router: (router, uplink) }
    }

    fn machine(&self, name: &str) -> &Machine {
        self.machines.iter().find(|machine| machine.name == name).unwrap()
    }

    /// Cuts, or mends, the cable from the first machine to a network.
    fn cut(&self, number: usize, cut: bool) {
        let faults = Faults { cut, ..Faults::default() };
        self.bench.set_faults(&self.machines[0].cables[number], CableFaults { sending: faults, hearing: faults });
    }

    /// The power cord of the first machine is pulled.
    fn power_off_alpha(&mut self) {
        let mut alpha = self.machines.remove(0);
        alpha.phone.hang_up();
        let cables = std::mem::take(&mut alpha.cables);
        drop(alpha);
        fs::remove_dir_all(self.dir.path().join("ssh/alpha")).unwrap();
        cables.into_iter().for_each(|cable| self.bench.remove(cable));
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        self.phone.hang_up();
        self.host.power_off();
        // A host is not gone before everything in it was waited for.
        let _ = self.keeper.wait();
    }
}

impl Machine {
    fn boot(bench: &mut Bench, play: &Path, name: &'static str, number: u8, port: &Path) -> Machine {
        let host = bench.boot(name).unwrap();
        let nets = [("eth0", Ipv4Addr::new(192, 168, 1, 10 + number)), ("eth1", Ipv4Addr::new(10, 0, 0, number))];
        let cables =
            nets.map(|(card, address)| bench.connect(&host, card, card, number, &[(address, 24)]).unwrap()).into();
        let mut command = Command::new("/bin/sh");
        command.arg(play.join("host.sh")).arg(play.join(name)).arg(port).arg(LATIDO).stdout(Stdio::piped());
        let mut keeper = host.spawn(&mut command).unwrap();
        let mut ready = String::new();
        std::io::BufRead::read_line(&mut std::io::BufReader::new(keeper.stdout.take().unwrap()), &mut ready).unwrap();
        assert_eq!(ready, "ready\n", "{name} was not made");
        let phone = Phone::on(&host, play.join(format!("asterisk-on-{name}")));
        Machine { name, host, cables, keeper, phone }
    }

    /// Types a command, in the directory where the one before ended.
    fn types(&self, command: &str) -> Said {
        let script = format!(
            "cd \"$(cat /root/.cwd 2>/dev/null || echo /root)\"\n{}\n{command}\ncode=$?\npwd >/root/.cwd\nexit $code",
            if command.starts_with("latido") { "" } else { "set -e" }
        );
        let run = || {
            let mut shell = Command::new("/bin/sh");
            shell.args(["-c", &script]).env_remove("HA_DIR").env("HOME", "/root").stdin(Stdio::null());
            shell.env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
            shell.output().unwrap()
        };
        let output = self.host.run(run).unwrap();
        let text = [&output.stdout[..], &output.stderr[..]].map(String::from_utf8_lossy).concat();
        eprintln!("{}# {command}\n{text}", self.name);
        Said { code: output.status.code(), text }
    }

    /// Waits until a command says this; the machine may be slow.
    fn waits_until(&self, command: &str, says: &str) {
        let wait = format!(
            "n=0; until {command} 2>&1 | grep -q '{says}'; do n=$((n+1)); [ $n -lt 1200 ] || break; sleep 0.1; done; {command} || true"
        );
        let said = self.types(&wait);
        assert!(
            said.text.lines().any(|line| matches(says, line)),
            "{}: {command} never said {says}:\n{}",
            self.name,
            said.text
        );
    }
}

/// As `grep` reads it, as far as it is used here: `.*` stands for anything.
fn matches(pattern: &str, line: &str) -> bool {
    let mut rest = line;
    pattern.split(".*").all(|part| rest.find(part).map(|at| rest = &rest[at + part.len()..]).is_some())
}

/// The commands of a block: a here document, or a loop, is one.
fn commands(text: &str) -> Vec<String> {
    let mut commands: Vec<String> = Vec::new();
    let mut end: Option<String> = None;
    for line in text.lines() {
        if let Some(last) = &end {
            let command = commands.last_mut().unwrap();
            command.push('\n');
            command.push_str(line);
            if line == last {
                end = None;
            }
            continue;
        }
        let here = line.split_once("<<'").and_then(|(_, rest)| rest.split('\'').next());
        end = here.map(str::to_owned).or_else(|| line.starts_with("for ").then(|| "done".to_owned()));
        commands.push(line.to_owned());
    }
    assert_eq!(end, None, "a command that does not end");
    commands
}

/// Whether the command went as a reader expects it.
fn judge(place: &str, command: &str, said: &Said) {
    let lines: Vec<&str> = said.text.lines().collect();
    if command.starts_with("latido doctor") {
        // Nothing runs yet when the line is tried.
        let expected = |line: &&&str| command.contains("--line") && line.starts_with("FAIL  daemon");
        let failures: Vec<&&str> =
            lines.iter().filter(|line| line.starts_with("FAIL")).filter(|line| !expected(line)).collect();
        assert!(failures.is_empty() && !lines.is_empty(), "{place}: {command}: {failures:?}");
        if command.contains("--line") {
            assert!(said.text.contains("the other node's test is heard"), "{place}: {command}: {}", said.text);
        }
    } else if command == "latido status" {
        assert_ne!(said.code, Some(2), "{place}: {command}: {}", said.text);
    } else {
        assert_eq!(said.code, Some(0), "{place}: {command}: {}", said.text);
    }
}

/// Where a block is typed.
fn typed_on(block: &Block) -> Option<&[&'static str]> {
    match block.info.as_str() {
        "sh alpha" => Some(&["alpha"]),
        "sh beta" => Some(&["beta"]),
        "sh both" => Some(&["alpha", "beta"]),
        _ => None,
    }
}

/// Without what differs from run to run: numbers, and the gaps, which are there only after a while.
fn plain(line: &str) -> String {
    let line = line.split("   gaps ").next().unwrap_or(line);
    let fencing = line.split(" · fencing ").next().unwrap_or(line);
    let mut words: Vec<&str> = fencing.split_whitespace().collect();
    words.retain(|word| {
        !word.trim_end_matches('s').chars().all(|c| c.is_ascii_digit() || c == '.') && *word != "s" && *word != "min"
    });
    words.join(" ")
}

#[test]
fn each_block_says_on_which_machine_it_is_typed() {
    let page = Page::read(&PathBuf::from(CHAPTERS).join("asterisk-drbd.md"));
    let mut before = "";
    for part in &page.parts {
        match part {
            Part::Text(text) => before = text,
            Part::Block(block) if block.kind() == "sh" => {
                let on = typed_on(block).unwrap_or_else(|| panic!("{}: on which machine?", page.at(block)));
                let lower = before.to_lowercase();
                let told = if on.len() == 2 {
                    lower.contains("both machines")
                } else {
                    lower.contains(&format!("on {}", on[0]))
                };
                // A block that follows another one without a word is typed in the same place, or the words say something else.
                assert!(
                    told || before.contains("On the same"),
                    "{}: the words above do not say {on:?}: {before}",
                    page.at(block)
                );
            }
            _ => {}
        }
    }
}

#[test]
fn the_chapter_from_nothing_to_a_call_that_survives_a_power_off_is_played() {
    if !nix::unistd::geteuid().is_root() {
        return eprintln!("not tested: the chapter is for root");
    }
    on_a_bench("play::the_chapter_from_nothing_to_a_call_that_survives_a_power_off_is_played", || {
        let page = Page::read(&PathBuf::from(CHAPTERS).join("asterisk-drbd.md"));
        let mut play = Play::begin();
        type_the_chapter(&play, &page);
        follow_the_test_plan(&mut play, &page);
    });
}

fn type_the_chapter(play: &Play, page: &Page) {
    let mut left: Vec<&str> = Vec::new();
    let mut last = String::new();
    for block in page.blocks() {
        let place = page.at(block);
        let Some(on) = typed_on(block) else {
            shown(play, &place, block, &last);
            continue;
        };
        for command in commands(&block.text) {
            if let Some((what, why)) = NOT_PLAYED.iter().find(|(what, _)| command.starts_with(what)) {
                eprintln!("not played: {command} ({why})");
                left.push(what);
                continue;
            }
            // What the nodes have heard of each other in the first seconds is not what a reader sees later.
            if command.starts_with("latido doctor --both") {
                play.machine("alpha").waits_until(&command, ", 0 failures");
            }
            if command.starts_with("latido status") {
                play.machine("alpha").waits_until("latido status", "files equal on both nodes");
                play.machine("alpha").waits_until("latido status", "/dev/ttyS0 .*up .*beta");
            }
            // On both at the same time: a line is tried from both ends.
            let said = thread::scope(|scope| {
                let typing: Vec<_> = on.iter().map(|name| scope.spawn(|| play.machine(name).types(&command))).collect();
                typing.into_iter().map(|typing| typing.join().unwrap()).collect::<Vec<_>>()
            });
            for said in &said {
                judge(&place, &command, said);
            }
            last.clone_from(&said[0].text);
            if command.starts_with("latido check") {
                assert_eq!(last.trim(), "/etc/ha.d: no problems found", "{place}");
            }
        }
    }
    left.sort_unstable();
    assert_eq!(left, NOT_PLAYED.map(|(what, _)| what), "what is not played is not in the chapter");
}

/// What the chapter shows: of a file, of an answer, or for the reader to write.
fn shown(play: &Play, place: &str, block: &Block, last: &str) {
    let alpha = play.machine("alpha");
    if let Some(file) = block.info.strip_prefix("text file=") {
        let text = alpha.types(&format!("cat /etc/ha.d/{file}")).text;
        block.text.lines().for_each(|line| assert!(text.contains(line), "{place}: {line} is not in {file}:\n{text}"));
    } else if block.info == "text out=check" {
        let said = alpha.types("latido check").text;
        assert_eq!(said.lines().last(), block.text.lines().last(), "{place}");
    } else if block.info == "ini" {
        let write = format!("cat > /etc/asterisk/pjsip.conf <<'END'\n{}END", block.text);
        assert_eq!(alpha.types(&write).code, Some(0), "{place}");
    } else {
        assert_eq!(block.info, "text", "{place}");
        let said: Vec<String> = alpha.types("latido status").text.lines().map(plain).collect();
        for line in block.text.lines().map(plain) {
            assert!(said.contains(&line), "{place}: {line:?} is not in {said:#?}\n{last}");
        }
    }
}

/// The rows of the test plan that can be played.
fn follow_the_test_plan(play: &mut Play, page: &Page) {
    let handler = page.blocks().find_map(|block| block.text.split("fence-peer \"").nth(1)).unwrap();
    let handler = handler.split('"').next().unwrap().replace("/usr/lib/heartbeat/", "latido ");
    let (alpha, beta) = (play.machine("alpha"), play.machine("beta"));
    // 1 and 2: by hand, there and back.
    let said = alpha.types("latido standby");
    assert_eq!((said.code, said.text.as_str()), (Some(0), "moved: drbddisk::r0\n"));
    assert_eq!(beta.types("asterisk -rx 'core show uptime'").code, Some(0));
    assert_eq!(alpha.types("latido takeover").text, "moved: drbddisk::r0\n");
    // 3: the null-modem cable.
    play.line.set_cut(true);
    alpha.waits_until("latido status", "/dev/ttyS0 .*DEAD");
    alpha.waits_until("latido status", "alpha (here) .*holds  drbddisk::r0");
    play.line.set_cut(false);
    alpha.waits_until("latido status", "/dev/ttyS0 .*up");
    // 4: the cable of DRBD, whose handler asks dopd over what is left.
    play.cut(1, true);
    let said = alpha.types(&format!("DRBD_PEER=beta DRBD_RESOURCE=r0 {handler} && echo none || echo code $?"));
    assert!(said.text.contains("code 4"), "DRBD is told that the other copy is outdated: {}", said.text);
    assert!(fs::read_to_string(play.dir.path().join("calls")).unwrap().contains("beta: drbdadm outdate r0"));
    alpha.waits_until("latido status", "eth1 .*DEAD");
    alpha.waits_until("latido status", "alpha (here) .*holds  drbddisk::r0");
    // 5: DRBD copies what is missing.
    play.cut(1, false);
    fs::remove_file(play.dir.path().join("drbd/outdated-beta")).unwrap();
    alpha.waits_until("latido status", "eth1 .*up");
    // 9: the power cord.
    play.power_off_alpha();
    let beta = play.machine("beta");
    beta.waits_until("latido status", "beta (here) .*holds  drbddisk::r0 .*asterisk");
    beta.waits_until("asterisk -rx 'core show uptime'", "System uptime");
    assert!(beta.types("cat /etc/asterisk/pjsip.conf").text.contains("bind=192.168.1.10"), "the data came over");
    assert!(beta.types("ip -4 addr show eth0").text.contains("192.168.1.10/24"));
    beta.waits_until("latido why", "beta took drbddisk::r0 because alpha was dead");
    assert!(
        fs::read_to_string(play.dir.path().join("calls")).unwrap().contains("chassis power off"),
        "it was fenced first"
    );
}
