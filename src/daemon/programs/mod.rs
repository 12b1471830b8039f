//! What runs beside the loop: scripts of groups (`children`), and the programs of `respawn` with the rules they are started
//! again by (`respawn` ──> `respawn_rules`).
//!
//! ```text
//! driver ──> children: a process group, a limit, its end
//!        ──> respawn ──> respawn_rules: when it is started again
//! ```

pub(crate) mod children;
pub(super) mod respawn;
pub(super) mod respawn_rules;
