//! Writes a configuration file whole or not at all, and keeps the old one beside it.
//!
//! Must not decide whether a file may be replaced: `init` and `keygen` ask for `--yes`.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use crate::replace::{Draft, sync_directory_of};

/// Writes `text` to `path` with exactly this mode; what was there is kept as `PATH.old`, with its own mode. Returns
/// where the old text is, if there was one.
///
/// # Errors
/// A sentence naming the file and what failed; then the old file is untouched and no draft is left.
pub(super) fn replace(path: &Path, text: &str, mode: u32) -> Result<Option<PathBuf>, String> {
    // A link stays a link: its target is what people maintain.
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let named = |what: &'static str| {
        let shown = path.display().to_string();
        move |error: io::Error| {
            let root =
                if error.kind() == io::ErrorKind::PermissionDenied { "; become root: sudo latido ..." } else { "" };
            format!("cannot {what} {shown}: {error}; it is as it was{root}")
        }
    };
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(directory).map_err(named("make the directory of"))?;
    let draft = beside(&path, &format!("draft{}", std::process::id()));
    let draft = write_draft(draft, text, mode).map_err(named("write"))?;
    let old = keep_old(&path).map_err(named("keep the old"))?;
    draft.put(&path).map_err(named("replace"))?;
    // The rename survives a power cut; where a file system cannot promise that, nothing else would.
    let _ = sync_directory_of(&path);
    Ok(old)
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!("{name}.{suffix}"))
}

/// Never readable by others for a moment.
fn write_draft(path: PathBuf, text: &str, mode: u32) -> io::Result<Draft> {
    let draft = Draft::write(path, text.as_bytes(), 0o600)?;
    draft.file().set_permissions(fs::Permissions::from_mode(mode))?;
    draft.file().sync_all()?;
    Ok(draft)
}

fn keep_old(path: &Path) -> io::Result<Option<PathBuf>> {
    let old = beside(path, "old");
    if !path.exists() {
        return Ok(None);
    }
    match fs::remove_file(&old) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    fs::hard_link(path, &old)?;
    Ok(Some(old))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o7777
    }

    fn names(dir: &Path) -> Vec<String> {
        let mut names: Vec<String> =
            fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_new_file_has_its_mode_and_leaves_nothing_beside_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ha.d/authkeys");
        assert_eq!(replace(&path, "secret\n", 0o600).unwrap(), None);
        assert_eq!((fs::read_to_string(&path).unwrap().as_str(), mode(&path)), ("secret\n", 0o600));
        assert_eq!(names(path.parent().unwrap()), ["authkeys"]);
    }

    #[test]
    fn the_old_text_is_kept_with_its_own_mode() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ha.cf");
        for (text, old) in [("one", None), ("two", Some("one")), ("three", Some("two"))] {
            let kept = replace(&path, text, 0o644).unwrap().map(|path| fs::read_to_string(path).unwrap());
            assert_eq!(kept.as_deref(), old);
        }
        assert_eq!((names(dir.path()), mode(&path)), (vec!["ha.cf".to_owned(), "ha.cf.old".to_owned()], 0o644));
    }

    #[test]
    fn a_link_stays_a_link() {
        let dir = tempfile::tempdir().unwrap();
        let (link, target) = (dir.path().join("ha.cf"), dir.path().join("kept-elsewhere"));
        fs::write(&target, "old").unwrap();
        std::os::unix::fs::symlink(&target, &link).unwrap();
        replace(&link, "new", 0o644).unwrap();
        assert!(link.is_symlink());
        assert_eq!(fs::read_to_string(target).unwrap(), "new");
    }

    #[test]
    fn a_failure_names_the_file_and_leaves_the_old_one() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ha.cf");
        fs::create_dir(&path).unwrap();
        let error = replace(&path, "new", 0o644).unwrap_err();
        assert!(error.contains("ha.cf") && error.contains("it is as it was"), "{error}");
        assert_eq!(names(dir.path()), ["ha.cf"]);
    }
}
