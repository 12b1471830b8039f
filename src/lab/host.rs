//! A host: network, mounts, pids and name of its own, and a first process that reaps.
//!
//! The bench acts in a host through [`Host::run`]: a thread that has entered the host's namespaces runs a closure there,
//! be it to mount, to write a file, to open a socket or to start a program, and its result comes back as a value.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::init;

/// The configuration directory on each node.
pub(super) const HA_DIR: &str = "/mnt/ha.d";

/// Where the nodes' disks are on the bench, and each its own on its host.
pub(super) const DISKS: &str = "/mnt";

/// A host that is switched on. Dropping it switches it off.
#[derive(Debug)]
pub struct Host {
    name: String,
    /// Its first process; the pipe on its standard input ends it when the bench is gone.
    first: Child,
    spaces: Spaces,
}

/// Handles to a host's namespaces.
#[derive(Debug)]
struct Spaces {
    net: File,
    mounts: File,
    uts: File,
    ipc: File,
    pids: File,
}

impl Host {
    /// Switches on a host whose `uname -n` is `name`. `program` is the `latido` executable, which serves as its first
    /// process.
    ///
    /// # Errors
    /// When namespaces are refused, or the first process fails; its complaint is on our standard error.
    pub fn boot(program: &Path, name: &str) -> io::Result<Host> {
        let mut first = in_a_thread(|| {
            unshare(CloneFlags::CLONE_FS | all_spaces())?;
            Command::new(program)
                .args(["lab", "--inner", "init", "--", name])
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
        })?;
        let mut answer = String::new();
        if let Some(stdout) = first.stdout.take() {
            BufReader::new(stdout).read_line(&mut answer)?;
        }
        if answer.trim_end() != init::READY {
            let _ = first.kill();
            let _ = first.wait();
            return Err(io::Error::other(format!("host {name} did not start")));
        }
        let spaces = Spaces::of(first.id())?;
        Ok(Host { name: name.to_owned(), first, spaces })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its network namespace.
    pub fn network(&self) -> BorrowedFd<'_> {
        self.spaces.net.as_fd()
    }

    /// The processes of the host: the id each has on the bench, and its id on the host.
    pub fn processes(&self) -> Vec<(i32, i32)> {
        let space = |pid: &str| fs::read_link(format!("/proc/{pid}/ns/pid")).ok();
        let here = space(&self.first.id().to_string());
        let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
        let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
        let ours = names.filter(|name| name.parse::<u32>().is_ok() && space(name) == here);
        ours.filter_map(|pid| {
            let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
            let ids = status.lines().find_map(|line| line.strip_prefix("NSpid:"))?;
            Some((pid.parse().ok()?, ids.split_whitespace().last()?.parse().ok()?))
        })
        .collect()
    }

    /// Runs a closure in the host: files, sockets and mounts are the host's, and what it starts belongs to the host.
    ///
    /// # Errors
    /// When the host cannot be entered, for instance because it was switched off.
    pub fn run<T: Send>(&self, job: impl FnOnce() -> T + Send) -> io::Result<T> {
        in_a_thread(|| {
            self.spaces.enter()?;
            Ok(job())
        })
    }

    /// Starts a program in the host, in a process group of its own so that the terminal's signals pass it by.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn spawn(&self, command: &mut Command) -> io::Result<Child> {
        use std::os::unix::process::CommandExt;
        self.run(|| command.process_group(0).spawn())?
    }

    /// Puts an empty file system over an existing directory.
    ///
    /// # Errors
    /// When there is no such directory, or mounting is refused.
    pub fn mount_tmpfs(&self, directory: &Path) -> io::Result<()> {
        self.run(|| mount(Some("tmpfs"), directory, Some("tmpfs"), MsFlags::empty(), Some("mode=755")))??;
        Ok(())
    }

    /// Shows the file or directory `from` of the bench also at `to`, which must exist in the host.
    ///
    /// # Errors
    /// When either does not exist, or mounting is refused.
    pub fn bind(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.run(|| mount(Some(from), to, None::<&str>, MsFlags::MS_BIND | MsFlags::MS_REC, None::<&str>))??;
        Ok(())
    }

    /// Writes a file with these permissions, and the directories above it where they are missing.
    ///
    /// # Errors
    /// As the file system says.
    pub fn write_file(&self, path: &Path, contents: &[u8], mode: u32) -> io::Result<()> {
        self.run(|| {
            if let Some(directory) = path.parent() {
                fs::create_dir_all(directory)?;
            }
            let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(path)?;
            file.write_all(contents)?;
            file.set_permissions(fs::Permissions::from_mode(mode))
        })?
    }

    /// Ends every process of the host at once, as a power failure does. Returns before they are all gone; dropping the
    /// host waits for that.
    pub fn power_off(&self) {
        if let Ok(pid) = i32::try_from(self.first.id()) {
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = self.first.kill();
        let _ = self.first.wait();
    }
}

impl Spaces {
    /// Those a process lives in.
    fn of(pid: u32) -> io::Result<Spaces> {
        let open = |kind: &str| File::open(format!("/proc/{pid}/ns/{kind}"));
        Ok(Spaces { net: open("net")?, mounts: open("mnt")?, uts: open("uts")?, ipc: open("ipc")?, pids: open("pid")? })
    }

    /// Moves the calling thread there; what it starts is in the host's pid namespace, it itself is not.
    fn enter(&self) -> io::Result<()> {
        // Threads share their root and working directory unless told otherwise, and a mount namespace is entered with both.
        unshare(CloneFlags::CLONE_FS)?;
        setns(&self.pids, CloneFlags::CLONE_NEWPID)?;
        setns(&self.net, CloneFlags::CLONE_NEWNET)?;
        setns(&self.uts, CloneFlags::CLONE_NEWUTS)?;
        setns(&self.ipc, CloneFlags::CLONE_NEWIPC)?;
        setns(&self.mounts, CloneFlags::CLONE_NEWNS)?;
        Ok(())
    }
}

/// Runs a closure in a thread that has entered only this network namespace; sockets it opens stay there.
///
/// # Errors
/// When the namespace cannot be entered.
pub fn in_network<T: Send>(network: BorrowedFd<'_>, job: impl FnOnce() -> T + Send) -> io::Result<T> {
    in_a_thread(|| {
        setns(network, CloneFlags::CLONE_NEWNET)?;
        Ok(job())
    })
}

/// Runs a closure in a thread of its own, since namespaces belong to threads.
fn in_a_thread<T: Send>(job: impl FnOnce() -> io::Result<T> + Send) -> io::Result<T> {
    thread::scope(|scope| scope.spawn(job).join()).unwrap_or_else(|_| Err(io::Error::other("a thread panicked")))
}

fn all_spaces() -> CloneFlags {
    CloneFlags::CLONE_NEWNET
        | CloneFlags::CLONE_NEWNS
        | CloneFlags::CLONE_NEWUTS
        | CloneFlags::CLONE_NEWIPC
        | CloneFlags::CLONE_NEWPID
}
