//! The media against the kernel: pseudo-terminals as a null-modem cable, sockets in network namespaces of our own.
//!
//! Without the right to make namespaces those tests say that they were skipped. Nothing leaves this machine.
#![allow(clippy::unwrap_used, reason = "these are tests")]

#[path = "link/memory.rs"]
mod memory;
#[path = "link/net.rs"]
mod net;
#[path = "link/ping.rs"]
mod ping;
#[path = "link/serial.rs"]
mod serial;
#[path = "support/steady.rs"]
mod steady;
#[path = "link/support.rs"]
mod support;
#[path = "link/udp.rs"]
mod udp;
