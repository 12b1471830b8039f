//! What every scenario begins and ends with: the groups at home, moved, or served by somebody; a machine switched on.

use std::time::Duration;

use crate::amount::{exact, measured};
use crate::cluster::{AutoFailback, EventName};
use crate::status::{Answer, Ask};
use crate::time::Mono;

use super::run::{Failed, Play};

pub(super) fn cold_start(play: &mut Play) -> Result<(), Failed> {
    play.lost = true;
    for node in [0, 1] {
        if !play.pair.is_on(node) || play.pair.runs(node) {
            play.power_off(node);
            power_on_machine(play, node)?;
        }
    }
    let begin = play.deed("both daemons start");
    play.start(0)?;
    play.start(1)?;
    let bound = play.bound();
    play.until("every group on its own node", bound, |play| play.settled(|group| play.owner_of(group)))?;
    let up = [0, 1].into_iter().filter_map(|node| play.last_gain(node, begin)).max().unwrap_or(begin);
    let decided = if play.has_groups() {
        format!("all groups up {} after the start", measured(up.since(begin)))
    } else {
        "there are no groups".to_owned()
    };
    play.row_without("cold start of both", Some("(nothing ran before)"), decided);
    play.lost = false;
    Ok(())
}

/// Where the time of a takeover went.
pub(super) fn takeover_in_words(play: &Play, survivor: usize, begin: Mono) -> String {
    let gone = play.name(1 - survivor);
    let with_silence = |words: &[&str]| words.len() == 2 && words[0] == gone;
    let Some((dead, words)) = play.told(survivor, begin, EventName::NodeDead, with_silence) else {
        return "no death was declared".to_owned();
    };
    let silence = &words[1];
    let deadtime = exact(play.pair.plan.config.settings.deadtime);
    let scripts = play.last_gain(survivor, begin).unwrap_or(dead).since(dead);
    format!("silence of {silence} (deadtime {deadtime}), then {} until all runs", measured(scripts))
}

pub(super) fn both_active(play: &Play) -> Result<(), String> {
    for node in [0, 1].into_iter().filter(|node| play.pair.plan.original != Some(*node)) {
        let status = play.pair.status(node).ok_or(format!("{} does not answer", play.name(node)))?;
        if let Some(other) = status.nodes.iter().find(|other| other.status != "active" && !other.ping) {
            return Err(format!("{} sees {} as {}", play.name(node), other.name, other.status));
        }
    }
    Ok(())
}

/// Asks for groups to move, and prints what happens meanwhile.
pub(super) fn move_groups(play: &mut Play, node: usize, ask: &Ask) -> Result<(), Failed> {
    let answer = play.pair.ask(node, ask, Duration::from_secs(30));
    match answer {
        Ok(Answer::Moved(_)) => Ok(()),
        Ok(Answer::Refused(why)) => Err(play.complain(format!("refused: {why}"))),
        Ok(Answer::Status(_) | Answer::Reread { .. }) => Err(play.complain("an answer to another question".to_owned())),
        Err(why) => Err(play.complain(why)),
    }
}

pub(super) fn holds_all(play: &Play, node: usize) -> Result<(), String> {
    let status = play.pair.status(node).ok_or(format!("{} does not answer", play.name(node)))?;
    match status.groups.iter().find(|group| group.state != "held") {
        Some(group) => Err(format!("{} is {} on {}", group.key, group.state, play.name(node))),
        None if status.stable => Ok(()),
        None => Err(format!("{} is still deciding", play.name(node))),
    }
}

pub(super) fn served_by(play: &Play, node: usize) -> Result<(), String> {
    for address in &play.pair.plan.services {
        let by = play.pair.client().last_answer(*address).map(|(by, _)| by);
        if by.as_deref() != Some(play.name(node)) {
            return Err(format!("{address} is answered by {}", by.as_deref().unwrap_or("nobody")));
        }
    }
    Ok(())
}

/// Both nodes up, all cables whole, every group on its own node: where most scenarios begin.
pub(super) fn home(play: &mut Play) -> Result<(), Failed> {
    play.lost = true;
    let mut fresh = true;
    for node in [0, 1] {
        fresh &= !play.pair.runs(node);
    }
    if fresh {
        cold_start(play)?;
        play.rows.pop();
        return Ok(());
    }
    play.mend_everything();
    for node in [0, 1] {
        if !play.pair.is_on(node) {
            let name = play.name(node).to_owned();
            play.deed(&format!("{name} is switched on again"));
            play.power_on(node)?;
        } else if !play.pair.runs(node) {
            let name = play.name(node).to_owned();
            play.deed(&format!("the daemon on {name} is started again"));
            play.start(node)?;
        }
    }
    let bound = play.bound();
    play.until("both nodes active", bound, both_active)?;
    play.until("both nodes stable", bound, both_stable)?;
    for node in [0, 1] {
        let away = play.auto_failback() == AutoFailback::Off && owns_groups_elsewhere(play, node);
        if away {
            let name = play.name(node).to_owned();
            play.deed(&format!("latido takeover local on {name}"));
            move_groups(play, node, &Ask::Takeover { set: "local".to_owned() })?;
        }
    }
    play.until("every group on its own node", bound, |play| play.settled(|group| play.owner_of(group)))?;
    play.lost = false;
    Ok(())
}

pub(super) fn both_stable(play: &Play) -> Result<(), String> {
    for node in [0, 1].into_iter().filter(|node| play.pair.plan.original != Some(*node)) {
        if !play.pair.status(node).is_some_and(|status| status.stable) {
            return Err(format!("{} is still deciding", play.name(node)));
        }
    }
    Ok(())
}

pub(super) fn owns_groups_elsewhere(play: &Play, node: usize) -> bool {
    let name = play.name(node);
    play.pair
        .status(node)
        .is_some_and(|status| status.groups.iter().any(|group| group.owner == name && group.state != "held"))
}

/// Switches the machine on, without its daemon.
pub(super) fn power_on_machine(play: &mut Play, node: usize) -> Result<(), Failed> {
    if let Err(error) = play.pair.power_on(node) {
        let name = play.name(node).to_owned();
        return Err(play.complain(format!("{name} cannot be switched on: {error}")));
    }
    Ok(())
}
