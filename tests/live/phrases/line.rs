//! A line of a log made a phrase: who says it, how loud, and the words without times, numbers and names.

use super::super::support::pair::NAMES;

/// The phrase of a line of a `logfile`; `None` where the line has none of the original's two forms.
pub(super) fn of_logfile(line: &str, host: &str) -> Option<String> {
    let daemon = || {
        // `Nov 30 21:05:52 alpha heartbeat: [72]: info: text`
        let rest = line.get(16..)?.strip_prefix(host)?.strip_prefix(" ")?;
        let (name, rest) = rest.split_once(": [")?;
        Some(phrase(name, rest.split_once("]: ")?.1))
    };
    let script = || {
        // `2026/11/30_21:05:52  ResourceManager(default)[127]:    info: text`
        let (name, rest) = line.get(21..)?.split_once("(default)[")?;
        Some(phrase(name, rest.split_once("]:    ")?.1))
    };
    daemon().or_else(script)
}

/// The same of a `debugfile`, where only the scripts' lines look otherwise; `None` for a line of debugging.
pub(super) fn of_debugfile(line: &str, host: &str) -> Option<String> {
    if line.contains(": debug: ") {
        return None;
    }
    // `ResourceManager(default)[127]:<TAB>2026/11/30_21:05:52 info: text`
    let script = || {
        let (name, rest) = line.split_once("(default)[")?;
        Some(phrase(name, rest.split_once("]:\t")?.1.get(20..)?))
    };
    script().or_else(|| of_logfile(line, host))
}

/// The same of a datagram to syslog, from `local3`.
pub(super) fn of_syslog(datagram: &str) -> Option<String> {
    if datagram.contains(": debug: ") {
        return None;
    }
    let datagram = datagram.lines().next().unwrap_or_default();
    let read = || {
        let (priority, rest) = datagram.strip_prefix('<')?.split_once('>')?;
        priority.parse::<u8>().ok().filter(|number| number >> 3 == 19)?;
        let rest = rest.get(16..)?;
        // `heartbeat: [72]: info: text`, in the original with a NUL at its end, and `ResourceManager(default)[127]: info: text`.
        if let Some((name, rest)) = rest.split_once("(default)[") {
            return Some(phrase(name, rest.split_once("]: ")?.1));
        }
        let (name, rest) = rest.split_once(": [")?;
        Some(phrase(name, rest.split_once("]: ")?.1.trim_end_matches('\0')))
    };
    Some(read().unwrap_or_else(|| panic!("a datagram of no known form: {datagram:?}")))
}

fn phrase(program: &str, text: &str) -> String {
    let mut words: Vec<String> = Vec::new();
    for word in text.replace("//", "/").replace("http:/", "http://").split(' ') {
        words.push(named(word));
    }
    let text = numbered(&words.join(" "));
    // However many resources a group has.
    let text = text.replace("R R", "R").replace("R R", "R").replace('|', "/").replace('`', "'");
    format!("{program}: {text}")
}

/// The word with `X` for a node's name and `R` for a resource's.
fn named(word: &str) -> String {
    let is_name_end = |rest: &str| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_');
    let mut word = word.to_owned();
    for name in NAMES {
        if let Some(at) = word.find(name).filter(|at| is_name_end(&word[at + name.len()..])) {
            word.replace_range(at..at + name.len(), "X");
        }
    }
    for name in ["ra", "rb", "rc", "rd", "rx::one::two", "rx"] {
        let behind = |before: &str| word.find(&format!("{before}{name}")).map(|at| at + before.len());
        let at =
            if word.trim_end_matches('`') == name { Some(0) } else { behind("resource.d/").or_else(|| behind("[")) };
        if let Some(at) = at.filter(|at| is_name_end(&word[at + name.len()..])) {
            word.replace_range(at..at + name.len(), "R");
        }
    }
    word
}

/// `N` for each number.
fn numbered(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        if !c.is_ascii_digit() {
            out.push(c);
        } else if !out.ends_with('N') {
            out.push('N');
        }
    }
    out
}
