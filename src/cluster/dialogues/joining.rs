//! How far a node is with joining (`resources.md` 2).
//!
//! ```text
//! Joining ─active: asks what the other holds→ Asking ─it has spoken, is silent for too long, or is gone→ Settled
//!     └─active, and there is nobody to ask────────────────────────────────────────────────────────────────┘
//! ```

/// How far it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::cluster) enum Stage {
    /// Not active: nothing is decided.
    #[default]
    Joining,
    /// Active; the peer was asked what it holds.
    Asking,
    /// We know enough to act.
    Settled,
}

/// What happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cluster) enum JoiningEvent {
    /// We are active, and ask what the other holds.
    Asks,
    /// We are active, and nobody is there to be asked, or nobody who says what he holds.
    NobodyToAsk,
    /// What the other holds is known, and was not said to a predecessor of ours.
    Known,
    /// The other makes a claim: an answer to whoever has asked.
    Claimed,
    /// It was asked and says nothing.
    Silent,
    /// It is dead, or has left.
    Gone,
}

impl Stage {
    /// How far it is after that.
    pub(in crate::cluster) const fn after(self, event: JoiningEvent) -> Stage {
        use {JoiningEvent as E, Stage as S};
        match (self, event) {
            (S::Joining, E::Asks) => S::Asking,
            (S::Joining, E::NobodyToAsk | E::Known) => S::Settled,
            // It may come back, or say more, before we are active.
            (S::Joining, E::Claimed | E::Silent | E::Gone) => S::Joining,
            (S::Asking, E::Asks) => S::Asking,
            (S::Asking, E::NobodyToAsk | E::Known | E::Claimed | E::Silent | E::Gone) => S::Settled,
            (S::Settled, E::Asks | E::NobodyToAsk | E::Known | E::Claimed | E::Silent | E::Gone) => S::Settled,
        }
    }
}
