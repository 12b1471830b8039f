//! `latido check`: every problem of the configuration with file, line, caret and remedy.

use std::borrow::Cow;
use std::io::{IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
use serde::Serialize;

use crate::auth::authkeys;
use crate::config::Sources;
use crate::diagnostic::{Problem, Severity, SourceText};
use crate::host::read_config::{self, ReadOptions};
use crate::names::NodeName;
use crate::paths::Paths;
use crate::printable;

/// Options of `latido check`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Example: latido check /etc/ha.d --as node2\n\n\
    Exit status: 0 nothing to say, 1 only warnings, 2 errors: the daemon would not start, or would \
    leave a group or a program alone.")]
pub(super) struct Args {
    /// Directory with ha.cf, haresources, authkeys and perhaps latido.cf
    #[arg(value_name = "DIR", default_value = "/etc/ha.d")]
    dir: PathBuf,
    /// Check as if on NODE, and leave out what only that host could know: interfaces, devices, users, scripts
    #[arg(long = "as", value_name = "NODE", value_parser = node_name)]
    as_node: Option<NodeName>,
    /// How to print
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// For people
    Text,
    /// A JSON array of problems
    Json,
}

fn node_name(word: &str) -> Result<NodeName, String> {
    NodeName::new(word).ok_or_else(|| "a node name has 1 to 99 letters and no blanks".to_owned())
}

/// Runs it.
pub(super) fn run(args: &Args) -> ExitCode {
    let options = ReadOptions { as_node: args.as_node.clone(), ..ReadOptions::default() };
    let (mut sources, result) = read_config::load_with(&Paths::under(&args.dir), &options);
    // Lines of authkeys are shown without their secrets; every byte keeps its place.
    sources.authkeys = sources.authkeys.as_ref().map(authkeys::redact);
    let (problems, has_a_path) = match result {
        Ok(config) => (config.warnings.clone(), config.has_a_path()),
        Err(problems) => (problems, true),
    };
    let text = match args.format {
        Format::Text => {
            let colour = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
            text(&problems, &sources, colour, &args.dir.display().to_string(), has_a_path)
        }
        Format::Json => json(&problems, &sources),
    };
    // Nobody is left to tell when standard output is gone; the exit status still counts.
    let _ = std::io::stdout().lock().write_all(text.as_bytes());
    match problems.iter().map(|problem| problem.severity).max() {
        None => ExitCode::SUCCESS,
        Some(Severity::Warning) => ExitCode::from(1),
        Some(Severity::Error) => ExitCode::from(2),
    }
}

/// Problems of these files, as `latido check` prints them.
pub(super) fn rendered_all(problems: &[Problem], sources: &[&SourceText], colour: bool) -> String {
    let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
    let source = |problem: &Problem| sources.iter().find(|source| source.name == problem.file).copied();
    problems.iter().map(|problem| rendered(problem, source(problem), &renderer) + "\n\n").collect()
}

fn source_of<'a>(problem: &Problem, sources: &'a Sources) -> Option<&'a SourceText> {
    [&sources.ha_cf, &sources.latido_cf, &sources.authkeys, &sources.haresources]
        .into_iter()
        .flatten()
        .find(|source| source.name == problem.file)
}

fn text(problems: &[Problem], sources: &Sources, colour: bool, dir: &str, has_a_path: bool) -> String {
    let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
    let mut text: String =
        problems.iter().map(|problem| rendered(problem, source_of(problem, sources), &renderer) + "\n\n").collect();
    let errors = problems.iter().filter(|problem| problem.is_error()).count();
    let starts = match () {
        () if problems.iter().any(Problem::is_fatal) => "",
        () if !has_a_path => ": heartbeat starts when one of the media is there",
        () => ": heartbeat starts without what they are about",
    };
    let dir = printable::line(dir);
    text += &match (errors, problems.len() - errors) {
        (0, 0) => format!("{dir}: no problems found\n"),
        (0, warnings) => format!("{dir}: {}, no errors: heartbeat can start\n", counted(warnings, "warning")),
        (errors, 0) => format!("{dir}: {}{starts}\n", counted(errors, "error")),
        (errors, warnings) => {
            format!("{dir}: {}, {}{starts}\n", counted(errors, "error"), counted(warnings, "warning"))
        }
    };
    text
}

fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// One problem as rustc would print it.
fn rendered(problem: &Problem, source: Option<&SourceText>, renderer: &Renderer) -> String {
    // It shows words of a file, and names of files: a terminal must not carry them out.
    let fit = |text: &str| printable::line(text).into_owned();
    let source = source.map(|source| SourceText::new(fit(&source.name), printable::in_place(&source.text)));
    let problem = &Problem {
        file: fit(&problem.file),
        what: fit(&problem.what),
        remedy: problem.remedy.as_deref().map(fit),
        original: problem.original.as_deref().map(fit),
        ..problem.clone()
    };
    let level = match problem.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let title = level.primary_title(problem.what.as_str());
    let place = problem.place.as_ref().zip(source.as_ref());
    let mut group = match place.filter(|(place, source)| source.text.get(place.span.clone()).is_some()) {
        Some((place, source)) => {
            let annotation = AnnotationKind::Primary.span(place.span.clone());
            title.element(Snippet::source(&source.text).path(&problem.file).annotation(annotation))
        }
        None => title.element(annotate_snippets::Origin::path(&problem.file)),
    };
    if let Some(remedy) = &problem.remedy {
        group = group.element(Level::HELP.message(remedy.as_str()));
    }
    if let Some(original) = &problem.original {
        group = group.element(Level::NOTE.message(format!("heartbeat says: {original}")));
    }
    renderer.render(&[group])
}

/// One problem for programs.
#[derive(Serialize)]
struct JsonProblem<'a> {
    file: Cow<'a, str>,
    line: Option<usize>,
    column: Option<usize>,
    severity: &'static str,
    message: Cow<'a, str>,
    remedy: Option<Cow<'a, str>>,
    original: Option<Cow<'a, str>>,
}

fn json(problems: &[Problem], sources: &Sources) -> String {
    let entries: Vec<_> = problems
        .iter()
        .map(|problem| JsonProblem {
            file: printable::line(&problem.file),
            line: problem.place.as_ref().map(|place| place.line),
            column: column(problem, source_of(problem, sources)),
            severity: match problem.severity {
                Severity::Warning => "warning",
                Severity::Error => "error",
            },
            // JSON leaves some letters as they are that do something to a terminal.
            message: printable::line(&problem.what),
            remedy: problem.remedy.as_deref().map(printable::line),
            original: problem.original.as_deref().map(printable::line),
        })
        .collect();
    serde_json::to_string_pretty(&entries).unwrap_or_else(|_| "[]".to_owned()) + "\n"
}

/// The column in characters, from 1.
fn column(problem: &Problem, source: Option<&SourceText>) -> Option<usize> {
    let before = source?.text.get(..problem.place.as_ref()?.span.start)?;
    let line = before.rsplit('\n').next().unwrap_or(before);
    Some(line.chars().count() + 1)
}
