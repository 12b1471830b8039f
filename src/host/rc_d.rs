//! The original's own scripts of `rc.d`: `status`, `ip-request`, `ip-request-resp` and `hb_takeover` do its work there, and
//! move groups (`resources.md` 6). This daemon moves groups itself.
//!
//! As distributed they are not run. One that was changed on this machine holds lines of the site's own and is run; the
//! helper programs it calls by `$HA_NOARCHBIN`, as the distributed ones do, or by name are ours then, and start and stop nothing:
//! two that start the same group, one of them before the other node is fenced, would be worse than any line that is missing.

use std::ffi::OsString;
use std::fs;
use std::io::{self, Read as _};
use std::os::unix::fs::{DirBuilderExt, symlink};
use std::path::{Path, PathBuf};

use crate::auth::fingerprint;
use crate::paths::Paths;
use crate::wire::Kind;

use super::environment::{Environment, MARK};
use super::trust;

/// The helper programs such a script may call.
const HELPERS: [&str; 6] =
    ["mach_down", "req_resource", "ResourceManager", "hb_standby", "hb_takeover", "ha_propagate"];
/// No script of `rc.d` is longer.
const LONGEST: u64 = 1 << 20;

/// What is known of a script of `rc.d`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Script {
    /// The site's, or one the original has nothing for.
    Own,
    /// Exactly as it was distributed: what it does, this daemon does.
    Stock,
    /// The original's, with changes of the site, or of a version we do not know.
    Changed,
}

/// SHA-1 of the scripts as distributed with heartbeat 3.0.6 of Debian.
fn distributed(kind: &Kind) -> Option<&'static [&'static str]> {
    match kind {
        Kind::Status => Some(&["3f48ce315903c3c47442d21772e94d2c97cc2dfe"]),
        Kind::IpRequest => Some(&["ac94873f6a24d6ac40df46be2902407f10b574a2"]),
        Kind::IpRequestResp => Some(&["5d40418fb4de2f886d914b1fb09986efbe3041da"]),
        Kind::HbTakeover => Some(&["3b8b92976884c1612fb2dab0c4e0c8c6d00b97b6"]),
        Kind::NsSt
        | Kind::Ack
        | Kind::Rexmit
        | Kind::NakRexmit
        | Kind::ReqNodes
        | Kind::RepNodes
        | Kind::Starting
        | Kind::Resource
        | Kind::AskResources
        | Kind::Stonith
        | Kind::ShutDone
        | Kind::IfStat
        | Kind::Other(_) => None,
    }
}

/// What the script for messages of this type is.
///
/// # Errors
/// When it cannot be read.
pub(crate) fn script(kind: &Kind, program: &Path) -> io::Result<Script> {
    let Some(known) = distributed(kind) else { return Ok(Script::Own) };
    let mut text = Vec::new();
    fs::File::open(program)?.take(LONGEST).read_to_end(&mut text)?;
    let sum = fingerprint(&text);
    Ok(if known.contains(&sum.as_str()) { Script::Stock } else { Script::Changed })
}

/// Lets a changed script find our helper programs, which know by the mark that the daemon does their work.
pub(crate) fn offer_helper_programs(environment: &mut Environment, kind: &Kind, helper_programs: &Path) {
    environment.set(MARK, kind.as_str());
    environment.set("HA_NOARCHBIN", helper_programs);
    let mut path = OsString::from(helper_programs);
    path.push(":");
    path.push(environment.get("PATH").unwrap_or_default());
    environment.set("PATH", path);
}

/// The directory with links of those names to this program, made if need be: in memory where the disk takes nothing.
///
/// # Errors
/// A sentence: what cannot be made, or who else may write there.
pub(crate) fn helper_programs(paths: &Paths) -> Result<PathBuf, String> {
    helper_programs_in(&paths.lib_dir).or_else(|why| helper_programs_in(&paths.own_dir).map_err(|_| why))
}

fn helper_programs_in(place: &Path) -> Result<PathBuf, String> {
    let dir = place.join("latido-rc.d");
    let failed = |error: io::Error| format!("{}: {error}", dir.display());
    let program = std::env::current_exe().map_err(failed)?;
    let program = PathBuf::from(program.to_string_lossy().trim_end_matches(" (deleted)"));
    if !fs::symlink_metadata(&dir).is_ok_and(|meta| meta.is_dir()) {
        fs::DirBuilder::new().mode(0o755).create(&dir).map_err(failed)?;
    }
    for name in HELPERS {
        let link = dir.join(name);
        if fs::read_link(&link).is_ok_and(|leads_to| leads_to == program) {
            continue;
        }
        match fs::remove_file(&link) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
            _ => symlink(&program, &link).map_err(failed)?,
        }
    }
    HELPERS.iter().try_for_each(|name| trust::refuse(&dir.join(name)))?;
    Ok(dir)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_with_one_line_more_is_not_the_distributed_one_and_only_four_types_have_one() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("status");
        fs::write(&path, "#!/bin/sh\n$HA_NOARCHBIN/mach_down $HA_src\nlogger took over\n").unwrap();
        assert_eq!(script(&Kind::Status, &path).unwrap(), Script::Changed);
        assert_eq!(script(&Kind::Stonith, &path).unwrap(), Script::Own);
        assert_eq!(script(&Kind::Other("letter".into()), &path).unwrap(), Script::Own);
        assert!(script(&Kind::Status, &dir.path().join("nothing")).is_err());
        // The distributed ones themselves, where they are installed and unchanged.
        for kind in [Kind::Status, Kind::IpRequest, Kind::IpRequestResp, Kind::HbTakeover] {
            let installed = Path::new("/etc/ha.d/rc.d").join(kind.as_str());
            if installed.exists() {
                assert_eq!(script(&kind, &installed).unwrap(), Script::Stock, "{kind}");
            }
        }
    }

    #[test]
    fn the_hands_are_links_to_this_program_and_are_mended() {
        let dir = tempfile::tempdir().unwrap();
        let paths = Paths::under(dir.path());
        fs::create_dir_all(&paths.lib_dir).unwrap();
        let made = helper_programs(&paths).unwrap();
        fs::remove_file(made.join("mach_down")).unwrap();
        symlink("/bin/true", made.join("mach_down")).unwrap();
        assert_eq!(helper_programs(&paths).unwrap(), made);
        for name in HELPERS {
            assert_eq!(fs::read_link(made.join(name)).unwrap(), std::env::current_exe().unwrap(), "{name}");
        }
    }

    #[test]
    fn where_the_disk_takes_nothing_the_hands_lie_in_memory() {
        let dir = tempfile::tempdir().unwrap();
        let paths = Paths::under(dir.path());
        fs::create_dir_all(&paths.own_dir).unwrap();
        assert_eq!(helper_programs(&paths).unwrap(), paths.own_dir.join("latido-rc.d"));
        fs::create_dir_all(&paths.lib_dir).unwrap();
        assert_eq!(helper_programs(&paths).unwrap(), paths.lib_dir.join("latido-rc.d"));
        fs::remove_dir_all(dir.path()).unwrap();
        assert!(helper_programs(&paths).unwrap_err().contains("var/lib"));
    }
}
