//! `ha.cf`, `latido.cf`, `haresources` and `authkeys`: read, checked, assembled (`config.md`). Pure.
//!
//! All problems are found in one run. What only the machine knows comes in as [`Facts`].
//!
//! ```text
//! read_ha_cf ──> line, reader               lines and words; where a directive leaves what it was told (ha_cf)
//!            ──> directive ──> scalar, media_lines (media), program_lines (programs) ──> value
//! latido_cf  ──> line, value                the same for latido.cf, with a table of its own
//! mod.rs     ──> check (cross, cables, words), no_effect  what the files mean together, and what is wrong with it
//!            ──> parameters, print          what is in force, as clients and as files see it
//! facts                                     what only the machine knows; suggest: what was probably meant
//! ```

mod cables;
mod check;
mod cross;
mod directive;
mod facts;
mod ha_cf;
mod latido_cf;
pub mod line;
mod media;
mod media_lines;
mod no_effect;
mod parameters;
mod print;
mod program_lines;
mod programs;
mod read_ha_cf;
mod reader;
mod scalar;
mod suggest;
pub mod value;
mod words;

use std::path::{Path, PathBuf};
use std::time::Duration;

use zeroize::Zeroize as _;

use crate::auth::{Keyring, Method, authkeys};
use crate::cluster::{Medium, Settings};
use crate::diagnostic::{Problem, SourceText};
use crate::haresources::ResourceGroup;
use crate::haresources::parse::{PlacedGroup, parse_with_places};
use crate::names::NodeName;

pub use check::smallest_keepalive;
pub use directive::DIRECTIVES;
pub use facts::{Facts, Interface, Lack, OnlyName, PathFact, PathKind, ScriptFact};
pub use ha_cf::HaCf;
pub use latido_cf::{LATIDO_DIRECTIVES, LatidoCf, LatidoDirective, sample as latido_sample};
pub use media::{MediumSpec, literal_address};
pub use program_lines::{STONITH_PROGRAMS, plugin_of};
pub use programs::{ApiRule, FenceDevice, RespawnLine};
pub use reader::{Apply, Directive};

/// The whole configuration, complete and consistent.
#[derive(Clone, Debug)]
pub struct Config {
    /// What the core needs.
    pub settings: Settings,
    /// The groups in file order.
    pub groups: Vec<ResourceGroup>,
    /// The keys.
    pub keyring: Keyring,
    /// All nodes, ping nodes at the place of their line, in the order of `ha.cf`.
    pub node_order: Vec<NodeName>,
    /// The media in file order; exact repetitions are left out.
    pub media: Vec<MediumSpec>,
    /// Where the log goes.
    pub logging: LogTargets,
    /// `realtime`
    pub realtime: bool,
    /// `rtprio`; `None` is the middle of the range.
    pub rtprio: Option<u8>,
    /// `watchdog`
    pub watchdog: Option<PathBuf>,
    /// `msgfmt netstring`
    pub netstring: bool,
    /// `log_badpack`: whether malformed packets are logged.
    pub log_badpack: bool,
    /// `hbgenmethod time`
    pub generation_from_time: bool,
    /// `uuidfrom nodename`
    pub uuid_from_name: bool,
    /// The name of every parameter with its value as written, computed defaults as `NNNNms`, then `env NAME=VALUE`.
    /// Scripts see each as `HA_<name>` (`resources.md` 3.3).
    pub parameters: Vec<(String, String)>,
    /// `env NAME=VALUE` alone.
    pub env: Vec<(String, String)>,
    /// `respawn` and `failfast`
    pub respawn: Vec<RespawnLine>,
    /// `apiauth`, without the defaults.
    pub apiauth: Vec<ApiRule>,
    /// The fencing devices of `ha.cf`, then those of `latido.cf`, in the order they are tried.
    pub fences: Vec<FenceDevice>,
    /// `announce COUNT TIME`
    pub announce: (u32, Duration),
    /// `latido.cf` whole.
    pub latido: LatidoCf,
    /// The media that this machine lacks now, each with what is said of it in [`Config::warnings`] too.
    pub lacking: Vec<(MediumSpec, Problem)>,
    /// Legal but unwise things found on the way, and errors that cost one thing alone.
    pub warnings: Vec<Problem>,
}

/// Where the log goes (`config.md` 3).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogTargets {
    /// `logfile`
    pub logfile: Option<PathBuf>,
    /// `debugfile`
    pub debugfile: Option<PathBuf>,
    /// `logfacility`: the word, such as `local0`; `None` for none.
    pub facility: Option<String>,
    /// `debug`
    pub debug: u8,
    /// `syslogmsgfmt`: `Nov 20 23:16:34 alpha heartbeat: [26]: ERROR: text`, else the form of 2.1.
    pub syslog_format: bool,
    /// `use_logd`: accepted; our messages go to the other targets, or to syslog `daemon` when there is none.
    pub use_logd: bool,
}

/// The first node that the text of `ha.cf` names, as whom the files can be read before anything else is known.
pub fn first_node(ha_cf: &str) -> Option<NodeName> {
    let mut nodes = ha_cf.lines().filter_map(|line| {
        let mut words = line.split('#').next().unwrap_or_default().split_whitespace();
        (words.next() == Some("node")).then(|| words.next()).flatten()
    });
    nodes.next().and_then(NodeName::new)
}

/// The files as read, and what went wrong in reading them.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// `ha.cf`; `None` when it could not be read, which `problems` then says.
    pub ha_cf: Option<SourceText>,
    /// `latido.cf`; `None` when there is none.
    pub latido_cf: Option<SourceText>,
    /// `haresources`; `None` when it could not be read or is not wanted (`-M`).
    pub haresources: Option<SourceText>,
    /// `authkeys`; `None` when it could not be read, which `problems` then says.
    pub authkeys: Option<SourceText>,
    /// Complaints about the files themselves: missing, unreadable, open to others.
    pub problems: Vec<Problem>,
    /// With `-M`: no group is ever touched, and `haresources` is not read.
    pub without_resources: bool,
}

impl Sources {
    /// Leaves nothing of the keys in memory: for whoever has read them and goes on for years.
    pub fn forget_keys(&mut self) {
        if let Some(mut keys) = self.authkeys.take() {
            keys.text.zeroize();
        }
    }
}

impl Config {
    /// Puts the files together, or gives every problem found, errors and warnings, in the order of files and lines.
    pub fn assemble(sources: &Sources, facts: &dyn Facts) -> Result<Config, Vec<Problem>> {
        let mut problems = sources.problems.clone();
        let latido = sources.latido_cf.as_ref().map(latido_cf::parse);
        let latido = latido.map_or_else(LatidoCf::default, |(latido, found)| {
            problems.extend(found);
            latido
        });
        problems.extend(sources.latido_cf.iter().flat_map(|source| latido_cf::programs(source, facts)));
        let keyring = sources.authkeys.as_ref().and_then(|source| {
            let (keyring, found) = authkeys::parse(source);
            problems.extend(found);
            keyring
        });
        let signing = keyring.as_ref().and_then(Keyring::signing_method);
        let cf = sources.ha_cf.as_ref().map(|source| read_ha_cf(source, facts, signing, &mut problems));
        let nodes = cf.as_ref().map_or(Vec::new(), HaCf::node_names);
        let mut understood = sources.haresources.is_some();
        let groups = sources.haresources.as_ref().map_or(Vec::new(), |source| {
            let (groups, found) = parse_with_places(source, &nodes);
            understood = !found.iter().any(Problem::is_error);
            problems.extend(found);
            problems.extend(words::haresources(&groups, &nodes, &source.name, latido.script_timeout, facts));
            groups
        });
        if let Some(source) = &sources.latido_cf {
            let cf = cf.as_ref().zip(sources.ha_cf.as_ref());
            problems.extend(no_effect::latido_cf(&latido, source, cf, understood.then_some(groups.as_slice())));
        }
        in_order(&mut problems, sources);
        match (cf, keyring, facts.node_name()) {
            (Some(cf), Some(keyring), Some(me)) if !problems.iter().any(Problem::is_fatal) => {
                Ok(finished(&cf, latido, keyring, groups, me, !sources.without_resources, problems))
            }
            (_, _, me) => {
                if me.is_none() && !problems.iter().any(Problem::is_fatal) {
                    problems.push(Problem::error("ha.cf", "the name of this node is unknown"));
                }
                Err(problems)
            }
        }
    }

    /// The line that starts an ipfail, if there is one.
    pub fn ipfail(&self) -> Option<&RespawnLine> {
        let is_it =
            |line: &&RespawnLine| line.command.first().is_some_and(|path| path.rsplit('/').next() == Some("ipfail"));
        self.respawn.iter().find(is_it)
    }

    /// Whether any medium that reaches nodes is there, as far as is known.
    pub fn has_a_path(&self) -> bool {
        let lacks = |spec: &MediumSpec| self.lacking.iter().any(|(lacking, _)| lacking == spec);
        self.media.iter().any(|spec| spec.ping_node().is_none() && !lacks(spec))
    }

    /// The effective `ha.cf`; read again it gives the same configuration.
    pub fn to_text(&self) -> String {
        print::ha_cf(self)
    }
}

fn read_ha_cf(source: &SourceText, facts: &dyn Facts, signing: Option<Method>, problems: &mut Vec<Problem>) -> HaCf {
    let (cf, found) = read_ha_cf::parse(source, DIRECTIVES, facts);
    problems.extend(found);
    problems.extend(cross::check(&cf, &source.name, facts));
    problems.extend(check::ha_cf(&cf, &source.name, facts, signing));
    problems.extend(no_effect::ha_cf(&cf, source));
    cf
}

/// Sorts by file, then line; what is about a whole file comes after its lines.
fn in_order(problems: &mut Vec<Problem>, sources: &Sources) {
    let files = [&sources.ha_cf, &sources.latido_cf, &sources.authkeys, &sources.haresources];
    let rank = |problem: &Problem| {
        let file = files.iter().position(|file| file.as_ref().is_some_and(|file| file.name == problem.file));
        let place = problem.place.as_ref().map_or((usize::MAX, 0), |place| (place.line, place.span.start));
        (file, place)
    };
    problems.sort_by_key(rank);
    problems.dedup();
}

fn finished(
    cf: &HaCf,
    latido: LatidoCf,
    keyring: Keyring,
    groups: Vec<PlacedGroup>,
    me: NodeName,
    manage_resources: bool,
    warnings: Vec<Problem>,
) -> Config {
    let groups: Vec<_> = groups.into_iter().map(|placed| placed.group).collect();
    let media: Vec<_> = cf.media.iter().map(|medium| medium.value.clone()).collect();
    let path = |name: &str| cf.text(name).map(PathBuf::from);
    Config {
        settings: Settings {
            key: signing_key(&keyring),
            ..settings(cf, &latido, &groups, &media, me, manage_resources)
        },
        groups,
        keyring,
        node_order: node_order(cf),
        media,
        logging: LogTargets {
            logfile: path("logfile").filter(|path| path != Path::new("/dev/null")),
            debugfile: path("debugfile").filter(|path| path != Path::new("/dev/null")),
            facility: cf.text("logfacility").filter(|word| *word != "none").map(str::to_owned),
            debug: u8::try_from(cf.number("debug")).unwrap_or(u8::MAX),
            syslog_format: cf.flag("syslogmsgfmt"),
            use_logd: cf.uses_logd(),
        },
        realtime: cf.flag("realtime"),
        rtprio: cf.numbers.get("rtprio").and_then(|priority| u8::try_from(*priority).ok()),
        watchdog: path("watchdog"),
        netstring: cf.text("msgfmt") == Some("netstring"),
        log_badpack: cf.flag("log_badpack"),
        generation_from_time: cf.text("hbgenmethod") == Some("time"),
        uuid_from_name: cf.text("uuidfrom") == Some("nodename"),
        parameters: parameters::all(cf),
        env: cf.env.clone(),
        respawn: cf.respawn.iter().map(|given| given.value.clone()).collect(),
        apiauth: cf.apiauth.iter().map(|given| given.value.clone()).collect(),
        fences: fences(cf, &latido),
        announce: latido.announce,
        latido,
        lacking: cf.lacking.clone(),
        warnings,
    }
}

fn node_order(cf: &HaCf) -> Vec<NodeName> {
    let normal = cf.nodes.iter().map(|node| (node.place.line, node.value.clone()));
    let pings = cf.media.iter().filter_map(|medium| Some((medium.place.line, medium.value.ping_node()?.clone())));
    let mut all: Vec<_> = normal.chain(pings).collect();
    // Several on one line stay as they stand.
    all.sort_by_key(|(line, _)| *line);
    let mut names: Vec<NodeName> = Vec::new();
    for (_, name) in all {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

fn fences(cf: &HaCf, latido: &LatidoCf) -> Vec<FenceDevice> {
    let of_ha_cf = cf.fences.iter().map(|given| given.value.clone());
    of_ha_cf.chain(latido.fences.iter().cloned().map(FenceDevice::Command)).collect()
}

/// What the core knows of a node whose files say nothing but its name.
pub fn settings_without_files(me: NodeName) -> Settings {
    settings(&HaCf::default(), &LatidoCf::default(), &[], &[], me, true)
}

fn settings(
    cf: &HaCf,
    latido: &LatidoCf,
    groups: &[ResourceGroup],
    media: &[MediumSpec],
    me: NodeName,
    manage_resources: bool,
) -> Settings {
    let mut links: Vec<Medium> = Vec::new();
    for spec in media {
        if !links.iter().any(|link| link.id == spec.id()) {
            links.push(Medium { id: spec.id(), ping_node: spec.ping_node().cloned() });
        }
    }
    Settings {
        me,
        nodes: cf.node_names(),
        media: links,
        keepalive: cf.time("keepalive"),
        deadtime: cf.time("deadtime"),
        warntime: cf.effective_warntime(),
        initdead: cf.effective_initdead(),
        deadping: cf.effective_deadping(),
        auto_failback: cf.auto_failback,
        failback_delay: latido.failback_delay,
        hopfudge: u32::try_from(cf.number("hopfudge")).unwrap_or(u32::MAX),
        max_rexmit_delay: Duration::from_millis(cf.number("max_rexmit_delay")),
        manage_resources,
        script_timeout: latido.script_timeout,
        on_start_failure: latido.on_start_failure,
        on_stop_failure: latido.on_stop_failure,
        fences: fences(cf, latido).iter().map(FenceDevice::name).collect(),
        monitors: latido.monitors.clone(),
        resources_digest: resources_digest(groups),
        timing: timing(cf),
        key: String::new(),
    }
}

/// What both nodes should say alike, in words without blanks.
fn timing(cf: &HaCf) -> String {
    let time = value::in_ms;
    format!(
        "keepalive={} deadtime={} warntime={} initdead={} auto_failback={}",
        time(cf.time("keepalive")),
        time(cf.time("deadtime")),
        time(cf.effective_warntime()),
        time(cf.effective_initdead()),
        cf.auto_failback.as_str(),
    )
}

/// Number and method of the key that signs; nothing of the key.
fn signing_key(keyring: &Keyring) -> String {
    let id = keyring.signing_id();
    keyring.method(id).map_or_else(String::new, |method| format!("{id} {}", method.name()))
}

/// Eight hexadecimal digits that are the same for files that mean the same, whatever their comments and blanks.
pub fn resources_digest(groups: &[ResourceGroup]) -> String {
    let crc = crc::Crc::<u32>::new(&crc::CRC_32_ISO_HDLC);
    let mut digest = crc.digest();
    for group in groups {
        digest.update(group.owner.as_str().as_bytes());
        for resource in &group.resources {
            digest.update(b" ");
            digest.update(resource.word.as_bytes());
        }
        digest.update(b"\n");
    }
    format!("{:08x}", digest.finalize())
}
