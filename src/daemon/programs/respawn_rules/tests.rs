use super::*;

fn at(milliseconds: u64) -> Mono {
    Mono::at(Duration::from_millis(milliseconds))
}

fn rules(lines: &[(&str, bool)]) -> RespawnRules {
    let line = |&(command, failfast): &(&str, bool)| RespawnLine {
        user: "root".into(),
        command: command.split(' ').map(str::to_owned).collect(),
        failfast,
    };
    let mut rules = RespawnRules::new(&lines.iter().map(line).collect::<Vec<_>>());
    assert!(rules.due(at(0)).is_empty(), "nothing is started before the communication is up");
    rules.begin();
    rules
}

fn clients_leaving() -> RespawnRules {
    let mut rules = rules(&[("/a b", true)]);
    rules.started(0, 10, at(0));
    rules.no_more();
    rules
}

fn logged(steps: &[RespawnStep]) -> String {
    let text = |step: &RespawnStep| match step {
        RespawnStep::Log(level, text) => Some(format!("{}: {text}", level.as_str())),
        RespawnStep::Start(_) | RespawnStep::Terminate(_) | RespawnStep::Kill(_) | RespawnStep::Reboot(_) => None,
    };
    steps.iter().filter_map(text).collect::<Vec<_>>().join("\n")
}

#[test]
fn they_are_started_in_order_and_stopped_in_reverse_one_at_a_time() {
    let mut rules = rules(&[("/a", false), ("/b", false), ("/c", false)]);
    assert_eq!(rules.due(at(0)), [RespawnStep::Start(0), RespawnStep::Start(1), RespawnStep::Start(2)]);
    rules.started(0, 10, at(0));
    rules.refused(1);
    rules.started(2, 12, at(0));
    assert_eq!(rules.pids(), [10, 12]);
    let steps = rules.stop(at(100));
    assert!(steps.contains(&RespawnStep::Terminate(12)) && !steps.contains(&RespawnStep::Terminate(10)));
    assert!(rules.stop(at(200)).is_empty(), "told twice, stopped once");
    let steps = rules.ended(2, Ending::Signal(15), at(300));
    assert!(steps.contains(&RespawnStep::Terminate(10)), "{steps:?}");
    assert!(logged(&steps).contains("info: client [/b] is not running."), "{steps:?}");
    rules.ended(0, Ending::Code(0), at(400));
    assert!(rules.is_over() && rules.next_deadline().is_none());
}

#[test]
fn one_that_ignores_the_request_is_killed() {
    let mut rules = rules(&[("/a x", false)]);
    rules.started(0, 10, at(0));
    rules.stop(at(1000));
    assert_eq!(rules.next_deadline(), Some(at(6000)));
    assert!(rules.due(at(5999)).is_empty());
    let steps = rules.due(at(6000));
    assert!(steps.contains(&RespawnStep::Kill(10)), "{steps:?}");
    assert!(logged(&steps).contains("killing /a x process group 10 with signal 9"));
    rules.ended(0, Ending::Signal(9), at(6001));
    assert!(rules.is_over());
}

#[test]
fn a_client_that_ends_is_started_again_and_exit_100_means_never() {
    let mut rules = rules(&[("/a", false), ("/b", false)]);
    rules.started(0, 10, at(0));
    rules.started(1, 11, at(0));
    let steps = rules.ended(0, Ending::Code(0), at(40_000));
    let log = logged(&steps);
    assert_eq!(log, "info: Managed /a process 10 exited with return code 0.\nERROR: Respawning client \"/a\":");
    assert_eq!(rules.due(at(40_000)), [RespawnStep::Start(0)]);
    let steps = rules.ended(1, Ending::Code(100), at(40_000));
    assert_eq!(logged(&steps), "info: Managed /b process 11 exited with return code 100.");
    rules.started(0, 12, at(40_000));
    assert!(rules.due(at(99_000)).is_empty());
}

#[test]
fn the_eleventh_short_run_in_a_row_is_the_last() {
    let mut rules = rules(&[("/a", false)]);
    let mut now = 0;
    for run in 1..=11 {
        assert_eq!(rules.due(at(now)), [RespawnStep::Start(0)], "run {run}");
        rules.started(0, run, at(now));
        let log = logged(&rules.ended(0, Ending::Code(1), at(now + 1000)));
        assert_eq!(log.contains("respawning too fast"), run == 11, "run {run}: {log}");
        assert!(rules.due(at(now + 1999)).is_empty(), "a second's pause");
        now += 2000;
    }
    assert!(rules.due(at(now + 100_000)).is_empty() && rules.next_deadline().is_none());
}

#[test]
fn a_long_run_forgives_the_short_ones() {
    let mut rules = rules(&[("/a", false)]);
    for round in 0u64..3 {
        for run in 0..10 {
            let now = round * 1_000_000 + run * 2000;
            rules.started(0, 1, at(now));
            assert!(!logged(&rules.ended(0, Ending::Signal(11), at(now + 1000))).contains("too fast"));
        }
        rules.started(0, 1, at(round * 1_000_000 + 100_000));
        rules.ended(0, Ending::Code(1), at(round * 1_000_000 + 130_000));
    }
}

#[test]
fn a_failfast_program_that_dies_takes_the_machine_with_it() {
    for (how, reboots) in
        [(Ending::Code(1), true), (Ending::Signal(9), true), (Ending::Code(0), false), (Ending::Code(100), false)]
    {
        let mut rules = self::rules(&[("/a b", true)]);
        rules.started(0, 10, at(0));
        let steps = rules.ended(0, how, at(40_000));
        assert_eq!(steps.contains(&RespawnStep::Reboot("/a b".into())), reboots, "{how:?}");
    }
    // Not while we leave.
    let mut rules = clients_leaving();
    assert_eq!(rules.ended(0, Ending::Code(1), at(20)).len(), 1, "it is only said");
    assert!(rules.due(at(90_000)).is_empty());
    let mut rules = self::rules(&[("/a b", true)]);
    rules.started(0, 10, at(0));
    rules.stop(at(10));
    assert!(!rules.ended(0, Ending::Signal(15), at(20)).contains(&RespawnStep::Reboot("/a b".into())));
}
