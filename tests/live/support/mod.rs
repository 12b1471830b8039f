//! Two hosts made of namespaces, the cables between them, and what a test may do to them.
//!
//! A host has its own network, mounts, host name and process numbers; its first process reaps orphans and ends when
//! this process does, and everything in the host ends with it. Nothing here touches the machine's own network, and the
//! only processes ever killed are first processes of hosts made here.

pub(crate) mod clock;
pub(crate) mod config;
pub(crate) mod host;
pub(crate) mod network;
pub(crate) mod null_modem;
pub(crate) mod pair;
pub(crate) mod record;
pub(crate) mod shell;
#[path = "../../support/steady.rs"]
pub(crate) mod steady;
pub(crate) mod stranger;
pub(crate) mod tap;

pub(crate) use config::{Failback, Kind, Medium, Method, Plan};
pub(crate) use pair::Pair;
