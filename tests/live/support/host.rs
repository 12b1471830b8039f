//! One host: its namespaces, its private `/etc/ha.d`, `/var/lib/heartbeat`, `/var/log`, `/run`, `/dev`, and the daemon on it.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Output, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::clock::{wait_for, wait_until};
use super::config::{Kind, Plan};
use super::record::{self, STAND_IN};
use super::shell;

/// The first process of a host: private places, then reaping until its input ends. A shell that waits reaps whatever
/// becomes its child; without that `heartbeat -k` would wait for ever for a process that only nobody has asked about.
const FIRST_PROCESS: &str = r#"
set -e
dir=$1 port=$2
hostname "$3"
mount -t tmpfs -o mode=755 host /run
mkdir -p /run/lock /run/resource-agents /run/heartbeat/ccm /run/heartbeat/crm /run/heartbeat/dopd
chmod 1777 /run/lock /run/resource-agents
chown -R hacluster:haclient /run/heartbeat 2>/dev/null || true
mount --bind "$dir/ha.d" /etc/ha.d
mount --bind "$dir/lib" /var/lib/heartbeat
mount --bind "$dir/log" /var/log
mount -t tmpfs host /dev/shm
if [ -n "$port" ]; then
    : >"$dir/ttyS0"
    mount --bind "$port" "$dir/ttyS0"
    mkdir -p "$dir/dev"
    mount -t tmpfs -o mode=755 host "$dir/dev"
    for node in null zero full random urandom tty ptmx ttyS0; do : >"$dir/dev/$node"; done
    for node in null zero full random urandom tty ptmx; do mount --bind "/dev/$node" "$dir/dev/$node"; done
    mkdir "$dir/dev/pts" "$dir/dev/shm"
    mount --bind /dev/pts "$dir/dev/pts"
    mount --bind "$port" "$dir/dev/ttyS0"
    mount --move "$dir/dev" /dev
fi
ip link set lo up
trap 'exit 0' TERM
exec 3<&0 </dev/null
{ cat <&3 >/dev/null; kill -TERM 1; } &
exec 3<&-
: >"$dir/ready"
while :; do wait; sleep 1 & done
"#;

/// What our executable is called by.
const PROGRAMS: [&str; 11] = [
    "latido",
    "heartbeat",
    "hb_standby",
    "hb_takeover",
    "ResourceManager",
    "req_resource",
    "mach_down",
    "cl_status",
    "ipfail",
    "dopd",
    "drbd-peer-outdater",
];

/// A host, on or off.
pub(crate) struct Host {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    /// Everything of it that survives a power-off, seen from outside.
    pub(crate) dir: PathBuf,
    running: Option<Running>,
}

struct Running {
    unshare: Child,
    init: u32,
}

impl Host {
    /// Lays out its directories below `base`; `other` is the directory of the other host.
    pub(crate) fn new(base: &Path, name: &'static str, other: &str, kind: Kind, plan: &Plan) -> Host {
        let dir = base.join(name);
        for sub in ["log", "state", "bin"] {
            fs::create_dir_all(dir.join(sub)).expect("a directory of our own");
        }
        copy(&skeleton(kind), &dir.join("ha.d"));
        copy(Path::new("/var/lib/heartbeat"), &dir.join("lib"));
        let host = Host { name, kind, dir, running: None };
        host.write_programs();
        host.configure(plan);
        host.write_stand_ins(&base.join(other), plan);
        host
    }

    /// Writes `ha.cf`, `haresources` and `authkeys`.
    pub(crate) fn configure(&self, plan: &Plan) {
        let ha_d = self.dir.join("ha.d");
        fs::write(ha_d.join("ha.cf"), plan.ha_cf()).expect("ha.cf");
        fs::write(ha_d.join("haresources"), &plan.haresources).expect("haresources");
        fs::write(ha_d.join("authkeys"), plan.authkeys()).expect("authkeys");
        fs::set_permissions(ha_d.join("authkeys"), fs::Permissions::from_mode(0o600)).expect("authkeys");
    }

    /// Adds lines to `ha.cf`.
    pub(crate) fn add_to_ha_cf(&self, lines: &str) {
        let path = self.dir.join("ha.d/ha.cf");
        let text = fs::read_to_string(&path).expect("ha.cf");
        fs::write(path, text + lines).expect("ha.cf");
    }

    /// Switches it on; `port` is the device that becomes its `/dev/ttyS0`.
    pub(crate) fn boot(&mut self, port: Option<&Path>) {
        let _ = fs::remove_file(self.dir.join("ready"));
        let mut command = shell::clean("unshare");
        command
            .args(["--fork", "--pid", "--mount", "--uts", "--net", "--ipc", "--mount-proc"])
            .args(["sh", "-c", FIRST_PROCESS, "first-process"])
            .arg(&self.dir)
            .arg(port.unwrap_or(Path::new("")))
            .arg(self.name)
            .stdin(Stdio::piped())
            .stderr(fs::File::create(self.dir.join("first-process")).expect("a file of our own"));
        let unshare = command.spawn().expect("unshare is part of util-linux");
        let children = format!("/proc/{0}/task/{0}/children", unshare.id());
        let said = || fs::read_to_string(self.dir.join("first-process")).unwrap_or_default();
        let booted = || self.dir.join("ready").exists() || said().contains("mount:");
        wait_until("a host to boot", 20.0, booted);
        assert!(self.dir.join("ready").exists(), "{} does not boot: {}", self.name, said());
        let init = wait_for("the first process of a host", 5.0, || {
            fs::read_to_string(&children).ok()?.split_whitespace().next()?.parse().ok()
        });
        self.running = Some(Running { unshare, init });
    }

    /// Ends it as a power failure does: everything at once, nothing is told. What ran there runs no more.
    pub(crate) fn power_off(&mut self) {
        if let Some(mut running) = self.running.take() {
            if let Ok(pid) = i32::try_from(running.init) {
                let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
            }
            let _ = running.unshare.wait();
        }
        for name in record::held(&self.dir) {
            let _ = fs::remove_file(self.dir.join("state").join(name));
        }
    }

    /// The number of its first process; panics when it is off.
    pub(crate) fn init(&self) -> u32 {
        self.running.as_ref().unwrap_or_else(|| panic!("{} is switched off", self.name)).init
    }

    /// Is it switched off?
    pub(crate) fn is_off(&self) -> bool {
        self.running.is_none()
    }

    /// Runs a shell command in it.
    pub(crate) fn run(&self, what: &str) -> Output {
        self.command(what).output().unwrap_or_else(|error| panic!("{what} on {}: {error}", self.name))
    }

    /// Begins a shell command in it.
    pub(crate) fn spawn(&self, what: &str) -> Child {
        let mut command = self.command(what);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().unwrap_or_else(|error| panic!("{what} on {}: {error}", self.name))
    }

    /// Starts the daemon in the background, as an init script does.
    pub(crate) fn start(&self) {
        let output = self.run(&self.program("heartbeat"));
        assert!(output.status.success(), "heartbeat does not start on {}: {}", self.name, shell::said(&output));
    }

    /// `heartbeat -k`: it returns when the daemon is gone.
    pub(crate) fn stop(&self) -> Child {
        self.spawn(&format!("{} -k", self.program("heartbeat")))
    }

    /// The full path of one of the programs by its old name.
    pub(crate) fn program(&self, name: &str) -> String {
        match self.kind {
            Kind::Latido => self.dir.join("bin").join(name).display().to_string(),
            Kind::Real if name == "heartbeat" => real_heartbeat().display().to_string(),
            Kind::Real => format!("/usr/share/heartbeat/{name}"),
        }
    }

    /// The daemon's main process, seen from outside.
    pub(crate) fn daemon(&self) -> Option<u32> {
        let inside: u32 = String::from_utf8_lossy(&self.run("cat /run/heartbeat.pid").stdout).trim().parse().ok()?;
        self.outside(inside)
    }

    /// The process that does the work under a Latido's supervisor, seen from outside.
    pub(crate) fn core(&self) -> Option<u32> {
        let output = self.run(&format!("{} status --json", self.program("latido")));
        let status: serde_json::Value = serde_json::from_slice(&output.stdout).ok()?;
        self.outside(u32::try_from(status.get("core")?.as_u64()?).ok()?)
    }

    fn outside(&self, inside: u32) -> Option<u32> {
        let output = shell::clean("sh").args(["-c", "grep -l . /proc/[0-9]*/status"]).output().ok()?;
        let own = fs::read_link(format!("/proc/{}/ns/pid", self.init())).ok()?;
        String::from_utf8_lossy(&output.stdout).lines().find_map(|path| {
            let pid: u32 = path.split('/').nth(2)?.parse().ok()?;
            let status = fs::read_to_string(path).ok()?;
            let innermost = status.lines().find(|line| line.starts_with("NSpid:"))?.split_whitespace().last()?;
            let there = innermost == inside.to_string() && fs::read_link(format!("/proc/{pid}/ns/pid")).ok()? == own;
            there.then_some(pid)
        })
    }

    /// Sends the daemon a signal: its main process, and a Latido's core before it. Returns whom it was sent to, for
    /// [`Host::send`]: who is stopped answers no questions.
    pub(crate) fn signal(&self, signal: Signal) -> Vec<u32> {
        let core = if self.kind == Kind::Latido { self.core() } else { None };
        let daemon = self.daemon().unwrap_or_else(|| panic!("no daemon on {}", self.name));
        let pids: Vec<u32> = core.into_iter().chain([daemon]).collect();
        Host::send(&pids, signal);
        pids
    }

    /// Sends these processes a signal.
    pub(crate) fn send(pids: &[u32], signal: Signal) {
        for pid in pids {
            kill(Pid::from_raw(i32::try_from(*pid).expect("a pid")), signal).expect("our daemon can be signalled");
        }
    }

    /// The log so far.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.dir.join("log/ha-log")).unwrap_or_default()
    }

    /// The resources up on it right now.
    pub(crate) fn held(&self) -> Vec<String> {
        record::held(&self.dir)
    }

    fn command(&self, what: &str) -> std::process::Command {
        let mut command = shell::inside(self.init(), true);
        command.args(["sh", "-c", what]);
        command
    }

    fn write_programs(&self) {
        for name in PROGRAMS {
            symlink(latido(), self.dir.join("bin").join(name)).expect("a link of our own");
        }
    }

    fn write_stand_ins(&self, other: &Path, plan: &Plan) {
        let text =
            STAND_IN.replace("@DIR@", &self.dir.display().to_string()).replace("@OTHER@", &other.display().to_string());
        for line in plan.haresources.lines() {
            for name in line.split(' ').skip(1).filter(|name| !name.contains(['.', ':'])) {
                let path = self.dir.join("ha.d/resource.d").join(name);
                fs::write(&path, &text).expect("a script of our own");
                fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("a script of our own");
            }
        }
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.power_off();
    }
}

/// The executable under test: this build's, or the one `LATIDO_LIVE_PROGRAM` names.
pub(crate) fn latido() -> PathBuf {
    std::env::var_os("LATIDO_LIVE_PROGRAM").map_or_else(|| PathBuf::from(env!("CARGO_BIN_EXE_latido")), PathBuf::from)
}

/// Where Debian puts the original, if it is installed.
pub(crate) fn real_heartbeat() -> PathBuf {
    ["/usr/libexec/heartbeat/heartbeat", "/usr/lib/heartbeat/heartbeat"]
        .map(PathBuf::from)
        .into_iter()
        .find(|path| path.exists())
        .unwrap_or_default()
}

/// The `/etc/ha.d` a node of that kind comes with: its own harc, rc.d, resource.d and shellfuncs.
fn skeleton(kind: Kind) -> PathBuf {
    match kind {
        Kind::Real => PathBuf::from("/etc/ha.d"),
        Kind::Latido => Path::new(env!("CARGO_MANIFEST_DIR")).join("etc/ha.d"),
    }
}

fn copy(from: &Path, to: &Path) {
    if from.exists() {
        let mut command = shell::clean("cp");
        command.arg("-a").arg(from).arg(to);
        shell::must(command);
    }
    fs::create_dir_all(to.join("resource.d")).expect("a directory of our own");
}
