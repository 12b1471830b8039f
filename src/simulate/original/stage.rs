//! How far an original is with its own groups: the states of `resources.md` 1.3.

/// How far a node is with its own groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    Init,
    Starting,
    BothStarting,
    Received,
    Stable,
    Shutdown,
}
