//! A file replaced in one step: a draft beside it, written whole, then renamed over it. Whoever reads meanwhile, and
//! whoever reads after a crash, finds the old text or the new one (`docs/files.md`).
//!
//! Must not decide whether a file may be replaced, nor who may read it: that is the caller's. What has to be possible on
//! a full disk is `host/spare.rs`.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// What is written, under a name of its own, before it has its place; gone when it is dropped without one.
#[derive(Debug)]
pub struct Draft {
    path: PathBuf,
    file: File,
    placed: bool,
}

impl Draft {
    /// Writes a draft at `path`, which must be in the directory of the file it is for: a new file, never one that lies
    /// there, or the target of a link. The umask takes from `mode` what it takes.
    ///
    /// # Errors
    /// As `unlink`, `open` and `write`; then no draft is left.
    pub fn write(path: PathBuf, bytes: &[u8], mode: u32) -> io::Result<Draft> {
        // A leftover of a crash may be anything, a link included.
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&path)?;
        let mut draft = Draft { path, file, placed: false };
        draft.file.write_all(bytes)?;
        Ok(draft)
    }

    /// The draft, for what is done by descriptor: mode and owner.
    pub const fn file(&self) -> &File {
        &self.file
    }

    /// Gives it its place, without waiting for the disk: a power cut may bring the old text back.
    ///
    /// # Errors
    /// As `rename`; then the old file is untouched and no draft is left.
    pub fn put(mut self, place: &Path) -> io::Result<()> {
        fs::rename(&self.path, place)?;
        self.placed = true;
        Ok(())
    }

    /// Gives it its place, and returns when both are on the disk.
    ///
    /// # Errors
    /// As `fsync` and `rename`; when only the directory could not be synced the new text has its place already.
    pub fn put_for_good(self, place: &Path) -> io::Result<()> {
        self.file.sync_all()?;
        self.put(place)?;
        sync_directory_of(place)
    }
}

/// Has the disk keep what a directory says of this file: a rename lives there.
///
/// # Errors
/// As `open` and `fsync`: not every filesystem can promise it.
pub fn sync_directory_of(place: &Path) -> io::Result<()> {
    let directory = place.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(directory)?.sync_all()
}

impl Drop for Draft {
    fn drop(&mut self) {
        if !self.placed {
            // Best effort: the first error is the one to tell.
            let _ = fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    fn names(dir: &Path) -> Vec<String> {
        let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = entries.collect();
        names.sort();
        names
    }

    #[test]
    fn the_old_text_or_the_new_one_has_the_place_and_nothing_lies_beside_it() {
        let dir = tempfile::tempdir().unwrap();
        let (place, beside) = (dir.path().join("file"), dir.path().join("file.new"));
        for text in ["one", "two"] {
            Draft::write(beside.clone(), text.as_bytes(), 0o600).unwrap().put_for_good(&place).unwrap();
            assert_eq!(fs::read_to_string(&place).unwrap(), text);
        }
        drop(Draft::write(beside, b"three", 0o600).unwrap());
        assert_eq!((fs::read_to_string(&place).unwrap().as_str(), names(dir.path())), ("two", vec!["file".to_owned()]));
        assert_eq!(fs::metadata(&place).unwrap().permissions().mode() & 0o7777, 0o600);
    }

    #[test]
    fn what_lies_where_the_draft_goes_is_removed_and_a_link_is_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        let (bait, beside) = (dir.path().join("bait"), dir.path().join("file.new"));
        fs::write(&bait, "bait").unwrap();
        symlink(&bait, &beside).unwrap();
        Draft::write(beside, b"new", 0o600).unwrap().put(&dir.path().join("file")).unwrap();
        assert_eq!(fs::read_to_string(&bait).unwrap(), "bait");
        assert_eq!(fs::read_to_string(dir.path().join("file")).unwrap(), "new");
    }

    #[test]
    fn what_cannot_have_its_place_leaves_everything_as_it_was() {
        let dir = tempfile::tempdir().unwrap();
        let place = dir.path().join("file");
        fs::create_dir(&place).unwrap();
        let draft = Draft::write(dir.path().join("file.new"), b"new", 0o600).unwrap();
        draft.put(&place).unwrap_err();
        assert_eq!(names(dir.path()), ["file"]);
    }
}
