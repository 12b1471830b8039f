//! What every scenario begins and ends with: the groups at home, moved, or served by somebody; a machine switched on.

use std::time::Duration;

use crate::amount::{exact, measured};
use crate::cluster::{AutoFailback, EventName};
use crate::status::{Answer, Ask};
use crate::time::Mono;

use super::run::{Failed, LabRun};

pub(super) fn cold_start(run: &mut LabRun) -> Result<(), Failed> {
    run.lost = true;
    for node in [0, 1] {
        if !run.pair.is_on(node) || run.pair.runs(node) {
            run.power_off(node);
            power_on_machine(run, node)?;
        }
    }
    let begin = run.announce("both daemons start");
    run.start(0)?;
    run.start(1)?;
    let bound = run.bound();
    run.until("every group on its own node", bound, |run| run.settled(|group| run.owner_of(group)))?;
    let up = [0, 1].into_iter().filter_map(|node| run.last_gain(node, begin)).max().unwrap_or(begin);
    let decided = if run.has_groups() {
        format!("all groups up {} after the start", measured(up.since(begin)))
    } else {
        "there are no groups".to_owned()
    };
    run.row_without("cold start of both", Some("(nothing ran before)"), decided);
    run.lost = false;
    Ok(())
}

/// Where the time of a takeover went.
pub(super) fn takeover_in_words(run: &LabRun, survivor: usize, begin: Mono) -> String {
    let gone = run.name(1 - survivor);
    let with_silence = |words: &[&str]| words.len() == 2 && words[0] == gone;
    let Some((dead, words)) = run.told(survivor, begin, EventName::NodeDead, with_silence) else {
        return "no death was declared".to_owned();
    };
    let silence = &words[1];
    let deadtime = exact(run.pair.plan.config.settings.deadtime);
    let scripts = run.last_gain(survivor, begin).unwrap_or(dead).since(dead);
    format!("silence of {silence} (deadtime {deadtime}), then {} until all runs", measured(scripts))
}

pub(super) fn both_active(run: &LabRun) -> Result<(), String> {
    for node in [0, 1].into_iter().filter(|node| run.pair.plan.original != Some(*node)) {
        let status = run.pair.status(node).ok_or(format!("{} does not answer", run.name(node)))?;
        if let Some(other) = status.nodes.iter().find(|other| other.status != "active" && !other.ping) {
            return Err(format!("{} sees {} as {}", run.name(node), other.name, other.status));
        }
    }
    Ok(())
}

/// Asks for groups to move, and prints what happens meanwhile.
pub(super) fn move_groups(run: &mut LabRun, node: usize, ask: &Ask) -> Result<(), Failed> {
    let answer = run.pair.ask(node, ask, Duration::from_secs(30));
    match answer {
        Ok(Answer::Moved(_)) => Ok(()),
        Ok(Answer::Refused(why)) => Err(run.complain(format!("refused: {why}"))),
        Ok(Answer::Status(_) | Answer::Reread { .. }) => Err(run.complain("an answer to another question".to_owned())),
        Err(why) => Err(run.complain(why)),
    }
}

pub(super) fn holds_all(run: &LabRun, node: usize) -> Result<(), String> {
    let status = run.pair.status(node).ok_or(format!("{} does not answer", run.name(node)))?;
    match status.groups.iter().find(|group| group.state != "held") {
        Some(group) => Err(format!("{} is {} on {}", group.key, group.state, run.name(node))),
        None if status.stable => Ok(()),
        None => Err(format!("{} is still deciding", run.name(node))),
    }
}

pub(super) fn served_by(run: &LabRun, node: usize) -> Result<(), String> {
    for address in &run.pair.plan.services {
        let by = run.pair.caller().last_answer(*address).map(|(by, _)| by);
        if by.as_deref() != Some(run.name(node)) {
            return Err(format!("{address} is answered by {}", by.as_deref().unwrap_or("nobody")));
        }
    }
    Ok(())
}

/// Both nodes up, all cables whole, every group on its own node: where most scenarios begin.
pub(super) fn home(run: &mut LabRun) -> Result<(), Failed> {
    run.lost = true;
    let mut fresh = true;
    for node in [0, 1] {
        fresh &= !run.pair.runs(node);
    }
    if fresh {
        cold_start(run)?;
        run.rows.pop();
        return Ok(());
    }
    run.mend_everything();
    for node in [0, 1] {
        if !run.pair.is_on(node) {
            let name = run.name(node).to_owned();
            run.announce(&format!("{name} is switched on again"));
            run.power_on(node)?;
        } else if !run.pair.runs(node) {
            let name = run.name(node).to_owned();
            run.announce(&format!("the daemon on {name} is started again"));
            run.start(node)?;
        }
    }
    let bound = run.bound();
    run.until("both nodes active", bound, both_active)?;
    run.until("both nodes stable", bound, both_stable)?;
    for node in [0, 1] {
        let away = run.auto_failback() == AutoFailback::Off && owns_groups_elsewhere(run, node);
        if away {
            let name = run.name(node).to_owned();
            run.announce(&format!("latido takeover local on {name}"));
            move_groups(run, node, &Ask::Takeover { set: "local".to_owned() })?;
        }
    }
    run.until("every group on its own node", bound, |run| run.settled(|group| run.owner_of(group)))?;
    run.lost = false;
    Ok(())
}

pub(super) fn both_stable(run: &LabRun) -> Result<(), String> {
    for node in [0, 1].into_iter().filter(|node| run.pair.plan.original != Some(*node)) {
        if !run.pair.status(node).is_some_and(|status| status.stable) {
            return Err(format!("{} is still deciding", run.name(node)));
        }
    }
    Ok(())
}

pub(super) fn owns_groups_elsewhere(run: &LabRun, node: usize) -> bool {
    let name = run.name(node);
    run.pair
        .status(node)
        .is_some_and(|status| status.groups.iter().any(|group| group.owner == name && group.state != "held"))
}

/// Switches the machine on, without its daemon.
pub(super) fn power_on_machine(run: &mut LabRun, node: usize) -> Result<(), Failed> {
    if let Err(error) = run.pair.power_on(node) {
        let name = run.name(node).to_owned();
        return Err(run.complain(format!("{name} cannot be switched on: {error}")));
    }
    Ok(())
}
