//! Reads the configuration files and asks this machine what they need to know of it (`config.md` 4, 5 and 8). IO; judges
//! nothing itself beyond who could have written the files.

use std::fs;
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

use super::at_boot::{has_unit, started_at_boot};
use super::config_files::{self, Trust, is_there, read};
use super::layout::lacks;
use super::lookup::{FoundAgent, ProgramPlaces};
use super::{cards, trust};

/// How to read.
#[derive(Clone, Debug, Default)]
pub struct ReadOptions {
    /// Read as if on that node, and leave out what only that host could know.
    pub as_node: Option<NodeName>,
    /// `-M`: groups are never touched and `haresources` is not read.
    pub without_resources: bool,
    /// Do not resolve host names, which may take seconds: for a daemon that must not wait.
    pub without_resolver: bool,
}

/// Reads all files and assembles the configuration, for this host or as if on `as_node`.
pub fn load(paths: &Paths, as_node: Option<NodeName>) -> Result<Config, Vec<Problem>> {
    load_with(paths, &ReadOptions { as_node, ..ReadOptions::default() }).1
}

/// As [`load`], with all options; the sources come along for whoever wants to show the lines.
pub fn load_with(paths: &Paths, options: &ReadOptions) -> (Sources, Result<Config, Vec<Problem>>) {
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
    let sources = read_sources(paths, &ReadOptions { as_node: Some(nowhere.clone()), ..ReadOptions::default() });
    let first = sources.ha_cf.as_ref().and_then(|source| first_node(&source.text));
    (sources, first.unwrap_or(nowhere))
}

/// Reads the files; what is missing or open to others is said in `problems`.
pub fn read_sources(paths: &Paths, options: &ReadOptions) -> Sources {
    let mut problems = Vec::new();
    // As on another node: nothing of it is done here.
    let trust = if options.as_node.is_none() { Trust::Root } else { Trust::Anybody };
    if trust == Trust::Root
        && let Some(problem) = config_files::directory_problem(paths)
    {
        let without_resources = options.without_resources;
        return Sources { problems: vec![problem], without_resources, ..Sources::default() };
    }
    let ha_cf = read(&paths.ha_cf(), "Cannot open config file", trust, &mut problems);
    let latido_cf = match paths.latido_cf() {
        path if is_there(&path) => read(&path, "Cannot open config file", trust, &mut problems),
        _ => None,
    };
    let authkeys = read(&paths.authkeys(), "Cannot open keyfile", trust, &mut problems);
    if trust == Trust::Root {
        problems.extend(config_files::key_file_mode(&paths.authkeys()));
        problems.extend(config_files::nodeinfo_problem(paths));
        problems.extend(config_files::script_problems(paths));
    }
    let haresources = if options.without_resources {
        None
    } else {
        read(&paths.haresources(), "Cannot open resources file", trust, &mut problems)
    };
    Sources { ha_cf, latido_cf, haresources, authkeys, problems, without_resources: options.without_resources }
}

/// For a daemon that has only to stop what another left, and for work by hand: the name of this node, what `ha.cf` says of
/// logs and of variables for scripts, and `latido.cf`
/// of scripts if that can be read, no media and no groups.
pub(crate) fn nothing_but_a_name(paths: &Paths) -> Option<Config> {
    // Not every name of a machine can be a node's; scripts run all the same.
    let me = host_name(&paths.ha_dir).or_else(|| NodeName::new("localhost"))?;
    let text = |name: &str, text: String| Some(SourceText::new(name, text));
    let bare = format!("node {me}\nbcast lo\nauto_failback off\n");
    // Others' words count for nothing here either, and theirs may be a log that is a file of root's.
    let of_root = |path: &Path| match config_files::directory_problem(paths) {
        None => read(path, "", Trust::Root, &mut Vec::new()),
        Some(_) => None,
    };
    let ha_cf = of_root(&paths.ha_cf()).unwrap_or_default();
    let of_logs = |line: &&str| {
        let word = line.split_whitespace().next().unwrap_or_default();
        ["logfile", "debugfile", "logfacility", "debug", "use_logd", "env"].contains(&word)
    };
    let logs: String = ha_cf.text.lines().filter(of_logs).map(|line| format!("{line}\n")).collect();
    let sources = Sources {
        ha_cf: text("ha.cf", format!("{bare}{logs}")),
        latido_cf: of_root(&paths.latido_cf()),
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
    read(&paths.haresources(), "", Trust::Anybody, &mut Vec::new())
}

/// The same for programs that start and stop what it names.
pub(crate) fn haresources_of_root(paths: &Paths) -> Option<SourceText> {
    match config_files::directory_problem(paths) {
        None => read(&paths.haresources(), "", Trust::Root, &mut Vec::new()),
        Some(_) => None,
    }
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
pub(crate) struct FewFacts {
    name: Option<NodeName>,
    services: Vec<(String, u16)>,
}

/// Looks only for the name of this node and the numbers of services.
pub(crate) fn few_facts(paths: &Paths) -> FewFacts {
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
pub fn host_facts(paths: &Paths, options: &ReadOptions) -> HostFacts {
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
    config_files::nodeinfo(ha_dir).as_deref().and_then(NodeName::new).or_else(|| {
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
    log::debug!("reading /etc/services");
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
            .find(|path| !matches!(trust::program(path), Ok(None)))
    }
}

/// Why someone other than root could put another file in its place: as strict as the daemon is before it runs a script.
fn writable_by_others(path: &Path) -> Option<String> {
    match trust::program(path) {
        Err(refusal) => Some(refusal.why()),
        Ok(Some(_)) => None,
        Ok(None) => match trust::walk(path) {
            Ok(trust::FoundAt::Exposed(exposed)) => Some(exposed.to_string()),
            Ok(trust::FoundAt::Nothing | trust::FoundAt::Trusted(_)) | Err(_) => None,
        },
    }
}

impl Facts for HostFacts {
    fn node_name(&self) -> Option<NodeName> {
        self.name.clone()
    }

    fn interfaces(&self) -> Option<Vec<Interface>> {
        self.interfaces.clone()
    }

    fn own_name(&self, interface: &str) -> Option<String> {
        cards::own_name(interface)
    }

    fn hardware(&self, medium: &str) -> Option<Vec<String>> {
        Some(cards::hardware(medium))
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
        match ProgramPlaces::new(&self.paths).find(agent) {
            Ok(FoundAgent::Ours) if agent::place_of(agent).is_some() => return Some(ScriptFact::BuiltIn),
            // A link to this program, which has no agent of that name.
            Ok(FoundAgent::Ours) if let Some(path) = self.script_path(agent) => {
                let why = format!("{} leads to this program, which has no agent of that name", path.display());
                return Some(ScriptFact::Missing(why));
            }
            Ok(FoundAgent::Script(_)) => return Some(ScriptFact::Found),
            // What such scripts read first is complained about once.
            Err(_) if let Some(path) = self.script_path(agent) => {
                let refusal = trust::program(&path).err();
                return Some(refusal.map_or(ScriptFact::Found, |refusal| ScriptFact::Unsafe(refusal.why())));
            }
            Ok(FoundAgent::Ours | FoundAgent::Unit(_)) | Err(_) => {}
        }
        if has_unit(Path::new("/"), agent) || agent::place_of(agent).is_some() {
            return Some(ScriptFact::Found);
        }
        Some(ScriptFact::Missing(format!(
            "there is no executable {agent} in {} or {}, no unit {agent}.service, and no built-in agent of that name",
            self.paths.resource_dir().display(),
            self.paths.init_dir.display(),
        )))
    }
}
