//! The arguments of `Filesystem` and `drbddisk` (`resources.md` 9). Pure.

use std::path::{Component, Path, PathBuf};

use super::fault::{ArgumentFault, unread};

const FORM: &str = "Filesystem::DEVICE::DIRECTORY::TYPE";
const DRBD: &str = "drbddisk::RESOURCE";

/// Of a directory of the system, where a stop would end every process of the machine.
const SYSTEM: [&str; 15] = [
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

/// Types that lie on a disk of this machine.
const ON_DISKS: [&str; 16] = [
    "ext2", "ext3", "ext4", "reiserfs", "reiser4", "xfs", "jfs", "btrfs", "f2fs", "vfat", "fat", "exfat", "ntfs",
    "ntfs3", "ocfs2", "gfs2",
];

/// Options that are taken for a type when the type is forgotten; no file system has such a name.
const NO_TYPES: [&str; 18] = [
    "defaults",
    "bind",
    "rbind",
    "loop",
    "ro",
    "rw",
    "noatime",
    "nodiratime",
    "relatime",
    "sync",
    "async",
    "nosuid",
    "nodev",
    "noexec",
    "remount",
    "noauto",
    "nofail",
    "_netdev",
];

/// Options of `mount` for file systems on disks: what a wrong one may have been meant as.
const OPTIONS: [&str; 74] = [
    "defaults",
    "ro",
    "rw",
    "async",
    "sync",
    "dirsync",
    "atime",
    "noatime",
    "diratime",
    "nodiratime",
    "relatime",
    "norelatime",
    "strictatime",
    "nostrictatime",
    "lazytime",
    "nolazytime",
    "suid",
    "nosuid",
    "dev",
    "nodev",
    "exec",
    "noexec",
    "auto",
    "noauto",
    "user",
    "nouser",
    "users",
    "owner",
    "group",
    "nofail",
    "_netdev",
    "loop",
    "bind",
    "rbind",
    "remount",
    "silent",
    "loud",
    "iversion",
    "noiversion",
    "mand",
    "nomand",
    "acl",
    "noacl",
    "user_xattr",
    "nouser_xattr",
    "errors",
    "data",
    "commit",
    "barrier",
    "nobarrier",
    "discard",
    "nodiscard",
    "journal_checksum",
    "journal_async_commit",
    "delalloc",
    "nodelalloc",
    "noload",
    "norecovery",
    "resgid",
    "resuid",
    "grpid",
    "nogrpid",
    "quota",
    "noquota",
    "usrquota",
    "grpquota",
    "prjquota",
    "inode64",
    "inode32",
    "largeio",
    "logbufs",
    "logbsize",
    "nouuid",
    "swalloc",
];

/// What to mount.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Device {
    /// A block device, a file, a directory, or what only `mount` understands.
    Path(String),
    /// `-U` and `-L`, as they stand in `haresources`, as `UUID=` and `LABEL=`.
    Tag(String),
    /// `nas:/mail`, `//nas/mail`
    Remote(String),
}

impl Device {
    fn from_text(text: &str) -> Device {
        let tag = |name: &str, value: &str| Device::Tag(format!("{name}={}", value.trim()));
        match (text.strip_prefix("-U"), text.strip_prefix("-L")) {
            (Some(value), _) => tag("UUID", value),
            (None, Some(value)) => tag("LABEL", value),
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

    /// As `mount` takes it.
    pub fn as_str(&self) -> &str {
        let (Device::Path(text) | Device::Tag(text) | Device::Remote(text)) = self;
        text
    }

    /// As OCF's agent takes it: `-U` and `-L` with a blank.
    pub fn as_ocf(&self) -> String {
        match self.as_str().split_once('=') {
            Some(("UUID", value)) if matches!(self, Device::Tag(_)) => format!("-U {value}"),
            Some(("LABEL", value)) if matches!(self, Device::Tag(_)) => format!("-L {value}"),
            Some(_) | None => self.as_str().to_owned(),
        }
    }
}

/// `DEVICE::DIRECTORY[::TYPE[::OPTIONS]]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileSystem {
    /// What.
    pub device: Device,
    /// Where: absolute, without a slash at its end.
    pub directory: PathBuf,
    /// Its type; `mount` finds it out when it is not given.
    pub kind: Option<String>,
    /// The options of `mount`.
    pub options: Option<String>,
}

impl FileSystem {
    /// The arguments of `Filesystem`.
    ///
    /// # Errors
    /// With what it would not start.
    pub fn read(args: &[String]) -> Result<FileSystem, ArgumentFault> {
        let (device, rest) = device_of(args);
        let remedy = format!("write {FORM}");
        let device = device
            .ok_or_else(|| ArgumentFault::missing("Filesystem needs a device and a directory", remedy.clone()))?;
        let Some(directory) = rest.first().filter(|directory| !directory.is_empty()) else {
            return Err(ArgumentFault::missing("Filesystem needs a directory behind the device", remedy));
        };
        if !directory.starts_with('/') {
            let what = format!("\"{directory}\" is not an absolute directory");
            let v6 = args[0].starts_with('[');
            let remedy =
                if v6 { "a server's IPv6 address cannot have \"::\" here: write its name".into() } else { remedy };
            return Err(ArgumentFault::refused(what, remedy));
        }
        let directory = plain(directory);
        let word = |at: usize| rest.get(at).filter(|word| !word.is_empty()).cloned();
        let read = FileSystem { device, directory: PathBuf::from(directory), kind: word(1), options: word(2) };
        if is_of_the_system(&read.directory) {
            let what = format!("{directory} is a directory of the system: it can be no resource");
            return Err(ArgumentFault::refused(what, "mount it on a directory of its own"));
        }
        read.complaint_about_type().or_else(|| read.complaint_about_device()).map_or(Ok(read.clone()), Err)
    }

    /// The directory alone: what is left of arguments that are wrong beside it, and may be mounted all the same.
    pub fn without_the_rest(args: &[String]) -> Option<PathBuf> {
        let directory = device_of(args).1.first().filter(|directory| directory.starts_with('/'))?;
        Some(PathBuf::from(plain(directory))).filter(|directory| !is_of_the_system(directory))
    }

    /// Whether it has one of these options.
    pub fn has_option(&self, names: &[&str]) -> bool {
        self.options().any(|option| names.contains(&option))
    }

    fn options(&self) -> impl Iterator<Item = &str> {
        self.options.iter().flat_map(|options| options.split(','))
    }

    fn is_on_a_disk(&self) -> bool {
        self.kind.as_deref().is_some_and(|kind| ON_DISKS.contains(&kind))
    }

    /// The options of a file system on a disk that are none of those we know, and those: whoever checks a file may see
    /// what was meant.
    pub fn unknown_options(&self) -> (Vec<&str>, &'static [&'static str]) {
        let names = self.options().map(|option| option.split('=').next().unwrap_or(option));
        let unknown = names.filter(|option| self.is_on_a_disk() && !option.is_empty() && !OPTIONS.contains(option));
        (unknown.collect(), &OPTIONS)
    }

    fn complaint_about_type(&self) -> Option<ArgumentFault> {
        let remedy = format!("write {FORM}::OPTIONS");
        if let Some(kind) = &self.kind
            && (NO_TYPES.contains(&kind.as_str()) || kind.starts_with('-') || kind.contains(['=', '/']))
        {
            return Some(ArgumentFault::refused(
                format!("\"{kind}\" stands where the type of the file system stands"),
                remedy,
            ));
        }
        let options = self.options.as_ref().filter(|options| options.starts_with('-'))?;
        Some(ArgumentFault::refused(format!("\"{options}\": the options stand by themselves, without -o"), remedy))
    }

    fn complaint_about_device(&self) -> Option<ArgumentFault> {
        let device = self.device.as_str();
        let remedy = format!("write {FORM}");
        let kind = self.kind.as_deref().unwrap_or("auto");
        let refused = |what: String, right: &str| Some(ArgumentFault::refused(what, format!("write {right}")));
        match &self.device {
            Device::Tag(tag) if tag.ends_with('=') => {
                refused(format!("\"{tag}\" names nothing"), "-U::UUID or -L::LABEL")
            }
            _ if device.is_empty() || device.starts_with('-') => {
                Some(ArgumentFault::refused(format!("\"{device}\" is not a device"), remedy))
            }
            _ if ["nfs", "nfs4"].contains(&kind) && !device.contains(':') => {
                refused(format!("\"{device}\" is no directory of a server, which {kind} needs"), "SERVER:/DIRECTORY")
            }
            _ if ["cifs", "smb3"].contains(&kind) && !device.starts_with(['/', '\\']) => {
                refused(format!("\"{device}\" is no share of a server, which {kind} needs"), "//SERVER/SHARE")
            }
            Device::Remote(_) if self.is_on_a_disk() => {
                refused(format!("\"{device}\" is on a server, and {kind} is a file system of a disk"), FORM)
            }
            Device::Path(path) if !path.starts_with('/') && (self.kind.is_none() || self.is_on_a_disk()) => {
                refused(format!("\"{path}\" is not the full path of a device"), "it in full, such as /dev/drbd0")
            }
            Device::Path(_) | Device::Tag(_) | Device::Remote(_) => None,
        }
    }

    pub(super) fn doubts(&self, args: &[String]) -> Vec<ArgumentFault> {
        let (_, rest) = device_of(args);
        unread("Filesystem", rest, 3, &format!("{FORM}::OPTIONS")).into_iter().collect()
    }
}

/// The device, which may be two words, `-U uuid`, and what comes behind it.
fn device_of(args: &[String]) -> (Option<Device>, &[String]) {
    match args {
        [flag, value, rest @ ..] if flag == "-U" || flag == "-L" => {
            (Some(Device::from_text(&format!("{flag}{value}"))), rest)
        }
        [device, rest @ ..] => (Some(Device::from_text(device)), rest),
        [] => (None, &[]),
    }
}

/// Without a slash at its end.
fn plain(directory: &str) -> &str {
    Some(directory.trim_end_matches('/')).filter(|plain| !plain.is_empty()).unwrap_or("/")
}

/// Whether nothing may ever be mounted there, nor unmounted.
pub fn is_of_the_system(directory: &Path) -> bool {
    let mut plain = PathBuf::new();
    for part in directory.components() {
        match part {
            Component::ParentDir => drop(plain.pop()),
            Component::CurDir => {}
            Component::RootDir | Component::Normal(_) | Component::Prefix(_) => plain.push(part),
        }
    }
    SYSTEM.iter().any(|system| Path::new(system) == plain)
}

/// The arguments of `drbddisk`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drbd {
    /// The resource as DRBD names it; all of them when it is not given.
    pub resource: Option<String>,
}

impl Drbd {
    /// The arguments of `drbddisk`.
    ///
    /// # Errors
    /// With what it would not start.
    pub fn read(args: &[String]) -> Result<Drbd, ArgumentFault> {
        match args.first() {
            Some(name) if name.is_empty() || name.starts_with('-') => Err(ArgumentFault::refused(
                format!("\"{name}\" is no name of a DRBD resource"),
                format!("write {DRBD}"),
            )),
            resource => Ok(Drbd { resource: resource.cloned() }),
        }
    }

    pub(super) fn doubts(&self, args: &[String]) -> Vec<ArgumentFault> {
        let mut doubts: Vec<ArgumentFault> = unread("drbddisk", args, 1, DRBD).into_iter().collect();
        if self.resource.is_none() {
            let what = "drbddisk without a name means all resources, and nobody can ask whether they run";
            let original = "A resource name is required for status inquiries.";
            doubts.push(ArgumentFault::doubtful(what, format!("write {DRBD}")).original(original));
        }
        doubts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(words: &str) -> Result<FileSystem, ArgumentFault> {
        FileSystem::read(&words.split(' ').map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn devices_are_told_apart() {
        let device = |words: &str| read(words).unwrap().device;
        assert_eq!(device("/dev/drbd0 /data"), Device::Path("/dev/drbd0".into()));
        assert_eq!(device("/dev/disk/by-path/pci-0:0:/x /data"), Device::Path("/dev/disk/by-path/pci-0:0:/x".into()));
        for words in ["-U12-34 /data", "-U 12-34 /data", "UUID=12-34 /data"] {
            assert_eq!(device(words), Device::Tag("UUID=12-34".into()), "{words}");
            assert_eq!(device(words).as_ocf(), "-U 12-34", "{words}");
        }
        assert_eq!(device("-Lmail /data"), Device::Tag("LABEL=mail".into()));
        for words in ["nas:/mail /data", "[fd00::1]:/mail /data", "//nas/mail /data"] {
            assert!(matches!(device(words), Device::Remote(_)), "{words}");
        }
    }

    #[test]
    fn type_and_options_may_be_left_out_and_the_directory_may_not() {
        let full = read("/dev/sdb1 /data/ ext3 noatime,data=journal").unwrap();
        assert_eq!((full.directory.to_str(), full.kind.as_deref()), (Some("/data"), Some("ext3")));
        assert!(full.has_option(&["noatime"]) && !full.has_option(&["atime"]) && full.unknown_options().0.is_empty());
        assert_eq!(read("/dev/sdb1 /data").unwrap().kind, None);
        assert!(read("/dev/sdb1").is_err() && read("/dev/sdb1 data").is_err());
    }

    #[test]
    fn a_directory_of_the_system_is_known_however_it_is_written() {
        for path in ["/", "/usr", "/usr/", "//usr", "/usr/.", "/data/../usr", "/.."] {
            assert!(is_of_the_system(Path::new(path)), "{path}");
        }
        assert!(!is_of_the_system(Path::new("/srv")) && !is_of_the_system(Path::new("/usr/local/data")));
    }
}
