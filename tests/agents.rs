//! The built-in agents against the real kernel, in namespaces of the tests' own (`resources.md` 9). As root or in a user
//! namespace; where the kernel allows neither, a test says so and passes.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

#[path = "support/bench.rs"]
mod bench;
#[path = "link/net.rs"]
mod net;
#[path = "support/steady.rs"]
mod steady;

#[path = "agents/arguments.rs"]
mod arguments;
#[path = "agents/asterisk.rs"]
mod asterisk;
#[path = "agents/called.rs"]
mod called;
#[path = "agents/callers.rs"]
mod callers;
#[path = "agents/daemon.rs"]
mod daemon;
#[path = "agents/filesystem.rs"]
mod filesystem;
#[path = "agents/network.rs"]
mod network;
#[path = "agents/programs.rs"]
mod programs;
#[path = "agents/shellfuncs.rs"]
mod shellfuncs;
#[path = "agents/surroundings.rs"]
mod surroundings;
#[path = "agents/table.rs"]
mod table;
#[path = "agents/tap.rs"]
mod tap;
