//! One machine: Debian booted by `systemd-nspawn` with its own init, network, disk and cgroup.
//!
//! Its disk is a layer of files that a test wrote over the cached root, and a layer in memory over both, in a mount
//! namespace of its own: it goes with the machine. `/machine` is a directory outside, which stays when the machine is off.
//! The machine ends when its [`Host`] does, and when the thread that made it does, however that ends.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use tempfile::TempDir;

use super::cgroup;
use super::clock::{instant, pass, secs};
use super::shell;

/// How long anything may take: a shared machine may stand still for many seconds.
pub(crate) const LIMIT: f64 = 60.0;

/// The same for one command, in seconds: it fails then, and says so by 124.
const LONGEST: &str = "60";

/// Into a cgroup of its own, then into its own namespaces: systemd takes the cgroup it is started in for its root.
const LAUNCH: &str = r#"
set -e
for tree in $3; do
    mkdir -p "$tree"
    echo $$ >"$tree/cgroup.procs"
done
exec setpriv --pdeathsig KILL unshare --mount --pid --fork --kill-child --mount-proc sh -c "$0" "$@"
"#;

/// The first process in them; systemd-nspawn takes its place.
const FIRST_PROCESS: &str = r#"
set -e
dir=$0 root=$1 name=$3 shared=$4
mount -t tmpfs -o mode=755 machine /run
mount -t tmpfs -o mode=755 machine "$dir/disk"
mkdir "$dir/disk/upper" "$dir/disk/work" "$dir/disk/root"
layers=lowerdir=$dir/layer:$root,upperdir=$dir/disk/upper,workdir=$dir/disk/work
mount -t overlay -o "$layers" machine "$dir/disk/root"
exec systemd-nspawn --directory "$dir/disk/root" --machine "$name" --keep-unit --register=no --private-network --capability CAP_IPC_LOCK \
    --console=pipe --bind "$shared:/machine" --link-journal=no --resolv-conf=off --timezone=off --boot
"#;

/// What no test needs; each would cost time at every boot.
const MASKED: [&str; 9] = [
    "apt-daily.timer",
    "apt-daily-upgrade.timer",
    "dpkg-db-backup.timer",
    "e2scrub_all.timer",
    "fstrim.timer",
    "console-getty.service",
    "getty.target",
    "systemd-update-utmp.service",
    "systemd-update-utmp-runlevel.service",
];

/// A machine, on or off.
pub(crate) struct Host {
    pub(crate) name: &'static str,
    root: PathBuf,
    dir: TempDir,
    /// Where `/machine` lies.
    shared: PathBuf,
    running: Option<Running>,
}

struct Running {
    unshare: Child,
    nspawn: i32,
    leader: i32,
    cgroups: Vec<PathBuf>,
}

/// What a command in a machine said.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: Option<i32>,
    pub(crate) text: String,
}

impl Host {
    /// A machine that was never switched on, with this root below its own files.
    pub(crate) fn new(name: &'static str, root: &Path) -> Host {
        let dir = tempfile::Builder::new().prefix(&cgroup::prefix()).tempdir().expect("a directory of our own");
        for sub in ["layer", "machine", "machine/state", "disk"] {
            fs::create_dir(dir.path().join(sub)).expect("a directory of our own");
        }
        let shared = dir.path().join("machine");
        let host = Host { name, root: root.to_owned(), dir, shared, running: None };
        host.put("etc/hostname", &format!("{name}\n"), 0o644);
        host.put("etc/hosts", &format!("127.0.0.1 localhost {name}\n"), 0o644);
        // What is said is read by tests: nothing of it may be held back.
        let journal = "[Journal]\nStorage=volatile\nRateLimitIntervalSec=0\n";
        host.put("etc/systemd/journald.conf.d/machine.conf", journal, 0o644);
        // On a real machine packages may start and stop what they bring.
        host.put("usr/sbin/policy-rc.d", "#!/bin/sh\nexit 0\n", 0o755);
        for unit in MASKED {
            host.link(&format!("etc/systemd/system/{unit}"), "/dev/null");
        }
        host
    }

    /// The same, with the `/machine` of another one, which has to outlive it.
    pub(crate) fn beside(other: &Host, name: &'static str, root: &Path) -> Host {
        let mut host = Host::new(name, root);
        host.shared.clone_from(&other.shared);
        host
    }

    /// Writes a file: into the layer below the disk while it is off, on the disk while it runs. `path` has no first slash
    /// and goes through no link of Debian's: `usr/lib`, not `lib`.
    pub(crate) fn put(&self, path: &str, text: &str, mode: u32) {
        let path = self.make_way(path);
        fs::write(&path, text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("a file of our own");
    }

    /// The same with a file from outside.
    pub(crate) fn copy(&self, from: &Path, path: &str, mode: u32) {
        let path = self.make_way(path);
        // One that runs cannot be written to.
        let _ = fs::remove_file(&path);
        fs::copy(from, &path).unwrap_or_else(|error| panic!("{}: {error}", from.display()));
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("a file of our own");
    }

    /// The same with a link.
    pub(crate) fn link(&self, path: &str, to: &str) {
        symlink(to, self.make_way(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
    }

    fn make_way(&self, path: &str) -> PathBuf {
        let path = match &self.running {
            Some(running) => PathBuf::from(format!("/proc/{}/root", running.leader)).join(path),
            None => self.dir.path().join("layer").join(path),
        };
        fs::create_dir_all(path.parent().expect("a path below the root")).expect("a directory of our own");
        path
    }

    /// A file of `/machine`, which outlives the machine.
    pub(crate) fn outside(&self, name: &str) -> PathBuf {
        self.shared.join(name)
    }

    /// Switches it on, and waits until systemd has started all it wants to start.
    pub(crate) fn boot(&mut self) {
        assert!(self.running.is_none(), "{} is on already", self.name);
        // What ran on it runs no more.
        for entry in fs::read_dir(self.outside("state")).expect("a directory of our own").flatten() {
            if entry.file_name().to_string_lossy().starts_with(&format!("{}.", self.name)) {
                fs::remove_file(entry.path()).expect("a file of our own");
            }
        }
        let cgroups = cgroup::of(self.dir.path());
        let trees: Vec<String> = cgroups.iter().map(|path| path.display().to_string()).collect();
        let console = fs::File::create(self.dir.path().join("console")).expect("a file of our own");
        let mut command = shell::clean("sh");
        command
            .args(["-c", LAUNCH, FIRST_PROCESS])
            .arg(self.dir.path())
            .arg(&self.root)
            .arg(trees.join(" "))
            .arg(self.name)
            .arg(&self.shared)
            .stdout(console.try_clone().expect("a descriptor"))
            .stderr(console);
        let unshare = command.spawn().expect("a shell");
        self.running = Some(Running { unshare, nspawn: 0, leader: 0, cgroups });
        let nspawn =
            self.wait("a machine's first process", |host| child_of(host.running().unshare.id(), "systemd-nspawn"));
        self.running_mut().nspawn = nspawn;
        let leader = self.wait("a machine's init", |host| child_of(host.running().nspawn, "systemd"));
        self.running_mut().leader = leader;
        self.wait("a machine to boot", |host| {
            let state = host.run("systemctl is-system-running").text;
            matches!(state.lines().next(), Some("running" | "degraded")).then_some(())
        });
    }

    /// Has it switch itself off, as a person does, and waits until it has.
    pub(crate) fn power_off_in_order(&mut self) {
        let order = self.begin("systemctl poweroff");
        self.wait("a machine to switch itself off", |host| {
            let running = host.running.as_mut()?;
            matches!(running.unshare.try_wait(), Ok(Some(_))).then_some(())
        });
        let _ = order.wait_with_output();
        self.power_off();
    }

    /// Ends it as a power failure does, if it is on.
    pub(crate) fn power_off(&mut self) {
        let Some(mut running) = self.running.take() else { return };
        if matches!(running.unshare.try_wait(), Ok(None)) {
            // Its child goes with it, and with that one all the machine.
            let _ = running.unshare.kill();
            let _ = running.unshare.wait();
        }
        let begun = instant();
        while running.cgroups.iter().any(|path| !cgroup::remove(path)) && begun.elapsed() < secs(LIMIT) {
            pass(secs(0.02));
        }
    }

    /// Is it switched on?
    pub(crate) fn is_on(&self) -> bool {
        self.running.is_some()
    }

    /// Runs a shell command in it and says how it ended.
    pub(crate) fn run(&self, what: &str) -> Said {
        Said::of(self.command(what).output())
    }

    /// Runs a shell command in it that must succeed; what it printed.
    pub(crate) fn must(&self, what: &str) -> String {
        let said = self.run(what);
        assert!(said.code == Some(0), "{}: {what}: exit {:?}: {}", self.name, said.code, said.text);
        said.text
    }

    /// Begins a shell command in it.
    pub(crate) fn begin(&self, what: &str) -> Child {
        let mut command = self.command(what);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().unwrap_or_else(|error| panic!("{what} on {}: {error}", self.name))
    }

    fn command(&self, what: &str) -> Command {
        let mut command = shell::clean("nsenter");
        let leader = self.running().leader.to_string();
        command.args([
            "-t", &leader, "-m", "-u", "-i", "-n", "-p", "-C", "-r", "-w", "--", "timeout", LONGEST, "sh", "-c", what,
        ]);
        command
    }

    /// Waits until `found` gives something, and says what was waited for in vain.
    pub(crate) fn wait<T>(&mut self, what: &str, mut found: impl FnMut(&mut Host) -> Option<T>) -> T {
        let begun = instant();
        loop {
            if let Some(found) = found(self) {
                return found;
            }
            let waited = begun.elapsed().as_secs_f64();
            assert!(waited < LIMIT, "{}: waited {waited:.0} s in vain for {what}", self.name);
            pass(secs(0.03));
        }
    }

    /// The number of its init, seen from outside.
    pub(crate) fn leader(&self) -> i32 {
        self.running().leader
    }

    fn running(&self) -> &Running {
        self.running.as_ref().unwrap_or_else(|| panic!("{} is switched off", self.name))
    }

    fn running_mut(&mut self) -> &mut Running {
        self.running.as_mut().expect("it was just switched on")
    }

    /// What a person would look at after a failure.
    pub(crate) fn last_words(&self) -> String {
        let read = |path: PathBuf| fs::read_to_string(path).unwrap_or_default();
        let record = read(self.outside("record"));
        if !self.is_on() {
            return format!(
                "-- {}: console\n{}\n-- record\n{record}",
                self.name,
                read(self.dir.path().join("console"))
            );
        }
        let said = self.run(
            "systemctl status --no-pager --lines=0 latido; journalctl --no-pager -o short-monotonic -n 60; ps -e -o pid,ppid,stat,args",
        );
        format!("-- {}\n{}\n-- record\n{record}", self.name, said.text)
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.power_off();
    }
}

impl Said {
    /// How a command ended that was begun.
    pub(crate) fn of(output: std::io::Result<Output>) -> Said {
        let output = output.expect("nsenter is part of util-linux");
        let text = [output.stdout, output.stderr].concat();
        Said { code: output.status.code(), text: String::from_utf8_lossy(&text).into_owned() }
    }
}

/// Lays a cable between two machines that run: `eth1` at both ends. It is gone when one of them is off.
pub(crate) fn cable(left: &Host, right: &Host) {
    let into = |host: &Host| {
        let mut command = shell::clean("nsenter");
        command.args(["-t", &host.leader().to_string(), "-n", "ip"]);
        command
    };
    let mut command = into(left);
    command.args(["link", "add", "eth1", "type", "veth", "peer", "name", "eth1", "netns", &right.leader().to_string()]);
    shell::must(command);
    for (host, address) in [(left, "10.9.1.1/24"), (right, "10.9.1.2/24")] {
        let mut command = into(host);
        command.args(["addr", "add", address, "brd", "+", "dev", "eth1"]);
        shell::must(command);
        let mut command = into(host);
        command.args(["link", "set", "eth1", "up"]);
        shell::must(command);
    }
}

/// Why no machine can be booted here.
pub(crate) fn missing() -> Option<String> {
    if !nix::unistd::geteuid().is_root() {
        return Some("not root".into());
    }
    for (program, package) in [
        ("systemd-nspawn", "systemd-container"),
        ("nsenter", "util-linux"),
        ("setpriv", "util-linux"),
        ("ip", "iproute2"),
    ] {
        let there = shell::clean("sh").args(["-c", &format!("command -v {program}")]).output();
        if !there.is_ok_and(|output| output.status.success()) {
            return Some(format!("{program} is not installed (apt install {package})"));
        }
    }
    let spaces = shell::clean("unshare").args(["--fork", "--pid", "--mount", "--net", "--mount-proc", "true"]).output();
    if !spaces.is_ok_and(|output| output.status.success()) {
        return Some("no namespaces here".into());
    }
    cgroup::trees().is_empty().then(|| "no cgroups that could be divided here".into())
}

/// The first child of a process that is called this.
fn child_of(pid: impl std::fmt::Display, name: &str) -> Option<i32> {
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).ok()?;
    children.split_whitespace().find_map(|child| {
        let is = fs::read_to_string(format!("/proc/{child}/comm")).ok()?;
        (is.trim() == name).then(|| child.parse().ok())?
    })
}
