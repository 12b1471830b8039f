//! Each dialogue as a table: every state with everything that can happen.

use super::{JoiningEvent, Leaving, LeavingEvent, LeavingStep, Stage};

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
}
