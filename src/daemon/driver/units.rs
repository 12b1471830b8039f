//! Units of systemd that belong to groups, at the end of the machine (`systemd.md` 3): systemd stops all units at once, and
//! would take a service or a disk away from a group that still runs. A drop-in below `/run/systemd/system` has each of
//! them stopped after this node, which by then has stopped it itself, in its turn.
//!
//! A stop of such a unit then waits for this node's end, whenever systemd stops this node as well: each would wait for the
//! other. So it is stopped without regard to the order as long as systemd has something to do with us.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::{fs, io};

use crate::haresources::{Invocation, Verb, known};
use crate::host::files;
use crate::host::lookup::{Call, SYSTEMCTL, systemctl};
use crate::paths::Paths;

use super::Driver;

/// Where systemd has what it made of old init scripts.
const GENERATED: &str = "/run/systemd/generator.late";
const RUN: &str = "/run/systemd/system";
const NAME: &str = "50-latido.conf";
const TEXT: &str = "# Made by latido for a unit that belongs to one of its groups: see systemd.md 3.\n\
                    [Unit]\nBefore=latido.service\n";
/// What runs a stop at the end of the machine, or while systemd itself stops us: the program is run as ever, and for as long
/// systemd is told not to wait for us. Once is not enough: a unit that is down already has a stop planned again by whoever asks for one.
const WHEN_STOPPING: &str = "case \"$(\"$1\" is-system-running) $(\"$1\" show --property=Job latido.service)\" in \
                             stopping* | *Job=[1-9]*) \
                             (while kill -0 $$; do \"$1\" --no-block --job-mode=ignore-dependencies stop \"$2\"; sleep 0.2; done) \
                             </dev/null >/dev/null 2>&1 & esac; shift 2; exec \"$@\"";

/// Units that are stopped after this node, by the drop-ins of this daemon.
#[derive(Debug, Default)]
pub(crate) struct Units(BTreeSet<String>);

impl Units {
    /// The same call, or for a unit that is ordered by us one that this order does not hold up.
    pub(super) fn stop_in_time(&self, call: Call, invocation: &Invocation) -> Call {
        let unit = service(&invocation.resource.agent);
        if invocation.verb != Verb::Stop || !self.0.contains(&unit) {
            return call;
        }
        let mut arguments: Vec<OsString> =
            vec!["-c".into(), WHEN_STOPPING.into(), "sh".into(), systemctl().into(), unit.into(), call.program];
        arguments.extend(call.arguments);
        Call { program: "/bin/sh".into(), name: None, arguments }
    }
}

fn service(name: &str) -> String {
    format!("{name}.service")
}

/// The name of the unit of a mount point, as `systemd-escape --path` makes it; `None` for what is no absolute path.
fn mount_unit(path: &str) -> Option<String> {
    let parts: Vec<&str> = path.strip_prefix('/')?.split('/').filter(|part| !part.is_empty()).collect();
    if parts.is_empty() || parts.contains(&"..") || parts.contains(&".") {
        return None;
    }
    let mut name = String::new();
    for (at, byte) in parts.join("/").bytes().enumerate() {
        match byte {
            b'/' => name.push('-'),
            b'.' if at == 0 => name += "\\x2e",
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b':' | b'_' | b'.' => name.push(char::from(byte)),
            _ => name += &format!("\\x{byte:02x}"),
        }
    }
    Some(name + ".mount")
}

/// The drop-ins that lie below `run`, with what they say.
fn present(run: &Path) -> BTreeMap<String, Option<String>> {
    let entries = fs::read_dir(run).into_iter().flatten().flatten();
    let dropin = |entry: fs::DirEntry| {
        let name = entry.file_name().into_string().ok()?.strip_suffix(".d")?.to_owned();
        let path = entry.path().join(NAME);
        path.exists().then(|| (name, fs::read_to_string(path).ok()))
    };
    entries.filter_map(dropin).collect()
}

/// Makes the drop-ins below `run` those of these units; whether anything changed.
fn settle(run: &Path, wanted: &BTreeSet<String>) -> io::Result<bool> {
    let mut changed = false;
    for (unit, text) in present(run) {
        let dir = run.join(format!("{unit}.d"));
        if !wanted.contains(&unit) {
            fs::remove_file(dir.join(NAME))?;
            // Somebody else's may be in it.
            let _ = fs::remove_dir(dir);
            changed = true;
        } else if text.as_deref() != Some(TEXT) {
            files::replace_unsynced(&dir.join(NAME), TEXT.as_bytes(), 0o644)?;
            changed = true;
        }
    }
    for unit in wanted {
        let dir: PathBuf = run.join(format!("{unit}.d"));
        if !dir.join(NAME).exists() {
            fs::create_dir_all(&dir)?;
            files::replace_unsynced(&dir.join(NAME), TEXT.as_bytes(), 0o644)?;
            changed = true;
        }
    }
    Ok(changed)
}

impl Driver {
    /// Has the units of all groups stopped after this node at the end of the machine, from now on.
    pub(super) fn order_units(&mut self) {
        let run = Path::new(RUN);
        // A lab or a test that lives under another directory shares systemd with others.
        if self.options.paths != Paths::system() || !run.is_dir() {
            return;
        }
        let resources = self.config.groups.iter().flat_map(|group| &group.resources);
        let mut services = BTreeSet::new();
        let mut mounts = BTreeSet::new();
        for resource in resources {
            let unit = service(&resource.agent);
            if self.places.has_unit(&unit) || Path::new(GENERATED).join(&unit).exists() {
                services.insert(unit);
            } else if let Some(directory) = known::mount_point(resource) {
                mounts.extend(mount_unit(&directory.to_string_lossy()));
            }
        }
        let wanted = services.union(&mounts).cloned().collect();
        match settle(run, &wanted) {
            Ok(false) => {}
            Ok(true) => self.have_systemd_reread(),
            Err(error) => {
                self.log.warn(format!(
                    "{RUN}: {error}: at the end of the machine systemd may stop what belongs to a group before its turn"
                ));
            }
        }
        self.units = Units(services);
    }

    fn have_systemd_reread(&self) {
        let log = self.log.clone();
        let mut command = tokio::process::Command::new(systemctl());
        command.arg("daemon-reload").stdin(std::process::Stdio::null()).kill_on_drop(true);
        tokio::spawn(async move {
            let why = match command.output().await {
                Ok(output) if output.status.success() => return,
                Ok(output) => String::from_utf8_lossy(&output.stderr).trim().to_owned(),
                Err(error) => error.to_string(),
            };
            log.warn(format!(
                "{} daemon-reload: {why}: systemd does not know yet what belongs to the groups",
                SYSTEMCTL[0]
            ));
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mount_point_has_the_name_systemd_gives_it() {
        let names =
            ["/srv/data", "/srv//my-disk/", "/.a/b", "/ü x", "/", "srv", "/srv/../etc", "/a/./b"].map(mount_unit);
        let some = |name: &str| Some(name.to_owned());
        assert_eq!(
            names[..4],
            [
                some("srv-data.mount"),
                some("srv-my\\x2ddisk.mount"),
                some("\\x2ea-b.mount"),
                some("\\xc3\\xbc\\x20x.mount")
            ]
        );
        assert!(names[4..].iter().all(Option::is_none), "{names:?}");
    }

    #[test]
    fn units_that_leave_haresources_lose_their_drop_in_and_those_of_others_stay() {
        let dir = tempfile::tempdir().unwrap();
        let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
        let other = dir.path().join("db.service.d/10-own.conf");
        fs::create_dir_all(other.parent().unwrap()).unwrap();
        fs::write(&other, "").unwrap();
        assert!(settle(dir.path(), &set(&["web.service", "db.service"])).unwrap());
        assert!(!settle(dir.path(), &set(&["web.service", "db.service"])).unwrap(), "nothing to do");
        assert!(settle(dir.path(), &set(&["srv.mount"])).unwrap());
        assert!(!dir.path().join("web.service.d").exists() && other.exists());
        assert_eq!(present(dir.path()).keys().collect::<Vec<_>>(), ["srv.mount"]);
        fs::write(dir.path().join("srv.mount.d").join(NAME), "[Unit]\n").unwrap();
        assert!(settle(dir.path(), &set(&["srv.mount"])).unwrap(), "an older version's is written anew");
    }

    #[test]
    fn only_the_stop_of_a_unit_that_waits_for_us_is_told_to_systemd_first() {
        let units = Units(["web.service".to_owned()].into());
        let call = || Call { program: "/etc/init.d/web".into(), name: None, arguments: vec!["stop".into()] };
        let invocation =
            |agent: &str, verb| Invocation { resource: crate::haresources::Resource::from_word(agent), verb };
        let stop = units.stop_in_time(call(), &invocation("web", Verb::Stop));
        let words: Vec<_> = stop.arguments.iter().map(|word| word.to_string_lossy().into_owned()).collect();
        assert_eq!(words[4..], ["web.service", "/etc/init.d/web", "stop"]);
        assert_eq!(units.stop_in_time(call(), &invocation("web", Verb::Start)).program, call().program);
        assert_eq!(units.stop_in_time(call(), &invocation("db", Verb::Stop)).program, call().program);
    }
}
