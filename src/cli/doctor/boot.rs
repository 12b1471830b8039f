//! What the system would start or mount by itself at boot, on both nodes, beside us.

use std::fs;
use std::path::{Path, PathBuf};

use crate::config::Config;
use crate::haresources::Resource;

use super::finding::Findings;

/// Runlevels in which services are started.
const RUNLEVELS: [&str; 4] = ["2", "3", "4", "5"];
/// Where old and new systems keep them.
const RUNLEVEL_DIRS: [&str; 2] = ["etc", "etc/rc.d"];
const UNIT_DIRS: [&str; 3] = ["etc/systemd/system", "usr/lib/systemd/system", "lib/systemd/system"];

/// Looks below `root`, which is `/` but for tests.
pub(super) fn check(config: &Config, root: &Path, findings: &mut Findings) {
    let mut clean = true;
    let mut seen = std::collections::BTreeSet::new();
    for resource in config.groups.iter().flat_map(|group| &group.resources) {
        if !seen.insert(resource.word.clone()) {
            continue;
        }
        if let Some(starter) = starter_of(&resource.agent, root) {
            let what = format!("{} is started at boot by {}", resource.agent, starter.display());
            findings.fail("boot", what, disable(&resource.agent, &starter));
            clean = false;
        }
        if let Some(line) = mounted_at_boot(resource, root) {
            let what = format!("{resource} is mounted at boot by /etc/fstab: {line}");
            findings.fail("boot", what, "add noauto to its options, or remove the line");
            clean = false;
        }
    }
    if let (Some(old), Some(new)) = (starter_of("heartbeat", root), starter_of("latido", root)) {
        let what = format!("two daemons are started at boot: {} and {}", old.display(), new.display());
        findings.fail("boot", what, "keep one of them");
        clean = false;
    }
    if clean {
        findings.pass("boot", "the system starts and mounts nothing of haresources by itself");
    }
}

fn disable(agent: &str, starter: &Path) -> String {
    let by_systemd = starter.components().any(|part| part.as_os_str() == "systemd");
    if by_systemd {
        format!("systemctl disable {agent}")
    } else {
        format!("chkconfig {agent} off, or update-rc.d {agent} disable")
    }
}

/// The link by which the system starts a service.
fn starter_of(agent: &str, root: &Path) -> Option<PathBuf> {
    let plain = !agent.is_empty() && !agent.contains('/') && !agent.starts_with('.');
    if !plain {
        return None;
    }
    let by_runlevel =
        RUNLEVEL_DIRS.iter().flat_map(|dir| RUNLEVELS.map(|level| root.join(dir).join(format!("rc{level}.d"))));
    let is_start = |name: &str| {
        let number = name.strip_prefix('S').and_then(|rest| rest.split_at_checked(2));
        number.is_some_and(|(digits, rest)| rest == agent && digits.bytes().all(|byte| byte.is_ascii_digit()))
    };
    let unit = format!("{agent}.service");
    by_runlevel.flat_map(|dir| entries(&dir)).find(|path| name_of(path).is_some_and(is_start)).or_else(|| {
        let dirs = UNIT_DIRS.iter().flat_map(|dir| entries(&root.join(dir)));
        let wanting = dirs
            .filter(|path| name_of(path).is_some_and(|name| name.ends_with(".wants") || name.ends_with(".requires")));
        // Targets such as reboot.target.wants have nothing to do with a start.
        let starting = wanting.filter(|path| {
            name_of(path).is_some_and(|name| !name.starts_with("shutdown") && !name.starts_with("reboot"))
        });
        starting.map(|dir| dir.join(&unit)).find(|path| path.is_symlink() || path.exists())
    })
}

fn entries(dir: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> =
        fs::read_dir(dir).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.sort();
    paths
}

fn name_of(path: &Path) -> Option<&str> {
    path.file_name()?.to_str()
}

/// The line of `fstab` that mounts a `Filesystem` resource.
fn mounted_at_boot(resource: &Resource, root: &Path) -> Option<String> {
    let directory = resource.args.get(1).filter(|_| resource.agent == "Filesystem")?.trim_end_matches('/');
    let text = fs::read(root.join("etc/fstab")).ok()?;
    mounting_line(&String::from_utf8_lossy(&text), directory)
}

fn mounting_line(text: &str, directory: &str) -> Option<String> {
    let line = text.lines().find(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let options = words.get(3).copied().unwrap_or_default();
        !line.trim_start().starts_with('#')
            && words.get(1).is_some_and(|mounted| mounted.trim_end_matches('/') == directory)
            && !options.split(',').any(|option| option == "noauto")
    });
    line.map(|line| line.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_line_of_fstab_makes_it_panic(text in "([ #/a-z,]{0,20}\n){0,4}") {
            let _ = mounting_line(&text, "/data");
        }
    }

    fn root(files: &[&str]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for file in files {
            let path = root.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        root
    }

    #[test]
    fn a_start_link_or_a_wanted_unit_starts_a_service() {
        for file in [
            "etc/rc3.d/S85httpd",
            "etc/rc.d/rc5.d/S01httpd",
            "etc/systemd/system/multi-user.target.wants/httpd.service",
            "usr/lib/systemd/system/graphical.target.requires/httpd.service",
        ] {
            assert!(starter_of("httpd", root(&[file]).path()).is_some(), "{file}");
        }
        for file in [
            "etc/rc3.d/K15httpd",
            "etc/rc1.d/S85httpd",
            "etc/rc3.d/S85httpd2",
            "etc/init.d/httpd",
            "usr/lib/systemd/system/httpd.service",
            "etc/systemd/system/reboot.target.wants/httpd.service",
        ] {
            assert_eq!(starter_of("httpd", root(&[file]).path()), None, "{file}");
        }
    }

    #[test]
    fn fstab_counts_without_noauto() {
        let root = root(&["etc/fstab"]);
        let resource = Resource::from_word("Filesystem::/dev/drbd0::/data::ext4");
        for (text, found) in [
            ("/dev/drbd0 /data ext4 defaults 0 0\n", true),
            ("LABEL=x /data/ ext4\n", true),
            ("/dev/drbd0 /data ext4 noauto,ro 0 0\n", false),
            ("#/dev/drbd0 /data ext4 defaults 0 0\n/dev/sda1 / ext4 defaults 0 1\n", false),
        ] {
            fs::write(root.path().join("etc/fstab"), text).unwrap();
            assert_eq!(mounted_at_boot(&resource, root.path()).is_some(), found, "{text}");
        }
    }
}
