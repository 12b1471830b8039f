//! Where a hand-over stands (`resources.md` 4, `wire.md` 5.2).

use super::super::Set;

/// Where a hand-over stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cluster) enum Standby {
    /// None.
    Not,
    /// We offered this set and wait for `other`.
    Asked(Set),
    /// We are stopping it.
    Releasing(Set),
    /// We stopped it; the taker starts it.
    AwaitingTaker(Set),
    /// We said that we shall take this set; `true` once the giver has begun to stop it.
    Promised(Set, bool),
    /// We are starting it.
    Taking(Set),
}
