//! A node's machine: its host, cards, disk, devices and witness, and the daemon on it.
//!
//! The disk outlives a power-off, the rest does not. What the daemon needs of a root file system is the real one's, with
//! private places over `/dev`, `/run`, `/tmp` and `/var/log`.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader};
use std::os::unix::fs::symlink;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::Sender;
use std::{fs, thread};

use nix::mount::{MsFlags, mount};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::clock::Clock;
use crate::paths::Paths;
use crate::sys;

use super::bench::Cable;
use super::files::FENCE_SCRIPT;
use super::host::{DISKS, HA_DIR, Host};
use super::original;
use super::printer::{Happening, What};
use super::witness::{RECORD, Said};

/// The executable of this program, also where its path is hidden by a mount.
pub(super) const PROGRAM: &str = "/proc/self/exe";

/// On each host, where lies what outlives the lab when something went wrong; no fault reaches it.
pub(super) const KEPT: &str = "/run/lab/kept";
/// How much a node's disk, and its `/var/run`, hold: little enough to be filled.
const DISK_SIZE: &str = "mode=755,size=16m";
const RUN_SIZE: &str = "mode=755,size=4m";

/// A machine that is switched on.
#[derive(Debug)]
pub(super) struct Machine {
    pub(super) host: Host,
    /// By interface.
    pub(super) cables: BTreeMap<String, Cable>,
    witness: Child,
    /// The daemon's process id on the bench, while it runs as far as we know.
    daemon: Option<u32>,
    is_original: bool,
    /// Whether what happens to the daemon is recorded in [`KEPT`].
    is_recorded: bool,
}

/// Whom a machine tells what happens on it.
#[derive(Clone, Debug)]
pub(super) struct HappeningSender {
    pub(super) clock: Clock,
    pub(super) to: Sender<Happening>,
}

impl Machine {
    /// Furnishes a host that was just booted; `ports` are the serial devices it has and the terminals behind them.
    pub(super) fn set_up(
        host: Host,
        ports: &[(String, PathBuf)],
        is_original: bool,
        kept: Option<&Path>,
        sender: &HappeningSender,
    ) -> io::Result<Machine> {
        let disk = Path::new(DISKS).join(host.name());
        host.run(|| private_places(&disk, ports, kept))??;
        if is_original {
            host.run(original::set_up)??;
        }
        let mut witness = host.spawn(
            Command::new(PROGRAM)
                .args(["lab", "--inner", "witness", "--", host.name()])
                .stdin(Stdio::null())
                .stdout(Stdio::piped()),
        )?;
        let said = witness.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
        let mut lines = BufReader::new(said).lines();
        // Who is told to start must find it ready: its FIFO, its sockets.
        if lines.next().transpose()?.as_deref().and_then(Said::from_line) != Some(Said::Ready) {
            return Err(io::Error::other(format!("the witness on {} does not start", host.name())));
        }
        let (sender, name) = (sender.clone(), host.name().to_owned());
        thread::Builder::new().name(format!("witness {name}")).spawn(move || {
            let _ = sys::set_realtime(2);
            for said in lines.map_while(Result::ok).filter_map(|line| Said::from_line(&line)) {
                sender.tell(&name, What::Witness(said));
            }
        })?;
        Ok(Machine { host, cables: BTreeMap::new(), witness, daemon: None, is_original, is_recorded: kept.is_some() })
    }

    /// Starts the daemon; its log lines and its end are told.
    pub(super) fn start_daemon(&mut self, sender: &HappeningSender) -> io::Result<()> {
        let mut command = if self.is_original { original::daemon() } else { our_daemon() };
        if self.is_recorded && !self.is_original {
            command.arg("--record").arg(format!("{KEPT}/{}.record", self.host.name()));
        }
        command.env_clear().env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut daemon = self.host.spawn(&mut command)?;
        self.daemon = Some(daemon.id());
        let lines = daemon.stderr.take().map(BufReader::new).ok_or(io::ErrorKind::BrokenPipe)?.lines();
        let (sender, name) = (sender.clone(), self.host.name().to_owned());
        thread::Builder::new().name(format!("daemon {name}")).spawn(move || {
            let _ = sys::set_realtime(2);
            for line in lines.map_while(Result::ok) {
                sender.tell(&name, What::Log(line));
            }
            let code = daemon.wait().ok().and_then(|status| status.code());
            sender.tell(&name, What::Ended(code));
        })?;
        Ok(())
    }

    /// Runs a command of its cluster software, and gives what it printed.
    pub(super) fn run(&self, words: &[&str]) -> io::Result<String> {
        let output = self.begin(words)?.wait_with_output()?;
        Ok(String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr))
    }

    /// Starts a command of its cluster software; what it prints can be read.
    pub(super) fn begin(&self, words: &[&str]) -> io::Result<Child> {
        let mut command = if self.is_original { original::program(words) } else { our_program(words) };
        self.host.spawn(command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()))
    }

    /// Whether the daemon was started and has not been heard to end.
    pub(super) fn has_daemon(&self) -> bool {
        self.daemon.is_some()
    }

    /// To be called when its end was told.
    pub(super) fn daemon_ended(&mut self) {
        self.daemon = None;
    }

    /// Kills the process that does the daemon's work, as a bug or a hasty hand would.
    pub(super) fn kill_core(&self) -> io::Result<()> {
        let daemon = self.daemon.ok_or_else(|| io::Error::other("no daemon runs there"))?;
        let children = std::fs::read_to_string(format!("/proc/{daemon}/task/{daemon}/children"))?;
        let core = children.split_ascii_whitespace().find_map(|word| word.parse().ok());
        Ok(kill(Pid::from_raw(core.ok_or_else(|| io::Error::other("it has no core"))?), Signal::SIGKILL)?)
    }

    /// Sends the daemon a signal; what stops or wakes it does so to its core as well, which the supervisor leaves alone.
    pub(super) fn signal(&self, signal: Signal) -> io::Result<()> {
        let daemon = self.daemon.and_then(|pid| i32::try_from(pid).ok());
        let Some(pid) = daemon else { return Err(io::Error::other("no daemon runs there")) };
        if matches!(signal, Signal::SIGSTOP | Signal::SIGCONT) {
            let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
            for child in children.split_ascii_whitespace().filter_map(|word| word.parse().ok()) {
                // A core that dies this moment needs no signal.
                let _ = kill(Pid::from_raw(child), signal);
            }
        }
        Ok(kill(Pid::from_raw(pid), signal)?)
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        self.host.power_off();
        let _ = self.witness.wait();
    }
}

impl HappeningSender {
    /// Tells that something happened just now.
    pub(super) fn tell(&self, host: &str, what: What) {
        let _ = self.to.send(Happening { at: self.clock.mono(), host: host.to_owned(), what });
    }
}

/// Our daemon, in the foreground.
fn our_daemon() -> Command {
    let mut command = Command::new(PROGRAM);
    command.arg0("latido").args(["daemon", "--foreground", "-d", HA_DIR]);
    command
}

/// One of our commands.
fn our_program(words: &[&str]) -> Command {
    let mut command = Command::new(PROGRAM);
    command.arg0("latido").args(words).env("HA_DIR", HA_DIR);
    command
}

/// Writes a node's disk; `agents` are the resource scripts by name.
pub(super) fn write_disk(
    node: &str,
    files: &[(&str, &str)],
    agents: &[(String, String)],
    is_original: bool,
) -> io::Result<()> {
    let disk = Path::new(DISKS).join(node);
    fs::create_dir_all(&disk)?;
    mount(Some("tmpfs"), &disk, Some("tmpfs"), MsFlags::MS_NOSUID, Some(DISK_SIZE))?;
    let ha_dir = disk.join("ha.d");
    fs::create_dir_all(ha_dir.join("resource.d"))?;
    if is_original {
        original::write_disk(&disk)?;
    }
    write(&disk.join("fence"), FENCE_SCRIPT, 0o755)?;
    for directory in ["log", "ha.d/var/run"] {
        fs::create_dir_all(disk.join(directory))?;
    }
    for (name, text) in files {
        write(&ha_dir.join(name), text, 0o600)?;
    }
    for (name, text) in agents {
        write(&ha_dir.join("resource.d").join(name), text, 0o755)?;
    }
    Ok(())
}

fn write(path: &Path, text: &str, mode: u32) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::write(path, text)?;
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
}

/// Runs on the host: its own disk, and nothing of this machine's run-time state.
fn private_places(disk: &Path, ports: &[(String, PathBuf)], kept: Option<&Path>) -> io::Result<()> {
    bind(disk, Path::new(DISKS))?;
    empty("/run", "mode=755")?;
    Path::new(RECORD).parent().map_or(Ok(()), fs::create_dir_all)?;
    if let Some(kept) = kept {
        // Before /tmp is out of sight.
        fs::create_dir_all(KEPT)?;
        bind(kept, Path::new(KEPT))?;
    }
    empty("/tmp", "mode=1777")?;
    empty(&format!("{HA_DIR}/var/run"), RUN_SIZE)?;
    bind(&Path::new(DISKS).join("log"), Path::new("/var/log"))?;
    for directory in ["/run/lock", "/run/dev"] {
        fs::create_dir_all(directory)?;
    }
    let lock_dir = Paths::under(Path::new(HA_DIR)).lock_dir;
    fs::create_dir_all(lock_dir)?;
    private_devices(ports)
}

/// A `/dev` with what programs need, and the serial ports under the names the configuration gives them. There is no
/// `/dev/log`: what a lab says does not belong in this machine's log.
fn private_devices(ports: &[(String, PathBuf)]) -> io::Result<()> {
    let staging = Path::new("/run/dev");
    empty("/run/dev", "mode=755")?;
    for name in ["null", "zero", "full", "random", "urandom", "tty", "ptmx"] {
        let node = Path::new("/dev").join(name);
        if node.exists() {
            fs::write(staging.join(name), "")?;
            bind(&node, &staging.join(name))?;
        }
    }
    for directory in ["pts", "shm"] {
        fs::create_dir_all(staging.join(directory))?;
    }
    bind(Path::new("/dev/pts"), &staging.join("pts"))?;
    for (link, target) in [("fd", "/proc/self/fd"), ("stdin", "fd/0"), ("stdout", "fd/1"), ("stderr", "fd/2")] {
        symlink(target, staging.join(link))?;
    }
    for (device, terminal) in ports {
        let place = staging.join(device.trim_start_matches("/dev/"));
        place.parent().map_or(Ok(()), fs::create_dir_all)?;
        fs::write(&place, "")?;
        bind(terminal, &place)?;
    }
    mount(Some(staging), "/dev", None::<&str>, MsFlags::MS_MOVE, None::<&str>)?;
    Ok(())
}

fn bind(from: &Path, to: &Path) -> io::Result<()> {
    mount(Some(from), to, None::<&str>, MsFlags::MS_BIND | MsFlags::MS_REC, None::<&str>)
        .map_err(|error| io::Error::other(format!("showing {} at {}: {error}", from.display(), to.display())))
}

fn empty(directory: &str, options: &str) -> io::Result<()> {
    mount(Some("tmpfs"), directory, Some("tmpfs"), MsFlags::MS_NOSUID, Some(options))
        .map_err(|error| io::Error::other(format!("an empty {directory}: {error}")))
}
