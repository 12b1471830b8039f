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
use super::run::{Failed, Play};
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

/// What is played when nothing else is asked for, in the order in which it tells a story.
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
    pub(super) fn play(self, play: &mut Play) -> Result<(), Failed> {
        match self {
            Scenario::ColdStart => cold_start(play),
            Scenario::Heartbeats => heartbeats(play),
            Scenario::Cable => cable(play),
            Scenario::ClientCable => client_cable::client_cable(play),
            Scenario::PowerOff => power_off(play),
            Scenario::Return => owner_returns(play),
            Scenario::HandOver => hand_over(play),
            Scenario::Stop => stop(play),
            Scenario::Partition => partition(play),
            Scenario::DeadService => failing_programs::dead_service(play),
            Scenario::FailingStart => failing_programs::failing_start(play),
            Scenario::HangingStop => failing_programs::hanging_stop(play),
            Scenario::KilledCore => failing_programs::killed_core(play),
            Scenario::StuckFence => failing_programs::stuck_fence(play),
        }
    }
}

fn heartbeats(play: &mut Play) -> Result<(), Failed> {
    home(play)?;
    let bound = play.bound();
    play.until("heartbeats over every medium", bound, Play::all_links_up)?;
    let begin = play.deed("nothing is done for a while");
    let settings = play.pair.plan.config.settings.clone();
    play.run_for((settings.keepalive * 10).max(settings.deadtime * 2));
    if let Err(seen) = play.all_links_up() {
        play.complain(format!("expected: heartbeats over every medium; seen: {seen}"));
    }
    let ages = play.pair.plan.media.clone().into_iter().map(|medium| {
        let age = [0, 1].into_iter().filter_map(|node| link_age(play, node, &medium)).max().unwrap_or_default();
        format!("{medium} beat {} ago", measured(std::time::Duration::from_millis(age)))
    });
    let heard = ages.collect::<Vec<_>>().join(", ");
    play.note(&heard);
    if play.world.moved_since(begin) {
        play.complain("resources moved while nothing was done".to_owned());
    }
    play.row("heartbeats on every medium", begin, heard);
    Ok(())
}

fn link_age(play: &Play, node: usize, medium: &str) -> Option<u64> {
    let status = play.pair.status(node)?;
    let other = status.nodes.iter().find(|other| other.name == play.name(1 - node))?;
    other.links.iter().find(|link| link.medium == medium)?.last_heard_ms
}

fn cable(play: &mut Play) -> Result<(), Failed> {
    home(play)?;
    let media = play.pair.plan.media.clone();
    if media.len() < 2 {
        let why = format!("{} is the only medium: pulling it divides the pair", media.join(""));
        play.note(&why);
        play.row_without("cable pulled", Some("(not played)"), why);
        return Ok(());
    }
    let clients = play.pair.plan.client_interface.clone();
    for medium in media.into_iter().filter(|medium| Some(medium) != clients.as_ref()) {
        pull(play, &medium)?;
    }
    Ok(())
}

fn pull(play: &mut Play, medium: &str) -> Result<(), Failed> {
    let bound = play.bound();
    play.until("heartbeats over every medium", bound, Play::all_links_up)?;
    let (owner, serial) = (play.pair.plan.owner(), play.pair.null_modem(medium).is_some());
    let name = play.name(owner).to_owned();
    let begin = if serial {
        play.deed(&format!("pull the null-modem cable {medium}"))
    } else {
        play.deed(&format!("pull the network cable {medium} of {name}"))
    };
    play.set_cut(owner, &[medium.to_owned()], true);
    let dead = |node: usize| move |play: &Play| link_is(play, node, medium, false);
    play.until("the link dead on one side", bound, dead(0))?;
    play.until("the link dead on the other side", bound, dead(1))?;
    let deadtime = play.pair.plan.config.settings.deadtime;
    play.run_for(deadtime * 2);
    let stayed = !play.world.moved_since(begin);
    if !stayed {
        play.complain(format!("resources moved because {medium} was pulled, though another medium still beat"));
    }
    let others: Vec<&String> = play.pair.plan.media.iter().filter(|other| *other != medium).collect();
    let still = others.iter().map(|other| other.as_str()).collect::<Vec<_>>().join(", ");
    let decided = format!("{still} still beat: {}", if stayed { "no resource moved" } else { "yet resources moved" });
    let cable = if serial { "null-modem" } else { "network" };
    play.row(&format!("{cable} cable pulled ({medium})"), begin, decided);
    play.deed(&format!("plug {medium} in again"));
    play.set_cut(owner, &[medium.to_owned()], false);
    play.until("heartbeats over every medium again", bound, Play::all_links_up)?;
    play.until("every group where it was", bound, |play| play.settled(|group| play.owner_of(group)))?;
    Ok(())
}

fn link_is(play: &Play, node: usize, medium: &str, up: bool) -> Result<(), String> {
    let status = play.pair.status(node).ok_or("no answer")?;
    let other = status.nodes.iter().find(|other| other.name == play.name(1 - node)).ok_or("no such node")?;
    let link = other.links.iter().find(|link| link.medium == medium).ok_or(format!("no link {medium}"))?;
    if link.up == up { Ok(()) } else { Err(format!("{} sees {medium} {}", play.name(node), state(link.up))) }
}

const fn state(up: bool) -> &'static str {
    if up { "up" } else { "dead" }
}

fn power_off(play: &mut Play) -> Result<(), Failed> {
    home(play)?;
    let owner = play.pair.plan.owner();
    let name = play.name(owner).to_owned();
    let begin = play.deed(&format!("power-off {name}"));
    play.power_off(owner);
    let bound = play.bound();
    play.until("every group on the survivor", bound, |play| play.settled(|_| 1 - owner))?;
    let decided = takeover_in_words(play, 1 - owner, begin);
    play.row("power-off of the owner", begin, decided);
    play.run_for(play.pair.plan.config.settings.deadtime);
    Ok(())
}

fn owner_returns(play: &mut Play) -> Result<(), Failed> {
    let owner = play.pair.plan.owner();
    if play.pair.is_on(owner) || !play.pair.runs(1 - owner) {
        power_off(play)?;
        play.rows.pop();
    }
    let name = play.name(owner).to_owned();
    let mode = play.auto_failback();
    let begin = play.deed(&format!("{name} is switched on again"));
    power_on_machine(play, owner)?;
    let started = play.now();
    play.start(owner)?;
    let bound = play.bound();
    let goes_home = mode != AutoFailback::Off;
    let expected = if goes_home { "every group on its own node" } else { "every group where it is" };
    play.until(expected, bound, |play| {
        both_active(play)?;
        play.settled(|group| if goes_home { play.owner_of(group) } else { 1 - owner })
    })?;
    // A returning node might still change its mind.
    let keepalive = play.pair.plan.config.settings.keepalive;
    play.run_for(keepalive * 5);
    let settled = play.settled(|group| if goes_home { play.owner_of(group) } else { 1 - owner });
    if let Err(seen) = settled {
        play.complain(format!("expected: {expected}; seen a little later: {seen}"));
    }
    let word = match mode {
        AutoFailback::On => "auto_failback on",
        AutoFailback::Off => "auto_failback off: nothing moves",
        AutoFailback::Legacy => "auto_failback legacy",
    };
    let gained = play.last_gain(owner, started).filter(|_| goes_home);
    let decided = match gained {
        Some(at) => format!("{word}, {} after its daemon started", measured(at.since(started))),
        None => word.to_owned(),
    };
    play.row("return of the owner", begin, decided);
    Ok(())
}

fn hand_over(play: &mut Play) -> Result<(), Failed> {
    home(play)?;
    if play.auto_failback() == AutoFailback::Legacy {
        play.row_without("hand-over", Some("(not played)"), "auto_failback legacy knows no standby".to_owned());
        return Ok(());
    }
    let owner = play.pair.plan.owner();
    let begin = play.deed(&format!("latido standby on {}", play.name(owner)));
    move_groups(play, owner, &Ask::Standby { set: "all".to_owned() })?;
    let bound = play.bound();
    play.until("every group on the other node", bound, |play| play.settled(|_| 1 - owner))?;
    let moved = play.last_gain(1 - owner, begin).unwrap_or(begin).since(begin);
    play.row("hand-over (latido standby)", begin, format!("on request, all moved after {}", measured(moved)));
    let back = play.deed(&format!("latido takeover local on {}", play.name(owner)));
    move_groups(play, owner, &Ask::Takeover { set: "local".to_owned() })?;
    let foreign_home = |play: &Play, group: &_| if play.owner_of(group) == owner { owner } else { 1 - owner };
    play.until("its own groups home again", bound, |play| play.settled(|group| foreign_home(play, group)))?;
    let moved = play.last_gain(owner, back).unwrap_or(back).since(back);
    play.row("hand-over back (latido takeover)", back, format!("on request, all moved after {}", measured(moved)));
    Ok(())
}

fn stop(play: &mut Play) -> Result<(), Failed> {
    home(play)?;
    let owner = play.pair.plan.owner();
    let name = play.name(owner).to_owned();
    let begin = play.deed(&format!("stop the daemon on {name}"));
    play.stop(owner, Signal::SIGTERM)?;
    let bound = play.bound();
    play.until("every group on the other node", bound, |play| play.settled_but(owner))?;
    let moved = play.last_gain(1 - owner, begin).unwrap_or(begin).since(begin);
    play.until("the daemon's end", bound, |play| {
        if play.pair.runs(owner) { Err("it still runs".to_owned()) } else { Ok(()) }
    })?;
    let ended = play.now().since(begin);
    let code = play.world.since(begin).find_map(|happening| match happening.what {
        What::Ended(code) if happening.host == name => Some(code),
        _ => None,
    });
    if code != Some(Some(0)) {
        play.complain("expected: the daemon ends with exit code 0".to_owned());
    }
    play.row(
        "graceful stop of the owner",
        begin,
        format!("it said goodbye; all moved after {}, gone after {}", measured(moved), measured(ended)),
    );
    Ok(())
}

fn partition(play: &mut Play) -> Result<(), Failed> {
    home(play)?;
    let owner = play.pair.plan.owner();
    let media = play.pair.plan.media.clone();
    let name = play.name(owner).to_owned();
    let begin = play.deed(&format!("cut every cable of {name}: {}", media.join(", ")));
    play.set_cut(owner, &media, true);
    let bound = play.bound();
    for node in [0, 1] {
        play.until("each node alone with all groups", bound, |play| holds_all(play, node))?;
    }
    let survivor = takeover_in_words(play, 1 - owner, begin);
    play.until("the client served by the other node", bound, |play| served_by(play, 1 - owner))?;
    play.row("partition: all cables cut", begin, survivor);
    play.run_for(play.pair.plan.config.settings.deadtime);
    let healed = play.deed("mend every cable");
    play.set_cut(owner, &media, false);
    play.until("one node for each group again", bound, |play| {
        if play.world.anything_twice() { Err("something still runs on both nodes".to_owned()) } else { Ok(()) }
    })?;
    play.world.set_divided(false);
    play.until("every group back where it was", bound, |play| play.settled(|group| play.owner_of(group)))?;
    let one = play.world.both_until().map(|at| at.since(healed));
    let kept = kept_in_words(play, owner, healed);
    let decided = match one {
        Some(time) => format!("one owner after {}; {kept}", measured(time)),
        None => kept,
    };
    play.row("partition healed", healed, decided);
    Ok(())
}

/// Whether the node that had the groups all along stopped any.
fn kept_in_words(play: &Play, owner: usize, since: Mono) -> String {
    let name = play.name(owner);
    let stopped = play.world.since(since).any(|happening| {
        happening.host == name
            && matches!(&happening.what, What::Witness(super::witness::Said::Called(call)) if call.ends_with(" stop"))
    });
    if stopped { format!("{name} restarted its groups") } else { format!("{name} never stopped its groups") }
}
