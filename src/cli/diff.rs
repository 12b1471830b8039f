//! The difference of two texts, line by line, as `diff -u` shows it. Touches nothing.

/// Unchanged lines shown around a change.
const CONTEXT: usize = 2;
/// Beyond so many pairs of lines the texts are shown as wholly different: no configuration file is that long.
const MOST_PAIRS: usize = 4_000_000;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Edit<'a> {
    Keep(&'a str),
    Remove(&'a str),
    Add(&'a str),
}

/// Lines with ` `, `-` or `+` in front; runs of unchanged lines become `…`. Empty when the texts are the same.
pub(super) fn diff(old: &str, new: &str) -> String {
    let edits = edits(old, new);
    let changed: Vec<usize> = (0..edits.len()).filter(|at| !matches!(edits[*at], Edit::Keep(_))).collect();
    let mut text = String::new();
    let mut skipped = false;
    for (at, edit) in edits.iter().enumerate() {
        let nearest = changed.iter().map(|change| change.abs_diff(at)).min();
        if nearest.is_none_or(|distance| distance > CONTEXT) {
            skipped = true;
            continue;
        }
        if skipped {
            text += "  …\n";
            skipped = false;
        }
        let (sign, line) = match edit {
            Edit::Keep(line) => (' ', line),
            Edit::Remove(line) => ('-', line),
            Edit::Add(line) => ('+', line),
        };
        text += format!("{sign} {line}").trim_end();
        text.push('\n');
    }
    text
}

fn edits<'a>(old: &'a str, new: &'a str) -> Vec<Edit<'a>> {
    let (old, new): (Vec<&str>, Vec<&str>) = (old.lines().collect(), new.lines().collect());
    if old.len().saturating_mul(new.len()) > MOST_PAIRS {
        return old.into_iter().map(Edit::Remove).chain(new.into_iter().map(Edit::Add)).collect();
    }
    let common = common_lengths(&old, &new);
    let (mut i, mut j, mut edits) = (0, 0, Vec::new());
    while i < old.len() || j < new.len() {
        if i < old.len() && j < new.len() && old[i] == new[j] {
            edits.push(Edit::Keep(old[i]));
            (i, j) = (i + 1, j + 1);
        } else if j == new.len() || i < old.len() && common[i + 1][j] >= common[i][j + 1] {
            edits.push(Edit::Remove(old[i]));
            i += 1;
        } else {
            edits.push(Edit::Add(new[j]));
            j += 1;
        }
    }
    edits
}

/// At `[i][j]`: how many lines the tails from there on have in common, in order.
fn common_lengths(old: &[&str], new: &[&str]) -> Vec<Vec<usize>> {
    let mut common = vec![vec![0; new.len() + 1]; old.len() + 1];
    for i in (0..old.len()).rev() {
        for j in (0..new.len()).rev() {
            common[i][j] =
                if old[i] == new[j] { common[i + 1][j + 1] + 1 } else { common[i + 1][j].max(common[i][j + 1]) };
        }
    }
    common
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_same_text_differs_in_nothing() {
        assert_eq!(diff("a\nb\n", "a\nb\n"), "");
    }

    #[test]
    fn a_changed_line_is_shown_between_its_neighbours() {
        let old = "1\n2\n3\n4\ndeadtime 10\n6\n7\n8\n";
        let new = old.replace("deadtime 10", "deadtime 5");
        assert_eq!(diff(old, &new), "  …\n  3\n  4\n- deadtime 10\n+ deadtime 5\n  6\n  7\n");
    }

    proptest! {
        #[test]
        fn the_edits_lead_from_the_old_text_to_the_new(old in "([ab]?\n){0,12}", new in "([ab]?\n){0,12}") {
            let edits = edits(&old, &new);
            let side = |wanted: fn(&Edit<'_>) -> Option<String>| edits.iter().filter_map(wanted).collect::<Vec<_>>();
            let before = side(|edit| match edit { Edit::Keep(l) | Edit::Remove(l) => Some((*l).to_owned()), Edit::Add(_) => None });
            let after = side(|edit| match edit { Edit::Keep(l) | Edit::Add(l) => Some((*l).to_owned()), Edit::Remove(_) => None });
            prop_assert_eq!(before, old.lines().map(str::to_owned).collect::<Vec<_>>());
            prop_assert_eq!(after, new.lines().map(str::to_owned).collect::<Vec<_>>());
        }
    }
}
