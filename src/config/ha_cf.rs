//! `ha.cf` as read: what its lines say, before anything is checked against anything else (`config.md` 3). Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::cluster::AutoFailback;
use crate::diagnostic::{Place, Problem};
use crate::names::NodeName;

use super::media::MediumSpec;
use super::programs::{ApiRule, FenceDevice, RespawnLine};

/// A value and the word it came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Given<T> {
    /// The value.
    pub value: T,
    /// Where it was written.
    pub place: Place,
}

/// What the lines of `ha.cf` say, before anything is checked against anything else.
#[derive(Clone, Debug)]
pub struct HaCf {
    /// Every scalar directive as written, the last word winning; `crm` is recorded as `pacemaker`.
    pub written: BTreeMap<&'static str, Given<String>>,
    /// The nodes in file order.
    pub nodes: Vec<Given<NodeName>>,
    /// The media in file order.
    pub media: Vec<Given<MediumSpec>>,
    /// Those of them that this machine lacks now, each with what was said of it.
    pub lacking: Vec<(MediumSpec, Problem)>,
    /// The directives that take a time and were written: name to value.
    pub times: BTreeMap<&'static str, Duration>,
    /// The directives that take a number and were written: name to value.
    pub numbers: BTreeMap<&'static str, u64>,
    /// `auto_failback`, after `nice_failback` had its say.
    pub auto_failback: AutoFailback,
    /// `udpport` as it stands now; each kind of medium keeps the one of its first medium.
    pub udpport: u16,
    /// `baud` as it stands now.
    pub baud: u32,
    /// What each kind of medium was fixed to at its first medium: directive to port or speed.
    pub fixed: BTreeMap<&'static str, Given<u32>>,
    /// `respawn` and `failfast`
    pub respawn: Vec<Given<RespawnLine>>,
    /// `apiauth`
    pub apiauth: Vec<Given<ApiRule>>,
    /// `env`
    pub env: Vec<(String, String)>,
    /// `stonith` and `stonith_host`: those that concern this node, in the order they are tried.
    pub fences: Vec<Given<FenceDevice>>,
    /// The yes-or-no directives that were written: name to value.
    pub flags: BTreeMap<&'static str, bool>,
    /// Directives that somebody tried to give and got wrong: that they are missing need not be said.
    pub broken: BTreeSet<&'static str>,
}

impl HaCf {
    /// A scalar as written.
    pub fn text(&self, directive: &str) -> Option<&str> {
        self.written.get(directive).map(|given| given.value.as_str())
    }

    /// Where a scalar was written last.
    pub fn place(&self, directive: &str) -> Option<Place> {
        self.written.get(directive).map(|given| given.place.clone())
    }

    /// `use_logd`, or what the original assumes: its logging daemon when nothing says where the log goes.
    pub fn uses_logd(&self) -> bool {
        self.flags.get("use_logd").copied().unwrap_or_else(|| !self.has_log_target())
    }

    /// Whether `logfile`, `debugfile` or `logfacility` is given; the facility `none` is no target.
    pub fn has_log_target(&self) -> bool {
        ["logfile", "debugfile", "logfacility"].iter().any(|name| self.text(name).is_some_and(|word| word != "none"))
    }

    /// The nodes' names in file order, each once.
    pub fn node_names(&self) -> Vec<NodeName> {
        let mut names: Vec<NodeName> = Vec::new();
        for node in &self.nodes {
            if !names.contains(&node.value) {
                names.push(node.value.clone());
            }
        }
        names
    }
}
