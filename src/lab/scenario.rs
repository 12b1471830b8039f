//! The scenarios: what is done to the pair, what must come of it, and what the table says about it.

#![allow(clippy::wildcard_enum_match_arm, reason = "each reader looks for its own few of many happenings")]

use nix::sys::signal::Signal;

use crate::amount::measured;
use crate::cluster::AutoFailback;
use crate::status::Ask;
use crate::time::Mono;

use super::moves::{
    both_active, cold_start, holds_all, home, move_groups, power_on_machine, served_by, takeover_in_words,
};
use super::printer::What;
use super::run::{Failed, LabRun};
use super::{client_cable, failing_programs};

/// A scenario by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Scenario {
    /// Both daemons start together
    ColdStart,
    /// Every medium carries heartbeats
    Heartbeats,
    /// Each cable is pulled while another one still beats
    Cable,
    /// The owner's cable to its clients is pulled; an ipfail moves everything, if there is one
    ClientCable,
    /// The owner of the first group loses power
    PowerOff,
    /// It returns
    Return,
    /// Groups are handed over on request
    HandOver,
    /// The owner's daemon is stopped in order
    Stop,
    /// All cables are cut and mended
    Partition,
    /// A service dies, is restarted, dies again and is handed over (only when asked for)
    DeadService,
    /// A service cannot be started on the other node (only when asked for)
    FailingStart,
    /// A service cannot be stopped: its node goes down (only when asked for)
    HangingStop,
    /// The daemon's core is killed, three times (only when asked for)
    KilledCore,
    /// A dead node is fenced, at the fourth attempt (only when asked for)
    StuckFence,
}

/// What is played when nothing else is asked for, from the simplest to the rarest.
pub(super) const ALL: [Scenario; 9] = [
    Scenario::ColdStart,
    Scenario::Heartbeats,
    Scenario::Cable,
    Scenario::ClientCable,
    Scenario::PowerOff,
    Scenario::Return,
    Scenario::HandOver,
    Scenario::Stop,
    Scenario::Partition,
];

impl Scenario {
    /// Plays it, after whatever must come before it.
    pub(super) fn run(self, run: &mut LabRun) -> Result<(), Failed> {
        match self {
            Scenario::ColdStart => cold_start(run),
            Scenario::Heartbeats => heartbeats(run),
            Scenario::Cable => cable(run),
            Scenario::ClientCable => client_cable::client_cable(run),
            Scenario::PowerOff => power_off(run),
            Scenario::Return => owner_returns(run),
            Scenario::HandOver => hand_over(run),
            Scenario::Stop => stop(run),
            Scenario::Partition => partition(run),
            Scenario::DeadService => failing_programs::dead_service(run),
            Scenario::FailingStart => failing_programs::failing_start(run),
            Scenario::HangingStop => failing_programs::hanging_stop(run),
            Scenario::KilledCore => failing_programs::killed_core(run),
            Scenario::StuckFence => failing_programs::stuck_fence(run),
        }
    }
}

fn heartbeats(run: &mut LabRun) -> Result<(), Failed> {
    home(run)?;
    let bound = run.bound();
    run.until("heartbeats over every medium", bound, LabRun::all_links_up)?;
    let begin = run.announce("nothing is done for a while");
    let settings = run.pair.plan.config.settings.clone();
    run.run_for((settings.keepalive * 10).max(settings.deadtime * 2));
    if let Err(seen) = run.all_links_up() {
        run.complain(format!("expected: heartbeats over every medium; seen: {seen}"));
    }
    let ages = run.pair.plan.media.clone().into_iter().map(|medium| {
        let age = [0, 1].into_iter().filter_map(|node| link_age(run, node, &medium)).max().unwrap_or_default();
        format!("{medium} beat {} ago", measured(std::time::Duration::from_millis(age)))
    });
    let heard = ages.collect::<Vec<_>>().join(", ");
    run.tell(&heard);
    if run.what_runs.moved_since(begin) {
        run.complain("resources moved while nothing was done".to_owned());
    }
    run.row("heartbeats on every medium", begin, heard);
    Ok(())
}

fn link_age(run: &LabRun, node: usize, medium: &str) -> Option<u64> {
    let status = run.pair.status(node)?;
    let other = status.nodes.iter().find(|other| other.name == run.name(1 - node))?;
    other.links.iter().find(|link| link.medium == medium)?.last_heard_ms
}

fn cable(run: &mut LabRun) -> Result<(), Failed> {
    home(run)?;
    let media = run.pair.plan.media.clone();
    if media.len() < 2 {
        let why = format!("{} is the only medium: pulling it divides the pair", media.join(""));
        run.tell(&why);
        run.row_without("cable pulled", Some("(not played)"), why);
        return Ok(());
    }
    let callers = run.pair.plan.caller_interface.clone();
    for medium in media.into_iter().filter(|medium| Some(medium) != callers.as_ref()) {
        pull(run, &medium)?;
    }
    Ok(())
}

fn pull(run: &mut LabRun, medium: &str) -> Result<(), Failed> {
    let bound = run.bound();
    run.until("heartbeats over every medium", bound, LabRun::all_links_up)?;
    let (owner, serial) = (run.pair.plan.owner(), run.pair.null_modem(medium).is_some());
    let name = run.name(owner).to_owned();
    let begin = if serial {
        run.announce(&format!("pull the null-modem cable {medium}"))
    } else {
        run.announce(&format!("pull the network cable {medium} of {name}"))
    };
    run.set_cut(owner, &[medium.to_owned()], true);
    let dead = |node: usize| move |run: &LabRun| link_is(run, node, medium, false);
    run.until("the link dead on one side", bound, dead(0))?;
    run.until("the link dead on the other side", bound, dead(1))?;
    let deadtime = run.pair.plan.config.settings.deadtime;
    run.run_for(deadtime * 2);
    let stayed = !run.what_runs.moved_since(begin);
    if !stayed {
        run.complain(format!("resources moved because {medium} was pulled, though another medium still beat"));
    }
    let others: Vec<&String> = run.pair.plan.media.iter().filter(|other| *other != medium).collect();
    let still = others.iter().map(|other| other.as_str()).collect::<Vec<_>>().join(", ");
    let decided = format!("{still} still beat: {}", if stayed { "no resource moved" } else { "yet resources moved" });
    let cable = if serial { "null-modem" } else { "network" };
    run.row(&format!("{cable} cable pulled ({medium})"), begin, decided);
    run.announce(&format!("plug {medium} in again"));
    run.set_cut(owner, &[medium.to_owned()], false);
    run.until("heartbeats over every medium again", bound, LabRun::all_links_up)?;
    run.until("every group where it was", bound, |run| run.settled(|group| run.owner_of(group)))?;
    Ok(())
}

fn link_is(run: &LabRun, node: usize, medium: &str, up: bool) -> Result<(), String> {
    let status = run.pair.status(node).ok_or("no answer")?;
    let other = status.nodes.iter().find(|other| other.name == run.name(1 - node)).ok_or("no such node")?;
    let link = other.links.iter().find(|link| link.medium == medium).ok_or(format!("no link {medium}"))?;
    if link.up == up { Ok(()) } else { Err(format!("{} sees {medium} {}", run.name(node), state(link.up))) }
}

const fn state(up: bool) -> &'static str {
    if up { "up" } else { "dead" }
}

fn power_off(run: &mut LabRun) -> Result<(), Failed> {
    home(run)?;
    let owner = run.pair.plan.owner();
    let name = run.name(owner).to_owned();
    let begin = run.announce(&format!("power-off {name}"));
    run.power_off(owner);
    let bound = run.bound();
    run.until("every group on the survivor", bound, |run| run.settled(|_| 1 - owner))?;
    let decided = takeover_in_words(run, 1 - owner, begin);
    run.row("power-off of the owner", begin, decided);
    run.run_for(run.pair.plan.config.settings.deadtime);
    Ok(())
}

fn owner_returns(run: &mut LabRun) -> Result<(), Failed> {
    let owner = run.pair.plan.owner();
    if run.pair.is_on(owner) || !run.pair.runs(1 - owner) {
        power_off(run)?;
        run.rows.pop();
    }
    let name = run.name(owner).to_owned();
    let mode = run.auto_failback();
    let begin = run.announce(&format!("{name} is switched on again"));
    power_on_machine(run, owner)?;
    let started = run.now();
    run.start(owner)?;
    let bound = run.bound();
    let goes_home = mode != AutoFailback::Off;
    let expected = if goes_home { "every group on its own node" } else { "every group where it is" };
    run.until(expected, bound, |run| {
        both_active(run)?;
        run.settled(|group| if goes_home { run.owner_of(group) } else { 1 - owner })
    })?;
    // A returning node might still change its mind.
    let keepalive = run.pair.plan.config.settings.keepalive;
    run.run_for(keepalive * 5);
    let settled = run.settled(|group| if goes_home { run.owner_of(group) } else { 1 - owner });
    if let Err(seen) = settled {
        run.complain(format!("expected: {expected}; seen a little later: {seen}"));
    }
    let word = match mode {
        AutoFailback::On => "auto_failback on",
        AutoFailback::Off => "auto_failback off: nothing moves",
        AutoFailback::Legacy => "auto_failback legacy",
    };
    let gained = run.last_gain(owner, started).filter(|_| goes_home);
    let decided = match gained {
        Some(at) => format!("{word}, {} after its daemon started", measured(at.since(started))),
        None => word.to_owned(),
    };
    run.row("return of the owner", begin, decided);
    Ok(())
}

fn hand_over(run: &mut LabRun) -> Result<(), Failed> {
    home(run)?;
    if run.auto_failback() == AutoFailback::Legacy {
        run.row_without("hand-over", Some("(not played)"), "auto_failback legacy knows no standby".to_owned());
        return Ok(());
    }
    let owner = run.pair.plan.owner();
    let begin = run.announce(&format!("latido standby on {}", run.name(owner)));
    move_groups(run, owner, &Ask::Standby { set: "all".to_owned() })?;
    let bound = run.bound();
    run.until("every group on the other node", bound, |run| run.settled(|_| 1 - owner))?;
    let moved = run.last_gain(1 - owner, begin).unwrap_or(begin).since(begin);
    run.row("hand-over (latido standby)", begin, format!("on request, all moved after {}", measured(moved)));
    let back = run.announce(&format!("latido takeover local on {}", run.name(owner)));
    move_groups(run, owner, &Ask::Takeover { set: "local".to_owned() })?;
    let foreign_home = |run: &LabRun, group: &_| if run.owner_of(group) == owner { owner } else { 1 - owner };
    run.until("its own groups home again", bound, |run| run.settled(|group| foreign_home(run, group)))?;
    let moved = run.last_gain(owner, back).unwrap_or(back).since(back);
    run.row("hand-over back (latido takeover)", back, format!("on request, all moved after {}", measured(moved)));
    Ok(())
}

fn stop(run: &mut LabRun) -> Result<(), Failed> {
    home(run)?;
    let owner = run.pair.plan.owner();
    let name = run.name(owner).to_owned();
    let begin = run.announce(&format!("stop the daemon on {name}"));
    run.stop(owner, Signal::SIGTERM)?;
    let bound = run.bound();
    run.until("every group on the other node", bound, |run| run.settled_but(owner))?;
    let moved = run.last_gain(1 - owner, begin).unwrap_or(begin).since(begin);
    run.until(
        "the daemon's end",
        bound,
        |run| {
            if run.pair.runs(owner) { Err("it still runs".to_owned()) } else { Ok(()) }
        },
    )?;
    let ended = run.now().since(begin);
    let code = run.what_runs.since(begin).find_map(|happening| match happening.what {
        What::Ended(code) if happening.host == name => Some(code),
        _ => None,
    });
    if code != Some(Some(0)) {
        run.complain("expected: the daemon ends with exit code 0".to_owned());
    }
    run.row(
        "graceful stop of the owner",
        begin,
        format!("it said goodbye; all moved after {}, gone after {}", measured(moved), measured(ended)),
    );
    Ok(())
}

fn partition(run: &mut LabRun) -> Result<(), Failed> {
    home(run)?;
    let owner = run.pair.plan.owner();
    let media = run.pair.plan.media.clone();
    let name = run.name(owner).to_owned();
    let begin = run.announce(&format!("cut every cable of {name}: {}", media.join(", ")));
    run.set_cut(owner, &media, true);
    let bound = run.bound();
    for node in [0, 1] {
        run.until("each node alone with all groups", bound, |run| holds_all(run, node))?;
    }
    let survivor = takeover_in_words(run, 1 - owner, begin);
    run.until("the client served by the other node", bound, |run| served_by(run, 1 - owner))?;
    run.row("partition: all cables cut", begin, survivor);
    run.run_for(run.pair.plan.config.settings.deadtime);
    let healed = run.announce("mend every cable");
    run.set_cut(owner, &media, false);
    run.until("one node for each group again", bound, |run| {
        if run.what_runs.anything_twice() { Err("something still runs on both nodes".to_owned()) } else { Ok(()) }
    })?;
    run.what_runs.set_divided(false);
    run.until("every group back where it was", bound, |run| run.settled(|group| run.owner_of(group)))?;
    let one = run.what_runs.both_until().map(|at| at.since(healed));
    let kept = kept_in_words(run, owner, healed);
    let decided = match one {
        Some(time) => format!("one owner after {}; {kept}", measured(time)),
        None => kept,
    };
    run.row("partition healed", healed, decided);
    Ok(())
}

/// Whether the node that had the groups all along stopped any.
fn kept_in_words(run: &LabRun, owner: usize, since: Mono) -> String {
    let name = run.name(owner);
    let stopped = run.what_runs.since(since).any(|happening| {
        happening.host == name
            && matches!(&happening.what, What::Witness(super::witness::Said::Called(call)) if call.ends_with(" stop"))
    });
    if stopped { format!("{name} restarted its groups") } else { format!("{name} never stopped its groups") }
}
