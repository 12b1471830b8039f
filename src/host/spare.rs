//! A small file that can be replaced while the disk is full (`takeover.md` 9): beside it lies a second one of the same
//! size, its spare. What is new is written over the spare, for which there is room already, and the two change places.
//!
//! A crash leaves the old or the new text under the name. Both are their owner's alone.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::fcntl::{FallocateFlags, fallocate};

use crate::sys;

use super::files;

/// So many bytes more than now a file may have the next time, where the filesystem lets us ask for it.
const ROOM_TO_GROW: usize = 4096;
const MODE: u32 = 0o600;

/// Replaces the file at `path`; only the first time, and when it grows by far, it needs room on the disk. Does not wait
/// for the disk.
///
/// # Errors
/// The path and the reason.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let spare = spare_of(path);
    let write = || {
        fill(&spare, bytes)?;
        if !is_ours(path) || sys::exchange(&spare, path).is_err() {
            // The first time, or a filesystem that cannot do it.
            files::remove_leftover(path)?;
            fs::rename(&spare, path)?;
            // Without it the next one needs room: no reason to refuse this one.
            let _ = fill(&spare, bytes);
        }
        Ok(())
    };
    write().map_err(|error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))
}

/// Removes both; what is not there is as good.
pub(crate) fn remove(path: &Path) {
    let _ = fs::remove_file(path);
    let _ = fs::remove_file(spare_of(path));
}

/// Reads one that nobody else can have written; `None` when there is none, or it is longer than `limit`.
pub(crate) fn read(path: &Path, limit: u64) -> Option<String> {
    // Looked at by the descriptor that is read: in a directory of others the name may mean something else by then.
    let file = files::open_plain(path).ok()?;
    let meta = file.metadata().ok().filter(|meta| are_ours(meta) && meta.len() <= limit)?;
    let mut bytes = Vec::new();
    file.take(meta.len()).read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

fn spare_of(path: &Path) -> PathBuf {
    path.with_extension("spare")
}

/// Somebody else's file, or a link, would lead what is written to where others read it, or have us believe them.
fn is_ours(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|meta| are_ours(&meta))
}

fn are_ours(meta: &fs::Metadata) -> bool {
    meta.is_file() && meta.uid() == nix::unistd::geteuid().as_raw() && meta.mode() & 0o077 == 0 && meta.nlink() == 1
}

fn fill(spare: &Path, bytes: &[u8]) -> io::Result<()> {
    let file = open(spare)?;
    file.write_all_at(bytes, 0)?;
    let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    if file.metadata()?.len() != length {
        file.set_len(length)?;
    }
    let room = i64::try_from(bytes.len() + ROOM_TO_GROW).unwrap_or(i64::MAX);
    // Not every filesystem keeps room behind the end of a file, and a full one has none.
    let _ = fallocate(&file, FallocateFlags::FALLOC_FL_KEEP_SIZE, 0, room);
    Ok(())
}

fn open(spare: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).mode(MODE).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK);
    match options.open(spare) {
        Ok(file) if file.metadata().is_ok_and(|meta| are_ours(&meta)) => return Ok(file),
        Ok(_) | Err(_) => files::remove_leftover(spare)?,
    }
    options.create_new(true).open(spare)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    fn place() -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notes");
        (dir, path)
    }

    #[test]
    fn each_text_replaces_the_one_before_whatever_their_lengths() {
        let (_dir, path) = place();
        for text in ["first", "a longer one", "x", &"long ".repeat(5000), "short again"] {
            replace(&path, text.as_bytes()).unwrap();
            assert_eq!(read(&path, 100_000).as_deref(), Some(text));
            assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, MODE);
        }
        assert_eq!(read(&path, 5), None);
        remove(&path);
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 0);
    }

    #[test]
    fn the_two_files_only_change_places() {
        let (_dir, path) = place();
        let number = |path: &Path| fs::metadata(path).unwrap().ino();
        replace(&path, b"one").unwrap();
        let (here, there) = (number(&path), number(&spare_of(&path)));
        replace(&path, b"two").unwrap();
        assert_eq!((number(&path), number(&spare_of(&path))), (there, here));
    }

    #[test]
    fn a_link_or_a_file_open_to_others_in_either_place_is_neither_written_nor_believed() {
        let (dir, path) = place();
        let bait = dir.path().join("bait");
        fs::write(&bait, "bait").unwrap();
        symlink(&bait, spare_of(&path)).unwrap();
        symlink(&bait, &path).unwrap();
        assert_eq!(read(&path, 100), None);
        replace(&path, b"secret").unwrap();
        assert_eq!(fs::read_to_string(&bait).unwrap(), "bait");
        fs::set_permissions(spare_of(&path), fs::Permissions::from_mode(0o644)).unwrap();
        replace(&path, b"secret again").unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, MODE);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
        assert_eq!(read(&path, 100), None);
    }
}
