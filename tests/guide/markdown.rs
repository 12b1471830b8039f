//! As much of Markdown as the guide uses: headings, fenced blocks, tables, lists, links and words in backticks.

use std::fs;
use std::path::{Path, PathBuf};

/// Where the chapters are.
pub(crate) const CHAPTERS: &str = "docs/guide/src";

/// A file.
pub(crate) struct Page {
    /// Below the repository.
    pub(crate) path: PathBuf,
    pub(crate) parts: Vec<Part>,
}

/// What a page consists of, in order. Running text is joined, a paragraph or an item each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Heading {
        level: usize,
        text: String,
    },
    Block(Block),
    /// The cells of a row.
    Row(Vec<String>),
    Item(String),
    Text(String),
}

/// A fenced block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Block {
    /// What stands behind the fence.
    pub(crate) info: String,
    pub(crate) text: String,
    /// The line of its first fence.
    pub(crate) line: usize,
}

impl Block {
    /// The first word behind the fence.
    pub(crate) fn kind(&self) -> &str {
        self.info.split(' ').next().unwrap_or("")
    }
}

impl Part {
    fn texts(&self) -> Vec<&str> {
        match self {
            Part::Heading { text, .. } | Part::Item(text) | Part::Text(text) => vec![text],
            Part::Row(cells) => cells.iter().map(String::as_str).collect(),
            Part::Block(_) => Vec::new(),
        }
    }
}

impl Page {
    pub(crate) fn read(path: &Path) -> Page {
        let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Page { path: path.to_owned(), parts: parts(&text) }
    }

    pub(crate) fn blocks(&self) -> impl Iterator<Item = &Block> {
        self.parts.iter().filter_map(|part| if let Part::Block(block) = part { Some(block) } else { None })
    }

    /// All running text: paragraphs, items, cells and headings.
    pub(crate) fn texts(&self) -> Vec<&str> {
        self.parts.iter().flat_map(Part::texts).collect()
    }

    /// What stands in backticks.
    pub(crate) fn spans(&self) -> Vec<String> {
        let odd = |text: &&str| text.split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>();
        self.texts().iter().flat_map(odd).collect()
    }

    /// Where links lead.
    pub(crate) fn links(&self) -> Vec<String> {
        let of = |text: &&str| {
            let plain: String = text.split('`').step_by(2).collect::<Vec<_>>().join("x");
            let targets = plain.split("](").skip(1).filter_map(|rest| rest.split(')').next());
            targets.map(str::to_owned).collect::<Vec<_>>()
        };
        self.texts().iter().flat_map(of).collect()
    }

    /// What a link to a heading is called, on GitHub and in mdbook.
    pub(crate) fn anchors(&self) -> Vec<String> {
        let heading = |part: &Part| if let Part::Heading { text, .. } = part { Some(anchor(text)) } else { None };
        self.parts.iter().filter_map(heading).collect()
    }

    /// For a message: the file, and a line of it.
    pub(crate) fn at(&self, block: &Block) -> String {
        format!("{}:{}", self.path.display(), block.line)
    }
}

fn anchor(heading: &str) -> String {
    let kept = heading.chars().filter_map(|c| match c {
        ' ' => Some('-'),
        '-' | '_' => Some(c),
        c if c.is_alphanumeric() => Some(c),
        _ => None,
    });
    kept.collect::<String>().to_lowercase()
}

/// README and every chapter.
pub(crate) fn pages() -> Vec<Page> {
    let mut found = vec![PathBuf::from("README.md")];
    let mut open = vec![PathBuf::from(CHAPTERS)];
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { open.push(path) } else { found.push(path) }
        }
    }
    found.sort();
    found.iter().map(|path| Page::read(path)).collect()
}

fn parts(text: &str) -> Vec<Part> {
    let mut parts: Vec<Part> = Vec::new();
    let mut fence: Option<(usize, Block)> = None;
    let mut joins = false;
    for (number, line) in text.lines().enumerate() {
        let indent = line.len() - line.trim_start().len();
        let words = line.trim();
        if let Some((depth, block)) = &mut fence {
            if words == "```" {
                parts.extend(fence.take().map(|(_, block)| Part::Block(block)));
            } else {
                block.text += line.get(indent.min(*depth)..).unwrap_or("");
                block.text.push('\n');
            }
            continue;
        }
        let continued = std::mem::replace(&mut joins, true);
        if let Some(info) = words.strip_prefix("```") {
            fence = Some((indent, Block { info: info.to_owned(), text: String::new(), line: number + 1 }));
            joins = false;
        } else if words.is_empty() {
            joins = false;
        } else if words.starts_with('#') {
            let level = words.chars().take_while(|c| *c == '#').count();
            parts.push(Part::Heading { level, text: words.trim_start_matches('#').trim().to_owned() });
            joins = false;
        } else if words.starts_with('|') {
            let cells: Vec<String> = words.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect();
            if !cells.iter().all(|cell| cell.trim_matches('-').is_empty() && !cell.is_empty()) {
                parts.push(Part::Row(cells));
            }
            joins = false;
        } else if let Some(item) = item(words) {
            parts.push(Part::Item(item.to_owned()));
        } else if continued && let Some(Part::Item(text) | Part::Text(text)) = parts.last_mut() {
            text.push(' ');
            text.push_str(words);
        } else {
            parts.push(Part::Text(words.to_owned()));
        }
    }
    assert!(fence.is_none(), "a block that does not end");
    parts
}

/// What follows a bullet or a number.
fn item(words: &str) -> Option<&str> {
    let numbered = || words.split_once(". ").filter(|(number, _)| number.parse::<u32>().is_ok()).map(|(_, rest)| rest);
    words.strip_prefix("- ").or_else(numbered)
}
