//! `latido resource`, and the old program `ResourceManager`: groups by name (`resources.md` 3.2).

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use crate::client::{AskError, Asker};
use crate::diagnostic::Problem;
use crate::haresources::{Exit, Resource, ResourceGroup, parse};
use crate::host::groups_by_hand::ByHand;
use crate::host::pidfile::{Running, running};
use crate::host::read_config;
use crate::names::NodeName;
use crate::paths::Paths;
use crate::status::{Answer, Ask};

use super::advice;
use super::handover::ask_and_tell;

/// LSB: not running.
const NOT_RUNNING: u8 = 3;

/// Options of `latido resource`.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
    /// Directory with haresources [default: HA_DIR of the environment, else /etc/ha.d]
    #[arg(short, global = true, value_name = "DIR")]
    dir: Option<PathBuf>,
}

#[derive(Clone, Debug, clap::Subcommand)]
enum Command {
    /// Print the key of each group, one a line, in the order of haresources
    #[command(after_help = "Example: latido resource list --node alpha --long")]
    List {
        /// Only groups that belong to NODE
        #[arg(long, value_name = "NODE")]
        node: Option<String>,
        /// Print the node and all resources of each group
        #[arg(long)]
        long: bool,
    },
    /// Ask each resource on this machine whether it runs; exit 0 when all asked do, 3 when not
    Status {
        /// Only this group (its first resource) or this resource
        name: Option<String>,
    },
    /// Start a group on this machine, without a daemon
    Start(ByHandArgs),
    /// Stop a group on this machine, without a daemon
    Stop(ByHandArgs),
    /// Tell the daemon to try a failed group again
    Retry {
        /// The group's first resource, or any of its resources
        group: String,
    },
}

#[derive(Clone, Debug, clap::Args)]
struct ByHandArgs {
    /// The group's first resource, or any of its resources
    group: String,
    /// Also while a daemon runs, which will not know of it; the other node may run the group
    #[arg(long)]
    force: bool,
}

/// Runs it.
pub(super) fn run(args: &Args) -> ExitCode {
    let dir = args.dir.clone().unwrap_or_else(ha_dir);
    let paths = Paths::under(&dir);
    match &args.command {
        Command::List { node, long } => list(&paths, node.as_ref(), *long),
        Command::Status { name } => with_files(&paths, |node| status(node, name.as_deref())),
        Command::Start(what) => by_hand(&paths, what, |node, group| node.take(group, say)),
        Command::Stop(what) => by_hand(&paths, what, |node, group| node.give(group, say)),
        Command::Retry { group } => retry(&paths, group),
    }
}

fn list(paths: &Paths, node: Option<&String>, long: bool) -> ExitCode {
    let Some(source) = read_config::read_haresources(paths) else {
        return complain(&format!("latido: {}", no_haresources(paths)));
    };
    let (groups, problems) = parse::parse(&source, &[]);
    for problem in problems.iter().filter(|problem| problem.is_error()) {
        complain(&problem.to_string());
    }
    let chosen = groups.iter().filter(|group| node.is_none_or(|node| belongs(group, node)));
    let lines = chosen.map(|group| if long { format!("{} {}", group.owner, words(group)) } else { group.key().into() });
    print(lines)
}

/// Groups and scripts are all it needs: what is wrong with the other files is said, and keeps nobody from his service.
fn with_files(paths: &Paths, work: impl FnOnce(&ByHand) -> ExitCode) -> ExitCode {
    let node = match ByHand::open(paths) {
        Ok(node) => node,
        Err(why) => return complain(&format!("latido: {why}")),
    };
    let groups = paths.haresources().display().to_string();
    let dir = paths.ha_dir.display();
    let errors = || node.problems().iter().filter(|problem| problem.is_error());
    // An older word of haresources itself, or of who may write there, is needed to understand what follows.
    let others = |problem: &&Problem| {
        [paths.ha_cf(), paths.authkeys(), paths.latido_cf()]
            .iter()
            .any(|path| problem.file == path.display().to_string())
    };
    let no_owner = |problem: &&Problem| problem.file == groups && is_about_nodes(problem);
    // Why the file of the groups is not there is said with what to type.
    let said_below =
        |problem: &&Problem| node.knows_no_groups() && problem.file == groups && !paths.haresources().exists();
    errors().filter(|problem| !others(problem) && !no_owner(problem) && !said_below(problem)).for_each(|problem| {
        complain(&problem.to_string());
    });
    if node.knows_no_groups() {
        return complain(&format!("latido: {}", no_haresources(paths)));
    }
    if let Some(first) = errors().find(|problem| others(problem)) {
        complain(&format!("{first}"));
        complain(&format!("latido: went by haresources and the scripts alone; latido check {dir} shows every error"));
    }
    work(&node)
}

/// Who a group belongs to is known from `ha.cf`, and does not matter by hand.
fn is_about_nodes(problem: &Problem) -> bool {
    problem.original.as_ref().is_some_and(|phrase| phrase.starts_with("Bad nodename in "))
}

fn no_haresources(paths: &Paths) -> String {
    let path = paths.haresources();
    // A pipe would be waited for.
    let why = match std::fs::metadata(&path) {
        Ok(meta) if !meta.is_file() => "it is no plain file".to_owned(),
        Ok(_) => {
            std::fs::File::open(&path).err().map_or("it is not root's alone".to_owned(), |error| error.to_string())
        }
        Err(error) => error.to_string(),
    };
    format!("cannot read {}: {why}\n  {}", path.display(), advice::files(paths))
}

/// For the old program, which needs groups and scripts, and reads `ha.cf` only to know where the log is.
fn with_groups(paths: &Paths, work: impl FnOnce(&ByHand) -> ExitCode) -> ExitCode {
    ByHand::open(paths).map_or_else(|why| complain(&format!("ResourceManager: {why}")), |node| work(&node))
}

fn status(node: &ByHand, name: Option<&str>) -> ExitCode {
    let of_group = |group: &ResourceGroup| name.is_none_or(|name| group.key() == name);
    let mut asked: Vec<&Resource> = node.groups().iter().filter(|group| of_group(group)).flat_map(of).collect();
    if asked.is_empty() {
        asked = node.groups().iter().flat_map(of).filter(|resource| name == Some(&resource.word)).collect();
    }
    if asked.is_empty() {
        return complain(&format!("latido: haresources has no {}", name.unwrap_or("groups")));
    }
    let mut code = 0;
    for resource in asked {
        let outcome = node.status(resource);
        let words = match &outcome.exit {
            _ if outcome.says_running() => "running".to_owned(),
            Exit::Code(_) => "not running".to_owned(),
            exit @ (Exit::Signal(_) | Exit::TimedOut | Exit::NotFound(_)) => exit.to_string(),
        };
        if words != "running" {
            code = NOT_RUNNING;
        }
        super::print(&format!("{:<40} {words}", resource.word));
    }
    ExitCode::from(code)
}

fn of(group: &ResourceGroup) -> &[Resource] {
    &group.resources
}

fn by_hand(
    paths: &Paths,
    what: &ByHandArgs,
    work: impl FnOnce(&ByHand, &ResourceGroup) -> Result<(), String>,
) -> ExitCode {
    // One of an older version listens elsewhere: the pid file knows it too.
    let runs = !matches!(Asker::connect(&paths.control_socket()), Err(AskError::NotRunning(_)))
        || matches!(running(&paths.pid_file), Running::Yes(_));
    if !what.force && runs {
        return complain(
            "latido: a daemon runs here and decides what runs: use `latido standby` or `latido takeover`, or --force",
        );
    }
    with_files(paths, |node| match find(node.groups(), &what.group) {
        None => complain(&format!("latido: haresources has no group {}", what.group)),
        Some(group) => match work(node, group) {
            Ok(()) => ExitCode::SUCCESS,
            Err(why) => complain(&format!("latido: {why}")),
        },
    })
}

fn find<'a>(groups: &'a [ResourceGroup], name: &str) -> Option<&'a ResourceGroup> {
    let has = |group: &&ResourceGroup| group.resources.iter().any(|resource| resource.word == name);
    groups.iter().find(|group| group.key() == name).or_else(|| groups.iter().find(has))
}

fn retry(paths: &Paths, group: &str) -> ExitCode {
    let ask = Ask::Retry { group: group.to_owned() };
    ask_and_tell(paths, 10, &ask, |groups| format!("to be tried again: {}", groups.join(" ")))
}

/// What `ResourceManager WORDS...` does and prints, in the original's form; `program` is the name it was called by.
pub(super) fn resource_manager(program: &str, words: &[String]) -> ExitCode {
    let dir = ha_dir();
    let here = std::env::var("HA_CURHOST").unwrap_or_default();
    let verb = words.first().map_or("", String::as_str);
    let name = words.get(1).map_or("", String::as_str);
    // Without the file the original prints nothing and is content.
    let groups = || read_haresources(&dir).map_or(Vec::new(), |source| parse::parse(&source, &[]).0);
    let paths = Paths::under(&dir);
    match verb {
        "allkeys" => print(groups().iter().map(|group| group.key().to_owned())),
        "listkeys" => print(groups().iter().filter(|group| belongs(group, name)).map(|group| group.key().to_owned())),
        "ourkeys" => print(groups().iter().filter(|group| belongs(group, &here)).map(whole_line)),
        "otherkeys" => print(groups().iter().filter(|group| !belongs(group, &here)).map(whole_line)),
        "status" => with_groups(&paths, |node| old_status(node, name)),
        "takegroup" | "givegroup" if super::old::helpers::is_done_by_the_daemon(&format!("ResourceManager {verb}")) => {
            ExitCode::SUCCESS
        }
        "takegroup" if let Some(why) = runs_elsewhere(&paths, name) => complain(&format!("ResourceManager: {why}")),
        "takegroup" => with_groups(&paths, |node| old_group(node, name, |group| node.take(group, |_| {}))),
        "givegroup" => with_groups(&paths, |node| old_group(node, name, |group| node.give(group, |_| {}))),
        "statgroup" => with_groups(&paths, |node| stat_group(node, name)),
        "verifyallidle" => with_groups(&paths, verify_all_idle),
        _ => complain(&format!("usage: {program} listkeys machine | takegroup key | givegroup key|status resource\n")),
    }
}

/// What the daemon here knows to run on the other node is not started beside it.
fn runs_elsewhere(paths: &Paths, key: &str) -> Option<String> {
    let answer = Asker::ask_once(&paths.control_socket(), &Ask::Status, Duration::from_secs(10)).ok()?;
    let Answer::Status(status) = answer else { return None };
    let group = status.groups.iter().find(|group| group.key == key && group.held_by_peer)?;
    let set = if group.owner.eq_ignore_ascii_case(&status.me) { "local" } else { "foreign" };
    Some(format!("{key} runs on the other node: `latido takeover {set}` moves it here; nothing was started"))
}

fn old_status(node: &ByHand, word: &str) -> ExitCode {
    let outcome = node.status(&Resource::from_word(word));
    if outcome.says_running() {
        return ExitCode::SUCCESS;
    }
    if !matches!(outcome.exit, Exit::Code(_)) {
        complain(&format!("{word}: {}", outcome.exit));
    }
    ExitCode::from(NOT_RUNNING)
}

/// The original is content with a key it does not know.
fn old_group(node: &ByHand, key: &str, work: impl FnOnce(&ResourceGroup) -> Result<(), String>) -> ExitCode {
    let Some(group) = node.groups().iter().find(|group| group.key() == key) else { return ExitCode::SUCCESS };
    work(group).map_or_else(|why| complain(&format!("ResourceManager: {why}")), |()| ExitCode::SUCCESS)
}

/// The original says it to its debug log only, where nobody looks.
fn stat_group(node: &ByHand, key: &str) -> ExitCode {
    let Some(group) = node.groups().iter().find(|group| group.key() == key) else { return ExitCode::SUCCESS };
    let runs = |resource: &&Resource| node.status(resource).says_running();
    let word = match group.resources.iter().filter(runs).count() {
        0 => "NONE",
        all if all == group.resources.len() => "ALL",
        _ => "SOME",
    };
    super::print(word);
    ExitCode::SUCCESS
}

/// The exit code is the number of groups whose first resource runs.
fn verify_all_idle(node: &ByHand) -> ExitCode {
    let firsts = node.groups().iter().filter_map(|group| group.resources.first());
    let active: Vec<&Resource> = firsts.filter(|first| node.status(first).says_running()).collect();
    for resource in &active {
        complain(&format!("CRITICAL: Resource {} is active, and should not be!", resource.word));
        complain("CRITICAL: Non-idle resources can affect data integrity!");
        complain("info: If you don't know what this means, then get help!");
    }
    ExitCode::from(u8::try_from(active.len()).unwrap_or(u8::MAX))
}

fn say(text: &str) {
    super::print(text);
}

fn ha_dir() -> PathBuf {
    std::env::var_os("HA_DIR").map_or_else(|| PathBuf::from("/etc/ha.d"), PathBuf::from)
}

fn read_haresources(dir: &Path) -> Option<crate::diagnostic::SourceText> {
    read_config::read_haresources(&Paths::under(dir))
}

/// The original takes a regular expression; names are compared exactly here, and `.*` is everybody.
fn belongs(group: &ResourceGroup, node: &str) -> bool {
    node == ".*" || NodeName::new(node).is_some_and(|node| node == group.owner)
}

fn words(group: &ResourceGroup) -> String {
    let words: Vec<_> = group.resources.iter().map(|resource| resource.word.as_str()).collect();
    words.join(" ")
}

/// The original leaves a blank behind each word.
fn whole_line(group: &ResourceGroup) -> String {
    group.resources.iter().map(|resource| format!("{} ", resource.word)).collect()
}

fn print(lines: impl Iterator<Item = String>) -> ExitCode {
    let text: String = lines.map(|line| line + "\n").collect();
    match std::io::stdout().lock().write_all(crate::printable::lines(&text).as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn complain(text: &str) -> ExitCode {
    let _ = writeln!(std::io::stderr().lock(), "{}", crate::printable::lines(text));
    ExitCode::FAILURE
}
