//! This machine, as the daemon and the commands both see it: files, directories, processes, scripts, and who may have
//! written them. Nothing here knows a cluster's state, and nothing imports the daemon.
//!
//! ```text
//! read_config ──> config_files, cards, at_boot, lookup, layout     the files of /etc/ha.d and the facts they are held against
//! lookup ──> trust, at_boot            what a word of haresources runs
//! script ──> environment ──> layout, directories, script_log       running it
//! groups_by_hand, one_script ──> script, lookup                    `latido resource`, `latido doctor --run`
//! pidfile ──> process, called          who runs here
//! files, spare, log_file, directories ──> trust                    what is written, and where only root may write
//! layout ──> sourced                   what scripts read before anything else
//! rc_d                                 the original's own scripts for messages, known by checksum
//! disk_thread                          what may wait for a disk, off the loop
//! ```

pub(crate) mod at_boot;
pub(crate) mod called;
pub(crate) mod cards;
pub(crate) mod config_files;
pub(crate) mod directories;
pub(crate) mod disk_thread;
pub(crate) mod environment;
pub(crate) mod files;
pub(crate) mod groups_by_hand;
pub(crate) mod layout;
pub(crate) mod log_file;
pub(crate) mod lookup;
pub mod one_script;
pub mod pidfile;
pub(crate) mod process;
pub(crate) mod rc_d;
pub mod read_config;
pub(crate) mod script;
pub(crate) mod script_log;
pub(crate) mod sourced;
pub(crate) mod spare;
pub(crate) mod trust;
