use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command};

use super::*;

/// A user that is neither root nor may use the line.
const NOBODY: u32 = 65_534;
/// The line's group.
const DIALOUT: u32 = 4242;

/// A directory for locks that everybody may write into, and a device only root and its group may use.
struct Place {
    dir: tempfile::TempDir,
    device: String,
}

impl Place {
    fn new() -> Place {
        let dir = tempfile::tempdir().unwrap();
        let device = dir.path().join("ttyS0").display().to_string();
        fs::write(&device, "").unwrap();
        fs::set_permissions(&device, fs::Permissions::from_mode(0o660)).unwrap();
        let place = Place { dir, device };
        fs::create_dir(place.locks()).unwrap();
        fs::set_permissions(place.locks(), fs::Permissions::from_mode(0o1777)).unwrap();
        place
    }

    fn locks(&self) -> PathBuf {
        self.dir.path().join("lock")
    }

    fn path(&self) -> PathBuf {
        self.locks().join(format!("LCK..{}", lock_name(&self.device)))
    }

    fn take(&self) -> io::Result<LineLock> {
        take(&self.device, &self.locks())
    }

    /// Puts a lock there for this user.
    fn put(&self, content: impl AsRef<[u8]>, user: u32) {
        fs::write(self.path(), content).unwrap();
        chown(self.path(), Some(user), Some(user)).unwrap();
    }

    fn left(&self) -> usize {
        fs::read_dir(self.locks()).unwrap().count()
    }

    /// The line is ours now, and nothing is left of it afterwards.
    fn is_taken(&self, why: &str) {
        let lock = self.take().unwrap_or_else(|error| panic!("{why}: {error}"));
        let text = fs::read_to_string(self.path()).unwrap_or_else(|error| panic!("{why}: {error}"));
        assert_eq!(text, format!("{:>10}\n", std::process::id()), "{why}");
        drop(lock);
        assert!(!self.path().exists(), "{why}");
    }
}

/// A process of some user, ended when dropped.
struct RunningProcess(Child);

impl RunningProcess {
    fn of(user: u32, group: u32) -> RunningProcess {
        RunningProcess(Command::new("sleep").arg("600").uid(user).gid(group).spawn().unwrap())
    }

    fn line(&self) -> String {
        format!("{:>10} minicom somebody\n", self.0.id())
    }
}

impl Drop for RunningProcess {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

#[test]
fn a_lock_is_named_after_its_line() {
    assert_eq!(lock_name("/dev/ttyS0"), "ttyS0");
    assert_eq!(lock_name("/dev/pts/3"), "pts3");
}

#[test]
fn a_lock_holds_the_pid_in_ten_columns_and_goes_with_its_owner() {
    let place = Place::new();
    place.is_taken("an empty directory");
    assert_eq!(place.left(), 0);
}

#[test]
fn a_living_owner_is_named_and_keeps_its_lock() {
    let place = Place::new();
    fs::write(place.path(), "         1\n").unwrap();
    let error = place.take().unwrap_err();
    assert!(error.to_string().contains("in use by pid 1"), "{error}");
    assert_eq!(fs::read_to_string(place.path()).unwrap(), "         1\n");
    assert_eq!(place.left(), 1, "the draft is gone");
}

#[test]
fn a_lock_of_the_dead_or_of_nobody_is_taken_over() {
    let place = Place::new();
    // Beyond the largest pid there can be.
    for content in [&b"   4194999\n"[..], b"", b"garbage\n", b"1\0\0\0garbage", &4_194_999_u32.to_ne_bytes()] {
        fs::write(place.path(), content).unwrap();
        place.is_taken(&String::from_utf8_lossy(content));
    }
}

#[test]
fn our_own_lock_is_respected_but_not_one_left_by_an_earlier_process_of_our_pid() {
    let place = Place::new();
    fs::write(place.path(), format!("{:>10}\n", std::process::id())).unwrap();
    let lock = place.take().unwrap();
    assert_eq!(place.take().unwrap_err().kind(), io::ErrorKind::ResourceBusy);
    drop(lock);
    place.take().unwrap();
}

#[test]
fn a_lock_somebody_else_took_meanwhile_is_left() {
    let place = Place::new();
    let lock = place.take().unwrap();
    fs::write(place.path(), "         1\n").unwrap();
    drop(lock);
    assert!(place.path().exists(), "another wrote its number into it");
    fs::remove_file(place.path()).unwrap();
    let lock = place.take().unwrap();
    fs::rename(place.path(), place.locks().join("moved")).unwrap();
    fs::write(place.path(), format!("{:>10}\n", std::process::id())).unwrap();
    drop(lock);
    assert!(place.path().exists(), "another file");
}

#[test]
fn whatever_is_no_file_is_neither_opened_nor_followed_nor_in_the_way() {
    let place = Place::new();
    let (path, dir) = (place.path(), place.dir.path().to_owned());
    let bait = dir.join("bait");
    fs::write(&bait, "         1\n").unwrap();
    nix::unistd::mkfifo(&dir.join("fifo"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    let traps: [(&str, &dyn Fn()); 9] = [
        ("a FIFO", &|| nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap()),
        ("a link to /dev/zero", &|| symlink("/dev/zero", &path).unwrap()),
        ("a link to a FIFO", &|| symlink(dir.join("fifo"), &path).unwrap()),
        ("a link to a file that names a living process", &|| symlink(&bait, &path).unwrap()),
        ("a link to nothing", &|| symlink(dir.join("nothing"), &path).unwrap()),
        ("an empty directory", &|| fs::create_dir(&path).unwrap()),
        ("a directory that is not empty", &|| fs::create_dir_all(path.join("LCK..ttyS0")).unwrap()),
        ("a socket", &|| drop(std::os::unix::net::UnixListener::bind(&path).unwrap())),
        ("a second name of a file from elsewhere", &|| fs::hard_link(&bait, &path).unwrap()),
    ];
    for (what, plant) in traps {
        plant();
        place.is_taken(what);
        assert_eq!(fs::read_to_string(&bait).unwrap(), "         1\n", "{what}");
        assert!(!dir.join("nothing").exists(), "{what}");
    }
    fs::write(&path, "         1\n".repeat(1000)).unwrap();
    place.is_taken("a file far too long");
}

#[test]
fn links_in_the_place_of_a_draft_are_not_written_through() {
    let place = Place::new();
    let bait = place.dir.path().join("bait");
    fs::write(&bait, "bait").unwrap();
    let draft = place.locks().join(format!("LTMP.{}.{}", std::process::id(), lock_name(&place.device)));
    symlink(&bait, &draft).unwrap();
    place.is_taken("beside a planted draft");
    assert!(draft.is_symlink(), "what is not ours is left");
    assert_eq!(fs::read_to_string(&bait).unwrap(), "bait");
}

#[test]
fn a_lock_of_another_user_holds_only_for_a_process_of_that_user_that_may_use_the_line() {
    if !is_root() {
        return;
    }
    let place = Place::new();
    chown(&place.device, None, Some(DIALOUT)).unwrap();
    let (stranger, minicom) = (RunningProcess::of(NOBODY, NOBODY), RunningProcess::of(NOBODY, DIALOUT));
    for (content, why) in [
        ("         1\n".to_owned(), "a process of somebody else's"),
        (stranger.line(), "a process that may not use the line"),
    ] {
        place.put(content, NOBODY);
        place.is_taken(why);
    }
    place.put(minicom.line(), NOBODY);
    let error = place.take().unwrap_err();
    assert!(error.to_string().contains(&format!("in use by pid {}, sleep", minicom.0.id())), "{error}");
    // Root wrote it: it knows whom for.
    place.put(stranger.line(), 0);
    assert_eq!(place.take().unwrap_err().kind(), io::ErrorKind::ResourceBusy);
    drop(stranger);
    place.is_taken("it ended");
}

#[test]
fn the_two_names_that_liblockdev_gives_a_lock_are_one_lock() {
    let place = Place::new();
    fs::write(place.path(), "         1\n").unwrap();
    fs::hard_link(place.path(), place.locks().join("LCK.000.000")).unwrap();
    assert_eq!(place.take().unwrap_err().kind(), io::ErrorKind::ResourceBusy);
}

#[test]
fn where_no_lock_can_be_had_the_line_is_opened_without() {
    let place = Place::new();
    fs::remove_dir(place.locks()).unwrap();
    fs::write(place.locks(), "no directory").unwrap();
    let lock = place.take().unwrap();
    assert!(lock.file.is_none());
    drop(lock);
    assert_eq!(fs::read_to_string(place.locks()).unwrap(), "no directory");
}
