use super::*;

fn at(milliseconds: u64) -> Mono {
    Mono::at(Duration::from_millis(milliseconds))
}

fn clients(lines: &[(&str, bool)]) -> Clients {
    let line = |&(command, failfast): &(&str, bool)| RespawnLine {
        user: "root".into(),
        command: command.split(' ').map(str::to_owned).collect(),
        failfast,
    };
    let mut clients = Clients::new(&lines.iter().map(line).collect::<Vec<_>>());
    assert!(clients.due(at(0)).is_empty(), "nothing is started before the communication is up");
    clients.begin();
    clients
}

fn clients_leaving() -> Clients {
    let mut clients = clients(&[("/a b", true)]);
    clients.started(0, 10, at(0));
    clients.no_more();
    clients
}

fn logged(orders: &[Order]) -> String {
    let text = |order: &Order| match order {
        Order::Log(level, text) => Some(format!("{}: {text}", level.as_str())),
        Order::Start(_) | Order::Terminate(_) | Order::Kill(_) | Order::Reboot(_) => None,
    };
    orders.iter().filter_map(text).collect::<Vec<_>>().join("\n")
}

#[test]
fn they_are_started_in_order_and_stopped_in_reverse_one_at_a_time() {
    let mut clients = clients(&[("/a", false), ("/b", false), ("/c", false)]);
    assert_eq!(clients.due(at(0)), [Order::Start(0), Order::Start(1), Order::Start(2)]);
    clients.started(0, 10, at(0));
    clients.refused(1);
    clients.started(2, 12, at(0));
    assert_eq!(clients.pids(), [10, 12]);
    let orders = clients.stop(at(100));
    assert!(orders.contains(&Order::Terminate(12)) && !orders.contains(&Order::Terminate(10)));
    assert!(clients.stop(at(200)).is_empty(), "told twice, stopped once");
    let orders = clients.ended(2, Ending::Signal(15), at(300));
    assert!(orders.contains(&Order::Terminate(10)), "{orders:?}");
    assert!(logged(&orders).contains("info: client [/b] is not running."), "{orders:?}");
    clients.ended(0, Ending::Code(0), at(400));
    assert!(clients.is_over() && clients.next_deadline().is_none());
}

#[test]
fn one_that_ignores_the_request_is_killed() {
    let mut clients = clients(&[("/a x", false)]);
    clients.started(0, 10, at(0));
    clients.stop(at(1000));
    assert_eq!(clients.next_deadline(), Some(at(6000)));
    assert!(clients.due(at(5999)).is_empty());
    let orders = clients.due(at(6000));
    assert!(orders.contains(&Order::Kill(10)), "{orders:?}");
    assert!(logged(&orders).contains("killing /a x process group 10 with signal 9"));
    clients.ended(0, Ending::Signal(9), at(6001));
    assert!(clients.is_over());
}

#[test]
fn a_client_that_ends_is_started_again_and_exit_100_means_never() {
    let mut clients = clients(&[("/a", false), ("/b", false)]);
    clients.started(0, 10, at(0));
    clients.started(1, 11, at(0));
    let orders = clients.ended(0, Ending::Code(0), at(40_000));
    let log = logged(&orders);
    assert_eq!(log, "info: Managed /a process 10 exited with return code 0.\nERROR: Respawning client \"/a\":");
    assert_eq!(clients.due(at(40_000)), [Order::Start(0)]);
    let orders = clients.ended(1, Ending::Code(100), at(40_000));
    assert_eq!(logged(&orders), "info: Managed /b process 11 exited with return code 100.");
    clients.started(0, 12, at(40_000));
    assert!(clients.due(at(99_000)).is_empty());
}

#[test]
fn the_eleventh_short_run_in_a_row_is_the_last() {
    let mut clients = clients(&[("/a", false)]);
    let mut now = 0;
    for run in 1..=11 {
        assert_eq!(clients.due(at(now)), [Order::Start(0)], "run {run}");
        clients.started(0, run, at(now));
        let log = logged(&clients.ended(0, Ending::Code(1), at(now + 1000)));
        assert_eq!(log.contains("respawning too fast"), run == 11, "run {run}: {log}");
        assert!(clients.due(at(now + 1999)).is_empty(), "a second's pause");
        now += 2000;
    }
    assert!(clients.due(at(now + 100_000)).is_empty() && clients.next_deadline().is_none());
}

#[test]
fn a_long_run_forgives_the_short_ones() {
    let mut clients = clients(&[("/a", false)]);
    for round in 0u64..3 {
        for run in 0..10 {
            let now = round * 1_000_000 + run * 2000;
            clients.started(0, 1, at(now));
            assert!(!logged(&clients.ended(0, Ending::Signal(11), at(now + 1000))).contains("too fast"));
        }
        clients.started(0, 1, at(round * 1_000_000 + 100_000));
        clients.ended(0, Ending::Code(1), at(round * 1_000_000 + 130_000));
    }
}

#[test]
fn a_failfast_program_that_dies_takes_the_machine_with_it() {
    for (how, reboots) in
        [(Ending::Code(1), true), (Ending::Signal(9), true), (Ending::Code(0), false), (Ending::Code(100), false)]
    {
        let mut clients = self::clients(&[("/a b", true)]);
        clients.started(0, 10, at(0));
        let orders = clients.ended(0, how, at(40_000));
        assert_eq!(orders.contains(&Order::Reboot("/a b".into())), reboots, "{how:?}");
    }
    // Not while we leave.
    let mut clients = clients_leaving();
    assert_eq!(clients.ended(0, Ending::Code(1), at(20)).len(), 1, "it is only said");
    assert!(clients.due(at(90_000)).is_empty());
    let mut clients = self::clients(&[("/a b", true)]);
    clients.started(0, 10, at(0));
    clients.stop(at(10));
    assert!(!clients.ended(0, Ending::Signal(15), at(20)).contains(&Order::Reboot("/a b".into())));
}
