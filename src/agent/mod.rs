//! The built-in resource agents (`resources.md` 9): idempotent, without ifconfig, ip or a shell.
//!
//! To be filled in; see `Net`.

use std::io;
use std::time::Duration;

use crate::haresources::{Invocation, Outcome, Resource};
use crate::time::Mono;

/// What agents need of the network, open for the daemon's whole life.
#[derive(Debug)]
pub struct Net {}

impl Net {
    /// Opens it.
    pub fn open(_announce: (u32, Duration)) -> io::Result<Net> {
        Ok(Net {})
    }

    /// Runs a built-in agent; `None` when there is none of that name.
    pub fn run(&mut self, _invocation: &Invocation, _now: Mono) -> Option<Outcome> {
        None
    }

    /// Announces a resource's address again.
    pub fn announce(&mut self, _resource: &Resource, _now: Mono) {}

    /// When [`Net::repeat`] wants to be called.
    pub fn next_repeat(&self) -> Option<Mono> {
        None
    }

    /// Sends what is due.
    pub fn repeat(&mut self, _now: Mono) {}
}
