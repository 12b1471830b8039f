//! The daemon: one process, one thread (one more writes to disks, `disk_thread`) around the pure core (`config.md` 1, 7, 8).
//!
//! [`run`] becomes the supervisor and forks; the child reads the configuration, opens what a node needs and hands over
//! to `driver`, which waits for whatever happens next, tells the core, and carries out what it asks for.
//!
//! ```text
//! life (supervisor, own_supervisor) ──> start ──> driver ──> programs   scripts, respawn
//!                                                        ──> doors      sockets, FIFO, page
//!                                                        ──> writing    log, journal, record
//! start ──> options, terms: how it is to run, and what it may do without
//! ```

mod doors;
mod driver;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
pub(super) mod life;
mod options;
pub(super) mod programs;
mod start;
mod terms;
pub(super) mod writing;

pub use crate::host::called::Called;
pub(crate) use crate::host::log_file::open as open_log;
pub(crate) use crate::host::lookup::systemctl;
pub use driver::wants::{read_refusal, read_waits};
pub use life::adopt::something_runs;
pub use life::in_force::lacks_anew;
pub use life::own_supervisor::LATER;
pub use life::supervisor::run;
pub use options::DaemonOptions;
