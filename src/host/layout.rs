//! Where the programs that scripts call lie on this machine (`resources.md` 3.3, 11): the old packages put them into
//! `libexec`, `lib64` or `lib`, and what a script is told must lead to what is there. What leads nowhere is not said, so
//! that the script's own default counts. Looks, and changes nothing.

use std::ffi::OsStr;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use crate::config::Lack;
use crate::paths::Paths;

use super::lookup::{self, ProgramPlaces, executable};
use super::sourced;
use super::trust::{self, FoundAt};

/// Below the root directory: Debian 12 and CentOS 6, 64-bit CentOS 5, everything older, and what was built by hand.
const HELPER_DIRS: [&str; 6] = [
    "usr/libexec/heartbeat",
    "usr/lib64/heartbeat",
    "usr/lib/heartbeat",
    "usr/local/libexec/heartbeat",
    "usr/local/lib64/heartbeat",
    "usr/local/lib/heartbeat",
];
/// What an address needs; the directory that has most of these is `HA_BIN`.
const HELPERS: [&str; 2] = ["findif", "send_arp"];
/// What tells between directories that have neither or both.
const OTHER_HELPERS: [&str; 7] = ["send_ua", "tickle_tcp", "sfex_daemon", "mlock", "pingd", "ipfail", "heartbeat"];
/// The scripts of `HA_NOARCHBIN`; before 2.1.2 they lay beside the helpers.
const SCRIPTS_DIR: &str = "usr/share/heartbeat";
const SCRIPTS: [&str; 5] = ["mach_down", "ResourceManager", "hb_standby", "hb_takeover", "req_resource"];
/// More of a script than this is not read.
const LONGEST_SCRIPT: u64 = 1 << 20;

/// The agents of the old packages that call helpers: which, and what happens without it.
const CALLERS: [(&str, &str, Loss); 4] = [
    ("IPaddr", "findif", Loss::Start),
    ("IPaddr", "send_arp", Loss::Announcement),
    ("IPaddr2", "send_arp", Loss::Announcement),
    ("SendArp", "send_arp", Loss::Announcement),
];

/// What a missing helper costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Loss {
    /// The address does not come up.
    Start,
    /// It comes up, and nobody is told.
    Announcement,
    /// Whatever the site's script wanted of it.
    Unknown,
}

/// The places of one machine.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    root: PathBuf,
}

impl Layout {
    /// Of the machine whose root directory this is.
    pub(crate) fn of(root: &Path) -> Layout {
        Layout { root: root.to_owned() }
    }

    /// `HA_BIN`: the directory of the helper programs.
    pub(crate) fn helpers(&self) -> Option<PathBuf> {
        let has = |dir: &Path, names: &[&str]| names.iter().filter(|name| executable(&dir.join(name))).count();
        let score = |dir: &PathBuf| (has(dir, &HELPERS), has(dir, &OTHER_HELPERS));
        // The first of those that have equally much.
        self.helper_dirs().rev().filter(|dir| score(dir) > (0, 0)).max_by_key(score)
    }

    /// `HA_NOARCHBIN`: the directory of the original's own scripts.
    pub(crate) fn scripts(&self) -> Option<PathBuf> {
        let dirs = std::iter::once(self.root.join(SCRIPTS_DIR)).chain(self.helper_dirs());
        dirs.into_iter().find(|dir| SCRIPTS.iter().any(|name| executable(&dir.join(name))))
    }

    /// A directory, if it is there.
    pub(crate) fn directory(&self, path: &str) -> Option<PathBuf> {
        Some(self.root.join(path)).filter(|path| path.is_dir())
    }

    fn helper_dirs(&self) -> impl DoubleEndedIterator<Item = PathBuf> {
        HELPER_DIRS.iter().map(|dir| self.root.join(dir))
    }

    /// The helpers that this script calls and will not find, with `HA_BIN` as it was exported.
    fn lacks(&self, agent: &str, script: &Path, exported: Option<&OsStr>) -> Vec<Lack> {
        let exported = exported.filter(|value| !value.is_empty()).map(PathBuf::from);
        let bin = exported.clone().or_else(|| self.helpers());
        let there = |name: &str| bin.as_ref().is_some_and(|dir| executable(&dir.join(name)));
        let called = self.called(agent, script);
        let missing = called.into_iter().filter(|(name, _)| !there(name));
        missing.map(|(name, loss)| self.lack(agent, script, &name, loss, exported.as_deref())).collect()
    }

    /// By the old packages' agents of this name, and by `$HA_BIN/NAME` in the script itself.
    fn called(&self, agent: &str, script: &Path) -> Vec<(String, Loss)> {
        let own = text(script);
        let ocf = text(&self.root.join("usr/lib/ocf/resource.d/heartbeat").join(agent));
        let says = |name: &str| [&own, &ocf].iter().any(|text| text.contains(name));
        let known = CALLERS.iter().filter(|(of, name, _)| *of == agent && says(name));
        let mut called: Vec<_> = known.map(|(_, name, loss)| ((*name).to_owned(), *loss)).collect();
        for name in named_by_variable(&own) {
            if !called.iter().any(|(known, _)| known == name) {
                called.push((name.to_owned(), Loss::Unknown));
            }
        }
        called
    }

    fn lack(&self, agent: &str, script: &Path, name: &str, loss: Loss, exported: Option<&Path>) -> Lack {
        let script = script.display();
        let cost = match loss {
            Loss::Start => "the address cannot come up on this host",
            Loss::Announcement => {
                "the address comes up without a gratuitous ARP: others go on sending to the other node until their own \
                 ARP cache ends"
            }
            Loss::Unknown => "the script calls it by $HA_BIN",
        };
        let elsewhere = self.helper_dirs().find(|dir| executable(&dir.join(name)));
        let looked = exported.map(Path::to_owned).or_else(|| self.helpers());
        let place = match looked {
            Some(dir) => format!("is not in {}", dir.display()),
            None => format!("is in none of /{}", HELPER_DIRS.join(", /")),
        };
        let remedy = match (elsewhere, exported) {
            (Some(dir), Some(exported)) => {
                format!("it is in {}: do not export HA_BIN={}", dir.display(), exported.display())
            }
            (Some(dir), None) => format!("it is in {}: make a link to it where the others are", dir.display()),
            (None, _) if loss == Loss::Unknown => format!("install it, or mend {script}"),
            (None, _) => {
                format!("install the package resource-agents; or remove {script}: the built-in {agent} needs no helper")
            }
        };
        Lack { what: format!("{script} needs {name}, which {place}: {cost}"), remedy, fatal: loss == Loss::Start }
    }
}

/// The helpers that the script of this agent calls and will not find on this machine, when it is run from here.
pub(crate) fn lacks(paths: &Paths, agent: &str) -> Vec<Lack> {
    match ProgramPlaces::new(paths).find(agent) {
        Ok(lookup::FoundAgent::Script(script)) => {
            let mut lacks = Layout::of(Path::new("/")).lacks(agent, &script, std::env::var_os("HA_BIN").as_deref());
            lacks.extend(lacks_functions(paths, &script));
            lacks
        }
        Ok(lookup::FoundAgent::Unit(_) | lookup::FoundAgent::Ours) | Err(_) => Vec::new(),
    }
}

/// The files of functions that a script reads and that are not there, with the variables it is started with.
pub(crate) fn lacks_functions(paths: &Paths, script: &Path) -> Vec<Lack> {
    let layout = Layout::of(Path::new("/"));
    let below = |name: &str| format!("{}/{name}", paths.ha_dir.display());
    let shown = |path: Option<PathBuf>| path.map(|path| path.display().to_string());
    let exported = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    sourced::missing(script, &text(script), |name| match name {
        "HA_DIR" => Some(below("")),
        "HA_FUNCS" => Some(below("/shellfuncs")),
        "HA_RCDIR" => Some(below("/rc.d")),
        "HA_RESOURCEDIR" => Some(below("/resource.d")),
        "HA_BIN" => exported(name).or_else(|| shown(layout.helpers())),
        "HA_NOARCHBIN" => exported(name).or_else(|| shown(layout.scripts())),
        "OCF_ROOT" => exported(name).or_else(|| shown(layout.directory("usr/lib/ocf"))),
        // Another shell's variable says nothing about the one the script runs in.
        _ => None,
    })
}

/// What a script says, as far as it can be read; a program's bytes say nothing.
fn text(path: &Path) -> String {
    let mut bytes = Vec::new();
    let Ok(FoundAt::Trusted(script)) = trust::walk(path) else { return String::new() };
    let read = script.open().and_then(|file| file.take(LONGEST_SCRIPT).read_to_end(&mut bytes));
    if read.is_err() || !bytes.starts_with(b"#!") {
        return String::new();
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The names in `$HA_BIN/NAME`, `${HA_BIN}/NAME` and `"$HA_BIN"/NAME`, outside comments.
fn named_by_variable(script: &str) -> impl Iterator<Item = &str> {
    let code = script.lines().filter(|line| !line.trim_start().starts_with('#'));
    code.flat_map(|line| line.split("HA_BIN").skip(1)).filter_map(|rest| {
        let rest = rest.trim_start_matches(['}', '"']).strip_prefix('/')?;
        let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || "._-".contains(c))).unwrap_or(rest.len());
        Some(&rest[..end]).filter(|name| !name.is_empty())
    })
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn machine(files: &[&str]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        files.iter().for_each(|file| put(root.path(), file, "#!/bin/sh\n", 0o755));
        root
    }

    fn put(root: &Path, file: &str, text: &str, mode: u32) {
        let path = root.join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    /// `HA_BIN` and `HA_NOARCHBIN` on a machine with these files.
    fn found(files: &[&str]) -> [String; 2] {
        let root = machine(files);
        let layout = Layout::of(root.path());
        [layout.helpers(), layout.scripts()].map(|dir| {
            let dir = dir.map(|dir| dir.strip_prefix(root.path()).unwrap().display().to_string());
            dir.unwrap_or_default()
        })
    }

    const SHARE: &str = "usr/share/heartbeat/mach_down";

    #[test]
    fn the_helpers_of_each_old_package_are_found_where_it_put_them() {
        let debian_12 = [
            "usr/libexec/heartbeat/findif",
            "usr/libexec/heartbeat/send_arp",
            "usr/libexec/heartbeat/mlock",
            // cluster-glue
            "usr/lib/heartbeat/lrmd",
            "usr/lib/heartbeat/ha_logd",
            SHARE,
        ];
        assert_eq!(found(&debian_12), ["usr/libexec/heartbeat", "usr/share/heartbeat"]);
        let centos_5 = ["usr/lib64/heartbeat/findif", "usr/lib64/heartbeat/send_arp", SHARE];
        assert_eq!(found(&centos_5), ["usr/lib64/heartbeat", "usr/share/heartbeat"]);
        let centos_5_32_bit = ["usr/lib/heartbeat/findif", "usr/lib/heartbeat/send_arp", SHARE];
        assert_eq!(found(&centos_5_32_bit), ["usr/lib/heartbeat", "usr/share/heartbeat"]);
        let before_2_1_2 = ["usr/lib/heartbeat/findif", "usr/lib/heartbeat/hb_standby"];
        assert_eq!(found(&before_2_1_2), ["usr/lib/heartbeat", "usr/lib/heartbeat"]);
        // heartbeat of EPEL, resource-agents of CentOS itself.
        let centos_6 = [
            "usr/lib64/heartbeat/heartbeat",
            "usr/lib64/heartbeat/ipfail",
            "usr/lib64/heartbeat/mlock",
            "usr/libexec/heartbeat/findif",
            "usr/libexec/heartbeat/send_arp",
            SHARE,
        ];
        assert_eq!(found(&centos_6), ["usr/libexec/heartbeat", "usr/share/heartbeat"]);
        assert_eq!(found(&["usr/local/lib/heartbeat/findif"])[0], "usr/local/lib/heartbeat");
    }

    #[test]
    fn the_directory_with_more_of_what_an_address_needs_wins() {
        let both = ["usr/libexec/heartbeat/findif", "usr/lib/heartbeat/findif", "usr/lib/heartbeat/send_arp"];
        assert_eq!(found(&both)[0], "usr/lib/heartbeat");
        assert_eq!(found(&["usr/lib64/heartbeat/ipfail", "usr/lib/heartbeat/lrmd"])[0], "usr/lib64/heartbeat");
        let split = ["usr/lib64/heartbeat/findif", "usr/libexec/heartbeat/send_arp"];
        assert_eq!(found(&split)[0], "usr/libexec/heartbeat");
    }

    #[test]
    fn what_is_nowhere_is_not_said() {
        assert_eq!(found(&["usr/lib/heartbeat/lrmd", "usr/share/heartbeat/README"]), ["", ""]);
        let root = machine(&[]);
        put(root.path(), "usr/lib/heartbeat/findif", "no program", 0o644);
        assert_eq!(Layout::of(root.path()).helpers(), None);
    }

    fn lacks(root: &Path, agent: &str, exported: Option<&str>) -> Vec<Lack> {
        let script = root.join("etc/ha.d/resource.d").join(agent);
        Layout::of(root).lacks(agent, &script, exported.map(OsStr::new))
    }

    #[test]
    fn a_script_that_will_not_find_its_helper_is_named_with_what_that_costs_and_what_to_do() {
        let root = machine(&["usr/lib/heartbeat/mlock"]);
        let root = root.path();
        put(root, "etc/ha.d/resource.d/IPaddr", "#!/bin/sh\nexec ra IPaddr\n", 0o755);
        put(root, "usr/lib/ocf/resource.d/heartbeat/IPaddr", "#!/bin/sh\nX=findif Y=send_arp\n", 0o755);
        put(root, "etc/ha.d/resource.d/SendArp", "#!/bin/sh\nsend_arp\n", 0o755);
        let found = lacks(root, "IPaddr", None);
        assert_eq!(found.iter().map(|lack| lack.fatal).collect::<Vec<_>>(), [true, false]);
        let bin = root.join("usr/lib/heartbeat").display().to_string();
        assert!(found[0].what.contains(&format!("needs findif, which is not in {bin}")), "{found:?}");
        assert!(found[0].remedy.contains("install the package resource-agents; or remove "), "{found:?}");
        assert!(found[1].what.contains("without a gratuitous ARP"), "{found:?}");

        put(root, "usr/libexec/heartbeat/findif", "", 0o755);
        put(root, "usr/libexec/heartbeat/send_arp", "", 0o755);
        assert!(lacks(root, "IPaddr", None).is_empty() && lacks(root, "SendArp", None).is_empty());
        let found = lacks(root, "SendArp", Some("/opt/mine"));
        assert!(found[0].what.contains("which is not in /opt/mine"), "{found:?}");
        assert!(found[0].remedy.contains("do not export HA_BIN=/opt/mine"), "{found:?}");
    }

    #[test]
    fn a_sites_own_script_of_such_a_name_that_calls_no_helper_lacks_none() {
        let root = machine(&["etc/ha.d/resource.d/IPaddr", "etc/ha.d/resource.d/web"]);
        assert!(lacks(root.path(), "IPaddr", None).is_empty() && lacks(root.path(), "web", None).is_empty());
    }

    #[test]
    fn what_any_script_calls_by_the_variable_is_looked_for() {
        let root = machine(&["usr/lib/heartbeat/findif"]);
        let text =
            "#!/bin/sh\n# $HA_BIN/gone\n$HA_BIN/findif && \"${HA_BIN}\"/arper x\n${HA_BIN}/send_it;\n[ $HA_BIN ]\n";
        put(root.path(), "etc/ha.d/resource.d/site", text, 0o755);
        let found = lacks(root.path(), "site", None);
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].what.contains("needs arper") && found[1].what.contains("needs send_it"), "{found:?}");
    }
}
