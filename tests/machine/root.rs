//! The Debian root every machine is booted from, and the packages that are tried in it. Made once by `scripts/debian-root`
//! and kept in the cache; a machine never writes to it.

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use super::node::{checkout, latido};
use super::shell;

/// The root with these packages beside the usual ones.
pub(crate) fn with(packages: &[&str]) -> Result<PathBuf, String> {
    by_script("debian-root", |script| script.arg("--kept").args(packages))
}

/// Where these packages lie, with what they need.
pub(crate) fn packages(packages: &[&str]) -> Result<PathBuf, String> {
    by_script("debian-root", |script| script.arg("--fetch").args(packages))
}

/// The package of this build: made once in a run.
pub(crate) fn deb() -> Result<PathBuf, String> {
    static MADE: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    MADE.get_or_init(|| {
        let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("machine");
        by_script("package", |script| {
            script.env("PACKAGE_FAST", "1").arg("--program").arg(latido()).args(["--only", "deb"]).arg(&dir)
        })?;
        let name = format!("latido_{}-1_amd64.deb", env!("CARGO_PKG_VERSION"));
        Some(dir.join(name)).filter(|path| path.exists()).ok_or_else(|| "scripts/package made no deb".to_owned())
    })
    .clone()
}

/// The same package with a higher version, and with another program in it if there is one.
pub(crate) fn later_deb(version: &str, program: Option<&str>) -> PathBuf {
    let deb = deb().expect("a package");
    let later = deb.with_file_name(format!("latido_{version}_amd64.deb"));
    let script = "set -e; dir=$(mktemp -d); trap 'rm -rf \"$dir\"' EXIT; dpkg-deb -R \"$1\" \"$dir\"
        sed -i \"s/^Version: .*/Version: $3/\" \"$dir/DEBIAN/control\"
        [ -z \"$4\" ] || printf '%s' \"$4\" >\"$dir/usr/sbin/latido\"
        (cd \"$dir\" && find . -path ./DEBIAN -prune -o -type f -print | cut -c3- | xargs -d '\\n' md5sum >DEBIAN/md5sums)
        dpkg-deb --root-owner-group -Zgzip -z1 -b \"$dir\" \"$2\"";
    let mut command = shell::clean("sh");
    command.args(["-c", script, "sh"]).args([&deb, &later]).args([version, program.unwrap_or("")]);
    shell::must(command);
    later
}

fn by_script(name: &str, with: impl FnOnce(&mut Command) -> &mut Command) -> Result<PathBuf, String> {
    let mut script = Command::new(checkout("scripts").join(name));
    with(&mut script);
    let output = script.output().map_err(|error| format!("scripts/{name}: {error}"))?;
    if output.status.success() {
        return Ok(PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()));
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!("scripts/{name} cannot: {}", said.lines().last().unwrap_or_default()))
}
