//! Who else could change what root reads or runs (`takeover.md` "What root runs"): every directory and every link on
//! the way to a file is looked at, one after the other, without following anything.
//!
//! After a walk that met nobody else, only root can exchange anything on that way: running the path by its own name, which
//! scripts see as `$0`, runs what was looked at. The walk ends at the first place where somebody else may write, so
//! that nothing he made is opened, read or waited for. A directory such as `/tmp`, root's and sticky, is no such place: there
//! nobody can rename or remove what is another's, and the owner of each entry, of links too, is looked at.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Component, Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, open, openat, readlinkat};
use nix::sys::stat::{FileStat, Mode, SFlag, fstat, fstatat};

use crate::sys;

/// As many as the kernel follows.
const MOST_LINKS: usize = 40;
/// As many interpreters of interpreters as the kernel runs.
const MOST_INTERPRETERS: usize = 5;
/// More of a first line the kernel does not read.
const FIRST_LINE: usize = 256;

/// A place that somebody other than root, or the user we run as, may change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Exposed {
    /// A directory, a link or the file itself.
    pub(crate) place: PathBuf,
    by: By,
    mode: u32,
    uid: u32,
    gid: u32,
    /// What the link of that name says, where the name itself is one.
    pub(crate) link: Option<PathBuf>,
}

/// Who may write somewhere besides root, or the user we run as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum By {
    Everybody,
    User(u32),
    Group(u32),
    /// By an access control list, which the mode does not tell.
    ListedUser(u32),
    ListedGroup(u32),
}

impl Exposed {
    /// What an administrator does about it.
    pub(crate) fn remedy(&self) -> String {
        let place = self.place.display();
        match self.by {
            By::User(_) if self.is_link() => format!("remove it, and make it anew as root: {place}"),
            By::User(_) => format!("look what it holds, then: chown root {place}"),
            By::Everybody | By::Group(_) => format!("look what it holds, then: chmod go-w {place}"),
            By::ListedUser(_) | By::ListedGroup(_) => format!("look what it holds, then: setfacl -b {place}"),
        }
    }

    /// The mode without the kind, and whose it is.
    pub(crate) fn mode_and_owner(&self) -> (u32, u32) {
        (self.mode & 0o7777, self.uid)
    }

    fn is_link(&self) -> bool {
        self.mode & SFlag::S_IFMT.bits() == SFlag::S_IFLNK.bits()
    }
}

/// `/srv may be written by everybody (mode 0777, owner 0, group 0)`
impl fmt::Display for Exposed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} may be written by {}", self.place.display(), self.by)?;
        write!(f, " (mode {:04o}, owner {}, group {})", self.mode & 0o7777, self.uid, self.gid)
    }
}

impl fmt::Display for By {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            By::Everybody => f.write_str("everybody"),
            By::User(uid) => write!(f, "user {uid}"),
            By::Group(gid) => write!(f, "group {gid}"),
            By::ListedUser(uid) => write!(f, "user {uid}, by an access control list"),
            By::ListedGroup(gid) => write!(f, "group {gid}, by an access control list"),
        }
    }
}

/// What stands at the end of a way.
#[derive(Debug)]
pub(crate) enum FoundAt {
    /// Nothing.
    Nothing,
    /// Somebody else decides what stands there.
    Exposed(Exposed),
    /// This, and only root can change that.
    Trusted(Trusted),
}

/// A place that only root, or the user we run as, can change.
#[derive(Debug)]
pub(crate) struct Trusted {
    /// Without links.
    pub(crate) path: PathBuf,
    /// What it is.
    pub(crate) stat: FileStat,
}

impl Trusted {
    fn is(&self, kind: SFlag) -> bool {
        self.stat.st_mode & SFlag::S_IFMT.bits() == kind.bits()
    }

    /// A file that somebody may run.
    pub(crate) fn is_program(&self) -> bool {
        self.is(SFlag::S_IFREG) && self.stat.st_mode & 0o111 != 0
    }

    /// Opens it for reading; what is no plain file is refused and never waited for.
    ///
    /// # Errors
    /// As `open`, and for what is no plain file.
    pub(crate) fn open(&self) -> io::Result<File> {
        if !self.is(SFlag::S_IFREG) {
            return Err(io::Error::other("it is no plain file"));
        }
        OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK | libc::O_NOFOLLOW).open(&self.path)
    }
}

/// Goes the way to a file, or to what its links lead to.
///
/// # Errors
/// What cannot be looked at.
pub(crate) fn walk(path: &Path) -> io::Result<FoundAt> {
    PathWalk::begin(path)?.go()
}

/// A walk on its way: what is open, and what is to come.
struct PathWalk {
    at: PathBuf,
    dir: OwnedFd,
    stat: FileStat,
    /// The names to come, the next one last.
    rest: Vec<OsString>,
    links: usize,
    /// What the link said whose name is the one asked for.
    link: Option<PathBuf>,
}

impl PathWalk {
    fn begin(path: &Path) -> io::Result<PathWalk> {
        let path = std::path::absolute(path)?;
        let (dir, stat) = root()?;
        let mut walk = PathWalk { at: "/".into(), dir, stat, rest: Vec::new(), links: 0, link: None };
        walk.add(&path);
        Ok(walk)
    }

    fn add(&mut self, path: &Path) {
        self.rest.extend(path.components().rev().filter_map(|part| match part {
            Component::Normal(name) => Some(name.to_owned()),
            Component::ParentDir => Some("..".into()),
            Component::CurDir | Component::RootDir | Component::Prefix(_) => None,
        }));
    }

    fn go(mut self) -> io::Result<FoundAt> {
        loop {
            if let Some(by) = others_who_may_write(&self.stat, &self.dir) {
                return Ok(self.exposed(by));
            }
            let Some(name) = self.rest.pop() else {
                return Ok(FoundAt::Trusted(Trusted { path: self.at, stat: self.stat }));
            };
            let flags = OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
            let next = match openat(&self.dir, name.as_os_str(), flags, Mode::empty()) {
                Ok(next) => next,
                Err(Errno::ENOENT | Errno::ENOTDIR) => return Ok(FoundAt::Nothing),
                Err(error) => return Err(error.into()),
            };
            let stat = fstat(&next)?;
            if stat.st_mode & SFlag::S_IFMT.bits() == SFlag::S_IFLNK.bits() {
                if let Some(exposed) = self.follow(&next, &name, &stat)? {
                    return Ok(FoundAt::Exposed(exposed));
                }
                continue;
            }
            if name == ".." {
                self.at.pop();
            } else {
                self.at.push(&name);
            }
            (self.dir, self.stat) = (next, stat);
        }
    }

    /// Goes on where a link leads, unless the link is somebody else's: in a sticky directory he could make it anew.
    fn follow(&mut self, link: &OwnedFd, name: &OsStr, stat: &FileStat) -> io::Result<Option<Exposed>> {
        let target = PathBuf::from(readlinkat(link, "")?);
        if self.rest.is_empty() && self.links == 0 {
            self.link = Some(target.clone());
        }
        if !trusted_owner(stat.st_uid) {
            let (mode, uid, gid) = (stat.st_mode, stat.st_uid, stat.st_gid);
            let link = self.link.take();
            return Ok(Some(Exposed { place: self.at.join(name), by: By::User(uid), mode, uid, gid, link }));
        }
        self.links += 1;
        if self.links > MOST_LINKS {
            return Err(io::Error::from_raw_os_error(libc::ELOOP));
        }
        if target.is_absolute() {
            (self.dir, self.stat) = root()?;
            self.at = "/".into();
        }
        self.add(&target);
        Ok(None)
    }

    fn exposed(mut self, by: By) -> FoundAt {
        // In root's own directory a look at the name is no risk, and what is not there is nobody's.
        if let ([name], 0, true) = (self.rest.as_slice(), self.links, trusted_owner(self.stat.st_uid)) {
            match fstatat(&self.dir, name.as_os_str(), AtFlags::AT_SYMLINK_NOFOLLOW) {
                Err(Errno::ENOENT | Errno::ENOTDIR) => return FoundAt::Nothing,
                _ => self.link = readlinkat(&self.dir, name.as_os_str()).ok().map(PathBuf::from),
            }
        }
        let FileStat { st_mode: mode, st_uid: uid, st_gid: gid, .. } = self.stat;
        FoundAt::Exposed(Exposed { place: self.at, by, mode, uid, gid, link: self.link })
    }
}

fn root() -> io::Result<(OwnedFd, FileStat)> {
    let dir = open("/", OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty())?;
    let stat = fstat(&dir)?;
    Ok((dir, stat))
}

fn others_who_may_write(stat: &FileStat, file: &OwnedFd) -> Option<By> {
    let is_directory = stat.st_mode & SFlag::S_IFMT.bits() == SFlag::S_IFDIR.bits();
    if trusted_owner(stat.st_uid) && is_directory && stat.st_mode & 0o1000 != 0 {
        return None;
    }
    writers(stat, file)
}

/// Who may write into what is open here; a sticky directory lets others make something new, too.
///
/// # Errors
/// As `fstat`.
pub(crate) fn writers_of(file: &File) -> io::Result<Option<By>> {
    Ok(writers(&fstat(file)?, file))
}

fn writers(stat: &FileStat, file: &impl AsFd) -> Option<By> {
    match stat.st_mode {
        _ if !trusted_owner(stat.st_uid) => Some(By::User(stat.st_uid)),
        mode if mode & 0o002 != 0 => Some(By::Everybody),
        mode if mode & 0o020 != 0 && !trusted_group(stat.st_gid) => Some(By::Group(stat.st_gid)),
        // With a list these bits say what the list may give at most.
        mode if mode & 0o020 != 0 => listed_writers(file),
        _ => None,
    }
}

fn listed_writers(file: &impl AsFd) -> Option<By> {
    const USER: u16 = 0x02;
    const GROUP: u16 = 0x08;
    const WRITE: u16 = 0x02;
    let listed = sys::access_list(file.as_fd()).into_iter().filter(|(_, may, _)| may & WRITE != 0);
    listed.into_iter().find_map(|(tag, _, id)| match tag {
        USER if !trusted_owner(id) => Some(By::ListedUser(id)),
        GROUP if !trusted_group(id) => Some(By::ListedGroup(id)),
        _ => None,
    })
}

/// Root, ourselves, and inside a user namespace whoever has no name there: the host's root, for one.
pub(crate) fn trusted_owner(uid: u32) -> bool {
    const NOBODY_HERE: u32 = 65534;
    uid == 0 || uid == nix::unistd::geteuid().as_raw() || (uid == NOBODY_HERE && in_user_namespace())
}

/// Root's; and who is not root has files of the group that is his own.
fn trusted_group(gid: u32) -> bool {
    gid == 0 || (!nix::unistd::geteuid().is_root() && gid == nix::unistd::getegid().as_raw())
}

fn in_user_namespace() -> bool {
    std::fs::read_to_string("/proc/self/uid_map").is_ok_and(|map| !map.contains("4294967295"))
}

/// A directory whose files count also when they are not there yet: a sticky one does not keep others from making them.
///
/// # Errors
/// What cannot be looked at.
pub(crate) fn directory(path: &Path) -> io::Result<FoundAt> {
    let found = walk(path)?;
    let FoundAt::Trusted(trusted) = &found else { return Ok(found) };
    let dir = open(&trusted.path, OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC, Mode::empty())?;
    Ok(match writers(&trusted.stat, &dir) {
        Some(by) => {
            let FileStat { st_mode: mode, st_uid: uid, st_gid: gid, .. } = trusted.stat;
            FoundAt::Exposed(Exposed { place: trusted.path.clone(), by, mode, uid, gid, link: None })
        }
        None => found,
    })
}

/// Whether everybody, or a user who is not root, decides what lies there. A group is no such: `/usr/local` is `staff`'s on
/// many machines, which is root in all but name; nor is a sticky directory of root's, for somebody chose that.
pub(crate) fn is_anybodys(path: &Path) -> bool {
    match walk(path) {
        Ok(FoundAt::Exposed(exposed)) => matches!(exposed.by, By::Everybody | By::User(_) | By::ListedUser(_)),
        Ok(FoundAt::Nothing | FoundAt::Trusted(_)) => false,
        // What root may not look at is not root's.
        Err(_) => true,
    }
}

/// Why a program is not run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ProgramRefusal {
    program: PathBuf,
    /// What is said of the place: empty, or that it is the interpreter's.
    role: &'static str,
    /// The place.
    pub(crate) exposed: Exposed,
}

impl ProgramRefusal {
    /// Without the name of the program, and without what to do.
    pub(crate) fn why(&self) -> String {
        format!("{}{}", self.role, self.exposed)
    }
}

impl fmt::Display for ProgramRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ProgramRefusal { program, role, exposed } = self;
        write!(f, "{} will not be run: {role}{exposed} ({})", program.display(), exposed.remedy())
    }
}

/// What stands there to be run; `None` when nothing, or nothing that can be run.
///
/// # Errors
/// Somebody else could change it, or the interpreter its first line names.
pub(crate) fn program(path: &Path) -> Result<Option<Trusted>, ProgramRefusal> {
    let refusal = |role, exposed| ProgramRefusal { program: path.to_owned(), role, exposed };
    let trusted = match walk(path) {
        Ok(FoundAt::Trusted(trusted)) if trusted.is_program() => trusted,
        // A ring of links, for one: nobody can run that either.
        Ok(FoundAt::Trusted(_) | FoundAt::Nothing) | Err(_) => return Ok(None),
        Ok(FoundAt::Exposed(exposed)) => return Err(refusal("", exposed)),
    };
    let mut next = interpreter(&trusted);
    for _ in 0..MOST_INTERPRETERS {
        let Some((path, argument)) = next.take() else { break };
        // It is looked for from wherever the script is started: that is nobody's way.
        if path.is_relative() {
            return Ok(None);
        }
        if let Some(argument) = argument
            && let Ok(FoundAt::Exposed(exposed)) = walk(&argument)
        {
            return Err(refusal("what its first line has run: ", exposed));
        }
        match walk(&path) {
            Ok(FoundAt::Exposed(exposed)) => return Err(refusal("its interpreter: ", exposed)),
            Ok(FoundAt::Trusted(found)) => next = interpreter(&found),
            Ok(FoundAt::Nothing) | Err(_) => break,
        }
    }
    Ok(Some(trusted))
}

/// Refuses what somebody other than root, or the user we run as, may replace: we are about to run it.
///
/// # Errors
/// A sentence that names the path, and what to do.
pub(crate) fn refuse(path: &Path) -> Result<(), String> {
    program(path).map(drop).map_err(|refusal| refusal.to_string())
}

/// The interpreter the first line names, and the file its argument names.
fn interpreter(program: &Trusted) -> Option<(PathBuf, Option<PathBuf>)> {
    let mut first = Vec::new();
    let limit = u64::try_from(FIRST_LINE).unwrap_or(u64::MAX);
    program.open().ok()?.take(limit).read_to_end(&mut first).ok()?;
    let line = first.strip_prefix(b"#!")?.split(|byte| *byte == b'\n').next()?;
    let line = String::from_utf8_lossy(line);
    let mut words = line.split([' ', '\t', '\0']).filter(|word| !word.is_empty()).map(PathBuf::from);
    Some((words.next()?, words.find(|word| word.is_absolute())))
}

#[cfg(test)]
mod tests;
