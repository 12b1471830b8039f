//! Latido: a two-node heartbeat daemon that reads the `/etc/ha.d` of Linux-HA heartbeat, speaks its
//! protocol on the same cables and runs the same resource scripts.
//!
//! The core is a value: [`cluster::Cluster`] takes *(now, event)* and returns actions. The shell,
//! [`daemon`], waits for events and obeys. Read `cluster::event`, `cluster::action`, then a transcript in
//! `tests/scenarios/`, then `daemon::driver`. What may import what is checked by `tests/architecture.rs`.

// Pure: no clock, no files, no sockets, no processes.
pub mod amount;
pub mod api;
pub mod auth;
pub mod cluster;
pub mod config;
pub mod diagnostic;
pub mod dice;
pub mod export;
pub mod haresources;
pub mod ipfail;
pub mod journal;
pub mod names;
pub mod paths;
pub mod printable;
pub mod record;
pub mod status;
pub mod time;
pub mod timeline;
pub mod wire;

pub mod simulate;

// IO.
pub mod agent;
pub mod cli;
pub mod client;
pub mod clock;
pub mod daemon;
pub mod host;
pub mod lab;
pub mod link;
pub mod netlink;
pub mod process;
pub mod replace;
pub mod sys;
