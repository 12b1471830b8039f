//! Where others come in: the control socket, the socket of client programs, the FIFO, the page. Nothing said there can
//! delay the loop.
//!
//! ```text
//! control, status_page ──> question ──> the loop     connection_limit: how many may be connected, and who makes room
//! api_socket, fifo ──────────────────> the loop     socket: how each is made, with its mode
//! ```

pub(super) mod api_socket;
pub(super) mod connection_limit;
pub(super) mod control;
pub(super) mod fifo;
pub(super) mod question;
pub(super) mod socket;
pub(super) mod status_page;
