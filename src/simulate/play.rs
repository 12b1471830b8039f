//! Plays: what befalls a pair, one command a line, and what must then be true. `reader.rs` reads them, `perform.rs`
//! performs them.

use std::time::Duration;

use crate::cluster::Set;
use crate::haresources::{ResourceGroup, Verb};

use super::{Behaviour, NonCoreSettings, NotesFault, PingDirection, Setting, Version};

/// Every command with its words, and what it does.
pub const COMMANDS: [(&str, &str); 64] = [
    ("group NODE RESOURCE...", "this group, and others given like this, instead of those of haresources"),
    (
        "set [NODE] NAME VALUE...",
        "keepalive, deadtime, warntime, initdead, deadping, auto_failback and the rules of latido.cf, on both or one; ping \
         HOST, ping_group NAME HOST... on both; ipfail USER|none: whom `respawn` starts it as",
    ),
    ("seed NUMBER", "scripts and cables take a little longer or shorter each time, as this number has it"),
    ("promises", "from here on the promises of docs/takeover.md are asked after every event"),
    ("chapter TITLE", "a row of the table begins"),
    ("start NODE...", "switches nodes on"),
    ("power-off NODE", "and everything on it is gone"),
    ("leave NODE...", "stops the daemon in order; a second time while it leaves: at once"),
    ("kill NODE", "its daemon dies; what it started runs on"),
    ("restarts NODE TIME", "its daemon dies, and its supervisor starts another one after TIME"),
    ("upgrade NODE", "its daemon makes room for another program"),
    ("stall NODE TIME", "its daemon stands still; what reaches it waits"),
    ("suspend NODE TIME", "its daemon and its scripts stand still; what reaches it waits"),
    ("freeze NODE TIME", "a paused virtual machine: as suspend, and its clocks stand still as well"),
    ("clock NODE SECONDS", "its wall clock is set forward, or back by a negative number"),
    ("slow-start NODE TIME", "from being started to its first word, from now on"),
    ("notes-take NODE TIME", "each note for its successor blocks its daemon for so long, from now on"),
    (
        "notes NODE lost|old|unreadable",
        "how its next daemon finds the notes of the last; old: without their last change",
    ),
    ("generation NODE NUMBER", "its next daemon starts with this one"),
    (
        "cut MEDIUM|all [FROM>TO]",
        "carries nothing any more, in one direction or both; of a ping host, or a host of a ping group, NODE>HOST or \
         HOST>NODE",
    ),
    ("mend MEDIUM|all [FROM>TO]", "carries everything again"),
    (
        "unplug NODE [MEDIUM]",
        "its client cable is cut: clients and ping hosts do not reach it, nor what is said on MEDIUM if that is the same \
         cable",
    ),
    ("plug NODE [MEDIUM]", "that cable is whole again"),
    ("ipfail-dies NODE", "somebody kills it; its daemon starts another one"),
    ("loss PERCENT [MEDIUM|all [FROM>TO]]", "of messages on each medium, or this one"),
    ("delay MEDIUM|all TIME [FROM>TO]", "messages take so much longer; 0 for none"),
    ("repeats PERCENT [MEDIUM|all [FROM>TO]]", "of messages arrive twice"),
    ("reorders PERCENT [MEDIUM|all [FROM>TO]]", "of messages are overtaken, but never on a serial line"),
    ("standby NODE all|local|foreign", "it gives these groups away"),
    ("takeover NODE all|local|foreign", "it takes them"),
    ("move NODE RESOURCE", "it is asked to move this group to the node that does not run it"),
    ("retry NODE GROUP", "forgets that the group failed there"),
    ("reload NODE", "it reads its files again, and they are the same"),
    ("reload NODE OWNER RESOURCE... [; OWNER RESOURCE...]", "it reads its files again and finds these groups"),
    ("reload NODE set NAME VALUE...", "it reads its files again and finds this setting"),
    (
        "edit NODE OWNER RESOURCE... [; OWNER RESOURCE...]",
        "its file has these groups from now on; they are not reread yet",
    ),
    ("dies NODE RESOURCE", "a service ends by itself"),
    ("comes-up NODE RESOURCE", "somebody starts a service by hand"),
    ("fails NODE RESOURCE start|stop|status", "this script fails from now on"),
    ("hangs NODE RESOURCE start|stop|status", "this script never ends by itself"),
    ("slow NODE RESOURCE start|stop|status TIME", "this script takes so much longer, at most its limit"),
    (
        "lies NODE RESOURCE start|stop|status",
        "says the opposite; start and stop: that they worked, and nothing happened",
    ),
    ("silent NODE RESOURCE start|stop|status", "this script says nothing and ends with 0; start and stop work"),
    ("unrunnable NODE RESOURCE start|stop|status", "this script cannot be run at all"),
    ("killed NODE RESOURCE start|stop|status", "somebody kills this script before it has changed anything"),
    ("late NODE RESOURCE TIME", "its start times out, and the service comes up TIME later all the same"),
    ("works NODE RESOURCE", "its scripts work again"),
    ("scripts-work", "all scripts work again"),
    ("scripts-take TIME", "longer than the usual 10 ms"),
    ("fence-fails TIMES", "before fencing works"),
    ("fence-takes TIME", "a device needs so long; usually 2 s"),
    ("fence-hangs", "a device does nothing until its limit"),
    ("fence-late", "a fencing that is given up half-way switches the node off all the same"),
    ("fence-works", "devices work again, in 2 s"),
    ("replay-to NODE", "it hears the other's last status message once more"),
    ("fifo NODE TYPE NAME=VALUE...", "a message written into its FIFO"),
    (
        "original NODE boots [3.0.6|2.1.3]",
        "an original heartbeat runs there by itself; leave, kill, standby... as with any",
    ),
    ("original NODE starts|is STATUS, says TYPE NAME=VALUE..., runs RESOURCE...", "the node is played by hand"),
    ("wait TIME", "lets time pass: 10, 1.5 or 500ms"),
    ("beat NODE", "lets time pass until it has just beaten"),
    ("settle TIME", "lets time pass until nothing is decided or moved, at most TIME"),
    ("within TIME EXPECTATION", "lets time pass until it is so; a complaint when it is not so after TIME"),
    ("expect EXPECTATION", "a complaint when it is not so now"),
    ("remark TEXT", "a line of the transcript"),
];

/// What may be expected.
pub const EXPECTATIONS: [(&str, &str); 13] = [
    ("home", "every group runs on its own node and nowhere else"),
    ("once", "every group runs on exactly one node"),
    ("served | unserved", "clients reach every group, or not all of them"),
    ("NODE runs nothing", "no resource of these groups"),
    ("NODE runs RESOURCE...", "these and no others"),
    ("NODE may run nothing", "and nothing was begun there that was not stopped since, on evidence"),
    ("NODE may run RESOURCE...", "these and no others"),
    ("both | not both | never both", "something runs or may run on both nodes now, does not, never did"),
    ("NODE said TEXT", "its log or its messages"),
    ("NODE never said TEXT", "neither there nor there"),
    ("reply NODE TEXT", "the answer to standby, takeover, retry"),
    ("answered", "no request waits for its answer"),
    ("silent NODE", "its daemon does not run"),
];

/// A play, ready to be performed by the pair it was read for.
#[derive(Clone, Debug)]
pub struct Play {
    /// Of both nodes, or of one.
    pub(super) settings: Vec<(Option<usize>, Setting)>,
    pub(super) groups: Vec<ResourceGroup>,
    pub(super) seed: Option<u64>,
    pub(super) steps: Vec<Step>,
    /// What `ha.cf` says beyond the settings of the core.
    pub(super) non_core: NonCoreSettings,
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
    Remark(String),
    Start(Vec<usize>),
    PowerOff(usize),
    Leave(Vec<usize>),
    Kill(usize),
    Restarts(usize, Duration),
    Upgrade(usize),
    Stall(usize, Duration),
    Suspend(usize, Duration),
    Freeze(usize, Duration),
    Clock(usize, i64),
    SlowStart(usize, Duration),
    NotesTake(usize, Duration),
    Notes(usize, NotesFault),
    Generation(usize, u64),
    Cut(Directions, bool),
    CutPing(String, Vec<usize>, Vec<PingDirection>, bool),
    Plug(usize, Option<usize>, bool),
    IpfailDies(usize),
    Loss(Directions, u64),
    Delay(Directions, Duration),
    Repeats(Directions, u64),
    Reorders(Directions, u64),
    Standby(usize, Set),
    Takeover(usize, Set),
    Move(usize, String),
    Retry(usize, String),
    Reload(usize, Reload),
    Edit(usize, String),
    Dies(usize, String),
    ComesUp(usize, String),
    Misbehave(usize, String, Verb, Behaviour),
    Works(usize, String),
    ScriptsWork,
    ScriptsTake(Duration),
    FenceFails(u32),
    FenceTakes(Duration),
    FenceHangs,
    FenceLate,
    FenceWorks,
    ReplayTo(usize),
    Fifo(usize, String),
    Original(usize, Original),
    Wait(Duration),
    Beat(usize),
    Settle(Duration),
    Within(Duration, Expectation),
    Expect(Expectation),
}

/// Directions of media: the places of the media, and the nodes that speak.
#[derive(Clone, Debug)]
pub(super) struct Directions {
    pub(super) media: Vec<usize>,
    pub(super) from: Vec<usize>,
}

/// What a node finds when it reads its files again.
#[derive(Clone, Debug)]
pub(super) enum Reload {
    Same,
    Groups(String),
    Setting(Setting),
}

/// What a node that is an original does: by itself after `Boots`, else played by hand.
#[derive(Clone, Debug)]
pub(super) enum Original {
    Boots(Version),
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
    Served,
    Unserved,
    Runs(usize, Vec<String>),
    MayRun(usize, Vec<String>),
    Answered,
    Both,
    NotBoth,
    NeverBoth,
    Said(usize, String),
    NeverSaid(usize, String),
    Reply(usize, String),
    Silent(usize),
}
