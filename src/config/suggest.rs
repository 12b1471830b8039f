//! Which word was probably meant.

/// The name somebody most likely meant.
pub(super) fn suggestion_among(word: &str, names: impl Iterator<Item = &'static str>) -> Option<&'static str> {
    nearest(word, names)
}

/// The name somebody most likely meant, of those there are.
pub(super) fn nearest<'n>(word: &str, names: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    let word = word.to_lowercase();
    let plain = |name: &str| name.replace(['_', '-'], "");
    let allowed = if word.len() <= 4 { 1 } else { 2 };
    names
        .map(|name| (distance(&word, &name.to_lowercase()), name))
        .filter(|(distance, name)| *distance <= allowed || plain(name) == plain(&word))
        .min()
        .map(|(_, name)| name)
}

/// Letters to insert, delete or change to get from one word to the other; 99 for words that are far too long.
fn distance(a: &str, b: &str) -> usize {
    if a.len() > 40 {
        return 99;
    }
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.bytes().enumerate() {
            let change = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = change.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}
