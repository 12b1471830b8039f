//! `latido man DIR`: the manual pages, those of the commands from the definitions that read their options, those of the
//! files as written in `docs/man`.
//!
//! The pages are ASCII, so that every `man` on every terminal shows them.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Arg, Command, CommandFactory as _};

use crate::simulate::{COMMANDS, EXPECTATIONS};

use super::{Latido, print, simulate};

/// What the pages of the files say.
const FILES: [(&str, &str); 4] = [
    ("ha.cf.5", include_str!("../../docs/man/ha.cf.5")),
    ("latido.cf.5", include_str!("../../docs/man/latido.cf.5")),
    ("haresources.5", include_str!("../../docs/man/haresources.5")),
    ("authkeys.5", include_str!("../../docs/man/authkeys.5")),
];
/// What `latido(8)` says beyond its options and commands.
const DAEMON: &str = include_str!("../../docs/man/latido.8.in");

/// Of these pages, whatever the day they are written on: the same program writes the same bytes.
const DATE: &str = "2026-11-21";

/// Options of `latido man`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Example: latido man /usr/local/share/man")]
pub(super) struct Args {
    /// Directory that gets the pages, in man1, man5 and man8
    #[arg(value_name = "DIR")]
    dir: PathBuf,
}

/// Writes all pages.
pub(super) fn run(args: &Args) -> ExitCode {
    for (name, text) in pages() {
        if let Err(error) = write(&args.dir, &name, &text) {
            complain!("latido man: cannot write {name} below {}: {error}", args.dir.display());
            return ExitCode::FAILURE;
        }
        print(&name);
    }
    ExitCode::SUCCESS
}

fn write(dir: &Path, name: &str, text: &str) -> std::io::Result<()> {
    let section = name.rsplit('.').next().unwrap_or("1");
    let dir = dir.join(format!("man{section}"));
    fs::create_dir_all(&dir)?;
    fs::write(dir.join(name), text)
}

/// Every page with its file name.
fn pages() -> Vec<(String, String)> {
    let mut root = Latido::command();
    root.build();
    let mut pages = vec![("latido.8".to_owned(), daemon_page(&root))];
    for command in root.get_subcommands().filter(|command| !command.is_hide_set() && command.get_name() != "help") {
        pages.push((format!("latido-{}.1", command.get_name()), command_page(command)));
    }
    pages.extend(FILES.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())));
    pages
}

fn daemon_page(root: &Command) -> String {
    head(root, "latido", 8) + &commands(root, "latido\\-", " (1)") + DAEMON
}

fn command_page(command: &Command) -> String {
    let title = format!("latido-{}", command.get_name());
    let mut text = head(command, &title, 1) + &options(command) + &commands(command, "", "");
    if command.get_name() == "simulate" {
        text += &plays();
    }
    text += &after_help(&command.get_after_help().map_or(String::new(), ToString::to_string));
    text + ".SH SEE ALSO\n.BR latido (8),\n.BR ha.cf (5),\n.BR haresources (5)\n"
}

/// The language of plays, for `latido-simulate(1)`.
fn plays() -> String {
    let entry = |(usage, does): &(&str, &str)| format!(".TP\n.B {}\n{}\n", line(usage), line(does));
    let list = |entries: &[(&str, &str)]| entries.iter().map(entry).collect::<String>();
    let example: String = simulate::PLAY.lines().skip(1).map(|words| line(words.trim()) + "\n").collect();
    format!(
        ".SH PLAYS\nA play has one command a line; a line that begins with # is a comment. TIME is in seconds, or 500ms.\n\
         {}.SS Expectations\n{}.SS A play\n.nf\n{example}.fi\n",
        list(&COMMANDS),
        list(&EXPECTATIONS)
    )
}

/// Title, name, synopsis and description.
fn head(command: &Command, title: &str, section: u8) -> String {
    let version = env!("CARGO_PKG_VERSION");
    let about = command.get_about().map_or(String::new(), ToString::to_string);
    let long = command.get_long_about().map_or_else(|| format!("{about}."), ToString::to_string);
    let usage = command.clone().render_usage().to_string();
    let usage = usage.strip_prefix("Usage: ").unwrap_or(&usage);
    let mut text = format!(".TH {title} {section} {DATE} \"latido {version}\" Latido\n");
    let _ = write!(text, ".SH NAME\n{} \\- {}\n.SH SYNOPSIS\n.nf\n", line(title), line(&about));
    usage.lines().for_each(|words| text += &(line(words.trim()) + "\n"));
    text + ".fi\n.SH DESCRIPTION\n" + &filled(&long)
}

fn options(command: &Command) -> String {
    let visible: Vec<&Arg> = command.get_arguments().filter(|arg| !arg.is_hide_set()).collect();
    let (words, flags): (Vec<&Arg>, Vec<&Arg>) = visible.into_iter().partition(|arg| arg.is_positional());
    let section = |title: &str, args: &[&Arg]| match args {
        [] => String::new(),
        args => format!(".SH {title}\n") + &args.iter().map(|arg| option(arg)).collect::<String>(),
    };
    section("ARGUMENTS", &words) + &section("OPTIONS", &flags)
}

/// One option: how it is spelled, what it is for, its default, the words it takes.
fn option(arg: &Arg) -> String {
    let names = [arg.get_short().map(|c| format!("-{c}")), arg.get_long().map(|long| format!("--{long}"))];
    let names: Vec<String> = names.into_iter().flatten().map(|name| format!("\\fB{}\\fR", line(&name))).collect();
    let takes = arg.is_positional() || arg.get_action().takes_values();
    let values = arg.get_value_names().unwrap_or_default().iter().filter(|_| takes);
    let values: Vec<String> = values.map(|value| format!("\\fI{}\\fR", line(value))).collect();
    let spelled = [names.join(", "), values.join(" ")].join(if names.is_empty() { "" } else { " " });
    let mut text = format!(".TP\n{}\n", spelled.trim_end());
    let help = arg.get_long_help().or(arg.get_help()).map_or(String::new(), ToString::to_string);
    text += &filled(&format!("{}.", help.trim_end_matches('.')));
    if let Some(default) = arg.get_default_values().first().filter(|_| takes) {
        let _ = writeln!(text, "Default {}.", line(&default.to_string_lossy()));
    }
    if let Some(variable) = arg.get_env() {
        let _ = writeln!(text, "From the environment: {}.", line(&variable.to_string_lossy()));
    }
    if takes && !arg.is_hide_possible_values_set() {
        text += &possible_values(arg);
    }
    text
}

fn possible_values(arg: &Arg) -> String {
    let values: Vec<_> = arg.get_possible_values().into_iter().filter(|value| !value.is_hide_set()).collect();
    if values.is_empty() {
        return String::new();
    }
    let mut text = ".RS\n".to_owned();
    for value in values {
        let help = value.get_help().map_or(String::new(), ToString::to_string);
        let _ = write!(text, ".TP\n.B {}\n{}", line(value.get_name()), filled(&help));
    }
    text + ".RE\n"
}

fn commands(command: &Command, prefix: &str, suffix: &str) -> String {
    let mut text = String::new();
    for command in command.get_subcommands().filter(|command| !command.is_hide_set() && command.get_name() != "help") {
        let about = command.get_about().map_or(String::new(), ToString::to_string);
        let _ = write!(text, ".TP\n.BR {prefix}{}{suffix}\n{}.\n", line(command.get_name()), line(&about));
    }
    if text.is_empty() { text } else { format!(".SH COMMANDS\n{text}") }
}

/// Text whose lines may be broken anew; an empty one begins a paragraph.
fn filled(text: &str) -> String {
    let lines = text.lines().map(|words| if words.trim().is_empty() { ".PP".to_owned() } else { line(words.trim()) });
    lines.map(|words| words + "\n").collect()
}

/// The words below a command's options, as sections: examples keep their lines, the rest is filled.
fn after_help(words: &str) -> String {
    let mut text = String::new();
    let mut section = "";
    for words in words.lines() {
        let (wanted, rest) = match words.split_once(':') {
            Some(("Example" | "Examples", rest)) => ("EXAMPLES", rest.trim()),
            Some(("Exit code" | "Exit status", rest)) => ("EXIT STATUS", rest.trim()),
            _ if section == "EXAMPLES" && !words.starts_with(' ') && !words.is_empty() => ("NOTES", words),
            _ if section.is_empty() => ("NOTES", words),
            _ => (section, words),
        };
        if wanted != section {
            text += if section == "EXAMPLES" { ".fi\n" } else { "" };
            let _ = writeln!(text, ".SH {wanted}");
            text += if wanted == "EXAMPLES" { ".nf\n" } else { "" };
            section = wanted;
        }
        match rest.trim_end() {
            "" => {}
            rest => text += &(line(rest.strip_prefix("  ").unwrap_or(rest)) + "\n"),
        }
    }
    text + if section == "EXAMPLES" { ".fi\n" } else { "" }
}

/// A line of plain text for roff: nothing in it is a request, a hyphen stays one that can be copied.
fn line(text: &str) -> String {
    let escaped = text.replace('\\', "\\e").replace('-', "\\-");
    let guarded = if escaped.starts_with(['.', '\'']) { format!("\\&{escaped}") } else { escaped };
    ascii(&guarded)
}

fn ascii(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_ascii() {
            out.push(c);
        } else {
            let _ = write!(out, "\\[u{:04X}]", u32::from(c));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn examples_keep_their_lines_and_exit_codes_have_a_section() {
        let text = after_help("Examples:\n  latido x --y\n  .z\nNeeds root.\nExit code: 0 well, 1 not.");
        assert_eq!(
            text,
            ".SH EXAMPLES\n.nf\nlatido x \\-\\-y\n\\&.z\n.fi\n.SH NOTES\nNeeds root.\n.SH EXIT STATUS\n0 well, 1 not.\n"
        );
    }

    #[test]
    fn every_page_is_ascii() {
        for (name, text) in pages() {
            assert!(text.is_ascii(), "{name}");
        }
    }
}
