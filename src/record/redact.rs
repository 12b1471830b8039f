//! What does not go into a record, which is made to be handed to others: arguments of commands, the talk of programs
//! that use the cluster to speak to each other, and what healthy scripts print. The core decides the same without.

use std::borrow::Cow;
use std::time::Duration;

use crate::cluster::{Event, Probe, Settings};
use crate::haresources::Outcome;
use crate::wire::{Kind, Message, Value, field};

/// As much of a script's words as a report shows.
const SHOWN: usize = 120;
/// Fields that say where a message comes from and goes to.
const ENVELOPE: [&str; 12] = [
    field::T,
    field::SRC,
    field::SRC_UUID,
    field::DEST,
    field::DEST_UUID,
    field::SEQ,
    field::HG,
    field::TS,
    field::LD,
    field::TTL,
    "to_id",
    "from_id",
];
/// Fields the core reads in messages of the protocol.
const CONTENT: [&str; 25] = [
    "heard",
    "hears",
    "proof",
    "prove",
    "twin",
    "why",
    field::ST,
    field::DT,
    field::PROTOCOL,
    field::INFO,
    field::RSC_HOLD,
    field::RTYPE,
    field::ISSTABLE,
    field::ACKSEQ,
    field::FIRSTSEQ,
    field::LASTSEQ,
    field::NODELIST,
    field::DELNODELIST,
    field::IPADDR,
    field::WEOWN,
    field::OK,
    field::NODE,
    field::RESULT,
    field::IFNAME,
    "latido",
];

/// The event as it is written.
pub(super) fn event(event: &Event) -> Cow<'_, Event> {
    let redacted = match event {
        Event::Message { medium, at, message: told } => {
            let Some(message) = message(told) else { return Cow::Borrowed(event) };
            Event::Message { medium: medium.clone(), at: *at, message }
        }
        Event::Local(told) => match message(told) {
            Some(message) => Event::Local(message),
            None => return Cow::Borrowed(event),
        },
        Event::Done { job, outcome: told } => match outcome(told) {
            Some(outcome) => Event::Done { job: *job, outcome },
            None => return Cow::Borrowed(event),
        },
        Event::Reconfigure(fresh) => Event::Reconfigure(Box::new((settings(&fresh.0), fresh.1.clone()))),
        Event::Medium { .. } | Event::Request { .. } | Event::Leave | Event::Upgrade | Event::Tick => {
            return Cow::Borrowed(event);
        }
    };
    Cow::Owned(redacted)
}

/// Of a probe's command only the program.
pub(super) fn settings(settings: &Settings) -> Settings {
    let mut redacted = settings.clone();
    for monitor in &mut redacted.monitors {
        if let Probe::Command(words) = &mut monitor.with {
            words.truncate(1);
        }
    }
    redacted
}

/// Other fields by their length; `None` when there are none.
fn message(message: &Message) -> Option<Message> {
    // What two Latidos tell each other is all there is to see in `latido status`.
    let kind = message.kind();
    if matches!(&kind, Kind::Other(name) if name == "latido") {
        return None;
    }
    let is_talk = matches!(kind, Kind::Other(_));
    let is_known = |name: &str| ENVELOPE.contains(&name) || !is_talk && CONTENT.contains(&name);
    if message.fields().all(|(name, _)| is_known(name)) {
        return None;
    }
    let mut redacted = Message::empty();
    for (name, value) in message.fields() {
        let length = match value {
            _ if is_known(name) => {
                redacted.push(name, value.clone());
                continue;
            }
            Value::Text(text) => text.len(),
            Value::Binary(bytes) => bytes.len(),
            Value::Opaque { raw, .. } => raw.len(),
        };
        redacted.push(name, Value::Text(format!("({length} bytes)")));
    }
    Some(redacted)
}

/// A script that says it runs has said no more than that; of another one the words that a report would show.
fn outcome(outcome: &Outcome) -> Option<Outcome> {
    let runs = outcome.says_running();
    let said = if runs { "running".to_owned() } else { outcome.said.trim().chars().take(SHOWN).collect() };
    if said == outcome.said {
        return None;
    }
    let mut redacted = Outcome { exit: outcome.exit.clone(), said };
    if redacted.told() != outcome.told() || redacted.says_running() != runs {
        redacted.said += " not running";
    }
    Some(redacted)
}

/// Whether a node can live with these: a record comes from anywhere.
pub(super) fn check(settings: &Settings) -> Result<(), String> {
    let times = [
        ("keepalive", settings.keepalive),
        ("deadtime", settings.deadtime),
        ("initdead", settings.initdead),
        ("deadping", settings.deadping),
    ];
    let every = settings.monitors.iter().map(|monitor| ("monitor", monitor.every));
    for (name, time) in times.into_iter().chain(every) {
        // Nobody beats without a pause, nor once in a human life.
        if time < Duration::from_millis(1) || time > Duration::from_secs(86_400 * 365) {
            return Err(format!("{name} of {time:?}"));
        }
    }
    if !settings.nodes.contains(&settings.me) {
        return Err(format!("{} is not among its own nodes", settings.me));
    }
    Ok(())
}
