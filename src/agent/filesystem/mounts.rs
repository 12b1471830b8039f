//! The mount table, as `/proc/self/mountinfo` shows it (proc(5)).

use std::path::{Path, PathBuf};

/// One mount.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mount {
    /// The kernel's number of the mount itself, not of the file system.
    pub(super) id: u64,
    /// The mount it is mounted on.
    pub(super) parent: u64,
    /// Major and minor number of the device.
    pub(super) device: (u64, u64),
    /// Where it is mounted.
    pub(super) point: PathBuf,
    /// `ext4`
    pub(super) kind: String,
    /// `/dev/drbd0`
    pub(super) source: String,
    /// The peer group it belongs to: what is mounted on and unmounted from one of the group is so on all, and their slaves.
    pub(super) shared: Option<u64>,
    /// The peer group it follows.
    pub(super) master: Option<u64>,
}

impl Mount {
    /// Whether what happens on `other` happens on this one as well, in whatever mount namespace it is.
    fn follows(&self, other: &Mount) -> bool {
        other.shared.is_some() && (self.shared == other.shared || self.master == other.shared)
    }

    /// Whether the files are on another machine, which may not answer.
    pub(super) fn is_remote(&self) -> bool {
        is_remote_type(&self.kind)
    }
}

/// File systems behind a network.
pub(super) fn is_remote_type(kind: &str) -> bool {
    kind.starts_with("nfs")
        || ["cifs", "smb3", "smbfs", "ceph", "9p", "glusterfs", "fuse.glusterfs", "fuse.sshfs"].contains(&kind)
}

/// The table in the order of mounting; lines that cannot be read are passed over.
pub(super) fn parse(table: &str) -> Vec<Mount> {
    table.lines().filter_map(parse_line).collect()
}

/// `36 35 98:0 /root /mnt rw,noatime master:1 - ext3 /dev/root rw`
fn parse_line(line: &str) -> Option<Mount> {
    let (mount, system) = line.split_once(" - ")?;
    let mut fields = mount.split(' ');
    let (id, parent) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    let (major, minor) = fields.next()?.split_once(':')?;
    let point = PathBuf::from(plain(fields.nth(1)?));
    let options: Vec<&str> = fields.skip(1).collect();
    let group = |name: &str| options.iter().find_map(|option| option.strip_prefix(name)?.parse().ok());
    let (shared, master) = (group("shared:"), group("master:"));
    let mut system = system.split(' ');
    let (kind, source) = (system.next()?.to_owned(), plain(system.next()?));
    let device = (major.parse().ok()?, minor.parse().ok()?);
    Some(Mount { id, parent, device, point, kind, source, shared, master })
}

/// Blanks and the like are written as `\040`.
fn plain(field: &str) -> String {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let digits = after.get(..3).filter(|_| *first == b'\\').and_then(|three| str::from_utf8(three).ok());
        if let Some(byte) = digits.and_then(|three| u8::from_str_radix(three, 8).ok()) {
            bytes.push(byte);
            rest = &after[3..];
        } else {
            bytes.push(*first);
            rest = after;
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Those of another namespace's mounts that go when `mount`, one of `ours`, is unmounted.
pub(super) fn going_with<'a>(mount: &Mount, ours: &[Mount], theirs: &'a [Mount]) -> Vec<&'a Mount> {
    let Some(parent) = ours.iter().find(|other| other.id == mount.parent) else { return Vec::new() };
    let follows = |child: &&Mount| theirs.iter().any(|other| other.id == child.parent && other.follows(parent));
    theirs.iter().filter(|other| other.point == mount.point).filter(follows).collect()
}

/// What is mounted exactly there, the latest last.
pub(super) fn at<'a>(mounts: &'a [Mount], dir: &Path) -> Vec<&'a Mount> {
    mounts.iter().filter(|mount| mount.point == dir).collect()
}

/// What is mounted below, the latest last.
pub(super) fn below<'a>(mounts: &'a [Mount], dir: &Path) -> Vec<&'a Mount> {
    mounts.iter().filter(|mount| mount.point != dir && mount.point.starts_with(dir)).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TABLE: &str = "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n\
        30 22 147:0 / /data rw,noatime shared:5 master:1 - ext4 /dev/drbd0 rw\n\
        31 30 0:40 / /data/my\\040mail rw - nfs4 nas:/mail rw\n\
        32 22 8:1 /x /database rw - ext4 /dev/sda1 rw\n\
        not a line\n";

    #[test]
    fn a_directory_has_what_is_at_it_and_below_it_and_nothing_beside() {
        let mounts = parse(TABLE);
        assert_eq!(mounts.len(), 4);
        let data = Path::new("/data");
        assert_eq!(at(&mounts, data).iter().map(|mount| mount.id).collect::<Vec<_>>(), [30]);
        let below = below(&mounts, data);
        assert_eq!(below.len(), 1);
        assert_eq!((below[0].point.to_str(), below[0].is_remote()), (Some("/data/my mail"), true));
        assert_eq!((mounts[1].shared, mounts[1].master), (Some(5), Some(1)));
        assert_eq!((mounts[1].device, mounts[1].source.as_str()), ((147, 0), "/dev/drbd0"));
    }

    #[test]
    fn a_mount_of_another_namespace_goes_along_when_what_it_is_mounted_on_follows_ours() {
        let ours = parse("22 1 8:1 / / rw shared:1 - ext4 x rw\n30 22 8:2 / /data rw shared:7 - ext4 y rw\n");
        let theirs = |root: &str, point: &str| {
            parse(&format!("52 1 8:1 / / rw {root} - ext4 x rw\n60 52 8:2 / {point} rw - ext4 y rw\n"))
        };
        let count = |theirs: &[Mount]| going_with(&ours[1], &ours, theirs).len();
        assert_eq!((count(&theirs("master:1", "/data")), count(&theirs("shared:1", "/data"))), (1, 1));
        assert_eq!((count(&theirs("shared:9", "/data")), count(&theirs("master:1", "/other"))), (0, 0));
    }

    proptest! {
        #[test]
        fn no_table_makes_it_panic(text in "[0-9:/ \\\\a-z\n-]{0,80}") {
            parse(&text);
            plain(&text);
        }
    }
}
