//! The two machines of the chapter: hosts of a bench with cards, a null-modem cable and a router, and the stand-ins of
//! `machine.sh` in their `PATH`.

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

const LATIDO: &str = env!("CARGO_BIN_EXE_latido");

/// A machine of the chapter.
pub(crate) struct Machine {
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
pub(crate) struct Play {
    dir: TempDir,
    bench: Bench,
    /// The null-modem cable.
    pub(crate) line: NullModem,
    machines: Vec<Machine>,
    _router: (Host, Cable),
}

/// What a command came to.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: Option<i32>,
    pub(crate) text: String,
}

impl Play {
    pub(crate) fn begin() -> Play {
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

    pub(crate) fn machine(&self, name: &str) -> &Machine {
        self.machines.iter().find(|machine| machine.name == name).unwrap()
    }

    /// Every call of a stand-in: the machine, the program and its words.
    pub(crate) fn calls(&self) -> String {
        fs::read_to_string(self.dir.path().join("calls")).unwrap()
    }

    /// DRBD has copied what the other machine had missed.
    pub(crate) fn resynchronised(&self) {
        fs::remove_file(self.dir.path().join("drbd/outdated-beta")).unwrap();
    }

    /// Cuts, or mends, the cable from the first machine to a network.
    pub(crate) fn cut(&self, number: usize, cut: bool) {
        let faults = Faults { cut, ..Faults::default() };
        self.bench.set_faults(&self.machines[0].cables[number], CableFaults { sending: faults, hearing: faults });
    }

    /// The power cord of the first machine is pulled.
    pub(crate) fn power_off_alpha(&mut self) {
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
    pub(crate) fn types(&self, command: &str) -> Said {
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
    pub(crate) fn waits_until(&self, command: &str, says: &str) {
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
