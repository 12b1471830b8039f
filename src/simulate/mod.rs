//! Two cores, one virtual clock, wires that can be cut: an hour of a cluster's life in milliseconds, the same each time.
//!
//! The rig is an ordinary user of [`crate::cluster`]. It knows what really runs on each node, which the cores do not.
//!
//! ```text
//! a play:   reader ──> play ──> perform ──> intervention, orders, setting, observation, cables        (words: the help)
//! the rig:  rig ──> host ──> life, original, manual_node (a node played by hand)
//!           rig ──> work, script, pending      what scripts do and when;  pings, simulated_ipfail, what_runs (location)
//! judged:   promises, verdict                  shown: entries, table, standard_play; recording
//! faults: fault        the pair: setup
//! ```

mod cables;
mod entries;
mod fault;
mod host;
mod intervention;
mod life;
mod location;
mod manual_node;
mod observation;
mod orders;
mod original;
mod pending;
mod perform;
mod pings;
mod play;
mod promises;
mod reader;
mod recording;
mod rig;
mod script;
mod setting;
mod setup;
mod simulated_ipfail;
mod standard_play;
mod table;
mod verdict;
mod what_runs;
mod words;
mod work;

use std::collections::BTreeMap;
use std::time::Duration;

use crate::cluster::{Cluster, Medium, Response, Settings, View};
use crate::haresources::ResourceGroup;
use crate::names::NodeName;
use crate::time::Mono;
use crate::wire::Message;

pub use cables::Direction;
pub use entries::{heading, label, timeline_entries};
pub use fault::Fault;
pub use intervention::{Intervention, NotesFault, Start};
pub use location::Location;
pub use observation::{Observation, Observed};
pub use orders::{AnsweredRequest, OpenRequest};
pub use original::Version;
pub use perform::{Performance, UnmetExpectation};
pub use pings::PingDirection;
pub use play::{COMMANDS, EXPECTATIONS, Play};
pub use promises::{BrokenPromise, Promise};
pub use recording::RecordedLine;
pub use script::{Behaviour, Scripts};
pub use setup::{both, groups, settings};
pub use simulated_ipfail::{Ipfail, NonCoreSettings};
pub use standard_play::standard_play;
pub use table::table;
pub use verdict::{ChapterRow, verdict};
pub use what_runs::{DoubleRun, LocationChange, ServiceSeen};

use host::Host;
use pending::Pending;
use pings::PingHost;
use setting::Setting;

/// The nodes' names in an ordinary pair.
pub const NAMES: [&str; 2] = ["alpha", "beta"];
/// The media's names in an ordinary pair; the second is slow, as a serial line is.
pub const MEDIA: [&str; 2] = ["eth0", "/dev/ttyS0"];

/// A pair of nodes and their wires.
#[derive(Debug)]
pub struct SimulatedPair {
    settings: [Settings; 2],
    groups: Vec<ResourceGroup>,
    hosts: [Host; 2],
    now: Mono,
    /// The largest so far.
    generation: u64,
    queue: BTreeMap<(Mono, u64), Pending>,
    keys: u64,
    seed: u64,
    /// Of each medium its two directions, by the node that speaks.
    cables: Vec<[Direction; 2]>,
    /// The hosts that are pinged, with their own ways.
    ping_hosts: Vec<PingHost>,
    /// Whose client cable is cut.
    unplugged: [bool; 2],
    /// The ipfail each node's daemon starts.
    ipfails: [Option<Ipfail>; 2],
    lost_in_a_row: [u64; 2],
    /// How scripts behave.
    pub scripts: Scripts,
    /// Every script takes ten milliseconds and every wire its own time, as transcripts like it.
    pub exact: bool,
    /// How many more times a fencing device fails before it works.
    pub fence_failures: u32,
    /// How long a fencing device takes.
    pub fence_takes: Duration,
    /// A fencing device does nothing until its limit.
    pub fence_hangs: bool,
    /// A fencing that is given up half-way switches the node off all the same.
    pub fence_late: bool,
    observations: Vec<Observation>,
    replies: Vec<(usize, Response)>,
    last_status: [Option<Message>; 2],
    clients: u64,
    pending: Vec<OpenRequest>,
    answered: Vec<AnsweredRequest>,
    faults: BTreeMap<Fault, u64>,
    first_digest: String,
    doubles: Vec<DoubleRun>,
    location: Vec<Location>,
    changes: Vec<LocationChange>,
    recordings: Option<[Vec<RecordedLine>; 2]>,
    promises: Option<Box<promises::Promises>>,
}

impl SimulatedPair {
    /// Two nodes that are switched off; `edit` may change both nodes' settings. `None` never happens with [`NAMES`].
    pub fn new(haresources: &str, seed: u64, edit: impl Fn(&mut Settings)) -> Option<SimulatedPair> {
        let mut both = [settings(NAMES[0])?, settings(NAMES[1])?];
        both.iter_mut().for_each(edit);
        Some(SimulatedPair::of(both, groups(haresources), seed))
    }

    /// Two nodes that are switched off, each with its settings; both must name the same media and each other.
    pub fn of(settings: [Settings; 2], groups: Vec<ResourceGroup>, seed: u64) -> SimulatedPair {
        let layout = Fault::of_layout(&settings, &groups);
        SimulatedPair {
            cables: vec![[Direction::default(); 2]; settings[0].media.len()],
            ping_hosts: pings::ping_hosts(&settings[0].media),
            unplugged: [false; 2],
            ipfails: [None, None],
            lost_in_a_row: [0, 0],
            first_digest: settings[0].resources_digest.clone(),
            hosts: [Host::off(&groups), Host::off(&groups)],
            location: vec![Location::default(); groups.len()],
            changes: Vec::new(),
            settings,
            groups,
            now: Mono::ZERO,
            generation: 100,
            queue: BTreeMap::new(),
            keys: 0,
            seed: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1,
            scripts: Scripts::default(),
            exact: false,
            fence_failures: 0,
            fence_takes: work::FENCE_TAKES,
            fence_hangs: false,
            fence_late: false,
            observations: Vec::new(),
            replies: Vec::new(),
            last_status: [None, None],
            clients: 0,
            pending: Vec::new(),
            answered: Vec::new(),
            faults: layout.into_iter().map(|kind| (kind, 1)).collect(),
            doubles: Vec::new(),
            recordings: None,
            promises: None,
        }
    }

    /// The name of a node.
    pub fn name(&self, node: usize) -> &str {
        self.settings[node].me.as_str()
    }

    /// The node of that name.
    pub fn node(&self, name: &NodeName) -> Option<usize> {
        self.settings.iter().position(|settings| settings.me == *name)
    }

    /// The media, in the order of `ha.cf`; by their places here they are cut.
    pub fn media(&self) -> &[Medium] {
        &self.settings[0].media
    }

    /// The settings a node starts with.
    pub fn settings(&self, node: usize) -> &Settings {
        &self.settings[node]
    }

    /// The groups both nodes start with.
    pub fn groups(&self) -> &[ResourceGroup] {
        &self.groups
    }

    /// A number below `limit`, from the seed.
    pub fn random(&mut self, limit: u64) -> u64 {
        self.seed ^= self.seed << 13;
        self.seed ^= self.seed >> 7;
        self.seed ^= self.seed << 17;
        self.seed % limit.max(1)
    }

    /// The virtual time.
    pub fn now(&self) -> Mono {
        self.now
    }

    /// The last status message a node sent.
    pub fn last_status(&self, node: usize) -> Option<Message> {
        self.last_status[node].clone()
    }

    /// A node's core, while it is on.
    pub fn cluster(&self, node: usize) -> Option<&Cluster> {
        self.hosts[node].cluster.as_ref()
    }

    /// How a node sees everything, while it is on.
    pub fn view(&self, node: usize) -> Option<View> {
        Some(self.cluster(node)?.view(self.moment_of(node).mono))
    }

    /// Everything said and done, without the heartbeats.
    pub fn observations(&self) -> &[Observation] {
        &self.observations
    }

    /// The same as text.
    pub fn transcript(&self) -> String {
        let names = [self.name(0), self.name(1)];
        let said = self.observations.iter().filter(|observation| !matches!(observation.what, Observed::Moved { .. }));
        said.map(|observation| observation.line(&names)).collect::<Vec<_>>().join("\n")
    }

    /// A line of the transcript in the words of whoever plays.
    pub fn remark(&mut self, text: &str) {
        self.observe_pair(Observed::Remark(text.to_owned()));
    }

    fn observe_pair(&mut self, what: Observed) {
        self.observations.push(Observation { at: self.now, node: None, what });
    }

    fn observe_intervention(&mut self, node: usize, intervention: Intervention) {
        self.observe(node, Observed::Intervention(intervention));
    }

    fn observe(&mut self, node: usize, what: Observed) {
        self.observations.push(Observation { at: self.now, node: Some(node), what });
    }

    /// Lets time pass.
    pub fn run_for(&mut self, time: Duration) {
        let end = self.now + time;
        while self.step(end) {}
        self.now = end;
    }

    /// Lets time pass until `done`, at most `bound`; whether it came true.
    pub fn run_until(&mut self, bound: Duration, done: impl Fn(&SimulatedPair) -> bool) -> bool {
        let end = self.now + bound;
        while !done(self) {
            if !self.step(end) {
                self.now = end;
                return done(self);
            }
        }
        true
    }
}
