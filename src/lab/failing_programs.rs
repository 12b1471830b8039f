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
use super::run::{Failed, LabRun};

/// The recorder at the end of the group.
const SERVICE: &str = "service";
/// How often the core is killed.
const KILLS: usize = 3;
const FENCE_FAILURES: u32 = 3;

pub(super) fn dead_service(run: &mut LabRun) -> Result<(), Failed> {
    if !begins(run, "service dead")? {
        return Ok(());
    }
    let owner = run.pair.plan.owner();
    let name = run.name(owner).to_owned();
    let begin = run.announce(&format!("the service on {name} dies"));
    done(run, |run| run.pair.kill_service(owner, SERVICE))?;
    let bound = run.bound();
    run.until("the service restarted where it was", bound, |run| restarted(run, owner, begin))?;
    run.until("all as it was", bound, |run| run.settled(|_| owner))?;
    let again = run.last_gain(owner, begin).unwrap_or(begin);
    run.row("service dead", begin, format!("monitored each 300 ms; restarted after {}", measured(again.since(begin))));
    let begin = run.announce("it dies again");
    done(run, |run| run.pair.kill_service(owner, SERVICE))?;
    run.until("the group on the other node", bound, |run| serves(run, 1 - owner))?;
    let moved = run.last_gain(1 - owner, begin).unwrap_or(begin);
    run.row(
        "service dead again",
        begin,
        format!("one restart is enough: handed over after {}", measured(moved.since(begin))),
    );
    forget_failure(run, owner)
}

/// What failed there may be tried there again.
fn forget_failure(run: &mut LabRun, node: usize) -> Result<(), Failed> {
    let group = run.pair.plan.config.groups.first().map(|group| group.key().to_owned()).unwrap_or_default();
    move_groups(run, node, &Ask::Retry { group })
}

fn restarted(run: &LabRun, node: usize, since: Mono) -> Result<(), String> {
    let call = format!("{HA_DIR}/resource.d/{SERVICE}  start");
    let started = run.told(node, since, EventName::Running, |words| words == [call.as_str()]);
    started.map_or_else(|| Err("nothing was started".to_owned()), |_| Ok(()))
}

pub(super) fn failing_start(run: &mut LabRun) -> Result<(), Failed> {
    if !begins(run, "start fails")? {
        return Ok(());
    }
    let owner = run.pair.plan.owner();
    let (name, other) = (run.name(owner).to_owned(), run.name(1 - owner).to_owned());
    done(run, |run| run.pair.trouble(1 - owner, "start", Some("fail")))?;
    let begin = run.announce(&format!("the service cannot be started on {other}; latido standby on {name}"));
    move_groups_anyway(run, owner);
    let bound = run.bound();
    let failed = run.until("the failure reported", bound, |run| {
        given_up(run, 1 - owner, begin).map_or(Err("no failure".to_owned()), |_| Ok(()))
    });
    run.until("the group back where it was", bound, |run| serves(run, owner))?;
    let back = run.last_gain(owner, begin).unwrap_or(begin);
    let failed = failed.ok().and_then(|_| given_up(run, 1 - owner, begin)).unwrap_or(begin);
    run.row("start fails on the other node", begin, format!("back {} after the failure", measured(back.since(failed))));
    done(run, |run| run.pair.trouble(1 - owner, "start", None))?;
    forget_failure(run, 1 - owner)
}

/// When a node gave up starting something.
fn given_up(run: &LabRun, node: usize, since: Mono) -> Option<Mono> {
    run.told(node, since, EventName::GivingUp, |_| true).map(|(at, _)| at)
}

/// The outcome is what the scenario is about.
fn move_groups_anyway(run: &mut LabRun, node: usize) {
    let ask = Ask::Standby { set: "all".to_owned() };
    match run.pair.ask(node, &ask, Duration::from_secs(30)) {
        Ok(answer) => run.tell(&format!("answered: {answer:?}")),
        Err(why) => run.tell(&why),
    }
}

fn serves(run: &LabRun, node: usize) -> Result<(), String> {
    let status = run.pair.status(node).ok_or("no answer")?;
    match status.groups.iter().find(|group| group.state != "held") {
        Some(group) => Err(format!("{} is {}", group.key, group.state)),
        None => Ok(()),
    }
}

pub(super) fn hanging_stop(run: &mut LabRun) -> Result<(), Failed> {
    if !begins(run, "stop hangs")? {
        return Ok(());
    }
    let owner = run.pair.plan.owner();
    let name = run.name(owner).to_owned();
    done(run, |run| run.pair.trouble(owner, "stop", Some("hang")))?;
    let begin = run.announce(&format!("the service on {name} cannot be stopped; latido standby on {name}"));
    let ask = Ask::Standby { set: "all".to_owned() };
    // Nobody answers: the daemon takes its machine down.
    let _ = run.pair.ask(owner, &ask, Duration::from_millis(100));
    let bound = run.bound();
    run.until("the node giving itself up", bound, |run| {
        if run.pair.runs(owner) { Err("it still runs".to_owned()) } else { Ok(()) }
    })?;
    run.announce(&format!("{name} resets itself"));
    run.power_off(owner);
    run.until("the group on the other node", bound, |run| run.settled(|_| 1 - owner))?;
    let moved = run.last_gain(1 - owner, begin).unwrap_or(begin);
    let decided = format!(
        "stop limit 2 s, then a reset (on-stop-failure reboot) and deadtime; {} in all",
        measured(moved.since(begin))
    );
    run.row("stop hangs", begin, decided);
    done(run, |run| run.pair.trouble(owner, "stop", None))
}

pub(super) fn killed_core(run: &mut LabRun) -> Result<(), Failed> {
    if !begins(run, "core killed")? {
        return Ok(());
    }
    let owner = run.pair.plan.owner();
    let name = run.name(owner).to_owned();
    let begin = run.announce(&format!("the daemon's core on {name} is killed, {KILLS} times"));
    for _ in 0..KILLS {
        let since = run.now();
        done(run, |run| run.pair.kill_core(owner))?;
        let bound = run.bound();
        run.until("the core back with its group", bound, |run| {
            let adopted = run.told(owner, since, EventName::Adopted, |_| true);
            adopted.ok_or_else(|| "it has not said so".to_owned())?;
            run.settled(|_| owner)
        })?;
        run.run_for(Duration::from_millis(300));
    }
    if run.what_runs.moved_since(begin) {
        run.complain("resources moved or were started again".to_owned());
    }
    run.row("core killed three times", begin, "restarted and adopted what runs; no start, no stop".to_owned());
    Ok(())
}

pub(super) fn stuck_fence(run: &mut LabRun) -> Result<(), Failed> {
    if !begins(run, "fence stuck")? {
        return Ok(());
    }
    let owner = run.pair.plan.owner();
    let name = run.name(owner).to_owned();
    done(run, |run| run.pair.write(1 - owner, FENCE_FAILS, &FENCE_FAILURES.to_string()))?;
    let begin = run.announce(&format!("power-off {name}; the fencing device fails {FENCE_FAILURES} times"));
    run.power_off(owner);
    let bound = run.bound() + Duration::from_secs(60);
    run.until("the takeover waiting for the fence", bound, |run| {
        let status = run.pair.status(1 - owner).ok_or("no answer")?;
        status.waiting_for.map_or(Err("it waits for nothing".to_owned()), |_| Ok(()))
    })?;
    let waits = run.pair.status(1 - owner).and_then(|status| status.waiting_for).unwrap_or_default();
    run.tell(&waits);
    run.until("the group on the survivor after the fence", bound, |run| run.settled(|_| 1 - owner))?;
    let reset = run.told(1 - owner, begin, EventName::NodeReset, |words| words == [name.as_str()]);
    let reset = reset.map_or(begin, |(at, _)| at);
    let first = run.last_gain(1 - owner, begin).unwrap_or(begin);
    if reset == begin || first < reset {
        run.complain("something was started before the fence had worked".to_owned());
    }
    let decided = format!("{}; fenced at attempt {}", takeover_in_words(run, 1 - owner, begin), FENCE_FAILURES + 1);
    run.row("power-off, fence stuck", begin, decided);
    Ok(())
}

/// Everything at home; `false`, with a row that says so, when these are the user's files.
fn begins(run: &mut LabRun, event: &str) -> Result<bool, Failed> {
    if !run.pair.plan.files.own {
        run.row_without(event, Some("(not played)"), "only with the lab's own pair".to_owned());
        return Ok(false);
    }
    home(run)?;
    Ok(true)
}

fn done(run: &mut LabRun, act: impl FnOnce(&LabRun) -> io::Result<()>) -> Result<(), Failed> {
    act(run).map_err(|error| run.complain(format!("the lab cannot do that: {error}")))
}
