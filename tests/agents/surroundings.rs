//! What agents are tested among: processes to find, ask and end, and rights they may or may not have.

use std::path::Path;
use std::process::{Child, Command, Stdio};

/// Whether we are root of more than the bench: a user namespace can neither use loop devices nor read others' files.
pub(crate) fn is_root_of_the_machine() -> bool {
    let map = std::fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    map.split_whitespace().eq(["0", "0", "4294967295"])
}

/// A process that lives until it is ended, in a process group of its own.
pub(crate) struct Sleeper(Child);

impl Sleeper {
    /// A shell script; returns when it has said that it is ready.
    pub(crate) fn new(dir: &Path, script: &str) -> Sleeper {
        Sleeper::of(dir, &format!("{script}\necho ready\nexec >/dev/null\nwhile :; do sleep 0.05; done"))
    }

    /// A shell script that says "ready" itself.
    pub(crate) fn of(dir: &Path, script: &str) -> Sleeper {
        use std::io::Read as _;
        use std::os::unix::process::CommandExt as _;
        let mut child = Command::new("sh")
            .args(["-c", script])
            .current_dir(dir)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .process_group(0)
            .spawn()
            .unwrap();
        let mut said = [0; 6];
        child.stdout.take().unwrap().read_exact(&mut said).unwrap();
        Sleeper(child)
    }

    pub(crate) fn pid(&self) -> u32 {
        self.0.id()
    }

    /// Whether it still runs.
    pub(crate) fn lives(&mut self) -> bool {
        self.0.try_wait().unwrap().is_none()
    }
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
