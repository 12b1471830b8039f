//! Opening a log (`config.md` 3: `logfile`, `debugfile`), whose place the administrator chose: perhaps one where others
//! may write too, and could put a link to a file of root's.
//!
//! Where only root may write on the whole way, links among it are the administrator's and are followed. In the last
//! directory a group (as of `/var/log` on some systems) or, as in `/tmp`, everybody may make files: there none but an
//! ordinary file of root's or `hacluster`'s is opened, and no link followed. Any other way is refused.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, fchown};
use std::path::{Path, PathBuf};

use super::files::client_user;
use super::trust::{By, trusted_owner, writers_of};

/// So many links after one another are followed.
const MOST_LINKS: usize = 16;
/// Non-blocking, so that a log that turns out to be a FIFO nobody reads does not hold us.
const FLAGS: i32 = libc::O_NONBLOCK | libc::O_NOCTTY | libc::O_CLOEXEC;

/// Who besides root may put something into a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Open {
    ToRoot,
    /// To some, who may not be able to take away what is there.
    ToSome,
}

/// A log, open for appending.
#[derive(Debug)]
pub(crate) struct Opened {
    /// The file.
    pub(crate) file: File,
    /// Nobody but root can have brought it there: it was made just now, or lies where only root makes files.
    pub(crate) is_ours: bool,
}

/// Opens a log for appending, and makes it where there is none.
///
/// # Errors
/// As `open`; and a place where somebody else could have us write into a file of root's.
pub(crate) fn open(path: &Path) -> io::Result<Opened> {
    let mut path = path.to_owned();
    for _ in 0..MOST_LINKS {
        let (dir, name) = (directory_of(&path)?, path.file_name().unwrap_or_default());
        if look_at_way(&dir)? == Open::ToSome {
            return open_among_others(&dir.join(name));
        }
        match fs::read_link(&path) {
            // Such as /dev/stdout: where that leads the kernel alone knows.
            Ok(_) if dir.starts_with("/proc") => {
                let file = OpenOptions::new().append(true).custom_flags(FLAGS).open(&path)?;
                return Ok(Opened { file, is_ours: true });
            }
            Ok(target) => path = dir.join(target),
            Err(_) => return Ok(Opened { file: options().create(true).open(&path)?, is_ours: true }),
        }
    }
    Err(io::Error::from_raw_os_error(libc::ELOOP))
}

/// Opens a log for appending, and makes it where there is none; never waits for who reads a pipe.
///
/// # Errors
/// When it can be neither, or somebody else could have us write into a file of root's (see [`open`]).
pub(crate) fn open_append(path: &Path) -> io::Result<File> {
    let opened = open(path)?;
    if opened.is_ours {
        share(&opened.file);
    }
    Ok(opened.file)
}

/// What `respawn` starts, such as ipfail, writes into the same file as `hacluster`: the original gives it away as well.
fn share(file: &File) {
    let ours = file.metadata().is_ok_and(|meta| meta.is_file() && meta.uid() == 0 && meta.nlink() == 1);
    if ours && let Some(user) = client_user() {
        // Without the privilege the log is ours alone, and only those programs' lines are missing.
        let _ = fchown(file, Some(user), None);
    }
}

fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.append(true).mode(0o644).custom_flags(FLAGS | libc::O_NOFOLLOW);
    options
}

fn directory_of(path: &Path) -> io::Result<PathBuf> {
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    dir.canonicalize()
}

/// Who may change what lies on the way to a directory, or in it.
fn look_at_way(dir: &Path) -> io::Result<Open> {
    let mut open = Open::ToRoot;
    for place in dir.ancestors() {
        let flags = libc::O_PATH | libc::O_DIRECTORY | libc::O_CLOEXEC;
        let open_place = OpenOptions::new().read(true).custom_flags(flags).open(place)?;
        let refuse = |who: &str| {
            let why = format!("{} may be written by {who}, who could put a link there", place.display());
            Err(io::Error::new(io::ErrorKind::PermissionDenied, format!("{why} (chown root, chmod go-w)")))
        };
        let sticky = open_place.metadata()?.mode() & 0o1000 != 0;
        let Some(by) = writers_of(&open_place)? else { continue };
        if matches!(by, By::User(_)) || by == By::Everybody && !sticky {
            return refuse(&by.to_string());
        }
        // What lies below was looked at, and in a sticky directory its owner alone may move it.
        if place == dir || !sticky {
            open = Open::ToSome;
        }
    }
    Ok(open)
}

fn open_among_others(path: &Path) -> io::Result<Opened> {
    let (dir, name) = (path.parent().unwrap_or(path), path.file_name().unwrap_or_default());
    let flags = libc::O_DIRECTORY | libc::O_NOFOLLOW | libc::O_CLOEXEC;
    let dir = OpenOptions::new().read(true).custom_flags(flags).open(dir)?;
    if !trusted_owner(dir.metadata()?.uid()) {
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    let place = PathBuf::from(format!("/proc/self/fd/{}", dir.as_raw_fd())).join(name);
    // Not to be made at first: the kernel may refuse to make what is there already (`fs.protected_regular`).
    let (file, is_ours) = match options().open(&place) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => (options().create_new(true).open(&place)?, true),
        // Whoever may rename what is in this directory may have brought a secret of root's here.
        opened => (opened?, false),
    };
    let is_log = |meta: &Metadata| {
        let known = trusted_owner(meta.uid()) || client_user() == Some(meta.uid());
        meta.is_file() && meta.nlink() == 1 && known
    };
    if file.metadata().is_ok_and(|meta| is_log(&meta)) {
        return Ok(Opened { file, is_ours });
    }
    let why = "it is no ordinary file of root's, in a directory others may write into";
    Err(io::Error::new(io::ErrorKind::PermissionDenied, why))
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::os::unix::fs::{PermissionsExt as _, chown, symlink};

    use super::*;

    fn place(mode: u32) -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let logs = dir.path().join("logs");
        fs::create_dir(&logs).unwrap();
        fs::set_permissions(&logs, fs::Permissions::from_mode(mode)).unwrap();
        fs::write(dir.path().join("bait"), "bait").unwrap();
        let path = logs.join("ha-log");
        (dir, path)
    }

    fn write(path: &Path) -> io::Result<()> {
        open(path)?.file.write_all(b"line\n")
    }

    #[test]
    fn where_only_root_may_write_links_are_the_administrators() {
        let (dir, path) = place(0o755);
        symlink("../bait", &path).unwrap();
        write(&path).unwrap();
        assert_eq!(fs::read_to_string(dir.path().join("bait")).unwrap(), "baitline\n");
        fs::remove_file(&path).unwrap();
        symlink(dir.path().join("new"), &path).unwrap();
        write(&path).unwrap();
        assert!(dir.path().join("new").exists());
    }

    #[test]
    fn where_others_may_make_files_too_no_link_is_followed_and_only_roots_own_file_is_written() {
        for mode in [0o1777, 0o2775] {
            let (dir, path) = place(mode);
            chown(path.parent().unwrap(), None, Some(4242)).unwrap();
            for is_new in [true, false] {
                // What was there may be a secret of root's, brought by whoever can rename it: it is not given away.
                assert_eq!(open(&path).unwrap().is_ours, is_new);
                write(&path).unwrap();
            }
            assert_eq!(fs::read_to_string(&path).unwrap(), "line\nline\n");
            fs::remove_file(&path).unwrap();
            for target in [dir.path().join("bait"), dir.path().join("nothing")] {
                symlink(target, &path).unwrap();
                write(&path).unwrap_err();
                fs::remove_file(&path).unwrap();
            }
            fs::hard_link(dir.path().join("bait"), &path).unwrap();
            write(&path).unwrap_err();
            assert_eq!(fs::read_to_string(dir.path().join("bait")).unwrap(), "bait");
            assert!(!dir.path().join("nothing").exists());
        }
    }

    #[test]
    fn where_others_may_take_away_what_is_there_no_log_is_written() {
        let (_dir, path) = place(0o777);
        let why = write(&path).unwrap_err().to_string();
        assert!(why.contains("may be written by everybody"), "{why}");
        if nix::unistd::geteuid().is_root() {
            let (_dir, path) = place(0o755);
            chown(path.parent().unwrap(), Some(4242), None).unwrap();
            let why = write(&path).unwrap_err().to_string();
            assert!(why.contains("may be written by user 4242"), "{why}");
        }
    }
}
