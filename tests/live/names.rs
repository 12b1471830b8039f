//! What old tools see of the processes: `ps`, `pgrep`, `pidof`, the pid file, `heartbeat -s` and `-k`, beside the original
//! (`config.md` 7, 8; `resources.md` 5.2).

use nix::sys::signal::Signal;

use super::runner::{Pace, Test};
use super::support::clock::wait_until;
use super::support::host::Host;
use super::support::shell::said;
use super::support::{Kind, Pair, Plan};
use crate::tests;

/// The tests of this file.
pub(crate) const TESTS: &[Test] = tests!(
    true,
    Pace::Unhurried,
    [
        the_old_commands_answer_as_the_originals_whatever_the_pid_file_says,
        hb_standby_and_hb_takeover_say_what_the_originals_say,
        every_process_has_the_name_it_was_called_by_as_long_as_there_is_one,
    ]
);

/// The original on alpha, ours on beta.
fn both() -> Pair {
    Pair::new(&Plan::new(Kind::Real, Kind::Latido))
}

/// What a command does, without what differs between any two nodes: paths, names, pids, the time.
fn answer(host: &Host, words: &str) -> String {
    let text = host.run(words);
    let pid = host.run("tr -d ' \n' </run/heartbeat.pid 2>/dev/null");
    let pid = String::from_utf8_lossy(&pid.stdout).into_owned();
    let mut text = said(&text).replace(host.name, "NODE");
    if !pid.is_empty() && pid != "0" {
        text = text.replace(&format!("pid {pid} "), "pid PID ");
    }
    let undated = |line: &str| match line.split_once(" Going standby") {
        Some((date, rest)) => {
            let shape: String = date.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).skip(3).collect();
            format!("Mon{shape} Going standby{rest}")
        }
        None => line.to_owned(),
    };
    text.lines().map(|line| undated(line) + "\n").collect()
}

fn compare(pair: &Pair, what: &str, words: &str) {
    let [real, ours] = ["alpha", "beta"].map(|name| {
        let host = pair.host(name);
        let path = host.program("heartbeat");
        answer(host, &words.replace("heartbeat ", &format!("{path} ")))
    });
    assert_eq!(ours, real, "`{words}` with {what}");
}

fn the_old_commands_answer_as_the_originals_whatever_the_pid_file_says() {
    let pair = both();
    let files = [
        ("no pid file", "rm -rf /run/heartbeat.pid"),
        ("a pid nobody has", "printf '%10s\n' 4194303 >/run/heartbeat.pid"),
        ("a pid nobody has, and more", "echo 4194303 abc >/run/heartbeat.pid"),
        ("zero", "printf '%10s\n' 0 >/run/heartbeat.pid"),
        ("a word", "echo x >/run/heartbeat.pid"),
        ("nothing in it", ": >/run/heartbeat.pid"),
        ("a directory there", "rm /run/heartbeat.pid; mkdir /run/heartbeat.pid"),
    ];
    for (what, write) in files {
        for name in ["alpha", "beta"] {
            pair.host(name).run(write);
        }
        for words in ["heartbeat -s", "heartbeat -k", "heartbeat -s -k", "heartbeat -ks", "heartbeat -s -v"] {
            compare(&pair, what, words);
        }
        compare(&pair, what, "setpriv --reuid nobody --clear-groups heartbeat -s");
    }
    pair.host("alpha").run("rmdir /run/heartbeat.pid");
    // Somebody else's pid, which the original believes: ours looks, and starts all the same.
    let beta = pair.host("beta");
    beta.run("rmdir /run/heartbeat.pid; sleep 600 >/dev/null 2>&1 & printf '%10s\n' $! >/run/heartbeat.pid; echo $! >/run/sleeper");
    let heartbeat = beta.program("heartbeat");
    assert_eq!(said(&beta.run(&format!("{heartbeat} -s"))), "exit status: 1 heartbeat is stopped. No process\n");
    assert_eq!(said(&beta.run(&format!("{heartbeat} -k"))), "exit status: 0 INFO: Heartbeat already stopped.\n");
    assert!(beta.run("kill -0 $(cat /run/sleeper)").status.success(), "nobody else is ended");
    pair.start_both();
    assert!(beta.run("kill -0 $(cat /run/sleeper)").status.success());
    pair.both_active(20.0);
    for words in ["heartbeat -s", "setpriv --reuid nobody --clear-groups heartbeat -s"] {
        compare(&pair, "a daemon that runs", words);
    }
    compare(&pair, "a daemon that runs", "setpriv --reuid nobody --clear-groups heartbeat -k");
    pair.settle(&["ra", "rb"], &["rc", "rd"], 30.0);
    pair.stable("alpha", 20.0);
    // Of both the second is meant: it stops.
    compare(&pair, "a daemon that runs", "heartbeat -s -k");
    for words in ["heartbeat -s", "ls /run/heartbeat.pid", "pgrep heartbeat"] {
        compare(&pair, "a daemon that was stopped", words);
    }
}

fn hb_standby_and_hb_takeover_say_what_the_originals_say() {
    let pair = both();
    pair.start_both();
    pair.both_active(20.0);
    for program in ["hb_standby", "hb_takeover"] {
        for set in ["bad", "-h", "--help", "ALL", "all all", "", "local", "foreign", "failback"] {
            let [real, ours] = ["alpha", "beta"].map(|name| {
                let host = pair.host(name);
                let path = host.program(program);
                let dir = path.trim_end_matches(program).to_owned();
                // By its name alone, too, it says where it lies.
                let by_name = answer(host, &format!("PATH={dir}:$PATH {program} {set}")).replace("//", "/");
                let by_path = answer(host, &format!("{path} {set}"));
                [by_name, by_path].map(|text| text.replace(&dir.replace(name, "NODE"), "DIR/"))
            });
            assert_eq!(ours, real, "{program} {set}");
        }
    }
}

/// The command lines of a daemon's processes as `ps -ef` shows them, and whether all the others find just these.
fn shown(host: &Host, name: &str) -> Vec<String> {
    let lines = |words: &str| -> Vec<String> {
        let output = host.run(words);
        String::from_utf8_lossy(&output.stdout).lines().map(|line| line.trim().to_owned()).collect()
    };
    let daemons = format!("ps -C {name} -o");
    let pids = |words: &str| {
        let mut pids: Vec<String> = lines(words).join(" ").split_whitespace().map(str::to_owned).collect();
        pids.sort();
        pids
    };
    // What a daemon starts has its name for a moment, with the original too.
    let agree = || {
        let all = pids(&format!("{daemons} pid="));
        let tools = [format!("pidof {name}"), format!("pgrep {name}"), format!("pgrep -x {name}")];
        all.len() == 2 && tools.iter().all(|words| pids(words) == all)
    };
    wait_until("ps, pidof and pgrep to find the two processes", 10.0, agree);
    let all = pids(&format!("{daemons} pid="));
    let master = pids(&format!("pgrep -f '{name}: [m]aster control process'"));
    assert_eq!(master.len(), 1, "{:?}", lines("ps -ef"));
    assert_eq!(lines("pgrep exe"), [""; 0]);
    let terminals = lines(&format!("{daemons} tty="));
    assert!(terminals.iter().all(|tty| tty == "?"), "{terminals:?}");
    let mut commands: Vec<String> = lines(&format!("ps -ef | grep -v grep | grep '{name}'"))
        .iter()
        .filter(|line| all.iter().any(|pid| line.split_whitespace().nth(1) == Some(pid)))
        .map(|line| line.split_whitespace().skip(7).collect::<Vec<_>>().join(" "))
        .collect();
    commands.sort();
    commands
}

fn every_process_has_the_name_it_was_called_by_as_long_as_there_is_one() {
    let pair = Pair::new(&Plan::new(Kind::Latido, Kind::Latido));
    let (alpha, beta) = (pair.host("alpha"), pair.host("beta"));
    for host in [alpha, beta] {
        host.add_to_ha_cf("respawn hacluster /usr/lib/nowhere/ipfail\n");
    }
    alpha.start();
    // A background of its own, as a service manager gives it.
    let latido = beta.program("latido");
    beta.run(&format!("setsid {latido} daemon </dev/null >/dev/null 2>&1 &"));
    pair.both_active(20.0);
    let heartbeat = alpha.program("heartbeat");
    let cases = [
        (alpha, "heartbeat", format!("{heartbeat} -f"), format!("{heartbeat} -f")),
        (beta, "latido", format!("{latido} daemon"), format!("{latido} daemon --foreground -d /etc/ha.d")),
    ];
    for (host, name, first, later) in cases {
        let title = format!("{name}: master control process");
        let as_called = |what: &str, supervisor: &str| {
            let found = shown(host, name);
            assert_eq!(found.len(), 2, "{what}: {found:?}");
            assert!(found.contains(&title), "{what}: {found:?}");
            let other = found.iter().find(|line| **line != title).map_or("", String::as_str);
            let other = other.split_once(" --watch-over").map_or(other, |(before, _)| before);
            assert_eq!(other, supervisor, "{what}");
        };
        as_called("started", &first);
        wait_until("ipfail", 10.0, || host.run("pgrep -x ipfail").status.success());
        let clients = host.run("ps -C ipfail -o args=; pidof ipfail >/dev/null && echo found");
        assert_eq!(String::from_utf8_lossy(&clients.stdout), "/usr/lib/nowhere/ipfail\nfound\n");

        let kill_core = || {
            let core = host.core().expect("a core");
            Host::send(&[core], Signal::SIGKILL);
            wait_until("another core", 10.0, || host.core().is_some_and(|now| now != core));
        };
        kill_core();
        as_called("after the core's death", &first);
        let supervisor = host.daemon().expect("a supervisor");
        Host::send(&[supervisor], Signal::SIGKILL);
        wait_until("another supervisor", 10.0, || host.daemon().is_some_and(|pid| pid != supervisor));
        as_called("after the supervisor's death", &later);
        kill_core();
        as_called("after both deaths", &later);
        let output = host.run(&format!("{latido} daemon --upgrade", latido = host.program("latido")));
        assert!(output.status.success(), "{}", said(&output));
        as_called("after an upgrade", &later);
        let status = host.run(&format!("{} -s", host.program("heartbeat")));
        assert!(status.status.success(), "{}", said(&status));
    }
}
