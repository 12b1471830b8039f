//! The directories a node works in (`files.md`): made and looked at by descriptor, so that nobody can put another in
//! their place in between.
//!
//! Root works only where root alone may write: in `/var/lib/heartbeat` and, since `/run/heartbeat` belongs to `hacluster`
//! (Debian's package makes it so), in `/run/latido`. In `/run/heartbeat` stays what old programs look for there, each
//! made elsewhere and then moved there whole.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _, fchown};
use std::path::{Path, PathBuf};
use std::{fmt, io};

use crate::paths::Paths;

use super::files::{client_group, client_user, naming};
use super::spare;
use super::trust::{By, writers_of};

/// Of a directory of notes, as the original has it.
const NOTES: u32 = 0o1755;
/// So many notes of an older version are taken over.
const MOST_NOTES: usize = 4096;
/// What an older version left in `/run/heartbeat` for its successor, and more than any of it can have.
const LEFT: [&str; 3] = ["latido-state", "latido-files", "latido-generation"];
const LONGEST: u64 = 64 << 20;

/// Makes `/run/latido`, unless it is there, and takes over what an older version left in `/run/heartbeat`: only then, and
/// only what nobody but root can have written there.
///
/// # Errors
/// The path and the reason: it cannot be made, or others may write there.
pub(crate) fn make_own(paths: &Paths) -> io::Result<()> {
    let own = &paths.own_dir;
    if fs::symlink_metadata(own).is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
        // Filled before it has its name: whoever is ended in between leaves everything where it was.
        let draft = own.with_extension("new");
        let _ = fs::remove_dir_all(&draft);
        make(&draft)?;
        look_at(&draft, libc::O_NOFOLLOW)?;
        let taken = take_over_files(paths, &draft);
        fs::rename(&draft, own).map_err(|error| naming(own, &error))?;
        taken.iter().for_each(|old| spare::remove(old));
        for name in ["latido-waits", "latido.sock"] {
            let _ = fs::remove_file(paths.run_dir.join(name));
        }
    }
    look_at(own, libc::O_NOFOLLOW).map(drop)
}

/// Copies what an older version left; returns what may be removed then.
fn take_over_files(paths: &Paths, to: &Path) -> Vec<PathBuf> {
    let old = LEFT.into_iter().map(|name| (name, paths.run_dir.join(name)));
    let copied = old.filter(|(name, old)| {
        let copy = spare::read(old, LONGEST).map(|text| spare::replace(&to.join(name), text.as_bytes()));
        // Without it this life does not know of the one before: what says so stays where it is.
        copy.is_none_or(|copied| copied.inspect_err(|error| log::warn!("{error}")).is_ok())
    });
    copied.map(|(_, old)| old).collect()
}

/// What has come of making the directories.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Made {
    /// What is not as it should be but keeps nothing of ours from working, as sentences.
    pub remarks: Vec<String>,
    /// Why there is no place for what survives the machine; done without.
    pub lacking: Option<String>,
}

/// Makes the directories a node writes into.
///
/// # Errors
/// The path and the reason of the first directory in `/run` that cannot be made, or of any that others may write into,
/// which [`is_foreign`] tells apart.
pub(crate) fn make_directories(paths: &Paths) -> io::Result<Made> {
    make_own(paths)?;
    let lacking = match make_lasting(paths) {
        Ok(()) => None,
        Err(error) if is_foreign(&error) => return Err(error),
        Err(error) => Some(error.to_string()),
    };
    // In it nothing that lies there is believed: see `link::lock`.
    make(&paths.lock_dir)?;
    if let Some(dir) = paths.pid_file.parent() {
        make(dir)?;
    }
    if make(&paths.run_dir)? {
        give_to_clients(&paths.run_dir)?;
    }
    Ok(Made { remarks: make_notes(paths)?, lacking })
}

/// The place for what survives the machine: a disk may be full, broken, read-only or not there yet.
fn make_lasting(paths: &Paths) -> io::Result<()> {
    let cores = working_directory(paths);
    make(&paths.lib_dir)?;
    look_at(&paths.lib_dir, 0)?;
    for dir in [cores.parent().unwrap_or(&cores), &cores] {
        make(dir)?;
        look_at(dir, libc::O_NOFOLLOW)?;
    }
    Ok(())
}

/// The directories of notes: ours, and the one that programs of the original's time know.
fn make_notes(paths: &Paths) -> io::Result<Vec<String>> {
    let ours = paths.rsctmp();
    let is_new = make(&ours)?;
    let dir = look_at(&ours, libc::O_NOFOLLOW)?;
    dir.set_permissions(Permissions::from_mode(NOTES)).map_err(|error| naming(&ours, &error))?;
    let old = paths.run_dir.join("rsctmp");
    match old_notes(&old) {
        Ok(dir) => {
            if is_new {
                take_over_notes(&dir, &ours);
            }
            Ok(Vec::new())
        }
        Err(error) => Ok(vec![format!("{error}: it is left as it is; programs of the original's time may miss it")]),
    }
}

fn old_notes(path: &Path) -> io::Result<File> {
    make(path)?;
    let dir = look_at(path, libc::O_NOFOLLOW)?;
    dir.set_permissions(Permissions::from_mode(NOTES)).map_err(|error| naming(path, &error))?;
    Ok(dir)
}

/// What an older version noted as running runs still. A note is a name; what is in it says nothing.
fn take_over_notes(old: &File, ours: &Path) {
    let through = format!("/proc/self/fd/{}", old.as_raw_fd());
    for entry in fs::read_dir(through).into_iter().flatten().flatten().take(MOST_NOTES) {
        if entry.file_type().is_ok_and(|kind| kind.is_file()) {
            let to = ours.join(entry.file_name());
            let _ = OpenOptions::new().write(true).create_new(true).mode(0o644).open(to);
        }
    }
}

/// Makes a directory, and those above it; `false` when something lies there already.
fn make(dir: &Path) -> io::Result<bool> {
    let create = |dir: &Path| DirBuilder::new().mode(0o755).create(dir);
    let made = match create(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let above = dir.parent().unwrap_or(dir);
            DirBuilder::new().recursive(true).mode(0o755).create(above).and_then(|()| create(dir))
        }
        made => made,
    };
    match made {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        // A filesystem that cannot be written says so before it says that it is there.
        Err(_) if dir.is_dir() => Ok(false),
        Err(error) => Err(naming(dir, &error)),
    }
}

/// Opens a directory that only root, or the user we run as, may write into.
fn look_at(dir: &Path, flags: i32) -> io::Result<File> {
    let flags = libc::O_DIRECTORY | libc::O_NONBLOCK | libc::O_CLOEXEC | flags;
    let opened = OpenOptions::new().read(true).custom_flags(flags).open(dir);
    let file = opened.map_err(|error| match error.raw_os_error() {
        Some(libc::ELOOP) | Some(libc::ENOTDIR) => refusal(dir, "it is a link, or no directory"),
        _ => naming(dir, &error),
    })?;
    let who = match writers_of(&file).map_err(|error| naming(dir, &error))? {
        None => return Ok(file),
        Some(By::User(uid)) => format!("it belongs to user {uid}"),
        Some(By::ListedUser(uid)) => format!("user {uid} may write there, by an access control list"),
        Some(By::ListedGroup(gid)) => format!("group {gid} may write there, by an access control list"),
        Some(by) => format!("{by} may write there"),
    };
    let remedy = "chown root, chmod go-w, setfacl -b";
    Err(refusal(dir, &format!("{who}, and this daemon works only where root alone may ({remedy})")))
}

fn refusal(dir: &Path, why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::PermissionDenied, Foreign(format!("{}: {why}", dir.display())))
}

/// A directory that somebody else made, or may write into.
#[derive(Debug)]
struct Foreign(String);

impl fmt::Display for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Foreign {}

/// Whether a directory is refused for what others may do there, and not for what this machine cannot do now.
pub(crate) fn is_foreign(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|inner| inner.is::<Foreign>())
}

/// The directory with the sockets of old programs is for root, `hacluster` and the group `haclient`, as Debian's package
/// makes it: a socket anybody may open is kept from strangers by this alone. Where there are no such users it is root's.
fn give_to_clients(dir: &Path) -> io::Result<()> {
    let (user, group) = (client_user(), client_group());
    if user.is_some() && group.is_some() {
        let file = look_at(dir, libc::O_NOFOLLOW)?;
        if fchown(&file, user, group).is_ok() {
            let _ = file.set_permissions(Permissions::from_mode(0o750));
        }
    }
    Ok(())
}

/// Makes a directory of `hacluster` at a place in a directory of others: made in ours, and moved there when it is done.
///
/// # Errors
/// The path and the reason.
pub(crate) fn make_for_clients(paths: &Paths, place: &Path) -> io::Result<()> {
    let draft = paths.own_dir.join("new.d");
    let build = || {
        let _ = fs::remove_dir(&draft);
        DirBuilder::new().mode(0o750).create(&draft)?;
        fchown(&look_at(&draft, libc::O_NOFOLLOW)?, client_user(), client_group())?;
        fs::rename(&draft, place)
    };
    build().map_err(|error| {
        let _ = fs::remove_dir(&draft);
        naming(place, &error)
    })
}

/// Where scripts and core dumps find themselves (`resources.md` 3.3).
pub(crate) fn working_directory(paths: &Paths) -> PathBuf {
    paths.lib_dir.join("cores/root")
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{MetadataExt as _, chown, symlink};
    use std::process::Command;

    use super::*;

    const SOMEBODY: u32 = 65_534;

    fn node() -> (tempfile::TempDir, Paths) {
        let dir = tempfile::tempdir().unwrap();
        let paths = Paths::under(dir.path());
        (dir, paths)
    }

    fn mode(path: &Path) -> u32 {
        fs::symlink_metadata(path).unwrap().mode() & 0o7777
    }

    #[test]
    fn the_directories_are_made_once_and_only_for_us() {
        let (_dir, paths) = node();
        for _ in 0..2 {
            assert_eq!(make_directories(&paths).unwrap(), Made::default());
        }
        assert_eq!((mode(&paths.own_dir), mode(&paths.lib_dir)), (0o755, 0o755));
        assert_eq!((mode(&paths.rsctmp()), mode(&paths.run_dir.join("rsctmp"))), (NOTES, NOTES));
    }

    #[test]
    fn a_directory_that_is_a_link_or_open_to_others_is_refused_and_left_as_it_is() {
        for which in [|paths: &Paths| paths.own_dir.clone(), |paths: &Paths| paths.rsctmp()] {
            let (dir, paths) = node();
            let (bait, place) = (dir.path().join("bait"), which(&paths));
            fs::create_dir(&bait).unwrap();
            fs::set_permissions(&bait, Permissions::from_mode(0o700)).unwrap();
            fs::create_dir_all(place.parent().unwrap()).unwrap();
            symlink(&bait, &place).unwrap();
            let error = make_directories(&paths).unwrap_err();
            assert!(error.to_string().contains("it is a link") && is_foreign(&error), "{error}");
            assert_eq!((mode(&bait), fs::read_dir(&bait).unwrap().count()), (0o700, 0));
        }
        for which in [|paths: &Paths| paths.own_dir.clone(), |paths: &Paths| paths.lib_dir.clone()] {
            let (_dir, paths) = node();
            make_directories(&paths).unwrap();
            fs::set_permissions(which(&paths), Permissions::from_mode(0o1777)).unwrap();
            let error = make_directories(&paths).unwrap_err();
            let why = error.to_string();
            assert!(why.contains("everybody may write there") && why.contains("chmod go-w"), "{why}");
            assert!(is_foreign(&error));
        }
    }

    #[test]
    fn a_place_for_what_lasts_that_cannot_be_made_is_done_without_and_one_in_run_is_not() {
        let (dir, mut paths) = node();
        fs::write(dir.path().join("file"), "").unwrap();
        paths.lib_dir = dir.path().join("file/heartbeat");
        let made = make_directories(&paths).unwrap();
        assert!(made.lacking.as_ref().is_some_and(|why| why.contains("file/heartbeat: ")), "{made:?}");
        assert!(paths.rsctmp().is_dir());
        let (_dir, mut paths) = node();
        // Not even root makes anything there.
        paths.own_dir = PathBuf::from("/proc/nowhere/latido");
        let error = make_directories(&paths).unwrap_err();
        assert!(error.to_string().contains("/proc/nowhere/latido") && !is_foreign(&error), "{error}");
    }

    /// The mode does not tell it.
    #[test]
    fn a_directory_with_an_access_control_list_for_somebody_is_refused() {
        let (_dir, paths) = node();
        make_directories(&paths).unwrap();
        let script = "import os, struct, sys
entry = lambda tag, may, who=0xffffffff: struct.pack('<HHI', tag, may, who)
entries = [entry(1, 7), entry(2, 7, 65534), entry(4, 5), entry(16, 7), entry(32, 5)]
os.setxattr(sys.argv[1], 'system.posix_acl_access', struct.pack('<I', 2) + b''.join(entries))";
        let said = Command::new("python3").args(["-c", script]).arg(&paths.own_dir).output().unwrap();
        let said = String::from_utf8_lossy(&said.stderr);
        if said.contains("not supported") {
            return eprintln!("no access control lists on the filesystem of {}", paths.own_dir.display());
        }
        assert_eq!(said, "");
        let why = make_directories(&paths).unwrap_err().to_string();
        assert!(
            why.contains("user 65534 may write there, by an access control list") && why.contains("setfacl"),
            "{why}"
        );
    }

    #[test]
    fn what_lies_in_the_place_of_the_old_notes_is_never_changed_and_keeps_nothing_from_working() {
        let (dir, paths) = node();
        let bait = dir.path().join("bait");
        fs::create_dir(&bait).unwrap();
        fs::set_permissions(&bait, Permissions::from_mode(0o700)).unwrap();
        fs::create_dir_all(&paths.run_dir).unwrap();
        symlink(&bait, paths.run_dir.join("rsctmp")).unwrap();
        let said = make_directories(&paths).unwrap().remarks;
        assert!(said[0].contains("rsctmp: it is a link"), "{said:?}");
        assert_eq!(mode(&bait), 0o700);
        fs::remove_file(paths.run_dir.join("rsctmp")).unwrap();
        fs::write(paths.run_dir.join("rsctmp"), "a file").unwrap();
        assert_eq!(make_directories(&paths).unwrap().remarks.len(), 1);
        if nix::unistd::geteuid().is_root() {
            fs::remove_file(paths.run_dir.join("rsctmp")).unwrap();
            fs::create_dir(paths.run_dir.join("rsctmp")).unwrap();
            fs::set_permissions(paths.run_dir.join("rsctmp"), Permissions::from_mode(0o700)).unwrap();
            chown(paths.run_dir.join("rsctmp"), Some(SOMEBODY), None).unwrap();
            let said = make_directories(&paths).unwrap().remarks;
            assert!(said[0].contains("belongs to user 65534"), "{said:?}");
            assert_eq!(mode(&paths.run_dir.join("rsctmp")), 0o700);
        }
    }

    #[test]
    fn what_an_older_version_left_is_taken_over_once_and_nobody_elses() {
        let (dir, paths) = node();
        fs::create_dir_all(paths.run_dir.join("rsctmp")).unwrap();
        fs::write(paths.run_dir.join("rsctmp/MailTo-root"), "").unwrap();
        spare::replace(&paths.run_dir.join("latido-state"), b"notes").unwrap();
        fs::write(paths.run_dir.join("latido-files"), "open to others").unwrap();
        let bait = dir.path().join("bait");
        spare::replace(&bait, b"1234").unwrap();
        symlink(&bait, paths.run_dir.join("latido-generation")).unwrap();
        make_directories(&paths).unwrap();
        let here = |name: &str| spare::read(&paths.own_dir.join(name), 100);
        assert_eq!(here("latido-state").as_deref(), Some("notes"));
        assert_eq!((here("latido-files"), here("latido-generation")), (None, None));
        assert!(paths.rsctmp().join("MailTo-root").exists());
        let left: Vec<_> = fs::read_dir(&paths.run_dir).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["rsctmp"]);
        assert_eq!(spare::read(&bait, 100).as_deref(), Some("1234"));
        spare::remove(&paths.own_dir.join("latido-state"));
        spare::replace(&paths.run_dir.join("latido-state"), b"put back").unwrap();
        make_directories(&paths).unwrap();
        assert_eq!(here("latido-state"), None, "what comes back later is not believed");
    }
}
