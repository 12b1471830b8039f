//! What the system would start or mount by itself at boot, on both nodes, beside us.

use std::fs;
use std::path::Path;

use crate::config::Config;
use crate::haresources::{Resource, known};
use crate::host::at_boot::started_at_boot;

use super::finding::Findings;

/// Looks below `root`, which is `/` but for tests.
pub(super) fn check(config: &Config, root: &Path, findings: &mut Findings) {
    let mut clean = true;
    let mut seen = std::collections::BTreeSet::new();
    for resource in config.groups.iter().flat_map(|group| &group.resources) {
        if !seen.insert(resource.word.clone()) {
            continue;
        }
        if let Some(starter) = started_at_boot(root, &resource.agent) {
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
    if clean {
        findings.pass("boot", "the system starts and mounts nothing of haresources by itself");
    }
}

pub(super) fn disable(agent: &str, starter: &Path) -> String {
    let by_systemd = starter.components().any(|part| part.as_os_str() == "systemd");
    if by_systemd {
        format!("systemctl disable {agent}")
    } else {
        format!("chkconfig {agent} off, or update-rc.d {agent} disable")
    }
}

/// The line of `fstab` that mounts a `Filesystem` resource.
fn mounted_at_boot(resource: &Resource, root: &Path) -> Option<String> {
    let directory = known::mount_point(resource)?;
    let text = fs::read(root.join("etc/fstab")).ok()?;
    mounting_line(&String::from_utf8_lossy(&text), &directory.to_string_lossy())
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

    #[test]
    fn fstab_counts_without_noauto() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("etc")).unwrap();
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
