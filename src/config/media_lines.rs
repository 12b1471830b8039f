//! Lines that name a medium: `serial`, `bcast`, `ucast`, `mcast`, `ping` and the rest (`config.md` 3, `wire.md` 7). Pure.

use std::net::{Ipv4Addr, Ipv6Addr};

use crate::diagnostic::{Place, Problem};
use crate::names::NodeName;

use super::facts::{Interface, PathKind};
use super::ha_cf::Given;
use super::line::{FileLine, Word};
use super::media::MediumSpec;
use super::reader::{Directive, Reader};
use super::{scalar, value};

/// Media the original can hold.
const MOST_MEDIA: usize = 64;

/// Longest name of an interface, in bytes (Linux: IFNAMSIZ - 1).
const LONGEST_INTERFACE: usize = 15;

/// Adds a medium that may be missing on this machine now: it is complained about, and waited for.
fn add_even_if(reader: &mut Reader<'_>, lacking: Vec<Problem>, word: &Word<'_>, spec: MediumSpec) {
    for problem in lacking {
        reader.cf.lacking.push((spec.clone(), problem.clone()));
        reader.push(problem);
    }
    add(reader, word, spec);
}

fn add(reader: &mut Reader<'_>, word: &Word<'_>, spec: MediumSpec) {
    let twin = reader.cf.media.iter().find(|medium| medium.value == spec).map(|medium| medium.place.line);
    if let Some(line) = twin {
        let what = format!("{} {} is already named in line {line}", spec.directive(), word.text);
        return reader
            .push(reader.warning(word, what).remedy("remove one of them; a second path needs other hardware"));
    }
    if reader.cf.media.len() >= MOST_MEDIA {
        let problem = reader.error(word, format!("more than {MOST_MEDIA} media"));
        return reader.push(problem.original(format!("Too many media specified (> {MOST_MEDIA})")));
    }
    let place = Place { line: word.line, span: word.span.clone() };
    reader.cf.media.push(Given { value: spec, place });
}

/// The value the first medium of a kind fixes for all of its kind (`config.md` 3, ordering rules).
fn fixed(reader: &mut Reader<'_>, kind: &'static str, word: &Word<'_>, now: u32) -> u32 {
    let place = Place { line: word.line, span: word.span.clone() };
    reader.cf.fixed.entry(kind).or_insert(Given { value: now, place }).value
}

fn fixed_port(reader: &mut Reader<'_>, kind: &'static str, word: &Word<'_>) -> u16 {
    let now = u32::from(reader.cf.udpport);
    u16::try_from(fixed(reader, kind, word, now)).unwrap_or(694)
}

pub(super) fn serial(reader: &mut Reader<'_>, _: &'static Directive, word: &Word<'_>) {
    if !word.text.starts_with('/') {
        let problem = reader.error(word, format!("\"{}\" is not the full path of a serial port", word.text));
        let phrase = format!("Serial port not full pathname [{}] in config file", word.text);
        return reader.push(problem.remedy(format!("write /dev/{}", word.text)).original(phrase));
    }
    let lacking = match reader.facts.path(word.text).map(|fact| fact.kind) {
        // A cable's adapter may be plugged in later.
        Some(PathKind::Missing) => Some(
            reader
                .error(word, format!("{}: no such device", word.text))
                .original(format!("Nonexistent serial port [{}] in config file", word.text))
                .lacking(),
        ),
        Some(PathKind::Directory | PathKind::File | PathKind::Other) => {
            let problem = reader.error(word, format!("{} is not a serial port", word.text));
            let phrase = format!("Serial port [{}] not a char device in config file", word.text);
            return reader.push(problem.original(phrase));
        }
        Some(PathKind::CharDevice) | None => None,
    };
    let now = reader.cf.baud;
    let baud = fixed(reader, "serial", word, now);
    add_even_if(reader, lacking.into_iter().collect(), word, MediumSpec::Serial { device: word.text.to_owned(), baud });
}

/// Looks an interface up; complains when it cannot be, which is final, or is not there, which is not. `Ok(None)` when
/// nobody knows.
fn interface(reader: &Reader<'_>, word: &Word<'_>, original: String) -> Result<Option<Interface>, Problem> {
    if word.text.len() > LONGEST_INTERFACE || word.text.contains('/') {
        return Err(reader.error(word, format!("\"{}\" cannot be an interface", word.text)).original(original));
    }
    let Some(all) = reader.facts.interfaces() else { return Ok(None) };
    if let Some(found) = all.iter().find(|interface| interface.name == word.text) {
        return Ok(Some(found.clone()));
    }
    if let Some(own) = reader.facts.own_name(word.text).filter(|own| own != word.text) {
        let problem = reader.error(word, format!("{} is another name of interface {own}", word.text));
        return Err(problem.remedy(format!("write {own}")).original(original));
    }
    let names: Vec<_> = all.iter().map(|interface| interface.name.as_str()).filter(|name| *name != "lo").collect();
    let have = if names.is_empty() { "this host has none".to_owned() } else { format!("have: {}", names.join(", ")) };
    let problem = reader.error(word, format!("interface {} does not exist", word.text));
    Err(problem.remedy(have).original(original).lacking())
}

/// What is final is said and ends the line (`None`); what the machine only lacks now is handed on.
fn lacking_at_most(reader: &mut Reader<'_>, problems: Vec<Problem>) -> Option<Vec<Problem>> {
    if problems.iter().any(Problem::is_fatal) {
        problems.into_iter().for_each(|problem| reader.push(problem));
        return None;
    }
    let (lacking, others): (Vec<_>, Vec<_>) = problems.into_iter().partition(|problem| problem.lacking);
    others.into_iter().for_each(|problem| reader.push(problem));
    Some(lacking)
}

pub(super) fn bcast(reader: &mut Reader<'_>, _: &'static Directive, word: &Word<'_>) {
    let original = format!("Get broadcast for interface {} failed: No such device", word.text);
    let problem = match interface(reader, word, original) {
        Err(problem) => Some(problem),
        Ok(Some(found)) if !found.has_ipv4() => {
            let phrase = format!("Get broadcast for interface {} failed: Cannot assign requested address", word.text);
            let problem = reader.error(word, format!("interface {} has no IPv4 address", word.text));
            Some(problem.remedy("give it one before heartbeat starts").original(phrase).lacking())
        }
        Ok(Some(_) | None) => None,
    };
    let Some(lacking) = lacking_at_most(reader, problem.into_iter().collect()) else { return };
    let port = fixed_port(reader, "bcast", word);
    add_even_if(reader, lacking, word, MediumSpec::Bcast { interface: word.text.to_owned(), port });
}

pub(super) fn udp(reader: &mut Reader<'_>, directive: &'static Directive, word: &Word<'_>) {
    let problem = reader.warning(word, "\"udp\" is the old name of \"bcast\"");
    reader.push(problem.remedy("write bcast").original("WARNING: directive 'udp' replaced by 'bcast'"));
    bcast(reader, directive, word);
}

fn surplus(reader: &mut Reader<'_>, words: &[Word<'_>], most: usize) {
    if let Some(word) = words.get(most) {
        let what = format!("\"{}\" and what follows it are ignored", word.text);
        reader.push(reader.warning(word, what).remedy("a comment starts with #"));
    }
}

pub(super) fn ucast(reader: &mut Reader<'_>, _: &'static Directive, line: &FileLine<'_>) {
    let words = line.words();
    let [nic, host, ..] = words.as_slice() else {
        let problem = reader
            .error(&line.tail().unwrap_or_else(|| line.directive.clone()), "ucast needs INTERFACE and PEER-ADDRESS")
            .remedy("for instance: ucast eth0 192.168.1.2");
        // Without any word the original crashes.
        return reader.push(match words.first() {
            Some(nic) => problem.original(format!("ucast: [{}] missing target IP address/hostname", nic.text)),
            None => problem,
        });
    };
    surplus(reader, &words, 2);
    let nic_problem = interface(reader, nic, format!("ucast: interface [{}] does not exist", nic.text)).err();
    let host_problem = host_v4(reader, host, "ucast: cannot resolve hostname", "ucast6");
    let problems = nic_problem.into_iter().chain(host_problem).collect();
    let Some(lacking) = lacking_at_most(reader, problems) else { return };
    let port = fixed_port(reader, "ucast", &line.directive);
    let spec = MediumSpec::Ucast { interface: nic.text.to_owned(), host: host.text.to_owned(), port };
    add_even_if(reader, lacking, &line.tail().unwrap_or_else(|| line.directive.clone()), spec);
}

/// Complains about a host that is no IPv4 address: a name needs a resolver, anything else cannot work.
fn host_v4(reader: &Reader<'_>, word: &Word<'_>, original: &str, v6_directive: &str) -> Option<Problem> {
    if word.text.parse::<Ipv4Addr>().is_ok() {
        return None;
    }
    let problem = if word.text.parse::<Ipv6Addr>().is_ok() {
        reader.error(word, format!("{} is an IPv6 address", word.text)).remedy(format!("write {v6_directive}"))
    } else if !value::could_be_host(word.text) {
        reader.error(word, format!("\"{}\" is neither an address nor a host name", word.text))
    } else if looks_like_address(word.text) {
        reader.error(word, format!("\"{}\" is not an IPv4 address", word.text))
    } else if reader.facts.resolves(word.text, false) == Some(false) {
        // The resolver may be there later than this node.
        reader.error(word, format!("host name {} does not resolve", word.text)).remedy("use an address").lacking()
    } else {
        return Some(
            reader
                .warning(word, format!("{} is a host name: it needs a resolver when the machine boots", word.text))
                .remedy("use an address"),
        );
    };
    Some(problem.original(original))
}

/// Only digits and dots: `10.0.0.300` is a slip, not a host name.
fn looks_like_address(word: &str) -> bool {
    word.contains('.') && word.chars().all(|c| c.is_ascii_digit() || c == '.')
}

/// The five words of `mcast` and `mcast6`.
struct Multicast<'w, 'a> {
    nic: &'w Word<'a>,
    group: &'w Word<'a>,
    port: u16,
    hops: Option<u8>,
    looped: bool,
    lacking: Vec<Problem>,
}

/// Reads the five words; complains about all that are wrong.
fn multicast<'w, 'a>(
    reader: &mut Reader<'_>,
    line: &FileLine<'a>,
    words: &'w [Word<'a>],
    least_hops: i64,
) -> Option<Multicast<'w, 'a>> {
    let name = line.directive.text;
    let (hops_name, example) =
        if name == "mcast" { ("TTL", "eth0 225.0.0.1 694 1 0") } else { ("HOPS", "eth0 ff02::225 694 1 0") };
    let [nic, group, port, hops, looped, ..] = words else {
        let parts = ["INTERFACE", "GROUP", "PORT", hops_name, "LOOP"];
        let missing = parts.get(words.len()).copied().unwrap_or("LOOP");
        let what = format!("{name} INTERFACE GROUP PORT {hops_name} LOOP: {missing} is missing");
        let problem = reader.error(&line.tail().unwrap_or_else(|| line.directive.clone()), what);
        let missing = if missing == "GROUP" { "mcast address".to_owned() } else { missing.to_lowercase() };
        let problem = problem.remedy(format!("for instance: {name} {example}"));
        // Without any word the original crashes.
        reader.push(match words.first() {
            Some(nic) => problem.original(format!("{name} [{}] missing {missing}", nic.text)),
            None => problem,
        });
        return None;
    };
    surplus(reader, words, 5);
    let original = |what: &str, word: &Word<'_>| format!("{name} [{}] bad {what} [{}]", nic.text, word.text);
    let mut problems = Vec::new();
    let invalid = format!("{name} device [{}] is invalid or not set up properly", nic.text);
    problems.extend(interface(reader, nic, invalid).err());
    let port_value = value::port(port.text).map_err(|flaw| {
        problems.push(reader.error(port, flaw.what).remedy(flaw.remedy).original(original("port", port)));
    });
    let hops_value = bounded(hops.text, least_hops, 4);
    if hops_value.is_none() {
        let what = format!("{hops_name} \"{}\" is not a number from {least_hops} to 4", hops.text);
        let phrase = if name == "mcast" { "ttl" } else { "hops" };
        problems.push(reader.error(hops, what).remedy("1 reaches the local network").original(original(phrase, hops)));
    }
    let loop_value = bounded(looped.text, 0, 1);
    if loop_value.is_none() {
        let what = format!("LOOP \"{}\" is neither 0 nor 1", looped.text);
        problems.push(reader.error(looped, what).remedy("write 0").original(original("loop", looped)));
    }
    if hops_value == Some(0) {
        reader.push(reader.warning(hops, format!("{hops_name} 0: packets never leave this host")).remedy("write 1"));
    }
    if let Ok(number) = port_value {
        scalar::warn_of_anybodys_port(reader, port, number);
    }
    let lacking = lacking_at_most(reader, problems)?;
    let hops = hops_value.and_then(|hops| u8::try_from(hops).ok());
    Some(Multicast { nic, group, port: port_value.ok()?, hops, looped: loop_value == Some(1), lacking })
}

fn bounded(word: &str, least: i64, most: i64) -> Option<i64> {
    match value::integer(word) {
        (value, true) if (least..=most).contains(&value) => Some(value),
        _ => None,
    }
}

pub(super) fn mcast(reader: &mut Reader<'_>, _: &'static Directive, line: &FileLine<'_>) {
    let words = line.words();
    let Some(found) = multicast(reader, line, &words, 0) else { return };
    let Some(group) = found.group.text.parse::<Ipv4Addr>().ok().filter(Ipv4Addr::is_multicast) else {
        let what = format!("\"{}\" is not an IPv4 multicast address", found.group.text);
        let problem = reader.error(found.group, what).remedy("choose one from 224.0.0.0 to 239.255.255.255");
        let phrase = format!("mcast [{}] bad addr [{}]", found.nic.text, found.group.text);
        return reader.push(problem.original(phrase));
    };
    let (interface, ttl) = (found.nic.text.to_owned(), found.hops.unwrap_or(1));
    let spec = MediumSpec::Mcast { interface, group, port: found.port, ttl, looped: found.looped };
    add_even_if(reader, found.lacking, &line.tail().unwrap_or_else(|| line.directive.clone()), spec);
}

pub(super) fn mcast6(reader: &mut Reader<'_>, _: &'static Directive, line: &FileLine<'_>) {
    let words = line.words();
    let Some(found) = multicast(reader, line, &words, -1) else { return };
    let Some(group) = found.group.text.parse::<Ipv6Addr>().ok().filter(Ipv6Addr::is_multicast) else {
        let what = format!("\"{}\" is not an IPv6 multicast address", found.group.text);
        let problem = reader.error(found.group, what).remedy("they start with ff, such as ff02::225");
        let phrase = format!("mcast6 [{}] bad addr [{}]", found.nic.text, found.group.text);
        return reader.push(problem.original(phrase));
    };
    let interface = found.nic.text.to_owned();
    let spec = MediumSpec::Mcast6 { interface, group, port: found.port, hops: found.hops, looped: found.looped };
    add_even_if(reader, found.lacking, &line.tail().unwrap_or_else(|| line.directive.clone()), spec);
}

pub(super) fn ucast6(reader: &mut Reader<'_>, _: &'static Directive, line: &FileLine<'_>) {
    let words = line.words();
    let [nic, host, ..] = words.as_slice() else {
        let word = line.tail().unwrap_or_else(|| line.directive.clone());
        let problem = reader.error(&word, "ucast6 needs INTERFACE and PEER-ADDRESS");
        return reader.push(problem.original(match words.first() {
            None => "ucast6 statement without device".to_owned(),
            Some(nic) => format!("ucast6 [{}] missing ucast6 address", nic.text),
        }));
    };
    surplus(reader, &words, 2);
    let original = format!("ucast6 device [{}] is invalid or not set up properly", nic.text);
    let problem = match interface(reader, nic, original.clone()) {
        Err(problem) => Some(problem),
        Ok(Some(found)) if !found.has_ipv6() => {
            let problem = reader.error(nic, format!("interface {} has no IPv6 address", nic.text));
            Some(problem.original(original).lacking())
        }
        Ok(Some(_) | None) => None,
    };
    let lacking = lacking_at_most(reader, problem.into_iter().collect());
    let Ok(address) = host.text.parse::<Ipv6Addr>() else {
        let problem = reader.error(host, format!("\"{}\" is not an IPv6 address", host.text));
        return reader.push(problem.original(format!("ucast6 [{}] bad addr [{}]", nic.text, host.text)));
    };
    if let Some(lacking) = lacking {
        let port = fixed_port(reader, "ucast6", &line.directive);
        let spec = MediumSpec::Ucast6 { interface: nic.text.to_owned(), address, port };
        add_even_if(reader, lacking, &line.tail().unwrap_or_else(|| line.directive.clone()), spec);
    }
}

pub(super) fn ping(reader: &mut Reader<'_>, _: &'static Directive, word: &Word<'_>) {
    let problem =
        host_v4(reader, word, &format!("Illegal ping [ping membership] in config file [{}]", word.text), "ping6");
    let Some(lacking) = lacking_at_most(reader, problem.into_iter().collect()) else { return };
    if let Some(node) = NodeName::new(word.text) {
        add_even_if(reader, lacking, word, MediumSpec::Ping { node, host: word.text.to_owned(), v6: false });
    }
}

pub(super) fn ping6(reader: &mut Reader<'_>, _: &'static Directive, word: &Word<'_>) {
    let literal = word.text.parse::<Ipv6Addr>().is_ok();
    let could_be = literal || (value::could_be_host(word.text) && !looks_like_address(word.text));
    let complaint = |what: String| {
        let phrase = format!("Illegal ping6 [ping6 membership] in config file [{}]", word.text);
        reader.error(word, what).original(phrase)
    };
    if !could_be {
        let problem = complaint(format!("\"{}\" is no IPv6 host", word.text));
        return reader.push(problem);
    }
    let unresolved = !literal && reader.facts.resolves(word.text, true) == Some(false);
    let lacking = unresolved.then(|| complaint(format!("\"{}\" has no IPv6 address now", word.text)).lacking());
    let lacking = lacking.into_iter().collect();
    if let Some(node) = NodeName::new(word.text) {
        add_even_if(reader, lacking, word, MediumSpec::Ping { node, host: word.text.to_owned(), v6: true });
    }
}

/// The original logs a member that does not resolve and goes on without it; so do we.
pub(super) fn ping_group(reader: &mut Reader<'_>, _: &'static Directive, line: &FileLine<'_>) {
    let words = line.words();
    let (Some(name), [_, hosts @ ..]) = (words.first(), words.as_slice()) else {
        return reader.push(reader.error(&line.directive, "ping_group needs NAME and at least one HOST"));
    };
    let Some(node) = NodeName::new(name.text).filter(|_| !hosts.is_empty()) else {
        return reader.push(reader.error(name, "ping_group needs NAME and at least one HOST"));
    };
    for host in hosts {
        if let Some(mut problem) = host_v4(reader, host, &format!("unknown host: {}", host.text), "an IPv4 address") {
            problem.severity = crate::diagnostic::Severity::Warning;
            (problem.alone, problem.lacking) = (false, false);
            reader.push(problem);
        }
    }
    let hosts = hosts.iter().map(|host| host.text.to_owned()).collect();
    add(reader, name, MediumSpec::PingGroup { node, hosts });
}
