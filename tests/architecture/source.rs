//! The sources as the rules see them: which modules there are, and every path a file names, with its line.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// A module of the crate: `cluster/takeover/peer.rs` is `["cluster", "takeover", "peer"]`.
pub(crate) type Module = Vec<String>;

/// One file without comments, literals and tests; every newline stays where it was.
pub(crate) struct Source {
    pub(crate) file: String,
    pub(crate) module: Module,
    pub(crate) code: String,
}

/// A path that stands in a file.
pub(crate) struct Named {
    pub(crate) line: usize,
    /// As written, braces spread.
    pub(crate) text: String,
    /// From the root of the crate; `None` when it is nobody of ours.
    pub(crate) ours: Option<Module>,
}

/// All that is known of the crate.
pub(crate) struct Crate {
    pub(crate) sources: Vec<Source>,
    modules: BTreeSet<Module>,
    /// What a module gives away under its own name: (module, name) to the path behind it.
    given: BTreeMap<(Module, String), Module>,
}

pub(crate) fn src() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

impl Crate {
    pub(crate) fn read() -> Crate {
        let (mut files, mut open) = (Vec::new(), vec![src()]);
        while let Some(path) = open.pop() {
            if path.is_dir() {
                open.extend(fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
            } else if path.extension().is_some_and(|kind| kind == "rs") {
                let inside = path.strip_prefix(src()).unwrap().to_string_lossy().into_owned();
                files.push((inside, fs::read_to_string(&path).unwrap()));
            }
        }
        files.sort();
        Crate::of(&files)
    }

    /// The crate with these files, named as in `src`.
    pub(crate) fn of(files: &[(String, String)]) -> Crate {
        let source = |(file, text): &(String, String)| Source {
            file: file.clone(),
            module: module(file),
            code: without_tests(&code(text)),
        };
        let of_tests = |file: &str| file.ends_with("/tests.rs") || file.contains("/tests/");
        let sources: Vec<Source> = files.iter().filter(|(file, _)| !of_tests(file)).map(source).collect();
        let modules = sources.iter().map(|source| source.module.clone()).collect();
        let mut all = Crate { sources, modules, given: BTreeMap::new() };
        let mut given = BTreeMap::new();
        for source in &all.sources {
            for (_, visible, tree) in uses(&source.code).filter(|(_, visible, _)| *visible) {
                debug_assert!(visible);
                for path in spread(&tree) {
                    if let Some(ours) = all.resolve(&path, &source.module, &BTreeMap::new()) {
                        let name = alias(&path).unwrap_or_else(|| ours.last().cloned().unwrap_or_default());
                        given.insert((source.module.clone(), name), ours);
                    }
                }
            }
        }
        all.given = given;
        all
    }

    /// Every path the file names: in `use`, and wherever one stands in the code.
    pub(crate) fn named(&self, source: &Source) -> Vec<Named> {
        let mut found = Vec::new();
        let mut aliases = BTreeMap::new();
        let mut body = source.code.clone();
        for (at, _, tree) in uses(&source.code) {
            let line = line_at(&source.code, at);
            let here = source.module_at(at);
            for path in spread(&tree) {
                let ours = self.resolve(&path, &here, &BTreeMap::new());
                if let Some(path_of) = ours.clone().filter(|path| self.modules.contains(path)) {
                    let name = alias(&path).or_else(|| path_of.last().cloned());
                    name.map(|name| aliases.insert(name, path_of));
                }
                found.push(Named { line, text: path, ours });
            }
            let end = at + source.code[at..].find(';').unwrap_or(source.code.len() - at);
            let blank: String = body[at..end].chars().map(|c| if c == '\n' { '\n' } else { ' ' }).collect();
            body.replace_range(at..end, &blank);
        }
        for (at, path) in paths(&body) {
            let ours = self.resolve(&path, &source.module_at(at), &aliases);
            found.push(Named { line: line_at(&body, at), text: path, ours });
        }
        found
    }

    /// From the root of the crate, when the path leads to something of ours.
    fn resolve(&self, path: &str, here: &Module, aliases: &BTreeMap<String, Module>) -> Option<Module> {
        let words = path.split(" as ").next().unwrap_or(path).split("::").map(str::trim).filter(|word| *word != "*");
        let mut words = words.filter(|word| !word.is_empty()).peekable();
        let mut base = match *words.peek()? {
            "crate" | "latido" => {
                words.next();
                Vec::new()
            }
            "self" => {
                words.next();
                here.clone()
            }
            "super" => here.clone(),
            first => match aliases.get(first) {
                Some(module) => {
                    words.next();
                    module.clone()
                }
                None => {
                    let mut child = here.clone();
                    child.push(first.to_owned());
                    self.modules.contains(&child).then(|| here.clone())?
                }
            },
        };
        while words.next_if_eq(&"super").is_some() {
            base.pop();
        }
        base.extend(words.filter(|word| *word != "self").map(str::to_owned));
        Some(base)
    }

    /// The file behind a path of ours, through what modules give away under their own names.
    pub(crate) fn home(&self, path: &[String]) -> Module {
        let mut path = path.to_vec();
        for _ in 0..8 {
            let known = (0..=path.len()).rev().find(|length| self.modules.contains(&path[..*length]));
            let (module, rest) = path.split_at(known.unwrap_or(0));
            let Some(name) = rest.first() else { return module.to_vec() };
            let Some(behind) = self.given.get(&(module.to_vec(), name.clone())) else { return module.to_vec() };
            path = behind.iter().chain(&rest[1..]).cloned().collect();
        }
        path
    }
}

impl Source {
    /// The module at a place in the file, which may be one within it.
    fn module_at(&self, place: usize) -> Module {
        let mut module = self.module.clone();
        for (at, _) in self.code[..place].match_indices("mod ") {
            let Some((name, body)) = self.code[at + 4..].split_once('{') else { continue };
            let name = name.trim();
            if !name.chars().all(|c| c.is_alphanumeric() || c == '_') {
                continue;
            }
            let begin = self.code.len() - body.len();
            if begin <= place && depth(&self.code[begin..place]) >= 0 {
                module.push(name.to_owned());
            }
        }
        module
    }
}

/// How many braces are open at the end; below 0 when more were closed at some moment.
fn depth(code: &str) -> i32 {
    let mut depth = 0;
    for c in code.chars() {
        depth += i32::from(c == '{') - i32::from(c == '}');
        if depth < 0 {
            break;
        }
    }
    depth
}

fn module(file: &str) -> Module {
    let mut words: Module = file.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
    words.pop_if(|word| word == "mod" || word == "lib" || word == "main");
    words
}

fn alias(path: &str) -> Option<String> {
    path.split_once(" as ").map(|(_, name)| name.trim().to_owned())
}

fn line_at(code: &str, at: usize) -> usize {
    code[..at].matches('\n').count() + 1
}

/// Every `use`: where its tree begins, whether others see it, and the tree.
fn uses(code: &str) -> impl Iterator<Item = (usize, bool, String)> + '_ {
    code.match_indices("use ").filter_map(|(at, _)| {
        let before = code[..at].trim_end();
        let starts = before.is_empty() || before.ends_with([';', '}', '{', ')', ']']) || before.ends_with("pub");
        let own_word = at == 0 || !code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
        let tree = code[at + 4..].split(';').next().unwrap_or_default().replace('\n', " ");
        (starts && own_word).then(|| (at, before.ends_with("pub") || before.ends_with(')'), tree))
    })
}

/// `a::{b, c::d as e}` as `a::b` and `a::c::d as e`.
fn spread(tree: &str) -> Vec<String> {
    let Some((head, tail)) = tree.trim().split_once('{') else { return vec![tree.trim().to_owned()] };
    let tail = tail.trim_end().strip_suffix('}').unwrap_or(tail);
    let (mut parts, mut depth) = (vec![String::new()], 0);
    for c in tail.chars() {
        depth += i32::from(c == '{') - i32::from(c == '}');
        if c == ',' && depth == 0 { parts.push(String::new()) } else { parts.last_mut().unwrap().push(c) }
    }
    let parts = parts.iter().filter(|part| !part.trim().is_empty());
    parts.flat_map(|part| spread(part)).map(|leaf| format!("{}{leaf}", head.trim())).collect()
}

/// Every path of more than one word in the code.
fn paths(code: &str) -> Vec<(usize, String)> {
    let (mut found, mut start) = (Vec::new(), None);
    for (at, c) in code.char_indices().chain([(code.len(), ' ')]) {
        match (c.is_alphanumeric() || c == '_' || c == ':', start) {
            (true, None) => start = Some(at),
            (false, Some(from)) => {
                let word = code[from..at].trim_matches(':');
                found.extend(word.contains("::").then(|| (from, word.to_owned())));
                start = None;
            }
            (true, Some(_)) | (false, None) => {}
        }
    }
    found
}

/// The text with comments and literals blanked.
fn code(text: &str) -> String {
    let (bytes, mut out, mut at) = (text.as_bytes(), Vec::with_capacity(text.len()), 0);
    while at < bytes.len() {
        let rest = &bytes[at..];
        let in_word = at > 0 && (bytes[at - 1].is_ascii_alphanumeric() || bytes[at - 1] == b'_');
        let skip = if rest.starts_with(b"//") {
            rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len())
        } else if rest.starts_with(b"/*") {
            rest.windows(2).position(|two| two == b"*/").map_or(rest.len(), |end| end + 2)
        } else if rest[0] == b'r' && !in_word {
            raw_string(rest)
        } else if rest[0] == b'"' {
            let mut end = 1;
            while end < rest.len() && rest[end] != b'"' {
                end += if rest[end] == b'\\' { 2 } else { 1 };
            }
            end + 1
        } else if rest[0] == b'\'' {
            character(rest)
        } else {
            0
        };
        let skip = skip.min(rest.len());
        if skip == 0 {
            out.push(bytes[at]);
            at += 1;
        } else {
            out.extend(rest[..skip].iter().map(|byte| if *byte == b'\n' { b'\n' } else { b' ' }));
            at += skip;
        }
    }
    String::from_utf8(out).unwrap()
}

/// The length of `r"…"`, `r#"…"#`, or 0.
fn raw_string(rest: &[u8]) -> usize {
    let hashes = rest[1..].iter().take_while(|byte| **byte == b'#').count();
    if rest.get(1 + hashes) != Some(&b'"') {
        return 0;
    }
    let end: Vec<u8> = [b"\"".as_slice(), &vec![b'#'; hashes]].concat();
    let body = &rest[2 + hashes..];
    body.windows(end.len()).position(|part| part == end).map_or(rest.len(), |at| 2 + hashes + at + end.len())
}

/// The length of a character literal, or 0 for a lifetime.
fn character(rest: &[u8]) -> usize {
    if rest.get(1) == Some(&b'\\') {
        return rest.iter().skip(3).position(|byte| *byte == b'\'').map_or(0, |at| at + 4);
    }
    let end = rest.iter().skip(1).take(6).position(|byte| *byte == b'\'').map_or(0, |at| at + 2);
    // 'a, 'b: two lifetimes, no literal of several letters.
    let one_letter = std::str::from_utf8(&rest[1..end.max(2) - 1]).is_ok_and(|letter| letter.chars().count() == 1);
    if end > 2 && one_letter { end } else { 0 }
}

fn without_tests(code: &str) -> String {
    let Some(start) = code.find("#[cfg(test)]") else { return code.to_owned() };
    let (before, rest) = code.split_at(start);
    let (mut depth, mut end) = (0, rest.len());
    for (at, c) in rest.char_indices() {
        depth += i32::from(c == '{') - i32::from(c == '}');
        if depth == 0 && (c == '}' || c == ';') {
            end = at + 1;
            break;
        }
    }
    let lines = "\n".repeat(rest[..end].matches('\n').count());
    format!("{before}{lines}{}", without_tests(&rest[end..]))
}
