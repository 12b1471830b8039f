//! The agents that are known by name (`resources.md` 9; forms of addresses in `config.md` 6): what each is, which
//! arguments it takes, and what is wrong with those it is given. Pure.
//!
//! The built-in agents read their arguments here, and so does everybody who says something about them beforehand:
//! nobody takes for fine what another refuses.
//!
//! ```text
//! mod.rs            the table, and the questions asked of it
//!   ├ address4.rs   IPaddr, IPaddr2, SendArp, IPsrcaddr ─┐
//!   ├ address6.rs   IPv6addr                            ─┴ network.rs  addresses, masks, names of interfaces
//!   ├ disk.rs       Filesystem, drbddisk
//!   └ delay_and_mail.rs Delay, MailTo
//! fault.rs          what is wrong, what would be right, and what it costs: all of them
//! ```

mod address4;
mod address6;
mod delay_and_mail;
mod disk;
mod fault;
mod network;

use std::net::IpAddr;
use std::path::PathBuf;

use super::Resource;

pub use address4::{Address4, Announce, Source};
pub use address6::Address6;
pub use delay_and_mail::{Delay, Mail};
pub use disk::{Device, Drbd, FileSystem, is_of_the_system};
pub use fault::{ArgumentFault, Weight};
pub use network::{LONGEST_NAME, no_host_of};

/// What a resource is to whoever uses its group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResourceKind {
    /// An IPv4 address that clients use.
    Address4,
    /// An IPv6 address that clients use.
    Address6,
    /// A disk that must not be written by two.
    Disk,
    /// What the group is there for; also all that is not known by name.
    Service,
    /// What accompanies the rest.
    Afterthought,
}

/// One argument of an agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Argument {
    /// As the agent of OCF calls it that the old word stands for.
    pub name: &'static str,
    /// Whether it must be given.
    pub needed: bool,
}

/// The arguments of a built-in agent, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Arguments {
    /// `IPaddr`, `IPaddr2`
    Address4(Address4),
    /// `IPv6addr`
    Address6(Address6),
    /// `IPsrcaddr`
    Source(Source),
    /// `SendArp`
    Announce(Announce),
    /// `Filesystem`
    FileSystem(FileSystem),
    /// `drbddisk`
    Drbd(Drbd),
    /// `MailTo`
    Mail(Mail),
    /// `Delay`
    Delay(Delay),
}

/// How the arguments of an agent are read.
type Read = fn(&[String]) -> Result<Arguments, ArgumentFault>;

/// One agent.
#[derive(Clone, Copy, Debug)]
pub struct KnownAgent {
    /// Its name, exactly.
    pub name: &'static str,
    /// What it is.
    pub kind: ResourceKind,
    /// Its arguments, in order.
    pub arguments: &'static [Argument],
    /// Of a built-in agent, how they are read.
    read: Option<Read>,
    /// Whether it starts whatever it is given, and says what it could not do.
    forgiving: bool,
}

const fn needed(name: &'static str) -> Argument {
    Argument { name, needed: true }
}

const fn optional(name: &'static str) -> Argument {
    Argument { name, needed: false }
}

const fn built_in(name: &'static str, kind: ResourceKind, arguments: &'static [Argument], read: Read) -> KnownAgent {
    KnownAgent { name, kind, arguments, read: Some(read), forgiving: false }
}

const fn forgiving(known: KnownAgent) -> KnownAgent {
    KnownAgent { forgiving: true, ..known }
}

const fn script(name: &'static str, kind: ResourceKind, arguments: &'static [Argument]) -> KnownAgent {
    KnownAgent { name, kind, arguments, read: None, forgiving: false }
}

/// Every agent that is known by name; the built-in ones first.
pub const AGENTS: [KnownAgent; 12] = [
    built_in("IPaddr", ResourceKind::Address4, &[needed("ip")], |args| {
        Address4::of_ipaddr(args).map(Arguments::Address4)
    }),
    built_in("IPaddr2", ResourceKind::Address4, &[needed("ip")], |args| {
        Address4::of_ipaddr2(args).map(Arguments::Address4)
    }),
    built_in("IPv6addr", ResourceKind::Address6, &[needed("ipv6addr")], |args| {
        Address6::read(args).map(Arguments::Address6)
    }),
    forgiving(built_in("SendArp", ResourceKind::Afterthought, &[needed("ip")], |args| {
        Announce::read(args).map(Arguments::Announce)
    })),
    built_in("IPsrcaddr", ResourceKind::Afterthought, &[needed("ipaddress")], |args| {
        Source::read(args).map(Arguments::Source)
    }),
    built_in(
        "Filesystem",
        ResourceKind::Disk,
        &[needed("device"), needed("directory"), optional("fstype"), optional("options")],
        |args| FileSystem::read(args).map(Arguments::FileSystem),
    ),
    built_in("drbddisk", ResourceKind::Disk, &[optional("drbd_resource")], |args| {
        Drbd::read(args).map(Arguments::Drbd)
    }),
    forgiving(built_in("MailTo", ResourceKind::Afterthought, &[needed("email"), optional("subject")], |args| {
        Mail::read(args).map(Arguments::Mail)
    })),
    built_in("Delay", ResourceKind::Afterthought, &[optional("startdelay"), optional("stopdelay")], |args| {
        Delay::read(args).map(Arguments::Delay)
    }),
    script("LVM", ResourceKind::Disk, &[needed("volgrpname")]),
    script("AudibleAlarm", ResourceKind::Afterthought, &[optional("nodelist")]),
    script("WinPopup", ResourceKind::Afterthought, &[optional("hostfile")]),
];

impl KnownAgent {
    /// Reads its arguments; `None` when it is no built-in agent.
    pub fn read(&self, args: &[String]) -> Option<Result<Arguments, ArgumentFault>> {
        self.read.map(|read| read(args))
    }

    /// Whether it is a built-in agent.
    pub fn is_built_in(&self) -> bool {
        self.read.is_some()
    }

    /// Its arguments by their names.
    pub fn named(&self, args: &[String]) -> Vec<(&'static str, String)> {
        self.arguments.iter().zip(args).map(|(argument, arg)| (argument.name, arg.clone())).collect()
    }

    fn faults(&self, args: &[String]) -> Vec<ArgumentFault> {
        let weighed = |fault: ArgumentFault| match self.forgiving {
            true => ArgumentFault { weight: Weight::Doubtful, ..fault },
            false => fault,
        };
        match self.read(args) {
            Some(Ok(arguments)) => arguments.doubts(self.name, args),
            Some(Err(fault)) => vec![weighed(fault)],
            // A script may find it elsewhere.
            None => {
                let missing = self.arguments.iter().skip(args.len()).find(|argument| argument.needed);
                let fault = |argument: &Argument| {
                    let what = format!("{} is called without its argument", self.name);
                    ArgumentFault::doubtful(what, format!("write {}::{}", self.name, argument.name.to_uppercase()))
                };
                missing.map(fault).into_iter().collect()
            }
        }
    }
}

impl Arguments {
    /// The address that has to be in a network of this machine, and the interface named with it.
    pub fn network(&self) -> Option<(IpAddr, Option<&str>)> {
        match self {
            Arguments::Address4(Address4 { ip, nic, .. }) => Some(((*ip).into(), nic.as_deref())),
            Arguments::Address6(Address6 { ip, nic, .. }) => Some(((*ip).into(), nic.as_deref())),
            Arguments::Announce(Announce { ip, nic, .. }) => nic.as_deref().map(|nic| ((*ip).into(), Some(nic))),
            Arguments::Source(_)
            | Arguments::FileSystem(_)
            | Arguments::Drbd(_)
            | Arguments::Mail(_)
            | Arguments::Delay(_) => None,
        }
    }

    fn doubts(&self, agent: &str, args: &[String]) -> Vec<ArgumentFault> {
        match self {
            Arguments::Address4(address) => address.doubts(agent, args),
            Arguments::Address6(address) => address.doubts(),
            Arguments::Source(source) => source.doubts(args),
            Arguments::Announce(announce) => announce.doubts(args),
            Arguments::FileSystem(file_system) => file_system.doubts(args),
            Arguments::Drbd(drbd) => drbd.doubts(args),
            Arguments::Mail(mail) => mail.doubts(args),
            Arguments::Delay(_) => Delay::doubts(args),
        }
    }
}

/// The agent of that name.
pub fn find(name: &str) -> Option<&'static KnownAgent> {
    AGENTS.iter().find(|known| known.name == name)
}

/// The built-in agent whose name differs from this one only by upper and lower case.
pub fn other_case(name: &str) -> Option<&'static str> {
    let same = |known: &&KnownAgent| known.is_built_in() && known.name.eq_ignore_ascii_case(name) && known.name != name;
    AGENTS.iter().find(same).map(|known| known.name)
}

/// What a resource is.
pub fn kind(resource: &Resource) -> ResourceKind {
    find(&resource.agent).map_or(ResourceKind::Service, |known| known.kind)
}

/// The arguments of a resource, if it is one of a built-in agent and the agent starts with them.
pub fn arguments(resource: &Resource) -> Option<Arguments> {
    find(&resource.agent)?.read(&resource.args)?.ok()
}

/// All that is wrong with the arguments of a resource.
pub fn faults(resource: &Resource) -> Vec<ArgumentFault> {
    find(&resource.agent).map_or(Vec::new(), |known| known.faults(&resource.args))
}

/// The address that a resource brings up, as written; `None` for what is no address.
pub fn address_text(resource: &Resource) -> Option<String> {
    let text = match kind(resource) {
        ResourceKind::Address4 => resource.args.first()?.clone(),
        ResourceKind::Address6 => address6::whole(&resource.args),
        ResourceKind::Disk | ResourceKind::Service | ResourceKind::Afterthought => return None,
    };
    text.split('/').next().map(str::to_owned)
}

/// The address that a resource brings up.
pub fn address(resource: &Resource) -> Option<IpAddr> {
    address_text(resource)?.parse().ok()
}

/// Whether other machines are told where its address is.
pub fn is_announced(resource: &Resource) -> bool {
    match kind(resource) {
        ResourceKind::Address4 | ResourceKind::Address6 => true,
        ResourceKind::Disk | ResourceKind::Service | ResourceKind::Afterthought => resource.agent == "SendArp",
    }
}

/// The interface that an address names, without its alias.
pub fn interface(resource: &Resource) -> Option<String> {
    address(resource)?;
    arguments(resource)?.network()?.1.map(str::to_owned)
}

/// Where a file system is mounted, also when its other arguments are wrong: a script of the site may take them.
pub fn mount_point(resource: &Resource) -> Option<PathBuf> {
    FileSystem::without_the_rest(&resource.args).filter(|_| resource.agent == "Filesystem")
}

#[cfg(test)]
mod tests;
