//! The scenarios in which the machines are whole and something on them is not: a service, a script, the daemon itself, a
//! fencing device. They need the lab's own pair, whose recorders do as they are told.

use std::io;
use std::time::Duration;

use crate::amount::measured;
use crate::cluster::EventName;
use crate::status::Ask;
use crate::time::Mono;

use super::files::FENCE_FAILS;
use super::host::HA_DIR;
use super::moves::{home, move_groups, takeover_in_words};
use super::run::{Failed, Play};

/// The recorder at the end of the group.
const SERVICE: &str = "service";
/// How often the core is killed.
const KILLS: usize = 3;
const FENCE_FAILURES: u32 = 3;

pub(super) fn dead_service(play: &mut Play) -> Result<(), Failed> {
    if !begins(play, "service dead")? {
        return Ok(());
    }
    let owner = play.pair.plan.owner();
    let name = play.name(owner).to_owned();
    let begin = play.deed(&format!("the service on {name} dies"));
    done(play, |play| play.pair.kill_service(owner, SERVICE))?;
    let bound = play.bound();
    play.until("the service restarted where it was", bound, |play| restarted(play, owner, begin))?;
    play.until("all as it was", bound, |play| play.settled(|_| owner))?;
    let again = play.last_gain(owner, begin).unwrap_or(begin);
    play.row("service dead", begin, format!("monitored each 300 ms; restarted after {}", measured(again.since(begin))));
    let begin = play.deed("it dies again");
    done(play, |play| play.pair.kill_service(owner, SERVICE))?;
    play.until("the group on the other node", bound, |play| serves(play, 1 - owner))?;
    let moved = play.last_gain(1 - owner, begin).unwrap_or(begin);
    play.row(
        "service dead again",
        begin,
        format!("one restart is enough: handed over after {}", measured(moved.since(begin))),
    );
    forget_failure(play, owner)
}

/// What failed there may be tried there again.
fn forget_failure(play: &mut Play, node: usize) -> Result<(), Failed> {
    let group = play.pair.plan.config.groups.first().map(|group| group.key().to_owned()).unwrap_or_default();
    move_groups(play, node, &Ask::Retry { group })
}

fn restarted(play: &Play, node: usize, since: Mono) -> Result<(), String> {
    let call = format!("{HA_DIR}/resource.d/{SERVICE}  start");
    let started = play.told(node, since, EventName::Running, |words| words == [call.as_str()]);
    started.map_or_else(|| Err("nothing was started".to_owned()), |_| Ok(()))
}

pub(super) fn failing_start(play: &mut Play) -> Result<(), Failed> {
    if !begins(play, "start fails")? {
        return Ok(());
    }
    let owner = play.pair.plan.owner();
    let (name, other) = (play.name(owner).to_owned(), play.name(1 - owner).to_owned());
    done(play, |play| play.pair.trouble(1 - owner, "start", Some("fail")))?;
    let begin = play.deed(&format!("the service cannot be started on {other}; latido standby on {name}"));
    move_groups_anyway(play, owner);
    let bound = play.bound();
    let failed = play.until("the failure reported", bound, |play| {
        given_up(play, 1 - owner, begin).map_or(Err("no failure".to_owned()), |_| Ok(()))
    });
    play.until("the group back where it was", bound, |play| serves(play, owner))?;
    let back = play.last_gain(owner, begin).unwrap_or(begin);
    let failed = failed.ok().and_then(|_| given_up(play, 1 - owner, begin)).unwrap_or(begin);
    play.row(
        "start fails on the other node",
        begin,
        format!("back {} after the failure", measured(back.since(failed))),
    );
    done(play, |play| play.pair.trouble(1 - owner, "start", None))?;
    forget_failure(play, 1 - owner)
}

/// When a node gave up starting something.
fn given_up(play: &Play, node: usize, since: Mono) -> Option<Mono> {
    play.told(node, since, EventName::GivingUp, |_| true).map(|(at, _)| at)
}

/// The outcome is what the scenario is about.
fn move_groups_anyway(play: &mut Play, node: usize) {
    let ask = Ask::Standby { set: "all".to_owned() };
    match play.pair.ask(node, &ask, Duration::from_secs(30)) {
        Ok(answer) => play.note(&format!("answered: {answer:?}")),
        Err(why) => play.note(&why),
    }
}

fn serves(play: &Play, node: usize) -> Result<(), String> {
    let status = play.pair.status(node).ok_or("no answer")?;
    match status.groups.iter().find(|group| group.state != "held") {
        Some(group) => Err(format!("{} is {}", group.key, group.state)),
        None => Ok(()),
    }
}

pub(super) fn hanging_stop(play: &mut Play) -> Result<(), Failed> {
    if !begins(play, "stop hangs")? {
        return Ok(());
    }
    let owner = play.pair.plan.owner();
    let name = play.name(owner).to_owned();
    done(play, |play| play.pair.trouble(owner, "stop", Some("hang")))?;
    let begin = play.deed(&format!("the service on {name} cannot be stopped; latido standby on {name}"));
    let ask = Ask::Standby { set: "all".to_owned() };
    // Nobody answers: the daemon takes its machine down.
    let _ = play.pair.ask(owner, &ask, Duration::from_millis(100));
    let bound = play.bound();
    play.until("the node giving itself up", bound, |play| {
        if play.pair.runs(owner) { Err("it still runs".to_owned()) } else { Ok(()) }
    })?;
    play.deed(&format!("{name} resets itself"));
    play.power_off(owner);
    play.until("the group on the other node", bound, |play| play.settled(|_| 1 - owner))?;
    let moved = play.last_gain(1 - owner, begin).unwrap_or(begin);
    let decided = format!(
        "stop limit 2 s, then a reset (on-stop-failure reboot) and deadtime; {} in all",
        measured(moved.since(begin))
    );
    play.row("stop hangs", begin, decided);
    done(play, |play| play.pair.trouble(owner, "stop", None))
}

pub(super) fn killed_core(play: &mut Play) -> Result<(), Failed> {
    if !begins(play, "core killed")? {
        return Ok(());
    }
    let owner = play.pair.plan.owner();
    let name = play.name(owner).to_owned();
    let begin = play.deed(&format!("the daemon's core on {name} is killed, {KILLS} times"));
    for _ in 0..KILLS {
        let since = play.now();
        done(play, |play| play.pair.kill_core(owner))?;
        let bound = play.bound();
        play.until("the core back with its group", bound, |play| {
            let adopted = play.told(owner, since, EventName::Adopted, |_| true);
            adopted.ok_or_else(|| "it has not said so".to_owned())?;
            play.settled(|_| owner)
        })?;
        play.run_for(Duration::from_millis(300));
    }
    if play.world.moved_since(begin) {
        play.complain("resources moved or were started again".to_owned());
    }
    play.row("core killed three times", begin, "restarted and adopted what runs; no start, no stop".to_owned());
    Ok(())
}

pub(super) fn stuck_fence(play: &mut Play) -> Result<(), Failed> {
    if !begins(play, "fence stuck")? {
        return Ok(());
    }
    let owner = play.pair.plan.owner();
    let name = play.name(owner).to_owned();
    done(play, |play| play.pair.write(1 - owner, FENCE_FAILS, &FENCE_FAILURES.to_string()))?;
    let begin = play.deed(&format!("power-off {name}; the fencing device fails {FENCE_FAILURES} times"));
    play.power_off(owner);
    let bound = play.bound() + Duration::from_secs(60);
    play.until("the takeover waiting for the fence", bound, |play| {
        let status = play.pair.status(1 - owner).ok_or("no answer")?;
        status.waiting_for.map_or(Err("it waits for nothing".to_owned()), |_| Ok(()))
    })?;
    let waits = play.pair.status(1 - owner).and_then(|status| status.waiting_for).unwrap_or_default();
    play.note(&waits);
    play.until("the group on the survivor after the fence", bound, |play| play.settled(|_| 1 - owner))?;
    let reset = play.told(1 - owner, begin, EventName::NodeReset, |words| words == [name.as_str()]);
    let reset = reset.map_or(begin, |(at, _)| at);
    let first = play.last_gain(1 - owner, begin).unwrap_or(begin);
    if reset == begin || first < reset {
        play.complain("something was started before the fence had worked".to_owned());
    }
    let decided = format!("{}; fenced at attempt {}", takeover_in_words(play, 1 - owner, begin), FENCE_FAILURES + 1);
    play.row("power-off, fence stuck", begin, decided);
    Ok(())
}

/// Everything at home; `false`, with a row that says so, when these are the user's files.
fn begins(play: &mut Play, event: &str) -> Result<bool, Failed> {
    if !play.pair.plan.files.own {
        play.row_without(event, Some("(not played)"), "only with the lab's own pair".to_owned());
        return Ok(false);
    }
    home(play)?;
    Ok(true)
}

fn done(play: &mut Play, deed: impl FnOnce(&Play) -> io::Result<()>) -> Result<(), Failed> {
    deed(play).map_err(|error| play.complain(format!("the lab cannot do that: {error}")))
}
