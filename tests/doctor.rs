//! `latido doctor`: each planted fault is found, a good pair passes.
//!
//! The faults of one machine are planted in a directory of its own; those of a pair on hosts of the lab, where the kernel
//! allows namespaces.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "support/bench.rs"]
mod bench;
#[path = "support/steady.rs"]
mod steady;

#[path = "doctor/machine.rs"]
mod machine;
#[path = "doctor/other_node.rs"]
mod other_node;
#[path = "doctor/pair.rs"]
mod pair;
#[path = "doctor/serial.rs"]
mod serial;
#[path = "doctor/support.rs"]
mod support;
