//! How far a node is with leaving in order (`resources.md` 5.1).

/// How far the farewell is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cluster) enum Leaving {
    /// Groups are being stopped.
    Releasing,
    /// A group cannot be stopped; the operator was told.
    Blocked,
    /// `shutdone` is said.
    Done,
}
