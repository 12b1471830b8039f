//! The `set` lines of a play: what is changed in the settings of both nodes, or of one, before it begins.

use std::time::Duration;

use crate::amount;
use crate::cluster::{AutoFailback, Medium, Monitor, OnStartFailure, OnStopFailure, Probe, Settings};
use crate::config::value::{self, Flaw};
use crate::names::{MediumId, NodeName};

use super::Ipfail;

/// Below this a simulation is all heartbeats.
const SHORTEST: Duration = Duration::from_millis(10);

/// One change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Setting {
    Keepalive(Duration),
    Deadtime(Duration),
    Warntime(Duration),
    Initdead(Duration),
    Deadping(Duration),
    /// A ping host.
    Ping(NodeName),
    /// Several hosts that count as one ping host of this name.
    PingGroup(NodeName, Vec<String>),
    /// The ipfail that is started, or none.
    Ipfail(Option<Ipfail>),
    AutoFailback(AutoFailback),
    FailbackDelay(Duration),
    OnStartFailure(OnStartFailure),
    OnStopFailure(OnStopFailure),
    /// For `start` and `stop`.
    ScriptTimeout(Duration),
    Fence(String),
    Monitor(Monitor),
}

impl Setting {
    /// Reads the words after `set`.
    pub(super) fn parse(name: &str, values: &[&str]) -> Result<Setting, Flaw> {
        Ok(match (name, values) {
            ("keepalive", [time]) => Setting::Keepalive(duration(time)?),
            ("deadtime", [time]) => Setting::Deadtime(duration(time)?),
            ("warntime", [time]) => Setting::Warntime(duration(time)?),
            ("initdead", [time]) => Setting::Initdead(duration(time)?),
            ("deadping", [time]) => Setting::Deadping(duration(time)?),
            ("ping", [host]) => {
                Setting::Ping(NodeName::new(host).ok_or_else(|| flaw(format!("\"{host}\" is no host")))?)
            }
            ("ping_group", [name, hosts @ ..]) if !hosts.is_empty() => {
                let node = NodeName::new(name).ok_or_else(|| flaw(format!("\"{name}\" is no name")))?;
                Setting::PingGroup(node, hosts.iter().map(|host| (*host).to_owned()).collect())
            }
            ("ipfail", ["none"]) => Setting::Ipfail(None),
            ("ipfail", [user]) => Setting::Ipfail(Some(Ipfail::of(user))),
            ("auto_failback", ["on"]) => Setting::AutoFailback(AutoFailback::On),
            ("auto_failback", ["off"]) => Setting::AutoFailback(AutoFailback::Off),
            ("auto_failback", ["legacy"]) => Setting::AutoFailback(AutoFailback::Legacy),
            ("failback-delay", [time]) => Setting::FailbackDelay(duration(time)?),
            ("on-start-failure", ["move"]) => Setting::OnStartFailure(OnStartFailure::Move),
            ("on-start-failure", ["stay"]) => Setting::OnStartFailure(OnStartFailure::Stay),
            ("on-stop-failure", ["reboot"]) => Setting::OnStopFailure(OnStopFailure::Reboot),
            ("on-stop-failure", ["fence"]) => Setting::OnStopFailure(OnStopFailure::Fence),
            ("on-stop-failure", ["block"]) => Setting::OnStopFailure(OnStopFailure::Block),
            ("script-timeout", [time]) => Setting::ScriptTimeout(duration(time)?),
            ("fence", [device]) => Setting::Fence((*device).to_owned()),
            ("monitor", [resource, every, restarts]) => Setting::Monitor(Monitor {
                resource: (*resource).to_owned(),
                every: duration(every)?,
                failures: 1,
                restarts: restarts.parse().map_err(|_| flaw(format!("\"{restarts}\" is no number of restarts")))?,
                with: Probe::Status,
            }),
            _ => return Err(flaw(format!("\"{name} {}\" cannot be set", values.join(" ")))),
        })
    }

    /// What the other node is told of these times.
    pub(super) fn timing(settings: &Settings) -> String {
        let short = |time: Duration| amount::exact(time).replace(' ', "");
        format!("keepalive={} deadtime={}", short(settings.keepalive), short(settings.deadtime))
    }

    /// Whether a daemon learns it only when it starts.
    pub(super) fn is_for_ever(&self) -> bool {
        matches!(self, Setting::Ping(_) | Setting::PingGroup(..) | Setting::Ipfail(_))
    }

    /// Changes one node's settings.
    pub(super) fn apply(&self, to: &mut Settings) {
        match self.clone() {
            Setting::Keepalive(time) => to.keepalive = time,
            Setting::Deadtime(time) => to.deadtime = time,
            Setting::Warntime(time) => to.warntime = time,
            Setting::Initdead(time) => to.initdead = time,
            Setting::Deadping(time) => to.deadping = time,
            Setting::Ipfail(_) => {}
            Setting::Ping(host) | Setting::PingGroup(host, _) => {
                to.media.push(Medium { id: MediumId::new(host.as_str()), ping_node: Some(host) });
            }
            Setting::AutoFailback(mode) => to.auto_failback = mode,
            Setting::FailbackDelay(time) => to.failback_delay = time,
            Setting::OnStartFailure(what) => to.on_start_failure = what,
            Setting::OnStopFailure(what) => to.on_stop_failure = what,
            Setting::ScriptTimeout(time) => (to.script_timeout.start, to.script_timeout.stop) = (time, time),
            Setting::Fence(device) => to.fences.push(device),
            Setting::Monitor(monitor) => to.monitors.push(monitor),
        }
    }
}

fn duration(word: &str) -> Result<Duration, Flaw> {
    let time = value::duration(word)?;
    if time < SHORTEST {
        let remedy = format!("{} at least", amount::exact(SHORTEST));
        return Err(Flaw { what: format!("\"{word}\" is too short"), remedy });
    }
    Ok(time)
}

fn flaw(what: String) -> Flaw {
    let remedy = "keepalive TIME, deadtime TIME, warntime TIME, initdead TIME, deadping TIME, ping HOST, ping_group NAME HOST..., \
                  ipfail USER|none, auto_failback on|off|legacy, failback-delay TIME, \
                  on-start-failure move|stay, on-stop-failure reboot|fence|block, script-timeout TIME, fence DEVICE, \
                  monitor RESOURCE TIME RESTARTS";
    Flaw { what, remedy: remedy.to_owned() }
}
