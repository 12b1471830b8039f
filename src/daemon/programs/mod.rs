//! What runs beside the loop: scripts of groups (`children`), and the programs of `respawn` with the rules they are started
//! again by (`respawn` ──> `respawn_rules`).

pub(crate) mod children;
pub(super) mod respawn;
pub(super) mod respawn_rules;
