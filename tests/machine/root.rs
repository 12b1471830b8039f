//! The Debian root every machine is booted from: made once, kept in the cache, never written to by a machine.

use std::fs;
use std::path::PathBuf;

use super::shell;

/// What systemd, the scripts and a person at the console need.
const PACKAGES: [&str; 5] = ["systemd-sysv", "dbus", "iproute2", "procps", "psmisc"];

/// The root with these packages beside the usual ones; made if it is not there.
pub(crate) fn with(packages: &[&str]) -> Result<PathBuf, String> {
    let wanted: Vec<&str> = PACKAGES.iter().chain(packages).copied().collect();
    let dir = cache().join(format!("machine-{}", [&["bookworm"], packages].concat().join("-")));
    if dir.join("etc/debian_version").exists() {
        return Ok(dir);
    }
    let new = dir.with_extension(format!("new.{}", std::process::id()));
    fs::create_dir_all(cache()).map_err(|error| error.to_string())?;
    let made = shell::clean("mmdebstrap")
        .args(["--variant=minbase", &format!("--include={}", wanted.join(",")), "bookworm"])
        .arg(&new)
        .output()
        .map_err(|error| format!("mmdebstrap: {error} (apt install mmdebstrap)"))?;
    if !made.status.success() {
        let _ = fs::remove_dir_all(&new);
        return Err(format!("no Debian root: {}", shell::said(&made)));
    }
    fs::rename(&new, &dir).map_err(|error| error.to_string())?;
    Ok(dir)
}

fn cache() -> PathBuf {
    let home = || PathBuf::from(std::env::var_os("HOME").unwrap_or_else(|| "/root".into())).join(".cache");
    std::env::var_os("XDG_CACHE_HOME").map_or_else(home, PathBuf::from).join("latido")
}
