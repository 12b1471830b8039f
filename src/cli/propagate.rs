//! `latido propagate`: the files of this node on the other one, compared and copied with `ssh` and `scp`; and the old
//! program `ha_propagate`.
//!
//! A configuration that does not pass `latido check` goes nowhere. A differing file of the other node is shown and
//! overwritten only with `--yes`; it is kept there as `FILE.old`. The key is compared by its digest and never shown.

pub(super) mod remote;

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use remote::Remote;

use crate::auth::{self, Method};
use crate::host::read_config;
use crate::names::NodeName;
use crate::paths::Paths;

use super::diff::diff;
use super::{paths_from_environment, print};

/// The files both nodes share, with the modes they need.
pub(super) const FILES: [(&str, u32); 4] =
    [("ha.cf", 0o644), ("haresources", 0o644), ("authkeys", 0o600), ("latido.cf", 0o644)];

/// Options of `latido propagate`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:
  latido propagate                     to the other node of ha.cf, as root
  latido propagate --to root@10.0.0.2  by another way
  latido propagate --check             compares, copies nothing

Copies ha.cf, haresources, authkeys and latido.cf; scripts of resource.d and nodeinfo stay with their node.
Exit code: 0 the files are the same, 1 they differ and nothing was copied, 2 something failed.")]
pub(super) struct Args {
    /// Directory of the files, the same on both nodes
    #[arg(short = 'd', long = "dir", value_name = "DIR", env = "HA_DIR", default_value = "/etc/ha.d")]
    dir: PathBuf,
    /// Where to, if not to the other nodes by their names
    #[arg(long, value_name = "[USER@]HOST")]
    to: Option<String>,
    /// Only compare
    #[arg(long)]
    check: bool,
    /// Overwrite files that differ there; each is kept as FILE.old
    #[arg(short = 'y', long)]
    yes: bool,
}

/// Runs it.
pub(super) fn run(args: &Args) -> ExitCode {
    propagate("latido propagate", &Paths::under(&args.dir), args.to.as_deref(), args.check, args.yes)
}

/// As the old program: no words, no questions.
pub(super) fn ha_propagate() -> ExitCode {
    let paths = paths_from_environment();
    if !paths.ha_cf().exists() {
        print("HA Linux not configured on this node.  Can not propagate.");
        return ExitCode::FAILURE;
    }
    propagate("ha_propagate", &paths, None, false, true)
}

/// What became of one node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Verdict {
    Same,
    Differs,
    Failed,
}

fn propagate(program: &str, paths: &Paths, to: Option<&str>, only_check: bool, yes: bool) -> ExitCode {
    let to_copy = FilesToCopy::make(paths, to);
    let to_copy = match to_copy {
        Ok(to_copy) => to_copy,
        Err(why) => {
            complain!("{program}: {why}");
            return ExitCode::from(2);
        }
    };
    let mut worst = Verdict::Same;
    for host in &to_copy.hosts {
        let result = to_copy.one(host, only_check, yes).unwrap_or_else(|why| {
            complain!("{program}: {why}");
            Verdict::Failed
        });
        worst = worst.max(result);
    }
    ExitCode::from(match worst {
        Verdict::Same => 0,
        Verdict::Differs => 1,
        Verdict::Failed => 2,
    })
}

/// What is to be on every node.
struct FilesToCopy {
    dir: PathBuf,
    me: NodeName,
    hosts: Vec<String>,
    /// Our files: name, mode, text.
    files: BTreeMap<&'static str, (u32, Vec<u8>)>,
    /// A method in `authkeys` that only Latido knows.
    latido_only: Option<Method>,
}

impl FilesToCopy {
    fn make(paths: &Paths, to: Option<&str>) -> Result<FilesToCopy, String> {
        let me = read_config::host_name(&paths.ha_dir).ok_or("this machine has no name")?;
        // As if on a node of that name only: whether this machine's devices are well says nothing about the other one.
        let config = read_config::load(paths, Some(me.clone())).map_err(|problems| {
            problems.iter().filter(|problem| problem.is_error()).for_each(|problem| complain!("{problem}"));
            format!("the files of {} have errors and go nowhere; latido check shows them", paths.ha_dir.display())
        })?;
        let others = config.settings.nodes.iter().filter(|node| **node != me).map(ToString::to_string);
        let hosts: Vec<String> = to.map_or_else(|| others.collect(), |host| vec![host.to_owned()]);
        if to.is_none() && !config.settings.nodes.contains(&me) {
            return Err(format!("this machine, {me}, is no node of ha.cf: name the other one with --to"));
        }
        if hosts.is_empty() {
            return Err("ha.cf names no other node".to_owned());
        }
        let mut files = BTreeMap::new();
        for (name, mode) in FILES {
            let path = paths.ha_dir.join(name);
            match fs::read(&path) {
                Ok(bytes) => drop(files.insert(name, (mode, bytes))),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => return Err(format!("cannot read {}: {error}", path.display())),
            }
        }
        let dir = std::path::absolute(&paths.ha_dir).map_err(|error| error.to_string())?;
        let latido_only = config.keyring.latido_only().map(|(_, method)| method);
        Ok(FilesToCopy { dir, me, hosts, files, latido_only })
    }

    fn one(&self, host: &str, only_check: bool, yes: bool) -> Result<Verdict, String> {
        let remote = Remote::new(host, &self.dir)?;
        let names = FILES.map(|(name, _)| name);
        let state = remote.state(&names)?;
        if state.name.eq_ignore_ascii_case(self.me.as_str()) {
            return Err(format!("{host} leads back to this machine, {}", self.me));
        }
        let alone: Vec<&str> = names
            .into_iter()
            .filter(|name| !self.files.contains_key(name) && state.digests.contains_key(*name))
            .collect();
        for name in &alone {
            print(&format!("{host}: {name} is there and not here: it is left alone; remove it, or copy it to here"));
        }
        let differing: Vec<&'static str> = self
            .files
            .iter()
            .filter(|(name, (_, bytes))| state.digests.get(**name) != Some(&auth::fingerprint(bytes)))
            .map(|(name, _)| *name)
            .collect();
        if differing.is_empty() {
            print(&format!("{host} ({}): {} the same", state.name, list(self.files.keys().copied())));
            return Ok(if alone.is_empty() { Verdict::Same } else { Verdict::Differs });
        }
        let overwritten: Vec<&str> =
            differing.iter().copied().filter(|name| state.digests.contains_key(*name)).collect();
        for name in &differing {
            self.show(&remote, host, name, overwritten.contains(name))?;
        }
        if only_check {
            return Ok(Verdict::Differs);
        }
        if !overwritten.is_empty() && !yes {
            let names = list(overwritten.into_iter());
            complain!("{host}: nothing was copied: {names} would be overwritten there. Add --yes.");
            return Ok(Verdict::Differs);
        }
        self.copy(&remote, host, &differing)?;
        Ok(if alone.is_empty() { Verdict::Same } else { Verdict::Differs })
    }

    /// What would change there; of the key no more than that it would.
    fn show(&self, remote: &Remote, host: &str, name: &str, there: bool) -> Result<(), String> {
        let Some((_, bytes)) = self.files.get(name) else { return Ok(()) };
        match (there, name) {
            (false, _) => print(&format!("{host}: {name} is not there yet")),
            (true, "authkeys") => print(&format!("{host}: authkeys differs: the nodes do not believe each other")),
            (true, _) => {
                let changes = diff(&remote.read(name)?, &String::from_utf8_lossy(bytes));
                print(&format!("{host}: {name} differs (- there, + here)\n{}", changes.trim_end()));
            }
        }
        Ok(())
    }

    fn copy(&self, remote: &Remote, host: &str, names: &[&'static str]) -> Result<(), String> {
        let files: Vec<(&str, u32)> =
            names.iter().filter_map(|name| self.files.get(name).map(|(mode, _)| (*name, *mode))).collect();
        let digests = remote.install(&self.dir, &files)?;
        for name in names {
            let Some((_, bytes)) = self.files.get(name) else { continue };
            if digests.get(*name) != Some(&auth::fingerprint(bytes)) {
                return Err(format!("{host}: {name} arrived as something else than it is here: copy it again"));
            }
        }
        print(&format!("{host}: {} copied, and the same as here", list(names.iter().copied())));
        if let Some(method) = self.latido_only.filter(|_| names.contains(&"authkeys")) {
            print(&format!(
                "{host}: authkeys names {method}, which only Latido knows: a heartbeat does not start with it"
            ));
        }
        print("A running daemon reads them again at SIGHUP (heartbeat -r), on both nodes; new media need a restart.");
        Ok(())
    }
}

fn list<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.collect::<Vec<_>>().join(", ")
}
