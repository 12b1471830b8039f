//! `latido doctor`: each planted fault is found, a good pair passes.
//!
//! The faults of one machine are planted in a directory of its own; those of a pair on hosts of the lab, where the kernel
//! allows namespaces.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "support/bench.rs"]
mod bench;
#[path = "support/steady.rs"]
mod steady;

#[path = "doctor/both.rs"]
mod both;
#[path = "doctor/line.rs"]
mod line;
#[path = "doctor/machine.rs"]
mod machine;
#[path = "doctor/pair.rs"]
mod pair;
#[path = "doctor/support.rs"]
mod support;
