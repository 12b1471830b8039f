//! The lab by hand: a person pulls cables and kills nodes, and watches.

use std::io::{self, BufRead, Write};
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::amount::measured;
use crate::status::{Answer, Ask, Group, Status};

use super::printer::{Style, What};
use super::run::LabRun;

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
pub(super) fn run(run: &mut LabRun) -> ExitCode {
    for node in [0, 1] {
        if run.start(node).is_err() {
            return ExitCode::FAILURE;
        }
    }
    say(run, "type `help` for what can be done");
    listen(run);
    loop {
        let Some(line) = run.typed.pop_front() else {
            let hour = run.now() + Duration::from_secs(3600);
            if let Some(happening) = run.pair.next_happening(hour) {
                run.take(&happening);
            }
            continue;
        };
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            ["quit" | "exit"] => return ExitCode::SUCCESS,
            [] => {}
            _ => {
                if let Err(why) = obey(run, &words) {
                    say(run, &why);
                }
            }
        }
        prompt(run);
    }
}

/// Reads what is typed in a thread of its own; the end of the input is `quit`.
fn listen(run: &LabRun) {
    let sender = run.pair.sender();
    prompt(run);
    thread::spawn(move || {
        for line in io::stdin().lock().lines().map_while(Result::ok) {
            sender.tell("", What::Typed(line));
        }
        sender.tell("", What::Typed("quit".to_owned()));
    });
}

fn prompt(run: &LabRun) {
    if run.printer.style == Style::Colours {
        let mut out = io::stdout();
        let _ = write!(out, "lab> ").and_then(|()| out.flush());
    }
}

fn say(run: &mut LabRun, text: &str) {
    text.lines().for_each(|line| run.tell(line));
}

fn obey(run: &mut LabRun, words: &[&str]) -> Result<(), String> {
    match *words {
        ["help" | "?"] => say(run, HELP),
        ["status"] => status(run),
        ["cut", node, medium] => set_cut(run, node, medium, true)?,
        ["mend", node, medium] => set_cut(run, node, medium, false)?,
        ["loss", node, percent] => {
            let loss = percent.trim_end_matches('%').parse().ok().filter(|loss| *loss <= 100);
            let loss: u8 = loss.ok_or("loss is a number from 0 to 100")?;
            change_faults(run, node, |faults| faults.loss = loss)?;
        }
        ["delay", node, time] => {
            let delay =
                crate::config::value::duration(time).map_err(|_| "a time looks like 50ms, or 1 for a second")?;
            change_faults(run, node, |faults| faults.delay = delay)?;
        }
        ["kill", node] => {
            let node = find(run, node)?;
            run.power_off(node);
            deed(run, "power-off", node);
        }
        ["boot", node] => {
            let node = find(run, node)?;
            if run.pair.is_on(node) {
                return Err("it is on".to_owned());
            }
            let _ = run.power_on(node);
            deed(run, "switched on:", node);
        }
        ["start", node] => {
            let node = find(run, node)?;
            if run.pair.runs(node) {
                return Err("it runs".to_owned());
            }
            run.pair.start(node).map_err(|error| error.to_string())?;
        }
        ["stop", node] => {
            signal(run, node, Signal::SIGTERM)?;
            let node = find(run, node)?;
            let _ = run.until("the daemon's end", LONG, |run| {
                if run.pair.runs(node) { Err("it still runs".to_owned()) } else { Ok(()) }
            });
        }
        ["settle"] => drop(run.until("everything settled", LONG, settled)),
        ["stall", node] => signal(run, node, Signal::SIGSTOP)?,
        ["wake", node] => signal(run, node, Signal::SIGCONT)?,
        ["standby", node, ref set @ ..] => {
            let set = set.first().unwrap_or(&"all").to_string();
            ask(run, node, &Ask::Standby { set })?;
        }
        ["takeover", node, ref set @ ..] => {
            let set = set.first().unwrap_or(&"all").to_string();
            ask(run, node, &Ask::Takeover { set })?;
        }
        ["run", node, ref command @ ..] if !command.is_empty() => {
            let node = find(run, node)?;
            let said = run.pair.run(node, command).map_err(|error| error.to_string())?;
            say(run, said.trim_end());
        }
        _ => return Err("not understood; `help` shows what is".to_owned()),
    }
    Ok(())
}

/// Each daemon sees the other as it is, and has nothing left to do.
fn settled(run: &LabRun) -> Result<(), String> {
    for node in [0, 1].into_iter().filter(|node| run.pair.runs(*node) && run.pair.plan.original != Some(*node)) {
        let name = run.name(node);
        let status = run.pair.status(node).ok_or_else(|| format!("{name} does not answer"))?;
        let wanted = if run.pair.runs(1 - node) { "active" } else { "dead" };
        match status.nodes.iter().find(|other| other.name == run.name(1 - node)) {
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

fn find(run: &LabRun, name: &str) -> Result<usize, String> {
    run.pair.plan.node(name).ok_or(format!("there is no node {name}: {}", run.pair.plan.nodes.join(", ")))
}

fn deed(run: &mut LabRun, what: &str, node: usize) {
    let name = run.name(node).to_owned();
    run.announce(&format!("{what} {name}"));
}

fn signal(run: &mut LabRun, node: &str, signal: Signal) -> Result<(), String> {
    let node = find(run, node)?;
    run.pair.signal(node, signal).map_err(|error| error.to_string())
}

fn set_cut(run: &mut LabRun, node: &str, medium: &str, cut: bool) -> Result<(), String> {
    let node = find(run, node)?;
    let plan = &run.pair.plan;
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
    run.set_cut(node, &chosen, cut);
    if !cut {
        run.what_runs.set_divided(false);
    }
    Ok(())
}

fn change_faults(
    run: &mut LabRun,
    node: &str,
    change: impl Fn(&mut super::switch::Faults) + Copy,
) -> Result<(), String> {
    let node = find(run, node)?;
    let interfaces = run.pair.plan.interfaces.clone();
    interfaces
        .iter()
        .try_for_each(|interface| run.pair.change_faults(node, interface, change).map_err(|error| error.to_string()))
}

fn ask(run: &mut LabRun, node: &str, ask: &Ask) -> Result<(), String> {
    let node = find(run, node)?;
    let begin = run.now();
    let said = match run.pair.ask(node, ask, Duration::from_secs(60))? {
        Answer::Moved(groups) if groups.is_empty() => "nothing had to move".to_owned(),
        Answer::Moved(groups) => format!("moved: {} ({})", groups.join(", "), measured(run.now().since(begin))),
        Answer::Refused(why) => why,
        Answer::Status(_) | Answer::Reread { .. } => "an answer to another question".to_owned(),
    };
    say(run, &said);
    Ok(())
}

fn status(run: &mut LabRun) {
    for node in [0, 1] {
        let name = run.name(node).to_owned();
        let text = match run.pair.status(node) {
            Some(status) => in_words(&status),
            None if !run.pair.is_on(node) => "off".to_owned(),
            None if !run.pair.runs(node) => "no daemon".to_owned(),
            None if run.pair.plan.original == Some(node) => format!("runs heartbeat: run {name} cl_status rscstatus"),
            None => "does not answer".to_owned(),
        };
        text.lines().for_each(|line| run.tell(&format!("{name:<9} {line}")));
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
