//! `--both`: the other node's files and the other node's own doctor, through `ssh`. What one node hears the other may
//! not: only both views together show that every path works both ways.

use std::collections::BTreeMap;
use std::fs;

use crate::auth;
use crate::cli::propagate::FILES;
use crate::cli::propagate::remote::Remote;
use crate::config::Config;
use crate::paths::Paths;

use super::finding::Findings;

/// Asks every other node of `ha.cf`, or the one machine named.
pub(super) fn check(config: &Config, paths: &Paths, to: Option<&str>, findings: &mut Findings) {
    let me = &config.settings.me;
    let others = config.settings.nodes.iter().filter(|node| *node != me).map(ToString::to_string);
    let hosts: Vec<String> = to.map_or_else(|| others.collect(), |host| vec![host.to_owned()]);
    for host in hosts {
        if let Err(why) = one(&host, me.as_str(), paths, findings) {
            findings.fail("ssh", why, "ssh must reach the other node as root; --to names another way");
        }
    }
}

fn one(host: &str, me: &str, paths: &Paths, findings: &mut Findings) -> Result<(), String> {
    let dir = std::path::absolute(&paths.ha_dir).map_err(|error| error.to_string())?;
    let remote = Remote::new(host, &dir)?;
    let state = remote.state(&FILES.map(|(name, _)| name))?;
    if state.name.eq_ignore_ascii_case(me) {
        return Err(format!("{host} leads back to this machine, {me}"));
    }
    files(&state.name, &state.digests, paths, findings);
    match remote.doctor()? {
        Some(document) => findings.take_in(&state.name, &document),
        None => {
            let what = format!("{}: no latido there: only its files were compared", state.name);
            findings.warn("daemon", what, "look at its log and at cl_status listnodes -v by hand");
            Ok(())
        }
    }
}

/// What differing files lead to.
fn files(host: &str, theirs: &BTreeMap<String, String>, paths: &Paths, findings: &mut Findings) {
    let remedy = "latido propagate --check shows the difference; latido propagate copies the files of this node";
    for (name, _) in FILES {
        let ours = fs::read(paths.ha_dir.join(name)).ok().map(|bytes| auth::fingerprint(&bytes));
        match (name, ours.as_ref() == theirs.get(name)) {
            (_, true) if ours.is_none() => {}
            (_, true) => findings.pass("files", format!("{name} is the same on {host}")),
            ("authkeys", false) => {
                let what = format!("authkeys on {host} is another: the nodes do not believe each other");
                findings.fail("files", what, remedy);
            }
            ("haresources", false) => {
                let what = format!("haresources on {host} is another: both nodes may run the same things");
                findings.fail("files", what, remedy);
            }
            (_, false) => findings.warn("files", format!("{name} on {host} is another"), remedy),
        }
    }
}
