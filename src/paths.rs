//! Where everything lies: the original's places, or all of them under one directory (`files.md`). Touches nothing.

use std::path::{Path, PathBuf};

/// The files and directories of one node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paths {
    /// `/etc/ha.d`
    pub ha_dir: PathBuf,
    /// `/etc/init.d`
    pub init_dir: PathBuf,
    /// `/var/lib/heartbeat`: `hb_generation`, `hb_uuid`, `fifo`, and our `latido-peers`
    pub lib_dir: PathBuf,
    /// `/var/run/heartbeat`, which belongs to `hacluster`: what old programs look for there, and nothing else
    pub run_dir: PathBuf,
    /// `/run/latido`, which is root's: our control socket, what one life leaves for the next, and `rsctmp`
    pub own_dir: PathBuf,
    /// `/var/run/heartbeat.pid`
    pub pid_file: PathBuf,
    /// `/var/lock`: `LCK..ttyS0`
    pub lock_dir: PathBuf,
}

impl Paths {
    /// The original's places.
    pub fn system() -> Paths {
        Paths {
            ha_dir: "/etc/ha.d".into(),
            init_dir: "/etc/init.d".into(),
            lib_dir: "/var/lib/heartbeat".into(),
            run_dir: "/var/run/heartbeat".into(),
            own_dir: "/run/latido".into(),
            pid_file: "/var/run/heartbeat.pid".into(),
            lock_dir: "/var/lock".into(),
        }
    }

    /// Everything below one directory that holds `ha.cf`, for labs and tests; `/etc/ha.d` itself means the system's.
    ///
    /// A relative one is taken from where this program stands now: scripts and daemons stand elsewhere. An empty one, as
    /// of an empty `HA_DIR`, is none.
    pub fn under(dir: &Path) -> Paths {
        let dir = absolute(dir);
        if dir == Path::new("/etc/ha.d") || dir.as_os_str().is_empty() {
            return Paths::system();
        }
        Paths {
            ha_dir: dir.clone(),
            init_dir: "/etc/init.d".into(),
            lib_dir: dir.join("var/lib/heartbeat"),
            run_dir: dir.join("var/run/heartbeat"),
            own_dir: dir.join("var/run/latido"),
            pid_file: dir.join("var/run/heartbeat.pid"),
            lock_dir: dir.join("var/lock"),
        }
    }

    /// `ha.cf`
    pub fn ha_cf(&self) -> PathBuf {
        self.ha_dir.join("ha.cf")
    }

    /// `haresources`
    pub fn haresources(&self) -> PathBuf {
        self.ha_dir.join("haresources")
    }

    /// `authkeys`
    pub fn authkeys(&self) -> PathBuf {
        self.ha_dir.join("authkeys")
    }

    /// `latido.cf`
    pub fn latido_cf(&self) -> PathBuf {
        self.ha_dir.join("latido.cf")
    }

    /// `resource.d`
    pub fn resource_dir(&self) -> PathBuf {
        self.ha_dir.join("resource.d")
    }

    /// `rc.d`
    pub fn rc_dir(&self) -> PathBuf {
        self.ha_dir.join("rc.d")
    }

    /// The functions that scripts of `resource.d` and `rc.d` read.
    pub fn shellfuncs(&self) -> PathBuf {
        self.ha_dir.join("shellfuncs")
    }

    /// The FIFO scripts write messages into.
    pub fn fifo(&self) -> PathBuf {
        self.lib_dir.join("fifo")
    }

    /// What happened, for `latido events` and `latido why`.
    pub fn journal(&self) -> PathBuf {
        self.lib_dir.join("latido-events")
    }

    /// Where agents note what runs; emptied by a reboot.
    pub fn rsctmp(&self) -> PathBuf {
        self.own_dir.join("rsctmp")
    }

    /// The socket of the original's client library.
    pub fn api_socket(&self) -> PathBuf {
        self.run_dir.join("register")
    }

    /// Where `drbd-peer-outdater` finds `dopd`.
    pub fn dopd_socket(&self) -> PathBuf {
        self.run_dir.join("dopd/outdater")
    }

    /// Our own control socket.
    pub fn control_socket(&self) -> PathBuf {
        self.own_dir.join("latido.sock")
    }
}

/// The same place from everywhere, without `.` and a slash at its end.
fn absolute(dir: &Path) -> PathBuf {
    let full = std::path::absolute(dir).unwrap_or_else(|_| dir.to_owned());
    full.components().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_relative_directory_is_the_same_from_everywhere() {
        let here = std::env::current_dir().unwrap();
        for dir in ["etc/ha.d", "./etc/ha.d/", "etc//ha.d/."] {
            assert_eq!(Paths::under(Path::new(dir)).ha_dir, here.join("etc/ha.d"), "{dir}");
            assert!(Paths::under(Path::new(dir)).pid_file.is_absolute());
        }
    }

    #[test]
    fn the_systems_directory_is_the_systems_however_it_is_written() {
        for dir in ["/etc/ha.d", "/etc/ha.d/", "/etc/./ha.d", ""] {
            assert_eq!(Paths::under(Path::new(dir)), Paths::system(), "{dir}");
        }
    }
}
