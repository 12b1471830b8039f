//! The chapters in Spanish and Portuguese say as much as the English ones, in the same order, with the same commands.

use std::path::PathBuf;

use super::markdown::{CHAPTERS, Page, Part};

const TRANSLATED: [&str; 3] = ["quick-start.md", "install.md", "troubleshooting.md"];
const LANGUAGES: [&str; 2] = ["es", "pt"];

fn chapter(language: &str, name: &str) -> Page {
    Page::read(&PathBuf::from(CHAPTERS).join(language).join(name))
}

/// What must be the same in every language: levels of headings, blocks to the letter, the shape of tables and lists, and
/// of the words those in backticks.
fn shape(page: &Page) -> Vec<String> {
    let spans = |text: &str| {
        let spans = text.split('`').skip(1).step_by(2);
        let mut spans: Vec<&str> = spans.filter(|span| span.contains([' ', '/'])).collect();
        spans.sort_unstable();
        spans.join("` `")
    };
    let of = |part: &Part| match part {
        Part::Heading { level, text } => format!("heading {level} {}", spans(text)),
        Part::Block(block) => format!("block {} {}", block.info, block.text),
        Part::Row(cells) => format!("row of {}: {}", cells.len(), spans(&cells.join(" "))),
        Part::Item(text) => format!("item {}", spans(text)),
        Part::Text(text) => format!("text {}", spans(text)),
    };
    page.parts.iter().map(of).collect()
}

#[test]
fn each_translation_has_the_headings_blocks_tables_and_commands_of_the_english_chapter() {
    for name in TRANSLATED {
        let english = shape(&chapter("", name));
        for language in LANGUAGES {
            let theirs = shape(&chapter(language, name));
            for (at, (ours, theirs)) in english.iter().zip(&theirs).enumerate() {
                assert_eq!(theirs, ours, "{language}/{name}, part {}", at + 1);
            }
            assert_eq!(theirs.len(), english.len(), "{language}/{name} ends elsewhere");
        }
    }
}

/// How many words a text has beside those in backticks.
fn words(text: &str) -> usize {
    let outside = text.split('`').step_by(2).flat_map(str::split_whitespace);
    outside.filter(|word| word.chars().any(char::is_alphabetic)).count()
}

#[test]
fn no_heading_and_no_paragraph_was_left_in_english() {
    for name in TRANSLATED {
        let english = chapter("", name);
        for language in LANGUAGES {
            let theirs = chapter(language, name);
            for (ours, theirs) in english.parts.iter().zip(&theirs.parts) {
                let left = match ours {
                    // What consists of names alone is the same in every language.
                    Part::Text(text) | Part::Item(text) => ours == theirs && words(text) > 3,
                    Part::Heading { text, .. } => ours == theirs && !text.contains(','),
                    Part::Row(_) | Part::Block(_) => false,
                };
                assert!(!left, "{language}/{name}: {ours:?}");
            }
        }
    }
}

#[test]
fn every_translated_chapter_is_in_the_table_of_contents_and_no_other_file_is_there() {
    let summary = Page::read(&PathBuf::from(CHAPTERS).join("SUMMARY.md"));
    let mut listed = summary.links();
    listed.sort();
    let pages = super::markdown::pages();
    let below = pages.iter().filter_map(|page| page.path.strip_prefix(CHAPTERS).ok());
    let mut there: Vec<String> =
        below.map(|path| path.display().to_string()).filter(|path| path != "SUMMARY.md").collect();
    there.sort();
    assert_eq!(listed, there);
    for (language, name) in LANGUAGES.iter().flat_map(|language| TRANSLATED.map(|name| (language, name))) {
        assert!(listed.contains(&format!("{language}/{name}")), "{language}/{name}");
    }
}
