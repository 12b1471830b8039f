//! Whether the machine starts a service by itself when it boots: what heartbeat manages must not be, or it runs on both
//! nodes before either has said a word (`agents.md` "Looking up a name"). Reads links only; asks no service manager.

use std::fs;
use std::path::{Path, PathBuf};

/// Where systemd's units lie below the root directory, the administrator's first.
pub(crate) const UNIT_DIRS: [&str; 5] = [
    "etc/systemd/system",
    "run/systemd/system",
    "usr/local/lib/systemd/system",
    "usr/lib/systemd/system",
    "lib/systemd/system",
];
const RUNLEVELS: [&str; 8] = [
    "etc/rc2.d",
    "etc/rc3.d",
    "etc/rc4.d",
    "etc/rc5.d",
    "etc/rc.d/rc2.d",
    "etc/rc.d/rc3.d",
    "etc/rc.d/rc4.d",
    "etc/rc.d/rc5.d",
];

/// The link that starts the service `name` at boot, for a machine whose root directory is `root`.
pub(crate) fn started_at_boot(root: &Path, name: &str) -> Option<PathBuf> {
    if name.is_empty() || name.contains('/') {
        return None;
    }
    let unit = format!("{name}.service");
    let units: Vec<PathBuf> = UNIT_DIRS.iter().map(|dir| root.join(dir)).collect();
    let has_unit = has_unit(root, name);
    let wanted = units.iter().find_map(|dir| wanted_in(dir, &unit));
    // systemd takes a unit instead of the init script of the same name.
    let scripts_count = !has_unit || !root.join("run/systemd/system").is_dir();
    wanted.or_else(|| RUNLEVELS.iter().filter(|_| scripts_count).find_map(|dir| linked_in(&root.join(dir), name)))
}

/// Whether systemd has a unit of this name.
pub(crate) fn has_unit(root: &Path, name: &str) -> bool {
    UNIT_DIRS.iter().any(|dir| is_in(&root.join(dir), &format!("{name}.service")))
}

/// Whether this directory has the file of a unit, or of the template it is an instance of: `web@.service` for `web@a.service`.
pub(crate) fn is_in(dir: &Path, unit: &str) -> bool {
    let template = unit.split_once('@').map(|(name, _)| format!("{name}@.service"));
    dir.join(unit).exists() || template.is_some_and(|template| dir.join(template).exists())
}

/// `multi-user.target.wants/NAME.service`, or a link of another name that leads to the unit.
fn wanted_in(units: &Path, unit: &str) -> Option<PathBuf> {
    let wanting =
        |dir: &PathBuf| dir.extension().is_some_and(|kind| ["wants", "requires", "upholds"].iter().any(|k| kind == *k));
    // What a machine does on its way down has nothing to do with a start.
    let leaving = |dir: &PathBuf| {
        let name = dir.file_name().unwrap_or_default().to_string_lossy().into_owned();
        ["shutdown.", "reboot.", "halt.", "poweroff."].iter().any(|target| name.starts_with(target))
    };
    let targets = entries(units).into_iter().filter(|dir| wanting(dir) && !leaving(dir));
    let links = targets.flat_map(|dir| entries(&dir));
    links.into_iter().find(|link| {
        let leads_there = || fs::read_link(link).is_ok_and(|target| target.file_name().is_some_and(|n| n == unit));
        link.file_name().is_some_and(|n| n == unit) || leads_there()
    })
}

/// `S20NAME`
fn linked_in(runlevel: &Path, name: &str) -> Option<PathBuf> {
    entries(runlevel).into_iter().find(|link| {
        let text = link.file_name().unwrap_or_default().to_string_lossy().into_owned();
        text.strip_prefix('S').is_some_and(|rest| rest.trim_start_matches(|c: char| c.is_ascii_digit()) == name)
    })
}

fn entries(dir: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    found.sort();
    found
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    struct Machine(tempfile::TempDir);

    impl Machine {
        fn new() -> Machine {
            Machine(tempfile::tempdir().unwrap())
        }

        fn file(&self, path: &str) -> &Machine {
            let path = self.0.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
            self
        }

        fn link(&self, path: &str, target: &str) -> &Machine {
            let path = self.0.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            symlink(target, path).unwrap();
            self
        }

        fn starts(&self, name: &str) -> Option<String> {
            let link = started_at_boot(self.0.path(), name)?;
            Some(link.strip_prefix(self.0.path()).unwrap().display().to_string())
        }
    }

    #[test]
    fn a_unit_that_some_target_wants_is_started_and_others_are_not() {
        let machine = Machine::new();
        machine.file("lib/systemd/system/asterisk.service").file("lib/systemd/system/apache2.service");
        assert_eq!(machine.starts("asterisk"), None);
        let link = "etc/systemd/system/multi-user.target.wants/asterisk.service";
        machine.link(link, "/lib/systemd/system/asterisk.service");
        assert_eq!(machine.starts("asterisk").as_deref(), Some(link));
        assert_eq!(machine.starts("apache2"), None);
        machine.link("etc/systemd/system/reboot.target.wants/apache2.service", "/lib/systemd/system/apache2.service");
        assert_eq!(machine.starts("apache2"), None);
        let alias = "etc/systemd/system/multi-user.target.wants/httpd.service";
        machine.link(alias, "/lib/systemd/system/apache2.service");
        assert_eq!(machine.starts("apache2").as_deref(), Some(alias));
    }

    #[test]
    fn an_init_script_is_started_by_its_runlevel_unless_systemd_has_a_unit_for_it() {
        let machine = Machine::new();
        machine.file("etc/rc2.d/README").link("etc/rc2.d/K20asterisk", "../init.d/asterisk");
        assert_eq!(machine.starts("asterisk"), None);
        machine.link("etc/rc3.d/S91asterisk", "../init.d/asterisk").link("etc/rc3.d/S91asterisk2", "../init.d/x");
        assert_eq!(machine.starts("asterisk").as_deref(), Some("etc/rc3.d/S91asterisk"));
        machine.file("run/systemd/system/x").file("usr/lib/systemd/system/asterisk.service");
        assert_eq!(machine.starts("asterisk"), None);
        assert_eq!(machine.starts("../asterisk"), None);
    }

    #[test]
    fn a_start_link_or_a_wanted_unit_starts_a_service() {
        for file in [
            "etc/rc3.d/S85httpd",
            "etc/rc.d/rc5.d/S01httpd",
            "etc/systemd/system/multi-user.target.wants/httpd.service",
            "usr/lib/systemd/system/graphical.target.requires/httpd.service",
        ] {
            assert!(Machine::new().file(file).starts("httpd").is_some(), "{file}");
        }
        for file in [
            "etc/rc3.d/K15httpd",
            "etc/rc1.d/S85httpd",
            "etc/rc3.d/S85httpd2",
            "etc/init.d/httpd",
            "usr/lib/systemd/system/httpd.service",
            "etc/systemd/system/reboot.target.wants/httpd.service",
        ] {
            assert_eq!(Machine::new().file(file).starts("httpd"), None, "{file}");
        }
    }
}
