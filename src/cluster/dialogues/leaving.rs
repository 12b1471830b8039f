//! How far a node is with leaving in order (`resources.md` 5.1).
//!
//! ```text
//! Not ─ordered→ Releasing ─all is down→ Done
//!                   └─something does not stop→ Blocked ─ordered once more→ it ends at once
//! ```

/// How far it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::cluster) enum Leaving {
    /// It does not leave.
    #[default]
    Not,
    /// Groups are being stopped.
    Releasing,
    /// A group cannot be stopped; the operator was told.
    Blocked,
    /// `shutdone` is said.
    Done,
}

/// What happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cluster) enum LeavingEvent {
    /// The operator orders it.
    Ordered,
    /// Nothing is being stopped any more, and a group is not down.
    DoesNotStop,
    /// Nothing runs here any more.
    AllDown,
}

/// What is to be done about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cluster) enum LeavingStep {
    /// Nothing.
    Nothing,
    /// Begin to stop everything.
    Release,
    /// Tell the operator that it is under way.
    SayUnderway,
    /// Tell the operator, and the other node what is down for good.
    SayBlocked,
    /// Say `shutdone`.
    SayFarewell,
    /// End at once: he knows what he does.
    End,
}

impl Leaving {
    /// Where it is after that, and what is to be done.
    pub(in crate::cluster) const fn after(self, event: LeavingEvent) -> (Leaving, LeavingStep) {
        use {Leaving as L, LeavingEvent as E, LeavingStep as S};
        match (self, event) {
            (L::Not, E::Ordered) => (L::Releasing, S::Release),
            (L::Blocked, E::Ordered) => (L::Blocked, S::End),
            (L::Releasing | L::Done, E::Ordered) => (self, S::SayUnderway),
            (L::Releasing, E::DoesNotStop) => (L::Blocked, S::SayBlocked),
            (L::Not | L::Blocked | L::Done, E::DoesNotStop) | (L::Done, E::AllDown) => (self, S::Nothing),
            // Leftovers of a dead predecessor are stopped without an order.
            (L::Not | L::Releasing | L::Blocked, E::AllDown) => (L::Done, S::SayFarewell),
        }
    }
}
