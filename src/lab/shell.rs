//! The lab by hand: a person pulls cables and kills nodes, and watches.

use std::io::{self, BufRead, Write};
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::amount::measured;
use crate::status::{Answer, Ask, Group, Status};

use super::printer::{Style, What};
use super::run::Play;

/// Scripts of the user's may take as long.
const LONG: Duration = Duration::from_secs(120);

const HELP: &str = "\
  status                 what each node says of both, and of the groups
  cut NODE MEDIUM|all    pull a cable: eth0, a serial device by its end (ttyS1)
  mend NODE MEDIUM|all   plug it in again
  loss NODE PERCENT      lose so many frames each way on the network cables
  delay NODE TIME        delay each frame so long each way: 50ms
  kill NODE              power-off: everything on it is gone at once
  boot NODE              switch it on again and start the daemon
  start NODE             start the daemon
  stop NODE              stop the daemon in order, and wait for its end
  settle                 wait until every daemon knows how things are and has nothing left to do
  stall NODE / wake NODE kill -STOP and -CONT to the daemon
  standby NODE [SET]     latido standby there: all, local, foreign
  takeover NODE [SET]    latido takeover there
  run NODE COMMAND...    a command of latido there: run beta why, run beta status, run alpha events;
                         on a node with the original any program: run beta cl_status listnodes
  quit                   everything vanishes";

/// Serves a person until they quit.
pub(super) fn run(play: &mut Play) -> ExitCode {
    for node in [0, 1] {
        if play.start(node).is_err() {
            return ExitCode::FAILURE;
        }
    }
    say(play, "type `help` for what can be done");
    listen(play);
    loop {
        let Some(line) = play.typed.pop_front() else {
            let hour = play.now() + Duration::from_secs(3600);
            if let Some(happening) = play.pair.next_happening(hour) {
                play.take(&happening);
            }
            continue;
        };
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            ["quit" | "exit"] => return ExitCode::SUCCESS,
            [] => {}
            _ => {
                if let Err(why) = obey(play, &words) {
                    say(play, &why);
                }
            }
        }
        prompt(play);
    }
}

/// Reads what is typed in a thread of its own; the end of the input is `quit`.
fn listen(play: &Play) {
    let teller = play.pair.teller();
    prompt(play);
    thread::spawn(move || {
        for line in io::stdin().lock().lines().map_while(Result::ok) {
            teller.tell("", What::Typed(line));
        }
        teller.tell("", What::Typed("quit".to_owned()));
    });
}

fn prompt(play: &Play) {
    if play.printer.style == Style::Colours {
        let mut out = io::stdout();
        let _ = write!(out, "lab> ").and_then(|()| out.flush());
    }
}

fn say(play: &mut Play, text: &str) {
    text.lines().for_each(|line| play.note(line));
}

fn obey(play: &mut Play, words: &[&str]) -> Result<(), String> {
    match *words {
        ["help" | "?"] => say(play, HELP),
        ["status"] => status(play),
        ["cut", node, medium] => set_cut(play, node, medium, true)?,
        ["mend", node, medium] => set_cut(play, node, medium, false)?,
        ["loss", node, percent] => {
            let loss = percent.trim_end_matches('%').parse().ok().filter(|loss| *loss <= 100);
            let loss: u8 = loss.ok_or("loss is a number from 0 to 100")?;
            change_faults(play, node, |faults| faults.loss = loss)?;
        }
        ["delay", node, time] => {
            let delay =
                crate::config::value::duration(time).map_err(|_| "a time looks like 50ms, or 1 for a second")?;
            change_faults(play, node, |faults| faults.delay = delay)?;
        }
        ["kill", node] => {
            let node = find(play, node)?;
            play.power_off(node);
            deed(play, "power-off", node);
        }
        ["boot", node] => {
            let node = find(play, node)?;
            if play.pair.is_on(node) {
                return Err("it is on".to_owned());
            }
            let _ = play.power_on(node);
            deed(play, "switched on:", node);
        }
        ["start", node] => {
            let node = find(play, node)?;
            if play.pair.runs(node) {
                return Err("it runs".to_owned());
            }
            play.pair.start(node).map_err(|error| error.to_string())?;
        }
        ["stop", node] => {
            signal(play, node, Signal::SIGTERM)?;
            let node = find(play, node)?;
            let _ = play.until("the daemon's end", LONG, |play| {
                if play.pair.runs(node) { Err("it still runs".to_owned()) } else { Ok(()) }
            });
        }
        ["settle"] => drop(play.until("everything settled", LONG, settled)),
        ["stall", node] => signal(play, node, Signal::SIGSTOP)?,
        ["wake", node] => signal(play, node, Signal::SIGCONT)?,
        ["standby", node, ref set @ ..] => {
            let set = set.first().unwrap_or(&"all").to_string();
            ask(play, node, &Ask::Standby { set })?;
        }
        ["takeover", node, ref set @ ..] => {
            let set = set.first().unwrap_or(&"all").to_string();
            ask(play, node, &Ask::Takeover { set })?;
        }
        ["run", node, ref command @ ..] if !command.is_empty() => {
            let node = find(play, node)?;
            let said = play.pair.run(node, command).map_err(|error| error.to_string())?;
            say(play, said.trim_end());
        }
        _ => return Err("not understood; `help` shows what is".to_owned()),
    }
    Ok(())
}

/// Each daemon sees the other as it is, and has nothing left to do.
fn settled(play: &Play) -> Result<(), String> {
    for node in [0, 1].into_iter().filter(|node| play.pair.runs(*node) && play.pair.plan.original != Some(*node)) {
        let name = play.name(node);
        let status = play.pair.status(node).ok_or_else(|| format!("{name} does not answer"))?;
        let wanted = if play.pair.runs(1 - node) { "active" } else { "dead" };
        match status.nodes.iter().find(|other| other.name == play.name(1 - node)) {
            Some(other) if other.status != wanted => {
                return Err(format!("{name} sees {} {}", other.name, other.status));
            }
            _ => {}
        }
        let idle = |group: &Group| ["held", "failed", "blocked"].contains(&group.state.as_str()) || group.held_by_peer;
        if !status.stable || status.leaving || !status.groups.iter().all(idle) {
            return Err(format!("{name} is still deciding"));
        }
    }
    Ok(())
}

fn find(play: &Play, name: &str) -> Result<usize, String> {
    play.pair.plan.node(name).ok_or(format!("there is no node {name}: {}", play.pair.plan.nodes.join(", ")))
}

fn deed(play: &mut Play, what: &str, node: usize) {
    let name = play.name(node).to_owned();
    play.deed(&format!("{what} {name}"));
}

fn signal(play: &mut Play, node: &str, signal: Signal) -> Result<(), String> {
    let node = find(play, node)?;
    play.pair.signal(node, signal).map_err(|error| error.to_string())
}

fn set_cut(play: &mut Play, node: &str, medium: &str, cut: bool) -> Result<(), String> {
    let node = find(play, node)?;
    let plan = &play.pair.plan;
    let mut known: Vec<String> = plan.interfaces.clone();
    known.extend(plan.serial.iter().map(|(device, _)| device.clone()));
    let chosen: Vec<String> = known
        .iter()
        .filter(|name| medium == "all" || *name == medium || name.ends_with(&format!("/{medium}")))
        .cloned()
        .collect();
    if chosen.is_empty() {
        return Err(format!("there is no cable {medium}: {}", known.join(", ")));
    }
    play.set_cut(node, &chosen, cut);
    if !cut {
        play.world.set_divided(false);
    }
    Ok(())
}

fn change_faults(
    play: &mut Play,
    node: &str,
    change: impl Fn(&mut super::switch::Faults) + Copy,
) -> Result<(), String> {
    let node = find(play, node)?;
    let interfaces = play.pair.plan.interfaces.clone();
    interfaces
        .iter()
        .try_for_each(|interface| play.pair.change_faults(node, interface, change).map_err(|error| error.to_string()))
}

fn ask(play: &mut Play, node: &str, ask: &Ask) -> Result<(), String> {
    let node = find(play, node)?;
    let begin = play.now();
    let said = match play.pair.ask(node, ask, Duration::from_secs(60))? {
        Answer::Moved(groups) if groups.is_empty() => "nothing had to move".to_owned(),
        Answer::Moved(groups) => format!("moved: {} ({})", groups.join(", "), measured(play.now().since(begin))),
        Answer::Refused(why) => why,
        Answer::Status(_) | Answer::Reread { .. } => "an answer to another question".to_owned(),
    };
    say(play, &said);
    Ok(())
}

fn status(play: &mut Play) {
    for node in [0, 1] {
        let name = play.name(node).to_owned();
        let text = match play.pair.status(node) {
            Some(status) => in_words(&status),
            None if !play.pair.is_on(node) => "off".to_owned(),
            None if !play.pair.runs(node) => "no daemon".to_owned(),
            None if play.pair.plan.original == Some(node) => format!("runs heartbeat: run {name} cl_status rscstatus"),
            None => "does not answer".to_owned(),
        };
        text.lines().for_each(|line| play.note(&format!("{name:<9} {line}")));
    }
}

fn in_words(status: &Status) -> String {
    let mut lines = Vec::new();
    for node in status.nodes.iter().filter(|node| !node.here) {
        let links = node.links.iter().map(|link| format!("{} {}", link.medium, if link.up { "up" } else { "dead" }));
        lines.push(format!("sees {} {}: {}", node.name, node.status, links.collect::<Vec<_>>().join(", ")));
    }
    for group in &status.groups {
        lines.push(format!("group {} ({}): {}", group.key, group.owner, group.state));
    }
    lines.join("\n")
}
