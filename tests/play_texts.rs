//! Whatever a play says, reading it and performing it ends, without a panic; and each complaint points into the text.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use latido::cluster::Settings;
use latido::diagnostic::SourceText;
use latido::simulate::{COMMANDS, NAMES, Play, groups, settings, table, timeline_entries, verdict};
use proptest::prelude::*;

fn both() -> [Settings; 2] {
    NAMES.map(|name| settings(name).unwrap())
}

/// Reads it and, if it is a play, performs it and prints all that can be printed.
fn play(text: &str) -> Result<String, Vec<String>> {
    let (settings, groups) = (both(), groups("alpha ra rb\nbeta rc::x"));
    let source = SourceText::new("play", text);
    let play = Play::parse(&source, &settings, &groups).map_err(|problems| {
        let pointed = |problem: &latido::diagnostic::Problem| {
            let place = problem.place.as_ref().unwrap();
            let before = text.get(..place.span.start).unwrap();
            assert_eq!(before.matches('\n').count() + 1, place.line, "{problem}");
            assert!(text.get(place.span.clone()).is_some() && problem.remedy.is_some(), "{problem}");
            problem.to_string()
        };
        problems.iter().map(pointed).collect::<Vec<_>>()
    })?;
    let performance = play.perform(&settings, &groups, Some(5));
    let lines = timeline_entries(&performance.pair, true).len();
    let misplaced = performance.misplaced().join("");
    Ok(format!("{lines} {misplaced} {}", table(&performance.pair, &verdict(&performance.pair))))
}

/// Words that stand in plays, and some that do not.
fn word() -> impl Strategy<Value = String> {
    let known = [
        "alpha",
        "beta",
        "eth0",
        "/dev/ttyS0",
        "all",
        "local",
        "foreign",
        "ra",
        "rb",
        "rc",
        "rc::x",
        "start",
        "stop",
        "status",
        "1",
        "2.5",
        "300ms",
        "0",
        "5",
        "home",
        "once",
        "both",
        "not",
        "never",
        "said",
        "runs",
        "nothing",
        "reply",
        "silent",
        "starts",
        "is",
        "says",
        "active",
        "up",
        "t=status",
        "st=dead",
        "auto_failback",
        "off",
        "deadtime",
        "fence",
        "monitor",
        "alpha>beta",
        "beta>alpha",
        "alpha>",
        "lost",
        "old",
        "-5",
        ";",
        "set",
        "ping",
        "may",
        "run",
        "answered",
    ];
    prop_oneof![8 => prop::sample::select(known.to_vec()).prop_map(str::to_owned), 1 => "[ -~ö\u{a0}]{0,8}"]
}

/// A line that begins with a command.
fn line() -> impl Strategy<Value = String> {
    let names: Vec<&str> = COMMANDS.iter().map(|(usage, _)| usage.split(' ').next().unwrap()).collect();
    (prop::sample::select(names), prop::collection::vec(word(), 0..5))
        .prop_map(|(name, words)| format!("{name} {}", words.join(" ")))
}

/// A line that means something.
fn play_line() -> impl Strategy<Value = String> {
    let node = prop::sample::select(NAMES.to_vec());
    let word = prop::sample::select(vec!["ra", "rb", "rc"]);
    let verb = prop::sample::select(vec!["start", "stop", "status"]);
    let what = prop::sample::select(vec![
        "start NODE",
        "start NODE",
        "power-off NODE",
        "leave NODE",
        "kill NODE",
        "upgrade NODE",
        "stall NODE 4",
        "cut all",
        "cut eth0",
        "unplug NODE",
        "unplug NODE eth0",
        "plug NODE",
        "cut 10.0.0.254 10.0.0.254>NODE",
        "cut 10.0.0.253",
        "mend routers",
        "ipfail-dies NODE",
        "mend all",
        "loss 20",
        "loss 0",
        "standby NODE all",
        "takeover NODE local",
        "retry NODE WORD",
        "reload NODE beta ra",
        "dies NODE WORD",
        "comes-up NODE WORD",
        "fails NODE WORD VERB",
        "hangs NODE WORD VERB",
        "scripts-work",
        "scripts-take 2",
        "fence-fails 2",
        "replay-to NODE",
        "fifo NODE ask_resources rsc_hold=all",
        "original NODE boots",
        "original NODE boots 2.1.3",
        "original NODE starts active",
        "original NODE is dead",
        "original NODE says resource rsc_hold=all rtype=full",
        "original NODE runs WORD",
        "restarts NODE 1",
        "suspend NODE 3",
        "freeze NODE 7",
        "clock NODE -3600",
        "slow-start NODE 2",
        "slow-start NODE 0",
        "notes-take NODE 300ms",
        "notes NODE lost",
        "notes NODE old",
        "notes NODE unreadable",
        "generation NODE 3",
        "cut all alpha>beta",
        "cut eth0 beta>alpha",
        "mend all beta>alpha",
        "loss 40 eth0 alpha>beta",
        "delay eth0 500ms beta>alpha",
        "delay all 0",
        "repeats 30",
        "reorders 30 eth0",
        "reload NODE",
        "reload NODE set deadtime 3",
        "edit NODE alpha ra rb ; beta rc",
        "reload NODE alpha ra ; beta rb rc",
        "slow NODE WORD VERB 2",
        "lies NODE WORD VERB",
        "silent NODE WORD VERB",
        "unrunnable NODE WORD VERB",
        "killed NODE WORD VERB",
        "late NODE WORD 3",
        "works NODE WORD",
        "fence-takes 7",
        "fence-hangs",
        "fence-late",
        "fence-works",
        "set NODE deadtime 3",
        "set ping router",
        "within 3 answered",
        "expect NODE may run nothing",
        "wait 3",
        "wait 20",
        "beat NODE",
        "settle 30",
        "within 9 once",
        "within 9 NODE said WORD",
        "expect reply NODE WORD",
        "chapter WORD",
        "set fence power",
        "set on-stop-failure block",
        "set monitor * 2 1",
        "set auto_failback off",
        "set keepalive 200ms",
    ]);
    (what, node, word, verb)
        .prop_map(|(what, node, word, verb)| what.replace("NODE", node).replace("WORD", word).replace("VERB", verb))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_text_is_a_play_or_has_complaints_that_point_into_it(text in "\\PC{0,60}(\n\\PC{0,30}){0,3}") {
        let _ = play(&text);
    }

    #[test]
    fn commands_with_any_words_are_plays_or_have_complaints(lines in prop::collection::vec(line(), 0..8)) {
        let _ = play(&lines.join("\n"));
    }

    #[test]
    fn whatever_befalls_a_pair_the_play_ends_and_can_be_told(lines in prop::collection::vec(play_line(), 0..40)) {
        let beside = "set ping 10.0.0.254\nset ping_group routers 10.0.0.252 10.0.0.253\nset ipfail hacluster\n";
        let text = beside.to_owned() + &lines.join("\n");
        let told = play(&text);
        prop_assert!(told.is_ok(), "{told:?}");
        prop_assert_eq!(told, play(&text));
    }
}

#[test]
fn what_would_last_too_long_is_refused_where_it_does() {
    let complaints = play(&"wait 86400\n".repeat(8)).unwrap_err();
    assert!(
        complaints.len() == 1 && complaints[0].starts_with("play:8: ") && complaints[0].contains("longer than a week")
    );
    assert!(
        play("wait 1e99").is_err() && play("wait 99999999999999999999").is_err() && play("set keepalive 0").is_err()
    );
}

#[test]
fn a_direction_a_setting_and_a_file_that_make_no_sense_are_refused_where_they_stand() {
    for (line, what) in [
        ("cut eth0 alpha>alpha", "is no direction"),
        ("cut eth0 beta", "is no direction"),
        ("loss 30 alpha>beta", "is no medium"),
        ("delay eth0 soon", "is not a duration"),
        ("clock alpha soon", "is no number of seconds"),
        ("notes alpha eaten", "is not used like this"),
        ("late alpha ra", "is not used like this"),
        ("reload alpha alpha ra ; beta", "is not used like this"),
        ("reload alpha alpha ra ; gamma rb", "is no node"),
        ("reload alpha set ping router", "a daemon opens its media only when it starts"),
        ("reload alpha set ipfail root", "and ipfail with them"),
        ("set alpha ping_group x y", "both nodes have the same media"),
        ("unplug alpha all", "is not one medium between the nodes"),
        ("set alpha ping router", "both nodes have the same media"),
        ("set alpha sleep 3", "cannot be set"),
    ] {
        let complaints = play(line).unwrap_err();
        assert!(complaints.len() == 1 && complaints[0].contains(what), "{line}: {complaints:?}");
    }
}

#[test]
fn the_name_of_a_script_stands_for_its_resource_where_there_is_one() {
    let complaints = play("dies alpha rc\ndies alpha rd").unwrap_err();
    assert_eq!(complaints.len(), 1);
    assert!(complaints[0].contains("\"rd\" is no resource of these groups"), "{complaints:?}");
}

#[test]
fn an_ipfail_that_dies_is_no_service_that_nobody_monitors() {
    let lines = "set ping 10.0.0.254\nset ipfail hacluster\nstart alpha beta\nwait 60\nchapter a hand-over\n\
                 scripts-take 2\nipfail-dies alpha\nstandby alpha all\nwait 60\n";
    let told = play(lines).unwrap();
    assert!(told.contains("a hand-over: ") && !told.contains("its ipfail"), "{told}");
}
