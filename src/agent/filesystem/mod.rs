//! `Filesystem::DEV::DIR[::FSTYPE[::OPTIONS]]`: a file system that moves (`resources.md` 9). It may wait for disks and
//! servers, so it never runs inside the daemon.
//!
//! `mount` and `fsck` are those of the system: they know the options and helpers users write. What was mounted is judged
//! by the mount table, as in the original: whatever is mounted on DIR counts.

mod holders;
mod mounts;
mod stop;

use std::fs;
use std::io;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::haresources::Verb;

use super::program;
use super::{Answer, patience};
use mounts::Mount;

/// Types that check themselves when they are mounted, or have no check: `fsck` is left out for them.
const UNCHECKED: [&str; 26] = [
    "ext3", "ext4", "reiserfs", "reiser4", "xfs", "jfs", "btrfs", "f2fs", "vfat", "fat", "exfat", "ntfs", "ntfs3",
    "nfs", "nfs4", "cifs", "smbfs", "smb3", "ocfs2", "gfs", "gfs2", "lustre", "tmpfs", "overlay", "none", "zfs",
];

/// What no resource may be: its stop would end every process of the machine.
const NEVER: [&str; 15] = [
    "/",
    "/bin",
    "/boot",
    "/dev",
    "/etc",
    "/lib",
    "/lib64",
    "/proc",
    "/run",
    "/sbin",
    "/sys",
    "/usr",
    "/usr/bin",
    "/usr/lib",
    "/usr/sbin",
];

/// What to mount where, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Spec {
    device: Device,
    dir: PathBuf,
    kind: Option<String>,
    options: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Device {
    /// A block device, a file, a directory, or what only `mount` understands.
    Path(String),
    /// `-U` and `-L`, as they stand in `haresources`; `UUID=` and `LABEL=`.
    Tag(String),
    /// `nas:/mail`, `//nas/mail`
    Remote(String),
}

impl Spec {
    fn from_args(args: &[String]) -> Option<Spec> {
        // "-U uuid" as two words, as the original's script takes it by hand.
        let (device, rest) = match args {
            [flag, value, rest @ ..] if flag == "-U" || flag == "-L" => {
                (Device::from_text(&[flag, value].map(String::as_str).concat()), rest)
            }
            [device, rest @ ..] => (Device::from_text(device), rest),
            [] => return None,
        };
        let dir = rest.first().filter(|dir| dir.starts_with('/'))?;
        let dir = Some(dir.trim_end_matches('/')).filter(|dir| !dir.is_empty()).unwrap_or("/");
        let word = |at: usize| rest.get(at).filter(|word| !word.is_empty()).cloned();
        Some(Spec { device, dir: PathBuf::from(dir), kind: word(1), options: word(2) })
    }

    fn has_option(&self, names: &[&str]) -> bool {
        self.options.iter().flat_map(|options| options.split(',')).any(|option| names.contains(&option))
    }
}

impl Device {
    fn from_text(text: &str) -> Device {
        let tag = |name: &str, value: &str| Device::Tag(format!("{name}={value}"));
        match (text.strip_prefix("-U"), text.strip_prefix("-L")) {
            (Some(value), _) => tag("UUID", value.trim()),
            (None, Some(value)) => tag("LABEL", value.trim()),
            (None, None) if ["UUID=", "LABEL=", "PARTUUID=", "PARTLABEL="].iter().any(|tag| text.starts_with(tag)) => {
                Device::Tag(text.to_owned())
            }
            (None, None)
                if text.starts_with("//") || text.split_once(":/").is_some_and(|(host, _)| !host.contains('/')) =>
            {
                Device::Remote(text.to_owned())
            }
            (None, None) => Device::Path(text.to_owned()),
        }
    }

    fn as_str(&self) -> &str {
        let (Device::Path(text) | Device::Tag(text) | Device::Remote(text)) = self;
        text
    }
}

/// Runs the agent; what is done is told to `tell`, line by line.
pub(super) fn run(args: &[String], verb: Verb, limit: Option<Duration>, tell: &mut dyn FnMut(&str)) -> Answer {
    let Some(spec) = Spec::from_args(args) else {
        return Answer::usage("Filesystem", "<device> <directory> [<fstype> [<options>]]");
    };
    if is_of_the_system(&spec.dir) {
        let why = format!("{} is a directory of the system: it can be no resource", spec.dir.display());
        return match verb {
            Verb::Start => Answer::failed(6, why),
            Verb::Stop => Answer::success().because(why),
            Verb::Status => Answer::stopped().because(why),
        };
    }
    let done = match verb {
        Verb::Status => mount_table().map(|mounts| {
            if mounts::at(&mounts, &real(&spec.dir, &mounts)).is_empty() {
                Answer::stopped()
            } else {
                Answer::running()
            }
        }),
        Verb::Start => start(&spec, tell),
        Verb::Stop => stop::stop(&spec.dir, patience(stop::LIMIT, limit), tell),
    };
    done.unwrap_or_else(|error| Answer::failed(1, format!("cannot read the mount table: {error}")))
}

fn is_of_the_system(dir: &Path) -> bool {
    let never = |dir: &Path| NEVER.iter().any(|never| Path::new(never) == dir);
    let mounts = mount_table().unwrap_or_default();
    never(dir) || never(&real(dir, &mounts))
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

fn start(spec: &Spec, tell: &mut dyn FnMut(&str)) -> io::Result<Answer> {
    let mounts = mount_table()?;
    let dir = real(&spec.dir, &mounts);
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
    if let Err(error) = fs::create_dir_all(&spec.dir) {
        return Ok(Answer::failed(1, format!("cannot make the directory {}: {error}", spec.dir.display())));
    }
    Ok(mount(spec))
}

fn check_device(spec: &Spec) -> Result<(), String> {
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

fn wants_check(spec: &Spec) -> bool {
    let local = !matches!(spec.device, Device::Remote(_));
    let known = spec.kind.as_deref().is_some_and(|kind| UNCHECKED.contains(&kind) || kind.starts_with("fuse"));
    let is_device = match &spec.device {
        Device::Path(path) => fs::metadata(path).is_ok_and(|meta| meta.file_type().is_block_device()),
        Device::Tag(_) | Device::Remote(_) => true,
    };
    local && !known && is_device && !spec.has_option(&["bind", "rbind"])
}

/// As `fsck -a` judges: 0 clean, 1 repaired, 2 "reboot", 4 and more: not to be mounted.
fn check_file_system(spec: &Spec, tell: &mut dyn FnMut(&str)) -> Result<(), String> {
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

fn mount(spec: &Spec) -> Answer {
    let device = spec.device.as_str();
    let dir = spec.dir.to_string_lossy();
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
    use proptest::prelude::*;

    use super::*;

    fn spec(words: &str) -> Option<Spec> {
        Spec::from_args(&words.split(' ').map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn devices_are_told_apart() {
        let device = |words: &str| spec(words).unwrap().device;
        assert_eq!(device("/dev/drbd0 /data"), Device::Path("/dev/drbd0".into()));
        assert_eq!(device("/dev/disk/by-path/pci-0:0:/x /data"), Device::Path("/dev/disk/by-path/pci-0:0:/x".into()));
        for words in ["-U12-34 /data", "-U 12-34 /data", "UUID=12-34 /data"] {
            assert_eq!(device(words), Device::Tag("UUID=12-34".into()), "{words}");
        }
        assert_eq!(device("-Lmail /data"), Device::Tag("LABEL=mail".into()));
        for words in ["nas:/mail /data", "[fd00::1]:/mail /data", "//nas/mail /data"] {
            assert!(matches!(device(words), Device::Remote(_)), "{words}");
        }
    }

    #[test]
    fn type_and_options_may_be_left_out_and_the_directory_may_not() {
        let full = spec("/dev/sdb1 /data/ ext3 noatime,data=journal").unwrap();
        assert_eq!((full.dir.to_str(), full.kind.as_deref()), (Some("/data"), Some("ext3")));
        assert!(full.has_option(&["noatime"]) && !full.has_option(&["atime"]));
        assert_eq!(spec("/dev/sdb1 /data").unwrap().kind, None);
        assert!(spec("/dev/sdb1").is_none() && spec("/dev/sdb1 data").is_none());
    }

    #[test]
    fn only_what_does_not_check_itself_is_checked() {
        assert!(!wants_check(&spec("/dev/null /data ext3").unwrap()));
        assert!(!wants_check(&spec("nas:/mail /data").unwrap()));
        assert!(
            wants_check(&spec("LABEL=mail /data").unwrap()) && wants_check(&spec("LABEL=mail /data ext2").unwrap())
        );
        assert!(!wants_check(&spec("/etc /data none bind").unwrap()));
    }

    proptest! {
        #[test]
        fn no_argument_makes_it_panic(words in proptest::collection::vec("[-/:=a-zUL]{0,12}", 0..5)) {
            if let Some(spec) = Spec::from_args(&words) {
                prop_assert!(spec.dir.is_absolute());
                wants_check(&spec);
            }
        }
    }
}
