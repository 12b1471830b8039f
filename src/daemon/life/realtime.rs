//! Real-time priority and locked memory (`config.md` 3: `realtime`, `rtprio`). A refusal is a warning, never an end.

use crate::sys;

/// The middle of `SCHED_RR`'s range, the original's default.
const MIDDLE_PRIORITY: u8 = 50;

/// Asks for both; returns a sentence for each refusal.
pub(crate) fn become_realtime(priority: Option<u8>) -> Vec<String> {
    let priority = priority.unwrap_or(MIDDLE_PRIORITY);
    let mut refusals = Vec::new();
    if let Err(error) = sys::set_realtime(i32::from(priority)) {
        refusals.push(format!(
            "Cannot run with real-time priority {priority}: {error}; a busy machine may delay our heartbeats"
        ));
    }
    // Reading the command line and the files has left more than is needed from now on.
    sys::give_back_unused_memory();
    if let Err(error) = sys::lock_touched_memory() {
        refusals.push(format!("Cannot lock our memory: {error}; a machine that swaps may delay our heartbeats"));
    }
    refusals
}
