//! The far ends of our two sockets: `control`, where `latido status` and the others ask, and `api`, the socket of the
//! original's client programs.

pub mod api;
pub(super) mod control;

pub use control::{AskError, Asker};
