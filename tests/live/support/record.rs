//! What the stand-in resources wrote down: who started and stopped what, and when.

use std::collections::BTreeMap;
use std::path::Path;

/// One call of a stand-in script.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Call {
    /// Seconds since 1970.
    pub(crate) at: f64,
    pub(crate) resource: String,
    pub(crate) verb: String,
}

/// All calls recorded in a host's directory, oldest first.
pub(crate) fn calls(dir: &Path) -> Vec<Call> {
    let text = std::fs::read_to_string(dir.join("record")).unwrap_or_default();
    text.lines().filter_map(call).collect()
}

fn call(line: &str) -> Option<Call> {
    let mut words = line.split(' ');
    let at = words.next()?.parse().ok()?;
    let (resource, verb) = (words.next()?.to_owned(), words.next()?.to_owned());
    Some(Call { at, resource, verb })
}

/// The resources up on a host right now, in order of name: the scripts keep a file for each.
pub(crate) fn held(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(dir.join("state"))
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.file_name().to_string_lossy().into_owned()))
        .collect();
    names.sort();
    names
}

/// How often each verb was called for each resource since `from`, `status` left out.
pub(crate) fn counted(dir: &Path, from: f64) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for call in calls(dir).into_iter().filter(|call| call.at >= from && call.verb != "status") {
        *counts.entry(format!("{} {}", call.resource, call.verb)).or_insert(0) += 1;
    }
    counts
}

/// A stand-in resource: writes down each call, keeps its state in a file, prints it when asked, takes as long as the
/// file `delay.NAME.VERB` says, and notes when it is started while the other host still runs it.
pub(crate) const STAND_IN: &str = r#"#!/bin/bash
dir=@DIR@ other=@OTHER@ name=${0##*/} verb=${@: -1}
printf '%s %s %s\n' "$EPOCHREALTIME" "$name" "$verb" >>"$dir/record"
[ -e "$dir/delay.$name.$verb" ] && sleep "$(cat "$dir/delay.$name.$verb")"
[ -e "$dir/fail.$name.$verb" ] && exit 1
case $verb in
start)
    [ -e "$other/state/$name" ] && printf '%s %s\n' "$EPOCHREALTIME" "$name" >>"$dir/double"
    : >"$dir/state/$name"
    ;;
stop) rm -f "$dir/state/$name" ;;
status) if [ -e "$dir/state/$name" ]; then echo running; else echo stopped; fi ;;
esac
exit 0
"#;
