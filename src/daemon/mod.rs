//! The daemon: one process, one thread (and one that writes to disks, `disk`), around the pure core (`config.md` 1, 7, 8).
//!
//! [`run`] becomes the supervisor and forks; the child reads the configuration, opens what a node needs and hands over
//! to `driver`, which waits for whatever happens next, tells the core, and carries out what it asks for.

mod adopt;
pub(super) mod again;
mod alarm;
mod api_clients;
mod api_socket;
mod asker;
pub(crate) mod boot;
pub(crate) mod by_hand;
pub(crate) mod called;
pub(crate) mod cards;
mod carrier;
mod child;
mod children;
mod clients;
mod config_files;
mod control;
mod directories;
mod disk;
mod doorman;
mod driver;
pub(super) mod environment;
mod fence;
mod fifo;
mod files;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod generation;
mod guardian;
mod identity;
mod in_force;
pub(crate) mod journal;
mod journald;
mod keys;
pub(crate) mod layout;
mod log_file;
mod logging;
pub(crate) mod lookup;
mod noise;
mod notices;
mod notifications;
mod options;
mod orphan;
mod own_status;
mod pace;
mod perform;
pub mod pidfile;
mod probe;
mod process;
pub(crate) mod rc_d;
pub mod read_config;
mod realtime;
mod recorder;
mod reload;
mod respawn;
mod script_log;
mod service;
mod signals;
mod socket;
mod sourced;
mod spare;
mod start;
mod state;
mod status_page;
mod supervisor;
mod tell_service;
mod terms;
pub mod trial;
pub(crate) mod trust;
mod units;
mod wants;
mod watchdog;
mod witness;

pub use adopt::something_runs;
pub use called::Called;
pub use guardian::LATER;
pub use in_force::lacks_anew;
pub(crate) use log_file::open as open_log;
pub(crate) use lookup::systemctl;
pub use options::Options;
pub use supervisor::run;
pub use wants::{read_refusal, read_waits};
