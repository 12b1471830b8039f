//! The scenario in which a node is whole and its callers do not reach it: what an ipfail and its ping hosts make of that, or
//! that nobody looks.

use std::time::Duration;

use crate::amount::{exact, measured};
use crate::cluster::{AutoFailback, EventName};
use crate::time::Mono;

use super::moves::home;
use super::run::{Failed, LabRun};

pub(super) fn client_cable(run: &mut LabRun) -> Result<(), Failed> {
    home(run)?;
    let plan = &run.pair.plan;
    let (owner, cable) = (plan.owner(), plan.caller_interface.clone());
    let Some(cable) = cable else {
        let why = "the groups of the owner have no address that a client could ask".to_owned();
        run.row_without("client cable of the owner pulled", Some("(not played)"), why);
        return Ok(());
    };
    let event = format!("client cable of the owner pulled ({cable})");
    if plan.media == [cable.clone()] {
        run.row_without(&event, Some("(not played)"), "it is the only medium: that is a partition".to_owned());
        return Ok(());
    }
    wait_for_ipfail(run)?;
    let name = run.name(owner).to_owned();
    let begin = run.announce(&format!("pull the client cable {cable} of {name}"));
    run.set_cut(owner, std::slice::from_ref(&cable), true);
    match run.pair.plan.nobody_looks.clone() {
        None => {
            let bound = patience(run);
            run.until("every group on the other node", bound, |run| run.settled(|_| 1 - owner))?;
            let decided = given_up(run, owner, begin);
            run.row(&event, begin, decided);
        }
        Some(why) => {
            let settings = run.pair.plan.config.settings.clone();
            run.run_for(settings.deadtime.max(settings.deadping) * 2);
            if run.what_runs.moved_since(begin) {
                run.complain("resources moved though nobody looks whether clients reach a node".to_owned());
            }
            run.row_without(&event, Some("until somebody notices"), format!("nobody acts: {why}"));
        }
    }
    run.announce(&format!("plug {cable} in again"));
    run.set_cut(owner, &[cable], false);
    let stays = run.pair.plan.nobody_looks.is_none() && run.auto_failback() == AutoFailback::Off;
    let bound = patience(run);
    run.until("every group where it belongs", bound, |run| {
        run.settled(|group| if stays { 1 - owner } else { run.owner_of(group) })
    })?;
    Ok(())
}

/// What has to be silent, to be compared, to be given and taken.
fn patience(run: &LabRun) -> Duration {
    let settings = &run.pair.plan.config.settings;
    run.bound() + settings.deadping * 2 + settings.keepalive * 8
}

/// Both nodes' ipfails are there; what they count nobody knows before.
fn wait_for_ipfail(run: &mut LabRun) -> Result<(), Failed> {
    if run.pair.plan.nobody_looks.is_some() {
        return Ok(());
    }
    let bound = patience(run);
    for node in [0, 1] {
        run.until("an ipfail on each node", bound, |run| {
            let name = run.name(node).to_owned();
            match run.pair.run(node, &["cl_status", "clientstatus", &name, "ipfail", "1000"]) {
                Ok(said) if said.starts_with("online") => Ok(()),
                Ok(said) => Err(format!("{name}: {}", said.trim())),
                Err(error) => Err(error.to_string()),
            }
        })?;
    }
    // One that has just joined is told the other's count, and may give something up for it; an original after two seconds.
    let keepalive = run.pair.plan.config.settings.keepalive;
    let original = run.pair.plan.original.map_or(Duration::ZERO, |_| Duration::from_secs(3));
    run.run_for(keepalive * 5 + original);
    let bound = patience(run);
    run.until("everything at rest", bound, |run| run.settled(|group| run.owner_of(group)))?;
    Ok(())
}

/// Where the time went until the node gave everything up.
fn given_up(run: &LabRun, owner: usize, begin: Mono) -> String {
    let settings = &run.pair.plan.config.settings;
    let gives = |words: &[&str]| words.first() == Some(&run.name(owner));
    let asked = |node| run.told(node, begin, EventName::WantsStandby, gives);
    let Some((asked, _)) = [1 - owner, owner].into_iter().find_map(asked) else {
        return "nobody said why".to_owned();
    };
    let moved = run
        .last_gain(1 - owner, asked)
        .map_or(String::new(), |at| format!(", all moved {} later", measured(at.since(asked))));
    format!("ipfail gave up after {} (deadping {}){moved}", measured(asked.since(begin)), exact(settings.deadping))
}
