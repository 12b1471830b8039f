//! Reads the configuration files and asks this machine what they need to know of it. IO; judges nothing itself
//! beyond the files' own modes (`config.md` 4, 5 and 8).

use std::fs;
use std::io::Read as _;
use std::net::{IpAddr, ToSocketAddrs as _};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use nix::ifaddrs::getifaddrs;
use nix::unistd::{Group, User};

use crate::agent;
use crate::config::{Config, Facts, Interface, Lack, OnlyName, PathFact, PathKind, ScriptFact, Sources, first_node};
use crate::diagnostic::{Problem, SourceText};
use crate::names::NodeName;
use crate::paths::Paths;

use super::boot::started_at_boot;
use super::layout::lacks;
use super::lookup::{Found, Places, executable, exposed, unit_dirs};

/// Longest configuration file we read, in bytes.
const LONGEST_FILE: u64 = 4 << 20;

/// How to read.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Read as if on that node, and leave out what only that host could know.
    pub as_node: Option<NodeName>,
    /// `-M`: groups are never touched and `haresources` is not read.
    pub without_resources: bool,
    /// Do not resolve host names, which may take seconds: for a daemon that must not wait.
    pub without_resolver: bool,
}

/// Reads all files and assembles the configuration, for this host or as if on `as_node`.
pub fn load(paths: &Paths, as_node: Option<NodeName>) -> Result<Config, Vec<Problem>> {
    load_with(paths, &Options { as_node, ..Options::default() }).1
}

/// As [`load`], with all options; the sources come along for whoever wants to show the lines.
pub fn load_with(paths: &Paths, options: &Options) -> (Sources, Result<Config, Vec<Problem>>) {
    let sources = read_sources(paths, options);
    let config = match &options.as_node {
        Some(node) => Config::assemble(&sources, &OnlyName(node.clone())),
        None => Config::assemble(&sources, &host_facts(paths, options)),
    };
    (sources, config)
}

/// Reads the files as on no host in particular, and says as whom they are to be read: the first node they name, or
/// `localhost` where they name none.
pub fn read_elsewhere(paths: &Paths) -> (Sources, NodeName) {
    let nowhere = NodeName::new("localhost").expect("a good name");
    let sources = read_sources(paths, &Options { as_node: Some(nowhere.clone()), ..Options::default() });
    let first = sources.ha_cf.as_ref().and_then(|source| first_node(&source.text));
    (sources, first.unwrap_or(nowhere))
}

/// Reads the files; what is missing or open to others is said in `problems`.
pub fn read_sources(paths: &Paths, options: &Options) -> Sources {
    let mut problems = Vec::new();
    let ha_cf = read(&paths.ha_cf(), "Cannot open config file", &mut problems);
    let latido_cf = match paths.latido_cf() {
        path if path.exists() => read(&path, "Cannot open config file", &mut problems),
        _ => None,
    };
    let authkeys = read(&paths.authkeys(), "Cannot open keyfile", &mut problems);
    if authkeys.is_some() && options.as_node.is_none() {
        problems.extend(key_file_mode(&paths.authkeys()));
    }
    let haresources = if options.without_resources {
        None
    } else {
        read(&paths.haresources(), "Cannot open resources file", &mut problems)
    };
    Sources { ha_cf, latido_cf, haresources, authkeys, problems, without_resources: options.without_resources }
}

/// For a daemon that has only to stop what another left: the name of this node, what `ha.cf` says of logs and `latido.cf`
/// of scripts if that can be read, no media and no groups. `None` when this node has no name.
pub(super) fn nothing_but_a_name(paths: &Paths) -> Option<Config> {
    let me = host_name(&paths.ha_dir)?;
    let text = |name: &str, text: String| Some(SourceText::new(name, text));
    let bare = format!("node {me}\nbcast lo\nauto_failback off\n");
    let ha_cf = read(&paths.ha_cf(), "", &mut Vec::new()).unwrap_or_default();
    let of_logs = |line: &&str| {
        let word = line.split_whitespace().next().unwrap_or_default();
        ["logfile", "debugfile", "logfacility", "debug", "use_logd"].contains(&word)
    };
    let logs: String = ha_cf.text.lines().filter(of_logs).map(|line| format!("{line}\n")).collect();
    let sources = Sources {
        ha_cf: text("ha.cf", format!("{bare}{logs}")),
        latido_cf: read(&paths.latido_cf(), "", &mut Vec::new()),
        authkeys: text("authkeys", "auth 1\n1 crc\n".to_owned()),
        haresources: text("haresources", String::new()),
        ..Sources::default()
    };
    let facts = OnlyName(me);
    let config = Config::assemble(&sources, &facts);
    let least = || Sources { ha_cf: text("ha.cf", bare.clone()), latido_cf: None, ..sources.clone() };
    let config = config.or_else(|_| Config::assemble(&least(), &facts)).ok()?;
    Some(Config { media: Vec::new(), ..config })
}

/// `haresources` alone, for programs that only list groups; `None` when it cannot be read.
pub fn read_haresources(paths: &Paths) -> Option<SourceText> {
    read(&paths.haresources(), "Cannot open resources file", &mut Vec::new())
}

fn read(path: &Path, original: &str, problems: &mut Vec<Problem>) -> Option<SourceText> {
    let name = path.display().to_string();
    let bytes = match read_bytes(path) {
        Ok(bytes) => bytes,
        Err(why) => {
            problems.push(
                Problem::error(&name, format!("cannot read the file: {why}"))
                    .remedy("`latido check` reads ha.cf, authkeys and haresources from one directory")
                    .original(format!("{original} [{name}]")),
            );
            return None;
        }
    };
    match String::from_utf8(bytes) {
        Ok(text) => Some(SourceText::new(name, text)),
        Err(error) => {
            // A comment in an old encoding harms nothing; a key in one would become another key.
            let text = String::from_utf8_lossy(error.as_bytes()).into_owned();
            if path.ends_with("authkeys") && foreign_bytes_outside_comments(&text) {
                let problem = Problem::error(&name, "a key holds bytes that are not UTF-8");
                problems.push(problem.remedy("use letters and digits of ASCII, on both nodes"));
            }
            Some(SourceText::new(name, text))
        }
    }
}

fn foreign_bytes_outside_comments(text: &str) -> bool {
    text.lines().any(|line| !line.trim_start().starts_with('#') && line.contains(char::REPLACEMENT_CHARACTER))
}

fn read_bytes(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    fs::File::open(path)?.take(LONGEST_FILE + 1).read_to_end(&mut bytes)?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length > LONGEST_FILE) {
        return Err(std::io::Error::other("longer than 4 MiB: this is no configuration file"));
    }
    Ok(bytes)
}

/// Readable by others: the keys are no secret, and the original refuses. Writable by others or owned by someone
/// else: the original does not care; a warning.
fn key_file_mode(path: &Path) -> Vec<Problem> {
    let name = path.display().to_string();
    let Ok(meta) = fs::metadata(path) else { return Vec::new() };
    let mode = meta.mode() & 0o7777;
    let remedy = format!("chmod 600 {name}");
    let mut problems = Vec::new();
    if mode & 0o044 != 0 {
        problems.push(
            Problem::error(&name, format!("mode {mode:04o}: others can read the keys"))
                .remedy(&remedy)
                .original(format!("Bad permissions on keyfile [{name}], 600 recommended.")),
        );
    } else if mode & 0o022 != 0 {
        problems.push(Problem::warning(&name, format!("mode {mode:04o}: others can change the keys")).remedy(remedy));
    }
    if !trusted_owner(meta.uid()) {
        let what = format!("owned by user {}, who can change the keys", meta.uid());
        problems.push(Problem::warning(&name, what).remedy(format!("chown root {name}")));
    }
    problems
}

/// Root, ourselves, and inside a user namespace whoever has no name there: the host's root, for one.
pub(super) fn trusted_owner(uid: u32) -> bool {
    const NOBODY_HERE: u32 = 65534;
    uid == 0 || uid == nix::unistd::geteuid().as_raw() || (uid == NOBODY_HERE && in_user_namespace())
}

fn in_user_namespace() -> bool {
    fs::read_to_string("/proc/self/uid_map").is_ok_and(|map| !map.contains("4294967295"))
}

/// This machine.
#[derive(Clone, Debug)]
pub struct HostFacts {
    paths: Paths,
    name: Option<NodeName>,
    interfaces: Option<Vec<Interface>>,
    services: Vec<(String, u16)>,
    resolver: bool,
}

/// What files that were accepted once need to mean the same again: nothing that can have gone away since.
#[derive(Clone, Debug)]
pub(super) struct FewFacts {
    name: Option<NodeName>,
    services: Vec<(String, u16)>,
}

/// Looks only for the name of this node and the numbers of services.
pub(super) fn few_facts(paths: &Paths) -> FewFacts {
    FewFacts { name: host_name(&paths.ha_dir), services: udp_services() }
}

impl Facts for FewFacts {
    fn node_name(&self) -> Option<NodeName> {
        self.name.clone()
    }

    fn udp_port_of(&self, service: &str) -> Option<u16> {
        self.services.iter().find(|(name, _)| name == service).map(|(_, port)| *port)
    }
}

/// Looks at this machine; names and interfaces once, the rest when asked.
pub fn host_facts(paths: &Paths, options: &Options) -> HostFacts {
    HostFacts {
        paths: paths.clone(),
        name: host_name(&paths.ha_dir),
        interfaces: interfaces(),
        services: udp_services(),
        resolver: !options.without_resolver,
    }
}

/// The first line of `nodeinfo` if it ends in a newline, else `uname -n`.
pub fn host_name(ha_dir: &Path) -> Option<NodeName> {
    let nodeinfo = fs::read_to_string(ha_dir.join("nodeinfo")).ok();
    let first = nodeinfo.as_deref().and_then(|text| text.split_once('\n')).map(|(line, _)| line.trim());
    first.and_then(NodeName::new).or_else(|| {
        let uname = nix::sys::utsname::uname().ok()?;
        NodeName::new(uname.nodename().to_str()?)
    })
}

fn interfaces() -> Option<Vec<Interface>> {
    let mut found: Vec<Interface> = Vec::new();
    for entry in getifaddrs().ok()? {
        let index = found.iter().position(|other| other.name == entry.interface_name).unwrap_or_else(|| {
            found.push(Interface { name: entry.interface_name.clone(), addresses: Vec::new() });
            found.len() - 1
        });
        let address = entry.address.as_ref().and_then(ip_of);
        let prefix = entry.netmask.as_ref().and_then(ip_of).map(prefix_of);
        if let (Some(address), Some(interface)) = (address, found.get_mut(index)) {
            interface.addresses.push((address, prefix.unwrap_or(if address.is_ipv4() { 32 } else { 128 })));
        }
    }
    Some(found)
}

fn ip_of(address: &nix::sys::socket::SockaddrStorage) -> Option<IpAddr> {
    let v4 = address.as_sockaddr_in().map(|v4| IpAddr::V4(v4.ip()));
    v4.or_else(|| address.as_sockaddr_in6().map(|v6| IpAddr::V6(v6.ip())))
}

fn prefix_of(mask: IpAddr) -> u8 {
    let ones = match mask {
        IpAddr::V4(mask) => mask.to_bits().count_ones(),
        IpAddr::V6(mask) => mask.to_bits().count_ones(),
    };
    u8::try_from(ones).unwrap_or(128)
}

/// The UDP services of `/etc/services`.
fn udp_services() -> Vec<(String, u16)> {
    let text = fs::read("/etc/services").unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    text.lines()
        .filter_map(|line| {
            let mut words = line.split('#').next()?.split_whitespace();
            let name = words.next()?;
            let port = words.next()?.strip_suffix("/udp")?.parse().ok()?;
            Some((name.to_owned(), port))
        })
        .collect()
}

impl HostFacts {
    /// The file a resource's agent name leads to, if it is a file.
    fn script_path(&self, agent: &str) -> Option<PathBuf> {
        [self.paths.resource_dir(), self.paths.init_dir.clone()]
            .into_iter()
            .map(|dir| dir.join(agent))
            .find(|path| executable(path).is_some())
    }
}

fn has_unit(agent: &str) -> bool {
    unit_dirs().iter().any(|dir| dir.join(format!("{agent}.service")).exists())
}

/// Why someone other than root could put another file in its place: as strict as the daemon is before it runs a script.
fn writable_by_others(path: &Path) -> Option<String> {
    exposed(path).ok().flatten()
}

impl Facts for HostFacts {
    fn node_name(&self) -> Option<NodeName> {
        self.name.clone()
    }

    fn interfaces(&self) -> Option<Vec<Interface>> {
        self.interfaces.clone()
    }

    fn path(&self, path: &str) -> Option<PathFact> {
        let path = Path::new(path);
        let Ok(meta) = fs::metadata(path) else {
            return Some(PathFact { kind: PathKind::Missing, executable: false, writable_by_others: None });
        };
        let kind = match meta.file_type() {
            kind if kind.is_char_device() => PathKind::CharDevice,
            kind if kind.is_dir() => PathKind::Directory,
            kind if kind.is_file() => PathKind::File,
            _ => PathKind::Other,
        };
        let executable = meta.mode() & 0o111 != 0;
        Some(PathFact { kind, executable, writable_by_others: writable_by_others(path) })
    }

    fn can_write(&self, path: &str) -> Option<Result<(), String>> {
        let path = Path::new(path);
        if path.is_dir() {
            return Some(Err("it is a directory".to_owned()));
        }
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let found = fs::metadata(parent).map_err(|why| format!("{}: {why}", parent.display()));
        Some(found.and_then(|meta| {
            if meta.is_dir() { Ok(()) } else { Err(format!("{} is not a directory", parent.display())) }
        }))
    }

    fn user_exists(&self, user: &str) -> Option<bool> {
        Some(user.parse::<u32>().is_ok() || User::from_name(user).ok()?.is_some())
    }

    fn group_exists(&self, group: &str) -> Option<bool> {
        Some(group.parse::<u32>().is_ok() || Group::from_name(group).ok()?.is_some())
    }

    fn resolves(&self, host: &str, v6: bool) -> Option<bool> {
        if !self.resolver {
            return None;
        }
        let found = (host, 0).to_socket_addrs().map(Iterator::collect::<Vec<_>>).unwrap_or_default();
        Some(found.iter().any(|address| address.is_ipv6() == v6))
    }

    fn udp_port_of(&self, service: &str) -> Option<u16> {
        self.services.iter().find(|(name, _)| name == service).map(|(_, port)| *port)
    }

    fn udp_service_at(&self, port: u16) -> Option<String> {
        self.services.iter().find(|(_, other)| *other == port).map(|(name, _)| name.clone())
    }

    fn started_at_boot(&self, agent: &str) -> Option<String> {
        started_at_boot(Path::new("/"), agent).map(|link| link.display().to_string())
    }

    fn lacks(&self, agent: &str) -> Vec<Lack> {
        lacks(&self.paths, agent)
    }

    fn resource_script(&self, agent: &str) -> Option<ScriptFact> {
        if agent.is_empty() || agent.contains('/') {
            return Some(ScriptFact::Missing("a resource is the name of a script, without a path".to_owned()));
        }
        if let Some(path) = self.script_path(agent) {
            // A link to this program is not run from there.
            let is_ours = matches!(Places::new(&self.paths).find(agent), Ok(Found::Ours));
            let why = if is_ours { None } else { writable_by_others(&path) };
            return Some(why.map_or(ScriptFact::Found, ScriptFact::Unsafe));
        }
        if has_unit(agent) || agent::place_of(agent).is_some() {
            return Some(ScriptFact::Found);
        }
        Some(ScriptFact::Missing(format!(
            "there is no executable {agent} in {} or {}, no unit {agent}.service, and no built-in agent of that name",
            self.paths.resource_dir().display(),
            self.paths.init_dir.display(),
        )))
    }
}
