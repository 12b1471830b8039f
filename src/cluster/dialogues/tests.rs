//! Each dialogue as a table: every state with everything that can happen.

use super::super::Set;
use super::{JoiningEvent, Leaving, LeavingEvent, LeavingStep, Owed, Stage, Standby, StandbyEvent, StandbyStep};

/// Each state with each event, once.
fn is_whole<S: PartialEq, E: PartialEq>(rows: &[(S, E)], states: usize, events: usize) -> bool {
    let is_first = |(at, row): (usize, &(S, E))| rows.iter().position(|other| other == row) == Some(at);
    rows.len() == states * events && rows.iter().enumerate().all(is_first)
}

#[test]
fn a_node_leaves_once_and_a_second_order_ends_it_only_where_something_does_not_stop() {
    use {Leaving as L, LeavingEvent as E, LeavingStep as S};
    let table = [
        (L::Not, E::Ordered, L::Releasing, S::Release),
        (L::Not, E::DoesNotStop, L::Not, S::Nothing),
        (L::Not, E::AllDown, L::Done, S::SayFarewell),
        (L::Releasing, E::Ordered, L::Releasing, S::SayUnderway),
        (L::Releasing, E::DoesNotStop, L::Blocked, S::SayBlocked),
        (L::Releasing, E::AllDown, L::Done, S::SayFarewell),
        (L::Blocked, E::Ordered, L::Blocked, S::End),
        (L::Blocked, E::DoesNotStop, L::Blocked, S::Nothing),
        (L::Blocked, E::AllDown, L::Done, S::SayFarewell),
        (L::Done, E::Ordered, L::Done, S::SayUnderway),
        (L::Done, E::DoesNotStop, L::Done, S::Nothing),
        (L::Done, E::AllDown, L::Done, S::Nothing),
    ];
    for (state, event, next, step) in table {
        assert_eq!(state.after(event), (next, step), "{state:?}, {event:?}");
    }
    assert!(is_whole(&table.map(|row| (row.0, row.1)), 4, 3));
}

#[test]
fn a_node_that_joins_acts_when_it_knows_what_the_other_holds_or_that_nobody_will_say() {
    use {JoiningEvent as E, Stage as S};
    let table = [
        (S::Joining, E::Asks, S::Asking),
        (S::Joining, E::NobodyToAsk, S::Settled),
        (S::Joining, E::Known, S::Settled),
        (S::Joining, E::Claimed, S::Joining),
        (S::Joining, E::Silent, S::Joining),
        (S::Joining, E::Gone, S::Joining),
        (S::Asking, E::Asks, S::Asking),
        (S::Asking, E::NobodyToAsk, S::Settled),
        (S::Asking, E::Known, S::Settled),
        (S::Asking, E::Claimed, S::Settled),
        (S::Asking, E::Silent, S::Settled),
        (S::Asking, E::Gone, S::Settled),
        (S::Settled, E::Asks, S::Settled),
        (S::Settled, E::NobodyToAsk, S::Settled),
        (S::Settled, E::Known, S::Settled),
        (S::Settled, E::Claimed, S::Settled),
        (S::Settled, E::Silent, S::Settled),
        (S::Settled, E::Gone, S::Settled),
    ];
    for (state, event, next) in table {
        assert_eq!(state.after(event), next, "{state:?}, {event:?}");
    }
    assert!(is_whole(&table.map(|row| (row.0, row.1)), 3, 6));
}

/// What is given in the tests below, and what is offered after that.
const GIVEN: Set = Set::Local;
const NEXT: Set = Set::All;

const STATES: [Standby; 7] = [
    Standby::Not,
    Standby::Asked(GIVEN),
    Standby::Releasing(GIVEN),
    Standby::AwaitingTaker(GIVEN),
    Standby::Promised(GIVEN, false),
    Standby::Promised(GIVEN, true),
    Standby::Taking(GIVEN),
];

const EVENTS: [StandbyEvent; 23] = [
    StandbyEvent::WeOffer(NEXT),
    StandbyEvent::TheyPromise,
    StandbyEvent::TheyRevoke,
    StandbyEvent::WeReleased,
    StandbyEvent::WeAreStuck,
    StandbyEvent::TakerIsQuiet,
    StandbyEvent::TakerBeginsAnew,
    StandbyEvent::TheyCallUsDead,
    StandbyEvent::TheyOffer(false),
    StandbyEvent::TheyOffer(true),
    StandbyEvent::WePromise(NEXT),
    StandbyEvent::TheyBegin,
    StandbyEvent::TheyAreDone,
    StandbyEvent::TheyGaveLate(NEXT),
    StandbyEvent::WeTake(GIVEN),
    StandbyEvent::WeTook,
    StandbyEvent::GiverIsQuiet,
    StandbyEvent::WordsAreVoid,
    StandbyEvent::Overdue,
    StandbyEvent::TheyAreGone,
    StandbyEvent::WeLeave(false),
    StandbyEvent::WeLeave(true),
    StandbyEvent::Void,
];

/// What changes anything; everything else leaves a hand-over where it is.
fn changes() -> Vec<(Standby, StandbyEvent, Standby, StandbyStep)> {
    use {Standby as S, StandbyEvent as E, StandbyStep as D};
    let drop = |state, event, owed| (state, event, S::Not, D::Drop(owed));
    let (asked, releasing, awaiting) = (S::Asked(GIVEN), S::Releasing(GIVEN), S::AwaitingTaker(GIVEN));
    let (promised, begun, taking) = (S::Promised(GIVEN, false), S::Promised(GIVEN, true), S::Taking(GIVEN));
    let mut table = vec![
        (S::Not, E::WeOffer(NEXT), S::Asked(NEXT), D::SayOffer),
        (S::Not, E::TheyOffer(false), S::Not, D::NoteOffer),
        (S::Not, E::TheyOffer(true), S::Not, D::NoteOffer),
        (S::Not, E::WePromise(NEXT), S::Promised(NEXT, false), D::SayPromise),
        (S::Not, E::TheyAreDone, S::Not, D::LookForOwed),
        (S::Not, E::TheyGaveLate(NEXT), S::Promised(NEXT, true), D::TakeSoon(NEXT)),
        (asked, E::WeOffer(NEXT), S::Asked(NEXT), D::SayOffer),
        (asked, E::TheyPromise, releasing, D::Release(GIVEN)),
        (asked, E::TheyOffer(true), S::Not, D::Yield),
        (asked, E::TheyOffer(false), asked, D::SayBusy),
        (asked, E::Overdue, S::Not, D::SayNoReply),
        drop(asked, E::TheyRevoke, Owed::Nothing),
        drop(asked, E::TheyCallUsDead, Owed::Nothing),
        drop(asked, E::WordsAreVoid, Owed::Nothing),
        drop(asked, E::TheyAreGone, Owed::Nothing),
        (asked, E::WeLeave(true), S::Not, D::SayCancelled),
        (releasing, E::WeReleased, awaiting, D::SayReleased(GIVEN)),
        (releasing, E::WeAreStuck, S::Not, D::SayStuck),
        drop(releasing, E::TakerIsQuiet, Owed::Nothing),
        drop(releasing, E::TakerBeginsAnew, Owed::Nothing),
        drop(releasing, E::TheyCallUsDead, Owed::Nothing),
        drop(releasing, E::Overdue, Owed::Nothing),
        drop(releasing, E::TheyAreGone, Owed::Nothing),
        (awaiting, E::TheyAreDone, S::Not, D::TakenThere(GIVEN)),
        (awaiting, E::TakerIsQuiet, S::Not, D::EndGiving(GIVEN)),
        drop(awaiting, E::TakerBeginsAnew, Owed::Taken(GIVEN)),
        drop(awaiting, E::TheyCallUsDead, Owed::Taken(GIVEN)),
        drop(awaiting, E::Overdue, Owed::Taken(GIVEN)),
        drop(awaiting, E::TheyAreGone, Owed::Taken(GIVEN)),
        (awaiting, E::WeLeave(true), S::Not, D::SayCancelled),
        (promised, E::TheyBegin, begun, D::AllowTime),
        (taking, E::WeTook, S::Not, D::SayTaken(GIVEN)),
        drop(taking, E::Overdue, Owed::Nothing),
        drop(taking, E::TheyAreGone, Owed::Nothing),
        (taking, E::WeLeave(true), S::Not, D::SayCancelled),
    ];
    for (state, owed) in [(promised, Owed::Begun(GIVEN)), (begun, Owed::Given(GIVEN))] {
        table.extend([
            (state, E::TheyAreDone, state, D::TakeSoon(GIVEN)),
            (state, E::WeTake(GIVEN), taking, D::Take),
            drop(state, E::GiverIsQuiet, owed),
            drop(state, E::WordsAreVoid, owed),
            drop(state, E::Overdue, owed),
            drop(state, E::TheyAreGone, owed),
            (state, E::WeLeave(true), S::Not, D::SayCancelled),
        ]);
    }
    for state in [releasing, awaiting, promised, begun, taking] {
        table.extend([false, true].map(|yields| (state, E::TheyOffer(yields), state, D::SayBusy)));
    }
    for state in [asked, releasing, awaiting, promised, begun, taking] {
        table.push((state, E::WeLeave(false), S::Not, D::SayCancelled));
        table.push((state, E::Void, S::Not, D::Nothing));
    }
    table
}

#[test]
fn a_hand_over_goes_from_step_to_step_and_what_is_out_of_step_changes_nothing() {
    let changes = changes();
    for state in STATES {
        for event in EVENTS {
            let mut found = changes.iter().filter(|row| (row.0, row.1) == (state, event));
            let expected = found.next().map_or((state, StandbyStep::Nothing), |row| (row.2, row.3));
            assert_eq!(state.after(event), expected, "{state:?}, {event:?}");
            assert!(found.next().is_none(), "twice in the table: {state:?}, {event:?}");
        }
    }
    let is_tried =
        |row: &&(Standby, StandbyEvent, Standby, StandbyStep)| STATES.contains(&row.0) && EVENTS.contains(&row.1);
    assert_eq!(changes.iter().filter(is_tried).count(), changes.len());
}
