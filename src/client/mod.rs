//! The far ends of our two sockets: `control`, where `latido status` and the others ask, and `api`, the socket of the
//! original's client programs.
//!
//! ```text
//! cli, lab ──> control ──> the daemon's latido.sock
//! old programs, lab ──> api ──> the socket `register` of whichever heartbeat runs
//! ```

pub mod api;
pub(super) mod control;

pub use control::{AskError, Asker};
