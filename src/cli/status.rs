//! `latido status`: nodes, links, and who holds what since when, for a person at three in the morning or a program.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use crate::client::{Answer, Ask, Client, Group, Node, Status};
use crate::paths::Paths;

use super::print;

/// Options of `latido status`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Exit code: 0 healthy, 1 degraded, 2 the daemon does not run.")]
pub(super) struct Args {
    /// One JSON object instead of text
    #[arg(long)]
    json: bool,
    /// The node's directory
    #[arg(short = 'd', long = "dir", value_name = "DIR", env = "HA_DIR", default_value = "/etc/ha.d")]
    dir: PathBuf,
}

/// Asks and prints.
pub(super) fn run(args: &Args) -> ExitCode {
    let socket = Paths::under(&args.dir).control_socket();
    let answer = Client::connect(&socket).and_then(|mut client| client.ask(&Ask::Status, Duration::from_secs(5)));
    match answer {
        Ok(Answer::Status(status)) => {
            let json = || serde_json::to_string_pretty(&status).unwrap_or_default();
            print(&if args.json { json() } else { describe(&status) });
            ExitCode::from(u8::from(!is_healthy(&status)))
        }
        Ok(Answer::Moved(_) | Answer::Refused(_)) => {
            eprintln!("latido status: the daemon answered something else; is it of another version?");
            ExitCode::from(2)
        }
        Err(error) => {
            eprintln!("latido status: {error}");
            ExitCode::from(2)
        }
    }
}

/// Every node active, every link up, every group held by somebody.
fn is_healthy(status: &Status) -> bool {
    let alive =
        |node: &Node| ["active", "ping"].contains(&node.status.as_str()) && node.links.iter().all(|link| link.up);
    status.stable
        && status.nodes.iter().all(alive)
        && status.groups.iter().all(|group| group.state == "held" || group.state == "free" && group.held_by_peer)
}

fn describe(status: &Status) -> String {
    let mut text = String::new();
    for node in status.nodes.iter().filter(|node| !node.ping) {
        let name = if node.here { format!("{} (here)", node.name) } else { node.name.clone() };
        let held: Vec<&str> = status.groups.iter().filter(|group| holds(node, group)).map(|g| g.key.as_str()).collect();
        let held = if held.is_empty() { "-".to_owned() } else { held.join(" ") };
        let kind = if node.latido { "" } else { "   runs heartbeat" };
        let _ = writeln!(text, "{name:<20} {:<8} holds  {held}{kind}", node.status);
    }
    for node in status.nodes.iter().filter(|node| !node.here) {
        for link in &node.links {
            let state = if link.up { "up" } else { "DEAD" };
            let age = link.last_heard_ms.map_or("never heard".to_owned(), |ms| format!("{} ago", age(ms)));
            let failure = link.failure.as_ref().map_or(String::new(), |why| format!("   {why}"));
            let _ = writeln!(text, "{:<20} {state:<8} {} {age}{failure}", link.medium, node.name);
        }
    }
    for group in &status.groups {
        let _ = writeln!(
            text,
            "{:<20} {:<8} for {}, home {}{}",
            group.key,
            place(status, group),
            age(group.for_ms),
            group.owner,
            more(group)
        );
    }
    let takeover = status.last_takeover_ms.map_or("never".to_owned(), |ms| format!("{} ago", age(ms)));
    let settled = if status.leaving {
        "leaving"
    } else if status.stable {
        "settled"
    } else {
        "in transition"
    };
    let _ = write!(text, "{settled} · failback {} · last takeover {takeover}", status.auto_failback);
    text
}

fn holds(node: &Node, group: &Group) -> bool {
    if node.here {
        ["held", "starting", "stopping", "blocked"].contains(&group.state.as_str())
    } else {
        group.held_by_peer
    }
}

fn place<'a>(status: &'a Status, group: &'a Group) -> &'a str {
    match (group.state.as_str(), group.held_by_peer) {
        ("held", true) => "BOTH",
        ("free", true) => status.nodes.iter().find(|node| !node.here && !node.ping).map_or("peer", |node| &node.name),
        ("free", false) => "NOBODY",
        ("held", false) => "here",
        (state, _) => state,
    }
}

fn more(group: &Group) -> String {
    let running = group.running.as_ref().map(|call| format!("   running {call}"));
    let failure = group.failure.as_ref().map(|why| format!("   FAILED: {why}"));
    running.or(failure).unwrap_or_default()
}

fn age(ms: u64) -> String {
    match ms / 1000 {
        0..=9 => format!("{}.{} s", ms / 1000, ms % 1000 / 100),
        seconds @ 10..=119 => format!("{seconds} s"),
        seconds @ 120..=7199 => format!("{} min", seconds / 60),
        seconds @ 7200..=172_799 => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
        seconds => format!("{} d {} h", seconds / 86_400, seconds % 86_400 / 3600),
    }
}
