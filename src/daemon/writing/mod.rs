//! What is written down: the log, the journal of events, systemd's journal, records; each bounded (`rate_limit`), none waited for.
//!
//! ```text
//! the loop ──> logging ──> journald, host::log_file
//!          ──> journal (latido-events), recorder (--record)
//! ```

pub(crate) mod journal;
pub(super) mod journald;
pub(super) mod logging;
pub(super) mod rate_limit;
pub(super) mod recorder;
