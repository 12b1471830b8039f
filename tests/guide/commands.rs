//! Every `latido …` of README, the guide and the manual pages is a command line that the program takes.

use std::fs;
use std::process::Command;

use latido::cli::fuzzing::takes;
use tempfile::TempDir;

use super::markdown::{Page, pages};

/// What a reader is to replace by something of his own, where the program asks for a number or one of some words.
const PLACEHOLDERS: [(&str, &str); 5] =
    [("SECONDS", "1"), ("N", "1"), ("TIME", "03:12"), ("NUMBER", "1"), ("COMMAND", "check")];

/// The command lines of shell commands: comments, prompts, the text of here documents and other programs left out.
pub(crate) fn lines(script: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let mut end: Option<&str> = None;
    let joined = script.replace("\\\n", " ");
    for line in joined.lines() {
        if end.is_some() {
            end = end.filter(|end| line.trim() != *end);
            continue;
        }
        end = line.split_once("<<'").and_then(|(_, rest)| rest.split('\'').next());
        let code = line.trim().trim_start_matches("$ ").split(" #").next().unwrap_or("");
        for command in code.split("&&").flat_map(|part| part.split("||")).flat_map(|part| part.split([';', '|'])) {
            if let Some(words) = words_of(command.trim()) {
                lines.push(words);
            }
        }
    }
    lines
}

/// What is said to the program, if this line calls it.
fn words_of(command: &str) -> Option<String> {
    let (program, words) = command.split_once(' ').unwrap_or((command, ""));
    // What goes into a file is the shell's affair; `latido (8)` is a reference.
    let words = words.split(" >").next().unwrap_or("").trim();
    let called = program == "latido" || program.ends_with("/latido");
    (called && !words.is_empty() && !words.starts_with('(')).then(|| words.to_owned())
}

/// Each way to read `a|b|c` and placeholders, split into words.
fn readings(line: &str) -> Vec<Vec<String>> {
    let mut readings = vec![Vec::new()];
    let words = line.split_whitespace().map(|word| word.trim_matches(['\'', '"']));
    for word in words.filter(|word| !["…", "..."].contains(word)) {
        let value = |word: &str| {
            let known = PLACEHOLDERS.iter().find(|(name, _)| *name == word);
            known.map_or(word, |(_, value)| value).to_owned()
        };
        let one_of: Vec<String> = word.split('|').map(value).collect();
        readings = readings
            .iter()
            .flat_map(|reading| one_of.iter().map(|word| [reading.clone(), vec![word.clone()]].concat()))
            .collect();
    }
    readings
}

/// What the program does not take, with the place where it stands.
fn refused(place: &str, line: &str) -> Vec<String> {
    let answers = readings(line).into_iter().filter_map(|words| takes(&words).err());
    answers.map(|why| format!("{place}: latido {line}\n{}", why.lines().next().unwrap_or(""))).collect()
}

/// A command that is only named, without its words.
fn named(line: String) -> String {
    if line.contains(' ') { line } else { line + " --help" }
}

/// In a block: shell commands; in running text: what begins with the name of the program.
fn of_page(page: &Page) -> Vec<String> {
    let blocks = page.blocks().filter(|block| ["sh", ""].contains(&block.kind()));
    let in_blocks = blocks.flat_map(|block| lines(&block.text));
    let spans = page.spans().into_iter().filter_map(|span| words_of(&span)).map(named);
    in_blocks.chain(spans).collect()
}

#[test]
fn every_command_of_readme_and_guide_is_taken_by_the_program() {
    let mut wrong = Vec::new();
    let mut seen = 0;
    for page in pages() {
        for line in of_page(&page) {
            seen += 1;
            wrong.extend(refused(&page.path.display().to_string(), &line));
        }
    }
    assert!(seen > 200, "only {seen} commands were found");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Of a page in roff: examples, and what is in bold.
fn of_manual(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut example = false;
    let text = text.replace("\\e\n", " ").replace("\\-", "-").replace("\\&", "").replace("\\fR", " ");
    // An argument in italics has its own line.
    let text = text.replace("\n.IR ", " ").replace("\n.I ", " ");
    for line in text.lines() {
        match line.split(' ').next().unwrap_or("") {
            ".nf" => example = true,
            ".fi" => example = false,
            ".B" | ".BR" | ".BI" => {
                let rest = line.split_once(' ').map_or("", |(_, rest)| rest);
                // In quotes a command, behind it a full stop; without quotes the line is the command.
                let quoted: Vec<&str> = rest.split('"').skip(1).step_by(2).collect();
                let commands =
                    if quoted.is_empty() { vec![rest.trim_end_matches([' ', ')', ',', '.'])] } else { quoted };
                found.extend(commands.into_iter().filter_map(words_of).map(named));
            }
            // What an example does stands behind it, two blanks away; a synopsis has brackets.
            _ if example && !line.contains(['[', '<']) => {
                found.extend(words_of(line.split(" #").next().unwrap_or("").split("  ").next().unwrap_or("")));
            }
            _ => {}
        }
    }
    found
}

#[test]
fn every_command_of_the_manual_pages_is_taken_by_the_program() {
    let dir = TempDir::new().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_latido")).arg("man").arg(dir.path()).output().unwrap();
    assert!(output.status.success());
    let (mut seen, mut wrong) = (0, Vec::new());
    for name in String::from_utf8_lossy(&output.stdout).lines() {
        let section = name.rsplit('.').next().unwrap();
        let text = fs::read_to_string(dir.path().join(format!("man{section}")).join(name)).unwrap();
        for line in of_manual(&text) {
            seen += 1;
            wrong.extend(refused(name, &line));
        }
    }
    assert!(seen > 40, "only {seen} commands were found");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_command_that_does_not_exist_would_be_noticed() {
    assert_eq!(
        lines("$ latido chek /etc/ha.d   # what?\nls; target/release/latido lab | cat"),
        ["chek /etc/ha.d", "lab"]
    );
    assert!(!refused("", "chek /etc/ha.d").is_empty());
    assert!(!refused("", "standby all|sideways").is_empty());
    assert!(refused("", "completions bash|zsh|fish").is_empty());
    assert!(lines("cat > x <<'END'\nlatido nonsense\nEND\nlatido check").len() == 1);
}
