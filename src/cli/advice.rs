//! What to type next, where a command finds nothing to work with: no files, no daemon, not root.

use std::path::Path;

use crate::client::AskError;
use crate::host::at_boot::has_unit;
use crate::host::pidfile::{Running, running};
use crate::paths::Paths;

/// LSB: not allowed.
pub(super) const NOT_PRIVILEGED: u8 = 4;

/// What to type when the system's node is to be run, and not by root; in another directory anybody may try.
pub(super) fn not_root(paths: &Paths, command: &str) -> Option<String> {
    let needs_root = *paths == Paths::system() && !nix::unistd::geteuid().is_root();
    needs_root
        .then(|| format!("only root can use the ports, the lines and the addresses of this machine: sudo {command}"))
}

/// How a command is told of another directory than the system's: ` -d DIR`, or nothing.
pub(super) fn given(paths: &Paths) -> String {
    if *paths == Paths::system() { String::new() } else { format!(" -d {}", paths.ha_dir.display()) }
}

/// What writes the files that are missing.
pub(super) fn files(paths: &Paths) -> String {
    let given = given(paths);
    format!("`latido init{given}` asks what it needs and writes ha.cf, haresources and authkeys")
}

/// What is wrong with the daemon, and what to type.
pub(super) fn told(error: &AskError, paths: &Paths) -> String {
    match error {
        AskError::NotRunning(_) => format!("{error}\n  {}", start(paths)),
        AskError::NotAllowed(_) => {
            format!("{error}\n  as root: sudo latido ...; for good: usermod -a -G haclient USER")
        }
        AskError::TimedOut | AskError::Broken(_) => error.to_string(),
    }
}

/// Whether a service manager that has our unit looks after this node.
pub(super) fn by_systemd(paths: &Paths) -> bool {
    *paths == Paths::system() && Path::new("/run/systemd/system").is_dir() && has_unit(Path::new("/"), "latido")
}

/// What starts the daemon, or what must be there before.
pub(super) fn start(paths: &Paths) -> String {
    if !paths.ha_cf().exists() {
        let dir = paths.ha_dir.display();
        return format!("there is no {dir}/ha.cf: {}", files(paths));
    }
    if let Running::Yes(pid) = running(&paths.pid_file) {
        return format!("pid {pid} runs: it is starting, or it is another heartbeat; its log says more");
    }
    let given = given(paths);
    if by_systemd(paths) {
        "start it: systemctl start latido".to_owned()
    } else {
        format!("start it: latido start{given}")
    }
}
