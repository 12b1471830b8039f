//! The mount table, as `/proc/self/mountinfo` shows it (proc(5)).

use std::path::{Path, PathBuf};

/// One mount.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mount {
    /// The kernel's number of the mount itself, not of the file system.
    pub(super) id: u64,
    /// Major and minor number of the device.
    pub(super) device: (u64, u64),
    /// Where it is mounted.
    pub(super) point: PathBuf,
    /// `ext4`
    pub(super) kind: String,
    /// `/dev/drbd0`
    pub(super) source: String,
}

impl Mount {
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
    let id = fields.next()?.parse().ok()?;
    let (major, minor) = fields.nth(1)?.split_once(':')?;
    let point = PathBuf::from(plain(fields.nth(1)?));
    let mut system = system.split(' ');
    let (kind, source) = (system.next()?.to_owned(), plain(system.next()?));
    Some(Mount { id, device: (major.parse().ok()?, minor.parse().ok()?), point, kind, source })
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
        assert_eq!((mounts[1].device, mounts[1].source.as_str()), ((147, 0), "/dev/drbd0"));
    }

    proptest! {
        #[test]
        fn no_table_makes_it_panic(text in "[0-9:/ \\\\a-z\n-]{0,80}") {
            parse(&text);
            plain(&text);
        }
    }
}
