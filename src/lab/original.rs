//! The original heartbeat on one host of the lab: the places it insists on, and how it is started. It is run, as Debian's
//! package has it, and shares nothing with us but the disk the lab wrote.

use std::io;
use std::path::Path;
use std::process::{Command, Stdio};

use super::host::{DISKS, HA_DIR};

pub(super) const PROGRAM: &str = "/usr/libexec/heartbeat/heartbeat";
/// What a node of it needs besides the three files.
const PARTS: [&str; 4] = ["harc", "rc.d", "resource.d", "shellfuncs"];

/// Whether it can be run here.
///
/// # Errors
/// A sentence: what is missing.
pub(super) fn check() -> Result<(), String> {
    if !Path::new(PROGRAM).exists() {
        return Err(format!("{PROGRAM} is not there (Debian: apt install heartbeat)"));
    }
    if !nix::unistd::geteuid().is_root() || !real_root() {
        return Err("the original heartbeat wants to be root of this machine".to_owned());
    }
    Ok(())
}

/// Whether a program can be run as this user here.
pub(super) fn has_user(name: &str) -> bool {
    real_root() && nix::unistd::User::from_name(name).is_ok_and(|user| user.is_some())
}

/// Where its package has ipfail, and whom it runs as.
pub(super) const IPFAIL: &str = "respawn hacluster /usr/libexec/heartbeat/ipfail";

/// Whether users beyond our own exist for us, as they do not in a user namespace of one's own.
fn real_root() -> bool {
    let map = std::fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    map.split_whitespace().nth(2).and_then(|count| count.parse::<u64>().ok()).is_some_and(|count| count > 65_536)
}

/// Puts its own scripts and state on a node's disk, before the lab's files.
pub(super) fn write_disk(disk: &Path) -> io::Result<()> {
    let ha_dir = disk.join("ha.d");
    let present = PARTS.iter().map(|part| Path::new("/etc/ha.d").join(part)).filter(|path| path.exists());
    must(Command::new("cp").arg("-a").args(present).arg(&ha_dir))?;
    must(Command::new("cp").arg("-a").arg("/var/lib/heartbeat").arg(disk.join("lib")))
}

/// Runs on the host, once its private places are there.
pub(super) fn set_up() -> io::Result<()> {
    let script = format!(
        "mkdir -p /run/heartbeat/ccm /run/heartbeat/crm /run/heartbeat/dopd /run/resource-agents && \
         chmod 1777 /run/lock /run/resource-agents && chown -R hacluster:haclient /run/heartbeat && \
         mount --bind {HA_DIR} /etc/ha.d && mount --bind {DISKS}/lib /var/lib/heartbeat"
    );
    must(Command::new("sh").args(["-c", &script]))
}

/// The daemon, in the foreground.
pub(super) fn daemon() -> Command {
    let mut command = Command::new(PROGRAM);
    command.arg("-f");
    command
}

/// One of its programs.
pub(super) fn program(words: &[&str]) -> Command {
    let mut command = Command::new("env");
    command.args(words);
    let path = "/usr/share/heartbeat:/usr/libexec/heartbeat:/usr/lib/heartbeat:/usr/sbin:/usr/bin:/sbin:/bin";
    command.env("PATH", path);
    command
}

fn must(command: &mut Command) -> io::Result<()> {
    let output = command.stdin(Stdio::null()).output()?;
    if output.status.success() {
        return Ok(());
    }
    Err(io::Error::other(String::from_utf8_lossy(&output.stderr).trim().to_owned()))
}
