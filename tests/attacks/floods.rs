//! A minute of each flood: own beats on time, no move, log and journal bounded, root is answered.

use std::process::Child;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::clients;
use super::runner::{Pace, Test};
use super::support::clock::{epoch, instant, pass};
use super::support::host::Host;
use super::support::pair::NAMES;
use super::support::stranger::{as_stranger, overheard};
use super::support::{Kind::Latido, Medium, Pair, Plan, shell};

/// The tests of this file: a minute each, so only when they are asked for.
pub(crate) const TESTS: &[Test] = &[
    long("a_minute_of_forged_messages_changes_nothing", || flood(&plan(), forged)),
    long("a_minute_of_replayed_messages_changes_nothing", || flood(&plan(), replayed)),
    long("a_minute_of_arp_claims_changes_nothing", || flood(&plan(), claims)),
    long("a_minute_of_talk_on_a_serial_line_changes_nothing", || flood(&on_a_line(), talk)),
    long("a_minute_of_connections_to_the_page_changes_nothing", || {
        flood(&plan(), |pair| connections(pair, "tcp 127.0.0.1:8090", false));
    }),
    long("a_minute_of_connections_to_the_clients_socket_changes_nothing", || {
        flood(&plan(), |pair| connections(pair, "unix /run/heartbeat/register", false));
    }),
    long("a_minute_of_connections_to_the_control_socket_changes_nothing", || {
        flood(&plan(), |pair| connections(pair, &format!("unix {CONTROL}"), true));
    }),
];

const CONTROL: &str = "/run/latido/latido.sock";
const SECONDS: u64 = 60;
const KEEPALIVE: f64 = 1.0;
/// Of each, whatever comes: a disk must not fill.
const MOST_LOG: usize = 300_000;
const MOST_JOURNAL: u64 = 2 << 20;
const ADDRESS: &str = "10.21.0.100";

const fn long(name: &'static str, run: fn()) -> Test {
    Test { name, run, needs_real: false, pace: Pace::Long }
}

fn plan() -> Plan {
    Plan::new(Latido, Latido).timed(1000, 5000).resources("alpha 10.21.0.100 ra\nbeta rc\n")
}

fn on_a_line() -> Plan {
    // No interface, hence no address.
    Plan { baud: 19_200, ..plan().over(&[Medium::Serial]).resources("alpha ra\nbeta rc\n") }
}

/// Does it for a minute to a pair that is at rest, and looks at everything that must not change.
fn flood(plan: &Plan, act: impl FnOnce(&Pair) + Send) {
    let pair = clients::pair_with(plan, "", "listen 127.0.0.1:8090\n");
    pair.settle(&["ra"], &["rc"], 60.0);
    pair.nothing_moves_for(2.0);
    let from = epoch();
    let logs = NAMES.map(|name| pair.host(name).log().len());
    let over = AtomicBool::new(false);
    let mut slowest = Duration::ZERO;
    std::thread::scope(|scope| {
        let (pair, over) = (&pair, &over);
        scope.spawn(move || {
            act(pair);
            over.store(true, Ordering::Release);
        });
        while !over.load(Ordering::Acquire) {
            for name in NAMES {
                let begun = instant();
                let said = clients::latido(pair.host(name), "status");
                slowest = slowest.max(begun.elapsed());
                let text = shell::said(&said);
                assert!(text.contains("(here)"), "root is not answered: {text}");
            }
            pass(Duration::from_secs(1));
        }
    });
    let until = epoch();
    assert!(until - from > SECONDS as f64 / 2.0, "it was no flood");
    for (name, before) in NAMES.into_iter().zip(logs) {
        let beats = if plan.serial() && name == "alpha" { clients::beats(&pair) } else { pair.tap.beats(name) };
        let beats: Vec<f64> = beats.into_iter().filter(|at| (from..until).contains(at)).collect();
        let worst = beats.windows(2).map(|two| two[1] - two[0]).fold(0.0, f64::max);
        let log = pair.host(name).log().split_off(before);
        let journal = journal(pair.host(name));
        shell::print(&format!(
            "{name}: {} beats, the latest {:.0} ms late; {} bytes of log, {journal} of journal; slowest answer {slowest:.0?}",
            beats.len(),
            (worst - KEEPALIVE).max(0.0) * 1000.0,
            log.len()
        ));
        if !plan.serial() || name == "alpha" {
            assert!(beats.len() > 30 && worst < 1.5 * KEEPALIVE, "{name}: a gap of {worst} s in {} beats", beats.len());
        }
        assert!(log.len() < MOST_LOG && journal < MOST_JOURNAL, "{}", &log[..log.len().min(4000)]);
        assert!(!log.contains("is dead"), "{log}");
        let why = shell::said(&clients::latido(pair.host(name), "why"));
        assert!(why.contains("ra") || why.contains("rc"), "what moved last is forgotten: {why}");
    }
    assert!(slowest < Duration::from_secs(1), "root waited {slowest:?}");
    assert_eq!(pair.held(), [vec!["ra"], vec!["rc"]]);
    pair.assert_never_double();
}

fn journal(host: &Host) -> u64 {
    let said = host.run("cat /var/lib/heartbeat/latido-events* | wc -c");
    String::from_utf8_lossy(&said.stdout).trim().parse().unwrap_or(u64::MAX)
}

/// 20,000 a second.
fn packets(pair: &Pair, packets: &[Vec<u8>]) {
    let sent = as_stranger(pair, |stranger| {
        let (begun, mut sent) = (instant(), 0_u64);
        while begun.elapsed() < Duration::from_secs(SECONDS) {
            let due = u64::try_from(begun.elapsed().as_millis()).unwrap_or(0) * 20;
            while sent < due {
                let next = usize::try_from(sent).unwrap_or(0) % packets.len();
                stranger.send(&packets[next]);
                sent += 1;
            }
            pass(Duration::from_millis(1));
        }
        sent
    });
    shell::print(&format!("{sent} packets"));
}

fn forged(pair: &Pair) {
    let mut forged = overheard(pair);
    let digest = forged.len() - 20;
    forged[digest] = if forged[digest] == b'0' { b'1' } else { b'0' };
    packets(pair, &[forged]);
}

/// Everything that was ever said, again and again.
fn replayed(pair: &Pair) {
    let heard: Vec<Vec<u8>> =
        pair.tap.heard().into_iter().filter(|heard| heard.get("t") != "arp").map(|heard| heard.bytes).collect();
    packets(pair, &heard);
}

/// Claims of the address of a group from hardware addresses nobody has: some thousands a second.
fn claims(pair: &Pair) {
    let script = format!(
        "import os,socket,time
doors=[]
for _,name in socket.if_nameindex():
    if name=='lo': continue
    s=socket.socket(socket.AF_PACKET,socket.SOCK_RAW); s.bind((name,0)); doors.append(s)
ip=socket.inet_aton('{ADDRESS}'); end=time.time()+{SECONDS}; sent=0
while time.time()<end:
    mac=b'\\x02'+os.urandom(5)
    frame=b'\\xff'*6+mac+b'\\x08\\x06\\x00\\x01\\x08\\x00\\x06\\x04\\x00\\x02'+mac+ip+b'\\xff'*6+ip
    for s in doors:
        try: s.send(frame); sent+=1
        except OSError: pass
    time.sleep(0.0003)
print(sent,'claims')"
    );
    let said = as_stranger(pair, |_| {
        let mut command = shell::clean("python3");
        command.args(["-c", &script]);
        shell::must(command)
    });
    shell::print(&said);
}

/// As much as a client can say, on a line that carries 1920 bytes a second.
fn talk(pair: &Pair) {
    let mut talker = clients::begin(pair.host("alpha"), &["gossip", "160", "500", ""]);
    assert!(talker.wait().expect("our child").success(), "the talker was sent away");
}

/// Connects as fast as it can, keeps a hundred open, says something on some of them.
fn connections(pair: &Pair, place: &str, in_group: bool) {
    let script = format!(
        "import socket,time
kind,place='{place}'.split(' '); end=time.time()+{SECONDS}; made=0; kept=[]
while time.time()<end:
    try:
        if kind=='unix':
            s=socket.socket(socket.AF_UNIX); s.settimeout(1); s.connect(place)
        else:
            host,port=place.split(':'); s=socket.create_connection((host,int(port)),1)
        made+=1; kept.append(s)
        if made%3==0: s.send(b'GET / HTTP/1.1\\r\\nHost: localhost\\r\\n\\r\\n')
    except OSError: pass
    if len(kept)>100: kept.pop(0).close()
print(made,'connections')"
    );
    let child: Child = clients::as_nobody(pair.host("alpha"), in_group, &["python3", "-c", &script]);
    let output = child.wait_with_output().expect("our child");
    assert!(output.status.success(), "{}", shell::said(&output));
    shell::print(&shell::said(&output));
}
