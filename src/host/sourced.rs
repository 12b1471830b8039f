//! The files that a script reads before anything else, `. FILE` (`resources.md` 3.3): a script that goes on without the
//! functions it was written with fails at every call, and first of all at a takeover. Looks, and runs nothing.

use std::collections::BTreeMap;
use std::path::Path;

use crate::config::Lack;

/// So many lines above may ask whether the file is there.
const NEAR: usize = 3;
/// A value that leads to itself is given up.
const DEEPEST: usize = 8;

/// The files that this script reads and that are not there; `given` are the variables it is started with.
pub(crate) fn missing(script: &Path, text: &str, given: impl Fn(&str) -> Option<String>) -> Vec<Lack> {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let mut known: BTreeMap<String, String> = BTreeMap::new();
    let mut found: Vec<Lack> = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        assignments(line, &mut known, &given);
        let Some(word) = sourced(line) else { continue };
        let before = &lines[at.saturating_sub(NEAR)..at];
        if before.iter().any(|line| asks_for(line, word)) {
            continue;
        }
        let Some(path) = value_of(word, &known, &given, DEEPEST) else { continue };
        if !path.starts_with('/') || Path::new(&path).exists() {
            continue;
        }
        let shown = if path == word { path.clone() } else { format!("{path} ({word})") };
        let shown_script = script.display();
        let what =
            format!("{shown_script} reads {shown} in line {}, which is not there: it fails at every call", at + 1);
        let remedy = remedy(&path, &shown_script.to_string());
        if !found.iter().any(|lack| lack.remedy == remedy) {
            found.push(Lack { what, remedy, fatal: true });
        }
    }
    found
}

fn remedy(path: &str, script: &str) -> String {
    match Path::new(path).file_name().and_then(|name| name.to_str()) {
        Some("shellfuncs") => format!("cp /usr/share/latido/etc/ha.d/shellfuncs {path}: Latido brings this file along"),
        Some("ocf-shellfuncs" | ".ocf-shellfuncs") => {
            format!(
                "install the package resource-agents; or remove {script} where Latido has an agent of that name built in"
            )
        }
        _ => format!("copy {path} from the machine where {script} worked, or mend that line"),
    }
}

/// The word behind `.` or `source`, where a line begins with it.
fn sourced(line: &str) -> Option<&str> {
    let rest = line.strip_prefix(". ").or_else(|| line.strip_prefix("source "))?.trim_start();
    let word = match rest.strip_prefix('"') {
        Some(quoted) => quoted.split('"').next()?,
        None => rest.split(|c: char| c.is_whitespace() || ";|&".contains(c)).next()?,
    };
    Some(word).filter(|word| !word.is_empty())
}

/// Whether a line looks for the file before it is read: `if [ -f FILE ]`.
fn asks_for(line: &str, word: &str) -> bool {
    (line.contains('[') || line.contains("test ")) && line.contains(word)
}

/// `NAME=VALUE`, `export NAME=VALUE`, `: ${NAME=VALUE}`, `: ${NAME:=VALUE}`: what can be known without running it.
fn assignments(line: &str, known: &mut BTreeMap<String, String>, given: &impl Fn(&str) -> Option<String>) {
    if let Some(rest) = line.strip_prefix(": ${").or_else(|| line.strip_prefix(": \"${")) {
        let end = rest.find(|c: char| !is_of_a_name(c)).unwrap_or(rest.len());
        let (name, rest) = rest.split_at(end);
        let value = rest.strip_prefix(":=").or_else(|| rest.strip_prefix('=')).and_then(|rest| rest.rsplit_once('}'));
        if let Some((value, _)) = value
            && !known.contains_key(name)
            && given(name).is_none()
            && let Some(value) = value_of(value, known, given, DEEPEST)
        {
            known.insert(name.to_owned(), value);
        }
        return;
    }
    let line = line.strip_prefix("export ").unwrap_or(line);
    let Some((name, value)) = line.split_once('=') else { return };
    if name.is_empty() || !name.chars().all(is_of_a_name) {
        return;
    }
    let value = value.split(|c: char| c.is_whitespace() || ";&|".contains(c)).next().unwrap_or_default();
    match value_of(value.trim_matches(['"', '\'']), known, given, DEEPEST) {
        Some(value) => drop(known.insert(name.to_owned(), value)),
        // Nobody knows what it is now, and it is no longer what it was.
        None => drop(known.insert(name.to_owned(), "$".to_owned())),
    }
}

fn is_of_a_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// The text with its variables replaced; `None` when that needs a shell.
fn value_of(
    text: &str,
    known: &BTreeMap<String, String>,
    given: &impl Fn(&str) -> Option<String>,
    deepest: usize,
) -> Option<String> {
    if deepest == 0 || text.contains(['`', '*', '?', '~', '\'', '\\']) {
        return None;
    }
    let Some((before, rest)) = text.split_once('$') else { return Some(text.to_owned()) };
    let (name, after, default) = match rest.strip_prefix('{') {
        Some(braced) => {
            let (inner, after) = braced.split_once('}')?;
            let end = inner.find(|c: char| !is_of_a_name(c)).unwrap_or(inner.len());
            let (name, rest) = inner.split_at(end);
            let default = match rest {
                "" => None,
                rest => Some(rest.strip_prefix(":-").or_else(|| rest.strip_prefix(":="))?),
            };
            (name, after, default)
        }
        None => {
            let end = rest.find(|c: char| !is_of_a_name(c)).unwrap_or(rest.len());
            let (name, after) = rest.split_at(end);
            (name, after, None)
        }
    };
    // $0, $1, $(…)
    if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let value = match known.get(name).cloned().or_else(|| given(name)) {
        Some(value) if value.contains('$') => return None,
        Some(value) => value,
        None => value_of(default?, known, given, deepest - 1)?,
    };
    Some(format!("{before}{value}{}", value_of(after, known, given, deepest - 1)?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn given(name: &str) -> Option<String> {
        let value = match name {
            "HA_DIR" => "/nowhere/ha.d/",
            "HA_FUNCS" => "/nowhere/ha.d//shellfuncs",
            "ETC" => "/etc",
            _ => return None,
        };
        Some(value.to_owned())
    }

    fn what(text: &str) -> Vec<String> {
        missing(Path::new("/x/web"), text, given).into_iter().map(|lack| lack.what).collect()
    }

    #[test]
    fn a_file_that_is_not_there_is_found_by_its_path_and_by_variables() {
        for line in [
            ". /nowhere/ha.d/shellfuncs",
            ". ${HA_DIR}/shellfuncs",
            ". $HA_DIR/shellfuncs",
            ". \"$HA_FUNCS\"",
            "source $HA_FUNCS",
            "  . $HA_FUNCS || exit 1",
            ". ${NOT_GIVEN:-/nowhere/ha.d}/shellfuncs",
            "prefix=/nowhere; x=1\n. $prefix/shellfuncs",
            "export A=/nowhere\nB=\"${A}/lib\"\n. ${B}/shellfuncs",
            ": ${OCF_ROOT=/nowhere}\n: ${FUNCS:=${OCF_ROOT}/lib}\n. ${FUNCS}/ocf-shellfuncs",
        ] {
            let found = what(&format!("#!/bin/sh\n{line}\n"));
            assert_eq!(found.len(), 1, "{line}: {found:?}");
            assert!(found[0].contains("/x/web reads /nowhere/"), "{found:?}");
        }
        assert!(what("#!/bin/sh\n\n. ${HA_DIR}/shellfuncs\n")[0].contains("(${HA_DIR}/shellfuncs) in line 3"));
    }

    #[test]
    fn what_is_there_what_is_asked_for_and_what_only_a_shell_knows_is_no_news() {
        for text in [
            ". /etc/passwd",
            ". ${ETC}/passwd",
            ". $(dirname $0)/shellfuncs",
            ". `dirname $0`/shellfuncs",
            ". ${0%/*}/shellfuncs",
            ". $UNKNOWN/shellfuncs",
            ". ./shellfuncs",
            "# . /nowhere/shellfuncs",
            "echo . /nowhere/shellfuncs",
            "[ -f /nowhere/x ] && . /nowhere/x",
            "if [ -r /nowhere/x ]; then\n  . /nowhere/x\nfi",
            "test -f $HA_FUNCS && \\\n. $HA_FUNCS",
            "HA_FUNCS=$(find it)\n. $HA_FUNCS",
            ".",
        ] {
            assert_eq!(what(text), Vec::<String>::new(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_script_makes_it_panic(text in "([.: ]{0,2}[${}A-Z_=:/a\"'-]{0,12}[ ;]?){0,6}") {
            let _ = what(&text);
            let _ = what(&format!(". {text}"));
        }
    }
}
