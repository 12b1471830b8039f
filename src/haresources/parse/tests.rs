//! How each line of the table in `config.md` 6 is read.

use proptest::prelude::*;

use super::*;

fn read(text: &str) -> (Vec<String>, Vec<String>) {
    let nodes: Vec<_> = ["alpha", "beta"].into_iter().filter_map(NodeName::new).collect();
    let (groups, problems) = parse(&SourceText::new("haresources", text), &nodes);
    let groups = groups.iter().map(|group| {
        let words: Vec<_> = group.resources.iter().map(|resource| resource.word.clone()).collect();
        format!("{}: {}", group.owner, words.join(" "))
    });
    let problems = problems.iter().map(|problem| {
        let line = problem.place.as_ref().map_or(0, |place| place.line);
        format!("{line} {}", problem.severity)
    });
    (groups.collect(), problems.collect())
}

#[track_caller]
fn gives(text: &str, groups: &[&str], problems: &[&str]) {
    let (found_groups, found_problems) = read(text);
    assert_eq!(found_groups, groups, "{text:?}");
    assert_eq!(found_problems, problems, "{text:?}");
}

#[test]
fn plain_lines_give_groups_in_file_order() {
    gives(
        "# c\n\n ALPHA 10.0.0.1 # note\nbeta\tFs::/a::/b   web\nalpha a#b c\n",
        &["alpha: 10.0.0.1", "beta: Fs::/a::/b web", "alpha: a"],
        &[],
    );
}

#[test]
fn that_quotes_keep_nothing_together_is_said_once_a_line() {
    gives("alpha MailTo::a::\"it has moved\" b\n", &["alpha: MailTo::a::\"it has moved\" b"], &["1 warning"]);
    gives("alpha a \\\n 'b'\nbeta c\n", &["alpha: a 'b'", "beta: c"], &["2 warning"]);
}

#[test]
fn a_backslash_continues_an_entry_with_or_without_a_blank() {
    gives("alpha a \\\n   b\nbeta c\n", &["alpha: a b", "beta: c"], &[]);
    gives("alpha a\\\nb\n", &["alpha: ab"], &["2 warning"]);
    gives("alpha a\\\n b\n", &["alpha: a b"], &[]);
}

#[test]
fn a_comment_in_a_continued_entry_never_becomes_resources() {
    gives("alpha a \\\n# why\n b\n", &["alpha: a b"], &["2 error"]);
    gives("alpha a \\\n b # why\n", &["alpha: a b"], &["2 warning"]);
    gives("alpha a \\ # why\n b\n", &["alpha: a b"], &["1 error"]);
}

#[test]
fn blanks_and_carriage_returns_behind_a_backslash_are_errors_and_the_entry_goes_on() {
    gives("alpha a \\ \n b\n", &["alpha: a b"], &["1 error"]);
    gives("alpha a \\\r\n b\r\n", &["alpha: a b"], &["1 warning", "1 error"]);
}

#[test]
fn dos_line_ends_are_stripped_with_one_warning() {
    gives("alpha a httpd\r\nbeta b\r\n", &["alpha: a httpd", "beta: b"], &["1 warning"]);
}

#[test]
fn a_backslash_at_the_end_of_the_file_is_no_resource() {
    gives("alpha a \\", &["alpha: a"], &["1 warning"]);
    gives("alpha a \\\n", &["alpha: a"], &["1 warning"]);
}

#[test]
fn an_unknown_owner_is_an_error_and_the_other_lines_are_still_read() {
    let errors = ["1 error", "2 error", "3 error", "4 error"];
    gives("gamma a\n10.0.0.1/24 web\nalpha10.0.0.1 x\n// c\nbeta b\n", &["beta: b"], &errors);
}

#[test]
fn a_key_used_twice_is_an_error_and_a_resource_in_two_groups_a_warning() {
    gives("alpha a b\nbeta a\n", &["alpha: a b", "beta: a"], &["2 error"]);
    gives("alpha a disk\nbeta b disk\n", &["alpha: a disk", "beta: b disk"], &["2 warning"]);
}

#[test]
fn a_node_without_resources_is_a_group_without_key() {
    gives("alpha\n", &["alpha: "], &["1 warning"]);
}

proptest! {
    #[test]
    fn no_text_makes_the_reader_panic_and_every_place_is_inside_the_file(text in "(\\PC|[ \\t\\r\\n\\\\#a:])*") {
        let source = SourceText::new("haresources", text);
        for nodes in [vec![], vec![NodeName::new("a").unwrap()]] {
            let (groups, problems) = parse_with_places(&source, &nodes);
            for span in problems.iter().filter_map(|problem| problem.place.as_ref()).map(|place| place.span.clone()) {
                prop_assert!(source.text.get(span).is_some());
            }
            for placed in groups {
                prop_assert!(placed.group.resources.iter().all(|resource| !resource.word.contains('#')));
            }
        }
    }
}
