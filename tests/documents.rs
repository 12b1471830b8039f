//! What is written for those who work here is so: the table of test programs, and the lists of files in CONTRIBUTING.md.

#![allow(clippy::unwrap_used, reason = "a test: a file that cannot be read is its failure")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All files of Rust below a directory.
fn sources(below: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(below).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.is_dir() {
            found.extend(sources(&entry));
        } else if entry.extension().is_some_and(|extension| extension == "rs") {
            found.push(entry);
        }
    }
    found
}

/// The text between backquotes, all of them.
fn quoted(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

#[test]
fn each_test_program_has_its_row_and_each_row_its_program() {
    let text = fs::read_to_string(root().join("tests/README.md")).unwrap();
    let (table, _) = text.split_once("Helpers stand in").unwrap();
    let rows: Vec<&str> = table.lines().filter(|line| line.starts_with("| `")).map(|line| quoted(line)[0]).collect();
    let programs = fs::read_dir(root().join("tests")).unwrap().map(|entry| entry.unwrap().path());
    let rust = programs.filter(|path| path.extension().is_some_and(|extension| extension == "rs"));
    let mut programs: Vec<String> = rust.map(|path| path.file_stem().unwrap().to_string_lossy().into_owned()).collect();
    programs.sort();
    assert_eq!(rows, programs, "tests/README.md and tests/*.rs, in the order of names");
}

/// One errand of CONTRIBUTING.md: its example, and the lines of its list.
struct Errand<'a> {
    title: &'a str,
    example: Vec<&'a str>,
    files: BTreeSet<String>,
}

fn errands(text: &str) -> Vec<Errand<'_>> {
    let sections = text.split("\n### ").skip(1);
    let errand = |section| -> Option<Errand<'_>> {
        let lines = || str::lines(section);
        let example = lines().find_map(|line| line.strip_prefix("Example in `src/`: "))?;
        let numbered =
            lines().filter_map(|line| line.split_once(". ")).filter(|(number, _)| number.parse::<u8>().is_ok());
        let files = numbered.map(|(_, rest)| quoted(rest)[0].to_owned()).collect();
        Some(Errand { title: lines().next().unwrap_or_default(), example: quoted(example), files })
    };
    sections.filter_map(errand).collect()
}

/// Whether a word stands in the code of a file; comments and tests do not count.
fn names(code: &str, word: &str) -> bool {
    let code = code.split("\n#[cfg(test)]").next().unwrap_or_default();
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    code.lines().filter(|line| !line.trim_start().starts_with("//")).any(|line| {
        line.match_indices(word).any(|(at, _)| {
            let (before, behind) = (line[..at].chars().next_back(), line[at + word.len()..].chars().next());
            !before.is_some_and(is_part) && !behind.is_some_and(is_part)
        })
    })
}

#[test]
fn the_files_of_an_errand_are_those_where_its_example_stands() {
    let text = fs::read_to_string(root().join("CONTRIBUTING.md")).unwrap();
    let errands = errands(&text);
    assert_eq!(errands.len(), 4, "directive, agent, medium, name");
    for errand in errands {
        let tests = |path: &PathBuf| path.ends_with("tests.rs") || path.ends_with("fuzzing.rs");
        let found: BTreeSet<String> = sources(&root().join("src"))
            .into_iter()
            .filter(|path| !tests(path))
            .filter(|path| {
                let code = fs::read_to_string(path).unwrap();
                errand.example.iter().any(|word| names(&code, word))
            })
            .map(|path| path.strip_prefix(root()).unwrap().to_string_lossy().into_owned())
            .collect();
        assert_eq!(errand.files, found, "{}: the list, and where {:?} stands", errand.title, errand.example);
    }
}

/// A file that was renamed, or came later, leaves no drawing that is not so.
#[test]
fn each_file_of_a_room_stands_in_the_header_of_its_folder() {
    for head in sources(&root().join("src")).into_iter().filter(|path| path.ends_with("mod.rs")) {
        let text = fs::read_to_string(&head).unwrap();
        let header: String =
            text.lines().filter(|line| line.starts_with("//!")).map(|line| line[3..].to_owned() + "\n").collect();
        let folder = head.parent().unwrap();
        // There a file is named as its subcommand.
        if folder.ends_with("src/cli") {
            continue;
        }
        for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            let is_source = path.extension().is_some_and(|extension| extension == "rs");
            if is_source && !["mod", "tests", "fuzzing"].contains(&name.as_str()) {
                assert!(names(&header, &name), "{}: its header does not say what {name} is", head.display());
            }
        }
    }
}

#[test]
fn each_file_that_is_named_to_be_touched_is_there() {
    for document in ["CONTRIBUTING.md", "tests/README.md"] {
        let text = fs::read_to_string(root().join(document)).unwrap();
        let begins = |name: &&str| {
            ["src/", "tests/", "docs/", "pkg/", "etc/", "scripts/", "fuzz/"]
                .iter()
                .any(|folder| name.starts_with(folder))
        };
        let named: Vec<&str> = text.lines().flat_map(quoted).filter(begins).collect();
        let missing: Vec<&&str> =
            named.iter().filter(|name| !name.contains(' ') && !root().join(name).exists()).collect();
        assert!(missing.is_empty(), "{document} names {missing:?}");
    }
}

#[test]
fn a_word_is_found_in_code_and_not_in_comments_tests_or_other_words() {
    assert!(names("use a::mail;\nfn f() {}\n", "mail"));
    assert!(names("const NAME: &str = \"mail\";", "mail"));
    for code in
        ["// mail", "    /// `mail`", "fn mailer() {}", "fn e_mail() {}", "\n#[cfg(test)]\nmod tests { fn mail() {} }"]
    {
        assert!(!names(code, "mail"), "{code}");
    }
}
