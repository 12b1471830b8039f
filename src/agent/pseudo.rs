//! Resources that consist of nothing but having been started: a file says so (`resources.md` 9, MailTo, SendArp, Delay).
//! It lies in `rsctmp`, which a reboot empties, as it should.

use std::fs;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// The file that says that one resource was started.
#[derive(Clone, Debug)]
pub(super) struct PseudoResource {
    file: PathBuf,
}

impl PseudoResource {
    /// For this agent with these arguments.
    pub(super) fn new(dir: &Path, agent: &str, args: &[String]) -> PseudoResource {
        let plain = |c: char| if c.is_ascii_alphanumeric() || "._-@+:,".contains(c) { c } else { '_' };
        let mut name: String = format!("{agent}-{}", args.join("-")).chars().map(plain).collect();
        name.truncate(200);
        PseudoResource { file: dir.join(name) }
    }

    /// Whether it was started and not stopped since.
    pub(super) fn is_set(&self) -> bool {
        self.file.exists()
    }

    /// Writes down that it was started.
    ///
    /// # Errors
    /// When the file cannot be made; the sentence names it.
    pub(super) fn set(&self) -> Result<(), String> {
        if let Some(dir) = self.file.parent() {
            let _ = fs::create_dir_all(dir);
        }
        let open = fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o644)
            .custom_flags(libc::O_NOFOLLOW)
            .open(&self.file);
        open.map(drop).map_err(|error| format!("cannot note in {} that it runs: {error}", self.file.display()))
    }

    /// Writes down that it was stopped.
    ///
    /// # Errors
    /// When the file cannot be removed; the sentence names it.
    pub(super) fn clear(&self) -> Result<(), String> {
        match fs::remove_file(&self.file) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(format!("cannot remove {}: {error}", self.file.display()))
            }
            Ok(()) | Err(_) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_is_set_and_cleared_as_often_as_one_likes_and_stays_in_its_directory() {
        let dir = tempfile::tempdir().unwrap();
        let mark = PseudoResource::new(dir.path(), "MailTo", &["../../root@example.org".into(), "a / b".into()]);
        assert!(!mark.is_set());
        for _ in 0..2 {
            mark.set().unwrap();
            assert!(mark.is_set());
        }
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
        for _ in 0..2 {
            mark.clear().unwrap();
            assert!(!mark.is_set());
        }
    }
}
