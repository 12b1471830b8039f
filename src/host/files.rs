//! Small files read and written whole (`config.md` 8): a crash leaves the old or the new one.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{OpenOptionsExt, fchown};
use std::path::{Path, PathBuf};

use nix::unistd::{Group, User};

use crate::replace::Draft;

/// The number of the user `hacluster`, if this machine knows one.
pub(crate) fn client_user() -> Option<u32> {
    User::from_name("hacluster").ok().flatten().map(|user| user.uid.as_raw())
}

/// The number of the group `haclient`, if this machine knows one.
pub(crate) fn client_group() -> Option<u32> {
    Group::from_name("haclient").ok().flatten().map(|group| group.gid.as_raw())
}

/// Gives an open file to the group `haclient`, if there is one. Where that cannot be done only the owner can read it,
/// which is right for a lab.
pub(crate) fn share_with_clients(file: &File) {
    if let Some(group) = client_group() {
        let _ = fchown(file, None, Some(group));
    }
}

/// Removes what another life may have left; nothing there is as good.
///
/// # Errors
/// As `unlink(2)`.
pub(crate) fn remove_leftover(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Replaces a file so that a crash leaves either the old or the new one, and waits until it is on disk.
///
/// # Errors
/// The path and the reason.
pub(crate) fn replace(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let put = || Draft::write(beside(path), bytes, mode)?.put_for_good(path);
    put().map_err(|error| naming(path, &error))
}

/// Like [`replace`] but does not wait for the disk: the loop that beats must not.
pub(crate) fn replace_unsynced(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let put = || Draft::write(beside(path), bytes, mode)?.put(path);
    put().map_err(|error| naming(path, &error))
}

/// Like [`replace_unsynced`], for root and the group `haclient`.
pub(crate) fn replace_shared(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let put = || {
        let draft = Draft::write(beside(path), bytes, 0o640)?;
        share_with_clients(draft.file());
        draft.put(path)
    };
    put().map_err(|error| naming(path, &error))
}

/// Where the draft of a file lies: one name, so that a crash leaves at most one.
fn beside(path: &Path) -> PathBuf {
    path.with_extension("new")
}

/// The beginning of a file; nothing but a file is waited for, and no link is followed.
pub(crate) fn read_bounded(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open_plain(path)?.take(limit).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Opens what is an ordinary file, for reading.
///
/// # Errors
/// It is something else, or as `open`.
pub(crate) fn open_plain(path: &Path) -> io::Result<File> {
    let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_NOCTTY | libc::O_CLOEXEC;
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    if file.metadata()?.is_file() {
        return Ok(file);
    }
    Err(io::Error::new(io::ErrorKind::InvalidData, "it is no ordinary file"))
}

pub(crate) fn naming(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}
