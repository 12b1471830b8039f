use crate::names::NodeName;

use super::*;

fn group(words: &str) -> ResourceGroup {
    let owner = NodeName::new("alpha").unwrap();
    ResourceGroup { owner, resources: words.split(' ').map(Resource::from_word).collect(), line: 1 }
}

fn said(text: &str) -> Outcome {
    Outcome { exit: Exit::Code(0), said: text.to_owned() }
}

/// Plays a chain against `answer`, which is told each call; returns the calls and the last step.
fn play((mut chain, mut step): (Chain, Step), mut answer: impl FnMut(&str) -> Outcome) -> (Vec<String>, Step) {
    let mut calls = Vec::new();
    for _ in 0..100 {
        step = match step {
            Step::Run(invocation) => {
                calls.push(invocation.to_string());
                chain.on_done(&answer(&invocation.to_string()))
            }
            Step::Pause(_) => chain.on_pause(),
            end @ (Step::Held | Step::Released | Step::Failed { .. } | Step::StopFailed { .. }) => return (calls, end),
        };
    }
    panic!("the chain does not end: {calls:?}");
}

#[test]
fn a_group_is_asked_and_started_left_to_right_and_what_runs_is_skipped() {
    let (calls, end) =
        play(Chain::acquire(&group("a b::x c")), |call| said(if call == "b x status" { "running" } else { "" }));
    assert_eq!(calls, ["a status", "a start", "b x status", "c status", "c start"]);
    assert_eq!(end, Step::Held);
}

#[test]
fn a_group_is_stopped_right_to_left_running_or_not() {
    let (calls, end) = play(Chain::release(&group("a b c")), |_| said(""));
    assert_eq!(calls, ["c stop", "b stop", "a stop"]);
    assert_eq!(end, Step::Released);
}

#[test]
fn a_failed_start_releases_what_was_taken() {
    let (calls, end) = play(Chain::acquire(&group("a b c")), |call| Outcome::code(i32::from(call == "b start")));
    assert_eq!(calls, ["a status", "a start", "b status", "b start", "b stop", "a stop"]);
    assert_eq!(end, Step::Failed { resource: "b".into(), exit: Exit::Code(1) });
}

#[test]
fn a_failing_stop_is_tried_eleven_times_and_believed_dead_only_if_status_says_so() {
    for (status, expected) in [("not running", Step::Released), ("running", Step::StopFailed { resource: "b".into() })]
    {
        let (calls, end) = play(Chain::release(&group("a b")), |call| match call {
            "b stop" => Outcome::code(1),
            "b status" => said(status),
            _ => said(""),
        });
        assert_eq!(calls.iter().filter(|call| *call == "b stop").count(), 11);
        assert_eq!(end, expected);
    }
}

#[test]
fn a_stop_that_timed_out_is_not_repeated() {
    let (calls, end) = play(Chain::release(&group("a")), |call| {
        if call == "a stop" { Outcome { exit: Exit::TimedOut, said: String::new() } } else { said("stopped") }
    });
    assert_eq!(calls, ["a stop", "a status"]);
    assert_eq!(end, Step::Released);
}

#[test]
fn a_status_that_proves_nothing_is_no_evidence_of_a_stop() {
    for exit in [Exit::TimedOut, Exit::Signal(9), Exit::NotFound("not permitted".into()), Exit::Code(0)] {
        let (_, end) = play(Chain::release(&group("a")), |call| {
            let exit = if call == "a stop" { Exit::Code(1) } else { exit.clone() };
            Outcome { exit, said: String::new() }
        });
        assert_eq!(end, Step::StopFailed { resource: "a".into() });
    }
}

#[test]
fn a_stop_that_cannot_be_run_is_tried_again_like_one_that_failed() {
    let mut tries = 0;
    let (_, end) = play(Chain::release(&group("a")), |_| {
        tries += 1;
        if tries < 3 { Outcome::not_found("no fork".into()) } else { said("") }
    });
    assert_eq!((tries, end), (3, Step::Released));
}

#[test]
fn what_a_predecessor_may_have_started_is_stopped_wholly_when_one_of_it_does_not_start() {
    let (calls, _) = play(Chain::resume(&group("a b c")), |call| Outcome::code(i32::from(call == "a start")));
    assert_eq!(calls, ["a status", "a start", "c stop", "b stop", "a stop"]);
}

#[test]
fn an_aborted_chain_finishes_its_script_and_goes_down() {
    let (mut chain, _) = Chain::acquire(&group("a b"));
    chain.on_done(&said(""));
    chain.abort();
    assert!(chain.is_going_down());
    let step = chain.on_done(&said(""));
    let (calls, end) = play((chain, step), |_| said(""));
    assert_eq!(calls, ["a stop"]);
    assert_eq!(end, Step::Released);
}

#[test]
fn an_empty_group_is_held_and_released_at_once() {
    let empty = ResourceGroup { resources: Vec::new(), ..group("a") };
    assert_eq!(Chain::acquire(&empty).1, Step::Held);
    assert_eq!(Chain::release(&empty).1, Step::Released);
}
