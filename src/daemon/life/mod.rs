//! The lives of a daemon: two processes that watch each other, what one leaves for the next, and who the node is in
//! all of them (`takeover.md` 9, `systemd.md` 2).
//!
//! ```text
//! supervisor <── socket pair ──> own_supervisor (the core's side)    next_program: either starts the other anew
//! start ──> adopt ──> notes, in_force      what was left             stuck_core: a core that stands still
//!       ──> identity, generation           who the node is
//! start ──> realtime, signals, watchdog, service (the service manager)
//! ```

pub(super) mod adopt;
pub(super) mod generation;
pub(super) mod identity;
pub(super) mod in_force;
pub(crate) mod next_program;
pub(super) mod notes;
pub(super) mod own_supervisor;
pub(super) mod realtime;
pub(super) mod service;
pub(super) mod signals;
pub(super) mod stuck_core;
pub(super) mod supervisor;
pub(super) mod watchdog;
