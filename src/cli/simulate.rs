//! `latido simulate`: the user's configuration played through faults in simulated time.
//!
//! Reads the files and prints; what is played and what it shows is in `crate::simulate`.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde::Serialize;

use crate::api::ApiRules;
use crate::cluster::Settings;
use crate::config::{Config, MediumSpec, OnlyName};
use crate::diagnostic::{Problem, SourceText};
use crate::haresources::ResourceGroup;
use crate::host::read_config;
use crate::ipfail::NAME;
use crate::paths::Paths;
use crate::simulate::{
    COMMANDS, ChapterRow, EXPECTATIONS, Ipfail, NonCoreSettings, Performance, Play, both, heading, standard_play,
    table, timeline_entries, verdict,
};
use crate::timeline::Columns;

use super::check::rendered_all;

/// Longest play we read, in bytes.
const LONGEST_PLAY: usize = 1 << 20;

const COLUMNS: Columns = Columns { at: 10, who: 10, what: 42 };

const EXAMPLES: &str = "Examples:
  latido simulate                       power-off, cut cables, hand-over, scripts that fail: with the files in /etc/ha.d
  latido simulate -d DIR --show-play    the same as a play, to change and to play with --play
  latido simulate --play FILE           your own

Nothing of it happens: no script is run and no packet is sent. Each script is taken to last 10 ms.
Exit code: 0 every group is where it should be in the end and all was as expected, 1 not, 2 a file cannot be read.";

/// Options of `latido simulate`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = EXAMPLES, after_long_help = language())]
pub(super) struct Args {
    /// Directory with ha.cf, haresources and perhaps latido.cf; authkeys are not needed
    #[arg(value_name = "DIR")]
    directory: Option<PathBuf>,
    /// The same
    #[arg(short = 'd', long = "dir", value_name = "DIR", env = "HA_DIR", default_value = "/etc/ha.d")]
    dir: PathBuf,
    /// Play this file instead of the standard story
    #[arg(long, value_name = "FILE")]
    play: Option<PathBuf>,
    /// Print what would be played, as a play, and do not play it
    #[arg(long)]
    show_play: bool,
    /// Scripts and cables take a little longer or shorter each time, as this number has it
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Show the messages between the nodes as well, but for heartbeats
    #[arg(long)]
    messages: bool,
    /// One JSON object a line, the table last
    #[arg(long)]
    json: bool,
}

/// What is read from the user's files.
struct FromFiles {
    settings: [Settings; 2],
    groups: Vec<ResourceGroup>,
    non_core: NonCoreSettings,
}

/// Runs it.
pub(super) fn run(args: &Args) -> ExitCode {
    match run_plays(args) {
        Ok(code) => code,
        Err(complaint) => {
            eprint!("{complaint}");
            ExitCode::from(2)
        }
    }
}

fn run_plays(args: &Args) -> Result<ExitCode, String> {
    let files = read_files(args.directory.as_deref().unwrap_or(&args.dir))?;
    let source = match &args.play {
        Some(path) => read_play(path)?,
        None => SourceText::new("story", standard_play(&files.settings, &files.groups, &files.non_core)),
    };
    if args.show_play {
        say(&source.text);
        return Ok(ExitCode::SUCCESS);
    }
    let play = Play::parse_with(&source, &files.settings, &files.groups, &files.non_core)
        .map_err(|problems| rendered_all(&problems, &[&source], colours(&io::stderr())))?;
    let performance = play.perform(&files.settings, &files.groups, args.seed);
    let wrong = wrong(&performance, &source.name);
    print(&performance, &wrong, args);
    Ok(if wrong.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Reads the files as `latido check --as` does, but for the keys.
fn read_files(dir: &Path) -> Result<FromFiles, String> {
    let paths = Paths::under(dir);
    let authkeys = paths.authkeys().display().to_string();
    let (mut sources, me) = read_config::read_elsewhere(&paths);
    sources.problems.retain(|problem| problem.file != authkeys);
    sources.authkeys = Some(SourceText::new(authkeys, "auth 1\n1 sha1 not-needed-in-a-simulation\n"));
    let config = Config::assemble(&sources, &OnlyName(me)).map_err(|problems| {
        let of_files = [&sources.ha_cf, &sources.latido_cf, &sources.haresources];
        let shown: Vec<Problem> = problems.into_iter().filter(Problem::is_error).collect();
        rendered_all(&shown, &of_files.into_iter().flatten().collect::<Vec<_>>(), colours(&io::stderr()))
    })?;
    let settings = both(&config.settings).ok_or_else(|| {
        let count = config.settings.nodes.len();
        format!("latido simulate: {} names {count} node(s), and a pair is simulated\n", paths.ha_cf().display())
    })?;
    Ok(FromFiles { settings, non_core: non_core_settings(&config), groups: config.groups })
}

/// Ping groups, and the ipfail that `respawn` starts and `apiauth` admits, or not.
fn non_core_settings(config: &Config) -> NonCoreSettings {
    let ipfail = config.ipfail().map(|line| {
        let is_admitted = ApiRules::let_in(&config.apiauth, NAME, &line.user);
        Ipfail { user: line.user.clone(), is_admitted }
    });
    let groups = config.media.iter().filter_map(|medium| {
        let MediumSpec::PingGroup { node, hosts } = medium else { return None };
        Some((node.to_string(), hosts.clone()))
    });
    NonCoreSettings { ipfail, ping_groups: groups.collect() }
}

fn read_play(path: &Path) -> Result<SourceText, String> {
    let name = path.display().to_string();
    let text = fs::read_to_string(path).map_err(|error| format!("latido simulate: cannot read {name}: {error}\n"))?;
    if text.len() > LONGEST_PLAY {
        return Err(format!("latido simulate: {name} is longer than 1 MiB: this is no play\n"));
    }
    Ok(SourceText::new(name, text))
}

/// What was expected in vain, and the groups that are not on exactly one node in the end.
fn wrong(performance: &Performance, name: &str) -> Vec<String> {
    let complaints = performance
        .complaints
        .iter()
        .map(|one| format!("{name}:{}: at {} s: {}: it is not so: {}", one.line, one.at, one.text, one.found));
    complaints.chain(performance.misplaced()).collect()
}

fn print(performance: &Performance, wrong: &[String], args: &Args) {
    let pair = &performance.pair;
    let entries = [heading(pair)].into_iter().chain(timeline_entries(pair, args.messages));
    let rows = verdict(pair);
    let mut text = String::new();
    if args.json {
        entries.for_each(|entry| text += &entry.json());
        text += &json_table(&rows, wrong);
    } else {
        let colour = colours(&io::stdout());
        entries.for_each(|entry| text += &entry.text(COLUMNS, colour));
        text += &table(pair, &rows);
        wrong.iter().for_each(|wrong| text += &format!("\nnot as it should be: {wrong}\n"));
    }
    say(&text);
}

/// Nobody is left to tell when standard output is gone; the exit status still counts.
fn say(text: &str) {
    let _ = io::stdout().lock().write_all(text.as_bytes());
}

fn colours(stream: &impl io::IsTerminal) -> bool {
    let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    stream.is_terminal() && !dumb && std::env::var_os("NO_COLOR").is_none()
}

#[derive(Serialize)]
struct JsonTable<'a> {
    passed: bool,
    wrong: &'a [String],
    table: Vec<JsonRow<'a>>,
}

#[derive(Serialize)]
struct JsonRow<'a> {
    at: f64,
    event: &'a str,
    groups: Vec<JsonGroup<'a>>,
    decided_by: &'a str,
    lesson: Option<&'a str>,
}

#[derive(Serialize)]
struct JsonGroup<'a> {
    group: &'a str,
    without_ms: u128,
    /// Nobody does anything about it: it is as long as that.
    until_noticed: bool,
    both_ms: u128,
}

fn json_table(rows: &[ChapterRow], wrong: &[String]) -> String {
    let group = |(name, seen): &'_ (String, crate::simulate::ServiceSeen)| (name.clone(), *seen);
    let groups: Vec<Vec<_>> = rows.iter().map(|row| row.groups.iter().map(group).collect()).collect();
    let rows = rows.iter().zip(&groups).map(|(row, groups)| JsonRow {
        at: row.from.elapsed().as_secs_f64(),
        event: &row.event,
        groups: groups
            .iter()
            .map(|(group, seen)| JsonGroup {
                group,
                without_ms: seen.without.as_millis(),
                until_noticed: seen.unnoticed,
                both_ms: seen.doubled.as_millis(),
            })
            .collect(),
        decided_by: &row.decided_by,
        lesson: row.lesson.as_deref(),
    });
    let table = JsonTable { passed: wrong.is_empty(), wrong, table: rows.collect() };
    serde_json::to_string(&table).unwrap_or_default() + "\n"
}

/// The long help: what a play may say.
fn language() -> String {
    let list = |entries: &[(&str, &str)]| -> String {
        entries.iter().map(|(usage, does)| format!("  {usage}\n      {does}\n").replace("      \n", "")).collect()
    };
    format!(
        "A play has one command a line; # begins a comment line; a TIME is 10, 1.5 or 500ms:\n{}\n\
         An EXPECTATION is one of:\n{}\n{PLAY}\n\n{EXAMPLES}",
        list(&COMMANDS),
        list(&EXPECTATIONS)
    )
}

/// An example of a play.
pub(super) const PLAY: &str = "A play:
  # What if it were shorter?
  set deadtime 5
  start alpha beta
  within 60 home
  settle 60
  chapter the disk of alpha fails, and asterisk does not stop
  hangs alpha asterisk stop
  standby alpha all
  within 300 silent alpha
  within 60 once
  expect never both";
