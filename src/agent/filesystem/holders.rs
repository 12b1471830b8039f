//! Who keeps a mount busy: working directories, roots, programs, open and mapped files, from `/proc`.
//!
//! A file system that is mounted elsewhere as well (a bind mount, a second mount) is searched by mount, not by device:
//! by device every process of the machine could be a holder. Network file systems are searched so, too, without touching
//! their files, because the server may not answer. A service in a mount namespace of its own counts when its mount goes
//! with ours: the kernel refuses to unmount both while it holds its own.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use nix::sys::stat::{major, minor};

use crate::sys;

use super::mounts::{self, Mount};

/// A process that holds something on a mount.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Holder {
    pub(super) pid: i32,
    /// Its command line.
    pub(super) command: String,
    /// What it holds: `working directory /data/x`.
    pub(super) holds: String,
}

/// Finds holders of one mount.
#[derive(Debug)]
pub(super) struct Search<'a> {
    mount: &'a Mount,
    all: &'a [Mount],
    /// The device as files on it show it, when no other mount shows the same.
    device: Option<u64>,
    namespace: Option<PathBuf>,
}

impl<'a> Search<'a> {
    /// For `mount`, one of `all`.
    pub(super) fn new(mount: &'a Mount, all: &'a [Mount]) -> Search<'a> {
        let elsewhere = all.iter().any(|other| other.device == mount.device && other.point != mount.point);
        let searched_by_mount = elsewhere || mount.is_remote();
        let device = if searched_by_mount { None } else { sys::device_of(&mount.point).ok() };
        Search { mount, all, device, namespace: fs::read_link("/proc/self/ns/mnt").ok() }
    }

    /// Every process that holds something, by number.
    pub(super) fn holders(&self) -> Vec<Holder> {
        let mut pids: Vec<i32> = processes();
        pids.sort_unstable();
        pids.into_iter()
            .filter_map(|pid| self.what_holds(pid).map(|holds| Holder { pid, command: command_of(pid), holds }))
            .collect()
    }

    /// The first thing a process holds.
    pub(super) fn what_holds(&self, pid: i32) -> Option<String> {
        let process = PathBuf::from(format!("/proc/{pid}"));
        let theirs = self.mounts_of(&process);
        let here = self.device.is_some() || !theirs.is_empty();
        let links = [("cwd", "working directory"), ("root", "root directory"), ("exe", "program")];
        links
            .iter()
            .filter(|_| here)
            .find_map(|(name, what)| self.linked(&process.join(name)).map(|path| format!("{what} {path}")))
            .or_else(|| self.open_file(&process, &theirs).map(|path| format!("open file {path}")))
            .or_else(|| self.mapped(&process, here).map(|path| format!("mapped file {path}")))
    }

    /// The numbers our mount has where the process lives; not looked for when the device tells enough.
    fn mounts_of(&self, process: &Path) -> Vec<u64> {
        if self.device.is_some() {
            return Vec::new();
        }
        if fs::read_link(process.join("ns/mnt")).ok() == self.namespace {
            return vec![self.mount.id];
        }
        let table = fs::read(process.join("mountinfo")).unwrap_or_default();
        let table = mounts::parse(&String::from_utf8_lossy(&table));
        mounts::going_with(self.mount, self.all, &table).iter().map(|mount| mount.id).collect()
    }

    /// Where a link of `/proc` leads, if that is on the mount.
    fn linked(&self, link: &Path) -> Option<String> {
        let path = fs::read_link(link).ok()?;
        let on_it = match self.device {
            Some(device) => sys::device_of(link).is_ok_and(|found| found == device),
            None => path.starts_with(&self.mount.point),
        };
        on_it.then(|| path.display().to_string())
    }

    fn open_file(&self, process: &Path, theirs: &[u64]) -> Option<String> {
        fs::read_dir(process.join("fd")).ok()?.flatten().map(|entry| entry.path()).find_map(|fd| {
            let on_it = match self.device {
                Some(device) => sys::device_of(&fd).is_ok_and(|found| found == device),
                None => {
                    let fdinfo = process.join("fdinfo").join(fd.file_name().unwrap_or_default());
                    mount_of(&fdinfo).is_some_and(|id| theirs.contains(&id))
                }
            };
            on_it.then(|| fs::read_link(&fd).map_or_else(|_| "?".to_owned(), |path| path.display().to_string()))
        })
    }

    fn mapped(&self, process: &Path, here: bool) -> Option<String> {
        let maps = fs::read(process.join("maps")).ok()?;
        let wanted = self.device.map(|device| (major(device), minor(device)));
        maps.split(|byte| *byte == b'\n').find_map(|line| {
            let (device, path) = parse_map(line)?;
            let on_it = match wanted {
                Some(wanted) => device == wanted || device == self.mount.device,
                None => here && Path::new(OsStr::from_bytes(path)).starts_with(&self.mount.point),
            };
            on_it.then(|| String::from_utf8_lossy(path).into_owned())
        })
    }
}

/// One process of each mount namespace but our own.
pub(super) fn namespaces() -> Vec<i32> {
    let of = |pid: &dyn std::fmt::Display| fs::read_link(format!("/proc/{pid}/ns/mnt")).ok();
    let mut seen: BTreeSet<PathBuf> = of(&"self").into_iter().collect();
    processes().into_iter().filter(|pid| of(pid).is_some_and(|namespace| seen.insert(namespace))).collect()
}

/// The mount an open file is on.
fn mount_of(fdinfo: &Path) -> Option<u64> {
    let text = fs::read_to_string(fdinfo).ok()?;
    text.lines().find_map(|line| line.strip_prefix("mnt_id:"))?.trim().parse().ok()
}

/// Device and path of a line of `/proc/PID/maps`; none for memory without a file.
fn parse_map(line: &[u8]) -> Option<((u64, u64), &[u8])> {
    let mut fields = line.splitn(6, |byte| *byte == b' ');
    let device = str::from_utf8(fields.nth(3)?).ok()?;
    let (major, minor) = device.split_once(':')?;
    let path = fields.nth(1)?.trim_ascii_start();
    let hex = |text| u64::from_str_radix(text, 16).ok();
    path.starts_with(b"/").then_some(((hex(major)?, hex(minor)?), path))
}

fn processes() -> Vec<i32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

/// The command line of a process, shortened.
pub(super) fn command_of(pid: i32) -> String {
    let read = |file: &str| fs::read(format!("/proc/{pid}/{file}")).unwrap_or_default();
    let mut line = read("cmdline");
    if line.is_empty() {
        line = read("comm");
    }
    let words: Vec<_> = line.split(|byte| *byte == 0).map(String::from_utf8_lossy).collect();
    words.join(" ").chars().map(|c| if c.is_control() { ' ' } else { c }).take(80).collect::<String>().trim().to_owned()
}

/// Whom we never end: the first process, ourselves, whoever started us, and our process group.
#[derive(Debug)]
pub(super) struct NeverKilled {
    line: BTreeSet<i32>,
    group: i32,
}

impl NeverKilled {
    /// As things are now.
    pub(super) fn now() -> NeverKilled {
        let me = nix::unistd::getpid().as_raw();
        let mut line = BTreeSet::from([0, 1]);
        let mut next = Some(me);
        while let Some(pid) = next.filter(|pid| line.insert(*pid)) {
            next = stat_of(pid).map(|(parent, _)| parent);
        }
        NeverKilled { line, group: nix::unistd::getpgrp().as_raw() }
    }

    /// Why this process is not to be ended.
    pub(super) fn why(&self, pid: i32) -> Option<&'static str> {
        let same_group = || stat_of(pid).is_some_and(|(_, group)| group == self.group);
        match pid {
            1 => Some("the first process of the machine"),
            _ if self.line.contains(&pid) => Some("it started us"),
            _ if same_group() => Some("it is of our own process group"),
            _ => None,
        }
    }
}

/// Parent and process group of a process; its name may contain anything but is the last thing in parentheses.
fn stat_of(pid: i32) -> Option<(i32, i32)> {
    let text = fs::read(format!("/proc/{pid}/stat")).ok()?;
    let text = String::from_utf8_lossy(&text).into_owned();
    let mut fields = text.rsplit_once(')')?.1.split_whitespace().skip(1);
    Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ourselves_our_parent_and_the_first_process_are_spared_and_nobody_else() {
        let spared = NeverKilled::now();
        let me = nix::unistd::getpid().as_raw();
        for pid in [1, me, nix::unistd::getppid().as_raw()] {
            assert!(spared.why(pid).is_some(), "{pid}");
        }
        assert_eq!(stat_of(me), Some((nix::unistd::getppid().as_raw(), nix::unistd::getpgrp().as_raw())));
    }

    #[test]
    fn a_mapped_file_is_read_with_its_device() {
        let line = b"7f0-7f1 r-xp 00000000 93:01 131      /data/my lib.so";
        assert_eq!(parse_map(line), Some(((0x93, 1), b"/data/my lib.so".as_slice())));
        assert_eq!(parse_map(b"7f0-7f1 rw-p 00000000 00:00 0 "), None);
        assert_eq!(parse_map(b"7f0-7f1 rw-p 00000000 00:00 0                  [heap]"), None);
    }

    proptest! {
        #[test]
        fn no_line_of_maps_makes_it_panic(line in "[0-9a-f: /-]{0,60}") {
            let _ = parse_map(line.as_bytes());
        }
    }
}
