//! Plays: what befalls a pair, one command a line, and what must then be true. Parsing and its complaints; a play is
//! performed in `perform.rs`.

use std::time::Duration;

use crate::cluster::Set;
use crate::diagnostic::{Problem, SourceText};
use crate::haresources::{ResourceGroup, Verb};

use super::reader::Reader;
use super::{Behaviour, Setting, Settings};

/// Every command with its words, and what it does.
pub const COMMANDS: [(&str, &str); 33] = [
    ("group NODE RESOURCE...", "this group, and others given like this, instead of those of haresources"),
    ("set NAME VALUE...", "keepalive, deadtime, warntime, initdead, auto_failback and the rules of latido.cf, on both"),
    ("seed NUMBER", "scripts and cables take a little longer or shorter each time, as this number has it"),
    ("promises", "from here on the promises of docs/takeover.md are asked after every event"),
    ("chapter TITLE", "a row of the table begins"),
    ("start NODE...", "switches nodes on"),
    ("power-off NODE", "and everything on it is gone"),
    ("leave NODE...", "stops the daemon in order"),
    ("kill NODE", "its daemon dies; what it started runs on"),
    ("upgrade NODE", "its daemon makes room for another program"),
    ("stall NODE TIME", "its daemon stands still; what reaches it waits"),
    ("cut MEDIUM|all", "carries nothing any more"),
    ("mend MEDIUM|all", "carries everything again"),
    ("loss PERCENT", "of messages on each medium"),
    ("standby NODE all|local|foreign", "it gives these groups away"),
    ("takeover NODE all|local|foreign", "it takes them"),
    ("retry NODE GROUP", "forgets that the group failed there"),
    ("reload NODE OWNER RESOURCE...", "it reads its files again and finds one other group"),
    ("dies NODE RESOURCE", "a service ends by itself"),
    ("comes-up NODE RESOURCE", "somebody starts a service by hand"),
    ("fails NODE RESOURCE start|stop|status", "this script fails from now on"),
    ("hangs NODE RESOURCE start|stop|status", "this script never ends by itself"),
    ("scripts-work", "all scripts work again"),
    ("scripts-take TIME", "longer than the usual 10 ms"),
    ("fence-fails TIMES", "before fencing works"),
    ("replay-to NODE", "it hears the other's last status message once more"),
    ("fifo NODE TYPE NAME=VALUE...", "a message written into its FIFO"),
    ("original NODE starts|is STATUS, says TYPE NAME=VALUE..., runs RESOURCE...", "the node is played by hand"),
    ("wait TIME", "lets time pass: 10, 1.5 or 500ms"),
    ("beat NODE", "lets time pass until it has just beaten"),
    ("settle TIME", "lets time pass until nothing is decided or moved, at most TIME"),
    ("within TIME EXPECTATION", "lets time pass until it is so; a complaint when it is not so after TIME"),
    ("expect EXPECTATION", "a complaint when it is not so now"),
];

/// What may be expected.
pub const EXPECTATIONS: [(&str, &str); 9] = [
    ("home", "every group runs on its own node and nowhere else"),
    ("once", "every group runs on exactly one node"),
    ("NODE runs nothing", "no resource of these groups"),
    ("NODE runs RESOURCE...", "these and no others"),
    ("both | not both | never both", "something runs on both nodes now, does not, never did"),
    ("NODE said TEXT", "its log or its messages"),
    ("NODE never said TEXT", "neither there nor there"),
    ("reply NODE TEXT", "the answer to standby, takeover, retry"),
    ("silent NODE", "its daemon does not run"),
];

/// A play, ready to be performed by the pair it was read for.
#[derive(Clone, Debug)]
pub struct Play {
    pub(super) settings: Vec<Setting>,
    pub(super) groups: Vec<ResourceGroup>,
    pub(super) seed: Option<u64>,
    pub(super) steps: Vec<Step>,
}

/// A line of a play that does something.
#[derive(Clone, Debug)]
pub(super) struct Step {
    pub(super) line: usize,
    pub(super) text: String,
    pub(super) command: Command,
}

/// What a line does. Nodes and media are their places in the settings.
#[derive(Clone, Debug)]
pub(super) enum Command {
    Promises,
    Chapter(String),
    Start(Vec<usize>),
    PowerOff(usize),
    Leave(Vec<usize>),
    Kill(usize),
    Upgrade(usize),
    Stall(usize, Duration),
    Cut(Vec<usize>, bool),
    Loss(u64),
    Standby(usize, Set),
    Takeover(usize, Set),
    Retry(usize, String),
    Reload(usize, String),
    Dies(usize, String),
    ComesUp(usize, String),
    Misbehave(usize, String, Verb, Behaviour),
    ScriptsWork,
    ScriptsTake(Duration),
    FenceFails(u32),
    ReplayTo(usize),
    Fifo(usize, String),
    Original(usize, Original),
    Wait(Duration),
    Beat(usize),
    Settle(Duration),
    Within(Duration, Expectation),
    Expect(Expectation),
}

/// What a node played by hand does.
#[derive(Clone, Debug)]
pub(super) enum Original {
    Starts(String),
    Is(String),
    Says(String),
    Runs(Vec<String>),
}

/// What must be true.
#[derive(Clone, Debug)]
pub(super) enum Expectation {
    Home,
    Once,
    Runs(usize, Vec<String>),
    Both,
    NotBoth,
    NeverBoth,
    Said(usize, String),
    NeverSaid(usize, String),
    Reply(usize, String),
    Silent(usize),
}

impl Play {
    /// Reads a play for nodes with these settings, both naming the same media, and these groups.
    ///
    /// # Errors
    /// Everything that is wrong with it, in the order of its lines.
    pub fn parse(
        source: &SourceText,
        settings: &[Settings; 2],
        groups: &[ResourceGroup],
    ) -> Result<Play, Vec<Problem>> {
        let (play, problems) = Reader::new(source, settings, groups).read();
        if problems.is_empty() { Ok(play) } else { Err(problems) }
    }
}
