//! How far a node is with joining (`resources.md` 2).

/// How far we are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cluster) enum Stage {
    /// Not active: nothing is decided.
    Joining,
    /// Active; the peer was asked what it holds.
    Asking,
    /// We know enough to act.
    Settled,
}
