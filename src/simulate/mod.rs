//! Two cores, one virtual clock, wires that can be cut: an hour of a cluster's life in milliseconds, the same each time.
//!
//! The rig is an ordinary user of [`crate::cluster`]. It knows what really runs on each node, which the cores do not.

mod note;
mod perform;
mod play;
mod presence;
mod promises;
mod puppet;
mod reader;
mod rig;
mod script;
mod setting;
mod setup;
mod story;
mod table;
mod tape;
mod timeline;
mod verdict;

use std::collections::BTreeMap;
use std::time::Duration;

use crate::cluster::{Birth, Cluster, Event, Kept, Medium, Past, Request, Response, Settings};
use crate::haresources::ResourceGroup;
use crate::names::{ClientId, NodeName};
use crate::time::Mono;
use crate::wire::{Generation, Message};

pub use note::{Note, What};
pub use perform::{Complaint, Performance};
pub use play::{COMMANDS, EXPECTATIONS, Play};
pub use presence::{Change, Seen, Where};
pub use promises::{Broken, Promise};
pub use script::{Behaviour, Scripts};
pub use setup::{both, groups, settings};
pub use story::story;
pub use table::table;
pub use tape::Taped;
pub use timeline::{heading, label, time, timeline};
pub use verdict::{Row, verdict};

use setting::Setting;
use setup::{Host, Pending};

/// The nodes' names in an ordinary pair.
pub const NAMES: [&str; 2] = ["alpha", "beta"];
/// The media's names in an ordinary pair; the second is slow, as a serial line is.
pub const MEDIA: [&str; 2] = ["eth0", "/dev/ttyS0"];
const SERIAL_DELAY: Duration = Duration::from_millis(110);
const UDP_DELAY: Duration = Duration::from_micros(200);

/// A pair of nodes and their wires.
#[derive(Debug)]
pub struct Pair {
    settings: [Settings; 2],
    groups: Vec<ResourceGroup>,
    hosts: [Host; 2],
    now: Mono,
    generation: u64,
    queue: BTreeMap<(Mono, u64), Pending>,
    count: u64,
    seed: u64,
    /// Media that carry nothing, by their place in [`Settings::media`].
    pub cut: Vec<bool>,
    /// Per cent of messages lost on each medium.
    pub loss: u64,
    /// How scripts behave.
    pub scripts: Scripts,
    /// Every script takes ten milliseconds and every wire its own time, as transcripts like it.
    pub exact: bool,
    /// How many more times a fencing device fails before it works.
    pub fence_failures: u32,
    /// How long a fencing device takes.
    pub fence_takes: Duration,
    notes: Vec<Note>,
    replies: Vec<(usize, Response)>,
    last_status: [Option<Message>; 2],
    doubles: Vec<(Mono, String)>,
    doubled: bool,
    whereabouts: Vec<Where>,
    changes: Vec<Change>,
    tapes: Option<[Vec<Taped>; 2]>,
    promises: Option<Box<promises::Promises>>,
}

impl Pair {
    /// Two nodes that are switched off; `edit` may change both nodes' settings. `None` never happens with [`NAMES`].
    pub fn new(haresources: &str, seed: u64, edit: impl Fn(&mut Settings)) -> Option<Pair> {
        let mut both = [settings(NAMES[0])?, settings(NAMES[1])?];
        both.iter_mut().for_each(edit);
        Some(Pair::of(both, groups(haresources), seed))
    }

    /// Two nodes that are switched off, each with its settings; both must name the same media and each other.
    pub fn of(settings: [Settings; 2], groups: Vec<ResourceGroup>, seed: u64) -> Pair {
        Pair {
            cut: vec![false; settings[0].media.len()],
            whereabouts: vec![Where::default(); groups.len()],
            changes: Vec::new(),
            settings,
            groups,
            hosts: [Host::off(), Host::off()],
            now: Mono::ZERO,
            generation: 100,
            queue: BTreeMap::new(),
            count: 0,
            seed: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1,
            loss: 0,
            scripts: Scripts::default(),
            exact: false,
            fence_failures: 0,
            fence_takes: Duration::from_secs(2),
            notes: Vec::new(),
            replies: Vec::new(),
            last_status: [None, None],
            doubles: Vec::new(),
            doubled: false,
            tapes: None,
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

    /// The media, in the order of [`Pair::cut`].
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

    /// Switches a node on, with the next generation; nothing happens to one that is on.
    pub fn start(&mut self, node: usize) {
        if self.hosts[node].cluster.is_some() {
            return;
        }
        self.generation += 1;
        self.hosts[node].life += 1;
        let host = &self.hosts[node];
        let past = host
            .kept
            .clone()
            .filter(|kept| kept.claims_anything() || kept.leaving)
            .map_or(Past::Fresh, |kept| Past::judge(kept, self.now.since(host.said.0), host.said.1, false));
        self.start_after(node, past);
    }

    /// Switches a node on that knows this of its past.
    pub fn start_after(&mut self, node: usize, past: Past) {
        let how = match past {
            Past::Fresh => "start",
            Past::Crashed(_) => "start in time",
            Past::Late(_) => "start too late",
            Past::Hopeless(_) => "start to give up",
        };
        self.deed(node, how);
        let birth = Birth {
            generation: Generation(self.generation),
            uuid: [u8::try_from(node + 1).unwrap_or(9); 16],
            seed: self.generation.wrapping_mul(77),
            remembered: Vec::new(),
            past,
        };
        self.tape_birth(node, &birth);
        let cluster = Cluster::start(self.settings[node].clone(), self.groups.clone(), birth, self.moment());
        self.hosts[node].cluster = Some(cluster);
        self.tell(node, Event::Tick);
    }

    /// Takes a node's power: everything on it is gone.
    pub fn power_off(&mut self, node: usize) {
        self.deed(node, "power off");
        let host = &mut self.hosts[node];
        host.cluster = None;
        host.life += 1;
        host.stalled_until = Mono::ZERO;
        host.running.clear();
        host.kept = None;
        host.puppet = None;
        host.orphans_until = Mono::ZERO;
        self.promises_off(node);
        self.look();
    }

    /// Kills a node's daemon; what it started goes on, its notes stay.
    pub fn crash(&mut self, node: usize) {
        self.deed(node, "crash");
        let host = &mut self.hosts[node];
        host.cluster = None;
        for (key, pending) in &mut self.queue {
            if pending.node == node && pending.life == host.life && matches!(pending.event, Event::Done { .. }) {
                pending.orphan = true;
                host.orphans_until = host.orphans_until.max(key.0);
            }
        }
        host.life += 1;
        host.stalled_until = Mono::ZERO;
    }

    /// What a node's daemon has written down for its successor.
    pub fn kept(&self, node: usize) -> Option<Kept> {
        self.hosts[node].kept.clone()
    }

    /// Something starts a resource behind our back.
    pub fn runs_by_itself(&mut self, node: usize, word: &str) {
        self.hosts[node].running.insert(word.to_owned());
        self.look();
    }

    /// Asks a node's daemon to make room for its successor.
    pub fn upgrade(&mut self, node: usize) {
        self.tell(node, Event::Upgrade);
    }

    /// A service dies by itself.
    pub fn service_dies(&mut self, node: usize, word: &str) {
        self.deed(node, &format!("{word} dies"));
        self.hosts[node].running.remove(word);
        self.look();
    }

    /// Somebody starts a service behind the cluster's back.
    pub fn service_comes_up(&mut self, node: usize, word: &str) {
        self.deed(node, &format!("{word} comes up"));
        self.hosts[node].running.insert(word.to_owned());
        self.look();
    }

    /// Holds a node's daemon still; what reaches it waits.
    pub fn stall(&mut self, node: usize, time: Duration) {
        self.deed(node, &format!("stalled for {} ms", time.as_millis()));
        self.hosts[node].stalled_until = self.hosts[node].stalled_until.max(self.now + time);
    }

    /// When a node last said that it lives.
    fn last_beat(&self, node: usize) -> Mono {
        self.hosts[node].said.0
    }

    /// The moment from which no node stands still any more.
    pub fn awake_from(&self) -> Mono {
        self.hosts.iter().map(|host| host.stalled_until).max().unwrap_or(Mono::ZERO).max(self.now)
    }

    /// Whether a node is on.
    pub fn is_on(&self, node: usize) -> bool {
        self.hosts[node].cluster.is_some()
    }

    /// The operator asks a node to leave.
    pub fn leave(&mut self, node: usize) {
        self.deed(node, "asked to leave");
        self.tell(node, Event::Leave);
    }

    /// Somebody on a node writes this into the FIFO: a type, and fields as `name=value`.
    pub fn write_fifo(&mut self, node: usize, text: &str) {
        self.deed(node, &format!("fifo: {text}"));
        self.tell(node, Event::Local(puppet::message(text)));
    }

    /// A node reads its files again and finds these groups.
    pub fn reconfigure(&mut self, node: usize, haresources: &str, digest: &str) {
        self.deed(node, "reload");
        self.settings[node].resources_digest = digest.to_owned();
        let fresh = (self.settings[node].clone(), groups(haresources));
        self.tell(node, Event::Reconfigure(Box::new(fresh)));
    }

    /// Something that somebody noted in a message a node sent long ago reaches the other node once more.
    pub fn replay(&mut self, to: usize, message: &Message) {
        self.deed(to, "a replayed message");
        let Some(medium) = self.media().iter().find(|medium| medium.ping_node.is_none()) else { return };
        let medium = medium.id.clone();
        self.tell(to, Event::Message { medium, at: self.now, message: message.clone() });
    }

    /// The last status message a node sent.
    pub fn last_status(&self, node: usize) -> Option<Message> {
        self.last_status[node].clone()
    }

    /// A client asks a node for a hand-over.
    pub fn request(&mut self, node: usize, request: Request) {
        self.note(node, What::Asked(request.clone()));
        self.tell(node, Event::Request { client: ClientId(1), request });
    }

    /// What clients were answered, taken once.
    pub fn take_replies(&mut self) -> Vec<(usize, Response)> {
        std::mem::take(&mut self.replies)
    }

    /// What really runs on a node, by the words of `haresources`.
    pub fn running(&self, node: usize) -> Vec<String> {
        self.hosts[node].running.iter().cloned().collect()
    }

    /// A node's core, while it is on.
    pub fn cluster(&self, node: usize) -> Option<&Cluster> {
        self.hosts[node].cluster.as_ref()
    }

    /// When something began to run on both nodes, and what.
    pub fn doubles(&self) -> &[(Mono, String)] {
        &self.doubles
    }

    /// Whether anything runs on both nodes now.
    pub fn is_doubled(&self) -> bool {
        self.hosts[0].running.intersection(&self.hosts[1].running).next().is_some()
    }

    /// Whether something runs on a node without a daemon.
    pub fn is_haunted(&self) -> bool {
        self.hosts.iter().any(|host| host.cluster.is_none() && !host.running.is_empty())
    }

    /// Everything said and done, without the heartbeats.
    pub fn notes(&self) -> &[Note] {
        &self.notes
    }

    /// The same as text.
    pub fn transcript(&self) -> String {
        let names = [self.name(0), self.name(1)];
        let said = self.notes.iter().filter(|note| !matches!(note.what, What::Moved { .. }));
        said.map(|note| note.line(&names)).collect::<Vec<_>>().join("\n")
    }

    /// A line of the transcript in the words of whoever plays.
    pub fn remark(&mut self, text: &str) {
        self.aside(What::Remark(text.to_owned()));
    }

    fn aside(&mut self, what: What) {
        self.notes.push(Note { at: self.now, node: None, what });
    }

    fn deed(&mut self, node: usize, text: &str) {
        self.note(node, What::Deed(text.to_owned()));
    }

    fn note(&mut self, node: usize, what: What) {
        self.notes.push(Note { at: self.now, node: Some(node), what });
    }

    /// Lets time pass.
    pub fn run_for(&mut self, time: Duration) {
        let end = self.now + time;
        while self.step(end) {}
        self.now = end;
    }

    /// Lets time pass until `done`, at most `bound`; whether it came true.
    pub fn run_until(&mut self, bound: Duration, done: impl Fn(&Pair) -> bool) -> bool {
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
