//! The scenario in which a node is whole and its clients do not reach it: what an ipfail and its ping hosts make of that, or
//! that nobody looks.

use std::time::Duration;

use crate::amount::{exact, measured};
use crate::cluster::{AutoFailback, EventName};
use crate::time::Mono;

use super::moves::home;
use super::run::{Failed, Play};

pub(super) fn client_cable(play: &mut Play) -> Result<(), Failed> {
    home(play)?;
    let plan = &play.pair.plan;
    let (owner, cable) = (plan.owner(), plan.client_interface.clone());
    let Some(cable) = cable else {
        let why = "the groups of the owner have no address that a client could ask".to_owned();
        play.row_without("client cable of the owner pulled", Some("(not played)"), why);
        return Ok(());
    };
    let event = format!("client cable of the owner pulled ({cable})");
    if plan.media == [cable.clone()] {
        play.row_without(&event, Some("(not played)"), "it is the only medium: that is a partition".to_owned());
        return Ok(());
    }
    wait_for_ipfail(play)?;
    let name = play.name(owner).to_owned();
    let begin = play.deed(&format!("pull the client cable {cable} of {name}"));
    play.set_cut(owner, std::slice::from_ref(&cable), true);
    match play.pair.plan.nobody_looks.clone() {
        None => {
            let bound = patience(play);
            play.until("every group on the other node", bound, |play| play.settled(|_| 1 - owner))?;
            let decided = given_up(play, owner, begin);
            play.row(&event, begin, decided);
        }
        Some(why) => {
            let settings = play.pair.plan.config.settings.clone();
            play.run_for(settings.deadtime.max(settings.deadping) * 2);
            if play.world.moved_since(begin) {
                play.complain("resources moved though nobody looks whether clients reach a node".to_owned());
            }
            play.row_without(&event, Some("until somebody notices"), format!("nobody acts: {why}"));
        }
    }
    play.deed(&format!("plug {cable} in again"));
    play.set_cut(owner, &[cable], false);
    let stays = play.pair.plan.nobody_looks.is_none() && play.auto_failback() == AutoFailback::Off;
    let bound = patience(play);
    play.until("every group where it belongs", bound, |play| {
        play.settled(|group| if stays { 1 - owner } else { play.owner_of(group) })
    })?;
    Ok(())
}

/// What has to be silent, to be compared, to be given and taken.
fn patience(play: &Play) -> Duration {
    let settings = &play.pair.plan.config.settings;
    play.bound() + settings.deadping * 2 + settings.keepalive * 8
}

/// Both nodes' ipfails are there; what they count nobody knows before.
fn wait_for_ipfail(play: &mut Play) -> Result<(), Failed> {
    if play.pair.plan.nobody_looks.is_some() {
        return Ok(());
    }
    let bound = patience(play);
    for node in [0, 1] {
        play.until("an ipfail on each node", bound, |play| {
            let name = play.name(node).to_owned();
            match play.pair.run(node, &["cl_status", "clientstatus", &name, "ipfail", "1000"]) {
                Ok(said) if said.starts_with("online") => Ok(()),
                Ok(said) => Err(format!("{name}: {}", said.trim())),
                Err(error) => Err(error.to_string()),
            }
        })?;
    }
    // One that has just joined is told the other's count, and may give something up for it; an original after two seconds.
    let keepalive = play.pair.plan.config.settings.keepalive;
    let original = play.pair.plan.original.map_or(Duration::ZERO, |_| Duration::from_secs(3));
    play.run_for(keepalive * 5 + original);
    let bound = patience(play);
    play.until("everything at rest", bound, |play| play.settled(|group| play.owner_of(group)))?;
    Ok(())
}

/// Where the time went until the node gave everything up.
fn given_up(play: &Play, owner: usize, begin: Mono) -> String {
    let settings = &play.pair.plan.config.settings;
    let gives = |words: &[&str]| words.first() == Some(&play.name(owner));
    let asked = |node| play.told(node, begin, EventName::WantsStandby, gives);
    let Some((asked, _)) = [1 - owner, owner].into_iter().find_map(asked) else {
        return "nobody said why".to_owned();
    };
    let moved = play
        .last_gain(1 - owner, asked)
        .map_or(String::new(), |at| format!(", all moved {} later", measured(at.since(asked))));
    format!("ipfail gave up after {} (deadping {}){moved}", measured(asked.since(begin)), exact(settings.deadping))
}
