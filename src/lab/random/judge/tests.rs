//! Each promise the judge can call broken, and beside it what it must let pass.

use super::super::fact::{Seen, TypedCommand};
use super::*;
use crate::haresources::Verb;

const STARTED: [Daemon; 2] = [Daemon::Well; 2];

/// A list of facts being written: one group of each node, `one` and `two` on alpha, `three` on beta.
#[derive(Clone)]
struct List {
    bounds: Bounds,
    facts: Vec<TimedFact>,
}

fn secs(seconds: f64) -> Mono {
    Mono::at(Duration::from_secs_f64(seconds))
}

fn things(daemons: [Daemon; 2], works: bool) -> Things {
    Things { daemons, reaches: [works; 2], both_ways: works, scripts_answer: true }
}

/// Both daemons run and hear each other, each has its own group, and that has been so for a while.
fn pair() -> List {
    let group = |key: &str, owner, resources: &[&str]| JudgedGroup {
        key: key.to_owned(),
        owner,
        resources: resources.iter().map(|name| (*name).to_owned()).collect(),
    };
    let bounds = Bounds {
        names: ["alpha".to_owned(), "beta".to_owned()],
        deadtime: Duration::from_secs(1),
        keepalive: Duration::from_millis(100),
        initdead: Duration::from_secs(3),
        script_limit: Duration::from_secs(3),
        groups: vec![group("one", 0, &["one", "two"]), group("three", 1, &["three"])],
        fenced: false,
        original: None,
    };
    let mut list = List { bounds, facts: Vec::new() };
    list.add(0.0, Fact::Things(things(STARTED, true)));
    list.starts(1.0, 0, "one").starts(1.1, 0, "two").starts(1.1, 1, "three").answers(1.5, 20.0);
    list
}

impl List {
    fn add(&mut self, at: f64, fact: Fact) -> &mut List {
        self.facts.push(TimedFact { at: secs(at), fact });
        self
    }

    fn starts(&mut self, at: f64, node: usize, name: &str) -> &mut List {
        self.add(at, Fact::Began(node, name.to_owned(), Verb::Start));
        self.add(at + 0.02, Fact::Ended(node, name.to_owned(), Verb::Start, 0))
    }

    fn begins_stop(&mut self, at: f64, node: usize, name: &str) -> &mut List {
        self.add(at, Fact::Began(node, name.to_owned(), Verb::Stop))
    }

    fn stops(&mut self, at: f64, node: usize, name: &str, code: i32) -> &mut List {
        self.begins_stop(at, node, name);
        self.add(at + 0.02, Fact::Ended(node, name.to_owned(), Verb::Stop, code))
    }

    /// Both daemons answer five times a second and say what is so.
    fn answers(&mut self, from: f64, until: f64) -> &mut List {
        self.answers_of(&[0, 1], from, until)
    }

    fn answers_of(&mut self, nodes: &[usize], from: f64, until: f64) -> &mut List {
        let mut at = from;
        while at < until {
            for node in nodes {
                self.says(at, *node, &[]);
            }
            at += 0.2;
        }
        self
    }

    /// A daemon says of each of these groups what it makes of it.
    fn says(&mut self, at: f64, node: usize, states: &[(&str, &str)]) -> &mut List {
        let groups = states.iter().map(|(key, state)| ((*key).to_owned(), (*state).to_owned())).collect();
        self.add(at, Fact::Status(node, Seen { asked: secs(at), stable: true, groups, elsewhere: Vec::new() }))
    }

    fn cause(&mut self, at: f64, node: usize, key: &str) -> &mut List {
        self.add(at, Fact::Cause(node, Some(key.to_owned())))
    }

    fn things(&mut self, at: f64, daemons: [Daemon; 2], works: bool) -> &mut List {
        self.add(at, Fact::Things(things(daemons, works)))
    }

    fn asked(&mut self, at: f64, lawful: bool) -> &mut List {
        self.add(at, Fact::TypedCommand(TypedCommand { id: 1, node: 0, words: "standby all".to_owned(), lawful }))
    }

    /// The letters of what is complained of, in order of time.
    fn judged(&self) -> Vec<&'static str> {
        let mut facts = self.facts.clone();
        facts.sort_by_key(|timed| timed.at);
        judge(&self.bounds, &facts).iter().map(|broken| broken.promise).collect()
    }
}

#[test]
fn a_quiet_pair_is_not_complained_of() {
    assert_eq!(pair().judged(), Vec::<&str>::new());
}

#[test]
fn a_hand_over_in_the_right_order_is_not_complained_of() {
    let mut list = pair();
    list.asked(20.0, true).cause(20.01, 0, "one").stops(20.1, 0, "two", 0).stops(20.2, 0, "one", 0);
    list.starts(20.3, 1, "one").starts(20.4, 1, "two");
    list.add(20.5, Fact::Answered(1, Some(0), String::new())).answers(20.5, 40.0);
    assert_eq!(list.judged(), Vec::<&str>::new());
}

#[test]
fn a_start_on_the_second_node_while_all_is_well_breaks_s1_however_short() {
    let mut list = pair();
    list.cause(20.0, 0, "one").begins_stop(20.0, 0, "one").starts(20.01, 1, "one");
    list.add(20.02, Fact::Ended(0, "one".to_owned(), Verb::Stop, 0));
    assert_eq!(list.judged(), ["S1"]);
}

#[test]
fn a_core_that_was_killed_and_is_back_excuses_no_new_double() {
    let mut list = pair();
    list.add(20.0, Fact::CoreKilled(0)).starts(20.1, 1, "one");
    assert_eq!(list.judged(), ["S1"]);
}

#[test]
fn who_cannot_hear_each_other_may_run_both_until_a_while_after_the_healing() {
    let mut list = pair();
    list.things(20.0, STARTED, false).starts(21.1, 1, "one").answers(21.0, 25.0);
    list.things(25.0, STARTED, true).answers(25.0, 26.2);
    assert_eq!(list.judged(), Vec::<&str>::new());
    list.answers(26.2, 27.0);
    assert_eq!(list.judged(), ["S1", "S2"]);
}

#[test]
fn time_in_which_a_stop_is_at_work_is_waited_for() {
    let mut list = pair();
    list.things(20.0, STARTED, false).starts(21.1, 1, "one").answers(21.0, 25.0).things(25.0, STARTED, true);
    list.cause(25.1, 1, "one").begins_stop(25.1, 1, "one").answers(25.0, 27.5);
    list.add(27.5, Fact::Ended(1, "one".to_owned(), Verb::Stop, 0)).answers(27.5, 35.0);
    assert_eq!(list.judged(), Vec::<&str>::new());
}

#[test]
fn a_machine_that_stood_still_excuses_what_takes_long_and_begins_every_clock_anew() {
    let mut list = pair();
    list.add(20.9, Fact::StoodStill(Duration::from_millis(900))).starts(21.0, 1, "one").stops(21.4, 1, "one", 0);
    list.cause(21.3, 1, "one");
    assert_eq!(list.judged(), Vec::<&str>::new());
}

#[test]
fn one_way_that_works_is_enough_for_s2() {
    let mut list = pair();
    list.things(20.0, STARTED, false).starts(21.1, 1, "one").answers(21.0, 25.0);
    list.add(25.0, Fact::Things(Things { reaches: [true, false], ..things(STARTED, false) })).answers(25.0, 27.0);
    assert_eq!(list.judged(), ["S2"]);
}

#[test]
fn where_a_silent_node_is_fenced_nothing_excuses_a_double() {
    let mut list = pair();
    list.bounds.fenced = true;
    list.things(20.0, STARTED, false).starts(21.1, 1, "one");
    assert_eq!(list.judged(), ["S3"]);
}

#[test]
fn who_left_in_order_or_was_fenced_already_is_not_fenced() {
    let mut list = pair();
    list.bounds.fenced = true;
    list.add(20.0, Fact::Cause(1, None)).stops(20.0, 1, "three", 0).starts(20.1, 0, "three");
    list.things(20.2, [Daemon::Well, Daemon::Left], true).add(20.2, Fact::Left(1)).add(22.0, Fact::Fenced(1));
    assert_eq!(list.judged(), ["S8"]);
    // A node that starts anew does not know it.
    list.facts.pop();
    list.add(20.5, Fact::Off(0)).things(20.5, [Daemon::Off, Daemon::Left], true);
    list.things(21.0, [Daemon::Well, Daemon::Left], true).add(22.0, Fact::Fenced(1));
    assert_eq!(list.judged(), Vec::<&str>::new());
    // Nor does one that is being started while the other leaves.
    let mut list = pair();
    list.bounds.fenced = true;
    list.add(18.0, Fact::Off(0)).things(18.0, [Daemon::Off, Daemon::Well], true);
    list.add(20.0, Fact::Cause(1, None)).stops(20.0, 1, "three", 0).things(20.0, STARTED, true);
    list.things(20.01, [Daemon::Well, Daemon::Left], true).add(20.01, Fact::Left(1)).add(23.0, Fact::Fenced(1));
    assert!(!list.judged().contains(&"S8"));
    let mut list = pair();
    list.bounds.fenced = true;
    list.things(20.0, STARTED, false).add(21.0, Fact::Fenced(1)).add(21.0, Fact::Off(1));
    list.things(21.0, [Daemon::Well, Daemon::Off], true).starts(21.2, 0, "three");
    assert_eq!(list.judged(), Vec::<&str>::new());
    // Who gave up waiting for its device, because it heard the other, does not know that it fired all the same.
    let mut given_up = list.clone();
    assert_eq!(given_up.add(22.0, Fact::Fenced(1)).judged(), Vec::<&str>::new());
    list.add(21.3, Fact::KnownFenced(1)).add(22.0, Fact::Fenced(1));
    assert_eq!(list.judged(), ["S8"]);
}

#[test]
fn a_daemon_that_stood_still_for_long_may_be_taken_for_dead() {
    let mut list = pair();
    list.things(20.0, [Daemon::Stopped, Daemon::Well], true).answers_of(&[1], 20.0, 21.0);
    list.starts(21.1, 1, "one").starts(21.2, 1, "two").answers_of(&[1], 21.2, 24.0);
    assert_eq!(list.judged(), Vec::<&str>::new());
}

#[test]
fn what_lost_its_power_does_not_run() {
    let mut list = pair();
    list.add(20.0, Fact::Off(0)).things(20.0, [Daemon::Off, Daemon::Well], true).answers_of(&[1], 20.0, 21.1);
    list.starts(21.1, 1, "one").starts(21.2, 1, "two").answers_of(&[1], 21.2, 40.0);
    assert_eq!(list.judged(), Vec::<&str>::new());
}

#[test]
fn what_is_called_free_and_was_never_stopped_breaks_s5() {
    let mut list = pair();
    list.says(20.0, 0, &[("one", "free")]);
    assert_eq!(list.judged(), ["S5", "S5"]);
    let mut list = pair();
    list.cause(19.9, 0, "one").stops(20.0, 0, "two", 1).stops(20.1, 0, "one", 0).says(21.0, 0, &[("one", "failed")]);
    assert_eq!(list.judged(), ["S5"]);
}

#[test]
fn a_status_that_says_stopped_is_evidence() {
    let mut list = pair();
    list.cause(19.9, 0, "one").stops(20.0, 0, "two", 1).stops(20.1, 0, "one", 0);
    list.add(20.2, Fact::Said(0, "two".to_owned(), false)).says(21.0, 0, &[("one", "failed")]);
    assert_eq!(list.judged(), Vec::<&str>::new());
}

#[test]
fn what_began_while_it_was_asked_the_daemon_could_not_know() {
    let mut list = pair();
    list.cause(19.0, 0, "one").stops(19.1, 0, "two", 0).stops(19.2, 0, "one", 0).starts(19.5, 1, "one");
    list.starts(19.6, 1, "two").cause(19.8, 1, "one").stops(19.9, 1, "two", 0).stops(19.95, 1, "one", 0);
    list.starts(20.0, 0, "one").says(20.05, 0, &[("one", "free")]);
    assert_eq!(list.judged(), Vec::<&str>::new());
}

#[test]
fn a_successor_that_calls_free_what_its_predecessor_started_breaks_s7() {
    let mut list = pair();
    list.add(20.0, Fact::CoreKilled(1)).says(20.3, 1, &[("three", "free")]);
    assert_eq!(list.judged(), ["S7"]);
}

#[test]
fn a_successor_that_starts_something_before_it_looks_breaks_s7() {
    let mut list = pair();
    list.add(20.0, Fact::CoreKilled(1)).add(20.0, Fact::Off(0));
    list.things(20.0, [Daemon::Off, Daemon::Well], true).starts(21.5, 1, "one");
    assert_eq!(list.judged(), ["S7"]);
    let mut list = pair();
    list.add(20.0, Fact::CoreKilled(1)).add(20.0, Fact::Off(0));
    list.things(20.0, [Daemon::Off, Daemon::Well], true).add(20.2, Fact::Began(1, "three".to_owned(), Verb::Status));
    list.starts(21.5, 1, "one").starts(21.6, 1, "two");
    assert_eq!(list.judged(), Vec::<&str>::new());
}

#[test]
fn a_successor_may_start_again_what_its_predecessor_had_started() {
    let mut list = pair();
    list.add(20.0, Fact::CoreKilled(0)).add(20.1, Fact::Began(0, "one".to_owned(), Verb::Status));
    list.starts(20.2, 0, "one").add(20.3, Fact::Began(0, "two".to_owned(), Verb::Status));
    assert_eq!(list.judged(), Vec::<&str>::new());
}

#[test]
fn who_leaves_and_leaves_something_behind_breaks_s7() {
    let mut list = pair();
    list.add(20.0, Fact::Cause(0, None)).stops(20.1, 0, "two", 0);
    list.things(20.2, [Daemon::Left, Daemon::Well], true).add(20.2, Fact::Left(0));
    assert_eq!(list.judged(), ["S7"]);
}

#[test]
fn a_stop_without_a_cause_breaks_s6() {
    let mut list = pair();
    list.stops(20.0, 1, "three", 0).starts(20.2, 1, "three").answers(20.2, 22.0);
    assert_eq!(list.judged(), ["S6"]);
    let mut list = pair();
    list.cause(19.0, 1, "three").add(19.5, Fact::Settled(1, Some("three".to_owned())));
    list.stops(20.0, 1, "three", 0).starts(20.2, 1, "three").answers(20.2, 22.0);
    assert_eq!(list.judged(), ["S6"]);
}

#[test]
fn a_cause_may_be_written_down_a_moment_after_the_stop_began() {
    let mut list = pair();
    list.stops(20.0, 1, "three", 0).cause(20.05, 1, "three").starts(20.2, 1, "three").answers(20.2, 22.0);
    assert_eq!(list.judged(), Vec::<&str>::new());
}

#[test]
fn a_group_that_runs_nowhere_breaks_l1() {
    let mut list = pair();
    list.cause(20.0, 1, "three").stops(20.0, 1, "three", 0).answers(20.1, 22.5);
    assert_eq!(list.judged(), Vec::<&str>::new());
    list.answers(22.5, 26.0);
    assert_eq!(list.judged(), ["L1"]);
}

#[test]
fn a_group_that_failed_everywhere_may_run_nowhere_and_one_that_failed_here_may_not() {
    let mut list = pair();
    list.cause(20.0, 1, "three").stops(20.0, 1, "three", 0).says(20.1, 0, &[("three", "failed")]);
    let mut here = 20.2;
    while here < 30.0 {
        list.says(here, 0, &[("three", "failed")]).says(here, 1, &[("three", "failed")]);
        here += 0.2;
    }
    assert_eq!(list.judged(), Vec::<&str>::new());
    list.says(30.0, 0, &[("three", "free")]);
    let mut here = 30.2;
    while here < 35.0 {
        list.says(here, 0, &[("three", "free")]).says(here, 1, &[("three", "failed")]);
        here += 0.2;
    }
    assert_eq!(list.judged(), ["L1"]);
}

#[test]
fn what_an_original_says_it_has_may_run_nowhere() {
    let claimed = |elsewhere: &[&str]| {
        let mut list = pair();
        list.bounds.original = Some(1);
        list.cause(20.0, 1, "three").stops(20.0, 1, "three", 0);
        for step in 0..200 {
            let (at, free) = (20.1 + f64::from(step) / 5.0, ("three".to_owned(), "free".to_owned()));
            let elsewhere = elsewhere.iter().map(|key| (*key).to_owned()).collect();
            let seen = Seen { asked: secs(at), stable: true, groups: vec![free], elsewhere };
            list.add(at, Fact::Status(0, seen));
        }
        list.judged()
    };
    assert_eq!(claimed(&[]), ["L1"]);
    assert_eq!(claimed(&["three"]), Vec::<&str>::new());
}

#[test]
fn a_leaver_that_cannot_stop_something_answers_later() {
    let mut list = pair();
    list.asked(20.0, false);
    for step in 0..100 {
        let at = 20.1 + f64::from(step) / 5.0;
        list.says(at, 0, &[("one", "blocked")]).says(at, 1, &[]);
    }
    assert_eq!(list.judged(), Vec::<&str>::new());
}

#[test]
fn a_request_without_an_answer_breaks_l2() {
    let mut list = pair();
    list.asked(20.0, false).answers(20.0, 40.0);
    assert_eq!(list.judged(), ["L2"]);
}

#[test]
fn a_lawful_request_that_is_refused_breaks_l2_and_another_may_be_refused() {
    let mut list = pair();
    list.asked(20.0, true).add(20.1, Fact::Answered(1, Some(1), "a hand-over is under way".to_owned()));
    assert_eq!(list.judged(), ["L2"]);
    let mut list = pair();
    list.asked(20.0, false).add(20.1, Fact::Answered(1, Some(1), "the other node is dead".to_owned()));
    assert_eq!(list.judged(), Vec::<&str>::new());
}

#[test]
fn a_core_that_does_not_come_back_breaks_l6() {
    let mut list = pair();
    list.add(20.0, Fact::CoreKilled(0)).answers_of(&[1], 20.0, 27.0);
    assert_eq!(list.judged(), ["L6"]);
}

#[test]
fn a_daemon_that_ends_by_itself_while_something_runs_breaks_l6() {
    let mut list = pair();
    list.add(20.0, Fact::Died(1, Some(1)));
    assert_eq!(list.judged(), ["L6"]);
    let mut list = pair();
    list.add(19.0, Fact::Cause(1, None)).stops(19.0, 1, "three", 0).add(20.0, Fact::Died(1, Some(1)));
    assert_eq!(list.judged(), Vec::<&str>::new());
}

#[test]
fn beside_an_original_only_what_ours_begins_is_judged() {
    let mut list = pair();
    list.bounds.original = Some(1);
    list.starts(20.0, 1, "one").answers_of(&[0], 20.0, 30.0);
    assert_eq!(list.judged(), Vec::<&str>::new());
    let mut list = pair();
    list.bounds.original = Some(1);
    list.starts(20.0, 0, "three");
    assert_eq!(list.judged(), ["S1"]);
    // It was told that it may.
    list.add(19.9, Fact::Given(0));
    assert_eq!(list.judged(), Vec::<&str>::new());
}
