//! Directives about programs and people: `respawn`, `apiauth`, `env`, `stonith` (`config.md` 3, `api.md` 2.3). Pure.

use crate::diagnostic::{Place, Problem};

use super::facts::{PathFact, PathKind};
use super::ha_cf::Given;
use super::line::{FileLine, Word};
use super::reader::{Directive, Reader};
use super::{ApiRule, FenceDevice, RespawnLine};

/// Where cluster-glue puts its program, and distributions put it.
pub const STONITH_PROGRAMS: [&str; 3] = ["/usr/sbin/stonith", "/sbin/stonith", "/usr/lib/heartbeat/stonith"];
const PLUGINS: &str = "/usr/lib/stonith/plugins";

/// What `stonith` runs or loads for a device: the file of the plugin, where cluster-glue puts it.
pub fn plugin_of(device: &str) -> Option<String> {
    match device.split_once('/') {
        Some((family, _)) if family != "external" => None,
        Some(_) => Some(format!("{PLUGINS}/{device}")),
        None => Some(format!("{PLUGINS}/stonith2/{device}.so")),
    }
}

fn place(line: &FileLine<'_>) -> Place {
    let tail = line.tail().unwrap_or_else(|| line.directive.clone());
    Place { line: tail.line, span: tail.span }
}

pub(super) fn respawn(reader: &mut Reader<'_>, directive: &'static Directive, line: &FileLine<'_>) {
    let words = line.words();
    let [user, path, ..] = words.as_slice() else {
        let problem = reader.error(&line.directive, format!("{} needs USER and /PATH", directive.name));
        let problem = problem.remedy(format!("for instance: {} root /usr/local/bin/program", directive.name));
        return reader.push(problem.original(match words.first() {
            None => "Invalid uid [] specified for client child",
            Some(_) => "Client child command [] is not full pathname",
        }));
    };
    if let Some(remedy) = remedy_of_gone(reader, path) {
        // It went with the package that this program replaces: no reason not to start either.
        let what = format!("{} went with the old package: it is not started", path.text);
        let phrase = format!("Client child command [{}] is not executable", path.text);
        return reader.push(reader.warning(path, what).remedy(remedy).original(phrase));
    }
    if is_ours(reader, path) && reader.facts.user_exists(user.text) == Some(false) {
        // Old files always carry such a line: no reason not to start.
        let what = format!("user \"{}\" does not exist: {} is not started", user.text, path.text);
        let problem = reader.warning(user, what).remedy(make("user", user.text));
        return reader.push(problem.original(format!("Invalid uid [{}] specified for client child", user.text)));
    }
    let problems = respawn_problems(reader, user, path);
    let usable = !problems.iter().any(Problem::is_fatal);
    problems.into_iter().for_each(|problem| reader.push(problem));
    if usable {
        let command = words[1..].iter().map(|word| word.text.to_owned()).collect();
        let value = RespawnLine { user: user.text.to_owned(), command, failfast: directive.name == "failfast" };
        reader.cf.respawn.push(Given { value, place: place(line) });
    }
}

/// What to type for a user or a group that is missing; the old package made these two.
fn make(what: &str, name: &str) -> String {
    match (what, name) {
        ("user", "hacluster") => "make it: groupadd -fr haclient; useradd -r -g haclient -d /var/lib/heartbeat \
                                  -s /usr/sbin/nologin hacluster"
            .to_owned(),
        ("user", name) => format!("make it: useradd -r {name}"),
        (_, name) => format!("make it: groupadd -r {name}"),
    }
}

fn respawn_problems(reader: &Reader<'_>, user: &Word<'_>, path: &Word<'_>) -> Vec<Problem> {
    let mut problems = Vec::new();
    if reader.facts.user_exists(user.text) == Some(false) {
        let problem = reader.error(user, format!("user \"{}\" does not exist", user.text));
        let problem = problem.remedy(format!("{}; or name another user", make("user", user.text)));
        problems.push(problem.original(format!("Invalid uid [{}] specified for client child", user.text)));
    }
    if !path.text.starts_with('/') {
        let problem = reader.error(path, format!("\"{}\" is not a full path", path.text));
        problems.push(problem.original(format!("Client child command [{}] is not full pathname", path.text)));
    } else if let Some(fact) = reader.facts.path(path.text) {
        problems.extend(program_problem(reader, path, &fact));
    }
    problems
}

/// Programs of the original that are part of this one, wherever its package had them.
const OURS: [&str; 2] = ["ipfail", "dopd"];

/// Programs of the original's package that are no part of this one, and what to do without them.
const GONE: [(&[&str], &str); 5] = [
    (&["hbagent"], "remove the line: there is no SNMP agent; `latido status --json` and the status page tell the same"),
    (&["pingd"], "pingd counts ping nodes for Pacemaker; write instead: respawn hacluster /usr/lib/heartbeat/ipfail"),
    (
        &["ccm", "cib", "crmd", "lrmd", "stonithd", "attrd", "pengine", "tengine", "mgmtd", "evmsd", "quorumd"],
        "remove the line: it serves a cluster that the CRM manages, not haresources",
    ),
    (&["logd", "ha_logd"], "remove the line: this daemon writes its log itself"),
    (&["apphbd", "recoverymgrd"], "remove the line; what must not die is watched by a `monitor` line of latido.cf"),
];

/// What to do about a program of the original's package where none is any more.
fn remedy_of_gone(reader: &Reader<'_>, path: &Word<'_>) -> Option<&'static str> {
    let (dir, name) = path.text.rsplit_once('/')?;
    let (_, remedy) = GONE.iter().find(|(names, _)| names.contains(&name))?;
    let is_missing = || reader.facts.path(path.text).is_some_and(|fact| fact.kind == PathKind::Missing);
    (dir.split('/').any(|part| part == "heartbeat") && is_missing()).then_some(*remedy)
}

/// Whether this names such a program where none is.
fn is_ours(reader: &Reader<'_>, path: &Word<'_>) -> bool {
    let ours = path.text.rsplit('/').next().is_some_and(|name| OURS.contains(&name));
    ours && reader.facts.path(path.text).is_some_and(|fact| fact.kind == PathKind::Missing)
}

fn program_problem(reader: &Reader<'_>, path: &Word<'_>, fact: &PathFact) -> Option<Problem> {
    if !fact.executable {
        if is_ours(reader, path) {
            return None;
        }
        let what = match fact.kind {
            PathKind::Missing => "does not exist",
            PathKind::CharDevice | PathKind::Directory | PathKind::File | PathKind::Other => "is not executable",
        };
        let problem = reader.error(path, format!("{} {what}", path.text));
        return Some(problem.original(format!("Client child command [{}] is not executable", path.text)));
    }
    // Whoever can change the program has the rights of its user, and at `failfast` those of a reset button.
    let why = fact.writable_by_others.as_ref()?;
    let problem = reader.error(path, format!("{} is not started: {why}", path.text));
    Some(problem.alone().remedy("chown root and chmod go-w the program and its directory"))
}

pub(super) fn apiauth(reader: &mut Reader<'_>, _: &'static Directive, line: &FileLine<'_>) {
    let words = line.words();
    let rest = line.tail().map_or("", |tail| tail.text);
    let syntax = "write apiauth CLIENT [uid=USER,...] [gid=GROUP,...]";
    let invalid = |problem: Problem| problem.remedy(syntax).original(format!("Invalid apiauth directive [{rest}]"));
    let Some((client, lists)) = words.split_first() else {
        return reader.push(invalid(reader.error(&line.directive, "apiauth needs a client's name")));
    };
    let duplicate = reader.cf.apiauth.iter().find(|rule| rule.value.client == client.text).map(|rule| rule.place.line);
    if let Some(earlier) = duplicate {
        let what = format!("apiauth {} is already given in line {earlier}", client.text);
        let problem = reader.error(client, what).remedy("keep one of them");
        let phrase = format!("Duplicate apiauth directive for API client {}: [{rest}]", client.text);
        return reader.push(problem.original(phrase));
    }
    let mut rule = ApiRule { client: client.text.to_owned(), uids: Vec::new(), gids: Vec::new() };
    let before = reader.problems.len();
    for word in lists {
        if let Err(problem) = access_list(reader, word, &mut rule) {
            let problem = if problem.remedy.is_some() { problem } else { problem.remedy(syntax) };
            reader.push(if problem.original.is_some() { problem } else { invalid(problem) });
        }
    }
    if lists.is_empty() {
        reader.push(invalid(reader.error(client, format!("apiauth {} names nobody", client.text))));
    }
    if reader.problems.len() == before {
        if rule.uids.is_empty() && rule.gids.is_empty() {
            reader.push(reader.warning(client, format!("apiauth {} lets nobody in", client.text)).remedy(syntax));
        }
        reader.cf.apiauth.push(Given { value: rule, place: place(line) });
    }
}

fn access_list(reader: &Reader<'_>, word: &Word<'_>, rule: &mut ApiRule) -> Result<(), Problem> {
    let (kind, names) = word.text.split_once('=').ok_or_else(|| unknown_keyword(reader, word))?;
    let (list, what) = match kind {
        "uid" => (&mut rule.uids, "user"),
        "gid" => (&mut rule.gids, "group"),
        _ => return Err(unknown_keyword(reader, word)),
    };
    if !list.is_empty() {
        let problem = reader.error(word, format!("a second {kind} list"));
        return Err(problem.original(format!("Duplicate {kind} list in apiauth")));
    }
    for name in names.split(',').filter(|name| !name.is_empty()) {
        let exists = if kind == "uid" { reader.facts.user_exists(name) } else { reader.facts.group_exists(name) };
        if exists == Some(false) {
            let problem = reader.error(word, format!("{what} \"{name}\" does not exist"));
            let problem = problem.remedy(format!("{}; or leave it out of the list", make(what, name)));
            let phrase = if kind == "uid" { "Invalid user id name" } else { "Invalid group name" };
            return Err(problem.original(format!("{phrase} [{name}]")));
        }
        list.push(name.to_owned());
    }
    Ok(())
}

fn unknown_keyword(reader: &Reader<'_>, word: &Word<'_>) -> Problem {
    reader.error(word, format!("\"{}\" is neither uid=LIST nor gid=LIST", word.text))
}

pub(super) fn env(reader: &mut Reader<'_>, _: &'static Directive, word: &Word<'_>) {
    let (name, value) = word.text.split_once('=').unwrap_or((word.text, ""));
    if name.is_empty() {
        let problem = reader.error(word, format!("\"{}\" has no name", word.text)).remedy("write env NAME=VALUE");
        return reader.push(problem.original(format!("set_env: invalid nvpair({})", word.text)));
    }
    if !word.text.contains('=') {
        let what = format!("env {name} has no value: scripts see an empty HA_{name}");
        reader.push(reader.warning(word, what).remedy("write env NAME=VALUE, without blanks or commas"));
    }
    reader.cf.env.retain(|(earlier, _)| earlier != name);
    reader.cf.env.push((name.to_owned(), value.to_owned()));
}

/// Fencing that was asked for and cannot happen would be worse than a daemon that does not start.
fn fencing(reader: &mut Reader<'_>, line: &FileLine<'_>, device: &Word<'_>, value: FenceDevice) {
    if let Some(problem) = device_problem(reader, device) {
        reader.push(problem);
    }
    reader.cf.fences.push(Given { value, place: place(line) });
}

fn device_problem(reader: &Reader<'_>, device: &Word<'_>) -> Option<Problem> {
    let kind = |path: &str| reader.facts.path(path).map(|fact| fact.kind);
    if STONITH_PROGRAMS.iter().all(|path| kind(path) == Some(PathKind::Missing)) {
        let problem = reader.error(device, "there is no program stonith on this machine to fence with");
        let problem = problem.remedy("install cluster-glue, or write fence COMMAND in latido.cf");
        return Some(problem.original(format!("Invalid Stonith type [{}]", device.text)));
    }
    let file = plugin_of(device.text)?;
    // Elsewhere they may lie in another place.
    if kind(PLUGINS) != Some(PathKind::Directory) || kind(&file) != Some(PathKind::Missing) {
        return None;
    }
    let problem = reader.error(device, format!("there is no fencing plugin \"{}\"", device.text));
    Some(problem.remedy("stonith -L lists them").original(format!("Invalid Stonith type [{}]", device.text)))
}

pub(super) fn stonith(reader: &mut Reader<'_>, _: &'static Directive, line: &FileLine<'_>) {
    let words = line.words();
    let [device, rest @ ..] = words.as_slice() else {
        let problem = reader.error(&line.directive, "stonith needs TYPE and CONFIGFILE");
        return reader.push(problem.original("No Stonith type given"));
    };
    let Some(file) = rest.first() else {
        let problem = reader.error(device, "stonith needs a CONFIGFILE with the parameters of the device");
        return reader.push(problem.remedy("or write them here: stonith_host * TYPE PARAMETERS"));
    };
    if reader.facts.path(file.text).is_some_and(|fact| fact.kind == PathKind::Missing) {
        let problem = reader.error(file, format!("{} does not exist", file.text));
        return reader.push(problem.original(format!("Invalid Stonith configuration parameter [{}]", file.text)));
    }
    if let Some(why) = reader.facts.path(file.text).and_then(|fact| fact.writable_by_others) {
        let problem = reader.error(file, format!("{why}: this device is not used")).alone();
        reader.push(problem.remedy("chown root and chmod go-w the file and its directory"));
    }
    fencing(reader, line, device, FenceDevice::File { device: device.text.to_owned(), file: file.text.to_owned() });
}

pub(super) fn stonith_host(reader: &mut Reader<'_>, _: &'static Directive, line: &FileLine<'_>) {
    let words = line.words();
    let Some((host, rest)) = words.split_first() else {
        let problem = reader.error(&line.directive, "stonith_host needs HOST, TYPE and PARAMETERS");
        return reader.push(problem.original("No Stonith hostname argument given"));
    };
    let me = reader.facts.node_name();
    if host.text != "*" && me.is_none_or(|me| !me.as_str().eq_ignore_ascii_case(host.text)) {
        return;
    }
    let Some((device, parameters)) = rest.split_first() else {
        return reader.push(reader.error(host, "stonith_host needs a TYPE").original("No Stonith type given"));
    };
    let parameters = parameters.iter().map(|word| word.text).collect::<Vec<_>>().join(" ");
    fencing(reader, line, device, FenceDevice::Parameters { device: device.text.to_owned(), parameters });
}
