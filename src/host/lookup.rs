//! Finding what a word of `haresources` means (`resources.md` 3.2, `agents.md` "Looking up a name"): a script in
//! `resource.d`, in `/etc/init.d`, a systemd unit, one of our own agents. Looked up anew at each call.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::agent;
use crate::haresources::{Invocation, Outcome, Verb};
use crate::paths::Paths;

use super::at_boot::{UNIT_DIRS, is_in};
use super::trust::{self, Trusted};

/// The second for machines whose `/bin` is a directory of its own.
pub(crate) const SYSTEMCTL: [&str; 2] = ["/usr/bin/systemctl", "/bin/systemctl"];

/// What a name means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum FoundAgent {
    /// This script.
    Script(PathBuf),
    /// This unit of systemd.
    Unit(String),
    /// Our own agent of that name: the link in `resource.d` leads to this program, or there is no script.
    Ours,
}

/// A program and its arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Call {
    /// Absolute path.
    pub program: OsString,
    /// What it sees as its own name, when that differs.
    pub name: Option<OsString>,
    /// The rest.
    pub arguments: Vec<OsString>,
}

impl FoundAgent {
    /// The program to run for this call; `None` for an agent of ours.
    pub(crate) fn call(&self, invocation: &Invocation) -> Option<Call> {
        let verb = invocation.verb;
        match self {
            FoundAgent::Script(program) => {
                let mut arguments: Vec<_> = invocation.resource.args.iter().map(Into::into).collect();
                arguments.push(verb.as_str().into());
                Some(Call { program: program.into(), name: None, arguments })
            }
            FoundAgent::Unit(unit) => {
                let verb = if verb == Verb::Status { "is-active" } else { verb.as_str() };
                let arguments = vec![verb.into(), unit.into()];
                Some(Call { program: systemctl().into(), name: None, arguments })
            }
            FoundAgent::Ours => None,
        }
    }

    /// A unit runs when `systemctl` says so by its exit code, and is stopped only when it says that by its word: one that
    /// is deactivating runs still, and one nobody could ask about proves nothing.
    pub(crate) fn judge(is_unit: bool, verb: Verb, mut outcome: Outcome) -> Outcome {
        if is_unit && verb == Verb::Status {
            let word =
                outcome.said.split_whitespace().next().unwrap_or("").trim_end_matches(|c: char| !c.is_alphabetic());
            let told = match word {
                _ if outcome.succeeded() => "running",
                "inactive" | "failed" => "stopped",
                _ => "",
            };
            outcome.said = told.to_owned();
        }
        outcome
    }
}

/// Who speaks with systemd on this machine.
pub(crate) fn systemctl() -> &'static str {
    SYSTEMCTL.iter().find(|path| Path::new(path).exists()).unwrap_or(&SYSTEMCTL[0])
}

/// An agent of ours as a program of its own, which knows when it will be ended; `None` when there is none of that name.
pub(crate) fn own_agent(invocation: &Invocation, limit: Duration) -> Option<Call> {
    let name = &invocation.resource.agent;
    agent::place_of(name)?;
    let limit = limit.as_millis().to_string();
    let mut arguments = vec!["agent".into(), "--within".into(), limit.into(), name.into()];
    arguments.extend(invocation.resource.args.iter().map(Into::into));
    arguments.push(invocation.verb.as_str().into());
    // Ourselves, also when another version lies in our place meanwhile.
    Some(Call { program: "/proc/self/exe".into(), name: Some("latido".into()), arguments })
}

/// Where scripts are looked for.
#[derive(Clone, Debug)]
pub(crate) struct ProgramPlaces {
    resource_dir: PathBuf,
    init_dir: PathBuf,
    rc_dir: PathBuf,
    /// What such scripts read first.
    functions: PathBuf,
    /// Device and inode of this program, and its path.
    myself: Option<(u64, u64)>,
    my_path: Option<PathBuf>,
    /// Where units lie; empty without systemd.
    unit_dirs: Vec<PathBuf>,
}

impl ProgramPlaces {
    /// The places of this node.
    pub(crate) fn new(paths: &Paths) -> ProgramPlaces {
        let has_systemd = Path::new("/run/systemd/system").is_dir();
        ProgramPlaces {
            resource_dir: paths.resource_dir(),
            init_dir: paths.init_dir.clone(),
            rc_dir: paths.rc_dir(),
            functions: paths.shellfuncs(),
            my_path: std::env::current_exe().ok(),
            myself: fs::metadata("/proc/self/exe").ok().map(|meta| (meta.dev(), meta.ino())),
            unit_dirs: if has_systemd { unit_dirs() } else { Vec::new() },
        }
    }

    /// Finds what runs the resource agent `name`.
    ///
    /// # Errors
    /// A sentence: where we looked, or which path others may write.
    pub(crate) fn find(&self, name: &str) -> Result<FoundAgent, String> {
        if !is_plain(name) {
            return Err(format!("Cannot locate resource script {name}: not a file name"));
        }
        for dir in [&self.resource_dir, &self.init_dir] {
            let path = dir.join(name);
            match trust::program(&path) {
                Ok(None) => {}
                Ok(Some(found)) if self.is_myself(&found) => return Ok(FoundAgent::Ours),
                Ok(Some(_)) => {
                    if dir == &self.resource_dir {
                        self.refuse_with_its_functions(&path)?;
                    }
                    return Ok(FoundAgent::Script(path));
                }
                // By its words alone: what lies where others write is not touched, and nothing of it is run.
                Err(refusal) if refusal.exposed.link.is_some() && refusal.exposed.link == self.my_path => {
                    return Ok(FoundAgent::Ours);
                }
                Err(refusal) => return Err(refusal.to_string()),
            }
        }
        let unit = format!("{name}.service");
        if self.has_unit(&unit) {
            return Ok(FoundAgent::Unit(unit));
        }
        Ok(FoundAgent::Ours)
    }

    /// Whether systemd knows a unit of this name.
    pub(crate) fn has_unit(&self, unit: &str) -> bool {
        self.unit_dirs.iter().any(|dir| is_in(dir, unit))
    }

    fn is_myself(&self, found: &Trusted) -> bool {
        self.myself == Some((found.stat.st_dev, found.stat.st_ino))
    }

    /// Scripts of `resource.d` and `rc.d` read the functions of `shellfuncs` before anything else.
    fn refuse_with_its_functions(&self, path: &Path) -> Result<(), String> {
        match trust::walk(&self.functions) {
            Ok(trust::FoundAt::Exposed(exposed)) => {
                let (path, remedy) = (path.display(), exposed.remedy());
                Err(format!("{path} will not be run: what such scripts read first, {exposed} ({remedy})"))
            }
            Ok(trust::FoundAt::Nothing | trust::FoundAt::Trusted(_)) | Err(_) => Ok(()),
        }
    }

    /// Where the script of an agent lies, or would: what the log calls it, also when an agent of ours does its work.
    pub(crate) fn path_of(&self, name: &str) -> String {
        let here = |dir: &&PathBuf| is_plain(name) && !matches!(trust::program(&dir.join(name)), Ok(None));
        let dir = [&self.resource_dir, &self.init_dir].into_iter().find(here).unwrap_or(&self.resource_dir);
        dir.join(name).display().to_string()
    }

    /// The sentence for a name nothing was found for.
    pub(crate) fn nothing(&self, name: &str) -> String {
        let (resources, init) = (self.resource_dir.display(), self.init_dir.display());
        format!("Cannot locate resource script {name}: no executable file in {resources} or {init}, and no unit")
    }

    /// The notification script for messages of type `name`, if there is one.
    ///
    /// # Errors
    /// Which path others may write.
    pub(crate) fn notification_script(&self, name: &str) -> Result<Option<PathBuf>, String> {
        if !is_plain(name) {
            return Ok(None);
        }
        let path = self.rc_dir.join(name);
        if trust::program(&path).map_err(|refusal| refusal.to_string())?.is_none() {
            return Ok(None);
        }
        self.refuse_with_its_functions(&path)?;
        Ok(Some(path))
    }
}

/// Where units lie on this machine.
pub(crate) fn unit_dirs() -> Vec<PathBuf> {
    UNIT_DIRS.iter().map(|dir| Path::new("/").join(dir)).collect()
}

/// Whether a word can only mean a file of that name.
fn is_plain(name: &str) -> bool {
    !name.is_empty() && !name.starts_with('.') && !name.contains(['/', '\0'])
}

/// A file that may be run, and that nobody else can change.
pub(crate) fn executable(path: &Path) -> bool {
    matches!(trust::program(path), Ok(Some(_)))
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt as _;

    use crate::haresources::StatusAnswer;

    use super::*;

    fn node() -> (tempfile::TempDir, ProgramPlaces) {
        let dir = tempfile::tempdir().unwrap();
        let mut paths = Paths::under(dir.path());
        paths.init_dir = dir.path().join("init.d");
        for made in [paths.resource_dir(), paths.rc_dir(), paths.init_dir.clone()] {
            fs::create_dir(made).unwrap();
        }
        let units = dir.path().join("units");
        fs::create_dir(&units).unwrap();
        let places = ProgramPlaces { unit_dirs: vec![units], ..ProgramPlaces::new(&paths) };
        (dir, places)
    }

    fn script(path: &Path, mode: u32) {
        fs::write(path, "#!/bin/sh\n").unwrap();
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn resource_d_comes_before_init_d_and_both_before_a_unit_and_that_before_our_own_agent() {
        let (dir, places) = node();
        assert_eq!(places.find("web"), Ok(FoundAgent::Ours));
        fs::write(dir.path().join("units/web.service"), "").unwrap();
        assert_eq!(places.find("web"), Ok(FoundAgent::Unit("web.service".into())));
        fs::write(dir.path().join("units/tpl@.service"), "").unwrap();
        assert_eq!(places.find("tpl@a"), Ok(FoundAgent::Unit("tpl@a.service".into())));
        assert_eq!(places.find("tpl"), Ok(FoundAgent::Ours));
        script(&dir.path().join("init.d/web"), 0o755);
        assert_eq!(places.find("web"), Ok(FoundAgent::Script(dir.path().join("init.d/web"))));
        script(&dir.path().join("resource.d/web"), 0o755);
        assert_eq!(places.find("web"), Ok(FoundAgent::Script(dir.path().join("resource.d/web"))));
    }

    #[test]
    fn what_cannot_be_executed_and_what_is_no_file_is_passed_over() {
        let (dir, places) = node();
        script(&dir.path().join("resource.d/web"), 0o644);
        fs::create_dir(dir.path().join("init.d/web")).unwrap();
        assert_eq!(places.find("web"), Ok(FoundAgent::Ours));
    }

    #[test]
    fn a_unit_is_asked_by_exit_code_and_not_by_what_it_logged() {
        let invocation = |verb| Invocation { resource: crate::haresources::Resource::from_word("web"), verb };
        let call = FoundAgent::Unit("web.service".into()).call(&invocation(Verb::Status)).unwrap();
        assert_eq!(call.arguments, ["is-active", "web.service"]);
        let told = |code, said: &str| {
            let outcome = Outcome { exit: crate::haresources::Exit::Code(code), said: said.into() };
            FoundAgent::judge(true, Verb::Status, outcome).told()
        };
        assert_eq!(told(0, "OK not running"), StatusAnswer::Running);
        assert_eq!(told(3, "inactive\n"), StatusAnswer::Stopped);
        assert_eq!(told(3, "failed; OK: it was running"), StatusAnswer::Stopped);
        for (code, said) in [(3, "deactivating\n"), (3, "activating"), (1, ""), (4, "OK running")] {
            assert_eq!(told(code, said), StatusAnswer::Unknown, "{code} {said}");
        }
    }

    #[test]
    fn a_link_to_this_program_means_our_own_agent() {
        let (dir, places) = node();
        let me = std::env::current_exe().unwrap();
        std::os::unix::fs::symlink(me, dir.path().join("resource.d/IPaddr")).unwrap();
        assert_eq!(places.find("IPaddr"), Ok(FoundAgent::Ours));
    }

    #[test]
    fn a_script_or_directory_others_may_write_is_refused_by_name() {
        let (dir, places) = node();
        script(&dir.path().join("resource.d/web"), 0o757);
        assert!(places.find("web").unwrap_err().contains("resource.d/web may be written by everybody"));
        script(&dir.path().join("resource.d/web"), 0o755);
        fs::set_permissions(dir.path().join("resource.d"), Permissions::from_mode(0o777)).unwrap();
        assert!(places.find("web").unwrap_err().contains("resource.d may be written by everybody"));
    }

    #[test]
    fn a_link_is_judged_by_where_it_leads() {
        let (dir, places) = node();
        let open = dir.path().join("open");
        fs::create_dir(&open).unwrap();
        script(&open.join("real"), 0o755);
        fs::set_permissions(&open, Permissions::from_mode(0o777)).unwrap();
        std::os::unix::fs::symlink(open.join("real"), dir.path().join("resource.d/web")).unwrap();
        assert!(places.find("web").unwrap_err().contains("/open may be written by everybody"));
    }

    #[test]
    fn functions_that_others_may_write_keep_the_scripts_that_read_them_from_being_run() {
        let (dir, places) = node();
        for name in ["resource.d/web", "rc.d/status", "init.d/other"] {
            script(&dir.path().join(name), 0o755);
        }
        let functions = dir.path().join("shellfuncs");
        script(&functions, 0o644);
        assert!(places.find("web").is_ok() && places.notification_script("status").is_ok_and(|found| found.is_some()));
        fs::set_permissions(&functions, Permissions::from_mode(0o666)).unwrap();
        let refused = [places.find("web").unwrap_err(), places.notification_script("status").unwrap_err()];
        assert!(refused.iter().all(|why| why.contains("/shellfuncs may be written by everybody")), "{refused:?}");
        assert_eq!(places.find("other"), Ok(FoundAgent::Script(dir.path().join("init.d/other"))));
        assert_eq!(places.find("IPaddr"), Ok(FoundAgent::Ours));
    }

    #[test]
    fn a_link_that_names_this_program_is_ours_wherever_others_may_write() {
        let (dir, mut places) = node();
        let open = dir.path().join("open");
        fs::create_dir(&open).unwrap();
        fs::set_permissions(&open, Permissions::from_mode(0o777)).unwrap();
        std::os::unix::fs::symlink(open.join("latido"), dir.path().join("resource.d/IPaddr")).unwrap();
        assert!(places.find("IPaddr").is_err());
        places.my_path = Some(open.join("latido"));
        assert_eq!(places.find("IPaddr"), Ok(FoundAgent::Ours));
    }

    #[test]
    fn a_name_that_leads_out_of_the_directory_is_no_name() {
        let (_dir, places) = node();
        for name in ["../web", "/bin/true", "", ".", "..", ".hidden"] {
            assert!(places.find(name).is_err(), "{name}");
            assert_eq!(places.notification_script(name), Ok(None), "{name}");
        }
    }
}
