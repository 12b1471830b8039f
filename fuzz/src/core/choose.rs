//! What is chosen with the bytes: messages, settings, a past, requests, ends of scripts.

use std::time::Duration;

use latido::cluster::{
    AutoFailback, GroupState, Medium, Monitor, NotedGroup, Notes, OnStartFailure, OnStopFailure, Past, Probe, Request,
    Set, Settings, Silence, StartFacts,
};
use latido::haresources::{Exit, Outcome};
use latido::names::{MediumId, NodeName};
use latido::simulate::settings;
use latido::wire::{Generation, Kind, Message, Sequence};

use super::super::bytes::Bytes;

pub(super) const GROUPS: [&str; 4] =
    ["alpha ra rb\nbeta rc\n", "alpha 10.0.0.10\n", "beta ra\nbeta rb\nalpha rc rd re\n", ""];
pub(super) const NAMES: [&str; 6] = ["beta", "alpha", "10.0.0.1", "gamma", "", "BETA"];
const FIELDS: [&str; 40] = [
    "t",
    "src",
    "dest",
    "seq",
    "hg",
    "ts",
    "ttl",
    "st",
    "dt",
    "protocol",
    "info",
    "rsc_hold",
    "rtype",
    "isstable",
    "ackseq",
    "firstseq",
    "lastseq",
    "nodelist",
    "delnodelist",
    "ipaddr",
    "weown",
    "ok",
    "node",
    "result",
    "ifname",
    "prove",
    "proof",
    "hears",
    "latido",
    "heard",
    "empty",
    "why",
    "twin",
    "links",
    "failed",
    "timing",
    "key",
    "program",
    "from_id",
    "to_id",
];
const WORDS: [&str; 48] = [
    "active",
    "dead",
    "up",
    "init",
    "ping",
    "all",
    "local",
    "foreign",
    "none",
    "one:0",
    "one:ffffffff",
    "me",
    "other",
    "done",
    "standby",
    "takeover",
    "mach_down",
    "full",
    "yes",
    "no",
    "OK",
    "n_stnth",
    "bad",
    "ra",
    "rb",
    "rc",
    "10.0.0.10",
    "eth0",
    "beta",
    "alpha",
    "ask",
    "starting",
    "failback",
    "1",
    "0",
    "4",
    "T_STARTING",
    "T_RESOURCES",
    "resource",
    "alpha beta",
    "eth0=up",
    "heard",
    "free",
    "held",
    "=",
    ":",
    ",",
    "",
];

pub(super) fn number(bytes: &mut Bytes<'_>) -> u64 {
    match bytes.byte() {
        0 => u64::MAX,
        1 => u64::MAX - 1,
        2 => 1 << 63,
        3 => u64::from(u32::MAX),
        4 => bytes.number(),
        small => u64::from(small) - 5,
    }
}

pub(super) fn value(bytes: &mut Bytes<'_>) -> String {
    match bytes.byte() {
        255 => bytes.text(),
        254 => format!("{:x}", number(bytes)),
        253 => number(bytes).to_string(),
        252 => format!("{},{}", bytes.pick(&WORDS), bytes.pick(&WORDS)),
        251 => format!("{}={} {}", bytes.pick(&WORDS), number(bytes), bytes.pick(&WORDS)),
        word => WORDS[usize::from(word) % WORDS.len()].to_owned(),
    }
}

pub(super) fn kind(bytes: &mut Bytes<'_>) -> Kind {
    const KINDS: [Kind; 16] = [
        Kind::Status,
        Kind::NsSt,
        Kind::Ack,
        Kind::Rexmit,
        Kind::NakRexmit,
        Kind::ReqNodes,
        Kind::RepNodes,
        Kind::Starting,
        Kind::Resource,
        Kind::AskResources,
        Kind::IpRequest,
        Kind::IpRequestResp,
        Kind::Stonith,
        Kind::ShutDone,
        Kind::HbTakeover,
        Kind::IfStat,
    ];
    match bytes.byte() {
        255 => Kind::Other(bytes.text()),
        // What two Latidos say to each other besides.
        254 => Kind::Other("latido".into()),
        253 => Kind::Other("NS_latido".into()),
        known => KINDS[usize::from(known) % KINDS.len()].clone(),
    }
}

pub(super) fn fields(bytes: &mut Bytes<'_>, mut message: Message) -> Message {
    for _ in 0..bytes.below(8) {
        let name = match bytes.byte() {
            255 => bytes.text(),
            known => FIELDS[usize::from(known) % FIELDS.len()].to_owned(),
        };
        message.set(&name, value(bytes));
    }
    message
}

pub(super) fn built(bytes: &mut Bytes<'_>) -> Message {
    let kind = kind(bytes);
    fields(bytes, Message::new(&kind))
}

pub(super) fn outcome(bytes: &mut Bytes<'_>) -> Outcome {
    let exit = match bytes.below(8) {
        0 | 1 => Exit::Code(0),
        2 => Exit::Code(1),
        3 => Exit::Code(7),
        4 => Exit::Signal(9),
        5 => Exit::TimedOut,
        6 => Exit::NotFound("nowhere".into()),
        _ => Exit::Code(i32::from(bytes.byte())),
    };
    let said = match bytes.below(5) {
        0 => String::new(),
        1 => "running".into(),
        2 => "stopped".into(),
        3 => "OK".into(),
        _ => bytes.text(),
    };
    Outcome { exit, said }
}

pub(super) fn set(bytes: &mut Bytes<'_>) -> Set {
    match bytes.below(6) {
        0 => Set::All,
        1 => Set::Local,
        2 => Set::Foreign,
        3 => Set::one("ra"),
        4 => Set::one("10.0.0.10"),
        _ => Set::One(u32::try_from(number(bytes) & 0xffff_ffff).unwrap_or(0)),
    }
}

pub(super) fn request(bytes: &mut Bytes<'_>) -> Request {
    let word = |bytes: &mut Bytes<'_>| value(bytes);
    match bytes.below(6) {
        0 => Request::Standby(set(bytes)),
        1 => Request::Takeover(set(bytes)),
        2 => Request::Retry(word(bytes)),
        3 => Request::Bring(word(bytes)),
        5 => NodeName::new(bytes.pick(&NAMES)).map_or(Request::Standby(Set::All), Request::Forget),
        _ => Request::Move(word(bytes), NodeName::new(bytes.pick(&NAMES))),
    }
}

pub(super) fn time(bytes: &mut Bytes<'_>) -> Duration {
    match bytes.byte() {
        255 => Duration::from_secs(number(bytes).min(10_000_000)),
        254 => Duration::ZERO,
        253 => Duration::from_secs(3600),
        252 => Duration::from_secs(60),
        tenths if tenths < 128 => Duration::from_millis(u64::from(tenths) * 100),
        ms => Duration::from_millis(u64::from(ms - 127)),
    }
}

pub(super) fn of_alpha(bytes: &mut Bytes<'_>) -> Option<Settings> {
    let mut settings = settings("alpha")?;
    let (one, two) = (bytes.byte(), bytes.byte());
    settings.auto_failback = [AutoFailback::On, AutoFailback::Off, AutoFailback::Legacy][usize::from(one & 3) % 3];
    settings.on_start_failure = if one & 4 == 0 { OnStartFailure::Move } else { OnStartFailure::Stay };
    settings.on_stop_failure =
        [OnStopFailure::Reboot, OnStopFailure::Fence, OnStopFailure::Block][usize::from(one >> 3 & 3) % 3];
    settings.manage_resources = one & 32 == 0;
    settings.failback_delay = if one & 64 == 0 { Duration::ZERO } else { Duration::from_secs(30) };
    if one & 128 != 0 {
        settings.nodes.truncate(1);
    }
    settings.fences = (0..two & 3).map(|number| format!("device {number}")).collect();
    if two & 4 != 0 {
        settings.media.push(Medium { id: MediumId::new("10.0.0.1"), ping_node: NodeName::new("10.0.0.1") });
    }
    if two & 8 != 0 {
        let (every, with) =
            (Duration::from_secs(2), if two & 16 == 0 { Probe::Status } else { Probe::Tcp("x:1".into()) });
        settings.monitors.push(Monitor { resource: "*".into(), every, failures: 2, restarts: 1, with });
    }
    if two & 32 != 0 {
        settings.deadtime = Duration::from_secs(number(bytes).min(1_000_000) + 1);
    }
    Some(settings)
}

pub(super) fn start_facts(bytes: &mut Bytes<'_>) -> StartFacts {
    let mut start_facts = StartFacts::new(Generation(5), [7; 16], bytes.byte().into());
    let how = bytes.byte();
    if how & 1 != 0 {
        let beta = NodeName::new("beta").map(|beta| (beta, Generation(number(bytes)), Sequence(number(bytes))));
        start_facts.remembered = beta.into_iter().collect();
        let ahead = i64::from_ne_bytes(number(bytes).to_ne_bytes());
        start_facts.clocks = NodeName::new("beta").map(|beta| (beta, ahead)).into_iter().collect();
    }
    start_facts.doubts_notes = how & 2 == 0;
    start_facts.leaves = how & 4 != 0;
    if how & 8 != 0 {
        start_facts.silence = Some(Silence { lasted: time(bytes), patience: time(bytes) });
    }
    if how & 16 != 0 {
        start_facts.generation = Generation(number(bytes));
    }
    let group = |bytes: &mut Bytes<'_>| {
        Some(NotedGroup {
            owner: NodeName::new(bytes.pick(&NAMES))?,
            words: vec![bytes.pick(&["ra", "rb", "rc", "10.0.0.10", "old"]).to_owned()],
            state: bytes.pick(&GroupState::ALL),
            since_partition: how & 32 != 0,
            offered: how & 64 != 0,
            failure: (how & 128 != 0).then(|| "it broke".to_owned()),
        })
    };
    let past = bytes.byte();
    let kept = |bytes: &mut Bytes<'_>| Notes {
        groups: (0..past >> 6).filter_map(|_| group(bytes)).collect(),
        leaving: past & 8 != 0,
        needs_failback: past & 16 != 0,
        peer_gone: past & 32 != 0,
        ..Notes::default()
    };
    start_facts.past = match past & 7 {
        0..=3 => Past::Fresh,
        4 => Past::Lost,
        5 => Past::Crashed(kept(bytes)),
        6 => Past::Late(kept(bytes)),
        _ => Past::Hopeless(kept(bytes)),
    };
    start_facts
}
