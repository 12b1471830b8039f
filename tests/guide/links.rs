//! Every link of README and the guide leads to a file that is there, and to a heading of it.

use std::path::{Component, Path, PathBuf};

use super::markdown::{Page, pages};

/// `a/./b/../c` as `a/c`, without asking the disk.
fn plain(path: &Path) -> PathBuf {
    path.components().fold(PathBuf::new(), |mut plain, part| {
        match part {
            Component::ParentDir => drop(plain.pop()),
            Component::CurDir => {}
            Component::Prefix(_) | Component::RootDir | Component::Normal(_) => plain.push(part),
        }
        plain
    })
}

#[test]
fn every_link_leads_to_a_file_and_a_heading_that_are_there() {
    let mut seen = 0;
    for page in pages() {
        for link in page.links().iter().filter(|link| !link.contains("://")) {
            seen += 1;
            let place = page.path.display();
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target =
                if file.is_empty() { page.path.clone() } else { plain(&page.path.parent().unwrap().join(file)) };
            assert!(target.exists(), "{place}: {link}: there is no {}", target.display());
            if !anchor.is_empty() {
                let anchors = Page::read(&target).anchors();
                assert!(anchors.iter().any(|known| known == anchor), "{place}: {link}: not among {anchors:?}");
            }
        }
    }
    assert!(seen > 60, "only {seen} links were found");
}

/// The reference documents are no part of the book: they are named by their path.
#[test]
fn every_document_that_is_named_is_there() {
    for page in pages() {
        for span in page.spans() {
            let document = span.starts_with("docs/") || span.starts_with("scripts/") || span == "CHANGELOG.md";
            assert!(!document || Path::new(&span).exists(), "{}: {span} is not there", page.path.display());
        }
    }
}

#[test]
fn no_chapter_links_out_of_the_book() {
    for page in pages().iter().filter(|page| !page.path.ends_with("README.md")) {
        for link in page.links().iter().filter(|link| !link.contains("://") && !link.starts_with('#')) {
            let target = plain(&page.path.parent().unwrap().join(link.split('#').next().unwrap()));
            let inside = target.starts_with(super::markdown::CHAPTERS);
            assert!(inside, "{}: {link} is not rendered with the book", page.path.display());
        }
    }
}
