//! Each kind of fault a play can be made of does what it says, and is counted.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

use std::collections::BTreeSet;
use std::time::Duration;

use latido::cluster::{Request, Set};
use latido::diagnostic::SourceText;
use latido::simulate::{Fault, NAMES, Performance, Play, SimulatedPair, settings};

/// Both nodes are up, each with its group.
const UP: &str = "group alpha ra\ngroup beta rc\nstart alpha beta\nwait 20\n";

/// Plays it and finds every expectation met.
fn play(text: &str) -> SimulatedPair {
    let Performance { pair, complaints } = perform(text);
    assert!(complaints.is_empty(), "{complaints:?}\n{}", pair.transcript());
    pair
}

/// Both nodes are up, and then this befalls them.
fn befalls(text: &str) -> SimulatedPair {
    play(&format!("{UP}{text}"))
}

fn perform(text: &str) -> Performance {
    let settings = NAMES.map(|name| settings(name).unwrap());
    let play = Play::parse(&SourceText::new("play", text), &settings, &[]);
    play.unwrap_or_else(|problems| panic!("{problems:?}")).perform(&settings, &[], None)
}

fn says(pair: &SimulatedPair, text: &str) -> bool {
    pair.transcript().contains(text)
}

#[test]
fn a_direction_that_is_cut_carries_nothing_and_the_other_goes_on() {
    let pair = befalls("cut eth0 alpha>beta\ncut /dev/ttyS0 alpha>beta\nwait 20\n");
    assert!(!pair.works(0) && pair.works(1) && !pair.works_both_ways());
    assert!(says(&pair, "-- cut eth0 alpha>beta"));
    assert!(says(&pair, "beta   report  WARN: node alpha: is dead") && !says(&pair, "node beta: is dead"));
    let pair = befalls("cut eth0 alpha>beta\ncut /dev/ttyS0 beta>alpha\nwait 20\n");
    assert!(pair.works(0) && pair.works(1) && !pair.works_both_ways() && !says(&pair, "is dead"));
    let pair = befalls("cut all beta>alpha\nmend all\nwait 20\n");
    assert!(pair.works_both_ways() && !says(&pair, "is dead"));
}

#[test]
fn loss_and_delay_are_of_a_direction() {
    let pair = befalls("loss 100 all alpha>beta\nwait 20\n");
    assert!(says(&pair, "node alpha: is dead") && !says(&pair, "node beta: is dead"));
    // A claim on the slow line is overtaken by the goodbye on the fast one.
    let pair = befalls("cut eth0\ndelay /dev/ttyS0 2 alpha>beta\nfifo alpha x\nmend eth0\nleave alpha\nwait 20\n");
    assert!(pair.faults()[&Fault::Delay] > 0, "{:?}", pair.faults());
    let pair = befalls("repeats 100 eth0\nreorders 50 eth0 beta>alpha\nwait 60\nexpect home\n");
    assert!(!says(&pair, "is dead"), "{}", pair.transcript());
}

#[test]
fn a_serial_line_keeps_the_order() {
    let mut pair = SimulatedPair::new("alpha ra", 3, |settings| drop(settings.media.remove(0))).unwrap();
    pair.reorder(0, 0, 100);
    pair.lose_on(0, 0, 20);
    (0..2).for_each(|node| pair.start(node));
    pair.run_for(Duration::from_secs(60));
    assert!(!pair.faults().contains_key(&Fault::Overtaken) && pair.faults()[&Fault::Loss] > 0);
}

#[test]
fn a_ping_host_can_be_unreachable_for_one_node() {
    let text = "set ping router\nset deadping 3\ncut router alpha>router\nwait 10\nexpect alpha said router: is dead\n\
                expect beta never said router: is dead\nmend router\nwait 3\nexpect alpha said Link router:router up\n";
    befalls(text);
}

#[test]
fn what_was_begun_may_run_until_it_was_stopped_on_evidence() {
    let up = "group alpha ra\nset script-timeout 5\n";
    let of = |how: &str, rest: &str| play(&format!("{up}{how}\nstart alpha\nwait 12.02\n{rest}"));
    of("fails alpha ra start", "expect alpha runs nothing\nexpect alpha may run ra\n");
    of("hangs alpha ra start", "wait 3\nexpect alpha runs nothing\nexpect alpha may run ra\n");
    of("killed alpha ra start", "expect alpha may run ra\n");
    of("unrunnable alpha ra start", "expect alpha may run nothing\n");
    of(
        "slow alpha ra start 2",
        "wait 1\nexpect alpha runs nothing\nexpect alpha may run ra\nwait 2\nexpect alpha runs ra\n",
    );
    of("lies alpha ra start", "wait 1\nexpect alpha runs nothing\nexpect alpha may run ra\n");
    of("silent alpha ra start", "wait 1\nexpect alpha runs ra\n");
}

#[test]
fn a_start_that_was_late_comes_up_unless_it_was_stopped_meanwhile() {
    let late = "group alpha ra\nset script-timeout 5\nlate alpha ra 3\nstart alpha\nwait 12.02\n";
    play(&format!("{late}hangs alpha ra stop\nwait 6\nexpect alpha runs nothing\nwait 3\nexpect alpha runs ra\n"));
    play(&format!("{late}wait 6\nexpect alpha may run nothing\nwait 4\nexpect alpha runs nothing\n"));
}

#[test]
fn a_stop_that_lies_leaves_its_service_running() {
    befalls("lies alpha ra stop\nstandby alpha all\nwait 10\nexpect alpha runs ra\nexpect alpha may run nothing\n");
    let stop = |how: &str| {
        let rest = "standby alpha all\nwait 0.3\nexpect alpha runs ra\nexpect alpha may run ra\n";
        play(&format!("set on-stop-failure block\n{UP}{how} alpha ra stop\n{rest}"));
    };
    ["fails", "hangs", "killed", "unrunnable"].into_iter().for_each(stop);
    befalls("silent alpha ra stop\nstandby alpha all\nwait 0.3\nexpect alpha runs nothing\n");
}

#[test]
fn a_status_that_hangs_fails_or_is_silent_says_nothing() {
    for how in ["hangs", "fails", "killed", "silent", "unrunnable"] {
        let text = format!("set monitor * 2 0\n{UP}{how} alpha ra status\nwait 1.9\n");
        let pair = perform(&text).pair;
        let after: String = pair.transcript().lines().filter(|line| *line > "   20.000").collect();
        let asked = after.split("alpha  run     ra status -> ").nth(1).unwrap_or_else(|| panic!("{how}: {after}"));
        assert!(!asked.split("    ").next().unwrap().contains("says"), "{how}: {after}");
    }
    let pair = befalls("lies beta ra status\nkill beta\nwait 1\nstart beta\nwait 1\n");
    assert!(says(&pair, "beta   run     rc status"), "{}", pair.transcript());
}

#[test]
fn a_slow_start_is_judged_when_it_is_over() {
    let slow = "slow-start alpha 6\nkill alpha\nstart alpha\n";
    let pair = befalls(&format!("{slow}wait 5\nexpect silent alpha\nwait 15\nexpect home\n"));
    assert!(says(&pair, "(start, which takes 6000 ms)") && says(&pair, "(start too late)"), "{}", pair.transcript());
    assert!(says(&pair, "stopping what was left running (ra) before"), "{}", pair.transcript());
    let pair = befalls("notes-take alpha 6\nkill alpha\nstart alpha\nwait 15\n");
    assert!(says(&pair, "(start in time)"), "{}", pair.transcript());
    assert!(says(&pair, "stopping what was left running (ra) before"), "{}", pair.transcript());
    let pair = befalls("slow-start alpha 2\nkill alpha\nstart alpha\nwait 5\nexpect home\n");
    assert!(says(&pair, "(start in time)"), "{}", pair.transcript());
}

#[test]
fn notes_may_be_slow_lost_or_old() {
    let pair =
        befalls("notes-take alpha 500ms\nstandby alpha all\nwait 20\nexpect beta runs ra rc\nexpect never both\n");
    assert!(pair.faults()[&Fault::SlowNotes] > 1);
    let pair = befalls("notes alpha lost\nkill alpha\nwait 0.1\nstart alpha\nwait 1\nexpect alpha runs ra\n");
    assert!(!says(&pair, "(start in time)"), "{}", pair.transcript());
    let pair = befalls("standby alpha all\nwait 9\nnotes alpha old\nkill alpha\nwait 0.1\nstart alpha\nwait 1\n");
    assert!(says(&pair, "its notes: Old") && says(&pair, "(start in time)"), "{}", pair.transcript());
}

#[test]
fn a_machine_that_stands_still_does_its_work_afterwards() {
    // The daemon alone: its script ends in time.
    let slow = "scripts-take 2\nstandby alpha all\nwait 0.5\n";
    befalls(&format!("{slow}stall alpha 4\nwait 2\nexpect alpha runs nothing\n"));
    befalls(&format!("{slow}suspend alpha 4\nwait 2\nexpect alpha runs ra\nwait 4\nexpect alpha runs nothing\n"));
    let pair = befalls("freeze alpha 4\nwait 20\nexpect home\n");
    assert!(!says(&pair, "alpha  report  WARN: This node stood still"), "{}", pair.transcript());
    let pair = befalls("suspend alpha 4\nwait 20\nexpect home\n");
    assert!(says(&pair, "alpha  report  WARN: This node stood still"), "{}", pair.transcript());
}

#[test]
fn after_twenty_deaths_in_a_minute_a_daemon_only_cleans_up() {
    let pair = befalls(&format!("{}wait 20\nexpect silent alpha\n", "restarts alpha 100ms\nwait 1\n".repeat(20)));
    assert!(says(&pair, "(start to give up)") && pair.may_run(0).is_empty(), "{}", pair.transcript());
}

#[test]
fn what_a_powerless_node_had_under_way_does_not_happen() {
    befalls(
        "scripts-take 2\nstandby alpha all\nwait 1\nkill alpha\npower-off alpha\nwait 9\nexpect alpha may run nothing\n",
    );
    let shot = format!("set fence power\n{UP}fence-takes 4\ncut all\nwait 7\nkill alpha\n");
    assert!(!play(&format!("{shot}wait 9\n")).is_on(1), "a device goes on without the daemon that asked it");
    let text = "set fence power\ngroup alpha ra\nstart alpha\nwait 11\nfence-takes 5\nwait 3\npower-off alpha\nstart beta\nwait 9\n";
    assert!(play(text).is_on(1), "a device ends with the machine it hangs on");
}

#[test]
fn a_fencing_that_was_given_up_may_still_shoot() {
    let heard = format!("set fence power\nset alpha initdead 3\n{UP}fence-takes 9\ncut all beta>alpha\nwait 7\n");
    let pair = play(&format!("{heard}mend all\nwait 20\n"));
    assert!(pair.is_on(1) && pair.faults().contains_key(&Fault::FenceCancelled), "{}", pair.transcript());
    let pair = play(&format!("{heard}fence-late\nmend all\nwait 20\n"));
    assert!(!pair.is_on(1) && pair.faults().contains_key(&Fault::FenceLate), "{}", pair.transcript());
}

#[test]
fn each_node_may_have_its_own_settings_and_files() {
    let pair =
        play(&format!("set beta deadtime 3\nset alpha auto_failback off\n{UP}reload alpha set deadtime 4\nwait 9\n"));
    assert_eq!([0, 1].map(|node| pair.settings(node).deadtime.as_secs()), [4, 3]);
    assert!(pair.faults().contains_key(&Fault::Unequal));
    let other = "reload alpha alpha ra ; beta rc rd\nwait 9\nexpect beta said haresources here\n";
    let both = format!("{other}reload beta alpha ra ; beta rc rd\nwait 9\n");
    let pair = befalls(&both);
    assert!(
        !pair.view(0).unwrap().nodes.iter().any(|node| node.resources_differ == Some(true)),
        "{}",
        pair.transcript()
    );
    assert_eq!(pair.settings(0).resources_digest, pair.settings(1).resources_digest);
}

#[test]
fn a_file_that_was_edited_is_in_force_at_the_next_start() {
    let edited = "edit alpha alpha ra rd\nwait 9\nexpect alpha runs ra\npower-off alpha\nwait 9\nstart alpha\nwait 9\n";
    let pair = befalls(edited);
    assert!(says(&pair, "haresources here and on alpha differ"), "{}", pair.transcript());
}

#[test]
fn requests_are_told_apart_and_end_with_their_daemon() {
    let mut pair = befalls("");
    let [one, other] = [0, 1].map(|node| pair.request(node, Request::Standby(Set::All)));
    assert_eq!(pair.pending_requests().len(), 2);
    pair.run_for(Duration::from_secs(60));
    assert!(pair.pending_requests().is_empty() && pair.answer_to(one).is_some() && pair.answer_to(other).is_some());
    let third = pair.request(0, Request::Takeover(Set::All));
    pair.crash(0);
    assert_eq!(pair.answer_to(third).map(|answer| answer.response.clone()), Some(None));
}

#[test]
fn a_daemon_that_stands_still_hears_a_request_when_it_wakes() {
    let pair =
        befalls("stall alpha 3\nstandby alpha all\nwait 2\nexpect alpha never said standby\nwait 9\nexpect answered\n");
    assert!(says(&pair, "reply   Moved"), "{}", pair.transcript());
}

/// Plays in which every kind of fault happens.
const EVERYTHING: [&str; 18] = [
    "cut eth0\ncut /dev/ttyS0 alpha>beta\nloss 50\nwait 5\ncut all\nwait 9\nmend all\nloss 0\nwait 20",
    "delay eth0 1 alpha>beta\nwait 3\ndelay eth0 0\nrepeats 50\nreorders 50\nwait 60\nreplay-to alpha\nfifo alpha x y=z",
    "power-off alpha\nwait 1\nstart alpha\nwait 9\nstall alpha 1\nwait 2\nstall alpha 9\nwait 20\nsuspend alpha 2\nwait 9\n\
     freeze alpha 2\nwait 9\nclock alpha 60\nclock alpha -60",
    "restarts alpha 1\nwait 2\nrestarts alpha 1\nwait 1.5\nrestarts beta 1\nrestarts alpha 1\nwait 2\nrestarts alpha 1\nwait 2\n\
     restarts alpha 9\nwait 20",
    "slow-start alpha 2\nrestarts alpha 0\nwait 1\nkill alpha\nslow-start alpha 6\nstart alpha\nnotes-take alpha 100ms\nwait 20",
    "notes alpha lost\nrestarts alpha 0\nwait 9\nnotes alpha old\nrestarts alpha 0\nwait 9\nnotes alpha unreadable\n\
     generation alpha 90\nrestarts alpha 0\nwait 9\ngeneration alpha 90\nrestarts alpha 0\nwait 9",
    "upgrade alpha\nupgrade beta\nwait 1\nstart alpha beta\nwait 9\nreload alpha\nreload alpha alpha ra rd\nreload alpha set deadtime 4\n\
     edit alpha alpha rd",
    "scripts-take 1\nstandby alpha all\nwait 0.5\nkill alpha\nwait 1\nstart alpha\nleave alpha\nkill alpha\nwait 1\nstart alpha\nwait 9\nstart alpha\nwait 30\n\
     leave alpha\nleave alpha\nwait 60",
    "standby alpha local\nstandby beta foreign\nwait 9\ntakeover alpha all\ntakeover beta foreign\nwait 20\ntakeover alpha local\n\
     wait 20\nstandby beta all\nmove alpha ra\nwait 9\nretry alpha ra\nwait 9",
    "dies alpha ra\ncomes-up beta ra\nwait 5",
    "set keepalive 20ms\nset deadtime 60\nset auto_failback off\nwait 1\ncut all\nwait 9\nmend all\nwait 9",
    "set fence power\nset auto_failback legacy\nset on-start-failure stay\nset on-stop-failure fence\nset alpha warntime 1\nfence-fails 1\n\
     cut all beta>alpha\nwait 9\nfence-works\nfence-takes 6\nwait 20\nstart beta\nwait 30\ncut all beta>alpha\n\
     wait 9\nmend all\nwait 30\nfence-works\nfence-late\nfence-takes 6\ncut all beta>alpha\nwait 7\nmend all\nwait 20",
    "set fence power\nset on-stop-failure block\nfence-takes 6\ncut all beta>alpha\nwait 7\nkill alpha\nwait 9",
    "set fence power\nfence-hangs\ncut all beta>alpha\nwait 9",
    "set ping router\ncut router",
    "group alpha rb\noriginal beta starts up",
    "group alpha rb\ngroup beta rd",
    "",
];

#[test]
fn every_kind_of_fault_can_be_played_and_is_counted() {
    let mut seen: BTreeSet<Fault> = BTreeSet::new();
    let mut add = |text: &str| seen.extend(perform(text).pair.faults().keys());
    EVERYTHING.into_iter().for_each(|text| add(&format!("{UP}{text}")));
    add("group alpha ra\nstart alpha\nwait 20");
    for verb in ["start", "stop", "status"] {
        for how in ["fails", "hangs", "lies", "silent", "unrunnable", "killed"] {
            add(&format!("{how} alpha ra {verb}\nset monitor * 5 0\n{UP}takeover beta all\nwait 60"));
        }
        add(&format!("slow alpha ra {verb} 1\nset monitor * 5 0\n{UP}takeover beta all\nwait 60"));
    }
    add(&format!("late alpha ra 9\n{UP}"));
    add(&format!("{UP}{}", "restarts alpha 100ms\nwait 1\n".repeat(20)));
    let one_wire = SimulatedPair::new("alpha ra", 1, |settings| settings.media.truncate(1)).unwrap();
    seen.extend(one_wire.faults().keys());
    let missing: Vec<_> = Fault::ALL.iter().filter(|kind| !seen.contains(kind)).map(|kind| kind.words()).collect();
    assert!(missing.is_empty(), "never happened: {missing:#?}");
}
