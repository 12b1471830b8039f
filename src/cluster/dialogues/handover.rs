//! Where a hand-over stands (`resources.md` 4, `wire.md` 5.2).
//!
//! ```text
//! giver:  Not ─ask me→ Asked ─other→ Releasing ─all stopped: done→ AwaitingTaker ─done, or stable again→ Not
//! taker:  Not ─me: other→ Promised ─done, and all that had arrived was heard→ Taking ─all started: done→ Not
//! ```

use super::super::Set;

/// Where it stands. Sets are in the giver's terms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::cluster) enum Standby {
    /// None.
    #[default]
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

/// What happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cluster) enum StandbyEvent {
    /// We offer this set.
    WeOffer(Set),
    /// The other says `other`.
    TheyPromise,
    /// It says `other`, and has said since that it promises nothing.
    TheyRevoke,
    /// What we give is stopped here.
    WeReleased,
    /// Something of it does not stop here.
    WeAreStuck,
    /// The taker says that it is stable.
    TakerIsQuiet,
    /// The taker asks anew what we hold: it had called us dead.
    TakerBeginsAnew,
    /// An original says that it has called us dead.
    TheyCallUsDead,
    /// The other says `me`; whether we would yield if both had offered.
    TheyOffer(bool),
    /// We answer its offer of this set.
    WePromise(Set),
    /// The giver says that it stops its groups.
    TheyBegin,
    /// The other says `done`.
    TheyAreDone,
    /// An original gave this set at last, after we had given up waiting.
    TheyGaveLate(Set),
    /// Whatever had arrived with the giver's `done` was heard.
    WeTake(Set),
    /// What we took is started.
    WeTook,
    /// The giver says that it is stable.
    GiverIsQuiet,
    /// What was only said, and not begun, is forgotten: the other does not hear us, or we stood still.
    WordsAreVoid,
    /// A step takes too long.
    Overdue,
    /// The other died, left or began anew.
    TheyAreGone,
    /// We leave; whether the other would wait for an hour for what we have begun to give.
    WeLeave(bool),
    /// Nothing of it counts any more, for us and for the other.
    Void,
}

/// What is to be done about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cluster) enum StandbyStep {
    /// Nothing.
    Nothing,
    /// Say `me`.
    SayOffer,
    /// Stop this set, and say that we do.
    Release(Set),
    /// Say `done`: this set is stopped.
    SayReleased(Set),
    /// Tell who asked for it that something does not stop.
    SayStuck,
    /// The other has taken this set.
    TakenThere(Set),
    /// The taker is in no dialogue any more: what it took of this set it says with its claims.
    EndGiving(Set),
    /// Note its offer, to be answered when all is quiet.
    NoteOffer,
    /// The same, and forget our own.
    Yield,
    /// Say that we are busy.
    SayBusy,
    /// Say `other`, and wait until the giver begins.
    SayPromise,
    /// Give the giver the time that its scripts may need.
    AllowTime,
    /// Take this set when all that has arrived was heard.
    TakeSoon(Set),
    /// Look for what an original still owes.
    LookForOwed,
    /// Start it.
    Take,
    /// Say `done`: this set is started.
    SayTaken(Set),
    /// Nobody answered our offer.
    SayNoReply,
    /// Say that it is cancelled: we leave.
    SayCancelled,
    /// Say that it is cancelled, and note what an original goes on with.
    Drop(Owed),
}

/// What an original goes on with when we drop a hand-over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cluster) enum Owed {
    /// Nothing.
    Nothing,
    /// It starts this set, and has not said that it has.
    Taken(Set),
    /// It stops this set, and has not said that it has.
    Given(Set),
    /// It was promised that we take this set, and has not begun, as far as was heard.
    Begun(Set),
}

impl Standby {
    /// Where it stands after that, and what is to be done.
    pub(in crate::cluster) const fn after(self, event: StandbyEvent) -> (Standby, StandbyStep) {
        use Standby::{Asked, AwaitingTaker, Not, Promised, Releasing, Taking};
        use StandbyEvent::{
            GiverIsQuiet, Overdue, TakerBeginsAnew, TakerIsQuiet, TheyAreDone, TheyAreGone, TheyBegin, TheyCallUsDead,
            TheyGaveLate, TheyOffer, TheyPromise, TheyRevoke, Void, WeAreStuck, WeLeave, WeOffer, WePromise,
            WeReleased, WeTake, WeTook, WordsAreVoid,
        };
        use StandbyStep as Step;
        let dropped = (Not, Step::Drop(self.owed()));
        match (self, event) {
            (Not, WeOffer(set)) => (Asked(set), Step::SayOffer),
            (Not, TheyOffer(_)) => (Not, Step::NoteOffer),
            (Not, WePromise(set)) => (Promised(set, false), Step::SayPromise),
            // Late, or out of step, such as what an original says after our `shutdone` (`resources.md` 12.1.6).
            (Not, TheyAreDone) => (Not, Step::LookForOwed),
            (Not, TheyGaveLate(set)) => (Promised(set, true), Step::TakeSoon(set)),
            (
                Not,
                TheyPromise | TheyRevoke | WeReleased | WeAreStuck | TakerIsQuiet | TakerBeginsAnew | TheyCallUsDead
                | TheyBegin | WeTake(_) | WeTook | GiverIsQuiet | WordsAreVoid | Overdue | TheyAreGone | WeLeave(_)
                | Void,
            ) => (Not, Step::Nothing),

            // The last offer counts.
            (Asked(_), WeOffer(set)) => (Asked(set), Step::SayOffer),
            (Asked(set), TheyPromise) => (Releasing(set), Step::Release(set)),
            (Asked(_), TheyOffer(true)) => (Not, Step::Yield),
            (Asked(_), TheyOffer(false)) => (self, Step::SayBusy),
            (Asked(_), Overdue) => (Not, Step::SayNoReply),
            (Asked(_), TheyRevoke | TheyCallUsDead | WordsAreVoid | TheyAreGone) => dropped,
            (Asked(_), WeLeave(_)) => (Not, Step::SayCancelled),
            (Asked(_), Void) => (Not, Step::Nothing),
            (
                Asked(_),
                WeReleased | WeAreStuck | TakerIsQuiet | TakerBeginsAnew | WePromise(_) | TheyBegin | TheyAreDone
                | TheyGaveLate(_) | WeTake(_) | WeTook | GiverIsQuiet,
            ) => (self, Step::Nothing),

            (Releasing(set), WeReleased) => (AwaitingTaker(set), Step::SayReleased(set)),
            // Saying `done` would have the other start what may run here.
            (Releasing(_), WeAreStuck) => (Not, Step::SayStuck),
            (Releasing(_), TheyOffer(_)) => (self, Step::SayBusy),
            (Releasing(_), TakerIsQuiet | TakerBeginsAnew | TheyCallUsDead | Overdue | TheyAreGone) => dropped,
            (Releasing(_), WeLeave(false)) => (Not, Step::SayCancelled),
            (Releasing(_), Void) => (Not, Step::Nothing),
            (
                Releasing(_),
                WeOffer(_) | TheyPromise | TheyRevoke | WePromise(_) | TheyBegin | TheyAreDone | TheyGaveLate(_)
                | WeTake(_) | WeTook | GiverIsQuiet | WordsAreVoid | WeLeave(true),
            ) => (self, Step::Nothing),

            (AwaitingTaker(set), TheyAreDone) => (Not, Step::TakenThere(set)),
            (AwaitingTaker(set), TakerIsQuiet) => (Not, Step::EndGiving(set)),
            (AwaitingTaker(_), TheyOffer(_)) => (self, Step::SayBusy),
            (AwaitingTaker(_), TakerBeginsAnew | TheyCallUsDead | Overdue | TheyAreGone) => dropped,
            (AwaitingTaker(_), WeLeave(_)) => (Not, Step::SayCancelled),
            (AwaitingTaker(_), Void) => (Not, Step::Nothing),
            (
                AwaitingTaker(_),
                WeOffer(_) | TheyPromise | TheyRevoke | WeReleased | WeAreStuck | WePromise(_) | TheyBegin
                | TheyGaveLate(_) | WeTake(_) | WeTook | GiverIsQuiet | WordsAreVoid,
            ) => (self, Step::Nothing),

            (Promised(set, false), TheyBegin) => (Promised(set, true), Step::AllowTime),
            (Promised(set, _), TheyAreDone) => (self, Step::TakeSoon(set)),
            (Promised(..), WeTake(set)) => (Taking(set), Step::Take),
            (Promised(..), TheyOffer(_)) => (self, Step::SayBusy),
            (Promised(..), GiverIsQuiet | WordsAreVoid | Overdue | TheyAreGone) => dropped,
            (Promised(..), WeLeave(_)) => (Not, Step::SayCancelled),
            (Promised(..), Void) => (Not, Step::Nothing),
            (Promised(_, true), TheyBegin)
            | (
                Promised(..),
                WeOffer(_) | TheyPromise | TheyRevoke | WeReleased | WeAreStuck | TakerIsQuiet | TakerBeginsAnew
                | TheyCallUsDead | WePromise(_) | TheyGaveLate(_) | WeTook,
            ) => (self, Step::Nothing),

            (Taking(set), WeTook) => (Not, Step::SayTaken(set)),
            (Taking(_), TheyOffer(_)) => (self, Step::SayBusy),
            (Taking(_), Overdue | TheyAreGone) => dropped,
            (Taking(_), WeLeave(_)) => (Not, Step::SayCancelled),
            (Taking(_), Void) => (Not, Step::Nothing),
            (
                Taking(_),
                WeOffer(_) | TheyPromise | TheyRevoke | WeReleased | WeAreStuck | TakerIsQuiet | TakerBeginsAnew
                | TheyCallUsDead | WePromise(_) | TheyBegin | TheyAreDone | TheyGaveLate(_) | WeTake(_) | GiverIsQuiet
                | WordsAreVoid,
            ) => (self, Step::Nothing),
        }
    }

    /// What an original goes on with, whatever we do.
    const fn owed(self) -> Owed {
        match self {
            Standby::AwaitingTaker(set) => Owed::Taken(set),
            Standby::Promised(set, true) => Owed::Given(set),
            Standby::Promised(set, false) => Owed::Begun(set),
            Standby::Not | Standby::Asked(_) | Standby::Releasing(_) | Standby::Taking(_) => Owed::Nothing,
        }
    }
}
