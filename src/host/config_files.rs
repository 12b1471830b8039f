//! The configuration files as they lie there: read, and refused when somebody other than root could have written them
//! (`takeover.md` "What root runs"). Root does what they say: a line of `respawn root` is a shell of root's for whoever can add it.

use std::fs;
use std::io::{self, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use crate::diagnostic::{Problem, SourceText};
use crate::paths::Paths;

use super::trust::{self, Exposed, FoundAt};

/// Longest configuration file we read, in bytes.
const LONGEST_FILE: u64 = 4 << 20;
/// More scripts of `rc.d` are not looked at before they are run.
const MOST_SCRIPTS: usize = 500;

/// On whose word a file is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trust {
    /// Only root's: it is to be done.
    Root,
    /// Anybody's: it is only shown or judged, perhaps another machine's.
    Anybody,
}

/// Reads one; what keeps it from being read is said in `problems`.
pub(crate) fn read(path: &Path, original: &str, trust: Trust, problems: &mut Vec<Problem>) -> Option<SourceText> {
    let name = path.display().to_string();
    let bytes = match read_bytes(path, trust) {
        Ok(bytes) => {
            log::debug!("read {name}, {} bytes", bytes.len());
            bytes
        }
        Err(Refused::Exposed(exposed)) => {
            // Its mode has a complaint of its own, below.
            if exposed.place != path || !path.ends_with("authkeys") {
                problems.push(exposed_file(&exposed));
            }
            log::debug!("{name} is not read: others may change it");
            return None;
        }
        Err(Refused::Unreadable(why)) => {
            log::debug!("{name} cannot be read: {why}");
            let (what, remedy) = unreadable(path, &why);
            problems.push(Problem::error(&name, what).remedy(remedy).original(format!("{original} [{name}]")));
            return None;
        }
    };
    match String::from_utf8(bytes) {
        Ok(text) => Some(SourceText::new(name, text)),
        Err(error) => {
            // A comment in an old encoding harms nothing; a key in one would become another key.
            let text = String::from_utf8_lossy(error.as_bytes()).into_owned();
            if path.ends_with("authkeys") && foreign_bytes_outside_comments(&text) {
                let problem = Problem::error(&name, "a key holds bytes that are not UTF-8");
                problems.push(problem.remedy("use letters and digits of ASCII, on both nodes"));
            }
            Some(SourceText::new(name, text))
        }
    }
}

/// What is wrong, and what to type.
#[allow(clippy::wildcard_enum_match_arm, reason = "std's error kinds are without end")]
fn unreadable(path: &Path, why: &io::Error) -> (String, String) {
    let dir = path.parent().unwrap_or(path);
    let given = if dir == Path::new("/etc/ha.d") { String::new() } else { format!(" -d {}", dir.display()) };
    let remedy = match why.kind() {
        io::ErrorKind::NotFound if !dir.is_dir() => {
            format!("there is no directory {}: `latido init{given}` makes it and the files", dir.display())
        }
        io::ErrorKind::NotFound if path.ends_with("authkeys") && dir.join("ha.cf").exists() => {
            format!("copy it from the other node, or make a new one for both: `latido keygen{given}`")
        }
        io::ErrorKind::NotFound if path.ends_with("haresources") && dir.join("ha.cf").exists() => {
            format!(
                "copy it from the other node; `latido init{given}` writes a new one; an empty one is a pair without groups"
            )
        }
        io::ErrorKind::NotFound => {
            format!("`latido init{given}` asks what it needs and writes the files of a new pair")
        }
        io::ErrorKind::PermissionDenied => "become root: sudo latido ...".to_owned(),
        _ => "`latido check` reads ha.cf, authkeys and haresources from one directory".to_owned(),
    };
    (format!("cannot read the file: {why}"), remedy)
}

/// Whether there is such a file, or might be.
pub(crate) fn is_there(path: &Path) -> bool {
    !matches!(trust::walk(path), Ok(FoundAt::Nothing))
}

fn exposed_file(exposed: &Exposed) -> Problem {
    let what = format!("{exposed}: whoever may do that becomes root");
    Problem::error(exposed.place.display().to_string(), what).remedy(exposed.remedy())
}

fn foreign_bytes_outside_comments(text: &str) -> bool {
    text.lines().any(|line| !line.trim_start().starts_with('#') && line.contains(char::REPLACEMENT_CHARACTER))
}

enum Refused {
    Exposed(Exposed),
    Unreadable(io::Error),
}

fn read_bytes(path: &Path, trust: Trust) -> Result<Vec<u8>, Refused> {
    let file = match trust {
        // A FIFO is not waited for.
        Trust::Anybody => fs::OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path),
        Trust::Root => match trust::walk(path) {
            Ok(FoundAt::Trusted(trusted)) => trusted.open(),
            Ok(FoundAt::Nothing) => Err(io::Error::from_raw_os_error(libc::ENOENT)),
            Ok(FoundAt::Exposed(exposed)) => return Err(Refused::Exposed(exposed)),
            Err(error) => Err(error),
        },
    };
    let mut bytes = Vec::new();
    let read = file.and_then(|file| file.take(LONGEST_FILE + 1).read_to_end(&mut bytes));
    read.map_err(Refused::Unreadable)?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length > LONGEST_FILE) {
        let why = io::Error::other("longer than 4 MiB: this is no configuration file");
        return Err(Refused::Unreadable(why));
    }
    Ok(bytes)
}

/// The directory: whoever may put a file there, or another in the place of one, writes the configuration.
pub(crate) fn directory_problem(paths: &Paths) -> Option<Problem> {
    match trust::directory(&paths.ha_dir) {
        Ok(FoundAt::Exposed(exposed)) => Some(exposed_file(&exposed)),
        Ok(FoundAt::Nothing | FoundAt::Trusted(_)) | Err(_) => None,
    }
}

/// `nodeinfo` says which node this is.
pub(crate) fn nodeinfo_problem(paths: &Paths) -> Option<Problem> {
    match trust::walk(&paths.ha_dir.join("nodeinfo")) {
        Ok(FoundAt::Exposed(exposed)) => Some(exposed_file(&exposed)),
        Ok(FoundAt::Nothing | FoundAt::Trusted(_)) | Err(_) => None,
    }
}

/// The first line of `nodeinfo`, if it is root's and ends in a newline.
pub(crate) fn nodeinfo(ha_dir: &Path) -> Option<String> {
    let text = read(&ha_dir.join("nodeinfo"), "", Trust::Root, &mut Vec::new())?;
    text.text.split_once('\n').map(|(line, _)| line.trim().to_owned())
}

/// Readable by others: the keys are no secret, and the original refuses. Writable by others or owned by someone
/// else: whoever can exchange them signs what he likes.
pub(crate) fn key_file_mode(path: &Path) -> Vec<Problem> {
    let name = path.display().to_string();
    let (mode, uid) = match trust::walk(path) {
        Ok(FoundAt::Trusted(trusted)) => (trusted.stat.st_mode & 0o7777, trusted.stat.st_uid),
        Ok(FoundAt::Exposed(exposed)) if exposed.place == path => exposed.mode_and_owner(),
        Ok(FoundAt::Exposed(exposed)) => return vec![exposed_file(&exposed)],
        Ok(FoundAt::Nothing) | Err(_) => return Vec::new(),
    };
    let remedy = format!("chmod 600 {name}");
    let mut problems = Vec::new();
    if mode & 0o044 != 0 {
        problems.push(
            Problem::error(&name, format!("mode {mode:04o}: others can read the keys"))
                .remedy(&remedy)
                .original(format!("Bad permissions on keyfile [{name}], 600 recommended.")),
        );
    }
    if mode & 0o022 != 0 {
        problems.push(Problem::error(&name, format!("mode {mode:04o}: others can change the keys")).remedy(remedy));
    }
    if !trust::trusted_owner(uid) {
        let what = format!("owned by user {uid}, who can change the keys");
        problems.push(Problem::error(&name, what).remedy(format!("chown root {name}")));
    }
    problems
}

/// The scripts beside the files that are not run as they lie there; each costs itself alone.
pub(crate) fn script_problems(paths: &Paths) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut add = |exposed: &Exposed, cost: &str| {
        let what = format!("{exposed}: {cost}");
        problems.push(Problem::error(exposed.place.display().to_string(), what).alone().remedy(exposed.remedy()));
    };
    for (path, cost) in [
        (paths.shellfuncs(), "no script of resource.d and rc.d is run, for they read it first"),
        (paths.ha_dir.join("harc"), "whoever runs it as root runs what others wrote"),
    ] {
        if let Ok(FoundAt::Exposed(exposed)) = trust::walk(&path) {
            add(&exposed, cost);
        }
    }
    if let Ok(FoundAt::Exposed(exposed)) = trust::directory(&paths.resource_dir()) {
        add(&exposed, "no script of resource.d is run");
    }
    match trust::directory(&paths.rc_dir()) {
        Ok(FoundAt::Exposed(exposed)) => add(&exposed, "no script of rc.d is run"),
        Ok(FoundAt::Trusted(_)) => {
            let entries = fs::read_dir(paths.rc_dir()).into_iter().flatten().flatten().take(MOST_SCRIPTS);
            let mut names: Vec<_> = entries.map(|entry| entry.path()).collect();
            names.sort();
            for refusal in names.iter().filter_map(|path| trust::program(path).err()) {
                add(&refusal.exposed, "the script of rc.d is not run");
            }
        }
        Ok(FoundAt::Nothing) | Err(_) => {}
    }
    problems.dedup();
    problems
}

#[cfg(test)]
mod tests;
