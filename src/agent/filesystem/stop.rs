//! Unmounting, with everything below, from whoever holds on to it: asked to end for the first half of the time, ended in
//! the second (`resources.md` 9). Never lazily: a file system that only looks unmounted is mounted twice.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::fd::AsFd;
use std::path::Path;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use nix::errno::Errno;
use nix::mount::{MntFlags, umount2};
use nix::sys::signal::Signal;

use crate::clock::Clock;
use crate::sys;
use crate::time::Mono;

use super::super::{Answer, pause};
use super::holders::{self, Holder, NeverKilled, Search};
use super::mounts::{self, Mount};
use super::{mount_table, real};

/// As long as the original's agent tries.
pub(super) const LIMIT: Duration = Duration::from_secs(20);
/// Holders are looked for and signalled again this often.
const AGAIN: Duration = Duration::from_secs(1);
/// Between two attempts: soon after the first signal, then less often.
const PAUSES: [Duration; 2] = [Duration::from_millis(5), Duration::from_millis(200)];
/// A server that has not answered after this is not waited for.
const REMOTE: Duration = Duration::from_secs(3);

/// Unmounts `dir` and everything below, asking for the first half of `limit` and insisting for the second; fine when nothing is mounted.
///
/// # Errors
/// Only when the mount table cannot be read.
pub(super) fn stop(dir: &Path, limit: Duration, tell: &mut dyn FnMut(&str)) -> io::Result<Answer> {
    let mut attempt = Attempt { clock: Clock::start(), limit, signalled: None, told: BTreeMap::new(), tell };
    let mut wait = PAUSES[0];
    let mut let_go: Vec<Mount> = Vec::new();
    loop {
        let table = mount_table()?;
        let dir = real(dir, &table);
        let there = [mounts::at(&table, &dir), mounts::below(&table, &dir)].concat();
        if there.is_empty() {
            let_go.iter().filter_map(|mount| kept_elsewhere(mount, &table)).for_each(|kept| (attempt.tell)(&kept));
            return Ok(Answer::success());
        }
        if let_go.is_empty() {
            let_go = there.iter().map(|mount| (*mount).clone()).collect();
        }
        // Children before their parents: the table lists them in the order of mounting.
        let mut targets: Vec<&Mount> = table.iter().filter(|mount| there.contains(mount)).collect();
        targets.reverse();
        let Some((mount, error)) = targets.iter().find_map(|mount| attempt.unmount(mount).err().map(|e| (*mount, e)))
        else {
            continue;
        };
        if attempt.is_over() {
            return Ok(Answer::failed(1, give_up(mount, error, &table, limit)));
        }
        attempt.end_holders(mount, &table);
        pause(wait);
        wait = (wait * 2).min(PAUSES[1]);
    }
}

struct Attempt<'a> {
    clock: Clock,
    limit: Duration,
    signalled: Option<Mono>,
    /// Who was told of, and in which stage.
    told: BTreeMap<i32, Signal>,
    tell: &'a mut dyn FnMut(&str),
}

impl Attempt<'_> {
    fn is_over(&self) -> bool {
        self.clock.mono().elapsed() >= self.limit
    }

    fn signal(&self) -> Signal {
        if self.clock.mono().elapsed() < self.limit / 2 { Signal::SIGTERM } else { Signal::SIGKILL }
    }

    fn unmount(&mut self, mount: &Mount) -> Result<(), Errno> {
        let force = mount.is_remote() && self.signal() == Signal::SIGKILL;
        let flags = if force { MntFlags::MNT_FORCE } else { MntFlags::empty() } | MntFlags::UMOUNT_NOFOLLOW;
        let point = mount.point.clone();
        let result = if mount.is_remote() && !force {
            let (sender, receiver) = mpsc::channel();
            thread::spawn(move || sender.send(umount2(&point, flags)));
            receiver.recv_timeout(REMOTE).unwrap_or(Err(Errno::ETIMEDOUT))
        } else {
            umount2(&point, flags)
        };
        match result {
            Ok(()) => (self.tell)(&format!("INFO: unmounted {} successfully", mount.point.display())),
            // Gone meanwhile: the next look at the table shows it.
            Err(Errno::EINVAL | Errno::ENOENT) => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Signals everybody who holds the mount and may be ended, once a second.
    fn end_holders(&mut self, mount: &Mount, table: &[Mount]) {
        let now = self.clock.mono();
        if self.signalled.is_some_and(|at| now.since(at) < AGAIN) {
            return;
        }
        self.signalled = Some(now);
        let signal = self.signal();
        let name = &signal.as_str()["SIG".len()..];
        (self.tell)(&format!("INFO: Couldn't unmount {}; trying cleanup with {name}", mount.point.display()));
        let (search, spared) = (Search::new(mount, table), NeverKilled::now());
        for holder in search.holders() {
            let Holder { pid, command, holds } = &holder;
            if let Some(why) = spared.why(*pid) {
                self.tell_once(&holder, Signal::SIGCONT, &format!("not ending {pid} {command} ({holds}): {why}"));
                continue;
            }
            self.tell_once(&holder, signal, &format!("sending signal {name} to: {pid} {command} ({holds})"));
            if let Err(error) = end(*pid, signal, &search) {
                self.tell_once(&holder, Signal::SIGUSR1, &format!("could not signal {pid} {command}: {error}"));
            }
        }
    }

    fn tell_once(&mut self, holder: &Holder, stage: Signal, text: &str) {
        if self.told.insert(holder.pid, stage) != Some(stage) {
            (self.tell)(&format!("INFO: {text}"));
        }
    }
}

/// By a handle, and only while it still holds on: a process number may have come to mean another one.
fn end(pid: i32, signal: Signal, search: &Search<'_>) -> io::Result<()> {
    let process = match sys::open_process(pid) {
        Err(error) if error.raw_os_error() == Some(libc::ENOSYS) => {
            return Ok(nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), signal)?);
        }
        Err(error) if error.raw_os_error() == Some(libc::ESRCH) => return Ok(()),
        opened => opened?,
    };
    if search.what_holds(pid).is_none() {
        return Ok(());
    }
    match sys::signal_process(process.as_fd(), signal as i32) {
        Err(error) if error.raw_os_error() != Some(libc::ESRCH) => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Who holds it still, or what else may.
fn give_up(mount: &Mount, error: Errno, table: &[Mount], limit: Duration) -> String {
    let point = mount.point.display();
    let holders = Search::new(mount, table).holders();
    let held: Vec<String> =
        holders.iter().map(|Holder { pid, command, holds }| format!("{pid} {command} ({holds})")).collect();
    let others = other_uses(mount);
    let by = match (held.is_empty(), others.is_empty()) {
        (false, _) => format!("held by {}", held.join(", ")),
        (true, false) => format!("used by {}", others.join(", ")),
        (true, true) => "no process holds it: an NFS export of it (exportfs -v), or a mount in a container?".to_owned(),
    };
    format!("Couldn't unmount {point} within {limit:.0?}, giving up: {}; {by}", error.desc())
}

/// A container may keep a disk in use after it was unmounted here, and DRBD, say, from giving it away.
fn kept_elsewhere(mount: &Mount, table: &[Mount]) -> Option<String> {
    const NO_DISK: u64 = 0;
    if mount.device.0 == NO_DISK || table.iter().any(|other| other.device == mount.device) {
        return None;
    }
    let (pid, point) = holders::namespaces().into_iter().find_map(|pid| {
        let table = fs::read(format!("/proc/{pid}/mountinfo")).ok()?;
        let table = mounts::parse(&String::from_utf8_lossy(&table));
        table.into_iter().find(|other| other.device == mount.device).map(|other| (pid, other.point))
    })?;
    let (source, command) = (&mount.source, holders::command_of(pid));
    let point = point.display();
    Some(format!(
        "WARNING: {source} stays in use: it is mounted on {point} in the mount namespace of {pid} {command} (a container?)"
    ))
}

/// Files on it that the kernel itself uses.
fn other_uses(mount: &Mount) -> Vec<String> {
    let on_it = |path: &str| Path::new(path).starts_with(&mount.point);
    let swaps = fs::read_to_string("/proc/swaps").unwrap_or_default();
    let swaps = swaps.lines().skip(1).filter_map(|line| line.split_whitespace().next()).filter(|path| on_it(path));
    let mut found: Vec<String> = swaps.map(|path| format!("swap file {path} (swapoff)")).collect();
    for entry in fs::read_dir("/sys/block").into_iter().flatten().flatten() {
        let backing = fs::read_to_string(entry.path().join("loop/backing_file")).unwrap_or_default();
        if on_it(backing.trim()) {
            let device = entry.file_name();
            let device = device.to_string_lossy();
            found.push(format!("loop device {device} on {} (losetup -d /dev/{device})", backing.trim()));
        }
    }
    found
}
