//! `latido resource`, and the old program `ResourceManager`: groups by name (`resources.md` 3.2, `product.md`, Programs).

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::daemon::read_config;
use crate::haresources::{ResourceGroup, parse};
use crate::names::NodeName;
use crate::paths::Paths;

/// Options of `latido resource`.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
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
        /// Directory with haresources [default: HA_DIR of the environment, else /etc/ha.d]
        #[arg(short, value_name = "DIR")]
        dir: Option<PathBuf>,
    },
}

/// Runs it.
pub(super) fn run(args: &Args) -> ExitCode {
    let Command::List { node, long, dir } = &args.command;
    let dir = dir.clone().unwrap_or_else(ha_dir);
    let Some(source) = read_haresources(&dir) else {
        return complain(&format!("latido: cannot read {}", Paths::under(&dir).haresources().display()));
    };
    let (groups, problems) = parse::parse(&source, &[]);
    for problem in problems.iter().filter(|problem| problem.is_error()) {
        complain(&problem.to_string());
    }
    let chosen = groups.iter().filter(|group| node.as_ref().is_none_or(|node| belongs(group, node)));
    let lines =
        chosen.map(|group| if *long { format!("{} {}", group.owner, words(group)) } else { group.key().into() });
    print(lines)
}

/// What `ResourceManager WORDS...` prints, in the original's form; `program` is the name it was called by.
pub(super) fn resource_manager(program: &str, words: &[String]) -> ExitCode {
    let dir = ha_dir();
    let here = std::env::var("HA_CURHOST").unwrap_or_default();
    let verb = words.first().map_or("", String::as_str);
    // Without the file the original prints nothing and is content.
    let groups = || read_haresources(&dir).map_or(Vec::new(), |source| parse::parse(&source, &[]).0);
    match verb {
        "allkeys" => print(groups().iter().map(|group| group.key().to_owned())),
        "listkeys" => {
            let node = words.get(1).map_or("", String::as_str);
            print(groups().iter().filter(|group| belongs(group, node)).map(|group| group.key().to_owned()))
        }
        "ourkeys" => print(groups().iter().filter(|group| belongs(group, &here)).map(whole_line)),
        "otherkeys" => print(groups().iter().filter(|group| !belongs(group, &here)).map(whole_line)),
        "status" | "takegroup" | "givegroup" | "statgroup" | "verifyallidle" => complain(&format!(
            "{program}: {verb} is not in this version of Latido: the daemon alone starts and stops resources"
        )),
        _ => complain(&format!("usage: {program} listkeys machine | takegroup key | givegroup key|status resource\n")),
    }
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
    match std::io::stdout().lock().write_all(text.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn complain(text: &str) -> ExitCode {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
    ExitCode::FAILURE
}
