//! Citations: what a comment, a text or a document names of our documents is there (`house.md` 8).
//!
//! A citation is a document by its name or path and, where a part of it is meant, its sections (4.3 or 4 to 6), an item of a
//! section by number or letter (10.21, 12.2 b), or a heading in quotes. Parts of the document itself, and of documents of
//! others (an RFC), are named without one; in code a number without its document is refused.

#![allow(clippy::unwrap_used, reason = "a test: a file that cannot be read is its failure")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Component, Path, PathBuf};

/// What is read, below the repository.
const ROOTS: [&str; 13] = [
    "src",
    "tests",
    "benches",
    "fuzz",
    "scripts",
    "etc",
    "pkg",
    "docs",
    "README.md",
    "CHANGELOG.md",
    "Cargo.toml",
    "clippy.toml",
    "deny.toml",
];
/// Not written by us, or full of citations that are wrong on purpose.
const LEFT_OUT: [&str; 4] = ["fuzz/target", "fuzz/corpus", "fuzz/artifacts", "tests/citations.rs"];
/// What may stand before a number of a section.
const SECTION: [&str; 6] = ["section ", "Section ", "sections ", "Sections ", "§ ", "§"];
/// Where packages put the documents.
const INSTALLED: &str = "/usr/share/doc/latido/";

/// What a document has that can be cited.
#[derive(Default)]
struct Document {
    /// `4.3`, `10.21`, `12.2 b`.
    places: BTreeSet<String>,
    headings: BTreeSet<String>,
}

impl Document {
    fn read(text: &str) -> Document {
        let mut document = Document::default();
        let mut section = String::new();
        let mut fenced = false;
        for line in text.lines() {
            if line.starts_with("```") {
                fenced = !fenced;
            } else if fenced {
                continue;
            } else if line.starts_with('#') {
                let heading = line.trim_start_matches('#').trim();
                document.headings.insert(heading.to_owned());
                let number = heading.split(' ').next().unwrap_or("").trim_end_matches('.');
                section = if is_number(number) { number.to_owned() } else { String::new() };
                if !section.is_empty() {
                    document.places.insert(section.clone());
                }
            } else if !section.is_empty() {
                document.places.extend(item(line).map(|item| format!("{section}{item}")));
            }
        }
        document
    }
}

/// Numbers with dots between them.
fn is_number(word: &str) -> bool {
    !word.is_empty() && word.split('.').all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()))
}

/// How an item that begins in this line is cited behind its section: `.3` or ` b`.
fn item(line: &str) -> Option<String> {
    if let Some((number, _)) = line.split_once(". ").filter(|(number, _)| is_number(number)) {
        return Some(format!(".{number}"));
    }
    let rest = line.strip_prefix("- (").or_else(|| line.strip_prefix("**("))?;
    let (letter, _) = rest.split_once(')')?;
    (letter.len() == 1).then(|| format!(" {letter}"))
}

/// Every document of the repository, by its path.
#[derive(Default)]
struct Library(BTreeMap<PathBuf, Document>);

impl Library {
    fn of<'a>(texts: impl IntoIterator<Item = (&'a Path, &'a str)>) -> Library {
        let document = |(path, text): (&Path, &str)| (path.to_owned(), Document::read(text));
        Library(texts.into_iter().filter(|(path, _)| is_document(path)).map(document).collect())
    }

    /// The document that is meant by a name in this file; beside it, then where documents are, then anywhere.
    fn find(&self, name: &str, from: &Path) -> Option<&Document> {
        let name = name.strip_prefix(INSTALLED).unwrap_or(name);
        let beside = plain(&from.parent().unwrap_or(Path::new("")).join(name));
        let known = [beside, plain(Path::new(name)), Path::new("docs").join(name), Path::new("docs/spec").join(name)];
        let by_name = || self.0.iter().find(|(path, _)| path.ends_with(name)).map(|(_, document)| document);
        known.iter().find_map(|path| self.0.get(path)).or_else(by_name)
    }
}

fn is_document(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "md")
}

/// `a/./b/../c` as `a/c`.
fn plain(path: &Path) -> PathBuf {
    path.components().fold(PathBuf::new(), |mut plain, part| {
        match part {
            Component::ParentDir => drop(plain.pop()),
            Component::CurDir | Component::RootDir => {}
            Component::Prefix(_) | Component::Normal(_) => plain.push(part),
        }
        plain
    })
}

/// The lines of a file as one, so that a citation may go on in the next; marks of comments are left out.
struct Flat {
    text: String,
    /// Where each line begins in it.
    begins: Vec<usize>,
}

impl Flat {
    /// Of lines that are not taken only their place is kept.
    fn new(text: &str, taken: impl Fn(&str) -> bool) -> Flat {
        let mut flat = Flat { text: String::new(), begins: Vec::new() };
        for line in text.lines() {
            flat.begins.push(flat.text.len());
            let line = line.trim();
            if taken(line) {
                let words = ["//!", "///", "//", "#!", "#"].iter().find_map(|mark| line.strip_prefix(mark));
                flat.text.push_str(words.unwrap_or(line).trim().trim_end_matches('\\').trim_end());
                flat.text.push(' ');
            } else {
                flat.text.push('\n');
            }
        }
        flat
    }

    fn line(&self, at: usize) -> usize {
        self.begins.partition_point(|begin| *begin <= at)
    }
}

/// A document that is named, and the parts of it.
#[derive(Debug, PartialEq, Eq)]
struct Citation {
    at: usize,
    name: String,
    places: Vec<String>,
    heading: Option<String>,
}

fn citations(text: &str) -> Vec<Citation> {
    text.match_indices(".md").filter_map(|(at, _)| citation(text, at)).collect()
}

/// The citation whose name ends at this `.md`.
fn citation(text: &str, at: usize) -> Option<Citation> {
    let end = at + ".md".len();
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"_-./".contains(&byte);
    let bytes = text.as_bytes();
    if bytes.get(end).is_some_and(|next| next.is_ascii_alphanumeric() || b"_-/".contains(next)) {
        return None;
    }
    let begin = bytes[..at].iter().rposition(|byte| !is_part(*byte)).map_or(0, |before| before + 1);
    let name = &text[begin..end];
    // Another machine's document, or a name that is put together.
    let outside = name.starts_with("//") || name.starts_with('/') && !name.starts_with(INSTALLED);
    if begin == at || outside {
        return None;
    }
    let linked = text[..begin].ends_with("](");
    let mut rest = &text[end..];
    if linked {
        rest = rest.split_once(')').map_or("", |(_, rest)| rest);
    }
    let rest = rest.strip_prefix('`').unwrap_or(rest);
    let rest = rest.strip_prefix(' ').unwrap_or("");
    let rest = SECTION.iter().find_map(|word| rest.strip_prefix(word)).unwrap_or(rest);
    let heading = rest.strip_prefix('"').and_then(|rest| rest.split_once('"')).map(|(heading, _)| heading.to_owned());
    Some(Citation { at, name: name.to_owned(), places: places(rest).0, heading })
}

/// The places a text begins with, and how many bytes they take: `4.3, 4.4 and 12.2 b`.
fn places(text: &str) -> (Vec<String>, usize) {
    let mut found = Vec::new();
    let mut used = 0;
    while let Some(rest) = text.get(used..) {
        let gap = if found.is_empty() { Some("") } else { between(rest) };
        let Some(gap) = gap else { break };
        let Some(place) = place(&rest[gap.len()..]) else { break };
        used += gap.len() + place.len();
        found.push(place);
    }
    // No item is cited so: `12.2 (b)`.
    if let (Some(last), [b' ', b'(', b'a'..=b'z', b')', ..]) = (found.last_mut(), &text.as_bytes()[used..]) {
        last.push_str(&text[used..used + " (b)".len()]);
    }
    (found, used)
}

fn between(text: &str) -> Option<&'static str> {
    [", ", " and ", " to ", " or "].into_iter().find(|gap| text.starts_with(gap))
}

/// A number of one or two digits, others behind dots, and perhaps a letter; nothing else may hang on it.
fn place(text: &str) -> Option<String> {
    let mut end = 0;
    loop {
        let digits = text[end..].bytes().take_while(u8::is_ascii_digit).count();
        if digits == 0 || digits > 2 {
            return None;
        }
        end += digits;
        let goes_on = text[end..].starts_with('.') && text[end + 1..].starts_with(|c: char| c.is_ascii_digit());
        if !goes_on {
            break;
        }
        end += 1;
    }
    if text[end..].starts_with(|c: char| c.is_alphanumeric() || "'%-_/".contains(c)) {
        return None;
    }
    let mut letters = text[end..].chars();
    // Not `s`: those are seconds.
    if let (Some(' '), Some('a'..='r' | 't'..='z')) = (letters.next(), letters.next()) {
        let rest = letters.as_str();
        if rest.is_empty() || rest.starts_with([',', ';', ':', '.', ')', '"']) || between(rest).is_some() {
            end += 2;
        }
    }
    Some(text[..end].to_owned())
}

/// Numbers that name no document: where, and the places. Either in brackets that hold nothing else, or behind "section".
fn bare(text: &str) -> Vec<(usize, Vec<String>)> {
    let mut found = Vec::new();
    for (at, _) in text.match_indices('(') {
        let inside = &text[at + 1..];
        let inside = inside.strip_prefix("see ").unwrap_or(inside);
        let (places, used) = places(inside);
        let is_closed = inside[used..].starts_with(')') || inside[used..].starts_with(", step ");
        // A number alone may be anything; 3.0.6 is a version, 0.5 a figure.
        let is_section = |place: &String| place.contains(['.', ' ']) && place.split(['.', ' ']).all(|part| part != "0");
        if is_closed && !places.is_empty() && places.iter().all(is_section) {
            found.push((at, places));
        }
    }
    for word in SECTION {
        for (at, _) in text.match_indices(word) {
            let before = text[..at].trim_end().rsplit(' ').take(2).collect::<Vec<_>>();
            let of_others = before.iter().any(|word| *word == "RFC" || word.trim_matches('`').ends_with(".md"));
            let (places, _) = places(&text[at + word.len()..]);
            if !of_others && !places.is_empty() {
                found.push((at, places));
            }
        }
    }
    found
}

/// What is wrong in a file, each with its line.
fn faults(path: &Path, text: &str, library: &Library) -> Vec<String> {
    let mut faults = Vec::new();
    let flat = Flat::new(text, |_| true);
    for citation in citations(&flat.text) {
        let place = format!("{}:{}", path.display(), flat.line(citation.at));
        let name = &citation.name;
        let Some(document) = library.find(name, path) else {
            faults.push(format!("{place}: there is no {name}"));
            continue;
        };
        let missing = citation.places.iter().filter(|cited| !document.places.contains(*cited));
        faults.extend(missing.map(|cited| format!("{place}: {name} has no {cited}")));
        let missing = citation.heading.iter().filter(|cited| !document.headings.contains(*cited));
        faults.extend(missing.map(|cited| format!("{place}: {name} has no heading \"{cited}\"")));
    }
    faults.extend(faults_of_bare(path, text, library));
    faults
}

/// In a document a number without a name is one of its own; in code it is nobody's.
fn faults_of_bare(path: &Path, text: &str, library: &Library) -> Vec<String> {
    let own = library.0.get(path).filter(|own| !own.places.is_empty());
    let is_code = !is_document(path);
    let mark = if path.extension().is_some_and(|extension| extension == "rs") { "//" } else { "#" };
    let flat = Flat::new(text, |line| !is_code || line.starts_with(mark));
    let at = |at| format!("{}:{}", path.display(), flat.line(at));
    let mut faults = Vec::new();
    for (begin, places) in bare(&flat.text) {
        if is_code {
            faults.push(format!("{}: {} of which document?", at(begin), places.join(", ")));
        } else if let Some(own) = own {
            let missing = places.iter().filter(|place| !own.places.contains(*place));
            faults.extend(missing.map(|place| format!("{}: this document has no {place}", at(begin))));
        }
    }
    faults
}

/// Every text of ours, by its path in the repository.
fn texts() -> BTreeMap<PathBuf, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = BTreeMap::new();
    let mut open: Vec<PathBuf> = ROOTS.iter().map(PathBuf::from).collect();
    while let Some(path) = open.pop() {
        let whole = root.join(&path);
        if LEFT_OUT.iter().any(|left_out| path == Path::new(left_out)) {
            continue;
        } else if whole.is_dir() {
            open.extend(fs::read_dir(&whole).unwrap().map(|entry| path.join(entry.unwrap().file_name())));
        } else if let Ok(text) = fs::read_to_string(&whole) {
            found.insert(path, text);
        }
    }
    for entry in fs::read_dir(root).unwrap().map(Result::unwrap) {
        let path = PathBuf::from(entry.file_name());
        if is_document(&path) && !found.contains_key(&path) {
            found.insert(path, fs::read_to_string(entry.path()).unwrap());
        }
    }
    found
}

#[test]
fn every_citation_leads_to_a_document_and_a_section_that_are_there() {
    let texts = texts();
    let library = Library::of(texts.iter().map(|(path, text)| (path.as_path(), text.as_str())));
    let faults: Vec<String> = texts.iter().flat_map(|(path, text)| faults(path, text, &library)).collect();
    assert!(faults.is_empty(), "{} wrong citations:\n{}", faults.len(), faults.join("\n"));

    let all = |text: &String| citations(&Flat::new(text, |_| true).text);
    let with_places = texts.values().flat_map(all).filter(|citation| !citation.places.is_empty()).count();
    assert!(with_places > 350, "only {with_places} citations with a section were found");
}

/// A library of two small documents.
fn small() -> Library {
    let wire =
        "# The wire\n## 4. Numbers\n### 4.3 Asking again\n1. one\n2. two\n- (b) bee\n```\n## 9. no heading\n```\n";
    let files = "# Files\n## What lies where\n";
    Library::of([(Path::new("docs/spec/wire.md"), wire), (Path::new("docs/files.md"), files)])
}

fn faults_in(path: &str, text: &str) -> Vec<String> {
    faults(Path::new(path), text, &small())
}

#[test]
fn what_is_there_may_be_cited_in_every_form() {
    for text in [
        "//! Asks again (`wire.md` 4.3).",
        "/// (`wire.md` 4.3, 4.3 b and 4.3.2; RFC 1071 section 3)",
        "/// As it says, `wire.md`\n    /// 4.3.",
        "let text = \"see wire.md \\\n    4.3\";",
        "// `files.md` \"What lies where\", `docs/files.md`, (`wire.md` 4 to 4.3)",
        "include_str!(\"../../docs/files.md\")",
        "// https://example.org/other.md, /usr/share/other/other.md 7, {name}.md",
        "// since 2.1 (3.0.6), 4 % in 12.2 b, (2.5 s), f(4)",
    ] {
        assert_eq!(faults_in("src/link/udp.rs", text), [""; 0], "{text}");
    }
    assert_eq!(faults_in("docs/more.md", "[wire](spec/wire.md) 4.3, [`files.md`](files.md#what), 7 times"), [""; 0]);
    assert_eq!(faults_in("docs/spec/wire.md", "as above (4.3 b), see section 4 (see 4.3.1)"), [""; 0]);
}

#[test]
fn a_document_that_is_not_there_is_named_with_file_and_line() {
    assert_eq!(faults_in("src/a.rs", "fn a() {}\n// (`wires.md` 4.3)\n"), ["src/a.rs:2: there is no wires.md"]);
    assert_eq!(faults_in("etc/a", "# docs/wire.md.\n"), ["etc/a:1: there is no docs/wire.md"]);
    assert_eq!(faults_in("docs/a.md", "\n[text](../wire.md)\n"), ["docs/a.md:2: there is no ../wire.md"]);
}

#[test]
fn a_section_an_item_or_a_heading_that_is_not_there_is_named() {
    let none = |text: &str, missing: &str| {
        assert_eq!(faults_in("src/a.rs", text), [format!("src/a.rs:1: wire.md has no {missing}")], "{text}");
    };
    none("//! (`wire.md` 4.4)", "4.4");
    none("//! (`wire.md` 9)", "9");
    none("//! (`wire.md` 4.3, 5)", "5");
    none("//! (`wire.md` 4 to 6).", "6");
    none("//! (`wire.md` 4.3.3)", "4.3.3");
    none("//! (`wire.md` 4.3 c), and so on", "4.3 c");
    none("//! (`wire.md` 4.3 z).", "4.3 z");
    none("//! (`wire.md` 4.3 (b))", "4.3 (b)");
    none("//! `wire.md` section 8", "8");
    none("//! (`wire.md` \"Numbers\")", "heading \"Numbers\"");
    none("say(\"see wire.md 8.\")", "8");
    assert_eq!(faults_in("src/a.rs", "// of `wire.md`\n// 5\n"), ["src/a.rs:1: wire.md has no 5"]);
    assert_eq!(faults_in("docs/b.md", "[wire](spec/wire.md) 5"), ["docs/b.md:1: spec/wire.md has no 5"]);
    let own = "docs/spec/wire.md";
    assert_eq!(faults_in(own, "\nas said (4.4)"), [format!("{own}:2: this document has no 4.4")]);
    assert_eq!(faults_in(own, "see section 7"), [format!("{own}:1: this document has no 7")]);
}

#[test]
fn in_code_a_number_needs_its_document() {
    for (text, places) in [
        ("// Nothing is asked (12.2 b).", "12.2 b"),
        ("//! Death and return (6.2 to 6.5).", "6.2, 6.5"),
        ("/// It waits\n/// (3.1, step 3).", "3.1"),
        ("// As section 5.1 has it.", "5.1"),
        ("// §4", "4"),
    ] {
        let found = faults_in("src/a.rs", text);
        assert_eq!(found.len(), 1, "{text}: {found:?}");
        assert!(found[0].ends_with(&format!(": {places} of which document?")), "{text}: {found:?}");
    }
    assert_eq!(faults_in("src/a.rs", "f(1.5);\nlet a = (1.5, 2.5);"), [""; 0], "code is no citation");
}
