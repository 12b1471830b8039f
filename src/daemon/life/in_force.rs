//! The configuration files as they were last accepted, kept beside the notes (`takeover.md` 9): what a successor goes on
//! with when the files have become unreadable or wrong in the meantime. It holds the keys, so it is readable by its owner
//! alone; it means nothing after the machine was started anew, and goes with a daemon that leaves in order.

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use zeroize::{Zeroize as _, Zeroizing};

use crate::config::{Config, MediumSpec, Sources};
use crate::diagnostic::{Problem, SourceText};
use crate::host::read_config::{self, ReadOptions};
use crate::host::{process, spare};
use crate::paths::Paths;

/// Far above what four files of at most 4 MiB make of themselves.
const LONGEST: u64 = 64 << 20;

/// What is written down.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct KeptFiles {
    latido_files: u32,
    boot: String,
    without_resources: bool,
    ha_cf: Option<KeptFile>,
    latido_cf: Option<KeptFile>,
    haresources: Option<KeptFile>,
    authkeys: Option<KeptFile>,
}

#[derive(Serialize, Deserialize)]
struct KeptFile {
    name: String,
    text: String,
}

fn path(paths: &Paths) -> PathBuf {
    paths.own_dir.join("latido-files")
}

/// Writes down what is in force from now on.
///
/// # Errors
/// A sentence for the log; then nothing is kept, for what was accepted earlier is no longer in force.
pub(crate) fn keep(paths: &Paths, sources: &Sources) -> Result<(), String> {
    let file = |source: &Option<SourceText>| {
        source.as_ref().map(|source| KeptFile { name: source.name.clone(), text: source.text.clone() })
    };
    let mut files = KeptFiles {
        latido_files: 1,
        boot: process::boot_id(),
        without_resources: sources.without_resources,
        ha_cf: file(&sources.ha_cf),
        latido_cf: file(&sources.latido_cf),
        haresources: file(&sources.haresources),
        authkeys: file(&sources.authkeys),
    };
    let path = path(paths);
    let text = serde_json::to_vec(&files).map(Zeroizing::new);
    files.authkeys.iter_mut().for_each(|file| file.text.zeroize());
    let written = text.map_err(io::Error::from).and_then(|text| spare::replace(&path, &text));
    written.map_err(|error| {
        spare::remove(&path);
        format!("cannot keep a copy of the files in force: {error}; a daemon that dies now needs them as they are")
    })
}

/// What was in force when the daemon before died; the problems of now take the place of those of then.
///
/// # Errors
/// A sentence: there is no such copy, or it makes no sense here any more.
pub(crate) fn read(paths: &Paths, options: &ReadOptions) -> Result<(Sources, Config), String> {
    let mut sources = read_sources(paths, options)?;
    // The machine was asked when they were accepted: an interface that is away is a medium that fails.
    match Config::assemble(&sources, &read_config::few_facts(paths)) {
        Ok(config) => Ok((sources, config)),
        Err(problems) => {
            sources.forget_keys();
            Err(format!("the files as they were do not fit any more: {}", sentence(&problems)))
        }
    }
}

/// The keys that were in force when the daemon before died; `None` when that is not known.
pub(crate) fn keys(paths: &Paths) -> Option<SourceText> {
    let file = read_files(paths)?.authkeys?;
    Some(SourceText::new(file.name, file.text))
}

/// Whether the files say again what is in force, so that nothing has to be reread.
pub(crate) fn says_the_same(paths: &Paths, options: &ReadOptions) -> bool {
    let mut now = read_config::read_sources(paths, options);
    let same = read_sources(paths, options).is_ok_and(|mut then| {
        let same = are_the_same(&now, &then);
        then.forget_keys();
        same
    });
    now.forget_keys();
    same
}

/// Whether both say the same; what is wrong with the files themselves counts, what the machine lacks does not.
pub(crate) fn are_the_same(now: &Sources, then: &Sources) -> bool {
    fn texts(sources: &Sources) -> [&Option<SourceText>; 4] {
        [&sources.ha_cf, &sources.latido_cf, &sources.haresources, &sources.authkeys]
    }
    !now.problems.iter().any(Problem::is_fatal) && texts(now) == texts(then)
}

/// Which of the files say something else than those in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Changed {
    /// `ha.cf` or `latido.cf`.
    pub settings: bool,
    pub resources: bool,
    pub keys: bool,
}

/// What is different; `None` when it is not known what is in force.
pub(crate) fn changed(paths: &Paths, options: &ReadOptions, now: &Sources) -> Option<Changed> {
    let mut then = read_sources(paths, options).ok()?;
    let changed = Changed {
        settings: now.ha_cf != then.ha_cf || now.latido_cf != then.latido_cf,
        resources: now.haresources != then.haresources,
        keys: now.authkeys != then.authkeys,
    };
    then.forget_keys();
    Some(changed)
}

/// What the machine lacks of the media of new files, those apart that are in force: a slip, as far as anybody knows.
pub(crate) fn lacking_anew<'a>(new: &'a Config, in_force: &[MediumSpec]) -> Vec<&'a Problem> {
    new.lacking.iter().filter(|(spec, _)| !in_force.contains(spec)).map(|(_, problem)| problem).collect()
}

/// The same for whoever is not the daemon, as far as it is known what is in force.
pub fn lacks_anew<'a>(paths: &Paths, new: &'a Config) -> Vec<&'a Problem> {
    let in_force = read(paths, &ReadOptions::default()).map(|(mut sources, config)| {
        sources.forget_keys();
        config.media
    });
    lacking_anew(new, &in_force.unwrap_or_default())
}

/// Whether a daemon was here since the machine was started, and has not left in order.
pub(crate) fn is_kept(paths: &Paths) -> bool {
    read_files(paths).is_some()
}

fn read_files(paths: &Paths) -> Option<KeptFiles> {
    let text = Zeroizing::new(spare::read(&path(paths), LONGEST)?);
    let files: KeptFiles = serde_json::from_str(&text).ok()?;
    (files.latido_files == 1 && files.boot == process::boot_id()).then_some(files)
}

fn read_sources(paths: &Paths, options: &ReadOptions) -> Result<Sources, String> {
    let nothing = || format!("{} holds no copy of the files as they were", path(paths).display());
    let files = read_files(paths).ok_or_else(nothing)?;
    let source = |file: Option<KeptFile>| file.map(|file| SourceText::new(file.name, file.text));
    let without_resources = options.without_resources || files.without_resources;
    Ok(Sources {
        ha_cf: source(files.ha_cf),
        latido_cf: source(files.latido_cf),
        haresources: source(files.haresources).filter(|_| !without_resources),
        authkeys: source(files.authkeys),
        problems: Vec::new(),
        without_resources,
    })
}

/// Nobody will need it.
pub(crate) fn forget(paths: &Paths) {
    spare::remove(&path(paths));
}

/// `/etc/ha.d/ha.cf:12 has an error: …`: the first, and how many more.
pub(crate) fn sentence(problems: &[Problem]) -> String {
    let counts = |problem: &&Problem| problem.is_fatal() || problem.lacking;
    let errors: Vec<&Problem> = problems.iter().filter(counts).collect();
    let Some(first) = errors.first() else { return "an error".to_owned() };
    let line = first.place.as_ref().map_or(String::new(), |place| format!(":{}", place.line));
    let name =
        Path::new(&first.file).file_name().map_or(first.file.clone(), |name| name.to_string_lossy().into_owned());
    let more = if errors.len() > 1 { format!(" (and {} more)", errors.len() - 1) } else { String::new() };
    format!("{name}{line} has an error: {}{more}", first.what)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    const HA_CF: &str = "keepalive 1\ndeadtime 10\nbcast nowhere7\nauto_failback on\nnode alpha beta\n";

    fn node() -> (tempfile::TempDir, Paths, Sources) {
        let dir = tempfile::tempdir().unwrap();
        let paths = Paths::under(dir.path());
        fs::create_dir_all(&paths.own_dir).unwrap();
        fs::write(dir.path().join("nodeinfo"), "alpha\n").unwrap();
        let source = |name: &str, text: &str| Some(SourceText::new(dir.path().join(name).display().to_string(), text));
        let sources = Sources {
            ha_cf: source("ha.cf", HA_CF),
            haresources: source("haresources", "alpha no-such-script\n"),
            authkeys: source("authkeys", "auth 1\n1 sha1 Xk29ab7Qw\n"),
            ..Sources::default()
        };
        (dir, paths, sources)
    }

    #[test]
    fn what_was_accepted_is_read_back_without_asking_the_machine_and_only_by_its_owner() {
        let (_dir, paths, sources) = node();
        keep(&paths, &sources).unwrap();
        for entry in fs::read_dir(&paths.own_dir).unwrap() {
            assert_eq!(entry.unwrap().metadata().unwrap().permissions().mode() & 0o777, 0o600);
        }
        let (again, config) = read(&paths, &ReadOptions::default()).unwrap();
        assert_eq!((config.settings.me.as_str(), config.groups.len(), config.media.len()), ("alpha", 1, 1));
        assert!(are_the_same(&sources, &again));
        let open = Sources { problems: vec![Problem::error("authkeys", "mode 0644")], ..sources.clone() };
        assert!(!are_the_same(&open, &again));
        assert!(!are_the_same(&Sources { latido_cf: Some(SourceText::default()), ..sources }, &again));
        forget(&paths);
        assert!(read(&paths, &ReadOptions::default()).is_err());
        assert_eq!(fs::read_dir(&paths.own_dir).unwrap().count(), 0);
    }

    #[test]
    fn a_copy_of_another_boot_or_with_something_missing_is_none() {
        let (_dir, paths, sources) = node();
        keep(&paths, &sources).unwrap();
        let text = fs::read_to_string(path(&paths)).unwrap();
        for wrong in [
            text.replace(&process::boot_id(), "another"),
            text.replace("latido_files\":1", "latido_files\":2"),
            String::new(),
        ] {
            spare::replace(&path(&paths), wrong.as_bytes()).unwrap();
            assert!(read(&paths, &ReadOptions::default()).unwrap_err().contains("holds no copy"));
        }
        keep(&paths, &Sources { authkeys: None, ..sources }).unwrap();
        assert!(read(&paths, &ReadOptions::default()).is_err());
    }

    #[test]
    fn only_a_medium_that_was_not_in_force_is_a_fault_of_new_files() {
        let (_dir, paths, sources) = node();
        keep(&paths, &sources).unwrap();
        let (_, then) = read(&paths, &ReadOptions::default()).unwrap();
        let lacking = |name: &str| {
            let spec = MediumSpec::Bcast { interface: name.into(), port: 694 };
            (spec, Problem::error("ha.cf", format!("interface {name} does not exist")).lacking())
        };
        let now = Config { lacking: vec![lacking("nowhere7"), lacking("typo0")], ..then };
        let found = lacks_anew(&paths, &now);
        assert_eq!(
            found.iter().map(|problem| problem.what.as_str()).collect::<Vec<_>>(),
            ["interface typo0 does not exist"]
        );
    }

    #[test]
    fn the_first_error_is_named_with_its_line() {
        let problems = [
            Problem::warning("x", "y"),
            Problem::error("/etc/ha.d/ha.cf", "no such directive").at(12, 0..1),
            Problem::error("z", ""),
            Problem::error("ha.cf", "interface eth9 does not exist").lacking(),
        ];
        assert_eq!(sentence(&problems), "ha.cf:12 has an error: no such directive (and 2 more)");
    }
}
