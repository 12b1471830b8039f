//! `Filesystem::DEV::DIR[::FSTYPE[::OPTIONS]]`: a file system that moves (`resources.md` 9). It may wait for disks and
//! servers, so it never runs inside the daemon.
//!
//! `mount` and `fsck` are those of the system: they know the options and helpers users write. What was mounted is judged
//! by the mount table, as in the original: whatever is mounted on DIR counts.
//!
//! ```text
//! mod.rs ──> mounts: the mount table
//!        ──> stop ──> holders: who keeps a file system from going
//! ```

mod holders;
mod mounts;
mod stop;

use std::fs;
use std::io;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::haresources::Verb;
use crate::haresources::known::{ArgumentFault, Device, FileSystem, Weight, is_of_the_system};

use super::program;
use super::{Answer, patience};
use mounts::Mount;

/// Types that check themselves when they are mounted, or have no check: `fsck` is left out for them.
const UNCHECKED: [&str; 26] = [
    "ext3", "ext4", "reiserfs", "reiser4", "xfs", "jfs", "btrfs", "f2fs", "vfat", "fat", "exfat", "ntfs", "ntfs3",
    "nfs", "nfs4", "cifs", "smbfs", "smb3", "ocfs2", "gfs", "gfs2", "lustre", "tmpfs", "overlay", "none", "zfs",
];

/// Runs the agent; what is done is told to `tell`, line by line.
pub(super) fn run(args: &[String], verb: Verb, limit: Option<Duration>, tell: &mut dyn FnMut(&str)) -> Answer {
    let read = FileSystem::read(args);
    let directory = match (&read, verb) {
        (Ok(spec), _) => spec.directory.clone(),
        (Err(fault), Verb::Start) => return refusal(fault),
        // The rest of a wrong argument never mattered to what is mounted; without a directory nothing can be.
        (Err(fault), Verb::Stop | Verb::Status) => match FileSystem::without_the_rest(args) {
            Some(directory) => directory,
            None => return nothing_there(verb, fault.to_string()),
        },
    };
    if leads_to_the_system(&directory) {
        let why = format!("{} leads to a directory of the system: it can be no resource", directory.display());
        return if verb == Verb::Start { Answer::failed(6, why) } else { nothing_there(verb, why) };
    }
    let done = match (verb, read) {
        (Verb::Status, _) => mount_table().map(|mounts| {
            if mounts::at(&mounts, &real(&directory, &mounts)).is_empty() {
                Answer::stopped()
            } else {
                Answer::running()
            }
        }),
        (Verb::Start, Ok(spec)) => start(&spec, tell),
        (Verb::Start, Err(fault)) => return refusal(&fault),
        (Verb::Stop, _) => stop::stop(&directory, patience(stop::LIMIT, limit), tell),
    };
    done.unwrap_or_else(|error| Answer::failed(1, format!("cannot read the mount table: {error}")))
}

fn refusal(fault: &ArgumentFault) -> Answer {
    match fault.weight {
        Weight::Missing => Answer::usage("Filesystem", "<device> <directory> [<fstype> [<options>]]"),
        Weight::Refused | Weight::Doubtful => Answer::failed(6, fault.to_string()),
    }
}

/// What cannot be started was not, so there is nothing to stop.
fn nothing_there(verb: Verb, why: String) -> Answer {
    if verb == Verb::Status { Answer::stopped().because(why) } else { Answer::success().because(why) }
}

fn leads_to_the_system(directory: &Path) -> bool {
    is_of_the_system(&real(directory, &mount_table().unwrap_or_default()))
}

fn mount_table() -> io::Result<Vec<Mount>> {
    fs::read("/proc/self/mountinfo").map(|table| mounts::parse(&String::from_utf8_lossy(&table)))
}

/// The directory as the mount table names it. What is mounted there is not looked at: its server may be gone.
fn real(dir: &Path, mounts: &[Mount]) -> PathBuf {
    if mounts.iter().any(|mount| mount.point == dir) {
        return dir.to_owned();
    }
    dir.canonicalize().unwrap_or_else(|_| dir.to_owned())
}

fn start(spec: &FileSystem, tell: &mut dyn FnMut(&str)) -> io::Result<Answer> {
    let mounts = mount_table()?;
    let dir = real(&spec.directory, &mounts);
    if let Some(there) = mounts::at(&mounts, &dir).last() {
        tell(&format!("INFO: {} is mounted on {} already", there.source, dir.display()));
        return Ok(Answer::success());
    }
    if let Some(below) = mounts::below(&mounts, &dir).first() {
        let (dir, point) = (dir.display(), below.point.display());
        let why = format!("There is one or more mounts mounted under {dir}: {point} would be hidden; unmount it first");
        return Ok(Answer::failed(6, why));
    }
    if let Err(why) = check_device(spec) {
        return Ok(Answer::failed(5, why));
    }
    if wants_check(spec)
        && let Err(why) = check_file_system(spec, tell)
    {
        return Ok(Answer::failed(1, why));
    }
    if let Err(error) = fs::create_dir_all(&spec.directory) {
        return Ok(Answer::failed(1, format!("cannot make the directory {}: {error}", spec.directory.display())));
    }
    Ok(mount(spec))
}

fn check_device(spec: &FileSystem) -> Result<(), String> {
    let Device::Path(device) = &spec.device else { return Ok(()) };
    let made_up = spec.kind.as_deref().is_some_and(is_deviceless) || spec.has_option(&["loop", "bind", "rbind"]);
    if made_up || !device.starts_with('/') && spec.kind.is_some() {
        return Ok(());
    }
    match fs::metadata(device) {
        Ok(meta) if meta.file_type().is_block_device() => Ok(()),
        Ok(_) => Err(format!("Couldn't find device [{device}]. Expected /dev/??? to exist: this is no block device")),
        Err(error) => Err(format!("Couldn't find device [{device}]. Expected /dev/??? to exist: {error}")),
    }
}

fn is_deviceless(kind: &str) -> bool {
    ["tmpfs", "none", "overlay", "proc", "sysfs", "zfs"].contains(&kind) || kind.starts_with("fuse")
}

fn wants_check(spec: &FileSystem) -> bool {
    let local = !matches!(spec.device, Device::Remote(_));
    let known = spec.kind.as_deref().is_some_and(|kind| UNCHECKED.contains(&kind) || kind.starts_with("fuse"));
    let is_device = match &spec.device {
        Device::Path(path) => fs::metadata(path).is_ok_and(|meta| meta.file_type().is_block_device()),
        Device::Tag(_) | Device::Remote(_) => true,
    };
    local && !known && is_device && !spec.has_option(&["bind", "rbind"])
}

/// As `fsck -a` judges: 0 clean, 1 repaired, 2 "reboot", 4 and more: not to be mounted.
fn check_file_system(spec: &FileSystem, tell: &mut dyn FnMut(&str)) -> Result<(), String> {
    let device = spec.device.as_str();
    tell(&format!("INFO: Starting filesystem check on {device}"));
    let mut words = vec!["-a"];
    if let Some(kind) = &spec.kind {
        words.extend(["-t", kind]);
    }
    words.push(device);
    let done = program::run("fsck", &words)?;
    done.lines().for_each(&mut *tell);
    match done.code {
        Some(0..4) => Ok(()),
        _ => Err(format!("Couldn't successfully fsck filesystem for {device}: {}; check it by hand", done.ending())),
    }
}

fn mount(spec: &FileSystem) -> Answer {
    let device = spec.device.as_str();
    let dir = spec.directory.to_string_lossy();
    let mut words = Vec::new();
    if let Some(kind) = &spec.kind {
        words.extend(["-t", kind]);
    }
    if let Some(options) = &spec.options {
        words.extend(["-o", options]);
    }
    words.extend([device, &dir]);
    let why = match program::run("mount", &words) {
        Ok(done) if done.code == Some(0) => return Answer::success(),
        Ok(done) => format!("Couldn't mount device [{device}] as {dir}: {}", done.ending()),
        Err(why) => why,
    };
    Answer::failed(1, why)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(words: &str) -> FileSystem {
        FileSystem::read(&words.split(' ').map(str::to_owned).collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn only_what_does_not_check_itself_is_checked() {
        assert!(!wants_check(&spec("/dev/null /data ext3")));
        assert!(!wants_check(&spec("nas:/mail /data")));
        assert!(wants_check(&spec("LABEL=mail /data")) && wants_check(&spec("LABEL=mail /data ext2")));
        assert!(!wants_check(&spec("/etc /data none bind")));
    }
}
